//! The same input gives the same output, byte for byte, whatever the number of threads, the pace and the size of tables;
//! and every frame ends in exactly one count.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Tables so small that everything fills and evicts (DESIGN 4).
const TINY: &[&str] = &["flow_capacity = 1024", "pending_capacity = 512", "cohort_capacity = 512", "host_places = 1"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Captures of a folder, by name; none, said aloud, where the folder is absent and may be.
fn captures_in(folder: &Path) -> Vec<PathBuf> {
    let is_capture = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        [".pcap", ".pcapng", ".trace", ".snoop", ".pcap.gz", ".pcap.zst"].iter().any(|ending| name.ends_with(ending))
    };
    let mut captures = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path)
            } else if is_capture(&path) {
                captures.push(path)
            }
        }
    }
    captures.sort();
    if captures.is_empty() {
        assert!(std::env::var_os("VIGIE_REQUIRE_ALL").is_none(), "no capture in {}", folder.display());
        eprintln!("SKIPPED: no capture in {}", folder.display());
    }
    captures
}

fn fixtures() -> Vec<PathBuf> {
    captures_in(&root().join("fixtures"))
}

fn shared(kind: &str) -> Vec<PathBuf> {
    let captures = std::env::var_os("VIGIE_CAPTURES").map_or_else(|| root().join("../shared/captures"), PathBuf::from);
    captures_in(&captures.join(kind))
}

/// Everything a run wrote that must not depend on threads and pace.
#[derive(Debug, PartialEq)]
struct Written {
    alerts: String,
    flows: String,
    summary: Value,
}

fn replay(capture: &Path, options: &[&str]) -> Written {
    let folder = tempfile::tempdir().unwrap();
    let flows = folder.path().join("flows.jsonl");
    let output = Command::new(env!("CARGO_BIN_EXE_vigie"))
        .env_clear()
        .args(["replay", "--alerts", "-", "--format", "json", "--flows"])
        .arg(&flows)
        .args(options)
        .arg(capture)
        .output()
        .unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(matches!(output.status.code(), Some(0 | 2)), "{}: {:?}: {err}", capture.display(), output.status);
    assert!(!err.contains("panicked"), "{}: {err}", capture.display());
    // Standard output carries the alerts, so the summary is on standard error, after what went wrong.
    let mut summary: Value = err.find('{').map_or(Value::Null, |at| serde_json::from_str(&err[at..]).unwrap());
    for timed in ["wall_seconds", "packets_per_second", "settings"] {
        summary.as_object_mut().map(|summary| summary.remove(timed));
    }
    Written {
        alerts: String::from_utf8(output.stdout).unwrap(),
        flows: fs::read_to_string(flows).unwrap_or_default(),
        summary,
    }
}

#[track_caller]
fn same_for_all(capture: &Path, common: &[&str], variants: &[&[&str]]) {
    let with = |more: &[&str]| replay(capture, &[common, more].concat());
    let expected = with(&["--threads", "1"]);
    for variant in variants {
        let written = with(variant);
        let told = format!("{} {common:?} {variant:?}", capture.display());
        assert_eq!(written.alerts, expected.alerts, "alerts: {told}");
        assert!(written.flows == expected.flows, "flow records: {told}");
        assert_eq!(written.summary, expected.summary, "summary: {told}");
    }
}

const THREADS: &[&[&str]] = &[&["--threads", "2"], &["--threads", "4"], &["--threads", "7"]];

/// What the truth beside a fixture says is home and is defended, as options.
fn defended(capture: &Path) -> Vec<String> {
    let truth = fs::read_to_string(format!("{}.truth.json", capture.display())).unwrap();
    let truth: Value = serde_json::from_str(&truth).unwrap();
    let texts = |key: &str| truth[key].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
    let home = texts("home").map(|home| format!("--home={home}"));
    home.chain(texts("protect").map(|prefix| format!("--protect={prefix}"))).collect()
}

#[test]
fn fixtures_give_the_same_with_any_number_of_threads() {
    for capture in fixtures() {
        let defended = defended(&capture);
        let defended: Vec<&str> = defended.iter().map(String::as_str).collect();
        same_for_all(&capture, &defended, THREADS);
    }
}

#[test]
fn floods_give_the_same_with_any_number_of_threads() {
    shared("flood").iter().for_each(|capture| same_for_all(capture, &[], THREADS));
}

#[test]
fn tiny_tables_give_the_same_with_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("tiny.toml");
    fs::write(&config, TINY.join("\n")).unwrap();
    let config = ["--config", config.to_str().unwrap()];
    let captures = fixtures().into_iter().chain(shared("flood")).chain(shared("scan"));
    captures.for_each(|capture| same_for_all(&capture, &config, THREADS));
}

/// Longer captures would keep the test waiting: at fifty times recorded time this is twelve seconds.
const LONGEST_PACED_SECONDS: f64 = 600.0;

#[test]
fn the_pace_changes_nothing() {
    let short = |capture: &Path| {
        let summary = replay(capture, &[]).summary;
        let at = |key: &str| summary[key].as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
        at("start")
            .zip(at("end"))
            .is_some_and(|(start, end)| end.duration_since(start).as_secs_f64() <= LONGEST_PACED_SECONDS)
    };
    let paced: &[&[&str]] = &[&["--threads", "2", "--speed", "50"], &["--threads", "1", "--speed", "50"]];
    for capture in fixtures().iter().filter(|capture| short(capture)) {
        let defended = defended(capture);
        let defended: Vec<&str> = defended.iter().map(String::as_str).collect();
        same_for_all(capture, &defended, paced);
    }
    shared("flood").iter().filter(|capture| short(capture)).for_each(|capture| same_for_all(capture, &[], paced));
}

#[test]
fn every_frame_is_in_exactly_one_count() {
    for capture in shared("") {
        let summary = replay(&capture, &["--threads", "2"]).summary;
        if summary.is_null() {
            // Not a capture: refused before any work, in a sentence.
            continue;
        }
        let sum =
            |key: &str| summary[key].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum::<u64>();
        let count = |key: &str| summary[key].as_u64().unwrap();
        assert_eq!(count("packets"), count("processed") + sum("discarded") + sum("dropped"), "{}", capture.display());
    }
}
