//! Connect flood: handshakes that are completed and then carry nothing (DETECTION 2.5, SYN-7).
//!
//! Method: the share of connections whose client has sent no payload when they are five seconds old, or end before,
//! against its own usual value (share CUSUM): real bots connect like anybody and then say nothing. The excess must be
//! connections a second that matter, since a night's traffic may well be health checks only.
//!
//! Sources: DETECTION 2.4 ("connect flood"), envelope CUSUM of 1.4.
//!
//! Blind spots: bots that send a request are look-alike connections, another kind; services that speak first have a high
//! usual share, and then only what exceeds it shows; needs 180 s of history.

use crate::detect::exhaustion::Evidence;
use crate::detect::finding::FigureName as F;
use crate::detect::view::figure;
use crate::window::subject::Subject;

/// Empty connections a second beyond the usual share below which nothing is said: the floor of rates (DETECTION 1.2).
const LEAST_EXCESS: f64 = 20.0;

/// Times the usual share that must be reached (DETECTION 1.7).
const TIMES: f64 = 1.5;

/// Returns the evidence in decades.
pub(super) fn score(subject: &Subject) -> f64 {
    subject.connections.empty.decades()
}

pub(super) fn judge(subject: &Subject) -> Evidence {
    let connections = &subject.connections;
    let (share, ripe) = connections.empty_share();
    let usual = connections.empty.level().usual().unwrap_or(0.0);
    let [at_most, ..] = connections.envelopes();
    let excess = ((share - usual) * ripe / 10.0).max(0.0);
    Evidence {
        score: score(subject),
        holds: excess >= LEAST_EXCESS && share > at_most && share >= TIMES * usual,
        onset: connections.empty.onset(),
        margin: 10.0 * (share - at_most),
        excess: (excess, subject.verified.usual().unwrap_or(0.0)),
        figures: vec![
            figure(F::EmptyShare, share, Some(at_most)),
            figure(F::EmptyPerSecond, share * ripe / 10.0, Some(at_most * ripe / 10.0)),
        ],
        clients: subject.clients.unserved(),
        port: subject.clients.leading_port(),
        weight: |client| client.unserved,
        settings: vec![("least_excess_per_second", LEAST_EXCESS), ("times_usual", TIMES), ("window_seconds", 10.0)],
    }
}
