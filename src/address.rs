//! Addresses and prefixes, IPv4 and IPv6 alike.
//!
//! An [`Address`] is 16 bytes; IPv4 is held mapped (`::ffff:a.b.c.d`, RFC 4291 section 2.5.5.2), so that every table and
//! every comparison has one shape. Routes, countries and flows are not known here.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An IPv4 or IPv6 address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Address([u8; 16]);

/// As numbers, which is the order of the bytes too: derived, each comparison would call `memcmp`.
impl Ord for Address {
    #[inline]
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_u128().cmp(&other.as_u128())
    }
}

impl PartialOrd for Address {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

const MAPPED: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

impl Address {
    /// Takes the four bytes of an IPv4 address.
    #[must_use]
    pub const fn v4(bytes: [u8; 4]) -> Self {
        let [a, b, c, d] = bytes;
        Self([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d])
    }

    /// Takes the sixteen bytes of an IPv6 address.
    #[must_use]
    pub const fn v6(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the sixteen bytes, IPv4 mapped.
    #[must_use]
    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }

    /// Returns the address as a number, IPv4 mapped.
    #[must_use]
    pub const fn as_u128(self) -> u128 {
        u128::from_be_bytes(self.0)
    }

    /// Returns the two halves of that number, the upper one first.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the two halves are taken apart")]
    pub const fn words(self) -> [u64; 2] {
        let number = self.as_u128();
        [(number >> 64) as u64, number as u64]
    }

    /// Takes an address as a number, IPv4 mapped.
    #[must_use]
    pub const fn from_u128(number: u128) -> Self {
        Self(number.to_be_bytes())
    }

    /// Tells whether this is IPv4.
    #[must_use]
    pub fn is_ipv4(self) -> bool {
        self.0[..12] == MAPPED
    }

    /// Returns the IPv4 address, if it is one.
    #[must_use]
    pub fn to_ipv4(self) -> Option<Ipv4Addr> {
        self.is_ipv4().then(|| Ipv4Addr::new(self.0[12], self.0[13], self.0[14], self.0[15]))
    }

    /// Returns the standard library's form.
    #[must_use]
    pub fn to_ip(self) -> IpAddr {
        self.to_ipv4().map_or_else(|| IpAddr::V6(Ipv6Addr::from(self.0)), IpAddr::V4)
    }

    /// Keeps the first `length` bits of the address as written (0..=32 for IPv4, 0..=128 for IPv6) and zeroes the rest.
    #[must_use]
    pub fn truncate(self, length: u8) -> Self {
        let kept = if self.is_ipv4() { 96 + u32::from(length.min(32)) } else { u32::from(length.min(128)) };
        let mask = u128::MAX.checked_shl(128 - kept).unwrap_or(0);
        Self::from_u128(self.as_u128() & mask)
    }

    /// Returns the unit that counts as one source: the host for IPv4, the /64 for IPv6, of which a host owns all
    /// addresses (DETECTION 0.1).
    #[must_use]
    pub fn source_unit(self) -> Self {
        if self.is_ipv4() { self } else { self.truncate(64) }
    }

    /// Returns the network that people of one place share: the /24 for IPv4, the /48 for IPv6 (DETECTION 4.2).
    #[must_use]
    pub fn network(self) -> Self {
        if self.is_ipv4() { self.truncate(24) } else { self.truncate(48) }
    }

    /// Returns the prefix that holds this address alone: /32 or /128.
    #[must_use]
    pub fn host_prefix(self) -> Prefix {
        Prefix { network: self, length: if self.is_ipv4() { 32 } else { 128 } }
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(v4) => Self::v4(v4.octets()),
            IpAddr::V6(v6) => Self::v6(v6.octets()),
        }
    }
}

impl FromStr for Address {
    type Err = std::net::AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<IpAddr>().map(Self::from)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_ip().fmt(f)
    }
}

impl serde::Serialize for Address {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A network prefix in CIDR notation (RFC 4632), host bits zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    network: Address,
    length: u8,
}

/// Why a text is not a prefix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// The part before the slash is no IPv4 or IPv6 address.
    #[error("`{0}` is not an address: write a prefix such as 192.0.2.0/24 or 2001:db8::/48")]
    Address(String),
    /// The length is no number, or longer than the address.
    #[error("`/{length}` is not a prefix length here: it must lie between 0 and {most}")]
    Length {
        /// What was written.
        length: String,
        /// 32 for IPv4, 128 for IPv6.
        most: u8,
    },
    /// Bits are set after the prefix.
    #[error("`{written}` has bits set after its {length}-bit prefix: write {meant}/{length}")]
    HostBits {
        /// What was written.
        written: String,
        /// The address with those bits cleared.
        meant: Address,
        /// The length written.
        length: u8,
    },
}

impl Prefix {
    /// Takes the first `length` bits of an address.
    #[must_use]
    pub fn of(address: Address, length: u8) -> Self {
        let length = length.min(if address.is_ipv4() { 32 } else { 128 });
        Self { network: address.truncate(length), length }
    }

    /// Returns the first address.
    #[must_use]
    pub const fn network(self) -> Address {
        self.network
    }

    /// Returns the length as written: up to 32 for IPv4, 128 for IPv6.
    #[must_use]
    pub const fn length(self) -> u8 {
        self.length
    }

    /// Tells whether the address lies in the prefix; families never mix.
    #[must_use]
    pub fn contains(self, address: Address) -> bool {
        address.is_ipv4() == self.network.is_ipv4() && address.truncate(self.length) == self.network
    }

    /// Tells whether the two prefixes share an address.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        if self.length <= other.length { self.contains(other.network) } else { other.contains(self.network) }
    }

    /// Tells whether this is a single host: /32 or /128.
    #[must_use]
    pub fn is_host(self) -> bool {
        self.length == if self.network.is_ipv4() { 32 } else { 128 }
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    /// Reads `address/length`, or an address alone as a host.
    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let (address, length) = text.split_once('/').map_or((text, None), |(a, l)| (a, Some(l)));
        let network: Address = address.parse().map_err(|_| PrefixError::Address(address.to_owned()))?;
        let most = if network.is_ipv4() { 32 } else { 128 };
        let length = match length {
            None => most,
            Some(digits) => digits
                .parse()
                .ok()
                .filter(|length| *length <= most)
                .ok_or_else(|| PrefixError::Length { length: digits.to_owned(), most })?,
        };
        let meant = network.truncate(length);
        if meant != network {
            return Err(PrefixError::HostBits { written: text.to_owned(), meant, length });
        }
        Ok(Self { network, length })
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.length)
    }
}

impl serde::Serialize for Prefix {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    #[test]
    fn prefixes_hold_their_own_family_only() {
        assert!(prefix("192.0.2.0/24").contains("192.0.2.255".parse().unwrap()));
        assert!(!prefix("192.0.2.0/24").contains("192.0.3.0".parse().unwrap()));
        assert!(prefix("0.0.0.0/0").contains("8.8.8.8".parse().unwrap()));
        assert!(!prefix("::/0").contains("8.8.8.8".parse().unwrap()));
        assert!(prefix("2001:db8::/48").contains("2001:db8::1".parse().unwrap()));
        assert!(prefix("192.0.2.0/24").overlaps(prefix("192.0.2.7")));
        assert!(!prefix("192.0.2.0/25").overlaps(prefix("192.0.2.128/25")));
    }

    #[test]
    fn a_wrong_prefix_says_what_to_write() {
        let error = "192.0.2.1/24".parse::<Prefix>().unwrap_err();
        assert!(error.to_string().ends_with("write 192.0.2.0/24"), "{error}");
        assert!(matches!("192.0.2.0/33".parse::<Prefix>(), Err(PrefixError::Length { most: 32, .. })));
        assert!(matches!("school".parse::<Prefix>(), Err(PrefixError::Address(_))));
    }

    #[test]
    fn one_source_is_a_host_in_ipv4_and_a_64_in_ipv6() {
        let address: Address = "2001:db8:1:2:3:4:5:6".parse().unwrap();
        assert_eq!(address.source_unit().to_string(), "2001:db8:1:2::");
        assert_eq!(address.network().to_string(), "2001:db8:1::");
        let address: Address = "192.0.2.77".parse().unwrap();
        assert_eq!(address.source_unit(), address);
        assert_eq!(address.network().to_string(), "192.0.2.0");
    }
}
