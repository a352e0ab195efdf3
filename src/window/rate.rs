//! A rate of one subject and what is usual of it: its window and its level.

use crate::time::TICKS_PER_SECOND;
use crate::window::calendar::Moment;
use crate::window::freeze::Lesson;
use crate::window::level::{Level, Phase, Terms};
use crate::window::profile::Season;
use crate::window::ring::Ring;

/// Ticks of the window that is sampled and shown: ten seconds.
pub const WINDOW: usize = 40;

/// Events a second.
#[derive(Clone, Debug, Default)]
pub struct Rate {
    window: Ring<WINDOW>,
    level: Level,
}

impl Rate {
    /// Takes one tick's count (weighted).
    pub fn count(&mut self, count: u64) {
        self.window.push(count);
    }

    /// Takes so many silent ticks.
    pub fn skip(&mut self, ticks: u64) {
        self.window.skip(ticks);
    }

    /// Learns from the window, once it is full, with a weight of 0 to 1.
    pub fn learn(&mut self, weight: f64) {
        if self.window.filled() == WINDOW {
            self.level.learn(self.per_second(), 10.0, weight);
        }
    }

    /// Does with the window what freeze and thaw say.
    pub fn take(&mut self, lesson: Lesson) {
        match lesson {
            Lesson::Learn(weight) => self.learn(weight),
            Lesson::SetAside if self.is_full() => self.level.set_aside(self.per_second(), 10.0),
            Lesson::SetAside => {}
            Lesson::Accept(part) => self.level.accept(part),
        }
    }

    /// Moves to a moment of the week, as configured; `donor` is what a sibling's profile says of it.
    pub fn prepare(&mut self, moment: &Moment, terms: Terms, donor: Option<Season>) {
        self.level.set_terms(terms);
        self.level.prepare(moment, donor);
    }

    /// Returns the level.
    #[must_use]
    pub const fn level(&self) -> &Level {
        &self.level
    }

    /// Puts a level in place that was kept.
    pub fn set_level(&mut self, level: Level) {
        self.level = level;
    }

    /// Learns a ten-second sample that is known otherwise, in full.
    pub fn learn_rate(&mut self, per_second: f64) {
        self.level.learn(per_second, 10.0, 1.0);
    }

    /// Returns the rate of the last ten seconds (of what there is of them), a second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        self.window.sum() as f64 * TICKS_PER_SECOND as f64 / self.window.filled().max(1) as f64
    }

    /// Tells whether ten seconds have been seen since the start or the last gap.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.window.filled() == WINDOW
    }

    /// Returns the rate of the last `ticks` ticks, a second.
    #[must_use]
    pub fn recent_per_second(&self, ticks: usize) -> f64 {
        let ticks = ticks.min(self.window.filled().max(1));
        self.window.recent(ticks) as f64 * TICKS_PER_SECOND as f64 / ticks as f64
    }

    /// Returns the sum of the last `ticks` ticks.
    #[must_use]
    pub fn recent(&self, ticks: usize) -> f64 {
        self.window.recent(ticks) as f64
    }

    /// Returns the count of a single tick, so many ticks ago (0 is the newest; less than ten seconds).
    #[must_use]
    pub fn ago(&self, ticks: usize) -> f64 {
        self.window.back(ticks) as f64
    }

    /// Returns the sum of the last ten seconds.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.window.sum() as f64
    }

    /// Returns the sum of the last ten seconds, if so many silent ticks have followed what was taken.
    #[must_use]
    pub fn sum_after(&self, silent: u64) -> f64 {
        self.window.sum_after(silent) as f64
    }

    /// Returns the usual rate.
    #[must_use]
    pub fn usual(&self) -> Option<f64> {
        self.level.usual()
    }

    /// Returns the envelope.
    #[must_use]
    pub fn envelope(&self, floor: f64) -> Option<f64> {
        self.level.envelope(floor)
    }

    /// Returns the narrow envelope: see [`Level::narrow_envelope`].
    #[must_use]
    pub fn narrow_envelope(&self, floor: f64) -> Option<f64> {
        self.level.narrow_envelope(floor)
    }

    /// Returns the spread of the logarithm of ten-second samples.
    #[must_use]
    pub fn sigma(&self) -> f64 {
        self.level.sigma()
    }

    /// Returns how known the level is.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.level.phase()
    }

    /// Restarts the window after a gap; the level stays.
    pub fn restart(&mut self) {
        self.window.clear();
    }
}
