//! What a run shows of itself: one shared board, written once a tick, read by the HTTP endpoint.
//!
//! Alerts are kept as they were written, the latest line of each. Readers take a copy of pointers under a short lock, so
//! that a slow reader never holds up a tick; what the charts show is summed up under a lock of its own.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::alert::text::Language;
use crate::alert::{Alert, Event};
use crate::capture::Accounting;
use crate::detect::engine::{Armed, Home};
use crate::detect::minute::MinuteVerdict;
use crate::export::hour::Hour;
use crate::metrics::Metrics;
use crate::policy::Policy;
use crate::time::Timestamp;

/// How many closed alerts are still shown.
const CLOSED_ALERTS: usize = 100;

/// A protected site, as the status tells it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SiteStatus {
    /// Its name.
    pub name: Arc<str>,
    /// What belongs to it, in CIDR notation.
    pub prefixes: Vec<String>,
}

/// What a run is doing: `vigie.status/1`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// Packet time up to which everything is judged.
    pub packet_time: Option<Timestamp>,
    /// Packets seen: processed + discarded + dropped.
    pub packets: u64,
    /// Packets decoded and counted.
    pub processed: u64,
    /// Packets that could not be decoded, by reason; reasons that did not occur are absent.
    pub discarded: BTreeMap<&'static str, u64>,
    /// Packets lost before Vigie saw them, and those an overloaded run sheds, by place.
    pub dropped: BTreeMap<&'static str, u64>,
    /// Bytes on the wire.
    pub bytes: u64,
    /// Flows in the table.
    pub flows: u64,
    /// What is protected.
    pub sites: Vec<SiteStatus>,
    /// Whether protection is learned from traffic.
    pub learning: bool,
    /// The home countries and how they were found.
    pub home: Option<Home>,
    /// Which detectors are at work.
    pub detectors: Vec<Armed>,
    /// The last full minute of each site.
    pub minutes: Vec<MinuteVerdict>,
    /// How far packet time lies behind the wall clock, in seconds; `null` for recorded traffic.
    pub lag_seconds: Option<f64>,
    /// What the run has given up for its own containment; `null` where it has given up nothing.
    pub sandbox: Option<Arc<str>>,
}

impl Status {
    /// Fills in what the books and the policy know; the rest starts empty.
    #[must_use]
    pub fn new(books: &Accounting, policy: &Policy) -> Self {
        // A site that is protected no longer keeps its place and has no prefix.
        let sites = policy.sites().iter().filter(|site| !site.prefixes.is_empty()).map(|site| SiteStatus {
            name: Arc::clone(&site.name),
            prefixes: site.prefixes.iter().map(ToString::to_string).collect(),
        });
        Self {
            packet_time: None,
            packets: books.packets,
            processed: books.processed,
            discarded: books.discarded.iter().map(|(reason, count)| (reason.name(), *count)).collect(),
            dropped: BTreeMap::from([
                ("kernel", books.dropped.kernel),
                ("interface", books.dropped.interface),
                ("shed", books.shed),
            ]),
            bytes: books.bytes,
            flows: 0,
            sites: sites.collect(),
            learning: policy.is_learning(),
            home: None,
            detectors: Vec::new(),
            minutes: Vec::new(),
            lag_seconds: None,
            sandbox: None,
        }
    }
}

/// How far the run has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No tick has been judged yet.
    Starting,
    /// Ticks are being judged.
    Running,
    /// The run ended as it should.
    Ended,
    /// The run cannot go on.
    Failed(String),
}

/// One alert, by its latest line.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The line as it was written.
    pub line: Arc<str>,
    /// The same with the figures behind its sentences, for pages in other languages.
    pub alert: Arc<Alert>,
}

#[derive(Debug)]
struct Inside {
    phase: Phase,
    status: Option<Arc<Status>>,
    open: Vec<Shown>,
    closed: VecDeque<Shown>,
    published: Instant,
}

/// The shared board.
#[derive(Debug)]
pub struct Board {
    metrics: Arc<Metrics>,
    language: Language,
    stall: Option<Duration>,
    inside: RwLock<Inside>,
    hour: RwLock<Hour>,
}

/// What a reader sees: the board at one moment.
#[derive(Clone, Debug)]
pub struct Sight {
    /// How far the run has come.
    pub phase: Phase,
    /// The status, once there is one.
    pub status: Option<Arc<Status>>,
    /// Open alerts, in the order they opened.
    pub open: Vec<Shown>,
    /// Closed alerts, the latest first.
    pub closed: Vec<Shown>,
    /// Nothing was published for so long that the run is held to be stuck.
    pub stalled: Option<Duration>,
}

impl Board {
    /// Makes an empty board. With `stall`, a run that publishes nothing for so long is reported as stuck: for live runs,
    /// whose clock never stands.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>, stall: Option<Duration>) -> Self {
        let inside = Inside {
            phase: Phase::Starting,
            status: None,
            open: Vec::new(),
            closed: VecDeque::new(),
            published: now(),
        };
        Self { metrics, language: Language::default(), stall, inside: RwLock::new(inside), hour: RwLock::default() }
    }

    /// Shows pages in a language, where a reader asks for none.
    #[must_use]
    pub fn in_language(self, language: Language) -> Self {
        Self { language, ..self }
    }

    /// Returns the language in which pages are shown.
    #[must_use]
    pub const fn language(&self) -> Language {
        self.language
    }

    /// Returns the metrics of the run.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Shows a new status; the first one makes the run ready.
    pub fn publish(&self, status: Status) {
        let mut inside = self.write();
        inside.status = Some(Arc::new(status));
        inside.published = now();
        if inside.phase == Phase::Starting {
            inside.phase = Phase::Running;
        }
    }

    /// Shows an alert's latest line.
    pub fn show_alert(&self, alert: &Alert, line: &str) {
        let shown = Shown { line: line.into(), alert: Arc::new(alert.clone()) };
        let mut inside = self.write();
        let place = inside.open.iter().position(|open| open.alert.id == alert.id);
        if alert.event == Event::Close {
            place.map(|place| inside.open.remove(place));
            inside.closed.push_front(shown);
            inside.closed.truncate(CLOSED_ALERTS);
        } else if let Some(place) = place {
            inside.open[place] = shown;
        } else {
            inside.open.push(shown);
        }
    }

    /// Lets the last hour go on. Nothing but sums may be made while it is held.
    pub fn with_hour<T>(&self, go_on: impl FnOnce(&mut Hour) -> T) -> T {
        go_on(&mut self.hour.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the last hour. The next tick waits for it, so nothing but sums may be made while it is held.
    pub fn of_hour<T>(&self, read: impl FnOnce(&Hour) -> T) -> T {
        read(&self.hour.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The run ended as it should.
    pub fn end(&self) {
        self.write().phase = Phase::Ended;
    }

    /// The run cannot go on; `reason` is a sentence.
    pub fn fail(&self, reason: impl Into<String>) {
        self.write().phase = Phase::Failed(reason.into());
    }

    /// Takes the board as it is now.
    #[must_use]
    pub fn see(&self) -> Sight {
        let inside = self.read();
        let idle = now().saturating_duration_since(inside.published);
        Sight {
            phase: inside.phase.clone(),
            status: inside.status.clone(),
            open: inside.open.clone(),
            closed: inside.closed.iter().cloned().collect(),
            stalled: self.stall.filter(|stall| inside.phase == Phase::Running && idle > *stall).map(|_| idle),
        }
    }

    /// A panic elsewhere leaves the last board, which is better than none.
    fn write(&self) -> RwLockWriteGuard<'_, Inside> {
        self.inside.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> RwLockReadGuard<'_, Inside> {
        self.inside.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a stuck run is one whose packet time stands while the wall clock goes on"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::sample;
    use crate::kind::{AlertKind, Verdict};

    fn board(stall: Option<Duration>) -> Board {
        Board::new(Arc::new(Metrics::new()), stall)
    }

    fn lines(shown: &[Shown]) -> Vec<&str> {
        shown.iter().map(|shown| &*shown.line).collect()
    }

    fn alert(id: &str, event: Event) -> Alert {
        let sample = sample(AlertKind::SynFlood, Verdict::Attack, "ecole", Timestamp::from_secs(1));
        Alert { id: id.to_owned(), event, ..sample[0].clone() }
    }

    #[test]
    fn an_alert_is_shown_by_its_latest_line() {
        let board = board(None);
        board.show_alert(&alert("a", Event::Open), "a opens");
        board.show_alert(&alert("b", Event::Open), "b opens");
        board.show_alert(&alert("a", Event::Update), "a goes on");
        assert_eq!(lines(&board.see().open), ["a goes on", "b opens"]);
        board.show_alert(&alert("a", Event::Close), "a closes");
        assert_eq!(lines(&board.see().open), ["b opens"]);
        assert_eq!(lines(&board.see().closed), ["a closes"]);
    }

    #[test]
    fn closed_alerts_are_bounded_and_the_latest_stay() {
        let board = board(None);
        for number in 0..CLOSED_ALERTS + 5 {
            board.show_alert(&alert(&number.to_string(), Event::Close), &number.to_string());
        }
        let sight = board.see();
        assert_eq!(sight.closed.len(), CLOSED_ALERTS);
        assert_eq!(&*sight.closed[0].line, (CLOSED_ALERTS + 4).to_string());
    }

    #[test]
    fn only_a_running_run_can_stall() {
        let board = board(Some(Duration::ZERO));
        assert!(board.see().stalled.is_none(), "it has not begun");
        board.publish(Status::new(&Accounting::default(), &Policy::default()));
        let before = Instant::elapsed(&board.read().published);
        while Instant::elapsed(&board.read().published) <= before {}
        assert!(board.see().stalled.is_some());
        board.end();
        assert!(board.see().stalled.is_none());
    }
}
