//! Slow clients: connections kept open by requests that are never finished (DETECTION 5, SLOW-1; "slowloris").
//!
//! Method: whose turn is it? A connection whose client has sent a piece of a request and nothing more for ten seconds, or
//! goes on in tiny pieces, waits for its *client*. The share of such connections among the open ones is tested against its
//! usual value, and there must be two hundred of them. Three signs tell an attack from a crowd: by Little's law connections
//! stay three times longer than usual (a rush brings more, none longer), or more wait than spare sockets explain, or single
//! sources hold more than fifty and are hardly ever served. While the server itself is slow anybody waits: then only the
//! last sign counts, or that so many go on in tiny pieces, unless it all began while the server was well.
//!
//! Sources: Calvert et al. 2018 (slow attacks in flow data), Little 1961.
//!
//! Blind spots: fewer than two hundred connections that suffice for a tiny server; many sources that begin when the server is
//! already overloaded and send no pieces; programs that only report and are never answered, such as telemetry, look like slow
//! pieces where two hundred of them are new to a server that is slow; needs 180 s of history.

use crate::detect::exhaustion::{Evidence, Memory, server_is_well};
use crate::detect::finding::FigureName as F;
use crate::detect::view::{Situation, View, figure};
use crate::window::subject::Subject;

/// Waiting connections below which nothing is said (DETECTION 5).
const LEAST_WAITING: f64 = 200.0;

/// Times the usual number, grown as the rate of connections has grown, that must be reached.
const TIMES: f64 = 2.0;

/// Times the usual stay from which connections stay too long (DETECTION 5).
const STAYS: f64 = 3.0;

/// Times the usual number, grown with the rate, that the spare sockets of browsers cannot explain, and their part of the
/// other connections at most: they are 2 to 15 % (DETECTION 8.1), so that a crowd may bring 7.5 times the usual number.
const MANY_TIMES: f64 = 10.0;
const SPARES: f64 = 0.15;

/// Part of the connections that lead to nothing which single idle sources must hold while the server is slow.
const BY_IDLE_SOURCES: f64 = 0.5;

/// Ticks for which an attack that began while the server was well is believed afterwards: thirty seconds since it last
/// fired.
const BELIEVED: u64 = 120;

/// Returns the evidence in decades.
pub(super) fn score(subject: &Subject) -> f64 {
    subject.connections.waiting.share.decades()
}

pub(super) fn judge(view: &View, subject: &Subject, memory: &Memory, situation: &Situation) -> Evidence {
    let connections = &subject.connections;
    let (waiting, dripping) = (&connections.waiting.count, &connections.dripping);
    let share = (waiting.now / connections.open.max(1.0)).min(1.0);
    let [_, at_most, _] = connections.envelopes();
    let usual_rate = subject.verified.usual();
    let stay = connections.stay_ratio(usual_rate).unwrap_or(0.0);
    let idle = subject.clients.idle();
    let growth = connections.growth(usual_rate);
    let expected = waiting.usual() * growth;
    let large = waiting.now >= LEAST_WAITING.max(TIMES * expected) && share > at_most;
    let many_drip = dripping.now >= LEAST_WAITING.max(TIMES * dripping.usual() * growth);
    let began_well = memory.slow_clients_at.is_some_and(|at| view.tick.since(at) <= BELIEVED);
    let by_few = !idle.is_empty() && subject.clients.idle_part() >= BY_IDLE_SOURCES;
    let no_spares = waiting.now >= (MANY_TIMES * expected).max(STAYS * SPARES * (connections.open - waiting.now));
    let told_apart = if began_well || server_is_well(subject, situation) {
        stay >= STAYS || no_spares || !idle.is_empty()
    } else {
        by_few || many_drip
    };
    let mut figures = vec![
        figure(F::WaitingCount, waiting.now, Some(expected)),
        figure(F::WaitingShare, share, Some(at_most)),
        figure(F::OpenCount, connections.open, connections.usual_open()),
    ];
    if stay > 0.0 {
        figures.push(figure(F::StayRatio, stay, Some(STAYS)));
    }
    if let Some((_, heaviest)) = idle.first() {
        figures.push(figure(F::IdleSourcesCount, idle.len() as f64, None));
        figures.push(figure(F::HeaviestSourceCount, heaviest.unserved, None));
    }
    Evidence {
        score: score(subject),
        holds: large && told_apart,
        onset: connections.waiting.share.onset(),
        margin: 10.0 * (share - at_most),
        excess: (waiting.now - expected, connections.usual_open().unwrap_or(0.0)),
        figures,
        clients: if idle.iter().any(|(_, client)| client.waiting > 0.0) { idle } else { subject.clients.waiting() },
        port: subject.clients.waiting_port(),
        weight: |client| client.waiting,
        settings: vec![("least_waiting", LEAST_WAITING), ("stay_ratio", STAYS)],
    }
}
