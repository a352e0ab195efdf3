//! One flow in the table: 96 bytes of counts, TCP progress and what the shard remembers of it.
//!
//! A flow is on *probation* until it has carried payload both ways and is either larger than a kilobyte each way or
//! older than ten seconds (DETECTION 6.1); its [`Standing`] decides who goes first when a bucket is full.

use std::time::Duration;

use crate::address::Address;
use crate::country::Country;
use crate::flow::key::{FlowKey, Side};
use crate::flow::limits::{Timeouts, micros_between, micros_since, micros32};
use crate::flow::pending::Talk;
use crate::flow::{EndReason, FlowRecord, Volume};
use crate::packet::{Packet, Protocol, TcpFlags};
use crate::policy::{Direction, SiteId};
use crate::time::Timestamp;

/// What became known of a flow, one bit each; those with a side take two, the low end's first.
pub(crate) struct State;

impl State {
    pub(crate) const ORIGINATOR_HIGH: u32 = 1;
    pub(crate) const VERIFIED: u32 = 1 << 1;
    /// The whole handshake was seen, so that the first payload of each side is the first there was.
    pub(crate) const HANDSHAKE: u32 = 1 << 2;
    pub(crate) const SERVED: u32 = 1 << 3;
    pub(crate) const SETTLED: u32 = 1 << 4;
    /// Reset, or both FINs acknowledged: over, kept for stragglers.
    pub(crate) const CLOSED: u32 = 1 << 5;
    pub(crate) const PROTECTED: u32 = 1 << 6;
    pub(crate) const PAYLOAD: u32 = 1 << 8;
    pub(crate) const FIN: u32 = 1 << 10;
    pub(crate) const FIN_ACKED: u32 = 1 << 12;
    /// Open at a protected host, and counted there as such.
    pub(crate) const COUNTED: u32 = 1 << 14;
    /// Five seconds old, and counted as such.
    pub(crate) const RIPE: u32 = 1 << 15;
    /// Waits for its client, and is counted as such.
    pub(crate) const WAITING: u32 = 1 << 16;
    /// The client's window is closed, and that is counted.
    pub(crate) const BLOCKED: u32 = 1 << 17;
    /// Something of what it carried was told while it went on.
    pub(crate) const PROGRESS: u32 = 1 << 18;
    /// Its client goes on in slow pieces, and that is counted. Bits 19 to 28 are those of `turns`.
    pub(crate) const DRIPPING: u32 = 1 << 29;
    /// The originator began with a QUIC Initial.
    pub(crate) const QUIC: u32 = 1 << 30;
    /// The originator had to send some of its payload, or its SYN, again.
    pub(crate) const REPEATED: u32 = 1 << 31;

    /// Returns the bit of one side of a two-bit state.
    pub(crate) const fn of(bit: u32, side: Side) -> u32 {
        bit << side as u32
    }

    /// Returns both bits of a two-bit state.
    pub(crate) const fn both(bit: u32) -> u32 {
        bit | bit << 1
    }
}

/// Who has to go first when a place is needed, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// Over, kept for stragglers only.
    Closed,
    /// Probation without payload both ways; a handshake gets three seconds to send its first data.
    Empty,
    /// Probation with payload, the originator unproven.
    Unproven,
    /// Probation, the originator proven.
    Proven,
    /// Protected, but idle for more than a minute.
    Idle,
    /// Protected: never evicted.
    Protected,
}

/// A flow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flow {
    pub(crate) key: FlowKey,
    /// The hash bits that give tag and buckets; in a free place the next free one.
    pub(crate) hash: u32,
    start: Timestamp,
    /// Last packet, in microseconds after `start`.
    last_us: u32,
    /// The originator's last question that has no answer yet, in microseconds after `start`; [`Flow::NOT_ASKED`] while there
    /// is none.
    pub(super) asked_us: u32,
    packets: [u32; 2],
    bytes_low: [u32; 2],
    bytes_high: [u8; 2],
    /// Largest sequence number after a segment, by side; 0 while none was seen. Of QUIC the client's first choice and the
    /// server's last one of the server's connection id.
    pub(crate) sequence_end: [u32; 2],
    controls: [TcpFlags; 2],
    pub(crate) state: u32,
    /// Of the end outside, or of the originator where both or neither are protected. Known once verified.
    pub(crate) country: Country,
    /// The protected end's site. Policies hold at most 256.
    site: u8,
    /// Number of the policy by which `site` and the protected bits were set.
    pub(crate) epoch: u8,
    /// Ten-second period in which the source was last counted among distinct sources.
    pub(crate) period: u8,
    /// Hint: where the protected host was last found.
    pub(crate) place: u8,
}

const _: () = assert!(size_of::<Flow>() <= 96, "a million flows fit 96 MiB");

/// Bytes each way that end probation (DETECTION 6.1).
const PROTECTED_BYTES: u64 = 1_000;
/// Age that ends probation, and at which the shape of a flow counts as settled.
pub(crate) const SETTLED_AGE: Duration = Duration::from_secs(10);
/// Age at which a connection should have carried something.
const RIPE_AGE: Duration = Duration::from_secs(5);
/// Bytes after which a conversation is told of while it goes on: 4 MiB.
const PROGRESS_BITS: u32 = 22;
const EMPTY_GRACE: Duration = Duration::from_secs(3);
const PROTECTED_IDLE: Duration = Duration::from_secs(60);

impl Flow {
    /// Makes the entry of a flow that began with `talk`; the packet that earned it is not counted yet.
    pub(crate) fn new(key: FlowKey, hash: u32, talk: &Talk, now: Timestamp, originator: Side) -> Self {
        let age = Duration::from_micros(u64::from(micros_between(talk.first_us, micros32(now))));
        let mut flow = Self {
            key,
            hash,
            start: now.minus(age),
            last_us: 0,
            asked_us: Self::NOT_ASKED,
            packets: [0; 2],
            bytes_low: [0; 2],
            bytes_high: [0; 2],
            sequence_end: [0; 2],
            controls: [TcpFlags::default(); 2],
            state: if originator == Side::High { State::ORIGINATOR_HIGH } else { 0 },
            country: Country::UNKNOWN,
            site: 0,
            epoch: 0,
            period: u8::MAX,
            place: 0,
        };
        flow.take_over(talk);
        flow
    }

    fn take_over(&mut self, talk: &Talk) {
        let (first, other) = (talk.first_side(), talk.first_side().other());
        self.add(first, u32::from(talk.packets), talk.bytes);
        self.add(other, u32::from(talk.reply_packets), u32::from(talk.reply_bytes));
        if talk.has(Talk::FIRST_PAYLOAD) {
            self.state |= State::of(State::PAYLOAD, first);
        }
        if talk.has(Talk::SYN) {
            self.controls[talk.server_side().other().index()].0 |= TcpFlags::SYN;
        }
        if talk.has(Talk::SYN_ACK) {
            self.controls[talk.server_side().index()].0 |= TcpFlags::SYN | TcpFlags::ACK;
            self.sequence_end[talk.server_side().index()] = talk.number.wrapping_add(1);
        } else {
            self.sequence_end[first.index()] = talk.number;
        }
    }

    fn add(&mut self, side: Side, packets: u32, bytes: u32) {
        let at = side.index();
        self.packets[at] = self.packets[at].saturating_add(packets);
        let (low, carried) = self.bytes_low[at].overflowing_add(bytes);
        self.bytes_low[at] = low;
        if carried {
            self.carry(at);
        }
    }

    /// Takes what the low halves of the bytes cannot hold; a terabyte is the most there can be.
    #[cold]
    fn carry(&mut self, at: usize) {
        match self.bytes_high[at].checked_add(1) {
            Some(high) => self.bytes_high[at] = high,
            None => self.bytes_low[at] = u32::MAX,
        }
    }

    fn bytes(&self, side: Side) -> u64 {
        u64::from(self.bytes_low[side.index()]) | u64::from(self.bytes_high[side.index()]) << 32
    }

    /// Counts a packet sent by `side`; returns how many microseconds after the flow's start it came.
    #[inline]
    pub(crate) fn count(&mut self, packet: &Packet, side: Side) -> u32 {
        if self.packets == [0; 2] && packet.timestamp > self.start {
            // The first packet after a report opens the next record.
            self.start = packet.timestamp;
        }
        let age_us = self.age_us(packet.timestamp);
        self.last_us = self.last_us.max(age_us);
        self.add(side, 1, packet.wire_len);
        self.controls[side.index()].0 |= packet.flags.0;
        age_us
    }

    /// Reads something of each cache line of the entry.
    pub(crate) fn touch(&self) -> u64 {
        u64::from(self.key.low_port) ^ u64::from(self.key.protocol.0) ^ self.start.as_nanos() ^ u64::from(self.state)
    }

    pub(crate) fn has(&self, bits: u32) -> bool {
        self.state & bits == bits
    }

    pub(crate) fn set(&mut self, bits: u32) {
        self.state |= bits;
    }

    pub(crate) fn originator(&self) -> Side {
        if self.has(State::ORIGINATOR_HIGH) { Side::High } else { Side::Low }
    }

    pub(crate) fn is_tcp(&self) -> bool {
        self.key.protocol == Protocol::TCP
    }

    /// Returns the last packet's time.
    pub(crate) fn last(&self) -> Timestamp {
        Timestamp::from_nanos(self.start.as_nanos().saturating_add(u64::from(self.last_us) * 1_000))
    }

    /// Returns the microseconds from the flow's start to `now`.
    pub(crate) fn age_us(&self, now: Timestamp) -> u32 {
        micros_since(self.start, now)
    }

    /// Returns the microseconds since the last packet.
    pub(crate) fn idle_us(&self, now: Timestamp) -> u32 {
        micros_since(self.start, now).saturating_sub(self.last_us)
    }

    /// Returns the time since the last packet.
    pub(crate) fn idle(&self, now: Timestamp) -> Duration {
        now.since(self.last())
    }

    /// Takes what is protected at each end; `epoch` numbers the policy that says so.
    pub(crate) fn set_border(&mut self, low: Option<SiteId>, high: Option<SiteId>, epoch: u8) {
        self.state &= !State::both(State::PROTECTED);
        self.state |= if low.is_some() { State::of(State::PROTECTED, Side::Low) } else { 0 };
        self.state |= if high.is_some() { State::of(State::PROTECTED, Side::High) } else { 0 };
        self.site = low.or(high).map_or(0, |site| u8::try_from(site.0).unwrap_or(u8::MAX));
        self.epoch = epoch;
    }

    /// Returns the only protected end.
    pub(crate) fn protected(&self) -> Option<Side> {
        match (self.has(State::PROTECTED), self.has(State::of(State::PROTECTED, Side::High))) {
            (true, false) => Some(Side::Low),
            (false, true) => Some(Side::High),
            _ => None,
        }
    }

    /// Tells which way a packet from `side` crosses the border.
    #[inline]
    pub(crate) fn direction(&self, side: Side) -> Direction {
        let site = SiteId(u16::from(self.site));
        let is_protected = |side| self.has(State::of(State::PROTECTED, side));
        match (is_protected(side), is_protected(side.other())) {
            (true, false) => Direction::Outbound(site),
            (false, true) => Direction::Inbound(site),
            (true, true) => Direction::Internal,
            (false, false) => Direction::Transit,
        }
    }

    /// Tells which way the flow was opened.
    pub(crate) fn opened(&self) -> Direction {
        self.direction(self.originator())
    }

    /// Returns the end whose country counts: the one outside, else the originator.
    pub(crate) fn origin(&self) -> Address {
        self.key.address(self.protected().map_or(self.originator(), Side::other))
    }

    /// Returns what went from `side` to the other end since the last report.
    pub(crate) fn volume(&self, side: Side) -> Volume {
        Volume { packets: u64::from(self.packets[side.index()]), bytes: self.bytes(side) }
    }

    /// Returns what the low and the high end sent since the last report.
    pub(crate) fn volumes(&self) -> [Volume; 2] {
        [self.volume(Side::Low), self.volume(Side::High)]
    }

    /// Tells whether its protocol has ports.
    pub(crate) fn has_ports(&self) -> bool {
        matches!(self.key.protocol, Protocol::TCP | Protocol::UDP)
    }

    /// Tells who has to go first when a place is needed, and for how long there was a reason to.
    pub(crate) fn standing(&self, now: Timestamp) -> (Standing, Duration) {
        let (age, idle) = (now.since(self.start), self.idle(now));
        let both_ways = self.has(State::both(State::PAYLOAD));
        let sizeable = self.bytes(Side::Low).min(self.bytes(Side::High)) >= PROTECTED_BYTES;
        if self.has(State::CLOSED) {
            (Standing::Closed, idle)
        } else if both_ways && (sizeable || age > SETTLED_AGE) {
            if idle > PROTECTED_IDLE { (Standing::Idle, idle) } else { (Standing::Protected, idle) }
        } else if !both_ways && (!self.has(State::VERIFIED) || age > EMPTY_GRACE) {
            (Standing::Empty, age)
        } else if self.has(State::VERIFIED) {
            (Standing::Proven, idle)
        } else {
            (Standing::Unproven, idle)
        }
    }

    fn idle_timeout(&self, timeouts: &Timeouts) -> Duration {
        if self.has(State::CLOSED) {
            timeouts.linger
        } else if self.state & State::both(State::FIN) != 0 {
            timeouts.closing
        } else if self.is_tcp() && self.has(State::VERIFIED) {
            timeouts.established
        } else {
            timeouts.datagram
        }
    }

    /// Tells whether the flow's contact is still to be settled.
    pub(crate) fn awaits_settlement(&self) -> bool {
        !self.has(State::SETTLED)
    }

    /// Tells whether it is still to be counted as five seconds old.
    pub(crate) fn awaits_ripeness(&self) -> bool {
        self.is_tcp() && self.has(State::COUNTED) && !self.has(State::RIPE)
    }

    /// Tells whether the flow is old enough to have sent something.
    pub(crate) fn is_ripe(&self, now: Timestamp) -> bool {
        now.since(self.start) >= RIPE_AGE
    }

    /// Tells whether the packet just counted, of `wire_len` bytes, completed another 4 MiB.
    pub(crate) fn has_advanced(&self, wire_len: u32) -> bool {
        // The low halves are enough, since 2^32 is a multiple of the step.
        let total = self.bytes_low[0].wrapping_add(self.bytes_low[1]);
        total >> PROGRESS_BITS != total.wrapping_sub(wire_len) >> PROGRESS_BITS
    }

    /// Tells whether what it carried was told, or was to be told, before its end.
    pub(crate) fn owes_progress(&self) -> bool {
        self.has(State::PROGRESS) || self.total_bytes() >> PROGRESS_BITS != 0
    }

    fn total_bytes(&self) -> u64 {
        self.bytes(Side::Low) + self.bytes(Side::High)
    }

    /// Returns the first moment at which something has to be done about the flow.
    pub(crate) fn deadline(&self, timeouts: &Timeouts) -> Timestamp {
        let over = self.last().plus(self.idle_timeout(timeouts)).min(self.start.plus(timeouts.active));
        if self.awaits_ripeness() {
            over.min(self.start.plus(RIPE_AGE))
        } else if self.awaits_settlement() {
            over.min(self.start.plus(SETTLED_AGE))
        } else {
            over
        }
    }

    /// Tells why the flow has ended or is to be reported, if so.
    pub(crate) fn ending(&self, timeouts: &Timeouts, now: Timestamp) -> Option<EndReason> {
        if self.idle(now) >= self.idle_timeout(timeouts) {
            let closing = self.has(State::CLOSED) || self.state & State::both(State::FIN) != 0;
            Some(if closing { EndReason::EndOfFlow } else { EndReason::IdleTimeout })
        } else if now.since(self.start) >= timeouts.active {
            Some(EndReason::ActiveTimeout)
        } else {
            None
        }
    }

    /// Tells whether the flow is old enough for its shape to be settled.
    pub(crate) fn is_of_age(&self, now: Timestamp) -> bool {
        now.since(self.start) >= SETTLED_AGE
    }

    /// Begins the next record after one was written.
    pub(crate) fn restart(&mut self) {
        self.start = self.last();
        self.last_us = 0;
        self.packets = [0; 2];
        self.bytes_low = [0; 2];
        self.bytes_high = [0; 2];
    }

    /// Writes the flow as a record; `country` is the originator's.
    pub(crate) fn record(&self, end_reason: EndReason, country: Country) -> FlowRecord {
        let (originator, responder) = (self.originator(), self.originator().other());
        let (originator_port, responder_port) = self.key.record_ports(originator);
        FlowRecord {
            end: self.last(),
            start: self.start,
            originator: self.key.address(originator),
            responder: self.key.address(responder),
            originator_port,
            responder_port,
            protocol: self.key.protocol,
            sent: self.volume(originator),
            received: self.volume(responder),
            originator_flags: self.controls[originator.index()],
            responder_flags: self.controls[responder.index()],
            end_reason,
            country,
            verified: self.has(State::VERIFIED),
        }
    }
}
