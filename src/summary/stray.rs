//! Packets from outside that belong to no two-way conversation, by what they are: what floods are made of.

use std::num::NonZeroU16;

use crate::flow::Volume;

/// What a stray packet is.
///
/// Every inbound packet without a two-way conversation counts under exactly one kind, SYNs under none (they have
/// counters of their own); [`StrayKind::Fragment`] and [`StrayKind::EchoRequest`] count every such packet, in a
/// conversation or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StrayKind {
    /// A datagram from the port of a service that reflects ([`REFLECTORS`]), while the host has asked nothing of that
    /// source in the last 30 s.
    Reply(NonZeroU16),
    /// A QUIC Initial of a conversation in which the host has said nothing.
    QuicInitial,
    /// Any other datagram of a conversation in which the host has said nothing.
    Datagram,
    /// An ICMP or ICMPv6 echo request; every one, answered or not.
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
    /// RST or FIN of no connection.
    Reset,
    /// Flags that no stack sends: none, or SYN with FIN or RST.
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
    /// Returns the kind of a reply from `port`, if that is a reflector's.
    #[must_use]
    pub fn reply(port: u16) -> Option<Self> {
        REFLECTORS.binary_search(&port).ok().and_then(|_| NonZeroU16::new(port)).map(Self::Reply)
    }
}

/// What came of one kind in one tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    /// What it is.
    pub kind: StrayKind,
    /// How much.
    pub volume: Volume,
    /// From how many sources.
    pub sources: Distinct,
}

impl Stray {
    /// Begins the counts of a kind.
    #[must_use]
    pub const fn new(kind: StrayKind) -> Self {
        Self { kind, volume: Volume { packets: 0, bytes: 0 }, sources: Distinct([0; 16]) }
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

/// Adds all rows of another list.
pub fn join(strays: &mut Vec<Stray>, others: &[Stray]) {
    for other in others {
        let stray = row(strays, other.kind);
        stray.volume += other.volume;
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
