//! The thread of one sink: takes the oldest line to the receiver, again and again until it is taken, then the next.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::backlog::Backlog;
use super::backoff::{Backoff, random};
use super::clock;
use super::receiver::{Again, Message, Receiver, Refusal};
use super::settings::Settings;
use super::spool::Spool;
use super::{Left, Told};
use crate::metrics::{DeliveryOutcome, Metrics};

/// Beyond the end of all patience, what a thread may need to notice it.
const GRACE: Duration = Duration::from_millis(500);

/// A courier under way.
pub(super) struct Courier {
    shared: Arc<Shared>,
    ended: crossbeam_channel::Receiver<()>,
}

/// What the desk and the courier share.
struct Shared {
    name: String,
    state: Mutex<State>,
    changed: Condvar,
    metrics: Option<Arc<Metrics>>,
}

struct State {
    backlog: Backlog,
    spooled: bool,
    /// Lines lost so far.
    lost: u64,
    /// No more lines come, and by then everything ends.
    deadline: Option<Instant>,
}

/// What is to be done next.
enum Work {
    Line { number: u64, line: Arc<str>, fresh: bool, limit: Duration },
    Renew,
}

impl Courier {
    /// Starts with what the spool holds.
    pub(super) fn start(
        settings: &Settings,
        receiver: Box<dyn Receiver>,
        spool: Option<Spool>,
        metrics: Option<Arc<Metrics>>,
    ) -> Self {
        let spooled = spool.is_some();
        let backlog = Backlog::new(spool, settings.queue);
        if let Some(metrics) = &metrics {
            metrics.add_sink(&settings.name);
        }
        if backlog.len() > 0 {
            tracing::info!(sink = %settings.name, lines = backlog.len(), "alerts from an earlier run go first");
        }
        let state = Mutex::new(State { backlog, spooled, lost: 0, deadline: None });
        let shared = Arc::new(Shared { name: settings.name.clone(), state, changed: Condvar::new(), metrics });
        shared.show(&shared.lock());
        let (end, ended) = crossbeam_channel::bounded(1);
        let mut round = Round {
            receiver,
            shared: Arc::clone(&shared),
            timeout: settings.timeout,
            backoff: Backoff::default(),
            failing: false,
            renewed: clock::now(),
        };
        std::thread::spawn(move || {
            round.run();
            // The spool is free by the time the end is told, so that another may take it over.
            drop(round);
            // Nobody may be waiting any more.
            let _ = end.send(());
        });
        Self { shared, ended }
    }

    /// Lays a line into the backlog.
    pub(super) fn push(&self, line: &Arc<str>) {
        let mut state = self.shared.lock();
        let gone = state.backlog.push(line);
        state.lost += gone;
        (0..gone).for_each(|_| self.shared.count(DeliveryOutcome::Dropped));
        self.shared.show(&state);
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Counts a line that was muted.
    pub(super) fn mute(&self) {
        self.shared.count(DeliveryOutcome::Muted);
    }

    /// Says that no more lines come, and when all must be over.
    pub(super) fn close(&self, deadline: Instant) {
        self.shared.lock().deadline = Some(deadline);
        self.shared.changed.notify_all();
    }

    /// Tells whether it has ended.
    pub(super) fn has_ended(&self) -> bool {
        !matches!(self.ended.try_recv(), Err(crossbeam_channel::TryRecvError::Empty))
    }

    /// Waits for the end. A thread that the system holds, such as in a look-up of a name, is left behind.
    pub(super) fn finish(self, deadline: Instant) -> Left {
        let _ = self.ended.recv_timeout(clock::until(deadline) + GRACE);
        let state = self.shared.lock();
        let kept = state.backlog.on_disk();
        Left { sink: self.shared.name.clone(), kept, lost: state.lost + (state.backlog.len() - kept) as u64 }
    }
}

impl Shared {
    /// A panic of a receiver leaves a backlog that is still a backlog.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, outcome: DeliveryOutcome) {
        if let Some(metrics) = &self.metrics {
            metrics.record_delivery(&self.name, outcome);
        }
    }

    fn show(&self, state: &State) {
        if let Some(metrics) = &self.metrics {
            metrics.set_sink_backlog(&self.name, state.backlog.len());
        }
    }

    /// Waits for work; `None` when all is done or must be left.
    fn next(&self, timeout: Duration, renew_in: Option<Duration>) -> Option<Work> {
        let mut state = self.lock();
        loop {
            let limit = state.deadline.map_or(timeout, |deadline| clock::until(deadline).min(timeout));
            if limit.is_zero() {
                return None;
            }
            let closing = state.deadline.is_some();
            if !closing && renew_in.is_some_and(|wait| wait.is_zero()) {
                return Some(Work::Renew);
            }
            if let Some((number, line)) = state.backlog.front() {
                let fresh = state.backlog.is_fresh(number);
                return Some(Work::Line { number, line, fresh, limit });
            }
            if closing {
                return None;
            }
            state = match renew_in {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(wait) => {
                    let waited = self.changed.wait_timeout(state, wait);
                    let (state, over) = waited.unwrap_or_else(PoisonError::into_inner);
                    if over.timed_out() {
                        return Some(Work::Renew);
                    }
                    state
                }
            };
        }
    }

    /// Takes a line off the backlog.
    fn done(&self, number: u64, lost: bool) {
        let mut state = self.lock();
        state.backlog.done(number);
        state.lost += u64::from(lost);
        self.show(&state);
    }

    /// Waits before the next attempt, not longer than there is time; tells whether there is to be one. What is safe on disk
    /// is left for the next run instead.
    fn pause(&self, wait: Duration) -> bool {
        let state = self.lock();
        let before = state.deadline;
        if before.is_some() && state.spooled {
            return false;
        }
        let wait = before.map_or(wait, |deadline| wait.min(clock::until(deadline)));
        let waited = self.changed.wait_timeout_while(state, wait, |state| state.deadline == before);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        true
    }
}

/// A courier on the road.
struct Round {
    receiver: Box<dyn Receiver>,
    shared: Arc<Shared>,
    timeout: Duration,
    backoff: Backoff,
    /// The last attempt failed, and that was said.
    failing: bool,
    /// When what is open was last told again.
    renewed: Instant,
}

impl Round {
    fn run(&mut self) {
        loop {
            let due = self.receiver.renews_every().map(|every| clock::until(self.renewed + every));
            let goes_on = match self.shared.next(self.timeout, due) {
                Some(Work::Line { number, line, fresh, limit }) => self.deliver(number, (&line, fresh), limit),
                Some(Work::Renew) => self.renew(),
                None => false,
            };
            if !goes_on {
                return;
            }
        }
    }

    /// Tries to deliver one line; tells whether to go on.
    fn deliver(&mut self, number: u64, (line, fresh): (&str, bool), limit: Duration) -> bool {
        let told: Result<Told, _> = serde_json::from_str(line);
        let taken = match &told {
            Ok(told) => self.receiver.send(&Message { line, told, fresh }, limit),
            Err(error) => Err(Refusal::never(format!("a line in the spool is no alert: {error}"))),
        };
        match taken {
            Ok(()) => {
                self.shared.count(DeliveryOutcome::Delivered);
                self.shared.done(number, false);
                self.succeeded();
                true
            }
            Err(refusal) => {
                self.shared.count(DeliveryOutcome::Failed);
                self.failed(&refusal);
                match refusal.again {
                    Again::Later(least) => {
                        self.shared.pause(self.backoff.next(random()).max(least.unwrap_or_default()))
                    }
                    Again::Never => {
                        self.shared.count(DeliveryOutcome::Dropped);
                        self.shared.done(number, true);
                        true
                    }
                }
            }
        }
    }

    /// Tells again what is open. What fails here is tried again in time; only the log hears of it.
    fn renew(&mut self) -> bool {
        self.renewed = clock::now();
        match self.receiver.renew(self.timeout) {
            Ok(()) => self.succeeded(),
            Err(refusal) => self.failed(&refusal),
        }
        true
    }

    fn succeeded(&mut self) {
        self.backoff.reset();
        if std::mem::take(&mut self.failing) {
            tracing::warn!(sink = %self.shared.name, "the sink is well again");
        }
    }

    fn failed(&mut self, refusal: &Refusal) {
        if !std::mem::replace(&mut self.failing, true) {
            tracing::warn!(sink = %self.shared.name, why = %refusal, "the sink fails: its alerts wait, and the run goes on");
        }
    }
}
