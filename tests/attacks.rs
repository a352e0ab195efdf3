//! Attacks, benign oddities and worse mirror ports from outside: what is labelled is what is in the capture.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use vigie::address::Address;
use vigie::decode::decode;
use vigie::kind::{AlertKind, Verdict};
use vigie::packet::{Marks, Packet};
use vigie::scenario::{self, Onto, Parameters, Scenario, Spoofing, Technique, Truth, Vector, View};
use vigie::source::{FileOptions, Frame, InterfaceId, LinkType, PacketSource, Progress, open_files};
use vigie::time::Timestamp;

const TARGET: &str = "203.0.113.10";

fn short(scenario: Scenario) -> Parameters {
    let seconds = Duration::from_secs;
    Parameters { rate: 5.0, lead: seconds(5), duration: seconds(45), ..scenario.defaults() }
}

fn generate(scenario: Scenario, parameters: &Parameters) -> (Vec<Packet>, Truth) {
    let mut packets = Vec::new();
    let truth = scenario::generate(scenario, parameters, &mut |timestamp, wire_len, bytes| {
        let interface = InterfaceId::default();
        let frame = Frame { timestamp, link: LinkType::Ethernet, interface, wire_len, bytes };
        packets.push(decode(&frame).expect("whole packets"));
    });
    (packets, truth.unwrap())
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

#[test]
fn every_technique_gives_its_kind_and_lies_within_its_event() {
    for technique in Technique::all() {
        let parameters = Parameters { vectors: vec![Vector::of(technique)], ..short(Scenario::Calm) };
        let (_, truth) = generate(Scenario::Calm, &parameters);
        let event = truth.events.iter().find(|event| event.kind == technique.kind()).unwrap();
        let expected = if technique.kind().is_attack() { Verdict::Attack } else { Verdict::Suspicion };
        assert_eq!(event.verdict, expected, "{technique}");
        assert!(event.packets > Some(0), "{technique}");
        let begin = event.start.since(parameters.start.plus(parameters.lead));
        assert!(begin < Duration::from_secs(1), "{technique} begins {begin:?} late");
        assert!(event.end > event.start && event.end <= truth.end.unwrap(), "{technique}");
        let inside = event.target.iter().all(|target| parameters.protect.iter().any(|p| p.prefix.overlaps(*target)));
        assert!(inside && !event.target.is_empty(), "{technique}");
        assert_eq!(event.origin.is_empty(), event.spoofed || event.kind == AlertKind::SynFlood, "{technique}");
    }
}

#[test]
fn a_flood_counts_what_it_sent_at_the_rate_asked_for() {
    for (technique, unit) in
        [("udp-flood", 1.0), ("icmp-flood", 1.0), ("fragment-flood", 1.0), ("tcp-flag-flood:rst", 1.0)]
    {
        let technique: Technique = technique.parse().unwrap();
        let vector = Vector { rate: Some(400.0), ..Vector::of(technique) };
        let parameters = Parameters { vectors: vec![vector], ..short(Scenario::Calm) };
        let (with, truth) = generate(Scenario::Calm, &parameters);
        let event = &truth.events[0];
        // Six tenths of forty seconds.
        let sent = event.packets.unwrap() as f64;
        assert!((sent / (24.0 * 400.0 * unit) - 1.0).abs() < 0.02, "{technique}: {sent}");
        let is_flood = |packet: &&Packet| match event.kind {
            AlertKind::UdpFlood => packet.is_udp() && packet.source_port != 53 && packet.payload_len.is_multiple_of(8),
            AlertKind::IcmpFlood => packet.is_icmp() && packet.destination_port == 8 * 256,
            AlertKind::FragmentFlood => packet.marks.any(Marks::LATER_FRAGMENT),
            _ => packet.is_tcp() && packet.flags.0 == 4 && packet.window == 1_024,
        };
        let target = event.target[0].network();
        let found = with.iter().filter(|packet| packet.destination == target).filter(is_flood);
        let within: Vec<_> = found.filter(|p| p.timestamp >= event.start && p.timestamp <= event.end).collect();
        let excess = within.len() as f64 - sent;
        assert!((0.0..0.01 * sent).contains(&excess), "{technique}: {} found, {sent} sent", within.len());
    }
}

#[test]
fn pulses_leave_silence_between_them() {
    let parameters = Parameters {
        pulses: 3,
        pulse_gap: Duration::from_secs(4),
        attack_duration: Some(Duration::from_secs(3)),
        attack_rate: Some(300.0),
        ..short(Scenario::SynFlood)
    };
    let (packets, truth) = generate(Scenario::SynFlood, &parameters);
    let event = &truth.events[0];
    assert_eq!((truth.events.len(), event.pulses), (1, Some(3)));
    let target = address(TARGET);
    let mut seconds: BTreeMap<u64, u32> = BTreeMap::new();
    for syn in packets.iter().filter(|packet| packet.flags.is_syn() && packet.destination == target) {
        *seconds.entry(syn.timestamp.since(event.start).as_secs()).or_default() +=
            u32::from(syn.timestamp >= event.start);
    }
    let busy: Vec<u64> = seconds.iter().filter(|(_, count)| **count > 200).map(|(second, _)| *second).collect();
    assert_eq!(busy, [0, 1, 2, 7, 8, 9, 14, 15, 16]);
}

#[test]
fn a_worse_mirror_port_sees_the_same_traffic_worse() {
    let plain = short(Scenario::SynFlood);
    let count = |change: &dyn Fn(&mut Parameters)| {
        let mut parameters = plain.clone();
        change(&mut parameters);
        generate(Scenario::SynFlood, &parameters).0
    };
    let all = count(&|_| {});
    let inside = |packet: &Packet| plain.protect.iter().any(|protected| protected.prefix.contains(packet.source));
    let inbound = count(&|p| p.view = View::Inbound);
    let outbound = count(&|p| p.view = View::Outbound);
    assert_eq!(inbound.len() + outbound.len(), all.len());
    assert!(outbound.iter().all(inside) && !inbound.iter().any(inside));
    let lossy = count(&|p| p.capture_loss = 0.05);
    assert!((lossy.len() as f64 / all.len() as f64 - 0.95).abs() < 0.01);
    let doubled = count(&|p| p.duplicates = 0.2);
    assert!((doubled.len() as f64 / all.len() as f64 - 1.2).abs() < 0.01);
    let tagged = count(&|p| p.vlan = Some(12));
    assert!(tagged.len() == all.len() && tagged.iter().all(|packet| packet.marks.any(Marks::VLAN)));
}

#[test]
fn everybody_comes_through_the_front_and_the_truth_names_it() {
    let (packets, truth) = generate(Scenario::Calm, &Parameters { fronted: true, ..short(Scenario::Calm) });
    let inside = |address: Address| truth.protect.iter().any(|protected| protected.prefix.contains(address));
    let web = |packet: &&Packet| packet.destination_port == 443 && inside(packet.destination);
    let is_proxy = |packet: &Packet| truth.proxies.iter().any(|proxy| proxy.contains(packet.source));
    let through: Vec<bool> = packets.iter().filter(web).map(is_proxy).collect();
    // Background radiation and a health checker may come by themselves.
    assert!(through.iter().filter(|through| **through).count() * 100 > through.len() * 98);
    assert_eq!(truth.proxies.len(), 16);
}

#[test]
fn minutes_tell_overload_from_an_attack() {
    let seconds = Duration::from_secs;
    let base =
        Parameters { rate: 10.0, lead: seconds(15), duration: seconds(195), minutes: true, ..Parameters::default() };
    let verdicts = |scenario, parameters: &Parameters| -> Vec<&'static str> {
        generate(scenario, parameters).1.minutes.iter().map(|minute| minute.verdict.name()).collect()
    };
    let rush = verdicts(Scenario::RushOverload, &Parameters { rush_factor: 8.0, ..base.clone() });
    assert!(rush.contains(&"overload") && !rush.contains(&"attack"), "{rush:?}");
    let calm = verdicts(Scenario::Calm, &base);
    assert!(calm.iter().all(|verdict| *verdict == "normal"), "{calm:?}");
    let flood = Parameters { cookies: false, backlog: 128, attack_rate: Some(300.0), ..base };
    let flood = verdicts(Scenario::SynFlood, &flood);
    assert!(flood.contains(&"attack") && !flood.contains(&"overload"), "{flood:?}");
}

#[test]
fn benign_scenarios_are_labelled_benign() {
    for scenario in Scenario::ALL.iter().filter(|scenario| scenario.technique().is_none()) {
        if matches!(scenario, Scenario::LaunchMorning | Scenario::Incident1 | Scenario::PenTest) {
            continue;
        }
        let parameters = Parameters { duration: Duration::from_secs(75), rush_factor: 4.0, ..short(*scenario) };
        let (packets, truth) = generate(*scenario, &parameters);
        assert!(packets.len() > 1_000, "{scenario}");
        let hostile =
            truth.events.iter().any(|event| event.verdict == Verdict::Attack || event.verdict == Verdict::Mixed);
        assert!(!hostile, "{scenario}: {:#?}", truth.events);
    }
}

#[test]
fn a_declared_test_is_labelled_as_what_it_is() {
    let (_, truth) = generate(Scenario::PenTest, &short(Scenario::PenTest));
    assert!(truth.events.iter().all(|event| event.declared && event.verdict == Verdict::Suspicion));
    assert_eq!(truth.events.len(), 3);
}

#[test]
fn what_does_not_fit_is_a_sentence() {
    let refuse = |scenario, parameters: &Parameters| {
        scenario::generate(scenario, parameters, &mut |_, _, _| {}).unwrap_err().to_string()
    };
    let technique = Some("udp-flood:quic".parse().unwrap());
    let wrong = refuse(Scenario::SynFlood, &Parameters { technique, ..short(Scenario::SynFlood) });
    assert_eq!(wrong, "`udp-flood:quic` is no variant of `syn-flood`: add it with --with");
    let late = Parameters { attack_start: Duration::from_secs(40), ..short(Scenario::SynFlood) };
    assert!(refuse(Scenario::SynFlood, &late).starts_with("`syn-flood` would end 69 s after the capture begins"));
}

/// Reads a capture: times and bytes.
fn frames_of(path: &Path) -> Vec<(Timestamp, Vec<u8>)> {
    let mut source = open_files(&[path.to_owned()], FileOptions::default()).unwrap();
    let mut frames = Vec::new();
    while source.poll(&mut |frame| frames.push((frame.timestamp, frame.bytes.to_vec()))).unwrap() != Progress::End {}
    frames
}

#[test]
fn an_attack_laid_over_a_capture_leaves_every_frame_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let (below, above) = (folder.path().join("calm.pcap.gz"), folder.path().join("both.pcap"));
    scenario::write(Scenario::Calm, &short(Scenario::Calm), &below).unwrap();
    let onto = Onto { capture: below.clone(), target: None, home: None };
    for (scenario, kind) in
        [(Scenario::SynFlood, AlertKind::SynFlood), (Scenario::Amplification, AlertKind::Amplification)]
    {
        let truth = scenario::write_onto(scenario, &Parameters::default(), &onto, &above).unwrap();
        assert_eq!(Truth::read(&Truth::path_of(&above)).unwrap(), truth);
        let event = truth.events.iter().find(|event| event.kind == kind).unwrap();
        assert_eq!(event.target, [address(TARGET).host_prefix()], "the busiest server");
        let (under, both) = (frames_of(&below), frames_of(&above));
        assert!(both.len() as u64 >= under.len() as u64 + event.packets.unwrap());
        assert!(both.windows(2).all(|pair| pair[0].0 <= pair[1].0), "in order of time");
        let mut rest = both.iter();
        assert!(under.iter().all(|frame| rest.any(|other| other == frame)), "every frame, in its order");
        assert!(event.start > under[0].0 && event.end < under[under.len() - 1].0);
    }
}

#[test]
fn what_cannot_be_laid_over_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let below = folder.path().join("calm.pcap");
    scenario::write(Scenario::Calm, &short(Scenario::Calm), &below).unwrap();
    let out = folder.path().join("out.pcap");
    let lay = |scenario, capture: &Path| {
        let onto = Onto { capture: capture.to_owned(), target: None, home: None };
        scenario::write_onto(scenario, &Parameters::default(), &onto, &out).unwrap_err().to_string()
    };
    assert!(lay(Scenario::Rush, &below).starts_with("`rush` is no attack"));
    assert!(lay(Scenario::SynFlood, Path::new("/nowhere.pcap")).contains("/nowhere.pcap"));
    let cut = folder.path().join("cut.pcap");
    let bytes = fs::read(&below).unwrap();
    fs::write(&cut, &bytes[..bytes.len() - 20]).unwrap();
    assert!(lay(Scenario::SynFlood, &cut).contains("at byte"));
    assert!(!out.exists() && !Truth::path_of(&out).exists());
}

#[test]
fn wireshark_finds_every_checksum_of_every_technique_right() {
    if Command::new("tshark").arg("-v").output().is_err() {
        assert!(std::env::var_os("VIGIE_REQUIRE_ALL").is_none(), "tshark is not installed");
        eprintln!("SKIPPED: tshark is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("all.pcap");
    for spoofing in [Spoofing::BogonFiltered, Spoofing::Ipv6] {
        let vectors = Technique::all().into_iter().map(|technique| Vector { rate: Some(5.0), ..Vector::of(technique) });
        let parameters =
            Parameters { vectors: vectors.collect(), spoofing, snap_length: 1_600, ..short(Scenario::Calm) };
        scenario::write(Scenario::Calm, &parameters, &path).unwrap();
        let mut command = Command::new("tshark");
        command.args(["-n", "-r"]).arg(&path);
        for check in ["tcp.check_checksum:TRUE", "ip.check_checksum:TRUE", "udp.check_checksum:TRUE"] {
            command.args(["-o", check]);
        }
        // What zeros look like to a guessed protocol above UDP is not ours.
        let wrong = "tcp.checksum.status == 0 || ip.checksum.status == 0 || udp.checksum.status == 0 \
                     || icmp.checksum.status == 0 || icmpv6.checksum.status == 0";
        let output = command.args(["-Y", wrong]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{spoofing}");
    }
}
