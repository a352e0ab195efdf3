//! SYNs that nobody means to finish: floods, forged or raw, and the background radiation of scanners.

use super::blocks;
use super::frame::{Network, Segment, Way};
use super::minutes::Attempt;
use super::number::{low_u8, low_u16};
use super::parameters::Spoofing;
use super::population::Population;
use super::queue::Handle;
use super::server::{SYN_ACK_REPEATS, SynAnswer};
use super::stack::{Options, System};
use super::world::{Event, MAIN, World};
use crate::address::Address;
use crate::packet::TcpFlags;

/// Share of forged addresses at which a real host receives the SYN-ACK and resets it; firewalls swallow most.
const RESETTING_BYSTANDERS: f64 = 0.03;

/// Share of raw bots whose own kernel resets the SYN-ACK it never asked for.
const RESETTING_BOTS: f64 = 0.6;

/// Ports that scanners knock at.
const SCANNED: [u16; 8] = [22, 23, 80, 445, 3_389, 5_900, 8_080, 8_443];

/// What happens next with such a SYN.
#[derive(Clone, Copy, Debug)]
pub(super) enum HalfOpenStep {
    /// The server answers, or repeats its answer.
    Answer,
    /// The host at the address claimed resets.
    Reset,
    /// A closed port resets.
    Refuse,
    /// Someone patient sends his SYN again.
    Repeat,
}

/// A SYN on the server's side.
#[derive(Clone, Copy, Debug)]
pub(super) struct HalfOpen {
    source: Address,
    target: Address,
    ports: (u16, u16),
    isn: u32,
    server_isn: u32,
    /// Which attack it belongs to.
    attack: Option<usize>,
    /// It has an entry in the server's SYN queue.
    remembered: bool,
    repeats: u8,
    resets: bool,
    hop_limit: u8,
    /// The stack whose options it copies.
    mimics: Option<System>,
}

impl World<'_> {
    /// Sends one SYN of a flood.
    pub(super) fn send_flood_syn(&mut self, place: usize, spoofing: Spoofing) {
        let Some(target) = self.servers[MAIN].address(spoofing != Spoofing::Ipv6) else { return };
        let source = match spoofing {
            Spoofing::Random => blocks::forged_v4(false, &mut self.random),
            Spoofing::BogonFiltered => blocks::forged_v4(true, &mut self.random),
            Spoofing::Ipv6 => blocks::forged_v6(&mut self.random),
            Spoofing::HomeList | Spoofing::KnownList | Spoofing::Few | Spoofing::RawBots => {
                let Some(source) = self.listed_source(place, spoofing) else { return };
                source
            }
        };
        let exists = source.to_ipv4().is_none_or(|v4| !blocks::is_reserved(v4));
        let resetting = match spoofing {
            Spoofing::RawBots | Spoofing::Few => RESETTING_BOTS,
            _ if exists => RESETTING_BYSTANDERS,
            _ => 0.0,
        };
        let port = self.random.port(1_024, 64_512);
        let strikes = &mut self.campaigns[place].strikes;
        *strikes = strikes.wrapping_add(1);
        // Who sends much from few addresses counts his ports up; who claims to be everybody picks any.
        let counted = 1_024 + low_u16(u64::from(*strikes % 64_512));
        let half = HalfOpen {
            source,
            target,
            ports: (if matches!(spoofing, Spoofing::Few | Spoofing::KnownList) { counted } else { port }, 443),
            isn: self.random.bits32(),
            server_isn: self.random.bits32(),
            attack: Some(place),
            remembered: false,
            repeats: 0,
            resets: self.random.chance(resetting),
            // Few senders, so few distances, whatever the addresses claim.
            hop_limit: 49 + low_u8(u64::from(self.random.below(4))),
            mimics: None,
        };
        self.send_half_open_syn(&half, 512);
        self.count_attack(place);
        self.count_attempt(Attempt::Attacker);
        self.answer_half_open(half);
    }

    /// Sends a SYN that looks like a real stack's and may be repeated; tells whether the server answers.
    pub(super) fn send_patient_syn(
        &mut self,
        place: usize,
        spoofing: Spoofing,
        (source, hop_limit): (Address, u8),
        repeated: f64,
    ) -> bool {
        let Some(target) = self.servers[MAIN].address(source.is_ipv4()) else { return false };
        let chance = &mut self.campaigns[place].chance;
        let mut half = HalfOpen {
            source,
            target,
            ports: (chance.port(1_024, 64_512), 443),
            isn: chance.bits32(),
            server_isn: chance.bits32(),
            attack: Some(place),
            remembered: false,
            repeats: 0,
            resets: chance.chance(if spoofing.is_forged() { RESETTING_BYSTANDERS } else { RESETTING_BOTS }),
            hop_limit,
            mimics: Some(System::choose(chance.unit())),
        };
        let again = chance.chance(repeated).then(|| chance.between(1.0, 1.02));
        self.send_half_open_syn(&half, 512);
        self.count_attack(place);
        self.count_attempt(Attempt::Attacker);
        let answer = self.answer_half_open(half);
        if let Some(wait) = again {
            half.remembered = answer == SynAnswer::Remembered;
            let handle = self.half_open.insert(half);
            self.plan_in(wait, Event::HalfOpen(handle, HalfOpenStep::Repeat));
        }
        answer != SynAnswer::Nothing
    }

    /// The same SYN again: a kernel that remembers it answers once more, another decides anew.
    fn repeat_syn(&mut self, half: HalfOpen) {
        self.send_half_open_syn(&half, 512);
        if let Some(attack) = half.attack {
            self.count_attack(attack);
        }
        if half.remembered {
            let handle = self.half_open.insert(HalfOpen { remembered: false, resets: false, ..half });
            self.plan_in(60e-6, Event::HalfOpen(handle, HalfOpenStep::Answer));
        } else {
            self.answer_half_open(half);
        }
    }

    fn listed_source(&mut self, place: usize, spoofing: Spoofing) -> Option<Address> {
        let chance = &mut self.campaigns[place].chance;
        match spoofing {
            Spoofing::HomeList => self.population.address_at_home(chance),
            Spoofing::KnownList => {
                self.population.familiar_address(chance).or_else(|| self.population.address_at_home(chance))
            }
            Spoofing::Few => self.campaigns[place].host().map(|host| host.address),
            _ => Some(self.raw_bot()),
        }
    }

    fn raw_bot(&mut self) -> Address {
        const MACHINES: u32 = 3_000;
        let country = self.random.zipf(40);
        let number = self.random.below(MACHINES);
        let visitor = Population::robot(country, number);
        match self.population.client(visitor).address {
            address if address.is_ipv4() => address,
            _ => blocks::forged_v4(true, &mut self.random),
        }
    }

    fn answer_half_open(&mut self, mut half: HalfOpen) -> SynAnswer {
        let answer = self.servers[MAIN].on_syn(self.now);
        if answer == SynAnswer::Nothing {
            return answer;
        }
        half.remembered = answer == SynAnswer::Remembered;
        let handle = self.half_open.insert(half);
        let delay = self.random.between(40e-6, 120e-6);
        self.plan_in(delay, Event::HalfOpen(handle, HalfOpenStep::Answer));
        answer
    }

    pub(super) fn on_half_open(&mut self, handle: Handle, step: HalfOpenStep) {
        let Some(half) = self.half_open.get_mut(handle) else { return };
        match step {
            HalfOpenStep::Answer => self.send_answer(handle),
            HalfOpenStep::Reset => {
                let half = *half;
                self.send_reset(&half);
                self.end_half_open(handle);
            }
            HalfOpenStep::Repeat => {
                if let Some(half) = self.half_open.remove(handle) {
                    self.repeat_syn(half);
                }
            }
            HalfOpenStep::Refuse => {
                let half = *half;
                self.send_refusal(&half);
                self.half_open.remove(handle);
            }
        }
    }

    /// Answers at once and, from the SYN queue, again at 1, 3, 7, 15 and 31 s; forgotten at 63 s.
    fn send_answer(&mut self, handle: Handle) {
        let Some(stored) = self.half_open.get_mut(handle) else { return };
        if stored.repeats > SYN_ACK_REPEATS {
            self.end_half_open(handle);
            return;
        }
        let half = *stored;
        stored.repeats += 1;
        let piece = Segment {
            source_port: half.ports.1,
            destination_port: half.ports.0,
            sequence: half.server_isn,
            acknowledgment: half.isn.wrapping_add(1),
            flags: TcpFlags::SYN | TcpFlags::ACK,
            window: 64_240,
            options: Options::of_bare_syn_ack(if half.source.is_ipv4() { 1_460 } else { 1_440 }),
            payload: 0,
            head: &[],
        };
        self.outlet.tcp(self.now, &from_server(&half), &piece);
        if half.resets && half.repeats == 0 {
            let trip = self.random.between(0.04, 0.28);
            self.plan_in(trip, Event::HalfOpen(handle, HalfOpenStep::Reset));
        }
        if half.remembered {
            let wait = f64::from(1_u32 << half.repeats) + self.random.between(0.0, 0.004);
            self.plan_in(wait, Event::HalfOpen(handle, HalfOpenStep::Answer));
        } else if !half.resets {
            self.half_open.remove(handle);
        }
    }

    fn end_half_open(&mut self, handle: Handle) {
        if self.half_open.remove(handle).is_some_and(|half| half.remembered) {
            self.servers[MAIN].forget();
        }
    }

    fn send_half_open_syn(&mut self, half: &HalfOpen, window: u16) {
        let segment = Segment {
            source_port: half.ports.0,
            destination_port: half.ports.1,
            sequence: half.isn,
            acknowledgment: 0,
            flags: TcpFlags::SYN,
            window: half.mimics.map_or(window, System::syn_window),
            options: half.mimics.map_or_else(Options::default, |system| system.syn_options(1_460, half.isn)),
            payload: 0,
            head: &[],
        };
        self.outlet.tcp(self.now, &to_server(half, (half.isn >> 16) as u16), &segment);
    }

    fn send_reset(&mut self, half: &HalfOpen) {
        let segment = Segment {
            source_port: half.ports.0,
            destination_port: half.ports.1,
            sequence: half.isn.wrapping_add(1),
            acknowledgment: 0,
            flags: TcpFlags::RST,
            window: 0,
            options: Options::default(),
            payload: 0,
            head: &[],
        };
        self.outlet.tcp(self.now, &to_server(half, 0), &segment);
        if let Some(attack) = half.attack {
            self.count_attack(attack);
        }
    }

    fn send_refusal(&mut self, half: &HalfOpen) {
        let segment = Segment {
            source_port: half.ports.1,
            destination_port: half.ports.0,
            sequence: 0,
            acknowledgment: half.isn.wrapping_add(1),
            flags: TcpFlags::RST | TcpFlags::ACK,
            window: 0,
            options: Options::default(),
            payload: 0,
            head: &[],
        };
        self.outlet.tcp(self.now, &from_server(half), &segment);
    }

    /// One probe of a scanner at one port of one host; live hosts refuse, all else is silent.
    pub(super) fn on_radiation(&mut self) {
        let rate = self.parameters.radiation * self.parameters.rate;
        if rate <= 0.0 {
            return;
        }
        let wait = self.random.exponential(1.0 / rate);
        self.plan_in(wait, Event::Radiation);
        let number = if self.random.chance(0.2) { 10 } else { self.random.below(256) };
        let Some(target) = self.parameters.host(true, number) else { return };
        let port = blocks::pick(&SCANNED, &mut self.random).unwrap_or(22);
        let half = HalfOpen {
            source: blocks::forged_v4(true, &mut self.random),
            target,
            ports: (self.random.port(32_768, 28_000), port),
            isn: self.random.bits32(),
            server_isn: 0,
            attack: None,
            remembered: false,
            repeats: 0,
            resets: false,
            hop_limit: 230 + low_u8(u64::from(self.random.below(20))),
            mimics: None,
        };
        self.send_half_open_syn(&half, 1_024);
        if [10, 20].contains(&number) {
            let handle = self.half_open.insert(half);
            self.plan_in(60e-6, Event::HalfOpen(handle, HalfOpenStep::Refuse));
        }
    }
}

const fn to_server(half: &HalfOpen, identification: u16) -> Network {
    Network { way: Way::In, source: half.source, destination: half.target, hop_limit: half.hop_limit, identification }
}

const fn from_server(half: &HalfOpen) -> Network {
    Network { way: Way::Out, source: half.target, destination: half.source, hop_limit: 64, identification: 0 }
}
