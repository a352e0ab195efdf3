//! Everything remembered of one subject: a protected host, or a protected prefix as the sum of its hosts.

mod memory;

pub use memory::SubjectMemory;

use crate::address::Prefix;
use crate::country::Country;
use crate::policy::SiteId;
use crate::summary::{CohortTick, Distinct, HostTick};
use crate::time::{TICKS_PER_SECOND, Tick};
use crate::window::clients::Clients;
use crate::window::cohorts::Cohorts;
use crate::window::connections::Connections;
use crate::window::cusum::{Bank, STEP_CAP, STEP_CAP_CORROBORATED};
use crate::window::first_byte::FirstByte;
use crate::window::foreign::Foreign;
use crate::window::freeze::{Freeze, Lesson};
use crate::window::history::History;
use crate::window::level::Phase;
use crate::window::ports::Ports;
use crate::window::rate::Rate;
use crate::window::records::Records;
use crate::window::ring::Ring;
use crate::window::rise::Rise;
use crate::window::series::{RateSeries, ShareSeries, WINDOW};
use crate::window::spread::Spread;
use crate::window::stratum::Stratum;
use crate::window::strays::Strays;
use crate::window::systems::Systems;

/// Smallest excess of connections that matters, a second (DETECTION 1.2).
pub const RATE_FLOOR: f64 = 20.0;

/// The same of verified connections: they are proven, and more of them is never more than `info` (DETECTION 1.2, the floor
/// of countries).
pub const VERIFIED_FLOOR: f64 = 5.0;

/// Smallest usual-at-most share of unfinished, unanswered or turned-away handshakes (DETECTION 2.5).
pub const SHARE_FLOOR: f64 = 0.05;

/// Share of first attempts that fall silent for impatience alone, at most.
const IMPATIENCE: f64 = 0.7;

/// The same of handshakes that the client resets: half of them can be the slower of a client's two attempts, over IPv4 and
/// IPv6 (RFC 8305), which it gives up.
pub const ABANDONED_FLOOR: f64 = 0.5;

/// Which directions of a subject's conversations are captured (DETECTION 0.2, "Sidedness").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sidedness {
    /// Too little seen to tell.
    Unknown,
    /// Both.
    TwoSided,
    /// Inbound only.
    OneSided,
}

/// The windows of one subject.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The host, or the protected prefix.
    pub prefix: Prefix,
    /// The site it belongs to.
    pub site: SiteId,
    /// Whether it is the sum of several hosts.
    pub is_aggregate: bool,
    /// First SYNs a second.
    pub syns: RateSeries,
    /// Verified connections a second.
    pub verified: RateSeries,
    /// Connections served a second.
    pub served: Rate,
    /// Inbound packets a second.
    pub packets: Rate,
    /// Share of answered handshakes the client did not finish by the deadline (SYN-2).
    pub unfinished: ShareSeries,
    /// Share of first SYNs the server left unanswered (SYN-6).
    pub unanswered: ShareSeries,
    /// Share of finished handshakes that the server turned away (SYN-6).
    pub turned_away: ShareSeries,
    /// Share of new sources' handshakes that fell silent (SYN-3, one-sided).
    pub silent: ShareSeries,
    /// Handshake outcomes by cohort.
    pub cohorts: Cohorts,
    /// Facts about single handshakes.
    pub records: Records,
    /// Whether unfinished handshakes look forged.
    pub spread: Spread,
    /// Share of answered handshakes that the client reset before finishing.
    pub abandoned: ShareSeries,
    /// Share of first SYNs that the server refused with a reset, at ports at which nobody is served.
    pub refused: ShareSeries,
    /// By country.
    pub foreign: Foreign,
    /// Open connections: waiting, blocked, empty.
    pub connections: Connections,
    /// QUIC conversations that began, and whose client proved its address.
    pub quic_opened: Ring<WINDOW>,
    /// See `quic_opened`.
    pub quic_finished: Ring<WINDOW>,
    /// Clients whose connections lead to nothing.
    pub clients: Clients,
    /// Packets without a conversation.
    pub strays: Strays,
    /// Clients from abroad; all of them while home is unknown.
    pub abroad: Stratum,
    /// Clients from home, and those of no known country.
    pub domestic: Stratum,
    /// Evidence that verified connections are above their narrow envelope: a crowd.
    pub crowd: Bank,
    /// How verified connections rose.
    pub rise: Rise,
    /// Waits for the first byte.
    pub first_byte: FirstByte,
    /// Waits for later answers.
    pub answers: FirstByte,
    /// Clients that ended the connection instead of waiting for an answer, in the last ten seconds.
    pub given_up: Ring<WINDOW>,
    /// By autonomous system, where a table of them is loaded.
    pub systems: Systems,
    /// Unfinished handshakes by second, a little over a minute: what is half-open on the server.
    pub half_open: Ring<63>,
    /// The last five quiet minutes.
    pub history: History,
    /// The largest alarm ratio since the last sample: what freezes learning.
    pub alarm_ratio: f64,
    /// First and last tick with traffic.
    pub first_seen: Tick,
    /// See `first_seen`.
    pub last_seen: Tick,
    now: Tick,
    conversations: u64,
    client_data: u64,
    unfinished_this_second: f64,
    freeze: Freeze,
    /// Inbound SYNs by their port over the last seconds.
    ports: Ports,
}

impl Subject {
    /// Builds an empty subject.
    #[must_use]
    pub fn new(prefix: Prefix, site: SiteId, is_aggregate: bool, tick: Tick) -> Self {
        Self {
            prefix,
            site,
            is_aggregate,
            syns: RateSeries::default(),
            verified: RateSeries::default(),
            served: Rate::default(),
            packets: Rate::default(),
            unfinished: ShareSeries::default(),
            unanswered: ShareSeries::default(),
            turned_away: ShareSeries::default(),
            silent: ShareSeries::default(),
            cohorts: Cohorts::default(),
            records: Records::default(),
            spread: Spread::default(),
            abandoned: ShareSeries::default(),
            refused: ShareSeries::default(),
            foreign: Foreign::default(),
            connections: Connections::default(),
            quic_opened: Ring::default(),
            quic_finished: Ring::default(),
            clients: Clients::default(),
            strays: Strays::default(),
            abroad: Stratum::default(),
            domestic: Stratum::default(),
            crowd: Bank::default(),
            rise: Rise::default(),
            first_byte: FirstByte::default(),
            answers: FirstByte::default(),
            given_up: Ring::default(),
            systems: Systems::default(),
            half_open: Ring::default(),
            history: History::default(),
            alarm_ratio: 0.0,
            first_seen: tick,
            last_seen: tick,
            now: tick,
            conversations: 0,
            client_data: 0,
            unfinished_this_second: 0.0,
            freeze: Freeze::default(),
            ports: Ports::default(),
        }
    }

    /// Takes the stray packets of one tick, and the hosts they went to if there are several.
    pub fn observe_strays(&mut self, tick: Tick, host: &HostTick, targets: &Distinct) {
        self.strays.observe(tick, host, targets);
    }

    /// Takes one tick. `refused` tells that the sampler was full, so that its count of first SYNs is too low.
    pub fn observe(&mut self, tick: Tick, host: &HostTick, refused: bool, is_home: impl Fn(Country) -> bool) {
        if host.inbound.packets > 0 {
            self.last_seen = tick;
        }
        self.now = tick;
        self.cohorts.push(&host.cohort);
        self.records.roll();
        self.spread.roll(tick);
        let raw = host.sampling.part();
        let first_syns = self.first_syns(&host.cohort, host.syn, refused);
        self.syns.observe(tick, first_syns, raw, RATE_FLOOR, STEP_CAP);
        let cap = self.step_cap();
        self.verified.observe(tick, u64::from(host.verified), raw, VERIFIED_FLOOR, cap);
        self.rise.observe(tick, u64::from(host.verified));
        if let Some(envelope) = self.verified.narrow_envelope(VERIFIED_FLOOR) {
            let envelope = envelope / TICKS_PER_SECOND as f64;
            self.crowd.observe_count(tick, f64::from(host.verified) * raw, envelope * raw, cap);
        }
        self.served.count(u64::from(host.served));
        self.packets.count(host.inbound.packets);
        self.observe_shares(tick, raw, cap);
        self.foreign.observe(tick, &host.verified_from, raw, is_home, STEP_CAP);
        let (rate, armed) = (self.verified.recent_per_second(8), self.syns.phase() > Phase::Unarmed);
        self.connections.observe(tick, host, rate, armed, STEP_CAP);
        self.clients.roll(tick, self.connections.are_unusual());
        let (abroad, home) = (self.abroad.sources.arrivals(), self.domestic.sources.arrivals());
        self.foreign.observe_arrivals(tick, abroad, home, STEP_CAP);
        self.quic_opened.push(u64::from(host.quic.opened));
        self.quic_finished.push(u64::from(host.quic.finished));
        self.conversations = self.conversations.saturating_add(u64::from(host.two_sided));
        self.client_data = self.client_data.saturating_add(u64::from(host.client_data));
        self.first_byte.observe(tick, &host.first_byte, 0, raw, cap);
        self.answers.observe(tick, &host.answers, host.answers_resumed, raw, cap);
        self.given_up.push(u64::from(host.given_up));
        host.syn_ports.iter().filter(|(port, _)| *port != 0).for_each(|(port, n)| self.ports.add(*port, u64::from(*n)));
        self.ports.fade();
    }

    fn observe_shares(&mut self, tick: Tick, raw: f64, cap: f64) {
        let client = self.cohorts.client_side(self.cohorts.deadline(), 1);
        let usual = self.unfinished.level().envelope(SHARE_FLOOR);
        self.unfinished.observe(tick, client.unfinished(), client.answered, client.raw, Some(usual), cap);
        self.unfinished_this_second += client.unfinished();
        if tick.closes_period(TICKS_PER_SECOND) {
            self.half_open.push(crate::window::whole(self.unfinished_this_second));
            self.unfinished_this_second = 0.0;
        }
        let (abandoned, all) = self.cohorts.abandoned(self.cohorts.deadline(), 1);
        let usual = self.abandoned.level().envelope(ABANDONED_FLOOR);
        self.abandoned.observe(tick, abandoned, all, client.raw, Some(usual), cap);
        let (refused, opened, part) = self.records.refused_at_closed(1);
        let usual = self.refused.level().envelope(SHARE_FLOOR);
        self.refused.observe(tick, refused, opened, part, Some(usual), cap);
        let server = self.cohorts.server_side(1);
        let usual = self.unanswered.level().envelope(SHARE_FLOOR);
        self.unanswered.observe(tick, server.opened - server.answered, server.opened, server.raw, Some(usual), cap);
        let (away, finished) = self.cohorts.turned_away(1);
        let usual = self.turned_away.level().envelope(SHARE_FLOOR);
        self.turned_away.observe(tick, away.min(finished), finished, server.raw, Some(usual), cap);
        let (silent, closed) = self.records.silent_new_now();
        self.silent.observe(tick, silent, closed, raw, Some(self.silent_envelope()), cap);
    }

    /// Returns how many of the last ten seconds' answered handshakes clients reset, beyond what is usual.
    #[must_use]
    pub fn reset_beyond_usual(&self) -> f64 {
        let (reset, all) = self.cohorts.abandoned(self.cohorts.deadline(), 40);
        (reset - self.abandoned.level().usual().unwrap_or(0.0) * all).max(0.0)
    }

    /// What share of new sources may fall silent before forging is the better explanation: twice that of known sources
    /// under the same load (DETECTION 2.3, margin version), and a tenth. Without enough known sources seven tenths: with
    /// nearly all SYNs dropped and six of ten people giving up at the first (the ends of the ranges of DETECTION 8.1)
    /// impatience alone comes to six.
    #[must_use]
    pub fn silent_envelope(&self) -> f64 {
        let (known, n) = self.records.silent_known();
        if n >= 100.0 { (2.0 * known + 0.1).clamp(0.15, 0.9) } else { IMPATIENCE }
    }

    /// Largest evidence a tick may give: more once the rate of SYNs corroborates it.
    fn step_cap(&self) -> f64 {
        if self.syns.decades() >= 9.0 { STEP_CAP_CORROBORATED } else { STEP_CAP }
    }

    /// First SYNs of the tick: the sampler's estimate, or, when it was full, nine tenths of all SYNs: it fills in floods, of
    /// which hardly any is a repetition.
    fn first_syns(&self, cohort: &CohortTick, syn: u32, refused: bool) -> u64 {
        let opened = u64::from(cohort.opened);
        if refused { opened.max(u64::from(syn) * 9 / 10) } else { opened }
    }

    /// Returns the port nine tenths of the SYNs of the last seconds went to.
    #[must_use]
    pub fn leading_port(&self) -> Option<u16> {
        self.ports.leading()
    }

    /// Learns from the last ten seconds. Weight: 1 up to a quarter of the 0-to-1 score, which is half the alarm ratio,
    /// then linearly to 0 at the line; in the first hour 0 from half the line on (DETECTION 1.2 and 0.2).
    ///
    /// `is_healthy` tells that nothing but volume is unusual: then a day of freeze thaws. Returns whether a step
    /// towards a new regime has just been accepted.
    pub fn learn(&mut self, is_healthy: bool) -> bool {
        let ratio = std::mem::take(&mut self.alarm_ratio);
        let cold = self.syns.phase() < Phase::Level;
        let weight = if ratio < 0.5 {
            1.0
        } else if cold {
            0.0
        } else {
            (2.0 - 2.0 * ratio).max(0.0)
        };
        let lesson = self.freeze.observe(weight, is_healthy);
        for series in self.profiled_mut() {
            series.take(lesson);
        }
        for series in self.shares() {
            series.learn(weight);
        }
        self.foreign.learn(weight);
        self.connections.learn(weight);
        self.strays.learn(weight);
        // What is usual must not become the outage or the flood that is compared with it.
        if weight > 0.0 {
            self.history.push(self.served.per_second(), self.syns.per_second());
        }
        self.first_byte.learn(weight);
        self.answers.learn(weight);
        matches!(lesson, Lesson::Accept(_))
    }

    const fn shares(&mut self) -> [&mut ShareSeries; 6] {
        [
            &mut self.unfinished,
            &mut self.unanswered,
            &mut self.turned_away,
            &mut self.silent,
            &mut self.abandoned,
            &mut self.refused,
        ]
    }

    /// Tells whether nothing alarms, so that mixtures may be learned.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.alarm_ratio < 0.5
    }

    /// Returns the last tick taken.
    #[must_use]
    pub const fn last_tick(&self) -> Tick {
        self.now
    }

    /// Returns which directions are captured.
    #[must_use]
    pub const fn sidedness(&self) -> Sidedness {
        if self.conversations >= 50 {
            Sidedness::TwoSided
        } else if self.client_data >= 200 && self.conversations * 100 < self.client_data {
            Sidedness::OneSided
        } else {
            Sidedness::Unknown
        }
    }

    /// Returns the handshakes estimated to be half-open on the server: those unfinished in the last 63 s, for which a
    /// Linux server keeps an unanswered SYN-ACK with default settings (five repetitions, doubling from 1 s).
    #[must_use]
    pub fn half_open_count(&self) -> f64 {
        self.half_open.sum() as f64
    }

    /// Takes that from now on another part of the pairs of addresses is counted, which makes what is known of open
    /// connections stand for `fewer` of them, 0 to 1. Handshakes under way were forgotten: they are not held against what
    /// comes.
    pub fn resample(&mut self, fewer: f64) {
        self.cohorts.clear();
        self.records.clear();
        self.connections.scale(fewer);
    }

    /// Restarts windows and tests after a gap; levels stay.
    pub fn restart(&mut self, tick: Tick) {
        self.syns.restart(tick);
        self.verified.restart(tick);
        self.served.restart();
        self.packets.restart();
        for series in self.shares() {
            series.restart(tick);
        }
        self.cohorts.clear();
        self.records.clear();
        self.spread.restart();
        self.foreign.restart(tick);
        self.connections.restart(tick);
        self.strays.restart(tick);
        self.abroad.restart();
        self.domestic.restart();
        self.first_byte.restart(tick);
        self.answers.restart(tick);
        self.given_up.clear();
        self.rise.clear();
        self.crowd.clear(tick);
        self.systems.restart();
        self.half_open.clear();
        self.history.clear();
    }
}
