//! The direction-free key of a conversation.
//!
//! Both directions of a flow give the same [`FlowKey`]; the [`Side`] says which end sent the packet at hand. ICMP echo is
//! keyed by its identifier, so that request and reply are one flow; other ICMP by type and code.

use crate::address::Address;
use crate::hash::mix;
use crate::packet::{Marks, Packet, Protocol};

/// One of the two ends of a flow, by the order of their addresses and ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The smaller end.
    Low,
    /// The larger end.
    High,
}

impl Side {
    /// Returns 0 or 1.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Returns the opposite end.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }
}

/// Addresses, ports and protocol without regard to direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowKey {
    /// The smaller end's address.
    pub low: Address,
    /// The larger end's address.
    pub high: Address,
    /// The smaller end's port; for ICMP echo the identifier, for other ICMP type * 256 + code.
    pub low_port: u16,
    /// The larger end's port; for ICMP 0 with echo, else 1.
    pub high_port: u16,
    /// The protocol.
    pub protocol: Protocol,
}

/// Type * 256 of echo requests: ICMP (RFC 792) and ICMPv6 (RFC 4443).
const ECHO_REQUEST: [(Protocol, u16); 2] = [(Protocol::ICMP, 8 << 8), (Protocol::ICMPV6, 128 << 8)];
/// Type * 256 of echo replies.
const ECHO_REPLY: [(Protocol, u16); 2] = [(Protocol::ICMP, 0), (Protocol::ICMPV6, 129 << 8)];

/// Tells whether the packet is an echo request.
pub(crate) fn is_echo_request(packet: &Packet) -> bool {
    ECHO_REQUEST.contains(&(packet.protocol, packet.destination_port & 0xff00))
}

/// Tells whether the packet is an echo reply: its receiver opened the conversation.
pub(crate) fn is_echo_reply(packet: &Packet) -> bool {
    ECHO_REPLY.contains(&(packet.protocol, packet.destination_port))
}

impl FlowKey {
    /// The key of no packet: its smaller end is the larger one.
    pub(crate) const NOBODY: Self = Self {
        low: Address::from_u128(u128::MAX),
        high: Address::from_u128(0),
        low_port: 0,
        high_port: 0,
        protocol: Protocol(0),
    };

    /// Returns the key and the sender's side; `None` for later fragments, which have no ports and get none guessed.
    #[must_use]
    pub fn of(packet: &Packet) -> Option<(Self, Side)> {
        if packet.marks.any(Marks::LATER_FRAGMENT) {
            return None;
        }
        let (from, to) = (packet.source.as_u128(), packet.destination.as_u128());
        let side = if (from, packet.source_port) <= (to, packet.destination_port) { Side::Low } else { Side::High };
        if packet.is_icmp() {
            return Some(Self::of_icmp(packet, if from <= to { Side::Low } else { Side::High }));
        }
        let (low, high, low_port, high_port) = match side {
            Side::Low => (packet.source, packet.destination, packet.source_port, packet.destination_port),
            Side::High => (packet.destination, packet.source, packet.destination_port, packet.source_port),
        };
        Some((Self { low, high, low_port, high_port, protocol: packet.protocol }, side))
    }

    fn of_icmp(packet: &Packet, side: Side) -> (Self, Side) {
        let named = (packet.protocol, packet.destination_port);
        let echo = ECHO_REQUEST.contains(&named) || ECHO_REPLY.contains(&named);
        let identifier = (packet.sequence >> 16) as u16;
        let (low_port, high_port) = if echo { (identifier, 0) } else { (packet.destination_port, 1) };
        let (low, high) = match side {
            Side::Low => (packet.source, packet.destination),
            Side::High => (packet.destination, packet.source),
        };
        (Self { low, high, low_port, high_port, protocol: packet.protocol }, side)
    }

    /// Returns the address of one end.
    #[must_use]
    pub const fn address(&self, side: Side) -> Address {
        match side {
            Side::Low => self.low,
            Side::High => self.high,
        }
    }

    /// Returns the port of one end.
    #[must_use]
    pub const fn port(&self, side: Side) -> u16 {
        match side {
            Side::Low => self.low_port,
            Side::High => self.high_port,
        }
    }

    /// Returns the ports as flow records show them: the originator's and the responder's, for ICMP 0 and the request's
    /// type * 256 + code.
    pub(crate) fn record_ports(&self, originator: Side) -> (u16, u16) {
        let echo = ECHO_REQUEST.iter().find(|(protocol, _)| *protocol == self.protocol);
        match echo {
            Some((_, request)) if self.high_port == 0 => (0, *request),
            Some(_) => (0, self.low_port),
            None => (self.port(originator), self.port(originator.other())),
        }
    }

    /// Extends the hash of the address pair to the whole key.
    #[must_use]
    pub const fn hash(&self, pair_hash: u64) -> u64 {
        let ports = self.low_port as u64 | (self.high_port as u64) << 16 | (self.protocol.0 as u64) << 32;
        mix(pair_hash, ports)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reversed(packet: &Packet) -> Packet {
        Packet {
            source: packet.destination,
            destination: packet.source,
            source_port: packet.destination_port,
            destination_port: packet.source_port,
            ..*packet
        }
    }

    proptest! {
        #[test]
        fn a_key_is_direction_free(a: [u8; 16], b: [u8; 16], ports: (u16, u16), tcp: bool) {
            let packet = Packet {
                source: Address::v6(a),
                destination: Address::v6(b),
                source_port: ports.0,
                destination_port: ports.1,
                protocol: if tcp { Protocol::TCP } else { Protocol::UDP },
                ..Packet::default()
            };
            let (key, side) = FlowKey::of(&packet).unwrap();
            let (back, other) = FlowKey::of(&reversed(&packet)).unwrap();
            prop_assert_eq!(key, back);
            prop_assert!(side != other || (a == b && ports.0 == ports.1));
            prop_assert_eq!(key.address(side), packet.source);
            prop_assert_eq!(key.port(side), packet.source_port);
        }
    }

    #[test]
    fn echo_request_and_reply_are_one_flow_by_identifier() {
        let request = Packet {
            source: Address::v4([192, 0, 2, 9]),
            destination: Address::v4([192, 0, 2, 1]),
            protocol: Protocol::ICMP,
            destination_port: 8 << 8,
            sequence: 0x1234_0001,
            ..Packet::default()
        };
        let reply = Packet {
            source: request.destination,
            destination: request.source,
            destination_port: 0,
            sequence: 0x1234_0001,
            ..request
        };
        assert_eq!(FlowKey::of(&request).unwrap().0, FlowKey::of(&reply).unwrap().0);
        assert_ne!(FlowKey::of(&request).unwrap().1, FlowKey::of(&reply).unwrap().1);
        assert_eq!(FlowKey::of(&request).unwrap().0.record_ports(Side::Low), (0, 8 << 8));
        assert!(is_echo_reply(&reply) && !is_echo_reply(&request));
    }

    #[test]
    fn later_fragments_have_no_key() {
        let fragment = Packet { marks: Marks(Marks::FRAGMENT | Marks::LATER_FRAGMENT), ..Packet::default() };
        assert_eq!(FlowKey::of(&fragment), None);
    }
}
