//! What happened to every frame: the books that must balance (DESIGN 1, promise 5).

use std::collections::BTreeMap;

use crate::decode::DropReason;
use crate::sampling::Sampling;
use crate::source::CaptureDrops;
use crate::time::Tick;

/// Counts since the run began. `packets = processed + discarded + dropped + shed`, always.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounting {
    /// Frames seen, lost ones included.
    pub packets: u64,
    /// Frames that became packets and were counted.
    pub processed: u64,
    /// Frames that did not, by reason.
    pub discarded: BTreeMap<DropReason, u64>,
    /// Frames lost before Vigie saw them.
    pub dropped: CaptureDrops,
    /// Frames that were decoded and not counted, since more came than could be handled.
    pub shed: u64,
    /// Bytes on the wire of all frames seen (lost ones have no length).
    pub bytes: u64,
    /// Frames older than their tick, counted in the open one.
    pub late: u64,
    /// Clock steps.
    pub clock_steps: u64,
}

impl Accounting {
    /// Adds the books of another source.
    pub fn add(&mut self, other: &Self) {
        self.packets += other.packets;
        self.processed += other.processed;
        for (reason, count) in &other.discarded {
            *self.discarded.entry(*reason).or_default() += count;
        }
        self.dropped.kernel += other.dropped.kernel;
        self.dropped.interface += other.dropped.interface;
        self.shed += other.shed;
        self.bytes += other.bytes;
        self.late += other.late;
        self.clock_steps += other.clock_steps;
    }
}

/// What the scorer is told of the capture itself with each tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaptureTick {
    /// The tick.
    pub tick: Tick,
    /// Frames seen in it.
    pub frames: u64,
    /// Frames lost in it (kernel and interface).
    pub lost: u64,
    /// A clock step, a leap or a stalled source lies before this tick: windows restart, tests pause.
    pub gap: bool,
    /// Which part of the pairs of addresses was counted.
    pub sampling: Sampling,
}
