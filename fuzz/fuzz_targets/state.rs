//! Any bytes are a state or refused; one whose checksum is right but whose sections were altered stops no engine.
//!
//! The first byte names the section that the rest replaces; past the last one the bytes are the file itself.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use vigie::address::Address;
use vigie::capture::CaptureTick;
use vigie::detect::engine::{Engine, Settings};
use vigie::hash::Seed;
use vigie::policy::{Policy, Site};
use vigie::state::{Sections, decode, encode};
use vigie::summary::{HostTick, Summary, Volume};
use vigie::time::Tick;

const START: u64 = 1_617_690_000 * 4;

static LEARNED: LazyLock<Sections> = LazyLock::new(|| {
    let mut engine = engine();
    run(&mut engine, 0, 2_000);
    engine.remember()
});

fuzz_target!(|input: &[u8]| {
    let [choice, bytes @ ..] = input else { return };
    let names: Vec<&str> = LEARNED.parts().map(|(name, _)| name).collect();
    let sections = match names.get(usize::from(*choice) % (names.len() + 1)) {
        Some(altered) => {
            let mut sections = Sections::new(LEARNED.saved_at);
            LEARNED.parts().for_each(|(name, kept)| {
                sections.put_bytes(name, if name == *altered { bytes.to_vec() } else { kept.to_vec() });
            });
            sections
        }
        None => match decode(bytes) {
            Ok(sections) => {
                assert_eq!(decode(&encode(&sections)).expect("what was written is read"), sections);
                sections
            }
            Err(_) => return,
        },
    };
    let mut engine = engine();
    engine.recall(&sections);
    run(&mut engine, 2_000, 9);
    for rate in engine.survey().iter().flat_map(|baseline| &baseline.rates) {
        assert!(rate.usual.is_finite() && rate.at_most.is_finite(), "{rate:?}");
    }
});

fn engine() -> Engine {
    let sites = vec![Site { name: "school".into(), prefixes: vec!["192.0.2.0/24".parse().expect("a prefix")] }];
    let settings = Settings { home: vec!["FR".parse().expect("a country")], ..Settings::default() };
    Engine::new(settings, Arc::new(Policy::new(sites, false)), Seed::default())
}

fn run(engine: &mut Engine, from: u64, ticks: u64) {
    for n in from..from + ticks {
        let host = HostTick {
            address: Address::v4([192, 0, 2, 1]),
            inbound: Volume { packets: 50, bytes: 5_000 },
            verified: 5,
            served: 5,
            verified_from: vec![("FR".parse().expect("a country"), 4), ("DE".parse().expect("a country"), 1)],
            ..HostTick::default()
        };
        let tick = Tick::new(START + n);
        let summary = Summary { tick, hosts: vec![host], ..Summary::default() };
        engine.observe(&summary, &CaptureTick { tick, frames: 100, ..CaptureTick::default() });
    }
}
