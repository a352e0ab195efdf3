//! Conversations with log-in services: of single sources, and of all together.

use std::collections::BTreeSet;

use crate::address::Address;
use crate::detect::finding::Finding;
use crate::detect::view::View;
use crate::detect::{brute_force, credential_stuffing};
use crate::hash::Seed;
use crate::policy::Policy;
use crate::summary::{CohortRecord, Contact, ContactStage};
use crate::time::Tick;
use crate::window::logins::{Attempter, Logins};
use crate::window::visits::Visits;

use super::MOST_ALARMING;

/// The log-in services, who tries them and who stays.
#[derive(Debug)]
pub(super) struct Guessing {
    configured: Vec<(Address, u16)>,
    logins: Logins,
    attempters: BTreeSet<Attempter>,
    visits: Visits,
}

impl Guessing {
    pub(super) fn new(configured: Vec<(Address, u16)>, seed: Seed) -> Self {
        Self { configured, logins: Logins::new(seed), attempters: BTreeSet::new(), visits: Visits::new(seed) }
    }

    pub(super) fn contact(&mut self, now: Tick, contact: &Contact, policy: &Policy) {
        if contact.stage == ContactStage::Verified
            || !contact.verified
            || !brute_force::is_login(policy, &self.configured, contact)
        {
            return;
        }
        if policy.site_of(contact.responder).is_some() {
            self.visits.observe(now, contact);
        }
        if contact.stage == ContactStage::Settled {
            let attempter = self.logins.observe(now, contact, brute_force::is_attempt(contact));
            self.attempters.insert(attempter);
        }
    }

    pub(super) fn handshake(&mut self, record: &CohortRecord) {
        self.logins.note_stack(record);
    }

    /// Ends the tick; `is_well` tells whether a host keeps up with its clients.
    pub(super) fn advance(&mut self, now: Tick, is_well: impl Fn(Address) -> bool) {
        self.visits.advance(now, is_well);
    }

    pub(super) fn detect(&mut self, view: &View) -> Vec<Finding> {
        let mut findings = Vec::new();
        for key in std::mem::take(&mut self.attempters) {
            let Some(attempts) = self.logins.current(view.tick, &key) else { continue };
            let current = brute_force::is_current(view.tick, attempts);
            let finding = brute_force::judge(view, &key, attempts).filter(|_| current);
            if finding.is_some() && self.attempters.len() < MOST_ALARMING {
                self.attempters.insert(key);
            }
            findings.extend(finding);
        }
        let standings = self.visits.standings();
        findings.extend(standings.filter_map(|(at, standing)| credential_stuffing::judge(view, at, &standing)));
        findings
    }
}
