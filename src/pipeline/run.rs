//! One run from its first frame to its last alert line.

use std::sync::atomic::AtomicBool;

use super::failure::Failure;
use super::fused::Fused;
use super::intake::{Intake, IntakeEnd};
use super::outlet::Outlet;
use super::scorer::{Judged, Scorer};
use super::settings::Settings;
use super::shedding::Shedding;
use super::station::Station;
use super::threaded;
use super::timing::show_memory;
use crate::alert::Book;
use crate::capture::Accounting;
use crate::detect::engine::Engine;
use crate::source::{PacketSource, SourceError};
use crate::time::Timestamp;

/// A source with the name it has in reports and labels.
pub struct Source<'s> {
    /// Its name.
    pub name: String,
    /// Its frames.
    pub frames: Box<dyn PacketSource + Send + 's>,
}

/// How a run ended, and everything it found.
#[derive(Debug, Default)]
pub struct RunOutcome {
    /// How each source ended, in the order given; fewer when a thread failed.
    pub inputs: Vec<IntakeEnd>,
    /// What was judged.
    pub judged: Judged,
    /// What failed inside: threads that panicked, with their message.
    pub panics: Vec<String>,
}

impl RunOutcome {
    /// Returns the books of all sources together.
    #[must_use]
    pub fn accounting(&self) -> Accounting {
        let mut sum = Accounting::default();
        self.inputs.iter().for_each(|input| sum.add(&input.books));
        sum
    }

    /// Returns the capture time of the earliest and the latest frame.
    #[must_use]
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        let spans = self.inputs.iter().filter_map(|input| input.span);
        spans.reduce(|sum, span| (sum.0.min(span.0), sum.1.max(span.1)))
    }

    /// Returns why sources could not be read to their end.
    pub fn faults(&self) -> impl Iterator<Item = &SourceError> {
        self.inputs.iter().filter_map(|input| input.fault.as_ref())
    }

    /// Takes what a thread returned, or its panic.
    pub(super) fn note<T>(&mut self, ended: Result<T, String>, take: impl FnOnce(&mut Self, T)) {
        match ended {
            Ok(value) => take(self, value),
            Err(panic) => self.panics.push(panic),
        }
    }
}

/// Reads the sources to their end, or until `stop`, and judges what they give.
///
/// The same input gives the same alerts, byte for byte, whatever the number of threads and the pace of the source
/// (DESIGN 4). A panic in any thread ends the run; what was judged before has gone to the outlet.
pub fn run(
    mut sources: Vec<Source<'_>>,
    settings: &Settings,
    outlet: &mut dyn Outlet,
    stop: &AtomicBool,
) -> RunOutcome {
    let engine = Engine::new(settings.engine.clone(), settings.policy.clone(), settings.shard.seed);
    let mut engine = engine.with_origins(&settings.origins);
    if let Some(sections) = &settings.recall {
        engine.recall(sections);
    }
    // Hosts learned in an earlier run are protected from the first packet on.
    let settings = &Settings { policy: engine.policy(), ..settings.clone() };
    let book = Book::new(settings.alert.clone());
    let scorer = Scorer::new(engine, book, settings, outlet);
    let threads = settings.threads.get();
    match sources.as_mut_slice() {
        [only] if threads == 1 => fused(only, settings, scorer, stop),
        several => {
            let shards = threads.saturating_sub(several.len()).max(1);
            threaded::run(several, shards, settings, scorer, stop)
        }
    }
}

fn fused(source: &mut Source<'_>, settings: &Settings, scorer: Scorer<'_>, stop: &AtomicBool) -> RunOutcome {
    let mut outcome = RunOutcome::default();
    let work = || {
        let station = Station::new(settings, 0, 1);
        show_memory(settings, [station.memory()]);
        let recorder = settings.evidence.as_ref().and_then(|recorders| recorders.take(0));
        let fused = Fused::new(station, scorer);
        let intake = Intake::new(fused, settings, Shedding::new(1)).recording(recorder);
        let (end, fused) = intake.run(&mut *source.frames, stop, settings.metrics.as_ref());
        (end, fused.finish())
    };
    outcome.note(Failure::default().guard("the only thread", work), |outcome, (end, judged): (IntakeEnd, Judged)| {
        outcome.inputs.push(end);
        outcome.judged = judged;
    });
    outcome
}
