//! What the timestamps of a pcapng interface count, and from when.

use crate::time::{NANOS_PER_SECOND, Timestamp};

/// The latest time that is told apart: 2262-04-11, where nanoseconds leave 63 bits. What a file puts after it is held to
/// be that moment, which leaves room for arithmetic on the timeline.
const LATEST_NANOS: u64 = i64::MAX.cast_unsigned();

/// Unit and origin of an interface's timestamps (draft-ietf-opsawg-pcapng section 4.2, `if_tsresol` and `if_tsoffset`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeUnit {
    resolution: Resolution,
    offset_seconds: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resolution {
    /// Units of so many nanoseconds.
    Nanos(u64),
    /// So many units are one nanosecond.
    PerNano(u64),
    /// Units of 2^-n seconds.
    Binary(u8),
}

impl TimeUnit {
    /// Takes the two options: `resolution` is a negative power of ten, or of two if its highest bit is set.
    pub(super) fn new(resolution: u8, offset_seconds: i64) -> Self {
        let exponent = resolution & 0x7f;
        let resolution = if resolution & 0x80 != 0 {
            Resolution::Binary(exponent)
        } else if exponent <= 9 {
            Resolution::Nanos(10_u64.pow(9 - u32::from(exponent)))
        } else {
            Resolution::PerNano(10_u64.checked_pow(u32::from(exponent) - 9).unwrap_or(u64::MAX))
        };
        Self { resolution, offset_seconds }
    }

    /// Returns the time that `ticks` units are, in 1970 to 2262; what lies outside is moved to the nearer end.
    #[inline]
    pub(super) fn timestamp(self, ticks: u64) -> Timestamp {
        let nanos = match self.resolution {
            Resolution::Nanos(nanos) => ticks.saturating_mul(nanos),
            Resolution::PerNano(units) => ticks / units,
            Resolution::Binary(bits) => {
                let nanos = (u128::from(ticks) * u128::from(NANOS_PER_SECOND)) >> bits;
                u64::try_from(nanos).unwrap_or(u64::MAX)
            }
        };
        if self.offset_seconds != 0 { self.displaced(nanos) } else { Timestamp::from_nanos(nanos.min(LATEST_NANOS)) }
    }

    #[cold]
    fn displaced(self, nanos: u64) -> Timestamp {
        let shifted = i128::from(nanos) + i128::from(self.offset_seconds) * i128::from(NANOS_PER_SECOND);
        let bounded = shifted.clamp(0, i128::from(LATEST_NANOS));
        Timestamp::from_nanos(u64::try_from(bounded).unwrap_or(LATEST_NANOS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn nanos(resolution: u8, offset: i64, ticks: u64) -> u64 {
        TimeUnit::new(resolution, offset).timestamp(ticks).as_nanos()
    }

    #[test]
    fn powers_of_ten_and_of_two() {
        assert_eq!(nanos(0, 0, 7), 7 * NANOS_PER_SECOND);
        assert_eq!(nanos(6, 0, 1_500_000), 1_500_000_000);
        assert_eq!(nanos(9, 0, 1_500_000), 1_500_000);
        assert_eq!(nanos(12, 0, 1_500_000), 1_500);
        assert_eq!(nanos(0x80, 0, 7), 7 * NANOS_PER_SECOND);
        assert_eq!(nanos(0x80 | 10, 0, 1_536), 1_500_000_000);
        assert_eq!(nanos(0x80 | 32, 0, (7 << 32) | (1 << 31)), 7_500_000_000);
        assert_eq!(nanos(0xff, 0, u64::MAX), 0, "less than a nanosecond");
    }

    #[test]
    fn offsets_move_either_way_and_stop_at_the_ends() {
        assert_eq!(nanos(6, 10, 1_000_000), 11 * NANOS_PER_SECOND);
        assert_eq!(nanos(6, -1, 1_500_000), 500_000_000);
        assert_eq!(nanos(6, -2, 1_500_000), 0);
        assert_eq!(nanos(6, i64::MAX, 1), LATEST_NANOS);
        assert_eq!(nanos(6, i64::MIN, u64::MAX), 0);
        assert_eq!(nanos(6, 0, u64::MAX), LATEST_NANOS);
    }

    proptest! {
        #[test]
        fn no_option_and_no_count_overflows(resolution: u8, offset: i64, ticks: u64) {
            prop_assert!(nanos(resolution, offset, ticks) <= LATEST_NANOS);
        }
    }
}
