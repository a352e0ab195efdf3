//! Packets without a two-way conversation, by kind.

use vigie::address::Address;
use vigie::packet::{Marks, Packet, Protocol, TcpFlags};
use vigie::policy::Policy;
use vigie::summary::{HostTick, ShardSettings, StrayKind, stray};

use super::conversation::{ACK, FIN, Pair, RST, SYN, Watch, at, outside, server};

fn reply(port: u16) -> StrayKind {
    StrayKind::reply(port).unwrap()
}

#[test]
fn an_ordinary_connection_leaves_no_strays() {
    let pair = Pair::tcp(1);
    let mut packets = pair.handshake(0).to_vec();
    packets.push(pair.asks(30, ACK, (101, 901), 300));
    packets.push(pair.answers(40, ACK, (901, 401), 1_000));
    packets.push(pair.answers(50, FIN | ACK, (1_901, 401), 0));
    packets.push(pair.asks(60, FIN | ACK, (401, 1_902), 0));
    packets.push(pair.answers(70, ACK, (1_902, 402), 0));
    packets.push(pair.asks(80, RST, (402, 0), 0));
    assert_eq!(Watch::of(packets).after(1).counted(), []);
}

#[test]
fn what_the_protected_host_began_or_answered_is_no_stray() {
    let pair = Pair::tcp(1);
    // It connects to the outside, is answered and refused; and a forged SYN that it answered is reset by the owner.
    let begun = [pair.answers(0, SYN, (7, 0), 0), pair.asks(10, SYN | ACK, (20, 8), 0)];
    let refused = [pair.answers(500, SYN, (7, 0), 0), pair.asks(510, RST | ACK, (0, 8), 0)];
    let forged =
        [pair.asks(1_000, SYN, (1, 0), 0), pair.answers(1_001, SYN | ACK, (5, 2), 0), pair.asks(1_020, RST, (2, 0), 0)];
    assert_eq!(Watch::of(begun.into_iter().chain(refused).chain(forged)).after(2).counted(), []);
}

#[test]
fn a_reset_does_not_make_a_conversation() {
    let pair = Pair::tcp(1);
    let flood = (0..50).flat_map(|n| [pair.asks(n * 10, ACK, (1, 1), 0), pair.answers(n * 10 + 1, RST, (1, 0), 0)]);
    let data =
        (0..20).flat_map(|n| [pair.asks(1_000 + n * 10, ACK, (1, 1), 9), pair.answers(1_001 + n * 10, RST, (1, 0), 0)]);
    let counted = Watch::of(flood.chain(data)).after(2).counted();
    assert_eq!(counted, [(StrayKind::Ack, 50, 0), (StrayKind::Data, 20, 0)]);
}

#[test]
fn a_connection_joined_in_the_middle_is_taken_back_when_it_is_answered() {
    let pair = Pair::tcp(1);
    let packets = [
        pair.asks(0, ACK, (101, 901), 300),
        pair.asks(5, ACK, (401, 901), 300),
        pair.answers(300, ACK, (901, 701), 1_000),
        pair.asks(310, ACK, (701, 1_901), 0),
    ];
    let watch = Watch::of(packets).after(1);
    assert_eq!(watch.counted(), [(StrayKind::Data, 2, 2)]);
    assert_eq!(watch.strays()[0].volume, watch.strays()[0].answered);
    // The tick of the answer says so, not that of the question.
    assert_eq!(watch.ticks[0].hosts[0].strays[0].answered.packets, 0);
}

#[test]
fn forged_segments_count_under_their_kinds() {
    let of = |n: u32, flags: u8, payload| Pair::tcp(n).asks(0, flags, (5, 5), payload);
    let packets = [
        of(1, SYN, 0),
        of(2, SYN | ACK, 0),
        of(3, ACK, 0),
        of(4, ACK | TcpFlags::PSH, 100),
        of(5, FIN | ACK, 0),
        of(6, RST, 0),
        of(7, 0, 0),
        of(8, FIN, 0),
        of(9, FIN | TcpFlags::PSH | 0x20, 0),
        of(10, SYN | FIN, 0),
    ];
    let counted = Watch::of(packets).after(1).counted();
    assert_eq!(
        counted,
        [
            (StrayKind::SynAck, 1, 0),
            (StrayKind::Ack, 1, 0),
            (StrayKind::Data, 1, 0),
            (StrayKind::Reset, 2, 0),
            (StrayKind::OddFlags, 4, 0)
        ]
    );
}

#[test]
fn replies_that_nobody_asked_for_are_told_from_answers() {
    let mut packets = Vec::new();
    for n in 0..200 {
        packets.push(Pair::udp(n, 53, 4_000).asks(u64::from(n), 0, (0, 0), 1_400));
    }
    // A resolver that was asked answers, twice, and once more when the conversation is long forgotten.
    let asked = Pair::udp(900, 53, 5_000);
    packets.push(asked.answers(300, 0, (0, 0), 40));
    packets.push(asked.asks(320, 0, (0, 0), 400));
    packets.push(asked.asks(330, 0, (0, 0), 400));
    packets.push(Pair::udp(900, 53, 5_001).asks(20_000, 0, (0, 0), 400));
    packets.push(Pair::udp(900, 53, 5_002).asks(100_000, 0, (0, 0), 400));
    let watch = Watch::of(packets).after(1);
    assert_eq!(watch.counted(), [(reply(53), 201, 0), (StrayKind::Datagram, 1, 0)]);
    let sources = watch.strays()[0].sources.estimate();
    assert!((180.0..=225.0).contains(&sources), "{sources}");
    assert_eq!(watch.ticks.iter().flat_map(|tick| &tick.hosts).map(|host| host.udp_in.packets).sum::<u64>(), 204);
}

#[test]
fn questions_from_outside_do_not_excuse_replies() {
    // A forged question to our port 53 says nothing of what we asked.
    let packets = [Pair::udp(1, 4_000, 53).asks(0, 0, (0, 0), 40), Pair::udp(1, 53, 4_000).asks(10, 0, (0, 0), 400)];
    assert_eq!(Watch::of(packets).after(1).counted(), [(reply(53), 1, 0), (StrayKind::Datagram, 1, 0)]);
}

#[test]
fn a_name_server_takes_its_questions_back() {
    let questions = (0..500_u32).flat_map(|n| {
        let pair = Pair::udp(n, if n % 2 == 0 { 53 } else { 30_000 }, 53);
        let millis = u64::from(n) * 4;
        [pair.asks(millis, 0, (0, 0), 40), pair.answers(millis + 3, 0, (0, 0), 200)]
    });
    let watch = Watch::of(questions).after(1);
    assert_eq!(watch.counted(), [(reply(53), 250, 250), (StrayKind::Datagram, 250, 250)]);
    for stray in watch.strays() {
        assert_eq!(stray.volume, stray.answered);
    }
}

#[test]
fn initials_count_apart_until_they_are_answered() {
    let initial = |packet: Packet| Packet { marks: Marks(Marks::QUIC_INITIAL), ..packet };
    let (lone, served, reflected) = (Pair::udp(1, 50_000, 443), Pair::udp(2, 443, 443), Pair::udp(3, 443, 50_000));
    let packets = [
        initial(lone.asks(0, 0, (0, 0), 1_200)),
        initial(lone.asks(1_000, 0, (0, 0), 1_200)),
        initial(served.asks(1_000, 0, (0, 0), 1_200)),
        initial(served.answers(1_010, 0, (0, 0), 1_200)),
        initial(reflected.asks(1_010, 0, (0, 0), 1_200)),
    ];
    let counted = Watch::of(packets).after(2).counted();
    assert_eq!(counted, [(reply(443), 1, 0), (StrayKind::QuicInitial, 3, 1)]);
}

#[test]
fn every_echo_request_and_fragment_counts_in_a_conversation_or_not() {
    let echo = |from: Address, to: Address, kind: u16, millis: u64| Packet {
        timestamp: at(millis),
        source: from,
        destination: to,
        destination_port: kind << 8,
        sequence: 0x0007_0000,
        wire_len: 98,
        protocol: Protocol::ICMP,
        ..Packet::default()
    };
    let mut packets = Vec::new();
    for n in 0..10 {
        packets.push(echo(outside(1), server(), 8, n * 10));
        packets.push(echo(server(), outside(1), 0, n * 10 + 1));
    }
    packets.push(echo(outside(2), server(), 0, 200));
    packets.push(echo(outside(2), server(), 3, 201));
    let first = Packet { marks: Marks(Marks::FRAGMENT), ..Pair::udp(3, 9, 9).asks(300, 0, (0, 0), 1_400) };
    let later = Packet { marks: Marks(Marks::FRAGMENT | Marks::LATER_FRAGMENT), ..first };
    packets.extend([first, later, later]);
    packets.push(Packet { protocol: Protocol(47), ..echo(outside(4), server(), 0, 400) });
    let counted = Watch::of(packets).after(1).counted();
    assert_eq!(
        counted,
        [
            (StrayKind::Datagram, 1, 0),
            (StrayKind::EchoRequest, 10, 0),
            (StrayKind::EchoReply, 1, 0),
            (StrayKind::OtherIcmp, 1, 0),
            (StrayKind::Fragment, 3, 0),
            (StrayKind::OtherProtocol, 1, 0)
        ]
    );
}

#[test]
fn a_site_counts_strays_of_all_its_hosts_even_without_a_place() {
    let flood = (0..5_000_u32).map(|n| Packet {
        destination: Address::v4([192, 0, 2, u8::try_from(n % 250).unwrap()]),
        ..Pair::udp(n, 40_000, 9).asks(u64::from(n) / 50, 0, (0, 0), 100)
    });
    let site = vigie::policy::Site { name: "web".into(), prefixes: vec!["192.0.2.0/24".parse().unwrap()] };
    let settings = ShardSettings { host_places: 1, ..ShardSettings::default() };
    let mut watch = Watch::new(settings, Policy::new(vec![site], false));
    watch.see(flood);
    let watch = watch.after(1);
    let site = &watch.ticks[0].sites[0];
    assert_eq!((site.strays.len(), site.strays[0].volume.packets), (1, 5_000));
    assert!(watch.ticks[0].flows.hosts_refused > 1_000);
    let targets = site.stray_targets.estimate();
    assert!((225.0..=275.0).contains(&targets), "{targets}");
}

#[test]
fn a_flooded_destination_is_judged_before_it_is_protected() {
    let flood = (0..2_000_u32).map(|n| Pair::udp(n, 53, 4_000).asks(u64::from(n) / 10, 0, (0, 0), 1_400));
    let answered = (0..200_u32).flat_map(|n| {
        let pair = Pair { server: (outside(9_999), 53), ..Pair::udp(5_000 + n, 40_000, 53) };
        [pair.asks(210, 0, (0, 0), 40), pair.answers(211, 0, (0, 0), 100)]
    });
    let mut watch = Watch::new(ShardSettings::default(), Policy::new(Vec::new(), true));
    watch.see(flood.chain(answered));
    let watch = watch.after(1);
    let candidate = |of| watch.ticks[0].candidates.iter().find(|heavy| heavy.address == of).unwrap();
    let host = HostTick::of_candidate(candidate(server()));
    assert_eq!((host.address, host.strays[0].kind), (server(), reply(53)));
    assert_eq!((host.inbound, host.udp_in), (host.strays[0].volume, host.strays[0].volume));
    assert!(host.inbound.packets > 1_900 && host.strays[0].sources.estimate() > 1_000.0);
    // The clients of an unprotected server are no flood.
    let served = HostTick::of_candidate(candidate(outside(9_999)));
    assert_eq!(served.strays[0].volume, served.strays[0].answered);
    let mut none = Vec::new();
    stray::join(&mut none, &served.strays);
    assert_eq!(none, served.strays);
}
