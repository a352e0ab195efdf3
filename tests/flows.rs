//! Flow records of whole runs: Parquet says what JSON lines say, to the crate that wrote it and to DuckDB, and a file is
//! whole or not there.

#[expect(dead_code, reason = "each test file uses its part of what they share")]
mod support;

use std::fs::{self, File};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;
use serde_json::{Map, Value};
use support::Deadline;
use vigie::time::Timestamp;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/syn-flood.pcap.zst")
}

fn vigie(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vigie"));
    command.args(["replay", "-q", fixture().to_str().unwrap()]).args(arguments);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn replay(flows: &Path, threads: &str) {
    let status = vigie(&["--threads", threads, "--flows", flows.to_str().unwrap()]).status().unwrap();
    assert!(status.success());
}

fn lines(path: &Path) -> Vec<Map<String, Value>> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Every cell by name, as the JSON form writes it; what is null is absent.
fn rows(path: &Path) -> Vec<Map<String, Value>> {
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let cell = |(name, field): (&String, &Field)| {
        let value: Value = match field {
            Field::Null => return None,
            Field::TimestampMicros(time) => Timestamp::from_nanos(time.cast_unsigned() * 1_000).to_string().into(),
            Field::Str(text) => text.as_str().into(),
            Field::Bool(truth) => (*truth).into(),
            Field::UByte(number) => (*number).into(),
            Field::UShort(number) => (*number).into(),
            Field::ULong(number) => (*number).into(),
            other => panic!("{name} is {other:?}"),
        };
        Some((name.clone(), value))
    };
    let rows = reader.get_row_iter(None).unwrap().map(Result::unwrap);
    rows.map(|row| row.get_column_iter().filter_map(cell).collect()).collect()
}

#[test]
fn parquet_says_what_json_lines_say_whatever_the_threads() {
    let folder = tempfile::tempdir().unwrap();
    let (json, parquet) = (folder.path().join("flows.jsonl"), folder.path().join("flows.parquet"));
    replay(&json, "1");
    replay(&parquet, "3");
    let lines = lines(&json);
    assert!(lines.len() > 100, "{} flows", lines.len());
    assert!(rows(&parquet) == lines, "Parquet and JSON lines differ");
}

#[test]
fn truncated_records_hold_no_outside_address_in_any_format() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (full, json, csv, parquet) = (path("full.jsonl"), path("t.jsonl"), path("t.csv"), path("t.parquet"));
    for (file, privacy) in [(&full, "full"), (&json, "truncate"), (&csv, "truncate"), (&parquet, "truncate")] {
        let protect = ["--protect", "203.0.113.0/24=ecole", "--protect", "2001:db8:113::/48=ecole"];
        let flows = ["--flows", file.to_str().unwrap()];
        let status = vigie(&protect).args(flows).env("VIGIE_PRIVACY", privacy).status().unwrap();
        assert!(status.success());
    }
    let outside = |address: &str| {
        let address: IpAddr = address.parse().unwrap();
        match address {
            IpAddr::V4(v4) => v4.octets()[..3] != [203, 0, 113],
            IpAddr::V6(v6) => v6.segments()[..3] != [0x2001, 0xdb8, 0x113],
        }
    };
    let network = |address: &str| match address.parse().unwrap() {
        IpAddr::V4(v4) => IpAddr::from([v4.octets()[0], v4.octets()[1], v4.octets()[2], 0]).to_string(),
        IpAddr::V6(v6) => {
            let [a, b, c, ..] = v6.segments();
            IpAddr::from([a, b, c, 0, 0, 0, 0, 0]).to_string()
        }
    };
    let (full, truncated) = (lines(&full), lines(&json));
    let mut hidden = 0;
    let expected: Vec<Map<String, Value>> = full
        .into_iter()
        .map(|mut record| {
            for (_, value) in record.iter_mut().filter(|(name, _)| name.ends_with("Address")) {
                let address = value.as_str().unwrap().to_owned();
                if outside(&address) {
                    hidden += 1;
                    *value = network(&address).into();
                }
            }
            record
        })
        .collect();
    assert!(hidden > 100, "{hidden}");
    assert!(truncated == expected, "JSON lines hold more or less than they should");
    assert!(rows(&parquet) == expected, "Parquet does");
    let text = fs::read_to_string(&csv).unwrap();
    let columns: Vec<&str> = text.lines().next().unwrap().split(',').collect();
    assert_eq!(text.lines().count(), 1 + expected.len());
    for (line, record) in text.lines().skip(1).zip(&expected) {
        for (column, cell) in columns.iter().zip(line.split(',')).filter(|(column, _)| column.ends_with("Address")) {
            assert_eq!(cell, record.get(*column).map_or("", |value| value.as_str().unwrap()), "{line}");
        }
    }
}

/// A Python that has DuckDB: the one that `make test` sets up, or the system's.
fn python() -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/python/bin/python");
    let has_duckdb = |python: &PathBuf| {
        let asked = Command::new(python).args(["-c", "import duckdb"]).stderr(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    };
    [own, PathBuf::from("python3")].into_iter().find(has_duckdb)
}

#[test]
fn duckdb_reads_types_and_sums() {
    // It comes from PyPI, which is not in reach everywhere: its absence fails no gate.
    let Some(python) = python() else { return eprintln!("SKIPPED: no Python has DuckDB, which `make test` installs") };
    let folder = tempfile::tempdir().unwrap();
    let (json, parquet) = (folder.path().join("flows.jsonl"), folder.path().join("flows.parquet"));
    replay(&json, "2");
    replay(&parquet, "2");
    let query = "import duckdb, json, sys
flows = duckdb.read_parquet(sys.argv[1])
print(json.dumps(dict(zip(flows.columns, map(str, flows.types)))))
print(json.dumps(flows.aggregate('''count(*), sum(packetDeltaCount)::BIGINT, sum(reverseOctetDeltaCount)::BIGINT,
    count(sourceIPv4Address), count(icmpTypeCodeIPv6), count(*) FILTER (vigieSourceVerified),
    strftime(min(flowStartMicroseconds) AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ')''').fetchall()[0]))";
    let output = Command::new(python).args(["-c", query]).arg(&parquet).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    let (types, sums) = said.trim().split_once('\n').unwrap();
    let types: Map<String, Value> = serde_json::from_str(types).unwrap();
    let expected = [
        ("flowStartMicroseconds", "TIMESTAMP WITH TIME ZONE"),
        ("sourceIPv4Address", "VARCHAR"),
        ("protocolIdentifier", "UTINYINT"),
        ("sourceTransportPort", "USMALLINT"),
        ("octetDeltaCount", "UBIGINT"),
        ("vigieSourceVerified", "BOOLEAN"),
    ];
    for (name, kind) in expected {
        assert_eq!(types[name], kind, "{name}");
    }
    assert_eq!(types.len(), 20);
    let lines = lines(&json);
    let sum = |name: &str| lines.iter().map(|line| line[name].as_u64().unwrap()).sum::<u64>();
    let count = |name: &str| lines.iter().filter(|line| line.contains_key(name)).count();
    let verified = lines.iter().filter(|line| line["vigieSourceVerified"] == true).count();
    let first = lines.iter().map(|line| line["flowStartMicroseconds"].as_str().unwrap()).min().unwrap();
    let expected = serde_json::json!([
        lines.len(),
        sum("packetDeltaCount"),
        sum("reverseOctetDeltaCount"),
        count("sourceIPv4Address"),
        count("icmpTypeCodeIPv6"),
        verified,
        first
    ]);
    assert_eq!(serde_json::from_str::<Value>(sums).unwrap(), expected);
}

/// A replay at recorded pace that has begun its file.
fn under_way(parquet: &Path) -> Child {
    let child = vigie(&["--speed", "1", "--flows", parquet.to_str().unwrap()]).spawn().unwrap();
    let part = parquet.with_extension("parquet.part");
    assert!(Deadline::after(Duration::from_secs(30)).wait_until(|| part.exists()));
    child
}

fn signal(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn an_interrupted_run_leaves_a_whole_file() {
    let folder = tempfile::tempdir().unwrap();
    let parquet = folder.path().join("flows.parquet");
    let mut child = under_way(&parquet);
    signal(&child, "-INT");
    assert!(child.wait().unwrap().success());
    let _ = rows(&parquet);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_killed_run_leaves_no_file_that_looks_whole() {
    let folder = tempfile::tempdir().unwrap();
    let parquet = folder.path().join("flows.parquet");
    let mut child = under_way(&parquet);
    signal(&child, "-KILL");
    child.wait().unwrap();
    assert!(!parquet.exists());
    assert!(SerializedFileReader::new(File::open(parquet.with_extension("parquet.part")).unwrap()).is_err());
}
