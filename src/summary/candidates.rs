//! Heavy destinations of a partition in one tick, while protection is being learned (Misra & Gries 1982).
//!
//! With k counters every destination that receives more than 1/(k+1) of the packets is among them, and a count is never
//! above the truth. A spoofed spread over many destinations costs nothing but counters of one.

use crate::address::Address;
use crate::summary::Candidate;
use crate::summary::sketch::address_hash;
use crate::summary::stray::{Stray, StrayKind};

const COUNTERS: usize = 64;
/// So many destinations of a partition have room for their strays, four kinds each.
const STRAY_LISTS: usize = 16;
const STRAY_KINDS: usize = 4;
/// Twice as many rows as counters keep the search short.
const ROWS: usize = 2 * COUNTERS;
const EMPTY: u8 = u8::MAX;

#[derive(Clone, Copy, Debug)]
struct Counter {
    address: Address,
    /// Packets, and what was taken from all counters before it was set up.
    packets: u32,
    bytes: u64,
    /// Where its strays are, or [`EMPTY`].
    strays: u8,
}

/// The counters.
#[derive(Debug)]
pub(crate) struct HeavyDestinations {
    key: u64,
    counters: Vec<Counter>,
    /// What was taken from every counter in this tick: to lower this line costs nothing, to lower each counter was a
    /// loop a packet.
    taken: u32,
    /// No counter is below this.
    least: u32,
    rows: [u8; ROWS],
    strays: Vec<Vec<Stray>>,
    /// Numbers of the lists in `strays` that belong to no counter.
    free: Vec<u8>,
}

impl HeavyDestinations {
    pub(crate) fn new(key: u64) -> Self {
        let lists = 0..u8::try_from(STRAY_LISTS).unwrap_or(EMPTY);
        Self {
            key,
            counters: Vec::with_capacity(COUNTERS),
            taken: 0,
            least: u32::MAX,
            rows: [EMPTY; ROWS],
            strays: lists.clone().map(|_| Vec::new()).collect(),
            free: lists.rev().collect(),
        }
    }

    /// Counts a packet of `wire_len` bytes to `destination`.
    pub(crate) fn count(&mut self, destination: Address, wire_len: u32) {
        let row = self.row(destination);
        if self.rows[row] != EMPTY {
            let counter = &mut self.counters[usize::from(self.rows[row])];
            counter.packets += 1;
            counter.bytes += u64::from(wire_len);
        } else if self.counters.len() < COUNTERS {
            self.rows[row] = u8::try_from(self.counters.len()).unwrap_or(EMPTY);
            let bytes = u64::from(wire_len);
            let packets = self.taken + 1;
            self.least = packets;
            self.counters.push(Counter { address: destination, packets, bytes, strays: EMPTY });
        } else {
            self.decrement();
        }
    }

    /// Returns the row in which strays of a kind to `destination` are counted, if it is among the heaviest and has room.
    pub(crate) fn stray(&mut self, destination: Address, kind: StrayKind) -> Option<&mut Stray> {
        let at = self.rows[self.row(destination)];
        let counter = self.counters.get_mut(usize::from(at))?;
        if counter.strays == EMPTY {
            counter.strays = self.free.pop()?;
        }
        let strays = &mut self.strays[usize::from(counter.strays)];
        let at = strays.iter().position(|stray| stray.kind == kind).unwrap_or(strays.len());
        if at == strays.len() && at < STRAY_KINDS {
            strays.push(Stray::new(kind));
        }
        strays.get_mut(at)
    }

    /// Writes the counters of the tick and begins the next one.
    pub(crate) fn close(&mut self, candidates: &mut Vec<Candidate>) {
        if self.counters.is_empty() && self.taken == 0 {
            return;
        }
        self.rows.fill(EMPTY);
        for Counter { address, packets, bytes, strays } in self.counters.drain(..) {
            let packets = packets - self.taken;
            let mut candidate = Candidate { address, packets, bytes, strays: Vec::new() };
            if let Some(strays) = self.strays.get_mut(usize::from(strays)) {
                candidate.strays.append(strays);
                candidate.strays.sort_unstable_by_key(|stray| stray.kind);
            }
            candidates.push(candidate);
        }
        (self.taken, self.least) = (0, u32::MAX);
        self.free.clear();
        self.free.extend((0..u8::try_from(STRAY_LISTS).unwrap_or(EMPTY)).rev());
    }

    /// Takes one from every counter: the destination at hand cancels one packet of each other.
    fn decrement(&mut self) {
        self.taken += 1;
        if self.least > self.taken {
            return;
        }
        for counter in self.counters.iter().filter(|counter| counter.packets == self.taken) {
            if let Some(strays) = self.strays.get_mut(usize::from(counter.strays)) {
                strays.clear();
                self.free.push(counter.strays);
            }
        }
        let before = self.counters.len();
        self.counters.retain(|counter| counter.packets > self.taken);
        self.least = self.counters.iter().map(|counter| counter.packets).min().unwrap_or(u32::MAX);
        if self.counters.len() == before {
            return;
        }
        self.rows.fill(EMPTY);
        for at in 0..self.counters.len() {
            let row = self.row(self.counters[at].address);
            self.rows[row] = u8::try_from(at).unwrap_or(EMPTY);
        }
    }

    /// Returns the row of a destination, or the free one where it belongs.
    fn row(&self, destination: Address) -> usize {
        let hash = address_hash(self.key, destination);
        let mut row = (hash & 0xffff) as usize % ROWS;
        while self.rows[row] != EMPTY && self.counters[usize::from(self.rows[row])].address != destination {
            row = (row + 1) % ROWS;
        }
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> Address {
        Address::v4(n.to_be_bytes())
    }

    fn closed(heavy: &mut HeavyDestinations) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        heavy.close(&mut candidates);
        candidates
    }

    #[test]
    fn heavy_destinations_survive_a_spread_and_are_never_overstated() {
        let mut heavy = HeavyDestinations::new(7);
        for n in 0..20_000 {
            heavy.count(address(1 << 24 | n), 60);
            heavy.count(address(1), 60);
            if n % 2 == 0 {
                heavy.count(address(2), 60);
            }
        }
        let counters = closed(&mut heavy);
        let count = |of| counters.iter().find(|heavy| heavy.address == of).map(|heavy| heavy.packets);
        // 50,000 packets over 65: no count is short by more than 770.
        assert!((19_230..=20_000).contains(&count(address(1)).unwrap()), "{counters:?}");
        assert!((9_230..=10_000).contains(&count(address(2)).unwrap()), "{counters:?}");
        assert!(counters.len() <= COUNTERS);
        assert!(closed(&mut heavy).is_empty());
    }

    #[test]
    fn few_destinations_are_counted_exactly() {
        let mut heavy = HeavyDestinations::new(7);
        for n in 0..6_400 {
            heavy.count(address(n % 64), 60);
        }
        assert!(closed(&mut heavy).iter().all(|heavy| heavy.packets == 100 && heavy.bytes == 6_000));
    }

    #[test]
    fn strays_of_the_heaviest_survive_a_spread_of_strays() {
        let mut heavy = HeavyDestinations::new(7);
        for n in 0..20_000 {
            for destination in [address(1 << 24 | n), address(1)] {
                heavy.count(destination, 60);
                if let Some(stray) = heavy.stray(destination, StrayKind::Ack) {
                    stray.volume.count(60);
                }
            }
        }
        let counted = closed(&mut heavy).into_iter().find(|heavy| heavy.address == address(1)).unwrap();
        assert_eq!((counted.strays.len(), counted.strays[0].volume.packets), (1, 20_000));
        heavy.count(address(1), 60);
        assert!(closed(&mut heavy)[0].strays.is_empty());
    }

    #[test]
    fn a_destination_has_room_for_four_kinds() {
        let mut heavy = HeavyDestinations::new(7);
        heavy.count(address(1), 60);
        let kinds = [StrayKind::Reset, StrayKind::Ack, StrayKind::Data, StrayKind::OddFlags, StrayKind::Datagram];
        let counted: Vec<_> = kinds.iter().map(|kind| heavy.stray(address(1), *kind).is_some()).collect();
        assert_eq!(counted, [true, true, true, true, false]);
        assert!(heavy.stray(address(1), StrayKind::Data).is_some());
        assert!(heavy.stray(address(2), StrayKind::Data).is_none());
        assert!(closed(&mut heavy)[0].strays.is_sorted_by_key(|stray| stray.kind));
    }
}
