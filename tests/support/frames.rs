//! Frames made byte by byte, and capture files of them.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::IpAddr;
use std::path::Path;

/// TCP control bits.
pub(crate) const SYN: u8 = 0x02;
/// Acknowledgment.
pub(crate) const ACK: u8 = 0x10;

/// A TCP segment to be put into a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    /// Sender.
    pub(crate) from: (IpAddr, u16),
    /// Receiver, of the same family.
    pub(crate) to: (IpAddr, u16),
    /// Control bits.
    pub(crate) flags: u8,
    /// Sequence number; also the IPv4 identification, so that no two segments are alike.
    pub(crate) sequence: u32,
    /// Payload bytes.
    pub(crate) payload: usize,
    /// Time to live or hop limit.
    pub(crate) ttl: u8,
    /// VLAN identifiers, outermost first.
    pub(crate) vlans: [Option<u16>; 2],
}

impl Segment {
    /// An untagged segment.
    pub(crate) fn new(from: (IpAddr, u16), to: (IpAddr, u16), flags: u8, sequence: u32, payload: usize) -> Self {
        Self { from, to, flags, sequence, payload, ttl: 64, vlans: [None; 2] }
    }

    /// Builds the Ethernet frame.
    pub(crate) fn frame(&self) -> Vec<u8> {
        let mut frame = vec![0x02, 0, 0, 0, 0, 0x99, 0x02, 0, 0, 0, 0, 0x98];
        let tags: Vec<u16> = self.vlans.iter().copied().flatten().collect();
        for (index, tag) in tags.iter().enumerate() {
            let outer_of_two = tags.len() == 2 && index == 0;
            frame.extend(if outer_of_two { 0x88a8u16 } else { 0x8100 }.to_be_bytes());
            frame.extend(tag.to_be_bytes());
        }
        let tcp = self.tcp();
        match (self.from.0, self.to.0) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                frame.extend(0x0800u16.to_be_bytes());
                let length = u16::try_from(20 + tcp.len()).expect("short segments");
                let [_, _, high, low] = self.sequence.to_be_bytes();
                let mut header = vec![0x45, 0];
                header.extend(length.to_be_bytes());
                header.extend([high, low, 0x40, 0, self.ttl, 6, 0, 0]);
                header.extend(from.octets());
                header.extend(to.octets());
                let checksum = internet_checksum(&header);
                header[10..12].copy_from_slice(&checksum.to_be_bytes());
                frame.extend(header);
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                frame.extend(0x86ddu16.to_be_bytes());
                frame.extend([0x60, 0, 0, 0]);
                frame.extend(u16::try_from(tcp.len()).expect("short segments").to_be_bytes());
                frame.extend([6, self.ttl]);
                frame.extend(from.octets());
                frame.extend(to.octets());
            }
            mixed => panic!("families differ: {mixed:?}"),
        }
        frame.extend(tcp);
        frame.resize(frame.len().max(60), 0);
        frame
    }

    fn tcp(&self) -> Vec<u8> {
        let mut tcp = Vec::new();
        tcp.extend(self.from.1.to_be_bytes());
        tcp.extend(self.to.1.to_be_bytes());
        tcp.extend(self.sequence.to_be_bytes());
        tcp.extend(if self.flags & ACK == 0 { 0 } else { 0x0101_0101u32 }.to_be_bytes());
        tcp.extend([0x50, self.flags, 0xff, 0xff, 0, 0, 0, 0]);
        tcp.resize(20 + self.payload, b'x');
        tcp
    }
}

/// RFC 1071.
fn internet_checksum(bytes: &[u8]) -> u16 {
    let sum: u32 = bytes.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((folded & 0xffff) + (folded >> 16)).expect("folded twice")
}

/// Writes a classic pcap file of Ethernet frames, 100 microseconds apart.
pub(crate) fn write_pcap(path: &Path, frames: &[Vec<u8>]) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    file.write_all(&0xa1b2_c3d4u32.to_le_bytes())?;
    file.write_all(&[2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0])?;
    file.write_all(&65_535u32.to_le_bytes())?;
    file.write_all(&1u32.to_le_bytes())?;
    for (index, frame) in (0u32..).zip(frames) {
        let length = u32::try_from(frame.len()).expect("short frames");
        for number in [1_700_000_000 + index / 10_000, index % 10_000 * 100, length, length] {
            file.write_all(&number.to_le_bytes())?;
        }
        file.write_all(frame)?;
    }
    file.flush()
}
