//! Address space that belongs to no country: the IANA special-purpose registries (RFC 6890) and what they leave to
//! nobody. Knows no tables.

use crate::address::Prefix;
use crate::country::Country;

/// IPv4 special-purpose space, shorter prefixes first where they nest.
const IPV4: &[&str] = &[
    "0.0.0.0/8",       // This network (RFC 791).
    "10.0.0.0/8",      // Private use (RFC 1918).
    "100.64.0.0/10",   // Shared by carriers for NAT (RFC 6598).
    "127.0.0.0/8",     // Loopback (RFC 1122).
    "169.254.0.0/16",  // Link local (RFC 3927).
    "172.16.0.0/12",   // Private use.
    "192.0.0.0/24",    // IETF protocol assignments (RFC 6890).
    "192.0.2.0/24",    // Documentation (RFC 5737).
    "192.88.99.0/24",  // 6to4 relays (RFC 7526).
    "192.168.0.0/16",  // Private use.
    "198.18.0.0/15",   // Benchmarks (RFC 2544).
    "198.51.100.0/24", // Documentation.
    "203.0.113.0/24",  // Documentation.
    "224.0.0.0/4",     // Multicast (RFC 5771).
    "240.0.0.0/4",     // Reserved, and limited broadcast (RFC 1112, RFC 8190).
];

/// IPv6 space: all but global unicast (RFC 4291 section 2.4), and the special-purpose blocks in that.
const IPV6_GLOBAL_UNICAST: &str = "2000::/3";

const IPV6: &[&str] = &[
    "2001::/23",     // IETF protocol assignments: Teredo, benchmarks, ORCHID and others (RFC 2928).
    "2001:db8::/32", // Documentation (RFC 3849).
    "2002::/16",     // 6to4 (RFC 3056): an IPv4 host's, if anybody's.
    "3fff::/20",     // Documentation (RFC 9637).
];

/// Returns what is decided of reserved space, in the order in which it is to be painted.
pub(super) fn space() -> impl Iterator<Item = (Prefix, Option<Country>)> {
    let nobody = |texts: &'static [&'static str]| texts.iter().map(|text| (prefix(text), Some(Country::UNKNOWN)));
    nobody(&["::/0"]).chain([(prefix(IPV6_GLOBAL_UNICAST), None)]).chain(nobody(IPV6)).chain(nobody(IPV4))
}

fn prefix(text: &str) -> Prefix {
    text.parse().expect("the tables above are prefixes, which a test checks")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_a_prefix() {
        assert_eq!(space().count(), IPV4.len() + IPV6.len() + 2);
    }
}
