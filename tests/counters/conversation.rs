//! Conversations between a client outside and a server inside, and a shard that watches them.

use std::sync::Arc;

use vigie::address::Address;
use vigie::hash::PARTITIONS;
use vigie::origin::Origins;
use vigie::packet::{Packet, Protocol, TcpFlags};
use vigie::policy::{Policy, Site};
use vigie::summary::{Contact, HostTick, Shard, ShardSettings, Stray, StrayKind, Summary, stray};
use vigie::time::{Tick, Timestamp};

pub(crate) const ACK: u8 = TcpFlags::ACK;
pub(crate) const SYN: u8 = TcpFlags::SYN;
pub(crate) const RST: u8 = TcpFlags::RST;
pub(crate) const FIN: u8 = TcpFlags::FIN;

const START_SECONDS: u64 = 1_700_000_000;

pub(crate) fn at(millis: u64) -> Timestamp {
    Timestamp::from_nanos(START_SECONDS * 1_000_000_000 + millis * 1_000_000)
}

pub(crate) fn server() -> Address {
    Address::v4([192, 0, 2, 10])
}

pub(crate) fn outside(n: u32) -> Address {
    Address::v4((0x0b00_0000 + n).to_be_bytes())
}

/// Both ends of a conversation.
#[derive(Clone, Copy)]
pub(crate) struct Pair {
    pub(crate) client: (Address, u16),
    pub(crate) server: (Address, u16),
    pub(crate) protocol: Protocol,
}

impl Pair {
    pub(crate) fn tcp(n: u32) -> Self {
        Self { client: (outside(n), 40_000), server: (server(), 443), protocol: Protocol::TCP }
    }

    pub(crate) fn udp(n: u32, client_port: u16, server_port: u16) -> Self {
        Self { client: (outside(n), client_port), server: (server(), server_port), protocol: Protocol::UDP }
    }

    fn packet(self, from_client: bool, millis: u64, flags: u8, numbers: (u32, u32), payload: u16) -> Packet {
        let (from, to) = if from_client { (self.client, self.server) } else { (self.server, self.client) };
        Packet {
            timestamp: at(millis),
            source: from.0,
            destination: to.0,
            source_port: from.1,
            destination_port: to.1,
            wire_len: 60 + u32::from(payload),
            sequence: numbers.0,
            acknowledgment: numbers.1,
            payload_len: payload,
            window: 1_000,
            protocol: self.protocol,
            flags: TcpFlags(flags),
            ..Packet::default()
        }
    }

    pub(crate) fn asks(self, millis: u64, flags: u8, numbers: (u32, u32), payload: u16) -> Packet {
        self.packet(true, millis, flags, numbers, payload)
    }

    pub(crate) fn answers(self, millis: u64, flags: u8, numbers: (u32, u32), payload: u16) -> Packet {
        self.packet(false, millis, flags, numbers, payload)
    }

    /// A handshake with the client's ISN 100 and the server's ISN 900.
    pub(crate) fn handshake(self, millis: u64) -> [Packet; 3] {
        [
            self.asks(millis, SYN, (100, 0), 0),
            self.answers(millis + 10, SYN | ACK, (900, 101), 0),
            self.asks(millis + 20, ACK, (101, 901), 0),
        ]
    }
}

/// A shard with everything it has said.
pub(crate) struct Watch {
    pub(crate) shard: Shard,
    settings: ShardSettings,
    open: Tick,
    pub(crate) ticks: Vec<Summary>,
}

impl Watch {
    pub(crate) fn new(settings: ShardSettings, policy: Policy) -> Self {
        let shard = Shard::new(&settings, 0..PARTITIONS, Arc::new(Origins::default()), Arc::new(policy));
        Self { shard, settings, open: at(0).tick(), ticks: Vec::new() }
    }

    /// Watches the server's network.
    pub(crate) fn of(packets: impl IntoIterator<Item = Packet>) -> Self {
        let site = Site { name: "web".into(), prefixes: vec!["192.0.2.0/24".parse().unwrap()] };
        let mut watch = Self::new(ShardSettings::default(), Policy::new(vec![site], false));
        watch.see(packets);
        watch
    }

    pub(crate) fn see(&mut self, packets: impl IntoIterator<Item = Packet>) {
        for packet in packets {
            self.pass(packet.timestamp);
            let hash = self.settings.seed.pair(packet.source, packet.destination);
            self.shard.observe(&packet, hash);
        }
    }

    /// Lets time pass: closes every tick before the one of `now`.
    pub(crate) fn pass(&mut self, now: Timestamp) {
        while self.open < now.tick() {
            let mut summary = Summary::default();
            self.shard.close(self.open, &mut summary, &mut |_| {});
            self.ticks.push(summary);
            self.open = self.open.next();
        }
    }

    /// Lets seconds pass and returns everything.
    pub(crate) fn after(mut self, seconds: u64) -> Self {
        let now = Timestamp::from_nanos(self.open.start().as_nanos() + seconds * 1_000_000_000);
        self.pass(now);
        self
    }

    pub(crate) fn sum(&self, of: impl Fn(&HostTick) -> u32) -> u32 {
        self.ticks.iter().flat_map(|tick| &tick.hosts).map(of).sum()
    }

    pub(crate) fn contacts(&self) -> Vec<Contact> {
        self.ticks.iter().flat_map(|tick| tick.contacts.clone()).collect()
    }

    /// Strays of all hosts and ticks.
    pub(crate) fn strays(&self) -> Vec<Stray> {
        let mut all = Vec::new();
        self.ticks.iter().flat_map(|tick| &tick.hosts).for_each(|host| stray::join(&mut all, &host.strays));
        all
    }

    /// Strays by kind: packets, and how many of them were answered.
    pub(crate) fn counted(&self) -> Vec<(StrayKind, u64, u64)> {
        self.strays().iter().map(|stray| (stray.kind, stray.volume.packets, stray.answered.packets)).collect()
    }
}
