//! Instructions a packet, counted: no family of packets may cost more than it did.
//!
//! callgrind (valgrind) counts what the program executes, the same on a busy machine as on an idle one. Each family is
//! replayed twice over the same two seconds, once with few packets and once with many; the difference is what packets
//! cost, with their share of the tick's work, and without what starting costs. The counts are those of the binary that
//! the tests are built with (`profile.dev`): a tenth to a quarter more than of a release, and moved by the same changes.
//!
//! `VIGIE_BLESS=1` writes the table anew; `VIGIE_INSTRUCTIONS_OF=target/release/vigie` prints what another binary takes.

#[path = "../benches/families/mod.rs"]
mod families;
#[expect(dead_code, reason = "each test file uses its part of what they share")]
mod support;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use families::{FAMILIES, Family};

/// Where the counts are kept.
const TABLE: &str = "tests/instructions.txt";
/// How much more a family may take than the table says.
const TOLERATED: f64 = 1.05;
const FEW: u32 = 9_216;
const MANY: u32 = 4 * FEW;
/// Capture time of a replay: eight ticks.
const SECONDS: u64 = 2;

fn write_capture(family: &Family, packets: u32, path: &Path) {
    let mut bytes = [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 65_535, 1].map(u32::to_le_bytes).concat();
    for n in 0..packets {
        let frame = (family.frame)(n);
        let nanos = u64::from(n) * SECONDS * 1_000_000_000 / u64::from(packets);
        let time =
            [1_700_000_000 + nanos / 1_000_000_000, nanos % 1_000_000_000].map(|part| u32::try_from(part).unwrap());
        let length = u32::try_from(frame.len()).unwrap();
        bytes.extend([time[0], time[1], length, length].map(u32::to_le_bytes).concat());
        bytes.extend(frame);
    }
    std::fs::write(path, bytes).unwrap();
}

/// Instructions of a whole replay.
fn instructions(binary: &Path, capture: &Path) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(binary)
        .args(["replay", "-q", "--threads", "1", "--home", "FR", "--protect", "203.0.113.0/24"])
        .args(["--protect", "2001:db8:1::/48"])
        .arg(capture)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let line = said.lines().find(|line| line.contains("Collected :")).unwrap_or_else(|| panic!("{said}"));
    line.rsplit(' ').next().and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("{line}"))
}

fn a_packet(binary: &Path, family: &Family, folder: &Path) -> u64 {
    let of = |packets| {
        let capture = folder.join(format!("{}-{packets}.pcap", family.name.replace(' ', "-")));
        write_capture(family, packets, &capture);
        instructions(binary, &capture)
    };
    (of(MANY) - of(FEW)) / u64::from(MANY - FEW)
}

fn read_table(text: &str) -> BTreeMap<String, u64> {
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    rows.filter_map(|line| line.rsplit_once(' '))
        .map(|(name, count)| (name.trim().to_owned(), count.parse().unwrap()))
        .collect()
}

/// Counts all families, two at a time.
fn count(binary: &Path) -> BTreeMap<String, u64> {
    let folder = tempfile::tempdir().unwrap();
    let (odd, even): (Vec<_>, Vec<_>) = FAMILIES.iter().enumerate().partition(|(n, _)| n % 2 == 1);
    std::thread::scope(|scope| {
        let halves = [odd, even].map(|half| {
            let folder = folder.path();
            scope.spawn(move || {
                half.into_iter()
                    .map(|(_, family)| (family.name.to_owned(), a_packet(binary, family, folder)))
                    .collect::<Vec<_>>()
            })
        });
        halves.into_iter().flat_map(|half| half.join().unwrap()).collect()
    })
}

#[test]
fn no_family_of_packets_takes_more_instructions_than_it_did() {
    if Command::new("valgrind").arg("--version").output().is_err() {
        return support::skip("valgrind is not installed");
    }
    if let Ok(other) = std::env::var("VIGIE_INSTRUCTIONS_OF") {
        count(&PathBuf::from(other)).iter().for_each(|(name, count)| eprintln!("{name:<22}{count:>7}"));
        return;
    }
    if !cfg!(debug_assertions) {
        return support::skip("the table is of the test profile, and this is another");
    }
    let counts = count(Path::new(env!("CARGO_BIN_EXE_vigie")));
    if std::env::var("VIGIE_BLESS").is_ok() {
        let mut text = "# Instructions a packet by family, test profile; written by VIGIE_BLESS=1 cargo test --test instructions\n".to_owned();
        counts.iter().for_each(|(name, count)| writeln!(text, "{name:<22}{count:>7}").unwrap());
        std::fs::write(TABLE, text).unwrap();
        return;
    }
    let table = read_table(&std::fs::read_to_string(TABLE).unwrap());
    assert_eq!(table.keys().collect::<Vec<_>>(), counts.keys().collect::<Vec<_>>(), "the families of {TABLE}");
    let dearer = counts.iter().filter(|(name, count)| **count as f64 > TOLERATED * table[*name] as f64);
    let dearer: Vec<String> = dearer.map(|(name, count)| format!("{name}: {count}, was {}", table[name])).collect();
    assert!(dearer.is_empty(), "instructions a packet rose by more than 5 %: {dearer:?}");
}
