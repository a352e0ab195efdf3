//! `vigie synth`: labelled traffic, for trying things out and for measuring them.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::PossibleValuesParser;

use super::terminal::Stream;
use super::{Exit, Verbosity};
use crate::country::Country;
use crate::scenario::{self, Parameters, ProtectedPrefix, Scenario, Spoofing, Truth};

/// Write a labelled scenario: a capture, and its truth beside it.
///
/// The same scenario, seed and options give the same bytes on every machine. The truth is written to FILE.truth.json.
#[derive(Debug, Args)]
#[command(after_help = examples(), after_long_help = examples())]
pub(super) struct Synth {
    /// What happens.
    #[arg(value_name = "SCENARIO", value_parser = names(Scenario::ALL, Scenario::name), hide_possible_values = true)]
    scenario: String,

    /// Capture to write: pcap, compressed if it ends in .zst or .gz.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// What chance follows from [default: 1].
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Length of the capture, in seconds.
    #[arg(long, value_name = "S")]
    duration: Option<u64>,

    /// Ordinary traffic before anything happens, in seconds.
    #[arg(long, value_name = "S")]
    lead: Option<u64>,

    /// Ordinary new connections a second.
    #[arg(long, value_name = "PER_S")]
    rate: Option<f64>,

    /// SYNs or connections a second of the largest attack.
    #[arg(long, value_name = "PER_S")]
    attack_rate: Option<f64>,

    /// Peak of a rush, as a multiple of the ordinary rate.
    #[arg(long, value_name = "TIMES")]
    rush_factor: Option<f64>,

    /// Connections a second the server accepts.
    #[arg(long, value_name = "PER_S")]
    capacity: Option<f64>,

    /// Country most visitors live in.
    #[arg(long, value_name = "CC")]
    home: Option<Country>,

    /// Share of visitors from there, 0 to 1.
    #[arg(long, value_name = "SHARE")]
    home_share: Option<f64>,

    /// Share of visitors who come over IPv6, 0 to 1.
    #[arg(long, value_name = "SHARE")]
    ipv6_share: Option<f64>,

    /// Prefix to defend, with its site; repeatable. Servers stand in the first of each family.
    #[arg(long, value_name = "CIDR[=NAME]")]
    protect: Vec<ProtectedPrefix>,

    /// Where a flood claims to come from.
    #[arg(long, value_name = "WHERE", value_parser = names(Spoofing::ALL, Spoofing::name))]
    spoofing: Option<String>,
}

fn names<T: Copy>(all: &[T], name: fn(T) -> &'static str) -> PossibleValuesParser {
    PossibleValuesParser::new(all.iter().map(|value| name(*value)).collect::<Vec<_>>())
}

fn examples() -> String {
    let mut text = "Scenarios:\n".to_owned();
    for scenario in Scenario::ALL {
        text.push_str(&format!("  {:<16} {}\n", scenario.name(), scenario.description()));
    }
    text.push_str("\nExamples:\n  vigie synth launch-morning -o morning.pcap\n");
    text.push_str("  vigie synth syn-flood -o flood.pcap.zst --seed 7 --attack-rate 5000");
    text
}

impl Synth {
    /// Writes the scenario.
    pub(super) fn run(self, verbosity: Verbosity) -> anyhow::Result<Exit> {
        let scenario: Scenario = self.scenario.parse()?;
        let truth = scenario::write(scenario, &self.parameters(scenario), &self.output)?;
        if !verbosity.quiet {
            Stream::Output.print(&self.told(&truth))?;
        }
        Ok(Exit::Done)
    }

    fn parameters(&self, scenario: Scenario) -> Parameters {
        let defaults = scenario.defaults();
        let seconds = |wish: Option<u64>, default: Duration| wish.map_or(default, Duration::from_secs);
        let spoofing = Spoofing::ALL.iter().find(|spoofing| Some(spoofing.name()) == self.spoofing.as_deref());
        Parameters {
            seed: self.seed.unwrap_or(defaults.seed),
            duration: seconds(self.duration, defaults.duration),
            lead: seconds(self.lead, defaults.lead),
            rate: self.rate.unwrap_or(defaults.rate),
            attack_rate: self.attack_rate.or(defaults.attack_rate),
            rush_factor: self.rush_factor.unwrap_or(defaults.rush_factor),
            capacity: self.capacity.or(defaults.capacity),
            home: self.home.unwrap_or(defaults.home),
            home_share: self.home_share.unwrap_or(defaults.home_share),
            ipv6_share: self.ipv6_share.unwrap_or(defaults.ipv6_share),
            protect: if self.protect.is_empty() { defaults.protect } else { self.protect.clone() },
            spoofing: spoofing.copied().unwrap_or(defaults.spoofing),
            ..defaults
        }
    }

    fn told(&self, truth: &Truth) -> String {
        let mut text = format!("{}\n{}\n", self.output.display(), Truth::path_of(&self.output).display());
        for event in &truth.events {
            let targets: Vec<String> = event.target.iter().map(ToString::to_string).collect();
            text.push_str(&format!(
                "  {} {:<14} {:<9} {}\n",
                event.start,
                event.kind,
                event.verdict,
                targets.join(" ")
            ));
        }
        text
    }
}
