//! Handshake outcomes of one subject by cohort: of the SYNs of a tick, how many did the server answer in time; of the
//! answers of a tick, how many did the client finish in time.
//!
//! Shards report outcomes by age; here they are laid back onto the tick they belong to, so that every share compares
//! handshakes with their own outcomes and not with those of a busier or calmer moment.

use crate::summary::{AGES, CohortTick};

/// Ticks kept: thirty seconds for small floods, and the deadline.
const KEPT: usize = 128;

/// The longest deadline in ticks: one second (DETECTION 0.2).
pub const LONGEST_DEADLINE: usize = 4;

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    sampled: u32,
    opened: u32,
    refused: u32,
    answers: u32,
    finished_now: u32,
    turned_away: u32,
    answered_by: [u32; LONGEST_DEADLINE + 1],
    finished_by: [u32; LONGEST_DEADLINE + 1],
    abandoned_by: [u32; LONGEST_DEADLINE + 1],
}

/// What became of the SYNs of a span of ticks (d1).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ServerSide {
    /// First SYNs that were not refused.
    pub opened: f64,
    /// Of these, answered by the deadline.
    pub answered: f64,
    /// Unweighted handshakes behind one weighted one, 0 to 1: scales counts to the n of a test.
    pub raw: f64,
}

impl ServerSide {
    /// Returns the share the server left unanswered, `None` without a SYN.
    #[must_use]
    pub fn unanswered_share(&self) -> Option<f64> {
        (self.opened > 0.0).then(|| (1.0 - self.answered / self.opened).max(0.0))
    }
}

/// What became of the answers of a span of ticks (d2). Handshakes that the client reset are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ClientSide {
    /// Answers, without those the client reset.
    pub answered: f64,
    /// Of these, finished by the deadline.
    pub finished: f64,
    /// Unweighted handshakes behind one weighted one, 0 to 1.
    pub raw: f64,
}

impl ClientSide {
    /// Returns d2, the share of answered handshakes that the client finished; `None` without an answer.
    #[must_use]
    pub fn finished_share(&self) -> Option<f64> {
        (self.answered > 0.0).then(|| (self.finished / self.answered).min(1.0))
    }

    /// Returns how many the client did not finish.
    #[must_use]
    pub fn unfinished(&self) -> f64 {
        (self.answered - self.finished).max(0.0)
    }
}

/// The last thirty seconds of handshakes.
#[derive(Clone, Debug)]
pub struct Cohorts {
    slots: Box<[Slot; KEPT]>,
    /// Index of the newest tick.
    head: usize,
    /// Ages of finishing since the beginning, halved now and then: the distribution of round trips in ticks.
    round_trips: [u32; AGES],
}

impl Default for Cohorts {
    fn default() -> Self {
        Self { slots: Box::new([Slot::default(); KEPT]), head: 0, round_trips: [0; AGES] }
    }
}

impl Cohorts {
    /// Takes the outcomes of the next tick.
    pub fn push(&mut self, tick: &CohortTick) {
        self.head = (self.head + 1) % KEPT;
        let answers = tick.answered.iter().sum();
        *self.slot(0) = Slot {
            sampled: tick.sampled,
            opened: tick.opened,
            answers,
            finished_now: tick.finished.iter().sum(),
            turned_away: tick.turned_away,
            ..Slot::default()
        };
        // Most hosts of a prefix are silent in most ticks, and sixteen slots are two kilobytes.
        if *tick != CohortTick::default() {
            self.lay_back(tick);
        }
        if self.round_trips.iter().sum::<u32>() > 100_000 {
            self.round_trips.iter_mut().for_each(|count| *count /= 2);
        }
    }

    /// Adds each outcome to the tick of what it is an outcome of.
    fn lay_back(&mut self, tick: &CohortTick) {
        for age in 0..AGES {
            self.slot(age).refused += tick.refused[age];
            self.round_trips[age] = self.round_trips[age].saturating_add(tick.finished[age]);
        }
        for age in 0..=LONGEST_DEADLINE {
            let slot = self.slot(age);
            for deadline in age..=LONGEST_DEADLINE {
                slot.answered_by[deadline] += tick.answered[age];
                slot.finished_by[deadline] += tick.finished[age];
                slot.abandoned_by[deadline] += tick.abandoned[age];
            }
        }
    }

    /// Returns the client's deadline in ticks after the answer: three times the 95th percentile of round trips, at least
    /// two ticks (so that no answer is judged before 250 ms), at most one second; one second until 100 are known.
    #[must_use]
    pub fn deadline(&self) -> usize {
        let total: u32 = self.round_trips.iter().sum();
        if total < 100 {
            return LONGEST_DEADLINE;
        }
        let mut below = 0;
        let p95 = self.round_trips.iter().position(|count| {
            below += count;
            u64::from(below) * 100 >= u64::from(total) * 95
        });
        (3 * p95.unwrap_or(AGES)).clamp(2, LONGEST_DEADLINE)
    }

    /// Returns what became of the SYNs of the `span` ticks that ended a deadline (one second) ago.
    #[must_use]
    pub fn server_side(&self, span: usize) -> ServerSide {
        let mut side = ServerSide::default();
        let (mut sampled, mut opened) = (0_u64, 0_u64);
        for slot in self.ended(LONGEST_DEADLINE, span) {
            let known = slot.opened.saturating_sub(slot.refused);
            side.opened += f64::from(known);
            side.answered += f64::from(slot.answered_by[LONGEST_DEADLINE].min(known));
            sampled += u64::from(slot.sampled);
            opened += u64::from(slot.opened);
        }
        side.raw = raw(sampled, opened);
        side
    }

    /// Returns what became of the answers of the `span` ticks that ended `deadline` ticks ago.
    #[must_use]
    pub fn client_side(&self, deadline: usize, span: usize) -> ClientSide {
        let deadline = deadline.min(LONGEST_DEADLINE);
        let mut side = ClientSide::default();
        let (mut sampled, mut opened) = (0_u64, 0_u64);
        for slot in self.ended(deadline, span) {
            let judged = slot.answers.saturating_sub(slot.abandoned_by[deadline]);
            side.answered += f64::from(judged);
            side.finished += f64::from(slot.finished_by[deadline].min(judged));
            sampled += u64::from(slot.sampled);
            opened += u64::from(slot.opened);
        }
        side.raw = raw(sampled, opened);
        side
    }

    /// Returns how many answers there are for each one to a first try, 1 to 4, over the `span` ticks that ended a deadline
    /// ago. A server that drops SYNs answers people sooner or later, since they retry, and forgers as often as a single
    /// try is answered: among the answered, people are that many times more than among those who asked.
    #[must_use]
    pub fn retries_answered(&self, span: usize) -> f64 {
        let answers = self.client_side(LONGEST_DEADLINE, span).answered;
        (answers / self.server_side(span).answered.max(1.0)).clamp(1.0, 4.0)
    }

    /// Returns (reset by the client by the deadline, all answers) of the `span` ticks that ended `deadline` ticks ago.
    #[must_use]
    pub fn abandoned(&self, deadline: usize, span: usize) -> (f64, f64) {
        let deadline = deadline.min(LONGEST_DEADLINE);
        self.ended(deadline, span).fold((0.0, 0.0), |(abandoned, answers), slot| {
            let reset = slot.abandoned_by[deadline].min(slot.answers);
            (abandoned + f64::from(reset), answers + f64::from(slot.answers))
        })
    }

    /// Returns (finished handshakes that were turned away, all finished) of the newest `span` ticks: the accept queue's sign.
    #[must_use]
    pub fn turned_away(&self, span: usize) -> (f64, f64) {
        self.ended(0, span).fold((0.0, 0.0), |(away, finished), slot| {
            (away + f64::from(slot.turned_away), finished + f64::from(slot.finished_now))
        })
    }

    /// Forgets everything but the round trips, as after a gap.
    pub fn clear(&mut self) {
        *self.slots = [Slot::default(); KEPT];
    }

    fn slot(&mut self, age: usize) -> &mut Slot {
        &mut self.slots[(self.head + KEPT - age) % KEPT]
    }

    fn ended(&self, ago: usize, span: usize) -> impl Iterator<Item = &Slot> {
        (ago..(ago + span).min(KEPT - 1)).map(|age| &self.slots[(self.head + KEPT - age) % KEPT])
    }
}

fn raw(sampled: u64, opened: u64) -> f64 {
    if opened == 0 { 1.0 } else { (sampled as f64 / opened as f64).min(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick(opened: u32, answered: &[(usize, u32)], finished: &[(usize, u32)]) -> CohortTick {
        let mut tick = CohortTick { sampled: opened, opened, ..CohortTick::default() };
        for (age, count) in answered {
            tick.answered[*age] = *count;
        }
        for (age, count) in finished {
            tick.finished[*age] = *count;
        }
        tick
    }

    #[test]
    fn outcomes_are_laid_back_onto_their_own_tick() {
        let mut cohorts = Cohorts::default();
        cohorts.push(&tick(100, &[(0, 100)], &[(0, 40)]));
        cohorts.push(&tick(900, &[(0, 10)], &[(1, 55)]));
        for _ in 0..LONGEST_DEADLINE {
            cohorts.push(&CohortTick::default());
        }
        assert_eq!(cohorts.client_side(LONGEST_DEADLINE, 1), ClientSide { answered: 10.0, finished: 0.0, raw: 1.0 });
        let both = cohorts.client_side(LONGEST_DEADLINE, 2);
        assert_eq!((both.answered, both.finished), (110.0, 95.0));
        assert_eq!(cohorts.server_side(1).unanswered_share(), Some(1.0 - 10.0 / 900.0));
    }

    #[test]
    fn answers_to_retries_are_told_from_those_to_first_tries() {
        let mut cohorts = Cohorts::default();
        // Half of a hundred first tries are answered at once, and fifty retries of a second before beside them.
        (0..40).for_each(|_| cohorts.push(&tick(100, &[(0, 50), (5, 50)], &[])));
        assert!((cohorts.retries_answered(20) - 2.0).abs() < 1e-9, "{}", cohorts.retries_answered(20));
        let mut healthy = Cohorts::default();
        (0..40).for_each(|_| healthy.push(&tick(100, &[(0, 100)], &[(0, 95)])));
        assert_eq!(healthy.retries_answered(20), 1.0);
        assert_eq!(Cohorts::default().retries_answered(20), 1.0);
    }

    #[test]
    fn a_client_that_resets_is_not_unfinished() {
        let mut cohorts = Cohorts::default();
        let mut first = tick(10, &[(0, 10)], &[(0, 6)]);
        first.abandoned[0] = 4;
        cohorts.push(&first);
        for _ in 0..LONGEST_DEADLINE {
            cohorts.push(&CohortTick::default());
        }
        assert_eq!(cohorts.client_side(LONGEST_DEADLINE, 1).finished_share(), Some(1.0));
    }

    #[test]
    fn a_refused_syn_is_neither_answered_nor_unanswered() {
        let mut cohorts = Cohorts::default();
        let mut first = tick(10, &[], &[]);
        first.refused[0] = 10;
        cohorts.push(&first);
        for _ in 0..LONGEST_DEADLINE {
            cohorts.push(&CohortTick::default());
        }
        assert_eq!(cohorts.server_side(1).unanswered_share(), None);
    }

    #[test]
    fn the_deadline_follows_the_round_trips_within_its_bounds() {
        let mut cohorts = Cohorts::default();
        assert_eq!(cohorts.deadline(), 4);
        cohorts.push(&tick(200, &[(0, 200)], &[(0, 198), (3, 2)]));
        assert_eq!(cohorts.deadline(), 2);
        cohorts.push(&tick(200, &[(0, 200)], &[(2, 200)]));
        assert_eq!(cohorts.deadline(), 4);
    }
}
