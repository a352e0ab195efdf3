//! Requests and replies: when the application gets to them, segments, acknowledgments and the odd loss.

use super::wire::{Piece, record};
use super::{ACK, Connection, PSH, Role, Step};
use crate::scenario::number::{floor_u64, low_u16, low_u32, nanos};
use crate::scenario::queue::Handle;
use crate::scenario::technique::Technique;
use crate::scenario::world::{Event, World};

/// Time a 1,500-byte frame takes at 1 Gbit/s.
const SERIALISATION: f64 = 12e-6;

/// Delayed acknowledgment of a Linux server.
const DELAYED_ACK: f64 = 0.04;

/// Share of a person's requests that are log-ins: about one a visit.
const LOGINS: f64 = 0.16;

/// Retransmissions of a request before the client's stack is left alone by its impatient user.
const REQUEST_TRIES: u8 = 6;

impl World<'_> {
    /// The application takes the next connection.
    pub(in crate::scenario) fn on_service(&mut self, place: usize) {
        let stalled = self.servers[place].stalled_until;
        if self.now < stalled {
            self.queue.plan(stalled, Event::Service(place));
            return;
        }
        if self.servers[place].is_held() {
            // Workers look again when one of them is done.
            self.plan_in(0.05, Event::Service(place));
            return;
        }
        let Some((handle, queued_at)) = self.servers[place].accept() else { return };
        let mut cost = self.servers[place].seconds_of_service() * self.random.between(0.6, 1.4);
        if let Some(c) = self.connections.get_mut(handle) {
            c.accepted = true;
            c.ready_at = self.now + nanos(cost);
            let c = *c;
            self.count_taken(&c, queued_at);
            if c.awaiting {
                self.plan_reply(handle, &c);
            }
        } else {
            // Nobody is there any more; that is noticed at the first write.
            cost *= 0.3;
        }
        self.plan_in(cost, Event::Service(place));
    }

    /// Counts for the truth how long a person's connection was in the accept queue.
    fn count_taken(&mut self, c: &Connection, queued_at: u64) {
        if let Some(second) = self.second_of_people(c) {
            let waited = (self.now - queued_at) as f64 / 1e9;
            self.servers[usize::from(c.server)].health.on_taken(second, waited);
        }
    }

    pub(super) fn plan_reply(&mut self, handle: Handle, c: &Connection) {
        let server = usize::from(c.server);
        let thought = if c.is_hello { self.random.log_normal(0.002, 0.4) } else { self.random.log_normal(0.012, 0.7) };
        let mut begin = c.ready_at.max(self.now);
        if self.now < self.servers[server].stalled_until {
            begin = self.servers[server].stalled_until + nanos(self.random.between(0.0, 2.0));
        }
        let slower = self.servers[server].thought;
        let thought = if slower > 0.0 { thought + slower * self.random.between(0.5, 1.5) } else { thought };
        self.queue.plan(begin + nanos(thought), Event::Connection(handle, Step::Reply));
    }

    /// Decides what is asked and how long the reply will be.
    pub(super) fn prepare_request(&mut self, c: &mut Connection) {
        let hello = c.is_hello;
        let (request, response) = match c.role {
            Role::Robot { .. } if hello => (517.0, 230.0),
            Role::Robot { attack } if self.tries_logins(attack) => self.login(),
            Role::Browser { .. } if !hello && self.plan.has_logins && self.random.chance(LOGINS) => self.login(),
            Role::Robot { .. } => (310.0 + self.random.between(0.0, 3.0), 1_850.0 + self.random.between(0.0, 8.0)),
            Role::Checker if hello => (305.0, 225.0),
            Role::Checker => (140.0, 310.0),
            _ if hello => {
                let resumed = self.random.chance(0.7);
                let size =
                    if resumed { self.random.between(220.0, 300.0) } else { self.random.between(2_600.0, 4_300.0) };
                (517.0 + 32.0 * f64::from(self.random.below(4)), size)
            }
            _ => (
                self.random.log_normal(460.0, 0.4).clamp(90.0, 1_350.0),
                self.random.bounded_pareto(280.0, 150e3, 1.15),
            ),
        };
        c.request = low_u16(floor_u64(request));
        c.response = low_u32(floor_u64(response));
        c.request_tries = 0;
    }

    /// Bytes of a form with a name and a password, and of the short page that follows, whatever it says.
    fn login(&mut self) -> (f64, f64) {
        (880.0 + self.random.between(0.0, 40.0), 1_240.0 + self.random.between(0.0, 30.0))
    }

    fn tries_logins(&self, attack: u8) -> bool {
        let attack = self.plan.attacks.get(usize::from(attack));
        attack.is_some_and(|attack| attack.technique == Technique::CredentialStuffing)
    }

    pub(super) fn on_request(&mut self, handle: Handle, c: &mut Connection) -> bool {
        if c.closing {
            return true;
        }
        if c.request_tries == 0 {
            c.client_next = c.client_next.wrapping_add(u32::from(c.request));
        }
        c.request_tries += 1;
        if !self.is_lost(c) {
            let record = Some(record(if c.is_hello { 0x16 } else { 0x17 }, u32::from(c.request)));
            let sequence = c.client_next.wrapping_sub(u32::from(c.request));
            let piece = Piece { flags: ACK | PSH, sequence, payload: c.request, record, ..Piece::default() };
            self.send_in(c, piece);
            if !self.establish(handle, c) {
                return false;
            }
            if c.established {
                c.awaiting = true;
                c.received = c.client_next;
            }
        }
        if c.awaiting {
            self.soon(handle, DELAYED_ACK, Step::ServerAck);
            if c.accepted {
                self.plan_reply(handle, c);
            }
        } else if c.request_tries < REQUEST_TRIES {
            // Retransmission time-out: a few round trips, doubled each time (RFC 6298).
            let first = 0.2 + 3.0 * c.client.round_trip as f64 / 1e9;
            self.soon(handle, first * f64::from(1_u32 << c.request_tries.min(6)) / 2.0, Step::RequestAgain);
        } else {
            self.soon(handle, 5.0, Step::LosePatience);
        }
        true
    }

    pub(super) fn on_request_again(&mut self, handle: Handle, c: &mut Connection) -> bool {
        // What was asked is being, or has been, replied to.
        let arrived = c.awaiting || (c.served && c.response == 0);
        arrived || self.on_request(handle, c)
    }

    pub(super) fn on_server_ack(&mut self, c: &mut Connection) -> bool {
        if c.awaiting && !c.closing {
            self.send_out(c, Piece { flags: ACK, sequence: c.server_next, ..Piece::default() });
        }
        true
    }

    pub(super) fn on_reply(&mut self, handle: Handle, c: &mut Connection) -> bool {
        if c.closing || self.servers[usize::from(c.server)].is_gone {
            return true;
        }
        c.awaiting = false;
        c.served = true;
        c.sending = true;
        self.on_data(handle, c)
    }

    pub(super) fn on_data(&mut self, handle: Handle, c: &mut Connection) -> bool {
        if c.closing || c.response == 0 {
            c.sending = false;
            return true;
        }
        let room = c.client.mss - if c.client.system.has_timestamps() { 12 } else { 0 };
        let first = c.in_flight == 0 && c.unacknowledged == 0;
        let length = low_u16(u64::from(c.response.min(u32::from(room))));
        let last = u32::from(length) == c.response;
        let record = first.then(|| record(if c.is_hello { 0x16 } else { 0x17 }, c.response));
        let flags = if last { ACK | PSH } else { ACK };
        self.send_out(c, Piece { flags, sequence: c.server_next, payload: length, record, ..Piece::default() });
        if c.hole.is_none() && self.is_lost(c) {
            c.hole = Some((c.server_next, length));
            let tail = if last { 0.2 } else { 0.002 };
            self.after_round_trip(handle, c, tail, Step::Retransmit);
        }
        c.server_next = c.server_next.wrapping_add(u32::from(length));
        c.response -= u32::from(length);
        c.in_flight += 1;
        c.unacknowledged += 1;
        self.acknowledge(handle, c, last);
        c.sending = !last && c.in_flight < c.window;
        if c.sending {
            self.soon(handle, SERIALISATION, Step::Data);
        }
        true
    }

    /// The client acknowledges every second segment, and the last one after a little while.
    pub(super) fn acknowledge(&mut self, handle: Handle, c: &mut Connection, last: bool) {
        if c.unacknowledged < 2 && !last {
            return;
        }
        // The reply to a hello is acknowledged by the request that follows at once.
        let delay = if last && !c.is_hello && c.unacknowledged < 2 { self.random.between(0.002, 0.04) } else { 0.0 };
        c.unacknowledged = 0;
        self.after_round_trip(handle, c, delay, Step::ClientAck(c.server_next));
    }

    pub(super) fn on_client_ack(&mut self, handle: Handle, c: &mut Connection, upto: u32) -> bool {
        if c.closing {
            return true;
        }
        let reached = match c.hole {
            Some((hole, _)) if upto.wrapping_sub(hole) < u32::MAX / 2 => hole,
            _ => upto,
        };
        let progress = reached.wrapping_sub(c.acknowledged);
        if progress > u32::MAX / 2 {
            return true;
        }
        c.acknowledged = reached;
        let segments = low_u16(u64::from(progress.div_ceil(1_300)));
        c.in_flight = c.in_flight.saturating_sub(segments);
        c.window = c.window.saturating_add(segments).min(256);
        let done = c.response == 0 && c.acknowledged == c.server_next;
        if done {
            c.in_flight = 0;
            return self.on_exchange_done(handle, c);
        }
        self.send_in(c, Piece { flags: ACK, sequence: c.client_next, ..Piece::default() });
        // The next request may be asked for and lost: then the server knows nothing to send.
        let asked = c.received == c.client_next;
        if asked && c.response > 0 && !c.sending && c.in_flight < c.window {
            c.sending = true;
            self.soon(handle, SERIALISATION, Step::Data);
        }
        true
    }

    pub(super) fn on_retransmit(&mut self, handle: Handle, c: &mut Connection) -> bool {
        let Some((sequence, length)) = c.hole.take() else { return true };
        if c.closing {
            return true;
        }
        self.send_out(c, Piece { flags: ACK, sequence, payload: length, ..Piece::default() });
        c.unacknowledged = 0;
        self.after_round_trip(handle, c, 0.0, Step::ClientAck(c.server_next));
        true
    }

    pub(super) fn on_exchange_done(&mut self, handle: Handle, c: &mut Connection) -> bool {
        c.exchanges = c.exchanges.saturating_sub(1);
        if std::mem::take(&mut c.is_hello) && c.exchanges > 0 {
            self.prepare_request(c);
            return self.on_request(handle, c);
        }
        self.send_in(c, Piece { flags: ACK, sequence: c.client_next, ..Piece::default() });
        let robot = matches!(c.role, Role::Robot { .. } | Role::Checker);
        if c.exchanges == 0 {
            let idle =
                if robot { self.random.between(0.001, 0.01) } else { self.random.log_normal(1.5, 1.0).min(65.0) };
            self.soon(handle, idle, Step::Close);
        } else {
            self.prepare_request(c);
            let think = if robot { 0.001 } else { self.random.log_normal(0.7, 1.1).min(30.0) };
            self.soon(handle, think, Step::Request);
        }
        true
    }
}
