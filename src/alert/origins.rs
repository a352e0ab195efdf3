//! Where those behind an alert are registered: what was seen of it so far, the last minute above all.
//!
//! A finding tells of ten seconds, in which a few dozen connections may all be of one country by chance, and after the end
//! of an attack of what is left. So shares are averaged over the ticks of an alert, each weighed by how much it saw, and
//! fade with a time constant of a minute, so that an attack that moves is followed.

use std::collections::BTreeMap;

use super::line::Origin;
use super::number::Number;
use crate::country::Country;
use crate::detect::finding::OriginShare;

/// Countries that a line names at most (CONTRACT 2).
pub(super) const MOST_ORIGINS: usize = 10;

/// What is kept of a tick after another: a minute of 240 ticks.
const KEPT: f64 = 1.0 - 1.0 / 240.0;

/// Averages over the ticks of one alert.
#[derive(Clone, Debug, Default)]
pub(super) struct Origins {
    weight: f64,
    /// By country, the weighed sum of its shares and what was last said of it.
    countries: BTreeMap<Country, (f64, OriginShare)>,
}

impl Origins {
    /// Takes what a tick found.
    pub(super) fn observe(&mut self, found: &[OriginShare]) {
        // A country that is named without a packet counts as one, or it would be named with nothing.
        let weight = found.iter().map(|origin| origin.packets.max(1)).sum::<u64>() as f64;
        self.weight = KEPT * self.weight + weight;
        self.countries.values_mut().for_each(|(sum, _)| *sum *= KEPT);
        for origin in found {
            let (sum, last) = self.countries.entry(origin.country).or_insert((0.0, *origin));
            *sum += weight * origin.share;
            *last = *origin;
        }
    }

    /// Returns the average shares, largest first.
    pub(super) fn shares(&self) -> Vec<Origin> {
        let average = |(sum, last): &(f64, OriginShare)| OriginShare { share: sum / self.weight, ..*last };
        let mut all: Vec<OriginShare> = self.countries.values().map(average).collect();
        all.sort_by(|a, b| b.share.total_cmp(&a.share));
        all.iter().map(Origin::of).take(MOST_ORIGINS).collect()
    }
}

impl Origin {
    /// Writes a share as a line has it.
    pub(super) fn of(found: &OriginShare) -> Self {
        let share = Number::clamped(found.share, 0.0, 1.0);
        Self { country: found.country, asn: found.asn, share, packets: found.packets }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(shares: &[(&str, f64, u64)]) -> Vec<OriginShare> {
        let origin = |(country, share, packets): &(&str, f64, u64)| OriginShare {
            country: country.parse().unwrap(),
            asn: None,
            share: *share,
            packets: *packets,
        };
        shares.iter().map(origin).collect()
    }

    fn leading(origins: &Origins) -> String {
        origins.shares()[0].country.to_string()
    }

    #[test]
    fn what_is_left_after_the_end_does_not_rename_an_attack_and_another_that_lasts_does() {
        let mut origins = Origins::default();
        (0..40).for_each(|_| origins.observe(&found(&[("RU", 0.8, 400), ("BE", 0.1, 50)])));
        assert_eq!(origins.shares()[0].share, Number::clamped(0.8, 0.0, 1.0));
        (0..20).for_each(|_| origins.observe(&found(&[("BE", 0.9, 9)])));
        assert_eq!(leading(&origins), "RU");
        (0..240).for_each(|_| origins.observe(&found(&[("BE", 0.9, 400)])));
        assert_eq!(leading(&origins), "BE");
    }

    #[test]
    fn the_opening_line_says_what_its_tick_found_and_ticks_without_origins_change_no_share() {
        for packets in [0, 1, 400] {
            let mut origins = Origins::default();
            origins.observe(&found(&[("RU", 0.7, packets), ("BE", 0.2, packets)]));
            (0..1_000).for_each(|_| origins.observe(&[]));
            let shares: Vec<_> = origins.shares().iter().map(|origin| origin.share).collect();
            assert_eq!(shares, [Number::clamped(0.7, 0.0, 1.0), Number::clamped(0.2, 0.0, 1.0)], "{packets}");
        }
    }

    #[test]
    fn no_more_are_named_than_a_line_may_hold_and_nothing_found_names_nobody() {
        let mut origins = Origins::default();
        assert!(origins.shares().is_empty());
        let many: Vec<String> = (b'A'..=b'Z').map(|letter| format!("F{}", char::from(letter))).collect();
        let many: Vec<(&str, f64, u64)> = many.iter().map(|country| (country.as_str(), 0.03, 3)).collect();
        origins.observe(&found(&many));
        assert_eq!(origins.shares().len(), MOST_ORIGINS);
    }
}
