//! How many events were found, and how soon: by group, kind and rate.

use serde::Serialize;

use crate::eval::matching::Found;
use crate::eval::run::Outcome;
use crate::eval::statistics::{quantile, wilson};
use crate::eval::world::Group;
use crate::kind::AlertKind;

/// Events of one group, kind and rate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RecallRow {
    /// What the worlds were there to find out.
    pub group: Group,
    /// Kind of the events.
    pub kind: AlertKind,
    /// Rate of the attack as a multiple of the ordinary rate, where it is varied.
    pub rate: Option<f64>,
    /// Events.
    pub events: usize,
    /// Those found.
    pub found: usize,
    /// Share found.
    pub recall: f64,
    /// Its 95 % interval (Wilson).
    pub interval: (f64, f64),
    /// Seconds from the first packet to the alert in half of all events, misses included; `null` is never.
    pub delay_p50: Option<f64>,
    /// The same for 95 % of them.
    pub delay_p95: Option<f64>,
    /// Those found whose verdict was right.
    pub verdicts_right: usize,
    /// The delays of those found, in order: a curve of how many were found by when.
    pub delays: Vec<f64>,
}

/// Group, kind and rate.
type Cell = (Group, AlertKind, Option<f64>);

/// Counts by group, kind and rate, in that order.
#[must_use]
pub fn rows(outcomes: &[Outcome]) -> Vec<RecallRow> {
    let mut cells: Vec<(Cell, Vec<&Found>)> = Vec::new();
    for outcome in outcomes {
        for found in &outcome.matched.found {
            let stratum = outcome.world.stratum;
            let kind = outcome.truth.events[found.event].kind;
            // Only the attack that is varied has the world's rate.
            let rate = stratum.rate.filter(|_| outcome.world.kind() == Some(kind));
            let key = (stratum.group, kind, rate);
            match cells.iter_mut().find(|(known, _)| *known == key) {
                Some((_, events)) => events.push(found),
                None => cells.push((key, vec![found])),
            }
        }
    }
    cells.sort_by(|(a, _), (b, _)| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    cells.into_iter().map(|(cell, events)| row(cell, &events)).collect()
}

fn row((group, kind, rate): Cell, events: &[&Found]) -> RecallRow {
    let all: Vec<f64> = events.iter().map(|found| found.delay.unwrap_or(f64::INFINITY)).collect();
    let mut delays: Vec<f64> = events.iter().filter_map(|found| found.delay).collect();
    delays.sort_unstable_by(f64::total_cmp);
    let of_all = |q| quantile(&all, q).filter(|delay| delay.is_finite());
    RecallRow {
        group,
        kind,
        rate,
        events: events.len(),
        found: delays.len(),
        recall: delays.len() as f64 / events.len() as f64,
        interval: wilson(delays.len(), events.len()),
        delay_p50: of_all(0.5),
        delay_p95: of_all(0.95),
        verdicts_right: events.iter().filter(|found| found.delay.is_some() && found.verdict_is_right).count(),
        delays,
    }
}
