//! The metrics and the endpoint that serves them, as a scraper and a person see them.

mod http;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use vigie::alert::{self, Alert};
use vigie::capture::Accounting;
use vigie::country::Country;
use vigie::decode::DropReason;
use vigie::detect::engine::{Score, TickOutput};
use vigie::export::board::{Board, Status};
use vigie::export::http::{HttpError, Login, Server, Settings, serve};
use vigie::export::sinks::Secret;
use vigie::kind::{AlertKind, Severity, Verdict};
use vigie::metrics::{DeliveryOutcome, MemoryPart, Metrics, Queue, ReloadOutcome, Stage};
use vigie::policy::{Policy, Site, SiteId};
use vigie::source::CaptureDrops;
use vigie::summary::{FlowTick, HostTick, OriginTick, SOURCE_PRECISION, SiteTick, Summary, Volume};
use vigie::time::{Tick, Timestamp};

/// CONTRACT 3: the families that must exist.
const CONTRACT: [&str; 22] = [
    "vigie_build_info",
    "vigie_packets_total",
    "vigie_bytes_total",
    "vigie_capture_drops_total",
    "vigie_packets_discarded_total",
    "vigie_flows_active",
    "vigie_flows_total",
    "vigie_flows_ended_total",
    "vigie_site_packets_total",
    "vigie_site_bytes_total",
    "vigie_site_handshakes_total",
    "vigie_site_sources",
    "vigie_origin_packets_total",
    "vigie_origin_bytes_total",
    "vigie_score",
    "vigie_duplicate_ratio",
    "vigie_alerts_firing",
    "vigie_alerts_total",
    "vigie_sink_deliveries_total",
    "vigie_stage_duration_seconds",
    "vigie_queue_batches",
    "vigie_clock_lag_seconds",
];

fn site(name: &str, prefix: &str) -> Site {
    Site { name: name.into(), prefixes: vec![prefix.parse().unwrap()] }
}

fn school() -> Policy {
    Policy::new(vec![site("ecole", "192.0.2.0/24")], false)
}

fn volume(packets: u64) -> Volume {
    Volume { packets, bytes: packets * 100 }
}

fn score(detector: &'static str, site: &str, ratio: f64) -> Score {
    Score { detector, site: site.into(), ratio }
}

/// One tick of a site with something of everything.
fn busy_tick(number: u64) -> Summary {
    let mut host = HostTick { address: "192.0.2.10".parse().unwrap(), verified: 9, served: 7, ..HostTick::default() };
    host.cohort.opened = 100;
    host.cohort.answered[0] = 60;
    host.cohort.answered[3] = 30;
    host.cohort.finished[1] = 8;
    host.cohort.abandoned[0] = 3;
    host.cohort.retried[4] = 2;
    host.cohort.refused[0] = 1;
    host.verified_from = vec![("FR".parse().unwrap(), 5), ("RU".parse().unwrap(), 3), (Country::UNKNOWN, 1)];
    let origin = |country: Option<&str>, packets| OriginTick {
        site: SiteId(0),
        country: country.map(|code| code.parse().unwrap_or(Country::UNKNOWN)),
        inbound: volume(packets),
    };
    Summary {
        tick: Tick::new(number),
        hosts: vec![host],
        sites: vec![SiteTick {
            site: SiteId(0),
            inbound: volume(200),
            outbound: volume(150),
            internal: volume(4),
            sources: Some(Box::new([1; 1 << SOURCE_PRECISION])),
            ..SiteTick::default()
        }],
        origins: vec![origin(Some("FR"), 50), origin(Some("RU"), 30), origin(Some("?"), 20), origin(None, 100)],
        flows: FlowTick {
            active: 40,
            admitted: 9,
            ended: [1, 2, 3, 4, 5],
            unanswered: 11,
            data_segments: 100,
            repeated_segments: 25,
            sampler_shift: 2,
            ..FlowTick::default()
        },
        ..Summary::default()
    }
}

fn books(packets: u64) -> Accounting {
    Accounting {
        packets,
        processed: packets - 13,
        discarded: BTreeMap::from([(DropReason::NotIp, 4), (DropReason::TooDeep, 2)]),
        dropped: CaptureDrops { kernel: 2, interface: 1 },
        shed: 4,
        bytes: packets * 100,
        late: 5,
        clock_steps: 1,
    }
}

/// Reads one sample of the text format; labels are written sorted by name.
fn sample(text: &str, series: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in\n{text}")).parse().unwrap()
}

fn series(text: &str) -> usize {
    text.lines().filter(|line| !line.starts_with('#')).count()
}

fn followed() -> Metrics {
    let metrics = Metrics::new();
    metrics.add_source("eth1");
    metrics.add_sink("jsonl");
    let output = TickOutput { scores: vec![score("SYN-2", "ecole", 0.0)], ..TickOutput::default() };
    metrics.record_tick(&school(), &Summary::default(), &output);
    metrics
}

#[test]
fn every_family_of_the_contract_exists_before_the_first_packet() {
    let text = followed().text();
    for name in CONTRACT.iter().chain(&["vigie_memory_bytes", "vigie_series", "vigie_series_limit"]) {
        assert!(text.contains(&format!("# TYPE {name} ")), "{name} is missing");
    }
    for reason in DropReason::ALL {
        assert_eq!(sample(&text, &format!("vigie_packets_discarded_total{{reason=\"{reason}\"}}")), 0.0);
    }
    for kind in AlertKind::ALL {
        for severity in Severity::ALL {
            let labels = format!("{{kind=\"{kind}\",severity=\"{severity}\"}}");
            assert_eq!(sample(&text, &format!("vigie_alerts_firing{labels}")), 0.0);
            assert_eq!(sample(&text, &format!("vigie_alerts_total{labels}")), 0.0);
        }
    }
    for country in ["other", "unknown", "unproven"] {
        let labels = format!("{{country=\"{country}\",site=\"ecole\"}}");
        assert_eq!(sample(&text, &format!("vigie_origin_packets_total{labels}")), 0.0);
    }
}

#[test]
fn families_are_named_and_described() {
    let text = followed().text();
    let heads: Vec<&str> = text.lines().filter(|line| line.starts_with('#')).collect();
    insta::assert_snapshot!("families", heads.join("\n"));
}

#[test]
fn a_tick_is_counted_where_it_belongs() {
    let metrics = followed();
    metrics.set_home(&["FR".parse().unwrap()]);
    metrics.record_tick(&school(), &busy_tick(100), &TickOutput::default());
    metrics.record_tick(&school(), &busy_tick(101), &TickOutput::default());
    let text = metrics.text();
    let handshakes =
        |outcome: &str| sample(&text, &format!("vigie_site_handshakes_total{{outcome=\"{outcome}\",site=\"ecole\"}}"));
    let counted = ["opened", "answered", "finished", "abandoned", "retried", "refused"].map(handshakes);
    assert_eq!(counted, [200.0, 180.0, 16.0, 6.0, 4.0, 2.0]);
    let origin =
        |origin: &str| sample(&text, &format!("vigie_site_connections_total{{origin=\"{origin}\",site=\"ecole\"}}"));
    assert_eq!(["home", "foreign", "unknown"].map(origin), [10.0, 6.0, 2.0]);
    assert_eq!(sample(&text, "vigie_site_served_connections_total{site=\"ecole\"}"), 14.0);
    assert_eq!(sample(&text, "vigie_site_packets_total{direction=\"inbound\",site=\"ecole\"}"), 400.0);
    assert_eq!(sample(&text, "vigie_site_bytes_total{direction=\"internal\",site=\"ecole\"}"), 800.0);
    let country =
        |country: &str| sample(&text, &format!("vigie_origin_packets_total{{country=\"{country}\",site=\"ecole\"}}"));
    assert_eq!(["FR", "RU", "unknown", "unproven", "other"].map(country), [100.0, 60.0, 40.0, 200.0, 0.0]);
    assert_eq!(sample(&text, "vigie_flows_active"), 40.0);
    assert_eq!(sample(&text, "vigie_flows_ended_total{reason=\"lack_of_resources\"}"), 10.0);
    assert_eq!(sample(&text, "vigie_handshake_sampling_ratio"), 0.25);
    assert_eq!(sample(&text, "vigie_duplicate_ratio{source=\"eth1\"}"), 0.25);
    assert_eq!(sample(&text, "vigie_packet_time_seconds"), 102.0 / 4.0);
}

#[test]
fn evidence_and_reloads_are_counted() {
    let metrics = followed();
    let evidence = |text: &str| {
        ["files_total", "bytes_total", "missed_packets_total"]
            .map(|name| sample(text, &format!("vigie_evidence_{name}")))
    };
    assert_eq!(evidence(&metrics.text()), [0.0; 3]);
    metrics.record_evidence(1, 4_000, 0);
    metrics.record_evidence(2, 9_000, 7);
    metrics.record_evidence(2, 9_000, 7);
    metrics.record_reload(ReloadOutcome::Refused);
    let text = metrics.text();
    assert_eq!(evidence(&text), [2.0, 9_000.0, 7.0], "totals are told again and added once");
    let reloads = |outcome| sample(&text, &format!("vigie_reloads_total{{outcome=\"{outcome}\"}}"));
    assert_eq!([reloads("succeeded"), reloads("refused")], [0.0, 1.0]);
}

#[test]
fn books_are_added_once_however_often_they_are_told() {
    let metrics = followed();
    metrics.record_capture("eth1", &books(100));
    metrics.record_capture("eth1", &books(100));
    metrics.record_capture("eth1", &books(150));
    metrics.record_capture("eth2", &books(50));
    let text = metrics.text();
    assert_eq!(sample(&text, "vigie_packets_total{source=\"eth1\"}"), 150.0);
    assert_eq!(sample(&text, "vigie_packets_total{source=\"eth2\"}"), 50.0);
    let discarded: f64 = DropReason::ALL
        .iter()
        .map(|reason| sample(&text, &format!("vigie_packets_discarded_total{{reason=\"{reason}\"}}")))
        .sum();
    let drops = |source: &str, place: &str| {
        sample(&text, &format!("vigie_capture_drops_total{{source=\"{source}\",where=\"{place}\"}}"))
    };
    let places = ["kernel", "interface", "shed"];
    let dropped: f64 = places.map(|place| drops("eth1", place) + drops("eth2", place)).iter().sum();
    assert_eq!(200.0, sample(&text, "vigie_packets_processed_total") + discarded + dropped);
}

#[test]
fn alerts_are_counted_over_their_life() {
    let metrics = Metrics::new();
    let record = |id: &str, severity, closes| metrics.record_alert(id, AlertKind::SynFlood, severity, closes);
    let counts = |family: &str| {
        let text = metrics.text();
        ["warning", "critical"]
            .map(|severity| sample(&text, &format!("{family}{{kind=\"syn_flood\",severity=\"{severity}\"}}")))
    };
    record("a", Severity::Warning, false);
    record("b", Severity::Warning, false);
    record("a", Severity::Critical, false);
    record("a", Severity::Critical, false);
    assert_eq!(counts("vigie_alerts_firing"), [1.0, 1.0]);
    record("a", Severity::Warning, false);
    record("b", Severity::Warning, true);
    assert_eq!(counts("vigie_alerts_firing"), [1.0, 0.0]);
    record("a", Severity::Warning, true);
    assert_eq!(counts("vigie_alerts_firing"), [0.0, 0.0]);
    assert_eq!(counts("vigie_alerts_total"), [2.0, 1.0], "a reached both severities, b one");
}

#[test]
fn no_traffic_and_no_configuration_makes_more_series_than_the_limit() {
    const DETECTORS: [&str; 30] = [
        "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t", "u", "v",
        "w", "x", "y", "z", "aa", "bb", "cc", "dd",
    ];
    let metrics = Metrics::new();
    for number in 0..100 {
        metrics.record_capture(&format!("file{number}"), &books(100));
        metrics.record_delivery(&format!("sink{number}"), DeliveryOutcome::Failed);
    }
    for round in 0..3_u64 {
        let sites = (0..300).map(|n| site(&format!("r{round}s{n}"), &format!("10.{}.{}.0/24", n / 256, n % 256)));
        let policy = Policy::new(sites.collect(), false);
        let origins = (0..256_u16).flat_map(|id| {
            (0..Country::COUNT).step_by(7).map(move |index| OriginTick {
                site: SiteId(id),
                country: Some(Country::from_index(index)),
                inbound: volume(u64::from(id) + index as u64),
            })
        });
        let summary = Summary { tick: Tick::new(round * 40 + 39), origins: origins.collect(), ..Summary::default() };
        let scores =
            DETECTORS.iter().flat_map(|detector| (0..256).map(move |n| score(detector, &format!("r{round}s{n}"), 1.0)));
        metrics.record_tick(&policy, &summary, &TickOutput { scores: scores.collect(), ..TickOutput::default() });
    }
    let text = metrics.text();
    let limit = metrics.series_limit();
    assert!(series(&text) <= limit, "{} series, at most {limit}", series(&text));
    assert_eq!(sample(&text, "vigie_series"), series(&text) as f64);
    assert_eq!(sample(&text, "vigie_series_limit"), limit as f64);
    assert!(!text.contains("r0s") && !text.contains("r1s"), "sites that are gone leave nothing behind");
    assert_eq!(sample(&text, "vigie_packets_total{source=\"other\"}"), 36.0 * 100.0, "files past the 64th");
}

/// Runs promtool, if it is there; `VIGIE_REQUIRE_ALL=1` makes its absence a failure.
fn promtool() -> bool {
    let found = Command::new("promtool").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    assert!(found || std::env::var("VIGIE_REQUIRE_ALL").as_deref() != Ok("1"), "promtool is not installed");
    if !found {
        eprintln!("skipped: promtool is not installed (Debian package prometheus)");
    }
    found
}

#[test]
fn promtool_finds_nothing_to_say() {
    if !promtool() {
        return;
    }
    let metrics = followed();
    metrics.record_tick(&school(), &busy_tick(39), &TickOutput::default());
    metrics.observe_stage(Stage::Merge, Duration::from_micros(70));
    metrics.set_queue(Queue::Packets, 3);
    metrics.set_memory(MemoryPart::Flows, 1 << 20);
    metrics.set_clock_lag(Duration::from_millis(300));
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(metrics.text().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
}

fn endpoint() -> (Server, Arc<Board>) {
    let board = Arc::new(Board::new(Arc::new(followed()), None));
    let server = serve(SocketAddr::from(([127, 0, 0, 1], 0)), Arc::clone(&board), &Settings::default()).unwrap();
    (server, board)
}

#[test]
fn scrapers_get_the_content_types_that_prometheus_3_asks_for() {
    let (server, _board) = endpoint();
    let text = http::get(server.address(), "/metrics", "").unwrap();
    assert_eq!(text.code, 200);
    assert!(text.head.contains("content-type: text/plain; version=0.0.4; charset=utf-8\n"), "{}", text.head);
    assert!(sample(&text.body, "vigie_memory_bytes{part=\"resident\"}") > 1e6);
    let accept = "Accept: application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3\r\n";
    let open = http::get(server.address(), "/metrics", accept).unwrap();
    let expected = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\n";
    assert!(open.head.contains(expected), "{}", open.head);
    assert!(open.body.ends_with("# EOF\n") && open.body.contains("# TYPE vigie_packets counter\n"));
    assert_eq!(series(&open.body), series(&text.body), "both formats say the same");
}

#[test]
fn health_and_readiness_follow_the_run() {
    let (server, board) = endpoint();
    let code = |path: &str| http::get(server.address(), path, "").unwrap().code;
    assert_eq!((code("/healthz"), code("/readyz")), (200, 503));
    board.publish(Status::new(&books(100), &school()));
    assert_eq!((code("/healthz"), code("/readyz")), (200, 200));
    board.fail("eth1: the interface is gone");
    assert_eq!((code("/healthz"), code("/readyz")), (503, 503));
    assert_eq!(http::get(server.address(), "/healthz", "").unwrap().body, "failed: eth1: the interface is gone\n");
}

#[test]
fn alerts_and_status_are_json_and_the_page_is_html() {
    let (server, board) = endpoint();
    board.publish(Status::new(&books(100), &school()));
    let lines = alert::sample(AlertKind::SynFlood, Verdict::Attack, "ecole", Timestamp::from_secs(1_617_699_600));
    let closed = lines.last().unwrap();
    board.show_alert(closed, &closed.to_json().unwrap());
    let open = Alert { id: "open".to_owned(), ..lines[0].clone() };
    board.show_alert(&open, &open.to_json().unwrap());
    let json = |path: &str| -> serde_json::Value {
        let answer = http::get(server.address(), path, "").unwrap();
        assert!(answer.head.contains("content-type: application/json\n"), "{}", answer.head);
        serde_json::from_str(&answer.body).unwrap()
    };
    let alerts = json("/api/v1/alerts");
    assert_eq!(alerts.pointer("/open/0/kind").unwrap(), "syn_flood");
    assert_eq!(alerts.pointer("/closed/0/id").unwrap(), &closed.id);
    let status = json("/api/v1/status");
    assert_eq!(status["schema"], "vigie.status/1");
    assert_eq!(status["phase"], "running");
    assert_eq!(status["sites"][0]["name"], "ecole");
    let discarded: u64 = status["discarded"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    let dropped: u64 = status["dropped"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(status["packets"].as_u64().unwrap(), status["processed"].as_u64().unwrap() + discarded + dropped);
    let page = http::get(server.address(), "/", "").unwrap();
    assert!(page.head.contains("content-type: text/html; charset=utf-8\n"), "{}", page.head);
    assert!(page.body.contains("<article id=\"open\"") && page.body.contains("SYN flood"), "{}", page.body);
    assert!(page.head.contains("script-src 'self';") && page.head.contains("default-src 'none';"), "{}", page.head);
    let script = http::get(server.address(), "/live.js", "").unwrap();
    assert!(script.head.contains("content-type: text/javascript; charset=utf-8\n"), "{}", script.head);
}

/// An endpoint that asks for a token or a password.
fn closed_endpoint() -> Server {
    let login = Login { user: "noc".to_owned(), password: Secret::new("open sesame") };
    let settings = Settings { token: Some(Secret::new("s3cret")), login: Some(login), identity: None };
    let board = Arc::new(Board::new(Arc::new(followed()), None));
    board.publish(Status::new(&books(100), &school()));
    serve(SocketAddr::from(([127, 0, 0, 1], 0)), board, &settings).unwrap()
}

#[test]
fn with_a_token_or_password_everything_but_health_is_closed() {
    let server = closed_endpoint();
    let get = |path: &str, header: &str| http::get(server.address(), path, header).unwrap();
    for path in ["/", "/live.js", "/metrics", "/api/v1/alerts", "/api/v1/status", "/nowhere"] {
        let refused = get(path, "");
        assert_eq!(refused.code, 401, "{path}");
        assert!(refused.head.contains("www-authenticate: Basic realm=\"vigie\""), "{}", refused.head);
        assert!(refused.head.contains("www-authenticate: Bearer realm=\"vigie\""), "{}", refused.head);
        assert_eq!(get(path, "Authorization: Bearer wrong\r\n").code, 401, "{path}");
        let admitted = if path == "/nowhere" { 404 } else { 200 };
        assert_eq!(get(path, "Authorization: Bearer s3cret\r\n").code, admitted, "{path}");
        assert_eq!(get(path, "Authorization: Basic bm9jOm9wZW4gc2VzYW1l\r\n").code, admitted, "{path}");
    }
    assert_eq!((get("/healthz", "").code, get("/readyz", "").code), (200, 200));
    let twice = "Authorization: Bearer wrong\r\nAuthorization: Bearer s3cret\r\n";
    assert_eq!(get("/metrics", twice).code, 401, "which of them counts is not for the reader to choose");
}

#[test]
fn it_only_reads_and_only_small_requests() {
    let (server, _board) = endpoint();
    let address = server.address();
    let code = |request: &str| http::send(address, request).unwrap().code;
    assert_eq!(code("POST /metrics HTTP/1.0\r\nContent-Length: 0\r\n\r\n"), 405);
    assert_eq!(code("DELETE /api/v1/alerts HTTP/1.0\r\n\r\n"), 405);
    assert_eq!(code("GET /../etc/passwd HTTP/1.0\r\n\r\n"), 404);
    assert_eq!(code("HEAD /healthz HTTP/1.0\r\n\r\n"), 200);
    assert_eq!(code("GET /api/v1/status HTTP/1.1\r\nHost: rebound.example:9477\r\nConnection: close\r\n\r\n"), 421);
    assert_eq!(code("nonsense\r\n\r\n"), 400);
    let long = format!("GET /healthz HTTP/1.0\r\nX-Long: {}\r\n\r\n", "x".repeat(64 * 1024));
    assert!(http::send(address, &long).map_or(true, |answer| answer.code == 431 || answer.code == 400));
    assert_eq!(http::get(address, "/healthz", "").unwrap().code, 200, "it goes on serving");
}

#[test]
fn a_busy_port_is_one_sentence_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let board = Arc::new(Board::new(Arc::new(Metrics::new()), None));
    let error = serve(address, board, &Settings::default()).unwrap_err();
    assert!(matches!(error, HttpError::Busy(_)), "{error:?}");
    let text = error.to_string();
    assert!(text.starts_with(&address.to_string()) && text.contains("choose another address with --metrics"), "{text}");
}

#[test]
fn connections_are_bounded_and_free_again_when_they_end() {
    let (server, _board) = endpoint();
    let address = server.address();
    let idle: Vec<TcpStream> = (0..200).filter_map(|_| TcpStream::connect(address).ok()).collect();
    assert!(http::get(address, "/healthz", "").is_err(), "all places are taken");
    drop(idle);
    let served = || http::get(address, "/healthz", "").is_ok_and(|answer| answer.code == 200);
    assert!(http::wait_until(Duration::from_secs(10), served), "places are free again");
}

#[test]
fn a_stopped_endpoint_frees_its_port() {
    let (server, _board) = endpoint();
    let address = server.address();
    let _idle = TcpStream::connect(address).unwrap();
    server.stop();
    assert!(http::get(address, "/healthz", "").is_err());
}
