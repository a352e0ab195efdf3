//! From merged summaries to findings: rolls the windows, runs the detectors, then lets the baselines learn.

mod armed;
mod hosts;
mod intake;
mod judged;
mod judgement;
mod learning;
mod limits;
mod memory;
mod minutes;
mod revision;
mod settings;
mod survey;
mod vacancies;

pub use armed::{Armed, Home};
pub use judgement::Score;
pub use memory::{Fate, Recalled};
pub use settings::Settings;
pub use survey::{Baseline, Usual};

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::capture::CaptureTick;
use crate::country::Country;
use crate::detect::budget::{Lines, budget};
use crate::detect::calibration::Calibration;
use crate::detect::capacity::Capacity;
use crate::detect::engine::hosts::Hosts;
use crate::detect::family::Families;
use crate::detect::finding::Finding;
use crate::detect::minute::{Course, MinuteSums, MinuteVerdict};
use crate::detect::outlook::Outlooks;
use crate::detect::protection::{HomeFinder, Protection};
use crate::detect::sensor_blind::SensorBlind;
use crate::detect::sources::{self, Sources};
use crate::detect::usual::SiteUsual;
use crate::detect::watched::WatchedSite;
use crate::hash::Seed;
use crate::origin::Origins;
use crate::policy::{Policy, SiteId};
use crate::sampling::Sampling;
use crate::summary::{EndReason, FlowTick, Summary};
use crate::time::{Tick, Timestamp};
use crate::window::known::Known;
use crate::window::scanners::Scanners;

/// What one tick led to.
#[derive(Clone, Debug, Default)]
pub struct TickOutput {
    /// Findings of this tick.
    pub findings: Vec<Finding>,
    /// Minutes that ended with this tick.
    pub minutes: Vec<MinuteVerdict>,
    /// A new policy, when protection was learned: it rules from eight ticks later.
    pub policy: Option<Arc<Policy>>,
    /// Alarm ratios, by detector and site.
    pub scores: Vec<Score>,
    /// How known the baseline of each site is, 0 to 3; filled in every ten seconds.
    pub phases: Vec<(Arc<str>, u8)>,
    /// What is usual of each site; filled in every ten seconds.
    pub usual: Vec<SiteUsual>,
}

/// All windows and detectors of a run. One thread; floats begin here.
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
    lines: Lines,
    outlooks: Outlooks,
    calibration: Calibration,
    policy: Arc<Policy>,
    protection: Protection,
    home: Vec<Country>,
    home_finder: HomeFinder,
    /// When home was decided; levels by country begin there.
    home_since: Option<Tick>,
    seed: Seed,
    known: Known,
    /// Networks (/24, /48) that were served, and whether they were known before this run.
    networks: Known,
    networks_recalled: bool,
    scanners: Scanners,
    sources: Sources,
    flooded: sources::Flooded,
    /// Where a source's autonomous system is looked up, if a table tells.
    origins: Option<Arc<Origins>>,
    sensor: SensorBlind,
    /// Which part of the pairs of addresses is counted.
    sampling: Sampling,
    families: Families,
    hosts: Hosts,
    /// Configured sites, each as the sum of its hosts.
    sites: BTreeMap<SiteId, WatchedSite>,
    /// What each site as a whole bears.
    capacity: BTreeMap<SiteId, Capacity>,
    /// What each site's minutes were.
    courses: BTreeMap<SiteId, Course>,
    minutes: BTreeMap<SiteId, MinuteSums>,
    minute: Option<u64>,
    data_segments: (f64, f64),
    quiet_ticks: u32,
    first_tick: Option<Tick>,
    /// From when connections can be told from segments of none.
    connections_known_at: Option<Tick>,
    armed_at: Option<Tick>,
    judged_until: Option<Tick>,
    /// What was protected before anything was learned or recalled.
    blank: Arc<Policy>,
    recalled: Recalled,
    /// What was recalled, until its age can be judged.
    pending: Option<crate::state::Sections>,
    output: TickOutput,
}

/// Ticks until connections under way are known: a minute (DETECTION 0.2).
const CONNECTIONS_TAKE: u64 = 240;

impl Engine {
    /// Builds the engine. `seed` keys its tables.
    #[must_use]
    pub fn new(settings: Settings, policy: Arc<Policy>, seed: Seed) -> Self {
        Self {
            lines: Lines::new(&settings),
            outlooks: Outlooks::new(&settings),
            calibration: Calibration::new(budget(&settings), Lines::new(&settings).subject),
            home: settings.home.clone(),
            blank: Arc::clone(&policy),
            recalled: Recalled::default(),
            pending: None,
            policy,
            protection: Protection::new(seed),
            home_finder: HomeFinder::default(),
            home_since: None,
            seed,
            known: Known::new(seed),
            networks: Known::new(seed),
            networks_recalled: false,
            scanners: Scanners::new(seed),
            sources: Sources::new(
                sources::Settings { proxies: settings.proxies.clone(), logins: settings.logins.clone() },
                seed,
            ),
            flooded: sources::Flooded::default(),
            origins: None,
            sensor: SensorBlind::default(),
            sampling: Sampling::WHOLE,
            families: Families::default(),
            hosts: Hosts::default(),
            sites: BTreeMap::new(),
            capacity: BTreeMap::new(),
            courses: BTreeMap::new(),
            minutes: BTreeMap::new(),
            minute: None,
            data_segments: (0.0, 0.0),
            quiet_ticks: 0,
            first_tick: None,
            connections_known_at: None,
            armed_at: None,
            judged_until: None,
            output: TickOutput::default(),
            settings,
        }
    }

    /// Takes a table that tells autonomous systems, if it does.
    #[must_use]
    pub fn with_origins(self, origins: &Arc<Origins>) -> Self {
        Self { origins: origins.tells_systems().then(|| Arc::clone(origins)), ..self }
    }

    /// Takes one tick, merged over all shards. Ticks come in order, without holes except where `capture.gap` is set.
    pub fn observe(&mut self, summary: &Summary, capture: &CaptureTick) -> &TickOutput {
        let tick = summary.tick;
        self.output = TickOutput::default();
        if self.first_tick.is_none() {
            self.judge_recalled(tick);
        }
        self.first_tick.get_or_insert(tick);
        self.judged_until = Some(tick);
        if capture.gap {
            self.restart(tick);
        }
        if capture.sampling != self.sampling {
            self.resample(tick, capture.sampling);
        }
        self.sensor.observe(capture);
        self.note_lost_connections(tick, &summary.flows);
        self.roll_minute(tick);
        if self.policy.is_learning()
            && let Some(policy) = self.protection.observe(summary)
        {
            self.policy = Arc::clone(&policy);
            self.output.policy = Some(policy);
        }
        self.find_home(summary);
        self.observe_sources(summary);
        if self.outlooks.advance(tick) {
            self.prepare_all(tick);
        }
        let newly_protected = self.newly_protected(summary);
        self.observe_hosts(summary, &newly_protected);
        self.observe_sites(summary);
        self.detect(summary, &newly_protected);
        self.learn(tick);
        &self.output
    }

    /// Tells whether nothing is alarming, so that silence may be skipped (DESIGN 4).
    #[must_use]
    pub const fn is_quiet(&self) -> bool {
        self.quiet_ticks >= 40
    }

    /// Returns what is protected now, learned hosts included.
    #[must_use]
    pub fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy)
    }

    /// Ends the run: the minute under way is judged and returned.
    pub fn finish(&mut self, _end: Timestamp) -> Vec<MinuteVerdict> {
        self.output = TickOutput::default();
        self.close_minute();
        std::mem::take(&mut self.output.minutes)
    }

    /// Restarts windows and tests after a gap: what lies before it says nothing about what comes.
    fn restart(&mut self, tick: Tick) {
        self.sensor.restart();
        self.connections_known_at = Some(tick.plus(CONNECTIONS_TAKE));
        self.sources.restart();
        for watched in self.hosts.values_mut().chain(self.sites.values_mut().map(|site| &mut site.watched)) {
            watched.subject.restart(tick);
            watched.forget_behaviour();
        }
        self.sites.values_mut().for_each(|site| site.dark.restart(tick));
    }

    /// Another part of the pairs of addresses is counted than before: what began then is not compared with what ends now.
    fn resample(&mut self, tick: Tick, sampling: Sampling) {
        let before = std::mem::replace(&mut self.sampling, sampling);
        // Pairs that are cut leave as many, in expectation, to those that are left; those that are new were not counted.
        let fewer = (sampling.part().recip() / before.part().recip()).min(1.0);
        self.connections_known_at = Some(tick.plus(CONNECTIONS_TAKE));
        for watched in self.hosts.values_mut().chain(self.sites.values_mut().map(|site| &mut site.watched)) {
            watched.subject.resample(fewer);
        }
    }

    /// Connections that were under way before the first frame, or that the flow table let go, look like segments of none.
    fn note_lost_connections(&mut self, tick: Tick, flows: &FlowTick) {
        let lost = flows.refused + flows.ended[EndReason::LackOfResources as usize] > 0;
        if lost || self.connections_known_at.is_none() {
            self.connections_known_at = Some(tick.plus(CONNECTIONS_TAKE));
        }
    }
}

#[cfg(test)]
mod tests;
