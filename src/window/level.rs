//! What is usual for a rate or a share: a robust level with an upper envelope, from ten-second samples.
//!
//! Works on logarithms (DETECTION 1.2). For the first hour the level is the median so far, which half of the samples
//! would have to be bad to move; then a clipped EWMA follows it with a half-life of two hours, so that an attacker who is
//! never noticed moves it by 3.5 % an hour at most. Samples from an alarming time weigh less, and nothing from half the
//! alert line on. The weekly profile is a later part; this is the level under it.
//!
//! Below 180 s nothing is promised: [`Level::envelope`] is `None`.

/// Samples kept: one hour of ten-second samples.
const KEPT: usize = 360;

/// Samples before the level is used: 180 s (DETECTION 0.2, "What fires without history").
pub const ARMED_AFTER: usize = 18;

/// Smallest spread of the logarithm: even a very even hour is not evener than 5 % (DETECTION 1.2).
const SIGMA_FLOOR: f64 = 0.05;

/// Envelope width in spreads once an hour is known, and before (DETECTION 1.2: 3 for a ticket, plus 2 in a cold start).
const WIDTH: f64 = 3.0;
const WIDTH_COLD: f64 = 5.0;

/// Half-life of the level in samples: two hours.
const HALF_LIFE: f64 = 720.0;

/// How known a level is, as exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Fewer than 180 s: nothing is usual yet.
    Unarmed,
    /// Less than an hour: the median so far, with a wide envelope.
    Cold,
    /// More than an hour: level with a normal envelope.
    Level,
}

/// The accepted samples of the last hour, as a ring. Four bytes each: there are hundreds of subjects and countries.
#[derive(Clone, Debug, Default)]
struct Samples {
    values: Vec<f32>,
    next: usize,
}

impl Samples {
    #[expect(clippy::cast_possible_truncation, reason = "seven digits are plenty for a median")]
    fn push(&mut self, value: f64) {
        if self.values.len() < KEPT {
            self.values.push(value as f32);
        } else {
            self.values[self.next] = value as f32;
            self.next = (self.next + 1) % KEPT;
        }
    }
}

/// The level of one rate, in events a second.
#[derive(Clone, Debug, Default)]
pub struct Level {
    /// Logarithms of rates.
    samples: Samples,
    seen: usize,
    level: f64,
    sigma: f64,
}

impl Level {
    /// Takes a sample, `rate` events a second over `seconds`, with a weight of 0 (alarming: ignored) to 1 (quiet).
    pub fn learn(&mut self, rate: f64, seconds: f64, weight: f64) {
        if weight <= 0.0 {
            return;
        }
        let y = (rate + 0.5 / seconds).ln();
        self.samples.push(y);
        self.seen += 1;
        let (median, sigma) = median_and_spread(&self.samples.values);
        self.sigma = sigma.max(SIGMA_FLOOR);
        if self.seen <= KEPT {
            self.level = median;
        } else {
            let gain = weight * (1.0 - 0.5_f64.powf(1.0 / HALF_LIFE));
            self.level += gain * (y - self.level).clamp(-self.sigma, self.sigma);
        }
    }

    /// Returns how known the level is.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        match self.seen {
            0..ARMED_AFTER => Phase::Unarmed,
            ARMED_AFTER..KEPT => Phase::Cold,
            _ => Phase::Level,
        }
    }

    /// Returns the usual rate a second, once armed.
    #[must_use]
    pub fn usual(&self) -> Option<f64> {
        (self.phase() > Phase::Unarmed).then(|| self.level.exp())
    }

    /// Returns the upper envelope a second, once armed: what is usual at most. `floor` is the smallest excess that
    /// matters, in events a second.
    #[must_use]
    pub fn envelope(&self, floor: f64) -> Option<f64> {
        let usual = self.usual()?;
        let width = if self.phase() == Phase::Level { WIDTH } else { WIDTH_COLD };
        Some((usual * (width * self.sigma).exp()).max(1.3 * usual).max(usual + floor))
    }

    /// Returns the spread of the logarithm.
    #[must_use]
    pub const fn sigma(&self) -> f64 {
        self.sigma
    }
}

/// The usual value of a share, 0 to 1, from ten-second samples; the same median and hour, on the plain scale.
#[derive(Clone, Debug, Default)]
pub struct ShareLevel {
    samples: Samples,
    seen: usize,
    median: f64,
    sigma: f64,
}

impl ShareLevel {
    /// Takes a sample with a weight of 0 (alarming: ignored) to 1.
    pub fn learn(&mut self, share: f64, weight: f64) {
        if weight < 0.5 {
            return;
        }
        self.samples.push(share);
        self.seen += 1;
        (self.median, self.sigma) = median_and_spread(&self.samples.values);
    }

    /// Tells whether 180 s of samples are known.
    #[must_use]
    pub const fn is_armed(&self) -> bool {
        self.seen >= ARMED_AFTER
    }

    /// Returns the usual share, once there are samples enough for a median.
    #[must_use]
    pub fn usual(&self) -> Option<f64> {
        self.is_armed().then_some(self.median)
    }

    /// Returns what is usual at most: median and spreads, plus a hundredth, at least `floor`; `floor` while unarmed.
    #[must_use]
    pub fn envelope(&self, floor: f64) -> f64 {
        if self.is_armed() { (self.median + WIDTH * self.sigma + 0.01).max(floor).min(0.9) } else { floor }
    }

    /// Returns the spread of the samples relative to the usual share: that of its logarithm, nearly; 0 while unarmed.
    #[must_use]
    pub fn relative_spread(&self) -> f64 {
        if self.is_armed() && self.median > 0.0 { self.sigma / self.median } else { 0.0 }
    }

    /// Returns median * exp(width * spread) + .01: the envelope for shares that vary by factors, such as that of foreign
    /// clients (DETECTION 3.2, FOR-2: 3.5 spreads, 2 more in the first hour). `slow` is the part of the relative spread
    /// that counting does not explain.
    #[must_use]
    pub fn log_envelope(&self, slow: f64) -> Option<f64> {
        let width = if self.seen >= KEPT { 3.5 } else { 5.5 };
        Some((self.usual()? * (width * slow.clamp(SIGMA_FLOOR, 0.6)).exp() + 0.01).min(0.95))
    }
}

/// Returns the median and 1.4826 times the median absolute deviation (Hampel 1974); zeros for no values.
fn median_and_spread(values: &[f32]) -> (f64, f64) {
    fn median(values: &mut [f32]) -> f32 {
        let middle = values.len() / 2;
        *values.select_nth_unstable_by(middle, f32::total_cmp).1
    }
    if values.is_empty() {
        return (0.0, 0.0);
    }
    let mut sorted = values.to_vec();
    let centre = median(&mut sorted);
    for value in &mut sorted {
        *value = (*value - centre).abs();
    }
    (f64::from(centre), 1.4826 * f64::from(median(&mut sorted)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_usual_before_three_minutes() {
        let mut level = Level::default();
        for _ in 0..ARMED_AFTER - 1 {
            level.learn(100.0, 10.0, 1.0);
            assert_eq!(level.envelope(20.0), None);
        }
        level.learn(100.0, 10.0, 1.0);
        let usual = level.usual().unwrap();
        assert!((usual - 100.05).abs() < 0.1, "{usual}");
        assert!(level.envelope(20.0).unwrap() >= 130.0);
    }

    #[test]
    fn half_of_the_samples_must_be_bad_to_move_the_median() {
        let mut level = Level::default();
        for n in 0..40 {
            level.learn(if n % 5 < 2 { 10_000.0 } else { 100.0 }, 10.0, 1.0);
        }
        assert!(level.usual().unwrap() < 101.0);
    }

    #[test]
    fn alarming_samples_teach_nothing() {
        let mut level = Level::default();
        for _ in 0..20 {
            level.learn(100.0, 10.0, 1.0);
        }
        for _ in 0..1_000 {
            level.learn(100_000.0, 10.0, 0.0);
        }
        assert!(level.usual().unwrap() < 101.0);
    }

    #[test]
    fn an_unnoticed_poisoner_moves_the_level_by_its_bound_only() {
        let mut level = Level::default();
        for _ in 0..KEPT {
            level.learn(100.0, 10.0, 1.0);
        }
        let before = level.usual().unwrap();
        for _ in 0..360 {
            level.learn(110.0, 10.0, 1.0);
        }
        let moved = (level.usual().unwrap() / before).ln();
        let bound = 0.1 * std::f64::consts::LN_2 / 2.0;
        assert!(moved > 0.0 && moved <= bound * 1.05, "moved {moved}, bound {bound} in an hour");
    }

    #[test]
    fn silence_is_a_level_too() {
        let mut level = Level::default();
        for _ in 0..30 {
            level.learn(0.0, 10.0, 1.0);
        }
        assert!(level.usual().unwrap() <= 0.051);
        assert!(level.envelope(20.0).unwrap() < 20.1);
    }
}
