//! The shapes of a stratum's connections: those of the last ten seconds, and the usual mixture that they leave behind.
//!
//! The window holds `MOST_RECENT` connections. When it is full half of all sources are given up by a keyed hash and the
//! rest count twice (adaptive sampling, Flajolet 1990), so that a busy site's window is thinner and not shorter, and its
//! usual mixture is learned all the same.

use std::collections::VecDeque;

use crate::hash::mix;
use crate::summary::{Contact, Volume};
use crate::time::Tick;
use crate::window::mixture::{Cell, Mixture, Sample, cell, response};

/// Connections of the current window remembered.
const MOST_RECENT: usize = 4_096;

/// Ticks of the current window: ten seconds.
const WINDOW: u64 = 40;

/// Mixed into a source's hash, so that the choice here is not that of the shards, which thin by its low bits.
const CHOICE: u64 = 0x7368_6170_6573;

/// A settled connection.
#[derive(Clone, Copy, Debug)]
struct Entry {
    at: Tick,
    source: u64,
    cell: Cell,
    request: Request,
    response: f64,
    weight: f64,
}

/// What a client sent over a connection, exactly: packets, and bytes less the headers that every packet has. Options of TCP
/// are among the bytes, and each system has its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    /// Packets.
    pub packets: u64,
    /// Bytes beyond the shortest headers of IP and TCP.
    pub bytes: u64,
}

impl Request {
    fn of(contact: &Contact) -> Self {
        let headers = if contact.originator.is_ipv4() { 40 } else { 60 };
        let Volume { packets, bytes } = contact.sent;
        Self { packets, bytes: bytes.saturating_sub(packets.saturating_mul(headers)) }
    }
}

/// The usual mixture and the current window.
#[derive(Clone, Debug, Default)]
pub struct Shapes {
    usual: Mixture,
    recent: VecDeque<Entry>,
    shift: u32,
}

impl Shapes {
    /// Takes a settled connection. One that was not served, or only after its client had asked again, has the shape that
    /// the server gave it, and says nothing of the client. `source` is the hash of the client's unit.
    pub fn settle(&mut self, source: u64, tick: Tick, contact: &Contact) {
        if !contact.served || contact.repeated {
            return;
        }
        while self.is_kept(source) && self.recent.len() >= MOST_RECENT && self.shift < 32 {
            self.halve();
        }
        if self.is_kept(source) && self.recent.len() < MOST_RECENT {
            let weight = f64::from(contact.weight) * (self.shift as f64).exp2();
            let (cell, request, response) = (cell(contact), Request::of(contact), response(contact));
            self.recent.push_back(Entry { at: tick, source, cell, request, response, weight });
        }
    }

    const fn is_kept(&self, source: u64) -> bool {
        mix(source, CHOICE) & ((1 << self.shift) - 1) == 0
    }

    fn halve(&mut self) {
        self.shift += 1;
        let mask = (1 << self.shift) - 1;
        self.recent.retain(|entry| mix(entry.source, CHOICE) & mask == 0);
        self.recent.iter_mut().for_each(|entry| entry.weight *= 2.0);
    }

    /// Ends a tick. What leaves the window is usual when it was `quiet`.
    pub fn roll(&mut self, tick: Tick, quiet: bool) {
        while let Some(entry) = self.recent.pop_front_if(|entry| tick.since(entry.at) >= WINDOW) {
            if quiet {
                self.usual.learn(entry.cell, entry.response, entry.weight);
            }
        }
        if self.recent.len() * 4 <= MOST_RECENT {
            self.shift = self.shift.saturating_sub(1);
        }
    }

    /// Returns the usual mixture.
    #[must_use]
    pub const fn usual(&self) -> &Mixture {
        &self.usual
    }

    /// Builds an empty window with a usual mixture that was kept.
    #[must_use]
    pub fn with_usual(usual: Mixture) -> Self {
        Self { usual, ..Self::default() }
    }

    /// Returns the window under way.
    #[must_use]
    pub fn sample(&self) -> Sample {
        let mut sample = Sample::default();
        self.recent.iter().for_each(|entry| sample.add(entry.cell, entry.response, entry.weight));
        sample
    }

    /// Returns the hash of each connection's source, its shape, what its client sent, and its weight.
    pub fn connections(&self) -> impl Iterator<Item = (u64, Cell, Request, f64)> + '_ {
        self.recent.iter().map(|entry| (entry.source, entry.cell, entry.request, entry.weight))
    }

    /// Forgets the window under way, as after a gap; the usual mixture stays.
    pub fn restart(&mut self) {
        self.recent.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use crate::country::Country;
    use crate::packet::Protocol;
    use crate::summary::ContactStage;
    use crate::time::Timestamp;
    use crate::window::mixture::{Likeness, likeness};

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
            repeated: false,
            weight: 1,
        }
    }

    /// A varied page load: sizes over four octaves, from a fixed sequence.
    fn human(n: u32) -> Contact {
        let mixed = u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        contact(n, 600 + mixed % 5_000, 2_000 << (mixed % 7))
    }

    fn settle(shapes: &mut Shapes, tick: u64, contact: &Contact) {
        shapes.settle(crate::hash::Seed::default().address(contact.originator.source_unit()), Tick::new(tick), contact);
    }

    fn judged(shapes: &Shapes, usual_part: f64) -> Option<Likeness> {
        likeness(&shapes.sample(), shapes.usual(), &Mixture::default(), None, usual_part)
    }

    fn learned() -> Shapes {
        let mut shapes = Shapes::default();
        for n in 0..4_000 {
            settle(&mut shapes, u64::from(n) / 100, &human(n));
        }
        shapes.roll(Tick::new(200), true);
        assert_eq!(shapes.usual().total(), 4_000.0);
        shapes
    }

    #[test]
    fn what_the_server_or_the_path_has_shaped_says_nothing_of_the_client() {
        let mut shapes = Shapes::default();
        settle(&mut shapes, 1, &Contact { served: false, ..human(1) });
        settle(&mut shapes, 1, &Contact { repeated: true, ..human(2) });
        assert_eq!(shapes.sample().seen(), 0.0);
        settle(&mut shapes, 1, &human(3));
        assert_eq!(shapes.sample().seen(), 1.0);
    }

    #[test]
    fn a_crowd_is_more_of_the_same() {
        let mut shapes = learned();
        (10_000..10_600).for_each(|n| settle(&mut shapes, 300, &human(n)));
        let likeness = judged(&shapes, 1.0 / 6.0).unwrap();
        assert!(likeness.top_share / likeness.usual_share < 1.8, "{likeness:?}");
        assert!(likeness.divergence < 0.25 && likeness.decades < 3.0, "{likeness:?}");
        assert!(likeness.response_octaves.abs() < 0.5, "{likeness:?}");
    }

    #[test]
    fn robots_have_a_shape_of_their_own() {
        let mut shapes = learned();
        (10_000..10_100).for_each(|n| settle(&mut shapes, 300, &human(n)));
        (0..300).for_each(|n| settle(&mut shapes, 300, &contact(n, 700, 9_000 + u64::from(n % 20))));
        let likeness = judged(&shapes, 0.25).unwrap();
        assert!(likeness.top_share > 0.9 && likeness.top_share / likeness.usual_share > 4.0, "{likeness:?}");
        assert!(likeness.divergence > 0.5 && likeness.decades > 10.0, "{likeness:?}");
    }

    #[test]
    fn too_few_connections_are_not_judged() {
        let mut shapes = learned();
        (0..39).for_each(|n| settle(&mut shapes, 300, &human(n)));
        assert_eq!(judged(&shapes, 0.0), None);
    }

    #[test]
    fn a_busy_window_is_thinned_by_source_and_weighs_the_same() {
        let mut shapes = Shapes::default();
        for n in 0..60_000 {
            settle(&mut shapes, u64::from(n) / 1_500, &human(n % 20_000));
        }
        assert!(shapes.recent.len() <= MOST_RECENT && shapes.recent.len() > MOST_RECENT / 4);
        let weight = shapes.sample().total;
        assert!((weight / 60_000.0 - 1.0).abs() < 0.1, "{weight}");
        assert!(shapes.recent.front().unwrap().at < Tick::new(2), "a thinner window, not a shorter one");
        shapes.roll(Tick::new(100), true);
        assert!((shapes.usual().total() / 20_000.0) > 0.5, "{}", shapes.usual().total());
    }
}
