//! Tunnels over IP that the protocol number names: IP-in-IP (RFC 2003, RFC 4213), GRE (RFC 2784, RFC 2890), PPTP
//! (RFC 2637) and ERSPAN. Those over UDP are next door. Knows nothing of what tunnels carry.

use etherparse::ip_number;

use super::link::ether_type;
use super::network::{Fragment, Network};
use super::span::{Short, Span};
use super::udp_tunnel;
use super::{DropReason, Next};

/// What an IP packet carries, if it is a packet again.
pub(super) struct Inner<'a> {
    pub(super) next: Next,
    pub(super) span: Span<'a>,
    /// Only a UDP port and a plausible header, or a mere fragment, speak for it: what is inside must prove it.
    pub(super) is_guess: bool,
}

/// Why a tunnel header cannot be read.
pub(super) enum Fault {
    /// It goes on behind what is there.
    Short,
    /// It contradicts itself.
    Bad,
}

impl From<Short> for Fault {
    fn from(_: Short) -> Self {
        Self::Short
    }
}

/// What follows a tunnel header; none when it is not a packet.
pub(super) type Opened<'a> = Result<Option<(Next, Span<'a>)>, Fault>;

/// Opens the tunnel that an IP packet is, if it is one. Later fragments are never opened.
#[inline(always)]
pub(super) fn inside<'a>(ip: &Network<'a>) -> Result<Option<Inner<'a>>, DropReason> {
    match (ip.protocol, ip.fragment) {
        (_, Fragment::Later) => Ok(None),
        (ip_number::UDP, _) if !udp_tunnel::has_port(ip.payload) => Ok(None),
        (ip_number::UDP | ip_number::IPV4 | ip_number::IPV6 | ip_number::GRE, _) => open(ip),
        _ => Ok(None),
    }
}

fn open<'a>(ip: &Network<'a>) -> Result<Option<Inner<'a>>, DropReason> {
    let opened = match ip.protocol {
        ip_number::IPV4 => Ok(Some((Next::Ipv4, ip.payload))),
        ip_number::IPV6 => Ok(Some((Next::Ipv6, ip.payload))),
        ip_number::GRE => gre(ip.payload),
        _ => udp_tunnel::open(ip.payload, ip.fragment),
    };
    let is_guess = ip.protocol == ip_number::UDP || ip.fragment == Fragment::First;
    match opened {
        // What is inside, or whether this is a tunnel at all, lies behind the snap length: to take the outer addresses
        // for the packet's would be wrong.
        Err(Fault::Short) if ip.payload.is_cut() => Err(DropReason::TruncatedIp),
        Ok(opened) => Ok(opened.map(|(next, span)| Inner { next, span, is_guess })),
        Err(_) if is_guess => Ok(None),
        Err(_) => Err(DropReason::BadTunnel),
    }
}

/// Bits of the first 16 of a GRE header.
mod gre_flag {
    pub(super) const CHECKSUM: u16 = 0x8000;
    pub(super) const KEY: u16 = 0x2000;
    pub(super) const SEQUENCE: u16 = 0x1000;
    /// Routing, strict source route and recursion of RFC 1701: a receiver of RFC 2784 must discard these.
    pub(super) const OBSOLETE: u16 = 0x4c00;
    pub(super) const ACKNOWLEDGMENT: u16 = 0x0080;
    pub(super) const VERSION: u16 = 0x0007;
}

fn gre(span: Span<'_>) -> Opened<'_> {
    let ([a, b, c, d], rest) = span.take()?;
    let (flags, protocol) = (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]));
    if flags & gre_flag::OBSOLETE != 0 {
        return Err(Fault::Bad);
    }
    match flags & gre_flag::VERSION {
        0 => gre_payload(protocol, flags, rest),
        1 if protocol == ether_type::PPP => pptp(flags, rest),
        _ => Err(Fault::Bad),
    }
}

fn gre_payload(protocol: u16, flags: u16, span: Span<'_>) -> Opened<'_> {
    let fields = [gre_flag::CHECKSUM, gre_flag::KEY, gre_flag::SEQUENCE];
    let present = fields.iter().filter(|field| flags & **field != 0).count();
    let span = passed(span, present * 4)?;
    match protocol {
        // Without a sequence number there is no ERSPAN header (type I).
        ether_type::ERSPAN_II if flags & gre_flag::SEQUENCE == 0 => Ok(Some((Next::Ethernet, span))),
        ether_type::ERSPAN_II => erspan_ii(span),
        ether_type::ERSPAN_III => erspan_iii(span),
        // A keep-alive, or a protocol between routers.
        0 => Ok(None),
        _ => Ok(Some((Next::EtherType(protocol), span))),
    }
}

/// Passes bytes that must be there.
fn passed(span: Span<'_>, count: usize) -> Result<Span<'_>, Short> {
    if span.bytes.len() < count { Err(Short) } else { Ok(span.skip(count)) }
}

/// GRE version 1 (RFC 2637 section 4.1): a key of payload length and call id, then PPP; no payload is a bare
/// acknowledgment.
fn pptp(flags: u16, span: Span<'_>) -> Opened<'_> {
    if flags & gre_flag::KEY == 0 || flags & gre_flag::CHECKSUM != 0 {
        return Err(Fault::Bad);
    }
    let ([high, low, _, _], span) = span.take()?;
    if flags & gre_flag::SEQUENCE == 0 || (*high, *low) == (0, 0) {
        return Ok(None);
    }
    let fields = 1 + usize::from(flags & gre_flag::ACKNOWLEDGMENT != 0);
    Ok(Some((Next::Ppp, passed(span, fields * 4)?)))
}

/// ERSPAN type II (draft-foschiano-erspan section 4.2): eight bytes, version 1, then the mirrored frame.
fn erspan_ii(span: Span<'_>) -> Opened<'_> {
    let ([version, ..], frame) = span.take::<8>()?;
    if version >> 4 == 1 { Ok(Some((Next::Ethernet, frame))) } else { Err(Fault::Bad) }
}

/// ERSPAN type III (draft-foschiano-erspan section 4.3): twelve bytes, version 2, a subheader of eight if the last bit
/// says so, then what the frame type says.
fn erspan_iii(span: Span<'_>) -> Opened<'_> {
    const FRAME_ETHERNET: u8 = 0;
    const FRAME_IP: u8 = 2;
    let ([version, _, _, _, _, _, _, _, _, _, frame_type, options], rest) = span.take()?;
    if version >> 4 != 2 {
        return Err(Fault::Bad);
    }
    let rest = if options & 1 == 1 { passed(rest, 8)? } else { rest };
    match frame_type >> 2 & 0x1f {
        FRAME_ETHERNET => Ok(Some((Next::Ethernet, rest))),
        FRAME_IP => Ok(Some((Next::Ip, rest))),
        _ => Ok(None),
    }
}
