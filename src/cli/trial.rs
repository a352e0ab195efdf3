//! Whether what a run would write can be written: found out before it starts, and nothing is left behind.
//!
//! A file that is there is opened and left as it is. Elsewhere a file of our own is made and removed again, since only
//! that shows a full disk, a file system that is read-only, or a server that lets nobody write.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::config::{Config, Mistake, Mistakes};
use crate::export::flows::FlowFormat;

/// Tries every output that a configuration names.
///
/// # Errors
/// Each that cannot be written, with its line and what to do.
pub(super) fn outputs(config: &Config) -> Result<(), Mistakes> {
    let mut trial = Trial { config, mistakes: Vec::new() };
    trial.file("alerts", config.alerts.as_deref(), Placing::Written);
    // As a run does it: the neighbour is put in its place when it is whole.
    trial.file("report", config.report.as_deref(), Placing::Renamed);
    match config.flows.as_deref().map(FlowFormat::of).transpose() {
        Ok(Some(FlowFormat::Parquet)) => trial.file("flows", config.flows.as_deref(), Placing::Renamed),
        Ok(_) => trial.file("flows", config.flows.as_deref(), Placing::Written),
        Err(error) => trial.mistake("flows", error.to_string()),
    }
    trial.folder("evidence", config.evidence.as_deref());
    trial.folder("state", config.state.as_deref());
    if !config.sink.is_empty() {
        trial.folder("spool", config.spool.as_deref());
    }
    if trial.mistakes.is_empty() { Ok(()) } else { Err(Mistakes(trial.mistakes)) }
}

/// How a file comes to its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Placing {
    /// It is written where it is.
    Written,
    /// A neighbour is written and renamed, so that the folder must take another file.
    Renamed,
}

/// What came of it so far.
struct Trial<'a> {
    config: &'a Config,
    mistakes: Vec<Mistake>,
}

impl Trial<'_> {
    fn file(&mut self, key: &str, path: Option<&Path>, placing: Placing) {
        if let Some(path) = path {
            self.take(key, path, file(path, placing));
        }
    }

    fn folder(&mut self, key: &str, path: Option<&Path>) {
        if let Some(path) = path {
            self.take(key, path, folder(path));
        }
    }

    fn take(&mut self, key: &str, path: &Path, tried: io::Result<()>) {
        let Err(error) = tried else { return };
        let way_out = match error.kind() {
            io::ErrorKind::NotFound => "make its folder, or name another place",
            io::ErrorKind::IsADirectory => "name a file",
            io::ErrorKind::NotADirectory => "name another place",
            io::ErrorKind::StorageFull => "free some space, or name another place",
            _ => "let this user write there, or name another place",
        };
        self.mistake(key, format!("`{}` cannot be written: {error}: {way_out}", path.display()));
    }

    fn mistake(&mut self, key: &str, text: String) {
        self.mistakes.push(Mistake { place: self.config.place(key).clone(), text });
    }
}

/// Tries a file; `-` is standard output.
fn file(path: &Path, placing: Placing) -> io::Result<()> {
    match fs::metadata(path) {
        _ if path == Path::new("-") => Ok(()),
        Ok(there) if there.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(there) if there.is_file() => {
            OpenOptions::new().append(true).open(path)?;
            if placing == Placing::Renamed { inside(parent(path)) } else { Ok(()) }
        }
        // Whoever reads a pipe would see it opened, and a device is there to be written to.
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => inside(parent(path)),
        Err(error) => Err(error),
    }
}

/// Tries a folder; one that is not there would be made, with those above it.
fn folder(path: &Path) -> io::Result<()> {
    let there = path.ancestors().map(in_words).find(|path| path.exists());
    inside(there.unwrap_or(Path::new("/")))
}

fn parent(path: &Path) -> &Path {
    in_words(path.parent().unwrap_or(path))
}

/// Names the current folder, which is left out of relative paths.
fn in_words(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

/// Makes a file in a folder and removes it.
fn inside(folder: &Path) -> io::Result<()> {
    let trial = folder.join(format!(".vigie-check-{}", std::process::id()));
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&trial)?;
    fs::remove_file(trial)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_behind_and_nothing_is_changed() {
        let place = tempfile::tempdir().unwrap();
        let there = place.path().join("there.jsonl");
        fs::write(&there, "as it was").unwrap();
        let before = fs::metadata(&there).unwrap().modified().unwrap();
        for placing in [Placing::Written, Placing::Renamed] {
            file(&there, placing).unwrap();
            file(&place.path().join("new.jsonl"), placing).unwrap();
        }
        folder(place.path()).unwrap();
        folder(&place.path().join("new/and/deep")).unwrap();
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
        assert_eq!(fs::read_to_string(&there).unwrap(), "as it was");
        assert_eq!(fs::metadata(&there).unwrap().modified().unwrap(), before);
    }

    #[test]
    fn what_cannot_be_written_is_found() {
        let place = tempfile::tempdir().unwrap();
        let there = place.path().join("file");
        fs::write(&there, "").unwrap();
        let kind = |tried: io::Result<()>| tried.unwrap_err().kind();
        assert_eq!(kind(file(&place.path().join("no/such/file"), Placing::Written)), io::ErrorKind::NotFound);
        assert_eq!(kind(file(place.path(), Placing::Written)), io::ErrorKind::IsADirectory);
        assert_eq!(kind(file(&there.join("below"), Placing::Renamed)), io::ErrorKind::NotADirectory);
        assert_eq!(kind(folder(&there)), io::ErrorKind::NotADirectory);
        assert_eq!(kind(folder(&there.join("below"))), io::ErrorKind::NotADirectory);
    }

    #[test]
    fn standard_output_devices_and_relative_names_are_fine() {
        for name in ["-", "/dev/null"] {
            file(Path::new(name), Placing::Written).unwrap();
        }
        assert_eq!((parent(Path::new("alerts.jsonl")), parent(Path::new("/a"))), (Path::new("."), Path::new("/")));
    }
}
