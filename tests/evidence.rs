//! Evidence of whole runs: what the files hold, that other programs read them, and that threads change nothing.

#[expect(dead_code, reason = "each test file uses its part of what they share")]
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use support::fixtures::Fixture;
use support::skip;
use vigie::source::{FileOptions, LinkType, PacketSource as _, Progress, open_files};
use vigie::time::Timestamp;

const FIXTURE: &str = "syn-flood";

fn capture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/{FIXTURE}.pcap.zst"))
}

/// Replays the fixture; returns its alert lines.
fn replay(folder: &Path, more: &[&str], settings: &[(&str, &str)]) -> (Output, Vec<Value>) {
    let alerts = folder.with_extension("alerts.jsonl");
    let output = Command::new(env!("CARGO_BIN_EXE_vigie"))
        .args(["replay", "-q", capture().to_str().unwrap(), "--evidence", folder.to_str().unwrap(), "--alerts"])
        .arg(&alerts)
        .args(Fixture::read(FIXTURE).arguments())
        .args(more)
        .envs(settings.iter().copied())
        .output()
        .unwrap();
    let lines = fs::read_to_string(alerts).unwrap();
    (output, lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// Name and content of every file in a folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

/// The alerts that reach a warning, by id, with their opening line.
fn loud(lines: &[Value]) -> BTreeMap<String, &Value> {
    let loud = lines.iter().filter(|line| line["severity"] != "info" && line["event"] != "close");
    let mut first = BTreeMap::new();
    for line in loud {
        first.entry(line["id"].as_str().unwrap().to_owned()).or_insert(line);
    }
    first
}

/// Asks tshark for fields of each packet.
fn tshark(file: &Path, fields: &[&str]) -> Option<Vec<Vec<String>>> {
    let fields = fields.iter().flat_map(|field| ["-e", field]);
    let asked = Command::new("tshark").args(["-r", file.to_str().unwrap(), "-T", "fields"]).args(fields).output();
    let Ok(output) = asked else {
        skip("tshark is not installed");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
}

#[test]
fn wireshark_reads_each_alert_with_comments_from_before_it_opened() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("evidence");
    let (output, lines) = replay(&folder, &[], &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let loud = loud(&lines);
    let names: Vec<String> = loud.keys().map(|id| format!("{id}.pcapng")).collect();
    assert_eq!(files(&folder).into_keys().collect::<Vec<_>>(), names);

    let (id, opened) = loud.iter().find(|(_, line)| line["kind"] == "syn_flood").unwrap();
    let file = folder.join(format!("{id}.pcapng"));
    let Some(packets) = tshark(&file, &["frame.time_epoch", "frame.comment", "ip.dst", "tcp.flags.syn"]) else {
        return;
    };
    assert!(packets.len() > 100, "{} packets", packets.len());
    let at: Timestamp = opened["at"].as_str().unwrap().parse::<jiff::Timestamp>().map(timestamp).unwrap();
    let before = packets.iter().filter(|packet| seconds(&packet[0]) < at.as_secs_f64()).count();
    assert!(before > 0 && before < packets.len(), "{before} of {} before the alert", packets.len());
    let first = packets.iter().map(|packet| seconds(&packet[0])).fold(f64::MAX, f64::min);
    assert!((0.0..=10.5).contains(&(at.as_secs_f64() - first)), "from {first} on, opened at {at}");
    let target = opened["target"]["prefix"].as_str().unwrap().split('/').next().unwrap().to_owned();
    for packet in &packets {
        assert!(packet[1].starts_with("SYN"), "{packet:?}");
        assert!(packet[2] == target && (packet[3] == "1" || packet[3] == "True"), "{packet:?}");
    }
    for said in ["SYN of the flood", "SYN of the flood, before the alert", " s before the flood"] {
        assert!(packets.iter().any(|packet| packet[1].ends_with(said)), "nobody says `{said}`");
    }
}

#[test]
fn capinfos_tells_interface_snap_length_and_statistics() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("evidence");
    let (_, lines) = replay(&folder, &[], &[("VIGIE_EVIDENCE_SNAP_BYTES", "64")]);
    let loud = loud(&lines);
    let id = loud.keys().find(|id| id.starts_with("syn_flood")).unwrap();
    let Ok(output) = Command::new("capinfos").arg(folder.join(format!("{id}.pcapng"))).output() else {
        return skip("capinfos is not installed");
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    for said in [
        "Wireshark/... - pcapng",
        "Ethernet",
        "Capture length = 64",
        "Time precision = nanoseconds",
        "vigie ",
        "Number of stat entries = 1",
        id.as_str(),
        "Number of interfaces in file: 1",
    ] {
        assert!(text.contains(said), "`{said}` is not in: {text}");
    }
}

#[test]
fn files_are_the_same_for_any_number_of_threads() {
    let temporary = tempfile::tempdir().unwrap();
    // So little memory that ticks overflow: what is left out must not depend on threads either.
    let little = [("VIGIE_EVIDENCE_MEMORY", "4"), ("VIGIE_EVIDENCE_FILE_SIZE", "1")];
    let run = |threads: &str| {
        let folder = temporary.path().join(threads);
        replay(&folder, &["--threads", threads], &little);
        files(&folder)
    };
    let one = run("1");
    assert!(!one.is_empty());
    for threads in ["2", "4"] {
        assert!(run(threads) == one, "{threads} threads");
    }
    assert!(one.values().all(|content| content.len() <= 1 << 20));
    for name in one.keys() {
        let frames = frames(&temporary.path().join("1").join(name));
        assert!(!frames.is_empty() && frames.iter().all(|(link, _)| *link == LinkType::Ethernet), "{name}");
    }
}

/// What our own reader makes of a file: link type and time of each frame.
fn frames(path: &Path) -> Vec<(LinkType, Timestamp)> {
    let mut source = open_files(&[path.to_owned()], FileOptions::default()).unwrap();
    let mut frames = Vec::new();
    while source.poll(&mut |frame| frames.push((frame.link, frame.timestamp))).unwrap() != Progress::End {}
    frames
}

#[test]
fn nobody_else_may_read_and_the_newest_are_kept() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("evidence");
    fs::create_dir(&folder).unwrap();
    for second in 0..3 {
        fs::write(folder.join(format!("beacon-20200101T00000{second}Z-00.pcapng")), "old").unwrap();
    }
    fs::write(folder.join("notes.txt"), "mine").unwrap();
    let (_, lines) = replay(&folder, &[], &[("VIGIE_EVIDENCE_FILES", "2")]);
    let new = loud(&lines).len().min(2);
    let kept = files(&folder);
    assert_eq!(kept.len(), 2 + 1, "{:?}", kept.keys());
    assert_eq!(kept.keys().filter(|name| name.starts_with("beacon-2020")).count(), 2 - new);
    assert!(kept.contains_key("notes.txt"));
    for name in kept.keys().filter(|name| !name.starts_with("beacon-2020") && name.ends_with(".pcapng")) {
        let mode = fs::metadata(folder.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_full_disk_is_one_sentence_and_the_run_goes_on() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("evidence");
    fs::create_dir(&folder).unwrap();
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=16k", "tmpfs"]).arg(&folder).output();
    if !mount.is_ok_and(|output| output.status.success()) {
        return skip("no right to mount a small disk");
    }
    let (output, lines) = replay(&folder, &[], &[]);
    let unmounted = Command::new("umount").arg(&folder).status().unwrap();
    assert!(unmounted.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert_eq!(said.matches("No space left").count(), 2, "once at the time and once at the end: {said}");
    assert!(lines.iter().any(|line| line["event"] == "close"), "the run did not go on");
}

#[test]
fn a_folder_that_cannot_be_written_is_refused_before_any_work() {
    let temporary = tempfile::tempdir().unwrap();
    let file = temporary.path().join("file");
    fs::write(&file, "").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_vigie"))
        .args(["replay", capture().to_str().unwrap(), "--evidence"])
        .arg(file.join("evidence"))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("cannot keep evidence in") && said.contains("choose a directory"), "{said}");
}

fn timestamp(moment: jiff::Timestamp) -> Timestamp {
    Timestamp::from_nanos(u64::try_from(moment.as_nanosecond()).unwrap())
}

fn seconds(text: &str) -> f64 {
    text.parse().unwrap()
}
