//! How long to wait before the next attempt: exponential back-off with full jitter, so that many sensors do not come back
//! to a receiver at the same moment (M. Brooker, "Exponential Backoff And Jitter", AWS 2015).

use std::time::Duration;

/// The wait after the first failure is up to this.
const BASE: Duration = Duration::from_millis(500);

/// No wait is longer.
const MOST: Duration = Duration::from_secs(30);

/// Waits of one row of failures.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Returns the next wait, between nothing and a ceiling that doubles with each failure; `random` is uniform.
    pub(super) fn next(&mut self, random: u32) -> Duration {
        let ceiling = BASE.saturating_mul(1 << self.failures.min(16)).min(MOST);
        self.failures = self.failures.saturating_add(1);
        ceiling.mul_f64(f64::from(random) / f64::from(u32::MAX))
    }

    /// Begins anew after a success.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

/// Returns a uniform number from the system.
pub(super) fn random() -> u32 {
    let mut bytes = [0; 4];
    // Without randomness all sensors wait the longest, which is as safe.
    match ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes) {
        Ok(()) => u32::from_le_bytes(bytes),
        Err(_) => u32::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_doubles_up_to_half_a_minute_and_begins_anew() {
        let mut backoff = Backoff::default();
        let ceilings: Vec<u128> = (0..9).map(|_| backoff.next(u32::MAX).as_millis()).collect();
        assert_eq!(ceilings, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
        backoff.reset();
        assert_eq!(backoff.next(u32::MAX / 2 + 1).as_millis(), 250);
    }

    #[test]
    fn no_number_of_failures_overflows() {
        let mut backoff = Backoff { failures: u32::MAX - 1 };
        assert_eq!(backoff.next(u32::MAX), MOST);
        assert_eq!(backoff.next(0), Duration::ZERO);
    }
}
