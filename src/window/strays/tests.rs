use super::*;
use crate::address::Address;
use crate::hash::Seed;
use crate::summary::sketch::source_hash;
use crate::summary::stray;

/// A tick with `packets` of a kind, from as many senders as `sources`, `answered` of them taken back.
fn tick(kind: StrayKind, packets: u64, sources: u32, answered: u64) -> HostTick {
    let mut host = HostTick::default();
    let row = stray::row(&mut host.strays, kind);
    row.volume.packets = packets;
    row.volume.bytes = packets * 500;
    row.answered.packets = answered;
    (0..sources).for_each(|n| row.sources.insert(source_hash(Seed::default(), Address::v4(n.to_be_bytes()))));
    host.inbound.packets = packets + 100;
    host.udp_in.packets = packets;
    host.tcp_in = 100;
    host
}

fn run(strays: &mut Strays, ticks: std::ops::Range<u64>, host: &HostTick) {
    for n in ticks {
        strays.observe(Tick::new(n), host, &Distinct::default());
        if Tick::new(n).closes_period(40) {
            strays.learn(1.0);
        }
    }
}

#[test]
fn a_flood_of_many_senders_is_evident_within_three_ticks_without_history() {
    let mut strays = Strays::default();
    run(&mut strays, 0..3, &tick(StrayKind::Datagram, 1_000, 500, 0));
    let window = strays.window(Family::Datagram).unwrap();
    assert!(window.decades().0 > 9.3, "{:?}", window.decades());
    assert_eq!(window.tested_per_second(2), 4_000.0);
    assert_eq!(window.onset(), Tick::new(0));
    let mut later = Strays::default();
    run(&mut later, 0..100, &HostTick::default());
    run(&mut later, 100..103, &tick(StrayKind::Datagram, 1_000, 500, 0));
    assert_eq!(later.window(Family::Datagram).unwrap().onset(), Tick::new(100));
}

#[test]
fn one_tick_is_never_enough() {
    let mut strays = Strays::default();
    run(&mut strays, 0..1, &tick(StrayKind::Datagram, 1_000_000, 5_000, 0));
    assert!(strays.window(Family::Datagram).unwrap().decades().0 < 4.0);
}

#[test]
fn what_the_host_answers_is_no_evidence() {
    let mut strays = Strays::default();
    run(&mut strays, 0..40, &tick(StrayKind::Datagram, 5_000, 1_000, 4_990));
    let window = strays.window(Family::Datagram).unwrap();
    assert!(window.decades().0 < 0.1);
    assert!(window.share_over(40) < 0.01);
}

#[test]
fn the_silence_before_the_first_packet_is_known() {
    let mut strays = Strays::default();
    run(&mut strays, 0..800, &HostTick::default());
    run(&mut strays, 800..803, &tick(StrayKind::Fragment, 500, 100, 0));
    let window = strays.window(Family::Fragment).unwrap();
    assert!(window.usual().is_some_and(|usual| usual < 1.0));
    assert!(window.envelope(Family::Fragment).is_some_and(|envelope| envelope < 260.0));
    assert!(window.decades().0 > 9.3);
}

#[test]
fn a_lasting_stream_becomes_usual() {
    let mut strays = Strays::default();
    run(&mut strays, 0..800, &tick(StrayKind::Datagram, 1_000, 1, 0));
    let window = strays.window(Family::Datagram).unwrap();
    assert!(window.decades().0 < 0.1, "{:?}", window.decades());
    assert!((window.usual().unwrap() - 4_000.0).abs() < 10.0);
}

#[test]
fn resets_that_answer_syn_acks_are_an_echo() {
    let mut strays = Strays::default();
    let mut echo = tick(StrayKind::Reset, 1_000, 1_000, 0);
    echo.syn_ack = 1_200;
    run(&mut strays, 0..8, &echo);
    assert!(strays.window(Family::Segment).unwrap().decades().0 < 0.1);
}

#[test]
fn initials_count_where_no_quic_is_served() {
    let mut strays = Strays::default();
    run(&mut strays, 0..4, &tick(StrayKind::QuicInitial, 1_000, 500, 0));
    assert!(strays.window(Family::Datagram).unwrap().decades().0 > 9.3);
    let mut serving = Strays::default();
    let mut client = tick(StrayKind::QuicInitial, 1_000, 500, 0);
    client.quic.finished = 100;
    run(&mut serving, 0..8, &client);
    assert!(serving.window(Family::Datagram).unwrap().decades().0 < 0.1);
}

#[test]
fn forged_senders_never_come_twice() {
    let mut strays = Strays::default();
    for n in 0..4_u32 {
        let mut host = tick(StrayKind::Datagram, 600, 0, 0);
        let fresh = |m: u32| Address::v4((n * 600 + m).to_be_bytes());
        (0..600).for_each(|m| host.strays[0].sources.insert(source_hash(Seed::default(), fresh(m))));
        strays.observe(Tick::new(u64::from(n)), &host, &Distinct::default());
    }
    assert!(strays.window(Family::Datagram).unwrap().never_repeats_a_source());
    let mut bots = Strays::default();
    run(&mut bots, 0..4, &tick(StrayKind::Datagram, 600, 200, 0));
    assert!(!bots.window(Family::Datagram).unwrap().never_repeats_a_source());
}
