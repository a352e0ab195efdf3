//! SYN flood: who failed to answer, the server or the clients (DETECTION 2.3 to 2.5; SYN-1 to SYN-5).
//!
//! Method: of the handshakes the server answered, how many did the client finish (SYN-2, share CUSUM)? Of those of new
//! sources, how many fell silent compared with known sources under the same load (SYN-3)? Both must agree where a
//! control group exists, unless known sources finish as ever while a clear part of the answered does not. Where the server
//! answers hardly anything only the client side is judged, with a margin; and sources that cannot exist (0/8, 127/8, 224/3)
//! prove forging whatever the server does. What closed ports refuse with a reset beside a service that goes on as usual is
//! a flood when it surges and its sources do not come again. SYN-1, the surge itself, gives the start and never an alert. In
//! a surge most of which its senders reset, bots send SYNs past their own stacks. SYN-5 (do sources come twice, do all SYNs
//! look alike) tells forged sources from such bots and is evidence. SYN-4 estimates the half-open handshakes on the server.
//! A small queue is full before a share can be judged for long: where a server surges, answers strangers who do not finish
//! and then nobody, its silence takes the place of more evidence.
//!
//! Sources: Wang, Zhang & Shin 2002/2004 (handshake pairs), Siris & Papagalou 2004 (CUSUM), DETECTION 2.3 (estimators).
//!
//! Blind spots: an attacker who forges known sources or repeats each SYN keeps SYN-3 quiet and is found only above half of
//! all handshakes; one that fills the server's queue within three seconds passes for a faulty path where known clients
//! do not finish either; a flood at closed ports below twice the usual rate of SYNs, or at a host of which no usual rate is
//! known, cannot be told from refused clients.

use crate::detect::blackout::is_silent;
use crate::detect::confidence;
use crate::detect::finding::{Caveat, Figure, FigureName as F, Finding};
use crate::detect::view::{SAID_FROM, Situation, View, estimate, figure, on_tcp};
use crate::kind::{AlertKind, Severity};
use crate::time::Tick;
use crate::window::records::IMPOSSIBLE_SHARE;
use crate::window::subject::{ABANDONED_FLOOR, RATE_FLOOR, SHARE_FLOOR, Sidedness, Subject};

/// Finished share of answered handshakes before a level is known (DETECTION 2.3).
const FINISHED_AT_FIRST: f64 = 0.975;

/// Standard errors that a decision stands clear of (DETECTION 2.3).
const CLEAR: f64 = 3.3;

/// Unfinished handshakes a second below which nothing is called a flood (DETECTION 0.2).
const LEAST_UNFINISHED: f64 = 20.0;

/// Excess a second that a decision without a control group needs (DETECTION 0.2).
const LEAST_EXCESS: f64 = 50.0;

/// Networks that make it a flood at any rate, and the rate that makes it one from any number (DETECTION 0.2).
const LEAST_NETWORKS: usize = 20;
const FEW_SOURCES_RATE: f64 = 500.0;

/// Share of sources that come once in ten seconds, from which they are forged or at least do not come again.
const COME_ONCE: f64 = 0.5;

/// An estimate of the forged share of first SYNs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Share {
    value: f64,
    error: f64,
    n: f64,
}

impl Share {
    fn low(&self) -> f64 {
        self.value - CLEAR * self.error
    }
}

/// How a flood shows.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Path {
    /// The server answers and clients do not finish.
    Clients,
    /// The server answered, clients did not finish, and now it answers hardly anybody.
    FullQueue,
    /// The server answers hardly anything, or only inbound is captured: silence beyond a margin.
    Silence,
    /// Sources that cannot exist.
    Impossible,
    /// Clients reset what the server answers: machines that send SYNs past their own stack.
    Resets,
    /// The server refuses: closed ports.
    Refused,
}

impl Path {
    /// Tells whether the share was estimated among what the server answered.
    const fn is_of_answered(self) -> bool {
        matches!(self, Self::Clients | Self::FullQueue)
    }
}

/// Judges a subject; the situation is filled in for later detectors.
pub fn detect(view: &View, subject: &Subject, situation: &mut Situation) -> Option<Finding> {
    situation.first_syns = subject.syns.recent_per_second(8);
    situation.demand = situation.first_syns;
    if view.loss_share > 0.05 {
        return None;
    }
    let line = view.lines.subject;
    let paths = [
        by_refusals(line, subject),
        by_resets(line, subject),
        by_impossible_sources(line, subject),
        by_silence(line, subject),
        by_full_queue(line, subject),
    ];
    if subject.unfinished.decades() < SAID_FROM * line && paths.iter().all(Option::is_none) {
        return None;
    }
    // The last of equals wins: the clients' side estimates best.
    let judged = paths.into_iter().chain([by_clients(line, subject)]);
    let best = judged.flatten().max_by(|a, b| {
        (a.holds, a.score.min(line)).partial_cmp(&(b.holds, b.score.min(line))).unwrap_or(std::cmp::Ordering::Equal)
    })?;
    let best = Judgement { share: of_first_attempts(subject, &best), ..best };
    if best.holds && best.score >= line {
        fill(situation, &best);
        situation.syn_queue_full = subject.half_open_count() > view.backlog;
    }
    (best.score >= SAID_FROM * line).then(|| finding(view, subject, situation, &best))
}

/// One path's judgement.
#[derive(Clone, Copy, Debug)]
struct Judgement {
    path: Path,
    score: f64,
    share: Share,
    /// Size gates and decision rule hold.
    holds: bool,
    /// The decision rule holds, not only the surge beside it.
    confirmed: bool,
}

/// SYN-2, decided by SYN-3 where known sources allow.
fn by_clients(line: f64, subject: &Subject) -> Option<Judgement> {
    let span = span(subject);
    let share = unfinished_share(subject, span);
    let score = subject.unfinished.decades();
    if subject.sidedness() == Sidedness::OneSided || share.n <= 0.0 {
        return None;
    }
    if known_clients_fail_too(line, subject, &share) {
        return None;
    }
    let rate = subject.records.unfinished_per_second(FEW_SOURCES_RATE);
    let spread = subject.records.networks() >= LEAST_NETWORKS || rate > FEW_SOURCES_RATE;
    let confirmed = confirmed_by_rule(subject, &share);
    // Machines whose own system resets the answer are of the same flood as those where a firewall drops it.
    let reset = if confirmed { subject.reset_beyond_usual() / 10.0 } else { 0.0 };
    let large_enough = rate + reset >= LEAST_UNFINISHED && spread;
    let holds = large_enough && (confirmed || is_sudden(line, subject, &share));
    Some(Judgement { path: Path::Clients, score, share, holds, confirmed })
}

/// Where clients that were served before do not finish either, their path is at fault: a link behind the mirror that
/// queues or loses answers, and no forging. Unless a sound path says that their addresses are borrowed.
fn known_clients_fail_too(line: f64, subject: &Subject, share: &Share) -> bool {
    let (unfinished, n) = subject.records.unfinished_known(span(subject));
    n >= 20.0 && unfinished > 0.5 * share.value && !path_is_sound(line, subject)
}

/// A faulty path strikes all in proportion, and who gets through it has tried more than once, which shows after three
/// seconds (RFC 6298: the second try comes after one). Where as many as usual connect at the first try, and what does not
/// finish came on top of them, the path is sound.
fn path_is_sound(line: f64, subject: &Subject) -> bool {
    const SHOWS_AFTER: u64 = 12;
    const AS_USUAL: f64 = 0.7;
    const AGAIN: f64 = 0.1;
    const ON_TOP: f64 = 1.3;
    let (abroad, domestic) = (&subject.abroad.service, &subject.domestic.service);
    let again = |ticks| abroad.repeated_share(domestic, ticks);
    let few = |again| again <= AGAIN;
    let connect = |usual| usual >= 1.0 && subject.verified.recent_per_second(20) >= AS_USUAL * usual;
    let on_top = |usual: f64| subject.syns.recent_per_second(20) >= ON_TOP * usual;
    (subject.syns.decades() >= line || subject.syns.usual().is_some_and(on_top))
        && subject.last_tick().since(subject.unfinished.onset()) >= SHOWS_AFTER
        && subject.verified.usual().is_some_and(connect)
        && again(40).is_some_and(few)
        && again(8).is_none_or(few)
}

/// A surge of SYNs that began with the unfinished handshakes opens a warning while SYN-3 has no answer yet: for six
/// seconds. What a crowd's bad lines leave unfinished is a smaller share, and comes later than the crowd.
fn is_sudden(line: f64, subject: &Subject, share: &Share) -> bool {
    const BEFORE_AN_ANSWER: u64 = 24;
    const TOGETHER: u64 = 12;
    let (surge, unfinished) = (subject.syns.onset(), subject.unfinished.onset());
    subject.syns.decades() >= line
        && share.low() > 0.2
        && subject.last_tick().since(unfinished) <= BEFORE_AN_ANSWER
        && surge.since(unfinished).max(unfinished.since(surge)) <= TOGETHER
}

fn confirmed_by_rule(subject: &Subject, share: &Share) -> bool {
    let excess = share.value * subject.syns.recent_per_second(8);
    if share.low() > 0.3 && share.value > 0.5 && share.n >= 50.0 {
        return true;
    }
    if served_clients_finish(subject, share) {
        return true;
    }
    let (silent_known, n_known) = subject.records.silent_known();
    if n_known >= 100.0 {
        let (silent_new, _) = subject.records.silent_new();
        let silent = ((silent_new - silent_known) / (1.0 - silent_known).max(0.01)) * subject.records.new_share();
        return share.low() > 0.03 && silent > 0.05;
    }
    let long = unfinished_share(subject, 120);
    (share.low() > 0.10 && share.n >= 200.0 && excess >= LEAST_EXCESS)
        || (long.low() > 0.10 && long.n >= 200.0 && excess >= LEAST_UNFINISHED)
}

/// The control group of DETECTION 2.3, among the answered: clients that were served before finish as ever, so neither the
/// service nor the way to it is at fault, and a clear part of the others does not.
fn served_clients_finish(subject: &Subject, share: &Share) -> bool {
    const ENOUGH: f64 = 20.0;
    const AS_EVER: f64 = 0.25;
    const CLEAR_PART: f64 = 0.15;
    let (unfinished, n) = subject.records.unfinished_known(span(subject));
    n >= ENOUGH && unfinished <= AS_EVER * share.value && share.low() > CLEAR_PART
}

/// A surge that is not finished fills the queue of half-open handshakes, and a server with a full queue answers nobody (RFC
/// 4987, section 2). Surge, unfinished answers and silence begin together; each is improbable by itself.
fn by_full_queue(line: f64, subject: &Subject) -> Option<Judgement> {
    const TOGETHER: u64 = 12;
    const LEAST_ANSWERED: f64 = 50.0;
    const LEAST_KNOWN: f64 = 5.0;
    let score = subject.syns.decades().min(subject.unanswered.decades());
    let begins = subject.unfinished.onset();
    let together = |onset: Tick| onset.since(begins).max(begins.since(onset)) <= TOGETHER;
    let holds_together = together(subject.syns.onset()) && together(subject.unanswered.onset());
    if score <= SAID_FROM * line || !holds_together || subject.sidedness() == Sidedness::OneSided || !is_silent(subject)
    {
        return None;
    }
    let share = unfinished_share(subject, span(subject));
    let (known, n_known) = subject.records.unfinished_known(span(subject));
    let known_fail = n_known >= LEAST_KNOWN && known > 0.5 * share.value;
    let holds = share.low() > 0.5
        && share.n >= LEAST_ANSWERED
        && subject.records.networks() >= LEAST_NETWORKS
        && (!known_fail || path_is_sound(line, subject));
    Some(Judgement { path: Path::FullQueue, score, share, holds, confirmed: true })
}

/// The margin version of SYN-3, when the server's answers cannot be judged.
fn by_silence(line: f64, subject: &Subject) -> Option<Judgement> {
    let score = subject.silent.decades();
    if score <= SAID_FROM * line {
        return None;
    }
    let server = subject.cohorts.server_side(40);
    let hardly_answers = server.opened * server.raw >= 100.0 && server.unanswered_share().unwrap_or(0.0) > 0.9;
    if subject.sidedness() != Sidedness::OneSided && !hardly_answers {
        return None;
    }
    let (silent, n) = subject.records.silent_new();
    let doubled = subject.silent_envelope();
    let value = ((silent - doubled) / (1.0 - doubled)).max(0.0) * subject.records.new_share();
    let error = (silent * (1.0 - silent) / n.max(1.0)).sqrt() / (1.0 - doubled);
    let share = Share { value, error, n };
    let excess = value * subject.syns.per_second();
    let spread = subject.records.networks() >= LEAST_NETWORKS || excess > FEW_SOURCES_RATE;
    let holds = value - CLEAR * error > 0.15 && excess >= LEAST_EXCESS && spread && n >= 200.0;
    Some(Judgement { path: Path::Silence, score, share, holds, confirmed: true })
}

/// Sources that no network can have: random forging shows in 13.3 % of its addresses (DETECTION 2.4).
fn by_impossible_sources(line: f64, subject: &Subject) -> Option<Judgement> {
    const LEAST: f64 = 200.0;
    // Most hosts have fewer in twice the time, which is known without a look at each tick.
    if subject.records.looked_v4() < LEAST {
        return None;
    }
    let (share, n, rate) = subject.records.impossible(20);
    if n < LEAST {
        return None;
    }
    let value = (share / IMPOSSIBLE_SHARE).min(1.0);
    let error = (share * (1.0 - share) / n).sqrt() / IMPOSSIBLE_SHARE;
    // A single look is not a sequential test: it may open an alert, but never outweighs the others.
    let score = binomial_evidence(share, n, 0.01).min(1.5 * line);
    let excess = value * rate;
    let holds = value - CLEAR * error > 0.10 && excess >= LEAST_EXCESS;
    let share = Share { value, error, n };
    (score > SAID_FROM * line).then_some(Judgement { path: Path::Impossible, score, share, holds, confirmed: true })
}

/// Most answered handshakes are given up by their clients, in a surge, and most of those are reset: bots with raw sockets,
/// whose own systems know nothing of the SYN and reset the answer, or drop it behind a firewall.
fn by_resets(line: f64, subject: &Subject) -> Option<Judgement> {
    let score = subject.abandoned.decades().max(subject.unfinished.decades());
    if score <= SAID_FROM * line {
        return None;
    }
    let (reset, all) = subject.cohorts.abandoned(subject.cohorts.deadline(), 40);
    let client = subject.cohorts.client_side(subject.cohorts.deadline(), 40);
    let given_up = reset + client.unfinished();
    if subject.sidedness() == Sidedness::OneSided || all * client.raw < 200.0 || reset < 0.5 * given_up {
        return None;
    }
    let usual = subject.abandoned.level().usual().unwrap_or(0.0);
    let share = (given_up / all).min(1.0);
    let n = all * client.raw;
    let error = (share * (1.0 - share) / n).sqrt().max(0.5 / n);
    let value = ((share - usual) / (1.0 - usual).max(0.05)).max(0.0);
    let surge = subject.syns.decades() >= line;
    let holds = surge && share - CLEAR * error > ABANDONED_FLOOR && value * all / 10.0 >= LEAST_EXCESS;
    let share = Share { value, error, n };
    Some(Judgement { path: Path::Resets, score, share, holds, confirmed: true })
}

/// Most SYNs are refused, in a surge of strangers who do not come again, while the service goes on as usual: a service that is
/// down refuses its own clients.
fn by_refusals(line: f64, subject: &Subject) -> Option<Judgement> {
    const TIMES: f64 = 2.0;
    const GOES_ON: f64 = 0.5;
    let score = subject.refused.decades();
    if score <= SAID_FROM * line {
        return None;
    }
    let span = span_since(subject, subject.refused.onset());
    let (refused, all, raw) = subject.records.refused_at_closed(span);
    let (share, n) = (refused / all.max(1.0), all * raw);
    let usual = subject.refused.level().usual().unwrap_or(0.0);
    let value = ((share - usual) / (1.0 - usual).max(0.05)).max(0.0);
    let error = (share * (1.0 - share) / n.max(1.0)).sqrt().max(0.5 / n.max(1.0));
    let rate = subject.syns.recent_per_second(span);
    let surge = subject.syns.decades() >= line && subject.syns.usual().is_some_and(|usual| rate >= TIMES * usual);
    let goes_on = subject.served.usual().is_none_or(|usual| subject.served.per_second() >= GOES_ON * usual);
    let strangers = subject.records.networks() >= LEAST_NETWORKS
        && subject.spread.refused_once().is_none_or(|once| once >= COME_ONCE);
    let holds = surge && goes_on && strangers && value - CLEAR * error > 0.3 && value * rate >= LEAST_EXCESS;
    let share = Share { value, error, n };
    Some(Judgement { path: Path::Refused, score, share, holds, confirmed: true })
}

/// Chernoff bound, in decades, on seeing a share of `share` in `n` cases of probability `p`.
fn binomial_evidence(share: f64, n: f64, p: f64) -> f64 {
    if share <= p {
        return 0.0;
    }
    let share = share.min(1.0 - 1e-9);
    n * (share * (share / p).ln() + (1.0 - share) * ((1.0 - share) / (1.0 - p)).ln()) / std::f64::consts::LN_10
}

/// Ticks since the evidence began, one second to ten: what is judged is the event, not the calm before it.
fn span(subject: &Subject) -> usize {
    span_since(subject, subject.unfinished.onset())
}

fn span_since(subject: &Subject, onset: Tick) -> usize {
    usize::try_from(subject.last_tick().since(onset)).unwrap_or(40).clamp(4, 40)
}

/// f_d2 = 1 - d2 / d2_0 with its standard error (DETECTION 2.3).
fn unfinished_share(subject: &Subject, span: usize) -> Share {
    let client = subject.cohorts.client_side(subject.cohorts.deadline(), span);
    let n = client.answered * client.raw;
    let usual = subject.unfinished.level().usual().map_or(FINISHED_AT_FIRST, |unfinished| 1.0 - unfinished).max(0.5);
    let Some(finished) = client.finished_share() else { return Share::default() };
    let error = (finished * (1.0 - finished) / n.max(1.0)).sqrt().max(0.5 / n.max(1.0)) / usual;
    Share { value: (1.0 - finished / usual).max(0.0), error, n }
}

/// What is unfinished among the answered handshakes as a share of first attempts.
fn of_first_attempts(subject: &Subject, judgement: &Judgement) -> Share {
    if !judgement.path.is_of_answered() {
        return judgement.share;
    }
    let share = judgement.share;
    let times = subject.cohorts.retries_answered(span(subject));
    Share { value: (share.value * times).min(1.0), error: share.error * times, n: share.n }
}

fn fill(situation: &mut Situation, judgement: &Judgement) {
    let half = 1.96 * judgement.share.error;
    situation.flood = true;
    situation.flood_by_clients = judgement.path.is_of_answered();
    situation.attack_share = judgement.share.value.min(1.0);
    situation.attack_low = (judgement.share.value - half).clamp(0.0, 1.0);
    situation.attack_high = (judgement.share.value + half).clamp(0.0, 1.0);
    situation.demand = situation.first_syns * (1.0 - situation.attack_share);
}

fn finding(view: &View, subject: &Subject, situation: &Situation, judgement: &Judgement) -> Finding {
    let line = view.lines.subject;
    let share = judgement.share;
    let usual = subject.syns.usual().or_else(|| subject.verified.usual()).unwrap_or(situation.demand);
    let excess = share.value * situation.first_syns;
    let half_open = subject.half_open_count();
    let mut finding = view.finding(AlertKind::SynFlood, subject, judgement.score, line);
    on_tcp(&mut finding, subject.records.leading_port().or_else(|| subject.leading_port()));
    finding.gates_hold = judgement.holds;
    let hurts = view.impact(excess, usual) >= 0.2 || half_open > view.backlog;
    finding.severity = if judgement.confirmed && hurts { Severity::Critical } else { Severity::Warning };
    finding.verdict = judgement.holds.then(|| situation.attack_verdict(view));
    let onset = onset(subject, judgement);
    finding.onset = onset.start();
    let margin = if judgement.confirmed { 10.0 * (share.low() - 0.03) } else { 0.0 };
    finding.confidence = confidence::of(margin, view.tick.since(onset) as f64 / 4.0, &finding.caveats);
    finding.spoofed = is_spoofed(subject, judgement);
    // A SYN proves no address, forged or not.
    finding.caveats.push(Caveat::Unattributable);
    figures(view, subject, situation, judgement, &mut finding);
    finding.settings = vec![
        ("alert_at", line),
        ("finished_share_usual", subject.unfinished.level().usual().map_or(FINISHED_AT_FIRST, |share| 1.0 - share)),
        ("deadline_seconds", subject.cohorts.deadline() as f64 / 4.0),
        ("least_unfinished_per_second", LEAST_UNFINISHED),
        ("least_networks", LEAST_NETWORKS as f64),
        ("window_seconds", 10.0),
    ];
    finding
}

/// Forged: from many networks, and few sources come twice. Bots with addresses of their own come again, or their systems
/// reset what they did not ask for (DETECTION 2.5, "raw_syn_flood").
fn is_spoofed(subject: &Subject, judgement: &Judgement) -> bool {
    if judgement.path == Path::Refused {
        return subject.spread.refused_once().is_some_and(|once| once >= COME_ONCE);
    }
    judgement.path == Path::Impossible
        || (judgement.path != Path::Resets
            && subject.records.networks() >= LEAST_NETWORKS
            && subject.spread.once().is_none_or(|once| once >= COME_ONCE))
}

fn onset(subject: &Subject, judgement: &Judgement) -> Tick {
    let by_share = match judgement.path {
        Path::Clients | Path::FullQueue => subject.unfinished.onset(),
        Path::Silence => subject.silent.onset(),
        Path::Impossible => subject.last_tick(),
        Path::Refused => subject.refused.onset(),
        Path::Resets if subject.abandoned.decades() >= subject.unfinished.decades() => subject.abandoned.onset(),
        Path::Resets => subject.unfinished.onset(),
    };
    // The surge knows the start better than a share judged a deadline later, if it is about the same event.
    let surge = subject.syns.onset();
    let same_event = subject.syns.decades() >= 3.0 && by_share.since(surge) <= 40 && surge <= by_share;
    if same_event { surge } else { by_share }
}

fn figures(view: &View, subject: &Subject, situation: &Situation, judgement: &Judgement, finding: &mut Finding) {
    let share = judgement.share;
    let half = 1.96 * share.error;
    let records = &subject.records;
    let figures = &mut finding.figures;
    figures.push(figure(F::FirstSynsPerSecond, situation.first_syns, subject.syns.envelope(RATE_FLOOR)));
    if judgement.path.is_of_answered() {
        let client = subject.cohorts.client_side(subject.cohorts.deadline(), span(subject));
        let usual = subject.unfinished.level().envelope(0.05);
        figures.push(figure(F::UnfinishedShare, 1.0 - client.finished_share().unwrap_or(1.0), Some(usual)));
        figures.push(figure(F::UnfinishedPerSecond, records.unfinished_per_second(FEW_SOURCES_RATE), None));
    }
    if judgement.path == Path::Refused {
        let (refused, all, _) = subject.records.refused_at_closed(40);
        let usual = subject.refused.level().envelope(SHARE_FLOOR);
        figures.push(figure(F::RefusedShare, refused / all.max(1.0), Some(usual)));
    }
    let (low, high) = ((share.value - half).clamp(0.0, 1.0), (share.value + half).clamp(0.0, 1.0));
    figures.push(estimate(F::AttackShare, share.value.min(1.0), Some(0.0), low, high));
    let (silent_new, n_new) = records.silent_new();
    let (silent_known, n_known) = records.silent_known();
    if n_new >= 100.0 {
        figures.push(figure(F::SilentShare, silent_new, (n_known >= 100.0).then_some(silent_known)));
    }
    figures.push(figure(F::NetworksCount, records.networks() as f64, None));
    if situation.unhealthy {
        figures.push(figure(F::DemandPerSecond, situation.demand, view.capacity));
    }
    spread_figures(subject, judgement, figures);
    figures.push(figure(F::HalfOpenCount, subject.half_open_count(), Some(view.backlog)));
    if judgement.path == Path::Silence && subject.sidedness() != Sidedness::OneSided {
        finding.caveats.push(Caveat::ServerSilent);
    }
    if judgement.path == Path::Clients && n_known >= 100.0 {
        let silent = ((silent_new - silent_known) / (1.0 - silent_known).max(0.01)).max(0.0) * records.new_share();
        if (silent - share.value).abs() > 0.15 && n_new >= 200.0 {
            finding.caveats.push(Caveat::EstimatesDiffer);
        }
    }
}

/// SYN-5: spread and uniformity, as far as they say something.
fn spread_figures(subject: &Subject, judgement: &Judgement, figures: &mut Vec<Figure>) {
    let spread = &subject.spread;
    if let Some(once) = spread.once() {
        figures.push(figure(F::SingleSourceShare, once, None));
    }
    let (impossible, n, _) = subject.records.impossible(40);
    if n >= 200.0 && impossible > 0.01 {
        figures.push(figure(F::ImpossibleSourceShare, impossible, Some(0.0)));
    }
    let uniform = |share: f64, usual: Option<f64>| share >= 0.5 && usual.is_none_or(|usual| share >= 2.0 * usual);
    if let Some(leading) = spread.leading().filter(|leading| uniform(leading.share, leading.usual)) {
        figures.push(figure(F::SignatureShare, leading.share, leading.usual));
    }
    if spread.high_ttl_share() > 0.2 {
        figures.push(figure(F::HighTtlShare, spread.high_ttl_share(), None));
    }
    if judgement.path == Path::Resets || spread.reset_share() > 0.2 {
        figures.push(figure(F::ResetShare, spread.reset_share(), Some(subject.abandoned.level().envelope(0.05))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_evidence_of_a_share_is_a_bound_on_its_tail() {
        // The exact tail of Binomial(200, .01) at 20 or more is 10^-13.9.
        let evidence = binomial_evidence(0.1, 200.0, 0.01);
        assert!(evidence > 10.0 && evidence < 13.9, "{evidence}");
        assert_eq!(binomial_evidence(0.01, 200.0, 0.01), 0.0);
    }
}
