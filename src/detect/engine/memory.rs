//! What the engine keeps over a restart, and what it believes of it when it comes back (DETECTION 1.2, CONTRACT `--state`).
//!
//! Each owner checks what it is given; a section that is missing or makes no sense is begun anew, and said. A state whose
//! clock cannot be right counts for nothing, one that is weeks old for less.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Engine;
use super::intake::MOST_HOSTS;
use crate::address::Prefix;
use crate::country::Country;
use crate::detect::capacity::Capacity;
use crate::detect::sources::Saved;
use crate::detect::watched::{Watched, WatchedSite};
use crate::policy::{Policy, SiteId};
use crate::state::Sections;
use crate::time::{Tick, Timestamp};
use crate::window::bloom::Generation;
use crate::window::stratum::{Stratum, StratumMemory};
use crate::window::subject::SubjectMemory;

/// A state may be this much later than the traffic it is used for: clocks differ, and a capture may be older than the
/// state of the same day.
const MOST_AHEAD: Duration = Duration::from_secs(86_400);

/// From this age on what was usual counts for less, and from that on for nothing: a month, and a year with its holidays.
const AGED: Duration = Duration::from_secs(30 * 86_400);
const STALE: Duration = Duration::from_secs(400 * 86_400);

/// What became of a state.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recalled {
    /// When it was saved, once one was recalled.
    pub saved_at: Option<Timestamp>,
    /// What of it was not used and why, a sentence each.
    pub refused: Vec<String>,
    /// Whether it was used at all.
    pub fate: Fate,
}

/// Whether a state was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    /// It was, as far as it makes sense; or there was none.
    #[default]
    Used,
    /// It is later than the traffic: it was not used, and must not be overwritten.
    Ahead,
    /// It is too old: it was not used.
    Stale,
}

/// One host, or one site as a whole.
#[derive(Serialize, Deserialize)]
struct Kept {
    prefix: String,
    site: String,
    is_aggregate: bool,
    capacity: f64,
    subject: SubjectMemory,
}

/// What is usual of the clients of one host or site, abroad and at home.
type KeptShapes = Vec<(String, StratumMemory, StratumMemory)>;

impl Engine {
    /// Returns everything that must outlive a restart, as of the last tick judged.
    #[must_use]
    pub fn remember(&self) -> Sections {
        let mut sections = Sections::new(self.judged_until.map_or(Timestamp::ZERO, Tick::end));
        sections.put("seed", &self.seed.0);
        let watched = || self.hosts.values().chain(self.sites.values().map(|site| &site.watched));
        let kept: Vec<Kept> = watched().map(|watched| self.keep(watched)).collect();
        sections.put("subjects", &kept);
        let shapes: KeptShapes = watched()
            .map(|Watched { subject, .. }| {
                (subject.prefix.to_string(), subject.abroad.memory(), subject.domestic.memory())
            })
            .collect();
        sections.put("shapes", &shapes);
        let capacity: Vec<(String, f64)> = self
            .capacity
            .iter()
            .map(|(site, rate)| (self.policy.name(*site).to_string(), rate.most_served()))
            .collect();
        sections.put("capacity", &capacity);
        sections.put("known", self.known.export());
        sections.put("networks", self.networks.export());
        sections.put("sources", &self.sources.export());
        sections.put("calibration", &self.calibration.memory());
        if self.settings.home.is_empty() && !self.home.is_empty() {
            let home = self.home_finder.outcome.as_ref().and_then(|outcome| outcome.as_ref().ok());
            sections.put("home", &home.map(ToString::to_string));
        }
        let learned: Vec<String> = self.protection.learned().iter().map(ToString::to_string).collect();
        sections.put("protection", &learned);
        sections
    }

    fn keep(&self, watched: &Watched) -> Kept {
        let subject = &watched.subject;
        Kept {
            prefix: subject.prefix.to_string(),
            site: self.policy.name(subject.site).to_string(),
            is_aggregate: subject.is_aggregate,
            capacity: watched.capacity,
            subject: subject.memory(),
        }
    }

    /// Takes what was kept; before the first tick only. Its age is judged at the first tick.
    pub fn recall(&mut self, sections: &Sections) {
        self.take(sections, false);
        self.recalled.saved_at = Some(sections.saved_at);
        self.pending = Some(sections.clone());
    }

    /// Returns what became of the state.
    #[must_use]
    pub const fn recalled(&self) -> &Recalled {
        &self.recalled
    }

    /// Judges the age of what was recalled, now that the traffic's time is known.
    pub(super) fn judge_recalled(&mut self, first: Tick) {
        let Some(sections) = self.pending.take() else { return };
        let (saved, now) = (sections.saved_at, first.start());
        let (ahead, age) = (saved.since(now), now.since(saved));
        if ahead > MOST_AHEAD || age > STALE {
            let (fate, which) = if ahead > MOST_AHEAD {
                (Fate::Ahead, "which lies in the future of this traffic")
            } else {
                (Fate::Stale, "over a year before this traffic")
            };
            let kept = if fate == Fate::Ahead { "it is neither used nor changed" } else { "it is not used" };
            self.forget();
            self.recalled = Recalled {
                saved_at: Some(saved),
                refused: vec![format!(
                    "the state was saved at {saved}, {which} ({now}): {kept}, and learning begins anew"
                )],
                fate,
            };
            self.output.policy = Some(Arc::clone(&self.policy));
        } else if age > AGED {
            self.forget();
            self.take(&sections, true);
            self.recalled.saved_at = Some(saved);
            self.recalled
                .refused
                .push(format!("the state is {} days old: what is usual is held less surely", age.as_secs() / 86_400));
        }
    }

    /// Begins anew.
    fn forget(&mut self) {
        let (output, origins) = (std::mem::take(&mut self.output), self.origins.take());
        *self = Self::new(self.settings.clone(), Arc::clone(&self.blank), self.seed);
        (self.output, self.origins) = (output, origins);
    }

    fn take(&mut self, sections: &Sections, aged: bool) {
        self.recalled = Recalled::default();
        self.take_home(sections);
        self.take_protection(sections);
        let subjects = self.part::<Vec<Kept>>(sections, "subjects");
        for kept in subjects.unwrap_or_default() {
            if self.take_subject(&kept, aged).is_none() {
                let name: String = kept.prefix.chars().take(64).collect();
                self.recalled.refused.push(format!("what was usual at {name} makes no sense here: it is learned anew"));
            }
        }
        self.take_shapes(sections);
        for (name, rate) in self.part::<Vec<(String, f64)>>(sections, "capacity").unwrap_or_default() {
            if let Some(site) = site_named(&self.policy, &name).filter(|_| (0.0..=1e9).contains(&rate)) {
                self.capacity.insert(site, Capacity::remembered(rate));
            }
        }
        if let Some(calibration) = self.part(sections, "calibration") {
            if self.calibration.recall(calibration) {
                self.adopt_calibration();
            } else {
                self.recalled.refused.push("the state's calibration makes no sense: it is begun anew".to_owned());
            }
        }
        // Known sources are kept as keyed hashes: under another key they are nobody.
        if sections.get::<[u64; 2]>("seed") == Some(self.seed.0) {
            if let Some(generations) = self.part::<[Generation; 2]>(sections, "known")
                && !self.known.import(generations)
            {
                self.recalled.refused.push("the known sources make no sense: they are learned anew".to_owned());
            }
            if let Some(saved) = self.part::<Saved>(sections, "sources")
                && !self.sources.import(saved)
            {
                self.recalled.refused.push("what hosts do on their own makes no sense: it is learned anew".to_owned());
            }
        }
        if sections.get::<[u64; 2]>("seed") == Some(self.seed.0)
            && let Some(generations) = self.part::<[Generation; 2]>(sections, "networks")
        {
            self.networks_recalled = self.networks.import(generations);
        }
    }

    /// Reads a section; one that is there and cannot be read is said.
    fn part<T: serde::de::DeserializeOwned>(&mut self, sections: &Sections, name: &str) -> Option<T> {
        let part = sections.get(name);
        if part.is_none() && sections.has(name) {
            self.recalled.refused.push(format!("the state's section `{name}` cannot be read: it is learned anew"));
        }
        part
    }

    fn take_home(&mut self, sections: &Sections) {
        let home = self.part::<Option<String>>(sections, "home").flatten();
        let country = home.and_then(|code| code.parse::<Country>().ok()).filter(|country| country.is_known());
        if let Some(country) = country.filter(|_| self.settings.home.is_empty()) {
            self.home = crate::origin::Home::with_overseas(&[country]).countries().to_vec();
            self.home_finder.outcome = Some(Ok(country));
        }
    }

    fn take_protection(&mut self, sections: &Sections) {
        if !self.policy.is_learning() {
            return;
        }
        let hosts = self.part::<Vec<String>>(sections, "protection").unwrap_or_default();
        if !hosts.is_empty() {
            self.policy = self.protection.recall(hosts.iter().filter_map(|host| host.parse().ok()));
        }
    }

    /// Takes one subject, if it is still protected; `None` when what was kept makes no sense.
    fn take_subject(&mut self, kept: &Kept, aged: bool) -> Option<()> {
        let prefix: Prefix = kept.prefix.parse().ok()?;
        if !(0.0..=1e9).contains(&kept.capacity) {
            return None;
        }
        let (id, place) = if kept.is_aggregate {
            (site_named(&self.policy, &kept.site), !self.sites.is_empty() && self.sites.len() >= Policy::MAX_SITES)
        } else {
            (self.policy.site_of(prefix.network()), self.hosts.len() >= MOST_HOSTS)
        };
        // What is no longer protected is no longer watched.
        let Some(id) = id.filter(|_| !place) else { return Some(()) };
        let never = Tick::new(0);
        let mut watched = Watched::new(prefix, id, kept.is_aggregate, never);
        if !watched.subject.recall(&kept.subject, aged) {
            return None;
        }
        watched.subject.foreign.set_near(&self.settings.near);
        watched.capacity = kept.capacity;
        if kept.is_aggregate {
            let mut site = WatchedSite::new(prefix, id, never);
            site.watched = watched;
            self.sites.insert(id, site);
        } else {
            self.hosts.insert(prefix.network(), watched);
        }
        Some(())
    }

    fn take_shapes(&mut self, sections: &Sections) {
        for (prefix, abroad, home) in self.part::<KeptShapes>(sections, "shapes").unwrap_or_default() {
            let (Ok(prefix), Some(abroad), Some(home)) =
                (prefix.parse::<Prefix>(), Stratum::from_memory(&abroad), Stratum::from_memory(&home))
            else {
                continue;
            };
            let hosts = self.hosts.values_mut().chain(self.sites.values_mut().map(|site| &mut site.watched));
            for watched in hosts.filter(|watched| watched.subject.prefix == prefix) {
                (watched.subject.abroad, watched.subject.domestic) = (abroad.clone(), home.clone());
            }
        }
    }
}

fn site_named(policy: &Policy, name: &str) -> Option<SiteId> {
    let place = policy.sites().iter().position(|site| *site.name == *name)?;
    u16::try_from(place).ok().map(SiteId)
}
