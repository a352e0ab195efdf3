//! Credential stuffing: many sources each try a log-in a few times and go away (DETECTION 5, BRUTE-2).
//!
//! Method: an envelope CUSUM, minute by minute, on the share of visits to a log-in service that look unsuccessful
//! (`window/visits.rs`), against the service's own share of the last hour. At least 100 more than usual, from many sources
//! with one to three conversations each, most of which are of one size. Nothing is judged while the service is unwell: an
//! overload fails everyone.
//!
//! Sources: Javed & Paxson, CCS 2013; DETECTION 5.
//!
//! Blind spots: services at web ports that are not configured as log-ins (a page read once looks the same); the first five
//! minutes; stuffing that is there from the beginning; robots that go on to use what they opened; services whose ordinary
//! visits are as short, such as mail.

use crate::address::Address;
use crate::detect::finding::{FigureName as F, Finding};
use crate::detect::view::{View, figure, on_tcp};
use crate::kind::{AlertKind, Severity, Verdict};
use crate::window::visits::Standing;

/// Unsuccessful-looking visits beyond the usual (DETECTION 5).
const EXCESS: f64 = 100.0;

/// Conversations of a visit, at most, and share of visits of one size, at least.
const ATTEMPTS: f64 = 3.0;
const ALIKE: f64 = 0.5;

/// Judges a log-in service.
pub(super) fn judge(view: &View, (host, port): (Address, u16), standing: &Standing) -> Option<Finding> {
    let alert_at = view.lines.subject;
    if standing.score < 0.25 * alert_at {
        return None;
    }
    let mut finding = view.about(AlertKind::CredentialStuffing, host.host_prefix(), standing.score, alert_at);
    on_tcp(&mut finding, Some(port));
    finding.gates_hold = standing.excess >= EXCESS && standing.attempts <= ATTEMPTS && standing.alike >= ALIKE;
    finding.severity = Severity::Warning;
    finding.verdict = Some(Verdict::Suspicion);
    finding.confidence = 0.7;
    finding.onset = standing.onset.start();
    finding.figures = vec![
        figure(F::UnfollowedShare, standing.share, Some(standing.usual)),
        figure(F::UnfollowedCount, standing.excess, Some(EXCESS)),
        figure(F::VisitConversationsCount, standing.attempts, Some(ATTEMPTS)),
        figure(F::AlikeShare, standing.alike, Some(ALIKE)),
    ];
    finding.settings = vec![("least_excess", EXCESS), ("session_bytes", 20_000.0), ("window_seconds", 60.0)];
    Some(finding)
}
