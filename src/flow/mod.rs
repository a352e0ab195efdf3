//! The bounded flow table and the SYN cohort sampler.
//!
//! Three fixed stores hold everything that is remembered of a conversation: `pending` the first packets of one-way talk,
//! `table` flows that earned an entry by a proof of address or, on probation, by a two-way exchange, and `cohort` a
//! keyed sample of handshakes under way. Spoofed packets reach the first and the last, never the table. Nothing here
//! knows countries, baselines or alerts; what is protected is told from outside, as two bits in an entry.

use std::ops::AddAssign;

use crate::address::Address;
use crate::country::Country;
use crate::kind::closed_set;
use crate::packet::{Protocol, TcpFlags};
use crate::time::Timestamp;

pub(crate) mod asked;
pub(crate) mod attempts;
pub(crate) mod cohort;
pub(crate) mod entry;
pub mod key;
pub(crate) mod limits;
pub(crate) mod pending;
pub(crate) mod progress;
pub(crate) mod quic;
pub(crate) mod table;
pub(crate) mod tags;
pub(crate) mod tcp;
pub(crate) mod turns;

pub use cohort::{AGES, Outcome};
pub use limits::Timeouts;

closed_set! {
    /// Why a flow ended (IPFIX flowEndReason, information element 136, RFC 5102).
    EndReason {
        /// Idle for longer than the idle timeout.
        IdleTimeout = "idle_timeout",
        /// Active for longer than the active timeout: reported and kept.
        ActiveTimeout = "active_timeout",
        /// Closed by FIN or RST.
        EndOfFlow = "end_of_flow",
        /// The run ended, or the capture clock was set back.
        ForcedEnd = "forced_end",
        /// Its place was needed.
        LackOfResources = "lack_of_resources",
    }
}

/// Packets and their bytes on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Volume {
    /// Packets.
    pub packets: u64,
    /// Bytes on the wire.
    pub bytes: u64,
}

impl Volume {
    /// Counts one packet of `wire_len` bytes.
    pub fn count(&mut self, wire_len: u32) {
        self.packets += 1;
        self.bytes += u64::from(wire_len);
    }

    /// Tells whether nothing was counted.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.packets == 0 && self.bytes == 0
    }
}

impl AddAssign for Volume {
    fn add_assign(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
    }
}

/// A bidirectional flow as it leaves the table (RFC 5103), named after the IPFIX information elements (RFC 5102).
///
/// Records are ordered by end, then start, then key, so that a sink can sort what several shards wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowRecord {
    /// `flowEndMicroseconds`: the last packet.
    pub end: Timestamp,
    /// `flowStartMicroseconds`: the first packet of this record, one-way talk before the reply included.
    pub start: Timestamp,
    /// `sourceIPv4Address` or `sourceIPv6Address`: who opened the flow.
    pub originator: Address,
    /// `destinationIPv4Address` or `destinationIPv6Address`: who was asked.
    pub responder: Address,
    /// `sourceTransportPort`; 0 for protocols without ports.
    pub originator_port: u16,
    /// `destinationTransportPort`; for ICMP and ICMPv6 type * 256 + code of the request (`icmpTypeCodeIPv4`).
    pub responder_port: u16,
    /// `protocolIdentifier`.
    pub protocol: Protocol,
    /// `packetDeltaCount` and `octetDeltaCount` (on the wire), from originator to responder.
    pub sent: Volume,
    /// `reversePacketDeltaCount` and `reverseOctetDeltaCount`, from responder to originator.
    pub received: Volume,
    /// `tcpControlBits` of the originator, all segments of the flow united.
    pub originator_flags: TcpFlags,
    /// `reverseTcpControlBits`.
    pub responder_flags: TcpFlags,
    /// `flowEndReason`.
    pub end_reason: EndReason,
    /// Where the originator's address is registered.
    pub country: Country,
    /// The originator proved its address (DETECTION 0.2): TCP by its handshake or by what follows from one, QUIC by the
    /// server's connection id; nothing else does.
    pub verified: bool,
}

impl FlowRecord {
    fn sort_key(&self) -> impl Ord + use<> {
        let ends = (self.originator, self.responder, self.originator_port, self.responder_port, self.protocol);
        (self.end, self.start, ends, self.end_reason, self.sent, self.received)
    }
}

impl PartialOrd for FlowRecord {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for FlowRecord {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let flags =
            |record: &Self| (record.originator_flags.0, record.responder_flags.0, record.country, record.verified);
        self.sort_key().cmp(&other.sort_key()).then_with(|| flags(self).cmp(&flags(other)))
    }
}
