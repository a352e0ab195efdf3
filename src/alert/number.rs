//! Figures as they are written: finite, four significant digits, whole numbers without a point.
//!
//! Four digits are more than any estimate here is worth, and few enough that a line can be read and that the last bit
//! of a sum does not change it.

use serde::{Serialize, Serializer};

/// A finite number, rounded to four significant digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Number(f64);

/// Largest whole number that a double holds exactly together with all below it (2^53).
const EXACT_LIMIT: f64 = 9_007_199_254_740_992.0;

impl Number {
    /// Rounds a value; `None` when it is infinite or not a number, and so measures nothing.
    #[must_use]
    pub fn new(value: f64) -> Option<Self> {
        value.is_finite().then(|| Self(round(value)))
    }

    /// Rounds a value held to lie in a range; one that is not a number becomes the lower end.
    #[must_use]
    pub fn clamped(value: f64, low: f64, high: f64) -> Self {
        Self(round(if value.is_nan() { low } else { value.clamp(low, high) }))
    }

    /// Returns the rounded value.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// Rounds by way of the decimal form, which is exact and the same on every machine. Adding zero turns -0 into 0.
fn round(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value) + 0.0
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.fract() == 0.0 && self.0.abs() < EXACT_LIMIT {
            #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53, so the cast is exact")]
            return serializer.serialize_i64(self.0 as i64);
        }
        serializer.serialize_f64(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: f64) -> String {
        serde_json::to_string(&Number::new(value).unwrap()).unwrap()
    }

    #[test]
    fn four_digits_are_written_and_whole_numbers_have_no_point() {
        assert_eq!(written(5_412.3), "5412");
        assert_eq!(written(63_017.0), "63020");
        assert_eq!(written(0.912_345), "0.9123");
        assert_eq!(written(0.000_012_345), "0.00001234");
        assert_eq!(written(-0.0), "0");
    }

    #[test]
    fn what_is_not_finite_is_no_number() {
        assert!(Number::new(f64::NAN).is_none());
        assert!(Number::new(f64::INFINITY).is_none());
        assert_eq!(Number::clamped(f64::NAN, 0.0, 1.0).get(), 0.0);
        assert_eq!(Number::clamped(f64::INFINITY, 0.0, 300.0).get(), 300.0);
    }
}
