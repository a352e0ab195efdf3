//! A running `vigie watch` between two namespaces, asked over its endpoint and stopped with a signal.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use super::Deadline;
use super::netns::{Background, Namespace, PATIENCE};

/// Where it serves, each in a namespace of its own.
pub(crate) const METRICS: &str = "127.0.0.1:9477";

/// A running `vigie watch`.
pub(crate) struct Watch<'n> {
    place: &'n Namespace,
    /// The program, behind `timeout`.
    pub(crate) process: Background,
    pub(crate) files: tempfile::TempDir,
}

/// What it left behind.
pub(crate) struct Outcome {
    /// The summary.
    pub(crate) summary: Value,
    /// Every alert line.
    pub(crate) alerts: Vec<Value>,
}

impl<'n> Watch<'n> {
    /// Starts it in the namespace and waits until it is ready.
    pub(crate) fn start(place: &'n Namespace, interfaces: &[&str], arguments: &[String]) -> Self {
        Self::start_with(place, interfaces, arguments, &[])
    }

    /// The same with variables in its environment.
    pub(crate) fn start_with(
        place: &'n Namespace,
        interfaces: &[&str],
        arguments: &[String],
        environment: &[(&str, &str)],
    ) -> Self {
        let files = tempfile::tempdir().unwrap();
        let alerts = files.path().join("alerts.jsonl");
        let mut command =
            place.command(env!("CARGO_BIN_EXE_vigie"), &["watch", "--format", "json", "--metrics", METRICS]);
        command.arg("--alerts").arg(&alerts).args(arguments);
        command.envs(environment.iter().copied());
        for interface in interfaces {
            command.args(["-i", interface]);
        }
        let output = |name| Stdio::from(File::create(files.path().join(name)).unwrap());
        let process = Background::start(command.stdout(output("summary.json")).stderr(output("errors.txt")));
        let watch = Self { place, process, files };
        let ready = Deadline::after(PATIENCE).wait_until(|| watch.get("/readyz").starts_with("HTTP/1.1 200"));
        assert!(ready, "not ready: {}", watch.file("errors.txt"));
        watch
    }

    pub(crate) fn file(&self, name: &str) -> String {
        fs::read_to_string(self.files.path().join(name)).unwrap_or_default()
    }

    /// Asks the endpoint; empty when it does not answer.
    pub(crate) fn get(&self, path: &str) -> String {
        let ask = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(METRICS)?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            write!(stream, "GET {path} HTTP/1.1\r\nHost: {METRICS}\r\nConnection: close\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        self.place.enter(|| ask().unwrap_or_default())
    }

    /// Sum of a counter over its labels.
    pub(crate) fn counter(&self, name: &str) -> u64 {
        let metrics = self.get("/metrics");
        let values = metrics.lines().filter(|line| line.starts_with(&format!("{name}{{")));
        values.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
    }

    /// Waits until all of `sent` frames are counted or known to be lost.
    pub(crate) fn wait_for(&self, sent: u64) {
        let mut seen = 0;
        let all = Deadline::after(PATIENCE).wait_until(|| {
            seen = self.counter("vigie_packets_total") + self.counter("vigie_capture_drops_total");
            seen >= sent
        });
        assert!(all, "{seen} of {sent} frames are in the metrics");
    }

    /// Stops it with a signal; it must end well, with books that balance.
    pub(crate) fn stop(self, signal: &str) -> Outcome {
        let Self { process, files, .. } = self;
        process.signal(signal);
        let status = process.finish().status;
        let read = |name: &str| fs::read_to_string(files.path().join(name)).unwrap_or_default();
        assert_eq!(status.code(), Some(0), "{}", read("errors.txt"));
        let summary: Value = serde_json::from_str(&read("summary.json")).expect("one JSON object");
        let alerts: Vec<Value> = read("alerts.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let sum =
            |key: &str| summary[key].as_object().into_iter().flatten().filter_map(|(_, n)| n.as_u64()).sum::<u64>();
        let packets = summary["packets"].as_u64().expect("a number");
        let processed = summary["processed"].as_u64().expect("a number");
        assert_eq!(packets, processed + sum("discarded") + sum("dropped"), "{summary}");
        Outcome { summary, alerts }
    }
}

impl Outcome {
    pub(crate) fn packets(&self) -> u64 {
        self.summary["packets"].as_u64().expect("a number")
    }

    /// Kind, target and last verdict of each alert that was ever a warning or critical.
    pub(crate) fn loud(&self) -> BTreeSet<(String, String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let loud_ids: BTreeSet<String> =
            self.alerts.iter().filter(|line| line["severity"] != "info").map(|line| text(&line["id"])).collect();
        let last_line = |id: &String| self.alerts.iter().rfind(|line| line["id"] == id.as_str());
        let lines = loud_ids.iter().filter_map(last_line);
        lines.map(|line| (text(&line["kind"]), text(&line["target"]["prefix"]), text(&line["verdict"]))).collect()
    }

    pub(crate) fn assert_closed(&self) {
        for line in self.alerts.iter().filter(|line| line["event"] == "open") {
            let closed = self.alerts.iter().any(|other| other["id"] == line["id"] && other["event"] == "close");
            assert!(closed, "never closed: {line}");
        }
    }
}
