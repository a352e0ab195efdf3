//! Every filter is compiled by libpcap itself and tried on frames: tagged and not, of both families.

use etherparse::{PacketBuilder, PacketBuilderStep, VlanId};
use pcap::{BpfProgram, Capture, Linktype};

use super::*;
use crate::kind::{Severity, Verdict};
use crate::time::Timestamp;

const SYN: u8 = 0x02;
const SYN_ACK: u8 = 0x12;
const ACK: u8 = 0x10;
const RST: u8 = 0x04;

#[derive(Clone, Copy)]
enum Carries<'a> {
    /// Flags and ports.
    Tcp(u8, u16, u16),
    Udp(u16, u16),
    Icmp,
    /// A later fragment of the given protocol.
    Fragment(u8),
    Raw(&'a [u8], u8),
}

fn finding(kind: AlertKind, prefix: &str, port: Option<u16>, protocol: Option<Protocol>) -> Finding {
    Finding {
        kind,
        target: Target { prefix: Some(prefix.parse().unwrap()), site: None, port, protocol, members: vec![] },
        score: 1.0,
        alert_at: 1.0,
        gates_hold: true,
        severity: Severity::Warning,
        verdict: Some(Verdict::Attack),
        confidence: 1.0,
        onset: Timestamp::ZERO,
        figures: vec![],
        spoofed: false,
        origins: vec![],
        sources: vec![],
        caveats: vec![],
        settings: vec![],
    }
}

fn compiled(filter: &str) -> BpfProgram {
    let capture = Capture::dead(Linktype::ETHERNET).unwrap();
    capture.compile(filter, true).unwrap_or_else(|error| panic!("{filter}: {error}"))
}

/// Builds a frame with the given number of VLAN tags; addresses of one family.
fn frame(tags: usize, from: &str, to: &str, carries: Carries<'_>) -> Vec<u8> {
    let (from, to): (Address, Address) = (from.parse().unwrap(), to.parse().unwrap());
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    for tag in 0..tags {
        let outer_of_two = tag == 0 && tags == 2;
        frame.extend_from_slice(if outer_of_two { &[0x88, 0xa8] } else { &[0x81, 0x00] });
        frame.extend_from_slice(&VlanId::try_from(42_u16).unwrap().value().to_be_bytes());
    }
    frame.extend_from_slice(if from.is_ipv4() { &[0x08, 0x00] } else { &[0x86, 0xdd] });
    frame.extend(packet(from, to, carries));
    frame
}

fn packet(from: Address, to: Address, carries: Carries<'_>) -> Vec<u8> {
    let builder = match (from.to_ipv4(), to.to_ipv4()) {
        (Some(from), Some(to)) => PacketBuilder::ipv4(from.octets(), to.octets(), 60),
        _ => PacketBuilder::ipv6(from.bytes(), to.bytes(), 60),
    };
    let mut bytes = Vec::new();
    match carries {
        Carries::Tcp(flags, source, destination) => tcp(builder, flags, source, destination, &mut bytes),
        Carries::Udp(source, destination) => builder.udp(source, destination).write(&mut bytes, &[0; 20]).unwrap(),
        Carries::Icmp if from.is_ipv4() => builder.icmpv4_echo_request(1, 1).write(&mut bytes, &[0; 20]).unwrap(),
        Carries::Icmp => builder.icmpv6_echo_request(1, 1).write(&mut bytes, &[0; 20]).unwrap(),
        Carries::Raw(payload, protocol) => builder.write(&mut bytes, protocol.into(), payload).unwrap(),
        Carries::Fragment(protocol) => later_fragment(builder, from.is_ipv4(), protocol, &mut bytes),
    }
    bytes
}

fn tcp(builder: PacketBuilderStep<etherparse::IpHeaders>, flags: u8, source: u16, destination: u16, out: &mut Vec<u8>) {
    let mut step = builder.tcp(source, destination, 1, 1_024);
    for (bit, apply) in [(0x01, 0), (SYN, 1), (RST, 2), (0x08, 3), (ACK, 4)] {
        if flags & bit != 0 {
            step = match apply {
                0 => step.fin(),
                1 => step.syn(),
                2 => step.rst(),
                3 => step.psh(),
                _ => step.ack(7),
            };
        }
    }
    step.write(out, &[]).unwrap();
}

fn later_fragment(builder: PacketBuilderStep<etherparse::IpHeaders>, ipv4: bool, protocol: u8, out: &mut Vec<u8>) {
    if ipv4 {
        builder.write(out, protocol.into(), &[0; 64]).unwrap();
        // Fragment offset 185, no more fragments.
        out[6..8].copy_from_slice(&185_u16.to_be_bytes());
    } else {
        let header = [protocol, 0, 0x05, 0xc8, 0, 0, 0, 1];
        builder.write(out, 44.into(), &[&header[..], &[0; 64]].concat()).unwrap();
    }
}

/// Checks a filter on frames with no, one and two tags; `chosen` and `passed_over` are (from, to, content).
fn check(finding: &Finding, chosen: &[(&str, &str, Carries<'_>)], passed_over: &[(&str, &str, Carries<'_>)]) {
    let text = of(finding);
    let program = compiled(&text);
    for tags in 0..=2 {
        for (index, (from, to, carries)) in chosen.iter().enumerate() {
            assert!(program.filter(&frame(tags, from, to, *carries)), "{text} misses {index} with {tags} tags");
        }
        for (index, (from, to, carries)) in passed_over.iter().enumerate() {
            assert!(!program.filter(&frame(tags, from, to, *carries)), "{text} selects {index} with {tags} tags");
        }
    }
}

const OUT4: &str = "198.51.100.7";
const WEB4: &str = "192.0.2.10";
const OTHER4: &str = "192.0.2.11";
const OUT6: &str = "2001:db8:ffff::7";
const WEB6: &str = "2001:db8::10";
const OTHER6: &str = "2001:db8::11";

#[test]
fn a_syn_flood_is_inbound_syns_without_ack() {
    for (out, web, other) in [(OUT4, WEB4, OTHER4), (OUT6, WEB6, OTHER6)] {
        let host = finding(AlertKind::SynFlood, web, Some(443), Some(Protocol::TCP));
        check(
            &host,
            &[(out, web, Carries::Tcp(SYN, 50_000, 443))],
            &[
                (web, out, Carries::Tcp(SYN_ACK, 443, 50_000)),
                (out, web, Carries::Tcp(SYN_ACK, 50_000, 443)),
                (out, web, Carries::Tcp(ACK, 50_000, 443)),
                (out, web, Carries::Tcp(SYN, 50_000, 80)),
                (out, web, Carries::Tcp(SYN, 443, 80)),
                (out, other, Carries::Tcp(SYN, 50_000, 443)),
                (web, out, Carries::Tcp(SYN, 50_000, 443)),
                (out, web, Carries::Udp(50_000, 443)),
            ],
        );
    }
}

#[test]
fn a_flooded_prefix_is_selected_whole_and_on_every_port() {
    for (net, out, hosts) in [("192.0.2.0/24", OUT4, [WEB4, OTHER4]), ("2001:db8::/48", OUT6, [WEB6, OTHER6])] {
        let syn = |host| (out, host, Carries::Tcp(SYN, 1, 2));
        check(
            &finding(AlertKind::SynFlood, net, None, None),
            &hosts.map(syn),
            &[(hosts[0], out, Carries::Tcp(SYN, 1, 2))],
        );
        let any = |host| (out, host, Carries::Udp(1, 2));
        check(&finding(AlertKind::CarpetBombing, net, None, None), &hosts.map(any), &[]);
    }
}

#[test]
fn a_surge_is_everything_sent_to_the_service() {
    for (out, web, other) in [(OUT4, WEB4, OTHER4), (OUT6, WEB6, OTHER6)] {
        for kind in [AlertKind::ForeignSurge, AlertKind::RoboticSurge, AlertKind::Rush, AlertKind::Overload] {
            check(
                &finding(kind, web, Some(443), Some(Protocol::TCP)),
                &[(out, web, Carries::Tcp(SYN, 50_000, 443)), (out, web, Carries::Tcp(ACK, 50_000, 443))],
                &[
                    (web, out, Carries::Tcp(ACK, 443, 50_000)),
                    (out, web, Carries::Tcp(ACK, 443, 50_000)),
                    (out, other, Carries::Tcp(ACK, 50_000, 443)),
                ],
            );
        }
    }
}

#[test]
fn a_datagram_flood_includes_fragments_which_have_no_port() {
    for (out, web) in [(OUT4, WEB4), (OUT6, WEB6)] {
        for kind in [AlertKind::UdpFlood, AlertKind::Amplification] {
            let datagrams = [(out, web, Carries::Udp(53, 4_444)), (out, web, Carries::Fragment(17))];
            let others = [(out, web, Carries::Tcp(SYN, 53, 4_444)), (web, out, Carries::Udp(53, 4_444))];
            check(&finding(kind, web, None, Some(Protocol::UDP)), &datagrams, &others);
            check(&finding(kind, web, Some(4_444), Some(Protocol::UDP)), &datagrams, &others);
            let elsewhere = [(out, web, Carries::Udp(4_444, 53))];
            check(&finding(kind, web, Some(4_444), Some(Protocol::UDP)), &datagrams, &elsewhere);
        }
        check(
            &finding(AlertKind::FragmentFlood, web, None, None),
            &[(out, web, Carries::Fragment(17)), (out, web, Carries::Fragment(6))],
            &[(out, web, Carries::Udp(53, 4_444)), (web, out, Carries::Fragment(17))],
        );
        check(
            &finding(AlertKind::IcmpFlood, web, None, Some(Protocol::ICMP)),
            &[(out, web, Carries::Icmp)],
            &[(web, out, Carries::Icmp), (out, web, Carries::Udp(1, 2))],
        );
    }
}

#[test]
fn a_reflection_is_selected_by_its_service_and_with_its_fragments() {
    for (out, web) in [(OUT4, WEB4), (OUT6, WEB6)] {
        let mut dns = finding(AlertKind::Amplification, web, None, Some(Protocol::UDP));
        let of = |name, observed| Figure { name, observed, expected: None, interval: None };
        dns.figures = vec![of(FigureName::ReflectorPort, 53.0), of(FigureName::ReflectorShare, 1.0)];
        let replies = [(out, web, Carries::Udp(53, 4_444)), (out, web, Carries::Fragment(17))];
        check(&dns, &replies, &[(out, web, Carries::Udp(4_444, 53)), (web, out, Carries::Udp(53, 4_444))]);
        dns.figures[1].observed = 0.6;
        check(&dns, &[(out, web, Carries::Udp(123, 4_444))], &[]);
    }
}

#[test]
fn icmp_behind_extension_headers_and_other_protocols_are_selected() {
    let mut behind_options = vec![58, 0, 1, 4, 0, 0, 0, 0];
    behind_options.extend([128, 0, 0, 0, 0, 1, 0, 1]);
    let ping = (OUT6, WEB6, Carries::Raw(&behind_options, 60));
    check(&finding(AlertKind::IcmpFlood, WEB6, None, Some(Protocol::ICMPV6)), &[ping], &[]);
    for (out, web) in [(OUT4, WEB4), (OUT6, WEB6)] {
        let mut gre = finding(AlertKind::UdpFlood, web, None, None);
        let name = FigureName::OtherProtocolPerSecond;
        gre.figures = vec![Figure { name, observed: 9e3, expected: None, interval: None }];
        check(&gre, &[(out, web, Carries::Raw(&[0; 8], 47))], &[(out, web, Carries::Udp(1, 2))]);
    }
}

#[test]
fn segments_outside_connections_are_all_but_openings() {
    for (out, web) in [(OUT4, WEB4), (OUT6, WEB6)] {
        let flags = [SYN_ACK, ACK, RST, RST | ACK, 0x18, 0, SYN | 0x01];
        let segments = flags.map(|flags| (out, web, Carries::Tcp(flags, 443, 50_000)));
        check(
            &finding(AlertKind::TcpFlagFlood, web, None, Some(Protocol::TCP)),
            &segments,
            &[(out, web, Carries::Tcp(SYN, 443, 50_000)), (out, web, Carries::Udp(1, 2))],
        );
    }
}

#[test]
fn one_source_is_named_by_its_unit_and_data_leaves_the_inside_host() {
    for (out, same_unit, stranger, web) in
        [(OUT4, OUT4, "198.51.100.8", WEB4), (OUT6, "2001:db8:ffff::1:2:3", "2001:db8:fffe::7", WEB6)]
    {
        for kind in [AlertKind::PortScan, AlertKind::HostSweep, AlertKind::BruteForce] {
            let address: Address = out.parse::<Address>().unwrap().source_unit();
            let mut scan = finding(kind, web, None, Some(Protocol::TCP));
            scan.sources = vec![SourceShare { address, packets: 1, bytes: 60 }];
            check(
                &scan,
                &[(out, web, Carries::Tcp(SYN, 1, 22)), (same_unit, web, Carries::Tcp(SYN, 1, 22))],
                &[(stranger, web, Carries::Tcp(SYN, 1, 22))],
            );
            scan.spoofed = true;
            check(&scan, &[(stranger, web, Carries::Tcp(SYN, 1, 22))], &[]);
        }
        for kind in [AlertKind::Exfiltration, AlertKind::NewOutbound, AlertKind::Beacon] {
            check(
                &finding(kind, web, Some(443), Some(Protocol::TCP)),
                &[(web, out, Carries::Tcp(ACK, 443, 9)), (web, out, Carries::Tcp(ACK, 9, 443))],
                &[(out, web, Carries::Tcp(ACK, 9, 443))],
            );
        }
    }
}

#[test]
fn every_kind_compiles_with_every_shape_of_target() {
    let prefixes = [
        None,
        Some("192.0.2.10/32"),
        Some("192.0.2.0/24"),
        Some("2001:db8::1/128"),
        Some("2001:db8::/48"),
        Some("0.0.0.0/0"),
        Some("::/0"),
    ];
    let protocols = [
        None,
        Some(Protocol::TCP),
        Some(Protocol::UDP),
        Some(Protocol::ICMP),
        Some(Protocol::ICMPV6),
        Some(Protocol(47)),
    ];
    for kind in AlertKind::ALL {
        for prefix in prefixes {
            for protocol in protocols {
                for port in [None, Some(443)] {
                    let mut any = finding(*kind, prefix.unwrap_or("::/0"), port, protocol);
                    any.target.prefix = prefix.map(|prefix| prefix.parse().unwrap());
                    any.sources = (0..30_u8)
                        .map(|n| SourceShare { address: Address::v4([198, 51, 100, n]), packets: 1, bytes: 60 })
                        .collect();
                    compiled(&of(&any));
                }
            }
        }
    }
}

#[test]
fn a_blind_sensor_selects_all_ip() {
    let mut blind = finding(AlertKind::SensorBlind, "::/0", None, None);
    blind.target.prefix = None;
    check(&blind, &[(OUT4, WEB4, Carries::Icmp), (OUT6, WEB6, Carries::Raw(&[0; 8], 47))], &[]);
}
