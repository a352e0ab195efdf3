//! Who visits: homes, schools behind one address, phones behind carrier-grade NAT, visitors from abroad, robots.
//!
//! A [`Visitor`] is a few numbers from which everything else about him follows by mixing them with the seed: the same
//! visitor always has the same address, system and distance, and nobody has to be remembered.

use super::blocks::{self, CountryBlocks};
use super::number::{floor_u64, low_u32, nanos};
use super::parameters::Parameters;
use super::random::{Random, split_mix};
use super::stack::System;
use crate::address::Address;
use crate::country::Country;

/// What part of the public a visitor belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stratum {
    /// A household with an address, or a /64, of its own.
    Residential,
    /// Pupils behind one school's address.
    School,
    /// Phones behind the shared addresses of a carrier.
    Mobile,
    /// A person abroad; the number is the country's place.
    Abroad(u8),
    /// A machine abroad; the number is the country's place.
    Robot(u8),
    /// A machine at home.
    HomeRobot,
    /// A rented machine in a provider's data centre.
    Rented,
}

/// Where a machine stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    /// At home.
    Home,
    /// Abroad, by its country's place.
    Abroad(u32),
    /// In a hosting provider's data centre.
    Rented,
}

impl Stratum {
    const fn is_machine(self) -> bool {
        matches!(self, Self::Robot(_) | Self::HomeRobot | Self::Rented)
    }
}

/// Someone who visits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visitor {
    stratum: Stratum,
    /// Which household, school, carrier address or machine.
    place: u32,
    /// Which person there.
    person: u32,
}

/// What of a visitor shows on the wire.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client {
    /// His public address.
    pub(super) address: Address,
    /// His TCP stack.
    pub(super) system: System,
    /// Round trip from the mirror port to him and back, in nanoseconds.
    pub(super) round_trip: u64,
    /// Share of packets lost between him and the mirror port, each way.
    pub(super) loss: f64,
    /// Hop limit as his packets arrive.
    pub(super) hop_limit: u8,
    /// Largest segment his path carries.
    pub(super) mss: u16,
}

/// All who may visit.
#[derive(Debug)]
pub(super) struct Population {
    seed: u64,
    home: CountryBlocks,
    abroad: Vec<Place>,
    rented: CountryBlocks,
    ipv6_share: f64,
    has_v4: bool,
    home_share: f64,
    path_loss: f64,
    elasticity: f64,
    revisits: (f64, f64),
    /// Of schools and of phones in visits from home; the rest are households.
    shares: (f64, f64),
    is_fronted: bool,
    households: u32,
    schools: u32,
    carriers: u32,
    newcomers: u32,
}

#[derive(Debug)]
struct Place {
    country: Country,
    round_trip: f64,
    blocks: CountryBlocks,
}

/// How much larger the share of schools is in a crowd.
const SCHOOLS_IN_CROWD: f64 = 1.4;

/// Addresses of a content network that everybody comes through.
const PROXIES: u32 = 16;

impl Population {
    pub(super) fn new(parameters: &Parameters, random: &mut Random) -> Self {
        let countries = blocks::abroad(parameters.home);
        let names: Vec<Country> = countries.iter().map(|(country, _)| *country).collect();
        let (home, others) = blocks::find(parameters.home, &names, random);
        let abroad = countries
            .into_iter()
            .zip(others)
            .filter(|(_, blocks)| !blocks.v4.is_empty())
            .map(|((country, round_trip), blocks)| Place { country, round_trip, blocks })
            .collect();
        // Schools and phones behind NAT have IPv4 only and mostly so; households make up for them.
        let dual = (1.0 - parameters.school_share - parameters.mobile_share / 2.0) * parameters.home_share
            + (1.0 - parameters.home_share);
        Self {
            seed: random.bits(),
            home,
            abroad,
            rented: blocks::rented(),
            ipv6_share: if parameters.has_v6() { (parameters.ipv6_share / dual).min(1.0) } else { 0.0 },
            has_v4: parameters.has_v4(),
            home_share: parameters.home_share,
            path_loss: parameters.path_loss,
            elasticity: parameters.elasticity,
            revisits: parameters.revisits,
            shares: (parameters.school_share, parameters.mobile_share),
            is_fronted: parameters.fronted,
            households: low_u32(floor_u64(parameters.rate * 300.0)).max(1_000),
            schools: low_u32(floor_u64(parameters.rate * 2.0)).clamp(20, 2_000),
            carriers: 256,
            newcomers: 0,
        }
    }

    /// Draws an ordinary visitor; in a crowd more are new, more are pupils, and fewer come from abroad.
    pub(super) fn visitor(&mut self, crowd: bool, random: &mut Random) -> Visitor {
        // People abroad join a rush at home too, more or less eagerly.
        let abroad = (1.0 - self.home_share) * if crowd { self.elasticity } else { 1.0 };
        if random.chance(abroad) && !self.abroad.is_empty() {
            let country = random.zipf(low_u32(self.abroad.len() as u64));
            return self.foreigner(country, crowd, random);
        }
        let (schools, mobile) = self.shares;
        let schools = if crowd { (schools * SCHOOLS_IN_CROWD).min(1.0) } else { schools };
        let choice = random.unit();
        if choice < schools {
            let place = random.zipf(self.schools);
            return Visitor { stratum: Stratum::School, place, person: random.below(self.pupils(place)) };
        }
        if choice < schools + mobile {
            let place = random.zipf(self.carriers);
            return Visitor { stratum: Stratum::Mobile, place, person: random.below(2_000) };
        }
        Visitor { stratum: Stratum::Residential, place: self.rank(crowd, random), person: random.below(3) }
    }

    /// Draws a person from abroad: of one country, by its place.
    pub(super) fn foreigner(&mut self, country: u32, crowd: bool, random: &mut Random) -> Visitor {
        let stratum = Stratum::Abroad((country & 0xff) as u8);
        // A tenth of the visits come from offices and schools abroad, many people behind an address.
        let place = if random.chance(0.1) { random.zipf(40) } else { 1_000 + self.rank(crowd, random) };
        Visitor { stratum, place, person: random.below(if place < 1_000 { 200 } else { 3 }) }
    }

    /// Returns a robot by its country's place and its number.
    pub(super) const fn robot(country: u32, number: u32) -> Visitor {
        Visitor { stratum: Stratum::Robot((country & 0xff) as u8), place: number, person: 0 }
    }

    /// Returns a machine by where it stands and its number.
    pub(super) const fn machine(stand: Stand, number: u32) -> Visitor {
        let stratum = match stand {
            Stand::Home => Stratum::HomeRobot,
            Stand::Abroad(country) => Stratum::Robot((country & 0xff) as u8),
            Stand::Rented => Stratum::Rented,
        };
        Visitor { stratum, place: number, person: 0 }
    }

    /// Returns what shows of a machine of the family wanted, if its networks have it.
    pub(super) fn machine_of(&self, stand: Stand, number: u32, ipv4: bool) -> Client {
        let mut client = self.client(Self::machine(stand, number));
        if client.address.is_ipv4() != ipv4 {
            let mut site = Random::new(split_mix(self.seed ^ 0x3ac_0000) ^ u64::from(number));
            let blocks = self.blocks_of(stand);
            client.address = match (ipv4, blocks.v4.is_empty(), blocks.v6.is_empty()) {
                (true, false, _) => blocks::host_v4(blocks.v4[site.index(blocks.v4.len())], &mut site),
                (false, _, false) => blocks::host_v6(blocks.v6[site.index(blocks.v6.len())], &mut site),
                (true, true, _) => blocks::forged_v4(true, &mut site),
                (false, _, true) => blocks::forged_v6(&mut site),
            };
        }
        client
    }

    fn blocks_of(&self, stand: Stand) -> &CountryBlocks {
        match stand {
            Stand::Home => &self.home,
            Stand::Rented => &self.rented,
            // Every number names some country: there are fewer than 256.
            Stand::Abroad(place) => &self.abroad[place as usize % self.abroad.len()].blocks,
        }
    }

    /// Returns the addresses that everybody comes through, if there are such.
    pub(super) fn proxies(&self) -> Vec<Address> {
        if self.is_fronted { (0..PROXIES).map(blocks::proxy).collect() } else { Vec::new() }
    }

    /// Returns how many countries abroad there are.
    pub(super) fn countries_abroad(&self) -> u32 {
        low_u32(self.abroad.len() as u64)
    }

    /// Returns some IPv4 address of home's networks, in use or not.
    pub(super) fn address_at_home(&self, random: &mut Random) -> Option<Address> {
        let network = *self.home.v4.get(random.index(self.home.v4.len()))?;
        Some(blocks::host_v4(network, random))
    }

    /// Returns the IPv4 address of someone who comes often, if he has one.
    pub(super) fn familiar_address(&self, random: &mut Random) -> Option<Address> {
        let visitor = if random.chance(0.4) {
            Visitor { stratum: Stratum::Mobile, place: random.zipf(self.carriers), person: 0 }
        } else {
            Visitor { stratum: Stratum::Residential, place: random.zipf(self.households), person: 0 }
        };
        Some(self.client(visitor).address).filter(|address| address.is_ipv4())
    }

    /// Returns the place of a country, if clients from there exist.
    pub(super) fn place_of(&self, country: Country) -> Option<u32> {
        self.abroad.iter().position(|place| place.country == country).map(|place| low_u32(place as u64))
    }

    fn rank(&mut self, crowd: bool, random: &mut Random) -> u32 {
        if random.chance(if crowd { self.revisits.1 } else { self.revisits.0 }) {
            return random.zipf(self.households);
        }
        self.newcomers += 1;
        self.households + self.newcomers
    }

    /// Returns how many people share a school's address: 50 to 2,000, few of them large.
    fn pupils(&self, school: u32) -> u32 {
        let mut own = Random::new(split_mix(self.seed ^ 0x5c00) ^ u64::from(school));
        low_u32(floor_u64(own.bounded_pareto(50.0, 2_000.0, 1.1)))
    }

    /// Returns what of a visitor shows on the wire.
    pub(super) fn client(&self, visitor: Visitor) -> Client {
        let tag = match visitor.stratum {
            Stratum::Residential => 1,
            Stratum::School => 2,
            Stratum::Mobile => 3,
            Stratum::Abroad(place) => 0x100 | u64::from(place),
            Stratum::Robot(place) => 0x200 | u64::from(place),
            Stratum::HomeRobot => 4,
            Stratum::Rented => 5,
        };
        let key = split_mix(self.seed ^ (tag << 40) ^ u64::from(visitor.place));
        let mut site = Random::new(key);
        let mut person = Random::new(key ^ (u64::from(visitor.person) + 1) << 32);
        let (blocks, nearest) = match visitor.stratum {
            Stratum::Abroad(place) | Stratum::Robot(place) => {
                // Every number names some country: there are fewer than 256.
                let place = &self.abroad[usize::from(place) % self.abroad.len()];
                (&place.blocks, place.round_trip)
            }
            Stratum::Mobile => (&self.home, 0.045),
            Stratum::Residential | Stratum::School | Stratum::HomeRobot => (&self.home, 0.016),
            Stratum::Rented => (&self.rented, 0.03),
        };
        let address = self.address(visitor.stratum, blocks, &mut site);
        debug_assert!(blocks::country_of(address).is_known(), "{address} is in no country");
        let system = self.system(visitor.stratum, &mut person);
        let spread = if visitor.stratum.is_machine() { 0.1 } else { 0.35 };
        let round_trip = site.log_normal(nearest, spread).clamp(0.003, 0.6);
        let hops = 8 + (site.bits() & 7) as u8 + if matches!(visitor.stratum, Stratum::Abroad(_)) { 4 } else { 0 };
        let mobile = matches!(visitor.stratum, Stratum::Mobile);
        let reach = if mobile { 3.0 } else { 1.0 };
        let address = if self.is_fronted { blocks::proxy(site.below(PROXIES)) } else { address };
        let (round_trip, hops) = if self.is_fronted { (0.004, 4) } else { (round_trip, hops) };
        Client {
            address,
            system,
            round_trip: nanos(round_trip),
            // Most paths lose little; a few, phones first, lose some per cent of their packets.
            loss: (site.log_normal(self.path_loss * reach * 0.6, 0.8)).min(0.05),
            hop_limit: system.hop_limit() - hops,
            mss: match (address.is_ipv4(), mobile) {
                (true, false) => 1_460,
                (true, true) => 1_400,
                (false, _) => 1_420,
            },
        }
    }

    fn address(&self, stratum: Stratum, blocks: &CountryBlocks, site: &mut Random) -> Address {
        let shared = match stratum {
            Stratum::School => true,
            // Half of the phones have no IPv6.
            Stratum::Mobile => site.chance(0.5),
            _ => false,
        };
        let wants_v6 = !shared && site.chance(self.ipv6_share);
        if (wants_v6 || !self.has_v4) && !blocks.v6.is_empty() {
            let network = blocks.v6[site.zipf(low_u32(blocks.v6.len() as u64)) as usize];
            return blocks::host_v6(network, site);
        }
        let count = low_u32(blocks.v4.len() as u64);
        let place = match stratum {
            // A carrier's pool is a few networks, and schools lie anywhere; households follow their providers' size.
            Stratum::Mobile => count.saturating_sub(1 + site.below(8)),
            Stratum::School | Stratum::Robot(_) | Stratum::HomeRobot | Stratum::Rented => site.below(count),
            Stratum::Residential | Stratum::Abroad(_) => site.zipf(count),
        };
        blocks::host_v4(blocks.v4[place.min(count.saturating_sub(1)) as usize], site)
    }

    fn system(&self, stratum: Stratum, person: &mut Random) -> System {
        match stratum {
            Stratum::Robot(_) | Stratum::HomeRobot | Stratum::Rented => System::OldLinux,
            Stratum::Mobile if person.chance(0.45) => System::Apple,
            Stratum::Mobile => System::OldLinux,
            Stratum::School if person.chance(0.8) => System::Windows,
            _ => System::choose(person.unit()),
        }
    }
}
