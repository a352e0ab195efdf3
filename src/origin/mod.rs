//! Where an address is registered: country by prefix overrides, a MaxMind-format file or the embedded table; autonomous
//! system by a MaxMind-format file. Of a system only the number is read: its name would be a text of a stranger's choice.
//!
//! Immutable after load, shared by all threads, swapped whole. Registration is not location, so texts say "registered
//! in". Private, reserved and unlisted space is [`Country::UNKNOWN`], which is never foreign. What an origin means for a
//! verdict is not known here.
//!
//! The embedded table is that of the crate `iptocc`: the delegation statistics of the five regional registries, 1.3 MB,
//! nothing to load. Measured beside the other tables that may be redistributed it answers 99.97 % of routed IPv4 space.

mod home;
mod mmdb;
mod prefix_map;
mod reserved;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

pub use home::{Home, Overseas};
use mmdb::{AsnFile, CountryFile};
use prefix_map::PrefixMap;

use crate::address::{Address, Prefix};
use crate::country::Country;

/// What the embedded table is called where users see it.
const EMBEDDED: &str = "registry delegations (iptocc 1.4.175, embedded)";

/// The upper 96 bits of an IPv4 address, mapped (RFC 4291 section 2.5.5.2).
const V4_MAPPED: u128 = 0xffff;

/// Which tables a run uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// A MaxMind-format file that replaces the embedded country table.
    pub geo: Option<PathBuf>,
    /// A MaxMind-format file of autonomous systems.
    pub asn: Option<PathBuf>,
    /// What the operator knows better; the longest match wins, before any table and in reserved space too.
    pub overrides: Vec<(Prefix, Country)>,
}

/// Why a table cannot be used: one sentence, what and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OriginError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {reason}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// It is something else.
    #[error("{}: is not a MaxMind DB file ({reason}); give a file in .mmdb format", file.display())]
    NotMmdb {
        /// The file.
        file: PathBuf,
        /// What the format's reader said.
        reason: String,
    },
    /// Its records hold no country.
    #[error(
        "{}: holds no countries: its records have {fields}, expected `country.iso_code` or `country_code`",
        file.display()
    )]
    NoCountry {
        /// The file.
        file: PathBuf,
        /// What its records hold.
        fields: String,
    },
    /// Its records hold no autonomous system.
    #[error(
        "{}: holds no autonomous systems: its records have {fields}, expected `autonomous_system_number` or `asn`",
        file.display()
    )]
    NoAsn {
        /// The file.
        file: PathBuf,
        /// What its records hold.
        fields: String,
    },
    /// One prefix was given two countries.
    #[error("{prefix} is overridden twice, as {first} and as {second}: keep one")]
    Contradiction {
        /// The prefix.
        prefix: Prefix,
        /// The one country.
        first: Country,
        /// The other.
        second: Country,
    },
}

/// The tables of a run.
#[derive(Debug)]
pub struct Origins {
    /// Overrides and reserved space: what is decided before any table is asked.
    decided: PrefixMap<Country>,
    overrides: usize,
    geo: Option<CountryFile>,
    asn: Option<AsnFile>,
}

impl Default for Origins {
    /// Takes the embedded table alone.
    fn default() -> Self {
        Self { decided: PrefixMap::new(reserved::space()), overrides: 0, geo: None, asn: None }
    }
}

impl Origins {
    /// Reads the tables that the settings name.
    ///
    /// # Errors
    /// When a file is missing, is no MaxMind DB or has no known layout, or when overrides contradict each other.
    pub fn load(settings: &Settings) -> Result<Self, OriginError> {
        let mut overrides = settings.overrides.clone();
        overrides.sort_by_key(|(prefix, country)| (prefix.length(), *prefix, *country));
        for pair in overrides.windows(2) {
            if let [(prefix, first), (other, second)] = pair
                && prefix == other
                && first != second
            {
                return Err(OriginError::Contradiction { prefix: *prefix, first: *first, second: *second });
            }
        }
        let overridden = overrides.iter().map(|(prefix, country)| (*prefix, Some(*country)));
        Ok(Self {
            decided: PrefixMap::new(reserved::space().chain(overridden)),
            overrides: overrides.len(),
            geo: settings.geo.as_deref().map(CountryFile::open).transpose()?,
            asn: settings.asn.as_deref().map(AsnFile::open).transpose()?,
        })
    }

    /// Returns the country an address is registered in; private, reserved and unlisted space is unknown.
    ///
    /// Measured: the embedded table answers 60 million random IPv4 addresses a second, a file of 5 MB 9 million.
    #[must_use]
    pub fn country(&self, address: Address) -> Country {
        let number = address.as_u128();
        if number >> 32 == V4_MAPPED {
            let [.., a, b, c, d] = address.bytes();
            let v4 = Ipv4Addr::new(a, b, c, d);
            self.decided.get_v4(v4.to_bits()).unwrap_or_else(|| self.registered(v4.into(), || iptocc::country_code(v4)))
        } else {
            let v6 = Ipv6Addr::from_bits(number);
            self.decided.get_v6(number).unwrap_or_else(|| self.registered(v6.into(), || iptocc::country_code(v6)))
        }
    }

    /// Asks the table in use.
    #[inline]
    fn registered(&self, address: IpAddr, embedded: impl FnOnce() -> Option<&'static str>) -> Country {
        match &self.geo {
            Some(file) => file.country(address),
            None => embedded().map_or(Country::UNKNOWN, from_code),
        }
    }

    /// Returns the number of the autonomous system (RFC 1930) that announces an address, if a file tells.
    #[must_use]
    pub fn asn(&self, address: Address) -> Option<u32> {
        self.asn.as_ref()?.asn(address.to_ip())
    }

    /// Tells whether a table of autonomous systems is loaded.
    #[must_use]
    pub const fn tells_systems(&self) -> bool {
        self.asn.is_some()
    }

    /// Names the tables in use and their age, one a line: `countries.mmdb (iptoasn-country), built 2026-06-17`.
    #[must_use]
    pub fn describe(&self) -> Vec<String> {
        let mut tables = vec![self.geo.as_ref().map_or_else(|| EMBEDDED.to_owned(), CountryFile::describe)];
        tables.extend(self.asn.as_ref().map(AsnFile::describe));
        match self.overrides {
            0 => {}
            1 => tables.push("1 prefix override".to_owned()),
            count => tables.push(format!("{count} prefix overrides")),
        }
        tables
    }
}

/// Reads a table's country code. Registries and vendors also write codes for regions and for nobody, which are no
/// countries and must not look foreign: EU, AP (Asia-Pacific), XX and ZZ.
#[inline]
fn from_code(code: &str) -> Country {
    match code.as_bytes() {
        [first, second] => match &[*first, *second] {
            b"EU" | b"AP" | b"XX" | b"ZZ" => Country::UNKNOWN,
            letters => Country::from_letters(*letters),
        },
        _ => Country::UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_table_is_the_locked_one() {
        let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock")).unwrap();
        let version = lock.split("name = \"iptocc\"\nversion = \"").nth(1).unwrap().split('"').next().unwrap();
        assert!(EMBEDDED.contains(&format!("iptocc {version}")), "{EMBEDDED}: Cargo.lock has {version}");
    }

    #[test]
    fn codes_of_regions_are_no_countries() {
        for code in ["EU", "AP", "ZZ", "XX", "", "FRA", "--", "None"] {
            assert_eq!(from_code(code), Country::UNKNOWN, "{code}");
        }
        assert_eq!(from_code("FR").to_string(), "FR");
    }
}
