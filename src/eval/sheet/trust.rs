//! Does `confidence` mean what it says? The reliability table, and Brier's score.

use serde::Serialize;

use crate::eval::run::Outcome;
use crate::eval::statistics::mean;

/// Loud alerts of one class of confidence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrustRow {
    /// Least confidence of the class.
    pub from: f64,
    /// The next class begins here.
    pub below: f64,
    /// Alerts.
    pub alerts: usize,
    /// Their mean confidence.
    pub said: f64,
    /// Share of them that was right in kind, target and verdict.
    pub right: f64,
}

/// Loud alerts by confidence.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Trust {
    /// The classes that have any.
    pub rows: Vec<TrustRow>,
    /// Mean squared difference of confidence and outcome (Brier 1950): 0 is perfect, always saying one half gives .25.
    pub brier: Option<f64>,
}

/// Bounds of the classes.
const CLASSES: [f64; 8] = [0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.01];

/// Compares confidences with outcomes.
#[must_use]
pub fn trust(outcomes: &[Outcome]) -> Trust {
    let all: Vec<(f64, bool)> = outcomes.iter().flat_map(|outcome| outcome.matched.confidences.clone()).collect();
    let error = |(said, right): &(f64, bool)| (said - f64::from(u8::from(*right))).powi(2);
    Trust {
        rows: CLASSES.windows(2).filter_map(|bounds| row(bounds[0], bounds[1], &all)).collect(),
        brier: mean(&all.iter().map(error).collect::<Vec<_>>()),
    }
}

fn row(from: f64, below: f64, all: &[(f64, bool)]) -> Option<TrustRow> {
    let class: Vec<&(f64, bool)> = all.iter().filter(|(said, _)| (from..below).contains(said)).collect();
    let said = mean(&class.iter().map(|(said, _)| *said).collect::<Vec<_>>())?;
    let right = class.iter().filter(|(_, right)| *right).count();
    Some(TrustRow { from, below: below.min(1.0), alerts: class.len(), said, right: right as f64 / class.len() as f64 })
}
