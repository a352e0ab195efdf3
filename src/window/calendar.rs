//! The site's calendar: which kind of day it is where the users live, and which quarter of an hour.
//!
//! Traffic follows the clock on the wall of the classroom, not UTC, and a Wednesday afternoon is not a Monday afternoon
//! (DETECTION 1.2: four day types of 96 quarter-hours). Time zones come from the database that is compiled in, so that
//! the same capture is judged alike on every machine.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

use crate::time::Timestamp;

const IN_DAY: u16 = 96;

/// Quarter-hours of a day.
pub const QUARTERS: usize = IN_DAY as usize;

/// Kinds of days.
pub const DAY_TYPES: usize = 4;

/// Bins of a profile.
pub const BINS: usize = DAY_TYPES * QUARTERS;

/// Seconds of a quarter-hour. Every time zone in use is a whole number of them from UTC.
const QUARTER_SECONDS: u64 = 900;

/// A kind of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayType {
    /// A school day or working day.
    Working = 0,
    /// A day that ends early, such as a French Wednesday.
    Short = 1,
    /// The weekend.
    Weekend = 2,
    /// A public holiday or school holidays.
    Holiday = 3,
}

/// One quarter-hour of one kind of day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bin(u16);

impl Bin {
    /// Returns the bin's place in a profile, below [`BINS`].
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// Returns the same quarter-hour of the kind of day that is likest, for days of a kind never seen: holidays are like
    /// weekends, short days like working days, and the other way round for short days.
    #[must_use]
    pub const fn alike(self) -> Option<Self> {
        match self.0 / IN_DAY {
            0 => Some(Self(self.0 + IN_DAY)),
            1 => Some(Self(self.0 - IN_DAY)),
            3 => Some(Self(self.0 - IN_DAY)),
            _ => None,
        }
    }
}

/// Where in the week a moment lies: the bin, and the two bins between whose middles it is, with the weight of the later.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moment {
    /// The bin it lies in.
    pub bin: Bin,
    /// The quarter-hour it lies in, counted from the epoch.
    pub quarter: u64,
    /// The bin whose middle was passed last.
    pub before: Bin,
    /// The bin whose middle is reached next.
    pub after: Bin,
    /// Weight of `after`, 0 to 1.
    pub weight: f64,
}

/// The calendar of the users.
#[derive(Clone, Debug, PartialEq)]
pub struct Calendar {
    /// Their time zone.
    pub zone: TimeZone,
    /// Holidays, first and last day.
    pub holidays: Vec<(Date, Date)>,
    /// Days of the week that are short.
    pub short_days: Vec<Weekday>,
    /// Days of the week that are free.
    pub weekend: Vec<Weekday>,
}

impl Default for Calendar {
    /// UTC, Wednesdays short, Saturday and Sunday free.
    fn default() -> Self {
        Self {
            zone: TimeZone::UTC,
            holidays: Vec::new(),
            short_days: vec![Weekday::Wednesday],
            weekend: vec![Weekday::Saturday, Weekday::Sunday],
        }
    }
}

impl Calendar {
    /// Returns where in the week a moment lies.
    #[must_use]
    pub fn moment(&self, at: Timestamp) -> Moment {
        let seconds = at.as_nanos() / crate::time::NANOS_PER_SECOND;
        let half = QUARTER_SECONDS / 2;
        let since_middle = (at.as_secs_f64() + half as f64) % QUARTER_SECONDS as f64;
        Moment {
            bin: self.bin(seconds),
            quarter: seconds / QUARTER_SECONDS,
            before: self.bin(seconds.saturating_sub(half)),
            after: self.bin(seconds + half),
            weight: since_middle / QUARTER_SECONDS as f64,
        }
    }

    /// Returns the kind of a day.
    #[must_use]
    pub fn day_type(&self, date: Date) -> DayType {
        let weekday = date.weekday();
        if self.holidays.iter().any(|(first, last)| *first <= date && date <= *last) {
            DayType::Holiday
        } else if self.weekend.contains(&weekday) {
            DayType::Weekend
        } else if self.short_days.contains(&weekday) {
            DayType::Short
        } else {
            DayType::Working
        }
    }

    /// A moment beyond the calendar (the year 9999) is a working midnight.
    fn bin(&self, seconds: u64) -> Bin {
        let moment = i64::try_from(seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
        let Some(moment) = moment else { return Bin::default() };
        let local = self.zone.to_datetime(moment);
        let quarter = u16::from(local.hour().unsigned_abs()) * 4 + u16::from(local.minute().unsigned_abs()) / 15;
        Bin(self.day_type(local.date()) as u16 * IN_DAY + quarter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paris() -> Calendar {
        Calendar {
            zone: TimeZone::get("Europe/Paris").unwrap(),
            holidays: vec![("2026-12-19".parse().unwrap(), "2027-01-03".parse().unwrap())],
            ..Calendar::default()
        }
    }

    fn at(text: &str) -> Timestamp {
        let moment: jiff::Timestamp = text.parse().unwrap();
        Timestamp::from_secs(u64::try_from(moment.as_second()).unwrap())
    }

    fn bin(text: &str) -> (usize, usize) {
        let bin = paris().moment(at(text)).bin.index();
        (bin / QUARTERS, bin % QUARTERS)
    }

    #[test]
    fn nine_on_the_wall_is_nine_in_summer_and_winter() {
        assert_eq!(bin("2026-11-23T08:00:00Z"), (0, 36));
        assert_eq!(bin("2026-06-15T07:00:00Z"), (0, 36));
    }

    #[test]
    fn days_are_told_apart() {
        assert_eq!(bin("2026-11-25T08:00:00Z").0, DayType::Short as usize);
        assert_eq!(bin("2026-11-28T08:00:00Z").0, DayType::Weekend as usize);
        assert_eq!(bin("2026-12-23T08:00:00Z").0, DayType::Holiday as usize);
        assert_eq!(bin("2027-01-03T22:59:59Z").0, DayType::Holiday as usize);
        assert_eq!(bin("2027-01-03T23:00:00Z").0, DayType::Working as usize);
    }

    #[test]
    fn a_moment_lies_between_the_middles_of_two_quarters() {
        let middle = paris().moment(at("2026-11-23T08:07:30Z"));
        assert_eq!((middle.before, middle.weight), (middle.bin, 0.0));
        let edge = paris().moment(at("2026-11-23T08:15:00Z"));
        assert_eq!((edge.after, edge.weight), (edge.bin, 0.5));
        assert_eq!(edge.before.index() + 1, edge.after.index());
    }

    #[test]
    fn the_end_of_time_is_a_bin_too() {
        assert!(paris().moment(Timestamp::from_nanos(u64::MAX)).bin.index() < BINS);
    }
}
