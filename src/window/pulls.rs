//! What single clients fetch from single servers in an hour: bytes and answers, and how much others fetch (DETECTION 5,
//! EXF-2).
//!
//! The heaviest pairs live in a table of fixed size in which the lightest give way: Space-Saving (Metwally et al. 2005)
//! without handing on the loser's count, so that nobody is charged with what he did not fetch. What the clients of a server
//! fetched in past hours is kept as a histogram (HdrHistogram, two digits); the tail of the present hour is in the table.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::address::Address;
use crate::country::Country;
use crate::hash::{Seed, mix};
use crate::summary::{CohortRecord, Contact, ContactStage};
use crate::time::Tick;
use crate::window::bitmap::Bitmap;
use crate::window::overlap::Overlap;
use crate::window::table::{Key, Table, Worth};

/// Pairs of server and client; some 400 bytes each.
const MOST_PAIRS: usize = 4_096;

/// Servers whose past is kept, some 15 KiB each.
const MOST_SERVERS: usize = 64;

/// Slots of an hour, five minutes each.
const SLOTS: usize = 12;
const SLOT: u64 = 1_200;

/// Conversations that carried less have no progress reports.
const PROGRESS: u64 = 4 << 20;

/// Half-octaves of an answer's size.
const CLASSES: usize = 64;

/// Who fetches from whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pull {
    /// The inside host.
    pub server: Address,
    /// The client's source unit.
    pub client: Address,
}

impl Key for Pull {
    fn hash(&self, secret: Seed) -> u64 {
        mix(secret.address(self.server), secret.address(self.client))
    }
}

/// What one client fetched from one server in the last hour.
#[derive(Clone, Debug)]
pub struct Pulled {
    slot: u64,
    bytes: [u64; SLOTS],
    packets: [u64; SLOTS],
    answers: [u32; SLOTS],
    /// Answers by size since the entry was made, fading by half each hour.
    classes: [u32; CLASSES],
    /// Large conversations under way.
    large: Overlap,
    stacks: Bitmap,
    country: Country,
    since: Tick,
    last_seen: Tick,
}

impl Default for Pulled {
    fn default() -> Self {
        Self {
            slot: 0,
            bytes: [0; SLOTS],
            packets: [0; SLOTS],
            answers: [0; SLOTS],
            classes: [0; CLASSES],
            large: Overlap::default(),
            stacks: Bitmap::default(),
            country: Country::UNKNOWN,
            since: Tick::default(),
            last_seen: Tick::default(),
        }
    }
}

impl Worth for Pulled {
    fn worth(&self) -> u64 {
        self.bytes()
    }

    fn last_seen(&self) -> Tick {
        self.last_seen
    }
}

impl Pulled {
    fn roll(&mut self, now: Tick) {
        let slot = now.number() / SLOT;
        let passed = usize::try_from(slot.saturating_sub(self.slot)).unwrap_or(SLOTS).min(SLOTS);
        if passed > 0 {
            self.bytes.rotate_right(passed);
            self.bytes[..passed].fill(0);
            self.packets.rotate_right(passed);
            self.packets[..passed].fill(0);
            self.answers.rotate_right(passed);
            self.answers[..passed].fill(0);
        }
        if slot / SLOTS as u64 != self.slot / SLOTS as u64 {
            self.classes.iter_mut().for_each(|count| *count /= 2);
        }
        self.slot = self.slot.max(slot);
        if self.bytes() == 0 && self.answers() == 0 {
            self.since = now;
        }
    }

    /// Returns the bytes of the last hour.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.iter().sum()
    }

    /// Returns the packets of the last hour.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.packets.iter().sum()
    }

    /// Returns the answers of the last hour.
    #[must_use]
    pub fn answers(&self) -> u64 {
        self.answers.iter().map(|count| u64::from(*count)).sum()
    }

    /// Returns the share of answers that lie in the two neighbouring half-octaves of size that most lie in.
    #[must_use]
    pub fn alike(&self) -> f64 {
        let total: u32 = self.classes.iter().sum();
        let most = self.classes.windows(2).map(|pair| pair[0] + pair[1]).max().unwrap_or(0);
        if total == 0 { 0.0 } else { f64::from(most) / f64::from(total) }
    }

    /// Returns how many large conversations it has at once.
    #[must_use]
    pub fn at_once(&self) -> f64 {
        self.large.at_once()
    }

    /// Returns how many different network stacks were seen behind the client.
    #[must_use]
    pub fn stacks(&self) -> f64 {
        self.stacks.distinct()
    }

    /// Returns where the client's address is registered.
    #[must_use]
    pub const fn country(&self) -> Country {
        self.country
    }

    /// Returns since when it fetches, an hour at most before it was last seen.
    #[must_use]
    pub fn since(&self) -> Tick {
        self.since.max(Tick::new(self.last_seen.number().saturating_sub(SLOT * SLOTS as u64)))
    }

    /// Returns when it was last seen.
    #[must_use]
    pub const fn last_seen(&self) -> Tick {
        self.last_seen
    }
}

/// How much the other clients of a server fetch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Others {
    /// How many are known, of this hour.
    pub clients: usize,
    /// Bytes in an hour that one of a thousand exceeds; of few clients, what the largest of them fetched.
    pub bytes: f64,
    /// The same for answers.
    pub answers: f64,
}

/// The table.
#[derive(Debug)]
pub struct Pulls {
    seed: Seed,
    table: Table<Pull, Pulled>,
    /// Bytes that a client fetched in an hour that is over, by server.
    past: BTreeMap<Address, Histogram<u32>>,
}

impl Pulls {
    /// Builds an empty table keyed by `seed`.
    #[must_use]
    pub fn new(seed: Seed) -> Self {
        Self { seed, table: Table::new(seed, MOST_PAIRS), past: BTreeMap::new() }
    }

    /// Takes a conversation that a client opened; returns its pair, and what that did in the last hour.
    pub fn observe(&mut self, now: Tick, contact: &Contact) -> (Pull, &Pulled) {
        let pull = Pull { server: contact.responder, client: contact.originator.source_unit() };
        let pulled = self.table.entry(pull, Pulled::default);
        pulled.roll(now);
        pulled.last_seen = now;
        pulled.country = contact.country;
        let all = contact.sent.bytes + contact.received.bytes;
        // What a conversation carried is told once: a small one when it is settled, a large one as it goes on.
        let counts = match contact.stage {
            ContactStage::Settled => all < PROGRESS,
            ContactStage::Progress => true,
            _ => false,
        };
        if counts {
            pulled.bytes[0] += contact.received.bytes;
            pulled.packets[0] += contact.received.packets;
        }
        if contact.stage == ContactStage::Settled {
            pulled.answers[0] = pulled.answers[0].saturating_add(1);
            let class = &mut pulled.classes[class(contact.received.bytes)];
            *class = class.saturating_add(1);
        } else if contact.stage == ContactStage::Progress {
            let (at, age) = (contact.at.as_nanos() / 1_000_000, u64::from(contact.age_ms));
            // A beginning is known to a millisecond or two.
            let began = at.saturating_sub(age);
            pulled.large.report(at, age, mix(self.seed.0[1], began >> 6));
        }
        (pull, pulled)
    }

    /// Takes a followed handshake: its first SYN tells the stack behind the client.
    pub fn note_stack(&mut self, record: &CohortRecord) {
        let hash = mix(self.seed.0[0], u64::from(record.ttl) << 16 | u64::from(record.window));
        if let Some(pulled) = self.table.get_mut(&Pull { server: record.target, client: record.source }) {
            pulled.stacks.insert(hash);
        }
    }

    /// Returns what a pair did in the last hour.
    pub fn current(&mut self, now: Tick, pull: &Pull) -> Option<&Pulled> {
        let pulled = self.table.get_mut(pull)?;
        pulled.roll(now);
        Some(pulled)
    }

    /// Returns how much the other clients of a server fetch, past hours included.
    pub fn others(&mut self, now: Tick, pull: &Pull) -> Others {
        let (mut bytes, mut answers) = (Vec::new(), Vec::new());
        for (key, pulled) in self.table.iter_mut() {
            if key.server == pull.server && key.client != pull.client {
                pulled.roll(now);
                bytes.push(pulled.bytes());
                answers.push(pulled.answers());
            }
        }
        let past = self.past.get(&pull.server).filter(|past| past.len() >= 20);
        let past = past.map_or(0, |past| past.value_at_quantile(0.999));
        Others {
            clients: bytes.len(),
            bytes: exceeded_by_a_thousandth(&mut bytes).max(past) as f64,
            answers: exceeded_by_a_thousandth(&mut answers) as f64,
        }
    }

    /// Once an hour: notes what each client fetched in it, but those that `leave_out` names.
    pub fn remember(&mut self, now: Tick, leave_out: impl Fn(&Pull) -> bool) {
        let Self { table, past, .. } = self;
        table.retain(|pull, pulled| {
            pulled.roll(now);
            let bytes = pulled.bytes();
            let known = past.contains_key(&pull.server) || past.len() < MOST_SERVERS;
            if bytes > 0 && known && !leave_out(pull) {
                let past = past.entry(pull.server).or_insert_with(histogram);
                past.saturating_record(bytes);
            }
            bytes > 0 || pulled.answers() > 0
        });
    }

    /// Forgets the hour under way, as after a gap.
    pub fn clear(&mut self) {
        self.table = Table::new(self.seed, MOST_PAIRS);
    }
}

/// 1 B to 100 TB, two digits.
fn histogram() -> Histogram<u32> {
    Histogram::new_with_bounds(1, 100_000_000_000_000, 2).expect("the bounds are in order and two digits are allowed")
}

fn exceeded_by_a_thousandth(values: &mut [u64]) -> u64 {
    values.sort_unstable_by(|a, b| b.cmp(a));
    values.get(values.len() / 1_000).copied().unwrap_or(0)
}

/// Half-octaves: two classes to each doubling.
fn class(bytes: u64) -> usize {
    let octave = bytes.max(1).ilog2();
    let upper = octave > 0 && bytes >> (octave - 1) & 1 == 1;
    (2 * octave as usize + usize::from(upper)).min(CLASSES - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::country::Country;
    use crate::packet::Protocol;
    use crate::summary::Volume;
    use crate::time::Timestamp;

    const START: u64 = 1_617_699_600 * 4;

    fn contact(client: u32, stage: ContactStage, received: u64) -> Contact {
        Contact {
            at: Timestamp::from_secs(START / 4),
            stage,
            originator: Address::v4(client.to_be_bytes()),
            responder: Address::v4([203, 0, 113, 1]),
            port: 443,
            protocol: Protocol::TCP,
            country: Country::UNKNOWN,
            verified: true,
            age_ms: 900,
            sent: Volume { packets: 10, bytes: 900 },
            received: Volume { packets: received / 1_400, bytes: received },
            served: true,
            repeated: false,
            weight: 1,
        }
    }

    #[test]
    fn each_byte_is_counted_once() {
        let mut pulls = Pulls::new(Seed::default());
        let now = Tick::new(START);
        let (pull, _) = pulls.observe(now, &contact(1, ContactStage::Settled, 1_000_000));
        // A large one: settled at ten seconds, and told in parts.
        pulls.observe(now, &contact(1, ContactStage::Progress, 5_000_000));
        pulls.observe(now, &contact(1, ContactStage::Settled, 5_000_000));
        pulls.observe(now, &contact(1, ContactStage::Progress, 3_000_000));
        let pulled = pulls.current(now, &pull).unwrap();
        assert_eq!((pulled.bytes(), pulled.answers()), (9_000_000, 2));
    }

    #[test]
    fn an_hour_later_nothing_is_left() {
        let mut pulls = Pulls::new(Seed::default());
        let (pull, _) = pulls.observe(Tick::new(START), &contact(1, ContactStage::Settled, 1_000_000));
        assert_eq!(pulls.current(Tick::new(START + 11 * SLOT), &pull).unwrap().bytes(), 1_000_000);
        assert_eq!(pulls.current(Tick::new(START + 13 * SLOT), &pull).unwrap().bytes(), 0);
    }

    #[test]
    fn the_others_do_not_include_the_client_itself() {
        let mut pulls = Pulls::new(Seed::default());
        let now = Tick::new(START);
        for client in 1..=100 {
            pulls.observe(now, &contact(client, ContactStage::Settled, u64::from(client) * 10_000));
        }
        let (pull, _) = pulls.observe(now, &contact(999, ContactStage::Progress, 900_000_000));
        let others = pulls.others(now, &pull);
        assert_eq!((others.clients, others.bytes), (100, 1_000_000.0));
        pulls.remember(now, |pull| pull.client == Address::v4(999_u32.to_be_bytes()));
        let later = Tick::new(START + 20 * SLOT);
        let past = pulls.others(later, &pull);
        assert!((past.bytes - 1_000_000.0).abs() < 20_000.0, "{past:?}");
    }

    #[test]
    fn halves_of_an_octave_are_told_apart() {
        assert_eq!([class(0), class(1), class(2), class(3), class(4), class(6)], [0, 0, 2, 3, 4, 5]);
        assert_eq!(class(u64::MAX), CLASSES - 1);
    }
}
