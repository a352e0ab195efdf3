//! Packets of known flows: proof, payload, repeated answers and the end.

use super::connections::turns;
use super::{Context, Partition, Segment, count_source, report, source_of};
use crate::flow::cohort::Handshake;
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
            take_policy(cx, flow);
        }
        let direction = flow.direction(segment.side);
        if matches!(direction, Direction::Inbound(_)) && flow.period != cx.period {
            flow.period = cx.period;
            count_source(cx, direction, source_of(cx, packet));
        }
        let country = flow.has(State::VERIFIED).then_some(flow.country);
        let (hint, data) = (flow.place, packet.is_tcp() && segment.is_data());
        segment.idle_us = flow.idle_us(packet.timestamp);
        segment.repeats = data && is_repeat(flow, &segment);
        let copied = segment.repeats && is_copy(flow, &segment);
        if segment.repeats && !copied && segment.side == flow.originator() {
            flow.set(State::REPEATED);
        }
        segment.age_us = flow.count(packet, segment.side);
        let advanced = flow.has_advanced(packet.wire_len);
        segment.place = self.count(cx, packet, direction, country, hint);
        self.count_always(cx, packet, direction, segment.place);
        if let Some(place) = segment.place.filter(|place| *place != hint) {
            self.table.get_mut(id).place = place;
        }
        if packet.is_tcp() {
            cx.counts.data_segments += u64::from(data);
            cx.counts.repeated_segments += u64::from(copied);
            self.follow(cx, id, &segment, false);
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
    pub(super) fn follow(&mut self, cx: &mut Context<'_>, id: FlowId, segment: &Segment<'_>, finished: bool) {
        const CONTROLS: u8 = TcpFlags::SYN | TcpFlags::FIN | TcpFlags::RST;
        let (packet, flow) = (segment.packet, self.table.get(id));
        let before = flow.state;
        if before & State::VERIFIED == 0 && (finished || tcp::proves(flow, packet, segment.side)) {
            self.verify(cx, id, segment, finished);
        }
        if segment.is_data()
            && let Some(news) = hear(self.table.get_mut(id), segment)
        {
            self.count_news(cx, id, segment, news);
        }
        if packet.flags.0 & CONTROLS != 0 {
            self.take_controls(cx, id, segment);
        }
        let flow = self.table.get_mut(id);
        // A bare acknowledgment with an open window says nothing to it: half of all segments.
        let speaks = packet.window == 0 || segment.is_data() || flow.has(State::BLOCKED);
        if speaks && flow.has(State::COUNTED) {
            let turns = turns(flow, segment);
            self.turn_connection(cx, id, turns, segment.now());
        }
        if tcp::follow(self.table.get_mut(id), packet, segment.side) {
            self.close_followed(cx, id, segment);
        }
        let changed = before ^ self.table.get(id).state;
        if changed & (State::VERIFIED | State::CLOSED | State::both(State::FIN)) != 0 {
            reschedule(&mut self.table, id, cx.timeouts);
        }
    }

    /// Takes what SYN, FIN and RST say of an answer that is waited for.
    fn take_controls(&mut self, cx: &mut Context<'_>, id: FlowId, segment: &Segment<'_>) {
        let asks = segment.side == self.table.get(id).originator();
        if asks && segment.packet.flags.0 & (TcpFlags::FIN | TcpFlags::RST) != 0 {
            self.give_up(cx, id, segment);
        }
        if asks && segment.packet.flags.is_syn() {
            self.ask_again(id, segment);
        }
        if segment.packet.flags.is_syn_ack() {
            self.repeat_answer(cx, id, segment);
        }
    }

    /// Takes the SYN of an open connection once more: a recording that is sent again and again.
    fn ask_again(&mut self, id: FlowId, segment: &Segment<'_>) {
        let flow = *self.table.get(id);
        let Some(at) = self.server_place(&flow, segment) else { return };
        let (places, reported) = (&mut self.places, &mut self.reported);
        let early = |handshake: &Handshake, stage| reported.push(report(places, handshake, stage, segment.now()));
        self.cohort.syn_in_flow(&segment.tuple(true, at), segment.now(), early);
    }

    /// Takes that a connection is over with this segment.
    fn close_followed(&mut self, cx: &mut Context<'_>, id: FlowId, segment: &Segment<'_>) {
        if segment.packet.flags.has(TcpFlags::RST) {
            self.turn_away(cx, id, segment);
        }
        let mut flow = *self.table.get(id);
        self.close_connection(cx, &mut flow, segment.now());
        self.table.get_mut(id).state = flow.state;
        self.settle(cx, id, segment.now());
    }

    pub(super) fn verify(&mut self, cx: &mut Context<'_>, id: FlowId, segment: &Segment<'_>, finished: bool) {
        let flow = self.table.get_mut(id);
        flow.set(State::VERIFIED);
        if segment.age_us >= FIRST_TIMEOUT_US {
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

    /// Counts what was new in a data segment.
    fn count_news(&mut self, cx: &mut Context<'_>, id: FlowId, segment: &Segment<'_>, news: News) {
        let flow = *self.table.get(id);
        let is_first = news.first && flow.has(State::HANDSHAKE);
        let Some(at) = self.server_place(&flow, segment) else { return };
        let host = self.host(cx, at);
        host.client_data += u32::from(news.first && segment.side == flow.originator());
        host.served += u32::from(news.served);
        match news.waited {
            Some(waited) if is_first => host.count_first_byte(waited),
            Some(waited) if news.is_next => host.count_answer(waited, false),
            None if news.resumed => host.count_answer(segment.idle_us, true),
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
        let Some(waited) = flow.answer(segment.age_us).filter(|waited| *waited >= FIRST_TIMEOUT_US) else { return };
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
    fn turn_away(&mut self, cx: &mut Context<'_>, id: FlowId, segment: &Segment<'_>) {
        let flow = self.table.get_mut(id);
        let at_once = segment.idle_us < FIRST_TIMEOUT_US && !flow.has(State::of(State::PAYLOAD, segment.side));
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

/// What was new in a data segment.
struct News {
    /// It is its sender's first.
    first: bool,
    /// It is the first that the server answers to a client that proved its address.
    served: bool,
    /// It follows what its sender said last.
    is_next: bool,
    /// It breaks a silence in which nothing was asked.
    resumed: bool,
    /// For how long its receiver had waited for it, in microseconds.
    waited: Option<u32>,
}

/// Takes a data segment into its flow; returns what is to be counted, which of most is nothing.
#[inline]
fn hear(flow: &mut Flow, segment: &Segment<'_>) -> Option<News> {
    if segment.repeats {
        return None;
    }
    let (side, asks) = (segment.side, segment.side == flow.originator());
    let first = !flow.has(State::of(State::PAYLOAD, side));
    flow.set(State::of(State::PAYLOAD, side));
    if asks {
        flow.ask(segment.age_us, segment.idle_us);
        return first.then_some(News { first, served: false, is_next: false, resumed: false, waited: None });
    }
    let waited = flow.answer(segment.age_us);
    // Where the capture missed something of the server that may have been the answer.
    let is_next = segment.packet.sequence == flow.sequence_end[side.index()];
    // What comes at once may be a ticket or a setting of the protocol; the answer then breaks a silence.
    let resumed = !first && is_next && waited.is_none() && segment.idle_us >= LONG_SILENCE_US;
    let served = flow.has(State::VERIFIED) && !flow.has(State::SERVED);
    flow.set(if served { State::SERVED } else { 0 });
    (first || served || resumed || waited.is_some()).then_some(News { first, served, is_next, resumed, waited })
}

/// Takes the policy that rules now into a flow of an older one.
#[cold]
fn take_policy(cx: &Context<'_>, flow: &mut Flow) {
    flow.set_border(cx.policy.site_of(flow.key.low), cx.policy.site_of(flow.key.high), cx.epoch);
    if flow.has(State::VERIFIED) {
        flow.country = cx.origins.country(flow.origin());
    }
}

/// Tells whether a data segment brings nothing beyond what its sender sent before.
#[inline]
pub(super) fn is_repeat(flow: &Flow, segment: &Segment<'_>) -> bool {
    let beyond = segment.packet.sequence_end().wrapping_sub(flow.sequence_end[segment.side.index()]);
    flow.has(State::of(State::PAYLOAD, segment.side)) && (beyond == 0 || beyond > u32::MAX / 2)
}

/// Tells whether one that brings nothing is a copy of the last.
fn is_copy(flow: &Flow, segment: &Segment<'_>) -> bool {
    flow.sequence_end[segment.side.index()] == segment.packet.sequence_end() && segment.idle_us <= COPY_US
}
