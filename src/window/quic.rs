//! QUIC connections to one subject: of those the host answered, how many did the client go on with?
//!
//! What SYN-2 asks of TCP (DETECTION 2.3), asked of Initials: a client that was answered uses the connection id the host
//! chose, a forged one never does (RFC 9000 section 8.1; Nawrocki et al. 2021). Only answers with an id of the host's own are
//! compared: where it takes over the client's, or wants none, nobody can prove anything. Opening, answer and proof come in
//! ticks of their own, so answers are compared with the proofs of half a second later, over a second, or over two or four
//! where it takes as long until fifty were answered; each step of the test is a tick's part of that time, so that what
//! overlaps counts once. Of fewer clients the comparison says nothing, since single proofs fall beside its edges.

use crate::summary::HostTick;
use crate::time::Tick;
use crate::window::cusum::STEP_CAP;
use crate::window::ring::Ring;
use crate::window::series::ShareSeries;

/// Ticks an answered client has to go on: half a second.
const LAG: usize = 2;

/// Ticks of a second, over which rates are told.
const SECOND: usize = 4;

/// Ticks over which answers and proofs are compared: the first of them in which enough were answered.
const SPANS: [usize; 3] = [SECOND, 2 * SECOND, 4 * SECOND];

/// Share of answered clients that may stop before anything is known: aborted and raced connections (RFC 8305) are common.
const STOPPING_AT_FIRST: f64 = 0.3;

/// Answered clients from which they are compared with those that went on.
const LEAST_ANSWERED: f64 = 50.0;

/// Connections a client proved before a host counts as one that serves QUIC.
const SERVES: u64 = 20;

/// The window.
#[derive(Clone, Debug, Default)]
pub struct Quic {
    opened: Ring<40>,
    answered: Ring<40>,
    finished: Ring<40>,
    initials: Ring<40>,
    proved: u64,
    unfinished: ShareSeries,
}

impl Quic {
    /// Takes one tick and its Initial packets, retransmissions included.
    pub fn observe(&mut self, tick: Tick, host: &HostTick, initials: u64) {
        self.opened.push(u64::from(host.quic.opened));
        self.answered.push(u64::from(host.quic.answered));
        self.finished.push(u64::from(host.quic.finished));
        self.initials.push(initials);
        self.proved = self.proved.saturating_add(u64::from(host.quic.finished));
        let Some(span) = self.span() else {
            self.unfinished.restart(tick.next());
            return;
        };
        let (unfinished, answered) = self.compare(span);
        let (part, whole) = (unfinished / span as f64, answered / span as f64);
        let usual = self.unfinished.level().envelope(STOPPING_AT_FIRST);
        self.unfinished.observe(tick, part, whole, host.sampling.part(), Some(usual), STEP_CAP);
    }

    /// Returns the shortest time in which enough were answered.
    fn span(&self) -> Option<usize> {
        SPANS.into_iter().find(|span| self.compare(*span).1 >= LEAST_ANSWERED)
    }

    /// Returns how many of the answered clients of the `span` ticks that ended half a second ago did not go on, and how
    /// many were answered.
    fn compare(&self, span: usize) -> (f64, f64) {
        let answered = self.answered.recent(span + LAG) - self.answered.recent(LAG);
        let finished = self.finished.recent(span);
        (answered.saturating_sub(finished) as f64, answered as f64)
    }

    /// Returns the share of answered clients that did not go on, over twice the time in which enough were answered, or over
    /// two seconds; `None` for none answered.
    #[must_use]
    pub fn unfinished_share(&self) -> Option<f64> {
        let (unfinished, answered) = self.compare(2 * self.span().unwrap_or(SECOND));
        (answered > 0.0).then(|| unfinished / answered)
    }

    /// Returns what share of answered clients usually stops, at most.
    #[must_use]
    pub fn usual_at_most(&self) -> f64 {
        self.unfinished.level().envelope(STOPPING_AT_FIRST)
    }

    /// Returns connections opened a second.
    #[must_use]
    pub fn opened_per_second(&self) -> f64 {
        self.opened.recent(SECOND) as f64
    }

    /// Returns Initial packets a second, retransmissions included.
    #[must_use]
    pub fn initials_per_second(&self) -> f64 {
        self.initials.recent(SECOND) as f64
    }

    /// Returns how often a client sent its Initial on average over ten seconds: once where it is answered at once.
    #[must_use]
    pub fn tries(&self) -> f64 {
        self.initials.sum() as f64 / (self.opened.sum() as f64).max(1.0)
    }

    /// Tells whether clients have proved that the host serves QUIC.
    #[must_use]
    pub const fn is_served(&self) -> bool {
        self.proved >= SERVES
    }

    /// Returns the evidence that more clients stop than usual, in decades, and the first tick it explains.
    #[must_use]
    pub fn evidence(&self) -> (f64, Tick) {
        (self.unfinished.decades(), self.unfinished.onset())
    }

    /// Learns with a weight of 0 to 1.
    pub fn learn(&mut self, weight: f64) {
        self.unfinished.learn(weight);
    }

    /// Restarts after a gap; the level stays.
    pub fn restart(&mut self, tick: Tick) {
        for ring in [&mut self.opened, &mut self.answered, &mut self.finished, &mut self.initials] {
            ring.clear();
        }
        self.unfinished.restart(tick);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::QuicTick;

    fn run(quic: &mut Quic, ticks: std::ops::Range<u64>, opened: u32, answered: u32, finished: u32) {
        for n in ticks {
            let counts = QuicTick { opened, answered, finished };
            quic.observe(Tick::new(n), &HostTick { quic: counts, ..HostTick::default() }, u64::from(opened));
        }
    }

    #[test]
    fn clients_that_go_on_are_no_evidence_even_when_their_number_leaps() {
        let mut quic = Quic::default();
        run(&mut quic, 0..40, 10, 10, 10);
        // The first proofs of the crowd come two ticks after its openings.
        run(&mut quic, 40..42, 200, 200, 10);
        run(&mut quic, 42..80, 200, 200, 200);
        assert!(quic.evidence().0 < 1.0, "{:?}", quic.evidence());
        assert!(quic.is_served());
    }

    #[test]
    fn a_few_clients_are_no_evidence_whenever_they_go_on() {
        let mut quic = Quic::default();
        for n in 0..400 {
            let one = u32::from(n % 4 == 0);
            run(&mut quic, n..n + 1, one, one, one);
        }
        assert_eq!(quic.evidence(), (0.0, Tick::new(400)));
    }

    #[test]
    fn fewer_answered_clients_that_stop_are_evidence_after_longer() {
        let mut quic = Quic::default();
        // Twenty-four a second, of whom four a second go on.
        run(&mut quic, 0..9, 6, 6, 1);
        assert_eq!(quic.evidence().0, 0.0);
        run(&mut quic, 9..40, 6, 6, 1);
        assert!(quic.evidence().0 > 9.3, "{:?}", quic.evidence());
        let mut calm = Quic::default();
        run(&mut calm, 0..400, 6, 6, 5);
        assert_eq!(calm.evidence().0, 0.0);
    }

    #[test]
    fn answered_clients_that_stop_are_evidence_within_three_seconds() {
        let mut quic = Quic::default();
        run(&mut quic, 0..40, 10, 10, 10);
        run(&mut quic, 40..52, 200, 200, 10);
        assert!(quic.evidence().0 > 9.3, "{:?}", quic.evidence());
        assert!(quic.unfinished_share().unwrap() > 0.9);
    }
}
