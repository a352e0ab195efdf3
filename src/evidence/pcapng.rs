//! The pcapng file format (draft-ietf-opsawg-pcapng), as far as evidence needs it: one section, an interface description
//! before the first packet of each, enhanced packet blocks with comments, statistics at the end.
//!
//! Little-endian, nanoseconds. `pcap-file` was considered: its stable release is from 2022 and brings a second
//! `thiserror`; what is written here is five blocks.

use std::io::{self, Write};

use crate::time::Timestamp;

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;

/// Option codes that every block knows, and those of single blocks by the draft's names.
mod option {
    pub(super) const END: u16 = 0;
    pub(super) const COMMENT: u16 = 1;
    pub(super) const SHB_USERAPPL: u16 = 4;
    pub(super) const IF_NAME: u16 = 2;
    pub(super) const IF_TSRESOL: u16 = 9;
    pub(super) const ISB_STARTTIME: u16 = 2;
    pub(super) const ISB_ENDTIME: u16 = 3;
    pub(super) const ISB_IFRECV: u16 = 4;
    pub(super) const ISB_IFDROP: u16 = 5;
    pub(super) const ISB_OSDROP: u16 = 7;
    pub(super) const ISB_USRDELIV: u16 = 8;
}

/// Longest comment; the length of an option has 16 bits.
const MOST_COMMENT: usize = 32_000;

/// An interface as its description block tells of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interface<'a> {
    /// Number of the link type.
    pub(super) link: u16,
    /// Most bytes kept of a frame.
    pub(super) snap_bytes: u32,
    /// Its name, where it has one of its own.
    pub(super) name: Option<&'a str>,
}

/// A frame as its block tells of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct PacketBlock<'a> {
    /// Number of its interface, in the order of [`PcapNg::interface`].
    pub(super) interface: u32,
    /// When it was captured.
    pub(super) timestamp: Timestamp,
    /// Bytes on the wire.
    pub(super) wire_len: u32,
    /// What was kept of it.
    pub(super) bytes: &'a [u8],
    /// What it has to do with the alert.
    pub(super) comment: &'a str,
}

/// What a statistics block tells of an interface.
#[derive(Clone, Copy, Debug)]
pub(super) struct Statistics<'a> {
    /// Time of the first and the last packet of the file.
    pub(super) span: (Timestamp, Timestamp),
    /// Frames since the run began, lost ones included.
    pub(super) received: u64,
    /// Lost by the interface or its driver since the run began.
    pub(super) interface_drops: u64,
    /// Lost by the kernel, the ring being full.
    pub(super) kernel_drops: u64,
    /// Packets of the interface in this file.
    pub(super) delivered: u64,
    /// What else is to be said.
    pub(super) comment: &'a str,
}

/// Writes a pcapng section to anything, a block at a time.
#[derive(Debug)]
pub(super) struct PcapNg<W: Write> {
    out: W,
    block: Vec<u8>,
    written: u64,
}

impl<W: Write> PcapNg<W> {
    /// Begins a section that opens with a comment.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn new(out: W, comment: &str) -> io::Result<Self> {
        let mut file = Self { out, block: Vec::new(), written: 0 };
        // Byte order, version 1.0, a section of unknown length.
        file.block.extend(0x1a2b_3c4d_u32.to_le_bytes());
        file.block.extend(1_u16.to_le_bytes());
        file.block.extend(0_u16.to_le_bytes());
        file.block.extend(u64::MAX.to_le_bytes());
        file.option(option::COMMENT, text(comment));
        file.option(option::SHB_USERAPPL, concat!("vigie ", env!("CARGO_PKG_VERSION")).as_bytes());
        file.option(option::END, &[]);
        file.end_block(SECTION_HEADER)?;
        Ok(file)
    }

    /// Describes the next interface.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn interface(&mut self, interface: Interface<'_>) -> io::Result<()> {
        const NANOSECONDS: u8 = 9;
        self.block.extend(interface.link.to_le_bytes());
        self.block.extend(0_u16.to_le_bytes());
        self.block.extend(interface.snap_bytes.to_le_bytes());
        if let Some(name) = interface.name {
            self.option(option::IF_NAME, text(name));
        }
        self.option(option::IF_TSRESOL, &[NANOSECONDS]);
        self.option(option::END, &[]);
        self.end_block(INTERFACE_DESCRIPTION)
    }

    /// Writes a packet.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn packet(&mut self, packet: PacketBlock<'_>) -> io::Result<()> {
        self.block.extend(packet.interface.to_le_bytes());
        self.time(packet.timestamp);
        self.block.extend(length(packet.bytes).to_le_bytes());
        self.block.extend(packet.wire_len.to_le_bytes());
        self.block.extend(packet.bytes);
        self.pad();
        self.option(option::COMMENT, text(packet.comment));
        self.option(option::END, &[]);
        self.end_block(ENHANCED_PACKET)
    }

    /// Writes the statistics of an interface.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(super) fn statistics(&mut self, interface: u32, statistics: Statistics<'_>) -> io::Result<()> {
        let Statistics { span, received, interface_drops, kernel_drops, delivered, comment } = statistics;
        self.block.extend(interface.to_le_bytes());
        self.time(span.1);
        for (code, moment) in [(option::ISB_STARTTIME, span.0), (option::ISB_ENDTIME, span.1)] {
            let (high, low) = halves(moment);
            self.option(code, &[high.to_le_bytes(), low.to_le_bytes()].concat());
        }
        let counts = [
            (option::ISB_IFRECV, received),
            (option::ISB_IFDROP, interface_drops),
            (option::ISB_OSDROP, kernel_drops),
            (option::ISB_USRDELIV, delivered),
        ];
        for (code, count) in counts {
            self.option(code, &count.to_le_bytes());
        }
        self.option(option::COMMENT, text(comment));
        self.option(option::END, &[]);
        self.end_block(INTERFACE_STATISTICS)
    }

    /// Returns how many bytes were written.
    pub(super) const fn written(&self) -> u64 {
        self.written
    }

    /// Hands on what lies in buffers.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn time(&mut self, moment: Timestamp) {
        let (high, low) = halves(moment);
        self.block.extend(high.to_le_bytes());
        self.block.extend(low.to_le_bytes());
    }

    fn option(&mut self, code: u16, value: &[u8]) {
        self.block.extend(code.to_le_bytes());
        self.block.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
        self.block.extend(value);
        self.pad();
    }

    /// Fills up to a multiple of 32 bits.
    fn pad(&mut self) {
        self.block.resize(self.block.len().next_multiple_of(4), 0);
    }

    /// Writes the block that was gathered, with its type and its length before and after.
    fn end_block(&mut self, kind: u32) -> io::Result<()> {
        let total = length(&self.block) + 12;
        self.out.write_all(&kind.to_le_bytes())?;
        self.out.write_all(&total.to_le_bytes())?;
        self.out.write_all(&self.block)?;
        self.out.write_all(&total.to_le_bytes())?;
        self.block.clear();
        self.written += u64::from(total);
        Ok(())
    }
}

/// Returns how long the block of a packet is.
pub(super) const fn packet_block_len(captured: usize, comment: usize) -> u64 {
    // Header and trailer, fixed fields, option headers of comment and end.
    (12 + 20 + captured.next_multiple_of(4) + 4 + comment.next_multiple_of(4) + 4) as u64
}

fn halves(moment: Timestamp) -> (u32, u32) {
    let nanos = moment.as_nanos();
    let low = u32::try_from(nanos & u64::from(u32::MAX)).expect("32 bits");
    (u32::try_from(nanos >> 32).expect("32 bits"), low)
}

/// Returns a length as a block has it: frames and comments are far shorter.
fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

/// Returns a comment that an option can hold.
fn text(comment: &str) -> &[u8] {
    &comment.as_bytes()[..comment.floor_char_boundary(MOST_COMMENT)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Type and body of each block, checked for both lengths.
    fn blocks(mut file: &[u8]) -> Vec<(u32, &[u8])> {
        let number = |bytes: &[u8]| u32::from_le_bytes(bytes[..4].try_into().unwrap());
        let mut blocks = Vec::new();
        while !file.is_empty() {
            let length = number(&file[4..]) as usize;
            assert_eq!(length % 4, 0);
            assert_eq!(number(&file[length - 4..]) as usize, length);
            blocks.push((number(file), &file[8..length - 4]));
            file = &file[length..];
        }
        blocks
    }

    /// The options of a block, from where its fixed fields end.
    fn options(mut bytes: &[u8]) -> Vec<(u16, Vec<u8>)> {
        let number = |bytes: &[u8]| u16::from_le_bytes(bytes[..2].try_into().unwrap());
        let mut options = Vec::new();
        while number(bytes) != option::END {
            let length = usize::from(number(&bytes[2..]));
            options.push((number(bytes), bytes[4..4 + length].to_vec()));
            bytes = &bytes[4 + length.next_multiple_of(4)..];
        }
        assert_eq!(bytes, [0; 4]);
        options
    }

    #[test]
    fn blocks_are_as_the_draft_has_them() {
        let at = |seconds| Timestamp::from_secs(seconds);
        let mut bytes = Vec::new();
        let mut file = PcapNg::new(&mut bytes, "why").unwrap();
        file.interface(Interface { link: 113, snap_bytes: 96, name: Some("eth1") }).unwrap();
        let before = file.written();
        let frame = PacketBlock { interface: 0, timestamp: at(9), wire_len: 60, bytes: &[7; 5], comment: "SYN" };
        file.packet(frame).unwrap();
        assert_eq!(file.written() - before, packet_block_len(5, 3));
        let statistics = Statistics {
            span: (at(8), at(9)),
            received: 1_000,
            interface_drops: 2,
            kernel_drops: 3,
            delivered: 4,
            comment: "end",
        };
        file.statistics(0, statistics).unwrap();
        let written = file.written();
        assert_eq!(written, bytes.len() as u64);

        let blocks = blocks(&bytes);
        let kinds = [SECTION_HEADER, INTERFACE_DESCRIPTION, ENHANCED_PACKET, INTERFACE_STATISTICS];
        assert_eq!(blocks.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), kinds);
        assert_eq!(options(&blocks[0].1[16..])[0], (option::COMMENT, b"why".to_vec()));
        assert_eq!(blocks[1].1[..8], [113, 0, 0, 0, 96, 0, 0, 0]);
        assert_eq!(options(&blocks[1].1[8..]), [(option::IF_NAME, b"eth1".to_vec()), (option::IF_TSRESOL, vec![9])]);
        let (high, low) = halves(at(9));
        let fixed = [0, high, low, 5, 60].map(u32::to_le_bytes).concat();
        assert_eq!(blocks[2].1[..20], fixed);
        assert_eq!(blocks[2].1[20..28], [7, 7, 7, 7, 7, 0, 0, 0]);
        assert_eq!(options(&blocks[2].1[28..]), [(option::COMMENT, b"SYN".to_vec())]);
        let counts: Vec<(u16, u64)> = options(&blocks[3].1[12..])
            .into_iter()
            .filter(|(code, _)| *code >= option::ISB_IFRECV)
            .map(|(code, value)| (code, u64::from_le_bytes(value.try_into().unwrap())))
            .collect();
        let expected =
            [(option::ISB_IFRECV, 1_000), (option::ISB_IFDROP, 2), (option::ISB_OSDROP, 3), (option::ISB_USRDELIV, 4)];
        assert_eq!(counts, expected);
    }
}
