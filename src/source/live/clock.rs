//! How far time has come on a live link.
//!
//! A [`Watermark`] promises that no older frame is still expected. Two things bound it. While frames come, the newest
//! one does, less [`REORDER`]. While none come, the wall clock does, less what the kernel may still hold back: a frame
//! lies in a half-filled block until the block's timer retires it. [`WallClock`] is the only reader of the wall clock.

use std::time::{Duration, Instant, SystemTime};

use crate::time::{Tick, Timestamp};

/// Frames are stamped before they are queued, on every processor for itself: with several receive queues one may enter
/// the ring after another that is younger. 5 ms is far more than a softirq is kept waiting, and little beside a tick.
pub(super) const REORDER: Duration = Duration::from_millis(5);

/// How late a block's timer may run on a busy machine: 16 to 24 ms were seen on two cores with a load of 17.
const SCHEDULING: Duration = Duration::from_millis(40);

/// Returns how long the kernel may hold a frame back.
///
/// The timer that retires a half-filled block runs every `block_timeout` and, since Linux 6.18, is no longer restarted
/// when a block is opened; a block that it finds for the first time is left until the next turn. So a frame waits for
/// up to two turns.
pub(super) fn longest_hold(block_timeout: Duration) -> Duration {
    block_timeout.saturating_mul(2).saturating_add(SCHEDULING)
}

/// A look at the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    /// What it says.
    pub(super) now: Timestamp,
    /// It was set, forth or back, by more than a tick since the last look.
    pub(super) stepped: bool,
}

/// The wall clock, with the monotonic one beside it to notice when it is set.
#[derive(Debug)]
pub(super) struct WallClock {
    started: Instant,
    last: Option<(Timestamp, Duration)>,
}

impl WallClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "an idle link moves with the wall clock, and this is where it enters"
    )]
    pub(super) fn new() -> Self {
        Self { started: Instant::now(), last: None }
    }

    /// Reads the clock.
    #[expect(
        clippy::disallowed_methods,
        reason = "an idle link moves with the wall clock, and this is where it enters"
    )]
    pub(super) fn read(&mut self) -> Reading {
        let elapsed = self.started.elapsed();
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        self.observe(Timestamp::ZERO.plus(since_epoch), elapsed)
    }

    /// Compares how far both clocks have gone since the last look. Slewing is far below a tick between two looks.
    fn observe(&mut self, now: Timestamp, elapsed: Duration) -> Reading {
        let stepped = self.last.is_some_and(|(then, before)| {
            let expected = then.plus(elapsed.saturating_sub(before));
            now.as_nanos().abs_diff(expected.as_nanos()) > Tick::NANOS
        });
        self.last = Some((now, elapsed));
        Reading { now, stepped }
    }
}

/// The promise about time; it goes back only when the wall clock was set back.
#[derive(Debug)]
pub(super) struct Watermark {
    at: Timestamp,
    hold: Duration,
}

impl Watermark {
    /// Promises nothing yet. `hold` is the longest time a frame may stay out of sight.
    pub(super) fn new(hold: Duration) -> Self {
        Self { at: Timestamp::ZERO, hold }
    }

    /// Takes the newest frame of a batch.
    pub(super) fn frame(&mut self, newest: Timestamp) {
        self.at = self.at.max(newest.minus(REORDER));
    }

    /// Takes a look at the clock after which the ring was found empty.
    pub(super) fn empty_ring(&mut self, looked: Timestamp) {
        self.at = self.at.max(looked.minus(self.hold));
    }

    /// Begins anew after the clock was set: frames follow the new time.
    pub(super) fn restart(&mut self, looked: Timestamp) {
        self.at = looked.minus(self.hold);
    }

    pub(super) fn at(&self) -> Timestamp {
        self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLD: Duration = Duration::from_millis(120);

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn silence_moves_time_but_not_past_what_the_kernel_may_hold() {
        let mut watermark = Watermark::new(HOLD);
        watermark.frame(at(10_000));
        assert_eq!(watermark.at(), at(9_995));
        watermark.empty_ring(at(10_050));
        assert_eq!(watermark.at(), at(9_995), "a frame of 9.995 s could still be in a block");
        watermark.empty_ring(at(11_000));
        assert_eq!(watermark.at(), at(10_880));
        watermark.frame(at(10_900));
        assert_eq!(watermark.at(), at(10_895));
    }

    #[test]
    fn a_step_is_told_from_slewing_and_from_a_pause() {
        let mut clock = WallClock::new();
        let elapsed = Duration::from_millis;
        assert!(!clock.observe(at(1_000_000), elapsed(0)).stepped, "the first look");
        assert!(!clock.observe(at(1_000_100), elapsed(100)).stepped);
        assert!(!clock.observe(at(1_060_110), elapsed(60_100)).stepped, "a minute without a look, slewed by 10 ms");
        assert!(clock.observe(at(1_057_000), elapsed(60_200)).stepped, "set back by three seconds");
        assert!(!clock.observe(at(1_057_100), elapsed(60_300)).stepped, "once only");
        assert!(clock.observe(at(4_657_200), elapsed(60_400)).stepped, "set forth by an hour");
    }

    #[test]
    fn a_clock_set_back_takes_the_watermark_along() {
        let mut watermark = Watermark::new(HOLD);
        watermark.frame(at(10_000));
        watermark.restart(at(4_000));
        assert_eq!(watermark.at(), at(3_880));
        watermark.frame(at(4_010));
        assert_eq!(watermark.at(), at(4_005));
    }
}
