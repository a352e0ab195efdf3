//! What is protected, as it is configured: `protect` for prefixes and names, `[[site]]` for more about a site.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::mistakes::{Mistake, Place};
use super::value::{Complaints, Item};
use crate::address::Prefix;
use crate::policy::{Policy, Site};

/// One `CIDR[=NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protected {
    /// What is defended.
    pub prefix: Prefix,
    /// The site it belongs to; its own text where none is named.
    pub name: String,
}

/// One `[[site]]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SiteEntry {
    /// Its name.
    pub name: String,
    /// What belongs to it, beside what `protect` says.
    pub prefixes: Vec<Prefix>,
    /// Served connections a second it is known to bear.
    pub capacity: Option<f64>,
    /// Connections a second it is expected to see at most, for the time in which nothing is known yet.
    pub expected_peak: Option<f64>,
    /// Where people log in, beside the well-known services: host and port.
    pub logins: Vec<std::net::SocketAddr>,
}

impl Protected {
    /// Reads a list of `CIDR` or `CIDR=NAME`.
    pub(super) fn read(item: &Item, complaints: &mut Complaints) -> Vec<Self> {
        let wanted = "a prefix such as 192.0.2.0/24, or one with a site's name such as 192.0.2.0/24=school";
        let mut read = Vec::new();
        for item in item.as_list() {
            let Some(text) = item.as_text(wanted, complaints) else { continue };
            let (cidr, name) = text.split_once('=').map_or((text, None), |(cidr, name)| (cidr, Some(name.trim())));
            match (cidr.trim().parse::<Prefix>(), name) {
                (Ok(_), Some("")) => {
                    item.complain(complaints, format!("`{text}` names no site: write {cidr}=school, or {cidr} alone"));
                }
                (Ok(_), Some(name)) if name.contains(char::is_control) => {
                    item.complain(complaints, control(name));
                }
                (Ok(prefix), name) => {
                    read.push(Self { prefix, name: name.map_or_else(|| prefix.to_string(), str::to_owned) });
                }
                (Err(error), _) => item.complain(complaints, error.to_string()),
            }
        }
        read
    }
}

/// Says why a site cannot be called so: its name stands on terminals and in lines of alerts.
fn control(name: &str) -> String {
    format!("`{}` has control characters: name the site without them", name.escape_debug())
}

impl SiteEntry {
    /// The keys of a `[[site]]`.
    const KEYS: [&'static str; 5] = ["name", "prefixes", "capacity", "expected_peak", "logins"];

    /// Reads the `[[site]]` tables.
    pub(super) fn read(item: &Item, complaints: &mut Complaints) -> Vec<Self> {
        item.as_list()
            .into_iter()
            .map(|table| {
                let mut site = Self::default();
                table.as_table(&Self::KEYS, complaints, |key, item, complaints| match key {
                    "name" => site.name = item.as_text("a site's name", complaints).unwrap_or_default().to_owned(),
                    "prefixes" => site.prefixes = item.as_each("a prefix such as 192.0.2.0/24", complaints),
                    "expected_peak" => {
                        site.expected_peak = item.as_number("connections a second", 0.1, 1e9, complaints);
                    }
                    "logins" => {
                        site.logins = item.as_each("an address and port such as 203.0.113.10:443", complaints);
                    }
                    _ => site.capacity = item.as_number("connections a second", 0.1, 1e9, complaints),
                });
                if site.name.contains(char::is_control) {
                    table.complain(complaints, control(&site.name));
                }
                if site.name.is_empty() {
                    table.complain(complaints, "a [[site]] needs a name: write name = \"school\"");
                }
                site
            })
            .collect()
    }
}

/// Puts prefixes and names together, in the order in which sites are first named. What a variable or flag says of
/// `protect` stands instead of the prefixes of the file; what the file knows of a site by name stays.
pub(super) fn compose(
    protect: &[Protected],
    entries: &[SiteEntry],
    (protect_place, site_place): (&Place, &Place),
    mistakes: &mut Vec<Mistake>,
) -> Vec<Site> {
    let only_protect = protect_place.beats_file() && !site_place.beats_file();
    let from_entries = entries
        .iter()
        .filter(|_| !only_protect)
        .flat_map(|entry| entry.prefixes.iter().map(|prefix| (entry.name.as_str(), *prefix, site_place)));
    let from_protect = protect.iter().map(|protected| (protected.name.as_str(), protected.prefix, protect_place));

    let mut names: Vec<&str> = Vec::new();
    let mut owners: BTreeMap<Prefix, &str> = BTreeMap::new();
    for (name, prefix, place) in from_entries.chain(from_protect) {
        if !names.contains(&name) {
            names.push(name);
        }
        match owners.insert(prefix, name) {
            Some(other) if other != name => mistakes.push(Mistake {
                place: place.clone(),
                text: format!("{prefix} belongs to both `{other}` and `{name}`: write it once"),
            }),
            _ => {}
        }
    }
    if names.len() > Policy::MAX_SITES {
        let text = format!("{} sites are more than {}: give several prefixes one name", names.len(), Policy::MAX_SITES);
        mistakes.push(Mistake { place: protect_place.clone(), text });
    }
    let prefixes_of =
        |wanted: &str| owners.iter().filter(|(_, name)| **name == wanted).map(|(prefix, _)| *prefix).collect();
    names.into_iter().map(|name| Site { name: Arc::from(name), prefixes: prefixes_of(name) }).collect()
}
