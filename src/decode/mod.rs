//! Link-layer bytes to [`Packet`], or the reason why not.
//!
//! The contract, which the fuzz target asserts word for word: on any bytes and any link type [`decode`] returns, without
//! a panic, without allocating, in time bounded by the number of headers it may open; it never reads past the bytes
//! given; a packet it accepts is built from headers that were really there; and it tolerates a snap length: what was cut
//! is marked, not refused, as long as both addresses can be read.
//!
//! The innermost IP header is the packet; whoever wants the outermost asks for that ([`decode_outermost`]). The way
//! there is a loop over two steps, `link` (tags and labels down to an IP header) and `tunnel` (what an IP packet
//! carries), both on a budget: [`MAX_TAGS`], [`MAX_TUNNELS`] and [`MAX_EXTENSIONS`]. A tunnel that is only guessed from
//! a UDP port must prove itself by its header and its content; when it does not, the datagram stays a datagram.
//!
//! Headers are read with etherparse's slices. Its `LaxSlicedPacket` was considered for the whole way: it stops at first
//! fragments, whose ports are wanted here, reads the body of later fragments as extension headers, does not bound the
//! number of those, and opens no tunnel. Nothing here knows time, flows or state.
#![deny(clippy::indexing_slicing)]

mod common;
mod link;
mod network;
mod span;
mod transport;
mod tunnel;
mod udp_tunnel;

#[cfg(test)]
mod tests;

use crate::kind::closed_set;
use crate::packet::{Marks, Packet};
use crate::source::Frame;
use network::Network;
use span::Span;
use tunnel::Inner;

/// Tunnels that are opened inside one another.
pub const MAX_TUNNELS: u8 = 4;

/// VLAN tags, MPLS labels and PPP headers that are passed in one frame.
pub const MAX_TAGS: u8 = 8;

/// Extension headers that are walked in one IP packet. RFC 8200 section 4.1 knows six, one of them twice.
pub const MAX_EXTENSIONS: u8 = 8;

closed_set! {
    /// Why a frame did not become a packet: a closed set that is also the label set of `vigie_packets_discarded_total`.
    DropReason {
        /// The link type is not decoded.
        UnsupportedLink = "unsupported_link",
        /// Cut before the link header ended.
        TruncatedLink = "truncated_link",
        /// Cut before the IP addresses.
        TruncatedIp = "truncated_ip",
        /// The link carries something other than IP: ARP, LLDP, spanning tree and the like.
        NotIp = "not_ip",
        /// IP version, header length or total length contradict each other.
        BadIpHeader = "bad_ip_header",
        /// More tunnels or tags inside one another than are opened.
        TooDeep = "too_deep",
        /// More IPv6 extension headers than are walked, or one that cannot be.
        BadExtension = "bad_extension",
        /// A transport header that contradicts itself.
        BadTransport = "bad_transport",
        /// A tunnel header that contradicts itself.
        BadTunnel = "bad_tunnel",
    }
}

/// What comes next on the way to an IP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// An Ethernet header.
    Ethernet,
    /// What this Ethernet type (IEEE 802 numbers) says.
    EtherType(u16),
    /// An MPLS label stack.
    Mpls,
    /// A PPP protocol field.
    Ppp,
    /// An IPv4 header.
    Ipv4,
    /// An IPv6 header.
    Ipv6,
    /// An IP header of the version that its first four bits give.
    Ip,
}

/// What was seen on the way, and what may still be opened.
#[derive(Clone, Copy, Debug, Default)]
struct Walk {
    marks: u8,
    tags: u8,
    tunnels: u8,
}

impl Walk {
    fn pass_tag(&mut self) -> Result<(), DropReason> {
        self.tags += 1;
        if self.tags > MAX_TAGS { Err(DropReason::TooDeep) } else { Ok(()) }
    }

    fn enter_tunnel(&mut self) -> Result<(), DropReason> {
        self.tunnels += 1;
        self.marks |= Marks::TUNNELLED;
        if self.tunnels > MAX_TUNNELS { Err(DropReason::TooDeep) } else { Ok(()) }
    }
}

/// Decodes one frame to its innermost IP packet.
///
/// The common frames take a short way; see `common`.
///
/// # Errors
/// The reason why the frame is counted and thrown away.
#[inline(always)]
pub fn decode(frame: &Frame<'_>) -> Result<Packet, DropReason> {
    match common::decode(frame) {
        Some(packet) => Ok(packet),
        None => decode_any(frame),
    }
}

/// Decodes whatever may come. What most frames pass is inlined, so that layers stay in registers.
#[inline(never)]
fn decode_any(frame: &Frame<'_>) -> Result<Packet, DropReason> {
    let mut walk = Walk::default();
    let (next, span) = link::open(frame)?;
    let ip = next_ip(next, span, &mut walk)?;
    match tunnel::inside(&ip)? {
        None => transport::packet(frame, &ip, walk),
        Some(inner) => descend(frame, Carrier { ip, walk, inner }),
    }
}

/// Decodes one frame to its outermost IP packet, whatever that carries.
///
/// # Errors
/// The reason why not even that can be read.
#[cold]
pub fn decode_outermost(frame: &Frame<'_>) -> Result<Packet, DropReason> {
    let mut walk = Walk::default();
    let (next, span) = link::open(frame)?;
    let ip = next_ip(next, span, &mut walk)?;
    transport::packet(frame, &ip, walk)
}

/// An IP packet that seems to carry another.
struct Carrier<'a> {
    ip: Network<'a>,
    walk: Walk,
    inner: Inner<'a>,
}

#[inline(always)]
fn next_ip<'a>(next: Next, span: Span<'a>, walk: &mut Walk) -> Result<Network<'a>, DropReason> {
    let (version, span) = link::find_ip(next, span, walk)?;
    let ip = network::open(version, span)?;
    walk.marks |= ip.fragment.marks();
    Ok(ip)
}

/// Opens tunnel after tunnel.
#[cold]
fn descend(frame: &Frame<'_>, mut carrier: Carrier<'_>) -> Result<Packet, DropReason> {
    loop {
        let mut walk = carrier.walk;
        walk.enter_tunnel()?;
        let ip = match next_ip(carrier.inner.next, carrier.inner.span, &mut walk) {
            Ok(ip) => ip,
            Err(reason) => return without_content(frame, &carrier, reason),
        };
        match tunnel::inside(&ip)? {
            None => return transport::packet(frame, &ip, walk),
            Some(inner) => carrier = Carrier { ip, walk, inner },
        }
    }
}

/// Judges a packet whose content is no IP packet, for the given reason: the packet around it stands when that is no
/// fault (ARP in VXLAN) or when there may never have been a tunnel.
fn without_content(frame: &Frame<'_>, carrier: &Carrier<'_>, reason: DropReason) -> Result<Packet, DropReason> {
    let ran_out = matches!(reason, DropReason::TruncatedLink | DropReason::TruncatedIp);
    match if ran_out && !carrier.inner.span.is_cut() { DropReason::BadTunnel } else { reason } {
        DropReason::NotIp => transport::packet(frame, &carrier.ip, carrier.walk),
        DropReason::BadTunnel | DropReason::BadIpHeader if carrier.inner.is_guess => {
            transport::packet(frame, &carrier.ip, carrier.walk)
        }
        reason => Err(reason),
    }
}
