//! `vigie alert test`: does an alert arrive where it should?

use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};

use super::Exit;
use super::options::Options;
use super::terminal::Stream;
use crate::alert::{Alert, sample};
use crate::export::sinks;
use crate::kind::{AlertKind, Verdict};
use crate::time::Timestamp;

/// Try out where alerts go.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Test(Test),
}

/// Send a made-up alert to each configured sink: its opening, then its end.
///
/// Says of each sink whether it took them, or why not, and exits with 2 if one did not. The alert concerns an address that
/// is nobody's (192.0.2.10) and says that it is a test. Mutes, severities and spools play no part.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(super) struct Test {
    #[command(flatten)]
    options: Options,
}

const EXAMPLES: &str = "\
Examples:
  vigie alert test --config vigie.toml";

impl Command {
    /// Sends.
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let Self::Test(test) = self;
        let sinks = test.options.load(None)?.sinks()?;
        anyhow::ensure!(!sinks.is_empty(), "no sink is configured: write a [[sink]] into the file that --config names");
        let alerts = made_up(now());
        let mut exit = Exit::Done;
        for settings in &sinks {
            let line = match sinks::deliver_now(settings, &alerts) {
                Ok(()) => format!("{}: delivered\n", settings.name),
                Err(why) => {
                    exit = Exit::Wrong;
                    format!("{}: not delivered: {why}\n", settings.name)
                }
            };
            Stream::Output.print(&line)?;
        }
        Ok(exit)
    }
}

/// Returns the lines of an alert that says it is a test.
fn made_up(at: Timestamp) -> Vec<Alert> {
    let mut alerts = sample(AlertKind::SynFlood, Verdict::Attack, "example", at);
    for alert in &mut alerts {
        alert.why = format!("This is a test of vigie's sinks, nothing happens: {}", alert.why);
    }
    alerts
}

#[expect(clippy::disallowed_methods, reason = "the alert is made up for this moment, so that receivers show it as new")]
fn now() -> Timestamp {
    Timestamp::from_secs(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
}
