//! Merges what several captures send to one shard, so that a reply seen by a second tap does not overtake its request.
//!
//! Within a tick the packet with the smallest time goes first, the lower input where two agree; a tick ends when every
//! input has ended it. Knows messages, not channels: what it cannot decide yet, it waits for.

use std::collections::VecDeque;

use super::batch::{Input, Message};
use crate::sampling::Sampling;
use crate::summary::Routed;
use crate::time::{Tick, Timestamp};

/// What a shard does next.
#[derive(Debug)]
pub(super) enum Step {
    /// Observe the packet.
    Packet(Routed),
    /// Give the batch back: all of it was observed.
    Recycle(Input, Vec<Routed>),
    /// Close the tick; of what follows, the inputs give this part.
    Close(Tick, Sampling),
    /// All inputs have ended.
    End,
    /// Nothing can be decided before the next message.
    Wait,
}

/// The messages of all inputs that were not yet acted on.
#[derive(Debug)]
pub(super) struct Inbox {
    lanes: Vec<Lane>,
}

/// The messages of one input.
#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<Message>,
    /// How many packets of the first batch were taken.
    taken: usize,
    /// The tick it is in; `None` until its first message.
    tick: Option<Tick>,
    /// Which part of the pairs it gives.
    sampling: Sampling,
    ended: bool,
    /// It promised, when it ran out of batches, that all packets before this time were sent.
    promise: Timestamp,
}

/// What stands first in a lane.
enum Head {
    Packet(Timestamp),
    Close,
    /// Nothing is known; only that what comes is not older than this.
    Unknown(Timestamp),
}

impl Inbox {
    /// Expects messages of so many inputs.
    pub(super) fn new(inputs: usize) -> Self {
        Self { lanes: (0..inputs).map(|_| Lane::default()).collect() }
    }

    /// Takes a message.
    pub(super) fn accept(&mut self, message: Message) {
        let lane = &mut self.lanes[message.input()];
        if lane.tick.is_none() {
            lane.tick = match &message {
                Message::Packets { tick, .. } | Message::Close { tick, .. } => Some(*tick),
                Message::End { .. } => None,
            };
        }
        lane.waiting.push_back(message);
        lane.settle_end();
    }

    /// Takes an input's promise that it has sent all packets older than `time`.
    pub(super) fn promise(&mut self, input: Input, time: Timestamp) {
        self.lanes[input].promise = time;
    }

    /// Decides what comes next.
    pub(super) fn next(&mut self) -> Step {
        if let Some((input, batch)) = self.spent() {
            return Step::Recycle(input, batch);
        }
        let alive = || self.lanes.iter().filter(|lane| !lane.ended);
        if alive().next().is_none() {
            return Step::End;
        }
        if alive().any(|lane| lane.tick.is_none()) {
            return Step::Wait;
        }
        let Some(tick) = alive().filter_map(|lane| lane.tick).min() else { return Step::Wait };
        self.next_in(tick)
    }

    /// Decides what comes next in the tick `tick`, which no input is before.
    fn next_in(&mut self, tick: Tick) -> Step {
        let mut first: Option<(Timestamp, Input)> = None;
        // The first of those that may still send something, and up to when all of it is known.
        let mut unknown: Option<(Timestamp, Input)> = None;
        for (input, lane) in self.lanes.iter().enumerate().filter(|(_, lane)| lane.is_in(tick)) {
            match lane.head() {
                Head::Packet(time) if first.is_none_or(|(least, _)| time < least) => first = Some((time, input)),
                Head::Packet(_) | Head::Close => {}
                Head::Unknown(promise) => {
                    unknown = Some(unknown.map_or((promise, input), |least| least.min((promise, input))));
                }
            }
        }
        match (first, unknown) {
            (Some(first), Some(unknown)) if first > unknown => Step::Wait,
            (Some((_, input)), _) => self.take(input),
            (None, Some(_)) => Step::Wait,
            (None, None) => self.close(tick),
        }
    }

    /// Takes the first packet of an input.
    fn take(&mut self, input: Input) -> Step {
        let lane = &mut self.lanes[input];
        let Some(Message::Packets { batch, .. }) = lane.waiting.front() else { return Step::Wait };
        let Some(routed) = batch.get(lane.taken).copied() else { return Step::Wait };
        lane.taken += 1;
        Step::Packet(routed)
    }

    /// Returns a batch that was read to its end, if there is one: it goes back before anything else is decided.
    fn spent(&mut self) -> Option<(Input, Vec<Routed>)> {
        self.lanes.iter_mut().enumerate().find_map(|(input, lane)| lane.spent().map(|batch| (input, batch)))
    }

    /// Ends the tick for every input that is in it.
    fn close(&mut self, tick: Tick) -> Step {
        for lane in self.lanes.iter_mut().filter(|lane| lane.is_in(tick)) {
            if let Some(Message::Close { next, sampling, .. }) = lane.waiting.pop_front() {
                (lane.tick, lane.sampling) = (Some(next), sampling);
            }
            lane.settle_end();
        }
        let sparsest = self.lanes.iter().filter(|lane| !lane.ended).map(|lane| lane.sampling).max();
        Step::Close(tick, sparsest.unwrap_or_default())
    }
}

impl Lane {
    /// Tells whether this input is in the tick, so that it has a say in what comes next.
    fn is_in(&self, tick: Tick) -> bool {
        !self.ended && self.tick == Some(tick)
    }

    fn head(&self) -> Head {
        match self.waiting.front() {
            Some(Message::Packets { batch, .. }) => batch
                .get(self.taken)
                .map_or(Head::Unknown(self.promise), |routed| Head::Packet(routed.packet.timestamp)),
            Some(Message::Close { .. }) => Head::Close,
            Some(Message::End { .. }) | None => Head::Unknown(self.promise),
        }
    }

    fn spent(&mut self) -> Option<Vec<Routed>> {
        match self.waiting.front() {
            Some(Message::Packets { batch, .. }) if self.taken >= batch.len() => {}
            _ => return None,
        }
        self.taken = 0;
        match self.waiting.pop_front() {
            Some(Message::Packets { mut batch, .. }) => {
                batch.clear();
                self.settle_end();
                Some(batch)
            }
            _ => None,
        }
    }

    /// Notes that the input has ended once nothing stands before its last message.
    fn settle_end(&mut self) {
        if matches!(self.waiting.front(), Some(Message::End { .. })) {
            self.waiting.pop_front();
            self.ended = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Packet;

    /// Packets of one input at these milliseconds; `sequence` tells the input.
    fn packets(input: Input, tick: u64, millis: &[u64]) -> Message {
        let routed = |at: &u64| Routed {
            hash: 0,
            packet: Packet {
                timestamp: Timestamp::from_nanos(at * 1_000_000),
                sequence: u32::try_from(input).unwrap(),
                ..Packet::default()
            },
        };
        Message::Packets { input, tick: Tick::new(tick), batch: millis.iter().map(routed).collect() }
    }

    fn close(input: Input, tick: u64, next: u64) -> Message {
        Message::Close { input, tick: Tick::new(tick), next: Tick::new(next), sampling: Sampling::WHOLE }
    }

    /// What the inbox decides until it waits, as text.
    fn steps(inbox: &mut Inbox) -> Vec<String> {
        let mut said = Vec::new();
        loop {
            match inbox.next() {
                Step::Packet(routed) => {
                    said.push(format!("{}@{}", routed.packet.sequence, routed.packet.timestamp.as_nanos() / 1_000_000));
                }
                Step::Recycle(_, batch) => assert!(batch.is_empty()),
                Step::Close(tick, _) => said.push(format!("close {}", tick.number())),
                Step::End => {
                    said.push("end".to_owned());
                    return said;
                }
                Step::Wait => return said,
            }
        }
    }

    #[test]
    fn packets_of_two_inputs_go_by_time_and_the_lower_input_first() {
        let mut inbox = Inbox::new(2);
        inbox.accept(packets(1, 0, &[10, 20, 30]));
        assert!(steps(&mut inbox).is_empty(), "the other input may still send something older");
        inbox.accept(packets(0, 0, &[20, 40]));
        assert_eq!(steps(&mut inbox), ["1@10", "0@20", "1@20", "1@30"]);
        inbox.accept(close(1, 0, 1));
        assert_eq!(steps(&mut inbox), ["0@40"]);
        inbox.accept(close(0, 0, 1));
        assert_eq!(steps(&mut inbox), ["close 0"]);
        inbox.accept(Message::End { input: 0 });
        inbox.accept(close(1, 1, 2));
        inbox.accept(Message::End { input: 1 });
        assert_eq!(steps(&mut inbox), ["close 1", "end"]);
    }

    #[test]
    fn what_comes_out_does_not_depend_on_how_messages_arrive() {
        let streams = [
            vec![
                packets(0, 5, &[1, 9]),
                packets(0, 5, &[12, 11]),
                close(0, 5, 6),
                packets(0, 6, &[255]),
                close(0, 6, 8),
            ],
            vec![packets(1, 5, &[3, 12]), close(1, 5, 7), packets(1, 7, &[1_800]), close(1, 7, 8)],
        ];
        let mut outcomes = Vec::new();
        for order in 0..1_u32 << 9 {
            let mut inbox = Inbox::new(2);
            let mut queues: Vec<VecDeque<Message>> =
                streams.iter().map(|stream| stream.iter().map(copy).collect()).collect();
            queues[0].push_back(Message::End { input: 0 });
            queues[1].push_back(Message::End { input: 1 });
            let mut said = Vec::new();
            for turn in 0..32 {
                let one = (order >> (turn % 9)) as usize & 1;
                if let Some(message) = queues[one].pop_front().or_else(|| queues[1 - one].pop_front()) {
                    inbox.accept(message);
                    said.extend(steps(&mut inbox));
                }
            }
            said.extend(steps(&mut inbox));
            said.dedup();
            outcomes.push(said);
        }
        let expected =
            ["0@1", "1@3", "0@9", "0@12", "0@11", "1@12", "close 5", "0@255", "close 6", "1@1800", "close 7", "end"];
        assert!(outcomes.iter().all(|outcome| outcome == &expected), "{:?}", outcomes[0]);
    }

    fn copy(message: &Message) -> Message {
        match message {
            Message::Packets { input, tick, batch } => {
                Message::Packets { input: *input, tick: *tick, batch: batch.clone() }
            }
            Message::Close { input, tick, next, sampling } => {
                Message::Close { input: *input, tick: *tick, next: *next, sampling: *sampling }
            }
            Message::End { input } => Message::End { input: *input },
        }
    }

    #[test]
    fn an_input_without_batches_unlocks_the_others_by_its_promise() {
        let mut inbox = Inbox::new(2);
        inbox.accept(packets(0, 0, &[10, 50]));
        inbox.accept(packets(1, 0, &[5]));
        assert_eq!(steps(&mut inbox), ["1@5"]);
        inbox.promise(1, Timestamp::from_nanos(40_000_000));
        assert_eq!(steps(&mut inbox), ["0@10"], "50 ms lies after the promise");
    }
}
