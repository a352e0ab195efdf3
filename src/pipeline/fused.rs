//! One thread for everything: the shard and the scorer beside the capture, and no channel.
//!
//! What a tick decides is held back for [`RULES_AFTER`] ticks, exactly as long as with many threads.

use std::collections::VecDeque;

use super::batch::BATCH_PACKETS;
use super::intake::{ClosedTick, Downstream};
use super::scorer::{Feedback, Judged, RULES_AFTER, Scorer};
use super::station::Station;
use crate::packet::Packet;
use crate::summary::Routed;
use crate::time::Tick;

/// A shard and a scorer in the capture's own thread.
pub(super) struct Fused<'o> {
    station: Station,
    scorer: Scorer<'o>,
    /// Packets of the tick under way that are still to be counted.
    waiting: Vec<Routed>,
    /// What the last ticks decided, the oldest first; never more than [`RULES_AFTER`].
    decided: VecDeque<Feedback>,
}

impl<'o> Fused<'o> {
    /// Joins a station that owns all partitions with a scorer.
    pub(super) fn new(station: Station, scorer: Scorer<'o>) -> Self {
        Self { station, scorer, waiting: Vec::with_capacity(BATCH_PACKETS), decided: VecDeque::new() }
    }

    fn count_waiting(&mut self) {
        self.station.observe_all(&self.waiting);
        self.waiting.clear();
    }

    /// Ends the run.
    pub(super) fn finish(mut self) -> Judged {
        self.count_waiting();
        let flows = self.station.finish();
        self.scorer.finish(&flows)
    }
}

impl Downstream for Fused<'_> {
    fn packet(&mut self, _tick: Tick, hash: u64, packet: &Packet) {
        self.waiting.push(Routed { hash, packet: *packet });
        if self.waiting.len() == BATCH_PACKETS {
            self.count_waiting();
        }
    }

    fn close(&mut self, closed: ClosedTick) -> Feedback {
        self.count_waiting();
        let mut count = self.station.close(closed.capture.tick);
        // A shard sorts what it counts, and this one is alone.
        count.sort_flows();
        self.station.resample(closed.sampling);
        let feedback =
            self.scorer.judge(&mut count.summary, &closed.capture, std::slice::from_ref(&closed.books), &count.flows);
        self.station.recycle(count);
        self.decided.push_back(feedback);
        if (self.decided.len() as u64) < RULES_AFTER {
            return Feedback::default();
        }
        let due = self.decided.pop_front().unwrap_or_default();
        if let Some(policy) = &due.policy {
            self.station.adopt(policy.clone());
        }
        due
    }

    fn is_dead(&self) -> bool {
        false
    }
}
