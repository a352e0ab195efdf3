//! A set of fixed size that forgets: two Bloom filters (Bloom 1970), the newer one filling, the older one still read.
//!
//! When the newer is full, or has stood for as long as a generation may, it becomes the older one and the oldest is
//! dropped. An entry is therefore remembered for one to two generations. Bits are chosen by a secret hash (the caller's),
//! so the set can be saved and loaded only under the same seed.

use crate::hash::mix;
use crate::time::Timestamp;

/// Hash functions of a filter: 10 at 14.4 bits a key give 0.1 % false answers.
const PROBES: u64 = 10;

/// One filter and when it was begun.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Generation {
    /// When it was begun, in nanoseconds since the epoch.
    pub since: u64,
    /// Entries in it.
    pub entries: u64,
    /// Its bits, in words.
    pub words: Vec<u64>,
}

/// The set.
#[derive(Clone, Debug)]
pub struct Bloom {
    generations: [Generation; 2],
    capacity: u64,
}

impl Generation {
    fn empty(words: usize) -> Self {
        Self { since: 0, entries: 0, words: vec![0; words] }
    }

    fn holds(&self, hash: u64) -> bool {
        self.entries > 0
            && (0..PROBES).all(|probe| {
                let (word, bit) = place(hash, probe, self.words.len());
                self.words[word] & bit != 0
            })
    }
}

impl Bloom {
    /// Builds an empty set of `bits` bits a generation (a power of two, at least 64), good for `bits` / 14.4 entries each.
    #[must_use]
    pub fn new(bits: usize) -> Self {
        assert!(bits >= 64 && bits.is_power_of_two(), "{bits} bits are no power of two");
        let words = bits / 64;
        let capacity = words as u64 * 640 / 144;
        Self { generations: [Generation::empty(words), Generation::empty(words)], capacity }
    }

    /// Returns how many entries a generation takes before the next begins.
    #[must_use]
    pub const fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Adds a hash, unless it is there; `now` dates a generation that begins with it.
    pub fn insert(&mut self, hash: u64, now: Timestamp) {
        if self.generations[0].holds(hash) {
            return;
        }
        if self.generations[0].entries >= self.capacity {
            self.turn(now);
        }
        let newest = &mut self.generations[0];
        if newest.entries == 0 {
            newest.since = now.as_nanos();
        }
        for probe in 0..PROBES {
            let (word, bit) = place(hash, probe, newest.words.len());
            newest.words[word] |= bit;
        }
        newest.entries += 1;
    }

    /// Begins a generation, if the newest is not empty and older than `age`.
    pub fn turn_after(&mut self, age: std::time::Duration, now: Timestamp) {
        let newest = &self.generations[0];
        if newest.entries > 0 && now.since(Timestamp::from_nanos(newest.since)) >= age {
            self.turn(now);
        }
    }

    fn turn(&mut self, now: Timestamp) {
        self.generations.swap(0, 1);
        let newest = &mut self.generations[0];
        newest.words.fill(0);
        (newest.entries, newest.since) = (0, now.as_nanos());
    }

    /// Tells whether a hash was added in this generation or the last; wrong for two in a thousand at most.
    #[must_use]
    pub fn contains(&self, hash: u64) -> bool {
        self.generations.iter().any(|generation| generation.holds(hash))
    }

    /// Tells whether a hash is in the newest generation, so that it need not be added.
    #[must_use]
    pub fn is_recent(&self, hash: u64) -> bool {
        self.generations[0].holds(hash)
    }

    /// Returns the generations, the newest first, to be saved. They mean something only under the same seed.
    #[must_use]
    pub const fn export(&self) -> &[Generation; 2] {
        &self.generations
    }

    /// Takes saved generations; tells whether their size fits, else nothing is changed.
    pub fn import(&mut self, generations: [Generation; 2]) -> bool {
        let words = self.generations[0].words.len();
        let fits = generations.iter().all(|one| one.words.len() == words && one.entries <= self.capacity);
        if fits {
            self.generations = generations;
        }
        fits
    }
}

fn place(hash: u64, probe: u64, words: usize) -> (usize, u64) {
    let bit = usize::try_from(mix(hash, probe) & (words as u64 * 64 - 1)).unwrap_or(0);
    (bit / 64, 1 << (bit % 64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn hash(n: u64) -> u64 {
        mix(0x1234_5678, n)
    }

    #[test]
    fn a_full_generation_answers_wrongly_for_one_in_a_thousand() {
        let mut bloom = Bloom::new(1 << 17);
        let n = bloom.capacity();
        (0..n).for_each(|thing| bloom.insert(hash(thing), Timestamp::ZERO));
        assert!((0..n).all(|thing| bloom.contains(hash(thing))));
        let wrong = (1_000_000..1_100_000).filter(|thing| bloom.contains(hash(*thing))).count();
        assert!((30..250).contains(&wrong), "{wrong} of 100,000");
    }

    #[test]
    fn an_entry_outlives_one_turn_and_not_two() {
        let mut bloom = Bloom::new(1 << 12);
        let at = |seconds| Timestamp::from_secs(seconds);
        bloom.insert(hash(1), at(0));
        bloom.turn_after(Duration::from_secs(10), at(9));
        bloom.turn_after(Duration::from_secs(10), at(10));
        assert!(bloom.contains(hash(1)));
        bloom.insert(hash(2), at(10));
        bloom.turn_after(Duration::from_secs(10), at(20));
        assert!(!bloom.contains(hash(1)) && bloom.contains(hash(2)));
    }

    #[test]
    fn what_is_seen_again_is_carried_into_the_new_generation() {
        let mut bloom = Bloom::new(1 << 12);
        let at = |seconds| Timestamp::from_secs(seconds);
        for day in 0..10 {
            bloom.turn_after(Duration::from_secs(10), at(day * 10));
            bloom.insert(hash(1), at(day * 10));
        }
        assert!(bloom.contains(hash(1)));
    }

    #[test]
    fn saved_generations_are_loaded_if_they_fit() {
        let mut bloom = Bloom::new(1 << 12);
        bloom.insert(hash(1), Timestamp::from_secs(5));
        let saved = bloom.export().clone();
        let mut loaded = Bloom::new(1 << 12);
        assert!(loaded.import(saved.clone()) && loaded.contains(hash(1)));
        assert_eq!(loaded.export()[0].since, 5_000_000_000);
        assert!(!Bloom::new(1 << 13).import(saved));
    }
}
