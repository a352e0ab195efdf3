//! Open connections of one subject: how many wait for their client, how many are blocked by it, and how many carry nothing.
//!
//! Shards report what began and what ended; the gauges here are the sums. Each share is tested against its own usual
//! value, since browsers open sockets that they may never use and phones stop reading when a video is paused: never zero.

use crate::summary::HostTick;
use crate::time::Tick;
use crate::window::level::Level;
use crate::window::ring::Ring;
use crate::window::series::{ShareSeries, WINDOW};

/// How far a share must lie above its usual value, at least: browsers' spare sockets are 2 to 15 % of connections
/// (DETECTION 8.1), and a launch may change one end of that range into the other.
const EMPTY_MARGIN: f64 = 0.20;
/// The same of connections that wait for their client, and of those whose client stopped reading.
const WAITING_MARGIN: f64 = 0.15;
const BLOCKED_MARGIN: f64 = 0.10;

/// What the peak of the verified rate keeps in a tick: half of it after 35 s. Connections outlast the rush that opened them.
const PEAK_KEEPS: f64 = 0.995;

/// How many open connections are in some state.
#[derive(Clone, Debug, Default)]
pub struct Gauge {
    /// How many now.
    pub now: f64,
    /// The usual number.
    level: Level,
}

impl Gauge {
    fn turn(&mut self, began: u32, ended: u32) {
        self.now = (self.now + f64::from(began) - f64::from(ended)).max(0.0);
    }

    fn learn(&mut self, weight: f64) {
        self.level.learn(self.now, 10.0, weight);
    }

    /// Returns the usual number, 0 while unknown.
    #[must_use]
    pub fn usual(&self) -> f64 {
        self.level.usual().unwrap_or(0.0)
    }
}

/// A gauge of open connections in some state, with the test of its share.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// How many.
    pub count: Gauge,
    /// Their share of the open connections.
    pub share: ShareSeries,
}

impl Held {
    fn test(&mut self, tick: Tick, open: f64, raw: f64, envelope: Option<f64>, cap: f64) {
        self.share.observe(tick, self.count.now.min(open), open, raw, envelope, cap);
    }

    fn learn(&mut self, weight: f64) {
        self.share.learn(weight);
        self.count.learn(weight);
    }

    /// Returns the usual share, 0 while unknown.
    #[must_use]
    pub fn usual_share(&self) -> f64 {
        self.share.level().usual().unwrap_or(0.0)
    }
}

/// The windows.
#[derive(Clone, Debug, Default)]
pub struct Connections {
    /// Verified connections that have not ended.
    pub open: f64,
    /// Those that wait for their client.
    pub waiting: Held,
    /// Those of them whose client goes on in slow pieces.
    pub dripping: Gauge,
    /// Those whose client does not read what the host has sent.
    pub blocked: Held,
    /// Share of connections that carried nothing from the client in five seconds (SYN-7).
    pub empty: ShareSeries,
    ripe_window: Ring<WINDOW>,
    empty_window: Ring<WINDOW>,
    open_level: Level,
    /// Verified connections a second: the largest of late, fading.
    peak_rate: f64,
}

impl Connections {
    /// Takes one tick. Connections began at `rate` a second of late; nothing is tested before it is `armed`.
    pub fn observe(&mut self, tick: Tick, host: &HostTick, rate: f64, armed: bool, cap: f64) {
        let (verified, raw, host) = (host.verified, host.sampling.part(), &host.connections);
        self.open = (self.open + f64::from(verified) - f64::from(host.ended)).max(0.0);
        self.peak_rate = (self.peak_rate * PEAK_KEEPS).max(rate);
        let open = self.open;
        let line = |share: &ShareSeries, margin| armed.then(|| at_most(share, margin));
        let envelope = line(&self.waiting.share, WAITING_MARGIN);
        self.waiting.count.turn(host.waiting_began, host.waiting_ended);
        self.dripping.turn(host.dripping_began, host.dripping_ended);
        self.waiting.test(tick, open, raw, envelope, cap);
        let envelope = line(&self.blocked.share, BLOCKED_MARGIN);
        self.blocked.count.turn(host.blocked_began, host.blocked_ended);
        self.blocked.test(tick, open, raw, envelope, cap);
        let envelope = line(&self.empty, EMPTY_MARGIN);
        self.empty.observe(tick, f64::from(host.empty), f64::from(host.ripe), raw, envelope, cap);
        self.ripe_window.push(u64::from(host.ripe));
        self.empty_window.push(u64::from(host.empty));
    }

    /// Takes that the open connections known of stand for fewer than before: for this part, 0 to 1.
    pub fn scale(&mut self, fewer: f64) {
        let held = [&mut self.waiting.count, &mut self.dripping, &mut self.blocked.count].map(|gauge| &mut gauge.now);
        for gauge in held.into_iter().chain([&mut self.open]) {
            *gauge *= fewer;
        }
    }

    /// Learns from the last ten seconds with a weight of 0 to 1.
    pub fn learn(&mut self, weight: f64) {
        self.waiting.learn(weight);
        self.dripping.learn(weight);
        self.blocked.learn(weight);
        self.empty.learn(weight);
        self.open_level.learn(self.open, 10.0, weight);
    }

    /// Returns the share of connections of the last ten seconds that carried nothing, and how many there were.
    #[must_use]
    pub fn empty_share(&self) -> (f64, f64) {
        let (empty, ripe) = (self.empty_window.sum() as f64, self.ripe_window.sum() as f64);
        (if ripe > 0.0 { (empty / ripe).min(1.0) } else { 0.0 }, ripe)
    }

    /// Tells whether more of them are empty, waiting or blocked than chance makes in a thousand windows.
    #[must_use]
    pub fn are_unusual(&self) -> bool {
        const DECADES: f64 = 3.0;
        [&self.empty, &self.waiting.share, &self.blocked.share].into_iter().any(|share| share.decades() >= DECADES)
    }

    /// Returns what share is usual at most of empty, waiting and blocked connections.
    #[must_use]
    pub fn envelopes(&self) -> [f64; 3] {
        [
            at_most(&self.empty, EMPTY_MARGIN),
            at_most(&self.waiting.share, WAITING_MARGIN),
            at_most(&self.blocked.share, BLOCKED_MARGIN),
        ]
    }

    /// Returns how much longer connections stay than usual: open ones over those expected from their rate by Little's law
    /// (N = lambda W); `None` while the usual stay is not known.
    #[must_use]
    pub fn stay_ratio(&self, usual_rate: Option<f64>) -> Option<f64> {
        let (usual_open, usual_rate) = (self.open_level.usual()?.max(1.0), usual_rate?.max(0.1));
        Some(self.open / (usual_open * (self.peak_rate / usual_rate).max(1.0)))
    }

    /// Returns the usual number of open connections.
    #[must_use]
    pub fn usual_open(&self) -> Option<f64> {
        self.open_level.usual()
    }

    /// Returns how many times its usual value the rate of connections has lately been, at least 1.
    #[must_use]
    pub fn growth(&self, usual_rate: Option<f64>) -> f64 {
        usual_rate.map_or(1.0, |usual| (self.peak_rate / usual.max(0.1)).max(1.0))
    }

    /// Forgets gauges and tests after a gap; what is usual stays.
    pub fn restart(&mut self, tick: Tick) {
        (self.open, self.peak_rate) = (0.0, 0.0);
        for gauge in [&mut self.waiting.count, &mut self.dripping, &mut self.blocked.count] {
            gauge.now = 0.0;
        }
        for share in [&mut self.waiting.share, &mut self.blocked.share, &mut self.empty] {
            share.restart(tick);
        }
        self.ripe_window.clear();
        self.empty_window.clear();
    }
}

fn at_most(share: &ShareSeries, margin: f64) -> f64 {
    share.level().envelope(margin).max(share.level().usual().unwrap_or(0.0) + margin).min(0.9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::ConnectionTick;
    use crate::window::cusum::STEP_CAP;

    fn run(connections: &mut Connections, ticks: std::ops::Range<u64>, tick: ConnectionTick, verified: u32) {
        let host = HostTick { verified, connections: tick, ..HostTick::default() };
        for n in ticks {
            connections.observe(Tick::new(n), &host, f64::from(verified) * 4.0, true, STEP_CAP);
            if Tick::new(n).closes_period(40) {
                connections.learn(1.0);
            }
        }
    }

    #[test]
    fn gauges_are_what_began_less_what_ended() {
        let mut connections = Connections::default();
        let began = ConnectionTick { waiting_began: 5, blocked_began: 2, ended: 1, ..ConnectionTick::default() };
        run(&mut connections, 0..10, began, 7);
        assert_eq!(
            (connections.open, connections.waiting.count.now, connections.blocked.count.now),
            (60.0, 50.0, 20.0)
        );
        let ended = ConnectionTick { waiting_ended: 50, ended: 100, ..ConnectionTick::default() };
        run(&mut connections, 10..11, ended, 0);
        assert_eq!(
            (connections.open, connections.waiting.count.now),
            (0.0, 0.0),
            "what began before the capture is not owed"
        );
    }

    #[test]
    fn every_gauge_is_scaled_and_forgotten() {
        let mut connections = Connections::default();
        let began =
            ConnectionTick { waiting_began: 6, dripping_began: 4, blocked_began: 2, ..ConnectionTick::default() };
        run(&mut connections, 0..10, began, 8);
        let gauges = |of: &Connections| [of.open, of.waiting.count.now, of.dripping.now, of.blocked.count.now];
        assert_eq!(gauges(&connections), [80.0, 60.0, 40.0, 20.0]);
        connections.scale(0.5);
        assert_eq!(gauges(&connections), [40.0, 30.0, 20.0, 10.0]);
        connections.restart(Tick::new(10));
        assert_eq!(gauges(&connections), [0.0; 4]);
    }

    #[test]
    fn connections_that_come_faster_do_not_stay_longer() {
        let mut connections = Connections::default();
        let steady = |n| ConnectionTick { ripe: n, ended: n, ..ConnectionTick::default() };
        run(&mut connections, 0..40, steady(0), 10);
        run(&mut connections, 40..1_200, steady(10), 10);
        let usual = Some(40.0);
        assert!((connections.stay_ratio(usual).unwrap() - 1.0).abs() < 0.1);
        run(&mut connections, 1_200..1_240, steady(10), 50);
        assert!(connections.stay_ratio(usual).unwrap() < 1.5, "a rush: more connections, none longer");
        run(&mut connections, 1_240..1_480, steady(10), 20);
        assert!(connections.stay_ratio(usual).unwrap() > 2.0, "they come as before, and stay");
    }

    #[test]
    fn empty_connections_are_judged_against_their_usual_share() {
        let mut connections = Connections::default();
        let some_empty = ConnectionTick { ripe: 20, empty: 3, ..ConnectionTick::default() };
        run(&mut connections, 0..1_200, some_empty, 20);
        assert_eq!(connections.empty.decades(), 0.0);
        assert!(!connections.are_unusual());
        let flood = ConnectionTick { ripe: 40, empty: 23, ..ConnectionTick::default() };
        run(&mut connections, 1_200..1_212, flood, 40);
        assert!(connections.empty.decades() > 9.3, "{}", connections.empty.decades());
        assert!(connections.are_unusual());
    }
}
