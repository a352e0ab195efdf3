//! Whether both directions of conversations are seen.
//!
//! Only acknowledging TCP segments count: whoever acknowledges has been spoken to, so the other direction must exist,
//! and if it is not seen the port does not show it. SYN and RST are left out, since a spoofed flood or a scan is one-sided
//! by nature. The table is fixed; a conversation that finds its bucket taken by older ones of at least two segments each is
//! not followed, which makes the result a sample on a busy link.

use std::hash::{BuildHasher, RandomState};

use crate::packet::{Packet, TcpFlags};

/// Places: 64 Ki conversations in 1 MiB.
const PLACES: usize = 1 << 16;

/// Places that a conversation may take: with four, a look at few conversations follows every one of them.
const BUCKET: usize = 4;

/// A direction alone must have spoken so often before its silence partner is missed: a conversation that ends as the
/// look begins leaves one or two last acknowledgments of one side.
const TELLING_SEGMENTS: u32 = 3;

/// Conversations by the directions seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conversations {
    /// Seen both ways.
    pub both_ways: u64,
    /// Seen one way only, three segments or more.
    pub one_way: u64,
}

impl Conversations {
    /// Fewer than this many tell nothing.
    const ENOUGH: u64 = 10;

    /// Returns the share seen both ways, 0..=1, once there are enough to tell.
    #[must_use]
    pub fn both_ways_share(&self) -> Option<f64> {
        let all = self.both_ways + self.one_way;
        (all >= Self::ENOUGH).then(|| super::share(self.both_ways, all))
    }
}

#[derive(Clone, Copy, Default)]
struct Place {
    key: u64,
    /// Segments from the lower endpoint and from the higher.
    segments: [u32; 2],
}

pub(super) struct Sidedness {
    keys: RandomState,
    places: Vec<Place>,
}

impl Sidedness {
    pub(super) fn new() -> Self {
        Self { keys: RandomState::new(), places: vec![Place::default(); PLACES] }
    }

    pub(super) fn observe(&mut self, packet: &Packet) {
        let counts = packet.is_tcp()
            && packet.flags.has(TcpFlags::ACK)
            && !packet.flags.has(TcpFlags::SYN)
            && !packet.flags.has(TcpFlags::RST);
        if !counts {
            return;
        }
        let from = (packet.source, packet.source_port);
        let to = (packet.destination, packet.destination_port);
        let (low, high) = if from <= to { (from, to) } else { (to, from) };
        let key = self.keys.hash_one((low, high));
        let Some(place) = self.place(key) else { return };
        let side = &mut place.segments[usize::from(from > to)];
        *side = side.saturating_add(1).min(u32::MAX / 2);
    }

    /// Returns the place of a conversation: its own, or one whose holder has barely spoken.
    fn place(&mut self, key: u64) -> Option<&mut Place> {
        let buckets = (PLACES / BUCKET) as u64;
        let first = usize::try_from(key % buckets).expect("less than the buckets") * BUCKET;
        let bucket = &mut self.places[first..first + BUCKET];
        let own = bucket.iter().position(|place| place.key == key);
        let index = own.or_else(|| bucket.iter().position(|place| place.segments[0] + place.segments[1] < 2))?;
        let place = &mut bucket[index];
        if place.key != key {
            *place = Place { key, segments: [0; 2] };
        }
        Some(place)
    }

    pub(super) fn conversations(&self) -> Conversations {
        let mut sum = Conversations::default();
        for place in &self.places {
            match place.segments {
                [0, one] | [one, 0] if one < TELLING_SEGMENTS => {}
                [0, _] | [_, 0] => sum.one_way += 1,
                _ => sum.both_ways += 1,
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Protocol;

    fn segment(client: u16, from_client: bool, flags: u8) -> Packet {
        let (server, here) = ("192.0.2.1".parse().unwrap(), "198.51.100.1".parse().unwrap());
        let packet = Packet { protocol: Protocol::TCP, flags: TcpFlags(flags), ..Packet::default() };
        if from_client {
            Packet { source: here, source_port: client, destination: server, destination_port: 443, ..packet }
        } else {
            Packet { source: server, source_port: 443, destination: here, destination_port: client, ..packet }
        }
    }

    fn look(packets: impl IntoIterator<Item = Packet>) -> Conversations {
        let mut sidedness = Sidedness::new();
        packets.into_iter().for_each(|packet| sidedness.observe(&packet));
        sidedness.conversations()
    }

    #[test]
    fn one_direction_alone_is_missed_only_when_it_went_on() {
        let talk = |client| (0..6).map(move |turn| segment(client, turn % 2 == 0, TcpFlags::ACK));
        let monologue = |client, count| (0..count).map(move |_| segment(client, true, TcpFlags::ACK));
        let seen = look((1..=20).flat_map(talk).chain(monologue(100, 5)).chain(monologue(101, 2)));
        assert_eq!(seen, Conversations { both_ways: 20, one_way: 1 });
        assert_eq!(seen.both_ways_share(), Some(20.0 / 21.0));
    }

    #[test]
    fn a_look_at_few_conversations_follows_every_one() {
        for _ in 0..200 {
            let talks =
                (1..=100).flat_map(|client| (0..6).map(move |turn| segment(client, turn % 2 == 0, TcpFlags::ACK)));
            assert_eq!(look(talks), Conversations { both_ways: 100, one_way: 0 });
        }
    }

    #[test]
    fn a_spoofed_flood_says_nothing_about_sides() {
        let seen = look((0..10_000).map(|client| segment(client, true, TcpFlags::SYN)));
        assert_eq!(seen, Conversations::default());
        assert_eq!(seen.both_ways_share(), None);
    }

    #[test]
    fn unanswered_syn_acks_say_nothing_either() {
        let answers = (0..10_000).map(|client| segment(client % 100, false, TcpFlags::SYN | TcpFlags::ACK));
        assert_eq!(look(answers), Conversations::default());
    }
}
