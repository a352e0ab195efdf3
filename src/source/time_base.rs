//! How far capture time has come, and which timestamps may move it.
//!
//! One state machine, shared by those who must come to the same answer: the clock that gives frames their tick, the
//! files that look ahead for the end of a silence, and the pacing wrapper. It knows timestamps only, no ticks.

use crate::time::{NANOS_PER_SECOND, Timestamp};

/// A frame so much older than the watermark is far behind (DETECTION 0.2, "Time").
const BEHIND_NANOS: u64 = 2 * NANOS_PER_SECOND;
/// A frame so much newer than the watermark is far ahead (DETECTION 0.2, "Time").
const AHEAD_NANOS: u64 = 60 * NANOS_PER_SECOND;
/// So many far frames in a row that agree are a clock step (DETECTION 0.2, "Time").
pub(super) const AGREEING: u8 = 16;

/// What a timestamp means for the watermark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Close to the watermark, which is now at least this timestamp.
    Near,
    /// Far behind or ahead: a stray so far, the watermark has not moved.
    Far,
    /// The last of [`AGREEING`] far ones: the watermark is now this timestamp; it was `from`.
    Step {
        /// The watermark before.
        from: Timestamp,
    },
}

/// On which side of the watermark a far timestamp lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Behind,
    Ahead,
}

/// Far timestamps in a row that tell the same story.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    side: Side,
    newest: Timestamp,
    count: u8,
}

/// The running maximum of a stream of timestamps, proof against strays.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TimeBase {
    watermark: Option<Timestamp>,
    candidate: Option<Candidate>,
}

impl TimeBase {
    /// Returns the latest believed timestamp, none before the first.
    pub(super) const fn watermark(&self) -> Option<Timestamp> {
        self.watermark
    }

    /// Tells whether the timestamp is more than 60 s after the watermark.
    #[inline]
    pub(super) fn is_far_ahead(&self, timestamp: Timestamp) -> bool {
        self.watermark.is_some_and(|watermark| is_ahead(watermark, timestamp))
    }

    /// Tells whether `later`, which followed `earlier` in the capture, may lie on the same time base: at most
    /// 2 s before it. Any time after it will do, since a quiet link is silent for as long as it likes.
    pub(super) fn agrees(earlier: Timestamp, later: Timestamp) -> bool {
        !is_behind(earlier, later)
    }

    /// Takes the timestamp of the next frame if it is near; otherwise nothing has changed.
    #[inline]
    pub(super) fn observe_near(&mut self, timestamp: Timestamp) -> bool {
        let watermark = self.watermark.unwrap_or(timestamp);
        if is_ahead(watermark, timestamp) || is_behind(watermark, timestamp) {
            return false;
        }
        self.candidate = None;
        self.watermark = Some(watermark.max(timestamp));
        true
    }

    /// Takes the timestamp of the next frame. The first one is the base, whatever it is.
    #[inline]
    pub(super) fn observe(&mut self, timestamp: Timestamp) -> Verdict {
        if self.observe_near(timestamp) { Verdict::Near } else { self.observe_far(timestamp) }
    }

    #[cold]
    fn observe_far(&mut self, timestamp: Timestamp) -> Verdict {
        let watermark = self.watermark.unwrap_or(timestamp);
        let side = if timestamp > watermark { Side::Ahead } else { Side::Behind };
        let candidate = match self.candidate {
            Some(seen) if seen.side == side && Self::agrees(seen.newest, timestamp) => {
                Candidate { newest: seen.newest.max(timestamp), count: seen.count + 1, side }
            }
            _ => Candidate { newest: timestamp, count: 1, side },
        };
        if candidate.count < AGREEING {
            self.candidate = Some(candidate);
            return Verdict::Far;
        }
        self.candidate = None;
        self.watermark = Some(candidate.newest);
        Verdict::Step { from: watermark }
    }

    /// Moves the watermark to a time the source vouches for. It never moves back this way.
    pub(super) fn advance(&mut self, watermark: Timestamp) {
        if self.watermark.is_none_or(|now| watermark > now) {
            self.watermark = Some(watermark);
        }
    }

    /// Ends the stream: far frames still undecided are a step after all. Returns (from, to).
    pub(super) fn finish(&mut self) -> Option<(Timestamp, Timestamp)> {
        let candidate = self.candidate.take()?;
        let from = self.watermark.replace(candidate.newest)?;
        Some((from, candidate.newest))
    }
}

#[inline]
const fn is_ahead(watermark: Timestamp, timestamp: Timestamp) -> bool {
    timestamp.as_nanos() > watermark.as_nanos().saturating_add(AHEAD_NANOS)
}

#[inline]
const fn is_behind(watermark: Timestamp, timestamp: Timestamp) -> bool {
    timestamp.as_nanos().saturating_add(BEHIND_NANOS) < watermark.as_nanos()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    #[test]
    fn limits_are_two_seconds_behind_and_sixty_ahead() {
        let mut base = TimeBase::default();
        assert_eq!(base.observe(at(1_000)), Verdict::Near);
        assert_eq!(base.observe(at(998)), Verdict::Near);
        assert_eq!(base.observe(Timestamp::from_nanos(at(998).as_nanos() - 1)), Verdict::Far);
        assert_eq!(base.observe(Timestamp::from_nanos(at(1_060).as_nanos() + 1)), Verdict::Far);
        assert_eq!(base.watermark(), Some(at(1_000)));
        assert_eq!(base.observe(at(1_060)), Verdict::Near);
        assert_eq!(base.watermark(), Some(at(1_060)));
    }

    #[test]
    fn a_near_frame_breaks_the_row() {
        let mut base = TimeBase::default();
        base.observe(at(1_000));
        for _ in 0..100 {
            for _ in 1..AGREEING {
                assert_eq!(base.observe(at(5_000)), Verdict::Far);
            }
            assert_eq!(base.observe(at(1_000)), Verdict::Near);
        }
    }

    #[test]
    fn sparse_frames_agree_and_wild_ones_do_not() {
        let mut base = TimeBase::default();
        base.observe(at(1_000));
        let verdicts: Vec<_> = (1..=16).map(|n| base.observe(at(1_000 + n * 300))).collect();
        assert_eq!(verdicts.iter().filter(|v| **v == Verdict::Far).count(), 15);
        assert_eq!(verdicts[15], Verdict::Step { from: at(1_000) });

        let mut base = TimeBase::default();
        base.observe(at(1_000_000));
        for n in 0..100 {
            assert_eq!(base.observe(at(2_000_000 - n * 1_000)), Verdict::Far, "each older than the one before");
        }
    }

    #[test]
    fn the_ends_of_the_number_line_do_no_harm() {
        let mut base = TimeBase::default();
        base.observe(Timestamp::from_nanos(u64::MAX));
        base.observe(Timestamp::ZERO);
        base.advance(Timestamp::ZERO);
        assert_eq!(base.finish(), Some((Timestamp::from_nanos(u64::MAX), Timestamp::ZERO)));
        base.observe(Timestamp::from_nanos(u64::MAX));
    }
}
