//! Alert lines raised by the site's own quiet time (DETECTION 1.6; SPOT, Siffer et al., KDD 2017).
//!
//! The budget's line holds as long as the true rate stays under the envelope. Where a site's nature breaks that promise
//! now and then, its quiet evidence has a heavier tail, and this finds it: per class of detectors, over all subjects, the
//! largest evidence of each five minutes above the 99.95 % quantile, a generalised Pareto tail through it, and from that
//! the line that quiet time crosses no oftener than the class's share of the budget. Lines are raised, never lowered, at
//! most twofold a day; what would go further widens the envelopes instead, which is where the promise broke.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::kind::AlertKind;
use crate::time::Tick;
use crate::window::pareto::Pareto;

/// Classes of detectors, with their share of the budget.
pub const SHARES: [f64; 5] = [0.3, 0.2, 0.2, 0.2, 0.1];

/// Number of classes.
pub const CLASSES: usize = SHARES.len();

/// Steps of the histogram: a twentieth of a decade, up to twenty.
const STEP: f64 = 0.05;
const STEPS: usize = 400;

/// Samples before a quantile of 99.95 % means anything: ten above it.
const LEAST_SAMPLES: u64 = 20_000;

/// Ticks of a block, of which one peak is kept: five minutes. Blocks kept: a fortnight. Blocks in a week.
const BLOCK: u64 = 1_200;
const BLOCKS: usize = 4_032;
const BLOCKS_A_WEEK: f64 = 2_016.0;

/// Ticks between two fits: a day.
const DAY: u64 = 345_600;

/// A line is raised to this many times the budget's at most: sequential evidence ends at 19.5 decades, twice the usual line.
const MOST_TIMES: f64 = 1.6;

/// What an envelope is widened by when a line is at its limit, in spreads, and by how much in all.
const WIDEN: f64 = 0.5;
const MOST_WIDER: f64 = 2.0;

/// Returns the class of a kind: floods of handshakes, of datagrams and stray packets, surges from abroad, crowds, the rest.
#[must_use]
pub const fn class(kind: AlertKind) -> usize {
    match kind {
        AlertKind::SynFlood => 0,
        AlertKind::UdpFlood
        | AlertKind::Amplification
        | AlertKind::IcmpFlood
        | AlertKind::FragmentFlood
        | AlertKind::TcpFlagFlood
        | AlertKind::CarpetBombing => 1,
        AlertKind::ForeignSurge => 2,
        AlertKind::RoboticSurge | AlertKind::ConnectionExhaustion | AlertKind::Rush | AlertKind::Overload => 3,
        _ => 4,
    }
}

/// The evidence of one subject since it was last asked, by class, in decades.
pub type Evidence = [f64; CLASSES];

/// The quiet evidence of all classes, and what follows from it.
#[derive(Clone, Debug)]
pub struct Calibration {
    budget: f64,
    line: f64,
    classes: [Class; CLASSES],
    wider: f64,
    fitted: Option<u64>,
}

#[derive(Clone, Debug)]
struct Class {
    counts: Vec<u32>,
    samples: u64,
    /// Largest evidence of each block.
    peaks: VecDeque<f32>,
    block: Option<(u64, f64)>,
    /// The line in force; 0 while the budget's own is.
    raised: f64,
}

impl Default for Class {
    fn default() -> Self {
        Self { counts: vec![0; STEPS], samples: 0, peaks: VecDeque::new(), block: None, raised: 0.0 }
    }
}

/// What is kept of a calibration over a restart.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CalibrationMemory {
    classes: Vec<(Vec<u32>, Vec<f32>, f64)>,
    wider: f64,
}

impl Calibration {
    /// Begins with nothing known: `budget` false alarms a week, and the line that follows from it, in decades.
    #[must_use]
    pub fn new(budget: f64, line: f64) -> Self {
        Self { budget, line, classes: Default::default(), wider: 0.0, fitted: None }
    }

    /// Takes ten seconds of one subject's quiet evidence; what fires is not quiet, and not to be given.
    pub fn observe(&mut self, tick: Tick, evidence: &Evidence) {
        for (class, evidence) in self.classes.iter_mut().zip(evidence) {
            class.observe(tick.number() / BLOCK, *evidence);
        }
    }

    /// Fits anew once a day; tells whether a line or the width has changed.
    pub fn advance(&mut self, tick: Tick) -> bool {
        let day = tick.number() / DAY;
        if self.fitted.replace(day).is_none_or(|last| last == day) {
            return false;
        }
        let (before, wider) = (self.lines(), self.wider);
        let most = MOST_TIMES * self.line;
        let mut at_limit = false;
        for (class, share) in self.classes.iter_mut().zip(SHARES) {
            let Some(wanted) = class.line(share * self.budget) else { continue };
            let now = class.raised.max(self.line);
            if wanted > now {
                class.raised = wanted.min(2.0 * now).min(most);
                at_limit |= wanted > most;
            }
        }
        if at_limit {
            self.wider = (self.wider + WIDEN).min(MOST_WIDER);
        }
        before != self.lines() || wider < self.wider
    }

    /// Returns the lines of the classes, in decades; 0 where the budget's own is in force.
    #[must_use]
    pub fn lines(&self) -> [f64; CLASSES] {
        self.classes.each_ref().map(|class| class.raised)
    }

    /// Returns by how many spreads the envelopes are widened.
    #[must_use]
    pub const fn wider(&self) -> f64 {
        self.wider
    }

    /// Returns what is to be kept.
    #[must_use]
    pub fn memory(&self) -> CalibrationMemory {
        let class = |class: &Class| (class.counts.clone(), class.peaks.iter().copied().collect(), class.raised);
        CalibrationMemory { classes: self.classes.iter().map(class).collect(), wider: self.wider }
    }

    /// Takes what was kept, all of it or nothing; tells whether it did.
    pub fn recall(&mut self, memory: CalibrationMemory) -> bool {
        let fine = memory.classes.len() == CLASSES
            && (0.0..=MOST_WIDER).contains(&memory.wider)
            && memory.classes.iter().all(|(counts, peaks, raised)| {
                counts.len() == STEPS
                    && peaks.len() <= BLOCKS
                    && peaks.iter().all(|peak| (0.0..=300.0).contains(peak))
                    && (0.0..=300.0).contains(raised)
            });
        if !fine {
            return false;
        }
        self.wider = memory.wider;
        for (class, (counts, peaks, raised)) in self.classes.iter_mut().zip(memory.classes) {
            let samples = counts.iter().map(|count| u64::from(*count)).sum();
            let raised = raised.min(MOST_TIMES * self.line);
            *class = Class { counts, samples, peaks: peaks.into(), block: None, raised };
        }
        true
    }
}

impl Class {
    #[expect(clippy::cast_possible_truncation, reason = "bounded to the histogram; seven digits do")]
    fn observe(&mut self, block: u64, evidence: f64) {
        let step = ((evidence / STEP) as usize).min(STEPS - 1);
        self.counts[step] = self.counts[step].saturating_add(1);
        self.samples += 1;
        match &mut self.block {
            Some((current, largest)) if *current == block => *largest = largest.max(evidence),
            under_way => {
                if let Some((_, largest)) = under_way.replace((block, evidence)) {
                    if self.peaks.len() == BLOCKS {
                        self.peaks.pop_front();
                    }
                    self.peaks.push_back(largest as f32);
                }
            }
        }
    }

    /// Returns the line that quiet time crosses `budget` times a week; `None` while too little is known.
    fn line(&self, budget: f64) -> Option<f64> {
        if self.samples < LEAST_SAMPLES {
            return None;
        }
        let threshold = self.threshold();
        let peaks = self.peaks.iter().map(|peak| f64::from(*peak) - threshold).filter(|excess| *excess > 0.0);
        let excesses: Vec<f64> = peaks.collect();
        let a_week = excesses.len() as f64 / self.peaks.len() as f64 * BLOCKS_A_WEEK;
        Some(threshold + Pareto::fit(&excesses)?.exceeded_once_in(a_week / budget))
    }

    /// The 99.95 % quantile, to a step of the histogram.
    fn threshold(&self) -> f64 {
        let mut above = 0;
        let allowed = self.samples / 2_000;
        let step = self.counts.iter().rposition(|count| {
            above += u64::from(*count);
            above > allowed
        });
        step.map_or(0.0, |step| (step + 1) as f64 * STEP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::mix;

    /// The budget's line in these tests.
    const LINE: f64 = 5.5;

    fn uniform(n: u64, key: u64) -> f64 {
        (mix(n.wrapping_mul(0x9e37_79b9), key) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Evidence as an unruly site gives it: a slow, autocorrelated mood, and bursts with a heavy tail, so that what the
    /// budget's line allows once in centuries comes every few days.
    fn unruly(sample: u64, key: u64) -> f64 {
        let mood = uniform(sample / 30, key);
        let burst = uniform(sample, key + 1_000).max(1e-9);
        if mood < 0.01 { 0.6 * (burst.powf(-0.15) - 1.0) / 0.15 } else { 0.3 * burst }
    }

    /// Runs `keys` subjects over ten-second samples; returns the blocks of a pooled subject that cross a line.
    fn episodes(samples: std::ops::Range<u64>, keys: u64, line: f64) -> usize {
        let mut blocks: Vec<u64> = samples
            .flat_map(|sample| (0..keys).map(move |key| (sample, key)))
            .filter(|(sample, key)| unruly(*sample, *key) >= line)
            .map(|(sample, _)| sample / 30)
            .collect();
        blocks.dedup();
        blocks.len()
    }

    fn calibrated(budget: f64, days: u64, keys: u64) -> Calibration {
        let mut calibration = Calibration::new(budget, LINE);
        for sample in 0..days * 8_640 + 1 {
            let tick = Tick::new(sample * 40);
            calibration.advance(tick);
            for key in 0..keys {
                let mut evidence = Evidence::default();
                evidence[0] = unruly(sample, key);
                calibration.observe(tick, &evidence);
            }
        }
        calibration
    }

    #[test]
    fn three_quiet_days_keep_the_budget_of_the_week_after() {
        let keys = 20;
        let week = 3 * 8_640..10 * 8_640;
        let uncalibrated = episodes(week.clone(), keys, LINE);
        // The class has three tenths of the budget.
        for budget in [20.0, 40.0] {
            let line = calibrated(budget, 3, keys).lines()[0];
            let found = episodes(week.clone(), keys, line);
            assert!(line > LINE && (found as f64) <= 2.0 * 0.3 * budget + 2.0, "{found} of {budget} at {line}");
            assert!(uncalibrated > 2 * found, "{uncalibrated} before, {found} after");
        }
    }

    #[test]
    fn a_quiet_site_keeps_the_line_of_the_budget() {
        let mut calibration = Calibration::new(1.0, 9.3);
        for sample in 0..4 * 8_640_u64 {
            calibration.advance(Tick::new(sample * 40));
            calibration.observe(Tick::new(sample * 40), &[0.3 * uniform(sample, 1); CLASSES]);
        }
        assert_eq!(calibration.lines(), [0.0; CLASSES]);
        assert_eq!(calibration.wider(), 0.0);
    }

    #[test]
    fn a_line_at_its_limit_widens_the_envelope_instead() {
        let mut calibration = Calibration::new(0.01, LINE);
        for sample in 0..8 * 8_640_u64 {
            calibration.advance(Tick::new(sample * 40));
            for key in 0..20 {
                calibration.observe(Tick::new(sample * 40), &[unruly(sample, key); CLASSES]);
            }
        }
        assert!((calibration.lines()[0] - MOST_TIMES * LINE).abs() < 1e-9, "{:?}", calibration.lines());
        assert_eq!(calibration.wider(), MOST_WIDER);
    }

    #[test]
    fn minutes_teach_nothing() {
        let mut calibration = Calibration::new(1.0, 9.3);
        (0..60).for_each(|sample| calibration.observe(Tick::new(sample * 40), &[8.0; CLASSES]));
        assert!(!calibration.advance(Tick::new(2 * DAY)) && !calibration.advance(Tick::new(3 * DAY)));
        assert_eq!(calibration.lines(), [0.0; CLASSES]);
    }

    #[test]
    fn what_was_kept_comes_back_and_nonsense_does_not() {
        let before = calibrated(20.0, 2, 5);
        let mut after = Calibration::new(20.0, LINE);
        assert!(after.recall(before.memory()));
        assert_eq!(after.lines(), before.lines());
        let mut memory = before.memory();
        memory.classes[0].2 = f64::NAN;
        assert!(!after.recall(memory));
        let mut memory = before.memory();
        memory.classes.pop();
        assert!(!after.recall(memory));
    }
}
