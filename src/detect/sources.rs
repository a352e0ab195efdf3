//! Everything that is known by source or by pair of hosts, and the order in which its detectors look.
//!
//! A tick's contacts are taken before its probes: a door somebody has just gone through is known when another finds it
//! shut. Only entries that a tick touched are judged in it, and those that alarm, so that the work follows the traffic and
//! not the size of the tables.

use std::collections::BTreeMap;

use crate::address::{Address, Prefix};
use crate::country::Country;
use crate::detect::engine::Armed;
use crate::detect::finding::{Finding, OriginShare, SourceShare};
use crate::detect::new_outbound;
use crate::detect::view::View;
use crate::hash::Seed;
use crate::kind::{AlertKind, Severity};
use crate::packet::Protocol;
use crate::policy::Policy;
use crate::summary::{CohortStage, Summary};
use crate::time::{Tick, Timestamp};
use crate::window::bloom::Generation;
use crate::window::outbound::Remembered;

mod guessing;
mod leaving;
mod scanning;
#[cfg(test)]
mod tests;

use guessing::Guessing;
use leaving::Leaving;
use scanning::Scanning;

/// Entries of a kind that alarm at once; more are not followed until one ends.
const MOST_ALARMING: usize = 256;

/// Sources that one finding names.
const MOST_SOURCES: usize = 20;

/// What the operator said of sources and services.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Proxies, CDNs and health checkers: no test by source.
    pub proxies: Vec<Prefix>,
    /// Log-in services beside the well-known ones.
    pub logins: Vec<(Address, u16)>,
}

/// How a protected host stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Only what reaches it is captured.
    pub one_sided: bool,
    /// It does not keep up with its clients.
    pub unwell: bool,
}

/// What is to outlive a restart; it means something only under the same seed.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Saved {
    /// What inside hosts do on their own account.
    pub hosts: Vec<Remembered>,
    /// Pairs of host and network that have met.
    pub destinations: [Generation; 2],
}

/// All tables by source.
#[derive(Debug)]
pub struct Sources {
    scanning: Scanning,
    guessing: Guessing,
    leaving: Leaving,
    settings: Settings,
    seed: Seed,
    now: Timestamp,
}

impl Sources {
    /// Builds empty tables keyed by `seed`.
    #[must_use]
    pub fn new(settings: Settings, seed: Seed) -> Self {
        Self {
            scanning: Scanning::new(seed),
            guessing: Guessing::new(settings.logins.clone(), seed),
            leaving: Leaving::new(seed),
            settings,
            seed,
            now: Timestamp::ZERO,
        }
    }

    /// Takes one tick; `standing` tells how a protected host stands.
    pub fn observe(&mut self, summary: &Summary, policy: &Policy, standing: impl Fn(Address) -> Standing) {
        let now = summary.tick;
        self.now = now.end();
        for contact in summary.contacts.iter().filter(|contact| !contact.stage.is_held()) {
            self.scanning.contact(now, contact);
            if !self.is_proxy(contact.originator) && !self.is_proxy(contact.responder) {
                self.guessing.contact(now, contact, policy);
                self.leaving.contact(now, contact, policy);
            }
        }
        for record in summary.cohorts.iter().filter(|record| record.stage == CohortStage::Look) {
            self.guessing.handshake(record);
            self.leaving.handshake(record);
        }
        for probe in &summary.probes {
            if !self.is_proxy(probe.source) {
                self.scanning.probe(now, probe, policy, || standing(probe.target).one_sided);
            }
        }
        self.scanning.advance(now);
        self.guessing.advance(now, |host| !standing(host).unwell);
        self.leaving.advance(now);
    }

    /// Runs the detectors; `is_abroad` tells of which countries home is none.
    pub fn detect(&mut self, view: &View, is_abroad: impl Fn(Country) -> bool) -> Vec<Finding> {
        let mut findings = self.scanning.detect(view);
        findings.extend(self.guessing.detect(view));
        findings.extend(self.leaving.detect(view, is_abroad));
        merged(findings)
    }

    /// Tells whether a source is held to scan: its half-open handshakes are no flood.
    #[must_use]
    pub fn is_scanner(&self, source: Address) -> bool {
        self.scanning.is_scanner(source)
    }

    /// Forgets what a gap in the capture makes doubtful.
    pub fn restart(&mut self) {
        self.scanning = Scanning::new(self.seed);
        self.guessing = Guessing::new(self.settings.logins.clone(), self.seed);
        self.leaving.restart();
    }

    /// Returns what is to outlive a restart.
    #[must_use]
    pub fn export(&self) -> Saved {
        let (hosts, destinations) = self.leaving.outbound().export();
        Saved { hosts, destinations: destinations.clone() }
    }

    /// Tells whether new outbound connections are judged: of hosts watched for fourteen days.
    #[must_use]
    pub fn new_outbound_armed(&self) -> Armed {
        let since =
            self.leaving.watched_since().map(|since| since.plus(new_outbound::HABIT)).filter(|at| *at <= self.now);
        let why_not = "no server was watched for fourteen days, in this run or by saved state".to_owned();
        Armed { detector: "new_outbound", since, why_not: since.is_none().then_some(why_not) }
    }

    /// Takes what outlived a restart; tells whether it makes sense, else nothing is changed.
    pub fn import(&mut self, saved: Saved) -> bool {
        self.leaving.outbound_mut().import(saved.hosts, saved.destinations)
    }

    fn is_proxy(&self, address: Address) -> bool {
        self.settings.proxies.iter().any(|prefix| prefix.contains(address))
    }
}

/// Where floods of datagrams or pings were of late, and of SYNs over a prefix. Those from addresses that repeat touch many
/// ports and hosts, too: beside one at the same place, or soon after it, a scan of such a protocol is a hint only.
#[derive(Debug, Default)]
pub struct Flooded(BTreeMap<(Prefix, Kind), Tick>);

/// Packets that open TCP connections, or others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Tcp,
    Other,
}

impl Kind {
    fn of(finding: &Finding) -> Self {
        if finding.target.protocol == Some(Protocol::TCP) { Self::Tcp } else { Self::Other }
    }
}

/// Ticks for which a flood explains what looked like a scan in it: a minute.
const FLOOD_EXPLAINS: u64 = 240;

impl Flooded {
    /// Takes the other findings of a tick, and lets the scans among `findings` yield.
    pub fn explain(&mut self, now: Tick, findings: &mut [Finding], others: &[Finding]) {
        use AlertKind as K;
        let floods = [K::UdpFlood, K::Amplification, K::IcmpFlood, K::FragmentFlood, K::CarpetBombing];
        let firing = others.iter().filter(|other| other.fires() && floods.contains(&other.kind));
        self.0.extend(firing.filter_map(|other| Some(((other.target.prefix?, Kind::of(other)), now))));
        self.0.retain(|_, last| now.since(*last) <= FLOOD_EXPLAINS);
        for scan in findings.iter_mut().filter(|finding| matches!(finding.kind, K::PortScan | K::HostSweep)) {
            let Some(at) = scan.target.prefix else { continue };
            let kind = Kind::of(scan);
            if self.0.keys().any(|(prefix, flooded)| *flooded == kind && prefix.overlaps(at)) {
                scan.severity = Severity::Info;
            }
        }
    }
}

/// One finding for each kind and target: the strongest speaks, the sources of all that fire are named.
fn merged(findings: Vec<Finding>) -> Vec<Finding> {
    let mut by_subject: BTreeMap<(AlertKind, Option<Prefix>), Finding> = BTreeMap::new();
    for finding in findings {
        let subject = (finding.kind, finding.target.prefix);
        let Some(known) = by_subject.get_mut(&subject) else {
            by_subject.insert(subject, finding);
            continue;
        };
        let stronger =
            (finding.fires(), finding.severity, finding.score) > (known.fires(), known.severity, known.score);
        let (strong, weak) = if stronger { (finding, known.clone()) } else { (known.clone(), finding) };
        *known = join(strong, weak);
    }
    by_subject.into_values().collect()
}

fn join(mut strong: Finding, weak: Finding) -> Finding {
    if weak.fires() || !strong.fires() {
        let mut sources: Vec<SourceShare> = strong.sources.into_iter().chain(weak.sources).collect();
        sources.sort_by_key(|source| (std::cmp::Reverse(source.packets), source.address));
        sources.dedup_by_key(|source| source.address);
        sources.truncate(MOST_SOURCES);
        strong.sources = sources;
        strong.origins = OriginShare::joined(&strong.origins, &weak.origins);
        strong.onset = strong.onset.min(weak.onset);
        strong.target.port = strong.target.port.filter(|port| weak.target.port == Some(*port));
        strong.target.protocol = strong.target.protocol.filter(|protocol| weak.target.protocol == Some(*protocol));
    }
    strong
}
