//! What really happened, beside the capture: `vigie.truth/1` (CONTRACT 4).
//!
//! Written by the generator, read by `eval`; users write such files for captures of their own. Fields that are not
//! named here are ignored, so that a file may hold more.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::address::{Prefix, PrefixError};
use crate::country::Country;
use crate::kind::{AlertKind, Verdict};
use crate::time::Timestamp;

/// The schema this module reads and writes.
pub const SCHEMA: &str = "vigie.truth/1";

/// The truth about one capture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Countries counted as domestic.
    #[serde(default, deserialize_with = "parse_each")]
    pub home: Vec<Country>,
    /// What is defended.
    #[serde(default)]
    pub protect: Vec<ProtectedPrefix>,
    /// First moment of the capture.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "parse_moment_or_none")]
    pub start: Option<Timestamp>,
    /// Moment after the last frame.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "parse_moment_or_none")]
    pub end: Option<Timestamp>,
    /// Name of the scenario, where the generator wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// Its seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// What happened, by start.
    #[serde(default)]
    pub events: Vec<TruthEvent>,
    /// Addresses that connect on behalf of others: content networks, balancers.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "parse_each")]
    pub proxies: Vec<Prefix>,
    /// What each minute was, where that was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub minutes: Vec<TruthMinute>,
}

crate::kind::closed_set! {
    /// What a minute really was (DETECTION 4.4).
    MinuteVerdict {
        /// Nothing unusual.
        Normal = "normal",
        /// More than twice the usual people, served.
        RushAbsorbed = "rush_absorbed",
        /// An attack that did no harm.
        AttackAbsorbed = "attack_absorbed",
        /// Demand beyond capacity.
        Overload = "overload",
        /// An attack without which the service would have held.
        Attack = "attack",
        /// An attack, and demand beyond capacity.
        Mixed = "mixed",
        /// Bad service with neither.
        Fault = "fault",
        /// Bad service with demand close to capacity.
        Undetermined = "undetermined",
    }
}

/// One minute of the clock at the web server, cut where the capture begins or ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TruthMinute {
    /// First moment of the minute.
    #[serde(deserialize_with = "parse_moment")]
    pub start: Timestamp,
    /// The site.
    pub site: String,
    /// What it was.
    pub verdict: MinuteVerdict,
    /// First SYNs and QUIC Initials a second at all servers of the site, of people and attackers.
    pub first_syns_per_second: f64,
    /// Share of those that attackers sent.
    pub attack_share: f64,
    /// Those of people at the web server, a second.
    pub demand: f64,
    /// Connections a second that the server accepts.
    pub capacity: f64,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TruthEvent {
    /// The kind of alert it deserves.
    pub kind: AlertKind,
    /// What the situation was.
    pub verdict: Verdict,
    /// What was hit.
    #[serde(default, with = "one_or_more")]
    pub target: Vec<Prefix>,
    /// Its first packet.
    #[serde(deserialize_with = "parse_moment")]
    pub start: Timestamp,
    /// Its last packet.
    #[serde(deserialize_with = "parse_moment")]
    pub end: Timestamp,
    /// Where its sources are registered, largest share first; empty when nobody can know.
    #[serde(default, deserialize_with = "parse_each")]
    pub origin: Vec<Country>,
    /// The sources were forged.
    #[serde(default)]
    pub spoofed: bool,
    /// The sources completed handshakes.
    #[serde(default)]
    pub verified: bool,
    /// What a person should know of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Other kinds that are right.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<AlertKind>,
    /// Other verdicts that are right.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verdict_also: Vec<Verdict>,
    /// An alert that matches is not false, missing it costs nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// Connections or SYNs a second that were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_per_second: Option<f64>,
    /// Attack packets written, answers not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packets: Option<u64>,
    /// What the generator did: `KIND` or `KIND:VARIANT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub technique: Option<String>,
    /// How often it came, if more than once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pulses: Option<u32>,
    /// It was announced, as a penetration test is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub declared: bool,
}

/// A prefix that is defended, and the site it belongs to: `192.0.2.0/24=ecole`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtectedPrefix {
    /// The prefix.
    pub prefix: Prefix,
    /// The site, if one is named.
    pub site: Option<String>,
}

impl FromStr for ProtectedPrefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let (prefix, site) = text.split_once('=').map_or((text, None), |(p, s)| (p, Some(s)));
        Ok(Self { prefix: prefix.parse()?, site: site.filter(|name| !name.is_empty()).map(str::to_owned) })
    }
}

impl fmt::Display for ProtectedPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.site {
            Some(site) => write!(f, "{}={site}", self.prefix),
            None => self.prefix.fmt(f),
        }
    }
}

impl Serialize for ProtectedPrefix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ProtectedPrefix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Why a truth file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TruthError {
    /// It could not be read.
    #[error("{}: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// It is not a truth file.
    #[error("{}: not a truth file: {reason}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        reason: serde_json::Error,
    },
    /// It follows another schema.
    #[error("{}: schema is `{found}`; only `{SCHEMA}` is understood", path.display())]
    Schema {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: String,
    },
    /// An event ends before it starts.
    #[error("{}: event {number} ({kind}) ends before it starts", path.display())]
    Backwards {
        /// The file.
        path: PathBuf,
        /// Which event, from 1.
        number: usize,
        /// Its kind.
        kind: AlertKind,
    },
}

impl Truth {
    /// Returns the name of the truth file of a capture: `FILE.truth.json`.
    #[must_use]
    pub fn path_of(capture: &Path) -> PathBuf {
        let mut name = capture.as_os_str().to_owned();
        name.push(".truth.json");
        PathBuf::from(name)
    }

    /// Reads a truth file.
    ///
    /// # Errors
    /// When it is unreadable, no JSON of this schema, or an event ends before it starts.
    pub fn read(path: &Path) -> Result<Self, TruthError> {
        let text = fs::read_to_string(path).map_err(|reason| TruthError::Read { path: path.into(), reason })?;
        let truth: Self =
            serde_json::from_str(&text).map_err(|reason| TruthError::Parse { path: path.into(), reason })?;
        if truth.schema != SCHEMA {
            return Err(TruthError::Schema { path: path.into(), found: truth.schema });
        }
        match truth.events.iter().position(|event| event.end < event.start) {
            Some(place) => {
                Err(TruthError::Backwards { path: path.into(), number: place + 1, kind: truth.events[place].kind })
            }
            None => Ok(truth),
        }
    }

    /// Returns the text of the truth file, ending with a line break.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("truth has string keys and finite numbers only");
        text.push('\n');
        text
    }
}

fn moment<E: serde::de::Error>(text: &str) -> Result<Timestamp, E> {
    let moment: jiff::Timestamp =
        text.parse().map_err(|_| E::custom(format!("`{text}` is not a time: write 2021-04-06T09:02:00.000000Z")))?;
    u64::try_from(moment.as_nanosecond())
        .map(Timestamp::from_nanos)
        .map_err(|_| E::custom(format!("`{text}` lies before 1970 or after 2554")))
}

fn parse_moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    moment(&String::deserialize(deserializer)?)
}

fn parse_moment_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    Option::<String>::deserialize(deserializer)?.map(|text| moment(&text)).transpose()
}

fn parse_each<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| text.parse().map_err(serde::de::Error::custom)).collect()
}

/// A single prefix as a string, several as a list.
mod one_or_more {
    use super::{Deserialize, Deserializer, Prefix, Serialize, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        One(String),
        Several(Vec<String>),
    }

    pub(super) fn serialize<S: Serializer>(targets: &[Prefix], serializer: S) -> Result<S::Ok, S::Error> {
        match targets {
            [one] => one.serialize(serializer),
            several => several.serialize(serializer),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Prefix>, D::Error> {
        let texts = match Either::deserialize(deserializer)? {
            Either::One(text) => vec![text],
            Either::Several(texts) => texts,
        };
        texts.iter().map(|text| text.parse().map_err(serde::de::Error::custom)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of CONTRACT 4, with a field that nobody knows.
    const EXAMPLE: &str = r#"{"schema":"vigie.truth/1","home":["FR"],"protect":["192.0.2.0/24=ecole"],"colour":"red",
        "events":[{"kind":"syn_flood","verdict":"attack","target":"192.0.2.10/32","start":"2021-04-06T09:02:00Z",
        "end":"2021-04-06T09:03:00.5Z","origin":["RU"],"spoofed":true,"note":"small","mood":7}]}"#;

    fn stored(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.truth.json");
        fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn reads_the_contract_and_ignores_what_it_does_not_know() {
        let (_folder, path) = stored(EXAMPLE);
        let truth = Truth::read(&path).unwrap();
        assert_eq!(truth.protect[0].site.as_deref(), Some("ecole"));
        let event = &truth.events[0];
        assert_eq!((event.kind, event.spoofed, event.verified), (AlertKind::SynFlood, true, false));
        assert_eq!(event.end.since(event.start).as_millis(), 60_500);
        assert_eq!(event.target, ["192.0.2.10".parse().unwrap()]);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let (_folder, path) = stored(EXAMPLE);
        let mut truth = Truth::read(&path).unwrap();
        truth.events[0].target.push("2001:db8:113::10".parse().unwrap());
        truth.events[0].also = vec![AlertKind::Overload];
        truth.events[0].optional = true;
        truth.start = Some(Timestamp::from_secs(1_617_699_600));
        fs::write(&path, truth.to_json()).unwrap();
        assert_eq!(Truth::read(&path).unwrap(), truth);
    }

    #[test]
    fn a_wrong_file_is_named_with_its_fault() {
        for (text, fault) in [
            ("{}", "missing field `schema`"),
            (r#"{"schema":"vigie.truth/9"}"#, "only `vigie.truth/1` is understood"),
            (&EXAMPLE.replace("09:03:00.5Z", "09:01:00Z"), "event 1 (syn_flood) ends before it starts"),
            (&EXAMPLE.replace("2021-04-06T09:02:00Z", "noon"), "`noon` is not a time"),
            (&EXAMPLE.replace("192.0.2.10/32", "192.0.2.10/24"), "write 192.0.2.0/24"),
            (&EXAMPLE.replace("RU", "R"), "is not a country"),
        ] {
            let (_folder, path) = stored(text);
            let error = Truth::read(&path).unwrap_err().to_string();
            assert!(error.contains(fault), "{error}");
        }
    }
}
