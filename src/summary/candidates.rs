//! Heavy destinations of a partition in one tick, while protection is being learned (Misra & Gries 1982).
//!
//! With k counters every destination that receives more than 1/(k+1) of the packets is among them, and a count is never
//! above the truth. A spoofed spread over many destinations costs nothing but counters of one.

use crate::address::Address;
use crate::summary::sketch::address_hash;

const COUNTERS: usize = 64;
/// Twice as many rows as counters keep the search short.
const ROWS: usize = 2 * COUNTERS;
const EMPTY: u8 = u8::MAX;

/// The counters.
#[derive(Debug)]
pub(crate) struct HeavyDestinations {
    key: u64,
    counters: Vec<(Address, u32)>,
    rows: [u8; ROWS],
}

impl HeavyDestinations {
    pub(crate) fn new(key: u64) -> Self {
        Self { key, counters: Vec::with_capacity(COUNTERS), rows: [EMPTY; ROWS] }
    }

    /// Counts a packet to `destination`.
    pub(crate) fn count(&mut self, destination: Address) {
        let row = self.row(destination);
        if self.rows[row] != EMPTY {
            self.counters[usize::from(self.rows[row])].1 += 1;
        } else if self.counters.len() < COUNTERS {
            self.rows[row] = u8::try_from(self.counters.len()).unwrap_or(EMPTY);
            self.counters.push((destination, 1));
        } else {
            self.decrement();
        }
    }

    /// Returns the counters of the tick and begins the next one.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = (Address, u32)> + '_ {
        self.rows.fill(EMPTY);
        self.counters.drain(..)
    }

    /// Takes one from every counter: the destination at hand cancels one packet of each other.
    fn decrement(&mut self) {
        for (_, packets) in &mut self.counters {
            *packets -= 1;
        }
        if self.counters.iter().all(|(_, packets)| *packets > 0) {
            return;
        }
        self.counters.retain(|(_, packets)| *packets > 0);
        self.rows.fill(EMPTY);
        for at in 0..self.counters.len() {
            let row = self.row(self.counters[at].0);
            self.rows[row] = u8::try_from(at).unwrap_or(EMPTY);
        }
    }

    /// Returns the row of a destination, or the free one where it belongs.
    fn row(&self, destination: Address) -> usize {
        let hash = address_hash(self.key, destination);
        let mut row = (hash & 0xffff) as usize % ROWS;
        while self.rows[row] != EMPTY && self.counters[usize::from(self.rows[row])].0 != destination {
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

    #[test]
    fn heavy_destinations_survive_a_spread_and_are_never_overstated() {
        let mut heavy = HeavyDestinations::new(7);
        for n in 0..20_000 {
            heavy.count(address(1 << 24 | n));
            heavy.count(address(1));
            if n % 2 == 0 {
                heavy.count(address(2));
            }
        }
        let counters: Vec<_> = heavy.drain().collect();
        let count = |of| counters.iter().find(|(address, _)| *address == of).map(|(_, packets)| *packets);
        // 50,000 packets over 65: no count is short by more than 770.
        assert!((19_230..=20_000).contains(&count(address(1)).unwrap()), "{counters:?}");
        assert!((9_230..=10_000).contains(&count(address(2)).unwrap()), "{counters:?}");
        assert!(counters.len() <= COUNTERS);
        assert_eq!(heavy.drain().count(), 0);
    }

    #[test]
    fn few_destinations_are_counted_exactly() {
        let mut heavy = HeavyDestinations::new(7);
        for n in 0..6_400 {
            heavy.count(address(n % 64));
        }
        assert!(heavy.drain().all(|(_, packets)| packets == 100));
    }
}
