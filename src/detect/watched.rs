//! Hosts and sites with everything remembered of them, and the order in which the detectors look at one.

use std::collections::BTreeMap;

use crate::address::Prefix;
use crate::detect::blackout::Blackout;
use crate::detect::calibration::{Evidence, class};
use crate::detect::finding::Finding;
use crate::detect::strata::Strata;
use crate::detect::tally::{Part, Tally};
use crate::detect::view::{Situation, View};
use crate::detect::{
    carpet_bombing, exhaustion, flood, foreign_surge, outage, overload, robotic_surge, rush, syn_flood,
};
use crate::kind::{AlertKind, Severity, Verdict};
use crate::policy::SiteId;
use crate::time::Tick;
use crate::window::dark::Dark;
use crate::window::subject::Subject;

/// Ticks of a sample: ten seconds (DETECTION 1.2).
const SAMPLE_TICKS: u64 = 40;

/// A subject and what its detectors remember.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) subject: Subject,
    pub(super) strata: Strata,
    pub(super) foreign: foreign_surge::Memory,
    pub(super) exhaustion: exhaustion::Memory,
    pub(super) robotic: robotic_surge::Memory,
    pub(super) situation: Situation,
    /// The same of this subject alone.
    pub(super) capacity: f64,
    pub(super) tally: Tally,
    pub(super) blackout: Blackout,
    /// What of this tick's first attempts was attack.
    pub(super) part: Part,
    /// Connections of robots that count from this tick on.
    pub(super) robots: f64,
    /// An attack of any kind is held to be on.
    pub(super) attacked: bool,
    /// A flood of datagrams fires: unanswered QUIC Initials are its doing.
    pub(super) datagram_flood: bool,
    /// The last tick at which an attack on it fired.
    pub(super) attacked_at: Option<Tick>,
    /// Largest evidence since the last ten-second sample, by class.
    pub(super) evidence: Evidence,
    /// The tick of ten seconds at which it learns. Its own for good: one that followed from its place among the others
    /// would pass samples over whenever a scan wakes a neighbour.
    turn: u128,
}

impl Watched {
    pub(super) fn new(prefix: Prefix, site: SiteId, is_aggregate: bool, tick: Tick) -> Self {
        Self {
            subject: Subject::new(prefix, site, is_aggregate, tick),
            strata: Strata::default(),
            foreign: foreign_surge::Memory::default(),
            exhaustion: exhaustion::Memory::default(),
            robotic: robotic_surge::Memory::default(),
            situation: Situation::default(),
            capacity: 0.0,
            tally: Tally::default(),
            blackout: Blackout::default(),
            part: Part::default(),
            robots: 0.0,
            attacked: false,
            datagram_flood: false,
            attacked_at: None,
            evidence: Evidence::default(),
            turn: prefix.network().as_u128() % u128::from(SAMPLE_TICKS),
        }
    }

    /// Tells whether this is the tick of ten seconds at which it learns.
    pub(super) fn is_due(&self, tick: Tick) -> bool {
        u128::from(tick.number() % SAMPLE_TICKS) == self.turn
    }

    /// Notes that an attack on it fires.
    pub(super) fn attack(&mut self, tick: Tick) {
        self.attacked = true;
        self.attacked_at = Some(tick);
    }

    /// Forgets what was held of its clients' origin and behaviour, as after a gap.
    pub(super) fn forget_behaviour(&mut self) {
        self.strata = Strata::default();
        self.foreign = foreign_surge::Memory::default();
        self.robotic = robotic_surge::Memory::default();
    }
}

/// A site as a whole.
#[derive(Debug)]
pub(super) struct WatchedSite {
    pub(super) watched: Watched,
    /// Packets to each of its prefixes, fading: the busiest one stands for the site in alerts.
    packets: Vec<(Prefix, f64)>,
    pub(super) speaks: Speaks,
    pub(super) carpets: carpet_bombing::Memory,
    pub(super) dark: Dark,
}

/// When a site may speak: only of what none of its hosts shows by itself.
#[derive(Debug, Default)]
pub(super) struct Speaks {
    /// By kind, when a host was last loud.
    host_loud: BTreeMap<AlertKind, Tick>,
    /// By kind, since when the site would have spoken.
    waiting: BTreeMap<AlertKind, Tick>,
    /// By kind, the prefix it is told of, and when that was last above the level at which alerts close.
    named: BTreeMap<AlertKind, (Prefix, Tick)>,
}

/// Ticks for which a host that was loud keeps its site silent: a minute. And those for which a site waits for a host.
const HOST_SPEAKS_FOR: u64 = 240;
const SITE_WAITS: u64 = 4;

/// Alarm ratio below which alerts close (DETECTION 1.7): a host that is louder speaks for its site.
const CLOSES_AT: f64 = 0.5;

impl Speaks {
    /// Tells whether the site's finding is said, when the loudest host's alarm ratio for its kind is `loudest_host`.
    pub(super) fn allows(&mut self, now: Tick, finding: &Finding, loudest_host: f64) -> bool {
        if loudest_host >= CLOSES_AT {
            self.host_loud.insert(finding.kind, now);
        }
        if !finding.fires() {
            self.waiting.remove(&finding.kind);
        }
        let since = *self.waiting.entry(finding.kind).or_insert(now);
        let host_speaks = self.host_loud.get(&finding.kind).is_some_and(|at| now.since(*at) <= HOST_SPEAKS_FOR);
        let of_hosts_only = matches!(finding.kind, AlertKind::Rush | AlertKind::Outage);
        !host_speaks && !of_hosts_only && (now.since(since) >= SITE_WAITS || !finding.fires())
    }

    /// Returns the prefix of the site that a kind is told of: `around` the host which shows most of it. Once its alarm ratio
    /// (0 while its gates do not hold) has reached the line, the name stays until that was below half of it for a minute, as
    /// its alert does, since alerts are told apart by it.
    pub(super) fn name(&mut self, now: Tick, kind: AlertKind, ratio: f64, around: Prefix) -> Prefix {
        self.named.retain(|_, (_, last)| now.since(*last) <= HOST_SPEAKS_FOR);
        let known = self.named.get(&kind).map(|(prefix, _)| *prefix);
        let name = known.unwrap_or(around);
        if ratio >= if known.is_some() { CLOSES_AT } else { 1.0 } {
            self.named.insert(kind, (name, now));
        }
        name
    }
}

impl WatchedSite {
    pub(super) fn new(prefix: Prefix, site: SiteId, tick: Tick) -> Self {
        Self {
            watched: Watched::new(prefix, site, true, tick),
            packets: Vec::new(),
            speaks: Speaks::default(),
            carpets: carpet_bombing::Memory::default(),
            dark: Dark::default(),
        }
    }

    pub(super) fn count(&mut self, prefix: Prefix, packets: u64) {
        let place = self.packets.iter().position(|(known, _)| *known == prefix).unwrap_or_else(|| {
            self.packets.push((prefix, 0.0));
            self.packets.len() - 1
        });
        self.packets[place].1 += packets as f64;
    }

    /// Names the site by its busiest prefix; while something alarms the name stays, since alerts are told apart by it.
    pub(super) fn choose_prefix(&mut self) {
        self.packets.iter_mut().for_each(|(_, packets)| *packets *= 0.98);
        if self.watched.subject.is_quiet() {
            let busiest = self.packets.iter().copied().reduce(|a, b| if b.1 > a.1 { b } else { a });
            self.watched.subject.prefix = busiest.map_or(self.watched.subject.prefix, |(prefix, _)| prefix);
        }
    }
}

/// Ticks after an attack for which bad health is its doing: a minute.
const ATTACK_REMEMBERED: u64 = 240;

/// Runs the detectors over one subject, those first whose judgement the others need.
pub(super) fn judge(view: &View, watched: &mut Watched) -> Vec<Finding> {
    let attacked_lately = watched.attacked_at.is_some_and(|at| view.tick.since(at) <= ATTACK_REMEMBERED);
    let Watched { subject, strata, foreign, exhaustion, robotic, situation, blackout, .. } = &mut *watched;
    // What the last tick held of robots and of health bears on this tick's flood verdict.
    *situation = Situation {
        robotic: situation.robotic,
        exhausted: situation.exhausted,
        unhealthy: situation.unhealthy,
        dead: situation.dead,
        grew: situation.grew,
        grown_for: situation.grown_for,
        failed_at: situation.failed_at,
        rush: situation.rush,
        was_beyond: situation.is_beyond_capacity(view),
        overloaded_first: situation.unhealthy && (situation.overloaded_first || !attacked_lately),
        ..Situation::default()
    };
    let syn_flood = syn_flood::detect(view, subject, situation);
    if let Some(share) = blackout.held(view.tick, subject).filter(|_| !situation.flood) {
        situation.hold(share);
    }
    let floods = flood::detect(view, subject, situation);
    let overload = overload::detect(view, subject, situation);
    situation.attempts_each = overload::attempts_each(subject, situation);
    situation.robotic = false;
    situation.exhausted = false;
    strata.look(view, subject, situation);
    let exhausted = exhaustion::detect(view, subject, exhaustion, situation);
    let foreign = foreign_surge::detect(view, subject, strata, foreign, situation);
    let robotic = robotic_surge::detect(view, subject, strata, robotic, situation);
    subject.foreign.home_robots = strata.home_robots(subject);
    let rush = rush::detect(view, subject, strata, situation);
    let outage = outage::detect(view, subject, situation);
    blackout.observe(view.tick, subject, situation);
    let single = [syn_flood, overload, foreign, exhausted, robotic, rush, outage].into_iter().flatten();
    let mut findings: Vec<Finding> = single.chain(floods).collect();
    for finding in &mut findings {
        finding.alert_at = view.lines.raise(finding.kind, finding.alert_at);
        let evidence = &mut watched.evidence[class(finding.kind)];
        *evidence = evidence.max(finding.score);
    }
    watched.part = watched.tally.observe(&watched.subject, &watched.situation);
    let robots = watched.tally.observe_robots(view.tick, &watched.subject, &watched.situation);
    // What goes on being held has its robots in it.
    watched.robots = if watched.situation.blacked_out { 0.0 } else { robots };
    watched.attacked = watched.situation.is_attacked() || findings.iter().any(is_attack);
    watched.datagram_flood = findings.iter().any(|finding| finding.kind == AlertKind::UdpFlood && finding.fires());
    if watched.attacked {
        watched.attack(view.tick);
    }
    let ratio = findings.iter().filter(|f| f.gates_hold).map(Finding::ratio).fold(0.0, f64::max);
    watched.subject.alarm_ratio = watched.subject.alarm_ratio.max(ratio);
    findings
}

/// Tells whether a finding says by itself that an attack is on.
fn is_attack(finding: &Finding) -> bool {
    let held = matches!(finding.verdict, Some(Verdict::Attack | Verdict::Mixed));
    finding.kind.is_attack() && finding.fires() && held && finding.severity > Severity::Info
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;

    #[test]
    fn a_subject_learns_once_in_ten_seconds_whoever_is_watched_beside_it() {
        for last in 0..50 {
            let prefix = Address::v4([203, 0, 113, last]).host_prefix();
            let watched = Watched::new(prefix, SiteId::default(), false, Tick::new(7));
            let due = (1_000..1_400).filter(|number| watched.is_due(Tick::new(*number))).collect::<Vec<u64>>();
            assert_eq!(due.len(), 10, "{prefix}");
            assert!(due.windows(2).all(|pair| pair[1] - pair[0] == SAMPLE_TICKS), "{prefix}");
        }
    }

    #[test]
    fn a_site_is_named_by_the_prefix_that_shows_most_as_long_as_its_alert_is_open() {
        let [flooded, other] = ["198.51.100.0/24", "192.0.2.0/24"].map(|text| text.parse::<Prefix>().unwrap());
        let mut speaks = Speaks::default();
        let mut name =
            |second: u64, ratio, around| speaks.name(Tick::new(4 * second), AlertKind::SynFlood, ratio, around);
        assert_eq!(name(100, 0.9, other), other, "what has not fired is not remembered");
        assert_eq!(name(101, 1.1, flooded), flooded);
        assert_eq!(name(150, 0.6, other), flooded);
        assert_eq!(name(200, 0.6, other), flooded, "a minute and more since it fired, and its alert is open");
        assert_eq!(name(260, 0.3, other), flooded, "not yet closed");
        assert_eq!(name(261, 1.1, other), other);
    }
}
