//! Packets from outside that belong to no two-way conversation, by what they are: what floods are made of.

use std::num::NonZeroU16;

use crate::flow::Volume;
use crate::flow::key::{is_echo_reply, is_echo_request};
use crate::packet::{Marks, Packet, Protocol, TcpFlags};

/// What a stray packet is.
///
/// A conversation is two-way once it is a flow, and before that as soon as the protected side began it or answered it
/// with a SYN-ACK; an RST answers nothing. Every inbound packet without one counts under exactly one kind, SYNs under
/// none (they have counters of their own) and TCP cut before its flags neither. [`StrayKind::Fragment`] and
/// [`StrayKind::EchoRequest`] count every such packet, in a conversation or not.
///
/// What the host answers later is counted when it comes, and taken back by [`Stray::answered`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StrayKind {
    /// A datagram from the port of a service that reflects ([`REFLECTORS`]), while the host has asked no such service of
    /// that source in the last 30 s; from port 443 to port 443 it is a client's.
    Reply(NonZeroU16),
    /// A QUIC Initial of a conversation in which the host has said nothing.
    QuicInitial,
    /// Any other datagram of a conversation in which the host has said nothing.
    Datagram,
    /// An ICMP or ICMPv6 echo request; every one, answered or not, and never taken back.
    EchoRequest,
    /// An echo reply to no request.
    EchoReply,
    /// Any other ICMP or ICMPv6 message.
    OtherIcmp,
    /// An IP fragment, first or later; a first one counts under its other kind as well.
    Fragment,
    /// A SYN-ACK to no SYN.
    SynAck,
    /// A segment with ACK and without payload, SYN, FIN or RST, of no connection.
    Ack,
    /// A segment with payload of no connection.
    Data,
    /// RST, or FIN with ACK, of no connection.
    Reset,
    /// Flags that no stack sends: none of SYN, ACK and RST (RFC 9293 section 3.10.7: all but the first segment carry ACK),
    /// or SYN with FIN or RST.
    OddFlags,
    /// A protocol other than TCP, UDP and ICMP.
    OtherProtocol,
}

/// Ports of services that answer much to little and are used as reflectors (CISA alert TA14-017A and later reports).
///
/// 17 QOTD, 19 CharGEN, 53 DNS, 69 TFTP, 111 portmap, 123 NTP, 137 NetBIOS, 161 SNMP, 177 XDMCP, 389 CLDAP, 443 QUIC,
/// 520 RIPv1, 623 IPMI, 1194 OpenVPN, 1701 L2TP, 1900 SSDP, 3283 ARMS, 3389 RDP over UDP, 3702 WS-Discovery, 5060 SIP,
/// 5353 mDNS, 5683 CoAP, 11211 memcached, 27015 Steam.
pub const REFLECTORS: [u16; 24] = [
    17, 19, 53, 69, 111, 123, 137, 161, 177, 389, 443, 520, 623, 1_194, 1_701, 1_900, 3_283, 3_389, 3_702, 5_060,
    5_353, 5_683, 11_211, 27_015,
];

impl StrayKind {
    /// How many kinds there are.
    const COUNT: usize = 12 + REFLECTORS.len();

    /// Returns the kind of a reply from `port`, if that is a reflector's.
    #[must_use]
    pub fn reply(port: u16) -> Option<Self> {
        REFLECTORS.binary_search(&port).ok().and_then(|_| NonZeroU16::new(port)).map(Self::Reply)
    }

    /// Returns what a packet without a two-way conversation is; `asked` tells whether its receiver asked its sender.
    /// Echo requests and fragments are counted elsewhere, in a conversation or not.
    pub(crate) fn of(packet: &Packet, asked: impl FnOnce() -> bool) -> Option<Self> {
        match packet.protocol {
            Protocol::TCP => Self::of_segment(packet),
            Protocol::UDP => {
                let initial = packet.marks.any(Marks::QUIC_INITIAL);
                Some(Self::of_datagram(packet.source_port, packet.destination_port, initial, asked))
            }
            Protocol::ICMP | Protocol::ICMPV6 if is_echo_request(packet) => None,
            Protocol::ICMP | Protocol::ICMPV6 if is_echo_reply(packet) => Some(Self::EchoReply),
            Protocol::ICMP | Protocol::ICMPV6 => Some(Self::OtherIcmp),
            _ => Some(Self::OtherProtocol),
        }
    }

    /// Returns what an unanswered datagram is.
    pub(crate) fn of_datagram(source_port: u16, port: u16, initial: bool, asked: impl FnOnce() -> bool) -> Self {
        let client = source_port == QUIC && port == QUIC;
        match Self::reply(source_port).filter(|_| !client) {
            Some(reply) if !asked() => reply,
            _ if initial => Self::QuicInitial,
            _ => Self::Datagram,
        }
    }

    fn of_segment(packet: &Packet) -> Option<Self> {
        let flags = packet.flags;
        if !packet.is_tcp() || flags.is_syn() {
            return None;
        }
        let opens_and_ends = flags.has(TcpFlags::SYN) && flags.0 & (TcpFlags::FIN | TcpFlags::RST) != 0;
        Some(if opens_and_ends || flags.0 & (TcpFlags::SYN | TcpFlags::ACK | TcpFlags::RST) == 0 {
            Self::OddFlags
        } else if flags.has(TcpFlags::SYN) {
            Self::SynAck
        } else if flags.0 & (TcpFlags::RST | TcpFlags::FIN) != 0 {
            Self::Reset
        } else if packet.payload_len > 0 {
            Self::Data
        } else {
            Self::Ack
        })
    }

    /// Numbers the kinds from 0 to [`StrayKind::COUNT`].
    fn index(self) -> usize {
        match self {
            Self::QuicInitial => 0,
            Self::Datagram => 1,
            Self::EchoRequest => 2,
            Self::EchoReply => 3,
            Self::OtherIcmp => 4,
            Self::Fragment => 5,
            Self::SynAck => 6,
            Self::Ack => 7,
            Self::Data => 8,
            Self::Reset => 9,
            Self::OddFlags => 10,
            Self::OtherProtocol => 11,
            Self::Reply(port) => 12 + REFLECTORS.binary_search(&port.get()).unwrap_or(0),
        }
    }
}

/// The port of QUIC, which clients and reflections share.
const QUIC: u16 = 443;

/// What came of one kind in one tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    /// What it is.
    pub kind: StrayKind,
    /// How much.
    pub volume: Volume,
    /// How much of what was counted before, in this tick or earlier, was no stray after all: the host has answered the
    /// conversation in this tick. A server's clients make strays too, one a question; over some seconds `volume` less
    /// `answered` is what nobody answered.
    pub answered: Volume,
    /// From how many sources.
    pub sources: Distinct,
}

impl Stray {
    /// Begins the counts of a kind.
    #[must_use]
    pub const fn new(kind: StrayKind) -> Self {
        let none = Volume { packets: 0, bytes: 0 };
        Self { kind, volume: none, answered: none, sources: Distinct([0; 16]) }
    }
}

/// Distinct items by linear counting over 1,024 bits (Whang, Vander-Zanden & Taylor 1990): within 5 % up to a thousand
/// items, a lower bound beyond six thousand. Joined by union.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Distinct(pub [u64; 16]);

impl Distinct {
    /// Counts an item by a keyed hash of it.
    pub fn insert(&mut self, hash: u64) {
        self.0[(hash >> 60) as usize] |= 1 << (hash >> 54 & 63);
    }

    /// Joins another set with the same key into this one.
    pub fn join(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(mine, theirs)| *mine |= theirs);
    }

    /// Estimates how many different items were counted.
    #[must_use]
    pub fn estimate(&self) -> f64 {
        let empty: u32 = self.0.iter().map(|word| word.count_zeros()).sum();
        1_024.0 * (1_024.0 / f64::from(empty.max(1))).ln()
    }
}

/// Adds to the row of a kind in a list sorted by kind; the row is made if it is not there.
pub fn row(strays: &mut Vec<Stray>, kind: StrayKind) -> &mut Stray {
    let at = match strays.binary_search_by_key(&kind, |stray| stray.kind) {
        Ok(at) => at,
        Err(at) => {
            strays.insert(at, Stray::new(kind));
            at
        }
    };
    &mut strays[at]
}

/// Where the row of each kind is in a list under way, so that a packet searches nothing. Rows are in the order of their
/// first packet until the list is closed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StrayRows([u8; StrayKind::COUNT]);

impl StrayRows {
    pub(crate) const fn new() -> Self {
        Self([0; StrayKind::COUNT])
    }

    /// Returns the row of a kind; it is made if it is not there.
    pub(crate) fn row<'a>(&mut self, strays: &'a mut Vec<Stray>, kind: StrayKind) -> &'a mut Stray {
        let at = &mut self.0[kind.index()];
        if *at == 0 {
            strays.push(Stray::new(kind));
            *at = u8::try_from(strays.len()).unwrap_or(u8::MAX);
        }
        &mut strays[usize::from(*at) - 1]
    }

    /// Sorts the list and forgets its rows.
    pub(crate) fn close(&mut self, strays: &mut [Stray]) {
        if !strays.is_empty() {
            strays.sort_unstable_by_key(|stray| stray.kind);
            *self = Self::new();
        }
    }
}

/// Adds all rows of another list.
pub fn join(strays: &mut Vec<Stray>, others: &[Stray]) {
    for other in others {
        let stray = row(strays, other.kind);
        stray.volume += other.volume;
        stray.answered += other.answered;
        stray.sources.join(&other.sources);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use crate::hash::Seed;
    use crate::summary::sketch::source_hash;

    #[test]
    fn only_reflectors_reply() {
        assert!(REFLECTORS.is_sorted());
        assert_eq!(StrayKind::reply(53), NonZeroU16::new(53).map(StrayKind::Reply));
        assert_eq!(StrayKind::reply(54), None);
    }

    #[test]
    fn every_kind_has_a_row_of_its_own() {
        use StrayKind::*;
        let others = [
            QuicInitial,
            Datagram,
            EchoRequest,
            EchoReply,
            OtherIcmp,
            Fragment,
            SynAck,
            Ack,
            Data,
            Reset,
            OddFlags,
            OtherProtocol,
        ];
        let kinds: Vec<_> = REFLECTORS.iter().filter_map(|port| StrayKind::reply(*port)).chain(others).collect();
        let (mut rows, mut strays) = (StrayRows::new(), Vec::new());
        for _ in 0..2 {
            kinds.iter().for_each(|kind| rows.row(&mut strays, *kind).volume.count(60));
        }
        assert_eq!(strays.len(), StrayKind::COUNT);
        rows.close(&mut strays);
        assert!(strays.is_sorted_by_key(|stray| stray.kind) && strays.iter().all(|stray| stray.volume.packets == 2));
    }

    #[test]
    fn segments_are_told_by_their_flags_over_all_of_them() {
        for bits in 0..=u8::MAX {
            let packet = |payload_len| Packet {
                protocol: Protocol::TCP,
                flags: TcpFlags(bits),
                payload_len,
                ..Packet::default()
            };
            let (fin, syn, rst, ack) = (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0, bits & 16 != 0);
            let expected = match (syn, fin || rst, ack || rst) {
                (true, false, _) if !ack => None,
                (true, true, _) | (false, _, false) => Some(StrayKind::OddFlags),
                (true, false, _) => Some(StrayKind::SynAck),
                (false, true, true) => Some(StrayKind::Reset),
                (false, false, true) => Some(StrayKind::Ack),
            };
            assert_eq!(StrayKind::of(&packet(0), || false), expected, "{bits:#010b}");
            let data = expected.map(|kind| if kind == StrayKind::Ack { StrayKind::Data } else { kind });
            assert_eq!(StrayKind::of(&packet(9), || false), data, "{bits:#010b}");
        }
    }

    #[test]
    fn a_reply_is_one_that_nobody_asked_for() {
        let of = |from, to, initial, asked| StrayKind::of_datagram(from, to, initial, || asked);
        assert_eq!(Some(of(53, 4_000, false, false)), StrayKind::reply(53));
        assert_eq!(of(53, 4_000, false, true), StrayKind::Datagram);
        assert_eq!(Some(of(443, 4_000, true, false)), StrayKind::reply(443));
        assert_eq!(of(443, 443, true, false), StrayKind::QuicInitial);
        assert_eq!(of(4_000, 443, true, false), StrayKind::QuicInitial);
        assert_eq!(Some(of(123, 123, false, false)), StrayKind::reply(123));
        assert_eq!(of(4_000, 53, false, false), StrayKind::Datagram);
    }

    #[test]
    fn distinct_items_are_counted_within_their_error() {
        for n in [1_u32, 10, 100, 1_000, 4_000] {
            let mut set = Distinct::default();
            let hash = |item: u32| source_hash(Seed::default(), Address::v4(item.to_be_bytes()));
            (0..n).chain(0..n).for_each(|item| set.insert(hash(item)));
            let error = (set.estimate() - f64::from(n)).abs() / f64::from(n);
            assert!(error < 0.15, "{n}: {}", set.estimate());
        }
    }

    #[test]
    fn joining_adds_volumes_and_unites_sources() {
        let mut a = Vec::new();
        let stray = row(&mut a, StrayKind::Ack);
        stray.volume.count(60);
        stray.sources.insert(1 << 54);
        let mut b = a.clone();
        row(&mut b, StrayKind::QuicInitial).volume.count(1_200);
        join(&mut a, &b);
        assert_eq!(a.len(), 2);
        assert_eq!((a[0].kind, a[1].volume.packets), (StrayKind::QuicInitial, 2));
        assert!(a[1].sources.estimate() < 1.1);
    }
}
