//! Many sources that probe at once: a botnet that sends to every address of a prefix looks like as many sweeps as it has
//! members, and is a flood (DETECTION 5, CARPET).
//!
//! The probes of the last four seconds, at most 2,048 of them one by one. They are in concert when they come as fast as the
//! smallest flood that is promised (DETECTION 4.5), from an effective number of sources, 1 / sum of squared shares (Hill
//! 1973, order 2), of at least four, and to few hosts, or to the same ones again. One fast scanner is not, nor are the many that knock at
//! a large network all day. Sources that took part are remembered for a minute; what others scan meanwhile is their own.
//!
//! Blind spots: a carpet over more than some thousand addresses meets too few of them twice.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::address::Address;
use crate::time::{TICKS_PER_SECOND, Tick};
use crate::window::ring::Ring;

/// Ticks looked back over: four seconds.
const SPAN: usize = 16;

/// Ticks for which what is left of a concert is a part of it: a minute.
const LINGERS: u64 = 60 * TICKS_PER_SECOND;

/// Probes remembered by source.
const MOST: usize = 2_048;

/// Sources remembered as having taken part.
const MOST_MEMBERS: usize = 4_096;

/// Effective number of sources, probes a second, and probes to a host they reach at least; and hosts below which nobody
/// need be met twice, which at that rate are those of a small network, or of a concert's first moment.
const SOURCES: f64 = 4.0;
const RATE: f64 = 50.0;
const TO_A_HOST: f64 = 1.2;
const FEW_HOSTS: usize = 200;

/// A probe.
#[derive(Clone, Copy, Debug)]
struct Note {
    at: Tick,
    source: Address,
    target: Address,
}

/// The probes of the last seconds.
#[derive(Debug, Default)]
pub struct Concert {
    recent: VecDeque<Note>,
    rate: Ring<SPAN>,
    now: u64,
    /// Sources that took part, and when they last did.
    members: BTreeMap<Address, Tick>,
}

impl Concert {
    /// Notes that a source that probes tried a target, standing for `weight`.
    pub fn note(&mut self, at: Tick, source: Address, target: Address, weight: u32) {
        self.now += u64::from(weight);
        if self.recent.len() >= MOST {
            self.recent.pop_front();
        }
        self.recent.push_back(Note { at, source, target });
    }

    /// Ends a tick.
    pub fn advance(&mut self, now: Tick) {
        self.rate.push(std::mem::take(&mut self.now));
        while self.recent.front().is_some_and(|note| now.since(note.at) >= SPAN as u64) {
            self.recent.pop_front();
        }
        self.members.retain(|_, last| now.since(*last) <= LINGERS);
        if self.plays() {
            for note in &self.recent {
                if self.members.len() < MOST_MEMBERS || self.members.contains_key(&note.source) {
                    self.members.insert(note.source, now);
                }
            }
        }
    }

    /// Tells whether a source took part in a concert in the last minute: what it does is no scan of its own.
    #[must_use]
    pub fn took_part(&self, source: Address) -> bool {
        self.members.contains_key(&source)
    }

    fn plays(&self) -> bool {
        let per_second = self.rate.sum() as f64 * TICKS_PER_SECOND as f64 / SPAN as f64;
        per_second >= RATE && self.effective_sources() >= SOURCES && self.is_narrow()
    }

    fn effective_sources(&self) -> f64 {
        let mut counts: BTreeMap<Address, f64> = BTreeMap::new();
        self.recent.iter().for_each(|note| *counts.entry(note.source).or_default() += 1.0);
        let squares: f64 = counts.values().map(|count| count * count).sum();
        let all = self.recent.len() as f64;
        if squares > 0.0 { all * all / squares } else { 0.0 }
    }

    fn is_narrow(&self) -> bool {
        let hosts = self.recent.iter().map(|note| note.target).collect::<BTreeSet<Address>>().len();
        hosts < FEW_HOSTS || self.recent.len() as f64 / hosts as f64 >= TO_A_HOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(number: u64) -> Address {
        Address::v4([198, 51, 100, u8::try_from(number).unwrap()])
    }

    /// Lets `sources` probe `hosts` in turn, `a_second` probes in all, for eight seconds.
    fn after(sources: u64, hosts: u64, a_second: u64) -> Concert {
        let mut concert = Concert::default();
        for tick in 0..32 {
            for number in tick * a_second / 4..(tick + 1) * a_second / 4 {
                let [.., high, low] = (number % hosts).to_be_bytes();
                let target = Address::v4([203, 0, high, low]);
                concert.note(Tick::new(tick), source(number % sources), target, 1);
            }
            concert.advance(Tick::new(tick));
        }
        concert
    }

    #[test]
    fn many_that_probe_the_same_hosts_fast_are_in_concert() {
        assert!(after(40, 100, 200).took_part(source(7)));
        assert!(!after(1, 100, 2_000).took_part(source(0)), "one scanner");
        assert!(!after(3, 100, 400).took_part(source(0)), "a few");
        assert!(!after(40, 100, 20).took_part(source(7)), "slow ones");
        assert!(after(40, 256, 600).took_part(source(7)), "every host of a prefix, twice");
        for rate in [60, 400, 2_000] {
            assert!(!after(40, 60_000, rate).took_part(source(7)), "a large network's every day: {rate} a second");
        }
    }

    #[test]
    fn a_scan_beside_a_concert_is_one_of_its_own() {
        assert!(!after(40, 100, 200).took_part(source(200)));
    }

    #[test]
    fn it_is_remembered_for_a_minute() {
        let mut concert = after(40, 100, 200);
        (32..200).for_each(|tick| concert.advance(Tick::new(tick)));
        assert!(concert.took_part(source(7)));
        (200..320).for_each(|tick| concert.advance(Tick::new(tick)));
        assert!(!concert.took_part(source(7)));
    }
}
