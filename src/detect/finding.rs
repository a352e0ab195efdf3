//! What a detector says of one subject in one tick: typed figures, no prose.

use crate::address::{Address, Prefix};
use crate::country::Country;
use crate::kind::{AlertKind, Severity, Verdict, closed_set};
use crate::packet::Protocol;
use crate::time::Timestamp;

closed_set! {
    /// The name of a figure: the key under `observed`, `expected` and `peak` of an alert. The unit is in the name:
    /// `_per_second`, `_share` (0 to 1), `_seconds`, `_ratio`, `_count`, `_bytes`.
    FigureName {
        /// First SYNs (retransmissions removed) a second.
        FirstSynsPerSecond = "first_syns_per_second",
        /// Share of answered handshakes that the client did not finish by the deadline.
        UnfinishedShare = "unfinished_share",
        /// Handshakes a second that the server answered and the client did not finish.
        UnfinishedPerSecond = "unfinished_per_second",
        /// Share of first SYNs held to be forged or never meant to finish, with its interval.
        AttackShare = "attack_share",
        /// Share of handshakes of new sources that neither finished, retried nor reset.
        SilentShare = "silent_share",
        /// The same for known sources: the control group.
        SilentKnownShare = "silent_known_share",
        /// Handshakes left half-open on the server at once, estimated.
        HalfOpenCount = "half_open_count",
        /// Different /24 (IPv4) or /48 (IPv6) networks among unfinished handshakes, in a window of ten seconds.
        NetworksCount = "networks_count",
        /// Share of the sources of unfinished handshakes that came once in ten seconds: forged ones are drawn anew each time.
        SingleSourceShare = "single_source_share",
        /// Share of IPv4 handshakes from addresses that no network can have: 13 % of random ones are.
        ImpossibleSourceShare = "impossible_source_share",
        /// Share of unfinished handshakes with the leading pair of time to live and window.
        SignatureShare = "signature_share",
        /// Share of unfinished handshakes with a time to live above 200.
        HighTtlShare = "high_ttl_share",
        /// Share of handshakes that the client reset before finishing.
        ResetShare = "reset_share",
        /// Share of first SYNs the server left unanswered.
        UnansweredShare = "unanswered_share",
        /// Share of unanswered handshakes that the client retried, as real stacks do.
        RetriedShare = "retried_share",
        /// Share of finished handshakes whose answer the server repeated: a full accept queue.
        TurnedAwayShare = "turned_away_share",
        /// Share of first SYNs that closed ports refused with a reset.
        RefusedShare = "refused_share",
        /// Median time from a client's first byte to the server's first byte.
        FirstByteSeconds = "first_byte_seconds",
        /// Median time from a client's later questions to the server's answers.
        AnswerSeconds = "answer_seconds",
        /// Share of questions whose client ended the connection instead of waiting.
        GivenUpShare = "given_up_share",
        /// Verified connections a second.
        VerifiedPerSecond = "verified_per_second",
        /// Verified connections a second to which the server sent data.
        ServedPerSecond = "served_per_second",
        /// Verified connections a second beyond what is usual.
        ExcessPerSecond = "excess_per_second",
        /// Legitimate demand: first SYNs a second less those held to be attack; expected is the capacity shown so far.
        DemandPerSecond = "demand_per_second",
        /// Verified connections a second from abroad.
        ForeignPerSecond = "foreign_per_second",
        /// Share of verified connections from abroad.
        ForeignShare = "foreign_share",
        /// Verified connections a second from the leading country.
        CountryPerSecond = "country_per_second",
        /// Share of the excess that comes from one autonomous system.
        SystemShare = "system_share",
        /// Share of visits from abroad by sources never served before.
        NewSourceShare = "new_source_share",
        /// Growth of home traffic over its usual level, at least 1: what a rush explains.
        HomeGrowthRatio = "home_growth_ratio",
        /// Behaviour evidence in nats: at least 4 robotic, at most -4 human (DETECTION 4.2, FC-1).
        BehaviourNats = "behaviour_nats",
        /// Share of the excess that has one and the same shape.
        TopShapeShare = "top_shape_share",
        /// Share of the connections of the leading shape that systems of one kind brought beyond their usual part.
        OneSystemShare = "one_system_share",
        /// Share of the connections of the leading shape whose clients sent the same to the byte as most of their system.
        IdenticalRequestShare = "identical_request_share",
        /// Distance between the shapes of the excess and the usual ones: 0 for more of the same, 1 for nothing in common.
        ShapeDivergence = "shape_divergence",
        /// Coefficient of variation of connections per source among the excess.
        SourceSpreadRatio = "source_spread_ratio",
        /// Share of the excess's sources whose network was never served before.
        NewNetworkShare = "new_network_share",
        /// Connections in ten seconds of one source of the excess, on average.
        ConnectionsPerSource = "connections_per_source_count",
        /// Coefficient of variation of the gaps between one source's connections, at the median of the excess.
        GapSpreadRatio = "gap_spread_ratio",
        /// Share of the excess's sources that opened several different things.
        DeepShare = "deep_share",
        /// Bytes out for each byte in among the excess, as a multiple of what is usual.
        ResponseRatio = "response_ratio",
        /// First attempts a second as a part of those when the server began to fail.
        ReactionRatio = "reaction_ratio",
        /// Time in which the excess rose from a tenth to nine tenths.
        OnsetSeconds = "onset_seconds",
        /// Share of connections whose client sent nothing in five seconds.
        EmptyShare = "empty_share",
        /// The same, a second.
        EmptyPerSecond = "empty_per_second",
        /// Verified connections open at once.
        OpenCount = "open_count",
        /// Those among them that wait for the rest of their client's request.
        WaitingCount = "waiting_count",
        /// The same as a share of the open ones.
        WaitingShare = "waiting_share",
        /// How many times longer than usual connections stay open, by Little's law.
        StayRatio = "stay_ratio",
        /// Sources with more than fifty connections of which hardly any was served.
        IdleSourcesCount = "idle_sources_count",
        /// Connections of the heaviest of them, in the last minutes.
        HeaviestSourceCount = "heaviest_source_count",
        /// Open connections whose client does not read what the server has sent.
        BlockedCount = "blocked_count",
        /// The same as a share of the open ones.
        BlockedShare = "blocked_share",
        /// Different hosts that one source tried in vain.
        ProbedHostsCount = "probed_hosts_count",
        /// Different ports that one source tried in vain.
        ProbedPortsCount = "probed_ports_count",
        /// Share of one source's first contacts that were refused or left without an answer.
        FailedContactsShare = "failed_contacts_share",
        /// Probes that no network stack would send.
        StealthyCount = "stealthy_count",
        /// Short, small conversations of one source with a log-in service in ten minutes.
        AttemptsCount = "attempts_count",
        /// Share of them that are as large as the median one, within 10 %, both ways.
        AlikeShare = "alike_share",
        /// Bytes that the client sends, at the median.
        SentBytes = "sent_bytes",
        /// Bytes that the client receives, at the median.
        ReceivedBytes = "received_bytes",
        /// Bytes that one client fetched from a server in an hour.
        FetchedBytes = "fetched_bytes",
        /// Answers that one client fetched from a server in an hour.
        AnswersCount = "answers_count",
        /// Other clients of the server in that hour.
        OtherClientsCount = "other_clients_count",
        /// Bytes in an hour that one of a thousand other clients exceeds.
        OtherClientsBytes = "other_clients_bytes",
        /// Bytes that a host sent in an hour over connections of its own.
        SentHourBytes = "sent_hour_bytes",
        /// Share of them that went to networks first seen within a day.
        NewDestinationShare = "new_destination_share",
        /// Time for which a host had opened no connection to the outside.
        WithoutOutboundSeconds = "without_outbound_seconds",
        /// Share of visits to a log-in service that no session followed, in a minute.
        UnfollowedShare = "unfollowed_share",
        /// Such visits beyond the usual share since the evidence began.
        UnfollowedCount = "unfollowed_count",
        /// Conversations of such a visit, on average.
        VisitConversationsCount = "visit_conversations_count",
        /// Median time between the beginnings of a pair's connections.
        IntervalSeconds = "interval_seconds",
        /// Median distance of a pause from the median pause.
        DeviationSeconds = "deviation_seconds",
        /// Mean of the four statistics of regularity, 0 to 1.
        RegularityShare = "regularity_share",
        /// Connections of the pair.
        ConnectionsCount = "connections_count",
        /// Time from the first of them to the last.
        CoveredSeconds = "covered_seconds",
        /// Packets a second.
        PacketsPerSecond = "packets_per_second",
        /// Bits a second of the packets that are judged.
        BitsPerSecond = "bits_per_second",
        /// Datagrams a second that the host did not answer.
        OneWayPerSecond = "one_way_per_second",
        /// Share of inbound datagrams that the host did not answer.
        OneWayShare = "one_way_share",
        /// QUIC connections a second that clients began.
        QuicOpenedPerSecond = "quic_opened_per_second",
        /// Share of answered QUIC clients that did not go on.
        QuicUnfinishedShare = "quic_unfinished_share",
        /// Replies a second that the host did not ask for.
        RepliesPerSecond = "replies_per_second",
        /// Source port of most of those replies: which service reflects.
        ReflectorPort = "reflector_port",
        /// Share of those replies that come from that port.
        ReflectorShare = "reflector_share",
        /// ICMP messages a second.
        IcmpPerSecond = "icmp_per_second",
        /// Fragments a second.
        FragmentsPerSecond = "fragments_per_second",
        /// Share of inbound packets that are fragments.
        FragmentShare = "fragment_share",
        /// TCP segments a second that belong to no connection.
        OutOfStatePerSecond = "out_of_state_per_second",
        /// Share of inbound TCP segments that belong to no connection.
        OutOfStateShare = "out_of_state_share",
        /// Packets a second of protocols other than TCP, UDP and ICMP.
        OtherProtocolPerSecond = "other_protocol_per_second",
        /// Different senders within a second, estimated; a lower bound from several thousand.
        SourcesCount = "sources_count",
        /// Hosts of the prefix that are hit within a second, estimated.
        TargetsCount = "targets_count",
        /// Share of frames lost before Vigie saw them.
        LostShare = "lost_share",
        /// Seconds without a frame.
        SilentSeconds = "silent_seconds",
    }
}

/// One figure that crossed a line, or that explains one that did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// What is measured.
    pub name: FigureName,
    /// What was seen.
    pub observed: f64,
    /// What is usual at most, if anything is known.
    pub expected: Option<f64>,
    /// 95 % interval of `observed`, where there is one.
    pub interval: Option<(f64, f64)>,
}

impl Figure {
    /// Returns what was seen as a port, where it is one.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        u16::try_from(crate::window::whole(self.observed)).ok()
    }
}

/// What is hit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The host (/32, /128) or the protected prefix; never wider than the latter. `None` only for `sensor_blind`.
    pub prefix: Option<Prefix>,
    /// The site it belongs to.
    pub site: Option<std::sync::Arc<str>>,
    /// The port, where nearly all of it goes to one.
    pub port: Option<u16>,
    /// The protocol, where it is one.
    pub protocol: Option<Protocol>,
    /// Hosts hit, where several are.
    pub members: Vec<Prefix>,
}

/// The share of verified sources from one country.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OriginShare {
    /// Where the addresses are registered.
    pub country: Country,
    /// Number of the autonomous system that most of them belong to, where a table of them is loaded.
    pub asn: Option<u32>,
    /// Share of the verified connections in the window, 0 to 1.
    pub share: f64,
    /// Verified connections in the window, estimated packets where known.
    pub packets: u64,
}

impl OriginShare {
    /// Returns the origin of what one verified source did.
    #[must_use]
    pub fn of_one(country: Country, packets: u64) -> Vec<Self> {
        if country.is_known() { vec![Self { country, asn: None, share: 1.0, packets }] } else { Vec::new() }
    }

    /// Returns the origins of two findings as one, the largest first.
    #[must_use]
    pub fn joined(one: &[Self], other: &[Self]) -> Vec<Self> {
        let mut all: Vec<Self> = one.to_vec();
        for origin in other {
            match all.iter_mut().find(|known| known.country == origin.country) {
                Some(known) => known.packets += origin.packets,
                None => all.push(*origin),
            }
        }
        let packets: u64 = all.iter().map(|origin| origin.packets).sum();
        all.iter_mut().for_each(|origin| origin.share = origin.packets as f64 / packets.max(1) as f64);
        all.sort_by_key(|origin| (std::cmp::Reverse(origin.packets), origin.country));
        all
    }
}

/// One heavy verified source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceShare {
    /// Source unit.
    pub address: Address,
    /// Packets.
    pub packets: u64,
    /// Bytes on the wire.
    pub bytes: u64,
}

closed_set! {
    /// What qualifies a finding; each becomes a sentence of evidence.
    Caveat {
        /// Only one direction is captured.
        OneSided = "one_sided",
        /// The capture lost frames while this was measured.
        CaptureLoss = "capture_loss",
        /// The usual range is minutes old, not weeks.
        ColdStart = "cold_start",
        /// The usual range is hours old and knows no time of day.
        NoProfile = "no_profile",
        /// The weekly profile is less than a fortnight old, or a sibling's.
        YoungProfile = "young_profile",
        /// A declared event allows for more than is usual.
        DeclaredEvent = "declared_event",
        /// Frames are seen twice.
        Duplicates = "duplicates",
        /// The two estimates of the attack share differ by more than 15 points.
        EstimatesDiffer = "estimates_differ",
        /// The addresses are unproven, so the origin cannot be attributed.
        Unattributable = "unattributable",
        /// Handshakes are sampled.
        Sampled = "sampled",
        /// More packets came than could be handled: a part of the pairs of addresses was counted and stands for all.
        Shed = "shed",
        /// The senders are reflectors, asked in the target's name by somebody else.
        Reflectors = "reflectors",
        /// The crowd from abroad behaves like people.
        HumanLike = "human_like",
        /// The server answers hardly anything, so only the client side is judged.
        ServerSilent = "server_silent",
    }
}

/// What a detector holds of one subject in this tick.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The kind of alert it would be.
    pub kind: AlertKind,
    /// What is hit. Kind and `target.prefix` together are the subject whose alert this feeds.
    pub target: Target,
    /// Evidence in decades, 0 to 300: chance alone would do this once in 10^score.
    pub score: f64,
    /// The line the score must cross, in decades.
    pub alert_at: f64,
    /// Whether size and duration gates hold too: only then may it open or stay open.
    pub gates_hold: bool,
    /// How loud, if it opens now.
    pub severity: Severity,
    /// What the situation is held to be now; `None` while undecided (an alert keeps its last one).
    pub verdict: Option<Verdict>,
    /// Confidence of the verdict, 0 to 1.
    pub confidence: f64,
    /// First moment that the finding explains.
    pub onset: Timestamp,
    /// The figures, the most telling first.
    pub figures: Vec<Figure>,
    /// The sources are held to be forged: no origins, no sources are given.
    pub spoofed: bool,
    /// Verified origins, largest first, at most ten.
    pub origins: Vec<OriginShare>,
    /// Heaviest verified sources, at most twenty.
    pub sources: Vec<SourceShare>,
    /// What qualifies it.
    pub caveats: Vec<Caveat>,
    /// Thresholds and windows in force, name and value, so that it can be reproduced.
    pub settings: Vec<(&'static str, f64)>,
}

impl Finding {
    /// Returns the alarm ratio: 1 is the alert line. This is what `vigie_score` exports.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        if self.alert_at > 0.0 { self.score / self.alert_at } else { 0.0 }
    }

    /// Tells whether it is over the line with its gates.
    #[must_use]
    pub fn fires(&self) -> bool {
        self.gates_hold && self.score >= self.alert_at
    }
}
