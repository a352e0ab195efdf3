//! `vigie synth`: labelled traffic, for trying things out and for measuring them.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::terminal::Stream;
use super::{Exit, Verbosity};
use crate::address::Address;
use crate::country::Country;
use crate::scenario::{
    self, Geography, Onto, Overflow, Parameters, ProtectedPrefix, Scenario, Spoofing, Technique, Truth, Vector, View,
};

/// Write a labelled scenario: a capture, and its truth beside it.
///
/// The same scenario, seed and options give the same bytes on every machine. The truth is written to FILE.truth.json.
#[derive(Debug, Args)]
#[command(after_help = examples(), after_long_help = examples())]
pub(super) struct Synth {
    /// What happens, and by which variant of it: `syn-flood`, `amplification:ntp`.
    #[arg(value_name = "SCENARIO[:VARIANT]", value_parser = Scenario::with_variant)]
    scenario: (Scenario, Option<Technique>),

    /// Capture to write: pcap, compressed if it ends in .zst or .gz.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Lay the attack over this capture instead of over generated traffic: pcap or pcapng, compressed or not. Unless told
    /// otherwise it takes the middle third of its time and is as large as what its target gets anyway.
    #[arg(long, value_name = "CAPTURE", conflicts_with_all = ["duration", "lead", "rate", "protect"])]
    onto: Option<PathBuf>,

    /// Whom the attack hits; the busiest server of the capture otherwise.
    #[arg(long, value_name = "ADDRESS", requires = "onto")]
    target: Option<IpAddr>,

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

    /// Peak of a rush, as a multiple of the ordinary rate.
    #[arg(long, value_name = "TIMES")]
    rush_factor: Option<f64>,

    /// Time in which a crowd comes, in seconds.
    #[arg(long, value_name = "S")]
    rush_ramp: Option<f64>,

    /// How eagerly people abroad join a crowd, those at home being 1.
    #[arg(long, value_name = "TIMES")]
    elasticity: Option<f64>,

    /// Nobody has been here before: the first day.
    #[arg(long)]
    first_day: bool,

    /// Everybody comes through a content network's sixteen addresses.
    #[arg(long)]
    fronted: bool,

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

    /// Tell in the truth what each minute was: attempts, attack share, demand, capacity, verdict.
    #[arg(long)]
    minutes: bool,

    #[command(flatten)]
    server: Server,

    #[command(flatten)]
    hostile: Hostile,

    #[command(flatten)]
    mirror: Mirror,
}

/// How the web server bears it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Web server")]
struct Server {
    /// Connections a second it accepts.
    #[arg(long, value_name = "PER_S")]
    capacity: Option<f64>,

    /// Entries of its SYN queue.
    #[arg(long, value_name = "N")]
    backlog: Option<u32>,

    /// Entries of its accept queue.
    #[arg(long, value_name = "N")]
    accept_queue: Option<u32>,

    /// It has no SYN cookies.
    #[arg(long)]
    no_cookies: bool,

    /// What a full accept queue does.
    #[arg(long, value_name = "WHAT", value_parser = choice(Overflow::ALL, Overflow::name))]
    overflow: Option<Overflow>,

    /// Connections that may be held before no worker is left.
    #[arg(long, value_name = "N")]
    workers: Option<u32>,

    /// Share of visitors who give up before each retry, 0 to 0.9.
    #[arg(long, value_name = "SHARE")]
    abandonment: Option<f64>,
}

/// How attacks are made.
#[derive(Debug, Args)]
#[command(next_help_heading = "Attacks")]
struct Hostile {
    /// Add an attack to the scenario: at RATE a second, SECONDS after the lead; repeatable.
    #[arg(long, value_name = "KIND[:VARIANT][@RATE][+SECONDS]")]
    with: Vec<Vector>,

    /// Packets, SYNs, connections, probes, log-ins, documents or calls a second of the (largest) attack.
    #[arg(long, value_name = "PER_S")]
    attack_rate: Option<f64>,

    /// The same as a multiple of ordinary traffic: of its connections, or of its packets where packets are counted.
    #[arg(long, value_name = "TIMES", conflicts_with = "attack_rate")]
    attack_times: Option<f64>,

    /// Time from the end of the lead to the attack, in seconds.
    #[arg(long, value_name = "S")]
    attack_start: Option<f64>,

    /// Length of the attack, of each pulse if there are several, in seconds.
    #[arg(long, value_name = "S")]
    attack_duration: Option<f64>,

    /// Time in which an attack rises to its rate, in seconds.
    #[arg(long, value_name = "S")]
    attack_ramp: Option<f64>,

    /// How often the attack comes.
    #[arg(long, value_name = "N")]
    pulses: Option<u32>,

    /// Silence between two pulses, in seconds.
    #[arg(long, value_name = "S")]
    pulse_gap: Option<f64>,

    /// Where the packets of a flood claim to come from.
    #[arg(long, value_name = "WHERE", value_parser = choice(Spoofing::ALL, Spoofing::name))]
    spoofing: Option<Spoofing>,

    /// Where machines stand that do not forge their addresses.
    #[arg(long, value_name = "WHERE", value_parser = choice(Geography::ALL, Geography::name))]
    geography: Option<Geography>,

    /// Countries that machines abroad are in.
    #[arg(long, value_name = "N")]
    countries: Option<usize>,

    /// Machines an attack uses, where they are few.
    #[arg(long, value_name = "N")]
    attackers: Option<u32>,

    /// Share of its period by which a beacon comes early or late, 0 to 0.9.
    #[arg(long, value_name = "SHARE")]
    jitter: Option<f64>,
}

/// What the mirror port shows of it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Mirror port")]
struct Mirror {
    /// Which directions are captured.
    #[arg(long, value_name = "WHICH", value_parser = choice(View::ALL, View::name))]
    view: Option<View>,

    /// Share of frames that the capture misses, 0 to 0.5.
    #[arg(long, value_name = "SHARE")]
    capture_loss: Option<f64>,

    /// Share of frames that appear twice, 0 to 1.
    #[arg(long, value_name = "SHARE")]
    duplicates: Option<f64>,

    /// Identifier of a VLAN tag on every frame.
    #[arg(long, value_name = "ID")]
    vlan: Option<u16>,

    /// Bytes kept of each frame.
    #[arg(long, value_name = "BYTES")]
    snap_length: Option<u32>,
}

/// Reads one of a few names.
fn choice<T: Copy + Send + Sync + 'static>(
    all: &'static [T],
    name: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    let names = PossibleValuesParser::new(all.iter().map(|value| name(*value)).collect::<Vec<_>>());
    names.map(move |text| {
        let found = all.iter().find(|value| name(**value) == text);
        *found.expect("clap has checked that it is one of them")
    })
}

fn examples() -> String {
    let mut text = "Scenarios:\n".to_owned();
    for scenario in Scenario::ALL {
        text.push_str(&format!("  {:<21} {}\n", scenario.name(), scenario.description()));
    }
    text.push_str("\nVariants (the first is what the name alone means):\n");
    for scenario in Scenario::ALL {
        let variants = variants_of(*scenario);
        if variants.len() > 1 {
            text.push_str(&format!("  {:<21} {}\n", scenario.name(), variants.join(" ")));
        }
    }
    text.push_str("\nExamples:\n  vigie synth launch-morning -o morning.pcap\n");
    text.push_str("  vigie synth syn-flood -o flood.pcap.zst --seed 7 --attack-rate 5000\n");
    text.push_str("  vigie synth rush --with amplification:ntp@2000+30 --with syn-flood -o both.pcap.zst\n");
    text.push_str("  vigie synth udp-flood --onto friday.pcapng.gz --target 192.0.2.10 -o friday-attacked.pcap.zst");
    text
}

fn variants_of(scenario: Scenario) -> Vec<&'static str> {
    let kind = scenario.technique().map(Technique::kind);
    let all = Technique::all().into_iter().filter(|technique| Some(technique.kind()) == kind);
    all.map(|technique| technique.variant().unwrap_or("(plain)")).collect()
}

impl Synth {
    /// Writes the scenario.
    pub(super) fn run(self, verbosity: Verbosity) -> anyhow::Result<Exit> {
        let (scenario, parameters) = (self.scenario.0, self.parameters()?);
        let truth = match &self.onto {
            None => scenario::write(scenario, &parameters, &self.output)?,
            Some(capture) => {
                let onto = Onto { capture: capture.clone(), target: self.target.map(Address::from), home: self.home };
                scenario::write_onto(scenario, &parameters, &onto, &self.output)?
            }
        };
        if !verbosity.quiet {
            Stream::Output.print(&self.told(&truth))?;
        }
        Ok(Exit::Done)
    }

    fn parameters(&self) -> anyhow::Result<Parameters> {
        let (scenario, technique) = self.scenario;
        let defaults = scenario.defaults();
        let whole = |wish: Option<u64>, default: Duration| wish.map_or(default, Duration::from_secs);
        let (server, hostile, mirror) = (&self.server, &self.hostile, &self.mirror);
        Ok(Parameters {
            seed: self.seed.unwrap_or(defaults.seed),
            duration: whole(self.duration, defaults.duration),
            lead: whole(self.lead, defaults.lead),
            rate: self.rate.unwrap_or(defaults.rate),
            rush_factor: self.rush_factor.unwrap_or(defaults.rush_factor),
            rush_ramp: seconds("rush-ramp", self.rush_ramp)?.or(defaults.rush_ramp),
            elasticity: self.elasticity.unwrap_or(defaults.elasticity),
            revisits: if self.first_day { (0.0, 0.0) } else { defaults.revisits },
            fronted: self.fronted || defaults.fronted,
            minutes: self.minutes || defaults.minutes,
            capacity: server.capacity.or(defaults.capacity),
            backlog: server.backlog.unwrap_or(defaults.backlog),
            accept_queue: server.accept_queue.unwrap_or(defaults.accept_queue),
            cookies: defaults.cookies && !server.no_cookies,
            overflow: server.overflow.unwrap_or(defaults.overflow),
            workers: server.workers.unwrap_or(defaults.workers),
            abandonment: server.abandonment.unwrap_or(defaults.abandonment),
            home: self.home.unwrap_or(defaults.home),
            home_share: self.home_share.unwrap_or(defaults.home_share),
            ipv6_share: self.ipv6_share.unwrap_or(defaults.ipv6_share),
            protect: if self.protect.is_empty() { defaults.protect } else { self.protect.clone() },
            technique,
            vectors: hostile.with.clone(),
            attack_rate: hostile.attack_rate.or(defaults.attack_rate),
            attack_times: hostile.attack_times.or(defaults.attack_times),
            attack_start: seconds("attack-start", hostile.attack_start)?.unwrap_or(defaults.attack_start),
            attack_duration: seconds("attack-duration", hostile.attack_duration)?.or(defaults.attack_duration),
            attack_ramp: seconds("attack-ramp", hostile.attack_ramp)?.unwrap_or(defaults.attack_ramp),
            pulses: hostile.pulses.unwrap_or(defaults.pulses),
            pulse_gap: seconds("pulse-gap", hostile.pulse_gap)?.unwrap_or(defaults.pulse_gap),
            spoofing: hostile.spoofing.unwrap_or(defaults.spoofing),
            geography: hostile.geography.unwrap_or(defaults.geography),
            countries: hostile.countries.unwrap_or(defaults.countries),
            attackers: hostile.attackers.or(defaults.attackers),
            jitter: hostile.jitter.unwrap_or(defaults.jitter),
            view: mirror.view.unwrap_or(defaults.view),
            capture_loss: mirror.capture_loss.unwrap_or(defaults.capture_loss),
            duplicates: mirror.duplicates.unwrap_or(defaults.duplicates),
            vlan: mirror.vlan.or(defaults.vlan),
            snap_length: mirror.snap_length.unwrap_or(defaults.snap_length),
            ..defaults
        })
    }

    fn told(&self, truth: &Truth) -> String {
        let mut text = format!("{}\n{}\n", self.output.display(), Truth::path_of(&self.output).display());
        for event in &truth.events {
            let targets: Vec<String> = event.target.iter().map(ToString::to_string).collect();
            text.push_str(&format!(
                "  {} {:<21} {:<10} {}\n",
                event.start,
                event.kind,
                event.verdict,
                targets.join(" ")
            ));
        }
        text
    }
}

/// Reads seconds, whole or not.
fn seconds(option: &str, wish: Option<f64>) -> anyhow::Result<Option<Duration>> {
    let Some(wish) = wish else { return Ok(None) };
    match Duration::try_from_secs_f64(wish) {
        Ok(duration) => Ok(Some(duration)),
        Err(_) => anyhow::bail!("--{option} is {wish}: it must be a number of seconds, 0 or more"),
    }
}
