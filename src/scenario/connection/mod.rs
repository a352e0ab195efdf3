//! One TCP connection between a visitor and a server, from its first SYN to its last ACK.
//!
//! Client and server are two halves that know only what reached them: a client whose ACK was dropped believes that it is
//! connected and sends its request again and again, while the server repeats its SYN-ACK. Every time is that of the
//! mirror port. Congestion control is slow start without losses worth a name: at most one hole at a time.

mod closing;
mod exchange;
mod handshake;
mod wire;

use super::number::low_u8;
use super::population::{Client, Visitor};
use super::queue::Handle;
use super::world::{Event, World};
use crate::packet::TcpFlags;

const SYN: u8 = TcpFlags::SYN;
const ACK: u8 = TcpFlags::ACK;
const PSH: u8 = TcpFlags::PSH;
const FIN: u8 = TcpFlags::FIN;
const RST: u8 = TcpFlags::RST;

const HTTPS: u16 = 443;

/// Segments a sender starts with (RFC 6928).
const INITIAL_WINDOW: u16 = 10;

/// Why a connection is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A person's browser fetches something.
    Browser {
        /// How often its user would still reload.
        reloads: u8,
    },
    /// A browser opens a socket in advance and never uses it.
    Spare,
    /// A machine of an attack, by the attack's place.
    Robot {
        /// Which attack.
        attack: u8,
    },
    /// A health checker.
    Checker,
}

/// What happens next in a connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// The client's SYN arrives, unless that timer was stopped.
    Syn(u8),
    /// The server answers it.
    SynAck,
    /// The server repeats the answer, unless that timer was stopped.
    SynAckAgain(u8),
    /// The client's ACK arrives.
    Ack,
    /// The client's request arrives for the first time.
    Request,
    /// It arrives again, unless the server has it.
    RequestAgain,
    /// The server acknowledges a request it has no reply for yet.
    ServerAck,
    /// The server begins to reply.
    Reply,
    /// The server sends a segment.
    Data,
    /// The client's acknowledgment of everything before this number arrives.
    ClientAck(u32),
    /// The server sends the lost segment again.
    Retransmit,
    /// One side closes.
    Close,
    /// The other side closes too.
    PeerClose,
    /// The first side acknowledges that.
    LastAck,
    /// The user gives up before any answer, unless that timer was stopped.
    GiveUp(u8),
    /// The user gives up if nothing has been served.
    LosePatience,
}

/// The state of both halves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connection {
    client: Client,
    visitor: Visitor,
    role: Role,
    server: u8,
    client_port: u16,
    /// Client's initial sequence number and the next to send.
    client_isn: u32,
    client_next: u32,
    /// What the server has of the client's, up to this number.
    received: u32,
    /// Server's initial sequence number and the next to send.
    server_isn: u32,
    server_next: u32,
    /// What the client has acknowledged.
    acknowledged: u32,
    identification: u16,
    clock: u32,
    syns: u8,
    client_timer: u8,
    repeats: u8,
    server_timer: u8,
    /// The client has seen a SYN-ACK.
    client_open: bool,
    /// The server has an entry in its SYN queue.
    remembered: bool,
    /// The server answered with a cookie.
    cookie: bool,
    /// The connection is in the accept queue or beyond.
    established: bool,
    /// The application has taken it.
    accepted: bool,
    /// The application cannot reply before.
    ready_at: u64,
    /// A request has reached the server and waits for its reply.
    awaiting: bool,
    /// The server has sent data.
    served: bool,
    client_closes: bool,
    closing: bool,
    exchanges: u8,
    is_hello: bool,
    request: u16,
    request_tries: u8,
    response: u32,
    window: u16,
    in_flight: u16,
    unacknowledged: u8,
    sending: bool,
    hole: Option<(u32, u16)>,
}

impl World<'_> {
    /// Returns the whole second in which something happens to a connection, for the truth of how people fare: `None` for
    /// those of robots.
    fn second_of_people(&self, c: &Connection) -> Option<usize> {
        self.second().filter(|_| !matches!(c.role, Role::Robot { .. }))
    }

    /// Opens a connection now; its SYN arrives at once.
    pub(super) fn open(&mut self, visitor: Visitor, server: usize, role: Role) {
        let client = self.population.client(visitor);
        self.open_from(client, visitor, server, role);
    }

    fn open_from(&mut self, client: Client, visitor: Visitor, server: usize, role: Role) {
        if self.servers[server].address(client.address.is_ipv4()).is_none() {
            return;
        }
        let (first, count) = client.system.ephemeral_ports();
        let client_port = self.free_port(client.address, first, count);
        let client_isn = self.random.bits32();
        let server_isn = self.random.bits32();
        let connection = Connection {
            client,
            visitor,
            role,
            server: low_u8(server as u64),
            client_port,
            client_isn,
            client_next: client_isn.wrapping_add(1),
            received: client_isn.wrapping_add(1),
            server_isn,
            server_next: server_isn.wrapping_add(1),
            acknowledged: server_isn.wrapping_add(1),
            identification: (self.random.bits32() & 0xffff) as u16,
            clock: self.random.bits32(),
            syns: 0,
            client_timer: 0,
            repeats: 0,
            server_timer: 0,
            client_open: false,
            remembered: false,
            cookie: false,
            established: false,
            accepted: false,
            ready_at: 0,
            awaiting: false,
            served: false,
            client_closes: true,
            closing: false,
            exchanges: self.exchanges_of(role),
            is_hello: true,
            request: 0,
            request_tries: 0,
            response: 0,
            window: INITIAL_WINDOW,
            in_flight: 0,
            unacknowledged: 0,
            sending: false,
            hole: None,
        };
        let handle = self.connections.insert(connection);
        self.on_step(handle, Step::Syn(0));
    }

    fn exchanges_of(&mut self, role: Role) -> u8 {
        match role {
            Role::Spare => 0,
            Role::Robot { .. } | Role::Checker => 2,
            // A TLS hello, and then requests: most connections carry few (HTTP keep-alive).
            Role::Browser { .. } => low_u8(u64::from(1 + self.random.geometric(1.5, 12))),
        }
    }

    /// Lets a connection take its next step; nothing happens when it is gone.
    pub(super) fn on_step(&mut self, handle: Handle, step: Step) {
        let Some(stored) = self.connections.get_mut(handle) else { return };
        let mut c = *stored;
        let lives = match step {
            Step::Syn(timer) => self.on_syn(handle, &mut c, timer),
            Step::SynAck => self.on_syn_ack(handle, &mut c),
            Step::SynAckAgain(timer) => self.on_syn_ack_again(handle, &mut c, timer),
            Step::Ack => self.on_ack(handle, &mut c),
            Step::Request => self.on_request(handle, &mut c),
            Step::RequestAgain => self.on_request_again(handle, &mut c),
            Step::ServerAck => self.on_server_ack(&mut c),
            Step::Reply => self.on_reply(handle, &mut c),
            Step::Data => self.on_data(handle, &mut c),
            Step::ClientAck(upto) => self.on_client_ack(handle, &mut c, upto),
            Step::Retransmit => self.on_retransmit(handle, &mut c),
            Step::Close => self.on_close(handle, &mut c),
            Step::PeerClose => self.on_peer_close(handle, &mut c),
            Step::LastAck => self.on_last_ack(&mut c),
            Step::GiveUp(timer) => timer != c.client_timer || self.on_give_up(&c),
            Step::LosePatience => c.served || c.closing || self.on_give_up(&c),
        };
        if lives {
            if let Some(stored) = self.connections.get_mut(handle) {
                *stored = c;
            }
        } else {
            if c.remembered {
                self.servers[usize::from(c.server)].forget();
            }
            self.ports_in_use.remove(&(c.client.address, c.client_port));
            self.connections.remove(handle);
        }
    }

    fn soon(&mut self, handle: Handle, seconds: f64, step: Step) {
        self.plan_in(seconds, Event::Connection(handle, step));
    }

    /// Plans a step after the client's round trip, with a little jitter.
    fn after_round_trip(&mut self, handle: Handle, c: &Connection, extra: f64, step: Step) {
        let jitter = self.random.between(0.98, 1.06);
        self.soon(handle, c.client.round_trip as f64 / 1e9 * jitter + extra, step);
    }

    fn is_lost(&mut self, c: &Connection) -> bool {
        self.random.chance(c.client.loss)
    }
}
