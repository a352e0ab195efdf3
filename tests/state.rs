//! `--state`: what was learned outlives a run, and no file, however broken, stops one.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use tempfile::TempDir;
use vigie::state::{MOST_BYTES, Sections, decode, encode};
use vigie::time::Timestamp;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// Replays a fixture with a state; returns exit code, the JSON summary, the alert lines and standard error.
fn replay(name: &str, state: &Path, more: &[&str]) -> (i32, serde_json::Value, String, String) {
    let place = TempDir::new().unwrap();
    let alerts = place.path().join("alerts.jsonl");
    let output = Command::new(assert_cmd::cargo::cargo_bin!("vigie"))
        .env_clear()
        .args(["replay", "--format", "json", "--alerts"])
        .arg(&alerts)
        .arg("--state")
        .arg(state)
        .args(more)
        .arg(fixture(name))
        .output()
        .unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    let summary = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code().unwrap(), summary, fs::read_to_string(alerts).unwrap_or_default(), err)
}

/// When a detector was armed, by the summary.
fn armed_since(summary: &serde_json::Value, detector: &str) -> Option<String> {
    let detectors = summary["detectors"].as_array().unwrap();
    let found = detectors.iter().find(|entry| entry["detector"] == detector).unwrap();
    found["since"].as_str().map(str::to_owned)
}

/// Seconds from the start of the capture until a detector was armed.
fn since_start(summary: &serde_json::Value, detector: &str) -> f64 {
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    let since = at(&armed_since(summary, detector).unwrap());
    since.duration_since(at(summary["start"].as_str().unwrap())).as_secs_f64()
}

const SCHOOL: [&str; 6] = ["--home", "FR", "--protect", "203.0.113.0/24=ecole", "--protect", "2001:db8:113::/48=ecole"];

#[test]
fn what_was_learned_arms_the_next_run_at_once_and_its_alerts_repeat() {
    let place = TempDir::new().unwrap();
    let (code, cold, _, err) = replay("calm.pcap.zst", &place.path().join("a"), &SCHOOL);
    assert_eq!((code, err.as_str()), (0, ""));
    fs::create_dir(place.path().join("b")).unwrap();
    fs::copy(place.path().join("a/vigie.state"), place.path().join("b/vigie.state")).unwrap();

    let on = |threads| [&SCHOOL[..], &["--threads", threads][..]].concat();
    let (_, warm, first, err) = replay("syn-flood.pcap.zst", &place.path().join("a"), &on("1"));
    assert_eq!(err, "");
    let (cold_seconds, warm_seconds) = (since_start(&cold, "rush"), since_start(&warm, "rush"));
    assert!(cold_seconds >= 170.0 && warm_seconds <= 15.0, "{cold_seconds} s, then {warm_seconds} s");
    let (_, _, second, _) = replay("syn-flood.pcap.zst", &place.path().join("b"), &on("3"));
    assert!(first.contains("syn_flood"), "{first}");
    assert_eq!(first, second, "the same packets and the same state give the same alerts");
    let (left, right) = (fs::read(place.path().join("a/vigie.state")), fs::read(place.path().join("b/vigie.state")));
    assert!(left.unwrap() == right.unwrap(), "and the same state");
    let mode = fs::metadata(place.path().join("a/vigie.state")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_broken_file_is_refused_in_a_sentence_and_kept_aside() {
    let place = TempDir::new().unwrap();
    let file = place.path().join("vigie.state");
    replay("calm.pcap.zst", place.path(), &SCHOOL);
    let good = fs::read(&file).unwrap();
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    let mut newer = good.clone();
    newer[8] = 200;
    let broken: [(&[u8], &str); 5] = [
        (&good[..good.len() / 3], "is damaged"),
        (&flipped, "is damaged"),
        (&newer, "has version 200"),
        (b"PK\x03\x04 an archive", "is no state of Vigie"),
        (b"", "is no state of Vigie"),
    ];
    for (bytes, what) in broken {
        fs::write(&file, bytes).unwrap();
        let (code, _, _, err) = replay("calm.pcap.zst", place.path(), &SCHOOL);
        assert_eq!(code, 0, "{err}");
        assert!(err.contains(what) && err.contains("learning begins anew") && err.lines().count() == 1, "{err}");
        assert_eq!(fs::read(place.path().join("vigie.state.refused")).unwrap(), bytes);
        assert!(decode(&fs::read(&file).unwrap()).is_ok(), "a fresh state stands in its place");
    }
}

#[test]
fn a_state_with_sections_that_make_no_sense_begins_those_anew() {
    let place = TempDir::new().unwrap();
    let file = place.path().join("vigie.state");
    replay("calm.pcap.zst", place.path(), &SCHOOL);
    let mut sections = decode(&fs::read(&file).unwrap()).unwrap();
    sections.put("subjects", &vec!["no subject at all"]);
    sections.put("known", &(vec![1_u64; 3], vec![2_u64], u64::MAX));
    sections.put("of a later version", &7_u8);
    fs::write(&file, encode(&sections)).unwrap();
    let (code, _, _, err) = replay("calm.pcap.zst", place.path(), &SCHOOL);
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("`subjects`") && err.contains("learned anew"), "{err}");
}

#[test]
fn a_state_whose_clock_cannot_be_right_counts_for_nothing() {
    let place = TempDir::new().unwrap();
    let file = place.path().join("vigie.state");
    let (_, cold, _, _) = replay("calm.pcap.zst", place.path(), &SCHOOL);
    let sections = decode(&fs::read(&file).unwrap()).unwrap();
    let year = 365 * 86_400 * 1_000_000_000_u64;
    let moved = |nanos: u64| {
        let mut moved: Sections = sections.clone();
        moved.saved_at = Timestamp::from_nanos(nanos);
        encode(&moved)
    };

    let future = moved(sections.saved_at.as_nanos() + year);
    fs::write(&file, &future).unwrap();
    let (code, summary, _, err) = replay("calm.pcap.zst", place.path(), &SCHOOL);
    assert_eq!(code, 0);
    assert!(err.contains("in the future"), "{err}");
    assert_eq!(armed_since(&summary, "rush"), armed_since(&cold, "rush"));
    assert_eq!(fs::read(&file).unwrap(), future, "a later state is not overwritten");

    fs::write(&file, moved(sections.saved_at.as_nanos() - 2 * year)).unwrap();
    let (code, summary, _, err) = replay("calm.pcap.zst", place.path(), &SCHOOL);
    assert_eq!(code, 0);
    assert!(err.contains("over a year"), "{err}");
    assert_eq!(armed_since(&summary, "rush"), armed_since(&cold, "rush"));
    assert!(place.path().join("vigie.state.refused").exists());

    fs::write(&file, moved(sections.saved_at.as_nanos() - year / 8)).unwrap();
    let (_, summary, _, err) = replay("calm.pcap.zst", place.path(), &SCHOOL);
    assert!(err.contains("days old"), "{err}");
    assert!(armed_since(&summary, "rush") < armed_since(&cold, "rush"));
}

#[test]
fn what_cannot_be_kept_is_said_before_any_work() {
    let place = TempDir::new().unwrap();
    let file = place.path().join("a-file");
    fs::write(&file, "x").unwrap();
    for state in [file.as_path(), &file.join("below"), Path::new("/proc/vigie")] {
        let (code, summary, _, err) = replay("calm.pcap.zst", state, &[]);
        assert_eq!(code, 2);
        assert_eq!(summary, serde_json::Value::Null);
        assert!(err.contains("--state") && err.contains("choose another"), "{err}");
    }
}

#[test]
fn learned_protection_and_home_outlive_a_run() {
    let place = TempDir::new().unwrap();
    let (_, first, _, _) = replay("calm.pcap.zst", place.path(), &[]);
    let (_, second, _, err) = replay("calm.pcap.zst", place.path(), &[]);
    assert_eq!(err, "");
    assert_eq!(first["settings"]["home"], second["settings"]["home"]);
    assert!(armed_since(&second, "rush") < armed_since(&first, "rush"));
}

#[test]
fn the_largest_state_is_bounded() {
    let place = TempDir::new().unwrap();
    let file = fs::File::create(place.path().join("vigie.state")).unwrap();
    file.set_len(MOST_BYTES as u64 * 4).unwrap();
    let (code, _, _, err) = replay("calm.pcap.zst", place.path(), &SCHOOL);
    assert_eq!(code, 0);
    assert!(err.contains("larger than a state can be"), "{err}");
}
