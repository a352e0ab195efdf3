//! What a packet costs by family: decoding, and counting in a shard (flow table, sampler, summary), ticks included.

mod families;

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use families::FAMILIES;
use vigie::decode::decode;
use vigie::hash::Seed;
use vigie::origin::{Origins, Settings};
use vigie::policy::{Policy, Site};
use vigie::source::{Frame, InterfaceId, LinkType};
use vigie::summary::{Routed, Shard, ShardSettings, Summary};
use vigie::time::{Tick, Timestamp};

/// Frames of a family: two seconds of them.
const FRAMES: u32 = 1 << 15;
const TICKS: u64 = 8;

fn start() -> Timestamp {
    Timestamp::from_secs(1_700_000_000)
}

fn frames(make: fn(u32) -> Vec<u8>) -> Vec<Vec<u8>> {
    (0..FRAMES).map(make).collect()
}

fn frame(bytes: &[u8], n: u64) -> Frame<'_> {
    let nanos = start().as_nanos() + n * TICKS * Tick::NANOS / u64::from(FRAMES);
    Frame {
        timestamp: Timestamp::from_nanos(nanos),
        link: LinkType::Ethernet,
        interface: InterfaceId(0),
        wire_len: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
        bytes,
    }
}

fn decoding(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Elements(u64::from(FRAMES)));
    for family in FAMILIES {
        let frames = frames(family.frame);
        group.bench_function(family.name, |b| {
            b.iter(|| (0..).zip(&frames).filter(|(n, bytes)| black_box(decode(&frame(bytes, *n))).is_ok()).count());
        });
    }
    group.finish();
}

fn counting(c: &mut Criterion) {
    let prefixes = ["203.0.113.0/24", "2001:db8:1::/48"].map(|prefix| prefix.parse().expect("a prefix")).to_vec();
    let policy = Arc::new(Policy::new(vec![Site { name: "web".into(), prefixes }], false));
    let origins = Arc::new(Origins::load(&Settings::default()).expect("the embedded table needs no file"));
    let settings = ShardSettings { pretouch: true, ..ShardSettings::default() };
    let shard = || Shard::new(&settings, 0..64, origins.clone(), policy.clone());
    let mut group = c.benchmark_group("shard");
    group.throughput(Throughput::Elements(u64::from(FRAMES))).sample_size(10);
    for family in FAMILIES {
        let packets: Vec<Routed> = (0..)
            .zip(frames(family.frame))
            .filter_map(|(n, bytes)| decode(&frame(&bytes, n)).ok())
            .map(|packet| Routed { hash: Seed::default().pair(packet.source, packet.destination), packet })
            .collect();
        group.bench_function(family.name, |b| {
            b.iter_batched(
                || (shard(), Summary::default()),
                |(mut shard, mut summary)| {
                    for (tick, packets) in (start().tick().number()..).zip(packets.chunks(packets.len() / 8)) {
                        shard.observe_all(packets);
                        shard.close(Tick::new(tick), &mut summary, &mut |record| {
                            black_box(record);
                        });
                    }
                    (shard, summary)
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, decoding, counting);
criterion_main!(benches);
