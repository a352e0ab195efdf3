//! The verdict of one site in one minute (DETECTION 4.3, 4.4).

use std::sync::Arc;

use crate::kind::closed_set;
use crate::time::Timestamp;

closed_set! {
    /// What a minute is held to have been.
    MinuteKind {
        /// Nothing unusual.
        Normal = "normal",
        /// More users than usual, served.
        RushAbsorbed = "rush_absorbed",
        /// An attack that did no harm.
        AttackAbsorbed = "attack_absorbed",
        /// Real demand beyond capacity.
        Overload = "overload",
        /// An attack that harmed a service which would have held.
        Attack = "attack",
        /// Attack and demand beyond capacity.
        Mixed = "mixed",
        /// Neither crowd nor attack: hosting, database, release.
        Fault = "fault",
        /// Service is bad and the figures do not say why.
        Undetermined = "undetermined",
    }
}

/// A figure with its 95 % interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// One site's minute.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct MinuteVerdict {
    /// First moment of the minute.
    pub start: Timestamp,
    /// The site.
    pub site: Arc<str>,
    /// What it was.
    pub verdict: MinuteKind,
    /// First SYNs a second (F).
    pub first_syns_per_second: f64,
    /// Legitimate demand, first attempts a second (L = F - A).
    pub demand_per_second: Estimate,
    /// Share of first SYNs held to be attack (A / F).
    pub attack_share: Estimate,
    /// Largest rate of served connections a second seen so far or configured (C); `None` until something was served.
    pub capacity_per_second: Option<f64>,
    /// Verified connections a second.
    pub verified_per_second: f64,
    /// Share of first SYNs the server answered.
    pub answered_share: f64,
    /// Share of verified connections from abroad; `None` while home is unknown or nothing is verified.
    pub foreign_share: Option<f64>,
    /// Whether the service was unhealthy (SYN-6).
    pub unhealthy: bool,
}
