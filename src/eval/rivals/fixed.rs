//! Thresholds: fixed ones, and three times what is nearly the most.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{ARMED_AFTER, Detector, LEAST_PACKETS, Second};

/// FastNetMon's defaults (community edition, `fastnetmon.conf`: `threshold_pps`, `threshold_mbps`, `threshold_flows`,
/// `average_calculation_time`).
const MOST_PACKETS: f64 = 20_000.0;
const MOST_BITS: f64 = 1e9;
const MOST_FLOWS: f64 = 3_500.0;
const AVERAGED_OVER: f64 = 5.0;

/// Fixed thresholds on smoothed rates.
#[derive(Debug, Default)]
pub(super) struct Fixed {
    mean: Option<Second>,
}

impl Detector for Fixed {
    fn is_alarmed(&mut self, second: &Second) -> bool {
        let kept = (-1.0 / AVERAGED_OVER).exp();
        let before = self.mean.unwrap_or(*second);
        let blend = |old: f64, new: f64| kept * old + (1.0 - kept) * new;
        let mean = Second {
            packets: blend(before.packets, second.packets),
            bits: blend(before.bits, second.bits),
            flows: blend(before.flows, second.flows),
            ..*second
        };
        self.mean = Some(mean);
        mean.packets > MOST_PACKETS || mean.bits > MOST_BITS || mean.flows > MOST_FLOWS
    }
}

/// Three times the 99th percentile of all seconds so far that did not alarm.
#[derive(Debug, Default)]
pub(super) struct ThreeTimesP99 {
    /// Packets of those seconds: what lies below the percentile, the largest first, and the rest, the smallest first.
    below: BinaryHeap<u64>,
    above: BinaryHeap<Reverse<u64>>,
}

impl ThreeTimesP99 {
    fn take(&mut self, packets: u64) {
        if self.above.peek().is_some_and(|Reverse(p99)| packets < *p99) {
            self.below.push(packets);
        } else {
            self.above.push(Reverse(packets));
        }
        let below = (self.below.len() + self.above.len()) * 99 / 100;
        while self.below.len() < below {
            let Some(Reverse(least)) = self.above.pop() else { return };
            self.below.push(least);
        }
        while self.below.len() > below {
            let Some(most) = self.below.pop() else { return };
            self.above.push(Reverse(most));
        }
    }
}

impl Detector for ThreeTimesP99 {
    fn is_alarmed(&mut self, second: &Second) -> bool {
        let seen = self.below.len() + self.above.len();
        let p99 = self.above.peek().filter(|_| seen >= ARMED_AFTER).map(|Reverse(p99)| *p99 as f64);
        let alarmed = p99.is_some_and(|p99| second.packets > (3.0 * p99).max(LEAST_PACKETS));
        if !alarmed {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
            self.take(second.packets as u64);
        }
        alarmed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_percentile_is_that_of_the_sorted_seconds() {
        let (mut method, mut sorted) = (ThreeTimesP99::default(), Vec::new());
        for n in 0_u64..3_000 {
            let packets = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56;
            method.take(packets);
            sorted.insert(sorted.partition_point(|seen| *seen < packets), packets);
            assert_eq!(method.above.peek().map(|Reverse(p99)| *p99), sorted.get(sorted.len() * 99 / 100).copied());
        }
    }
}
