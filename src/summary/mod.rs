//! What one shard counted in one tick: integers and mergeable sketches, no floats, no baselines.
//!
//! A [`Summary`] is complete in itself, so that shards, and one day several probes, can be merged: counts are added,
//! sketches are joined by maximum, records are concatenated and sorted. Merging is associative and commutative after
//! [`Summary::sort`], and [`Summary::default`] is its neutral element.

use crate::address::Address;
use crate::country::Country;
use crate::packet::Protocol;
use crate::policy::SiteId;
use crate::sampling::Sampling;
use crate::time::{Tick, Timestamp};

mod candidates;
mod contacts;
mod hosts;
mod merge;
mod order;
mod partition;
mod places;
mod probe;
mod scale;
mod shard;
mod sites;
pub mod sketch;
pub mod stray;

pub use crate::flow::{AGES, EndReason, Outcome, Volume};
pub(crate) use merge::sort_by_time;
pub use probe::{Knock, Probe, ProbeOutcome};
pub use shard::{Memory, Routed, Shard, ShardSettings};
pub use stray::{Distinct, Stray, StrayKind};

/// Outcomes of the sampled handshakes of one host in one tick, by age in ticks.
///
/// Everything but `sampled` is weighted: a handshake followed at a rate of 1 in 2^s counts 2^s. Ages let the scorer
/// choose a deadline for each host after the fact: of the handshakes answered in tick `a`, those finished within `k`
/// ticks are the sum over `j <= k` of `finished[j]` of tick `a + j`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CohortTick {
    /// Handshakes that began to be followed in this tick, unweighted: the `n` of every test.
    pub sampled: u32,
    /// The same, weighted: an estimate of first SYNs, retransmissions removed.
    pub opened: u32,
    /// First answered (SYN-ACK) in this tick, by ticks since the first SYN.
    pub answered: [u32; AGES],
    /// Proved their address in this tick, by ticks since the SYN-ACK.
    pub finished: [u32; AGES],
    /// Reset by the client in this tick after the answer and before finishing, by ticks since the SYN-ACK.
    pub abandoned: [u32; AGES],
    /// Retried (the same SYN again, 700 ms or more after the first) while unanswered, first time, by ticks since the first SYN.
    pub retried: [u32; AGES],
    /// Refused by the server (RST to the SYN) in this tick, by ticks since the first SYN.
    pub refused: [u32; AGES],
    /// Finished handshakes that the server turned away, the sign of a full accept queue: it repeated its SYN-ACK after the
    /// client's ACK (700 ms or more after its first SYN-ACK; Linux drops the ACK), or reset the connection within a second
    /// and without a byte (Linux with `tcp_abort_on_overflow`, tcp(7)).
    pub turned_away: u32,
}

/// QUIC connections to one host in one tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuicTick {
    /// First Initials of a client's conversation, retransmissions removed.
    pub opened: u32,
    /// Conversations the host answered for the first time, with a connection id of its own.
    pub answered: u32,
    /// Clients that used a connection id the host had chosen, for the first time: their address is proven (RFC 9000
    /// section 8.1).
    pub finished: u32,
}

/// What became of verified TCP connections to one host in one tick. Gauges follow from sums: what began less what ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionTick {
    /// Connections that turned five seconds old, or ended before.
    pub ripe: u32,
    /// Those among them whose client had sent no payload.
    pub empty: u32,
    /// Verified connections that ended, or lost their place; QUIC too, so that the sum of [`HostTick::verified`] less that of
    /// this is how many are open.
    pub ended: u32,
    /// Connections that began to wait for their client: ten seconds old since a handshake that was seen, with less than 300
    /// bytes of payload from the client and none from the host; or the client sends a third piece of less than 300 bytes,
    /// each after a second of silence, and the host has nothing to say in between.
    pub waiting_began: u32,
    /// Connections that no longer wait: the host sent payload, or they ended.
    pub waiting_ended: u32,
    /// Connections of those that wait whose client began to go on in slow pieces.
    pub dripping_began: u32,
    /// Those that no longer do: the host sent payload, or they ended.
    pub dripping_ended: u32,
    /// Connections whose client closed its receive window (0 bytes) after the host had sent payload.
    pub blocked_began: u32,
    /// Those that opened it again, or ended.
    pub blocked_ended: u32,
}

/// What one protected host did in one tick.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostTick {
    /// The protected host.
    pub address: Address,
    /// Of which part of the pairs of addresses this was counted; then it stands for all ([`Summary::stand_for_all`]).
    pub sampling: Sampling,
    /// To it from outside.
    pub inbound: Volume,
    /// From it to the outside.
    pub outbound: Volume,
    /// Inbound TCP and outbound TCP packets: what tells a one-sided capture.
    pub tcp_in: u32,
    /// Outbound TCP packets.
    pub tcp_out: u32,
    /// Inbound SYNs, retransmissions included, exact.
    pub syn: u32,
    /// Outbound SYN-ACKs, repetitions included, exact.
    pub syn_ack: u32,
    /// Inbound RSTs.
    pub rst_in: u32,
    /// Outbound RSTs.
    pub rst_out: u32,
    /// Inbound UDP datagrams, in a conversation or not.
    pub udp_in: Volume,
    /// Inbound packets without a two-way conversation, by kind, sorted.
    pub strays: Vec<Stray>,
    /// QUIC connections from outside.
    pub quic: QuicTick,
    /// What became of verified TCP connections from outside.
    pub connections: ConnectionTick,
    /// Inbound connections whose client proved its address in this tick, exact for TCP (sampled or not), and QUIC connections
    /// that did so by their connection ids ([`QuicTick::finished`]).
    pub verified: u32,
    /// Those among them to which the server sent payload for the first time in this tick.
    pub served: u32,
    /// Conversations (TCP, both ways seen) that began to be known in this tick: tells a two-sided capture.
    pub two_sided: u32,
    /// TCP clients that sent payload and had not before, answered or not: the denominator of sidedness.
    pub client_data: u32,
    /// Handshake outcomes.
    pub cohort: CohortTick,
    /// Time from a connection's first client payload to the server's first payload, in classes of
    /// [2^(i-1), 2^i) milliseconds, class 0 below 1 ms, the last one open.
    pub first_byte: [u32; 16],
    /// Time from a client's question to the server's answer, of all but the first on a connection, in the same classes: to its
    /// first payload, and silences of a quarter of a second or more that payload ends afterwards. Clients that ended the
    /// connection after a second or more without an answer are among them.
    pub answers: [u32; 16],
    /// Those among them that ended a silence after a first payload: one more for a question that is counted already.
    pub answers_resumed: u32,
    /// Clients that ended the connection instead of waiting.
    pub given_up: u32,
    /// Verified connections by country of the client, sorted by country.
    pub verified_from: Vec<(Country, u32)>,
    /// Inbound SYNs by destination port, sorted by port. Each partition counts the first eight ports it sees in the tick;
    /// the rest is under port 0.
    pub syn_ports: Vec<(u16, u32)>,
}

/// What one site received from one country on verified flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OriginTick {
    /// The site.
    pub site: SiteId,
    /// The client's country; `None` for packets of flows that proved nothing.
    pub country: Option<Country>,
    /// What came in.
    pub inbound: Volume,
}

/// Totals of one site, hosts without a place of their own included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiteTick {
    /// The site.
    pub site: SiteId,
    /// To it from outside.
    pub inbound: Volume,
    /// From it to the outside.
    pub outbound: Volume,
    /// Between protected hosts.
    pub internal: Volume,
    /// Inbound packets without a two-way conversation, by kind, sorted; hosts without a place included.
    pub strays: Vec<Stray>,
    /// How many different hosts they went to.
    pub stray_targets: Distinct,
    /// Registers of a HyperLogLog (p = 10) of inbound source units, keyed; present on the ticks that close a period of 10 s
    /// and then covers that period.
    pub sources: Option<Box<[u8; 1 << SOURCE_PRECISION]>>,
}

/// Precision of the distinct-source sketch: 1,024 registers, standard error 3.3 % (Flajolet et al. 2007).
pub const SOURCE_PRECISION: u32 = 10;

/// Facts about one followed handshake, at its look (1 s after the first SYN) and at its close (3.5 s after).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CohortRecord {
    /// The protected host.
    pub target: Address,
    /// Source unit of the client: the address for IPv4, the /64 for IPv6.
    pub source: Address,
    /// When the first SYN came.
    pub first_syn: Timestamp,
    /// Destination port.
    pub port: u16,
    /// How many handshakes it stands for: 2^shift when it was chosen.
    pub weight: u32,
    /// Time to live, or hop limit, of its first SYN.
    pub ttl: u8,
    /// Window of its first SYN.
    pub window: u16,
    /// Look or close.
    pub stage: CohortStage,
    /// What happened so far.
    pub outcome: Outcome,
}

/// When a [`CohortRecord`] was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CohortStage {
    /// One second after the first SYN.
    Look,
    /// Three and a half seconds after it; the handshake is no longer followed.
    Close,
}

/// A conversation both ways: at its verification (TCP), when its shape is settled (its end, or 10 s of age), and while it
/// carries much.
///
/// Contacts are thinned by source hash, per partition, when there are more than a tick may carry: all flows of a chosen
/// source are kept, and `weight` says how many sources it stands for. Those of verified conversations, those of others and
/// those of progress are thinned apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contact {
    /// When.
    pub at: Timestamp,
    /// Verification or settlement.
    pub stage: ContactStage,
    /// Who opened it.
    pub originator: Address,
    /// Who was asked.
    pub responder: Address,
    /// The responder's port.
    pub port: u16,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The originator's country.
    pub country: Country,
    /// The originator proved its address: always for TCP, by connection id for QUIC, never for other protocols.
    pub verified: bool,
    /// Time since its first packet, in milliseconds; of a conversation that is reported every half hour (the active
    /// timeout), since the last report.
    pub age_ms: u32,
    /// From originator to responder: so far, or since the last `Progress`.
    pub sent: Volume,
    /// From responder to originator: so far, or since the last `Progress`.
    pub received: Volume,
    /// Payload went both ways: the source may become known.
    pub served: bool,
    /// The originator had to send some of its payload, or its SYN, again: how much it sent is the path's or the server's
    /// doing.
    pub repeated: bool,
    /// How many sources it stands for.
    pub weight: u32,
}

/// When a [`Contact`] was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContactStage {
    /// The originator has just proved its address.
    Verified,
    /// It ended, or is 10 s old; `sent` and `received` count from its beginning.
    Settled,
    /// It has carried another 4 MiB since the last such contact, or it ended after one; `sent` and `received` count from
    /// the last one. What a conversation carried in all is the sum of these; one that carried less has none.
    Progress,
    /// Its client began to keep the server waiting for the rest of a request, and no longer does.
    Waiting,
    /// See [`ContactStage::Waiting`].
    NotWaiting,
    /// Its client stopped reading what the server has sent, and no longer does.
    Blocked,
    /// See [`ContactStage::Blocked`].
    NotBlocked,
}

impl ContactStage {
    /// Tells whether it is of a connection that its client holds, and no beginning or end.
    #[must_use]
    pub const fn is_held(self) -> bool {
        matches!(self, Self::Waiting | Self::NotWaiting | Self::Blocked | Self::NotBlocked)
    }
}

/// Packets to one destination that is not protected, while protection is being learned: the heaviest only. A destination
/// is in the summary as a candidate or as a host, never as both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidate {
    /// The destination.
    pub address: Address,
    /// Packets in this tick; at most the true count (Misra & Gries 1982).
    pub packets: u32,
    /// Bytes of the packets that came since it was last among the heaviest, in this tick.
    pub bytes: u64,
    /// Those without a two-way conversation, by kind, sorted: the first four kinds a partition sees of it.
    pub strays: Vec<Stray>,
}

/// The flow table, as gauges and counts of one tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowTick {
    /// Entries in the table at the end of the tick.
    pub active: u64,
    /// Flows admitted in the tick.
    pub admitted: u64,
    /// Flows that found no place, since every candidate for eviction was protected and busy.
    pub refused: u64,
    /// Flows that ended in the tick, by [`crate::flow::EndReason`], in the order of `EndReason::ALL`.
    pub ended: [u64; 5],
    /// Packets that had no flow when they came: one-way talk, and handshakes until the client's third segment.
    pub unanswered: u64,
    /// Places taken in the cohort sampler at the end of the tick.
    pub cohort_active: u64,
    /// Largest sampling shift of any partition.
    pub sampler_shift: u32,
    /// Handshakes that could not be followed because the sampler was full.
    pub cohort_refused: u64,
    /// Packets of protected hosts that had no place in their partition: such hosts count in their site only.
    pub hosts_refused: u64,
    /// TCP data segments of flows, and those among them that repeated the segment before within 50 ms: SPAN duplicates.
    pub data_segments: u64,
    /// See `data_segments`.
    pub repeated_segments: u64,
}

/// Everything one shard counted in one tick.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The tick.
    pub tick: Tick,
    /// By protected host, sorted by address.
    pub hosts: Vec<HostTick>,
    /// By site, sorted by id.
    pub sites: Vec<SiteTick>,
    /// By site and country, sorted.
    pub origins: Vec<OriginTick>,
    /// Followed handshakes.
    pub cohorts: Vec<CohortRecord>,
    /// Conversations.
    pub contacts: Vec<Contact>,
    /// First contacts whose outcome became known.
    pub probes: Vec<Probe>,
    /// Heavy destinations, while protection is being learned.
    pub candidates: Vec<Candidate>,
    /// The flow table.
    pub flows: FlowTick,
}
