//! False alarms over long times: weeks cut into slices of some hours, simulated as the summaries that shards would give, for
//! many targets at once (DETECTION 8.1, G1), and given to the engine that runs live.
//!
//! No packet is made, so that hours of many targets run in seconds. What is simulated of a target: a rate that wanders and
//! follows the day, bursts, clients from home and from 63 countries abroad that come back, lossy lines, scanners, sockets
//! never used, people who idle, stray packets of every kind; in rush and overload slices crowds, and a server that leaves
//! clients unanswered. What is not: long downloads, log-ins, addresses that attack by probing. Every slice begins without
//! history, which is harder than a week in one piece.
//!
//! Most of a slice's time is the engine's own: it takes as long over a target that few visit as over a busy one. So
//! counted targets reach about as many weeks as there can be without judging by something else than Vigie.

mod clients;
mod counted;
mod demand;
mod service;
mod strays;
mod target;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::address::Address;
use crate::alert::{Alert, Book};
use crate::capture::CaptureTick;
use crate::detect::engine::{Engine, Settings};
use crate::eval::life::{Life, lives};
use crate::eval::matching::Phase;
use crate::eval::random::Random;
use crate::eval::statistics::poisson_upper;
use crate::hash::Seed;
use crate::kind::{AlertKind, Severity};
use crate::policy::{Policy, Site};
use crate::summary::Summary;
use crate::time::{TICKS_PER_SECOND, Tick};
use counted::Counted;
use target::Target;

/// Targets whose false alarms one week of the target counts: the subjects that the alert lines are computed for.
pub const TARGETS_OF_A_WEEK: f64 = 256.0;

const SECONDS_A_WEEK: f64 = 604_800.0;

/// Monday 2021-04-05T00:00:00Z: slices begin at some time of the week after it.
const MONDAY: u64 = 1_617_580_800;

crate::kind::closed_set! {
    /// How much of a target is simulated.
    Detail {
        /// Every handshake and every client, one by one.
        Whole = "whole",
        /// Counts alone, which come to far more weeks in the same time.
        Counts = "counts",
    }
}

/// A few hours of several targets.
#[derive(Clone, Debug, PartialEq)]
pub struct Slice {
    /// What goes on.
    pub during: Phase,
    /// How much of it is simulated.
    pub detail: Detail,
    /// What chance follows from.
    pub seed: u64,
    /// Targets, each a site of its own.
    pub targets: usize,
    /// Length in seconds.
    pub seconds: u64,
}

/// What came of a slice.
#[derive(Clone, Debug, PartialEq)]
pub struct SliceOutcome {
    /// The slice.
    pub slice: Slice,
    /// False alarms that became critical.
    pub pages: u64,
    /// False alarms that became a warning at most.
    pub tickets: u64,
    /// What they were: kind, and how loud.
    pub alarms: Vec<(AlertKind, Severity)>,
}

/// All slices of one sort.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WeekRow {
    /// What went on.
    pub during: Phase,
    /// How much was simulated of each target.
    pub detail: Detail,
    /// Slices.
    pub slices: usize,
    /// Weeks of single targets.
    pub target_weeks: f64,
    /// False alarms that became critical.
    pub pages: u64,
    /// False alarms that became a warning at most.
    pub tickets: u64,
    /// False alarms by kind.
    pub kinds: BTreeMap<AlertKind, u64>,
    /// Upper 95 % bound on pages in a week of 256 targets.
    pub pages_at_most: f64,
    /// Upper 95 % bound on pages and tickets in a week of 256 targets.
    pub alarms_at_most: f64,
}

/// The weeks of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Weeks {
    /// Targets of a slice.
    pub targets: usize,
    /// Hours of a slice.
    pub hours: f64,
    /// By what went on.
    pub rows: Vec<WeekRow>,
}

/// Cuts slices with seeds from `first` on until the ordinary ones come to `weeks` weeks of [`TARGETS_OF_A_WEEK`] targets. For
/// each seed there is one of ordinary traffic, for every eighth also one with rushes and one with overloads, of which worlds
/// of packets have hundreds; one seed of `whole` is simulated whole.
#[must_use]
pub fn slices(first: u64, weeks: f64, whole: u64, targets: usize, seconds: u64) -> Vec<Slice> {
    let of_a_slice = targets as f64 * seconds as f64 / (TARGETS_OF_A_WEEK * SECONDS_A_WEEK);
    let mut slices = Vec::new();
    for (number, seed) in (0_u64..).zip(first..).take_while(|(number, _)| *number as f64 * of_a_slice < weeks) {
        let (detail, turn) =
            if number % whole == whole - 1 { (Detail::Whole, number / whole) } else { (Detail::Counts, number) };
        let cut = |during: &Phase| Slice { during: *during, detail, seed, targets, seconds };
        let surges = turn.is_multiple_of(8);
        slices.extend(Phase::ALL.iter().filter(|phase| surges || **phase == Phase::Ordinary).map(cut));
    }
    slices
}

/// Simulates a slice and counts its false alarms. In a slice of overloads their own alerts are right.
#[must_use]
pub fn run(slice: &Slice) -> SliceOutcome {
    let mut random = Random::new(slice.seed, slice.during as u64 + 0x7765_656b);
    let sites = (0..slice.targets).map(|number| {
        let prefix = address_of(number).host_prefix();
        Site { name: format!("target-{number}").into(), prefixes: vec![prefix] }
    });
    let policy = Arc::new(Policy::new(sites.collect(), false));
    let home = crate::origin::Home::with_overseas(&["FR".parse().expect("a country code")]);
    let settings = Settings { home: home.countries().to_vec(), ..Settings::default() };
    let mut engine = Engine::new(settings, policy, Seed::default());
    let mut book = Book::new(crate::alert::Settings::default());
    let start = MONDAY + random.bits() % 604_800;
    let mut targets: Vec<Simulated> =
        (0..slice.targets).map(|number| Simulated::draw(number, slice, start, &mut random)).collect();
    let mut lines: Vec<Alert> = Vec::new();
    let first = start * TICKS_PER_SECOND;
    for number in first..first + slice.seconds * TICKS_PER_SECOND {
        let tick = Tick::new(number);
        let mut summary = Summary { tick, ..Summary::default() };
        targets.iter_mut().for_each(|target| target.tick(tick, &mut summary));
        summary.sort();
        let frames = summary.hosts.iter().map(|host| host.inbound.packets + host.outbound.packets).sum();
        let output = engine.observe(&summary, &CaptureTick { tick, frames, ..CaptureTick::default() });
        lines.extend(book.observe(tick, &output.findings));
    }
    lines.extend(book.finish(Tick::new(first + slice.seconds * TICKS_PER_SECOND).start()));
    count(slice, &lives(&lines))
}

fn address_of(number: usize) -> Address {
    let [_, _, high, low] = u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes();
    Address::v4([203, 0, high, low])
}

/// A target in as much detail as its slice wants.
#[derive(Debug)]
enum Simulated {
    Whole(Box<Target>),
    Counts(Box<Counted>),
}

impl Simulated {
    fn draw(number: usize, slice: &Slice, start: u64, random: &mut Random) -> Self {
        let own = Random::new(random.bits(), number as u64);
        let address = address_of(number);
        match slice.detail {
            Detail::Whole => Self::Whole(Box::new(Target::draw(address, slice, start, own))),
            Detail::Counts => Self::Counts(Box::new(Counted::draw(address, slice, start, own))),
        }
    }

    fn tick(&mut self, tick: Tick, summary: &mut Summary) {
        match self {
            Self::Whole(target) => target.tick(tick, summary),
            Self::Counts(target) => target.tick(tick, summary),
        }
    }
}

fn count(slice: &Slice, lives: &[Life]) -> SliceOutcome {
    let is_right = |life: &Life| slice.during == Phase::Overload && life.kind == Some(AlertKind::Overload);
    let alarms: Vec<(AlertKind, Severity)> = lives
        .iter()
        .filter(|life| life.is_loud() && !is_right(life))
        .filter_map(|life| Some((life.kind?, life.lines.iter().map(|line| line.severity).max()?)))
        .collect();
    let loud = |wanted| alarms.iter().filter(|(_, severity)| *severity == wanted).count() as u64;
    SliceOutcome { slice: slice.clone(), pages: loud(Severity::Critical), tickets: loud(Severity::Warning), alarms }
}

/// Adds up slices of one make.
#[must_use]
pub fn weeks(outcomes: &[SliceOutcome]) -> Option<Weeks> {
    let first = &outcomes.first()?.slice;
    let row = |during: Phase, detail: Detail| {
        let is_own = |outcome: &&SliceOutcome| outcome.slice.during == during && outcome.slice.detail == detail;
        let own: Vec<_> = outcomes.iter().filter(is_own).collect();
        let target_seconds: f64 = own.iter().map(|o| o.slice.targets as f64 * o.slice.seconds as f64).sum();
        let target_weeks = target_seconds / SECONDS_A_WEEK;
        let (pages, tickets) = own.iter().fold((0, 0), |sum, outcome| (sum.0 + outcome.pages, sum.1 + outcome.tickets));
        let mut kinds = BTreeMap::new();
        own.iter().flat_map(|outcome| &outcome.alarms).for_each(|(kind, _)| *kinds.entry(*kind).or_default() += 1);
        WeekRow {
            during,
            detail,
            slices: own.len(),
            target_weeks,
            pages,
            tickets,
            kinds,
            pages_at_most: at_most(pages, target_weeks),
            alarms_at_most: at_most(pages + tickets, target_weeks),
        }
    };
    let sorts = Phase::ALL.iter().flat_map(|during| Detail::ALL.iter().map(|detail| row(*during, *detail)));
    let rows = sorts.filter(|row| row.slices > 0).collect();
    Some(Weeks { targets: first.targets, hours: first.seconds as f64 / 3_600.0, rows })
}

/// Returns the upper 95 % bound on alarms in a week of 256 targets of which so many were seen in weeks of single targets.
fn at_most(seen: u64, target_weeks: f64) -> f64 {
    poisson_upper(seen) * TARGETS_OF_A_WEEK / target_weeks
}

impl Weeks {
    /// Counts something over all ordinary weeks, in whatever detail: how often it was seen, in how many weeks of 256
    /// targets, and the upper 95 % bound on it in one.
    #[must_use]
    pub fn ordinary(&self, count: impl Fn(&WeekRow) -> u64) -> (u64, f64, f64) {
        let rows = self.rows.iter().filter(|row| row.during == Phase::Ordinary);
        let (seen, target_weeks) = rows.fold((0, 0.0), |sum, row| (sum.0 + count(row), sum.1 + row.target_weeks));
        (seen, target_weeks / TARGETS_OF_A_WEEK, at_most(seen, target_weeks))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::{CohortStage, ContactStage};

    #[test]
    fn a_quarter_of_an_hour_of_ordinary_targets_raises_nothing_and_is_the_same_again() {
        for detail in Detail::ALL {
            let slice = Slice { during: Phase::Ordinary, detail: *detail, seed: 3, targets: 3, seconds: 900 };
            let outcome = run(&slice);
            assert_eq!((outcome.pages, outcome.tickets), (0, 0), "{:?}", outcome.alarms);
            assert_eq!(outcome, run(&slice));
        }
    }

    /// What the ticks of a target come to.
    #[derive(Debug, Default)]
    struct Totals {
        syn: f64,
        verified: f64,
        opened: f64,
        answered: f64,
        finished: f64,
        abroad: f64,
        /// By the records at their close, and by the contacts of followed clients.
        recorded: f64,
        met: f64,
    }

    fn totals(detail: Detail, seed: u64) -> Totals {
        let slice = Slice { during: Phase::Ordinary, detail, seed, targets: 1, seconds: 3_600 };
        let mut target = Simulated::draw(1, &slice, MONDAY + 40_000, &mut Random::new(seed, 1));
        let mut totals = Totals::default();
        for number in 0..slice.seconds * TICKS_PER_SECOND {
            let tick = Tick::new((MONDAY + 40_000) * TICKS_PER_SECOND + number);
            let mut summary = Summary { tick, ..Summary::default() };
            target.tick(tick, &mut summary);
            let weights = summary.cohorts.iter().filter(|record| record.stage == CohortStage::Close);
            totals.recorded += weights.map(|record| f64::from(record.weight)).sum::<f64>();
            let verified = summary.contacts.iter().filter(|contact| contact.stage == ContactStage::Verified);
            totals.met += verified.map(|contact| f64::from(contact.weight)).sum::<f64>();
            let Some(host) = summary.hosts.first() else { continue };
            let sum = |counts: &[u32]| counts.iter().copied().map(f64::from).sum::<f64>();
            let by_country: u32 = host.verified_from.iter().map(|(_, count)| count).sum();
            assert_eq!(by_country, host.verified, "each has a country");
            assert!(host.served <= host.verified && host.cohort.sampled <= host.syn);
            totals.syn += f64::from(host.syn);
            totals.verified += f64::from(host.verified);
            totals.opened += f64::from(host.cohort.opened);
            totals.answered += sum(&host.cohort.answered);
            totals.finished += sum(&host.cohort.finished);
            let home = "FR".parse().unwrap();
            totals.abroad +=
                host.verified_from.iter().filter(|(from, _)| *from != home).map(|c| f64::from(c.1)).sum::<f64>();
        }
        totals
    }

    #[test]
    fn counts_records_and_clients_tell_of_the_same_connections() {
        for detail in Detail::ALL {
            for seed in 1..6 {
                let all = totals(*detail, seed);
                let near = |a: f64, b: f64| (a / b - 1.0).abs() < 0.1;
                assert!(near(all.opened, all.syn) && near(all.answered, all.opened), "{detail} {seed}: {all:?}");
                assert!(near(all.finished, all.verified) && near(all.recorded, all.opened), "{detail} {seed}: {all:?}");
                assert!(near(all.met, all.verified), "{detail} {seed}: {all:?}");
                assert!(
                    all.abroad > 0.001 * all.verified && all.abroad < 0.3 * all.verified,
                    "{detail} {seed}: {all:?}"
                );
            }
        }
    }

    #[test]
    fn the_bound_follows_from_what_was_simulated() {
        let slice = Slice { during: Phase::Ordinary, detail: Detail::Counts, seed: 1, targets: 256, seconds: 604_800 };
        let alarms = vec![(AlertKind::Outage, Severity::Warning)];
        let outcome = SliceOutcome { slice, pages: 0, tickets: 1, alarms };
        let weeks = weeks(&vec![outcome; 3]).unwrap();
        let row = &weeks.rows[0];
        assert_eq!((row.slices, row.tickets, weeks.rows.len()), (3, 3, 1));
        assert_eq!(row.kinds, BTreeMap::from([(AlertKind::Outage, 3)]));
        assert!((row.target_weeks - 768.0).abs() < 1e-9);
        assert!((row.pages_at_most - 2.9957 / 3.0).abs() < 1e-3, "one page in three weeks at most");
        assert!(row.alarms_at_most > 2.0 && row.alarms_at_most < 3.0);
    }
}
