//! The countries of a subject, each with its window.
//!
//! Most are silent in most ticks, and some hundred hosts with some dozen countries each are more memory than a cache holds.
//! So a silent tick touches no window: one is rolled when its country comes again, or when it is learned from.

use crate::country::Country;
use crate::window::level::Level;
use crate::window::rate::Rate;

/// Windows by country, in the order of countries.
#[derive(Clone, Debug, Default)]
pub(super) struct Countries {
    /// Beside each other, since they are searched.
    names: Vec<Country>,
    windows: Vec<CountryWindow>,
    /// Ticks that have passed.
    ticks: u64,
}

/// What came from one country.
#[derive(Clone, Debug, Default)]
pub(super) struct CountryWindow {
    rate: Rate,
    /// Ticks it was rolled for; those since were silent.
    rolled: u64,
    pub(super) samples: f64,
    pub(super) is_home: bool,
}

impl CountryWindow {
    pub(super) fn with_level(level: Level, samples: f64) -> Self {
        let mut window = Self { samples, ..Self::default() };
        window.rate.set_level(level);
        window
    }

    /// A window that has learned so many samples of silence.
    pub(super) fn silent(is_home: bool, samples: u32) -> Self {
        let mut window = Self { is_home, samples: f64::from(samples), ..Self::default() };
        (0..samples).for_each(|_| window.rate.learn_rate(0.0));
        window
    }

    /// Returns what came in the last ten seconds at most: what has left them since is still in it.
    pub(super) fn most(&self) -> f64 {
        self.rate.sum()
    }

    pub(super) fn usual(&self) -> Option<f64> {
        self.rate.usual()
    }

    pub(super) fn sigma(&self) -> f64 {
        self.rate.sigma()
    }

    pub(super) fn level(&self) -> &Level {
        self.rate.level()
    }

    fn roll(&mut self, ticks: u64) {
        self.rate.skip(ticks - self.rolled);
        self.rolled = ticks;
    }
}

impl Countries {
    /// Takes one tick's counts.
    pub(super) fn count(&mut self, counts: &[(Country, u32)]) {
        for (country, count) in counts {
            let ticks = self.ticks;
            if let Some(window) = self.get_mut(*country) {
                window.roll(ticks);
                window.rate.count(u64::from(*count));
                window.rolled += 1;
            }
        }
        self.ticks += 1;
    }

    /// Returns what came from a country in the last ten seconds.
    pub(super) fn sum(&self, window: &CountryWindow) -> f64 {
        window.rate.sum_after(self.ticks - window.rolled)
    }

    /// Learns from the last ten seconds, with a weight of 0 to 1.
    pub(super) fn learn(&mut self, weight: f64) {
        for window in &mut self.windows {
            window.roll(self.ticks);
            window.rate.learn(weight);
            window.samples += 1.0;
        }
    }

    /// Restarts the windows after a gap; levels stay.
    pub(super) fn restart(&mut self) {
        for window in &mut self.windows {
            window.rate.restart();
            window.rolled = self.ticks;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Country, &CountryWindow)> {
        self.names.iter().copied().zip(&self.windows)
    }

    pub(super) fn get_mut(&mut self, country: Country) -> Option<&mut CountryWindow> {
        self.names.binary_search(&country).ok().map(|place| &mut self.windows[place])
    }

    /// Gives a country a window, unless it has one; tells whether it did.
    pub(super) fn insert(&mut self, country: Country, window: CountryWindow) -> bool {
        let Err(place) = self.names.binary_search(&country) else { return false };
        self.names.insert(place, country);
        self.windows.insert(place, CountryWindow { rolled: self.ticks, ..window });
        true
    }

    /// Frees the place of the country that is usually least and is silent now, so that a stray visitor does not keep it.
    pub(super) fn give_up_the_idlest(&mut self) {
        let usual = |window: &CountryWindow| window.usual().unwrap_or(0.0);
        let idle = self.windows.iter().enumerate().filter(|(_, window)| self.sum(window) == 0.0);
        let idlest = idle.min_by(|(_, a), (_, b)| usual(a).total_cmp(&usual(b))).map(|(place, _)| place);
        if let Some(place) = idlest {
            self.names.remove(place);
            self.windows.remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_country_is_rolled_late_as_if_it_had_been_rolled_in_every_tick(
            ticks in proptest::collection::vec(proptest::collection::vec(0_u32..9, 3), 0..200),
        ) {
            let (mut late, mut rates) = (Countries::default(), vec![Rate::default(); 3]);
            (0..3).for_each(|n| assert!(late.insert(Country::from_index(n), CountryWindow::default())));
            for (number, counts) in ticks.iter().enumerate() {
                // Many are silent, and of those that are not, most come.
                let came = counts.iter().enumerate().filter(|(_, count)| **count > 5);
                let came: Vec<_> = came.map(|(n, count)| (Country::from_index(n), *count)).collect();
                late.count(&came);
                let counted = counts.iter().map(|count| u64::from(if *count > 5 { *count } else { 0 }));
                rates.iter_mut().zip(counted).for_each(|(rate, count)| rate.count(count));
                if number % 40 == 39 {
                    late.learn(1.0);
                    rates.iter_mut().for_each(|rate| rate.learn(1.0));
                }
                if number == 150 {
                    late.restart();
                    rates.iter_mut().for_each(Rate::restart);
                }
                for ((_, window), rate) in late.iter().zip(&rates) {
                    prop_assert_eq!(late.sum(window), rate.sum());
                    prop_assert_eq!(window.usual(), rate.usual());
                }
            }
            late.learn(1.0);
            rates.iter_mut().for_each(|rate| rate.learn(1.0));
            for ((_, window), rate) in late.iter().zip(&rates) {
                prop_assert_eq!(format!("{:?}", window.level()), format!("{:?}", rate.level()));
            }
        }
    }
}
