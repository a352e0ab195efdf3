//! What leaves: what clients fetch, and what inside hosts send or ask for on their own account.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::Address;
use crate::country::Country;
use crate::detect::finding::Finding;
use crate::detect::new_outbound::{self, First};
use crate::detect::view::View;
use crate::detect::{beacon, exfiltration};
use crate::hash::Seed;
use crate::packet::Protocol;
use crate::policy::{Direction, Policy};
use crate::summary::{CohortRecord, Contact, ContactStage};
use crate::time::{TICKS_PER_SECOND, Tick, Timestamp};
use crate::window::gaps::{Pair, Pairs};
use crate::window::outbound::Outbound;
use crate::window::pulls::{Pull, Pulls};

use super::MOST_ALARMING;

/// Ticks for which a first connection is spoken of: half a minute.
const FIRST_LASTS: u64 = 120;

/// Ticks without progress after which a client is held to have stopped fetching: a minute.
const FETCHING_LASTS: u64 = 240;

/// Bytes of an hour from which a pair, or a host, is looked at each tick.
const WORTH_A_LOOK: f64 = exfiltration::HOUR_BYTES / 4.0;

/// An hour.
const HOUR: u64 = 14_400;

/// Clients that fetch, hosts that send, and pairs that meet regularly.
#[derive(Debug)]
pub(super) struct Leaving {
    pulls: Pulls,
    pulling: BTreeSet<Pull>,
    outbound: Outbound,
    sending: BTreeMap<Address, Tick>,
    firsts: BTreeMap<Address, (Tick, First)>,
    pairs: Pairs,
    meeting: BTreeSet<Pair>,
    beating: BTreeSet<Pair>,
    /// When the capture, or what came after its last gap, began.
    began: Option<Timestamp>,
}

impl Leaving {
    pub(super) fn new(seed: Seed) -> Self {
        Self {
            pulls: Pulls::new(seed),
            pulling: BTreeSet::new(),
            outbound: Outbound::new(seed),
            sending: BTreeMap::new(),
            firsts: BTreeMap::new(),
            pairs: Pairs::new(seed),
            meeting: BTreeSet::new(),
            beating: BTreeSet::new(),
            began: None,
        }
    }

    pub(super) const fn outbound(&self) -> &Outbound {
        &self.outbound
    }

    pub(super) const fn outbound_mut(&mut self) -> &mut Outbound {
        &mut self.outbound
    }

    /// Returns since when the host watched longest is.
    pub(super) fn watched_since(&self) -> Option<Timestamp> {
        self.outbound.watched_since()
    }

    pub(super) fn contact(&mut self, now: Tick, contact: &Contact, policy: &Policy) {
        match policy.direction(contact.originator, contact.responder) {
            Direction::Inbound(_) => self.fetched(now, contact),
            Direction::Outbound(_) => self.sent(now, contact),
            Direction::Internal | Direction::Transit => {}
        }
        let is_tcp = contact.protocol == Protocol::TCP && contact.stage == ContactStage::Settled;
        if is_tcp && beacon::is_candidate(policy, contact) {
            let pair = self.pairs.observe(now, contact);
            self.meeting.insert(pair);
        }
    }

    pub(super) fn handshake(&mut self, record: &CohortRecord) {
        self.pulls.note_stack(record);
    }

    /// Ends the tick.
    pub(super) fn advance(&mut self, now: Tick) {
        self.began.get_or_insert(now.start());
        if now.closes_period(HOUR) {
            let pulling = &self.pulling;
            self.pulls.remember(now, |pull| pulling.contains(pull));
        }
    }

    /// Forgets what a gap makes doubtful; what hosts do over weeks stays.
    pub(super) fn restart(&mut self) {
        self.pulls.clear();
        self.pulling.clear();
        self.sending.clear();
        self.pairs.clear();
        self.meeting.clear();
        self.beating.clear();
        self.began = None;
    }

    pub(super) fn detect(&mut self, view: &View, is_abroad: impl Fn(Country) -> bool) -> Vec<Finding> {
        let mut findings = self.fetching(view, is_abroad);
        findings.extend(self.out_of_character(view));
        self.firsts.retain(|_, (at, _)| view.tick.since(*at) <= FIRST_LASTS);
        findings.extend(self.firsts.iter().map(|(host, (_, first))| new_outbound::finding(view, *host, first)));
        findings.extend(self.beacons(view));
        findings
    }

    fn fetched(&mut self, now: Tick, contact: &Contact) {
        if contact.stage == ContactStage::Verified {
            self.outbound.note_served(now, contact.responder);
            return;
        }
        // Addresses that are not proven may be anybody's.
        if !(contact.verified || contact.served) {
            return;
        }
        let (pull, pulled) = self.pulls.observe(now, contact);
        let looked_at = pulled.bytes() as f64 >= WORTH_A_LOOK || pulled.answers() as f64 >= exfiltration::ANSWERS / 4.0;
        if looked_at && self.pulling.len() < MOST_ALARMING {
            self.pulling.insert(pull);
        }
    }

    fn sent(&mut self, now: Tick, contact: &Contact) {
        if contact.stage == ContactStage::Settled && new_outbound::counts(contact) {
            let before = self.outbound.note_opened(now, contact.originator);
            let first = before.and_then(|before| new_outbound::first(now.start(), contact, before));
            if let Some(first) = first.filter(|_| self.firsts.len() < MOST_ALARMING) {
                self.firsts.insert(contact.originator, (now, first));
            }
        }
        self.outbound.observe(now, contact);
        let sent = self.outbound.sent(now, contact.originator);
        if sent.is_some_and(|sent| sent.hour >= WORTH_A_LOOK) && self.sending.len() < MOST_ALARMING {
            self.sending.insert(contact.originator, now);
        }
    }

    fn fetching(&mut self, view: &View, is_abroad: impl Fn(Country) -> bool) -> Vec<Finding> {
        if !view.tick.closes_period(TICKS_PER_SECOND) {
            return Vec::new();
        }
        let Self { pulls, pulling, .. } = self;
        let mut findings = Vec::new();
        pulling.retain(|pull| {
            let Some(pulled) = pulls.current(view.tick, pull).cloned() else { return false };
            if view.tick.since(pulled.last_seen()) > FETCHING_LASTS {
                return false;
            }
            if !exfiltration::may_be_much(&pulled) {
                return true;
            }
            let others = pulls.others(view.tick, pull);
            findings.extend(exfiltration::front_door(view, pull, &pulled, &others, is_abroad(pulled.country())));
            true
        });
        findings
    }

    fn out_of_character(&mut self, view: &View) -> Vec<Finding> {
        let Self { outbound, sending, .. } = self;
        sending.retain(|_, last| view.tick.since(*last) <= FETCHING_LASTS);
        let judged = sending.iter().filter_map(|(host, last)| {
            let mut finding = exfiltration::out_of_character(view, *host, &outbound.sent(view.tick, *host)?)?;
            finding.onset = finding.onset.min(last.start());
            Some(finding)
        });
        judged.collect()
    }

    fn beacons(&mut self, view: &View) -> Vec<Finding> {
        let Some(began) = self.began else { return Vec::new() };
        let mut findings = Vec::new();
        for pair in std::mem::take(&mut self.meeting) {
            let finding = beacon::judge(view, &pair, &self.pairs, began, self.beating.contains(&pair));
            if finding.is_some() && self.beating.len() < MOST_ALARMING {
                self.meeting.insert(pair);
                self.beating.insert(pair);
            } else {
                self.beating.remove(&pair);
            }
            findings.extend(finding);
        }
        findings
    }
}
