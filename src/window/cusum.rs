//! Envelope CUSUM: a bank of likelihood-ratio tests against the upper envelope of the baseline.
//!
//! For counts with conditional mean at most `mu_hi`, and for shares of at most `p_hi`, each step's likelihood ratio has
//! expectation at most one whatever the dependence, so the mean time to a false alarm at level h is at least e^h ticks
//! (Page 1954; Lorden 1971; e-detectors: Shin, Ramdas & Rinaldo 2023). An ordinary CUSUM around the mean loses that
//! guarantee under autocorrelation (DETECTION 1.4, simulated). Capping a step from above only lowers the expectation.

use std::f64::consts::LN_2;

use crate::time::Tick;

/// Rate alternatives: the rate is this many times the envelope.
pub const RATE_ALTERNATIVES: [f64; 3] = [1.3, 2.0, 4.0];

/// Their logarithms, which some hundred series ask for in every tick.
const RATE_LOGARITHMS: [f64; 3] = [0.262_364_264_467_491_06, LN_2, 2.0 * LN_2];

/// Largest evidence of one tick in nats: 4 makes an alarm need six ticks, so that one bad tick never does (DETECTION 1.4).
pub const STEP_CAP: f64 = 4.0;

/// Largest evidence of one tick when a second, independent sign is present (DETECTION 0.2).
pub const STEP_CAP_CORROBORATED: f64 = 8.0;

/// Evidence is not piled up beyond this, so that the end of an event is seen: twice the usual alert line.
const CEILING: f64 = 45.0;

/// What a failure and its absence say for each alternative to a share, in nats. The envelope changes once in ten seconds.
#[derive(Clone, Debug, Default)]
pub struct Odds {
    p_hi: f64,
    nats: [[f64; 2]; 3],
}

impl Odds {
    fn at(&mut self, p_hi: f64) -> [[f64; 2]; 3] {
        let p_hi = p_hi.clamp(1e-4, 0.99);
        if self.p_hi != p_hi {
            let alternatives = [p_hi + 0.05, p_hi + 0.15, (p_hi + 0.3).max(0.5)].map(|p| p.min(0.995).max(p_hi));
            *self = Self { p_hi, nats: alternatives.map(|p| [(p / p_hi).ln(), ((1.0 - p) / (1.0 - p_hi)).ln()]) };
        }
        self.nats
    }
}

/// Three likelihood-ratio CUSUMs and the ticks at which each last stood at zero.
#[derive(Clone, Debug, Default)]
pub struct Bank {
    sums: [f64; 3],
    zero_at: [Tick; 3],
}

impl Bank {
    /// Adds one tick's log-likelihood ratios.
    fn step(&mut self, tick: Tick, ratios: [f64; 3], cap: f64) {
        for ((sum, zero_at), ratio) in self.sums.iter_mut().zip(&mut self.zero_at).zip(ratios) {
            if *sum == 0.0 {
                // Not always known: a bank may be new, or have had no case for long.
                *zero_at = tick;
            }
            *sum = (*sum + ratio.min(cap)).clamp(0.0, CEILING);
            if *sum == 0.0 {
                *zero_at = tick.next();
            }
        }
    }

    /// Tells whether there is no evidence at all.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        let [near, middle, far] = self.sums;
        near == 0.0 && middle == 0.0 && far == 0.0
    }

    /// Takes a tick in which nothing was counted while there was no evidence, whatever is usual: the same as
    /// [`Self::observe_count`], which then subtracts from zero. Most countries of most subjects are silent.
    pub fn rest(&mut self, tick: Tick) {
        self.zero_at = [tick.next(); 3];
    }

    /// Takes a count of one tick whose mean is at most `mu_hi` by the baseline (Poisson form).
    pub fn observe_count(&mut self, tick: Tick, count: f64, mu_hi: f64, cap: f64) {
        let mu_hi = mu_hi.max(f64::MIN_POSITIVE);
        let ratio = |which| count * RATE_LOGARITHMS[which] - (RATE_ALTERNATIVES[which] - 1.0) * mu_hi;
        self.step(tick, [ratio(0), ratio(1), ratio(2)], cap);
    }

    /// Takes `x` failures of `n`, whose share is at most `p_hi` by the baseline; `n` is capped at 200 by scaling both.
    pub fn observe_share(&mut self, tick: Tick, x: f64, n: f64, p_hi: f64, cap: f64) {
        self.observe_share_by(tick, x, n, &mut Odds::default(), p_hi, cap);
    }

    /// The same with logarithms that are kept from one tick to the next.
    pub fn observe_share_by(&mut self, tick: Tick, x: f64, n: f64, odds: &mut Odds, p_hi: f64, cap: f64) {
        const MOST: f64 = 200.0;
        if n <= 0.0 {
            return;
        }
        if x <= 0.0 && self.is_at_rest() {
            // Nothing failed: each alternative is less likely than before, and was not likely.
            self.rest(tick);
            return;
        }
        let scale = (MOST / n).min(1.0);
        let (x, n) = ((x * scale).clamp(0.0, n * scale), n * scale);
        let ratios = odds.at(p_hi).map(|[fails, holds]| x * fails + (n - x) * holds);
        self.step(tick, ratios, cap);
    }

    /// Returns the evidence in nats: the logarithm of the mean likelihood ratio of the bank.
    #[must_use]
    pub fn nats(&self) -> f64 {
        if self.is_at_rest() {
            return 0.0;
        }
        let largest = self.sums.iter().copied().fold(0.0, f64::max);
        largest + (self.sums.iter().map(|sum| (sum - largest).exp()).sum::<f64>() / 3.0).ln().max(-largest)
    }

    /// Returns the evidence in decades.
    #[must_use]
    pub fn decades(&self) -> f64 {
        self.nats() / std::f64::consts::LN_10
    }

    /// Returns the first tick that the leading alternative explains.
    #[must_use]
    pub fn onset(&self) -> Tick {
        let leading = (0..3).fold(0, |best, i| if self.sums[i] > self.sums[best] { i } else { best });
        self.zero_at[leading]
    }

    /// Forgets everything, as after a gap.
    pub fn clear(&mut self, tick: Tick) {
        *self = Self { sums: [0.0; 3], zero_at: [tick; 3] };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small generator for tests (Vigna's splitmix64), so that run lengths are reproducible.
    struct Random(u64);

    impl Random {
        fn uniform(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
        }

        fn poisson(&mut self, mean: f64) -> f64 {
            let (limit, mut product, mut count) = ((-mean).exp(), self.uniform(), 0.0);
            while product > limit {
                product *= self.uniform();
                count += 1.0;
            }
            count
        }

        fn binomial(&mut self, n: u32, p: f64) -> f64 {
            (0..n).filter(|_| self.uniform() < p).count() as f64
        }
    }

    /// Mean ticks to an alarm at `h` nats, over 200,000 ticks at most.
    fn run_length(h: f64, mut step: impl FnMut(&mut Bank, Tick)) -> f64 {
        let (mut bank, mut alarms, ticks) = (Bank::default(), 0.0_f64, 200_000);
        for n in 0..ticks {
            step(&mut bank, Tick::new(n));
            if bank.nats() >= h {
                alarms += 1.0;
                bank.clear(Tick::new(n));
            }
        }
        ticks as f64 / alarms.max(1.0)
    }

    #[test]
    fn counts_at_the_envelope_keep_the_promised_run_length() {
        let mut random = Random(7);
        let length = run_length(6.0, |bank, tick| {
            let count = random.poisson(10.0);
            bank.observe_count(tick, count, 10.0, STEP_CAP);
        });
        assert!(length >= 6.0_f64.exp(), "mean run length {length}");
    }

    #[test]
    fn evidence_begins_with_the_first_tick_that_gives_some() {
        let mut bank = Bank::default();
        bank.observe_share(Tick::new(1_000), 9.0, 10.0, 0.2, STEP_CAP);
        bank.observe_share(Tick::new(1_001), 9.0, 10.0, 0.2, STEP_CAP);
        assert_eq!(bank.onset(), Tick::new(1_000), "a new bank knows of no tick before");
        let mut bank = Bank::default();
        bank.observe_share(Tick::new(1_000), 0.0, 10.0, 0.2, STEP_CAP);
        bank.observe_share(Tick::new(5_000), 9.0, 10.0, 0.2, STEP_CAP);
        assert_eq!(bank.onset(), Tick::new(5_000), "ticks without a case show nothing");
    }

    #[test]
    fn logarithms_are_those_of_the_alternatives() {
        assert_eq!(RATE_LOGARITHMS, RATE_ALTERNATIVES.map(f64::ln));
    }

    #[test]
    fn a_silent_tick_at_rest_is_a_count_of_zero() {
        for usual in [0.0, 1e-300, 5.0, f64::INFINITY, f64::NAN] {
            let (mut counted, mut rested) = (Bank::default(), Bank::default());
            counted.observe_count(Tick::new(7), 0.0, usual, STEP_CAP);
            rested.rest(Tick::new(7));
            assert_eq!(format!("{counted:?}"), format!("{rested:?}"));
            assert!(rested.is_at_rest() && rested.nats() == 0.0);
        }
    }

    #[test]
    fn shares_are_tested_the_same_with_odds_that_were_kept() {
        let (mut random, mut odds) = (Random(17), Odds::default());
        let (mut kept, mut anew) = (Bank::default(), Bank::default());
        for n in 0..10_000 {
            let (tick, usual) = (Tick::new(n), [0.0, 0.05, 0.3, 1.0][(n / 40 % 4) as usize]);
            let failed = if n % 400 < 200 { 0.0 } else { random.binomial(40, 0.1) };
            kept.observe_share_by(tick, failed, 40.0, &mut odds, usual, STEP_CAP);
            // What an alternative says of a tick without a failure is never good for it.
            let ratios = Odds::default().at(usual).map(|[fails, holds]| failed * fails + (40.0 - failed) * holds);
            anew.step(tick, ratios, STEP_CAP);
            assert_eq!(format!("{kept:?}"), format!("{anew:?}"));
        }
    }

    #[test]
    fn correlated_counts_below_the_envelope_keep_the_promised_run_length() {
        let (mut random, mut noise) = (Random(11), 0.0);
        let length = run_length(6.0, |bank, tick| {
            noise = 0.98 * noise + 0.02 * (random.uniform() - 0.5) * 10.0;
            let mean = (10.0_f64 * f64::exp(f64::clamp(noise, -0.4, 0.4))).min(15.0);
            let count = random.poisson(mean);
            bank.observe_count(tick, count, 15.0, STEP_CAP);
        });
        assert!(length >= 6.0_f64.exp(), "mean run length {length}");
    }

    #[test]
    fn shares_at_the_envelope_keep_the_promised_run_length() {
        let mut random = Random(13);
        let length = run_length(6.0, |bank, tick| {
            let failures = random.binomial(40, 0.05);
            bank.observe_share(tick, failures, 40.0, 0.05, STEP_CAP);
        });
        assert!(length >= 6.0_f64.exp(), "mean run length {length}");
    }

    #[test]
    fn a_doubled_rate_alarms_in_six_ticks_and_names_its_start() {
        let mut bank = Bank::default();
        for n in 0..100 {
            bank.observe_count(Tick::new(n), 100.0, 130.0, STEP_CAP);
        }
        let mut ticks = 0;
        while bank.nats() < 22.7 {
            bank.observe_count(Tick::new(100 + ticks), 260.0, 130.0, STEP_CAP);
            ticks += 1;
        }
        assert!(ticks <= 7, "{ticks} ticks");
        assert_eq!(bank.onset(), Tick::new(100));
    }

    #[test]
    fn one_tick_alone_never_alarms() {
        let mut bank = Bank::default();
        bank.observe_count(Tick::new(1), 1e9, 1.0, STEP_CAP_CORROBORATED);
        assert!(bank.nats() < 9.0);
    }

    #[test]
    fn nothing_seen_is_no_evidence() {
        let mut bank = Bank::default();
        bank.observe_share(Tick::new(1), 0.0, 0.0, 0.05, STEP_CAP);
        assert_eq!(bank.nats(), 0.0);
        bank.observe_count(Tick::new(1), 0.0, 0.0, STEP_CAP);
        assert_eq!(bank.nats(), 0.0);
    }
}
