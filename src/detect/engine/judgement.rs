//! Runs the detectors over hosts, sites and sources, and settles who speaks for whom.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Engine;
use super::hosts::Hosts;
use super::judged::Judged;
use super::limits::Limits;
use crate::address::Prefix;
use crate::country::Country;
use crate::detect::finding::Finding;
use crate::detect::view::View;
use crate::detect::watched::{Watched, WatchedSite, judge};
use crate::detect::{carpet_bombing, dark_addresses};
use crate::kind::AlertKind;
use crate::policy::{Policy, SiteId};
use crate::summary::{Distinct, HostTick, Summary};
use crate::time::Tick;
use crate::window::subject::Sidedness;

/// Ticks after which a network not served before says something: an hour (DETECTION 4.2 wants thirty days; until there
/// are, the subject's own share of strangers is what it is compared with).
const NETWORKS_KNOWN_AFTER: u64 = 14_400;

/// Ticks for which an attack colours its site after it last fired: ten seconds.
const ATTACK_LINGERS: u64 = 40;

/// Ticks for which a surge from abroad goes on speaking for the robots in it: a minute.
const FOREIGN_SPEAKS_FOR: u64 = 240;

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

impl Engine {
    /// Judges the tick: hosts first, then the sites that speak for several, then sources.
    pub(super) fn detect(&mut self, summary: &Summary, newly_protected: &[HostTick]) {
        let tick = summary.tick;
        let view = self.view(tick, summary);
        let mut judged = Judged::default();
        let foreign = self.foreign_sites(tick);
        self.judge_hosts(summary, newly_protected, &view, &foreign, &mut judged);
        self.judge_sites(&view, &foreign, &mut judged);
        self.judge_sources(&view, &mut judged);
        let Judged { scores, mut findings, .. } = judged;
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

    /// Gives each host its counts and judges it at once: hundreds of hosts, kilobytes each, do not stay in the cache until
    /// a second walk comes by.
    fn judge_hosts(
        &mut self,
        summary: &Summary,
        newly_protected: &[HostTick],
        view: &View,
        foreign: &[SiteId],
        judged: &mut Judged,
    ) {
        let attacked = self.attacked_sites(view.tick);
        let two_sided = self.two_sided_sites();
        let limits = Limits { settings: &self.settings, policy: &self.policy, learned: &self.capacity };
        let refused = summary.flows.cohort_refused > 0;
        let (home, idle) = (&self.home, HostTick::default());
        for (address, watched) in self.hosts.iter_mut() {
            let of = |hosts: &'_ [HostTick]| hosts.binary_search_by_key(address, |host| host.address).ok();
            let counted = of(&summary.hosts).map(|place| &summary.hosts[place]);
            let host = counted.or_else(|| of(newly_protected).map(|place| &newly_protected[place])).unwrap_or(&idle);
            watched.subject.observe(view.tick, host, refused, |country| home.contains(&country));
            watched.subject.observe_strays(view.tick, host, &Distinct::default());
            let site = watched.subject.site;
            let view = View {
                site_attacked: attacked.contains(&site),
                site_foreign: foreign.contains(&site),
                site_two_sided: two_sided.contains(&site),
                ..limits.view(view, watched)
            };
            for finding in judge(&view, watched) {
                judged.take_of_host(site, finding);
            }
        }
    }

    fn judge_sites(&mut self, view: &View, foreign: &[SiteId], judged: &mut Judged) {
        let leading = leading_excess(&self.hosts);
        let limits = Limits { settings: &self.settings, policy: &self.policy, learned: &self.capacity };
        for (site, WatchedSite { watched, speaks, carpets, dark, .. }) in &mut self.sites {
            let view = View {
                site_foreign: foreign.contains(site),
                of_one_host: leading.get(site).copied().unwrap_or(0.0),
                ..limits.view(view, watched)
            };
            let mut found = judge(&view, watched);
            let members = members(&self.hosts, &self.policy, *site);
            if let Some(carpet) = carpet_bombing::detect(&view, &watched.subject, carpets, &mut found, &members) {
                judged.score(*site, &carpet);
                judged.findings.push(carpet);
            } else if let Some(carpet) = dark_addresses::detect(&view, &watched.subject, dark) {
                if carpet.fires() {
                    watched.attack(view.tick);
                    carpets.note_dark(view.tick);
                }
                judged.score(*site, &carpet);
                judged.findings.push(carpet);
            }
            if carpets.explains_silence(view.tick) {
                found.retain(|finding| finding.kind != AlertKind::SynFlood);
            }
            let name = self.policy.name(*site);
            judged.findings.retain(|finding| {
                let of_host = finding.target.prefix.is_some_and(Prefix::is_host);
                !(of_host && finding.target.site.as_ref() == Some(&name) && carpets.covers(finding.kind, view.tick))
            });
            for mut finding in found {
                if speaks.allows(view.tick, &finding, judged.loudest_host(*site, finding.kind)) {
                    let host = judged.leaning(*site, finding.kind);
                    let around = host.and_then(|host| self.policy.prefix_of(host.network()));
                    let around = around.filter(|prefix| !prefix.is_host()).unwrap_or(watched.subject.prefix);
                    let ratio = if finding.gates_hold { finding.ratio() } else { 0.0 };
                    finding.target.prefix = Some(speaks.name(view.tick, finding.kind, ratio, around));
                    judged.findings.push(finding);
                }
            }
        }
    }

    fn judge_sources(&mut self, view: &View, judged: &mut Judged) {
        let home = &self.home;
        let is_abroad = |country: Country| !home.is_empty() && country.is_known() && !home.contains(&country);
        let mut by_source = self.sources.detect(view, is_abroad);
        self.flooded.explain(view.tick, &mut by_source, &judged.findings);
        for finding in by_source {
            if let Some(site) = finding.target.prefix.and_then(|prefix| self.policy.site_of(prefix.network())) {
                judged.score(site, &finding);
            }
            judged.findings.push(finding);
        }
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
    pub(super) fn attacked_sites(&self, now: Tick) -> Vec<SiteId> {
        let attacked = |watched: &&Watched| watched.attacked_at.is_some_and(|at| now.since(at) <= ATTACK_LINGERS);
        self.hosts
            .values()
            .chain(self.sites.values().map(|site| &site.watched))
            .filter(attacked)
            .map(|watched| watched.subject.site)
            .collect()
    }

    /// Sites of which both directions are captured, as far as their hosts tell together.
    fn two_sided_sites(&self) -> Vec<SiteId> {
        let sites = self.sites.iter();
        sites.filter(|(_, site)| site.watched.subject.sidedness() == Sidedness::TwoSided).map(|(id, _)| *id).collect()
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
            site_two_sided: false,
            of_one_host: 0.0,
            home_known: !self.home.is_empty(),
            connections_known: self.connections_known_at.is_some_and(|from| tick >= from),
            networks_are_known: self.networks_recalled
                || self.first_tick.is_some_and(|first| tick.since(first) >= NETWORKS_KNOWN_AFTER),
        }
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
