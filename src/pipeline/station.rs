//! A shard at work in a thread: packets in, one [`TickCount`] out per tick, buffers used again.

use std::sync::Arc;

use super::settings::Settings;
use crate::flow::FlowRecord;
use crate::hash::PARTITIONS;
use crate::packet::Packet;
use crate::policy::Policy;
use crate::sampling::Sampling;
use crate::summary::{Memory, Routed, Shard, Summary, sort_by_time};
use crate::time::{Tick, Timestamp};

/// What a shard counted in one tick.
#[derive(Debug, Default)]
pub(super) struct TickCount {
    /// Its counters.
    pub(super) summary: Summary,
    /// Flows that ended.
    pub(super) flows: Vec<FlowRecord>,
}

impl TickCount {
    /// Adds what another shard counted in the same tick.
    pub(super) fn merge(&mut self, other: &Self) {
        self.summary.merge(&other.summary);
        self.flows.extend_from_slice(&other.flows);
    }

    /// Puts everything into the order that does not depend on how many shards there were.
    pub(super) fn sort(&mut self) {
        self.summary.sort();
        self.sort_flows();
    }

    /// The same of flows alone: what a single shard counted is in order already.
    pub(super) fn sort_flows(&mut self) {
        sort_flows(&mut self.flows);
    }
}

/// Puts flows into the order of their records.
pub(super) fn sort_flows(flows: &mut [FlowRecord]) {
    sort_by_time(flows, |record| record.end, Ord::cmp);
}

/// A shard with the buffers it fills.
#[derive(Debug)]
pub(super) struct Station {
    shard: Shard,
    spare: Vec<TickCount>,
    /// The end of the last tick.
    now: Timestamp,
}

/// Tick buffers kept for use again: as many as may be under way.
const MOST_SPARE: usize = 16;

impl Station {
    /// Sets up the shard of the given number, which owns every partition that leaves this remainder.
    pub(super) fn new(settings: &Settings, shard: usize, shards: usize) -> Self {
        let partitions = (0..PARTITIONS).filter(|partition| partition % shards == shard);
        let shard = Shard::new(&settings.shard, partitions, settings.origins.clone(), settings.policy.clone());
        Self { shard, spare: Vec::new(), now: Timestamp::ZERO }
    }

    /// Returns how much memory the shard has reserved.
    pub(super) fn memory(&self) -> Memory {
        self.shard.memory()
    }

    /// Counts a packet.
    pub(super) fn observe(&mut self, hash: u64, packet: &Packet) {
        self.shard.observe(packet, hash);
    }

    /// Counts packets, in this order.
    pub(super) fn observe_all(&mut self, packets: &[Routed]) {
        self.shard.observe_all(packets);
    }

    /// Lets a policy rule from the next packet on.
    pub(super) fn adopt(&mut self, policy: Arc<Policy>) {
        self.shard.adopt(policy);
    }

    /// Counts only a part of the pairs of addresses from the next packet on, or more of them. Called at the boundary of a
    /// tick.
    pub(super) fn resample(&mut self, sampling: Sampling) {
        self.shard.resample(sampling, self.now.tick());
    }

    /// Closes the tick.
    pub(super) fn close(&mut self, tick: Tick) -> TickCount {
        let mut count = self.spare.pop().unwrap_or_default();
        let flows = &mut count.flows;
        self.shard.close(tick, &mut count.summary, &mut |record| flows.push(record));
        self.now = tick.end();
        count
    }

    /// Takes a buffer back.
    pub(super) fn recycle(&mut self, mut count: TickCount) {
        if self.spare.len() < MOST_SPARE {
            // The shard empties the summary itself and keeps the buffers of its rows.
            count.flows.clear();
            self.spare.push(count);
        }
    }

    /// Ends the run: the flows that are still in the table.
    pub(super) fn finish(&mut self) -> Vec<FlowRecord> {
        let mut flows = Vec::new();
        self.shard.finish(self.now, &mut |record| flows.push(record));
        sort_flows(&mut flows);
        flows
    }
}
