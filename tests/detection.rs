//! The engine against counters: what a shard would have summed, without packets, so that hours run in a second.
//!
//! The little world here is written apart from the packet generator on purpose: a detector that only knows one of them
//! would show.

#![expect(clippy::cast_possible_truncation, reason = "random bits are cut into bytes")]

use std::collections::VecDeque;
use std::sync::Arc;

use vigie::address::Address;
use vigie::capture::CaptureTick;
use vigie::country::Country;
use vigie::detect::engine::{Engine, Settings};
use vigie::detect::finding::Finding;
use vigie::detect::minute::{MinuteKind, MinuteVerdict};
use vigie::hash::Seed;
use vigie::kind::{AlertKind, Severity, Verdict};
use vigie::packet::Protocol;
use vigie::policy::{Policy, Site};
use vigie::summary::{CohortRecord, CohortStage, Contact, ContactStage, HostTick, Outcome, Summary, Volume};
use vigie::time::Tick;

const START: u64 = 1_617_699_600 * 4;
const HOST: [u8; 4] = [203, 0, 113, 10];

/// Vigna's splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn chance(&mut self, p: f64) -> bool {
        self.uniform() < p
    }

    fn poisson(&mut self, mean: f64) -> u32 {
        if mean > 30.0 {
            let normal = (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0;
            return (mean + mean.sqrt() * normal).round().max(0.0) as u32;
        }
        let (limit, mut product, mut count) = ((-mean).exp(), self.uniform(), 0);
        while product > limit {
            product *= self.uniform();
            count += 1;
        }
        count
    }
}

/// What happens in one tick, a second.
#[derive(Clone, Copy)]
struct Load {
    home: f64,
    abroad: f64,
    forged: f64,
    robots: f64,
    /// Share of SYNs that the server leaves unanswered.
    dropped: f64,
    /// Share of real clients that give up instead of trying again.
    impatient: f64,
    /// Bots with addresses of their own that send SYNs past their stack, which resets the answer if `resets`.
    raw_bots: f64,
    resets: bool,
    /// The application answers after seconds.
    slow: bool,
    /// It does so behind a quick handshake, and who is impatient leaves.
    slow_pages: bool,
    /// Forged SYNs go to a closed port, which refuses them.
    closed: bool,
    /// Forged addresses are those of clients.
    borrowed: bool,
    /// Forged SYNs that are not answered are sent again, as clients do.
    patient: bool,
    /// Share of answers that a faulty path loses: clients do not finish, or only when they try again.
    lost: f64,
}

const CALM: Load = Load {
    home: 95.0,
    abroad: 5.0,
    forged: 0.0,
    robots: 0.0,
    dropped: 0.0,
    impatient: 0.3,
    raw_bots: 0.0,
    resets: false,
    slow: false,
    slow_pages: false,
    closed: false,
    borrowed: false,
    patient: false,
    lost: 0.0,
};

struct World {
    random: Random,
    tick: u64,
    /// Handshakes answered in this tick that finish in the next.
    next_tick: u32,
    engine: Engine,
    pending: VecDeque<(u64, CohortRecord)>,
    findings: Vec<(u64, Finding)>,
    minutes: Vec<MinuteVerdict>,
    /// Scans look for hosts.
    scanned: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let site = Site { name: "ecole".into(), prefixes: vec!["203.0.113.0/24".parse().unwrap()] };
        let settings =
            Settings { home: vec!["FR".parse().unwrap()], false_alarms_per_week: 1.0, ..Settings::default() };
        Self {
            random: Random(seed),
            tick: START,
            next_tick: 0,
            engine: Engine::new(settings, Arc::new(Policy::new(vec![site], false)), Seed::default()),
            pending: VecDeque::new(),
            findings: Vec::new(),
            minutes: Vec::new(),
            scanned: false,
        }
    }

    fn client(&mut self, home: bool) -> Address {
        let n = self.random.next();
        let first = if home { 80 + (n % 4) as u8 } else { 20 + (n % 8) as u8 };
        // A few thousand addresses come back again and again.
        let last = if self.random.chance(0.5) { 1 } else { (n >> 24) as u8 };
        Address::v4([first, (n >> 8) as u8 % 16, (n >> 16) as u8, last])
    }

    fn forged(&mut self) -> Address {
        Address::v4((self.random.next() as u32).to_be_bytes())
    }

    fn record(&mut self, source: Address, outcome: u8) {
        self.record_at(443, source, outcome);
    }

    fn record_at(&mut self, port: u16, source: Address, outcome: u8) {
        let record = CohortRecord {
            target: Address::v4(HOST),
            source,
            first_syn: Tick::new(self.tick).start(),
            port,
            weight: 1,
            ttl: 57,
            window: 64_240,
            stage: CohortStage::Look,
            outcome: Outcome(outcome),
        };
        self.pending.push_back((self.tick + 4, record));
        self.pending.push_back((self.tick + 14, CohortRecord { stage: CohortStage::Close, ..record }));
    }

    fn contact(&mut self, source: Address, home: bool, robot: bool, stage: ContactStage) -> Contact {
        let size = self.random.next();
        let received = if robot { 9_000 } else { 2_000 << (size % 7) };
        let sent = if robot { 700 } else { 600 + size % 5_000 };
        Contact {
            at: Tick::new(self.tick).start(),
            stage,
            originator: source,
            responder: Address::v4(HOST),
            port: 443,
            protocol: Protocol::TCP,
            country: if home { "FR" } else { "NL" }.parse().unwrap(),
            verified: true,
            age_ms: 1_000,
            sent: Volume { packets: sent / 200, bytes: sent },
            received: Volume { packets: received / 1_000, bytes: received },
            served: true,
            repeated: false,
            weight: 1,
        }
    }

    /// One real client: answered or not, trying again or not.
    fn connect(&mut self, load: &Load, host: &mut HostTick, contacts: &mut Vec<Contact>, home: bool, robot: bool) {
        let source = self.client(home);
        host.syn += 1;
        host.cohort.sampled += 1;
        host.cohort.opened += 1;
        if self.random.chance(load.dropped) {
            let retries = !self.random.chance(load.impatient);
            self.record(source, if retries { Outcome::RETRIED } else { 0 });
            return;
        }
        host.syn_ack += 1;
        host.cohort.answered[0] += 1;
        if self.random.chance(load.lost.max(0.01)) {
            self.record(source, Outcome::ANSWERED);
            return;
        }
        // A fifth of the clients are a tick away.
        if self.random.chance(0.2) {
            self.next_tick += 1;
        } else {
            host.cohort.finished[0] += 1;
        }
        host.verified += 1;
        host.served += 1;
        host.two_sided += 1;
        host.client_data += 1;
        // Classes of powers of two of a millisecond: some ten of them, or some five seconds.
        host.first_byte[if load.slow { 13 } else { 4 }] += 1;
        // A page behind the handshake.
        host.answers[if load.slow_pages { 13 } else { 4 }] += 1;
        host.given_up += u32::from(load.slow_pages && self.random.chance(load.impatient));
        let country: Country = if home { "FR" } else { "NL" }.parse().unwrap();
        match host.verified_from.iter_mut().find(|(of, _)| *of == country) {
            Some(entry) => entry.1 += 1,
            None => host.verified_from.push((country, 1)),
        }
        self.record(source, Outcome::ANSWERED | Outcome::FINISHED | Outcome::CONTINUED);
        contacts.push(self.contact(source, home, robot, ContactStage::Verified));
        let repeated = load.lost > 0.0 && self.random.chance(load.lost);
        contacts.push(Contact { repeated, ..self.contact(source, home, robot, ContactStage::Settled) });
    }

    /// An address that a scan has just found: another one every other second. It answers nobody.
    fn woken(&self) -> HostTick {
        let address = Address::v4([203, 0, 113, 100 + (self.tick / 8 % 150) as u8]);
        let inbound = Volume { packets: 1, bytes: 60 };
        HostTick { address, inbound, syn: 1, ..HostTick::default() }
    }

    fn step(&mut self, load: &Load) {
        let mut host = HostTick { address: Address::v4(HOST), ..HostTick::default() };
        host.cohort.finished[1] = std::mem::take(&mut self.next_tick);
        let mut contacts = Vec::new();
        for (rate, home, robot) in [(load.home, true, false), (load.abroad, false, false), (load.robots, false, true)] {
            for _ in 0..self.random.poisson(rate / 4.0) {
                self.connect(load, &mut host, &mut contacts, home, robot);
            }
        }
        for _ in 0..self.random.poisson(load.forged / 4.0) {
            let source = if load.borrowed { self.client(true) } else { self.forged() };
            host.syn += 1;
            host.cohort.sampled += 1;
            host.cohort.opened += 1;
            if load.closed {
                host.cohort.refused[0] += 1;
                host.rst_out += 1;
                self.record_at(1 + (source.bytes()[15] as u16), source, Outcome::SERVER_RESET);
                continue;
            }
            let answered = !self.random.chance(load.dropped);
            host.cohort.answered[0] += u32::from(answered);
            let unanswered = if load.patient { Outcome::RETRIED } else { 0 };
            self.record(source, if answered { Outcome::ANSWERED } else { unanswered });
        }
        for _ in 0..self.random.poisson(load.raw_bots / 4.0) {
            let n = self.random.next() % 500;
            host.syn += 1;
            host.syn_ack += 1;
            host.cohort.sampled += 1;
            host.cohort.opened += 1;
            host.cohort.answered[0] += 1;
            host.cohort.abandoned[0] += u32::from(load.resets);
            let outcome = if load.resets { Outcome::ANSWERED | Outcome::CLIENT_RESET } else { Outcome::ANSWERED };
            self.record(Address::v4([30, (n / 25) as u8, 0, n as u8]), outcome);
        }
        host.inbound.packets = u64::from(host.syn) * 8 + 1;
        host.verified_from.sort_unstable();
        let tick = Tick::new(self.tick);
        let mut hosts = vec![host];
        hosts.extend(self.scanned.then(|| self.woken()));
        let mut summary = Summary { tick, hosts, contacts, ..Summary::default() };
        let now = self.tick;
        self.pending.retain(|(due, record)| {
            if *due == now {
                summary.cohorts.push(*record);
            }
            *due != now
        });
        let capture = CaptureTick { tick, frames: 100, ..CaptureTick::default() };
        let output = self.engine.observe(&summary, &capture);
        self.findings.extend(output.findings.iter().map(|finding| (now, finding.clone())));
        self.minutes.extend(output.minutes.iter().cloned());
        self.tick += 1;
    }

    fn run(&mut self, seconds: u64, load: &Load) {
        (0..seconds * 4).for_each(|_| self.step(load));
    }

    /// Runs and returns the seconds to the first loud finding of the kind.
    fn run_until_loud(&mut self, seconds: u64, load: &Load, kind: AlertKind) -> Option<f64> {
        let (start, before) = (self.tick, self.findings.len());
        self.run(seconds, load);
        let found = self.findings[before..].iter().find(|(_, f)| f.kind == kind && is_loud(f));
        found.map(|(t, _)| (t - start + 1) as f64 / 4.0)
    }

    fn last(&self, kind: AlertKind) -> &Finding {
        &self.findings.iter().rev().find(|(_, f)| f.kind == kind && f.fires()).expect("a finding of the kind").1
    }

    /// Loud kinds with the first second of each, and how many ticks.
    fn loud(&self) -> Vec<(AlertKind, u64, usize)> {
        let mut loud: Vec<(AlertKind, u64, usize)> = Vec::new();
        for (tick, finding) in self.findings.iter().filter(|(_, f)| is_loud(f)) {
            match loud.iter_mut().find(|(kind, ..)| *kind == finding.kind) {
                Some(entry) => entry.2 += 1,
                None => loud.push((finding.kind, (tick - START) / 4, 1)),
            }
        }
        loud
    }
}

fn is_loud(finding: &Finding) -> bool {
    finding.fires() && finding.severity >= Severity::Warning
}

#[test]
fn an_hour_of_calm_says_nothing() {
    let mut world = World::new(1);
    world.run(3_600, &CALM);
    assert!(world.loud().is_empty(), "{:?}", world.loud());
    assert!(world.minutes.iter().all(|minute| minute.verdict == MinuteKind::Normal));
    assert_eq!(world.minutes.len(), 59);
}

#[test]
fn forged_handshakes_are_found_at_once_without_history() {
    for seed in 0..5 {
        let mut world = World::new(seed);
        world.run(20, &CALM);
        let flood = Load { forged: 400.0, ..CALM };
        let seconds = world.run_until_loud(10, &flood, AlertKind::SynFlood).expect("found");
        assert!(seconds <= 4.0, "found after {seconds} s");
    }
}

#[test]
fn a_flood_is_estimated_with_its_share_and_no_country() {
    for (times, most_seconds) in [(10.0, 2.5), (1.0, 2.5), (0.5, 3.0), (0.3, 4.0)] {
        let mut found = Vec::new();
        for seed in 0..6 {
            let mut world = World::new(100 + seed);
            world.run(300, &CALM);
            let load = Load { forged: 100.0 * times, ..CALM };
            found.push(world.run_until_loud(30, &load, AlertKind::SynFlood).unwrap_or(f64::INFINITY));
            let finding = world.last(AlertKind::SynFlood);
            let share = finding.figures.iter().find(|f| f.name.name() == "attack_share").unwrap();
            let truth = times / (1.0 + times);
            assert!((share.observed - truth).abs() < 0.05, "{times}x: share {} of {truth}", share.observed);
            assert!(finding.spoofed && finding.origins.is_empty() && finding.sources.is_empty());
            assert_eq!(finding.verdict, Some(Verdict::Attack));
        }
        found.sort_by(f64::total_cmp);
        assert!(found[4] <= most_seconds, "{times}x: found after {found:?} s");
    }
}

#[test]
fn a_flood_that_borrows_the_addresses_of_clients_lasts_as_long_as_it_does() {
    let mut world = World::new(21);
    world.run(600, &CALM);
    let flood = Load { forged: 500.0, borrowed: true, ..CALM };
    let found = world.run_until_loud(120, &flood, AlertKind::SynFlood);
    assert!(found.is_some_and(|seconds| seconds <= 6.0), "{found:?}");
    let fires = |(at, finding): &&(u64, Finding)| {
        *at >= world.tick - 400 && finding.kind == AlertKind::SynFlood && is_loud(finding)
    };
    assert_eq!(world.findings.iter().filter(fires).count(), 400, "for the last hundred seconds");
    let minute = world.minutes.last().unwrap();
    assert!((minute.attack_share.value - 5.0 / 6.0).abs() < 0.03, "{minute:?}");
}

#[test]
fn a_flood_with_borrowed_addresses_is_found_below_what_a_surge_is() {
    let mut world = World::new(25);
    for _ in 0..15 {
        world.run(10, &Load { home: 65.0, ..CALM });
        world.run(10, &Load { home: 125.0, ..CALM });
    }
    let flood = Load { forged: 80.0, borrowed: true, ..CALM };
    let found = world.run_until_loud(30, &flood, AlertKind::SynFlood);
    assert!(found.is_some(), "by what comes on top of the usual, since nobody tries again");
    // A path that fails as many of the same clients adds none.
    let mut world = World::new(26);
    world.run(300, &CALM);
    let found = world.run_until_loud(60, &Load { lost: 0.3, ..CALM }, AlertKind::SynFlood);
    assert_eq!(found, None);
}

#[test]
fn a_path_that_loses_answers_to_a_rush_is_no_flood() {
    for lost in [0.3, 0.6, 0.8] {
        let mut world = World::new(22);
        world.run(600, &CALM);
        for (times, lost) in [(2.0, 0.0), (4.0, lost), (6.0, lost)] {
            world.run(40, &Load { home: 95.0 * times, abroad: 5.0 * times, lost, ..CALM });
        }
        assert!(world.loud().is_empty(), "{lost}: {:?}", world.loud());
    }
}

#[test]
fn a_flood_that_fills_a_small_queue_at_once_is_found_by_the_silence_that_follows() {
    let mut world = World::new(23);
    world.run(300, &CALM);
    let flood = Load { forged: 500.0, patient: true, ..CALM };
    (0..2).for_each(|_| world.step(&flood));
    let found = world.run_until_loud(30, &Load { dropped: 0.99, ..flood }, AlertKind::SynFlood);
    assert!(found.is_some_and(|seconds| seconds <= 6.0), "{found:?}");
    assert_eq!(world.last(AlertKind::SynFlood).verdict, Some(Verdict::Attack));
}

#[test]
fn a_crowd_behind_a_path_that_fails_until_the_queue_is_full_is_no_flood() {
    let mut world = World::new(24);
    world.run(300, &CALM);
    let crowd = Load { home: 500.0, lost: 0.95, ..CALM };
    (0..2).for_each(|_| world.step(&crowd));
    let found = world.run_until_loud(30, &Load { dropped: 0.99, ..crowd }, AlertKind::SynFlood);
    assert_eq!(found, None);
}

#[test]
fn bots_with_addresses_of_their_own_are_a_flood_that_is_not_forged() {
    for (resets, times) in [(false, 2.0), (true, 4.0)] {
        let mut world = World::new(150);
        world.run(300, &CALM);
        let load = Load { raw_bots: 100.0 * times, resets, ..CALM };
        let seconds = world.run_until_loud(30, &load, AlertKind::SynFlood).expect("found");
        assert!(seconds <= 6.0, "found after {seconds} s");
        let finding = world.last(AlertKind::SynFlood);
        assert!(!finding.spoofed && finding.origins.is_empty(), "a SYN proves no address: {finding:?}");
        let share = finding.figures.iter().find(|f| f.name.name() == "attack_share").unwrap().observed;
        assert!((share - times / (1.0 + times)).abs() < 0.06, "share {share}");
    }
}

#[test]
fn a_rush_is_a_rush_whatever_the_impatience() {
    for (seed, impatient) in [(1, 0.0), (2, 0.3), (3, 0.6)] {
        let mut world = World::new(200 + seed);
        world.run(240, &CALM);
        for step in 1..=20 {
            let growth = 1.0 + f64::from(step) / 2.0;
            world.run(5, &Load { home: 95.0 * growth, abroad: 5.0 * growth, impatient, ..CALM });
        }
        let full = Load { home: 1_045.0, abroad: 55.0, dropped: 0.7, impatient, ..CALM };
        world.run(120, &full);
        let attacks: Vec<_> = world.loud().into_iter().filter(|(kind, ..)| *kind != AlertKind::Overload).collect();
        assert!(attacks.is_empty(), "impatience {impatient}: {attacks:?}");
        assert!(world.findings.iter().any(|(_, f)| f.kind == AlertKind::Rush && f.fires()), "no rush");
        if impatient < 0.5 {
            let overload = world.last(AlertKind::Overload);
            assert_eq!(overload.verdict, Some(Verdict::Overload));
        }
    }
}

#[test]
fn a_flood_inside_an_overloading_rush_is_mixed() {
    let mut world = World::new(300);
    world.run(240, &CALM);
    for step in 1..=20 {
        let growth = 1.0 + f64::from(step) / 4.0;
        world.run(5, &Load { home: 95.0 * growth, abroad: 5.0 * growth, ..CALM });
    }
    let rush = Load { home: 1_140.0, abroad: 60.0, dropped: 0.5, ..CALM };
    world.run(120, &rush);
    let flood = Load { forged: 1_200.0, ..rush };
    let seconds = world.run_until_loud(60, &flood, AlertKind::SynFlood).expect("found");
    assert!(seconds <= 6.0, "found after {seconds} s");
    let finding = world.last(AlertKind::SynFlood);
    assert_eq!(finding.verdict, Some(Verdict::Mixed), "{finding:?}");
    assert!(world.minutes.iter().any(|minute| minute.verdict == MinuteKind::Overload), "{:?}", world.minutes);
}

/// The share of each full minute in a run that alternates calm, flood and rush is counted from the first handshake on.
#[test]
fn the_attack_share_of_a_minute_is_that_of_its_handshakes() {
    let mut errors = Vec::new();
    for (seed, forged, home) in [(1, 400.0, 95.0), (2, 100.0, 95.0), (3, 900.0, 1_140.0), (4, 300.0, 1_140.0)] {
        let mut world = World::new(320 + seed);
        world.run(240, &CALM);
        let dropped = if home > 1_000.0 { 0.5 } else { 0.0 };
        for step in 1..=20 {
            let growth = 1.0 + (home / 95.0 - 1.0) * f64::from(step) / 20.0;
            world.run(3, &Load { home: 95.0 * growth, abroad: 5.0 * growth, ..CALM });
        }
        let rush = Load { home, abroad: home / 19.0, dropped, ..CALM };
        world.run(60, &rush);
        let before = world.minutes.len();
        // The flood lasts from the twentieth second of one minute to the fortieth of the next but one.
        world.run(20, &rush);
        world.run(140, &Load { forged, ..rush });
        world.run(21, &rush);
        let all = home * (1.0 + 1.0 / 19.0);
        for (minute, seconds) in world.minutes[before + 1..].iter().zip([40.0, 60.0, 40.0]) {
            let truth = forged * seconds / (forged * seconds + all * 60.0);
            let share = minute.attack_share;
            errors.push((share.value - truth).abs());
            assert!(share.low - 0.02 <= truth && truth <= share.high + 0.02, "{truth} outside {share:?}");
        }
    }
    assert_eq!(errors.len(), 12);
    errors.sort_by(f64::total_cmp);
    assert!(errors[6] <= 0.02 && errors[11] <= 0.06, "{errors:?}");
}

#[test]
fn what_is_too_small_to_be_told_is_within_the_interval() {
    for (forged, least, most) in [(0.0, 0.0, 0.01), (4.0, 0.038, 0.06)] {
        let mut world = World::new(27);
        world.run(300, &CALM);
        world.run(240, &Load { forged, ..CALM });
        assert!(world.loud().is_empty(), "{:?}", world.loud());
        let share = world.minutes.last().unwrap().attack_share;
        assert!((share.value, share.low) == (0.0, 0.0) && (least..most).contains(&share.high), "{forged}: {share:?}");
    }
}

#[test]
fn scans_do_not_hide_what_a_site_bears() {
    let mut world = World::new(330);
    world.scanned = true;
    world.run(280, &CALM);
    let borne = world.minutes.last().unwrap().capacity_per_second;
    assert!(borne.is_some_and(|borne| borne >= 0.8 * (CALM.home + CALM.abroad)), "{borne:?}");
}

#[test]
fn robots_from_abroad_are_an_attack_and_their_country_is_named() {
    for times in [1.0, 0.3] {
        let mut world = World::new(400);
        world.run(300, &CALM);
        let load = Load { robots: 100.0 * times, ..CALM };
        let seconds = world.run_until_loud(40, &load, AlertKind::ForeignSurge).expect("found");
        assert!(seconds <= 12.0, "{times}x: found after {seconds} s");
        let finding = world.last(AlertKind::ForeignSurge);
        assert_eq!(finding.origins[0].country.to_string(), "NL");
        assert_eq!(finding.verdict, Some(Verdict::Attack), "{times}x: {:?}", finding.figures);
    }
}

#[test]
fn robots_that_are_turned_away_count_like_those_that_are_taken() {
    let mut world = World::new(25);
    world.run(600, &CALM);
    // For a minute: these robots have the systems that all users have, which shows after that.
    world.run(60, &Load { robots: 700.0, dropped: 0.6, ..CALM });
    world.run(5, &CALM);
    let minute = world.minutes.last().unwrap();
    assert!((minute.attack_share.value - 7.0 / 8.0).abs() < 0.07, "{minute:?}");
    assert_eq!(minute.verdict, MinuteKind::Attack);
    world.run(150, &CALM);
    let after = world.minutes.last().unwrap();
    assert!(after.attack_share.value < 0.01, "{after:?}");
}

#[test]
fn a_genuine_crowd_from_abroad_is_no_alarm() {
    for seed in 0..4 {
        let mut world = World::new(500 + seed);
        world.run(400, &CALM);
        for step in 1..=10 {
            world.run(5, &Load { abroad: 5.0 + 20.0 * f64::from(step), ..CALM });
        }
        world.run(60, &Load { abroad: 205.0, ..CALM });
        assert!(world.loud().is_empty(), "{:?} {:?}", world.loud(), world.last(AlertKind::ForeignSurge).figures);
        assert_eq!(world.last(AlertKind::ForeignSurge).verdict, Some(Verdict::Rush));
    }
}

#[test]
fn a_rush_that_lifts_every_country_is_no_foreign_surge() {
    for seed in 0..4 {
        let mut world = World::new(600 + seed);
        world.run(300, &CALM);
        world.run(120, &Load { home: 950.0, abroad: 55.0, ..CALM });
        assert!(world.loud().is_empty(), "{:?}", world.loud());
    }
}

#[test]
fn an_application_that_answers_late_is_overloaded_in_a_rush_and_at_fault_without_one() {
    for (home, verdict) in [(900.0, Verdict::Overload), (95.0, Verdict::Health)] {
        let mut world = World::new(1_000);
        world.run(300, &CALM);
        let after = world.run_until_loud(40, &Load { home, slow: true, ..CALM }, AlertKind::Overload);
        assert!(after.is_some_and(|seconds| seconds <= 15.0), "{after:?}");
        assert_eq!(world.last(AlertKind::Overload).verdict, Some(verdict));
        assert!(world.loud().iter().all(|(kind, ..)| *kind == AlertKind::Overload), "{:?}", world.loud());
    }
}

#[test]
fn an_overload_stays_one_while_those_who_came_are_still_waiting() {
    let mut world = World::new(1_020);
    world.run(300, &CALM);
    world.run(40, &Load { home: 900.0, slow: true, ..CALM });
    world.run(20, &Load { slow: true, ..CALM });
    let overload = world.last(AlertKind::Overload);
    assert_eq!((overload.fires(), overload.verdict), (true, Some(Verdict::Overload)));
}

#[test]
fn slow_pages_behind_a_quick_handshake_are_told_and_wake_nobody() {
    for (home, verdict) in [(900.0, Verdict::Overload), (95.0, Verdict::Health)] {
        for impatient in [0.05, 0.6] {
            let mut world = World::new(1_010);
            world.run(300, &CALM);
            world.run(40, &Load { home, slow_pages: true, impatient, ..CALM });
            let overload = world.last(AlertKind::Overload);
            assert_eq!((overload.fires(), overload.severity, overload.verdict), (true, Severity::Info, Some(verdict)));
            // Services that delay their answer to a wrong password, and guessers that leave, look the same.
            assert!(world.loud().is_empty(), "{:?}", world.loud());
        }
    }
}

#[test]
fn silence_of_the_server_is_an_outage_and_no_attack() {
    let mut world = World::new(700);
    world.run(300, &CALM);
    world.run(40, &Load { dropped: 1.0, ..CALM });
    let kinds: Vec<AlertKind> = world.loud().into_iter().map(|(kind, ..)| kind).collect();
    assert!(kinds.contains(&AlertKind::Outage), "{kinds:?}");
    assert!(!kinds.contains(&AlertKind::SynFlood), "{kinds:?}");
    assert_eq!(world.last(AlertKind::Outage).verdict, Some(Verdict::Health));
}

#[test]
fn few_people_among_as_many_scanners_as_ever_are_no_outage() {
    // Forged SYNs of two a second are answered and never finished, as a scanner's are.
    for seed in 701..707 {
        let day = Load { home: 3.0, abroad: 0.1, forged: 2.0, ..CALM };
        let mut world = World::new(seed);
        world.run(300, &day);
        world.run(60, &Load { home: 0.2, abroad: 0.0, ..day });
        assert!(world.loud().is_empty(), "{:?}", world.loud());
    }
}

#[test]
fn a_flood_at_closed_ports_is_found_beside_a_service_that_goes_on() {
    let mut world = World::new(900);
    world.run(300, &CALM);
    let closed = Load { forged: 500.0, closed: true, ..CALM };
    let after = world.run_until_loud(20, &closed, AlertKind::SynFlood).expect("found");
    assert!(after <= 4.0, "{after}");
    let finding = world.last(AlertKind::SynFlood);
    assert_eq!((finding.verdict, finding.spoofed), (Some(Verdict::Attack), true));
    let few = Load { forged: 12.0, closed: true, ..CALM };
    let mut radiation = World::new(901);
    radiation.run(300, &CALM);
    let found = radiation.run_until_loud(120, &few, AlertKind::SynFlood);
    assert_eq!(found, None, "what scans the world is no flood: {:?}", radiation.last(AlertKind::SynFlood));
}

#[test]
fn a_flood_at_a_host_that_does_not_answer_is_found() {
    let mut world = World::new(800);
    let dead = Load { home: 0.0, abroad: 0.0, forged: 500.0, dropped: 1.0, ..CALM };
    assert!(world.run_until_loud(30, &dead, AlertKind::SynFlood).is_some());
}
