//! Facts about single followed handshakes of one subject over the last ten seconds: who fell silent, who tried again,
//! from how many networks, and how many from addresses that cannot exist.
//!
//! Known sources are the control group: they suffer the same drops and the same impatience as new ones (DETECTION 2.3).

use crate::address::Address;
use crate::summary::{CohortRecord, CohortStage, Outcome};
use crate::window::ports::Ports;
use crate::window::ring::Rows;

/// Ten seconds.
const WINDOW: usize = 40;

/// Different networks told apart; the gates ask for twenty.
const NETWORKS: usize = 64;

/// Ports in service that are remembered, and the ticks for which one is: ten minutes.
const SERVICES: usize = 32;
const SERVED_FOR: u32 = 2_400;

/// Share of all IPv4 addresses that can never be a source on any network: 0/8, 127/8 and 224/3 (RFC 6890, RFC 1112).
pub const IMPOSSIBLE_SHARE: f64 = 34.0 / 256.0;

/// What is counted of handshakes: weighted, or, where it says raw, one by one.
#[derive(Clone, Copy)]
enum Of {
    Unfinished,
    Impossible,
    LookedV4,
    LookedV4Raw,
    Looked,
    LookedRaw,
    RefusedAtClosed,
    /// Raw, like the next.
    KnownAnswered,
    KnownUnfinished,
    ScannersUnfinished,
    ClosedNew,
    SilentNew,
    ClosedKnown,
    SilentKnown,
    ClosedRaw,
    ClosedKnownRaw,
    Unanswered,
    UnansweredRetried,
}

impl Of {
    const COUNT: usize = Self::UnansweredRetried as usize + 1;
}

/// The window.
#[derive(Clone, Debug, Default)]
pub struct Records {
    counts: Rows<{ Of::COUNT }, WINDOW>,
    /// Ports at which handshakes were finished, with the ticks since.
    served_ports: Vec<(u16, u32)>,
    /// (network, age in ticks) of recent unfinished handshakes, the oldest replaced first.
    networks: Vec<(Address, u32)>,
    ports: Ports,
}

impl Records {
    /// Takes one record; `known` and `scanner` tell what is known of its source.
    pub fn observe(&mut self, record: &CohortRecord, known: bool, scanner: bool) {
        let weight = u64::from(record.weight);
        if scanner {
            if record.stage == CohortStage::Look && record.outcome.is_unfinished() {
                self.add(Of::ScannersUnfinished, weight);
            }
            return;
        }
        match record.stage {
            CohortStage::Look => self.look(record, weight, known),
            CohortStage::Close => self.close(record, weight, known),
        }
    }

    fn look(&mut self, record: &CohortRecord, weight: u64, known: bool) {
        self.add(Of::Looked, weight);
        self.add(Of::LookedRaw, 1);
        if record.outcome.any(Outcome::FINISHED) {
            self.note_service(record.port);
        }
        if self.is_refused_at_closed(record) {
            self.add(Of::RefusedAtClosed, weight);
        }
        if let Some(v4) = record.source.to_ipv4() {
            self.add(Of::LookedV4, weight);
            self.add(Of::LookedV4Raw, 1);
            let first = v4.octets()[0];
            if first == 0 || first == 127 || first >= 224 {
                self.add(Of::Impossible, weight);
            }
        }
        if record.outcome.is_unfinished() {
            self.add(Of::Unfinished, weight);
        }
        if known && record.outcome.any(Outcome::ANSWERED) {
            self.add(Of::KnownAnswered, 1);
            self.add(Of::KnownUnfinished, u64::from(record.outcome.is_unfinished()));
        }
        if !record.outcome.any(Outcome::FINISHED | Outcome::CLIENT_RESET) {
            self.note_network(record.source.network());
            self.ports.add(record.port, weight);
        }
    }

    fn close(&mut self, record: &CohortRecord, weight: u64, known: bool) {
        let outcome = record.outcome;
        self.add(Of::ClosedRaw, 1);
        if !outcome.any(Outcome::ANSWERED | Outcome::SERVER_RESET | Outcome::FINISHED) {
            self.add(Of::Unanswered, weight);
            if outcome.any(Outcome::RETRIED) {
                self.add(Of::UnansweredRetried, weight);
            }
        }
        // A refused client has no reason to go on: its silence says nothing.
        if outcome.any(Outcome::SERVER_RESET) && !outcome.any(Outcome::ANSWERED) {
            return;
        }
        let silent = if outcome.is_silent() { weight } else { 0 };
        if known {
            self.add(Of::ClosedKnownRaw, 1);
            self.add(Of::ClosedKnown, weight);
            self.add(Of::SilentKnown, silent);
        } else {
            self.add(Of::ClosedNew, weight);
            self.add(Of::SilentNew, silent);
        }
    }

    /// Tells whether the server refused it at a port at which nobody was served of late: where some are, it turns clients away.
    #[must_use]
    pub fn is_refused_at_closed(&self, record: &CohortRecord) -> bool {
        let refused = record.outcome.any(Outcome::SERVER_RESET) && !record.outcome.any(Outcome::ANSWERED);
        refused && !self.served_ports.iter().any(|(port, _)| *port == record.port)
    }

    fn note_service(&mut self, port: u16) {
        if let Some((_, age)) = self.served_ports.iter_mut().find(|(known, _)| *known == port) {
            *age = 0;
        } else if self.served_ports.len() < SERVICES {
            self.served_ports.push((port, 0));
        }
    }

    fn note_network(&mut self, network: Address) {
        let known = self.networks.iter().position(|(known, _)| *known == network);
        let oldest = || (0..NETWORKS).max_by_key(|place| self.networks[*place].1);
        match known.or_else(|| if self.networks.len() < NETWORKS { None } else { oldest() }) {
            Some(place) => self.networks[place] = (network, 0),
            None => self.networks.push((network, 0)),
        }
    }

    /// Ends a tick.
    pub fn roll(&mut self) {
        self.counts.roll();
        self.served_ports.retain_mut(|(_, age)| {
            *age += 1;
            *age <= SERVED_FOR
        });
        self.networks.iter_mut().for_each(|(_, age)| *age += 1);
        self.networks.retain(|(_, age)| *age <= 40);
        self.ports.fade();
    }

    /// Returns the share of silent handshakes among known sources and how many there were (unweighted).
    #[must_use]
    pub fn silent_known(&self) -> (f64, f64) {
        (share(self.sum(Of::SilentKnown), self.sum(Of::ClosedKnown)), self.sum(Of::ClosedKnownRaw))
    }

    /// Returns the share of silent handshakes among new sources and how many there were (unweighted).
    #[must_use]
    pub fn silent_new(&self) -> (f64, f64) {
        (
            share(self.sum(Of::SilentNew), self.sum(Of::ClosedNew)),
            self.sum(Of::ClosedRaw) - self.sum(Of::ClosedKnownRaw),
        )
    }

    /// Returns the silent and all handshakes of new sources that closed in this tick (scaled to unweighted numbers).
    #[must_use]
    pub fn silent_new_now(&self) -> (f64, f64) {
        let raw = self.recent(Of::ClosedRaw, 1) - self.recent(Of::ClosedKnownRaw, 1);
        let (silent, closed) = (self.recent(Of::SilentNew, 1), self.recent(Of::ClosedNew, 1));
        (share(silent, closed) * raw, raw)
    }

    /// Returns (refused at closed ports, all) of the handshakes looked at over the last `span` ticks, weighted, and the part of
    /// them really counted.
    #[must_use]
    pub fn refused_at_closed(&self, span: usize) -> (f64, f64, f64) {
        let all = self.recent(Of::Looked, span);
        let raw = if all > 0.0 { self.recent(Of::LookedRaw, span) / all } else { 1.0 };
        (self.recent(Of::RefusedAtClosed, span), all, raw)
    }

    /// Returns the share of new sources among closed handshakes.
    #[must_use]
    pub fn new_share(&self) -> f64 {
        share(self.sum(Of::ClosedNew), self.sum(Of::ClosedNew) + self.sum(Of::ClosedKnown))
    }

    /// Returns the share of unanswered handshakes that the client retried, and how many were unanswered, weighted.
    #[must_use]
    pub fn retried(&self) -> (f64, f64) {
        (share(self.sum(Of::UnansweredRetried), self.sum(Of::Unanswered)), self.sum(Of::Unanswered))
    }

    /// Returns answered handshakes a second that were not finished a second after their SYN. Scanners are left out, unless
    /// they leave more than `most_by_scanners` a second: then it is no longer probing.
    #[must_use]
    pub fn unfinished_per_second(&self, most_by_scanners: f64) -> f64 {
        let by_scanners = self.per_second(Of::ScannersUnfinished);
        self.per_second(Of::Unfinished) + if by_scanners > most_by_scanners { by_scanners } else { 0.0 }
    }

    /// Returns the share of answered handshakes of known sources that were not finished a second after their SYN, over the
    /// last `span` ticks, and how many were answered (unweighted): where they fail too, the path is at fault and not forging.
    #[must_use]
    pub fn unfinished_known(&self, span: usize) -> (f64, f64) {
        let answered = self.recent(Of::KnownAnswered, span);
        (share(self.recent(Of::KnownUnfinished, span), answered), answered)
    }

    /// Returns how many different networks did not finish in ten seconds, up to 64.
    #[must_use]
    pub fn networks(&self) -> usize {
        self.networks.len()
    }

    /// Returns the share of IPv4 handshakes from impossible sources over the last `span` ticks, the unweighted number of
    /// IPv4 handshakes looked at, and their weighted rate a second.
    #[must_use]
    pub fn impossible(&self, span: usize) -> (f64, f64, f64) {
        let impossible = self.recent(Of::Impossible, span);
        let looked = self.recent(Of::LookedV4, span);
        (share(impossible, looked), self.recent(Of::LookedV4Raw, span), self.per_second(Of::LookedV4))
    }

    /// Returns how many IPv4 handshakes were looked at in ten seconds, unweighted.
    #[must_use]
    pub fn looked_v4(&self) -> f64 {
        self.sum(Of::LookedV4Raw)
    }

    /// Returns the port that at least nine tenths of the unfinished handshakes go to.
    #[must_use]
    pub fn leading_port(&self) -> Option<u16> {
        self.ports.leading()
    }

    const fn add(&mut self, which: Of, count: u64) {
        self.counts.add(which as usize, count);
    }

    fn sum(&self, which: Of) -> f64 {
        self.counts.sum(which as usize) as f64
    }

    fn recent(&self, which: Of, span: usize) -> f64 {
        self.counts.recent(which as usize, span) as f64
    }

    /// The rate of the last second or of the last ten, whichever is larger: a beginning shows at once.
    fn per_second(&self, which: Of) -> f64 {
        self.recent(which, 4).max(self.sum(which) / 10.0)
    }

    /// Forgets everything, as after a gap.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { (part / whole).clamp(0.0, 1.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::cast_possible_truncation, reason = "64 fits a byte")]

    use super::*;
    use crate::time::Timestamp;

    fn record(source: [u8; 4], stage: CohortStage, outcome: u8) -> CohortRecord {
        CohortRecord {
            target: Address::v4([203, 0, 113, 1]),
            source: Address::v4(source),
            first_syn: Timestamp::ZERO,
            port: 443,
            weight: 2,
            ttl: 57,
            window: 64_240,
            stage,
            outcome: Outcome(outcome),
        }
    }

    #[test]
    fn known_sources_are_counted_apart() {
        let mut records = Records::default();
        for n in 0..10 {
            records.observe(&record([1, 2, n, 4], CohortStage::Close, 0), false, false);
            records.observe(&record([1, 2, n, 5], CohortStage::Close, Outcome::RETRIED), true, false);
        }
        records.roll();
        assert_eq!(records.silent_new(), (1.0, 10.0));
        assert_eq!(records.silent_known(), (0.0, 10.0));
        assert_eq!(records.retried(), (0.5, 40.0));
        assert_eq!(records.silent_new_now(), (10.0, 10.0));
    }

    #[test]
    fn a_refused_client_is_not_silent() {
        let mut records = Records::default();
        records.observe(&record([1, 2, 3, 4], CohortStage::Close, Outcome::SERVER_RESET), false, false);
        records.roll();
        assert_eq!(records.silent_new().0, 0.0);
        assert_eq!(records.retried().1, 0.0);
    }

    #[test]
    fn scanners_do_not_count_as_a_flood() {
        let mut records = Records::default();
        records.observe(&record([1, 2, 3, 4], CohortStage::Look, Outcome::ANSWERED), false, true);
        records.roll();
        assert_eq!(records.unfinished_per_second(500.0), 0.0);
        assert!(records.unfinished_per_second(1.0) > 0.0, "scanners that flood count");
        assert_eq!(records.networks(), 0);
    }

    #[test]
    fn impossible_sources_and_networks_are_counted() {
        let mut records = Records::default();
        for n in 0..=255 {
            records.observe(&record([n, 1, 1, 1], CohortStage::Look, Outcome::ANSWERED), false, false);
        }
        records.roll();
        assert!((records.impossible(4).0 - IMPOSSIBLE_SHARE).abs() < 1e-9);
        assert_eq!(records.networks(), NETWORKS);
        assert_eq!(records.leading_port(), Some(443));
        for n in 0..60 {
            for host in 0..NETWORKS as u8 {
                records.observe(&record([9, n, host, 1], CohortStage::Look, Outcome::ANSWERED), false, false);
            }
            records.roll();
            assert_eq!(records.networks(), NETWORKS, "a lasting flood keeps its breadth");
        }
        for _ in 0..41 {
            records.roll();
        }
        assert_eq!(records.networks(), 0);
    }
}
