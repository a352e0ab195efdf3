//! Facts about single followed handshakes of one subject over the last ten seconds: who fell silent, who tried again,
//! from how many networks, and how many from addresses that cannot exist.
//!
//! Known sources are the control group: they suffer the same drops and the same impatience as new ones (DETECTION 2.3).

use std::collections::BTreeMap;

use crate::address::Address;
use crate::summary::{CohortRecord, CohortStage, Outcome};
use crate::window::ports::Ports;
use crate::window::ring::Ring;

/// Ten seconds.
const WINDOW: usize = 40;

/// Different networks told apart; the gates ask for twenty.
const NETWORKS: usize = 64;

/// Ports in service that are remembered, and the ticks for which one is: ten minutes.
const SERVICES: usize = 32;
const SERVED_FOR: u32 = 2_400;

/// Share of all IPv4 addresses that can never be a source on any network: 0/8, 127/8 and 224/3 (RFC 6890, RFC 1112).
pub const IMPOSSIBLE_SHARE: f64 = 34.0 / 256.0;

/// Counts of handshakes, as weighted numbers.
#[derive(Clone, Debug, Default)]
struct Count {
    now: u64,
    ring: Ring<WINDOW>,
}

impl Count {
    fn roll(&mut self) {
        self.ring.push(std::mem::take(&mut self.now));
    }

    fn sum(&self) -> f64 {
        self.ring.sum() as f64
    }

    /// The rate of the last second or of the last ten, whichever is larger: a beginning shows at once.
    fn per_second(&self) -> f64 {
        (self.ring.recent(4) as f64).max(self.sum() / 10.0)
    }
}

/// The window.
#[derive(Clone, Debug, Default)]
pub struct Records {
    unfinished: Count,
    impossible: Count,
    looked_v4: Count,
    closed_new: Count,
    silent_new: Count,
    closed_known: Count,
    silent_known: Count,
    closed_raw: Count,
    closed_known_raw: Count,
    unanswered: Count,
    unanswered_retried: Count,
    looked_v4_raw: Count,
    known_answered: Count,
    known_unfinished: Count,
    scanners_unfinished: Count,
    looked: Count,
    looked_raw: Count,
    refused_at_closed: Count,
    /// Ports at which handshakes were finished, with the ticks since.
    served_ports: BTreeMap<u16, u32>,
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
                self.scanners_unfinished.now += weight;
            }
            return;
        }
        match record.stage {
            CohortStage::Look => self.look(record, weight, known),
            CohortStage::Close => self.close(record, weight, known),
        }
    }

    fn look(&mut self, record: &CohortRecord, weight: u64, known: bool) {
        self.looked.now += weight;
        self.looked_raw.now += 1;
        if record.outcome.any(Outcome::FINISHED) {
            self.note_service(record.port);
        }
        if self.is_refused_at_closed(record) {
            self.refused_at_closed.now += weight;
        }
        if let Some(v4) = record.source.to_ipv4() {
            self.looked_v4.now += weight;
            self.looked_v4_raw.now += 1;
            let first = v4.octets()[0];
            if first == 0 || first == 127 || first >= 224 {
                self.impossible.now += weight;
            }
        }
        if record.outcome.is_unfinished() {
            self.unfinished.now += weight;
        }
        if known && record.outcome.any(Outcome::ANSWERED) {
            self.known_answered.now += 1;
            self.known_unfinished.now += u64::from(record.outcome.is_unfinished());
        }
        if !record.outcome.any(Outcome::FINISHED | Outcome::CLIENT_RESET) {
            self.note_network(record.source.network());
            self.ports.add(record.port, weight);
        }
    }

    fn close(&mut self, record: &CohortRecord, weight: u64, known: bool) {
        let outcome = record.outcome;
        self.closed_raw.now += 1;
        if !outcome.any(Outcome::ANSWERED | Outcome::SERVER_RESET | Outcome::FINISHED) {
            self.unanswered.now += weight;
            if outcome.any(Outcome::RETRIED) {
                self.unanswered_retried.now += weight;
            }
        }
        // A refused client has no reason to go on: its silence says nothing.
        if outcome.any(Outcome::SERVER_RESET) && !outcome.any(Outcome::ANSWERED) {
            return;
        }
        let silent = if outcome.is_silent() { weight } else { 0 };
        if known {
            self.closed_known_raw.now += 1;
            self.closed_known.now += weight;
            self.silent_known.now += silent;
        } else {
            self.closed_new.now += weight;
            self.silent_new.now += silent;
        }
    }

    /// Tells whether the server refused it at a port at which nobody was served of late: where some are, it turns clients away.
    #[must_use]
    pub fn is_refused_at_closed(&self, record: &CohortRecord) -> bool {
        let refused = record.outcome.any(Outcome::SERVER_RESET) && !record.outcome.any(Outcome::ANSWERED);
        refused && !self.served_ports.contains_key(&record.port)
    }

    fn note_service(&mut self, port: u16) {
        if self.served_ports.len() < SERVICES || self.served_ports.contains_key(&port) {
            self.served_ports.insert(port, 0);
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
        for count in [
            &mut self.unfinished,
            &mut self.impossible,
            &mut self.looked_v4,
            &mut self.closed_new,
            &mut self.silent_new,
            &mut self.closed_known,
            &mut self.silent_known,
            &mut self.closed_raw,
            &mut self.closed_known_raw,
            &mut self.unanswered,
            &mut self.unanswered_retried,
            &mut self.looked_v4_raw,
            &mut self.known_answered,
            &mut self.known_unfinished,
            &mut self.scanners_unfinished,
            &mut self.looked,
            &mut self.looked_raw,
            &mut self.refused_at_closed,
        ] {
            count.roll();
        }
        self.served_ports.retain(|_, age| {
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
        (share(self.silent_known.sum(), self.closed_known.sum()), self.closed_known_raw.sum())
    }

    /// Returns the share of silent handshakes among new sources and how many there were (unweighted).
    #[must_use]
    pub fn silent_new(&self) -> (f64, f64) {
        (share(self.silent_new.sum(), self.closed_new.sum()), self.closed_raw.sum() - self.closed_known_raw.sum())
    }

    /// Returns the silent and all handshakes of new sources that closed in this tick (scaled to unweighted numbers).
    #[must_use]
    pub fn silent_new_now(&self) -> (f64, f64) {
        let raw = (self.closed_raw.ring.back(0) - self.closed_known_raw.ring.back(0)) as f64;
        let (silent, closed) = (self.silent_new.ring.back(0) as f64, self.closed_new.ring.back(0) as f64);
        (share(silent, closed) * raw, raw)
    }

    /// Returns (refused at closed ports, all) of the handshakes looked at over the last `span` ticks, weighted, and the part of
    /// them really counted.
    #[must_use]
    pub fn refused_at_closed(&self, span: usize) -> (f64, f64, f64) {
        let recent = |count: &Count| count.ring.recent(span) as f64;
        let all = recent(&self.looked);
        (recent(&self.refused_at_closed), all, if all > 0.0 { recent(&self.looked_raw) / all } else { 1.0 })
    }

    /// Returns the share of new sources among closed handshakes.
    #[must_use]
    pub fn new_share(&self) -> f64 {
        share(self.closed_new.sum(), self.closed_new.sum() + self.closed_known.sum())
    }

    /// Returns the share of unanswered handshakes that the client retried, and how many were unanswered, weighted.
    #[must_use]
    pub fn retried(&self) -> (f64, f64) {
        (share(self.unanswered_retried.sum(), self.unanswered.sum()), self.unanswered.sum())
    }

    /// Returns answered handshakes a second that were not finished a second after their SYN. Scanners are left out, unless
    /// they leave more than `most_by_scanners` a second: then it is no longer probing.
    #[must_use]
    pub fn unfinished_per_second(&self, most_by_scanners: f64) -> f64 {
        let by_scanners = self.scanners_unfinished.per_second();
        self.unfinished.per_second() + if by_scanners > most_by_scanners { by_scanners } else { 0.0 }
    }

    /// Returns the share of answered handshakes of known sources that were not finished a second after their SYN, over the
    /// last `span` ticks, and how many were answered (unweighted): where they fail too, the path is at fault and not forging.
    #[must_use]
    pub fn unfinished_known(&self, span: usize) -> (f64, f64) {
        let answered = self.known_answered.ring.recent(span) as f64;
        (share(self.known_unfinished.ring.recent(span) as f64, answered), answered)
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
        let impossible = self.impossible.ring.recent(span) as f64;
        let looked = self.looked_v4.ring.recent(span) as f64;
        (share(impossible, looked), self.looked_v4_raw.ring.recent(span) as f64, self.looked_v4.per_second())
    }

    /// Returns the port that at least nine tenths of the unfinished handshakes go to.
    #[must_use]
    pub fn leading_port(&self) -> Option<u16> {
        self.ports.leading()
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
