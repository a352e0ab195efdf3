//! Freeze and thaw: what may become usual, and when (DETECTION 1.2).
//!
//! An alarming time teaches nothing. But a new school year must not be an eternal attack: after 24 hours of freeze in
//! which handshakes and sources were as they should be, the new level is accepted in six steps of an hour. Only frozen
//! time counts, so that quiet nights neither undo a new kind of day nor answer for it; a whole quiet day begins anew. An
//! attacker would have to look like users for thirty hours of alarm.

/// Ten-second samples frozen before the thaw: 24 h. As many quiet ones in a row end it.
const DAY: u32 = 8_640;

/// Steps of the thaw, and samples of each: an hour.
const STEPS: u8 = 6;
const STEP_SAMPLES: u16 = 360;

/// What a sample is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Lesson {
    /// To learn from, with this weight: 0 (not at all) to 1.
    Learn(f64),
    /// To be set aside for the next step of the thaw.
    SetAside,
    /// A step is over: move this part of the way to what was set aside.
    Accept(f64),
}

/// How long a subject has been frozen, and how far it has thawed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Freeze {
    frozen: u32,
    /// Quiet samples in a row.
    quiet: u32,
    steps_left: u8,
    in_step: u16,
}

impl Freeze {
    /// Takes a sample's weight, and whether quality (unfinished, silent and unsolicited shares, robots) is as it should be.
    pub fn observe(&mut self, weight: f64, quality_is_normal: bool) -> Lesson {
        self.quiet = if weight > 0.0 { self.quiet.saturating_add(1) } else { 0 };
        if !quality_is_normal || self.quiet >= DAY {
            *self = Self::default();
        }
        if !quality_is_normal || weight > 0.0 {
            return Lesson::Learn(weight);
        }
        if self.steps_left > 0 {
            return self.thaw();
        }
        self.frozen += 1;
        if self.frozen >= DAY {
            (self.frozen, self.steps_left, self.in_step) = (0, STEPS, 0);
        }
        Lesson::Learn(0.0)
    }

    fn thaw(&mut self) -> Lesson {
        self.in_step += 1;
        if self.in_step < STEP_SAMPLES {
            return Lesson::SetAside;
        }
        let part = 1.0 / f64::from(self.steps_left);
        self.in_step = 0;
        self.steps_left -= 1;
        Lesson::Accept(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn freeze_for(samples: u32) -> Freeze {
        let mut freeze = Freeze::default();
        for _ in 0..samples {
            assert_eq!(freeze.observe(0.0, true), Lesson::Learn(0.0));
        }
        freeze
    }

    #[test]
    fn a_day_of_healthy_freeze_thaws_in_six_hours() {
        let mut freeze = freeze_for(DAY);
        let lessons: Vec<Lesson> = (0..6 * u32::from(STEP_SAMPLES)).map(|_| freeze.observe(0.0, true)).collect();
        let accepted: Vec<&Lesson> = lessons.iter().filter(|lesson| **lesson != Lesson::SetAside).collect();
        assert_eq!(accepted.len(), 6);
        assert_eq!((accepted[0], accepted[5]), (&Lesson::Accept(1.0 / 6.0), &Lesson::Accept(1.0)));
        assert_eq!(freeze, Freeze::default());
    }

    #[test]
    fn an_attack_never_thaws() {
        let mut freeze = Freeze::default();
        for _ in 0..10 * DAY {
            assert_eq!(freeze.observe(0.0, false), Lesson::Learn(0.0));
        }
    }

    #[test]
    fn an_attack_in_the_thaw_ends_it() {
        let mut freeze = freeze_for(DAY);
        assert_eq!(freeze.observe(0.0, true), Lesson::SetAside);
        assert_eq!(freeze.observe(0.0, false), Lesson::Learn(0.0));
        assert_eq!(freeze.observe(0.0, true), Lesson::Learn(0.0));
    }

    #[test]
    fn a_quiet_night_undoes_nothing_and_a_quiet_day_everything() {
        let mut freeze = freeze_for(DAY);
        (0..DAY / 2).for_each(|_| assert_eq!(freeze.observe(1.0, true), Lesson::Learn(1.0)));
        assert_eq!(freeze.observe(0.0, true), Lesson::SetAside);
        (0..DAY).for_each(|_| assert_eq!(freeze.observe(1.0, true), Lesson::Learn(1.0)));
        assert_eq!(freeze.observe(0.0, true), Lesson::Learn(0.0));
    }
}
