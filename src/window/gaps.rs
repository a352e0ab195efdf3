//! How regular a host's connections to one destination are: pauses and sizes of the last 32.
//!
//! The statistics are RITA's beacon recipe (Active Countermeasures, `rita` 4, `beacon`): Bowley's skew (Bowley 1920) of the
//! quartiles tells symmetry, the median absolute deviation over the median tells spread; each is 1 for a clock. People pause
//! for seconds or for hours, so that their pauses are neither even nor symmetric.
//!
//! Pairs live in a table of fixed size; a pair seen often is kept before one seen once.

use std::collections::VecDeque;

use crate::address::Address;
use crate::hash::{Seed, mix};
use crate::summary::Contact;
use crate::time::{Tick, Timestamp};
use crate::window::table::{Key, Table, Worth};

/// Pairs told apart; some 400 bytes each.
const MOST_PAIRS: usize = 16_384;

/// Pauses and sizes kept of a pair (DETECTION 5).
const KEPT: usize = 32;

/// Pauses within this share of the median are even.
const EVEN: f64 = 0.15;

/// Share of even pauses if connections came at random, at most. An exponential pause lies within 15 % of its median,
/// ln 2 / rate, with probability 2^-.85 - 2^-1.15 = .104; of 32 pauses .133 lie as near to their own median (simulated).
pub const EVEN_AT_RANDOM: f64 = 0.14;

/// Who connects to what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// Who opens the connections.
    pub host: Address,
    /// To whom.
    pub destination: Address,
    /// On which port.
    pub port: u16,
}

impl Key for Pair {
    fn hash(&self, secret: Seed) -> u64 {
        mix(mix(secret.address(self.host), u64::from(self.port)), secret.address(self.destination))
    }
}

/// The connections of one pair.
#[derive(Clone, Debug, Default)]
pub struct Gaps {
    /// Pauses between beginnings, in milliseconds.
    pauses: VecDeque<u32>,
    /// Bytes sent by each.
    sizes: VecDeque<u32>,
    first: Timestamp,
    last: Timestamp,
    connections: u32,
    packets: u64,
    bytes: u64,
    seen: Tick,
}

/// How regular a pair is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Regularity {
    /// Pauses looked at.
    pub pauses: usize,
    /// Mean of the four statistics, 0 to 1.
    pub score: f64,
    /// Median pause in seconds.
    pub interval: f64,
    /// Median distance of a pause from it, in seconds.
    pub deviation: f64,
    /// Share of pauses within 15 % of the median.
    pub even: f64,
    /// Median bytes sent.
    pub bytes: f64,
}

impl Worth for Gaps {
    fn worth(&self) -> u64 {
        u64::from(self.connections.min(64))
    }

    fn last_seen(&self) -> Tick {
        self.seen
    }
}

impl Gaps {
    fn observe(&mut self, now: Tick, contact: &Contact) {
        let began = contact.at.minus(std::time::Duration::from_millis(u64::from(contact.age_ms)));
        self.seen = now;
        self.packets += contact.sent.packets + contact.received.packets;
        self.bytes += contact.sent.bytes + contact.received.bytes;
        if self.connections == 0 {
            (self.first, self.last) = (began, began);
        } else if began < self.last {
            // One that began before another and settled after it would make two false pauses.
            return;
        } else {
            push(&mut self.pauses, began.since(self.last).as_millis());
        }
        push(&mut self.sizes, u128::from(contact.sent.bytes));
        self.last = began;
        self.connections = self.connections.saturating_add(1);
    }

    /// Returns how regular the last connections are; `None` below two pauses.
    #[must_use]
    pub fn regularity(&self) -> Option<Regularity> {
        let (pauses, sizes) = (Quartiles::of(&self.pauses)?, Quartiles::of(&self.sizes)?);
        let near = |pause: &&u32| (f64::from(**pause) - pauses.median).abs() <= EVEN * pauses.median;
        Some(Regularity {
            pauses: self.pauses.len(),
            score: (pauses.symmetry() + pauses.evenness() + sizes.symmetry() + sizes.evenness()) / 4.0,
            interval: pauses.median / 1_000.0,
            deviation: pauses.deviation / 1_000.0,
            even: self.pauses.iter().filter(near).count() as f64 / self.pauses.len() as f64,
            bytes: sizes.median,
        })
    }

    /// Returns the beginnings of the first and the last connection.
    #[must_use]
    pub const fn span(&self) -> (Timestamp, Timestamp) {
        (self.first, self.last)
    }

    /// Returns how many connections there were.
    #[must_use]
    pub const fn connections(&self) -> u32 {
        self.connections
    }

    /// Returns packets and bytes of all connections, both ways.
    #[must_use]
    pub const fn volume(&self) -> (u64, u64) {
        (self.packets, self.bytes)
    }
}

fn push(values: &mut VecDeque<u32>, value: u128) {
    if values.len() == KEPT {
        values.pop_front();
    }
    values.push_back(u32::try_from(value).unwrap_or(u32::MAX));
}

/// Quartiles of a sample, and the median distance from the median.
#[derive(Clone, Copy, Debug)]
struct Quartiles {
    low: f64,
    median: f64,
    high: f64,
    deviation: f64,
}

impl Quartiles {
    fn of(values: &VecDeque<u32>) -> Option<Self> {
        if values.len() < 2 {
            return None;
        }
        let mut sorted: Vec<f64> = values.iter().map(|value| f64::from(*value)).collect();
        sorted.sort_by(f64::total_cmp);
        let median = quantile(&sorted, 0.5);
        let (low, high) = (quantile(&sorted, 0.25), quantile(&sorted, 0.75));
        let mut distances: Vec<f64> = sorted.iter().map(|value| (value - median).abs()).collect();
        distances.sort_by(f64::total_cmp);
        Some(Self { low, median, high, deviation: quantile(&distances, 0.5) })
    }

    /// 1 - |Bowley's skew|, (Q1 + Q3 - 2 Q2) / (Q3 - Q1); 1 where the quartiles are one value.
    fn symmetry(&self) -> f64 {
        let width = self.high - self.low;
        if width <= 0.0 { 1.0 } else { 1.0 - ((self.low + self.high - 2.0 * self.median) / width).abs() }
    }

    /// 1 - median absolute deviation / median, at least 0.
    fn evenness(&self) -> f64 {
        if self.median <= 0.0 { 0.0 } else { (1.0 - self.deviation / self.median).max(0.0) }
    }
}

/// Linear between order statistics (Hyndman & Fan 1996, type 7).
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let place = q * (sorted.len() - 1) as f64;
    let below = floor(place).min(sorted.len() - 1);
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 32, never negative")]
fn floor(value: f64) -> usize {
    value.floor() as usize
}

/// The table.
#[derive(Debug)]
pub struct Pairs {
    seed: Seed,
    table: Table<Pair, Gaps>,
}

impl Pairs {
    /// Builds an empty table keyed by `seed`.
    #[must_use]
    pub fn new(seed: Seed) -> Self {
        Self { seed, table: Table::new(seed, MOST_PAIRS) }
    }

    /// Takes a settled conversation; returns its pair.
    pub fn observe(&mut self, now: Tick, contact: &Contact) -> Pair {
        let pair = Pair { host: contact.originator, destination: contact.responder, port: contact.port };
        self.table.entry(pair, Gaps::default).observe(now, contact);
        pair
    }

    /// Returns what is known of a pair.
    #[must_use]
    pub fn get(&self, pair: &Pair) -> Option<&Gaps> {
        self.table.get(pair)
    }

    /// Counts the hosts that connect to a service at least `often`: what many ask is a common service.
    #[must_use]
    pub fn askers(&self, destination: Address, port: u16, often: u32) -> usize {
        let asks = |pair: &Pair, gaps: &Gaps| {
            pair.destination == destination && pair.port == port && gaps.connections >= often
        };
        self.table.iter().filter(|(pair, gaps)| asks(pair, gaps)).count()
    }

    /// Forgets everything, as after a gap.
    pub fn clear(&mut self) {
        *self = Self::new(self.seed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quartiles(values: &[u32]) -> Quartiles {
        Quartiles::of(&values.iter().copied().collect()).unwrap()
    }

    #[test]
    fn the_skew_is_that_of_the_closed_form() {
        // Quartiles 2, 3, 4: symmetric.
        assert!((quartiles(&[1, 2, 3, 4, 5]).symmetry() - 1.0).abs() < 1e-12);
        // 1, 2, 4, 8, 16: quartiles 2, 4, 8, skew (2 + 8 - 8) / 6 = 1/3.
        assert!((quartiles(&[1, 2, 4, 8, 16]).symmetry() - 2.0 / 3.0).abs() < 1e-12);
        // All equal: symmetric, not undefined.
        assert!((quartiles(&[7, 7, 7]).symmetry() - 1.0).abs() < 1e-12);
        // Q2 = Q1: skew 1.
        assert!(quartiles(&[1, 1, 1, 5, 9]).symmetry() < 1e-12);
    }

    #[test]
    fn the_evenness_is_that_of_the_closed_form() {
        // Median 4, distances 3, 2, 0, 4, 12: their median is 3.
        assert!((quartiles(&[1, 2, 4, 8, 16]).evenness() - 0.25).abs() < 1e-12);
        assert!((quartiles(&[60, 60, 60]).evenness() - 1.0).abs() < 1e-12);
        assert_eq!(quartiles(&[0, 0, 0]).evenness(), 0.0);
    }

    #[test]
    fn quantiles_are_linear_between_order_statistics() {
        let sorted = [10.0, 20.0, 30.0, 40.0];
        assert!((quantile(&sorted, 0.25) - 17.5).abs() < 1e-12);
        assert!((quantile(&sorted, 0.5) - 25.0).abs() < 1e-12);
        assert!((quantile(&sorted, 1.0) - 40.0).abs() < 1e-12);
    }

    #[test]
    fn random_pauses_are_seldom_even() {
        let mut state = 1_u64;
        let (mut even, runs) = (0.0, 2_000);
        for _ in 0..runs {
            let mut gaps = Gaps::default();
            for _ in 0..KEPT {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let uniform = ((state >> 11) as f64 / (1_u64 << 53) as f64).max(1e-12);
                push(&mut gaps.pauses, u128::from(crate::window::whole(-uniform.ln() * 60_000.0)));
                push(&mut gaps.sizes, 500);
            }
            even += gaps.regularity().unwrap().even;
        }
        let even = even / f64::from(runs);
        assert!((0.104..EVEN_AT_RANDOM).contains(&even), "{even}");
    }
}
