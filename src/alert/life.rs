//! One alert from its opening to its close: what it holds true, and the lines it writes.
//!
//! Opening and update lines speak of the tick they are written in, and of origins in the last minute. The closing line
//! sums up: its figures are those of the height of the episode, since the last tick above the close level is by definition
//! the feeblest. When to open, write and close is decided in [`super::book`].

use std::collections::BTreeMap;

use crate::alert::filter;
use crate::alert::incident::{Membership, Place, Subject};
use crate::alert::line::{Alert, Event, Origin, SCHEMA, Source, Target};
use crate::alert::number::Number;
use crate::alert::origins::{MOST_ORIGINS, Origins};
use crate::alert::text::Language;
use crate::alert::{book::Settings, id};
use crate::detect::finding::{Figure, FigureName, Finding};
use crate::kind::{AlertKind, Severity, Verdict};
use crate::time::{Tick, Timestamp};

/// Confidence of a verdict that is kept while nothing is decided is at most this (DETECTION 0.2).
const UNDECIDED_CONFIDENCE: f64 = 0.5;
/// Scores are capped here (CONTRACT 2).
const MOST_DECADES: f64 = 300.0;
const MOST_SOURCES: usize = 20;
/// Ticks that a lower severity must last before it is believed: as long as lies between two updates (CONTRACT 2), so that a
/// rate about its line is not told as rising and falling with every tick.
const EASING_TICKS: u64 = 40;

/// An open alert.
#[derive(Debug)]
pub(super) struct Life {
    id: String,
    membership: Membership,
    pub(super) subject: Subject,
    pub(super) place: Place,
    started_at: Timestamp,
    detected_at: Timestamp,
    verdict: Verdict,
    severity: Severity,
    /// Tick from which on it would have been less severe; `None` while it is not.
    easing_since: Option<Tick>,
    confidence: f64,
    /// Last tick above the close level.
    pub(super) last_above: Tick,
    /// Last tick in which it was more than `info`; the one in which it opened if it never was.
    pub(super) noticed: Tick,
    /// Last tick above the close level before it fell for as long as ends an episode; `None` while the episode lasts.
    episode_end: Option<Tick>,
    latest: Finding,
    height: Finding,
    peak: BTreeMap<FigureName, f64>,
    origins: Origins,
    /// Another alert held that the place was attacked while this one was open.
    beside_attack: bool,
    /// The last line written.
    pub(super) written: Alert,
}

impl Life {
    /// Opens an alert.
    pub(super) fn open(
        finding: &Finding,
        tick: Tick,
        membership: Membership,
        beside_attack: bool,
        settings: &Settings,
    ) -> Self {
        let subject = Subject::of(finding);
        let detected_at = tick.end();
        let verdict = finding.verdict.unwrap_or_else(|| undecided(finding.kind));
        let started_at = finding.onset.max(membership.not_before).min(detected_at);
        let mut life = Self {
            id: id::name(subject.kind.name(), &subject.whom(), tick),
            subject,
            place: Place::of(&finding.target),
            started_at,
            detected_at,
            verdict,
            severity: allowed(finding.severity, finding.kind, verdict),
            easing_since: None,
            confidence: confidence(finding, finding.confidence),
            last_above: tick,
            noticed: tick,
            episode_end: None,
            latest: finding.clone(),
            height: finding.clone(),
            peak: BTreeMap::new(),
            origins: Origins::default(),
            beside_attack,
            written: blank(finding, verdict, started_at, detected_at),
            membership,
        };
        life.origins.observe(&finding.origins);
        life.raise_peak(&finding.figures);
        life.write(Event::Open, detected_at, None, settings);
        life
    }

    /// Takes a tick above the close level; tells whether verdict or severity changed.
    pub(super) fn observe(&mut self, finding: &Finding, tick: Tick) -> bool {
        let verdict = finding.verdict.unwrap_or(self.verdict);
        let shown = allowed(finding.severity, finding.kind, verdict);
        let severity = self.eased(shown, verdict, tick);
        let changed = verdict != self.verdict || severity != self.severity;
        // What was louder before was not about the same thing when the verdict was another; a lower severity is its end.
        let is_news = verdict != self.verdict || severity > self.severity;
        if is_news || finding.spoofed != self.latest.spoofed || is_higher(finding, &self.height) {
            self.height.clone_from(finding);
        }
        self.confidence = confidence(finding, finding.verdict.map_or(self.confidence, |_| finding.confidence));
        self.verdict = verdict;
        self.severity = severity;
        self.last_above = tick;
        if shown > Severity::Info {
            self.noticed = tick;
        }
        self.latest.clone_from(finding);
        self.origins.observe(&finding.origins);
        self.raise_peak(&finding.figures);
        changed
    }

    /// Returns the severity that holds: a higher one at once, a lower one once it has lasted, or with another verdict.
    fn eased(&mut self, shown: Severity, verdict: Verdict, tick: Tick) -> Severity {
        if shown >= self.severity || verdict != self.verdict {
            self.easing_since = None;
            return shown;
        }
        let since = *self.easing_since.get_or_insert(tick);
        if tick.since(since) < EASING_TICKS {
            return self.severity;
        }
        self.easing_since = None;
        shown
    }

    /// Marks that the alert has been below the close level for as long as ends an episode.
    pub(super) fn end_episode(&mut self) {
        self.episode_end.get_or_insert(self.last_above);
    }

    /// Tells whether the episode is over, so that crossing the alert line again is another pulse.
    pub(super) const fn episode_is_over(&self) -> bool {
        self.episode_end.is_some()
    }

    /// Marks that another alert holds the place to be attacked.
    pub(super) const fn stand_beside_attack(&mut self, beside: bool) {
        self.beside_attack |= beside;
    }

    pub(super) const fn started_at(&self) -> Timestamp {
        self.started_at
    }

    pub(super) fn incident(&self) -> &str {
        &self.membership.incident
    }

    pub(super) const fn pulses(&self) -> u32 {
        self.membership.pulses
    }

    pub(super) const fn severity(&self) -> Severity {
        self.severity
    }

    /// Writes an update.
    pub(super) fn update(&mut self, at: Timestamp, settings: &Settings) -> Alert {
        self.write(Event::Update, at, None, settings);
        self.written.clone()
    }

    /// Writes the closing line. `successor` is the onset of the pulse that follows: what simmered from there on is its
    /// own, what lies before it still belongs here.
    pub(super) fn close(mut self, at: Timestamp, successor: Option<Timestamp>, settings: &Settings) -> Alert {
        let last = self.last_above.end();
        let ended = match (successor, self.episode_end) {
            (Some(onset), Some(episode_end)) => last.min(onset).max(episode_end.end()),
            _ => last,
        };
        self.write(Event::Close, at, Some(ended.min(at)), settings);
        self.written
    }

    fn raise_peak(&mut self, figures: &[Figure]) {
        for figure in figures.iter().filter(|figure| figure.observed.is_finite()) {
            let peak = self.peak.entry(figure.name).or_insert(figure.observed);
            *peak = peak.max(figure.observed);
        }
    }

    /// Returns the countries that a line names: while it is open those of the last minute, at the end those of its height.
    fn origins_of(&self, event: Event) -> Vec<Origin> {
        match event {
            Event::Close if self.height.spoofed => Vec::new(),
            Event::Close => self.height.origins.iter().take(MOST_ORIGINS).map(Origin::of).collect(),
            _ if self.latest.spoofed => Vec::new(),
            _ => self.origins.shares(),
        }
    }

    fn write(&mut self, event: Event, at: Timestamp, ended_at: Option<Timestamp>, settings: &Settings) {
        let shown = if event == Event::Close { &self.height } else { &self.latest };
        let mut line = Alert {
            event,
            at,
            id: self.id.clone(),
            incident: self.membership.incident.clone(),
            severity: self.severity,
            target: Target::from(&shown.target),
            ended_at,
            score: Number::clamped(shown.score, 0.0, MOST_DECADES),
            confidence: Number::clamped(self.confidence, 0.0, 1.0),
            observed: observed(&shown.figures),
            expected: expected(&shown.figures),
            peak: self.peak.iter().filter_map(|(name, value)| Some((*name, Number::new(*value)?))).collect(),
            pulses: self.membership.pulses,
            spoofed: shown.spoofed,
            origins: self.origins_of(event),
            sources: sources(shown),
            filter: filter::of(shown),
            settings: in_force(shown, self.membership.pulses, settings),
            figures: finite(&shown.figures),
            caveats: shown.caveats.clone(),
            beside_attack: self.beside_attack,
            ..blank(shown, self.verdict, self.started_at, self.detected_at)
        };
        line.evidence = Language::English.evidence(&line);
        line.why = Language::English.why(&line);
        self.written = line;
    }
}

/// The verdict of an alert about which nothing was ever decided: nothing is called an attack without evidence of it.
const fn undecided(kind: AlertKind) -> Verdict {
    match kind {
        AlertKind::Rush => Verdict::Rush,
        AlertKind::Overload => Verdict::Overload,
        AlertKind::Outage | AlertKind::SensorBlind => Verdict::Health,
        _ => Verdict::Suspicion,
    }
}

/// Nothing that is only a rush is ever a warning (CONTRACT 2).
fn allowed(severity: Severity, kind: AlertKind, verdict: Verdict) -> Severity {
    if kind == AlertKind::Rush || verdict == Verdict::Rush { Severity::Info } else { severity }
}

fn confidence(finding: &Finding, decided: f64) -> f64 {
    if finding.verdict.is_some() { decided } else { decided.min(UNDECIDED_CONFIDENCE) }
}

/// Compares by score, and where both are at the cap by the most telling figure.
fn is_higher(finding: &Finding, than: &Finding) -> bool {
    let leading = |finding: &Finding| finding.figures.first().map_or(0.0, |figure| figure.observed);
    finding.score > than.score || (finding.score >= than.score && leading(finding) >= leading(than))
}

fn blank(finding: &Finding, verdict: Verdict, started_at: Timestamp, detected_at: Timestamp) -> Alert {
    Alert {
        schema: SCHEMA,
        event: Event::Open,
        at: detected_at,
        id: String::new(),
        incident: String::new(),
        kind: finding.kind,
        severity: Severity::Info,
        verdict,
        target: Target::default(),
        started_at,
        detected_at,
        ended_at: None,
        score: Number::default(),
        confidence: Number::default(),
        observed: BTreeMap::new(),
        expected: BTreeMap::new(),
        peak: BTreeMap::new(),
        pulses: 1,
        spoofed: false,
        origins: Vec::new(),
        sources: Vec::new(),
        evidence: Vec::new(),
        why: String::new(),
        filter: String::new(),
        settings: BTreeMap::new(),
        figures: Vec::new(),
        caveats: Vec::new(),
        beside_attack: false,
    }
}

fn finite(figures: &[Figure]) -> Vec<Figure> {
    figures.iter().filter(|figure| figure.observed.is_finite()).copied().collect()
}

fn observed(figures: &[Figure]) -> BTreeMap<FigureName, Number> {
    figures.iter().filter_map(|figure| Some((figure.name, Number::new(figure.observed)?))).collect()
}

fn expected(figures: &[Figure]) -> BTreeMap<FigureName, Option<Number>> {
    let measured = figures.iter().filter(|figure| figure.observed.is_finite());
    measured.map(|figure| (figure.name, figure.expected.and_then(Number::new))).collect()
}

fn sources(finding: &Finding) -> Vec<Source> {
    let verified = if finding.spoofed { &[][..] } else { &finding.sources[..] };
    let line =
        |s: &crate::detect::finding::SourceShare| Source { address: s.address, packets: s.packets, bytes: s.bytes };
    verified.iter().take(MOST_SOURCES).map(line).collect()
}

fn in_force(finding: &Finding, pulses: u32, settings: &Settings) -> BTreeMap<&'static str, Number> {
    let own = [
        ("alert_at", finding.alert_at),
        ("close_at_ratio", settings.close_at_ratio),
        ("hold_seconds", settings.hold(pulses).as_secs_f64()),
        ("new_pulse_after_seconds", settings.new_pulse_after.as_secs_f64()),
    ];
    let all = finding.settings.iter().copied().chain(own);
    all.filter_map(|(name, value)| Some((name, Number::new(value)?))).collect()
}
