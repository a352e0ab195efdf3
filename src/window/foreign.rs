//! Verified connections of one subject by country: what came, what is usual, and what home growth explains.

mod countries;
mod memory;

pub use memory::ForeignMemory;

use crate::country::Country;
use crate::time::Tick;
use crate::window::foreign::countries::{Countries, CountryWindow};
use crate::window::negative_binomial;
use crate::window::rate::Rate;
use crate::window::rise::{Onset, Rise};
use crate::window::series::ShareSeries;
use crate::window::shift::Shift;
use crate::window::sources::Arrivals;

/// Countries with a place of their own; the others count in the aggregates only.
const MOST_COUNTRIES: usize = 64;
/// The same of a subject with [`BUSY`] connections in ten seconds: all there are (DETECTION 1.1).
const ALL_COUNTRIES: usize = 250;
const BUSY: f64 = 1_000.0;

/// Shape of counts of a country about which little is known: variance mu + mu^2/30 (a starting value, DETECTION 1.3).
const CLASS_SHAPE: f64 = 30.0;
const CLASS_STRENGTH: f64 = 50.0;

/// Countries abroad that usually send most visitors: the others are far.
const LEADING: usize = 8;

/// Smallest spread of a country's part (DETECTION 3.2).
const LEAST_TAU: f64 = 0.15;

/// Spread of the power with which countries grow beside home in a rush (a starting value).
const ELASTICITY_SPREAD: f64 = 0.25;

/// The countries of one subject.
#[derive(Clone, Debug, Default)]
pub struct Foreign {
    /// Verified connections from home.
    pub home: Rate,
    /// Verified connections from abroad, and their share among both.
    pub abroad: Shift,
    /// The same of sources that come after half a minute or more: one visit is several connections, which come and go
    /// together, so that visits vary less and show a small surge sooner.
    pub visits: Shift,
    /// The same of connections from countries that are neither near nor usual: where few come from, few more show.
    pub far: Shift,
    /// Share of sources never served before among visits from abroad (FOR-4).
    pub strangers: ShareSeries,
    /// Connections in the last ten seconds from home that are held to be robots.
    pub home_robots: f64,
    near: Vec<Country>,
    leading: Vec<Country>,
    countries: Countries,
    /// Ten-second samples learned from.
    samples: u32,
    /// How connections from home and from abroad rose.
    rise_home: Rise,
    rise_abroad: Rise,
    /// The least part that was really counted in the last ten seconds, and when.
    counted: Option<(f64, Tick)>,
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
    /// Takes one tick's verified connections by country (weighted, in the order of countries), of which a fraction `raw` was
    /// really counted. `is_home` tells domestic countries; unknown space is neither.
    pub fn observe(
        &mut self,
        tick: Tick,
        verified_from: &[(Country, u32)],
        raw: f64,
        is_home: impl Fn(Country) -> bool,
        cap: f64,
    ) {
        let (mut home, mut abroad, mut far) = (0_u64, 0_u64, 0_u64);
        for (country, count) in verified_from.iter().filter(|(country, _)| country.is_known()) {
            let is_home = is_home(*country);
            *(if is_home { &mut home } else { &mut abroad }) += u64::from(*count);
            let is_far = !is_home && !self.near.contains(country) && !self.leading.contains(country);
            far += if is_far { u64::from(*count) } else { 0 };
            self.place(*country, is_home);
        }
        self.countries.count(verified_from);
        self.count_part(tick, raw);
        self.home.count(home);
        // Robots at home must not make those from abroad look fewer.
        let people = home as f64 * (1.0 - self.home_robots / self.home.sum().max(1.0)).clamp(0.0, 1.0);
        let all = people + abroad as f64;
        self.abroad.observe(tick, abroad as f64, all, raw, cap);
        self.far.observe(tick, far as f64, all, raw, cap);
        self.rise_home.observe(tick, home);
        self.rise_abroad.observe(tick, abroad);
    }

    /// Takes the sources that came in one tick, from abroad and from home.
    pub fn observe_arrivals(&mut self, tick: Tick, abroad: Arrivals, home: Arrivals, cap: f64) {
        let (all, seen) = (abroad.all + home.all, abroad.seen + home.seen);
        let raw = if all > 0.0 { seen / all } else { 1.0 };
        self.visits.observe(tick, abroad.all, all, raw, cap);
        let raw = if abroad.all > 0.0 { abroad.seen / abroad.all } else { 1.0 };
        let envelope = self.strangers.level().is_armed().then(|| self.strangers.level().envelope(0.1));
        self.strangers.observe(tick, abroad.new, abroad.all, raw, envelope, cap);
    }

    fn count_part(&mut self, tick: Tick, raw: f64) {
        let stays = |(least, at): &(f64, Tick)| *least < raw && tick.since(*at) < crate::window::series::WINDOW as u64;
        self.counted = Some(self.counted.filter(stays).unwrap_or((raw, tick)));
    }

    /// Sets the countries that are near, as configured.
    pub fn set_near(&mut self, near: &[Country]) {
        self.near = near.to_vec();
    }

    fn place(&mut self, country: Country, is_home: bool) {
        if let Some(window) = self.countries.get_mut(country) {
            window.is_home = is_home;
            return;
        }
        let most = if self.home.sum() + self.abroad.rate.sum() >= BUSY { ALL_COUNTRIES } else { MOST_COUNTRIES };
        if self.countries.len() >= most {
            self.countries.give_up_the_idlest();
        }
        if self.countries.len() < most {
            // A country never seen has a history of zeros, as long as that of the others.
            self.countries.insert(country, CountryWindow::silent(is_home, self.samples.min(40)));
        }
    }

    /// Learns shares and countries from the last ten seconds, with a weight of 0 to 1; home and abroad, which keep weekly
    /// profiles, are taught with the subject's other rates.
    pub fn learn(&mut self, weight: f64) {
        self.abroad.share.learn(weight);
        self.visits.learn(weight);
        self.far.learn(weight);
        self.strangers.learn(weight);
        self.samples += u32::from(weight > 0.0);
        self.countries.learn(weight);
        // Chosen once, when levels are first known: a share whose parts change is no share of anything.
        if self.leading.is_empty() && self.abroad.rate.usual().is_some() {
            let abroad = self.countries.iter().filter(|(_, window)| !window.is_home);
            let mut abroad: Vec<(f64, Country)> =
                abroad.map(|(country, window)| (window.usual().unwrap_or(0.0), country)).collect();
            abroad.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            self.leading = abroad.iter().take(LEADING).map(|(_, country)| *country).collect();
            self.far = Shift::default();
        }
    }

    /// Returns by how much home has grown over its usual level in the last ten seconds, at least 1; what is held to be
    /// robots at home explains nothing.
    #[must_use]
    pub fn home_growth(&self) -> f64 {
        let people = self.home.per_second() - self.home_robots / 10.0;
        self.home.usual().map_or(1.0, |usual| (people / usual.max(0.05)).max(1.0))
    }

    /// Returns what home growth explains of the ten seconds' connections from abroad; `None` before 180 s.
    #[must_use]
    pub fn expected_abroad(&self) -> Option<f64> {
        self.abroad.rate.usual().map(|usual| usual * 10.0 * self.home_growth())
    }

    /// Returns every country's surge over the last ten seconds, the largest excess first (FOR-1: the tail of a negative
    /// binomial of the expected mean, its shape halved for safety).
    #[must_use]
    pub fn countries(&self) -> Vec<CountrySurge> {
        let growth = self.home_growth();
        let abroad = self.countries.iter().filter(|(_, window)| !window.is_home);
        let mut surges: Vec<CountrySurge> =
            abroad.map(|(country, window)| self.surge(country, window, growth)).collect();
        surges.sort_by(|a, b| {
            (b.observed - b.expected).total_cmp(&(a.observed - a.expected)).then(a.country.cmp(&b.country))
        });
        surges
    }

    /// Returns the largest evidence of those countries that exceed what is expected of them by `least` connections and to
    /// `times` as many; `least` is not negative. Hardly any does, and only of such a tail is computed.
    #[must_use]
    pub fn loudest_country(&self, least: f64, times: f64) -> f64 {
        let growth = self.home_growth();
        let exceeds = |(_, window): &(Country, &CountryWindow)| {
            if window.is_home || window.most() < least {
                return false;
            }
            let observed = self.countries.sum(window);
            if observed < least {
                return false;
            }
            let expected = self.expected_of(window, growth);
            observed - expected >= least && observed >= times * expected.max(1.0)
        };
        let loud = self.countries.iter().filter(exceeds);
        loud.map(|(country, window)| self.surge(country, window, growth).decades).fold(0.0, f64::max)
    }

    /// Returns the usual connections of a country in ten seconds; `None` before its own level and that of all are known.
    fn usual_of(&self, window: &CountryWindow) -> Option<f64> {
        window.usual().filter(|_| self.abroad.rate.usual().is_some()).map(|usual| usual * 10.0)
    }

    /// Returns what is expected of a country. Until its own level is known, what it sends is held to be usual.
    fn expected_of(&self, window: &CountryWindow, growth: f64) -> f64 {
        self.usual_of(window).map_or_else(|| self.countries.sum(window), |usual| usual * growth)
    }

    fn surge(&self, country: Country, window: &CountryWindow, growth: f64) -> CountrySurge {
        let (observed, expected) = (self.countries.sum(window), self.expected_of(window, growth));
        let Some(usual) = self.usual_of(window) else {
            return CountrySurge { country, observed, expected, decades: 0.0 };
        };
        let raw = self.counted.map_or(1.0, |(raw, _)| raw);
        let variance = window.growth_variance(usual, growth);
        let shape = 1.0 / (2.0 / window.shape(usual) + variance);
        let tail = negative_binomial::evidence(observed * raw, (expected * raw).max(1.0), shape);
        let tau = window.sigma().max(LEAST_TAU).hypot(variance.sqrt());
        let decades = tail.max(share_shift(observed, expected, self.home.sum(), tau));
        CountrySurge { country, observed, expected, decades }
    }

    /// Returns the connections of the last ten seconds by country, home included, the largest number first.
    #[must_use]
    pub fn origins(&self) -> Vec<(Country, f64)> {
        let counts = self.countries.iter().map(|(country, window)| (country, self.countries.sum(window)));
        let mut counts: Vec<(Country, f64)> = counts.filter(|(_, count)| *count > 0.0).collect();
        counts.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        counts
    }

    /// Returns what countries at home, abroad or both send beyond their own usual numbers, in ten seconds, the largest
    /// first.
    #[must_use]
    pub fn excess_by_country(&self, home: bool, abroad: bool) -> Vec<(Country, f64)> {
        let beyond = |window: &CountryWindow| self.countries.sum(window) - window.usual().unwrap_or(0.0) * 10.0;
        let chosen = self.countries.iter().filter(|(_, window)| if window.is_home { home } else { abroad });
        let excess = chosen.map(|(country, window)| (country, beyond(window)));
        let mut excess: Vec<(Country, f64)> = excess.filter(|(_, count)| *count > 0.0).collect();
        excess.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        excess
    }

    /// Returns how what home growth does not explain rose.
    #[must_use]
    pub fn onset_abroad(&self) -> Option<Onset> {
        self.rise_abroad.onset(self.expected_abroad()? / 10.0)
    }

    /// Returns how what is unusual from home rose.
    #[must_use]
    pub fn onset_home(&self) -> Option<Onset> {
        self.rise_home.onset(self.home.usual()?)
    }

    /// Forgets what home was taken to be: what each country usually sends does not depend on it.
    pub fn forget_home(&mut self) {
        let (countries, near) = (std::mem::take(&mut self.countries), std::mem::take(&mut self.near));
        *self = Self { countries, near, samples: self.samples, ..Self::default() };
    }

    /// Restarts windows and tests after a gap; levels stay.
    pub fn restart(&mut self, tick: Tick) {
        self.home.restart();
        self.abroad.restart(tick);
        self.visits.restart(tick);
        self.far.restart(tick);
        self.strangers.restart(tick);
        self.home_robots = 0.0;
        self.countries.restart();
        self.rise_home.clear();
        self.rise_abroad.clear();
    }
}

/// FOR-3: evidence in decades that a share has shifted, from z = D / sqrt(1/(e + .5) + 1/(home + .5) + tau^2) with
/// D = ln((x + .5)/(e + .5)) and tau the spread of D (DETECTION 3.2). Below six spreads it says nothing.
fn share_shift(observed: f64, expected: f64, home: f64, tau: f64) -> f64 {
    let distance = ((observed + 0.5) / (expected + 0.5)).ln();
    let z = distance / (1.0 / (expected + 0.5) + 1.0 / (home + 0.5) + tau * tau).sqrt();
    // The tail of a normal variable beyond z is at most exp(-z^2 / 2).
    if z >= 6.0 { z * z / 2.0 / std::f64::consts::LN_10 } else { 0.0 }
}

impl CountryWindow {
    /// Returns the relative variance of what home growth explains, beyond that of counting: no country grows exactly as
    /// home does (by `growth` to the power of 1 give or take [`ELASTICITY_SPREAD`]), and its usual number, learned from
    /// few, is only about right.
    fn growth_variance(&self, usual: f64, growth: f64) -> f64 {
        (ELASTICITY_SPREAD * growth.max(1.0).ln()).powi(2) + 1.0 / (usual * self.samples).max(1.0)
    }

    /// Returns the shape of the country's counts: moments of its own samples (the spread of the logarithm beyond that of
    /// counting), shrunk to the class.
    fn shape(&self, mean: f64) -> f64 {
        let sigma = self.sigma();
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
            let counts = [(country("DE"), de), (country("FR"), home), (country("NL"), nl)];
            foreign.observe(Tick::new(n), &counts, 1.0, |c| c == country("FR"), STEP_CAP);
            if learn && Tick::new(n).closes_period(40) {
                foreign.home.learn(1.0);
                foreign.abroad.rate.learn(1.0);
                foreign.learn(1.0);
            }
        }
    }

    #[test]
    fn a_surge_from_one_country_is_evidence_and_named() {
        let mut foreign = Foreign::default();
        run(&mut foreign, 0, 800, 50, 1, 1, true);
        run(&mut foreign, 800, 16, 50, 30, 1, false);
        assert!(foreign.abroad.share.decades() > 9.0, "{}", foreign.abroad.share.decades());
        let surges = foreign.countries();
        assert_eq!(surges[0].country, country("NL"));
        assert!(surges[0].decades > 10.0, "{surges:?}");
        assert!(surges[1].decades < 1.0, "{surges:?}");
        assert!(foreign.onset_abroad().unwrap().rise_seconds <= 2.0);
    }

    #[test]
    fn a_crowd_that_grows_everywhere_is_none() {
        let mut foreign = Foreign::default();
        run(&mut foreign, 0, 800, 50, 2, 2, true);
        run(&mut foreign, 800, 80, 500, 20, 20, false);
        assert!((foreign.home_growth() - 10.0).abs() < 0.2);
        assert!(foreign.abroad.share.decades() < 1.0, "{}", foreign.abroad.share.decades());
        assert!(foreign.countries().iter().all(|surge| surge.decades < 1.0), "{:?}", foreign.countries());
    }

    #[test]
    fn fewer_from_home_is_no_surge_from_abroad() {
        let mut foreign = Foreign::default();
        run(&mut foreign, 0, 800, 50, 3, 3, true);
        run(&mut foreign, 800, 80, 5, 3, 3, false);
        assert!(foreign.abroad.rate.sum() - foreign.expected_abroad().unwrap() < 30.0);
    }

    #[test]
    fn six_spreads_are_a_shift_and_five_are_not() {
        let spread = (1.0 / 100.5 + 1.0 / 1_000.5 + 0.0225_f64).sqrt();
        let at = |z: f64| 100.5 * (z * spread).exp() - 0.5;
        assert_eq!(share_shift(at(5.9), 100.0, 1_000.0, LEAST_TAU), 0.0);
        assert!(
            (share_shift(at(6.1), 100.0, 1_000.0, LEAST_TAU) - 6.1 * 6.1 / 2.0 / std::f64::consts::LN_10).abs() < 1e-9
        );
        assert_eq!(share_shift(at(6.1), 100.0, 1_000.0, 0.5), 0.0, "a country that varies by itself");
    }

    #[test]
    fn robots_at_home_do_not_excuse_those_from_abroad() {
        let mut foreign = Foreign::default();
        run(&mut foreign, 0, 800, 50, 3, 3, true);
        run(&mut foreign, 800, 40, 250, 10, 3, false);
        assert!(foreign.home_growth() > 4.9);
        foreign.home_robots = 200.0 * 40.0;
        assert!(foreign.home_growth() < 1.1, "{}", foreign.home_growth());
    }

    #[test]
    fn few_visits_more_from_far_away_show_where_all_abroad_does_not() {
        let mut foreign = Foreign::default();
        let step = |foreign: &mut Foreign, n: u64, far: u32| {
            let mut counts = vec![(country("FR"), 100)];
            counts.extend(["BE", "DE", "ES", "IT", "CH", "PT", "GB", "US"].map(|code| (country(code), 2)));
            counts.extend((far > 0).then(|| (country("VN"), far)));
            counts.sort_unstable();
            foreign.observe(Tick::new(n), &counts, 1.0, |c| c == country("FR"), STEP_CAP);
        };
        for n in 0..1_600 {
            step(&mut foreign, n, 0);
            if Tick::new(n).closes_period(40) {
                foreign.home.learn(1.0);
                foreign.abroad.rate.learn(1.0);
                foreign.learn(1.0);
            }
        }
        (1_600..1_640).for_each(|n| step(&mut foreign, n, 8));
        assert!(foreign.far.share.decades() > 9.3, "{}", foreign.far.share.decades());
        assert!(foreign.abroad.share.decades() < foreign.far.share.decades());
    }

    #[test]
    fn the_loudest_country_is_the_loudest_of_those_that_grew() {
        let mut foreign = Foreign::default();
        run(&mut foreign, 0, 40 * 40, 20, 2, 3, true);
        for (round, (home, nl, de)) in
            [(20, 2, 3), (20, 9, 3), (20, 9, 30), (60, 6, 30), (20, 0, 0)].into_iter().enumerate()
        {
            run(&mut foreign, 1_600 + 40 * round as u64, 40, home, nl, de, false);
            for (least, times) in [(0.0, 0.0), (30.0, 2.0), (300.0, 2.0), (30.0, 5.0)] {
                let grew =
                    |s: &&CountrySurge| s.observed - s.expected >= least && s.observed >= times * s.expected.max(1.0);
                let loudest = foreign.countries().iter().filter(grew).map(|s| s.decades).fold(0.0, f64::max);
                assert_eq!(foreign.loudest_country(least, times), loudest);
            }
        }
    }

    #[test]
    fn unknown_space_is_never_foreign() {
        let mut foreign = Foreign::default();
        foreign.observe(Tick::new(1), &[(Country::UNKNOWN, 1_000)], 1.0, |_| false, STEP_CAP);
        assert_eq!(foreign.abroad.rate.sum(), 0.0);
    }

    #[test]
    fn what_countries_usually_send_is_known_when_home_is_decided() {
        let mut foreign = Foreign::default();
        for n in 0..760 {
            let counts = [(country("FR"), 20), (country("NL"), 1)];
            foreign.observe(Tick::new(n), &counts, 1.0, |_| false, STEP_CAP);
            if Tick::new(n).closes_period(40) {
                foreign.learn(1.0);
            }
        }
        foreign.forget_home();
        run(&mut foreign, 760, 40, 20, 30, 0, false);
        let excess = foreign.excess_by_country(true, true);
        assert_eq!(excess[0].0, country("NL"));
        assert!(excess.iter().all(|(of, count)| *of == country("NL") || *count < 50.0), "{excess:?}");
        assert_eq!(foreign.home.usual(), None);
    }
}
