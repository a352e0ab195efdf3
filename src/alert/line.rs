//! The shape of an alert line, `vigie.alert/1` (CONTRACT 2): one JSON object, its keys always in the same order.
//!
//! A line also carries, unwritten, the typed figures and caveats its sentences were made from, so that a report can say
//! the same in another language. When lines are written is decided in [`super::book`].

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::address::{Address, Prefix};
use crate::alert::number::Number;
use crate::country::Country;
use crate::detect::finding::{self, Caveat, Figure, FigureName};
use crate::kind::{AlertKind, Severity, Verdict, closed_set};
use crate::time::Timestamp;

/// Version of the line's shape.
pub const SCHEMA: &str = "vigie.alert/1";

closed_set! {
    /// Where in its life an alert is.
    Event {
        /// It begins.
        Open = "open",
        /// It goes on, with new figures, another verdict or another severity.
        Update = "update",
        /// It is over.
        Close = "close",
    }
}

/// What is hit.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Target {
    /// In CIDR notation; `null` only for `sensor_blind`.
    pub prefix: Option<Prefix>,
    /// The site it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<Arc<str>>,
    /// The port, where nearly all of it goes to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The protocol, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<&'static str>,
    /// Hosts hit, where several are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Prefix>,
}

impl From<&finding::Target> for Target {
    fn from(target: &finding::Target) -> Self {
        Self {
            prefix: target.prefix,
            site: target.site.clone(),
            port: target.port,
            protocol: target.protocol.map(|protocol| protocol.name()),
            members: target.members.clone(),
        }
    }
}

/// Where verified sources are registered.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Origin {
    /// The country.
    pub country: Country,
    /// Number of the autonomous system, where a table of them is loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asn: Option<u32>,
    /// Share of the verified connections, 0 to 1.
    pub share: Number,
    /// Packets.
    pub packets: u64,
}

/// One heavy verified source.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Source {
    /// The address; the /64 for IPv6.
    pub address: Address,
    /// Packets.
    pub packets: u64,
    /// Bytes on the wire.
    pub bytes: u64,
}

/// One line. Fields stand in the order in which they are written.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alert {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// Open, update or close.
    pub event: Event,
    /// Packet time at which the line was written.
    pub at: Timestamp,
    /// Stable over the life of the alert.
    pub id: String,
    /// Groups alerts that overlap in time on the same site or prefix.
    pub incident: String,
    /// What it is about.
    pub kind: AlertKind,
    /// How loud.
    pub severity: Severity,
    /// What the situation on the target is held to be.
    pub verdict: Verdict,
    /// What is hit.
    pub target: Target,
    /// First second that the finding explains.
    pub started_at: Timestamp,
    /// Packet time at which the alert opened.
    pub detected_at: Timestamp,
    /// End of the last tick above the close level; on `close` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Evidence in decades, 0 to 300.
    pub score: Number,
    /// Confidence of the verdict, 0 to 1.
    pub confidence: Number,
    /// The figures that crossed a line or explain one that did.
    pub observed: BTreeMap<FigureName, Number>,
    /// What is usual, under the same keys; `null` where nothing is known.
    pub expected: BTreeMap<FigureName, Option<Number>>,
    /// Largest values so far.
    pub peak: BTreeMap<FigureName, Number>,
    /// How often the incident has reopened on this subject, from 1.
    pub pulses: u32,
    /// The sources are held to be forged.
    pub spoofed: bool,
    /// Where verified sources are registered, largest first; empty when `spoofed`.
    pub origins: Vec<Origin>,
    /// Heaviest verified sources; empty when `spoofed`.
    pub sources: Vec<Source>,
    /// Complete sentences with figures.
    pub evidence: Vec<String>,
    /// One sentence that an official can read.
    pub why: String,
    /// A capture filter for libpcap.
    pub filter: String,
    /// Thresholds and windows in force.
    pub settings: BTreeMap<&'static str, Number>,
    /// The figures behind `evidence`, the most telling first.
    #[serde(skip)]
    pub figures: Vec<Figure>,
    /// The caveats behind `evidence`.
    #[serde(skip)]
    pub caveats: Vec<Caveat>,
    /// Another alert holds that its place was attacked meanwhile.
    #[serde(skip)]
    pub beside_attack: bool,
}

impl Alert {
    /// Writes the line, without the newline.
    ///
    /// # Errors
    /// None that these types can cause; the encoder's signature has one.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// Returns when it ended, or when this line was written while it goes on.
    #[must_use]
    pub fn end(&self) -> Timestamp {
        self.ended_at.unwrap_or(self.at)
    }
}
