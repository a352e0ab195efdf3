//! When packets come faster than they can be handled: which part of them is still counted, and since when.
//!
//! A ring that fills loses whatever comes next, an answer here and a request there, and every loss looks like a handshake
//! that nobody finished. So before it is full the run counts fewer pairs of addresses, but all of each
//! ([`crate::sampling`]), and says so. It halves what it counts as long as the ring does not empty, and takes twice as
//! much again once its sources have waited for half of their time for some seconds: then twice as much still fits.
//!
//! All inputs of a run count the same pairs, since each may see one half of them. The level is decided at the end of a
//! tick and rules from the start of a later one, the same for all.

use std::sync::{Arc, Mutex, PoisonError};

use crate::sampling::Sampling;
use crate::source::Strain;
use crate::time::Tick;

/// Filled part of a ring from which less must be counted: the other half holds what comes until that shows.
const PRESSED: f64 = 0.5;
/// Filled part below which a ring is as good as empty.
const EMPTY: f64 = 0.125;
/// Waiting part of the time from which twice as much can be handled.
const HALF_IDLE: f64 = 0.5;
/// Ticks that a level is given to show what it does: half a second.
const SETTLES_IN: u64 = 2;
/// Calm ticks before more is counted: five seconds; twice as long after each time that it was too much, up to two minutes.
const CALM_FIRST: u64 = 20;
/// See [`CALM_FIRST`].
const CALM_MOST: u64 = 480;

/// Inputs lie apart by a tick or two; more is a clock that was set back.
const SET_BACK: u64 = 40;

/// How the inputs fared in a tick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fared {
    /// The fullest ring and the busiest reader.
    pub(super) strain: Strain,
    /// Some ring was full, and frames were lost.
    pub(super) lost: bool,
}

impl Fared {
    const AT_EASE: Self = Self { strain: Strain { fill: 0.0, idle: 1.0 }, lost: false };

    fn join(self, other: Self) -> Self {
        let (a, b) = (self.strain, other.strain);
        let strain = Strain { fill: a.fill.max(b.fill), idle: a.idle.min(b.idle) };
        Self { strain, lost: self.lost || other.lost }
    }
}

/// Chooses the level, tick by tick.
#[derive(Debug)]
pub(super) struct Controller {
    level: Sampling,
    /// Ticks since the level changed.
    since_change: u64,
    /// Ticks since it was last lowered.
    since_lowered: u64,
    calm: u64,
    /// Calm ticks that are asked for.
    wants_calm: u64,
    fill: f64,
}

impl Default for Controller {
    fn default() -> Self {
        Self {
            level: Sampling::WHOLE,
            since_change: u64::MAX / 2,
            since_lowered: u64::MAX / 2,
            calm: 0,
            wants_calm: CALM_FIRST,
            fill: 0.0,
        }
    }
}

impl Controller {
    /// Takes how a tick went and returns the level for those that follow.
    pub(super) fn decide(&mut self, fared: Fared) -> Sampling {
        let Fared { strain: Strain { fill, idle }, lost } = fared;
        let drains = fill < std::mem::replace(&mut self.fill, fill);
        self.since_change += 1;
        self.since_lowered += 1;
        self.calm = if !lost && fill < EMPTY && idle >= HALF_IDLE { self.calm + 1 } else { 0 };
        if (lost || fill >= PRESSED && !drains) && self.since_change > SETTLES_IN {
            self.raise();
        } else if self.calm >= self.wants_calm && !self.level.is_whole() {
            self.lower();
        }
        self.level
    }

    fn raise(&mut self) {
        // What was too much as soon as it was tried is not tried again so soon.
        let relapsed = self.since_lowered <= 2 * self.wants_calm;
        self.wants_calm = if relapsed { (2 * self.wants_calm).min(CALM_MOST) } else { CALM_FIRST };
        self.level = self.level.sparser();
        self.since_change = 0;
    }

    fn lower(&mut self) {
        self.level = self.level.denser();
        (self.since_change, self.since_lowered, self.calm) = (0, 0, 0);
    }
}

/// What the inputs of a run share.
#[derive(Debug)]
struct Common {
    controller: Controller,
    inputs: usize,
    /// The tick that inputs are reporting, how many have, and the worst they said.
    tick: Tick,
    reports: usize,
    fared: Fared,
    /// The level that rules, and the one that will from a tick on.
    level: Sampling,
    coming: Option<(Tick, Sampling)>,
}

/// One input's hand in it.
#[derive(Clone, Debug)]
pub(super) struct Shedding(Arc<Mutex<Common>>);

impl Shedding {
    /// Serves so many inputs; each takes a clone.
    pub(super) fn new(inputs: usize) -> Self {
        Self(Arc::new(Mutex::new(Common {
            controller: Controller::default(),
            inputs,
            tick: Tick::default(),
            reports: 0,
            fared: Fared::AT_EASE,
            level: Sampling::WHOLE,
            coming: None,
        })))
    }

    /// Takes how an input has fared up to some moment in a tick.
    pub(super) fn report(&self, tick: Tick, fared: Fared) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take(tick, fared);
    }

    /// Returns the level for a tick that begins.
    pub(super) fn level(&self, tick: Tick) -> Sampling {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).level_of(tick)
    }
}

impl Common {
    fn take(&mut self, tick: Tick, fared: Fared) {
        if self.tick.since(tick) > SET_BACK {
            // The clock was set back; what was to come later rules at once.
            (self.tick, self.coming) = (tick, self.coming.map(|(_, level)| (tick, level)));
        }
        // An input that has ended, or is late, is not waited for.
        if tick > self.tick && self.reports > 0 {
            self.decide();
        }
        self.tick = self.tick.max(tick);
        self.fared = self.fared.join(fared);
        self.reports += 1;
        if self.reports == self.inputs {
            self.decide();
        }
    }

    fn decide(&mut self) {
        let fared = std::mem::replace(&mut self.fared, Fared::AT_EASE);
        self.reports = 0;
        let (level, decided) = (self.controller.decide(fared), self.coming.map_or(self.level, |(_, level)| level));
        if level != decided {
            // Other inputs may have begun the next tick already.
            let from = self.tick.plus(if self.inputs > 1 { 2 } else { 1 });
            tracing::warn!(one_in = level.one_in(), from = %from.start(), "{}", said(level, decided));
            self.coming = Some((from, level));
        }
    }

    fn level_of(&mut self, tick: Tick) -> Sampling {
        if let Some((_, level)) = self.coming.filter(|(from, _)| *from <= tick) {
            (self.level, self.coming) = (level, None);
        }
        self.level
    }
}

fn said(level: Sampling, before: Sampling) -> &'static str {
    match level {
        level if level > before => {
            "overloaded: a part of the conversations is counted, the rest is shed and counted as shed"
        }
        level if level.is_whole() => "no longer overloaded: everything is counted",
        _ => "less overloaded: more of the conversations are counted",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: Fared = Fared { strain: Strain { fill: 0.9, idle: 0.0 }, lost: false };
    const CALM: Fared = Fared { strain: Strain { fill: 0.0, idle: 0.8 }, lost: false };
    const BUSY: Fared = Fared { strain: Strain { fill: 0.05, idle: 0.2 }, lost: false };

    /// Levels as one in so many, tick by tick.
    fn run(controller: &mut Controller, ticks: u64, fared: Fared) -> Vec<u32> {
        (0..ticks).map(|_| controller.decide(fared).one_in()).collect()
    }

    /// Ticks until the level is as given.
    fn until(controller: &mut Controller, one_in: u32, fared: Fared) -> u64 {
        (1..10_000).find(|_| controller.decide(fared).one_in() == one_in).unwrap()
    }

    #[test]
    fn a_ring_that_stays_full_halves_what_is_counted_every_third_tick() {
        let levels = run(&mut Controller::default(), 20, FULL);
        assert_eq!(levels, [2, 2, 2, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64, 64, 64]);
    }

    #[test]
    fn a_ring_that_drains_is_given_time_unless_it_loses() {
        let mut controller = Controller::default();
        assert_eq!(controller.decide(FULL).one_in(), 2);
        let draining = |fill| Fared { strain: Strain { fill, idle: 0.0 }, lost: false };
        let levels: Vec<u32> =
            [0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55].map(|fill| controller.decide(draining(fill)).one_in()).into();
        assert_eq!(levels, [2; 7]);
        assert_eq!(controller.decide(Fared { lost: true, ..draining(0.5) }).one_in(), 4);
    }

    #[test]
    fn a_short_burst_that_the_ring_holds_changes_nothing() {
        let mut controller = Controller::default();
        let burst = Fared { strain: Strain { fill: 0.4, idle: 0.0 }, lost: false };
        assert!(run(&mut controller, 100, burst).iter().all(|one_in| *one_in == 1));
    }

    #[test]
    fn more_is_counted_after_five_calm_seconds_a_level() {
        let mut controller = Controller::default();
        until(&mut controller, 8, FULL);
        assert_eq!(until(&mut controller, 4, CALM), CALM_FIRST);
        assert_eq!(until(&mut controller, 2, CALM), CALM_FIRST);
        assert_eq!(until(&mut controller, 1, CALM), CALM_FIRST);
        assert!(run(&mut controller, 1_000, CALM).iter().all(|one_in| *one_in == 1));
    }

    #[test]
    fn nothing_is_taken_back_while_twice_as_much_would_not_fit() {
        let mut controller = Controller::default();
        until(&mut controller, 4, FULL);
        assert!(run(&mut controller, 5_000, BUSY).iter().all(|one_in| *one_in == 4));
        let pause = [CALM; 19].iter().chain(&[BUSY]).map(|fared| controller.decide(*fared).one_in()).max();
        assert_eq!(pause, Some(4), "calm must last");
    }

    #[test]
    fn what_was_too_much_is_tried_ever_later_up_to_two_minutes() {
        let mut controller = Controller::default();
        until(&mut controller, 2, FULL);
        let mut waits = Vec::new();
        for _ in 0..8 {
            waits.push(until(&mut controller, 1, CALM));
            run(&mut controller, 4, CALM);
            until(&mut controller, 2, FULL);
        }
        assert_eq!(waits, [20, 40, 80, 160, 320, 480, 480, 480]);
        until(&mut controller, 1, CALM);
        run(&mut controller, 2 * CALM_MOST + 1, CALM);
        until(&mut controller, 2, FULL);
        assert_eq!(until(&mut controller, 1, CALM), CALM_FIRST, "that was another overload");
    }

    #[test]
    fn a_single_input_obeys_in_the_next_tick_and_several_obey_in_the_same_one() {
        let tick = Tick::new;
        let levels = |shedding: &Shedding, ticks: [u64; 2]| ticks.map(|n| shedding.level(tick(n)).one_in());
        let alone = Shedding::new(1);
        alone.report(tick(7), FULL);
        assert_eq!(levels(&alone, [7, 8]), [1, 2]);

        let first = Shedding::new(2);
        let other = first.clone();
        first.report(tick(7), CALM);
        assert_eq!(levels(&first, [7, 8]), [1, 1]);
        other.report(tick(7), FULL);
        assert_eq!(levels(&other, [8, 9]), [1, 2], "the first may be in tick 8 already");
        assert_eq!(first.level(tick(9)).one_in(), 2);
    }

    #[test]
    fn an_input_that_has_ended_and_a_clock_that_was_set_back_stop_nothing() {
        let shedding = Shedding::new(2);
        for n in 1_000..1_004 {
            shedding.report(Tick::new(n), FULL);
        }
        assert_eq!(shedding.level(Tick::new(1_004)).one_in(), 2, "one of two inputs is enough");
        shedding.report(Tick::new(1_004), FULL);
        shedding.report(Tick::new(500), FULL);
        assert_eq!(shedding.level(Tick::new(503)).one_in(), 4);
    }
}
