//! The capture filter of an alert, given to libpcap over a world whose attack is known: it must select the attack.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use vigie::scenario::Truth;
use vigie::source::{FileOptions, Frame, FrameFilter, LinkType, PacketSource as _, Progress, open_files};

/// Scenario, the kind its alert has, and what is asked of it beside.
const WORLDS: &[(&str, &str, &[&str])] = &[
    ("syn-flood", "syn_flood", &[]),
    ("syn-flood", "syn_flood", &["--spoofing", "ipv6"]),
    ("udp-flood", "udp_flood", &[]),
    ("udp-flood:gre", "udp_flood", &[]),
    ("amplification", "amplification", &[]),
    ("icmp-flood", "icmp_flood", &[]),
    ("fragment-flood", "fragment_flood", &[]),
    ("tcp-flag-flood", "tcp_flag_flood", &[]),
    ("carpet-bombing", "carpet_bombing", &[]),
];

/// Share of an attack's packets that its filter must select (CONTRACT 2).
const LEAST: f64 = 0.95;

fn vigie(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_vigie")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The last filter of the first warning of a kind.
fn filter_of(capture: &str, truth: &Truth, kind: &str) -> Option<String> {
    let mut arguments =
        vec!["replay".to_owned(), capture.to_owned(), "-q".to_owned(), "--alerts".to_owned(), "-".to_owned()];
    for home in &truth.home {
        arguments.extend(["--home".to_owned(), home.to_string()]);
    }
    for protected in &truth.protect {
        arguments.extend(["--protect".to_owned(), protected.to_string()]);
    }
    let lines = vigie(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let loud: Vec<Value> = lines.filter(|line| line["kind"] == kind && line["severity"] != "info").collect();
    let first = loud.first()?["id"].clone();
    loud.iter().rev().find(|line| line["id"] == first).and_then(|line| Some(line["filter"].as_str()?.to_owned()))
}

/// Frames a filter selects in a stretch of time, in seconds since the epoch.
fn selected(capture: &Path, filter: &str, from: f64, to: f64) -> u64 {
    let mut file = pcap::Capture::from_file(capture).unwrap();
    file.filter(filter, true).unwrap_or_else(|error| panic!("{filter}: {error}"));
    let mut count = 0;
    while let Ok(packet) = file.next_packet() {
        // The fraction is in nanoseconds or microseconds by the file; a second's grain is fine enough here.
        let at = packet.header.ts.tv_sec as f64;
        count += u64::from(at >= from.floor() && at <= to);
    }
    count
}

#[test]
fn filters_select_the_attack_they_are_about() {
    let folder = tempfile::tempdir().unwrap();
    let mut tried = 0;
    for (number, (scenario, kind, more)) in WORLDS.iter().enumerate() {
        let capture = folder.path().join(format!("{number}.pcap"));
        let path = capture.to_str().unwrap();
        vigie(&[&["synth", scenario, "-q", "-o", path, "--seed", "77", "--rate", "20"], *more].concat());
        let truth = Truth::read(&Truth::path_of(&capture)).unwrap();
        let event = truth.events.iter().find(|event| event.kind.name() == *kind && !event.optional).unwrap();
        let filter = filter_of(path, &truth, kind).unwrap_or_else(|| panic!("{scenario} {more:?} was not found"));
        let (start, end) = (event.start.as_secs_f64(), event.end.as_secs_f64());
        let inside = selected(&capture, &filter, start, end) as f64;
        // Ordinary packets that the filter selects too, by their rate in the minute before.
        let before = selected(&capture, &filter, start - 61.0, start - 1.0) as f64 / 60.0 * (end - start + 1.0);
        let attack = event.packets.unwrap() as f64;
        let share = (inside - before) / attack;
        assert!(share >= LEAST - 0.02, "{scenario} {more:?}: {share:.3} of {attack} by {filter}");
        tried += 1;
    }
    assert_eq!(tried, WORLDS.len());
}

#[test]
fn frames_in_memory_are_selected_as_libpcap_selects_them_from_a_file() {
    const FILTERS: &[&str] = &[
        "tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn and tcp dst port 443",
        "(ip6[6] == 6 and ip6[53] & 0x12 == 2) or (vlan and ip)",
        "udp port 53 or icmp or icmp6",
        "src net 2001:db8::/32 and not tcp",
        "ip[6:2] & 0x3fff != 0 or ip[2:2] - ((ip[0] & 0xf) << 2) > 600",
        "len > 90 and dst net 203.0.113.0/24",
        "ip proto 17 and udp[4:2] * 2 >= 100",
    ];
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("frames.pcap");
    let path = capture.to_str().unwrap();
    vigie(&["synth", "syn-flood", "-q", "-o", path, "--seed", "3", "--rate", "20"]);
    for text in FILTERS {
        let filter = FrameFilter::compile(text, LinkType::Ethernet).unwrap_or_else(|| panic!("{text}"));
        let mut source = open_files(std::slice::from_ref(&capture), FileOptions::default()).unwrap();
        let mut count = 0;
        let mut look = |frame: Frame<'_>| count += u64::from(filter.selects(frame.bytes, frame.wire_len));
        while source.poll(&mut look).unwrap() != Progress::End {}
        assert_eq!(count, selected(&capture, text, 0.0, f64::MAX), "{text}");
    }
}
