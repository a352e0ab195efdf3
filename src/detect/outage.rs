//! Outage: the server stopped serving without extra demand (DETECTION 0.2, "Missing definitions").
//!
//! Method: connections served fall under a fifth of their five-minute median for ten seconds, while first SYNs are at most
//! one and a half times theirs and, less those that are usually not served (scanners, spare sockets), at least half of the
//! served: people still come, in ordinary number, and get nothing. While a crowd is held to have brought the service down,
//! and for a minute after, that is `overload`.
//!
//! Blind spots: when the path to the site fails nobody comes either, and there is nothing to see on the mirror port.

use crate::detect::finding::{FigureName as F, Finding};
use crate::detect::view::{Situation, View, figure, on_tcp};
use crate::kind::{AlertKind, Severity, Verdict};
use crate::window::subject::{Sidedness, Subject};

/// Served connections a second, at the median, below which an outage cannot be told from a quiet minute.
const LEAST_SERVED: f64 = 2.0;

/// Ticks after a service failed under a crowd for which its silence is that crowd's doing: a minute.
const CROWD_EXPLAINS: u64 = 240;

/// Judges a subject; the situation is filled in for the minute's verdict.
pub fn detect(view: &View, subject: &Subject, situation: &mut Situation) -> Option<Finding> {
    // A server that a crowd brought down is told as overloaded, and what was usual has the crowd in it.
    let by_crowd = situation.grew && situation.failed_at.is_some_and(|at| view.tick.since(at) <= CROWD_EXPLAINS);
    if by_crowd || subject.history.len() < 6 || subject.sidedness() == Sidedness::OneSided || view.loss_share > 0.05 {
        return None;
    }
    // What is usual is no more than the most: hosts that are well need no medians.
    let most = subject.history.most_served();
    if most < LEAST_SERVED || subject.served.per_second() >= 0.2 * most {
        return None;
    }
    let (served_usual, syns_usual) = subject.history.usual()?;
    let (served, syns) = (subject.served.per_second(), subject.syns.per_second() * (1.0 - situation.attack_share));
    // Scanners come by night as by day: where few people are left, nothing served is no fault.
    let people = syns - (syns_usual - served_usual).max(0.0);
    let people_come = people >= 0.5 * served_usual && syns <= 1.5 * syns_usual.max(1.0);
    let fires = served_usual >= LEAST_SERVED && served < 0.2 * served_usual && people_come;
    if !fires {
        return None;
    }
    situation.unhealthy = true;
    // The chance of so few in ten seconds, were those who come served (Poisson): exp(-(mu - x + x ln(x / mu))).
    let (mu, x) = (served_usual.min(people) * 10.0, (served * 10.0).max(0.5));
    let score = ((mu - x + x * (x / mu).ln()) / std::f64::consts::LN_10).max(0.0);
    let mut finding = view.finding(AlertKind::Outage, subject, score, view.lines.subject.min(6.0));
    on_tcp(&mut finding, subject.leading_port());
    finding.gates_hold = true;
    let attacked = situation.is_attacked() || view.site_attacked;
    finding.severity = if attacked { Severity::Info } else { Severity::Warning };
    finding.verdict = Some(if attacked { situation.attack_verdict(view) } else { Verdict::Health });
    finding.confidence = 0.85;
    finding.onset = view.tick.start().minus(std::time::Duration::from_secs(10));
    finding.figures = vec![
        figure(F::ServedPerSecond, served, Some(served_usual)),
        figure(F::FirstSynsPerSecond, syns, Some(syns_usual)),
    ];
    finding.settings = vec![("alert_at", finding.alert_at), ("served_share", 0.2), ("window_seconds", 10.0)];
    Some(finding)
}
