//! The weekly profile of one rate: what is usual in each quarter-hour of each kind of day (DETECTION 1.2).
//!
//! Each quarter-hour ends with the median of its ten-second samples, which half of them would have to be bad to move; the
//! bin follows it by three tenths of the way, at most three spreads at a time. So one poisoned visit moves a bin by 0.9
//! spreads at most, and a bin is visited a few times a week. 3.4 KiB.

use crate::window::calendar::{BINS, Bin, Moment};
use crate::window::level::{SIGMA_FLOOR, median_and_spread};

/// Samples that a quarter-hour needs to teach anything: half of the ninety.
const LEAST_SAMPLES: usize = 45;

/// Which part of the way a bin moves at a visit, and at most, in spreads (DETECTION 1.2).
const GAIN: f64 = 0.3;
const CLIP: f64 = 3.0;

/// Visits that the spread common to all bins counts for (DETECTION 1.2: eight pseudo-samples).
const POOL_STRENGTH: f64 = 8.0;

/// Logarithms of rates by quarter-hour.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    location: [f32; BINS],
    scale: [f32; BINS],
    visits: [u8; BINS],
    /// Mean scale of the bins that were visited.
    pool: f64,
}

/// What a profile says of a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Season {
    /// Usual logarithm of the rate, between the middles of two quarter-hours.
    pub location: f64,
    /// How much more the quarter-hour itself is, 0 or more: bells ring on the quarter, and a step that comes every day
    /// must not stick out of the slope between two middles.
    pub above: f64,
    /// Spread of the logarithm.
    pub spread: f64,
    /// It was seen on days of this kind, not on days that are merely alike.
    pub seen: bool,
}

impl Default for Profile {
    fn default() -> Self {
        Self { location: [0.0; BINS], scale: [0.0; BINS], visits: [0; BINS], pool: SIGMA_FLOOR }
    }
}

impl Profile {
    /// Ends a quarter-hour with the logarithms of its samples.
    #[expect(clippy::cast_possible_truncation, reason = "seven digits are plenty for a median")]
    pub fn close(&mut self, bin: Bin, samples: &[f32]) {
        if samples.len() < LEAST_SAMPLES {
            return;
        }
        let bin = bin.index();
        let (median, own) = median_and_spread(samples);
        if self.visits[bin] == 0 {
            (self.location[bin], self.scale[bin]) = (median as f32, own.max(SIGMA_FLOOR) as f32);
        } else {
            let usual = f64::from(self.location[bin]);
            let sigma = self.spread(bin);
            // The whole slow noise: around what was usual, not around this visit's own middle.
            let around: Vec<f32> = samples.iter().map(|y| (f64::from(*y) - usual).abs() as f32).collect();
            let wide = 1.4826 * median_and_spread(&around).0;
            let scale = f64::from(self.scale[bin]);
            self.location[bin] = (usual + GAIN * (median - usual).clamp(-CLIP * sigma, CLIP * sigma)) as f32;
            self.scale[bin] = (scale + GAIN * (wide - scale).clamp(-scale, scale)).max(SIGMA_FLOOR) as f32;
        }
        self.visits[bin] = self.visits[bin].saturating_add(1);
        self.refresh_pool();
    }

    /// Returns what is usual at a moment, between the quarter-hours around it; `None` where nothing like it was seen.
    #[must_use]
    pub fn at(&self, moment: &Moment) -> Option<Season> {
        let (here, seen) = self.known(moment.bin)?;
        // Across a gap in what is known the own quarter-hour stands alone.
        let (before, after) = match (self.known(moment.before), self.known(moment.after)) {
            (Some((before, _)), Some((after, _))) => (before, after),
            _ => (here, here),
        };
        let (before, after) = (f64::from(self.location[before]), f64::from(self.location[after]));
        let location = before + moment.weight * (after - before);
        let above = (f64::from(self.location[here]) - location).max(0.0);
        Some(Season { location, above, spread: self.spread(here), seen })
    }

    /// Moves every bin: what is usual has changed as a whole.
    #[expect(clippy::cast_possible_truncation, reason = "seven digits are plenty for a median")]
    pub fn shift(&mut self, by: f64) {
        self.location.iter_mut().for_each(|location| *location += by as f32);
    }

    /// Returns how many quarter-hours were visited.
    #[must_use]
    pub fn bins_seen(&self) -> usize {
        self.visits.iter().filter(|visits| **visits > 0).count()
    }

    /// Returns the largest usual logarithm, and `None` for an empty profile.
    #[must_use]
    pub fn busiest(&self) -> Option<f64> {
        let seen = self.location.iter().zip(&self.visits).filter(|(_, visits)| **visits > 0);
        seen.map(|(location, _)| f64::from(*location)).reduce(f64::max)
    }

    fn known(&self, bin: Bin) -> Option<(usize, bool)> {
        if self.visits[bin.index()] > 0 {
            return Some((bin.index(), true));
        }
        bin.alike().filter(|alike| self.visits[alike.index()] > 0).map(|alike| (alike.index(), false))
    }

    /// The spread of a bin, drawn towards that of all bins while it has few visits.
    fn spread(&self, bin: usize) -> f64 {
        let visits = f64::from(self.visits[bin]);
        let own = f64::from(self.scale[bin]);
        ((visits * own + POOL_STRENGTH * self.pool) / (visits + POOL_STRENGTH)).max(SIGMA_FLOOR)
    }

    fn refresh_pool(&mut self) {
        let seen = || self.scale.iter().zip(&self.visits).filter(|(_, visits)| **visits > 0);
        let sum: f64 = seen().map(|(scale, _)| f64::from(*scale)).sum();
        self.pool = (sum / seen().count().max(1) as f64).max(SIGMA_FLOOR);
    }

    /// Returns location, scale and visits of each bin, to be kept.
    #[must_use]
    pub fn bins(&self) -> Vec<(f32, f32, u8)> {
        (0..BINS).map(|bin| (self.location[bin], self.scale[bin], self.visits[bin])).collect()
    }

    /// Takes what was kept; `None` when it cannot have come from a profile.
    #[must_use]
    pub fn from_bins(bins: &[(f32, f32, u8)]) -> Option<Self> {
        let mut profile = Self::default();
        if bins.len() != BINS {
            return None;
        }
        for (place, (location, scale, visits)) in bins.iter().enumerate() {
            // e^40 a second is no rate, and a spread of e^4 no spread.
            if !(location.abs() <= 40.0 && (0.0..=4.0).contains(scale)) {
                return None;
            }
            (profile.location[place], profile.scale[place], profile.visits[place]) = (*location, *scale, *visits);
        }
        profile.refresh_pool();
        Some(profile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;
    use crate::window::calendar::Calendar;

    fn moment(hours: f64) -> Moment {
        // 1970-01-01 was a Thursday.
        Calendar::default().moment(Timestamp::from_secs(crate::window::whole(hours * 3_600.0)))
    }

    fn visit(profile: &mut Profile, hours: f64, y: f32) {
        let samples: Vec<f32> = (0..90).map(|n| y + 0.1 * ((n % 5) as f32 - 2.0)).collect();
        profile.close(moment(hours).bin, &samples);
    }

    #[test]
    fn what_is_usual_lies_between_two_quarters() {
        let mut profile = Profile::default();
        visit(&mut profile, 9.0, 2.0);
        visit(&mut profile, 9.25, 4.0);
        assert_eq!(profile.at(&moment(9.25)).unwrap().location, 3.0);
        assert!((profile.at(&moment(9.125)).unwrap().location - 2.0).abs() < 1e-6);
        assert!(profile.at(&moment(12.0)).is_none());
    }

    #[test]
    fn one_poisoned_visit_moves_a_bin_by_less_than_a_spread() {
        let mut profile = Profile::default();
        (0..4).for_each(|_| visit(&mut profile, 9.0, 2.0));
        let before = profile.at(&moment(9.125)).unwrap();
        visit(&mut profile, 9.0, 9.0);
        let after = profile.at(&moment(9.125)).unwrap();
        let moved = after.location - before.location;
        assert!(moved > 0.0 && moved <= GAIN * CLIP * before.spread + 1e-6, "{moved} of {}", before.spread);
    }

    #[test]
    fn a_bad_minority_of_samples_moves_nothing() {
        let mut profile = Profile::default();
        visit(&mut profile, 9.0, 2.0);
        let samples: Vec<f32> = (0..90).map(|n| if n < 40 { 9.0 } else { 2.0 }).collect();
        profile.close(moment(9.0).bin, &samples);
        assert!((profile.at(&moment(9.125)).unwrap().location - 2.0).abs() < 0.01);
    }

    #[test]
    fn a_day_never_seen_is_like_one_that_was() {
        let mut profile = Profile::default();
        visit(&mut profile, 9.0, 2.0);
        let wednesday = profile.at(&moment(6.0 * 24.0 + 9.1)).unwrap();
        assert!(!wednesday.seen && (wednesday.location - 2.0).abs() < 1e-6);
        assert!(profile.at(&moment(2.0 * 24.0 + 9.1)).is_none(), "a Saturday is like no working day");
    }

    #[test]
    fn a_few_samples_teach_nothing() {
        let mut profile = Profile::default();
        profile.close(moment(9.0).bin, &[1.0; LEAST_SAMPLES - 1]);
        assert_eq!(profile.bins_seen(), 0);
    }

    #[test]
    fn what_was_kept_comes_back_and_nonsense_does_not() {
        let mut profile = Profile::default();
        visit(&mut profile, 9.0, 2.0);
        assert_eq!(Profile::from_bins(&profile.bins()), Some(profile.clone()));
        let mut bins = profile.bins();
        bins[3].0 = f32::NAN;
        assert_eq!(Profile::from_bins(&bins), None);
        assert_eq!(Profile::from_bins(&bins[..10]), None);
    }
}
