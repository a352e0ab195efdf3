//! Connections used up: bots that say nothing, requests never finished, answers never read, and what only looks like it.
//!
//! Ticks are made by hand, as a shard would have counted them.

#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rates are small and positive")]

use std::collections::VecDeque;
use std::sync::Arc;

use vigie::address::Address;
use vigie::alert::{Alert, Book, Event};
use vigie::capture::CaptureTick;
use vigie::detect::engine::{Engine, Settings};
use vigie::hash::Seed;
use vigie::kind::{AlertKind, Severity, Verdict};
use vigie::packet::Protocol;
use vigie::policy::{Policy, Site};
use vigie::summary::{Contact, ContactStage, HostTick, Summary, Volume};
use vigie::time::Tick;

const START: u64 = 1_617_699_600 * 4;
const HOST: [u8; 4] = [203, 0, 113, 10];

/// What happens, a second. People's connections last two seconds; a part of them are spare sockets that idle for twenty.
#[derive(Clone, Copy)]
struct Load {
    people: f64,
    spare: f64,
    /// Bots that connect and say nothing.
    silent_bots: f64,
    /// Requests that are begun and never finished, from a few sources or from many.
    unfinished: f64,
    unfinished_sources: u64,
    /// They go on in slow pieces, the third of which comes at thirty seconds.
    dripping: bool,
    /// Clients that stop reading.
    blocked: f64,
    /// Part of the people that the server leaves waiting for twenty seconds.
    stuck: f64,
}

const CALM: Load = Load {
    people: 100.0,
    spare: 0.08,
    silent_bots: 0.0,
    unfinished: 0.0,
    unfinished_sources: 40,
    dripping: false,
    blocked: 0.2,
    stuck: 0.0,
};

/// What ends later: (tick, connections ended, waiting ended, blocked ended).
type Later = VecDeque<(u64, u32, u32, u32)>;

struct World {
    tick: u64,
    engine: Engine,
    book: Book,
    later: Later,
    /// Contacts and counters that become known later.
    ripening: VecDeque<(u64, HostTick, Vec<Contact>)>,
    fraction: [f64; 6],
    lines: Vec<Alert>,
    serial: u64,
}

impl World {
    fn new() -> Self {
        let site = Site { name: "ecole".into(), prefixes: vec!["203.0.113.0/24".parse().unwrap()] };
        let settings =
            Settings { home: vec!["FR".parse().unwrap()], false_alarms_per_week: 1.0, ..Settings::default() };
        Self {
            tick: START,
            engine: Engine::new(settings, Arc::new(Policy::new(vec![site], false)), Seed::default()),
            book: Book::new(vigie::alert::Settings::default()),
            later: Later::new(),
            ripening: VecDeque::new(),
            fraction: [0.0; 6],
            lines: Vec::new(),
            serial: 0,
        }
    }

    /// Whole connections of this tick at a rate, the rest kept for the next.
    fn take(&mut self, slot: usize, rate: f64) -> u32 {
        let due = self.fraction[slot] + rate / 4.0;
        self.fraction[slot] = due.fract();
        due as u32
    }

    fn contact(&mut self, source: [u8; 4], served: bool, age_ms: u32) -> Contact {
        Contact {
            at: Tick::new(self.tick).start(),
            stage: ContactStage::Settled,
            originator: Address::v4(source),
            responder: Address::v4(HOST),
            port: 443,
            protocol: Protocol::TCP,
            country: if source[0] == 80 { "FR" } else { "NL" }.parse().unwrap(),
            verified: true,
            age_ms,
            sent: Volume { packets: 4, bytes: 700 },
            received: Volume { packets: 4, bytes: if served { 9_000 } else { 240 } },
            served,
            repeated: false,
            weight: 1,
        }
    }

    /// A few thousand people, a twentieth of them behind the router of one school.
    fn person(&mut self) -> [u8; 4] {
        self.serial += 1;
        let n = self.serial.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        if n.is_multiple_of(20) { [80, 1, 1, 1] } else { [80, 2, (n >> 8) as u8 % 16, n as u8] }
    }

    /// Opens connections that end after `ticks`, having waited or been blocked from `since` on.
    fn open(&mut self, host: &mut HostTick, count: u32, ticks: u64, waits: Option<u64>, blocks: bool) {
        host.verified += count;
        host.two_sided += count;
        let (waiting, blocked) = (if waits.is_some() { count } else { 0 }, if blocks { count } else { 0 });
        self.later.push_back((self.tick + ticks, count, waiting, blocked));
        if let Some(after) = waits {
            let mut began = HostTick::default();
            began.connections.waiting_began = count;
            self.ripening.push_back((self.tick + after, began, Vec::new()));
        }
        host.connections.blocked_began += blocked;
    }

    fn ripen(&mut self, after: u64, count: u32, empty: bool, contacts: Vec<Contact>) {
        let mut ripe = HostTick::default();
        ripe.connections.ripe = count;
        ripe.connections.empty = if empty { count } else { 0 };
        self.ripening.push_back((self.tick + after, ripe, contacts));
    }

    fn step(&mut self, load: &Load) {
        let mut host = HostTick { address: Address::v4(HOST), ..HostTick::default() };
        let served = self.take(0, load.people * (1.0 - load.spare) * (1.0 - load.stuck));
        let spare = self.take(1, load.people * load.spare);
        let stuck = self.take(2, load.people * (1.0 - load.spare) * load.stuck);
        let bots = self.take(3, load.silent_bots);
        let unfinished = self.take(4, load.unfinished);
        let blocked = self.take(5, load.blocked);
        self.open(&mut host, served, 8, None, false);
        self.open(&mut host, spare, 80, Some(40), false);
        self.open(&mut host, stuck, 80, Some(40), false);
        self.open(&mut host, bots, 20, None, false);
        self.open(&mut host, unfinished, 1_200, Some(40), false);
        if load.dripping {
            let mut drips = HostTick::default();
            drips.connections.dripping_began = unfinished;
            self.ripening.push_back((self.tick + 120, drips, Vec::new()));
        }
        self.open(&mut host, blocked, 400, None, true);
        host.served = served + blocked;
        let contacts = (0..served).map(|_| self.person()).collect::<Vec<_>>();
        let contacts = contacts.into_iter().map(|source| self.contact(source, true, 2_000)).collect();
        self.ripen(8, served, false, contacts);
        let contacts = (0..spare + stuck).map(|_| self.person()).collect::<Vec<_>>();
        let contacts: Vec<_> = contacts.into_iter().map(|source| self.contact(source, false, 10_000)).collect();
        self.ripen(20, stuck, false, Vec::new());
        self.ripen(20, spare, true, Vec::new());
        self.ripen(80, 0, false, at(ContactStage::NotWaiting, &contacts));
        self.ripen(40, 0, false, [at(ContactStage::Waiting, &contacts), contacts].concat());
        let contacts = (0..bots).map(|n| self.contact([20, 0, 0, (n % 8) as u8], false, 5_000)).collect();
        self.ripen(20, bots, true, contacts);
        let (serial, sources) = (self.serial, load.unfinished_sources);
        self.serial += u64::from(unfinished);
        let source = |n: u32| {
            let n = (serial + u64::from(n)) % sources;
            [20, 1, (n >> 8) as u8, n as u8]
        };
        let contacts: Vec<_> = (0..unfinished).map(|n| self.contact(source(n), false, 10_000)).collect();
        self.ripen(20, unfinished, false, Vec::new());
        self.ripen(40, 0, false, [at(ContactStage::Waiting, &contacts), contacts].concat());
        let contacts: Vec<_> = (0..blocked).map(|n| self.contact([20, 2, 0, n as u8], true, 10_000)).collect();
        self.ripen(0, 0, false, at(ContactStage::Blocked, &contacts));
        self.ripen(40, blocked, false, contacts);
        self.finish(host);
    }

    fn finish(&mut self, mut host: HostTick) {
        let (tick, now) = (Tick::new(self.tick), self.tick);
        let mut contacts = Vec::new();
        self.ripening.retain(|(due, part, known)| {
            if *due == now {
                host.add(part);
                contacts.extend(known.iter().copied());
            }
            *due != now
        });
        self.later.retain(|(due, ended, waiting, blocked)| {
            if *due == now {
                host.connections.ended += ended;
                host.connections.waiting_ended += waiting;
                host.connections.blocked_ended += blocked;
            }
            *due != now
        });
        let opened = host.verified;
        host.syn = opened;
        host.syn_ack = opened;
        host.cohort.sampled = opened;
        host.cohort.opened = opened;
        host.cohort.answered[0] = opened;
        host.cohort.finished[0] = opened;
        host.inbound.packets = u64::from(opened) * 8 + 1;
        let summary = Summary { tick, hosts: vec![host], contacts, ..Summary::default() };
        let output = self.engine.observe(&summary, &CaptureTick { tick, frames: 100, ..CaptureTick::default() });
        self.lines.extend(self.book.observe(tick, &output.findings));
        self.tick += 1;
    }

    fn run(&mut self, seconds: u64, load: &Load) -> &mut Self {
        (0..seconds * 4).for_each(|_| self.step(load));
        self
    }

    fn exhaustion(&self) -> Vec<&Alert> {
        self.lines.iter().filter(|line| line.kind == AlertKind::ConnectionExhaustion).collect()
    }

    fn loud(&self) -> Vec<String> {
        let loud = self.lines.iter().filter(|line| line.severity > Severity::Info);
        loud.map(|line| format!("{} {}", line.kind, line.why)).collect()
    }
}

/// The same connections at another stage.
fn at(stage: ContactStage, contacts: &[Contact]) -> Vec<Contact> {
    contacts.iter().map(|contact| Contact { stage, ..*contact }).collect()
}

/// The opening line, and how long after the tick `since` it came, in seconds.
fn opening(world: &World, since: u64) -> (&Alert, f64) {
    let first = world.exhaustion().into_iter().find(|line| line.event == Event::Open).expect("an alert");
    (first, first.at.since(Tick::new(since).start()).as_secs_f64())
}

#[test]
fn bots_that_connect_and_say_nothing_are_found_and_named() {
    for bots in [100.0, 400.0] {
        let mut world = World::new();
        world.run(300, &CALM);
        assert_eq!(world.loud(), [""; 0]);
        let start = world.tick;
        world.run(60, &Load { silent_bots: bots, ..CALM });
        let (alert, seconds) = opening(&world, start);
        assert!(seconds < 12.0, "{bots}/s found after {seconds} s");
        assert_eq!((alert.verdict, alert.spoofed), (Verdict::Attack, false));
        let last = *world.exhaustion().last().unwrap();
        let truth = (bots + 8.0) / (bots + 100.0);
        let share = last.figures.iter().find(|f| f.name.name() == "empty_share").unwrap().observed;
        assert!((share - truth).abs() < 0.1 * truth, "{share} of {truth}");
        assert_eq!(last.origins[0].country.to_string(), "NL");
        assert_eq!(last.sources.iter().filter(|source| source.address.to_string().starts_with("20.0.0.")).count(), 8);
    }
}

#[test]
fn requests_that_are_never_finished_are_found_from_few_sources_and_from_many() {
    for sources in [4, 38, 2_000] {
        let mut world = World::new();
        world.run(300, &CALM);
        let start = world.tick;
        let slow = Load { unfinished: 30.0, unfinished_sources: sources, ..CALM };
        world.run(60, &slow);
        let (alert, seconds) = opening(&world, start);
        assert!(seconds < 45.0, "{sources} sources: found after {seconds} s");
        assert_eq!(alert.verdict, Verdict::Attack);
        let last = *world.exhaustion().last().unwrap();
        assert!(last.why.contains("wait for a request that does not come"), "{}", last.why);
        assert!(last.why.split_whitespace().count() <= 60);
        assert_eq!(last.origins[0].country.to_string(), "NL");
        if sources == 4 {
            assert_eq!(last.sources.len(), 4, "people are not named beside those who did it");
        }
        assert_eq!(world.exhaustion().iter().filter(|line| line.event == Event::Open).count(), 1);
    }
}

#[test]
fn clients_that_do_not_read_are_found() {
    let mut world = World::new();
    world.run(300, &CALM);
    let start = world.tick;
    world.run(60, &Load { blocked: 20.0, ..CALM });
    let (alert, seconds) = opening(&world, start);
    assert!(seconds < 20.0, "found after {seconds} s");
    assert!(alert.why.contains("are not read from"), "{}", alert.why);
    assert_eq!(alert.origins[0].country.to_string(), "NL");
}

#[test]
fn a_rush_with_its_spare_sockets_is_no_exhaustion() {
    let mut world = World::new();
    world.run(300, &CALM);
    for growth in 1..=20 {
        world.run(4, &Load { people: 100.0 + 50.0 * f64::from(growth), spare: 0.15, ..CALM });
    }
    world.run(120, &Load { people: 1_100.0, spare: 0.15, ..CALM });
    world.run(120, &CALM);
    assert_eq!(world.loud(), [""; 0]);
    assert!(world.lines.iter().any(|line| line.kind == AlertKind::Rush));
}

#[test]
fn a_slow_server_with_patient_clients_is_no_exhaustion() {
    let mut world = World::new();
    world.run(300, &CALM);
    for stuck in [0.3, 0.6, 0.9] {
        world.run(60, &Load { stuck, ..CALM });
    }
    world.run(60, &Load { people: 400.0, stuck: 0.9, ..CALM });
    assert!(world.exhaustion().is_empty(), "{:?}", world.loud());
}

#[test]
fn slow_pieces_are_told_from_patience_however_slow_the_server_is() {
    for dripping in [false, true] {
        let mut world = World::new();
        world.run(300, &CALM);
        world.run(60, &Load { stuck: 0.9, ..CALM });
        let late = Load { unfinished: 30.0, unfinished_sources: 2_000, stuck: 0.9, dripping, ..CALM };
        world.run(90, &late);
        assert_eq!(world.exhaustion().is_empty(), !dripping, "{:?}", world.loud());
    }
}

#[test]
fn connections_that_live_long_are_no_exhaustion() {
    // Hundreds of silent but served connections: people who leave a page with a live channel open.
    let mut world = World::new();
    world.run(300, &CALM);
    for _ in 0..1_200 {
        let mut host = HostTick { address: Address::v4(HOST), ..HostTick::default() };
        world.open(&mut host, 25, 100_000, None, false);
        host.served = 25;
        world.finish(host);
    }
    assert!(world.exhaustion().is_empty(), "{:?}", world.loud());
}
