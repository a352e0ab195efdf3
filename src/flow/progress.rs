//! How far large conversations have been told: what each had carried when it was last reported.
//!
//! An entry of the flow table has no room for it, and few conversations carry much. A partition knows 256 of them; one for
//! which there is no room is told at its end, all at once.

use crate::flow::Volume;
use crate::flow::key::FlowKey;

/// Large conversations of a partition: 16,384 in all, 1.6 MiB.
const CAPACITY: usize = 256;
const ROWS: usize = 2 * CAPACITY;
const EMPTY: u16 = u16::MAX;

#[derive(Clone, Copy, Debug)]
struct Told {
    key: FlowKey,
    hash: u32,
    /// Low end's, high end's.
    volumes: [Volume; 2],
}

/// What was told of the large conversations of a partition.
#[derive(Debug)]
pub(crate) struct Progress {
    told: Vec<Told>,
    rows: Vec<u16>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { told: Vec::with_capacity(CAPACITY), rows: vec![EMPTY; ROWS] }
    }

    /// Bytes reserved.
    pub(crate) fn bytes(&self) -> usize {
        CAPACITY * size_of::<Told>() + ROWS * size_of::<u16>()
    }

    /// Takes what a conversation has carried by now; returns what of it is new, or nothing when there is no room to
    /// remember it.
    pub(crate) fn advance(&mut self, hash: u32, key: &FlowKey, volumes: [Volume; 2]) -> Option<[Volume; 2]> {
        let row = self.row(hash, key);
        if self.rows[row] != EMPTY {
            let told = &mut self.told[usize::from(self.rows[row])];
            return Some(less(volumes, std::mem::replace(&mut told.volumes, volumes)));
        }
        if self.told.len() == CAPACITY {
            return None;
        }
        self.rows[row] = u16::try_from(self.told.len()).unwrap_or(EMPTY);
        self.told.push(Told { key: *key, hash, volumes });
        Some(volumes)
    }

    /// Forgets a conversation; returns what it carried since it was last told. One that was never told has all of it left.
    pub(crate) fn end(&mut self, hash: u32, key: &FlowKey, volumes: [Volume; 2]) -> [Volume; 2] {
        let row = self.row(hash, key);
        if self.rows[row] == EMPTY {
            return volumes;
        }
        let told = self.told.swap_remove(usize::from(self.rows[row]));
        self.rows.fill(EMPTY);
        for at in 0..self.told.len() {
            let row = self.row(self.told[at].hash, &self.told[at].key);
            self.rows[row] = u16::try_from(at).unwrap_or(EMPTY);
        }
        less(volumes, told.volumes)
    }

    /// Returns the row of a conversation, or the free one where it belongs.
    fn row(&self, hash: u32, key: &FlowKey) -> usize {
        let mut row = hash as usize % ROWS;
        while self.rows[row] != EMPTY && self.told[usize::from(self.rows[row])].key != *key {
            row = (row + 1) % ROWS;
        }
        row
    }
}

fn less(volumes: [Volume; 2], told: [Volume; 2]) -> [Volume; 2] {
    [0, 1].map(|at: usize| Volume {
        packets: volumes[at].packets.saturating_sub(told[at].packets),
        bytes: volumes[at].bytes.saturating_sub(told[at].bytes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use crate::packet::Protocol;

    fn key(n: u16) -> FlowKey {
        let (low, high) = (Address::v4([192, 0, 2, 1]), Address::v4([192, 0, 2, 2]));
        FlowKey { low, high, low_port: n, high_port: 9, protocol: Protocol::TCP }
    }

    fn volumes(n: u64) -> [Volume; 2] {
        [Volume { packets: n, bytes: n * 1_000 }, Volume { packets: 2 * n, bytes: n * 50 }]
    }

    #[test]
    fn what_is_told_in_parts_is_the_whole() {
        let mut progress = Progress::new();
        let parts =
            [progress.advance(1, &key(1), volumes(4)).unwrap(), progress.advance(1, &key(1), volumes(9)).unwrap()];
        assert_eq!(parts, [volumes(4), volumes(5)]);
        assert_eq!(progress.end(1, &key(1), volumes(10)), volumes(1));
        assert_eq!(progress.end(1, &key(1), volumes(10)), volumes(10));
    }

    #[test]
    fn without_room_nothing_is_told_until_the_end() {
        let mut progress = Progress::new();
        // All in one row, as an attacker who knew the hash would have it.
        for n in 0..256 {
            assert!(progress.advance(7, &key(n), volumes(1)).is_some());
        }
        assert!(progress.advance(7, &key(256), volumes(3)).is_none());
        assert_eq!(progress.end(7, &key(256), volumes(3)), volumes(3));
        assert_eq!(progress.end(7, &key(0), volumes(3)), volumes(2));
        assert!(progress.advance(7, &key(256), volumes(3)).is_some());
        assert_eq!(progress.end(7, &key(255), volumes(3)), volumes(2));
    }
}
