//! The flow table of a partition: fixed capacity, two candidate buckets a key, no rehashing and no growth.
//!
//! A bucket is one cache line of tags and numbers of flows; a key's second bucket is looked at only while flows of its first
//! one lie away from it. Flows lie densely in the order of their admission, so that memory is touched as it is used and a
//! sweep visits what was ever used, not what is reserved. `hashbrown` grows and rehashes, and its order of eviction is
//! nobody's; that is why it is not used.

use crate::flow::entry::{Flow, Standing};
use crate::flow::key::FlowKey;
use crate::flow::limits::{Timeouts, rows_per_partition};
use crate::flow::tags;
use crate::time::{Tick, Timestamp};

/// A flow's place, valid until it is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlowId(u32);

/// What became of a flow that asked for an entry.
#[derive(Debug)]
pub(crate) enum Admission {
    /// There was room.
    Free(FlowId),
    /// Another flow had to go.
    Evicted(FlowId, Flow),
    /// Every candidate is protected and busy.
    Refused,
}

/// End of the list of free places.
const NONE: u32 = u32::MAX;
/// Marks a free place among the deadlines.
const FREE: u16 = u16::MAX;
/// Each flow's deadline is looked at once in so many ticks.
const SWEEP_TICKS: usize = 4;

/// Flows of a bucket.
const WAYS: usize = 8;
/// Free places at which a key's other bucket begins to be considered: few keys need two looks, and none is homeless.
const CROWDED: u32 = 2;

/// One cache line.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
struct Bucket {
    tags: [u64; WAYS / tags::LANES],
    places: [u32; WAYS],
    /// Flows that belong here and lie in their second bucket.
    away: u32,
}

/// The flows of a partition.
#[derive(Debug)]
pub(crate) struct FlowTable {
    buckets: Vec<Bucket>,
    flows: Vec<Flow>,
    /// By place: the tick, modulo 2^16, in which something has to be done about the flow.
    due: Vec<u16>,
    free: u32,
    live: usize,
    mask: u32,
}

impl FlowTable {
    pub(crate) fn new(total: usize, pretouch: bool) -> Self {
        let buckets = rows_per_partition(total, WAYS);
        let mut table = Self {
            buckets: vec![Bucket::default(); buckets],
            flows: Vec::with_capacity(buckets * WAYS),
            due: Vec::with_capacity(buckets * WAYS),
            free: NONE,
            live: 0,
            mask: u32::try_from(buckets - 1).unwrap_or(0),
        };
        if pretouch {
            table.pretouch();
        }
        table
    }

    fn pretouch(&mut self) {
        let blank = Flow::new(FlowKey::NOBODY, 0, &Default::default(), Timestamp::ZERO, crate::flow::key::Side::Low);
        self.flows.resize(self.flows.capacity(), blank);
        self.due.resize(self.due.capacity(), FREE);
        self.flows.clear();
        self.due.clear();
    }

    /// Bytes reserved.
    pub(crate) fn bytes(&self) -> usize {
        self.buckets.len() * (size_of::<Bucket>() + WAYS * (size_of::<Flow>() + size_of::<u16>()))
    }

    /// Flows in the table.
    pub(crate) fn live(&self) -> usize {
        self.live
    }

    pub(crate) fn find(&self, hash: u32, key: &FlowKey) -> Option<FlowId> {
        let first = self.bucket(hash);
        self.find_in(first, hash, key).or_else(|| {
            let look = self.buckets[first].away > 0;
            look.then(|| self.find_in(self.partner(first, hash), hash, key)).flatten()
        })
    }

    /// Reads the bucket that a look-up begins with.
    pub(crate) fn touch(&self, hash: u32) -> u64 {
        self.buckets[self.bucket(hash)].tags[0]
    }

    /// Returns where a look-up begins, if its bucket seems to hold the flow.
    pub(crate) fn guess(&self, hash: u32) -> Option<FlowId> {
        let bucket = &self.buckets[self.bucket(hash)];
        let lane = tags::matches(&bucket.tags, tag(hash)).first()?;
        Some(FlowId(bucket.places[lane]))
    }

    /// Tells whether this flow is in this place, whatever became of the one that was there when it was guessed.
    #[inline]
    pub(crate) fn holds(&self, id: FlowId, key: &FlowKey) -> bool {
        self.flows[id.0 as usize].key == *key
    }

    #[inline]
    fn find_in(&self, bucket: usize, hash: u32, key: &FlowKey) -> Option<FlowId> {
        let bucket = &self.buckets[bucket];
        let mut places = tags::matches(&bucket.tags, tag(hash)).map(|lane| FlowId(bucket.places[lane]));
        places.find(|id| self.holds(*id, key))
    }

    pub(crate) fn get(&self, id: FlowId) -> &Flow {
        &self.flows[id.0 as usize]
    }

    pub(crate) fn get_mut(&mut self, id: FlowId) -> &mut Flow {
        &mut self.flows[id.0 as usize]
    }

    /// Admits a flow that is not in the table, evicting the least deserving of its candidates when both buckets are full.
    pub(crate) fn admit(&mut self, flow: Flow, now: Timestamp) -> Admission {
        let first = self.bucket(flow.hash);
        let second = self.partner(first, flow.hash);
        let room = tags::free(&self.buckets[first].tags);
        let roomy = room.len() > CROWDED || room.len() >= tags::free(&self.buckets[second].tags).len();
        let bucket = if roomy { first } else { second };
        if let Some(lane) = tags::free(&self.buckets[bucket].tags).first() {
            return Admission::Free(self.put(bucket, lane, flow));
        }
        let Some((bucket, lane)) = self.victim([first, second], now) else { return Admission::Refused };
        let evicted = self.take(bucket, lane);
        Admission::Evicted(self.put(bucket, lane, flow), evicted)
    }

    /// Removes a flow and returns it.
    pub(crate) fn remove(&mut self, id: FlowId) -> Flow {
        let first = self.bucket(self.flows[id.0 as usize].hash);
        let second = self.partner(first, self.flows[id.0 as usize].hash);
        let lane_in = |bucket: usize| {
            let bucket = &self.buckets[bucket];
            (0..WAYS).find(|lane| bucket.places[*lane] == id.0 && tags::get(&bucket.tags, *lane) != 0)
        };
        let (bucket, lane) = match lane_in(first) {
            Some(lane) => (first, lane),
            None => (second, lane_in(second).expect("a flow's hash leads to its place")),
        };
        self.take(bucket, lane)
    }

    /// Sets when something has to be done about a flow.
    pub(crate) fn schedule(&mut self, id: FlowId, at: Timestamp) {
        // A deadline is looked at in the first tick that ends after it.
        self.due[id.0 as usize] = low16(at.tick()).min(FREE - 1);
    }

    /// Returns the places that are looked at in a tick: a quarter of them, or all after a leap of time.
    pub(crate) fn turn(&self, tick: Tick, all: bool) -> std::ops::Range<usize> {
        let turn = usize::try_from(tick.number() % SWEEP_TICKS as u64).unwrap_or(0);
        let places = self.flows.len();
        if all { 0..places } else { places * turn / SWEEP_TICKS..places * (turn + 1) / SWEEP_TICKS }
    }

    /// Returns the next flow of a turn about which something has to be done by the end of `tick`; with `all`, the next
    /// flow, due or not.
    pub(crate) fn next_due(&self, turn: &mut std::ops::Range<usize>, tick: Tick, all: bool) -> Option<FlowId> {
        let now = low16(tick);
        let due = |due: u16| due != FREE && (all || now.wrapping_sub(due) < 0x8000);
        let place = turn.find(|place| due(self.due[*place]))?;
        Some(FlowId(u32::try_from(place).unwrap_or(NONE)))
    }

    fn victim(&self, buckets: [usize; 2], now: Timestamp) -> Option<(usize, usize)> {
        let mut worst = None;
        for bucket in buckets {
            for lane in 0..WAYS {
                let (standing, since) = self.flows[self.buckets[bucket].places[lane] as usize].standing(now);
                let rank = (standing, std::cmp::Reverse(since));
                if standing != Standing::Protected && worst.is_none_or(|(least, _)| rank < least) {
                    worst = Some((rank, (bucket, lane)));
                }
            }
        }
        worst.map(|(_, place)| place)
    }

    fn put(&mut self, bucket: usize, lane: usize, flow: Flow) -> FlowId {
        let place = if self.free == NONE {
            self.flows.push(flow);
            self.due.push(0);
            u32::try_from(self.flows.len() - 1).unwrap_or(NONE)
        } else {
            let place = self.free;
            self.free = self.flows[place as usize].hash;
            self.flows[place as usize] = flow;
            self.due[place as usize] = 0;
            place
        };
        tags::set(&mut self.buckets[bucket].tags, lane, tag(flow.hash));
        self.buckets[bucket].places[lane] = place;
        let home = self.bucket(flow.hash);
        self.buckets[home].away += u32::from(home != bucket);
        self.live += 1;
        FlowId(place)
    }

    fn take(&mut self, bucket: usize, lane: usize) -> Flow {
        let place = self.buckets[bucket].places[lane];
        let flow = self.flows[place as usize];
        tags::set(&mut self.buckets[bucket].tags, lane, 0);
        let home = self.bucket(flow.hash);
        self.buckets[home].away -= u32::from(home != bucket);
        (self.flows[place as usize].key, self.flows[place as usize].hash) = (FlowKey::NOBODY, self.free);
        self.due[place as usize] = FREE;
        self.free = place;
        self.live -= 1;
        flow
    }

    fn bucket(&self, hash: u32) -> usize {
        (hash & self.mask) as usize
    }

    /// Returns the other bucket of a hash; both follow from the 32 bits kept with the flow.
    fn partner(&self, bucket: usize, hash: u32) -> usize {
        let step = (hash >> 16).wrapping_mul(0x9e37_79b1) >> 12 | 1;
        bucket ^ (step & self.mask) as usize
    }
}

/// Deadlines that do not follow from an event are this far away.
pub(crate) fn reschedule(table: &mut FlowTable, id: FlowId, timeouts: &Timeouts) {
    let deadline = table.get(id).deadline(timeouts);
    table.schedule(id, deadline);
}

fn tag(hash: u32) -> u16 {
    ((hash >> 16) as u16).max(1)
}

fn low16(tick: Tick) -> u16 {
    (tick.number() & 0xffff) as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use crate::flow::key::Side;
    use crate::flow::pending::Talk;
    use crate::packet::Protocol;

    fn flow(port: u16, hash: u32) -> Flow {
        let (low, high) = (Address::v4([192, 0, 2, 1]), Address::v4([192, 0, 2, 9]));
        let key = FlowKey { low, high, low_port: port, high_port: 443, protocol: Protocol::TCP };
        Flow::new(key, hash, &Talk::default(), Timestamp::ZERO, Side::Low)
    }

    #[test]
    fn a_guess_holds_as_long_as_its_flow_is_there_and_for_no_other() {
        let mut table = FlowTable::new(512, false);
        let hash = 0x1234_0001;
        let (first, second) = (flow(1, hash), flow(2, hash));
        assert_eq!(table.guess(hash), None);
        let Admission::Free(id) = table.admit(first, Timestamp::ZERO) else { panic!("there is room") };
        assert_eq!(table.guess(hash), Some(id));
        assert!(table.holds(id, &first.key) && !table.holds(id, &second.key));
        table.remove(id);
        assert!(!table.holds(id, &first.key), "what is left of a flow is none");
        let Admission::Free(again) = table.admit(second, Timestamp::ZERO) else { panic!("there is room") };
        assert_eq!(again, id, "its place is used again");
        assert!(table.holds(id, &second.key) && !table.holds(id, &first.key));
        assert_eq!(table.find(hash, &second.key), Some(id));
    }
}
