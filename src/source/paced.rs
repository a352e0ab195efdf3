//! Frames at the pace at which they were recorded, or a multiple of it.
//!
//! Pacing decides when a frame is handed on, and nothing else: neither its time, nor its order, nor its tick. It reads the wall
//! clock, which is why it lives in `source`, and waits a moment at a time, so that a stop flag ends it at once.
//!
//! A block of the source within is kept (its bytes are copied, which does not matter at such a pace) and given out as its
//! frames come due. The watermark follows the frames given; what the source within vouched for comes after its block.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::source::time_base::{TimeBase, Verdict};
use crate::source::{CaptureDrops, Frame, InterfaceId, LinkType, PacketSource, Progress, SourceError};
use crate::time::Timestamp;

/// The longest wait before the stop flag is looked at, and before a silent source gives the turn back.
const PATIENCE: Duration = Duration::from_millis(50);

/// Recorded silence is waited through for as long as it is ticked (DESIGN 4); of what is longer the rest is left out.
const LONGEST_SILENCE: Duration = Duration::from_secs(15 * 60);

/// A multiple of recorded time, greater than zero.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Pace(f64);

impl Pace {
    /// Takes a factor: 1 is as recorded, 50 is fifty times as fast.
    #[must_use]
    pub fn new(factor: f64) -> Option<Self> {
        (factor.is_finite() && factor > 0.0).then_some(Self(factor))
    }

    /// Returns the factor.
    #[must_use]
    pub const fn factor(self) -> f64 {
        self.0
    }
}

/// Releases the frames of a source in step with the wall clock.
#[derive(Debug)]
pub struct PacedSource<S> {
    source: S,
    schedule: Schedule,
    stop: Arc<AtomicBool>,
    base: TimeBase,
    held: Held,
    /// What the source said after the block that is held.
    after: Option<Result<Progress, SourceError>>,
}

/// Frames of one block, their bytes one after another.
#[derive(Debug, Default)]
struct Held {
    bytes: Vec<u8>,
    frames: Vec<HeldFrame>,
    next: usize,
}

#[derive(Clone, Copy, Debug)]
struct HeldFrame {
    timestamp: Timestamp,
    link: LinkType,
    interface: InterfaceId,
    wire_len: u32,
    end: usize,
}

impl Held {
    fn push(&mut self, frame: &Frame<'_>) {
        self.bytes.extend_from_slice(frame.bytes);
        self.frames.push(HeldFrame {
            timestamp: frame.timestamp,
            link: frame.link,
            interface: frame.interface,
            wire_len: frame.wire_len,
            end: self.bytes.len(),
        });
    }

    fn peek(&self) -> Option<Frame<'_>> {
        let held = self.frames.get(self.next)?;
        let start = self.next.checked_sub(1).map_or(0, |before| self.frames[before].end);
        Some(Frame {
            timestamp: held.timestamp,
            link: held.link,
            interface: held.interface,
            wire_len: held.wire_len,
            bytes: &self.bytes[start..held.end],
        })
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.frames.clear();
        self.next = 0;
    }
}

/// When a moment of the capture is due: wall time and capture time are tied at an anchor, the first moment asked about.
#[derive(Debug)]
struct Schedule {
    pace: Pace,
    anchor: Option<Anchor>,
}

#[derive(Clone, Copy, Debug)]
struct Anchor {
    wall: Instant,
    capture: Timestamp,
    /// The latest moment that was due.
    latest: Timestamp,
}

impl Schedule {
    /// Returns how long to wait for a moment of the capture; nothing for one that is past or before the anchor.
    #[expect(
        clippy::disallowed_methods,
        reason = "pacing follows the wall clock by its nature; no frame's time comes from it"
    )]
    fn wait_for(&mut self, moment: Timestamp) -> Duration {
        self.wait_at(Instant::now(), moment)
    }

    fn wait_at(&mut self, now: Instant, moment: Timestamp) -> Duration {
        let anchor = self.anchor.get_or_insert(Anchor { wall: now, capture: moment, latest: moment });
        let skipped = moment.since(anchor.latest).saturating_sub(LONGEST_SILENCE);
        anchor.capture = anchor.capture.plus(skipped);
        anchor.latest = anchor.latest.plus(skipped);
        let recorded = moment.since(anchor.capture).as_secs_f64();
        // Absurd distances become the longest duration there is, which is waited for in small pieces.
        let due = Duration::try_from_secs_f64(recorded / self.pace.0).unwrap_or(Duration::MAX);
        let wait = due.saturating_sub(now.duration_since(anchor.wall));
        if wait.is_zero() {
            anchor.latest = anchor.latest.max(moment);
        }
        wait
    }

    /// Ties wall time to the next moment anew: a step of the capture clock must not release the rest in one burst.
    fn restart(&mut self) {
        self.anchor = None;
    }
}

impl<S: PacketSource> PacedSource<S> {
    /// Wraps a source. Once `stop` is set, frames that are not yet due are not given, and the source ends.
    #[must_use]
    pub fn new(source: S, pace: Pace, stop: Arc<AtomicBool>) -> Self {
        Self {
            source,
            schedule: Schedule { pace, anchor: None },
            stop,
            base: TimeBase::default(),
            held: Held::default(),
            after: None,
        }
    }

    /// Returns the source within, for its progress.
    pub const fn source(&self) -> &S {
        &self.source
    }

    fn watermark(&self) -> Timestamp {
        self.base.watermark().unwrap_or(Timestamp::ZERO)
    }

    /// Gives the frames that are due. Returns how long to wait for the next, none if no more are held.
    fn give_due(&mut self, on_frame: &mut dyn FnMut(Frame<'_>)) -> Option<Duration> {
        while let Some(frame) = self.held.peek() {
            let mut ahead = self.base;
            let verdict = ahead.observe(frame.timestamp);
            if matches!(verdict, Verdict::Step { .. }) {
                self.schedule.restart();
            }
            // Time has come as far as the watermark says; a stray, whatever its own time, is due with its neighbours.
            let wait = self.schedule.wait_for(ahead.watermark().unwrap_or(frame.timestamp));
            if !wait.is_zero() {
                return Some(wait);
            }
            on_frame(frame);
            self.base = ahead;
            self.held.next += 1;
        }
        None
    }

    /// Passes on what the source said after its block, once its watermark is due. Returns how long to wait, or the word.
    fn give_word(&mut self) -> Result<Result<Progress, SourceError>, Duration> {
        match self.after.take() {
            Some(Ok(Progress::Open { watermark })) if watermark > self.watermark() => {
                let wait = self.schedule.wait_for(watermark);
                if !wait.is_zero() {
                    self.after = Some(Ok(Progress::Open { watermark }));
                    return Err(wait);
                }
                self.base.advance(watermark);
                Ok(Ok(Progress::Open { watermark }))
            }
            Some(word) => Ok(word),
            None => Ok(Ok(Progress::Open { watermark: self.watermark() })),
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a bounded wait for the wall clock; there is no event to wait for instead"
    )]
    fn wait(&self, wait: Duration) {
        if !self.stop.load(Ordering::Relaxed) {
            std::thread::sleep(wait.min(PATIENCE));
        }
    }
}

impl<S: PacketSource> PacketSource for PacedSource<S> {
    fn poll(&mut self, on_frame: &mut dyn FnMut(Frame<'_>)) -> Result<Progress, SourceError> {
        if self.stop.load(Ordering::Relaxed) {
            return Ok(Progress::End);
        }
        if self.held.frames.is_empty() && self.after.is_none() {
            let held = &mut self.held;
            self.after = Some(self.source.poll(&mut |frame| held.push(&frame)));
        }
        let given = self.held.next;
        if let Some(wait) = self.give_due(on_frame) {
            if self.held.next == given {
                self.wait(wait);
            }
            return Ok(Progress::Open { watermark: self.watermark() });
        }
        self.held.clear();
        self.give_word().unwrap_or_else(|wait| {
            self.wait(wait);
            Ok(Progress::Open { watermark: self.watermark() })
        })
    }

    fn drops(&mut self) -> Result<CaptureDrops, SourceError> {
        self.source.drops()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::synthetic::{OwnedFrame, SyntheticSource};

    fn schedule(factor: f64) -> Schedule {
        Schedule { pace: Pace::new(factor).unwrap(), anchor: None }
    }

    fn frames(milliseconds: &[u64]) -> Vec<OwnedFrame> {
        let frame = |at: &u64| OwnedFrame {
            timestamp: Timestamp::from_nanos(at * 1_000_000),
            link: LinkType::Ethernet,
            bytes: vec![0; usize::try_from(at % 100).unwrap()],
        };
        milliseconds.iter().map(frame).collect()
    }

    #[test]
    fn moments_are_due_at_a_multiple_of_recorded_time() {
        let start = Timestamp::from_secs(1_000);
        #[expect(clippy::disallowed_methods, reason = "any instant will do, none is waited for")]
        let now = Instant::now();
        let mut schedule = schedule(4.0);
        assert_eq!(schedule.wait_at(now, start), Duration::ZERO);
        assert_eq!(schedule.wait_at(now, start.plus(Duration::from_secs(8))), Duration::from_secs(2));
        let later = now + Duration::from_millis(1_500);
        assert_eq!(schedule.wait_at(later, start.plus(Duration::from_secs(8))), Duration::from_millis(500));
        assert_eq!(schedule.wait_at(later, start.plus(Duration::from_secs(6))), Duration::ZERO);
        assert_eq!(schedule.wait_at(later, start.minus(Duration::from_secs(600))), Duration::ZERO);
    }

    #[test]
    fn years_of_silence_are_waited_for_as_fifteen_minutes() {
        let start = Timestamp::from_secs(1_000);
        #[expect(clippy::disallowed_methods, reason = "any instant will do, none is waited for")]
        let now = Instant::now();
        let mut schedule = schedule(1.0);
        schedule.wait_at(now, start);
        let years = start.plus(Duration::from_secs(100_000_000));
        for seconds in [0, 100, 899] {
            let wait = schedule.wait_at(now + Duration::from_secs(seconds), years);
            assert_eq!(wait, Duration::from_secs(900 - seconds));
        }
        assert_eq!(schedule.wait_at(now + Duration::from_secs(900), years), Duration::ZERO);
        let next = years.plus(Duration::from_secs(5));
        assert_eq!(schedule.wait_at(now + Duration::from_secs(900), next), Duration::from_secs(5));
    }

    #[test]
    fn frames_and_their_order_are_unchanged() {
        let frames = frames(&[5_000, 5_010, 5_007, 9_999_999, 5_020, 5_033]);
        let source = SyntheticSource::new(frames.clone()).with_block(4);
        let mut paced = PacedSource::new(source, Pace::new(10.0).unwrap(), Arc::default());
        let mut seen = Vec::new();
        let mut on_frame = |frame: Frame<'_>| {
            seen.push(OwnedFrame { timestamp: frame.timestamp, link: frame.link, bytes: frame.bytes.to_vec() });
        };
        while let Progress::Open { watermark } = paced.poll(&mut on_frame).unwrap() {
            assert!(watermark <= Timestamp::from_nanos(5_033_000_000));
        }
        assert_eq!(seen, frames);
    }

    #[test]
    fn a_stop_ends_it_before_the_next_frame_is_due() {
        let stop = Arc::new(AtomicBool::new(false));
        let source = SyntheticSource::new(frames(&[0, 40_000]));
        let mut paced = PacedSource::new(source, Pace::new(0.001).unwrap(), Arc::clone(&stop));
        let mut seen = 0;
        while seen == 0 {
            paced.poll(&mut |_| seen += 1).unwrap();
        }
        paced.poll(&mut |_| seen += 1).unwrap();
        stop.store(true, Ordering::Relaxed);
        assert_eq!(paced.poll(&mut |_| seen += 1).unwrap(), Progress::End);
        assert_eq!(seen, 1);
    }

    #[test]
    fn a_pace_is_a_positive_number() {
        assert!([0.0, -1.0, f64::NAN, f64::INFINITY].into_iter().all(|factor| Pace::new(factor).is_none()));
        assert_eq!(Pace::new(50.0).map(Pace::factor), Some(50.0));
    }
}
