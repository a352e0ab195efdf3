//! An attack that silences its victim silences the evidence of itself.
//!
//! Method: a full queue of half-open handshakes, or of connections held open, answers nobody, and where nothing is answered
//! no handshake tells any more who meant it. What was held just before goes on being held until the server answers a tenth of
//! the clients again, at most for as long as a forged handshake keeps its place (63 s: RFC 6298 and Linux, five repetitions of
//! a SYN-ACK, doubling from one second) after the last evidence.
//!
//! Blind spots: an attack that ends while its victim is silent is held to last until then; one that begins then is not
//! seen; how it grows or shrinks meanwhile is not known.

use crate::detect::view::Situation;
use crate::time::Tick;
use crate::window::subject::Subject;

/// Ticks for which a forged handshake keeps its place: 63 s.
const PLACE_KEPT: u64 = 252;

/// Ticks in which a server falls silent after the last evidence, or did not: ten seconds.
const FALLS_SILENT_IN: u64 = 40;

/// Ticks over which answers are counted, three seconds, and first attempts in them from which that can be done.
const ANSWERS_OVER: usize = 12;
const LEAST_ATTEMPTS: f64 = 6.0;

/// Share of first attempts left unanswered from which the evidence is no longer to be had. A server that answers one in five
/// shows by those what the others are.
const SILENT: f64 = 0.9;

/// What was held before the server fell silent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Blackout {
    /// The last tick with evidence of an attack, and the attack's share of first attempts then.
    seen: Option<(Tick, f64)>,
}

impl Blackout {
    /// Returns the share of first attempts that goes on being held to be attack at tick `now`.
    #[must_use]
    pub fn held(&self, now: Tick, subject: &Subject) -> Option<f64> {
        let (at, share) = self.seen?;
        (now.since(at) <= PLACE_KEPT && is_silent(subject)).then_some(share)
    }

    /// Takes what a tick was judged to be.
    pub fn observe(&mut self, now: Tick, subject: &Subject, situation: &Situation) {
        if situation.flood || situation.exhausted || situation.robotic {
            let forged = if situation.blacked_out { 0.0 } else { situation.attack_share };
            let share = (forged + situation.robots() / situation.first_syns.max(1.0)).min(1.0);
            // What still shows of it through a server that answers few is less than there is.
            let before = self.seen.filter(|_| situation.blacked_out).map_or(0.0, |(_, share)| share);
            self.seen = Some((now, share.max(before)));
        } else if let Some((at, _)) = self.seen {
            let over = now.since(at) > PLACE_KEPT || (now.since(at) > FALLS_SILENT_IN && !is_silent(subject));
            self.seen = self.seen.filter(|_| !over);
        }
    }
}

/// Tells whether most first attempts of the last seconds were left unanswered.
pub(super) fn is_silent(subject: &Subject) -> bool {
    let server = subject.cohorts.server_side(ANSWERS_OVER);
    server.opened >= LEAST_ATTEMPTS && server.unanswered_share().is_some_and(|share| share >= SILENT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use crate::policy::SiteId;
    use crate::summary::{CohortTick, HostTick};

    /// A server asked by twenty a tick, of whom it answers so many.
    struct Server {
        subject: Subject,
        blackout: Blackout,
        now: Tick,
    }

    impl Server {
        fn new() -> Self {
            let prefix = Address::v4([203, 0, 113, 10]).host_prefix();
            let now = Tick::new(1_000);
            Self { subject: Subject::new(prefix, SiteId::default(), false, now), blackout: Blackout::default(), now }
        }

        /// Lets ticks pass in which a flood of three tenths shows or does not, and returns what is held at the end.
        fn pass(&mut self, ticks: u64, answered: u32, flood: bool) -> Option<f64> {
            for _ in 0..ticks {
                let mut cohort = CohortTick { sampled: 20, opened: 20, ..CohortTick::default() };
                cohort.answered[0] = answered;
                let host = HostTick { syn: 20, cohort, ..HostTick::default() };
                self.subject.observe(self.now, &host, false, |_| true);
                let attack_share = if flood { 0.3 } else { 0.0 };
                let situation = Situation { flood, attack_share, first_syns: 80.0, ..Situation::default() };
                self.blackout.observe(self.now, &self.subject, &situation);
                self.now = self.now.next();
            }
            self.blackout.held(self.now, &self.subject)
        }
    }

    #[test]
    fn what_was_held_goes_on_while_nothing_is_answered_for_as_long_as_places_are_kept() {
        let mut server = Server::new();
        assert_eq!(server.pass(40, 20, false), None);
        assert_eq!(server.pass(8, 20, true), None, "while it answers, the evidence is there");
        assert_eq!(server.pass(20, 0, false), Some(0.3));
        assert_eq!(server.pass(PLACE_KEPT - 21, 0, false), Some(0.3));
        assert_eq!(server.pass(2, 0, false), None);
    }

    #[test]
    fn a_server_that_answers_shows_for_itself_that_the_flood_is_over() {
        let mut server = Server::new();
        server.pass(40, 20, true);
        assert_eq!(server.pass(60, 20, false), None);
        assert_eq!(server.pass(40, 0, false), None, "what silences it later is something else");
    }

    #[test]
    fn a_server_that_answers_some_shows_by_them_what_the_others_are() {
        let mut server = Server::new();
        server.pass(40, 20, true);
        assert_eq!(server.pass(60, 5, false), None);
    }

    #[test]
    fn without_an_attack_before_silence_is_no_attack() {
        let mut server = Server::new();
        server.pass(40, 20, false);
        assert_eq!(server.pass(100, 0, false), None);
    }
}
