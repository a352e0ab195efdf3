//! Open connections: those that carry nothing, that keep the server waiting, that do not read.

use vigie::packet::Packet;
use vigie::policy::Policy;
use vigie::summary::{ConnectionTick, ShardSettings, Summary};

use super::conversation::{ACK, FIN, Pair, RST, Watch, at};

fn sum(ticks: &[Summary]) -> ConnectionTick {
    let mut sum = ConnectionTick::default();
    for host in ticks.iter().flat_map(|tick| &tick.hosts) {
        let connections = &host.connections;
        sum.ripe += connections.ripe;
        sum.empty += connections.empty;
        sum.ended += connections.ended;
        sum.waiting_began += connections.waiting_began;
        sum.waiting_ended += connections.waiting_ended;
        sum.dripping_began += connections.dripping_began;
        sum.dripping_ended += connections.dripping_ended;
        sum.blocked_began += connections.blocked_began;
        sum.blocked_ended += connections.blocked_ended;
    }
    sum
}

/// What was counted by the end of a second.
fn by(watch: &Watch, seconds: u64) -> ConnectionTick {
    let until = at(seconds * 1_000).tick();
    let ticks: Vec<_> = watch.ticks.iter().filter(|tick| tick.tick < until).cloned().collect();
    sum(&ticks)
}

#[test]
fn a_connection_ripens_at_five_seconds_or_at_its_end() {
    let (idle, quick, talks) = (Pair::tcp(1), Pair::tcp(2), Pair::tcp(3));
    let mut packets: Vec<Packet> = [idle, quick, talks].iter().flat_map(|pair| pair.handshake(0)).collect();
    packets.sort_by_key(|packet| packet.timestamp);
    packets.push(quick.asks(1_000, RST, (101, 0), 0));
    packets.push(talks.asks(1_100, ACK, (101, 901), 400));
    packets.push(talks.answers(1_200, ACK, (901, 501), 400));
    let watch = Watch::of(packets).after(400);
    assert_eq!(by(&watch, 4), ConnectionTick { ripe: 1, empty: 1, ended: 1, ..Default::default() });
    assert_eq!(by(&watch, 8), ConnectionTick { ripe: 3, empty: 2, ended: 1, ..Default::default() });
    assert_eq!(sum(&watch.ticks).ended, 3);
}

#[test]
fn a_client_that_asks_nothing_is_waited_for_at_ten_seconds() {
    let (silent, short, asked) = (Pair::tcp(1), Pair::tcp(2), Pair::tcp(3));
    let mut packets: Vec<Packet> = [silent, short, asked].iter().flat_map(|pair| pair.handshake(0)).collect();
    packets.sort_by_key(|packet| packet.timestamp);
    packets.push(short.asks(1_000, ACK, (101, 901), 120));
    packets.push(asked.asks(1_000, ACK, (101, 901), 299));
    packets.push(asked.asks(1_010, ACK, (400, 901), 299));
    // At last it asks, and is answered.
    packets.push(short.asks(20_000, ACK, (221, 901), 300));
    packets.push(short.answers(20_100, ACK, (901, 521), 300));
    let watch = Watch::of(packets).after(400);
    assert_eq!((by(&watch, 9).waiting_began, by(&watch, 12).waiting_began, by(&watch, 19).waiting_ended), (0, 2, 0));
    assert_eq!(by(&watch, 22).waiting_ended, 1);
    let all = sum(&watch.ticks);
    assert_eq!((all.waiting_began, all.waiting_ended, all.ended), (2, 2, 3));
    assert_eq!(all.dripping_began, 0, "who asks nothing sends no pieces");
}

#[test]
fn three_slow_pieces_without_an_answer_keep_the_server_waiting() {
    let (slow, chatty, fast) = (Pair::tcp(1), Pair::tcp(2), Pair::tcp(3));
    let mut packets: Vec<Packet> = [slow, chatty, fast].iter().flat_map(|pair| pair.handshake(0)).collect();
    for pair in [slow, chatty, fast] {
        packets.push(pair.asks(100, ACK, (101, 901), 400));
        packets.push(pair.answers(150, ACK, (901, 501), 2_000));
    }
    for n in 0..4_u32 {
        let millis = 3_000 + u64::from(n) * 2_000;
        packets.push(slow.asks(millis, ACK, (501 + n * 10, 2_901), 10));
        packets.push(slow.answers(millis + 5, ACK, (2_901, 511 + n * 10), 0));
        // The same piece again is no other piece.
        packets.push(slow.asks(millis + 6, ACK, (501 + n * 10, 2_901), 10));
        packets.push(chatty.asks(millis, ACK, (501 + n * 10, 2_901 + n * 10), 10));
        packets.push(chatty.answers(millis + 5, ACK, (2_901 + n * 10, 511 + n * 10), 10));
        packets.push(fast.asks(millis + u64::from(n) * 100, ACK, (501 + n * 400, 2_901), 400));
    }
    packets.sort_by_key(|packet| packet.timestamp);
    let watch = Watch::of(packets).after(400);
    assert_eq!((by(&watch, 6).waiting_began, by(&watch, 8).waiting_began), (0, 1));
    assert_eq!((by(&watch, 6).dripping_began, by(&watch, 8).dripping_began), (0, 1));
    let all = sum(&watch.ticks);
    assert_eq!((all.waiting_began, all.waiting_ended), (1, 1));
    assert_eq!((all.dripping_began, all.dripping_ended), (1, 1));
}

#[test]
fn a_closed_window_blocks_until_it_opens_or_the_connection_ends() {
    let (opens, dies, empty) = (Pair::tcp(1), Pair::tcp(2), Pair::tcp(3));
    let mut packets: Vec<Packet> = [opens, dies, empty].iter().flat_map(|pair| pair.handshake(0)).collect();
    let closed = |packet: Packet| Packet { window: 0, ..packet };
    // Before the server has sent anything there is nothing that could be read.
    packets.push(closed(empty.asks(100, ACK, (101, 901), 0)));
    for pair in [opens, dies] {
        packets.push(pair.asks(100, ACK, (101, 901), 400));
        packets.push(pair.answers(150, ACK, (901, 501), 2_000));
        packets.push(closed(pair.asks(200, ACK, (501, 2_901), 0)));
        packets.push(closed(pair.asks(700, ACK, (501, 2_901), 0)));
    }
    packets.push(opens.asks(5_000, ACK, (501, 2_901), 0));
    packets.push(closed(dies.asks(6_000, RST, (501, 0), 0)));
    packets.sort_by_key(|packet| packet.timestamp);
    let watch = Watch::of(packets).after(1);
    assert_eq!((by(&watch, 4).blocked_began, by(&watch, 4).blocked_ended), (2, 0));
    assert_eq!((by(&watch, 6).blocked_ended, sum(&watch.ticks).blocked_ended), (1, 2));
}

#[test]
fn what_began_ends_exactly_once_whatever_ends_it() {
    let settings = ShardSettings { flow_capacity: 512, host_places: 2, ..ShardSettings::default() };
    let site = |prefix: &str| {
        let site = vigie::policy::Site { name: "web".into(), prefixes: vec![prefix.parse().unwrap()] };
        Policy::new(vec![site], false)
    };
    let mut watch = Watch::new(settings, site("192.0.2.0/24"));
    let connections = |millis: u64, from: u32| {
        let mut packets: Vec<Packet> = (from..from + 3_000)
            .flat_map(|n| {
                let pair = Pair::tcp(n);
                let server = (vigie::address::Address::v4([192, 0, 2, u8::try_from(n % 7).unwrap()]), 443);
                let (pair, start) = (Pair { server, ..pair }, millis + u64::from(n - from) * 5);
                let mut packets = pair.handshake(start).to_vec();
                packets.push(pair.asks(start + 30, ACK, (101, 901), 50));
                match n % 4 {
                    0 => packets.push(pair.asks(start + 700, RST, (151, 0), 0)),
                    1 => {
                        packets.push(pair.answers(start + 40, ACK, (901, 151), 900));
                        packets.push(Packet { window: 0, ..pair.asks(start + 50, ACK, (151, 1_801), 0) });
                    }
                    2 => packets.extend([
                        pair.answers(start + 40, FIN | ACK, (901, 151), 0),
                        pair.asks(start + 50, FIN | ACK, (151, 902), 0),
                        pair.answers(start + 60, ACK, (902, 152), 0),
                    ]),
                    _ => {}
                }
                packets
            })
            .collect();
        packets.sort_by_key(|packet| packet.timestamp);
        packets
    };
    watch.see(connections(0, 0));
    // Half of what is protected no longer is; then the clock is set back, which ends everything.
    watch.shard.adopt(std::sync::Arc::new(site("192.0.2.0/30")));
    watch.see(connections(16_000, 10_000));
    let mut watch = watch.after(2);
    let mut last = Summary::default();
    watch.shard.close(at(0).tick(), &mut last, &mut |_| {});
    watch.ticks.push(last);
    let all = sum(&watch.ticks);
    assert_eq!(all.ended, watch.sum(|host| host.verified));
    assert_eq!((all.ripe, all.waiting_began, all.blocked_began), (all.ended, all.waiting_ended, all.blocked_ended));
    assert!(all.ended > 1_000 && all.blocked_began > 100 && all.empty < all.ripe, "{all:?}");
    assert!(watch.ticks.iter().map(|tick| tick.flows.ended[4]).sum::<u64>() > 100, "evictions");
}
