//! One-way talk: the first packets of what may become a flow.
//!
//! A reply promotes such talk to a flow with its first packets and bytes counted; a TCP handshake stays here until the
//! client's third segment. The store is fixed, never grows and never evicts a flow: under a flood the newest talk simply
//! overwrites older talk. Twenty bytes and a tag a place; talk older than a minute is forgotten.

use crate::flow::key::Side;
use crate::flow::limits::{micros_between, rows_per_partition, touch};
use crate::flow::tags;

/// What is remembered of one conversation that is not a flow yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Talk {
    /// First packet, in microseconds modulo 2^32.
    pub(crate) first_us: u32,
    /// With [`Talk::SYN_ACK`] the server's initial sequence number, else the sequence number after the first side's
    /// last payload.
    pub(crate) number: u32,
    /// Bytes from the side that spoke first.
    pub(crate) bytes: u32,
    /// Packets from the side that spoke first.
    pub(crate) packets: u16,
    /// Fifteen more bits of the key's hash, and [`AWAY`].
    check: u16,
    /// Bytes from the other side, saturating: SYN-ACKs only.
    pub(crate) reply_bytes: u16,
    /// Packets from the other side, saturating.
    pub(crate) reply_packets: u8,
    flags: u8,
}

impl Talk {
    /// The larger end spoke first.
    const FIRST_HIGH: u8 = 1;
    /// A SYN was seen.
    pub(crate) const SYN: u8 = 1 << 1;
    /// A SYN-ACK was seen.
    pub(crate) const SYN_ACK: u8 = 1 << 2;
    /// The larger end sent the SYN-ACK, or was sent the SYN.
    const SERVER_HIGH: u8 = 1 << 3;
    /// The side that spoke first sent payload.
    pub(crate) const FIRST_PAYLOAD: u8 = 1 << 4;
    /// The conversation was counted as two-sided.
    pub(crate) const TWO_SIDED: u8 = 1 << 5;
    /// The client was counted as one that sends data.
    pub(crate) const CLIENT_DATA: u8 = 1 << 6;
    /// The side that spoke first sent a QUIC Initial.
    pub(crate) const QUIC: u8 = 1 << 7;

    /// Begins the talk of `side` at `now_us`.
    pub(crate) fn begin(side: Side, now_us: u32) -> Self {
        let flags = if side == Side::High { Self::FIRST_HIGH } else { 0 };
        Self { first_us: now_us, flags, ..Self::default() }
    }

    pub(crate) fn has(&self, bits: u8) -> bool {
        self.flags & bits == bits
    }

    pub(crate) fn set(&mut self, bits: u8) {
        self.flags |= bits;
    }

    pub(crate) fn first_side(&self) -> Side {
        if self.has(Self::FIRST_HIGH) { Side::High } else { Side::Low }
    }

    /// Returns the side that was asked, where SYN or SYN-ACK told.
    pub(crate) fn server_side(&self) -> Side {
        if self.has(Self::SERVER_HIGH) { Side::High } else { Side::Low }
    }

    /// Takes `side` as the one that was asked.
    pub(crate) fn set_server(&mut self, side: Side) {
        self.flags = if side == Side::High { self.flags | Self::SERVER_HIGH } else { self.flags & !Self::SERVER_HIGH };
    }

    /// Counts a packet.
    pub(crate) fn count(&mut self, side: Side, wire_len: u32) {
        if side == self.first_side() {
            self.packets = self.packets.saturating_add(1);
            self.bytes = self.bytes.saturating_add(wire_len);
        } else {
            self.reply_packets = self.reply_packets.saturating_add(1);
            self.reply_bytes = self.reply_bytes.saturating_add(u16::try_from(wire_len).unwrap_or(u16::MAX));
        }
    }

    /// Tells whether it is too old, or its counters too full, to be the beginning of anything.
    pub(crate) fn is_stale(&self, now_us: u32) -> bool {
        micros_between(self.first_us, now_us) > STALE_US || self.packets == u16::MAX || self.bytes > u32::MAX / 2
    }

    fn pack(self) -> [u32; 5] {
        [
            self.first_us,
            self.number,
            self.bytes,
            u32::from(self.packets) | u32::from(self.check) << 16,
            u32::from(self.reply_bytes) | u32::from(self.reply_packets) << 16 | u32::from(self.flags) << 24,
        ]
    }

    fn unpack(words: [u32; 5]) -> Self {
        let [first_us, number, bytes, counts, reply] = words;
        Self {
            first_us,
            number,
            bytes,
            packets: (counts & 0xffff) as u16,
            check: (counts >> 16) as u16,
            reply_bytes: (reply & 0xffff) as u16,
            reply_packets: (reply >> 16 & 0xff) as u8,
            flags: (reply >> 24) as u8,
        }
    }
}

/// Talk older than this is over: the idle timeout of datagrams.
const STALE_US: u32 = 60_000_000;
/// The whole store is searched for stale talk once in so many ticks.
const SWEEP_TICKS: usize = 240;

/// A place in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PendingId(u32);

/// Lanes of a row: its tags are one cache line.
const WAYS: usize = 32;
type Row = [u64; WAYS / tags::LANES];
/// In `check`: the talk lies in its second row.
const AWAY: u16 = 1;

/// The one-way talk of a partition: rows of places, two candidate rows a key.
///
/// The second row of a key is used, and looked at, only while its first is full: a count of talk that lies away says so.
/// Places are arrays of words rather than structs so that the allocator hands out zero pages and memory is touched on use.
#[derive(Debug)]
pub(crate) struct Pending {
    tags: Vec<Row>,
    talks: Vec<[u32; 5]>,
    /// By row: talk that belongs there and lies in its second row.
    away: Vec<u8>,
    /// Places in use.
    taken: usize,
    mask: usize,
}

impl Pending {
    pub(crate) fn new(total: usize, pretouch: bool) -> Self {
        let rows = rows_per_partition(total, WAYS);
        let mut store = Self {
            tags: vec![Row::default(); rows],
            talks: vec![[0; 5]; rows * WAYS],
            away: vec![0; rows],
            taken: 0,
            mask: rows - 1,
        };
        if pretouch {
            touch(&mut store.tags);
            touch(&mut store.talks);
        }
        store
    }

    /// Bytes reserved.
    pub(crate) fn bytes(&self) -> usize {
        self.tags.len() * (size_of::<Row>() + size_of::<u8>()) + self.talks.len() * size_of::<[u32; 5]>()
    }

    pub(crate) fn find(&self, hash: u64) -> Option<PendingId> {
        let (row, tag) = (self.row(hash), tag(hash));
        self.find_in(row, tag, check(hash)).or_else(|| {
            let look = self.away[row] > 0;
            look.then(|| self.find_in(self.partner(row, tag), tag, check(hash) | AWAY)).flatten()
        })
    }

    /// Reads both cache lines of the row that a look-up begins with.
    pub(crate) fn touch(&self, hash: u64) -> u64 {
        let row = &self.tags[self.row(hash)];
        row[0] ^ row[row.len() - 1]
    }

    fn find_in(&self, row: usize, tag: u16, check: u16) -> Option<PendingId> {
        let mut places = tags::matches(&self.tags[row], tag).map(|lane| row * WAYS + lane);
        let place = places.find(|place| Talk::unpack(self.talks[*place]).check == check)?;
        Some(PendingId(u32::try_from(place).unwrap_or(u32::MAX)))
    }

    pub(crate) fn get(&self, id: PendingId) -> Talk {
        Talk::unpack(self.talks[id.0 as usize])
    }

    pub(crate) fn set(&mut self, id: PendingId, talk: Talk) {
        let place = &mut self.talks[id.0 as usize];
        *place = Talk { check: Talk::unpack(*place).check, ..talk }.pack();
    }

    /// Remembers new talk; when both of its rows are full, over older talk.
    pub(crate) fn insert(&mut self, hash: u64, talk: Talk) {
        let (first, tag) = (self.row(hash), tag(hash));
        if let Some(lane) = tags::free(&self.tags[first]).first() {
            return self.put(first, lane, tag, Talk { check: check(hash), ..talk });
        }
        let second = self.partner(first, tag);
        if let Some(lane) = tags::free(&self.tags[second]).first().filter(|_| self.away[first] < u8::MAX) {
            self.away[first] += 1;
            return self.put(second, lane, tag, Talk { check: check(hash) | AWAY, ..talk });
        }
        // The key's own bits choose the victim, which spreads overwriting evenly at no cost.
        let lane = (hash >> 26) as usize % WAYS;
        self.remove(PendingId(u32::try_from(first * WAYS + lane).unwrap_or(u32::MAX)));
        self.put(first, lane, tag, Talk { check: check(hash), ..talk });
    }

    pub(crate) fn remove(&mut self, id: PendingId) {
        let (row, lane) = (id.0 as usize / WAYS, id.0 as usize % WAYS);
        if self.get(id).check & AWAY != 0 {
            let home = self.partner(row, tags::get(&self.tags[row], lane));
            self.away[home] -= 1;
        }
        self.taken -= 1;
        tags::set(&mut self.tags[row], lane, 0);
    }

    /// Forgets stale talk in one part of the store; `turn` numbers the tick.
    pub(crate) fn sweep(&mut self, turn: u64, now_us: u32) {
        if self.taken == 0 {
            return;
        }
        let places = self.talks.len();
        let part = usize::try_from(turn % SWEEP_TICKS as u64).unwrap_or(0);
        let (mut place, end) = (places * part / SWEEP_TICKS, places * (part + 1) / SWEEP_TICKS);
        while place < end {
            let (row, lane) = (&self.tags[place / WAYS], place % WAYS);
            if row[lane / tags::LANES] == 0 {
                // Four free lanes are passed at a time: most of the store is free most of the time.
                place = (place / tags::LANES + 1) * tags::LANES;
                continue;
            }
            if tags::get(row, lane) != 0 && Talk::unpack(self.talks[place]).is_stale(now_us) {
                self.remove(PendingId(u32::try_from(place).unwrap_or(u32::MAX)));
            }
            place += 1;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.taken == 0
    }

    pub(crate) fn clear(&mut self) {
        self.tags.fill(Row::default());
        self.away.fill(0);
        self.taken = 0;
    }

    fn put(&mut self, row: usize, lane: usize, tag: u16, talk: Talk) {
        self.taken += 1;
        tags::set(&mut self.tags[row], lane, tag);
        self.talks[row * WAYS + lane] = talk.pack();
    }

    fn row(&self, hash: u64) -> usize {
        (hash & 0xffff) as usize & self.mask
    }

    /// Returns the other row of a tag; of that row it is this one.
    fn partner(&self, row: usize, tag: u16) -> usize {
        (row ^ (usize::from(tag).wrapping_mul(0x9e37_79b1) >> 4 | 1)) & self.mask
    }
}

fn tag(hash: u64) -> u16 {
    ((hash >> 48) as u16).max(1)
}

fn check(hash: u64) -> u16 {
    (hash >> 32 & 0xfffe) as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::mix;

    fn talk(number: u32) -> Talk {
        Talk { number, packets: 3, bytes: 180, reply_bytes: 74, reply_packets: 1, ..Talk::begin(Side::High, 7) }
    }

    #[test]
    fn talk_survives_packing() {
        let mut talk = talk(0xdead_beef);
        talk.set(Talk::SYN | Talk::SYN_ACK);
        talk.set_server(Side::High);
        assert_eq!(Talk::unpack(talk.pack()), talk);
        assert_eq!((talk.first_side(), talk.server_side()), (Side::High, Side::High));
    }

    #[test]
    fn half_a_store_of_talk_is_remembered_to_the_last() {
        let mut store = Pending::new(1 << 20, false);
        let places = (1 << 20) / crate::hash::PARTITIONS;
        for n in 0..places as u64 / 2 {
            store.insert(mix(0x1234_5678_9abc_def0, n), talk(u32::try_from(n).unwrap()));
        }
        for n in 0..places as u64 / 2 {
            let id = store.find(mix(0x1234_5678_9abc_def0, n)).expect("remembered");
            assert_eq!(u64::from(store.get(id).number), n);
        }
    }

    #[test]
    fn the_newest_talk_is_always_remembered() {
        let mut store = Pending::new(512, false);
        for n in 0..10_000 {
            let hash = mix(0x0fed_cba9_8765_4321, n);
            store.insert(hash, talk(1));
            assert!(store.find(hash).is_some());
        }
    }

    #[test]
    fn talk_away_from_home_is_counted_until_it_is_forgotten() {
        let mut store = Pending::new(1 << 14, false);
        for n in 0..2_000 {
            store.insert(mix(0x0fed_cba9_8765_4321, n), talk(1));
        }
        assert!(store.away.iter().any(|away| *away > 0));
        for n in 0..2_000 {
            if let Some(id) = store.find(mix(0x0fed_cba9_8765_4321, n)) {
                store.remove(id);
            }
        }
        assert!(store.away.iter().all(|away| *away == 0));
        assert_eq!(store.taken, 0);
        assert!(store.tags.iter().flatten().all(|word| *word == 0));
    }

    #[test]
    fn stale_talk_is_swept_out_and_fresh_talk_stays() {
        let mut store = Pending::new(1 << 14, false);
        store.insert(mix(1, 1), Talk::begin(Side::Low, 0));
        store.insert(mix(1, 2), Talk::begin(Side::Low, 90_000_000));
        for turn in 0..SWEEP_TICKS as u64 {
            store.sweep(turn, 100_000_000);
        }
        assert!(store.find(mix(1, 1)).is_none());
        assert!(store.find(mix(1, 2)).is_some());
    }
}
