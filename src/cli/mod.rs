//! The command line: what users type, one file per subcommand, and the exit code they get.
//!
//! Flags are read as text and become settings in `config`, where file and environment are read by the same rules. What
//! stages do inside is not known here.

mod alert;
mod calibrate;
mod check;
mod config;
mod doctor;
mod eval;
mod hook;
mod keeper;
mod log;
mod manual;
mod options;
mod outputs;
mod progress;
mod reload;
mod replay;
mod sandbox;
mod seed;
mod session;
mod signals;
mod status;
mod supervisor;
mod synth;
mod terminal;
mod trial;
mod tui;
mod watch;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// How a command ended, as the shell sees it (CONTRACT 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, with or without alerts.
    Done,
    /// `--fail-on-alert` was given and a warning or critical alert opened; `--check`, and a figure lies below its floor.
    Alerted,
    /// Arguments, configuration or input are wrong or unreadable, or an output could not be written.
    Wrong,
    /// An internal fault; everything was flushed first.
    Internal,
    /// An interface came back and could not be opened again; everything was flushed first, and a new start may do better
    /// (`EX_TEMPFAIL` of sysexits.h).
    Again,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Alerted => 1,
            Exit::Wrong => 2,
            Exit::Internal => 70,
            Exit::Again => 75,
        })
    }
}

/// A lookout on the mirror port: tells a rush of users from an attack, and whether it comes from abroad.
///
/// Reads packets from capture files or from a network interface, and reports what it finds as alerts that explain
/// themselves: floods that clients never finish, surges from abroad that the rush at home does not explain, servers that
/// cannot keep up. It sees packet headers only and blocks nothing.
#[derive(Debug, Parser)]
#[command(name = "vigie", version, after_help = EXAMPLES, after_long_help = EXAMPLES)]
#[command(max_term_width = 100, arg_required_else_help = true, disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    verbosity: Verbosity,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  vigie replay morning.pcap.zst --home FR --protect 192.0.2.0/24=school
  vigie watch -i eth1 --alerts /var/log/vigie/alerts.jsonl
  vigie synth launch-morning -o morning.pcap

Every option that names a setting can also be written in a file (--config vigie.toml) or set as an
environment variable (VIGIE_HOME=FR). A flag beats the variable, the variable beats the file.
`vigie config print` shows every setting and where its value comes from.

Exit codes:
  0   done, with or without alerts
  1   --fail-on-alert was given and a warning or critical alert opened
  2   arguments, configuration or input are wrong, or a result could not be written
  70  an internal fault
  75  an interface came back but could not be opened again: start anew";

/// How much is said beside the results.
#[derive(Clone, Copy, Debug, Args)]
pub struct Verbosity {
    /// Say nothing but results that were asked for: no progress, no summary as text.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Say more on standard error; twice for everything.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

#[derive(Debug, Subcommand)]
enum Command {
    Replay(replay::Replay),
    Watch(watch::Watch),
    Synth(synth::Synth),
    Eval(Box<eval::Eval>),
    Calibrate(calibrate::Calibrate),
    Check(check::Check),
    #[command(subcommand)]
    Config(config::Config),
    #[command(subcommand)]
    Alert(alert::Command),
    Doctor(doctor::Doctor),
    Completions(manual::Completions),
    Man(manual::Man),
    #[command(hide = true)]
    Hook(hook::Hook),
}

/// Parses the command line, runs the command and returns its exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    log::start(cli.verbosity);
    // A panic has printed its message by then; what was open has been flushed on the way out.
    let ended = catch_unwind(AssertUnwindSafe(|| run(cli)));
    let exit = match ended {
        Ok(Ok(exit)) => exit,
        Ok(Err(error)) if is_closed_pipe(&error) => Exit::Done,
        Ok(Err(error)) => {
            terminal::complain(&format!("{error:#}"));
            Exit::Wrong
        }
        Err(_) => Exit::Internal,
    };
    exit.into()
}

fn run(cli: Cli) -> anyhow::Result<Exit> {
    match cli.command {
        Command::Replay(replay) => replay.run(cli.verbosity),
        Command::Watch(watch) => watch.run(cli.verbosity),
        Command::Synth(synth) => synth.run(cli.verbosity),
        Command::Eval(eval) => eval.run(cli.verbosity),
        Command::Calibrate(calibrate) => calibrate.run(cli.verbosity),
        Command::Check(check) => check.run(),
        Command::Config(config) => config.run(),
        Command::Alert(alert) => alert.run(),
        Command::Doctor(doctor) => doctor.run(cli.verbosity),
        Command::Completions(completions) => completions.run(),
        Command::Man(man) => man.run(),
        Command::Hook(hook) => hook.run(),
    }
}

/// Tells whether whoever read our output has had enough, as in `vigie ... | head`.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}
