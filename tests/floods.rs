//! Floods of packets without a conversation, against counters: what a shard would have summed, without packets.

use std::sync::Arc;

use vigie::address::Address;
use vigie::capture::CaptureTick;
use vigie::detect::engine::{Engine, Settings};
use vigie::detect::finding::{Caveat, FigureName, Finding};
use vigie::flow::Outcome;
use vigie::hash::Seed;
use vigie::kind::{AlertKind, Severity, Verdict};
use vigie::policy::{Policy, Site, SiteId};
use vigie::summary::{
    CohortRecord, CohortStage, Distinct, HostTick, QuicTick, SiteTick, StrayKind, Summary, Volume, sketch, stray,
};
use vigie::time::Tick;

const START: u64 = 1_617_699_600 * 4;
const HOST: Address = Address::v4([203, 0, 113, 10]);

/// Packets of a kind in a tick, how many of them the host answered, and who sent them.
#[derive(Clone, Copy)]
struct Strays {
    kind: StrayKind,
    packets: u32,
    answered: u32,
    senders: Senders,
    length: u32,
}

#[derive(Clone, Copy)]
enum Senders {
    /// The same ones over and over.
    Steady(u32),
    /// Another for each packet.
    Forged,
}

const fn strays(kind: StrayKind, packets: u32, senders: Senders) -> Strays {
    Strays { kind, packets, answered: 0, senders, length: 500 }
}

fn reply(port: u16) -> StrayKind {
    StrayKind::reply(port).expect("a reflector's port")
}

/// An ordinary tick of a busy web server: 400 packets and 25 connections each way.
fn ordinary(address: Address) -> HostTick {
    let mut host = HostTick { address, tcp_in: 400, tcp_out: 400, syn: 25, syn_ack: 25, ..HostTick::default() };
    host.inbound.packets = 400;
    host.inbound.bytes = 80_000;
    host.outbound.packets = 400;
    host.two_sided = 25;
    host.client_data = 25;
    host.verified = 25;
    host.served = 25;
    host.cohort.sampled = 25;
    host.cohort.opened = 25;
    host.cohort.answered[0] = 25;
    host.cohort.finished[0] = 25;
    host
}

fn add(host: &mut HostTick, tick: u64, load: &Strays) {
    let row = stray::row(&mut host.strays, load.kind);
    row.volume.packets += u64::from(load.packets);
    row.volume.bytes += u64::from(load.packets * load.length);
    row.answered.packets += u64::from(load.answered);
    let hash =
        |n: u64| sketch::source_hash(Seed::default(), Address::v4(u32::try_from(n % (1 << 32)).unwrap().to_be_bytes()));
    match load.senders {
        Senders::Steady(many) => (0..many).for_each(|n| row.sources.insert(hash(u64::from(n)))),
        Senders::Forged => {
            (0..load.packets).for_each(|n| row.sources.insert(hash(tick * 1_000_000 + u64::from(n) * 7_919)))
        }
    }
    host.inbound.packets += u64::from(load.packets);
    host.inbound.bytes += u64::from(load.packets * load.length);
    match load.kind {
        StrayKind::Datagram | StrayKind::QuicInitial | StrayKind::Reply(_) => {
            host.udp_in.packets += u64::from(load.packets);
        }
        StrayKind::SynAck | StrayKind::Ack | StrayKind::Data | StrayKind::Reset | StrayKind::OddFlags => {
            host.tcp_in += load.packets;
        }
        _ => {}
    }
}

struct World {
    tick: u64,
    engine: Engine,
    findings: Vec<(u64, Finding)>,
}

impl World {
    fn new() -> Self {
        let site = Site { name: "ecole".into(), prefixes: vec!["203.0.113.0/24".parse().unwrap()] };
        let settings = Settings { home: vec!["FR".parse().unwrap()], ..Settings::default() };
        let policy = Arc::new(Policy::new(vec![site], false));
        Self { tick: START, engine: Engine::new(settings, policy, Seed::default()), findings: Vec::new() }
    }

    fn step(&mut self, hosts: Vec<HostTick>) {
        self.step_with(hosts, Vec::new());
    }

    fn step_with(&mut self, hosts: Vec<HostTick>, cohorts: Vec<CohortRecord>) {
        let tick = Tick::new(self.tick);
        let mut site = SiteTick { site: SiteId(0), ..SiteTick::default() };
        let mut targets = Distinct::default();
        for host in &hosts {
            site.inbound += host.inbound;
            site.outbound += host.outbound;
            stray::join(&mut site.strays, &host.strays);
            if !host.strays.is_empty() {
                targets.insert(sketch::source_hash(Seed::default(), host.address));
            }
        }
        site.stray_targets = targets;
        let mut summary = Summary { tick, hosts, cohorts, sites: vec![site], ..Summary::default() };
        summary.sort();
        let capture = CaptureTick { tick, frames: 100, ..CaptureTick::default() };
        let output = self.engine.observe(&summary, &capture);
        self.findings.extend(output.findings.iter().map(|finding| (self.tick, finding.clone())));
        self.tick += 1;
    }

    /// Runs the one server with these strays on top.
    fn run(&mut self, seconds: u64, loads: &[Strays]) {
        self.run_with(seconds, loads, |_| {});
    }

    fn run_with(&mut self, seconds: u64, loads: &[Strays], change: impl Fn(&mut HostTick)) {
        for _ in 0..seconds * 4 {
            let mut host = ordinary(HOST);
            loads.iter().for_each(|load| add(&mut host, self.tick, load));
            change(&mut host);
            self.step(vec![host]);
        }
    }

    /// Loud kinds since the given tick with their targets, and seconds from there to the first of each.
    fn loud_since(&self, from: u64) -> Vec<(AlertKind, String, f64)> {
        let mut loud: Vec<(AlertKind, String, f64)> = Vec::new();
        for (tick, finding) in self.findings.iter().filter(|(tick, f)| *tick >= from && is_loud(f)) {
            let target = finding.target.prefix.unwrap().to_string();
            if !loud.iter().any(|(kind, of, _)| *kind == finding.kind && *of == target) {
                loud.push((finding.kind, target, (tick - from + 1) as f64 / 4.0));
            }
        }
        loud
    }

    fn last(&self, kind: AlertKind) -> &Finding {
        &self.findings.iter().rev().find(|(_, f)| f.kind == kind && is_loud(f)).expect("a loud finding").1
    }

    fn assert_silent(&self) {
        let loud = self.loud_since(START);
        assert!(loud.is_empty(), "{loud:?}");
    }
}

fn is_loud(finding: &Finding) -> bool {
    finding.fires() && finding.severity >= Severity::Warning
}

fn figure(finding: &Finding, name: FigureName) -> f64 {
    finding.figures.iter().find(|figure| figure.name == name).expect("the figure").observed
}

/// Calm for a while, then the loads: one alert of the kind at the host within the time, and nothing else.
fn assert_one(calm: u64, loads: &[Strays], kind: AlertKind, most_seconds: f64) -> World {
    let mut world = World::new();
    world.run(calm, &[]);
    let from = world.tick;
    world.run(20, loads);
    let loud = world.loud_since(START);
    assert!(matches!(&loud[..], [(of, target, _)] if *of == kind && target == "203.0.113.10/32"), "{loud:?}");
    let seconds = world.loud_since(from)[0].2;
    assert!(seconds <= most_seconds, "found after {seconds} s");
    world
}

#[test]
fn unanswered_datagrams_are_a_flood_with_and_without_history() {
    for calm in [2, 60, 400] {
        let world = assert_one(calm, &[strays(StrayKind::Datagram, 1_500, Senders::Forged)], AlertKind::UdpFlood, 1.5);
        let finding = world.last(AlertKind::UdpFlood);
        assert_eq!(finding.severity, Severity::Critical);
        assert_eq!(finding.verdict, Some(Verdict::Attack));
        assert!(finding.spoofed && finding.origins.is_empty());
        assert!((figure(finding, FigureName::OneWayPerSecond) - 6_000.0).abs() < 60.0);
    }
}

#[test]
fn a_flood_from_bots_is_not_called_forged() {
    let bots = strays(StrayKind::Datagram, 1_500, Senders::Steady(300));
    let world = assert_one(30, &[bots], AlertKind::UdpFlood, 2.0);
    let finding = world.last(AlertKind::UdpFlood);
    assert!(!finding.spoofed && finding.caveats.contains(&Caveat::Unattributable));
    assert!((figure(finding, FigureName::SourcesCount) - 300.0).abs() < 30.0);
}

#[test]
fn a_small_flood_is_found_once_the_host_is_known() {
    assert_one(300, &[strays(StrayKind::Datagram, 450, Senders::Forged)], AlertKind::UdpFlood, 2.5);
    assert_one(300, &[strays(StrayKind::Datagram, 150, Senders::Forged)], AlertKind::UdpFlood, 4.0);
    // Some hundred a second are lost beside 1,600 packets.
    let mut world = World::new();
    world.run(300, &[]);
    world.run(60, &[strays(StrayKind::Datagram, 80, Senders::Forged)]);
    world.assert_silent();
}

#[test]
fn a_small_flood_of_initials_is_found_and_waiting_clients_are_none() {
    let opened = |opened, answered, finished| {
        let load = Strays { answered, ..strays(StrayKind::QuicInitial, opened, Senders::Forged) };
        (load, QuicTick { opened, answered, finished })
    };
    let mut world = World::new();
    world.run(300, &[]);
    let from = world.tick;
    let (load, quic) = opened(10, 10, 1);
    world.run_with(30, &[load], |host| host.quic = quic);
    let loud = world.loud_since(from);
    assert!(matches!(&loud[..], [(AlertKind::UdpFlood, _, seconds)] if *seconds <= 6.0), "{loud:?}");
    // As many clients, who send three Initials each to a server that answers late.
    let (load, quic) = opened(30, 10, 1);
    let mut late = World::new();
    late.run(300, &[]);
    late.run_with(30, &[load], |host| host.quic = QuicTick { opened: 10, ..quic });
    late.assert_silent();
}

#[test]
fn telephony_video_and_queries_that_are_answered_are_no_flood() {
    let video = strays(StrayKind::Datagram, 1_500, Senders::Steady(1));
    let queries = Strays { answered: 2_450, ..strays(StrayKind::Datagram, 2_500, Senders::Forged) };
    for load in [video, queries] {
        for calm in [1, 300] {
            let mut world = World::new();
            world.run(calm, &[]);
            world.run(120, &[load]);
            world.assert_silent();
        }
    }
}

#[test]
fn datagrams_from_few_that_no_film_needs_are_a_flood() {
    assert_one(300, &[strays(StrayKind::Datagram, 2_500, Senders::Steady(5))], AlertKind::UdpFlood, 2.0);
    let mut cold = World::new();
    cold.run(1, &[]);
    cold.run(60, &[strays(StrayKind::Datagram, 2_500, Senders::Steady(5))]);
    cold.assert_silent();
}

#[test]
fn small_replies_and_answers_nobody_asked_for_are_floods_where_they_weigh() {
    let small = |kind, packets| Strays { length: 60, ..strays(kind, packets, Senders::Steady(300)) };
    assert_one(300, &[small(reply(1194), 250)], AlertKind::Amplification, 2.0);
    assert_one(300, &[small(StrayKind::SynAck, 250)], AlertKind::TcpFlagFlood, 4.0);
    // A fifth of that hurts nobody beside 1,600 packets.
    for kind in [reply(1194), StrayKind::SynAck] {
        let mut world = World::new();
        world.run(300, &[]);
        world.run(60, &[small(kind, 50)]);
        world.assert_silent();
    }
}

#[test]
fn connections_over_quic_that_few_senders_open_and_leave_are_a_flood_when_they_are_many() {
    let run = |opened: u32| {
        let load = Strays { answered: opened, ..strays(StrayKind::QuicInitial, opened, Senders::Steady(5)) };
        let mut world = World::new();
        world.run(300, &[]);
        world.run_with(20, &[load], |host| host.quic = QuicTick { opened, answered: opened, finished: 0 });
        world
    };
    let loud = run(80).loud_since(START);
    assert!(matches!(&loud[..], [(AlertKind::UdpFlood, ..)]), "{loud:?}");
    run(30).assert_silent();
}

/// A server, and an address of its site that nobody uses.
fn beside_idle(world: &World, load: Option<Strays>) -> Vec<HostTick> {
    let address = Address::v4([203, 0, 113, 77]);
    let mut idle = HostTick { address, ..HostTick::default() };
    load.iter().for_each(|load| add(&mut idle, world.tick, load));
    [Some(ordinary(HOST)), load.map(|_| idle)].into_iter().flatten().collect()
}

#[test]
fn floods_at_an_address_that_nobody_uses_are_found() {
    for (kind, packets, told) in [
        (reply(53), 400, AlertKind::Amplification),
        (StrayKind::Datagram, 600, AlertKind::UdpFlood),
        (StrayKind::Ack, 400, AlertKind::TcpFlagFlood),
    ] {
        let mut world = World::new();
        for _ in 0..300 * 4 {
            world.step(beside_idle(&world, None));
        }
        let from = world.tick;
        for _ in 0..40 {
            world.step(beside_idle(&world, Some(strays(kind, packets, Senders::Forged))));
        }
        let loud = world.loud_since(from);
        let found = matches!(&loud[..], [(of, target, seconds)]
            if *of == told && target == "203.0.113.77/32" && *seconds <= 2.5);
        assert!(found, "{kind:?}: {loud:?}");
        let mut unseen = World::new();
        for n in 0..340 * 4 {
            let load = Some(strays(kind, packets, Senders::Forged)).filter(|_| n >= 300 * 4);
            let mut hosts = beside_idle(&unseen, load);
            unheard(&mut hosts[0]);
            unseen.step(hosts);
        }
        let kinds: Vec<AlertKind> = unseen.loud_since(START).into_iter().map(|(kind, ..)| kind).collect();
        assert!(kinds.iter().all(|kind| *kind == AlertKind::UdpFlood), "answers may be elsewhere: {kinds:?}");
    }
}

/// Attempts from many networks at addresses of the /24, of which twenty answer.
fn knocks(tick: u64, at: std::ops::Range<u8>, each: u32) -> (Vec<HostTick>, Vec<CohortRecord>) {
    let mut hosts = carpet(tick, 20, 0, None);
    let mut records = Vec::new();
    for n in at {
        let target = Address::v4([203, 0, 113, n]);
        match hosts.iter_mut().find(|host| host.address == target) {
            Some(host) => host.syn += each,
            None => {
                let inbound = Volume { packets: u64::from(each), bytes: u64::from(each) * 60 };
                hosts.push(HostTick { address: target, inbound, syn: each, tcp_in: each, ..HostTick::default() });
            }
        }
        records.push(CohortRecord {
            target,
            source: Address::v4([198, u8::try_from(tick % 200).unwrap(), n, 7]),
            first_syn: Tick::new(tick).start(),
            port: 443,
            weight: each,
            ttl: 57,
            window: 64_240,
            stage: CohortStage::Look,
            outcome: Outcome::default(),
        });
    }
    (hosts, records)
}

#[test]
fn attempts_at_addresses_where_nobody_answers_are_a_carpet() {
    let mut world = World::new();
    for _ in 0..300 * 4 {
        let (hosts, records) = knocks(world.tick, 40..41, 1);
        world.step_with(hosts, records);
    }
    world.assert_silent();
    let from = world.tick;
    for _ in 0..40 {
        let (hosts, records) = knocks(world.tick, 40..200, 1);
        world.step_with(hosts, records);
    }
    let loud = world.loud_since(from);
    let found = matches!(&loud[..], [(AlertKind::CarpetBombing, target, seconds)]
        if target == "203.0.113.0/24" && *seconds <= 3.0);
    assert!(found, "{loud:?}");
    assert!((figure(world.last(AlertKind::CarpetBombing), FigureName::TargetsCount) - 160.0).abs() < 5.0);
    // As many at servers that answer are those servers' to tell.
    let mut served = World::new();
    for n in 0..340 * 4 {
        let (hosts, records) = knocks(served.tick, 0..20, if n < 300 * 4 { 1 } else { 8 });
        served.step_with(hosts, records);
    }
    let kinds: Vec<AlertKind> = served.loud_since(START).into_iter().map(|(kind, ..)| kind).collect();
    assert!(!kinds.contains(&AlertKind::CarpetBombing), "{kinds:?}");
}

#[test]
fn a_rush_at_servers_whose_answers_take_another_path_is_no_carpet() {
    let mut world = World::new();
    for n in 0..340 * 4 {
        let (mut hosts, records) = knocks(world.tick, 40..60, if n < 300 * 4 { 1 } else { 8 });
        hosts.iter_mut().filter(|host| host.outbound.packets == 0).for_each(|host| host.client_data = 5);
        world.step_with(hosts, records);
    }
    let kinds: Vec<AlertKind> = world.loud_since(START).into_iter().map(|(kind, ..)| kind).collect();
    assert!(!kinds.contains(&AlertKind::CarpetBombing), "{kinds:?}");
}

#[test]
fn a_rush_over_http3_is_no_flood() {
    for calm in [1, 300] {
        let mut world = World::new();
        let serve = |opened: u32, answered: u32, finished: u32| {
            let load = Strays { answered, ..strays(StrayKind::QuicInitial, opened, Senders::Forged) };
            (load, QuicTick { opened, answered, finished })
        };
        let (load, quic) = serve(50, 50, 49);
        world.run_with(calm, &[load], |host| host.quic = quic);
        for step in 1..=10 {
            let (load, quic) = serve(200 * step, 200 * step, 196 * step);
            world.run_with(2, &[load], |host| host.quic = quic);
        }
        // The server answers a third; those it answers go on, the others try again.
        let overload = Strays { answered: 700, ..strays(StrayKind::QuicInitial, 5_000, Senders::Forged) };
        world.run_with(60, &[overload], |host| host.quic = QuicTick { opened: 2_000, answered: 700, finished: 680 });
        world.assert_silent();
    }
}

#[test]
fn initials_that_are_answered_and_never_continued_are_a_flood() {
    for calm in [2, 300] {
        let mut world = World::new();
        let clients = Strays { answered: 50, ..strays(StrayKind::QuicInitial, 50, Senders::Forged) };
        let calm_quic = QuicTick { opened: 50, answered: 50, finished: 49 };
        world.run_with(calm, &[clients], |host| host.quic = calm_quic);
        let from = world.tick;
        let flood = Strays { answered: 1_050, ..strays(StrayKind::QuicInitial, 1_050, Senders::Forged) };
        let quic = QuicTick { opened: 1_050, answered: 1_050, finished: 49 };
        world.run_with(20, &[flood], |host| host.quic = quic);
        let loud = world.loud_since(from);
        assert!(matches!(&loud[..], [(AlertKind::UdpFlood, _, seconds)] if *seconds <= 3.5), "{loud:?}");
        let finding = world.last(AlertKind::UdpFlood);
        assert!((figure(finding, FigureName::QuicUnfinishedShare) - 0.953).abs() < 0.02);
    }
}

#[test]
fn a_reflection_is_one_alert_with_its_fragments_and_errors() {
    let loads = [
        Strays { length: 1_400, ..strays(reply(53), 1_500, Senders::Steady(3_000)) },
        Strays { length: 1_400, ..strays(StrayKind::Fragment, 3_000, Senders::Steady(3_000)) },
        strays(StrayKind::OtherIcmp, 150, Senders::Steady(150)),
    ];
    for calm in [2, 300] {
        let world = assert_one(calm, &loads, AlertKind::Amplification, 1.5);
        let finding = world.last(AlertKind::Amplification);
        assert_eq!(finding.severity, Severity::Critical);
        assert!(!finding.spoofed && finding.caveats.contains(&Caveat::Reflectors));
        assert_eq!(figure(finding, FigureName::ReflectorPort), 53.0);
    }
}

#[test]
fn a_small_reflection_is_a_ticket_and_two_replies_are_nothing() {
    let small = Strays { length: 1_000, ..strays(reply(123), 50, Senders::Steady(30)) };
    let world = assert_one(60, &[small], AlertKind::Amplification, 2.0);
    assert_eq!(world.last(AlertKind::Amplification).severity, Severity::Warning);
    let mut calm = World::new();
    calm.run(60, &[strays(reply(53), 2, Senders::Steady(2))]);
    calm.assert_silent();
}

#[test]
fn pings_from_one_sender_or_many_are_a_flood() {
    assert_one(2, &[strays(StrayKind::EchoRequest, 1_500, Senders::Steady(1))], AlertKind::IcmpFlood, 2.0);
    assert_one(2, &[strays(StrayKind::EchoReply, 250, Senders::Steady(200))], AlertKind::IcmpFlood, 2.5);
    let mut world = World::new();
    world.run(60, &[strays(StrayKind::EchoRequest, 100, Senders::Steady(3))]);
    world.assert_silent();
}

#[test]
fn fragments_explain_the_datagrams_they_are_of() {
    let loads =
        [strays(StrayKind::Fragment, 1_500, Senders::Forged), strays(StrayKind::Datagram, 700, Senders::Forged)];
    assert_one(2, &loads, AlertKind::FragmentFlood, 1.5);
    // A tunnel that was there before the capture began.
    let mut world = World::new();
    world.run(300, &[strays(StrayKind::Fragment, 1_500, Senders::Steady(2))]);
    world.assert_silent();
}

#[test]
fn segments_of_no_connection_are_a_flood_after_a_minute() {
    for kind in [StrayKind::Ack, StrayKind::Data, StrayKind::Reset, StrayKind::OddFlags, StrayKind::SynAck] {
        assert_one(70, &[strays(kind, 1_500, Senders::Forged)], AlertKind::TcpFlagFlood, 2.0);
    }
    let mut early = World::new();
    early.run(10, &[]);
    early.run(40, &[strays(StrayKind::Ack, 1_500, Senders::Forged)]);
    early.assert_silent();
}

#[test]
fn a_few_senders_flood_a_host_that_they_send_as_much_as_everybody_else() {
    let few = |kind, packets| [strays(kind, packets, Senders::Steady(2))];
    for (kind, told) in [
        (StrayKind::Fragment, AlertKind::FragmentFlood),
        (StrayKind::EchoRequest, AlertKind::IcmpFlood),
        (StrayKind::Ack, AlertKind::TcpFlagFlood),
        (StrayKind::Reset, AlertKind::TcpFlagFlood),
    ] {
        // The server is sent 1,600 a second apart from this.
        let world = assert_one(300, &few(kind, 450), told, 3.0);
        assert_eq!(world.last(told).severity, Severity::Warning, "{kind:?}: a few may be a mistake");
        let mut less = World::new();
        less.run(300, &[]);
        less.run(30, &few(kind, 350));
        less.assert_silent();
    }
    let mut film = World::new();
    film.run(300, &[]);
    film.run(30, &few(StrayKind::Datagram, 1_000));
    film.assert_silent();
}

#[test]
fn what_clients_of_a_failing_server_leave_behind_is_no_flood() {
    let mut world = World::new();
    world.run(100, &[]);
    let left = strays(StrayKind::Data, 500, Senders::Forged);
    world.run_with(60, &[left], |host| {
        host.cohort.sampled = 250;
        host.cohort.opened = 250;
        host.syn = 400;
    });
    let loud = world.loud_since(START);
    assert!(!loud.iter().any(|(kind, ..)| *kind == AlertKind::TcpFlagFlood), "{loud:?}");
}

#[test]
fn a_path_seen_one_way_from_the_start_is_no_flood() {
    let mut world = World::new();
    world.run(300, &[strays(StrayKind::Data, 400, Senders::Steady(200))]);
    world.assert_silent();
    let mut one_sided = World::new();
    one_sided.run_with(300, &[strays(StrayKind::Ack, 2_000, Senders::Steady(500))], unheard);
    one_sided.assert_silent();
}

/// Leaves what comes in.
fn unheard(host: &mut HostTick) {
    host.two_sided = 0;
    host.outbound.packets = 0;
    host.tcp_out = 0;
}

#[test]
fn datagrams_that_are_something_new_are_a_flood_where_no_answer_is_captured() {
    let datagrams = |packets, senders| strays(StrayKind::Datagram, packets, senders);
    let mut world = World::new();
    world.run_with(300, &[], unheard);
    let from = world.tick;
    world.run_with(20, &[datagrams(1_000, Senders::Forged)], unheard);
    let loud = world.loud_since(from);
    assert!(matches!(&loud[..], [(AlertKind::UdpFlood, _, seconds)] if *seconds <= 2.5), "{loud:?}");
    let mut service = World::new();
    service.run_with(300, &[datagrams(250, Senders::Steady(300))], unheard);
    service.run_with(60, &[datagrams(1_500, Senders::Steady(1_800))], unheard);
    service.assert_silent();
}

/// Hosts of the /24 with ordinary traffic at some and strays at many.
fn carpet(tick: u64, live: u8, hit: u8, load: Option<Strays>) -> Vec<HostTick> {
    (0..live.max(if load.is_some() { hit } else { 0 }))
        .map(|n| {
            let address = Address::v4([203, 0, 113, n]);
            let mut host = if n < live { ordinary(address) } else { HostTick { address, ..HostTick::default() } };
            if let Some(load) = load.filter(|_| n < hit) {
                add(&mut host, tick * 256 + u64::from(n), &load);
            }
            host
        })
        .collect()
}

#[test]
fn a_flood_spread_over_a_prefix_is_one_carpet() {
    for (calm, kind, packets) in [
        (2, StrayKind::Datagram, 30),
        (300, StrayKind::Datagram, 2_000),
        (2, StrayKind::EchoRequest, 30),
        (2, reply(53), 200),
        (2, StrayKind::Fragment, 100),
        (70, StrayKind::Ack, 100),
    ] {
        let mut world = World::new();
        for _ in 0..calm * 4 {
            world.step(carpet(world.tick, 20, 0, None));
        }
        let from = world.tick;
        for _ in 0..40 {
            world.step(carpet(world.tick, 20, 200, Some(strays(kind, packets, Senders::Forged))));
        }
        let loud = world.loud_since(START);
        assert!(
            matches!(&loud[..], [(AlertKind::CarpetBombing, target, _)] if target == "203.0.113.0/24"),
            "{kind:?} {packets}: {loud:?}"
        );
        assert!(world.loud_since(from)[0].2 <= 2.5, "{kind:?} {packets}: {loud:?}");
        let finding = world.last(AlertKind::CarpetBombing);
        assert!((figure(finding, FigureName::TargetsCount) - 200.0).abs() < 30.0, "{:?}", finding.figures);
        assert_eq!(finding.target.members.len(), 20);
    }
}

#[test]
fn a_flood_at_one_host_of_many_is_no_carpet() {
    let mut world = World::new();
    for _ in 0..300 {
        world.step(carpet(world.tick, 20, 0, None));
    }
    for _ in 0..60 {
        world.step(carpet(world.tick, 20, 1, Some(strays(StrayKind::Datagram, 3_000, Senders::Forged))));
    }
    let loud = world.loud_since(START);
    assert!(matches!(&loud[..], [(AlertKind::UdpFlood, target, _)] if target == "203.0.113.0/32"), "{loud:?}");
}

#[test]
fn backscatter_over_many_hosts_is_nothing() {
    let mut world = World::new();
    for _ in 0..1_200 {
        world.step(carpet(world.tick, 20, 200, Some(strays(StrayKind::SynAck, 1, Senders::Steady(2)))));
    }
    world.assert_silent();
}

#[test]
fn the_armed_detectors_are_listed() {
    let mut world = World::new();
    world.run(100, &[]);
    let armed = world.engine.armed();
    for name in ["udp_flood", "amplification", "icmp_flood", "fragment_flood", "tcp_flag_flood", "carpet_bombing"] {
        let detector = armed.iter().find(|detector| detector.detector == name).expect(name);
        assert!(detector.since.is_some() && detector.why_not.is_none(), "{detector:?}");
    }
}
