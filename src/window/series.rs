//! A rate or a share of one subject, its usual level and its sequential test, kept in step.
//!
//! A series samples itself every ten seconds. How much a sample teaches is the engine's say (freeze): an alarming time
//! must not become the usual one.

use std::ops::{Deref, DerefMut};

use crate::time::{TICKS_PER_SECOND, Tick};
use crate::window::cusum::{Bank, Odds};
use crate::window::level::ShareLevel;
use crate::window::rate::Rate;
pub use crate::window::rate::WINDOW;

/// Events a second, tested against what is usual at most.
#[derive(Clone, Debug, Default)]
pub struct RateSeries {
    rate: Rate,
    bank: Bank,
}

/// What is tested is a rate.
impl Deref for RateSeries {
    type Target = Rate;

    fn deref(&self) -> &Rate {
        &self.rate
    }
}

impl DerefMut for RateSeries {
    fn deref_mut(&mut self) -> &mut Rate {
        &mut self.rate
    }
}

impl RateSeries {
    /// Takes one tick's count (weighted), of which a fraction `raw` was really counted; `floor` is the smallest excess that
    /// matters, in events a second, and `cap` the largest evidence of this tick in nats.
    ///
    /// A count of n that stands for n / raw is tested as what it is: n, against the same part of the envelope.
    pub fn observe(&mut self, tick: Tick, count: u64, raw: f64, floor: f64, cap: f64) {
        self.rate.count(count);
        if count == 0 && self.bank.is_at_rest() {
            if self.level().has_envelope() {
                self.bank.rest(tick);
            }
        } else if let Some(envelope) = self.envelope(floor) {
            self.bank.observe_count(tick, count as f64 * raw, envelope * raw / TICKS_PER_SECOND as f64, cap);
        }
    }

    /// Takes one tick's count, and the part of it that is held against the envelope, or against `cold` events a second
    /// while no level is known.
    pub fn observe_part(&mut self, tick: Tick, counts: [u64; 2], raw: f64, floor: f64, cold: f64, cap: f64) {
        let [count, tested] = counts;
        self.rate.count(count);
        let envelope = self.envelope(floor).unwrap_or(cold);
        self.bank.observe_count(tick, tested as f64 * raw, envelope * raw / TICKS_PER_SECOND as f64, cap);
    }

    /// Returns the evidence that the rate is above its envelope, in decades.
    #[must_use]
    pub fn decades(&self) -> f64 {
        self.bank.decades()
    }

    /// Returns the first tick that evidence explains.
    #[must_use]
    pub fn onset(&self) -> Tick {
        self.bank.onset()
    }

    /// Restarts window and test after a gap; the level stays.
    pub fn restart(&mut self, tick: Tick) {
        self.rate.restart();
        self.bank.clear(tick);
    }
}

/// A share, 0 to 1.
#[derive(Clone, Debug, Default)]
pub struct ShareSeries {
    level: ShareLevel,
    bank: Bank,
    odds: Odds,
    /// Variance over mean of the cases of a tick, below 1 while unknown.
    dispersion: f64,
    /// Part and whole since the last sample, and how many cases were really counted.
    part: f64,
    whole: f64,
    counted: f64,
}

/// Cases really counted that a ten-second sample of a share needs to teach anything: one that stands for hundreds has the
/// share of one, 0 or 1, and so would the median of such samples.
const CASES: f64 = 20.0;

impl ShareSeries {
    /// Takes `part` of `whole` of one tick (weighted), of which a fraction `raw` was really counted; `envelope` is what
    /// is usual at most, and without one nothing is tested.
    pub fn observe(&mut self, tick: Tick, part: f64, whole: f64, raw: f64, envelope: Option<f64>, cap: f64) {
        self.part += part;
        self.whole += whole;
        self.counted += whole * raw;
        if let Some(envelope) = envelope {
            let weight = raw / self.dispersion.max(1.0);
            self.bank.observe_share_by(tick, part * weight, whole * weight, &mut self.odds, envelope, cap);
        }
    }

    /// Sets the variance over mean of the cases of a tick, by which the test divides them; 1 unless set.
    pub const fn set_dispersion(&mut self, dispersion: f64) {
        self.dispersion = dispersion;
    }

    /// Learns from what came since the last sample, with a weight of 0 to 1.
    pub fn learn(&mut self, weight: f64) {
        if self.counted >= CASES {
            self.level.learn(self.part / self.whole, weight);
        }
        self.begin_sample();
    }

    const fn begin_sample(&mut self) {
        (self.part, self.whole, self.counted) = (0.0, 0.0, 0.0);
    }

    /// Returns the level.
    #[must_use]
    pub const fn level(&self) -> &ShareLevel {
        &self.level
    }

    /// Puts a level in place that was kept.
    pub fn set_level(&mut self, level: ShareLevel) {
        self.level = level;
    }

    /// Returns the evidence that the share is above its envelope, in decades.
    #[must_use]
    pub fn decades(&self) -> f64 {
        self.bank.decades()
    }

    /// Returns the first tick that evidence explains.
    #[must_use]
    pub fn onset(&self) -> Tick {
        self.bank.onset()
    }

    /// Restarts the test after a gap; the level stays.
    pub fn restart(&mut self, tick: Tick) {
        self.bank.clear(tick);
        self.begin_sample();
    }
}

/// Returns the median of the values, `None` for none.
#[must_use]
pub fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    if values.is_empty() {
        return None;
    }
    let middle = values.len() / 2;
    Some(*values.select_nth_unstable_by(middle, f64::total_cmp).1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::cusum::STEP_CAP;

    #[test]
    fn a_count_that_stands_for_more_is_tested_as_what_was_counted() {
        let run = |count, raw, mean: f64| {
            let mut series = RateSeries::default();
            (0..60).for_each(|_| series.learn_rate(mean));
            (1..=4).for_each(|n| series.observe(Tick::new(n), count, raw, 0.0, f64::INFINITY));
            (series.bank.nats(), series.per_second())
        };
        let (all, rate) = run(160, 1.0, 400.0);
        let (part, same_rate) = run(160, 0.25, 400.0);
        assert_eq!(rate, same_rate, "the rate is that of all");
        assert!(part > 0.0 && part < 0.35 * all, "and the evidence that of a quarter: {part} of {all}");
    }

    #[test]
    fn a_rate_is_that_of_what_there_is_of_the_window() {
        let mut series = RateSeries::default();
        series.observe(Tick::new(1), 25, 1.0, 20.0, STEP_CAP);
        assert_eq!(series.per_second(), 100.0);
        for n in 2..60 {
            series.observe(Tick::new(n), 50, 1.0, 20.0, STEP_CAP);
        }
        assert_eq!(series.per_second(), 200.0);
        assert_eq!(series.decades(), 0.0);
    }

    #[test]
    fn a_surge_over_a_learned_level_is_evidence() {
        let mut series = RateSeries::default();
        for n in 0..40 * 20 {
            series.observe(Tick::new(n), 25, 1.0, 20.0, STEP_CAP);
            if Tick::new(n).closes_period(40) {
                series.learn(1.0);
            }
        }
        assert_eq!(series.decades(), 0.0);
        for n in 800..808 {
            series.observe(Tick::new(n), 75, 1.0, 20.0, STEP_CAP);
        }
        assert!(series.decades() > 9.0, "{}", series.decades());
        assert_eq!(series.onset(), Tick::new(800));
    }

    #[test]
    fn thin_samples_teach_a_share_nothing() {
        let mut series = ShareSeries::default();
        for n in 0..100 {
            series.observe(Tick::new(n), 1.0, 1.0, 1.0, Some(0.05), STEP_CAP);
            series.learn(1.0);
        }
        assert!(!series.level().is_armed());
    }

    #[test]
    fn few_cases_that_stand_for_many_teach_a_share_nothing_and_enough_of_them_do() {
        let armed = |cases: f64| {
            let mut series = ShareSeries::default();
            for n in 0..100 {
                series.observe(Tick::new(n), 0.0, 512.0 * cases, 1.0 / 512.0, None, STEP_CAP);
                series.learn(1.0);
            }
            series.level().is_armed()
        };
        assert!(!armed(19.0) && armed(20.0));
    }
}
