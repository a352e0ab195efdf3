//! `vigie eval` as a user runs it: on captures with truth files, and on worlds of its own.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn eval(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vigie")).arg("eval").args(arguments).output().unwrap()
}

fn sheet(arguments: &[&str]) -> Value {
    let output = eval(&[arguments, &["--format", "json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let sheet: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(sheet["schema"], "vigie.eval/1");
    sheet
}

fn fixture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name).display().to_string()
}

#[test]
fn captures_with_truth_files_are_judged() {
    let sheet = sheet(&[&fixture("syn-flood.pcap.zst"), &fixture("rush.pcap.zst")]);
    assert_eq!(sheet["worlds"], 2);
    let recall = &sheet["recall"][0];
    assert_eq!((&recall["kind"], &recall["found"], &recall["events"]), (&"syn_flood".into(), &1.into(), &1.into()));
    assert!(recall["delay_p50"].as_f64().unwrap() < 10.0, "{recall}");
    let surge = &sheet["surges"][0];
    assert_eq!((&surge["rushes"], &surge["silent"]), (&1.into(), &1.into()));
    assert_eq!(sheet["failures"], Value::Array(Vec::new()));
}

/// Alerts that are right about one capture are wrong about another: the judge must see it.
#[test]
fn a_wrong_truth_is_a_miss_and_a_false_alarm() {
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("moved.pcap.zst");
    std::fs::copy(fixture("syn-flood.pcap.zst"), &capture).unwrap();
    let truth = std::fs::read_to_string(fixture("syn-flood.pcap.zst.truth.json")).unwrap();
    // The server stands at .10; the truth is told of another host.
    let moved = truth.replace("203.0.113.10/32", "203.0.113.77/32").replace("2001:db8:113::a/128", "203.0.113.78/32");
    assert_ne!(truth, moved);
    std::fs::write(folder.path().join("moved.pcap.zst.truth.json"), moved).unwrap();
    let sheet = sheet(&[folder.path().to_str().unwrap()]);
    assert_eq!((&sheet["recall"][0]["found"], &sheet["recall"][0]["delay_p50"]), (&0.into(), &Value::Null));
    assert_eq!(sheet["precision"]["right"], 0);
    let what: Vec<&str> =
        sheet["failures"].as_array().unwrap().iter().map(|failure| failure["what"].as_str().unwrap()).collect();
    assert!(what.contains(&"missed") && what.contains(&"false_alarm"), "{what:?}");
}

#[test]
fn a_world_of_a_suite_is_the_same_however_many_run_beside_it() {
    let worlds = ["--suite", "quick", "--seeds", "7..9", "--only", "attack/syn-flood/x5"];
    let one = sheet(&[&worlds[..], &["--jobs", "1"]].concat());
    let two = sheet(&[&worlds[..], &["--jobs", "2"]].concat());
    assert_eq!(one, two);
    assert_eq!((&one["worlds"], &one["recall"][0]["events"]), (&2.into(), &2.into()));
}

/// A site has an IPv4 and a busier IPv6 prefix, and the flood at the IPv4 host is first seen by the site as a whole.
#[test]
fn a_flood_is_told_of_the_prefix_that_is_attacked() {
    let sheet = sheet(&["--suite", "full", "--seeds", "9..10", "--only", "attack/syn-flood/x0.5/9"]);
    assert_eq!((&sheet["worlds"], &sheet["recall"][0]["found"]), (&3.into(), &3.into()));
    assert_eq!(sheet["precision"]["right"], sheet["precision"]["alerts"]);
}

#[test]
fn what_cannot_be_run_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let complaint = |arguments: &[&str]| {
        let output = eval(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(complaint(&[folder.path().to_str().unwrap()]).contains("no capture here has a truth file"));
    assert!(complaint(&["missing.pcap"]).contains("missing.pcap.truth.json"));
    assert!(complaint(&["--suite", "quick", "--seeds", "9..1"]).contains("no range of seeds"));
    assert!(complaint(&["--suite", "quick", "--only", "no such"]).contains("no world is left to run"));
}
