//! What it costs to walk a capture: per packet, without decoding.
//!
//! A million packets are written to a file first; `VIGIE_BENCH_CAPTURE` names another one.

use std::hint::black_box;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use vigie::source::clock::{CaptureClock, SILENCE_TICKS};
use vigie::source::{FileOptions, PacketSource, Progress, open_files};

const PACKETS: u32 = 1_000_000;

/// Packets as a monitor stores them: cut at 128 bytes, a third of them shorter, 10 microseconds apart.
fn write_capture(path: &Path) -> std::io::Result<()> {
    let mut bytes = [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 128, 1].map(u32::to_le_bytes).concat();
    for n in 0..PACKETS {
        let captured = if n % 3 == 0 { 60 + n % 60 } else { 128 };
        let nanos = u64::from(n) * 10_000;
        let [seconds, fraction] =
            [nanos / 1_000_000_000, nanos % 1_000_000_000].map(|part| u32::try_from(part).unwrap_or(u32::MAX));
        bytes.extend([seconds, fraction, captured, 737].map(u32::to_le_bytes).concat());
        bytes.resize(bytes.len() + captured as usize, n.to_le_bytes()[0]);
    }
    std::fs::write(path, bytes)
}

/// Writes the same packets as enhanced packet blocks.
fn write_pcapng(path: &Path) -> std::io::Result<()> {
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let mut bytes = words(&[0x0a0d_0d0a, 28, 0x1a2b_3c4d, 1, u32::MAX, u32::MAX, 28, 1, 20, 1, 128, 20]);
    for n in 0..PACKETS {
        let captured = if n % 3 == 0 { 60 + n % 60 } else { 128 };
        let (padded, micros) = (captured.next_multiple_of(4), n * 10);
        bytes.extend(words(&[6, padded + 32, 0, 0, micros, captured, 737]));
        bytes.resize(bytes.len() + padded as usize, n.to_le_bytes()[0]);
        bytes.extend(words(&[padded + 32]));
    }
    std::fs::write(path, bytes)
}

fn walk(paths: &[PathBuf]) -> (u64, u64) {
    let mut source = open_files(paths, FileOptions::default()).expect("the capture opens");
    let (mut packets, mut bytes) = (0, 0);
    let mut on_frame = |frame: vigie::source::Frame<'_>| {
        packets += 1;
        bytes += u64::from(frame.wire_len);
        black_box(frame.bytes);
    };
    while source.poll(&mut on_frame).expect("the capture is whole") != Progress::End {}
    (packets, bytes)
}

fn walk_and_place(paths: &[PathBuf]) -> u64 {
    let mut source = open_files(paths, FileOptions::default()).expect("the capture opens");
    let mut clock = CaptureClock::default();
    let mut ticks = 0;
    let mut on_frame = |frame: vigie::source::Frame<'_>| {
        black_box(clock.place(frame.timestamp));
        while clock.next_tick(SILENCE_TICKS).is_some() {
            ticks += 1;
        }
    };
    while source.poll(&mut on_frame).expect("the capture is whole") != Progress::End {}
    ticks
}

fn pack(plain: &Path, directory: &Path) -> std::io::Result<[PathBuf; 2]> {
    let bytes = std::fs::read(plain)?;
    let paths = [directory.join("capture.gz"), directory.join("capture.zst")];
    let mut gzip = flate2::write::GzEncoder::new(std::fs::File::create(&paths[0])?, flate2::Compression::new(6));
    gzip.write_all(&bytes)?;
    gzip.finish()?;
    std::fs::write(&paths[1], zstd::encode_all(&bytes[..], 3)?)?;
    Ok(paths)
}

fn source(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a directory for captures");
    let plain = std::env::var_os("VIGIE_BENCH_CAPTURE").map_or_else(
        || {
            let path = directory.path().join("capture.pcap");
            write_capture(&path).expect("room for 150 MB");
            path
        },
        PathBuf::from,
    );
    let pcapng = directory.path().join("capture.pcapng");
    write_pcapng(&pcapng).expect("room for 170 MB");
    let [gzip, zstd] = pack(&plain, directory.path()).expect("room for the packed captures");
    let (packets, _) = walk(std::slice::from_ref(&plain));

    let mut group = criterion.benchmark_group("source");
    group.sample_size(20).measurement_time(Duration::from_secs(6)).throughput(Throughput::Elements(packets));
    for (name, path) in [("pcap", &plain), ("pcapng", &pcapng), ("pcap.gz", &gzip), ("pcap.zst", &zstd)] {
        let paths = [path.clone()];
        group.bench_function(format!("walk {name}"), |bench| bench.iter(|| walk(&paths)));
    }
    let paths = [plain.clone()];
    group.bench_function("walk and place pcap", |bench| bench.iter(|| walk_and_place(&paths)));
    group.throughput(Throughput::Elements(packets * 2));
    let twice = vec![plain.clone(), plain];
    group.bench_function("merge two pcap", |bench| {
        bench.iter_batched(|| twice.clone(), |paths| walk(&paths), BatchSize::SmallInput);
    });
    group.finish();
}

criterion_group!(benches, source);
criterion_main!(benches);
