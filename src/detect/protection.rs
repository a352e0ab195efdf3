//! What to protect and where home is, when nobody said so (DETECTION 0.2, "Unconfigured protection").
//!
//! Inside is a host that answered at least twenty connections from at least five sources, a private host that talks to
//! public ones, or, at once, any destination of at least 500 packets a second; at most 256. Home is the country of most
//! verified clients, decided once, 180 s after the first.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;

use crate::address::Address;
use crate::country::Country;
use crate::hash::Seed;
use crate::policy::{LEARNED_SITE, Policy, Site};
use crate::summary::{Candidate as Heavy, Contact, ContactStage, Summary};
use crate::time::Tick;

/// Most hosts that are learned.
const MOST_HOSTS: usize = 256;

/// Servers under observation at once.
const MOST_CANDIDATES: usize = 4_096;

/// Connections answered, and sources they came from, that make a server.
const CONNECTIONS: u32 = 20;
const SOURCES: usize = 5;

/// Packets a second to one destination that make it protected at once.
const PACKETS_PER_SECOND: u64 = 500;

#[derive(Clone, Debug, Default)]
struct Candidate {
    connections: u32,
    sources: Vec<Address>,
    last_seen: Tick,
    /// Packets in the ticks of the second under way, and the tick it began.
    packets: u64,
    second: u64,
}

/// Learns the protected hosts.
#[derive(Debug, Default)]
pub struct Protection {
    /// Looked up by address, never walked in its order.
    candidates: HashMap<Address, Candidate, Seed>,
    /// Which candidates were seen in each tick, the oldest tick first: to look for the oldest among all of them took nine
    /// tenths of a replay in which thousands of destinations pass by. What was seen again since is skipped.
    by_age: VecDeque<(Tick, BinaryHeap<Reverse<Address>>)>,
    /// How many addresses `by_age` holds.
    noted: usize,
    learned: Vec<Address>,
}

impl Protection {
    /// Knows no host; `seed` keys its table.
    #[must_use]
    pub fn new(seed: Seed) -> Self {
        Self { candidates: HashMap::with_hasher(seed), ..Self::default() }
    }

    /// Takes one tick; returns a new policy when a host was added.
    pub fn observe(&mut self, summary: &Summary) -> Option<Arc<Policy>> {
        let before = self.learned.len();
        for contact in &summary.contacts {
            self.contact(summary.tick, contact);
        }
        for heavy in &summary.candidates {
            let candidate = self.candidate(summary.tick, heavy.address);
            let second = summary.tick.number() / 4;
            if candidate.second != second {
                (candidate.second, candidate.packets) = (second, 0);
            }
            candidate.packets += u64::from(heavy.packets);
            if candidate.packets >= PACKETS_PER_SECOND && (is_unicast(heavy.address) || has_many_senders(heavy)) {
                self.learn(heavy.address);
            }
        }
        (self.learned.len() > before).then(|| Arc::new(self.policy()))
    }

    /// Returns the hosts that were learned.
    #[must_use]
    pub fn learned(&self) -> &[Address] {
        &self.learned
    }

    /// Takes hosts that were learned before; returns what is protected then.
    pub fn recall(&mut self, hosts: impl IntoIterator<Item = Address>) -> Arc<Policy> {
        hosts.into_iter().for_each(|host| self.learn(host));
        Arc::new(self.policy())
    }

    fn contact(&mut self, tick: Tick, contact: &Contact) {
        if contact.stage != ContactStage::Verified {
            return;
        }
        for (inside, outside) in [(contact.originator, contact.responder), (contact.responder, contact.originator)] {
            if is_private(inside) && !is_private(outside) {
                self.learn(inside);
            }
        }
        let source = contact.originator.source_unit();
        let candidate = self.candidate(tick, contact.responder);
        candidate.connections = candidate.connections.saturating_add(1);
        if candidate.sources.len() < SOURCES && !candidate.sources.contains(&source) {
            candidate.sources.push(source);
        }
        if candidate.connections >= CONNECTIONS && candidate.sources.len() >= SOURCES {
            self.learn(contact.responder);
        }
    }

    /// Returns a destination's candidate, replacing the one longest unseen when there are too many.
    fn candidate(&mut self, tick: Tick, address: Address) -> &mut Candidate {
        let seen = self.candidates.get(&address).map(|candidate| candidate.last_seen);
        if seen.is_none() && self.candidates.len() >= MOST_CANDIDATES {
            self.give_up_the_oldest();
        }
        if seen != Some(tick) {
            self.note_age(tick, address);
        }
        let candidate = self.candidates.entry(address).or_default();
        candidate.last_seen = tick;
        candidate
    }

    fn give_up_the_oldest(&mut self) {
        while let Some((tick, addresses)) = self.by_age.front_mut() {
            let Some(Reverse(address)) = addresses.pop() else {
                self.by_age.pop_front();
                continue;
            };
            self.noted -= 1;
            if self.candidates.get(&address).is_some_and(|candidate| candidate.last_seen == *tick) {
                self.candidates.remove(&address);
                return;
            }
        }
    }

    fn note_age(&mut self, tick: Tick, address: Address) {
        if self.noted >= 4 * MOST_CANDIDATES {
            self.forget_outdated_ages();
        }
        match self.by_age.back_mut().filter(|(last, _)| *last == tick) {
            Some((_, addresses)) => addresses.push(Reverse(address)),
            None => self.by_age.push_back((tick, BinaryHeap::from([Reverse(address)]))),
        }
        self.noted += 1;
    }

    fn forget_outdated_ages(&mut self) {
        let candidates = &self.candidates;
        for (tick, addresses) in &mut self.by_age {
            let seen = |candidate: &Candidate| candidate.last_seen == *tick;
            addresses.retain(|Reverse(address)| candidates.get(address).is_some_and(seen));
        }
        self.by_age.retain(|(_, addresses)| !addresses.is_empty());
        self.noted = self.by_age.iter().map(|(_, addresses)| addresses.len()).sum();
    }

    fn learn(&mut self, address: Address) {
        if self.learned.len() < MOST_HOSTS && !self.learned.contains(&address) {
            self.learned.push(address);
        }
    }

    fn policy(&self) -> Policy {
        let prefixes = self.learned.iter().map(|address| address.host_prefix()).collect();
        Policy::new(vec![Site { name: LEARNED_SITE.into(), prefixes }], true)
    }
}

/// Private and unique local space (RFC 1918, RFC 4193).
fn is_private(address: Address) -> bool {
    match address.to_ip() {
        std::net::IpAddr::V4(v4) => v4.is_private(),
        std::net::IpAddr::V6(v6) => v6.octets()[0] & 0xfe == 0xfc,
    }
}

fn is_unicast(address: Address) -> bool {
    let ip = address.to_ip();
    let broadcast = matches!(ip, std::net::IpAddr::V4(v4) if v4.is_broadcast());
    !ip.is_multicast() && !ip.is_unspecified() && !broadcast
}

/// Tells whether so many send to an address without an answer that it is no multicast group, whatever its number: groups
/// have few senders, and in anonymised captures addresses are scrambled.
fn has_many_senders(heavy: &Heavy) -> bool {
    heavy.strays.iter().any(|stray| stray.sources.estimate() >= 100.0)
}

/// Decides where home is.
#[derive(Debug, Default)]
pub struct HomeFinder {
    since: Option<Tick>,
    clients: BTreeMap<Address, Country>,
    /// Why no home was decided; `None` while it is open.
    pub outcome: Option<Result<Country, String>>,
}

/// Clients looked at before a home is decided.
const MOST_CLIENTS: usize = 8_192;

impl HomeFinder {
    /// Takes the tick's verified clients; decides once, 180 s after the first.
    pub fn observe(&mut self, tick: Tick, contacts: &[Contact], is_inbound: impl Fn(&Contact) -> bool) {
        if self.outcome.is_some() {
            return;
        }
        for contact in contacts.iter().filter(|c| c.stage == ContactStage::Verified && is_inbound(c)) {
            self.since.get_or_insert(tick);
            if self.clients.len() < MOST_CLIENTS && contact.country.is_known() {
                self.clients.insert(contact.originator.source_unit(), contact.country);
            }
        }
        if self.since.is_some_and(|since| tick.since(since) >= 720) {
            self.outcome = Some(self.decide());
            self.clients.clear();
        }
    }

    /// At least 60 % of at least 200 verified clients, in at least 50 /24s, no /16 above half.
    fn decide(&self) -> Result<Country, String> {
        let total = self.clients.len();
        if total < 200 {
            return Err(format!(
                "only {total} verified clients in the first three minutes, 200 are needed: give --home"
            ));
        }
        let mut countries: BTreeMap<Country, usize> = BTreeMap::new();
        self.clients.values().for_each(|country| *countries.entry(*country).or_default() += 1);
        let (country, count) = countries
            .iter()
            .max_by_key(|(country, count)| (**count, **country))
            .map_or((Country::UNKNOWN, 0), |(c, n)| (*c, *n));
        if count * 10 < total * 6 {
            return Err(format!("no country has 60 % of the {total} verified clients: give --home"));
        }
        let mut networks = std::collections::BTreeSet::new();
        let mut regions: BTreeMap<Address, usize> = BTreeMap::new();
        for address in self.clients.iter().filter(|(_, of)| **of == country).map(|(address, _)| *address) {
            networks.insert(address.network());
            *regions.entry(if address.is_ipv4() { address.truncate(16) } else { address.truncate(32) }).or_default() +=
                1;
        }
        let largest = regions.values().copied().max().unwrap_or(0);
        if networks.len() < 50 || largest * 2 > count {
            return Err(format!("the clients from {country} come from too few networks to call it home: give --home"));
        }
        Ok(country)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Protocol;
    use crate::summary::Volume;
    use crate::time::Timestamp;

    fn contact(client: u32, server: [u8; 4], country: &str) -> Contact {
        Contact {
            at: Timestamp::ZERO,
            stage: ContactStage::Verified,
            originator: Address::v4(client.to_be_bytes()),
            responder: Address::v4(server),
            port: 443,
            protocol: Protocol::TCP,
            country: country.parse().unwrap(),
            verified: true,
            age_ms: 1_000,
            sent: Volume::default(),
            received: Volume::default(),
            served: false,
            repeated: false,
            weight: 1,
        }
    }

    fn summary(tick: u64, contacts: Vec<Contact>) -> Summary {
        Summary { tick: Tick::new(tick), contacts, ..Summary::default() }
    }

    #[test]
    fn a_server_is_learned_after_twenty_connections_from_five_sources() {
        let mut protection = Protection::default();
        let few = (0..100).map(|n| contact(0x0800_0000 + n % 4, [203, 0, 113, 1], "FR")).collect();
        assert!(protection.observe(&summary(1, few)).is_none());
        let more = vec![contact(0x0900_0000, [203, 0, 113, 1], "FR")];
        let policy = protection.observe(&summary(2, more)).unwrap();
        assert!(policy.site_of(Address::v4([203, 0, 113, 1])).is_some());
        assert!(policy.is_learning());
    }

    #[test]
    fn a_flooded_destination_is_learned_at_once() {
        let mut protection = Protection::default();
        let heavy = Heavy { address: Address::v4([203, 0, 113, 9]), packets: 500, ..Heavy::default() };
        let summary = Summary { candidates: vec![heavy], ..Summary::default() };
        assert!(protection.observe(&summary).is_some());
    }

    #[test]
    fn the_destination_longest_unseen_makes_room_and_the_smallest_of_several() {
        let mut protection = Protection::default();
        let address = |n: u32| Address::v4((0x0100_0000 + n).to_be_bytes());
        let most = u32::try_from(MOST_CANDIDATES).unwrap();
        for n in 0..most {
            protection.candidate(Tick::new(u64::from(n / 1_000)), address(n));
        }
        protection.candidate(Tick::new(9), address(0));
        protection.candidate(Tick::new(10), address(most));
        protection.candidate(Tick::new(10), address(most + 1));
        let gone: Vec<u32> = (0..most + 2).filter(|n| !protection.candidates.contains_key(&address(*n))).collect();
        assert_eq!(gone, [1, 2]);
        for tick in 11..40 {
            protection.candidate(Tick::new(tick), address(most));
        }
        // Long enough for outdated ages to be thrown out.
        for n in 0..8 * most {
            protection.candidate(Tick::new(40 + u64::from(n / most)), address(n % most));
        }
        assert_eq!(protection.candidates.len(), MOST_CANDIDATES);
        assert!(protection.noted <= 4 * MOST_CANDIDATES);
        assert_eq!(protection.noted, protection.by_age.iter().map(|(_, addresses)| addresses.len()).sum::<usize>());
        // All were seen again but this one, which is the oldest therefore.
        assert!(!protection.candidates.contains_key(&address(most + 1)));
    }

    #[test]
    fn home_needs_a_clear_and_spread_majority() {
        let decide = |contacts: Vec<Contact>| {
            let mut finder = HomeFinder::default();
            finder.observe(Tick::new(0), &contacts, |_| true);
            finder.observe(Tick::new(720), &[], |_| true);
            finder.outcome.unwrap()
        };
        let spread = |n: u32| 0x0200_0000 + n * 70_000;
        let french: Vec<_> = (0..300).map(|n| contact(spread(n), [203, 0, 113, 1], "FR")).collect();
        assert_eq!(decide(french.clone()), Ok("FR".parse().unwrap()));
        assert!(decide(french[..100].to_vec()).is_err());
        let mixed =
            (0..300).map(|n| contact(spread(n), [203, 0, 113, 1], if n % 2 == 0 { "FR" } else { "MA" })).collect();
        assert!(decide(mixed).is_err());
        let one_network = (0..300).map(|n| contact(0x0200_0000 + n, [203, 0, 113, 1], "FR")).collect();
        assert!(decide(one_network).is_err());
    }
}
