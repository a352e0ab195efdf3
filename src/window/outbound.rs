//! What inside hosts do on their own account: connections they open to the outside, how much they send over them in an
//! hour, and where to (DETECTION 5, EXF-1 and EXF-3).
//!
//! Each host has the hourly volumes of the last two weeks, as logarithms, and the time it was first seen and last opened a
//! connection. Destinations are remembered as pairs of host and /24 (/48) in a [`Bloom`] of two generations of 30 days; a
//! destination first seen counts as new for a day. All of it is meant to outlive a restart: see [`Outbound::export`].

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::address::Address;
use crate::hash::{Seed, mix};
use crate::summary::{Contact, ContactStage};
use crate::time::{Tick, Timestamp};
use crate::window::bloom::{Bloom, Generation};

/// Hosts remembered; further ones are not judged.
const MOST_HOSTS: usize = 4_096;

/// Hours of volumes kept: two weeks.
const HOURS: usize = 336;

/// Slots of the hour under way, five minutes each.
const SLOTS: usize = 12;
const SLOT: u64 = 1_200;

/// Bits of a generation of destinations: 512 KiB, for 291,000 pairs.
const BITS: usize = 1 << 22;
const GENERATION: Duration = Duration::from_secs(30 * 86_400);

/// New destinations followed for each host, and how long one is new.
const NEW: usize = 16;
const NEW_FOR: Duration = Duration::from_secs(86_400);

/// Conversations that carried less have no progress reports.
const PROGRESS: u64 = 4 << 20;

/// Smallest spread of the logarithm of an hour's volume (DETECTION 5).
const LEAST_SPREAD: f64 = 0.5;

/// A destination that was first seen lately.
#[derive(Clone, Copy, Debug)]
struct New {
    network: Address,
    since: Timestamp,
    bytes: u64,
}

/// One inside host.
#[derive(Clone, Debug, Default)]
pub struct Host {
    first_seen: Timestamp,
    last_opened: Option<Timestamp>,
    /// Clients it served.
    served: u32,
    /// ln(1 + bytes) of full hours, the newest last.
    hours: VecDeque<f32>,
    slot: u64,
    sent: [u64; SLOTS],
    received: [u64; SLOTS],
    news: Vec<New>,
    /// The latest peer.
    peer: Address,
}

/// What is remembered of a host over a restart.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Remembered {
    /// Its address.
    pub address: String,
    /// When it was first seen, in nanoseconds since the epoch.
    pub first_seen: u64,
    /// When it last opened a connection to the outside.
    pub last_opened: Option<u64>,
    /// Clients it served.
    pub served: u32,
    /// ln(1 + bytes) of the last full hours, the newest last.
    pub hours: Vec<f32>,
}

/// What a host sent in the last hour over connections of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sent {
    /// Bytes of the last hour, and of the last 24.
    pub hour: f64,
    /// See `hour`.
    pub day: f64,
    /// Bytes that came back in the last hour.
    pub received: f64,
    /// Bytes to destinations that are new, since they are.
    pub to_new: f64,
    /// Distance of the hour from the usual hour, in spreads; `None` below 24 hours of history.
    pub spreads: Option<f64>,
    /// Bytes that an hour does not exceed by four spreads; `None` below 24 hours of history.
    pub usual: Option<f64>,
    /// The latest peer.
    pub peer: Address,
}

/// All inside hosts.
#[derive(Debug)]
pub struct Outbound {
    seed: Seed,
    hosts: BTreeMap<Address, Host>,
    destinations: Bloom,
}

impl Outbound {
    /// Builds an empty book keyed by `seed`.
    #[must_use]
    pub fn new(seed: Seed) -> Self {
        Self { seed, hosts: BTreeMap::new(), destinations: Bloom::new(BITS) }
    }

    /// Notes that an inside host serves clients from outside.
    pub fn note_served(&mut self, now: Tick, host: Address) {
        if let Some(host) = self.host(now, host) {
            host.served = host.served.saturating_add(1);
        }
    }

    /// Takes a conversation that an inside host opened to the outside.
    pub fn observe(&mut self, now: Tick, contact: &Contact) {
        self.destinations.turn_after(GENERATION, now.start());
        let network = contact.responder.network();
        let hash = mix(self.seed.address(contact.originator), self.seed.address(network));
        let known = self.destinations.contains(hash);
        self.destinations.insert(hash, now.start());
        let all = contact.sent.bytes + contact.received.bytes;
        let counts = match contact.stage {
            ContactStage::Settled => all < PROGRESS,
            ContactStage::Progress => true,
            _ => false,
        };
        let Some(host) = self.host(now, contact.originator) else { return };
        host.roll(now);
        if !known && host.news.len() < NEW {
            host.news.push(New { network, since: now.start(), bytes: 0 });
        }
        if counts {
            host.sent[0] += contact.sent.bytes;
            host.received[0] += contact.received.bytes;
            host.peer = contact.responder;
            if let Some(new) = host.news.iter_mut().find(|new| new.network == network) {
                new.bytes += contact.sent.bytes;
            }
        }
    }

    /// Notes that a host opened a connection that counts as its own doing; returns when it was first seen and when it last
    /// did so before.
    pub fn note_opened(&mut self, now: Tick, host: Address) -> Option<(Timestamp, Option<Timestamp>, u32)> {
        let host = self.host(now, host)?;
        let before = (host.first_seen, host.last_opened, host.served);
        host.last_opened = Some(now.start());
        Some(before)
    }

    /// Returns what a host sent.
    pub fn sent(&mut self, now: Tick, host: Address) -> Option<Sent> {
        let host = self.hosts.get_mut(&host)?;
        host.roll(now);
        Some(host.sent_so_far())
    }

    /// Returns since when the host watched longest is.
    #[must_use]
    pub fn watched_since(&self) -> Option<Timestamp> {
        self.hosts.values().map(|host| host.first_seen).min()
    }

    /// Returns what is to outlive a restart; the destinations mean something only under the same seed.
    #[must_use]
    pub fn export(&self) -> (Vec<Remembered>, &[Generation; 2]) {
        let hosts = self.hosts.iter().map(|(address, host)| Remembered {
            address: address.to_string(),
            first_seen: host.first_seen.as_nanos(),
            last_opened: host.last_opened.map(Timestamp::as_nanos),
            served: host.served,
            hours: host.hours.iter().copied().collect(),
        });
        (hosts.collect(), self.destinations.export())
    }

    /// Takes what outlived a restart; tells whether it makes sense, else nothing is changed.
    pub fn import(&mut self, hosts: Vec<Remembered>, destinations: [Generation; 2]) -> bool {
        let read: Option<BTreeMap<Address, Host>> = hosts.into_iter().take(MOST_HOSTS).map(Host::recall).collect();
        let Some(read) = read else { return false };
        if !self.destinations.import(destinations) {
            return false;
        }
        self.hosts = read;
        true
    }

    fn host(&mut self, now: Tick, address: Address) -> Option<&mut Host> {
        if self.hosts.len() >= MOST_HOSTS && !self.hosts.contains_key(&address) {
            return None;
        }
        Some(self.hosts.entry(address).or_insert_with(|| Host {
            first_seen: now.start(),
            slot: now.number() / SLOT,
            ..Host::default()
        }))
    }
}

impl Host {
    /// Reads what was remembered; `None` if it can be nobody's.
    fn recall(remembered: Remembered) -> Option<(Address, Self)> {
        // e^40 bytes are more than any hour carries.
        let hours = remembered.hours.iter().all(|hour| (0.0..=40.0).contains(hour)) && remembered.hours.len() <= HOURS;
        let host = Self {
            first_seen: Timestamp::from_nanos(remembered.first_seen),
            last_opened: remembered.last_opened.map(Timestamp::from_nanos),
            served: remembered.served,
            hours: remembered.hours.into(),
            ..Self::default()
        };
        hours.then_some((remembered.address.parse().ok()?, host))
    }

    /// Moves on to the present slot; an hour that is over is added to the history.
    fn roll(&mut self, now: Tick) {
        let slot = now.number() / SLOT;
        if self.slot == 0 {
            self.slot = slot;
        }
        // A long silence is hours of nothing, two weeks of them at most.
        let most = (HOURS * SLOTS) as u64;
        self.slot = self.slot.max(slot.saturating_sub(most));
        while self.slot < slot {
            self.slot += 1;
            if self.slot.is_multiple_of(SLOTS as u64) {
                self.end_hour();
            }
            self.sent.rotate_right(1);
            self.received.rotate_right(1);
            (self.sent[0], self.received[0]) = (0, 0);
        }
        self.news.retain(|new| now.start().since(new.since) < NEW_FOR);
    }

    #[expect(clippy::cast_possible_truncation, reason = "seven digits are plenty for a median")]
    fn end_hour(&mut self) {
        if self.hours.len() == HOURS {
            self.hours.pop_front();
        }
        self.hours.push_back((self.sent.iter().sum::<u64>() as f64).ln_1p() as f32);
    }

    fn sent_so_far(&self) -> Sent {
        let hour = self.sent.iter().sum::<u64>() as f64;
        let past = self.hours.iter().rev().take(23).map(|hour| f64::from(*hour).exp_m1()).sum::<f64>();
        let level = (self.hours.len() >= 24).then(|| self.level());
        Sent {
            hour,
            day: hour + past,
            received: self.received.iter().sum::<u64>() as f64,
            to_new: self.news.iter().map(|new| new.bytes).sum::<u64>() as f64,
            spreads: level.map(|(median, spread)| (hour.ln_1p() - median) / spread),
            usual: level.map(|(median, spread)| (median + 4.0 * spread).exp_m1()),
            peer: self.peer,
        }
    }

    /// Median and spread of ln(1 + bytes): 1.4826 times the median absolute deviation, at least .5 (DETECTION 5).
    fn level(&self) -> (f64, f64) {
        let mut values: Vec<f64> = self.hours.iter().map(|hour| f64::from(*hour)).collect();
        let middle = values.len() / 2;
        let median = *values.select_nth_unstable_by(middle, f64::total_cmp).1;
        values.iter_mut().for_each(|value| *value = (*value - median).abs());
        let spread = 1.4826 * *values.select_nth_unstable_by(middle, f64::total_cmp).1;
        (median, spread.max(LEAST_SPREAD))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::country::Country;
    use crate::packet::Protocol;
    use crate::summary::Volume;

    const START: u64 = 1_617_699_600 * 4;
    const HOUR: u64 = SLOT * SLOTS as u64;

    fn contact(destination: [u8; 4], stage: ContactStage, sent: u64) -> Contact {
        Contact {
            at: Timestamp::from_secs(START / 4),
            stage,
            originator: Address::v4([203, 0, 113, 1]),
            responder: Address::v4(destination),
            port: 443,
            protocol: Protocol::TCP,
            country: Country::UNKNOWN,
            verified: true,
            age_ms: 900,
            sent: Volume { packets: 10, bytes: sent },
            received: Volume { packets: 10, bytes: 1_000 },
            served: true,
            repeated: false,
            weight: 1,
        }
    }

    fn a_day(outbound: &mut Outbound) -> Tick {
        for hour in 0..30 {
            let now = Tick::new(START + hour * HOUR);
            outbound.observe(now, &contact([198, 51, 100, 1], ContactStage::Settled, 100_000 + hour * 1_000));
        }
        Tick::new(START + 60 * HOUR)
    }

    #[test]
    fn an_hour_far_above_the_usual_one_is_many_spreads_away() {
        let mut outbound = Outbound::new(Seed::default());
        let host = Address::v4([203, 0, 113, 1]);
        outbound.observe(Tick::new(START), &contact([198, 51, 100, 1], ContactStage::Settled, 1));
        assert!(outbound.sent(Tick::new(START), host).unwrap().spreads.is_none());
        for hour in 0..48 {
            let now = Tick::new(START + hour * HOUR);
            outbound.observe(now, &contact([198, 51, 100, 1], ContactStage::Settled, 100_000 + hour * 1_000));
        }
        let now = Tick::new(START + 48 * HOUR);
        outbound.observe(now, &contact([192, 0, 2, 9], ContactStage::Progress, 900_000_000));
        let sent = outbound.sent(now, host).unwrap();
        assert!(sent.spreads.unwrap() > 10.0, "{sent:?}");
        assert!(sent.usual.unwrap() < 2_000_000.0, "{sent:?}");
        assert_eq!(sent.to_new, 900_000_000.0);
        assert!(sent.day >= 900_000_000.0 && sent.hour < 901_000_000.0);
    }

    #[test]
    fn a_destination_is_new_for_a_day_and_silence_is_hours_of_nothing() {
        let mut outbound = Outbound::new(Seed::default());
        let host = Address::v4([203, 0, 113, 1]);
        let now = a_day(&mut outbound);
        let sent = outbound.sent(now, host).unwrap();
        assert_eq!((sent.hour, sent.to_new), (0.0, 0.0));
        outbound.observe(now, &contact([198, 51, 100, 77], ContactStage::Settled, 5_000));
        assert_eq!(outbound.sent(now, host).unwrap().to_new, 0.0, "the /24 is known");
        outbound.observe(now, &contact([192, 0, 2, 77], ContactStage::Settled, 5_000));
        assert_eq!(outbound.sent(now, host).unwrap().to_new, 5_000.0);
        assert_eq!(outbound.sent(now.plus(25 * HOUR), host).unwrap().to_new, 0.0);
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let mut outbound = Outbound::new(Seed::default());
        let now = a_day(&mut outbound);
        outbound.note_opened(now, Address::v4([203, 0, 113, 1]));
        let (hosts, destinations) = outbound.export();
        let mut loaded = Outbound::new(Seed::default());
        assert!(loaded.import(hosts.clone(), destinations.clone()));
        assert_eq!(loaded.export().0, hosts);
        loaded.observe(now, &contact([198, 51, 100, 9], ContactStage::Settled, 5_000));
        assert_eq!(loaded.sent(now, Address::v4([203, 0, 113, 1])).unwrap().to_new, 0.0);
        let text = serde_json::to_string(&hosts).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Remembered>>(&text).unwrap(), hosts);
    }
}
