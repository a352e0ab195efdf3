//! Prefixes to values, flattened into ranges. Knows nothing of countries.
//!
//! A few dozen to a few thousand prefixes that every look-up passes: ranges in sorted order and, for IPv4, where each
//! first byte begins, so that most look-ups compare nothing. A trie crate (`ip_network_table`, `prefix-trie`) would
//! follow a pointer a level for the same answer.

use std::collections::BTreeMap;
use std::fmt;

use crate::address::Prefix;

/// First IPv4 address, mapped.
const V4_START: u128 = 0xffff_0000_0000;
/// Last IPv4 address, mapped.
const V4_END: u128 = 0xffff_ffff_ffff;

/// An immutable map from addresses to what the last prefix that covers them says.
pub(super) struct PrefixMap<V> {
    /// First addresses of the IPv4 ranges, and what holds from there.
    v4: Vec<(u32, Option<V>)>,
    /// For each first byte, the places in `v4` of the ranges that hold `byte.0.0.0` and `byte.255.255.255`.
    v4_by_first_byte: Box<[(usize, usize); 256]>,
    /// The same for the whole of IPv6.
    v6: Vec<(u128, Option<V>)>,
}

impl<V: Copy> PrefixMap<V> {
    /// Paints prefixes one over the other: the later ones win, so shorter ones come first.
    pub(super) fn new(prefixes: impl IntoIterator<Item = (Prefix, Option<V>)>) -> Self {
        let (mut v4, mut v6) = (BTreeMap::from([(V4_START, None)]), BTreeMap::from([(0, None)]));
        for (prefix, value) in prefixes {
            let is_v4 = prefix.network().is_ipv4();
            paint(if is_v4 { &mut v4 } else { &mut v6 }, prefix, value);
        }
        let v4: Vec<_> = v4.range(V4_START..=V4_END).map(|(start, value)| (low_32(*start), *value)).collect();
        let holding = |address: u32| v4.partition_point(|(start, _)| *start <= address) - 1;
        let mut v4_by_first_byte = Box::new([(0, 0); 256]);
        for (place, byte) in v4_by_first_byte.iter_mut().zip(0..=u8::MAX) {
            let first = u32::from(byte) << 24;
            *place = (holding(first), holding(first | 0x00ff_ffff));
        }
        Self { v4, v4_by_first_byte, v6: v6.into_iter().collect() }
    }

    /// Returns what is said of an IPv4 address.
    pub(super) fn get_v4(&self, address: u32) -> Option<V> {
        let (first, last) = self.v4_by_first_byte[usize::from(address.to_be_bytes()[0])];
        let after = self.v4[first + 1..=last].partition_point(|(start, _)| *start <= address);
        self.v4[first + after].1
    }

    /// Returns what is said of an IPv6 address.
    pub(super) fn get_v6(&self, address: u128) -> Option<V> {
        let after = self.v6.partition_point(|(start, _)| *start <= address);
        self.v6[after - 1].1
    }
}

/// Gives a range a value; what lies behind it keeps its own.
fn paint<V: Copy>(ranges: &mut BTreeMap<u128, Option<V>>, prefix: Prefix, value: Option<V>) {
    let bits = if prefix.network().is_ipv4() { 32 } else { 128 };
    let start = prefix.network().as_u128();
    let host_bits = bits - u32::from(prefix.length());
    let last = start | 1_u128.checked_shl(host_bits).map_or(u128::MAX, |size| size - 1);
    if let Some(behind) = last.checked_add(1) {
        let kept = ranges.range(..=behind).next_back().and_then(|(_, value)| *value);
        ranges.insert(behind, kept);
    }
    let covered: Vec<u128> = ranges.range(start..=last).map(|(place, _)| *place).collect();
    for place in covered {
        ranges.remove(&place);
    }
    ranges.insert(start, value);
}

fn low_32(number: u128) -> u32 {
    let [.., a, b, c, d] = number.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

impl<V> fmt::Debug for PrefixMap<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrefixMap").field("v4", &self.v4.len()).field("v6", &self.v6.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::address::Address;

    fn any_prefix() -> impl Strategy<Value = Prefix> {
        // Few networks, so that prefixes nest and touch.
        let v4 = (0..4_u8, any::<[u8; 3]>(), 0..=32_u8)
            .prop_map(|(first, [a, b, c], length)| Prefix::of(Address::v4([first * 85, a & 3, b, c]), length));
        let v6 = (0..4_u8, any::<[u8; 15]>(), 0..=128_u8).prop_map(|(first, rest, length)| {
            let mut bytes = [0; 16];
            bytes[0] = first << 6;
            bytes[1..].copy_from_slice(&rest);
            Prefix::of(Address::v6(bytes), length)
        });
        prop_oneof![v4, v6]
    }

    fn get<V: Copy>(map: &PrefixMap<V>, address: Address) -> Option<V> {
        address.to_ipv4().map_or_else(|| map.get_v6(address.as_u128()), |v4| map.get_v4(v4.to_bits()))
    }

    /// The addresses at and around both ends of a prefix.
    fn edges(prefix: Prefix) -> Vec<Address> {
        let start = prefix.network().as_u128();
        let host_bits = if prefix.network().is_ipv4() { 32 } else { 128 } - u32::from(prefix.length());
        let last = start | 1_u128.checked_shl(host_bits).map_or(u128::MAX, |size| size - 1);
        [start.wrapping_sub(1), start, start.wrapping_add(1), last.wrapping_sub(1), last, last.wrapping_add(1)]
            .map(Address::from_u128)
            .to_vec()
    }

    proptest! {
        #[test]
        fn agrees_with_asking_every_prefix(prefixes in proptest::collection::vec((any_prefix(), any::<Option<u8>>()), 0..24)) {
            let map = PrefixMap::new(prefixes.clone());
            for address in prefixes.iter().flat_map(|(prefix, _)| edges(*prefix)) {
                let asked = prefixes.iter().rev().find(|(prefix, _)| prefix.contains(address)).and_then(|(_, value)| *value);
                prop_assert_eq!(get(&map, address), asked, "{}", address);
            }
        }
    }

    #[test]
    fn without_prefixes_nothing_is_said() {
        let map = PrefixMap::<u8>::new([]);
        for text in ["0.0.0.0", "255.255.255.255", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"] {
            assert_eq!(get(&map, text.parse().unwrap()), None, "{text}");
        }
    }
}
