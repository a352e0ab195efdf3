//! Distinct sources by HyperLogLog (Flajolet et al. 2007): 1,024 registers of a byte, joined by maximum.
//!
//! The crate `datasketches` was considered: its hash has a public seed, and unkeyed registers can be driven up or down by
//! whoever chooses the addresses (Paterson & Raynal 2021). Here every item is hashed with the run's key first, and
//! registers are never exported. The estimate is Ertl's (2017, arXiv 1702.01284, algorithm 6), which needs no tables and
//! no switch between ranges.

use crate::address::Address;
use crate::hash::{Seed, mix};
use crate::summary::SOURCE_PRECISION;

/// Registers of a sketch.
pub type Registers = [u8; 1 << SOURCE_PRECISION];

/// Bits of a hash that are left after choosing the register.
const RANK_BITS: u32 = 64 - SOURCE_PRECISION;

/// Hashes a source unit for a sketch: keyed, so that nobody outside can choose registers.
#[must_use]
pub fn source_hash(seed: Seed, unit: Address) -> u64 {
    mix(address_hash(seed.0[0], unit), seed.0[1])
}

/// Hashes an address with a secret key: a few nanoseconds where a hash of its own is needed a packet.
pub(crate) fn address_hash(key: u64, address: Address) -> u64 {
    let [a, b, c, d, e, f, g, h, rest @ ..] = address.bytes();
    mix(mix(key, u64::from_be_bytes([a, b, c, d, e, f, g, h])), u64::from_be_bytes(rest))
}

/// Counts an item by its hash.
pub fn insert(registers: &mut Registers, hash: u64) {
    let register = (hash >> RANK_BITS) as usize;
    // The guard bit bounds the rank at RANK_BITS + 1.
    let rank = ((hash << SOURCE_PRECISION) | (1 << (SOURCE_PRECISION - 1))).leading_zeros() + 1;
    registers[register] = registers[register].max(u8::try_from(rank).unwrap_or(u8::MAX));
}

/// Joins another sketch with the same key into this one.
pub fn join(registers: &mut Registers, other: &Registers) {
    for (mine, theirs) in registers.iter_mut().zip(other) {
        *mine = (*mine).max(*theirs);
    }
}

/// Estimates the number of distinct items; the relative standard error is 1.04 / sqrt(1024) = 3.3 %.
#[must_use]
pub fn estimate(registers: &Registers) -> f64 {
    let m = registers.len() as f64;
    let mut counts = [0_u32; RANK_BITS as usize + 2];
    for rank in registers {
        counts[usize::from(*rank).min(RANK_BITS as usize + 1)] += 1;
    }
    let mut z = m * tau(1.0 - f64::from(counts[RANK_BITS as usize + 1]) / m);
    for count in counts[1..=RANK_BITS as usize].iter().rev() {
        z = 0.5 * (z + f64::from(*count));
    }
    z += m * sigma(f64::from(counts[0]) / m);
    m * m / (2.0 * std::f64::consts::LN_2 * z)
}

/// x + sum over k of x^(2^k) 2^(k-1): corrects for empty registers; infinite when all are empty.
fn sigma(x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut power, mut weight, mut sum) = (x, 1.0, x);
    loop {
        power *= power;
        let before = sum;
        sum += power * weight;
        weight += weight;
        if sum == before {
            return sum;
        }
    }
}

/// A third of 1 - x - sum over k of (1 - x^(2^-k))^2 2^-k: corrects for full registers.
fn tau(x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut root, mut weight, mut sum) = (x, 1.0, 1.0 - x);
    loop {
        root = root.sqrt();
        let before = sum;
        weight *= 0.5;
        sum -= (1.0 - root).powi(2) * weight;
        if sum == before {
            return sum / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sketch(items: std::ops::Range<u32>) -> Registers {
        let mut registers = [0; 1 << SOURCE_PRECISION];
        for n in items {
            insert(&mut registers, source_hash(Seed::default(), Address::v4(n.to_be_bytes())));
        }
        registers
    }

    #[test]
    fn the_error_stays_within_four_standard_errors() {
        let bound = 4.0 * 1.04 / f64::from(1_u32 << SOURCE_PRECISION).sqrt();
        for n in [1, 10, 100, 1_000, 2_500, 5_000, 10_000, 100_000, 1_000_000] {
            let estimate = estimate(&sketch(0..n));
            let error = (estimate / f64::from(n) - 1.0).abs();
            assert!(error <= bound, "{n} items were estimated as {estimate}");
        }
    }

    #[test]
    fn nothing_is_estimated_as_zero() {
        assert_eq!(estimate(&[0; 1 << SOURCE_PRECISION]), 0.0);
    }

    #[test]
    fn full_registers_give_a_finite_estimate() {
        let full = [u8::try_from(RANK_BITS + 1).unwrap(); 1 << SOURCE_PRECISION];
        assert!(estimate(&full) > 1e15);
    }

    #[test]
    fn joined_sketches_are_the_sketch_of_all() {
        let mut joined = sketch(0..5_000);
        join(&mut joined, &sketch(4_000..9_000));
        assert_eq!(joined, sketch(0..9_000));
    }

    #[test]
    fn repetition_changes_nothing() {
        let once = sketch(0..1_000);
        let mut twice = once;
        join(&mut twice, &sketch(0..1_000));
        assert_eq!(once, twice);
    }
}
