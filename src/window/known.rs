//! Sources that have been served before: the control group of SYN-3 (DETECTION 2.3).
//!
//! A Bloom filter of two generations (Bloom 1970), fixed in size: a spoofed flood cannot reach it, since a source enters
//! only after a finished handshake with payload both ways. What becomes known at tick t counts from t + 40, so that an
//! attacker's own handshake does not vouch for his flood at once.

use crate::address::Address;
use crate::hash::{Seed, mix};
use crate::time::Tick;

/// Bits of one generation: 2^23 bits are 1 MiB, 0.1 % false at 580,000 sources (14.4 bits a key).
const BITS: usize = 1 << 23;
const PROBES: u64 = 10;
const CAPACITY: usize = BITS * 10 / 144;

/// Ticks before a new source counts.
const DELAY: u64 = 40;

/// The known sources.
#[derive(Debug)]
pub struct Known {
    seed: Seed,
    generations: [Vec<u64>; 2],
    entries: usize,
    waiting: std::collections::VecDeque<(Tick, u64)>,
}

/// Most sources that may wait for their delay; more are not learned, which only widens an interval.
const MOST_WAITING: usize = 65_536;

impl Known {
    /// Builds an empty set; hashing is keyed by `seed`.
    #[must_use]
    pub fn new(seed: Seed) -> Self {
        Self {
            seed,
            generations: [vec![0; BITS / 64], vec![0; BITS / 64]],
            entries: 0,
            waiting: std::collections::VecDeque::new(),
        }
    }

    /// Notes a served source; it counts ten seconds later.
    pub fn learn(&mut self, now: Tick, source: Address) {
        let hash = self.seed.address(source);
        if !self.holds(hash) && self.waiting.len() < MOST_WAITING {
            self.waiting.push_back((now.plus(DELAY), hash));
        }
    }

    /// Lets those whose delay is over count.
    pub fn advance(&mut self, now: Tick) {
        while let Some((_, hash)) = self.waiting.pop_front_if(|(due, _)| *due <= now) {
            self.insert(hash);
        }
    }

    /// Tells whether the source was served before, in this generation or the last; wrong for one in a thousand.
    #[must_use]
    pub fn contains(&self, source: Address) -> bool {
        self.holds(self.seed.address(source))
    }

    /// Returns what is to be kept: both generations, the newer first, and how many it holds.
    #[must_use]
    pub fn memory(&self) -> (&[Vec<u64>; 2], u64) {
        (&self.generations, self.entries as u64)
    }

    /// Takes what was kept under the same seed; tells whether it can have come from here.
    pub fn recall(&mut self, generations: [Vec<u64>; 2], entries: u64) -> bool {
        let fine = generations.iter().all(|bits| bits.len() == BITS / 64);
        if fine {
            self.generations = generations;
            self.entries = usize::try_from(entries).map_or(CAPACITY, |entries| entries.min(CAPACITY));
        }
        fine
    }

    fn insert(&mut self, hash: u64) {
        if self.holds(hash) {
            return;
        }
        if self.entries >= CAPACITY {
            self.generations.swap(0, 1);
            self.generations[0].fill(0);
            self.entries = 0;
        }
        for probe in 0..PROBES {
            let (word, bit) = place(hash, probe);
            self.generations[0][word] |= bit;
        }
        self.entries += 1;
    }

    fn holds(&self, hash: u64) -> bool {
        self.generations.iter().any(|bits| {
            (0..PROBES).all(|probe| {
                let (word, bit) = place(hash, probe);
                bits[word] & bit != 0
            })
        })
    }
}

fn place(hash: u64, probe: u64) -> (usize, u64) {
    let bit = usize::try_from(mix(hash, probe) % BITS as u64).unwrap_or(0);
    (bit / 64, 1 << (bit % 64))
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
        let (generations, entries) = before.memory();
        let mut after = Known::new(Seed::default());
        assert!(after.recall(generations.clone(), entries));
        assert!(after.contains(source(1)) && !after.contains(source(2)));
        assert!(!after.recall([vec![1], vec![]], 1));
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
        for n in 0..u32::try_from(2 * CAPACITY + CAPACITY / 100).unwrap() {
            known.learn(Tick::new(0), source(n));
            known.advance(Tick::new(40));
        }
        assert!(!known.contains(source(0)));
        assert!(known.contains(source(u32::try_from(2 * CAPACITY).unwrap())));
    }
}
