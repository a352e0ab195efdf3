//! Sensor blind: Vigie itself sees too little to judge (DETECTION 0.2, "Missing definitions").
//!
//! Method: 5 % of frames or more lost for ten seconds, or thirty seconds without a frame on a link that carried more than a
//! hundred a second.
//!
//! Blind spots: what a switch drops before its mirror port is counted nowhere here.

use crate::capture::CaptureTick;
use crate::detect::finding::{FigureName as F, Finding, Target};
use crate::detect::view::figure;
use crate::kind::{AlertKind, Severity, Verdict};
use crate::sampling::Sampling;
use crate::time::Timestamp;
use crate::window::ring::Ring;

/// Lost share of frames that blinds, and frames a second that make silence suspicious.
const LOST_SHARE: f64 = 0.05;
const BUSY_PER_SECOND: f64 = 100.0;

/// Ticks without a frame: thirty seconds.
const SILENT_TICKS: u64 = 120;

/// Ticks for which windows hold what was counted: ten seconds.
const WINDOW: u64 = 40;

/// Frames seen and lost in the last ten seconds, and how long it has been silent.
#[derive(Clone, Debug, Default)]
pub struct SensorBlind {
    frames: Ring<40>,
    lost: Ring<40>,
    /// Busiest ten seconds of the last five minutes of traffic, in frames a second, fading.
    busy: f64,
    silent: u64,
    /// The smallest part that was counted of late, and ticks since.
    sparsest: (Sampling, u64),
}

impl SensorBlind {
    /// Takes one tick of the capture.
    pub fn observe(&mut self, capture: &CaptureTick) {
        self.frames.push(capture.frames);
        self.lost.push(capture.lost);
        let (sparsest, ago) = self.sparsest;
        let holds = capture.sampling < sparsest && ago < WINDOW;
        self.sparsest = if holds { (sparsest, ago + 1) } else { (capture.sampling, 0) };
        if capture.frames > 0 {
            self.silent = 0;
            // Fades with a half-life of about a minute of traffic, so that an evening is not measured by its morning.
            self.busy = (self.busy * 0.997).max(self.frames.sum() as f64 / 10.0);
        } else {
            self.silent += 1;
        }
    }

    /// Returns the share of frames lost in the last ten seconds.
    #[must_use]
    pub fn loss_share(&self) -> f64 {
        let (seen, lost) = (self.frames.sum() as f64, self.lost.sum() as f64);
        if lost > 0.0 { lost / (seen + lost) } else { 0.0 }
    }

    /// Returns the smallest part of the pairs of addresses that was counted in the last ten seconds. What is shed is chosen,
    /// counted and corrected for, and so no loss: it does not blind.
    #[must_use]
    pub const fn sparsest(&self) -> Sampling {
        self.sparsest.0
    }

    /// Tells whether nothing at all came for so long that what is not there is no sample of what is usual.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.silent >= SILENT_TICKS && self.busy > BUSY_PER_SECOND
    }

    /// Judges the sensor.
    #[must_use]
    pub fn detect(&self, now: Timestamp) -> Option<Finding> {
        let loss = self.loss_share();
        let blind_by_loss = loss >= LOST_SHARE && (self.frames.filled() == 40 || self.lost.sum() > 1_000);
        let blind_by_silence = self.is_silent();
        if !blind_by_loss && !blind_by_silence {
            return None;
        }
        let silent_seconds = self.silent as f64 / 4.0;
        let (score, began) =
            if blind_by_loss { (loss / LOST_SHARE, 10.0) } else { (silent_seconds / 30.0, silent_seconds) };
        Some(Finding {
            kind: AlertKind::SensorBlind,
            target: Target { prefix: None, site: None, port: None, protocol: None, members: Vec::new() },
            score,
            alert_at: 1.0,
            gates_hold: true,
            severity: Severity::Warning,
            verdict: Some(Verdict::Health),
            confidence: 0.95,
            onset: now.minus(std::time::Duration::from_secs_f64(began)),
            figures: vec![if blind_by_loss {
                figure(F::LostShare, loss, Some(LOST_SHARE))
            } else {
                figure(F::SilentSeconds, silent_seconds, Some(30.0))
            }],
            spoofed: false,
            origins: Vec::new(),
            sources: Vec::new(),
            caveats: Vec::new(),
            settings: vec![("lost_share", LOST_SHARE), ("silent_seconds", 30.0), ("busy_per_second", BUSY_PER_SECOND)],
        })
    }

    /// Forgets silence and loss, as after a gap.
    pub fn restart(&mut self) {
        *self = Self { busy: self.busy, sparsest: self.sparsest, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Tick;

    fn run(sensor: &mut SensorBlind, ticks: u64, frames: u64, lost: u64) -> Option<Finding> {
        for n in 0..ticks {
            sensor.observe(&CaptureTick { tick: Tick::new(n), frames, lost, ..CaptureTick::default() });
        }
        sensor.detect(Timestamp::from_secs(100))
    }

    #[test]
    fn five_percent_lost_for_ten_seconds_blinds() {
        assert!(run(&mut SensorBlind::default(), 40, 1_000, 40).is_none());
        assert!(run(&mut SensorBlind::default(), 40, 1_000, 60).is_some());
        assert!(run(&mut SensorBlind::default(), 39, 10, 1).is_none());
    }

    #[test]
    fn what_is_shed_does_not_blind_and_is_remembered_for_ten_seconds() {
        let (mut sensor, half) = (SensorBlind::default(), Sampling::WHOLE.sparser());
        let mut take = |sampling| {
            sensor.observe(&CaptureTick { frames: 1_000, sampling, ..CaptureTick::default() });
            assert!(sensor.detect(Timestamp::from_secs(100)).is_none());
            sensor.sparsest()
        };
        assert_eq!(take(half.sparser()), half.sparser());
        assert!((0..40).all(|_| take(half) == half.sparser()));
        assert_eq!(take(half), half);
        assert!((0..40).all(|_| take(Sampling::WHOLE) == half));
        assert_eq!(take(Sampling::WHOLE), Sampling::WHOLE);
    }

    #[test]
    fn silence_blinds_on_a_link_that_was_busy_only() {
        let mut busy = SensorBlind::default();
        run(&mut busy, 80, 100, 0);
        assert!(run(&mut busy, 119, 0, 0).is_none());
        assert!(run(&mut busy, 1, 0, 0).is_some());
        let mut calm = SensorBlind::default();
        run(&mut calm, 80, 10, 0);
        assert!(run(&mut calm, 300, 0, 0).is_none());
    }
}
