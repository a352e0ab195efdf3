//! What mutants are made of: the captures of others, where they are at hand, and the beginnings of the fixtures.

use std::fs;
use std::path::{Path, PathBuf};

/// Longest beginning taken of a file: damage does more to a small one.
const LONGEST: usize = 48 << 10;

/// A whole file or the beginning of one.
pub(crate) struct Piece {
    /// Its folder and name.
    pub(crate) name: String,
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
}

/// Where the captures of others are; says visibly that they are not there.
pub(crate) fn captures() -> Option<PathBuf> {
    let folder = std::env::var("VIGIE_CAPTURES").unwrap_or_else(|_| "../shared/captures".to_owned());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var("VIGIE_REQUIRE_ALL").as_deref() != Ok("1"), "{} is not there", folder.display());
    eprintln!("SKIPPED: no captures at {}", folder.display());
    None
}

/// The files of a folder that are no descriptions, by name.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.is_file() && file.extension().is_none_or(|ending| ending != "md" && ending != "json"));
    files.sort();
    files
}

/// Everything mutants are made of, in an order of its own. Compressed files come in both forms.
pub(crate) fn stock() -> Vec<Piece> {
    let folders =
        ["benign", "bruteforce", "c2", "encap", "exfiltration", "flood", "malformed", "reflection", "scan", "slow"];
    let captures = captures();
    let folders = captures.iter().flat_map(|captures| folders.map(|folder| captures.join(folder)));
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let paths = folders.chain([fixtures]).filter(|folder| folder.is_dir()).flat_map(|folder| files(&folder));
    paths.flat_map(|path| pieces(&path)).collect()
}

fn pieces(path: &Path) -> Vec<Piece> {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let bytes = fs::read(path).unwrap();
    let plain = match bytes.first_chunk() {
        Some([0x28, 0xb5, 0x2f, 0xfd]) => zstd::stream::decode_all(&bytes[..]).ok(),
        _ => None,
    };
    let of = |name: String, bytes: &[u8]| Piece { name, bytes: bytes[..bytes.len().min(LONGEST)].to_vec() };
    let unpacked = plain.map(|plain| of(format!("{name}, unpacked"), &plain));
    [of(name, &bytes)].into_iter().chain(unpacked).collect()
}
