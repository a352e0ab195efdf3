//! Which pairs of letters are countries: a typing error in `home` would make everybody a foreigner.

use std::fmt;
use std::str::FromStr;

use crate::country::Country;

/// The officially assigned codes (ISO 3166-1 alpha-2, 249 of them), and XK, which registries use for Kosovo.
const ASSIGNED: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT \
    BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK \
    FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE \
    JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ \
    MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO \
    RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW \
    TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW XK";

/// Codes that people write for another.
const MEANT: [(&str, &str); 2] = [("UK", "GB"), ("EL", "GR")];

/// A country that exists.
pub(super) struct Assigned(pub(super) Country);

impl FromStr for Assigned {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let country: Country = text.parse().map_err(|error: crate::country::CountryError| error.to_string())?;
        let code = country.to_string();
        if ASSIGNED.split_ascii_whitespace().any(|assigned| assigned == code) {
            return Ok(Self(country));
        }
        let meant = MEANT.iter().find(|(written, _)| *written == code).map(|(_, meant)| *meant);
        Err(meant.map_or_else(
            || format!("`{text}` is not a country: write an assigned ISO 3166-1 code of two letters, such as FR"),
            |meant| format!("`{text}` is not a country: write {meant}"),
        ))
    }
}

impl fmt::Display for Assigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_codes_are_pairs_of_letters_and_none_stands_twice() {
        let codes: std::collections::BTreeSet<&str> = ASSIGNED.split_ascii_whitespace().collect();
        assert_eq!(codes.len(), 250);
        assert_eq!(ASSIGNED.split_ascii_whitespace().count(), 250);
        assert!(codes.iter().all(|code| code.parse::<Country>().is_ok()));
    }

    #[test]
    fn a_wrong_code_says_what_to_write() {
        assert!("fr".parse::<Assigned>().is_ok());
        assert_eq!("UK".parse::<Assigned>().err().as_deref(), Some("`UK` is not a country: write GB"));
        assert!("XX".parse::<Assigned>().is_err_and(|text| text.contains("ISO 3166-1")));
    }
}
