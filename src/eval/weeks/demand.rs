//! How many connect: a level, the day, noise that remembers, bursts and rushes, all as factors (DETECTION 8.1).

use crate::eval::matching::Phase;
use crate::eval::random::Random;
use crate::time::{TICKS_PER_SECOND, Tick};

/// A stretch in which more come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surge {
    /// Seconds since the epoch.
    start: f64,
    /// Seconds to its height, and of staying there; it ebbs as it came.
    ramp: f64,
    stay: f64,
    /// Times the ordinary rate.
    factor: f64,
}

impl Surge {
    /// Returns the factor at a time: 1 outside.
    pub(super) fn at(&self, second: f64) -> f64 {
        let since = second - self.start;
        let after = since - self.ramp - self.stay;
        let height = if since < 0.0 || after > self.ramp {
            0.0
        } else if since < self.ramp {
            since / self.ramp
        } else {
            (1.0 - after.max(0.0) / self.ramp).min(1.0)
        };
        1.0 + (self.factor - 1.0) * height
    }
}

/// The demand of one target.
#[derive(Debug)]
pub(super) struct Demand {
    /// Connections a second at noon.
    base: f64,
    /// Spread and memory of the logarithm of the rate.
    spread: f64,
    kept: f64,
    noise: f64,
    /// How the morning rises, and what is left of it at night.
    night: f64,
    surges: Vec<Surge>,
    bursts: Vec<Surge>,
}

/// A moment's demand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// Connections a second.
    pub(super) rate: f64,
    /// How much of it is a rush: times the ordinary.
    pub(super) growth: f64,
}

impl Demand {
    pub(super) fn draw(during: Phase, start: u64, seconds: u64, random: &mut Random) -> Self {
        let memory = random.scale(1.0, 60.0) * TICKS_PER_SECOND as f64;
        let (from, length) = (start as f64, seconds as f64);
        let mut demand = Self {
            base: random.scale(2.0, 100.0),
            spread: random.between(0.03, 0.25),
            kept: (-1.0 / memory).exp(),
            noise: 0.0,
            night: random.between(0.05, 0.4),
            surges: Vec::new(),
            bursts: bursts(10.0, (1.3, 4.0), start, seconds, random),
        };
        if during != Phase::Ordinary {
            // The level is learned first, as on a site that runs.
            demand.surges.push(Surge {
                start: from + random.between(0.2, 0.6) * length,
                ramp: random.scale(5.0, 1_200.0),
                stay: random.scale(60.0, 1_800.0),
                factor: random.scale(2.0, 50.0),
            });
            demand.base = demand.base.min(20.0);
        }
        demand
    }

    /// Returns the demand of a target that is so many times as large.
    pub(super) fn times(self, factor: f64) -> Self {
        Self { base: self.base * factor, ..self }
    }

    /// Returns connections a second at noon.
    pub(super) const fn base(&self) -> f64 {
        self.base
    }

    /// Moves on by a tick.
    pub(super) fn at(&mut self, tick: Tick, random: &mut Random) -> Moment {
        let second = tick.number() as f64 / TICKS_PER_SECOND as f64;
        self.noise = self.kept * self.noise + (1.0 - self.kept * self.kept).sqrt() * self.spread * random.normal();
        let growth = self.surges.iter().map(|surge| surge.at(second)).product::<f64>();
        let bursts = self.bursts.iter().map(|surge| surge.at(second)).product::<f64>();
        Moment { rate: self.base * self.of_the_day(second) * self.noise.exp() * growth * bursts, growth }
    }

    /// Returns the share of the day's height: nights, a steep morning at eight, a dip at noon, quiet week-ends.
    fn of_the_day(&self, second: f64) -> f64 {
        let hour = second / 3_600.0 % 24.0;
        let day = (second / 86_400.0 + 3.0).floor() % 7.0;
        let rise = |at: f64, width: f64| 1.0 / (1.0 + (-(hour - at) / width).exp());
        let shape = self.night + (1.0 - self.night) * rise(8.0, 0.12) * (1.0 - rise(19.0, 0.8));
        let dip = 1.0 - 0.3 * (-(hour - 12.5).powi(2) / 0.5).exp();
        let weekend = if day >= 5.0 { 0.3 } else { 1.0 };
        shape * dip * weekend
    }
}

/// Draws bursts, `most` a day at most, of which a slice of hours has its share; each is `factor` times the ordinary.
pub(super) fn bursts(most: f64, factor: (f64, f64), start: u64, seconds: u64, random: &mut Random) -> Vec<Surge> {
    let days = seconds as f64 / 86_400.0;
    let count = (random.between(0.0, most) * days + random.uniform()).floor();
    let mut bursts = Vec::new();
    while (bursts.len() as f64) < count {
        bursts.push(Surge {
            start: start as f64 + random.uniform() * seconds as f64,
            ramp: random.scale(1.0, 30.0),
            stay: random.scale(5.0, 120.0),
            factor: random.scale(factor.0, factor.1),
        });
    }
    bursts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_surge_rises_stays_and_ebbs() {
        let surge = Surge { start: 100.0, ramp: 10.0, stay: 20.0, factor: 5.0 };
        let factors: Vec<f64> = [99.0, 105.0, 110.0, 130.0, 135.0, 141.0].iter().map(|at| surge.at(*at)).collect();
        assert_eq!(factors, [1.0, 3.0, 5.0, 5.0, 3.0, 1.0]);
    }

    #[test]
    fn mornings_rise_and_sundays_rest() {
        let demand = Demand::draw(Phase::Ordinary, 0, 3_600, &mut Random::new(1, 2));
        // 1970-01-01 was a Thursday.
        let (thursday, sunday) = (0.0, 3.0 * 86_400.0);
        let at = |day: f64, hour: f64| demand.of_the_day(day + hour * 3_600.0);
        assert!(at(thursday, 10.0) > 2.0 * at(thursday, 4.0));
        assert!(at(sunday, 10.0) < 0.4 * at(thursday, 10.0));
    }
}
