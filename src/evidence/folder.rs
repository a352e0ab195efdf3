//! The folder of evidence: files named after alerts, readable by their owner alone, the oldest making room for new ones.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::kind::AlertKind;

/// Ending of a file that is whole, and what follows it while packets still come.
const WHOLE: &str = ".pcapng";
const PART: &str = ".part";

/// A folder that holds at most so many files of evidence.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    most: usize,
    /// Names under way.
    open: BTreeSet<String>,
}

impl Folder {
    /// Makes the folder, for its owner alone, unless it is there.
    ///
    /// # Errors
    /// When it cannot be made, or no file can be written into it.
    pub(super) fn open(path: &Path, most: usize) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let trial = path.join(format!(".{}{PART}", std::process::id()));
        private(&trial)?;
        fs::remove_file(trial)?;
        Ok(Self { path: path.to_owned(), most, open: BTreeSet::new() })
    }

    /// Creates the file of an alert, under a name that says it is not whole yet.
    ///
    /// # Errors
    /// When it cannot be created.
    pub(super) fn create(&mut self, alert: &str) -> io::Result<File> {
        self.make_room(alert)?;
        let part = self.part(alert);
        // Never through a link, and never into a file that others may read.
        match fs::remove_file(&part) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = private(&part)?;
        self.open.insert(alert.to_owned());
        Ok(file)
    }

    /// Gives a file that is whole its name.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub(super) fn finish(&mut self, alert: &str) -> io::Result<()> {
        self.open.remove(alert);
        fs::rename(self.part(alert), self.path.join(format!("{alert}{WHOLE}")))
    }

    /// Leaves a file as it is: from now on it may make room for others.
    pub(super) fn abandon(&mut self, alert: &str) {
        self.open.remove(alert);
    }

    fn part(&self, alert: &str) -> PathBuf {
        self.path.join(format!("{alert}{WHOLE}{PART}"))
    }

    /// Removes the oldest files, by the time in their names, until one more is not too many.
    fn make_room(&self, alert: &str) -> io::Result<()> {
        let mut old = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let name = entry?.file_name();
            let Some(id) = name.to_str().and_then(alert_of) else { continue };
            if id != alert && !self.open.contains(id) {
                old.push((time_of(id).to_owned(), name));
            }
        }
        old.sort_unstable();
        let surplus = (old.len() + self.open.len() + 1).saturating_sub(self.most);
        old.iter().take(surplus).try_for_each(|(_, name)| fs::remove_file(self.path.join(name)))
    }
}

/// Returns the alert that a file of ours is named after, whole or not; `None` for files of others.
fn alert_of(name: &str) -> Option<&str> {
    let id = name.strip_suffix(PART).unwrap_or(name).strip_suffix(WHOLE)?;
    let kind = id.split('-').next()?;
    (id.split('-').count() == 3 && AlertKind::ALL.iter().any(|known| known.name() == kind)).then_some(id)
}

/// Returns the time in a name such as `syn_flood-20210406T090201Z-1f3a09c2d4`.
fn time_of(id: &str) -> &str {
    id.split('-').nth(1).unwrap_or_default()
}

/// Creates a file that only its owner may read.
fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_oldest_files_of_ours_make_room_and_no_others() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("evidence");
        let mut folder = Folder::open(&path, 2).unwrap();
        fs::write(path.join("mine-20200101T000000Z-0.pcapng"), "").unwrap();
        fs::write(path.join("notes.txt"), "").unwrap();
        // The kind comes first in a name, and the time decides.
        for id in ["udp_flood-20210406T090000Z-1", "syn_flood-20210406T090100Z-2", "beacon-20210406T090200Z-3"] {
            drop(folder.create(id).unwrap());
            folder.finish(id).unwrap();
        }
        let kept = [
            "beacon-20210406T090200Z-3.pcapng",
            "mine-20200101T000000Z-0.pcapng",
            "notes.txt",
            "syn_flood-20210406T090100Z-2.pcapng",
        ];
        assert_eq!(names(&path), kept);
    }

    #[test]
    fn only_the_owner_may_read() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("new").join("evidence");
        let mut folder = Folder::open(&path, 2).unwrap();
        // What lies in the way is replaced, not written through.
        let bait = temporary.path().join("bait");
        fs::write(&bait, "as it was").unwrap();
        let id = "syn_flood-20210406T090100Z-2";
        std::os::unix::fs::symlink(&bait, path.join(format!("{id}.pcapng.part"))).unwrap();
        let file = folder.create(id).unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::read_to_string(bait).unwrap(), "as it was");
    }
}
