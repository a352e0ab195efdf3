//! Every rule of an alert's life, one a test.

use super::*;
use crate::alert::line::Event;
use crate::detect::finding::{Figure, FigureName, Target};
use crate::kind::Verdict;

fn finding(ratio: f64) -> Finding {
    Finding {
        kind: AlertKind::SynFlood,
        target: Target {
            prefix: Some("192.0.2.10/32".parse().unwrap()),
            site: Some("ecole".into()),
            port: None,
            protocol: None,
            members: vec![],
        },
        score: 10.0 * ratio,
        alert_at: 10.0,
        gates_hold: true,
        severity: Severity::Warning,
        verdict: Some(Verdict::Attack),
        confidence: 0.9,
        onset: Timestamp::from_secs(1_000),
        figures: vec![Figure {
            name: FigureName::UnfinishedPerSecond,
            observed: 100.0 * ratio,
            expected: None,
            interval: None,
        }],
        spoofed: true,
        origins: vec![],
        sources: vec![],
        caveats: vec![],
        settings: vec![],
    }
}

fn to(prefix: &str, ratio: f64) -> Finding {
    let mut finding = finding(ratio);
    finding.target.prefix = Some(prefix.parse().unwrap());
    finding
}

/// A book and the tick it has come to.
struct Run {
    book: Book,
    tick: Tick,
}

impl Run {
    fn new() -> Self {
        Self { book: Book::new(Settings::default()), tick: Timestamp::from_secs(1_000).tick() }
    }

    /// Lets findings hold for so many ticks and returns the lines.
    fn hold(&mut self, ticks: u64, findings: &[Finding]) -> Vec<Alert> {
        let mut lines = Vec::new();
        for _ in 0..ticks {
            lines.extend(self.book.observe(self.tick, findings));
            self.tick = self.tick.next();
        }
        lines
    }
}

fn events(lines: &[Alert]) -> Vec<Event> {
    lines.iter().map(|line| line.event).collect()
}

#[test]
fn opens_at_the_line_with_its_gates_and_not_before() {
    let mut run = Run::new();
    assert!(run.hold(10, &[finding(0.99)]).is_empty());
    assert!(run.hold(10, &[Finding { gates_hold: false, ..finding(5.0) }]).is_empty());
    let lines = run.hold(1, &[finding(1.0)]);
    assert_eq!(events(&lines), [Event::Open]);
    assert_eq!(lines[0].started_at, Timestamp::from_secs(1_000));
    assert_eq!(lines[0].at, Timestamp::from_secs(1_005).plus(Duration::from_millis(250)));
}

#[test]
fn updates_come_every_ten_seconds() {
    let mut run = Run::new();
    let lines = run.hold(121, &[finding(2.0)]);
    assert_eq!(events(&lines), [Event::Open, Event::Update, Event::Update, Event::Update]);
    assert!(lines.windows(2).all(|pair| pair[1].at.since(pair[0].at) == Duration::from_secs(10)));
}

#[test]
fn a_change_of_verdict_or_a_rise_in_severity_is_written_at_once() {
    let mut run = Run::new();
    run.hold(4, &[finding(2.0)]);
    let lines = run.hold(1, &[Finding { severity: Severity::Critical, ..finding(2.0) }]);
    assert_eq!((lines.len(), lines[0].severity), (1, Severity::Critical));
    let lines = run.hold(1, &[Finding { severity: Severity::Critical, verdict: Some(Verdict::Mixed), ..finding(2.0) }]);
    assert_eq!((lines.len(), lines[0].verdict), (1, Verdict::Mixed));
    let lines = run.hold(1, &[Finding { severity: Severity::Info, ..finding(2.0) }]);
    assert_eq!((lines.len(), lines[0].severity), (1, Severity::Info), "what is told anew need not wait");
}

#[test]
fn severity_falls_when_it_has_stayed_lower_for_ten_seconds() {
    let mut run = Run::new();
    let (loud, less) = (Finding { severity: Severity::Critical, ..finding(2.0) }, finding(2.0));
    run.hold(1, std::slice::from_ref(&loud));
    for _ in 0..100 {
        let lines = [run.hold(3, std::slice::from_ref(&less)), run.hold(1, std::slice::from_ref(&loud))].concat();
        assert!(lines.iter().all(|line| line.severity == Severity::Critical), "a rate about its line");
    }
    let lines = run.hold(41, &[less]);
    assert_eq!(lines.last().map(|line| line.severity), Some(Severity::Warning));
}

#[test]
fn stays_open_down_to_half_the_line() {
    let mut run = Run::new();
    run.hold(1, &[finding(2.0)]);
    run.hold(4 * 300, &[finding(0.5)]);
    assert!(run.book.any_open());
    let lines = run.hold(240, &[finding(0.49)]);
    assert_eq!(events(&lines), [Event::Close]);
    assert_eq!(
        lines[0].ended_at.unwrap(),
        lines[0].at.minus(Duration::from_secs(60)),
        "the end is the last tick above"
    );
}

#[test]
fn gates_that_fail_and_findings_that_are_absent_count_as_below() {
    for below in [vec![], vec![Finding { gates_hold: false, ..finding(9.0) }]] {
        let mut run = Run::new();
        run.hold(1, &[finding(2.0)]);
        assert!(run.hold(239, &below).is_empty());
        assert_eq!(events(&run.hold(1, &below)), [Event::Close]);
        assert!(!run.book.any_open());
    }
}

#[test]
fn a_pause_under_ten_seconds_is_no_pause() {
    let mut run = Run::new();
    run.hold(1, &[finding(2.0)]);
    run.hold(39, &[]);
    assert!(run.hold(1, &[finding(2.0)]).iter().all(|line| line.event == Event::Update));
    run.hold(40, &[]);
    assert_eq!(events(&run.hold(1, &[finding(2.0)])), [Event::Close, Event::Open]);
}

#[test]
fn each_pulse_has_its_own_id_in_one_incident_and_the_third_is_held_longer() {
    let mut run = Run::new();
    let mut lines = Vec::new();
    for _ in 0..3 {
        lines.extend(run.hold(8, &[finding(2.0)]));
        lines.extend(run.hold(60, &[]));
    }
    lines.extend(run.hold(480 - 60 - 1, &[]));
    let opened: Vec<_> = lines.iter().filter(|line| line.event == Event::Open).collect();
    assert_eq!(opened.iter().map(|line| line.pulses).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(opened.iter().all(|line| line.incident == opened[0].incident));
    assert_ne!(opened[0].id, opened[1].id);
    assert!(run.book.any_open(), "119.75 s after the third pulse");
    assert_eq!(events(&run.hold(1, &[])), [Event::Close]);
}

#[test]
fn what_simmers_before_a_pulse_belongs_to_the_pulse_from_its_onset_on() {
    let mut run = Run::new();
    run.hold(4, &[finding(2.0)]);
    run.hold(60, &[]);
    let rise = run.tick.start();
    run.hold(3, &[finding(0.7)]);
    let lines = run.hold(1, &[Finding { onset: rise, ..finding(1.1) }]);
    assert_eq!(events(&lines), [Event::Close, Event::Open]);
    assert_eq!(lines[0].ended_at, Some(rise));
    assert_eq!(lines[1].started_at, rise);
}

#[test]
fn a_pulse_never_starts_before_its_forerunner_ended() {
    let mut run = Run::new();
    run.hold(4, &[finding(2.0)]);
    let closed = run.hold(300, &[]);
    // The detector still names the first onset.
    let lines = run.hold(1, &[finding(2.0)]);
    assert_eq!(lines[0].pulses, 2);
    assert_eq!(Some(lines[0].started_at), closed[0].ended_at);
}

#[test]
fn an_incident_lives_for_five_minutes_after_its_last_alert() {
    for (seconds, same) in [(299, true), (301, false)] {
        let mut run = Run::new();
        let first = run.hold(1, &[finding(2.0)]);
        run.hold(4 * seconds, &[]);
        let onset = run.tick.start();
        let second = run.hold(1, &[Finding { onset, ..finding(2.0) }]);
        assert_eq!(first[0].incident == second[0].incident, same, "after {seconds} s");
        assert_eq!(second[0].pulses, if same { 2 } else { 1 });
    }
}

#[test]
fn one_site_has_one_incident_and_without_a_site_each_prefix_its_own() {
    let mut run = Run::new();
    let rush = Finding { kind: AlertKind::Rush, ..to("192.0.2.0/24", 2.0) };
    let mut lines = run.hold(1, &[finding(2.0), rush]);
    let nowhere = |prefix| {
        let mut finding = to(prefix, 2.0);
        finding.target.site = None;
        finding
    };
    lines.extend(run.hold(1, &[finding(2.0), nowhere("203.0.113.1"), nowhere("203.0.113.2")]));
    let incidents: Vec<_> = lines.iter().map(|line| line.incident.as_str()).collect();
    assert_eq!(incidents[0], incidents[1]);
    assert_ne!(incidents[2], incidents[0]);
    assert_ne!(incidents[2], incidents[3]);
}

fn of(kind: AlertKind, ratio: f64) -> Finding {
    let severity = if kind == AlertKind::Rush { Severity::Info } else { Severity::Warning };
    Finding { kind, severity, ..finding(ratio) }
}

#[test]
fn attacks_inside_a_long_rush_are_incidents_of_their_own() {
    let mut run = Run::new();
    let rush = of(AlertKind::Rush, 2.0);
    let mut lines = run.hold(400, std::slice::from_ref(&rush));
    for kind in [AlertKind::SynFlood, AlertKind::Amplification, AlertKind::SynFlood] {
        let onset = run.tick.start();
        lines.extend(run.hold(240, &[rush.clone(), Finding { onset, ..of(kind, 2.0) }]));
        lines.extend(run.hold(4 * 310, std::slice::from_ref(&rush)));
    }
    let opened: Vec<_> = lines.iter().filter(|line| line.event == Event::Open).collect();
    let incidents: std::collections::BTreeSet<_> = opened.iter().map(|line| &line.incident).collect();
    assert_eq!((opened.len(), incidents.len()), (4, 4));
}

#[test]
fn vectors_of_one_attack_share_its_incident_and_so_does_what_it_brings_about() {
    let mut run = Run::new();
    let onset = run.tick.start();
    let at = |kind| Finding { onset, ..of(kind, 2.0) };
    let mut lines = run.hold(400, &[at(AlertKind::SynFlood)]);
    lines.extend(run.hold(40, &[at(AlertKind::SynFlood), at(AlertKind::UdpFlood), at(AlertKind::Overload)]));
    let opened: Vec<_> = lines.iter().filter(|line| line.event == Event::Open).collect();
    assert_eq!(opened.len(), 3);
    assert!(opened.iter().all(|line| line.incident == opened[0].incident));
}

#[test]
fn an_attack_that_follows_another_of_a_different_kind_is_another_incident() {
    let mut run = Run::new();
    let mut lines = run.hold(40, &[finding(2.0)]);
    run.hold(80, &[]);
    let onset = run.tick.start();
    lines.extend(run.hold(1, &[Finding { onset, ..of(AlertKind::UdpFlood, 2.0) }]));
    let opened: Vec<_> = lines.iter().filter(|line| line.event == Event::Open).collect();
    assert_ne!(opened[0].incident, opened[1].incident);
}

#[test]
fn hosts_are_folded_into_the_prefix_that_speaks_for_them() {
    let mut run = Run::new();
    run.hold(8, &[to("192.0.2.10", 2.0), to("192.0.2.11", 2.0)]);
    let mut parent = to("192.0.2.0/24", 2.0);
    parent.target.members = vec!["192.0.2.10/32".parse().unwrap(), "192.0.2.11/32".parse().unwrap()];
    let lines = run.hold(1, &[parent]);
    assert_eq!(lines.iter().filter(|line| line.event == Event::Close).count(), 2);
    let opened = lines.iter().find(|line| line.event == Event::Open).unwrap();
    assert_eq!(opened.target.members.len(), 2);
    assert!(lines.iter().all(|line| line.incident == opened.incident));
}

#[test]
fn an_undecided_verdict_keeps_the_last_one_at_half_confidence() {
    let mut run = Run::new();
    let lines = run.hold(1, &[Finding { verdict: None, ..finding(2.0) }]);
    assert_eq!(lines[0].verdict, Verdict::Suspicion, "nothing is an attack before it is decided");
    run.hold(1, &[finding(2.0)]);
    let lines = run.hold(41, &[Finding { verdict: None, ..finding(2.0) }]);
    assert_eq!((lines[0].verdict, lines[0].confidence.get()), (Verdict::Attack, 0.5));
}

#[test]
fn a_rush_is_never_loud() {
    let mut run = Run::new();
    let loud = Finding { severity: Severity::Critical, verdict: Some(Verdict::Rush), ..finding(2.0) };
    let lines = run.hold(1, &[loud.clone(), Finding { kind: AlertKind::Rush, verdict: Some(Verdict::Mixed), ..loud }]);
    assert!(lines.iter().all(|line| line.severity == Severity::Info), "{lines:?}");
}

#[test]
fn the_closing_line_shows_the_height_and_every_line_the_peak() {
    let mut run = Run::new();
    run.hold(4, &[finding(2.0)]);
    run.hold(4, &[finding(9.0)]);
    run.hold(40, &[finding(0.6)]);
    let lines = run.hold(240, &[]);
    let close = lines.last().unwrap();
    assert_eq!(close.observed[&FigureName::UnfinishedPerSecond].get(), 900.0);
    assert_eq!(close.score.get(), 90.0);
    let update = run.hold(1, &[finding(3.0)]);
    assert_eq!(update[0].peak[&FigureName::UnfinishedPerSecond].get(), 300.0, "a new alert has its own peak");
}

#[test]
fn of_two_findings_about_one_subject_the_stronger_counts() {
    let mut run = Run::new();
    let lines = run.hold(1, &[finding(1.5), finding(4.0), finding(2.0)]);
    assert_eq!((lines.len(), lines[0].score.get()), (1, 40.0));
}

#[test]
fn lines_of_a_tick_stand_by_kind_and_prefix_whatever_the_order_of_findings() {
    let surge = Finding { kind: AlertKind::ForeignSurge, ..to("192.0.2.9", 2.0) };
    let findings = [surge, to("192.0.2.12", 2.0), to("192.0.2.11", 2.0)];
    let mut reversed = findings.clone();
    reversed.reverse();
    let lines = Run::new().hold(1, &findings);
    assert_eq!(lines, Run::new().hold(1, &reversed));
    let subjects: Vec<_> = lines.iter().map(|line| (line.kind, line.target.prefix)).collect();
    assert!(subjects.is_sorted());
}

#[test]
fn a_storm_is_bounded_and_leaves_room_for_the_loud() {
    let settings = Settings { most_open: 8, ..Settings::default() };
    let mut book = Book::new(settings);
    let host = |n: u8, severity| {
        let mut finding = Finding { severity, ..finding(2.0) };
        finding.target.prefix = Some(crate::address::Address::v4([192, 0, 2, n]).host_prefix());
        finding
    };
    let quiet: Vec<_> = (0..20).map(|n| host(n, Severity::Info)).collect();
    assert_eq!(book.observe(Tick::new(4_000), &quiet).len(), 6);
    assert_eq!(book.refused(), 14);
    let loud: Vec<_> = (100..120).map(|n| host(n, Severity::Critical)).collect();
    assert_eq!(book.observe(Tick::new(4_001), &loud).len(), 2);
    assert_eq!(book.refused(), 14 + 18);
    assert_eq!(book.firing(AlertKind::SynFlood, Severity::Info), 6);
    assert_eq!(book.firing(AlertKind::SynFlood, Severity::Critical), 2);
}

#[test]
fn history_is_bounded_and_forgets_the_least_severe_first() {
    let mut book = Book::new(Settings { most_remembered: 20, ..Settings::default() });
    for n in 0..60_u64 {
        let severity = if n == 3 { Severity::Critical } else { Severity::Info };
        let tick = Tick::new(4_000 + n * 1_000);
        book.observe(tick, &[Finding { severity, ..finding(2.0) }]);
        book.observe(tick.plus(600), &[]);
    }
    assert!(book.history().len() <= 20);
    assert_eq!(book.history().len() as u64 + book.forgotten(), 60);
    assert!(book.history().iter().any(|line| line.severity == Severity::Critical));
    assert!(book.history().is_sorted_by_key(|line| line.at));
}

#[test]
fn a_leap_in_time_closes_what_it_leaves_behind() {
    let mut run = Run::new();
    run.hold(4, &[finding(2.0)]);
    run.tick = run.tick.plus(1_000_000);
    assert_eq!(events(&run.hold(1, &[])), [Event::Close]);
}

#[test]
fn the_end_of_the_run_closes_everything_and_time_never_runs_back() {
    let mut run = Run::new();
    let opened = run.hold(4, &[finding(2.0), to("192.0.2.11", 2.0)]);
    let lines = run.book.finish(Timestamp::from_secs(1_000));
    assert_eq!(events(&lines), [Event::Close, Event::Close]);
    assert!(lines[0].at >= opened[0].at, "the last packet lies within its tick");
    assert!(!run.book.any_open());
    assert!(run.book.finish(Timestamp::from_secs(2_000)).is_empty());
}

#[test]
fn figures_that_are_no_numbers_are_left_out() {
    let mut run = Run::new();
    let mut odd = finding(2.0);
    odd.figures.push(Figure { name: FigureName::AttackShare, observed: f64::NAN, expected: None, interval: None });
    odd.settings.push(("broken", f64::INFINITY));
    let lines = run.hold(1, &[odd, Finding { score: f64::NAN, ..to("192.0.2.11", 1.0) }]);
    assert_eq!(lines.len(), 1, "a score that is no number does not fire");
    assert!(!lines[0].observed.contains_key(&FigureName::AttackShare));
    assert!(!lines[0].settings.contains_key("broken"));
    assert!(!lines[0].to_json().unwrap().contains("NaN"));
}

#[test]
fn a_crowd_beside_an_attack_is_not_said_to_be_none() {
    let rush = |verdict| Finding { kind: AlertKind::Rush, verdict: Some(verdict), spoofed: false, ..finding(2.0) };
    let overload = Finding { kind: AlertKind::Overload, ..rush(Verdict::Overload) };
    let mut alone = Run::new();
    let lines = alone.hold(1, &[rush(Verdict::Rush), overload.clone()]);
    assert!(lines[0].why.ends_with("and this is no attack."), "{}", lines[0].why);
    let mut run = Run::new();
    run.hold(8, &[rush(Verdict::Rush), overload.clone()]);
    run.hold(40, &[rush(Verdict::Rush), overload.clone(), to("192.0.2.77/32", 5.0)]);
    // The attack is long over when the crowd's line closes.
    let mut lines = run.hold(400, &[rush(Verdict::Rush), overload]);
    lines.extend(run.book.finish(run.tick.end()));
    let of = |kind| lines.iter().rfind(|line| line.kind == kind && line.event == Event::Close).unwrap();
    let [rush, overload] = [AlertKind::Rush, AlertKind::Overload].map(|kind| &of(kind).why);
    assert!(rush.ends_with("behaved like people, and an attack at the same time had an alert of its own."), "{rush}");
    assert!(overload.ends_with("due to the attack at the same time is not known."), "{overload}");
}
