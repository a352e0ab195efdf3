//! Reads pcap and pcapng files as far as these tests need it, on purpose apart from `source`: whole files, no order, no
//! times, and what cannot be read ends the file.

use std::io::Read;
use std::path::Path;

use vigie::source::LinkType;

/// A frame as it lies in a file.
pub(crate) struct Recorded {
    pub link: LinkType,
    pub wire_len: usize,
    pub bytes: Vec<u8>,
}

/// Reads all frames of a file; none when it is no capture.
pub(crate) fn read(path: &Path) -> Vec<Recorded> {
    let mut bytes = std::fs::read(path).unwrap();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut plain = Vec::new();
        flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut plain).unwrap();
        bytes = plain;
    }
    let mut frames = Vec::new();
    let _end = if bytes.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]) {
        pcapng(&bytes, &mut frames)
    } else {
        pcap(&bytes, &mut frames)
    };
    frames
}

fn link_type(number: u32) -> LinkType {
    match number & 0xffff {
        1 => LinkType::Ethernet,
        113 => LinkType::LinuxSll,
        276 => LinkType::LinuxSll2,
        12 | 14 | 101 | 228 | 229 => LinkType::RawIp,
        0 | 108 => LinkType::Null,
        other => LinkType::Other(u16::try_from(other).unwrap()),
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    is_big_endian: bool,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }

    fn u32(&mut self) -> Option<u32> {
        let bytes = self.take(4)?.try_into().ok()?;
        Some(if self.is_big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    fn length(&mut self) -> Option<usize> {
        self.u32().map(|length| usize::try_from(length).unwrap())
    }

    fn u16(&mut self) -> Option<u16> {
        let bytes = self.take(2)?.try_into().ok()?;
        Some(if self.is_big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }
}

fn pcap(bytes: &[u8], frames: &mut Vec<Recorded>) -> Option<()> {
    let mut file = Cursor { bytes, is_big_endian: false };
    file.is_big_endian = match file.u32()? {
        0xa1b2_c3d4 | 0xa1b2_3c4d | 0xa1b2_cd34 => false,
        0xd4c3_b2a1 | 0x4d3c_b2a1 | 0x34cd_b2a1 => true,
        _ => return None,
    };
    // Alexey Kuznetzov's modified format has eight more bytes in each record.
    let more = if matches!(bytes[0..4], [0x34, 0xcd, 0xb2, 0xa1] | [0xa1, 0xb2, 0xcd, 0x34]) { 8 } else { 0 };
    file.take(16)?;
    let link = link_type(file.u32()?);
    loop {
        file.take(8)?;
        let (captured, wire_len) = (file.length()?, file.length()?);
        file.take(more)?;
        let bytes = file.take(captured)?.to_vec();
        frames.push(Recorded { link, wire_len: wire_len.max(captured), bytes });
    }
}

fn pcapng(bytes: &[u8], frames: &mut Vec<Recorded>) -> Option<()> {
    let mut file = Cursor { bytes, is_big_endian: false };
    let mut links = Vec::new();
    loop {
        if file.bytes.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]) {
            file.is_big_endian = file.bytes.get(8..12)? == [0x1a, 0x2b, 0x3c, 0x4d];
            links.clear();
        }
        let (kind, total) = (file.u32()?, file.length()?);
        let body = file.take(total.checked_sub(12)?)?;
        file.take(4)?;
        let mut block = Cursor { bytes: body, is_big_endian: file.is_big_endian };
        match kind {
            1 => links.push(link_type(u32::from(block.u16()?))),
            3 => {
                let wire_len = block.length()?;
                let bytes = block.bytes[..wire_len.min(block.bytes.len())].to_vec();
                frames.push(Recorded { link: *links.first()?, wire_len, bytes });
            }
            6 => {
                let link = *links.get(block.length()?)?;
                block.take(8)?;
                let (captured, wire_len) = (block.length()?, block.length()?);
                let bytes = block.take(captured)?.to_vec();
                frames.push(Recorded { link, wire_len: wire_len.max(captured), bytes });
            }
            _ => {}
        }
    }
}
