//! `[http]`: who may read the endpoint, and by which certificate it shows who it is.

use std::path::PathBuf;

use super::Config;
use super::keys::quote;
use super::mistakes::{Mistake, Mistakes};
use super::secrets::Kept;
use super::value::{Complaints, Item};
use crate::export::http::{self, Identity, Login, Settings};

const KEYS: &[&str] = &["token", "user", "password", "certificate", "key"];

/// The `[http]` table, as written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HttpEntry {
    line: Option<usize>,
    token: Option<Kept>,
    user: Option<String>,
    password: Option<Kept>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

impl HttpEntry {
    /// Tells whether two say the same, wherever they stand.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        Self { line: other.line, ..self.clone() } == *other
    }

    /// Reads the table. What only works together is asked for together.
    pub(super) fn read(item: &Item, complaints: &mut Complaints) -> Self {
        let mut entry = Self { line: item.line, ..Self::default() };
        let before = complaints.len();
        item.as_table(KEYS, complaints, |key, item, complaints| entry.set(key, item, complaints));
        if complaints.len() == before {
            entry.check_pairs(item, complaints);
        }
        entry
    }

    fn set(&mut self, key: &str, item: &Item, complaints: &mut Complaints) {
        let file = |complaints: &mut Complaints| item.as_text("a file name", complaints).map(PathBuf::from);
        match key {
            "token" => self.token = Kept::read(item, "a token", complaints),
            "user" => self.user = user(item, complaints),
            "password" => self.password = Kept::read(item, "a password", complaints),
            "certificate" => self.certificate = file(complaints),
            "key" => self.key = file(complaints),
            _ => {}
        }
    }

    fn check_pairs(&self, item: &Item, complaints: &mut Complaints) {
        let pairs = [
            (self.user.is_some(), self.password.is_some(), "user", "password"),
            (self.certificate.is_some(), self.key.is_some(), "certificate", "key"),
        ];
        for (one, other, name, its) in pairs {
            if one != other {
                let (there, missing) = if one { (name, its) } else { (its, name) };
                item.complain(complaints, format!("[http] has a {there} and no {missing}: write both"));
            }
        }
    }

    fn compose(&self) -> Result<Settings, String> {
        let reveal = |name: &str, kept: &Kept| match kept.reveal() {
            Ok(secret) if secret.reveal().is_empty() => Err(format!("{name}: the secret is empty")),
            Ok(secret) => Ok(secret),
            Err(error) => Err(format!("{name}: {error}")),
        };
        let token = self.token.as_ref().map(|token| reveal("token", token)).transpose()?;
        let password = self.password.as_ref().map(|password| reveal("password", password)).transpose()?;
        let login = self.user.clone().zip(password).map(|(user, password)| Login { user, password });
        let identity = self.certificate.clone().zip(self.key.clone());
        let identity = identity.map(|(certificate, key)| Identity { certificate, key });
        Ok(Settings { token, login, identity })
    }

    /// Writes the table as TOML, without its secrets; `None` when it is empty.
    pub(super) fn show(&self) -> Option<String> {
        let path = |path: &PathBuf| quote(&path.display().to_string());
        let parts: Vec<String> = [
            ("token", self.token.as_ref().map(Kept::show)),
            ("user", self.user.as_deref().map(quote)),
            ("password", self.password.as_ref().map(Kept::show)),
            ("certificate", self.certificate.as_ref().map(path)),
            ("key", self.key.as_ref().map(path)),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some(format!("{key} = {}", value?)))
        .collect();
        (!parts.is_empty()).then(|| format!("{{ {} }}", parts.join(", ")))
    }
}

impl Config {
    /// Returns the files that the endpoint's certificate is read from, at the start and again on SIGHUP.
    #[must_use]
    pub fn certificate_files(&self) -> Vec<PathBuf> {
        [&self.http.certificate, &self.http.key].into_iter().flatten().cloned().collect()
    }

    /// Reads the endpoint's secrets, and tries its certificate.
    ///
    /// # Errors
    /// One mistake, with its line, when the endpoint could not be protected so.
    pub fn http(&self) -> Result<Settings, Mistakes> {
        let composed = self.http.compose().map_err(|error| format!("[http] {error}")).and_then(|settings| {
            http::check(&settings).map_err(|error| error.to_string())?;
            Ok(settings)
        });
        composed.map_err(|text| {
            let place = self.place_of_entry("http", self.http.line);
            Mistakes(vec![Mistake { place, text }])
        })
    }
}

/// A name cannot hold a colon, which ends it (RFC 7617, section 2).
fn user(item: &Item, complaints: &mut Complaints) -> Option<String> {
    let text = item.as_text("a user's name", complaints)?;
    if text.is_empty() || text.contains(':') || text.chars().any(char::is_control) {
        item.complain(complaints, format!("`{text}` cannot be a user's name: write one without a colon"));
        return None;
    }
    Some(text.to_owned())
}
