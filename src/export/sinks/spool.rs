//! Lines that wait on disk: one file a line, named by a number that rises, in a folder of the sink's own.
//!
//! A line is written beside and renamed, so that a folder holds whole lines only, whenever the program was stopped; it is
//! removed once the receiver took it. So a line may come twice only when the program is killed between the two, and every
//! receiver that cares gets a key to tell ([`super::Told::key`]). Files are not synced one by one: what survives is the
//! end of the program, not of the machine's power in the same second.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Ending of a line's file.
const ENDING: &str = "json";

/// A folder of lines, held by one program at a time.
#[derive(Debug)]
pub(super) struct Spool {
    folder: PathBuf,
    next: u64,
    _lock: File,
}

impl Spool {
    /// Opens the folder, or makes it.
    ///
    /// # Errors
    /// When it cannot be used, or another program uses it.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let lock = OpenOptions::new().create(true).append(true).mode(0o600).open(folder.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let text = "another vigie uses it: give this one another --state or spool";
                return Err(io::Error::new(io::ErrorKind::WouldBlock, text));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let mut spool = Self { folder: folder.to_owned(), next: 1, _lock: lock };
        spool.next = spool.numbers()?.last().map_or(1, |last| last + 1);
        Ok(spool)
    }

    /// Returns the numbers of the lines that wait, in their order.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub(super) fn numbers(&self) -> io::Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == ENDING)
                && let Some(number) = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok())
            {
                numbers.push(number);
            }
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Keeps a line; returns its number.
    ///
    /// # Errors
    /// When it cannot be written; then nothing of it is left.
    pub(super) fn keep(&mut self, line: &str) -> io::Result<u64> {
        let number = self.next;
        let beside = self.folder.join("beside");
        let write = || -> io::Result<()> {
            let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&beside)?;
            file.write_all(line.as_bytes())?;
            fs::rename(&beside, self.path(number))
        };
        write().inspect_err(|_| drop(fs::remove_file(&beside)))?;
        self.next += 1;
        Ok(number)
    }

    /// Reads a line again.
    ///
    /// # Errors
    /// When it is not there any more or not text.
    pub(super) fn read(&self, number: u64) -> io::Result<String> {
        fs::read_to_string(self.path(number))
    }

    /// Forgets a line.
    ///
    /// # Errors
    /// When its file cannot be removed.
    pub(super) fn forget(&self, number: u64) -> io::Result<()> {
        fs::remove_file(self.path(number))
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:012}.{ENDING}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_survive_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spool/hook");
        let mut spool = Spool::open(&path).unwrap();
        let numbers: Vec<u64> = ["a", "b", "c"].iter().map(|line| spool.keep(line).unwrap()).collect();
        spool.forget(numbers[1]).unwrap();
        drop(spool);
        let mut spool = Spool::open(&path).unwrap();
        let lines: Vec<String> = spool.numbers().unwrap().iter().map(|n| spool.read(*n).unwrap()).collect();
        assert_eq!(lines, ["a", "c"]);
        assert!(spool.keep("d").unwrap() > numbers[2]);
    }

    #[test]
    fn one_program_at_a_time_holds_a_spool() {
        let folder = tempfile::tempdir().unwrap();
        let held = Spool::open(folder.path()).unwrap();
        assert!(Spool::open(folder.path()).unwrap_err().to_string().contains("another vigie"));
        drop(held);
        assert!(Spool::open(folder.path()).is_ok());
    }

    #[test]
    fn what_is_no_line_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["beside", "notes.txt", "x.json"] {
            fs::write(folder.path().join(name), "?").unwrap();
        }
        assert!(Spool::open(folder.path()).unwrap().numbers().unwrap().is_empty());
    }
}
