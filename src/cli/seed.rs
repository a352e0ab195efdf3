//! The key of all hash tables: fixed for replays, random for live runs, or from a file.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;

use anyhow::{Context as _, bail};

use super::keeper::Opened;
use crate::config::Config;
use crate::hash::Seed;

/// Digits in a seed file.
const DIGITS: usize = 32;

/// Reads the seed from a file: 32 hexadecimal digits.
///
/// # Errors
/// When the file cannot be read or holds something else.
pub(super) fn read(path: &Path) -> anyhow::Result<Seed> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("--seed-file {}: the file cannot be read", path.display()))?;
    let digits = text.trim();
    let number = (digits.len() == DIGITS).then(|| u128::from_str_radix(digits, 16).ok()).flatten();
    let Some(number) = number else {
        bail!("--seed-file {}: a seed is {DIGITS} hexadecimal digits on one line", path.display());
    };
    let bytes = number.to_be_bytes();
    let half = |at: usize| bytes[at..at + 8].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    Ok(Seed([half(0), half(8)]))
}

/// Chooses the seed: that of the file, else that under which the state was kept, else a `fresh` one.
///
/// # Errors
/// When the file cannot be read or holds something else.
pub(super) fn choose(config: &Config, state: Option<&Opened>, fresh: impl FnOnce() -> Seed) -> anyhow::Result<Seed> {
    match &config.seed_file {
        Some(path) => read(path),
        None => Ok(state.and_then(Opened::seed).unwrap_or_else(fresh)),
    }
}

/// Draws a seed that nobody outside can know. The standard library keys its own tables from the system's random source,
/// and a keyed hash of nothing tells a key apart from chance as little as the key itself.
pub(super) fn random() -> Seed {
    let draw = || RandomState::new().build_hasher().finish();
    Seed([draw(), draw()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_read_as_two_halves() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "0000000000000001000000000000ff02\n").unwrap();
        assert_eq!(read(file.path()).unwrap(), Seed([1, 0xff02]));
        std::fs::write(file.path(), "one").unwrap();
        assert!(read(file.path()).unwrap_err().to_string().contains("32 hexadecimal digits"));
    }

    #[test]
    fn two_draws_differ() {
        assert_ne!(random(), random());
    }
}
