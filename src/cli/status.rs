//! What can be scraped and looked at while a run is under way: metrics and the board.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::alert::{Alert, Event};
use crate::capture::Accounting;
use crate::detect::minute::MinuteVerdict;
use crate::export::board::{self, Board};
use crate::metrics::{MemoryPart, Metrics};
use crate::pipeline::JudgedTick;
use crate::time::{TICKS_PER_SECOND, Timestamp};

/// How often the process's memory is looked up, in ticks: 10 s.
const MEMORY_TICKS: u64 = 10 * TICKS_PER_SECOND;

/// Feeds metrics and board from judged ticks.
pub(super) struct Status {
    metrics: Arc<Metrics>,
    board: Arc<Board>,
    /// Names of the sources, in their order.
    sources: Vec<String>,
    /// Packet time should keep up with the wall clock.
    live: bool,
    /// The last minute of each site.
    minutes: Vec<MinuteVerdict>,
    lag: Option<Duration>,
    /// What the run has given up.
    sandbox: Option<Arc<str>>,
    published: bool,
}

impl Status {
    /// Names the sources, so that their series exist from the start.
    pub(super) fn new(metrics: Arc<Metrics>, board: Arc<Board>, sources: Vec<String>, live: bool) -> Self {
        sources.iter().for_each(|source| metrics.add_source(source));
        Self { metrics, board, sources, live, minutes: Vec::new(), lag: None, sandbox: None, published: false }
    }

    /// Shows what the run has given up.
    pub(super) fn set_sandbox(&mut self, standing: String) {
        self.sandbox = Some(standing.into());
    }

    /// Returns the metrics.
    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Takes a judged tick.
    pub(super) fn tick(&mut self, tick: &JudgedTick<'_>) {
        self.metrics.set_home(&tick.home.countries);
        for (source, books) in self.books(tick.books) {
            self.metrics.record_capture(&source, &books);
        }
        self.metrics.set_sampling(tick.capture.sampling);
        self.metrics.record_tick(tick.policy, tick.summary, tick.output);
        self.lag = self.live.then(|| behind(tick.summary.tick.end()));
        if let Some(lag) = self.lag {
            self.metrics.set_clock_lag(lag);
        }
        let output = tick.output;
        self.board.with_hour(|hour| {
            hour.observe(tick.policy, tick.summary, tick.capture, &output.minutes, &output.usual);
        });
        for minute in &tick.output.minutes {
            self.minutes.retain(|known| known.site != minute.site);
            self.minutes.push(minute.clone());
        }
        if tick.summary.tick.closes_period(MEMORY_TICKS)
            && let Some(bytes) = resident()
        {
            self.metrics.set_memory(MemoryPart::Resident, bytes);
        }
        if tick.summary.tick.closes_period(TICKS_PER_SECOND) || !self.published {
            self.published = true;
            self.publish(tick);
        }
    }

    /// Takes an alert line.
    pub(super) fn alert(&self, alert: &Alert, line: &str) {
        let closes = alert.event == Event::Close;
        self.metrics.record_alert(&alert.id, alert.kind, alert.severity, closes);
        self.board.show_alert(alert, line);
    }

    /// Joins the books of sources that share a name: the sockets of one interface.
    fn books(&self, books: &[Accounting]) -> Vec<(String, Accounting)> {
        let mut joined: Vec<(String, Accounting)> = Vec::new();
        for (name, books) in self.sources.iter().zip(books) {
            match joined.iter_mut().find(|(known, _)| known == name) {
                Some((_, sum)) => sum.add(books),
                None => joined.push((name.clone(), books.clone())),
            }
        }
        joined
    }

    fn publish(&self, tick: &JudgedTick<'_>) {
        let mut sum = Accounting::default();
        tick.books.iter().for_each(|books| sum.add(books));
        self.board.publish(board::Status {
            packet_time: Some(tick.summary.tick.end()),
            flows: tick.summary.flows.active,
            home: Some(tick.home.clone()),
            detectors: tick.armed.to_vec(),
            minutes: self.minutes.clone(),
            lag_seconds: self.lag.map(|lag| lag.as_secs_f64()),
            sandbox: self.sandbox.clone(),
            ..board::Status::new(&sum, tick.policy)
        });
    }
}

/// Returns how far packet time lies behind the wall clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the lag of a live run is measured against the wall clock, and only shown"
)]
fn behind(packet_time: Timestamp) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(Duration::from_nanos(packet_time.as_nanos()))
}

/// Returns the memory of the process in bytes (proc_pid_status(5), `VmRSS`).
fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kibibytes: u64 = line.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1_024)
}
