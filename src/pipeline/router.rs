//! Deals the packets of one input to the shards, and paces it by what comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError};

use super::batch::{BATCH_PACKETS, Input, Message};
use super::failure::{Failure, LOOK_EVERY};
use super::gather::ToScorer;
use super::intake::{ClosedTick, Downstream};
use super::scorer::{Feedback, RULES_AFTER};
use crate::hash::partition;
use crate::metrics::{Metrics, Queue};
use crate::packet::Packet;
use crate::summary::Routed;
use crate::time::{Tick, Timestamp};

/// What an input needs to reach everybody else.
pub(super) struct Links {
    /// To each shard.
    pub(super) shards: Vec<Sender<Message>>,
    /// Batches that came back.
    pub(super) spare: Receiver<Vec<Routed>>,
    /// To the scorer.
    pub(super) scorer: Sender<ToScorer>,
    /// What each judged tick means.
    pub(super) feedback: Receiver<Feedback>,
    /// Whether the input waits for it; live ones take what has come.
    pub(super) waits: bool,
    /// Time up to which all packets were sent, for shards that wait for this input while it waits for batches.
    pub(super) promise: Arc<AtomicU64>,
    /// Whether another thread has failed.
    pub(super) failure: Arc<Failure>,
    /// Where queue lengths are shown.
    pub(super) metrics: Option<Arc<Metrics>>,
}

/// One input's side of the channels.
pub(super) struct Router {
    input: Input,
    links: Links,
    /// The batch being filled for each shard.
    filling: Vec<Option<Vec<Routed>>>,
    /// Several inputs feed the shards, which wait for the slowest.
    shared: bool,
    tick: Tick,
    latest: Timestamp,
    /// Ticks closed, and those of which the feedback was taken.
    closed: u64,
    taken: u64,
}

impl Router {
    /// Connects an input; `shared` when there are others.
    pub(super) fn new(input: Input, links: Links, shared: bool) -> Self {
        let filling = links.shards.iter().map(|_| None).collect();
        Self { input, links, filling, shared, tick: Tick::default(), latest: Timestamp::ZERO, closed: 0, taken: 0 }
    }

    /// Ends the input: its last tick was closed.
    pub(super) fn finish(self) {
        for shard in &self.links.shards {
            // A shard that is gone has failed, and that is told elsewhere.
            let _ = shard.send(Message::End { input: self.input });
        }
    }

    fn send(&mut self, shard: usize) {
        if let Some(batch) = self.filling[shard].take() {
            let message = Message::Packets { input: self.input, tick: self.tick, batch };
            let _ = self.links.shards[shard].send(message);
        }
    }

    fn send_all(&mut self) {
        for shard in 0..self.filling.len() {
            self.send(shard);
        }
    }

    /// Takes an empty batch, waiting until a shard gives one back. `None` when another thread has failed.
    fn spare(&mut self) -> Option<Vec<Routed>> {
        match self.links.spare.try_recv() {
            Ok(batch) => return Some(batch),
            Err(TryRecvError::Disconnected) => return None,
            Err(TryRecvError::Empty) => {}
        }
        if self.shared {
            // Shards merge inputs by time: one that waits for this input must learn that it may go on without.
            self.send_all();
            self.links.promise.store(self.latest.as_nanos(), Ordering::Release);
        }
        wait(&self.links.spare, &self.links.failure)
    }

    /// Takes what has come due: of a tick what it means [`RULES_AFTER`] ticks later, as shards do.
    fn feedback(&mut self) -> Feedback {
        let (feedback, failure) = (&self.links.feedback, &self.links.failure);
        let mut due = Feedback::default();
        while self.taken + RULES_AFTER <= self.closed {
            let next = if self.links.waits { wait(feedback, failure) } else { feedback.try_recv().ok() };
            let Some(next) = next else { break };
            self.taken += 1;
            due = next.or_policy_of(due);
        }
        due
    }

    fn show_queue(&self) {
        if let Some(metrics) = &self.links.metrics {
            metrics.set_queue(Queue::Packets, self.links.shards.iter().map(Sender::len).sum());
        }
    }
}

impl Downstream for Router {
    fn packet(&mut self, tick: Tick, hash: u64, packet: &Packet) {
        self.tick = tick;
        let shard = partition(hash) % self.filling.len();
        if self.filling[shard].is_none() {
            self.filling[shard] = self.spare();
        }
        self.latest = self.latest.max(packet.timestamp);
        let Some(batch) = &mut self.filling[shard] else { return };
        batch.push(Routed { hash, packet: *packet });
        if batch.len() == BATCH_PACKETS {
            self.send(shard);
        }
    }

    fn close(&mut self, closed: ClosedTick) -> Feedback {
        self.show_queue();
        self.send_all();
        let (tick, next, sampling) = (closed.capture.tick, closed.next, closed.sampling);
        // Before the shards learn of it, so that the scorer knows the capture when their counts arrive.
        let _ = self.links.scorer.send(ToScorer::Captured { input: self.input, closed });
        for shard in &self.links.shards {
            let _ = shard.send(Message::Close { input: self.input, tick, next, sampling });
        }
        self.closed += 1;
        self.feedback()
    }

    fn is_dead(&self) -> bool {
        self.links.failure.happened()
    }
}

/// Waits for a message, but never for a thread that has failed.
pub(super) fn wait<T>(receiver: &Receiver<T>, failure: &Failure) -> Option<T> {
    loop {
        match receiver.recv_timeout(LOOK_EVERY) {
            Ok(message) => return Some(message),
            Err(RecvTimeoutError::Timeout) if !failure.happened() => {}
            Err(_) => return None,
        }
    }
}
