//! The program on every fixture, held against the truth written beside it (CONTRACT 4) and against the alerts stored
//! last time, which are reviewed like code.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use vigie::address::Prefix;

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(".pcap.zst"))
        .collect();
    files.sort();
    assert!(files.len() >= 6, "{files:?}");
    files
}

fn truth(capture: &Path) -> Value {
    let path = format!("{}.truth.json", capture.display());
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The alert lines of a replay with the truth's home and protected prefixes.
fn replay(capture: &Path, truth: &Value, more: &[&str]) -> Vec<Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vigie"));
    command.arg("replay").arg(capture).args(["-q", "--alerts", "-"]).args(more);
    for home in truth["home"].as_array().unwrap() {
        command.args(["--home", home.as_str().unwrap()]);
    }
    for prefix in truth["protect"].as_array().unwrap() {
        command.args(["--protect", prefix.as_str().unwrap()]);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn seconds(time: &Value) -> f64 {
    let moment: jiff::Timestamp = time.as_str().expect("a time").parse().unwrap();
    moment.as_nanosecond() as f64 / 1e9
}

fn targets(event: &Value) -> Vec<&str> {
    match &event["target"] {
        Value::String(one) => vec![one],
        many => many.as_array().unwrap().iter().filter_map(Value::as_str).collect(),
    }
}

/// One alert's lines, opening first.
fn lives(lines: &[Value]) -> Vec<Vec<&Value>> {
    let mut lives: Vec<Vec<&Value>> = Vec::new();
    for line in lines {
        match lives.iter_mut().find(|life| life[0]["id"] == line["id"]) {
            Some(life) => life.push(line),
            None => lives.push(vec![line]),
        }
    }
    lives
}

fn has(list: &Value, word: &Value) -> bool {
    list.as_array().is_some_and(|list| list.contains(word))
}

/// CONTRACT 4: kind, target and time.
fn matches(life: &[&Value], event: &Value) -> bool {
    let (open, close) = (life[0], life[life.len() - 1]);
    let kind = open["kind"] == event["kind"] || has(&event["also"], &open["kind"]);
    let prefix: Option<Prefix> = open["target"]["prefix"].as_str().map(|text| text.parse().unwrap());
    let target = targets(event).iter().any(|event| prefix.is_some_and(|p| p.overlaps(event.parse().unwrap())));
    let (start, end) = (seconds(&event["start"]), seconds(&event["end"]));
    let opened = seconds(&open["detected_at"]);
    let hostile = matches!(event["verdict"].as_str(), Some("attack" | "mixed" | "suspicion"));
    kind && target && opened <= end + 30.0 && seconds(&close["at"]) >= start && (!hostile || opened >= start - 5.0)
}

fn is_loud(line: &Value) -> bool {
    line["severity"] != "info"
}

#[test]
fn every_event_is_found_with_its_verdict_and_nothing_else_is_loud() {
    for capture in fixtures() {
        let name = capture.file_name().unwrap().to_string_lossy().into_owned();
        let truth = truth(&capture);
        let lines = replay(&capture, &truth, &[]);
        let lives = lives(&lines);
        let events = truth["events"].as_array().unwrap();
        for event in events.iter().filter(|event| event["kind"] != "rush" && event["optional"] != true) {
            let found: Vec<&Vec<&Value>> = lives.iter().filter(|life| matches(life, event)).collect();
            let any_severity = matches!(event["kind"].as_str(), Some("overload" | "outage"));
            let first = found.iter().flat_map(|life| life.iter()).find(|line| any_severity || is_loud(line));
            let first = first.unwrap_or_else(|| panic!("{name}: missed {event}"));
            let delay = seconds(&first["at"]) - seconds(&event["start"]);
            let until = seconds(&event["end"]) + 30.0;
            let last = found[0].iter().rev().find(|line| seconds(&line["at"]) <= until).unwrap_or(&found[0][0]);
            assert!(
                last["verdict"] == event["verdict"] || has(&event["verdict_also"], &last["verdict"]),
                "{name}: verdict {} of {event}",
                last["verdict"]
            );
            assert!(delay <= 30.0, "{name}: found after {delay} s: {event}");
            if event["spoofed"] == true {
                assert!(found.iter().flat_map(|life| life.iter()).all(|line| line["origins"] == Value::Array(vec![])));
            }
            eprintln!("{name}: {} found after {delay:.2} s as {}", event["kind"], last["verdict"]);
        }
        for life in lives.iter().filter(|life| life.iter().any(|line| is_loud(line))) {
            let known = events.iter().any(|event| matches(life, event));
            assert!(known, "{name}: false alarm {}", life[life.len() - 1]);
        }
        for rush in lines.iter().filter(|line| line["kind"] == "rush") {
            assert_eq!(rush["severity"], "info");
        }
    }
}

#[test]
fn alerts_are_those_of_last_time() {
    for capture in fixtures() {
        let truth = truth(&capture);
        let lines = replay(&capture, &truth, &[]);
        let start = seconds(&truth["start"]);
        let mut story = String::new();
        for line in &lines {
            let text = |key: &str| line[key].as_str().unwrap_or("-").to_owned();
            story.push_str(&format!(
                "{:8.2} {:6} {:14} {:8} {:10} {}\n",
                seconds(&line["at"]) - start,
                text("event"),
                text("kind"),
                text("severity"),
                text("verdict"),
                line["target"]["prefix"].as_str().unwrap_or("-"),
            ));
        }
        let name = capture.file_name().unwrap().to_string_lossy().replace(".pcap.zst", "");
        insta::assert_snapshot!(format!("alerts_{}", name.replace('-', "_")), story);
    }
}

/// Every frame twice, its copy a router further on (TTL one less): what a SPAN session over two VLANs gives.
#[test]
fn every_frame_doubled_gives_the_same_kinds_and_verdicts() {
    for name in ["calm", "syn-flood", "foreign-surge"] {
        let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/{name}.pcap.zst"));
        let truth = truth(&capture);
        let folder = tempfile::tempdir().unwrap();
        let doubled = folder.path().join("doubled.pcap");
        std::fs::write(&doubled, double(&zstd::decode_all(std::fs::File::open(&capture).unwrap()).unwrap())).unwrap();
        let verdicts = |lines: Vec<Value>| {
            let mut closes: Vec<String> = lives(&lines)
                .iter()
                .filter(|life| life.iter().any(|line| is_loud(line)))
                .map(|life| {
                    format!("{} {} {}", life[0]["kind"], life[life.len() - 1]["verdict"], life[0]["target"]["prefix"])
                })
                .collect();
            closes.sort();
            closes.dedup();
            closes
        };
        assert_eq!(verdicts(replay(&capture, &truth, &[])), verdicts(replay(&doubled, &truth, &[])), "{name}");
    }
}

/// Repeats every record of a little-endian pcap file, the copy's TTL one less and its header checksum mended.
fn double(pcap: &[u8]) -> Vec<u8> {
    let mut out = pcap[..24].to_vec();
    let mut rest = &pcap[24..];
    while rest.len() >= 16 {
        let length = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
        let (record, after) = rest.split_at(16 + length);
        out.extend_from_slice(record);
        let mut copy = record.to_vec();
        match (copy[16 + 12], copy[16 + 13]) {
            (0x08, 0x00) => {
                copy[16 + 22] -= 1;
                let sum = u32::from(u16::from_be_bytes([copy[16 + 24], copy[16 + 25]])) + 0x100;
                let sum = u16::try_from(sum % 0x1_0000 + sum / 0x1_0000).unwrap();
                copy[16 + 24..16 + 26].copy_from_slice(&sum.to_be_bytes());
            }
            (0x86, 0xdd) => copy[16 + 21] -= 1,
            _ => {}
        }
        out.extend_from_slice(&copy);
        rest = after;
    }
    out
}

/// Captures nobody here wrote: what is ordinary raises nothing above `info`; what the attack captures raise is printed.
#[test]
fn ordinary_captures_raise_nothing_loud() {
    let folder = std::env::var("VIGIE_CAPTURES").unwrap_or_else(|_| "../shared/captures".to_owned());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    if !folder.is_dir() {
        let required = std::env::var("VIGIE_REQUIRE_ALL").is_ok_and(|all| all == "1");
        assert!(!required, "{} is not there", folder.display());
        eprintln!("SKIPPED: no captures at {}", folder.display());
        return;
    }
    for kind in ["benign", "encap", "flood", "reflection", "scan", "slow", "bruteforce", "c2", "exfiltration"] {
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(folder.join(kind)).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        for file in files.iter().filter(|file| file.extension().is_none_or(|ending| ending != "md")) {
            let none = serde_json::json!({"home": [], "protect": []});
            let lines = replay(file, &none, &[]);
            let raised: Vec<String> = lines
                .iter()
                .filter(|line| line["event"] == "open")
                .map(|line| format!("{} {}", line["kind"], line["severity"]))
                .collect();
            let name = file.file_name().unwrap().to_string_lossy();
            if !raised.is_empty() {
                eprintln!("{kind}/{name}: {raised:?}");
            }
            let quiet = kind != "benign" && kind != "encap";
            assert!(quiet || !lines.iter().any(is_loud), "{kind}/{name}: {raised:?}");
        }
    }
}
