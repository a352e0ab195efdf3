//! How many conversations of one client go on at once, minute by minute, from reports made while they go on.
//!
//! A minute's reports tell how many different conversations there were (a bitmap) and how old they were. Conversations that
//! follow each other are many and young, those side by side are as old as the minute: of N conversations, of a mean age
//! `a` when they report, seen over `e` seconds, about N times 1.5 a / e go on at any time (Little's law, L = lambda W; a
//! report finds a conversation between half its life and its end), and never more than N.

use crate::window::bitmap::Bitmap;

/// Milliseconds of a minute, and those over which less cannot be told.
const MINUTE: u64 = 60_000;
const LEAST_SPAN: f64 = 5_000.0;

/// Life of a conversation over its mean age at a report.
const LIFE: f64 = 1.5;

/// The reports of a minute, and what the minute before came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Overlap {
    minute: u64,
    conversations: Bitmap,
    /// Ages at the reports, in milliseconds, and their number.
    ages: u64,
    reports: u64,
    /// Earliest beginning and latest report in the minute, in milliseconds.
    first: u64,
    last: u64,
    before: f64,
}

impl Overlap {
    /// Takes a report made at `now`, in milliseconds, of a conversation that is `age` milliseconds old; `hash` is its own.
    pub fn report(&mut self, now: u64, age: u64, hash: u64) {
        let minute = now / MINUTE;
        if minute != self.minute {
            let before = if minute == self.minute + 1 { self.in_minute() } else { 0.0 };
            *self = Self { minute, before, first: now, ..Self::default() };
        }
        let age = age.min(MINUTE);
        self.conversations.insert(hash);
        self.ages += age;
        self.reports += 1;
        self.first = self.first.min(now - age).max(minute * MINUTE);
        self.last = self.last.max(now);
    }

    /// Returns how many conversations went on at once, in this minute or the last.
    #[must_use]
    pub fn at_once(&self) -> f64 {
        self.in_minute().max(self.before)
    }

    fn in_minute(&self) -> f64 {
        if self.reports == 0 {
            return 0.0;
        }
        let mean_age = self.ages as f64 / self.reports as f64;
        let seen_over = (self.last.saturating_sub(self.first) as f64).max(LEAST_SPAN);
        self.conversations.distinct() * (LIFE * mean_age / seen_over).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::mix;

    const START: u64 = 27_000_000 * MINUTE;

    #[test]
    fn conversations_side_by_side_count_each() {
        let mut overlap = Overlap::default();
        for second in 1..40_u64 {
            (0..30_u64).for_each(|film| overlap.report(START + second * 1_000, second * 1_000, mix(1, film)));
        }
        assert!((20.0..35.0).contains(&overlap.at_once()), "{}", overlap.at_once());
    }

    #[test]
    fn conversations_in_a_row_are_one_or_two() {
        let mut overlap = Overlap::default();
        for n in 0..100_u64 {
            let began = START + n * 500;
            overlap.report(began + 250, 250, mix(1, n));
            overlap.report(began + 500, 500, mix(1, n));
        }
        assert!((0.5..3.0).contains(&overlap.at_once()), "{}", overlap.at_once());
    }

    #[test]
    fn the_minute_before_counts_and_earlier_ones_do_not() {
        let mut overlap = Overlap::default();
        (0..12_u64).for_each(|n| overlap.report(START + 50_000, 50_000, mix(1, n)));
        overlap.report(START + MINUTE + 5_000, 1_000, mix(1, 99));
        assert!(overlap.at_once() > 9.0);
        overlap.report(START + 2 * MINUTE + 5_000, 1_000, mix(1, 100));
        assert!(overlap.at_once() < 2.0);
        assert_eq!(Overlap::default().at_once(), 0.0);
    }
}
