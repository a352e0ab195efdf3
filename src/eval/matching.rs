//! Alerts against events: CONTRACT 4, word by word. Knows nothing of how either came to be.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::address::Prefix;
use crate::eval::life::{Life, Said};
use crate::kind::{AlertKind, Severity, Verdict};
use crate::scenario::{Truth, TruthEvent};
use crate::time::Timestamp;

/// An alert may come so long after the end of what it is about.
const AFTER: Duration = Duration::from_secs(30);

/// An alert about an attack may open so long before its first packet: clocks, and levels that waver.
const BEFORE: Duration = Duration::from_secs(5);

/// What became of one event.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The event's place in the truth.
    pub event: usize,
    /// Seconds from its start to the line that found it; `None` when it was missed.
    pub delay: Option<f64>,
    /// The verdict judged, where anything matched.
    pub said: Option<Verdict>,
    /// Whether that is the event's or one of its other right ones.
    pub verdict_is_right: bool,
    /// Matching alerts that count as finding it.
    pub alerts: usize,
    /// Incidents they belong to; all but one are duplicates.
    pub incidents: usize,
    /// The kind that found it; for a miss, the kind of another loud alert on its target in its time.
    pub told_as: Option<AlertKind>,
    /// Whether the country named first is one it came from; `None` where the truth knows none or none was named.
    pub origin_is_right: Option<bool>,
    /// A country was named at any time.
    pub names_a_country: bool,
}

/// An alert that reached warning or critical and is about nothing that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct FalseAlarm {
    /// Its kind.
    pub kind: Option<AlertKind>,
    /// How loud it got.
    pub severity: Severity,
    /// What it held the situation to be, at the end.
    pub verdict: Option<Verdict>,
    /// On whom.
    pub prefix: Option<Prefix>,
    /// When it first was loud.
    pub at: Timestamp,
    /// What went on on its target.
    pub during: Phase,
}

crate::kind::closed_set! {
    /// What went on at a moment, as far as false alarms are told apart by it.
    Phase {
        /// Nothing, or an attack.
        Ordinary = "ordinary",
        /// A rush that was served.
        Rush = "rush",
        /// A server that did not keep up.
        Overload = "overload",
    }
}

/// A rush of people: was anybody called an attacker?
#[derive(Clone, Debug, PartialEq)]
pub struct RushOutcome {
    /// The event's place in the truth.
    pub event: usize,
    /// No false alarm lay on its target in its time.
    pub is_silent: bool,
    /// Nobody was told, at warning or above, that these people are an attack.
    pub is_not_blamed: bool,
    /// It was named a rush.
    pub is_named: bool,
}

/// Everything that matching finds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matched {
    /// Events that ask for an alert, in the order of the truth.
    pub found: Vec<Found>,
    /// Rushes.
    pub rushes: Vec<RushOutcome>,
    /// False alarms.
    pub false_alarms: Vec<FalseAlarm>,
    /// Alerts that were loud.
    pub loud: usize,
    /// Those among them about something that happened.
    pub right: usize,
    /// Confidence at the last line that could be judged, and whether kind, target and verdict were right.
    pub confidences: Vec<(f64, bool)>,
}

/// Holds alerts against the truth.
#[must_use]
pub fn judge(truth: &Truth, lives: &[Life]) -> Matched {
    let judge = Judge { truth, lives };
    let loud: Vec<&Life> = lives.iter().filter(|life| life.is_loud()).collect();
    let events = || truth.events.iter().enumerate();
    Matched {
        found: events().filter(|(_, event)| asks(event)).map(|(place, event)| judge.find(place, event)).collect(),
        rushes: events().filter(|(_, e)| e.kind == AlertKind::Rush).map(|(place, e)| judge.rush(place, e)).collect(),
        false_alarms: loud.iter().filter(|life| !judge.is_right(life)).map(|life| judge.false_alarm(life)).collect(),
        right: loud.iter().filter(|life| judge.is_right(life)).count(),
        confidences: loud.iter().filter_map(|life| judge.confidence(life)).collect(),
        loud: loud.len(),
    }
}

/// Tells whether an event asks for an alert. A rush does not: its own alert is a bonus.
fn asks(event: &TruthEvent) -> bool {
    !event.optional && event.kind != AlertKind::Rush
}

/// Tells whether any severity finds events of this kind.
fn is_found_at_any_severity(kind: AlertKind) -> bool {
    matches!(kind, AlertKind::Overload | AlertKind::Outage)
}

/// Seconds spent in each phase, in the order of [`Phase::ALL`].
#[must_use]
pub fn seconds_in_phases(truth: &Truth) -> [f64; 3] {
    let mut seconds = [0.0; 3];
    let (Some(start), Some(end)) = (truth.start, truth.end) else { return seconds };
    for second in 0..end.since(start).as_secs() {
        seconds[phase_at(truth, start.plus(Duration::from_secs(second)), None) as usize] += 1.0;
    }
    seconds
}

/// Returns what goes on, on a target or anywhere. The time after an event belongs to it, as alerts about it do.
fn phase_at(truth: &Truth, moment: Timestamp, target: Option<Prefix>) -> Phase {
    let is_on = |kind| {
        truth.events.iter().any(|event| {
            event.kind == kind
                && (event.start..=event.end.plus(AFTER)).contains(&moment)
                && target.is_none_or(|target| overlaps(event, Some(target)))
        })
    };
    match (is_on(AlertKind::Overload), is_on(AlertKind::Rush)) {
        (true, _) => Phase::Overload,
        (_, true) => Phase::Rush,
        _ => Phase::Ordinary,
    }
}

fn overlaps(event: &TruthEvent, prefix: Option<Prefix>) -> bool {
    match prefix {
        Some(prefix) => event.target.iter().any(|target| target.overlaps(prefix)),
        // Only the sensor's own alerts have no target.
        None => event.target.is_empty(),
    }
}

struct Judge<'a> {
    truth: &'a Truth,
    lives: &'a [Life],
}

impl Judge<'_> {
    /// Kind, target and time.
    fn matches(&self, life: &Life, event: &TruthEvent) -> bool {
        is_of_kind(life.kind, event) && self.is_beside(life, event)
    }

    /// Target and time.
    fn is_beside(&self, life: &Life, event: &TruthEvent) -> bool {
        let is_hostile = matches!(event.verdict, Verdict::Attack | Verdict::Mixed | Verdict::Suspicion);
        overlaps(event, life.prefix)
            && self.is_narrow(life.prefix)
            && life.opened() <= event.end.plus(AFTER)
            && life.closed() >= event.start
            && (!is_hostile || life.opened() >= event.start.minus(BEFORE))
    }

    /// A target is no wider than a protected prefix; where none is configured each host is protected by itself.
    fn is_narrow(&self, prefix: Option<Prefix>) -> bool {
        let Some(prefix) = prefix else { return true };
        if self.truth.protect.is_empty() {
            return prefix.is_host();
        }
        let holds = |wide: Prefix| wide.contains(prefix.network()) && wide.length() <= prefix.length();
        self.truth.protect.iter().any(|protected| holds(protected.prefix))
    }

    fn is_right(&self, life: &Life) -> bool {
        self.truth.events.iter().any(|event| self.matches(life, event))
    }

    fn find(&self, place: usize, event: &TruthEvent) -> Found {
        let any_severity = is_found_at_any_severity(event.kind);
        let matching: Vec<&Life> = self.lives.iter().filter(|life| self.matches(life, event)).collect();
        let finding: Vec<&Life> = matching.iter().filter(|life| any_severity || life.is_loud()).copied().collect();
        let first = |life: &&Life| life.lines.iter().find(|line| any_severity || line.is_loud()).map(|line| line.at);
        let earliest = finding.iter().filter_map(|life| Some((first(life)?, life.kind))).min_by_key(|(at, _)| *at);
        let last = last_before(&matching, event.end.plus(AFTER));
        let said = last.and_then(|line| line.verdict);
        let incidents: BTreeSet<&str> = finding.iter().map(|life| life.incident.as_str()).collect();
        Found {
            event: place,
            delay: earliest.map(|(at, _)| at.since(event.start).as_secs_f64()),
            said,
            verdict_is_right: said.is_some_and(|said| is_right_verdict(event, said)),
            alerts: finding.len(),
            incidents: incidents.len(),
            told_as: earliest.map_or_else(|| self.mistaken_for(event), |(_, kind)| kind),
            origin_is_right: last
                .and_then(|line| line.origins.first())
                .filter(|_| !event.origin.is_empty() && !event.spoofed)
                .map(|named| event.origin.contains(named)),
            names_a_country: matching.iter().flat_map(|life| &life.lines).any(|line| !line.origins.is_empty()),
        }
    }

    /// Returns the kind of a loud alert beside a missed event.
    fn mistaken_for(&self, event: &TruthEvent) -> Option<AlertKind> {
        self.lives.iter().find(|life| life.is_loud() && self.is_beside(life, event)).and_then(|life| life.kind)
    }

    fn rush(&self, place: usize, event: &TruthEvent) -> RushOutcome {
        let here: Vec<&Life> = self.lives.iter().filter(|life| self.is_beside(life, event)).collect();
        // What another event explains blames nobody of the crowd.
        let is_explained =
            |life: &Life| self.truth.events.iter().any(|e| e.kind != AlertKind::Rush && self.matches(life, e));
        let blames = |line: &Said| line.is_loud() && matches!(line.verdict, Some(Verdict::Attack | Verdict::Mixed));
        RushOutcome {
            event: place,
            is_silent: here.iter().all(|life| !life.is_loud() || self.is_right(life)),
            is_not_blamed: here.iter().all(|life| is_explained(life) || !life.lines.iter().any(blames)),
            is_named: here.iter().any(|life| life.kind == Some(AlertKind::Rush)),
        }
    }

    fn false_alarm(&self, life: &Life) -> FalseAlarm {
        let at = life.lines.iter().find(|line| line.is_loud()).map_or_else(|| life.opened(), |line| line.at);
        FalseAlarm {
            kind: life.kind,
            severity: life.lines.iter().map(|line| line.severity).max().unwrap_or(Severity::Info),
            verdict: life.lines.last().and_then(|line| line.verdict),
            prefix: life.prefix,
            at,
            during: phase_at(self.truth, at, life.prefix),
        }
    }

    /// Returns the confidence of a loud alert, and whether it was right. One about an optional event is judged by it.
    fn confidence(&self, life: &Life) -> Option<(f64, bool)> {
        let matching: Vec<&TruthEvent> = self.truth.events.iter().filter(|event| self.matches(life, event)).collect();
        let until = matching.iter().map(|event| event.end.plus(AFTER)).max();
        let line = until.map_or_else(|| life.lines.last(), |until| life.at(until))?;
        let verdict = line.verdict?;
        Some((line.confidence, matching.iter().any(|event| is_right_verdict(event, verdict))))
    }
}

/// A method that knows no kinds is right about anything but people.
fn is_of_kind(kind: Option<AlertKind>, event: &TruthEvent) -> bool {
    kind.map_or(event.kind != AlertKind::Rush, |kind| kind == event.kind || event.also.contains(&kind))
}

fn is_right_verdict(event: &TruthEvent, said: Verdict) -> bool {
    event.verdict == said || event.verdict_also.contains(&said)
}

/// Returns the last line of several lives up to a moment; of lines at once, the loudest.
fn last_before<'a>(lives: &[&'a Life], until: Timestamp) -> Option<&'a Said> {
    lives.iter().filter_map(|life| life.at(until)).max_by_key(|line| (line.at.min(until), line.severity))
}

#[cfg(test)]
mod tests;
