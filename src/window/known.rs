//! Sources that have been served before: the control group of SYN-3 (DETECTION 2.3).
//!
//! A [`Bloom`] of two generations, fixed in size: a spoofed flood cannot reach it, since a source enters only after a
//! finished handshake with payload both ways. What becomes known at tick t counts from t + 40, so that an attacker's own
//! handshake does not vouch for his flood at once. A generation stands for two weeks at most; a visitor who comes back is
//! carried into the next.

use std::time::Duration;

use crate::address::Address;
use crate::hash::Seed;
use crate::time::Tick;
use crate::window::bloom::{Bloom, Generation};

/// Bits of one generation: 2^23 bits are 1 MiB, 0.1 % false at 582,000 sources (14.4 bits a key).
const BITS: usize = 1 << 23;

/// Ticks before a new source counts.
const DELAY: u64 = 40;

/// How long a generation fills at most: with the one before it, a source is known for two to four weeks.
const GENERATION: Duration = Duration::from_secs(14 * 86_400);

/// The known sources.
#[derive(Debug)]
pub struct Known {
    seed: Seed,
    sources: Bloom,
    waiting: std::collections::VecDeque<(Tick, u64)>,
}

/// Most sources that may wait for their delay; more are not learned, which only widens an interval.
const MOST_WAITING: usize = 65_536;

impl Known {
    /// Builds an empty set; hashing is keyed by `seed`.
    #[must_use]
    pub fn new(seed: Seed) -> Self {
        Self { seed, sources: Bloom::new(BITS), waiting: std::collections::VecDeque::new() }
    }

    /// Notes a served source; it counts ten seconds later.
    pub fn learn(&mut self, now: Tick, source: Address) {
        let hash = self.seed.address(source);
        if !self.sources.is_recent(hash) && self.waiting.len() < MOST_WAITING {
            self.waiting.push_back((now.plus(DELAY), hash));
        }
    }

    /// Lets those whose delay is over count.
    pub fn advance(&mut self, now: Tick) {
        self.sources.turn_after(GENERATION, now.start());
        while let Some((_, hash)) = self.waiting.pop_front_if(|(due, _)| *due <= now) {
            self.sources.insert(hash, now.start());
        }
    }

    /// Tells whether the source was served before, in this generation or the last; wrong for two in a thousand at most.
    #[must_use]
    pub fn contains(&self, source: Address) -> bool {
        self.contains_hash(self.seed.address(source))
    }

    /// The same of a source by its hash under the seed of this set ([`Seed::address`]).
    #[must_use]
    pub fn contains_hash(&self, source: u64) -> bool {
        self.sources.contains(source)
    }

    /// Returns the generations, the newest first, to be saved; they mean something only under the same seed.
    #[must_use]
    pub const fn export(&self) -> &[Generation; 2] {
        self.sources.export()
    }

    /// Takes saved generations; tells whether they fit, else nothing is changed.
    pub fn import(&mut self, generations: [Generation; 2]) -> bool {
        self.sources.import(generations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(n: u32) -> Address {
        Address::v4(n.to_be_bytes())
    }

    #[test]
    fn a_source_counts_ten_seconds_after_it_was_served() {
        let mut known = Known::new(Seed::default());
        known.learn(Tick::new(100), source(1));
        known.advance(Tick::new(139));
        assert!(!known.contains(source(1)));
        known.advance(Tick::new(140));
        assert!(known.contains(source(1)));
    }

    #[test]
    fn a_source_known_before_a_restart_is_known_after_it() {
        let mut before = Known::new(Seed::default());
        before.learn(Tick::new(0), source(1));
        before.advance(Tick::new(40));
        let generations = before.export();
        let mut after = Known::new(Seed::default());
        assert!(after.import(generations.clone()));
        assert!(after.contains(source(1)) && !after.contains(source(2)));
        let short = generations.clone().map(|generation| Generation { words: vec![1], ..generation });
        assert!(!after.import(short));
    }

    #[test]
    fn few_strangers_are_taken_for_known() {
        let mut known = Known::new(Seed::default());
        for n in 0..60_000 {
            known.learn(Tick::new(0), source(n));
        }
        known.advance(Tick::new(40));
        let wrong = (1_000_000..1_100_000).filter(|n| known.contains(source(*n))).count();
        assert!(wrong < 100, "{wrong} of 100,000");
    }

    #[test]
    fn an_old_generation_is_forgotten_when_two_newer_have_filled() {
        let mut known = Known::new(Seed::default());
        let capacity = known.sources.capacity();
        for n in 0..u32::try_from(2 * capacity + capacity / 100).unwrap() {
            known.learn(Tick::new(0), source(n));
            known.advance(Tick::new(40));
        }
        assert!(!known.contains(source(0)));
        assert!(known.contains(source(u32::try_from(2 * capacity).unwrap())));
    }
}
