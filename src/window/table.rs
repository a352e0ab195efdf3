//! A table of fixed size for what the scorer remembers by source or by pair.
//!
//! Eight places a set, chosen by a keyed hash, so that nobody can crowd out a chosen entry. When a set is full the entry
//! worth least makes room, and among equals the one longest unseen; an entry that is worth more than nothing is never lost
//! to one that comes for the first time while a worthless one stands beside it. `hashbrown` was considered: a map needs
//! its eviction order beside it, which is another map.

use crate::hash::Seed;
use crate::time::Tick;

/// Places of a set.
const WAYS: usize = 8;

/// What an entry is told apart by; `hash` is keyed.
pub trait Key: Copy + Eq {
    /// Hashes it under a secret.
    fn hash(&self, secret: Seed) -> u64;
}

/// How much would be lost with an entry.
pub trait Worth {
    /// Evidence gathered: the smallest goes first.
    fn worth(&self) -> u64;
    /// When it was last of use: among equals the oldest goes first.
    fn last_seen(&self) -> Tick;
}

/// The table.
#[derive(Clone, Debug)]
pub struct Table<K, V> {
    seed: Seed,
    sets: Vec<Vec<(K, V)>>,
    len: usize,
}

impl<K: Key, V: Worth> Table<K, V> {
    /// Builds an empty table of at most `most` entries, rounded up to whole sets. Sets get their places when first used.
    #[must_use]
    pub fn new(seed: Seed, most: usize) -> Self {
        let sets = std::iter::repeat_with(Vec::new).take(most.div_ceil(WAYS).max(1)).collect();
        Self { seed, sets, len: 0 }
    }

    /// Returns an entry.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        self.sets[self.set(key)].iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    /// Returns an entry to change.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let set = self.set(key);
        self.sets[set].iter_mut().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    /// Returns an entry, made by `make` if there is none; the entry of its set worth least makes room.
    pub fn entry(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        let at = self.set(&key);
        let set = &mut self.sets[at];
        let place = match set.iter().position(|(known, _)| *known == key) {
            Some(place) => place,
            None if set.len() < WAYS => {
                set.push((key, make()));
                self.len += 1;
                set.len() - 1
            }
            None => {
                let loser =
                    (0..WAYS).min_by_key(|place| (set[*place].1.worth(), set[*place].1.last_seen())).unwrap_or(0);
                set[loser] = (key, make());
                loser
            }
        };
        &mut set[place].1
    }

    /// Returns all entries, in an order that depends on the seed only.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.sets.iter().flatten().map(|(key, value)| (key, value))
    }

    /// Returns all entries to change, in the same order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.sets.iter_mut().flatten().map(|(key, value)| (&*key, value))
    }

    /// Drops an entry.
    pub fn remove(&mut self, key: &K) {
        let set = self.set(key);
        let before = self.sets[set].len();
        self.sets[set].retain(|(known, _)| known != key);
        self.len -= before - self.sets[set].len();
    }

    /// Drops the entries that `keep` does not want.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        for set in &mut self.sets {
            set.retain_mut(|(key, value)| keep(key, value));
        }
        self.len = self.sets.iter().map(Vec::len).sum();
    }

    /// Returns how many entries there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Tells whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn set(&self, key: &K) -> usize {
        usize::try_from(key.hash(self.seed) % self.sets.len() as u64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::mix;

    impl Key for u32 {
        fn hash(&self, secret: Seed) -> u64 {
            mix(secret.0[0], u64::from(*self))
        }
    }

    struct Entry(u64, Tick);

    impl Worth for Entry {
        fn worth(&self) -> u64 {
            self.0
        }
        fn last_seen(&self) -> Tick {
            self.1
        }
    }

    #[test]
    fn the_table_never_grows_and_keeps_what_is_worth_most() {
        let mut table: Table<u32, Entry> = Table::new(Seed::default(), 256);
        for key in 0..100 {
            table.entry(key, || Entry(5, Tick::new(0)));
        }
        for key in 1_000..100_000_u32 {
            table.entry(key, || Entry(1, Tick::new(u64::from(key))));
        }
        assert!(table.len() <= 256);
        assert!((0..100).filter(|key| table.get(key).is_some()).count() >= 95);
        assert!(table.get(&99_999).is_some(), "the newest of the worthless stays");
    }
}
