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

/// The entries of a set, and a byte of each one's hash: most of what a key is not is told without reading another key.
#[derive(Clone, Debug)]
struct Set<K, V> {
    tags: [u8; WAYS],
    entries: Vec<(K, V)>,
}

impl<K: Copy + Eq, V> Set<K, V> {
    const EMPTY: Self = Self { tags: [0; WAYS], entries: Vec::new() };

    fn find(&self, tag: u8, key: &K) -> Option<usize> {
        let places = self.tags.iter().zip(&self.entries).enumerate();
        places
            .filter(|(_, (known, _))| **known == tag)
            .find(|(_, (_, (known, _)))| known == key)
            .map(|(place, _)| place)
    }

    /// Puts an entry where another one was, or after the last.
    fn put(&mut self, place: usize, tag: u8, entry: (K, V)) {
        self.tags[place] = tag;
        if place < self.entries.len() {
            self.entries[place] = entry;
        } else {
            self.entries.push(entry);
        }
    }

    fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        let (mut read, mut written) = (0, 0);
        let tags = &mut self.tags;
        self.entries.retain_mut(|(key, value)| {
            let stays = keep(key, value);
            tags[written] = tags[read];
            read += 1;
            written += usize::from(stays);
            stays
        });
    }
}

/// The table.
#[derive(Clone, Debug)]
pub struct Table<K, V> {
    seed: Seed,
    sets: Vec<Set<K, V>>,
    len: usize,
}

impl<K: Key, V: Worth> Table<K, V> {
    /// Builds an empty table of at most `most` entries, rounded up to whole sets. Sets get their places when first used.
    #[must_use]
    pub fn new(seed: Seed, most: usize) -> Self {
        let sets = std::iter::repeat_with(|| Set::EMPTY).take(most.div_ceil(WAYS).max(1)).collect();
        Self { seed, sets, len: 0 }
    }

    /// Returns an entry.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        let (set, tag) = self.place(key);
        let set = &self.sets[set];
        set.find(tag, key).map(|place| &set.entries[place].1)
    }

    /// Returns an entry to change.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let (set, tag) = self.place(key);
        let set = &mut self.sets[set];
        set.find(tag, key).map(|place| &mut set.entries[place].1)
    }

    /// Returns an entry, made by `make` if there is none; the entry of its set worth least makes room.
    pub fn entry(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        let (set, tag) = self.place(&key);
        let set = &mut self.sets[set];
        let place = match set.find(tag, &key) {
            Some(place) => place,
            None => {
                let place = if set.entries.len() < WAYS {
                    self.len += 1;
                    set.entries.len()
                } else {
                    let worth = |place: &usize| (set.entries[*place].1.worth(), set.entries[*place].1.last_seen());
                    (0..WAYS).min_by_key(worth).unwrap_or(0)
                };
                set.put(place, tag, (key, make()));
                place
            }
        };
        &mut set.entries[place].1
    }

    /// Returns all entries, in an order that depends on the seed only.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.sets.iter().flat_map(|set| &set.entries).map(|(key, value)| (key, value))
    }

    /// Returns all entries to change, in the same order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.sets.iter_mut().flat_map(|set| &mut set.entries).map(|(key, value)| (&*key, value))
    }

    /// Drops an entry.
    pub fn remove(&mut self, key: &K) {
        let (set, _) = self.place(key);
        let set = &mut self.sets[set];
        let before = set.entries.len();
        set.retain(|known, _| known != key);
        self.len -= before - set.entries.len();
    }

    /// Drops the entries that `keep` does not want.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        self.sets.iter_mut().for_each(|set| set.retain(&mut keep));
        self.len = self.sets.iter().map(|set| set.entries.len()).sum();
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

    /// Returns the set of a key, and its tag in there.
    fn place(&self, key: &K) -> (usize, u8) {
        let hash = key.hash(self.seed);
        (usize::try_from(hash % self.sets.len() as u64).unwrap_or(0), hash.to_le_bytes()[7])
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
