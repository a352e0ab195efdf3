//! A shard's thread: takes messages in order, counts packets, closes ticks.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::batch::{Input, Message};
use super::gather::{Ruling, ToScorer};
use super::inbox::{Inbox, Step};
use super::station::{Station, TickCount};
use super::timing::Timed;
use crate::metrics::{Metrics, Stage};
use crate::sampling::Sampling;
use crate::summary::{Memory, Routed};
use crate::time::{Tick, Timestamp};

/// How long a shard that merges inputs waits for a message before it looks at their promises.
const PROMISE_EVERY: Duration = Duration::from_millis(10);

/// What a shard's thread is connected to.
pub(super) struct Links {
    /// From the inputs.
    pub(super) messages: Receiver<Message>,
    /// Batches back to each input.
    pub(super) spare: Vec<Sender<Vec<Routed>>>,
    /// To the scorer.
    pub(super) scorer: Sender<ToScorer>,
    /// Policies from the scorer.
    pub(super) rulings: Receiver<Ruling>,
    /// Buffers back from the scorer.
    pub(super) counts: Receiver<TickCount>,
    /// See [`super::router::Links::promise`].
    pub(super) promises: Vec<Arc<AtomicU64>>,
    /// Where batch times are shown.
    pub(super) metrics: Option<Arc<Metrics>>,
}

/// A shard's thread.
pub(super) struct Worker {
    shard: usize,
    station: Station,
    links: Links,
    coming: VecDeque<Ruling>,
    /// Ticks closed.
    closed: u64,
    /// No packet of the tick under way was counted yet: policies that rule from it on are still to be taken.
    fresh: bool,
}

impl Worker {
    /// Connects a station.
    pub(super) fn new(shard: usize, station: Station, links: Links) -> Self {
        Self { shard, station, links, coming: VecDeque::new(), closed: 0, fresh: true }
    }

    /// Returns how much memory the shard has reserved.
    pub(super) fn memory(&self) -> Memory {
        self.station.memory()
    }

    /// Works until all inputs have ended or are gone.
    pub(super) fn run(mut self) {
        if self.links.spare.len() == 1 {
            self.follow()
        } else {
            self.merge()
        }
        let flows = self.station.finish();
        // A scorer that is gone has failed, and that is told elsewhere.
        let _ = self.links.scorer.send(ToScorer::Ended { flows });
    }

    /// Follows a single input: what it sends is in order already.
    fn follow(&mut self) {
        while let Ok(message) = self.links.messages.recv() {
            match message {
                Message::Packets { input, mut batch, .. } => {
                    self.adopt_due();
                    let timed = Timed::start(self.links.metrics.as_deref());
                    self.station.observe_all(&batch);
                    timed.next(Stage::Shard);
                    batch.clear();
                    self.give_back(input, batch);
                }
                Message::Close { tick, sampling, .. } => self.close(tick, sampling),
                Message::End { .. } => return,
            }
        }
    }

    /// Merges several inputs by time.
    fn merge(&mut self) {
        let mut inbox = Inbox::new(self.links.spare.len());
        loop {
            match inbox.next() {
                Step::Packet(routed) => {
                    self.adopt_due();
                    self.station.observe(routed.hash, &routed.packet);
                }
                Step::Recycle(input, batch) => self.give_back(input, batch),
                Step::Close(tick, sampling) => self.close(tick, sampling),
                Step::End => return,
                Step::Wait => {
                    if !self.receive(&mut inbox) {
                        return;
                    }
                }
            }
        }
    }

    /// Waits for news of any input. Returns false when all are gone.
    fn receive(&self, inbox: &mut Inbox) -> bool {
        let first = self.links.messages.recv_timeout(PROMISE_EVERY);
        // The promises are read before what was sent before them is taken, or a packet could be overlooked.
        let promises: Vec<u64> = self.links.promises.iter().map(|promise| promise.load(Ordering::Acquire)).collect();
        match first {
            Ok(message) => inbox.accept(message),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return false,
        }
        while let Ok(message) = self.links.messages.try_recv() {
            inbox.accept(message);
        }
        for (input, promise) in promises.into_iter().enumerate() {
            inbox.promise(input, Timestamp::from_nanos(promise));
        }
        true
    }

    fn give_back(&self, input: Input, batch: Vec<Routed>) {
        // An input that has ended needs no batches.
        let _ = self.links.spare[input].send(batch);
    }

    /// Closes a tick; of what follows, the inputs give only a part.
    fn close(&mut self, tick: Tick, sampling: Sampling) {
        self.adopt_due();
        while let Ok(count) = self.links.counts.try_recv() {
            self.station.recycle(count);
        }
        let count = self.station.close(tick);
        self.station.resample(sampling);
        let _ = self.links.scorer.send(ToScorer::Counted { shard: self.shard, tick, count: Box::new(count) });
        self.closed += 1;
        self.fresh = true;
    }

    /// Lets the policies rule whose tick begins now. Only when the first message of that tick is there: a replay waits for
    /// the policy between closing one tick and sending of the next. Live nothing waits, and a policy that is late rules at
    /// once.
    fn adopt_due(&mut self) {
        if !std::mem::take(&mut self.fresh) {
            return;
        }
        self.coming.extend(self.links.rulings.try_iter());
        while self.coming.front().is_some_and(|ruling| ruling.from <= self.closed) {
            let Some(ruling) = self.coming.pop_front() else { return };
            if ruling.from < self.closed {
                tracing::warn!(shard = self.shard, ticks = self.closed - ruling.from, "a policy came late");
            }
            self.station.adopt(ruling.policy);
        }
    }
}
