//! Keyed hashing: attackers choose the keys of every table, so they must not know its order.
//!
//! One SipHash-1-3 (Aumasson & Bernstein 2012, reduced rounds as in Rust's own tables) of the unordered address pair is
//! taken per packet. Its top six bits choose one of 64 partitions; everything else that needs a hash mixes it further
//! with [`mix`], so that a packet is hashed once.

use std::hash::{BuildHasher, Hasher};

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
    #[inline(always)]
    pub const fn pair(self, a: Address, b: Address) -> u64 {
        let (a, b) = (a.as_u128(), b.as_u128());
        let ([a, b], [c, d]) = if a <= b { (words(a), words(b)) } else { (words(b), words(a)) };
        sip_hash(self.0, [a, b, c, d])
    }

    /// Hashes one address.
    #[must_use]
    pub const fn address(self, address: Address) -> u64 {
        sip_hash([self.0[0] ^ 0x5bd1_e995, self.0[1]], words(address.as_u128()))
    }
}

/// An address's number as the two words that SipHash reads from its bytes. From bytes, one by one, a compiler makes forty
/// instructions of it.
#[expect(clippy::cast_possible_truncation, reason = "the two halves are taken apart")]
const fn words(address: u128) -> [u64; 2] {
    [((address >> 64) as u64).swap_bytes(), (address as u64).swap_bytes()]
}

/// SipHash-1-3 of whole words. The crate `siphasher`, which the tests hold this against, takes any number of bytes in any
/// pieces, and twice the instructions: of all that is done for a packet this was a tenth.
const fn sip_hash<const N: usize>(key: [u64; 2], words: [u64; N]) -> u64 {
    let mut state = [
        key[0] ^ 0x736f_6d65_7073_6575,
        key[1] ^ 0x646f_7261_6e64_6f6d,
        key[0] ^ 0x6c79_6765_6e65_7261,
        key[1] ^ 0x7465_6462_7974_6573,
    ];
    let mut at = 0;
    while at <= N {
        // The last block holds the length in bytes, and what is left of them: nothing.
        let word = if at < N { words[at] } else { (N as u64 * 8) << 56 };
        state[3] ^= word;
        state = sip_round(state);
        state[0] ^= word;
        at += 1;
    }
    state[2] ^= 0xff;
    state = sip_round(sip_round(sip_round(state)));
    state[0] ^ state[1] ^ state[2] ^ state[3]
}

/// SipRound (Aumasson & Bernstein 2012, figure 2.1).
#[inline(always)]
const fn sip_round([mut a, mut b, mut c, mut d]: [u64; 4]) -> [u64; 4] {
    a = a.wrapping_add(b);
    c = c.wrapping_add(d);
    b = b.rotate_left(13) ^ a;
    d = d.rotate_left(16) ^ c;
    a = a.rotate_left(32).wrapping_add(d);
    c = c.wrapping_add(b);
    b = b.rotate_left(17) ^ c;
    d = d.rotate_left(21) ^ a;
    c = c.rotate_left(32);
    [a, b, c, d]
}

/// Maps keyed by addresses hash them with [`mix`]: a fifth of what the standard library's SipHash takes, and as secret.
impl BuildHasher for Seed {
    type Hasher = Mixer;

    fn build_hasher(&self) -> Mixer {
        Mixer(self.0[0] ^ self.0[1].rotate_left(32))
    }
}

/// Takes a key into a secret, eight bytes at a time.
#[derive(Clone, Copy, Debug)]
pub struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks();
        words.iter().for_each(|word| self.write_u64(u64::from_le_bytes(*word)));
        rest.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = mix(self.0, word);
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

    use proptest::prelude::*;
    use siphasher::sip::SipHasher13;

    use super::*;

    #[test]
    fn a_pair_hash_has_no_direction() {
        let (a, b) = ("192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap());
        assert_eq!(Seed::default().pair(a, b), Seed::default().pair(b, a));
        assert_ne!(Seed::default().pair(a, a), Seed::default().pair(b, b));
    }

    proptest! {
        #[test]
        fn hashes_are_those_of_the_reference(key: [u64; 2], a: [u8; 16], b: [u8; 16]) {
            let (a, b) = (Address::v6(a), Address::v6(b));
            let mut pair = SipHasher13::new_with_keys(key[0], key[1]);
            pair.write(&a.min(b).bytes());
            pair.write(&a.max(b).bytes());
            prop_assert_eq!(Seed(key).pair(a, b), pair.finish());
            let mut one = SipHasher13::new_with_keys(key[0] ^ 0x5bd1_e995, key[1]);
            one.write(&a.bytes());
            prop_assert_eq!(Seed(key).address(a), one.finish());
        }
    }

    #[test]
    fn a_map_by_address_depends_on_the_seed_and_on_every_byte() {
        let hash = |seed: Seed, bytes: [u8; 16]| seed.hash_one(Address::v6(bytes));
        let other = Seed([Seed::default().0[0], 7]);
        assert_ne!(hash(Seed::default(), [1; 16]), hash(other, [1; 16]));
        for place in 0..16 {
            let mut bytes = [1; 16];
            bytes[place] = 2;
            assert_ne!(hash(Seed::default(), bytes), hash(Seed::default(), [1; 16]), "byte {place}");
        }
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
