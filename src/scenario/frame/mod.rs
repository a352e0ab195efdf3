//! Writes Ethernet frames with IPv4 or IPv6 and TCP, UDP, ICMP or GRE inside, checksums right.
//!
//! Payload is what an encrypted one is to an observer: a length. Its first bytes are given, the rest is zeros that count
//! in the checksum and on the wire, of which the snap length keeps few.

mod icmp;
mod pieces;

pub(super) use pieces::Fragment;

use super::number::{low_u8, low_u16};
use super::stack::Options;
use crate::address::Address;
use crate::packet::{Protocol, TcpFlags};

/// Bytes kept of each frame unless told otherwise: every header written here, the longest being the SYN of an Apple
/// client over IPv6.
pub(super) const SNAP_LENGTH: usize = 98;

/// Most that can be kept of a frame: more than the longest one written here.
pub(super) const MOST_KEPT: usize = 2_048;

/// The shortest Ethernet frame without its check sequence (IEEE 802.3): shorter ones are padded.
const SHORTEST: usize = 60;

const ETHERNET: usize = 14;

/// The router outside and the servers inside, locally administered addresses.
const ROUTER: [u8; 6] = [0x02, 0, 0, 0, 0, 0x01];
const SERVERS: [u8; 6] = [0x02, 0, 0, 0, 0, 0x10];

/// Which way a frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// To the protected servers.
    In,
    /// From them.
    Out,
}

/// What is below the transport header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Network {
    /// Which way it goes.
    pub(super) way: Way,
    /// Sender.
    pub(super) source: Address,
    /// Receiver; of the same family.
    pub(super) destination: Address,
    /// Hop limit as it arrives.
    pub(super) hop_limit: u8,
    /// IPv4 identification.
    pub(super) identification: u16,
}

/// A TCP segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment<'a> {
    /// Sender's port.
    pub(super) source_port: u16,
    /// Receiver's port.
    pub(super) destination_port: u16,
    /// Sequence number.
    pub(super) sequence: u32,
    /// Acknowledgment number.
    pub(super) acknowledgment: u32,
    /// Control bits.
    pub(super) flags: u8,
    /// Window, unscaled.
    pub(super) window: u16,
    /// Options.
    pub(super) options: Options,
    /// Payload bytes.
    pub(super) payload: u16,
    /// The first of them.
    pub(super) head: &'a [u8],
}

/// One frame under construction.
#[derive(Debug)]
pub(super) struct FrameWriter {
    bytes: [u8; MOST_KEPT],
    snap_length: usize,
}

impl FrameWriter {
    /// Writes frames of which so many bytes are kept, at most [`MOST_KEPT`].
    pub(super) fn new(snap_length: usize) -> Self {
        Self { bytes: [0; MOST_KEPT], snap_length: snap_length.min(MOST_KEPT) }
    }

    /// Writes a TCP segment; returns its length on the wire and the bytes kept.
    pub(super) fn tcp(&mut self, network: &Network, segment: &Segment<'_>) -> (u32, &[u8]) {
        let options = segment.options.bytes();
        let header = 20 + options.len();
        let at = self.start(network, Protocol::TCP, header + usize::from(segment.payload));
        self.put(at, &segment.source_port.to_be_bytes());
        self.put(at + 2, &segment.destination_port.to_be_bytes());
        self.put(at + 4, &segment.sequence.to_be_bytes());
        let acknowledgment = if segment.flags & TcpFlags::ACK != 0 { segment.acknowledgment } else { 0 };
        self.put(at + 8, &acknowledgment.to_be_bytes());
        self.bytes[at + 12] = low_u8(header as u64 / 4) << 4;
        self.bytes[at + 13] = segment.flags;
        self.put(at + 14, &segment.window.to_be_bytes());
        self.put(at + 20, options);
        self.put(at + header, segment.head);
        self.finish(network, Protocol::TCP, at, header, segment.payload, segment.head.len(), at + 16)
    }

    /// Writes a UDP datagram; returns its length on the wire and the bytes kept.
    pub(super) fn udp(&mut self, network: &Network, ports: (u16, u16), payload: u16, head: &[u8]) -> (u32, &[u8]) {
        let length = 8 + usize::from(payload);
        let at = self.start(network, Protocol::UDP, length);
        self.put(at, &ports.0.to_be_bytes());
        self.put(at + 2, &ports.1.to_be_bytes());
        self.put(at + 4, &low_u16(length as u64).to_be_bytes());
        self.put(at + 8, head);
        self.finish(network, Protocol::UDP, at, 8, payload, head.len(), at + 6)
    }

    /// Writes a datagram without checksum inside a GRE packet (RFC 2784); returns its length on the wire and the bytes
    /// kept.
    pub(super) fn gre(&mut self, network: &Network, inside: &Network, ports: (u16, u16), payload: u16) -> (u32, &[u8]) {
        const GRE: usize = 4;
        let length = 8 + payload;
        let header = if inside.source.is_ipv4() { 20 } else { 40 };
        let at = self.start(network, Protocol(47), GRE + header + usize::from(length));
        self.put(at + 2, if inside.source.is_ipv4() { &[0x08, 0x00] } else { &[0x86, 0xdd] });
        let at = self.network(at + GRE, inside, Protocol::UDP, usize::from(length));
        self.put(at, &ports.0.to_be_bytes());
        self.put(at + 2, &ports.1.to_be_bytes());
        self.put(at + 4, &length.to_be_bytes());
        self.cut(at + usize::from(length))
    }

    /// Writes link and network header; returns where the transport header begins.
    fn start(&mut self, network: &Network, protocol: Protocol, length: usize) -> usize {
        self.bytes[..self.snap_length.max(SNAP_LENGTH + 64)].fill(0);
        let (destination, source) = match network.way {
            Way::In => (SERVERS, ROUTER),
            Way::Out => (ROUTER, SERVERS),
        };
        self.put(0, &destination);
        self.put(6, &source);
        if network.source.is_ipv4() {
            self.put(12, &[0x08, 0x00]);
        } else {
            self.put(12, &[0x86, 0xdd]);
        }
        self.network(ETHERNET, network, protocol, length)
    }

    /// Writes a network header at a place; returns where it ends.
    fn network(&mut self, at: usize, network: &Network, protocol: Protocol, length: usize) -> usize {
        if network.source.is_ipv4() {
            self.ipv4(at, network, protocol, length)
        } else {
            self.ipv6(at, network, protocol, length)
        }
    }

    fn ipv4(&mut self, at: usize, network: &Network, protocol: Protocol, length: usize) -> usize {
        const HEADER: usize = 20;
        self.bytes[at] = 0x45;
        self.put(at + 2, &low_u16((HEADER + length) as u64).to_be_bytes());
        self.put(at + 4, &network.identification.to_be_bytes());
        self.bytes[at + 6] = 0x40;
        self.bytes[at + 8] = network.hop_limit;
        self.bytes[at + 9] = protocol.0;
        self.put(at + 12, &network.source.bytes()[12..]);
        self.put(at + 16, &network.destination.bytes()[12..]);
        let checksum = !fold(sum(&self.bytes[at..at + HEADER]));
        self.put(at + 10, &checksum.to_be_bytes());
        at + HEADER
    }

    fn ipv6(&mut self, at: usize, network: &Network, protocol: Protocol, length: usize) -> usize {
        self.bytes[at] = 0x60;
        self.put(at + 4, &low_u16(length as u64).to_be_bytes());
        self.bytes[at + 6] = protocol.0;
        self.bytes[at + 7] = network.hop_limit;
        self.put(at + 8, &network.source.bytes());
        self.put(at + 24, &network.destination.bytes());
        at + 40
    }

    /// Writes the transport checksum (RFC 9293 section 3.1, RFC 8200 section 8.1; ICMP has no pseudo-header in IPv4).
    #[expect(clippy::too_many_arguments, reason = "the places of one header, known by the three callers only")]
    fn finish(
        &mut self,
        network: &Network,
        protocol: Protocol,
        at: usize,
        header: usize,
        payload: u16,
        head: usize,
        checksum_at: usize,
    ) -> (u32, &[u8]) {
        let length = header + usize::from(payload);
        let mut total = sum(&self.bytes[at..at + header + head]);
        if protocol != Protocol::ICMP {
            total += pseudo_header(network, protocol, length);
        }
        let checksum = match !fold(total) {
            // RFC 768: a zero would mean that there is none.
            0 if protocol == Protocol::UDP => 0xffff,
            other => other,
        };
        self.put(checksum_at, &checksum.to_be_bytes());
        self.cut(at + length)
    }

    /// Returns the length on the wire of a frame that ends here, and what is kept of it.
    fn cut(&self, end: usize) -> (u32, &[u8]) {
        let wire = end.max(SHORTEST);
        (u32::from(low_u16(wire as u64)), &self.bytes[..wire.min(self.snap_length)])
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }
}

fn pseudo_header(network: &Network, protocol: Protocol, length: usize) -> u64 {
    let skipped = if network.source.is_ipv4() { 12 } else { 0 };
    sum(&network.source.bytes()[skipped..])
        + sum(&network.destination.bytes()[skipped..])
        + u64::from(protocol.0)
        + length as u64
}

/// Adds 16-bit words, an odd last byte as the high one (RFC 1071).
pub(super) fn sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<2>();
    let total: u64 = words.iter().map(|word| u64::from(u16::from_be_bytes(*word))).sum();
    total + rest.first().map_or(0, |last| u64::from(*last) << 8)
}

/// Folds a sum to 16 bits with the carries added back (RFC 1071).
pub(super) const fn fold(sum: u64) -> u16 {
    let mut sum = sum;
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (sum & 0xffff) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(source: &str, destination: &str) -> Network {
        Network {
            way: Way::In,
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            hop_limit: 57,
            identification: 7,
        }
    }

    fn segment(payload: u16, head: &[u8]) -> Segment<'_> {
        Segment {
            source_port: 50_000,
            destination_port: 443,
            sequence: 0xfedc_ba98,
            acknowledgment: 0x0123_4567,
            flags: TcpFlags::ACK | TcpFlags::PSH,
            window: 502,
            options: Options::of_segment(Some((1, 2))),
            payload,
            head,
        }
    }

    #[test]
    fn etherparse_agrees_with_what_was_written() {
        for (from, to) in [("2.3.4.5", "203.0.113.10"), ("2a01:e00::1", "2001:db8:113::10")] {
            let mut writer = FrameWriter::new(SNAP_LENGTH);
            let (wire, bytes) = writer.tcp(&network(from, to), &segment(10, &[0x17, 3, 3, 0, 5]));
            assert_eq!(wire as usize, bytes.len());
            let sliced = etherparse::SlicedPacket::from_ethernet(bytes).unwrap();
            let Some(etherparse::TransportSlice::Tcp(tcp)) = &sliced.transport else { panic!("no TCP") };
            assert_eq!((tcp.sequence_number(), tcp.payload().len()), (0xfedc_ba98, 10));
            let checksum = match &sliced.net {
                Some(etherparse::NetSlice::Ipv4(ip)) => {
                    assert_eq!(ip.header().header_checksum(), ip.header().to_header().calc_header_checksum());
                    tcp.to_header().calc_checksum_ipv4(&ip.header().to_header(), tcp.payload()).unwrap()
                }
                Some(etherparse::NetSlice::Ipv6(ip)) => {
                    tcp.to_header().calc_checksum_ipv6(&ip.header().to_header(), tcp.payload()).unwrap()
                }
                _ => panic!("no IP"),
            };
            assert_eq!(tcp.checksum(), checksum, "{from}");
        }
    }

    #[test]
    fn a_tunnel_is_opened_by_the_decoder() {
        let mut writer = FrameWriter::new(SNAP_LENGTH);
        let (outside, inside) = (network("2.3.4.5", "203.0.113.10"), network("9.9.9.9", "8.8.8.8"));
        let (wire_len, bytes) = writer.gre(&outside, &inside, (5_000, 6_000), 500);
        let frame = crate::source::Frame {
            timestamp: crate::time::Timestamp::ZERO,
            link: crate::source::LinkType::Ethernet,
            interface: crate::source::InterfaceId(0),
            wire_len,
            bytes,
        };
        let innermost = crate::decode::decode(&frame).unwrap();
        assert_eq!((innermost.source, innermost.destination_port, innermost.payload_len), (inside.source, 6_000, 500));
        let outermost = crate::decode::decode_outermost(&frame).unwrap();
        assert_eq!((outermost.source, outermost.protocol), (outside.source, Protocol(47)));
        assert_eq!((wire_len, outermost.wire_len), (14 + 20 + 4 + 20 + 8 + 500, wire_len));
    }

    #[test]
    fn short_frames_are_padded_and_long_ones_cut() {
        let mut writer = FrameWriter::new(SNAP_LENGTH);
        let bare = Segment { options: Options::default(), ..segment(0, &[]) };
        let (wire, bytes) = writer.tcp(&network("2.3.4.5", "203.0.113.10"), &bare);
        assert_eq!((wire, bytes.len()), (60, 60));
        let (wire, bytes) = writer.tcp(&network("2.3.4.5", "203.0.113.10"), &segment(1_448, &[]));
        assert_eq!((wire, bytes.len()), (1_514, SNAP_LENGTH));
    }

    #[test]
    fn the_longest_syn_is_kept_whole() {
        let mut writer = FrameWriter::new(SNAP_LENGTH);
        let syn = Segment { options: super::super::stack::System::Apple.syn_options(1_440, 1), ..segment(0, &[]) };
        let (wire, bytes) = writer.tcp(&network("2a01:e00::1", "2001:db8:113::10"), &syn);
        assert_eq!(wire as usize, bytes.len());
    }
}
