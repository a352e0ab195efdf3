//! Slow readers: clients that ask for much and then close their receive window, so that answers stay in the server's
//! memory (DETECTION 5, SLOW-2).
//!
//! Method: connections whose client announced a window of zero after the server had sent payload, and has not opened it
//! since. Their share of the open connections is tested against its usual value (phones pause videos), and there must be a
//! hundred of them, and twice as many as the growth of traffic explains.
//!
//! Sources: DETECTION 5 (SLOW-2); RFC 9293 section 3.8.6.1 (zero window probing, which keeps such connections alive).
//!
//! Blind spots: clients that read a few bytes at a time and never close the window; needs 180 s of history.

use crate::detect::exhaustion::Evidence;
use crate::detect::finding::FigureName as F;
use crate::detect::view::figure;
use crate::window::subject::Subject;

/// Blocked connections below which nothing is said (DETECTION 5).
const LEAST_BLOCKED: f64 = 100.0;

/// Times the usual number, grown as the rate of connections has grown, that must be reached.
const TIMES: f64 = 2.0;

/// Returns the evidence in decades.
pub(super) fn score(subject: &Subject) -> f64 {
    subject.connections.blocked.share.decades()
}

pub(super) fn judge(subject: &Subject) -> Evidence {
    let connections = &subject.connections;
    let blocked = &connections.blocked;
    let share = (blocked.count.now / connections.open.max(1.0)).min(1.0);
    let [.., at_most] = connections.envelopes();
    let expected = blocked.count.usual() * connections.growth(subject.verified.usual());
    Evidence {
        score: score(subject),
        holds: blocked.count.now >= LEAST_BLOCKED.max(TIMES * expected) && share > at_most,
        onset: blocked.share.onset(),
        margin: 10.0 * (share - at_most),
        excess: (blocked.count.now - expected, connections.usual_open().unwrap_or(0.0)),
        figures: vec![
            figure(F::BlockedCount, blocked.count.now, Some(expected)),
            figure(F::BlockedShare, share, Some(at_most)),
            figure(F::OpenCount, connections.open, connections.usual_open()),
        ],
        clients: subject.clients.blocked(),
        port: None,
        weight: |client| client.blocked,
        settings: vec![("least_blocked", LEAST_BLOCKED)],
    }
}
