//! What of a changed configuration a run can take while it goes on, and what needs a restart.

use super::Config;
use super::keys::KEYS;

/// Settings that a run takes under way: nothing learned, opened or sized rests on them. The log-in services of a site are
/// an exception to `site`.
const TAKEN: &[&str] = &[
    "protect",
    "site",
    "near",
    "timezone",
    "holidays",
    "weekend",
    "short_days",
    "event",
    "envelope_width",
    "backlog",
    "privacy",
    "alert_update_seconds",
    "alert_hold_seconds",
    "alert_hold_of_pulses_seconds",
    "same_incident_seconds",
    "sink",
    "mute",
];

/// What changed between two configurations, by the names of the settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// What a run takes under way.
    pub taken: Vec<&'static str>,
    /// What needs a restart.
    pub restart: Vec<&'static str>,
}

impl Config {
    /// Tells what changed from this configuration, which is in force, to another. `started` is the one the run began with:
    /// what needs a restart is held against it.
    #[must_use]
    pub fn changes(&self, started: &Self, other: &Self) -> Changes {
        let (mut taken, mut restart) = (Vec::new(), Vec::new());
        for key in KEYS {
            let differs =
                |before: &Self| (key.show)(before) != (key.show)(other) || hidden_differs(key.name, before, other);
            match TAKEN.contains(&key.name) {
                true if differs(self) => taken.push(key.name),
                false if differs(started) => restart.push(key.name),
                _ => {}
            }
        }
        if started.engine().logins != other.engine().logins {
            restart.push("site.logins");
        }
        if other.sites().is_empty() && !self.sites().is_empty() {
            taken.retain(|name| *name != "protect" && *name != "site");
            restart.push("protect (to be learned from traffic)");
        }
        Changes { taken, restart }
    }
}

/// Secrets are not shown, so that what is shown may be the same all the same.
fn hidden_differs(name: &str, before: &Config, other: &Config) -> bool {
    match name {
        "sink" => !before.sink.iter().zip(&other.sink).all(|(before, other)| before.says_the_same(other)),
        "http" => !before.http.says_the_same(&other.http),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Config {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Config::load(Some(file.path()), [], &[]).unwrap()
    }

    #[test]
    fn every_name_is_a_setting() {
        assert!(TAKEN.iter().all(|name| KEYS.iter().any(|key| key.name == *name)));
    }

    #[test]
    fn what_needs_a_restart_is_named_until_it_had_one() {
        let started = load("home = \"FR\"\nprotect = \"192.0.2.0/24=a\"\n");
        let second = load("home = \"DE\"\nprotect = [\"192.0.2.0/24=a\", \"198.51.100.0/24=b\"]\n");
        let changes = started.changes(&started, &second);
        assert_eq!((changes.taken, changes.restart), (vec!["protect"], vec!["home"]));
        let changes = second.changes(&started, &second);
        assert_eq!((changes.taken, changes.restart), (vec![], vec!["home"]));
    }

    #[test]
    fn a_secret_that_changed_is_a_change_and_a_line_that_moved_is_none() {
        let sink = |secret: &str| {
            format!("[[sink]]\nname = \"a\"\ntype = \"webhook\"\nurl = \"http://127.0.0.1/\"\nsecret = \"{secret}\"\n")
        };
        let before = load(&sink("one"));
        assert_eq!(before.changes(&before, &load(&sink("two"))).taken, ["sink"]);
        assert_eq!(before.changes(&before, &load(&format!("\n{}", sink("one")))), Changes::default());
    }

    #[test]
    fn learning_what_to_protect_needs_a_restart() {
        let before = load("protect = \"192.0.2.0/24=a\"\n");
        let changes = before.changes(&before, &load(""));
        assert_eq!((changes.taken.len(), changes.restart.len()), (0, 1));
        let learned = load("");
        assert_eq!(learned.changes(&learned, &before).taken, ["protect"]);
    }
}
