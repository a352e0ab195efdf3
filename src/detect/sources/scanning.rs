//! First contacts, and the scans that are made of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::{Address, Prefix};
use crate::detect::finding::Finding;
use crate::detect::scan::{self, Scan};
use crate::detect::view::View;
use crate::detect::{host_sweep, port_scan};
use crate::hash::Seed;
use crate::kind::{AlertKind, Severity};
use crate::packet::Protocol;
use crate::policy::Policy;
use crate::summary::{Contact, Probe, ProbeOutcome};
use crate::time::Tick;
use crate::window::concert::Concert;
use crate::window::doors::Doors;
use crate::window::probing::{Prober, Probers, Probing};
use crate::window::trw::Walk;

use super::MOST_ALARMING;

/// UDP ports of `traceroute` (its manual page: 33434 and one more for each probe).
const TRACEROUTE: std::ops::RangeInclusive<u16> = 33_434..=33_534;

/// Hosts a source has failed at from which its probes count as those of one among many.
const SEVERAL: f64 = 5.0;

/// A scan that alarms: where it was found to aim stays its target.
#[derive(Clone, Copy, Debug)]
struct Aimed {
    kind: AlertKind,
    target: Prefix,
    clear: bool,
}

/// Doors, probers and the scans under way.
#[derive(Debug)]
pub(super) struct Scanning {
    doors: Doors,
    probers: Probers,
    touched: BTreeSet<Prober>,
    scans: BTreeMap<Prober, Aimed>,
    concert: Concert,
}

impl Scanning {
    pub(super) fn new(seed: Seed) -> Self {
        Self {
            doors: Doors::new(seed),
            probers: Probers::new(seed),
            touched: BTreeSet::new(),
            scans: BTreeMap::new(),
            concert: Concert::default(),
        }
    }

    /// Notes a service in use.
    pub(super) fn contact(&mut self, now: Tick, contact: &Contact) {
        if contact.verified || contact.served {
            self.doors.note(now, contact.responder, contact.port);
        }
    }

    /// Takes a first contact; `one_sided` tells whether only what reaches its target is captured.
    pub(super) fn probe(&mut self, now: Tick, probe: &Probe, policy: &Policy, one_sided: impl FnOnce() -> bool) {
        let traceroute = probe.protocol == Protocol::UDP && TRACEROUTE.contains(&probe.port);
        if traceroute || !is_host(probe.target) || !is_host(probe.source) {
            return;
        }
        let failed = probe.outcome != ProbeOutcome::Answered;
        if failed && self.doors.is_used(probe.target, probe.port) {
            return;
        }
        // Whether an answer came that was not captured is not known: only doors that clients rarely ask for tell then.
        if failed && (probe.port >= 1_024 || [0, 53, 80, 443].contains(&probe.port)) && one_sided() {
            return;
        }
        let protected = policy.prefix_of(probe.target).filter(|prefix| !prefix.is_host());
        let prober = Prober { source: probe.source, protocol: probe.protocol };
        if let Some(prober) = self.probers.observe(now, probe, protected) {
            self.touched.insert(prober);
        }
        let hosts = || self.probers.get(&prober).map_or(0.0, |probing| probing.hosts.recent(now).distinct());
        if failed && hosts() >= SEVERAL {
            self.concert.note(now, probe.source, probe.target, probe.weight);
        }
    }

    /// Ends a tick.
    pub(super) fn advance(&mut self, now: Tick) {
        self.concert.advance(now);
    }

    pub(super) fn is_scanner(&self, source: Address) -> bool {
        self.scans.get(&Prober { source, protocol: Protocol::TCP }).is_some_and(|aimed| aimed.clear)
    }

    pub(super) fn detect(&mut self, view: &View) -> Vec<Finding> {
        let touched = std::mem::take(&mut self.touched);
        let candidates: BTreeSet<Prober> = touched.into_iter().chain(self.scans.keys().copied()).collect();
        candidates.into_iter().filter_map(|prober| self.judge(view, &prober)).collect()
    }

    fn judge(&mut self, view: &View, prober: &Prober) -> Option<Finding> {
        let Self { probers, scans, .. } = self;
        let scan = probers
            .get(prober)
            .filter(|probing| is_under_way(view.tick, probing))
            .and_then(|probing| Some((probing, judge(view.tick, prober, probing)?)))
            .filter(|(_, scan)| scan.score >= 0.5 * Walk::line());
        let Some((probing, scan)) = scan else {
            scans.remove(prober);
            return None;
        };
        if scans.len() >= MOST_ALARMING && !scans.contains_key(prober) {
            return None;
        }
        let aimed = aim(scans.get(prober), prober, probing, &scan);
        scans.insert(*prober, aimed);
        let mut finding = scan::finding(view, prober, probing, &Scan { kind: aimed.kind, ..scan }, aimed.target);
        // What many do at once is a flood, and its detectors' to tell.
        if self.concert.took_part(prober.source) {
            finding.severity = Severity::Info;
        }
        Some(finding)
    }
}

/// Returns where a scan aims: as it was found first, unless it turns from a hint into a clear one of another kind.
fn aim(known: Option<&Aimed>, prober: &Prober, probing: &Probing, scan: &Scan) -> Aimed {
    match known {
        Some(known) if known.clear || !scan.clear || known.kind == scan.kind => {
            Aimed { clear: known.clear || scan.clear, ..*known }
        }
        _ => {
            let target = scan.host.unwrap_or_else(|| scan::aim(prober, probing));
            Aimed { kind: scan.kind, target, clear: scan.clear }
        }
    }
}

/// Chooses between the two kinds of scan: by what is broader, if both are clear.
fn judge(now: Tick, prober: &Prober, probing: &Probing) -> Option<Scan> {
    match (port_scan::judge(now, prober, probing), host_sweep::judge(now, probing)) {
        (Some(ports), Some(hosts)) if ports.clear == hosts.clear => {
            Some(if ports.breadth >= hosts.breadth { ports } else { hosts })
        }
        (Some(ports), Some(hosts)) => Some(if ports.clear { ports } else { hosts }),
        (ports, hosts) => ports.or(hosts),
    }
}

/// Tells whether a scan goes on: its last contact is ten seconds old at most, or three of its own pauses.
fn is_under_way(now: Tick, probing: &Probing) -> bool {
    now.since(probing.last_seen) <= (3 * probing.mean_gap()).clamp(40, 2_400)
}

/// A single machine: neither a group nor a whole network (RFC 1112, RFC 919, RFC 4291).
fn is_host(address: Address) -> bool {
    let ip = address.to_ip();
    let group = match ip {
        std::net::IpAddr::V4(v4) => v4.is_broadcast() || v4.is_multicast(),
        std::net::IpAddr::V6(v6) => v6.is_multicast(),
    };
    !group && !ip.is_unspecified()
}
