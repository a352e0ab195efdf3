//! What is kept of a level over a restart, and what is believed of it when it comes back.

use serde::{Deserialize, Serialize};

use super::{DAY, FORTNIGHT, KEPT, Level, SIGMA_FLOOR, Samples, ShareLevel};
use crate::window::profile::Profile;
use crate::window::season::Seasonal;

/// Logarithms of rates lie within this: e^40 a second is no rate.
const MOST: f32 = 40.0;

/// Ten-second samples of a thousand years: no count is believed beyond it.
const MOST_SEEN: usize = 1 << 32;

/// What is kept of a rate's level.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LevelMemory {
    samples: Vec<f32>,
    seen: u64,
    level: f64,
    sigma: f64,
    season: Option<SeasonMemory>,
}

/// What is kept of the weekly part: location, scale and visits of each bin, and how far that day was from it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct SeasonMemory {
    bins: Vec<(f32, f32, u8)>,
    deviation: f64,
    quarter: u64,
}

/// What is kept of a share's level.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ShareMemory {
    samples: Vec<f32>,
    seen: u64,
}

impl Level {
    /// Returns what is to be kept; of the last hour no more than `most` samples.
    #[must_use]
    pub fn memory(&self, most: usize) -> LevelMemory {
        LevelMemory {
            samples: self.samples.newest(most),
            seen: self.seen as u64,
            level: self.level,
            sigma: self.sigma,
            season: self.season.as_ref().map(|season| {
                let (deviation, quarter) = season.deviation();
                SeasonMemory { bins: season.profile().bins(), deviation, quarter }
            }),
        }
    }

    /// Takes what was kept; `None` when it cannot have come from a level. With `aged` it counts as no more than a few
    /// days: the profile is used, with a wider envelope.
    #[must_use]
    pub fn from_memory(memory: &LevelMemory, aged: bool) -> Option<Self> {
        let sane = |value: f64| value.abs() <= f64::from(MOST);
        let season = match &memory.season {
            Some(kept) if kept.deviation.abs() > 1.0 || kept.deviation.is_nan() => return None,
            Some(kept) => Some(Seasonal::resume(Profile::from_bins(&kept.bins)?, (kept.deviation, kept.quarter))),
            None => None,
        };
        if !sane(memory.level) || !(0.0..=4.0).contains(&memory.sigma) {
            return None;
        }
        let seen = usize::try_from(memory.seen).ok()?.min(MOST_SEEN);
        let mut level = Self {
            samples: samples(&memory.samples, -MOST..=MOST)?,
            seen: if aged { seen.min(FORTNIGHT - DAY) } else { seen },
            level: memory.level,
            sigma: if seen == 0 { 0.0 } else { memory.sigma.max(SIGMA_FLOOR) },
            season: season.map(Box::new),
            ..Self::default()
        };
        level.settle();
        Some(level)
    }
}

impl ShareLevel {
    /// Returns what is to be kept.
    #[must_use]
    pub fn memory(&self) -> ShareMemory {
        ShareMemory { samples: self.samples.newest(KEPT), seen: self.seen as u64 }
    }

    /// Takes what was kept; `None` when it cannot have come from a share.
    #[must_use]
    pub fn from_memory(memory: &ShareMemory) -> Option<Self> {
        let mut samples = samples(&memory.samples, 0.0..=1.0)?;
        let (median, sigma) = samples.middle();
        let seen = usize::try_from(memory.seen).ok()?.min(MOST_SEEN);
        // More is not claimed than there are samples to show for it.
        let seen = if samples.len() < KEPT { samples.len().min(seen) } else { seen };
        Some(Self { samples, seen, median, sigma })
    }
}

/// Takes samples, oldest first.
fn samples(kept: &[f32], range: std::ops::RangeInclusive<f32>) -> Option<Samples> {
    let fine = kept.len() <= KEPT && kept.iter().all(|sample| range.contains(sample));
    fine.then(|| Samples::of(kept.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level() -> Level {
        let mut level = Level::default();
        (0..500).for_each(|n| level.learn(100.0 + f64::from(n % 7), 10.0, 1.0));
        level
    }

    #[test]
    fn a_level_goes_on_where_it_was() {
        let mut before = level();
        let mut after = Level::from_memory(&before.memory(KEPT), false).unwrap();
        assert_eq!(
            (after.usual(), after.envelope(20.0), after.phase()),
            (before.usual(), before.envelope(20.0), before.phase())
        );
        for level in [&mut before, &mut after] {
            (0..100).for_each(|n| level.learn(150.0 + f64::from(n), 10.0, 1.0));
        }
        assert_eq!((after.usual(), after.envelope(20.0)), (before.usual(), before.envelope(20.0)));
    }

    #[test]
    fn nonsense_is_no_level() {
        let good = level().memory(KEPT);
        assert!(Level::from_memory(&LevelMemory { level: f64::NAN, ..good.clone() }, false).is_none());
        assert!(Level::from_memory(&LevelMemory { sigma: -1.0, ..good.clone() }, false).is_none());
        assert!(Level::from_memory(&LevelMemory { samples: vec![f32::INFINITY], ..good.clone() }, false).is_none());
        assert!(Level::from_memory(&LevelMemory { samples: vec![0.0; KEPT + 1], ..good.clone() }, false).is_none());
        assert!(
            Level::from_memory(
                &LevelMemory {
                    season: Some(SeasonMemory { bins: vec![(0.0, 0.0, 0)], deviation: 0.0, quarter: 0 }),
                    ..good
                },
                false
            )
            .is_none()
        );
        assert!(ShareLevel::from_memory(&ShareMemory { samples: vec![1.5], seen: 1 }).is_none());
    }

    #[test]
    fn no_samples_make_no_claims() {
        let mut claims = LevelMemory { samples: vec![], seen: u64::MAX, level: 1.0, sigma: 0.1, season: None };
        let mut level = Level::from_memory(&claims, true).unwrap();
        level.learn(1.0, 10.0, 1.0);
        assert!(level.envelope(20.0).unwrap().is_finite());
        claims.seen = 0;
        assert_eq!(Level::from_memory(&claims, false).unwrap().usual(), None);
        assert!(!ShareLevel::from_memory(&ShareMemory { samples: vec![], seen: u64::MAX }).unwrap().is_armed());
    }
}
