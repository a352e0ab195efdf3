//! Ending: FINs from either side, resets, and people who give up.

use super::wire::Piece;
use super::{ACK, Connection, FIN, RST, Role, Step};
use crate::scenario::queue::Handle;
use crate::scenario::world::{Event, World};

impl World<'_> {
    /// Mostly the client closes; servers end idle connections; some clients reset.
    pub(super) fn on_close(&mut self, handle: Handle, c: &mut Connection) -> bool {
        if c.closing {
            return true;
        }
        if !c.established {
            return self.on_give_up(c);
        }
        c.closing = true;
        let choice = if matches!(c.role, Role::Robot { .. } | Role::Checker) { 0.5 } else { self.random.unit() };
        if choice < 0.06 {
            self.send_in(c, Piece { flags: RST | ACK, sequence: c.client_next, ..Piece::default() });
            return false;
        }
        c.client_closes = choice < 0.8;
        if c.client_closes {
            self.send_client_fin(c);
            let delay = self.random.between(0.000_05, 0.000_4);
            self.soon(handle, delay, Step::PeerClose);
        } else {
            self.send_server_fin(c);
            self.after_round_trip(handle, c, 0.0, Step::PeerClose);
        }
        true
    }

    pub(super) fn on_peer_close(&mut self, handle: Handle, c: &mut Connection) -> bool {
        if c.client_closes {
            self.send_server_fin(c);
            self.after_round_trip(handle, c, 0.0, Step::LastAck);
        } else {
            self.send_client_fin(c);
            self.soon(handle, 30e-6, Step::LastAck);
        }
        true
    }

    pub(super) fn on_last_ack(&mut self, c: &mut Connection) -> bool {
        c.acknowledged = c.server_next;
        let piece = Piece { flags: ACK, ..Piece::default() };
        if c.client_closes {
            self.send_in(c, Piece { sequence: c.client_next, ..piece });
        } else {
            self.send_out(c, Piece { sequence: c.server_next, ..piece });
        }
        false
    }

    pub(super) fn send_client_fin(&mut self, c: &mut Connection) {
        c.acknowledged = c.server_next;
        self.send_in(c, Piece { flags: FIN | ACK, sequence: c.client_next, ..Piece::default() });
        c.client_next = c.client_next.wrapping_add(1);
        c.received = c.client_next;
    }

    pub(super) fn send_server_fin(&mut self, c: &mut Connection) {
        self.send_out(c, Piece { flags: FIN | ACK, sequence: c.server_next, ..Piece::default() });
        c.server_next = c.server_next.wrapping_add(1);
    }

    /// The user leaves. A stack without an answer just falls silent; one that believes itself connected resets.
    pub(super) fn on_give_up(&mut self, c: &Connection) -> bool {
        if c.client_open {
            self.send_in(c, Piece { flags: RST | ACK, sequence: c.client_next, ..Piece::default() });
        }
        if let Role::Browser { reloads } = c.role
            && reloads > 0
            && self.random.chance(0.5)
        {
            let wait = self.random.between(0.4, 3.0);
            let role = Role::Browser { reloads: reloads - 1 };
            self.plan_in(wait, Event::Reload(c.visitor, usize::from(c.server), role));
        }
        false
    }
}
