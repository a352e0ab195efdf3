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
