//! The classic libpcap format (draft-ietf-opsawg-pcap): one header, one link type, then records.
//!
//! Micro- and nanosecond files, either byte order, and Kuznetzov's "modified" format with its longer record headers. Files
//! of version 2.2 and before, and some of 2.3, have the two lengths of a record swapped, as libpcap knows.

use crate::source::LinkType;
use crate::source::file::format::{Fault, Format, Order, Parse, Parsed, Recognised, Record, captured_limit};
use crate::time::{NANOS_PER_SECOND, Timestamp};

/// Length of the file header.
const FILE_HEADER: usize = 24;
/// Length of a record header.
const RECORD_HEADER: usize = 16;
/// Length of a record header of the modified format: interface index, protocol and packet type are added.
const MODIFIED_RECORD_HEADER: usize = 24;

const MICROSECONDS: u32 = 0xa1b2_c3d4;
const NANOSECONDS: u32 = 0xa1b2_3c4d;
const MODIFIED: u32 = 0xa1b2_cd34;

/// Whether a record's two lengths stand in the wrong order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Swapped {
    Never,
    IfContradictory,
    Always,
}

/// Parser of one classic file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pcap {
    order: Order,
    nanos_per_unit: u64,
    record_header: usize,
    link: LinkType,
    limit: usize,
    swapped: Swapped,
}

impl Pcap {
    /// Looks for a classic header at the beginning of a file.
    pub(super) fn recognise(bytes: &[u8]) -> Recognised {
        let Some(magic) = bytes.first_chunk().copied() else {
            return Recognised::Unknown;
        };
        let (order, kind) = match (u32::from_le_bytes(magic), u32::from_be_bytes(magic)) {
            (kind @ (MICROSECONDS | NANOSECONDS | MODIFIED), _) => (Order::Little, kind),
            (_, kind @ (MICROSECONDS | NANOSECONDS | MODIFIED)) => (Order::Big, kind),
            _ => return Recognised::Unknown,
        };
        if bytes.len() < FILE_HEADER {
            return Recognised::Incomplete { what: "pcap file header", needs: FILE_HEADER };
        }
        let (major, minor) = (order.u16(bytes, 4), order.u16(bytes, 6));
        if major != 2 {
            return Recognised::Refused(Fault::new(format!(
                "has a pcap header of version {major}.{minor}, and only version 2 is known: write it anew with the \
                 program that made it, or with `editcap`"
            )));
        }
        let pcap = Self {
            order,
            nanos_per_unit: if kind == NANOSECONDS { 1 } else { 1_000 },
            record_header: if kind == MODIFIED { MODIFIED_RECORD_HEADER } else { RECORD_HEADER },
            // The upper half of the field tells of frame check sequences; decoders find those by the IP length.
            link: LinkType::from_number((order.u32(bytes, 20) & 0xffff) as u16),
            limit: captured_limit(order.u32(bytes, 16)),
            swapped: match minor {
                0..=2 => Swapped::Always,
                3 => Swapped::IfContradictory,
                _ => Swapped::Never,
            },
        };
        Recognised::Capture(Format::Pcap(pcap), FILE_HEADER)
    }

    #[inline]
    fn lengths(&self, first: u32, second: u32) -> (u32, u32) {
        match self.swapped {
            Swapped::Never => (first, second),
            Swapped::IfContradictory if first <= second => (first, second),
            Swapped::IfContradictory | Swapped::Always => (second, first),
        }
    }

    #[cold]
    fn too_long(&self, captured: u32) -> Fault {
        Fault::new(format!("a record claims {captured} bytes, more than the {} this file may hold", self.limit))
    }
}

impl Parse for Pcap {
    #[inline]
    fn next(&mut self, bytes: &[u8], latest: Timestamp) -> Result<Parsed, Fault> {
        self.peek(bytes, latest)
    }

    #[inline]
    fn peek(&self, bytes: &[u8], _latest: Timestamp) -> Result<Parsed, Fault> {
        let Some(header) = bytes.first_chunk::<RECORD_HEADER>() else {
            return Ok(Parsed::Incomplete(self.record_header));
        };
        let (captured, wire_len) = self.lengths(self.order.u32(header, 8), self.order.u32(header, 12));
        let length = captured as usize;
        if length > self.limit {
            return Err(self.too_long(captured));
        }
        let size = self.record_header + length;
        if bytes.len() < size {
            return Ok(Parsed::Incomplete(size));
        }
        let nanos = u64::from(self.order.u32(header, 0)) * NANOS_PER_SECOND
            + u64::from(self.order.u32(header, 4)) * self.nanos_per_unit;
        Ok(Parsed::Record(Record {
            timestamp: Timestamp::from_nanos(nanos),
            link: self.link,
            interface: 0,
            wire_len: wire_len.max(captured),
            start: self.record_header,
            end: size,
            size,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(magic: u32, minor: u16, snap: u32, link: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(magic.to_le_bytes());
        bytes.extend(2_u16.to_le_bytes());
        bytes.extend(minor.to_le_bytes());
        bytes.extend([0; 8]);
        bytes.extend(snap.to_le_bytes());
        bytes.extend(link.to_le_bytes());
        bytes
    }

    fn parser(bytes: &[u8]) -> Pcap {
        match Format::recognise(bytes) {
            Recognised::Capture(Format::Pcap(pcap), 24) => pcap,
            other => panic!("{other:?}"),
        }
    }

    fn record(captured: u32, wire: u32) -> Vec<u8> {
        let mut bytes: Vec<u8> = [7_u32, 5, captured, wire].iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.extend(vec![0xab; captured.min(wire) as usize]);
        bytes
    }

    fn only(pcap: &mut Pcap, bytes: &[u8]) -> Record {
        match pcap.next(bytes, Timestamp::ZERO) {
            Ok(Parsed::Record(record)) => record,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn time_units_follow_the_magic() {
        let micro = only(&mut parser(&header(MICROSECONDS, 4, 65_535, 1)), &record(4, 60));
        assert_eq!(micro.timestamp.as_nanos(), 7_000_005_000);
        assert_eq!((micro.wire_len, micro.start, micro.end, micro.size), (60, 16, 20, 20));
        let nano = only(&mut parser(&header(NANOSECONDS, 4, 65_535, 1)), &record(4, 60));
        assert_eq!(nano.timestamp.as_nanos(), 7_000_000_005);
    }

    #[test]
    fn lengths_of_old_versions_are_swapped_back() {
        for minor in [2, 3] {
            let old = only(&mut parser(&header(MICROSECONDS, minor, 68, 1)), &record(60, 4));
            assert_eq!((old.wire_len, old.end - old.start), (60, 4), "2.{minor}");
        }
        let current = parser(&header(MICROSECONDS, 4, 68, 1)).next(&record(60, 4), Timestamp::ZERO);
        assert_eq!(current, Ok(Parsed::Incomplete(76)));
    }

    #[test]
    fn a_length_is_believed_up_to_the_stated_snap_length_or_the_usual_one() {
        let claim = |snap: u32, length: u32| {
            parser(&header(MICROSECONDS, 4, snap, 1)).next(&record(length, 0), Timestamp::ZERO).is_ok()
        };
        assert!(claim(65_535, 80_176), "frames of late segmentation exceed the stated length");
        assert!(claim(65_535, 262_144) && !claim(65_535, 262_145));
        assert!(claim(0, 262_144) && !claim(0, 262_145));
        assert!(claim(1 << 20, 1 << 20) && !claim(1 << 20, (1 << 20) + 1));
        assert!(claim(i32::MAX.cast_unsigned(), 16 << 20) && !claim(i32::MAX.cast_unsigned(), (16 << 20) + 1));
        assert!(!claim(u32::MAX, 262_145));
    }

    #[test]
    fn a_wire_length_below_the_captured_one_is_corrected() {
        let mut bytes = record(4, 4);
        bytes[12..16].copy_from_slice(&1_u32.to_le_bytes());
        assert_eq!(only(&mut parser(&header(MICROSECONDS, 4, 65_535, 1)), &bytes).wire_len, 4);
    }

    #[test]
    fn flags_beside_the_link_type_are_ignored() {
        assert_eq!(parser(&header(MICROSECONDS, 4, 0, 0x3000_0001)).link, LinkType::Ethernet);
        assert_eq!(parser(&header(MICROSECONDS, 4, 0, 147)).link, LinkType::Other(147));
    }
}
