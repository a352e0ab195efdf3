//! Writing a report to its file: to a temporary neighbour first, then renamed, so that a page is whole or not there.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Why a report could not be written. The text is one sentence: what, where, what to do.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The disk is full.
    #[error("{}: the disk is full, so the report was not written; free some space or name another place", path.display())]
    Full {
        /// The report.
        path: PathBuf,
    },
    /// The path names a directory.
    #[error("{}: this is a directory; name a file such as {}", path.display(), path.join("report.html").display())]
    Directory {
        /// The path given.
        path: PathBuf,
    },
    /// Anything else that the system refused.
    #[error("{}: the report was not written: {source}", path.display())]
    Refused {
        /// The report.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Writes `content` to `path`; on any failure what was there before is unchanged and nothing is left behind.
///
/// # Errors
/// When the file cannot be created, written or put in its place.
pub fn write_whole(path: &Path, content: &str) -> Result<(), WriteError> {
    if path.is_dir() {
        return Err(WriteError::Directory { path: path.to_owned() });
    }
    // A device, a pipe or a link is written into; only a file of our own is put in place by renaming.
    if fs::symlink_metadata(path).is_ok_and(|there| !there.is_file()) {
        return fs::write(path, content).map_err(|source| refusal(path, source));
    }
    let temporary = neighbour(path);
    let written = write_synced(&temporary, content).and_then(|()| fs::rename(&temporary, path));
    written.map_err(|source| {
        // The first error is the one to tell; that nothing was there to remove is no second one.
        let _ = fs::remove_file(&temporary);
        refusal(path, source)
    })
}

fn refusal(path: &Path, source: io::Error) -> WriteError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => WriteError::Full { path },
        _ => WriteError::Refused { path, source },
    }
}

/// Writes and waits for the disk: a rename that outlives its content would be worse than no report.
fn write_synced(path: &Path, content: &str) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()
}

/// Returns a name in the same directory, so that the rename stays on one file system.
fn neighbour(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_in_one_sentence() {
        // The device on which every write fails as on a full disk.
        let source = write_synced(Path::new("/dev/full"), "x").unwrap_err();
        let error = refusal(Path::new("report.html"), source);
        let text =
            "report.html: the disk is full, so the report was not written; free some space or name another place";
        assert_eq!(error.to_string(), text);
    }
}
