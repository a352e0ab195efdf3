//! What the two capture formats have in common, without any reading: bytes in, records out.
//!
//! A [`Format`] looks at the bytes at hand and says what lies at their beginning. It does no input and keeps no buffer, so
//! that it can be tried on any bytes, cut anywhere, and so that the next records can be looked at without taking them.

use crate::source::LinkType;
use crate::source::file::pcap::Pcap;
use crate::source::file::pcapng::{self, Pcapng};
use crate::time::Timestamp;

/// The largest record that is believed: 16 MiB, the largest that libpcap accepts for most links is 256 KiB. It bounds memory.
pub(super) const MAX_CAPTURED: usize = 16 << 20;
/// Every file may hold records of this size, whatever snap length it states (libpcap's `MAXIMUM_SNAPLEN`): kernels hand
/// out frames larger than the link's largest when they segment late (GSO, BIG TCP: 80 KiB and more).
pub(super) const USUAL_CAPTURED: usize = 256 << 10;

/// A packet record: where its bytes lie, counted from the beginning of the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub timestamp: Timestamp,
    pub link: LinkType,
    /// Place of the interface in its section; 0 where there is but one.
    pub interface: u16,
    pub wire_len: u32,
    /// First captured byte.
    pub start: usize,
    /// First byte after the captured ones.
    pub end: usize,
    /// Length of the whole record, padding and trailer included.
    pub size: usize,
}

/// What lies at the beginning of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// A whole packet record.
    Record(Record),
    /// Something else, so many bytes long, which may be more than there are.
    Skip(u64),
    /// Part of a record that needs so many bytes.
    Incomplete(usize),
}

/// Why the bytes cannot be read on, as the end of a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault(pub String);

impl Fault {
    #[cold]
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// Reads records off the front of bytes.
pub(super) trait Parse {
    /// Says what lies at the beginning of `bytes`, and remembers what later records need (interfaces, byte order).
    ///
    /// `latest` is the time for records that carry none (simple packet blocks). Asked again with the same bytes, or with
    /// more of them, before anything was taken, it gives the same record.
    fn next(&mut self, bytes: &[u8], latest: Timestamp) -> Result<Parsed, Fault>;

    /// The same without remembering; where the block would change how later ones are read, it is
    /// [`Parsed::Incomplete`] of `usize::MAX` bytes.
    fn peek(&self, bytes: &[u8], latest: Timestamp) -> Result<Parsed, Fault>;
}

/// A recognised capture format with the state of its parser.
#[derive(Clone, Debug)]
pub(super) enum Format {
    Pcap(Pcap),
    Pcapng(Pcapng),
}

/// What the first bytes of a file say.
#[derive(Debug)]
pub(super) enum Recognised {
    /// A capture; so many bytes belong to its header.
    Capture(Format, usize),
    /// The beginning of a capture's header, which needs so many bytes.
    Incomplete { what: &'static str, needs: usize },
    /// A capture whose header cannot be read.
    Refused(Fault),
    /// Nothing that this reads.
    Unknown,
}

impl Format {
    /// Looks for a capture's header at the beginning of a file.
    pub(super) fn recognise(bytes: &[u8]) -> Recognised {
        if bytes.starts_with(&pcapng::SECTION_HEADER.to_be_bytes()) {
            let mut pcapng = Pcapng::default();
            return match pcapng.next(bytes, Timestamp::ZERO) {
                Ok(Parsed::Skip(size)) => match usize::try_from(size) {
                    Ok(size) => Recognised::Capture(Self::Pcapng(pcapng), size),
                    Err(_) => Recognised::Unknown,
                },
                Ok(Parsed::Incomplete(needs)) => Recognised::Incomplete { what: "pcapng section header", needs },
                Ok(Parsed::Record(_)) => Recognised::Unknown,
                Err(fault) => Recognised::Refused(fault),
            };
        }
        Pcap::recognise(bytes)
    }
}

impl Parse for Format {
    fn next(&mut self, bytes: &[u8], latest: Timestamp) -> Result<Parsed, Fault> {
        match self {
            Self::Pcap(pcap) => pcap.next(bytes, latest),
            Self::Pcapng(pcapng) => pcapng.next(bytes, latest),
        }
    }

    fn peek(&self, bytes: &[u8], latest: Timestamp) -> Result<Parsed, Fault> {
        match self {
            Self::Pcap(pcap) => pcap.peek(bytes, latest),
            Self::Pcapng(pcapng) => pcapng.peek(bytes, latest),
        }
    }
}

/// The most bytes a record may hold, by the snap length its header states.
pub(super) fn captured_limit(snap_length: u32) -> usize {
    match usize::try_from(snap_length) {
        // Nonsense and "unlimited" (0, or beyond 2^31) mean the usual limit, as in libpcap.
        Ok(stated) if stated <= usize::try_from(i32::MAX).unwrap_or(usize::MAX) => {
            stated.clamp(USUAL_CAPTURED, MAX_CAPTURED)
        }
        _ => USUAL_CAPTURED,
    }
}

/// Byte order of a file or section.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Order {
    #[default]
    Little,
    Big,
}

impl Order {
    /// Reads two bytes at `at`, zero where there are none.
    #[inline]
    pub(super) fn u16(self, bytes: &[u8], at: usize) -> u16 {
        let word = bytes.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
        match self {
            Self::Little => u16::from_le_bytes(word),
            Self::Big => u16::from_be_bytes(word),
        }
    }

    /// Reads four bytes at `at`, zero where there are none.
    #[inline]
    pub(super) fn u32(self, bytes: &[u8], at: usize) -> u32 {
        let word = bytes.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
        match self {
            Self::Little => u32::from_le_bytes(word),
            Self::Big => u32::from_be_bytes(word),
        }
    }
}
