//! Vigie beside other methods: the same worlds, the same frames, the same judge.

use serde::Serialize;

use crate::eval::matching::{Matched, seconds_in_phases};
use crate::eval::rivals::Rival;
use crate::eval::run::Outcome;
use crate::eval::statistics::quantile;

/// One method's figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MethodRow {
    /// Its name.
    pub name: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    /// Worlds it was run on.
    pub worlds: usize,
    /// Events that ask for an alert.
    pub events: usize,
    /// Those found.
    pub found: usize,
    /// Attacks at the ordinary rate and above, where the rate is varied.
    pub events_from_once: usize,
    /// Those found.
    pub found_from_once: usize,
    /// Seconds to half of all events; `null` is never.
    pub delay_p50: Option<f64>,
    /// Rushes of people.
    pub rushes: usize,
    /// Those on which no false alarm lay.
    pub silent: usize,
    /// False alarms an hour in ordinary times, in rushes and in overloads.
    pub false_alarms_an_hour: [f64; 3],
}

/// Counts for Vigie and each other method.
#[must_use]
pub fn rows(outcomes: &[Outcome]) -> Vec<MethodRow> {
    let vigie = row("vigie", "the verdicts of this sheet", outcomes, |outcome| Some(&outcome.matched));
    let others = Rival::ALL
        .iter()
        .enumerate()
        .map(|(place, rival)| row(rival.name(), rival.description(), outcomes, |outcome| outcome.rivals.get(place)));
    std::iter::once(vigie).chain(others).collect()
}

fn row(
    name: &'static str,
    about: &'static str,
    outcomes: &[Outcome],
    of: impl Fn(&Outcome) -> Option<&Matched>,
) -> MethodRow {
    let mut row = MethodRow {
        name,
        about,
        worlds: 0,
        events: 0,
        found: 0,
        events_from_once: 0,
        found_from_once: 0,
        delay_p50: None,
        rushes: 0,
        silent: 0,
        false_alarms_an_hour: [0.0; 3],
    };
    let mut hours = [0.0; 3];
    let mut delays = Vec::new();
    for outcome in outcomes {
        let Some(matched) = of(outcome) else { continue };
        row.worlds += 1;
        let varied = outcome.world.stratum.rate.is_some_and(|rate| rate >= 1.0);
        for found in &matched.found {
            let is_found = found.delay.is_some();
            row.events += 1;
            row.found += usize::from(is_found);
            row.events_from_once += usize::from(varied);
            row.found_from_once += usize::from(varied && is_found);
            delays.push(found.delay.unwrap_or(f64::INFINITY));
        }
        row.rushes += matched.rushes.len();
        row.silent += matched.rushes.iter().filter(|rush| rush.is_silent).count();
        for alarm in &matched.false_alarms {
            row.false_alarms_an_hour[alarm.during as usize] += 1.0;
        }
        for (sum, seconds) in hours.iter_mut().zip(seconds_in_phases(&outcome.truth)) {
            *sum += seconds / 3_600.0;
        }
    }
    for (count, hours) in row.false_alarms_an_hour.iter_mut().zip(hours) {
        *count = if hours > 0.0 { *count / hours } else { 0.0 };
    }
    row.delay_p50 = quantile(&delays, 0.5).filter(|delay| delay.is_finite());
    row
}
