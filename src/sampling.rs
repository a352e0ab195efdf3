//! Which conversations are counted when there are more packets than can be handled, and how many each then stands for.
//!
//! The unit is the unordered pair of addresses, by the keyed hash that also chooses its partition: all that a client and
//! a host say to each other is counted, or none of it. So handshakes keep their answers, datagrams their replies and
//! fragments their first ones, and whatever is known of a client's visit to a host is whole; what a sampled run counts is
//! what an exact run counts of one pair in 2^s, chosen at random. Sampling by the ports as well would spread the packets
//! of one heavy client more evenly, and was rejected: every client would look as if it did a fraction of what it does,
//! which is how robots look.
//!
//! A count divided by the chance of being counted is unbiased (Horvitz & Thompson 1952). Pairs chosen at one level are
//! chosen at all lower ones, so that a higher level only takes away.

use crate::hash::mix;

/// One pair in 2^level is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sampling(u8);

/// Separates this choice from that of the partition, which is made by the same hash.
const KEY: u64 = 0x51f1_5eed_0b5e_55ed;

impl Sampling {
    /// Everything is counted.
    pub const WHOLE: Self = Self(0);
    /// One pair in 64: of what is shed, reading and decoding remain, so that little is gained by going further.
    pub const SPARSEST: Self = Self(6);

    /// Tells whether a pair is counted, by the hash of its addresses ([`crate::hash::Seed::pair`]).
    #[must_use]
    pub const fn keeps(self, pair_hash: u64) -> bool {
        self.0 == 0 || mix(pair_hash, KEY).trailing_zeros() >= self.0 as u32
    }

    /// Returns how many pairs each counted one stands for, 1 to 64.
    #[must_use]
    pub const fn one_in(self) -> u32 {
        1 << self.0
    }

    /// Returns the part that is counted, 1 down to 1/64.
    #[must_use]
    pub fn part(self) -> f64 {
        1.0 / f64::from(self.one_in())
    }

    /// Tells whether everything is counted.
    #[must_use]
    pub const fn is_whole(self) -> bool {
        self.0 == 0
    }

    /// Returns the next level, at which half as much is counted; the sparsest has none.
    #[must_use]
    pub const fn sparser(self) -> Self {
        if self.0 < Self::SPARSEST.0 { Self(self.0 + 1) } else { self }
    }

    /// Returns the level before, at which twice as much is counted; the whole has none.
    #[must_use]
    pub const fn denser(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use crate::hash::{PARTITIONS, Seed, partition};

    fn levels() -> Vec<Sampling> {
        std::iter::successors(Some(Sampling::WHOLE), |level| Some(level.sparser()))
            .take(1 + usize::from(Sampling::SPARSEST.0))
            .collect()
    }

    fn pairs() -> impl Iterator<Item = u64> {
        let server = Address::v4([192, 0, 2, 1]);
        (0..200_000_u32).map(move |n| Seed::default().pair(Address::v4(n.to_be_bytes()), server))
    }

    #[test]
    fn each_level_counts_its_part_of_every_partition() {
        for level in levels() {
            let mut kept = [0_u32; PARTITIONS];
            pairs().filter(|hash| level.keeps(*hash)).for_each(|hash| kept[partition(hash)] += 1);
            let (all, n) = (f64::from(kept.iter().sum::<u32>()), 200_000.0);
            let spread = (n * level.part() * (1.0 - level.part())).sqrt();
            assert!((all - n * level.part()).abs() <= 4.0 * spread, "{level:?}: {all}");
            let mean = all / PARTITIONS as f64;
            assert!(kept.iter().all(|n| (f64::from(*n) - mean).abs() < 5.0 * mean.sqrt()), "{level:?}: {kept:?}");
        }
    }

    #[test]
    fn what_is_counted_at_a_level_is_counted_at_all_lower_ones() {
        for hash in pairs().take(20_000) {
            assert!(levels().windows(2).all(|pair| pair[0].keeps(hash) || !pair[1].keeps(hash)));
        }
    }

    #[test]
    fn levels_end_at_the_whole_and_at_one_in_64() {
        assert_eq!(levels().iter().map(|level| level.one_in()).collect::<Vec<_>>(), [1, 2, 4, 8, 16, 32, 64]);
        assert_eq!((Sampling::SPARSEST.sparser(), Sampling::WHOLE.denser()), (Sampling::SPARSEST, Sampling::WHOLE));
    }
}
