//! What is left of a packet after decoding: 64 bytes, `Copy`, no payload.
//!
//! Fields are flat so that a packet is one cache line; those that belong to one protocol are zero for the others.

use crate::address::Address;
use crate::time::Timestamp;

/// An IP protocol number (IANA "Assigned Internet Protocol Numbers").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Protocol(pub u8);

impl Protocol {
    /// ICMP (RFC 792).
    pub const ICMP: Self = Self(1);
    /// TCP (RFC 9293).
    pub const TCP: Self = Self(6);
    /// UDP (RFC 768).
    pub const UDP: Self = Self(17);
    /// ICMPv6 (RFC 4443).
    pub const ICMPV6: Self = Self(58);

    /// Returns the lower-case name used in labels and alerts: `tcp`, `udp`, `icmp`, `icmpv6` or `other`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TCP => "tcp",
            Self::UDP => "udp",
            Self::ICMP => "icmp",
            Self::ICMPV6 => "icmpv6",
            _ => "other",
        }
    }
}

/// The control bits of a TCP segment, low byte (RFC 9293 section 3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset the connection.
    pub const RST: u8 = 0x04;
    /// Push function.
    pub const PSH: u8 = 0x08;
    /// The acknowledgment field is significant.
    pub const ACK: u8 = 0x10;

    /// Tells whether all of the given bits are set.
    #[must_use]
    pub const fn has(self, bits: u8) -> bool {
        self.0 & bits == bits
    }

    /// Tells whether this opens a connection: SYN, and none of ACK, RST, FIN.
    #[must_use]
    pub const fn is_syn(self) -> bool {
        self.0 & (Self::SYN | Self::ACK | Self::RST | Self::FIN) == Self::SYN
    }

    /// Tells whether this answers an opening: SYN and ACK, and none of RST, FIN.
    #[must_use]
    pub const fn is_syn_ack(self) -> bool {
        self.0 & (Self::SYN | Self::ACK | Self::RST | Self::FIN) == Self::SYN | Self::ACK
    }
}

/// What the decoder saw on the way to the innermost IP header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Marks(pub u8);

impl Marks {
    /// The IP packet is a fragment (first or later).
    pub const FRAGMENT: u8 = 0x01;
    /// A fragment other than the first: there are no ports, and none may be guessed.
    pub const LATER_FRAGMENT: u8 = 0x02;
    /// The packet was inside a tunnel (IP-in-IP, GRE, ERSPAN, VXLAN, Geneve, GTP-U).
    pub const TUNNELLED: u8 = 0x04;
    /// A VLAN tag was present.
    pub const VLAN: u8 = 0x08;
    /// The transport header was cut by the snap length: ports may be present, the rest is zero.
    pub const CUT: u8 = 0x10;
    /// A QUIC long-header packet of type Initial (RFC 9000 section 17.2.2), UDP only.
    pub const QUIC_INITIAL: u8 = 0x20;

    /// Tells whether any of the given marks is set.
    #[must_use]
    pub const fn any(self, bits: u8) -> bool {
        self.0 & bits != 0
    }
}

/// A decoded packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packet {
    /// When the capture saw it.
    pub timestamp: Timestamp,
    /// Sender, of the innermost IP header.
    pub source: Address,
    /// Receiver, of the innermost IP header.
    pub destination: Address,
    /// TCP or UDP port of the sender; 0 otherwise.
    pub source_port: u16,
    /// TCP or UDP port of the receiver; for ICMP and ICMPv6 type * 256 + code; 0 otherwise.
    pub destination_port: u16,
    /// Bytes on the wire, link layer included, whatever the snap length kept.
    pub wire_len: u32,
    /// TCP sequence number; for ICMP echo its identifier * 65,536 + sequence number. For datagrams that may be QUIC the
    /// first four bytes of the destination connection id: of a long header 0 if the id is shorter, of a short one the four
    /// bytes after the first.
    pub sequence: u32,
    /// TCP acknowledgment number. For QUIC long headers the first four bytes of the source connection id, 0 if it is shorter.
    pub acknowledgment: u32,
    /// TCP or UDP payload bytes by the IP length (not by what the snap length kept), saturating at 65,535.
    pub payload_len: u16,
    /// TCP window, unscaled.
    pub window: u16,
    /// IP protocol of the payload.
    pub protocol: Protocol,
    /// TCP control bits.
    pub flags: TcpFlags,
    /// Time to live or hop limit.
    pub ttl: u8,
    /// What was seen on the way.
    pub marks: Marks,
}

const _: () = assert!(size_of::<Packet>() == 64, "a packet is one cache line");

impl Packet {
    /// Tells whether this is a TCP segment with a readable header.
    #[must_use]
    pub fn is_tcp(&self) -> bool {
        self.protocol == Protocol::TCP && !self.marks.any(Marks::LATER_FRAGMENT | Marks::CUT)
    }

    /// Tells whether this is a UDP datagram with readable ports.
    #[must_use]
    pub fn is_udp(&self) -> bool {
        self.protocol == Protocol::UDP && !self.marks.any(Marks::LATER_FRAGMENT)
    }

    /// Tells whether this is ICMP or ICMPv6.
    #[must_use]
    pub fn is_icmp(&self) -> bool {
        matches!(self.protocol, Protocol::ICMP | Protocol::ICMPV6)
    }

    /// Returns the sequence number after this segment: its data, and one each for SYN and FIN (RFC 9293 section 3.4).
    #[must_use]
    pub fn sequence_end(&self) -> u32 {
        let controls = u32::from(self.flags.has(TcpFlags::SYN)) + u32::from(self.flags.has(TcpFlags::FIN));
        self.sequence.wrapping_add(u32::from(self.payload_len)).wrapping_add(controls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syn_and_syn_ack_are_told_apart_over_all_flags() {
        for bits in 0..=u8::MAX {
            let flags = TcpFlags(bits);
            let (fin, syn, rst, ack) = (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0, bits & 16 != 0);
            assert_eq!(flags.is_syn(), syn && !ack && !rst && !fin, "{bits:#010b}");
            assert_eq!(flags.is_syn_ack(), syn && ack && !rst && !fin, "{bits:#010b}");
        }
    }
}
