//! From "at most B false alarms a week" to the line an alarm must cross.

use crate::detect::calibration::{CLASSES, class};
use crate::detect::engine::Settings;
use crate::kind::AlertKind;

/// Subjects a run may have: hosts, and the prefixes they lie in.
pub const SUBJECTS: f64 = 256.0;

/// Countries told apart for each subject.
pub const COUNTRIES: f64 = 250.0;

/// Fast ticks in a week.
const TICKS: f64 = 7.0 * 86_400.0 * 4.0;

/// Ticks between two looks at single countries: a second.
pub const COUNTRY_LOOK: u64 = 4;

/// The lines of a run, in decades.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lines {
    /// For tests of a subject, every tick.
    pub subject: f64,
    /// For tests of a subject and a country, every second.
    pub country: f64,
    /// Lines of the classes of detectors that quiet time has raised; 0 where it has not.
    pub raised: [f64; CLASSES],
}

impl Lines {
    /// Computes h = ln(3 K T / B) (DETECTION 1.5): with a mean run length of at least e^h ticks for each of 3 K
    /// statistics, at most B alarms are expected in the T ticks of a week.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let budget = budget(settings);
        let line = |keys: f64, ticks: f64| (3.0 * keys * ticks / budget).ln() / std::f64::consts::LN_10;
        Self {
            subject: line(SUBJECTS, TICKS),
            country: line(SUBJECTS * COUNTRIES, TICKS / COUNTRY_LOOK as f64),
            raised: [0.0; CLASSES],
        }
    }

    /// Returns the line of a finding: the detector's own, or the one its class was raised to.
    #[must_use]
    pub fn raise(&self, kind: AlertKind, line: f64) -> f64 {
        line.max(self.raised[class(kind)])
    }
}

/// Returns the false alarms a week that are allowed; one where the settings allow none.
#[must_use]
pub fn budget(settings: &Settings) -> f64 {
    if settings.false_alarms_per_week > 0.0 { settings.false_alarms_per_week } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_that_of_the_design() {
        let lines = Lines::new(&Settings { false_alarms_per_week: 1.0, ..Settings::default() });
        assert!((lines.subject - 9.27).abs() < 0.02, "{lines:?}");
        assert!((lines.country - 11.06).abs() < 0.02, "{lines:?}");
    }

    #[test]
    fn a_larger_budget_lowers_the_line() {
        let strict = Lines::new(&Settings { false_alarms_per_week: 0.1, ..Settings::default() });
        let loose = Lines::new(&Settings { false_alarms_per_week: 10.0, ..Settings::default() });
        assert!((strict.subject - loose.subject - 2.0).abs() < 1e-9);
    }
}
