//! Nothing is allocated for a packet, from the file to the counters: what is reserved is reserved at the start.

use std::io::Write;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use allocation_counter::measure;
use vigie::address::Address;
use vigie::decode::decode;
use vigie::hash::Seed;
use vigie::origin::Origins;
use vigie::packet::{Packet, Protocol, TcpFlags};
use vigie::policy::{Policy, Site};
use vigie::source::file::{FileOptions, open_files};
use vigie::source::{PacketSource, Progress};
use vigie::summary::{Routed, Shard, ShardSettings, Summary};
use vigie::time::{Tick, Timestamp};

const START: u64 = 1_700_000_000;
const SERVER: [u8; 4] = [192, 0, 2, 1];

fn shard(learning: bool) -> Shard {
    let prefixes = vec!["192.0.2.0/24".parse().unwrap()];
    let policy = Arc::new(Policy::new(vec![Site { name: "web".into(), prefixes }], learning));
    let settings = ShardSettings { pretouch: true, ..ShardSettings::default() };
    Shard::new(&settings, 0..64, Arc::new(Origins::default()), policy)
}

fn segment(tick: u64, client: u32, from_client: bool, flags: u8, numbers: (u32, u32), payload: u16) -> Routed {
    let (outside, inside) = (Address::v4((0x0800_0000 + client).to_be_bytes()), Address::v4(SERVER));
    let (source, destination) = if from_client { (outside, inside) } else { (inside, outside) };
    let (source_port, destination_port) = if from_client { (40_000, 443) } else { (443, 40_000) };
    let packet = Packet {
        timestamp: Timestamp::from_nanos(START * 1_000_000_000 + tick * Tick::NANOS),
        source,
        destination,
        source_port,
        destination_port,
        wire_len: 54 + u32::from(payload),
        sequence: numbers.0,
        acknowledgment: numbers.1,
        payload_len: payload,
        window: 500,
        protocol: Protocol::TCP,
        flags: TcpFlags(flags),
        ..Packet::default()
    };
    Routed { hash: Seed::default().pair(source, destination), packet }
}

/// Handshakes of so many clients, and one request and reply each.
fn openings(tick: u64, clients: u32) -> Vec<Routed> {
    let (syn, ack) = (TcpFlags::SYN, TcpFlags::ACK);
    let of = |client| {
        [
            segment(tick, client, true, syn, (100, 0), 0),
            segment(tick, client, false, syn | ack, (200, 101), 0),
            segment(tick, client, true, ack, (101, 201), 0),
            segment(tick, client, true, ack, (101, 201), 300),
            segment(tick, client, false, ack, (201, 401), 1_200),
        ]
    };
    (0..clients).flat_map(of).collect()
}

/// A round of data both ways on these connections.
fn data(tick: u64, clients: u32) -> Vec<Routed> {
    let sequence = u32::try_from(tick).unwrap() * 1_200;
    let of = |client| {
        [
            segment(tick, client, true, TcpFlags::ACK, (401, 1_401 + sequence), 0),
            segment(tick, client, false, TcpFlags::ACK, (1_401 + sequence, 401), 1_200),
        ]
    };
    (0..clients).flat_map(of).collect()
}

/// First SYNs of so many sources that nobody has seen before.
fn flood(tick: u64, packets: u32) -> Vec<Routed> {
    let first = u32::try_from(tick).unwrap() * 1_000_000;
    (0..packets).map(|n| segment(tick, first + n, true, TcpFlags::SYN, (7, 0), 0)).collect()
}

fn close(shard: &mut Shard, tick: u64, summary: &mut Summary) {
    shard.close(Tick::new(START * 4 + tick), summary, &mut |_| {});
}

fn allocations(shard: &mut Shard, packets: &[Routed]) -> u64 {
    measure(|| shard.observe_all(packets)).count_total
}

#[test]
fn no_packet_of_a_conversation_allocates() {
    for learning in [false, true] {
        let (mut shard, mut summary) = (shard(learning), Summary::default());
        shard.observe_all(&openings(0, 10_000));
        for tick in 0..20 {
            close(&mut shard, tick, &mut summary);
            shard.observe_all(&data(tick + 1, 10_000));
        }
        close(&mut shard, 20, &mut summary);
        assert_eq!(allocations(&mut shard, &data(21, 10_000)), 0, "learning: {learning}");
    }
}

#[test]
fn a_flood_of_new_sources_allocates_nothing_for_each() {
    for learning in [false, true] {
        let (mut shard, mut summary) = (shard(learning), Summary::default());
        for tick in 0..40 {
            shard.observe_all(&flood(tick, 20_000));
            close(&mut shard, tick, &mut summary);
        }
        let few = allocations(&mut shard, &flood(40, 2_000));
        close(&mut shard, 40, &mut summary);
        let many = allocations(&mut shard, &flood(41, 20_000));
        // Lists that a tick hands on are made anew in the next.
        assert!(few <= 64 && many <= few + 8, "learning: {learning}, 2,000 packets: {few}, 20,000 packets: {many}");
    }
}

/// An Ethernet frame of an empty TCP segment from a client to the server.
fn frame(client: u32) -> Vec<u8> {
    let mut bytes = vec![0; 54];
    bytes[12..14].copy_from_slice(&[0x08, 0x00]);
    bytes[14..24].copy_from_slice(&[0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6]);
    bytes[26..30].copy_from_slice(&Ipv4Addr::from(0x0800_0000 + client).octets());
    bytes[30..34].copy_from_slice(&SERVER);
    bytes[34..38].copy_from_slice(&[0x9c, 0x40, 1, 0xbb]);
    bytes[46..50].copy_from_slice(&[0x50, TcpFlags::ACK, 1, 0xf4]);
    bytes
}

/// Writes 100,000 frames, a microsecond apart, as a pcap file.
fn capture(path: &Path) {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    let header = [0xa1b2_c3d4, 2 | 4 << 16, 0, 0, 262_144, 1_u32];
    header.iter().for_each(|word| file.write_all(&word.to_le_bytes()).unwrap());
    for n in 0..100_000 {
        let record = [u32::try_from(START).unwrap(), n, 54, 54];
        record.iter().for_each(|word| file.write_all(&word.to_le_bytes()).unwrap());
        file.write_all(&frame(n)).unwrap();
    }
}

#[test]
fn reading_and_decoding_a_file_allocates_nothing_for_a_packet() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("many.pcap");
    capture(&path);
    let mut source = open_files(&[path], FileOptions::default()).unwrap();
    let mut decoded = 0_u64;
    let mut read = |source: &mut dyn PacketSource| {
        let progress = source.poll(&mut |frame| decoded += u64::from(decode(&frame).is_ok())).unwrap();
        matches!(progress, Progress::Open { .. })
    };
    assert!(read(&mut source), "the first block is not the last");
    let rest = measure(|| while read(&mut source) {});
    assert_eq!(decoded, 100_000);
    assert!(rest.count_total < 16, "closing a file may allocate, its frames may not: {}", rest.count_total);
}
