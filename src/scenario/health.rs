//! How people fared at a server, second by second: from this, not from what was planned, the truth says "overload".

/// Share of first SYNs unanswered, or of finished handshakes that found the accept queue full, above which a second
/// counts as bad.
const BAD_SHARE: f64 = 0.05;

/// Seconds in the accept queue after which a person was kept waiting, as half of those must be whom the application takes
/// in a bad second: one second is the limit for an uninterrupted flow of thought (Nielsen 1993, ch. 5).
const KEPT_WAITING: f64 = 1.0;

/// Bad seconds closer together than this are one period.
const JOINED_WITHIN: usize = 15;

/// Periods with fewer bad seconds than this are hiccups.
const LEAST_BAD_SECONDS: usize = 4;

/// What happened to people, not to attackers, in one second.
#[derive(Clone, Copy, Debug, Default)]
struct Second {
    first_syns: u32,
    unanswered: u32,
    finished: u32,
    overflowed: u32,
    taken: u32,
    kept_waiting: u32,
}

impl Second {
    fn is_bad(self) -> bool {
        let over = |part: u32, whole: u32| part >= 2 && f64::from(part) > BAD_SHARE * f64::from(whole);
        over(self.unanswered, self.first_syns)
            || over(self.overflowed, self.finished + self.overflowed)
            || (self.kept_waiting >= 2 && 2 * self.kept_waiting >= self.taken)
    }
}

/// The record of a server.
#[derive(Clone, Debug, Default)]
pub(super) struct Health {
    seconds: Vec<Second>,
}

impl Health {
    /// Counts a person's first SYN.
    pub(super) fn on_first_syn(&mut self, second: usize, answered: bool) {
        let second = self.at(second);
        second.first_syns += 1;
        second.unanswered += u32::from(!answered);
    }

    /// Counts a handshake that the client finished, taken or not.
    pub(super) fn on_finished(&mut self, second: usize, taken: bool) {
        let second = self.at(second);
        if taken { second.finished += 1 } else { second.overflowed += 1 }
    }

    /// Counts a connection that the application takes after so many seconds in the accept queue.
    pub(super) fn on_taken(&mut self, second: usize, waited: f64) {
        let second = self.at(second);
        second.taken += 1;
        second.kept_waiting += u32::from(waited >= KEPT_WAITING);
    }

    /// Returns the periods, first to last bad second inclusive, in which the server was really bad.
    pub(super) fn bad_periods(&self) -> Vec<(usize, usize)> {
        let mut periods: Vec<(usize, usize, usize)> = Vec::new();
        for (place, _) in self.seconds.iter().enumerate().filter(|(_, second)| second.is_bad()) {
            match periods.last_mut() {
                Some((_, last, count)) if place - *last <= JOINED_WITHIN => {
                    *last = place;
                    *count += 1;
                }
                _ => periods.push((place, place, 1)),
            }
        }
        periods.retain(|(.., count)| *count >= LEAST_BAD_SECONDS);
        periods.into_iter().map(|(first, last, _)| (first, last)).collect()
    }

    /// Returns how many seconds between two moments were bad.
    pub(super) fn bad_seconds(&self, from: f64, to: f64) -> usize {
        let seconds = self.seconds.iter().enumerate();
        let within = seconds.filter(|(place, _)| (from..to).contains(&(*place as f64)));
        within.filter(|(_, second)| second.is_bad()).count()
    }

    fn at(&mut self, second: usize) -> &mut Second {
        if self.seconds.len() <= second {
            self.seconds.resize(second + 1, Second::default());
        }
        &mut self.seconds[second]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_runs_from_the_first_bad_second_to_the_last() {
        let mut health = Health::default();
        for second in 0..100 {
            for n in 0..50 {
                let bad = (20..=30).contains(&second) || (38..=40).contains(&second) || second == 80;
                health.on_first_syn(second, !(bad && n < 5));
            }
        }
        assert_eq!(health.bad_periods(), [(20, 40)]);
    }

    #[test]
    fn a_full_accept_queue_is_bad_too() {
        let mut health = Health::default();
        for second in 5..15 {
            (0..10).for_each(|n| health.on_finished(second, n >= 3));
            health.on_first_syn(second, true);
        }
        assert_eq!(health.bad_periods(), [(5, 14)]);
    }

    #[test]
    fn half_of_the_people_kept_waiting_for_a_second_is_bad_and_a_moment_is_not() {
        let waits = |wait: f64, parts: u32| {
            let mut health = Health::default();
            for second in 3..12 {
                (0..10).for_each(|n| health.on_taken(second, if n < parts { wait } else { 0.01 }));
            }
            health.bad_periods()
        };
        assert_eq!(waits(1.0, 5), [(3, 11)]);
        assert_eq!(waits(30.0, 4), []);
        assert_eq!(waits(0.9, 10), []);
    }
}
