//! One thread for everything: the shard and the scorer beside the capture, and no channel.
//!
//! What a tick decides is held back for [`RULES_AFTER`] ticks, exactly as long as with many threads.

use std::collections::VecDeque;

use super::intake::{ClosedTick, Downstream};
use super::scorer::{Feedback, Judged, RULES_AFTER, Scorer};
use super::station::Station;
use crate::packet::Packet;
use crate::time::Tick;

/// A shard and a scorer in the capture's own thread.
pub(super) struct Fused<'o> {
    station: Station,
    scorer: Scorer<'o>,
    /// What the last ticks decided, the oldest first; never more than [`RULES_AFTER`].
    decided: VecDeque<Feedback>,
}

impl<'o> Fused<'o> {
    /// Joins a station that owns all partitions with a scorer.
    pub(super) fn new(station: Station, scorer: Scorer<'o>) -> Self {
        Self { station, scorer, decided: VecDeque::new() }
    }

    /// Ends the run.
    pub(super) fn finish(mut self) -> Judged {
        let flows = self.station.finish();
        self.scorer.finish(&flows)
    }
}

impl Downstream for Fused<'_> {
    fn packet(&mut self, _tick: Tick, hash: u64, packet: &Packet) {
        self.station.observe(hash, packet);
    }

    fn close(&mut self, closed: ClosedTick) -> Feedback {
        let mut count = self.station.close(closed.capture.tick);
        count.sort();
        let feedback =
            self.scorer.judge(&count.summary, &closed.capture, std::slice::from_ref(&closed.books), &count.flows);
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
