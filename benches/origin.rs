//! Country look-ups on random addresses: at least 50 million a second a core is the aim.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use vigie::address::Address;
use vigie::origin::{Origins, Settings};

/// Random IPv4 addresses by Vigna's splitmix64.
fn addresses(count: usize) -> Vec<Address> {
    let mut state = 1_u64;
    let next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let [a, b, c, d, ..] = (mixed ^ (mixed >> 27)).to_be_bytes();
        Address::v4([a, b, c, d])
    };
    std::iter::repeat_with(next).take(count).collect()
}

fn look_up(c: &mut Criterion) {
    let origins = Origins::load(&Settings::default()).expect("the embedded table needs no file");
    let addresses = addresses(1 << 16);
    let mut group = c.benchmark_group("origin");
    group.throughput(Throughput::Elements(addresses.len() as u64));
    group.bench_function("country of a random IPv4 address", |b| {
        b.iter(|| addresses.iter().map(|address| origins.country(*address).index()).fold(0, |a, b| black_box(a ^ b)));
    });
    group.finish();
}

criterion_group!(benches, look_up);
criterion_main!(benches);
