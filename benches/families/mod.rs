//! Packets by family, as benchmarks and the count of instructions need them: each family is one kind of traffic in
//! Ethernet frames, any number of packets long, the same every time.

use etherparse::{IpNumber, Ipv4Header, PacketBuilder};

/// The protected server, over IPv4 and IPv6.
const SERVER: [u8; 4] = [203, 0, 113, 10];
const SERVER_6: [u8; 16] = [0x20, 1, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10];
const MACS: ([u8; 6], [u8; 6]) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);

/// Conversations of the families that have any.
const CONVERSATIONS: u32 = 1_024;

/// A kind of traffic.
pub(crate) struct Family {
    /// Its name.
    pub(crate) name: &'static str,
    /// Makes its nth frame.
    pub(crate) frame: fn(u32) -> Vec<u8>,
}

/// All families.
pub(crate) const FAMILIES: [Family; 10] = [
    Family { name: "tcp data", frame: |n| conversation(n, tcp) },
    Family { name: "tcp data over ipv6", frame: |n| conversation(n, tcp6) },
    Family { name: "tcp data in vxlan", frame: |n| vxlan(&conversation(n, tcp)) },
    Family { name: "short connections", frame: short_connection },
    Family { name: "syn flood", frame: |n| tcp(&Segment { client: scattered(n), flags: "S", ..Segment::of(n) }) },
    Family { name: "ack flood", frame: |n| tcp(&Segment { client: scattered(n), flags: "A", ..Segment::of(n) }) },
    Family { name: "dns", frame: dns },
    Family { name: "udp flood", frame: |n| udp(scattered(n), 40_000, 9_000, false, 200) },
    Family { name: "ping", frame: ping },
    Family { name: "fragments", frame: fragment },
];

/// A TCP segment between a client and the server.
struct Segment {
    client: u32,
    port: u16,
    from_client: bool,
    flags: &'static str,
    numbers: (u32, u32),
    payload: usize,
}

impl Segment {
    fn of(n: u32) -> Self {
        let port = 1_024 + (n % 60_000) as u16;
        Self { client: client(n), port, from_client: true, flags: "A", numbers: (n, 0), payload: 0 }
    }
}

/// A client's address: one of sixteen thousand in 80/8.
const fn client(n: u32) -> u32 {
    0x5000_0000 + n % 0x4000
}

/// An address anywhere in 64/2, as a forger draws it (Knuth's multiplicative hash).
const fn scattered(n: u32) -> u32 {
    0x4000_0000 | n.wrapping_mul(0x9e37_79b1) >> 2
}

fn written<S>(
    step: etherparse::PacketBuilderStep<S>,
    write: impl FnOnce(etherparse::PacketBuilderStep<S>, &mut Vec<u8>),
) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(step, &mut bytes);
    bytes
}

fn flagged(
    step: etherparse::PacketBuilderStep<etherparse::TcpHeader>,
    segment: &Segment,
) -> etherparse::PacketBuilderStep<etherparse::TcpHeader> {
    segment.flags.chars().fold(step, |step, flag| match flag {
        'S' => step.syn(),
        'F' => step.fin(),
        'P' => step.psh(),
        _ => step.ack(segment.numbers.1),
    })
}

fn tcp(segment: &Segment) -> Vec<u8> {
    let client = segment.client.to_be_bytes();
    let (source, destination) = if segment.from_client { (client, SERVER) } else { (SERVER, client) };
    let (from, to) = if segment.from_client { (segment.port, 443) } else { (443, segment.port) };
    let step =
        PacketBuilder::ethernet2(MACS.0, MACS.1).ipv4(source, destination, 60).tcp(from, to, segment.numbers.0, 64_240);
    let payload = vec![0; segment.payload];
    written(flagged(step, segment), |step, out| step.write(out, &payload).expect("a vector takes everything"))
}

fn tcp6(segment: &Segment) -> Vec<u8> {
    let [a, b, c, d] = segment.client.to_be_bytes();
    let client = [0x2a, 1, 0xe0, 0x0a, b, c, d, a, 0, 0, 0, 0, 0, 0, 0, 1];
    let (source, destination) = if segment.from_client { (client, SERVER_6) } else { (SERVER_6, client) };
    let (from, to) = if segment.from_client { (segment.port, 443) } else { (443, segment.port) };
    let step =
        PacketBuilder::ethernet2(MACS.0, MACS.1).ipv6(source, destination, 60).tcp(from, to, segment.numbers.0, 64_240);
    let payload = vec![0; segment.payload];
    written(flagged(step, segment), |step, out| step.write(out, &payload).expect("a vector takes everything"))
}

/// Conversations that begin together and then go on: a request's piece, its answer's piece, an acknowledgment, again and
/// again.
fn conversation(n: u32, write: fn(&Segment) -> Vec<u8>) -> Vec<u8> {
    let (which, step) = (n % CONVERSATIONS, n / CONVERSATIONS);
    let base = Segment { client: client(which), port: 20_000 + (which & 0x3ff) as u16, ..Segment::of(which) };
    let done = step.saturating_sub(3) / 3;
    let (sent, received) = (1 + 100 * done, 1 + 200 * done);
    write(&match step {
        0 => Segment { flags: "S", numbers: (0, 0), ..base },
        1 => Segment { flags: "SA", numbers: (0, 1), from_client: false, ..base },
        2 => Segment { numbers: (1, 1), ..base },
        _ => match (step - 3) % 3 {
            0 => Segment { flags: "PA", numbers: (sent, received), payload: 100, ..base },
            1 => Segment { flags: "PA", numbers: (received, sent + 100), payload: 200, from_client: false, ..base },
            _ => Segment { numbers: (sent + 100, received + 200), ..base },
        },
    })
}

/// One connection after the other: handshake, request, answer, and both ends closed; nine packets each.
fn short_connection(n: u32) -> Vec<u8> {
    let which = n / 9;
    let base = Segment { client: client(which), port: 1_024 + (which % 60_000) as u16, ..Segment::of(which) };
    tcp(&match n % 9 {
        0 => Segment { flags: "S", numbers: (0, 0), ..base },
        1 => Segment { flags: "SA", numbers: (0, 1), from_client: false, ..base },
        2 => Segment { numbers: (1, 1), ..base },
        3 => Segment { flags: "PA", numbers: (1, 1), payload: 300, ..base },
        4 => Segment { numbers: (1, 301), from_client: false, ..base },
        5 => Segment { flags: "PA", numbers: (1, 301), payload: 1_200, from_client: false, ..base },
        6 => Segment { flags: "FA", numbers: (301, 1_201), ..base },
        7 => Segment { flags: "FA", numbers: (1_201, 302), from_client: false, ..base },
        _ => Segment { numbers: (302, 1_202), ..base },
    })
}

fn udp(client: u32, port: u16, service: u16, answer: bool, payload: usize) -> Vec<u8> {
    let client = client.to_be_bytes();
    let (source, destination) = if answer { (SERVER, client) } else { (client, SERVER) };
    let (from, to) = if answer { (service, port) } else { (port, service) };
    let step = PacketBuilder::ethernet2(MACS.0, MACS.1).ipv4(source, destination, 60).udp(from, to);
    written(step, |step, out| step.write(out, &vec![0; payload]).expect("a vector takes everything"))
}

/// A question, and its answer.
fn dns(n: u32) -> Vec<u8> {
    let which = n / 2;
    udp(client(which), 1_024 + (which % 60_000) as u16, 53, n % 2 == 1, 40 + 60 * (n % 2) as usize)
}

/// An echo request, and its reply.
fn ping(n: u32) -> Vec<u8> {
    let (client, id) = (client(n / 2).to_be_bytes(), (n / 2 % 60_000) as u16);
    if n.is_multiple_of(2) {
        let step = PacketBuilder::ethernet2(MACS.0, MACS.1).ipv4(client, SERVER, 60).icmpv4_echo_request(id, 1);
        written(step, |step, out| step.write(out, &[0; 56]).expect("a vector takes everything"))
    } else {
        let step = PacketBuilder::ethernet2(MACS.0, MACS.1).ipv4(SERVER, client, 60).icmpv4_echo_reply(id, 1);
        written(step, |step, out| step.write(out, &[0; 56]).expect("a vector takes everything"))
    }
}

/// Later fragments of datagrams, 1,480 bytes each.
fn fragment(n: u32) -> Vec<u8> {
    let mut header = Ipv4Header::new(1_480, 60, IpNumber::UDP, client(n).to_be_bytes(), SERVER).expect("it is short");
    header.identification = (n & 0xffff) as u16;
    header.fragment_offset = etherparse::IpFragOffset::try_new(185).expect("it is small");
    header.header_checksum = header.calc_header_checksum();
    let ethernet = [&MACS.1[..], &MACS.0[..], &[8, 0]].concat();
    [&ethernet[..], &header.to_bytes()[..], &[0; 1_480]].concat()
}

/// Puts a frame into a VXLAN tunnel between two switches (RFC 7348).
fn vxlan(frame: &[u8]) -> Vec<u8> {
    let inner = [&[8, 0, 0, 0, 0, 0, 7, 0], frame].concat();
    let step = PacketBuilder::ethernet2(MACS.0, MACS.1).ipv4([192, 168, 0, 1], [192, 168, 0, 2], 60).udp(50_000, 4_789);
    written(step, |step, out| step.write(out, &inner).expect("a vector takes everything"))
}
