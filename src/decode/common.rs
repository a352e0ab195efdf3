//! The frames that nearly all frames are, read in one pass: Ethernet II, at most one VLAN tag, an IPv4 header without
//! options or an IPv6 header without extensions, no fragment, no tunnel, then TCP or UDP.
//!
//! Whatever is not exactly that, down to a contradiction in a length, is left to the way that handles everything. The two
//! agree on every frame both take: a property test holds them together over whole, cut and damaged frames. Layers handed
//! over as structs are what the long way pays for; this one takes a third of its instructions.

use super::link::ether_type;
use super::span::Span;
use super::{transport, udp_tunnel};
use crate::address::Address;
use crate::packet::{Marks, Packet, Protocol, TcpFlags};
use crate::source::{Frame, LinkType};

const ETHERNET: usize = 14;
const VLAN_TAG: usize = 4;
const IPV4: usize = 20;
const IPV6: usize = 40;
const TCP: usize = 20;
const UDP: usize = 8;

/// The more-fragments bit and the offset of an IPv4 header (RFC 791 section 3.1).
const FRAGMENT_FIELD: u16 = 0x3fff;

/// Decodes a common frame; `None` for any other.
#[inline(always)]
pub(super) fn decode(frame: &Frame<'_>) -> Option<Packet> {
    if frame.link != LinkType::Ethernet {
        return None;
    }
    let (header, mut bytes) = frame.bytes.split_first_chunk::<ETHERNET>()?;
    let mut ether_type = u16::from_be_bytes([header[12], header[13]]);
    let mut marks = 0;
    if ether_type == ether_type::VLAN {
        let (tag, rest) = bytes.split_first_chunk::<VLAN_TAG>()?;
        (ether_type, bytes, marks) = (u16::from_be_bytes([tag[2], tag[3]]), rest, Marks::VLAN);
    }
    match ether_type {
        ether_type::IPV4 => ipv4(frame, bytes, marks),
        ether_type::IPV6 => ipv6(frame, bytes, marks),
        _ => None,
    }
}

#[inline(always)]
fn ipv4(frame: &Frame<'_>, bytes: &[u8], marks: u8) -> Option<Packet> {
    const VERSION_4_FIVE_WORDS: u8 = 0x45;
    let (header, rest) = bytes.split_first_chunk::<IPV4>()?;
    let payload_len = usize::from(u16::from_be_bytes([header[2], header[3]])).checked_sub(IPV4)?;
    let fragment = u16::from_be_bytes([header[6], header[7]]) & FRAGMENT_FIELD;
    if header[0] != VERSION_4_FIVE_WORDS || fragment != 0 {
        return None;
    }
    let packet = Packet {
        timestamp: frame.timestamp,
        source: Address::v4([header[12], header[13], header[14], header[15]]),
        destination: Address::v4([header[16], header[17], header[18], header[19]]),
        wire_len: frame.wire_len,
        protocol: Protocol(header[9]),
        ttl: header[8],
        marks: Marks(marks),
        ..Packet::default()
    };
    transport(packet, Span::new(rest, payload_len))
}

#[inline(always)]
fn ipv6(frame: &Frame<'_>, bytes: &[u8], marks: u8) -> Option<Packet> {
    const VERSION_6: u8 = 6;
    let (header, rest) = bytes.split_first_chunk::<IPV6>()?;
    let payload_len = usize::from(u16::from_be_bytes([header[4], header[5]]));
    let (source, destination) = header.last_chunk::<32>()?.split_at(16);
    let (source, destination) = (Address::v6(*source.first_chunk()?), Address::v6(*destination.first_chunk()?));
    if header[0] >> 4 != VERSION_6 || payload_len == 0 || source.is_ipv4() || destination.is_ipv4() {
        return None;
    }
    let packet = Packet {
        timestamp: frame.timestamp,
        source,
        destination,
        wire_len: frame.wire_len,
        protocol: Protocol(header[6]),
        ttl: header[7],
        marks: Marks(marks),
        ..Packet::default()
    };
    transport(packet, Span::new(rest, payload_len))
}

#[inline(always)]
fn transport(packet: Packet, payload: Span<'_>) -> Option<Packet> {
    match packet.protocol {
        Protocol::TCP => tcp(packet, payload),
        Protocol::UDP => udp(packet, payload),
        _ => None,
    }
}

#[inline(always)]
fn tcp(mut packet: Packet, segment: Span<'_>) -> Option<Packet> {
    let header = segment.bytes.first_chunk::<TCP>()?;
    let header_len = usize::from(header[12] >> 4) * 4;
    if header_len < TCP {
        return None;
    }
    packet.source_port = u16::from_be_bytes([header[0], header[1]]);
    packet.destination_port = u16::from_be_bytes([header[2], header[3]]);
    packet.sequence = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
    packet.acknowledgment = u32::from_be_bytes([header[8], header[9], header[10], header[11]]);
    packet.flags = TcpFlags(header[13]);
    packet.window = u16::from_be_bytes([header[14], header[15]]);
    packet.payload_len = u16::try_from(segment.len.checked_sub(header_len)?).ok()?;
    Some(packet)
}

#[inline(always)]
fn udp(mut packet: Packet, datagram: Span<'_>) -> Option<Packet> {
    let header = datagram.bytes.first_chunk::<UDP>()?;
    packet.source_port = u16::from_be_bytes([header[0], header[1]]);
    packet.destination_port = u16::from_be_bytes([header[2], header[3]]);
    if udp_tunnel::is_tunnel_port(packet.source_port, packet.destination_port) {
        return None;
    }
    let payload = datagram.skip(UDP);
    packet.payload_len = u16::try_from(payload.len).ok()?;
    transport::quic(&mut packet, payload);
    Some(packet)
}
