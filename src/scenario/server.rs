//! A server as its kernel behaves under load: SYN queue, SYN cookies, accept queue, and an application of finite speed.
//!
//! The rules are Linux's: an entry of the SYN queue lives until the handshake is done or its SYN-ACK was repeated five
//! times (63 s); a full SYN queue drops SYNs, or answers them with cookies; a full accept queue drops SYNs, and always
//! the ACK that would have finished a handshake.

use std::collections::VecDeque;

use super::health::Health;
use super::parameters::{Overflow, Parameters};
use super::queue::{Handle, Nanos};
use crate::address::Address;

/// How often a SYN-ACK is repeated before its entry is forgotten (`tcp_synack_retries`).
pub(super) const SYN_ACK_REPEATS: u8 = 5;

/// SYNs a second that the kernel can look at, as a multiple of the connections a second that the application accepts:
/// beyond it, a flood drowns the kernel whatever its queues.
const SYNS_PER_CONNECTION: f64 = 8.0;

/// How much slower the application gets until its accept queue is full: contention.
const DEGRADATION: f64 = 0.25;

/// What the kernel does with a SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SynAnswer {
    /// Answered, and remembered in the SYN queue.
    Remembered,
    /// Answered with a cookie; nothing is kept, and nothing repeated.
    Cookie,
    /// Dropped.
    Nothing,
}

/// One server, over IPv4 and IPv6 with one set of queues, as a dual-stack socket has.
#[derive(Debug)]
pub(super) struct Server {
    /// Its IPv4 address.
    pub(super) v4: Option<Address>,
    /// Its IPv6 address.
    pub(super) v6: Option<Address>,
    /// What it lets happen to people, for the truth.
    pub(super) health: Health,
    /// Set while the application hangs: until when.
    pub(super) stalled_until: Nanos,
    /// Seconds that the application takes for a reply beside the usual.
    pub(super) thought: f64,
    /// Nothing answers there any more.
    pub(super) is_gone: bool,
    half_open: u32,
    /// Connections and when they came.
    accept_queue: VecDeque<(Handle, Nanos)>,
    serving: bool,
    backlog: u32,
    accept_limit: usize,
    cookies: bool,
    overflow: Overflow,
    seconds_per_connection: f64,
    allowance: f64,
    allowance_at: Nanos,
    held: u32,
    workers: u32,
}

impl Server {
    pub(super) fn new(parameters: &Parameters, number: u32, capacity: f64) -> Self {
        Self {
            v4: parameters.host(true, number),
            // Written like the IPv4 one: 10 is ::10.
            v6: parameters.host(false, (number / 10) * 16 + number % 10),
            health: Health::default(),
            stalled_until: 0,
            thought: 0.0,
            is_gone: false,
            half_open: 0,
            accept_queue: VecDeque::new(),
            serving: false,
            backlog: parameters.backlog,
            accept_limit: parameters.accept_queue as usize,
            cookies: parameters.cookies,
            overflow: parameters.overflow,
            seconds_per_connection: 1.0 / capacity.max(1.0),
            allowance: 0.0,
            allowance_at: 0,
            held: 0,
            workers: parameters.workers,
        }
    }

    /// Returns its address of a family.
    pub(super) const fn address(&self, ipv4: bool) -> Option<Address> {
        if ipv4 { self.v4 } else { self.v6 }
    }

    /// Decides on a SYN.
    pub(super) fn on_syn(&mut self, now: Nanos) -> SynAnswer {
        if self.is_gone || !self.has_time_for_a_syn(now) {
            return SynAnswer::Nothing;
        }
        if self.overflow == Overflow::DropSyn && self.is_full() {
            return SynAnswer::Nothing;
        }
        if self.half_open < self.backlog {
            self.half_open += 1;
            return SynAnswer::Remembered;
        }
        if self.cookies { SynAnswer::Cookie } else { SynAnswer::Nothing }
    }

    /// Tells whether the kernel gets to look at another packet: a token bucket of a tenth of a second.
    pub(super) fn has_time_for_a_syn(&mut self, now: Nanos) -> bool {
        let per_second = SYNS_PER_CONNECTION / self.seconds_per_connection;
        let elapsed = now.saturating_sub(self.allowance_at) as f64 / 1e9;
        self.allowance = (self.allowance + elapsed * per_second).min((per_second / 10.0).max(10.0));
        self.allowance_at = now;
        if self.allowance < 1.0 {
            return false;
        }
        self.allowance -= 1.0;
        true
    }

    /// Forgets an entry of the SYN queue.
    pub(super) const fn forget(&mut self) {
        self.half_open = self.half_open.saturating_sub(1);
    }

    /// Tells whether the accept queue is full.
    pub(super) fn is_full(&self) -> bool {
        self.accept_queue.len() >= self.accept_limit
    }

    /// Queues a connection established now; returns whether the application must be woken.
    pub(super) fn enqueue(&mut self, connection: Handle, now: Nanos) -> bool {
        self.accept_queue.push_back((connection, now));
        !std::mem::replace(&mut self.serving, true)
    }

    /// Lets the application take the next connection, and tells when that came; it rests when there is none.
    pub(super) fn accept(&mut self) -> Option<(Handle, Nanos)> {
        let next = self.accept_queue.pop_front();
        self.serving = next.is_some();
        next
    }

    /// Lets a connection occupy a worker of the application for as long as it lasts.
    pub(super) const fn hold(&mut self) {
        self.held += 1;
    }

    /// Frees a worker.
    pub(super) const fn release(&mut self) {
        self.held = self.held.saturating_sub(1);
    }

    /// Tells whether no worker is free.
    pub(super) const fn is_held(&self) -> bool {
        self.held >= self.workers
    }

    /// Returns the seconds the application spends on a connection now.
    pub(super) fn seconds_of_service(&self) -> f64 {
        let fill = self.accept_queue.len() as f64 / self.accept_limit.max(1) as f64;
        self.seconds_per_connection * (1.0 + DEGRADATION * fill)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::queue::Slab;

    fn server(parameters: &Parameters) -> Server {
        Server::new(parameters, 10, 1_000.0)
    }

    #[test]
    fn a_full_syn_queue_drops_or_sends_cookies() {
        for cookies in [false, true] {
            let mut server = server(&Parameters { backlog: 3, cookies, ..Parameters::default() });
            let answers: Vec<SynAnswer> = (1..=4).map(|n| server.on_syn(n * 1_000_000_000)).collect();
            assert_eq!(answers[..3], [SynAnswer::Remembered; 3]);
            assert_eq!(answers[3], if cookies { SynAnswer::Cookie } else { SynAnswer::Nothing });
            server.forget();
            assert_eq!(server.on_syn(5_000_000_000), SynAnswer::Remembered);
        }
    }

    #[test]
    fn a_full_accept_queue_drops_syns_only_where_the_kernel_does() {
        for (overflow, answer) in [(Overflow::DropSyn, SynAnswer::Nothing), (Overflow::DropAck, SynAnswer::Remembered)]
        {
            let mut server = server(&Parameters { accept_queue: 1, overflow, ..Parameters::default() });
            let mut slab = Slab::new();
            assert!(server.enqueue(slab.insert(()), 1_000_000_000), "the application slept");
            assert!(server.is_full());
            assert_eq!(server.on_syn(1_000_000_000), answer);
            assert!(server.accept().is_some() && server.accept().is_none());
        }
    }

    #[test]
    fn a_kernel_that_drowns_drops_whatever_its_queues() {
        let mut server = server(&Parameters { backlog: 1_000_000, ..Parameters::default() });
        let answered =
            (0..80_000_u64).filter(|n| server.on_syn(1_000_000_000 + n * 12_500) == SynAnswer::Remembered).count();
        // 80,000 SYNs in a second, 8,000 of which there is time for, and a bucket of 800.
        assert!((7_900..8_900).contains(&answered), "{answered}");
    }
}
