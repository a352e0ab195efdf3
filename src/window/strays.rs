//! Stray packets of one subject, by family: what floods other than of SYNs are made of.
//!
//! A family has a window only once a packet of it came; the time before counts as silence. Rates are tested against the
//! envelope of what is usual or, while that is not known, against a floor that no ordinary host reaches in packets nobody
//! asked for (DETECTION 0.2, "What fires without history"). What the host answers later is taken back before testing.

use crate::summary::{Distinct, HostTick, Stray, StrayKind};
use crate::time::Tick;
use crate::window::cusum::{STEP_CAP, STEP_CAP_CORROBORATED};
use crate::window::quic::Quic;
use crate::window::ring::Ring;
use crate::window::series::{RateSeries, ShareSeries, WINDOW};

/// Kinds that are judged together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// Datagrams nobody answered, QUIC Initials to hosts that serve no QUIC among them.
    Datagram,
    /// Replies from ports of services that reflect.
    Reply,
    /// ICMP and ICMPv6.
    Icmp,
    /// Fragments.
    Fragment,
    /// TCP segments of no connection, SYNs excepted.
    Segment,
    /// Other protocols than TCP, UDP and ICMP.
    OtherProtocol,
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 6] =
        [Self::Datagram, Self::Reply, Self::Icmp, Self::Fragment, Self::Segment, Self::OtherProtocol];

    /// Returns the family of a kind.
    #[must_use]
    pub const fn of(kind: StrayKind) -> Self {
        use StrayKind as K;
        match kind {
            K::Reply(_) => Self::Reply,
            K::Datagram | K::QuicInitial => Self::Datagram,
            K::EchoRequest | K::EchoReply | K::OtherIcmp => Self::Icmp,
            K::Fragment => Self::Fragment,
            K::SynAck | K::Ack | K::Data | K::Reset | K::OddFlags => Self::Segment,
            K::OtherProtocol => Self::OtherProtocol,
        }
    }

    /// Returns the excess over what is usual, in packets a second, below which nothing is evidence: a quarter to a half of
    /// the smallest flood that is called one (DETECTION 5), and less for replies, which are judged by their bits.
    #[must_use]
    pub const fn floor(self) -> f64 {
        match self {
            Self::Reply => 40.0,
            Self::Icmp | Self::Fragment | Self::Segment => 250.0,
            Self::Datagram | Self::OtherProtocol => 500.0,
        }
    }

    /// Returns what is usual at most for the family's share of the packets it is compared with, while nothing is known.
    const fn share_at_first(self) -> f64 {
        match self {
            Self::Fragment => 0.05,
            Self::Segment => 0.1,
            Self::Datagram | Self::Reply | Self::Icmp | Self::OtherProtocol => 0.2,
        }
    }
}

/// Ticks over which sources are told apart: a second.
const SOURCE_TICKS: usize = 4;

/// The window of one family.
#[derive(Clone, Debug, Default)]
pub struct StrayWindow {
    /// All of it, a second; its evidence is that of the tested part.
    packets: RateSeries,
    /// Packets nobody answered or asked for.
    tested: Ring<WINDOW>,
    bytes: Ring<WINDOW>,
    /// Packets it is compared with: UDP, TCP, or everything inbound.
    whole: Ring<WINDOW>,
    share: ShareSeries,
    sources: [Distinct; SOURCE_TICKS],
    /// Packets by kind, fading by half in a second.
    kinds: Vec<(StrayKind, f64)>,
    /// Nearly every packet bears another source.
    forged: bool,
    /// Least rate and share of any ten seconds so far, of those that were quiet.
    calm: Option<(f64, f64)>,
}

impl StrayWindow {
    fn observe<'a>(
        &mut self,
        tick: Tick,
        family: Family,
        rows: impl Iterator<Item = &'a Stray> + Clone,
        tested: u64,
        host: &HostTick,
    ) {
        let (whole, raw) = (whole_of(family, host), host.sampling.part());
        let packets: u64 = rows.clone().map(|row| row.volume.packets).sum();
        let mut sources = Distinct::default();
        self.kinds.iter_mut().for_each(|(_, packets)| *packets *= 0.84);
        for row in rows.clone() {
            sources.join(&row.sources);
            self.count_kind(row);
        }
        self.tested.push(tested);
        self.bytes.push(rows.map(|row| row.volume.bytes).sum());
        self.whole.push(whole);
        self.sources.rotate_right(1);
        self.sources[0] = sources;
        let floor = family.floor();
        let cold = self.calm.map_or(floor, |(rate, _)| 1.5 * rate + floor);
        let large = tested as f64 * 4.0 >= 4.0 * self.packets.envelope(floor).unwrap_or(cold);
        let cap = if large && sources.estimate() >= 10.0 { STEP_CAP_CORROBORATED } else { STEP_CAP };
        self.packets.observe_part(tick, [packets, tested], raw, floor, cold, cap);
        self.judge_sources(raw);
        let usual = self.usual_share_at_most(family);
        self.share.observe(tick, tested as f64, whole.max(tested) as f64, raw, Some(usual), cap);
    }

    fn count_kind(&mut self, row: &Stray) {
        let packets = row.volume.packets as f64;
        match self.kinds.iter_mut().find(|(kind, _)| *kind == row.kind) {
            Some((_, sum)) => *sum += packets,
            None => self.kinds.push((row.kind, packets)),
        }
    }

    fn learn(&mut self, weight: f64) {
        if weight > 0.0 && self.tested.filled() == WINDOW {
            let now = (self.tested_per_second(WINDOW), self.share_over(WINDOW));
            self.calm = Some(self.calm.map_or(now, |(rate, share)| (rate.min(now.0), share.min(now.1))));
        }
        self.packets.learn(weight);
        self.share.learn(weight);
    }

    fn restart(&mut self, tick: Tick) {
        self.packets.restart(tick);
        self.share.restart(tick);
        for ring in [&mut self.tested, &mut self.bytes, &mut self.whole] {
            ring.clear();
        }
        self.sources = Default::default();
    }

    /// Returns packets a second over the last `ticks` ticks that nobody answered or asked for.
    #[must_use]
    pub fn tested_per_second(&self, ticks: usize) -> f64 {
        self.tested.recent(ticks) as f64 * 4.0 / ticks.min(self.tested.filled()).max(1) as f64
    }

    /// Returns bits a second over the last `ticks` ticks.
    #[must_use]
    pub fn bits_per_second(&self, ticks: usize) -> f64 {
        self.bytes.recent(ticks) as f64 * 32.0 / ticks.min(self.bytes.filled()).max(1) as f64
    }

    /// Returns the share of the packets it is compared with over the last `ticks` ticks, 0 to 1.
    #[must_use]
    pub fn share_over(&self, ticks: usize) -> f64 {
        let (part, whole) = (self.tested.recent(ticks) as f64, self.whole.recent(ticks) as f64);
        if part > 0.0 { part / whole.max(part) } else { 0.0 }
    }

    /// Returns the usual share at most: learned, or by the calmest ten seconds so far.
    #[must_use]
    pub fn usual_share_at_most(&self, family: Family) -> f64 {
        let floor = family.share_at_first();
        let learned = self.share.level();
        match self.calm {
            Some((_, share)) if !learned.is_armed() => (1.5 * share + 0.05).clamp(floor, 0.9),
            _ => learned.envelope(floor),
        }
    }

    /// Returns the usual rate, a second: learned, or that of the calmest ten seconds so far; `None` without either.
    #[must_use]
    pub fn usual(&self) -> Option<f64> {
        self.packets.usual().or(self.calm.map(|(rate, _)| rate))
    }

    /// Returns what is usual at most, a second, once that is known.
    #[must_use]
    pub fn envelope(&self, family: Family) -> Option<f64> {
        self.packets.envelope(family.floor())
    }

    /// Returns the evidence of the rate and of the share, in decades.
    #[must_use]
    pub fn decades(&self) -> (f64, f64) {
        (self.packets.decades(), self.share.decades())
    }

    /// Returns the first tick that the evidence of the rate explains.
    #[must_use]
    pub fn onset(&self) -> Tick {
        self.packets.onset()
    }

    /// Returns the sources of the last second.
    #[must_use]
    pub fn sources(&self) -> Distinct {
        let mut all = Distinct::default();
        self.sources.iter().for_each(|tick| all.join(tick));
        all
    }

    /// Tells whether nearly every packet bears another source, which senders with an address of their own do not do.
    #[must_use]
    pub const fn never_repeats_a_source(&self) -> bool {
        self.forged
    }

    /// Judges that by the newest tick and, as far as sources can be told apart, by the last second; a tick with few packets
    /// changes nothing. Sources are those of the packets that were really counted, a fraction `raw`.
    fn judge_sources(&mut self, raw: f64) {
        const FEWEST: f64 = 50.0;
        const MOST: f64 = 4_000.0;
        let (tick, second) = (self.packets.recent(1) * raw, self.packets.recent(SOURCE_TICKS) * raw);
        if (FEWEST..=MOST).contains(&tick) {
            self.forged = self.sources[0].estimate() >= 0.8 * tick
                && (second > MOST || self.sources().estimate() >= 0.8 * second);
        } else if tick > MOST {
            self.forged = false;
        }
    }

    /// Returns the kind most packets of the last seconds are of, and its share of them.
    #[must_use]
    pub fn leading_kind(&self) -> Option<(StrayKind, f64)> {
        let all: f64 = self.kinds.iter().map(|(_, packets)| packets).sum();
        let leading = self.kinds.iter().copied().reduce(|a, b| if b.1 > a.1 { b } else { a })?;
        (all > 0.0).then(|| (leading.0, leading.1 / all))
    }
}

/// The stray packets of one subject.
#[derive(Clone, Debug, Default)]
pub struct Strays {
    windows: [Option<Box<StrayWindow>>; Family::ALL.len()],
    /// QUIC connections.
    pub quic: Quic,
    /// Inbound packets.
    inbound: Ring<WINDOW>,
    /// Hosts that strays went to, for subjects of several hosts, and which tick of the second is next.
    targets: [Distinct; SOURCE_TICKS],
    next: usize,
    outbound_seen: u64,
    /// Quiet ten seconds learned from, up to as many as arm a level.
    learned: usize,
}

impl Strays {
    /// Takes one tick.
    pub fn observe(&mut self, tick: Tick, host: &HostTick, targets: &Distinct) {
        self.inbound.push(host.inbound.packets);
        self.outbound_seen = self.outbound_seen.saturating_add(host.outbound.packets);
        self.targets[self.next] = *targets;
        self.next = (self.next + 1) % SOURCE_TICKS;
        let initials = host.strays.iter().filter(|row| row.kind == StrayKind::QuicInitial);
        self.quic.observe(tick, host, initials.map(|row| row.volume.packets).sum());
        for family in Family::ALL {
            let rows = host.strays.iter().filter(|row| Family::of(row.kind) == family);
            let place = family as usize;
            if self.windows[place].is_none() && rows.clone().next().is_none() {
                continue;
            }
            let tested = self.tested(host, rows.clone());
            let learned = self.learned;
            let window = self.windows[place].get_or_insert_with(|| silent_until_now(tick, learned));
            window.observe(tick, family, rows, tested, host);
        }
    }

    /// Counts what is held against the envelope.
    fn tested<'a>(&self, host: &HostTick, rows: impl Iterator<Item = &'a Stray>) -> u64 {
        let judged = rows.filter(|row| {
            // Clients of a server that serves QUIC are judged by whether they go on (window/quic.rs).
            row.kind != StrayKind::QuicInitial || !self.quic.is_served()
        });
        let (mut packets, mut answered) = (0, 0);
        for row in judged {
            // Who is sent a SYN-ACK he did not ask for resets it: the echo of a SYN flood with others' addresses.
            let echo = if row.kind == StrayKind::Reset { u64::from(host.syn_ack) } else { 0 };
            packets += row.volume.packets.saturating_sub(echo);
            answered += row.answered.packets;
        }
        packets.saturating_sub(answered)
    }

    /// Returns the window of a family, if any packet of it ever came.
    #[must_use]
    pub fn window(&self, family: Family) -> Option<&StrayWindow> {
        self.windows[family as usize].as_deref()
    }

    /// Returns inbound packets a second over the last `ticks` ticks.
    #[must_use]
    pub fn inbound_per_second(&self, ticks: usize) -> f64 {
        self.inbound.recent(ticks) as f64 * 4.0 / ticks.min(self.inbound.filled()).max(1) as f64
    }

    /// Estimates how many hosts strays went to in the last second.
    #[must_use]
    pub fn targets(&self) -> f64 {
        let mut all = Distinct::default();
        self.targets.iter().for_each(|tick| all.join(tick));
        all.estimate()
    }

    /// Tells whether packets from the subject are captured at all: without them every conversation looks one-way.
    #[must_use]
    pub const fn is_heard(&self) -> bool {
        self.outbound_seen >= 50
    }

    /// Tells whether the subject ever sent a packet.
    #[must_use]
    pub const fn was_ever_heard(&self) -> bool {
        self.outbound_seen > 0
    }

    /// Learns from the last ten seconds with a weight of 0 to 1.
    pub fn learn(&mut self, weight: f64) {
        self.windows.iter_mut().flatten().for_each(|window| window.learn(weight));
        self.quic.learn(weight);
        if weight > 0.0 && self.inbound.filled() == WINDOW {
            self.learned = (self.learned + 1).min(crate::window::level::ARMED_AFTER);
        }
    }

    /// Restarts windows and tests after a gap; levels stay.
    pub fn restart(&mut self, tick: Tick) {
        self.windows.iter_mut().flatten().for_each(|window| window.restart(tick));
        self.quic.restart(tick);
        self.inbound.clear();
        self.targets = Default::default();
    }
}

/// Begins the window of a family of which nothing came in the `learned` quiet ten seconds before.
fn silent_until_now(tick: Tick, learned: usize) -> Box<StrayWindow> {
    let mut window = Box::<StrayWindow>::default();
    window.restart(tick);
    (0..learned).for_each(|_| window.packets.learn_rate(0.0));
    window.calm = (learned > 0).then_some((0.0, 0.0));
    window
}

fn whole_of(family: Family, host: &HostTick) -> u64 {
    match family {
        Family::Datagram | Family::Reply => host.udp_in.packets,
        Family::Segment => u64::from(host.tcp_in),
        Family::Icmp | Family::Fragment | Family::OtherProtocol => host.inbound.packets,
    }
}

#[cfg(test)]
mod tests;
