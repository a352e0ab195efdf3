//! Many sources that probe at once: a botnet that sends to every address of a prefix looks like as many sweeps as it has
//! members, and is a flood (DETECTION 5, CARPET).
//!
//! The probes of the last four seconds, at most 512 of them by source. They are in concert when they come as fast as the
//! smallest flood that is promised (DETECTION 4.5) from an effective number of sources, 1 / sum of squared shares (Hill
//! 1973, order 2), of at least four. One fast scanner is not, and the slow ones that knock everywhere all day are not fast.

use std::collections::{BTreeMap, VecDeque};

use crate::address::Address;
use crate::time::{TICKS_PER_SECOND, Tick};
use crate::window::ring::Ring;

/// Ticks looked back over: four seconds.
const SPAN: usize = 16;

/// Ticks for which what is left of a concert is a part of it: a minute.
const LINGERS: u64 = 60 * TICKS_PER_SECOND;

/// Probes remembered by source.
const MOST: usize = 512;

/// Effective number of sources, and probes a second.
const SOURCES: f64 = 4.0;
const RATE: f64 = 50.0;

/// The probes of the last seconds.
#[derive(Debug, Default)]
pub struct Concert {
    recent: VecDeque<(Tick, Address)>,
    rate: Ring<SPAN>,
    now: u64,
    plays: bool,
    last: Option<Tick>,
}

impl Concert {
    /// Notes a probe of a source that probes, standing for `weight`.
    pub fn note(&mut self, now: Tick, source: Address, weight: u32) {
        self.now += u64::from(weight);
        if self.recent.len() >= MOST {
            self.recent.pop_front();
        }
        self.recent.push_back((now, source));
    }

    /// Ends a tick.
    pub fn advance(&mut self, now: Tick) {
        self.rate.push(std::mem::take(&mut self.now));
        while self.recent.front().is_some_and(|(at, _)| now.since(*at) >= SPAN as u64) {
            self.recent.pop_front();
        }
        let per_second = self.rate.sum() as f64 * TICKS_PER_SECOND as f64 / SPAN as f64;
        self.plays = per_second >= RATE && self.effective_sources() >= SOURCES;
        if self.plays {
            self.last = Some(now);
        }
    }

    /// Tells whether sources probed in concert at the end of the last tick.
    #[must_use]
    pub const fn plays(&self) -> bool {
        self.plays
    }

    /// Tells whether they did in the minute before `now`: what is left of it is no scan of its own.
    #[must_use]
    pub fn played_before(&self, now: Tick) -> bool {
        self.last.is_some_and(|last| now.since(last) <= LINGERS)
    }

    fn effective_sources(&self) -> f64 {
        let mut counts: BTreeMap<Address, f64> = BTreeMap::new();
        self.recent.iter().for_each(|(_, source)| *counts.entry(*source).or_default() += 1.0);
        let squares: f64 = counts.values().map(|count| count * count).sum();
        let all = self.recent.len() as f64;
        if squares > 0.0 { all * all / squares } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets `sources` probe in turn, `a_second` probes in all, for eight seconds.
    fn after(sources: u8, a_second: u64) -> Concert {
        let mut concert = Concert::default();
        for tick in 0..32 {
            for number in 0..a_second / 4 {
                let source = u8::try_from((tick * a_second / 4 + number) % u64::from(sources)).unwrap();
                concert.note(Tick::new(tick), Address::v4([198, 51, 100, source]), 1);
            }
            concert.advance(Tick::new(tick));
        }
        concert
    }

    #[test]
    fn many_that_probe_fast_are_in_concert() {
        assert!(after(40, 200).plays());
        assert!(!after(1, 2_000).plays(), "one scanner");
        assert!(!after(3, 400).plays(), "a few");
        assert!(!after(40, 20).plays(), "slow ones");
    }

    #[test]
    fn it_ends_with_the_probes() {
        let mut concert = after(40, 200);
        (32..32 + SPAN as u64).for_each(|tick| concert.advance(Tick::new(tick)));
        assert!(!concert.plays());
        assert!(concert.played_before(Tick::new(100)));
        assert!(!concert.played_before(Tick::new(32 + LINGERS + SPAN as u64)));
    }
}
