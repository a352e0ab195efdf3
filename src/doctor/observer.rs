//! What one look at a port adds up to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::diagnosis::Diagnosis;
use super::duplicates::{DuplicateFinder, NetworkLayer};
use super::sidedness::Sidedness;
use crate::decode::{DropReason, decode};
use crate::packet::{Marks, Packet};
use crate::source::live::LinkFacts;
use crate::source::{CaptureDrops, Frame, LinkType};
use crate::time::{NANOS_PER_SECOND, Timestamp};

/// Most VLAN identifiers that are remembered by name.
const MOST_VLANS: usize = 32;

/// Bytes around the IP packet that the interface's MTU leaves out: the Ethernet header and two VLAN tags.
const ETHERNET_OVERHEAD: u32 = 14 + 8;

/// How far behind the newest frame, and how far ahead of it, a time stamp is wrong (DETECTION 0.2, "Time").
const BEHIND: Duration = Duration::from_secs(2);
const AHEAD: Duration = Duration::from_secs(60);

/// Frames by what they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames seen.
    pub frames: u64,
    /// Bytes on the wire.
    pub bytes: u64,
    /// Frames of the busiest second.
    pub busiest_second: u64,
    /// Frames with a decoded IPv4 packet.
    pub ipv4: u64,
    /// Frames with a decoded IPv6 packet.
    pub ipv6: u64,
    /// Decoded packets to a single receiver, the only kind that a switch must be told to mirror.
    pub unicast: u64,
    /// Frames that could not be decoded, by reason.
    pub discarded: BTreeMap<DropReason, u64>,
    /// Frames with a VLAN tag.
    pub tagged: u64,
    /// Outermost VLAN identifiers, the first 32 of them.
    pub vlans: BTreeSet<u16>,
    /// Packets that were inside a tunnel.
    pub tunnelled: u64,
    /// Frames longer than the interface's MTU allows: merged by an offload.
    pub oversized: u64,
    /// The longest frame, in bytes on the wire.
    pub longest: u32,
    /// Packets whose headers were cut by the snap length.
    pub cut_headers: u64,
    /// Packets shorter on the wire than their own headers say: cut by the mirror.
    pub cut_by_mirror: u64,
}

/// What was wrong with time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamps {
    /// Frames more than two seconds behind an earlier one.
    pub behind: u64,
    /// Frames more than a minute ahead of the clock.
    pub ahead: u64,
    /// Frames stamped before 2020: the machine's clock is not set.
    pub unset: u64,
}

/// 2020-01-01T00:00:00Z.
const LONG_AGO: Timestamp = Timestamp::from_secs(1_577_836_800);

pub(super) struct Observer {
    facts: LinkFacts,
    counts: Counts,
    stamps: Stamps,
    newest: Timestamp,
    second: (u64, u64),
    sidedness: Sidedness,
    duplicates: DuplicateFinder,
}

impl Observer {
    pub(super) fn new(facts: LinkFacts) -> Self {
        Self {
            facts,
            counts: Counts::default(),
            stamps: Stamps::default(),
            newest: Timestamp::ZERO,
            second: (0, 0),
            sidedness: Sidedness::new(),
            duplicates: DuplicateFinder::new(),
        }
    }

    pub(super) fn frames(&self) -> u64 {
        self.counts.frames
    }

    /// Takes a frame; `expected` is the watermark before it, zero when there is none yet.
    pub(super) fn observe(&mut self, frame: &Frame<'_>, expected: Timestamp) {
        self.counts.frames += 1;
        self.counts.bytes += u64::from(frame.wire_len);
        self.counts.longest = self.counts.longest.max(frame.wire_len);
        self.time(frame.timestamp, expected);
        if self.is_oversized(frame) {
            self.counts.oversized += 1;
        }
        let layer = network_layer(frame);
        if let Some(vlan) = layer.and_then(|layer| layer.vlan) {
            self.counts.tagged += 1;
            if self.counts.vlans.len() < MOST_VLANS {
                self.counts.vlans.insert(vlan);
            }
        }
        match decode(frame) {
            Ok(packet) => self.packet(frame, &packet, layer),
            Err(reason) => *self.counts.discarded.entry(reason).or_default() += 1,
        }
    }

    fn time(&mut self, stamp: Timestamp, expected: Timestamp) {
        self.stamps.unset += u64::from(stamp < LONG_AGO);
        self.stamps.behind += u64::from(self.newest.since(stamp) > BEHIND);
        self.stamps.ahead += u64::from(expected > Timestamp::ZERO && stamp.since(expected) > AHEAD);
        self.newest = self.newest.max(stamp);
        let second = stamp.as_nanos() / NANOS_PER_SECOND;
        self.second = if self.second.0 == second { (second, self.second.1 + 1) } else { (second, 1) };
        self.counts.busiest_second = self.counts.busiest_second.max(self.second.1);
    }

    fn is_oversized(&self, frame: &Frame<'_>) -> bool {
        let Some(mtu) = self.facts.mtu else { return false };
        frame.link == LinkType::Ethernet && frame.wire_len > mtu.saturating_add(ETHERNET_OVERHEAD)
    }

    fn packet(&mut self, frame: &Frame<'_>, packet: &Packet, layer: Option<NetworkLayer<'_>>) {
        if packet.source.is_ipv4() {
            self.counts.ipv4 += 1;
        } else {
            self.counts.ipv6 += 1;
        }
        self.counts.unicast += u64::from(is_unicast(frame, packet));
        self.counts.tunnelled += u64::from(packet.marks.any(Marks::TUNNELLED));
        self.counts.cut_headers += u64::from(packet.marks.any(Marks::CUT));
        self.counts.cut_by_mirror += u64::from(u32::from(packet.payload_len) > packet.wire_len);
        self.sidedness.observe(packet);
        if let Some(layer) = layer {
            self.duplicates.observe(packet, layer);
        }
    }

    pub(super) fn diagnose(self, interface: &str, looked: Duration, dropped: CaptureDrops) -> Diagnosis {
        Diagnosis {
            interface: interface.to_owned(),
            looked,
            facts: self.facts,
            counts: self.counts,
            dropped,
            stamps: self.stamps,
            conversations: self.sidedness.conversations(),
            duplicates: self.duplicates.found(),
        }
    }
}

/// Tells whether a frame is for one receiver: by the group bit of an Ethernet address (IEEE 802), else by the address.
fn is_unicast(frame: &Frame<'_>, packet: &Packet) -> bool {
    if frame.link == LinkType::Ethernet {
        return frame.bytes.first().is_some_and(|first| first & 1 == 0);
    }
    let ip = packet.destination.to_ip();
    !ip.is_multicast() && packet.destination.to_ipv4().is_none_or(|ip| !ip.is_broadcast())
}

/// Finds the outermost IP packet of a frame, since a decoded packet no longer tells where it lay.
fn network_layer<'a>(frame: &Frame<'a>) -> Option<NetworkLayer<'a>> {
    let bytes = frame.bytes;
    match frame.link {
        LinkType::Ethernet => behind_tags(bytes, 12),
        LinkType::LinuxSll => behind_tags(bytes, 14),
        LinkType::LinuxSll2 => Some(NetworkLayer { bytes: bytes.get(20..)?, vlan: None }),
        LinkType::RawIp => Some(NetworkLayer { bytes, vlan: None }),
        LinkType::Null => Some(NetworkLayer { bytes: bytes.get(4..)?, vlan: None }),
        LinkType::Other(_) => None,
    }
}

/// Walks up to three VLAN tags (IEEE 802.1Q, 802.1ad and the older 0x9100) from the Ethertype at `at`.
fn behind_tags(bytes: &[u8], mut at: usize) -> Option<NetworkLayer<'_>> {
    let word = |at: usize| Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
    let mut vlan = None;
    for _ in 0..3 {
        if !matches!(word(at)?, 0x8100 | 0x88a8 | 0x9100) {
            break;
        }
        vlan = vlan.or(Some(word(at + 2)? & 0x0fff));
        at += 4;
    }
    Some(NetworkLayer { bytes: bytes.get(at + 2..)?, vlan })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::InterfaceId;

    fn frame(bytes: &[u8], seconds: u64) -> Frame<'_> {
        Frame {
            timestamp: Timestamp::from_secs(seconds),
            link: LinkType::Ethernet,
            interface: InterfaceId(0),
            wire_len: u32::try_from(bytes.len()).unwrap(),
            bytes,
        }
    }

    #[test]
    fn the_ip_packet_is_found_behind_two_tags() {
        let mut bytes = vec![0; 12];
        bytes.extend([0x88, 0xa8, 0x20, 0x64, 0x81, 0x00, 0x00, 0x07, 0x08, 0x00, 0x45]);
        let layer = network_layer(&frame(&bytes, 0)).unwrap();
        assert_eq!((layer.bytes, layer.vlan), (&[0x45][..], Some(100)));
        for length in 0..bytes.len() {
            let _ = network_layer(&frame(&bytes[..length], 0));
        }
    }

    #[test]
    fn wrong_time_stamps_are_counted() {
        let mut observer = Observer::new(LinkFacts::default());
        let now = Timestamp::from_secs(1_700_000_000);
        for seconds in [1_700_000_000, 1_699_999_999, 1_699_999_990, 1_700_000_100, 1_000] {
            observer.observe(&frame(&[0; 60], seconds), now);
        }
        assert_eq!(observer.stamps, Stamps { behind: 2, ahead: 1, unset: 1 });
    }

    #[test]
    fn frames_longer_than_the_mtu_are_oversized_and_tagged_ones_are_not() {
        let facts = LinkFacts { mtu: Some(1_500), ..LinkFacts::default() };
        let mut observer = Observer::new(facts);
        for length in [60, 1_514, 1_518, 1_522, 1_523, 9_000] {
            observer.observe(&frame(&vec![0; length], 1_700_000_000), Timestamp::ZERO);
        }
        assert_eq!(observer.counts.oversized, 2);
        assert_eq!(observer.counts.longest, 9_000);
        assert_eq!(observer.counts.busiest_second, 6);
    }
}
