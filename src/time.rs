//! Capture time: the only clock after `source`.
//!
//! A [`Timestamp`] is what the capture says, in nanoseconds since the Unix epoch. A [`Tick`] is a quarter of a second,
//! aligned to the epoch, so that every thread, every probe and every replay cuts time at the same places.
//! Nothing here reads a wall clock.

use std::fmt;
use std::time::Duration;

/// Nanoseconds in one second.
pub const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// Ticks in one second.
pub const TICKS_PER_SECOND: u64 = 4;

/// A moment of the capture clock, in nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The Unix epoch.
    pub const ZERO: Self = Self(0);

    /// Takes nanoseconds since the epoch.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Takes whole seconds since the epoch, saturating at the year 2554.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(NANOS_PER_SECOND))
    }

    /// Returns nanoseconds since the epoch.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Returns seconds since the epoch, with the fraction.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / NANOS_PER_SECOND as f64
    }

    /// Returns the tick this moment lies in.
    #[must_use]
    pub const fn tick(self) -> Tick {
        Tick(self.0 / Tick::NANOS)
    }

    /// Returns the time since `earlier`, zero when that is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Adds a duration, saturating.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// Subtracts a duration, saturating at the epoch.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Display for Timestamp {
    /// Writes RFC 3339 in UTC with microseconds, as the contract asks: `2021-04-06T09:02:00.000000Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = i64::try_from(self.0 / 1_000).unwrap_or(i64::MAX);
        match jiff::Timestamp::from_microsecond(micros) {
            Ok(moment) => write!(f, "{moment:.6}"),
            Err(_) => write!(f, "{}.{:06}s", self.0 / NANOS_PER_SECOND, self.0 / 1_000 % 1_000_000),
        }
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A quarter of a second of capture time, counted from the epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tick(u64);

impl Tick {
    /// Nanoseconds in a tick: 250 ms (DETECTION 0, item 1).
    pub const NANOS: u64 = NANOS_PER_SECOND / TICKS_PER_SECOND;

    /// The length of a tick in seconds.
    pub const SECONDS: f64 = 1.0 / TICKS_PER_SECOND as f64;

    /// Takes a tick's number since the epoch.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the tick's number since the epoch.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// Returns the first moment of the tick.
    #[must_use]
    pub const fn start(self) -> Timestamp {
        Timestamp(self.0.saturating_mul(Self::NANOS))
    }

    /// Returns the first moment after the tick.
    #[must_use]
    pub const fn end(self) -> Timestamp {
        Timestamp(self.0.saturating_add(1).saturating_mul(Self::NANOS))
    }

    /// Returns the following tick.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Returns the tick `count` later.
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }

    /// Returns how many ticks lie between `earlier` and this one, zero when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Tells whether this tick is the last of a period of `ticks` ticks aligned to the epoch.
    #[must_use]
    pub const fn closes_period(self, ticks: u64) -> bool {
        (self.0 + 1).is_multiple_of(ticks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_holds_its_first_moment_and_not_its_end() {
        let tick = Timestamp::from_nanos(1_617_699_720_123_456_789).tick();
        assert_eq!(tick.start().tick(), tick);
        assert_eq!(tick.end().tick(), tick.next());
    }

    #[test]
    fn time_is_written_as_the_contract_asks() {
        assert_eq!(Timestamp::from_nanos(1_617_699_720_123_456_789).to_string(), "2021-04-06T09:02:00.123456Z");
        assert_eq!(Timestamp::ZERO.to_string(), "1970-01-01T00:00:00.000000Z");
    }

    #[test]
    fn the_largest_time_is_written_without_a_panic() {
        assert!(!Timestamp::from_nanos(u64::MAX).to_string().is_empty());
    }
}
