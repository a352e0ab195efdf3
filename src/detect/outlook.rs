//! What is to be expected of each site now: the calendar, declared events, configured peaks, and what siblings know.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::detect::engine::Settings;
use crate::detect::watched::Watched;
use crate::policy::{Policy, SiteId};
use crate::time::{TICKS_PER_SECOND, Tick};
use crate::window::calendar::{Calendar, Moment};
use crate::window::outlook::{ExpectedEvent, Outlook, PROFILED, Seasons};

/// Ticks between two looks at the calendar: ten seconds.
const LOOK: u64 = 40;

/// Keeps the outlook of all sites up to date.
#[derive(Debug)]
pub(super) struct Outlooks {
    calendar: Calendar,
    events: Vec<ExpectedEvent>,
    peaks: Vec<(String, f64)>,
    width: f64,
    looked: Option<u64>,
    moment: Moment,
    /// Which events are on.
    on: Vec<bool>,
    lent: BTreeMap<SiteId, Seasons>,
}

impl Outlooks {
    /// Before anything is known a site is expected to bear its configured peak, or half of its capacity (DETECTION 1.2).
    pub(super) fn new(settings: &Settings) -> Self {
        let halves = settings.capacity.iter().map(|(site, capacity)| (site.clone(), capacity / 2.0));
        Self {
            calendar: settings.calendar.clone(),
            events: settings.events.clone(),
            peaks: settings.expected_peak.iter().cloned().chain(halves).collect(),
            width: settings.envelope_width,
            looked: None,
            moment: Moment::default(),
            on: vec![false; settings.events.len()],
            lent: BTreeMap::new(),
        }
    }

    /// Takes other settings. What siblings lend, and the moment, stay.
    pub(super) fn revised(&self, settings: &Settings) -> Self {
        Self { moment: self.moment, lent: self.lent.clone(), ..Self::new(settings) }
    }

    /// Moves on; tells whether a declared event has just begun or ended, so that all subjects need to know.
    pub(super) fn advance(&mut self, tick: Tick) -> bool {
        if self.looked != Some(tick.number() / LOOK) {
            self.looked = Some(tick.number() / LOOK);
            self.moment = self.calendar.moment(tick.start());
        }
        if self.events.is_empty() || !tick.closes_period(TICKS_PER_SECOND) {
            return false;
        }
        let on: Vec<bool> =
            self.events.iter().map(|event| event.start <= tick.end() && tick.end() < event.end).collect();
        std::mem::replace(&mut self.on, on) != self.on
    }

    /// Returns the outlook of a site at a tick.
    pub(super) fn of(&self, policy: &Policy, site: SiteId, tick: Tick) -> Outlook {
        let name = policy.name(site);
        let on = self.events.iter().filter(|event| event.is_on(tick.end(), &name));
        let peaks = self.peaks.iter().filter(|(of, _)| **of == *name);
        Outlook {
            moment: self.moment,
            width: self.width,
            times: on.map(|event| event.times).fold(1.0, f64::max),
            peak: peaks.map(|(_, peak)| *peak).fold(0.0, f64::max),
        }
    }

    /// Returns what the siblings of a host know of this time of the week.
    pub(super) fn lent(&self, site: SiteId) -> Seasons {
        self.lent.get(&site).copied().unwrap_or([None; PROFILED])
    }

    /// Sets the width of the envelopes, in spreads.
    pub(super) const fn set_width(&mut self, width: f64) {
        self.width = width;
    }

    /// Asks the hosts what they know: on each site those with the oldest baselines answer.
    pub(super) fn borrow<'a>(&mut self, hosts: impl Iterator<Item = &'a Watched>) {
        let mut best: BTreeMap<SiteId, &Watched> = BTreeMap::new();
        for watched in hosts {
            let phase = |watched: &Watched| watched.subject.syns.phase();
            let donor = best.entry(watched.subject.site).or_insert(watched);
            if phase(watched) > phase(donor) {
                *donor = watched;
            }
        }
        self.lent = best.into_iter().map(|(site, watched)| (site, watched.subject.seasons(&self.moment))).collect();
    }
}

/// How known the baseline of each site is, 0 to 3 (DETECTION 1.2): that of the site as a whole, or of its busiest host.
pub(super) fn phases<'a>(
    policy: &Policy,
    hosts: impl Iterator<Item = &'a Watched>,
    sites: impl Iterator<Item = &'a Watched>,
) -> Vec<(Arc<str>, u8)> {
    let mut phases: BTreeMap<SiteId, (f64, u8)> = BTreeMap::new();
    for watched in hosts.chain(sites) {
        let subject = &watched.subject;
        let size = if subject.is_aggregate { f64::INFINITY } else { subject.packets.usual().unwrap_or(0.0) };
        let entry = phases.entry(subject.site).or_insert((-1.0, 0));
        if size > entry.0 {
            *entry = (size, subject.syns.phase().number());
        }
    }
    phases.into_iter().map(|(site, (_, phase))| (policy.name(site), phase)).collect()
}
