//! Secrets as they are configured: written out, in a file, or in a variable; read when they are needed, never printed.

use std::path::PathBuf;

use super::keys::quote;
use super::value::{Complaints, Item, Value};
use crate::export::sinks::Secret;

/// What is printed instead of a secret that stands in the file itself.
const HIDDEN: &str = "set, not shown";

/// Where a secret stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// In the configuration.
    Here(Secret),
    /// In a file, without the newline at its end.
    File(PathBuf),
    /// In an environment variable.
    Variable(String),
}

impl Kept {
    /// Reads text, `{ file = "..." }` or `{ env = "..." }`.
    pub(super) fn read(item: &Item, wanted: &str, complaints: &mut Complaints) -> Option<Self> {
        if let Value::Table(_) = item.value {
            return Self::read_elsewhere(item, wanted, complaints);
        }
        let text = item.as_text(wanted, complaints)?;
        if text.contains(HIDDEN) {
            let text = format!("`config print` does not show {wanted}: write it, or {{ file = \"...\" }}");
            item.complain(complaints, text);
            return None;
        }
        Some(Self::Here(Secret::new(text)))
    }

    fn read_elsewhere(item: &Item, wanted: &str, complaints: &mut Complaints) -> Option<Self> {
        let mut kept = None;
        item.as_table(&["file", "env"], complaints, |key, item, complaints| {
            let text = item.as_text(wanted, complaints).filter(|text| !text.is_empty()).map(str::to_owned);
            kept = text.map(|text| if key == "file" { Self::File(text.into()) } else { Self::Variable(text) });
        });
        if kept.is_none() {
            item.complain(
                complaints,
                format!("this is not {wanted}: write {{ file = \"...\" }} or {{ env = \"...\" }}"),
            );
        }
        kept
    }

    /// Returns the secret itself.
    ///
    /// # Errors
    /// One sentence, when it is not where it should be.
    pub(super) fn reveal(&self) -> Result<Secret, String> {
        let text = match self {
            Self::Here(secret) => return Ok(secret.clone()),
            Self::File(path) => {
                std::fs::read_to_string(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?
            }
            Self::Variable(name) => std::env::var(name).map_err(|_| format!("the variable {name} is not set"))?,
        };
        match text.trim() {
            "" => Err("the secret is empty".to_owned()),
            text => Ok(Secret::new(text)),
        }
    }

    /// Returns the file that it is in, if it is in one.
    pub(super) const fn file(&self) -> Option<&PathBuf> {
        match self {
            Self::File(path) => Some(path),
            Self::Here(_) | Self::Variable(_) => None,
        }
    }

    /// Writes where it stands; what stands here is not shown.
    pub(super) fn show(&self) -> String {
        match self {
            Self::Here(_) => quote(HIDDEN),
            Self::File(path) => format!("{{ file = {} }}", quote(&path.display().to_string())),
            Self::Variable(name) => format!("{{ env = {} }}", quote(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_in_a_file_is_read_without_its_newline() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "hunter2\n").unwrap();
        assert_eq!(Kept::File(path.clone()).reveal().unwrap().reveal(), "hunter2");
        std::fs::write(&path, "\n").unwrap();
        assert!(Kept::File(path).reveal().unwrap_err().contains("empty"));
        assert!(Kept::Variable("VIGIE_TEST_NOT_SET".to_owned()).reveal().unwrap_err().contains("is not set"));
    }

    #[test]
    fn a_secret_that_stands_here_is_not_shown_and_what_is_shown_is_no_secret() {
        let shown = Kept::Here(Secret::new("hunter2")).show();
        assert_eq!(shown, "\"set, not shown\"");
        let mut complaints = Complaints::new();
        assert_eq!(Kept::read(&Item::text(HIDDEN), "a secret", &mut complaints), None);
        assert!(complaints[0].text.contains("does not show"));
    }
}
