//! What third parties send to a target that never asked: replies of open services, SYN-ACKs, blocking pages.

use super::World;
use crate::packet::TcpFlags;
use crate::scenario::answers::{Answer, Body};
use crate::scenario::frame::{Fragment, Network, Segment, Way};
use crate::scenario::number::{floor_u64, low_u16};
use crate::scenario::population::Client;
use crate::scenario::services::Service;
use crate::scenario::stack::Options;
use crate::scenario::world::MAIN;

/// Payload of a UDP datagram in one frame, and of each fragment of a larger one: the largest multiple of eight.
const WHOLE: u16 = 1_472;
const PIECE: u16 = 1_480;

/// What an attack of several vectors of this kind mixes.
const MIXTURE: [Service; 4] = [Service::Dns, Service::Ntp, Service::Ssdp, Service::Cldap];

impl World<'_> {
    fn reflector(&mut self, place: usize) -> Option<(Client, Network)> {
        let campaign = &mut self.campaigns[place];
        let host = campaign.host()?;
        let identification = low_u16(campaign.chance.bits() & 0xffff);
        let destination = self.servers[MAIN].address(host.address.is_ipv4())?;
        let network =
            Network { way: Way::In, source: host.address, destination, hop_limit: host.hop_limit, identification };
        Some((host, network))
    }

    /// One reflector's reply to one forged question; returns how many frames it took.
    pub(super) fn reflect(&mut self, place: usize, service: Option<Service>) -> u32 {
        let Some((host, network)) = self.reflector(place) else { return 1 };
        let campaign = &mut self.campaigns[place];
        let service = service.unwrap_or_else(|| MIXTURE[campaign.chance.index(MIXTURE.len())]);
        let reply = service.reply();
        // What a server has to say is much the same each time.
        let mut own = crate::scenario::random::Random::new(u64::from(host.hop_limit) ^ host.round_trip);
        let (least, most) = reply.sizes;
        let size = low_u16(floor_u64(own.between(f64::from(least), f64::from(most) + 1.0)));
        let train = 1 + campaign.chance.below(reply.train);
        let to = if campaign.chance.chance(0.9) { campaign.port } else { campaign.chance.port(1_024, 64_000) };
        let mut frames = 0;
        for number in 0..train {
            let network =
                Network { identification: network.identification.wrapping_add(low_u16(u64::from(number))), ..network };
            frames += self.send_reply(place, &network, (reply.port, to), size, reply.head);
        }
        self.refuse_datagram(&network, (reply.port, to), size);
        frames
    }

    fn send_reply(
        &mut self,
        place: usize,
        network: &Network,
        ports: (u16, u16),
        size: u16,
        head: &'static [u8],
    ) -> u32 {
        let head = &head[..head.len().min(usize::from(size))];
        if size <= WHOLE {
            self.outlet.udp(self.now, network, ports, size, head);
            self.count_attack(place);
            return 1;
        }
        let whole = size + 8;
        let mut offset = 0;
        let mut frames = 0;
        while offset < whole {
            let length = PIECE.min(whole - offset);
            let first = (offset == 0).then_some((ports, whole, head));
            let fragment = Fragment { offset, more: offset + length < whole, length, first };
            self.outlet.fragment(self.now, network, &fragment);
            self.count_attack(place);
            offset += length;
            frames += 1;
        }
        frames
    }

    /// An echo reply to a request that was forged in the target's name.
    pub(super) fn send_echo_reply(&mut self, place: usize) {
        let Some((_, network)) = self.reflector(place) else { return };
        let campaign = &mut self.campaigns[place];
        let numbers = (0x0400, low_u16(campaign.chance.bits() & 0xffff));
        let size = campaign.size;
        self.outlet.echo(self.now, &network, true, numbers, size);
        self.count_attack(place);
    }

    /// A web server's SYN-ACK for a SYN the target never sent; the target's kernel may refuse it, and that ends it.
    pub(super) fn reflect_syn_ack(&mut self, place: usize) {
        let Some((_, network)) = self.reflector(place) else { return };
        let chance = &mut self.campaigns[place].chance;
        let from = if chance.chance(0.6) { 443 } else { 80 };
        let (to, own, forged) = (chance.port(1_024, 64_000), chance.bits32(), chance.bits32());
        let answer = Options::of_bare_syn_ack(1_460);
        let segment = Segment {
            source_port: from,
            destination_port: to,
            sequence: own,
            acknowledgment: forged,
            flags: TcpFlags::SYN | TcpFlags::ACK,
            window: 64_240,
            options: answer,
            payload: 0,
            head: &[],
        };
        self.outlet.tcp(self.now, &network, &segment);
        self.count_attack(place);
        // Half of all reflectors stand where the refusal does not get through, and try again.
        let is_deaf = network.hop_limit % 2 == 0;
        let body = Body::Segment { ports: (to, from), numbers: (forged, 0), flags: TcpFlags::RST };
        self.kernel_answers(network.turned(), body);
        if is_deaf {
            let flags = TcpFlags::SYN | TcpFlags::ACK;
            let body = Body::Segment { ports: (from, to), numbers: (own, forged), flags };
            self.answer_in(1.0, Answer { network, body, attack: Some(place) });
        }
    }

    /// A blocking page in one to three segments and a reset, from port 80 of whatever the censor stands before (Bock et
    /// al., USENIX Security 2021); returns how many frames it took.
    pub(super) fn reflect_page(&mut self, place: usize) -> u32 {
        let Some((host, network)) = self.reflector(place) else { return 1 };
        let chance = &mut self.campaigns[place].chance;
        let (to, own, forged) = (chance.port(1_024, 64_000), chance.bits32(), chance.bits32());
        let pages = 1 + chance.below(3);
        let length = 600 + low_u16(host.round_trip % 860);
        let mut sequence = own;
        for _ in 0..pages {
            let segment = Segment {
                source_port: 80,
                destination_port: to,
                sequence,
                acknowledgment: forged,
                flags: TcpFlags::PSH | TcpFlags::ACK,
                window: 8_192,
                options: Options::default(),
                payload: length,
                head: b"HTTP/1.1 403 Forbidden\r\n",
            };
            self.outlet.tcp(self.now, &network, &segment);
            self.count_attack(place);
            sequence = sequence.wrapping_add(u32::from(length));
        }
        let with_reset = self.campaigns[place].chance.chance(0.5);
        if with_reset {
            self.send_bare(&network, (80, to), (sequence, forged), TcpFlags::RST | TcpFlags::ACK, 0);
            self.count_attack(place);
        } else {
            let body = Body::Segment { ports: (to, 80), numbers: (forged, 0), flags: TcpFlags::RST };
            self.kernel_answers(network.turned(), body);
        }
        pages + u32::from(with_reset)
    }
}
