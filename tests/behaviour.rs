//! Crowds and robots against the engine, by flows: visits that open connection after connection, schools behind one
//! address, apps that poll, machines that take turns. No packets, so that many mornings run in seconds; written apart from
//! the packet generator, so that a detector that only knows one of them would show.

#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "random bits are cut into bytes")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use vigie::address::Address;
use vigie::capture::CaptureTick;
use vigie::country::Country;
use vigie::detect::engine::{Engine, Settings};
use vigie::detect::finding::Finding;
use vigie::hash::Seed;
use vigie::kind::{AlertKind, Severity, Verdict};
use vigie::packet::Protocol;
use vigie::policy::{Policy, Site};
use vigie::summary::{CohortRecord, CohortStage, Contact, ContactStage, HostTick, Outcome, Summary, Volume};
use vigie::time::Tick;

#[path = "origin/mmdb_writer.rs"]
mod mmdb_writer;
use mmdb_writer::Value;

const START: u64 = 1_617_699_600 * 4;
const HOST: [u8; 4] = [203, 0, 113, 10];
const ABROAD: [&str; 60] = [
    "BE", "DE", "ES", "GB", "IT", "CH", "NL", "US", "PT", "LU", "PL", "RO", "SE", "CA", "DZ", "TN", "SN", "CI", "BR",
    "RU", "CN", "IN", "VN", "ID", "UA", "TR", "IR", "TH", "MX", "AR", "CL", "CO", "PE", "ZA", "NG", "EG", "KE", "GH",
    "PK", "BD", "PH", "MY", "SG", "JP", "KR", "TW", "HK", "AU", "NZ", "IL", "SA", "AE", "KZ", "GR", "CZ", "HU", "BG",
    "RS", "FI", "NO",
];

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

    fn below(&mut self, n: u32) -> u32 {
        (self.next() % u64::from(n)) as u32
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.uniform()).ln()
    }

    fn poisson(&mut self, mean: f64) -> u32 {
        if mean > 30.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0) as u32;
        }
        let (limit, mut product, mut count) = ((-mean).exp(), self.uniform(), 0);
        while product > limit {
            product *= self.uniform();
            count += 1;
        }
        count
    }
}

/// People who come.
#[derive(Clone, Copy)]
struct People {
    /// Connections a second.
    rate: f64,
    /// Share from abroad.
    abroad: f64,
    /// Mean connections of a visit.
    pages: f64,
    /// Share of visits from networks that never came before.
    strangers: f64,
    /// Share of visits from schools, each behind one address.
    schools: f64,
    /// Share of connections that open one and the same new page.
    new_page: f64,
    /// Share of visits by an app that opens the same small connection every few seconds.
    app: f64,
}

const USUAL: People =
    People { rate: 100.0, abroad: 0.05, pages: 5.0, strangers: 0.1, schools: 0.2, new_page: 0.0, app: 0.05 };

/// Machines that take turns.
#[derive(Clone, Copy)]
struct Robots {
    rate: f64,
    machines: u32,
    /// Countries they are in; none is home.
    countries: u32,
    /// By how much the size of what they ask for and get varies, as the spread of its logarithm.
    varied: f64,
}

const ROBOTS: Robots = Robots { rate: 100.0, machines: 400, countries: 0, varied: 0.0 };

#[derive(Clone, Copy)]
enum Habit {
    Browser { new_page: f64 },
    App,
    Robot { varied: f64 },
}

#[derive(Clone, Copy)]
struct Visit {
    source: Address,
    country: Country,
    left: u32,
    habit: Habit,
    /// Time to live and window of its SYNs.
    system: (u8, u16),
}

/// Systems that people have: desktops, phones, a few old ones.
const SYSTEMS: [(u8, u16); 8] =
    [(117, 64_240), (117, 64_240), (117, 64_240), (117, 8_192), (53, 65_535), (53, 65_535), (53, 64_240), (53, 29_200)];

/// What a tool runs on.
const TOOL: (u8, u16) = (49, 64_240);

struct World {
    random: Random,
    tick: u64,
    noise: f64,
    visits: BTreeMap<u64, Vec<Visit>>,
    settling: BTreeMap<u64, Vec<Contact>>,
    records: BTreeMap<u64, Vec<CohortRecord>>,
    turn: u32,
    /// Share of connections that the server leaves unanswered.
    dropped: f64,
    engine: Engine,
    findings: Vec<(u64, Finding)>,
}

fn engine() -> Engine {
    let site = Site { name: "ecole".into(), prefixes: vec!["203.0.113.0/24".parse().unwrap()] };
    let settings = Settings { home: vec!["FR".parse().unwrap()], false_alarms_per_week: 1.0, ..Settings::default() };
    Engine::new(settings, Arc::new(Policy::new(vec![site], false)), Seed::default())
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            random: Random(seed.wrapping_mul(0x1234_5678_9abc_def1)),
            tick: START,
            noise: 0.0,
            visits: BTreeMap::new(),
            settling: BTreeMap::new(),
            records: BTreeMap::new(),
            turn: 0,
            dropped: 0.0,
            engine: engine(),
            findings: Vec::new(),
        }
    }

    /// A visit begins. Home networks lie in 80/8 and 90/8, those of strangers in 100/8, schools in 84/8; each country abroad has its
    /// own /16s.
    fn come(&mut self, people: &People) {
        let r = self.random.next();
        let [a, b, c] = [(r >> 8) as u8, (r >> 16) as u8, (r >> 24) as u8];
        let stranger = self.random.chance(people.strangers);
        let (source, country) = if self.random.chance(people.abroad) {
            // The first countries send most visitors.
            let place = ((self.random.uniform().powi(3)) * 60.0) as usize;
            let network = if stranger { 128 | a } else { a % 16 };
            (Address::v4([20 + place as u8, network, b % 8, c]), ABROAD[place])
        } else if self.random.chance(people.schools) {
            (Address::v4([84, 0, a % 40, 1]), "FR")
        } else if stranger {
            (Address::v4([100, a, b, c]), "FR")
        } else {
            (Address::v4([80 + 10 * (a % 2), b % 16, c, (r >> 32) as u8 % 32]), "FR")
        };
        let app = self.random.chance(people.app);
        let habit = if app { Habit::App } else { Habit::Browser { new_page: people.new_page } };
        let left = 1 + self.random.exponential(people.pages - 0.5).floor() as u32;
        let system = SYSTEMS[self.random.below(8) as usize];
        let visit = Visit { source, country: country.parse().unwrap(), left, habit, system };
        self.visits.entry(self.tick).or_default().push(visit);
    }

    fn send(&mut self, robots: &Robots) {
        self.turn += 1 + self.random.below(2);
        let machine = self.turn % robots.machines;
        let [_, _, b, c] = machine.to_be_bytes();
        let (source, country) = match robots.countries {
            0 => (Address::v4([92, 7 + b, c, 77]), "FR"),
            // From the far end of the list, where few visitors come from.
            n => {
                let place = 59 - (machine % n) as usize;
                (Address::v4([20 + place as u8, 200, b, c]), ABROAD[place])
            }
        };
        let habit = Habit::Robot { varied: robots.varied };
        let visit = Visit { source, country: country.parse().unwrap(), left: 1, habit, system: TOOL };
        self.visits.entry(self.tick).or_default().push(visit);
    }

    /// Bytes in and out of a connection.
    fn sizes(&mut self, habit: Habit) -> (f64, f64) {
        let mut around = |middle: f64, spread: f64| middle * (spread * self.random.normal()).exp();
        match habit {
            Habit::App => (around(900.0, 0.02), around(1_500.0, 0.05)),
            Habit::Robot { varied } => (around(1_100.0, varied), around(4_300.0, varied)),
            Habit::Browser { new_page } => {
                let (asked, brought) = (around(1_400.0, 0.5), around(3_000.0, 0.3));
                let pages = 400.0 / self.random.uniform().powf(0.85);
                // Whoever opens the new page gets the same bytes, but asks with cookies of his own.
                let page = if self.random.chance(new_page) { 23_000.0 } else { pages.min(200e3) };
                (asked, brought + page)
            }
        }
    }

    fn open(&mut self, visit: Visit, host: &mut HostTick, contacts: &mut Vec<Contact>) {
        let wait = match visit.habit {
            Habit::App => 20,
            _ if self.random.chance(0.5) => 1,
            _ => 1 + (4.0 * self.random.exponential(4.0)) as u64,
        };
        if visit.left > 1 {
            self.visits.entry(self.tick + wait).or_default().push(Visit { left: visit.left - 1, ..visit });
        }
        host.syn += 1;
        host.cohort.sampled += 1;
        host.cohort.opened += 1;
        if self.random.chance(self.dropped) {
            return;
        }
        host.syn_ack += 1;
        host.cohort.answered[0] += 1;
        host.cohort.finished[0] += 1;
        host.verified += 1;
        host.served += 1;
        host.two_sided += 1;
        host.client_data += 1;
        match host.verified_from.iter_mut().find(|(country, _)| *country == visit.country) {
            Some(entry) => entry.1 += 1,
            None => host.verified_from.push((visit.country, 1)),
        }
        let (asked, brought) = self.sizes(visit.habit);
        let offset = Duration::from_nanos(self.random.next() % 250_000_000);
        let contact = Contact {
            at: Tick::new(self.tick).start().plus(offset),
            stage: ContactStage::Verified,
            originator: visit.source,
            responder: Address::v4(HOST),
            port: 443,
            protocol: Protocol::TCP,
            country: visit.country,
            verified: true,
            age_ms: 30,
            sent: Volume::default(),
            received: Volume::default(),
            served: false,
            repeated: false,
            weight: 1,
        };
        contacts.push(contact);
        let record = CohortRecord {
            target: Address::v4(HOST),
            source: visit.source,
            first_syn: contact.at,
            port: 443,
            weight: 1,
            ttl: visit.system.0,
            window: visit.system.1,
            stage: CohortStage::Look,
            outcome: Outcome(Outcome::ANSWERED | Outcome::FINISHED | Outcome::CONTINUED),
        };
        self.records.entry(self.tick + 4).or_default().push(record);
        let settled = Contact {
            stage: ContactStage::Settled,
            sent: Volume { packets: 6 + (brought / 2_800.0) as u64, bytes: asked as u64 },
            received: Volume { packets: 5 + (brought / 1_400.0) as u64, bytes: brought as u64 },
            served: true,
            ..contact
        };
        let later = if matches!(visit.habit, Habit::Browser { .. }) { 2 + u64::from(self.random.below(30)) } else { 2 };
        self.settling.entry(self.tick + later).or_default().push(settled);
    }

    fn step(&mut self, people: &[People], robots: &[Robots]) {
        self.noise = 0.97 * self.noise + 0.02 * self.random.normal();
        for people in people {
            for _ in 0..self.random.poisson(people.rate * self.noise.exp() / people.pages / 4.0) {
                self.come(people);
            }
        }
        for robots in robots {
            for _ in 0..self.random.poisson(robots.rate / 4.0) {
                self.send(robots);
            }
        }
        let mut host = HostTick { address: Address::v4(HOST), ..HostTick::default() };
        let mut contacts = self.settling.remove(&self.tick).unwrap_or_default();
        for visit in self.visits.remove(&self.tick).unwrap_or_default() {
            self.open(visit, &mut host, &mut contacts);
        }
        host.inbound.packets = u64::from(host.syn) * 8 + 1;
        host.verified_from.sort_unstable();
        let tick = Tick::new(self.tick);
        let cohorts = self.records.remove(&self.tick).unwrap_or_default();
        let mut summary = Summary { tick, hosts: vec![host], contacts, cohorts, ..Summary::default() };
        summary.sort();
        let output = self.engine.observe(&summary, &CaptureTick { tick, frames: 100, ..CaptureTick::default() });
        self.findings.extend(output.findings.iter().map(|finding| (self.tick, finding.clone())));
        self.tick += 1;
    }

    fn run(&mut self, seconds: u64, people: &[People], robots: &[Robots]) {
        (0..seconds * 4).for_each(|_| self.step(people, robots));
    }

    /// Runs and returns the seconds to the first loud finding of the kinds.
    fn found_after(&mut self, seconds: u64, robots: Robots, usual: People, kinds: &[AlertKind]) -> f64 {
        let (start, before) = (self.tick, self.findings.len());
        self.run(seconds, &[usual], &[robots]);
        let found = self.findings[before..].iter().find(|(_, f)| kinds.contains(&f.kind) && is_loud(f));
        found.map_or(f64::INFINITY, |(tick, _)| (tick - start + 1) as f64 / 4.0)
    }

    fn loud(&self) -> Vec<(AlertKind, u64)> {
        let mut loud: Vec<(AlertKind, u64)> = Vec::new();
        for (tick, finding) in self.findings.iter().filter(|(_, f)| is_loud(f)) {
            if loud.iter().all(|(kind, _)| *kind != finding.kind) {
                loud.push((finding.kind, (tick - START) / 4));
            }
        }
        loud
    }

    fn last(&self, kind: AlertKind) -> Option<&Finding> {
        self.findings.iter().rev().find(|(_, f)| f.kind == kind && f.fires()).map(|(_, finding)| finding)
    }

    fn explain(&self) -> String {
        let told = |f: &Finding| {
            let figures: Vec<String> = f
                .figures
                .iter()
                .map(|f| format!("{} {:.2}/{:.2}", f.name, f.observed, f.expected.unwrap_or(-1.0)))
                .collect();
            let weights: Vec<String> = f.settings.iter().map(|(n, v)| format!("{n} {v:.2}")).collect();
            format!("{} {:?} {:.1} {}\n    {}", f.kind, f.verdict, f.score, figures.join(" "), weights.join(" "))
        };
        let mut kinds: BTreeMap<AlertKind, &Finding> = BTreeMap::new();
        for (_, finding) in self.findings.iter().filter(|(_, f)| f.fires()) {
            kinds.insert(finding.kind, finding);
        }
        kinds.values().map(|finding| told(finding)).collect::<Vec<_>>().join("\n  ")
    }
}

fn is_loud(finding: &Finding) -> bool {
    finding.fires() && finding.severity >= Severity::Warning
}

/// The p-th of sorted delays, 0 to 1.
fn quantile(delays: &mut [f64], p: f64) -> f64 {
    delays.sort_by(f64::total_cmp);
    delays[((delays.len() - 1) as f64 * p).ceil() as usize]
}

#[test]
fn robots_from_home_inside_ordinary_traffic_are_found() {
    for (times, median, slowest) in [(1.0, 15.0, 40.0), (0.5, 30.0, 90.0)] {
        let mut delays = Vec::new();
        for seed in 0..4 {
            for machines in [400, 40] {
                let mut world = World::new(seed);
                world.run(300, &[USUAL], &[]);
                let robots = Robots { rate: times * USUAL.rate, machines, ..ROBOTS };
                delays.push(world.found_after(90, robots, USUAL, &[AlertKind::RoboticSurge]));
                let found = world.last(AlertKind::RoboticSurge).unwrap_or_else(|| panic!("{}", world.explain()));
                assert_eq!(found.verdict, Some(Verdict::Attack));
                assert_eq!(found.origins[0].country.to_string(), "FR");
                assert!(world.last(AlertKind::ForeignSurge).is_none());
            }
        }
        assert!(quantile(&mut delays, 0.5) <= median && quantile(&mut delays, 0.95) <= slowest, "{times}x: {delays:?}");
    }
}

#[test]
fn robots_from_home_and_abroad_together_are_found() {
    let mut world = World::new(5);
    world.run(300, &[USUAL], &[]);
    world.run(40, &[USUAL], &[Robots { rate: 60.0, ..ROBOTS }, Robots { rate: 60.0, countries: 20, ..ROBOTS }]);
    let attack =
        world.findings.iter().find(|(_, finding)| is_loud(finding) && finding.verdict == Some(Verdict::Attack));
    let at = attack.map(|(tick, _)| (tick - START) / 4);
    assert!(at.is_some_and(|at| at <= 315), "{at:?} {}", world.explain());
}

#[test]
fn robots_from_abroad_are_one_alert_and_the_country_is_right() {
    for (times, countries, slowest) in
        [(1.0, 1, 6.0), (1.0, 10, 6.0), (1.0, 60, 6.0), (0.1, 1, 25.0), (0.1, 10, 25.0), (0.1, 60, 25.0)]
    {
        for seed in 0..2 {
            let mut world = World::new(40 + seed);
            world.run(300, &[USUAL], &[]);
            let robots = Robots { rate: times * USUAL.rate, countries, ..ROBOTS };
            let delay = world.found_after(30, robots, USUAL, &[AlertKind::ForeignSurge]);
            assert!(delay <= slowest, "{times}x from {countries}: {delay} s {}", world.explain());
            let found = world.last(AlertKind::ForeignSurge).unwrap();
            if countries == 1 {
                assert_eq!(found.origins[0].country.to_string(), "NO");
            }
            assert!(world.last(AlertKind::RoboticSurge).is_none(), "{}", world.explain());
        }
    }
}

#[test]
fn what_is_left_of_a_surge_from_abroad_is_no_robots_from_home() {
    for seed in 0..8 {
        let mut world = World::new(60 + seed);
        world.run(300, &[USUAL], &[]);
        world.run(40, &[USUAL], &[Robots { rate: 40.0, countries: 3, ..ROBOTS }]);
        let end = world.tick;
        // People come in half as many again, so that what is left abroad is the smaller part.
        world.run(60, &[USUAL, People { rate: 0.5 * USUAL.rate, ..USUAL }], &[]);
        assert!(world.last(AlertKind::ForeignSurge).is_some());
        let robotic = |f: &Finding| f.kind == AlertKind::RoboticSurge && f.fires();
        let after = world.findings.iter().filter(|(tick, f)| *tick >= end && robotic(f)).count();
        assert_eq!(after, 0, "seed {seed}: {}", world.explain());
    }
}

#[test]
fn a_surge_from_abroad_needs_more_than_one_source() {
    let usual = People { abroad: 0.0, ..USUAL };
    for (machines, is_surge) in [(1, false), (20, true)] {
        let mut world = World::new(70);
        world.run(300, &[usual], &[]);
        world.run(60, &[usual], &[Robots { rate: 15.0, machines, countries: 1, ..ROBOTS }]);
        let loud = world.loud().iter().any(|(kind, _)| *kind == AlertKind::ForeignSurge);
        assert_eq!(loud, is_surge, "{machines} machines: {}", world.explain());
    }
}

fn crowds() -> Vec<(&'static str, People)> {
    let crowd = People { rate: 900.0, ..USUAL };
    vec![
        ("of regulars", crowd),
        ("of strangers, as on a launch day", People { strangers: 0.95, ..crowd }),
        ("of short visits", People { pages: 1.5, ..crowd }),
        ("of schools", People { schools: 0.8, ..crowd }),
        ("for one new page", People { new_page: 0.5, ..crowd }),
        ("for exam results", People { new_page: 0.4, pages: 1.8, strangers: 0.9, ..crowd }),
        ("that is small", People { rate: 120.0, new_page: 0.4, pages: 1.8, strangers: 0.9, ..crowd }),
        ("that reloads", People { pages: 12.0, ..crowd }),
    ]
}

/// Runs a crowd after five minutes of the usual, at once or within a minute, at a server that bears it or not.
fn crowd_comes(seed: u64, usual: People, crowd: People, ramp: u32, dropped: f64) -> World {
    let mut world = World::new(seed);
    world.run(300, &[usual], &[]);
    for step in 1..=ramp / 5 {
        let part = f64::from(step) / f64::from(ramp / 5);
        world.run(5, &[usual, People { rate: crowd.rate * part, ..crowd }], &[]);
    }
    world.dropped = dropped;
    world.run(60, &[usual, crowd], &[]);
    world
}

#[test]
fn no_crowd_is_called_robots_however_it_comes() {
    for (place, (name, crowd)) in crowds().into_iter().enumerate() {
        for (ramp, dropped) in [(0, 0.0), (0, 0.6), (60, 0.0)] {
            let world = crowd_comes(1_000 + place as u64, USUAL, crowd, ramp, dropped);
            let alarms: Vec<_> = world.loud().into_iter().filter(|(kind, _)| *kind != AlertKind::Overload).collect();
            assert!(
                alarms.is_empty(),
                "crowd {name}, within {ramp} s, {dropped} dropped: {alarms:?} {}",
                world.explain()
            );
        }
    }
}

#[test]
fn a_crowd_that_does_one_thing_only_is_no_robots() {
    // Results at ten o'clock: everybody opens one and the same new page.
    let results = People { rate: 900.0, pages: 1.5, app: 0.0, new_page: 1.0, schools: 0.0, ..USUAL };
    for seed in 0..6 {
        let world = crowd_comes(1_700 + seed, USUAL, results, 0, 0.0);
        assert!(world.loud().is_empty(), "{seed}: {:?} {}", world.loud(), world.explain());
        assert!(world.last(AlertKind::Rush).is_some(), "{seed}");
    }
}

#[test]
fn a_crowd_of_an_app_that_most_use_anyway_is_no_robots() {
    let usual = People { app: 0.6, ..USUAL };
    for ramp in [0, 60] {
        let world = crowd_comes(2_000, usual, People { rate: 900.0, app: 0.8, ..usual }, ramp, 0.0);
        assert!(world.loud().is_empty(), "{:?} {}", world.loud(), world.explain());
    }
}

#[test]
fn twenty_crowds_that_lift_every_country_are_no_surge_from_abroad() {
    for seed in 0..20 {
        let elasticity = 0.3 + 0.04 * seed as f64;
        let crowd = People { rate: 500.0, abroad: USUAL.abroad * elasticity, ..USUAL };
        let world = crowd_comes(3_000 + seed, USUAL, crowd, 30 * (seed as u32 % 3), 0.0);
        assert!(world.loud().is_empty(), "{:?} {}", world.loud(), world.explain());
    }
}

#[test]
fn a_rush_of_three_times_the_usual_is_named_at_a_small_site() {
    let usual = People { rate: 20.0, ..USUAL };
    let mut named = 0;
    for seed in 0..4 {
        let world = crowd_comes(4_000 + seed, usual, People { rate: 40.0, ..usual }, 0, 0.0);
        assert!(world.loud().is_empty(), "{:?}", world.loud());
        named += usize::from(world.last(AlertKind::Rush).is_some());
    }
    assert!(named >= 3, "{named} of 4");
}

#[test]
fn the_autonomous_system_of_a_surge_is_named() {
    let system = |number| Value::Map(vec![("autonomous_system_number", Value::U32(number))]);
    let file =
        mmdb_writer::mmdb("test-ASN", 1_700_000_000, &[("0.0.0.0/0", system(64_496)), ("79.0.0.0/8", system(64_511))]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("asn.mmdb");
    std::fs::write(&path, file).unwrap();
    let settings = vigie::origin::Settings { asn: Some(path), ..vigie::origin::Settings::default() };
    let origins = Arc::new(vigie::origin::Origins::load(&settings).unwrap());
    let mut world = World::new(9);
    world.engine = engine().with_origins(&origins);
    world.run(300, &[USUAL], &[]);
    world.run(20, &[USUAL], &[Robots { countries: 1, ..ROBOTS }]);
    let found = world.last(AlertKind::ForeignSurge).unwrap();
    assert_eq!(found.origins[0].asn, Some(64_511));
    let share = found.figures.iter().find(|figure| figure.name.name() == "system_share").unwrap();
    assert!(share.observed > 0.9, "{share:?}");
}
