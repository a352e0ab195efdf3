//! The dashboard and the rules, against the metrics by name and against a real Prometheus by data.

mod http;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use vigie::detect::engine::{Score, TickOutput};
use vigie::metrics::Metrics;
use vigie::policy::{Policy, Site};
use vigie::summary::Summary;

/// The capture that is replayed: it must hold an attack and last longer than a minute.
const FIXTURE: &str = "fixtures/syn-flood.pcap.zst";

/// Replay pace, as a multiple of recorded time.
const SPEED: &str = "10";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn dashboard() -> Value {
    serde_json::from_str(&read("grafana/dashboards/vigie.json")).unwrap()
}

/// Every panel that asks something, with its title and its queries.
fn questions(dashboard: &Value) -> Vec<(String, Vec<String>)> {
    let panels = dashboard["panels"].as_array().unwrap();
    let query = |target: &Value| target["expr"].as_str().unwrap().to_owned();
    panels
        .iter()
        .filter(|panel| panel["type"] != "row")
        .map(|panel| {
            let targets = panel["targets"].as_array().unwrap();
            (panel["title"].as_str().unwrap().to_owned(), targets.iter().map(query).collect())
        })
        .collect()
}

/// Words of a text that name a metric of ours; recorded series have a colon in their name.
fn metric_names(text: &str) -> BTreeSet<&str> {
    let part_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    text.split(|c| !part_of_name(c)).filter(|word| word.starts_with("vigie_")).collect()
}

/// Names of all samples that the metrics write once a source, a sink, a site and a score are there.
fn written_names() -> BTreeSet<String> {
    let metrics = Metrics::new();
    metrics.add_source("eth1");
    metrics.add_sink("jsonl");
    let site = Site { name: "ecole".into(), prefixes: vec!["192.0.2.0/24".parse().unwrap()] };
    let score = Score { detector: "SYN-2", site: "ecole".into(), ratio: 0.5 };
    let output = TickOutput { scores: vec![score], ..TickOutput::default() };
    metrics.record_tick(&Policy::new(vec![site], false), &Summary::default(), &output);
    let text = metrics.text();
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples.map(|line| line.split(['{', ' ']).next().unwrap().to_owned()).collect()
}

#[test]
fn every_metric_that_is_asked_for_is_written() {
    let written = written_names();
    let queries = questions(&dashboard()).into_iter().flat_map(|(_, queries)| queries).collect::<Vec<_>>().join("\n");
    let rules = read("grafana/alerts.yml");
    let asked: BTreeSet<&str> = metric_names(&queries).union(&metric_names(&rules)).copied().collect();
    assert!(asked.len() > 20, "{asked:?}");
    let missing: Vec<_> = asked.iter().filter(|name| !written.contains(**name)).collect();
    assert!(missing.is_empty(), "asked for and never written: {missing:?}");
}

#[test]
fn the_dashboard_is_one_that_grafana_provisions() {
    let dashboard = dashboard();
    assert_eq!(dashboard["id"], Value::Null, "provisioned dashboards have a uid and no id");
    assert!(dashboard["uid"].is_string() && dashboard["schemaVersion"].as_u64().unwrap() >= 39);
    let variables: Vec<&str> =
        dashboard["templating"]["list"].as_array().unwrap().iter().map(|v| v["name"].as_str().unwrap()).collect();
    assert_eq!(variables, ["datasource", "site"]);
    let mut ids = BTreeSet::new();
    let mut cells: BTreeMap<(u64, u64), u64> = BTreeMap::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let id = panel["id"].as_u64().unwrap();
        assert!(ids.insert(id), "panel {id} exists twice");
        let place = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                assert!(x < 24, "panel {id} is wider than the page");
                assert_eq!(cells.insert((x, y), id), None, "panel {id} lies on another");
            }
        }
        if panel["type"] != "row" {
            assert_eq!(panel["datasource"]["uid"], "${datasource}");
            assert!(!panel["description"].as_str().unwrap().is_empty());
        }
    }
}

/// Tells whether a program is there; `VIGIE_REQUIRE_ALL=1` makes its absence a failure.
fn present(what: &str, there: bool) -> bool {
    assert!(there || std::env::var("VIGIE_REQUIRE_ALL").as_deref() != Ok("1"), "{what} is missing");
    if !there {
        eprintln!("skipped: {what} is missing");
    }
    there
}

fn installed(program: &str) -> bool {
    let run = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    present(&format!("{program} (Debian package prometheus)"), run.is_ok())
}

#[test]
fn promtool_accepts_the_rules_their_tests_and_the_configuration() {
    if !installed("promtool") {
        return;
    }
    let checks: [&[&str]; 3] = [
        &["check", "rules", "alerts.yml"],
        &["test", "rules", "alerts_test.yml"],
        &["check", "config", "prometheus.yml"],
    ];
    for check in checks {
        let output = Command::new("promtool").args(check).current_dir(root().join("grafana")).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "promtool {}: {said}", check.join(" "));
    }
}

/// A process that ends with the test, whatever happens.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is reaped.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An address nobody listens on: the system does not hand a port out again at once.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

struct Prometheus {
    address: SocketAddr,
    _process: Running,
}

impl Prometheus {
    /// Starts it with the project's own configuration and rules, once a second and on the given target.
    fn start(folder: &Path, target: SocketAddr) -> Self {
        let quick =
            |text: String| text.replace("interval: 5s", "interval: 1s").replace("127.0.0.1:9477", &target.to_string());
        std::fs::write(folder.join("prometheus.yml"), quick(read("grafana/prometheus.yml"))).unwrap();
        std::fs::write(folder.join("alerts.yml"), quick(read("grafana/alerts.yml"))).unwrap();
        let address = free_address();
        let log = std::fs::File::create(folder.join("prometheus.log")).unwrap();
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", folder.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let prometheus = Self { address, _process: Running(process) };
        let ready = || http::get(address, "/-/ready", "").is_ok_and(|answer| answer.code == 200);
        let log = || std::fs::read_to_string(folder.join("prometheus.log")).unwrap_or_default();
        assert!(http::wait_until(Duration::from_secs(60), ready), "Prometheus does not start: {}", log());
        prometheus
    }

    fn ask(&self, path: &str) -> Value {
        let answer = http::get(self.address, path, "").unwrap();
        let value: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(value["status"], "success", "{path}: {}", answer.body);
        value["data"].clone()
    }

    fn now(&self) -> f64 {
        self.ask("/api/v1/query?query=time()")["result"][1].as_str().unwrap().parse().unwrap()
    }

    /// Evaluates a query for each second of a span, and counts the values that are numbers.
    fn values(&self, query: &str, (from, to): (f64, f64)) -> usize {
        let path = format!("/api/v1/query_range?query={}&start={from}&end={to}&step=1", http::encode(query));
        let data = self.ask(&path);
        let values = data["result"].as_array().unwrap().iter().flat_map(|series| series["values"].as_array().unwrap());
        values.filter(|value| value[1].as_str().unwrap().parse().is_ok_and(f64::is_finite)).count()
    }
}

/// What the fixture's truth file says of home and of what is protected.
fn truth_arguments(fixture: &Path) -> Vec<String> {
    let bare = root().join(FIXTURE.trim_end_matches(".pcap.zst"));
    let places = [
        fixture.with_added_extension("truth.json"),
        bare.with_added_extension("truth.json"),
        bare.with_added_extension("pcap.truth.json"),
    ];
    let text = places.iter().find_map(|path| std::fs::read_to_string(path).ok());
    let truth: Value = serde_json::from_str(&text.expect("a fixture has its truth beside it")).unwrap();
    let texts = |key: &str| -> Vec<String> {
        truth[key].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let protect = texts("protect").into_iter().flat_map(|prefix| ["--protect".to_owned(), prefix]);
    ["--home".to_owned(), texts("home").join(",")].into_iter().chain(protect).collect()
}

/// Replays the fixture at a multiple of recorded speed and returns when it began and ended, in Prometheus' time.
fn replay(prometheus: &Prometheus, fixture: &Path, target: SocketAddr, folder: &Path) -> (f64, f64) {
    let from = prometheus.now();
    let errors = folder.join("vigie.log");
    let child = Command::new(env!("CARGO_BIN_EXE_vigie"))
        .arg("replay")
        .arg(fixture)
        .args(["--speed", SPEED, "--metrics", &target.to_string(), "--alerts"])
        .arg(folder.join("alerts.jsonl"))
        .args(truth_arguments(fixture))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&errors).unwrap())
        .spawn()
        .unwrap();
    let mut running = Running(child);
    let mut status = None;
    let ended = http::wait_until(Duration::from_secs(300), || {
        status = running.0.try_wait().unwrap();
        status.is_some()
    });
    let said = std::fs::read_to_string(errors).unwrap_or_default();
    assert!(ended, "the replay takes too long: {said}");
    assert!(status.is_some_and(|status| status.success()), "the replay failed: {said}");
    (from, prometheus.now())
}

/// Cuts the comparison off each side of an `or`, so that a rule that must not fire can be seen to measure something.
fn measured(rule: &str) -> Vec<String> {
    let cut = |side: &str| {
        let at = [" > ", " == ", " < "].iter().filter_map(|operator| side.rfind(operator)).max();
        side[..at.unwrap_or(side.len())].trim().to_owned()
    };
    rule.split(" or ").map(cut).collect()
}

#[test]
fn the_comparison_of_a_rule_is_cut_off() {
    assert_eq!(measured("sum by (kind) (a > 0) > 0 or b == 0"), ["sum by (kind) (a > 0)", "b"]);
    assert_eq!(measured("a / b"), ["a / b"]);
}

#[test]
fn every_panel_and_every_rule_returns_data_from_a_real_replay() {
    let fixture: PathBuf = root().join(FIXTURE);
    if !installed("prometheus") || !present(FIXTURE, fixture.exists()) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let target = free_address();
    let prometheus = Prometheus::start(folder.path(), target);
    let span = replay(&prometheus, &fixture, target, folder.path());
    assert!(prometheus.values("up{job=\"vigie\"} == 1", span) > 0, "no scrape succeeded");

    let mut empty = Vec::new();
    for (title, queries) in questions(&dashboard()) {
        for query in queries {
            let query = query.replace("$__rate_interval", "5s").replace("$site", ".*");
            if prometheus.values(&query, span) == 0 {
                empty.push(format!("panel {title:?}: {query}"));
            }
        }
    }
    let rules = prometheus.ask("/api/v1/rules");
    let rules = rules["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap());
    let mut seen = 0;
    for rule in rules {
        let (name, query) = (rule["name"].as_str().unwrap(), rule["query"].as_str().unwrap());
        assert_eq!(rule["health"], "ok", "rule {name}: {}", rule["lastError"]);
        let queries = if rule["type"] == "recording" { vec![name.to_owned()] } else { measured(query) };
        for query in queries {
            if prometheus.values(&query, span) == 0 {
                empty.push(format!("rule {name}: {query}"));
            }
        }
        seen += 1;
    }
    assert!(seen > 10, "{seen} rules were loaded");
    assert!(empty.is_empty(), "no data:\n{}", empty.join("\n"));
    let fired = "ALERTS{alertname=~\"VigieCritical|VigieWarning\",alertstate=\"firing\"}";
    assert!(prometheus.values(fired, span) > 0, "the attack in {FIXTURE} fired no rule");
}
