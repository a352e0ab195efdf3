//! ICMP and ICMPv6: echo, and the error that says that nobody listens at a port (RFC 792, RFC 4443).

use super::{ETHERNET, FrameWriter, Network};
use crate::packet::Protocol;

/// Bytes of the datagram's own header that an error quotes after the network header (RFC 792; Linux quotes more).
const QUOTED: usize = 8;

impl FrameWriter {
    /// Writes an echo message with so many bytes of data; returns its length on the wire and the bytes kept.
    pub(in crate::scenario) fn echo(
        &mut self,
        network: &Network,
        reply: bool,
        (identifier, number): (u16, u16),
        data: u16,
    ) -> (u32, &[u8]) {
        let (protocol, kind) = match (network.source.is_ipv4(), reply) {
            (true, false) => (Protocol::ICMP, 8),
            (true, true) => (Protocol::ICMP, 0),
            (false, false) => (Protocol::ICMPV6, 128),
            (false, true) => (Protocol::ICMPV6, 129),
        };
        let at = self.start(network, protocol, 8 + usize::from(data));
        self.bytes[at] = kind;
        self.put(at + 4, &identifier.to_be_bytes());
        self.put(at + 6, &number.to_be_bytes());
        self.finish(network, protocol, at, 8, data, 0, at + 2)
    }

    /// Writes "port unreachable" in answer to a datagram that came as `asked` says, from and to these ports.
    pub(in crate::scenario) fn unreachable(
        &mut self,
        network: &Network,
        asked: &Network,
        ports: (u16, u16),
        payload: u16,
    ) -> (u32, &[u8]) {
        let ipv4 = network.source.is_ipv4();
        let (protocol, kind) = if ipv4 { (Protocol::ICMP, [3, 3]) } else { (Protocol::ICMPV6, [1, 4]) };
        let quote = if ipv4 { 20 } else { 40 } + QUOTED;
        let at = self.start(network, protocol, 8 + quote);
        self.put(at, &kind);
        let length = 8 + payload;
        let inner = self.network(at + 8, asked, Protocol::UDP, usize::from(length));
        self.put(inner, &ports.0.to_be_bytes());
        self.put(inner + 2, &ports.1.to_be_bytes());
        self.put(inner + 4, &length.to_be_bytes());
        debug_assert_eq!(at, ETHERNET + quote - QUOTED);
        self.finish(network, protocol, at, 8 + quote, 0, 0, at + 2)
    }
}
