//! `vigie check`: is the configuration right?

use clap::Args;

use super::Exit;
use super::options::Options;
use super::terminal::Stream;
use super::trial;
use crate::config::Config;
use crate::origin::Origins;

/// Check the configuration.
///
/// Names every mistake at once, each with its file, line and what to write instead, and exits with 2 if there is one.
/// Whether this user can write what a run would write is tried as well, and nothing is left behind.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(super) struct Check {
    #[command(flatten)]
    options: Options,
}

const EXAMPLES: &str = "\
Examples:
  vigie check --config vigie.toml
  VIGIE_HOME=FR vigie check";

impl Check {
    /// Checks, and says what is right or wrong.
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let config = self.options.load(None)?;
        examine(&config)?;
        trial::outputs(&config)?;
        let what =
            self.options.file().map_or_else(|| "the configuration".to_owned(), |path| path.display().to_string());
        Stream::Output.print(&format!("{what} is right\n"))?;
        Ok(Exit::Done)
    }
}

/// Tries what a configuration names: tables, secrets, certificates, templates, programs.
///
/// # Errors
/// What cannot be used, with its line.
pub(super) fn examine(config: &Config) -> anyhow::Result<()> {
    Origins::load(&config.origins())?;
    config.sinks()?;
    config.http()?;
    Ok(())
}
