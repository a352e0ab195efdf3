//! Packets without a flow: one-way talk, handshakes under way, and what earns an entry.

use super::established::is_repeat;
use super::{Context, Partition, Segment, count_source, report, short, source_of};
use crate::flow::cohort::{CLOSE_US, Event, Handshake, Opening, Syn, Tuple};
use crate::flow::entry::{Flow, State};
use crate::flow::key::Side;
use crate::flow::limits::{micros_between, micros32};
use crate::flow::pending::Talk;
use crate::flow::quic;
use crate::flow::table::reschedule;
use crate::flow::tcp::{self, Step};
use crate::packet::{Packet, Protocol, TcpFlags};
use crate::policy::Direction;

impl Partition {
    pub(super) fn without_flow(&mut self, cx: &mut Context<'_>, mut segment: Segment<'_>) {
        let packet = segment.packet;
        let direction = cx.policy.direction(packet.source, packet.destination);
        segment.place = self.count(cx, packet, direction, None, 0);
        self.count_always(cx, packet, direction, segment.place);
        segment.source = source_of(cx, packet);
        count_source(cx, direction, segment.source);
        if packet.protocol == Protocol::TCP && !packet.is_tcp() || self.is_midway(cx, &segment) {
            // Cut before its flags, or under way unseen: neither the talk nor the handshake can be known.
            cx.counts.unanswered += 1;
            return;
        }
        let finished = packet.is_tcp() && self.take_handshake(cx, &segment, direction);
        let (step, talk) = self.take_talk(cx, &segment, direction, finished);
        self.take_stray(cx, &segment, direction, &talk, step);
        let finished = step == Step::AdmitProven;
        if finished || step == Step::Admit {
            self.admit(cx, &segment, direction, &talk, finished);
        } else {
            cx.counts.unanswered += 1;
        }
    }

    /// Takes the packet into its one-way talk; returns what follows from it, and the talk so far if that is a flow. With
    /// `finished` the sampler has seen the handshake finish, even if the talk was overwritten meanwhile.
    pub(super) fn take_talk(
        &mut self,
        cx: &mut Context<'_>,
        segment: &Segment<'_>,
        direction: Direction,
        finished: bool,
    ) -> (Step, Talk) {
        let (packet, side, now) = (segment.packet, segment.side, micros32(segment.now()));
        let found = self.pending.find(segment.hash);
        let known = found.map(|id| self.pending.get(id)).filter(|talk| !talk.is_stale(now));
        let mut talk = known.unwrap_or_else(|| Talk::begin(side, now));
        self.take_attempt(segment, known.is_none() && !finished, talk.first_side());
        let opened = talk.has(Talk::QUIC);
        let step = match packet.is_tcp() {
            true if finished => Step::AdmitProven,
            true => tcp::step(&mut talk, packet, side),
            false => exchange(&mut talk, packet, side),
        };
        match (step, found) {
            (Step::Wait, _) => {
                self.count_sidedness(cx, &mut talk, segment, direction);
                if talk.has(Talk::QUIC) && !opened {
                    self.count_quic(cx, segment, direction);
                }
                talk.count(side, packet.wire_len);
                match found {
                    Some(id) => self.pending.set(id, talk),
                    None => self.pending.insert(segment.hash, talk),
                }
            }
            (_, Some(id)) => self.pending.remove(id),
            (_, None) => {}
        }
        (step, talk)
    }

    fn count_quic(&self, cx: &mut Context<'_>, segment: &Segment<'_>, direction: Direction) {
        if let Some(at) = segment.place.filter(|_| matches!(direction, Direction::Inbound(_))) {
            self.host(cx, at).quic.opened += 1;
        }
    }

    /// Counts what tells a one-sided capture from a two-sided one, once a conversation.
    pub(super) fn count_sidedness(
        &self,
        cx: &mut Context<'_>,
        talk: &mut Talk,
        segment: &Segment<'_>,
        direction: Direction,
    ) {
        let Some(at) = segment.place.filter(|_| segment.packet.is_tcp()) else { return };
        if segment.side != talk.first_side() && !talk.has(Talk::TWO_SIDED) {
            talk.set(Talk::TWO_SIDED);
            self.host(cx, at).two_sided += 1;
        }
        let inbound = matches!(direction, Direction::Inbound(_));
        if !inbound || !segment.is_data() || talk.has(Talk::CLIENT_DATA) {
            return;
        }
        if tcp::originator(talk, segment.packet, segment.side, Some(segment.side.other())) == segment.side {
            talk.set(Talk::CLIENT_DATA);
            self.host(cx, at).client_data += 1;
        }
    }

    /// Takes the segment into the handshake it belongs to, if that is followed; tells whether it finished it.
    pub(super) fn take_handshake(&mut self, cx: &mut Context<'_>, segment: &Segment<'_>, direction: Direction) -> bool {
        let inbound = matches!(direction, Direction::Inbound(_));
        let Some(at) = segment.place else { return false };
        let tuple = segment.tuple(inbound, at);
        if !tuple.is_chosen(self.places.get(at).floor()) {
            return false;
        }
        let (packet, now) = (segment.packet, segment.now());
        let reset = packet.flags.has(TcpFlags::RST);
        let event = match (inbound, packet.flags) {
            (true, flags) if flags.is_syn() => {
                if !self.is_late_retry(segment) {
                    self.open_handshake(cx, &tuple, packet);
                }
                None
            }
            (true, _) if reset => self.cohort.client_reset(&tuple, now),
            (true, flags) => {
                self.cohort.segment(&tuple, flags.has(TcpFlags::ACK).then_some(packet.acknowledgment), now)
            }
            (false, _) if reset => self.cohort.server_reset(&tuple, now),
            (false, flags) if flags.is_syn_ack() => self.cohort.syn_ack(&tuple, packet.sequence, now),
            (false, _) => None,
        };
        let Some((weight, event)) = event else { return false };
        self.host(cx, at).cohort.count(weight, event);
        matches!(event, Event::Finished(_))
    }

    /// Tells whether a SYN was sent before, too long ago for its handshake to be followed still (a client repeats it for a
    /// minute or two, RFC 6298), and was never answered: no first attempt, which is what demand is counted in.
    fn is_late_retry(&self, segment: &Segment<'_>) -> bool {
        let now = micros32(segment.now());
        let talk = self.pending.find(segment.hash).map(|id| self.pending.get(id)).filter(|talk| !talk.is_stale(now));
        talk.is_some_and(|talk| {
            talk.has(Talk::SYN)
                && !talk.has(Talk::SYN_ACK)
                && talk.number == segment.packet.sequence_end()
                && micros_between(talk.first_us, now) > CLOSE_US
        })
    }

    pub(super) fn open_handshake(&mut self, cx: &mut Context<'_>, tuple: &Tuple, packet: &Packet) {
        let now = packet.timestamp;
        let place = self.places.get(tuple.place);
        let (shift, followed) = (place.shift(), place.followed);
        let (places, reported) = (&mut self.places, &mut self.reported);
        let early = |handshake: &Handshake, stage| reported.push(report(places, handshake, stage, now));
        let opening = self.cohort.syn(tuple, Syn::of(packet), shift, followed, now, early);
        let place = self.places.get_mut(tuple.place);
        place.offered += u32::from(matches!(opening, Opening::Followed | Opening::Full));
        let cohort = &mut cx.hosts.count(place.host()).cohort;
        match opening {
            Opening::Followed => {
                place.followed += 1;
                cohort.open(1 << shift);
            }
            Opening::Again(Some((weight, event))) => cohort.count(weight, event),
            Opening::Again(None) | Opening::Full | Opening::Unchosen => {}
        }
    }

    pub(super) fn admit(
        &mut self,
        cx: &mut Context<'_>,
        segment: &Segment<'_>,
        direction: Direction,
        talk: &Talk,
        finished: bool,
    ) {
        let (packet, side, key) = (segment.packet, segment.side, segment.key);
        let protected = match direction {
            Direction::Inbound(_) => Some(side.other()),
            Direction::Outbound(_) => Some(side),
            Direction::Internal | Direction::Transit => None,
        };
        let originator = if finished { finisher(talk, side) } else { tcp::originator(talk, packet, side, protected) };
        let mut flow = Flow::new(key, short(segment.hash), talk, segment.now(), originator);
        flow.set_border(cx.policy.site_of(key.low), cx.policy.site_of(key.high), cx.epoch);
        flow.place = segment.place.unwrap_or(0);
        flow.set(if finished { State::HANDSHAKE } else { 0 });
        flow.set(if talk.has(Talk::QUIC) && !packet.is_tcp() { State::QUIC } else { 0 });
        let Some(id) = self.enter(cx, flow, segment.now()) else {
            self.refuse(cx, &flow, segment, finished);
            return;
        };
        cx.counts.admitted += 1;
        if let Some(at) = segment.place.filter(|_| packet.is_tcp() && !talk.has(Talk::TWO_SIDED)) {
            self.host(cx, at).two_sided += 1;
        }
        let flow = self.table.get_mut(id);
        let age_us = flow.count(packet, side);
        let repeats = packet.is_tcp() && segment.is_data() && is_repeat(flow, segment);
        let (flow, segment) = (*flow, &Segment { age_us, repeats, ..*segment });
        if packet.is_tcp() {
            cx.counts.data_segments += u64::from(segment.is_data());
            self.follow(cx, id, segment, finished);
        } else {
            let provable = flow.has(State::QUIC) && quic::offers_proof(&flow, packet);
            if let Some(at) = self.server_place(&flow, segment).filter(|_| provable) {
                self.host(cx, at).quic.answered += 1;
            }
            self.take_datagram(cx, id, segment);
        }
        reschedule(&mut self.table, id, cx.timeouts);
    }
}

/// Takes a packet of a protocol without handshakes: a reply makes a two-way exchange. That earns probation and proves no
/// address, not even of QUIC, whose proof comes with the client's next flight.
fn exchange(talk: &mut Talk, packet: &Packet, side: Side) -> Step {
    if side != talk.first_side() {
        return Step::Admit;
    }
    if packet.payload_len > 0 {
        talk.set(Talk::FIRST_PAYLOAD);
    }
    if quic::opens(packet) && !talk.has(Talk::QUIC) {
        talk.set(Talk::QUIC);
        talk.number = packet.sequence;
    }
    Step::Wait
}

/// Tells who opened a connection whose handshake `side` has just finished; the talk may have been overwritten meanwhile.
fn finisher(talk: &Talk, side: Side) -> Side {
    if talk.has(Talk::SYN_ACK) { talk.server_side().other() } else { side }
}
