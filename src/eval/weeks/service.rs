//! What a server does with the connections it has: how long people wait for it, how long they stay.

use std::collections::VecDeque;

use crate::eval::random::Random;
use crate::summary::HostTick;

/// Ticks from a verification to five seconds of age.
const RIPE: usize = 20;

/// Share of the replies in each class of waits, the first from 8 ms on; each class is twice as long.
const WAITS: [f64; 6] = [0.1, 0.25, 0.3, 0.2, 0.1, 0.05];
const FIRST_WAIT: usize = 4;

/// Share of the waiting connections whose client goes on in a tick: after a minute in the middle.
const GOES_ON: f64 = 0.003;

/// A server's open connections.
#[derive(Debug)]
pub(super) struct Service {
    /// Share of connections without a request, and of the open ones that begin to wait for their client in a tick.
    spare: f64,
    idling: f64,
    /// Connections end after so many ticks on average.
    stay: f64,
    open: u32,
    waiting: u32,
    ripening: VecDeque<u32>,
}

impl Service {
    pub(super) fn draw(random: &mut Random) -> Self {
        Self {
            spare: random.between(0.02, 0.15),
            idling: random.scale(0.000_01, 0.000_3),
            stay: random.scale(8.0, 400.0),
            open: 0,
            waiting: 0,
            ripening: VecDeque::from([0; RIPE]),
        }
    }

    /// Draws what becomes of the connections of a host that were verified in this tick and before.
    pub(super) fn tick(&mut self, host: &mut HostTick, random: &mut Random) {
        host.served = host.verified - random.binomial(host.verified, self.spare);
        host.two_sided = host.verified;
        host.client_data = host.served;
        self.wait(host, random);
        self.open += host.verified;
        self.ripening.push_back(host.verified);
        let connections = &mut host.connections;
        connections.ripe = self.ripening.pop_front().unwrap_or(0);
        connections.empty = random.binomial(connections.ripe, self.spare);
        connections.ended = random.binomial(self.open, 1.0 / self.stay);
        self.open -= connections.ended;
        // Those who wait end as often as the others.
        let goes_on = GOES_ON + 1.0 / self.stay;
        connections.waiting_ended = random.binomial(self.waiting, goes_on);
        self.waiting -= connections.waiting_ended;
        connections.waiting_began = random.binomial(self.open.saturating_sub(self.waiting), self.idling);
        self.waiting += connections.waiting_began;
    }

    fn wait(&self, host: &mut HostTick, random: &mut Random) {
        let (mut left, mut share) = (host.served, 1.0);
        for (class, part) in WAITS.iter().enumerate() {
            let count = if class + 1 == WAITS.len() { left } else { random.binomial(left, part / share) };
            host.first_byte[FIRST_WAIT + class] = count;
            left -= count;
            share -= part;
        }
    }
}
