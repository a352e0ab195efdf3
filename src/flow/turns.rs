//! Whose turn it is on a connection: what tells a client that keeps the server waiting, and a server that keeps its client so.
//!
//! Payload of the client is summed up to 300 bytes, and its small pieces are counted while the server has nothing to say to
//! them. That a piece comes a second or more after the one before is judged by the silence before it, since the server
//! acknowledges each at once. All of it is kept in bits of the flow's state.

use crate::flow::entry::{Flow, State};

/// Payload of the client from which on its request counts as made (DETECTION 5, SLOW-1).
const REQUEST: u32 = 300;
/// Silence before a piece that counts as slow.
const PAUSE_US: u32 = 1_000_000;
/// Slow pieces in a row that keep a server waiting.
const PIECES: u32 = 3;

/// Silence within a question: longer than any round trip to the server.
const PAUSE_IN_QUESTION_US: u32 = 256_000;

/// Where the count of pieces is, two bits, and the payload sum, eight: in pairs of bytes.
const PIECES_AT: u32 = 19;
const HEARD_AT: u32 = 21;
const HEARD_MOST: u32 = 255;
const PAIR: u32 = 2;

impl Flow {
    /// Takes new payload of the client after so much silence; tells whether it goes on in slow pieces.
    pub(crate) fn hear_client(&mut self, payload: u16, idle_us: u32) -> bool {
        let heard = (self.heard() + u32::from(payload).div_ceil(PAIR)).min(HEARD_MOST);
        let small = u32::from(payload) < REQUEST;
        let pieces = match (small, self.pieces()) {
            (false, _) => 0,
            (true, before) if before > 0 && idle_us >= PAUSE_US => (before + 1).min(PIECES),
            (true, _) => 1,
        };
        self.state = self.state & !(3 << PIECES_AT | HEARD_MOST << HEARD_AT) | pieces << PIECES_AT | heard << HEARD_AT;
        pieces == PIECES
    }

    /// Takes that the server said something: whatever pieces came before, they led to an answer.
    pub(crate) fn hear_server(&mut self) {
        self.state &= !(3 << PIECES_AT);
    }

    /// Tells whether the server still waits for the beginning of a request; asked at ten seconds of age.
    pub(crate) fn has_no_request(&self) -> bool {
        let answered = State::of(State::PAYLOAD, self.originator().other());
        self.has(State::HANDSHAKE)
            && self.state & (answered | State::both(State::FIN) | State::CLOSED | State::WAITING) == 0
            && PAIR * self.heard() < REQUEST
    }

    /// Nothing is asked that has no answer.
    pub(crate) const NOT_ASKED: u32 = u32::MAX;

    /// Takes new payload of the client after so much silence. Pieces that follow each other are one question, and what comes
    /// after a pause, such as the good-bye of one who gives up, is none of its own.
    pub(crate) fn ask(&mut self, age_us: u32, idle_us: u32) {
        if self.asked_us == Self::NOT_ASKED || idle_us < PAUSE_IN_QUESTION_US {
            self.asked_us = age_us.min(Self::NOT_ASKED - 1);
        }
    }

    /// Takes payload of the server, or that the client waits no longer; returns for how long it has waited.
    pub(crate) fn answer(&mut self, age_us: u32) -> Option<u32> {
        let asked = std::mem::replace(&mut self.asked_us, Self::NOT_ASKED);
        (asked != Self::NOT_ASKED).then(|| age_us.saturating_sub(asked))
    }

    fn heard(&self) -> u32 {
        self.state >> HEARD_AT & HEARD_MOST
    }

    fn pieces(&self) -> u32 {
        self.state >> PIECES_AT & 3
    }
}
