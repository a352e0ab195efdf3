//! Different things over the last five to ten minutes and over a day.

use crate::time::Tick;
use crate::window::bitmap::Bitmap;

/// Five minutes, the window of Zeek's scan detection: this one and the one before are read together, so that a scan across
/// their border counts as one.
pub(super) const WINDOW: u64 = 1_200;

/// A day, the window of slow scans.
pub(super) const DAY: u64 = 86_400 * 4;

/// The things, by keyed hash.
#[derive(Clone, Copy, Debug, Default)]
pub struct Breadth {
    window: u64,
    now: Bitmap,
    before: Bitmap,
    day_since: Tick,
    day: Bitmap,
}

impl Breadth {
    /// Notes a thing; tells whether it was not seen in the last windows.
    pub fn insert(&mut self, now: Tick, hash: u64) -> bool {
        self.roll(now);
        self.day.insert(hash);
        let seen_before = !self.before.clone().insert(hash);
        self.now.insert(hash) && !seen_before
    }

    /// Returns what was seen in the last five to ten minutes.
    #[must_use]
    pub fn recent(mut self, now: Tick) -> Bitmap {
        self.roll(now);
        self.now.union(self.before)
    }

    /// Returns what was seen since the day began, at most 24 hours.
    #[must_use]
    pub const fn day(&self) -> Bitmap {
        self.day
    }

    fn roll(&mut self, now: Tick) {
        let window = now.number() / WINDOW;
        if window > self.window {
            self.before = if window == self.window + 1 { self.now } else { Bitmap::default() };
            (self.now, self.window) = (Bitmap::default(), window);
        }
        if now.since(self.day_since) >= DAY {
            (self.day, self.day_since) = (Bitmap::default(), now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::mix;

    #[test]
    fn a_scan_across_a_border_counts_as_one_and_is_forgotten_later() {
        let mut breadth = Breadth::default();
        for n in 0..30 {
            breadth.insert(Tick::new(WINDOW - 15 + n), mix(9, n));
        }
        let count = |at: u64| breadth.recent(Tick::new(at)).distinct();
        assert!((count(WINDOW + 20) - 30.0).abs() < 6.0);
        assert!(count(3 * WINDOW) < 1.0);
        assert!((breadth.day().distinct() - 30.0).abs() < 6.0);
        breadth.insert(Tick::new(DAY + WINDOW), 1);
        assert!((breadth.day().distinct() - 1.0).abs() < 0.1);
    }

    #[test]
    fn the_same_thing_is_new_again_after_ten_minutes() {
        let mut breadth = Breadth::default();
        assert!(breadth.insert(Tick::new(100), 5));
        assert!(!breadth.insert(Tick::new(WINDOW + 100), 5));
        assert!(breadth.insert(Tick::new(4 * WINDOW), 5));
    }
}
