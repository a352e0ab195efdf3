//! `vigie config print`: what is in force, and why.

use clap::{Args, Subcommand};

use super::Exit;
use super::options::Options;
use super::terminal::Stream;

/// Show the configuration.
#[derive(Debug, Subcommand)]
pub(super) enum Config {
    Print(Print),
}

/// Print every setting with the place it came from: a flag, a variable, a line of the file, or the default.
///
/// What is printed is a configuration file itself.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(super) struct Print {
    #[command(flatten)]
    options: Options,
}

const EXAMPLES: &str = "\
Examples:
  vigie config print > vigie.toml
  vigie config print --config vigie.toml --home FR";

impl Config {
    /// Prints.
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let Self::Print(print) = self;
        Stream::Output.print(&print.options.load(None)?.print())?;
        Ok(Exit::Done)
    }
}
