//! One test an encapsulation, and the rules of fragments, snap lengths and transports.
#![expect(clippy::indexing_slicing, reason = "a test that indexes wrongly fails, as it should")]

mod both_ways;
mod nesting;

use etherparse::PacketBuilder;

use super::*;
use crate::address::Address;
use crate::packet::{Protocol, TcpFlags};
use crate::source::{InterfaceId, LinkType};
use crate::time::Timestamp;

const SOURCE: [u8; 4] = [192, 0, 2, 1];
const DESTINATION: [u8; 4] = [198, 51, 100, 7];

fn of(link: LinkType, bytes: &[u8], wire_len: usize) -> Result<Packet, DropReason> {
    let wire_len = u32::try_from(wire_len).unwrap();
    decode(&Frame { timestamp: Timestamp::from_secs(7), link, interface: InterfaceId(0), wire_len, bytes })
}

fn whole(link: LinkType, bytes: &[u8]) -> Result<Packet, DropReason> {
    of(link, bytes, bytes.len())
}

/// What the tests expect of the innermost packet, whatever is around it.
fn assert_inner(link: LinkType, bytes: &[u8], marks: u8) {
    let packet = whole(link, bytes).unwrap();
    assert_eq!(
        (packet.source, packet.destination, packet.source_port, packet.destination_port),
        (Address::v4(SOURCE), Address::v4(DESTINATION), 4000, 53)
    );
    assert_eq!((packet.protocol, packet.payload_len, packet.marks), (Protocol::UDP, 5, Marks(marks)));
    assert_eq!(usize::try_from(packet.wire_len), Ok(bytes.len()));
}

fn with_payload<S>(
    builder: etherparse::PacketBuilderStep<S>,
    write: impl FnOnce(etherparse::PacketBuilderStep<S>, &mut Vec<u8>),
) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(builder, &mut bytes);
    bytes
}

/// An IPv4 packet from port 4000 to port 53 with 5 bytes.
fn inner() -> Vec<u8> {
    let builder = PacketBuilder::ipv4(SOURCE, DESTINATION, 61).udp(4000, 53);
    with_payload(builder, |builder, out| builder.write(out, b"query").unwrap())
}

fn tcp_segment(options: bool) -> Vec<u8> {
    let builder =
        PacketBuilder::ipv4(SOURCE, DESTINATION, 61).tcp(4000, 443, 0x0102_0304, 0x1000).ack(0x0a0b_0c0d).psh();
    let builder = if options { builder.options_raw(&[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]).unwrap() } else { builder };
    with_payload(builder, |builder, out| builder.write(out, b"payload").unwrap())
}

/// An outer IPv4 header around bytes of the given protocol.
fn ip(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let header = etherparse::Ipv4Header::new(
        u16::try_from(payload.len()).unwrap(),
        60,
        etherparse::IpNumber(protocol),
        [203, 0, 113, 1],
        [203, 0, 113, 2],
    );
    let mut bytes = header.unwrap().to_bytes().to_vec();
    bytes.extend_from_slice(payload);
    bytes
}

fn ethernet(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    bytes.extend(ether_type.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

fn udp(destination: u16, parts: &[&[u8]]) -> Vec<u8> {
    let payload = parts.concat();
    let mut bytes = 50_000_u16.to_be_bytes().to_vec();
    bytes.extend(destination.to_be_bytes());
    bytes.extend(u16::try_from(payload.len() + 8).unwrap().to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(payload);
    bytes
}

fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

const VLAN_TO_IPV4: [u8; 4] = [0x00, 0x64, 0x08, 0x00];

#[test]
fn every_link_type_leads_to_the_packet() {
    let packet = inner();
    let sll = joined(&[&[0, 0, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, 0x08, 0x00], &packet]);
    let sll2 = joined(&[&[0x08, 0x00, 0, 0, 0, 0, 0, 3, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0], &packet]);
    assert_inner(LinkType::Ethernet, &ethernet(0x0800, &packet), 0);
    assert_inner(LinkType::LinuxSll, &sll, 0);
    assert_inner(LinkType::LinuxSll2, &sll2, 0);
    assert_inner(LinkType::RawIp, &packet, 0);
    assert_inner(LinkType::Null, &joined(&[&[2, 0, 0, 0], &packet]), 0);
    assert_inner(LinkType::Null, &joined(&[&[0, 0, 0, 2], &packet]), 0);
    assert_eq!(whole(LinkType::Other(105), &packet), Err(DropReason::UnsupportedLink));
}

#[test]
fn every_systems_number_of_ipv6_is_known_on_loopback() {
    let builder = PacketBuilder::ipv6([1; 16], [2; 16], 61).udp(4000, 53);
    let packet = with_payload(builder, |builder, out| builder.write(out, b"query").unwrap());
    for family in [10_u32, 24, 28, 30] {
        for header in [family.to_le_bytes(), family.to_be_bytes()] {
            let packet = whole(LinkType::Null, &joined(&[&header, &packet])).unwrap();
            assert_eq!((packet.source, packet.destination_port), (Address::v6([1; 16]), 53));
        }
    }
}

#[test]
fn what_is_not_ip_says_so() {
    for ether_type in [0x0806, 0x88cc, 0x0026, 0x05dc, 0x8863, 0x88e5, 0x9000] {
        assert_eq!(
            whole(LinkType::Ethernet, &ethernet(ether_type, &[0; 46])),
            Err(DropReason::NotIp),
            "{ether_type:#x}"
        );
    }
}

#[test]
fn tags_and_labels_are_passed() {
    let packet = inner();
    let qinq = [0x00, 0x0a, 0x81, 0x00];
    let label = [0x00, 0x01, 0x01, 0x40];
    let upper_label = [0x00, 0x02, 0x00, 0x40];
    let pppoe = [0x11, 0x00, 0x00, 0x01, 0x00, 0x23, 0x00, 0x21];
    let ether = LinkType::Ethernet;
    assert_inner(ether, &ethernet(0x8100, &joined(&[&VLAN_TO_IPV4, &packet])), Marks::VLAN);
    for outer in [0x88a8, 0x9100] {
        assert_inner(ether, &ethernet(outer, &joined(&[&qinq, &VLAN_TO_IPV4, &packet])), Marks::VLAN);
    }
    assert_inner(ether, &ethernet(0x8847, &joined(&[&upper_label, &label, &packet])), 0);
    assert_inner(ether, &ethernet(0x8864, &joined(&[&pppoe, &packet])), 0);
    let frame = ethernet(0x0800, &packet);
    assert_inner(ether, &ethernet(0x8847, &joined(&[&label, &[0; 4], &frame])), 0);
    assert_inner(ether, &ethernet(0x8847, &joined(&[&label, &frame])), 0);
    let lcp = [0x11, 0x00, 0x00, 0x01, 0x00, 0x23, 0xc0, 0x21];
    assert_eq!(whole(ether, &ethernet(0x8864, &lcp)), Err(DropReason::NotIp));
    assert_eq!(whole(ether, &ethernet(0x8864, &[0x21; 8])), Err(DropReason::BadTunnel));
}

#[test]
fn tunnels_over_ip_are_opened() {
    let packet = inner();
    let frame = ethernet(0x0800, &packet);
    let tunnelled =
        |payload: &[&[u8]], protocol| assert_inner(LinkType::RawIp, &ip(protocol, &joined(payload)), Marks::TUNNELLED);
    tunnelled(&[&packet], 4);
    tunnelled(&[&[0x00, 0x00, 0x08, 0x00], &packet], 47);
    // Checksum, key and sequence number.
    tunnelled(&[&[0xb0, 0x00, 0x08, 0x00], &[0; 12], &packet], 47);
    tunnelled(&[&[0x00, 0x00, 0x65, 0x58], &frame], 47);
    tunnelled(&[&[0x00, 0x00, 0x88, 0xbe], &frame], 47);
    tunnelled(&[&[0x10, 0x00, 0x88, 0xbe], &[0; 4], &[0x10, 0, 0, 0, 0, 0, 0, 0], &frame], 47);
    tunnelled(&[&[0x10, 0x00, 0x22, 0xeb], &[0; 4], &[0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &frame], 47);
    tunnelled(&[&[0x10, 0x00, 0x22, 0xeb], &[0; 4], &[0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], &[0; 8], &frame], 47);
    tunnelled(&[&[0x10, 0x00, 0x22, 0xeb], &[0; 4], &[0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2 << 2, 0], &packet], 47);
    tunnelled(&[&[0x30, 0x01, 0x88, 0x0b], &[0, 37, 0, 1], &[0; 4], &[0xff, 0x03, 0x00, 0x21], &packet], 47);
    tunnelled(&[&[0x30, 0x81, 0x88, 0x0b], &[0, 34, 0, 1], &[0; 8], &[0x21], &packet], 47);
}

#[test]
fn ipv6_in_ipv4_is_opened() {
    let builder = PacketBuilder::ipv6([1; 16], [2; 16], 61).udp(4000, 53);
    let packet = with_payload(builder, |builder, out| builder.write(out, b"query").unwrap());
    let packet = whole(LinkType::RawIp, &ip(41, &packet)).unwrap();
    assert_eq!((packet.source, packet.payload_len, packet.marks), (Address::v6([1; 16]), 5, Marks(Marks::TUNNELLED)));
}

#[test]
fn tunnels_over_udp_are_opened() {
    let packet = inner();
    let frame = ethernet(0x0800, &packet);
    let tunnelled = |port, parts: &[&[u8]]| {
        assert_inner(LinkType::RawIp, &ip(17, &udp(port, parts)), Marks::TUNNELLED);
    };
    for port in [4789, 8472] {
        tunnelled(port, &[&[0x08, 0, 0, 0, 0, 0, 42, 0], &frame]);
        // Group policy.
        tunnelled(port, &[&[0x88, 0x40, 0x12, 0x34, 0, 0, 42, 0], &frame]);
    }
    tunnelled(6081, &[&[0x00, 0, 0x65, 0x58, 0, 0, 42, 0], &frame]);
    tunnelled(6081, &[&[0x02, 0x40, 0x08, 0x00, 0, 0, 42, 0], &[0; 8], &packet]);
    let length = |more: usize| u16::try_from(packet.len() + more).unwrap().to_be_bytes();
    tunnelled(2152, &[&[0x30, 255], &length(0), &[0, 0, 0, 9], &packet]);
    tunnelled(2152, &[&[0x32, 255], &length(4), &[0, 0, 0, 9], &[0, 1, 0, 0], &packet]);
    tunnelled(2152, &[&[0x34, 255], &length(8), &[0, 0, 0, 9], &[0, 0, 0, 0x85], &[1, 0x10, 1, 0], &packet]);
}

#[test]
fn teredo_is_opened_with_its_indications() {
    let mut service = [0; 16];
    service[..2].copy_from_slice(&[0x20, 0x01]);
    let builder = PacketBuilder::ipv6(service, [2; 16], 61).udp(4000, 53);
    let packet = with_payload(builder, |builder, out| builder.write(out, b"query").unwrap());
    let authentication = [0, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0];
    let origin = [0, 0, 1, 2, 3, 4, 5, 6];
    for parts in [&[][..], &[&authentication[..]], &[&origin[..]], &[&authentication[..], &origin[..]]] {
        let payload = udp(3544, &[parts, &[&packet[..]]].concat());
        let packet = whole(LinkType::RawIp, &ip(17, &payload)).unwrap();
        assert_eq!((packet.source, packet.marks), (Address::v6(service), Marks(Marks::TUNNELLED)));
    }
    let builder = PacketBuilder::ipv6([3; 16], [2; 16], 61).udp(4000, 53);
    let stranger = with_payload(builder, |builder, out| builder.write(out, b"query").unwrap());
    let datagram = whole(LinkType::RawIp, &ip(17, &udp(3544, &[&stranger]))).unwrap();
    assert_eq!((datagram.source, datagram.marks), (Address::v4([203, 0, 113, 1]), Marks(0)));
}

#[test]
fn a_datagram_on_a_tunnel_port_stays_a_datagram() {
    let packet = inner();
    let frame = ethernet(0x0800, &packet);
    let vxlan_of = |flags: u8, reserved: u8| joined(&[&[flags, 0, 0, 0, 0, 0, 42, reserved], &frame]);
    let wrong: [(u16, Vec<u8>); 9] = [
        (4789, b"plain text, more than one header long, and no tunnel".to_vec()),
        (4789, vec![]),
        (4789, vec![8, 0, 0]),
        (4789, vxlan_of(0x00, 0)),
        (4789, vxlan_of(0x08, 1)),
        (4789, joined(&[&[0x08, 0, 0, 0, 0, 0, 42, 0], &ethernet(0x0800, &[0xff; 40])])),
        (6081, joined(&[&[0x40, 0, 0x08, 0x00, 0, 0, 42, 0], &packet])),
        (2152, joined(&[&[0x30, 255, 0, 1, 0, 0, 0, 9], &packet])),
        (2152, joined(&[&[0x30, 1, 0, 33, 0, 0, 0, 9], &packet])),
    ];
    for (port, payload) in wrong {
        let packet = whole(LinkType::RawIp, &ip(17, &udp(port, &[&payload]))).unwrap();
        assert_eq!((packet.source, packet.destination_port), (Address::v4([203, 0, 113, 1]), port), "{payload:02x?}");
        assert_eq!((usize::from(packet.payload_len), packet.marks), (payload.len(), Marks(0)), "{payload:02x?}");
    }
}

#[test]
fn tunnels_are_opened_to_the_stated_depth_only() {
    let nested = |depth: u8| (0..depth).fold(inner(), |packet, _| ip(4, &packet));
    assert_inner(LinkType::RawIp, &nested(MAX_TUNNELS), Marks::TUNNELLED);
    assert_eq!(whole(LinkType::RawIp, &nested(MAX_TUNNELS + 1)), Err(DropReason::TooDeep));
}

#[test]
fn tcp_fields_are_those_of_the_header() {
    for options in [false, true] {
        let packet = whole(LinkType::RawIp, &tcp_segment(options)).unwrap();
        assert_eq!((packet.source_port, packet.destination_port), (4000, 443));
        assert_eq!((packet.sequence, packet.acknowledgment, packet.window), (0x0102_0304, 0x0a0b_0c0d, 0x1000));
        assert_eq!((packet.flags, packet.ttl), (TcpFlags(TcpFlags::ACK | TcpFlags::PSH), 61));
        assert_eq!((packet.payload_len, packet.marks), (7, Marks(0)));
        assert_eq!(packet.timestamp, Timestamp::from_secs(7));
    }
}

#[test]
fn icmp_gives_type_code_and_echo_identity() {
    let v4 = |payload: &[u8]| whole(LinkType::RawIp, &ip(1, payload)).unwrap();
    let request = v4(&[8, 0, 0, 0, 0x12, 0x34, 0x00, 0x07]);
    assert_eq!((request.destination_port, request.sequence, request.source_port), (8 * 256, 0x1234_0007, 0));
    let unreachable = v4(&[3, 1, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    assert_eq!((unreachable.destination_port, unreachable.sequence), (3 * 256 + 1, 0));
    let builder = PacketBuilder::ipv6([1; 16], [2; 16], 61).icmpv6_echo_reply(0x12, 0x34);
    let reply = with_payload(builder, |builder, out| builder.write(out, &[]).unwrap());
    let reply = whole(LinkType::RawIp, &reply).unwrap();
    assert_eq!((reply.destination_port, reply.sequence), (129 * 256, 0x0012_0034));
}

fn fragment(of: &[u8], offset_in_words: u16, more: bool) -> Vec<u8> {
    let mut bytes = of.to_vec();
    bytes[6..8].copy_from_slice(&(offset_in_words | u16::from(more) << 13).to_be_bytes());
    bytes
}

#[test]
fn first_fragments_have_ports_and_later_ones_none() {
    let first = whole(LinkType::RawIp, &fragment(&inner(), 0, true)).unwrap();
    assert_eq!((first.destination_port, first.marks), (53, Marks(Marks::FRAGMENT)));
    let later = whole(LinkType::RawIp, &fragment(&inner(), 185, false)).unwrap();
    assert_eq!((later.source_port, later.destination_port), (0, 0));
    assert_eq!((later.marks, later.payload_len), (Marks(Marks::FRAGMENT | Marks::LATER_FRAGMENT), 13));
}

#[test]
fn a_fragment_of_a_tunnel_is_opened_only_when_it_is_the_first() {
    let outer = ip(4, &inner());
    assert_inner(LinkType::RawIp, &fragment(&outer, 0, true), Marks::TUNNELLED | Marks::FRAGMENT);
    let later = whole(LinkType::RawIp, &fragment(&outer, 100, true)).unwrap();
    assert_eq!((later.source, later.protocol), (Address::v4([203, 0, 113, 1]), Protocol(4)));
    assert_eq!(later.marks, Marks(Marks::FRAGMENT | Marks::LATER_FRAGMENT));
}

fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x60, 0, 0, 0];
    bytes.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
    bytes.extend([next, 61]);
    bytes.extend([1; 16]);
    bytes.extend([2; 16]);
    bytes.extend_from_slice(payload);
    bytes
}

#[test]
fn ipv6_extension_headers_are_walked() {
    let datagram = udp(53, &[b"query"]);
    let padding = [1, 4, 0, 0, 0, 0];
    let option = |next: u8| [&[next, 0][..], &padding].concat();
    let authentication = [&[17, 4, 0, 0][..], &[0; 20]].concat();
    for (next, headers) in [
        (0, option(17)),
        (0, [option(60), option(43), option(17)].concat()),
        (60, option(17)),
        (51, authentication),
        // An atomic fragment (RFC 6946) is whole.
        (44, vec![17, 0, 0, 0, 0, 0, 0, 1]),
    ] {
        let packet = whole(LinkType::RawIp, &ipv6(next, &[headers, datagram.clone()].concat())).unwrap();
        assert_eq!((packet.destination_port, packet.payload_len, packet.marks), (53, 5, Marks(0)), "{next}");
    }
    let fragment_header = |offset: u8, more: u8| [17, 0, offset, more, 0, 0, 0, 1];
    let first = whole(LinkType::RawIp, &ipv6(44, &joined(&[&fragment_header(0, 1), &datagram]))).unwrap();
    assert_eq!((first.destination_port, first.marks), (53, Marks(Marks::FRAGMENT)));
    let later = whole(LinkType::RawIp, &ipv6(44, &joined(&[&fragment_header(1, 0), &datagram]))).unwrap();
    assert_eq!((later.destination_port, later.marks), (0, Marks(Marks::FRAGMENT | Marks::LATER_FRAGMENT)));
}

#[test]
fn lengths_of_zero_are_those_of_the_frame() {
    let mut offloaded = tcp_segment(false);
    offloaded[2..4].copy_from_slice(&[0, 0]);
    offloaded.resize(40 + 90_000, 0);
    assert_eq!(whole(LinkType::RawIp, &offloaded).unwrap().payload_len, u16::MAX);
    // The snap length does not shorten it.
    assert_eq!(of(LinkType::RawIp, &offloaded[..60], 40 + 1234).unwrap().payload_len, 1234);
    let mut jumbogram = ipv6(17, &udp(53, &[&[0; 1000]]));
    jumbogram[4..6].copy_from_slice(&[0, 0]);
    assert_eq!(whole(LinkType::RawIp, &jumbogram).unwrap().payload_len, 1000);
}

#[test]
fn ethernet_padding_is_no_payload() {
    let mut padded = ethernet(0x0800, &inner());
    padded.resize(60, 0);
    assert_eq!(whole(LinkType::Ethernet, &padded).unwrap().payload_len, 5);
}

#[test]
fn snap_lengths_cut_no_more_than_they_must() {
    let frame = ethernet(0x0800, &tcp_segment(true));
    let at = |snap_len: usize| of(LinkType::Ethernet, &frame[..snap_len], frame.len());
    assert_eq!(at(13), Err(DropReason::TruncatedLink));
    assert_eq!(at(33), Err(DropReason::TruncatedIp));
    let ports = |packet: Packet| (packet.source_port, packet.destination_port, packet.sequence, packet.marks);
    assert_eq!(ports(at(34).unwrap()), (0, 0, 0, Marks(Marks::CUT)));
    assert_eq!(ports(at(38).unwrap()), (4000, 443, 0, Marks(Marks::CUT)));
    assert_eq!(ports(at(53).unwrap()), (4000, 443, 0, Marks(Marks::CUT)));
    // Only options are missing: everything that is kept of a header is there.
    let packet = at(54).unwrap();
    assert_eq!(ports(packet), (4000, 443, 0x0102_0304, Marks(0)));
    assert_eq!((packet.payload_len, packet.flags.0), (7, TcpFlags::ACK | TcpFlags::PSH));
    assert_eq!(usize::try_from(packet.wire_len), Ok(frame.len()));
}

#[test]
fn cut_ipv4_options_leave_the_addresses() {
    let mut packet = inner();
    packet[0] = 0x4f;
    packet[2..4].copy_from_slice(&100_u16.to_be_bytes());
    let cut = of(LinkType::RawIp, &packet[..28], 100).unwrap();
    assert_eq!((cut.source, cut.destination), (Address::v4(SOURCE), Address::v4(DESTINATION)));
    assert_eq!((cut.destination_port, cut.marks), (0, Marks(Marks::CUT)));
}

#[test]
fn headers_that_contradict_themselves_are_refused() {
    let segment = tcp_segment(false);
    let offset = |words: u8| {
        let mut bytes = segment.clone();
        bytes[32] = words << 4;
        whole(LinkType::RawIp, &bytes).map(|packet| packet.payload_len)
    };
    assert_eq!(offset(4), Err(DropReason::BadTransport));
    assert_eq!(offset(5), Ok(7));
    assert_eq!(offset(6), Ok(3));
    assert_eq!(offset(7), Err(DropReason::BadTransport));
    assert_eq!(whole(LinkType::RawIp, &ip(6, &segment[20..39])), Err(DropReason::BadTransport));
    assert_eq!(whole(LinkType::RawIp, &ip(17, &[0; 7])), Err(DropReason::BadTransport));
    assert_eq!(whole(LinkType::RawIp, &ip(1, &[8, 0, 0])), Err(DropReason::BadTransport));
    assert_eq!(whole(LinkType::RawIp, &[0x55; 60]), Err(DropReason::BadIpHeader));
}

#[test]
fn quic_initials_are_told_by_version_and_type() {
    let mark = |first: u8, version: u32, id_len: u8| {
        let payload = joined(&[&[first], &version.to_be_bytes(), &[id_len], &[0; 20]]);
        whole(LinkType::RawIp, &ip(17, &udp(443, &[&payload]))).unwrap().marks.any(Marks::QUIC_INITIAL)
    };
    for (first, version) in [(0xc3, 1), (0xc0, 0xff00_001d), (0xcf, 0xff00_0022), (0xd3, 0x6b33_43cf)] {
        assert!(mark(first, version, 8), "{first:#x} {version:#x}");
    }
    for (first, version, id_len) in [
        (0xc3, 0, 8),           // Version negotiation.
        (0x43, 1, 8),           // Short header.
        (0x83, 1, 8),           // No fixed bit.
        (0xd3, 1, 8),           // 0-RTT of version 1.
        (0xe3, 1, 8),           // Handshake.
        (0xc3, 0x6b33_43cf, 8), // Retry of version 2.
        (0xc3, 0xff00_001c, 8), // Draft 28.
        (0xc3, 1, 21),          // Connection id too long.
    ] {
        assert!(!mark(first, version, id_len), "{first:#x} {version:#x} {id_len}");
    }
}

#[test]
fn connection_ids_of_quic_are_read_where_they_are() {
    let ids = |payload: &[u8]| {
        let packet = whole(LinkType::RawIp, &ip(17, &udp(443, &[payload]))).unwrap();
        (packet.sequence, packet.acknowledgment)
    };
    let long = |first: u8, destination: &[u8], source: &[u8]| {
        let lengths = [u8::try_from(destination.len()).unwrap(), u8::try_from(source.len()).unwrap()];
        joined(&[&[first], &1_u32.to_be_bytes(), &lengths[..1], destination, &lengths[1..], source, &[0; 9]])
    };
    assert_eq!(ids(&long(0xc3, &[1, 2, 3, 4, 5], &[6, 7, 8, 9])), (0x0102_0304, 0x0607_0809));
    // A handshake packet has them too.
    assert_eq!(ids(&long(0xe3, &[1, 2, 3, 4], &[6, 7, 8, 9, 10])), (0x0102_0304, 0x0607_0809));
    assert_eq!(ids(&long(0xc3, &[], &[6, 7, 8])), (0, 0));
    assert_eq!(ids(&[0x43, 1, 2, 3, 4, 5]), (0x0102_0304, 0));
    assert_eq!(ids(&[0x43, 1, 2, 3]), (0, 0));
    assert_eq!(ids(&[0xc3, 0, 0, 0, 9, 4, 1, 2, 3, 4, 0]), (0, 0));
    assert_eq!(ids(&[0xc3, 0, 0, 0, 1, 4, 1, 2]), (0, 0));
}

#[test]
fn a_vlan_of_ipv6_is_the_same_as_ipv6() {
    let builder = PacketBuilder::ethernet2([1; 6], [2; 6])
        .single_vlan(etherparse::VlanId::try_new(7).unwrap())
        .ipv6([1; 16], [2; 16], 61)
        .tcp(4000, 443, 9, 8)
        .syn();
    let bytes = with_payload(builder, |builder, out| builder.write(out, &[]).unwrap());
    let packet = whole(LinkType::Ethernet, &bytes).unwrap();
    assert!(packet.flags.is_syn() && packet.is_tcp());
    assert_eq!((packet.source, packet.ttl, packet.marks), (Address::v6([1; 16]), 61, Marks(Marks::VLAN)));
}
