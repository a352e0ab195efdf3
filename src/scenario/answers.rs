//! Single packets that something caused: what a kernel answers to a packet it has no connection for, and what a sender
//! without a stack of his own sends next.

use super::frame::{Network, Segment, Way};
use super::queue::{Handle, Nanos};
use super::stack::Options;
use super::world::{Event, World};
use crate::address::Address;

/// ICMP errors a second and at once that a Linux kernel sends (`icmp_msgs_per_sec`, `icmp_msgs_burst`).
const ERRORS: (f64, f64) = (1_000.0, 50.0);

/// Packets a second, and at once, that a kernel answers or refuses without a connection: it costs little.
const REFUSALS: (f64, f64) = (50_000.0, 500.0);

/// Inside hosts that exist, by their number in the first prefix, and the TCP ports they listen at.
const HOSTS: [(u32, &[u16]); 7] =
    [(10, &[80, 443]), (20, &[80, 443]), (30, &[21, 22, 3_389]), (40, &[22, 445]), (50, &[]), (53, &[53]), (60, &[])];

/// A packet that will be sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    /// Between whom.
    pub(super) network: Network,
    /// What.
    pub(super) body: Body,
    /// The attack it is a packet of.
    pub(super) attack: Option<usize>,
}

/// What a packet holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Body {
    /// A segment without options or payload: sender's and receiver's port, numbers, control bits.
    Segment {
        /// Sender, receiver.
        ports: (u16, u16),
        /// Sequence and acknowledgment number.
        numbers: (u32, u32),
        /// Control bits.
        flags: u8,
    },
    /// A datagram of zeros after its first bytes.
    Datagram {
        /// Sender, receiver.
        ports: (u16, u16),
        /// Bytes.
        payload: u16,
        /// First of them.
        head: [u8; 26],
    },
    /// An echo reply: identifier, number, bytes of data.
    EchoReply((u16, u16), u16),
    /// Nobody listens: ports and payload of the datagram, and how far it had come.
    Unreachable((u16, u16), u16, u8),
}

/// What kernels have time for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Budgets {
    errors: Budget,
    refusals: Budget,
}

/// A token bucket.
#[derive(Clone, Copy, Debug, Default)]
struct Budget {
    left: f64,
    at: Nanos,
}

impl Budget {
    fn grants(&mut self, now: Nanos, (per_second, at_once): (f64, f64)) -> bool {
        let elapsed = now.saturating_sub(self.at) as f64 / 1e9;
        self.left = (self.left + elapsed * per_second).min(at_once);
        self.at = now;
        let granted = self.left >= 1.0;
        if granted {
            self.left -= 1.0;
        }
        granted
    }
}

impl World<'_> {
    /// Plans a packet in so many seconds.
    pub(super) fn answer_in(&mut self, seconds: f64, answer: Answer) {
        let handle = self.answers.insert(answer);
        self.plan_in(seconds, Event::Answer(handle));
    }

    /// Plans a packet of a server's kernel.
    pub(super) fn kernel_answers(&mut self, network: Network, body: Body) {
        if !self.budgets.refusals.grants(self.now, REFUSALS) {
            return;
        }
        let delay = self.random.between(40e-6, 120e-6);
        self.answer_in(delay, Answer { network, body, attack: None });
    }

    pub(super) fn on_answer(&mut self, handle: Handle) {
        let Some(Answer { network, body, attack }) = self.answers.remove(handle) else { return };
        match body {
            Body::Segment { ports, numbers, flags } => self.send_bare(&network, ports, numbers, flags, 0),
            Body::Datagram { ports, payload, head } => self.outlet.udp(self.now, &network, ports, payload, &head),
            Body::EchoReply(numbers, data) => self.outlet.echo(self.now, &network, true, numbers, data),
            Body::Unreachable(ports, payload, hop_limit) => {
                let asked = Network { hop_limit, ..network.turned() };
                self.outlet.unreachable(self.now, &network, &asked, ports, payload);
            }
        }
        if let Some(attack) = attack {
            self.count_attack(attack);
        }
    }

    /// Sends a segment without options or payload.
    pub(super) fn send_bare(
        &mut self,
        network: &Network,
        ports: (u16, u16),
        numbers: (u32, u32),
        flags: u8,
        window: u16,
    ) {
        let segment = Segment {
            source_port: ports.0,
            destination_port: ports.1,
            sequence: numbers.0,
            acknowledgment: numbers.1,
            flags,
            window,
            options: Options::default(),
            payload: 0,
            head: &[],
        };
        self.outlet.tcp(self.now, network, &segment);
    }

    /// Returns the TCP ports an inside host listens at; `None` where no host is.
    pub(super) fn ports_of(&self, inside: Address) -> Option<&'static [u16]> {
        let is = |number: &u32| {
            let numbered = if inside.is_ipv4() { *number } else { (number / 10) * 16 + number % 10 };
            self.parameters.host(inside.is_ipv4(), numbered) == Some(inside)
        };
        HOSTS.iter().find(|(number, _)| is(number)).map(|(_, ports)| *ports)
    }

    /// Lets a host say that nobody listens at a UDP port, as often as its kernel does.
    pub(super) fn refuse_datagram(&mut self, asked: &Network, ports: (u16, u16), payload: u16) {
        if self.ports_of(asked.destination).is_some() && self.budgets.errors.grants(self.now, ERRORS) {
            let network = asked.turned();
            self.kernel_answers(network, Body::Unreachable(ports, payload, asked.hop_limit));
        }
    }
}

impl Network {
    /// Returns what an inside host answers with, or is answered with: the ends exchanged, a hop limit of 64.
    pub(super) const fn turned(&self) -> Self {
        let way = match self.way {
            Way::In => Way::Out,
            Way::Out => Way::In,
        };
        Self { way, source: self.destination, destination: self.source, hop_limit: 64, identification: 0 }
    }
}
