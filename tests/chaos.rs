//! One fault after another, chosen by a seed, under live traffic; afterwards the books must balance.
//!
//! `make chaos` does it for twenty minutes; plain `cargo test` for a few faults. `VIGIE_CHAOS_SECONDS` and
//! `VIGIE_CHAOS_SEED` choose; the faults are printed as they come.

#[expect(dead_code, reason = "each test file uses its part of what they share")]
mod support;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use support::Deadline;
use support::fixtures::Fixture;
use support::netns::{Background, Network, PATIENCE, Wiring};
use vigie::hash::mix;
use vigie::state::decode;

const METRICS: &str = "127.0.0.1:9477";
/// Most that the program may hold, in KiB: the budget of `watch` with its rings, and room for what a test build adds.
const MOST_MEMORY: u64 = 480 << 10;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}: not a number")))
}

struct Chaos {
    network: Network,
    folder: tempfile::TempDir,
    capture: PathBuf,
    watch: Child,
    sender: Option<Background>,
    seed: u64,
    rolls: u64,
}

impl Chaos {
    fn begin(network: Network, seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let capture = folder.path().join("flood.pcap");
        let fixture = Fixture::read("syn-flood");
        let start = fixture.start_of("syn_flood");
        fixture.write_stretch(start.minus(Duration::from_secs(20)), start.plus(Duration::from_secs(20)), &capture);
        write_config(folder.path(), "web");
        let watch = watch(&network, folder.path());
        let mut chaos = Self { network, folder, capture, watch, sender: None, seed, rolls: 0 };
        chaos.send();
        chaos.wait_until_ready();
        chaos
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.rolls += 1;
        mix(self.seed, self.rolls) % bound
    }

    /// Lets up to so many milliseconds pass.
    fn pause(&mut self, most: u64) {
        let pause = Duration::from_millis(self.below(most));
        Deadline::after(pause).wait_until(|| false);
    }

    /// Traffic without end, until the cable is cut.
    fn send(&mut self) {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.network.sender.name, "tcpreplay", "-q", "--loop=0", "--pps=3000"]);
        command.args(["-i", "send0"]).arg(&self.capture).stdout(Stdio::null()).stderr(Stdio::null());
        self.sender = Some(Background::start(&mut command));
    }

    fn ip(&self, line: &str) {
        self.network.receiver.run("ip", &line.split(' ').collect::<Vec<_>>());
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.watch.id().to_string()]).status().unwrap();
        assert!(sent.success(), "it had ended before: {}", self.said());
    }

    fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("errors.txt")).unwrap_or_default()
    }

    fn ask(&self, request: &[u8]) -> String {
        let ask = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(METRICS)?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            stream.write_all(request)?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer)?;
            Ok(String::from_utf8_lossy(&answer).into_owned())
        };
        self.network.receiver.enter(|| ask().unwrap_or_default())
    }

    fn get(&self, path: &str) -> String {
        self.ask(format!("GET {path} HTTP/1.1\r\nHost: {METRICS}\r\nConnection: close\r\n\r\n").as_bytes())
    }

    fn wait_until_ready(&self) {
        let ready = Deadline::after(PATIENCE).wait_until(|| self.get("/readyz").starts_with("HTTP/1.1 200"));
        assert!(ready, "not ready: {}", self.said());
    }

    fn fault(&mut self) {
        let kind = self.below(7);
        let names = ["down", "cable", "stopped", "reload", "killed", "rubbish", "scraped"];
        eprintln!("{}", names[usize::try_from(kind).unwrap()]);
        match kind {
            0 => {
                self.ip("link set recv0 down");
                self.pause(3_000);
                self.ip("link set recv0 up");
            }
            1 => {
                self.ip("link delete recv0");
                self.sender = None;
                self.pause(3_000);
                self.network.lay(0, false);
                self.send();
            }
            2 => {
                self.signal("STOP");
                self.pause(2_000);
                self.signal("CONT");
            }
            3 => {
                let site = if self.below(3) == 0 { "no = such = thing" } else { "school" };
                write_config(self.folder.path(), site);
                self.signal("HUP");
            }
            4 => self.start_again(),
            5 => {
                let rubbish: Vec<u8> = (0..self.below(2_000)).map(|n| mix(self.rolls, n).to_le_bytes()[0]).collect();
                self.ask(&[&b"GET / HTTP/1.1\r\n"[..], &rubbish, b"\r\n\r\n"].concat());
            }
            _ => assert!(self.get("/metrics").contains("vigie_build_info"), "{}", self.said()),
        }
    }

    /// An end without warning; what was kept is whole, and the next run begins with it.
    fn start_again(&mut self) {
        self.signal("KILL");
        self.watch.wait().unwrap();
        self.assert_state_is_whole();
        write_config(self.folder.path(), "web");
        self.watch = watch(&self.network, self.folder.path());
        self.wait_until_ready();
    }

    fn assert_state_is_whole(&self) {
        if let Ok(bytes) = fs::read(self.folder.path().join("state/vigie.state")) {
            decode(&bytes).expect("a whole state");
        }
        assert!(!self.folder.path().join("state/vigie.state.refused").exists(), "{}", self.said());
    }

    /// It lives, within its memory, and counts what comes.
    fn assert_sound(&mut self) {
        assert!(self.watch.try_wait().unwrap().is_none(), "it has ended: {}", self.said());
        assert!(!self.said().contains("panicked"), "{}", self.said());
        let status = fs::read_to_string(format!("/proc/{}/status", self.watch.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let memory: u64 = line.split_whitespace().next().unwrap().parse().unwrap();
        assert!(memory < MOST_MEMORY, "{memory} KiB");
    }

    fn counted(&self) -> u64 {
        let metrics = self.get("/metrics");
        let values = metrics.lines().filter(|line| line.starts_with("vigie_packets_total{"));
        values.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
    }

    /// Ends it; its books balance, its alerts are closed.
    fn end(mut self) {
        let before = self.counted();
        let goes_on = Deadline::after(PATIENCE).wait_until(|| self.counted() > before);
        assert!(goes_on, "frames are counted to the last: {}", self.said());
        self.signal("TERM");
        let status = self.watch.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{}", self.said());
        self.assert_state_is_whole();
        let read = |name: &str| fs::read_to_string(self.folder.path().join(name)).unwrap();
        let summary: Value = serde_json::from_str(&read("summary.json")).expect("one JSON object");
        let sum =
            |key: &str| -> u64 { summary[key].as_object().into_iter().flatten().filter_map(|(_, n)| n.as_u64()).sum() };
        let packets = summary["packets"].as_u64().unwrap();
        assert_eq!(packets, summary["processed"].as_u64().unwrap() + sum("discarded") + sum("dropped"), "{summary}");
        // Alert lines of runs that were killed stand before those of the last one, which lists its own in the summary.
        let lines: Vec<Value> = read("alerts.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for alert in summary["alerts"].as_array().unwrap() {
            let last = lines.iter().rfind(|line| line["id"] == alert["id"]).expect("its lines");
            assert_eq!(last["event"], "close", "{last}");
        }
        eprintln!("{packets} packets since the last start, {} alert lines", lines.len());
    }
}

fn watch(network: &Network, folder: &Path) -> Child {
    let errors = File::options().create(true).append(true).open(folder.join("errors.txt")).unwrap();
    Command::new("ip")
        .args(["netns", "exec", &network.receiver.name, env!("CARGO_BIN_EXE_vigie")])
        .args([
            "watch",
            "--no-sandbox",
            "-i",
            "recv0",
            "--config",
            "vigie.toml",
            "--format",
            "json",
            "--metrics",
            METRICS,
        ])
        .args(["--alerts", "alerts.jsonl", "--state", "state", "--evidence", "evidence", "--flows", "flows.jsonl"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(File::create(folder.join("summary.json")).unwrap())
        .stderr(errors)
        .spawn()
        .unwrap()
}

fn write_config(folder: &Path, site: &str) {
    let text = format!("home = \"FR\"\nstate_every_seconds = 10\nprotect = \"203.0.113.0/24={site}\"\n");
    fs::write(folder.join("vigie.toml"), text).unwrap();
}

impl Drop for Chaos {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is reaped.
        let _ = self.watch.kill();
        let _ = self.watch.wait();
    }
}

#[test]
fn faults_one_after_another_leave_books_that_balance() {
    let Some(network) = Network::make(Wiring::default(), &["tcpreplay"]) else { return };
    let seed = number("VIGIE_CHAOS_SEED", 1);
    let end = Deadline::after(Duration::from_secs(number("VIGIE_CHAOS_SECONDS", 15)));
    let mut chaos = Chaos::begin(network, seed);
    let mut faults = 0;
    while !end.passed() {
        chaos.fault();
        chaos.pause(2_000);
        chaos.assert_sound();
        faults += 1;
    }
    eprintln!("{faults} faults by seed {seed}");
    chaos.end();
}
