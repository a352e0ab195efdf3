//! Overload: the server does not keep up with real clients (DETECTION 2.4, SYN-6).
//!
//! Method: two signatures of a full server, both against the server's own usual share. SYN queue full: first SYNs go
//! unanswered and the clients try again, as real stacks do (forged ones never do, so the retried share is taken of what
//! forging leaves). Accept queue full: Linux drops the client's ACK and repeats its SYN-ACK to finished handshakes. A slow
//! application shows in the first byte and supports both.
//!
//! Blind spots: requests inside one connection (HTTP/2, QUIC) can overload a server without either sign; a link that loses
//! packets before the mirror looks like a server that does not answer.

use crate::detect::confidence;
use crate::detect::finding::{FigureName as F, Finding};
use crate::detect::view::{SAID_FROM, Situation, View, figure, on_tcp, origins};
use crate::kind::{AlertKind, Severity, Verdict};
use crate::window::subject::{SHARE_FLOOR, Sidedness, Subject};

/// Unanswered first SYNs a second, and repeated answers a second, below which nothing is called an overload.
const LEAST_UNANSWERED: f64 = 4.0;
const LEAST_REPEATED: f64 = 2.0;

/// Share of unanswered handshakes that real clients retry, in a rush (DETECTION 2.4: above one half).
const LEAST_RETRIED: f64 = 0.5;

/// Share of handshakes that hurts enough for a warning.
const HURTS: f64 = 0.2;

/// Judges a subject; the situation is filled in for later detectors.
pub fn detect(view: &View, subject: &Subject, situation: &mut Situation) -> Option<Finding> {
    let line = view.lines.subject;
    situation.unhealthy = false;
    if subject.sidedness() == Sidedness::OneSided || view.loss_share > 0.05 {
        return None;
    }
    let (unanswered_score, repeated_score) = (subject.unanswered.decades(), subject.repeated.decades());
    situation.accept_queue_full = false;
    if unanswered_score.max(repeated_score) < SAID_FROM * line {
        return None;
    }
    let server = subject.cohorts.server_side(40);
    let unanswered = server.unanswered_share().unwrap_or(0.0);
    let unanswered_rate = (server.opened - server.answered) / 10.0;
    let retried = retried_by_people(subject, situation);
    let (repeated, finished) = subject.cohorts.repeated(40);
    let repeated_share = if finished > 0.0 { (repeated / finished).min(1.0) } else { 0.0 };
    let has_served = subject.verified.usual().is_some_and(|usual| usual >= 1.0) || subject.verified.per_second() >= 2.0;

    let backlog_full = unanswered_rate >= LEAST_UNANSWERED && retried >= LEAST_RETRIED && has_served;
    let accept_full = repeated / 10.0 >= LEAST_REPEATED;
    let score =
        f64::max(if backlog_full { unanswered_score } else { 0.0 }, if accept_full { repeated_score } else { 0.0 });
    // Under a flood retries are few; a scan of closed ports is left unanswered without any and says nothing of health.
    let unanswered_under_flood = situation.flood && unanswered_rate >= LEAST_UNANSWERED && has_served;
    situation.unhealthy = score >= line || (unanswered_score >= line && unanswered_under_flood);
    situation.accept_queue_full = accept_full && repeated_score >= line;
    if score < SAID_FROM * line {
        return None;
    }
    let mut finding = view.finding(AlertKind::Overload, subject, score, line);
    on_tcp(&mut finding, subject.leading_port());
    finding.gates_hold = backlog_full || accept_full;
    let hurts = unanswered >= HURTS || repeated_share >= HURTS;
    // What an attack on this host or a neighbour brings about is told by that attack's alert.
    let attacked = situation.is_attacked() || view.site_attacked;
    let dead = is_dead(subject, situation);
    finding.severity = if hurts && !attacked && !dead { Severity::Warning } else { Severity::Info };
    finding.verdict = Some(match (attacked, dead) {
        (true, _) => situation.attack_verdict(view),
        (false, true) => Verdict::Health,
        (false, false) => Verdict::Overload,
    });
    let by_repetition = accept_full && repeated_score >= unanswered_score;
    let onset = if by_repetition { subject.repeated.onset() } else { subject.unanswered.onset() };
    finding.onset = onset.start();
    let margin = 10.0 * if by_repetition { repeated_share - SHARE_FLOOR } else { retried - LEAST_RETRIED };
    finding.confidence = confidence::of(margin, view.tick.since(onset) as f64 / 4.0, &finding.caveats);
    finding.origins = origins(subject);
    finding.figures.push(figure(
        F::UnansweredShare,
        unanswered,
        Some(subject.unanswered.level().envelope(SHARE_FLOOR)),
    ));
    if unanswered_rate >= LEAST_UNANSWERED {
        finding.figures.push(figure(F::RetriedShare, retried, None));
    }
    if accept_full {
        let usual = subject.repeated.level().envelope(SHARE_FLOOR);
        finding.figures.push(figure(F::RepeatedAnswerShare, repeated_share, Some(usual)));
    }
    finding.figures.push(figure(F::FirstSynsPerSecond, situation.first_syns, subject.syns.envelope(20.0)));
    if situation.demand > 0.0 {
        finding.figures.push(figure(F::DemandPerSecond, situation.demand, view.capacity));
    }
    finding.figures.push(figure(F::ServedPerSecond, subject.served.per_second(), subject.served.usual()));
    if let (Some(now), usual @ Some(_)) = subject.first_byte_seconds() {
        finding.figures.push(figure(F::FirstByteSeconds, now, usual));
    }
    finding.settings = vec![
        ("alert_at", line),
        ("least_retried_share", LEAST_RETRIED),
        ("least_unanswered_per_second", LEAST_UNANSWERED),
        ("deadline_seconds", 1.0),
        ("window_seconds", 10.0),
    ];
    Some(finding)
}

/// Ordinary demand and hardly anything served is a fault of the server and no overload (DETECTION 4.4).
fn is_dead(subject: &Subject, situation: &Situation) -> bool {
    let (Some(served), Some(syns)) = (subject.served.usual(), subject.syns.usual()) else { return false };
    subject.served.recent_per_second(8) < 0.2 * served && situation.demand < 1.5 * syns.max(1.0)
}

/// The retried share of unanswered handshakes that were not forged: forged ones are never retried, so the retries are
/// shared among what forging leaves.
fn retried_by_people(subject: &Subject, situation: &Situation) -> f64 {
    let (retried, _) = subject.records.retried();
    (retried / (1.0 - situation.attack_share).max(0.02)).min(1.0)
}
