//! The pcapng format (draft-ietf-opsawg-pcapng): sections of blocks, each section with its own byte order and interfaces.
//!
//! Enhanced, simple and obsolete packet blocks become records; section headers and interface descriptions are kept as far
//! as later packets need them; every other block is skipped by its length, unread. Of options only the two that decide
//! what a timestamp means are read.

use crate::source::LinkType;
use crate::source::file::format::{Fault, MAX_CAPTURED, Order, Parse, Parsed, Record, captured_limit};
use crate::source::file::time_unit::TimeUnit;
use crate::time::Timestamp;

/// Block type of a section header, the same in either byte order.
pub(super) const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
const OPTION_END: u16 = 0;
const OPTION_TSRESOL: u16 = 9;
const OPTION_TSOFFSET: u16 = 14;

/// Type and length before a block's body.
const BLOCK_HEADER: usize = 8;
/// Block header and trailing length: what a block without a body has.
const BLOCK_FRAME: usize = 12;
/// Where a packet's bytes begin in an enhanced or obsolete packet block.
const PACKET_START: usize = 28;
/// Where a packet's bytes begin in a simple packet block.
const SIMPLE_START: usize = 12;
/// Packet, interface and section blocks are held whole: the largest packet, and as much again for options.
const MAX_HELD: usize = 2 * MAX_CAPTURED;
/// Blocks up to this size have their trailing length checked even when they are skipped.
const MAX_CHECKED: usize = 1 << 20;

/// What packets need to know of their interface.
#[derive(Clone, Copy, Debug)]
struct Interface {
    link: LinkType,
    snap_length: u32,
    limit: usize,
    unit: TimeUnit,
}

/// Parser of one pcapng file.
#[derive(Clone, Debug, Default)]
pub(super) struct Pcapng {
    order: Order,
    interfaces: Vec<Interface>,
}

/// A block that is there from type to trailing length.
struct Block<'a> {
    bytes: &'a [u8],
    order: Order,
}

impl Parse for Pcapng {
    #[inline]
    fn next(&mut self, bytes: &[u8], latest: Timestamp) -> Result<Parsed, Fault> {
        let Some(header) = bytes.first_chunk::<BLOCK_HEADER>() else {
            return Ok(Parsed::Incomplete(BLOCK_FRAME));
        };
        match self.order.u32(header, 0) {
            kind @ (ENHANCED_PACKET | OBSOLETE_PACKET | SIMPLE_PACKET) => self.packet(kind, bytes, latest),
            SECTION_HEADER => self.begin_section(bytes),
            INTERFACE => self.describe_interface(bytes),
            _ => self.skip(bytes),
        }
    }

    fn peek(&self, bytes: &[u8], latest: Timestamp) -> Result<Parsed, Fault> {
        let Some(header) = bytes.first_chunk::<BLOCK_HEADER>() else {
            return Ok(Parsed::Incomplete(BLOCK_FRAME));
        };
        match self.order.u32(header, 0) {
            kind @ (ENHANCED_PACKET | OBSOLETE_PACKET | SIMPLE_PACKET) => self.packet(kind, bytes, latest),
            SECTION_HEADER | INTERFACE => Ok(Parsed::Incomplete(usize::MAX)),
            _ => self.skip(bytes),
        }
    }
}

/// A block, or what is still missing of it.
enum Held<'a> {
    Whole(Block<'a>),
    Needs(usize),
}

impl Pcapng {
    #[inline]
    fn packet(&self, kind: u32, bytes: &[u8], latest: Timestamp) -> Result<Parsed, Fault> {
        let block = match hold(bytes, self.order)? {
            Held::Whole(block) => block,
            Held::Needs(size) => return Ok(Parsed::Incomplete(size)),
        };
        match kind {
            SIMPLE_PACKET => self.simple_packet(&block, latest),
            OBSOLETE_PACKET => self.full_packet(&block, u32::from(self.order.u16(bytes, 8))),
            _ => self.full_packet(&block, self.order.u32(bytes, 8)),
        }
    }

    /// Reads an enhanced packet block (section 4.3) or an obsolete one (appendix A), which differ in the interface only.
    #[inline]
    fn full_packet(&self, block: &Block<'_>, interface: u32) -> Result<Parsed, Fault> {
        let described = self.interface(interface)?;
        if block.bytes.len() < PACKET_START + 4 {
            return Err(too_short("packet", block));
        }
        let word = |at| self.order.u32(block.bytes, at);
        let ticks = u64::from(word(12)) << 32 | u64::from(word(16));
        let captured = word(20);
        let (start, end) = (PACKET_START, PACKET_START + captured as usize);
        if captured as usize > described.limit || end > block.bytes.len() - 4 {
            return Err(captured_too_long(captured, block));
        }
        Ok(Parsed::Record(Record {
            timestamp: described.unit.timestamp(ticks),
            link: described.link,
            interface: u16::try_from(interface).unwrap_or(u16::MAX),
            wire_len: word(24).max(captured),
            start,
            end,
            size: block.bytes.len(),
        }))
    }

    /// Reads a simple packet block (section 4.4): no time of its own, always of the first interface, cut by its snap length.
    fn simple_packet(&self, block: &Block<'_>, latest: Timestamp) -> Result<Parsed, Fault> {
        let described = self.interface(0)?;
        if block.bytes.len() < SIMPLE_START + 4 {
            return Err(too_short("simple packet", block));
        }
        let wire_len = self.order.u32(block.bytes, 8);
        let captured = match described.snap_length {
            0 => wire_len,
            snap_length => wire_len.min(snap_length),
        };
        let end = SIMPLE_START + captured as usize;
        if captured as usize > described.limit || end > block.bytes.len() - 4 {
            return Err(captured_too_long(captured, block));
        }
        Ok(Parsed::Record(Record {
            timestamp: latest,
            link: described.link,
            interface: 0,
            wire_len,
            start: SIMPLE_START,
            end,
            size: block.bytes.len(),
        }))
    }

    #[inline]
    fn interface(&self, number: u32) -> Result<&Interface, Fault> {
        self.interfaces.get(number as usize).ok_or_else(|| unknown_interface(number, self.interfaces.len()))
    }

    /// Reads a section header (section 4.1). Its options and its stated length are not needed.
    fn begin_section(&mut self, bytes: &[u8]) -> Result<Parsed, Fault> {
        let Some(magic) = bytes.get(8..).and_then(<[u8]>::first_chunk).copied() else {
            return Ok(Parsed::Incomplete(BLOCK_FRAME));
        };
        let order = match (u32::from_le_bytes(magic), u32::from_be_bytes(magic)) {
            (BYTE_ORDER_MAGIC, _) => Order::Little,
            (_, BYTE_ORDER_MAGIC) => Order::Big,
            _ => return Err(Fault::new("a pcapng section header has no valid byte-order magic")),
        };
        let block = match hold(bytes, order)? {
            Held::Whole(block) => block,
            Held::Needs(size) => return Ok(Parsed::Incomplete(size)),
        };
        if block.bytes.len() < 28 {
            return Err(too_short("section header", &block));
        }
        let (major, minor) = (order.u16(bytes, 12), order.u16(bytes, 14));
        if major != 1 {
            return Err(Fault::new(format!(
                "a pcapng section is of version {major}.{minor}, and only version 1 is known"
            )));
        }
        self.order = order;
        self.interfaces.clear();
        Ok(Parsed::Skip(block.bytes.len() as u64))
    }

    /// Reads an interface description (section 4.2).
    fn describe_interface(&mut self, bytes: &[u8]) -> Result<Parsed, Fault> {
        let block = match hold(bytes, self.order)? {
            Held::Whole(block) => block,
            Held::Needs(size) => return Ok(Parsed::Incomplete(size)),
        };
        if block.bytes.len() < 20 {
            return Err(too_short("interface", &block));
        }
        if self.interfaces.len() > usize::from(u16::MAX) {
            return Err(Fault::new("a pcapng section describes more than 65,536 interfaces"));
        }
        let snap_length = self.order.u32(bytes, 12);
        self.interfaces.push(Interface {
            link: LinkType::from_number(self.order.u16(bytes, 8)),
            snap_length,
            limit: captured_limit(snap_length),
            unit: block.time_unit()?,
        });
        Ok(Parsed::Skip(block.bytes.len() as u64))
    }

    fn skip(&self, bytes: &[u8]) -> Result<Parsed, Fault> {
        let stated = self.order.u32(bytes, 4);
        let size = block_size(stated)?;
        if size <= MAX_CHECKED {
            return Ok(match hold(bytes, self.order)? {
                Held::Whole(_) => Parsed::Skip(u64::from(stated)),
                Held::Needs(size) => Parsed::Incomplete(size),
            });
        }
        Ok(Parsed::Skip(u64::from(stated)))
    }
}

impl Block<'_> {
    /// Reads `if_tsresol` and `if_tsoffset` off the options of an interface description.
    fn time_unit(&self) -> Result<TimeUnit, Fault> {
        let (mut resolution, mut offset) = (6, 0);
        let mut options = &self.bytes[16..self.bytes.len() - 4];
        while options.len() >= 4 {
            let (code, length) = (self.order.u16(options, 0), usize::from(self.order.u16(options, 2)));
            if code == OPTION_END {
                break;
            }
            let Some(value) = options.get(4..4 + length) else {
                return Err(Fault::new(format!(
                    "an option of {length} bytes runs past the end of its pcapng interface block"
                )));
            };
            match (code, value) {
                (OPTION_TSRESOL, [value]) => resolution = *value,
                (OPTION_TSOFFSET, value) if value.len() == 8 => offset = self.signed_u64(value),
                (OPTION_TSRESOL | OPTION_TSOFFSET, _) => {
                    return Err(Fault::new(format!(
                        "a pcapng interface states its time unit in {length} bytes, not in 1 (if_tsresol) or 8 (if_tsoffset)"
                    )));
                }
                _ => {}
            }
            options = options.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
        }
        Ok(TimeUnit::new(resolution, offset))
    }

    fn signed_u64(&self, value: &[u8]) -> i64 {
        let (first, second) = (u64::from(self.order.u32(value, 0)), u64::from(self.order.u32(value, 4)));
        match self.order {
            Order::Little => (second << 32 | first).cast_signed(),
            Order::Big => (first << 32 | second).cast_signed(),
        }
    }
}

/// Takes the block at the beginning of `bytes`, if all of it is there and its two lengths agree.
#[inline]
fn hold(bytes: &[u8], order: Order) -> Result<Held<'_>, Fault> {
    let size = block_size(order.u32(bytes, 4))?;
    if size > MAX_HELD {
        return Err(Fault::new(format!("a pcapng block claims {size} bytes, more than the {MAX_HELD} one may have")));
    }
    let Some(whole) = bytes.get(..size) else {
        return Ok(Held::Needs(size));
    };
    let trailing = order.u32(whole, size - 4);
    if trailing as usize != size {
        return Err(Fault::new(format!(
            "a pcapng block of {size} bytes ends with another length, {trailing}: the file is damaged here"
        )));
    }
    Ok(Held::Whole(Block { bytes: whole, order }))
}

#[inline]
fn block_size(stated: u32) -> Result<usize, Fault> {
    let size = stated as usize;
    if size < BLOCK_FRAME || !size.is_multiple_of(4) {
        return Err(Fault::new(format!(
            "a pcapng block claims a length of {stated} bytes, which no block can have: the file is damaged here"
        )));
    }
    Ok(size)
}

#[cold]
fn too_short(what: &str, block: &Block<'_>) -> Fault {
    Fault::new(format!("a pcapng {what} block of {} bytes is too short for its own fields", block.bytes.len()))
}

#[cold]
fn captured_too_long(captured: u32, block: &Block<'_>) -> Fault {
    Fault::new(format!("a packet claims {captured} captured bytes in a pcapng block of {} bytes", block.bytes.len()))
}

#[cold]
fn unknown_interface(number: u32, described: usize) -> Fault {
    Fault::new(format!("a packet is of interface {number}, but its pcapng section describes {described} interfaces"))
}
