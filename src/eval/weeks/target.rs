//! One target with every handshake and every client one by one, tick by tick, as the shards would have summed them.

use std::collections::VecDeque;

use super::Slice;
use super::clients::{Clients, scanner};
use super::demand::Demand;
use super::service::Service;
use super::strays::Sidestream;
use crate::address::Address;
use crate::eval::matching::Phase;
use crate::eval::random::Random;
use crate::summary::{CohortRecord, CohortStage, Contact, ContactStage, HostTick, Outcome, Summary, Volume};
use crate::time::Tick;

/// Ticks from the first SYN to the two looks at a handshake.
const LOOK: u64 = 4;
const CLOSE: u64 = 14;

/// Handshakes followed in one tick: as the sampler, which thins what is more.
pub(super) const MOST_FOLLOWED: u32 = 64;

/// What lies between clients and target.
#[derive(Debug)]
pub(super) struct Path {
    /// Share of answered handshakes that never finish: lossy lines. It wanders over minutes.
    lost: f64,
    wandered: f64,
    /// Share of clients a quarter of a second and more away.
    pub(super) far: f64,
    /// Scanners' SYNs a second; they never finish.
    pub(super) scanned: f64,
    /// Share of clients that give up instead of trying again.
    pub(super) impatient: f64,
}

impl Path {
    pub(super) fn draw(random: &mut Random) -> Self {
        Self {
            lost: random.scale(0.002, 0.03),
            wandered: 0.0,
            far: random.between(0.02, 0.25),
            scanned: random.scale(0.02, 2.0),
            impatient: random.between(0.0, 0.6),
        }
    }

    pub(super) fn lost_now(&mut self, random: &mut Random) -> f64 {
        const KEPT: f64 = 0.998;
        const SPREAD: f64 = 0.4;
        self.wandered = KEPT * self.wandered + (1.0 - KEPT * KEPT).sqrt() * SPREAD * random.normal();
        (self.lost * self.wandered.exp()).min(0.5)
    }
}

/// Looks and closes to come, in order of time.
#[derive(Debug, Default)]
pub(super) struct Reports {
    looks: VecDeque<CohortRecord>,
    closes: VecDeque<CohortRecord>,
}

impl Reports {
    /// Takes a handshake as it will be seen at both looks.
    pub(super) fn follow(&mut self, record: CohortRecord) {
        self.looks.push_back(record);
        self.closes.push_back(CohortRecord { stage: CohortStage::Close, ..record });
    }

    /// Hands out the records that are due.
    pub(super) fn hand_out(&mut self, tick: Tick, summary: &mut Summary) {
        for (due, after) in [(&mut self.looks, LOOK), (&mut self.closes, CLOSE)] {
            while due.front().is_some_and(|record| tick.since(record.first_syn.tick()) >= after) {
                summary.cohorts.extend(due.pop_front());
            }
        }
    }
}

/// Counts the packets that the connections of a tick are made of.
pub(super) fn volumes(host: &mut HostTick) {
    host.inbound =
        Volume { packets: u64::from(host.syn) + 7 * u64::from(host.verified), bytes: u64::from(host.verified) * 1_200 };
    host.outbound = Volume {
        packets: u64::from(host.syn_ack) + 9 * u64::from(host.verified),
        bytes: u64::from(host.verified) * 14_000,
    };
    host.tcp_in = u32::try_from(host.inbound.packets).unwrap_or(u32::MAX);
    host.tcp_out = u32::try_from(host.outbound.packets).unwrap_or(u32::MAX);
    host.syn_ports = vec![(443, host.syn)];
}

/// A target and what chance made of it.
#[derive(Debug)]
pub(super) struct Target {
    address: Address,
    random: Random,
    demand: Demand,
    clients: Clients,
    path: Path,
    service: Service,
    sidestreams: Vec<Sidestream>,
    reports: Reports,
    /// Connections a second that are answered.
    capacity: f64,
    finishing: VecDeque<u32>,
}

/// A tick under way.
struct Turn<'a> {
    tick: Tick,
    host: &'a mut HostTick,
    contacts: &'a mut Vec<Contact>,
    answered: f64,
    lost: f64,
    abroad: f64,
}

impl Target {
    pub(super) fn draw(address: Address, slice: &Slice, start: u64, mut random: Random) -> Self {
        let own = &mut random;
        Self {
            address,
            demand: Demand::draw(slice.during, start, slice.seconds, own),
            clients: Clients::draw(address, own),
            path: Path::draw(own),
            service: Service::draw(own),
            sidestreams: Sidestream::all(start, slice.seconds, own),
            reports: Reports::default(),
            // In a rush 20 times the ordinary rate finds a server for 4 to 12 times of it.
            capacity: if slice.during == Phase::Overload { own.scale(20.0, 120.0) } else { f64::INFINITY },
            finishing: VecDeque::from([0; 4]),
            random,
        }
    }

    /// Adds the target's tick to a summary.
    pub(super) fn tick(&mut self, tick: Tick, summary: &mut Summary) {
        let moment = self.demand.at(tick, &mut self.random);
        let mut host = HostTick { address: self.address, ..HostTick::default() };
        host.cohort.finished[1] = self.finishing.pop_front().unwrap_or(0);
        self.finishing.push_back(0);
        let mut turn = Turn {
            tick,
            host: &mut host,
            contacts: &mut summary.contacts,
            answered: (self.capacity / moment.rate).min(1.0),
            lost: self.path.lost_now(&mut self.random),
            abroad: self.clients.abroad_now(moment.growth, &mut self.random),
        };
        let first = self.random.poisson(moment.rate * Tick::SECONDS);
        let weight = first.div_ceil(MOST_FOLLOWED).max(1).next_power_of_two();
        (0..first).for_each(|number| self.connect(&mut turn, number.is_multiple_of(weight).then_some(weight)));
        (0..self.random.poisson(self.path.scanned * Tick::SECONDS)).for_each(|_| self.scan(tick, &mut host));
        self.service.tick(&mut host, &mut self.random);
        self.reports.hand_out(tick, summary);
        volumes(&mut host);
        host.verified_from.sort_unstable();
        for stream in &mut self.sidestreams {
            stream.tick(tick, host.verified, &mut host, &mut self.random);
        }
        if host.inbound.packets > 0 {
            summary.hosts.push(host);
        }
    }

    /// Draws a connection that the sampler follows with a weight, or not.
    fn connect(&mut self, turn: &mut Turn<'_>, weight: Option<u32>) {
        let random = &mut self.random;
        let (is_answered, client) = (random.chance(turn.answered), self.clients.client(turn.abroad, 1, random));
        let (host, counted) = (&mut *turn.host, weight.unwrap_or(0));
        host.syn += 1;
        host.cohort.sampled += u32::from(weight.is_some());
        host.cohort.opened += counted;
        let mut follow = |outcome| {
            let record = weight.map(|weight| self.clients.record(turn.tick, client.source, weight, outcome));
            record.into_iter().for_each(|record| self.reports.follow(record));
        };
        if !is_answered {
            let retries = !random.chance(self.path.impatient);
            host.cohort.retried[4] += u32::from(retries) * counted;
            host.syn += u32::from(retries);
            follow(if retries { Outcome::RETRIED } else { 0 });
            return;
        }
        host.syn_ack += 1;
        host.cohort.answered[0] += counted;
        if random.chance(turn.lost) {
            follow(Outcome::ANSWERED);
            return;
        }
        follow(Outcome::ANSWERED | Outcome::FINISHED | Outcome::CONTINUED);
        if random.chance(self.path.far) {
            self.finishing[0] += counted;
        } else {
            host.cohort.finished[0] += counted;
        }
        host.verified += 1;
        match host.verified_from.iter_mut().find(|(of, _)| *of == client.country) {
            Some(entry) => entry.1 += 1,
            None => host.verified_from.push((client.country, 1)),
        }
        let contact = self.clients.contact(turn.tick, client, 1, random);
        turn.contacts.extend([contact, Contact { stage: ContactStage::Settled, ..contact }]);
    }

    /// A scanner's SYN at the open port: answered, and never finished.
    fn scan(&mut self, tick: Tick, host: &mut HostTick) {
        host.syn += 1;
        host.syn_ack += 1;
        host.cohort.sampled += 1;
        host.cohort.opened += 1;
        host.cohort.answered[0] += 1;
        self.reports.follow(self.clients.record(tick, scanner(&mut self.random), 1, Outcome::ANSWERED));
    }
}
