//! Wang, Zhang & Shin 2002, "Detecting SYN flooding attacks": each connection that opens should close. The difference of
//! SYNs and FINs in a period, over the mean number of FINs, is summed as far as it exceeds `a`; the sum alarms above `N`.

use super::{Detector, Second};

/// Seconds in a period.
const PERIOD: u32 = 20;

/// What the difference may be at most in ordinary times.
const A: f64 = 0.35;

/// The sum that alarms.
const N: f64 = 1.05;

/// Weight of the past in the mean number of FINs.
const KEPT: f64 = 0.9;

/// The sum and the period under way.
#[derive(Debug, Default)]
pub(super) struct SynFin {
    second: u32,
    opening: f64,
    closing: f64,
    usual: Option<f64>,
    sum: f64,
}

impl Detector for SynFin {
    fn is_alarmed(&mut self, second: &Second) -> bool {
        self.opening += second.opening;
        self.closing += second.closing;
        self.second += 1;
        if self.second == PERIOD {
            self.end_period();
        }
        self.sum > N
    }
}

impl SynFin {
    fn end_period(&mut self) {
        // Without FINs there is nothing to compare with: one connection a second is the least.
        let usual = self.usual.unwrap_or(self.closing).max(f64::from(PERIOD));
        let excess = (self.opening - self.closing) / usual;
        self.sum = (self.sum + excess - A).max(0.0);
        self.usual = Some(KEPT * usual + (1.0 - KEPT) * self.closing);
        (self.second, self.opening, self.closing) = (0, 0.0, 0.0);
    }
}
