//! Sources that probe a protected prefix, as the flood test needs them: within a second of their handshakes, before it is
//! known that nothing will come back. Alerts on scans are made of first contacts ([`crate::window::probing`]).
//!
//! A direct-mapped table of fixed size, fed by closed handshakes. Under a flood of forged sources entries are replaced
//! all the time; a scanner then goes unrecognised, which hides nothing, since the flood is there.

use crate::address::Address;
use crate::hash::{Seed, mix};
use crate::summary::{CohortRecord, CohortStage, Outcome};
use crate::time::Tick;
use crate::window::bitmap::Bitmap;
use crate::window::concert::Concert;

const PLACES: usize = 4_096;

/// Five minutes, as in Zeek's scan detection.
const REMEMBERED: u64 = 1_200;

/// Different ports, or hosts, that make a scanner (Zeek's `scan.zeek`: 15 ports, 25 hosts).
const PORTS: u32 = 15;
const HOSTS: u32 = 25;

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    source: Address,
    since: Tick,
    ports: Bitmap,
    hosts: Bitmap,
    failures: u32,
    successes: u32,
}

/// The table.
#[derive(Debug)]
pub struct Scanners {
    seed: Seed,
    entries: Vec<Entry>,
    concert: Concert,
}

impl Scanners {
    /// Builds an empty table keyed by `seed`.
    #[must_use]
    pub fn new(seed: Seed) -> Self {
        Self { seed, entries: vec![Entry::default(); PLACES], concert: Concert::default() }
    }

    /// Takes a record of a followed handshake.
    pub fn observe(&mut self, now: Tick, record: &CohortRecord) {
        let place = place(self.seed.address(record.source));
        let entry = &mut self.entries[place];
        if entry.source != record.source || now.since(entry.since) > REMEMBERED {
            *entry = Entry { source: record.source, since: now, ..Entry::default() };
        }
        if record.outcome.any(Outcome::FINISHED) {
            entry.successes = entry.successes.saturating_add(1);
        } else {
            entry.failures = entry.failures.saturating_add(1);
            entry.ports.insert(mix(self.seed.0[1], u64::from(record.port)));
            entry.hosts.insert(self.seed.address(record.target));
        }
        if record.stage == CohortStage::Look && entry.probes() {
            self.concert.note(now, record.source, record.target, record.weight);
        }
    }

    /// Ends a tick.
    pub fn advance(&mut self, now: Tick) {
        self.concert.advance(now);
    }

    /// Tells whether the source probes in concert with others: then its handshakes are a flood's.
    #[must_use]
    pub fn is_in_concert(&self, source: Address) -> bool {
        self.concert.took_part(source)
    }

    /// Tells whether the source, of which `hash` is the hash ([`Seed::address`]), probes: enough different ports or hosts (by
    /// [`Bitmap`]), and at least four failures to a success.
    #[must_use]
    pub fn probes(&self, source: Address, hash: u64) -> bool {
        let entry = &self.entries[place(hash)];
        entry.source == source && entry.probes()
    }
}

impl Entry {
    fn probes(&self) -> bool {
        self.failures >= 4 * self.successes
            && (self.ports.distinct() >= f64::from(PORTS) || self.hosts.distinct() >= f64::from(HOSTS))
    }
}

fn place(hash: u64) -> usize {
    usize::try_from(hash % PLACES as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn probe(port: u16, host: u8, outcome: u8) -> CohortRecord {
        CohortRecord {
            target: Address::v4([203, 0, 113, host]),
            source: Address::v4([198, 18, 0, 1]),
            first_syn: Timestamp::ZERO,
            port,
            weight: 1,
            ttl: 57,
            window: 64_240,
            stage: CohortStage::Close,
            outcome: Outcome(outcome),
        }
    }

    fn probes(scanners: &Scanners) -> bool {
        let source = Address::v4([198, 18, 0, 1]);
        scanners.probes(source, Seed::default().address(source))
    }

    #[test]
    fn many_ports_or_many_hosts_make_a_scanner() {
        let mut scanners = Scanners::new(Seed::default());
        for port in 1..40 {
            scanners.observe(Tick::new(10), &probe(port, 1, 0));
        }
        assert!(probes(&scanners));
        let mut scanners = Scanners::new(Seed::default());
        for host in 1..60 {
            scanners.observe(Tick::new(10), &probe(445, host, 0));
        }
        assert!(probes(&scanners));
    }

    #[test]
    fn one_port_is_no_scan_however_often() {
        let mut scanners = Scanners::new(Seed::default());
        for _ in 0..1_000 {
            scanners.observe(Tick::new(10), &probe(443, 1, 0));
        }
        assert!(!probes(&scanners));
    }

    #[test]
    fn a_client_of_many_services_that_answers_is_no_scanner() {
        let mut scanners = Scanners::new(Seed::default());
        for port in 1..40 {
            scanners.observe(Tick::new(10), &probe(port, 1, Outcome::ANSWERED | Outcome::FINISHED));
            scanners.observe(Tick::new(10), &probe(port, 1, 0));
        }
        assert!(!probes(&scanners));
    }
}
