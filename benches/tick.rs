//! What judging one tick costs: every host with ordinary traffic from some countries, after five minutes of the same. Two of
//! the countries come in every tick, the others now and then. Beside the mean, the worst tick of a minute is told.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use vigie::address::Address;
use vigie::capture::CaptureTick;
use vigie::country::Country;
use vigie::detect::engine::{Engine, Settings};
use vigie::flow::Volume;
use vigie::hash::Seed;
use vigie::policy::{Policy, Site};
use vigie::summary::{CohortTick, HostTick, Summary};
use vigie::time::{Tick, Timestamp};

/// Ticks before measuring: five minutes, after which levels are known.
const BEFORE: u64 = 1_200;

fn countries(count: u8) -> Vec<Country> {
    let letters = (b'A'..=b'Z').flat_map(|a| (b'A'..=b'Z').map(move |b| [a, b]));
    let codes = letters.filter_map(|code| std::str::from_utf8(&code).ok()?.parse().ok());
    codes.take(usize::from(count)).collect()
}

/// One host's ordinary quarter of a second.
fn host(number: u16, countries: &[Country]) -> HostTick {
    let [high, low] = number.to_be_bytes();
    let connections = 4;
    let mut cohort = CohortTick { sampled: connections, opened: connections, ..CohortTick::default() };
    cohort.answered[0] = connections;
    cohort.finished[0] = connections;
    HostTick {
        address: Address::v4([203, 0, high, low]),
        inbound: Volume { packets: 60, bytes: 12_000 },
        outbound: Volume { packets: 60, bytes: 60_000 },
        tcp_in: 60,
        tcp_out: 60,
        syn: connections,
        syn_ack: connections,
        verified: connections,
        served: connections,
        two_sided: connections,
        client_data: connections,
        cohort,
        verified_from: countries.iter().map(|country| (*country, 1)).collect(),
        syn_ports: vec![(443, connections)],
        ..HostTick::default()
    }
}

/// Ticks of the minute whose worst is told.
const MINUTE: u64 = 240;

/// One tick of all hosts: a thirteenth of the countries comes, at each host others.
fn summary(tick: Tick, hosts: &[HostTick]) -> Summary {
    let mut summary = Summary { tick, hosts: hosts.to_vec(), ..Summary::default() };
    for (host, number) in summary.hosts.iter_mut().zip(0_u64..) {
        let mut places = 0_u64..;
        let comes = |place: u64| place < 2 || (tick.number() + 3 * number + 7 * place).is_multiple_of(13);
        host.verified_from.retain(|_| places.next().is_some_and(comes));
    }
    summary
}

#[expect(clippy::disallowed_methods, reason = "elapsed time is what is measured")]
fn seconds(work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    began.elapsed().as_secs_f64()
}

fn judging(c: &mut Criterion) {
    let mut group = c.benchmark_group("tick");
    for (hosts, from) in [(1, 8), (64, 8), (256, 8), (256, 64), (1_000, 8), (1_000, 64)] {
        let countries = countries(from);
        let hosts: Vec<HostTick> = (0..hosts).map(|number| host(number, &countries)).collect();
        let prefixes = vec!["203.0.0.0/16".parse().expect("a prefix")];
        let policy = Policy::new(vec![Site { name: "web".into(), prefixes }], false);
        let settings = Settings { home: countries[..1].to_vec(), ..Settings::default() };
        let mut engine = Engine::new(settings, Arc::new(policy), Seed::default());
        let mut tick = Timestamp::from_secs(1_700_000_000).tick();
        let judge = |engine: &mut Engine, summary: &Summary| {
            let capture = CaptureTick { tick: summary.tick, frames: 0, ..CaptureTick::default() };
            black_box(engine.observe(summary, &capture));
        };
        for _ in 0..BEFORE {
            judge(&mut engine, &summary(tick, &hosts));
            tick = tick.next();
        }
        let mut worst = 0.0_f64;
        for _ in 0..MINUTE {
            let summary = summary(tick, &hosts);
            worst = worst.max(seconds(|| judge(&mut engine, &summary)));
            tick = tick.next();
        }
        eprintln!("{} hosts, {from} countries: the worst of {MINUTE} ticks took {:.2} ms", hosts.len(), worst * 1e3);
        group.bench_function(format!("{} hosts, {from} countries", hosts.len()), |b| {
            b.iter_batched(
                || {
                    tick = tick.next();
                    summary(tick, &hosts)
                },
                |summary| judge(&mut engine, &summary),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, judging);
criterion_main!(benches);
