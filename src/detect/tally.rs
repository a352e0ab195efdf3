//! How many of the first attempts were attack, handshake by handshake: what the minute's share is made of.
//!
//! An alarm knows a share of the last seconds and comes seconds after the start. Here the unfinished handshakes of each
//! tick are laid onto the tick of their SYN, with the last second still open, and kept aside while the test gathers
//! evidence: when it fires they count from the start of the event, and when it returns to zero they are forgotten.

use crate::detect::view::Situation;
use crate::time::Tick;
use crate::window::cohorts::LONGEST_DEADLINE;
use crate::window::series::WINDOW;
use crate::window::subject::Subject;

/// Finished part of answered handshakes before a level is known (DETECTION 2.3).
const FINISHED_AT_FIRST: f64 = 0.975;

/// Ticks over which answers to retries are counted: five seconds.
const ANSWERED_OVER: usize = 20;

/// Ticks in which an excess of verified connections is measured: ten seconds.
const MEASURED_OVER: u64 = 40;

/// Ticks for which who was turned away tries again: 63 s (RFC 6298 and Linux, five repetitions of a SYN, doubling from a
/// second).
const TRIED_AGAIN_FOR: u64 = 252;

/// Attack among first attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Part {
    /// First attempts held to be attack; a tick's may be below zero, since chance works both ways.
    pub attack: f64,
    /// Unweighted handshakes it was judged by.
    pub judged: f64,
}

impl Part {
    /// Adds another.
    pub fn add(&mut self, other: Self) {
        self.attack += other.attack;
        self.judged += other.judged;
    }
}

/// The tally of one subject.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    aside: Part,
    /// The last tick whose robots were counted.
    robots_at: Option<Tick>,
    /// The last tick in which the server turned clients away.
    turned_away_at: Option<Tick>,
    /// The last tick in which attackers held connections, and the most they did.
    held: Option<(Tick, f64)>,
}

/// Ticks after which evidence that led to nothing is no event's beginning: a minute.
const SET_ASIDE_FOR: u64 = 240;

impl Tally {
    /// Takes a tick that was judged and returns what now counts as attack.
    pub fn observe(&mut self, subject: &Subject, situation: &Situation) -> Part {
        if situation.flood {
            let part = now(subject);
            let by_share = Part { attack: situation.attack_share * first_attempts(subject), judged: part.judged };
            // A tick of which nothing was answered shows no handshakes to judge.
            let mut counts = if situation.flood_by_clients && part.judged > 0.0 { part } else { by_share };
            counts.add(std::mem::take(&mut self.aside));
            return counts;
        }
        if situation.blacked_out {
            return Part { attack: situation.attack_share * first_attempts(subject), judged: 0.0 };
        }
        let (tick, onset) = (subject.last_tick(), subject.unfinished.onset());
        if onset > tick || tick.since(onset) > SET_ASIDE_FOR {
            self.aside = Part::default();
        } else {
            self.aside.add(now(subject));
        }
        Part::default()
    }

    /// Takes tick `now` that was judged and returns the attempts of robots, and of those who hold connections, that now count:
    /// at first those of the last ten seconds, as far as they have not been counted, from then on those of the tick. By chance
    /// these may be less than nothing.
    pub fn observe_robots(&mut self, now: Tick, subject: &Subject, situation: &Situation) -> f64 {
        if situation.attempts_each > 1.0 {
            self.turned_away_at = Some(now);
        }
        let newly_held = self.observe_held(now, situation);
        if !situation.robotic && situation.empty_excess <= 0.0 {
            return newly_held;
        }
        let uncounted = self.robots_at.map_or(MEASURED_OVER, |at| now.since(at).min(MEASURED_OVER));
        self.robots_at = Some(now);
        match uncounted {
            ticks if self.turned_away_at.is_some_and(|at| now.since(at) <= TRIED_AGAIN_FOR) => {
                of_attempts(subject, situation.robots(), ticks)
            }
            1 if situation.robotic => situation.robots_now.max(situation.empty_excess * Tick::SECONDS),
            ticks => situation.verified_robots() * ticks as f64 * Tick::SECONDS,
        }
    }

    /// Returns by how many the connections that attackers hold have grown: each was asked for once.
    fn observe_held(&mut self, now: Tick, situation: &Situation) -> f64 {
        let before = self.held.filter(|(at, _)| now.since(*at) <= TRIED_AGAIN_FOR).map_or(0.0, |(_, held)| held);
        if situation.held > 0.0 {
            self.held = Some((now, situation.held.max(before)));
        }
        (situation.held - before).max(0.0)
    }
}

/// Robots among the first attempts of the last `ticks`, where a server takes some and keeps the others waiting: the same part
/// as of those it has taken, and none of those that come on any day. Who is taken at last asked long before.
fn of_attempts(subject: &Subject, robots: f64, ticks: u64) -> f64 {
    let attempts: f64 = (LONGEST_DEADLINE..WINDOW).zip(0..ticks).map(|(ago, _)| subject.syns.ago(ago)).sum();
    let share = (robots / subject.syns.per_second().max(1.0)).min(1.0);
    let usual = subject.syns.usual().unwrap_or(0.0) * ticks as f64 * Tick::SECONDS;
    (share * attempts).min(attempts - usual).max(0.0)
}

/// First attempts of the newest tick whose handshakes can be judged.
#[must_use]
pub fn first_attempts(subject: &Subject) -> f64 {
    subject.syns.ago(LONGEST_DEADLINE)
}

/// Judges the newest tick that can be: one second ago.
fn now(subject: &Subject) -> Part {
    let client = subject.cohorts.client_side(LONGEST_DEADLINE, 1);
    let Some(finished) = client.finished_share() else { return Part::default() };
    let share =
        ((1.0 - finished / usually_finished(subject)) * subject.cohorts.retries_answered(ANSWERED_OVER)).min(1.0);
    Part { attack: share * first_attempts(subject), judged: client.answered * client.raw }
}

fn usually_finished(subject: &Subject) -> f64 {
    subject.unfinished.level().usual().map_or(FINISHED_AT_FIRST, |unfinished| 1.0 - unfinished).max(0.5)
}

/// Returns what of the last ten seconds' answered handshakes may have been attack although none is told: those that clients
/// did not finish or reset, beyond what is usual. It bounds the share of an attack that is too small to be found.
#[must_use]
pub fn unproven(subject: &Subject) -> Part {
    let deadline = subject.cohorts.deadline();
    let client = subject.cohorts.client_side(deadline, 40);
    let (_, all) = subject.cohorts.abandoned(deadline, 40);
    let unfinished = client.answered - client.finished / usually_finished(subject);
    Part { attack: unfinished.max(0.0) + subject.reset_beyond_usual(), judged: all * client.raw }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use crate::policy::SiteId;
    use crate::summary::{CohortTick, HostTick};

    #[test]
    fn connections_that_are_held_count_as_their_number_grows() {
        let mut tally = Tally::default();
        let held = [0.0, 100.0, 250.0, 200.0, 0.0, 250.0, 300.0];
        let counted = (0..)
            .zip(held)
            .map(|(now, held)| tally.observe_held(Tick::new(now), &Situation { held, ..Situation::default() }));
        assert_eq!(counted.collect::<Vec<_>>(), [0.0, 100.0, 150.0, 0.0, 0.0, 0.0, 50.0]);
        let later = Tick::new(7 + TRIED_AGAIN_FOR);
        let anew = tally.observe_held(later, &Situation { held: 80.0, ..Situation::default() });
        assert_eq!(anew, 80.0, "what was held before has ended long ago");
    }

    #[test]
    fn robots_are_the_same_part_of_attempts_as_of_those_who_are_taken() {
        let prefix = Address::v4([203, 0, 113, 10]).host_prefix();
        let mut subject = Subject::new(prefix, SiteId::default(), false, Tick::new(0));
        for now in 0..60 {
            let cohort = CohortTick { sampled: 20, opened: 20, ..CohortTick::default() };
            subject.observe(Tick::new(now), &HostTick { syn: 20, cohort, ..HostTick::default() }, false, |_| true);
        }
        // Eighty attempts a second, of which forty are robots'.
        assert_eq!(of_attempts(&subject, 40.0, 1), 10.0);
        assert_eq!(of_attempts(&subject, 40.0, 3), 30.0);
        assert_eq!(of_attempts(&subject, 200.0, 1), 20.0, "never more than there were");
    }

    #[test]
    fn robots_count_when_they_come_and_once() {
        // Ten a tick for twenty seconds, which alarm from the eighth tick on and not for a second in between.
        let come = |tick: u64| if tick < 80 { 10.0 } else { 0.0 };
        let mut tally = Tally::default();
        let prefix = Address::v4([203, 0, 113, 10]).host_prefix();
        let subject = Subject::new(prefix, SiteId::default(), false, Tick::new(0));
        let counted: Vec<f64> = (0..120_u64)
            .map(|tick| {
                let in_ten_seconds: f64 = (0..40).filter_map(|back| tick.checked_sub(back)).map(come).sum();
                let robotic = tick >= 8 && !(50..54).contains(&tick) && in_ten_seconds > 0.0;
                let robotic_excess = if robotic { in_ten_seconds / 10.0 } else { 0.0 };
                let situation = Situation { robotic, robotic_excess, robots_now: come(tick), ..Situation::default() };
                tally.observe_robots(Tick::new(tick), &subject, &situation)
            })
            .collect();
        assert!((counted.iter().sum::<f64>() - 800.0).abs() < 1e-6, "{counted:?}");
        assert_eq!((counted[8], counted[9], counted[54]), (90.0, 10.0, 50.0));
        assert!(counted[80..].iter().all(|now| now.abs() < 1e-6), "nothing is left when they have gone");
    }
}
