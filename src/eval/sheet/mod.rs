//! The score sheet, `vigie.eval/1`: everything that is counted over the outcomes of a run. It measures nothing itself and
//! knows no layout.

pub mod alarms;
pub mod kinds;
pub mod methods;
pub mod minutes;
pub mod recall;
pub mod targets;
pub mod trust;

use serde::Serialize;

use crate::eval::run::Outcome;
use crate::eval::weeks::Weeks;
use crate::kind::{AlertKind, Severity, Verdict};
use crate::time::Timestamp;
use alarms::{PhaseRow, SurgeRow};
use kinds::{JudgedAs, Kinds};
use methods::MethodRow;
use minutes::Minutes;
use recall::RecallRow;
use targets::TargetRow;
use trust::Trust;

/// Version of the sheet's shape.
pub const SCHEMA: &str = "vigie.eval/1";

/// What was run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Ran {
    /// The suite, or the files.
    pub what: String,
    /// Seeds in use; empty for files.
    pub seeds: String,
    /// Seeds on which thresholds may be chosen.
    pub development_seeds: String,
    /// Seeds on which nothing may be chosen, and which are published.
    pub published_seeds: String,
    /// Worlds that were asked for.
    pub worlds_asked: usize,
    /// Minutes after which no more world was begun, where there was such a bound.
    pub minutes: Option<f64>,
    /// Effective settings, name and value.
    pub settings: Vec<(String, String)>,
}

/// The whole sheet.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sheet {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// What was run.
    pub ran: Ran,
    /// Worlds that were run.
    pub worlds: usize,
    /// Their frames.
    pub frames: u64,
    /// Events found, by group, kind and rate.
    pub recall: Vec<RecallRow>,
    /// Rushes left in peace, by group.
    pub surges: Vec<SurgeRow>,
    /// False alarms, by what went on.
    pub phases: Vec<PhaseRow>,
    /// Warnings and criticals, and those about something that happened.
    pub precision: Precision,
    /// Kinds against kinds.
    pub kinds: Kinds,
    /// Verdicts against verdicts.
    pub verdicts: Vec<JudgedAs>,
    /// The verdicts of minutes.
    pub minutes: Minutes,
    /// False alarms over simulated weeks.
    pub weeks: Option<Weeks>,
    /// Confidence against outcomes.
    pub trust: Trust,
    /// Countries.
    pub origins: Origins,
    /// Vigie beside other methods on the same frames.
    pub methods: Vec<MethodRow>,
    /// Promises beside measurements.
    pub targets: Vec<TargetRow>,
    /// Everything that went wrong, with the world to look at.
    pub failures: Vec<Failure>,
}

/// Alerts at warning and above.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Precision {
    /// All of them.
    pub alerts: usize,
    /// About something that happened.
    pub right: usize,
    /// Events found.
    pub events: usize,
    /// Matching alerts of an event, on average.
    pub alerts_per_event: Option<f64>,
    /// Matching incidents of an event, on average: all beyond one are duplicates.
    pub incidents_per_event: Option<f64>,
}

/// Where verified attacks came from, and silence about forged ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Origins {
    /// Found events with a country in truth and in the alert.
    pub named: usize,
    /// Those whose first country is one it came from.
    pub right: usize,
    /// Found events with forged sources.
    pub forged: usize,
    /// Those for which a country was named at any time.
    pub forged_but_named: usize,
}

/// One thing that went wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Failure {
    /// What.
    pub what: FailureKind,
    /// The world.
    pub world: String,
    /// The kind missed, misjudged or falsely alarmed about.
    pub kind: Option<AlertKind>,
    /// When: the event's start, the false alarm, or the minute.
    pub at: Option<Timestamp>,
    /// How loud the false alarm was.
    pub severity: Option<Severity>,
    /// The verdict given.
    pub said: Option<Verdict>,
    /// What it should have been, or what it was taken for.
    pub note: String,
}

crate::kind::closed_set! {
    /// What can go wrong.
    FailureKind {
        /// The world could not be run.
        Broken = "broken",
        /// An alarm about nothing.
        FalseAlarm = "false_alarm",
        /// People were called an attack.
        Blamed = "blamed",
        /// An event was not found.
        Missed = "missed",
        /// Found, with the wrong verdict.
        WrongVerdict = "wrong_verdict",
        /// A wrong country was named, or any for forged sources.
        WrongOrigin = "wrong_origin",
        /// The attack's share of a minute was far off.
        WrongShare = "wrong_share",
    }
}

impl Sheet {
    /// Counts over all outcomes.
    #[must_use]
    pub fn of(ran: Ran, outcomes: &[Outcome], weeks: Option<Weeks>) -> Self {
        let mut sheet = Self {
            schema: SCHEMA,
            worlds: outcomes.len(),
            frames: outcomes.iter().map(|outcome| outcome.frames).sum(),
            recall: recall::rows(outcomes),
            surges: alarms::surges(outcomes),
            phases: alarms::phases(outcomes),
            precision: precision(outcomes),
            kinds: kinds::kinds(outcomes),
            verdicts: kinds::verdicts(outcomes),
            minutes: minutes::minutes(outcomes),
            weeks,
            trust: trust::trust(outcomes),
            origins: origins(outcomes),
            methods: methods::rows(outcomes),
            failures: outcomes.iter().flat_map(failures).collect(),
            targets: Vec::new(),
            ran,
        };
        sheet.targets = targets::rows(&sheet);
        sheet
    }

    /// Writes the sheet as JSON.
    ///
    /// # Errors
    /// None that these types can cause; the encoder's signature has one.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }
}

fn precision(outcomes: &[Outcome]) -> Precision {
    let found: Vec<_> =
        outcomes.iter().flat_map(|outcome| &outcome.matched.found).filter(|found| found.delay.is_some()).collect();
    let per_event = |sum: usize| (!found.is_empty()).then(|| sum as f64 / found.len() as f64);
    Precision {
        alerts: outcomes.iter().map(|outcome| outcome.matched.loud).sum(),
        right: outcomes.iter().map(|outcome| outcome.matched.right).sum(),
        events: found.len(),
        alerts_per_event: per_event(found.iter().map(|found| found.alerts).sum()),
        incidents_per_event: per_event(found.iter().map(|found| found.incidents).sum()),
    }
}

fn origins(outcomes: &[Outcome]) -> Origins {
    let mut origins = Origins::default();
    for outcome in outcomes {
        for found in outcome.matched.found.iter().filter(|found| found.delay.is_some()) {
            if outcome.truth.events[found.event].spoofed {
                origins.forged += 1;
                origins.forged_but_named += usize::from(found.names_a_country);
            }
            origins.named += usize::from(found.origin_is_right.is_some());
            origins.right += usize::from(found.origin_is_right == Some(true));
        }
    }
    origins
}

/// Lists what went wrong in a world.
fn failures(outcome: &Outcome) -> Vec<Failure> {
    let failure = |what, kind, at, note: String| Failure {
        what,
        world: outcome.world.name.clone(),
        kind,
        at,
        severity: None,
        said: None,
        note,
    };
    let mut failures: Vec<Failure> =
        outcome.faults.iter().map(|fault| failure(FailureKind::Broken, None, None, fault.clone())).collect();
    for alarm in &outcome.matched.false_alarms {
        let whom = alarm.prefix.map_or_else(|| "the sensor".to_owned(), |prefix| prefix.to_string());
        let note = format!("on {whom} during {}", alarm.during);
        failures.push(Failure {
            severity: Some(alarm.severity),
            said: alarm.verdict,
            ..failure(FailureKind::FalseAlarm, alarm.kind, Some(alarm.at), note)
        });
    }
    for rush in outcome.matched.rushes.iter().filter(|rush| !rush.is_not_blamed) {
        let event = &outcome.truth.events[rush.event];
        failures.push(failure(FailureKind::Blamed, Some(event.kind), Some(event.start), event.note.clone()));
    }
    for found in &outcome.matched.found {
        let event = &outcome.truth.events[found.event];
        let about = |what, note| failure(what, Some(event.kind), Some(event.start), note);
        if found.delay.is_none() {
            let told = found.told_as.map_or_else(|| "nothing said".to_owned(), |kind| format!("taken for {kind}"));
            failures.push(about(FailureKind::Missed, told));
            continue;
        }
        if !found.verdict_is_right {
            let note = format!("it was {}", event.verdict);
            failures.push(Failure { said: found.said, ..about(FailureKind::WrongVerdict, note) });
        }
        if found.origin_is_right == Some(false) || (event.spoofed && found.names_a_country) {
            let note = if event.spoofed { "the sources were forged" } else { "another country" };
            failures.push(about(FailureKind::WrongOrigin, note.to_owned()));
        }
    }
    for minute in minutes::share_minutes(outcome).iter().filter(|m| (m.said.value - m.share).abs() > FAR_OFF) {
        let note = format!("{:.0} % it was, {:.0} % were said", 100.0 * minute.share, 100.0 * minute.said.value);
        failures.push(failure(FailureKind::WrongShare, None, Some(minute.start), note));
    }
    failures
}

/// Error of an attack's share from which the minute is listed: five times what is promised of the median.
const FAR_OFF: f64 = 0.1;
