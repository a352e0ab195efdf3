//! The screen on a real terminal, and what packagers install. The terminal is that of script(1), of util-linux.

use std::path::Path;
use std::process::{Command, Output, Stdio};

const VIGIE: &str = env!("CARGO_BIN_EXE_vigie");

fn fixture() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/calm.pcap.zst").display().to_string()
}

/// Runs the program on a terminal; `None`, said visibly, where there is none to be had.
fn on_a_terminal(arguments: &str, variables: &[(&str, &str)]) -> Option<Output> {
    let line = format!("stty cols 80 rows 24; {VIGIE} {arguments}");
    let run = Command::new("script")
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .envs(variables.iter().copied())
        .env("TERM", "xterm-256color")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    match run {
        Ok(mut script) => {
            // The keyboard stays open as long as the program runs.
            let _keyboard = script.stdin.take();
            Some(script.wait_with_output().unwrap())
        }
        Err(_) => {
            let required = std::env::var("VIGIE_REQUIRE_ALL").as_deref() == Ok("1");
            assert!(!required, "script(1) is missing (Debian package bsdutils)");
            eprintln!("SKIPPED: script(1) is missing (Debian package bsdutils)");
            None
        }
    }
}

#[test]
fn the_screen_is_drawn_and_the_terminal_is_given_back() {
    let replay = format!("replay {} --protect 203.0.113.0/24=ecole --speed 200 --tui", fixture());
    let Some(output) = on_a_terminal(&replay, &[("NO_COLOR", "1")]) else { return };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    let (_, after) = text.split_once("\u{1b}[?1049h").expect("the screen has a page of its own");
    let (screen, after) = after.split_once("\u{1b}[?1049l").expect("and leaves it");
    assert!(screen.contains("verdict") && screen.contains("ecole"), "{screen:?}");
    for colour in ["\u{1b}[38;", "\u{1b}[31m", "\u{1b}[33m"] {
        assert!(!screen.contains(colour), "NO_COLOR is not kept: {screen:?}");
    }
    assert!(after.contains("\u{1b}[?25h") || screen.contains("\u{1b}[?25h"), "the cursor is back");
    assert!(
        after.contains("Packets") && !after.contains("\u{1b}[?1049h"),
        "the summary stands on the terminal: {after:?}"
    );
}

#[test]
fn without_a_terminal_the_screen_is_refused_in_a_sentence() {
    let output = Command::new(VIGIE)
        .args(["replay", &fixture(), "--speed", "max", "--tui"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.starts_with("vigie: --tui needs a terminal:"), "{said}");
}

#[test]
fn completions_know_the_commands_and_pages_have_names() {
    for shell in ["bash", "zsh", "fish"] {
        let output = Command::new(VIGIE).args(["completions", shell]).output().unwrap();
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(script.contains("replay") && script.contains("protect"), "{shell}: {script}");
    }
    let folder = tempfile::tempdir().unwrap();
    let status = Command::new(VIGIE).arg("man").arg("-o").arg(folder.path()).status().unwrap();
    assert!(status.success());
    for page in ["vigie.1", "vigie-replay.1", "vigie-watch.1", "vigie-config-print.1"] {
        let text = std::fs::read_to_string(folder.path().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"));
        assert!(text.contains(".SH NAME") && text.contains(".SH OPTIONS"), "{page}");
    }
    let missing = Command::new(VIGIE).args(["man", "-o", "/nonexistent/folder"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(2));
}
