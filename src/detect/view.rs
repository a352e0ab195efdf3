//! What every detector may look at when it judges a subject.

use std::sync::Arc;

use crate::address::Prefix;
use crate::country::Country;
use crate::detect::budget::Lines;
use crate::detect::finding::{Caveat, Figure, FigureName, Finding, OriginShare, Target};
use crate::kind::{AlertKind, Severity, Verdict};
use crate::packet::Protocol;
use crate::policy::Policy;
use crate::sampling::Sampling;
use crate::time::Tick;
use crate::window::level::Phase;
use crate::window::subject::{Sidedness, Subject};

/// The moment, the lines in force, and the state of the capture.
#[derive(Clone, Debug)]
pub struct View {
    /// The tick.
    pub tick: Tick,
    /// The lines in force.
    pub lines: Lines,
    /// What is protected.
    pub policy: Arc<Policy>,
    /// Share of frames lost in the last ten seconds.
    pub loss_share: f64,
    /// The smallest part of the pairs of addresses that was counted in the last ten seconds.
    pub sampling: Sampling,
    /// Share of data segments that had been seen before.
    pub duplicate_share: f64,
    /// Largest sampling shift: handshakes stand for up to 2^shift.
    pub sampler_shift: u32,
    /// Entries of the servers' SYN queue.
    pub backlog: f64,
    /// Served connections a second the subject's site has borne in good health, or is configured to.
    pub capacity: Option<f64>,
    /// Whether that is the most it can bear, and not only what was asked of it so far.
    pub limit_known: bool,
    /// Usual part of first attempts that is served, 1 while unknown.
    pub served_part: f64,
    /// Whether some host of the subject's site is under attack.
    pub site_attacked: bool,
    /// Whether a surge from abroad fired on some host of the site, or on the site as a whole, in the last minute.
    pub site_foreign: bool,
    /// Whether both directions of the subject's site are captured.
    pub site_two_sided: bool,
    /// Of a site: verified connections a second by which the one host that leads it exceeds what is usual of that.
    pub of_one_host: f64,
    /// Whether home countries are known.
    pub home_known: bool,
    /// Whether connections under way can be told from segments of none: not in the first minute after a start or a gap, nor
    /// for a minute after the flow table had to let connections go.
    pub connections_known: bool,
    /// Whether served networks have been learned for so long that a new one says something.
    pub networks_are_known: bool,
}

impl View {
    /// Begins a finding on a subject, with its caveats.
    #[must_use]
    pub fn finding(&self, kind: AlertKind, subject: &Subject, score: f64, alert_at: f64) -> Finding {
        let mut finding = self.about(kind, subject.prefix, score, alert_at);
        finding.target.site = Some(self.policy.name(subject.site));
        finding.caveats = self.caveats(subject);
        finding
    }

    /// Begins a finding on a prefix that is no subject of its own, such as the aim of a scan.
    #[must_use]
    pub fn about(&self, kind: AlertKind, prefix: Prefix, score: f64, alert_at: f64) -> Finding {
        Finding {
            kind,
            target: Target {
                prefix: Some(prefix),
                site: self.policy.site_of(prefix.network()).map(|site| self.policy.name(site)),
                port: None,
                protocol: None,
                members: Vec::new(),
            },
            score: score.clamp(0.0, 300.0),
            alert_at,
            gates_hold: false,
            severity: Severity::Info,
            verdict: None,
            confidence: 0.5,
            onset: self.tick.start(),
            figures: Vec::new(),
            spoofed: false,
            origins: Vec::new(),
            sources: Vec::new(),
            caveats: self.incomplete().chain(self.doubled()).collect(),
            settings: Vec::new(),
        }
    }

    /// Tells whether what the subject sends would be seen: it is, or what its site sends is. An address that nobody uses is
    /// silent, and not unheard.
    #[must_use]
    pub fn hears(&self, subject: &Subject) -> bool {
        match subject.sidedness() {
            Sidedness::TwoSided => true,
            Sidedness::Unknown => self.site_two_sided,
            Sidedness::OneSided => false,
        }
    }

    fn caveats(&self, subject: &Subject) -> Vec<Caveat> {
        let mut caveats = Vec::new();
        if subject.sidedness() == Sidedness::OneSided {
            caveats.push(Caveat::OneSided);
        }
        caveats.extend(self.incomplete());
        match subject.syns.phase() {
            Phase::Unarmed | Phase::Cold => caveats.push(Caveat::ColdStart),
            Phase::Level => caveats.push(Caveat::NoProfile),
            Phase::Young => caveats.push(Caveat::YoungProfile),
            Phase::Own => {}
        }
        if subject.syns.level().terms().times > 1.0 {
            caveats.push(Caveat::DeclaredEvent);
        }
        caveats.extend(self.doubled());
        if self.sampler_shift > 0 {
            caveats.push(Caveat::Sampled);
        }
        caveats
    }

    /// What qualifies a finding whoever it is about: not all was counted.
    fn incomplete(&self) -> impl Iterator<Item = Caveat> + use<> {
        let lost = (self.loss_share > 0.01).then_some(Caveat::CaptureLoss);
        let shed = (!self.sampling.is_whole()).then_some(Caveat::Shed);
        lost.into_iter().chain(shed)
    }

    /// Some was seen twice.
    fn doubled(&self) -> Option<Caveat> {
        (self.duplicate_share > 0.05).then_some(Caveat::Duplicates)
    }

    /// Names, among a finding's settings, how many pairs of addresses each counted one stood for, where not each was.
    #[must_use]
    pub fn one_in(&self) -> Option<(&'static str, f64)> {
        (!self.sampling.is_whole()).then(|| ("sampled_one_in", f64::from(self.sampling.one_in())))
    }

    /// Tells whether an excess of connections over what is `usual`, a second, hurts. What is below the floor of rates (DETECTION
    /// 1.2) brings no server down, however small the site; what `did` hurt does so down to half of that.
    #[must_use]
    pub fn hurts(&self, excess: f64, usual: f64, did: bool) -> bool {
        const FLOOR: f64 = 20.0;
        excess >= if did { FLOOR / 2.0 } else { FLOOR } && self.impact(excess, usual) >= 0.2
    }

    /// Returns how much an excess hurts, 0 to 1: 1 - exp(-excess / max(usual, a tenth of capacity)) (DETECTION 1.7).
    #[must_use]
    pub fn impact(&self, excess: f64, usual: f64) -> f64 {
        1.0 - (-excess / usual.max(self.capacity.unwrap_or(0.0) / 10.0).max(1.0)).exp()
    }
}

/// Sets a finding's target to TCP and a port.
pub fn on_tcp(finding: &mut Finding, port: Option<u16>) {
    finding.target.protocol = Some(Protocol::TCP);
    finding.target.port = port;
}

/// Returns where the verified connections of the last ten seconds come from, the largest first, at most ten countries.
#[must_use]
pub fn origins(subject: &Subject) -> Vec<OriginShare> {
    shares(&subject.foreign.origins())
}

/// Returns where what is unusual of the verified connections of the last ten seconds comes from, at home, abroad or both;
/// at most ten countries.
#[must_use]
pub fn origins_of_excess(subject: &Subject, home: bool, abroad: bool) -> Vec<OriginShare> {
    shares(&subject.foreign.excess_by_country(home, abroad))
}

fn shares(counts: &[(Country, f64)]) -> Vec<OriginShare> {
    let all: f64 = counts.iter().map(|(_, count)| count).sum();
    let share = |(country, count): &(Country, f64)| OriginShare {
        country: *country,
        asn: None,
        share: count / all.max(1.0),
        packets: crate::window::whole(*count),
    };
    counts.iter().take(10).map(share).collect()
}

/// Part of the alert line from which evidence is a finding, shown as a score long before it alarms. A subject of which no
/// test has as much needs no closer look.
pub(super) const SAID_FROM: f64 = 0.25;

/// Writes a figure with what is usual at most.
#[must_use]
pub const fn figure(name: FigureName, observed: f64, expected: Option<f64>) -> Figure {
    Figure { name, observed, expected, interval: None }
}

/// Writes a figure with its 95 % interval.
#[must_use]
pub const fn estimate(name: FigureName, observed: f64, expected: Option<f64>, low: f64, high: f64) -> Figure {
    Figure { name, observed, expected, interval: Some((low, high)) }
}

/// What the detectors that run first found of a subject, for those that run after.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Situation {
    /// Share of first SYNs held to be forged, and its 95 % interval; zero unless a flood is held to be on.
    pub attack_share: f64,
    /// See `attack_share`.
    pub attack_low: f64,
    /// See `attack_share`.
    pub attack_high: f64,
    /// A SYN flood fires.
    pub flood: bool,
    /// It was judged by what clients left unfinished, so that its handshakes can be counted.
    pub flood_by_clients: bool,
    /// More handshakes are half-open than the server has places for.
    pub syn_queue_full: bool,
    /// The service does not take finished handshakes in time.
    pub accept_queue_full: bool,
    /// First SYNs a second over the last seconds.
    pub first_syns: f64,
    /// First SYNs a second less the forged ones.
    pub demand: f64,
    /// The server does not keep up (SYN-6).
    pub unhealthy: bool,
    /// It serves hardly anyone, without more demand than usual.
    pub dead: bool,
    /// More was asked for than usual when the server began not to keep up, or for long enough since (`overload.rs`).
    pub grew: bool,
    /// Ticks in a row for which more was asked for than usual, since the service has been failing.
    pub grown_for: u32,
    /// When it last failed.
    pub failed_at: Option<Tick>,
    /// A robotic or foreign attack on verified connections fires.
    pub robotic: bool,
    /// A surge from abroad fires, whatever it is held to be.
    pub foreign: bool,
    /// Verified connections a second held to be robots, beside those from abroad.
    pub robotic_excess: f64,
    /// Verified connections a second from abroad that home growth does not explain and that do not behave like people.
    pub foreign_excess: f64,
    /// Connections of this tick that belong to either, beyond what is expected of one.
    pub robots_now: f64,
    /// A `connection_exhaustion` fires.
    pub exhausted: bool,
    /// Verified connections a second beyond the usual share that carried nothing, while that fires.
    pub empty_excess: f64,
    /// Open connections beyond the usual number that are held without a request or unread, while that fires.
    pub held: f64,
    /// First attempts that were made for each verified connection, as a multiple of the usual number: 1 while the server
    /// keeps up. Whom it turns away shows no behaviour, and it turns robots and people away alike.
    pub attempts_each: f64,
    /// An attack goes on being held while its victim answers nobody.
    pub blacked_out: bool,
    /// A flood of other packets than SYNs fires.
    pub volumetric: bool,
    /// Demand is at least twice what is usual at most.
    pub rush: bool,
    /// In the last tick real demand was more than is borne.
    pub was_beyond: bool,
    /// The service was overloaded before any attack was on.
    pub overloaded_first: bool,
}

impl Situation {
    /// Tells whether any attack fires.
    #[must_use]
    pub const fn is_attacked(&self) -> bool {
        self.flood || self.volumetric || self.robotic || self.exhausted || self.blacked_out
    }

    /// Goes on holding a share of first attempts to be attack.
    pub fn hold(&mut self, share: f64) {
        self.blacked_out = true;
        self.attack_share = share;
        self.demand = self.first_syns * (1.0 - share);
    }

    /// Returns the verified connections a second that are held to be no people's.
    #[must_use]
    pub fn verified_robots(&self) -> f64 {
        self.foreign_excess + self.robotic_excess + self.empty_excess
    }

    /// Returns the first attempts a second that are held to be no people's, though not forged.
    #[must_use]
    pub fn robots(&self) -> f64 {
        self.verified_robots() * self.attempts_each.max(1.0)
    }

    /// Tells whether real demand is more than is borne: 1.15 times as much, or as much once it was more, so that a demand
    /// near the border does not change the verdict with every tick. More than was ever asked of a service is beyond it only
    /// if it was failing before.
    #[must_use]
    pub fn is_beyond_capacity(&self, view: &View) -> bool {
        let people = (self.demand - self.robots()).max(0.0);
        let times = if self.was_beyond { 1.0 } else { 1.15 };
        let is_limit = view.limit_known || self.overloaded_first;
        view.capacity.map_or(self.rush, |capacity| is_limit && people * view.served_part > times * capacity)
    }

    /// Returns the verdict on an attack found here: mixed when real demand would not have been borne either
    /// (DETECTION 4.4: L > 1.15 C; a rush, while no capacity was shown), attack otherwise.
    #[must_use]
    pub fn attack_verdict(&self, view: &View) -> Verdict {
        if self.unhealthy && self.is_beyond_capacity(view) { Verdict::Mixed } else { Verdict::Attack }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::engine::Settings;

    fn view(capacity: f64) -> View {
        View {
            tick: Tick::new(4_000),
            lines: Lines::new(&Settings::default()),
            policy: Arc::default(),
            loss_share: 0.0,
            sampling: Sampling::WHOLE,
            duplicate_share: 0.0,
            sampler_shift: 0,
            backlog: 1_024.0,
            capacity: Some(capacity),
            limit_known: true,
            served_part: 1.0,
            site_attacked: false,
            site_foreign: false,
            site_two_sided: false,
            of_one_host: 0.0,
            home_known: true,
            connections_known: true,
            networks_are_known: false,
        }
    }

    #[test]
    fn little_hurts_no_site_however_small_and_what_hurt_does_so_for_longer() {
        let view = View { capacity: None, ..view(0.0) };
        assert!(!view.hurts(19.0, 1.0, false) && view.hurts(21.0, 1.0, false));
        assert!(view.hurts(11.0, 1.0, true) && !view.hurts(9.0, 1.0, true));
        assert!(!view.hurts(100.0, 1_000.0, false), "a tenth of the usual");
    }

    #[test]
    fn robots_are_no_demand() {
        let situation = Situation { demand: 200.0, unhealthy: true, ..Situation::default() };
        assert_eq!(situation.attack_verdict(&view(100.0)), Verdict::Mixed);
        let robots = Situation { empty_excess: 120.0, ..situation };
        assert_eq!(robots.attack_verdict(&view(100.0)), Verdict::Attack);
    }

    #[test]
    fn demand_once_beyond_capacity_stays_so_until_it_falls_below() {
        let at = |demand, was_beyond| {
            Situation { demand, was_beyond, ..Situation::default() }.is_beyond_capacity(&view(100.0))
        };
        assert!(!at(110.0, false) && at(116.0, false));
        assert!(at(110.0, true) && !at(99.0, true));
    }

    #[test]
    fn more_than_was_ever_asked_for_is_too_much_only_for_a_service_that_failed_before() {
        let view = View { limit_known: false, ..view(100.0) };
        let demand = Situation { demand: 200.0, ..Situation::default() };
        assert!(!demand.is_beyond_capacity(&view));
        assert!(Situation { overloaded_first: true, ..demand }.is_beyond_capacity(&view));
    }
}
