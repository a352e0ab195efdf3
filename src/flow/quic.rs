//! What QUIC headers prove (RFC 9000 section 8.1): who uses a connection id that the server chose has received it.
//!
//! Only ids of four bytes and more are compared, by their first four. A server that takes over the id the client chose for
//! it (some do, for their balancers) proves nothing that way, and neither does one that wants no ids; their clients stay
//! unproven. Ids that a server hands out under encryption are not known.
//!
//! A flow of datagrams has no sequence numbers: it keeps the client's first choice and the server's ids in their place.

use crate::flow::entry::{Flow, State};
use crate::flow::key::Side;
use crate::packet::{Marks, Packet};

/// Takes a datagram of a QUIC conversation; tells whether it proves the originator's address.
pub(crate) fn proves(flow: &mut Flow, packet: &Packet, side: Side) -> bool {
    let (asks, answers) = (flow.originator().index(), flow.originator().other().index());
    if side.index() == answers {
        // A Retry is followed by an Initial with another id: the last one counts.
        if packet.acknowledgment != 0 {
            flow.sequence_end[answers] = packet.acknowledgment;
        }
        return false;
    }
    let chosen = flow.sequence_end[answers];
    chosen != 0 && chosen != flow.sequence_end[asks] && packet.sequence == chosen
}

/// Tells whether a datagram opens a QUIC conversation that a client began: an Initial, and no reflected one.
pub(crate) fn opens(packet: &Packet) -> bool {
    const PORT: u16 = 443;
    let reflected = packet.source_port == PORT && packet.destination_port != PORT;
    packet.marks.any(Marks::QUIC_INITIAL) && !reflected
}

/// Tells whether the server's datagram gives the client an id that it can prove its address by: one of the server's own.
pub(crate) fn offers_proof(flow: &Flow, packet: &Packet) -> bool {
    packet.acknowledgment != 0 && packet.acknowledgment != flow.sequence_end[flow.originator().index()]
}

impl Flow {
    /// Tells whether the flow is a QUIC conversation whose originator has still to prove its address.
    pub(crate) fn is_unproven_quic(&self) -> bool {
        self.has(State::QUIC) && !self.has(State::VERIFIED)
    }
}
