//! Country codes as small numbers, so that tables can be indexed by them.
//!
//! A [`Country`] is an ISO 3166-1 alpha-2 code, or unknown. What belongs to home, and what an address's country is,
//! is decided in `origin`.

use std::fmt;
use std::str::FromStr;

/// An ISO 3166-1 alpha-2 code, or [`Country::UNKNOWN`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country(u16);

const LETTERS: u16 = 26;

impl Country {
    /// How many values there are: every pair of letters, and unknown. Tables indexed by country have this length.
    pub const COUNT: usize = 677;

    /// No country: private, unallocated or unlisted space. Never foreign.
    pub const UNKNOWN: Self = Self(LETTERS * LETTERS);

    /// Takes two ASCII letters, in either case; anything else is [`Country::UNKNOWN`].
    #[must_use]
    pub const fn from_letters(letters: [u8; 2]) -> Self {
        let first = letters[0].to_ascii_uppercase().wrapping_sub(b'A');
        let second = letters[1].to_ascii_uppercase().wrapping_sub(b'A');
        if first < 26 && second < 26 { Self(first as u16 * LETTERS + second as u16) } else { Self::UNKNOWN }
    }

    /// Returns the place in a table of [`Country::COUNT`] entries.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// Takes a place in a table; anything past the end is [`Country::UNKNOWN`].
    #[must_use]
    pub fn from_index(index: usize) -> Self {
        u16::try_from(index).ok().filter(|index| *index < LETTERS * LETTERS).map_or(Self::UNKNOWN, Self)
    }

    /// Tells whether a country is known.
    #[must_use]
    pub fn is_known(self) -> bool {
        self != Self::UNKNOWN
    }
}

impl Default for Country {
    fn default() -> Self {
        Self::UNKNOWN
    }
}

/// A text that is not two letters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a country: write an ISO 3166-1 code of two letters, such as FR")]
pub struct CountryError(pub String);

impl FromStr for Country {
    type Err = CountryError;

    fn from_str(text: &str) -> Result<Self, CountryError> {
        match text.as_bytes() {
            [a, b] if Self::from_letters([*a, *b]).is_known() => Ok(Self::from_letters([*a, *b])),
            _ => Err(CountryError(text.to_owned())),
        }
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_known() {
            return f.write_str("unknown");
        }
        let letter = |n: u16| char::from(b'A' + u8::try_from(n).unwrap_or(0));
        write!(f, "{}{}", letter(self.0 / LETTERS), letter(self.0 % LETTERS))
    }
}

impl serde::Serialize for Country {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_survives_its_index_and_its_text() {
        for index in 0..Country::COUNT - 1 {
            let country = Country::from_index(index);
            assert_eq!(country.index(), index);
            assert_eq!(country.to_string().parse(), Ok(country));
        }
        assert_eq!(Country::from_index(Country::COUNT - 1), Country::UNKNOWN);
    }

    #[test]
    fn what_is_not_two_letters_is_refused() {
        for text in ["", "F", "FRA", "F1", "é"] {
            assert!(text.parse::<Country>().is_err(), "{text}");
        }
    }
}
