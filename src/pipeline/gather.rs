//! Brings the shards' counts of a tick together, in shard order, and has them judged. Runs in the scorer's thread.

use std::collections::VecDeque;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};

use super::batch::Input;
use super::intake::ClosedTick;
use super::scorer::{Feedback, Judged, RULES_AFTER, Scorer};
use super::station::{TickCount, sort_flows};
use super::timing::Timed;
use crate::capture::{Accounting, CaptureTick};
use crate::flow::FlowRecord;
use crate::metrics::{Metrics, Queue, Stage};
use crate::policy::Policy;
use crate::time::Tick;

/// A message to the scorer's thread.
#[derive(Debug)]
pub(super) enum ToScorer {
    /// An input has ended a tick: sent before any shard can have closed it.
    Captured {
        /// Which input.
        input: Input,
        /// What it knows of the tick.
        closed: ClosedTick,
    },
    /// A shard has closed a tick.
    Counted {
        /// Which shard.
        shard: usize,
        /// The tick.
        tick: Tick,
        /// What it counted.
        count: Box<TickCount>,
    },
    /// A shard has ended, with the flows that were still in its table.
    Ended {
        /// The flows.
        flows: Vec<FlowRecord>,
    },
}

/// A policy and the first tick it rules, counted from the start of the run.
#[derive(Clone, Debug)]
pub(super) struct Ruling {
    /// How many ticks of the run come before the first it rules.
    pub(super) from: u64,
    /// The policy.
    pub(super) policy: Arc<Policy>,
}

/// What the scorer gives back to a shard.
pub(super) struct ToShard {
    /// Policies, each before the tick it was decided on is reported as judged.
    pub(super) rulings: Sender<Ruling>,
    /// Buffers to fill again.
    pub(super) spare: Sender<TickCount>,
}

/// The scorer's thread.
pub(super) struct Gather<'o> {
    scorer: Scorer<'o>,
    messages: Receiver<ToScorer>,
    shards: Vec<ToShard>,
    /// To each input.
    feedback: Vec<Sender<Feedback>>,
    metrics: Option<Arc<Metrics>>,
    /// Counts that wait for the other shards.
    counted: Vec<VecDeque<(Tick, TickCount)>>,
    /// What inputs know of ticks that are not judged yet.
    captured: Vec<VecDeque<ClosedTick>>,
    books: Vec<Accounting>,
    flows: Vec<FlowRecord>,
    judged: u64,
}

impl<'o> Gather<'o> {
    /// Connects the scorer to the inputs and the shards.
    pub(super) fn new(
        scorer: Scorer<'o>,
        messages: Receiver<ToScorer>,
        shards: Vec<ToShard>,
        inputs: Vec<Sender<Feedback>>,
        metrics: Option<Arc<Metrics>>,
    ) -> Self {
        Self {
            scorer,
            messages,
            counted: shards.iter().map(|_| VecDeque::new()).collect(),
            shards,
            metrics,
            captured: inputs.iter().map(|_| VecDeque::new()).collect(),
            books: vec![Accounting::default(); inputs.len()],
            feedback: inputs,
            flows: Vec::new(),
            judged: 0,
        }
    }

    /// Judges ticks until all shards and inputs are gone, then ends the run.
    pub(super) fn run(mut self) -> Judged {
        while let Ok(message) = self.messages.recv() {
            match message {
                ToScorer::Captured { input, closed } => self.captured[input].push_back(closed),
                ToScorer::Counted { shard, tick, count } => {
                    self.counted[shard].push_back((tick, *count));
                    self.judge_complete();
                }
                ToScorer::Ended { flows } => self.flows.extend(flows),
            }
        }
        sort_flows(&mut self.flows);
        self.scorer.finish(&self.flows)
    }

    fn judge_complete(&mut self) {
        while self.counted.iter().all(|counts| !counts.is_empty()) {
            let counts: Vec<(Tick, TickCount)> = self.counted.iter_mut().filter_map(VecDeque::pop_front).collect();
            let Some((tick, _)) = counts.first() else { return };
            let tick = *tick;
            let counts = counts.into_iter().map(|(_, count)| count).collect();
            self.judge(tick, counts);
        }
    }

    fn judge(&mut self, tick: Tick, mut counts: Vec<TickCount>) {
        let capture = self.capture_of(tick);
        let timed = Timed::start(self.metrics.as_deref());
        if let Some((first, others)) = counts.split_first_mut() {
            others.iter().for_each(|other| first.merge(other));
            first.sort();
            timed.next(Stage::Merge);
            let feedback = self.scorer.judge(&mut first.summary, &capture, &self.books, &first.flows);
            self.tell(feedback);
        }
        for (shard, count) in self.shards.iter().zip(counts) {
            // A shard that has ended needs no buffers.
            let _ = shard.spare.send(count);
        }
        if let Some(metrics) = &self.metrics {
            metrics.set_queue(Queue::Summaries, self.messages.len());
        }
    }

    /// Joins what the inputs know of a tick. All that took part in it have reported it before any shard could close it.
    fn capture_of(&mut self, tick: Tick) -> CaptureTick {
        let mut joined = CaptureTick { tick, ..CaptureTick::default() };
        for (captured, books) in self.captured.iter_mut().zip(&mut self.books) {
            while captured.front().is_some_and(|closed| closed.capture.tick <= tick) {
                let Some(closed) = captured.pop_front() else { break };
                joined.frames += closed.capture.frames;
                joined.lost += closed.capture.lost;
                joined.gap |= closed.capture.gap;
                joined.sampling = joined.sampling.max(closed.capture.sampling);
                *books = closed.books;
            }
        }
        joined
    }

    /// Tells the shards first, then the inputs: when one that waits goes on, every shard finds the policy in time.
    fn tell(&mut self, feedback: Feedback) {
        if let Some(policy) = &feedback.policy {
            let ruling = Ruling { from: self.judged + RULES_AFTER, policy: Arc::clone(policy) };
            for shard in &self.shards {
                let _ = shard.rulings.send(ruling.clone());
            }
        }
        self.judged += 1;
        for input in &self.feedback {
            let _ = input.send(feedback.clone());
        }
    }
}
