//! Real public networks by country: random addresses, kept when the registries list them for the country asked for.
//!
//! Nothing is invented: an address that a client uses here is one that `iptocc` attributes to that country, so that
//! what the generator calls foreign is foreign to whoever looks it up in the same table.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::number::low_u32;
use super::random::Random;
use crate::address::Address;
use crate::country::Country;

/// The networks of one country: /24s of IPv4 and /48s of IPv6, in the order in which chance gave them.
#[derive(Clone, Debug, Default)]
pub(super) struct CountryBlocks {
    /// First addresses of /24s.
    pub(super) v4: Vec<u32>,
    /// Upper 64 bits of /48s.
    pub(super) v6: Vec<u64>,
}

/// First 16 bits of the IPv6 space that the registries have handed out, with how many follow (IANA "IPv6 Global Unicast
/// Address Assignments"): drawing from all of 2000::/3 would nearly always miss.
const V6_RANGES: [(u16, u16); 6] = [(0x2001, 1), (0x2400, 16), (0x2600, 16), (0x2800, 8), (0x2a00, 24), (0x2c0f, 1)];

/// How often chance is asked before a country keeps the networks it has: Morocco, with 0.3 % of IPv4, fills 2,000.
const MOST_DRAWS: u32 = 3_000_000;

/// How often chance is asked at least, for the countries abroad.
const LEAST_DRAWS: u32 = 400_000;

/// Networks wanted of home and of each country abroad: /24s and /48s.
const HOME: (usize, usize) = (2_000, 500);
const ABROAD: (usize, usize) = (60, 15);

/// /48s taken of one provider's /32, where a provider was hit: visitors share providers.
const SIBLINGS: u64 = 16;

/// Finds networks of `home` and of the foreign countries, the latter fewer each.
pub(super) fn find(home: Country, foreign: &[Country], random: &mut Random) -> (CountryBlocks, Vec<CountryBlocks>) {
    let mut places = vec![None; Country::COUNT];
    for (place, country) in std::iter::once(&home).chain(foreign).enumerate() {
        places[country.index()] = Some(place);
    }
    let mut blocks = vec![CountryBlocks::default(); foreign.len() + 1];
    for draw in 0..MOST_DRAWS {
        draw_v4(&places, &mut blocks, random);
        draw_v6(&places, &mut blocks, random);
        if draw >= LEAST_DRAWS && blocks[0].v4.len() >= HOME.0 && blocks[0].v6.len() >= HOME.1 {
            break;
        }
    }
    let abroad = blocks.split_off(1);
    (blocks.swap_remove(0), abroad)
}

/// First 16 bits of networks that hosting providers rent machines in: OVH, Hetzner, DigitalOcean, Scaleway, Linode.
const RENTED: [[u8; 2]; 14] = [
    [51, 254],
    [54, 36],
    [54, 37],
    [5, 9],
    [88, 99],
    [95, 216],
    [104, 131],
    [138, 68],
    [159, 65],
    [165, 227],
    [51, 15],
    [163, 172],
    [172, 104],
    [139, 162],
];

/// Returns networks of hosting providers, sixteen of each.
pub(super) fn rented() -> CountryBlocks {
    let networks = RENTED.iter().flat_map(|[high, low]| (0..16_u8).map(move |n| [*high, *low, n * 16 + 3, 0]));
    CountryBlocks { v4: networks.map(u32::from_be_bytes).collect(), v6: Vec::new() }
}

/// Returns an address of a content network (104.16.0.0/13, Cloudflare): the front of so many sites.
pub(super) fn proxy(number: u32) -> Address {
    Address::v4((0x6810_0000 | ((number % 8) << 16) | (10 + number)).to_be_bytes())
}

/// Tells whether a country has IPv4 networks at all.
pub(super) fn has_networks(country: Country) -> bool {
    let (home, _) = find(country, &[], &mut Random::new(0));
    !home.v4.is_empty()
}

fn draw_v4(places: &[Option<usize>], blocks: &mut [CountryBlocks], random: &mut Random) {
    let network = random.bits32() & !0xff;
    let Some(place) = country_of_v4(network).and_then(|country| places[country.index()]) else { return };
    let wanted = if place == 0 { HOME.0 } else { ABROAD.0 };
    if blocks[place].v4.len() < wanted {
        blocks[place].v4.push(network);
    }
}

fn draw_v6(places: &[Option<usize>], blocks: &mut [CountryBlocks], random: &mut Random) {
    let network = random_v6(random);
    let Some(country) = country_of_v6(network) else { return };
    let Some(place) = places[country.index()] else { return };
    let wanted = if place == 0 { HOME.1 } else { ABROAD.1 };
    for sibling in 0..SIBLINGS {
        let network = network ^ sibling << 16;
        if blocks[place].v6.len() < wanted && country_of_v6(network) == Some(country) {
            blocks[place].v6.push(network);
        }
    }
}

fn random_v6(random: &mut Random) -> u64 {
    let total: u32 = V6_RANGES.iter().map(|(_, count)| u32::from(*count)).sum();
    let mut place = random.below(total);
    for (first, count) in V6_RANGES {
        if place < u32::from(count) {
            let top = u64::from(u32::from(first) + place);
            return top << 48 | u64::from(random.bits32()) << 16;
        }
        place -= u32::from(count);
    }
    0
}

/// Returns the country of a whole /24: the same at both ends.
fn country_of_v4(network: u32) -> Option<Country> {
    let first = iptocc::country_code(Ipv4Addr::from(network))?;
    let last = iptocc::country_code(Ipv4Addr::from(network | 0xff))?;
    (first == last).then(|| parse(first))
}

/// Returns the country of a whole /48: the same at both ends.
fn country_of_v6(network: u64) -> Option<Country> {
    let first = iptocc::country_code(Ipv6Addr::from(u128::from(network) << 64))?;
    let last = iptocc::country_code(Ipv6Addr::from(u128::from(network | 0xffff) << 64))?;
    (first == last).then(|| parse(first))
}

/// Returns the country `iptocc` gives for an address.
pub(super) fn country_of(address: Address) -> Country {
    iptocc::country_code(address.to_ip()).map_or(Country::UNKNOWN, parse)
}

fn parse(code: &str) -> Country {
    code.parse().unwrap_or(Country::UNKNOWN)
}

/// Returns a host of a /24, neither its first nor its last address.
pub(super) fn host_v4(network: u32, random: &mut Random) -> Address {
    Address::v4((network | (1 + random.below(254))).to_be_bytes())
}

/// Returns a host of a /48: some /64, some interface identifier (RFC 8981).
pub(super) fn host_v6(network: u64, random: &mut Random) -> Address {
    let subnet = network | (random.bits() & 0xffff);
    Address::from_u128(u128::from(subnet) << 64 | u128::from(random.bits() | 1 << 40))
}

/// Countries by what an `iptocc`-listed source abroad most likely is, and their round trip from western Europe in
/// milliseconds: large eyeball and hosting countries of all continents.
pub(super) const WORLD: [(&str, u32); 61] = [
    ("BE", 18),
    ("CH", 20),
    ("DE", 22),
    ("GB", 22),
    ("ES", 30),
    ("IT", 32),
    ("US", 105),
    ("MA", 52),
    ("FR", 12),
    ("CA", 110),
    ("LU", 16),
    ("PT", 40),
    ("NL", 20),
    ("DZ", 58),
    ("TN", 50),
    ("SN", 95),
    ("CI", 110),
    ("PL", 38),
    ("RO", 48),
    ("SE", 40),
    ("BR", 200),
    ("TR", 62),
    ("IE", 32),
    ("AT", 30),
    ("DK", 34),
    ("NO", 42),
    ("FI", 48),
    ("CZ", 34),
    ("GR", 55),
    ("HU", 42),
    ("RU", 65),
    ("UA", 58),
    ("IN", 150),
    ("CN", 220),
    ("JP", 240),
    ("KR", 250),
    ("AU", 290),
    ("ZA", 170),
    ("EG", 75),
    ("IL", 68),
    ("SA", 110),
    ("AE", 125),
    ("MX", 150),
    ("AR", 230),
    ("CO", 180),
    ("CL", 220),
    ("VN", 230),
    ("TH", 220),
    ("ID", 230),
    ("SG", 190),
    ("MY", 210),
    ("PH", 240),
    ("HK", 210),
    ("TW", 240),
    ("PK", 160),
    ("BD", 180),
    ("NG", 120),
    ("KE", 170),
    ("BG", 50),
    ("RS", 46),
    ("LT", 44),
];

/// Where robotic surges come from first: countries whose hosting or infected networks lead such lists.
pub(super) const ROBOTIC: [&str; 10] = ["RU", "US", "NL", "CN", "BR", "ID", "VN", "IN", "DE", "SG"];

/// Returns all countries but home, the likeliest first.
pub(super) fn abroad(home: Country) -> Vec<(Country, f64)> {
    WORLD
        .iter()
        .map(|(code, milliseconds)| (parse(code), f64::from(*milliseconds) / 1_000.0))
        .filter(|(country, _)| *country != home)
        .collect()
}

/// Returns `count` countries a robotic surge comes from.
pub(super) fn robotic(home: Country, count: usize) -> Vec<Country> {
    let mut countries: Vec<Country> = ROBOTIC.iter().map(|code| parse(code)).collect();
    for (country, _) in abroad(home).iter().rev() {
        if !countries.contains(country) {
            countries.push(*country);
        }
    }
    countries.retain(|country| *country != home);
    countries.truncate(count);
    countries
}

/// Returns a random IPv4 address of all 2^32, reserved space included, or of public space only.
pub(super) fn forged_v4(public_only: bool, random: &mut Random) -> Address {
    loop {
        let number = random.bits32();
        if !public_only || !is_reserved(Ipv4Addr::from(number)) {
            return Address::v4(number.to_be_bytes());
        }
    }
}

/// Returns a random IPv6 address of 2000::/3.
pub(super) fn forged_v6(random: &mut Random) -> Address {
    let top = random.bits() & 0x1fff_ffff_ffff_ffff | 0x2000_0000_0000_0000;
    Address::from_u128(u128::from(top) << 64 | u128::from(random.bits()))
}

/// Tells whether no host on the Internet has this address (IANA IPv4 Special-Purpose Address Registry).
pub(super) const fn is_reserved(address: Ipv4Addr) -> bool {
    let [a, b, ..] = address.octets();
    matches!(a, 0 | 10 | 127 | 224..=255)
        || (a == 100 && b >= 64 && b < 128)
        || (a == 172 && b >= 16 && b < 32)
        || (a == 192 && b == 168)
        || (a == 169 && b == 254)
        || (a == 198 && (b == 18 || b == 19))
        || address.is_documentation()
}

/// Picks one of several.
pub(super) fn pick<T: Copy>(items: &[T], random: &mut Random) -> Option<T> {
    items.get(random.below(low_u32(items.len() as u64)) as usize).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_where_they_are_said_to_be() {
        for home in ["FR", "MA"] {
            let home: Country = home.parse().unwrap();
            let foreign: Vec<Country> = abroad(home).iter().map(|(country, _)| *country).collect();
            let mut random = Random::new(11);
            let (own, others) = find(home, &foreign, &mut random);
            eprintln!("{home}: {} /24s, {} /48s", own.v4.len(), own.v6.len());
            assert!(own.v4.len() >= 1_000 && own.v6.len() >= 50, "{home}");
            for (country, blocks) in std::iter::once((&home, &own)).chain(foreign.iter().zip(&others)) {
                assert!(blocks.v4.len() >= 5, "{country}: {}", blocks.v4.len());
                for network in &blocks.v4 {
                    assert_eq!(country_of(host_v4(*network, &mut random)), *country);
                }
                for network in &blocks.v6 {
                    assert_eq!(country_of(host_v6(*network, &mut random)), *country);
                }
            }
        }
    }

    #[test]
    fn forged_addresses_hit_reserved_space_as_often_as_it_is_large() {
        let mut random = Random::new(12);
        let reserved = (0..100_000).filter(|_| is_reserved(forged_v4(false, &mut random).to_ipv4().unwrap())).count();
        // DETECTION 2.4: 592.7 M of 4,295 M addresses.
        assert!((13_300..14_300).contains(&reserved), "{reserved}");
        assert!((0..10_000).all(|_| !is_reserved(forged_v4(true, &mut random).to_ipv4().unwrap())));
    }

    #[test]
    fn no_robot_comes_from_home() {
        for home in ["FR", "RU"] {
            let home: Country = home.parse().unwrap();
            for count in [1, 10, 60] {
                let countries = robotic(home, count);
                assert_eq!(countries.len(), count);
                assert!(!countries.contains(&home));
            }
        }
    }
}
