//! One file, written anew for each input: what is read from files is fuzzed through the functions that read them.

use std::path::PathBuf;
use std::sync::LazyLock;

static PATH: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("vigie-fuzz-{}", std::process::id())));

/// Writes the bytes and returns where they are.
pub(crate) fn file(bytes: &[u8]) -> &'static PathBuf {
    std::fs::write(&*PATH, bytes).expect("the temporary directory is writable");
    &PATH
}
