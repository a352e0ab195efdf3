//! The simulation: one clock, one queue of events, one stream of chance; packets leave in time order.
//!
//! The mirror port stands beside the servers: a client's packet is seen half a round trip after it was sent, a server's
//! at once. What is lost between client and mirror port is never seen; what is lost behind it is.

use std::collections::HashSet;

use super::answers::{Answer, Budgets};
use super::attack::Campaign;
use super::connection::{Connection, Role, Step};
use super::datagram::Talk;
use super::flood::{HalfOpen, HalfOpenStep};
use super::minutes::Minutes;
use super::number::{low_u8, low_u16, nanos};
use super::outlet::{Outlet, Sink};
use super::parameters::Parameters;
use super::plan::Plan;
use super::population::{Population, Visitor};
use super::queue::{EventQueue, Handle, Nanos, Slab};
use super::random::{Random, exp};
use super::server::Server;
use super::session::{Beat, Session};
use crate::address::Address;
use crate::country::Country;

/// Time simulated before the capture begins, so that it begins in the middle of things.
const WARM_UP: f64 = 30.0;

/// Mean connections of a visit (DETECTION 8.1: geometric, 4 to 30).
const CONNECTIONS_PER_VISIT: f64 = 4.0;

/// Share of visits to the web server; the rest go to a second, smaller site.
const MAIN_SHARE: f64 = 0.85;

/// Share of connections that are followed by one over QUIC.
const QUIC_SHARE: f64 = 0.03;

/// Spread and memory of the ordinary rate's own noise (DETECTION 8.1: .03 to .25, 1 to 60 s).
const NOISE_SPREAD: f64 = 0.06;
const NOISE_MEMORY_SECONDS: f64 = 10.0;

/// The web server's place in [`World::servers`].
pub(super) const MAIN: usize = 0;

/// What may happen.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// Someone new visits, or not: the stream draws again.
    Arrival(Stream),
    /// The next connection of a visit.
    Visit(Visit),
    /// Someone who gave up tries again.
    Reload(Visitor, usize, Role),
    /// Something in a connection.
    Connection(Handle, Step),
    /// The application of a server takes the next connection.
    Service(usize),
    /// The next packet or connection of an attack.
    Attack(usize),
    /// Something with a SYN that nobody means to finish.
    HalfOpen(Handle, HalfOpenStep),
    /// The next datagram of a conversation.
    Talk(Handle),
    /// A packet that was caused.
    Answer(Handle),
    /// Something in a scripted session.
    Session(Handle, Beat),
    /// An inside client goes out.
    Browse,
    /// An administrator logs in.
    Administer,
    /// An inside client talks with a peer.
    Peer,
    /// The next datagram of a one-way stream.
    Stream(u16),
    /// The next session of a backup.
    Backup,
    /// Something fails, or works again.
    Fault(bool),
    /// The next conversation of name service, time service or echo.
    Chatter,
    /// The next probe of background radiation.
    Radiation,
    /// A health checker's next connection.
    Checker(u32),
    /// The web application hangs.
    Stall,
    /// The ordinary rate wanders.
    Noise,
}

/// Where visits come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// Ordinary traffic.
    Ordinary,
    /// A crowd of the plan.
    Crowd(usize),
}

/// A visit under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visit {
    visitor: Visitor,
    server: usize,
    left: u32,
}

/// What an attack really sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sent {
    /// Packets.
    pub(super) packets: u64,
    /// When the first went.
    pub(super) first: Nanos,
    /// When the last went.
    pub(super) last: Nanos,
}

/// Everything that exists.
pub(super) struct World<'a> {
    pub(super) now: Nanos,
    pub(super) random: Random,
    pub(super) queue: EventQueue<Event>,
    pub(super) outlet: Outlet<'a>,
    pub(super) servers: Vec<Server>,
    pub(super) connections: Slab<Connection>,
    pub(super) half_open: Slab<HalfOpen>,
    pub(super) talks: Slab<Talk>,
    pub(super) answers: Slab<Answer>,
    pub(super) sessions: Slab<Session>,
    /// What each attack needs to remember.
    pub(super) campaigns: Vec<Campaign>,
    pub(super) budgets: Budgets,
    pub(super) population: Population,
    pub(super) parameters: &'a Parameters,
    pub(super) plan: &'a Plan,
    pub(super) sent: Vec<Sent>,
    /// New connections at the web server, minute by minute.
    pub(super) minutes: Minutes,
    /// Client address and port of living connections.
    pub(super) ports_in_use: HashSet<(Address, u16)>,
    ports: u32,
    pub(super) start: Nanos,
    end: Nanos,
    noise: f64,
}

impl<'a> World<'a> {
    pub(super) fn new(parameters: &'a Parameters, plan: &'a Plan, sink: &'a mut Sink<'a>) -> Self {
        let mut random = Random::new(parameters.seed);
        let population = Population::new(parameters, &mut random);
        let start = parameters.start.as_nanos();
        let end = parameters.start.plus(parameters.duration).as_nanos();
        let mut world = Self {
            now: start.saturating_sub(nanos(WARM_UP)),
            random,
            queue: EventQueue::new(),
            outlet: Outlet::new(parameters, start, sink),
            servers: vec![
                Server::new(parameters, 10, plan.capacity),
                Server::new(parameters, 20, plan.capacity.max(20.0 * parameters.rate)),
            ],
            connections: Slab::new(),
            half_open: Slab::new(),
            talks: Slab::new(),
            answers: Slab::new(),
            sessions: Slab::new(),
            campaigns: plan
                .attacks
                .iter()
                .enumerate()
                .map(|(n, attack)| Campaign::new(n, attack, parameters, &population))
                .collect(),
            budgets: Budgets::default(),
            population,
            parameters,
            plan,
            minutes: Minutes::new(parameters.start),
            sent: vec![Sent::default(); plan.attacks.len()],
            ports_in_use: HashSet::new(),
            ports: 0,
            start,
            end,
            noise: 0.0,
        };
        world.begin();
        world
    }

    /// Runs to the end of the capture, or until the sink wants no more.
    pub(super) fn run(&mut self) {
        while let Some((at, event)) = self.queue.next() {
            if at >= self.end || self.outlet.is_stopped() {
                break;
            }
            self.now = at;
            self.dispatch(event);
        }
    }

    fn begin(&mut self) {
        if !self.plan.is_quiet {
            self.begin_ordinary();
        }
        if let Some((from, _)) = self.plan.outage {
            self.queue.plan(self.start + nanos(from), Event::Stall);
        }
        for (place, crowd) in self.plan.crowds.iter().enumerate() {
            let first = crowd.curve.first().map_or(0.0, |(at, _)| *at);
            self.queue.plan(self.start + nanos(first), Event::Arrival(Stream::Crowd(place)));
        }
        if !self.plan.is_quiet {
            self.begin_benign();
        }
        for (place, attack) in self.plan.attacks.iter().enumerate() {
            self.queue.plan(self.start + nanos(attack.start), Event::Attack(place));
        }
    }

    fn begin_ordinary(&mut self) {
        self.plan_in(0.0, Event::Noise);
        self.plan_in(0.0, Event::Arrival(Stream::Ordinary));
        self.plan_in(0.0, Event::Chatter);
        self.plan_in(0.0, Event::Radiation);
        (0..2).for_each(|checker| self.plan_in(f64::from(checker) * 3.7, Event::Checker(checker)));
    }

    fn dispatch(&mut self, event: Event) {
        match event {
            Event::Arrival(stream) => self.on_arrival(stream),
            Event::Visit(visit) => self.on_visit(visit),
            Event::Reload(visitor, server, role) => self.open(visitor, server, role),
            Event::Connection(handle, step) => self.on_step(handle, step),
            Event::Service(server) => self.on_service(server),
            Event::Attack(attack) => self.on_attack(attack),
            Event::HalfOpen(handle, step) => self.on_half_open(handle, step),
            Event::Talk(handle) => self.on_talk(handle),
            Event::Answer(handle) => self.on_answer(handle),
            Event::Session(handle, beat) => self.on_beat(handle, beat),
            Event::Browse => self.on_browse(),
            Event::Administer => self.on_administer(),
            Event::Peer => self.on_peer(),
            Event::Stream(number) => self.on_stream(number),
            Event::Backup => self.on_backup(),
            Event::Fault(begins) => self.on_fault(begins),
            Event::Chatter => self.on_chatter(),
            Event::Radiation => self.on_radiation(),
            Event::Checker(checker) => self.on_checker(checker),
            Event::Stall => self.on_stall(),
            Event::Noise => self.on_noise(),
        }
    }

    /// Plans an event in so many seconds.
    pub(super) fn plan_in(&mut self, seconds: f64, event: Event) {
        self.queue.plan(self.now + nanos(seconds), event);
    }

    /// Returns the seconds since the capture began; negative before.
    pub(super) fn at(&self) -> f64 {
        if self.now >= self.start {
            (self.now - self.start) as f64 / 1e9
        } else {
            -((self.start - self.now) as f64 / 1e9)
        }
    }

    /// Returns the whole second of the capture; `None` before it begins.
    pub(super) fn second(&self) -> Option<usize> {
        (self.now >= self.start).then(|| usize::try_from((self.now - self.start) / 1_000_000_000).unwrap_or(usize::MAX))
    }

    /// Returns a port in a range, another one each time until all were given.
    pub(super) const fn port(&mut self, first: u16, count: u16) -> u16 {
        self.ports = self.ports.wrapping_add(7_919);
        first.saturating_add(low_u16((self.ports % count as u32) as u64))
    }

    /// Returns a port that no other living connection of this address has.
    pub(super) fn free_port(&mut self, address: Address, first: u16, count: u16) -> u16 {
        let mut port = self.port(first, count);
        for _ in 0..count {
            if self.ports_in_use.insert((address, port)) {
                break;
            }
            port = self.port(first, count);
        }
        port
    }

    /// Draws whether someone visits: Poisson by thinning the exponential to at most a quarter of a second.
    fn on_arrival(&mut self, stream: Stream) {
        const PATIENCE: f64 = 0.25;
        let Some(rate) = self.visits_per_second(stream) else { return };
        let wait = if rate > 0.0 { self.random.exponential(1.0 / rate) } else { f64::INFINITY };
        if wait < PATIENCE {
            let visit = self.draw_visit(stream);
            self.plan_in(wait, Event::Visit(visit));
            self.plan_in(wait, Event::Arrival(stream));
        } else {
            self.plan_in(PATIENCE, Event::Arrival(stream));
        }
    }

    fn visits_per_second(&self, stream: Stream) -> Option<f64> {
        let connections = match stream {
            Stream::Ordinary => self.parameters.rate * exp(self.noise),
            Stream::Crowd(place) => {
                let crowd = &self.plan.crowds[place];
                if self.at() >= crowd.curve.last().map_or(0.0, |(at, _)| *at) {
                    return None;
                }
                crowd.rate(self.at())
            }
        };
        Some(connections / (CONNECTIONS_PER_VISIT * (1.0 + self.parameters.spare_sockets)))
    }

    fn draw_visit(&mut self, stream: Stream) -> Visit {
        let left = self.random.geometric(CONNECTIONS_PER_VISIT, 40);
        let crowd = matches!(stream, Stream::Crowd(_));
        let visitor = match self.origin_of(stream) {
            _ if self.fetchers(stream) > 0 => self.rented_visitor(self.fetchers(stream)),
            Some(country) => self.population.foreigner(country, true, &mut self.random),
            None => self.population.visitor(crowd, &mut self.random),
        };
        let server = if crowd || self.random.chance(MAIN_SHARE) { MAIN } else { 1 };
        Visit { visitor, server, left }
    }

    fn fetchers(&self, stream: Stream) -> u32 {
        if let Stream::Crowd(place) = stream { self.plan.crowds[place].fetchers } else { 0 }
    }

    /// Returns the country a crowd's next visitor comes from, if the crowd is from abroad.
    fn origin_of(&mut self, stream: Stream) -> Option<u32> {
        let Stream::Crowd(place) = stream else { return None };
        let from = &self.plan.crowds[place].from;
        let largest = from.first()?;
        let other = from.get(self.random.index(from.len())).unwrap_or(largest);
        let country = if self.random.chance(0.5) { largest } else { other };
        self.population.place_of(*country)
    }

    /// Opens a connection of a visit and plans the next: half of them at once, as a page loads, half after reading.
    fn on_visit(&mut self, visit: Visit) {
        let role = Role::Browser { reloads: low_u8(u64::from(self.parameters.reloads)) };
        self.open(visit.visitor, visit.server, role);
        if self.random.chance(self.parameters.spare_sockets) {
            self.open(visit.visitor, visit.server, Role::Spare);
        }
        if self.random.chance(self.plan.quic_share.unwrap_or(QUIC_SHARE)) {
            self.start_quic(visit.visitor);
        }
        if visit.left > 1 {
            let parallel = self.random.chance(0.5);
            let wait =
                if parallel { self.random.between(0.02, 0.4) } else { self.random.log_normal(3.0, 0.9).min(60.0) };
            self.plan_in(wait, Event::Visit(Visit { left: visit.left - 1, ..visit }));
        }
    }

    /// Health checkers of a content network: few addresses, all day, always the same.
    fn on_checker(&mut self, checker: u32) {
        let place = self.population.place_of(Country::from_letters(*b"US")).unwrap_or(0);
        let visitor = Population::robot(place, 900_000 + checker);
        self.open(visitor, MAIN, Role::Checker);
        let wait = self.random.between(9.95, 10.05);
        self.plan_in(wait, Event::Checker(checker));
    }

    fn on_stall(&mut self) {
        let end = self.plan.outage.map_or(0.0, |(_, to)| to);
        self.servers[MAIN].stalled_until = self.start + nanos(end);
    }

    fn on_noise(&mut self) {
        let kept = exp(-1.0 / NOISE_MEMORY_SECONDS);
        self.noise = kept * self.noise + (1.0 - kept * kept).sqrt() * NOISE_SPREAD * self.random.normal();
        self.plan_in(1.0, Event::Noise);
    }

    /// Counts the packet of an attack that was just sent, if it was captured.
    pub(super) fn count_attack(&mut self, place: usize) {
        if !self.outlet.wrote() {
            return;
        }
        let sent = &mut self.sent[place];
        if sent.packets == 0 {
            sent.first = self.now;
        }
        sent.packets += 1;
        sent.last = self.now;
    }
}
