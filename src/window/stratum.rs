//! One part of a subject's clients (those from home, those from abroad, or all): what their connections look like, which
//! sources make them, and how suddenly they came.

mod memory;

pub use memory::StratumMemory;

use crate::hash::Seed;
use crate::summary::{Contact, ContactStage};
use crate::time::Tick;
use crate::window::mixture::{Mixture, Sample};
use crate::window::shapes::Shapes;
use crate::window::sources::{SourceSums, Sources};

/// What is known of a source when it connects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Newness {
    /// The source was never served before.
    pub source: bool,
    /// No source of its network was.
    pub network: bool,
}

/// The windows of a stratum.
#[derive(Clone, Debug, Default)]
pub struct Stratum {
    /// Shapes of settled connections.
    pub shapes: Shapes,
    /// Sources of verified connections.
    pub sources: Sources,
}

/// A stratum's last ten seconds beside its usual ones.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// Settled connections.
    pub sample: Sample,
    /// Those that are usual.
    pub mixture: Mixture,
    /// Sources now.
    pub sources: SourceSums,
    /// Sources usually; `None` while unknown.
    pub usual_sources: Option<SourceSums>,
}

impl Stratum {
    /// Takes a verified connection.
    pub fn observe(&mut self, seed: Seed, tick: Tick, contact: &Contact, newness: Newness) {
        match contact.stage {
            ContactStage::Verified => self.sources.verify(seed, tick, contact, newness.source, newness.network),
            ContactStage::Settled => {
                self.shapes.settle(seed, tick, contact);
                self.sources.settle(seed, contact);
            }
            ContactStage::Progress => {}
        }
    }

    /// Ends a tick; a `quiet` one is learned from.
    pub fn roll(&mut self, tick: Tick, quiet: bool) {
        self.shapes.roll(tick, quiet);
        self.sources.roll(tick, quiet);
    }

    /// Sets the window beside what is usual.
    #[must_use]
    pub fn comparison(&self, now: Tick) -> Comparison {
        Comparison {
            sample: self.shapes.sample(),
            mixture: self.shapes.usual().clone(),
            sources: self.sources.sums(now),
            usual_sources: self.sources.usual(),
        }
    }

    /// Forgets the windows under way, as after a gap; what is usual stays.
    pub fn restart(&mut self) {
        self.shapes.restart();
        self.sources.restart();
    }
}

impl Comparison {
    /// Returns both strata as one.
    #[must_use]
    pub fn joined(&self, other: &Self) -> Self {
        let mut all = self.clone();
        all.sample.join(&other.sample);
        all.mixture.join(&other.mixture);
        all.sources = all.sources.plus(&other.sources);
        all.usual_sources = match (all.usual_sources, other.usual_sources) {
            (Some(mine), Some(theirs)) => Some(mine.plus(&theirs)),
            (one, other) => one.or(other),
        };
        all
    }
}
