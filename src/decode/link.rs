//! From a link type, through tags, labels and PPP, to an IP header. Knows nothing of what IP carries.

use etherparse::{Ethernet2HeaderSlice, SingleVlanHeaderSlice};

use super::network::Version;
use super::span::{Short, Span};
use super::{DropReason, Next, Walk};
use crate::packet::Marks;
use crate::source::{Frame, LinkType};

/// Ethernet types (IEEE 802 numbers), and their use in GRE.
pub(super) mod ether_type {
    pub(crate) const IPV4: u16 = 0x0800;
    pub(crate) const IPV6: u16 = 0x86dd;
    pub(crate) const VLAN: u16 = 0x8100;
    pub(crate) const PROVIDER_BRIDGING: u16 = 0x88a8;
    /// QinQ as built before IEEE 802.1ad.
    pub(crate) const VLAN_DOUBLE: u16 = 0x9100;
    pub(crate) const MPLS_UNICAST: u16 = 0x8847;
    pub(crate) const MPLS_MULTICAST: u16 = 0x8848;
    pub(crate) const PPPOE_SESSION: u16 = 0x8864;
    pub(crate) const PPP: u16 = 0x880b;
    pub(crate) const ETHERNET: u16 = 0x6558;
    pub(crate) const ERSPAN_II: u16 = 0x88be;
    pub(crate) const ERSPAN_III: u16 = 0x22eb;
}

/// PPP protocol numbers (IANA "PPP DLL Protocol Numbers").
mod ppp_protocol {
    pub(super) const IPV4: u16 = 0x0021;
    pub(super) const IPV6: u16 = 0x0057;
    pub(super) const MPLS_UNICAST: u16 = 0x0281;
    pub(super) const MPLS_MULTICAST: u16 = 0x0283;
}

impl From<Short> for DropReason {
    fn from(_: Short) -> Self {
        Self::TruncatedLink
    }
}

/// Reads the header that the link type names, if it is one of its own.
#[inline(always)]
pub(super) fn open<'a>(frame: &Frame<'a>) -> Result<(Next, Span<'a>), DropReason> {
    let wire_len = usize::try_from(frame.wire_len).unwrap_or(usize::MAX);
    let span = Span::new(frame.bytes, wire_len.max(frame.bytes.len()));
    match frame.link {
        LinkType::Ethernet => Ok((Next::Ethernet, span)),
        LinkType::RawIp => Ok((Next::Ip, span)),
        LinkType::LinuxSll => linux_sll(span),
        LinkType::LinuxSll2 => linux_sll2(span),
        LinkType::Null => null(span),
        LinkType::Other(_) => Err(DropReason::UnsupportedLink),
    }
}

/// Passes everything before the next IP header.
#[inline(always)]
pub(super) fn find_ip<'a>(
    mut next: Next,
    mut span: Span<'a>,
    walk: &mut Walk,
) -> Result<(Version, Span<'a>), DropReason> {
    loop {
        (next, span) = match next {
            Next::Ipv4 => return Ok((Version::Four, span)),
            Next::Ipv6 => return Ok((Version::Six, span)),
            Next::Ip => return by_version(span).map(|version| (version, span)),
            Next::Ethernet => ethernet(span)?,
            Next::EtherType(ether_type) => payload_of(ether_type, span, walk)?,
            Next::Mpls => mpls(span, walk)?,
            Next::Ppp => ppp(span, walk)?,
        };
    }
}

fn by_version(span: Span<'_>) -> Result<Version, DropReason> {
    match span.first().ok_or(DropReason::TruncatedIp)? >> 4 {
        4 => Ok(Version::Four),
        6 => Ok(Version::Six),
        _ => Err(DropReason::BadIpHeader),
    }
}

/// Ethernet II; a length instead of a type (IEEE 802.3) is told apart by [`payload_of`].
#[inline(always)]
fn ethernet(span: Span<'_>) -> Result<(Next, Span<'_>), DropReason> {
    let header = Ethernet2HeaderSlice::from_slice(span.bytes).map_err(|_| DropReason::TruncatedLink)?;
    Ok((Next::EtherType(header.ether_type().0), span.skip(header.slice().len())))
}

#[inline(always)]
fn payload_of<'a>(ether_type: u16, span: Span<'a>, walk: &mut Walk) -> Result<(Next, Span<'a>), DropReason> {
    match ether_type {
        ether_type::IPV4 => Ok((Next::Ipv4, span)),
        ether_type::IPV6 => Ok((Next::Ipv6, span)),
        ether_type::VLAN | ether_type::PROVIDER_BRIDGING | ether_type::VLAN_DOUBLE => vlan(span, walk),
        ether_type::MPLS_UNICAST | ether_type::MPLS_MULTICAST => Ok((Next::Mpls, span)),
        ether_type::PPPOE_SESSION => pppoe(span),
        ether_type::PPP => Ok((Next::Ppp, span)),
        ether_type::ETHERNET => Ok((Next::Ethernet, span)),
        _ => Err(DropReason::NotIp),
    }
}

fn vlan<'a>(span: Span<'a>, walk: &mut Walk) -> Result<(Next, Span<'a>), DropReason> {
    walk.pass_tag()?;
    walk.marks |= Marks::VLAN;
    let tag = SingleVlanHeaderSlice::from_slice(span.bytes).map_err(|_| DropReason::TruncatedLink)?;
    Ok((Next::EtherType(tag.ether_type().0), span.skip(tag.slice().len())))
}

/// RFC 3032 labels, then IP or an Ethernet pseudo-wire, guessed as routers do (RFC 4928 section 2): nothing in the
/// frame says what the last label carries.
fn mpls<'a>(mut span: Span<'a>, walk: &mut Walk) -> Result<(Next, Span<'a>), DropReason> {
    const BOTTOM_OF_STACK: u8 = 0x01;
    loop {
        walk.pass_tag()?;
        let ([_, _, label, _], rest) = span.take()?;
        span = rest;
        if label & BOTTOM_OF_STACK != 0 {
            break;
        }
    }
    match span.first().ok_or(DropReason::TruncatedLink)? >> 4 {
        4 | 6 => Ok((Next::Ip, span)),
        // A control word (RFC 4385 section 3) begins with four zero bits, and so do many hardware addresses.
        0 if leads_to_ip(span.skip(CONTROL_WORD))? => Ok((Next::Ethernet, span.skip(CONTROL_WORD))),
        _ if leads_to_ip(span)? => Ok((Next::Ethernet, span)),
        _ => Err(DropReason::NotIp),
    }
}

/// Length of the pseudo-wire control word.
const CONTROL_WORD: usize = 4;

fn leads_to_ip(span: Span<'_>) -> Result<bool, DropReason> {
    let ([_, _, _, _, _, _, _, _, _, _, _, _, high, low], _) = span.take()?;
    Ok(matches!(
        u16::from_be_bytes([*high, *low]),
        ether_type::IPV4
            | ether_type::IPV6
            | ether_type::VLAN
            | ether_type::PROVIDER_BRIDGING
            | ether_type::VLAN_DOUBLE
            | ether_type::PPPOE_SESSION
            | ether_type::MPLS_UNICAST
    ))
}

/// RFC 2516 section 4, session stage.
fn pppoe(span: Span<'_>) -> Result<(Next, Span<'_>), DropReason> {
    const VERSION_1_TYPE_1: u8 = 0x11;
    const SESSION_DATA: u8 = 0;
    let ([version, code, ..], rest) = span.take::<6>()?;
    if (*version, *code) == (VERSION_1_TYPE_1, SESSION_DATA) {
        Ok((Next::Ppp, rest))
    } else {
        Err(DropReason::BadTunnel)
    }
}

/// RFC 1661 section 2, behind the address and control field of RFC 1662 where it was not left out; a protocol field
/// whose first byte is odd is a compressed one.
fn ppp<'a>(span: Span<'a>, walk: &mut Walk) -> Result<(Next, Span<'a>), DropReason> {
    const ALL_STATIONS: u8 = 0xff;
    walk.pass_tag()?;
    let span = if span.first() == Some(ALL_STATIONS) { span.take::<2>()?.1 } else { span };
    let first = span.first().ok_or(DropReason::TruncatedLink)?;
    let (protocol, rest) = if first & 1 == 1 {
        (u16::from(first), span.skip(1))
    } else {
        let (protocol, rest) = span.take()?;
        (u16::from_be_bytes(*protocol), rest)
    };
    match protocol {
        ppp_protocol::IPV4 => Ok((Next::Ipv4, rest)),
        ppp_protocol::IPV6 => Ok((Next::Ipv6, rest)),
        ppp_protocol::MPLS_UNICAST | ppp_protocol::MPLS_MULTICAST => Ok((Next::Mpls, rest)),
        _ => Err(DropReason::NotIp),
    }
}

/// `LINKTYPE_LINUX_SLL`: 16 bytes, the protocol last. Read here because etherparse refuses hardware types that it does
/// not know, among them tunnels and PPP.
fn linux_sll(span: Span<'_>) -> Result<(Next, Span<'_>), DropReason> {
    let ([.., high, low], rest) = span.take::<16>()?;
    Ok((Next::EtherType(u16::from_be_bytes([*high, *low])), rest))
}

/// `LINKTYPE_LINUX_SLL2`: 20 bytes, the protocol first.
fn linux_sll2(span: Span<'_>) -> Result<(Next, Span<'_>), DropReason> {
    let ([high, low, ..], rest) = span.take::<20>()?;
    Ok((Next::EtherType(u16::from_be_bytes([*high, *low])), rest))
}

/// `LINKTYPE_NULL` and `LINKTYPE_LOOP`: an address family as the writer's system numbers it, in either byte order. Some
/// writers put an Ethernet type into the last two bytes, which Wireshark reads too.
fn null(span: Span<'_>) -> Result<(Next, Span<'_>), DropReason> {
    let (header @ [_, _, high, low], rest) = span.take()?;
    let family = u32::from_be_bytes(*header);
    match if family > 0xffff { family.swap_bytes() } else { family } {
        2 => Ok((Next::Ipv4, rest)),
        // Linux, NetBSD and OpenBSD, FreeBSD, Darwin.
        10 | 24 | 28 | 30 => Ok((Next::Ipv6, rest)),
        _ => Ok((Next::EtherType(u16::from_be_bytes([*high, *low])), rest)),
    }
}
