//! Names of countries, by language.
//!
//! A table of 250 rows from Unicode's CLDR, which keeps such names in every language. The crates that bring them were
//! considered: keshvar is 22 MB of source, ICU4X keeps its display names among what is experimental, and the small ones
//! speak English only.

use std::sync::LazyLock;

use crate::country::Country;

const TABLE: &str = include_str!("countries.tsv");

/// A country's names.
#[derive(Clone, Copy)]
struct Names {
    english: &'static str,
    french: &'static str,
}

static NAMES: LazyLock<Vec<Option<Names>>> = LazyLock::new(|| {
    let mut names = vec![None; Country::COUNT];
    for (country, row) in rows() {
        names[country.index()] = Some(row);
    }
    names
});

/// Returns the English name of a country that has one.
pub(super) fn english(country: Country) -> Option<&'static str> {
    NAMES[country.index()].map(|names| names.english)
}

/// Returns the French name of a country that has one.
pub(super) fn french(country: Country) -> Option<&'static str> {
    NAMES[country.index()].map(|names| names.french)
}

fn rows() -> impl Iterator<Item = (Country, Names)> {
    TABLE.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut cells = line.split('\t');
        let country = cells.next()?.parse().ok()?;
        Some((country, Names { english: cells.next()?, french: cells.next()? }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_read_and_no_name_is_empty() {
        assert_eq!(rows().count(), TABLE.lines().filter(|line| !line.starts_with('#')).count());
        assert_eq!(rows().count(), 250);
        assert!(rows().all(|(_, names)| !names.english.is_empty() && !names.french.is_empty()));
    }

    #[test]
    fn names_are_those_of_their_language() {
        let named = |code: &str| code.parse().map(|country| (english(country), french(country))).unwrap();
        assert_eq!(named("DE"), (Some("Germany"), Some("Allemagne")));
        assert_eq!(named("GF"), (Some("French Guiana"), Some("Guyane française")));
        assert_eq!(named("ZZ"), (None, None));
        assert_eq!((english(Country::UNKNOWN), french(Country::UNKNOWN)), (None, None));
    }
}
