//! Connection exhaustion: what its three tests have in common, and which of them speaks for the target.
//!
//! [`connect_flood`], [`slow_client`] and [`slow_read`] each judge a subject; all are of the kind `connection_exhaustion`,
//! of which a target has one alert: the strongest evidence carries it, and the tests that fire too add their figures. The
//! sources have completed handshakes, so their addresses are proven and may be named.

use crate::detect::finding::{Finding, OriginShare, SourceShare};
use crate::detect::view::{SAID_FROM, Situation, View, figure, on_tcp};
use crate::detect::{confidence, connect_flood, slow_client, slow_read};
use crate::kind::{AlertKind, Severity};
use crate::time::Tick;
use crate::window::clients::Client;
use crate::window::subject::{Sidedness, Subject};

/// Most countries and sources that an alert names.
const MOST_ORIGINS: usize = 10;
const MOST_SOURCES: usize = 20;

/// How much of the usual rate of served connections a server that is well keeps serving.
const STILL_SERVED: f64 = 0.7;

/// Times the usual wait for the first byte from which a server is slow (DETECTION 2.5, SYN-6).
const SLOW_ANSWER: f64 = 3.0;

/// What the tests remember of a subject between ticks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// The last tick at which slow clients fired.
    pub slow_clients_at: Option<Tick>,
}

/// What one test found.
#[derive(Debug)]
pub(super) struct Evidence {
    /// Evidence in decades.
    pub(super) score: f64,
    /// Size gates and decision rule hold.
    pub(super) holds: bool,
    /// Its start.
    pub(super) onset: Tick,
    /// How far beyond its line the deciding share lies, in tenths.
    pub(super) margin: f64,
    /// Connections a second, or open ones, beyond what is usual, and what is usual of them.
    pub(super) excess: (f64, f64),
    /// The figures.
    pub(super) figures: Vec<crate::detect::finding::Figure>,
    /// Who is behind it, the heaviest first.
    pub(super) clients: Vec<(crate::address::Address, Client)>,
    /// The port they were opened to, if it is not simply the one most are.
    pub(super) port: Option<u16>,
    /// Counts of `clients` that belong to it.
    pub(super) weight: fn(&Client) -> f64,
    /// Thresholds in force.
    pub(super) settings: Vec<(&'static str, f64)>,
}

/// Judges a subject; the situation is filled in for later detectors.
pub fn detect(view: &View, subject: &Subject, memory: &mut Memory, situation: &mut Situation) -> Option<Finding> {
    if subject.sidedness() == Sidedness::OneSided || view.loss_share > 0.05 {
        return None;
    }
    let line = view.lines.subject;
    let scores = [connect_flood::score(subject), slow_client::score(subject), slow_read::score(subject)];
    if scores.iter().all(|score| *score < SAID_FROM * line) {
        return None;
    }
    let fires = |evidence: &Evidence| evidence.holds && evidence.score >= line;
    let flood = connect_flood::judge(subject);
    if fires(&flood) {
        situation.empty_excess = flood.excess.0;
    }
    let slow = slow_client::judge(view, subject, memory, situation);
    if fires(&slow) {
        memory.slow_clients_at = Some(view.tick);
    }
    let unread = slow_read::judge(subject);
    let held = [&slow, &unread].into_iter().filter(|test| fires(test)).map(|test| test.excess.0);
    situation.held = held.fold(0.0, f64::max);
    let mut tests = [flood, slow, unread];
    tests.sort_by(|a, b| (fires(b), b.score).partial_cmp(&(fires(a), a.score)).unwrap_or(std::cmp::Ordering::Equal));
    let (strongest, others) = tests.split_first()?;
    if strongest.score < SAID_FROM * line {
        return None;
    }
    situation.exhausted = fires(strongest);
    let mut finding = conclude(view, subject, situation, strongest);
    for other in others.iter().filter(|other| fires(other)) {
        let added = other.figures.iter().filter(|figure| finding.figures.iter().all(|known| known.name != figure.name));
        let added: Vec<_> = added.copied().collect();
        finding.figures.extend(added);
    }
    Some(finding)
}

fn conclude(view: &View, subject: &Subject, situation: &Situation, evidence: &Evidence) -> Finding {
    let mut finding = view.finding(AlertKind::ConnectionExhaustion, subject, evidence.score, view.lines.subject);
    on_tcp(&mut finding, evidence.port.or_else(|| subject.leading_port()));
    finding.gates_hold = evidence.holds;
    let (excess, usual) = evidence.excess;
    let impact = 1.0 - (-excess / usual.max(1.0)).exp();
    finding.severity = if impact >= 0.2 { Severity::Critical } else { Severity::Warning };
    finding.verdict = evidence.holds.then(|| situation.attack_verdict(view));
    finding.onset = evidence.onset.start();
    let seconds = view.tick.since(evidence.onset) as f64 / 4.0;
    finding.confidence = confidence::of(evidence.margin, seconds, &finding.caveats);
    finding.figures.clone_from(&evidence.figures);
    finding.figures.push(figure(
        crate::detect::finding::FigureName::VerifiedPerSecond,
        subject.verified.per_second(),
        subject.verified.envelope(crate::window::subject::VERIFIED_FLOOR),
    ));
    name_sources(evidence, &mut finding);
    finding.settings.push(("alert_at", view.lines.subject));
    finding.settings.extend(evidence.settings.iter().copied());
    finding
}

/// Names the heaviest sources and where they are registered.
fn name_sources(evidence: &Evidence, finding: &mut Finding) {
    finding.sources = evidence
        .clients
        .iter()
        .take(MOST_SOURCES)
        .map(|(address, client)| SourceShare { address: *address, packets: client.packets, bytes: client.bytes })
        .collect();
    let mut countries: std::collections::BTreeMap<_, (f64, u64)> = std::collections::BTreeMap::new();
    for (_, client) in &evidence.clients {
        let (connections, packets) = countries.entry(client.country).or_default();
        *connections += (evidence.weight)(client);
        *packets += client.packets;
    }
    let all: f64 = countries.values().map(|(connections, _)| connections).sum();
    finding.origins = countries
        .into_iter()
        .map(|(country, (connections, packets))| OriginShare {
            country,
            asn: None,
            share: connections / all.max(1.0),
            packets,
        })
        .collect();
    finding.origins.sort_by(|a, b| b.share.total_cmp(&a.share).then(a.country.cmp(&b.country)));
    finding.origins.truncate(MOST_ORIGINS);
}

/// Tells whether the server serves as it usually does: then who waits waits for no fault of its own.
pub(super) fn server_is_well(subject: &Subject, situation: &Situation) -> bool {
    let served_as_usual =
        subject.served.usual().is_none_or(|usual| subject.served.per_second() >= STILL_SERVED * usual);
    let answers_slowly =
        matches!(subject.first_byte.seconds(), (Some(now), Some(usual)) if now > SLOW_ANSWER * usual.max(0.001));
    served_as_usual && !answers_slowly && !situation.unhealthy
}
