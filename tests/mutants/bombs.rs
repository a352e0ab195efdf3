//! Small files that claim or unpack to much: memory stays bounded, and so does time for what they hold.

use std::fs;
use std::io::Write as _;

use crate::judge::{Verdict, judge, replay};

/// A pcap header of Ethernet frames, little-endian, microseconds.
const PCAP: [u8; 24] = [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
/// An empty section header of pcapng.
const SECTION: [u8; 28] = [
    0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 28, 0, 0, 0,
];
/// An interface of Ethernet.
const INTERFACE: [u8; 20] = [1, 0, 0, 0, 20, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0];

#[track_caller]
fn read(name: &str, bytes: &[u8]) -> Verdict {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    judge(&path).unwrap_or_else(|complaint| panic!("{name}: {complaint}"))
}

fn gzip(bytes: &[u8], times: usize) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    (0..times).for_each(|_| encoder.write_all(bytes).unwrap());
    encoder.finish().unwrap()
}

#[test]
fn zeros_without_end_behind_a_header_take_no_more_memory_than_any_capture() {
    // Zeros read as records of no bytes at the beginning of time: a thousandth of their size when compressed, and each of
    // the four million frames is counted and discarded.
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&PCAP).unwrap();
    (0..64).for_each(|_| encoder.write_all(&vec![0; 1 << 20]).unwrap());
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 128 << 10, "{}", bomb.len());
    assert_eq!(read("zeros.pcap.gz", &bomb), Verdict::Read(64 << 16));
}

#[test]
fn a_bomb_that_is_no_capture_is_refused_by_its_first_bytes() {
    assert_eq!(read("bomb.gz", &gzip(&vec![0; 1 << 20], 1_000)), Verdict::Refused);
    assert_eq!(read("bomb.zst", &zstd::encode_all(&vec![0; 1 << 28][..], 1).unwrap()), Verdict::Refused);
    let twice = gzip(&gzip(&vec![0; 1 << 20], 1_000), 1);
    assert_eq!(read("twice.gz", &twice), Verdict::Refused);
}

#[test]
fn blocks_that_claim_gigabytes_reserve_none() {
    for claimed in [0x7fff_fff0_u32, 0xffff_fff0, 0x4000_0000] {
        for kind in [6_u32, 3, 2, 5, 0x0bad, 0x0a0d_0d0a] {
            let lie = [&kind.to_le_bytes()[..], &claimed.to_le_bytes(), &[0; 64]].concat();
            assert_eq!(read("lie.pcapng", &[&SECTION[..], &INTERFACE, &lie].concat()), Verdict::Read(0));
        }
        let record = [&PCAP[..], &[0; 8], &claimed.to_le_bytes(), &claimed.to_le_bytes(), &[0; 64]].concat();
        assert_eq!(read("lie.pcap", &record), Verdict::Read(0));
    }
}

#[test]
fn a_million_interfaces_and_sections_reserve_no_more_than_their_bytes() {
    let many = |piece: &[u8], times: usize| piece.repeat(times);
    assert_eq!(read("interfaces.pcapng", &[&SECTION[..], &many(&INTERFACE, 1 << 18)].concat()), Verdict::Read(0));
    assert_eq!(read("sections.pcapng", &many(&[&SECTION[..], &INTERFACE].concat(), 1 << 17)), Verdict::Read(0));
}

/// Silence is ticked for five minutes and then skipped, so that the costliest capture has a packet every five minutes or
/// more: some 10 ms each.
#[test]
fn a_leap_of_time_costs_no_more_than_five_minutes_of_silence() {
    for (name, seconds) in [("hours", 3_600_u32), ("minutes", 61), ("back", 0_u32.wrapping_sub(3_600))] {
        let mut bytes = PCAP.to_vec();
        let mut second = 1_700_000_000_u32;
        for _ in 0..40 {
            second = second.wrapping_add(seconds);
            bytes.extend([second.to_le_bytes(), [0; 4], [60, 0, 0, 0], [60, 0, 0, 0]].concat());
            bytes.extend([0; 60]);
        }
        assert_eq!(read(name, &bytes), Verdict::Read(40));
    }
}

#[test]
fn a_summary_is_written_within_the_same_limits_when_everything_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("frames.pcap");
    let frame = [&[0; 8][..], &[60, 0, 0, 0, 60, 0, 0, 0], &[0xff; 60]].concat();
    fs::write(&path, [&PCAP[..], &frame.repeat(10_000)].concat()).unwrap();
    let output = replay(&path, &["--alerts", "-", "--evidence", folder.path().join("evidence").to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}
