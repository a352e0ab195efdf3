//! Files that are cut, damaged, misnamed or not there: what was read before stays right, and the message says what to do.

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use vigie::source::SourceError;

use crate::SECOND;
use crate::reading::{Files, open, read, read_bytes};
use crate::writing::{
    Order, block, enhanced, every_block, gzip, interface, nano_pcap, pcap_header, pcap_record, section, zstd,
};

fn small_pcap() -> Vec<u8> {
    nano_pcap(&(0..5_u8).map(|n| (u64::from(n) * SECOND, vec![n; 30 + usize::from(n)])).collect::<Vec<_>>())
}

/// Cuts a file at every byte: what is read is the beginning of the whole, and the error names the place.
fn cut_everywhere(whole: &[u8], boundaries_are_silent: bool) {
    let files = Files::new();
    let (all, error) = read(&[files.write("whole", whole)]);
    assert!(error.is_none(), "{error:?}");
    let mut counts = Vec::new();
    for length in 0..whole.len() {
        let path = files.write("cut", &whole[..length]);
        let (seen, error) = read(std::slice::from_ref(&path));
        assert!(all.starts_with(&seen), "cut at {length}");
        match &error {
            None => assert!(boundaries_are_silent, "cut at {length}: no error"),
            Some(SourceError::Open { name, reason }) => {
                assert!(seen.is_empty() && !reason.is_empty());
                assert_eq!(*name, path.display().to_string());
            }
            Some(SourceError::Damaged { name, offset, reason }) => {
                assert_eq!(*name, path.display().to_string());
                assert!(!boundaries_are_silent || *offset < length as u64, "{offset} in a file of {length}");
                assert!(reason.contains("ends"), "cut at {length}: {reason}");
            }
            Some(other) => panic!("cut at {length}: {other}"),
        }
        counts.push(seen.len());
    }
    assert!(counts.is_sorted(), "more bytes never give fewer frames");
    if boundaries_are_silent {
        assert_eq!(counts.last(), Some(&(all.len() - 1)), "the last frame needs the last byte");
    }
}

#[test]
fn a_cut_leaves_every_frame_before_it() {
    cut_everywhere(&small_pcap(), true);
    cut_everywhere(&every_block().0, true);
    let mut modified = pcap_header(Order::Big, 0xa1b2_cd34, 65_535);
    modified.extend(pcap_record(Order::Big, 5, &[1; 20], &[0; 8]));
    modified.extend(pcap_record(Order::Big, 5, &[2; 20], &[0; 8]));
    cut_everywhere(&modified, true);
}

#[test]
fn a_cut_compressed_file_leaves_what_could_be_decompressed() {
    cut_everywhere(&gzip(&small_pcap()), false);
    cut_everywhere(&zstd(&small_pcap()), false);
    let pcap = nano_pcap(&(0..20_000_u64).map(|n| (n * 1_000, n.to_le_bytes().repeat(9))).collect::<Vec<_>>());
    let (all, _) = read_bytes(&pcap);
    for packed in [gzip(&pcap), zstd(&pcap)] {
        let (seen, error) = read_bytes(&packed[..packed.len() * 3 / 4]);
        assert!(seen.len() > all.len() / 4 && all.starts_with(&seen), "{} of {}", seen.len(), all.len());
        assert!(
            error
                .unwrap()
                .to_string()
                .contains("stream ends early: the file is cut; everything before it was processed")
        );
    }
}

#[test]
fn the_offset_is_that_of_the_record() {
    let mut bytes = small_pcap();
    let error = read_bytes(&bytes[..24 + 46 + 10]).1.unwrap().to_string();
    assert!(
        error.contains("at byte 70: the file ends in the middle of a record, at least 6 bytes are missing"),
        "{error}"
    );
    bytes[24 + 46 + 8..24 + 46 + 12].copy_from_slice(&0x7fff_ffff_u32.to_le_bytes());
    let (seen, error) = read_bytes(&bytes);
    assert_eq!(seen.len(), 1);
    let error = error.unwrap().to_string();
    assert!(error.contains("at byte 70: a record claims 2147483647 bytes, more than the 262144"), "{error}");
}

#[test]
fn lies_in_pcapng_blocks_are_named() {
    let order = Order::Little;
    let start = [section(order), interface(order, 1, 0, &[])].concat();
    let good = enhanced(order, 0, 1, &[1; 60]);
    let with = |more: &[u8]| read_bytes(&[&start[..], &good, more].concat());
    let mut long_packet = enhanced(order, 0, 1, &[1; 60]);
    long_packet[20..24].copy_from_slice(&61_u32.to_le_bytes());
    let mut unequal = enhanced(order, 0, 1, &[1; 60]);
    let last = unequal.len() - 4;
    unequal[last] ^= 4;
    let huge = [6_u32.to_le_bytes(), 0xffff_fff0_u32.to_le_bytes(), [0; 4]].concat();
    for (bytes, expected) in [
        (enhanced(order, 7, 1, &[1; 60]), "is of interface 7, but its pcapng section describes 1"),
        (long_packet, "claims 61 captured bytes in a pcapng block of 92"),
        (unequal, "ends with another length"),
        (huge, "claims 4294967280 bytes"),
        (block(order, 6, &[0; 8]), "too short for its own fields"),
        (block(order, 3, &[]), "too short"),
        (block(order, 1, &[]), "too short"),
        ([6_u32.to_le_bytes(), 4_u32.to_le_bytes(), [0; 4]].concat(), "length of 4 bytes, which no block can have"),
        ([9_u32.to_le_bytes(), 15_u32.to_le_bytes(), [0; 4]].concat(), "length of 15 bytes"),
        (block(order, 1, &[1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 200, 0]), "an option of 200 bytes runs past"),
        (interface(order, 1, 0, &[(9, &[1, 2])]), "states its time unit in 2 bytes"),
        (block(order, 0x0a0d_0d0a, &[7; 16]), "no valid byte-order magic"),
        (block(order, 0x0a0d_0d0a, &[0x4d, 0x3c, 0x2b, 0x1a, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), "version 2.0"),
    ] {
        let (seen, error) = with(&bytes);
        assert_eq!(seen.len(), 1, "{expected}");
        let error = error.unwrap().to_string();
        assert!(error.contains(expected) && error.contains("at byte 140: "), "{error}");
    }
}

#[test]
fn what_is_no_capture_is_named_in_one_sentence() {
    let files = Files::new();
    fs::create_dir(files.path("directory")).unwrap();
    let tar = [&[b'a'; 257][..], b"ustar", &[0; 300]].concat();
    for (path, expected) in [
        (files.path("missing.pcap"), "no such file: check the path"),
        (files.path("directory"), "is a directory: name the capture files in it"),
        (files.write("empty.pcap", b""), "is empty: a capture has at least a header of 24 bytes"),
        (files.write("text.pcap", b"No. Time Source\n1 0.0 192.0.2.1\n"), "is a text file, not a capture of packets"),
        (files.write("json.pcap", b"[\n  {\"_index\": \"packets\"}]"), "is a JSON text"),
        (files.write("old.snoop", b"snoop\0\0\0\0\0\0\x02\0\0\0\x04"), "convert it with `editcap"),
        (files.write("archive.tar", &tar), "is a tar archive"),
        (files.write("a.xz", b"\xfd7zXZ\0\0\x04"), "`xz -dc FILE | vigie replay -`"),
        (files.write("short.pcap", &small_pcap()[..3]), "ends after 3 bytes"),
        (files.write("header.pcap", &small_pcap()[..23]), "ends after 23 bytes, inside its pcap file header of 24"),
        (files.write("header.pcapng", &every_block().0[..20]), "inside its pcapng section header of 28 bytes"),
        (files.write("empty.gz", &gzip(b"")), "is empty"),
        (files.write("twice.gz", &gzip(&gzip(&small_pcap()))), "compressed twice"),
        (files.write("text.zst", &zstd(b"hello, hello")), "is a text file"),
        (files.write("cut.gz", &gzip(&small_pcap())[..12]), "the gzip stream ends early"),
        (files.write("zeros", &[0; 4_096]), "begins with 00 00 00 00"),
        (PathBuf::from("/dev/zero"), "begins with 00 00 00 00"),
        (PathBuf::from("/dev/null"), "is empty"),
    ] {
        let error = open(std::slice::from_ref(&path)).unwrap_err();
        assert!(matches!(error, SourceError::Open { .. }));
        let text = error.to_string();
        assert!(text.starts_with(&format!("{}: ", path.display())), "{text}");
        assert!(text.contains(expected), "{text}");
        assert!(!text.contains('\n') && !text.ends_with('.'), "{text}");
    }
    let nothing = open(&[]).unwrap_err().to_string();
    assert!(nothing.contains("name one or more files"), "{nothing}");
    let twice = open(&[PathBuf::from("-"), PathBuf::from("-")]).unwrap_err().to_string();
    assert!(twice.contains("more than once"), "{twice}");
}

#[test]
fn a_bomb_costs_no_memory() {
    // 1.5 GiB of zeros behind a header are 96 million empty records, in 1.5 MB (gzip) or less (zstd).
    let zeros = vec![0; 16 << 20];
    let member = gzip(&zeros);
    let frame = zstd(&zeros);
    let header = pcap_header(Order::Little, 0xa1b2_c3d4, 65_535);
    let before = peak_memory_kib();
    for (head, one) in [(gzip(&header), member), (zstd(&header), frame)] {
        let files = Files::new();
        let path = files.write("bomb", &[head, one.repeat(24)].concat());
        let mut source = open(&[path]).unwrap();
        let mut count = 0_u64;
        assert!(crate::reading::drain(&mut source, &mut |_| count += 1).is_none());
        assert_eq!(count, 24 << 20);
    }
    if let (Some(before), Some(after)) = (before, peak_memory_kib()) {
        // Other tests run beside this one and may hold some tens of megabytes.
        assert!(after < before + (200 << 10), "{before} KiB before, {after} KiB after");
    }
}

fn peak_memory_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.split_whitespace().next()?.parse().ok()
}

/// A capture of any kind, some of its bytes changed, some inserted, some cut off.
fn spoilt() -> impl Strategy<Value = Vec<u8>> {
    let kinds = [small_pcap(), every_block().0, gzip(&small_pcap()), zstd(&every_block().0), Vec::new()];
    let kind = prop::sample::select(kinds.to_vec());
    let change = (any::<prop::sample::Index>(), prop_oneof![any::<u8>(), Just(0), Just(0xff)]);
    (
        kind,
        prop::collection::vec(change, 0..12),
        prop::collection::vec(any::<u8>(), 0..200),
        any::<prop::sample::Index>(),
    )
        .prop_map(|(mut bytes, changes, more, place)| {
            if !bytes.is_empty() {
                changes.iter().for_each(|(at, byte)| *at.get_mut(&mut bytes) = *byte);
            }
            let at = place.index(bytes.len() + 1);
            bytes.splice(at..at, more);
            bytes
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn byte_soup_ends_without_a_panic(bytes in spoilt()) {
        let (seen, error) = read_bytes(&bytes);
        let captured: usize = seen.iter().map(|s| s.bytes.len()).sum();
        prop_assert!(captured <= (1 << 20));
        prop_assert!(seen.iter().all(|s| s.wire_len as usize >= s.bytes.len()));
        if let Some(error) = error {
            prop_assert!(error.to_string().len() > 20);
        }
    }
}
