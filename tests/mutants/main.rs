//! Damaged captures through the whole program: whatever the bytes, it ends by itself, soon, with its books in balance.
//!
//! Each mutant is a capture of others or a fixture with bytes flipped, cut, moved and mixed with another's, chosen by a
//! number. `VIGIE_MUTANTS=100000` runs so many (`make mutants`), `VIGIE_MUTANTS=4711..4712` runs one again; one that fails
//! is kept below `target/mutants`.

mod bombs;
mod judge;
mod mutation;
mod stock;

use std::fs;
use std::ops::Range;
use std::path::Path;

use judge::{Verdict, judge};
use mutation::mutate;

/// How many mutants plain `cargo test` makes.
const BY_DEFAULT: u64 = 150;

/// Which mutants are wanted.
fn wanted() -> Range<u64> {
    let Ok(text) = std::env::var("VIGIE_MUTANTS") else { return 0..BY_DEFAULT };
    let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("VIGIE_MUTANTS={text}: write 1000 or 4711..4712"));
    text.split_once("..").map_or_else(|| 0..number(&text), |(from, to)| number(from)..number(to))
}

#[test]
fn mutated_captures_are_read_as_far_as_they_go_and_every_frame_is_counted() {
    let stock = stock::stock();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mutant");
    let (mut read, mut frames, mut refused, mut failed) = (0_u64, 0, 0_u64, Vec::new());
    for number in wanted() {
        let mutant = mutate(&stock, number);
        fs::write(&path, &mutant.bytes).unwrap();
        match judge(&path) {
            Ok(Verdict::Read(packets)) => (read, frames) = (read + 1, frames + packets),
            Ok(Verdict::Refused) => refused += 1,
            Err(complaint) => failed.push(format!("{}: {complaint}", keep(number, &mutant))),
        }
    }
    eprintln!("{} mutants: {read} read with {frames} frames, {refused} refused, {} failed", wanted().end, failed.len());
    assert!(failed.is_empty(), "{} of {} failed: {failed:#?}", failed.len(), wanted().end);
    if wanted().count() >= 100 {
        // Neither hopeless damage nor none: both ways through the readers are taken.
        assert!(read > refused && refused > 0 && frames > 10 * read, "{read} read with {frames} frames, {refused} not");
    }
}

fn keep(number: u64, mutant: &mutation::Mutant) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/mutants");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(number.to_string());
    fs::write(&path, &mutant.bytes).unwrap();
    format!("mutant {number} of {}, kept as {}", mutant.origin, path.display())
}

#[test]
fn malformed_captures_of_others_balance_their_books() {
    let Some(captures) = stock::captures() else { return };
    for folder in ["malformed", "encap", "flowexport"] {
        for path in stock::files(&captures.join(folder)) {
            judge(&path).unwrap_or_else(|complaint| panic!("{}: {complaint}", path.display()));
        }
    }
}
