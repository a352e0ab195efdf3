//! Hostile traffic: when an attack strikes, from where, and which hand does it.
//!
//! Attackers here follow the habits of real tools and know nothing of how they are looked for. Each attack has a stream
//! of chance of its own, so that the same people come whether it takes place or not.

mod datagrams;
mod intrusion;
mod probes;
mod reflected;
mod strays;

pub(super) use intrusion::{DESKTOP, FILE_HOST, LOGIN_HOST};

use super::blocks;
use super::connection::Role;
use super::number::{floor_u64, low_u8, low_u32};
use super::parameters::{Geography, Parameters, Spoofing};
use super::plan::Attack;
use super::population::{Client, Population, Stand};
use super::random::{Random, split_mix};
use super::technique::{Stray, Sweep, Technique};
use super::world::{Event, MAIN, World};
use crate::address::Address;
use crate::country::Country;

/// What an attack remembers.
#[derive(Debug)]
pub(super) struct Campaign {
    /// Its own chance.
    pub(super) chance: Random,
    /// Machines it uses, where they are few or chosen beforehand.
    pub(super) hosts: Vec<Client>,
    /// How often it struck.
    pub(super) strikes: u32,
    /// A port and a size that it keeps to.
    port: u16,
    size: u16,
    /// SYNs of the current second, and how many of them were answered: what an attacker who looks would see.
    looked: (u32, u32),
}

impl Campaign {
    pub(super) fn new(place: usize, attack: &Attack, parameters: &Parameters, population: &Population) -> Self {
        let mut chance = Random::new(split_mix(parameters.seed ^ 0xa77a_c000 ^ place as u64));
        let wanted = attack.machines(parameters, &mut chance);
        let ipv4 = attack.is_v4(parameters);
        let hosts = (0..wanted).map(|number| {
            let stand = attack.stand(population, number, &mut chance);
            population.machine_of(stand, number + 1_000 * low_u32(place as u64), ipv4)
        });
        let hosts = hosts.collect();
        Self {
            hosts,
            strikes: 0,
            port: blocks::pick(&[80, 443, 53, 3_074, 27_015, 8_443, 22_000], &mut chance).unwrap_or(80),
            size: blocks::pick(&[64, 512, 1_024, 1_400], &mut chance).unwrap_or(512),
            looked: (0, 0),
            chance,
        }
    }

    /// Returns one of its machines.
    pub(super) fn host(&mut self) -> Option<Client> {
        let place = self.chance.index(self.hosts.len());
        self.hosts.get(place).copied()
    }
}

impl Attack {
    /// Tells whether it is over IPv4.
    pub(super) fn is_v4(&self, parameters: &Parameters) -> bool {
        if self.technique.can_be_forged() { self.spoofing != Spoofing::Ipv6 } else { parameters.has_v4() }
    }

    /// Tells whether its packets carry addresses that are not their senders'.
    pub(super) const fn is_forged(&self) -> bool {
        self.technique.can_be_forged() && !matches!(self.spoofing, Spoofing::RawBots | Spoofing::Few)
    }

    /// Tells whether its sources complete handshakes.
    pub(super) const fn is_verified(&self) -> bool {
        matches!(
            self.technique,
            Technique::ForeignSurge
                | Technique::RoboticSurge
                | Technique::Exhaustion(_)
                | Technique::BruteForce(_)
                | Technique::CredentialStuffing
                | Technique::Exfiltration(_)
                | Technique::NewOutbound
                | Technique::Beacon
        )
    }

    /// Returns how many machines it chooses beforehand.
    fn machines(&self, parameters: &Parameters, chance: &mut Random) -> u32 {
        let usual = match self.technique {
            _ if self.is_forged() => 0,
            Technique::Amplification(_) => 400 + chance.below(2_600),
            Technique::FlagFlood(Stray::SynAck) => 800 + chance.below(3_000),
            Technique::FlagFlood(Stray::Middlebox) => 200 + chance.below(1_300),
            Technique::EchoReplyFlood => 500 + chance.below(1_500),
            Technique::Exhaustion(_) => 20 + chance.below(100),
            Technique::PortScan(_)
            | Technique::HostSweep(_)
            | Technique::BruteForce(_)
            | Technique::Exfiltration(_)
            | Technique::NewOutbound
            | Technique::Beacon => 1,
            Technique::CredentialStuffing => low_u32(floor_u64(self.rate * (self.end - self.start) / 2.0)).max(20),
            Technique::ForeignSurge | Technique::RoboticSurge => 0,
            _ if self.spoofing == Spoofing::Few => 3 + chance.below(10),
            _ => 0,
        };
        if usual > 0 { parameters.attackers.unwrap_or(usual) } else { 0 }
    }

    /// Returns where one of its machines stands.
    fn stand(&self, population: &Population, number: u32, chance: &mut Random) -> Stand {
        let abroad = |turn: u32| {
            let country = self.countries.get(turn as usize % self.countries.len().max(1));
            country.and_then(|country| population.place_of(*country)).map_or(Stand::Rented, Stand::Abroad)
        };
        match (self.technique, self.geography) {
            // Open services are everywhere: the attacker does not choose where.
            (
                Technique::Amplification(_)
                | Technique::FlagFlood(Stray::SynAck | Stray::Middlebox)
                | Technique::EchoReplyFlood,
                _,
            ) => {
                if chance.chance(0.04) {
                    Stand::Home
                } else {
                    Stand::Abroad(chance.below(population.countries_abroad()))
                }
            }
            (_, Geography::Abroad) => abroad(number),
            (_, Geography::Home) => Stand::Home,
            (_, Geography::Mixed) if number.is_multiple_of(2) => Stand::Home,
            (_, Geography::Mixed) => abroad(number / 2),
            (_, Geography::Hosting) => Stand::Rented,
        }
    }
}

impl World<'_> {
    /// Lets an attack strike, and plans the next strike.
    pub(super) fn on_attack(&mut self, place: usize) {
        let plan = self.plan;
        let attack = &plan.attacks[place];
        let at = self.at();
        if at >= attack.end {
            return;
        }
        if let Some(later) = attack.resumes_at(at) {
            self.plan_in((later - at).max(0.000_1), Event::Attack(place));
            return;
        }
        let packets = self.strike(place, attack);
        // Tools send at a steady pace with some jitter.
        let wait = match attack.technique {
            Technique::SynFlood | Technique::ForeignSurge => self.random.between(0.5, 1.5) / attack.rate_at(at),
            Technique::Beacon => self.wait_of_a_beacon(place),
            _ => self.campaigns[place].chance.between(0.5, 1.5) * f64::from(packets.max(1)) / attack.rate_at(at),
        };
        self.plan_in(wait, Event::Attack(place));
    }

    /// Strikes once; returns how many of the rate's units that was.
    fn strike(&mut self, place: usize, attack: &Attack) -> u32 {
        match attack.technique {
            Technique::SynFlood => self.send_flood_syn(place, attack.spoofing),
            Technique::PatientSynFlood => return self.strike_patiently(place, attack),
            Technique::ForeignSurge | Technique::RoboticSurge | Technique::CredentialStuffing => {
                self.open_robot(place, attack);
            }
            Technique::UdpFlood => self.send_datagram_of(place, attack),
            Technique::QuicFlood => self.send_initial(place, attack),
            Technique::TunnelFlood => self.send_tunnel(place, attack),
            Technique::Amplification(service) => return self.reflect(place, service),
            Technique::EchoFlood => self.send_echo(place, attack),
            Technique::EchoReplyFlood => self.send_echo_reply(place),
            Technique::FragmentFlood => self.send_orphan(place, attack),
            Technique::FlagFlood(Stray::SynAck) => self.reflect_syn_ack(place),
            Technique::FlagFlood(Stray::Middlebox) => return self.reflect_page(place),
            Technique::FlagFlood(stray) => self.send_stray(place, attack, stray),
            Technique::CarpetBombing(carpet) => self.send_carpet(place, attack, carpet),
            Technique::Exhaustion(holding) => self.hold(place, holding),
            Technique::PortScan(probe) => self.probe_port(place, probe),
            Technique::HostSweep(Sweep::Outwards) => self.probe_outside(place),
            Technique::HostSweep(sweep) => self.probe_host(place, sweep),
            Technique::BruteForce(login) => self.try_login(place, login),
            Technique::Exfiltration(theft) => return self.steal(place, attack, theft),
            Technique::NewOutbound => return self.call_out(place),
            Technique::Beacon => self.call_home(place),
        }
        1
    }

    /// Returns the address a packet of an attack claims, and the hop limit it arrives with.
    fn claimed(&mut self, place: usize, attack: &Attack) -> Option<(Address, u8)> {
        let campaign = &mut self.campaigns[place];
        let chance = &mut campaign.chance;
        let address = match attack.spoofing {
            Spoofing::Random => blocks::forged_v4(false, chance),
            Spoofing::BogonFiltered => blocks::forged_v4(true, chance),
            Spoofing::Ipv6 => blocks::forged_v6(chance),
            Spoofing::HomeList => self.population.address_at_home(chance)?,
            Spoofing::KnownList => {
                self.population.familiar_address(chance).or_else(|| self.population.address_at_home(chance))?
            }
            Spoofing::Few => return campaign.host().map(|host| (host.address, host.hop_limit)),
            Spoofing::RawBots => {
                const MACHINES: u32 = 3_000;
                let (number, country) = (chance.below(MACHINES), chance.zipf(40));
                let client = self.population.machine_of(Stand::Abroad(country), number, true);
                return Some((client.address, client.hop_limit));
            }
        };
        // Few senders, so few distances, whatever the addresses claim.
        let hop_limit = 49 + low_u8(u64::from(chance.below(4)));
        Some((address, hop_limit))
    }

    /// Returns the web server's address of the family an attack uses.
    fn victim(&self, attack: &Attack) -> Option<Address> {
        self.servers[MAIN].address(attack.is_v4(self.parameters))
    }

    /// Opens a look-alike connection: machines take turns, so that each is as busy as the next.
    fn open_robot(&mut self, place: usize, attack: &Attack) {
        let role = Role::Robot { attack: low_u8(place as u64) };
        if attack.technique == Technique::CredentialStuffing {
            let campaign = &mut self.campaigns[place];
            let number = campaign.chance.index(campaign.hosts.len());
            let stand = attack.stand(&self.population, low_u32(number as u64), &mut campaign.chance);
            self.open(Population::machine(stand, low_u32(number as u64)), MAIN, role);
            return;
        }
        let machines = low_u32(floor_u64(attack.rate * 4.0)).max(60);
        let turn = self.campaigns[place].strikes;
        self.campaigns[place].strikes = turn.wrapping_add(1);
        let number = (turn + self.random.below(3)) % machines;
        if attack.geography != Geography::Abroad {
            let stand = attack.stand(&self.population, number, &mut self.campaigns[place].chance);
            self.open(Population::machine(stand, number), MAIN, role);
            return;
        }
        let wanted = attack.countries.get(number as usize % attack.countries.len().max(1));
        let Some(country) = wanted.and_then(|country| self.population.place_of(*country)) else { return };
        self.open(Population::robot(country, number), MAIN, role);
    }

    /// Returns where an attack's machines are registered, the most first.
    pub(super) fn origins_of(&self, place: usize, attack: &Attack) -> Vec<Country> {
        let home = self.parameters.home;
        match (attack.technique, attack.geography) {
            _ if attack.is_forged() => Vec::new(),
            (Technique::ForeignSurge | Technique::RoboticSurge | Technique::CredentialStuffing, geography) => {
                match geography {
                    Geography::Abroad => attack.countries.clone(),
                    Geography::Home => vec![home],
                    Geography::Mixed => std::iter::once(home).chain(attack.countries.iter().copied()).collect(),
                    Geography::Hosting => {
                        countries_of(blocks::rented().v4.iter().map(|network| Address::v4(network.to_be_bytes())))
                    }
                }
            }
            _ => countries_of(self.campaigns[place].hosts.iter().map(|host| host.address)),
        }
    }
}

/// Returns the countries of addresses, the most frequent first.
fn countries_of(addresses: impl Iterator<Item = Address>) -> Vec<Country> {
    let mut counts: Vec<(Country, u32)> = Vec::new();
    for country in addresses.map(blocks::country_of).filter(|country| country.is_known()) {
        match counts.iter_mut().find(|(known, _)| *known == country) {
            Some((_, count)) => *count += 1,
            None => counts.push((country, 1)),
        }
    }
    counts.sort_by_key(|(country, count)| (std::cmp::Reverse(*count), country.index()));
    counts.into_iter().map(|(country, _)| country).collect()
}
