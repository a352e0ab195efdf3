//! From merged summaries to findings: rolls the windows, runs the detectors, then lets the baselines learn.

use std::sync::Arc;

use crate::capture::CaptureTick;
use crate::country::Country;
use crate::detect::finding::Finding;
use crate::detect::minute::MinuteVerdict;
use crate::policy::Policy;
use crate::summary::Summary;
use crate::time::Timestamp;

/// Settings of all windows and detectors.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Countries counted as domestic, overseas codes included; empty means: decide from verified clients (DETECTION 0.2).
    pub home: Vec<Country>,
    /// At most so many warnings and criticals together a week by chance. Sets the thresholds (DETECTION 1.5).
    pub false_alarms_per_week: f64,
    /// Served connections a second a site is known to bear, by site name; learned where absent.
    pub capacity: Vec<(String, f64)>,
    /// Entries of the servers' SYN queue, for the half-open figure.
    pub backlog: u32,
    /// Prefixes of proxies, CDNs and load balancers: no origin and no per-source tests for them.
    pub proxies: Vec<crate::address::Prefix>,
}

/// A detector's alarm ratio on a site: 1 is the alert line.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// The detector.
    pub detector: &'static str,
    /// The site.
    pub site: Arc<str>,
    /// The largest ratio of its subjects in this tick.
    pub ratio: f64,
}

/// Whether a detector is at work.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Armed {
    /// The detector.
    pub detector: &'static str,
    /// Since when; `None` while it is not.
    pub since: Option<Timestamp>,
    /// Why not, in a sentence, while it is not.
    pub why_not: Option<String>,
}

/// How the home countries were found.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Home {
    /// The countries; empty while unknown.
    pub countries: Vec<Country>,
    /// `configured`, `decided from verified clients`, or why there is none.
    pub how: String,
}

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
}

/// All windows and detectors of a run. One thread; floats begin here.
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
    output: TickOutput,
}

impl Engine {
    /// Builds the engine.
    #[must_use]
    pub fn new(settings: Settings, _policy: Arc<Policy>) -> Self {
        Self { settings, output: TickOutput::default() }
    }

    /// Takes one tick, merged over all shards. Ticks come in order, without holes except where `capture.gap` is set.
    pub fn observe(&mut self, _summary: &Summary, _capture: &CaptureTick) -> &TickOutput {
        &self.output
    }

    /// Tells whether nothing is alarming, so that silence may be skipped (DESIGN 4).
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        true
    }

    /// Returns the home countries.
    #[must_use]
    pub fn home(&self) -> Home {
        Home { countries: self.settings.home.clone(), how: "configured".to_owned() }
    }

    /// Tells which detectors are at work, and why the others are not.
    #[must_use]
    pub fn armed(&self) -> Vec<Armed> {
        Vec::new()
    }

    /// Ends the run: the minute under way is judged and returned.
    pub fn finish(&mut self, _end: Timestamp) -> Vec<MinuteVerdict> {
        Vec::new()
    }
}
