//! Sources whose first contacts fail: how many, on which ports of which hosts (DETECTION 5, SCAN-1 and SCAN-2).
//!
//! An entry is a source and a protocol, made at its first failure and kept in a table of fixed size. A contact to a host
//! and port counts once in five to ten minutes, so that neither a client that retries nor a crowd behind one address at a
//! dead server looks like a scan: they fail again and again at the same door. Breadth is counted twice, for the last five
//! to ten minutes and for a day, in all and for the leading ports and hosts. What the source probes is decided by
//! the detectors.
//!
//! Under a flood of forged sources newcomers replace newcomers; an entry with two failures or more is kept before them.

use crate::address::{Address, Prefix};
use crate::hash::{Seed, mix};
use crate::packet::Protocol;
use crate::summary::{Knock, Probe, ProbeOutcome};
use crate::time::Tick;
use crate::window::majority::Majority;
use crate::window::table::{Key, Table, Worth};

mod breadth;
mod leading;

pub use breadth::Breadth;
pub use leading::{Lead, Leading, Tally};

/// Entries of the table: some 5 MiB when it is full.
const MOST_ENTRIES: usize = 8_192;

/// Ports and hosts followed one by one for each entry.
const PORTS: usize = 4;
const HOSTS: usize = 2;

/// An entry unseen for so long begins anew.
const FORGET_AFTER: u64 = 86_400 * 4;

/// Who probes, and with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prober {
    /// The source: the address for IPv4, the /64 for IPv6.
    pub source: Address,
    /// TCP, UDP or ICMP.
    pub protocol: Protocol,
}

impl Key for Prober {
    fn hash(&self, secret: Seed) -> u64 {
        mix(secret.address(self.source), u64::from(self.protocol.0))
    }
}

/// What is known of one prober.
#[derive(Clone, Debug)]
pub struct Probing {
    /// The test over all its first contacts, and how they ended.
    pub all: Tally,
    /// Different hosts at which it failed.
    pub hosts: Breadth,
    /// Different ports at which it failed.
    pub ports: Breadth,
    /// Ports with the most failures.
    pub by_port: Leading<u16, PORTS>,
    /// Hosts with the most failures.
    pub by_host: Leading<Address, HOSTS>,
    /// The protected prefix, or else the /24 (/64), that most failures lie in.
    pub narrow: Majority<Prefix>,
    /// The /16 (/48) that most failures lie in.
    pub wide: Majority<Prefix>,
    /// Failures at ports below 1024.
    pub low_ports: u32,
    /// Contacts refused, rather than left without an answer.
    pub refused: u32,
    /// Contacts opened as no stack opens one.
    pub stealthy: u32,
    /// Contacts that were answered at all, since the entry was made.
    pub answered: u32,
    /// When the entry was made, and when the last contact was judged.
    pub since: Tick,
    /// See `since`.
    pub last_seen: Tick,
    /// Contacts counted so far.
    pub contacts: u32,
    doors: Breadth,
}

impl Worth for Probing {
    fn worth(&self) -> u64 {
        u64::from(self.doors.day().at_least())
    }

    fn last_seen(&self) -> Tick {
        self.last_seen
    }
}

impl Probing {
    fn new(now: Tick) -> Self {
        Self {
            all: Tally::default(),
            hosts: Breadth::default(),
            ports: Breadth::default(),
            by_port: Leading::default(),
            by_host: Leading::default(),
            narrow: Majority::default(),
            wide: Majority::default(),
            low_ports: 0,
            refused: 0,
            stealthy: 0,
            answered: 0,
            since: now,
            last_seen: now,
            contacts: 0,
            doors: Breadth::default(),
        }
    }

    fn observe(&mut self, seed: Seed, now: Tick, probe: &Probe, protected: Option<Prefix>) {
        let failed = probe.outcome != ProbeOutcome::Answered;
        let (host, port) = (seed.address(probe.target), mix(seed.0[1], u64::from(probe.port)));
        self.last_seen = now;
        // Two doors may share a bit: breadth, which allows for that, is noted all the same.
        let is_new = self.doors.insert(now, mix(host, u64::from(probe.port)));
        self.by_port.observe(now, probe.port, host, failed, is_new);
        self.by_host.observe(now, probe.target, port, failed, is_new);
        if failed {
            self.hosts.insert(now, host);
            self.ports.insert(now, port);
        }
        if is_new {
            self.count(now, probe, failed, protected);
        }
    }

    fn count(&mut self, now: Tick, probe: &Probe, failed: bool, protected: Option<Prefix>) {
        self.contacts = self.contacts.saturating_add(1);
        self.refused += u32::from(probe.outcome == ProbeOutcome::Refused);
        self.answered += u32::from(!failed);
        self.stealthy += u32::from(probe.knock == Knock::Stealthy);
        self.all.observe(now, failed);
        if failed {
            self.low_ports += u32::from(probe.port < 1_024);
            let (narrow, wide) = if probe.target.is_ipv4() { (24, 16) } else { (64, 48) };
            self.narrow.vote(protected.unwrap_or_else(|| Prefix::of(probe.target, narrow)));
            self.wide.vote(Prefix::of(probe.target, wide));
        }
    }

    /// Returns the mean time between its contacts, in ticks.
    #[must_use]
    pub fn mean_gap(&self) -> u64 {
        self.last_seen.since(self.since) / u64::from(self.contacts.max(2) - 1)
    }
}

/// The table.
#[derive(Debug)]
pub struct Probers {
    seed: Seed,
    table: Table<Prober, Probing>,
}

impl Probers {
    /// Builds an empty table keyed by `seed`.
    #[must_use]
    pub fn new(seed: Seed) -> Self {
        Self { seed, table: Table::new(seed, MOST_ENTRIES) }
    }

    /// Takes the outcome of a first contact, and the protected prefix of more than a host that its target lies in; returns who is touched, if it is remembered.
    pub fn observe(&mut self, now: Tick, probe: &Probe, protected: Option<Prefix>) -> Option<Prober> {
        let prober = Prober { source: probe.source, protocol: probe.protocol };
        // What never failed needs no place.
        if probe.outcome == ProbeOutcome::Answered && self.table.get(&prober).is_none() {
            return None;
        }
        let entry = self.table.entry(prober, || Probing::new(now));
        if now.since(entry.last_seen) > FORGET_AFTER {
            *entry = Probing::new(now);
        }
        entry.observe(self.seed, now, probe, protected);
        Some(prober)
    }

    /// Returns what is known of a prober.
    #[must_use]
    pub fn get(&self, prober: &Prober) -> Option<&Probing> {
        self.table.get(prober)
    }

    /// Forgets everything, as after a gap.
    pub fn clear(&mut self) {
        *self = Self::new(self.seed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;
    use crate::window::trw::Walk;

    fn probe(host: u8, port: u16, outcome: ProbeOutcome) -> Probe {
        Probe {
            at: Timestamp::ZERO,
            source: Address::v4([198, 18, 0, 1]),
            target: Address::v4([203, 0, 113, host]),
            port,
            protocol: Protocol::TCP,
            knock: Knock::Ordinary,
            outcome,
            weight: 1,
        }
    }

    fn prober() -> Prober {
        Prober { source: Address::v4([198, 18, 0, 1]), protocol: Protocol::TCP }
    }

    #[test]
    fn a_client_that_retries_at_one_door_fails_once() {
        let mut probers = Probers::new(Seed::default());
        for tick in 0..1_000 {
            probers.observe(Tick::new(10_000 + tick), &probe(1, 443, ProbeOutcome::Silent), None);
        }
        let entry = probers.get(&prober()).unwrap();
        assert_eq!(entry.contacts, 1);
        assert!(entry.all.decades() < Walk::line());
    }

    #[test]
    fn hosts_and_ports_are_counted_apart() {
        let mut probers = Probers::new(Seed::default());
        for host in 0..40 {
            probers.observe(Tick::new(10_000), &probe(host, 445, ProbeOutcome::Silent), None);
        }
        let entry = probers.get(&prober()).unwrap();
        assert!((entry.hosts.recent(Tick::new(10_000)).distinct() - 40.0).abs() < 8.0);
        assert!((entry.ports.recent(Tick::new(10_000)).distinct() - 1.0).abs() < 0.1);
        assert!(entry.all.decades() >= Walk::line());
        assert_eq!(entry.narrow.clear().unwrap().to_string(), "203.0.113.0/24");
        assert_eq!(entry.by_port.first(Tick::new(10_000)).map(|(port, _)| port), Some(445));
    }

    #[test]
    fn who_never_fails_has_no_entry() {
        let mut probers = Probers::new(Seed::default());
        assert!(probers.observe(Tick::new(1), &probe(1, 443, ProbeOutcome::Answered), None).is_none());
    }
}
