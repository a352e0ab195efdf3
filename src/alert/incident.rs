//! Incidents: alerts that overlap in time, or follow within five minutes, on the same site or prefix (CONTRACT 2).
//!
//! One incident at a time lives at a place. It remembers which subjects have been alerted on, so that a pulse wave is
//! counted as one incident that reopens. When alerts open and close is decided in [`super::book`].

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::address::Prefix;
use crate::alert::id;
use crate::detect::finding::{Finding, Target};
use crate::kind::AlertKind;
use crate::time::{Tick, Timestamp};

/// What an alert is about: at most one is open for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Subject {
    pub(super) kind: AlertKind,
    pub(super) prefix: Option<Prefix>,
}

impl Subject {
    pub(super) fn of(finding: &Finding) -> Self {
        Self { kind: finding.kind, prefix: finding.target.prefix }
    }

    /// Names the prefix, or the sensor where there is none.
    pub(super) fn whom(&self) -> String {
        self.prefix.map_or_else(|| "sensor".to_owned(), |prefix| prefix.to_string())
    }
}

/// Where an incident happens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Site(Arc<str>),
    Prefix(Prefix),
    Sensor,
}

impl Place {
    pub(super) fn of(target: &Target) -> Self {
        match (&target.site, target.prefix) {
            (Some(site), _) => Self::Site(Arc::clone(site)),
            (None, Some(prefix)) => Self::Prefix(prefix),
            (None, None) => Self::Sensor,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Site(name) => write!(f, "site {name}"),
            Self::Prefix(prefix) => prefix.fmt(f),
            Self::Sensor => f.write_str("sensor"),
        }
    }
}

/// What an alert learns from its incident when it opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Membership {
    pub(super) incident: String,
    /// How often this subject has opened in it, this time included.
    pub(super) pulses: u32,
    /// End of the alert before it on the same subject: the two never overlap.
    pub(super) not_before: Timestamp,
}

/// What an incident knows of one subject.
#[derive(Clone, Copy, Debug, Default)]
struct Pulses {
    opened: u32,
    last_end: Timestamp,
}

#[derive(Debug)]
struct Incident {
    id: String,
    open: usize,
    /// End of the last alert that closed.
    last_end: Timestamp,
    pulses: BTreeMap<Subject, Pulses>,
}

/// The incidents that live, or did until a moment ago.
#[derive(Debug)]
pub(super) struct Incidents(BTreeMap<Place, Incident>);

impl Incidents {
    /// Subjects whose openings an incident counts; more are taken as opening for the first time. Real sites have some
    /// dozens, so this binds only when an attacker makes up subjects.
    const SUBJECTS: usize = 1_000;

    pub(super) const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Enters an alert that opens: it joins the incident at its place if one of its alerts is open or ended at most
    /// `within` before `onset`, and begins a new one otherwise.
    pub(super) fn join(
        &mut self,
        place: &Place,
        subject: Subject,
        onset: Timestamp,
        opening: Tick,
        within: Duration,
    ) -> Membership {
        let incident = self.0.entry(place.clone()).or_insert_with(|| Incident::begin(place, opening));
        if !incident.lives(onset, within) {
            *incident = Incident::begin(place, opening);
        }
        incident.open += 1;
        let pulses = incident.count_opening(subject);
        Membership { incident: incident.id.clone(), pulses: pulses.opened, not_before: pulses.last_end }
    }

    /// Enters that an alert of the place has closed.
    pub(super) fn leave(&mut self, place: &Place, subject: Subject, ended: Timestamp) {
        let Some(incident) = self.0.get_mut(place) else { return };
        incident.open = incident.open.saturating_sub(1);
        incident.last_end = incident.last_end.max(ended);
        if let Some(pulses) = incident.pulses.get_mut(&subject) {
            pulses.last_end = ended;
        }
    }

    /// Forgets incidents that no alert can join any more. Onsets reach back
    /// before their opening, by seconds and in slow cases minutes, hence twice the time.
    pub(super) fn forget(&mut self, now: Timestamp, within: Duration) {
        self.0.retain(|_, incident| incident.open > 0 || now.since(incident.last_end) <= within * 2);
    }
}

impl Incident {
    fn begin(place: &Place, opening: Tick) -> Self {
        let id = id::name("incident", &place.to_string(), opening);
        Self { id, open: 0, last_end: Timestamp::ZERO, pulses: BTreeMap::new() }
    }

    fn lives(&self, onset: Timestamp, within: Duration) -> bool {
        self.open > 0 || onset.since(self.last_end) <= within
    }

    fn count_opening(&mut self, subject: Subject) -> Pulses {
        if self.pulses.len() >= Incidents::SUBJECTS && !self.pulses.contains_key(&subject) {
            return Pulses { opened: 1, ..Pulses::default() };
        }
        let pulses = self.pulses.entry(subject).or_default();
        pulses.opened = pulses.opened.saturating_add(1);
        *pulses
    }
}
