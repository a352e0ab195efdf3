//! What must outlive a restart: named sections in one file, versioned, checked and written whole.
//!
//! Owns the file and its form; what is inside a section is known only to whoever put it there. A section that nobody asks
//! for is kept as it is not, so that versions with more sections and with fewer read each other's files. Reading is total:
//! any bytes give sections or a [`StateError`], never a panic and never more memory than the file has bytes.

mod file;
mod form;

pub use file::Directory;
pub use form::{MOST_BYTES, decode, encode};

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::time::Timestamp;

/// Named parts, each in a form of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sections {
    /// Packet time at which they were taken.
    pub saved_at: Timestamp,
    parts: BTreeMap<String, Vec<u8>>,
}

impl Sections {
    /// Begins an empty set, taken at a moment of packet time.
    #[must_use]
    pub fn new(saved_at: Timestamp) -> Self {
        Self { saved_at, parts: BTreeMap::new() }
    }

    /// Puts a section in, in place of one of the same name.
    pub fn put<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) {
        // Writing to memory fails only for types that cannot say how long they are, and none here is such.
        if let Ok(bytes) = postcard::to_allocvec(value) {
            self.parts.insert(name.to_owned(), bytes);
        }
    }

    /// Reads a section; `None` when there is none, or one that was written otherwise.
    #[must_use]
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let (value, rest) = postcard::take_from_bytes(self.parts.get(name)?).ok()?;
        rest.is_empty().then_some(value)
    }

    /// Puts a section in that has a form of its own.
    pub fn put_bytes(&mut self, name: &str, bytes: Vec<u8>) {
        self.parts.insert(name.to_owned(), bytes);
    }

    /// Returns the names and the bytes of all sections, by name.
    pub fn parts(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.parts.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
    }

    /// Tells whether a section is there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.parts.contains_key(name)
    }
}

/// Why a state cannot be used or kept.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The directory cannot be made or written to.
    #[error("--state {}: the directory cannot be written: {reason}: choose another one or mend its rights", .path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// The file is there and cannot be read.
    #[error("--state {}: the file cannot be read: {reason}: mend its rights or choose another directory", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// The file cannot be written.
    #[error("--state {}: what was learned could not be saved: {reason}: make room or mend its rights", .path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
}

/// Why bytes are no state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// Something else altogether.
    #[error("is no state of Vigie")]
    Foreign,
    /// From a later version.
    #[error("has version {0}, and this Vigie reads up to version {max}", max = form::VERSION)]
    TooNew(u16),
    /// Cut or altered.
    #[error("is damaged")]
    Damaged,
    /// More than a state can be.
    #[error("is larger than a state can be")]
    TooLarge,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_comes_back_as_it_was_put() {
        let mut sections = Sections::new(Timestamp::from_secs(7));
        sections.put("numbers", &vec![1.5_f64, f64::NAN, -0.0]);
        sections.put("text", "school");
        assert_eq!(sections.get::<String>("text").as_deref(), Some("school"));
        assert_eq!(sections.get::<Vec<f64>>("numbers").unwrap().len(), 3);
        assert_eq!(sections.get::<String>("nothing"), None);
    }

    #[test]
    fn a_section_of_another_form_is_none() {
        let mut sections = Sections::default();
        sections.put("text", "a school with a long name");
        assert_eq!(sections.get::<(u64, u64)>("text"), None);
        assert_eq!(sections.get::<Vec<Vec<u64>>>("text"), None);
    }
}
