//! What packagers install beside the program: completions for shells, and manual pages. Both are made from the same
//! description of the command line as `--help`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::terminal::Stream;
use super::{Cli, Exit};

/// Print completions for a shell.
#[derive(Debug, Args)]
#[command(after_help = COMPLETIONS, after_long_help = COMPLETIONS)]
pub(super) struct Completions {
    /// The shell.
    shell: Shell,
}

const COMPLETIONS: &str = "\
Examples:
  vigie completions bash > /etc/bash_completion.d/vigie
  vigie completions zsh > ~/.zfunc/_vigie
  vigie completions fish > ~/.config/fish/completions/vigie.fish";

impl Completions {
    /// Prints them.
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "vigie", &mut script);
        Stream::Output.print(&String::from_utf8_lossy(&script))?;
        Ok(Exit::Done)
    }
}

/// Write the manual pages.
///
/// Without a directory the page of the program itself is printed; with one, a page for it and one for each command.
#[derive(Debug, Args)]
#[command(after_help = PAGES, after_long_help = PAGES)]
pub(super) struct Man {
    /// Directory that takes the pages: vigie.1, vigie-replay.1 and so on.
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

const PAGES: &str = "\
Examples:
  vigie man | man -l -
  vigie man -o /usr/local/share/man/man1";

impl Man {
    /// Prints or writes them.
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let Some(folder) = self.output else {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page)?;
            Stream::Output.print(&String::from_utf8_lossy(&page))?;
            return Ok(Exit::Done);
        };
        clap_mangen::generate_to(Cli::command(), &folder)
            .with_context(|| format!("--output {}: the pages cannot be written there", folder.display()))?;
        Ok(Exit::Done)
    }
}
