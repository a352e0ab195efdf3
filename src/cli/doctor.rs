//! `vigie doctor`: is this mirror port fit to be watched?

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::Args;

use super::terminal::Stream;
use super::{Exit, Verbosity, progress, signals};
use crate::doctor::{self, Glimpse};
use crate::source::live;

/// Look at a mirror port for a while and say what to mend.
///
/// Both directions seen, frames seen twice, offloads that merge packets (GRO, LRO), frames that are cut, VLANs, tunnels,
/// losses, rate. Exits with 2 if the port is unusable.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(super) struct Doctor {
    /// Interface to look at.
    #[arg(short, long, value_name = "IFACE")]
    interface: String,

    /// How long to look, in seconds.
    #[arg(long, value_name = "S", default_value_t = doctor::DURATION.as_secs(), value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
}

const EXAMPLES: &str = "\
Examples:
  vigie doctor -i eth1
  vigie doctor -i eth1 --seconds 10";

impl Doctor {
    /// Looks and prints the diagnosis; a signal ends the look early.
    pub(super) fn run(self, verbosity: Verbosity) -> anyhow::Result<Exit> {
        let stop = signals::stop_flag()?;
        let bar = progress::seconds(self.seconds, !verbosity.quiet);
        let mut go_on = |glimpse: Glimpse| {
            bar.set_position(glimpse.elapsed.as_secs());
            if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let duration = Duration::from_secs(self.seconds);
        let settings = live::Settings::default();
        let diagnosis = doctor::examine(&self.interface, duration, &settings, &mut go_on)?;
        bar.finish_and_clear();
        Stream::Output.print(&diagnosis.to_string())?;
        Ok(if diagnosis.is_usable() { Exit::Done } else { Exit::Wrong })
    }
}
