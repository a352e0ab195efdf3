//! What the user wants, from a file, the environment and flags, in one fallible step that reports every mistake at once.
//!
//! A flag beats a variable, a variable beats the file, the file beats the default. Each module owns its own settings and
//! their defaults; this one composes them. Knows neither clap nor threads.

mod compose;
mod countries;
mod file;
mod http;
mod keys;
mod mistakes;
mod mutes;
mod reload;
mod schedule;
mod secrets;
mod sinks;
mod sites;
mod suggest;
mod value;
mod words;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::address::Prefix;
use crate::alert;
use crate::alert::text::Language;
use crate::country::Country;
use crate::export::privacy::Privacy;
use crate::flow::Timeouts;
use crate::policy::Site;

pub use http::HttpEntry;
pub use mistakes::{Mistake, Mistakes, Place};
pub use mutes::MuteEntry;
pub use reload::Changes;
pub use schedule::{Day, EventEntry, Holidays, Written, Zone};
pub use secrets::Kept;
pub use sinks::{SinkEntry, SinkType};
pub use sites::{Protected, SiteEntry};
pub use words::{Endpoint, Format, Overseas, Speed};

#[cfg(test)]
mod tests;

use keys::{KEYS, Key};
use value::{Complaints, Item, Value};

/// Every setting of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Domestic countries as written; empty: decided from verified clients.
    pub home: Vec<Country>,
    /// Which overseas codes belong to home.
    pub overseas: Overseas,
    /// What is defended.
    pub protect: Vec<Protected>,
    /// More about sites.
    pub site: Vec<SiteEntry>,
    /// Countries abroad that are near, such as neighbours.
    pub near: Vec<Country>,
    /// Prefixes of proxies, CDNs and load balancers.
    pub proxies: Vec<Prefix>,
    /// Where the users live: their time zone.
    pub timezone: Zone,
    /// Days on which they are free.
    pub holidays: Vec<Holidays>,
    /// Days of the week on which they are free.
    pub weekend: Vec<Day>,
    /// Days of the week that end early.
    pub short_days: Vec<Day>,
    /// Declared events.
    pub event: Vec<EventEntry>,
    /// Width of the envelope of volume, in spreads.
    pub envelope_width: f64,
    /// Entries of the servers' SYN queue.
    pub backlog: u32,
    /// Warnings and criticals a week that chance may cause.
    pub false_alarms_per_week: f64,
    /// Countries of prefixes that no table knows right.
    pub origin: Vec<(Prefix, Country)>,
    /// MaxMind-format table of countries.
    pub geo: Option<PathBuf>,
    /// MaxMind-format table of autonomous systems.
    pub asn: Option<PathBuf>,
    /// Where alert lines go; `-` is standard output.
    pub alerts: Option<PathBuf>,
    /// Where the report goes.
    pub report: Option<PathBuf>,
    /// Where flow records go.
    pub flows: Option<PathBuf>,
    /// Where evidence goes.
    pub evidence: Option<PathBuf>,
    /// Memory for the frames that it may need, in MiB.
    pub evidence_memory_mib: u32,
    /// Most MiB of a file of evidence.
    pub evidence_file_mib: u32,
    /// Most files of evidence; the oldest make room.
    pub evidence_files: NonZeroUsize,
    /// Most bytes kept of a frame as evidence.
    pub evidence_snap_bytes: u16,
    /// Where metrics are served; `None` leaves it to the command.
    pub metrics: Option<Endpoint>,
    /// Who may read what is served there.
    pub http: HttpEntry,
    /// How much of an address is shown.
    pub privacy: Privacy,
    /// Threads.
    pub threads: NonZeroUsize,
    /// Entries of the flow table, all shards together.
    pub flow_capacity: usize,
    /// Conversations of which the first packets are remembered until they are flows.
    pub pending_capacity: usize,
    /// Handshakes followed at once.
    pub cohort_capacity: usize,
    /// Whether tables are resident from the start instead of from their first use; live ones are unless told otherwise.
    pub touch_memory: Option<bool>,
    /// Protected hosts that each of the 64 partitions counts one by one.
    pub host_places: usize,
    /// When silent flows end.
    pub timeouts: Timeouts,
    /// When alerts speak and stop.
    pub alert: alert::Settings,
    /// How fast a capture is replayed.
    pub speed: Speed,
    /// What is printed at the end.
    pub format: Format,
    /// In which language the report and the live page are written.
    pub lang: Language,
    /// Whether a warning or critical alert makes the exit code 1.
    pub fail_on_alert: bool,
    /// Capture ring of each interface, in MiB.
    pub ring_size_mib: u32,
    /// File that holds the key of all tables, 32 hexadecimal digits.
    pub seed_file: Option<PathBuf>,
    /// Directory that keeps what was learned.
    pub state: Option<PathBuf>,
    /// How often it is saved while running live.
    pub state_every: Duration,
    /// Who is told of alerts, beside the file.
    pub sink: Vec<SinkEntry>,
    /// What they are not told of.
    pub mute: Vec<MuteEntry>,
    /// Directory in which undelivered alerts wait; one in `state` where none is named.
    pub spool: Option<PathBuf>,

    places: BTreeMap<&'static str, Place>,
}

impl Config {
    /// The most threads that may be asked for: a shard owns whole partitions, and there are 64.
    pub const MAX_THREADS: usize = crate::hash::PARTITIONS;

    /// Returns the threads for so many cores where nobody asked for a number: one that captures, and for each core one that
    /// counts, since counting costs more than reading where flows are new. A single core has one thread for everything.
    #[must_use]
    pub fn threads_for(cores: NonZeroUsize) -> NonZeroUsize {
        match cores.get() {
            1 => cores,
            several => NonZeroUsize::new(several.saturating_add(1).min(Self::MAX_THREADS)).unwrap_or(cores),
        }
    }

    /// Reads file, environment and flags, in the order in which they beat each other.
    ///
    /// # Errors
    /// Every mistake found, each with its place and what to write instead.
    pub fn load(
        path: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: &[Given],
    ) -> Result<Self, Mistakes> {
        let mut config = Self::default();
        let mut mistakes = Vec::new();
        if let Some(path) = path {
            config.take_file(path, &mut mistakes);
        }
        config.take_environment(environment, &mut mistakes);
        for given in flags {
            config.take_flag(given, &mut mistakes);
        }
        config.compose_sites(&mut mistakes);
        config.check_events(&mut mistakes);
        if mistakes.is_empty() { Ok(config) } else { Err(Mistakes(mistakes)) }
    }

    fn take_file(&mut self, path: &Path, mistakes: &mut Vec<Mistake>) {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                let place = Place::File { path: path.to_owned(), line: 1 };
                mistakes.push(Mistake { place, text: format!("the file cannot be read: {error}") });
                return;
            }
        };
        let before = mistakes.len();
        for (name, item) in file::read(path, &text, mistakes) {
            let place = |line: Option<usize>| Place::File { path: path.to_owned(), line: line.unwrap_or(1) };
            let Value::Text(written) = &name.value else { continue };
            match key(written) {
                Some(key) => self.take(key, &item, &place(name.line), place, mistakes),
                None => {
                    let text = value::unknown_key(written, KEYS.iter().map(|key| key.name));
                    mistakes.push(Mistake { place: place(name.line), text });
                }
            }
        }
        mistakes[before..].sort_by_key(|mistake| mistake.place.line());
    }

    /// Takes the variables it knows. A `VIGIE_` variable that is nearly one of them is a mistake; others are not ours.
    fn take_environment(
        &mut self,
        environment: impl IntoIterator<Item = (String, String)>,
        mistakes: &mut Vec<Mistake>,
    ) {
        let mut variables: Vec<(String, String)> =
            environment.into_iter().filter(|(name, _)| name.starts_with("VIGIE_")).collect();
        variables.sort();
        for (name, text) in variables {
            let place = Place::Environment(name.clone());
            if let Some(key) = KEYS.iter().find(|key| key.variable == Some(name.as_str())) {
                self.take(key, &Item::text(&text), &place, |_| place.clone(), mistakes);
            } else if let Some(near) = nearly_a_variable(&name) {
                mistakes.push(Mistake { place, text: format!("nothing reads this variable: did you mean {near}?") });
            }
        }
    }

    fn take_flag(&mut self, given: &Given, mistakes: &mut Vec<Mistake>) {
        let place = Place::Flag(given.flag);
        if let Some(key) = key(given.key) {
            let item = match given.values.as_slice() {
                [one] => Item::text(one),
                several => {
                    Item { line: None, value: Value::List(several.iter().map(|text| Item::text(text)).collect()) }
                }
            };
            self.take(key, &item, &place, |_| place.clone(), mistakes);
        }
    }

    fn take(
        &mut self,
        key: &Key,
        item: &Item,
        place: &Place,
        place_of: impl Fn(Option<usize>) -> Place,
        mistakes: &mut Vec<Mistake>,
    ) {
        let mut complaints = Complaints::new();
        (key.set)(self, item, &mut complaints);
        self.places.insert(key.name, place.clone());
        mistakes.extend(
            complaints.into_iter().map(|complaint| Mistake { place: place_of(complaint.line), text: complaint.text }),
        );
    }

    fn compose_sites(&self, mistakes: &mut Vec<Mistake>) -> Vec<Site> {
        sites::compose(&self.protect, &self.site, (self.place("protect"), self.place("site")), mistakes)
    }

    /// An event at a site that is not there would raise nothing.
    fn check_events(&self, mistakes: &mut Vec<Mistake>) {
        let sites = self.sites();
        for event in &self.event {
            if let Some(name) = event.site.as_deref().filter(|name| !sites.iter().any(|site| &*site.name == *name)) {
                let text =
                    format!("the event's site `{name}` is not protected: write a site's name, or no site for all");
                mistakes.push(Mistake { place: self.place("event").clone(), text });
            }
            let zone = self.timezone.zone();
            if event.end.at(&zone) <= event.start.at(&zone) {
                let text = format!("the event ends at {}, not after its start {}", event.end, event.start);
                mistakes.push(Mistake { place: self.place("event").clone(), text });
            }
        }
    }

    /// Returns what is protected, as sites.
    #[must_use]
    pub fn sites(&self) -> Vec<Site> {
        self.compose_sites(&mut Vec::new())
    }

    /// Returns where a setting came from.
    #[must_use]
    pub fn place(&self, name: &str) -> &Place {
        self.places.get(name).unwrap_or(&Place::Default)
    }

    /// Writes every effective value as a configuration file, each with the place it came from.
    #[must_use]
    pub fn print(&self) -> String {
        let mut text = String::new();
        for key in KEYS {
            let line = match (key.show)(self) {
                Some(value) => format!("{} = {value}", key.name),
                None => format!("# {} is not set", key.name),
            };
            let _ = writeln!(text, "{line:<48} # {}", self.place(key.name));
        }
        text
    }

    /// Returns the name and the value of every setting that has one, as TOML. Sinks and what protects the
    /// endpoint are left out: they play no part in what is found, and are nothing for a report that is passed around.
    #[must_use]
    pub fn values(&self) -> Vec<(String, String)> {
        KEYS.iter()
            .filter(|key| !matches!(key.name, "sink" | "spool" | "http"))
            .filter_map(|key| Some((key.name.to_owned(), (key.show)(self)?)))
            .collect()
    }
}

impl Default for Config {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let engine = crate::detect::engine::Settings::default();
        let shard = crate::summary::ShardSettings::default();
        Self {
            home: Vec::new(),
            overseas: Overseas::Included,
            protect: Vec::new(),
            site: Vec::new(),
            near: Vec::new(),
            proxies: Vec::new(),
            timezone: Zone::default(),
            holidays: Vec::new(),
            weekend: engine.calendar.weekend.iter().copied().map(Day).collect(),
            short_days: engine.calendar.short_days.iter().copied().map(Day).collect(),
            event: Vec::new(),
            envelope_width: engine.envelope_width,
            backlog: engine.backlog,
            false_alarms_per_week: engine.false_alarms_per_week,
            origin: Vec::new(),
            geo: None,
            asn: None,
            alerts: None,
            report: None,
            flows: None,
            evidence: None,
            evidence_memory_mib: 64,
            evidence_file_mib: 16,
            evidence_files: NonZeroUsize::new(64).expect("64 is not 0"),
            evidence_snap_bytes: 256,
            metrics: None,
            http: HttpEntry::default(),
            privacy: Privacy::default(),
            threads: Self::threads_for(cores),
            flow_capacity: shard.flow_capacity,
            pending_capacity: shard.pending_capacity,
            cohort_capacity: shard.cohort_capacity,
            touch_memory: None,
            host_places: shard.host_places,
            timeouts: shard.timeouts,
            alert: alert::Settings::default(),
            speed: Speed::Max,
            format: Format::Text,
            lang: Language::English,
            fail_on_alert: false,
            ring_size_mib: crate::source::live::Settings::default().ring_bytes >> 20,
            seed_file: None,
            state: None,
            state_every: Duration::from_secs(300),
            sink: Vec::new(),
            mute: Vec::new(),
            spool: None,
            places: BTreeMap::new(),
        }
    }
}

/// The variable that names the configuration file.
pub const CONFIG_VARIABLE: &str = "VIGIE_CONFIG";

/// The variable that says in detail what is logged.
pub const LOG_VARIABLE: &str = "VIGIE_LOG";

/// A flag as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The setting's name.
    pub key: &'static str,
    /// The flag as users type it, such as `--home`.
    pub flag: &'static str,
    /// What was written; several where the flag may be repeated.
    pub values: Vec<String>,
}

/// Returns the variable that was probably meant: what differs in more than two letters is not ours.
fn nearly_a_variable(name: &str) -> Option<&'static str> {
    let known = KEYS.iter().filter_map(|key| key.variable);
    known
        .filter(|_| ![CONFIG_VARIABLE, LOG_VARIABLE].contains(&name))
        .find(|variable| suggest::distance(variable, name) <= 2)
}

fn key(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}
