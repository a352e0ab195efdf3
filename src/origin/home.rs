//! Which countries are home: those configured, and their overseas territories, whose people are no foreigners
//! (DETECTION 0.1). Knows no addresses.

use std::collections::BTreeMap;

use crate::country::Country;

/// Territories with an ISO 3166-1 code of their own, by the country whose networks and people they share.
///
/// What is listed is what decides whether a crowd is foreign, not who owns what: territories that two countries claim
/// are left out, apart from those that DETECTION 0.1 names, and the configuration decides.
const TERRITORIES: &[(&str, &[&str])] = &[
    ("AU", &["CC", "CX", "HM", "NF"]),
    ("DK", &["FO", "GL"]),
    ("FI", &["AX"]),
    ("FR", &["GP", "MQ", "GF", "RE", "YT", "PM", "BL", "MF", "NC", "PF", "WF", "TF"]),
    ("GB", &["AI", "BM", "GG", "IM", "JE", "KY", "MS", "PN", "SH", "TC", "VG"]),
    ("MA", &["EH"]),
    ("NL", &["AW", "BQ", "CW", "SX"]),
    ("NO", &["BV", "SJ"]),
    ("NZ", &["CK", "NU", "TK"]),
    ("US", &["AS", "GU", "MP", "PR", "UM", "VI"]),
];

/// Which territories come with a country.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overseas(BTreeMap<Country, Vec<Country>>);

impl Default for Overseas {
    fn default() -> Self {
        let country = |text: &str| text.parse().expect("the table above is of codes, which a test checks");
        let row = |(home, codes): &(&str, &[&str])| (country(home), codes.iter().map(|code| country(code)).collect());
        Self(TERRITORIES.iter().map(row).collect())
    }
}

impl Overseas {
    /// Takes no territories at all: home is what is configured.
    #[must_use]
    pub const fn none() -> Self {
        Self(BTreeMap::new())
    }

    /// Replaces the territories of one country.
    pub fn set(&mut self, country: Country, territories: Vec<Country>) {
        self.0.insert(country, territories);
    }

    /// Returns the home that the given countries make with their territories.
    #[must_use]
    pub fn home(&self, countries: &[Country]) -> Home {
        let mut home = Home::default();
        for country in countries {
            home.insert(*country);
            for territory in self.0.get(country).into_iter().flatten() {
                home.insert(*territory);
            }
        }
        home
    }
}

/// The countries that count as domestic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Home {
    /// In the order given, each country before its territories.
    countries: Vec<Country>,
    is_home: Vec<bool>,
}

impl Home {
    /// Takes the given countries and the usual territories of each.
    #[must_use]
    pub fn with_overseas(countries: &[Country]) -> Self {
        Overseas::default().home(countries)
    }

    fn insert(&mut self, country: Country) {
        self.is_home.resize(Country::COUNT, false);
        if country.is_known() && !self.is_home[country.index()] {
            self.is_home[country.index()] = true;
            self.countries.push(country);
        }
    }

    /// Returns the countries, in the order given, each before its territories.
    #[must_use]
    pub fn countries(&self) -> &[Country] {
        &self.countries
    }

    /// Tells whether no country is home, so that nothing can be called foreign.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.countries.is_empty()
    }

    /// Tells whether a country is home.
    #[must_use]
    pub fn contains(&self, country: Country) -> bool {
        self.is_home.get(country.index()).copied().unwrap_or(false)
    }

    /// Tells whether a country is abroad. Unknown never is, and without a home nothing is.
    #[must_use]
    pub fn is_foreign(&self, country: Country) -> bool {
        !self.is_empty() && country.is_known() && !self.contains(country)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn country(text: &str) -> Country {
        text.parse().unwrap()
    }

    fn written(home: &Home) -> String {
        home.countries().iter().map(Country::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn overseas_codes_belong_to_home() {
        let home = Home::with_overseas(&[country("FR")]);
        assert_eq!(written(&home), "FR GP MQ GF RE YT PM BL MF NC PF WF TF");
        assert!(!home.is_foreign(country("RE")));
        assert!(home.is_foreign(country("MA")));
        assert_eq!(written(&Home::with_overseas(&[country("MA")])), "MA EH");
        assert_eq!(written(&Home::with_overseas(&[country("BE")])), "BE");
    }

    #[test]
    fn unknown_is_neither_home_nor_foreign() {
        let home = Home::with_overseas(&[country("FR"), Country::UNKNOWN]);
        assert!(!home.contains(Country::UNKNOWN));
        assert!(!home.is_foreign(Country::UNKNOWN));
    }

    #[test]
    fn without_a_home_nothing_is_foreign() {
        let home = Home::default();
        assert!(home.is_empty());
        assert!((0..Country::COUNT).all(|index| !home.is_foreign(Country::from_index(index))));
    }

    #[test]
    fn territories_are_configured() {
        assert_eq!(written(&Overseas::none().home(&[country("FR")])), "FR");
        let mut overseas = Overseas::default();
        overseas.set(country("FR"), vec![country("RE")]);
        assert_eq!(written(&overseas.home(&[country("FR"), country("FR")])), "FR RE");
    }

    #[test]
    fn no_territory_has_two_homes() {
        let Overseas(rows) = Overseas::default();
        let mut all: Vec<_> = rows.values().flatten().collect();
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
        assert!(all.iter().all(|territory| !rows.contains_key(territory)));
    }
}
