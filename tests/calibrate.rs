//! `vigie calibrate`: what it proposes is read by `check`, used by `replay`, and true.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// Runs the command; returns exit code, standard output and standard error.
fn vigie(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("vigie"));
    let output = command.env_clear().args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn calibrated(name: &str, more: &[&str]) -> Value {
    let capture = fixture(name);
    let arguments = [&["calibrate", "-q", "--format", "json", capture.to_str().unwrap()], more].concat();
    let (code, out, err) = vigie(&arguments);
    assert_eq!((code, err.as_str()), (0, ""));
    serde_json::from_str(&out).unwrap()
}

#[test]
fn what_is_proposed_is_checked_and_used() {
    let place = TempDir::new().unwrap();
    let file = place.path().join("vigie.toml");
    let (file, capture) = (file.to_str().unwrap(), fixture("calm.pcap.zst"));
    let capture = capture.to_str().unwrap();
    let (code, out, err) = vigie(&["calibrate", "-q", capture, "-o", file]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("first SYNs") && out.contains("nothing fired") && out.contains("[[site]]"), "{out}");
    let (code, out, err) = vigie(&["check", "--config", file]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let (code, out, err) = vigie(&["replay", "-q", "--format", "json", "--config", file, capture]);
    assert_eq!((code, err.as_str()), (0, ""));
    let summary: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(summary["alerts"].as_array().unwrap().len(), 0);
    assert!(summary["settings"]["site"].to_string().contains("203.0.113."), "{}", summary["settings"]);

    let before = fs::read(file).unwrap();
    let (code, _, err) = vigie(&["calibrate", "-q", capture, "-o", file]);
    assert_eq!(code, 2);
    assert!(err.contains("the file exists"), "{err}");
    assert_eq!(fs::read(file).unwrap(), before);
}

#[test]
fn a_calm_capture_gives_its_own_rates_and_home() {
    let found = calibrated("calm.pcap.zst", &["--protect", "203.0.113.0/24=ecole", "--home", "FR"]);
    assert_eq!(found["schema"], "vigie.calibration/1");
    let site = &found["sites"][0];
    assert_eq!((&site["name"], &site["learned"]), (&Value::from("ecole"), &Value::from(false)));
    let baseline = found["baselines"].as_array().unwrap().iter().find(|baseline| baseline["is_site"] == true).unwrap();
    let rate = |name: &str, field: &str| {
        let rates = baseline["rates"].as_array().unwrap();
        rates.iter().find(|rate| rate["name"] == name).unwrap()[field].as_f64().unwrap()
    };
    let (usual, at_most) = (rate("verified_per_second", "usual"), rate("verified_per_second", "at_most"));
    assert!(usual > 1.0 && at_most >= 1.3 * usual, "{usual} {at_most}");
    // Counted beside the pipeline, so the one checks the other.
    let connections: f64 =
        found["origins"].as_array().unwrap().iter().map(|o| o["connections"].as_f64().unwrap()).sum();
    let mean = connections / found["seconds"].as_f64().unwrap();
    assert!((usual / mean).ln().abs() < 0.4, "usual {usual}, mean {mean}");
    assert_eq!(found["origins"][0]["country"], "FR");
    assert_eq!(found["alerts"].as_array().unwrap().len(), 0);
    assert_eq!(found["home_written"], serde_json::json!(["FR"]));
    assert!(site["peak_per_second"].as_f64().unwrap() >= usual, "{site}");
    assert!(found["reservations"].to_string().contains("Less than an hour"));
}

#[test]
fn servers_found_in_traffic_become_sites_with_figures() {
    let found = calibrated("calm.pcap.zst", &[]);
    let sites = found["sites"].as_array().unwrap();
    assert_eq!(sites.len(), 2, "{sites:?}");
    for site in sites {
        assert_eq!(site["learned"], true);
        assert!(
            site["peak_per_second"].as_f64().unwrap() > 1.0 && site["served_at_most"].as_f64().unwrap() > 1.0,
            "{site}"
        );
    }
}

#[test]
fn an_attack_is_left_out_of_the_limits_and_said() {
    let calm = calibrated("calm.pcap.zst", &["--protect", "203.0.113.0/24=ecole"]);
    let flood = calibrated("syn-flood.pcap.zst", &["--protect", "203.0.113.0/24=ecole"]);
    assert!(flood["reservations"].to_string().contains("not quiet"), "{}", flood["reservations"]);
    assert!(flood["closest"][0]["ratio"].as_f64().unwrap() >= 1.0);
    let peak = |found: &Value| found["sites"][0]["peak_per_second"].as_f64().unwrap();
    assert!(peak(&flood) < 10.0 * peak(&calm), "{} against {}", peak(&flood), peak(&calm));
}

#[test]
fn settings_chosen_before_are_kept() {
    let place = TempDir::new().unwrap();
    let (base, file) = (place.path().join("base.toml"), place.path().join("new.toml"));
    let text = "timezone = \"Europe/Paris\"\nbacklog = 4096\nhome = [\"FR\"]\n[[site]]\nname = \"ecole\"\nprefixes = [\"203.0.113.0/24\"]\ncapacity = 300\n";
    fs::write(&base, text).unwrap();
    let capture = fixture("calm.pcap.zst");
    let (code, _, err) = vigie(&[
        "calibrate",
        "-q",
        capture.to_str().unwrap(),
        "--config",
        base.to_str().unwrap(),
        "-o",
        file.to_str().unwrap(),
    ]);
    assert_eq!((code, err.as_str()), (0, ""));
    let written = fs::read_to_string(&file).unwrap();
    for line in
        ["timezone = \"Europe/Paris\"", "backlog = 4096", "capacity = 300", "name = \"ecole\"", "expected_peak = "]
    {
        assert!(written.contains(line), "`{line}` is not in {written}");
    }
    assert_eq!(vigie(&["check", "--config", file.to_str().unwrap()]).0, 0);
}

#[test]
fn nothing_to_learn_from_is_said() {
    let place = TempDir::new().unwrap();
    let empty = place.path().join("empty.pcap");
    let mut header = 0xa1b2_c3d4_u32.to_le_bytes().to_vec();
    header.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0]);
    fs::write(&empty, header).unwrap();
    let (code, out, _) = vigie(&["calibrate", "-q", empty.to_str().unwrap()]);
    assert_eq!(code, 0);
    assert!(out.contains("nothing can be proposed"), "{out}");
    let (code, out, err) = vigie(&["calibrate", "-q", "/no/such/capture.pcap"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("/no/such/capture.pcap"), "{err}");
}
