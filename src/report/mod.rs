//! What a run leaves behind: the summary on the terminal, the same as JSON, and the after-action report as a page.
//!
//! A [`RunReport`] holds all facts of a run; [`text`], [`json`] and [`html`] write them and measure nothing themselves.
//! Threads, files other than the page's own, and where the facts come from are not known here.

pub mod api;
mod chart;
pub mod html;
pub mod json;
mod layout;
pub mod live;
mod page;
pub mod proposal;
mod span;
pub mod text;
mod words;
pub mod write;

pub(crate) use layout::plain;

use std::sync::Arc;
use std::time::Duration;

use crate::address::Prefix;
use crate::alert::Alert;
use crate::alert::text::Language;
use crate::capture::Accounting;
use crate::country::Country;
use crate::detect::engine::{Armed, Home};
use crate::detect::minute::MinuteVerdict;
use crate::time::Timestamp;

/// Inbound traffic of the whole run by where its sources are registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OriginTotal {
    /// The country of verified sources; `None` for traffic of sources that proved nothing.
    pub country: Option<Country>,
    /// Packets.
    pub packets: u64,
    /// Bytes on the wire.
    pub bytes: u64,
}

impl OriginTotal {
    /// Returns the country's code, `unknown`, or `unproven`.
    #[must_use]
    pub fn name(&self) -> String {
        self.country.map_or_else(|| "unproven".to_owned(), |country| country.to_string())
    }
}

/// A site that was defended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtectedSite {
    /// Its name.
    pub name: Arc<str>,
    /// What belongs to it.
    pub prefixes: Vec<Prefix>,
    /// Found in the traffic rather than configured.
    pub learned: bool,
}

impl ProtectedSite {
    /// Returns the site as `--protect` and the configuration take it, one value a prefix: `192.0.2.0/24=ecole`.
    pub fn values(&self) -> impl Iterator<Item = String> + '_ {
        self.prefixes.iter().map(move |prefix| format!("{prefix}={}", self.name))
    }
}

/// All facts of a run.
#[derive(Clone, Debug)]
pub struct RunReport {
    /// The files or interfaces, as given.
    pub inputs: Vec<String>,
    /// What happened to every frame.
    pub accounting: Accounting,
    /// Two-way flows admitted.
    pub flows: u64,
    /// Capture time of the first frame; `None` if there was none.
    pub start: Option<Timestamp>,
    /// Capture time of the last frame.
    pub end: Option<Timestamp>,
    /// How long the run took by the wall clock.
    pub wall_seconds: f64,
    /// Inbound traffic by origin, in any order.
    pub origins: Vec<OriginTotal>,
    /// The closing line of each alert.
    pub alerts: Vec<Alert>,
    /// Alerts that are not in `alerts` because there were too many.
    pub alerts_forgotten: u64,
    /// The verdict of each minute, by site.
    pub minutes: Vec<MinuteVerdict>,
    /// Which detectors were at work, and why others were not.
    pub detectors: Vec<Armed>,
    /// What counted as home.
    pub home: Home,
    /// What was defended.
    pub protected: Vec<ProtectedSite>,
    /// Which table of countries was used, with its date.
    pub geo: String,
    /// Effective settings, name and value.
    pub settings: Vec<(String, String)>,
    /// What went wrong, a sentence each.
    pub faults: Vec<String>,
}

impl RunReport {
    /// Returns the capture time covered.
    #[must_use]
    pub fn span(&self) -> Duration {
        self.start.zip(self.end).map_or(Duration::ZERO, |(start, end)| end.since(start))
    }

    /// Returns packets handled per second of wall-clock time, 0 when no time was measured.
    #[must_use]
    pub fn packets_per_second(&self) -> f64 {
        per_second(self.accounting.packets, self.wall_seconds)
    }

    /// Returns bits handled per second of wall-clock time, 0 when no time was measured.
    #[must_use]
    pub fn bits_per_second(&self) -> f64 {
        per_second(self.accounting.bytes, self.wall_seconds) * 8.0
    }

    /// Returns the origins with their share of all inbound packets, largest first.
    fn origins_by_share(&self) -> Vec<(OriginTotal, f64)> {
        let mut origins = self.origins.clone();
        origins.sort_by_key(|origin| (std::cmp::Reverse(origin.packets), origin.country));
        let all: u64 = origins.iter().map(|origin| origin.packets).sum();
        origins.into_iter().map(|origin| (origin, origin.packets as f64 / all.max(1) as f64)).collect()
    }

    /// Returns what went wrong, what had to be forgotten included.
    fn all_faults(&self) -> Vec<String> {
        words::faults(words::of(Language::English), self)
    }

    /// Returns the alerts by severity, the loudest first, then by time.
    fn alerts_by_weight(&self) -> Vec<&Alert> {
        let mut alerts: Vec<_> = self.alerts.iter().collect();
        alerts.sort_by_key(|alert| {
            (std::cmp::Reverse(alert.severity), alert.started_at, alert.kind, alert.target.prefix)
        });
        alerts
    }
}

fn per_second(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}
