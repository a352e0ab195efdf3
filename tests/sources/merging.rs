//! Several files: in time order, in the order of arguments where times are equal, and each as far as it goes.

use proptest::prelude::*;
use std::path::PathBuf;
use vigie::source::SourceError;

use crate::SECOND;
use crate::reading::{Files, drain, open, read};
use crate::writing::{gzip, nano_pcap};

/// Writes one file for each list of times; each frame says its file and its place in it.
fn write_files(files: &Files, times: &[Vec<u64>]) -> Vec<PathBuf> {
    let write = |(number, times): (usize, &Vec<u64>)| {
        let frames: Vec<_> = times
            .iter()
            .enumerate()
            .map(|(place, time)| (*time, [number, place].map(usize::to_le_bytes).concat()))
            .collect();
        let bytes = nano_pcap(&frames);
        files.write(&format!("{number}.pcap"), &if number % 3 == 2 { gzip(&bytes) } else { bytes })
    };
    times.iter().enumerate().map(write).collect()
}

/// The order that is promised: always the oldest next record, the first file's among equals.
fn expected_order(times: &[Vec<u64>]) -> Vec<(usize, usize)> {
    let mut places = vec![0; times.len()];
    let mut order = Vec::new();
    while let Some((_, file)) =
        (0..times.len()).filter_map(|file| times[file].get(places[file]).map(|time| (time, file))).min()
    {
        order.push((file, places[file]));
        places[file] += 1;
    }
    order
}

fn read_order(paths: &[PathBuf]) -> Vec<(usize, usize)> {
    let mut order = Vec::new();
    let error = drain(&mut open(paths).unwrap(), &mut |frame| {
        let word = |at: usize| usize::from_le_bytes(frame.bytes[at..at + 8].try_into().unwrap());
        assert_eq!(usize::from(frame.interface.0), word(0));
        order.push((word(0), word(8)));
    });
    assert!(error.is_none(), "{error:?}");
    order
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_oldest_next_record_is_given_and_the_first_file_wins(
        times in prop::collection::vec(prop::collection::vec(0_u64..12, 0..30), 1..6),
        unit in prop_oneof![Just(1), Just(SECOND), Just(100 * SECOND)],
    ) {
        let times: Vec<Vec<u64>> = times.iter().map(|file| file.iter().map(|time| time * unit).collect()).collect();
        let files = Files::new();
        let paths = write_files(&files, &times);
        prop_assert_eq!(read_order(&paths), expected_order(&times));
    }
}

#[test]
fn files_larger_than_a_block_are_merged() {
    let times: Vec<Vec<u64>> = (0..3).map(|file| (0..60_000).map(|n| n * 3 + file).collect()).collect();
    let files = Files::new();
    let paths = write_files(&files, &times);
    assert_eq!(read_order(&paths), expected_order(&times));
}

#[test]
fn a_thousand_rotated_files_hold_only_the_open_ones() {
    let times: Vec<Vec<u64>> = (0..1_000).rev().map(|file| (0..5).map(|n| (file * 5 + n) * SECOND).collect()).collect();
    let files = Files::new();
    let paths = write_files(&files, &times);
    let mut source = open(&paths).unwrap();
    let mut most = 0;
    let mut count = 0;
    let own = |entry: std::io::Result<std::fs::DirEntry>| {
        let target = std::fs::read_link(entry.unwrap().path());
        usize::from(target.is_ok_and(|target| target.starts_with(paths[0].parent().unwrap())))
    };
    let error = drain(&mut source, &mut |_| {
        count += 1;
        if count % 100 == 0 {
            most = most.max(std::fs::read_dir("/proc/self/fd").unwrap().map(own).sum());
        }
    });
    assert!(error.is_none(), "{error:?}");
    assert_eq!(count, 5_000);
    assert!(most <= 4, "{most} files open at a time");
}

#[test]
fn the_others_go_on_when_one_is_damaged() {
    let files = Files::new();
    let mut paths = write_files(&files, &[vec![1, 4, 7], vec![2, 5, 8], vec![3, 6, 9]]);
    for path in &paths[..2] {
        let bytes = std::fs::read(path).unwrap();
        std::fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
    }
    let (seen, error) = read(&paths);
    let times: Vec<_> = seen.iter().map(|s| s.nanos).collect();
    assert_eq!(times, [1, 2, 3, 4, 5, 6, 9], "the damaged records are missing, nothing else");
    let Some(SourceError::Damaged { name, offset, reason }) = error else { panic!("{error:?}") };
    assert_eq!((name, offset), (paths[0].display().to_string(), 24 + 2 * 32));
    assert!(reason.contains(&format!("; also {}: at byte 88: the file ends", paths[1].display())), "{reason}");

    paths.push(files.path("missing.pcap"));
    paths.push(files.write("notes.txt", b"hello"));
    let (seen, error) = read(&paths);
    let text = error.unwrap().to_string();
    assert!(
        seen.is_empty() && text.contains("missing.pcap: no such file") && text.contains("notes.txt: is a text file"),
        "{text}"
    );
}

#[test]
fn a_file_that_vanishes_before_its_turn_is_an_error_and_no_panic() {
    let files = Files::new();
    let paths = write_files(&files, &[vec![1, 2], vec![SECOND, 2 * SECOND]]);
    let mut source = open(&paths).unwrap();
    std::fs::remove_file(&paths[1]).unwrap();
    let mut count = 0;
    let error = drain(&mut source, &mut |_| count += 1).unwrap().to_string();
    assert_eq!(count, 2);
    assert!(error.contains("1.pcap: no such file"), "{error}");
}
