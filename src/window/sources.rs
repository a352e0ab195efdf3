//! The sources of a stratum's verified connections: how many each makes, how evenly, how regularly, and how many are new.
//!
//! A table of fixed size. When it is full half of all sources are given up by a keyed hash and the rest stand for twice as
//! many, so that every connection of a source kept is kept. Everything is summed over sources, and sums of quiet windows
//! are what is usual: what makes a surge is the sums now less the usual ones, without telling which source is which.

use std::hash::{BuildHasherDefault, Hasher};

use indexmap::IndexMap;

use crate::address::Address;
use crate::hash::{Seed, mix};
use crate::summary::Contact;
use crate::time::{TICKS_PER_SECOND, Tick, Timestamp};
use crate::window::mixture::cell;
use crate::window::stacks::{self, Kinds, Stacks};
use crate::window::stratum::Newness;

/// Sources told apart.
const MOST: usize = 2_048;

/// Mixed into a source's hash: neither the choice of the shards nor that of the shapes.
const CHOICE: u64 = 0x736f_7572_6365;

/// Seconds of the window.
const WINDOW: usize = 10;

/// Ticks after which an idle source is forgotten: half a minute.
const FORGET_AFTER: u64 = 120;

/// Ticks after which a source has had time to look around: fifteen seconds, of which ten until a connection is settled.
const AGED: u64 = 60;

/// A visit that looks around: so many connections, or bytes received, and more than one shape (DETECTION 4.2, depth).
const DEEP_CONNECTIONS: u32 = 3;
const DEEP_BYTES: u64 = 50_000;

/// Gaps between connections from which their regularity is judged: five connections (DETECTION 4.2).
const LEAST_GAPS: f64 = 4.0;

/// One address that many people share: so many connections in ten seconds, of so many different shapes or stacks.
const SHARED_CONNECTIONS: u32 = 20;
const SHARED_SHAPES: u32 = 8;
const SHARED_STACKS: u32 = 3;

/// Connections in ten seconds that no visitor makes, whose browser keeps six to a host (RFC 9112 section 9.4 leaves the number
/// to it) and uses them again; and how many sources of that kind are a few.
const BUSY: u32 = 12;
const A_FEW: f64 = 7.0;

/// Classes of the number of connections in ten seconds.
const NUMBERS: usize = 24;

/// Classes of a tenth of the coefficient of variation of gaps, the last one open.
const CLASSES: usize = 20;

/// Quiet windows whose mean is what is usual, and those needed for one.
const REMEMBERED: f64 = 60.0;
const LEAST_WINDOWS: f64 = 3.0;

/// One source.
#[derive(Clone, Copy, Debug)]
struct Source {
    address: Address,
    weight: f64,
    /// Connections in each of the last seconds, and in all of them.
    seconds: [u16; WINDOW],
    recent: u32,
    /// Since it was first seen.
    connections: u32,
    packets: u64,
    bytes: u64,
    received: u64,
    /// Shapes and stacks seen, one bit each by hash.
    shapes: u64,
    stacks: u64,
    /// Of the last SYNs that were followed.
    systems: Kinds,
    first: Tick,
    last: Tick,
    last_at: Timestamp,
    /// Number, mean and sum of squared deviations of gaps, in seconds (Welford 1962).
    gaps: (f64, f64, f64),
    new_source: bool,
    new_network: bool,
}

impl Source {
    fn is_shared(&self) -> bool {
        self.recent >= SHARED_CONNECTIONS
            && (self.shapes.count_ones() >= SHARED_SHAPES || self.stacks.count_ones() >= SHARED_STACKS)
    }

    fn is_deep(&self) -> bool {
        self.shapes.count_ones() >= 2 && (self.connections >= DEEP_CONNECTIONS || self.received >= DEEP_BYTES)
    }

    fn connect(&mut self, second: usize, tick: Tick, at: Timestamp) {
        if self.connections > 0 {
            let gap = at.since(self.last_at).as_secs_f64();
            let (n, mean, squares) = self.gaps;
            let mean_now = mean + (gap - mean) / (n + 1.0);
            self.gaps = (n + 1.0, mean_now, squares + (gap - mean) * (gap - mean_now));
        }
        self.seconds[second] = self.seconds[second].saturating_add(1);
        self.recent += 1;
        self.connections = self.connections.saturating_add(1);
        self.last = tick;
        self.last_at = at;
    }

    /// Coefficient of variation of the gaps between connections.
    fn gap_spread(&self) -> Option<f64> {
        let (n, mean, squares) = self.gaps;
        (n >= LEAST_GAPS && mean > 0.0).then(|| (squares / n).sqrt() / mean)
    }
}

/// Sums over the sources of a window, weighted.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SourceSums {
    /// Sources active in the window.
    pub sources: f64,
    /// Those of networks never served before.
    pub new_networks: f64,
    /// Active sources that nobody shares.
    pub single: f64,
    /// The same by number of connections, 1, 2, 3 and so on; the last class is open.
    pub by_number: [f64; NUMBERS],
    /// Sources that have been here for fifteen seconds.
    pub aged: f64,
    /// Those among them that looked around.
    pub deep: f64,
    /// Sources of five connections or more by the spread of their gaps, in tenths.
    pub gap_spreads: [f64; CLASSES],
}

impl SourceSums {
    fn each(&self, other: &Self, with: impl Fn(f64, f64) -> f64) -> Self {
        let mut gap_spreads = self.gap_spreads;
        gap_spreads.iter_mut().zip(other.gap_spreads).for_each(|(mine, theirs)| *mine = with(*mine, theirs));
        let mut by_number = self.by_number;
        by_number.iter_mut().zip(other.by_number).for_each(|(mine, theirs)| *mine = with(*mine, theirs));
        Self {
            sources: with(self.sources, other.sources),
            new_networks: with(self.new_networks, other.new_networks),
            single: with(self.single, other.single),
            by_number,
            aged: with(self.aged, other.aged),
            deep: with(self.deep, other.deep),
            gap_spreads,
        }
    }

    /// Adds the sums of another stratum.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        self.each(other, |mine, theirs| mine + theirs)
    }

    /// Returns what exceeds `usual` by more than two spreads of counting, at least nothing: what is usual varies, and a
    /// handful of busy sources more must not look like part of the surge.
    #[must_use]
    pub fn beyond(&self, usual: &Self) -> Self {
        self.each(usual, |now, usual| if now - usual > 2.0 * usual.sqrt() { now - usual } else { 0.0 })
    }

    /// Number of sources, of connections, and of squares, by number of connections.
    fn moments(&self) -> (f64, f64, f64) {
        let classes = self.by_number.iter().enumerate();
        classes.fold((0.0, 0.0, 0.0), |(sources, sum, squares), (class, count)| {
            let number = class as f64 + 1.0;
            (sources + count, sum + count * number, squares + count * number * number)
        })
    }

    /// Returns the sums of `times` as many sources of the same kind.
    #[must_use]
    pub fn times(&self, times: f64) -> Self {
        self.each(self, |mine, _| mine * times)
    }

    /// Returns connections a source.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        let (sources, sum, _) = self.moments();
        (sources > 0.0).then(|| sum / sources)
    }

    /// Returns the coefficient of variation of connections a source.
    #[must_use]
    pub fn spread(&self) -> Option<f64> {
        let (sources, _, squares) = self.moments();
        let mean = self.mean()?;
        Some((squares / sources - mean * mean).max(0.0).sqrt() / mean)
    }

    /// Returns the median spread of gaps, with at least 15 sources of five connections.
    #[must_use]
    pub fn gap_spread(&self) -> Option<f64> {
        let all: f64 = self.gap_spreads.iter().sum();
        let mut below = 0.0;
        let class = self.gap_spreads.iter().position(|count| {
            below += count;
            2.0 * below >= all
        })?;
        (all >= 15.0).then(|| (class as f64 + 0.5) / 10.0)
    }
}

/// The table, and what is usual.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    entries: IndexMap<u64, Source, BuildHasherDefault<Hashed>>,
    shift: u32,
    second: usize,
    usual: SourceSums,
    windows: f64,
    usual_stacks: stacks::Usual,
    /// Sources not seen for half a minute that came in this tick, those new to the host among them, and how many were
    /// really counted.
    arrivals: Arrivals,
}

/// Takes keys that are secret hashes already. A full table keeps those whose low bits are zero, so it turns the others there.
#[derive(Clone, Copy, Debug, Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = mix(self.0, u64::from(*byte)));
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key.rotate_left(32);
    }
}

/// Sources that came in one tick after half a minute's absence or more.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Arrivals {
    /// Weighted.
    pub all: f64,
    /// Those among them never served before, weighted.
    pub new: f64,
    /// Really seen.
    pub seen: f64,
}

impl Sources {
    /// Takes a connection that has just proved its address; `source` is the hash of the originator's unit, `newness` tells
    /// whether it or its network was served before.
    pub fn verify(&mut self, source: u64, tick: Tick, contact: &Contact, newness: Newness) {
        let key = mix(source, CHOICE);
        if !self.entries.contains_key(&key) {
            while self.is_kept(key) && self.entries.len() >= MOST && self.shift < 32 {
                self.halve();
            }
            if !self.is_kept(key) || self.entries.len() >= MOST {
                return;
            }
            let weight = f64::from(contact.weight) * (self.shift as f64).exp2();
            self.arrivals.all += weight;
            self.arrivals.new += if newness.source { weight } else { 0.0 };
            self.arrivals.seen += 1.0;
            self.entries.insert(
                key,
                Source {
                    address: contact.originator.source_unit(),
                    weight,
                    seconds: [0; WINDOW],
                    recent: 0,
                    connections: 0,
                    packets: 0,
                    bytes: 0,
                    received: 0,
                    shapes: 0,
                    stacks: 0,
                    systems: Kinds::default(),
                    first: tick,
                    last: tick,
                    last_at: contact.at,
                    gaps: (0.0, 0.0, 0.0),
                    new_source: newness.source,
                    new_network: newness.network,
                },
            );
        }
        let second = self.second;
        if let Some(source) = self.entries.get_mut(&key) {
            source.connect(second, tick, contact.at);
            source.packets += contact.sent.packets;
            source.bytes += contact.sent.bytes;
        }
    }

    /// Takes a settled connection of a source; `source` is the hash of its unit.
    pub fn settle(&mut self, seed: Seed, source: u64, contact: &Contact) {
        let key = mix(source, CHOICE);
        if let Some(source) = self.entries.get_mut(&key) {
            source.shapes |= 1 << (mix(seed.0[0], u64::from(cell(contact))) % 64);
            source.received = source.received.saturating_add(contact.received.bytes);
        }
    }

    /// Takes the stack, as time to live and window of a first SYN, that a source was seen with; `source` is its hash
    /// ([`Seed::address`] of the unit).
    pub fn note_stack(&mut self, seed: Seed, source: u64, ttl: u8, window: u16) {
        if self.entries.is_empty() {
            return;
        }
        if let Some(source) = self.entries.get_mut(&mix(source, CHOICE)) {
            source.systems.note(stacks::kind(seed, ttl, window));
            source.stacks |= 1 << (mix(seed.0[1], u64::from(ttl) << 16 | u64::from(window)) % 64);
        }
    }

    const fn is_kept(&self, key: u64) -> bool {
        key & ((1 << self.shift) - 1) == 0
    }

    fn halve(&mut self) {
        self.shift += 1;
        let mask = (1 << self.shift) - 1;
        self.entries.retain(|key, _| key & mask == 0);
        self.entries.values_mut().for_each(|source| source.weight *= 2.0);
    }

    /// Ends a tick; every ten seconds the window's sums are learned when it was `quiet`.
    pub fn roll(&mut self, tick: Tick, quiet: bool) {
        self.arrivals = Arrivals::default();
        if !tick.closes_period(TICKS_PER_SECOND) {
            return;
        }
        if tick.closes_period(TICKS_PER_SECOND * WINDOW as u64) && quiet {
            let sums = self.sums(tick);
            self.windows = (self.windows + 1.0).min(REMEMBERED);
            let part = 1.0 / self.windows;
            self.usual = self.usual.each(&sums, |usual, now| usual + part * (now - usual));
            let stacks = self.stacks();
            self.usual_stacks.learn(&stacks);
        }
        self.second = (self.second + 1) % WINDOW;
        let second = self.second;
        self.entries.retain(|_, source| {
            source.recent -= u32::from(std::mem::take(&mut source.seconds[second]));
            tick.since(source.last) < FORGET_AFTER
        });
        if self.entries.len() * 4 <= MOST {
            self.shift = self.shift.saturating_sub(1);
        }
    }

    /// Returns the sums of the last ten seconds.
    #[must_use]
    pub fn sums(&self, now: Tick) -> SourceSums {
        let mut sums = SourceSums::default();
        for source in self.entries.values().filter(|source| source.recent > 0) {
            let weight = source.weight;
            sums.sources += weight;
            sums.new_networks += if source.new_network { weight } else { 0.0 };
            if now.since(source.first) >= AGED {
                sums.aged += weight;
                sums.deep += if source.is_deep() { weight } else { 0.0 };
            }
            if source.is_shared() {
                continue;
            }
            sums.single += weight;
            sums.by_number[(source.recent as usize).clamp(1, NUMBERS) - 1] += weight;
            if let Some(spread) = source.gap_spread() {
                let class = (0..CLASSES - 1).find(|class| spread < (*class as f64 + 1.0) / 10.0);
                sums.gap_spreads[class.unwrap_or(CLASSES - 1)] += weight;
            }
        }
        sums
    }

    /// Returns the connections of the last ten seconds by their systems.
    #[must_use]
    pub fn stacks(&self) -> Stacks {
        let mut stacks = Stacks::default();
        for source in self.entries.values().filter(|source| source.recent > 0) {
            let connections = f64::from(source.recent) * source.weight;
            source.systems.shares().for_each(|(system, share)| stacks.add(system, share * connections));
        }
        stacks
    }

    /// Returns the systems of the source whose unit hashes to `source`, each with its part of them; none while unknown.
    pub fn systems(&self, source: u64) -> impl Iterator<Item = (stacks::Kind, f64)> + '_ {
        self.entries.get(&mix(source, CHOICE)).into_iter().flat_map(|source| source.systems.shares())
    }

    /// Returns those of a usual window.
    #[must_use]
    pub const fn usual_stacks(&self) -> &stacks::Usual {
        &self.usual_stacks
    }

    /// Returns the sums of a usual window, from at least three quiet ones.
    #[must_use]
    pub fn usual(&self) -> Option<SourceSums> {
        (self.windows >= LEAST_WINDOWS).then_some(self.usual)
    }

    /// Returns the usual sums and how many windows they rest on, to be kept.
    pub(super) const fn memory(&self) -> (SourceSums, f64) {
        (self.usual, self.windows)
    }

    /// Builds an empty table with what was kept; `None` when it cannot have come from here.
    pub(super) fn with_usual(usual: SourceSums, windows: f64) -> Option<Self> {
        let single = [usual.sources, usual.new_networks, usual.single, usual.aged, usual.deep];
        let mut all = single.iter().chain(&usual.by_number).chain(&usual.gap_spreads);
        let fine = all.all(|sum| (0.0..=1e9).contains(sum)) && (0.0..=REMEMBERED).contains(&windows);
        fine.then_some(Self { usual, windows, ..Self::default() })
    }

    /// Returns the sources that came in this tick.
    #[must_use]
    pub const fn arrivals(&self) -> Arrivals {
        self.arrivals
    }

    /// Returns the share of sources active in the window that were never served before, and how many were really seen.
    #[must_use]
    pub fn new_share(&self) -> (f64, f64) {
        let active = || self.entries.values().filter(|source| source.recent > 0);
        let all: f64 = active().map(|source| source.weight).sum();
        let new: f64 = active().filter(|source| source.new_source).map(|source| source.weight).sum();
        (new / all.max(1.0), active().count() as f64)
    }

    /// Returns the heaviest sources of the window: (address, packets, bytes), by connections then address.
    #[must_use]
    pub fn heaviest(&self, most: usize) -> Vec<(Address, u64, u64)> {
        let mut sources: Vec<&Source> = self.entries.values().filter(|source| source.recent > 0).collect();
        sources.sort_unstable_by_key(|source| (std::cmp::Reverse(source.recent), source.address));
        sources.iter().take(most).map(|source| (source.address, source.packets, source.bytes)).collect()
    }

    /// Returns the connections of the window that a handful of busy sources, first seen after `since`, make beyond `each` a
    /// source, weighted: what one crawler, partner or guesser adds. Nothing where they are more than a handful.
    #[must_use]
    pub fn by_a_busy_few(&self, since: Tick, each: f64) -> f64 {
        let busy = || self.entries.values().filter(|source| source.recent >= BUSY && source.first >= since);
        if busy().map(|source| source.weight).sum::<f64>() > A_FEW {
            return 0.0;
        }
        busy().map(|source| source.weight * (f64::from(source.recent) - each).max(0.0)).sum()
    }

    /// Returns the connections of the window that the `most` busiest sources make beyond `each` a source, weighted: without
    /// them a surge is what many sources make.
    #[must_use]
    pub fn by_the_busiest(&self, most: usize, each: f64) -> f64 {
        let mut busy: Vec<&Source> = self.entries.values().filter(|source| f64::from(source.recent) > each).collect();
        busy.sort_unstable_by_key(|source| (std::cmp::Reverse(source.recent), source.address));
        let mut left = most as f64;
        busy.into_iter()
            .map(|source| {
                let counted = source.weight.min(left);
                left -= counted;
                counted * (f64::from(source.recent) - each)
            })
            .sum()
    }

    /// Forgets the window under way, as after a gap; what is usual stays.
    pub fn restart(&mut self) {
        self.entries.clear();
        self.arrivals = Arrivals::default();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::country::Country;
    use crate::packet::Protocol;
    use crate::summary::{ContactStage, Volume};

    fn contact(source: u32, at: f64, received: u64) -> Contact {
        Contact {
            at: Timestamp::from_secs(1_000).plus(Duration::from_secs_f64(at)),
            stage: ContactStage::Verified,
            originator: Address::v4(source.to_be_bytes()),
            responder: Address::v4([203, 0, 113, 1]),
            port: 443,
            protocol: Protocol::TCP,
            country: Country::UNKNOWN,
            verified: true,
            age_ms: 30,
            sent: Volume { packets: 3, bytes: 200 },
            received: Volume { packets: 3, bytes: received },
            served: true,
            repeated: false,
            weight: 1,
        }
    }

    fn hash(source: u32) -> u64 {
        Seed::default().address(Address::v4(source.to_be_bytes()))
    }

    fn connect(sources: &mut Sources, source: u32, at: f64) {
        let contact = contact(source, at, 1_000);
        let newness = Newness { source: true, network: source.is_multiple_of(2) };
        sources.verify(hash(source), contact.at.tick(), &contact, newness);
    }

    fn roll(sources: &mut Sources, from: f64, to: f64, quiet: bool) {
        let tick = |at: f64| Timestamp::from_secs(1_000).plus(Duration::from_secs_f64(at)).tick().number();
        (tick(from)..tick(to)).for_each(|n| sources.roll(Tick::new(n), quiet));
    }

    fn sums(sources: &Sources, at: f64) -> SourceSums {
        sources.sums(contact(0, at, 0).at.tick())
    }

    #[test]
    fn even_sources_have_no_spread_and_the_heaviest_leads() {
        let mut sources = Sources::default();
        (0..300).for_each(|n| connect(&mut sources, n % 100, f64::from(n) / 100.0));
        assert_eq!((sums(&sources, 3.0).mean(), sums(&sources, 3.0).spread()), (Some(3.0), Some(0.0)));
        assert_eq!(sums(&sources, 3.0).new_networks, 50.0);
        (0..30).for_each(|n| connect(&mut sources, 1, 3.0 + f64::from(n) / 100.0));
        assert!(sums(&sources, 3.5).spread().unwrap() > 0.5);
        assert_eq!(sources.heaviest(1)[0].0, Address::v4([0, 0, 0, 1]));
    }

    #[test]
    fn the_window_is_ten_seconds_and_arrivals_are_counted_once() {
        let mut sources = Sources::default();
        connect(&mut sources, 7, 0.0);
        connect(&mut sources, 7, 0.1);
        assert_eq!(sources.arrivals(), Arrivals { all: 1.0, new: 1.0, seen: 1.0 });
        roll(&mut sources, 0.0, 9.0, false);
        assert_eq!(sums(&sources, 9.0).sources, 1.0);
        roll(&mut sources, 9.0, 12.0, false);
        assert_eq!(sums(&sources, 12.0).sources, 0.0);
        connect(&mut sources, 7, 12.0);
        assert_eq!(sources.arrivals().all, 0.0, "seen twelve seconds ago");
        roll(&mut sources, 12.0, 60.0, false);
        connect(&mut sources, 7, 60.0);
        assert_eq!(sources.arrivals().all, 1.0);
    }

    #[test]
    fn regular_pauses_show_and_so_do_irregular_ones() {
        for (jitter, expected) in [(0.0, 0.05), (0.9, 0.5)] {
            let mut sources = Sources::default();
            for n in 0..8_u32 {
                let pause = if n % 2 == 0 { 1.0 - jitter } else { 1.0 + jitter };
                (0..20).for_each(|source| connect(&mut sources, source, f64::from(n) + pause / 2.0));
            }
            let spread = sums(&sources, 8.0).gap_spread().unwrap();
            assert!(if jitter > 0.0 { spread > expected } else { spread <= expected }, "{jitter}: {spread}");
        }
    }

    #[test]
    fn a_school_behind_one_address_is_shared() {
        let mut sources = Sources::default();
        for n in 0..40_u32 {
            connect(&mut sources, 1, f64::from(n) / 10.0);
            sources.settle(Seed::default(), hash(1), &contact(1, 4.0, 500 << (n % 12)));
        }
        assert_eq!((sums(&sources, 4.0).sources, sums(&sources, 4.0).single), (1.0, 0.0));
        let mut sources = Sources::default();
        (0..40_u32).for_each(|n| connect(&mut sources, 1, f64::from(n) / 10.0));
        assert_eq!(sums(&sources, 4.0).single, 1.0, "one busy machine is not shared");
        (0..8).for_each(|ttl| sources.note_stack(Seed::default(), hash(1), 50 + ttl, 64_240));
        assert_eq!(sums(&sources, 4.0).single, 0.0, "several stacks are");
    }

    #[test]
    fn what_a_busy_few_add_is_known_and_many_are_no_few() {
        let mut sources = Sources::default();
        (0..200).for_each(|n| connect(&mut sources, n, f64::from(n) / 100.0));
        (0..80).for_each(|n| connect(&mut sources, 1_000 + n % 4, 2.0 + f64::from(n) / 20.0));
        let since = |at: f64| contact(0, at, 0).at.tick();
        assert_eq!(sources.by_a_busy_few(since(0.0), 1.0), 4.0 * 19.0, "four sources of twenty connections");
        assert_eq!(sources.by_a_busy_few(since(5.0), 1.0), 0.0, "they were there before");
        (0..80).for_each(|n| connect(&mut sources, 2_000 + n % 4, 2.0 + f64::from(n) / 20.0));
        assert_eq!(sources.by_a_busy_few(since(0.0), 1.0), 0.0, "eight are more than a few");
    }

    #[test]
    fn what_the_busiest_add_is_known() {
        let mut sources = Sources::default();
        (0..200).for_each(|n| connect(&mut sources, n, f64::from(n) / 100.0));
        assert_eq!(sources.by_the_busiest(16, 1.0), 0.0, "everybody is as busy as usual");
        (0..80).for_each(|n| connect(&mut sources, 1_000 + n % 8, 2.0 + f64::from(n) / 20.0));
        assert_eq!(sources.by_the_busiest(16, 1.0), 8.0 * 9.0, "eight sources of ten connections");
        assert_eq!(sources.by_the_busiest(5, 1.0), 5.0 * 9.0);
        (0..80).for_each(|n| connect(&mut sources, 2_000 + n % 40, 2.0 + f64::from(n) / 20.0));
        assert_eq!(sources.by_the_busiest(16, 1.0), 8.0 * 9.0 + 8.0, "of forty others eight are among the sixteen");
    }

    #[test]
    fn a_full_table_stands_for_all_sources() {
        let mut sources = Sources::default();
        (0..20_000).for_each(|n| connect(&mut sources, n, f64::from(n) / 5_000.0));
        assert!(sources.entries.len() <= MOST);
        let estimate = sums(&sources, 4.0).sources;
        assert!((estimate / 20_000.0 - 1.0).abs() < 0.15, "{estimate}");
    }

    #[test]
    fn the_excess_is_what_counting_does_not_explain() {
        let usual = SourceSums { sources: 100.0, ..SourceSums::default() };
        assert_eq!(SourceSums { sources: 119.0, ..usual }.beyond(&usual).sources, 0.0);
        assert_eq!(SourceSums { sources: 150.0, ..usual }.beyond(&usual).sources, 50.0);
    }
}
