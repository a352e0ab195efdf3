//! Verified connections of one subject by autonomous system: who stands out in an excess (FOR-5).
//!
//! A table of 512 systems. When it is full the system that is least active gives up its place, so a count is at most the
//! true one (in the manner of Misra & Gries 1982; Space-Saving, Metwally et al. 2005, was considered, but what a newcomer
//! inherits there would not leave a sliding window).

use std::collections::BTreeMap;

use crate::country::Country;
use crate::time::{TICKS_PER_SECOND, Tick};

/// Systems told apart.
const MOST: usize = 512;

/// Seconds of the window.
const WINDOW: usize = 10;

/// Quiet windows whose mean is what is usual.
const REMEMBERED: f64 = 60.0;

#[derive(Clone, Copy, Debug, Default)]
struct System {
    country: Country,
    seconds: [u32; WINDOW],
    recent: u32,
    usual: f64,
}

/// The systems of one subject.
#[derive(Clone, Debug, Default)]
pub struct Systems {
    by_number: BTreeMap<u32, System>,
    second: usize,
    windows: f64,
}

/// What one system sends beyond what is usual.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SystemSurge {
    /// Its number.
    pub number: u32,
    /// Where the address of its latest source is registered.
    pub country: Country,
    /// Verified connections in ten seconds beyond what is usual.
    pub excess: f64,
}

impl Systems {
    /// Takes a verified connection that stands for `weight`.
    pub fn observe(&mut self, number: u32, country: Country, weight: u32) {
        if self.by_number.len() >= MOST && !self.by_number.contains_key(&number) {
            let activity = |system: &System| f64::from(system.recent) + system.usual;
            let idlest = self.by_number.iter().min_by(|a, b| activity(a.1).total_cmp(&activity(b.1)));
            let idlest = idlest.map(|(number, _)| *number);
            idlest.and_then(|number| self.by_number.remove(&number));
        }
        let system = self.by_number.entry(number).or_default();
        system.country = country;
        system.seconds[self.second] = system.seconds[self.second].saturating_add(weight);
        system.recent = system.recent.saturating_add(weight);
    }

    /// Ends a tick; every ten seconds a `quiet` window is learned.
    pub fn roll(&mut self, tick: Tick, quiet: bool) {
        if !tick.closes_period(TICKS_PER_SECOND) {
            return;
        }
        if tick.closes_period(TICKS_PER_SECOND * WINDOW as u64) && quiet {
            self.windows = (self.windows + 1.0).min(REMEMBERED);
            let part = 1.0 / self.windows;
            self.by_number.values_mut().for_each(|s| s.usual += part * (f64::from(s.recent) - s.usual));
        }
        self.second = (self.second + 1) % WINDOW;
        let second = self.second;
        self.by_number.values_mut().for_each(|s| s.recent -= std::mem::take(&mut s.seconds[second]).min(s.recent));
        self.by_number.retain(|_, system| system.recent > 0 || system.usual >= 0.01);
    }

    /// Returns the systems that send more than `growth` times what is usual, the largest excess first.
    #[must_use]
    pub fn surges(&self, growth: f64) -> Vec<SystemSurge> {
        let surge = |(number, system): (&u32, &System)| SystemSurge {
            number: *number,
            country: system.country,
            excess: f64::from(system.recent) - growth * system.usual,
        };
        let mut surges: Vec<SystemSurge> = self.by_number.iter().map(surge).filter(|s| s.excess > 0.0).collect();
        surges.sort_by(|a, b| b.excess.total_cmp(&a.excess).then(a.number.cmp(&b.number)));
        surges
    }

    /// Forgets the window under way, as after a gap; what is usual stays.
    pub fn restart(&mut self) {
        self.by_number
            .values_mut()
            .for_each(|s| *s = System { usual: s.usual, country: s.country, ..System::default() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(systems: &mut Systems, from: u64, seconds: u64, counts: &[(u32, u32)], quiet: bool) {
        for n in from * 4..(from + seconds) * 4 {
            for (number, count) in counts.iter().filter(|_| n % 4 == 0) {
                systems.observe(*number, Country::UNKNOWN, *count);
            }
            systems.roll(Tick::new(n), quiet);
        }
    }

    #[test]
    fn the_excess_and_not_the_size_leads() {
        let mut systems = Systems::default();
        run(&mut systems, 0, 100, &[(100, 50), (200, 1)], true);
        run(&mut systems, 100, 9, &[(100, 50), (200, 20)], false);
        let surges = systems.surges(1.0);
        assert_eq!(surges[0].number, 200);
        assert!((surges[0].excess - 170.0).abs() < 15.0, "{surges:?}");
        assert!(systems.surges(20.0).iter().all(|surge| surge.excess < 20.0), "a rush explains it");
    }

    #[test]
    fn a_full_table_gives_up_the_idlest() {
        let mut systems = Systems::default();
        (0..2_000).for_each(|number| systems.observe(number, Country::UNKNOWN, if number == 7 { 100 } else { 1 }));
        assert_eq!(systems.by_number.len(), MOST);
        assert_eq!(systems.surges(1.0)[0].number, 7);
    }
}
