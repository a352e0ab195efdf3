//! Short, small conversations with log-in services, by source and endpoint (DETECTION 5, BRUTE-1).
//!
//! Per-source flows of password guessing are flat in bytes and duration, encrypted or not (Hofstede et al., "Flow-Based Web
//! Application Brute-Force Attack and Compromise Detection", JNSM 25(4), 2017). So what is kept is the size of each, both
//! ways, of the last ten minutes; which of them look alike is told against their median. People's sessions differ: they
//! are of many lengths and carry work.

use std::collections::VecDeque;

use crate::address::Address;
use crate::country::Country;
use crate::hash::{Seed, mix};
use crate::summary::{CohortRecord, Contact};
use crate::time::Tick;
use crate::window::bitmap::Bitmap;
use crate::window::table::{Key, Table, Worth};

/// Entries of the table, a little over 1 KiB each.
const MOST_ENTRIES: usize = 2_048;

/// Attempts whose size is kept; beyond that the newest stand for all.
const KEPT: usize = 64;

/// Ten minutes.
pub const WINDOW: u64 = 2_400;

/// Minutes of the window.
const MINUTES: usize = 10;

/// Sizes within this share of the median are alike (DETECTION 5).
const ALIKE: f64 = 0.10;

/// Bytes of a TCP segment without data on Ethernet (14 + 20 + 32 with time stamps, RFC 7323), and how many may be more or
/// less.
const ACKNOWLEDGEMENT: f64 = 66.0;
const MOST_ACKNOWLEDGEMENTS: f64 = 3.0;

/// Who tries where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attempter {
    /// The source unit.
    pub source: Address,
    /// The host that serves the log-in.
    pub host: Address,
    /// Its port.
    pub port: u16,
}

impl Key for Attempter {
    fn hash(&self, secret: Seed) -> u64 {
        mix(mix(secret.address(self.source), u64::from(self.port)), secret.address(self.host))
    }
}

#[derive(Clone, Copy, Debug)]
struct Attempt {
    at: Tick,
    sent: u32,
    received: u32,
    /// Packets each way.
    packets: (u32, u32),
}

/// The attempts of one source at one endpoint.
#[derive(Clone, Debug, Default)]
pub struct Attempts {
    newest: VecDeque<Attempt>,
    /// All attempts by minute, the minute under way first.
    minutes: [u32; MINUTES],
    minute: u64,
    /// Conversations that were no attempts: sessions.
    sessions: [u32; MINUTES],
    /// Different stacks seen behind the address.
    stacks: Bitmap,
    bytes: u64,
    packets: u64,
    country: Country,
    last_seen: Tick,
}

/// What the attempts of the last ten minutes look like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// How many there were.
    pub attempts: f64,
    /// Share of them whose size is within 10 % of the median, both ways.
    pub alike: f64,
    /// Median bytes of an attempt, from the client and to it.
    pub sent: f64,
    /// See `sent`.
    pub received: f64,
    /// Sessions beside them.
    pub sessions: f64,
    /// First of the attempts that are still in the window.
    pub since: Tick,
}

impl Worth for Attempts {
    fn worth(&self) -> u64 {
        self.minutes.iter().map(|count| u64::from(*count)).sum()
    }

    fn last_seen(&self) -> Tick {
        self.last_seen
    }
}

impl Attempts {
    fn roll(&mut self, now: Tick) {
        let minute = now.number() / 240;
        let passed = usize::try_from(minute.saturating_sub(self.minute)).unwrap_or(MINUTES).min(MINUTES);
        for counts in [&mut self.minutes, &mut self.sessions] {
            counts.rotate_right(passed);
            counts[..passed].fill(0);
        }
        self.minute = self.minute.max(minute);
        while self.newest.front().is_some_and(|attempt| now.since(attempt.at) > WINDOW) {
            self.newest.pop_front();
        }
    }

    fn attempt(&mut self, now: Tick, contact: &Contact) {
        self.minutes[0] = self.minutes[0].saturating_add(1);
        if self.newest.len() == KEPT {
            self.newest.pop_front();
        }
        let bytes = |volume: u64| u32::try_from(volume).unwrap_or(u32::MAX);
        let (sent, received) = (bytes(contact.sent.bytes), bytes(contact.received.bytes));
        let packets = (bytes(contact.sent.packets), bytes(contact.received.packets));
        self.newest.push_back(Attempt { at: now, sent, received, packets });
        self.bytes += contact.sent.bytes + contact.received.bytes;
        self.packets += contact.sent.packets + contact.received.packets;
        self.country = contact.country;
    }

    /// Returns how the attempts look; `None` when there are none.
    #[must_use]
    pub fn look(&self) -> Option<Look> {
        let since = self.newest.front()?.at;
        let sent = median(self.newest.iter().map(|attempt| attempt.sent));
        let received = median(self.newest.iter().map(|attempt| attempt.received));
        let packets = (
            median(self.newest.iter().map(|attempt| attempt.packets.0)),
            median(self.newest.iter().map(|attempt| attempt.packets.1)),
        );
        let near = |a: &&Attempt| {
            is_near((a.sent, sent), (a.packets.0, packets.0))
                && is_near((a.received, received), (a.packets.1, packets.1))
        };
        let alike = self.newest.iter().filter(near).count();
        Some(Look {
            attempts: f64::from(self.minutes.iter().sum::<u32>()).max(self.newest.len() as f64),
            alike: alike as f64 / self.newest.len() as f64,
            sent,
            received,
            sessions: f64::from(self.sessions.iter().sum::<u32>()),
            since,
        })
    }

    /// Returns how many different network stacks were seen behind the source.
    #[must_use]
    pub fn stacks(&self) -> f64 {
        self.stacks.distinct()
    }

    /// Returns packets and bytes of all its attempts, both ways.
    #[must_use]
    pub const fn volume(&self) -> (u64, u64) {
        (self.packets, self.bytes)
    }

    /// Returns where the source is registered.
    #[must_use]
    pub const fn country(&self) -> Country {
        self.country
    }

    /// When it was last seen.
    #[must_use]
    pub const fn last_seen(&self) -> Tick {
        self.last_seen
    }
}

/// The table.
#[derive(Debug)]
pub struct Logins {
    seed: Seed,
    table: Table<Attempter, Attempts>,
}

impl Logins {
    /// Builds an empty table keyed by `seed`.
    #[must_use]
    pub fn new(seed: Seed) -> Self {
        Self { seed, table: Table::new(seed, MOST_ENTRIES) }
    }

    /// Takes a settled conversation with a log-in service, `is_attempt` if it is short and small; returns who is touched.
    pub fn observe(&mut self, now: Tick, contact: &Contact, is_attempt: bool) -> Attempter {
        let key = Attempter { source: contact.originator.source_unit(), host: contact.responder, port: contact.port };
        let entry = self.table.entry(key, Attempts::default);
        entry.roll(now);
        entry.last_seen = now;
        if is_attempt {
            entry.attempt(now, contact);
        } else {
            entry.sessions[0] = entry.sessions[0].saturating_add(1);
        }
        key
    }

    /// Takes a followed handshake: its first SYN tells the stack behind the source.
    pub fn note_stack(&mut self, record: &CohortRecord) {
        let key = Attempter { source: record.source, host: record.target, port: record.port };
        let hash = mix(self.seed.0[0], u64::from(record.ttl) << 16 | u64::from(record.window));
        if let Some(entry) = self.table.get_mut(&key) {
            entry.stacks.insert(hash);
        }
    }

    /// Returns the attempts of one, what is older than ten minutes dropped.
    pub fn current(&mut self, now: Tick, key: &Attempter) -> Option<&Attempts> {
        let entry = self.table.get_mut(key)?;
        entry.roll(now);
        Some(entry)
    }

    /// Forgets everything, as after a gap.
    pub fn clear(&mut self) {
        *self = Self::new(self.seed);
    }
}

/// Tells whether a size is within 10 % of the median, a few acknowledgements more or less aside: those are no difference in
/// what was said.
fn is_near((size, of_all): (u32, f64), (packets, packets_of_all): (u32, f64)) -> bool {
    let acknowledgements = (f64::from(packets) - packets_of_all).abs().min(MOST_ACKNOWLEDGEMENTS);
    (f64::from(size) - of_all).abs() <= ALIKE * of_all + ACKNOWLEDGEMENT * acknowledgements
}

fn median(sizes: impl Iterator<Item = u32>) -> f64 {
    let mut sizes: Vec<u32> = sizes.collect();
    let middle = sizes.len() / 2;
    f64::from(*sizes.select_nth_unstable(middle).1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Protocol;
    use crate::summary::{ContactStage, Volume};
    use crate::time::Timestamp;

    fn contact(sent: u64, received: u64) -> Contact {
        let volume = |bytes| Volume { packets: 8, bytes };
        Contact {
            at: Timestamp::ZERO,
            stage: ContactStage::Settled,
            originator: Address::v4([198, 51, 100, 7]),
            responder: Address::v4([203, 0, 113, 1]),
            port: 21,
            protocol: Protocol::TCP,
            country: Country::UNKNOWN,
            verified: true,
            age_ms: 1_900,
            sent: volume(sent),
            received: volume(received),
            served: true,
            repeated: false,
            weight: 1,
        }
    }

    #[test]
    fn guesses_look_alike_and_sessions_do_not() {
        let mut logins = Logins::new(Seed::default());
        let mut key = None;
        for n in 0..40 {
            key = Some(logins.observe(Tick::new(1_000 + n), &contact(600 + n % 7, 700), true));
        }
        let look = logins.current(Tick::new(1_040), &key.unwrap()).unwrap().look().unwrap();
        assert!(look.alike > 0.99 && (look.attempts - 40.0).abs() < 1e-9, "{look:?}");
        assert_eq!(look.since, Tick::new(1_000));
        let mut logins = Logins::new(Seed::default());
        for n in 0..40 {
            key = Some(logins.observe(Tick::new(1_000 + n), &contact(300 + n * 97, 400 + n * n * 13), true));
        }
        let look = logins.current(Tick::new(1_040), &key.unwrap()).unwrap().look().unwrap();
        assert!(look.alike < 0.4, "{look:?}");
    }

    #[test]
    fn an_acknowledgement_more_is_no_difference() {
        // As in a capture of FTP guessing: the same words, acknowledged apart.
        assert!(is_near((828, 763.0), (12, 11.0)) && is_near((871, 739.0), (11, 9.0)));
        assert!(!is_near((871, 739.0), (9, 9.0)), "the same packets, other words");
        assert!(!is_near((2_000, 739.0), (30, 9.0)), "a session");
    }

    #[test]
    fn more_attempts_than_are_kept_still_count_and_are_forgotten_after_ten_minutes() {
        let mut logins = Logins::new(Seed::default());
        let mut key = None;
        for n in 0..1_000 {
            key = Some(logins.observe(Tick::new(1_000 + n / 2), &contact(600, 700), true));
        }
        let now = Tick::new(1_500);
        let attempts = logins.current(now, &key.unwrap()).unwrap().look().unwrap().attempts;
        assert!((attempts - 1_000.0).abs() < 1e-9);
        assert!(logins.current(now.plus(WINDOW + 241), &key.unwrap()).unwrap().look().is_none());
    }
}
