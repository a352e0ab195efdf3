//! What a run leaves behind, read as people read it: the terminal summary, the JSON object and the page.

mod browser;
mod http;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use vigie::alert::text::Language;
use vigie::alert::{Alert, Book, Settings};
use vigie::capture::Accounting;
use vigie::decode::DropReason;
use vigie::detect::engine::{Armed, Home};
use vigie::detect::finding::{Caveat, Figure, FigureName, Finding, OriginShare, SourceShare, Target};
use vigie::detect::minute::{Estimate, MinuteKind, MinuteVerdict};
use vigie::kind::{AlertKind, Severity, Verdict};
use vigie::packet::Protocol;
use vigie::report::text::Style;
use vigie::report::write::{WriteError, write_whole};
use vigie::report::{OriginTotal, ProtectedSite, RunReport, html, json, text};
use vigie::source::CaptureDrops;
use vigie::time::Timestamp;

/// 2021-04-06T08:50:00Z.
const START: u64 = 1_617_699_000;
const MINUTES: u64 = 70;

fn at(minute: u64) -> Timestamp {
    Timestamp::from_secs(START + minute * 60)
}

fn within(value: f64, half: f64) -> Estimate {
    Estimate { value, low: value - half, high: value + half }
}

/// A morning: calm, a rush that crosses capacity, a small attack that is borne, calm, a massive attack.
fn morning(minute: u64) -> MinuteVerdict {
    let wave = 40.0 * ((minute as f64) / 3.0).sin();
    let (verdict, demand, attack, answered) = match minute {
        0..12 => (MinuteKind::Normal, 420.0 + wave, 0.0, 0.998),
        12..16 => (MinuteKind::RushAbsorbed, 900.0 + 250.0 * (minute as f64 - 12.0), 0.0, 0.99),
        16..26 => (MinuteKind::Overload, 4_100.0 + wave, 0.03, 0.58),
        26..28 => (MinuteKind::Mixed, 3_900.0 + wave, 0.42, 0.34),
        28..32 => (MinuteKind::RushAbsorbed, 2_100.0 + wave, 0.0, 0.97),
        36..39 => (MinuteKind::AttackAbsorbed, 1_200.0 + wave, 0.30, 0.99),
        48..60 => (MinuteKind::Attack, 1_500.0 + wave, 0.78, 0.21),
        60 => (MinuteKind::Undetermined, 1_300.0, 0.02, 0.7),
        _ => (MinuteKind::Normal, 1_100.0 + wave, 0.0, 0.997),
    };
    let all = demand / (1.0 - attack);
    MinuteVerdict {
        start: at(minute),
        site: "ecole".into(),
        verdict,
        first_syns_per_second: all,
        demand_per_second: within(demand, demand * 0.03),
        attack_share: Estimate { value: attack, low: (attack - 0.01_f64).max(0.0), high: attack + 0.01 },
        capacity_per_second: (minute > 1).then_some(if minute < 16 { 1_700.0 } else { 2_400.0 }),
        capacity_limit_per_second: (minute >= 16).then_some(2_640.0),
        exhausted: None,
        verified_per_second: demand * answered,
        answered_share: answered,
        foreign_share: Some(0.04),
        unhealthy: answered < 0.8,
    }
}

fn figure(name: FigureName, observed: f64, expected: Option<f64>, interval: Option<(f64, f64)>) -> Figure {
    Figure { name, observed, expected, interval }
}

fn finding(kind: AlertKind, verdict: Verdict, severity: Severity, onset: Timestamp) -> Finding {
    Finding {
        kind,
        target: Target {
            prefix: Some("192.0.2.10/32".parse().unwrap()),
            site: Some("ecole".into()),
            port: Some(443),
            protocol: Some(Protocol::TCP),
            members: vec![],
        },
        score: 41.0,
        alert_at: 9.3,
        gates_hold: true,
        severity,
        verdict: Some(verdict),
        confidence: 0.94,
        onset,
        figures: vec![],
        spoofed: false,
        origins: vec![],
        sources: vec![],
        caveats: vec![],
        settings: vec![("window_seconds", 10.0)],
    }
}

fn flood(verdict: Verdict, from: u64) -> Finding {
    Finding {
        figures: vec![
            figure(FigureName::UnfinishedShare, 0.92, Some(0.03), Some((0.91, 0.93))),
            figure(FigureName::SilentShare, 0.91, None, Some((0.90, 0.92))),
            figure(FigureName::SilentKnownShare, 0.06, None, None),
            figure(FigureName::AttackShare, 0.78, None, Some((0.77, 0.79))),
            figure(FigureName::HalfOpenCount, 63_017.0, Some(4_096.0), None),
        ],
        spoofed: true,
        caveats: vec![Caveat::ColdStart],
        ..finding(AlertKind::SynFlood, verdict, Severity::Critical, at(from))
    }
}

fn overload() -> Finding {
    Finding {
        figures: vec![
            figure(FigureName::UnansweredShare, 0.42, Some(0.01), Some((0.41, 0.43))),
            figure(FigureName::RetriedShare, 0.84, None, None),
            figure(FigureName::FirstByteSeconds, 2.3, Some(0.12), None),
        ],
        ..finding(AlertKind::Overload, Verdict::Overload, Severity::Warning, at(16))
    }
}

fn rush() -> Finding {
    Finding {
        figures: vec![figure(FigureName::VerifiedPerSecond, 3_400.0, Some(480.0), None)],
        ..finding(AlertKind::Rush, Verdict::Rush, Severity::Info, at(12))
    }
}

fn surge() -> Finding {
    Finding {
        figures: vec![
            figure(FigureName::CountryPerSecond, 310.0, Some(11.0), None),
            figure(FigureName::ForeignShare, 0.31, Some(0.05), Some((0.30, 0.32))),
            figure(FigureName::BehaviourNats, 6.1, None, None),
            figure(FigureName::TopShapeShare, 0.71, Some(0.09), None),
        ],
        origins: vec![
            OriginShare { country: "NL".parse().unwrap(), asn: None, share: 0.22, packets: 61_000 },
            OriginShare { country: "BR".parse().unwrap(), asn: None, share: 0.09, packets: 20_400 },
        ],
        sources: vec![SourceShare { address: "198.51.100.7".parse().unwrap(), packets: 9_120, bytes: 1_234_567 }],
        ..finding(AlertKind::ForeignSurge, Verdict::Attack, Severity::Critical, at(36))
    }
}

/// Lets the real book write the alerts of the morning.
fn alerts() -> Vec<Alert> {
    let mut book = Book::new(Settings::default());
    let mut tick = at(0).tick();
    while tick.start() < at(MINUTES) {
        let minute = tick.start().since(at(0)).as_secs() / 60;
        let mut findings = Vec::new();
        match minute {
            12..16 => findings.push(rush()),
            16..26 => findings.extend([rush(), overload()]),
            26..28 => findings.extend([overload(), flood(Verdict::Mixed, 26)]),
            36..39 => findings.push(surge()),
            48..60 => findings.push(flood(Verdict::Attack, 48)),
            _ => {}
        }
        book.observe(tick, &findings);
        tick = tick.next();
    }
    book.finish(at(MINUTES));
    book.history().to_vec()
}

fn launch_morning() -> RunReport {
    let discarded = BTreeMap::from([(DropReason::NotIp, 1_204), (DropReason::TruncatedIp, 3)]);
    RunReport {
        inputs: vec!["launch-morning.pcap".to_owned()],
        accounting: Accounting {
            packets: 12_345_678,
            processed: 12_344_429,
            discarded,
            dropped: CaptureDrops { kernel: 42, interface: 0 },
            shed: 0,
            bytes: 4_210_987_654,
            late: 7,
            clock_steps: 0,
        },
        flows: 812_345,
        start: Some(at(0)),
        end: Some(at(MINUTES)),
        wall_seconds: 9.8,
        origins: vec![
            OriginTotal { country: "FR".parse().ok(), packets: 6_100_000, bytes: 900_000_000 },
            OriginTotal { country: None, packets: 3_900_000, bytes: 250_000_000 },
            OriginTotal { country: "NL".parse().ok(), packets: 410_000, bytes: 51_000_000 },
            OriginTotal { country: Some(vigie::country::Country::UNKNOWN), packets: 900, bytes: 70_000 },
        ],
        alerts: alerts(),
        alerts_forgotten: 0,
        minutes: (0..MINUTES).map(morning).collect(),
        detectors: vec![
            Armed { detector: "syn_flood", since: Some(at(0)), why_not: None },
            Armed {
                detector: "exfiltration",
                since: None,
                why_not: Some("it needs a day of history, and no state was loaded with --state".to_owned()),
            },
        ],
        home: Home { countries: vec!["FR".parse().unwrap()], how: "decided from verified clients".to_owned() },
        protected: vec![ProtectedSite {
            name: "ecole".into(),
            prefixes: vec!["192.0.2.10/32".parse().unwrap(), "2001:db8::10/128".parse().unwrap()],
            learned: true,
        }],
        geo: "embedded table (registration data of 2026-10-01)".to_owned(),
        settings: vec![("false_alarms_per_week".to_owned(), "1".to_owned()), ("threads".to_owned(), "2".to_owned())],
        faults: vec![],
    }
}

fn nothing() -> RunReport {
    RunReport {
        inputs: vec!["empty.pcap".to_owned()],
        accounting: Accounting::default(),
        flows: 0,
        start: None,
        end: None,
        wall_seconds: 0.0,
        origins: vec![],
        alerts: vec![],
        alerts_forgotten: 0,
        minutes: vec![],
        detectors: vec![],
        home: Home { countries: vec![], how: "fewer than 200 verified clients".to_owned() },
        protected: vec![],
        geo: "embedded table".to_owned(),
        settings: vec![],
        faults: vec!["empty.pcap: at byte 0: the file is empty; everything before it was processed.".to_owned()],
    }
}

/// Replaces what an element or attribute could be made of, as the page must.
const HOSTILE: &str = "\"><script>alert('x')</script>&";

fn hostile() -> RunReport {
    let mut report = launch_morning();
    report.inputs = vec![HOSTILE.to_owned()];
    report.settings = vec![(HOSTILE.to_owned(), HOSTILE.to_owned())];
    report.faults = vec![HOSTILE.to_owned()];
    report.geo = HOSTILE.to_owned();
    report.home.how = HOSTILE.to_owned();
    report.detectors[1].why_not = Some(HOSTILE.to_owned());
    report.protected[0].name = HOSTILE.into();
    for minute in &mut report.minutes {
        minute.site = HOSTILE.into();
    }
    for alert in &mut report.alerts {
        alert.target.site = Some(HOSTILE.into());
        alert.id = HOSTILE.to_owned();
        alert.incident = HOSTILE.to_owned();
        alert.filter = HOSTILE.to_owned();
    }
    report
}

#[test]
fn the_terminal_summary_of_a_launch_morning() {
    let summary = text::summary(&launch_morning(), Style::Plain);
    assert!(!summary.contains('\u{1b}'));
    for line in summary.lines() {
        assert!(line.chars().count() <= 80, "wider than 80 columns: {line}");
    }
    insta::assert_snapshot!(summary);
}

#[test]
fn the_terminal_summary_of_an_empty_file() {
    insta::assert_snapshot!(text::summary(&nothing(), Style::Plain));
}

#[test]
fn colour_changes_nothing_but_colour() {
    let plain = text::summary(&launch_morning(), Style::Plain);
    let coloured = text::summary(&launch_morning(), Style::Coloured);
    assert_ne!(plain, coloured);
    let mut stripped = String::new();
    let mut rest = coloured.as_str();
    while let Some(escape) = rest.find('\u{1b}') {
        stripped.push_str(&rest[..escape]);
        let end = rest[escape..].find('m').unwrap();
        rest = &rest[escape + end + 1..];
    }
    stripped.push_str(rest);
    assert_eq!(plain, stripped);
}

#[test]
fn the_json_summary_has_the_contract_s_keys_and_its_books_balance() {
    let written = json::summary(&launch_morning()).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&written).unwrap();
    let keys: Vec<_> = summary.as_object().unwrap().keys().map(String::as_str).collect();
    let mut contract = vec![
        "schema",
        "packets",
        "processed",
        "discarded",
        "dropped",
        "bytes",
        "flows",
        "start",
        "end",
        "wall_seconds",
        "packets_per_second",
        "origins",
        "alerts",
        "minutes",
        "detectors",
        "settings",
        "faults",
    ];
    contract.sort_unstable();
    let mut sorted = keys.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, contract);
    assert_eq!(summary["schema"], "vigie.summary/1");
    let sum = |key: &str| summary[key].as_object().unwrap().values().map(|v| v.as_u64().unwrap()).sum::<u64>();
    let processed = summary["processed"].as_u64().unwrap();
    assert_eq!(summary["packets"].as_u64().unwrap(), processed + sum("discarded") + sum("dropped"));
    assert!(summary["alerts"].as_array().unwrap().iter().all(|alert| alert["event"] == "close"));
    assert_eq!(summary["minutes"].as_array().unwrap().len(), 70);
    insta::assert_snapshot!(written.lines().take(40).collect::<Vec<_>>().join("\n"));
    insta::assert_snapshot!("minute", serde_json::to_string_pretty(&summary["minutes"][17]).unwrap());
}

#[test]
fn the_json_summary_of_an_empty_file_is_whole() {
    insta::assert_snapshot!(json::summary(&nothing()).unwrap());
}

/// Every `<name` of an element that is opened, and every `</name` that is closed, in order.
fn check_nesting(page: &str) {
    const VOID: [&str; 3] = ["meta", "br", "!doctype"];
    let mut open: Vec<&str> = Vec::new();
    let body = page.split_once("</style>").map_or(page, |(_, rest)| rest);
    for part in body.split('<').skip(1) {
        let tag = part.split('>').next().unwrap();
        let name = tag.split([' ', '/']).find(|name| !name.is_empty()).unwrap();
        if let Some(closed) = tag.strip_prefix('/') {
            match open.pop() {
                Some(opened) => assert_eq!(opened, closed, "closed out of order near {part:.60}"),
                None => assert_eq!(closed, "head", "only head was opened before the style"),
            }
        } else if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name);
        }
    }
    assert_eq!(open, [] as [&str; 0]);
}

#[test]
fn the_page_needs_nothing_else_and_is_well_formed() {
    for report in [launch_morning(), nothing(), hostile()] {
        let page = html::page(&report, Language::English);
        for outside in ["http:", "https:", "//", "<script", "<link", "<img", "<iframe", "@import", "src="] {
            assert!(!page.contains(outside), "the page refers to something outside: {outside}");
        }
        check_nesting(&page.replace("</main></body></html>", "</main></body>"));
    }
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("launch-morning.html");
    write_whole(&kept, &html::page(&launch_morning(), Language::English)).unwrap();
    write_whole(&kept.with_file_name("empty.html"), &html::page(&nothing(), Language::English)).unwrap();
}

#[test]
fn the_page_says_what_an_official_asks() {
    let page = html::page(&launch_morning(), Language::English);
    for sentence in [
        "Both: real users overloaded the service, and it was attacked",
        "<b>12 min (09:38\u{2060}-\u{2060}09:50):</b> An attack harmed the service. Without it",
        "were forged: their origin cannot be attributed to any country.",
        "addresses registered in Brazil (BR), Netherlands (NL)",
        "What the data cannot tell",
        "91 ± 1 % of the handshakes of new visitors were neither finished, retried nor reset; known visitors under the \
         same load: 6 %.",
        "false_alarms_per_week",
    ] {
        assert!(page.contains(sentence), "missing: {sentence}");
    }
}

/// The text of a page without capture filters, up to its last part, which has names of settings.
fn read(page: &str) -> String {
    let body = page.split_once("</style>").map_or(page, |(_, body)| body);
    let body = body.split("<section class=\"capture\"").next().unwrap();
    let parts = body.split('<').filter(|part| !part.starts_with("code>")).filter_map(|part| part.split_once('>'));
    parts.map(|(_, text)| format!("{text} ")).collect()
}

#[test]
fn the_page_in_french_is_french_throughout() {
    let page = html::page(&launch_morning(), Language::French);
    check_nesting(&page.replace("</main></body></html>", "</main></body>"));
    for sentence in [
        "Les deux : de vrais utilisateurs ont surchargé le service, et il a été attaqué",
        "<b>12 min (09:38\u{2060}-\u{2060}09:50):</b> Une attaque a perturbé le service. Sans elle",
        "étaient falsifiés : leur origine ne peut être attribuée à aucun pays.",
        "Ce que les données ne peuvent dire",
        "91 ± 1\u{202f}% des ouvertures de nouveaux visiteurs",
    ] {
        assert!(page.contains(sentence), "missing: {sentence}");
    }
    for report in [launch_morning(), nothing()] {
        // What the table of countries calls itself is its own affair, and so is what the system said.
        let text = read(&html::page(&report, Language::French)).replace(&report.geo, "");
        let text = report.faults.iter().fold(text, |text, fault| text.replace(fault, ""));
        for english in [" the ", " of ", " and ", " was ", " were ", " is ", " no ", " by "] {
            assert!(!text.contains(english), "English:{english}in {text}");
        }
    }
}

#[test]
fn what_an_overloaded_run_did_not_count_is_said() {
    let mut report = launch_morning();
    for (language, sentence) in [
        (Language::English, "10 % of them were not counted: whole conversations"),
        (Language::French, "10\u{202f}% d'entre eux n'ont pas été comptés : des conversations entières"),
    ] {
        report.accounting.shed = 0;
        assert!(!html::page(&report, language).contains(sentence));
        report.accounting.shed = 1_234_568;
        let page = html::page(&report, language).replace("&#39;", "'");
        assert!(page.contains(sentence), "missing: {sentence}");
    }
}

#[test]
fn the_page_is_as_wide_as_its_window_and_prints() {
    let Some(mut browser) = browser::Browser::start() else { return };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    for language in Language::ALL {
        let file = folder.join(format!("launch-morning-{}.html", language.code()));
        write_whole(&file, &html::page(&launch_morning(), *language)).unwrap();
        browser.open(&format!("file://{}", file.display()));
        for (scheme, width) in [("light", 1_280), ("dark", 380)] {
            browser.look(width, scheme);
            let overflow = browser.value("document.documentElement.scrollWidth - innerWidth").as_i64().unwrap();
            assert!(overflow <= 0, "{} is wider than {width} pixels", language.code());
            browser.picture(&file.with_extension(format!("{scheme}.png")));
        }
        let printed = browser.call("Page.printToPDF", serde_json::json!({"printBackground": true}));
        assert!(printed["data"].as_str().unwrap().len() > 20_000, "nothing is printed");
    }
    assert_eq!(browser.complaints, [] as [String; 0]);
}

/// Pictures of real reports, of a calm morning, a rush and a mixed attack, for people to look at.
#[test]
fn reports_of_recordings_are_as_wide_as_their_window_and_print() {
    let Some(mut browser) = browser::Browser::start() else { return };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
    std::fs::create_dir_all(&folder).unwrap();
    for (fixture, language) in [("calm", "en"), ("rush", "fr"), ("launch-morning-small", "en")] {
        let file = folder.join(format!("{fixture}.html"));
        let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/{fixture}.pcap.zst"));
        let status = Command::new(env!("CARGO_BIN_EXE_vigie"))
            .args(["replay", "-q", "--home", "FR", "--lang", language])
            .args(["--protect", "203.0.113.0/24=ecole", "--protect", "2001:db8:113::/48=ecole", "--report"])
            .args([&file, &capture])
            .stdout(Stdio::null())
            .status();
        assert!(status.unwrap().success());
        browser.open(&format!("file://{}", file.display()));
        assert_eq!(browser.value("document.querySelectorAll('svg.map .tile.home').length"), 1, "{fixture}");
        for (scheme, width) in [("light", 1_280), ("dark", 1_280), ("light", 380), ("dark", 380)] {
            browser.look(width, scheme);
            let overflow = browser.value("document.documentElement.scrollWidth - innerWidth").as_i64().unwrap();
            assert!(overflow <= 0, "{fixture} is wider than {width} pixels");
            browser.picture(&folder.join(format!("{fixture}-{scheme}-{width}.png")));
        }
        browser.print(&folder.join(format!("{fixture}.pdf")));
        // On A4 with margins of 16 mm the first page holds the answers and the time line, and words have room.
        browser.on_paper(673);
        let chart_ends = browser.value("document.querySelector('svg.chart').getBoundingClientRect().bottom");
        assert!(chart_ends.as_f64().unwrap() < 1_001.0, "{fixture}: {chart_ends}");
        let words = browser.value("document.querySelector('td.words').getBoundingClientRect().width");
        assert!(words.as_f64().unwrap() > 140.0, "{fixture}: {words}");
        assert!(browser.value("document.documentElement.scrollWidth").as_i64().unwrap() <= 673, "{fixture}");
    }
    assert_eq!(browser.complaints, [] as [String; 0]);
}

#[test]
fn a_capture_without_minutes_or_with_one_can_be_drawn() {
    let mut report = launch_morning();
    report.minutes.truncate(1);
    assert!(html::page(&report, Language::English).contains("<svg class=\"chart\""));
    report.minutes.clear();
    assert!(!html::page(&report, Language::English).contains("<svg class=\"chart\""));
    report.minutes = (0..3_000).map(|n| MinuteVerdict { start: at(n * 3), ..morning(n % 70) }).collect();
    let page = html::page(&report, Language::English);
    assert!(page.len() < 600_000, "{} bytes for a week", page.len());
    assert!(!page.contains("NaN"));
}

#[test]
fn a_report_is_whole_or_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    write_whole(&path, "first").unwrap();
    write_whole(&path, "second").unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "second");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "no temporary file is left behind");
    assert!(matches!(write_whole(folder.path(), "x"), Err(WriteError::Directory { .. })));
    let missing = write_whole(&folder.path().join("no/such/report.html"), "x").unwrap_err();
    assert!(missing.to_string().contains("the report was not written"), "{missing}");
}
