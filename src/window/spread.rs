//! Whether unfinished handshakes look forged: how often their sources come, and how alike their SYNs are (DETECTION 2.4;
//! SYN-5).
//!
//! Forged sources are drawn anew for each SYN, so nearly each comes once; bots with addresses of their own, and people,
//! come again. Sources are sampled by a keyed hash (the 256 smallest of ten seconds, Broder 1997), so that all handshakes
//! of a chosen one are counted. Tools write the same time to live and window into every SYN, while people bring a mixture:
//! the leading pair's share among the unfinished is compared with its share in quiet traffic.

use std::collections::BTreeMap;

use crate::hash::Seed;
use crate::summary::{CohortRecord, CohortStage, Outcome};
use crate::time::Tick;

/// Sources followed in ten seconds.
const SAMPLED: usize = 256;
/// Ten seconds.
const PERIOD: u64 = 40;

/// Sources below which nothing is said of them.
const ENOUGH: f64 = 50.0;

/// Handshakes may stand for at most this many for the sources among them to be seen whole: sampling chooses handshakes,
/// not sources.
const MOST_WEIGHT: f64 = 2.0;

/// Pairs of time to live and window told apart.
const SIGNATURES: usize = 64;
/// What a tick leaves of recent and of usual counts: ten seconds, and ten minutes.
const RECENT_KEEPS: f64 = 0.975;
const USUAL_KEEPS: f64 = 0.9996;

/// The time to live above which a SYN is unusual: stacks start at 64 or 128, tools and routers at 255.
const HIGH_TTL: u8 = 200;

/// Time to live class and window of a SYN.
type Signature = (u8, u16);

/// One period's sources: handshakes by hash of the source.
#[derive(Clone, Debug, Default)]
struct Period {
    sources: BTreeMap<u64, u32>,
    /// Sources of one handshake.
    single: u32,
    records: f64,
    weight: f64,
}

impl Period {
    fn count(&mut self, hash: u64, weight: u32) {
        self.records += 1.0;
        self.weight += f64::from(weight);
        let count = self.sources.entry(hash).or_default();
        *count += 1;
        match count {
            1 => self.single += 1,
            2 => self.single -= 1,
            _ => {}
        }
        if self.sources.len() > SAMPLED {
            let gone = self.sources.pop_last();
            self.single -= u32::from(gone.is_some_and(|(_, count)| count == 1));
        }
    }

    fn once(&self) -> Option<f64> {
        let sources = self.sources.len() as f64;
        let whole = self.weight <= MOST_WEIGHT * self.records;
        (sources >= ENOUGH && whole).then(|| f64::from(self.single) / sources)
    }
}

/// Fading counts by signature, sorted by it.
#[derive(Clone, Debug, Default)]
struct Signatures(Vec<(Signature, f64)>);

impl Signatures {
    fn add(&mut self, signature: Signature, weight: f64) {
        if let Ok(place) = self.place(signature) {
            self.0[place].1 += weight;
            return;
        }
        if self.0.len() >= SIGNATURES {
            // The first of the least makes room.
            let least = (0..SIGNATURES).min_by(|a, b| self.0[*a].1.total_cmp(&self.0[*b].1));
            least.map(|least| self.0.remove(least));
        }
        let place = self.place(signature).unwrap_or_else(|place| place);
        self.0.insert(place, (signature, weight));
    }

    fn fade(&mut self, keeps: f64) {
        self.0.retain_mut(|(_, count)| {
            *count *= keeps;
            *count >= 0.05
        });
    }

    fn sum(&self) -> f64 {
        self.0.iter().map(|(_, count)| count).sum()
    }

    fn leading(&self) -> Option<(Signature, f64)> {
        self.0.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1))
    }

    fn of(&self, signature: Signature) -> f64 {
        self.place(signature).map_or(0.0, |place| self.0[place].1)
    }

    fn place(&self, signature: Signature) -> Result<usize, usize> {
        self.0.binary_search_by_key(&signature, |(known, _)| *known)
    }
}

/// The leading signature of unfinished handshakes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Leading {
    /// Its share among them.
    pub share: f64,
    /// Its share in quiet traffic, if that is known.
    pub usual: Option<f64>,
}

/// The window.
#[derive(Clone, Debug, Default)]
pub struct Spread {
    current: Period,
    last: Period,
    /// The same of those that closed ports refused.
    refused: [Period; 2],
    /// Signatures of unfinished handshakes of late.
    unfinished: Signatures,
    /// Signatures of all handshakes in quiet times.
    usual: Signatures,
    high_ttl: f64,
    resets: f64,
    judged: f64,
}

impl Spread {
    /// Takes a record at its look; `quiet` tells that nothing alarms, `at_closed` that it was refused at a closed port.
    pub fn observe(&mut self, seed: Seed, record: &CohortRecord, quiet: bool, at_closed: bool) {
        if record.stage != CohortStage::Look {
            return;
        }
        let (outcome, weight) = (record.outcome, f64::from(record.weight));
        let signature = (ttl_class(record.ttl), record.window);
        if quiet {
            self.usual.add(signature, weight);
        }
        self.judged += weight;
        if outcome.any(Outcome::CLIENT_RESET) && !outcome.any(Outcome::FINISHED) {
            self.resets += weight;
        }
        let unanswered =
            !outcome.any(Outcome::FINISHED | Outcome::CLIENT_RESET | Outcome::RETRIED | Outcome::SERVER_RESET);
        if at_closed {
            self.refused[0].count(seed.address(record.source), record.weight);
        }
        if outcome.is_unfinished() || unanswered {
            self.current.count(seed.address(record.source), record.weight);
            self.unfinished.add(signature, weight);
            self.high_ttl += if record.ttl > HIGH_TTL { weight } else { 0.0 };
        }
    }

    /// Ends a tick.
    pub fn roll(&mut self, tick: Tick) {
        if tick.closes_period(PERIOD) {
            self.last = std::mem::take(&mut self.current);
            self.refused.swap(0, 1);
            self.refused[0] = Period::default();
        }
        self.unfinished.fade(RECENT_KEEPS);
        self.usual.fade(USUAL_KEEPS);
        for sum in [&mut self.high_ttl, &mut self.resets, &mut self.judged] {
            *sum *= RECENT_KEEPS;
        }
    }

    /// Returns the share of sources that came once in ten seconds; `None` with too few, or too thinly sampled.
    #[must_use]
    pub fn once(&self) -> Option<f64> {
        self.current.once().or_else(|| self.last.once())
    }

    /// Returns the same of those that closed ports refused.
    #[must_use]
    pub fn refused_once(&self) -> Option<f64> {
        self.refused[0].once().or_else(|| self.refused[1].once())
    }

    /// Returns the leading signature among unfinished handshakes; `None` with fewer than fifty.
    #[must_use]
    pub fn leading(&self) -> Option<Leading> {
        let all = self.unfinished.sum();
        let (signature, count) = self.unfinished.leading()?;
        let (known, usual) = (self.usual.sum(), self.usual.of(signature));
        (all >= ENOUGH).then(|| Leading { share: count / all, usual: (known >= ENOUGH).then(|| usual / known) })
    }

    /// Returns the share of unfinished handshakes whose time to live is above 200.
    #[must_use]
    pub fn high_ttl_share(&self) -> f64 {
        let all = self.unfinished.sum();
        if all >= ENOUGH { (self.high_ttl / all).min(1.0) } else { 0.0 }
    }

    /// Returns the share of handshakes of late that the client reset before finishing: the sign of real machines that
    /// send SYNs past their own stack.
    #[must_use]
    pub fn reset_share(&self) -> f64 {
        if self.judged > 0.0 { (self.resets / self.judged).min(1.0) } else { 0.0 }
    }

    /// Forgets what is recent, as after a gap.
    pub fn restart(&mut self) {
        *self = Self { usual: std::mem::take(&mut self.usual), ..Self::default() };
    }
}

/// The time to live that the sender most likely started with.
const fn ttl_class(ttl: u8) -> u8 {
    match ttl {
        0..=32 => 32,
        33..=64 => 64,
        65..=128 => 128,
        _ => 255,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use crate::time::Timestamp;

    fn record(source: u32, outcome: u8, ttl: u8, window: u16) -> CohortRecord {
        CohortRecord {
            target: Address::v4([192, 0, 2, 10]),
            source: Address::v4(source.to_be_bytes()),
            first_syn: Timestamp::ZERO,
            port: 443,
            weight: 1,
            ttl,
            window,
            stage: CohortStage::Look,
            outcome: Outcome(outcome),
        }
    }

    fn observe(spread: &mut Spread, records: impl Iterator<Item = CohortRecord>, quiet: bool) {
        records.for_each(|record| spread.observe(Seed::default(), &record, quiet, false));
    }

    #[test]
    fn forged_sources_come_once_and_bots_come_again() {
        let mut forged = Spread::default();
        observe(&mut forged, (0..20_000).map(|n: u32| record(n.wrapping_mul(0x9e37_79b9), 1, 64, 512)), false);
        assert!(forged.once().unwrap() > 0.99);
        assert!(forged.current.sources.len() <= SAMPLED);
        let mut bots = Spread::default();
        observe(&mut bots, (0..20_000).map(|n| record(n % 2_000, 1, 64, 512)), false);
        assert!(bots.once().unwrap() < 0.01);
        assert_eq!(Spread::default().once(), None);
    }

    #[test]
    fn a_tool_writes_the_same_into_every_syn() {
        let mut spread = Spread::default();
        let people =
            |n: u32| record(n, Outcome::ANSWERED | Outcome::FINISHED, 50 + (n % 70) as u8, 64_240 - (n % 7) as u16);
        observe(&mut spread, (0..1_000).map(people), true);
        assert_eq!(spread.leading(), None);
        observe(&mut spread, (0..400).map(|n| record(n, Outcome::ANSWERED, 243, 1_024)), false);
        let leading = spread.leading().unwrap();
        assert_eq!((leading.share, leading.usual), (1.0, Some(0.0)));
        assert_eq!((spread.high_ttl_share(), spread.reset_share()), (1.0, 0.0));
        spread.restart();
        assert_eq!(spread.leading(), None);
    }

    #[test]
    fn machines_that_reset_are_counted_apart() {
        let mut spread = Spread::default();
        let resets = Outcome::ANSWERED | Outcome::CLIENT_RESET;
        observe(&mut spread, (0..300).map(|n| record(n, if n % 3 == 0 { 3 } else { resets }, 64, 512)), false);
        assert!((spread.reset_share() - 2.0 / 3.0).abs() < 1e-9);
        assert_eq!(spread.once(), None, "nothing is unfinished");
    }

    #[test]
    fn signatures_have_a_fixed_number_of_places() {
        let mut spread = Spread::default();
        observe(&mut spread, (0..5_000_u16).map(|n| record(u32::from(n), 1, 64, n)), true);
        assert!(spread.unfinished.0.len() <= SIGNATURES && spread.usual.0.len() <= SIGNATURES);
        (0..4_000).for_each(|n| spread.roll(Tick::new(n)));
        assert!(spread.unfinished.0.is_empty());
    }
}
