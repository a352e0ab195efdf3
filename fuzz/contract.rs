//! The decoder's contract as assertions, shared by the fuzz target and by the tests.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use vigie::address::Address;
use vigie::decode::{DropReason, decode, decode_outermost};
use vigie::packet::{Marks, Packet, Protocol};
use vigie::source::{Frame, InterfaceId, LinkType};
use vigie::time::Timestamp;

/// Counts the allocations of each thread.
pub(crate) struct CountingAllocator;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

#[expect(unsafe_code, reason = "an allocator can only be wrapped so; the calls go to the system's unchanged")]
// SAFETY: every method hands its arguments to `System` unchanged.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise is `System`'s.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Every way to read the first byte of a frame.
pub(crate) const LINKS: [LinkType; 6] = [
    LinkType::Ethernet,
    LinkType::LinuxSll,
    LinkType::LinuxSll2,
    LinkType::RawIp,
    LinkType::Null,
    LinkType::Other(147),
];

/// Builds a frame; one that was not cut has a `wire_len` of its length.
pub(crate) fn frame(link: LinkType, bytes: &[u8], wire_len: usize) -> Frame<'_> {
    Frame {
        timestamp: Timestamp::from_secs(1_617_699_720),
        link,
        interface: InterfaceId(0),
        wire_len: u32::try_from(wire_len).expect("test frames are short"),
        bytes,
    }
}

/// Asserts the contract on one frame and on what shorter snap lengths would have left of it.
pub(crate) fn assert_contract(link: LinkType, bytes: &[u8], wire_len: usize) {
    let result = decode_without_allocating(&frame(link, bytes, wire_len));
    assert_reads_only(link, bytes, wire_len, result);
    assert_outermost(link, bytes, wire_len, result);
    let Ok(packet) = result else { return };
    assert_is_built_from(&packet, bytes, wire_len);
    for snap_len in 0..bytes.len().min(320) {
        assert_tolerates_cut(&packet, link, &bytes[..snap_len], wire_len);
    }
}

/// The outermost packet is read from what is there, is no tunnel's content, and is the packet where there is no tunnel.
fn assert_outermost(link: LinkType, bytes: &[u8], wire_len: usize, innermost: Result<Packet, DropReason>) {
    let before = ALLOCATIONS.get();
    let outermost = decode_outermost(&frame(link, bytes, wire_len));
    assert_eq!(ALLOCATIONS.get(), before, "decode_outermost allocated");
    if let Ok(packet) = outermost {
        assert!(!packet.marks.any(Marks::TUNNELLED), "the outermost packet is in no tunnel");
        assert_is_built_from(&packet, bytes, wire_len);
    }
    if innermost.is_ok_and(|packet| !packet.marks.any(Marks::TUNNELLED)) {
        assert_eq!(outermost, innermost, "there is no tunnel");
    }
}

fn decode_without_allocating(frame: &Frame<'_>) -> Result<Packet, DropReason> {
    let before = ALLOCATIONS.get();
    let result = decode(frame);
    assert_eq!(ALLOCATIONS.get(), before, "decode allocated");
    result
}

/// What follows the frame in memory has no influence.
fn assert_reads_only(link: LinkType, bytes: &[u8], wire_len: usize, result: Result<Packet, DropReason>) {
    for follows in [0x00, 0x45, 0xff] {
        let mut longer = bytes.to_vec();
        longer.resize(bytes.len() + 64, follows);
        assert_eq!(decode(&frame(link, &longer[..bytes.len()], wire_len)), result, "read past the frame");
    }
}

/// A packet's fields stood in the frame, and fields that belong to no header seen are zero.
fn assert_is_built_from(packet: &Packet, bytes: &[u8], wire_len: usize) {
    let addresses = [address_bytes(packet.source), address_bytes(packet.destination)].concat();
    assert!(bytes.windows(addresses.len()).any(|window| window == addresses), "addresses from nowhere: {packet:?}");
    assert_eq!(usize::try_from(packet.wire_len), Ok(wire_len));
    let is_later = packet.marks.any(Marks::LATER_FRAGMENT);
    assert!(!is_later || packet.marks.any(Marks::FRAGMENT), "{packet:?}");
    let has_ports = matches!(packet.protocol, Protocol::TCP | Protocol::UDP) && !is_later;
    assert!(has_ports || packet.source_port == 0, "{packet:?}");
    assert!(has_ports || (packet.is_icmp() && !is_later) || packet.destination_port == 0, "{packet:?}");
    if !packet.is_tcp() {
        assert_eq!((packet.flags.0, packet.window), (0, 0), "{packet:?}");
        // A datagram may be QUIC, and then names a connection here.
        let id = packet.acknowledgment.to_be_bytes();
        let is_id = packet.is_udp() && bytes.windows(4).any(|window| window == id);
        assert!(is_id || packet.acknowledgment == 0, "an acknowledgment from nowhere: {packet:?}");
    }
    if packet.marks.any(Marks::QUIC_INITIAL) {
        assert!(packet.is_udp(), "{packet:?}");
    }
}

fn address_bytes(address: Address) -> Vec<u8> {
    address.to_ipv4().map_or_else(|| address.bytes().to_vec(), |v4| v4.octets().to_vec())
}

/// A shorter snap length gives the same addresses or the reason "truncated". Only where it hides the header that shows a
/// tunnel (UDP ports, IPv6 extension headers) the outer addresses remain, and the packet says that it was cut.
fn assert_tolerates_cut(packet: &Packet, link: LinkType, bytes: &[u8], wire_len: usize) {
    match decode(&frame(link, bytes, wire_len)) {
        Ok(cut) if (cut.source, cut.destination) == (packet.source, packet.destination) => {}
        Ok(cut) => assert!(
            packet.marks.any(Marks::TUNNELLED) && cut.marks.any(Marks::CUT),
            "at {} of {wire_len} bytes {packet:?} became {cut:?}",
            bytes.len()
        ),
        Err(reason) => assert!(
            matches!(reason, DropReason::TruncatedLink | DropReason::TruncatedIp),
            "at {} of {wire_len} bytes {packet:?} became {reason}",
            bytes.len()
        ),
    }
}
