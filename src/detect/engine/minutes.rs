//! Adds ticks up to minutes, and judges each minute of a site (DETECTION 4.4).

use std::collections::BTreeMap;

use super::Engine;
use super::judged::Scores;
use super::limits::Limits;
use crate::detect::capacity::Capacity;
use crate::detect::minute::{MinuteSums, Standard};
use crate::detect::tally;
use crate::detect::watched::Watched;
use crate::kind::AlertKind;
use crate::policy::SiteId;
use crate::time::Tick;
use crate::window::subject::Subject;

impl Engine {
    pub(super) fn roll_minute(&mut self, tick: Tick) {
        let minute = tick.number() / 240;
        if self.minute.is_some_and(|current| current != minute) {
            self.close_minute();
        }
        self.minute = Some(minute);
    }

    pub(super) fn close_minute(&mut self) {
        let Some(minute) = self.minute else { return };
        for (site, sums) in std::mem::take(&mut self.minutes) {
            let limits = Limits { settings: &self.settings, policy: &self.policy, learned: &self.capacity };
            let capacity = limits.of_site(site);
            let served_part = self.capacity.get(&site).map_or(1.0, Capacity::served_part);
            let course = self.courses.entry(site).or_default();
            let standard = Standard { capacity, served_part, was_overloaded: course.was_overloaded() };
            let start = Tick::new(minute * 240).start();
            let mut verdict = sums.judge(start, self.policy.name(site), &standard);
            verdict.verdict = course.follow(verdict.verdict, sums.scores());
            self.output.minutes.push(verdict);
        }
    }

    pub(super) fn sum_minutes(&mut self, scores: &Scores) {
        let mut states: BTreeMap<SiteId, SiteState> = BTreeMap::new();
        for watched in self.hosts.values() {
            let site = watched.subject.site;
            states.entry(site).or_default().add(watched);
            let sums = self.minutes.entry(site).or_default();
            add_to_minute(sums, watched);
            if watched.subject.last_tick().closes_period(40) {
                add_unproven(sums, watched);
            }
        }
        for (id, state) in states {
            let sums = self.minutes.entry(id).or_default();
            // A flood too thin for any single host is known to the site as a whole only.
            let whole = self.sites.get(&id).filter(|_| !state.attacked).map(|site| &site.watched);
            if let Some(whole) = whole.filter(|whole| whole.situation.flood) {
                add_flood(sums, whole);
            }
            sums.ticks += 1;
            sums.unhealthy_ticks += u32::from(state.unhealthy);
            sums.unhealthy_first_syns += if state.unhealthy { state.attempts } else { 0.0 };
            sums.attack_ticks += u32::from(state.attacked || whole.is_some_and(|whole| whole.attacked));
            // Where users move to a host that has none yet, the site as a whole knows how many they are.
            let is_unknown = state.syns_unknown > 0.1 * state.syns;
            let of_site = self.sites.get(&id).filter(|_| is_unknown).and_then(|site| site.watched.subject.syns.usual());
            sums.usual += of_site.unwrap_or(state.usual) / 4.0;
            sums.unknown_ticks += u32::from(is_unknown && of_site.is_none());
            sums.exhausted.iter_mut().zip(state.exhausted).for_each(|(ticks, out)| *ticks += u32::from(out));
        }
        for ((detector, site), ratio) in scores {
            if let Some(place) = bears_on_verdict(detector) {
                let loudest = &mut self.minutes.entry(*site).or_default().loudest[place];
                *loudest = loudest.max(*ratio);
            }
        }
    }
}

/// Tells which score of a minute a detector belongs to: 0 for attacks, 1 for the health of the service, 2 for crowds.
fn bears_on_verdict(detector: &str) -> Option<usize> {
    match AlertKind::ALL.iter().find(|kind| kind.name() == detector)? {
        AlertKind::Overload | AlertKind::Outage => Some(1),
        AlertKind::Rush => Some(2),
        kind => kind.is_attack().then_some(0),
    }
}

/// What the hosts of a site are in, in one tick.
#[derive(Clone, Copy, Debug, Default)]
struct SiteState {
    attacked: bool,
    unhealthy: bool,
    syns: f64,
    /// First attempts that can be judged in this tick.
    attempts: f64,
    /// First SYNs to hosts of which the usual rate is not known, and the usual rate of the others, a second.
    syns_unknown: f64,
    usual: f64,
    /// What has run out, in the order of `Resource::ALL`.
    exhausted: [bool; 4],
}

impl SiteState {
    fn add(&mut self, watched: &Watched) {
        let (subject, situation) = (&watched.subject, &watched.situation);
        self.attacked |= watched.attacked;
        self.unhealthy |= situation.unhealthy;
        self.syns += subject.syns.sum();
        self.attempts += first_attempts(subject);
        match subject.syns.usual() {
            Some(usual) => self.usual += usual,
            None => self.syns_unknown += subject.syns.sum(),
        }
        let out = [
            situation.flood && situation.syn_queue_full,
            situation.accept_queue_full,
            situation.exhausted,
            situation.unhealthy,
        ];
        // The service counts where nothing more precise is known.
        let precise = out[..3].contains(&true);
        self.exhausted.iter_mut().zip(out).enumerate().for_each(|(n, (mine, out))| *mine |= out && (n < 3 || !precise));
    }
}

/// First attempts of the newest tick that can be judged, QUIC's among them.
fn first_attempts(subject: &Subject) -> f64 {
    tally::first_attempts(subject) + subject.quic_opened.back(0) as f64
}

/// Adds one host's tick to its site's minute.
fn add_to_minute(sums: &mut MinuteSums, watched: &Watched) {
    let subject = &watched.subject;
    add_flood(sums, watched);
    let (begun, proven) = (subject.quic_opened.back(0) as f64, subject.quic_finished.back(0) as f64);
    sums.first_syns += first_attempts(subject);
    if watched.datagram_flood {
        sums.flood.attack += begun - proven;
    }
    sums.robotic += watched.robots;
    let server = subject.cohorts.server_side(1);
    sums.opened += server.opened;
    sums.answered += server.answered;
    sums.verified += subject.verified.recent_per_second(1) / 4.0;
    sums.home += subject.foreign.home.recent_per_second(1) / 4.0;
    sums.abroad += subject.foreign.abroad.rate.recent_per_second(1) / 4.0;
}

/// Adds what may have been attack in the last ten seconds of one host, beside what was told.
fn add_unproven(sums: &mut MinuteSums, watched: &Watched) {
    let situation = &watched.situation;
    if !situation.flood {
        sums.unproven.add(tally::unproven(&watched.subject));
    }
    if !situation.robotic {
        sums.unproven.attack += 10.0 * situation.verified_robots();
    }
}

fn add_flood(sums: &mut MinuteSums, watched: &Watched) {
    sums.flood.add(watched.part);
    if watched.situation.flood {
        sums.flood_noise = sums.flood_noise.max(watched.subject.unfinished.level().spread());
    }
}
