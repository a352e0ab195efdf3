//! What `calibrate` proposes for a network: its usual traffic, and a configuration that follows from it.

use std::fmt::Write as _;
use std::sync::Arc;

use serde::Serialize;

use crate::address::{Address, Prefix};
use crate::alert::Alert;
use crate::country::Country;
use crate::detect::engine::{Baseline, Home};
use crate::detect::finding::FigureName;
use crate::kind::Severity;
use crate::time::Timestamp;

/// Version of the object's shape.
pub const SCHEMA: &str = "vigie.calibration/1";

/// A capture shorter than this is a first guess: an hour.
const SHORT_SECONDS: f64 = 3_600.0;

/// How far above the largest quiet rate the expected peak of a site is put.
const PEAK_MARGIN: f64 = 2.0;

/// All that was found.
#[derive(Clone, Debug, Serialize)]
pub struct Proposal {
    /// `vigie.calibration/1`.
    pub schema: &'static str,
    /// The captures, as given.
    pub captures: Vec<String>,
    /// First frame.
    pub start: Option<Timestamp>,
    /// Last frame.
    pub end: Option<Timestamp>,
    /// Frames.
    pub packets: u64,
    /// Where home is and how that was found.
    pub home: Home,
    /// Home as it is to be written: overseas codes come by themselves.
    pub home_written: Vec<Country>,
    /// Verified inbound connections by country, the most first, at most ten.
    pub origins: Vec<Share>,
    /// What is protected.
    pub sites: Vec<SiteFound>,
    /// What is usual.
    pub baselines: Vec<Baseline>,
    /// Sources that carry so much that many people may be behind them.
    pub proxies: Vec<Heavy>,
    /// How near each detector came to its line, the nearest first.
    pub closest: Vec<Closest>,
    /// What fired: closing lines.
    pub alerts: Vec<Alert>,
    /// The line of tests of a subject, in decades.
    pub alert_at: f64,
    /// False alarms a week that it stands for.
    pub false_alarms_per_week: f64,
    /// Proposed width of the envelope of volume.
    pub envelope_width: f64,
    /// Settings that were configured already, as TOML lines.
    pub kept: Vec<String>,
}

/// Part of the verified connections.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Share {
    /// Where they come from.
    pub country: Country,
    /// Connections.
    pub connections: u64,
    /// Their share, 0 to 1.
    pub share: f64,
}

/// Packets a second below which a host is usually idle.
const IDLE: f64 = 0.5;

fn is_busy(baseline: &Baseline) -> bool {
    baseline.is_site
        || baseline.rates.iter().any(|usual| usual.name == FigureName::PacketsPerSecond && usual.usual >= IDLE)
}

/// A site.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SiteFound {
    /// Its name.
    pub name: Arc<str>,
    /// What belongs to it.
    pub prefixes: Vec<Prefix>,
    /// It was found in traffic.
    pub learned: bool,
    /// Largest first SYNs a second over ten quiet seconds.
    pub peak_per_second: f64,
    /// Largest served connections a second in good health.
    pub served_at_most: Option<f64>,
    /// Capacity that was configured.
    pub capacity: Option<f64>,
}

/// A heavy source.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Heavy {
    /// The source: a host, or a /64.
    pub source: Address,
    /// Verified connections.
    pub connections: u64,
    /// Their share of all.
    pub share: f64,
}

/// How near a detector came.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Closest {
    /// The detector.
    pub detector: &'static str,
    /// The site.
    pub site: Arc<str>,
    /// Its largest alarm ratio: 1 is the line.
    pub ratio: f64,
    /// When.
    pub at: Timestamp,
}

impl Proposal {
    /// Returns the length of the captures in seconds.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.start.zip(self.end).map_or(0.0, |(start, end)| end.since(start).as_secs_f64())
    }

    /// Returns what the reader should know before using it, a sentence each.
    #[must_use]
    pub fn reservations(&self) -> Vec<String> {
        let mut told = Vec::new();
        if self.packets == 0 {
            told.push("There was nothing in the captures: nothing can be proposed.".to_owned());
            return told;
        }
        if self.baselines.iter().all(|baseline| baseline.rates.is_empty()) {
            told.push(
                "Usual rates need three minutes of traffic to a protected host: give a longer capture, or --protect."
                    .to_owned(),
            );
        } else if self.seconds() < SHORT_SECONDS {
            told.push(
                "Less than an hour: a first guess. A working day with its busiest hour gives limits that hold."
                    .to_owned(),
            );
        }
        let loud = self.alerts.iter().filter(|alert| alert.severity > Severity::Info).count();
        if loud > 0 {
            told.push(format!("The captures are not quiet: {loud} alerts of severity warning or critical. What came while they were open was left out of the limits; if they were false, read why below."));
        }
        if self.home.countries.is_empty() {
            told.push(format!("Home is {}.", self.home.how));
        }
        told
    }

    /// Writes the configuration.
    #[must_use]
    pub fn configuration(&self) -> String {
        let mut text = String::from("# Proposed by vigie calibrate");
        if let (Some(start), Some(end)) = (self.start, self.end) {
            let _ = write!(text, " from traffic of {start} to {end}");
        }
        text.push_str(".\n");
        for line in self.reservations() {
            let _ = writeln!(text, "# {line}");
        }
        let home: Vec<String> = self.home_written.iter().map(|country| format!("\"{country}\"")).collect();
        if home.is_empty() {
            text.push_str("# home = [\"FR\"]\n");
        } else {
            let _ = writeln!(text, "home = [{}]", home.join(", "));
        }
        let _ = writeln!(text, "false_alarms_per_week = {}", self.false_alarms_per_week);
        let _ = writeln!(text, "envelope_width = {}", self.envelope_width);
        for heavy in &self.proxies {
            let percent = 100.0 * heavy.share;
            let length = if heavy.source.is_ipv4() { 32 } else { 64 };
            let prefix = format!("{}/{length}", heavy.source);
            let _ =
                writeln!(text, "# If this is a proxy, a NAT or a health checker ({percent:.0} % of all connections):");
            let _ = writeln!(text, "# proxies = [\"{prefix}\"]");
        }
        for line in &self.kept {
            let _ = writeln!(text, "{line}");
        }
        for site in &self.sites {
            self.write_site(&mut text, site);
        }
        text
    }

    fn write_site(&self, text: &mut String, site: &SiteFound) {
        let prefixes: Vec<String> = site.prefixes.iter().map(|prefix| format!("\"{prefix}\"")).collect();
        let _ = writeln!(text, "\n[[site]]");
        let _ = writeln!(text, "name = {:?}", &*site.name);
        let _ = writeln!(text, "prefixes = [{}]", prefixes.join(", "));
        if site.peak_per_second > 0.0 {
            let _ = writeln!(text, "expected_peak = {}", (PEAK_MARGIN * site.peak_per_second).ceil());
        }
        match (site.capacity, site.served_at_most) {
            (Some(capacity), _) => {
                let _ = writeln!(text, "capacity = {capacity}");
            }
            (None, Some(served)) => {
                let _ = writeln!(
                    text,
                    "# capacity = {:.0} # served in good health; write what a load test has shown",
                    served.ceil()
                );
            }
            (None, None) => {}
        }
    }

    /// Writes everything for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "{}: {} packets in {}", self.captures.join(", "), self.packets, length(self.seconds()));
        for line in self.reservations() {
            let _ = writeln!(text, "  {line}");
        }
        self.write_usual(&mut text);
        self.write_origins(&mut text);
        self.write_nearness(&mut text);
        let _ = writeln!(text, "\nConfiguration that follows from this (-o FILE writes it):\n");
        for line in self.configuration().lines() {
            let _ = writeln!(text, "  {line}");
        }
        text
    }

    fn write_usual(&self, text: &mut String) {
        if self.baselines.iter().all(|baseline| baseline.rates.is_empty()) {
            return;
        }
        let _ = writeln!(text, "\nUsual a second, and usual at most in brackets");
        let _ = writeln!(
            text,
            "  {:<28} {:>16} {:>16} {:>16} {:>16} {:>20}",
            "", "first SYNs", "verified", "served", "from abroad", "packets"
        );
        let (busy, idle): (Vec<&Baseline>, Vec<&Baseline>) =
            self.baselines.iter().filter(|baseline| !baseline.rates.is_empty()).partition(|baseline| is_busy(baseline));
        for baseline in &busy {
            let name =
                if baseline.is_site { format!("{} (all)", baseline.site) } else { format!("  {}", baseline.prefix) };
            let _ = write!(text, "  {name:<28}");
            let columns = [
                (FigureName::FirstSynsPerSecond, 16),
                (FigureName::VerifiedPerSecond, 16),
                (FigureName::ServedPerSecond, 16),
                (FigureName::ForeignPerSecond, 16),
                (FigureName::PacketsPerSecond, 20),
            ];
            for (name, width) in columns {
                let usual = baseline.rates.iter().find(|usual| usual.name == name);
                let cell = usual
                    .map_or_else(|| "-".to_owned(), |usual| format!("{} ({})", rate(usual.usual), rate(usual.at_most)));
                let _ = write!(text, " {cell:>width$}");
            }
            text.push('\n');
        }
        if !idle.is_empty() {
            let _ = writeln!(text, "  and {} hosts that are usually idle", idle.len());
        }
        for site in &self.sites {
            let served = site
                .served_at_most
                .map_or_else(|| "nothing".to_owned(), |served| format!("{} connections a second", rate(served)));
            let _ = writeln!(
                text,
                "  {} served {served} at most, and saw {} first SYNs a second in its busiest quiet ten seconds.",
                site.name,
                rate(site.peak_per_second)
            );
        }
    }

    fn write_origins(&self, text: &mut String) {
        if !self.origins.is_empty() {
            let shares: Vec<String> =
                self.origins.iter().map(|share| format!("{} {:.1} %", share.country, 100.0 * share.share)).collect();
            let _ = writeln!(
                text,
                "\nVerified clients come from {}. Home is {}.",
                shares.join(", "),
                home_words(&self.home)
            );
        }
        for heavy in &self.proxies {
            let _ = writeln!(
                text,
                "  {} made {} of them, {:.0} %: a proxy, a NAT or a health checker, or an attacker.",
                heavy.source,
                heavy.connections,
                100.0 * heavy.share
            );
        }
    }

    fn write_nearness(&self, text: &mut String) {
        let budget = self.false_alarms_per_week;
        let _ = writeln!(
            text,
            "\nThe alert line is {:.1} decades: at most {budget} false {} a week over 256 hosts.",
            self.alert_at,
            if budget == 1.0 { "alarm" } else { "alarms" }
        );
        for closest in self.closest.iter().take(8) {
            let _ = writeln!(
                text,
                "  {:<22} came to {:>4.0} % of its line at {}, {}",
                closest.detector,
                100.0 * closest.ratio,
                closest.site,
                closest.at
            );
        }
        if self.alerts.is_empty() {
            let _ = writeln!(text, "With the settings in force nothing fired.");
        } else {
            let _ = writeln!(text, "With the settings in force {} alerts opened:", self.alerts.len());
            for alert in &self.alerts {
                let _ = writeln!(text, "  {} {} {}: {}", alert.started_at, alert.severity, alert.kind, alert.why);
            }
        }
    }
}

fn home_words(home: &Home) -> String {
    let codes: Vec<String> = home.countries.iter().take(3).map(ToString::to_string).collect();
    match codes.len() {
        0 => home.how.clone(),
        n if n < home.countries.len() => format!("{} and its overseas codes ({})", codes[0], home.how),
        _ => format!("{} ({})", codes.join(", "), home.how),
    }
}

fn rate(value: f64) -> String {
    if value >= 10.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

fn length(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} minutes", s / 60.0),
        s => format!("{:.1} hours", s / 3_600.0),
    }
}
