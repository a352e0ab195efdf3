//! What is usual for a rate or a share: a robust level with an upper envelope, from ten-second samples.
//!
//! Works on logarithms (DETECTION 1.2). For the first hour the level is the median so far, which half of the samples
//! would have to be bad to move; then a clipped EWMA follows it with a half-life of two hours, so that an attacker who is
//! never noticed moves it by 3.5 % an hour at most. Samples from an alarming time weigh less, and nothing from half the
//! alert line on. Series that are prepared for a moment of the week ([`Level::prepare`]) keep a profile under the level
//! ([`Seasonal`]), which is used from the second day on.
//!
//! Below 180 s nothing is promised: [`Level::envelope`] is `None`, unless a peak was configured.

mod memory;
mod samples;

pub use memory::{LevelMemory, ShareMemory};

use crate::kind::closed_set;
use crate::window::calendar::Moment;
use crate::window::level::samples::Samples;
use crate::window::profile::Season;
use crate::window::season::{Origin, Seasonal};

/// Samples kept: one hour of ten-second samples.
const KEPT: usize = 360;

/// Samples before the level is used: 180 s (DETECTION 0.2, "What fires without history").
pub const ARMED_AFTER: usize = 18;

/// Samples before an own profile is used, and before it is trusted: one day and fourteen.
const DAY: usize = 8_640;
const FORTNIGHT: usize = 14 * DAY;

/// Smallest spread of the logarithm: even a very even hour is not evener than 5 % (DETECTION 1.2).
pub(crate) const SIGMA_FLOOR: f64 = 0.05;

/// Largest: samples that vary by more were taken at two levels, as when a crowd comes in the first minutes, and their spread
/// is the way from one to the other and no noise. The same as for shares.
const SIGMA_CAP: f64 = 0.6;

/// Envelope width in spreads, unless configured, and what is added while little is known (DETECTION 1.2): in the first
/// day, and for a borrowed or young profile.
pub const WIDTH: f64 = 3.0;
const MORE_WHILE_COLD: f64 = 2.0;
const MORE_WHILE_YOUNG: f64 = 1.0;

/// Half-life of the level in samples: two hours.
const HALF_LIFE: f64 = 720.0;

closed_set! {
    /// How known a level is (DETECTION 1.2, cold start).
    Phase {
        /// Fewer than 180 s: nothing is usual yet. Phase 0.
        Unarmed = "unarmed",
        /// Less than an hour: the median so far, with a wide envelope. Phase 0.
        Cold = "cold",
        /// More than an hour, and nothing is known of this time of the week: the level, with a wide envelope. Phase 1.
        Level = "level",
        /// A profile that is less than a fortnight old, a sibling's, or one of days that are alike. Phase 2.
        Young = "young",
        /// An own profile of a fortnight or more. Phase 3.
        Own = "own",
    }
}

impl Phase {
    /// Returns the number it is exported as, 0 to 3.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Unarmed | Self::Cold => 0,
            Self::Level => 1,
            Self::Young => 2,
            Self::Own => 3,
        }
    }
}

/// What was configured of a rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// Envelope width in spreads.
    pub width: f64,
    /// How many times the usual rate a declared event allows; 1 without one.
    pub times: f64,
    /// Events a second that are expected at most, used while less than an hour is known; 0 for none.
    pub peak: f64,
}

impl Default for Terms {
    fn default() -> Self {
        Self { width: WIDTH, times: 1.0, peak: 0.0 }
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
    terms: Terms,
    season: Option<Box<Seasonal>>,
    /// Samples of the thaw's step under way.
    aside: Vec<f32>,
    heights: Heights,
}

/// What follows from the logarithms: asked for in every tick, changed once in ten seconds.
#[derive(Clone, Copy, Debug)]
struct Heights {
    /// The logarithms: of what is usual, of how much more may come at a step on the quarter, and of both envelopes over that.
    exponents: [f64; 4],
    usual: f64,
    above: f64,
    wide: f64,
    narrow: f64,
}

impl Heights {
    fn of(exponents: [f64; 4]) -> Self {
        let [usual, above, wide, narrow] = exponents.map(f64::exp);
        let above = usual * above;
        Self { exponents, usual, above, wide: above * wide, narrow: above * narrow }
    }
}

impl Default for Heights {
    fn default() -> Self {
        Self::of([0.0; 4])
    }
}

impl Level {
    /// Takes a sample, `rate` events a second over `seconds`, with a weight of 0 (alarming: ignored) to 1 (quiet).
    pub fn learn(&mut self, rate: f64, seconds: f64, weight: f64) {
        if weight <= 0.0 {
            return;
        }
        let y = logarithm(rate, seconds);
        self.samples.push(y);
        self.seen += 1;
        let (median, sigma) = self.samples.middle();
        self.sigma = sigma.clamp(SIGMA_FLOOR, SIGMA_CAP);
        let gain = weight * (1.0 - 0.5_f64.powf(1.0 / HALF_LIFE));
        if self.seen <= KEPT {
            self.level = median;
        } else {
            self.level += gain * (y - self.level).clamp(-self.sigma, self.sigma);
        }
        if let Some(season) = &mut self.season {
            season.learn(y, gain);
        }
        self.settle();
    }

    /// Moves to a moment of the week; `donor` is what a sibling's profile says of it. The profile begins with this, once an
    /// hour is known.
    pub fn prepare(&mut self, moment: &Moment, donor: Option<Season>) {
        if self.seen < KEPT {
            return;
        }
        let usual = self.log_usual();
        let season = self.season.get_or_insert_default();
        season.prepare(moment, |count| self.samples.newest(count), usual, self.seen >= DAY, donor);
        self.settle();
    }

    /// Sets what was configured.
    pub fn set_terms(&mut self, terms: Terms) {
        self.terms = terms;
        self.settle();
    }

    /// Brings the heights up to date; called wherever something they follow from may have changed.
    fn settle(&mut self) {
        let more = match self.phase() {
            Phase::Unarmed | Phase::Cold | Phase::Level => MORE_WHILE_COLD,
            Phase::Young => MORE_WHILE_YOUNG,
            Phase::Own => 0.0,
        };
        let (sigma, above) = (self.sigma(), self.season.as_ref().map_or(0.0, |season| season.above()));
        let exponents = [self.log_usual(), above, (self.terms.width + more) * sigma, WIDTH * sigma];
        if exponents != self.heights.exponents {
            self.heights = Heights::of(exponents);
        }
    }

    /// Returns what was configured.
    #[must_use]
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Returns what the own profile says of a moment, to be lent to siblings, once it is a day old.
    #[must_use]
    pub fn season(&self, moment: &Moment) -> Option<Season> {
        let season = self.season.as_ref().filter(|_| self.seen >= DAY)?;
        season.profile().at(moment).filter(|season| season.seen)
    }

    /// Sets a sample aside for the thaw.
    #[expect(clippy::cast_possible_truncation, reason = "seven digits are plenty for a median")]
    pub fn set_aside(&mut self, rate: f64, seconds: f64) {
        if self.aside.len() < KEPT {
            self.aside.push(logarithm(rate, seconds) as f32);
        }
    }

    /// Moves `part` of the way, 0 to 1, to the median of what was set aside, profile and all.
    #[expect(clippy::cast_possible_truncation, reason = "seven digits are plenty for a median")]
    pub fn accept(&mut self, part: f64) {
        let aside = std::mem::take(&mut self.aside);
        if aside.is_empty() || self.phase() == Phase::Unarmed {
            return;
        }
        let by = part * (median_and_spread(&aside).0 - self.log_usual());
        self.level += by;
        self.samples.shift(by as f32);
        if let Some(season) = &mut self.season {
            season.shift(by);
        }
        self.settle();
    }

    /// Returns how known the level is.
    #[must_use]
    pub fn phase(&self) -> Phase {
        let origin = self.season.as_ref().map_or(Origin::Unknown, |season| season.origin());
        match (self.seen, origin) {
            (0..ARMED_AFTER, _) => Phase::Unarmed,
            (ARMED_AFTER..KEPT, _) => Phase::Cold,
            (_, Origin::Unknown) => Phase::Level,
            (FORTNIGHT.., Origin::Own) => Phase::Own,
            _ => Phase::Young,
        }
    }

    /// Returns the usual rate a second, once armed.
    #[must_use]
    pub fn usual(&self) -> Option<f64> {
        (self.seen >= ARMED_AFTER).then_some(self.heights.usual)
    }

    /// Returns the upper envelope a second, once armed: what is usual at most. `floor` is the smallest excess that
    /// matters, in events a second.
    #[must_use]
    pub fn envelope(&self, floor: f64) -> Option<f64> {
        // In the first hour what was configured holds as well.
        let has_peak = self.terms.peak > 0.0 && self.phase() <= Phase::Cold;
        let peak = has_peak.then_some(self.terms.peak);
        if self.usual().is_none() {
            return peak.map(|peak| (peak * self.terms.times).max(floor));
        }
        let Heights { above, wide, .. } = self.heights;
        let envelope = wide.max(1.3 * above).max(above + floor);
        Some(envelope.max(peak.unwrap_or(0.0)) * self.terms.times)
    }

    /// Tells whether there is an envelope.
    #[must_use]
    pub fn has_envelope(&self) -> bool {
        self.seen >= ARMED_AFTER || self.terms.peak > 0.0 && self.phase() <= Phase::Cold
    }

    /// Returns the envelope as it is once an hour is known, also before: for what is said and never alarms.
    #[must_use]
    pub fn narrow_envelope(&self, floor: f64) -> Option<f64> {
        self.usual()?;
        let Heights { above, narrow, .. } = self.heights;
        Some(narrow.max(1.3 * above).max(above + floor) * self.terms.times)
    }

    /// Returns the spread of the logarithm.
    #[must_use]
    pub fn sigma(&self) -> f64 {
        self.season.as_ref().and_then(|season| season.usual()).map_or(self.sigma, |(_, spread)| spread)
    }

    fn log_usual(&self) -> f64 {
        self.season.as_ref().and_then(|season| season.usual()).map_or(self.level, |(usual, _)| usual)
    }
}

/// Half an event is added, so that silence has a logarithm (DETECTION 1.2).
fn logarithm(rate: f64, seconds: f64) -> f64 {
    (rate + 0.5 / seconds).ln()
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
        (self.median, self.sigma) = self.samples.middle();
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

    /// Returns the spread of ten-second samples, 0 while unarmed.
    #[must_use]
    pub fn spread(&self) -> f64 {
        if self.is_armed() { self.sigma } else { 0.0 }
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
pub(crate) fn median_and_spread(values: &[f32]) -> (f64, f64) {
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
    fn a_crowd_in_the_first_minutes_does_not_make_any_number_usual() {
        let mut level = Level::default();
        (0..20).for_each(|_| level.learn(4.0, 10.0, 1.0));
        (0..19).for_each(|n| level.learn(4.0 * 1.2_f64.powi(n), 10.0, 1.0));
        let usual = level.usual().unwrap();
        assert!(usual < 6.0, "{usual}");
        assert!(level.envelope(20.0).unwrap() <= usual * (5.0 * SIGMA_CAP).exp() + 1e-9);
        assert!(level.narrow_envelope(5.0).unwrap() <= usual * (3.0 * SIGMA_CAP).exp() + 1e-9);
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
