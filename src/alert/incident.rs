//! Incidents: alerts that tell one story (CONTRACT 2: they overlap in time on the same site or prefix).
//!
//! Attacks that overlap are one incident, and so is an attack that comes back to the same subject within five minutes (a
//! pulse wave). A rush or an overload may last for hours and see many attacks come and go: it joins the attack
//! that is going on, but ties no two attacks together. When alerts open and close is decided in [`super::book`].

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::address::Prefix;
use crate::alert::{id, line};
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

    pub(super) fn of_line(target: &line::Target) -> Self {
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

/// What an alert's kind makes of its incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Attacks on a service.
    Attack,
    /// Hints at an intruder: scans, log-ins, data leaving.
    Intrusion,
    /// The state of service and sensor, which attacks may cause and rushes too.
    Context,
}

impl Role {
    pub(super) const fn of(kind: AlertKind) -> Self {
        use AlertKind as K;
        match kind {
            K::Rush | K::Overload | K::Outage | K::SensorBlind => Self::Context,
            K::PortScan | K::HostSweep | K::BruteForce | K::CredentialStuffing => Self::Intrusion,
            K::Exfiltration | K::NewOutbound | K::Beacon => Self::Intrusion,
            _ => Self::Attack,
        }
    }

    /// Tells whether an alert in this role joins the incident of one in `other` that is going on; a smaller number goes
    /// before a larger one.
    pub(super) fn joins(self, other: Self) -> Option<u8> {
        match (self, other) {
            (Self::Context, Self::Attack) => Some(0),
            (mine, theirs) => (mine == theirs).then_some(1),
        }
    }
}

/// The incidents that live, or did until a moment ago.
#[derive(Debug)]
pub(super) struct Incidents(BTreeMap<Place, Vec<Incident>>);

impl Incidents {
    /// Subjects whose openings an incident counts; more are taken as opening for the first time. Real sites have some
    /// dozens, so this binds only when an attacker makes up subjects.
    const SUBJECTS: usize = 1_000;

    pub(super) const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Enters an alert that opens: it joins the incident named `ongoing`, or the one in which its subject was alerted on
    /// until at most `within` before `onset`, and begins a new one otherwise.
    pub(super) fn join(
        &mut self,
        place: &Place,
        subject: Subject,
        ongoing: Option<&str>,
        onset: Timestamp,
        opening: Tick,
        within: Duration,
    ) -> Membership {
        let incidents = self.0.entry(place.clone()).or_default();
        let joined = incidents.iter().position(|incident| Some(incident.id.as_str()) == ongoing);
        let index = joined.or_else(|| recalled(incidents, subject, onset, within)).unwrap_or_else(|| {
            incidents.push(Incident::begin(place, subject, opening));
            incidents.len() - 1
        });
        let incident = &mut incidents[index];
        incident.open += 1;
        let pulses = incident.count_opening(subject);
        let not_before =
            incidents.iter().filter_map(|incident| incident.pulses.get(&subject)).map(|p| p.last_end).max();
        Membership {
            incident: incidents[index].id.clone(),
            pulses: pulses.opened,
            not_before: not_before.unwrap_or(pulses.last_end),
        }
    }

    /// Enters that an alert of an incident has closed.
    pub(super) fn leave(&mut self, place: &Place, incident: &str, subject: Subject, ended: Timestamp) {
        let incidents = self.0.get_mut(place).into_iter().flatten();
        for incident in incidents.filter(|known| known.id == incident) {
            incident.open = incident.open.saturating_sub(1);
            incident.last_end = incident.last_end.max(ended);
            if let Some(pulses) = incident.pulses.get_mut(&subject) {
                pulses.last_end = ended;
            }
        }
    }

    /// Forgets incidents that no alert can join any more. Onsets reach back
    /// before their opening, by seconds and in slow cases minutes, hence twice the time.
    pub(super) fn forget(&mut self, now: Timestamp, within: Duration) {
        self.0.retain(|_, incidents| {
            incidents.retain(|incident| incident.open > 0 || now.since(incident.last_end) <= within * 2);
            !incidents.is_empty()
        });
    }
}

/// The incident in which the subject was alerted on last, if that is not too long ago.
fn recalled(incidents: &[Incident], subject: Subject, onset: Timestamp, within: Duration) -> Option<usize> {
    let ends = incidents.iter().enumerate().filter_map(|(index, incident)| {
        let end = incident.pulses.get(&subject)?.last_end;
        (end > Timestamp::ZERO && onset.since(end) <= within).then_some((end, index))
    });
    ends.max().map(|(_, index)| index)
}

impl Incident {
    fn begin(place: &Place, subject: Subject, opening: Tick) -> Self {
        let what = format!("{place} {} {}", subject.kind, subject.whom());
        Self { id: id::name("incident", &what, opening), open: 0, last_end: Timestamp::ZERO, pulses: BTreeMap::new() }
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
