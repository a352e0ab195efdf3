//! Chance for drawing worlds and weeks: its own generator, so that neither shares a stream with what it measures.

/// Vigna's splitmix64 (2015): small, and the same on every machine.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// Begins a stream; streams of different `branch` of one seed have nothing in common.
    pub(super) fn new(seed: u64, branch: u64) -> Self {
        let mut random = Self(seed ^ branch.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17));
        random.bits();
        random
    }

    /// Returns 64 random bits.
    pub(super) const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number of [0, 1).
    pub(super) fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Returns a number between two, each equally likely.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// Returns a number between two, each order of magnitude equally likely.
    pub(super) fn scale(&mut self, low: f64, high: f64) -> f64 {
        low * (high / low).powf(self.uniform())
    }

    /// Returns true with the given probability.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// Returns 32 random bits.
    pub(super) const fn bits32(&mut self) -> u32 {
        let [a, b, c, d, ..] = self.bits().to_be_bytes();
        u32::from_be_bytes([a, b, c, d])
    }

    /// Returns a number of the standard normal distribution (Box & Muller 1958).
    pub(super) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Returns a count of the Poisson distribution: by multiplication where the mean is small (Knuth), by the normal
    /// distribution above 40, where the difference no longer shows.
    pub(super) fn poisson(&mut self, mean: f64) -> u32 {
        if mean > 40.0 {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, never negative")]
            let count = (mean + mean.sqrt() * self.normal()).round().max(0.0) as u32;
            return count;
        }
        let (limit, mut product, mut count) = ((-mean).exp(), self.uniform(), 0);
        while product > limit {
            product *= self.uniform();
            count += 1;
        }
        count
    }

    /// Returns how many of `n` happen that are equally probable: by inversion where few do (Kachitvichyanukul & Schmeiser
    /// 1988, BINV), by the normal distribution where at least 30 do and 30 do not.
    pub(super) fn binomial(&mut self, n: u32, probability: f64) -> u32 {
        if n == 0 || probability <= 0.0 {
            return 0;
        }
        if probability > 0.5 {
            return n - self.binomial(n, 1.0 - probability);
        }
        let (trials, mean) = (f64::from(n), f64::from(n) * probability);
        if mean >= 30.0 {
            let count = mean + (mean * (1.0 - probability)).sqrt() * self.normal();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and n")]
            let count = count.round().clamp(0.0, trials) as u32;
            return count;
        }
        let odds = probability / (1.0 - probability);
        let mut chance = (1.0 - probability).powf(trials);
        let (mut left, mut count) = (self.uniform(), 0);
        while left > chance && count < n {
            left -= chance;
            count += 1;
            chance *= odds * f64::from(n - count + 1) / f64::from(count);
        }
        count
    }

    /// Returns one of several.
    pub(super) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below the number of choices")]
        let place = (self.uniform() * of.len() as f64) as usize;
        of[place.min(of.len() - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binomial_counts_have_their_mean_and_variance() {
        let mut random = Random::new(1, 2);
        for (n, p) in [(1, 0.3), (7, 0.02), (40, 0.95), (200, 0.1), (500, 0.4)] {
            let counts: Vec<f64> = (0..40_000).map(|_| f64::from(random.binomial(n, p))).collect();
            let mean = counts.iter().sum::<f64>() / counts.len() as f64;
            let variance = counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / counts.len() as f64;
            let (of, spread) = (f64::from(n) * p, f64::from(n) * p * (1.0 - p));
            assert!((mean - of).abs() < 0.03 * spread.sqrt() + 0.002, "{n} {p}: mean {mean}");
            assert!((variance / spread - 1.0).abs() < 0.08, "{n} {p}: variance {variance}");
            assert!(counts.iter().all(|count| *count <= f64::from(n)));
        }
        assert_eq!((random.binomial(0, 0.5), random.binomial(9, 0.0), random.binomial(9, 1.0)), (0, 0, 9));
    }
}
