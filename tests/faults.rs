//! Faults of the machine: disks that fill or may not be written, and an end at any moment.
//!
//! Whatever happens to an output, the run goes on, says so in a sentence and ends with 2; what an earlier run has kept stays
//! whole.

#[expect(dead_code, reason = "each test file uses its part of what they share")]
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use support::skip;
use vigie::hash::mix;
use vigie::state::decode;

const VIGIE: &str = env!("CARGO_BIN_EXE_vigie");

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// Runs a shell script on a small disk of its own, mounted at `$disk`; nobody else sees it. None without the right to.
fn on_a_small_disk(kilobytes: u32, script: &str, arguments: &[&str]) -> Option<Output> {
    let folder = tempfile::tempdir().unwrap();
    let mounted = format!(
        "mount -t tmpfs -o size={kilobytes}k tmpfs \"$disk\" || {{ echo cannot mount >&2; exit 111; }}\n{script}"
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "timeout", "90", "sh", "-c", &mounted, "sh"]).args(arguments);
    let output = command.env_clear().env("PATH", std::env::var_os("PATH")?).env("disk", folder.path()).output();
    let Ok(output) = output else {
        skip("`unshare` is not installed");
        return None;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("unshare failed") || output.status.code() == Some(111) {
        skip(&format!("mounting a disk needs root: {said}"));
        return None;
    }
    Some(output)
}

fn summary(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn a_disk_that_fills_costs_the_file_and_not_the_run() {
    let capture = fixture("syn-flood.pcap.zst");
    let capture = capture.to_str().unwrap();
    let whole = Command::new(VIGIE).env_clear().args(["replay", "--format", "json", capture]).output().unwrap();
    let whole = summary(&whole);
    for (outputs, kilobytes) in [
        ("--flows \"$disk/flows.jsonl\"", 64),
        ("--flows \"$disk/flows.csv\"", 64),
        ("--flows \"$disk/flows.parquet\"", 64),
        ("--evidence \"$disk/evidence\"", 64),
        ("--report \"$disk/report.html\"", 8),
        (
            "--alerts \"$disk/alerts.jsonl\" --flows \"$disk/flows.jsonl\" --state \"$disk/state\" --evidence \"$disk/e\"",
            64,
        ),
    ] {
        let script = format!("exec \"$1\" replay --format json {outputs} \"$2\"");
        let Some(output) = on_a_small_disk(kilobytes, &script, &[VIGIE, capture]) else { return };
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{outputs}: {said}");
        assert!(said.contains("No space left") || said.contains("the disk is full"), "{outputs}: {said}");
        assert!(said.lines().count() <= 8, "{outputs}: {said}");
        let told = summary(&output);
        for key in ["packets", "processed", "discarded", "flows", "alerts"] {
            assert_eq!(told[key], whole[key], "{outputs}: {key}");
        }
        // The report is written last, and holds the faults of all others.
        assert!(outputs.contains("--report") || !told["faults"].as_array().unwrap().is_empty(), "{outputs}");
    }
}

#[test]
fn a_full_disk_leaves_the_state_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("vigie.state");
    let learn = ["replay", "-q", "--state", folder.path().to_str().unwrap()];
    assert!(Command::new(VIGIE).env_clear().args(learn).arg(fixture("calm.pcap.zst")).status().unwrap().success());
    let kilobytes = fs::metadata(&state).unwrap().len().div_ceil(1024) + 16;
    let script = "mkdir -m 700 \"$disk/state\" && cp \"$3\" \"$disk/state/\" || exit 112\n\
                  \"$1\" replay -q --state \"$disk/state\" \"$2\"\n\
                  code=$?\n\
                  cmp \"$3\" \"$disk/state/vigie.state\" || exit 113\n\
                  exit $code";
    let capture = fixture("syn-flood.pcap.zst");
    let arguments = [VIGIE, capture.to_str().unwrap(), state.to_str().unwrap()];
    let Some(output) = on_a_small_disk(u32::try_from(kilobytes).unwrap(), script, &arguments) else { return };
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("vigie.state") && said.contains("No space left"), "{said}");
}

#[test]
fn a_disk_that_may_not_be_written_is_refused_before_any_work() {
    let capture = fixture("syn-flood.pcap.zst");
    for option in ["--alerts", "--flows", "--report", "--evidence", "--state"] {
        let ending = if option == "--flows" { ".jsonl" } else { "" };
        let script = format!(
            "mount -o remount,ro \"$disk\" || exit 112\nexec \"$1\" replay {option} \"$disk/x{ending}\" \"$2\""
        );
        let Some(output) = on_a_small_disk(64, &script, &[VIGIE, capture.to_str().unwrap()]) else { return };
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{option}: {said}");
        assert!(said.contains("Read-only file system") && said.lines().count() == 1, "{option}: {said}");
        assert!(output.stdout.is_empty(), "{option}");
    }
}

#[test]
fn killed_at_any_moment_the_next_run_finds_the_last_complete_state() {
    let folder = tempfile::tempdir().unwrap();
    let (directory, state) = (folder.path().to_str().unwrap(), folder.path().join("vigie.state"));
    let run = |milliseconds: u64| {
        let bound = format!("{}.{:03}", milliseconds / 1_000, milliseconds % 1_000);
        Command::new("timeout")
            .args(["--signal=KILL", &bound, VIGIE, "replay", "-q", "--state", directory])
            .arg(fixture("calm.pcap.zst"))
            .env_clear()
            .output()
            .unwrap()
    };
    assert!(run(60_000).status.success());
    let mut last = decode(&fs::read(&state).unwrap()).unwrap();
    let (mut killed, mut kept) = (0, 0);
    // From the first instructions to well after the end; a slow machine is killed more often.
    for attempt in 0..40 {
        let ended = run(1 + mix(7, attempt) % (40 * (attempt + 1)));
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(said.is_empty(), "{said}");
        killed += u32::from(!ended.status.success());
        let found = decode(&fs::read(&state).unwrap()).expect("a whole state, old or new");
        kept += u32::from(found != last);
        last = found;
    }
    assert!(killed > 0, "nobody was killed: {kept} states kept");
    // What a writer had begun is not taken for a state.
    fs::write(folder.path().join(".vigie.state.new"), &fs::read(&state).unwrap()[..100]).unwrap();
    let ended = run(60_000);
    assert!(ended.status.success() && ended.stderr.is_empty(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(!folder.path().join(".vigie.state.new").exists());
}
