//! Frames, wherever they come from.
//!
//! A source hands out link-layer frames with their capture time and says how far time has come. It knows files, libpcap
//! and the wall clock; it does not know packets or flows. Files and live links are equal siblings: everything after a
//! source runs the same code for both.
//!
//! A *watermark* is a promise: no frame older than it is still expected. An idle live link moves its watermark with the
//! wall clock, so that silence is seen as silence; a file's watermark is its latest time.

pub mod clock;
pub mod file;
mod filter;
pub mod live;
pub mod paced;
pub mod synthetic;
mod time_base;

pub use file::{FileOptions, FileSource, open_files};
pub use filter::FrameFilter;

use crate::time::Timestamp;

/// What the first byte of a frame means (LINKTYPE values of the tcpdump group).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkType {
    /// Ethernet II or 802.3 (1).
    Ethernet,
    /// Linux "cooked" capture, version 1 (113).
    LinuxSll,
    /// Linux "cooked" capture, version 2 (276).
    LinuxSll2,
    /// An IP header at once, IPv4 or IPv6 by its version (12, 14, 101, 228, 229).
    RawIp,
    /// BSD loopback: four bytes of address family in the writer's byte order, or in network order (0, 108).
    Null,
    /// A link type that is not decoded; its frames are counted and discarded.
    Other(u16),
}

impl LinkType {
    /// Takes a LINKTYPE number as capture files write it (<https://www.tcpdump.org/linktypes.html>).
    #[must_use]
    pub const fn from_number(number: u16) -> Self {
        match number {
            1 => Self::Ethernet,
            113 => Self::LinuxSll,
            276 => Self::LinuxSll2,
            12 | 14 | 101 | 228 | 229 => Self::RawIp,
            0 | 108 => Self::Null,
            other => Self::Other(other),
        }
    }

    /// Returns the LINKTYPE number under which capture files write it; one of those that are read alike.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::Ethernet => 1,
            Self::LinuxSll => 113,
            Self::LinuxSll2 => 276,
            Self::RawIp => 101,
            Self::Null => 0,
            Self::Other(other) => other,
        }
    }
}

/// Which interface of the run a frame came from; files count as interfaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceId(pub u16);

/// A frame, borrowed from the source's buffer.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Capture time.
    pub timestamp: Timestamp,
    /// How to read `bytes`.
    pub link: LinkType,
    /// Where it came from.
    pub interface: InterfaceId,
    /// Bytes on the wire; at least `bytes.len()` unless the writer lied, in which case it is that length.
    pub wire_len: u32,
    /// What was captured of it.
    pub bytes: &'a [u8],
}

/// How far a source has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// More may come; nothing older than `watermark` is expected.
    Open {
        /// The promise about time.
        watermark: Timestamp,
    },
    /// Nothing more will come.
    End,
}

/// What was lost before Vigie saw it, since the source began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaptureDrops {
    /// Lost because the capture ring was full.
    pub kernel: u64,
    /// Lost by the interface or its driver.
    pub interface: u64,
}

/// How hard a live source is pressed: what shedding is decided by.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Strain {
    /// Part of the capture ring that waits to be read, 0 to 1, estimated.
    pub fill: f64,
    /// Part of the time since this was last asked that was spent waiting for frames, 0 to 1. Whoever handles them may
    /// take this much longer.
    pub idle: f64,
}

/// Gives frames, a bounded number at a time.
///
/// Generic and pushing, since libpcap's batch call takes a closure and lends its buffer only during it.
pub trait PacketSource {
    /// Hands the next frames, at most one block of them, to `on_frame`, and tells how far time has come.
    ///
    /// # Errors
    /// When the input is unreadable from here on; every frame before the fault has been handed out.
    fn poll(&mut self, on_frame: &mut dyn FnMut(Frame<'_>)) -> Result<Progress, SourceError>;

    /// Tells what was lost so far.
    ///
    /// # Errors
    /// When the interface is gone.
    fn drops(&mut self) -> Result<CaptureDrops, SourceError>;

    /// Tells how hard it is pressed, since this was last asked; `None` where frames wait for their reader, as in a file.
    fn strain(&mut self) -> Option<Strain> {
        None
    }
}

/// Why a source cannot go on. The text is one sentence: what, where, what to do.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file or interface could not be opened.
    #[error("{name}: {reason}")]
    Open {
        /// The file or interface.
        name: String,
        /// What is wrong and what to do.
        reason: String,
    },
    /// The input is damaged; what came before was handed out.
    #[error("{name}: at byte {offset}: {reason}; everything before it was processed")]
    Damaged {
        /// The file.
        name: String,
        /// Offset of the record that cannot be read, in the decompressed stream.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// The interface went away or reading failed.
    #[error("{name}: {reason}")]
    Lost {
        /// The interface.
        name: String,
        /// What the system said.
        reason: String,
    },
}
