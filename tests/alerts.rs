//! The life of alerts as its readers see it: JSON lines over a scripted life, and laws that hold for any findings.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use vigie::address::Prefix;
use vigie::alert::text::Language;
use vigie::alert::{Alert, Book, Event, Settings};
use vigie::detect::finding::{Caveat, Figure, FigureName, Finding, OriginShare, SourceShare, Target};
use vigie::kind::{AlertKind, Severity, Verdict};
use vigie::packet::Protocol;
use vigie::time::{Tick, Timestamp};

/// 2021-04-06T09:00:00Z.
const START: u64 = 1_617_699_600;

/// The tick so many seconds after the start.
fn tick_at(seconds: u64) -> Tick {
    Timestamp::from_secs(START + seconds).tick()
}

fn flood(ratio: f64) -> Finding {
    Finding {
        kind: AlertKind::SynFlood,
        target: Target {
            prefix: Some("192.0.2.10/32".parse().unwrap()),
            site: Some("ecole".into()),
            port: Some(443),
            protocol: Some(Protocol::TCP),
            members: vec![],
        },
        score: 9.3 * ratio,
        alert_at: 9.3,
        gates_hold: true,
        severity: Severity::Warning,
        verdict: Some(Verdict::Attack),
        confidence: 0.8,
        onset: Timestamp::from_secs(START + 8),
        figures: vec![
            figure(FigureName::UnfinishedShare, 0.92, Some(0.03), Some((0.90, 0.94))),
            figure(FigureName::UnfinishedPerSecond, 4_961.25 * ratio, Some(12.0), None),
            figure(FigureName::AttackShare, 0.91, None, Some((0.90, 0.92))),
        ],
        spoofed: true,
        origins: vec![OriginShare { country: "NL".parse().unwrap(), asn: None, share: 0.4, packets: 120 }],
        sources: vec![SourceShare { address: "198.51.100.7".parse().unwrap(), packets: 9, bytes: 540 }],
        caveats: vec![Caveat::ColdStart, Caveat::Unattributable],
        settings: vec![("ack_deadline_seconds", 0.25), ("window_seconds", 10.0)],
    }
}

fn figure(name: FigureName, observed: f64, expected: Option<f64>, interval: Option<(f64, f64)>) -> Figure {
    Figure { name, observed, expected, interval }
}

#[test]
fn a_scripted_life_is_written_as_the_contract_says() {
    let mut book = Book::new(Settings::default());
    let mut lines = Vec::new();
    for tick in 0..4 * 200_u64 {
        let now = tick_at(0).plus(tick);
        let seconds = tick as f64 / 4.0;
        let finding = match seconds {
            // Opens as a warning, undecided; is confirmed after three seconds; 10 s later there is an update.
            10.0..13.0 => Some(Finding { verdict: None, ..flood(1.2) }),
            13.0..26.0 => Some(Finding { severity: Severity::Critical, confidence: 0.97, ..flood(4.0) }),
            // A pause of 5 s changes nothing; one of 20 s makes the next crossing a second pulse.
            31.0..33.0 => Some(Finding { severity: Severity::Critical, confidence: 0.97, ..flood(2.0) }),
            53.0..60.0 => Some(Finding { severity: Severity::Critical, confidence: 0.97, ..flood(3.0) }),
            _ => None,
        };
        lines.extend(book.observe(now, finding.as_slice()));
    }
    assert!(!book.any_open());
    let text: Vec<_> = lines.iter().map(|line| line.to_json().unwrap()).collect();
    insta::assert_snapshot!(text.join("\n"));
}

#[test]
fn a_verified_surge_names_where_its_sources_are_registered() {
    let mut book = Book::new(Settings::default());
    let surge = Finding {
        kind: AlertKind::ForeignSurge,
        spoofed: false,
        verdict: Some(Verdict::Suspicion),
        figures: vec![
            figure(FigureName::CountryPerSecond, 124.0, Some(3.1), None),
            figure(FigureName::ForeignShare, 0.38, Some(0.05), Some((0.36, 0.40))),
            figure(FigureName::HomeGrowthRatio, 4.1, None, None),
            figure(FigureName::BehaviourNats, 1.2, None, None),
        ],
        caveats: vec![],
        ..flood(1.5)
    };
    let lines = book.observe(tick_at(10), &[surge]);
    insta::assert_snapshot!(serde_json::to_string_pretty(&lines[0]).unwrap());
}

/// The lines of an alert that holds for a second and is over.
fn short_life(finding: Finding) -> Vec<Alert> {
    let mut book = Book::new(Settings::default());
    let mut lines = book.observe(tick_at(10), &[finding]);
    lines.extend(book.finish(tick_at(11).start()));
    lines
}

#[test]
fn every_kind_and_verdict_has_a_sentence_that_an_official_can_read() {
    let (mut sentences, mut french) = (String::new(), String::new());
    for kind in AlertKind::ALL {
        for verdict in Verdict::ALL.iter().filter(|verdict| can_be(*kind, **verdict)) {
            let finding = Finding {
                kind: *kind,
                verdict: Some(*verdict),
                spoofed: *kind == AlertKind::SynFlood,
                figures: vec![
                    figure(FigureName::AttackShare, 0.91, None, None),
                    figure(FigureName::ForeignShare, 0.38, None, None),
                    figure(FigureName::VerifiedPerSecond, 3_400.0, Some(480.0), None),
                    figure(FigureName::UnansweredShare, 0.42, None, None),
                    figure(FigureName::LostShare, 0.07, None, None),
                ],
                ..flood(2.0)
            };
            for line in short_life(finding) {
                assert!(line.why.split_whitespace().count() <= 60, "{}", line.why);
                assert!(line.why.ends_with('.') && !line.why.contains('{'), "{}", line.why);
                let claims = line.why.contains("this is an attack") || line.why.contains("was an attack");
                assert!(!claims || *verdict == Verdict::Attack, "{}", line.why);
                assert_eq!(line.why.contains("consistent with"), *verdict == Verdict::Suspicion, "{}", line.why);
                sentences += &format!("{kind} {verdict} {}: {}\n", line.event, line.why);
                let why = Language::French.why(&line);
                assert!(why.split_whitespace().count() <= 75 && why.ends_with('.') && !why.contains('{'), "{why}");
                assert_eq!(why.contains("compatible avec"), *verdict == Verdict::Suspicion, "{why}");
                french += &format!("{kind} {verdict} {}: {why}\n", line.event);
            }
        }
    }
    insta::assert_snapshot!(sentences);
    insta::assert_snapshot!("the_same_in_french", french);
}

/// Whether detectors can hold a kind to be this: floods are judged, hints stay hints.
fn can_be(kind: AlertKind, verdict: Verdict) -> bool {
    match kind {
        AlertKind::SensorBlind => verdict == Verdict::Health,
        AlertKind::Outage => matches!(verdict, Verdict::Health | Verdict::Attack | Verdict::Overload),
        AlertKind::Overload => verdict != Verdict::Suspicion && verdict != Verdict::Health,
        AlertKind::Rush => matches!(verdict, Verdict::Rush | Verdict::Mixed | Verdict::Overload),
        kind if kind.is_attack() => verdict != Verdict::Health,
        _ => verdict == Verdict::Suspicion,
    }
}

#[test]
fn growth_alone_is_not_said_to_be_unfinished() {
    let figures = vec![figure(FigureName::FirstSynsPerSecond, 5_400.0, Some(610.0), None)];
    let surge = Finding { figures, verdict: None, severity: Severity::Info, spoofed: false, ..flood(1.5) };
    assert_eq!(
        short_life(surge)[0].why,
        "Many more connection requests than usual are reaching ecole, 5,400/s; this is consistent with a rush of users \
         as well as with an attack."
    );
}

#[test]
fn every_figure_and_caveat_becomes_a_sentence() {
    let plausible = |name: FigureName| match name.name() {
        text if text.ends_with("_share") => figure(name, 0.68, Some(0.05), Some((0.66, 0.70))),
        text if text.ends_with("_seconds") => figure(name, 42.5, Some(0.4), None),
        text if text.ends_with("_ratio") => figure(name, 4.1, Some(1.5), None),
        text if text.ends_with("_count") => figure(name, 63_017.0, Some(4_096.0), None),
        text if text.ends_with("_port") => figure(name, 11_211.0, None, None),
        text if text.ends_with("_nats") => figure(name, -5.25, None, None),
        _ => figure(name, 5_412.3, Some(611.0), None),
    };
    let all = Finding {
        spoofed: false,
        figures: FigureName::ALL.iter().map(|name| plausible(*name)).collect(),
        caveats: Caveat::ALL.to_vec(),
        ..flood(2.0)
    };
    let line = &short_life(all)[0];
    let evidence = &line.evidence;
    // The share of known visitors stands in the sentence of the new ones, that of a reflector in the sentence of its port,
    // how even and how long a beacon is in those of its interval and number;
    // the origins have one of their own.
    assert_eq!(evidence.len(), FigureName::ALL.len() - 4 + Caveat::ALL.len() + 1);
    assert!(evidence.iter().all(|sentence| sentence.ends_with('.')));
    insta::assert_snapshot!(evidence.join("\n"));
    let french = Language::French.evidence(line);
    assert_eq!(french.len(), evidence.len(), "every language says the same things");
    assert!(french.iter().zip(evidence).all(|(french, english)| french.ends_with('.') && french != english));
    insta::assert_snapshot!("every_figure_and_caveat_in_french", french.join("\n"));
}

#[test]
fn a_flood_of_connections_over_quic_is_told_as_what_it_is() {
    let opened = |figures| Finding { kind: AlertKind::UdpFlood, figures, ..flood(2.0) };
    let quic = opened(vec![
        figure(FigureName::QuicOpenedPerSecond, 43.0, None, None),
        figure(FigureName::QuicUnfinishedShare, 0.95, Some(0.3), None),
    ]);
    let line = &short_life(quic)[0];
    assert!(line.why.starts_with("Connections over QUIC") && line.why.contains("43/s"), "{}", line.why);
    assert!(Language::French.why(line).starts_with("Des connexions QUIC"));
    let datagrams = opened(vec![figure(FigureName::OneWayPerSecond, 4_300.0, None, None)]);
    assert!(short_life(datagrams)[0].why.starts_with("Datagrams that nobody asked for"));
}

#[test]
fn forged_sources_have_no_country_in_any_sentence() {
    let forged = Finding { figures: vec![figure(FigureName::CountryPerSecond, 124.0, None, None)], ..flood(2.0) };
    let line = &short_life(forged)[0];
    let text = format!("{} {}", line.why, line.evidence.join(" "));
    assert!(line.origins.is_empty() && line.sources.is_empty());
    assert!(!text.contains("NL"), "{text}");
    assert!(text.contains("The sources are forged: the origin cannot be attributed."), "{text}");
}

/// One random finding, or none, for a tick: (subject, ratio, gates, severity, verdict, onset).
fn any_finding() -> impl Strategy<Value = Finding> {
    let kinds = prop::sample::select(vec![AlertKind::SynFlood, AlertKind::ForeignSurge, AlertKind::Rush]);
    let prefixes = prop::sample::select(vec!["192.0.2.10/32", "192.0.2.11/32", "2001:db8::1/128"]);
    let ratios = prop::sample::select(vec![0.0, 0.3, 0.5, 0.9, 1.0, 2.5, 40.0, f64::NAN]);
    let severities = prop::sample::select(Severity::ALL);
    let verdicts = prop::option::of(prop::sample::select(Verdict::ALL));
    (kinds, prefixes, ratios, any::<bool>(), severities, verdicts, 0..400_u64, any::<bool>()).prop_map(
        |(kind, prefix, ratio, gates, severity, verdict, onset, spoofed)| {
            let mut finding = flood(ratio);
            finding.kind = kind;
            finding.target.prefix = Some(prefix.parse().unwrap());
            finding.target.site = prefix.starts_with("192").then(|| "ecole".into());
            finding.gates_hold = gates || ratio > 10.0;
            finding.severity = severity;
            finding.verdict = verdict;
            finding.onset = Timestamp::from_secs(START + onset);
            finding.spoofed = spoofed;
            finding
        },
    )
}

/// A stretch of time: the findings that hold, for how many ticks, and how many ticks are leapt over after it.
type Stretch = (Vec<Finding>, u64, u64);

fn any_stretch() -> impl Strategy<Value = Stretch> {
    let leaps = prop_oneof![9 => Just(0_u64), 1 => prop::sample::select(vec![30, 100, 300, 2_000, 100_000])];
    let lengths = prop::sample::select(vec![1_u64, 2, 39, 40, 41, 60, 245, 500]);
    (prop::collection::vec(any_finding(), 0..4), lengths, leaps)
}

fn play(stretches: &[Stretch]) -> Vec<Alert> {
    let mut book = Book::new(Settings::default());
    let mut tick = tick_at(0);
    let mut lines = Vec::new();
    for (findings, ticks, leap) in stretches {
        for _ in 0..*ticks {
            // Incidents are remembered for twice 300 s, so onsets may reach back 300 s before their opening.
            let earliest = tick.start().minus(Duration::from_secs(300));
            let recent = findings.iter().cloned().map(|f| Finding { onset: f.onset.max(earliest), ..f });
            lines.extend(book.observe(tick, &recent.collect::<Vec<_>>()));
            tick = tick.next();
        }
        tick = tick.plus(*leap);
    }
    lines.extend(book.finish(tick.start()));
    assert!(!book.any_open());
    let closed: Vec<_> = lines.iter().filter(|line| line.event == Event::Close).cloned().collect();
    assert_eq!(book.history(), closed, "history holds the closing lines");
    lines
}

fn check_life(life: &[&Alert]) {
    let (first, last) = (life[0], life[life.len() - 1]);
    assert_eq!(first.event, Event::Open);
    assert_eq!(last.event, Event::Close);
    assert!(life[1..life.len() - 1].iter().all(|line| line.event == Event::Update), "opens and closes once");
    for line in life {
        assert_eq!((&line.incident, line.kind, line.target.prefix), (&first.incident, first.kind, first.target.prefix));
        assert_eq!(
            (line.started_at, line.detected_at, line.pulses),
            (first.started_at, first.detected_at, first.pulses)
        );
        assert!(line.started_at <= line.detected_at && line.detected_at <= line.at, "times are ordered");
        assert_eq!(line.ended_at.is_some(), line.event == Event::Close);
        assert!(line.observed.keys().eq(line.expected.keys()), "the same keys in both");
        assert!(line.observed.iter().all(|(name, value)| line.peak[name] >= *value), "nothing is above its peak");
        assert!(!line.spoofed || line.origins.is_empty() && line.sources.is_empty());
        assert!(line.verdict != Verdict::Rush || line.severity == Severity::Info, "a rush is info");
        assert!(line.why.split_whitespace().count() <= 60, "{}", line.why);
    }
    let ended = last.ended_at.unwrap();
    assert!(last.detected_at <= ended && ended <= last.at);
    for pair in life.windows(2).filter(|pair| pair[1].event == Event::Update) {
        let changed = pair[0].verdict != pair[1].verdict || pair[0].severity != pair[1].severity;
        let apart = pair[1].at.since(pair[0].at);
        assert!(changed || apart >= Duration::from_secs(10), "an update after {apart:?} without a change");
        assert!(apart > Duration::ZERO);
    }
}

/// An attack that opens while another at the same site is loud and above its close level joins its incident, or that of
/// another which had not yet paused for as long as ends an episode; a further pulse stays in the incident that it is a
/// pulse of.
fn check_incidents(lines: &[Alert]) {
    let attack = |line: &Alert| matches!(line.kind, AlertKind::SynFlood | AlertKind::ForeignSurge);
    let begins = |line: &&Alert| line.event == Event::Open && line.pulses == 1;
    let pause = Settings::default().new_pulse_after;
    for opened in lines.iter().filter(begins).filter(|line| attack(line) && line.target.site.is_some()) {
        let others = || {
            lines.iter().filter(|line| line.id != opened.id && attack(line) && line.target.site == opened.target.site)
        };
        let close_of = |line: &Alert| lines.iter().find(|close| close.id == line.id && close.event == Event::Close);
        let is_open = |line: &Alert| close_of(line).is_some_and(|close| close.at > opened.detected_at);
        let above = |line: &&Alert| {
            line.event != Event::Close
                && line.severity > Severity::Info
                && (opened.started_at..opened.detected_at).contains(&line.at)
                && is_open(line)
                && loud_when(lines, &line.id, opened.detected_at)
        };
        let goes_on = |line: &&Alert| {
            let ended = close_of(line).and_then(|close| close.ended_at);
            line.event == Event::Open && is_open(line) && ended.is_some_and(|end| end.plus(pause) >= opened.started_at)
        };
        let joined: BTreeSet<_> = others().filter(above).map(|line| &line.incident).collect();
        let fit: BTreeSet<_> = others().filter(goes_on).map(|line| &line.incident).collect();
        assert!(joined.is_empty() || fit.contains(&opened.incident), "{} joins none of {fit:?}", opened.id);
    }
}

/// Tells whether an alert's last line before a moment was loud.
fn loud_when(lines: &[Alert], id: &str, moment: Timestamp) -> bool {
    let last = lines.iter().rfind(|line| line.id == id && line.at < moment);
    last.is_some_and(|line| line.severity > Severity::Info)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn any_findings_lead_to_well_formed_lives(stretches in prop::collection::vec(any_stretch(), 1..12)) {
        let lines = play(&stretches);
        prop_assert!(lines.windows(2).all(|pair| pair[0].at <= pair[1].at), "lines stand in time order");
        let mut lives: BTreeMap<&str, Vec<&Alert>> = BTreeMap::new();
        for line in &lines {
            lives.entry(&line.id).or_default().push(line);
        }
        for life in lives.values() {
            check_life(life);
        }
        check_incidents(&lines);
        check_subjects_follow(&lines);
        prop_assert_eq!(play(&stretches), lines, "the same findings give the same lines");
    }
}

/// Alerts on one subject never overlap, and their ids differ.
fn check_subjects_follow(lines: &[Alert]) {
    let mut last: BTreeMap<(AlertKind, Option<Prefix>), Timestamp> = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for line in lines {
        let subject = (line.kind, line.target.prefix);
        match line.event {
            Event::Open => {
                assert!(ids.insert(&line.id), "{} opens twice", line.id);
                assert!(
                    last.get(&subject).is_none_or(|end| *end <= line.started_at),
                    "{} overlaps its forerunner",
                    line.id
                );
            }
            Event::Update => {}
            Event::Close => drop(last.insert(subject, line.ended_at.unwrap())),
        }
    }
}
