//! Rush: many real users at once (DETECTION 0.2, "Missing definitions").
//!
//! Method: verified connections over ten seconds above what is usual at most, and at least twice what is usual (or, while
//! the server does not keep up, demand: first SYNs less the forged ones), and behaviour not robotic. Twice the envelope was
//! tried: in the first hour, while the envelope is wide, it misses a crowd of eight times the usual size; for the same reason
//! the envelope here is that of a known hour from the start. Volume alone is never more than `info`.
//!
//! Blind spots: robots that look and last like people are a rush here, by design.

use crate::detect::behaviour::Behaviour;
use crate::detect::finding::{FigureName as F, Finding};
use crate::detect::strata::Strata;
use crate::detect::view::{SAID_FROM, Situation, View, figure, on_tcp, origins};
use crate::kind::{AlertKind, Severity, Verdict};
use crate::window::subject::{RATE_FLOOR, Subject, VERIFIED_FLOOR};

/// Times the usual rate that must be reached.
const TIMES: f64 = 2.0;

/// Judges a subject; the situation is filled in for later detectors.
pub fn detect(view: &View, subject: &Subject, strata: &Strata, situation: &mut Situation) -> Option<Finding> {
    let envelope = subject.syns.envelope(RATE_FLOOR)?;
    let verified_envelope = subject.verified.narrow_envelope(VERIFIED_FLOOR)?;
    let demand = (subject.syns.per_second() * (1.0 - situation.attack_share) - situation.robots()).max(0.0);
    let verified = (subject.verified.per_second() - situation.verified_robots()).max(0.0);
    // Only what is verified is a crowd for certain. When the server cannot keep up, those who wait before it count too,
    // unless a flood makes that figure coarse.
    let waiting =
        situation.unhealthy && !situation.flood && demand >= envelope.max(TIMES * subject.syns.usual().unwrap_or(0.0));
    let line = view.lines.subject;
    let score =
        subject.verified.decades().max(subject.crowd.decades()).max(if waiting { subject.syns.decades() } else { 0.0 });
    let large = verified >= verified_envelope.max(TIMES * subject.verified.usual().unwrap_or(0.0)) || waiting;
    situation.rush = score >= line && large && !situation.robotic;
    if score < SAID_FROM * line {
        return None;
    }
    // What looked like a crowd, and turns out to be connections without people: nothing begins, and what was said is put right.
    let are_people = strata.all.behaviour.as_ref().is_some_and(Behaviour::is_human);
    let is_none_after_all = situation.exhausted && !situation.flood && !large && !are_people;
    let score = if is_none_after_all { score.min(0.99 * line) } else { score };
    let mut finding = view.finding(AlertKind::Rush, subject, score, line);
    on_tcp(&mut finding, subject.leading_port());
    finding.gates_hold = situation.rush || is_none_after_all;
    finding.severity = Severity::Info;
    // A flood that begins beside a crowd does not make the crowd one: then the verdict is kept, or mixed.
    finding.verdict = match (situation.flood, situation.unhealthy) {
        (true, _) => Some(situation.attack_verdict(view)).filter(|verdict| *verdict == Verdict::Mixed),
        _ if is_none_after_all => Some(situation.attack_verdict(view)),
        (false, true) => Some(Verdict::Overload),
        (false, false) => Some(Verdict::Rush),
    };
    finding.confidence = 0.9;
    finding.onset = subject.syns.onset().start();
    finding.origins = origins(subject);
    finding.figures = vec![
        figure(F::FirstSynsPerSecond, demand, Some(envelope)),
        figure(F::VerifiedPerSecond, verified, Some(verified_envelope)),
        figure(F::HomeGrowthRatio, subject.foreign.home_growth(), Some(1.0)),
    ];
    finding.settings = vec![("alert_at", line), ("times_usual", TIMES), ("window_seconds", 10.0)];
    if let Some(behaviour) = &strata.all.behaviour {
        finding.figures.extend(behaviour.figures.iter().copied());
        finding.settings.extend(behaviour.weights.iter().copied());
    }
    Some(finding)
}
