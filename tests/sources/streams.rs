//! The same capture compressed, through a pipe and on standard input is the same capture.

use std::fs;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use vigie::source::{FileOptions, PacketSource, Progress, open_files};

use crate::reading::{Files, Seen, drain, open, read, read_bytes};
use crate::writing::{every_block, gzip, nano_pcap, zstd};

fn large_pcap() -> Vec<u8> {
    nano_pcap(
        &(0..30_000_usize).map(|n| (n as u64 * 1_000, n.to_le_bytes().repeat(1 + (n * 7) % 40))).collect::<Vec<_>>(),
    )
}

/// Reads a capture through a pipe into which another thread writes in pieces.
fn read_piped(bytes: &[u8], piece: usize) -> Vec<Seen> {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let path = PathBuf::from(format!("/dev/fd/{}", reader.as_raw_fd()));
    std::thread::scope(|scope| {
        scope.spawn(move || {
            bytes.chunks(piece).for_each(|chunk| writer.write_all(chunk).unwrap());
        });
        let (seen, error) = read(&[path]);
        assert!(error.is_none(), "{error:?}");
        seen
    })
}

#[test]
fn compressed_and_piped_captures_equal_the_plain_one() {
    for plain in [large_pcap(), every_block().0] {
        let (expected, error) = read_bytes(&plain);
        assert!(error.is_none(), "{error:?}");
        let half = plain.len() / 2;
        let members = [gzip(&plain[..half]), gzip(b""), gzip(&plain[half..]), vec![0; 1_000]].concat();
        let frames = [zstd(&plain[..half]), zstd(&plain[half..])].concat();
        for packed in [gzip(&plain), members, zstd(&plain), frames] {
            let (seen, error) = read_bytes(&packed);
            assert!(error.is_none(), "{error:?}");
            assert!(seen == expected);
            assert!(read_piped(&packed, 10_000) == expected);
        }
        assert!(read_piped(&plain, 70_000) == expected);
        assert!(read_piped(&plain, 997) == expected);
    }
}

#[test]
fn progress_ends_at_the_size_on_disk() {
    let files = Files::new();
    let paths = [files.write("a.pcap", &large_pcap()), files.write("b.gz", &gzip(&large_pcap()))];
    let mut source = open(&paths).unwrap();
    let total: u64 = paths.iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    assert_eq!((source.bytes_read(), source.bytes_total()), (0, Some(total)));
    let mut before = 0;
    while let Progress::Open { .. } = source.poll(&mut |_| {}).unwrap() {
        assert!(source.bytes_read() >= before && source.bytes_read() <= total);
        before = source.bytes_read();
    }
    assert_eq!(source.bytes_read(), total);
}

#[test]
fn frames_come_before_the_pipe_is_closed_and_a_stop_ends_the_wait() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let bytes = nano_pcap(&[(1, vec![1; 60]), (2, vec![2; 60])]);
    writer.write_all(&bytes).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let options = FileOptions { stop: Some(Arc::clone(&stop)) };
    let path = PathBuf::from(format!("/dev/fd/{}", reader.as_raw_fd()));
    let mut source = open_files(&[path], options).unwrap();
    let mut count = 0;
    while count < 2 {
        assert!(matches!(source.poll(&mut |_| count += 1).unwrap(), Progress::Open { .. }));
    }
    assert!(matches!(source.poll(&mut |_| count += 1).unwrap(), Progress::Open { .. }), "silence is no end");
    assert_eq!(source.bytes_total(), None);
    stop.store(true, Ordering::Relaxed);
    assert_eq!(source.poll(&mut |_| count += 1).unwrap(), Progress::End);
    assert_eq!(count, 2);
}

const CHILD: &str = "VIGIE_TEST_STANDARD_INPUT";

/// Runs in a child of the test below, which gives it a capture on standard input.
#[test]
fn child_reads_standard_input() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let mut source = open(&[PathBuf::from("-")]).unwrap();
    let (mut frames, mut bytes) = (0, 0);
    let error = drain(&mut source, &mut |frame| {
        frames += 1;
        bytes += frame.bytes.len();
        assert_eq!(frame.interface.0, 0);
    });
    eprintln!("read {frames} frames of {bytes} bytes, {error:?}, {:?}", source.name_of(vigie::source::InterfaceId(0)));
}

#[test]
fn standard_input_is_read() {
    let plain = large_pcap();
    let bytes: usize = read_bytes(&plain).0.iter().map(|s| s.bytes.len()).sum();
    for input in [plain.clone(), gzip(&plain), zstd(&plain)] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "streams::child_reads_standard_input", "--nocapture"])
            .env(CHILD, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&input).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let expected = format!("read 30000 frames of {bytes} bytes, None, Some(\"standard input\")");
        assert!(output.status.success() && said.contains(&expected), "{said}");
    }
}
