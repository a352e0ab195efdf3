//! The book of alerts: which are open, when each opens, speaks again and closes, and what has been.
//!
//! Findings come tick by tick, lines go out; the rules are those of DETECTION 1.7 and 0.2 ("Episodes"). An alert opens
//! when a finding fires. While its ratio is at least [`Settings::close_at_ratio`] with its gates it stays open; below,
//! it is held, so that the gaps of an attack do not read as its end. What a figure means is not known here, nor who
//! reads the lines.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::alert::incident::{Incidents, Place, Role, Subject};
use crate::alert::life::Life;
use crate::alert::line::Alert;
use crate::detect::finding::Finding;
use crate::kind::{AlertKind, Severity, Verdict};
use crate::time::{Tick, Timestamp};

/// When alerts speak and stop.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// At most one update in this time, changes of verdict or severity aside. 10 s: the contract's.
    pub update_every: Duration,
    /// Ratio to the alert line down to which an open alert stays open. 0.5 (DETECTION 1.7).
    pub close_at_ratio: f64,
    /// Below the close level for this long, an alert's next crossing of the alert line is another pulse. 10 s.
    pub new_pulse_after: Duration,
    /// Below the close level for this long, an alert closes. 60 s: longer than the pauses of most attacks.
    pub hold: Duration,
    /// The same from the third pulse on. 120 s: who has paused twice will pause again.
    pub hold_of_pulses: Duration,
    /// An alert that begins at most this long after another at the same place belongs to its incident. 300 s.
    pub same_incident_within: Duration,
    /// Alerts open at once. 1,000: hundreds of subjects can be hit at once, more than this nobody reads. A quarter is
    /// kept for warnings and criticals, so that trifles cannot crowd them out.
    pub most_open: usize,
    /// Closed alerts remembered for the report. 4,000, some 16 MiB: a year of bad days, or a storm's beginning.
    pub most_remembered: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            update_every: Duration::from_secs(10),
            close_at_ratio: 0.5,
            new_pulse_after: Duration::from_secs(10),
            hold: Duration::from_secs(60),
            hold_of_pulses: Duration::from_secs(120),
            same_incident_within: Duration::from_secs(300),
            most_open: 1_000,
            most_remembered: 4_000,
        }
    }
}

impl Settings {
    /// The pulse from which an alert is held longer (DETECTION 0.2).
    const PATIENT_FROM: u32 = 3;

    /// Returns how long an alert of the given pulse is held.
    #[must_use]
    pub const fn hold(&self, pulses: u32) -> Duration {
        if pulses >= Self::PATIENT_FROM { self.hold_of_pulses } else { self.hold }
    }
}

/// All alerts of a run.
#[derive(Debug)]
pub struct Book {
    settings: Settings,
    open: BTreeMap<Subject, Life>,
    incidents: Incidents,
    history: Vec<Alert>,
    forgotten: u64,
    refused: u64,
    now: Timestamp,
}

impl Book {
    /// Opens an empty book.
    #[must_use]
    pub const fn new(settings: Settings) -> Self {
        Self {
            settings,
            open: BTreeMap::new(),
            incidents: Incidents::new(),
            history: Vec::new(),
            forgotten: 0,
            refused: 0,
            now: Timestamp::ZERO,
        }
    }

    /// Goes on by other settings: what is open is held by them from now on.
    pub fn revise(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// Takes the findings of a tick and returns the lines that are due, by kind and prefix.
    ///
    /// Ticks come in order. An open alert without a finding counts as below; of several findings about one subject the
    /// one with the largest ratio counts.
    pub fn observe(&mut self, tick: Tick, findings: &[Finding]) -> Vec<Alert> {
        self.now = self.now.max(tick.end());
        let strongest = strongest(findings);
        let folded = folded(findings);
        let mut lines = Vec::new();
        let mut subjects: Vec<Subject> = self.open.keys().chain(strongest.keys()).copied().collect();
        subjects.sort_unstable();
        subjects.dedup();
        for subject in subjects {
            let finding = strongest.get(&subject).copied();
            match finding.is_none() && folded.contains(&subject) {
                true => self.fold(subject, &mut lines),
                false => self.follow(subject, finding, tick, &mut lines),
            }
        }
        self.incidents.forget(self.now, self.settings.same_incident_within);
        lines
    }

    /// Ends the run: every open alert is closed.
    pub fn finish(&mut self, end: Timestamp) -> Vec<Alert> {
        self.now = self.now.max(end);
        let mut lines = Vec::new();
        while let Some((_, life)) = self.open.pop_first() {
            self.close(life, None, &mut lines);
        }
        lines
    }

    /// Tells whether any alert is open, so that silence must still be ticked.
    #[must_use]
    pub fn any_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Returns the last line of each open alert, by kind and prefix.
    pub fn open(&self) -> impl Iterator<Item = &Alert> {
        self.open.values().map(|life| &life.written)
    }

    /// Returns the closing lines, in the order in which they were written.
    #[must_use]
    pub fn history(&self) -> &[Alert] {
        &self.history
    }

    /// Returns how many closing lines are no longer in [`Book::history`].
    #[must_use]
    pub const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Returns how many firing findings found no free place, each tick counted.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// Counts the open alerts of a kind and severity.
    #[must_use]
    pub fn firing(&self, kind: AlertKind, severity: Severity) -> usize {
        self.open.iter().filter(|(subject, life)| subject.kind == kind && life.severity() == severity).count()
    }

    fn follow(&mut self, subject: Subject, finding: Option<&Finding>, tick: Tick, lines: &mut Vec<Alert>) {
        if let Some(mut life) = self.open.remove(&subject) {
            match self.next(&mut life, finding, tick) {
                Step::Stay => self.stay(life),
                Step::Write => {
                    life.stand_beside_attack(self.is_attacked_since(&life.place, life.subject.kind, life.started_at()));
                    lines.push(life.update(self.now, &self.settings));
                    self.stay(life);
                }
                Step::Close => self.close(life, None, lines),
                Step::Pulse(finding) => {
                    self.close(life, Some(finding.onset), lines);
                    self.begin(finding, tick, lines);
                }
            }
        } else if let Some(finding) = finding.filter(|finding| finding.fires()) {
            self.begin(finding, tick, lines);
        }
    }

    /// Decides what an open alert does in this tick.
    fn next<'a>(&self, life: &mut Life, finding: Option<&'a Finding>, tick: Tick) -> Step<'a> {
        // The tick itself is not below when it is above again.
        let quiet = tick.since(life.last_above).saturating_sub(1);
        if quiet >= ticks(self.settings.new_pulse_after) {
            life.end_episode();
        }
        let above = finding.filter(|finding| finding.gates_hold && finding.ratio() >= self.settings.close_at_ratio);
        let Some(finding) = above else {
            let held = ticks(self.settings.hold(life.pulses()));
            return if tick.since(life.last_above) >= held { Step::Close } else { Step::Stay };
        };
        if life.episode_is_over() && finding.fires() {
            return Step::Pulse(finding);
        }
        let changed = life.observe(finding, tick);
        let due = self.now.since(life.written.at) >= self.settings.update_every;
        if changed || due { Step::Write } else { Step::Stay }
    }

    fn stay(&mut self, life: Life) {
        self.open.insert(life.subject, life);
    }

    fn begin(&mut self, finding: &Finding, tick: Tick, lines: &mut Vec<Alert>) {
        if self.is_full_for(finding.severity) {
            self.refused += 1;
            return;
        }
        let place = Place::of(&finding.target);
        let onset = finding.onset.min(self.now);
        let ongoing = self.ongoing(&place, finding.kind, onset).map(str::to_owned);
        let within = self.settings.same_incident_within;
        let membership = self.incidents.join(&place, Subject::of(finding), ongoing.as_deref(), onset, tick, within);
        let beside_attack = self.is_attacked_since(&place, finding.kind, onset);
        let life = Life::open(finding, tick, membership, beside_attack, &self.settings);
        lines.push(life.written.clone());
        self.stay(life);
    }

    /// Names the incident of an alert at the place that is going on at `onset` and that a new alert of `kind` joins. An
    /// alert goes on while it is above the close level, with the pause that ends an episode; one that stays `info` for a
    /// minute is scenery. Of several that go on, those that are loud now go before others.
    fn ongoing(&self, place: &Place, kind: AlertKind, onset: Timestamp) -> Option<&str> {
        const SCENERY_AFTER: Duration = Duration::from_secs(60);
        let goes_on = |life: &&Life| {
            let loud = life.severity() > Severity::Info || self.now.since(life.noticed.end()) < SCENERY_AFTER;
            let context = Role::of(life.subject.kind) == Role::Context;
            (loud || context) && life.last_above.end().plus(self.settings.new_pulse_after) >= onset
        };
        self.open
            .values()
            .filter(|life| life.place == *place)
            .filter(goes_on)
            .filter_map(|life| {
                let rank = Role::of(kind).joins(Role::of(life.subject.kind))?;
                Some((rank, life.severity() == Severity::Info, life.written.detected_at, life.incident()))
            })
            .min()
            .map(|(.., incident)| incident)
    }

    /// Closes an alert whose subject is told of by its parent from now on.
    fn fold(&mut self, subject: Subject, lines: &mut Vec<Alert>) {
        if let Some(life) = self.open.remove(&subject) {
            self.close(life, None, lines);
        }
    }

    fn is_full_for(&self, severity: Severity) -> bool {
        let kept = if severity == Severity::Info { self.settings.most_open / 4 } else { 0 };
        self.open.len() + kept >= self.settings.most_open
    }

    /// Tells whether an alert of another kind holds that a place was attacked at some time after `since`, for kinds that say
    /// whether it was.
    fn is_attacked_since(&self, place: &Place, kind: AlertKind, since: Timestamp) -> bool {
        let holds_so = |line: &Alert| {
            let attacked = matches!(line.verdict, Verdict::Attack | Verdict::Mixed);
            line.kind != kind && line.kind.is_attack() && attacked && line.severity > Severity::Info
        };
        let goes_on = || self.open.values().any(|life| life.place == *place && holds_so(&life.written));
        let was = |line: &Alert| line.end() >= since && holds_so(line) && Place::of_line(&line.target) == *place;
        matches!(kind, AlertKind::Rush | AlertKind::Overload) && (goes_on() || self.history.iter().any(was))
    }

    fn close(&mut self, mut life: Life, successor: Option<Timestamp>, lines: &mut Vec<Alert>) {
        let (place, subject) = (life.place.clone(), life.subject);
        life.stand_beside_attack(self.is_attacked_since(&place, subject.kind, life.started_at()));
        let line = life.close(self.now, successor, &self.settings);
        self.incidents.leave(&place, &line.incident, subject, line.end());
        self.remember(line.clone());
        lines.push(line);
    }

    /// Keeps a closing line; when there are too many a tenth is forgotten, the least severe and then the oldest first.
    fn remember(&mut self, line: Alert) {
        if self.history.len() >= self.settings.most_remembered.max(1) {
            let many = (self.history.len() / 10).max(1);
            let mut order: Vec<usize> = (0..self.history.len()).collect();
            order.sort_by_key(|place| self.history[*place].severity);
            order.truncate(many);
            order.sort_unstable();
            let mut place = 0;
            self.history.retain(|_| {
                place += 1;
                order.binary_search(&(place - 1)).is_err()
            });
            self.forgotten += u64::try_from(many).unwrap_or(u64::MAX);
        }
        self.history.push(line);
    }
}

/// What an open alert does in a tick.
enum Step<'a> {
    Stay,
    Write,
    Close,
    /// Close, and open the next pulse.
    Pulse(&'a Finding),
}

/// The subjects that a firing finding on their parent lists as its members.
fn folded(findings: &[Finding]) -> BTreeSet<Subject> {
    let parents = findings.iter().filter(|finding| finding.fires());
    parents
        .flat_map(|parent| parent.target.members.iter().map(move |member| (parent, *member)))
        .filter(|(parent, member)| parent.target.prefix != Some(*member))
        .map(|(parent, member)| Subject { kind: parent.kind, prefix: Some(member) })
        .collect()
}

fn strongest(findings: &[Finding]) -> BTreeMap<Subject, &Finding> {
    let mut strongest: BTreeMap<Subject, &Finding> = BTreeMap::new();
    for finding in findings {
        let known = strongest.entry(Subject::of(finding)).or_insert(finding);
        if (finding.fires(), finding.ratio()) > (known.fires(), known.ratio()) {
            *known = finding;
        }
    }
    strongest
}

/// Whole ticks in a duration, rounded up.
fn ticks(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).div_ceil(Tick::NANOS)
}

#[cfg(test)]
mod tests;
