//! A run with everything around it, the same for recorded and live traffic: outputs opened before any work, the pipeline,
//! then summary, report and exit code.

use std::fs::OpenOptions;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::keeper::Opened;
use super::outputs::Outputs;
use super::reload::{self, Incoming};
use super::sandbox::{Limits, Sandbox};
use super::status::Status;
use super::supervisor::Supervisor;
use super::terminal::{Stream, complain};
use super::tui::Screen;
use super::{Exit, Verbosity};
use crate::config::{Config, Endpoint, Format};
use crate::evidence::{Evidence, Origin, Recorders};
use crate::export::SinkError;
use crate::export::board::Board;
use crate::export::flows::FlowFile;
use crate::export::http::{self, Bound, Server};
use crate::export::jsonl::JsonLines;
use crate::export::privacy::Privacy;
use crate::export::sinks::{Settings, Sinks};
use crate::guard::{self, Calls};
use crate::hash::Seed;
use crate::kind::Severity;
use crate::metrics::Metrics;
use crate::origin::Origins;
use crate::pipeline::{self, Keep, RunOutcome, Source};
use crate::report::{self, OriginTotal, ProtectedSite, RunReport};
use crate::source::SourceError;

/// Where `watch` serves metrics unless told otherwise.
const WATCH_METRICS: &str = "127.0.0.1:9477";

/// A live run that has judged nothing for this long is stuck.
const STALL: Duration = Duration::from_secs(30);

/// What kind of traffic it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Recorded.
    Replay,
    /// Live.
    Watch,
}

/// What is to be run.
pub(super) struct Wanted {
    /// Recorded or live.
    pub(super) mode: Mode,
    /// The key of all hash tables.
    pub(super) seed: Seed,
    /// Files or interfaces, as the user named them.
    pub(super) inputs: Vec<String>,
    /// The name of each source, in their order.
    pub(super) sources: Vec<String>,
    /// What an earlier run has learned, and where it is kept.
    pub(super) state: Option<Opened>,
    /// The run is shown on the terminal.
    pub(super) screen: bool,
    /// Who supervises it.
    pub(super) supervisor: Option<Arc<Supervisor>>,
    /// What it gives up once everything is open.
    pub(super) sandbox: Option<Sandbox>,
}

/// A run that is ready to start.
pub(super) struct Session {
    config: Config,
    mode: Mode,
    settings: pipeline::Settings,
    inputs: Vec<String>,
    outputs: Outputs,
    /// What is shown of the run, on the endpoint or the terminal.
    board: Option<Arc<Board>>,
    supervisor: Option<Arc<Supervisor>>,
    /// It serves as long as this is held.
    server: Option<Server>,
    /// The run is shown on the terminal.
    screen: bool,
    /// Where the summary goes.
    stream: Stream,
    verbosity: Verbosity,
    stop: Arc<AtomicBool>,
}

impl Session {
    /// Loads the tables and opens every output, so that what cannot work is said before any work; then closes the sandbox
    /// and starts the threads behind the outputs. Returns what the sandbox allows from then on.
    ///
    /// # Errors
    /// One sentence: what cannot be read or written, and what to do.
    pub(super) fn open(
        config: &Config,
        wanted: Wanted,
        verbosity: Verbosity,
        stop: Arc<AtomicBool>,
    ) -> anyhow::Result<(Self, Option<Limits>)> {
        let Wanted { mode, seed, inputs, sources, state, screen, supervisor, sandbox } = wanted;
        let live = mode == Mode::Watch;
        refuse_inputs_as_outputs(config, &inputs)?;
        let origins = Arc::new(Origins::load(&config.origins())?);
        let mut sinks = config.sinks()?;
        let mut outputs = Outputs::new(Arc::clone(&stop));
        outputs.set_privacy(config.privacy);
        supervisor.iter().for_each(|supervisor| outputs.set_supervisor(Arc::clone(supervisor)));
        let mut shown = show(config, mode, screen)?;
        if let Some(Shown { board, metrics, .. }) = &shown {
            outputs.set_status(Status::new(Arc::clone(metrics), Arc::clone(board), sources.clone(), live));
        }
        let to_stdout = config.alerts.as_deref() == Some(Path::new("-"));
        anyhow::ensure!(
            !(screen && to_stdout),
            "--tui and --alerts -: both want standard output: name a file for alerts"
        );
        open_files(config, live, &mut outputs)?;
        let serves = shown.as_ref().is_some_and(|shown| shown.bound.is_some());
        let limits = sandbox.map(|sandbox| sandbox.serving(serves).close(config, &mut sinks)).transpose()?;
        if let Some(limits) = &limits {
            outputs.set_sandbox(limits.standing.to_string());
        }
        // Whatever starts threads comes from here on.
        let server = shown.as_mut().map(Shown::serve).transpose()?.flatten();
        // Live, sinks may come later.
        if live || !sinks.is_empty() {
            let metrics = shown.as_ref().map(|shown| Arc::clone(&shown.metrics));
            outputs.set_remote(start_sinks(config, &sinks, metrics)?);
        }
        let evidence = start_evidence(config, Origin { live, inputs: inputs.clone(), sources }, &mut outputs)?;
        let stream = if to_stdout { Stream::Error } else { Stream::Output };
        if live && !screen && !verbosity.quiet && config.format == Format::Text {
            outputs.tell(stream);
        }
        let recall = state.as_ref().and_then(|state| state.sections.clone());
        let keep = state.as_ref().map_or(Keep::Never, |_| when_to_keep(mode, config));
        if let Some(state) = state {
            outputs.set_keeper(state.keeper());
        }
        let settings = pipeline::Settings {
            recall,
            keep,
            threads: config.threads,
            live,
            shard: config.shard(seed, live),
            engine: config.engine(),
            alert: config.alert.clone(),
            policy: Arc::new(config.policy()),
            origins,
            evidence,
            metrics: shown.as_ref().map(|shown| Arc::clone(&shown.metrics)),
            revisions: None,
        };
        let config = config.clone();
        let board = shown.map(|shown| shown.board);
        let session = Self {
            config,
            mode,
            settings,
            inputs,
            outputs,
            board,
            supervisor,
            server,
            screen,
            stream,
            verbosity,
            stop,
        };
        Ok((session, limits))
    }

    /// Returns what of the endpoint a signal concerns.
    pub(super) fn endpoint(&self) -> reload::Endpoint {
        reload::Endpoint {
            certificate: self.server.as_ref().and_then(Server::certificate),
            metrics: self.settings.metrics.clone(),
        }
    }

    /// Takes changes of the configuration while it runs.
    pub(super) fn follow(mut self, changes: Incoming) -> Self {
        self.settings.revisions = Some(changes.revisions);
        self.outputs.set_changes(changes.deliveries);
        self
    }

    /// Runs, then prints the summary and writes the report.
    ///
    /// # Errors
    /// When the summary or the report cannot be written.
    pub(super) fn run(mut self, sources: Vec<Source<'_>>) -> anyhow::Result<Exit> {
        let screen = match &self.board {
            Some(board) if self.screen => Some(Screen::open(Arc::clone(board), Arc::clone(&self.stop))?),
            _ => None,
        };
        if self.mode == Mode::Replay {
            self.narrow();
        }
        let started = now();
        let outcome = pipeline::run(sources, &self.settings, &mut self.outputs, &self.stop);
        drop(screen);
        self.supervisor.iter().for_each(|supervisor| supervisor.stopping());
        let wall_seconds = now().duration_since(started).as_secs_f64();
        if let Some(board) = &self.board {
            match outcome.panics.first() {
                Some(panic) => board.fail(format!("an internal fault ended the run: {panic}")),
                None => board.end(),
            }
        }

        let outputs = std::mem::take(&mut self.outputs);
        let (worst, reader_gone, privacy) = (outputs.worst(), outputs.reader_gone(), outputs.privacy());
        let mut faults: Vec<String> = outcome.faults().map(ToString::to_string).collect();
        let is_lost = outcome.faults().any(|fault| matches!(fault, SourceError::Lost { .. }));
        faults.extend(outputs.finish());
        faults.iter().for_each(|fault| complain(fault));
        if self.mode == Mode::Replay && self.stop.load(Ordering::Relaxed) && !reader_gone {
            complain("stopped by a signal: what was read until then is summed up");
        }
        let internal = !outcome.panics.is_empty();
        faults.extend(outcome.panics.iter().map(|panic| format!("internal fault: {panic}")));
        let faulty = !faults.is_empty();

        let report = self.report(outcome, wall_seconds, faults, privacy);
        let written = self.write_report(&report);
        if !reader_gone {
            self.print(&report)?;
        }
        written?;
        Ok(match worst {
            _ if internal => Exit::Internal,
            _ if is_lost && self.mode == Mode::Watch => Exit::Again,
            _ if faulty => Exit::Wrong,
            Some(Severity::Warning | Severity::Critical) if self.config.fail_on_alert => Exit::Alerted,
            _ => Exit::Done,
        })
    }

    /// Gives up what a replay has no use for: it too reads bytes that strangers chose. Commands of sinks need to be started.
    fn narrow(&self) {
        if self.config.runs_commands() {
            return;
        }
        let calls = Calls { serves: self.server.is_some(), dials: !self.config.sink.is_empty() };
        match guard::narrow(calls) {
            Ok(filtered) => tracing::debug!(filtered, "system calls are filtered"),
            Err(error) => tracing::debug!(%error, "system calls are not filtered"),
        }
    }

    fn report(&self, outcome: RunOutcome, wall_seconds: f64, faults: Vec<String>, privacy: Privacy) -> RunReport {
        let span = outcome.span();
        let accounting = outcome.accounting();
        let judged = outcome.judged;
        // A site that is protected no longer keeps its place and has no prefix.
        let protected =
            judged.policy.sites().iter().filter(|site| !site.prefixes.is_empty()).map(|site| ProtectedSite {
                name: Arc::clone(&site.name),
                prefixes: site.prefixes.clone(),
                learned: judged.policy.is_learning(),
            });
        let origins = judged.origins.iter().map(|(country, volume)| OriginTotal {
            country: *country,
            packets: volume.packets,
            bytes: volume.bytes,
        });
        RunReport {
            inputs: self.inputs.clone(),
            accounting,
            flows: judged.flows.admitted,
            start: span.map(|(start, _)| start),
            end: span.map(|(_, end)| end),
            wall_seconds,
            origins: origins.collect(),
            alerts: judged.alerts.iter().map(|alert| privacy.shown(alert).into_owned()).collect(),
            alerts_forgotten: judged.alerts_forgotten,
            minutes: judged.minutes.into(),
            detectors: judged.armed,
            home: judged.home.unwrap_or_else(|| crate::detect::engine::Home {
                countries: self.settings.engine.home.clone(),
                how: "configured".to_owned(),
            }),
            protected: protected.collect(),
            geo: self.settings.origins.describe().join("; "),
            settings: self.config.values(),
            faults,
        }
    }

    fn write_report(&self, report: &RunReport) -> anyhow::Result<()> {
        let Some(path) = &self.config.report else { return Ok(()) };
        report::write::write_whole(path, &report::html::page(report, self.config.lang))?;
        Ok(())
    }

    fn print(&self, report: &RunReport) -> anyhow::Result<()> {
        let text = match self.config.format {
            Format::Json => format!("{}\n", report::json::summary(report)?),
            Format::Text if self.verbosity.quiet => return Ok(()),
            Format::Text => report::text::summary(report, self.stream.style()),
        };
        self.stream.print(&text)?;
        Ok(())
    }
}

/// What a run shows of itself, and where it will be served.
struct Shown {
    board: Arc<Board>,
    metrics: Arc<Metrics>,
    bound: Option<Bound>,
}

impl Shown {
    /// Serves it, where there is an address.
    fn serve(&mut self) -> anyhow::Result<Option<Server>> {
        let Some(bound) = self.bound.take() else { return Ok(None) };
        let server = bound.serve(Arc::clone(&self.board))?;
        tracing::info!(address = %server.address(), "serving metrics");
        Ok(Some(server))
    }
}

/// Binds the endpoint, if there is to be one, and makes the board that it and the screen show.
fn show(config: &Config, mode: Mode, screen: bool) -> anyhow::Result<Option<Shown>> {
    let endpoint = match (config.metrics, mode) {
        (Some(endpoint), _) => endpoint,
        (None, Mode::Watch) => WATCH_METRICS.parse().map_err(anyhow::Error::msg)?,
        (None, Mode::Replay) => Endpoint::Off,
    };
    if endpoint == Endpoint::Off && !screen {
        return Ok(None);
    }
    let protection = config.http()?;
    let metrics = Arc::new(Metrics::new());
    let stall = (mode == Mode::Watch).then_some(STALL);
    let board = Arc::new(Board::new(Arc::clone(&metrics), stall).in_language(config.lang));
    let bound = match endpoint {
        Endpoint::At(address) => Some(http::bind(address, &protection)?),
        Endpoint::Off => None,
    };
    if let Some(bound) = &bound {
        protection.caution(bound.address()).iter().for_each(|sentence| complain(sentence));
    }
    Ok(Some(Shown { board, metrics, bound }))
}

/// Opens the files that are written while the run lasts, and tries the one that is written at its end.
fn open_files(config: &Config, live: bool, outputs: &mut Outputs) -> anyhow::Result<()> {
    if let Some(path) = &config.alerts {
        outputs.add_sink(Box::new(open_alerts(path, live)?));
    }
    if let Some(path) = &config.flows {
        outputs.set_flows(FlowFile::create(path)?);
    }
    config.report.as_deref().map_or(Ok(()), try_writing)
}

/// Starts the keeping of packets, if any are to be kept, and returns what hears of them.
fn start_evidence(config: &Config, origin: Origin, outputs: &mut Outputs) -> anyhow::Result<Option<Recorders>> {
    let Some(settings) = config.evidence() else { return Ok(None) };
    let (evidence, recorders) = Evidence::start(settings, origin)?;
    outputs.set_evidence(evidence);
    Ok(Some(recorders))
}

/// Returns when what was learned is saved by a run that has where to.
const fn when_to_keep(mode: Mode, config: &Config) -> Keep {
    match mode {
        Mode::Replay => Keep::AtEnd,
        Mode::Watch => Keep::Every(config.state_every),
    }
}

/// Opens the alert lines: a replay writes its own file, a live run goes on with the one before, so that a restart costs no
/// alerts.
fn open_alerts(path: &Path, live: bool) -> anyhow::Result<JsonLines> {
    if !live || path == Path::new("-") {
        return Ok(JsonLines::open(path)?);
    }
    match OpenOptions::new().append(true).create(true).open(path) {
        Ok(file) => Ok(JsonLines::new("jsonl", Box::new(file))),
        Err(reason) => Err(SinkError::Open { name: path.display().to_string(), reason }.into()),
    }
}

/// Starts the sinks, and says what they will not be told: nobody should wonder at the silence.
fn start_sinks(config: &Config, sinks: &[Settings], metrics: Option<Arc<Metrics>>) -> anyhow::Result<Sinks> {
    let mutes = config.mutes();
    for mute in &mutes {
        complain(&format!("sinks are not told of: {mute}"));
    }
    Ok(Sinks::start(sinks, mutes, config.spool_folder().as_deref(), metrics)?)
}

/// Refuses to write over what is to be read.
fn refuse_inputs_as_outputs(config: &Config, inputs: &[String]) -> anyhow::Result<()> {
    let outputs = [("alerts", &config.alerts), ("report", &config.report), ("flows", &config.flows)];
    for (name, output) in outputs {
        let Some(output) = output.as_ref().and_then(|path| path.canonicalize().ok()) else { continue };
        if inputs.iter().any(|input| Path::new(input).canonicalize().is_ok_and(|input| input == output)) {
            anyhow::bail!("--{name} {}: this is a capture that is to be read: choose another file", output.display());
        }
    }
    Ok(())
}

/// Finds out before any work whether a file can be written; leaves what is there as it is.
fn try_writing(path: &Path) -> anyhow::Result<()> {
    let existed = path.exists();
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .with_context(|| format!("--report {}: the file cannot be written: choose another place", path.display()))?;
    if !existed {
        std::fs::remove_file(path).with_context(|| format!("--report {}", path.display()))?;
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "how long the run took, printed at its end and used for nothing else")]
fn now() -> Instant {
    Instant::now()
}
