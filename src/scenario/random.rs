//! Chance from a seed: xoshiro256++ and the few distributions traffic is made of.
//!
//! `rand` and `rand_distr` were considered: their streams may change between releases, and committed fixtures must come
//! out byte by byte the same. For the same reason logarithm and exponential are computed here with basic operations
//! only: those of the C library differ in the last bit between processors with and without fused multiply-add.

use super::number::{floor_u64, low_u16, low_u32};

/// A stream of pseudo-random numbers: xoshiro256++ 1.0 (Blackman & Vigna 2019), seeded by SplitMix64.
#[derive(Clone, Debug)]
pub(super) struct Random {
    state: [u64; 4],
}

/// Returns the next number of SplitMix64 (Steele, Lea & Flood 2014): a good mixer of one word.
pub(super) const fn split_mix(state: u64) -> u64 {
    let z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Random {
    /// Starts the stream of a seed.
    pub(super) fn new(seed: u64) -> Self {
        let step = |n: u64| split_mix(seed.wrapping_add(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        Self { state: [step(0), step(1), step(2), step(3)] }
    }

    /// Returns 64 random bits.
    pub(super) const fn bits(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// Returns 32 random bits.
    pub(super) const fn bits32(&mut self) -> u32 {
        (self.bits() >> 32) as u32
    }

    /// Returns a number in [0, 1).
    pub(super) const fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Returns a whole number in 0..n, 0 for n = 0 (Lemire 2019, without the rejection: n is far below 2^32 here).
    pub(super) const fn below(&mut self, n: u32) -> u32 {
        ((self.bits32() as u64 * n as u64) >> 32) as u32
    }

    /// Returns one of `count` ports from `first` on.
    pub(super) fn port(&mut self, first: u16, count: u16) -> u16 {
        first.saturating_add(low_u16(u64::from(self.below(u32::from(count)))))
    }

    /// Returns an index in 0..length.
    pub(super) fn index(&mut self, length: usize) -> usize {
        self.below(low_u32(length as u64)) as usize
    }

    /// Returns a number in [low, high).
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Tells whether something of this probability happens.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Draws from the exponential distribution.
    pub(super) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * ln(1.0 - self.unit())
    }

    /// Draws from the standard normal distribution (Marsaglia's polar method, 1964).
    pub(super) fn normal(&mut self) -> f64 {
        loop {
            let (x, y) = (self.between(-1.0, 1.0), self.between(-1.0, 1.0));
            let s = x * x + y * y;
            if s > 0.0 && s < 1.0 {
                return x * (-2.0 * ln(s) / s).sqrt();
            }
        }
    }

    /// Draws from the log-normal distribution of this median and this standard deviation of the logarithm.
    pub(super) fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        median * exp(sigma * self.normal())
    }

    /// Draws from the Pareto distribution of index `alpha`, bounded to [low, high], by its inverse.
    pub(super) fn bounded_pareto(&mut self, low: f64, high: f64, alpha: f64) -> f64 {
        let tail = exp(alpha * ln(low / high));
        let u = self.unit();
        low * exp(-ln(1.0 - u * (1.0 - tail)) / alpha)
    }

    /// Draws from the geometric distribution on 1, 2, 3... of this mean, at most `most`.
    pub(super) fn geometric(&mut self, mean: f64, most: u32) -> u32 {
        if mean <= 1.0 {
            return 1;
        }
        let trials = ln(1.0 - self.unit()) / ln(1.0 - 1.0 / mean);
        low_u32(1 + floor_u64(trials)).min(most)
    }

    /// Draws a rank in 0..n with Zipf's law of exponent 1, by the inverse of its continuous form.
    pub(super) fn zipf(&mut self, n: u32) -> u32 {
        let n = n.max(1);
        let rank = exp(self.unit() * ln(f64::from(n) + 1.0)) - 1.0;
        low_u32(floor_u64(rank)).min(n - 1)
    }
}

/// Returns the natural logarithm of a positive normal number, to about 1e-13.
pub(super) fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let exponent = f64::from((bits >> 52) as u32) - 1023.0;
    let mantissa = f64::from_bits((bits & 0x000f_ffff_ffff_ffff) | 0x3ff0_0000_0000_0000);
    let (mantissa, exponent) =
        if mantissa > std::f64::consts::SQRT_2 { (mantissa / 2.0, exponent + 1.0) } else { (mantissa, exponent) };
    // ln m = 2 artanh((m - 1) / (m + 1)); the argument is below 0.172, so nine terms leave less than 1e-15.
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let mut sum = 0.0;
    for term in (0..9_u32).rev() {
        sum = sum * square + 1.0 / f64::from(2 * term + 1);
    }
    2.0 * s * sum + exponent * std::f64::consts::LN_2
}

/// Returns e to the power of x, for x in -700..700.
pub(super) fn exp(x: f64) -> f64 {
    let x = x.clamp(-700.0, 700.0);
    let halvings = (x / std::f64::consts::LN_2).round();
    let rest = x - halvings * std::f64::consts::LN_2;
    // Taylor's series; the rest is below 0.347, so fourteen terms leave less than 1e-17.
    let mut sum = 1.0;
    for term in (1..14_u32).rev() {
        sum = 1.0 + sum * rest / f64::from(term);
    }
    let exponent = floor_u64(halvings + 1023.0);
    sum * f64::from_bits(exponent << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithm_and_exponential_agree_with_the_library() {
        let mut random = Random::new(1);
        for _ in 0..10_000 {
            let x = random.between(-600.0, 600.0);
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-12, "{x}");
            let y = exp(x);
            assert!((ln(y) - y.ln()).abs() < 1e-12, "{y}");
        }
        assert!(ln(1.0).abs() < 1e-15);
    }

    #[test]
    fn distributions_have_their_means() {
        let mut random = Random::new(2);
        let n = 200_000;
        let mean = |draw: &mut dyn FnMut(&mut Random) -> f64, random: &mut Random| {
            (0..n).map(|_| draw(random)).sum::<f64>() / f64::from(n)
        };
        assert!((mean(&mut |r| r.unit(), &mut random) - 0.5).abs() < 0.005);
        assert!((mean(&mut |r| r.exponential(3.0), &mut random) - 3.0).abs() < 0.05);
        assert!(mean(&mut |r| r.normal(), &mut random).abs() < 0.01);
        assert!((mean(&mut |r| r.normal().powi(2), &mut random) - 1.0).abs() < 0.02);
        assert!((mean(&mut |r| f64::from(r.geometric(4.0, 1_000)), &mut random) - 4.0).abs() < 0.05);
        // Bounded Pareto: mean = a l^a / (1 - (l/h)^a) (l^(1-a) - h^(1-a)) / (a - 1).
        let (l, h, a) = (1.0_f64, 100.0_f64, 1.2_f64);
        let expected = a * l.powf(a) / (1.0 - (l / h).powf(a)) * (l.powf(1.0 - a) - h.powf(1.0 - a)) / (a - 1.0);
        assert!((mean(&mut |r| r.bounded_pareto(l, h, a), &mut random) / expected - 1.0).abs() < 0.05);
    }

    #[test]
    fn the_stream_of_a_seed_never_changes() {
        let mut random = Random::new(1);
        let first: Vec<u64> = (0..3).map(|_| random.bits()).collect();
        let mut again = Random::new(1);
        assert_eq!(first, (0..3).map(|_| again.bits()).collect::<Vec<_>>());
        assert_ne!(first, {
            let mut other = Random::new(2);
            (0..3).map(|_| other.bits()).collect::<Vec<_>>()
        });
    }

    #[test]
    fn zipf_ranks_fall_off_and_stay_inside() {
        let mut random = Random::new(3);
        let mut counts = [0_u32; 50];
        for _ in 0..50_000 {
            counts[random.zipf(50) as usize] += 1;
        }
        assert!(counts[0] > 3 * counts[9] && counts[9] > counts[49], "{counts:?}");
    }
}
