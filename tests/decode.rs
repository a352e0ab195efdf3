//! The decoder on whole captures, on hostile bytes and on the crash corpus.

#[path = "../fuzz/contract.rs"]
mod contract;
#[path = "decode/reader.rs"]
mod reader;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use contract::{LINKS, assert_contract, frame};
use proptest::prelude::*;
use reader::Recorded;
use vigie::decode::{DropReason, decode};
use vigie::packet::{Marks, Packet};
use vigie::source::LinkType;

#[global_allocator]
static ALLOCATOR: contract::CountingAllocator = contract::CountingAllocator;

/// Returns a folder of captures, or says that it is not there.
fn captures(kind: &str) -> Option<PathBuf> {
    let root = std::env::var_os("VIGIE_CAPTURES").map_or_else(|| PathBuf::from("../shared/captures"), PathBuf::from);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(root).join(kind);
    if folder.is_dir() {
        return Some(folder);
    }
    assert_ne!(std::env::var("VIGIE_REQUIRE_ALL").as_deref(), Ok("1"), "{} is missing", folder.display());
    eprintln!("SKIPPED: {} is missing; set VIGIE_CAPTURES", folder.display());
    None
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending != "md"));
    files.sort();
    files
}

fn decoded(recorded: &Recorded) -> Result<Packet, DropReason> {
    decode(&frame(recorded.link, &recorded.bytes, recorded.wire_len))
}

/// Writes a packet's flow and marks: `10.0.0.1:30000 > 10.0.0.2:13000 udp tunnelled`.
fn flow(packet: &Packet) -> String {
    let names = ["fragment", "later", "tunnelled", "vlan", "cut", "quic"];
    let protocol = match packet.protocol.name() {
        "other" => format!("ip-{}", packet.protocol.0),
        name => name.to_owned(),
    };
    let mut text = if packet.is_icmp() {
        format!("{} > {} {protocol} type {}", packet.source, packet.destination, packet.destination_port >> 8)
    } else {
        let end = |address: vigie::address::Address, port| {
            if address.is_ipv4() { format!("{address}:{port}") } else { format!("[{address}]:{port}") }
        };
        let (source, destination) =
            (end(packet.source, packet.source_port), end(packet.destination, packet.destination_port));
        format!("{source} > {destination} {protocol}")
    };
    for (bit, name) in names.iter().enumerate() {
        if packet.marks.any(1 << bit) {
            write!(text, " {name}").unwrap();
        }
    }
    text
}

/// Counts what a file's frames became, the most frequent first.
fn outcome(frames: &[Recorded]) -> Vec<(String, usize)> {
    let mut counts = BTreeMap::new();
    for recorded in frames {
        let text = decoded(recorded).map_or_else(|reason| format!("- {reason}"), |packet| flow(&packet));
        *counts.entry(text).or_insert(0) += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(text, count)| (std::cmp::Reverse(*count), text.clone()));
    counts
}

/// Writes what every file of a folder became.
fn outcomes(folder: &Path) -> String {
    let mut text = String::new();
    for file in files(folder) {
        let frames = reader::read(&file);
        writeln!(text, "{}: {} frames", file.file_name().unwrap().to_string_lossy(), frames.len()).unwrap();
        for (line, count) in outcome(&frames) {
            writeln!(text, "  {count} {line}").unwrap();
        }
    }
    text
}

/// The innermost conversation of each file, as tshark shows it: frames, how many of them become packets, and how many
/// of these belong to one flow.
const INNERMOST: &[(&str, usize, usize, &str, usize)] = &[
    ("pcpp-VlanPackets.pcap", 26, 20, "10.118.10.1 > 10.118.10.2 icmp type 8 vlan", 5),
    ("pcpp-ip4_fragments.pcap", 53, 53, "10.118.213.212:0 > 10.118.213.211:0 udp fragment later", 41),
    ("pcpp-linktype_ipv4.pcap", 2, 2, "10.0.0.1:58121 > 10.0.0.138:53 udp", 1),
    ("pcpp-nanosecs_big_endian.pcap", 10, 10, "127.0.0.1:43030 > 127.0.0.1:8000 tcp", 5),
    ("pcpp-null_loopback.pcap", 3, 3, "[::1]:49888 > [::1]:81 tcp", 1),
    ("pcpp-pcapng-example.pcapng", 159, 159, "130.217.250.13:34374 > 130.217.250.145:6000 tcp", 12),
    ("pcpp-raw_ip.pcap", 100, 100, "[2001:618:400::5199:cc70]:35995 > [2001:618:1:8000::5]:80 tcp", 16),
    ("pcpp-sll.pcap", 518, 511, "212.199.202.69:80 > 10.0.0.8:40800 tcp", 325),
    ("pcpp-sll2.pcap", 3, 3, "116.63.66.108:443 > 7.249.151.114:57292 tcp", 3),
    ("tcpdump-bigtcp-ipv6-vxlan-ipv4.pcap", 1, 1, "192.168.1.1:41873 > 192.168.1.2:38131 tcp tunnelled", 1),
    ("tcpdump-gso-ipv4-vxlan-ipv6.pcap", 1, 1, "[fd00::2]:44479 > [fd00::1]:40145 tcp tunnelled", 1),
    ("zeek-4in4.pcap", 1, 1, "10.0.0.1:30000 > 10.0.0.2:13000 udp tunnelled", 1),
    ("zeek-6in4.pcap", 1, 1, "[dead::beef]:30000 > [cafe::babe]:13000 udp tunnelled", 1),
    (
        "zeek-Teredo.pcap",
        78,
        78,
        "2001:0:4137:9e50:8000:f12a:b9c8:2815 > 2001:4860:0:2001::68 icmpv6 type 128 tunnelled",
        1,
    ),
    ("zeek-erspanIII.pcap", 2, 2, "192.168.15.47 > 1.1.1.1 icmp type 8 tunnelled", 1),
    ("zeek-geneve.pcap", 6, 6, "30.0.0.1 > 30.0.0.2 icmp type 8 tunnelled", 3),
    ("zeek-gre-pptp.pcap", 2, 2, "172.16.44.3:40768 > 8.8.8.8:53 udp tunnelled vlan", 1),
    ("zeek-gre-sample.pcap", 40, 40, "66.59.111.190:40264 > 172.28.2.3:22 tcp tunnelled", 12),
    ("zeek-gtp7_ipv6.pcap", 2, 2, "[fe80::224c:4fff:fe43:414c]:1234 > [ff02::1:3]:5355 udp tunnelled", 1),
    ("zeek-mixed-vlan-mpls.pcap", 47, 47, "10.1.2.1:11001 > 10.34.0.1:23 tcp", 11),
    ("zeek-pppoe-over-qinq.pcap", 86, 86, "2.2.2.2:443 > 1.1.1.1:20394 tcp vlan", 42),
    ("zeek-q-in-q.pcap", 5, 4, "172.19.51.37:47808 > 172.19.51.63:47808 udp vlan", 2),
    ("zeek-vxlan.pcap", 10, 10, "10.0.0.1 > 10.0.0.2 icmp type 8 tunnelled", 4),
];

#[test]
fn every_encapsulation_decodes_to_its_innermost_flow() {
    let Some(folder) = captures("encap") else { return };
    for file in files(&folder) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        assert!(INNERMOST.iter().any(|row| row.0 == name), "{name} is not expected");
    }
    for (name, frames, packets, inner, of_them) in INNERMOST {
        let recorded = reader::read(&folder.join(name));
        assert_eq!(recorded.len(), *frames, "{name}");
        let counts = outcome(&recorded);
        let sum = |of: &dyn Fn(&str) -> bool| {
            counts.iter().filter(|(line, _)| of(line)).map(|(_, count)| count).sum::<usize>()
        };
        assert_eq!(sum(&|line| !line.starts_with('-')), *packets, "{name} {counts:?}");
        assert_eq!(sum(&|line| line.starts_with(inner)), *of_them, "{name} {counts:?}");
    }
}

#[test]
fn encapsulations_keep_their_outcome() {
    let Some(folder) = captures("encap") else { return };
    insta::assert_snapshot!(outcomes(&folder));
}

#[test]
fn malformed_captures_keep_their_reasons() {
    let Some(folder) = captures("malformed") else { return };
    insta::assert_snapshot!(outcomes(&folder));
}

/// Every frame of every small capture, with every snap length up to 320 bytes.
#[test]
fn real_frames_keep_the_contract() {
    let mut checked = 0;
    for kind in ["encap", "malformed", "scan", "reflection"] {
        let Some(folder) = captures(kind) else { continue };
        for file in files(&folder) {
            for recorded in reader::read(&file).iter().take(60) {
                assert_contract(recorded.link, &recorded.bytes, recorded.wire_len);
                checked += 1;
            }
        }
    }
    eprintln!("{checked} frames checked");
}

/// The crash corpus: packets that are hostile in one way each, and what becomes of them.
#[test]
fn the_crash_corpus_has_its_outcome() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/crash");
    let files = files(&folder);
    assert!(files.len() >= 10, "{} is nearly empty", folder.display());
    for file in files {
        let entry = CrashEntry::read(&file);
        let recorded = Recorded { link: entry.link, wire_len: entry.wire_len, bytes: entry.bytes };
        let became = decoded(&recorded).map_or_else(|reason| format!("- {reason}"), |packet| flow(&packet));
        assert_eq!(became, entry.becomes, "{}: {}", file.display(), entry.sentence);
        assert_contract(recorded.link, &recorded.bytes, recorded.wire_len);
    }
}

/// One file of `fixtures/crash/`: a sentence, the link type, the outcome, and the frame in hexadecimal.
struct CrashEntry {
    sentence: String,
    link: LinkType,
    becomes: String,
    wire_len: usize,
    bytes: Vec<u8>,
}

impl CrashEntry {
    fn read(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).unwrap();
        let field =
            |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned());
        let hex: String = text.lines().skip_while(|line| !line.is_empty()).collect();
        let digits: Vec<char> = hex.chars().filter(|digit| !digit.is_whitespace()).collect();
        let bytes: Vec<u8> =
            digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap()).collect();
        let link = match field("link:").unwrap().as_str() {
            "ethernet" => LinkType::Ethernet,
            "linux_sll" => LinkType::LinuxSll,
            "linux_sll2" => LinkType::LinuxSll2,
            "raw_ip" => LinkType::RawIp,
            "null" => LinkType::Null,
            other => panic!("{}: no link type {other}", file.display()),
        };
        let wire_len = field("wire:").map_or(bytes.len(), |number| number.parse().unwrap());
        Self { sentence: field("#").unwrap(), link, becomes: field("becomes:").unwrap(), wire_len, bytes }
    }
}

/// Frames that random changes start from, where the captures are missing too: the crash corpus.
fn seeds() -> Vec<Recorded> {
    let mut seeds = Vec::new();
    for file in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/crash")) {
        let entry = CrashEntry::read(&file);
        seeds.push(Recorded { link: entry.link, wire_len: entry.wire_len, bytes: entry.bytes });
    }
    if let Some(folder) = captures("encap") {
        for file in files(&folder) {
            seeds.extend(reader::read(&file).into_iter().step_by(3).take(8));
        }
    }
    for seed in &mut seeds {
        // Headers are all at the front; the rest would only dilute the changes.
        seed.bytes.truncate(192);
    }
    seeds
}

thread_local! {
    static SEEDS: Vec<Recorded> = seeds();
}

proptest! {
    #[test]
    fn random_bytes_keep_the_contract(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        link in 0..LINKS.len(),
        cut in 0..2000_usize,
    ) {
        assert_contract(LINKS[link], &bytes, bytes.len() + cut);
    }

    #[test]
    fn changed_frames_keep_the_contract(
        seed in any::<prop::sample::Index>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        swap_link in proptest::option::weighted(0.1, 0..LINKS.len()),
        length in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        SEEDS.with(|seeds| {
            let seed = &seeds[seed.index(seeds.len())];
            let mut bytes = seed.bytes.clone();
            for (place, value) in changes {
                let place = place.index(bytes.len().max(1));
                if let Some(byte) = bytes.get_mut(place) {
                    *byte = value;
                }
            }
            if let Some(length) = length {
                bytes.truncate(length.index(bytes.len() + 1));
            }
            let link = swap_link.map_or(seed.link, |link| LINKS[link]);
            assert_contract(link, &bytes, seed.wire_len.max(bytes.len()));
        });
    }
}

#[test]
fn marks_of_one_frame_do_not_reach_the_next() {
    let Some(folder) = captures("encap") else { return };
    let tunnelled = &reader::read(&folder.join("zeek-vxlan.pcap"))[2];
    let plain = &reader::read(&folder.join("pcpp-nanosecs_big_endian.pcap"))[0];
    let first = decoded(plain).unwrap();
    assert!(decoded(tunnelled).is_ok());
    assert_eq!(decoded(plain), Ok(first));
    assert_eq!(first.marks, Marks(0));
}
