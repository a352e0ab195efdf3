//! How sure a verdict is, 0 to 1: a logistic function of how clearly it was decided, for how long, and with what caveats.
//!
//! Method: the deciding statistic's distance from its line, in standard errors (or, for a share without one, in tenths),
//! is the margin. `logit p = 0.6 + 0.7 m + 0.4 ln(1 + t / 10 s) - caveats`, with the margin `m` between -1 and 4 and 0.5
//! for each caveat that bears on the figures. A statistic on its line after ten seconds is held with 0.7, one that stands
//! clear of it with .97. The coefficients are starting values, to be refitted to the reliability table of an evaluation:
//! monotone signs are the only thing assumed of them.

use crate::detect::finding::Caveat;

const AT_THE_LINE: f64 = 0.6;
const PER_MARGIN: f64 = 0.7;
const PER_TIME: f64 = 0.4;
const PER_CAVEAT: f64 = 0.5;

/// Margins count between these.
const LEAST_MARGIN: f64 = -1.0;
const MOST_MARGIN: f64 = 4.0;

/// Nothing that is estimated is certain.
const MOST: f64 = 0.99;

/// Returns the confidence of a verdict whose deciding statistic lies `margin` beyond its line and has done so for
/// `seconds`.
#[must_use]
pub fn of(margin: f64, seconds: f64, caveats: &[Caveat]) -> f64 {
    let margin = if margin.is_finite() { margin.clamp(LEAST_MARGIN, MOST_MARGIN) } else { LEAST_MARGIN };
    let doubts = caveats.iter().filter(|caveat| bears_on_figures(**caveat)).count() as f64;
    let logit = AT_THE_LINE + PER_MARGIN * margin + PER_TIME * (seconds.max(0.0) / 10.0).ln_1p() - PER_CAVEAT * doubts;
    (1.0 / (1.0 + (-logit).exp())).min(MOST)
}

/// Tells whether a caveat makes the figures doubtful; the others only say what cannot be known besides.
const fn bears_on_figures(caveat: Caveat) -> bool {
    matches!(
        caveat,
        Caveat::OneSided
            | Caveat::CaptureLoss
            | Caveat::Shed
            | Caveat::Duplicates
            | Caveat::EstimatesDiffer
            | Caveat::ServerSilent
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clear_lasting_evidence_is_held_more_surely() {
        let at_the_line = of(0.0, 10.0, &[]);
        assert!((0.65..0.75).contains(&at_the_line), "{at_the_line}");
        assert!(of(4.0, 10.0, &[]) > 0.95);
        assert!(of(1.0, 60.0, &[]) > of(1.0, 2.0, &[]));
        assert!(of(1.0, 10.0, &[Caveat::CaptureLoss]) < of(1.0, 10.0, &[Caveat::ColdStart]));
        assert!(of(f64::NAN, 0.0, &[]) < 0.5 && of(f64::INFINITY, 1e9, &[]) <= 0.99);
    }
}
