//! `vigie calibrate`: limits for this network, from its own captures.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::options::{environment, one};
use super::progress::Watched;
use super::terminal::{Stream, complain};
use super::{Exit, Verbosity, seed, signals};
use crate::address::{Address, Prefix};
use crate::alert::{Alert, Event};
use crate::config::{CONFIG_VARIABLE, Config, Format, Given, Place};
use crate::country::Country;
use crate::detect::engine::Baseline;
use crate::flow::FlowRecord;
use crate::hash::Seed;
use crate::kind::{AlertKind, Severity};
use crate::origin::Origins;
use crate::pipeline::{self, JudgedTick, Keep, Outlet, Source};
use crate::policy::{Direction, Policy};
use crate::report::proposal::{Closest, Heavy, Proposal, SCHEMA, Share, SiteFound};
use crate::report::write::write_whole;
use crate::source::{FileOptions, open_files};
use crate::summary::ContactStage;
use crate::time::Timestamp;

/// Propose settings for this network, from captures of its ordinary traffic.
///
/// Reads captures through exactly the pipeline that judges traffic, and prints what is usual, how near each detector came
/// to its line, what would have fired, and a configuration that follows from it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(super) struct Calibrate {
    /// Capture files; - is standard input.
    #[arg(required = true, value_name = "CAPTURE")]
    captures: Vec<PathBuf>,

    /// Write the configuration to a new file.
    #[arg(short, long, value_name = "FILE.toml")]
    output: Option<PathBuf>,

    /// Configuration file to start from (TOML).
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Countries counted as domestic, ISO 3166-1 codes; decided from verified clients unless given.
    #[arg(long, value_name = "CC[,CC]")]
    home: Option<String>,

    /// A prefix to defend, with the site it belongs to; repeatable. Decided from traffic unless given.
    #[arg(long, value_name = "CIDR[=NAME]")]
    protect: Vec<String>,

    /// MaxMind-format file of countries, instead of the embedded table.
    #[arg(long, value_name = "FILE.mmdb")]
    geo: Option<String>,

    /// What is printed: text or json [default: text].
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,

    /// Threads that capture and count [default: one more than cores; 1 on one core].
    #[arg(long, value_name = "N")]
    threads: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  vigie calibrate monday.pcap.zst
  vigie calibrate --home FR --protect 192.0.2.0/24=school week-*.pcap.zst -o vigie.toml
  vigie check --config vigie.toml
  vigie replay --config vigie.toml monday.pcap.zst";

impl Calibrate {
    /// Reads the captures and proposes.
    pub(super) fn run(self, verbosity: Verbosity) -> anyhow::Result<Exit> {
        let config = self.load()?;
        if let Some(path) = self.output.as_ref().filter(|path| path.exists()) {
            anyhow::bail!("-o {}: the file exists: choose another name, or remove it", path.display());
        }
        let stop = signals::stop_flag()?;
        let files = open_files(&self.captures, FileOptions { stop: Some(Arc::clone(&stop)) })?;
        let seed = config.seed_file.as_deref().map_or_else(|| Ok(Seed::default()), seed::read)?;
        let settings = pipeline::Settings {
            recall: None,
            revisions: None,
            keep: Keep::Never,
            threads: config.threads,
            live: false,
            shard: config.shard(seed, false),
            engine: config.engine(),
            alert: config.alert.clone(),
            policy: Arc::new(config.policy()),
            origins: Arc::new(Origins::load(&config.origins())?),
            evidence: None,
            metrics: None,
        };
        let frames = Box::new(Watched::new(files, !verbosity.quiet));
        let mut survey = Survey::default();
        let outcome =
            pipeline::run(vec![Source { name: "captures".to_owned(), frames }], &settings, &mut survey, &stop);
        let faults: Vec<String> = outcome.faults().map(ToString::to_string).collect();
        faults.iter().for_each(|fault| complain(fault));
        let internal = !outcome.panics.is_empty();
        let proposal = self.propose(&config, survey, outcome);
        self.give(&config, &proposal)?;
        Ok(match (internal, faults.is_empty()) {
            (true, _) => Exit::Internal,
            (_, false) => Exit::Wrong,
            _ => Exit::Done,
        })
    }

    fn load(&self) -> anyhow::Result<Config> {
        let mut flags: Vec<Given> = [
            ("home", "--home", &self.home),
            ("geo", "--geo", &self.geo),
            ("format", "--format", &self.format),
            ("threads", "--threads", &self.threads),
        ]
        .into_iter()
        .filter_map(|(key, flag, value)| one(key, flag, value.as_ref()))
        .collect();
        if !self.protect.is_empty() {
            flags.push(Given { key: "protect", flag: "--protect", values: self.protect.clone() });
        }
        let file = self.config.clone().or_else(|| std::env::var_os(CONFIG_VARIABLE).map(PathBuf::from));
        Ok(Config::load(file.as_deref(), environment(), &flags)?)
    }

    fn propose(&self, config: &Config, survey: Survey, outcome: pipeline::RunOutcome) -> Proposal {
        let (span, packets) = (outcome.span(), outcome.accounting().packets);
        let judged = outcome.judged;
        let mut sites = Vec::new();
        for site in judged.policy.sites() {
            let learned = !config.sites().iter().any(|known| known.name == site.name);
            let capacity = config.site.iter().find(|entry| entry.name == *site.name).and_then(|entry| entry.capacity);
            let served = judged.baselines.iter().filter(|baseline| baseline.site == site.name);
            let found = SiteFound {
                name: Arc::clone(&site.name),
                prefixes: site.prefixes.clone(),
                learned,
                peak_per_second: survey.peak(|address| site.prefixes.iter().any(|prefix| prefix.contains(address))),
                served_at_most: served.filter_map(|baseline| baseline.served_at_most).reduce(f64::max),
                capacity,
            };
            sites.extend(if learned { by_network(&found, &survey, &judged.baselines) } else { vec![found] });
        }
        let verified: u64 = survey.origins.values().sum();
        // A crowd that breaks out of the envelope is no attack, and the envelope too narrow for this site.
        let crowds = judged.alerts.iter().filter(|alert| alert.kind == AlertKind::Rush).count();
        let wider = if crowds > 0 { 0.5 } else { 0.0 };
        let home = judged.home.unwrap_or_else(|| crate::detect::engine::Home {
            countries: config.engine().home,
            how: "configured".to_owned(),
        });
        let found_home = home.countries.iter().take(1).copied().collect();
        Proposal {
            schema: SCHEMA,
            captures: self.captures.iter().map(|path| path.display().to_string()).collect(),
            start: span.map(|(start, _)| start),
            end: span.map(|(_, end)| end),
            packets,
            home,
            origins: survey.shares(verified),
            sites,
            baselines: judged.baselines,
            proxies: survey.heavy(config),
            closest: survey.closest(),
            alerts: judged.alerts,
            alert_at: judged.alert_at,
            false_alarms_per_week: config.false_alarms_per_week,
            envelope_width: config.envelope_width + wider,
            // Overseas codes come with home by themselves.
            home_written: if config.home.is_empty() { found_home } else { config.home.clone() },
            kept: kept(config),
        }
    }

    fn give(&self, config: &Config, proposal: &Proposal) -> anyhow::Result<()> {
        if let Some(path) = &self.output {
            write_whole(path, &proposal.configuration())?;
            // What was written must be right: this is what `vigie check` does.
            Config::load(Some(path), std::iter::empty(), &[])?;
        }
        let text = match config.format {
            Format::Json => format!("{}\n", serde_json::to_string(&Written::new(proposal))?),
            Format::Text => proposal.text(),
        };
        Stream::Output.print(&text)?;
        Ok(())
    }
}

/// The proposal with its configuration.
#[derive(serde::Serialize)]
struct Written<'a> {
    #[serde(flatten)]
    proposal: &'a Proposal,
    seconds: f64,
    reservations: Vec<String>,
    configuration: String,
}

impl<'a> Written<'a> {
    fn new(proposal: &'a Proposal) -> Self {
        Self {
            proposal,
            seconds: proposal.seconds(),
            reservations: proposal.reservations(),
            configuration: proposal.configuration(),
        }
    }
}

/// Settings that somebody chose before, except those that are proposed anew or that say where results go.
fn kept(config: &Config) -> Vec<String> {
    const OURS: [&str; 16] = [
        "home",
        "protect",
        "site",
        "event",
        "false_alarms_per_week",
        "envelope_width",
        "alerts",
        "report",
        "flows",
        "evidence",
        "metrics",
        "threads",
        "speed",
        "format",
        "fail_on_alert",
        "state",
    ];
    let chosen = |name: &str| !OURS.contains(&name) && *config.place(name) != Place::Default;
    config
        .values()
        .into_iter()
        .filter(|(name, _)| chosen(name))
        .map(|(name, value)| format!("{name} = {value}"))
        .collect()
}

/// Learned hosts as sites, one for each network: a name people can replace.
fn by_network(found: &SiteFound, survey: &Survey, baselines: &[Baseline]) -> Vec<SiteFound> {
    let mut networks: BTreeMap<Address, Vec<Prefix>> = BTreeMap::new();
    for prefix in &found.prefixes {
        networks.entry(prefix.network().network()).or_default().push(*prefix);
    }
    networks
        .into_iter()
        .map(|(network, prefixes)| {
            let hosts = baselines.iter().filter(|baseline| prefixes.contains(&baseline.prefix));
            SiteFound {
                name: format!("servers at {network}").into(),
                peak_per_second: survey.peak(|address| address.network() == network),
                served_at_most: hosts.filter_map(|baseline| baseline.served_at_most).reduce(|a, b| a + b),
                prefixes,
                ..found.clone()
            }
        })
        .collect()
}

/// What is noted beside what the pipeline itself remembers.
#[derive(Default)]
struct Survey {
    origins: BTreeMap<Country, u64>,
    sources: HashMap<Address, u64>,
    /// First SYNs of the ten seconds under way, by protected host.
    syns: BTreeMap<Address, u64>,
    /// Of each ten quiet seconds in which somebody came: first SYNs by host.
    quiet: Vec<BTreeMap<Address, u64>>,
    /// Warnings and criticals that are open.
    open: BTreeMap<String, Severity>,
    disturbed: bool,
    nearest: BTreeMap<(&'static str, Arc<str>), (f64, Timestamp)>,
}

/// Ten-second windows remembered: a week of them.
const MOST_WINDOWS: usize = 60_480;

/// Sources told apart.
const MOST_SOURCES: usize = 65_536;

/// What makes a source heavy: this part of at least so many connections.
const HEAVY_SHARE: f64 = 0.05;
const HEAVY_CONNECTIONS: u64 = 100;

impl Outlet for Survey {
    fn tick(&mut self, tick: &JudgedTick<'_>) {
        // Who made how many connections is asked of ordinary traffic only.
        let quiet = self.open.is_empty();
        for contact in
            tick.summary.contacts.iter().filter(|contact| contact.stage == ContactStage::Verified && contact.verified)
        {
            if matches!(tick.policy.direction(contact.originator, contact.responder), Direction::Inbound(_)) {
                *self.origins.entry(contact.country).or_default() += u64::from(contact.weight);
                let source = contact.originator.source_unit();
                if quiet && (self.sources.len() < MOST_SOURCES || self.sources.contains_key(&source)) {
                    *self.sources.entry(source).or_default() += u64::from(contact.weight);
                }
            }
        }
        for host in &tick.summary.hosts {
            if host.cohort.opened > 0 && tick.policy.site_of(host.address).is_some() {
                *self.syns.entry(host.address).or_default() += u64::from(host.cohort.opened);
            }
        }
        self.disturbed |= !self.open.is_empty();
        if tick.summary.tick.closes_period(40) {
            let syns = std::mem::take(&mut self.syns);
            if !self.disturbed && self.quiet.len() < MOST_WINDOWS {
                self.quiet.push(syns);
            }
            self.disturbed = false;
        }
        for score in &tick.output.scores {
            let nearest = self.nearest.entry((score.detector, Arc::clone(&score.site))).or_default();
            if score.ratio > nearest.0 {
                *nearest = (score.ratio, tick.summary.tick.end());
            }
        }
    }

    fn alert(&mut self, line: &Alert) {
        match line.event {
            Event::Close => drop(self.open.remove(&line.id)),
            _ if line.severity > Severity::Info => drop(self.open.insert(line.id.clone(), line.severity)),
            _ => {}
        }
    }

    fn flow(&mut self, _record: &FlowRecord, _policy: &Policy) {}
}

impl Survey {
    /// Returns the largest first SYNs a second over ten quiet seconds, of the hosts that `counts` together.
    fn peak(&self, counts: impl Fn(Address) -> bool) -> f64 {
        let sum = |window: &BTreeMap<Address, u64>| -> u64 {
            window.iter().filter(|(address, _)| counts(**address)).map(|(_, syns)| syns).sum()
        };
        self.quiet.iter().map(sum).max().unwrap_or(0) as f64 / 10.0
    }

    fn shares(&self, verified: u64) -> Vec<Share> {
        let mut shares: Vec<Share> = self
            .origins
            .iter()
            .map(|(country, connections)| Share {
                country: *country,
                connections: *connections,
                share: *connections as f64 / verified.max(1) as f64,
            })
            .collect();
        shares.sort_by_key(|share| (std::cmp::Reverse(share.connections), share.country));
        shares.truncate(10);
        shares
    }

    fn heavy(&self, config: &Config) -> Vec<Heavy> {
        let quiet: u64 = self.sources.values().sum();
        let mut heavy: Vec<Heavy> = self
            .sources
            .iter()
            .map(|(source, connections)| Heavy {
                source: *source,
                connections: *connections,
                share: *connections as f64 / quiet.max(1) as f64,
            })
            .filter(|heavy| heavy.share >= HEAVY_SHARE && heavy.connections >= HEAVY_CONNECTIONS)
            .filter(|heavy| !config.proxies.iter().any(|prefix| prefix.contains(heavy.source)))
            .collect();
        heavy.sort_by_key(|heavy| (std::cmp::Reverse(heavy.connections), heavy.source));
        heavy
    }

    fn closest(&self) -> Vec<Closest> {
        let mut closest: Vec<Closest> = self
            .nearest
            .iter()
            .map(|((detector, site), (ratio, at))| Closest { detector, site: Arc::clone(site), ratio: *ratio, at: *at })
            .collect();
        closest.sort_by(|a, b| b.ratio.total_cmp(&a.ratio).then(a.detector.cmp(b.detector)).then(a.site.cmp(&b.site)));
        closest
    }
}
