//! TCP rules (RFC 9293): who opened a connection, what earns it an entry, what proves an address, when it is over.
//!
//! Pure functions over [`Talk`] and [`Flow`]; no table is touched here.

use crate::flow::entry::{Flow, State};
use crate::flow::key::{Side, is_echo_reply};
use crate::flow::pending::Talk;
use crate::packet::{Packet, Protocol, TcpFlags};

/// What a packet without a flow means for the talk it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// One-way so far, or a handshake that is not finished.
    Wait,
    /// Reset: there is nothing to wait for.
    Forget,
    /// A two-way exchange: probation.
    Admit,
    /// The client's ACK equals the server's ISN + 1: its address is proven.
    AdmitProven,
}

/// Takes a TCP segment without a flow into its talk and tells what follows. The segment is not counted here.
///
/// A SYN with its SYN-ACK is not yet a two-way exchange: the server answers forged addresses too.
pub(crate) fn step(talk: &mut Talk, packet: &Packet, side: Side) -> Step {
    let flags = packet.flags;
    if flags.has(TcpFlags::RST) {
        return Step::Forget;
    }
    if flags.is_syn() {
        talk.set(Talk::SYN);
        if !talk.has(Talk::SYN_ACK) {
            talk.set_server(side.other());
            talk.number = packet.sequence_end();
        }
        return Step::Wait;
    }
    if flags.is_syn_ack() {
        talk.set(Talk::SYN_ACK);
        talk.set_server(side);
        talk.number = packet.sequence;
        return Step::Wait;
    }
    if !flags.has(TcpFlags::ACK) {
        return Step::Wait;
    }
    if talk.has(Talk::SYN_ACK) { after_answer(talk, packet, side) } else { in_mid_flow(talk, packet, side) }
}

fn after_answer(talk: &Talk, packet: &Packet, side: Side) -> Step {
    if side == talk.server_side() {
        // The server goes on, so it has seen an ACK that the capture missed. A bare ACK may be a challenge (RFC 5961).
        return if packet.payload_len > 0 { Step::Admit } else { Step::Wait };
    }
    if packet.acknowledgment == talk.number.wrapping_add(1) { Step::AdmitProven } else { Step::Wait }
}

fn in_mid_flow(talk: &mut Talk, packet: &Packet, side: Side) -> Step {
    if side != talk.first_side() {
        let only_challenged = talk.has(Talk::SYN) && packet.payload_len == 0;
        return if only_challenged { Step::Wait } else { Step::Admit };
    }
    if packet.payload_len > 0 {
        talk.set(Talk::FIRST_PAYLOAD);
        talk.number = packet.sequence_end();
    }
    Step::Wait
}

/// Tells which side opened the conversation that `talk` began, when `packet`, sent by `side`, makes it a flow.
///
/// SYN and SYN-ACK decide. In mid-flow a well-known port (RFC 6335 section 6, "System Ports") is the responder's; for TCP
/// then the lower port, since clients use high ones; on a tie the protected side responds; at last, who spoke first asked.
pub(crate) fn originator(talk: &Talk, packet: &Packet, side: Side, protected: Option<Side>) -> Side {
    if talk.has(Talk::SYN) || talk.has(Talk::SYN_ACK) {
        return talk.server_side().other();
    }
    if packet.is_icmp() {
        return if is_echo_reply(packet) { side.other() } else { side };
    }
    let first = talk.first_side();
    let (mine, theirs) = if side == first {
        (packet.source_port, packet.destination_port)
    } else {
        (packet.destination_port, packet.source_port)
    };
    if (mine < 1_024) != (theirs < 1_024) {
        return if mine < 1_024 { first.other() } else { first };
    }
    if packet.protocol != Protocol::TCP {
        return first;
    }
    match mine.cmp(&theirs) {
        std::cmp::Ordering::Less => first.other(),
        std::cmp::Ordering::Greater => first,
        std::cmp::Ordering::Equal => protected.map_or(first, Side::other),
    }
}

/// Tells whether a segment proves the address of the end outside (DETECTION 0.2): the inside sends payload, or acknowledges
/// bytes that the outside sent. Where both or neither end are protected, the responder stands for the inside.
///
/// Resets do neither: a closed port answers a forged segment with an RST that acknowledges it.
pub(crate) fn proves(flow: &Flow, packet: &Packet, side: Side) -> bool {
    let inside = flow.protected().unwrap_or(flow.originator().other());
    if side != inside || packet.flags.0 & (TcpFlags::SYN | TcpFlags::RST) != 0 {
        return false;
    }
    let heard = flow.has(State::of(State::PAYLOAD, side.other()));
    let acknowledges =
        heard && packet.flags.has(TcpFlags::ACK) && packet.acknowledgment == flow.sequence_end[side.other().index()];
    packet.payload_len > 0 || acknowledges
}

/// Distance from the last sequence number within which a reset is believed: the largest window without scaling times 16.
const RESET_WINDOW: u32 = 1 << 20;

/// Follows FIN, RST and sequence numbers; tells whether the connection is over with this segment.
#[inline(always)]
pub(crate) fn follow(flow: &mut Flow, packet: &Packet, side: Side) -> bool {
    let (mine, theirs) = (flow.sequence_end[side.index()], flow.sequence_end[side.other().index()]);
    if flow.has(State::CLOSED) {
        return false;
    }
    if packet.flags.has(TcpFlags::RST) {
        let distance = packet.sequence.wrapping_sub(mine);
        let believed = mine == 0 || distance < RESET_WINDOW || distance.wrapping_neg() < RESET_WINDOW;
        if believed {
            flow.set(State::CLOSED);
        }
        return believed;
    }
    let end = packet.sequence_end();
    if mine == 0 || end.wrapping_sub(mine) < u32::MAX / 2 {
        flow.sequence_end[side.index()] = end;
    }
    if packet.flags.has(TcpFlags::FIN) {
        flow.set(State::of(State::FIN, side));
    }
    if packet.flags.has(TcpFlags::ACK)
        && flow.has(State::of(State::FIN, side.other()))
        && packet.acknowledgment == theirs
    {
        flow.set(State::of(State::FIN_ACKED, side.other()));
    }
    let over = flow.has(State::both(State::FIN_ACKED));
    if over {
        flow.set(State::CLOSED);
    }
    over
}

/// Tells whether a SYN or SYN-ACK on the tuple of a known flow belongs to another, newer connection.
///
/// A closed connection is followed by a new one at once. On an open one a SYN is answered by a challenge ACK and changes
/// nothing (RFC 5961 section 4), so that nobody can end a flow from outside; but a SYN-ACK with another sequence number
/// from the responder means that the server has begun anew.
pub(crate) fn is_reborn(flow: &Flow, packet: &Packet, side: Side) -> bool {
    if packet.flags.is_syn() {
        return flow.has(State::CLOSED);
    }
    // A repeated SYN-ACK lies where the connection began: behind the last sequence number, and soon after the start.
    let behind = flow.sequence_end[side.index()].wrapping_sub(packet.sequence_end());
    packet.flags.is_syn_ack()
        && side != flow.originator()
        && behind > RESET_WINDOW
        && (flow.has(State::CLOSED) || flow.is_of_age(packet.timestamp))
}
