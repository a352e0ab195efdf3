//! The live page, driven in a real browser: it follows what happens, keeps what its reader does, and needs nothing else.

mod browser;
mod http;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use browser::Browser;
use serde_json::json;
use vigie::alert::{self, Alert, Event};
use vigie::capture::{Accounting, CaptureTick};
use vigie::detect::engine::Home;
use vigie::detect::minute::{Estimate, MinuteKind, MinuteVerdict};
use vigie::detect::usual::SiteUsual;
use vigie::export::board::{Board, Status};
use vigie::export::http::{Server, Settings, serve};
use vigie::kind::{AlertKind, Verdict};
use vigie::metrics::Metrics;
use vigie::policy::{Policy, Site};
use vigie::summary::{CohortTick, HostTick, OriginTick, Summary, Volume};
use vigie::time::{Tick, Timestamp};

/// 2021-04-06T09:00:00Z.
const START: u64 = 1_617_699_600;

/// A second of a site: requests a tick, how many of them are answered, and how many are finished.
#[derive(Clone, Copy)]
struct Traffic {
    asked: u32,
    answered: u32,
    finished: u32,
}

const CALM: Traffic = Traffic { asked: 100, answered: 100, finished: 99 };
const CROWD: Traffic = Traffic { asked: 700, answered: 420, finished: 415 };
const FLOOD: Traffic = Traffic { asked: 1_400, answered: 1_300, finished: 130 };

/// A run that happens as a test wants it.
struct Morning {
    server: Server,
    board: Arc<Board>,
    policy: Policy,
    tick: Tick,
}

impl Morning {
    fn new() -> Self {
        let board = Arc::new(Board::new(Arc::new(Metrics::new()), None));
        let server = serve(SocketAddr::from(([127, 0, 0, 1], 0)), Arc::clone(&board), &Settings::default()).unwrap();
        let site = Site { name: "ecole".into(), prefixes: vec!["192.0.2.0/24".parse().unwrap()] };
        Self { server, board, policy: Policy::new(vec![site], false), tick: Timestamp::from_secs(START).tick() }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address())
    }

    fn now(&self) -> Timestamp {
        self.tick.start()
    }

    /// Lets so many seconds pass.
    fn pass(&mut self, seconds: u64, traffic: Traffic) {
        for _ in 0..seconds * 4 {
            let summary = summary(self.tick, traffic);
            let capture = CaptureTick { tick: self.tick, frames: 5_000, ..CaptureTick::default() };
            let usual = SiteUsual { site: "ecole".into(), first_syns: Some((400.0, 900.0)), one_sided: false };
            self.board.with_hour(|hour| hour.observe(&self.policy, &summary, &capture, &[], &[usual]));
            self.tick = self.tick.next();
        }
        let status = Status::new(&Accounting::default(), &self.policy);
        let home = Home { countries: vec!["FR".parse().unwrap()], how: "configured".to_owned() };
        let (packet_time, lag_seconds) = (Some(self.now()), Some(0.3));
        self.board.publish(Status { packet_time, lag_seconds, home: Some(home), ..status });
    }

    /// Ends a minute with a verdict.
    fn judge(&mut self, verdict: MinuteKind, attack: f64) {
        let exactly = |value| Estimate { value, low: value, high: value };
        let minute = MinuteVerdict {
            start: Timestamp::from_secs(self.now().as_nanos() / 1_000_000_000 - 60),
            site: "ecole".into(),
            verdict,
            first_syns_per_second: 5_600.0,
            demand_per_second: exactly(5_600.0 * (1.0 - attack)),
            attack_share: exactly(attack),
            capacity_per_second: Some(1_700.0),
            capacity_limit_per_second: None,
            exhausted: None,
            verified_per_second: 500.0,
            answered_share: 0.9,
            foreign_share: Some(0.1),
            unhealthy: true,
        };
        let (summary, capture) = (Summary { tick: self.tick, ..Summary::default() }, CaptureTick::default());
        self.board.with_hour(|hour| hour.observe(&self.policy, &summary, &capture, &[minute], &[]));
    }

    /// Opens an alert, or writes it again.
    fn alert(&self, kind: AlertKind, verdict: Verdict) -> Alert {
        let alert = alert::sample(kind, verdict, "ecole", self.now()).remove(0);
        self.board.show_alert(&alert, &alert.to_json().unwrap());
        alert
    }

    fn close(&self, alert: &Alert) {
        let over = Alert { event: Event::Close, ended_at: Some(self.now()), at: self.now(), ..alert.clone() };
        self.board.show_alert(&over, &over.to_json().unwrap());
    }
}

fn summary(tick: Tick, traffic: Traffic) -> Summary {
    let mut cohort = CohortTick { opened: traffic.asked, ..CohortTick::default() };
    cohort.answered[0] = traffic.answered;
    cohort.finished[0] = traffic.finished;
    let part = |share: u32| traffic.finished * share / 100;
    let country = |code: &str, share| (code.parse().unwrap(), part(share));
    let host = HostTick {
        address: "192.0.2.10".parse().unwrap(),
        cohort,
        verified_from: vec![country("BE", 6), country("DE", 3), country("FR", 90)],
        ..HostTick::default()
    };
    let inbound = |packets: u32| Volume { packets: u64::from(packets), bytes: u64::from(packets) * 60 };
    let site = vigie::policy::SiteId(0);
    let origins = vec![
        OriginTick { site, country: None, inbound: inbound(traffic.asked - traffic.finished) },
        OriginTick { site, country: "FR".parse().ok(), inbound: inbound(traffic.finished * 8) },
    ];
    Summary { tick, hosts: vec![host], origins, ..Summary::default() }
}

fn pictures() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Takes the pictures that people should look at, and holds what a machine can see against what must be.
fn look(browser: &mut Browser, moment: &str) {
    for scheme in ["light", "dark"] {
        for width in [1_280, 380, 1_920] {
            browser.look(width, scheme);
            let overflow = "document.documentElement.scrollWidth - innerWidth";
            assert!(browser.value(overflow).as_i64().unwrap() <= 0, "{moment}: wider than {width} pixels");
            browser.picture(&pictures().join(format!("{moment}-{scheme}-{width}.png")));
        }
    }
    let ground = "getComputedStyle(document.body).backgroundColor";
    let dark = browser.value(ground);
    browser.look(1_280, "light");
    assert_ne!(browser.value(ground), dark, "{moment}: dark is not dark");
}

#[test]
fn the_page_follows_the_morning_and_keeps_what_its_reader_does() {
    let Some(mut browser) = Browser::start() else { return };
    let mut morning = Morning::new();
    morning.pass(300, CALM);
    morning.judge(MinuteKind::Normal, 0.0);
    browser.open(&morning.url("/"));
    assert_eq!(browser.value("document.querySelector('h1').textContent"), "ecole: ordinary");
    let tiles = "[...document.querySelectorAll('#visitors .tile text')].map(text => text.textContent).sort()";
    assert_eq!(browser.value(tiles), json!(["BE", "DE", "FR"]));
    let home = "document.querySelector('#visitors .tile.home title').textContent";
    assert_eq!(browser.value(home), "France (FR), home 93 %");
    assert_eq!(
        browser.value(&format!("({tiles}).length")),
        browser.value(ROWS_OF_COUNTRIES),
        "the table says the same"
    );
    look(&mut browser, "calm");

    browser.value("window.mark = 1");
    morning.pass(40, CROWD);
    let rush = morning.alert(AlertKind::Rush, Verdict::Rush);
    let title = |text: &str| format!("document.querySelector('h1').textContent === '{text}'");
    assert!(browser.wait_for(&title("ecole: rush of users")), "the page does not follow");
    browser.value("document.querySelector('#open details').open = true");
    browser.value("document.querySelector('#open details summary').focus()");
    look(&mut browser, "rush");

    morning.pass(40, FLOOD);
    let flood = morning.alert(AlertKind::SynFlood, Verdict::Mixed);
    assert!(browser.wait_for(&title("ecole: attack and overload")), "the page does not follow");
    morning.judge(MinuteKind::Mixed, 0.8);
    assert!(browser.wait_for("document.querySelector('#lines .m-mixed') !== null"));
    assert_eq!(browser.value("document.title"), "ecole: attack and overload - Vigie");
    assert_eq!(browser.value("window.mark"), 1, "it was never loaded anew");
    let open = format!("document.getElementById('more-{}').open", rush.id);
    assert_eq!(browser.value(&open), true, "what was opened stays open");
    assert_eq!(browser.value("document.activeElement.tagName"), "SUMMARY", "and focused");
    look(&mut browser, "mixed");

    // Paused by keyboard, it stands still; then it goes on.
    browser.value("document.getElementById('pause').focus()");
    browser.press("Enter", 13);
    assert_eq!(browser.value("document.getElementById('pause').getAttribute('aria-pressed')"), "true");
    morning.close(&flood);
    morning.close(&rush);
    let state = browser.value("document.getElementById('state').textContent");
    morning.pass(3, CALM);
    assert!(!browser.wait_for_a_moment("document.querySelector('#open article') === null"));
    assert_eq!(browser.value("document.getElementById('state').textContent"), state);
    browser.press("Enter", 13);
    assert!(browser.wait_for("document.querySelector('#open article') === null"));

    // Only what this program serves was asked for, and nothing was refused.
    let asked =
        "[...new Set(performance.getEntriesByType('resource').map(entry => new URL(entry.name).pathname))].sort()";
    assert_eq!(browser.value(asked), json!(["/", "/live.js"]));
    assert_eq!(browser.complaints, [] as [String; 0]);

    drop(morning);
    assert!(browser.wait_for("!document.getElementById('stale').hidden"), "a dead endpoint is said");
}

/// Countries in the table below the map.
const ROWS_OF_COUNTRIES: &str = "document.querySelectorAll('#visitors table tbody tr').length";

#[test]
fn the_interface_is_described_on_a_page_that_the_live_page_leads_to() {
    let Some(mut browser) = Browser::start() else { return };
    let morning = Morning::new();
    browser.open(&morning.url("/"));
    browser.value("document.querySelector('a[href=\"/api\"]').click()");
    assert!(browser.wait_for("location.pathname === '/api' && document.readyState === 'complete'"));
    look(&mut browser, "api");
    assert_eq!(browser.value("document.querySelector('h1').textContent"), "The HTTP interface");
    // Every reference leads to its fields, without a script.
    let lost = "[...document.querySelectorAll('a[href^=\"#\"]')].filter(a => !document.querySelector(a.hash)).length";
    assert_eq!(browser.value(lost), 0);
    assert_eq!(browser.value("document.scripts.length"), 0);
    assert_eq!(browser.complaints, [] as [String; 0]);
}

#[test]
fn a_screen_reader_finds_names_for_everything() {
    let Some(mut browser) = Browser::start() else { return };
    let mut morning = Morning::new();
    morning.pass(120, FLOOD);
    morning.judge(MinuteKind::Attack, 0.8);
    morning.alert(AlertKind::SynFlood, Verdict::Attack);
    browser.open(&morning.url("/?lang=fr&minutes=5"));
    let tree = browser.call("Accessibility.getFullAXTree", json!({}));
    let nodes = tree["nodes"].as_array().unwrap();
    let with = |role: &str| -> Vec<String> {
        let named = nodes.iter().filter(|node| node["role"]["value"] == role && node["ignored"] != true);
        named.map(|node| node["name"]["value"].as_str().unwrap_or_default().to_owned()).collect()
    };
    for role in ["image", "button", "link", "heading", "region", "columnheader"] {
        let names = with(role);
        assert!(!names.is_empty(), "no {role}");
        // The head over bars is empty: the bars repeat the share beside them.
        let nameless = names.iter().filter(|name| name.is_empty()).count();
        assert!(nameless <= usize::from(role == "columnheader"), "{role}: {names:?}");
    }
    let titles = with("heading");
    assert!(titles.iter().any(|title| title.to_lowercase() == "ecole : attaque"), "{titles:?}");
    assert!(with("image").iter().any(|name| name.contains("inachevées")), "{:?}", with("image"));
    assert!(with("image").iter().any(|name| name == "ecole : visiteurs par pays"), "{:?}", with("image"));
    assert_eq!(with("status").len(), 1);
    assert_eq!(browser.value("document.documentElement.lang"), "fr");
    // The first thing a keyboard reaches leads past the controls.
    browser.press("Tab", 9);
    assert_eq!(browser.value("document.activeElement.getAttribute('href')"), "#verdicts");
}

#[test]
fn without_scripts_the_page_is_whole_and_reloads_itself() {
    let mut morning = Morning::new();
    morning.pass(30, CALM);
    morning.judge(MinuteKind::Normal, 0.0);
    let answer = http::get(morning.server.address(), "/?minutes=60", "").unwrap();
    let page = answer.body;
    assert!(page.contains("<noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript>"));
    for text in
        ["ecole: ordinary", "usually 400/s, at most 900/s", "FR", "The sensor sees what it should.", "192.0.2.0/24"]
    {
        assert!(page.contains(text), "missing: {text}");
    }
    for outside in ["http:", "https:", "src=\"//", "<link", "<img", "@import", "url(http"] {
        assert!(!page.contains(outside), "the page refers to something outside: {outside}");
    }
}
