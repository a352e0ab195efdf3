//! The dashboards and the rules, against the metrics by name, against a real Prometheus by data and against a real
//! Alertmanager by what fires.

mod http;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
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

/// What is rightly empty while this fixture is replayed: annotations of rules that it gives no reason to fire.
const NOT_HERE: [&str; 2] = ["Warning", "Sensor"];

/// Replay pace, as a multiple of recorded time.
const SPEED: &str = "10";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every dashboard, by the name of its file.
fn dashboards() -> BTreeMap<String, Value> {
    let files = std::fs::read_dir(root().join("grafana/dashboards")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    names
        .map(|name| (name.clone(), serde_json::from_str(&read(&format!("grafana/dashboards/{name}"))).unwrap()))
        .collect()
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Everything that a dashboard asks Prometheus, each with the name of who asks: panels, annotations and variables.
fn questions(dashboard: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut questions = Vec::new();
    for panel in list(dashboard, "/panels").iter().filter(|panel| panel["type"] != "row") {
        assert!(!list(panel, "/targets").is_empty(), "{} asks nothing", panel["title"]);
        questions.extend(list(panel, "/targets").iter().map(|target| (text(&panel["title"]), text(&target["expr"]))));
    }
    let annotations = list(dashboard, "/annotations/list").iter().filter(|annotation| annotation["expr"].is_string());
    questions.extend(annotations.map(|annotation| (text(&annotation["name"]), text(&annotation["expr"]))));
    for variable in list(dashboard, "/templating/list").iter().filter(|variable| variable["type"] == "query") {
        let query = text(&variable["query"]["query"]);
        let inside = query.strip_prefix("label_values(").unwrap().strip_suffix(')').unwrap();
        let (series, label) = inside.rsplit_once(", ").unwrap();
        questions.push((text(&variable["label"]), format!("count by ({label}) ({series})")));
    }
    questions
}

/// Fills in variables as Grafana does when all is chosen.
fn filled(query: &str) -> String {
    let all = ["$site", "$country", "$instance"];
    all.iter().fold(query.replace("$__rate_interval", "5s"), |query, name| query.replace(name, ".*"))
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
    let output = TickOutput { scores: vec![score], phases: vec![("ecole".into(), 1)], ..TickOutput::default() };
    metrics.record_tick(&Policy::new(vec![site], false), &Summary::default(), &output);
    let text = metrics.text();
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples.map(|line| line.split(['{', ' ']).next().unwrap().to_owned()).collect()
}

#[test]
fn every_metric_that_is_asked_for_is_written() {
    let written = written_names();
    let queries = dashboards().values().flat_map(questions).map(|(_, query)| query).collect::<Vec<_>>().join("\n");
    let rules = read("grafana/alerts.yml");
    let asked: BTreeSet<&str> = metric_names(&queries).union(&metric_names(&rules)).copied().collect();
    assert!(asked.len() > 30, "{asked:?}");
    let missing: Vec<_> = asked.iter().filter(|name| !written.contains(**name)).collect();
    assert!(missing.is_empty(), "asked for and never written: {missing:?}");
}

#[test]
fn every_recorded_series_that_is_asked_for_is_recorded() {
    let rules = read("grafana/alerts.yml");
    let recorded: BTreeSet<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- record: ")).collect();
    let part_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    for (name, dashboard) in dashboards() {
        for (title, query) in questions(&dashboard) {
            for word in query.split(|c| !part_of_name(c)).filter(|word| word.contains(":vigie_")) {
                assert!(recorded.contains(word), "{name}, {title}: {word} is not recorded");
            }
        }
    }
}

#[test]
fn the_dashboards_are_some_that_grafana_provisions() {
    let variables_of = BTreeMap::from([
        ("incident.json", &["datasource", "site", "country"][..]),
        ("overview.json", &["datasource", "site", "country"]),
        ("sensor-health.json", &["datasource", "instance", "site"]),
        ("vigie.json", &["datasource", "site"]),
    ]);
    let dashboards = dashboards();
    assert!(dashboards.keys().eq(variables_of.keys()), "{:?}", dashboards.keys());
    let uids: BTreeSet<&str> = dashboards.values().map(|dashboard| dashboard["uid"].as_str().unwrap()).collect();
    assert_eq!(uids.len(), dashboards.len(), "{uids:?}");
    for (name, dashboard) in &dashboards {
        assert_eq!(dashboard["id"], Value::Null, "provisioned dashboards have a uid and no id");
        assert!(dashboard["uid"].is_string() && dashboard["schemaVersion"].as_u64().unwrap() >= 39);
        let variables: Vec<&str> =
            list(dashboard, "/templating/list").iter().map(|v| v["name"].as_str().unwrap()).collect();
        assert_eq!(variables, variables_of[name.as_str()], "{name}");
        assert_panels_lie_well(name, dashboard);
        assert_links_lead_somewhere(name, &dashboard.to_string(), &uids);
        if name != "vigie.json" {
            let asks = list(dashboard, "/annotations/list").iter().filter(|annotation| annotation["expr"].is_string());
            assert_eq!(asks.count(), 3, "{name}: critical, warning and the sensor itself");
        }
    }
    assert_links_lead_somewhere("alerts.yml", &read("grafana/alerts.yml"), &uids);
}

#[track_caller]
fn assert_panels_lie_well(name: &str, dashboard: &Value) {
    let mut ids = BTreeSet::new();
    let mut cells: BTreeMap<(u64, u64), u64> = BTreeMap::new();
    for panel in list(dashboard, "/panels") {
        let id = panel["id"].as_u64().unwrap();
        assert!(ids.insert(id), "{name}: panel {id} exists twice");
        let place = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                assert!(x < 24, "{name}: panel {id} is wider than the page");
                assert_eq!(cells.insert((x, y), id), None, "{name}: panel {id} lies on another");
            }
        }
        if panel["type"] != "row" {
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{name}: panel {id}");
            assert!(!panel["description"].as_str().unwrap().is_empty(), "{name}: panel {id}");
        }
    }
}

/// Every `/d/UID` is a dashboard that is there.
#[track_caller]
fn assert_links_lead_somewhere(name: &str, text: &str, uids: &BTreeSet<&str>) {
    for (at, _) in text.match_indices("/d/") {
        let rest = &text[at + 3..];
        let uid = rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').next().unwrap();
        assert!(uids.contains(uid), "{name}: a link to the dashboard {uid}, which is not there");
    }
}

#[test]
fn what_the_compose_file_mounts_is_there() {
    let compose = read("grafana/compose.yml");
    let mounts: Vec<&str> = compose.lines().filter_map(|line| line.trim().strip_prefix("- ./")).collect();
    assert_eq!(mounts.len(), 5, "{mounts:?}");
    for mount in mounts {
        let file = mount.split(':').next().unwrap();
        assert!(root().join("grafana").join(file).exists(), "{file} is not there");
    }
    // Each program listens where the configuration of the next looks for it.
    assert!(compose.contains("--web.listen-address=127.0.0.1:9093"));
    assert!(read("grafana/prometheus.yml").contains("[\"127.0.0.1:9093\"]"));
    assert!(compose.contains("--web.listen-address=127.0.0.1:9090"));
    assert!(read("grafana/provisioning/datasources/vigie.yml").contains("url: http://127.0.0.1:9090\n"));
    assert!(compose.contains("./dashboards:/var/lib/grafana/dashboards/vigie:ro"));
    assert!(read("grafana/provisioning/dashboards/vigie.yml").contains("path: /var/lib/grafana/dashboards/vigie\n"));
}

#[test]
fn the_compose_file_is_valid_by_the_compose_specification() {
    let is_there = Command::new("docker-compose").arg("version").stdout(Stdio::null()).status();
    if !present("docker-compose (Debian package docker-compose)", is_there.is_ok_and(|status| status.success())) {
        return;
    }
    let compose = |text: &str| {
        let file = tempfile::Builder::new().prefix("compose").suffix(".yml").tempfile().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let mut command = Command::new("docker-compose");
        command.arg("-f").arg(file.path()).args(["--project-directory", "grafana", "config", "-q"]);
        command.current_dir(root()).env("VIGIE_INTERFACE", "eth1").output().unwrap()
    };
    let text = read("grafana/compose.yml");
    let right = compose(&text);
    assert!(right.status.success(), "{}", String::from_utf8_lossy(&right.stderr));
    assert!(!compose(&text.replacen("restart:", "restrat:", 1)).status.success(), "it takes anything");
    let containerfile = text.lines().find_map(|line| line.trim().strip_prefix("dockerfile: ")).unwrap();
    assert!(root().join(containerfile).exists(), "{containerfile} is not there");
}

#[test]
fn the_capabilities_that_the_compose_file_gives_are_enough() {
    if !present("root", rustix::process::geteuid().is_root()) {
        return;
    }
    let compose = read("grafana/compose.yml");
    let added = compose.split("cap_add: [").nth(1).unwrap().split(']').next().unwrap();
    let bounds = format!(
        "-all,{}",
        added.split(", ").map(|name| format!("+{}", name.to_lowercase())).collect::<Vec<_>>().join(",")
    );
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    std::fs::create_dir(&state).unwrap();
    // As the image has it: the folder is the user's, and nobody else may look into it.
    let nobody = Command::new("chown").arg("nobody").arg(folder.path()).arg(&state).status();
    assert!(nobody.unwrap().success());
    std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o700)).unwrap();
    let output = Command::new("timeout")
        .args(["--signal", "INT", "3", "setpriv", "--bounding-set", &bounds, env!("CARGO_BIN_EXE_vigie")])
        .args(["watch", "-i", "lo", "--metrics", "off", "--user", "nobody", "--state", state.to_str().unwrap()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("sandbox: user nobody, no capabilities"), "{said}");
    assert!(state.join("vigie.state").exists(), "{said}");
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
    present(&format!("{program} (Debian packages prometheus and prometheus-alertmanager)"), run.is_ok())
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
    if installed("amtool") {
        let check = ["check-config", "alertmanager.yml"];
        let output = Command::new("amtool").args(check).current_dir(root().join("grafana")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
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

/// A real Alertmanager with the project's own configuration.
struct Alertmanager {
    address: SocketAddr,
    _process: Running,
}

impl Alertmanager {
    fn start(folder: &Path) -> Self {
        let address = free_address();
        let log = std::fs::File::create(folder.join("alertmanager.log")).unwrap();
        let process = Command::new("prometheus-alertmanager")
            .arg(format!("--config.file={}", root().join("grafana/alertmanager.yml").display()))
            .arg(format!("--storage.path={}", folder.join("alertmanager").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--cluster.listen-address=")
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let manager = Self { address, _process: Running(process) };
        let ready = || http::get(address, "/-/ready", "").is_ok_and(|answer| answer.code == 200);
        let log = || std::fs::read_to_string(folder.join("alertmanager.log")).unwrap_or_default();
        assert!(http::wait_until(Duration::from_secs(60), ready), "Alertmanager does not start: {}", log());
        manager
    }

    /// The alerts that fire in it.
    fn active(&self) -> Vec<Value> {
        let answer = http::get(self.address, "/api/v2/alerts?active=true", "").unwrap();
        serde_json::from_str(&answer.body).unwrap()
    }
}

struct Prometheus {
    address: SocketAddr,
    _process: Running,
}

impl Prometheus {
    /// Starts it with the project's own configuration and rules, once a second, on the given target, and telling an Alertmanager.
    fn start(folder: &Path, target: SocketAddr, tells: SocketAddr) -> Self {
        let quick = |text: String| {
            let text = text.replace("interval: 5s", "interval: 1s").replace("127.0.0.1:9477", &target.to_string());
            text.replace("127.0.0.1:9093", &tells.to_string())
        };
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
    let programs = ["prometheus", "prometheus-alertmanager"];
    if !programs.iter().all(|program| installed(program)) || !present(FIXTURE, fixture.exists()) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let target = free_address();
    let alertmanager = Alertmanager::start(folder.path());
    let prometheus = Prometheus::start(folder.path(), target, alertmanager.address);
    let span = replay(&prometheus, &fixture, target, folder.path());
    assert!(prometheus.values("up{job=\"vigie\"} == 1", span) > 0, "no scrape succeeded");

    let mut empty = Vec::new();
    for (name, dashboard) in dashboards() {
        for (title, query) in questions(&dashboard) {
            let query = filled(&query);
            if !NOT_HERE.contains(&title.as_str()) && prometheus.values(&query, span) == 0 {
                empty.push(format!("{name}, {title:?}: {query}"));
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
    assert_alertmanager_is_told(&alertmanager);
}

/// What Prometheus fired has come to Alertmanager, with the way to its dashboard.
#[track_caller]
fn assert_alertmanager_is_told(alertmanager: &Alertmanager) {
    let mut active = Vec::new();
    let told = http::wait_until(Duration::from_secs(60), || {
        active = alertmanager.active();
        active.iter().any(|alert| alert["labels"]["kind"] == "syn_flood")
    });
    assert!(told, "{active:#?}");
    let flood = active.iter().find(|alert| alert["labels"]["kind"] == "syn_flood").unwrap();
    assert!(flood["labels"]["alertname"].as_str().is_some_and(|name| name.starts_with("Vigie")), "{flood:#}");
    let link = flood["annotations"]["dashboard"].as_str().unwrap();
    assert!(link.contains("/d/vigie-incident"), "{link}");
}
