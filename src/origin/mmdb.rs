//! Country and network from files in MaxMind DB format 2.0, in the layouts that are in use. Knows no policy.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::Path;

use maxminddb::{LookupResult, PathElement, Reader, WithinOptions};
use serde::de::IgnoredAny;

use super::{OriginError, from_code};
use crate::country::Country;

/// Where in a record a field lies.
type Field = &'static [PathElement<'static>];

/// GeoLite2 and GeoIP2, country and city.
const COUNTRY_NESTED: Field = &[PathElement::Key("country"), PathElement::Key("iso_code")];
/// The same, for space that is used in no one country, such as satellite links and anycast.
const REGISTERED_NESTED: Field = &[PathElement::Key("registered_country"), PathElement::Key("iso_code")];
/// iptoasn, ip-location-db, IPinfo.
const COUNTRY_FLAT: Field = &[PathElement::Key("country_code")];

/// Where the number of an autonomous system lies.
const ASN_LAYOUTS: [Field; 2] = [
    // GeoLite2-ASN, GeoIP2-ISP, ip-location-db.
    &[PathElement::Key("autonomous_system_number")],
    // IPinfo.
    &[PathElement::Key("asn")],
];

/// Networks looked at to find the layout: single ones may be empty or lack the field that the rest have. A bound, since
/// in a damaged file the search tree may lead back into itself.
const NETWORKS_TRIED: usize = 10_000;

/// Names of fields that are shown, and characters of each.
const MOST_NAMES: usize = 12;
const LONGEST_NAME: usize = 48;

/// Shows a text of the file: one that may hold anything, and may end on a terminal.
fn shown(text: &str) -> String {
    text.chars().take(LONGEST_NAME).flat_map(char::escape_debug).collect()
}

/// A file, read whole.
struct File {
    name: String,
    reader: Reader<Vec<u8>>,
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

impl File {
    fn open(path: &Path) -> Result<Self, OriginError> {
        let bytes = std::fs::read(path).map_err(|reason| OriginError::Unreadable { file: path.to_owned(), reason })?;
        let reader = Reader::from_source(bytes)
            .map_err(|reason| OriginError::NotMmdb { file: path.to_owned(), reason: reason.to_string() })?;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Ok(Self { name, reader })
    }

    /// Names the file, its type and its age.
    fn describe(&self) -> String {
        let metadata = self.reader.metadata();
        let moment =
            i64::try_from(metadata.build_epoch).ok().and_then(|epoch| jiff::Timestamp::from_second(epoch).ok());
        let built = moment.map_or_else(|| "at an unknown time".to_owned(), |at| at.strftime("%Y-%m-%d").to_string());
        format!("{} ({}), built {built}", self.name, shown(&metadata.database_type))
    }

    fn record(&self, address: IpAddr) -> Option<LookupResult<'_, Vec<u8>>> {
        self.reader.lookup(address).ok()
    }

    /// Returns the records of the first networks.
    fn first_records(&self) -> impl Iterator<Item = LookupResult<'_, Vec<u8>>> {
        let every_network = WithinOptions::default().include_networks_without_data();
        let networks = self.reader.networks(every_network).into_iter().flatten();
        networks.take(NETWORKS_TRIED).filter_map(Result::ok).filter(LookupResult::has_data)
    }

    /// Names the fields of the first record that has any.
    fn fields(&self) -> String {
        let of = |record: LookupResult<'_, Vec<u8>>| record.decode::<BTreeMap<String, IgnoredAny>>().ok().flatten();
        let names = |fields: BTreeMap<String, _>| fields.keys().take(MOST_NAMES).map(|name| shown(name)).collect();
        let names: Option<Vec<String>> = self.first_records().find_map(of).map(names);
        names.map_or_else(|| "no fields".to_owned(), |names| format!("`{}`", names.join("`, `")))
    }
}

fn text<'a>(record: &LookupResult<'a, Vec<u8>>, path: Field) -> Option<&'a str> {
    record.decode_path(path).ok().flatten()
}

/// A table of countries.
#[derive(Debug)]
pub(super) struct CountryFile {
    file: File,
    is_nested: bool,
}

impl CountryFile {
    pub(super) fn open(path: &Path) -> Result<Self, OriginError> {
        let file = File::open(path)?;
        let is_nested = file.first_records().any(|record| text(&record, COUNTRY_NESTED).is_some());
        if is_nested || file.first_records().any(|record| text(&record, COUNTRY_FLAT).is_some()) {
            return Ok(Self { file, is_nested });
        }
        Err(OriginError::NoCountry { file: path.to_owned(), fields: file.fields() })
    }

    pub(super) fn describe(&self) -> String {
        self.file.describe()
    }

    /// Returns the country of an address; unlisted space and unreadable records are unknown.
    pub(super) fn country(&self, address: IpAddr) -> Country {
        let Some(record) = self.file.record(address) else { return Country::UNKNOWN };
        let code = if self.is_nested {
            text(&record, COUNTRY_NESTED).or_else(|| text(&record, REGISTERED_NESTED))
        } else {
            text(&record, COUNTRY_FLAT)
        };
        code.map_or(Country::UNKNOWN, from_code)
    }
}

/// A table of autonomous systems.
#[derive(Debug)]
pub(super) struct AsnFile {
    file: File,
    number: Field,
}

impl AsnFile {
    pub(super) fn open(path: &Path) -> Result<Self, OriginError> {
        let file = File::open(path)?;
        let tells = |layout: &Field| file.first_records().any(|record| number(&record, layout).is_some());
        match ASN_LAYOUTS.into_iter().find(tells) {
            Some(number) => Ok(Self { file, number }),
            None => Err(OriginError::NoAsn { file: path.to_owned(), fields: file.fields() }),
        }
    }

    pub(super) fn describe(&self) -> String {
        self.file.describe()
    }

    pub(super) fn asn(&self, address: IpAddr) -> Option<u32> {
        number(&self.file.record(address)?, self.number)
    }
}

/// Reads a number, or a text such as `AS15169`.
fn number(record: &LookupResult<'_, Vec<u8>>, path: Field) -> Option<u32> {
    record.decode_path::<u32>(path).ok().flatten().or_else(|| {
        let written = text(record, path)?;
        written.strip_prefix("AS").unwrap_or(written).parse().ok()
    })
}
