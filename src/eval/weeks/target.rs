//! One target's counters, tick by tick, as the shards would have summed them.

use std::collections::VecDeque;

use super::Slice;
use super::demand::Demand;
use crate::address::Address;
use crate::country::Country;
use crate::eval::matching::Phase;
use crate::eval::random::Random;
use crate::packet::Protocol;
use crate::summary::{CohortRecord, CohortStage, Contact, ContactStage, HostTick, Outcome, Summary, Volume};
use crate::time::Tick;

/// Countries abroad, the nearest first; each sends half as many again as the next.
const ABROAD: [&str; 24] = [
    "BE", "CH", "DE", "ES", "GB", "IT", "LU", "PT", "NL", "US", "CA", "MA", "DZ", "TN", "SN", "CI", "PL", "RO", "IE",
    "SE", "BR", "IN", "CN", "RU",
];

/// Ticks from the first SYN to the two looks at a handshake.
const LOOK: u64 = 4;
const CLOSE: u64 = 14;

/// Handshakes followed in one tick: as the sampler, which thins what is more.
const MOST_FOLLOWED: u32 = 64;

/// A target and what chance made of it.
#[derive(Debug)]
pub(super) struct Target {
    address: Address,
    random: Random,
    demand: Demand,
    abroad_share: f64,
    /// How much of a rush comes from abroad: 0 nobody, 1 as many as ordinarily.
    elasticity: f64,
    /// Share of connections of clients that come back.
    known_share: f64,
    /// Share of answered handshakes that never finish: lossy lines.
    lost: f64,
    /// Share of clients a quarter of a second and more away.
    far: f64,
    /// Scanners' SYNs a second; they never finish.
    scanned: f64,
    /// Share of clients that give up instead of trying again.
    impatient: f64,
    /// Connections a second that are answered.
    capacity: f64,
    /// Spread of the logarithm of reply sizes.
    variety: f64,
    finishing: VecDeque<u32>,
    /// Looks and closes to come, in order of time.
    looks: VecDeque<CohortRecord>,
    closes: VecDeque<CohortRecord>,
}

pub(super) fn address_of(number: usize) -> Address {
    let [_, _, high, low] = u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes();
    Address::v4([203, 0, high, low])
}

impl Target {
    pub(super) fn draw(number: usize, slice: &Slice, start: u64, random: &mut Random) -> Self {
        let mut own = Random::new(random.bits(), number as u64);
        let demand = Demand::draw(slice.during, start, slice.seconds, &mut own);
        // In a rush 20 times the ordinary rate finds a server for 4 to 12 times of it.
        let capacity = if slice.during == Phase::Overload { own.scale(20.0, 120.0) } else { f64::INFINITY };
        Self {
            address: address_of(number),
            demand,
            abroad_share: own.scale(0.005, 0.15),
            elasticity: own.between(0.0, 1.2),
            known_share: own.between(0.3, 0.95),
            lost: own.scale(0.002, 0.03),
            far: own.between(0.02, 0.25),
            scanned: own.scale(0.02, 2.0),
            impatient: own.between(0.0, 0.6),
            capacity,
            variety: own.between(0.6, 1.6),
            finishing: VecDeque::from([0; 4]),
            looks: VecDeque::new(),
            closes: VecDeque::new(),
            random: own,
        }
    }

    /// Adds the target's tick to a summary.
    pub(super) fn tick(&mut self, tick: Tick, summary: &mut Summary) {
        let moment = self.demand.at(tick, &mut self.random);
        let mut host = HostTick { address: self.address, ..HostTick::default() };
        host.cohort.finished[1] = self.finishing.pop_front().unwrap_or(0);
        self.finishing.push_back(0);
        let answered_share = (self.capacity / moment.rate).min(1.0);
        let first = self.random.poisson(moment.rate * Tick::SECONDS);
        let weight = first.div_ceil(MOST_FOLLOWED).max(1).next_power_of_two();
        let abroad = self.abroad_now(moment.growth);
        for number in 0..first {
            let is_followed = number.is_multiple_of(weight);
            let is_answered = self.random.chance(answered_share);
            let is_abroad = self.random.chance(abroad);
            self.connect(tick, &mut host, (is_followed, weight), is_answered, is_abroad, &mut summary.contacts);
        }
        for _ in 0..self.random.poisson(self.scanned * Tick::SECONDS) {
            self.scan(tick, &mut host);
        }
        host.inbound = Volume {
            packets: u64::from(host.syn) + 7 * u64::from(host.verified),
            bytes: u64::from(host.verified) * 1_200,
        };
        host.outbound = Volume {
            packets: u64::from(host.syn_ack) + 9 * u64::from(host.verified),
            bytes: u64::from(host.verified) * 14_000,
        };
        host.tcp_in = u32::try_from(host.inbound.packets).unwrap_or(u32::MAX);
        host.tcp_out = u32::try_from(host.outbound.packets).unwrap_or(u32::MAX);
        host.verified_from.sort_unstable();
        host.syn_ports = vec![(443, host.syn)];
        self.report(tick, summary);
        if host.inbound.packets > 0 {
            summary.hosts.push(host);
        }
    }

    /// Returns the share from abroad: a rush at home that few abroad take part in thins it.
    fn abroad_now(&self, growth: f64) -> f64 {
        let (home, abroad) = ((1.0 - self.abroad_share) * growth, self.abroad_share * growth.powf(self.elasticity));
        abroad / (home + abroad)
    }

    fn connect(
        &mut self,
        tick: Tick,
        host: &mut HostTick,
        (is_followed, weight): (bool, u32),
        is_answered: bool,
        is_abroad: bool,
        contacts: &mut Vec<Contact>,
    ) {
        let source = self.client(is_abroad);
        let country = if is_abroad { self.country() } else { Country::from_letters(*b"FR") };
        host.syn += 1;
        if is_followed {
            host.cohort.sampled += 1;
            host.cohort.opened += weight;
        }
        if !is_answered {
            let retries = !self.random.chance(self.impatient);
            host.cohort.retried[4] += u32::from(is_followed && retries) * weight;
            host.syn += u32::from(retries);
            self.follow(is_followed, tick, source, weight, if retries { Outcome::RETRIED } else { 0 });
            return;
        }
        host.syn_ack += 1;
        host.cohort.answered[0] += u32::from(is_followed) * weight;
        if self.random.chance(self.lost) {
            self.follow(is_followed, tick, source, weight, Outcome::ANSWERED);
            return;
        }
        if is_followed && self.random.chance(self.far) {
            self.finishing[0] += weight;
        } else if is_followed {
            host.cohort.finished[0] += weight;
        }
        self.follow(is_followed, tick, source, weight, Outcome::ANSWERED | Outcome::FINISHED | Outcome::CONTINUED);
        host.verified += 1;
        host.served += 1;
        host.two_sided += 1;
        host.client_data += 1;
        host.first_byte[5] += 1;
        match host.verified_from.iter_mut().find(|(of, _)| *of == country) {
            Some(entry) => entry.1 += 1,
            None => host.verified_from.push((country, 1)),
        }
        let verified = self.contact(tick, source, country);
        contacts.push(verified);
        contacts.push(Contact { stage: ContactStage::Settled, ..verified });
    }

    /// A scanner's SYN at the open port: answered, and never finished.
    fn scan(&mut self, tick: Tick, host: &mut HostTick) {
        let source = Address::v4(self.random.bits32().to_be_bytes());
        host.syn += 1;
        host.syn_ack += 1;
        host.cohort.sampled += 1;
        host.cohort.opened += 1;
        host.cohort.answered[0] += 1;
        self.follow(true, tick, source, 1, Outcome::ANSWERED);
    }

    fn follow(&mut self, is_followed: bool, tick: Tick, source: Address, weight: u32, outcome: u8) {
        if !is_followed {
            return;
        }
        let record = CohortRecord {
            target: self.address,
            source,
            first_syn: tick.start(),
            port: 443,
            weight,
            ttl: 52,
            window: 64_240,
            stage: CohortStage::Look,
            outcome: Outcome(outcome),
        };
        self.looks.push_back(record);
        self.closes.push_back(CohortRecord { stage: CohortStage::Close, ..record });
    }

    /// Hands out the records that are due.
    fn report(&mut self, tick: Tick, summary: &mut Summary) {
        for (due, after) in [(&mut self.looks, LOOK), (&mut self.closes, CLOSE)] {
            while due.front().is_some_and(|record| tick.since(record.first_syn.tick()) >= after) {
                summary.cohorts.extend(due.pop_front());
            }
        }
    }

    /// Draws a client: one of a few thousand that come back, or a new one.
    fn client(&mut self, is_abroad: bool) -> Address {
        let first = if is_abroad { 20 } else { 80 };
        let number = if self.random.chance(self.known_share) {
            self.random.bits32() % 4_096
        } else {
            self.random.bits32() & 0x00ff_ffff
        };
        let [_, a, b, c] = number.to_be_bytes();
        Address::v4([first + (a & 3), a, b, c])
    }

    fn country(&mut self) -> Country {
        // Half come from the first four, a quarter from the next four, and so on.
        let group = (-self.random.uniform().max(1e-9).log2()).min(5.9);
        let place =
            self.random.pick(&[0, 1, 2, 3]) + 4 * [1.0, 2.0, 3.0, 4.0, 5.0].iter().filter(|g| group >= **g).count();
        ABROAD[place].parse().expect("the table is of codes")
    }

    fn bytes(&mut self, middle: f64, spread: f64) -> u64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive size, far below 2^53")]
        let bytes = (middle * (spread * self.random.normal()).exp()) as u64;
        bytes
    }

    fn contact(&mut self, tick: Tick, source: Address, country: Country) -> Contact {
        let sent = self.bytes(1_200.0, self.variety * 0.5);
        let received = self.bytes(14_000.0, self.variety);
        Contact {
            at: tick.start(),
            stage: ContactStage::Verified,
            originator: source,
            responder: self.address,
            port: 443,
            protocol: Protocol::TCP,
            country,
            verified: true,
            age_ms: 900,
            sent: Volume { packets: 3 + sent / 500, bytes: sent },
            received: Volume { packets: 3 + received / 1_400, bytes: received },
            served: true,
            repeated: false,
            weight: 1,
        }
    }
}
