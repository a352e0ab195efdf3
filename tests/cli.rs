//! The command as users meet it: help, mistakes, bad input, closed pipes, exit codes.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};

use assert_cmd::Command;
use tempfile::TempDir;

/// The command, without what the environment of this test says.
fn vigie() -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("vigie"));
    command.env_clear();
    command
}

/// What a run left: exit code, standard output, standard error.
fn ended(command: &mut Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// Runs what cannot work: exit code 2, nothing on standard output, and on standard error sentences that hold `parts`.
#[track_caller]
fn refused(arguments: &[&str], parts: &[&str]) {
    let (code, out, err) = ended(vigie().args(arguments));
    assert_eq!(code, 2, "{err}");
    assert_eq!(out, "");
    for part in parts {
        assert!(err.contains(part), "`{part}` is not in: {err}");
    }
    assert!(!err.contains("panicked"), "{err}");
}

/// An Ethernet frame that carries one UDP datagram.
fn datagram(number: u8) -> Vec<u8> {
    let mut frame = vec![0; 46];
    frame[12..14].copy_from_slice(&[0x08, 0x00]);
    frame[14..24].copy_from_slice(&[0x45, 0, 0, 32, 0, 0, 0x40, 0, 64, 17]);
    frame[26..30].copy_from_slice(&[198, 51, 100, number]);
    frame[30..34].copy_from_slice(&[192, 0, 2, 10]);
    frame[34..42].copy_from_slice(&[0x9c, 0x40, 0, 53, 0, 12, 0, 0]);
    frame
}

/// A pcap file of `count` frames, ten a second, of the given link type.
fn pcap(count: u8, link: u32) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend(0xa1b2_c3d4_u32.to_le_bytes());
    file.extend([2, 0, 4, 0]);
    file.extend([0; 8]);
    file.extend(65_535_u32.to_le_bytes());
    file.extend(link.to_le_bytes());
    for number in 0..count {
        let frame = datagram(number);
        let micros = u32::from(number) * 100_000;
        file.extend((1_600_000_000 + micros / 1_000_000).to_le_bytes());
        file.extend((micros % 1_000_000).to_le_bytes());
        let length = u32::try_from(frame.len()).unwrap();
        file.extend(length.to_le_bytes());
        file.extend(length.to_le_bytes());
        file.extend(frame);
    }
    file
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn put(folder: &TempDir, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    path
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn help_is_as_reviewed() {
    for (name, arguments) in [
        ("vigie", vec!["--help"]),
        ("replay", vec!["replay", "--help"]),
        ("watch", vec!["watch", "--help"]),
        ("synth", vec!["synth", "--help"]),
        ("check", vec!["check", "--help"]),
        ("config_print", vec!["config", "print", "--help"]),
        ("calibrate", vec!["calibrate", "--help"]),
        ("doctor", vec!["doctor", "--help"]),
        ("alert_test", vec!["alert", "test", "--help"]),
    ] {
        let (code, out, err) = ended(vigie().args(arguments));
        assert_eq!((code, err.as_str()), (0, ""), "{name}");
        insta::assert_snapshot!(format!("help_{name}"), out);
    }
}

#[test]
fn a_capture_is_summed_up() {
    let folder = folder();
    let capture = put(&folder, "ok.pcap", pcap(20, 1));
    let (code, out, err) = ended(vigie().args(["replay", text(&capture)]));
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("20 seen = 20 processed + 0 discarded + 0 dropped"), "{out}");

    let (code, out, _) = ended(vigie().args(["replay", "--format", "json", text(&capture)]));
    let summary = json(&out);
    assert_eq!(code, 0);
    assert_eq!(summary["schema"], "vigie.summary/1");
    assert_eq!((&summary["packets"], &summary["processed"]), (&20.into(), &20.into()));
    assert_eq!(summary["bytes"], 20 * 46);
}

#[test]
fn quiet_says_nothing() {
    let folder = folder();
    let capture = put(&folder, "ok.pcap", pcap(5, 1));
    assert_eq!(ended(vigie().args(["replay", "-q", text(&capture)])), (0, String::new(), String::new()));
}

#[test]
fn standard_input_and_several_files_are_read() {
    let folder = folder();
    let capture = put(&folder, "a.pcap", pcap(5, 1));
    let more = put(&folder, "b.pcap", pcap(7, 1));
    let packets = |command: &mut Command| json(&ended(command).1)["packets"].clone();
    assert_eq!(packets(vigie().args(["replay", "--format", "json", "-"]).write_stdin(pcap(9, 1))), 9);
    assert_eq!(packets(vigie().args(["replay", "--format", "json", text(&capture), text(&more)])), 12);
}

#[test]
fn inputs_that_are_no_captures_are_refused_in_a_sentence() {
    let folder = folder();
    let missing = folder.path().join("missing.pcap");
    refused(&["replay", text(&missing)], &["missing.pcap", "no such file"]);
    refused(&["replay", text(folder.path())], &["directory"]);
    refused(&["replay", text(&put(&folder, "empty.pcap", ""))], &["empty.pcap", "empty"]);
    refused(&["replay", text(&put(&folder, "text.pcap", "this is no capture, only words\n"))], &["text.pcap"]);
    refused(&["replay", text(&put(&folder, "head.pcap", &pcap(0, 1)[..10]))], &["head.pcap"]);
    refused(&["replay"], &["CAPTURE"]);
}

#[test]
fn frames_of_an_unknown_link_are_counted_and_discarded() {
    let folder = folder();
    let capture = put(&folder, "link.pcap", pcap(6, 147));
    let (code, out, err) = ended(vigie().args(["replay", "--format", "json", text(&capture)]));
    let summary = json(&out);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!((&summary["packets"], &summary["discarded"]["unsupported_link"]), (&6.into(), &6.into()));
}

#[test]
fn everything_before_a_cut_is_reported_and_the_cut_is_named() {
    let folder = folder();
    let whole = pcap(10, 1);
    let capture = put(&folder, "cut.pcap", &whole[..whole.len() - 20]);
    let (code, out, err) = ended(vigie().args(["replay", "--format", "json", text(&capture)]));
    let summary = json(&out);
    assert_eq!(code, 2);
    assert_eq!(summary["packets"], 9);
    let offset = (whole.len() - 46 - 16).to_string();
    assert!(err.contains("cut.pcap") && err.contains(&offset), "{err}");
    assert!(summary["faults"][0].as_str().unwrap().contains(&offset), "{out}");
}

#[test]
fn wrong_options_are_refused_with_what_to_write() {
    let folder = folder();
    let capture = put(&folder, "ok.pcap", pcap(5, 1));
    let capture = text(&capture);
    refused(&["replay", capture, "--protect", "192.0.2.1/24"], &["--protect", "write 192.0.2.0/24"]);
    refused(&["replay", capture, "--protect", "school"], &["--protect", "`school` is not an address"]);
    refused(&["replay", capture, "--home", "XX"], &["--home", "`XX` is not a country"]);
    refused(&["replay", capture, "--home", "UK"], &["write GB"]);
    refused(&["replay", capture, "--threads", "0"], &["--threads", "from 1 to 64"]);
    refused(&["replay", capture, "--speed", "fast"], &["--speed", "write max"]);
    refused(&["replay", capture, "--format", "xml"], &["--format", "`text` or `json`"]);
    refused(&["replay", capture, "--metrics", "here"], &["--metrics", "127.0.0.1:9477"]);
    refused(&["replay", capture, "--geo", "/nowhere.mmdb"], &["/nowhere.mmdb"]);
    refused(&["replay", capture, "--nonsense"], &["--nonsense"]);
}

#[test]
fn outputs_that_cannot_be_written_are_refused_before_any_work() {
    let folder = folder();
    let capture = put(&folder, "ok.pcap", pcap(5, 1));
    let capture = text(&capture);
    refused(&["replay", capture, "--alerts", "/nowhere/alerts.jsonl"], &["/nowhere/alerts.jsonl"]);
    refused(&["replay", capture, "--report", "/nowhere/report.html"], &["/nowhere/report.html"]);
    refused(&["replay", capture, "--flows", "/nowhere/flows.csv"], &["/nowhere/flows.csv"]);
    refused(&["replay", capture, "--alerts", capture], &["this is a capture that is to be read"]);
    assert_eq!(fs::read(capture).unwrap(), pcap(5, 1));

    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = busy.local_addr().unwrap().to_string();
    refused(&["replay", capture, "--metrics", &address], &[&address, "in use"]);
}

#[test]
fn a_missing_input_does_not_cost_the_last_alerts() {
    let folder = folder();
    let alerts = put(&folder, "alerts.jsonl", "{}\n");
    refused(&["replay", "/nowhere.pcap", "--alerts", text(&alerts)], &["/nowhere.pcap"]);
    assert_eq!(fs::read_to_string(alerts).unwrap(), "{}\n");
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let folder = folder();
    let capture = put(&folder, "ok.pcap", pcap(200, 1));
    let mut child = Process::new(assert_cmd::cargo::cargo_bin!("vigie"))
        .args(["replay", text(&capture)])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn a_signal_drains_and_sums_up() {
    let mut child = Process::new(assert_cmd::cargo::cargo_bin!("vigie"))
        .args(["replay", "--format", "json", "--metrics", "127.0.0.1:0", "-v", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(&pcap(250, 1)).unwrap();
    input.flush().unwrap();
    // The line that says where metrics are served comes after the signal handlers are in place.
    let mut err = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("serving metrics") {
        line.clear();
        assert!(std::io::BufRead::read_line(&mut err, &mut line).unwrap() > 0, "it ended before");
    }
    let killed = Process::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let summary = json(&String::from_utf8(output.stdout).unwrap());
    assert_eq!(summary["schema"], "vigie.summary/1");
    drop(input);
}

const MISTAKEN: &str = r#"homme = ["FR"]
threads = "many"
protect = [
  "192.0.2.1/24",
  "2001:db8::/129",
  "198.51.100.0/24=",
]
false_alarms_per_week = -1
metrics = 9477

[[site]]
name = "school"
prefixs = ["192.0.2.0/24"]

[[site]]
prefixes = ["192.0.2.0/24"]
capacity = "big"

[origin]
"10.1.0.0/16" = "FRANCE"
"10.2.0.1/16" = "FR"
"#;

#[test]
fn all_mistakes_are_told_at_once() {
    let folder = folder();
    put(&folder, "vigie.toml", MISTAKEN);
    let mut command = vigie();
    command.current_dir(folder.path()).env("VIGIE_FORMAT", "xml").env("VIGIE_THREAD", "2");
    command.args(["check", "--config", "vigie.toml", "--home", "XX,FR"]);
    let (code, out, err) = ended(&mut command);
    assert_eq!((code, out.as_str()), (2, ""));
    insta::assert_snapshot!("config_mistakes", err);
}

#[test]
fn a_file_that_is_no_toml_is_told_by_line() {
    let folder = folder();
    let file = put(&folder, "vigie.toml", "home = [\"FR\"]\nthreads == 2\n");
    refused(&["check", "--config", text(&file)], &["vigie.toml:2: not TOML"]);
    refused(&["check", "--config", "/nowhere.toml"], &["/nowhere.toml", "cannot be read"]);
}

#[test]
fn what_is_right_is_said_to_be() {
    let folder = folder();
    let file =
        put(&folder, "vigie.toml", "home = [\"FR\"]\n[[site]]\nname = \"school\"\nprefixes = [\"192.0.2.0/24\"]\n");
    let (code, out, err) = ended(vigie().args(["check", "--config", text(&file)]));
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.ends_with("vigie.toml is right\n"), "{out}");
}

#[test]
fn outputs_that_cannot_be_written_are_told_with_their_lines() {
    let folder = folder();
    let written = "alerts = \"no/such/alerts.jsonl\"\nreport = \"report.html\"\nflows = \"vigie.toml/flows.csv\"\n\
        evidence = \"vigie.toml\"\nstate = \"vigie.toml/state\"\n";
    put(&folder, "vigie.toml", written);
    let (code, out, err) = ended(vigie().current_dir(folder.path()).args(["check", "--config", "vigie.toml"]));
    assert_eq!((code, out.as_str()), (2, ""));
    insta::assert_snapshot!("unwritable_outputs", err);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");

    put(&folder, "vigie.toml", "alerts = \"alerts.jsonl\"\nreport = \"report.html\"\nstate = \"new/state\"\n");
    let (code, _, err) = ended(vigie().current_dir(folder.path()).args(["check", "--config", "vigie.toml"]));
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
}

#[test]
fn no_name_of_others_acts_on_the_terminal() {
    let folder = folder();
    let name = "\u{1b}]0;owned\u{7}\u{1b}[2J.pcap";
    fs::write(folder.path().join(name), pcap(3, 1)).unwrap();
    for arguments in [&["replay", name][..], &["replay", "\u{1b}[2J.missing"], &["eval", name]] {
        let (_, out, err) = ended(vigie().current_dir(folder.path()).args(arguments));
        let text = out + &err;
        assert!(text.contains("\\u{1b}") && !text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
    }
    refused(&["check", "--protect", "192.0.2.0/24=\u{1b}[2J"], &["`\\u{1b}[2J` has control characters"]);
}

#[test]
fn a_flag_beats_the_variable_and_the_variable_beats_the_file() {
    let folder = folder();
    put(&folder, "vigie.toml", "home = [\"FR\"]\nthreads = 3\nflow_capacity = 4096\n");
    let mut command = vigie();
    command.current_dir(folder.path()).env("VIGIE_CONFIG", "vigie.toml");
    command.env("VIGIE_THREADS", "5").env("VIGIE_HOME", "DE");
    let (code, out, _) = ended(command.args(["config", "print", "--home", "MA,FR", "--home", "BE"]));
    assert_eq!(code, 0);
    let line = |name: &str| {
        out.lines().find(|line| line.starts_with(name)).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("home"), "home = [\"MA\", \"FR\", \"BE\"] # --home");
    assert_eq!(line("threads"), "threads = 5 # VIGIE_THREADS");
    assert_eq!(line("flow_capacity"), "flow_capacity = 4096 # vigie.toml:3");
    assert_eq!(line("speed"), "speed = \"max\" # default");

    put(&folder, "printed.toml", &out);
    let (code, _, err) = ended(vigie().current_dir(folder.path()).args(["check", "--config", "printed.toml"]));
    assert_eq!((code, err.as_str()), (0, ""), "what is printed is a configuration");
}

/// A fixture, and what its truth says is defended.
fn fixture(name: &str) -> [String; 6] {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
    let protect = ["203.0.113.0/24=ecole", "2001:db8:113::/48=ecole"];
    [text(&path), "--home=FR", "--protect", protect[0], "--protect", protect[1]].map(str::to_owned)
}

#[test]
fn an_alert_makes_the_exit_code_only_if_asked_to() {
    let code = |name: &str, flags: &[&str]| ended(vigie().args(["replay", "-q"]).args(flags).args(fixture(name))).0;
    assert_eq!(code("syn-flood.pcap.zst", &[]), 0);
    assert_eq!(code("syn-flood.pcap.zst", &["--fail-on-alert"]), 1);
    assert_eq!(code("calm.pcap.zst", &["--fail-on-alert"]), 0);
}

#[test]
fn alerts_and_report_are_written() {
    let folder = folder();
    let report = folder.path().join("report.html");
    let mut command = vigie();
    command.args(["replay", "--alerts", "-", "--report", text(&report)]).args(fixture("syn-flood.pcap.zst"));
    let (code, out, err) = ended(&mut command);
    assert_eq!(code, 0);
    let alerts: Vec<serde_json::Value> = out.lines().map(json).collect();
    assert_eq!((&alerts[0]["schema"], &alerts[0]["event"]), (&"vigie.alert/1".into(), &"open".into()));
    assert_eq!(alerts.last().unwrap()["event"], "close");
    assert!(err.contains("Alerts  1 critical"), "the summary is on standard error: {err}");
    assert!(fs::read_to_string(report).unwrap().to_lowercase().starts_with("<!doctype html>"));
}

#[test]
fn a_full_disk_does_not_stop_the_run() {
    let mut command = vigie();
    command.args(["replay", "--alerts", "/dev/full"]).args(fixture("syn-flood.pcap.zst"));
    let (code, out, err) = ended(&mut command);
    assert_eq!(code, 2);
    assert!(out.contains("Alerts  1 critical"), "{out}");
    assert!(err.contains("No space left") && err.contains("could not be written"), "{err}");
}

#[test]
fn a_reader_of_alerts_who_has_had_enough_ends_the_run_quietly() {
    let mut child = Process::new(assert_cmd::cargo::cargo_bin!("vigie"))
        .args(["replay", "--alerts", "-"])
        .args(fixture("syn-flood.pcap.zst"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(0), String::new()));
}

#[test]
fn an_interface_that_is_not_there_is_named() {
    refused(&["watch", "-i", "nowhere0"], &["nowhere0"]);
    refused(&["doctor", "-i", "nowhere0"], &["nowhere0"]);
}

#[test]
fn a_scenario_is_written_with_its_truth_and_can_be_replayed() {
    let folder = folder();
    let capture = folder.path().join("calm.pcap");
    let arguments = ["synth", "calm", "-o", text(&capture), "--duration", "20", "--lead", "5", "--rate", "20"];
    let (code, out, err) = ended(vigie().args(arguments));
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("calm.pcap.truth.json"), "{out}");
    let truth = json(&fs::read_to_string(folder.path().join("calm.pcap.truth.json")).unwrap());
    assert_eq!(truth["schema"], "vigie.truth/1");
    let (code, out, _) = ended(vigie().args(["replay", "--format", "json", text(&capture)]));
    assert_eq!(code, 0);
    assert!(json(&out)["flows"].as_u64().unwrap() > 0, "{out}");
    refused(&["synth", "storm", "-o", text(&capture)], &["storm", "launch-morning"]);
}
