//! `vigie replay`: recorded traffic, through exactly the pipeline that runs live.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Args;

use super::keeper::Opened;
use super::options::{Options, one};
use super::progress::Watched;
use super::session::{Mode, Session, Wanted};
use super::{Exit, Verbosity, seed, signals};
use crate::config::Speed;
use crate::hash::Seed;
use crate::pipeline::Source;
use crate::source::paced::{Pace, PacedSource};
use crate::source::{FileOptions, PacketSource, open_files};

/// Judge recorded traffic.
///
/// Reads pcap and pcapng, plain or compressed with gzip or zstd, from files or standard input (-); several files are
/// merged by time. Runs exactly the pipeline that runs live: the same packets give the same alerts, whatever the number of
/// threads or the speed. Prints a summary at the end.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(super) struct Replay {
    /// Capture files; - is standard input.
    #[arg(required = true, value_name = "CAPTURE")]
    captures: Vec<PathBuf>,

    #[command(flatten)]
    options: Options,

    /// Pace: max, or a multiple of recorded time such as 1 or 50 [default: max].
    #[arg(long, value_name = "SPEED", help_heading = "Running")]
    speed: Option<String>,

    /// Show the run on the terminal while it lasts, at a pace that can be followed: sites, rates, incidents, origins.
    #[arg(long, help_heading = "Results", requires = "speed")]
    tui: bool,
}

const EXAMPLES: &str = "\
Examples:
  vigie replay morning.pcap
  vigie replay --home FR --protect 192.0.2.0/24=school --report morning.html monday-*.pcap.zst
  vigie replay --alerts - capture.pcapng | jq -r .why
  tcpdump -w - -i eth1 | vigie replay -
  vigie replay --speed 1 --metrics 127.0.0.1:9477 morning.pcap
  vigie replay --speed 10 --tui morning.pcap";

impl Replay {
    /// Replays the captures.
    pub(super) fn run(self, verbosity: Verbosity) -> anyhow::Result<Exit> {
        let config = self.options.load(one("speed", "--speed", self.speed.as_ref()))?;
        let stop = signals::stop_flag()?;
        // Inputs first: a capture that is not there must not cost the alerts of the last run.
        let files = open_files(&self.captures, FileOptions { stop: Some(Arc::clone(&stop)) })?;
        let state = Opened::open(&config)?;
        let seed = seed::choose(&config, state.as_ref(), Seed::default)?;

        let inputs: Vec<String> = self.captures.iter().map(|path| path.display().to_string()).collect();
        let name = label(&inputs);
        let wanted = Wanted {
            mode: Mode::Replay,
            seed,
            inputs,
            sources: vec![name.clone()],
            state,
            screen: self.tui,
            supervisor: None,
            sandbox: None,
        };
        let (session, _) = Session::open(&config, wanted, verbosity, Arc::clone(&stop))?;
        let frames = pace(Watched::new(files, !verbosity.quiet && !self.tui), config.speed, stop);
        session.run(vec![Source { name, frames }])
    }
}

fn pace(files: Watched, speed: Speed, stop: Arc<AtomicBool>) -> Box<dyn PacketSource + Send> {
    match speed {
        Speed::Max => Box::new(files),
        Speed::Times(times) => match Pace::new(times) {
            Some(pace) => Box::new(PacedSource::new(files, pace, stop)),
            None => Box::new(files),
        },
    }
}

/// Returns the name of the files in labels: files are merged before they are counted.
fn label(names: &[String]) -> String {
    match names {
        [only] => only.clone(),
        _ => format!("{} files", names.len()),
    }
}
