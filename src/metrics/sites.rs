//! The series of one protected site, and what a tick adds to them.
//!
//! Handles are kept, so that a tick looks no label up. Scores are held for ten to twenty seconds of packet time, so that
//! a scrape every fifteen seconds misses no peak.

use std::collections::BTreeMap;
use std::sync::Arc;

use prometheus::{Gauge, GaugeVec, IntCounter, IntCounterVec, IntGaugeVec};

use super::labels::{ConnectionOrigin, HandshakeOutcome, TrafficDirection};
use super::origins::{LEADING, OriginSeries};
use super::register::Register;
use crate::country::Country;
use crate::detect::minute::{MinuteKind, MinuteVerdict};
use crate::policy::Policy;
use crate::summary::{AGES, CohortTick, HostTick, SiteTick, Volume, sketch};

/// How many detectors a run can have scores of; there are fewer.
pub(super) const MAX_DETECTORS: usize = 24;

const SITES: usize = Policy::MAX_SITES;

/// The families with a `site` label.
#[derive(Debug)]
pub(super) struct SiteFamilies {
    packets: IntCounterVec,
    bytes: IntCounterVec,
    handshakes: IntCounterVec,
    connections: IntCounterVec,
    served: IntCounterVec,
    sources: GaugeVec,
    origin_packets: IntCounterVec,
    origin_bytes: IntCounterVec,
    verdict: IntGaugeVec,
    attack: GaugeVec,
    attack_low: GaugeVec,
    attack_high: GaugeVec,
    demand: GaugeVec,
    capacity: GaugeVec,
    phase: IntGaugeVec,
    score: GaugeVec,
}

impl SiteFamilies {
    /// Registers them.
    pub(super) fn new(register: &mut Register) -> Self {
        let directions = TrafficDirection::ALL.len() * SITES;
        let countries = (LEADING + 3) * SITES;
        Self {
            packets: register.counters(
                "vigie_site_packets_total",
                "Packets of a protected site, by direction.",
                &["site", "direction"],
                directions,
            ),
            bytes: register.counters(
                "vigie_site_bytes_total",
                "Bytes on the wire of a protected site, by direction.",
                &["site", "direction"],
                directions,
            ),
            handshakes: register.counters(
                "vigie_site_handshakes_total",
                "Inbound TCP handshakes by outcome, retransmissions removed; estimated from a sample when there are more than are followed.",
                &["site", "outcome"],
                HandshakeOutcome::ALL.len() * SITES,
            ),
            connections: register.counters(
                "vigie_site_connections_total",
                "Inbound connections whose client proved its address, by where that is registered as seen from home.",
                &["site", "origin"],
                ConnectionOrigin::ALL.len() * SITES,
            ),
            served: register.counters(
                "vigie_site_served_connections_total",
                "Inbound connections whose client proved its address and to which the server sent data.",
                &["site"],
                SITES,
            ),
            sources: register.gauges(
                "vigie_site_sources",
                "Distinct inbound sources in the last full period of 10 s, estimated to about 3 percent; an IPv6 source is a /64.",
                &["site"],
                SITES,
            ),
            origin_packets: register.counters(
                "vigie_origin_packets_total",
                "Inbound packets by country of registration of the verified source: the ten leading countries, other, unknown, and unproven for flows that proved no address.",
                &["site", "country"],
                countries,
            ),
            origin_bytes: register.counters(
                "vigie_origin_bytes_total",
                "Inbound bytes on the wire, by country as in vigie_origin_packets_total.",
                &["site", "country"],
                countries,
            ),
            verdict: register.counts(
                "vigie_site_verdict",
                "1 for the verdict of the site's last full minute of packet time, 0 for the others.",
                &["site", "verdict"],
                MinuteKind::ALL.len() * SITES,
            ),
            attack: register.gauges(
                "vigie_site_attack_ratio",
                "Share of the site's first SYNs held to be attack in its last full minute.",
                &["site"],
                SITES,
            ),
            attack_low: register.gauges(
                "vigie_site_attack_low_ratio",
                "Lower end of the 95 percent interval of vigie_site_attack_ratio.",
                &["site"],
                SITES,
            ),
            attack_high: register.gauges(
                "vigie_site_attack_high_ratio",
                "Upper end of the 95 percent interval of vigie_site_attack_ratio.",
                &["site"],
                SITES,
            ),
            demand: register.gauges(
                "vigie_site_demand_per_second",
                "Legitimate demand in the site's last full minute: first connection attempts a second without those held to be attack.",
                &["site"],
                SITES,
            ),
            capacity: register.gauges(
                "vigie_site_capacity_per_second",
                "Served connections a second that the site bears: configured, or the most it was seen to serve.",
                &["site"],
                SITES,
            ),
            phase: register.counts(
                "vigie_baseline_phase",
                "How known the usual traffic of a site is: 0 minutes, 1 hours, 2 a profile of days or a sibling's, 3 an own weekly profile of a fortnight.",
                &["site"],
                SITES,
            ),
            score: register.gauges(
                "vigie_score",
                "Alarm ratio of a detector: evidence over the line it must cross, 1 is the alert line; the largest of the last 10 to 20 s.",
                &["detector", "site"],
                MAX_DETECTORS * (SITES + 1),
            ),
        }
    }
}

/// What the hosts of a site add to it in one tick.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SiteSum {
    handshakes: [u64; 6],
    connections: [u64; 3],
    served: u64,
}

impl SiteSum {
    /// Adds one host; `home` empty means that home is not known.
    pub(super) fn add(&mut self, host: &HostTick, home: &[Country]) {
        for (sum, count) in self.handshakes.iter_mut().zip(handshakes(&host.cohort)) {
            *sum += count;
        }
        let mut located = 0;
        for &(country, count) in &host.verified_from {
            self.connections[origin(country, home) as usize] += u64::from(count);
            located += u64::from(count);
        }
        let unlocated = u64::from(host.verified).saturating_sub(located);
        self.connections[ConnectionOrigin::Unknown as usize] += unlocated;
        self.served += u64::from(host.served);
    }
}

fn origin(country: Country, home: &[Country]) -> ConnectionOrigin {
    if home.is_empty() || !country.is_known() {
        ConnectionOrigin::Unknown
    } else if home.contains(&country) {
        ConnectionOrigin::Home
    } else {
        ConnectionOrigin::Foreign
    }
}

/// Counts by outcome, in the order of `HandshakeOutcome::ALL`.
fn handshakes(cohort: &CohortTick) -> [u64; 6] {
    let sum = |ages: &[u32; AGES]| ages.iter().map(|&count| u64::from(count)).sum();
    [
        u64::from(cohort.opened),
        sum(&cohort.answered),
        sum(&cohort.finished),
        sum(&cohort.abandoned),
        sum(&cohort.retried),
        sum(&cohort.refused),
    ]
}

/// All series of one site.
#[derive(Debug)]
pub(super) struct SiteSeries {
    pub(super) name: Arc<str>,
    packets: [IntCounter; 3],
    bytes: [IntCounter; 3],
    handshakes: [IntCounter; 6],
    connections: [IntCounter; 3],
    served: IntCounter,
    sources: Gauge,
    pub(super) origins: OriginSeries,
}

impl SiteSeries {
    /// Starts a site: every series of a closed set exists at once, at zero.
    pub(super) fn new(families: &SiteFamilies, name: &Arc<str>) -> Self {
        let site: &str = name;
        let all = |family: &IntCounterVec, label: &str| family.with_label_values(&[site, label]);
        for kind in MinuteKind::ALL {
            families.verdict.with_label_values(&[site, kind.name()]);
        }
        for gauge in
            [&families.attack, &families.attack_low, &families.attack_high, &families.demand, &families.capacity]
        {
            gauge.with_label_values(&[site]);
        }
        let directions =
            |family: &IntCounterVec| std::array::from_fn(|index| all(family, TrafficDirection::ALL[index].name()));
        Self {
            name: Arc::clone(name),
            packets: directions(&families.packets),
            bytes: directions(&families.bytes),
            handshakes: std::array::from_fn(|i| all(&families.handshakes, HandshakeOutcome::ALL[i].name())),
            connections: std::array::from_fn(|i| all(&families.connections, ConnectionOrigin::ALL[i].name())),
            served: families.served.with_label_values(&[site]),
            sources: families.sources.with_label_values(&[site]),
            origins: OriginSeries::new(site, &families.origin_packets, &families.origin_bytes),
        }
    }

    /// Adds the site's own volumes, and takes its distinct sources where a period ended.
    pub(super) fn add_tick(&self, tick: &SiteTick) {
        for (index, volume) in [tick.inbound, tick.outbound, tick.internal].into_iter().enumerate() {
            let Volume { packets, bytes } = volume;
            self.packets[index].inc_by(packets);
            self.bytes[index].inc_by(bytes);
        }
        if let Some(registers) = &tick.sources {
            self.sources.set(sketch::estimate(registers).round());
        }
    }

    /// Adds what its hosts counted.
    pub(super) fn add_hosts(&self, sum: &SiteSum) {
        for (counter, count) in self.handshakes.iter().zip(sum.handshakes) {
            counter.inc_by(count);
        }
        for (counter, count) in self.connections.iter().zip(sum.connections) {
            counter.inc_by(count);
        }
        self.served.inc_by(sum.served);
    }

    /// Removes all its series.
    pub(super) fn remove(&self, families: &SiteFamilies) {
        let site: &str = &self.name;
        let drop = |family: &IntCounterVec, labels: &[&str]| {
            // The only possible error is that the series is not there, which is what is wanted.
            let _ = family.remove_label_values(labels);
        };
        for direction in TrafficDirection::ALL {
            drop(&families.packets, &[site, direction.name()]);
            drop(&families.bytes, &[site, direction.name()]);
        }
        for outcome in HandshakeOutcome::ALL {
            drop(&families.handshakes, &[site, outcome.name()]);
        }
        for origin in ConnectionOrigin::ALL {
            drop(&families.connections, &[site, origin.name()]);
        }
        drop(&families.served, &[site]);
        for kind in MinuteKind::ALL {
            let _ = families.verdict.remove_label_values(&[site, kind.name()]);
        }
        for gauge in [
            &families.sources,
            &families.attack,
            &families.attack_low,
            &families.attack_high,
            &families.demand,
            &families.capacity,
        ] {
            let _ = gauge.remove_label_values(&[site]);
        }
        let _ = families.phase.remove_label_values(&[site]);
        self.origins.remove_all();
    }
}

/// Shows a site's minute.
pub(super) fn show_minute(families: &SiteFamilies, minute: &MinuteVerdict) {
    let site: &str = &minute.site;
    for kind in MinuteKind::ALL {
        families.verdict.with_label_values(&[site, kind.name()]).set(i64::from(*kind == minute.verdict));
    }
    families.attack.with_label_values(&[site]).set(minute.attack_share.value);
    families.attack_low.with_label_values(&[site]).set(minute.attack_share.low);
    families.attack_high.with_label_values(&[site]).set(minute.attack_share.high);
    families.demand.with_label_values(&[site]).set(minute.demand_per_second.value);
    if let Some(capacity) = minute.capacity_per_second {
        families.capacity.with_label_values(&[site]).set(capacity);
    }
}

/// Shows how known a site's usual traffic is, 0 to 3.
pub(super) fn show_phase(families: &SiteFamilies, site: &str, phase: u8) {
    families.phase.with_label_values(&[site]).set(i64::from(phase));
}

/// The largest ratio of this period and of the one before.
#[derive(Debug)]
struct Held {
    current: f64,
    previous: f64,
    gauge: Gauge,
}

/// Scores by detector and site.
#[derive(Debug, Default)]
pub(super) struct Scores {
    held: BTreeMap<(&'static str, Arc<str>), Held>,
}

impl Scores {
    /// Takes one ratio of a tick. What is not a number counts as no evidence.
    pub(super) fn take(&mut self, families: &SiteFamilies, detector: &'static str, site: &Arc<str>, ratio: f64) {
        let key = (detector, Arc::clone(site));
        let room = self.held.len() < MAX_DETECTORS * (SITES + 1);
        let held = match self.held.entry(key) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) if room => {
                let gauge = families.score.with_label_values(&[detector, site]);
                entry.insert(Held { current: 0.0, previous: 0.0, gauge })
            }
            std::collections::btree_map::Entry::Vacant(_) => return,
        };
        // `max` takes the number where the other is not one.
        held.current = held.current.max(ratio);
        held.gauge.set(held.current.max(held.previous));
    }

    /// Ends a period of ten seconds.
    pub(super) fn close_period(&mut self) {
        for held in self.held.values_mut() {
            held.previous = held.current;
            held.current = 0.0;
            held.gauge.set(held.previous);
        }
    }

    /// Removes the scores of a site that is gone.
    pub(super) fn remove(&mut self, families: &SiteFamilies, site: &str) {
        self.held.retain(|(detector, name), _| {
            let gone = **name == *site;
            if gone {
                let _ = families.score.remove_label_values(&[*detector, site]);
            }
            !gone
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_held_for_at_least_one_period_and_then_fall() {
        let mut register = Register::default();
        let families = SiteFamilies::new(&mut register);
        let mut scores = Scores::default();
        let site: Arc<str> = "school".into();
        let shown = || families.score.with_label_values(&["SYN-2", "school"]).get();
        scores.take(&families, "SYN-2", &site, 3.5);
        scores.take(&families, "SYN-2", &site, f64::NAN);
        scores.take(&families, "SYN-2", &site, 0.2);
        assert_eq!(shown(), 3.5);
        scores.close_period();
        scores.take(&families, "SYN-2", &site, 0.1);
        assert_eq!(shown(), 3.5);
        scores.close_period();
        scores.take(&families, "SYN-2", &site, 0.3);
        assert_eq!(shown(), 0.3);
    }
}
