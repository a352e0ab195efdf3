//! Port scan: one source tries many ports of a host and fails at most of them (DETECTION 5, SCAN-1 and SCAN-2).
//!
//! Method: the threshold random walk over the source's first contacts with one host, and at least 15 different ports at
//! which it failed in the last five to ten minutes, or 100 in a day; failures outnumber successes four to one. A scan of
//! several hosts counts over all of them while the hosts are few for its ports. TCP and UDP, probes that no stack would
//! send included.
//!
//! Sources: see `detect/scan.rs`. UDP ports 33434 to 33534 do not count: that is `traceroute`.
//!
//! Blind spots: fewer than 15 ports; a scan spread over many sources; ports that all answer. A UDP scan of high ports only
//! is a hint (`info`), since answers to questions that were not seen look the same.

use crate::detect::scan::{LEAST, SLOW, Scan, decades, mostly_failures};
use crate::kind::AlertKind;
use crate::packet::Protocol;
use crate::time::Tick;
use crate::window::probing::{Prober, Probing};

/// Different ports in five minutes (Zeek's `scan.zeek`).
const PORTS: f64 = 15.0;

/// Ports for each host, below which it is no scan of ports.
const PORTS_TO_A_HOST: f64 = 5.0;

/// Share of failures below port 1024 that a UDP scan has at least; random high ports have 1.5 %.
const LOW_PORTS: f64 = 0.05;

/// Judges a prober.
pub(super) fn judge(now: Tick, prober: &Prober, probing: &Probing) -> Option<Scan> {
    [fast(now, probing), slow(probing), spread(now, probing)]
        .into_iter()
        .flatten()
        .map(|scan| Scan { clear: scan.clear && is_plausible(prober, probing), ..scan })
        .max_by(|a, b| (a.clear, a.score).partial_cmp(&(b.clear, b.score)).unwrap_or(std::cmp::Ordering::Equal))
}

fn fast(now: Tick, probing: &Probing) -> Option<Scan> {
    let (host, lead) = probing.by_host.first(now)?;
    let breadth = lead.others.recent(now).distinct();
    (breadth >= LEAST && mostly_failures(lead.tally.recent(now))).then(|| Scan {
        kind: AlertKind::PortScan,
        score: decades(&lead.tally),
        breadth,
        clear: breadth >= PORTS,
        needed: PORTS,
        window_seconds: 300.0,
        port: None,
        host: Some(host.host_prefix()),
        onset: lead.tally.onset(),
    })
}

fn slow(probing: &Probing) -> Option<Scan> {
    let (host, lead) = probing.by_host.first_of_day()?;
    let breadth = lead.others.day().distinct();
    (breadth >= SLOW && mostly_failures(lead.tally.day())).then(|| Scan {
        kind: AlertKind::PortScan,
        score: decades(&lead.tally),
        breadth,
        clear: true,
        needed: SLOW,
        window_seconds: 86_400.0,
        port: None,
        host: Some(host.host_prefix()),
        onset: lead.tally.onset(),
    })
}

/// Many ports over a few hosts, none of which has enough by itself.
fn spread(now: Tick, probing: &Probing) -> Option<Scan> {
    let (ports, hosts) = (probing.ports.recent(now).distinct(), probing.hosts.recent(now).distinct());
    let few_hosts = hosts >= 1.5 && hosts * PORTS_TO_A_HOST <= ports;
    (few_hosts && ports >= PORTS && mostly_failures(probing.all.recent(now))).then(|| Scan {
        kind: AlertKind::PortScan,
        score: decades(&probing.all),
        breadth: ports,
        clear: true,
        needed: PORTS,
        window_seconds: 300.0,
        port: None,
        host: probing.by_host.first(now).map(|(host, _)| host.host_prefix()),
        onset: probing.all.onset(),
    })
}

fn is_plausible(prober: &Prober, probing: &Probing) -> bool {
    let (failures, _) = probing.all.day();
    prober.protocol != Protocol::UDP || f64::from(probing.low_ports) >= LOW_PORTS * f64::from(failures)
}
