//! Countries and networks of addresses, from the embedded table, from files and from overrides.

#[path = "origin/mmdb_writer.rs"]
mod mmdb_writer;

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use mmdb_writer::{Value, mmdb};
use vigie::address::Address;
use vigie::country::Country;
use vigie::origin::{Home, OriginError, Origins, Settings};

fn country(origins: &Origins, address: &str) -> String {
    origins.country(address.parse().unwrap()).to_string()
}

fn written(bytes: &[u8]) -> tempfile::NamedTempFile {
    let file = tempfile::Builder::new().suffix(".mmdb").tempfile().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    file
}

fn with_geo(path: &Path) -> Result<Origins, OriginError> {
    Origins::load(&Settings { geo: Some(path.to_owned()), ..Settings::default() })
}

fn with_asn(path: &Path) -> Result<Origins, OriginError> {
    Origins::load(&Settings { asn: Some(path.to_owned()), ..Settings::default() })
}

fn with_overrides(overrides: &[(&str, &str)]) -> Result<Origins, OriginError> {
    let overrides = overrides.iter().map(|(prefix, country)| (prefix.parse().unwrap(), country.parse().unwrap()));
    Origins::load(&Settings { overrides: overrides.collect(), ..Settings::default() })
}

/// The development copy of IPtoASN, if it is there.
fn iptoasn() -> Option<PathBuf> {
    let root = std::env::var_os("VIGIE_TEST_GEO").map_or_else(|| PathBuf::from("../shared/geo"), PathBuf::from);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(root).join("iptoasn-country-20260617.mmdb");
    if file.is_file() {
        return Some(file);
    }
    assert_ne!(std::env::var("VIGIE_REQUIRE_ALL").as_deref(), Ok("1"), "{} is missing", file.display());
    eprintln!("SKIPPED: {} is missing; set VIGIE_TEST_GEO", file.display());
    None
}

#[test]
fn known_networks_have_their_country() {
    let origins = Origins::default();
    for (address, code) in [
        ("8.8.8.8", "US"),
        ("193.51.208.14", "FR"),   // RENATER, 193.48.0.0/14
        ("195.220.94.1", "FR"),    // RENATER
        ("41.140.1.1", "MA"),      // Maroc Telecom
        ("196.200.131.104", "MA"), // MARWAN
        ("77.88.8.8", "RU"),       // Yandex
        ("114.114.114.114", "CN"),
        ("2001:660:3001::1", "FR"),     // RENATER
        ("2a01:e0a:1:2:3:4:5:6", "FR"), // Free
        ("2001:4860:4860::8888", "US"),
        ("2001:4200::1", "ZA"),
    ] {
        assert_eq!(country(&origins, address), code, "{address}");
    }
}

/// First, last and middle addresses of space that nobody abroad can have.
const NOBODYS: &[&str] = &[
    "0.0.0.0",
    "10.0.0.0",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "169.254.1.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.255.255",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.99",
    "203.0.113.200",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "64:ff9b::8.8.8.8",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:808:808::1",
    "3fff::1",
    "4000::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "ff02::1",
];

#[test]
fn reserved_space_is_unknown_and_never_foreign() {
    let home = Home::with_overseas(&["FR".parse().unwrap()]);
    // A file that claims the whole of both address families changes nothing.
    let claim = || Value::Map(vec![("country_code", Value::Text("RU"))]);
    let greedy = written(&mmdb("claims-all", 0, &[("::/1", claim()), ("8000::/1", claim()), ("0.0.0.0/1", claim())]));
    for origins in [Origins::default(), with_geo(greedy.path()).unwrap()] {
        for text in NOBODYS {
            let country = origins.country(text.parse().unwrap());
            assert_eq!(country, Country::UNKNOWN, "{text}");
            assert!(!home.is_foreign(country), "{text}");
        }
    }
}

#[test]
fn neighbours_of_reserved_space_are_not_reserved() {
    let claim = || Value::Map(vec![("country_code", Value::Text("RU"))]);
    let greedy = written(&mmdb("claims-all", 0, &[("::/1", claim())]));
    let origins = with_geo(greedy.path()).unwrap();
    for text in [
        "1.0.0.0",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.0.3.0",
        "192.167.255.255",
        "198.17.255.255",
        "198.20.0.0",
        "203.0.114.0",
        "223.255.255.255",
        "2000::",
        "2001:200::",
        "2001:db7:ffff::",
        "2001:db9::",
        "2001:ffff::",
        "2003::",
        "3ffe::",
        "3fff:1000::",
    ] {
        assert_eq!(country(&origins, text), "RU", "{text}");
    }
}

#[test]
fn the_longest_override_wins_before_any_table() {
    let origins = with_overrides(&[
        ("8.8.8.8", "MA"),
        ("8.8.8.0/24", "FR"),
        ("8.0.0.0/8", "BE"),
        ("2001:4860:4860::/48", "CH"),
        ("192.0.2.0/25", "DE"),
        ("198.51.100.0/24", "RU"),
        ("10.1.0.0/16", "FR"),
        ("2001:db8:1::/48", "ES"),
    ])
    .unwrap();
    for (address, code) in [
        ("8.8.8.8", "MA"),
        ("8.8.8.9", "FR"),
        ("8.8.9.8", "BE"),
        ("9.9.9.9", "US"),
        ("2001:4860:4860::8888", "CH"),
        ("2001:4860:4861::1", "US"),
        ("192.0.2.127", "DE"),
        ("192.0.2.128", "unknown"),
        ("198.51.100.1", "RU"),
        ("10.1.2.3", "FR"),
        ("10.2.2.3", "unknown"),
        ("2001:db8:1:2::3", "ES"),
        ("2001:db8:2::3", "unknown"),
    ] {
        assert_eq!(country(&origins, address), code, "{address}");
    }
    assert!(origins.describe().contains(&"8 prefix overrides".to_owned()), "{:?}", origins.describe());
}

#[test]
fn overrides_that_contradict_each_other_are_refused() {
    let error = with_overrides(&[("192.0.2.0/24", "FR"), ("10.0.0.0/8", "FR"), ("192.0.2.0/24", "DE")]).unwrap_err();
    assert_eq!(error.to_string(), "192.0.2.0/24 is overridden twice, as DE and as FR: keep one");
    assert!(with_overrides(&[("192.0.2.0/24", "FR"), ("192.0.2.0/24", "FR")]).is_ok());
}

fn nested(key: &'static str, code: &'static str) -> (&'static str, Value) {
    (key, Value::Map(vec![("geoname_id", Value::U32(1)), ("iso_code", Value::Text(code))]))
}

#[test]
fn nested_country_files_are_read_as_geolite2_writes_them() {
    let file = written(&mmdb(
        "GeoLite2-Country",
        1_781_654_400,
        &[
            ("1.0.0.0/24", Value::Map(vec![nested("continent", "OC"), nested("country", "AU")])),
            ("5.5.5.0/24", Value::Map(vec![nested("country", "FR"), nested("registered_country", "DE")])),
            ("5.5.5.128/25", Value::Map(vec![nested("registered_country", "LU")])),
            ("6.6.6.0/24", Value::Map(vec![nested("continent", "EU")])),
            ("2a00::/16", Value::Map(vec![nested("country", "MA")])),
        ],
    ));
    let origins = with_geo(file.path()).unwrap();
    for (address, code) in [
        ("1.0.0.77", "AU"),
        ("5.5.5.1", "FR"),
        ("5.5.5.200", "LU"),
        ("6.6.6.6", "unknown"),
        ("7.7.7.7", "unknown"),
        ("2a00:1::1", "MA"),
        ("2a01::1", "unknown"),
    ] {
        assert_eq!(country(&origins, address), code, "{address}");
    }
    let described = origins.describe().concat();
    assert!(described.ends_with(".mmdb (GeoLite2-Country), built 2026-06-17"), "{described}");
}

#[test]
fn both_layouts_of_autonomous_systems_are_read() {
    let maxmind = |number, name| {
        Value::Map(vec![
            ("autonomous_system_number", Value::U32(number)),
            ("autonomous_system_organization", Value::Text(name)),
        ])
    };
    let ipinfo = |number, name| Value::Map(vec![("asn", Value::Text(number)), ("as_name", Value::Text(name))]);
    let nested = written(&mmdb("GeoLite2-ASN", 0, &[("8.8.8.0/24", maxmind(15_169, "GOOGLE"))]));
    let flat = written(&mmdb("ipinfo lite", 0, &[("8.8.8.0/24", ipinfo("AS15169", "GOOGLE"))]));
    for file in [nested, flat] {
        let origins = with_asn(file.path()).unwrap();
        assert_eq!(origins.asn("8.8.8.8".parse().unwrap()), Some(15_169));
        assert_eq!(origins.asn("9.9.9.9".parse().unwrap()), None);
        assert_eq!(country(&origins, "8.8.8.8"), "US", "the embedded countries stay");
        assert_eq!(origins.describe().len(), 2);
    }
    assert_eq!(Origins::default().asn("8.8.8.8".parse().unwrap()), None);
}

#[test]
fn what_is_no_such_file_is_refused_in_one_sentence() {
    let missing = with_geo(Path::new("/nonexistent/countries.mmdb")).unwrap_err().to_string();
    assert!(missing.starts_with("/nonexistent/countries.mmdb: cannot be read: No such file"), "{missing}");
    assert!(matches!(with_geo(&std::env::temp_dir()), Err(OriginError::Unreadable { .. })));
    for bytes in [&b""[..], b"network,country\n8.8.8.0/24,US\n", &[0xff; 4096]] {
        let file = written(bytes);
        let error = with_geo(file.path()).unwrap_err();
        assert!(matches!(error, OriginError::NotMmdb { .. }), "{error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
    let asn = Value::Map(vec![("autonomous_system_number", Value::U32(1))]);
    let asn = written(&mmdb("GeoLite2-ASN", 0, &[("8.8.8.0/24", asn)]));
    let error = with_geo(asn.path()).unwrap_err().to_string();
    assert!(error.contains("holds no countries: its records have `autonomous_system_number`, expected"), "{error}");
    let geo = written(&mmdb("c", 0, &[("8.8.8.0/24", Value::Map(vec![("country_code", Value::Text("US"))]))]));
    let error = with_asn(geo.path()).unwrap_err().to_string();
    assert!(error.contains("holds no autonomous systems: its records have `country_code`, expected"), "{error}");
}

/// Found by fuzzing: names of fields went to the terminal as they were, line breaks and escape sequences included.
#[test]
fn what_a_file_calls_its_fields_is_escaped_and_cut() {
    let long = "x".repeat(200).leak();
    let fields = vec![("countr\n\u{1b}[2J", Value::Text("FR")), (long, Value::Text("FR"))];
    let file = written(&mmdb("evil\u{1b}]0;", 0, &[("8.8.8.0/24", Value::Map(fields))]));
    let error = with_geo(file.path()).unwrap_err().to_string();
    assert!(error.contains("its records have `countr\\n\\u{1b}[2J`, `xxx"), "{error}");
    assert!(error.len() < 400 && !error.contains(char::is_control), "{error}");
    let country = Value::Map(vec![("country_code", Value::Text("FR"))]);
    let file = written(&mmdb("evil\u{1b}]0;", 0, &[("8.8.8.0/24", country)]));
    let described = with_geo(file.path()).unwrap().describe().join(" ");
    assert!(described.contains("(evil\\u{1b}]0;)") && !described.contains(char::is_control), "{described}");
}

/// A file that is damaged anywhere is refused or answers; it never stops the run.
#[test]
fn damaged_files_never_panic() {
    let record = |code| Value::Map(vec![("country_code", Value::Text(code))]);
    let whole =
        mmdb("x", 0, &[("8.8.8.0/24", record("US")), ("9.9.9.0/24", record("FR")), ("2a00::/16", record("MA"))]);
    let file = written(&whole);
    for place in 0..whole.len() {
        for value in [0xff, whole[place].wrapping_add(1)] {
            let mut bytes = whole.clone();
            bytes[place] = value;
            // In place: emptying a file and filling it again waits for the disk.
            file.as_file().write_all_at(&bytes, 0).unwrap();
            if let Ok(origins) = with_geo(file.path()) {
                for text in ["8.8.8.8", "9.9.9.9", "1.1.1.1", "2a00::1"] {
                    let _country = origins.country(text.parse().unwrap());
                }
            }
        }
    }
}

/// Addresses spread over the whole space, always the same ones.
fn spread(count: u32) -> impl Iterator<Item = Address> {
    (0..count).map(|n| Address::v4(n.wrapping_mul(2_654_435_761).to_be_bytes()))
}

#[test]
fn the_real_file_agrees_with_the_embedded_table() {
    let Some(file) = iptoasn() else { return };
    let (embedded, origins) = (Origins::default(), with_geo(&file).unwrap());
    assert_eq!(origins.describe(), ["iptoasn-country-20260617.mmdb (country ipvAll), built 2026-06-17"]);
    assert_eq!(country(&origins, "8.8.8.8"), "US");
    assert_eq!(country(&origins, "193.51.208.14"), "FR");
    assert_eq!(country(&origins, "2001:660:3001::1"), "FR");
    let (mut both, mut same, mut either) = (0_u32, 0_u32, 0_u32);
    for address in spread(200_000) {
        let (ours, theirs) = (embedded.country(address), origins.country(address));
        either += u32::from(ours.is_known() || theirs.is_known());
        both += u32::from(ours.is_known() && theirs.is_known());
        same += u32::from(ours.is_known() && ours == theirs);
    }
    let share = f64::from(same) / f64::from(both);
    eprintln!("{either} of 200000 addresses are known, {both} to both tables, which agree on {:.1} %", share * 100.0);
    assert!(both > 120_000, "{both}");
    assert!(share > 0.85, "{share}");
}
