//! Overload: the server does not keep up with real clients (DETECTION 2.4, SYN-6).
//!
//! Method: three signs of a full server, each against the server's own usual share. SYN queue full: first SYNs go
//! unanswered and the clients try again, as real stacks do (forged ones never do, so the retried share is taken of what
//! forging leaves). Accept queue full: Linux drops the client's ACK and repeats its SYN-ACK to finished handshakes, or
//! resets them where it is told to (`tcp_abort_on_overflow`). Application slow: half of the first bytes come late, or half
//! of the later answers, as of pages behind a quick TLS handshake. What fails without more demand than usual is a fault of
//! the service (DETECTION 4.4), whatever the sign. Late first bytes are told as `info` until half of the clients wait a second. Later answers that a
//! service holds back by design, as to long polls and wrong passwords, are late too, and who guesses leaves: so they alone
//! are told as `info`.
//!
//! Blind spots: requests inside one connection that overlap (HTTP/2), and QUIC, can overload a server without any sign; a
//! link that loses packets before the mirror looks like a server that does not answer.

use crate::detect::confidence;
use crate::detect::finding::{Figure, FigureName as F, Finding};
use crate::detect::view::{SAID_FROM, Situation, View, figure, on_tcp, origins};
use crate::kind::{AlertKind, Severity, Verdict};
use crate::time::Tick;
use crate::window::first_byte::FirstByte;
use crate::window::series::ShareSeries;
use crate::window::subject::{SHARE_FLOOR, Sidedness, Subject};

/// Unanswered first SYNs a second, and clients turned away a second, below which nothing is called an overload.
const LEAST_UNANSWERED: f64 = 4.0;
const LEAST_TURNED_AWAY: f64 = 2.0;

/// Share of unanswered handshakes that real clients retry, in a rush (DETECTION 2.4: above one half).
const LEAST_RETRIED: f64 = 0.5;

/// Share of handshakes that hurts enough for a warning.
const HURTS: f64 = 0.2;

/// First bytes a second, and the share of them that is late, from which the application is slow: the median is. From the
/// same share of waits of a second and more it hurts enough for a warning.
const LEAST_WAITS: f64 = 4.0;
const MOST_LATE: f64 = 0.5;

/// Times the usual first attempts from which demand is more than usual.
const MORE_DEMAND: f64 = 1.5;

/// Spreads of a Poisson count that are no chance.
const BY_CHANCE: f64 = 4.0;

/// First attempts that one verified connection stands for at most: by those few that a failing server takes, hardly anything
/// can be said of the others.
const MOST_ATTEMPTS: f64 = 10.0;

/// One sign of an overload.
#[derive(Clone, Copy, Debug)]
struct Sign {
    /// Evidence in decades; nothing where the sign does not hold.
    score: f64,
    onset: Tick,
    /// How far the deciding share lies beyond its line.
    margin: f64,
}

impl Sign {
    fn new(holds: bool, (score, onset): (f64, Tick), margin: f64) -> Self {
        Self { score: if holds { score } else { 0.0 }, onset, margin }
    }

    /// Returns the one with more evidence, `other` if both have as much.
    fn stronger(self, other: Self) -> Self {
        if other.score >= self.score { other } else { self }
    }
}

/// What shows that a server does not keep up, over ten seconds.
#[derive(Clone, Copy, Debug)]
struct Signs {
    /// Share of first SYNs left unanswered, how many a second, and the part of them that people retried.
    unanswered: f64,
    unanswered_rate: f64,
    retried: f64,
    /// Share of finished handshakes turned away.
    away_share: f64,
    /// Share of later questions whose client went instead of waiting.
    given_up: f64,
    has_served: bool,
    backlog_full: bool,
    accept_full: bool,
    /// First bytes are late, and later answers.
    slow: bool,
    slow_answers: bool,
    /// Half of the clients wait a second or longer for the first byte, and that is late.
    keep_waiting: bool,
    /// The sign with the most evidence.
    leading: Sign,
}

impl Signs {
    fn of(subject: &Subject, situation: &Situation) -> Self {
        let server = subject.cohorts.server_side(40);
        let unanswered_rate = (server.opened - server.answered) / 10.0;
        let retried = retried_by_people(subject, situation);
        let (away, finished) = subject.cohorts.turned_away(40);
        let away_share = if finished > 0.0 { (away / finished).min(1.0) } else { 0.0 };
        let (late_share, waits) = subject.first_byte.late();
        let (late_answers, questions) = subject.answers.late();
        let has_served =
            subject.verified.usual().is_some_and(|usual| usual >= 1.0) || subject.verified.per_second() >= 2.0;
        let backlog_full = unanswered_rate >= LEAST_UNANSWERED && retried >= LEAST_RETRIED && has_served;
        let accept_full = away / 10.0 >= LEAST_TURNED_AWAY;
        let slow = late_share >= MOST_LATE && waits / 10.0 >= LEAST_WAITS;
        let slow_answers = late_answers >= MOST_LATE && questions / 10.0 >= LEAST_WAITS;
        let (late, answers) = (subject.first_byte.evidence(), subject.answers.evidence());
        let unanswered = (subject.unanswered.decades(), subject.unanswered.onset());
        let turned_away = (subject.turned_away.decades(), subject.turned_away.onset());
        let leading = [
            Sign::new(slow, late, late_share - MOST_LATE),
            Sign::new(backlog_full, unanswered, retried - LEAST_RETRIED),
            Sign::new(accept_full, turned_away, away_share - SHARE_FLOOR),
        ]
        .into_iter()
        .fold(Sign::new(slow_answers, answers, late_answers - MOST_LATE), Sign::stronger);
        Self {
            unanswered: server.unanswered_share().unwrap_or(0.0),
            unanswered_rate,
            retried,
            away_share,
            given_up: (subject.given_up.sum() as f64 / questions.max(1.0)).min(1.0),
            has_served,
            backlog_full,
            accept_full,
            slow,
            slow_answers,
            keep_waiting: slow && subject.first_byte.kept_waiting() >= MOST_LATE,
            leading,
        }
    }

    /// Tells whether more shows than later answers that come late.
    const fn are_more_than_late_answers(&self) -> bool {
        self.backlog_full || self.accept_full || self.slow
    }

    fn refuse(&self) -> bool {
        self.unanswered >= HURTS || self.away_share >= HURTS
    }

    fn figures(&self, view: &View, subject: &Subject, situation: &Situation) -> Vec<Figure> {
        let usually = |share: &ShareSeries| Some(share.level().envelope(SHARE_FLOOR));
        let mut figures = vec![figure(F::UnansweredShare, self.unanswered, usually(&subject.unanswered))];
        if self.unanswered_rate >= LEAST_UNANSWERED {
            figures.push(figure(F::RetriedShare, self.retried, None));
        }
        if self.accept_full {
            figures.push(figure(F::TurnedAwayShare, self.away_share, usually(&subject.turned_away)));
        }
        figures.push(figure(F::FirstSynsPerSecond, situation.first_syns, subject.syns.envelope(20.0)));
        if situation.demand > 0.0 {
            figures.push(figure(F::DemandPerSecond, situation.demand, view.capacity));
        }
        figures.push(figure(F::ServedPerSecond, subject.served.per_second(), subject.served.usual()));
        figures.extend(waited(F::FirstByteSeconds, &subject.first_byte, self.slow));
        if self.slow_answers {
            figures.extend(waited(F::AnswerSeconds, &subject.answers, true));
            figures.push(figure(F::GivenUpShare, self.given_up, None));
        }
        figures
    }
}

/// Judges a subject; the situation is filled in for later detectors.
pub fn detect(view: &View, subject: &Subject, situation: &mut Situation) -> Option<Finding> {
    let line = view.lines.subject;
    let was_unhealthy = std::mem::take(&mut situation.unhealthy);
    if subject.sidedness() == Sidedness::OneSided || view.loss_share > 0.05 {
        return None;
    }
    let (unanswered_score, away_score) = (subject.unanswered.decades(), subject.turned_away.decades());
    let late_score = subject.first_byte.evidence().0.max(subject.answers.evidence().0);
    situation.accept_queue_full = false;
    if unanswered_score.max(away_score).max(late_score) < SAID_FROM * line {
        situation.dead = false;
        return None;
    }
    let signs = Signs::of(subject, situation);
    let leading = signs.leading;
    // Under a flood retries are few; a scan of closed ports is left unanswered without any and says nothing of health.
    let unanswered_under_flood =
        situation.flood && signs.unanswered_rate >= LEAST_UNANSWERED && signs.has_served && unanswered_score >= line;
    // Scans leave attempts unanswered on any day, and some answers are held back by design: where answers come late and
    // nothing else shows, the service is ill only if more is asked of it.
    let more_demand = is_more_demand(line, subject);
    let is_asked_more = more_demand || (was_unhealthy && situation.grew);
    let keeps_up_no_more = leading.score >= line && (signs.are_more_than_late_answers() || is_asked_more);
    situation.unhealthy = keeps_up_no_more || unanswered_under_flood;
    situation.accept_queue_full = signs.accept_full && away_score >= line;
    if leading.score < SAID_FROM * line {
        return None;
    }
    // What an attack on this host or a neighbour brings about is told by that attack's alert.
    let attacked = situation.is_attacked() || view.site_attacked;
    note_growth(view.tick, situation, was_unhealthy, more_demand);
    situation.dead = !situation.grew && is_dead(subject, situation);
    let hurts = signs.are_more_than_late_answers() && (signs.refuse() || signs.keep_waiting);
    let mut finding = view.finding(AlertKind::Overload, subject, leading.score, line);
    on_tcp(&mut finding, subject.leading_port());
    finding.gates_hold = signs.are_more_than_late_answers() || signs.slow_answers;
    finding.severity = if hurts && !attacked && !situation.dead { Severity::Warning } else { Severity::Info };
    finding.verdict = Some(match (attacked, situation.grew) {
        (true, _) => situation.attack_verdict(view),
        (false, false) => Verdict::Health,
        (false, true) => Verdict::Overload,
    });
    finding.onset = leading.onset.start();
    let seconds = view.tick.since(leading.onset) as f64 / 4.0;
    finding.confidence = confidence::of(10.0 * leading.margin, seconds, &finding.caveats);
    finding.origins = origins(subject);
    finding.figures = signs.figures(view, subject, situation);
    finding.settings = vec![
        ("alert_at", line),
        ("least_retried_share", LEAST_RETRIED),
        ("least_unanswered_per_second", LEAST_UNANSWERED),
        ("deadline_seconds", 1.0),
        ("window_seconds", 10.0),
    ];
    Some(finding)
}

/// Tells a service that more is asked of than usual from one that fails by itself. Who waits outlasts the crowd that overloaded
/// it, and so does the silence of a server that a crowd brought down. One that failed without a crowd is asked again and again
/// by those it did not serve, most of all when it is back: that is a crowd only if it lasts. Failing again within a minute is
/// the same failure.
fn note_growth(now: Tick, situation: &mut Situation, was_unhealthy: bool, more_demand: bool) {
    const LASTS: u32 = 80;
    const SAME: u64 = 240;
    situation.grown_for = if more_demand { situation.grown_for.saturating_add(1) } else { 0 };
    let goes_on = was_unhealthy || situation.failed_at.is_some_and(|at| now.since(at) <= SAME);
    if situation.unhealthy {
        situation.failed_at = Some(now);
    }
    if goes_on {
        situation.grew |= situation.grown_for >= LASTS;
    } else {
        (situation.grew, situation.grown_for) = (more_demand, 0);
    }
}

/// Writes the median wait. That of the last ten to twenty seconds lags behind: when half of the waits of the last ten are
/// late it is at least the shortest late one.
fn waited(name: F, waits: &FirstByte, is_slow: bool) -> Option<Figure> {
    let (now, usual) = waits.seconds();
    let at_least = waits.late_seconds().filter(|_| is_slow).unwrap_or(0.0);
    Some(figure(name, now?.max(at_least), Some(usual?)))
}

/// Ordinary demand and hardly anything served is a fault of the server and no overload (DETECTION 4.4). Once it is held to be
/// one, those who try again do not change that, nor the first who are served.
fn is_dead(subject: &Subject, situation: &Situation) -> bool {
    let (Some(served), Some(syns)) = (subject.served.usual(), subject.syns.usual()) else { return false };
    let (serves, asked) = if situation.dead { (0.4, 2.0 * MORE_DEMAND) } else { (0.2, MORE_DEMAND) };
    subject.served.recent_per_second(8) < serves * served && situation.demand < asked * syns.max(1.0)
}

/// Returns how many first attempts that were not forged stand for one verified connection, as a multiple of the usual number.
pub(super) fn attempts_each(subject: &Subject, situation: &Situation) -> f64 {
    let usual = subject.syns.usual().zip(subject.verified.usual());
    let Some((asked, verified)) = usual.filter(|_| situation.unhealthy) else { return 1.0 };
    let asked_now = subject.syns.per_second() * (1.0 - situation.attack_share);
    let each = |asked: f64, verified: f64| asked.max(1.0) / verified.max(1.0);
    (each(asked_now, subject.verified.per_second()) / each(asked, verified)).clamp(1.0, MOST_ATTEMPTS)
}

/// Tells whether more is asked for than usual, or was of late; yes while that is not known.
fn is_more_demand(line: f64, subject: &Subject) -> bool {
    // Over ten seconds; a small host has half as many again by chance.
    let more = |usual: f64| {
        let expected = 10.0 * usual.max(1.0);
        subject.syns.sum() >= (MORE_DEMAND * expected).max(expected + BY_CHANCE * expected.sqrt())
    };
    subject.syns.decades().max(subject.crowd.decades()) >= line || subject.syns.usual().is_none_or(more)
}

/// The retried share of unanswered handshakes that were not forged: forged ones are never retried, so the retries are
/// shared among what forging leaves.
fn retried_by_people(subject: &Subject, situation: &Situation) -> f64 {
    let (retried, _) = subject.records.retried();
    (retried / (1.0 - situation.attack_share).max(0.02)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets a service be well or fail for so many ticks, with more demand than usual or not.
    fn live(situation: &mut Situation, from: u64, ticks: u64, fails: bool, more: bool) -> bool {
        for n in from..from + ticks {
            let was_unhealthy = std::mem::replace(&mut situation.unhealthy, fails);
            note_growth(Tick::new(n), situation, was_unhealthy, more);
        }
        situation.grew
    }

    #[test]
    fn who_is_not_served_asks_again_and_is_no_crowd_for_that() {
        let mut dead = Situation::default();
        assert!(!live(&mut dead, 1_000, 40, true, false));
        assert!(!live(&mut dead, 1_040, 60, true, true), "they all come when it is back");
        assert!(live(&mut dead, 1_100, 40, true, true), "half a minute is a crowd");
    }

    #[test]
    fn a_crowd_is_to_blame_until_all_is_well_for_a_minute() {
        let mut crowded = Situation::default();
        assert!(live(&mut crowded, 1_000, 40, true, true));
        assert!(live(&mut crowded, 1_040, 40, true, false), "who waits outlasts it");
        live(&mut crowded, 1_080, 200, false, false);
        assert!(live(&mut crowded, 1_280, 4, true, false), "the same failure");
        live(&mut crowded, 1_284, 300, false, false);
        assert!(!live(&mut crowded, 1_584, 4, true, false), "another one");
    }
}
