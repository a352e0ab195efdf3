//! What is usual, host by host and site by site, for people who calibrate.

use std::sync::Arc;

use super::Engine;
use crate::address::Prefix;
use crate::detect::finding::FigureName;
use crate::window::rate::Rate;
use crate::window::subject::{RATE_FLOOR, VERIFIED_FLOOR};

/// What is usual of one host, or of one site as the sum of its hosts.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Baseline {
    /// The site.
    pub site: Arc<str>,
    /// The host, or the busiest prefix of the site.
    pub prefix: Prefix,
    /// It stands for the whole site.
    pub is_site: bool,
    /// How known it is, 0 to 3.
    pub phase: u8,
    /// Largest rate of served connections a second seen in good health; `None` until something was served.
    pub served_at_most: Option<f64>,
    /// The rates, those that are known.
    pub rates: Vec<Usual>,
}

/// What is usual of one rate, a second.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Usual {
    /// The rate.
    pub name: FigureName,
    /// What is usual.
    pub usual: f64,
    /// What is usual at most: the envelope.
    pub at_most: f64,
}

impl Engine {
    /// Returns what is usual of every subject, sites first, each in the order of its addresses.
    #[must_use]
    pub fn survey(&self) -> Vec<Baseline> {
        let sites = self.sites.values().map(|site| &site.watched);
        sites
            .chain(self.hosts.values())
            .map(|watched| {
                let subject = &watched.subject;
                let rates: [(_, &Rate, _); 5] = [
                    (FigureName::FirstSynsPerSecond, &subject.syns, RATE_FLOOR),
                    (FigureName::VerifiedPerSecond, &subject.verified, VERIFIED_FLOOR),
                    (FigureName::ServedPerSecond, &subject.served, RATE_FLOOR),
                    (FigureName::ForeignPerSecond, &subject.foreign.abroad.rate, VERIFIED_FLOOR),
                    (FigureName::PacketsPerSecond, &subject.packets, RATE_FLOOR),
                ];
                let known = rates.into_iter().filter_map(|(name, series, floor)| {
                    Some(Usual { name, usual: series.usual()?, at_most: series.envelope(floor)? })
                });
                Baseline {
                    site: self.policy.name(subject.site),
                    prefix: subject.prefix,
                    is_site: subject.is_aggregate,
                    phase: subject.syns.phase().number(),
                    served_at_most: Some(watched.capacity).filter(|capacity| *capacity > 0.0),
                    rates: known.collect(),
                }
            })
            .collect()
    }

    /// Returns the lines in force, in decades.
    #[must_use]
    pub const fn lines(&self) -> crate::detect::budget::Lines {
        self.lines
    }
}
