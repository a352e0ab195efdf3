//! Joining summaries: counts are added, sketches joined by maximum, records put together and sorted.
//!
//! Associative and commutative after [`Summary::sort`], and [`Summary::default`] changes nothing, whatever the order or
//! division of the parts; so the number of shards cannot be seen in what they counted.

use crate::summary::hosts::add_sorted;
use crate::summary::{
    Candidate, CohortTick, ConnectionTick, Contact, FlowTick, HostTick, OriginTick, QuicTick, SiteTick, StrayKind,
    Summary, Volume, sketch, stray,
};
use crate::time::{Tick, Timestamp};

impl Summary {
    /// Adds what another shard counted in the same tick. Call [`Summary::sort`] after the last one.
    pub fn merge(&mut self, other: &Self) {
        self.tick = self.tick.max(other.tick);
        merge_all(&mut self.hosts, &other.hosts);
        merge_all(&mut self.sites, &other.sites);
        merge_all(&mut self.origins, &other.origins);
        merge_all(&mut self.candidates, &other.candidates);
        self.cohorts.extend_from_slice(&other.cohorts);
        self.contacts.extend_from_slice(&other.contacts);
        self.probes.extend_from_slice(&other.probes);
        self.flows.merge(&other.flows);
    }

    /// Brings every list into its one order and joins what has the same key.
    pub fn sort(&mut self) {
        join_all(&mut self.hosts);
        join_all(&mut self.sites);
        join_all(&mut self.origins);
        join_all(&mut self.candidates);
        sort_by_time(&mut self.cohorts, |record| record.first_syn, Ord::cmp);
        sort_by_time(&mut self.contacts, |contact| contact.at, |a, b| contact_order(a).cmp(&contact_order(b)));
        sort_by_time(&mut self.probes, |probe| probe.at, Ord::cmp);
    }

    /// Empties the summary and keeps its buffers.
    pub fn clear(&mut self) {
        self.clear_lists();
        self.hosts.clear();
        self.tick = Tick::default();
        self.flows = FlowTick::default();
    }

    /// Empties all lists but `hosts`, whose rows hold buffers of their own that a shard swaps for its own.
    pub(crate) fn clear_lists(&mut self) {
        self.sites.clear();
        self.origins.clear();
        self.cohorts.clear();
        self.contacts.clear();
        self.probes.clear();
        self.candidates.clear();
    }
}

/// Sorts records by their time, and those of one moment by `order`, which has to begin with the time as well.
///
/// Time tells most of them apart. So only times are compared, beside each other, and each record is moved once.
pub(crate) fn sort_by_time<R>(
    records: &mut [R],
    time: impl Fn(&R) -> Timestamp,
    order: impl Fn(&R, &R) -> std::cmp::Ordering,
) {
    if !records.is_sorted_by_key(&time) {
        records.sort_by_cached_key(&time);
    }
    for together in records.chunk_by_mut(|a, b| time(a) == time(b)) {
        together.sort_unstable_by(&order);
    }
}

/// By time, then by everything else, so that equal contacts only are interchangeable.
fn contact_order(contact: &Contact) -> impl Ord + use<> {
    let ends = (contact.originator, contact.responder, contact.port, contact.protocol);
    let sizes = (contact.sent, contact.received, contact.served, contact.country, contact.weight);
    let sizes = (sizes, contact.verified, contact.repeated, contact.age_ms);
    (contact.at, ends, contact.stage, sizes)
}

/// A row of a list that has one row a key.
trait Keyed: Clone {
    type Key: Ord;
    fn key(&self) -> Self::Key;
    fn join(&mut self, other: &Self);
}

/// Adds rows to those already there; what is not found is appended and finds its order in [`join_all`].
fn merge_all<R: Keyed>(rows: &mut Vec<R>, others: &[R]) {
    let known = rows.len();
    for other in others {
        match rows[..known].binary_search_by_key(&other.key(), Keyed::key) {
            Ok(at) => rows[at].join(other),
            Err(_) => rows.push(other.clone()),
        }
    }
}

fn join_all<R: Keyed>(rows: &mut Vec<R>) {
    if !rows.is_sorted_by_key(Keyed::key) {
        rows.sort_by_cached_key(Keyed::key);
    }
    rows.dedup_by(|later, earlier| {
        let same = later.key() == earlier.key();
        if same {
            earlier.join(later);
        }
        same
    });
}

impl Keyed for HostTick {
    type Key = u128;

    fn key(&self) -> Self::Key {
        self.address.as_u128()
    }

    fn join(&mut self, other: &Self) {
        self.sampling = self.sampling.max(other.sampling);
        self.inbound += other.inbound;
        self.outbound += other.outbound;
        self.tcp_in += other.tcp_in;
        self.tcp_out += other.tcp_out;
        self.syn += other.syn;
        self.syn_ack += other.syn_ack;
        self.rst_in += other.rst_in;
        self.rst_out += other.rst_out;
        self.udp_in += other.udp_in;
        stray::join(&mut self.strays, &other.strays);
        self.quic.merge(&other.quic);
        self.connections.merge(&other.connections);
        self.verified += other.verified;
        self.served += other.served;
        self.two_sided += other.two_sided;
        self.client_data += other.client_data;
        self.cohort.merge(&other.cohort);
        add_each(&mut self.first_byte, &other.first_byte);
        add_each(&mut self.answers, &other.answers);
        self.answers_resumed += other.answers_resumed;
        self.given_up += other.given_up;
        for (country, count) in &other.verified_from {
            add_sorted(&mut self.verified_from, *country, *count);
        }
        for (port, count) in &other.syn_ports {
            add_sorted(&mut self.syn_ports, *port, *count);
        }
    }
}

impl HostTick {
    /// Adds another host's tick, to make the sum of several.
    pub fn add(&mut self, other: &Self) {
        self.join(other);
    }
}

impl HostTick {
    /// Returns what is known of a destination that is not protected yet: its packets and what floods are made of. All
    /// else is zero, since nothing was counted. Sums of parts are lower bounds.
    #[must_use]
    pub fn of_candidate(candidate: &Candidate) -> Self {
        let mut host = Self { address: candidate.address, strays: candidate.strays.clone(), ..Self::default() };
        host.inbound = Volume { packets: u64::from(candidate.packets), bytes: candidate.bytes };
        for stray in &candidate.strays {
            if matches!(stray.kind, StrayKind::Reply(_) | StrayKind::QuicInitial | StrayKind::Datagram) {
                host.udp_in += stray.volume;
            }
        }
        host
    }
}

impl QuicTick {
    fn merge(&mut self, other: &Self) {
        self.opened += other.opened;
        self.answered += other.answered;
        self.finished += other.finished;
    }
}

impl ConnectionTick {
    fn merge(&mut self, other: &Self) {
        self.ripe += other.ripe;
        self.empty += other.empty;
        self.ended += other.ended;
        self.waiting_began += other.waiting_began;
        self.waiting_ended += other.waiting_ended;
        self.dripping_began += other.dripping_began;
        self.dripping_ended += other.dripping_ended;
        self.blocked_began += other.blocked_began;
        self.blocked_ended += other.blocked_ended;
    }
}

impl CohortTick {
    fn merge(&mut self, other: &Self) {
        self.sampled += other.sampled;
        self.opened = self.opened.saturating_add(other.opened);
        add_each(&mut self.answered, &other.answered);
        add_each(&mut self.finished, &other.finished);
        add_each(&mut self.abandoned, &other.abandoned);
        add_each(&mut self.retried, &other.retried);
        add_each(&mut self.refused, &other.refused);
        self.turned_away = self.turned_away.saturating_add(other.turned_away);
    }
}

fn add_each<const N: usize>(counts: &mut [u32; N], others: &[u32; N]) {
    for (count, other) in counts.iter_mut().zip(others) {
        *count = count.saturating_add(*other);
    }
}

impl Keyed for SiteTick {
    type Key = crate::policy::SiteId;

    fn key(&self) -> Self::Key {
        self.site
    }

    fn join(&mut self, other: &Self) {
        self.inbound += other.inbound;
        self.outbound += other.outbound;
        self.internal += other.internal;
        stray::join(&mut self.strays, &other.strays);
        self.stray_targets.join(&other.stray_targets);
        match (&mut self.sources, &other.sources) {
            (Some(mine), Some(theirs)) => sketch::join(mine, theirs),
            (mine @ None, Some(theirs)) => *mine = Some(theirs.clone()),
            (_, None) => {}
        }
    }
}

impl Keyed for OriginTick {
    type Key = (crate::policy::SiteId, Option<crate::country::Country>);

    fn key(&self) -> Self::Key {
        (self.site, self.country)
    }

    fn join(&mut self, other: &Self) {
        self.inbound += other.inbound;
    }
}

impl Keyed for Candidate {
    type Key = u128;

    fn key(&self) -> Self::Key {
        self.address.as_u128()
    }

    fn join(&mut self, other: &Self) {
        self.packets = self.packets.saturating_add(other.packets);
        self.bytes += other.bytes;
        stray::join(&mut self.strays, &other.strays);
    }
}

impl FlowTick {
    fn merge(&mut self, other: &Self) {
        self.active += other.active;
        self.admitted += other.admitted;
        self.refused += other.refused;
        for (count, other) in self.ended.iter_mut().zip(&other.ended) {
            *count += other;
        }
        self.unanswered += other.unanswered;
        self.cohort_active += other.cohort_active;
        self.sampler_shift = self.sampler_shift.max(other.sampler_shift);
        self.cohort_refused += other.cohort_refused;
        self.hosts_refused += other.hosts_refused;
        self.data_segments += other.data_segments;
        self.repeated_segments += other.repeated_segments;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::address::Address;
    use crate::country::Country;
    use crate::flow::Outcome;
    use crate::packet::Protocol;
    use crate::policy::SiteId;
    use crate::summary::{CohortRecord, CohortStage, ContactStage, Knock, Probe, ProbeOutcome};
    use crate::time::Timestamp;

    fn address(n: u8) -> Address {
        Address::v4([192, 0, 2, n])
    }

    prop_compose! {
        fn volume()(packets in 0..1_000_u64, bytes in 0..1_000_000_u64) -> Volume { Volume { packets, bytes } }
    }

    prop_compose! {
        fn host()(n in 0..6_u8, inbound in volume(), syn: u16, age in 0..16_usize, weight in 1..4_u32,
                  countries in prop::collection::vec((0..5_usize, 1..9_u32), 0..4),
                  ports in prop::collection::vec((0..4_u16, 1..9_u32), 0..4)) -> HostTick {
            let mut host = HostTick { address: address(n), inbound, syn: u32::from(syn), ..HostTick::default() };
            host.cohort.open(weight);
            host.cohort.answered[age] = weight;
            host.first_byte[age] = 1;
            host.quic.opened = weight;
            host.connections.ripe = weight;
            host.udp_in = inbound;
            stray::row(&mut host.strays, if weight > 1 { StrayKind::Ack } else { StrayKind::Datagram }).volume += inbound;
            for (country, count) in countries {
                add_sorted(&mut host.verified_from, Country::from_index(country), count);
            }
            for (port, count) in ports {
                add_sorted(&mut host.syn_ports, port, count);
            }
            host
        }
    }

    prop_compose! {
        fn site()(n in 0..4_u16, inbound in volume(), register in prop::option::of((0..1_024_usize, 1..55_u8))) -> SiteTick {
            let sources = register.map(|(at, rank)| {
                let mut registers = Box::new([0; 1_024]);
                registers[at] = rank;
                registers
            });
            SiteTick { site: SiteId(n), inbound, outbound: inbound, sources, ..SiteTick::default() }
        }
    }

    prop_compose! {
        fn record()(n in 0..4_u8, at in 0..9_u64, outcome: u8, look: bool) -> CohortRecord {
            CohortRecord {
                target: address(n),
                source: address(n + 1),
                first_syn: Timestamp::from_nanos(at),
                port: 443,
                weight: 1,
                ttl: 57,
                window: 64_240,
                stage: if look { CohortStage::Look } else { CohortStage::Close },
                outcome: Outcome(outcome),
            }
        }
    }

    prop_compose! {
        fn contact()(n in 0..4_u8, at in 0..9_u64, sent in volume(), served: bool, repeated: bool) -> Contact {
            Contact {
                at: Timestamp::from_nanos(at),
                stage: ContactStage::Settled,
                originator: address(n),
                responder: address(9),
                port: 443,
                protocol: Protocol::TCP,
                country: Country::UNKNOWN,
                verified: served,
                age_ms: 9,
                sent,
                received: sent,
                served,
                repeated,
                weight: 1,
            }
        }
    }

    prop_compose! {
        fn probe()(n in 0..4_u8, at in 0..9_u64, port: u16) -> Probe {
            Probe {
                at: Timestamp::from_nanos(at),
                source: address(n),
                target: address(n + 1),
                port,
                protocol: Protocol::TCP,
                knock: Knock::Ordinary,
                outcome: ProbeOutcome::Silent,
                weight: 1,
            }
        }
    }

    prop_compose! {
        fn summary()(tick in 5..7_u64,
                     hosts in prop::collection::vec(host(), 0..5),
                     sites in prop::collection::vec(site(), 0..4),
                     origins in prop::collection::vec((0..3_u16, prop::option::of(0..5_usize), volume()), 0..5),
                     cohorts in prop::collection::vec(record(), 0..5),
                     contacts in prop::collection::vec(contact(), 0..5),
                     probes in prop::collection::vec(probe(), 0..5),
                     candidates in prop::collection::vec((0..5_u8, 1..99_u32), 0..5),
                     counts in (0..9_u64, 0..9_u32, prop::array::uniform5(0..9_u64))) -> Summary {
            let origins = origins
                .into_iter()
                .map(|(site, country, inbound)| OriginTick { site: SiteId(site), country: country.map(Country::from_index), inbound })
                .collect();
            let candidates = candidates.into_iter().map(|(n, packets)| candidate(n, packets)).collect();
            let (active, sampler_shift, ended) = counts;
            let flows = FlowTick { active, sampler_shift, ended, admitted: active, ..FlowTick::default() };
            Summary { tick: Tick::new(tick), hosts, sites, origins, cohorts, contacts, probes, candidates, flows }
        }
    }

    fn candidate(n: u8, packets: u32) -> Candidate {
        let mut candidate =
            Candidate { address: address(n), packets, bytes: 60 * u64::from(packets), ..Candidate::default() };
        let kind = if packets.is_multiple_of(2) { StrayKind::Ack } else { StrayKind::Datagram };
        stray::row(&mut candidate.strays, kind).volume.count(60);
        candidate
    }

    fn merged(parts: &[&Summary]) -> Summary {
        let mut sum = Summary::default();
        for part in parts {
            sum.merge(part);
        }
        sum.sort();
        sum
    }

    proptest! {
        #[test]
        fn merging_is_commutative(a in summary(), b in summary()) {
            prop_assert_eq!(merged(&[&a, &b]), merged(&[&b, &a]));
        }

        #[test]
        fn merging_is_associative(a in summary(), b in summary(), c in summary()) {
            let left = merged(&[&merged(&[&a, &b]), &c]);
            let right = merged(&[&a, &merged(&[&b, &c])]);
            prop_assert_eq!(left, right);
        }

        #[test]
        fn the_empty_summary_is_neutral(a in summary()) {
            let mut sorted = a.clone();
            sorted.sort();
            prop_assert_eq!(&merged(&[&a, &Summary::default()]), &sorted);
            prop_assert_eq!(&merged(&[&Summary::default(), &a]), &sorted);
            prop_assert_eq!(merged(&[&sorted]), sorted);
        }

        #[test]
        fn volumes_of_a_sum_are_the_sums_of_volumes(a in summary(), b in summary()) {
            let total = |summary: &Summary| summary.hosts.iter().map(|host| host.inbound.bytes).sum::<u64>();
            prop_assert_eq!(total(&merged(&[&a, &b])), total(&a) + total(&b));
        }
    }

    #[test]
    fn clearing_gives_the_empty_summary() {
        let mut summary = Summary { tick: Tick::new(3), ..Summary::default() };
        summary.candidates.push(candidate(1, 2));
        summary.flows.admitted = 4;
        summary.clear();
        assert_eq!(summary, Summary::default());
    }
}
