//! What the engine learns once a tick is judged: what is usual, what a site bears, where home is.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Engine;
use crate::detect::capacity::Condition;
use crate::detect::view::SAID_FROM;
use crate::detect::{outlook, usual};
use crate::policy::{Direction, SiteId};
use crate::summary::Summary;
use crate::time::Tick;

impl Engine {
    pub(super) fn find_home(&mut self, summary: &Summary) {
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

    /// Before home was known every country was abroad: what was learned of home and abroad is begun anew.
    pub(super) fn forget_origins(&mut self) {
        for watched in self.hosts.values_mut().chain(self.sites.values_mut().map(|site| &mut site.watched)) {
            watched.subject.foreign.forget_home();
            watched.forget_behaviour();
            let subject = &mut watched.subject;
            std::mem::swap(&mut subject.domestic, &mut subject.abroad);
        }
    }

    /// Puts the calibrated lines and widths in force.
    pub(super) fn adopt_calibration(&mut self) {
        self.lines.raised = self.calibration.lines();
        self.outlooks.set_width(self.settings.envelope_width + self.calibration.wider());
    }

    /// Tells every subject what is to be expected of it.
    pub(super) fn prepare_all(&mut self, tick: Tick) {
        for watched in self.hosts.values_mut().chain(self.sites.values_mut().map(|site| &mut site.watched)) {
            let site = watched.subject.site;
            watched.subject.prepare(&self.outlooks.of(&self.policy, site, tick), &self.outlooks.lent(site));
        }
    }

    /// Every ten seconds, each subject at its own tick of them so that the work is spread.
    pub(super) fn learn(&mut self, tick: Tick) {
        let attacked = self.attacked_sites(tick);
        if !self.sensor.is_silent() {
            self.learn_dark(tick);
        }
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
            if watched.is_due(tick) && !self.sensor.is_silent() {
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

    /// Teaches sites what comes to addresses where nobody answers.
    fn learn_dark(&mut self, tick: Tick) {
        for site in self.sites.values_mut().filter(|site| site.watched.is_due(tick)) {
            let is_calm =
                site.watched.subject.is_quiet() && site.dark.syns().decades() < SAID_FROM * self.lines.subject;
            site.dark.learn(if is_calm { 1.0 } else { 0.0 });
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
}
