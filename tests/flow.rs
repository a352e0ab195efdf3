//! Facts about flows and handshakes, told packet by packet.

use std::sync::Arc;
use std::time::Duration;

use vigie::address::Address;
use vigie::flow::{EndReason, FlowRecord, Outcome, Timeouts, Volume};
use vigie::hash::PARTITIONS;
use vigie::origin::Origins;
use vigie::packet::{Packet, Protocol, TcpFlags};
use vigie::policy::{Policy, Site};
use vigie::summary::{CohortRecord, CohortStage, Contact, ContactStage, HostTick, Shard, ShardSettings, Summary};
use vigie::time::{Tick, Timestamp};

const ACK: u8 = TcpFlags::ACK;
const SYN: u8 = TcpFlags::SYN;
const RST: u8 = TcpFlags::RST;
const FIN: u8 = TcpFlags::FIN;

const START_SECONDS: u64 = 1_700_000_000;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_nanos(START_SECONDS * 1_000_000_000 + millis * 1_000_000)
}

fn server() -> Address {
    Address::v4([192, 0, 2, 10])
}

fn outside(n: u32) -> Address {
    Address::v4((0x0b00_0000 + n).to_be_bytes())
}

/// Both ends of a conversation: the client outside at port 40,000, the server inside at port 443.
#[derive(Clone, Copy)]
struct Pair {
    client: (Address, u16),
    server: (Address, u16),
    protocol: Protocol,
}

impl Pair {
    fn tcp(n: u32) -> Self {
        Self { client: (outside(n), 40_000), server: (server(), 443), protocol: Protocol::TCP }
    }

    fn udp(n: u32) -> Self {
        Self { protocol: Protocol::UDP, ..Self::tcp(n) }
    }

    fn packet(self, from_client: bool, millis: u64, flags: u8, numbers: (u32, u32), payload: u16) -> Packet {
        let (from, to) = if from_client { (self.client, self.server) } else { (self.server, self.client) };
        Packet {
            timestamp: at(millis),
            source: from.0,
            destination: to.0,
            source_port: from.1,
            destination_port: to.1,
            wire_len: 60 + u32::from(payload),
            sequence: numbers.0,
            acknowledgment: numbers.1,
            payload_len: payload,
            protocol: self.protocol,
            flags: TcpFlags(flags),
            ..Packet::default()
        }
    }

    fn asks(self, millis: u64, flags: u8, numbers: (u32, u32), payload: u16) -> Packet {
        self.packet(true, millis, flags, numbers, payload)
    }

    fn answers(self, millis: u64, flags: u8, numbers: (u32, u32), payload: u16) -> Packet {
        self.packet(false, millis, flags, numbers, payload)
    }

    /// A handshake with the client's ISN 100 and the server's ISN 900.
    fn handshake(self, millis: u64) -> [Packet; 3] {
        [
            self.asks(millis, SYN, (100, 0), 0),
            self.answers(millis + 10, SYN | ACK, (900, 101), 0),
            self.asks(millis + 20, ACK, (101, 901), 0),
        ]
    }
}

/// A shard with everything it has said.
struct Watch {
    shard: Shard,
    settings: ShardSettings,
    open: Tick,
    ticks: Vec<Summary>,
    flows: Vec<FlowRecord>,
}

impl Watch {
    fn new(settings: ShardSettings) -> Self {
        let site = Site { name: "web".into(), prefixes: vec!["192.0.2.0/24".parse().unwrap()] };
        let policy = Arc::new(Policy::new(vec![site], false));
        let shard = Shard::new(&settings, 0..PARTITIONS, Arc::new(Origins::default()), policy);
        Self { shard, settings, open: at(0).tick(), ticks: Vec::new(), flows: Vec::new() }
    }

    fn see(&mut self, packets: impl IntoIterator<Item = Packet>) {
        for packet in packets {
            self.pass(packet.timestamp);
            let hash = self.settings.seed.pair(packet.source, packet.destination);
            self.shard.observe(&packet, hash);
        }
    }

    /// Lets time pass: closes every tick before the one of `now`.
    fn pass(&mut self, now: Timestamp) {
        while self.open < now.tick() {
            let mut summary = Summary::default();
            let flows = &mut self.flows;
            self.shard.close(self.open, &mut summary, &mut |record| flows.push(record));
            self.ticks.push(summary);
            self.open = self.open.next();
        }
    }

    /// Lets seconds pass and returns everything.
    fn after(mut self, seconds: u64) -> Self {
        let now = Timestamp::from_nanos(self.open.start().as_nanos() + seconds * 1_000_000_000);
        self.pass(now);
        self
    }

    fn of(packets: impl IntoIterator<Item = Packet>) -> Self {
        let mut watch = Self::new(ShardSettings::default());
        watch.see(packets);
        watch
    }

    fn hosts(&self) -> impl Iterator<Item = &HostTick> {
        self.ticks.iter().flat_map(|tick| &tick.hosts)
    }

    fn sum(&self, of: impl Fn(&HostTick) -> u32) -> u32 {
        self.hosts().map(of).sum()
    }

    fn admitted(&self) -> u64 {
        self.ticks.iter().map(|tick| tick.flows.admitted).sum()
    }

    fn active(&self) -> u64 {
        self.ticks.last().map_or(0, |tick| tick.flows.active)
    }

    fn ended(&self, reason: EndReason) -> u64 {
        let place = EndReason::ALL.iter().position(|other| *other == reason).unwrap();
        self.ticks.iter().map(|tick| tick.flows.ended[place]).sum()
    }

    fn cohorts(&self) -> Vec<CohortRecord> {
        self.ticks.iter().flat_map(|tick| tick.cohorts.clone()).collect()
    }

    fn closed(&self) -> Outcome {
        let closed: Vec<_> = self.cohorts().into_iter().filter(|record| record.stage == CohortStage::Close).collect();
        assert_eq!(closed.len(), 1, "{closed:?}");
        closed[0].outcome
    }

    fn contacts(&self) -> Vec<Contact> {
        self.ticks.iter().flat_map(|tick| tick.contacts.clone()).collect()
    }
}

#[test]
fn a_lone_syn_never_enters_the_table() {
    let pair = Pair::tcp(1);
    let mut packets = vec![pair.asks(0, SYN, (100, 0), 0)];
    // Nor do its retries, nor the server's answers to it, however often they are repeated.
    for second in 1..5 {
        packets.push(pair.asks(second * 1_000, SYN, (100, 0), 0));
        packets.push(pair.answers(second * 1_000 + 5, SYN | ACK, (900, 101), 0));
    }
    let watch = Watch::of(packets).after(5);
    assert_eq!((watch.admitted(), watch.active()), (0, 0));
    assert_eq!(watch.sum(|host| host.verified), 0);
    assert_eq!(watch.sum(|host| host.syn), 5);
    assert_eq!(watch.sum(|host| host.syn_ack), 4);
}

#[test]
fn a_handshake_proves_the_client_at_its_ack_once() {
    let pair = Pair::tcp(1);
    let mut packets = pair.handshake(100).to_vec();
    packets.push(pair.asks(130, ACK, (101, 901), 200));
    packets.push(pair.answers(190, ACK, (901, 301), 1_000));
    packets.push(pair.answers(195, ACK, (1_901, 301), 1_000));
    let watch = Watch::of(packets).after(12);
    assert_eq!(watch.sum(|host| host.verified), 1);
    assert_eq!(watch.sum(|host| host.served), 1);
    assert_eq!(watch.sum(|host| host.client_data), 1);
    assert_eq!(watch.sum(|host| host.two_sided), 1);
    assert_eq!(watch.sum(|host| host.cohort.finished[0]), 1);
    // 60 ms from the first byte asked to the first answered: class [32, 64) ms.
    assert_eq!(watch.sum(|host| host.first_byte[6]), 1);
    assert_eq!(watch.closed().0, Outcome::ANSWERED | Outcome::FINISHED | Outcome::CONTINUED);
    let contacts = watch.contacts();
    assert_eq!(
        contacts.iter().map(|contact| contact.stage).collect::<Vec<_>>(),
        [ContactStage::Verified, ContactStage::Settled]
    );
    assert_eq!((contacts[0].originator, contacts[0].port, contacts[0].served), (outside(1), 443, false));
    assert_eq!(contacts[1].sent, Volume { packets: 3, bytes: 380 });
    assert_eq!(contacts[1].received, Volume { packets: 3, bytes: 2_180 });
    assert!(contacts[1].served);
}

/// A connection whose first answer, as of a TLS handshake, came within a few milliseconds; `then` goes on after 200 ms.
fn after_a_quick_handshake(then: impl Fn(&Pair) -> Vec<Packet>) -> Watch {
    let pair = Pair::tcp(1);
    let mut packets = pair.handshake(100).to_vec();
    packets.push(pair.asks(130, ACK, (101, 901), 200));
    packets.push(pair.answers(135, ACK, (901, 301), 1_000));
    packets.extend(then(&pair));
    Watch::of(packets).after(12)
}

#[test]
fn a_late_answer_behind_a_quick_handshake_is_timed() {
    let watch = after_a_quick_handshake(|pair| {
        vec![
            pair.asks(200, ACK, (301, 1_901), 400),
            // Tried again by a client whose patience ends first: the same question.
            pair.asks(1_300, ACK, (301, 1_901), 400),
            pair.answers(5_200, ACK, (1_901, 701), 1_000),
            pair.answers(5_210, ACK, (2_901, 701), 1_000),
        ]
    });
    assert_eq!((watch.sum(|host| host.first_byte[3]), watch.sum(|host| host.first_byte.iter().sum())), (1, 1));
    assert_eq!((watch.sum(|host| host.answers[13]), watch.sum(|host| host.answers.iter().sum())), (1, 1));
    assert_eq!(watch.sum(|host| host.answers_resumed + host.given_up), 0);
}

#[test]
fn an_answer_behind_a_ticket_is_late_and_the_same_question() {
    let watch = after_a_quick_handshake(|pair| {
        vec![
            pair.asks(200, ACK, (301, 1_901), 400),
            pair.answers(205, ACK, (1_901, 701), 250),
            pair.answers(5_205, ACK, (2_151, 701), 1_000),
        ]
    });
    assert_eq!((watch.sum(|host| host.answers[3]), watch.sum(|host| host.answers[13])), (1, 1));
    assert_eq!(watch.sum(|host| host.answers_resumed), 1);
}

#[test]
fn a_client_that_leaves_instead_of_waiting_is_counted() {
    let leaves = |at| {
        after_a_quick_handshake(move |pair| {
            vec![
                pair.asks(200, ACK, (301, 1_901), 400),
                // Its good-bye is no question.
                pair.asks(at - 1, ACK, (701, 1_901), 24),
                pair.asks(at, FIN | ACK, (725, 1_901), 0),
            ]
        })
    };
    assert_eq!(leaves(6_000).sum(|host| host.given_up), 1);
    assert_eq!(leaves(6_000).sum(|host| host.answers[13]), 1);
    assert_eq!(leaves(700).sum(|host| host.given_up), 0, "after half a second that says nothing");
    let missed = after_a_quick_handshake(|pair| {
        vec![pair.asks(200, ACK, (301, 1_901), 400), pair.asks(6_000, FIN | ACK, (701, 4_901), 0)]
    });
    assert_eq!(missed.sum(|host| host.given_up), 0, "it acknowledges an answer that the capture missed");
    let gap = after_a_quick_handshake(|pair| {
        vec![pair.asks(200, ACK, (301, 1_901), 400), pair.answers(6_000, ACK, (4_901, 701), 1_000)]
    });
    assert_eq!(gap.sum(|host| host.answers.iter().sum()), 0, "it may not be the first of the answer");
}

#[test]
fn who_holds_a_connection_is_told_when_it_begins_and_when_it_ends() {
    let watch = after_a_quick_handshake(|pair| {
        let pieces = (0..4).map(|n| pair.asks(1_000 + 3_000 * u64::from(n), ACK, (301 + 10 * n, 1_901), 10));
        pieces.chain([pair.answers(10_500, ACK, (1_901, 341), 1_000)]).collect()
    });
    let waits = |stage: &ContactStage| matches!(stage, ContactStage::Waiting | ContactStage::NotWaiting);
    let held: Vec<_> = watch.contacts().iter().map(|contact| contact.stage).filter(waits).collect();
    assert_eq!(held, [ContactStage::Waiting, ContactStage::NotWaiting]);
}

#[test]
fn an_ack_with_a_wrong_number_proves_nothing() {
    let pair = Pair::tcp(1);
    let mut packets = pair.handshake(0).to_vec();
    packets[2].acknowledgment = 902;
    packets.push(pair.asks(30, ACK, (101, 77), 400));
    let watch = Watch::of(packets).after(5);
    assert_eq!((watch.sum(|host| host.verified), watch.admitted()), (0, 0));
    assert!(watch.closed().is_unfinished());
    assert!(!watch.closed().is_silent(), "it went on, which is all that an inbound-only capture knows");
}

#[test]
fn unsampled_and_missed_handshakes_are_proven_by_what_the_server_sends() {
    // The client's ACK was lost by the capture.
    let pair = Pair::tcp(1);
    let mut packets = pair.handshake(0)[..2].to_vec();
    packets.push(pair.answers(60, ACK, (901, 301), 1_000));
    let watch = Watch::of(packets).after(5);
    assert_eq!((watch.sum(|host| host.verified), watch.sum(|host| host.served)), (1, 1));
    assert_eq!(watch.sum(|host| host.cohort.finished.iter().sum()), 1);
    // The capture began in mid-flow: the server acknowledges what the client sent.
    let pair = Pair::tcp(2);
    let watch = Watch::of([pair.asks(0, ACK, (500, 7_000), 80), pair.answers(9, ACK, (7_000, 580), 0)]).after(5);
    assert_eq!((watch.sum(|host| host.verified), watch.sum(|host| host.served)), (1, 0));
    // It does not acknowledge it: two-way, and proves nothing.
    let pair = Pair::tcp(3);
    let watch = Watch::of([pair.asks(0, ACK, (500, 7_000), 80), pair.answers(9, ACK, (7_000, 500), 0)]).after(5);
    assert_eq!((watch.sum(|host| host.verified), watch.admitted()), (0, 1));
    // A closed port resets what was forged.
    let pair = Pair::tcp(4);
    let watch = Watch::of([pair.asks(0, ACK, (500, 7_000), 80), pair.answers(9, RST | ACK, (7_000, 580), 0)]).after(5);
    assert_eq!((watch.sum(|host| host.verified), watch.admitted()), (0, 0));
}

#[test]
fn two_way_udp_earns_probation_and_proves_nothing() {
    let pair = Pair::udp(1);
    let watch =
        Watch::of([pair.asks(0, 0, (0, 0), 1_200), pair.answers(9, 0, (0, 0), 1_200), pair.asks(20, 0, (0, 0), 40)]);
    let watch = watch.after(70);
    assert_eq!((watch.admitted(), watch.sum(|host| host.verified)), (1, 0));
    assert!(watch.contacts().iter().all(|contact| !contact.verified));
    assert_eq!(watch.ended(EndReason::IdleTimeout), 1);
    let record = watch.flows[0];
    assert_eq!((record.start, record.end), (at(0), at(20)));
    assert_eq!((record.originator, record.responder_port), (outside(1), 443));
    assert_eq!((record.sent.packets, record.received.packets, record.verified), (2, 1, false));
}

#[test]
fn a_syn_again_within_700_ms_is_a_copy_and_later_a_retry() {
    let pair = Pair::tcp(1);
    let watch = Watch::of([pair.asks(0, SYN, (100, 0), 0), pair.asks(699, SYN, (100, 0), 0)]).after(5);
    assert!(watch.closed().is_silent());
    assert_eq!(watch.sum(|host| host.cohort.retried.iter().sum()), 0);
    assert_eq!((watch.sum(|host| host.cohort.sampled), watch.sum(|host| host.syn)), (1, 2));
    let retries = [0, 1_000, 3_000].map(|millis| pair.asks(millis, SYN, (100, 0), 0));
    let watch = Watch::of(retries).after(5);
    assert_eq!(watch.closed().0, Outcome::RETRIED);
    assert_eq!(watch.sum(|host| host.cohort.retried[4]), 1);
    assert_eq!(watch.sum(|host| host.cohort.retried.iter().sum()), 1);
    assert_eq!((watch.sum(|host| host.cohort.sampled), watch.sum(|host| host.cohort.opened)), (1, 1));
}

#[test]
fn a_retry_after_the_answer_is_no_unanswered_retry_but_the_client_lives() {
    let pair = Pair::tcp(1);
    let watch = Watch::of([
        pair.asks(0, SYN, (100, 0), 0),
        pair.answers(5, SYN | ACK, (900, 101), 0),
        pair.asks(1_000, SYN, (100, 0), 0),
    ])
    .after(5);
    assert_eq!(watch.sum(|host| host.cohort.retried.iter().sum()), 0);
    assert_eq!(watch.closed().0, Outcome::ANSWERED | Outcome::RETRIED);
    assert!(!watch.closed().is_silent());
}

#[test]
fn outcomes_are_counted_by_age_in_ticks() {
    let (slow, refused, reset) = (Pair::tcp(1), Pair::tcp(2), Pair::tcp(3));
    let mut packets = vec![
        slow.asks(0, SYN, (100, 0), 0),
        slow.answers(600, SYN | ACK, (900, 101), 0),
        slow.asks(1_100, ACK, (101, 901), 0),
        refused.asks(0, SYN, (100, 0), 0),
        refused.answers(260, RST | ACK, (0, 101), 0),
        reset.asks(0, SYN, (100, 0), 0),
        reset.answers(10, SYN | ACK, (900, 101), 0),
        reset.asks(300, RST, (101, 0), 0),
    ];
    packets.sort_by_key(|packet| packet.timestamp);
    let watch = Watch::of(packets).after(5);
    assert_eq!(watch.sum(|host| host.cohort.answered[2]), 1);
    assert_eq!(watch.sum(|host| host.cohort.finished[2]), 1);
    assert_eq!(watch.sum(|host| host.cohort.refused[1]), 1);
    assert_eq!(watch.sum(|host| host.cohort.abandoned[1]), 1);
    assert_eq!(watch.admitted(), 1);
    let of = |n| {
        watch
            .cohorts()
            .into_iter()
            .filter(|record| record.source == outside(n))
            .map(|record| record.outcome.0)
            .collect::<Vec<_>>()
    };
    // Looked at after one second, closed after three and a half.
    assert_eq!(of(1), [Outcome::ANSWERED, Outcome::ANSWERED | Outcome::FINISHED | Outcome::CONTINUED]);
    assert_eq!(of(2), [Outcome::SERVER_RESET; 2]);
    assert_eq!(of(3), [Outcome::ANSWERED | Outcome::CLIENT_RESET; 2]);
    let first = watch.cohorts()[0];
    assert_eq!((first.target, first.port, first.weight, first.first_syn), (server(), 443, 1, at(0)));
}

#[test]
fn an_answer_repeated_after_the_clients_ack_is_counted_once() {
    let pair = Pair::tcp(1);
    let mut packets = pair.handshake(0).to_vec();
    packets.extend([300, 1_010, 2_000].map(|millis| pair.answers(millis, SYN | ACK, (900, 101), 0)));
    let watch = Watch::of(packets).after(5);
    assert_eq!(watch.sum(|host| host.cohort.turned_away), 1);
    assert_eq!((watch.admitted(), watch.active()), (1, 1));
}

/// First attempts, answered and finished handshakes, and clients turned away, of a conversation that is sent four times.
fn four_times(conversation: &[Packet], apart: u64) -> [u32; 4] {
    let later =
        |packet: &Packet, millis| Packet { timestamp: packet.timestamp.plus(Duration::from_millis(millis)), ..*packet };
    let copies = (0..4).flat_map(|time| conversation.iter().map(move |packet| later(packet, time * apart)));
    let watch = Watch::of(copies).after(5);
    [
        watch.sum(|host| host.cohort.opened),
        watch.sum(|host| host.cohort.answered.iter().sum()),
        watch.sum(|host| host.cohort.finished.iter().sum()),
        watch.sum(|host| host.cohort.turned_away),
    ]
}

/// As `tcpreplay --loop` sends it: the same numbers within the time for which a handshake is followed.
#[test]
fn a_recording_that_is_sent_again_turns_nobody_away() {
    let pair = Pair::tcp(1);
    let open = pair.handshake(0).to_vec();
    let mut ended = open.clone();
    ended.push(pair.asks(30, FIN | ACK, (101, 901), 0));
    ended.push(pair.answers(40, FIN | ACK, (901, 102), 0));
    ended.push(pair.asks(50, ACK, (102, 902), 0));
    assert_eq!(four_times(&ended, 800), [4, 4, 4, 0]);
    assert_eq!(four_times(&ended, 400), [2, 2, 2, 0], "a SYN so soon may be a copy of the mirror port");
    assert_eq!(four_times(&open, 800), [1, 1, 1, 0], "what was never closed does not begin anew");
}

#[test]
fn a_client_that_a_full_server_resets_was_turned_away_and_is_not_an_empty_connection() {
    let (quiet, asking, dropped) = (Pair::tcp(1), Pair::tcp(2), Pair::tcp(3));
    let mut packets: Vec<Packet> = [quiet, asking, dropped].iter().flat_map(|pair| pair.handshake(0)).collect();
    packets.extend([
        quiet.answers(25, RST, (901, 0), 0),
        asking.asks(22, ACK, (101, 901), 300),
        asking.answers(30, RST, (901, 0), 0),
        // A server that has waited for a request gives up on its client: that one is empty.
        dropped.answers(4_000, RST, (901, 0), 0),
    ]);
    packets.sort_by_key(|packet| packet.timestamp);
    let watch = Watch::of(packets).after(12);
    assert_eq!(watch.sum(|host| host.cohort.turned_away), 2);
    assert_eq!(watch.sum(|host| host.connections.empty), 1);
    assert_eq!(watch.sum(|host| host.connections.ended), 3);
}

#[test]
fn another_isn_is_another_attempt() {
    let pair = Pair::tcp(1);
    let watch = Watch::of([pair.asks(0, SYN, (100, 0), 0), pair.asks(400, SYN, (5_000_000, 0), 0)]).after(5);
    assert_eq!(watch.sum(|host| host.cohort.sampled), 2);
    let stages: Vec<_> = watch.cohorts().iter().map(|record| (record.first_syn, record.stage)).collect();
    let (look, close) = (CohortStage::Look, CohortStage::Close);
    assert_eq!(stages, [(at(0), look), (at(0), close), (at(400), look), (at(400), close)]);
}

#[test]
fn a_port_used_again_after_the_end_is_a_new_connection() {
    let pair = Pair::tcp(1);
    let mut packets = pair.handshake(0).to_vec();
    packets.push(pair.asks(30, RST, (101, 0), 0));
    packets.push(pair.asks(500, SYN, (70_000, 0), 0));
    packets.push(pair.answers(510, SYN | ACK, (80_000, 70_001), 0));
    packets.push(pair.asks(520, ACK, (70_001, 80_001), 0));
    let watch = Watch::of(packets).after(5);
    assert_eq!((watch.admitted(), watch.sum(|host| host.verified)), (2, 2));
    assert_eq!(watch.sum(|host| host.cohort.sampled), 2);
    assert_eq!((watch.ended(EndReason::EndOfFlow), watch.active()), (1, 1));
}

#[test]
fn a_syn_on_an_open_connection_ends_nothing() {
    let pair = Pair::tcp(1);
    let mut packets = pair.handshake(0).to_vec();
    packets.push(pair.asks(500, SYN, (70_000, 0), 0));
    packets.push(pair.answers(510, ACK, (901, 101), 0));
    let watch = Watch::of(packets).after(5);
    assert_eq!((watch.active(), watch.flows.len()), (1, 0));
    assert_eq!(watch.sum(|host| host.cohort.sampled), 1);
}

#[test]
fn a_flow_ends_with_its_fins_or_a_reset_and_stragglers_belong_to_it() {
    let (fins, reset) = (Pair::tcp(1), Pair::tcp(2));
    let mut packets = fins.handshake(0).to_vec();
    packets.push(fins.answers(30, FIN | ACK, (901, 101), 0));
    packets.push(fins.asks(40, FIN | ACK, (101, 902), 0));
    packets.push(fins.answers(50, ACK, (902, 102), 0));
    packets.push(fins.answers(900, FIN | ACK, (901, 101), 0));
    packets.push(fins.asks(910, ACK, (102, 902), 0));
    packets.extend(reset.handshake(1_000));
    packets.push(reset.answers(1_040, RST, (901, 0), 0));
    packets.push(reset.asks(1_050, ACK, (101, 901), 10));
    let watch = Watch::of(packets).after(6);
    assert_eq!((watch.ended(EndReason::EndOfFlow), watch.admitted(), watch.active()), (2, 2, 0));
    assert_eq!(watch.flows.iter().map(|flow| flow.sent.packets + flow.received.packets).collect::<Vec<_>>(), [8, 5]);
    assert_eq!(watch.flows[0].originator_flags, TcpFlags(SYN | ACK | FIN));
    assert_eq!(watch.flows[1].responder_flags, TcpFlags(SYN | ACK | RST));
    let settled = watch.contacts().into_iter().filter(|contact| contact.stage == ContactStage::Settled);
    assert_eq!(settled.map(|contact| contact.at).collect::<Vec<_>>(), [at(50), at(1_040)]);
}

#[test]
fn a_forged_reset_outside_the_window_ends_nothing() {
    let pair = Pair::tcp(1);
    let mut packets = pair.handshake(0).to_vec();
    packets.push(pair.asks(30, RST, (2_000_000_000, 0), 0));
    let watch = Watch::of(packets).after(5);
    assert_eq!(watch.active(), 1);
}

#[test]
fn timeouts_follow_what_is_known_of_a_flow() {
    let (open, half) = (Pair::tcp(1), Pair::tcp(2));
    let mut packets = open.handshake(0).to_vec();
    packets.extend(half.handshake(100));
    packets.push(half.asks(150, FIN | ACK, (101, 901), 0));
    let watch = Watch::of(packets).after(12);
    assert_eq!((watch.active(), watch.ended(EndReason::EndOfFlow)), (1, 1));
    let watch = watch.after(287);
    assert_eq!((watch.active(), watch.ended(EndReason::IdleTimeout)), (1, 0));
    let watch = watch.after(4);
    assert_eq!((watch.active(), watch.ended(EndReason::IdleTimeout)), (0, 1));
}

#[test]
fn a_flow_that_never_falls_silent_is_reported_and_kept() {
    let settings = ShardSettings {
        timeouts: Timeouts { active: std::time::Duration::from_secs(60), ..Timeouts::default() },
        ..ShardSettings::default()
    };
    let mut watch = Watch::new(settings);
    let pair = Pair::tcp(1);
    watch.see(pair.handshake(0));
    watch.see((1..=130_u32).map(|n| pair.asks(u64::from(n) * 1_000, ACK, (101 + 10 * n, 901), 10)));
    let mut watch = watch.after(1);
    assert_eq!((watch.ended(EndReason::ActiveTimeout), watch.admitted(), watch.active()), (2, 1, 1));
    let flows = &mut watch.flows;
    watch.shard.finish(at(131_000), &mut |record| flows.push(record));
    assert_eq!(watch.flows.last().unwrap().end_reason, EndReason::ForcedEnd);
    assert_eq!(watch.flows.iter().map(|flow| flow.sent.packets).sum::<u64>(), 132);
    assert!(watch.flows.windows(2).all(|two| two[0].end < two[1].start));
}

#[test]
fn in_mid_flow_the_originator_is_the_one_with_the_high_port() {
    // The server's data comes first.
    let pair = Pair::tcp(1);
    let watch = Watch::of([pair.answers(0, ACK, (7_000, 500), 900), pair.asks(9, ACK, (500, 7_900), 0)]).after(400);
    assert_eq!((watch.flows[0].originator, watch.flows[0].originator_port), (outside(1), 40_000));
    assert_eq!(watch.flows[0].received.bytes, 960);
    // Neither port is well known: the lower one answers.
    let pair = Pair { server: (server(), 8_443), ..Pair::tcp(2) };
    let watch = Watch::of([pair.answers(0, ACK, (7_000, 500), 900), pair.asks(9, ACK, (500, 7_900), 0)]).after(400);
    assert_eq!(watch.flows[0].originator, outside(2));
    // Equal ports: the protected side answers.
    let pair = Pair { server: (server(), 5_000), client: (outside(3), 5_000), protocol: Protocol::TCP };
    let watch = Watch::of([pair.answers(0, ACK, (7_000, 500), 900), pair.asks(9, ACK, (500, 7_900), 0)]).after(400);
    assert_eq!(watch.flows[0].originator, outside(3));
    // The SYN-ACK alone tells as well, against the ports.
    let pair = Pair { server: (server(), 50_000), client: (outside(4), 80), protocol: Protocol::TCP };
    let watch = Watch::of(pair.handshake(0)[1..].iter().copied()).after(400);
    assert_eq!((watch.flows[0].originator, watch.flows[0].verified), (outside(4), true));
}

#[test]
fn connections_from_inside_are_contacts_and_never_verified_clients() {
    let pair = Pair { client: (server(), 40_000), server: (outside(9), 443), protocol: Protocol::TCP };
    let mut packets = pair.handshake(0).to_vec();
    packets.push(pair.asks(30, ACK, (101, 901), 50));
    packets.push(pair.answers(40, ACK, (901, 151), 5_000));
    let watch = Watch::of(packets).after(12);
    assert_eq!((watch.sum(|host| host.verified), watch.sum(|host| host.served)), (0, 0));
    assert_eq!(watch.sum(|host| host.cohort.sampled), 0);
    let contacts = watch.contacts();
    assert_eq!((contacts.len(), contacts[0].originator, contacts[1].served), (2, server(), true));
    let origins: u64 = watch
        .ticks
        .iter()
        .flat_map(|tick| &tick.origins)
        .filter(|row| row.country.is_some())
        .map(|row| row.inbound.packets)
        .sum();
    assert_eq!(origins, 1, "what comes in on a proven flow has an origin");
}

/// A table of 16 places a partition, one pair of addresses: every flow competes for the same places.
fn crowded() -> Watch {
    Watch::new(ShardSettings { flow_capacity: 1_024, ..ShardSettings::default() })
}

fn port(n: u16, protocol: Protocol) -> Pair {
    Pair { client: (outside(1), 20_000 + n), protocol, ..Pair::tcp(1) }
}

#[test]
fn evicts_probation_before_established() {
    let mut watch = crowded();
    // Four established connections that carried data both ways, then four that never sent any.
    for n in 0..4 {
        let pair = port(n, Protocol::TCP);
        watch.see(pair.handshake(0));
        watch.see([pair.asks(30, ACK, (101, 901), 1_400), pair.answers(40, ACK, (901, 1_501), 1_400)]);
    }
    for n in 4..8 {
        watch.see(port(n, Protocol::TCP).handshake(100));
    }
    // Then two hundred exchanges of datagrams.
    for n in 0..200 {
        let pair = port(1_000 + n, Protocol::UDP);
        let millis = 10_000 + u64::from(n);
        watch.see([pair.asks(millis, 0, (0, 0), 40), pair.answers(millis, 0, (0, 0), 90)]);
    }
    watch.pass(at(11_000));
    assert_eq!(watch.ended(EndReason::LackOfResources), 208 - 16);
    let evicted: Vec<u16> = watch.flows.iter().map(|flow| flow.originator_port - 20_000).collect();
    assert!((0..4).all(|n| !evicted.contains(&n)), "{evicted:?}");
    assert_eq!(evicted[..4].iter().filter(|port| (4..8).contains(*port)).count(), 4, "{evicted:?}");
    assert_eq!(watch.active(), 16);
}

#[test]
fn a_connection_refused_a_place_is_verified_all_the_same() {
    let mut watch = crowded();
    for n in 0..16 {
        let pair = port(n, Protocol::TCP);
        watch.see(pair.handshake(0));
        watch.see([pair.asks(30, ACK, (101, 901), 1_400), pair.answers(40, ACK, (901, 1_501), 1_400)]);
    }
    watch.see(port(99, Protocol::TCP).handshake(1_000));
    watch.pass(at(2_000));
    assert_eq!(watch.ticks.iter().map(|tick| tick.flows.refused).sum::<u64>(), 1);
    assert_eq!((watch.active(), watch.admitted()), (16, 16));
    assert_eq!(watch.sum(|host| host.verified), 17);
}

#[test]
fn a_clock_set_back_ends_what_was_known() {
    let mut watch = Watch::of(Pair::tcp(1).handshake(60_000));
    watch.pass(at(61_000));
    assert_eq!(watch.active(), 1);
    let mut summary = Summary::default();
    let flows = &mut watch.flows;
    watch.shard.close(at(1_000).tick(), &mut summary, &mut |record| flows.push(record));
    assert_eq!((summary.flows.active, summary.flows.cohort_active), (0, 0));
    assert_eq!(watch.flows[0].end_reason, EndReason::ForcedEnd);
    assert!(summary.cohorts.is_empty(), "forgotten, not unfinished");
}

#[test]
fn a_handshake_whose_first_packets_were_overwritten_is_finished_by_the_sampler() {
    // Thirty-two places for first packets in a partition, and a flood between the answer and the client's ACK.
    let mut watch = Watch::new(ShardSettings { pending_capacity: 1, ..ShardSettings::default() });
    let pair = Pair::tcp(1);
    let [syn, answer, ack] = pair.handshake(0);
    watch.see([syn, answer]);
    watch.see((0..3_000).map(|n| port(n, Protocol::TCP)).map(|other| other.asks(15, SYN, (7, 0), 0)));
    watch.see([ack]);
    let mut watch = watch.after(5);
    assert_eq!((watch.admitted(), watch.sum(|host| host.verified)), (1, 1));
    assert_eq!(watch.sum(|host| host.cohort.finished[0]), 1);
    let flows = &mut watch.flows;
    watch.shard.finish(at(9_000), &mut |record| flows.push(record));
    assert_eq!(
        (watch.flows[0].sent.packets, watch.flows[0].received.packets),
        (1, 0),
        "what was forgotten is not guessed"
    );
}
