//! From an IP packet to a [`Packet`]: TCP, UDP and ICMP headers, one path for both IP versions. Knows no tunnels.

use etherparse::err::tcp;
use etherparse::{IpNumber, TcpHeader, TcpHeaderSlice, ip_number};

use super::network::{Fragment, Network};
use super::span::{Short, Span};
use super::{DropReason, Walk};
use crate::packet::{Marks, Packet, Protocol, TcpFlags};
use crate::source::Frame;

/// Length of a UDP header (RFC 768), and of an ICMP header as far as it is read (RFC 792, RFC 4443).
const EIGHT_BYTES: usize = 8;

/// Where a TCP header keeps its control bits (RFC 9293 section 3.1).
const FLAGS: usize = 13;

/// Least length of an ICMP message: type, code and checksum.
const ICMP_LEAST: usize = 4;

/// Builds the packet of an IP header that carries no other.
#[inline(always)]
pub(super) fn packet(frame: &Frame<'_>, ip: &Network<'_>, walk: Walk) -> Result<Packet, DropReason> {
    let mut packet = Packet {
        timestamp: frame.timestamp,
        source: ip.source,
        destination: ip.destination,
        wire_len: frame.wire_len,
        protocol: Protocol(ip.protocol.0),
        ttl: ip.ttl,
        marks: Marks(walk.marks),
        ..Packet::default()
    };
    if ip.is_chain_cut {
        packet.marks.0 |= Marks::CUT;
        return Ok(packet);
    }
    match (ip.protocol, ip.fragment) {
        (ip_number::TCP | ip_number::UDP, Fragment::Later) => packet.payload_len = saturated(ip.payload.len),
        (_, Fragment::Later) => {}
        (ip_number::TCP, fragment) => tcp(&mut packet, ip.payload, fragment)?,
        (ip_number::UDP, fragment) => udp(&mut packet, ip.payload, fragment)?,
        (ip_number::ICMP | ip_number::IPV6_ICMP, fragment) => icmp(&mut packet, ip.protocol, ip.payload, fragment)?,
        _ => {}
    }
    Ok(packet)
}

fn saturated(len: usize) -> u16 {
    u16::try_from(len).unwrap_or(u16::MAX)
}

/// Judges a header of `needed` bytes that is not all there: the ports remain, if they are there, unless the packet
/// itself is too short for it. A first fragment may be (the "tiny fragments" of RFC 1858).
fn incomplete(packet: &mut Packet, span: Span<'_>, needed: usize, fragment: Fragment) -> Result<(), DropReason> {
    if span.len < needed && fragment == Fragment::Whole {
        return Err(DropReason::BadTransport);
    }
    packet.marks.0 |= Marks::CUT;
    if let Ok(([a, b, c, d], _)) = span.take() {
        packet.source_port = u16::from_be_bytes([*a, *b]);
        packet.destination_port = u16::from_be_bytes([*c, *d]);
    }
    Ok(())
}

#[inline(always)]
fn tcp(packet: &mut Packet, span: Span<'_>, fragment: Fragment) -> Result<(), DropReason> {
    let mut base = [0; TcpHeader::MIN_LEN];
    let Some((header, header_len)) = tcp_header(span, &mut base)? else {
        return incomplete(packet, span, TcpHeader::MIN_LEN, fragment);
    };
    if header_len > span.len && fragment == Fragment::Whole {
        return Err(DropReason::BadTransport);
    }
    packet.source_port = header.source_port();
    packet.destination_port = header.destination_port();
    packet.sequence = header.sequence_number();
    packet.acknowledgment = header.acknowledgment_number();
    packet.window = header.window_size();
    packet.flags = TcpFlags(header.slice().get(FLAGS).copied().unwrap_or(0));
    packet.payload_len = saturated(span.len.saturating_sub(header_len));
    Ok(())
}

/// Reads a TCP header and its full length, none when its fixed part is not all there. When only options were cut, the
/// fixed part is read from a copy that claims no options, since etherparse wants the whole header.
#[inline(always)]
fn tcp_header<'a>(
    span: Span<'a>,
    base: &'a mut [u8; TcpHeader::MIN_LEN],
) -> Result<Option<(TcpHeaderSlice<'a>, usize)>, DropReason> {
    match TcpHeaderSlice::from_slice(span.bytes) {
        Ok(header) => {
            let len = header.slice().len();
            return Ok(Some((header, len)));
        }
        Err(tcp::HeaderSliceError::Content(_)) => return Err(DropReason::BadTransport),
        Err(tcp::HeaderSliceError::Len(_)) => {}
    }
    let Some(fixed) = span.bytes.first_chunk() else { return Ok(None) };
    *base = *fixed;
    let header_len = usize::from(base[12] >> 4) * 4;
    base[12] = 0x50;
    let header = TcpHeaderSlice::from_slice(base).map_err(|_| DropReason::BadTransport)?;
    Ok(Some((header, header_len)))
}

/// The length field is not used: it is 0 in jumbograms (RFC 2675 section 4), and a flood does not care what it says.
fn udp(packet: &mut Packet, span: Span<'_>, fragment: Fragment) -> Result<(), DropReason> {
    let Ok(([a, b, c, d, ..], payload)) = span.take::<EIGHT_BYTES>() else {
        return incomplete(packet, span, EIGHT_BYTES, fragment);
    };
    packet.source_port = u16::from_be_bytes([*a, *b]);
    packet.destination_port = u16::from_be_bytes([*c, *d]);
    packet.payload_len = saturated(payload.len);
    quic(packet, payload);
    Ok(())
}

/// Notes what a datagram would say as QUIC (RFC 9000 section 17). A short header has the destination's connection id after
/// its first byte; how long it is only the two ends know.
#[inline(always)]
pub(super) fn quic(packet: &mut Packet, payload: Span<'_>) {
    let Ok(([first, a, b, c, d], rest)) = payload.take() else { return };
    let word = u32::from_be_bytes([*a, *b, *c, *d]);
    match first >> 6 {
        0b01 => packet.sequence = word,
        0b11 => quic_long_header(packet, *first, word, rest),
        _ => {}
    }
}

/// Reads the type and the connection ids of a long header: types of version 1 (RFC 9000 section 17.2.2), of version 2
/// (RFC 9369 section 3.2) and of drafts 29 to 34; no connection id is longer than 20 bytes.
fn quic_long_header(packet: &mut Packet, first: u8, version: u32, ids: Span<'_>) {
    let initial = match version {
        1 | 0xff00_001d..=0xff00_0022 => 0b00,
        0x6b33_43cf => 0b01,
        _ => return,
    };
    let Ok(destination) = quic_id(ids) else { return };
    if first >> 4 & 0b11 == initial {
        packet.marks.0 |= Marks::QUIC_INITIAL;
    }
    packet.sequence = destination.0;
    packet.acknowledgment = quic_id(destination.1).map_or(0, |source| source.0);
}

/// Reads the first four bytes of a connection id, 0 if it is shorter or cut, and returns what follows it.
fn quic_id(span: Span<'_>) -> Result<(u32, Span<'_>), Short> {
    const LONGEST: u8 = 20;
    let ([len], id) = span.take()?;
    if *len > LONGEST {
        return Err(Short);
    }
    let word = match id.take() {
        Ok((word, _)) if *len >= 4 => u32::from_be_bytes(*word),
        _ => 0,
    };
    Ok((word, id.skip(usize::from(*len))))
}

fn icmp(packet: &mut Packet, protocol: IpNumber, span: Span<'_>, fragment: Fragment) -> Result<(), DropReason> {
    let Ok(([kind, code, _, _], rest)) = span.take() else {
        return incomplete(packet, span, ICMP_LEAST, fragment);
    };
    packet.destination_port = u16::from_be_bytes([*kind, *code]);
    match rest.take() {
        Ok((identifier_and_sequence, _)) if is_echo(protocol, *kind) => {
            packet.sequence = u32::from_be_bytes(*identifier_and_sequence);
        }
        Err(_) if span.len >= EIGHT_BYTES => packet.marks.0 |= Marks::CUT,
        _ => {}
    }
    Ok(())
}

const fn is_echo(protocol: IpNumber, kind: u8) -> bool {
    match protocol {
        ip_number::ICMP => matches!(kind, 0 | 8),
        _ => matches!(kind, 128 | 129),
    }
}
