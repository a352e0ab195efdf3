//! Stretches of the committed fixtures, ready to be sent on a wire.

use std::fs::File;
use std::path::{Path, PathBuf};

use serde_json::Value;
use vigie::time::Timestamp;

/// A committed scenario: its capture and its truth.
pub(crate) struct Fixture {
    capture: Vec<u8>,
    truth: Value,
}

impl Fixture {
    /// Reads `fixtures/NAME.pcap.zst` and the truth beside it.
    pub(crate) fn read(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(format!("{name}.pcap.zst"));
        let open = |path: &Path| File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let capture = zstd::stream::decode_all(open(&path)).expect("the fixture is whole");
        let mut beside = path.into_os_string();
        beside.push(".truth.json");
        let truth = serde_json::from_reader(open(&PathBuf::from(beside))).expect("the truth is JSON");
        Self { capture, truth }
    }

    /// The truth's `--protect` and `--home` as arguments.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let texts = |key: &str| {
            let values = self.truth[key].as_array().into_iter().flatten();
            values.map(|value| value.as_str().expect("a text").to_owned()).collect::<Vec<_>>()
        };
        let home = texts("home").join(",");
        let protect = texts("protect").into_iter().flat_map(|prefix| ["--protect".to_owned(), prefix]);
        protect.chain(["--home".to_owned(), home]).collect()
    }

    /// The prefixes of `--protect`, without their names.
    pub(crate) fn protected(&self) -> Vec<String> {
        let values = self.truth["protect"].as_array().into_iter().flatten();
        values.map(|value| value.as_str().expect("a text").split('=').next().expect("a part").to_owned()).collect()
    }

    /// When the first event of a kind starts.
    pub(crate) fn start_of(&self, kind: &str) -> Timestamp {
        let mut events = self.truth["events"].as_array().into_iter().flatten();
        let event = events.find(|event| event["kind"] == kind).unwrap_or_else(|| panic!("the truth has no {kind}"));
        parse_time(event["start"].as_str().expect("a time"))
    }

    /// The first moment of the capture.
    pub(crate) fn start(&self) -> Timestamp {
        self.records().next().expect("the fixture is not empty").0
    }

    /// Writes the frames of a stretch of time as an Ethernet capture, each as long as it was on the wire; returns how
    /// many there are. What the fixture's snap length cut is filled with zeroes, since a wire carries whole frames.
    pub(crate) fn write_stretch(&self, from: Timestamp, to: Timestamp, path: &Path) -> u64 {
        let mut out = self.capture[..24].to_vec();
        out[16..20].copy_from_slice(&262_144u32.to_le_bytes());
        let mut count = 0;
        for (_, record) in self.records().filter(|(time, _)| (from..to).contains(time)) {
            let wire_len = word(record, 12);
            let whole = usize::try_from(wire_len).expect("a frame's length");
            out.extend(&record[..8]);
            out.extend(wire_len.to_le_bytes());
            out.extend(wire_len.to_le_bytes());
            out.extend(&record[16..]);
            out.resize(out.len() + whole - (record.len() - 16), 0);
            count += 1;
        }
        std::fs::write(path, out).expect("the temporary directory is writable");
        count
    }

    /// The records with their times. Fixtures are pcap files with nanoseconds, as this machine writes them.
    fn records(&self) -> impl Iterator<Item = (Timestamp, &[u8])> {
        assert_eq!(word(&self.capture, 0), 0xa1b2_3c4d, "a pcap file with nanoseconds, little-endian");
        let mut rest = &self.capture[24..];
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let length = 16 + usize::try_from(word(rest, 8)).expect("a frame's length");
            let (record, after) = rest.split_at(length);
            rest = after;
            let time = u64::from(word(record, 0)) * 1_000_000_000 + u64::from(word(record, 4));
            Some((Timestamp::from_nanos(time), record))
        })
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// Reads RFC 3339.
fn parse_time(text: &str) -> Timestamp {
    let moment: jiff::Timestamp = text.parse().expect("the contract's time format");
    Timestamp::from_nanos(u64::try_from(moment.as_nanosecond()).expect("after 1970"))
}
