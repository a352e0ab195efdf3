//! The books of one input: what became of every frame.

use crate::capture::Accounting;
use crate::decode::DropReason;
use crate::source::CaptureDrops;
use crate::time::Timestamp;

/// Counts of one input since the run began.
#[derive(Clone, Debug, Default)]
pub(super) struct Books {
    frames: u64,
    processed: u64,
    discarded: [u64; DropReason::ALL.len()],
    dropped: CaptureDrops,
    shed: u64,
    bytes: u64,
    late: u64,
    clock_steps: u64,
    /// Earliest and latest capture time of a frame.
    span: Option<(Timestamp, Timestamp)>,
    /// Frames and losses when the tick under way began.
    before: (u64, u64),
}

impl Books {
    /// Counts a frame that was seen.
    pub(super) fn frame(&mut self, timestamp: Timestamp, wire_len: u32) {
        self.frames += 1;
        self.bytes += u64::from(wire_len);
        self.span = Some(match self.span {
            None => (timestamp, timestamp),
            Some((first, last)) => (first.min(timestamp), last.max(timestamp)),
        });
    }

    /// Counts what decoding made of it.
    pub(super) fn decoded(&mut self, reason: Option<DropReason>) {
        match reason {
            None => self.processed += 1,
            Some(reason) => self.discarded[reason as usize] += 1,
        }
    }

    /// Counts a frame that could be decoded and is not counted any further.
    pub(super) fn shed(&mut self) {
        self.shed += 1;
    }

    /// Returns how many frames the rings had no room for.
    pub(super) const fn lost_in_ring(&self) -> u64 {
        self.dropped.kernel
    }

    /// Counts a frame that is older than the tick it is counted in.
    pub(super) fn late(&mut self) {
        self.late += 1;
    }

    /// Counts a clock step.
    pub(super) fn clock_step(&mut self) {
        self.clock_steps += 1;
    }

    /// Takes what was lost so far, as the source says.
    pub(super) fn lost(&mut self, dropped: CaptureDrops) {
        self.dropped = dropped;
    }

    /// Returns frames seen and frames lost since the last call.
    pub(super) fn close_tick(&mut self) -> (u64, u64) {
        let now = (self.frames, self.dropped.kernel + self.dropped.interface);
        let new = (now.0 - self.before.0, now.1.saturating_sub(self.before.1));
        self.before = now;
        new
    }

    /// Returns the earliest and latest capture time.
    pub(super) const fn span(&self) -> Option<(Timestamp, Timestamp)> {
        self.span
    }

    /// Returns the books as everybody else reads them.
    pub(super) fn accounting(&self) -> Accounting {
        let discarded = DropReason::ALL.iter().zip(self.discarded).filter(|(_, count)| *count > 0);
        Accounting {
            packets: self.frames + self.dropped.kernel + self.dropped.interface,
            processed: self.processed,
            discarded: discarded.map(|(reason, count)| (*reason, count)).collect(),
            dropped: self.dropped,
            shed: self.shed,
            bytes: self.bytes,
            late: self.late,
            clock_steps: self.clock_steps,
        }
    }
}
