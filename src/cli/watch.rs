//! `vigie watch`: live traffic from mirror ports.

use std::num::NonZeroUsize;
use std::sync::Arc;

use clap::Args;

use super::keeper::Opened;
use super::options::{Options, one};
use super::reload::Hangups;
use super::sandbox::SandboxOptions;
use super::session::{Mode, Session, Wanted};
use super::signals::Stop;
use super::supervisor::Supervisor;
use super::{Exit, Verbosity, seed};
use crate::config::Config;
use crate::pipeline::Source;
use crate::source::{InterfaceId, live};

/// Watch live traffic on a mirror port, until stopped by a signal.
///
/// Needs the right to capture: run as root, or give the program the capability once with
/// `setcap cap_net_raw,cap_net_admin=eip $(which vigie)`. The first SIGINT or SIGTERM closes open alerts and prints the
/// summary; a second one ends at once. SIGHUP reads the configuration again: sites, sinks, mutes, events and the like
/// change without losing what was learned, a wrong file is refused, and what needs a restart is named.
///
/// Once everything is open it gives up what it does not need: root, capabilities, files that were not named, starting
/// programs and most system calls; it says so in one line.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(super) struct Watch {
    /// Interface to capture on; repeatable, such as one for each direction of a tap.
    #[arg(short, long = "interface", value_name = "IFACE", required = true)]
    interfaces: Vec<String>,

    #[command(flatten)]
    options: Options,

    /// Capture ring of each socket, in MiB [default: 32].
    #[arg(long, value_name = "MIB", help_heading = "Running")]
    ring_size: Option<String>,

    #[command(flatten)]
    sandbox: SandboxOptions,

    /// Show the run on the terminal: sites, rates, incidents, origins; ? shows the keys.
    #[arg(long, help_heading = "Results")]
    tui: bool,
}

const EXAMPLES: &str = "\
Examples:
  vigie watch -i eth1
  vigie watch -i tap-rx -i tap-tx --home FR --protect 192.0.2.0/24=school
  vigie watch -i eth1 --tui
  vigie watch -i eth1 --config /etc/vigie.toml --alerts /var/log/vigie/alerts.jsonl";

impl Watch {
    /// Captures until a signal.
    pub(super) fn run(self, verbosity: Verbosity) -> anyhow::Result<Exit> {
        let config = self.load()?;
        let stop = Stop::catch()?;
        let hangups = Hangups::catch()?;
        let supervisor = Arc::new(Supervisor::connect()?);
        // Interfaces first: one that is not there must not cost the alerts of the last run.
        let sources = self.sources(&config)?;
        let state = Opened::open(&config)?;
        let seed = seed::choose(&config, state.as_ref(), seed::random)?;
        let names = sources.iter().map(|source| source.name.clone()).collect();
        let wanted = Wanted {
            mode: Mode::Watch,
            seed,
            inputs: self.interfaces.clone(),
            sources: names,
            state,
            screen: self.tui,
            supervisor: Some(Arc::clone(&supervisor)),
            sandbox: self.sandbox.sandbox(self.options.file(), &self.interfaces, self.tui, verbosity.quiet),
        };
        // No thread runs before the session has closed the sandbox.
        let (session, limits) = Session::open(&config, wanted, verbosity, stop.flag())?;
        stop.follow()?;
        let changes = hangups.follow(config, limits, supervisor, session.endpoint(), move || self.load())?;
        session.follow(changes).run(sources)
    }

    /// Reads file, environment and flags.
    fn load(&self) -> anyhow::Result<Config> {
        self.options.load(one("ring_size", "--ring-size", self.ring_size.as_ref()))
    }

    /// Opens the sockets of all interfaces.
    fn sources(&self, config: &Config) -> anyhow::Result<Vec<Source<'static>>> {
        let settings = live::Settings {
            ring_bytes: config.ring_bytes(),
            sockets: sockets(config.threads, self.interfaces.len()),
            ..live::Settings::default()
        };
        let mut sources = Vec::new();
        for (number, interface) in self.interfaces.iter().enumerate() {
            let id = InterfaceId(u16::try_from(number).unwrap_or(u16::MAX));
            for socket in live::open_returning(interface, id, &settings)? {
                sources.push(Source { name: interface.clone(), frames: Box::new(socket) });
            }
        }
        Ok(sources)
    }
}

/// Half of the threads capture and decode, the other half count: on each interface as many sockets as that gives.
fn sockets(threads: NonZeroUsize, interfaces: usize) -> NonZeroUsize {
    NonZeroUsize::new(threads.get() / 2 / interfaces.max(1)).unwrap_or(NonZeroUsize::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_threads_capture() {
        let sockets = |threads, interfaces| sockets(NonZeroUsize::new(threads).unwrap(), interfaces).get();
        assert_eq!([sockets(1, 1), sockets(2, 1), sockets(4, 1), sockets(8, 2), sockets(2, 4)], [1, 1, 2, 2, 1]);
    }
}
