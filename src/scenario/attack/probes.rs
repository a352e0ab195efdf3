//! Scans of ports and sweeps over hosts, from outside and from inside.

use super::World;
use crate::address::Address;
use crate::packet::TcpFlags;
use crate::scenario::answers::{Answer, Body};
use crate::scenario::frame::{Network, Way};
use crate::scenario::number::{low_u16, low_u32};
use crate::scenario::random::split_mix;
use crate::scenario::technique::{Probe, Sweep};
use crate::scenario::world::MAIN;

/// What is tried first; after these, all others in an order that looks like none.
const FAVOURITES: [u16; 16] = [80, 23, 443, 21, 22, 25, 3_389, 110, 445, 139, 143, 53, 135, 3_306, 8_080, 1_723];

/// The inside host that sweeps outwards.
const INSIDE_SWEEPER: u32 = 60;

impl World<'_> {
    /// The next port of the web server.
    pub(super) fn probe_port(&mut self, place: usize, probe: Probe) {
        let Some(target) = self.servers[MAIN].address(self.parameters.has_v4()) else { return };
        let turn = self.campaigns[place].strikes;
        self.campaigns[place].strikes += 1;
        let favourite = FAVOURITES.get(turn as usize).copied();
        // Multiplication by an odd number visits all ports once.
        let port = favourite.unwrap_or_else(|| low_u16(u64::from(turn.wrapping_mul(40_503) & 0xffff)).max(1));
        self.probe(place, target, port, probe);
    }

    /// The next host of the prefix.
    pub(super) fn probe_host(&mut self, place: usize, sweep: Sweep) {
        let turn = self.campaigns[place].strikes;
        self.campaigns[place].strikes += 1;
        let number = low_u32(u64::from(turn.wrapping_mul(167) & 0xff));
        let Some(target) = self.parameters.host(self.parameters.has_v4(), number) else { return };
        if sweep == Sweep::Tcp {
            self.probe(place, target, 445, Probe::Syn);
            return;
        }
        let Some((network, trip)) = self.scanner_to(place, target) else { return };
        let numbers = (0x5ca0, low_u16(u64::from(turn & 0xffff)));
        self.outlet.echo(self.now, &network, false, numbers, 8);
        self.count_attack(place);
        debug_assert!(trip > 0.0);
        if self.ports_of(target).is_some() {
            self.kernel_answers(network.turned(), Body::EchoReply(numbers, 8));
        }
    }

    /// The next host outside: most addresses are silent, some refuse, few answer.
    pub(super) fn probe_outside(&mut self, place: usize) {
        let ipv4 = self.parameters.has_v4();
        let Some(inside) = self.parameters.host(ipv4, INSIDE_SWEEPER) else { return };
        let campaign = &mut self.campaigns[place];
        let chance = &mut campaign.chance;
        let outside = if ipv4 {
            crate::scenario::blocks::forged_v4(true, chance)
        } else {
            crate::scenario::blocks::forged_v6(chance)
        };
        let (from, isn) = (chance.port(32_768, 28_000), chance.bits32());
        let (own, fate, trip) = (chance.bits32(), chance.unit(), chance.between(0.02, 0.3));
        let network = Network { way: Way::Out, source: inside, destination: outside, hop_limit: 64, identification: 0 };
        self.send_bare(&network, (from, 445), (isn, 0), TcpFlags::SYN, 1_024);
        self.count_attack(place);
        let back = Network { hop_limit: 50, ..network.turned() };
        let acknowledgment = isn.wrapping_add(1);
        let (flags, sequence) = match fate {
            fate if fate < 0.01 => (TcpFlags::SYN | TcpFlags::ACK, own),
            fate if fate < 0.10 => (TcpFlags::RST | TcpFlags::ACK, 0),
            _ => return,
        };
        let body = Body::Segment { ports: (445, from), numbers: (sequence, acknowledgment), flags };
        self.answer_in(trip, Answer { network: back, body, attack: None });
        if flags & TcpFlags::SYN != 0 {
            let body = Body::Segment { ports: (from, 445), numbers: (acknowledgment, 0), flags: TcpFlags::RST };
            self.answer_in(trip + 80e-6, Answer { network, body, attack: Some(place) });
        }
    }

    fn scanner_to(&mut self, place: usize, destination: Address) -> Option<(Network, f64)> {
        let host = self.campaigns[place].host()?;
        let identification = 54_321;
        let network =
            Network { way: Way::In, source: host.address, destination, hop_limit: host.hop_limit, identification };
        Some((network, host.round_trip as f64 / 1e9))
    }

    fn probe(&mut self, place: usize, target: Address, port: u16, probe: Probe) {
        let Some((network, trip)) = self.scanner_to(place, target) else { return };
        let chance = &mut self.campaigns[place].chance;
        let (from, isn) = (chance.port(40_000, 20_000), chance.bits32());
        let flags = match probe {
            Probe::Udp => {
                self.outlet.udp(self.now, &network, (from, port), 0, &[]);
                self.count_attack(place);
                // A name server and a web server with QUIC keep silent on an empty datagram.
                if !matches!(port, 53 | 443) {
                    self.refuse_datagram(&network, (from, port), 0);
                }
                return;
            }
            Probe::Syn => TcpFlags::SYN,
            Probe::Fin => TcpFlags::FIN,
            Probe::Null => 0,
            Probe::Xmas => 0x29,
        };
        self.send_bare(&network, (from, port), (isn, 0), flags, 1_024);
        self.count_attack(place);
        let Some(open) = self.ports_of(target) else { return };
        let open = open.contains(&port);
        let numbers = isn.wrapping_add(1);
        if !open {
            let body =
                Body::Segment { ports: (port, from), numbers: (0, numbers), flags: TcpFlags::RST | TcpFlags::ACK };
            self.kernel_answers(network.turned(), body);
            return;
        }
        // RFC 9293 section 3.10.7.2: a listener ignores what is neither SYN, ACK nor RST; that is how the others work.
        if probe == Probe::Syn {
            let own = (split_mix(u64::from(isn)) & 0xffff_ffff) as u32;
            let body =
                Body::Segment { ports: (port, from), numbers: (own, numbers), flags: TcpFlags::SYN | TcpFlags::ACK };
            self.answer_in(80e-6, Answer { network: network.turned(), body, attack: None });
            let body = Body::Segment { ports: (from, port), numbers: (numbers, 0), flags: TcpFlags::RST };
            self.answer_in(80e-6 + trip, Answer { network, body, attack: Some(place) });
        }
    }
}
