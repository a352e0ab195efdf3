//! Many threads: one for each capture, one for each shard, one for the scorer; the only place that starts them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread::{Builder, Scope};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::batch::{BATCH_PACKETS, BATCHES_PER_SHARD, Message};
use super::failure::Failure;
use super::gather::{Gather, Ruling, ToScorer, ToShard};
use super::intake::{Intake, IntakeEnd};
use super::router::{self, Router};
use super::scorer::{Feedback, Judged, Scorer};
use super::settings::Settings;
use super::shedding::Shedding;
use super::station::{Station, TickCount};
use super::timing::show_memory;
use super::worker::{self, Worker};
use super::{RunOutcome, Source};
use crate::evidence::Recorder;
use crate::summary::Routed;

/// Both ends of a channel.
type Channel<T> = (Sender<T>, Receiver<T>);

/// Ticks of each input and shard that may wait for the scorer: four seconds. A live run waits for no policy, so without a
/// bound a scorer that is starved would cost memory and tell of a past that grows. So it holds up the shards, they the
/// inputs, and a ring that fills is what shedding answers.
const WAIT_FOR_SCORER: usize = 16;

/// All channels of a run. What flows through them is bounded by the batches of each input and by [`WAIT_FOR_SCORER`]. The
/// scorer waits for nobody but them, so that who waits for it goes on.
struct Wiring {
    to_shards: Vec<Channel<Message>>,
    /// Batches back, by input.
    spare: Vec<Channel<Vec<Routed>>>,
    rulings: Vec<Channel<Ruling>>,
    counts: Vec<Channel<TickCount>>,
    to_scorer: Channel<ToScorer>,
    /// By input.
    feedback: Vec<Channel<Feedback>>,
    live: bool,
    promises: Vec<Arc<AtomicU64>>,
}

impl Wiring {
    fn new(inputs: usize, shards: usize, live: bool) -> Self {
        let spare: Vec<_> = (0..inputs).map(|_| unbounded()).collect();
        for (sender, _) in &spare {
            for _ in 0..shards * BATCHES_PER_SHARD {
                // The other end is held right here.
                let _ = sender.send(Vec::with_capacity(BATCH_PACKETS));
            }
        }
        Self {
            to_shards: (0..shards).map(|_| unbounded()).collect(),
            spare,
            rulings: (0..shards).map(|_| unbounded()).collect(),
            counts: (0..shards).map(|_| unbounded()).collect(),
            to_scorer: bounded(WAIT_FOR_SCORER * (inputs + shards)),
            feedback: (0..inputs).map(|_| unbounded()).collect(),
            live,
            promises: (0..inputs).map(|_| Arc::default()).collect(),
        }
    }

    fn input(&self, input: usize, settings: &Settings, failure: &Arc<Failure>) -> router::Links {
        router::Links {
            shards: self.to_shards.iter().map(|(sender, _)| sender.clone()).collect(),
            spare: self.spare[input].1.clone(),
            scorer: self.to_scorer.0.clone(),
            feedback: self.feedback[input].1.clone(),
            waits: !self.live,
            promise: Arc::clone(&self.promises[input]),
            failure: Arc::clone(failure),
            metrics: settings.metrics.clone(),
        }
    }

    fn shard(&self, shard: usize, settings: &Settings) -> worker::Links {
        worker::Links {
            messages: self.to_shards[shard].1.clone(),
            spare: self.spare.iter().map(|(sender, _)| sender.clone()).collect(),
            scorer: self.to_scorer.0.clone(),
            rulings: self.rulings[shard].1.clone(),
            counts: self.counts[shard].1.clone(),
            promises: self.promises.clone(),
            metrics: settings.metrics.clone(),
        }
    }

    fn scorer<'o>(&self, scorer: Scorer<'o>, settings: &Settings) -> Gather<'o> {
        let shards = self.rulings.iter().zip(&self.counts);
        let shards =
            shards.map(|((rulings, _), (spare, _))| ToShard { rulings: rulings.clone(), spare: spare.clone() });
        let inputs = self.feedback.iter().map(|(sender, _)| sender.clone());
        let messages = self.to_scorer.1.clone();
        Gather::new(scorer, messages, shards.collect(), inputs.collect(), settings.metrics.clone())
    }
}

/// Runs the sources with as many shards as are asked for. The first source is read by the caller's thread.
pub(super) fn run(
    sources: &mut [Source<'_>],
    shards: usize,
    settings: &Settings,
    scorer: Scorer<'_>,
    stop: &AtomicBool,
) -> RunOutcome {
    let failure = Arc::new(Failure::default());
    let inputs = sources.len();
    let wiring = Wiring::new(inputs, shards, settings.live);
    let gather = wiring.scorer(scorer, settings);
    let workers: Vec<Worker> = (0..shards)
        .map(|shard| Worker::new(shard, Station::new(settings, shard, shards), wiring.shard(shard, settings)))
        .collect();
    show_memory(settings, workers.iter().map(Worker::memory));
    let routers: Vec<Router> =
        (0..inputs).map(|input| Router::new(input, wiring.input(input, settings, &failure), inputs > 1)).collect();
    // From here on each end is held by one thread only, so that whoever ends is noticed.
    drop(wiring);

    let (failure, shedding) = (&*failure, &Shedding::new(inputs));
    std::thread::scope(|scope| {
        let scorer = spawn(scope, failure, "scorer".to_owned(), move || gather.run());
        let workers: Vec<_> = workers
            .into_iter()
            .enumerate()
            .map(|(shard, worker)| spawn(scope, failure, format!("shard {shard}"), move || worker.run()))
            .collect();
        let mut captures = sources.iter_mut().zip(routers).enumerate().map(|(input, (source, router))| {
            let name = format!("capture {}", source.name);
            let recorder = settings.evidence.as_ref().and_then(|recorders| recorders.take(input));
            (name, move || capture(source, router, recorder, shedding.clone(), settings, stop))
        });
        let first = captures.next();
        let others: Vec<_> = captures.map(|(name, work)| spawn(scope, failure, name, work)).collect();
        let first = first.map(|(name, work)| failure.guard(&name, work));

        let mut outcome = RunOutcome::default();
        for end in first.into_iter().chain(others.into_iter().map(Handle::join)) {
            outcome.note(end, |outcome, end| outcome.inputs.push(end));
        }
        for worker in workers {
            outcome.note(worker.join(), |_, ()| {});
        }
        outcome.note(scorer.join(), |outcome, judged: Judged| outcome.judged = judged);
        outcome
    })
}

fn capture(
    source: &mut Source<'_>,
    router: Router,
    recorder: Option<Recorder>,
    shedding: Shedding,
    settings: &Settings,
    stop: &AtomicBool,
) -> IntakeEnd {
    let intake = Intake::new(router, settings, shedding).recording(recorder);
    let (end, router) = intake.run(&mut *source.frames, stop, settings.metrics.as_ref());
    router.finish();
    if let (true, Some(fault)) = (settings.live, &end.fault) {
        // The other sources go on, so the end of the run may be far away.
        tracing::error!("{fault}");
    }
    end
}

/// A thread under way.
struct Handle<'scope, T>(std::io::Result<std::thread::ScopedJoinHandle<'scope, Result<T, String>>>);

impl<T> Handle<'_, T> {
    fn join(self) -> Result<T, String> {
        match self.0 {
            // The guard inside lets no panic out; were there one all the same, it is told like any other.
            Ok(handle) => handle.join().unwrap_or_else(|_| Err("a thread ended without a word".to_owned())),
            Err(error) => Err(format!("a thread could not be started: {error}")),
        }
    }
}

fn spawn<'scope, 'env, T: Send + 'scope>(
    scope: &'scope Scope<'scope, 'env>,
    failure: &'env Failure,
    name: String,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Handle<'scope, T> {
    let thread = Builder::new().name(format!("vigie {name}"));
    Handle(thread.spawn_scoped(scope, move || failure.guard(&name, work)))
}
