//! A z-score against an exponentially weighted mean and variance (Roberts 1959; West 1979 for the variance).

use super::{ARMED_AFTER, Detector, LEAST_PACKETS, Second};

/// Time constant in seconds.
const MEMORY: f64 = 60.0;

/// Standard deviations that alarm.
const LINE: f64 = 4.0;

/// Mean and variance so far.
#[derive(Debug, Default)]
pub(super) struct Ewma {
    seconds: usize,
    mean: f64,
    variance: f64,
}

impl Detector for Ewma {
    fn is_alarmed(&mut self, second: &Second) -> bool {
        // The Poisson floor: at no spread any deviation would be infinite.
        let deviation = self.variance.max(self.mean).max(1.0).sqrt();
        let difference = second.packets - self.mean;
        let alarmed = self.seconds >= ARMED_AFTER && second.packets > LEAST_PACKETS && difference > LINE * deviation;
        // The first seconds weigh alike, so that the mean does not hang on the very first.
        let gain = (1.0 / MEMORY).max(1.0 / (self.seconds as f64 + 1.0));
        self.mean += gain * difference;
        self.variance = (1.0 - gain) * (self.variance + gain * difference * difference);
        self.seconds += 1;
        alarmed
    }
}
