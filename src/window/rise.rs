//! How fast a rate rose: its last two minutes by second.

use std::collections::VecDeque;

use crate::time::{TICKS_PER_SECOND, Tick};

/// Seconds kept.
const KEPT: usize = 120;

/// Seconds whose mean is the present level.
const LEVEL: usize = 5;

/// Smallest excess a second whose rise can be timed.
const LEAST: f64 = 5.0;

/// The rates of the last two minutes, a second each.
#[derive(Clone, Debug, Default)]
pub struct Rise {
    seconds: VecDeque<f64>,
    second: u64,
}

/// When and how an excess came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Onset {
    /// Seconds from a tenth to nine tenths of its present level.
    pub rise_seconds: f64,
    /// Seconds since it stood at a tenth, at most 120.
    pub age_seconds: f64,
}

impl Rise {
    /// Takes one tick's count.
    pub fn observe(&mut self, tick: Tick, count: u64) {
        self.second += count;
        if tick.closes_period(TICKS_PER_SECOND) {
            if self.seconds.len() == KEPT {
                self.seconds.pop_front();
            }
            self.seconds.push_back(std::mem::take(&mut self.second) as f64);
        }
    }

    /// Returns the onset of what exceeds `usual` events a second; `None` without an excess.
    #[must_use]
    pub fn onset(&self, usual: f64) -> Option<Onset> {
        let excess: Vec<f64> = self.seconds.iter().map(|rate| rate - usual).collect();
        let last = &excess[excess.len().saturating_sub(LEVEL)..];
        let level = last.iter().sum::<f64>() / last.len().max(1) as f64;
        if level < LEAST {
            return None;
        }
        // One spread of counting is allowed for: a step reaches its level at once, give or take chance.
        let began = excess.iter().rposition(|rate| *rate < 0.1 * level).map_or(0, |place| place + 1);
        let full = excess[began..].iter().position(|rate| *rate >= 0.9 * level - (level + usual).sqrt());
        let age = excess.len() - began;
        Some(Onset { rise_seconds: full.unwrap_or(age) as f64, age_seconds: age as f64 })
    }

    /// Forgets everything, as after a gap.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(seconds: impl IntoIterator<Item = u64>) -> Rise {
        let mut rise = Rise::default();
        for (n, rate) in seconds.into_iter().enumerate() {
            (0..4).for_each(|tick| rise.observe(Tick::new(n as u64 * 4 + tick), rate));
        }
        rise
    }

    #[test]
    fn a_step_rises_at_once_and_is_as_old_as_it_is() {
        let onset = rates([10; 60].into_iter().chain([100; 20])).onset(40.0).unwrap();
        assert!(onset.rise_seconds <= 1.0, "{onset:?}");
        assert_eq!(onset.age_seconds, 20.0);
    }

    #[test]
    fn a_ramp_takes_as_long_as_it_takes() {
        let onset = rates([10; 40].into_iter().chain((1..=60).map(|n| 10 + 5 * n))).onset(40.0).unwrap();
        assert!((45.0..=58.0).contains(&onset.rise_seconds), "{onset:?}");
    }

    #[test]
    fn without_an_excess_there_is_no_onset() {
        assert_eq!(rates([10; 30]).onset(40.0), None);
        assert_eq!(Rise::default().onset(0.0), None);
    }
}
