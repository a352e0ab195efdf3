//! Thresholds: fixed ones, and three times what is nearly the most.

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
    /// In order of size.
    seen: Vec<f64>,
}

impl Detector for ThreeTimesP99 {
    fn is_alarmed(&mut self, second: &Second) -> bool {
        let p99 = self.seen.get(self.seen.len() * 99 / 100).copied();
        let line = p99.filter(|_| self.seen.len() >= ARMED_AFTER).map(|p99| (3.0 * p99).max(LEAST_PACKETS));
        let alarmed = line.is_some_and(|line| second.packets > line);
        if !alarmed {
            let place = self.seen.partition_point(|value| *value < second.packets);
            self.seen.insert(place, second.packets);
        }
        alarmed
    }
}
