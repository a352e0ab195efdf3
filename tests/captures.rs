//! Captures that nobody here made, each with what Vigie must, may and must not say of it. The table follows the manifests
//! beside the captures; reasons stand with the rows.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// What an alert of warning or above may be about.
#[derive(Clone, Copy, Debug)]
enum Expected {
    /// Nothing at all.
    Silence,
    /// One of these must be said, and nothing else.
    Says(&'static [&'static str]),
    /// One of these may be said, and nothing else: too short, too small or too slow to ask for it.
    MaySay(&'static [&'static str]),
}

use Expected::{MaySay, Says, Silence};

const SCANS: &[&str] = &["port_scan", "host_sweep"];

/// Folder, file, what is expected, why.
const TABLE: &[(&str, &str, Expected, &str)] = &[
    (
        "benign",
        "ndpi-gnutella.pcap",
        MaySay(SCANS),
        "one host tries 130 peers, and half do not answer: a sweep by its looks",
    ),
    ("benign", "*", Silence, "ordinary traffic"),
    ("encap", "*", Silence, "tunnels and link types"),
    ("slow", "*", Silence, "one connection of two hours"),
    (
        "c2",
        "slips-test-cc-capture-1.pcap",
        MaySay(&["beacon"]),
        "a call every 2 s for 11 minutes: info below six hours",
    ),
    ("c2", "*", Silence, "a session or two"),
    (
        "exfiltration",
        "*",
        MaySay(&["exfiltration", "icmp_flood"]),
        "tunnels of some kilobytes: their content is not looked at",
    ),
    ("bruteforce", "ndpi-ftp_failed.pcap", Silence, "one failed log-in"),
    ("bruteforce", "*", MaySay(&["brute_force"]), "11 and 30 log-ins in a minute: near the line"),
    ("flood", "suri-denial6-5.pcap", Says(&["icmp_flood"]), "35,000 echo requests in 5 s"),
    (
        "flood",
        "suri-firewall-tcp-session-syn-flood-drop-precedence-input.pcap",
        MaySay(&["syn_flood"]),
        "200 SYNs in 0.2 s from one source",
    ),
    ("flood", "suri-rsmurf6.pcap", MaySay(&["icmp_flood", "amplification"]), "1,000 echo requests in 8 ms"),
    ("flood", "zeek-dhcp_flood.pcap", Silence, "500 DHCP messages in 5 s"),
    ("flood", "mmt-test_p9.pcap", MaySay(&["fragment_flood"]), "five oversized pings"),
    (
        "reflection",
        "netlyzer-ddos.pcap",
        Says(&["amplification", "udp_flood"]),
        "3,371 resolvers answer what nobody asked",
    ),
    (
        "reflection",
        "simplescan-backscatter.trace",
        MaySay(&["tcp_flag_flood"]),
        "answers of strangers' servers: no scan and no flood of ours",
    ),
    ("reflection", "*", Silence, "a packet every ten seconds"),
    ("scan", "ndpi-synscan.pcap", Says(SCANS), "1,000 ports in 23 s"),
    ("scan", "pcaphunt-ps-tcp_syn.pcap", Says(SCANS), "3,000 ports at 800 SYNs a second, and no SYN flood"),
    (
        "scan",
        "pcaphunt-hs-tcp_synPingSweepRand.pcapng",
        MaySay(SCANS),
        "over in 2 s, before a contact is known to have failed",
    ),
    ("scan", "pcaphunt-ps-udp.pcap", MaySay(SCANS), "datagrams at closed ports: probes are SYNs and echoes"),
    (
        "scan",
        "mmt-15.nikto.pcap",
        MaySay(&["robotic_surge", "brute_force", "port_scan"]),
        "195 connections in 6 s, all answered; each frame twice",
    ),
    ("scan", "*", MaySay(SCANS), "slow, tiny, or from an inside host that nobody said is protected"),
];

fn expected(folder: &str, file: &str) -> Option<(Expected, &'static str)> {
    let row = TABLE.iter().find(|(of, name, ..)| *of == folder && (*name == file || *name == "*"));
    row.map(|(_, _, expected, why)| (*expected, *why))
}

/// Where the captures are; says visibly that a test did not run where there are none.
fn captures() -> Option<PathBuf> {
    let folder = std::env::var("VIGIE_CAPTURES").unwrap_or_else(|_| "../shared/captures".to_owned());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    if folder.is_dir() {
        return Some(folder);
    }
    let required = std::env::var("VIGIE_REQUIRE_ALL").is_ok_and(|all| all == "1");
    assert!(!required, "{} is not there", folder.display());
    eprintln!("SKIPPED: no captures at {}", folder.display());
    None
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.is_file() && file.extension().is_none_or(|ending| ending != "md"));
    files.sort();
    files
}

/// The kinds that opened at warning or rose to it, and the exit code.
fn loud_kinds(capture: &Path) -> (Vec<String>, Option<i32>) {
    let output = Command::new(env!("CARGO_BIN_EXE_vigie"))
        .arg("replay")
        .arg(capture)
        .args(["-q", "--alerts", "-"])
        .output()
        .unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let mut kinds: Vec<String> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line["severity"] != "info")
        .map(|line| line["kind"].as_str().unwrap().to_owned())
        .collect();
    kinds.sort();
    kinds.dedup();
    (kinds, output.status.code())
}

#[test]
fn captures_of_others_say_what_they_must_and_nothing_else() {
    let Some(captures) = captures() else { return };
    let mut wrong = Vec::new();
    for folder in ["benign", "bruteforce", "c2", "encap", "exfiltration", "flood", "reflection", "scan", "slow"] {
        for file in files(&captures.join(folder)) {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            let (expected, why) = expected(folder, &name).unwrap_or_else(|| panic!("no row for {folder}/{name}"));
            let (kinds, exit) = loud_kinds(&file);
            let (must, may): (bool, &[&str]) = match expected {
                Silence => (false, &[]),
                Says(kinds) => (true, kinds),
                MaySay(kinds) => (false, kinds),
            };
            let is_allowed = kinds.iter().all(|kind| may.contains(&kind.as_str()));
            if !is_allowed || (must && kinds.is_empty()) {
                wrong.push(format!("{folder}/{name}: {kinds:?}, expected {expected:?}: {why}"));
            }
            assert!(matches!(exit, Some(0 | 2)), "{folder}/{name} ended with {exit:?}");
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Damaged files and formats that are not ours end with a sentence and never with a fault of our own.
#[test]
fn damaged_captures_are_refused_or_read_as_far_as_they_go() {
    let Some(captures) = captures() else { return };
    for folder in ["malformed", "flowexport"] {
        for file in files(&captures.join(folder)) {
            let (kinds, exit) = loud_kinds(&file);
            assert!(matches!(exit, Some(0 | 2)), "{} ended with {exit:?}", file.display());
            assert!(kinds.is_empty(), "{}: {kinds:?}", file.display());
        }
    }
}
