//! From merged summaries to findings: rolls the windows, runs the detectors, then lets the baselines learn.

mod hosts;
mod memory;
mod revision;
mod survey;

pub use memory::{Fate, Recalled};
pub use survey::{Baseline, Usual};

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::address::{Address, Prefix};
use crate::capture::CaptureTick;
use crate::country::Country;
use crate::detect::budget::{Lines, budget};
use crate::detect::calibration::Calibration;
use crate::detect::capacity::{Bounds, Capacity, Condition};
use crate::detect::carpet_bombing;
use crate::detect::engine::hosts::Hosts;
use crate::detect::family::Families;
use crate::detect::finding::Finding;
use crate::detect::minute::{Course, MinuteSums, MinuteVerdict, Standard};
use crate::detect::outlook::{self, Outlooks};
use crate::detect::protection::{HomeFinder, Protection};
use crate::detect::sensor_blind::SensorBlind;
use crate::detect::sources::{self, Sources};
use crate::detect::tally;
use crate::detect::usual::{self, SiteUsual};
use crate::detect::view::View;
use crate::detect::watched::{Watched, WatchedSite, judge};
use crate::hash::Seed;
use crate::kind::AlertKind;
use crate::origin::Origins;
use crate::policy::{Direction, Policy, SiteId};
use crate::sampling::Sampling;
use crate::summary::{CohortRecord, Contact, ContactStage, Distinct, EndReason, FlowTick, HostTick, Summary, Volume};
use crate::time::{Tick, Timestamp};
use crate::window::calendar::Calendar;
use crate::window::foreign::Foreign;
use crate::window::known::Known;
use crate::window::level::WIDTH;
use crate::window::outlook::ExpectedEvent;
use crate::window::scanners::Scanners;
use crate::window::stratum::Newness;
use crate::window::subject::Sidedness;

/// Settings of all windows and detectors.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Countries counted as domestic, overseas codes included; empty means: decide from verified clients (DETECTION 0.2).
    pub home: Vec<Country>,
    /// At most so many warnings and criticals together a week by chance. Sets the thresholds (DETECTION 1.5).
    pub false_alarms_per_week: f64,
    /// Served connections a second a site is known to bear, by site name; learned where absent.
    pub capacity: Vec<(String, f64)>,
    /// Entries of the servers' SYN queue, for the half-open figure.
    pub backlog: u32,
    /// Countries abroad that are near, such as neighbours: beside them the far ones are looked at on their own.
    pub near: Vec<Country>,
    /// Prefixes of proxies, CDNs and load balancers: no origin and no per-source tests for them.
    pub proxies: Vec<crate::address::Prefix>,
    /// When the users come.
    pub calendar: Calendar,
    /// Declared events.
    pub events: Vec<ExpectedEvent>,
    /// Connections a second that a site is expected to see at most, by site name: used while nothing is known yet.
    pub expected_peak: Vec<(String, f64)>,
    /// Width of the envelope of volume in spreads (`z_env`, DETECTION 1.2).
    pub envelope_width: f64,
    /// Log-in services, host and port, beside those at well-known ports.
    pub logins: Vec<(Address, u16)>,
}

impl Default for Settings {
    /// One false alarm a week (DETECTION 0.2); the SYN queue of a Linux server of the middle size (tcp(7),
    /// `tcp_max_syn_backlog`).
    fn default() -> Self {
        Self {
            home: Vec::new(),
            false_alarms_per_week: 1.0,
            capacity: Vec::new(),
            backlog: 1_024,
            near: Vec::new(),
            proxies: Vec::new(),
            calendar: Calendar::default(),
            events: Vec::new(),
            expected_peak: Vec::new(),
            envelope_width: WIDTH,
            logins: Vec::new(),
        }
    }
}

/// A detector's alarm ratio on a site: 1 is the alert line.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// The detector.
    pub detector: &'static str,
    /// The site.
    pub site: Arc<str>,
    /// The largest ratio of its subjects in this tick.
    pub ratio: f64,
}

/// Whether a detector is at work.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Armed {
    /// The detector.
    pub detector: &'static str,
    /// Since when; `None` while it is not.
    pub since: Option<Timestamp>,
    /// Why not, in a sentence, while it is not.
    pub why_not: Option<String>,
}

/// How the home countries were found.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Home {
    /// The countries; empty while unknown.
    pub countries: Vec<Country>,
    /// `configured`, `decided from verified clients`, or why there is none.
    pub how: String,
}

/// What one tick led to.
#[derive(Clone, Debug, Default)]
pub struct TickOutput {
    /// Findings of this tick.
    pub findings: Vec<Finding>,
    /// Minutes that ended with this tick.
    pub minutes: Vec<MinuteVerdict>,
    /// A new policy, when protection was learned: it rules from eight ticks later.
    pub policy: Option<Arc<Policy>>,
    /// Alarm ratios, by detector and site.
    pub scores: Vec<Score>,
    /// How known the baseline of each site is, 0 to 3; filled in every ten seconds.
    pub phases: Vec<(Arc<str>, u8)>,
    /// What is usual of each site; filled in every ten seconds.
    pub usual: Vec<SiteUsual>,
}

/// All windows and detectors of a run. One thread; floats begin here.
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
    lines: Lines,
    outlooks: Outlooks,
    calibration: Calibration,
    policy: Arc<Policy>,
    protection: Protection,
    home: Vec<Country>,
    home_finder: HomeFinder,
    /// When home was decided; levels by country begin there.
    home_since: Option<Tick>,
    seed: Seed,
    known: Known,
    /// Networks (/24, /48) that were served, and whether they were known before this run.
    networks: Known,
    networks_recalled: bool,
    scanners: Scanners,
    sources: Sources,
    flooded: sources::Flooded,
    /// Where a source's autonomous system is looked up, if a table tells.
    origins: Option<Arc<Origins>>,
    sensor: SensorBlind,
    /// Which part of the pairs of addresses is counted.
    sampling: Sampling,
    families: Families,
    hosts: Hosts,
    /// Configured sites, each as the sum of its hosts.
    sites: BTreeMap<SiteId, WatchedSite>,
    /// What each site as a whole bears.
    capacity: BTreeMap<SiteId, Capacity>,
    /// What each site's minutes were.
    courses: BTreeMap<SiteId, Course>,
    minutes: BTreeMap<SiteId, MinuteSums>,
    minute: Option<u64>,
    data_segments: (f64, f64),
    quiet_ticks: u32,
    first_tick: Option<Tick>,
    /// From when connections can be told from segments of none.
    connections_known_at: Option<Tick>,
    armed_at: Option<Tick>,
    judged_until: Option<Tick>,
    /// What was protected before anything was learned or recalled.
    blank: Arc<Policy>,
    recalled: Recalled,
    /// What was recalled, until its age can be judged.
    pending: Option<crate::state::Sections>,
    output: TickOutput,
}

/// Hosts watched one by one; what does not fit counts in its prefix.
const MOST_HOSTS: usize = 256;

/// Ticks after which a network not served before says something: an hour (DETECTION 4.2 wants thirty days; until there
/// are, the subject's own share of strangers is what it is compared with).
const NETWORKS_KNOWN_AFTER: u64 = 14_400;

/// Ticks for which an attack colours its site after it last fired: ten seconds.
const ATTACK_LINGERS: u64 = 40;

/// Ticks until connections under way are known: a minute (DETECTION 0.2).
const CONNECTIONS_TAKE: u64 = 240;

/// Ticks for which a surge from abroad goes on speaking for the robots in it: a minute.
const FOREIGN_SPEAKS_FOR: u64 = 240;

/// A host unseen for so long may lose its place: fifteen minutes.
const FORGET_AFTER: u64 = 3_600;

impl Engine {
    /// Builds the engine. `seed` keys its tables.
    #[must_use]
    pub fn new(settings: Settings, policy: Arc<Policy>, seed: Seed) -> Self {
        Self {
            lines: Lines::new(&settings),
            outlooks: Outlooks::new(&settings),
            calibration: Calibration::new(budget(&settings), Lines::new(&settings).subject),
            home: settings.home.clone(),
            blank: Arc::clone(&policy),
            recalled: Recalled::default(),
            pending: None,
            policy,
            protection: Protection::default(),
            home_finder: HomeFinder::default(),
            home_since: None,
            seed,
            known: Known::new(seed),
            networks: Known::new(seed),
            networks_recalled: false,
            scanners: Scanners::new(seed),
            sources: Sources::new(
                sources::Settings { proxies: settings.proxies.clone(), logins: settings.logins.clone() },
                seed,
            ),
            flooded: sources::Flooded::default(),
            origins: None,
            sensor: SensorBlind::default(),
            sampling: Sampling::WHOLE,
            families: Families::default(),
            hosts: Hosts::default(),
            sites: BTreeMap::new(),
            capacity: BTreeMap::new(),
            courses: BTreeMap::new(),
            minutes: BTreeMap::new(),
            minute: None,
            data_segments: (0.0, 0.0),
            quiet_ticks: 0,
            first_tick: None,
            connections_known_at: None,
            armed_at: None,
            judged_until: None,
            output: TickOutput::default(),
            settings,
        }
    }

    /// Takes a table that tells autonomous systems, if it does.
    #[must_use]
    pub fn with_origins(self, origins: &Arc<Origins>) -> Self {
        Self { origins: origins.tells_systems().then(|| Arc::clone(origins)), ..self }
    }

    /// Takes one tick, merged over all shards. Ticks come in order, without holes except where `capture.gap` is set.
    pub fn observe(&mut self, summary: &Summary, capture: &CaptureTick) -> &TickOutput {
        let tick = summary.tick;
        self.output = TickOutput::default();
        if self.first_tick.is_none() {
            self.judge_recalled(tick);
        }
        self.first_tick.get_or_insert(tick);
        self.judged_until = Some(tick);
        if capture.gap {
            self.restart(tick);
        }
        if capture.sampling != self.sampling {
            self.resample(tick, capture.sampling);
        }
        self.sensor.observe(capture);
        self.note_lost_connections(tick, &summary.flows);
        self.roll_minute(tick);
        if self.policy.is_learning()
            && let Some(policy) = self.protection.observe(summary)
        {
            self.policy = Arc::clone(&policy);
            self.output.policy = Some(policy);
        }
        self.find_home(summary);
        self.observe_sources(summary);
        if self.outlooks.advance(tick) {
            self.prepare_all(tick);
        }
        self.observe_hosts(summary);
        self.observe_sites(summary);
        self.detect(tick, summary);
        self.learn(tick);
        &self.output
    }

    /// Tells whether nothing is alarming, so that silence may be skipped (DESIGN 4).
    #[must_use]
    pub const fn is_quiet(&self) -> bool {
        self.quiet_ticks >= 40
    }

    /// Returns the home countries and how they were found.
    #[must_use]
    pub fn home(&self) -> Home {
        let how = match &self.home_finder.outcome {
            _ if !self.settings.home.is_empty() => "configured".to_owned(),
            Some(Ok(country)) => format!("decided from verified clients: most are registered in {country}"),
            Some(Err(reason)) => format!("unknown: {reason}"),
            None => "unknown: fewer than three minutes of verified clients were seen; give --home".to_owned(),
        };
        Home { countries: self.home.clone(), how }
    }

    /// Tells which detectors are at work, and why the others are not.
    #[must_use]
    pub fn armed(&self) -> Vec<Armed> {
        let start = self.first_tick.map(Tick::start);
        let history = self.armed_at.map(Tick::start);
        let at_once = |detector| Armed {
            detector,
            since: start,
            why_not: start.is_none().then(|| "nothing was captured".to_owned()),
        };
        let needs_history = |detector| Armed {
            detector,
            since: history,
            why_not: history.is_none().then(|| "no protected host was seen for 180 s".to_owned()),
        };
        let home_known = !self.home.is_empty();
        // Levels by country begin when home is known.
        let origins = match self.home_since {
            Some(decided) => {
                self.judged_until.filter(|now| now.since(decided) >= 760).map(|_| decided.plus(760).start())
            }
            None => history,
        };
        let foreign = Armed {
            detector: "foreign_surge",
            since: origins.filter(|_| home_known),
            why_not: if home_known { needs_history("").why_not } else { Some(format!("home is {}", self.home().how)) },
        };
        vec![
            at_once("syn_flood"),
            at_once("amplification"),
            at_once("udp_flood"),
            at_once("icmp_flood"),
            at_once("fragment_flood"),
            self.tcp_flag_flood_armed(),
            self.carpet_bombing_armed(),
            needs_history("syn_surge"),
            foreign,
            needs_history("connection_exhaustion"),
            needs_history("robotic_surge"),
            needs_history("rush"),
            at_once("overload"),
            needs_history("outage"),
            at_once("sensor_blind"),
            at_once("port_scan"),
            at_once("host_sweep"),
            at_once("brute_force"),
            needs_history("credential_stuffing"),
            at_once("exfiltration"),
            self.sources.new_outbound_armed(),
            at_once("beacon"),
        ]
    }

    fn tcp_flag_flood_armed(&self) -> Armed {
        let now = self.judged_until.unwrap_or_default();
        let since = self.connections_known_at.filter(|from| now >= *from);
        let two_sided = self.hosts.values().any(|watched| watched.subject.sidedness() == Sidedness::TwoSided);
        let why_not = match since {
            None => Some("no minute passed without a start, a gap or a full flow table"),
            Some(_) if !two_sided => Some("no host was seen to talk both ways"),
            Some(_) => None,
        };
        let since = since.filter(|_| why_not.is_none()).map(Tick::start);
        Armed { detector: "tcp_flag_flood", since, why_not: why_not.map(str::to_owned) }
    }

    fn carpet_bombing_armed(&self) -> Armed {
        let since = self.first_tick.filter(|_| !self.sites.is_empty()).map(Tick::start);
        let why_not = since.is_none().then(|| "no prefix of several hosts is protected: give --protect".to_owned());
        Armed { detector: "carpet_bombing", since, why_not }
    }

    /// Returns what is protected now, learned hosts included.
    #[must_use]
    pub fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy)
    }

    /// Ends the run: the minute under way is judged and returned.
    pub fn finish(&mut self, _end: Timestamp) -> Vec<MinuteVerdict> {
        self.output = TickOutput::default();
        self.close_minute();
        std::mem::take(&mut self.output.minutes)
    }

    /// Restarts windows and tests after a gap: what lies before it says nothing about what comes.
    fn restart(&mut self, tick: Tick) {
        self.sensor.restart();
        self.connections_known_at = Some(tick.plus(CONNECTIONS_TAKE));
        self.sources.restart();
        for watched in self.hosts.values_mut().chain(self.sites.values_mut().map(|site| &mut site.watched)) {
            watched.subject.restart(tick);
            watched.forget_behaviour();
        }
    }

    /// Another part of the pairs of addresses is counted than before: what began then is not compared with what ends now.
    fn resample(&mut self, tick: Tick, sampling: Sampling) {
        let before = std::mem::replace(&mut self.sampling, sampling);
        // Pairs that are cut leave as many, in expectation, to those that are left; those that are new were not counted.
        let fewer = (sampling.part().recip() / before.part().recip()).min(1.0);
        self.connections_known_at = Some(tick.plus(CONNECTIONS_TAKE));
        for watched in self.hosts.values_mut().chain(self.sites.values_mut().map(|site| &mut site.watched)) {
            watched.subject.resample(fewer);
        }
    }

    /// Connections that were under way before the first frame, or that the flow table let go, look like segments of none.
    fn note_lost_connections(&mut self, tick: Tick, flows: &FlowTick) {
        let lost = flows.refused + flows.ended[EndReason::LackOfResources as usize] > 0;
        if lost || self.connections_known_at.is_none() {
            self.connections_known_at = Some(tick.plus(CONNECTIONS_TAKE));
        }
    }

    fn find_home(&mut self, summary: &Summary) {
        if !self.settings.home.is_empty() {
            return;
        }
        let (policy, proxies) = (Arc::clone(&self.policy), &self.settings.proxies);
        self.home_finder.observe(summary.tick, &summary.contacts, |contact| {
            contact.verified
                && matches!(policy.direction(contact.originator, contact.responder), Direction::Inbound(_))
                && !proxies.iter().any(|prefix| prefix.contains(contact.originator))
        });
        if let Some(Ok(country)) = &self.home_finder.outcome
            && self.home.is_empty()
        {
            self.home = crate::origin::Home::with_overseas(&[*country]).countries().to_vec();
            self.home_since = Some(summary.tick);
            self.forget_origins();
        }
    }

    /// Before home was known every country was abroad: what was learned of origins is begun anew.
    fn forget_origins(&mut self) {
        for watched in self.hosts.values_mut().chain(self.sites.values_mut().map(|site| &mut site.watched)) {
            watched.subject.foreign = Foreign::default();
            watched.subject.foreign.set_near(&self.settings.near);
            watched.forget_behaviour();
            let subject = &mut watched.subject;
            std::mem::swap(&mut subject.domestic, &mut subject.abroad);
        }
    }

    /// Per-source knowledge first, so that the same tick's records are judged with it.
    fn observe_sources(&mut self, summary: &Summary) {
        self.known.advance(summary.tick);
        self.networks.advance(summary.tick);
        for record in &summary.cohorts {
            self.scanners.observe(summary.tick, record);
        }
        self.scanners.advance(summary.tick);
        for contact in summary.contacts.iter().filter(|c| c.stage == ContactStage::Settled && c.served && c.verified) {
            if self.policy.site_of(contact.responder).is_some() {
                self.known.learn(summary.tick, contact.originator.source_unit());
                self.networks.learn(summary.tick, contact.originator.network());
            }
        }
        let hosts = &self.hosts;
        self.sources.observe(summary, &self.policy, |host| {
            hosts.get(&host).map_or_else(sources::Standing::default, |watched| sources::Standing {
                one_sided: watched.subject.sidedness() == Sidedness::OneSided,
                unwell: watched.situation.unhealthy,
            })
        });
        self.data_segments.0 = self.data_segments.0 * 0.99 + summary.flows.data_segments as f64;
        self.data_segments.1 = self.data_segments.1 * 0.99 + summary.flows.repeated_segments as f64;
    }

    fn observe_hosts(&mut self, summary: &Summary) {
        let tick = summary.tick;
        let newly_protected = self.newly_protected(summary);
        for host in summary.hosts.iter().chain(&newly_protected) {
            self.make_room(tick, host);
        }
        for record in &summary.cohorts {
            let known = self.known.contains(record.source);
            let scanner = !self.scanners.is_in_concert(record.source)
                && (self.scanners.probes(record.source) || self.sources.is_scanner(record.source));
            let source = self.seed.address(record.source);
            let host = self.hosts.get_mut(&record.target);
            let site = self.policy.site_of(record.target).and_then(|site| self.sites.get_mut(&site));
            for watched in host.into_iter().chain(site.map(|site| &mut site.watched)) {
                observe_record(self.seed, watched, record, source, known, scanner);
            }
        }
        for contact in &summary.contacts {
            self.observe_contact(tick, contact);
        }
        let refused = summary.flows.cohort_refused > 0;
        let (home, idle) = (&self.home, HostTick::default());
        for (address, watched) in self.hosts.iter_mut() {
            let of = |hosts: &'_ [HostTick]| hosts.binary_search_by_key(address, |host| host.address).ok();
            let counted = of(&summary.hosts).map(|place| &summary.hosts[place]);
            let host = counted.or_else(|| of(&newly_protected).map(|place| &newly_protected[place])).unwrap_or(&idle);
            watched.subject.observe(tick, host, refused, |country| home.contains(&country));
            watched.subject.observe_strays(tick, host, &Distinct::default());
        }
    }

    /// Returns what came to hosts that are protected by now and of which the shards do not know that yet: a flood is no
    /// reason to wait. Without what the host sent, they are judged as where only one direction is captured.
    fn newly_protected(&self, summary: &Summary) -> Vec<HostTick> {
        let known = |address| self.policy.site_of(address).is_some();
        let hosts = summary.candidates.iter().filter(|candidate| known(candidate.address));
        hosts
            .map(|candidate| {
                let inbound = Volume { packets: u64::from(candidate.packets), bytes: candidate.bytes };
                let strays = candidate.strays.clone();
                HostTick { address: candidate.address, inbound, udp_in: inbound, strays, ..HostTick::default() }
            })
            .collect()
    }

    fn observe_contact(&mut self, tick: Tick, contact: &Contact) {
        if !contact.verified
            || !matches!(self.policy.direction(contact.originator, contact.responder), Direction::Inbound(_))
            || self.settings.proxies.iter().any(|prefix| prefix.contains(contact.originator))
        {
            return;
        }
        // Of no known country is not abroad; while home is unknown there is one stratum only.
        let is_abroad = self.home.is_empty() || contact.country.is_known() && !self.home.contains(&contact.country);
        let is_first = contact.stage == ContactStage::Verified;
        let system = self.origins.as_ref().filter(|_| is_first).and_then(|origins| origins.asn(contact.originator));
        let system = system.map(|system| system.number);
        // The network of a source that was served has been served too.
        let is_new = !self.known.contains(contact.originator.source_unit());
        let newness =
            Newness { source: is_new, network: is_new && !self.networks.contains(contact.originator.network()) };
        let source = self.seed.address(contact.originator.source_unit());
        let host = self.hosts.get_mut(&contact.responder);
        let site = self.policy.site_of(contact.responder).and_then(|site| self.sites.get_mut(&site));
        for watched in host.into_iter().chain(site.map(|site| &mut site.watched)) {
            let subject = &mut watched.subject;
            let stratum = if is_abroad { &mut subject.abroad } else { &mut subject.domestic };
            stratum.observe(self.seed, source, tick, contact, newness);
            if contact.stage == ContactStage::Settled {
                subject.clients.settle(contact);
            }
            if let Some(number) = system {
                subject.systems.observe(number, contact.country, contact.weight);
            }
        }
    }

    /// Gives a host a place of its own, if it may have one.
    fn make_room(&mut self, tick: Tick, host: &HostTick) {
        if self.hosts.contains_key(&host.address) || host.inbound.packets == 0 {
            return;
        }
        let Some(site) = self.policy.site_of(host.address) else { return };
        if self.hosts.len() >= MOST_HOSTS {
            let speaks = |watched: &Watched| watched.subject.verified.per_second() > 0.0 || watched.situation.flood;
            let idle = |watched: &Watched| tick.since(watched.subject.last_seen) > FORGET_AFTER;
            let wants = host.verified > 0 || host.syn >= 20;
            let loser = self
                .hosts
                .iter()
                .filter(|(_, watched)| idle(watched) || (wants && !speaks(watched)))
                .min_by_key(|(address, watched)| (watched.subject.last_seen, **address))
                .map(|(address, _)| *address);
            let Some(loser) = loser else { return };
            self.hosts.remove(&loser);
        }
        let mut watched = Watched::new(host.address.host_prefix(), site, false, tick);
        watched.subject.prepare(&self.outlooks.of(&self.policy, site, tick), &self.outlooks.lent(site));
        watched.subject.foreign.set_near(&self.settings.near);
        self.hosts.insert(host.address, watched);
    }

    /// Sites are the sum of their hosts, for what no single host shows: a flood spread thin over a prefix, or the two
    /// halves of a server that answers over IPv4 and IPv6.
    fn observe_sites(&mut self, summary: &Summary) {
        let tick = summary.tick;
        let mut sums: BTreeMap<SiteId, HostTick> = BTreeMap::new();
        for host in &summary.hosts {
            let Some(prefix) = self.policy.prefix_of(host.address).filter(|prefix| !prefix.is_host()) else { continue };
            let Some(id) = self.policy.site_of(host.address) else { continue };
            sums.entry(id).or_default().add(host);
            let site = self.sites.entry(id).or_insert_with(|| {
                let mut site = WatchedSite::new(prefix, id, tick);
                site.watched.subject.foreign.set_near(&self.settings.near);
                site
            });
            site.count(prefix, host.inbound.packets);
        }
        let mut targets: BTreeMap<SiteId, Distinct> = BTreeMap::new();
        for site in summary.sites.iter().filter(|site| !site.strays.is_empty()) {
            let prefixes = self.policy.sites().get(usize::from(site.site.0)).map_or(&[][..], |s| &s.prefixes[..]);
            let Some(prefix) = prefixes.iter().find(|prefix| !prefix.is_host()) else { continue };
            self.sites.entry(site.site).or_insert_with(|| {
                let mut site = WatchedSite::new(*prefix, site.site, tick);
                site.watched.subject.foreign.set_near(&self.settings.near);
                site
            });
            targets.insert(site.site, site.stray_targets);
            // The site knows of hosts without a place too.
            let sum = sums.entry(site.site).or_default();
            sum.strays.clone_from(&site.strays);
            sum.inbound.packets = sum.inbound.packets.max(site.inbound.packets);
        }
        let refused = summary.flows.cohort_refused > 0;
        let (home, idle) = (&self.home, HostTick::default());
        for (id, site) in &mut self.sites {
            let sum = sums.get(id).unwrap_or(&idle);
            site.watched.subject.observe(tick, sum, refused, |country| home.contains(&country));
            let targets = targets.get(id).copied().unwrap_or_default();
            site.watched.subject.observe_strays(tick, sum, &targets);
            site.choose_prefix();
        }
    }

    fn detect(&mut self, tick: Tick, summary: &Summary) {
        let mut scores: BTreeMap<(&'static str, SiteId), f64> = BTreeMap::new();
        let mut loudest_in: BTreeMap<(AlertKind, SiteId), f64> = BTreeMap::new();
        let view = self.view(tick, summary);
        let attacked = self.attacked_sites(tick);
        let foreign = self.foreign_sites(tick);
        let mut findings = Vec::new();
        let leading = leading_excess(&self.hosts);
        for watched in self.hosts.values_mut() {
            let site = watched.subject.site;
            let (site_attacked, site_foreign) = (attacked.contains(&site), foreign.contains(&site));
            let view = View { site_attacked, site_foreign, ..view.clone() };
            let capacity = configured_capacity(&self.settings, &self.policy, watched.subject.site);
            let learned = self.capacity.get(&watched.subject.site);
            let served_part = learned.map_or(1.0, Capacity::served_part);
            let limit_known = capacity.is_some() || learned.is_some_and(Capacity::is_limit_known);
            let view = View {
                capacity: capacity.or(Some(watched.capacity).filter(|c| *c > 0.0)),
                limit_known,
                served_part,
                ..view.clone()
            };
            for finding in judge(&view, watched) {
                let ratio = if finding.gates_hold { finding.ratio() } else { finding.ratio().min(0.99) };
                let score = scores.entry((finding.kind.name(), watched.subject.site)).or_default();
                *score = score.max(ratio);
                // A host whose gates do not hold says nothing, so it must not speak for its site either.
                if finding.gates_hold {
                    let loudest = loudest_in.entry((finding.kind, watched.subject.site)).or_default();
                    *loudest = loudest.max(finding.ratio());
                }
                findings.push(finding);
            }
        }
        for (site, WatchedSite { watched, speaks, carpets, .. }) in &mut self.sites {
            let capacity = configured_capacity(&self.settings, &self.policy, watched.subject.site);
            let learned = self.capacity.get(&watched.subject.site);
            let served_part = learned.map_or(1.0, Capacity::served_part);
            let limit_known = capacity.is_some() || learned.is_some_and(Capacity::is_limit_known);
            let view = View {
                capacity: capacity.or(Some(watched.capacity).filter(|c| *c > 0.0)),
                limit_known,
                served_part,
                site_foreign: foreign.contains(site),
                of_one_host: leading.get(site).copied().unwrap_or(0.0),
                ..view.clone()
            };
            let mut found = judge(&view, watched);
            let members = members(&self.hosts, &self.policy, *site);
            if let Some(carpet) = carpet_bombing::detect(&view, &watched.subject, carpets, &mut found, &members) {
                let score = scores.entry((carpet.kind.name(), *site)).or_default();
                *score = score.max(carpet.ratio());
                findings.push(carpet);
            }
            let name = self.policy.name(*site);
            findings.retain(|finding| {
                let of_host = finding.target.prefix.is_some_and(Prefix::is_host);
                !(of_host && finding.target.site.as_ref() == Some(&name) && carpets.covers(finding.kind, tick))
            });
            for finding in found {
                let own = loudest_in.get(&(finding.kind, *site)).copied().unwrap_or(0.0);
                if speaks.allows(tick, &finding, own) {
                    findings.push(finding);
                }
            }
        }
        let home = &self.home;
        let is_abroad = |country: Country| !home.is_empty() && country.is_known() && !home.contains(&country);
        let mut by_source = self.sources.detect(&view, is_abroad);
        self.flooded.explain(tick, &mut by_source, &findings);
        for finding in by_source {
            if let Some(site) = finding.target.prefix.and_then(|prefix| self.policy.site_of(prefix.network())) {
                let score = scores.entry((finding.kind.name(), site)).or_default();
                *score = score.max(if finding.gates_hold { finding.ratio() } else { finding.ratio().min(0.99) });
            }
            findings.push(finding);
        }
        findings.extend(self.sensor.detect(tick.end()));
        self.quiet_ticks =
            if findings.iter().any(|f| f.ratio() >= 0.5) { 0 } else { self.quiet_ticks.saturating_add(1) };
        self.sum_minutes(&scores);
        for finding in &mut findings {
            finding.settings.extend(view.one_in());
        }
        self.output.findings = self.fold(tick, findings);
        self.output.scores = scores
            .into_iter()
            .map(|((detector, site), ratio)| Score { detector, site: self.policy.name(site), ratio })
            .collect();
    }

    /// Lets prefixes speak for their hosts where most of these show the same.
    fn fold(&mut self, tick: Tick, findings: Vec<Finding>) -> Vec<Finding> {
        const ACTIVE: u64 = 240;
        let policy = Arc::clone(&self.policy);
        let parent_of = |host: Prefix| policy.prefix_of(host.network()).filter(|prefix| !prefix.is_host());
        let mut active: BTreeMap<Prefix, usize> = BTreeMap::new();
        for watched in self.hosts.values().filter(|watched| tick.since(watched.subject.last_seen) <= ACTIVE) {
            if let Some(parent) = parent_of(watched.subject.prefix) {
                *active.entry(parent).or_default() += 1;
            }
        }
        self.families.fold(tick, findings, parent_of, &active)
    }

    /// Sites of which some host was under attack in the last ten seconds: its neighbours often share a machine or a link,
    /// and what is usual is not learned from such a time.
    fn attacked_sites(&self, now: Tick) -> Vec<SiteId> {
        let attacked = |watched: &&Watched| watched.attacked_at.is_some_and(|at| now.since(at) <= ATTACK_LINGERS);
        self.hosts
            .values()
            .chain(self.sites.values().map(|site| &site.watched))
            .filter(attacked)
            .map(|watched| watched.subject.site)
            .collect()
    }

    /// Sites of which some host, or the whole, saw a surge from abroad in the last minute: that speaks for its robots too.
    fn foreign_sites(&self, now: Tick) -> Vec<SiteId> {
        let recent =
            |watched: &&Watched| watched.robotic.foreign_at.is_some_and(|at| now.since(at) <= FOREIGN_SPEAKS_FOR);
        let all = self.hosts.values().chain(self.sites.values().map(|site| &site.watched));
        all.filter(recent).map(|watched| watched.subject.site).collect()
    }

    fn view(&self, tick: Tick, summary: &Summary) -> View {
        View {
            tick,
            lines: self.lines,
            policy: Arc::clone(&self.policy),
            loss_share: self.sensor.loss_share(),
            sampling: self.sensor.sparsest(),
            duplicate_share: self.data_segments.1 / self.data_segments.0.max(1.0),
            sampler_shift: summary.flows.sampler_shift,
            backlog: if self.settings.backlog > 0 { f64::from(self.settings.backlog) } else { 1_024.0 },
            capacity: None,
            limit_known: false,
            served_part: 1.0,
            site_attacked: false,
            site_foreign: false,
            of_one_host: 0.0,
            home_known: !self.home.is_empty(),
            connections_known: self.connections_known_at.is_some_and(|from| tick >= from),
            networks_are_known: self.networks_recalled
                || self.first_tick.is_some_and(|first| tick.since(first) >= NETWORKS_KNOWN_AFTER),
        }
    }

    /// Puts the calibrated lines and widths in force.
    fn adopt_calibration(&mut self) {
        self.lines.raised = self.calibration.lines();
        self.outlooks.set_width(self.settings.envelope_width + self.calibration.wider());
    }

    /// Tells every subject what is to be expected of it.
    fn prepare_all(&mut self, tick: Tick) {
        for watched in self.hosts.values_mut().chain(self.sites.values_mut().map(|site| &mut site.watched)) {
            let site = watched.subject.site;
            watched.subject.prepare(&self.outlooks.of(&self.policy, site, tick), &self.outlooks.lent(site));
        }
    }

    /// Every ten seconds, each subject at its own tick of them so that the work is spread.
    fn learn(&mut self, tick: Tick) {
        let attacked = self.attacked_sites(tick);
        if tick.closes_period(40) {
            self.measure_capacity(&attacked);
            if self.calibration.advance(tick) {
                self.adopt_calibration();
                tracing::info!(at = %tick.end(), lines = ?self.lines.raised, wider = self.calibration.wider(), "alert lines raised by quiet time");
            }
            self.outlooks.borrow(self.hosts.values());
            let sites = self.sites.values().map(|site| &site.watched);
            self.output.phases = outlook::phases(&self.policy, self.hosts.values(), sites);
            self.output.usual = usual::of_sites(&self.policy, self.hosts.values());
        }
        for watched in self.hosts.values_mut().chain(self.sites.values_mut().map(|site| &mut site.watched)) {
            if attacked.contains(&watched.subject.site) {
                watched.subject.alarm_ratio = watched.subject.alarm_ratio.max(1.0);
            }
            let quiet = watched.subject.is_quiet();
            watched.subject.abroad.roll(tick, quiet);
            watched.subject.domestic.roll(tick, quiet);
            watched.subject.systems.roll(tick, quiet);
            if watched.is_due(tick) {
                // What alarms is not quiet, and no reason to raise a line.
                let evidence = std::mem::take(&mut watched.evidence);
                if watched.subject.alarm_ratio < 1.0 && watched.subject.syns.usual().is_some() {
                    self.calibration.observe(tick, &evidence);
                }
                let (site, healthy) = (watched.subject.site, !attacked.contains(&watched.subject.site));
                if watched.subject.learn(healthy && !watched.situation.unhealthy) {
                    let (prefix, site) = (watched.subject.prefix, self.policy.name(site));
                    tracing::info!(%prefix, %site, at = %tick.end(), "regime change accepted: a day of healthy traffic is becoming usual");
                }
                watched.subject.prepare(&self.outlooks.of(&self.policy, site, tick), &self.outlooks.lent(site));
                if !watched.situation.unhealthy && watched.subject.served.is_full() {
                    watched.capacity = watched.capacity.max(watched.subject.served.per_second());
                }
                if watched.subject.syns.usual().is_some() {
                    self.armed_at.get_or_insert(tick);
                }
            }
        }
    }

    /// Notes what each site as a whole serves, and in what condition.
    fn measure_capacity(&mut self, attacked: &[SiteId]) {
        let mut rates: BTreeMap<SiteId, (f64, f64, Condition)> = BTreeMap::new();
        for watched in self.hosts.values() {
            let (subject, site) = (&watched.subject, watched.subject.site);
            // An address that scans have just woken serves nobody, and tells nothing of those that do.
            if !subject.served.is_full() && subject.served.sum() == 0.0 {
                continue;
            }
            let (served, first_syns, condition) = rates.entry(site).or_insert((0.0, 0.0, Condition::Well));
            *served += subject.served.per_second();
            *first_syns += subject.syns.per_second();
            *condition = match (*condition, watched.situation.unhealthy) {
                _ if !subject.served.is_full() || attacked.contains(&site) => Condition::Disturbed,
                (Condition::Disturbed, _) => Condition::Disturbed,
                (_, true) => Condition::Overloaded,
                (condition, false) => condition,
            };
        }
        for (site, (served, first_syns, condition)) in rates {
            self.capacity.entry(site).or_default().observe(served, first_syns, condition);
        }
    }

    fn roll_minute(&mut self, tick: Tick) {
        let minute = tick.number() / 240;
        if self.minute.is_some_and(|current| current != minute) {
            self.close_minute();
        }
        self.minute = Some(minute);
    }

    fn close_minute(&mut self) {
        let Some(minute) = self.minute else { return };
        for (site, sums) in std::mem::take(&mut self.minutes) {
            let configured = configured_capacity(&self.settings, &self.policy, site).map(Bounds::exactly);
            let learned = self.capacity.entry(site).or_default();
            let course = self.courses.entry(site).or_default();
            let standard = Standard {
                capacity: configured.or_else(|| learned.bounds()),
                served_part: learned.served_part(),
                was_overloaded: course.was_overloaded(),
            };
            let start = Tick::new(minute * 240).start();
            let mut verdict = sums.judge(start, self.policy.name(site), &standard);
            verdict.verdict = course.follow(verdict.verdict, sums.loudest);
            self.output.minutes.push(verdict);
        }
    }

    fn sum_minutes(&mut self, scores: &BTreeMap<(&'static str, SiteId), f64>) {
        let mut states: BTreeMap<SiteId, SiteState> = BTreeMap::new();
        for watched in self.hosts.values() {
            let site = watched.subject.site;
            states.entry(site).or_default().add(watched);
            add_to_minute(self.minutes.entry(site).or_default(), watched);
        }
        for (id, state) in states {
            let sums = self.minutes.entry(id).or_default();
            // A flood too thin for any single host is known to the site as a whole only.
            let whole = self.sites.get(&id).filter(|_| !state.attacked).map(|site| &site.watched);
            if let Some(whole) = whole.filter(|whole| whole.situation.flood) {
                add_flood(sums, whole);
            }
            sums.ticks += 1;
            sums.unhealthy_ticks += u32::from(state.unhealthy);
            sums.attack_ticks += u32::from(state.attacked || whole.is_some_and(|whole| whole.attacked));
            sums.unknown_ticks += u32::from(state.syns_unknown > 0.1 * state.syns);
            sums.exhausted.iter_mut().zip(state.exhausted).for_each(|(ticks, out)| *ticks += u32::from(out));
        }
        for ((detector, site), ratio) in scores {
            if let Some(place) = bears_on_verdict(detector) {
                let loudest = &mut self.minutes.entry(*site).or_default().loudest[place];
                *loudest = loudest.max(*ratio);
            }
        }
    }
}

/// Tells which score of a minute a detector belongs to: 0 for attacks, 1 for the health of the service, 2 for crowds.
fn bears_on_verdict(detector: &str) -> Option<usize> {
    match AlertKind::ALL.iter().find(|kind| kind.name() == detector)? {
        AlertKind::Overload | AlertKind::Outage => Some(1),
        AlertKind::Rush => Some(2),
        kind => kind.is_attack().then_some(0),
    }
}

/// Returns the hosts of a site, each with the protected prefix it lies in.
fn members<'a>(hosts: &'a Hosts, policy: &Policy, site: SiteId) -> Vec<carpet_bombing::Member<'a>> {
    let of_site = hosts.iter().filter(|(_, watched)| watched.subject.site == site);
    of_site.filter_map(|(address, watched)| Some((&watched.subject, policy.prefix_of(*address)?))).collect()
}

/// Returns for each site the most verified connections a second by which one of its hosts exceeds what is usual of it.
fn leading_excess(hosts: &Hosts) -> BTreeMap<SiteId, f64> {
    let mut leading: BTreeMap<SiteId, f64> = BTreeMap::new();
    for watched in hosts.values() {
        let verified = &watched.subject.verified;
        let most = leading.entry(watched.subject.site).or_default();
        *most = most.max(verified.per_second() - verified.usual().unwrap_or(0.0));
    }
    leading
}

/// What the hosts of a site are in, in one tick.
#[derive(Clone, Copy, Debug, Default)]
struct SiteState {
    attacked: bool,
    unhealthy: bool,
    syns: f64,
    /// First SYNs to hosts of which the usual rate is not known.
    syns_unknown: f64,
    /// What has run out, in the order of `Resource::ALL`.
    exhausted: [bool; 4],
}

impl SiteState {
    fn add(&mut self, watched: &Watched) {
        let (subject, situation) = (&watched.subject, &watched.situation);
        self.attacked |= watched.attacked;
        self.unhealthy |= situation.unhealthy;
        self.syns += subject.syns.sum();
        if subject.syns.usual().is_none() {
            self.syns_unknown += subject.syns.sum();
        }
        let out = [
            situation.flood && situation.syn_queue_full,
            situation.accept_queue_full,
            situation.exhausted,
            situation.unhealthy,
        ];
        // The service counts where nothing more precise is known.
        let precise = out[..3].contains(&true);
        self.exhausted.iter_mut().zip(out).enumerate().for_each(|(n, (mine, out))| *mine |= out && (n < 3 || !precise));
    }
}

/// Adds one host's tick to its site's minute.
fn add_to_minute(sums: &mut MinuteSums, watched: &Watched) {
    let subject = &watched.subject;
    add_flood(sums, watched);
    let (begun, proven) = (subject.quic_opened.back(0) as f64, subject.quic_finished.back(0) as f64);
    sums.first_syns += tally::first_attempts(subject) + begun;
    if watched.datagram_flood {
        sums.flood.attack += begun - proven;
    }
    sums.robotic += watched.robots;
    let server = subject.cohorts.server_side(1);
    sums.opened += server.opened;
    sums.answered += server.answered;
    sums.verified += subject.verified.recent_per_second(1) / 4.0;
    sums.home += subject.foreign.home.recent_per_second(1) / 4.0;
    sums.abroad += subject.foreign.abroad.rate.recent_per_second(1) / 4.0;
    sums.usual += subject.syns.usual().unwrap_or(0.0) / 4.0;
}

fn add_flood(sums: &mut MinuteSums, watched: &Watched) {
    sums.flood.add(watched.part);
    if watched.situation.flood {
        sums.flood_noise = sums.flood_noise.max(watched.subject.unfinished.level().spread());
    }
}

fn observe_record(seed: Seed, watched: &mut Watched, record: &CohortRecord, source: u64, known: bool, scanner: bool) {
    let quiet = !watched.situation.flood && watched.subject.is_quiet();
    watched.subject.records.observe(record, known, scanner);
    if !scanner {
        let at_closed = watched.subject.records.is_refused_at_closed(record);
        watched.subject.spread.observe(seed, record, quiet, at_closed);
    }
    for stratum in [&mut watched.subject.domestic, &mut watched.subject.abroad] {
        stratum.sources.note_stack(seed, source, record.ttl, record.window);
    }
}

/// Served connections a second that a site is configured to bear.
fn configured_capacity(settings: &Settings, policy: &Policy, site: SiteId) -> Option<f64> {
    let name = policy.name(site);
    settings.capacity.iter().find(|(of, _)| **of == *name).map(|(_, capacity)| *capacity)
}

#[cfg(test)]
mod tests;
