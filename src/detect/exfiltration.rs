//! Exfiltration: an inside host sends out far more than is usual (DETECTION 5, EXF-1 and EXF-2).
//!
//! Method: EXF-2, the front door: one client fetched from a server, in an hour, at least 500 MB and twenty times what one of
//! a thousand other clients exceeds (of few clients: the largest of them), or 5,000 answers of like size beside at most a
//! twentieth as many of any other. It needs no history. The evidence takes volumes for Pareto-distributed above that
//! quantile (Crovella & Bestavros 1997 found exponents of 1.0 to 1.5 in web transfers; 1.2 is taken). Where several
//! machines show behind the client, ten times as much is needed; of a client at home also as many times as it has large
//! conversations at once: a class that watches a film is at home. EXF-1, out of character: a host sent
//! at least 500 MB in an hour, or 5 GB in a day, over connections it opened itself, ten times what came back, four spreads
//! above its usual hour and mostly to destinations first seen today. Below a day of history that is `info`.
//!
//! Sources: DETECTION 5; Metwally et al. 2005 (heavy hitters).
//!
//! Blind spots: less than 500 MB an hour (1.1 Mbit/s); theft spread over many clients, or over ten
//! conversations at once by a client at home, or hidden behind configured proxies;
//! a server whose clients fetch as much anyway. What was fetched is encrypted: volume is consistent with theft and with a
//! backup, never proof.

use crate::address::Address;
use crate::detect::finding::{FigureName as F, Finding, OriginShare, SourceShare};
use crate::detect::view::{View, figure};
use crate::kind::{AlertKind, Severity, Verdict};
use crate::window::outbound::Sent;
use crate::window::pulls::{Others, Pull, Pulled};
use crate::window::whole;

/// Least bytes of an hour, and of a day.
pub(super) const HOUR_BYTES: f64 = 500e6;
const DAY_BYTES: f64 = 5e9;

/// Answers of like size in an hour, and least bytes that so many documents have.
pub(super) const ANSWERS: f64 = 5_000.0;
const DOCUMENTS_BYTES: f64 = 100e6;
const ALIKE: f64 = 0.5;

/// Times what one of a thousand clients exceeds.
const BEYOND: f64 = 20.0;

/// Other clients without which nothing is known to be usual.
const CLIENTS: usize = 20;

/// Large conversations at once, or network stacks, that show several machines behind a client; and how many times as much
/// such a client may fetch.
const AT_ONCE: f64 = 9.5;
const STACKS: f64 = 2.5;
const SHARED: f64 = 10.0;

/// Pareto exponent of volumes.
const EXPONENT: f64 = 1.2;

/// EXF-1: spreads above the usual hour, bytes out for each byte in, share to new destinations (DETECTION 5).
const SPREADS: f64 = 4.0;
const OUT_TO_IN: f64 = 10.0;
const TO_NEW: f64 = 0.5;

/// The line: twenty times what is exceeded once in a thousand.
fn line() -> f64 {
    decades(BEYOND)
}

/// Decades by which chance alone exceeds `ratio` times the quantile of one in a thousand.
fn decades(ratio: f64) -> f64 {
    3.0 + EXPONENT * ratio.max(1.0).log10()
}

/// Tells whether it is worth comparing a client with the others.
pub(super) fn may_be_much(pulled: &Pulled) -> bool {
    pulled.bytes() as f64 >= 0.5 * HOUR_BYTES || pulled.answers() as f64 >= 0.5 * ANSWERS
}

/// Judges what a client fetched (EXF-2), from `abroad` or not; `others` is what the server's other clients did.
pub(super) fn front_door(view: &View, pull: &Pull, pulled: &Pulled, others: &Others, abroad: bool) -> Option<Finding> {
    let (bytes, answers) = (pulled.bytes() as f64, pulled.answers() as f64);
    let shared = machines(pulled, abroad);
    let by_bytes = bytes / others.bytes.max(HOUR_BYTES / BEYOND) / shared;
    let documents = pulled.alike() >= ALIKE && bytes >= DOCUMENTS_BYTES;
    let by_answers = if documents { answers / others.answers.max(ANSWERS / BEYOND) / shared } else { 0.0 };
    let score = decades(by_bytes.max(by_answers));
    if by_bytes.max(by_answers) < 0.5 * BEYOND {
        return None;
    }
    let mut finding = exfiltration(view, pull.server, score);
    finding.gates_hold = true;
    finding.severity = if others.clients >= CLIENTS { Severity::Warning } else { Severity::Info };
    finding.confidence = 0.7;
    finding.onset = pulled.since().start();
    let usual = (BEYOND * others.bytes).max(HOUR_BYTES) * shared;
    finding.figures = vec![figure(F::FetchedBytes, bytes, Some(usual))];
    if by_answers >= by_bytes {
        finding.figures.push(figure(F::AnswersCount, answers, Some((BEYOND * others.answers).max(ANSWERS) * shared)));
    }
    finding.figures.push(figure(F::OtherClientsCount, others.clients as f64, None));
    finding.figures.push(figure(F::OtherClientsBytes, others.bytes, None));
    finding.sources = vec![SourceShare { address: pull.client, packets: pulled.packets(), bytes: pulled.bytes() }];
    finding.origins = OriginShare::of_one(pulled.country(), pulled.packets());
    finding.settings = vec![("least_bytes", HOUR_BYTES), ("times_the_others", BEYOND), ("window_seconds", 3_600.0)];
    Some(finding)
}

/// How many times as much a client may fetch: as many machines as are held to share it. Many conversations at once are a
/// class's as well as a tool's; classes are at home.
fn machines(pulled: &Pulled, abroad: bool) -> f64 {
    if pulled.at_once() >= AT_ONCE && !abroad {
        pulled.at_once().max(SHARED)
    } else if pulled.stacks() > STACKS {
        SHARED
    } else {
        1.0
    }
}

/// Judges what a host sent over connections of its own (EXF-1).
pub(super) fn out_of_character(view: &View, host: Address, sent: &Sent) -> Option<Finding> {
    let large = sent.hour >= HOUR_BYTES || (sent.day >= DAY_BYTES && sent.hour >= DAY_BYTES / 48.0);
    let outwards = sent.hour >= OUT_TO_IN * sent.received && sent.to_new >= TO_NEW * sent.hour;
    if !(large && outwards) || sent.spreads.is_some_and(|spreads| spreads < SPREADS) {
        return None;
    }
    let score = sent.spreads.map_or_else(|| decades(sent.hour / (HOUR_BYTES / BEYOND)), gaussian);
    let mut finding = exfiltration(view, host, score.max(line()));
    finding.gates_hold = true;
    finding.severity = if sent.spreads.is_some() { Severity::Warning } else { Severity::Info };
    finding.confidence = if sent.spreads.is_some() { 0.7 } else { 0.4 };
    finding.figures = vec![
        figure(F::SentHourBytes, sent.hour, sent.usual),
        figure(F::NewDestinationShare, (sent.to_new / sent.hour).min(1.0), Some(TO_NEW)),
    ];
    finding.sources = vec![SourceShare { address: sent.peer, packets: 0, bytes: whole(sent.to_new) }];
    finding.settings = vec![("least_bytes", HOUR_BYTES), ("least_spreads", SPREADS), ("window_seconds", 3_600.0)];
    Some(finding)
}

fn exfiltration(view: &View, host: Address, score: f64) -> Finding {
    let mut finding = view.about(AlertKind::Exfiltration, host.host_prefix(), score, line());
    finding.verdict = Some(Verdict::Suspicion);
    finding
}

/// Chernoff's bound on a Gaussian tail, exp(-z^2 / 2), in decades.
fn gaussian(spreads: f64) -> f64 {
    spreads * spreads / 2.0 / std::f64::consts::LN_10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_twenty_times_the_thousandth() {
        assert!((line() - 4.56).abs() < 0.01);
        assert!(decades(40.0) > line() && decades(19.0) < line());
        assert!((gaussian(4.0) - 3.47).abs() < 0.01);
    }
}
