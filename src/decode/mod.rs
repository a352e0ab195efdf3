//! Link-layer bytes to [`Packet`], or the reason why not.
//!
//! The contract, which the fuzz target asserts word for word: on any bytes and any link type [`decode`] returns, without
//! a panic, without allocating, in time bounded by the number of headers it may open; it never reads past the bytes
//! given; a packet it accepts is built from headers that were really there; and it tolerates a snap length: what was cut
//! is marked, not refused, as long as both addresses can be read.

use crate::kind::closed_set;
use crate::packet::Packet;
use crate::source::Frame;

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

/// Decodes one frame to its innermost IP packet.
///
/// # Errors
/// The reason why the frame is counted and thrown away.
pub fn decode(_frame: &Frame<'_>) -> Result<Packet, DropReason> {
    Err(DropReason::UnsupportedLink)
}
