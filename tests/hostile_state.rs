//! A state whose sections were altered by somebody who can compute the checksum: whatever it says, the engine goes on.

use std::sync::Arc;

use vigie::capture::CaptureTick;
use vigie::detect::engine::{Engine, Settings};
use vigie::hash::{Seed, mix};
use vigie::policy::{Policy, Site};
use vigie::state::{Sections, decode, encode};
use vigie::summary::{HostTick, Summary, Volume};
use vigie::time::{Tick, Timestamp};

const START: u64 = 1_617_690_000 * 4;

fn engine() -> Engine {
    let sites = vec![Site { name: "school".into(), prefixes: vec!["192.0.2.0/24".parse().unwrap()] }];
    let settings = Settings { home: vec!["FR".parse().unwrap()], ..Settings::default() };
    Engine::new(settings, Arc::new(Policy::new(sites, false)), Seed::default())
}

/// Ordinary traffic of two hosts; every tenth tick somebody comes from abroad.
fn run(engine: &mut Engine, from: u64, ticks: u64) {
    for n in from..from + ticks {
        let host = |last: u8| HostTick {
            address: vigie::address::Address::v4([192, 0, 2, last]),
            inbound: Volume { packets: 50, bytes: 5_000 },
            verified: 5,
            served: 5,
            verified_from: vec![("DE".parse().unwrap(), u32::from(n % 10 == 0)), ("FR".parse().unwrap(), 4)],
            ..HostTick::default()
        };
        let tick = Tick::new(START + n);
        let summary = Summary { tick, hosts: vec![host(1), host(2)], ..Summary::default() };
        engine.observe(&summary, &CaptureTick { tick, frames: 100, ..CaptureTick::default() });
    }
}

fn learned() -> Sections {
    let mut engine = engine();
    run(&mut engine, 0, 4_000);
    engine.remember()
}

#[test]
fn what_an_engine_remembers_another_goes_on_with() {
    let (sections, mut after) = (learned(), engine());
    after.recall(&decode(&encode(&sections)).unwrap());
    run(&mut after, 4_000, 1);
    assert_eq!(after.recalled().refused, Vec::<String>::new());
    let mut before = engine();
    run(&mut before, 0, 4_000);
    let usual =
        |engine: &Engine| engine.survey().iter().flat_map(|b| b.rates.clone()).map(|r| r.usual).collect::<Vec<_>>();
    assert_eq!(usual(&after), usual(&before));
    assert!(!usual(&after).is_empty());
}

#[test]
fn altered_sections_never_stop_an_engine() {
    let sections = learned();
    let mut refused = 0;
    for case in 0..400_u64 {
        let mut altered = Sections::new(sections.saved_at);
        for (place, (name, bytes)) in sections.parts().enumerate() {
            let mut bytes = bytes.to_vec();
            // Each section is altered in every third case: some bytes changed, or its end cut off.
            let chance = mix(case, place as u64);
            if chance.is_multiple_of(3) && !bytes.is_empty() {
                for change in 0..1 + chance / 8 % 6 {
                    let random = mix(chance, change);
                    let at = usize::try_from(random % bytes.len() as u64).unwrap();
                    bytes[at] = random.to_le_bytes()[7];
                }
                if chance.is_multiple_of(5) {
                    bytes.truncate(usize::try_from(chance % bytes.len() as u64).unwrap());
                }
            }
            altered.put_bytes(name, bytes);
        }
        let mut engine = engine();
        engine.recall(&altered);
        run(&mut engine, 4_000, 90);
        refused += usize::from(!engine.recalled().refused.is_empty());
        for rate in engine.survey().iter().flat_map(|baseline| &baseline.rates) {
            assert!(rate.usual.is_finite() && rate.at_most.is_finite(), "case {case}: {rate:?}");
        }
        assert!(decode(&encode(&engine.remember())).is_ok());
    }
    assert!(refused > 50, "only {refused} of 400 were noticed");
}

#[test]
fn a_time_that_cannot_be_is_refused() {
    for saved_at in [Timestamp::from_nanos(u64::MAX), Timestamp::ZERO] {
        let mut sections = learned();
        sections.saved_at = saved_at;
        let mut engine = engine();
        engine.recall(&sections);
        run(&mut engine, 4_000, 10);
        assert_eq!(engine.recalled().refused.len(), 1, "{:?}", engine.recalled());
        assert!(engine.survey().iter().all(|baseline| baseline.rates.is_empty()));
    }
}
