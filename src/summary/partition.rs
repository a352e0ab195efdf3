//! A sixty-fourth of the state: everything that fills, evicts or adapts, and the way of a packet through it.
//!
//! A partition belongs to exactly one shard, whatever the number of shards, and sees its packets in the order of arrival;
//! so what it counts does not depend on that number (DESIGN 4). Sums that do not fill anything are kept by the shard and
//! reached through [`Context`].

mod connections;
mod ending;
mod established;
mod probes;
mod rest;
mod sampled;
mod strays;
mod unproven;

use crate::address::Address;
use crate::country::Country;
use crate::flow::asked::Asked;
use crate::flow::attempts::Attempts;
use crate::flow::cohort::{Cohort, Handshake, Stage, Tuple};
use crate::flow::entry::State;
use crate::flow::key::{FlowKey, Side};
use crate::flow::limits::micros32;
use crate::flow::pending::Pending;
use crate::flow::progress::Progress;
use crate::flow::table::{FlowId, FlowTable};
use crate::flow::tcp;
use crate::flow::{EndReason, FlowRecord, Timeouts};
use crate::hash::{Seed, mix};
use crate::origin::Origins;
use crate::packet::{Packet, TcpFlags};
use crate::policy::{Direction, Policy};
use crate::sampling::Sampling;
use crate::summary::candidates::HeavyDestinations;
use crate::summary::contacts::ContactSamplers;
use crate::summary::hosts::HostBook;
use crate::summary::places::Places;
use crate::summary::shard::Routed;
use crate::summary::sites::SiteBook;
use crate::summary::{CohortRecord, CohortStage, FlowTick, Memory, Probe, ShardSettings, Summary, sketch};
use crate::time::{Tick, Timestamp};

/// What partitions of a shard share: what they are told, and the sums they count in.
pub(crate) struct Context<'a> {
    pub(crate) seed: Seed,
    pub(crate) policy: &'a Policy,
    /// Number of the policy, so that flows know when theirs is outdated.
    pub(crate) epoch: u8,
    /// Number of the period of distinct sources under way.
    pub(crate) period: u8,
    pub(crate) origins: &'a Origins,
    pub(crate) timeouts: &'a Timeouts,
    pub(crate) hosts: &'a mut HostBook,
    pub(crate) sites: &'a mut SiteBook,
    pub(crate) counts: &'a mut FlowTick,
    /// Which part of the pairs of addresses is given.
    pub(crate) sampling: Sampling,
    /// Which part was given in the last minute, where that was less.
    pub(crate) lately: Sampling,
}

/// Flows that ended between two ticks and wait for the next: no more than this, so that nothing grows under attack. What
/// is beyond is counted as ended and has no record.
const MOST_ENDED: usize = 512;
/// Separates the sampler's choice from the flow table's use of the same hash.
const COHORT_KEY: u64 = 0x9e6c_63d0_876a_3f35;

/// Packets whose look-ups are under way at once.
const TOGETHER: usize = 32;

/// What a packet looks up in the tables of flows.
#[derive(Clone, Copy, Debug)]
struct Sought {
    key: FlowKey,
    side: Side,
    hash: u64,
    /// Where its flow probably is.
    guess: Option<FlowId>,
}

impl Sought {
    /// Names the packet's conversation, unless it is a later fragment.
    #[inline]
    fn of(packet: &Packet, pair_hash: u64) -> Option<Self> {
        let (key, side) = FlowKey::of(packet)?;
        Some(Self { key, side, hash: key.hash(pair_hash), guess: None })
    }
}

/// A packet with what was found out about it on its way.
#[derive(Clone, Copy)]
struct Segment<'a> {
    packet: &'a Packet,
    key: FlowKey,
    side: Side,
    hash: u64,
    pair_hash: u64,
    /// Keyed hash of the source unit, of packets without a flow.
    source: u64,
    /// The place of the protected host, if it has one.
    place: Option<u8>,
    /// Time since the flow began, and since the packet before, in microseconds; of packets of a flow.
    age_us: u32,
    idle_us: u32,
    /// It brings nothing beyond what its sender sent before; of data of a flow.
    repeats: bool,
}

impl<'a> Segment<'a> {
    fn new(packet: &'a Packet, pair_hash: u64, sought: &Sought) -> Self {
        let Sought { key, side, hash, .. } = *sought;
        let (age_us, idle_us, repeats) = (0, 0, false);
        Self { packet, key, side, hash, pair_hash, source: 0, place: None, age_us, idle_us, repeats }
    }
}

impl Segment<'_> {
    fn now(&self) -> Timestamp {
        self.packet.timestamp
    }

    /// Tells whether it carries data of an established connection.
    fn is_data(&self) -> bool {
        self.packet.payload_len > 0 && self.packet.flags.0 & (TcpFlags::SYN | TcpFlags::RST) == 0
    }

    /// Names the handshake it would belong to, the protected host being the server.
    fn tuple(&self, inbound: bool, place: u8) -> Tuple {
        let packet = self.packet;
        let (client, port) =
            if inbound { (packet.source, packet.destination_port) } else { (packet.destination, packet.source_port) };
        Tuple { hash: mix(self.hash, COHORT_KEY), client, port, place }
    }
}

/// The state of one partition.
#[derive(Debug)]
pub(crate) struct Partition {
    table: FlowTable,
    pending: Pending,
    cohort: Cohort,
    places: Places,
    contacts: ContactSamplers,
    attempts: Attempts,
    progress: Progress,
    heavy: HeavyDestinations,
    asked: Asked,
    /// Handshakes reported since the last tick.
    reported: Vec<CohortRecord>,
    /// First contacts of which the outcome became known since the last tick.
    probes: Vec<Probe>,
    /// Flows that ended since the last tick.
    ended: Vec<FlowRecord>,
    /// Nothing is held and no packet came since the last tick: to end another changes nothing.
    pub(super) rests: bool,
}

impl Partition {
    pub(crate) fn new(settings: &ShardSettings) -> Self {
        let key = settings.seed.0[1];
        let places = Places::new(settings.host_places, key);
        let cohort = Cohort::new(settings.cohort_capacity, places.most(), settings.pretouch);
        Self {
            table: FlowTable::new(settings.flow_capacity, settings.pretouch),
            pending: Pending::new(settings.pending_capacity, settings.pretouch),
            reported: Vec::with_capacity(cohort.capacity() / 4),
            cohort,
            places,
            contacts: ContactSamplers::new(settings.contacts_per_tick),
            attempts: Attempts::new(),
            progress: Progress::new(),
            probes: Vec::new(),
            heavy: HeavyDestinations::new(key),
            asked: Asked::new(),
            ended: Vec::with_capacity(MOST_ENDED),
            rests: false,
        }
    }

    /// Bytes reserved.
    pub(crate) fn memory(&self) -> Memory {
        Memory {
            flows: self.table.bytes(),
            pending: self.pending.bytes(),
            cohorts: self.cohort.bytes(),
            asked: self.asked.bytes(),
            attempts: self.attempts.bytes(),
            progress: self.progress.bytes(),
        }
    }

    /// Takes one packet.
    pub(crate) fn observe(&mut self, cx: &mut Context<'_>, packet: &Packet, pair_hash: u64) {
        self.take(cx, packet, pair_hash, Sought::of(packet, pair_hash));
    }

    /// Takes those of a batch of packets that have these numbers, in that order.
    pub(crate) fn observe_all(&mut self, cx: &mut Context<'_>, packets: &[Routed], numbers: &[u16]) {
        let mut sought = [None; TOGETHER];
        for numbers in numbers.chunks(TOGETHER) {
            for (sought, number) in sought.iter_mut().zip(numbers) {
                let Routed { hash, packet } = &packets[usize::from(*number)];
                *sought = Sought::of(packet, *hash);
            }
            self.look_ahead(&mut sought[..numbers.len()]);
            for (sought, number) in sought.iter().zip(numbers) {
                let Routed { hash, packet } = &packets[usize::from(*number)];
                self.take(cx, packet, *hash, *sought);
            }
        }
    }

    /// Reads what the look-ups of some packets will read, and keeps of it where their flows probably are. No read waits for
    /// another, so that they are all under way at once.
    fn look_ahead(&self, sought: &mut [Option<Sought>]) {
        let mut seen = sought.iter().flatten().fold(0, |seen, sought| seen ^ self.table.touch(short(sought.hash)));
        for sought in sought.iter_mut().flatten() {
            sought.guess = self.table.guess(short(sought.hash));
            seen ^= match sought.guess {
                Some(id) => self.table.get(id).touch(),
                None => self.pending.touch(sought.hash),
            };
        }
        std::hint::black_box(seen);
    }

    fn take(&mut self, cx: &mut Context<'_>, packet: &Packet, pair_hash: u64, sought: Option<Sought>) {
        self.rests = false;
        let Some(sought) = sought else { return self.take_fragment(cx, packet) };
        let segment = Segment::new(packet, pair_hash, &sought);
        let guessed = sought.guess.filter(|id| self.table.holds(*id, &sought.key));
        match guessed.or_else(|| self.table.find(short(sought.hash), &sought.key)) {
            Some(id) if !self.is_reborn(id, &segment) => self.in_flow(cx, id, segment),
            Some(id) => {
                self.end(cx, id, EndReason::EndOfFlow);
                self.without_flow(cx, segment);
            }
            None => self.without_flow(cx, segment),
        }
    }

    /// Ends a tick: writes what happened into `summary`, whose lists are appended to.
    pub(crate) fn close(
        &mut self,
        cx: &mut Context<'_>,
        tick: Tick,
        leapt: bool,
        summary: &mut Summary,
        on_flow: &mut dyn FnMut(FlowRecord),
    ) {
        self.asked.close(tick);
        if self.rests {
            return;
        }
        self.sweep(cx, tick, leapt);
        self.ended.drain(..).for_each(on_flow);
        self.close_cohort(cx, tick, leapt, &mut summary.cohorts);
        self.close_attempts(tick, leapt, &mut summary.probes);
        self.contacts.close(&mut summary.contacts);
        self.heavy.close(&mut summary.candidates);
        self.pending.sweep(tick.number(), micros32(tick.end()));
        cx.counts.active += self.table.live() as u64;
        cx.counts.cohort_active += self.cohort.taken() as u64;
        self.rests = self.holds_nothing();
    }

    /// Ends all flows and hands out their records.
    pub(crate) fn finish(&mut self, cx: &mut Context<'_>, now: Tick, on_flow: &mut dyn FnMut(FlowRecord)) {
        self.ended.drain(..).for_each(&mut *on_flow);
        let mut all = self.table.turn(now, true);
        while let Some(id) = self.table.next_due(&mut all, now, true) {
            let closed = self.table.get(id).has(State::CLOSED);
            self.end(cx, id, if closed { EndReason::EndOfFlow } else { EndReason::ForcedEnd });
            self.ended.drain(..).for_each(&mut *on_flow);
        }
    }

    /// Forgets everything that keeps time: the capture clock was set back.
    pub(crate) fn restart(&mut self, cx: &mut Context<'_>, now: Tick, on_flow: &mut dyn FnMut(FlowRecord)) {
        self.finish(cx, now, on_flow);
        self.pending.clear();
        self.cohort.clear();
        self.attempts.clear();
        self.places.forget_followed();
    }

    fn is_reborn(&self, id: FlowId, segment: &Segment<'_>) -> bool {
        segment.packet.flags.has(TcpFlags::SYN)
            && segment.packet.is_tcp()
            && tcp::is_reborn(self.table.get(id), segment.packet, segment.side)
    }

    /// Counts a later fragment: without ports it belongs to no flow that could be named.
    fn take_fragment(&mut self, cx: &mut Context<'_>, packet: &Packet) {
        let direction = cx.policy.direction(packet.source, packet.destination);
        let place = self.count(cx, packet, direction, None, 0);
        self.count_always(cx, packet, direction, place);
        count_source(cx, direction, source_of(cx, packet));
        cx.counts.unanswered += 1;
    }

    fn count(
        &mut self,
        cx: &mut Context<'_>,
        packet: &Packet,
        direction: Direction,
        country: Option<Country>,
        hint: u8,
    ) -> Option<u8> {
        if cx.policy.is_learning() && matches!(direction, Direction::Outbound(_) | Direction::Transit) {
            self.heavy.count(packet.destination, packet.wire_len);
        }
        match direction {
            Direction::Inbound(site) => {
                cx.sites.count_inbound(site, country, packet.wire_len);
                let at = self.place(cx, packet.destination, false, hint)?;
                let place = self.places.get_mut(at);
                cx.hosts.count(place.host()).count_inbound(packet);
                if packet.flags.is_syn() && packet.is_tcp() {
                    place.count_syn(packet.destination_port);
                }
                Some(at)
            }
            Direction::Outbound(site) => {
                cx.sites.count_outbound(site, packet.wire_len);
                let at = self.place(cx, packet.source, true, hint)?;
                cx.hosts.count(self.places.get(at).host()).count_outbound(packet);
                Some(at)
            }
            Direction::Internal => {
                if let Some(site) = cx.policy.site_of(packet.destination) {
                    cx.sites.count_internal(site, packet.wire_len);
                }
                None
            }
            Direction::Transit => None,
        }
    }

    fn place(&mut self, cx: &mut Context<'_>, address: Address, sends: bool, hint: u8) -> Option<u8> {
        let place = self.places.place(address, sends, hint, cx.hosts);
        cx.counts.hosts_refused += u64::from(place.is_none());
        place
    }
}

/// Makes the record of a handshake; one that closes frees its share of the host's places.
fn report(places: &mut Places, handshake: &Handshake, stage: Stage, now: Timestamp) -> CohortRecord {
    let place = places.get_mut(handshake.place());
    let stage = match stage {
        Stage::Look => CohortStage::Look,
        Stage::Close => {
            place.followed = place.followed.saturating_sub(1);
            CohortStage::Close
        }
    };
    CohortRecord {
        target: place.address(),
        source: handshake.source(),
        first_syn: handshake.first_syn(now),
        port: handshake.port(),
        weight: handshake.weight(),
        ttl: handshake.ttl(),
        window: handshake.window(),
        stage,
        outcome: handshake.outcome(),
    }
}

fn source_of(cx: &Context<'_>, packet: &Packet) -> u64 {
    sketch::source_hash(cx.seed, packet.source.source_unit())
}

fn count_source(cx: &mut Context<'_>, direction: Direction, source: u64) {
    if let Direction::Inbound(site) = direction {
        cx.sites.count_source(site, source);
    }
}

const fn short(hash: u64) -> u32 {
    (hash & 0xffff_ffff) as u32
}
