//! The one table of settings: the name of each, its variable, how it is read, how it is shown.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use super::countries::Assigned;
use super::http::HttpEntry;
use super::mutes::MuteEntry;
use super::schedule::EventEntry;
use super::sinks::SinkEntry;
use super::sites::{Protected, SiteEntry};
use super::value::{Complaints, Item, Value};
use super::words::LANGUAGES;
use super::{Config, Endpoint, Format, Overseas, Speed};
use crate::address::Prefix;
use crate::country::Country;
use crate::export::privacy::Privacy;

/// A setting.
pub(super) struct Key {
    /// Its name in the file.
    pub(super) name: &'static str,
    /// Its environment variable; none for what only a file can say.
    pub(super) variable: Option<&'static str>,
    /// Reads it. What cannot be read is complained of and leaves the setting as it was.
    pub(super) set: fn(&mut Config, &Item, &mut Complaints),
    /// Shows it as TOML; `None` when it has no value.
    pub(super) show: fn(&Config) -> Option<String>,
}

/// Every setting, in the order in which they are printed.
pub(super) const KEYS: &[Key] = &[
    Key {
        name: "home",
        variable: Some("VIGIE_HOME"),
        set: |config, item, complaints| config.home = countries(item, complaints),
        show: |config| Some(list(&config.home)),
    },
    Key {
        name: "overseas",
        variable: Some("VIGIE_OVERSEAS"),
        set: |config, item, complaints| set(&mut config.overseas, overseas(item, complaints)),
        show: |config| {
            Some(match &config.overseas {
                Overseas::Included => "true".to_owned(),
                Overseas::Excluded => "false".to_owned(),
                Overseas::Only(countries) => list(countries),
            })
        },
    },
    Key {
        name: "near",
        variable: Some("VIGIE_NEAR"),
        set: |config, item, complaints| config.near = countries(item, complaints),
        show: |config| Some(list(&config.near)),
    },
    Key {
        name: "protect",
        variable: Some("VIGIE_PROTECT"),
        set: |config, item, complaints| config.protect = Protected::read(item, complaints),
        show: |config| {
            Some(list(config.protect.iter().map(|protected| format!("{}={}", protected.prefix, protected.name))))
        },
    },
    Key {
        name: "site",
        variable: None,
        set: |config, item, complaints| config.site = SiteEntry::read(item, complaints),
        show: |config| (!config.site.is_empty()).then(|| sites(&config.site)),
    },
    Key {
        name: "proxies",
        variable: Some("VIGIE_PROXIES"),
        set: |config, item, complaints| config.proxies = item.as_each("a prefix such as 198.51.100.0/24", complaints),
        show: |config| Some(list(&config.proxies)),
    },
    Key {
        name: "timezone",
        variable: Some("VIGIE_TIMEZONE"),
        set: |config, item, complaints| {
            set(&mut config.timezone, item.as_each("a time zone such as Europe/Paris", complaints).pop());
        },
        show: |config| Some(quote(&config.timezone.to_string())),
    },
    Key {
        name: "holidays",
        variable: Some("VIGIE_HOLIDAYS"),
        set: |config, item, complaints| config.holidays = item.as_each("a day such as 2026-11-11", complaints),
        show: |config| Some(list(&config.holidays)),
    },
    Key {
        name: "weekend",
        variable: Some("VIGIE_WEEKEND"),
        set: |config, item, complaints| config.weekend = item.as_each("a day such as sunday", complaints),
        show: |config| Some(list(&config.weekend)),
    },
    Key {
        name: "short_days",
        variable: Some("VIGIE_SHORT_DAYS"),
        set: |config, item, complaints| config.short_days = item.as_each("a day such as wednesday", complaints),
        show: |config| Some(list(&config.short_days)),
    },
    Key {
        name: "event",
        variable: None,
        set: |config, item, complaints| config.event = EventEntry::read(item, complaints),
        show: |config| (!config.event.is_empty()).then(|| events(&config.event)),
    },
    Key {
        name: "envelope_width",
        variable: Some("VIGIE_ENVELOPE_WIDTH"),
        set: |config, item, complaints| {
            set(&mut config.envelope_width, item.as_number("a width in spreads", 2.0, 10.0, complaints));
        },
        show: |config| Some(config.envelope_width.to_string()),
    },
    Key {
        name: "backlog",
        variable: Some("VIGIE_BACKLOG"),
        set: |config, item, complaints| {
            set(&mut config.backlog, item.as_number("a number of SYN queue entries", 1, 16_777_216, complaints));
        },
        show: |config| Some(config.backlog.to_string()),
    },
    Key {
        name: "false_alarms_per_week",
        variable: Some("VIGIE_FALSE_ALARMS_PER_WEEK"),
        set: |config, item, complaints| {
            set(&mut config.false_alarms_per_week, item.as_number("a number of alarms", 0.001, 1_000.0, complaints));
        },
        show: |config| Some(config.false_alarms_per_week.to_string()),
    },
    Key {
        name: "origin",
        variable: None,
        set: |config, item, complaints| config.origin = origins(item, complaints),
        show: |config| (!config.origin.is_empty()).then(|| table(&config.origin)),
    },
    Key {
        name: "geo",
        variable: Some("VIGIE_GEO"),
        set: |config, item, complaints| set_path(&mut config.geo, item, complaints),
        show: |config| path(config.geo.as_ref()),
    },
    Key {
        name: "asn",
        variable: Some("VIGIE_ASN"),
        set: |config, item, complaints| set_path(&mut config.asn, item, complaints),
        show: |config| path(config.asn.as_ref()),
    },
    Key {
        name: "alerts",
        variable: Some("VIGIE_ALERTS"),
        set: |config, item, complaints| set_path(&mut config.alerts, item, complaints),
        show: |config| path(config.alerts.as_ref()),
    },
    Key {
        name: "report",
        variable: Some("VIGIE_REPORT"),
        set: |config, item, complaints| set_path(&mut config.report, item, complaints),
        show: |config| path(config.report.as_ref()),
    },
    Key {
        name: "flows",
        variable: Some("VIGIE_FLOWS"),
        set: |config, item, complaints| set_path(&mut config.flows, item, complaints),
        show: |config| path(config.flows.as_ref()),
    },
    Key {
        name: "evidence",
        variable: Some("VIGIE_EVIDENCE"),
        set: |config, item, complaints| set_path(&mut config.evidence, item, complaints),
        show: |config| path(config.evidence.as_ref()),
    },
    Key {
        name: "evidence_memory",
        variable: Some("VIGIE_EVIDENCE_MEMORY"),
        set: |config, item, complaints| {
            set(&mut config.evidence_memory_mib, item.as_number("a size in MiB", 4, 65_536, complaints));
        },
        show: |config| Some(config.evidence_memory_mib.to_string()),
    },
    Key {
        name: "evidence_file_size",
        variable: Some("VIGIE_EVIDENCE_FILE_SIZE"),
        set: |config, item, complaints| {
            set(&mut config.evidence_file_mib, item.as_number("a size in MiB", 1, 4_096, complaints));
        },
        show: |config| Some(config.evidence_file_mib.to_string()),
    },
    Key {
        name: "evidence_files",
        variable: Some("VIGIE_EVIDENCE_FILES"),
        set: |config, item, complaints| {
            let read = item.as_number("a number of files", 1, 100_000, complaints);
            set(&mut config.evidence_files, read.and_then(NonZeroUsize::new));
        },
        show: |config| Some(config.evidence_files.to_string()),
    },
    Key {
        name: "evidence_snap_bytes",
        variable: Some("VIGIE_EVIDENCE_SNAP_BYTES"),
        set: |config, item, complaints| {
            set(&mut config.evidence_snap_bytes, item.as_number("a number of bytes", 64, 65_535, complaints));
        },
        show: |config| Some(config.evidence_snap_bytes.to_string()),
    },
    Key {
        name: "metrics",
        variable: Some("VIGIE_METRICS"),
        set: |config, item, complaints| set(&mut config.metrics, endpoint(item, complaints).map(Some)),
        show: |config| config.metrics.map(|endpoint| quote(&endpoint.to_string())),
    },
    Key {
        name: "http",
        variable: None,
        set: |config, item, complaints| config.http = HttpEntry::read(item, complaints),
        show: |config| config.http.show(),
    },
    Key {
        name: "privacy",
        variable: Some("VIGIE_PRIVACY"),
        set: |config, item, complaints| set(&mut config.privacy, item.as_word(Privacy::WORDS, complaints)),
        show: |config| Some(quote(config.privacy.word())),
    },
    Key {
        name: "threads",
        variable: Some("VIGIE_THREADS"),
        set: |config, item, complaints| {
            let read = item.as_number("a number of threads", 1, Config::MAX_THREADS, complaints);
            set(&mut config.threads, read.and_then(NonZeroUsize::new));
        },
        show: |config| Some(config.threads.to_string()),
    },
    Key {
        name: "flow_capacity",
        variable: Some("VIGIE_FLOW_CAPACITY"),
        set: |config, item, complaints| {
            set(&mut config.flow_capacity, item.as_number("a number of flows", 512, 33_554_432, complaints));
        },
        show: |config| Some(config.flow_capacity.to_string()),
    },
    Key {
        name: "pending_capacity",
        variable: Some("VIGIE_PENDING_CAPACITY"),
        set: |config, item, complaints| {
            set(&mut config.pending_capacity, item.as_number("a number of conversations", 512, 33_554_432, complaints));
        },
        show: |config| Some(config.pending_capacity.to_string()),
    },
    Key {
        name: "cohort_capacity",
        variable: Some("VIGIE_COHORT_CAPACITY"),
        set: |config, item, complaints| {
            set(&mut config.cohort_capacity, item.as_number("a number of handshakes", 256, 1_048_576, complaints));
        },
        show: |config| Some(config.cohort_capacity.to_string()),
    },
    Key {
        name: "touch_memory",
        variable: Some("VIGIE_TOUCH_MEMORY"),
        set: |config, item, complaints| set(&mut config.touch_memory, item.as_bool(complaints).map(Some)),
        show: |config| config.touch_memory.map(|touch| touch.to_string()),
    },
    Key {
        name: "host_places",
        variable: Some("VIGIE_HOST_PLACES"),
        set: |config, item, complaints| {
            set(&mut config.host_places, item.as_number("a number of hosts in a partition", 1, 255, complaints));
        },
        show: |config| Some(config.host_places.to_string()),
    },
    Key {
        name: "datagram_timeout_seconds",
        variable: Some("VIGIE_DATAGRAM_TIMEOUT_SECONDS"),
        set: |config, item, complaints| {
            set(&mut config.timeouts.datagram, seconds(item, 1, 3600, complaints));
        },
        show: |config| Some(config.timeouts.datagram.as_secs().to_string()),
    },
    Key {
        name: "established_timeout_seconds",
        variable: Some("VIGIE_ESTABLISHED_TIMEOUT_SECONDS"),
        set: |config, item, complaints| {
            set(&mut config.timeouts.established, seconds(item, 1, 3600, complaints));
        },
        show: |config| Some(config.timeouts.established.as_secs().to_string()),
    },
    Key {
        name: "closing_timeout_seconds",
        variable: Some("VIGIE_CLOSING_TIMEOUT_SECONDS"),
        set: |config, item, complaints| {
            set(&mut config.timeouts.closing, seconds(item, 1, 3600, complaints));
        },
        show: |config| Some(config.timeouts.closing.as_secs().to_string()),
    },
    Key {
        name: "active_timeout_seconds",
        variable: Some("VIGIE_ACTIVE_TIMEOUT_SECONDS"),
        set: |config, item, complaints| {
            set(&mut config.timeouts.active, seconds(item, 10, 3600, complaints));
        },
        show: |config| Some(config.timeouts.active.as_secs().to_string()),
    },
    Key {
        name: "alert_update_seconds",
        variable: Some("VIGIE_ALERT_UPDATE_SECONDS"),
        set: |config, item, complaints| {
            set(&mut config.alert.update_every, seconds(item, 10, 3600, complaints));
        },
        show: |config| Some(config.alert.update_every.as_secs().to_string()),
    },
    Key {
        name: "alert_hold_seconds",
        variable: Some("VIGIE_ALERT_HOLD_SECONDS"),
        set: |config, item, complaints| {
            set(&mut config.alert.hold, seconds(item, 10, 3600, complaints));
        },
        show: |config| Some(config.alert.hold.as_secs().to_string()),
    },
    Key {
        name: "alert_hold_of_pulses_seconds",
        variable: Some("VIGIE_ALERT_HOLD_OF_PULSES_SECONDS"),
        set: |config, item, complaints| {
            set(&mut config.alert.hold_of_pulses, seconds(item, 10, 7200, complaints));
        },
        show: |config| Some(config.alert.hold_of_pulses.as_secs().to_string()),
    },
    Key {
        name: "same_incident_seconds",
        variable: Some("VIGIE_SAME_INCIDENT_SECONDS"),
        set: |config, item, complaints| {
            set(&mut config.alert.same_incident_within, seconds(item, 0, 86400, complaints));
        },
        show: |config| Some(config.alert.same_incident_within.as_secs().to_string()),
    },
    Key {
        name: "speed",
        variable: Some("VIGIE_SPEED"),
        set: |config, item, complaints| set(&mut config.speed, speed(item, complaints)),
        show: |config| Some(config.speed.to_string()),
    },
    Key {
        name: "format",
        variable: Some("VIGIE_FORMAT"),
        set: |config, item, complaints| set(&mut config.format, item.as_word(Format::WORDS, complaints)),
        show: |config| Format::WORDS.iter().find(|(_, format)| *format == config.format).map(|(word, _)| quote(word)),
    },
    Key {
        name: "lang",
        variable: Some("VIGIE_LANG"),
        set: |config, item, complaints| set(&mut config.lang, item.as_word(LANGUAGES, complaints)),
        show: |config| Some(quote(config.lang.code())),
    },
    Key {
        name: "fail_on_alert",
        variable: Some("VIGIE_FAIL_ON_ALERT"),
        set: |config, item, complaints| set(&mut config.fail_on_alert, item.as_bool(complaints)),
        show: |config| Some(config.fail_on_alert.to_string()),
    },
    Key {
        name: "ring_size",
        variable: Some("VIGIE_RING_SIZE"),
        set: |config, item, complaints| {
            set(&mut config.ring_size_mib, item.as_number("a size in MiB", 1, 4_096, complaints));
        },
        show: |config| Some(config.ring_size_mib.to_string()),
    },
    Key {
        name: "seed_file",
        variable: Some("VIGIE_SEED_FILE"),
        set: |config, item, complaints| set_path(&mut config.seed_file, item, complaints),
        show: |config| path(config.seed_file.as_ref()),
    },
    Key {
        name: "state",
        variable: Some("VIGIE_STATE"),
        set: |config, item, complaints| set_path(&mut config.state, item, complaints),
        show: |config| path(config.state.as_ref()),
    },
    Key {
        name: "state_every_seconds",
        variable: Some("VIGIE_STATE_EVERY_SECONDS"),
        set: |config, item, complaints| {
            set(&mut config.state_every, seconds(item, 10, 86_400, complaints));
        },
        show: |config| Some(config.state_every.as_secs().to_string()),
    },
    Key {
        name: "sink",
        variable: None,
        set: |config, item, complaints| config.sink = SinkEntry::read(item, complaints),
        show: |config| (!config.sink.is_empty()).then(|| super::sinks::show(&config.sink)),
    },
    Key {
        name: "mute",
        variable: None,
        set: |config, item, complaints| config.mute = MuteEntry::read(item, complaints),
        show: |config| (!config.mute.is_empty()).then(|| super::mutes::show(&config.mute)),
    },
    Key {
        name: "spool",
        variable: Some("VIGIE_SPOOL"),
        set: |config, item, complaints| set_path(&mut config.spool, item, complaints),
        show: |config| path(config.spool.as_ref()),
    },
];

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn set_path(place: &mut Option<PathBuf>, item: &Item, complaints: &mut Complaints) {
    match item.as_text("a file name", complaints) {
        Some("") => {
            item.complain(complaints, "the file name is empty: leave the setting out, or write - for standard output")
        }
        Some(text) => *place = Some(PathBuf::from(text)),
        None => {}
    }
}

fn seconds(item: &Item, least: u64, most: u64, complaints: &mut Complaints) -> Option<Duration> {
    item.as_number("a number of seconds", least, most, complaints).map(Duration::from_secs)
}

fn countries(item: &Item, complaints: &mut Complaints) -> Vec<Country> {
    let assigned: Vec<Assigned> = item.as_each("a country such as FR", complaints);
    assigned.into_iter().map(|Assigned(country)| country).collect()
}

fn overseas(item: &Item, complaints: &mut Complaints) -> Option<Overseas> {
    if let Value::List(_) = item.value {
        return Some(Overseas::Only(countries(item, complaints)));
    }
    if let Some(included) = item.as_bool(&mut Complaints::new()) {
        return Some(if included { Overseas::Included } else { Overseas::Excluded });
    }
    Some(Overseas::Only(countries(item, complaints)))
}

fn origins(item: &Item, complaints: &mut Complaints) -> Vec<(Prefix, Country)> {
    let Value::Table(entries) = &item.value else {
        item.complain(complaints, "origin is a table: write [origin] and below it \"10.1.0.0/16\" = \"FR\"");
        return Vec::new();
    };
    let mut read = Vec::new();
    for (key, value) in entries {
        let prefix = key.as_each::<Prefix>("a prefix", complaints);
        let country = countries(value, complaints);
        read.extend(prefix.into_iter().zip(country));
    }
    read
}

fn endpoint(item: &Item, complaints: &mut Complaints) -> Option<Endpoint> {
    let text = item.as_text("an address and port: write one such as \"127.0.0.1:9477\", or \"off\"", complaints)?;
    match text.parse() {
        Ok(endpoint) => Some(endpoint),
        Err(complaint) => {
            item.complain(complaints, complaint);
            None
        }
    }
}

fn speed(item: &Item, complaints: &mut Complaints) -> Option<Speed> {
    if matches!(&item.value, Value::Text(text) if text == "max") {
        return Some(Speed::Max);
    }
    let wanted = "a speed: write max, or a multiple of recorded time such as 1 or 50";
    let number = match &item.value {
        Value::Text(text) | Value::Number(text) => text.parse::<f64>().ok(),
        _ => None,
    };
    match number {
        Some(times) if (0.001..=1e6).contains(&times) => Some(Speed::Times(times)),
        _ => {
            item.complain(complaints, format!("{} is not {wanted}", item.written()));
            None
        }
    }
}

/// Writes text as a TOML string.
pub(super) fn quote(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// Writes values as a TOML list.
pub(super) fn list<T: ToString>(values: impl IntoIterator<Item = T>) -> String {
    let values: Vec<String> = values.into_iter().map(|value| quote(&value.to_string())).collect();
    format!("[{}]", values.join(", "))
}

fn path(path: Option<&PathBuf>) -> Option<String> {
    path.map(|path| quote(&path.display().to_string()))
}

fn table(origins: &[(Prefix, Country)]) -> String {
    let entries: Vec<String> =
        origins.iter().map(|(prefix, country)| format!("{} = \"{country}\"", quote(&prefix.to_string()))).collect();
    format!("{{ {} }}", entries.join(", "))
}

fn sites(sites: &[SiteEntry]) -> String {
    let entries: Vec<String> = sites
        .iter()
        .map(|site| {
            let number =
                |name, value: Option<f64>| value.map_or_else(String::new, |value| format!(", {name} = {value}"));
            let (capacity, peak) = (number("capacity", site.capacity), number("expected_peak", site.expected_peak));
            let logins =
                if site.logins.is_empty() { String::new() } else { format!(", logins = {}", list(&site.logins)) };
            format!("{{ name = {}, prefixes = {}{capacity}{peak}{logins} }}", quote(&site.name), list(&site.prefixes))
        })
        .collect();
    format!("[{}]", entries.join(", "))
}

fn events(events: &[EventEntry]) -> String {
    let entries: Vec<String> = events
        .iter()
        .map(|event| {
            let site = event.site.as_ref().map_or_else(String::new, |site| format!("site = {}, ", quote(site)));
            format!("{{ {site}start = \"{}\", end = \"{}\", times = {} }}", event.start, event.end, event.times)
        })
        .collect();
    format!("[{}]", entries.join(", "))
}
