//! `vigie eval`: labelled worlds, and how often Vigie was right about them.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use clap::builder::PossibleValuesParser;

use super::options::environment;
use super::progress::counted;
use super::terminal::{Stream, complain};
use super::{Exit, Verbosity};
use crate::config::{CONFIG_VARIABLE, Config};
use crate::eval::sheet::Ran;
use crate::eval::weeks::{self, Weeks};
use crate::eval::{self, Allowance, Base, Group, Origin, Outcome, Purse, Sheet, Stratum, Suite, World, page};
use crate::hash::Seed;
use crate::origin::Origins;
use crate::pipeline;
use crate::report::plain;
use crate::report::write::write_whole;
use crate::scenario::{self, Truth};

/// Measure how often Vigie is right.
///
/// Runs labelled worlds through the pipeline that runs live and holds the alerts against the truth: events found and how
/// soon, verdicts, false alarms, rushes left in peace. Worlds are captures with a truth file beside each
/// (FILE and FILE.truth.json, as `vigie synth` writes them), all those in a directory, or a built-in suite.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(super) struct Eval {
    /// Captures with a truth file beside each, or directories of such.
    #[arg(value_name = "DIR|FILE")]
    inputs: Vec<PathBuf>,

    /// Run a built-in suite: quick (minutes), full (an hour) or weeks (no packets, false alarms only: as long as you like).
    #[arg(long, value_name = "SUITE", value_parser = suites(), required_unless_present = "inputs", conflicts_with = "inputs")]
    suite: Option<String>,

    /// Seeds of the suite's worlds, A up to but not B [default: the suite's own].
    #[arg(long, value_name = "A..B")]
    seeds: Option<Seeds>,

    /// Only worlds whose name contains this.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,

    /// Begin nothing after this many minutes; what was begun is evenly spread over the suite.
    #[arg(long, value_name = "M")]
    minutes: Option<f64>,

    /// Simulate so many weeks of 256 targets beside the worlds of a suite [default: 100 in weeks, 0.35 in full].
    #[arg(long, value_name = "N", requires = "suite", value_parser = weeks_asked)]
    weeks: Option<f64>,

    /// Worlds at the same time [default: one per core].
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,

    /// What is printed: text or json.
    #[arg(long, value_name = "FORMAT", value_parser = ["text", "json"], default_value = "text")]
    format: String,

    /// Write what is printed to a file instead.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Write the sheet as a page, with curves.
    #[arg(long, value_name = "FILE.html")]
    html: Option<PathBuf>,

    /// Write the sheet as a page of documentation.
    #[arg(long, value_name = "FILE.md")]
    docs: Option<PathBuf>,

    /// Write each simulated world in which something was wrong as a capture with its truth, to be looked at.
    #[arg(long, value_name = "DIR", conflicts_with = "inputs")]
    keep: Option<PathBuf>,

    /// Exit with 1 if a figure lies below its floor: what must not be lost again.
    #[arg(long)]
    check: bool,

    /// Configuration file (TOML) whose settings are measured; home and protection are each world's own.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  vigie eval --suite quick
  vigie eval --suite full --minutes 30 --html accuracy.html --format json -o accuracy.json
  vigie eval --suite quick --only rush
  vigie eval --suite weeks --minutes 600 --format json -o weeks.json
  vigie synth syn-flood -o flood.pcap && vigie eval flood.pcap";

/// A range of seeds as it is typed.
#[derive(Clone, Debug)]
struct Seeds(Range<u64>);

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bounds = text.split_once("..").and_then(|(a, b)| Some(a.parse().ok()?..b.parse().ok()?));
        match bounds {
            Some(seeds) if seeds.start < seeds.end => Ok(Self(seeds)),
            _ => Err(format!("`{text}` is no range of seeds: write 1..10 for the nine from 1 to 9")),
        }
    }
}

/// Reads a number of weeks.
fn weeks_asked(text: &str) -> Result<f64, String> {
    let weeks = text.parse().ok().filter(|weeks| (0.0..=10_000.0).contains(weeks));
    weeks.ok_or_else(|| format!("`{text}` is no number of weeks: write one up to 10000, such as 2.5"))
}

fn suites() -> PossibleValuesParser {
    PossibleValuesParser::new(Suite::ALL.iter().map(|suite| suite.name()).collect::<Vec<_>>())
}

impl Eval {
    /// Runs the worlds and prints the sheet.
    pub(super) fn run(self, verbosity: Verbosity) -> anyhow::Result<Exit> {
        let file = self.config.clone().or_else(|| std::env::var_os(CONFIG_VARIABLE).map(PathBuf::from));
        let config = Config::load(file.as_deref(), environment(), &[])?;
        let mut worlds = self.worlds()?;
        worlds.retain(|world| self.only.as_ref().is_none_or(|part| world.name.contains(part)));
        if worlds.is_empty() && self.suite() != Some(Suite::Weeks) {
            bail!("no world is left to run: --only must be part of a name such as rush/rush/1");
        }
        if let Some(folder) = &self.keep {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("{}: the directory cannot be made", folder.display()))?;
        }
        let purse = self.purse()?;
        let outcomes = self.outcomes(&worlds, &base(&config)?, &purse, verbosity);
        let weeks = self.weeks(&purse, verbosity);
        let sheet = Sheet::of(self.ran(&worlds, &config), &outcomes, weeks);
        self.show(&sheet)?;
        if let Some(folder) = &self.keep {
            keep(folder, &worlds, &sheet)?;
        }
        let broken = outcomes.iter().any(|outcome| !outcome.faults.is_empty());
        let fallen = if self.check { eval::floors::broken(&sheet) } else { Vec::new() };
        fallen.iter().for_each(|floor| complain(&format!("below its floor: {floor}")));
        Ok(match fallen.is_empty() {
            _ if broken => Exit::Wrong,
            false => Exit::Alerted,
            true => Exit::Done,
        })
    }

    fn suite(&self) -> Option<Suite> {
        Suite::ALL.iter().copied().find(|suite| Some(suite.name()) == self.suite.as_deref())
    }

    fn worlds(&self) -> anyhow::Result<Vec<World>> {
        if let Some(suite) = self.suite() {
            return Ok(suite.worlds(self.seeds(suite)));
        }
        let mut captures = Vec::new();
        for input in &self.inputs {
            captures.extend(if input.is_dir() { labelled_in(input)? } else { vec![input.clone()] });
        }
        captures.into_iter().map(recorded).collect()
    }

    fn seeds(&self, suite: Suite) -> Range<u64> {
        self.seeds.clone().map_or_else(|| suite.seeds(), |seeds| seeds.0)
    }

    fn outcomes(&self, worlds: &[World], base: &Base, purse: &Purse, verbosity: Verbosity) -> Vec<Outcome> {
        let with_weeks = self.suite().is_some() && self.only.is_none();
        let allowance = Allowance { jobs: self.jobs(), time: purse.left(if with_weeks { WEEKS_PART } else { 0.0 }) };
        let bar = counted(worlds.len() as u64, "worlds", !verbosity.quiet);
        let outcomes = eval::in_parallel(worlds, allowance, |world| eval::run(world, base), |_, _| bar.inc(1));
        bar.finish_and_clear();
        outcomes
    }

    /// Simulates weeks of counts beside a whole suite, in the time that is left; parts of one are asked for their own sake.
    fn weeks(&self, purse: &Purse, verbosity: Verbosity) -> Option<Weeks> {
        let suite = self.suite().filter(|_| self.only.is_none())?;
        let slices = suite.slices(self.seeds(suite).start, self.weeks.unwrap_or_else(|| suite.weeks()));
        let allowance = Allowance { jobs: self.jobs(), time: purse.left(0.0) };
        let bar = counted(slices.len() as u64, "slices of weeks", !verbosity.quiet);
        let outcomes = eval::in_parallel(&slices, allowance, weeks::run, |_, _| bar.inc(1));
        bar.finish_and_clear();
        weeks::weeks(&outcomes)
    }

    fn purse(&self) -> anyhow::Result<Purse> {
        let time = self.minutes.map(|minutes| Duration::try_from_secs_f64(minutes * 60.0)).transpose();
        Ok(Purse::new(time.context("--minutes: give a positive number of minutes")?))
    }

    fn jobs(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        self.jobs.unwrap_or_else(cores).max(1)
    }

    fn ran(&self, worlds: &[World], config: &Config) -> Ran {
        let written = |seeds: Range<u64>| format!("{}..{}", seeds.start, seeds.end);
        let names = || self.inputs.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
        Ran {
            what: self.suite().map_or_else(names, |suite| format!("suite {suite}")),
            seeds: self.suite().map(|suite| written(self.seeds(suite))).unwrap_or_default(),
            development_seeds: written(Suite::DEVELOPMENT),
            published_seeds: written(Suite::Full.seeds()),
            worlds_asked: worlds.len(),
            minutes: self.minutes,
            settings: config.values(),
        }
    }

    /// Returns what repeats this run.
    fn command(&self, docs: &Path) -> String {
        let mut command = String::from("vigie eval");
        for input in &self.inputs {
            command.push_str(&format!(" {}", input.display()));
        }
        let options = [
            ("--suite", self.suite.clone()),
            ("--seeds", self.seeds.as_ref().map(|seeds| format!("{}..{}", seeds.0.start, seeds.0.end))),
            ("--only", self.only.clone()),
            ("--minutes", self.minutes.map(|minutes| minutes.to_string())),
            ("--weeks", self.weeks.map(|weeks| weeks.to_string())),
            ("--docs", Some(docs.display().to_string())),
        ];
        for (name, value) in options {
            command.extend(value.map(|value| format!(" {name} {value}")));
        }
        command
    }

    fn show(&self, sheet: &Sheet) -> anyhow::Result<()> {
        let text = match self.format.as_str() {
            "json" => format!("{}\n", sheet.to_json()?),
            _ => plain(&page::text::sheet(sheet)).into_owned(),
        };
        if let Some(path) = &self.html {
            write_whole(path, &page::html::page(sheet))?;
        }
        if let Some(path) = &self.docs {
            write_whole(path, &page::docs::page(sheet, &self.command(path)))?;
        }
        match &self.output {
            Some(path) => Ok(write_whole(path, &text)?),
            None => Ok(Stream::Output.print(&text)?),
        }
    }
}

/// Writes the worlds that are among the failures, each as a capture named after the world.
fn keep(folder: &Path, worlds: &[World], sheet: &Sheet) -> anyhow::Result<()> {
    for world in worlds {
        let Origin::Simulated { scenario, parameters } = &world.origin else { continue };
        if sheet.failures.iter().any(|failure| failure.world == world.name) {
            let file = format!("{}.pcap.zst", world.name.replace('/', "_"));
            scenario::write(*scenario, parameters, &folder.join(file))?;
        }
    }
    Ok(())
}

/// Share of the time that is kept for simulated weeks beside worlds; they have what these leave, too.
const WEEKS_PART: f64 = 0.2;

/// Returns what every world is run with, but for its home and protection.
fn base(config: &Config) -> anyhow::Result<Base> {
    let tables = config.origins();
    let settings = pipeline::Settings {
        recall: None,
        revisions: None,
        keep: pipeline::Keep::Never,
        threads: std::num::NonZeroUsize::MIN,
        live: false,
        shard: config.shard(Seed::default(), false),
        engine: config.engine(),
        alert: config.alert.clone(),
        policy: Arc::default(),
        origins: Arc::new(Origins::load(&tables)?),
        evidence: None,
        metrics: None,
    };
    Ok(Base { settings, tables })
}

/// Returns the captures of a directory that have a truth file, by name.
fn labelled_in(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let context = || format!("{}: the directory cannot be read", folder.display());
    let entries: Result<Vec<_>, _> = std::fs::read_dir(folder).with_context(context)?.collect();
    let paths = entries.with_context(context)?.into_iter().map(|entry| entry.path());
    let mut captures: Vec<PathBuf> = paths.filter(|path| Truth::path_of(path).is_file()).collect();
    captures.sort();
    if captures.is_empty() {
        bail!("{}: no capture here has a truth file beside it, FILE.truth.json for FILE", folder.display());
    }
    Ok(captures)
}

fn recorded(capture: PathBuf) -> anyhow::Result<World> {
    let truth = Box::new(Truth::read(&Truth::path_of(&capture))?);
    let stratum = Stratum { group: Group::Capture, scenario: None, rate: None };
    Ok(World { name: capture.display().to_string(), stratum, origin: Origin::Recorded { capture, truth } })
}
