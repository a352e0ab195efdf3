//! One part of a subject's clients (those from home, those from abroad, or all): what their connections look like, which
//! sources make them, and how suddenly they came.

mod memory;

pub use memory::StratumMemory;

use std::collections::BTreeMap;

use crate::hash::Seed;
use crate::summary::{Contact, ContactStage};
use crate::time::Tick;
use crate::window::mixture::{Cell, Mixture, Sample};
use crate::window::ring::Ring;
use crate::window::shapes::{Request, Shapes};
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
    /// The settled connections, each with a system that its source shows.
    pub told: Vec<Told>,
}

/// A settled connection and a system that its source shows.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// Hash of the source.
    pub source: u64,
    /// The connection's shape.
    pub cell: Cell,
    /// What its client sent.
    pub request: Request,
    /// The system.
    pub system: stacks::Kind,
    /// The part that this system has among those of its source.
    pub part: f64,
    /// Connections it stands for, in that part.
    pub weight: f64,
}

/// Who makes the connections of a shape.
#[derive(Clone, Copy, Debug, Default)]
pub struct Makers {
    /// The connections by system.
    pub stacks: Stacks,
    /// The part of them that comes from sources of one system that make at least `MANY_ALIKE` each.
    pub repeated: f64,
    /// The part of them whose request is, to the byte, one of the `SIZES` that most of its system send; `None` while too few
    /// are comparable.
    pub identical: Option<f64>,
}

/// Connections of one shape in ten seconds that one visitor does not make: a browser loads a page over one connection, or
/// six that carry different things, and who reloads does so once or twice.
const MANY_ALIKE: f64 = 4.0;

/// Connections of one system and as many packets that are compared with each other, and those that must be in all.
const COMPARABLE: f64 = 5.0;
const ENOUGH_COMPARABLE: f64 = 40.0;

/// Sizes that one program's request has: hop limit and window do not tell all systems apart, and each has its own options.
const SIZES: usize = 2;

/// Part of a source's SYNs that one system sends where only one machine is behind it.
const ONE_MACHINE: f64 = 0.8;

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
            _ => {}
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
            told: self.told(),
        }
    }

    fn told(&self) -> Vec<Told> {
        let told = |(source, cell, request, weight): (u64, Cell, Request, f64)| {
            let systems = self.sources.systems(source);
            systems.map(move |(system, part)| Told { source, cell, request, system, part, weight: weight * part })
        };
        self.shapes.connections().flat_map(told).collect()
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
        all.told.extend(&other.told);
        all
    }

    /// Returns who makes the connections of some shapes.
    #[must_use]
    pub fn makers(&self, is_one: impl Fn(Cell) -> bool + Copy) -> Makers {
        let mut by_source: BTreeMap<u64, BTreeMap<stacks::Kind, (f64, f64)>> = BTreeMap::new();
        for told in self.told.iter().filter(|told| is_one(told.cell)) {
            let (number, weight) = by_source.entry(told.source).or_default().entry(told.system).or_default();
            *number += told.part;
            *weight += told.weight;
        }
        let (mut stacks, mut repeated, mut all) = (Stacks::default(), 0.0, 0.0);
        for systems in by_source.values() {
            let number: f64 = systems.values().map(|(number, _)| number).sum();
            let weight: f64 = systems.values().map(|(_, weight)| weight).sum();
            let one_machine = systems.values().any(|(part, _)| *part >= ONE_MACHINE * number);
            all += weight;
            repeated += if one_machine && number >= MANY_ALIKE { weight } else { 0.0 };
            systems.iter().for_each(|(system, (_, weight))| stacks.add(*system, *weight));
        }
        let repeated = if all > 0.0 { repeated / all } else { 0.0 };
        Makers { stacks, repeated, identical: self.identical(is_one) }
    }

    /// Returns the part of some connections that are alike to the byte, among those of one system and as many packets: what
    /// people send over a new connection differs with their browser, its version and what it remembers of the site.
    fn identical(&self, is_one: impl Fn(Cell) -> bool) -> Option<f64> {
        let mut groups: BTreeMap<(stacks::Kind, u64), BTreeMap<u64, f64>> = BTreeMap::new();
        for told in self.told.iter().filter(|told| is_one(told.cell) && told.part >= ONE_MACHINE) {
            let group = groups.entry((told.system, told.request.packets)).or_default();
            *group.entry(told.request.bytes).or_default() += told.weight;
        }
        let (mut alike, mut all) = (0.0, 0.0);
        for group in groups.values() {
            let size: f64 = group.values().sum();
            if size >= COMPARABLE {
                let mut sizes: Vec<f64> = group.values().copied().collect();
                sizes.sort_unstable_by(|a, b| b.total_cmp(a));
                all += size;
                alike += sizes.iter().take(SIZES).sum::<f64>();
            }
        }
        (all >= ENOUGH_COMPARABLE).then(|| alike / all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Connections of a shape from so many sources, each with so many and one of so many systems.
    fn comparison(sources: u64, each: u32, systems: u8) -> Comparison {
        let told = |source: u64| {
            let system = (source % u64::from(systems)).to_le_bytes()[0];
            (0..each).map(move |_| Told {
                source,
                cell: 7,
                request: Request::default(),
                system,
                part: 1.0,
                weight: 1.0,
            })
        };
        Comparison { told: (0..sources).flat_map(told).collect(), ..Comparison::default() }
    }

    #[test]
    fn requests_that_are_alike_to_the_byte_are_a_programs() {
        let identical = |comparison: &Comparison| comparison.makers(|cell| cell == 7).identical;
        assert_eq!(identical(&comparison(100, 1, 3)), Some(1.0), "on systems of three kinds");
        assert_eq!(identical(&comparison(30, 1, 3)), None, "too few");
        let mut browsers = comparison(100, 1, 3);
        (0..browsers.told.len()).for_each(|n| browsers.told[n].request.bytes = 600 + (n as u64 * 7) % 40);
        assert!(identical(&browsers).is_some_and(|share| share < 0.3), "{:?}", identical(&browsers));
        let mut shared = comparison(100, 1, 3);
        shared.told.iter_mut().for_each(|told| told.part = 0.5);
        assert_eq!(identical(&shared), None, "whose system is not known is not compared");
    }

    #[test]
    fn machines_that_do_the_same_again_and_again_are_told_from_visitors() {
        let repeated = |comparison: &Comparison| comparison.makers(|cell| cell == 7).repeated;
        assert_eq!(repeated(&comparison(100, 2, 3)), 0.0, "who reloads");
        assert_eq!(repeated(&comparison(20, 10, 3)), 1.0, "machines of several systems");
        let mut school = comparison(20, 10, 3);
        (0..school.told.len()).for_each(|n| school.told[n].system = (n % 3).to_le_bytes()[0]);
        assert_eq!(repeated(&school), 0.0, "addresses that people share");
        assert_eq!(comparison(20, 10, 3).makers(|cell| cell == 8).repeated, 0.0);
    }
}
