//! When users come: time zone, kinds of days, declared events.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;

use super::value::{Complaints, Item};
use crate::time::Timestamp;
use crate::window::outlook::ExpectedEvent;

/// A time zone by its name in the IANA database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(String);

/// A holiday, or holidays from a first to a last day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holidays {
    /// First day.
    pub first: Date,
    /// Last day.
    pub last: Date,
}

/// A day of the week by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day(pub Weekday);

/// A moment as people write it: on the wall clock of the time zone, or with an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// `2026-09-01T09:00`.
    Wall(DateTime),
    /// `2026-09-01T09:00:00+02:00`.
    Exact(jiff::Timestamp),
}

/// One `[[event]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct EventEntry {
    /// The site it concerns; all where none is named.
    pub site: Option<String>,
    /// When it begins.
    pub start: Written,
    /// When it is over.
    pub end: Written,
    /// How many times the usual traffic is expected at most.
    pub times: f64,
}

impl Zone {
    /// Returns the zone; its name was checked when it was read.
    #[must_use]
    pub fn zone(&self) -> TimeZone {
        TimeZone::get(&self.0).unwrap_or(TimeZone::UTC)
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self("UTC".to_owned())
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match TimeZone::get(text) {
            Ok(zone) => Ok(Self(zone.iana_name().unwrap_or("UTC").to_owned())),
            Err(_) => Err(format!("`{text}` is no time zone: write a name such as Europe/Paris or UTC")),
        }
    }
}

impl FromStr for Holidays {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once("..").unwrap_or((text, text));
        let wrong = || {
            format!("`{text}` is no holiday: write a day such as 2026-11-11, or a range such as 2026-12-19..2027-01-03")
        };
        let first: Date = first.trim().parse().map_err(|_| wrong())?;
        let last: Date = last.trim().parse().map_err(|_| wrong())?;
        if last < first {
            Err(format!("`{text}` ends before it begins: write the earlier day first"))
        } else {
            Ok(Self { first, last })
        }
    }
}

impl fmt::Display for Holidays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { self.first.fmt(f) } else { write!(f, "{}..{}", self.first, self.last) }
    }
}

/// The days of the week.
const DAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

impl FromStr for Day {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let day = DAYS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        day.map(|(_, day)| Self(*day))
            .ok_or_else(|| format!("`{text}` is no day of the week: write one such as wednesday"))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(DAYS.iter().find(|(_, day)| *day == self.0).map_or("monday", |(name, _)| name))
    }
}

impl FromStr for Written {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // With an offset first: a time on the wall would read past it.
        if let Ok(exact) = text.parse::<jiff::Timestamp>() {
            return Ok(Self::Exact(exact));
        }
        text.parse().map(Self::Wall).map_err(|_| {
            format!(
                "`{text}` is no moment: write one such as 2026-09-01T09:00 in your time zone, or 2026-09-01T09:00+02:00"
            )
        })
    }
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wall(wall) => wall.fmt(f),
            Self::Exact(exact) => exact.fmt(f),
        }
    }
}

impl Written {
    /// Returns the moment in capture time; on the wall of `zone` where no offset was written.
    #[must_use]
    pub fn at(&self, zone: &TimeZone) -> Timestamp {
        Timestamp::from_secs(u64::try_from(self.exact(zone).as_second()).unwrap_or(0))
    }

    /// Returns the moment itself; on the wall of `zone` where no offset was written.
    pub(super) fn exact(&self, zone: &TimeZone) -> jiff::Timestamp {
        match self {
            Self::Wall(wall) => zone.to_ambiguous_timestamp(*wall).compatible().unwrap_or(jiff::Timestamp::UNIX_EPOCH),
            Self::Exact(exact) => *exact,
        }
    }
}

impl EventEntry {
    /// The keys of an `[[event]]`.
    const KEYS: [&'static str; 4] = ["site", "start", "end", "times"];

    /// Reads the `[[event]]` tables.
    pub(super) fn read(item: &Item, complaints: &mut Complaints) -> Vec<Self> {
        item.as_list().iter().filter_map(|table| Self::read_one(table, complaints)).collect()
    }

    fn read_one(table: &Item, complaints: &mut Complaints) -> Option<Self> {
        let (mut site, mut start, mut end, mut times) = (None, None, None, None);
        let before = complaints.len();
        table.as_table(&Self::KEYS, complaints, |key, item, complaints| match key {
            "site" => site = item.as_text("a site's name", complaints).map(str::to_owned),
            "start" => start = moment(item, complaints),
            "end" => end = moment(item, complaints),
            _ => times = item.as_number("how many times the usual traffic is expected", 1.0, 10_000.0, complaints),
        });
        let (Some(start), Some(end), Some(times)) = (start, end, times) else {
            if complaints.len() == before {
                table.complain(
                    complaints,
                    "an [[event]] needs start, end and times: write times = 25 for 25 times the usual",
                );
            }
            return None;
        };
        Some(Self { site, start, end, times })
    }

    /// Returns the event in capture time.
    #[must_use]
    pub fn expected(&self, zone: &TimeZone) -> ExpectedEvent {
        ExpectedEvent { site: self.site.clone(), start: self.start.at(zone), end: self.end.at(zone), times: self.times }
    }
}

/// Reads a moment.
pub(super) fn moment(item: &Item, complaints: &mut Complaints) -> Option<Written> {
    match item.as_text("a moment such as 2026-09-01T09:00", complaints)?.parse() {
        Ok(written) => Some(written),
        Err(complaint) => {
            item.complain(complaints, complaint);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_on_the_wall_lies_in_the_time_zone() {
        let paris: Zone = "Europe/Paris".parse().unwrap();
        let wall: Written = "2026-09-01T09:00".parse().unwrap();
        let exact: Written = "2026-09-01T09:00:00+02:00".parse().unwrap();
        assert_eq!(wall.at(&paris.zone()), exact.at(&TimeZone::UTC));
        assert_eq!(exact.at(&paris.zone()).to_string(), "2026-09-01T07:00:00.000000Z");
    }

    #[test]
    fn what_is_wrong_says_what_to_write() {
        assert!("Europe/Pariss".parse::<Zone>().unwrap_err().contains("Europe/Paris"));
        assert!("25/12".parse::<Holidays>().unwrap_err().contains("2026-11-11"));
        assert!("2026-12-25..2026-12-24".parse::<Holidays>().unwrap_err().contains("earlier day first"));
        assert!("mercredi".parse::<Day>().unwrap_err().contains("wednesday"));
        assert!("nine".parse::<Written>().unwrap_err().contains("2026-09-01T09:00"));
    }

    #[test]
    fn what_is_printed_is_read_again() {
        for text in ["2026-11-11", "2026-12-19..2027-01-03"] {
            assert_eq!(text.parse::<Holidays>().unwrap().to_string(), text);
        }
        for text in ["2026-09-01T09:00:00", "2026-09-01T07:00:00Z"] {
            assert_eq!(text.parse::<Written>().unwrap().to_string(), text);
        }
        assert_eq!("Sunday".parse::<Day>().unwrap().to_string(), "sunday");
    }
}
