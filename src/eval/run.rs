//! One world through the pipeline that runs live, in one thread, and its outcome beside the truth.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use crate::address::Prefix;
use crate::alert::Alert;
use crate::country::Country;
use crate::detect::minute::MinuteVerdict;
use crate::eval::feed;
use crate::eval::life::{Life, lives};
use crate::eval::matching::{self, Matched};
use crate::eval::rivals::Counting;
use crate::eval::world::{Origin, World};
use crate::flow::FlowRecord;
use crate::origin::{self, Home, Origins};
use crate::pipeline::{self, JudgedTick, Outlet, RunOutcome, Source};
use crate::policy::{Policy, Site};
use crate::scenario::{self, Parameters, ProtectedPrefix, Scenario, Truth};
use crate::source::{CaptureDrops, FileOptions, Frame, PacketSource, Progress, SourceError, open_files};

/// What became of one world.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The world.
    pub world: World,
    /// What really happened.
    pub truth: Truth,
    /// Alerts against it.
    pub matched: Matched,
    /// Alarms of the other methods against it, in the order of `Rival::ALL`.
    pub rivals: Vec<Matched>,
    /// The verdict of each minute.
    pub minutes: Vec<MinuteVerdict>,
    /// Frames.
    pub frames: u64,
    /// Why it could not be run to its end, a sentence each.
    pub faults: Vec<String>,
}

/// What every world is run with.
#[derive(Clone, Debug)]
pub struct Base {
    /// Settings of the pipeline; home, protection and proxies are each world's own.
    pub settings: pipeline::Settings,
    /// The tables of countries behind them.
    pub tables: origin::Settings,
}

/// Runs a world. Home, protection and proxies are the world's own; everything else is as in `base`.
#[must_use]
pub fn run(world: &World, base: &Base) -> Outcome {
    match &world.origin {
        Origin::Simulated { scenario, parameters } => simulated(world, *scenario, parameters, base),
        Origin::Recorded { capture, truth } => {
            match open_files(std::slice::from_ref(capture), FileOptions::default()) {
                Ok(files) => {
                    let judged = judge(files, &settings(&truth.home, &truth.protect, &truth.proxies, base));
                    outcome(world, (**truth).clone(), judged, None)
                }
                Err(fault) => outcome(world, (**truth).clone(), Judged::default(), Some(fault.to_string())),
            }
        }
    }
}

fn simulated(world: &World, scenario: Scenario, parameters: &Parameters, base: &Base) -> Outcome {
    let settings = settings(&[parameters.home], &parameters.protect, &proxies(parameters), base);
    let (writer, feed) = feed::pair();
    let (truth, judged) = thread::scope(|scope| {
        let simulation = scope.spawn(move || writer.simulate(scenario, parameters));
        let judged = judge(feed, &settings);
        (simulation.join(), judged)
    });
    let (truth, fault) = match truth {
        Ok(Ok(truth)) => (truth, None),
        Ok(Err(error)) => (nothing(), Some(error.to_string())),
        Err(_) => (nothing(), Some("the simulation failed: its message is on standard error".to_owned())),
    };
    outcome(world, truth, judged, fault)
}

fn nothing() -> Truth {
    Truth {
        schema: crate::scenario::truth::SCHEMA.to_owned(),
        home: Vec::new(),
        protect: Vec::new(),
        start: None,
        end: None,
        scenario: None,
        seed: None,
        events: Vec::new(),
        proxies: Vec::new(),
        minutes: Vec::new(),
    }
}

/// What a run said, before it is held against the truth.
#[derive(Default)]
struct Judged {
    lines: Vec<Alert>,
    rivals: Vec<Vec<Life>>,
    run: RunOutcome,
}

fn outcome(world: &World, truth: Truth, judged: Judged, fault: Option<String>) -> Outcome {
    let run = judged.run;
    let mut faults: Vec<String> = run.faults().map(ToString::to_string).collect();
    faults.extend(run.panics.iter().cloned());
    faults.extend(fault);
    Outcome {
        world: world.clone(),
        matched: matching::judge(&truth, &lives(&judged.lines)),
        rivals: judged.rivals.iter().map(|alarms| matching::judge(&truth, alarms)).collect(),
        truth,
        frames: run.accounting().packets,
        minutes: run.judged.minutes.into(),
        faults,
    }
}

fn judge<S: PacketSource + Send>(frames: S, settings: &pipeline::Settings) -> Judged {
    let mut ledger = Ledger::default();
    let protected = settings.policy.sites().iter().flat_map(|site| site.prefixes.iter().copied());
    let mut frames = Counting::new(frames, protected.collect());
    let source = Source { name: "world".to_owned(), frames: Box::new(Lent(&mut frames)) };
    let run = pipeline::run(vec![source], settings, &mut ledger, &AtomicBool::new(false));
    Judged { lines: ledger.lines, rivals: frames.finish(), run }
}

/// A source that is wanted back.
struct Lent<'a, S>(&'a mut S);

impl<S: PacketSource> PacketSource for Lent<'_, S> {
    fn poll(&mut self, on_frame: &mut dyn FnMut(Frame<'_>)) -> Result<Progress, SourceError> {
        self.0.poll(on_frame)
    }

    fn drops(&mut self) -> Result<CaptureDrops, SourceError> {
        self.0.drops()
    }
}

/// Writes the world's home, protection and proxies into the settings of a run in one thread.
fn settings(home: &[Country], protect: &[ProtectedPrefix], proxies: &[Prefix], base: &Base) -> pipeline::Settings {
    let mut settings = base.settings.clone();
    settings.threads = std::num::NonZeroUsize::MIN;
    settings.live = false;
    settings.metrics = None;
    settings.engine.home = Home::with_overseas(home).countries().to_vec();
    settings.policy = Arc::new(policy(protect));
    if !proxies.is_empty() {
        settings.engine.proxies = proxies.to_vec();
        // Who is behind a proxy is not known, so its addresses are of no country, as with configured ones.
        let nowhere = proxies.iter().map(|prefix| (*prefix, Country::UNKNOWN));
        let overrides = base.tables.overrides.iter().copied().chain(nowhere).collect();
        let tables = origin::Settings { overrides, ..base.tables.clone() };
        // The same files were read when the run began.
        settings.origins = Origins::load(&tables).map_or(settings.origins, Arc::new);
    }
    settings
}

/// Returns the addresses that connect on behalf of everybody in a simulated world: a second of it tells.
fn proxies(parameters: &Parameters) -> Vec<Prefix> {
    if !parameters.fronted {
        return Vec::new();
    }
    let second = Parameters {
        duration: Duration::from_secs(1),
        lead: Duration::ZERO,
        technique: None,
        vectors: Vec::new(),
        ..parameters.clone()
    };
    scenario::generate(Scenario::Calm, &second, &mut |_, _, _| {}).map_or_else(|_| Vec::new(), |truth| truth.proxies)
}

/// Joins prefixes of one name to a site; one without a name is a site of its own. Nothing named: traffic decides.
fn policy(protect: &[ProtectedPrefix]) -> Policy {
    let mut sites: BTreeMap<String, Vec<Prefix>> = BTreeMap::new();
    for protected in protect {
        let name = protected.site.clone().unwrap_or_else(|| protected.prefix.to_string());
        sites.entry(name).or_default().push(protected.prefix);
    }
    let learning = sites.is_empty();
    let sites = sites.into_iter().map(|(name, prefixes)| Site { name: name.into(), prefixes });
    Policy::new(sites.collect(), learning)
}

/// Keeps the alert lines of a run.
#[derive(Debug, Default)]
struct Ledger {
    lines: Vec<Alert>,
}

impl Outlet for Ledger {
    fn tick(&mut self, _: &JudgedTick<'_>) {}

    fn alert(&mut self, line: &Alert) {
        self.lines.push(line.clone());
    }

    fn flow(&mut self, _: &FlowRecord, _: &Policy) {}
}
