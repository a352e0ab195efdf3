//! Which countries of a site have a series of their own.
//!
//! Traffic chooses the countries, so their number is bounded: a site names its ten leading ones and counts the rest as
//! `other`. A country keeps its name until another has twice its weight, weights being packets halved every ten seconds;
//! so the set follows an incident within one or two periods and does not flicker. A country that is named anew starts
//! from zero, which Prometheus reads as a counter reset.

use std::collections::BTreeMap;

use prometheus::{IntCounter, IntCounterVec};

use crate::country::Country;
use crate::summary::Volume;

/// How many countries of a site have a series of their own.
pub(super) const LEADING: usize = 10;

/// The values of `country` beside the leading ones.
pub(super) const OTHER: &str = "other";
/// Registered nowhere known.
pub(super) const UNKNOWN: &str = "unknown";
/// Of flows that proved no address.
pub(super) const UNPROVEN: &str = "unproven";

/// A newcomer takes a leading country's place at this multiple of its weight.
const OVERTAKE: u64 = 2;

/// Packets and bytes of one site and country.
#[derive(Debug)]
struct Pair {
    packets: IntCounter,
    bytes: IntCounter,
}

impl Pair {
    fn add(&self, volume: Volume) {
        self.packets.inc_by(volume.packets);
        self.bytes.inc_by(volume.bytes);
    }
}

#[derive(Debug)]
struct Leader {
    country: Country,
    weight: u64,
    pair: Pair,
}

/// The origin series of one site.
#[derive(Debug)]
pub(super) struct OriginSeries {
    site: String,
    packets: IntCounterVec,
    bytes: IntCounterVec,
    leaders: Vec<Leader>,
    /// Countries without a name of their own, by weight: at most [`Country::COUNT`].
    others: BTreeMap<Country, u64>,
    other: Pair,
    unknown: Pair,
    unproven: Pair,
}

impl OriginSeries {
    /// Starts a site's series with the three values that always exist, at zero.
    pub(super) fn new(site: &str, packets: &IntCounterVec, bytes: &IntCounterVec) -> Self {
        let pair = |country: &str| Pair {
            packets: packets.with_label_values(&[site, country]),
            bytes: bytes.with_label_values(&[site, country]),
        };
        Self {
            site: site.to_owned(),
            packets: packets.clone(),
            bytes: bytes.clone(),
            leaders: Vec::with_capacity(LEADING),
            others: BTreeMap::new(),
            other: pair(OTHER),
            unknown: pair(UNKNOWN),
            unproven: pair(UNPROVEN),
        }
    }

    /// Counts what came from one country; `None` is traffic of flows that proved nothing.
    pub(super) fn add(&mut self, country: Option<Country>, volume: Volume) {
        match country {
            None => self.unproven.add(volume),
            Some(country) if !country.is_known() => self.unknown.add(volume),
            Some(country) => self.add_known(country, volume),
        }
    }

    fn add_known(&mut self, country: Country, volume: Volume) {
        if let Some(leader) = self.leaders.iter_mut().find(|leader| leader.country == country) {
            leader.weight += volume.packets;
            leader.pair.add(volume);
        } else if self.leaders.len() < LEADING {
            self.name(country, volume.packets).add(volume);
        } else {
            *self.others.entry(country).or_default() += volume.packets;
            self.other.add(volume);
        }
    }

    /// Ends a period of ten seconds: places change hands, and weights are halved.
    pub(super) fn close_period(&mut self) {
        for _ in 0..LEADING {
            if !self.overtake() {
                break;
            }
        }
        for leader in &mut self.leaders {
            leader.weight /= 2;
        }
        self.others.retain(|_, weight| {
            *weight /= 2;
            *weight > 0
        });
    }

    /// Gives the weakest leader's place to the strongest of the others, if that one deserves it.
    fn overtake(&mut self) -> bool {
        let weakest = self.leaders.iter().enumerate().min_by_key(|(_, leader)| (leader.weight, leader.country));
        let strongest = self.others.iter().max_by_key(|(country, weight)| (**weight, **country));
        let (Some((place, leader)), Some((&country, &weight))) = (weakest, strongest) else { return false };
        if weight <= leader.weight.saturating_mul(OVERTAKE) {
            return false;
        }
        let gone = self.leaders.swap_remove(place);
        self.unname(gone.country);
        self.others.remove(&country);
        self.others.insert(gone.country, gone.weight);
        self.name(country, weight);
        true
    }

    fn name(&mut self, country: Country, weight: u64) -> &Pair {
        let code = country.to_string();
        let labels = [self.site.as_str(), code.as_str()];
        let pair =
            Pair { packets: self.packets.with_label_values(&labels), bytes: self.bytes.with_label_values(&labels) };
        self.leaders.push(Leader { country, weight, pair });
        &self.leaders[self.leaders.len() - 1].pair
    }

    fn unname(&self, country: Country) {
        self.remove(&country.to_string());
    }

    fn remove(&self, country: &str) {
        // The only possible error is that the series is not there, which is what is wanted.
        let _ = self.packets.remove_label_values(&[self.site.as_str(), country]);
        let _ = self.bytes.remove_label_values(&[self.site.as_str(), country]);
    }

    /// Removes all series of the site.
    pub(super) fn remove_all(&self) {
        for leader in &self.leaders {
            self.unname(leader.country);
        }
        for country in [OTHER, UNKNOWN, UNPROVEN] {
            self.remove(country);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus::Opts;
    use prometheus::core::Collector;

    fn series() -> (OriginSeries, IntCounterVec) {
        let vec = |name: &str| IntCounterVec::new(Opts::new(name, "h"), &["site", "country"]).unwrap();
        let packets = vec("p");
        (OriginSeries::new("school", &packets, &vec("b")), packets)
    }

    fn names(packets: &IntCounterVec) -> Vec<String> {
        let mut names: Vec<String> = packets.collect()[0]
            .get_metric()
            .iter()
            .map(|metric| metric.get_label().iter().find(|l| l.name() == "country").unwrap().value().to_owned())
            .collect();
        names.sort();
        names
    }

    fn volume(packets: u64) -> Volume {
        Volume { packets, bytes: packets * 100 }
    }

    #[test]
    fn ten_countries_are_named_and_the_rest_is_other() {
        let (mut series, packets) = series();
        for index in 0..30 {
            series.add(Some(Country::from_index(index)), volume(5));
        }
        assert_eq!(names(&packets).len(), LEADING + 3);
        assert_eq!(series.other.packets.get(), 20 * 5);
        assert_eq!(series.other.bytes.get(), 20 * 500);
    }

    #[test]
    fn a_country_takes_a_place_only_when_it_is_clearly_larger() {
        let (mut series, packets) = series();
        for index in 0..LEADING {
            series.add(Some(Country::from_index(index)), volume(100));
        }
        let newcomer = Country::from_index(600);
        series.add(Some(newcomer), volume(200));
        series.close_period();
        assert!(!names(&packets).contains(&newcomer.to_string()), "twice is not more than twice");
        series.add(Some(newcomer), volume(101));
        series.close_period();
        assert!(names(&packets).contains(&newcomer.to_string()));
        assert_eq!(names(&packets).len(), LEADING + 3, "one came, one went");
    }

    #[test]
    fn every_packet_is_counted_in_exactly_one_series() {
        let (mut series, packets) = series();
        series.add(None, volume(7));
        series.add(Some(Country::UNKNOWN), volume(11));
        for index in 0..20 {
            series.add(Some(Country::from_index(index)), volume(1));
        }
        let total: f64 = packets.collect()[0].get_metric().iter().map(|m| m.get_counter().get_value()).sum();
        assert_eq!(total, 38.0);
        series.remove_all();
        assert!(names(&packets).is_empty());
    }
}
