//! How long clients wait for a host's first byte after their own, or for its later answers: the sign of a slow application
//! (DETECTION 2.5, SYN-6).
//!
//! Shards count waits in classes of powers of two of a millisecond. A wait is late when it is four times the usual median at
//! least, and a quarter of a second. The share of late ones is tested against its own usual value: an application that
//! holds requests by design sets its own measure.

use crate::time::Tick;
use crate::window::ring::Ring;
use crate::window::series::{ShareSeries, WINDOW};

/// Classes of a wait: class i is [2^(i-1), 2^i) ms, class 0 below 1 ms, the last one open.
pub const CLASSES: usize = 16;

/// Waits of one kind, by class.
pub type Waits = [u64; CLASSES];

/// Classes above the usual median from which a wait is late, and the first class that can be: 256 ms.
const ABOVE: usize = 2;
const LATE_FROM: usize = 9;

/// First class of waits that interrupt a person's flow of thought, from one second (Nielsen 1993, ch. 5).
const KEPT_FROM: usize = 11;

/// Waits from which a median is told, and those at which older ones fade by half.
const ENOUGH: u64 = 50;
const FADE_AT: u64 = 50_000;

/// Share of late waits that is usual at most while nothing is known.
const LATE_FLOOR: f64 = 0.2;

/// The windows.
#[derive(Clone, Debug, Default)]
pub struct FirstByte {
    /// Since the last sample, and of the sample before.
    now: Waits,
    before: Waits,
    usual: Waits,
    share: ShareSeries,
    late: Ring<WINDOW>,
    kept_waiting: Ring<WINDOW>,
    all: Ring<WINDOW>,
}

impl FirstByte {
    /// Takes the waits that ended in a tick, of which a part `raw` was really counted; `again` of them belong to a question
    /// that is counted already.
    pub fn observe(&mut self, tick: Tick, waits: &[u32; CLASSES], again: u32, raw: f64, cap: f64) {
        self.now.iter_mut().zip(waits).for_each(|(total, count)| *total += u64::from(*count));
        let Some(from) = self.late_from() else { return };
        let sum = |waits: &[u32]| waits.iter().map(|count| u64::from(*count)).sum::<u64>();
        let all = sum(waits).saturating_sub(u64::from(again));
        let late = sum(&waits[from..]).min(all);
        self.late.push(late);
        self.kept_waiting.push(sum(&waits[from.max(KEPT_FROM)..]).min(all));
        self.all.push(all);
        let at_most = self.share.level().envelope(LATE_FLOOR).max(LATE_FLOOR);
        self.share.observe(tick, late as f64, all as f64, raw, Some(at_most), cap);
    }

    /// Learns from the last ten seconds with a weight of 0 to 1.
    pub fn learn(&mut self, weight: f64) {
        self.share.learn(weight);
        self.before = std::mem::take(&mut self.now);
        if weight >= 1.0 {
            self.usual.iter_mut().zip(self.before).for_each(|(usual, count)| *usual += count);
            if self.usual.iter().sum::<u64>() > FADE_AT {
                self.usual.iter_mut().for_each(|count| *count /= 2);
            }
        }
    }

    /// Returns the median wait of the last ten to twenty seconds and the usual one, in seconds, each while known.
    #[must_use]
    pub fn seconds(&self) -> (Option<f64>, Option<f64>) {
        let mut lately = self.now;
        lately.iter_mut().zip(self.before).for_each(|(now, before)| *now += before);
        (median(&lately).map(middle), median(&self.usual).map(middle))
    }

    /// Returns the first class that is late, while the usual wait is known.
    fn late_from(&self) -> Option<usize> {
        median(&self.usual).map(|usual| (usual + ABOVE).clamp(LATE_FROM, CLASSES))
    }

    /// Returns the shortest wait that is late, in seconds, while the usual one is known.
    #[must_use]
    pub fn late_seconds(&self) -> Option<f64> {
        self.late_from().map(|class| 0.001 * (class as f64 - 1.0).exp2())
    }

    /// Returns the share of the last ten seconds' waits that were late, and how many there were.
    #[must_use]
    pub fn late(&self) -> (f64, f64) {
        let all = self.all.sum() as f64;
        (if all > 0.0 { self.late.sum() as f64 / all } else { 0.0 }, all)
    }

    /// Returns the share of the last ten seconds' waits that were late and lasted a second at least.
    #[must_use]
    pub fn kept_waiting(&self) -> f64 {
        self.kept_waiting.sum() as f64 / self.all.sum().max(1) as f64
    }

    /// Returns the evidence that more waits are late than usual, in decades, and when it began.
    #[must_use]
    pub fn evidence(&self) -> (f64, Tick) {
        (self.share.decades(), self.share.onset())
    }

    /// Returns the usual waits, to be kept.
    #[must_use]
    pub const fn usual(&self) -> &Waits {
        &self.usual
    }

    /// Takes usual waits that were kept.
    pub const fn set_usual(&mut self, usual: Waits) {
        self.usual = usual;
    }

    /// Forgets windows and test after a gap; what is usual stays.
    pub fn restart(&mut self, tick: Tick) {
        (self.now, self.before) = (Waits::default(), Waits::default());
        self.share.restart(tick);
        self.late.clear();
        self.kept_waiting.clear();
        self.all.clear();
    }
}

/// Returns the class that holds the median.
fn median(waits: &Waits) -> Option<usize> {
    let total: u64 = waits.iter().sum();
    let mut below = 0;
    let place = waits.iter().position(|count| {
        below += count;
        below * 2 >= total
    });
    place.filter(|_| total >= ENOUGH)
}

/// Returns the middle of a class in seconds.
fn middle(class: usize) -> f64 {
    if class == 0 { 0.0005 } else { 0.000_75 * (class as f64).exp2() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::cusum::STEP_CAP;

    fn run(waits: &mut FirstByte, ticks: std::ops::Range<u64>, class: usize) {
        for n in ticks {
            let mut counts = [0; CLASSES];
            counts[class] = 10;
            waits.observe(Tick::new(n), &counts, 0, 1.0, STEP_CAP);
            if Tick::new(n).closes_period(40) {
                waits.learn(if waits.evidence().0 > 3.0 { 0.0 } else { 1.0 });
            }
        }
    }

    #[test]
    fn an_application_that_becomes_slow_shows_within_seconds() {
        let mut waits = FirstByte::default();
        run(&mut waits, 0..1_200, 4);
        assert_eq!((waits.evidence().0, waits.late().0), (0.0, 0.0));
        run(&mut waits, 1_200..1_220, 13);
        assert!(waits.evidence().0 > 9.3, "{:?}", waits.evidence());
        run(&mut waits, 1_220..1_280, 13);
        assert_eq!((waits.late(), waits.late_seconds()), ((1.0, 400.0), Some(0.256)));
        let (now, usual) = waits.seconds();
        assert!(now.unwrap() > 4.0 && usual.unwrap() < 0.02, "{now:?} {usual:?}");
    }

    #[test]
    fn a_little_slower_is_not_late_and_slow_by_design_is_usual() {
        let mut waits = FirstByte::default();
        run(&mut waits, 0..1_200, 2);
        run(&mut waits, 1_200..1_400, 7);
        assert_eq!(waits.evidence().0, 0.0, "ten times as long, and still a tenth of a second");
        let mut polls = FirstByte::default();
        run(&mut polls, 0..2_400, 15);
        assert_eq!(polls.evidence().0, 0.0);
    }

    #[test]
    fn half_a_second_is_late_and_keeps_nobody_waiting() {
        for (class, kept) in [(10, 0.0), (11, 1.0), (13, 1.0)] {
            let mut waits = FirstByte::default();
            run(&mut waits, 0..1_200, 2);
            run(&mut waits, 1_200..1_280, class);
            assert_eq!((waits.late().0, waits.kept_waiting()), (1.0, kept), "class {class}");
        }
    }

    #[test]
    fn an_answer_that_comes_after_a_ticket_is_late_and_no_question_more() {
        let mut waits = FirstByte::default();
        run(&mut waits, 0..1_200, 4);
        for n in 1_200..1_280 {
            let mut counts = [0; CLASSES];
            (counts[4], counts[13]) = (10, 9);
            waits.observe(Tick::new(n), &counts, 9, 1.0, STEP_CAP);
        }
        assert_eq!(waits.late(), (0.9, 400.0));
        assert!(waits.evidence().0 > 9.3, "{:?}", waits.evidence());
    }

    #[test]
    fn too_few_tell_nothing() {
        let mut waits = FirstByte::default();
        run(&mut waits, 0..3, 14);
        assert_eq!(waits.seconds(), (None, None));
        assert_eq!(waits.evidence().0, 0.0);
    }
}
