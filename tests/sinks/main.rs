//! Alerts on their way to people, as the whole program sends them, to receivers that this test is, or starts.

#[path = "../http/mod.rs"]
mod http;

mod alertmanager;
mod command;
mod delivery;
mod outage;
mod secrets;
mod server;
mod syslog;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// No wait is longer; a wait that long is a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with a configuration, and what is run with it.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

/// What a run left.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) said: String,
    pub(crate) complained: String,
    /// The alert lines in the file.
    pub(crate) lines: Vec<String>,
}

impl Place {
    pub(crate) fn with(config: &str) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        place.configure(config);
        place
    }

    pub(crate) fn configure(&self, config: &str) {
        std::fs::write(self.path("vigie.toml"), config).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Prepares a command with the configuration.
    pub(crate) fn vigie(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vigie"));
        command.args(arguments).arg("--config").arg(self.path("vigie.toml")).stdin(Stdio::null());
        command
    }

    /// Prepares a replay of a fixture that keeps its alerts.
    pub(crate) fn replay(&self, fixture: &str) -> Command {
        let mut command = self.vigie(&["replay"]);
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        command.arg(root.join(format!("fixtures/{fixture}.pcap.zst")));
        command.args(["--home", "FR", "--protect", "203.0.113.0/24=ecole", "--protect", "2001:db8:113::/48=ecole"]);
        command.arg("--alerts").arg(self.path("alerts.jsonl"));
        command
    }

    pub(crate) fn run(&self, command: &mut Command) -> Run {
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let (said, complained) = (text(stdout), text(stderr));
        Run { code: status.code().unwrap(), said, complained, lines: self.lines() }
    }

    /// Returns the alert lines written so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path("alerts.jsonl")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

/// Tells whether a program is there; `VIGIE_REQUIRE_ALL=1` makes its absence a failure.
pub(crate) fn installed(program: &str, package: &str) -> bool {
    let run = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(run.is_ok() || std::env::var("VIGIE_REQUIRE_ALL").as_deref() != Ok("1"), "{program} is missing");
    if run.is_err() {
        eprintln!("skipped: {program} is missing (Debian package {package})");
    }
    run.is_ok()
}
