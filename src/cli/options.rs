//! Options that several commands share, as typed, and how they become settings.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use crate::config::{CONFIG_VARIABLE, Config, Given};

/// What is looked for, and where results go.
#[derive(Debug, Default, Args)]
pub(super) struct Options {
    /// Configuration file (TOML).
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Countries counted as domestic, ISO 3166-1 codes; repeatable. Decided from verified clients unless given.
    #[arg(long, value_name = "CC[,CC]", help_heading = "What is defended")]
    home: Vec<String>,

    /// A prefix to defend, IPv4 or IPv6, with the site it belongs to; repeatable. Decided from traffic unless given.
    #[arg(long, value_name = "CIDR[=NAME]", help_heading = "What is defended")]
    protect: Vec<String>,

    /// MaxMind-format file of countries, instead of the embedded table.
    #[arg(long, value_name = "FILE.mmdb", help_heading = "What is defended")]
    geo: Option<String>,

    /// MaxMind-format file of autonomous systems.
    #[arg(long, value_name = "FILE.mmdb", help_heading = "What is defended")]
    asn: Option<String>,

    /// Write alerts as JSON lines; - is standard output, and the summary then goes to standard error.
    #[arg(long, value_name = "PATH", help_heading = "Results")]
    alerts: Option<String>,

    /// Write a self-contained report.
    #[arg(long, value_name = "FILE.html", help_heading = "Results")]
    report: Option<String>,

    /// Write flow records; the ending says how: .jsonl, .csv or .parquet.
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    flows: Option<String>,

    /// Keep packets: for each alert, warning or worse, a pcapng file with what came up to 10 s before it and during it.
    #[arg(long, value_name = "DIR", help_heading = "Results")]
    evidence: Option<String>,

    /// Serve metrics, health, alerts and a live page over HTTP at this address, or `off` [watch: 127.0.0.1:9477].
    /// `:9477` is every address of this machine: see [http] in the configuration.
    #[arg(long, value_name = "ADDR", help_heading = "Results")]
    metrics: Option<String>,

    /// What is printed at the end: text or json [default: text].
    #[arg(long, value_name = "FORMAT", help_heading = "Results")]
    format: Option<String>,

    /// Language of the report and the live page: en or fr [default: en].
    #[arg(long, value_name = "LANG", help_heading = "Results")]
    lang: Option<String>,

    /// Exit with 1 if a warning or critical alert opened.
    #[arg(long, help_heading = "Results")]
    fail_on_alert: bool,

    /// Threads that capture and count [default: one more than cores; 1 on one core]. Alerts do not depend on it.
    #[arg(long, value_name = "N", help_heading = "Running")]
    threads: Option<String>,

    /// Directory that keeps what was learned of usual traffic: read at the start, written at the end and while watching.
    #[arg(long, value_name = "DIR", help_heading = "Running")]
    state: Option<String>,

    /// File with the key of all hash tables, 32 hexadecimal digits, to repeat a live run exactly.
    #[arg(long, value_name = "FILE", help_heading = "Running")]
    seed_file: Option<String>,
}

impl Options {
    /// Reads file, environment and flags; `more` are the command's own.
    ///
    /// # Errors
    /// Every mistake, one a line.
    pub(super) fn load(&self, more: impl IntoIterator<Item = Given>) -> anyhow::Result<Config> {
        let flags: Vec<Given> = self.given().into_iter().chain(more).collect();
        Ok(Config::load(self.file().as_deref(), environment(), &flags)?)
    }

    /// Returns the configuration file in use.
    pub(super) fn file(&self) -> Option<PathBuf> {
        self.config.clone().or_else(|| std::env::var_os(CONFIG_VARIABLE).map(PathBuf::from))
    }

    fn given(&self) -> Vec<Given> {
        let mut given: Vec<Given> = [
            ("geo", "--geo", &self.geo),
            ("asn", "--asn", &self.asn),
            ("alerts", "--alerts", &self.alerts),
            ("report", "--report", &self.report),
            ("flows", "--flows", &self.flows),
            ("evidence", "--evidence", &self.evidence),
            ("metrics", "--metrics", &self.metrics),
            ("format", "--format", &self.format),
            ("lang", "--lang", &self.lang),
            ("threads", "--threads", &self.threads),
            ("state", "--state", &self.state),
            ("seed_file", "--seed-file", &self.seed_file),
        ]
        .into_iter()
        .filter_map(|(key, flag, value)| one(key, flag, value.as_ref()))
        .collect();
        if !self.home.is_empty() {
            given.push(Given { key: "home", flag: "--home", values: vec![self.home.join(",")] });
        }
        if !self.protect.is_empty() {
            given.push(Given { key: "protect", flag: "--protect", values: self.protect.clone() });
        }
        if self.fail_on_alert {
            given.push(Given { key: "fail_on_alert", flag: "--fail-on-alert", values: vec!["true".to_owned()] });
        }
        given
    }
}

/// Takes a flag that was given once.
pub(super) fn one(key: &'static str, flag: &'static str, value: Option<&String>) -> Option<Given> {
    value.map(|value| Given { key, flag, values: vec![value.clone()] })
}

/// Returns the environment as text; what is not text cannot be a setting.
pub(super) fn environment() -> impl Iterator<Item = (String, String)> {
    let text = |text: OsString| text.into_string().ok();
    std::env::vars_os().filter_map(move |(name, value)| Some((text(name)?, text(value)?)))
}
