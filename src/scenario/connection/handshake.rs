//! Opening: SYN, SYN-ACK, ACK, their retries, and what the server's queues make of them.

use super::wire::Piece;
use super::{ACK, Connection, RST, Role, SYN, Step};
use crate::scenario::minutes::Attempt;
use crate::scenario::queue::Handle;
use crate::scenario::server::{SYN_ACK_REPEATS, SynAnswer};
use crate::scenario::stack::Options;
use crate::scenario::world::{Event, MAIN, World};

impl World<'_> {
    pub(super) fn on_syn(&mut self, handle: Handle, c: &mut Connection, timer: u8) -> bool {
        if timer != c.client_timer || c.client_open {
            return true;
        }
        c.syns += 1;
        if !self.is_lost(c) {
            let options = c.client.system.syn_options(c.client.mss, self.client_clock(c));
            let (sequence, window) = (c.client_isn, c.client.system.syn_window());
            self.send_in(c, Piece { flags: SYN, sequence, options, window, ..Piece::default() });
            self.answer_syn(handle, c);
        }
        self.plan_syn_retry(handle, c)
    }

    pub(super) fn answer_syn(&mut self, handle: Handle, c: &mut Connection) {
        let server = usize::from(c.server);
        let answer = if c.remembered { SynAnswer::Remembered } else { self.servers[server].on_syn(self.now) };
        if c.syns == 1
            && let Some(second) = self.second()
        {
            let is_robot = matches!(c.role, Role::Robot { .. });
            if !is_robot {
                self.servers[server].health.on_first_syn(second, answer != SynAnswer::Nothing);
            }
            self.minutes.count(
                second,
                match is_robot {
                    true => Attempt::Attacker,
                    false if server == MAIN => Attempt::Person,
                    false => Attempt::Elsewhere,
                },
            );
        }
        if answer == SynAnswer::Nothing {
            return;
        }
        c.cookie = answer == SynAnswer::Cookie;
        c.remembered = answer == SynAnswer::Remembered;
        let delay = self.random.between(40e-6, 120e-6);
        self.soon(handle, delay, Step::SynAck);
    }

    /// The stack retries by its schedule, unless the user gives up first.
    pub(super) fn plan_syn_retry(&mut self, handle: Handle, c: &Connection) -> bool {
        let Some(wait) = c.client.system.retry_after(c.syns) else {
            self.soon(handle, 2.0, Step::GiveUp(c.client_timer));
            return true;
        };
        let person = matches!(c.role, Role::Browser { .. } | Role::Spare);
        if person && self.random.chance(self.parameters.abandonment) {
            let moment = wait * self.random.between(0.3, 0.95);
            self.soon(handle, moment, Step::GiveUp(c.client_timer));
        } else {
            let jitter = self.random.between(0.0, 0.015);
            self.soon(handle, wait + jitter, Step::Syn(c.client_timer));
        }
        true
    }

    pub(super) fn on_syn_ack(&mut self, handle: Handle, c: &mut Connection) -> bool {
        self.send_syn_ack(handle, c);
        if c.remembered && c.repeats == 0 {
            c.server_timer = c.server_timer.wrapping_add(1);
            self.soon(handle, 1.0, Step::SynAckAgain(c.server_timer));
        }
        true
    }

    pub(super) fn send_syn_ack(&mut self, handle: Handle, c: &mut Connection) {
        let timestamps = c.client.system.has_timestamps().then(|| self.server_timestamps(c));
        let options = Options::of_syn_ack(if c.client.address.is_ipv4() { 1_460 } else { 1_440 }, timestamps);
        let piece = Piece { flags: SYN | ACK, sequence: c.server_isn, options, window: 65_160, ..Piece::default() };
        self.send_out(c, piece);
        if self.is_lost(c) {
            return;
        }
        if !c.client_open {
            c.client_open = true;
            c.client_timer = c.client_timer.wrapping_add(1);
        }
        self.after_round_trip(handle, c, 0.0, Step::Ack);
    }

    /// Repeats at 1, 3, 7, 15 and 31 s; after 63 s the entry is forgotten.
    pub(super) fn on_syn_ack_again(&mut self, handle: Handle, c: &mut Connection, timer: u8) -> bool {
        if timer != c.server_timer || c.established || !c.remembered {
            return true;
        }
        if c.repeats >= SYN_ACK_REPEATS {
            c.remembered = false;
            self.servers[usize::from(c.server)].forget();
            return c.client_open;
        }
        c.repeats += 1;
        self.send_syn_ack(handle, c);
        let jitter = self.random.between(0.0, 0.004);
        self.soon(handle, f64::from(1_u32 << c.repeats) + jitter, Step::SynAckAgain(c.server_timer));
        true
    }

    /// The client's ACK: of the first SYN-ACK, or again of a repeated one.
    pub(super) fn on_ack(&mut self, handle: Handle, c: &mut Connection) -> bool {
        if c.closing {
            return true;
        }
        let first = c.request == 0 && c.exchanges > 0 && c.request_tries == 0;
        if !self.is_lost(c) {
            self.send_in(c, Piece { flags: ACK, sequence: c.client_next, ..Piece::default() });
            if !self.establish(handle, c) {
                return false;
            }
        }
        if first {
            self.prepare_request(c);
            let wait = self.random.between(0.000_15, 0.002);
            self.soon(handle, wait, Step::Request);
            if !matches!(c.role, Role::Checker | Role::Robot { .. }) {
                let patience = self.random.log_normal(9.0, 0.5);
                self.soon(handle, patience, Step::LosePatience);
            }
        } else if c.exchanges == 0 && c.request_tries == 0 {
            c.request_tries = 1;
            // Browsers drop sockets they opened in advance and did not need.
            let idle = self.random.between(4.0, 25.0);
            self.soon(handle, idle, Step::Close);
        }
        true
    }

    /// The server tries to finish the handshake with what has arrived; false when it knows nothing of it and resets.
    pub(super) fn establish(&mut self, handle: Handle, c: &mut Connection) -> bool {
        if c.established {
            return true;
        }
        let server = usize::from(c.server);
        if !c.remembered && !c.cookie {
            let delay = c.server_isn.wrapping_add(1);
            self.send_out(c, Piece { flags: RST, sequence: delay, ..Piece::default() });
            return false;
        }
        let taken = !self.servers[server].is_full();
        if let Some(second) = self.second_of_people(c) {
            self.servers[server].health.on_finished(second, taken);
        }
        if !taken {
            return true;
        }
        if c.remembered {
            c.remembered = false;
            self.servers[server].forget();
        }
        c.established = true;
        c.server_timer = c.server_timer.wrapping_add(1);
        if self.servers[server].enqueue(handle, self.now) {
            self.plan_in(30e-6, Event::Service(server));
        }
        true
    }
}
