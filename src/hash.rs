//! Keyed hashing: attackers choose the keys of every table, so they must not know its order.
//!
//! One SipHash-1-3 (Aumasson & Bernstein 2012, reduced rounds as in Rust's own tables) of the unordered address pair is
//! taken per packet. Its top six bits choose one of 64 partitions; everything else that needs a hash mixes it further
//! with [`mix`], so that a packet is hashed once.

use siphasher::sip::SipHasher13;

use crate::address::Address;

/// How many partitions state is divided into; a shard owns whole partitions (DESIGN 4).
pub const PARTITIONS: usize = 64;

/// The key of a run. Live runs draw it at random; replay uses a fixed one unless told otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub [u64; 2]);

impl Default for Seed {
    /// The seed of replays, so that the same input gives the same alerts: the first digits of pi.
    fn default() -> Self {
        Self([0x2436_8820_0583_0892, 0x8551_3130_8198_a2e0])
    }
}

impl Seed {
    /// Hashes the pair of addresses without regard to their order.
    #[must_use]
    pub fn pair(self, a: Address, b: Address) -> u64 {
        let (low, high) = if a <= b { (a, b) } else { (b, a) };
        let mut pair = [0; 32];
        pair[..16].copy_from_slice(&low.bytes());
        pair[16..].copy_from_slice(&high.bytes());
        // In one piece: written in two, the hasher's book-keeping of odd lengths takes as long as the hashing.
        SipHasher13::new_with_keys(self.0[0], self.0[1]).hash(&pair)
    }

    /// Hashes one address.
    #[must_use]
    pub fn address(self, address: Address) -> u64 {
        SipHasher13::new_with_keys(self.0[0] ^ 0x5bd1_e995, self.0[1]).hash(&address.bytes())
    }
}

/// Returns the partition, 0..64, of a pair hash.
#[must_use]
pub const fn partition(pair_hash: u64) -> usize {
    (pair_hash >> 58) as usize
}

/// Mixes a value into a secret hash (the folded multiply of wyhash, Wang Yi 2019): as unpredictable as `hash`.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "the two halves are folded")]
pub const fn mix(hash: u64, value: u64) -> u64 {
    let product = ((hash ^ 0xa076_1d64_78bd_642f) as u128) * ((value ^ 0xe703_7ed1_a0b4_28db) as u128);
    (product as u64) ^ ((product >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use std::hash::Hasher;

    use super::*;

    #[test]
    fn a_pair_hash_has_no_direction() {
        let (a, b) = ("192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap());
        assert_eq!(Seed::default().pair(a, b), Seed::default().pair(b, a));
        assert_ne!(Seed::default().pair(a, a), Seed::default().pair(b, b));
    }

    #[test]
    fn a_hash_in_one_piece_is_that_of_its_parts() {
        let (a, b) = (Address::v4([192, 0, 2, 1]), "2001:db8::1".parse::<Address>().unwrap());
        let Seed([first, second]) = Seed::default();
        let mut pair = SipHasher13::new_with_keys(first, second);
        let (low, high) = if a <= b { (a, b) } else { (b, a) };
        pair.write(&low.bytes());
        pair.write(&high.bytes());
        assert_eq!(Seed::default().pair(a, b), pair.finish());
        let mut one = SipHasher13::new_with_keys(first ^ 0x5bd1_e995, second);
        one.write(&a.bytes());
        assert_eq!(Seed::default().address(a), one.finish());
    }

    #[test]
    fn partitions_fill_evenly() {
        let mut counts = [0_u32; PARTITIONS];
        let server = Address::v4([192, 0, 2, 1]);
        for n in 0..64_000_u32 {
            counts[partition(Seed::default().pair(server, Address::v4(n.to_be_bytes())))] += 1;
        }
        assert!(counts.iter().all(|count| (800..1_200).contains(count)), "{counts:?}");
    }
}
