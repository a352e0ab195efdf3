//! An alert line as its readers know it: the fields that receivers and mutes look at, read from the line itself, so that a
//! line from the spool of an earlier run is as good as a fresh one.

use serde::Deserialize;

use crate::address::Prefix;
use crate::alert::Event;
use crate::kind::{AlertKind, Severity, Verdict};

/// What was told (CONTRACT 2); a field means what it means there.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Told {
    /// Open, update or close.
    pub event: Event,
    /// When the line was written, in packet time.
    pub at: jiff::Timestamp,
    /// The alert.
    pub id: String,
    /// The incident it belongs to.
    pub incident: String,
    /// What it is about.
    pub kind: AlertKind,
    /// How loud it is.
    pub severity: Severity,
    /// What the situation is held to be.
    pub verdict: Verdict,
    /// What is hit.
    pub target: Target,
    /// When it began.
    pub started_at: jiff::Timestamp,
    /// When it ended, on `close`.
    pub ended_at: Option<jiff::Timestamp>,
    /// Evidence in decades.
    pub score: f64,
    /// Of the verdict.
    pub confidence: f64,
    /// Where verified sources are registered.
    pub origins: Vec<Origin>,
    /// Sentences with figures.
    pub evidence: Vec<String>,
    /// The sentence.
    pub why: String,
    /// A capture filter.
    pub filter: String,
}

/// What is hit.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Target {
    /// In CIDR notation.
    pub prefix: Option<String>,
    /// The site.
    pub site: Option<String>,
}

/// A country's share of the verified connections.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Origin {
    /// Its code.
    pub country: String,
    /// From 0 to 1.
    pub share: f64,
}

impl Told {
    /// Returns a name of this very line, the same at every attempt to deliver it.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}-{}-{}", self.id, self.event, self.at.as_microsecond())
    }

    /// Returns what is hit, as people call it: the site and the prefix, as far as they are known.
    #[must_use]
    pub fn place(&self) -> String {
        match (&self.target.site, &self.target.prefix) {
            (Some(site), Some(prefix)) if site == prefix => site.clone(),
            (Some(site), Some(prefix)) => format!("{site} ({prefix})"),
            (Some(one), None) | (None, Some(one)) => one.clone(),
            (None, None) => "the sensor".to_owned(),
        }
    }

    /// Returns the prefix that is hit.
    #[must_use]
    pub fn prefix(&self) -> Option<Prefix> {
        self.target.prefix.as_ref()?.parse().ok()
    }
}

/// Lines for tests.
#[cfg(test)]
pub(super) mod samples {
    use super::Told;
    use crate::kind::{AlertKind, Verdict};
    use crate::time::Timestamp;

    /// Returns the opening and the closing line of a made-up SYN flood at `example`, as text.
    pub(in crate::export::sinks) fn lines() -> Vec<String> {
        let at = Timestamp::from_secs(1_617_699_600);
        let alerts = crate::alert::sample(AlertKind::SynFlood, Verdict::Attack, "example", at);
        alerts.iter().map(|alert| alert.to_json().unwrap()).collect()
    }

    /// Returns what the opening line tells.
    pub(in crate::export::sinks) fn open() -> Told {
        serde_json::from_str(&lines()[0]).unwrap()
    }

    /// Returns what the closing line tells.
    pub(in crate::export::sinks) fn close() -> Told {
        serde_json::from_str(lines().last().unwrap()).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let (open, close) = (samples::open(), samples::close());
        assert_eq!((open.event, close.event), (Event::Open, Event::Close));
        assert_eq!(open.place(), "example (192.0.2.10/32)");
        assert_eq!(open.started_at.to_string(), "2021-04-06T09:00:00Z");
        assert!(open.ended_at.is_none() && close.ended_at.is_some());
        assert_ne!(open.key(), close.key());
    }
}
