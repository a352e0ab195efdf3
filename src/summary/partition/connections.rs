//! Verified connections to protected hosts while they are open: who sends nothing, who keeps the server waiting, who does
//! not read. What began is remembered in the flow, so that it ends exactly once, whatever ends it.

use super::{Context, Partition, Segment};
use crate::flow::entry::{Flow, State};
use crate::flow::table::FlowId;
use crate::packet::TcpFlags;
use crate::summary::{ConnectionTick, ContactStage};
use crate::time::Timestamp;

impl Partition {
    /// Counts a verified connection as open at the host with place `at`.
    pub(super) fn open_connection(&mut self, id: FlowId, at: u8) {
        self.table.get_mut(id).set(State::COUNTED);
        self.places.get_mut(at).connections += 1;
    }

    /// Judges an open connection that has come to an age of five or ten seconds.
    pub(super) fn age_connection(
        &mut self,
        cx: &mut Context<'_>,
        id: FlowId,
        (ripe, of_age): (bool, bool),
        now: Timestamp,
    ) {
        let flow = self.table.get_mut(id);
        if !flow.is_tcp() || !flow.has(State::COUNTED) {
            return;
        }
        if ripe && flow.awaits_ripeness() {
            flow.set(State::RIPE);
            let flow = *flow;
            self.connection(cx, &flow, |counts| ripen(counts, &flow));
        }
        if of_age && self.table.get(id).awaits_settlement() && self.table.get(id).has_no_request() {
            self.turn_connection(cx, id, (State::WAITING, 0), now);
        }
    }

    /// Counts the end of a connection, unless it was counted or never was open.
    pub(super) fn close_connection(&mut self, cx: &mut Context<'_>, flow: &mut Flow, now: Timestamp) {
        if !flow.has(State::COUNTED) {
            return;
        }
        let before = *flow;
        flow.state &= !(State::COUNTED | State::WAITING | State::DRIPPING | State::BLOCKED);
        self.connection(cx, &before, |counts| {
            if before.awaits_ripeness() {
                ripen(counts, &before);
            }
            counts.ended += 1;
            counts.waiting_ended += u32::from(before.has(State::WAITING));
            counts.dripping_ended += u32::from(before.has(State::DRIPPING));
            counts.blocked_ended += u32::from(before.has(State::BLOCKED));
        });
        self.tell_held(cx, &before, before.state, [ContactStage::NotWaiting, ContactStage::NotBlocked], now);
        if let Some(at) = self.responder_place(&before) {
            self.places.get_mut(at).end_connection();
        }
    }

    /// Sets and clears [`State::WAITING`], [`State::DRIPPING`] and [`State::BLOCKED`], where that changes something.
    #[inline(always)]
    pub(super) fn turn_connection(
        &mut self,
        cx: &mut Context<'_>,
        id: FlowId,
        (begins, ends): (u32, u32),
        now: Timestamp,
    ) {
        let state = self.table.get(id).state;
        let (begins, ends) = (begins & !state, ends & state);
        if begins | ends != 0 {
            self.count_turn(cx, id, (begins, ends), now);
        }
    }

    /// Sets and clears what changes, counts it and tells what began.
    fn count_turn(&mut self, cx: &mut Context<'_>, id: FlowId, (begins, ends): (u32, u32), now: Timestamp) {
        let flow = self.table.get_mut(id);
        flow.state = flow.state & !ends | begins;
        let flow = *flow;
        let count = |bits: u32, bit: u32| u32::from(bits & bit != 0);
        self.connection(cx, &flow, |counts| {
            counts.waiting_began += count(begins, State::WAITING);
            counts.waiting_ended += count(ends, State::WAITING);
            counts.dripping_began += count(begins, State::DRIPPING);
            counts.dripping_ended += count(ends, State::DRIPPING);
            counts.blocked_began += count(begins, State::BLOCKED);
            counts.blocked_ended += count(ends, State::BLOCKED);
        });
        self.tell_held(cx, &flow, begins, [ContactStage::Waiting, ContactStage::Blocked], now);
        self.tell_held(cx, &flow, ends, [ContactStage::NotWaiting, ContactStage::NotBlocked], now);
    }

    /// Tells who holds a connection, or no longer does.
    fn tell_held(&mut self, cx: &mut Context<'_>, flow: &Flow, bits: u32, stages: [ContactStage; 2], now: Timestamp) {
        for (bit, stage) in [State::WAITING, State::BLOCKED].into_iter().zip(stages) {
            if bits & bit != 0 {
                self.contact(cx, flow, stage, now);
            }
        }
    }

    fn connection(&mut self, cx: &mut Context<'_>, flow: &Flow, count: impl FnOnce(&mut ConnectionTick)) {
        if let Some(at) = self.responder_place(flow) {
            count(&mut self.host(cx, at).connections);
        }
    }

    /// Returns the place of the host that a connection was opened to; it has one while any connection to it is open.
    pub(super) fn responder_place(&self, flow: &Flow) -> Option<u8> {
        self.places.known(flow.key.address(flow.originator().other()), flow.place)
    }
}

/// Follows an open TCP connection by one segment: which of [`State::WAITING`], [`State::DRIPPING`] and
/// [`State::BLOCKED`] begin and end with it.
#[inline]
pub(super) fn turns(flow: &mut Flow, segment: &Segment<'_>) -> (u32, u32) {
    let (packet, asks) = (segment.packet, segment.side == flow.originator());
    let repeated = flow.sequence_end[segment.side.index()] == packet.sequence_end();
    let (mut begins, mut ends) = (0, 0);
    if segment.is_data() && !repeated {
        if !asks {
            flow.hear_server();
            ends |= State::WAITING | State::DRIPPING;
        } else if flow.hear_client(packet.payload_len, segment.idle_us) {
            begins |= State::WAITING | State::DRIPPING;
        }
    }
    if asks && packet.flags.0 & (TcpFlags::SYN | TcpFlags::RST) == 0 {
        let closed = packet.window == 0 && flow.has(State::of(State::PAYLOAD, segment.side.other()));
        begins |= if closed { State::BLOCKED } else { 0 };
        ends |= if packet.window > 0 { State::BLOCKED } else { 0 };
    }
    (begins, ends)
}

fn ripen(counts: &mut ConnectionTick, flow: &Flow) {
    counts.ripe += 1;
    counts.empty += u32::from(!flow.has(State::of(State::PAYLOAD, flow.originator())));
}
