//! One world through the pipeline that runs live, in one thread, and its outcome beside the truth.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use crate::address::Prefix;
use crate::alert::Alert;
use crate::detect::minute::MinuteVerdict;
use crate::eval::feed;
use crate::eval::life::lives;
use crate::eval::matching::{self, Matched};
use crate::eval::mirror::{Mirror, Sight};
use crate::eval::world::{Origin, World};
use crate::flow::FlowRecord;
use crate::origin::Home;
use crate::pipeline::{self, JudgedTick, Outlet, RunOutcome, Source};
use crate::policy::{Policy, Site};
use crate::scenario::{Parameters, ProtectedPrefix, Scenario, Truth};
use crate::source::{FileOptions, PacketSource, open_files};

/// What became of one world.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The world.
    pub world: World,
    /// What really happened.
    pub truth: Truth,
    /// Alerts against it.
    pub matched: Matched,
    /// The verdict of each minute.
    pub minutes: Vec<MinuteVerdict>,
    /// Frames.
    pub frames: u64,
    /// Why it could not be run to its end, a sentence each.
    pub faults: Vec<String>,
}

/// Runs a world. Home, protection and proxies are the world's own; everything else is as in `base`.
#[must_use]
pub fn run(world: &World, base: &pipeline::Settings) -> Outcome {
    match &world.origin {
        Origin::Simulated { scenario, parameters, sight } => simulated(world, *scenario, parameters, *sight, base),
        Origin::Recorded { capture, truth } => {
            match open_files(std::slice::from_ref(capture), FileOptions::default()) {
                Ok(files) => {
                    let (lines, run) = judge(Box::new(files), &settings(&truth.home, &truth.protect, base));
                    outcome(world, (**truth).clone(), &lines, run, None)
                }
                Err(fault) => outcome(world, (**truth).clone(), &[], RunOutcome::default(), Some(fault.to_string())),
            }
        }
    }
}

fn simulated(
    world: &World,
    scenario: Scenario,
    parameters: &Parameters,
    sight: Sight,
    base: &pipeline::Settings,
) -> Outcome {
    let protected: Vec<Prefix> = parameters.protect.iter().map(|protected| protected.prefix).collect();
    let mirror = Mirror::new(sight, protected, parameters.seed);
    let settings = settings(&[parameters.home], &parameters.protect, base);
    let (writer, feed) = feed::pair();
    let (truth, (lines, run)) = thread::scope(|scope| {
        let simulation = scope.spawn(move || writer.simulate(scenario, parameters, mirror));
        let judged = judge(Box::new(feed), &settings);
        (simulation.join(), judged)
    });
    let (truth, fault) = match truth {
        Ok(Ok(truth)) => (truth, None),
        Ok(Err(error)) => (nothing(), Some(error.to_string())),
        Err(_) => (nothing(), Some("the simulation failed: its message is on standard error".to_owned())),
    };
    outcome(world, truth, &lines, run, fault)
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

fn outcome(world: &World, truth: Truth, lines: &[Alert], run: RunOutcome, fault: Option<String>) -> Outcome {
    let mut faults: Vec<String> = run.faults().map(ToString::to_string).collect();
    faults.extend(run.panics.iter().cloned());
    faults.extend(fault);
    Outcome {
        world: world.clone(),
        matched: matching::judge(&truth, &lives(lines)),
        truth,
        frames: run.accounting().packets,
        minutes: run.judged.minutes.into(),
        faults,
    }
}

fn judge(frames: Box<dyn PacketSource + Send + '_>, settings: &pipeline::Settings) -> (Vec<Alert>, RunOutcome) {
    let mut ledger = Ledger::default();
    let source = Source { name: "world".to_owned(), frames };
    let outcome = pipeline::run(vec![source], settings, &mut ledger, &AtomicBool::new(false));
    (ledger.lines, outcome)
}

/// Writes the world's home and protection into the settings of a run in one thread.
fn settings(
    home: &[crate::country::Country],
    protect: &[ProtectedPrefix],
    base: &pipeline::Settings,
) -> pipeline::Settings {
    let mut settings = base.clone();
    settings.threads = std::num::NonZeroUsize::MIN;
    settings.live = false;
    settings.metrics = None;
    settings.engine.home = Home::with_overseas(home).countries().to_vec();
    settings.policy = Arc::new(policy(protect));
    settings
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

    fn flow(&mut self, _: &FlowRecord) {}
}
