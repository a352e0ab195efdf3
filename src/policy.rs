//! What is protected: immutable, dated, shared by all threads and swapped whole (DESIGN 3).

use std::sync::Arc;

use crate::address::{Address, Prefix};

/// A place in [`Policy::sites`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SiteId(pub u16);

/// Name of the site of all that protects itself by its traffic, where nothing is configured.
pub const LEARNED_SITE: &str = "auto";

/// A group of prefixes that is defended, reported and labelled as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Its name in alerts and labels.
    pub name: Arc<str>,
    /// What belongs to it. In learned protection each is one host.
    pub prefixes: Vec<Prefix>,
}

/// Which way a packet crosses the protected border.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The destination is protected, the source is not.
    Inbound(SiteId),
    /// The source is protected, the destination is not.
    Outbound(SiteId),
    /// Both are protected: never origin-tested.
    Internal,
    /// Neither is.
    Transit,
}

/// The protected sites, and whether more are to be learned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    sites: Vec<Site>,
    learning: bool,
    /// (prefix, site), the longest prefixes first, so that the first match is the most specific one.
    prefixes: Vec<(Prefix, SiteId)>,
    hosts: Hosts,
}

impl Policy {
    /// How many sites a run can have; site tables are sized by it.
    pub const MAX_SITES: usize = 256;

    /// Takes the protected sites; with `learning`, traffic decides about more (DETECTION 0.2, "Unconfigured protection").
    #[must_use]
    pub fn new(sites: Vec<Site>, learning: bool) -> Self {
        let (mut policy, mut hosts) = (Self { learning, ..Self::default() }, Vec::new());
        for (index, site) in sites.iter().take(Self::MAX_SITES).enumerate() {
            let id = SiteId(u16::try_from(index).unwrap_or(u16::MAX));
            for prefix in &site.prefixes {
                if prefix.is_host() {
                    hosts.push((prefix.network(), id));
                } else {
                    policy.prefixes.push((*prefix, id));
                }
            }
        }
        policy.hosts = Hosts::new(hosts);
        policy.prefixes.sort_by_key(|(prefix, id)| (std::cmp::Reverse(prefix.length()), prefix.network(), *id));
        policy.sites = sites;
        policy
    }

    /// Returns the policy that protects these sites from now on. A site keeps its id by its name, so that what is
    /// remembered of it stays its own; one that is protected no longer keeps its id and has no prefix. `None` when there
    /// are no ids left for all that are new.
    #[must_use]
    pub fn revised(&self, sites: &[Site]) -> Option<Self> {
        let blank = |site: &Site| Site { name: Arc::clone(&site.name), prefixes: Vec::new() };
        let mut all: Vec<Site> = self.sites.iter().map(blank).collect();
        for site in sites {
            match all.iter_mut().find(|known| known.name == site.name) {
                Some(known) => known.prefixes.clone_from(&site.prefixes),
                None => all.push(site.clone()),
            }
        }
        (all.len() <= Self::MAX_SITES).then(|| Self::new(all, false))
    }

    /// Returns the sites, in the order of their ids.
    #[must_use]
    pub fn sites(&self) -> &[Site] {
        &self.sites
    }

    /// Tells whether protection is learned from traffic, so that shards report candidates.
    #[must_use]
    pub const fn is_learning(&self) -> bool {
        self.learning
    }

    /// Returns the name of a site.
    #[must_use]
    pub fn name(&self, id: SiteId) -> Arc<str> {
        self.sites.get(usize::from(id.0)).map_or_else(|| Arc::from("other"), |site| Arc::clone(&site.name))
    }

    /// Returns the site an address is defended as, by its longest matching prefix.
    #[must_use]
    pub fn site_of(&self, address: Address) -> Option<SiteId> {
        let as_host = self.hosts.find(address);
        as_host.or_else(|| self.prefixes.iter().find(|(prefix, _)| prefix.contains(address)).map(|(_, id)| *id))
    }

    /// Returns the protected prefix an address lies in: an alert's target is never wider than it.
    #[must_use]
    pub fn prefix_of(&self, address: Address) -> Option<Prefix> {
        if self.hosts.find(address).is_some() {
            return Some(address.host_prefix());
        }
        self.prefixes.iter().find(|(prefix, _)| prefix.contains(address)).map(|(prefix, _)| *prefix)
    }

    /// Tells which way a packet from `source` to `destination` crosses the border.
    #[must_use]
    pub fn direction(&self, source: Address, destination: Address) -> Direction {
        match (self.site_of(source), self.site_of(destination)) {
            (None, Some(site)) => Direction::Inbound(site),
            (Some(site), None) => Direction::Outbound(site),
            (Some(_), Some(_)) => Direction::Internal,
            (None, None) => Direction::Transit,
        }
    }
}

/// Single hosts in buckets: learned protection has up to 256 of them, and each packet without a conversation asks for two
/// addresses of which most are none. In a bucket they are sorted, so that who chooses addresses that meet in one gains nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Hosts {
    /// By bucket, then by address and site.
    hosts: Vec<(Address, SiteId)>,
    /// Where each bucket begins in `hosts`, and where the last one ends; empty without hosts.
    begins: Vec<u32>,
}

impl Hosts {
    const BUCKETS: usize = 1 << 10;
    /// Leaves as many bits of a hash as number the buckets.
    const SHIFT: u32 = u64::BITS - 10;

    fn new(mut hosts: Vec<(Address, SiteId)>) -> Self {
        if hosts.is_empty() {
            return Self::default();
        }
        hosts.sort_unstable_by_key(|(host, id)| (Self::bucket(*host), *host, *id));
        let before = |bucket| hosts.partition_point(|(host, _)| Self::bucket(*host) < bucket);
        let begins = (0..=Self::BUCKETS).map(|bucket| u32::try_from(before(bucket)).unwrap_or(u32::MAX)).collect();
        Self { hosts, begins }
    }

    fn find(&self, address: Address) -> Option<SiteId> {
        let bucket = Self::bucket(address);
        let (begin, end) = (*self.begins.get(bucket)?, *self.begins.get(bucket + 1)?);
        let hosts = self.hosts.get(begin as usize..end as usize)?;
        let (host, id) = *hosts.get(hosts.partition_point(|(host, _)| *host < address))?;
        (host == address).then_some(id)
    }

    /// Chooses by all bits of the address (Fibonacci hashing, Knuth 1998, section 6.4).
    fn bucket(address: Address) -> usize {
        let [high, low] = address.words();
        let mixed = (high.rotate_left(32) ^ low).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> Self::SHIFT) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_decides() {
        let site = |name: &str, prefix: &str| Site { name: name.into(), prefixes: vec![prefix.parse().unwrap()] };
        let policy = Policy::new(
            vec![site("all", "192.0.2.0/24"), site("web", "192.0.2.128/25"), site("one", "192.0.2.200")],
            false,
        );
        let of = |text: &str| policy.site_of(text.parse().unwrap());
        assert_eq!(of("192.0.2.1"), Some(SiteId(0)));
        assert_eq!(of("192.0.2.129"), Some(SiteId(1)));
        assert_eq!(of("192.0.2.200"), Some(SiteId(2)));
        assert_eq!(of("192.0.3.1"), None);
        assert_eq!(policy.prefix_of("192.0.2.200".parse().unwrap()).unwrap().to_string(), "192.0.2.200/32");
    }

    #[test]
    fn hosts_are_found_and_their_neighbours_are_none() {
        let v4 = |n: u32| Address::v4((0xcb00_7100 + 2 * n).to_be_bytes());
        let v6 = |n: u32| Address::from_u128(0x2001_0db8_u128 << 96 | u128::from(n) << 64 | 1);
        let hosts: Vec<Address> = (0..128).flat_map(|n| [v4(n), v6(n)]).collect();
        let site = |host: &Address| Site { name: host.to_string().into(), prefixes: vec![host.host_prefix()] };
        let policy = Policy::new(hosts.iter().map(site).collect(), true);
        for (n, host) in hosts.iter().enumerate() {
            assert_eq!(policy.site_of(*host), Some(SiteId(u16::try_from(n).unwrap())));
            assert_eq!(policy.prefix_of(*host), Some(host.host_prefix()));
            assert_eq!(policy.site_of(Address::from_u128(host.as_u128() + 1)), None);
        }
        assert_eq!(Policy::default().site_of(hosts[0]), None);
    }

    #[test]
    fn sites_keep_their_ids_when_what_is_protected_changes() {
        let site = |name: &str, prefix: &str| Site { name: name.into(), prefixes: vec![prefix.parse().unwrap()] };
        let before = Policy::new(vec![site("a", "192.0.2.0/25"), site("b", "198.51.100.0/24")], false);
        let after = before.revised(&[site("c", "203.0.113.0/24"), site("b", "192.0.2.0/24")]).unwrap();
        let of = |text: &str| after.site_of(text.parse().unwrap());
        assert_eq!((of("192.0.2.1"), of("203.0.113.1"), of("198.51.100.1")), (Some(SiteId(1)), Some(SiteId(2)), None));
        assert_eq!((&*after.name(SiteId(0)), after.sites()[0].prefixes.len()), ("a", 0));
        let most: Vec<Site> = (0..Policy::MAX_SITES).map(|n| site(&format!("s{n}"), "192.0.2.0/24")).collect();
        assert!(before.revised(&most).is_none(), "no ids are left for all of them");
    }
}
