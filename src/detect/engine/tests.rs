//! When an engine knows what is usual.

use std::sync::Arc;

use super::{Engine, Settings};
use crate::address::Address;
use crate::capture::CaptureTick;
use crate::hash::Seed;
use crate::policy::{Policy, Site};
use crate::summary::{HostTick, Summary, Volume};
use crate::time::Tick;

fn host(last: u8, syn: u32) -> HostTick {
    let inbound = Volume { packets: 9, bytes: 900 };
    HostTick { address: Address::v4([192, 0, 2, last]), inbound, syn, ..HostTick::default() }
}

#[test]
fn a_host_is_known_in_time_though_scans_wake_its_neighbours() {
    let site = Site { name: "a".into(), prefixes: vec!["192.0.2.0/24".parse().unwrap()] };
    let mut engine = Engine::new(Settings::default(), Arc::new(Policy::new(vec![site], false)), Seed::default());
    let mut woken = 0_u8;
    for number in 1..4 * 200_u64 {
        let mut hosts = vec![host(200, 5)];
        // A turn that followed from the host's place would always fall on the tick at which the place changes.
        if (number + u64::from(woken)).is_multiple_of(40) {
            hosts.insert(0, host(woken, 1));
            woken += 1;
        }
        let tick = Tick::new(number);
        engine.observe(&Summary { tick, hosts, ..Summary::default() }, &CaptureTick { tick, ..CaptureTick::default() });
    }
    assert!(woken >= 18, "{woken}");
    let busy = engine.hosts.get(&host(200, 5).address).unwrap();
    assert!(busy.subject.syns.usual().is_some(), "after 200 s, of which 180 are needed");
}

#[test]
fn a_dead_link_is_no_sample_of_what_is_usual() {
    let site = Site { name: "a".into(), prefixes: vec!["192.0.2.0/24".parse().unwrap()] };
    let mut engine = Engine::new(Settings::default(), Arc::new(Policy::new(vec![site], false)), Seed::default());
    let usual = |engine: &Engine| engine.hosts.get(&host(200, 5).address).unwrap().subject.syns.usual().unwrap();
    let run = |engine: &mut Engine, ticks: std::ops::Range<u64>, frames: u64| {
        for tick in ticks.map(Tick::new) {
            let hosts = if frames > 0 { vec![host(200, 5)] } else { vec![] };
            engine.observe(
                &Summary { tick, hosts, ..Summary::default() },
                &CaptureTick { tick, frames, ..CaptureTick::default() },
            );
        }
    };
    run(&mut engine, 1..4 * 300, 100);
    let before = usual(&engine);
    run(&mut engine, 4 * 300..4 * 1_100, 0);
    assert!(usual(&engine) > 0.7 * before, "{} after {before}", usual(&engine));
}
