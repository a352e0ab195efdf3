//! The sentences of CONTRACT 4, one test each.

use super::*;
use crate::scenario::truth::SCHEMA;

const HOST: &str = "192.0.2.10/32";
const START: u64 = 1_617_699_600;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_secs(START + seconds)
}

fn event(kind: AlertKind, verdict: Verdict, from: u64, to: u64) -> TruthEvent {
    let text = format!(
        r#"{{"kind":"{kind}","verdict":"{verdict}","target":"{HOST}","start":"{}","end":"{}"}}"#,
        at(from),
        at(to)
    );
    serde_json::from_str(&text).unwrap()
}

fn flood() -> TruthEvent {
    event(AlertKind::SynFlood, Verdict::Attack, 100, 160)
}

fn truth(events: Vec<TruthEvent>) -> Truth {
    Truth {
        protect: vec!["192.0.2.0/24=ecole".parse().unwrap()],
        start: Some(at(0)),
        end: Some(at(300)),
        events,
        ..serde_json::from_str(&format!(r#"{{"schema":"{SCHEMA}"}}"#)).unwrap()
    }
}

/// An alert on the host: (seconds, severity, verdict) of each line.
fn life(kind: AlertKind, lines: &[(u64, Severity, Verdict)]) -> Life {
    let said = |&(seconds, severity, verdict): &(u64, Severity, Verdict)| Said {
        at: at(seconds),
        severity,
        verdict: Some(verdict),
        confidence: 0.9,
        origins: Vec::new(),
    };
    let incident = format!("{kind}-{}", lines[0].0);
    Life { kind: Some(kind), prefix: Some(HOST.parse().unwrap()), incident, lines: lines.iter().map(said).collect() }
}

use AlertKind::{ForeignSurge, Overload, RoboticSurge, Rush, SynFlood};
use Severity::{Critical, Info, Warning};

#[test]
fn the_first_loud_line_finds_an_event() {
    let alert = life(
        SynFlood,
        &[(101, Info, Verdict::Attack), (104, Warning, Verdict::Attack), (170, Critical, Verdict::Mixed)],
    );
    let matched = judge(&truth(vec![flood()]), &[alert]);
    let found = &matched.found[0];
    assert_eq!((found.delay, found.said), (Some(4.0), Some(Verdict::Mixed)));
    assert!(!found.verdict_is_right);
    assert_eq!((matched.loud, matched.right, matched.false_alarms.len()), (1, 1, 0));
}

#[test]
fn info_finds_overloads_only() {
    let events = || vec![flood(), event(Overload, Verdict::Overload, 100, 160)];
    let alerts = [life(SynFlood, &[(102, Info, Verdict::Attack)]), life(Overload, &[(103, Info, Verdict::Overload)])];
    let matched = judge(&truth(events()), &alerts);
    assert_eq!(matched.found[0].delay, None);
    assert_eq!(matched.found[1].delay, Some(3.0));
    assert!(matched.false_alarms.is_empty());
}

#[test]
fn an_attack_is_not_found_before_it_begins_nor_long_after_it_ends() {
    for (opens, closes, finds) in [(94, 130, false), (95, 130, true), (190, 195, true), (191, 195, false)] {
        let alert = life(SynFlood, &[(opens, Critical, Verdict::Attack), (closes, Critical, Verdict::Attack)]);
        let matched = judge(&truth(vec![flood()]), &[alert]);
        assert_eq!(matched.found[0].delay.is_some(), finds, "opened at {opens}");
        assert_eq!(matched.false_alarms.len(), usize::from(!finds), "opened at {opens}");
    }
    let ended = life(SynFlood, &[(96, Critical, Verdict::Attack), (99, Critical, Verdict::Attack)]);
    assert_eq!(judge(&truth(vec![flood()]), &[ended]).found[0].delay, None);
}

#[test]
fn an_overload_may_have_been_seen_coming() {
    let alert = life(Overload, &[(60, Info, Verdict::Overload), (120, Info, Verdict::Overload)]);
    let matched = judge(&truth(vec![event(Overload, Verdict::Overload, 100, 160)]), &[alert]);
    assert_eq!(matched.found[0].delay, Some(0.0));
}

#[test]
fn the_verdict_is_that_of_the_last_line_in_time() {
    let alert = life(SynFlood, &[(102, Warning, Verdict::Attack), (191, Warning, Verdict::Mixed)]);
    let found = &judge(&truth(vec![flood()]), &[alert]).found[0];
    assert!(found.verdict_is_right);
}

#[test]
fn a_target_wider_than_what_is_protected_finds_nothing() {
    let mut alert = life(SynFlood, &[(102, Critical, Verdict::Attack)]);
    for (prefix, finds) in [("192.0.2.0/24", true), ("192.0.0.0/16", false), ("192.0.2.11/32", false)] {
        alert.prefix = Some(prefix.parse().unwrap());
        let matched = judge(&truth(vec![flood()]), std::slice::from_ref(&alert));
        assert_eq!(matched.found[0].delay.is_some(), finds, "{prefix}");
    }
}

#[test]
fn other_kinds_are_right_where_the_truth_says_so() {
    let mut surge = event(ForeignSurge, Verdict::Attack, 100, 160);
    let alerts = [
        life(ForeignSurge, &[(105, Warning, Verdict::Suspicion), (120, Critical, Verdict::Attack)]),
        life(RoboticSurge, &[(103, Warning, Verdict::Attack)]),
    ];
    let matched = judge(&truth(vec![surge.clone()]), &alerts);
    assert_eq!((matched.found[0].delay, matched.false_alarms.len()), (Some(5.0), 1));
    surge.also = vec![RoboticSurge];
    let matched = judge(&truth(vec![surge]), &alerts);
    let found = &matched.found[0];
    assert_eq!((found.delay, found.told_as), (Some(3.0), Some(RoboticSurge)));
    assert_eq!((found.alerts, found.incidents), (2, 2));
    assert!(matched.false_alarms.is_empty() && found.verdict_is_right);
}

#[test]
fn an_optional_event_excuses_and_asks_for_nothing() {
    let optional = TruthEvent { optional: true, ..event(Overload, Verdict::Overload, 100, 160) };
    let matched = judge(&truth(vec![optional]), &[life(Overload, &[(110, Warning, Verdict::Overload)])]);
    assert!(matched.found.is_empty() && matched.false_alarms.is_empty());
}

#[test]
fn a_false_alarm_on_a_rush_spoils_it() {
    let rush = || truth(vec![event(Rush, Verdict::Rush, 100, 160)]);
    let alarm = life(SynFlood, &[(120, Critical, Verdict::Attack)]);
    let matched = judge(&rush(), &[alarm, life(Rush, &[(110, Info, Verdict::Rush)])]);
    let outcome = &matched.rushes[0];
    assert_eq!((outcome.is_silent, outcome.is_not_blamed, outcome.is_named), (false, false, true));
    assert_eq!(matched.false_alarms[0].during, Phase::Rush);
    let quiet = judge(&rush(), &[life(SynFlood, &[(120, Info, Verdict::Attack)])]);
    assert!(quiet.rushes[0].is_silent && quiet.rushes[0].is_not_blamed && !quiet.rushes[0].is_named);
}

#[test]
fn a_crowd_called_an_attack_is_blamed_even_where_the_kind_is_right() {
    let mut crowd = event(Rush, Verdict::Rush, 100, 160);
    crowd.also = vec![ForeignSurge];
    let said = |verdict| judge(&truth(vec![crowd.clone()]), &[life(ForeignSurge, &[(120, Warning, verdict)])]);
    let suspected = said(Verdict::Suspicion);
    assert!(suspected.rushes[0].is_silent && suspected.rushes[0].is_not_blamed);
    let blamed = said(Verdict::Attack);
    assert!(blamed.rushes[0].is_silent && !blamed.rushes[0].is_not_blamed);
    let explained = truth(vec![crowd.clone(), event(ForeignSurge, Verdict::Attack, 115, 160)]);
    let alarm = life(ForeignSurge, &[(120, Warning, Verdict::Attack)]);
    assert!(judge(&explained, &[alarm]).rushes[0].is_not_blamed);
}

#[test]
fn a_miss_tells_what_it_was_taken_for() {
    let matched = judge(&truth(vec![flood()]), &[life(RoboticSurge, &[(110, Warning, Verdict::Attack)])]);
    assert_eq!((matched.found[0].delay, matched.found[0].told_as), (None, Some(RoboticSurge)));
}

#[test]
fn a_method_without_kinds_is_right_about_anything_but_people() {
    let mut alarm = life(SynFlood, &[(110, Critical, Verdict::Attack)]);
    alarm.kind = None;
    let right = |kind, verdict| judge(&truth(vec![event(kind, verdict, 100, 160)]), std::slice::from_ref(&alarm)).right;
    assert_eq!(right(ForeignSurge, Verdict::Attack), 1);
    assert_eq!(right(Overload, Verdict::Overload), 1);
    assert_eq!(right(Rush, Verdict::Rush), 0);
}

#[test]
fn countries_are_right_wrong_or_must_not_be_named() {
    let mut surge = event(ForeignSurge, Verdict::Attack, 100, 160);
    surge.origin = vec!["NL".parse().unwrap()];
    let mut alarm = life(ForeignSurge, &[(110, Critical, Verdict::Attack)]);
    alarm.lines[0].origins = vec!["NL".parse().unwrap(), "DE".parse().unwrap()];
    let found = judge(&truth(vec![surge.clone()]), std::slice::from_ref(&alarm)).found.remove(0);
    assert_eq!((found.origin_is_right, found.names_a_country), (Some(true), true));
    alarm.lines[0].origins.remove(0);
    assert_eq!(judge(&truth(vec![surge.clone()]), std::slice::from_ref(&alarm)).found[0].origin_is_right, Some(false));
    surge.spoofed = true;
    let found = judge(&truth(vec![surge]), &[alarm]).found.remove(0);
    assert_eq!((found.origin_is_right, found.names_a_country), (None, true));
}

#[test]
fn phases_last_half_a_minute_longer_than_their_events() {
    let seconds = seconds_in_phases(&truth(vec![
        event(Rush, Verdict::Rush, 50, 150),
        event(Overload, Verdict::Overload, 100, 119),
        flood(),
    ]));
    assert_eq!(seconds.iter().sum::<f64>(), 300.0);
    assert_eq!(seconds, [169.0, 81.0, 50.0]);
}
