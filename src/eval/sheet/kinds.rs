//! Was it called what it was? Kinds against kinds, verdicts against verdicts.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::eval::run::Outcome;
use crate::eval::statistics::mean;
use crate::kind::{AlertKind, Verdict};

/// How often events of one kind were told as another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ToldAs {
    /// What it was; `None` for false alarms, where nothing was.
    pub truth: Option<AlertKind>,
    /// What it was told as; `None` for silence.
    pub told: Option<AlertKind>,
    /// How often.
    pub count: usize,
    /// Whether the event counts as found by it: its own kind, or another that the truth allows.
    pub is_right: bool,
}

/// How well kinds are told apart.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Kinds {
    /// Every pair that came up.
    pub told: Vec<ToldAs>,
    /// F1 of each kind that came up among events or false alarms.
    pub f1: BTreeMap<AlertKind, f64>,
    /// Their mean.
    pub macro_f1: Option<f64>,
}

#[derive(Clone, Copy, Default)]
struct Tally {
    found: usize,
    missed: usize,
    wrong: usize,
}

/// Counts kinds.
#[must_use]
pub fn kinds(outcomes: &[Outcome]) -> Kinds {
    let mut told: BTreeMap<(Option<AlertKind>, Option<AlertKind>, bool), usize> = BTreeMap::new();
    let mut tallies: BTreeMap<AlertKind, Tally> = BTreeMap::new();
    for outcome in outcomes {
        for found in &outcome.matched.found {
            let truth = outcome.truth.events[found.event].kind;
            *told.entry((Some(truth), found.told_as, found.delay.is_some())).or_default() += 1;
            let tally = tallies.entry(truth).or_default();
            if found.delay.is_some() { tally.found += 1 } else { tally.missed += 1 }
        }
        for alarm in &outcome.matched.false_alarms {
            *told.entry((None, alarm.kind, false)).or_default() += 1;
            if let Some(kind) = alarm.kind {
                tallies.entry(kind).or_default().wrong += 1;
            }
        }
    }
    let f1 = |t: Tally| 2.0 * t.found as f64 / (2 * t.found + t.missed + t.wrong) as f64;
    let f1: BTreeMap<AlertKind, f64> = tallies.into_iter().map(|(kind, tally)| (kind, f1(tally))).collect();
    Kinds {
        told: told
            .into_iter()
            .map(|((truth, told, is_right), count)| ToldAs { truth, told, count, is_right })
            .collect(),
        macro_f1: mean(&f1.values().copied().collect::<Vec<_>>()),
        f1,
    }
}

/// How often found events of one verdict were judged another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JudgedAs {
    /// What it was.
    pub truth: Verdict,
    /// What it was judged.
    pub said: Verdict,
    /// How often.
    pub count: usize,
    /// How often of these the truth allows it.
    pub right: usize,
}

/// Counts the verdicts of found events.
#[must_use]
pub fn verdicts(outcomes: &[Outcome]) -> Vec<JudgedAs> {
    let mut counts: BTreeMap<(Verdict, Verdict), (usize, usize)> = BTreeMap::new();
    for outcome in outcomes {
        for found in outcome.matched.found.iter().filter(|found| found.delay.is_some()) {
            let Some(said) = found.said else { continue };
            let count = counts.entry((outcome.truth.events[found.event].verdict, said)).or_default();
            count.0 += 1;
            count.1 += usize::from(found.verdict_is_right);
        }
    }
    counts.into_iter().map(|((truth, said), (count, right))| JudgedAs { truth, said, count, right }).collect()
}
