//! Packets of no conversation that every host gets: unanswered datagrams, echo requests, fragments, segments that come too
//! late.

use super::demand::{self, Surge};
use crate::eval::random::Random;
use crate::summary::{HostTick, Stray, StrayKind};
use crate::time::{TICKS_PER_SECOND, Tick};

/// One kind of them.
#[derive(Debug)]
pub(super) struct Sidestream {
    kind: StrayKind,
    /// Packets a second, and for each verified connection.
    rate: f64,
    each: f64,
    /// Bytes of a packet.
    bytes: u64,
    /// Spread and memory of the logarithm of the rate.
    spread: f64,
    kept: f64,
    noise: f64,
    bursts: Vec<Surge>,
}

impl Sidestream {
    /// Draws the kinds that come to one host.
    pub(super) fn all(start: u64, seconds: u64, random: &mut Random) -> Vec<Self> {
        let kinds = [
            (StrayKind::Datagram, random.scale(0.05, 20.0), 0.0, 300),
            (StrayKind::EchoRequest, random.scale(0.02, 5.0), 0.0, 84),
            (StrayKind::OtherIcmp, random.scale(0.01, 1.0), random.between(0.0, 0.01), 90),
            (StrayKind::Fragment, random.scale(0.005, 5.0), 0.0, 1_200),
            (StrayKind::Ack, 0.0, random.scale(0.002, 0.1), 60),
            (StrayKind::Reset, random.scale(0.005, 0.5), random.scale(0.01, 0.3), 60),
        ];
        // Half of the hosts never see a kind.
        kinds
            .into_iter()
            .filter(|_| random.chance(0.5))
            .collect::<Vec<_>>()
            .into_iter()
            .map(|(kind, rate, each, bytes)| Self {
                kind,
                rate,
                each,
                bytes,
                spread: random.between(0.1, 0.5),
                kept: (-1.0 / (random.scale(1.0, 60.0) * TICKS_PER_SECOND as f64)).exp(),
                noise: 0.0,
                bursts: demand::bursts(10.0, (1.5, 8.0), start, seconds, random),
            })
            .collect()
    }

    /// Adds the tick's packets to a host, of which so many connections were verified.
    pub(super) fn tick(&mut self, tick: Tick, verified: u32, host: &mut HostTick, random: &mut Random) {
        let second = tick.number() as f64 / TICKS_PER_SECOND as f64;
        self.noise = self.kept * self.noise + (1.0 - self.kept * self.kept).sqrt() * self.spread * random.normal();
        let bursts = self.bursts.iter().map(|burst| burst.at(second)).product::<f64>();
        let mean = self.rate * Tick::SECONDS + self.each * f64::from(verified);
        let packets = random.poisson(mean * self.noise.exp() * bursts);
        if packets == 0 {
            return;
        }
        let mut stray = Stray::new(self.kind);
        stray.volume.packets = u64::from(packets);
        stray.volume.bytes = u64::from(packets) * self.bytes;
        // Each comes from another address, as radiation does; more than that look alike in the sketch.
        (0..packets.min(200)).for_each(|_| stray.sources.insert(random.bits()));
        host.inbound.packets += stray.volume.packets;
        host.inbound.bytes += stray.volume.bytes;
        match self.kind {
            StrayKind::Datagram => {
                host.udp_in.packets += stray.volume.packets;
                host.udp_in.bytes += stray.volume.bytes;
            }
            StrayKind::Ack | StrayKind::Reset => host.tcp_in += packets,
            _ => {}
        }
        host.strays.push(stray);
        host.strays.sort_unstable_by_key(|stray| stray.kind);
    }
}
