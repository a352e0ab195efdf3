//! Laws of a shard: what it counts does not depend on how partitions are divided, nor on frames seen twice, and totals are
//! those of the packets.

use std::sync::Arc;

use proptest::prelude::*;
use vigie::address::Address;
use vigie::flow::{FlowRecord, Volume};
use vigie::hash::{PARTITIONS, Seed, partition};
use vigie::origin::Origins;
use vigie::packet::{Marks, Packet, Protocol, TcpFlags};
use vigie::policy::{Policy, Site};
use vigie::summary::{AGES, ContactStage, HostTick, Shard, ShardSettings, Summary, sketch};
use vigie::time::{Tick, Timestamp};

const START: Timestamp = Timestamp::from_secs(1_700_000_000);
const ACK: u8 = TcpFlags::ACK;
const SYN: u8 = TcpFlags::SYN;
const RST: u8 = TcpFlags::RST;
const FIN: u8 = TcpFlags::FIN;

/// A small generator of reproducible numbers (xorshift64*, Vigna 2016).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: u64) -> u64 {
        (self.roll() >> 16) % bound
    }

    fn word(&mut self) -> u32 {
        u32::try_from(self.roll() >> 32).unwrap()
    }
}

fn at(micros: u64) -> Timestamp {
    Timestamp::from_nanos(START.as_nanos() + micros * 1_000)
}

fn client(n: u32) -> Address {
    if n.is_multiple_of(3) {
        let mut bytes = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        bytes[4..8].copy_from_slice(&n.to_be_bytes());
        return Address::v6(bytes);
    }
    Address::v4((0x0b00_0000 + n).to_be_bytes())
}

fn server(n: u8, ipv6: bool) -> Address {
    if ipv6 {
        return Address::v6([0x20, 1, 0xd, 0xb8, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, n]);
    }
    Address::v4([192, 0, 2, n])
}

fn policy() -> Arc<Policy> {
    let site = |name: &str, prefixes: [&str; 2]| Site {
        name: name.into(),
        prefixes: prefixes.iter().map(|prefix| prefix.parse().unwrap()).collect(),
    };
    Arc::new(Policy::new(
        vec![site("web", ["192.0.2.0/25", "2001:db8:ff00::/48"]), site("mail", ["192.0.2.128/25", "198.51.100.0/24"])],
        false,
    ))
}

/// One conversation of random kind; sequence numbers are right unless the kind says otherwise.
fn conversation(n: u32, dice: &mut Dice, packets: &mut Vec<Packet>) {
    let outside = client(n % 4_000);
    let inside = server(u8::try_from(dice.below(6)).unwrap() * 40 + 1, !outside.is_ipv4());
    let (port, start) = (10_000 + u16::try_from(dice.below(2_000)).unwrap(), dice.below(20_000_000));
    let (mine, theirs) = (dice.word(), dice.word());
    let rtt = 1_000 + dice.below(80_000);
    let kind = dice.below(10);
    let mut send = |after: u64, from_client: bool, flags: u8, seq: u32, ack: u32, payload: u16| {
        let (source, destination) = if from_client { (outside, inside) } else { (inside, outside) };
        let (source_port, destination_port) = if from_client { (port, 443) } else { (443, port) };
        packets.push(Packet {
            timestamp: at(start + after),
            source,
            destination,
            source_port,
            destination_port,
            wire_len: 60 + u32::from(payload),
            sequence: seq,
            acknowledgment: ack,
            payload_len: payload,
            protocol: if kind == 7 || kind == 8 { Protocol::UDP } else { Protocol::TCP },
            flags: TcpFlags(flags),
            ..Packet::default()
        });
    };
    let (a, b) = (mine.wrapping_add(1), theirs.wrapping_add(1));
    match kind {
        0..=3 => {
            send(0, true, SYN, mine, 0, 0);
            send(rtt, false, SYN | ACK, theirs, a, 0);
            send(2 * rtt, true, ACK, a, b, 0);
            send(2 * rtt + 100, true, ACK, a, b, 300);
            send(3 * rtt, false, ACK, b, a.wrapping_add(300), 1_200);
            if kind == 0 {
                send(4 * rtt, false, FIN | ACK, b.wrapping_add(1_200), a.wrapping_add(300), 0);
                send(5 * rtt, true, FIN | ACK, a.wrapping_add(300), b.wrapping_add(1_201), 0);
                send(6 * rtt, false, ACK, b.wrapping_add(1_201), a.wrapping_add(301), 0);
            } else if kind == 1 {
                send(4 * rtt, true, RST, a.wrapping_add(300), 0, 0);
            }
        }
        4 => {
            send(0, true, SYN, mine, 0, 0);
            send(rtt, false, SYN | ACK, theirs, a, 0);
            send(rtt + 1_000_000, false, SYN | ACK, theirs, a, 0);
        }
        5 => {
            send(0, true, SYN, mine, 0, 0);
            send(1_000_000, true, SYN, mine, 0, 0);
            send(3_000_000, true, SYN, mine, 0, 0);
        }
        6 => {
            send(0, true, SYN, mine, 0, 0);
            send(rtt, false, RST | ACK, 0, a, 0);
        }
        7 | 8 => {
            send(0, true, 0, 0, 0, 60);
            if kind == 7 {
                send(rtt, false, 0, 0, 0, 400);
            }
        }
        _ => {
            send(0, true, ACK, a, b, 100);
            send(rtt, false, ACK, b, a.wrapping_add(100), 900);
        }
    }
}

fn traffic(seed: u64, conversations: u32) -> Vec<Packet> {
    let mut dice = Dice(seed | 1);
    let mut packets = Vec::new();
    for n in 0..conversations {
        conversation(n.wrapping_mul(2_654_435_761) >> 12, &mut dice, &mut packets);
    }
    packets.sort_by_key(|packet| packet.timestamp);
    packets
}

fn tiny() -> ShardSettings {
    ShardSettings {
        flow_capacity: 1_024,
        pending_capacity: 1_024,
        cohort_capacity: 512,
        host_places: 4,
        contacts_per_tick: 3,
        ..ShardSettings::default()
    }
}

/// Runs packets through `shards` shards and returns the merged summaries of all ticks and the sorted flow records.
fn run(
    packets: &[Packet],
    settings: &ShardSettings,
    shards: usize,
    policy: &Arc<Policy>,
) -> (Vec<Summary>, Vec<FlowRecord>) {
    let origins = Arc::new(Origins::default());
    let mut all: Vec<Shard> = (0..shards)
        .map(|n| Shard::new(settings, (n..PARTITIONS).step_by(shards), Arc::clone(&origins), Arc::clone(policy)))
        .collect();
    let (mut ticks, mut records) = (Vec::new(), Vec::new());
    let mut part = Summary::default();
    let mut close = |all: &mut Vec<Shard>, tick: Tick, ticks: &mut Vec<Summary>| {
        let mut merged = Summary::default();
        for shard in all {
            shard.close(tick, &mut part, &mut |record| records.push(record));
            merged.merge(&part);
        }
        merged.sort();
        ticks.push(merged);
    };
    let mut open = packets[0].timestamp.tick();
    for packet in packets {
        while open < packet.timestamp.tick() {
            close(&mut all, open, &mut ticks);
            open = open.next();
        }
        let hash = settings.seed.pair(packet.source, packet.destination);
        all[partition(hash) % shards].observe(packet, hash);
    }
    for tick in 0..20 {
        close(&mut all, open.plus(tick), &mut ticks);
    }
    for shard in &mut all {
        shard.finish(open.plus(20).start(), &mut |record| records.push(record));
    }
    records.sort();
    (ticks, records)
}

fn hosts(ticks: &[Summary]) -> impl Iterator<Item = &HostTick> {
    ticks.iter().flat_map(|tick| &tick.hosts)
}

#[test]
fn any_number_of_shards_counts_the_same_even_when_everything_evicts() {
    let packets = traffic(11, 30_000);
    for settings in
        [tiny(), ShardSettings { flow_capacity: 1 << 16, pending_capacity: 1 << 16, ..ShardSettings::default() }]
    {
        let one = run(&packets, &settings, 1, &policy());
        for shards in [2, 4, 7] {
            let many = run(&packets, &settings, shards, &policy());
            assert_eq!(one.0.len(), many.0.len());
            for (left, right) in one.0.iter().zip(&many.0) {
                assert_eq!(left, right, "{shards} shards");
            }
            assert!(one.1 == many.1, "flow records with {shards} shards");
        }
    }
    let evicted: u64 = run(&packets, &tiny(), 1, &policy()).0.iter().map(|tick| tick.flows.ended[4]).sum();
    let full: u64 = run(&packets, &tiny(), 1, &policy()).0.iter().map(|tick| tick.flows.cohort_refused).sum();
    assert!(evicted > 1_000 && full > 100, "the tables were to be full: {evicted} evictions, {full} refusals");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn any_division_of_any_traffic_counts_the_same(seed: u64, shards in 2..9_usize, small: bool) {
        let packets = traffic(seed, 1_500);
        let settings = if small { tiny() } else { ShardSettings { flow_capacity: 1 << 14, pending_capacity: 1 << 14, ..ShardSettings::default() } };
        prop_assert_eq!(run(&packets, &settings, 1, &policy()), run(&packets, &settings, shards, &policy()));
    }

    #[test]
    fn totals_of_all_ticks_are_those_of_the_packets(seed: u64) {
        let packets = traffic(seed, 1_000);
        let (ticks, records) = run(&packets, &ShardSettings { flow_capacity: 1 << 14, ..tiny() }, 1, &policy());
        let mut total = Volume::default();
        for site in ticks.iter().flat_map(|tick| &tick.sites) {
            for volume in [site.inbound, site.outbound, site.internal] {
                total += volume;
            }
        }
        let bytes: u64 = packets.iter().map(|packet| u64::from(packet.wire_len)).sum();
        prop_assert_eq!(total, Volume { packets: packets.len() as u64, bytes });
        let origins: u64 = ticks.iter().flat_map(|tick| &tick.origins).map(|origin| origin.inbound.packets).sum();
        let inbound: u64 = ticks.iter().flat_map(|tick| &tick.sites).map(|site| site.inbound.packets).sum();
        prop_assert_eq!(origins, inbound);
        let admitted: u64 = ticks.iter().map(|tick| tick.flows.admitted).sum();
        prop_assert_eq!(records.len() as u64, admitted);
    }
}

#[test]
fn every_frame_doubled_gives_the_same_handshakes_and_verified_clients() {
    let packets = traffic(5, 4_000);
    let doubled: Vec<Packet> = packets
        .iter()
        .flat_map(|packet| {
            let copy = Packet { ttl: packet.ttl.wrapping_sub(1), timestamp: packet.timestamp, ..*packet };
            [*packet, copy]
        })
        .collect();
    let (once, flows_once) = run(&packets, &ShardSettings::default(), 1, &policy());
    let (twice, flows_twice) = run(&doubled, &ShardSettings::default(), 1, &policy());
    for (left, right) in once.iter().zip(&twice) {
        assert_eq!(left.cohorts, right.cohorts);
        let facts = |tick: &Summary| -> Vec<_> {
            tick.hosts
                .iter()
                .map(|host| {
                    let counts = (host.verified, host.served, host.two_sided, host.client_data, host.first_byte);
                    (host.address, host.cohort, counts, host.verified_from.clone())
                })
                .collect()
        };
        assert_eq!(facts(left), facts(right));
        assert_eq!(left.flows.admitted, right.flows.admitted);
        let who = |tick: &Summary| -> Vec<_> {
            tick.contacts
                .iter()
                .map(|contact| (contact.at, contact.originator, contact.stage, contact.served))
                .collect()
        };
        assert_eq!(who(left), who(right));
    }
    assert_eq!(flows_once.len(), flows_twice.len());
    assert!(hosts(&once).map(|host| host.verified).sum::<u32>() > 1_000);
    let sum = |ticks: &[Summary], of: fn(&Summary) -> u64| ticks.iter().map(of).sum::<u64>();
    let copies =
        sum(&twice, |tick| tick.flows.repeated_segments) as f64 / sum(&twice, |tick| tick.flows.data_segments) as f64;
    assert!((0.45..=0.5).contains(&copies), "{copies}");
    assert_eq!(sum(&once, |tick| tick.flows.repeated_segments), 0);
}

#[test]
fn an_inbound_only_capture_verifies_nobody() {
    let outside_in: Vec<Packet> =
        traffic(9, 4_000).into_iter().filter(|packet| policy().site_of(packet.destination).is_some()).collect();
    let (ticks, records) = run(&outside_in, &ShardSettings::default(), 1, &policy());
    assert_eq!(hosts(&ticks).map(|host| host.verified + host.two_sided + host.tcp_out).sum::<u32>(), 0);
    assert!(hosts(&ticks).map(|host| host.client_data).sum::<u32>() > 500);
    assert!(records.is_empty());
    assert!(ticks.iter().all(|tick| tick.contacts.is_empty()));
    assert!(ticks.iter().flat_map(|tick| &tick.origins).all(|origin| origin.country.is_none()));
}

#[test]
fn half_a_million_concurrent_flows_are_all_admitted_and_counted() {
    const FLOWS: u32 = 500_000;
    let mut shard = Shard::new(&ShardSettings::default(), 0..PARTITIONS, Arc::default(), policy());
    let (mut summary, mut records) = (Summary::default(), Vec::new());
    let seed = Seed::default();
    let (mut admitted, mut tick, mut sent) = (0, START.tick(), 0_u64);
    for pass in 0..4_u32 {
        for n in 0..FLOWS {
            // Neither order nor stride repeats from pass to pass.
            let shuffled = u64::from(n) * [1, 7_919, 104_729, 15_485_863][pass as usize] % u64::from(FLOWS);
            let n = u32::try_from(shuffled).unwrap();
            let (outside, inside) = (Address::v4((0x0b00_0000 + n * 3).to_be_bytes()), server(1, false));
            let (back, tcp) = (pass % 2 == 1, n.is_multiple_of(2));
            let (flags, sequence, acknowledgment) = match pass {
                0 => (SYN, 1, 0),
                1 => (SYN | ACK, 9, 2),
                2 => (ACK, 2, 10),
                _ => (ACK, 10, 2),
            };
            let packet = Packet {
                timestamp: at(sent),
                source: if back { inside } else { outside },
                destination: if back { outside } else { inside },
                source_port: if back { 443 } else { 50_000 },
                destination_port: if back { 50_000 } else { 443 },
                wire_len: 64,
                sequence,
                acknowledgment,
                payload_len: if tcp { 0 } else { 20 },
                protocol: if tcp { Protocol::TCP } else { Protocol::UDP },
                flags: TcpFlags(if tcp { flags } else { 0 }),
                ..Packet::default()
            };
            while tick < packet.timestamp.tick() {
                shard.close(tick, &mut summary, &mut |record| records.push(record));
                admitted += summary.flows.admitted;
                tick = tick.next();
            }
            shard.observe(&packet, seed.pair(packet.source, packet.destination));
            sent += 1;
        }
    }
    shard.close(tick, &mut summary, &mut |record| records.push(record));
    admitted += summary.flows.admitted;
    assert_eq!((admitted, summary.flows.active), (u64::from(FLOWS), u64::from(FLOWS)));
    shard.finish(at(sent), &mut |record| records.push(record));
    assert_eq!(records.len(), FLOWS as usize);
    let two = Volume { packets: 2, bytes: 128 };
    assert!(records.iter().all(|record| record.sent == two && record.received == two));
    assert!(records.iter().all(|record| record.verified == (record.protocol == Protocol::TCP)));
}

#[test]
fn a_flood_of_a_million_forged_sources_touches_neither_flows_nor_memory() {
    let settings = ShardSettings { flow_capacity: 1 << 16, pending_capacity: 1 << 16, ..ShardSettings::default() };
    let mut shard = Shard::new(&settings, 0..PARTITIONS, Arc::default(), policy());
    let mut summary = Summary::default();
    let reserved = shard.memory();
    let calm: Vec<Packet> = traffic(3, 600);
    let mut tick = START.tick();
    let close = |shard: &mut Shard, tick: &mut Tick, until: Tick, summary: &mut Summary| {
        while *tick < until {
            shard.close(*tick, summary, &mut |_| {});
            *tick = tick.next();
        }
    };
    for packet in &calm {
        close(&mut shard, &mut tick, packet.timestamp.tick(), &mut summary);
        shard.observe(packet, settings.seed.pair(packet.source, packet.destination));
    }
    close(&mut shard, &mut tick, at(30_000_000).tick(), &mut summary);
    let before = summary.flows.active;
    assert!(before > 100);
    let (mut dice, mut weights, mut sampled, mut shift) = (Dice(77), 0_u64, 0_u64, 0);
    for n in 0..1_000_000_u64 {
        let now = at(30_000_000 + n * 4);
        if tick < now.tick() {
            close(&mut shard, &mut tick, now.tick(), &mut summary);
            assert!(summary.cohorts.len() <= 2 * settings.cohort_capacity, "{}", summary.cohorts.len());
            weights += summary.hosts.iter().map(|host| u64::from(host.cohort.opened)).sum::<u64>();
            sampled += summary.hosts.iter().map(|host| u64::from(host.cohort.sampled)).sum::<u64>();
            shift = shift.max(summary.flows.sampler_shift);
            assert_eq!(summary.flows.admitted, 0);
        }
        let forged = Packet {
            timestamp: now,
            source: Address::v4((dice.word() | 0x0100_0000).to_be_bytes()),
            destination: server(1, false),
            source_port: 1_024 + u16::try_from(dice.below(60_000)).unwrap(),
            destination_port: 443,
            wire_len: 60,
            sequence: dice.word(),
            protocol: Protocol::TCP,
            flags: TcpFlags(SYN),
            ..Packet::default()
        };
        let answer = Packet {
            source: forged.destination,
            destination: forged.source,
            source_port: 443,
            destination_port: forged.source_port,
            sequence: dice.word(),
            acknowledgment: forged.sequence.wrapping_add(1),
            flags: TcpFlags(SYN | ACK),
            ..forged
        };
        let hash = settings.seed.pair(forged.source, forged.destination);
        shard.observe(&forged, hash);
        shard.observe(&answer, hash);
    }
    close(&mut shard, &mut tick, at(34_250_000).tick(), &mut summary);
    assert!(summary.flows.active <= before);
    assert_eq!(shard.memory(), reserved);
    assert!((1..=8).contains(&shift) && sampled > 30_000, "sampled {sampled} at up to 1 in 2^{shift}");
    // The first tick of the flood overruns the sampler; the other fifteen are estimated well.
    assert!((850_000..=1_050_000).contains(&weights), "{weights} of 1,000,000");
}

#[test]
fn a_flood_on_one_host_does_not_blind_another() {
    let settings = ShardSettings { cohort_capacity: 4_096, ..ShardSettings::default() };
    let mut dice = Dice(5);
    let mut packets = Vec::new();
    let mut syn = |micros: u64, source: u32, host: u8, isn: u32| {
        packets.push(Packet {
            timestamp: at(micros),
            source: Address::v4(source.to_be_bytes()),
            destination: server(host, false),
            source_port: 40_000,
            destination_port: 443,
            wire_len: 60,
            sequence: isn,
            protocol: Protocol::TCP,
            flags: TcpFlags(SYN),
            ..Packet::default()
        });
    };
    for n in 0..300_000_u64 {
        let source = dice.word();
        syn(n * 20, source, 1, source);
    }
    for n in 0..600_u32 {
        syn(u64::from(n) * 10_000, 0x0c00_0000 + n, 2, n);
    }
    packets.sort_by_key(|packet| packet.timestamp);
    let (ticks, _) = run(&packets, &settings, 1, &policy());
    let followed: Vec<_> =
        hosts(&ticks).filter(|host| host.address == server(2, false)).map(|host| host.cohort).collect();
    let sampled: u32 = followed.iter().map(|cohort| cohort.sampled).sum();
    let opened: u32 = followed.iter().map(|cohort| cohort.opened).sum();
    assert!(sampled > 450 && opened < sampled + sampled / 10, "{sampled} of 600 followed, {opened} weighted");
}

#[test]
fn distinct_sources_are_estimated_every_ten_seconds() {
    let packets: Vec<Packet> = (0..30_000_u32)
        .map(|n| Packet {
            timestamp: at(u64::from(n) * 600),
            source: Address::v4((0x0b00_0000 + n % 5_000).to_be_bytes()),
            destination: server(1, false),
            source_port: 53,
            destination_port: 5_353,
            wire_len: 90,
            payload_len: 48,
            protocol: Protocol::UDP,
            ..Packet::default()
        })
        .collect();
    let (ticks, _) = run(&packets, &tiny(), 4, &policy());
    let sketches: Vec<_> = ticks
        .iter()
        .filter(|tick| tick.tick.closes_period(40))
        .map(|tick| tick.sites.iter().find(|site| site.site.0 == 0).unwrap().sources.as_ref().unwrap())
        .collect();
    assert!(sketches.len() >= 2);
    let estimate = sketch::estimate(sketches[0]);
    assert!((4_350.0..=5_650.0).contains(&estimate), "{estimate}");
    assert!(
        ticks
            .iter()
            .filter(|tick| !tick.tick.closes_period(40))
            .all(|tick| tick.sites.iter().all(|site| site.sources.is_none()))
    );
}

#[test]
fn learning_reports_heavy_destinations_and_all_verified_flows() {
    let learning = Arc::new(Policy::new(Vec::new(), true));
    let packets = traffic(21, 2_000);
    let (ticks, _) = run(&packets, &ShardSettings::default(), 3, &learning);
    assert!(ticks.iter().all(|tick| tick.hosts.is_empty()));
    let heaviest = ticks.iter().flat_map(|tick| &tick.candidates).max_by_key(|candidate| candidate.packets).unwrap();
    assert!((0..=6).any(|n| [server(n * 40 + 1, false), server(n * 40 + 1, true)].contains(&heaviest.address)));
    let verified =
        |stage| ticks.iter().flat_map(|tick| &tick.contacts).filter(|contact| contact.stage == stage).count();
    assert!(verified(ContactStage::Verified) > 500, "{}", verified(ContactStage::Verified));
    let (protected, _) = run(&packets, &ShardSettings::default(), 1, &Arc::new(Policy::new(Vec::new(), false)));
    assert!(protected.iter().all(|tick| tick.contacts.is_empty() && tick.candidates.is_empty()));
}

#[test]
fn a_new_policy_rules_from_the_next_packet() {
    let packets = traffic(2, 300);
    let mut shard = Shard::new(&tiny(), 0..PARTITIONS, Arc::default(), Arc::new(Policy::new(Vec::new(), true)));
    let mut summary = Summary::default();
    for packet in &packets {
        shard.observe(packet, tiny().seed.pair(packet.source, packet.destination));
    }
    shard.close(at(19_999_999).tick(), &mut summary, &mut |_| {});
    assert!(summary.hosts.is_empty() && summary.sites.is_empty());
    shard.adopt(policy());
    for packet in &packets {
        let packet = Packet { timestamp: at(20_100_000), ..*packet };
        shard.observe(&packet, tiny().seed.pair(packet.source, packet.destination));
    }
    shard.close(at(20_100_000).tick(), &mut summary, &mut |_| {});
    let total: u64 = summary.sites.iter().map(|site| site.inbound.packets + site.outbound.packets).sum();
    assert_eq!(total, packets.len() as u64);
    assert!(!summary.hosts.is_empty());
}

#[test]
fn any_packet_whatever_is_counted_without_a_panic() {
    let mut dice = Dice(1_234_567);
    let mut shard = Shard::new(&tiny(), 0..PARTITIONS, Arc::default(), policy());
    let (mut summary, mut total) = (Summary::default(), Volume::default());
    let mut tick = START.tick();
    for n in 0..200_000_u64 {
        let few = |dice: &mut Dice| {
            if dice.below(2) == 0 { server(1, false) } else { client(u32::try_from(dice.below(40)).unwrap()) }
        };
        let packet = Packet {
            // Late, early and in order.
            timestamp: at(1_000_000 + n * 100 + dice.below(3_000_000)),
            source: few(&mut dice),
            destination: few(&mut dice),
            source_port: u16::try_from(dice.below(4)).unwrap(),
            destination_port: u16::try_from(dice.below(4)).unwrap() * 256,
            wire_len: 60,
            sequence: dice.word() & 0xff,
            acknowledgment: dice.word() & 0xff,
            payload_len: u16::try_from(dice.below(3)).unwrap(),
            window: 0,
            protocol: [Protocol::TCP, Protocol::UDP, Protocol::ICMP, Protocol::ICMPV6, Protocol(47)]
                [usize::try_from(dice.below(5)).unwrap()],
            flags: TcpFlags((dice.word() & 0xff) as u8),
            ttl: 1,
            marks: Marks(if dice.below(4) == 0 { (dice.word() & 0x3f) as u8 } else { 0 }),
        };
        while tick < at(n * 100).tick() {
            shard.close(tick, &mut summary, &mut |_| {});
            summary.sites.iter().for_each(|site| total += site.inbound);
            assert!(
                summary.hosts.iter().all(|host| host.cohort.finished.iter().take(AGES).all(|count| *count < 1_000_000))
            );
            tick = tick.next();
        }
        shard.observe(&packet, tiny().seed.pair(packet.source, packet.destination));
    }
    // The clock is set back an hour, then leaps a day ahead.
    for tick in [Tick::new(tick.number() - 14_400), tick.plus(345_600)] {
        shard.close(tick, &mut summary, &mut |_| {});
        summary.sites.iter().for_each(|site| total += site.inbound);
    }
    assert!(total.packets > 50_000);
    shard.close(tick.plus(345_601), &mut summary, &mut |_| {});
    assert_eq!((summary.flows.active, summary.flows.cohort_active), (0, 0));
}
