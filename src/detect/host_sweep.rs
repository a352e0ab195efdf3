//! Host sweep: one source tries many hosts on the same port, or with ping, and fails at most of them (DETECTION 5, SCAN-1
//! and SCAN-2). An infected host inside that looks for others outside is one, too.
//!
//! Method: the threshold random walk over the source's first contacts on its leading port, and at least 25 different hosts
//! that failed it there in the last five to ten minutes, or 100 in a day; failures outnumber successes four to one. A
//! member of a peer-to-peer network has as many ports as hosts, and most of its old peers are gone: it is a hint (`info`)
//! at most.
//!
//! Sources: see `detect/scan.rs`.
//!
//! Blind spots: fewer than 25 hosts; a sweep of hosts of which more than a fifth answer; one hidden in peer-to-peer traffic
//! of the same source and protocol.

use crate::detect::scan::{LEAST, SLOW, Scan, decades, mostly_failures};
use crate::kind::AlertKind;
use crate::time::Tick;
use crate::window::probing::{Lead, Probing};

/// Different hosts in five minutes (Zeek's `scan.zeek`).
const HOSTS: f64 = 25.0;

/// Different ports that even a scanner of many services tries, and the share of its hosts that they may reach: more are
/// the ports that peers choose for themselves.
const MANY_PORTS: f64 = 12.0;
const PORTS_TO_A_HOST: f64 = 1.0 / 3.0;

/// Share of the failures on one port from which it stands for the sweep.
const LEADS: f64 = 0.95;

/// Judges a prober.
pub(super) fn judge(now: Tick, probing: &Probing) -> Option<Scan> {
    let among_peers = is_among_peers(probing.ports.recent(now).distinct(), probing.hosts.recent(now).distinct());
    if let Some((port, lead)) = probing.by_port.first(now) {
        let breadth = lead.others.recent(now).distinct();
        if breadth >= LEAST && mostly_failures(lead.tally.recent(now)) {
            let (on_port, _) = lead.tally.recent(now);
            let (all, _) = probing.all.recent(now);
            let leads = f64::from(on_port) >= LEADS * f64::from(all);
            let fast = scan(lead, breadth, leads.then_some(port));
            return Some(Scan { clear: breadth >= HOSTS && !among_peers, ..fast });
        }
    }
    let (port, lead) = probing.by_port.first_of_day()?;
    let breadth = lead.others.day().distinct();
    let among_peers = is_among_peers(probing.ports.day().distinct(), probing.hosts.day().distinct());
    (breadth >= SLOW && mostly_failures(lead.tally.day())).then(|| Scan {
        clear: !among_peers,
        needed: SLOW,
        window_seconds: 86_400.0,
        ..scan(lead, breadth, Some(port))
    })
}

fn scan(lead: &Lead<u16>, breadth: f64, port: Option<u16>) -> Scan {
    Scan {
        kind: AlertKind::HostSweep,
        score: decades(&lead.tally),
        breadth,
        clear: false,
        needed: HOSTS,
        window_seconds: 300.0,
        port,
        host: None,
        onset: lead.tally.onset(),
    }
}

/// Tells whether a prober's ports are as various as peers make them.
fn is_among_peers(ports: f64, hosts: f64) -> bool {
    ports > MANY_PORTS && ports > hosts * PORTS_TO_A_HOST
}
