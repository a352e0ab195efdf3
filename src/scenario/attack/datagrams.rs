//! Floods of datagrams, echo messages and fragments, and the same spread over a whole prefix.

use super::{Attack, Campaign, World};
use crate::address::Address;
use crate::packet::TcpFlags;
use crate::scenario::answers::{Answer, Body};
use crate::scenario::blocks;
use crate::scenario::frame::{Fragment, Network, Way};
use crate::scenario::minutes::Attempt;
use crate::scenario::number::low_u16;
use crate::scenario::technique::Carpet;
use crate::scenario::world::MAIN;

impl World<'_> {
    fn inbound(&mut self, place: usize, attack: &Attack, destination: Address) -> Option<Network> {
        let (source, hop_limit) = self.claimed(place, attack)?;
        let identification = low_u16(self.campaigns[place].chance.bits() & 0xffff);
        Some(Network { way: Way::In, source, destination, hop_limit, identification })
    }

    /// One datagram of a size and to a port that the tool keeps to.
    pub(super) fn send_datagram_of(&mut self, place: usize, attack: &Attack) {
        let Some(target) = self.victim(attack) else { return };
        let campaign = &mut self.campaigns[place];
        let (port, size) = (campaign.port, campaign.size);
        let from = campaign.chance.port(1_024, 64_000);
        let Some(network) = self.inbound(place, attack, target) else { return };
        self.outlet.udp(self.now, &network, (from, port), size, &[]);
        self.count_attack(place);
        // A QUIC server stays silent on what is no QUIC.
        if port != 443 {
            self.refuse_datagram(&network, (from, port), size);
        }
    }

    /// A QUIC Initial that nobody will continue; the server answers as RFC 9000 section 8.1 lets it: thrice the bytes.
    pub(super) fn send_initial(&mut self, place: usize, attack: &Attack) {
        let Some(target) = self.victim(attack) else { return };
        let Some(network) = self.inbound(place, attack, target) else { return };
        let chance = &mut self.campaigns[place].chance;
        let from = chance.port(1_024, 64_000);
        let (destination_id, source_id) = (chance.bits(), chance.bits());
        let head = long_header(0, destination_id, source_id, 1_200);
        self.outlet.udp(self.now, &network, (from, 443), 1_200, &head);
        self.count_attack(place);
        self.count_attempt(Attempt::Attacker);
        if !self.servers[MAIN].has_time_for_a_syn(self.now) {
            return;
        }
        for (number, payload) in [(0_u8, 1_200), (2, 1_050)] {
            let head = long_header(number, source_id, !destination_id, payload);
            let body = Body::Datagram { ports: (443, from), payload, head };
            let wait = 0.000_9 + 20e-6 * f64::from(number);
            self.answer_in(wait, Answer { network: network.turned(), body, attack: None });
        }
    }

    /// A GRE packet around a datagram from nobody to nobody, which the target has no tunnel for and drops.
    pub(super) fn send_tunnel(&mut self, place: usize, attack: &Attack) {
        let Some(target) = self.victim(attack) else { return };
        let Some(network) = self.inbound(place, attack, target) else { return };
        let Campaign { chance, size, .. } = &mut self.campaigns[place];
        let inside = Network {
            source: blocks::forged_v4(false, chance),
            destination: blocks::forged_v4(false, chance),
            hop_limit: 64,
            ..network
        };
        let ports = (chance.port(1_024, 64_000), chance.port(1_024, 64_000));
        self.outlet.gre(self.now, &network, &inside, ports, *size);
        self.count_attack(place);
    }

    /// An echo request; a kernel answers each.
    pub(super) fn send_echo(&mut self, place: usize, attack: &Attack) {
        let Some(target) = self.victim(attack) else { return };
        self.send_echo_to(place, attack, target);
    }

    fn send_echo_to(&mut self, place: usize, attack: &Attack, target: Address) {
        let Some(network) = self.inbound(place, attack, target) else { return };
        let campaign = &mut self.campaigns[place];
        let (size, numbers) = (campaign.size, (low_u16(campaign.chance.bits() & 0xffff), 1));
        self.outlet.echo(self.now, &network, false, numbers, size);
        self.count_attack(place);
        if self.ports_of(target).is_some() {
            self.kernel_answers(network.turned(), Body::EchoReply(numbers, size));
        }
    }

    /// A later fragment whose first never comes: nothing can be answered.
    pub(super) fn send_orphan(&mut self, place: usize, attack: &Attack) {
        let Some(target) = self.victim(attack) else { return };
        let Some(network) = self.inbound(place, attack, target) else { return };
        let chance = &mut self.campaigns[place].chance;
        let last = chance.chance(0.3);
        let length = if last { 8 * (1 + low_u16(u64::from(chance.below(120)))) } else { 1_400 };
        let offset = 1_400 * (1 + low_u16(u64::from(chance.below(6))));
        self.outlet.fragment(self.now, &network, &Fragment { offset, more: !last, length, first: None });
        self.count_attack(place);
    }

    /// One packet to some host of the prefix.
    pub(super) fn send_carpet(&mut self, place: usize, attack: &Attack, carpet: Carpet) {
        let Some(target) = self.anyone(place, attack.is_v4(self.parameters)) else { return };
        match carpet {
            Carpet::Icmp => self.send_echo_to(place, attack, target),
            Carpet::Udp => {
                let campaign = &mut self.campaigns[place];
                let (from, to) = (campaign.chance.port(1_024, 64_000), campaign.chance.port(1, 65_000));
                let size = campaign.size;
                let Some(network) = self.inbound(place, attack, target) else { return };
                self.outlet.udp(self.now, &network, (from, to), size, &[]);
                self.count_attack(place);
                self.refuse_datagram(&network, (from, to), size);
            }
            Carpet::Syn => {
                let Some(network) = self.inbound(place, attack, target) else { return };
                self.send_lone_syn(place, &network);
            }
        }
    }

    /// A SYN to port 443 of any host: listeners answer, other hosts refuse, nobody is elsewhere.
    fn send_lone_syn(&mut self, place: usize, network: &Network) {
        let chance = &mut self.campaigns[place].chance;
        let (from, isn) = (chance.port(1_024, 64_000), chance.bits32());
        self.send_bare(network, (from, 443), (isn, 0), TcpFlags::SYN, 512);
        self.count_attack(place);
        let Some(open) = self.ports_of(network.destination) else { return };
        let flags = if open.contains(&443) { TcpFlags::SYN | TcpFlags::ACK } else { TcpFlags::RST | TcpFlags::ACK };
        let own = if open.contains(&443) { self.random.bits32() } else { 0 };
        let body = Body::Segment { ports: (443, from), numbers: (own, isn.wrapping_add(1)), flags };
        self.kernel_answers(network.turned(), body);
    }

    /// Returns some address of the first prefix of a family, of at most 256.
    pub(super) fn anyone(&mut self, place: usize, ipv4: bool) -> Option<Address> {
        let number = self.campaigns[place].chance.below(256);
        self.parameters.host(ipv4, number)
    }
}

/// Writes a QUIC long header of a type (RFC 9000 section 17.2): 0 Initial, with an empty token; 2 Handshake.
fn long_header(kind: u8, destination_id: u64, source_id: u64, payload: u16) -> [u8; 26] {
    let mut head = [0; 26];
    head[0] = 0xc3 | kind << 4;
    head[1..5].copy_from_slice(&1_u32.to_be_bytes());
    head[5] = 8;
    head[6..14].copy_from_slice(&destination_id.to_be_bytes());
    head[14] = 8;
    head[15..23].copy_from_slice(&source_id.to_be_bytes());
    let at = if kind == 0 { 24 } else { 23 };
    let rest = payload - low_u16(at as u64 + 2);
    head[at..at + 2].copy_from_slice(&(0x4000 | rest).to_be_bytes());
    head
}
