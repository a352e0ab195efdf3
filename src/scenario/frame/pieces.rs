//! Fragments of UDP datagrams (RFC 791 section 3.2, RFC 8200 section 4.5).

use super::{ETHERNET, FrameWriter, Network, fold, pseudo_header, sum};
use crate::packet::Protocol;

/// One fragment.
#[derive(Clone, Copy, Debug)]
pub(in crate::scenario) struct Fragment<'a> {
    /// Where it belongs in the datagram, in bytes: a multiple of eight.
    pub(in crate::scenario) offset: u16,
    /// More follow.
    pub(in crate::scenario) more: bool,
    /// Its bytes after the network header and its fragment header.
    pub(in crate::scenario) length: u16,
    /// For the first: ports, length of the whole datagram with its header, first bytes of the payload.
    pub(in crate::scenario) first: Option<((u16, u16), u16, &'a [u8])>,
}

impl FrameWriter {
    /// Writes a fragment; returns its length on the wire and the bytes kept.
    pub(in crate::scenario) fn fragment(&mut self, network: &Network, fragment: &Fragment<'_>) -> (u32, &[u8]) {
        let length = usize::from(fragment.length);
        let place = fragment.offset / 8;
        let at = if network.source.is_ipv4() {
            let at = self.start(network, Protocol::UDP, length);
            let flags = if fragment.more { 0x2000 } else { 0 } | place;
            self.put(ETHERNET + 6, &flags.to_be_bytes());
            self.put(ETHERNET + 10, &[0, 0]);
            let checksum = !fold(sum(&self.bytes[ETHERNET..at]));
            self.put(ETHERNET + 10, &checksum.to_be_bytes());
            at
        } else {
            const FRAGMENT_HEADER: Protocol = Protocol(44);
            let at = self.start(network, FRAGMENT_HEADER, 8 + length);
            self.bytes[at] = Protocol::UDP.0;
            self.put(at + 2, &(place << 3 | u16::from(fragment.more)).to_be_bytes());
            self.put(at + 6, &network.identification.to_be_bytes());
            at + 8
        };
        if let Some((ports, whole, head)) = fragment.first {
            self.put(at, &ports.0.to_be_bytes());
            self.put(at + 2, &ports.1.to_be_bytes());
            self.put(at + 4, &whole.to_be_bytes());
            self.put(at + 8, head);
            let total =
                sum(&self.bytes[at..at + 8 + head.len()]) + pseudo_header(network, Protocol::UDP, usize::from(whole));
            let checksum = match !fold(total) {
                0 => 0xffff,
                other => other,
            };
            self.put(at + 6, &checksum.to_be_bytes());
        }
        self.cut(at + length)
    }
}
