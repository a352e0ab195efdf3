//! Any sequence of packets leaves flow table and windows consistent: each packet is counted once, capacity holds, time only
//! moves forward, figures are finite, and the number of shards changes nothing.
//!
//! Eight bytes are a packet: what is small in them (who, which port, which flags, when) is chosen so that packets meet.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use vigie::address::Address;
use vigie::capture::CaptureTick;
use vigie::detect::engine::{Engine, Settings};
use vigie::flow::FlowRecord;
use vigie::hash::{PARTITIONS, partition};
use vigie::origin::Origins;
use vigie::packet::{Marks, Packet, Protocol, TcpFlags};
use vigie::policy::{Policy, Site};
use vigie::summary::{Shard, ShardSettings, Summary};
use vigie::time::{Tick, Timestamp};

const START: Timestamp = Timestamp::from_secs(1_700_000_000);

fuzz_target!(|input: &[u8]| {
    let [small, input @ ..] = input else { return };
    let capacity = if small % 8 == 0 { 1 << 14 } else { 512 };
    let settings = ShardSettings {
        flow_capacity: capacity,
        pending_capacity: capacity,
        cohort_capacity: 256,
        host_places: 2,
        contacts_per_tick: 3,
        ..ShardSettings::default()
    };
    let packets = packets(input);
    let one = Run::over(&packets, &settings, 1);
    one.assert_books(&packets, capacity);
    // Every other input: it doubles the work.
    if small & 16 == 0 {
        assert_eq!(one.ticks, Run::over(&packets, &settings, 3).ticks, "three shards");
    }
    judge(&one.ticks);
});

/// Reads packets out of the input; time moves by up to 2 s with each, and by two minutes in all.
fn packets(input: &[u8]) -> Vec<Packet> {
    let mut now = START;
    input
        .as_chunks::<8>()
        .0
        .iter()
        .take(4_096)
        .map(|bytes| {
            now = now.plus(std::time::Duration::from_micros(1 << (bytes[0] % 22)));
            packet(now, bytes)
        })
        .take_while(|packet| packet.timestamp.since(START).as_secs() < 120)
        .collect()
}

fn packet(timestamp: Timestamp, bytes: &[u8; 8]) -> Packet {
    let [_, who, port, flags, sequence, acknowledgment, length, kind] = *bytes;
    let ipv6 = kind & 1 == 1;
    let client = address(0, who >> 2, ipv6);
    let server = address(1, who & 3, ipv6);
    let (client_port, server_port) =
        (1_024 + u16::from(port >> 3), [443, 80, 53, 22, 0, 25, 123, 8_080][usize::from(port & 7)]);
    let protocol = match kind >> 5 {
        0..=4 => Protocol::TCP,
        5 => Protocol::UDP,
        6 if ipv6 => Protocol(58),
        6 => Protocol(1),
        _ => Protocol(kind),
    };
    let is_tcp = protocol == Protocol::TCP;
    let has_ports = is_tcp || protocol == Protocol::UDP;
    let inbound = kind & 2 == 0;
    let ((source, source_port), (destination, destination_port)) = if inbound {
        ((client, client_port), (server, server_port))
    } else {
        ((server, server_port), (client, client_port))
    };
    Packet {
        timestamp,
        source,
        destination,
        source_port: if has_ports { source_port } else { 0 },
        destination_port: if has_ports { destination_port } else { 0 },
        wire_len: 40 + u32::from(length) * 6,
        payload_len: u16::from(length) * 5,
        // The interesting numbers are those near what the other side said, and near the wrap.
        sequence: u32::from(sequence).wrapping_sub(8),
        acknowledgment: if is_tcp { u32::from(acknowledgment).wrapping_sub(8) } else { 0 },
        flags: TcpFlags(if is_tcp { flags } else { 0 }),
        marks: if kind & 4 == 4 && protocol == Protocol::UDP { Marks(Marks::QUIC_INITIAL) } else { Marks::default() },
        protocol,
        ttl: 64,
        ..Packet::default()
    }
}

/// A client's or a server's address; one server lies outside what is protected.
fn address(side: u8, number: u8, ipv6: bool) -> Address {
    let first = match (side, number) {
        (0, _) => [81, 2, number, 1],
        (_, 3) => [9, 9, 9, 9],
        _ => [192, 0, 2, number],
    };
    if !ipv6 {
        return Address::v4(first);
    }
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
    bytes[4..8].copy_from_slice(&first);
    Address::v6(bytes)
}

fn policy() -> Arc<Policy> {
    let prefixes = ["192.0.2.0/24", "2001:db8:c000:0200::/56"].map(|prefix| prefix.parse().expect("a prefix"));
    Arc::new(Policy::new(vec![Site { name: "school".into(), prefixes: prefixes.to_vec() }], true))
}

struct Run {
    ticks: Vec<Summary>,
    records: Vec<FlowRecord>,
}

impl Run {
    fn over(packets: &[Packet], settings: &ShardSettings, shards: usize) -> Self {
        let origins = Arc::new(Origins::default());
        let mut all: Vec<Shard> = (0..shards)
            .map(|n| Shard::new(settings, (n..PARTITIONS).step_by(shards), Arc::clone(&origins), policy()))
            .collect();
        let mut run = Self { ticks: Vec::new(), records: Vec::new() };
        let mut open = START.tick();
        for packet in packets {
            while open < packet.timestamp.tick() {
                run.close(&mut all, open);
                open = open.next();
            }
            let hash = settings.seed.pair(packet.source, packet.destination);
            all[partition(hash) % shards].observe(packet, hash);
        }
        run.close(&mut all, open);
        for shard in &mut all {
            shard.finish(open.next().start(), &mut |record| run.records.push(record));
        }
        run
    }

    fn close(&mut self, shards: &mut [Shard], tick: Tick) {
        let (mut merged, mut part) = (Summary::default(), Summary::default());
        for shard in shards {
            shard.close(tick, &mut part, &mut |record| self.records.push(record));
            merged.merge(&part);
        }
        merged.sort();
        self.ticks.push(merged);
    }

    fn assert_books(&self, packets: &[Packet], capacity: usize) {
        let sum = |of: fn(&Summary) -> u64| self.ticks.iter().map(of).sum::<u64>();
        let admitted = sum(|tick| tick.flows.admitted);
        let ended = sum(|tick| tick.flows.ended.iter().sum());
        let active = self.ticks.last().map_or(0, |tick| tick.flows.active);
        assert_eq!(admitted, ended + active, "flows in, out and in the table");
        assert!(self.ticks.iter().all(|tick| tick.flows.active <= capacity.next_power_of_two().max(512) as u64));
        let policy = policy();
        let inside = |address| policy.site_of(address).is_some();
        let ours = packets.iter().filter(|packet| inside(packet.source) || inside(packet.destination)).count() as u64;
        let counted = sum(|tick| {
            tick.sites.iter().map(|site| site.inbound.packets + site.outbound.packets + site.internal.packets).sum()
        });
        assert_eq!(counted, ours, "packets of the site");
        let carried: u64 = self.records.iter().map(|record| record.sent.packets + record.received.packets).sum();
        assert!(carried <= packets.len() as u64, "flows carried {carried} of {} packets", packets.len());
        assert!(self.records.iter().all(|record| record.start <= record.end));
    }
}

fn judge(ticks: &[Summary]) {
    let settings = Settings { home: vec!["FR".parse().expect("a country")], ..Settings::default() };
    let mut engine = Engine::new(settings, policy(), ShardSettings::default().seed);
    for summary in ticks {
        let capture = CaptureTick { tick: summary.tick, frames: 1, ..CaptureTick::default() };
        let output = engine.observe(summary, &capture);
        for finding in &output.findings {
            assert!(finding.score.is_finite() && (0.0..=1.0).contains(&finding.confidence), "{finding:?}");
            for figure in &finding.figures {
                assert!(figure.observed.is_finite() && figure.expected.is_none_or(f64::is_finite), "{finding:?}");
            }
        }
        assert!(output.scores.iter().all(|score| score.ratio.is_finite() && score.ratio >= 0.0), "{:?}", output.scores);
    }
}
