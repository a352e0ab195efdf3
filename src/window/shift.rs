//! The share of one origin among all that come, with the rate behind it: what grows with everybody is no shift (FOR-2).

use crate::time::Tick;
use crate::window::rate::Rate;
use crate::window::series::ShareSeries;

/// Largest dispersion put down to visits of several connections.
const MOST_DISPERSION: f64 = 6.0;

/// A share and its rate.
#[derive(Clone, Debug, Default)]
pub struct Shift {
    /// How many come from there.
    pub rate: Rate,
    /// Which share of all that is.
    pub share: ShareSeries,
}

impl Shift {
    /// Takes one tick's `part` of `whole` (weighted), of which a fraction `raw` was really counted; `cap` as
    /// for [`crate::window::series::RateSeries::observe`].
    pub fn observe(&mut self, tick: Tick, part: f64, whole: f64, raw: f64, cap: f64) {
        self.rate.count(super::whole(part));
        if whole <= 0.0 {
            // Nothing to take a share of, and nothing is tested.
            self.share.observe(tick, part, whole, raw, None, cap);
            return;
        }
        let (dispersion, slow) = self.dispersion();
        let envelope = self.share.level().log_envelope(slow);
        self.share.set_dispersion(dispersion);
        self.share.observe(tick, part, whole, raw, envelope, cap);
    }

    /// Splits the spread of ten-second shares into what counting explains and what it does not.
    ///
    /// One visit is several connections, so counts vary by more than chance: by the dispersion, variance over mean, here
    /// at most six. The test divides its counts by it (quasi-likelihood, Wedderburn 1974); only the rest of the spread is
    /// slow noise that widens the envelope.
    fn dispersion(&self) -> (f64, f64) {
        let spread = self.share.level().relative_spread();
        let count = self.rate.usual().map_or(1.0, |usual| (10.0 * usual).max(1.0));
        let dispersion = (spread * spread * count).clamp(1.0, MOST_DISPERSION);
        (dispersion, (spread * spread - dispersion / count).max(0.0).sqrt())
    }

    /// Learns from the last ten seconds, with a weight of 0 to 1.
    pub fn learn(&mut self, weight: f64) {
        self.rate.learn(weight);
        self.share.learn(weight);
    }

    /// Restarts windows and tests after a gap; levels stay.
    pub fn restart(&mut self, tick: Tick) {
        self.rate.restart();
        self.share.restart(tick);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::cusum::STEP_CAP;

    fn run(shift: &mut Shift, from: u64, ticks: u64, part: f64, whole: f64) {
        for n in from..from + ticks {
            shift.observe(Tick::new(n), part, whole, 1.0, STEP_CAP);
            if Tick::new(n).closes_period(40) {
                shift.learn(if n < 800 { 1.0 } else { 0.0 });
            }
        }
    }

    #[test]
    fn what_grows_with_everybody_is_no_shift() {
        let mut shift = Shift::default();
        run(&mut shift, 0, 800, 2.0, 40.0);
        run(&mut shift, 800, 80, 20.0, 400.0);
        assert!(shift.share.decades() < 1.0, "{}", shift.share.decades());
    }

    #[test]
    fn a_tripled_share_is_one_within_seconds() {
        let mut shift = Shift::default();
        run(&mut shift, 0, 800, 2.0, 40.0);
        run(&mut shift, 800, 28, 6.0, 44.0);
        assert!(shift.share.decades() > 9.3, "{}", shift.share.decades());
        assert!(shift.share.onset() >= Tick::new(798));
    }
}
