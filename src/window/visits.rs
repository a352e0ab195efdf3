//! Visits to a log-in service: do those who log in stay (DETECTION 5, BRUTE-2)?
//!
//! Under TLS the outcome of a log-in is not seen; what follows is. A visit is what a source does at an endpoint in the
//! minute from its first conversation. It is a session if it carries 20 kB or comes to three conversations; otherwise it
//! looks unsuccessful. Legitimate users fail at a rate that varies by site and hour (Javed & Paxson, CCS 2013), so the share
//! of unsuccessful-looking visits is held against the endpoint's own usual share, minute by minute.

use std::collections::{BTreeMap, VecDeque};

use crate::address::Address;
use crate::hash::{Seed, mix};
use crate::summary::{Contact, ContactStage};
use crate::time::Tick;
use crate::window::cusum::{Bank, STEP_CAP};
use crate::window::table::{Key, Table, Worth};

/// Visits under way at once.
const MOST_VISITS: usize = 16_384;

/// Endpoints judged.
const MOST_ENDPOINTS: usize = 64;

/// A visit lasts a minute.
const VISIT: u64 = 240;

/// What makes a session.
const SESSION_BYTES: u64 = 20_000;
const SESSION_CONVERSATIONS: u32 = 3;

/// Minutes of shares kept, and those needed before there is a usual share.
const KEPT: usize = 60;
const ARMED_AFTER: usize = 5;

/// Visits that a minute needs to teach anything.
const LEAST_VISITS: u32 = 4;

/// Spreads of the envelope in a cold start (DETECTION 0.2: z_env + 2), and the least there is beyond the median.
const WIDTH: f64 = 5.0;
const MARGIN: f64 = 0.06;

/// Sizes of unsuccessful-looking visits kept.
const SIZES: usize = 64;

/// Who visits what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Visitor {
    source: Address,
    endpoint: (Address, u16),
}

impl Key for Visitor {
    fn hash(&self, secret: Seed) -> u64 {
        mix(mix(secret.address(self.source), u64::from(self.endpoint.1)), secret.address(self.endpoint.0))
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Visit {
    began: Tick,
    conversations: u32,
    largest: u64,
    sent: u32,
    received: u32,
}

impl Worth for Visit {
    fn worth(&self) -> u64 {
        u64::from(self.conversations)
    }

    fn last_seen(&self) -> Tick {
        self.began
    }
}

/// One log-in service.
#[derive(Clone, Debug, Default)]
pub struct Endpoint {
    /// Visits and unsuccessful-looking ones of the minute under way, and how many conversations the latter had.
    visits: u32,
    failed: u32,
    conversations: u32,
    shares: VecDeque<f64>,
    bank: Bank,
    /// What has piled up since the evidence began.
    excess: f64,
    sources: f64,
    attempts: f64,
    latest: f64,
    sizes: VecDeque<(u32, u32)>,
    last_seen: Tick,
}

/// How an endpoint stands at the end of a minute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// Evidence in decades.
    pub score: f64,
    /// When it began.
    pub onset: Tick,
    /// Unsuccessful-looking visits beyond the usual share since then.
    pub excess: f64,
    /// Share of unsuccessful-looking visits in the last minute, and what is usual at most.
    pub share: f64,
    /// See `share`.
    pub usual: f64,
    /// Visits that looked unsuccessful since the evidence began; each is another source or another minute.
    pub sources: f64,
    /// Conversations for each of them.
    pub attempts: f64,
    /// Share of them whose size is within 10 % of the median, both ways.
    pub alike: f64,
}

impl Endpoint {
    fn end_visit(&mut self, visit: &Visit) {
        self.visits += 1;
        if visit.largest < SESSION_BYTES && visit.conversations < SESSION_CONVERSATIONS {
            self.failed += 1;
            self.conversations += visit.conversations;
            if self.sizes.len() == SIZES {
                self.sizes.pop_front();
            }
            self.sizes.push_back((visit.sent, visit.received));
        }
    }

    /// Median share and its envelope, once there are minutes enough.
    fn envelope(&self) -> Option<f64> {
        if self.shares.len() < ARMED_AFTER {
            return None;
        }
        let mut shares: Vec<f64> = self.shares.iter().copied().collect();
        let median = median_of(&mut shares);
        shares.iter_mut().for_each(|share| *share = (*share - median).abs());
        Some((median + (WIDTH * 1.4826 * median_of(&mut shares)).max(MARGIN)).min(0.95))
    }

    /// Ends a minute. `counts` is false while the service is unwell: then failing says nothing of who fails.
    fn end_minute(&mut self, now: Tick, counts: bool) {
        let (visits, failed) = (f64::from(self.visits), f64::from(self.failed));
        let conversations = f64::from(self.conversations);
        (self.visits, self.failed, self.conversations) = (0, 0, 0);
        if !counts || visits < 1.0 {
            return;
        }
        self.latest = failed / visits;
        let Some(usual) = self.envelope() else {
            self.learn(visits);
            return;
        };
        self.bank.observe_share(now, failed, visits, usual, STEP_CAP);
        if self.bank.decades() <= 0.5 {
            (self.excess, self.sources, self.attempts) = (0.0, 0.0, 0.0);
        }
        self.excess += (failed - usual * visits).max(0.0);
        self.sources += failed;
        self.attempts += conversations;
        if self.bank.decades() < 2.0 {
            self.learn(visits);
        }
    }

    fn learn(&mut self, visits: f64) {
        if visits < f64::from(LEAST_VISITS) {
            return;
        }
        if self.shares.len() == KEPT {
            self.shares.pop_front();
        }
        self.shares.push_back(self.latest);
    }

    /// Returns how the endpoint stands; `None` before there is a usual share.
    #[must_use]
    pub fn standing(&self) -> Option<Standing> {
        Some(Standing {
            score: self.bank.decades(),
            onset: self.bank.onset(),
            excess: self.excess,
            share: self.latest,
            usual: self.envelope()?,
            sources: self.sources,
            attempts: self.attempts / self.sources.max(1.0),
            alike: self.alike(),
        })
    }

    fn alike(&self) -> f64 {
        if self.sizes.is_empty() {
            return 0.0;
        }
        let middle = |sizes: Vec<u32>| {
            let mut sizes: Vec<f64> = sizes.into_iter().map(f64::from).collect();
            median_of(&mut sizes)
        };
        let sent = middle(self.sizes.iter().map(|(sent, _)| *sent).collect());
        let received = middle(self.sizes.iter().map(|(_, received)| *received).collect());
        let near = |size: u32, median: f64| (f64::from(size) - median).abs() <= 0.1 * median;
        let alike = self.sizes.iter().filter(|(s, r)| near(*s, sent) && near(*r, received)).count();
        alike as f64 / self.sizes.len() as f64
    }
}

/// All log-in services and the visits under way.
#[derive(Debug)]
pub struct Visits {
    seed: Seed,
    table: Table<Visitor, Visit>,
    ending: VecDeque<(Tick, Visitor)>,
    endpoints: BTreeMap<(Address, u16), Endpoint>,
}

impl Visits {
    /// Builds an empty book keyed by `seed`.
    #[must_use]
    pub fn new(seed: Seed) -> Self {
        Self { seed, table: Table::new(seed, MOST_VISITS), ending: VecDeque::new(), endpoints: BTreeMap::new() }
    }

    /// Takes a settled or progressing conversation with a log-in service.
    pub fn observe(&mut self, now: Tick, contact: &Contact) {
        let endpoint = (contact.responder, contact.port);
        if self.endpoints.len() >= MOST_ENDPOINTS && !self.endpoints.contains_key(&endpoint) {
            return;
        }
        self.endpoints.entry(endpoint).or_default().last_seen = now;
        let visitor = Visitor { source: contact.originator.source_unit(), endpoint };
        if self.table.get(&visitor).is_none() && self.ending.len() < MOST_VISITS {
            self.ending.push_back((now.plus(VISIT), visitor));
        }
        let visit = self.table.entry(visitor, || Visit { began: now, ..Visit::default() });
        visit.largest = visit.largest.max(contact.received.bytes).max(contact.sent.bytes);
        if contact.stage == ContactStage::Settled {
            let bytes = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX);
            visit.conversations = visit.conversations.saturating_add(1);
            (visit.sent, visit.received) = (bytes(contact.sent.bytes), bytes(contact.received.bytes));
        }
    }

    /// Ends the visits that are a minute old, and minutes; tells whether a minute ended.
    pub fn advance(&mut self, now: Tick, is_well: impl Fn(Address) -> bool) -> bool {
        while let Some((_, visitor)) = self.ending.pop_front_if(|(due, _)| *due <= now) {
            let visit = self.table.get(&visitor).copied();
            self.table.remove(&visitor);
            if let (Some(visit), Some(endpoint)) = (visit, self.endpoints.get_mut(&visitor.endpoint)) {
                endpoint.end_visit(&visit);
            }
        }
        if !now.closes_period(240) {
            return false;
        }
        for ((host, _), endpoint) in &mut self.endpoints {
            endpoint.end_minute(now, is_well(*host));
        }
        true
    }

    /// Returns every endpoint with how it stands.
    pub fn standings(&self) -> impl Iterator<Item = ((Address, u16), Standing)> {
        self.endpoints.iter().filter_map(|(at, endpoint)| Some((*at, endpoint.standing()?)))
    }

    /// Forgets everything, as after a gap.
    pub fn clear(&mut self) {
        *self = Self::new(self.seed);
    }
}

fn median_of(values: &mut [f64]) -> f64 {
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::country::Country;
    use crate::packet::Protocol;
    use crate::summary::Volume;
    use crate::time::Timestamp;

    const START: u64 = 1_617_699_600 * 4;

    fn contact(source: u32, received: u64) -> Contact {
        Contact {
            at: Timestamp::ZERO,
            stage: ContactStage::Settled,
            originator: Address::v4(source.to_be_bytes()),
            responder: Address::v4([203, 0, 113, 10]),
            port: 443,
            protocol: Protocol::TCP,
            country: Country::UNKNOWN,
            verified: true,
            age_ms: 900,
            sent: Volume { packets: 8, bytes: 1_200 },
            received: Volume { packets: 8, bytes: received },
            served: true,
            repeated: false,
            weight: 1,
        }
    }

    /// Runs minutes in which `people` come, an eighth of whom fail, and `robots`, all of whom do.
    fn run(visits: &mut Visits, from: u64, minutes: u64, people: u64, robots: u64, well: bool) -> Standing {
        let mut source = 0x0a00_0000 + u32::try_from(from).unwrap() * 4_096;
        for tick in from * 240..(from + minutes) * 240 {
            let now = Tick::new(START + tick);
            for n in 0..people {
                if tick % 240 == n * 240 / people {
                    source += 1;
                    visits.observe(now, &contact(source, if n % 8 == 0 { 3_000 } else { 90_000 }));
                }
            }
            for n in 0..robots {
                if tick % 240 == n * 240 / robots {
                    source += 1;
                    visits.observe(now, &contact(source, 4_100));
                }
            }
            visits.advance(now, |_| well);
        }
        visits.standings().next().unwrap().1
    }

    #[test]
    fn those_who_log_in_and_stay_are_no_evidence_however_many() {
        let mut visits = Visits::new(Seed::default());
        run(&mut visits, 0, 15, 20, 0, true);
        let crowd = run(&mut visits, 15, 15, 200, 0, true);
        assert!(crowd.score < 1.0, "{crowd:?}");
    }

    #[test]
    fn many_that_fail_once_each_are_found() {
        let mut visits = Visits::new(Seed::default());
        run(&mut visits, 0, 15, 20, 0, true);
        let stuffing = run(&mut visits, 15, 20, 20, 25, true);
        assert!(stuffing.score > 9.3 && stuffing.excess > 100.0, "{stuffing:?}");
        assert!(stuffing.alike > 0.6 && stuffing.attempts < 1.5, "{stuffing:?}");
    }

    #[test]
    fn who_fails_at_a_service_that_is_unwell_is_not_judged() {
        let mut visits = Visits::new(Seed::default());
        run(&mut visits, 0, 15, 20, 0, true);
        let overloaded = run(&mut visits, 15, 20, 20, 200, false);
        assert!(overloaded.score < 1.0, "{overloaded:?}");
    }
}
