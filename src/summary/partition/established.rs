//! Packets of known flows: proof, payload, repeated answers and the end.

use super::{Context, Partition, Segment, count_source, source_of};
use crate::flow::entry::{Flow, State};
use crate::flow::quic;
use crate::flow::table::{FlowId, reschedule};
use crate::flow::tcp;
use crate::packet::{Protocol, TcpFlags};
use crate::policy::Direction;
use crate::summary::{ContactStage, HostTick};

/// The same data segment within this time is a copy made by the mirror port (DETECTION 0.2).
const COPY_US: u32 = 50_000;

/// Silence of the server that a round trip does not explain.
const LONG_SILENCE_US: u32 = 256_000;

/// A client that has no answer by then sends its SYN again (RFC 6298, 2.1).
const FIRST_TIMEOUT_US: u32 = 1_000_000;

impl Partition {
    pub(super) fn in_flow(&mut self, cx: &mut Context<'_>, id: FlowId, mut segment: Segment<'_>) {
        let packet = segment.packet;
        let flow = self.table.get_mut(id);
        if flow.epoch != cx.epoch {
            flow.set_border(cx.policy.site_of(flow.key.low), cx.policy.site_of(flow.key.high), cx.epoch);
            if flow.has(State::VERIFIED) {
                flow.country = cx.origins.country(flow.origin());
            }
        }
        let direction = flow.direction(segment.side);
        if matches!(direction, Direction::Inbound(_)) && flow.period != cx.period {
            flow.period = cx.period;
            count_source(cx, direction, source_of(cx, packet));
        }
        let country = flow.has(State::VERIFIED).then_some(flow.country);
        let data = packet.is_tcp() && segment.is_data();
        let (hint, copied, idle_us) = (flow.place, data && is_copy(flow, &segment), flow.idle_us(packet.timestamp));
        if data && !copied && segment.side == flow.originator() && is_repeat(flow, &segment) {
            flow.set(State::REPEATED);
        }
        flow.count(packet, segment.side);
        let advanced = flow.has_advanced(packet.wire_len);
        segment.place = self.count(cx, packet, direction, country, hint);
        self.count_always(cx, packet, direction, segment.place);
        if let Some(place) = segment.place {
            self.table.get_mut(id).place = place;
        }
        if packet.is_tcp() {
            cx.counts.data_segments += u64::from(data);
            cx.counts.repeated_segments += u64::from(copied);
            self.follow(cx, id, &segment, false, idle_us);
        } else if packet.protocol != Protocol::TCP {
            self.take_datagram(cx, id, &segment);
        }
        if advanced {
            self.tell_progress(cx, id, segment.now());
        }
    }

    /// Takes a packet of a protocol without connections into its flow; only QUIC can prove an address.
    pub(super) fn take_datagram(&mut self, cx: &mut Context<'_>, id: FlowId, segment: &Segment<'_>) {
        let flow = self.table.get_mut(id);
        if flow.is_unproven_quic() && quic::proves(flow, segment.packet, segment.side) {
            self.verify(cx, id, segment, true);
        }
        if segment.packet.payload_len == 0 {
            return;
        }
        let flow = self.table.get_mut(id);
        flow.set(State::of(State::PAYLOAD, segment.side));
        if segment.side != flow.originator() && flow.has(State::VERIFIED) && !flow.has(State::SERVED) {
            flow.set(State::SERVED);
            let flow = *flow;
            if let Some(at) = self.server_place(&flow, segment) {
                self.host(cx, at).served += 1;
            }
        }
    }

    /// Follows a connection by one segment; `finished` when that finished its handshake.
    pub(super) fn follow(
        &mut self,
        cx: &mut Context<'_>,
        id: FlowId,
        segment: &Segment<'_>,
        finished: bool,
        idle_us: u32,
    ) {
        let (before, asking) = (self.table.get(id).state, self.table.get(id).originator());
        if before & State::VERIFIED == 0 && (finished || tcp::proves(self.table.get(id), segment.packet, segment.side))
        {
            self.verify(cx, id, segment, finished);
        }
        if segment.is_data() {
            self.take_data(cx, id, segment, idle_us);
        }
        if segment.side == asking && segment.packet.flags.0 & (TcpFlags::FIN | TcpFlags::RST) != 0 {
            self.give_up(cx, id, segment);
        }
        if segment.packet.flags.is_syn_ack() {
            self.repeat_answer(cx, id, segment);
        }
        let flow = self.table.get(id);
        // A bare acknowledgment with an open window says nothing to it: half of all segments.
        let speaks = segment.packet.window == 0 || segment.is_data() || flow.has(State::BLOCKED);
        if speaks && flow.has(State::COUNTED) {
            self.watch_connection(cx, id, segment, idle_us);
        }
        if tcp::follow(self.table.get_mut(id), segment.packet, segment.side) {
            if segment.packet.flags.has(TcpFlags::RST) {
                self.turn_away(cx, id, segment, idle_us);
            }
            let mut flow = *self.table.get(id);
            self.close_connection(cx, &mut flow, segment.now());
            self.table.get_mut(id).state = flow.state;
            self.settle(cx, id, segment.now());
        }
        let changed = before ^ self.table.get(id).state;
        if changed & (State::VERIFIED | State::CLOSED | State::both(State::FIN)) != 0 {
            reschedule(&mut self.table, id, cx.timeouts);
        }
    }

    pub(super) fn verify(&mut self, cx: &mut Context<'_>, id: FlowId, segment: &Segment<'_>, finished: bool) {
        let flow = self.table.get_mut(id);
        flow.set(State::VERIFIED);
        if flow.age_us(segment.now()) >= FIRST_TIMEOUT_US {
            flow.set(State::REPEATED);
        }
        flow.country = cx.origins.country(flow.origin());
        let flow = *flow;
        if let Some(at) = self.server_place(&flow, segment) {
            let host = self.host(cx, at);
            host.count_verified(flow.country);
            host.quic.finished += u32::from(flow.has(State::QUIC));
            self.open_connection(id, at);
            if !finished {
                self.prove_handshake(cx, at, segment);
            }
        }
        self.contact(cx, &flow, ContactStage::Verified, segment.now());
    }

    /// The capture missed the client's ACK, and what follows proves that there was one.
    pub(super) fn prove_handshake(&mut self, cx: &mut Context<'_>, at: u8, segment: &Segment<'_>) {
        let inbound = segment.packet.destination == self.places.get(at).address();
        let tuple = segment.tuple(inbound, at);
        for (weight, event) in self.cohort.prove(&tuple, segment.now()).into_iter().flatten() {
            self.host(cx, at).cohort.count(weight, event);
        }
    }

    pub(super) fn take_data(&mut self, cx: &mut Context<'_>, id: FlowId, segment: &Segment<'_>, idle_us: u32) {
        let flow = self.table.get_mut(id);
        let asks = segment.side == flow.originator();
        let age = flow.age_us(segment.now());
        let first = !flow.has(State::of(State::PAYLOAD, segment.side));
        if !first && is_repeat(flow, segment) {
            return;
        }
        let waited = if asks { None } else { flow.answer(age) };
        // Where the capture missed something of the server that may have been the answer.
        let is_next = segment.packet.sequence == flow.sequence_end[segment.side.index()];
        // What comes at once may be a ticket or a setting of the protocol; the answer then breaks a silence.
        let resumed = !asks && !first && is_next && waited.is_none() && idle_us >= LONG_SILENCE_US;
        if asks {
            flow.ask(age, idle_us);
        }
        flow.set(State::of(State::PAYLOAD, segment.side));
        let served = !asks && flow.has(State::VERIFIED) && !flow.has(State::SERVED);
        if served {
            flow.set(State::SERVED);
        }
        if !(first || served || resumed || waited.is_some()) {
            return;
        }
        let flow = *flow;
        let is_first = first && flow.has(State::HANDSHAKE);
        let Some(at) = self.server_place(&flow, segment) else { return };
        let host = self.host(cx, at);
        host.client_data += u32::from(first && asks);
        host.served += u32::from(served);
        match waited {
            Some(waited) if is_first => host.count_first_byte(waited),
            Some(waited) if is_next => host.count_answer(waited, false),
            None if resumed => host.count_answer(idle_us, true),
            _ => {}
        }
    }

    /// Counts a client that ends the connection instead of waiting any longer for an answer. What it acknowledges tells that
    /// the capture has missed none.
    fn give_up(&mut self, cx: &mut Context<'_>, id: FlowId, segment: &Segment<'_>) {
        let flow = self.table.get_mut(id);
        let has_all = segment.packet.acknowledgment == flow.sequence_end[segment.side.other().index()];
        if !(has_all && segment.packet.flags.has(TcpFlags::ACK)) {
            return;
        }
        let age = flow.age_us(segment.now());
        let Some(waited) = flow.answer(age).filter(|waited| *waited >= FIRST_TIMEOUT_US) else { return };
        let flow = *flow;
        if let Some(at) = self.server_place(&flow, segment).filter(|_| flow.has(State::VERIFIED)) {
            let host = self.host(cx, at);
            host.count_answer(waited, false);
            host.given_up += 1;
        }
    }

    pub(super) fn repeat_answer(&mut self, cx: &mut Context<'_>, id: FlowId, segment: &Segment<'_>) {
        let flow = *self.table.get(id);
        let Some(at) = self.server_place(&flow, segment) else { return };
        if segment.side == flow.originator() {
            return;
        }
        let tuple = segment.tuple(false, at);
        if let Some((weight, event)) = self.cohort.syn_ack(&tuple, segment.packet.sequence, segment.now()) {
            self.host(cx, at).cohort.count(weight, event);
        }
    }

    /// Takes a reset: a server that resets at once whom it had let in, and has not said a word, is full. That its client had
    /// sent nothing by then is not the client's doing.
    fn turn_away(&mut self, cx: &mut Context<'_>, id: FlowId, segment: &Segment<'_>, idle_us: u32) {
        let flow = self.table.get_mut(id);
        let at_once = idle_us < FIRST_TIMEOUT_US && !flow.has(State::of(State::PAYLOAD, segment.side));
        if segment.side == flow.originator() || !at_once || !flow.has(State::VERIFIED) {
            return;
        }
        flow.set(State::RIPE);
        let flow = *flow;
        let Some(at) = self.server_place(&flow, segment) else { return };
        if let Some((weight, event)) = self.cohort.turn_away(&segment.tuple(false, at)) {
            self.host(cx, at).cohort.count(weight, event);
        }
    }

    /// Returns the protected host's place when the flow was opened from outside.
    pub(super) fn server_place(&self, flow: &Flow, segment: &Segment<'_>) -> Option<u8> {
        segment.place.filter(|_| matches!(flow.opened(), Direction::Inbound(_)))
    }

    pub(super) fn host<'a>(&self, cx: &'a mut Context<'_>, at: u8) -> &'a mut HostTick {
        cx.hosts.count(self.places.get(at).host())
    }
}

/// Tells whether a data segment brings nothing beyond what its sender sent before.
fn is_repeat(flow: &Flow, segment: &Segment<'_>) -> bool {
    let beyond = segment.packet.sequence_end().wrapping_sub(flow.sequence_end[segment.side.index()]);
    flow.has(State::of(State::PAYLOAD, segment.side)) && (beyond == 0 || beyond > u32::MAX / 2)
}

fn is_copy(flow: &Flow, segment: &Segment<'_>) -> bool {
    let packet = segment.packet;
    flow.has(State::of(State::PAYLOAD, segment.side))
        && flow.sequence_end[segment.side.index()] == packet.sequence_end()
        && flow.idle_us(packet.timestamp) <= COPY_US
}
