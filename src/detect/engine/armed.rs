//! Which detectors are at work, what home is, and how both are known.

use super::Engine;
use crate::country::Country;
use crate::time::{Tick, Timestamp};
use crate::window::subject::Sidedness;

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

impl Engine {
    /// Returns the home countries and how they were found.
    #[must_use]
    pub fn home(&self) -> Home {
        let how = match &self.home_finder.outcome {
            _ if !self.settings.home.is_empty() => "configured".to_owned(),
            Some(Ok(country)) => format!("decided from verified clients: most are registered in {country}"),
            Some(Err(reason)) => format!("unknown: {reason}"),
            None => "unknown: fewer than three minutes of verified clients were seen; give --home".to_owned(),
        };
        Home { countries: self.home.clone(), how }
    }

    /// Tells which detectors are at work, and why the others are not.
    #[must_use]
    pub fn armed(&self) -> Vec<Armed> {
        let start = self.first_tick.map(Tick::start);
        let history = self.armed_at.map(Tick::start);
        let at_once = |detector| Armed {
            detector,
            since: start,
            why_not: start.is_none().then(|| "nothing was captured".to_owned()),
        };
        let needs_history = |detector| Armed {
            detector,
            since: history,
            why_not: history.is_none().then(|| "no protected host was seen for 180 s".to_owned()),
        };
        let home_known = !self.home.is_empty();
        // Levels by country begin when home is known.
        let origins = match self.home_since {
            Some(decided) => {
                self.judged_until.filter(|now| now.since(decided) >= 760).map(|_| decided.plus(760).start())
            }
            None => history,
        };
        let foreign = Armed {
            detector: "foreign_surge",
            since: origins.filter(|_| home_known),
            why_not: match origins {
                _ if !home_known => Some(format!("home is {}", self.home().how)),
                None if history.is_some() => Some("home was decided less than 190 s before".to_owned()),
                _ => needs_history("").why_not,
            },
        };
        vec![
            at_once("syn_flood"),
            at_once("amplification"),
            at_once("udp_flood"),
            at_once("icmp_flood"),
            at_once("fragment_flood"),
            self.tcp_flag_flood_armed(),
            self.carpet_bombing_armed(),
            needs_history("syn_surge"),
            foreign,
            needs_history("connection_exhaustion"),
            needs_history("robotic_surge"),
            needs_history("rush"),
            at_once("overload"),
            needs_history("outage"),
            at_once("sensor_blind"),
            at_once("port_scan"),
            at_once("host_sweep"),
            at_once("brute_force"),
            needs_history("credential_stuffing"),
            at_once("exfiltration"),
            self.sources.new_outbound_armed(),
            at_once("beacon"),
        ]
    }

    fn tcp_flag_flood_armed(&self) -> Armed {
        let now = self.judged_until.unwrap_or_default();
        let since = self.connections_known_at.filter(|from| now >= *from);
        let two_sided = self.hosts.values().any(|watched| watched.subject.sidedness() == Sidedness::TwoSided);
        let why_not = match since {
            None => Some("no minute passed without a start, a gap or a full flow table"),
            Some(_) if !two_sided => Some("no host was seen to talk both ways"),
            Some(_) => None,
        };
        let since = since.filter(|_| why_not.is_none()).map(Tick::start);
        Armed { detector: "tcp_flag_flood", since, why_not: why_not.map(str::to_owned) }
    }

    fn carpet_bombing_armed(&self) -> Armed {
        let since = self.first_tick.filter(|_| !self.sites.is_empty()).map(Tick::start);
        let why_not = since.is_none().then(|| "no prefix of several hosts is protected: give --protect".to_owned());
        Armed { detector: "carpet_bombing", since, why_not }
    }
}
