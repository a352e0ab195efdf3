//! Frames that come twice: a mirror session that copies a packet on its way into the switch and again on its way out.
//!
//! Two frames within 50 ms are the same when their IP packets are, apart from what a router or switch may change: time
//! to live, IPv4 header checksum, VLAN tags, hardware addresses. The IPv4 identification and the TCP sequence number keep
//! ordinary packets apart; bare acknowledgments and other packets without payload may really be alike (a duplicate
//! acknowledgment is), so only packets that carry something are compared. The table is fixed: 256 Ki frames, which is
//! 50 ms at five million a second.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use crate::packet::Packet;
use crate::time::Timestamp;

/// Longest time between a frame and its copy (DETECTION 0.2, "Retransmissions and SPAN duplicates").
const WITHIN: Duration = Duration::from_millis(50);

/// Bytes of the IP packet that are compared: headers and the first payload. The snap length leaves the copy with a VLAN
/// tag shorter than the one without, so that whole captured packets would not be alike.
const COMPARED: usize = 128;

const PLACES: usize = 1 << 18;

/// What was found about copies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Duplicates {
    /// Frames compared.
    pub compared: u64,
    /// Those among them that had come shortly before.
    pub repeated: u64,
    /// Copies with another time to live: seen on both sides of a router.
    pub other_ttl: u64,
    /// Copies with another VLAN tag, or none, on the same hop.
    pub other_vlan: u64,
}

impl Duplicates {
    /// Returns the share of compared frames that are copies, 0..=1.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        super::share(self.repeated, self.compared)
    }
}

/// A frame's IP packet as it lies in the frame, and the tag around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct NetworkLayer<'a> {
    /// From the first byte of the IP header to the end of what was captured.
    pub(super) bytes: &'a [u8],
    /// Outermost VLAN identifier.
    pub(super) vlan: Option<u16>,
}

#[derive(Clone, Copy, Default)]
struct Place {
    key: u64,
    seen: Timestamp,
    ttl: u8,
    vlan: Option<u16>,
}

pub(super) struct DuplicateFinder {
    keys: RandomState,
    places: Vec<Place>,
    found: Duplicates,
}

impl DuplicateFinder {
    pub(super) fn new() -> Self {
        Self { keys: RandomState::new(), places: vec![Place::default(); PLACES], found: Duplicates::default() }
    }

    pub(super) fn observe(&mut self, packet: &Packet, layer: NetworkLayer<'_>) {
        if packet.payload_len == 0 {
            return;
        }
        let Some((key, ttl)) = self.key(layer.bytes) else { return };
        self.found.compared += 1;
        let index = usize::try_from(key % PLACES as u64).expect("less than the places");
        let place = &mut self.places[index];
        let now = packet.timestamp;
        if place.key == key && now.since(place.seen) <= WITHIN && place.seen.since(now) <= WITHIN {
            self.found.repeated += 1;
            self.found.other_ttl += u64::from(place.ttl != ttl);
            self.found.other_vlan += u64::from(place.ttl == ttl && place.vlan != layer.vlan);
            // The first one stays, so that three copies are two repetitions of it.
            return;
        }
        *place = Place { key, seen: now, ttl, vlan: layer.vlan };
    }

    /// Hashes what stays the same on the way through a switch or router; returns the time to live beside it.
    fn key(&self, ip: &[u8]) -> Option<(u64, u8)> {
        let mut hasher = self.keys.build_hasher();
        let ttl = match ip.first()? >> 4 {
            4 => {
                let length = usize::from(u16::from_be_bytes([*ip.get(2)?, *ip.get(3)?]));
                let packet = &ip[..ip.len().min(length).min(COMPARED)];
                hasher.write(packet.get(..8)?);
                hasher.write(packet.get(9..10)?);
                hasher.write(packet.get(12..)?);
                *packet.get(8)?
            }
            6 => {
                let length = 40 + usize::from(u16::from_be_bytes([*ip.get(4)?, *ip.get(5)?]));
                let packet = &ip[..ip.len().min(length).min(COMPARED)];
                hasher.write(packet.get(..7)?);
                hasher.write(packet.get(8..)?);
                *packet.get(7)?
            }
            _ => return None,
        };
        Some((hasher.finish(), ttl))
    }

    pub(super) fn found(&self) -> Duplicates {
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(identification: u8, ttl: u8, padding: usize) -> Vec<u8> {
        let mut bytes = vec![0x45, 0, 0, 30, 0, identification, 0x40, 0, ttl, 17, ttl, ttl];
        bytes.extend([198, 51, 100, 1, 192, 0, 2, 1]);
        bytes.extend([b'p'; 10]);
        bytes.resize(30 + padding, 0xee);
        bytes
    }

    fn look(frames: &[(u64, Vec<u8>, Option<u16>)]) -> Duplicates {
        let mut finder = DuplicateFinder::new();
        for (millis, bytes, vlan) in frames {
            let timestamp = Timestamp::from_nanos(1_000_000_000 + millis * 1_000_000);
            let packet = Packet { timestamp, payload_len: 2, ..Packet::default() };
            finder.observe(&packet, NetworkLayer { bytes, vlan: *vlan });
        }
        finder.found()
    }

    #[test]
    fn a_copy_is_known_behind_a_router_and_behind_a_tag() {
        let found = look(&[
            (0, ip(1, 64, 0), None),
            (1, ip(1, 63, 16), None),
            (2, ip(2, 64, 0), None),
            (3, ip(2, 64, 0), Some(7)),
            (4, ip(3, 64, 0), None),
            (5, ip(3, 64, 0), None),
        ]);
        assert_eq!(found, Duplicates { compared: 6, repeated: 3, other_ttl: 1, other_vlan: 1 });
    }

    #[test]
    fn the_same_bytes_much_later_or_with_another_identification_are_no_copy() {
        let found = look(&[(0, ip(1, 64, 0), None), (51, ip(1, 64, 0), None), (52, ip(2, 64, 0), None)]);
        assert_eq!(found.repeated, 0);
        assert_eq!(found.compared, 3);
    }

    #[test]
    fn a_copy_is_known_when_the_snap_length_cuts_it_shorter() {
        let mut long = ip(1, 64, 0);
        long[3] = 220;
        long.resize(220, b'p');
        let found = look(&[(0, long.clone(), None), (1, long[..200].to_vec(), Some(7))]);
        assert_eq!((found.repeated, found.other_vlan), (1, 1));
    }

    #[test]
    fn cut_headers_are_left_out() {
        for length in 0..20 {
            let whole = ip(1, 64, 0);
            look(&[(0, whole[..length].to_vec(), None)]);
        }
        assert_eq!(look(&[(0, vec![0x45, 0, 0], None)]).compared, 0);
    }
}
