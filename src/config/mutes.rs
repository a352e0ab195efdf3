//! `[[mute]]`: what sinks are not told of.

use std::str::FromStr;

use jiff::civil::Time;

use super::Config;
use super::countries::Assigned;
use super::keys::{list, quote};
use super::schedule::{Day, Written, moment};
use super::sinks::SEVERITIES;
use super::value::{Complaints, Item};
use crate::address::Prefix;
use crate::country::Country;
use crate::export::sinks::Mute;
use crate::export::sinks::mute::Weekly;
use crate::kind::{AlertKind, Severity};

/// One `[[mute]]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MuteEntry {
    reason: Option<String>,
    kinds: Vec<Kind>,
    sites: Vec<String>,
    targets: Vec<Prefix>,
    countries: Vec<Country>,
    below: Option<Severity>,
    from: Option<Written>,
    until: Option<Written>,
    days: Vec<Day>,
    hours: Option<Hours>,
}

/// A kind of alert by its name.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Kind(AlertKind);

/// From a time of the day to another.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Hours(Time, Time);

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = AlertKind::ALL.iter().map(|kind| kind.name());
        AlertKind::ALL.iter().find(|kind| kind.name() == text).map(|kind| Self(*kind)).ok_or_else(|| {
            match super::suggest::nearest(text, names.clone()) {
                Some(near) => format!("`{text}` is no kind of alert: did you mean {near}?"),
                None => format!("`{text}` is no kind of alert: write one of {}", names.collect::<Vec<_>>().join(", ")),
            }
        })
    }
}

impl FromStr for Hours {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let time = |text: &str| Time::strptime("%H:%M", text.trim()).ok();
        let hours = text.split_once('-').and_then(|(start, end)| Some(Self(time(start)?, time(end)?)));
        hours
            .filter(|Self(start, end)| start != end)
            .ok_or_else(|| format!("`{text}` are no hours: write two times of the day such as 22:00-04:00"))
    }
}

impl std::fmt::Display for Hours {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.0.strftime("%H:%M"), self.1.strftime("%H:%M"))
    }
}

impl MuteEntry {
    /// The keys of a `[[mute]]`.
    const KEYS: [&'static str; 10] =
        ["reason", "kind", "site", "target", "country", "severity_below", "from", "until", "days", "hours"];

    /// Reads the `[[mute]]` tables.
    pub(super) fn read(item: &Item, complaints: &mut Complaints) -> Vec<Self> {
        item.as_list().iter().map(|table| Self::read_one(table, complaints)).collect()
    }

    fn read_one(table: &Item, complaints: &mut Complaints) -> Self {
        let mut mute = Self::default();
        let before = complaints.len();
        table.as_table(&Self::KEYS, complaints, |key, item, complaints| mute.set(key, item, complaints));
        if complaints.len() > before {
            return mute;
        }
        let unconditional = Self { reason: None, ..mute.clone() } == Self::default();
        let over = matches!((&mute.from, &mute.until), (Some(Written::Exact(from)), Some(Written::Exact(until))) if until <= from)
            || matches!((&mute.from, &mute.until), (Some(Written::Wall(from)), Some(Written::Wall(until))) if until <= from);
        if unconditional {
            let text = "a [[mute]] without a condition would silence everything: write kind, site, target, country, \
                        severity_below, or a time by from, until, days, hours";
            table.complain(complaints, text);
        } else if over {
            table.complain(complaints, "the window ends before it begins: write until after from");
        }
        mute
    }

    fn set(&mut self, key: &str, item: &Item, complaints: &mut Complaints) {
        match key {
            "reason" => self.reason = item.as_text("a reason", complaints).map(str::to_owned),
            "kind" => self.kinds = item.as_each("a kind of alert such as port_scan", complaints),
            "site" => self.sites = item.as_each("a site's name", complaints),
            "target" => self.targets = item.as_each("a prefix such as 192.0.2.0/24", complaints),
            "country" => {
                let read: Vec<Assigned> = item.as_each("a country such as FR", complaints);
                self.countries = read.into_iter().map(|Assigned(country)| country).collect();
            }
            "severity_below" => self.below = item.as_word(&SEVERITIES[1..], complaints),
            "from" => self.from = moment(item, complaints),
            "until" => self.until = moment(item, complaints),
            "days" => self.days = item.as_each("a day such as sunday", complaints),
            _ => self.hours = item.as_each("hours such as 22:00-04:00", complaints).pop(),
        }
    }

    fn compose(&self, config: &Config) -> Mute {
        let zone = config.timezone.zone();
        let at = |written: &Written| written.exact(&zone);
        let weekly = (!self.days.is_empty() || self.hours.is_some()).then(|| Weekly {
            days: self.days.iter().map(|day| day.0).collect(),
            hours: self.hours.map(|Hours(start, end)| (start, end)),
            zone: zone.clone(),
        });
        Mute {
            reason: self.reason.clone(),
            kinds: self.kinds.iter().map(|kind| kind.0).collect(),
            sites: self.sites.clone(),
            targets: self.targets.clone(),
            countries: self.countries.clone(),
            below: self.below,
            from: self.from.as_ref().map(at),
            until: self.until.as_ref().map(at),
            weekly,
        }
    }

    fn show(&self) -> String {
        let mut parts = Vec::new();
        let mut add = |key: &str, value: Option<String>| parts.extend(value.map(|value| format!("{key} = {value}")));
        let some = |values: Vec<String>| (!values.is_empty()).then(|| list(values));
        add("kind", some(self.kinds.iter().map(|kind| kind.0.to_string()).collect()));
        add("site", some(self.sites.clone()));
        add("target", some(self.targets.iter().map(ToString::to_string).collect()));
        add("country", some(self.countries.iter().map(ToString::to_string).collect()));
        add("severity_below", self.below.map(|below| quote(below.name())));
        add("from", self.from.map(|from| quote(&from.to_string())));
        add("until", self.until.map(|until| quote(&until.to_string())));
        add("days", some(self.days.iter().map(ToString::to_string).collect()));
        add("hours", self.hours.map(|hours| quote(&hours.to_string())));
        add("reason", self.reason.as_deref().map(quote));
        format!("{{ {} }}", parts.join(", "))
    }
}

/// Writes rules as TOML.
pub(super) fn show(entries: &[MuteEntry]) -> String {
    format!("[{}]", entries.iter().map(MuteEntry::show).collect::<Vec<_>>().join(", "))
}

impl Config {
    /// Returns the rules of silence.
    #[must_use]
    pub fn mutes(&self) -> Vec<Mute> {
        self.mute.iter().map(|entry| entry.compose(self)).collect()
    }
}
