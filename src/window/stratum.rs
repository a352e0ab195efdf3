//! One part of a subject's clients (those from home, those from abroad, or all): what their connections look like, which
//! sources make them, and how suddenly they came.

mod memory;

pub use memory::StratumMemory;

use crate::hash::Seed;
use crate::summary::{Contact, ContactStage};
use crate::time::Tick;
use crate::window::mixture::{Mixture, Sample};
use crate::window::ring::Ring;
use crate::window::shapes::Shapes;
use crate::window::sources::{SourceSums, Sources};
use crate::window::stacks::{self, Stacks};

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
    /// Which part of its connections was served.
    pub service: Service,
}

/// Settled connections of the last ten seconds, those among them that were served, and those whose client had to send
/// something again, weighted.
#[derive(Clone, Debug, Default)]
pub struct Service {
    now: [u64; 3],
    settled: Ring<40>,
    served: Ring<40>,
    repeated: Ring<40>,
}

/// Settled connections from which a part of them is told.
const LEAST_SETTLED: u64 = 20;

impl Service {
    fn settle(&mut self, contact: &Contact) {
        let weight = u64::from(contact.weight);
        let counted = [true, contact.served, contact.repeated];
        self.now.iter_mut().zip(counted).for_each(|(count, counts)| *count += if counts { weight } else { 0 });
    }

    fn roll(&mut self) {
        let [settled, served, repeated] = std::mem::take(&mut self.now);
        self.settled.push(settled);
        self.served.push(served);
        self.repeated.push(repeated);
    }

    /// Returns the part that carried nothing back, 0 to 1; `None` while too few are settled.
    #[must_use]
    pub fn unserved_share(&self) -> Option<f64> {
        let (settled, served) = (self.settled.sum(), self.served.sum());
        (settled >= LEAST_SETTLED).then(|| 1.0 - served as f64 / settled as f64)
    }

    /// Returns the part of both, over the last `ticks` ticks, whose clients had to send something again, 0 to 1; `None` while
    /// too few are settled.
    #[must_use]
    pub fn repeated_share(&self, other: &Self, ticks: usize) -> Option<f64> {
        let settled = self.settled.recent(ticks) + other.settled.recent(ticks);
        let repeated = self.repeated.recent(ticks) + other.repeated.recent(ticks);
        (settled >= LEAST_SETTLED).then(|| repeated as f64 / settled as f64)
    }
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
    /// Connections by system now.
    pub stacks: Stacks,
    /// The same usually.
    pub usual_stacks: stacks::Usual,
}

impl Stratum {
    /// Takes a verified connection of a source whose unit hashes to `source` ([`Seed::address`]).
    pub fn observe(&mut self, seed: Seed, source: u64, tick: Tick, contact: &Contact, newness: Newness) {
        match contact.stage {
            ContactStage::Verified => self.sources.verify(source, tick, contact, newness),
            ContactStage::Settled => {
                self.shapes.settle(source, tick, contact);
                self.sources.settle(seed, source, contact);
                self.service.settle(contact);
            }
            ContactStage::Progress => {}
        }
    }

    /// Ends a tick; a `quiet` one is learned from.
    pub fn roll(&mut self, tick: Tick, quiet: bool) {
        self.shapes.roll(tick, quiet);
        self.sources.roll(tick, quiet);
        self.service.roll();
    }

    /// Sets the window beside what is usual.
    #[must_use]
    pub fn comparison(&self, now: Tick) -> Comparison {
        Comparison {
            sample: self.shapes.sample(),
            mixture: self.shapes.usual().clone(),
            sources: self.sources.sums(now),
            usual_sources: self.sources.usual(),
            stacks: self.sources.stacks(),
            usual_stacks: *self.sources.usual_stacks(),
        }
    }

    /// Forgets the windows under way, as after a gap; what is usual stays.
    pub fn restart(&mut self) {
        self.shapes.restart();
        self.sources.restart();
        self.service = Service::default();
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
        all.stacks = all.stacks.plus(&other.stacks);
        all.usual_stacks = all.usual_stacks.plus(&other.usual_stacks);
        all
    }
}
