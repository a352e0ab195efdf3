//! What was wrongly alarmed about: by what went on, by kind, and in the rushes that must be left in peace.

use serde::Serialize;

use crate::eval::matching::{Phase, seconds_in_phases};
use crate::eval::run::Outcome;
use crate::eval::statistics::{poisson_upper, wilson};
use crate::eval::world::Group;
use crate::kind::Severity;

const HOURS_A_WEEK: f64 = 168.0;

/// False alarms in the time in which one thing went on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PhaseRow {
    /// What went on.
    pub phase: Phase,
    /// Hours of traffic.
    pub hours: f64,
    /// False alarms that became critical.
    pub critical: u64,
    /// False alarms that became a warning at most.
    pub warning: u64,
    /// False alarms an hour.
    pub per_hour: f64,
    /// Upper 95 % bound on those a week of such traffic: these hours are dense, so it is far above an ordinary week's.
    pub per_week_at_most: f64,
}

/// Counts false alarms by phase.
#[must_use]
pub fn phases(outcomes: &[Outcome]) -> Vec<PhaseRow> {
    let mut seconds = [0.0; 3];
    let mut counts = [(0, 0); 3];
    for outcome in outcomes {
        for (sum, own) in seconds.iter_mut().zip(seconds_in_phases(&outcome.truth)) {
            *sum += own;
        }
        for alarm in &outcome.matched.false_alarms {
            let count = &mut counts[alarm.during as usize];
            if alarm.severity == Severity::Critical { count.0 += 1 } else { count.1 += 1 }
        }
    }
    let row = |(phase, (seconds, (critical, warning))): (&Phase, (f64, (u64, u64)))| {
        let hours = seconds / 3_600.0;
        let per = |count: f64| if hours > 0.0 { count / hours } else { 0.0 };
        let all = critical + warning;
        PhaseRow {
            phase: *phase,
            hours,
            critical,
            warning,
            per_hour: per(all as f64),
            per_week_at_most: per(poisson_upper(all)) * HOURS_A_WEEK,
        }
    };
    Phase::ALL.iter().zip(seconds.into_iter().zip(counts)).map(row).collect()
}

/// Surges of people in one group of worlds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SurgeRow {
    /// The group.
    pub group: Group,
    /// Rushes.
    pub rushes: usize,
    /// Those on which no false alarm lay.
    pub silent: usize,
    /// Those that nobody was told, at warning or above, are an attack.
    pub not_blamed: usize,
    /// Those named a rush.
    pub named: usize,
    /// Upper 95 % bound on the share with a false alarm.
    pub alarmed_at_most: f64,
}

/// Counts rushes by group.
#[must_use]
pub fn surges(outcomes: &[Outcome]) -> Vec<SurgeRow> {
    let row = |group: &Group| {
        let of_group = outcomes.iter().filter(|outcome| outcome.world.stratum.group == *group);
        let rushes: Vec<_> = of_group.flat_map(|outcome| &outcome.matched.rushes).collect();
        let silent = rushes.iter().filter(|rush| rush.is_silent).count();
        SurgeRow {
            group: *group,
            rushes: rushes.len(),
            silent,
            not_blamed: rushes.iter().filter(|rush| rush.is_not_blamed).count(),
            named: rushes.iter().filter(|rush| rush.is_named).count(),
            alarmed_at_most: at_most(rushes.len() - silent, rushes.len()),
        }
    };
    Group::ALL.iter().map(row).filter(|row| row.rushes > 0).collect()
}

/// Returns the upper 95 % bound on a share: the rule of three where nothing was seen, Wilson's interval elsewhere.
fn at_most(seen: usize, of: usize) -> f64 {
    if seen == 0 && of > 0 { (poisson_upper(0) / of as f64).min(1.0) } else { wilson(seen, of).1 }
}
