//! The order in which a shard takes a batch of packets: partition after partition, in each as they came.

use crate::hash::{PARTITIONS, partition};
use crate::summary::shard::Routed;

/// Packets that are put in order at once.
pub(super) const MOST_TOGETHER: usize = 8_192;

/// Packets of a batch by partition: a counting sort of their numbers.
#[derive(Debug)]
pub(super) struct Order {
    /// Numbers of packets, those of a partition together.
    numbers: [u16; MOST_TOGETHER],
    /// Where the numbers of each partition end.
    ends: [u16; PARTITIONS],
}

impl Default for Order {
    fn default() -> Self {
        Self { numbers: [0; MOST_TOGETHER], ends: [0; PARTITIONS] }
    }
}

impl Order {
    /// Sorts at most [`MOST_TOGETHER`] packets.
    pub(super) fn sort(&mut self, packets: &[Routed]) {
        self.ends = [0; PARTITIONS];
        for routed in packets {
            self.ends[partition(routed.hash)] += 1;
        }
        let mut before = 0;
        for end in &mut self.ends {
            // For now where the partition begins; each number moves it on.
            before += std::mem::replace(end, before);
        }
        for (number, routed) in (0..).zip(packets) {
            let end = &mut self.ends[partition(routed.hash)];
            self.numbers[usize::from(*end)] = number;
            *end += 1;
        }
    }

    /// Returns each partition that has packets, with their numbers.
    pub(super) fn runs(&self) -> impl Iterator<Item = (usize, &[u16])> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        let runs = begins.zip(self.ends).map(|(begin, end)| &self.numbers[usize::from(begin)..usize::from(end)]);
        runs.enumerate().filter(|(_, numbers)| !numbers.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Packet;

    #[test]
    fn packets_go_by_partition_and_in_each_as_they_came() {
        let routed =
            |number: u64| Routed { hash: number.wrapping_mul(0x9e37_79b9_7f4a_7c15), packet: Packet::default() };
        let packets: Vec<Routed> = (0..MOST_TOGETHER as u64).map(routed).collect();
        let mut order = Order::default();
        for count in [packets.len(), 1, 0, 77] {
            order.sort(&packets[..count]);
            let mut expected: Vec<u16> = (0..u16::try_from(count).unwrap()).collect();
            expected.sort_by_key(|number| partition(packets[usize::from(*number)].hash));
            let runs: Vec<_> = order.runs().collect();
            assert_eq!(runs.iter().flat_map(|(_, numbers)| numbers.iter().copied()).collect::<Vec<_>>(), expected);
            for (place, numbers) in runs {
                assert!(numbers.iter().all(|number| partition(packets[usize::from(*number)].hash) == place));
            }
        }
    }
}
