//! First contacts and how they ended.

use vigie::address::Address;
use vigie::packet::{Packet, Protocol, TcpFlags};
use vigie::policy::Policy;
use vigie::summary::{Knock, Probe, ProbeOutcome, ShardSettings};

use super::conversation::{ACK, FIN, Pair, RST, SYN, Watch, at, outside, server};

fn probes(watch: &Watch) -> Vec<Probe> {
    watch.ticks.iter().flat_map(|tick| tick.probes.clone()).collect()
}

fn port(n: u16) -> Pair {
    Pair { server: (server(), n), ..Pair::tcp(1) }
}

fn outcomes(watch: &Watch) -> Vec<(u16, ProbeOutcome)> {
    let mut outcomes: Vec<_> = probes(watch).iter().map(|probe| (probe.port, probe.outcome)).collect();
    outcomes.sort_unstable();
    outcomes
}

#[test]
fn a_scan_is_told_port_by_port() {
    let packets = [
        port(22).asks(0, SYN, (1, 0), 0),
        port(22).answers(5, SYN | ACK, (9, 2), 0),
        port(22).asks(10, RST, (2, 0), 0),
        port(23).asks(20, SYN, (1, 0), 0),
        port(23).answers(25, RST | ACK, (0, 2), 0),
        port(24).asks(30, SYN, (1, 0), 0),
        // Sent again, refused again: one attempt each.
        port(23).asks(500, SYN, (1, 0), 0),
        port(23).answers(505, RST | ACK, (0, 2), 0),
        port(24).asks(1_030, SYN, (1, 0), 0),
    ];
    let watch = Watch::of(packets).after(5);
    let expected = [(22, ProbeOutcome::Answered), (23, ProbeOutcome::Refused), (24, ProbeOutcome::Silent)];
    assert_eq!(outcomes(&watch), expected);
    let first = probes(&watch)[0];
    assert_eq!((first.source, first.target, first.at), (outside(1), server(), at(5)));
    assert_eq!((first.knock, first.protocol, first.weight), (Knock::Ordinary, Protocol::TCP, 1));
}

#[test]
fn stealthy_flags_are_contacts_and_answers_are_not() {
    let xmas = FIN | TcpFlags::PSH | 0x20;
    let packets = [
        port(1).asks(0, 0, (1, 0), 0),
        port(2).asks(0, FIN, (1, 0), 0),
        port(3).asks(0, xmas, (1, 0), 0),
        port(3).answers(1, RST | ACK, (0, 1), 0),
        port(4).asks(0, ACK, (1, 5), 0),
        port(5).asks(0, SYN | ACK, (1, 5), 0),
        port(6).asks(0, FIN | ACK, (1, 5), 0),
    ];
    let watch = Watch::of(packets).after(5);
    assert_eq!(outcomes(&watch), [(1, ProbeOutcome::Silent), (2, ProbeOutcome::Silent), (3, ProbeOutcome::Refused)]);
    assert!(probes(&watch).iter().all(|probe| probe.knock == Knock::Stealthy));
}

#[test]
fn datagrams_and_echo_requests_are_contacts_in_every_direction() {
    let echo = |from: Address, to: Address, kind: u16, millis: u64| Packet {
        timestamp: at(millis),
        source: from,
        destination: to,
        destination_port: kind << 8,
        sequence: 0x0007_0000,
        protocol: Protocol::ICMP,
        ..Packet::default()
    };
    let transit = Pair { server: (outside(7), 161), protocol: Protocol::UDP, ..Pair::tcp(8) };
    let outbound = Pair::udp(9, 53, 5_000);
    let packets = [
        echo(outside(1), server(), 8, 0),
        echo(server(), outside(1), 0, 3),
        transit.asks(10, 0, (0, 0), 40),
        outbound.answers(20, 0, (0, 0), 40),
        outbound.asks(25, 0, (0, 0), 300),
    ];
    let mut watch = Watch::new(ShardSettings::default(), Policy::new(Vec::new(), false));
    watch.see(packets);
    let watch = watch.after(5);
    let expected = [(0, ProbeOutcome::Answered), (53, ProbeOutcome::Answered), (161, ProbeOutcome::Silent)];
    assert_eq!(outcomes(&watch), expected);
    let asked: Vec<_> = probes(&watch).iter().map(|probe| (probe.source, probe.target)).collect();
    assert_eq!(asked, [(outside(1), server()), (server(), outside(9)), (outside(8), outside(7))]);
}

#[test]
fn a_fast_scanner_is_seen_through_and_a_forged_flood_is_thinned() {
    let scan = (0..20_000_u32).map(|n| {
        let target = (Address::v4([192, 0, 2, 1]), u16::try_from(n % 60_000).unwrap());
        Pair { server: target, ..Pair::tcp(1) }.asks(u64::from(n) / 2, SYN, (1, 0), 0)
    });
    let watch = Watch::of(scan).after(5);
    let seen = probes(&watch);
    assert!(seen.len() > 1_500 && seen.iter().all(|probe| probe.weight == 1), "{}", seen.len());

    let flood = (0..400_000_u32).map(|n| Pair::tcp(n * 7).asks(u64::from(n) / 100, SYN, (n, 0), 0));
    let watch = Watch::of(flood).after(5);
    assert!(watch.ticks.iter().all(|tick| tick.probes.len() <= 64 * 576));
    let weights: u32 = probes(&watch).iter().map(|probe| probe.weight).sum();
    assert!((150_000..=420_000).contains(&weights), "{weights}");
}
