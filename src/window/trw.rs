//! The threshold random walk: does who contacts others for the first time fail more often than ordinary clients do?
//!
//! Wald's sequential test of two shares of failures (Jung, Paxson, Berger & Balakrishnan, "Fast Portscan Detection Using
//! Sequential Hypothesis Testing", IEEE S&P 2004): first contacts succeed with probability .8 for an ordinary client and .2
//! for a scanner, so that each failure multiplies the likelihood ratio by 4 and each success divides it by 4. The walk is
//! therefore kept as a whole number, failures less successes. The upper line is beta / alpha with alpha 1e-5 and beta .99.
//! At the lower one, (1 - beta) / (1 - alpha), the source is held to be ordinary and the walk stays there, so that a
//! client that turns into a scanner is found a few failures later. Assumes that first contacts are told apart from
//! repeated ones (the caller's part) and fail independently; a dead service breaks that, which is why the caller also
//! asks for breadth.

use crate::time::Tick;

/// Failures less successes at which the source is held to be ordinary: 4^-4 < .01 / .99999.
const ORDINARY: i32 = -4;

/// The walk goes no higher: 4^400 is 240 decades.
const HIGHEST: i32 = 400;

/// log10 of the factor of one outcome.
const STEP: f64 = 0.602_059_991_327_962_4;

/// False-alarm and detection probability of the test (Jung et al. 2004 use the same order).
const ALPHA: f64 = 1e-5;
const BETA: f64 = 0.99;

/// The walk of one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Walk {
    net: i32,
    /// First tick after the walk last stood at or below zero.
    onset: Tick,
}

impl Walk {
    /// Takes the outcome of a first contact.
    pub fn step(&mut self, now: Tick, failed: bool) {
        if failed && self.net <= 0 {
            self.onset = now;
        }
        self.net = (self.net + if failed { 1 } else { -1 }).clamp(ORDINARY, HIGHEST);
    }

    /// Returns the evidence for a scanner in decades; zero while there is none.
    #[must_use]
    pub fn decades(&self) -> f64 {
        f64::from(self.net.max(0)) * STEP
    }

    /// Returns the line in decades: log10(beta / alpha) = 5.0, nine failures more than successes.
    #[must_use]
    pub fn line() -> f64 {
        (BETA / ALPHA).log10()
    }

    /// Returns when the failures began that make the evidence.
    #[must_use]
    pub const fn onset(&self) -> Tick {
        self.onset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(state: &mut u64) -> f64 {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Contacts until the line is crossed, of at most `most`, with a share of `failing` failures.
    fn run(state: &mut u64, failing: f64, most: u32) -> Option<u32> {
        let mut walk = Walk::default();
        (1..=most).find(|_| {
            walk.step(Tick::new(1), random(state) < failing);
            walk.decades() >= Walk::line()
        })
    }

    #[test]
    fn nine_failures_in_a_row_make_a_scanner() {
        let mut state = 1;
        assert_eq!(run(&mut state, 1.1, 100), Some(9));
        assert_eq!(run(&mut state, -0.1, 100), None);
    }

    #[test]
    fn scanners_are_found_and_ordinary_clients_are_not_within_walds_bounds() {
        let mut state = 7;
        let found: Vec<u32> = (0..20_000).filter_map(|_| run(&mut state, 0.8, 1_000)).collect();
        assert!(found.len() >= 19_800, "beta is at least .99: {} of 20,000", found.len());
        // Wald's mean sample number for a scanner: (net steps at the line) / (.8 - .2) = 15.
        let mean = found.iter().map(|n| f64::from(*n)).sum::<f64>() / found.len() as f64;
        assert!((14.0..17.0).contains(&mean), "{mean}");
        // Wald's bound on a false alarm of one test, 1e-5. The walk begins anew each time it is held to be ordinary, which
        // happens within some seven contacts: over 30 contacts at most ten tests.
        let wrong = (0..200_000).filter(|_| run(&mut state, 0.2, 30).is_some()).count();
        assert!(wrong <= 30, "{wrong} of 200,000");
    }

    #[test]
    fn a_client_that_turns_into_a_scanner_is_found_a_few_failures_later() {
        let mut walk = Walk::default();
        (0..10_000).for_each(|_| walk.step(Tick::new(1), false));
        (0..13).for_each(|n| walk.step(Tick::new(10 + n), true));
        assert!(walk.decades() >= Walk::line());
        assert_eq!(walk.onset(), Tick::new(14), "the walk rose above zero with the fifth failure");
    }
}
