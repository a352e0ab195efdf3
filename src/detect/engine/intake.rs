//! Lays what a tick counted into the windows of sources, hosts and sites.

use std::collections::BTreeMap;

use super::Engine;
use super::vacancies::Vacancies;
use crate::detect::sources;
use crate::detect::watched::{Watched, WatchedSite};
use crate::hash::Seed;
use crate::policy::{Direction, SiteId};
use crate::summary::{CohortRecord, Contact, ContactStage, Distinct, HostTick, Summary, Volume};
use crate::time::Tick;
use crate::window::stratum::Newness;
use crate::window::subject::Sidedness;

/// Hosts watched one by one; what does not fit counts in its prefix.
pub(super) const MOST_HOSTS: usize = 256;

impl Engine {
    /// Per-source knowledge first, so that the same tick's records are judged with it.
    pub(super) fn observe_sources(&mut self, summary: &Summary) {
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

    /// What is known of single handshakes and connections; the counts of hosts follow when these are judged
    /// ([`Engine::detect`]).
    pub(super) fn observe_hosts(&mut self, summary: &Summary, newly_protected: &[HostTick]) {
        let tick = summary.tick;
        let mut vacancies = None;
        for host in summary.hosts.iter().chain(newly_protected) {
            self.make_room(tick, host, &mut vacancies);
        }
        for record in &summary.cohorts {
            let source = self.seed.address(record.source);
            let known = self.known.contains_hash(source);
            let scanner = !self.scanners.is_in_concert(record.source)
                && (self.scanners.probes(record.source, source) || self.sources.is_scanner(record.source));
            let host = self.hosts.get_mut(&record.target);
            let site = self.policy.site_of(record.target).and_then(|site| self.sites.get_mut(&site));
            for watched in host.into_iter().chain(site.map(|site| &mut site.watched)) {
                observe_record(self.seed, watched, record, source, known, scanner);
            }
        }
        for contact in &summary.contacts {
            self.observe_contact(tick, contact);
        }
    }

    /// Returns what came to hosts that are protected by now and of which the shards do not know that yet: a flood is no
    /// reason to wait. Without what the host sent, they are judged as where only one direction is captured.
    pub(super) fn newly_protected(&self, summary: &Summary) -> Vec<HostTick> {
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
        // The network of a source that was served has been served too.
        let source = self.seed.address(contact.originator.source_unit());
        let is_new = !self.known.contains_hash(source);
        let newness =
            Newness { source: is_new, network: is_new && !self.networks.contains(contact.originator.network()) };
        let host = self.hosts.get_mut(&contact.responder);
        let site = self.policy.site_of(contact.responder).and_then(|site| self.sites.get_mut(&site));
        for watched in host.into_iter().chain(site.map(|site| &mut site.watched)) {
            let subject = &mut watched.subject;
            if contact.stage.is_held() {
                subject.clients.hold(contact);
                continue;
            }
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

    /// Gives a host a place of its own, if it may have one; `vacancies` are those of this tick, once they are asked for.
    fn make_room(&mut self, tick: Tick, host: &HostTick, vacancies: &mut Option<Vacancies>) {
        if self.hosts.contains_key(&host.address) || host.inbound.packets == 0 {
            return;
        }
        let Some(site) = self.policy.site_of(host.address) else { return };
        if self.hosts.len() >= MOST_HOSTS {
            let vacancies = vacancies.get_or_insert_with(|| Vacancies::of(&self.hosts, tick));
            let wants = host.verified > 0 || host.syn >= 20;
            let Some(loser) = vacancies.take(wants) else { return };
            self.hosts.remove(&loser);
            vacancies.add(host.address, tick);
        }
        let mut watched = Watched::new(host.address.host_prefix(), site, false, tick);
        watched.subject.prepare(&self.outlooks.of(&self.policy, site, tick), &self.outlooks.lent(site));
        watched.subject.foreign.set_near(&self.settings.near);
        self.hosts.insert(host.address, watched);
    }

    /// Sites are the sum of their hosts, for what no single host shows: a flood spread thin over a prefix, or the two
    /// halves of a server that answers over IPv4 and IPv6.
    pub(super) fn observe_sites(&mut self, summary: &Summary) {
        let tick = summary.tick;
        let mut sums: BTreeMap<SiteId, HostTick> = BTreeMap::new();
        let mut dark: BTreeMap<SiteId, (u64, u64)> = BTreeMap::new();
        for host in &summary.hosts {
            let Some(prefix) = self.policy.prefix_of(host.address).filter(|prefix| !prefix.is_host()) else { continue };
            let Some(id) = self.policy.site_of(host.address) else { continue };
            sums.entry(id).or_default().add(host);
            if self.is_dark(host) {
                let (syns, addresses) = dark.entry(id).or_default();
                (*syns, *addresses) = (*syns + u64::from(host.syn), *addresses + 1);
            }
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
            let (syns, addresses) = dark.get(id).copied().unwrap_or_default();
            site.dark.observe(tick, syns, addresses, sum.sampling.part());
            site.choose_prefix();
        }
    }

    /// Tells whether a host is asked for something and has never sent a packet, as far as that is known: of a host without a
    /// place of its own nothing is remembered, and one whose answers take another path has clients that talk to it.
    fn is_dark(&self, host: &HostTick) -> bool {
        let is_silent = |watched: &Watched| {
            !watched.subject.strays.was_ever_heard() && watched.subject.sidedness() == Sidedness::Unknown
        };
        host.syn > 0 && host.outbound.packets == 0 && self.hosts.get(&host.address).is_some_and(is_silent)
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
