//! The generator from outside: what it writes is coherent TCP, is where it says it is, and is the same every time.

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use vigie::address::Address;
use vigie::country::Country;
use vigie::kind::{AlertKind, Verdict};
use vigie::scenario::{self, Overflow, Parameters, Scenario, Spoofing, Truth, TruthEvent};
use vigie::time::Timestamp;

type Endpoint = (Address, u16);

/// A TCP segment as read back.
#[derive(Clone, Copy, Debug)]
struct Tcp {
    at: Timestamp,
    inbound: bool,
    client: Endpoint,
    server: Endpoint,
    flags: u8,
    sequence: u32,
    acknowledgment: u32,
    payload: u32,
    has_options: bool,
}

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

impl Tcp {
    fn is_syn(&self) -> bool {
        self.flags & (SYN | ACK | RST | FIN) == SYN
    }

    fn is_syn_ack(&self) -> bool {
        self.flags & (SYN | ACK) == SYN | ACK
    }
}

/// What was generated.
struct Capture {
    truth: Truth,
    packets: u64,
    kept_bytes: u64,
    tcp: Vec<Tcp>,
    other: u64,
}

fn generate(scenario: Scenario, parameters: &Parameters) -> Capture {
    let mut capture = Vec::new();
    let (mut packets, mut kept_bytes, mut other) = (0, 0, 0);
    let mut last = Timestamp::ZERO;
    let truth = scenario::generate(scenario, parameters, &mut |at, wire_len, bytes| {
        assert!(at >= last, "time never goes back");
        assert!(at >= parameters.start && at < parameters.start.plus(parameters.duration));
        assert!(wire_len as usize >= bytes.len());
        last = at;
        packets += 1;
        kept_bytes += bytes.len() as u64 + 16;
        match read_tcp(at, wire_len, bytes) {
            Some(tcp) => capture.push(tcp),
            None => other += 1,
        }
    })
    .unwrap();
    Capture { truth, packets, kept_bytes, tcp: capture, other }
}

/// Reads a frame without the crate's own decoder, checksums included.
fn read_tcp(at: Timestamp, wire_len: u32, bytes: &[u8]) -> Option<Tcp> {
    let word = |place: usize| u16::from_be_bytes([bytes[place], bytes[place + 1]]);
    let double = |place: usize| u32::from_be_bytes(bytes[place..place + 4].try_into().unwrap());
    let (protocol, transport, length, source, destination) = match word(12) {
        0x0800 => {
            assert_eq!(checksum(&bytes[14..34], 0), 0, "IPv4 header");
            if word(20) & 0x3fff != 0 {
                return None;
            }
            let address = |place: usize| Address::v4(bytes[place..place + 4].try_into().unwrap());
            (bytes[23], 34, usize::from(word(16)) - 20, address(26), address(30))
        }
        0x86dd => {
            let address = |place: usize| Address::v6(bytes[place..place + 16].try_into().unwrap());
            (bytes[20], 54, usize::from(word(18)), address(22), address(38))
        }
        other => panic!("ethertype {other:#06x}"),
    };
    assert!(transport + length <= wire_len as usize);
    let kept = &bytes[transport..bytes.len().min(transport + length)];
    // What the snap length cut is zeros by construction, so the sum over what was kept is that of the whole.
    let pseudo = if protocol == 1 { 0 } else { pseudo_header(source, destination, protocol, length) };
    assert_eq!(checksum(kept, pseudo), 0, "protocol {protocol} from {source} to {destination}");
    if protocol != 6 {
        return None;
    }
    let header = usize::from(bytes[transport + 12] >> 4) * 4;
    let inbound = is_protected(destination);
    let ends = [(source, word(transport)), (destination, word(transport + 2))];
    Some(Tcp {
        at,
        inbound,
        client: ends[usize::from(!inbound)],
        server: ends[usize::from(inbound)],
        flags: bytes[transport + 13],
        sequence: double(transport + 4),
        acknowledgment: double(transport + 8),
        payload: u32::try_from(length - header).unwrap(),
        has_options: header > 20,
    })
}

fn is_protected(address: Address) -> bool {
    ["203.0.113.0/24", "2001:db8:113::/48"]
        .iter()
        .any(|prefix| prefix.parse::<vigie::address::Prefix>().unwrap().contains(address))
}

fn pseudo_header(source: Address, destination: Address, protocol: u8, length: usize) -> u64 {
    let skipped = if source.is_ipv4() { 12 } else { 0 };
    words(&source.bytes()[skipped..]) + words(&destination.bytes()[skipped..]) + u64::from(protocol) + length as u64
}

fn words(bytes: &[u8]) -> u64 {
    bytes.chunks(2).map(|pair| u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0))).sum()
}

fn checksum(bytes: &[u8], pseudo: u64) -> u16 {
    let mut sum = words(bytes) + pseudo;
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap()
}

/// One handshake as a follower sees it.
#[derive(Clone, Copy, Debug)]
struct Handshake {
    isn: u32,
    syns: u32,
    answered: Option<u32>,
    finished: bool,
    reset: bool,
    retried_unanswered: bool,
    repeated_after_ack: bool,
    served: bool,
    port: u16,
    client: Address,
    client_next: u32,
    server_next: u32,
}

/// Follows all connections whose SYN is in the capture, and asserts what RFC 9293 asks of both sides.
fn follow(capture: &Capture) -> Vec<Handshake> {
    let mut open: HashMap<(Endpoint, Endpoint), usize> = HashMap::new();
    let mut all: Vec<Handshake> = Vec::new();
    for tcp in &capture.tcp {
        let key = (tcp.client, tcp.server);
        if tcp.inbound && tcp.is_syn() {
            match open.get(&key).map(|place| &mut all[*place]) {
                Some(known) if known.isn == tcp.sequence => {
                    known.syns += 1;
                    known.retried_unanswered |= known.answered.is_none();
                }
                _ => {
                    open.insert(key, all.len());
                    all.push(Handshake {
                        isn: tcp.sequence,
                        syns: 1,
                        answered: None,
                        finished: false,
                        reset: false,
                        retried_unanswered: false,
                        repeated_after_ack: false,
                        served: false,
                        port: tcp.server.1,
                        client: tcp.client.0,
                        client_next: tcp.sequence.wrapping_add(1),
                        server_next: 0,
                    });
                }
            }
            continue;
        }
        let Some(handshake) = open.get(&key).map(|place| &mut all[*place]) else { continue };
        if tcp.inbound { handshake.on_client(tcp) } else { handshake.on_server(tcp) }
    }
    all
}

impl Handshake {
    fn on_server(&mut self, tcp: &Tcp) {
        if tcp.is_syn_ack() {
            assert_eq!(tcp.acknowledgment, self.isn.wrapping_add(1), "a SYN-ACK acknowledges the SYN: {tcp:?}");
            match self.answered {
                None => {
                    self.answered = Some(tcp.sequence);
                    self.server_next = tcp.sequence.wrapping_add(1);
                }
                Some(isn) => {
                    assert_eq!(isn, tcp.sequence, "a SYN-ACK is repeated with its number: {tcp:?}");
                    self.repeated_after_ack |= self.finished;
                }
            }
            return;
        }
        if tcp.flags & RST != 0 {
            return;
        }
        assert!(self.answered.is_some(), "data without a handshake: {tcp:?}");
        assert_eq!(tcp.acknowledgment, self.client_next, "the server acknowledges what the client sent: {tcp:?}");
        self.server_next = advance(self.server_next, tcp);
        self.served |= tcp.payload > 0;
    }

    fn on_client(&mut self, tcp: &Tcp) {
        if tcp.flags & RST != 0 {
            self.on_reset(tcp);
            return;
        }
        assert!(tcp.flags & ACK != 0);
        let Some(server_isn) = self.answered else { panic!("an ACK of nothing: {tcp:?}") };
        let acknowledged = tcp.acknowledgment.wrapping_sub(server_isn);
        assert!((1..=self.server_next.wrapping_sub(server_isn)).contains(&acknowledged), "{tcp:?} {self:?}");
        self.finished = true;
        self.client_next = advance(self.client_next, tcp);
    }

    fn on_reset(&mut self, tcp: &Tcp) {
        self.reset = true;
        // A client resets where it stands, even if what it sent before was lost on its way here.
        let ahead = tcp.sequence.wrapping_sub(self.isn);
        assert!((1..1 << 24).contains(&ahead), "{tcp:?}");
    }
}

/// Returns the next sequence number after a segment that continues, repeats or precedes nothing.
fn advance(next: u32, tcp: &Tcp) -> u32 {
    let end = tcp.sequence.wrapping_add(tcp.payload).wrapping_add(u32::from(tcp.flags & FIN));
    // What a client lost on its way here leaves a gap of one request; a server beside the port leaves none.
    let gap = if tcp.inbound { 1_460 } else { 0 };
    let ahead = tcp.sequence.wrapping_sub(next);
    assert!(ahead <= gap || next.wrapping_sub(tcp.sequence) < 1 << 24, "a gap: {tcp:?} {next}");
    if end.wrapping_sub(next) < 1 << 24 { end } else { next }
}

fn country_of(address: Address) -> Country {
    iptocc::country_code(address.to_ip()).map_or(Country::UNKNOWN, |code| code.parse().unwrap())
}

fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// Share of handshakes whose first SYN went unanswered that the client retried.
fn retry_share(all: &[&Handshake]) -> f64 {
    let retried = all.iter().filter(|one| one.retried_unanswered).count();
    let silent = all.iter().filter(|one| one.answered.is_none() && !one.retried_unanswered).count();
    share(retried, retried + silent)
}

fn event(truth: &Truth, kind: AlertKind) -> &TruthEvent {
    truth.events.iter().find(|event| event.kind == kind && !event.optional).unwrap_or_else(|| panic!("{kind}"))
}

fn within(event: &TruthEvent, at: Timestamp) -> bool {
    at >= event.start && at <= event.end
}

/// Small enough for an unoptimised test, long enough to show what it is about.
fn quick(scenario: Scenario) -> Parameters {
    let lead = if scenario == Scenario::Calm { 0 } else { 20 };
    let active = if matches!(scenario, Scenario::LaunchMorning | Scenario::Incident1) { 300 } else { 70 };
    let defaults = scenario.defaults();
    Parameters {
        rate: 20.0,
        lead: Duration::from_secs(lead),
        duration: Duration::from_secs(lead + active),
        rush_factor: defaults.rush_factor.min(8.0),
        ..defaults
    }
}

#[test]
fn statistics_of_every_scenario() {
    eprintln!(
        "scenario        packets  MB   B/packet  SYNs   answered finished retried/unanswered repeated home  IPv6"
    );
    for scenario in Scenario::ALL {
        let parameters = quick(*scenario);
        let capture = generate(*scenario, &parameters);
        let all = follow(&capture);
        let web: Vec<&Handshake> = all.iter().filter(|one| one.port == 443).collect();
        let answered = web.iter().filter(|one| one.answered.is_some()).count();
        let finished: Vec<&&Handshake> = web.iter().filter(|one| one.finished).collect();
        let home = finished.iter().filter(|one| country_of(one.client) == parameters.home).count();
        eprintln!(
            "{:<15} {:>7} {:>5.1} {:>6.1} {:>8} {:>8.3} {:>8.3} {:>8.3} {:>14.3} {:>8.3} {:>5.3}  other {}",
            scenario.name(),
            capture.packets,
            capture.kept_bytes as f64 / 1e6,
            capture.kept_bytes as f64 / capture.packets as f64,
            web.len(),
            share(answered, web.len()),
            share(finished.len(), answered),
            retry_share(&web),
            share(finished.iter().filter(|one| one.repeated_after_ack).count(), finished.len()),
            share(home, finished.len()),
            share(finished.iter().filter(|one| !one.client.is_ipv4()).count(), finished.len()),
            capture.other,
        );
        for event in &capture.truth.events {
            eprintln!(
                "    {:<14} {:<9} {:>6.2}..{:>6.2} s  {} {}",
                event.kind.name(),
                event.verdict.name(),
                event.start.since(parameters.start).as_secs_f64(),
                event.end.since(parameters.start).as_secs_f64(),
                event.note,
                if event.optional { "(optional)" } else { "" },
            );
        }
        assert!(capture.packets > 1_000);
    }
}

#[test]
fn calm_clients_finish_and_come_from_home() {
    for home in ["FR", "MA"] {
        let parameters = Parameters {
            home: home.parse().unwrap(),
            rate: 60.0,
            duration: Duration::from_secs(120),
            ..Scenario::Calm.defaults()
        };
        let capture = generate(Scenario::Calm, &parameters);
        let all = follow(&capture);
        let web: Vec<&Handshake> = all.iter().filter(|one| one.port == 443).collect();
        let finished: Vec<&&Handshake> = web.iter().filter(|one| one.finished).collect();
        assert!(share(finished.len(), web.len()) > 0.95);
        assert!(share(finished.iter().filter(|one| one.served).count(), finished.len()) > 0.85);
        assert!((share(web.len(), 120) / 60.0 - 1.0).abs() < 0.1, "{} connections in 120 s", web.len());
        let at_home = finished.iter().filter(|one| country_of(one.client) == parameters.home).count();
        assert!((share(at_home, finished.len()) - parameters.home_share).abs() < 0.025, "{home}: {at_home}");
        assert!(finished.iter().all(|one| country_of(one.client).is_known()));
        let v6 = finished.iter().filter(|one| !one.client.is_ipv4()).count();
        assert!((share(v6, finished.len()) - parameters.ipv6_share).abs() < 0.1, "{home}: {v6} of {}", finished.len());
        assert!(capture.truth.events.is_empty());
        let refused = all.iter().filter(|one| one.port != 443).count();
        assert!(refused > 20, "background radiation: {refused}");
    }
}

/// SYNs of a flood: no options, which no client here sends.
fn flood_syns<'a>(capture: &'a Capture, event: &TruthEvent) -> Vec<&'a Tcp> {
    let target = event.target[0].network();
    let is_flood = |tcp: &&Tcp| tcp.is_syn() && !tcp.has_options && tcp.server == (target, 443);
    capture.tcp.iter().filter(is_flood).collect()
}

#[test]
fn a_flood_has_the_rate_asked_for_and_lies_within_its_event() {
    for spoofing in Spoofing::ALL {
        let parameters = Parameters { attack_rate: Some(500.0), spoofing: *spoofing, ..quick(Scenario::SynFlood) };
        let capture = generate(Scenario::SynFlood, &parameters);
        let event = event(&capture.truth, AlertKind::SynFlood);
        let syns = flood_syns(&capture, event);
        let seconds = 0.6 * 70.0;
        assert!((syns.len() as f64 / seconds / 500.0 - 1.0).abs() < 0.02, "{spoofing}: {}", syns.len());
        assert!(syns.iter().all(|syn| within(event, syn.at)));
        assert!(syns[0].at.since(event.start) < Duration::from_micros(1));
        assert!(event.end.since(syns[syns.len() - 1].at) < Duration::from_millis(400));
        assert_eq!((event.verdict, event.spoofed), (Verdict::Attack, spoofing.is_forged()));
        assert!(event.origin.is_empty() && !event.verified);
        let reserved = syns.iter().filter(|syn| !country_of(syn.client.0).is_known()).count();
        let expected = matches!(spoofing, Spoofing::Random | Spoofing::Ipv6);
        assert_eq!(share(reserved, syns.len()) > 0.1, expected, "{spoofing}: {reserved}");
        // Nobody who is forged finishes, and everyone else still does.
        let all = follow(&capture);
        let genuine = all.iter().filter(|one| one.port == 443 && one.finished).count();
        assert!(genuine > 1_000, "{genuine}");
    }
}

#[test]
fn a_flood_without_cookies_fills_the_syn_queue_and_repeats_its_answers() {
    let parameters = |cookies| Parameters {
        cookies,
        backlog: 256,
        attack_rate: Some(300.0),
        spoofing: Spoofing::BogonFiltered,
        ..quick(Scenario::SynFlood)
    };
    let answers = |capture: &Capture| capture.tcp.iter().filter(|tcp| tcp.is_syn_ack()).count();
    let with = generate(Scenario::SynFlood, &parameters(true));
    let without = generate(Scenario::SynFlood, &parameters(false));
    assert!(answers(&with) > 12_000, "with cookies every SYN is answered: {}", answers(&with));
    assert!(answers(&without) < 6_000, "without, 256 entries for 63 s: {}", answers(&without));
    let harmed = |capture: &Capture| capture.truth.events.iter().any(|event| event.optional);
    assert!(!harmed(&with) && harmed(&without), "{:#?}", without.truth.events);
}

#[test]
fn an_overloaded_server_leaves_signs_of_its_own_and_clients_retry() {
    for overflow in Overflow::ALL {
        // A SYN queue that holds everyone who waits, so that only the accept queue is too short.
        let parameters = Parameters { overflow: *overflow, backlog: 100_000, ..quick(Scenario::RushOverload) };
        let capture = generate(Scenario::RushOverload, &parameters);
        let overload = event(&capture.truth, AlertKind::Overload);
        assert_eq!(overload.verdict, Verdict::Overload);
        let all = follow(&capture);
        let web: Vec<&Handshake> = all.iter().filter(|one| one.port == 443).collect();
        let unanswered = web.iter().filter(|one| one.answered.is_none() || one.retried_unanswered).count();
        let repeated = web.iter().filter(|one| one.repeated_after_ack).count();
        eprintln!("{overflow}: {} of {} unanswered, {repeated} repeated", unanswered, web.len());
        match overflow {
            Overflow::DropSyn => {
                assert!(share(unanswered, web.len()) > 0.2);
                assert!(retry_share(&web) > 0.5, "{}", retry_share(&web));
            }
            Overflow::DropAck => {
                assert!(share(unanswered, web.len()) < 0.03);
                assert!(share(repeated, web.len()) > 0.2);
            }
        }
        // Whoever was answered finishes: that is what tells it from a flood.
        let answered = web.iter().filter(|one| one.answered.is_some()).count();
        assert!(share(web.iter().filter(|one| one.finished).count(), answered) > 0.95);
    }
}

#[test]
fn a_rush_within_capacity_harms_nobody() {
    let capture = generate(Scenario::Rush, &quick(Scenario::Rush));
    let kinds: Vec<AlertKind> = capture.truth.events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [AlertKind::Rush]);
    let all = follow(&capture);
    let web: Vec<&Handshake> = all.iter().filter(|one| one.port == 443).collect();
    assert!(share(web.iter().filter(|one| one.finished).count(), web.len()) > 0.95);
}

#[test]
fn robots_come_from_the_countries_named_and_complete_their_connections() {
    for countries in [1, 10, 60] {
        let parameters = Parameters { countries, ..quick(Scenario::ForeignSurge) };
        let capture = generate(Scenario::ForeignSurge, &parameters);
        let event = event(&capture.truth, AlertKind::ForeignSurge);
        assert!(event.verified && !event.spoofed && event.origin.len() == countries);
        let all = follow(&capture);
        let finished = all.iter().filter(|one| one.finished);
        let named = finished.filter(|one| event.origin.contains(&country_of(one.client))).count();
        // 40 a second for 42 s, less what ramps up, and some ordinary visitors from there.
        assert!((1_600..2_000).contains(&named), "{countries}: {named}");
        assert!(!event.origin.contains(&parameters.home));
    }
}

#[test]
fn a_launch_morning_tells_its_whole_story() {
    let capture = generate(Scenario::LaunchMorning, &Scenario::LaunchMorning.defaults());
    let required: Vec<(AlertKind, Verdict)> =
        capture.truth.events.iter().filter(|event| !event.optional).map(|event| (event.kind, event.verdict)).collect();
    assert_eq!(
        required,
        [
            (AlertKind::Rush, Verdict::Rush),
            (AlertKind::Overload, Verdict::Overload),
            (AlertKind::SynFlood, Verdict::Mixed),
            (AlertKind::SynFlood, Verdict::Attack),
            (AlertKind::ForeignSurge, Verdict::Attack),
            (AlertKind::SynFlood, Verdict::Attack),
        ]
    );
    assert!((60_000_000..150_000_000).contains(&capture.kept_bytes), "{}", capture.kept_bytes);
    let lead = capture.truth.events[0].start.since(capture.truth.start.unwrap());
    assert!(lead >= Duration::from_secs(200), "levels are learned in 180 s: {lead:?}");
    follow(&capture);
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_does_not() {
    let bytes = |seed| {
        let mut all = Vec::new();
        let parameters = Parameters { seed, ..quick(Scenario::SynFlood) };
        let truth = scenario::generate(Scenario::SynFlood, &parameters, &mut |at, wire_len, bytes| {
            all.extend_from_slice(&at.as_nanos().to_le_bytes());
            all.extend_from_slice(&wire_len.to_le_bytes());
            all.extend_from_slice(bytes);
        });
        (all, truth.unwrap().to_json())
    };
    assert!(bytes(7) == bytes(7));
    assert!(bytes(7) != bytes(8));
}

/// A committed capture: its name, its scenario and what differs from the scenario's defaults.
fn fixtures() -> Vec<(&'static str, Scenario, Parameters)> {
    let of = |name, scenario: Scenario, rate, lead, duration| {
        let (lead, duration) = (Duration::from_secs(lead), Duration::from_secs(duration));
        (name, scenario, Parameters { rate, lead, duration, ..scenario.defaults() })
    };
    let mut all = vec![
        of("calm", Scenario::Calm, 12.0, 0, 220),
        of("rush", Scenario::Rush, 7.0, 185, 275),
        of("rush-overload", Scenario::RushOverload, 7.0, 185, 275),
        of("syn-flood", Scenario::SynFlood, 10.0, 190, 265),
        of("foreign-surge", Scenario::ForeignSurge, 10.0, 190, 265),
        of("launch-morning-small", Scenario::LaunchMorning, 5.0, 190, 500),
    ];
    for (name, _, parameters) in &mut all {
        parameters.attack_rate = match *name {
            "syn-flood" => Some(150.0),
            "foreign-surge" => Some(30.0),
            _ => None,
        };
    }
    all
}

fn fixture_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(format!("{name}.pcap.zst"))
}

/// `VIGIE_BLESS=1 cargo test --test scenario fixtures` writes them anew.
#[test]
fn fixtures_are_what_the_generator_writes() {
    let folder = tempfile::tempdir().unwrap();
    let mut total = 0;
    for (name, scenario, parameters) in fixtures() {
        let written = folder.path().join(format!("{name}.pcap"));
        let truth = scenario::write(scenario, &parameters, &written).unwrap();
        let bytes = fs::read(&written).unwrap();
        let stored = fixture_path(name);
        if std::env::var_os("VIGIE_BLESS").is_some() {
            fs::write(&stored, zstd::encode_all(bytes.as_slice(), 19).unwrap()).unwrap();
            fs::write(Truth::path_of(&stored), truth.to_json()).unwrap();
        }
        let file = fs::File::open(&stored).unwrap();
        total += file.metadata().unwrap().len();
        let mut kept = Vec::new();
        zstd::Decoder::new(file).unwrap().read_to_end(&mut kept).unwrap();
        assert!(kept == bytes, "{name}: differs from what is generated now");
        assert_eq!(Truth::read(&Truth::path_of(&stored)).unwrap(), truth, "{name}");
    }
    assert!(total < 10_000_000, "{total} bytes of fixtures");
}

#[test]
fn wireshark_finds_nothing_malformed() {
    if Command::new("tshark").arg("-v").output().is_err() {
        assert!(std::env::var_os("VIGIE_REQUIRE_ALL").is_none(), "tshark is not installed");
        eprintln!("SKIPPED: tshark is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("launch.pcap");
    scenario::write(Scenario::LaunchMorning, &quick(Scenario::LaunchMorning), &path).unwrap();
    let checks = ["tcp.check_checksum:TRUE", "ip.check_checksum:TRUE", "udp.check_checksum:TRUE"];
    let mut command = Command::new("tshark");
    command.args(["-n", "-r"]).arg(&path);
    for check in checks {
        command.args(["-o", check]);
    }
    let wrong = "_ws.malformed || tcp.checksum.status == 0 || ip.checksum.status == 0 || udp.checksum.status == 0 \
                 || icmp.checksum.status == 0 || icmpv6.checksum.status == 0";
    let output = command.args(["-Y", wrong]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
}

#[test]
fn plain_and_compressed_files_hold_the_same_capture() {
    let folder = tempfile::tempdir().unwrap();
    let parameters = Parameters { duration: Duration::from_secs(10), ..quick(Scenario::Calm) };
    let write = |name: &str| {
        let path = folder.path().join(name);
        let truth = scenario::write(Scenario::Calm, &parameters, &path).unwrap();
        assert_eq!(Truth::read(&Truth::path_of(&path)).unwrap(), truth);
        fs::read(path).unwrap()
    };
    let plain = write("a.pcap");
    assert_eq!(plain[..4], 0xa1b2_3c4d_u32.to_le_bytes());
    let mut unzipped = Vec::new();
    flate2::read::GzDecoder::new(write("a.pcap.gz").as_slice()).read_to_end(&mut unzipped).unwrap();
    assert!(unzipped == plain);
    assert!(zstd::decode_all(write("a.pcap.zst").as_slice()).unwrap() == plain);
    let names = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(names, 6, "nothing but three captures and their truth");
}

#[test]
fn what_cannot_be_written_leaves_nothing_behind() {
    let parameters = quick(Scenario::Calm);
    let error = scenario::write(Scenario::Calm, &parameters, Path::new("/nowhere/a.pcap")).unwrap_err();
    assert!(error.to_string().starts_with("/nowhere/a.pcap: No such file"), "{error}");
    let wrong = Parameters { rate: 0.0, ..parameters };
    let folder = tempfile::tempdir().unwrap();
    let error = scenario::write(Scenario::Calm, &wrong, &folder.path().join("a.pcap")).unwrap_err();
    assert_eq!(error.to_string(), "rate is 0: it must lie between 1 and 100000");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn any_protection_of_either_family_has_traffic() {
    for (prefixes, spoofing) in [
        (&["192.0.2.7/32=one"][..], Spoofing::Random),
        (&["2001:db8:7::/64"], Spoofing::Ipv6),
        (&["198.51.100.0/24=a", "192.0.2.0/24=b", "2001:db8::/32=c"], Spoofing::RawBots),
    ] {
        let protect = prefixes.iter().map(|prefix| prefix.parse().unwrap()).collect();
        let parameters = Parameters { protect, spoofing, ..quick(Scenario::SynFlood) };
        let mut packets = 0;
        let truth = scenario::generate(Scenario::SynFlood, &parameters, &mut |_, _, _| packets += 1).unwrap();
        assert!(packets > 20_000, "{prefixes:?}: {packets}");
        let first = parameters.protect[0].prefix;
        assert!(truth.events[0].target.iter().all(|target| first.contains(target.network())), "{truth:#?}");
    }
}
