//! Verified connections of one subject by country: what came, what is usual, and what home growth explains.

mod memory;

pub use memory::ForeignMemory;

use crate::country::Country;
use crate::time::Tick;
use crate::window::negative_binomial;
use crate::window::series::{RateSeries, ShareSeries};

/// Countries with a place of their own; the others count in the aggregates only.
const MOST_COUNTRIES: usize = 64;

/// Shape of counts of a country about which little is known: variance mu + mu^2/30 (a starting value, DETECTION 1.3).
const CLASS_SHAPE: f64 = 30.0;
const CLASS_STRENGTH: f64 = 50.0;

/// Largest dispersion put down to visits of several connections.
const MOST_DISPERSION: f64 = 6.0;

/// Smallest excess of a country that matters, a second.
const COUNTRY_FLOOR: f64 = 5.0;

/// The countries of one subject.
#[derive(Clone, Debug, Default)]
pub struct Foreign {
    /// Verified connections from home.
    pub home: RateSeries,
    /// Verified connections from abroad.
    pub abroad: RateSeries,
    /// Share of abroad among both.
    pub share: ShareSeries,
    countries: Vec<(Country, CountryWindow)>,
    /// Ten-second samples learned from.
    samples: u32,
    /// Abroad, by second, the newest last: for the time a surge takes to rise.
    rise: std::collections::VecDeque<f64>,
    rising: u64,
}

#[derive(Clone, Debug, Default)]
struct CountryWindow {
    rate: RateSeries,
    samples: f64,
}

/// One country's part in a surge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CountrySurge {
    /// The country.
    pub country: Country,
    /// Verified connections in ten seconds.
    pub observed: f64,
    /// What is usual, grown as home has grown.
    pub expected: f64,
    /// Evidence in decades (FOR-1).
    pub decades: f64,
}

impl Foreign {
    /// Takes one tick's verified connections by country. `is_home` tells domestic countries; unknown space is neither.
    pub fn observe(
        &mut self,
        tick: Tick,
        verified_from: &[(Country, u32)],
        is_home: impl Fn(Country) -> bool,
        cap: f64,
    ) {
        let (mut home, mut abroad) = (0_u64, 0_u64);
        for (country, count) in verified_from.iter().filter(|(country, _)| country.is_known()) {
            if is_home(*country) {
                home += u64::from(*count);
            } else {
                abroad += u64::from(*count);
                self.place(*country);
            }
        }
        for (country, window) in &mut self.countries {
            let count = verified_from.iter().find(|(other, _)| other == country).map_or(0, |(_, count)| *count);
            window.rate.observe(tick, u64::from(count), COUNTRY_FLOOR, cap);
        }
        self.home.observe(tick, home, COUNTRY_FLOOR, cap);
        self.abroad.observe(tick, abroad, COUNTRY_FLOOR, cap);
        let (dispersion, slow) = self.dispersion();
        let envelope = self.share.level().log_envelope(slow);
        self.share.observe(tick, abroad as f64, (home + abroad) as f64, 1.0 / dispersion, envelope, cap);
        self.rising += abroad;
        if tick.closes_period(4) {
            if self.rise.len() == 120 {
                self.rise.pop_front();
            }
            self.rise.push_back(self.rising as f64);
            self.rising = 0;
        }
    }

    /// Splits the spread of ten-second shares into what counting explains and what it does not.
    ///
    /// One visit is several connections, so counts from abroad vary by more than chance: by the dispersion, variance over
    /// mean, here at most six. The test divides its counts by it (quasi-likelihood, Wedderburn 1974); only the rest of the
    /// spread is slow noise that widens the envelope.
    fn dispersion(&self) -> (f64, f64) {
        let spread = self.share.level().relative_spread();
        let count = self.abroad.usual().map_or(1.0, |usual| (10.0 * usual).max(1.0));
        let dispersion = (spread * spread * count).clamp(1.0, MOST_DISPERSION);
        (dispersion, (spread * spread - dispersion / count).max(0.0).sqrt())
    }

    fn place(&mut self, country: Country) {
        if self.countries.len() >= MOST_COUNTRIES && self.countries.iter().all(|(known, _)| *known != country) {
            self.give_up_the_idlest();
        }
        if let Err(place) = self.countries.binary_search_by_key(&country, |(country, _)| *country)
            && self.countries.len() < MOST_COUNTRIES
        {
            // A country never seen has a history of zeros, as long as that of the others.
            let mut window = CountryWindow::default();
            (0..self.samples.min(40)).for_each(|_| window.learn_silence());
            self.countries.insert(place, (country, window));
        }
    }

    /// Frees the place of the country that is usually least and is silent now, so that a stray visitor does not keep it.
    fn give_up_the_idlest(&mut self) {
        let usual = |window: &CountryWindow| window.rate.usual().unwrap_or(0.0);
        let idle = self.countries.iter().enumerate().filter(|(_, (_, window))| window.rate.sum() == 0.0);
        let idlest = idle.min_by(|(_, (_, a)), (_, (_, b))| usual(a).total_cmp(&usual(b))).map(|(place, _)| place);
        idlest.map(|place| self.countries.remove(place));
    }

    /// Learns shares and countries from the last ten seconds, with a weight of 0 to 1; home and abroad, which keep weekly
    /// profiles, are taught with the subject's other rates.
    pub fn learn(&mut self, weight: f64) {
        self.share.learn(weight);
        self.samples += u32::from(weight > 0.0);
        for (_, window) in &mut self.countries {
            window.rate.learn(weight);
            window.samples += 1.0;
        }
    }

    /// Returns by how much home has grown over its usual level in the last ten seconds, at least 1.
    #[must_use]
    pub fn home_growth(&self) -> f64 {
        self.home.usual().map_or(1.0, |usual| (self.home.per_second() / usual.max(0.05)).max(1.0))
    }

    /// Returns what home growth explains of the ten seconds' connections from abroad; `None` before 180 s.
    #[must_use]
    pub fn expected_abroad(&self) -> Option<f64> {
        self.abroad.usual().map(|usual| usual * 10.0 * self.home_growth())
    }

    /// Returns every country's surge over the last ten seconds, the largest excess first (FOR-1: the tail of a negative
    /// binomial of the expected mean, its shape halved for safety).
    #[must_use]
    pub fn countries(&self) -> Vec<CountrySurge> {
        let growth = self.home_growth();
        let armed = self.abroad.usual().is_some();
        let mut surges: Vec<CountrySurge> = self
            .countries
            .iter()
            .map(|(country, window)| {
                let observed = window.rate.sum();
                // Until a country's own level is known it is held to be usual.
                let Some(usual) = window.rate.usual().filter(|_| armed).map(|usual| usual * 10.0) else {
                    return CountrySurge { country: *country, observed, expected: observed, decades: 0.0 };
                };
                let expected = usual * growth;
                let decades = negative_binomial::evidence(observed, expected.max(1.0), window.shape(usual) / 2.0);
                CountrySurge { country: *country, observed, expected, decades }
            })
            .collect();
        surges.sort_by(|a, b| {
            (b.observed - b.expected).total_cmp(&(a.observed - a.expected)).then(a.country.cmp(&b.country))
        });
        surges
    }

    /// Returns the seconds in which the excess from abroad rose from a tenth to nine tenths of its present level, looking
    /// back two minutes; `None` without an excess.
    #[must_use]
    pub fn rise_seconds(&self) -> Option<f64> {
        let usual = self.abroad.usual()?;
        let excess: Vec<f64> = self.rise.iter().map(|rate| rate - usual).collect();
        let last = &excess[excess.len().saturating_sub(5)..];
        let level = last.iter().sum::<f64>() / last.len().max(1) as f64;
        if level < 5.0 {
            return None;
        }
        // One spread of counting is allowed for: a step reaches its level at once, give or take chance.
        let began = excess.iter().rposition(|rate| *rate < 0.1 * level).map_or(0, |place| place + 1);
        let full = excess[began..].iter().position(|rate| *rate >= 0.9 * level - level.sqrt());
        Some(full.unwrap_or(excess.len() - began) as f64)
    }

    /// Restarts windows and tests after a gap; levels stay.
    pub fn restart(&mut self, tick: Tick) {
        self.home.restart(tick);
        self.abroad.restart(tick);
        self.share.restart(tick);
        self.countries.iter_mut().for_each(|(_, window)| window.rate.restart(tick));
        self.rise.clear();
        self.rising = 0;
    }
}

impl CountryWindow {
    fn learn_silence(&mut self) {
        self.rate.learn_rate(0.0);
        self.samples += 1.0;
    }

    /// Returns the shape of the country's counts: moments of its own samples (the spread of the logarithm beyond that of
    /// counting), shrunk to the class.
    fn shape(&self, mean: f64) -> f64 {
        let sigma = self.rate.sigma();
        let own = (1.0 / (sigma * sigma - 1.0 / mean.max(1.0)).max(0.002)).clamp(2.0, 500.0);
        (self.samples * own + CLASS_STRENGTH * CLASS_SHAPE) / (self.samples + CLASS_STRENGTH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::cusum::STEP_CAP;

    fn country(code: &str) -> Country {
        code.parse().unwrap()
    }

    fn run(foreign: &mut Foreign, from: u64, ticks: u64, home: u32, nl: u32, de: u32, learn: bool) {
        for n in from..from + ticks {
            let counts = [(country("FR"), home), (country("DE"), de), (country("NL"), nl)];
            foreign.observe(Tick::new(n), &counts, |c| c == country("FR"), STEP_CAP);
            if learn && Tick::new(n).closes_period(40) {
                foreign.home.learn(1.0);
                foreign.abroad.learn(1.0);
                foreign.learn(1.0);
            }
        }
    }

    #[test]
    fn a_surge_from_one_country_is_evidence_and_named() {
        let mut foreign = Foreign::default();
        run(&mut foreign, 0, 800, 50, 1, 1, true);
        run(&mut foreign, 800, 16, 50, 30, 1, false);
        assert!(foreign.share.decades() > 9.0, "{}", foreign.share.decades());
        let surges = foreign.countries();
        assert_eq!(surges[0].country, country("NL"));
        assert!(surges[0].decades > 10.0, "{surges:?}");
        assert!(surges[1].decades < 1.0, "{surges:?}");
        assert!(foreign.rise_seconds().unwrap() <= 2.0);
    }

    #[test]
    fn a_crowd_that_grows_everywhere_is_none() {
        let mut foreign = Foreign::default();
        run(&mut foreign, 0, 800, 50, 2, 2, true);
        run(&mut foreign, 800, 80, 500, 20, 20, false);
        assert!((foreign.home_growth() - 10.0).abs() < 0.2);
        assert!(foreign.share.decades() < 1.0, "{}", foreign.share.decades());
        assert!(foreign.countries().iter().all(|surge| surge.decades < 1.0), "{:?}", foreign.countries());
    }

    #[test]
    fn fewer_from_home_is_no_surge_from_abroad() {
        let mut foreign = Foreign::default();
        run(&mut foreign, 0, 800, 50, 3, 3, true);
        run(&mut foreign, 800, 80, 5, 3, 3, false);
        assert!(foreign.abroad.sum() - foreign.expected_abroad().unwrap() < 30.0);
    }

    #[test]
    fn unknown_space_is_never_foreign() {
        let mut foreign = Foreign::default();
        foreign.observe(Tick::new(1), &[(Country::UNKNOWN, 1_000)], |_| false, STEP_CAP);
        assert_eq!(foreign.abroad.sum(), 0.0);
    }
}
