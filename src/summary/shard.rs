//! A shard: whole partitions and the sums they count in. A plain struct without threads or channels.
//!
//! It is given the packets of its partitions in the order of arrival, and a tick at a time it is closed: flows expire,
//! samplers adapt, and everything counted is handed out as a [`Summary`]. Time comes from packets and ticks only.

use std::sync::Arc;

use crate::flow::{FlowRecord, Timeouts};
use crate::hash::{PARTITIONS, Seed, partition};
use crate::origin::Origins;
use crate::packet::Packet;
use crate::policy::Policy;
use crate::sampling::Sampling;
use crate::summary::hosts::HostBook;
use crate::summary::order::{MOST_TOGETHER, Order};
use crate::summary::partition::{Context, Partition};
use crate::summary::sites::{SiteBook, source_period};
use crate::summary::{FlowTick, Summary};
use crate::time::{TICKS_PER_SECOND, Tick, Timestamp};

/// Sizes and times of all shards together; each partition gets its sixty-fourth, however many shards there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardSettings {
    /// The key of every hash.
    pub seed: Seed,
    /// Entries of the flow table, rounded to a power of two of at least 512; 1,048,576 are 106 MiB.
    pub flow_capacity: usize,
    /// Conversations of which the first packets are remembered until they are flows, rounded alike; 1,048,576 are 22 MiB.
    pub pending_capacity: usize,
    /// Handshakes followed at once (DETECTION 2.2), at least 256; 65,536 are 2 MiB.
    pub cohort_capacity: usize,
    /// Protected hosts that a partition counts one by one, at most 255.
    pub host_places: usize,
    /// Contacts that a partition reports in one tick.
    pub contacts_per_tick: usize,
    /// When silent flows end.
    pub timeouts: Timeouts,
    /// Whether memory is touched at start, as a live run wants, or on use.
    pub pretouch: bool,
}

impl Default for ShardSettings {
    fn default() -> Self {
        Self {
            seed: Seed::default(),
            flow_capacity: 1 << 20,
            pending_capacity: 1 << 20,
            cohort_capacity: 1 << 16,
            host_places: 128,
            contacts_per_tick: 48,
            timeouts: Timeouts::default(),
            pretouch: false,
        }
    }
}

/// Bytes that a shard has reserved, by store. They never change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// The flow table.
    pub flows: usize,
    /// First packets of conversations that are not flows yet.
    pub pending: usize,
    /// The SYN cohort sampler.
    pub cohorts: usize,
    /// Services asked, by which replies are told from reflections.
    pub asked: usize,
    /// First contacts under way.
    pub attempts: usize,
    /// What was told of large conversations.
    pub progress: usize,
}

/// A packet and the hash of its address pair, which chose its partition.
#[derive(Clone, Copy, Debug)]
pub struct Routed {
    /// Hash of the unordered address pair ([`Seed::pair`]).
    pub hash: u64,
    /// The packet.
    pub packet: Packet,
}

/// No partition here.
const ELSEWHERE: u8 = u8::MAX;
/// A leap of time after which every deadline is looked at: an hour, less than deadlines can tell apart.
const LEAP_TICKS: u64 = 3_600 * TICKS_PER_SECOND;

/// Ticks for which connections that were shed may still be under way: a minute.
const UNSEEN_FOR: u64 = 60 * TICKS_PER_SECOND;

/// The state of some partitions.
#[derive(Debug)]
pub struct Shard {
    seed: Seed,
    timeouts: Timeouts,
    origins: Arc<Origins>,
    policy: Arc<Policy>,
    epoch: u8,
    period: u8,
    /// Where each partition of the run is among ours.
    places: [u8; PARTITIONS],
    partitions: Vec<Partition>,
    hosts: HostBook,
    sites: SiteBook,
    counts: FlowTick,
    closed: Option<Tick>,
    sampling: Sampling,
    /// What was counted until lately, when that was less, and until when that matters.
    lately: (Sampling, Tick),
}

impl Shard {
    /// Builds a shard for the given partitions (0..64); memory is reserved here and nowhere else.
    #[must_use]
    pub fn new(
        settings: &ShardSettings,
        partitions: impl IntoIterator<Item = usize>,
        origins: Arc<Origins>,
        policy: Arc<Policy>,
    ) -> Self {
        let mut places = [ELSEWHERE; PARTITIONS];
        let mut own: Vec<usize> = partitions.into_iter().filter(|number| *number < PARTITIONS).collect();
        own.sort_unstable();
        own.dedup();
        for (place, number) in own.iter().enumerate() {
            places[*number] = u8::try_from(place).unwrap_or(ELSEWHERE);
        }
        let mut sites = SiteBook::default();
        sites.adopt(policy.sites().len());
        Self {
            seed: settings.seed,
            timeouts: settings.timeouts.bounded(),
            origins,
            policy,
            epoch: 0,
            period: 0,
            places,
            partitions: own.iter().map(|_| Partition::new(settings)).collect(),
            hosts: HostBook::default(),
            sites,
            counts: FlowTick::default(),
            closed: None,
            sampling: Sampling::WHOLE,
            lately: (Sampling::WHOLE, Tick::default()),
        }
    }

    /// Returns how much memory is reserved.
    #[must_use]
    pub fn memory(&self) -> Memory {
        let mut memory = Memory::default();
        for part in self.partitions.iter().map(Partition::memory) {
            memory.flows += part.flows;
            memory.pending += part.pending;
            memory.cohorts += part.cohorts;
            memory.asked += part.asked;
            memory.attempts += part.attempts;
            memory.progress += part.progress;
        }
        memory
    }

    /// Takes a packet, whose addresses hash to `pair_hash` ([`Seed::pair`]). One of another shard's partition is ignored.
    pub fn observe(&mut self, packet: &Packet, pair_hash: u64) {
        let place = usize::from(self.places[partition(pair_hash)]);
        let (partitions, mut context) = self.split();
        if let Some(partition) = partitions.get_mut(place) {
            partition.observe(&mut context, packet, pair_hash);
        }
    }

    /// Takes packets in the order of arrival, as [`Self::observe`] takes each: the same counts, in less time.
    ///
    /// Partitions do not know of each other, so that their packets may be taken one partition after the other: what a
    /// partition uses with every packet then stays in the first-level cache. And before packets are taken, a few at a
    /// time, what they will look up in the large tables is read without waiting for the one before: memory answers
    /// a dozen look-ups in little more than the time of one.
    pub fn observe_all(&mut self, packets: &[Routed]) {
        let mut order = Order::default();
        for packets in packets.chunks(MOST_TOGETHER) {
            order.sort(packets);
            let (places, (partitions, mut context)) = (self.places, self.split());
            for (number, numbers) in order.runs() {
                if let Some(partition) = partitions.get_mut(usize::from(places[number])) {
                    partition.observe_all(&mut context, packets, numbers);
                }
            }
        }
    }

    /// Takes a new policy, which rules from the next packet on. Called at the boundary of a tick, in the same one in every
    /// shard. Known sites keep their ids.
    pub fn adopt(&mut self, policy: Arc<Policy>) {
        self.sites.adopt(policy.sites().len());
        self.policy = policy;
        self.epoch = self.epoch.wrapping_add(1);
    }

    /// Takes that of the packets after tick `now` only those of a part of the pairs of addresses are given, or of a larger
    /// part than before. Called at the boundary of a tick, in the same one in every shard.
    ///
    /// Where less is given, conversations that are cut leave without an outcome. Where more is given, TCP connections that
    /// were under way unseen are not taken for new ones, for a minute. Either way the handshakes and first contacts under way
    /// are forgotten: what comes back is not to be compared with what was sent when something else was counted.
    pub fn resample(&mut self, sampling: Sampling, now: Tick) {
        let before = std::mem::replace(&mut self.sampling, sampling);
        if before == sampling {
            return;
        }
        self.lately = (before.max(sampling), now.plus(UNSEEN_FOR));
        let (partitions, mut context) = self.split();
        for partition in partitions {
            partition.resample(&mut context, now);
        }
    }

    /// Ends a tick: fills `summary` with what was counted, reusing its buffers, and hands out the flows that ended. Then
    /// counts begin anew.
    ///
    /// A tick before the last one means that the capture clock was set back: all flows end, as [`Shard::finish`] ends them,
    /// and handshakes under way are forgotten without an outcome.
    pub fn close(&mut self, tick: Tick, summary: &mut Summary, on_flow: &mut dyn FnMut(FlowRecord)) {
        let last = self.closed.replace(tick).unwrap_or(tick);
        let (leapt, set_back) = (tick.since(last) > LEAP_TICKS, tick < last);
        summary.clear_lists();
        summary.tick = tick;
        let (partitions, mut context) = self.split();
        for partition in partitions {
            if set_back {
                partition.restart(&mut context, tick, on_flow);
            }
            partition.close(&mut context, tick, leapt, summary, on_flow);
        }
        self.hosts.close(&mut summary.hosts);
        self.sites.close(tick, &mut summary.sites, &mut summary.origins);
        self.period = source_period(tick.next());
        if tick >= self.lately.1 || set_back {
            self.lately.0 = self.sampling;
        }
        summary.flows = std::mem::take(&mut self.counts);
        summary.sort();
    }

    /// Ends the run: hands out every flow still in the table, as [`crate::flow::EndReason::ForcedEnd`] unless it was over.
    pub fn finish(&mut self, now: Timestamp, on_flow: &mut dyn FnMut(FlowRecord)) {
        let (partitions, mut context) = self.split();
        for partition in partitions {
            partition.finish(&mut context, now.tick(), on_flow);
        }
    }

    fn split(&mut self) -> (&mut [Partition], Context<'_>) {
        let context = Context {
            seed: self.seed,
            policy: &self.policy,
            epoch: self.epoch,
            period: self.period,
            origins: &self.origins,
            timeouts: &self.timeouts,
            hosts: &mut self.hosts,
            sites: &mut self.sites,
            counts: &mut self.counts,
            sampling: self.sampling,
            lately: self.lately.0,
        };
        (&mut self.partitions, context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use crate::hash::mix;
    use crate::packet::{Protocol, TcpFlags};
    use crate::policy::Site;

    const HOST: Address = Address::v4([192, 0, 2, 1]);
    /// Ticks in which packets come, and silence after them: until flows, talk, places and rates are gone.
    const BUSY: u64 = 4;
    const SILENT: u64 = 1_600;

    fn shard() -> Shard {
        let site = Site { name: "site".into(), prefixes: vec![HOST.host_prefix()] };
        let settings =
            ShardSettings { flow_capacity: 512, pending_capacity: 512, cohort_capacity: 256, ..Default::default() };
        let policy = Arc::new(Policy::new(vec![site], true));
        Shard::new(&settings, 0..PARTITIONS, Arc::new(Origins::default()), policy)
    }

    /// SYNs, answers, data, resets and datagrams of a few clients, and of so many that samplers are thinned.
    fn packet(round: u64, tick: Tick, n: u64) -> Packet {
        let dice = mix(round, n);
        let [low, high, ..] = dice.to_le_bytes();
        let client = Address::v4(if round.is_multiple_of(2) { [11, 0, 0, low & 7] } else { [11, 0, high, low] });
        let (asks, port) = (dice >> 20 & 1 == 0, 4_000 + (dice >> 24 & 3) as u16);
        let (source, destination) = if asks { (client, HOST) } else { (HOST, client) };
        let (source_port, destination_port) = if asks { (port, 53) } else { (53, port) };
        let flags = [2, 18, 16, 24, 17, 4][(dice >> 32) as usize % 6];
        let udp = dice >> 40 & 3 == 0;
        Packet {
            timestamp: Timestamp::from_nanos(tick.start().as_nanos() + (n & 0xffff) * 1_000),
            source,
            destination,
            source_port,
            destination_port,
            protocol: if udp { Protocol::UDP } else { Protocol::TCP },
            flags: TcpFlags(if udp { 0 } else { flags }),
            payload_len: if udp || flags == 24 { 40 } else { 0 },
            wire_len: 100,
            ..Packet::default()
        }
    }

    /// Hands packets, silences, a leap of hours and a clock set back to two shards, one of which never takes the short way.
    #[test]
    fn silence_is_ended_at_rest_as_it_is_awake() {
        let (mut short, mut long) = (shard(), shard());
        let (mut counted, mut expected) = (Summary::default(), Summary::default());
        let (mut flows, mut expected_flows, mut rested) = (Vec::new(), Vec::new(), 0);
        for (round, start) in [6_800_000_000, 6_800_002_000, 6_800_100_000, 6_800_000_000_u64].into_iter().enumerate() {
            for n in 0..BUSY + SILENT {
                let tick = Tick::new(start + n);
                let packets = if n >= BUSY {
                    0
                } else if round.is_multiple_of(2) {
                    40
                } else {
                    4_000
                };
                for packet in (0..packets).map(|at| packet(round as u64, tick, n << 16 | at)) {
                    let hash = short.seed.pair(packet.source, packet.destination);
                    short.observe(&packet, hash);
                    long.observe(&packet, hash);
                }
                rested += short.partitions.iter().filter(|partition| partition.rests).count();
                long.partitions.iter_mut().for_each(|partition| partition.rests = false);
                short.close(tick, &mut counted, &mut |record| flows.push(record));
                long.close(tick, &mut expected, &mut |record| expected_flows.push(record));
                assert_eq!(counted, expected);
                assert_eq!(flows, expected_flows);
            }
            assert!(short.partitions.iter().all(|partition| partition.rests));
            assert_eq!(format!("{:?}", short.partitions), format!("{:?}", long.partitions));
        }
        assert!(rested > 4 * PARTITIONS * 100, "{rested}");
        assert!(!flows.is_empty());
    }
}
