//! From a merged summary to alert lines: one tick after the other, in one thread. Knows nothing of shards and channels.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crossbeam_channel::Receiver;

use super::outlet::{JudgedTick, Outlet};
use super::settings::{Keep, Revision, Settings};
use super::timing::{TickWork, Timed};
use crate::alert::Book;
use crate::capture::{Accounting, CaptureTick};
use crate::country::Country;
use crate::detect::engine::{Armed, Baseline, Engine, Home};
use crate::detect::minute::MinuteVerdict;
use crate::flow::FlowRecord;
use crate::metrics::{Metrics, Stage};
use crate::policy::Policy;
use crate::summary::{FlowTick, Summary, Volume};
use crate::time::{TICKS_PER_SECOND, Timestamp};

/// What is decided on closing a tick rules from this many ticks later, in every shard (DESIGN 3, "Policy"): so long may
/// counting run ahead of judging.
pub const RULES_AFTER: u64 = 8;

/// Minutes remembered: a month of ten sites. The oldest go first.
const MOST_MINUTES: usize = 432_000;

/// What the judged tick means for those that are still to come.
#[derive(Clone, Debug, Default)]
pub(super) struct Feedback {
    /// Nothing is alarming and no alert is open, so that silence may be skipped.
    pub(super) quiet: bool,
    /// A new policy, ruling from [`RULES_AFTER`] ticks later.
    pub(super) policy: Option<Arc<Policy>>,
}

impl Feedback {
    /// Keeps the new policy of a tick before, if there is none since.
    pub(super) fn or_policy_of(self, before: Self) -> Self {
        Self { policy: self.policy.or(before.policy), ..self }
    }
}

/// What was judged in a run.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    /// Flow table counts: `active` as it was at the end, everything else summed.
    pub flows: FlowTick,
    /// Inbound packets of verified flows by country; `None` for those that proved nothing.
    pub origins: BTreeMap<Option<Country>, Volume>,
    /// The minutes, the newest 432,000 of them.
    pub minutes: VecDeque<MinuteVerdict>,
    /// The closing lines of alerts.
    pub alerts: Vec<crate::alert::Alert>,
    /// Closing lines that were forgotten since there were too many.
    pub alerts_forgotten: u64,
    /// Which detectors were at work.
    pub armed: Vec<Armed>,
    /// What is usual of every host and site, at the end.
    pub baselines: Vec<Baseline>,
    /// The line of tests of a subject, in decades.
    pub alert_at: f64,
    /// The home countries.
    pub home: Option<Home>,
    /// The protection in force at the end.
    pub policy: Arc<Policy>,
    /// Ticks judged.
    pub ticks: u64,
}

/// Engine, alert book and what they led to.
pub(super) struct Scorer<'o> {
    engine: Engine,
    book: Book,
    outlet: &'o mut dyn Outlet,
    metrics: Option<Arc<Metrics>>,
    judged: Judged,
    home: Home,
    armed: Vec<Armed>,
    /// Policies that do not rule yet, with the first tick, counted from the start of the run, that they rule.
    coming: VecDeque<(u64, Arc<Policy>)>,
    keep: Keep,
    revisions: Option<Receiver<Revision>>,
    now: Timestamp,
    work: TickWork,
}

impl<'o> Scorer<'o> {
    /// Takes an engine and a book that have seen nothing.
    pub(super) fn new(engine: Engine, book: Book, settings: &Settings, outlet: &'o mut dyn Outlet) -> Self {
        let (home, armed) = (engine.home(), engine.armed());
        let judged = Judged { policy: Arc::clone(&settings.policy), ..Judged::default() };
        Self {
            engine,
            book,
            outlet,
            metrics: settings.metrics.clone(),
            keep: settings.keep,
            judged,
            home,
            armed,
            coming: VecDeque::new(),
            revisions: settings.revisions.clone(),
            now: Timestamp::ZERO,
            work: TickWork::new(),
        }
    }

    /// Judges a tick: `summary` merged over the shards and sorted, `flows` what ended in it.
    pub(super) fn judge(
        &mut self,
        summary: &mut Summary,
        capture: &CaptureTick,
        books: &[Accounting],
        flows: &[FlowRecord],
    ) -> Feedback {
        summary.stand_for_all(capture.sampling);
        let summary = &*summary;
        self.adopt_due();
        let revised = self.revise();
        self.now = summary.tick.end();
        self.count(summary);
        for record in flows {
            self.outlet.flow(record, &self.judged.policy);
        }

        let timed = Timed::start(self.metrics.as_deref());
        let output = self.work.measure(|| self.engine.observe(summary, capture));
        let timed = timed.next(Stage::Detect);
        let lines = self.book.observe(summary.tick, &output.findings);
        let timed = timed.next(Stage::Alert);
        for line in &lines {
            self.outlet.alert(line);
        }
        remember(&mut self.judged.minutes, &output.minutes);
        let policy = output.policy.clone().or(revised);
        let (policy_now, home, armed) = (&*self.judged.policy, &self.home, self.armed.as_slice());
        let tick = JudgedTick { summary, capture, books, policy: policy_now, output, home, armed };
        self.outlet.tick(&tick);
        timed.next(Stage::Export);

        if summary.tick.closes_period(TICKS_PER_SECOND) {
            self.home = self.engine.home();
            self.armed = self.engine.armed();
        }
        if let Some(policy) = &policy {
            self.coming.push_back((self.judged.ticks + RULES_AFTER, Arc::clone(policy)));
        }
        self.judged.ticks += 1;
        if let Keep::Every(period) = self.keep
            && summary.tick.closes_period(period.as_secs().max(1) * TICKS_PER_SECOND)
        {
            self.outlet.keep(self.engine.remember(), self.engine.recalled(), false);
        }
        Feedback { quiet: self.engine.is_quiet() && !self.book.any_open(), policy }
    }

    /// Ends the run: open alerts close, the minute under way is judged.
    pub(super) fn finish(mut self, flows: &[FlowRecord]) -> Judged {
        for record in flows {
            self.outlet.flow(record, &self.judged.policy);
        }
        self.work.tell();
        remember(&mut self.judged.minutes, &self.engine.finish(self.now));
        for line in self.book.finish(self.now) {
            self.outlet.alert(&line);
        }
        self.judged.alerts = self.book.history().to_vec();
        self.judged.alerts_forgotten = self.book.forgotten();
        if self.keep != Keep::Never {
            self.outlet.keep(self.engine.remember(), self.engine.recalled(), true);
        }
        self.judged.baselines = self.engine.survey();
        self.judged.alert_at = self.engine.lines().subject;
        self.judged.armed = self.engine.armed();
        self.judged.home = Some(self.engine.home());
        std::mem::take(&mut self.judged)
    }

    /// Lets a policy rule from its tick on.
    fn adopt_due(&mut self) {
        while self.coming.front().is_some_and(|(from, _)| *from <= self.judged.ticks) {
            if let Some((_, policy)) = self.coming.pop_front() {
                self.judged.policy = policy;
            }
        }
    }

    /// Takes what was changed since the last tick; returns what is protected from now on, if that was.
    fn revise(&mut self) -> Option<Arc<Policy>> {
        let mut policy = None;
        for revision in self.revisions.iter().flat_map(Receiver::try_iter) {
            self.engine.revise(&revision.engine);
            self.book.revise(revision.alert);
            if let Some(sites) = &revision.sites {
                let revised = self.engine.protect(sites);
                if revised.is_none() {
                    tracing::warn!(
                        most = Policy::MAX_SITES,
                        "the sites are as before: with the new names this run has had too many, so start it again"
                    );
                }
                policy = revised.or(policy);
            }
        }
        policy
    }

    fn count(&mut self, summary: &Summary) {
        add_flows(&mut self.judged.flows, &summary.flows);
        for origin in &summary.origins {
            let volume = self.judged.origins.entry(origin.country).or_default();
            volume.packets += origin.inbound.packets;
            volume.bytes += origin.inbound.bytes;
        }
    }
}

/// A run that ends by a panic closes its alerts too: whoever reads the lines must not take them for open for ever.
impl Drop for Scorer<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        // What panicked may do so again, and a panic that leaves this place would end the process with nothing flushed.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            for line in self.book.finish(self.now) {
                self.outlet.alert(&line);
            }
        }));
    }
}

fn remember(minutes: &mut VecDeque<MinuteVerdict>, new: &[MinuteVerdict]) {
    minutes.extend(new.iter().cloned());
    let surplus = minutes.len().saturating_sub(MOST_MINUTES);
    minutes.drain(..surplus);
}

/// Adds what happened in a tick; gauges take its value.
fn add_flows(sum: &mut FlowTick, tick: &FlowTick) {
    sum.active = tick.active;
    sum.admitted += tick.admitted;
    for (sum, ended) in sum.ended.iter_mut().zip(tick.ended) {
        *sum += ended;
    }
    sum.unanswered += tick.unanswered;
    sum.cohort_active = tick.cohort_active;
    sum.sampler_shift = sum.sampler_shift.max(tick.sampler_shift);
    sum.cohort_refused += tick.cohort_refused;
    sum.hosts_refused += tick.hosts_refused;
    sum.data_segments += tick.data_segments;
    sum.repeated_segments += tick.repeated_segments;
}
