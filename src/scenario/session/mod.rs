//! Scripted TCP sessions, in either direction: log-ins, transfers, calls outwards, connections that are held.
//!
//! A [`Script`] says who speaks next, how much and after what pause; here that becomes segments, acknowledgments and
//! numbers. Times are those of the mirror port beside the inside host: what comes from outside is seen as it arrives, an
//! answer of the outside a round trip after what it answers. Nothing is lost on the way.

mod script;
mod wire;

pub(super) use script::Script;
use script::Turn;

use super::frame::Way;
use super::minutes::Attempt;
use super::number::{low_u16, nanos};
use super::population::Client;
use super::queue::Handle;
use super::server::SynAnswer;
use super::world::{Event, MAIN, World};
use crate::address::Address;

/// SYNs sent before a client gives up: at 0, 1, 3 and 7 s.
const SYN_TRIES: u8 = 4;

/// Pure acknowledgments wait this long for data to travel with.
const DELAYED_ACK: f64 = 0.04;

/// One of the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The one outside.
    Outside,
    /// The one inside.
    Inside,
}

impl Side {
    const fn other(self) -> Self {
        match self {
            Self::Outside => Self::Inside,
            Self::Inside => Self::Outside,
        }
    }

    const fn way(self) -> Way {
        match self {
            Self::Outside => Way::In,
            Self::Inside => Way::Out,
        }
    }
}

/// How a session begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opening {
    /// Who connects.
    pub(super) client: Side,
    /// The end outside.
    pub(super) outside: Client,
    /// The end inside.
    pub(super) inside: Address,
    /// The port that is connected to.
    pub(super) port: u16,
    /// What is said.
    pub(super) script: Script,
    /// The attack it belongs to.
    pub(super) attack: Option<usize>,
    /// Seconds between two segments of one side: its bandwidth.
    pub(super) pace: f64,
}

/// What happens next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Beat {
    /// The client's SYN.
    Syn,
    /// The answer.
    SynAck,
    /// The client's ACK.
    Established,
    /// Whose turn it is begins to speak.
    Speak(Turn),
    /// And goes on.
    Segment(Turn),
    /// The other has everything up to this number.
    Received(Turn, u32),
    /// The first FIN, by the client or not.
    Fin(bool),
    /// The answer to it.
    PeerFin(bool),
    /// And the answer to that.
    LastAck(bool),
}

/// A session under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    opening: Opening,
    /// Client's port.
    client_port: u16,
    /// Next number to send, by side: outside, inside.
    next: [u32; 2],
    /// What was received of the other, by side.
    received: [u32; 2],
    turns: u32,
    left: u32,
    unacknowledged: u8,
    tries: u8,
    identification: u16,
    clock: u32,
    /// It has an entry in the web server's SYN queue.
    remembered: bool,
    /// It occupies a worker of the web server.
    held: bool,
}

impl World<'_> {
    /// Opens a session now.
    pub(super) fn open_session(&mut self, opening: Opening) {
        let isn = [self.random.bits32(), self.random.bits32()];
        let (first, count) = match opening.client {
            Side::Outside => opening.outside.system.ephemeral_ports(),
            Side::Inside => (32_768, 28_232),
        };
        let client = match opening.client {
            Side::Outside => opening.outside.address,
            Side::Inside => opening.inside,
        };
        let session = Session {
            opening,
            client_port: self.free_port(client, first, count),
            next: isn,
            received: [isn[1], isn[0]],
            turns: 0,
            left: 0,
            unacknowledged: 0,
            tries: 0,
            identification: low_u16(u64::from(isn[0] >> 16)),
            clock: isn[1],
            remembered: false,
            held: false,
        };
        let handle = self.sessions.insert(session);
        self.on_beat(handle, Beat::Syn);
    }

    /// Lets a session go on; nothing happens when it is over.
    pub(super) fn on_beat(&mut self, handle: Handle, beat: Beat) {
        let Some(stored) = self.sessions.get_mut(handle) else { return };
        let mut s = *stored;
        let lives = match beat {
            Beat::Syn => self.on_session_syn(handle, &mut s),
            Beat::SynAck => {
                self.send_handshake(&mut s, false);
                self.beat_from(handle, &s, s.opening.client, 0.0, Beat::Established);
                true
            }
            Beat::Established => self.on_session_established(handle, &mut s),
            Beat::Speak(turn) => self.on_speak(handle, &mut s, turn),
            Beat::Segment(turn) => self.on_segment(handle, &mut s, turn),
            Beat::Received(turn, upto) => self.on_received(handle, &mut s, turn, upto),
            Beat::Fin(by_client) => {
                self.send_fin(&mut s, by_client);
                self.beat_from(handle, &s, s.side(!by_client), 0.0, Beat::PeerFin(by_client));
                true
            }
            Beat::PeerFin(by_client) => {
                self.send_fin(&mut s, !by_client);
                self.beat_from(handle, &s, s.side(by_client), 0.0, Beat::LastAck(by_client));
                true
            }
            Beat::LastAck(by_client) => {
                self.send_ack(&s, s.side(by_client), None);
                false
            }
        };
        if lives {
            if let Some(stored) = self.sessions.get_mut(handle) {
                *stored = s;
            }
        } else {
            self.end_session(handle, &s);
        }
    }

    fn end_session(&mut self, handle: Handle, s: &Session) {
        if s.held {
            self.servers[MAIN].release();
        }
        self.ports_in_use.remove(&(s.client_address(), s.client_port));
        self.sessions.remove(handle);
    }

    /// Plans what a side does in answer to something that just passed: at once inside, a round trip later outside.
    fn beat_from(&mut self, handle: Handle, s: &Session, side: Side, wait: f64, beat: Beat) {
        let way = match side {
            Side::Outside => s.opening.outside.round_trip as f64 / 1e9,
            Side::Inside => 60e-6,
        };
        self.plan_in(way + wait, Event::Session(handle, beat));
    }

    fn on_session_syn(&mut self, handle: Handle, s: &mut Session) -> bool {
        s.tries += 1;
        self.send_handshake(s, true);
        match self.answer_of(s) {
            SynAnswer::Nothing if s.tries >= SYN_TRIES => false,
            SynAnswer::Nothing => {
                self.plan_in(f64::from(1_u32 << (s.tries - 1)), Event::Session(handle, Beat::Syn));
                true
            }
            answer => {
                s.remembered = answer == SynAnswer::Remembered;
                self.beat_from(handle, s, s.opening.client.other(), 0.0, Beat::SynAck);
                true
            }
        }
    }

    /// The web server answers as its queues allow; all others do.
    fn answer_of(&mut self, s: &Session) -> SynAnswer {
        let (is_inbound, at_main) = (s.opening.client == Side::Outside, s.is_at(&self.servers[MAIN]));
        if is_inbound && s.tries == 1 {
            self.count_attempt(match s.opening.attack.is_some() {
                true => Attempt::Attacker,
                false if at_main => Attempt::Person,
                false => Attempt::Elsewhere,
            });
        }
        if is_inbound && at_main { self.servers[MAIN].on_syn(self.now) } else { SynAnswer::Cookie }
    }

    fn on_session_established(&mut self, handle: Handle, s: &mut Session) -> bool {
        s.received = [s.next[1], s.next[0]];
        self.send_ack(s, s.opening.client, None);
        if s.opening.client == Side::Outside && s.is_at(&self.servers[MAIN]) {
            if s.remembered {
                self.servers[MAIN].forget();
            }
            if s.opening.script.holds() {
                s.held = true;
                self.servers[MAIN].hold();
            }
        }
        self.take_turn(handle, s, s.opening.client)
    }

    /// Plans the next turn after `last` spoke or acknowledged.
    fn take_turn(&mut self, handle: Handle, s: &mut Session, last: Side) -> bool {
        let turn = s.opening.script.turn(s.turns, &mut self.random);
        s.turns += 1;
        let (speaker, wait, beat) = match turn {
            Turn::Data { by_client, wait, .. } | Turn::Window { by_client, wait, .. } => {
                (s.side(by_client), wait, Beat::Speak(turn))
            }
            Turn::Close { by_client, wait } => (s.side(by_client), wait, Beat::Fin(by_client)),
            Turn::Abort { by_client, wait } => (s.side(by_client), wait, Beat::Speak(turn)),
        };
        if speaker == last {
            self.plan_in(wait.max(20e-6), Event::Session(handle, beat));
        } else {
            self.beat_from(handle, s, speaker, wait, beat);
        }
        true
    }

    fn on_speak(&mut self, handle: Handle, s: &mut Session, turn: Turn) -> bool {
        match turn {
            Turn::Data { bytes, .. } => {
                s.left = bytes;
                s.unacknowledged = 0;
                self.on_segment(handle, s, turn)
            }
            Turn::Window { by_client, window, probe, .. } => {
                let side = s.side(by_client);
                self.send_window(s, side, window, probe);
                self.take_turn(handle, s, side)
            }
            Turn::Abort { by_client, .. } => {
                self.send_abort(s, s.side(by_client));
                false
            }
            Turn::Close { .. } => true,
        }
    }

    fn on_segment(&mut self, handle: Handle, s: &mut Session, turn: Turn) -> bool {
        let Turn::Data { by_client, bytes, head, .. } = turn else { return true };
        let side = s.side(by_client);
        let length = low_u16(u64::from(s.left.min(u32::from(s.segment()))));
        let head = if s.left == bytes { head } else { &[] };
        s.left -= u32::from(length);
        self.send_data(s, side, length, head, s.left == 0);
        s.unacknowledged += 1;
        if s.unacknowledged == 2 || s.left == 0 {
            s.unacknowledged = 0;
            self.beat_from(handle, s, side.other(), 0.0, Beat::Received(turn, s.next[side as usize]));
        }
        if s.left > 0 {
            self.queue.plan(self.now + nanos(s.opening.pace), Event::Session(handle, Beat::Segment(turn)));
        }
        true
    }

    fn on_received(&mut self, handle: Handle, s: &mut Session, turn: Turn, upto: u32) -> bool {
        let Turn::Data { by_client, .. } = turn else { return true };
        let (side, other) = (s.side(by_client), s.side(!by_client));
        s.received[other as usize] = upto;
        let is_last = s.left == 0 && upto == s.next[side as usize];
        if !is_last {
            self.send_ack(s, other, None);
            return true;
        }
        let follows = s.opening.script.speaks_at_once(s.turns, by_client);
        if !follows {
            self.send_ack(s, other, None);
        }
        self.take_turn(handle, s, other)
    }
}

impl Session {
    const fn side(&self, is_client: bool) -> Side {
        if is_client { self.opening.client } else { self.opening.client.other() }
    }

    const fn client_address(&self) -> Address {
        match self.opening.client {
            Side::Outside => self.opening.outside.address,
            Side::Inside => self.opening.inside,
        }
    }

    fn is_at(&self, server: &super::server::Server) -> bool {
        self.opening.port == 443 && server.address(self.opening.inside.is_ipv4()) == Some(self.opening.inside)
    }

    /// Payload of a full segment.
    const fn segment(&self) -> u16 {
        self.opening.outside.mss - if self.opening.outside.system.has_timestamps() { 12 } else { 0 }
    }
}
