//! Connection attempts at addresses of a site that have never sent anything.
//!
//! Nobody is served there, so no crowd and no overload makes them. What is usual is the noise of the network: worms and
//! scanners try every address now and then (Pang et al. 2004, "Characteristics of Internet background radiation").

use crate::time::Tick;
use crate::window::cusum::STEP_CAP_CORROBORATED;
use crate::window::ring::Ring;
use crate::window::series::RateSeries;

/// SYNs a second above what is usual below which nothing is evidence.
const FLOOR: f64 = 50.0;

/// Ticks over which addresses are counted: a second.
const SECOND: usize = 4;

/// The attempts of one site.
#[derive(Clone, Debug, Default)]
pub struct Dark {
    syns: RateSeries,
    addresses: Ring<SECOND>,
}

impl Dark {
    /// Takes one tick: SYNs, and different addresses they went to; a fraction `raw` of the SYNs was really counted.
    pub fn observe(&mut self, tick: Tick, syns: u64, addresses: u64, raw: f64) {
        self.syns.observe(tick, syns, raw, FLOOR, STEP_CAP_CORROBORATED);
        self.addresses.push(addresses);
    }

    /// Learns from the last ten seconds with a weight of 0 to 1.
    pub fn learn(&mut self, weight: f64) {
        self.syns.learn(weight);
    }

    /// Forgets the windows under way, as after a gap; what is usual stays.
    pub fn restart(&mut self, tick: Tick) {
        self.syns.restart(tick);
        self.addresses.clear();
    }

    /// Returns the attempts, a second.
    #[must_use]
    pub const fn syns(&self) -> &RateSeries {
        &self.syns
    }

    /// Returns what is usual at most, a second, once that is known.
    #[must_use]
    pub fn envelope(&self) -> Option<f64> {
        self.syns.envelope(FLOOR)
    }

    /// Returns the most different addresses of a tick of the last second.
    #[must_use]
    pub fn addresses(&self) -> u64 {
        (0..SECOND.min(self.addresses.filled())).map(|back| self.addresses.back(back)).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(ticks: u64) -> Dark {
        let mut dark = Dark::default();
        for n in 0..ticks {
            dark.observe(Tick::new(n), n % 2, n % 2, 1.0);
            if Tick::new(n).closes_period(40) {
                dark.learn(1.0);
            }
        }
        dark
    }

    #[test]
    fn the_noise_of_the_network_is_no_evidence_and_a_flood_is() {
        let mut dark = noise(800);
        assert_eq!((dark.syns().decades(), dark.addresses()), (0.0, 1));
        (800..808).for_each(|n| dark.observe(Tick::new(n), 60, 55, 1.0));
        assert!(dark.syns().decades() > 10.0, "{}", dark.syns().decades());
        assert_eq!((dark.syns().onset(), dark.addresses()), (Tick::new(800), 55));
    }

    #[test]
    fn nothing_is_evidence_before_the_noise_is_known() {
        let mut dark = noise(80);
        (80..120).for_each(|n| dark.observe(Tick::new(n), 60, 55, 1.0));
        assert_eq!((dark.syns().decades(), dark.envelope()), (0.0, None));
    }
}
