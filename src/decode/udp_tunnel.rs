//! Tunnels over UDP: VXLAN (RFC 7348), Geneve (RFC 8926), GTP-U (3GPP TS 29.281) and Teredo (RFC 4380). A port is a
//! hint, never a proof: every fixed bit and length of the header must fit, or the datagram is an ordinary one.

use super::Next;
use super::network::Fragment;
use super::span::{Short, Span};
use super::tunnel::{Fault, Opened};

const VXLAN: u16 = 4789;
/// VXLAN before it had a port of its own: still the Linux default, and flannel's.
const VXLAN_LINUX: u16 = 8472;
const GENEVE: u16 = 6081;
const GTP_U: u16 = 2152;
const TEREDO: u16 = 3544;

const UDP_HEADER: usize = 8;

/// GTP-U extension headers that are passed; one is usual.
const MAX_GTP_EXTENSIONS: usize = 4;

type Open = for<'a> fn(Span<'a>, Fragment) -> Opened<'a>;

/// Tells whether a port speaks for a tunnel; ports that were cut do not.
#[inline(always)]
pub(super) fn has_port(datagram: Span<'_>) -> bool {
    by_port(datagram).is_some()
}

/// Opens the tunnel that a UDP datagram is, if it is one.
pub(super) fn open(datagram: Span<'_>, fragment: Fragment) -> Opened<'_> {
    let Some(open) = by_port(datagram) else { return Ok(None) };
    let ([_, _, _, _, high, low, _, _], payload) = datagram.take()?;
    open(declared(payload, usize::from(u16::from_be_bytes([*high, *low]))), fragment)
}

/// Tells whether a pair of source and destination port speaks for a tunnel.
#[inline(always)]
pub(super) fn is_tunnel_port(source: u16, destination: u16) -> bool {
    of_ports(source, destination).is_some()
}

#[inline(always)]
fn by_port(datagram: Span<'_>) -> Option<Open> {
    let ([a, b, c, d], _) = datagram.take().ok()?;
    of_ports(u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]))
}

#[inline(always)]
fn of_ports(source: u16, destination: u16) -> Option<Open> {
    match (source, destination) {
        (_, VXLAN | VXLAN_LINUX) => Some(vxlan),
        (_, GENEVE) => Some(geneve),
        (_, GTP_U) => Some(gtp_u),
        (TEREDO, _) | (_, TEREDO) => Some(teredo),
        _ => None,
    }
}

/// Leaves out what lies behind the datagram's own length, where that makes sense (it is 0 for jumbograms).
fn declared(payload: Span<'_>, length: usize) -> Span<'_> {
    match length.checked_sub(UDP_HEADER) {
        Some(length) if length <= payload.len => Span::new(payload.bytes, length),
        _ => payload,
    }
}

/// RFC 7348 section 5, with the group policy bit (draft-smith-vxlan-group-policy) that Linux and Cisco set.
fn vxlan(span: Span<'_>, _: Fragment) -> Opened<'_> {
    const NETWORK_IDENTIFIER: u8 = 0x08;
    const GROUP_POLICY: u8 = 0x80;
    let ([flags, policy @ .., _, _, _, reserved], rest) = span.take::<8>()?;
    let is_vxlan = match flags & !GROUP_POLICY {
        NETWORK_IDENTIFIER => *reserved == 0 && (flags & GROUP_POLICY != 0 || *policy == [0; 3]),
        _ => false,
    };
    Ok(is_vxlan.then_some((Next::Ethernet, rest)))
}

/// RFC 8926 section 3.4.
fn geneve(span: Span<'_>, _: Fragment) -> Opened<'_> {
    const RESERVED: u8 = 0x3f;
    let ([version_and_options, flags, a, b, _, _, _, reserved], rest) = span.take()?;
    // Version 0 leaves the number of 4-byte words of options.
    if version_and_options >> 6 != 0 || flags & RESERVED != 0 || *reserved != 0 {
        return Ok(None);
    }
    let options = usize::from(*version_and_options) * 4;
    if rest.bytes.len() < options {
        return Err(Fault::Short);
    }
    Ok(Some((Next::EtherType(u16::from_be_bytes([*a, *b])), rest.skip(options))))
}

/// TS 29.281 section 5.1: version 1, GTP rather than GTP', a G-PDU whose length is the datagram's.
fn gtp_u(span: Span<'_>, fragment: Fragment) -> Opened<'_> {
    const VERSION_1_GTP: u8 = 0x30;
    const G_PDU: u8 = 255;
    const EXTENSION: u8 = 0x04;
    const ANY_OPTION: u8 = 0x07;
    let ([flags, kind, a, b, ..], rest) = span.take::<8>()?;
    let length = usize::from(u16::from_be_bytes([*a, *b]));
    let fits = if fragment == Fragment::Whole { length == rest.len } else { length >= rest.len };
    if flags & !ANY_OPTION != VERSION_1_GTP || *kind != G_PDU || !fits {
        return Ok(None);
    }
    let packet = match flags & ANY_OPTION {
        0 => Some(rest),
        options => {
            let ([_, _, _, next], rest) = rest.take()?;
            gtp_extensions(if options & EXTENSION == 0 { 0 } else { *next }, rest)?
        }
    };
    Ok(packet.map(|packet| (Next::Ip, packet)))
}

/// TS 29.281 section 5.2.1: each begins with its length in 4-byte words and ends with the type of the next.
fn gtp_extensions(mut kind: u8, mut span: Span<'_>) -> Result<Option<Span<'_>>, Short> {
    for _ in 0..MAX_GTP_EXTENSIONS {
        if kind == 0 {
            return Ok(Some(span));
        }
        let length = usize::from(span.first().ok_or(Short)?) * 4;
        let Some(last) = length.checked_sub(1) else { return Ok(None) };
        kind = *span.bytes.get(last).ok_or(Short)?;
        span = span.skip(length);
    }
    Ok((kind == 0).then_some(span))
}

/// RFC 4380 section 5.1.1: an authentication and an origin indication, both optional, then an IPv6 packet that fills the
/// datagram and has an address of the service, 2001::/32, or a link-local source (router solicitations).
fn teredo(span: Span<'_>, _: Fragment) -> Opened<'_> {
    let packet = teredo_origin(teredo_authentication(span)?)?;
    let ([version, _, _, _, high, low, _, _, source_and_destination @ ..], rest) = packet.take::<40>()?;
    let [s0, s1, s2, s3, _, _, _, _, _, _, _, _, _, _, _, _, d0, d1, d2, d3, ..] = source_and_destination;
    let is_service = |prefix: [u8; 4]| prefix == [0x20, 0x01, 0, 0];
    let is_link_local = *s0 == 0xfe && s1 & 0xc0 == 0x80;
    let is_teredo = version >> 4 == 6
        && usize::from(u16::from_be_bytes([*high, *low])) == rest.len
        && (is_link_local || is_service([*s0, *s1, *s2, *s3]) || is_service([*d0, *d1, *d2, *d3]));
    Ok(is_teredo.then_some((Next::Ipv6, packet)))
}

fn teredo_authentication(span: Span<'_>) -> Result<Span<'_>, Short> {
    const NONCE_AND_CONFIRMATION: usize = 9;
    if !span.bytes.starts_with(&[0, 1]) {
        return Ok(span);
    }
    let ([_, _, client_id, authentication], rest) = span.take()?;
    Ok(rest.skip(usize::from(*client_id) + usize::from(*authentication) + NONCE_AND_CONFIRMATION))
}

fn teredo_origin(span: Span<'_>) -> Result<Span<'_>, Short> {
    if !span.bytes.starts_with(&[0, 0]) {
        return Ok(span);
    }
    span.take::<8>().map(|(_, rest)| rest)
}
