//! One target drawn as counts: what a tick costs does not depend on how many connect, so that far more weeks are seen.
//!
//! Rates, shares of handshakes and of countries, waits, open connections and stray packets are as exact as in a
//! [whole](super::target) one. Facts about single handshakes and clients are thinned as shards thin them when too many come:
//! one client in so many is followed and stands for all, but every handshake that did not finish is told. So tests of
//! clients and shapes rest on few here, and their false alarms are the whole targets' to show.

use std::collections::VecDeque;

use super::Slice;
use super::clients::{Clients, scanner};
use super::demand::Demand;
use super::service::Service;
use super::strays::Sidestream;
use super::target::{MOST_FOLLOWED, Path, Reports, volumes};
use crate::address::Address;
use crate::eval::matching::Phase;
use crate::eval::random::Random;
use crate::summary::{Contact, ContactStage, HostTick, Outcome, Summary};
use crate::time::Tick;

/// Clients followed a second, about, when most come.
const FOLLOWED: f64 = 0.5;

/// A target and what chance made of it.
#[derive(Debug)]
pub(super) struct Counted {
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
    /// One client in so many is followed.
    thinned: u32,
    finishing: u32,
    retrying: VecDeque<u32>,
}

/// What became of the handshakes of a tick.
#[derive(Clone, Copy, Debug)]
struct Outcomes {
    unanswered: u32,
    lost: u32,
}

impl Counted {
    pub(super) fn draw(address: Address, slice: &Slice, start: u64, mut random: Random) -> Self {
        let own = &mut random;
        // Larger ones too: a hundred times the smallest cost no more.
        let demand = Demand::draw(slice.during, start, slice.seconds, own).times(own.scale(0.25, 5.0));
        Self {
            address,
            clients: Clients::draw(address, own),
            path: Path::draw(own),
            service: Service::draw(own),
            sidestreams: Sidestream::all(start, slice.seconds, own),
            reports: Reports::default(),
            capacity: if slice.during == Phase::Overload { own.scale(20.0, 120.0) } else { f64::INFINITY },
            thinned: thinned(demand.base()),
            finishing: 0,
            retrying: VecDeque::from([0; 4]),
            demand,
            random,
        }
    }

    /// Adds the target's tick to a summary.
    pub(super) fn tick(&mut self, tick: Tick, summary: &mut Summary) {
        let random = &mut self.random;
        let moment = self.demand.at(tick, random);
        let abroad = self.clients.abroad_now(moment.growth, random);
        let lost = self.path.lost_now(random);
        let first = random.poisson(moment.rate * Tick::SECONDS);
        let answered = random.binomial(first, (self.capacity / moment.rate).min(1.0));
        let mut host = HostTick { address: self.address, ..HostTick::default() };
        host.verified = random.binomial(answered, 1.0 - lost);
        host.verified_from = self.clients.origins(host.verified, abroad, random);
        self.service.tick(&mut host, random);
        let outcomes = Outcomes { unanswered: first - answered, lost: answered - host.verified };
        self.shake_hands(tick, first, outcomes, &mut host);
        self.meet(tick, abroad, host.verified, &mut summary.contacts);
        self.reports.hand_out(tick, summary);
        volumes(&mut host);
        for stream in &mut self.sidestreams {
            stream.tick(tick, host.verified, &mut host, &mut self.random);
        }
        if host.inbound.packets > 0 {
            summary.hosts.push(host);
        }
    }

    /// Draws what the sampler sees of the handshakes, and of scanners' SYNs, which are answered and never finish.
    fn shake_hands(&mut self, tick: Tick, first: u32, outcomes: Outcomes, host: &mut HostTick) {
        let random = &mut self.random;
        let probes = random.poisson(self.path.scanned * Tick::SECONDS);
        let weight = first.div_ceil(MOST_FOLLOWED).max(1).next_power_of_two();
        let sampled = first / weight;
        let part =
            |count: u32, random: &mut Random| random.binomial(sampled, f64::from(count) / f64::from(first.max(1)));
        let unanswered = part(outcomes.unanswered, random);
        let lost = part(outcomes.lost, random).min(sampled - unanswered);
        let finished = sampled - unanswered - lost;
        let late = random.binomial(finished, self.path.far);
        let again = unanswered - random.binomial(unanswered, self.path.impatient);
        let cohort = &mut host.cohort;
        cohort.sampled = sampled + probes;
        cohort.opened = sampled * weight + probes;
        cohort.answered[0] = (sampled - unanswered) * weight + probes;
        cohort.finished[0] = (finished - late) * weight;
        cohort.finished[1] = std::mem::replace(&mut self.finishing, late * weight);
        cohort.retried[4] = self.retrying.pop_front().unwrap_or(0);
        self.retrying.push_back(again * weight);
        host.syn = first + probes + cohort.retried[4];
        host.syn_ack = first - outcomes.unanswered + probes;
        for _ in 0..probes {
            self.reports.follow(self.clients.record(tick, scanner(&mut self.random), 1, Outcome::ANSWERED));
        }
        let retried = [(again, Outcome::RETRIED), (unanswered - again, 0), (lost, Outcome::ANSWERED)];
        for (count, outcome) in retried {
            for _ in 0..count {
                let client = self.clients.client(0.05, 1, &mut self.random);
                self.reports.follow(self.clients.record(tick, client.source, weight, outcome));
            }
        }
    }

    /// Draws the clients that are followed, each standing for as many as were thinned.
    fn meet(&mut self, tick: Tick, abroad: f64, verified: u32, contacts: &mut Vec<Contact>) {
        let followed = self.random.binomial(verified, 1.0 / f64::from(self.thinned));
        for _ in 0..followed {
            let client = self.clients.client(abroad, self.thinned, &mut self.random);
            let contact = self.clients.contact(tick, client, self.thinned, &mut self.random);
            contacts.extend([contact, Contact { stage: ContactStage::Settled, ..contact }]);
            let finished = Outcome::ANSWERED | Outcome::FINISHED | Outcome::CONTINUED;
            self.reports.follow(self.clients.record(tick, client.source, self.thinned, finished));
        }
    }
}

/// Returns of how many clients one is followed where so many come a second: a power of two.
fn thinned(rate: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some thousands at most")]
    let times = (rate / FOLLOWED).ceil().max(1.0) as u32;
    times.next_power_of_two()
}
