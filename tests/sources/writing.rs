//! Writes captures byte by byte, so that the tests do not depend on anyone's idea of the formats but the specifications'.

use std::io::Write;

use vigie::source::LinkType;

use crate::SECOND;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Little,
    Big,
}

impl Order {
    pub(crate) fn u16(self, value: u16) -> [u8; 2] {
        if self == Self::Little { value.to_le_bytes() } else { value.to_be_bytes() }
    }

    pub(crate) fn u32(self, value: u32) -> [u8; 4] {
        if self == Self::Little { value.to_le_bytes() } else { value.to_be_bytes() }
    }
}

/// A classic header: magic, version 2.4, snap length, Ethernet.
pub(crate) fn pcap_header(order: Order, magic: u32, snap_length: u32) -> Vec<u8> {
    let mut bytes = order.u32(magic).to_vec();
    bytes.extend(order.u16(2));
    bytes.extend(order.u16(4));
    bytes.extend([0; 8]);
    bytes.extend(order.u32(snap_length));
    bytes.extend(order.u32(1));
    bytes
}

/// A classic record of a nanosecond file; `extra` is what the modified format adds to its header.
pub(crate) fn pcap_record(order: Order, nanos: u64, frame: &[u8], extra: &[u8]) -> Vec<u8> {
    let word = |value: u64| order.u32(u32::try_from(value).unwrap());
    let length = frame.len() as u64;
    [&word(nanos / SECOND)[..], &word(nanos % SECOND), &word(length), &word(length + 4), extra, frame].concat()
}

pub(crate) fn nano_pcap(frames: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = pcap_header(Order::Little, 0xa1b2_3c4d, 65_535);
    frames.iter().for_each(|(time, frame)| bytes.extend(pcap_record(Order::Little, *time, frame, &[])));
    bytes
}

pub(crate) fn block(order: Order, kind: u32, body: &[u8]) -> Vec<u8> {
    let padded = body.len().next_multiple_of(4);
    let length = order.u32(u32::try_from(padded + 12).unwrap());
    [&order.u32(kind)[..], &length, body, &vec![0; padded - body.len()], &length].concat()
}

pub(crate) fn section(order: Order) -> Vec<u8> {
    let body = [&order.u32(0x1a2b_3c4d)[..], &order.u16(1), &order.u16(0), &[0xff; 8]].concat();
    block(order, 0x0a0d_0d0a, &body)
}

pub(crate) fn interface(order: Order, link: u16, snap_length: u32, options: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = [&order.u16(link)[..], &[0, 0], &order.u32(snap_length)].concat();
    for (code, value) in options {
        body.extend(order.u16(*code));
        body.extend(order.u16(u16::try_from(value.len()).unwrap()));
        body.extend_from_slice(value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    block(order, 1, &body)
}

pub(crate) fn packet_words(order: Order, ticks: u64, frame: &[u8]) -> Vec<u8> {
    let length = u32::try_from(frame.len()).unwrap();
    let (high, low) = ((ticks >> 32) as u32, (ticks & 0xffff_ffff) as u32);
    [high, low, length, length + 4].iter().flat_map(|word| order.u32(*word)).chain(frame.iter().copied()).collect()
}

pub(crate) fn enhanced(order: Order, interface: u32, ticks: u64, frame: &[u8]) -> Vec<u8> {
    block(order, 6, &[&order.u32(interface)[..], &packet_words(order, ticks, frame)].concat())
}

pub(crate) fn obsolete(order: Order, interface: u16, ticks: u64, frame: &[u8]) -> Vec<u8> {
    block(order, 2, &[&order.u16(interface)[..], &[0, 9], &packet_words(order, ticks, frame)].concat())
}

pub(crate) fn simple(order: Order, wire_len: u32, frame: &[u8]) -> Vec<u8> {
    block(order, 3, &[&order.u32(wire_len)[..], frame].concat())
}

/// A frame as it was written: time, link, captured length, wire length.
pub(crate) type Stored = (u64, LinkType, usize, u32);

/// Two sections of opposite byte order with every kind of block, and the frames they hold.
pub(crate) fn every_block() -> (Vec<u8>, Vec<Stored>) {
    let mut bytes = Vec::new();
    for order in [Order::Little, Order::Big] {
        let offset = if order == Order::Little { 10_i64.to_le_bytes() } else { 10_i64.to_be_bytes() };
        bytes.extend(section(order));
        bytes.extend(interface(order, 1, 64, &[(2, b"eth0"), (9, &[9])]));
        bytes.extend(block(order, 0x0bad_cafe, b"nobody knows this one"));
        bytes.extend(interface(order, 113, 0, &[(9, &[0x80 | 20]), (14, &offset), (0, b"")]));
        bytes.extend(enhanced(order, 0, 5 * SECOND, &[1; 61]));
        bytes.extend(enhanced(order, 1, (6 << 20) + (1 << 19), &[2; 5]));
        bytes.extend(block(order, 5, &[0; 12]));
        bytes.extend(obsolete(order, 0, 17 * SECOND, &[3; 7]));
        bytes.extend(simple(order, 1_500, &[4; 64]));
        bytes.extend(simple(order, 9, &[5; 9]));
    }
    let frames = [
        (5 * SECOND, LinkType::Ethernet, 61, 65),
        (16 * SECOND + SECOND / 2, LinkType::LinuxSll, 5, 9),
        (17 * SECOND, LinkType::Ethernet, 7, 11),
        (17 * SECOND, LinkType::Ethernet, 64, 1_500),
        (17 * SECOND, LinkType::Ethernet, 9, 9),
    ];
    (bytes, [frames, frames].concat())
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}
