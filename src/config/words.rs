//! Settings that are one of a few words.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use crate::alert::text::Language;
use crate::country::Country;

/// What is printed at the end of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Text for people.
    #[default]
    Text,
    /// One JSON object, `vigie.summary/1`.
    Json,
}

impl Format {
    /// The words and what they mean.
    pub const WORDS: &'static [(&'static str, Self)] = &[("text", Self::Text), ("json", Self::Json)];
}

/// The languages of pages and reports.
pub(super) const LANGUAGES: &[(&str, Language)] = &[("en", Language::English), ("fr", Language::French)];

/// Which overseas codes belong to a home country: France's GP, RE and others, Morocco's EH (DETECTION 0.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Overseas {
    /// All of them.
    #[default]
    Included,
    /// None.
    Excluded,
    /// These.
    Only(Vec<Country>),
}

/// How fast a capture is replayed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Speed {
    /// As fast as the machine can.
    #[default]
    Max,
    /// This many times recorded time.
    Times(f64),
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Max => f.write_str("\"max\""),
            Self::Times(times) => times.fmt(f),
        }
    }
}

/// Where metrics are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Nowhere.
    Off,
    /// At this address.
    At(SocketAddr),
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        let address = text.strip_prefix(':').map(|port| format!("0.0.0.0:{port}"));
        address
            .as_deref()
            .unwrap_or(text)
            .parse()
            .map(Self::At)
            .map_err(|_| format!("`{text}` is not an address and port: write one such as 127.0.0.1:9477, or off"))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::At(address) => address.fmt(f),
        }
    }
}
