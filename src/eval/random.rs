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

    /// Returns one of several.
    pub(super) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below the number of choices")]
        let place = (self.uniform() * of.len() as f64) as usize;
        of[place.min(of.len() - 1)]
    }
}
