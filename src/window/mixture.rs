//! Mixtures of connection shapes, and how the mixture of a surge compares with the usual one (DETECTION 0.2, FC-1).
//!
//! A shape is a connection's bytes in, bytes out and packets in, each in half-octaves. A crowd adds more of the usual
//! mixture; robots add a shape of their own. The mixture of the surge is the window's less the usual one scaled to it.
//! A mixture tells `CELLS` shapes apart; a rarer one counts in a wider shape of two octaves, of which there are few, so
//! that what is rare is not all thrown together.

use std::collections::BTreeMap;

use crate::summary::Contact;
use crate::window::divergence::{expected_term, term};
use crate::window::negative_binomial;

/// Connections of the usual mixture at which older ones fade by half.
const FADE_AT: f64 = 20_000.0;

/// Bounds of what is believed after a restart: shapes, wide ones included, the weight of one connection, and octaves
/// between what it sends and gets.
const MOST_CELLS: usize = CELLS + 4_096;
const MOST_WEIGHT: f64 = 1e6;
const MOST_OCTAVES: f64 = 64.0;

/// Shapes told apart in full.
const CELLS: usize = 1_024;

/// Connections a usual mixture must rest on to be compared with: its own, and one borrowed from a wider stratum.
const OWN: f64 = 200.0;
const BORROWED: f64 = 100.0;

/// Connections of a surge that must have shown their shape.
const LEAST_EXCESS: f64 = 40.0;

/// Shape of the negative binomial count of one shape: pages come in and out of fashion, by a quarter or so.
const FASHION: f64 = 15.0;

/// Smallest usual share a shape is compared with, and smallest part of the excess that may lead it.
const LEAST_USUAL: f64 = 0.01;
const SEED: f64 = 0.02;

/// A connection's shape, as one number.
pub type Cell = u32;

/// Marks a wider shape.
const WIDE: Cell = 1 << 31;

/// Returns a connection's shape: bytes in, bytes out, packets in, each in half-octaves.
#[must_use]
pub fn cell(contact: &Contact) -> Cell {
    // The square's integer logarithm counts half-octaves.
    let half_octave = |value: u64| (u128::from(value.max(1)) * u128::from(value.max(1))).ilog2().min(63);
    half_octave(contact.sent.bytes) << 12 | half_octave(contact.received.bytes) << 6 | half_octave(contact.sent.packets)
}

/// Returns the wider shape a shape lies in: two octaves of each measure.
fn wide(cell: Cell) -> Cell {
    let quarter = |shift: u32| (cell >> shift & 0x3f) / 4;
    WIDE | quarter(12) << 12 | quarter(6) << 6 | quarter(0)
}

/// Returns the logarithm (base 2) of bytes out over bytes in.
#[must_use]
pub fn response(contact: &Contact) -> f64 {
    (contact.received.bytes.max(1) as f64 / contact.sent.bytes.max(1) as f64).log2()
}

/// Weighted counts of shapes.
#[derive(Clone, Debug, Default)]
pub struct Mixture {
    cells: BTreeMap<Cell, f64>,
    total: f64,
    responses: f64,
}

impl Mixture {
    /// Takes a connection of this shape and response ratio (as a logarithm), standing for `weight`.
    pub fn learn(&mut self, cell: Cell, response: f64, weight: f64) {
        if self.total >= FADE_AT {
            self.cells.values_mut().for_each(|count| *count /= 2.0);
            self.cells.retain(|_, count| *count >= 0.5);
            self.responses /= 2.0;
            self.total = self.cells.values().sum();
        }
        *self.cells.entry(self.resolve(cell)).or_default() += weight;
        self.responses += response * weight;
        self.total += weight;
    }

    /// Adds another mixture.
    pub fn join(&mut self, other: &Self) {
        for (cell, count) in &other.cells {
            *self.cells.entry(*cell).or_default() += count;
        }
        self.total += other.total;
        self.responses += other.responses;
    }

    /// Returns how many connections it rests on.
    #[must_use]
    pub const fn total(&self) -> f64 {
        self.total
    }

    /// Returns the counts by shape and the sum of response ratios, to be kept.
    pub(super) fn memory(&self) -> (Vec<(Cell, f64)>, f64) {
        (self.cells.iter().map(|(cell, count)| (*cell, *count)).collect(), self.responses)
    }

    /// Takes what was kept; `None` when it cannot have come from here.
    pub(super) fn from_memory(counts: &[(Cell, f64)], responses: f64) -> Option<Self> {
        let cells: BTreeMap<Cell, f64> = counts.iter().copied().collect();
        let total: f64 = cells.values().sum();
        let fine = cells.len() <= MOST_CELLS
            && cells.values().all(|count| *count > 0.0)
            && total <= 2.0 * FADE_AT + MOST_WEIGHT
            && responses.abs() <= MOST_OCTAVES * total.max(1.0);
        fine.then_some(Self { cells, total, responses })
    }

    /// The shape as which this mixture would count it.
    fn resolve(&self, cell: Cell) -> Cell {
        if self.cells.len() < CELLS || self.cells.contains_key(&cell) { cell } else { wide(cell) }
    }

    fn share(&self, cell: Cell) -> f64 {
        self.cells.get(&cell).copied().unwrap_or(0.0) / self.total.max(1.0)
    }

    fn response(&self) -> f64 {
        self.responses / self.total.max(1.0)
    }
}

/// The connections of a window.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// Weighted counts by shape, each shape once.
    pub(super) cells: BTreeMap<Cell, f64>,
    /// Connections really seen: the `n` of every test.
    pub(super) seen: f64,
    /// Weighted number.
    pub(super) total: f64,
    /// Weighted sum of response ratios, as logarithms.
    pub(super) responses: f64,
}

impl Sample {
    /// Adds a connection.
    pub(super) fn add(&mut self, cell: Cell, response: f64, weight: f64) {
        *self.cells.entry(cell).or_default() += weight;
        self.seen += 1.0;
        self.total += weight;
        self.responses += response * weight;
    }

    /// Adds another window's.
    pub fn join(&mut self, other: &Self) {
        for (cell, count) in &other.cells {
            *self.cells.entry(*cell).or_default() += count;
        }
        self.seen += other.seen;
        self.total += other.total;
        self.responses += other.responses;
    }

    /// Returns the share of connections that the mixture would count as this shape.
    fn share(&self, mixture: &Mixture, cell: Cell) -> f64 {
        let same = |(other, _): &(&Cell, &f64)| mixture.resolve(**other) == cell;
        let count: f64 = if cell & WIDE == 0 {
            self.cells.get(&cell).copied().unwrap_or(0.0)
        } else {
            self.cells.iter().filter(same).map(|(_, count)| count).sum()
        };
        count / self.total.max(1.0)
    }

    /// Returns how many connections were seen, unweighted.
    #[must_use]
    pub const fn seen(&self) -> f64 {
        self.seen
    }

    /// Returns how many they stand for.
    #[must_use]
    pub const fn total(&self) -> f64 {
        self.total
    }
}

/// How a surge compares with what is usual.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Likeness {
    /// Connections of the surge that are judged.
    pub connections: f64,
    /// Share of the surge that has its leading shape (within half an octave or one), lower 95 % bound.
    pub top_share: f64,
    /// That shape's share of the usual mixture, at least 1 %.
    pub usual_share: f64,
    /// Evidence in decades that the leading shape is more frequent than its usual share of this many connections explains.
    pub decades: f64,
    /// Jensen-Shannon divergence between surge and usual mixture (Lin 1991) beyond chance, 0 to 1.
    pub divergence: f64,
    /// That shape.
    pub leading: Leading,
    /// By how many octaves bytes out over bytes in differ from usual, as a geometric mean over connections.
    pub response_octaves: f64,
}

/// A shape that leads a surge: neighbouring cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leading {
    begin: Cell,
    /// The measures in which it takes two half-octaves, one bit each.
    block: usize,
}

impl Leading {
    /// Tells whether a connection's shape is this one, where `usual` tells which shapes are told apart.
    #[must_use]
    pub fn has(&self, usual: &Mixture, cell: Cell) -> bool {
        let cell = usual.resolve(cell);
        steps(self.block).any(|step| self.begin + OFFSETS[step] == cell)
    }

    /// Returns its part of the usual mixture.
    #[must_use]
    pub fn usual_share(&self, usual: &Mixture) -> f64 {
        steps(self.block).map(|step| usual.share(self.begin + OFFSETS[step])).sum()
    }
}

/// Returns the usual mixture to compare with: `borrowed` stands in while `own` rests on fewer than 200 connections.
#[must_use]
pub fn comparable<'a>(own: &'a Mixture, borrowed: &'a Mixture) -> &'a Mixture {
    if own.total >= OWN { own } else { borrowed }
}

/// Compares the surge in `window`, of which `usual_part` (0 to 1) is usual, with the usual mixture; `borrowed` stands in
/// while `own` rests on fewer than 200 connections. What is common in `control`, another stratum that surges at the same
/// time, is no shape of this one's own: a new page that everybody opens is not robots. `None` with fewer than 40 connections in excess, or without any
/// usual mixture.
#[must_use]
pub fn likeness(
    window: &Sample,
    own: &Mixture,
    borrowed: &Mixture,
    control: Option<&Sample>,
    usual_part: f64,
) -> Option<Likeness> {
    let usual = comparable(own, borrowed);
    let usual_part = usual_part.clamp(0.0, 1.0);
    let expected = usual_part * window.seen;
    let connections = window.seen - expected;
    if usual.total < BORROWED || connections < LEAST_EXCESS {
        return None;
    }
    let scale = window.seen / window.total;
    let mut counts: BTreeMap<Cell, f64> = BTreeMap::new();
    for (cell, weight) in &window.cells {
        *counts.entry(usual.resolve(*cell)).or_default() += weight * scale;
    }
    let excess = |(cell, count): (&Cell, &f64)| (*cell, count - usual.share(*cell) * expected);
    let surge: Vec<(Cell, f64)> = counts.iter().map(excess).filter(|(_, count)| *count > 0.0).collect();
    let total: f64 = surge.iter().map(|(_, count)| count).sum();
    let control = control.filter(|control| control.seen >= LEAST_EXCESS);
    let share_elsewhere = |cell: Cell| control.map_or(0.0, |control| control.share(usual, cell));
    let leader = leader(&surge, &counts, connections, |cell| usual.share(cell).max(share_elsewhere(cell)));
    let share = leader.share;
    let mean = (leader.usual * window.seen).max(1.0);
    let responses = window.responses * scale - expected * usual.response();
    Some(Likeness {
        connections,
        top_share: (share - 1.96 * (share * (1.0 - share) / connections).sqrt()).max(0.0),
        usual_share: leader.usual,
        decades: (negative_binomial::evidence(leader.seen, mean, FASHION) - (8.0 * counts.len() as f64).log10())
            .max(0.0),
        divergence: divergence(&surge, total, usual),
        leading: leader.shape,
        response_octaves: responses / connections - usual.response(),
    })
}

/// The shape that tells the excess from what is usual.
#[derive(Clone, Copy, Debug, Default)]
struct Leader {
    shape: Leading,
    /// Its part of the excess, of the usual mixture, and its number in the window.
    share: f64,
    usual: f64,
    seen: f64,
    /// Its part in the divergence of the excess from the usual mixture (Kullback & Leibler 1951), in bits.
    bits: f64,
}

/// Steps of half an octave, one bit a measure, that a block takes in the measures of its bits.
fn steps(block: usize) -> impl Iterator<Item = usize> {
    (0..8).filter(move |step| step & !block == 0)
}

/// How far each step leads.
const OFFSETS: [Cell; 8] =
    [0, 1, 1 << 6, (1 << 6) + 1, 1 << 12, (1 << 12) + 1, (1 << 12) + (1 << 6), (1 << 12) + (1 << 6) + 1];

/// A cell's part of the excess, of the usual mixture, and its number in the window.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    excess: f64,
    usual: f64,
    seen: f64,
}

/// A cell and those next to it in any of the three measures, in the order of their offsets.
struct Neighbourhood([Part; 27]);

impl Neighbourhood {
    fn of(cell: Cell, part: impl Fn(Cell) -> Part) -> Self {
        let offset = |place: i32| ((place / 9 - 1) << 12) + ((place / 3 % 3 - 1) << 6) + (place % 3 - 1);
        let mut places = 0..27;
        Self([(); 27].map(|()| {
            let neighbour = places.next().and_then(|place| cell.checked_add_signed(offset(place)));
            neighbour.map_or_else(Part::default, &part)
        }))
    }

    /// Returns the sum over the block that begins `back` steps before the cell.
    fn block(&self, block: usize, back: usize) -> Part {
        let along = |forth: usize, bit: usize| 1 + (forth >> bit & 1) - (back >> bit & 1);
        let place = |forth: usize| (along(forth, 2) * 3 + along(forth, 1)) * 3 + along(forth, 0);
        steps(block).map(|forth| self.0[place(forth)]).fold(Part::default(), |sum, part| Part {
            excess: sum.excess + part.excess,
            usual: sum.usual + part.usual,
            seen: sum.seen + part.seen,
        })
    }
}

/// Finds the leader among single cells and blocks of two neighbours in one, two or all measures, so that what lies on a
/// border is not torn apart.
fn leader(
    surge: &[(Cell, f64)],
    counts: &BTreeMap<Cell, f64>,
    connections: f64,
    usual: impl Fn(Cell) -> f64,
) -> Leader {
    let excess = |cell: Cell| surge.binary_search_by_key(&cell, |(cell, _)| *cell).map_or(0.0, |place| surge[place].1);
    let part = |cell: Cell| Part {
        excess: excess(cell),
        usual: usual(cell),
        seen: counts.get(&cell).copied().unwrap_or_default(),
    };
    let judge = |part: Part, shape: Leading| {
        let (share, usual) = ((part.excess / connections).min(1.0), part.usual.max(LEAST_USUAL));
        let bits = share * (share / usual).max(f64::MIN_POSITIVE).log2();
        Leader { shape, share, usual, seen: part.seen, bits }
    };
    let mut best = Leader { usual: LEAST_USUAL, ..Leader::default() };
    let mut compete = |part: Part, begin: Cell, block: usize| {
        let next = judge(part, Leading { begin, block });
        best = if next.bits > best.bits { next } else { best };
    };
    for (cell, _) in surge.iter().filter(|(_, count)| *count >= SEED * connections) {
        if cell & WIDE != 0 {
            compete(part(*cell), *cell, 0);
            continue;
        }
        let neighbourhood = Neighbourhood::of(*cell, part);
        for block in 0..8 {
            for back in steps(block) {
                // What would begin below the first cell is no more than a smaller block.
                if let Some(begin) = cell.checked_sub(OFFSETS[back]) {
                    compete(neighbourhood.block(block, back), begin, block);
                }
            }
        }
    }
    best
}

/// Jensen-Shannon divergence between the surge and the usual mixture, beyond what a sample of `total` from the usual
/// mixture itself would show, as a part of what is possible: 0 for more of the same, 1 for nothing in common.
fn divergence(surge: &[(Cell, f64)], total: f64, usual: &Mixture) -> f64 {
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
fn divergence_by_chance(total: f64, usual: &Mixture) -> f64 {
    let scale = total / usual.total;
    usual.cells.values().map(|count| expected_term(count * scale)).sum::<f64>() / total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_shapes_are_not_all_thrown_together() {
        let mut usual = Mixture::default();
        for n in 0..4 * u32::try_from(CELLS).unwrap() {
            usual.learn((n % 64) << 12 | (n / 64), 0.0, 1.0);
        }
        let [one, other] = [60 << 12 | 3 << 6, 4 << 12 | 60 << 6].map(|cell| usual.resolve(cell));
        assert_ne!(one, other);
        assert!(usual.share(other) < 0.1, "{}", usual.share(other));
        assert!(usual.cells.len() < 2 * CELLS, "{}", usual.cells.len());
    }

    #[test]
    fn equal_mixtures_have_nothing_beyond_chance_and_foreign_ones_all() {
        let mut usual = Mixture::default();
        (0..1_000).for_each(|n| usual.learn(n % 10, 0.0, 1.0));
        let same: Vec<(Cell, f64)> = (0..10).map(|cell| (cell, 50.0)).collect();
        assert!(divergence(&same, 500.0, &usual) < 0.01);
        assert!((divergence(&[(99, 500.0)], 500.0, &usual) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_response_of_the_excess_alone_is_compared() {
        let mut usual = Mixture::default();
        (0..1_000).for_each(|n| usual.learn(n % 10, 2.0, 1.0));
        let mut window = Sample::default();
        (0..100).for_each(|n| window.add(n % 10, 2.0, 1.0));
        (0..100).for_each(|_| window.add(50, 5.0, 1.0));
        let likeness = likeness(&window, &usual, &usual, None, 0.5).unwrap();
        assert!((likeness.response_octaves - 3.0).abs() < 1e-9, "{likeness:?}");
    }

    #[test]
    fn what_lies_on_a_border_is_one_shape() {
        let mut usual = Mixture::default();
        (0..1_000).for_each(|n| usual.learn(30 << 12 | (n % 10) << 6 | 1, 0.0, 1.0));
        let mut window = Sample::default();
        for n in 0..400 {
            let cell = (20 + n % 2) << 12 | (24 + n / 2 % 2) << 6 | (7 + n / 4 % 2);
            window.add(cell, 0.0, 1.0);
        }
        let likeness = likeness(&window, &usual, &usual, None, 0.0).unwrap();
        assert!(likeness.top_share > 0.95 && likeness.usual_share < 0.02, "{likeness:?}");
    }

    #[test]
    fn the_leader_is_the_best_of_all_blocks_looked_at_one_by_one() {
        // Cells close together, so that blocks overlap, and some at the edge below which none begins.
        let mut draw = 7_u64;
        let mut next = |below: u64| {
            draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (draw >> 33) % below
        };
        for _ in 0..50 {
            let mut counts: BTreeMap<Cell, f64> = BTreeMap::new();
            for _ in 0..60 {
                let [a, b, c] = [0; 3].map(|_: i32| Cell::try_from(next(4)).unwrap());
                *counts.entry(a << 12 | b << 6 | c).or_default() += next(9) as f64 + 1.0;
            }
            let surge: Vec<(Cell, f64)> = counts.iter().map(|(cell, count)| (*cell, count / 2.0)).collect();
            let connections: f64 = surge.iter().map(|(_, count)| count).sum();
            let usual = |cell: Cell| f64::from(cell % 7) / 200.0;
            let of = |cells: &[Cell], value: &dyn Fn(Cell) -> f64| cells.iter().map(|cell| value(*cell)).sum::<f64>();
            let mut best = 0.0_f64;
            for (cell, count) in &surge {
                for block in (0..8).filter(|_| *count >= SEED * connections) {
                    for begin in steps(block).filter_map(|back| cell.checked_sub(OFFSETS[back])) {
                        let cells: Vec<Cell> = steps(block).map(|step| begin + OFFSETS[step]).collect();
                        let excess = |cell: Cell| counts.get(&cell).map_or(0.0, |count| count / 2.0);
                        let share = of(&cells, &excess) / connections;
                        let bits = share * (share / of(&cells, &usual).max(LEAST_USUAL)).max(f64::MIN_POSITIVE).log2();
                        best = best.max(bits);
                    }
                }
            }
            let found = leader(&surge, &counts, connections, usual);
            assert!(best > 0.0 && (found.bits - best).abs() < 1e-12, "{found:?} {best}");
        }
    }

    #[test]
    fn a_new_page_that_everybody_opens_is_nobodys_own_shape() {
        let mut usual = Mixture::default();
        (0..1_000).for_each(|n| usual.learn(30 << 12 | (n % 10) << 6 | 1, 0.0, 1.0));
        let mut window = Sample::default();
        (0..100).for_each(|_| window.add(20 << 12 | 24 << 6 | 7, 0.0, 1.0));
        let judged = |control| likeness(&window, &usual, &usual, control, 0.0).unwrap();
        assert!(judged(None).top_share / judged(None).usual_share > 50.0);
        assert!(judged(Some(&window)).top_share / judged(Some(&window)).usual_share <= 1.0);
    }

    #[test]
    fn weights_change_no_share() {
        let mut usual = Mixture::default();
        (0..1_000).for_each(|n| usual.learn(n % 10, 0.0, 1.0));
        let judged = [1.0, 8.0].map(|weight| {
            let mut window = Sample::default();
            (0..200).for_each(|n| window.add(n % 12, 0.0, weight));
            likeness(&window, &usual, &usual, None, 0.5).unwrap()
        });
        assert_eq!(judged[0], judged[1]);
    }
}
