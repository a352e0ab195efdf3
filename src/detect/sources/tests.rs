#![expect(clippy::cast_possible_truncation, reason = "test numbers are cut into addresses and ports")]

mod leaving;

use std::sync::Arc;

use super::*;
use crate::country::Country;
use crate::detect::budget::Lines;
use crate::detect::engine;
use crate::kind::Verdict;
use crate::policy::{Policy, Site};
use crate::summary::{Contact, ContactStage, Knock, Probe, ProbeOutcome, Volume};
use crate::time::Tick;

const START: u64 = 1_617_699_600 * 4;

pub(super) fn address(text: &str) -> Address {
    text.parse().unwrap()
}

pub(super) fn probe(source: Address, target: Address, port: u16, outcome: ProbeOutcome) -> Probe {
    Probe {
        at: Timestamp::ZERO,
        source,
        target,
        port,
        protocol: Protocol::TCP,
        knock: Knock::Ordinary,
        outcome,
        weight: 1,
    }
}

pub(super) fn talk(source: Address, target: Address, port: u16, stage: ContactStage) -> Contact {
    Contact {
        at: Timestamp::ZERO,
        stage,
        originator: source,
        responder: target,
        port,
        protocol: Protocol::TCP,
        country: Country::UNKNOWN,
        verified: true,
        age_ms: 1_800,
        sent: Volume { packets: 8, bytes: 640 },
        received: Volume { packets: 7, bytes: 810 },
        served: true,
        repeated: false,
        weight: 1,
    }
}

/// A protected /24, run tick by tick.
pub(super) struct World {
    pub(super) sources: Sources,
    pub(super) view: View,
    pub(super) tick: u64,
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(Settings::default())
    }

    pub(super) fn with(settings: Settings) -> Self {
        let site = Site { name: "school".into(), prefixes: vec!["203.0.113.0/24".parse().unwrap()] };
        let view = View {
            tick: Tick::new(START),
            lines: Lines::new(&engine::Settings::default()),
            policy: Arc::new(Policy::new(vec![site], false)),
            loss_share: 0.0,
            sampling: crate::sampling::Sampling::WHOLE,
            duplicate_share: 0.0,
            sampler_shift: 0,
            backlog: 1_024.0,
            capacity: None,
            limit_known: false,
            site_attacked: false,
            home_known: false,
            connections_known: false,
            networks_are_known: false,
            served_part: 1.0,
            site_foreign: false,
            site_two_sided: false,
            of_one_host: 0.0,
        };
        Self { sources: Sources::new(settings, Seed::default()), view, tick: START }
    }

    pub(super) fn tick(&mut self, probes: Vec<Probe>, contacts: Vec<Contact>) -> Vec<Finding> {
        self.tick += 1;
        self.view.tick = Tick::new(self.tick);
        let summary = Summary { tick: self.view.tick, probes, contacts, ..Summary::default() };
        let policy = Arc::clone(&self.view.policy);
        self.sources.observe(&summary, &policy, |_| Standing { unwell: false, ..Standing::default() });
        self.sources.detect(&self.view, |country| country.to_string() == "NL")
    }

    /// Findings that fire, of many ticks with one probe each.
    fn probes(&mut self, probes: impl IntoIterator<Item = Probe>) -> Vec<Finding> {
        let ticks: Vec<Probe> = probes.into_iter().collect();
        ticks.into_iter().flat_map(|probe| self.tick(vec![probe], Vec::new())).filter(Finding::fires).collect()
    }
}

fn loud(findings: &[Finding]) -> Vec<(AlertKind, String)> {
    let mut loud: Vec<_> = findings
        .iter()
        .filter(|finding| finding.severity >= Severity::Warning)
        .map(|finding| (finding.kind, finding.target.prefix.unwrap().to_string()))
        .collect();
    loud.dedup();
    loud
}

#[test]
fn many_ports_of_a_host_are_a_port_scan_within_thirty_attempts() {
    for outcome in [ProbeOutcome::Silent, ProbeOutcome::Refused] {
        let mut world = World::new();
        let (source, target) = (address("198.51.100.7"), address("203.0.113.10"));
        let findings = world.probes((1..=30).map(|port| probe(source, target, port, outcome)));
        assert_eq!(loud(&findings), [(AlertKind::PortScan, "203.0.113.10/32".to_owned())]);
        let last = findings.last().unwrap();
        assert_eq!(last.verdict, Some(Verdict::Suspicion));
        assert_eq!(last.sources[0].address, source);
    }
}

#[test]
fn many_hosts_on_a_port_are_a_sweep_of_the_protected_prefix() {
    let mut world = World::new();
    let hosts = (1..=30).map(|host| Address::v4([203, 0, 113, host]));
    let findings = world.probes(hosts.map(|host| probe(address("198.51.100.7"), host, 445, ProbeOutcome::Silent)));
    assert_eq!(loud(&findings), [(AlertKind::HostSweep, "203.0.113.0/24".to_owned())]);
    assert_eq!(findings.last().unwrap().target.port, Some(445));
}

#[test]
fn an_inside_host_that_tries_the_whole_network_is_named_itself() {
    let mut world = World::new();
    let inside = address("203.0.113.66");
    let everywhere = (0..60_u32).map(|n| Address::v4((0x0100_0000 + n * 0x0371_1111).to_be_bytes()));
    let findings = world.probes(everywhere.map(|host| probe(inside, host, 23, ProbeOutcome::Silent)));
    assert_eq!(loud(&findings), [(AlertKind::HostSweep, "203.0.113.66/32".to_owned())]);
}

#[test]
fn scanners_are_found_within_thirty_attempts_and_known_to_the_flood_test() {
    let mut found = 0;
    for run in 0..200_u32 {
        let mut world = World::new();
        let source = Address::v4((0xc633_0000 + run).to_be_bytes());
        let ports = (0..30).map(|n| (n * 1_009 + run * 37) as u16 % 50_000 + 1);
        world.probes(ports.map(|port| probe(source, address("203.0.113.10"), port, ProbeOutcome::Silent)));
        found += u32::from(world.sources.is_scanner(source));
    }
    assert!(found >= 198, "{found} of 200");
}

#[test]
fn a_crowd_behind_one_address_at_a_dead_server_is_no_scan() {
    let mut world = World::new();
    let school = address("198.51.100.7");
    let retries = (0..2_000).map(|n| probe(school, address("203.0.113.10"), 443 - 363 * (n % 2), ProbeOutcome::Silent));
    assert!(world.probes(retries).is_empty());
}

#[test]
fn services_in_use_that_stop_answering_are_not_scanned() {
    let mut world = World::new();
    let servers: Vec<Address> = (1..=40).map(|host| Address::v4([203, 0, 113, host])).collect();
    let used = servers.iter().map(|server| talk(address("192.0.2.1"), *server, 443, ContactStage::Verified)).collect();
    world.tick(Vec::new(), used);
    let school = address("198.51.100.7");
    assert!(world.probes(servers.iter().map(|server| probe(school, *server, 443, ProbeOutcome::Silent))).is_empty());
}

#[test]
fn forged_sources_with_a_failure_each_are_no_scan_and_hide_none() {
    let mut world = World::new();
    let scanner = address("198.51.100.7");
    let mut kinds = Vec::new();
    for n in 0..400_u32 {
        let forged = (0..500).map(|k| Address::v4((n * 7_919_000 + k * 104_729).to_be_bytes()));
        let mut probes: Vec<Probe> =
            forged.map(|source| probe(source, address("203.0.113.10"), 443, ProbeOutcome::Silent)).collect();
        probes.push(probe(scanner, address("203.0.113.11"), n as u16 + 1, ProbeOutcome::Silent));
        kinds.extend(loud(&world.tick(probes, Vec::new())));
    }
    kinds.dedup();
    assert_eq!(kinds, [(AlertKind::PortScan, "203.0.113.11/32".to_owned())]);
}

#[test]
fn a_client_that_mostly_succeeds_never_scans() {
    let mut world = World::new();
    let resolver = address("203.0.113.53");
    let probes = (0..4_000_u32).map(|n| {
        let outcome = if n % 4 == 0 { ProbeOutcome::Silent } else { ProbeOutcome::Answered };
        let server = Address::v4((0x0800_0000 + n * 65_537).to_be_bytes());
        Probe { protocol: Protocol::UDP, ..probe(resolver, server, 53, outcome) }
    });
    assert!(world.probes(probes).is_empty());
}

#[test]
fn peers_with_ports_of_their_own_are_a_hint_at_most() {
    let mut world = World::new();
    let peers = (0..600_u32).map(|n| {
        let port = if n % 8 == 0 { 6_346 } else { 1_024 + (n * 97) as u16 };
        let peer = Address::v4((0x5000_0000 + n * 65_537).to_be_bytes());
        Probe { protocol: Protocol::UDP, ..probe(address("203.0.113.9"), peer, port, ProbeOutcome::Silent) }
    });
    let findings = world.probes(peers);
    assert!(loud(&findings).is_empty(), "{:?}", loud(&findings));
}

#[test]
fn traceroute_and_groups_do_not_count() {
    let mut world = World::new();
    let route = (33_434..33_534).map(|port| Probe {
        protocol: Protocol::UDP,
        ..probe(address("203.0.113.9"), address("9.9.9.9"), port, ProbeOutcome::Silent)
    });
    assert!(world.probes(route).is_empty());
    let groups =
        (1..=60).map(|n| probe(address("203.0.113.9"), Address::v4([239, 1, 1, n]), 1_900, ProbeOutcome::Silent));
    assert!(world.probes(groups).is_empty());
}

#[test]
fn beside_a_flood_of_datagrams_a_scan_of_datagrams_is_a_hint() {
    let mut world = World::new();
    let ports = (1..=40).map(|port| Probe {
        protocol: Protocol::UDP,
        ..probe(address("198.51.100.7"), address("203.0.113.10"), port, ProbeOutcome::Silent)
    });
    let findings = world.probes(ports);
    assert!(!loud(&findings).is_empty());
    let prefix = "203.0.113.0/24".parse().unwrap();
    let flood = Finding { gates_hold: true, ..world.view.about(AlertKind::CarpetBombing, prefix, 20.0, 9.0) };
    let mut flooded = Flooded::default();
    let mut is_hint = |tick, others: &[Finding]| {
        let mut findings = findings.clone();
        flooded.explain(Tick::new(tick), &mut findings, others);
        loud(&findings).is_empty()
    };
    assert!(is_hint(1_000, &[flood]) && is_hint(1_240, &[]), "and for a minute after it");
    assert!(!is_hint(1_241, &[]));
}

#[test]
fn beside_syns_over_a_prefix_a_sweep_by_tcp_is_a_hint_and_beside_datagrams_it_is_not() {
    let mut world = World::new();
    let hosts =
        (1..=40).map(|n| probe(address("198.51.100.7"), Address::v4([203, 0, 113, n]), 443, ProbeOutcome::Silent));
    let findings = world.probes(hosts);
    let is_hint = |protocol| {
        let mut flood = world.view.about(AlertKind::CarpetBombing, "203.0.113.0/24".parse().unwrap(), 20.0, 9.0);
        (flood.gates_hold, flood.target.protocol) = (true, Some(protocol));
        let mut findings = findings.clone();
        Flooded::default().explain(Tick::new(1_000), &mut findings, &[flood]);
        loud(&findings).is_empty()
    };
    assert!(!loud(&findings).is_empty() && is_hint(Protocol::TCP) && !is_hint(Protocol::UDP));
}

#[test]
fn those_who_guess_are_placed_on_the_map_together() {
    let mut world = World::new();
    let mut last = Vec::new();
    for n in 0..400 {
        let guess = talk(address("203.0.113.10"), address("203.0.113.10"), 21, ContactStage::Settled);
        let (originator, country) = if n % 4 == 0 { ("198.51.100.7", "NL") } else { ("192.0.2.8", "US") };
        let (originator, country) = (address(originator), country.parse().unwrap());
        last = world.tick(Vec::new(), vec![Contact { originator, country, ..guess }]);
    }
    let guessed = last.iter().find(|finding| finding.kind == AlertKind::BruteForce && finding.fires()).unwrap();
    let origins: Vec<_> = guessed.origins.iter().map(|origin| (origin.country.to_string(), origin.share)).collect();
    assert_eq!(origins, [("US".to_owned(), 0.75), ("NL".to_owned(), 0.25)]);
    assert_eq!(guessed.sources.len(), 2);
}

#[test]
fn a_slow_scan_shows_within_a_day() {
    let mut world = World::new();
    let mut loudest = Vec::new();
    for port in 1..=130_u16 {
        world.tick += 1_500;
        let slow = probe(address("198.51.100.7"), address("203.0.113.10"), port, ProbeOutcome::Silent);
        loudest.extend(loud(&world.tick(vec![slow], Vec::new())));
    }
    loudest.dedup();
    assert_eq!(loudest, [(AlertKind::PortScan, "203.0.113.10/32".to_owned())]);
}

fn guesses(world: &mut World, count: u64, port: u16, size: impl Fn(u64) -> u64) -> Vec<Finding> {
    let mut findings = Vec::new();
    for n in 0..count {
        let guess = talk(address("198.51.100.7"), address("203.0.113.10"), port, ContactStage::Settled);
        let sent = Volume { bytes: size(n), ..guess.sent };
        findings.extend(world.tick(Vec::new(), vec![Contact { sent, ..guess }]));
        (0..7).for_each(|_| findings.extend(world.tick(Vec::new(), Vec::new())));
    }
    findings
}

#[test]
fn thirty_like_log_ins_in_a_minute_are_brute_force_and_eleven_are_not() {
    let findings = guesses(&mut World::new(), 30, 21, |n| 600 + n % 20);
    let firing: Vec<Finding> = findings.into_iter().filter(Finding::fires).collect();
    assert_eq!(loud(&firing), [(AlertKind::BruteForce, "203.0.113.10/32".to_owned())]);
    let few = guesses(&mut World::new(), 11, 22, |n| 600 + n % 20);
    assert!(few.iter().all(|finding| !finding.fires()) && !few.is_empty());
    let scores: Vec<f64> = few.iter().map(|finding| finding.score).collect();
    assert!(scores.is_sorted(), "the score rises with each: {scores:?}");
}

#[test]
fn sessions_of_many_sizes_are_no_brute_force() {
    let findings = guesses(&mut World::new(), 100, 22, |n| 400 + (n * 7_919) % 9_000);
    assert!(findings.iter().all(|finding| !finding.fires()));
}

#[test]
fn web_polling_is_brute_force_only_where_a_log_in_is_configured() {
    assert!(guesses(&mut World::new(), 100, 443, |_| 600).is_empty());
    let settings = Settings { logins: vec![(address("203.0.113.10"), 443)], ..Settings::default() };
    assert!(guesses(&mut World::with(settings), 100, 443, |_| 600).iter().any(Finding::fires));
}
