//! How alike the connections of a surge are, judged against the subject's own normal (DETECTION 0.2, FC-1).
//!
//! A shape is a connection's bytes in, bytes out and packets in, each in half-octaves. A crowd adds more of the usual
//! mixture; robots add a shape of their own. The mixture of the surge is the window's less the usual one scaled to it.

mod memory;

pub use memory::ShapesMemory;

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::address::Address;
use crate::hash::Seed;
use crate::summary::Contact;
use crate::time::Tick;

/// Connections of the usual mixture at which older ones fade by half.
const FADE_AT: f64 = 20_000.0;

/// Different shapes remembered; more share the last place.
const CELLS: usize = 1_024;

/// Connections of the current window remembered.
const MOST_RECENT: usize = 4_096;

/// Ticks of the current window: ten seconds.
const WINDOW: u64 = 40;

/// Sources of a ten-second window told apart.
const MOST_SOURCES: usize = 2_048;

type Cell = u32;

/// The usual mixture, the current one, and how evenly sources share it.
#[derive(Clone, Debug, Default)]
pub struct Shapes {
    usual: BTreeMap<Cell, f64>,
    usual_total: f64,
    recent: VecDeque<(Tick, Cell)>,
    sources: HashMap<u64, Source>,
    window_start: Tick,
    spreads: VecDeque<f64>,
    last_spread: Option<f64>,
}

/// One source in the current window.
#[derive(Clone, Copy, Debug, Default)]
struct Source {
    address: Address,
    connections: u32,
    packets: u64,
    bytes: u64,
}

/// How the surge compares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Likeness {
    /// Connections of the surge that are judged.
    pub connections: f64,
    /// Share of the surge that has its leading shape, lower 95 % bound.
    pub top_share: f64,
    /// That shape's share of the usual mixture, at least 1 %.
    pub usual_share: f64,
    /// Jensen-Shannon divergence between surge and usual mixture (Lin 1991) beyond chance, 0 to 1.
    pub divergence: f64,
}

impl Shapes {
    /// Takes a settled connection.
    pub fn settle(&mut self, tick: Tick, contact: &Contact) {
        let cell = cell(contact);
        if self.recent.len() == MOST_RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((tick, cell));
    }

    /// Takes a connection that has just proved its address.
    pub fn verify(&mut self, seed: Seed, contact: &Contact) {
        let source = contact.originator.source_unit();
        let key = seed.address(source);
        if self.sources.len() < MOST_SOURCES || self.sources.contains_key(&key) {
            let entry = self.sources.entry(key).or_default();
            entry.address = source;
            entry.connections += 1;
            entry.packets += contact.sent.packets;
            entry.bytes += contact.sent.bytes;
        }
    }

    /// Ends a tick; every ten seconds the window's spread is taken. With `quiet` they count as usual.
    pub fn roll(&mut self, tick: Tick, quiet: bool) {
        while let Some((_, cell)) = self.recent.pop_front_if(|(at, _)| tick.since(*at) >= WINDOW) {
            if quiet {
                self.learn(cell);
            }
        }
        if tick.since(self.window_start) >= WINDOW {
            self.last_spread = self.spread();
            if let Some(spread) = self.last_spread.filter(|_| quiet) {
                if self.spreads.len() == 60 {
                    self.spreads.pop_front();
                }
                self.spreads.push_back(spread);
            }
            self.sources.clear();
            self.window_start = tick;
        }
    }

    fn learn(&mut self, cell: Cell) {
        if self.usual_total >= FADE_AT {
            self.usual.values_mut().for_each(|count| *count /= 2.0);
            self.usual.retain(|_, count| *count >= 0.5);
            self.usual_total = self.usual.values().sum();
        }
        let cell = if self.usual.len() < CELLS || self.usual.contains_key(&cell) { cell } else { Cell::MAX };
        *self.usual.entry(cell).or_default() += 1.0;
        self.usual_total += 1.0;
    }

    /// Returns how many connections the usual mixture rests on.
    #[must_use]
    pub const fn usual_total(&self) -> f64 {
        self.usual_total
    }

    /// Compares the surge with the usual mixture. `usual_part` is which part of the window's connections is usual, 0 to 1;
    /// `reference` gives the usual mixture when this one rests on fewer than 200 connections. `None` with fewer than 40
    /// connections in excess, or without any reference.
    #[must_use]
    pub fn likeness(&self, usual_part: f64, reference: &Self) -> Option<Likeness> {
        let usual = if self.usual_total >= 200.0 { self } else { reference };
        let window = self.recent.len() as f64;
        let expected = usual_part.clamp(0.0, 1.0) * window;
        if usual.usual_total < 100.0 || window - expected < 40.0 {
            return None;
        }
        let mut surge: Vec<(Cell, f64)> = Vec::new();
        let mut cells: Vec<Cell> = self.recent.iter().map(|(_, cell)| *cell).collect();
        cells.sort_unstable();
        for run in cells.chunk_by(|a, b| a == b) {
            let excess = run.len() as f64 - usual.share(run[0]) * expected;
            if excess > 0.0 {
                surge.push((run[0], excess));
            }
        }
        let total: f64 = surge.iter().map(|(_, count)| count).sum();
        let (top, count) = surge.iter().copied().fold((0, 0.0), |best, next| if next.1 > best.1 { next } else { best });
        // The excess itself, not the sum of positive cells, which noise inflates.
        let connections = window - expected;
        let share = (count / connections).min(1.0);
        Some(Likeness {
            connections,
            top_share: (share - 1.96 * (share * (1.0 - share) / connections).sqrt()).max(0.0),
            usual_share: usual.share(top).max(0.01),
            divergence: divergence(&surge, total, usual),
        })
    }

    fn share(&self, cell: Cell) -> f64 {
        self.usual.get(&cell).copied().unwrap_or(0.0) / self.usual_total.max(1.0)
    }

    /// Returns the coefficient of variation of connections a source, in the window under way, with 30 sources or more.
    #[must_use]
    pub fn spread(&self) -> Option<f64> {
        let n = self.sources.len() as f64;
        if n < 30.0 {
            return None;
        }
        let (sum, squares) = self.sources.values().fold((0_u64, 0_u64), |(sum, squares), source| {
            let count = u64::from(source.connections);
            (sum + count, squares + count * count)
        });
        let mean = sum as f64 / n;
        Some((squares as f64 / n - mean * mean).max(0.0).sqrt() / mean)
    }

    /// Returns the spread of the window under way, or of the last one.
    #[must_use]
    pub fn current_spread(&self) -> Option<f64> {
        self.spread().or(self.last_spread)
    }

    /// Returns the usual spread, from at least three quiet windows.
    #[must_use]
    pub fn usual_spread(&self) -> Option<f64> {
        if self.spreads.len() < 3 { None } else { super::series::median(self.spreads.iter().copied()) }
    }

    /// Returns the heaviest sources of the window under way: (address, packets, bytes), by connections then address.
    #[must_use]
    pub fn heaviest(&self, most: usize) -> Vec<(Address, u64, u64)> {
        let mut sources: Vec<&Source> = self.sources.values().collect();
        sources.sort_unstable_by_key(|source| (std::cmp::Reverse(source.connections), source.address));
        sources.iter().take(most).map(|source| (source.address, source.packets, source.bytes)).collect()
    }

    /// Forgets the windows under way, as after a gap; the usual mixture stays.
    pub fn restart(&mut self) {
        self.recent.clear();
        self.sources.clear();
    }
}

/// Returns a connection's shape: bytes in, bytes out, packets in, each in half-octaves.
fn cell(contact: &Contact) -> Cell {
    // The square's integer logarithm counts half-octaves.
    let half_octave = |value: u64| (u128::from(value.max(1)) * u128::from(value.max(1))).ilog2().min(63);
    half_octave(contact.sent.bytes) << 12 | half_octave(contact.received.bytes) << 6 | half_octave(contact.sent.packets)
}

/// Half of one cell's part in the Jensen-Shannon divergence of two mixtures, in bits.
fn term(p: f64, q: f64) -> f64 {
    let middle = f64::midpoint(p, q);
    let part = |share: f64| if share > 0.0 { share * (share / middle).log2() } else { 0.0 };
    f64::midpoint(part(p), part(q))
}

/// Jensen-Shannon divergence between the surge and the usual mixture, beyond what a sample of `total` from the usual
/// mixture itself would show, as a part of what is possible: 0 for more of the same, 1 for nothing in common.
fn divergence(surge: &[(Cell, f64)], total: f64, usual: &Shapes) -> f64 {
    let total = total.max(1.0);
    let (mut seen, mut shared) = (0.0, 0.0);
    for (cell, count) in surge {
        let q = usual.share(*cell);
        shared += q;
        seen += term(count / total, q);
    }
    // Usual shapes that the surge lacks contribute half their share each.
    seen += (1.0 - shared).max(0.0) / 2.0;
    let by_chance = divergence_by_chance(total, usual);
    ((seen - by_chance) / (1.0 - by_chance).max(0.05)).clamp(0.0, 1.0)
}

/// The expected divergence of a sample of `total` from the usual mixture: each cell's count is Poisson.
fn divergence_by_chance(total: f64, usual: &Shapes) -> f64 {
    let expected = |share: f64| {
        let mean = share * total;
        let most = super::whole((mean + 6.0 * mean.sqrt() + 6.0).min(400.0));
        let (mut probability, mut sum) = ((-mean).exp(), 0.0);
        for n in 0..=most {
            sum += probability * term(n as f64 / total, share);
            probability *= mean / (n + 1) as f64;
        }
        sum
    };
    usual.usual.values().map(|count| expected(count / usual.usual_total)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::country::Country;
    use crate::packet::Protocol;
    use crate::summary::{ContactStage, Volume};
    use crate::time::Timestamp;

    fn contact(n: u32, sent: u64, received: u64) -> Contact {
        Contact {
            at: Timestamp::ZERO,
            stage: ContactStage::Settled,
            originator: Address::v4(n.to_be_bytes()),
            responder: Address::v4([203, 0, 113, 1]),
            port: 443,
            protocol: Protocol::TCP,
            country: Country::UNKNOWN,
            verified: true,
            age_ms: 1_000,
            sent: Volume { packets: sent / 200, bytes: sent },
            received: Volume { packets: received / 1_000, bytes: received },
            served: true,
            weight: 1,
        }
    }

    /// A varied page load: sizes over four octaves, from a fixed sequence.
    fn human(n: u32) -> Contact {
        let mixed = u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        contact(n, 600 + mixed % 5_000, 2_000 << (mixed % 7))
    }

    fn learned() -> Shapes {
        let mut shapes = Shapes::default();
        for n in 0..4_000 {
            shapes.settle(Tick::new(u64::from(n) / 100), &human(n));
        }
        shapes.roll(Tick::new(200), true);
        assert_eq!(shapes.usual_total(), 4_000.0);
        shapes
    }

    #[test]
    fn a_crowd_is_more_of_the_same() {
        let mut shapes = learned();
        for n in 10_000..10_600 {
            shapes.settle(Tick::new(300), &human(n));
        }
        let likeness = shapes.likeness(1.0 / 6.0, &Shapes::default()).unwrap();
        assert!(likeness.top_share / likeness.usual_share < 1.8, "{likeness:?}");
        assert!(likeness.divergence < 0.25, "{likeness:?}");
    }

    #[test]
    fn robots_have_a_shape_of_their_own() {
        let mut shapes = learned();
        for n in 10_000..10_100 {
            shapes.settle(Tick::new(300), &human(n));
        }
        for n in 0..300 {
            shapes.settle(Tick::new(300), &contact(n, 700, 9_000 + u64::from(n % 20)));
        }
        let likeness = shapes.likeness(0.25, &Shapes::default()).unwrap();
        assert!(likeness.top_share > 0.9 && likeness.top_share / likeness.usual_share > 4.0, "{likeness:?}");
        assert!(likeness.divergence > 0.5, "{likeness:?}");
    }

    #[test]
    fn too_few_connections_are_not_judged() {
        let mut shapes = learned();
        for n in 0..39 {
            shapes.settle(Tick::new(300), &human(n));
        }
        assert_eq!(shapes.likeness(0.0, &Shapes::default()), None);
    }

    #[test]
    fn even_sources_have_no_spread() {
        let mut shapes = Shapes::default();
        for n in 0..100 {
            for _ in 0..3 {
                shapes.verify(Seed::default(), &contact(n, 1, 1));
            }
        }
        assert_eq!(shapes.spread(), Some(0.0));
        for _ in 0..300 {
            shapes.verify(Seed::default(), &contact(1, 1, 1));
        }
        assert!(shapes.spread().unwrap() > 3.0);
        assert_eq!(shapes.heaviest(1)[0].0, Address::v4([0, 0, 0, 1]));
    }
}
