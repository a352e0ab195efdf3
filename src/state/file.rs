//! The state's directory: read at the start, written whole or not at all.
//!
//! Written beside, flushed to the disk, and renamed over the old file; then the directory is flushed too (rename(2),
//! fsync(2)). Only the owner may read it: it holds the key of all hash tables.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::form::{MOST_BYTES, decode, encode};
use super::{Sections, StateError};

const FILE: &str = "vigie.state";
const BESIDE: &str = ".vigie.state.new";
const REFUSED: &str = "vigie.state.refused";

/// A directory that keeps a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    path: PathBuf,
}

impl Directory {
    /// Takes a directory, makes it if it is not there, and finds out whether it can be written to.
    ///
    /// # Errors
    /// When it cannot.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let wrong = |reason| StateError::Directory { path: path.to_owned(), reason };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(wrong)?;
        let directory = Self { path: path.to_owned() };
        directory.create_beside().map_err(wrong)?;
        std::fs::remove_file(path.join(BESIDE)).map_err(wrong)?;
        Ok(directory)
    }

    /// Reads what is kept. What is no state, or none that can be read, is set aside as `vigie.state.refused`, and said in
    /// a sentence; then, and when there is no file yet, there are no sections.
    ///
    /// # Errors
    /// When the file is there and may not be read, or not be set aside.
    pub fn load(&self) -> Result<(Option<Sections>, Option<String>), StateError> {
        let path = self.path.join(FILE);
        let unreadable = |reason| StateError::Unreadable { path: path.clone(), reason };
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok((None, None)),
            Err(reason) => return Err(unreadable(reason)),
        };
        let mut bytes = Vec::new();
        (&mut file).take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        match decode(&bytes) {
            Ok(sections) => Ok((Some(sections), None)),
            Err(error) => {
                let aside = self.set_aside()?;
                Ok((
                    None,
                    Some(format!(
                        "{} {error}: it was kept as {} and learning begins anew",
                        path.display(),
                        aside.display()
                    )),
                ))
            }
        }
    }

    /// Sets the file aside; returns its new name.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub fn set_aside(&self) -> Result<PathBuf, StateError> {
        let (path, aside) = (self.path.join(FILE), self.path.join(REFUSED));
        std::fs::rename(&path, &aside).map_err(|reason| StateError::Unreadable { path, reason })?;
        Ok(aside)
    }

    /// Replaces what is kept.
    ///
    /// # Errors
    /// When it cannot be written; then the old file is as it was.
    pub fn save(&self, sections: &Sections) -> Result<(), StateError> {
        let path = self.path.join(FILE);
        self.replace(&path, &encode(sections)).map_err(|reason| StateError::Unwritable { path, reason })
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
        let mut file = self.create_beside()?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(self.path.join(BESIDE), path)?;
        File::open(&self.path)?.sync_all()
    }

    fn create_beside(&self) -> std::io::Result<File> {
        let beside = self.path.join(BESIDE);
        // A file left by a crash may have other rights; made anew it has ours.
        match std::fs::remove_file(&beside) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn what_was_saved_is_loaded_and_only_the_owner_may_read_it() {
        let place = tempfile::tempdir().unwrap();
        let directory = Directory::open(&place.path().join("a/b")).unwrap();
        assert_eq!(directory.load().unwrap(), (None, None));
        let mut sections = Sections::new(Timestamp::from_secs(5));
        sections.put("home", "FR");
        directory.save(&sections).unwrap();
        directory.save(&sections).unwrap();
        assert_eq!(directory.load().unwrap(), (Some(sections), None));
        let mode = std::fs::metadata(place.path().join("a/b").join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(place.path().join("a/b")).unwrap().count(), 1, "nothing is left beside");
    }

    #[test]
    fn a_refused_file_is_kept_aside() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join(FILE), "something else").unwrap();
        let directory = Directory::open(place.path()).unwrap();
        let (sections, refusal) = directory.load().unwrap();
        assert_eq!(sections, None);
        let refusal = refusal.unwrap();
        assert!(refusal.contains("is no state of Vigie") && refusal.contains(REFUSED), "{refusal}");
        assert_eq!(std::fs::read_to_string(place.path().join(REFUSED)).unwrap(), "something else");
        assert_eq!(directory.load().unwrap(), (None, None));
    }

    #[test]
    fn a_directory_that_is_a_file_is_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(matches!(Directory::open(file.path()), Err(StateError::Directory { .. })));
    }
}
