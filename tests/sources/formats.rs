//! The two formats in all their variants.

use vigie::source::LinkType;

use crate::SECOND;
use crate::reading::{Files, read, read_bytes};
use crate::writing::{Order, block, enhanced, every_block, interface, nano_pcap, pcap_header, pcap_record, section};

#[test]
fn classic_files_of_every_kind_say_the_same() {
    let frames: Vec<(u64, Vec<u8>)> =
        (1..6_u8).map(|n| (u64::from(n) * (SECOND + 1_000), vec![n; 20 * usize::from(n)])).collect();
    let expected = read_bytes(&nano_pcap(&frames)).0;
    assert_eq!(expected.len(), 5);
    assert_eq!(expected[4].bytes, frames[4].1);
    assert_eq!((expected[4].nanos, expected[4].wire_len), (5 * SECOND + 5_000, 104));
    for order in [Order::Little, Order::Big] {
        for (magic, unit, extra) in [(0xa1b2_3c4d, 1, 0), (0xa1b2_c3d4, 1_000, 0), (0xa1b2_cd34, 1_000, 8)] {
            let mut bytes = pcap_header(order, magic, 0);
            for (time, frame) in &frames {
                let stored = time / SECOND * SECOND + time % SECOND / unit;
                bytes.extend(pcap_record(order, stored, frame, &vec![0; extra]));
            }
            let (seen, error) = read_bytes(&bytes);
            assert!(error.is_none(), "{magic:x}: {error:?}");
            assert_eq!(seen, expected, "{magic:x}");
        }
    }
}

#[test]
fn every_pcapng_block_is_read_or_skipped() {
    let (bytes, expected) = every_block();
    let (seen, error) = read_bytes(&bytes);
    assert!(error.is_none(), "{error:?}");
    let got: Vec<_> = seen.iter().map(|s| (s.nanos, s.link, s.bytes.len(), s.wire_len)).collect();
    assert_eq!(got, expected);
    let interfaces: Vec<_> = seen.iter().take(5).map(|s| s.interface).collect();
    assert_eq!(interfaces, [0, 1, 0, 0, 0]);
}

#[test]
fn frames_larger_than_a_block_of_reading_come_whole() {
    let sizes = [80_176, 262_144, 3 << 20, 60, 16 << 20, 1_514, 0];
    let mut classic = pcap_header(Order::Big, 0xa1b2_3c4d, 16 << 20);
    let mut blocks = [section(Order::Big), interface(Order::Big, 1, 16 << 20, &[(9, &[9])])].concat();
    for (n, size) in sizes.iter().enumerate() {
        let frame: Vec<u8> = (0..*size).map(|at| u8::try_from((at + n) % 251).unwrap()).collect();
        classic.extend(pcap_record(Order::Big, SECOND, &frame, &[]));
        blocks.extend(enhanced(Order::Big, 0, SECOND, &frame));
    }
    let (first, error) = read_bytes(&classic);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(first.iter().map(|s| s.bytes.len()).collect::<Vec<_>>(), sizes);
    for (n, frame) in first.iter().enumerate() {
        assert!(frame.bytes.iter().enumerate().all(|(at, byte)| usize::from(*byte) == (at + n) % 251));
    }
    let (second, error) = read_bytes(&blocks);
    assert!(error.is_none(), "{error:?}");
    assert!(first == second);
}

#[test]
fn blocks_nobody_knows_are_skipped_however_large() {
    let bytes = [
        section(Order::Little),
        interface(Order::Little, 1, 0, &[]),
        block(Order::Little, 0x0000_000a, &vec![7; 40 << 20]),
        enhanced(Order::Little, 0, 1_000_000, &[1; 60]),
    ]
    .concat();
    let (seen, error) = read_bytes(&bytes);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(seen.len(), 1);

    let (seen, error) = read_bytes(&bytes[..10 << 20]);
    assert!(seen.is_empty());
    assert!(error.unwrap().to_string().contains("at byte 48: the file ends in the middle of a record"));
}

#[test]
fn a_link_type_nobody_decodes_flows_through() {
    let mut bytes = nano_pcap(&[(1, vec![1; 30])]);
    bytes[20..22].copy_from_slice(&147_u16.to_le_bytes());
    assert_eq!(read_bytes(&bytes).0[0].link, LinkType::Other(147));
}

#[test]
fn a_header_alone_is_an_empty_capture() {
    let header = pcap_header(Order::Little, 0xa1b2_c3d4, 65_535);
    let sections = [section(Order::Big), interface(Order::Big, 1, 0, &[])].concat();
    for bytes in [&header, &sections[..28].to_vec(), &sections] {
        let (seen, error) = read_bytes(bytes);
        assert!(seen.is_empty() && error.is_none(), "{error:?}");
    }
}

#[test]
fn interfaces_of_all_files_are_told_apart() {
    let ng = |link| {
        let two = [interface(Order::Little, link, 0, &[]), interface(Order::Little, link, 0, &[])].concat();
        let packets = [enhanced(Order::Little, 1, 5, &[1; 60]), enhanced(Order::Little, 0, 6, &[2; 60])].concat();
        [section(Order::Little), two, packets].concat()
    };
    let files = Files::new();
    let twice = [ng(1), ng(113)].concat();
    let paths = [
        files.write("a.pcapng", &twice),
        files.write("b.pcap", &nano_pcap(&[(5_500, vec![3; 60])])),
        files.write("c.pcapng", &ng(1)),
    ];
    let (seen, error) = read(&paths);
    assert!(error.is_none(), "{error:?}");
    let mut by_frame: Vec<_> = seen.iter().map(|s| (s.link, s.bytes[0], s.interface)).collect();
    by_frame.sort_unstable_by_key(|(_, frame, id)| (*id, *frame));
    by_frame.dedup();
    let ids: Vec<_> = by_frame.iter().map(|(_, frame, id)| (*frame, *id)).collect();
    // Each file has its first interface from the start; second ones follow as they are met. Sections share theirs.
    assert_eq!(ids, [(2, 0), (2, 0), (3, 1), (2, 2), (1, 3), (1, 3), (1, 4)], "{by_frame:?}");

    let mut source = crate::reading::open(&paths).unwrap();
    crate::reading::drain(&mut source, &mut |_| {});
    let name =
        |id| source.name_of(vigie::source::InterfaceId(id)).map(|name| name.rsplit('/').next().unwrap().to_owned());
    assert_eq!(name(3).as_deref(), Some("a.pcapng"));
    assert_eq!(name(4).as_deref(), Some("c.pcapng"));
    assert_eq!(name(1).as_deref(), Some("b.pcap"));
    assert_eq!(name(9), None);
}
