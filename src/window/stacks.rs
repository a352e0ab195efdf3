//! Which systems clients run, as far as their SYNs tell: the hop limit they begin with and the window they offer.
//!
//! People come with the mixture of systems that people have, whatever they all open; a tool brings its own. If of the
//! connections beyond what is usual a part `u` came from one kind of system and the rest from the usual mixture, that kind
//! would have a share of `p = u + (1 - u) q` in them, `q` being its usual one. So `u = (p - q) / (1 - q)`, for the kind in
//! which it is largest.
//!
//! Kinds are told by a keyed hash into a few classes. Sources: p0f's SYN signatures (Zalewski), of which two fields are kept.

use crate::hash::{Seed, mix};

/// Classes of systems.
const CLASSES: Kind = 32;
const KINDS: usize = CLASSES as usize;

/// Connections beyond what is usual from which their systems are told, and those that what is usual must rest on.
const LEAST: f64 = 25.0;
const LEAST_USUAL: f64 = 100.0;

/// The same of connections chosen by what they carry: the error that goes with so few is said.
const LEAST_OF_SOME: f64 = 12.0;

/// Usual share of a kind from which it says nothing.
const LEADS_ANYWAY: f64 = 0.95;

/// A kind of system.
pub type Kind = u8;

/// Returns the kind of a SYN that arrived with this hop limit and window.
#[must_use]
pub fn kind(seed: Seed, ttl: u8, window: u16) -> Kind {
    // Stacks begin with 32, 64, 128 or 255, and no path has 32 hops.
    let first = [32, 64, 128].into_iter().find(|first| ttl <= *first).unwrap_or(u8::MAX);
    mix(seed.0[1], u64::from(first) << 16 | u64::from(window)).to_le_bytes()[0] % CLASSES
}

/// SYNs of a source whose kinds are remembered.
const KEPT: usize = 8;

/// The kinds of a source's last SYNs: one of a machine, several of an address that people share.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kinds {
    last: [Kind; KEPT],
    /// How many of them are known, and where the next one goes.
    known: usize,
    next: usize,
}

impl Kinds {
    /// Takes the kind of a SYN.
    pub const fn note(&mut self, kind: Kind) {
        self.last[self.next] = kind;
        self.next = (self.next + 1) % KEPT;
        self.known += if self.known < KEPT { 1 } else { 0 };
    }

    /// Returns each kind once, with its share.
    pub fn shares(&self) -> impl Iterator<Item = (Kind, f64)> + '_ {
        let last = &self.last[..self.known];
        let first = |(place, kind): &(usize, &Kind)| !last[..*place].contains(kind);
        let share = |kind: Kind| last.iter().filter(|other| **other == kind).count() as f64 / last.len() as f64;
        last.iter().enumerate().filter(first).map(move |(_, kind)| (*kind, share(*kind)))
    }
}

/// Connections of a window by the kind of system they come from.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stacks {
    by_kind: [f64; KINDS],
    /// Sum of the squares of each source's connections: how unevenly they come.
    squares: f64,
}

/// How much of an excess one kind of system can have brought.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OneKind {
    /// Its part of the connections beyond what is usual, 0 to 1.
    pub share: f64,
    /// Standard error.
    pub error: f64,
}

impl Stacks {
    /// Adds the connections of a source.
    pub fn add(&mut self, kind: Kind, connections: f64) {
        self.by_kind[usize::from(kind) % KINDS] += connections;
        self.squares += connections * connections;
    }

    /// Adds another stratum.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        self.each(other, |mine, theirs| mine + theirs)
    }

    fn each(&self, other: &Self, with: impl Fn(f64, f64) -> f64) -> Self {
        let mut by_kind = self.by_kind;
        by_kind.iter_mut().zip(other.by_kind).for_each(|(mine, theirs)| *mine = with(*mine, theirs));
        Self { by_kind, squares: with(self.squares, other.squares) }
    }

    /// Connections of one source stand or fall together: how many do.
    fn together(&self) -> f64 {
        (self.squares / self.all().max(1.0)).max(1.0)
    }

    fn all(&self) -> f64 {
        self.by_kind.iter().sum()
    }

    /// Returns how much of what exceeds `usual`, grown `growth` times, one kind of system can have brought; `borrowed` tells
    /// the usual proportions while `usual` rests on too little. `None` while neither does, or with too little beyond.
    #[must_use]
    pub fn one_kind(&self, usual: &Usual, borrowed: &Usual, growth: f64) -> Option<OneKind> {
        let proportions = [usual, borrowed].into_iter().find(|usual| usual.rests_on() >= LEAST_USUAL)?;
        self.leading(&proportions.mean, usual.mean.by_kind.map(|count| count * growth), LEAST)
    }

    /// The same of some of the connections, of which `expected` are usual.
    #[must_use]
    pub fn one_kind_of_some(&self, usual: &Usual, borrowed: &Usual, expected: f64) -> Option<OneKind> {
        let proportions = [usual, borrowed].into_iter().find(|usual| usual.rests_on() >= LEAST_USUAL)?.mean;
        let each = expected / proportions.all();
        self.leading(&proportions, proportions.by_kind.map(|count| count * each), LEAST_OF_SOME)
    }

    fn leading(&self, proportions: &Self, expected: [f64; KINDS], least: f64) -> Option<OneKind> {
        let excess = self.all() - expected.iter().sum::<f64>();
        if excess < least {
            return None;
        }
        let together = self.together();
        let of = |kind: usize| {
            let (expected, q) = (expected[kind], proportions.by_kind[kind] / proportions.all());
            let p = ((self.by_kind[kind] - expected) / excess).clamp(0.0, 1.0);
            let variance = (p * (1.0 - p) * excess + expected) * together;
            let rest = 1.0 - q;
            (q < LEADS_ANYWAY).then(|| OneKind { share: (p - q) / rest, error: variance.sqrt() / excess / rest })
        };
        let leading = (0..KINDS).filter_map(of).reduce(|a, b| if b.share > a.share { b } else { a })?;
        Some(OneKind { share: leading.share.clamp(0.0, 1.0), ..leading })
    }
}

/// What is usual in a window of ten seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usual {
    mean: Stacks,
    /// Windows it is the mean of, up to `REMEMBERED`.
    windows: f64,
}

/// Windows that what is usual rests on at most: ten minutes.
const REMEMBERED: f64 = 60.0;

impl Usual {
    /// Takes a quiet window.
    pub fn learn(&mut self, seen: &Stacks) {
        self.windows = (self.windows + 1.0).min(REMEMBERED);
        let part = 1.0 / self.windows;
        self.mean = self.mean.each(seen, |usual, now| usual + part * (now - usual));
    }

    /// Adds another stratum.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self { mean: self.mean.plus(&other.mean), windows: self.windows.max(other.windows) }
    }

    /// Returns how many independent connections it rests on.
    fn rests_on(&self) -> f64 {
        self.mean.all() * self.windows / self.mean.together()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(count: f64) -> Stacks {
        let mut stacks = Stacks::default();
        for (kind, share) in [(1, 0.45), (7, 0.3), (20, 0.15), (21, 0.1)] {
            (0..super::super::whole(count * share)).for_each(|_| stacks.add(kind, 1.0));
        }
        stacks
    }

    fn usual(count: f64) -> Usual {
        let mut usual = Usual::default();
        (0..10).for_each(|_| usual.learn(&people(count)));
        usual
    }

    fn one_kind(people_now: f64, robots: u32, each: f64) -> OneKind {
        let mut now = people(people_now);
        (0..robots).for_each(|_| now.add(7, each));
        now.one_kind(&usual(100.0), &Usual::default(), 1.0).unwrap()
    }

    #[test]
    fn the_part_of_one_kind_is_found_whatever_the_crowd() {
        for (people, robots, part) in [(500.0, 0, 0.0), (100.0, 400, 1.0), (300.0, 200, 0.5), (400.0, 100, 0.25)] {
            let found = one_kind(people, robots, 1.0);
            assert!((found.share - part).abs() < 0.02, "{people} {robots}: {found:?}");
            assert!(found.error < 0.1, "{found:?}");
        }
    }

    #[test]
    fn a_few_busy_sources_say_less_than_many() {
        assert!(one_kind(300.0, 10, 20.0).error > 2.0 * one_kind(300.0, 200, 1.0).error);
    }

    #[test]
    fn proportions_are_borrowed_where_there_are_few() {
        let few = usual(8.0);
        let now = people(100.0);
        assert_eq!(now.one_kind(&few, &Usual::default(), 1.0), None);
        assert!(now.one_kind(&few, &usual(100.0), 1.0).unwrap().share < 0.1);
    }

    #[test]
    fn too_little_says_nothing() {
        let nobody = Usual::default();
        assert_eq!(people(110.0).one_kind(&usual(100.0), &nobody, 1.0), None);
        assert_eq!(people(400.0).one_kind(&usual(100.0), &nobody, 4.0), None);
        let (mut alike, mut all_alike) = (Stacks::default(), Usual::default());
        alike.add(3, 100.0);
        all_alike.learn(&alike);
        alike.add(3, 300.0);
        assert_eq!(alike.one_kind(&all_alike, &nobody, 1.0), None, "where all run the same nothing is told by it");
    }

    #[test]
    fn some_connections_are_judged_by_the_proportions_of_all() {
        let of = |robots: u32| {
            let mut some = people(20.0);
            (0..robots).for_each(|_| some.add(7, 1.0));
            some.one_kind_of_some(&usual(100.0), &Usual::default(), 0.0)
        };
        assert!(of(0).unwrap().share < 0.1, "{:?}", of(0));
        assert!((of(20).unwrap().share - 0.5).abs() < 0.05, "{:?}", of(20));
        assert_eq!(people(10.0).one_kind_of_some(&usual(100.0), &Usual::default(), 0.0), None);
        assert_eq!(people(40.0).one_kind_of_some(&usual(100.0), &Usual::default(), 30.0), None, "as many as usual");
    }

    #[test]
    fn an_address_that_people_share_shows_all_their_systems() {
        let mut kinds = Kinds::default();
        assert_eq!(kinds.shares().count(), 0);
        (0..100).for_each(|n| kinds.note(if n % 4 == 0 { 3 } else { 9 }));
        let mut shares: Vec<(Kind, f64)> = kinds.shares().collect();
        shares.sort_unstable_by_key(|(kind, _)| *kind);
        assert_eq!(shares, [(3, 0.25), (9, 0.75)]);
    }

    #[test]
    fn a_kind_is_told_by_where_the_hop_limit_began() {
        let of = |ttl, window| kind(Seed::default(), ttl, window);
        assert_eq!(of(50, 64_240), of(64, 64_240));
        assert_ne!(of(50, 64_240), of(113, 64_240));
    }
}
