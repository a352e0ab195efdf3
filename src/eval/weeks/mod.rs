//! False alarms over long times: weeks cut into slices of some hours, simulated as the counts that shards would give, for
//! many targets at once (DETECTION 8.1, G1).
//!
//! No packet is made, so that hours of many targets run in seconds. What is simulated of a target: a rate that wanders and
//! follows the day, bursts, clients from home and abroad that come back, lossy lines, scanners, sockets never used;
//! in rush and overload slices crowds, and a server that leaves clients unanswered. What is not: datagrams, long downloads,
//! addresses that attack by probing. Every slice begins without history, which is harder than a week in one piece.

mod demand;
mod target;

use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

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
use target::Target;

/// Targets whose false alarms one week of the target counts: the subjects that the alert lines are computed for.
pub const TARGETS_OF_A_WEEK: f64 = 256.0;

const SECONDS_A_WEEK: f64 = 604_800.0;

/// Monday 2021-04-05T00:00:00Z: slices begin at some time of the week after it.
const MONDAY: u64 = 1_617_580_800;

/// A few hours of several targets.
#[derive(Clone, Debug, PartialEq)]
pub struct Slice {
    /// What goes on.
    pub during: Phase,
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
    /// Slices.
    pub slices: usize,
    /// Weeks of single targets.
    pub target_weeks: f64,
    /// False alarms that became critical.
    pub pages: u64,
    /// False alarms that became a warning at most.
    pub tickets: u64,
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

/// Cuts slices: for each seed one of ordinary traffic, and for every fourth also one with rushes and one with overloads.
#[must_use]
pub fn slices(seeds: Range<u64>, targets: usize, seconds: u64) -> Vec<Slice> {
    let mut slices = Vec::new();
    for seed in seeds {
        let cut = |during: &Phase| Slice { during: *during, seed, targets, seconds };
        let surges = seed.is_multiple_of(4);
        slices.extend(Phase::ALL.iter().filter(|phase| surges || **phase == Phase::Ordinary).map(cut));
    }
    slices
}

/// Simulates a slice and counts its false alarms. In a slice of overloads their own alerts are right.
#[must_use]
pub fn run(slice: &Slice) -> SliceOutcome {
    let mut random = Random::new(slice.seed, slice.during as u64 + 0x7765_656b);
    let sites = (0..slice.targets).map(|number| {
        let prefix = target::address_of(number).host_prefix();
        Site { name: format!("target-{number}").into(), prefixes: vec![prefix] }
    });
    let policy = Arc::new(Policy::new(sites.collect(), false));
    let home = crate::origin::Home::with_overseas(&["FR".parse().expect("a country code")]);
    let settings = Settings { home: home.countries().to_vec(), ..Settings::default() };
    let mut engine = Engine::new(settings, policy, Seed::default());
    let mut book = Book::new(crate::alert::Settings::default());
    let start = MONDAY + random.bits() % 604_800;
    let mut targets: Vec<Target> =
        (0..slice.targets).map(|number| Target::draw(number, slice, start, &mut random)).collect();
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
    let row = |during: &Phase| {
        let own: Vec<_> = outcomes.iter().filter(|outcome| outcome.slice.during == *during).collect();
        let target_seconds: f64 = own.iter().map(|o| o.slice.targets as f64 * o.slice.seconds as f64).sum();
        let target_weeks = target_seconds / SECONDS_A_WEEK;
        let at_most = |seen: u64| poisson_upper(seen) * TARGETS_OF_A_WEEK / target_weeks;
        let (pages, tickets) = own.iter().fold((0, 0), |sum, outcome| (sum.0 + outcome.pages, sum.1 + outcome.tickets));
        WeekRow {
            during: *during,
            slices: own.len(),
            target_weeks,
            pages,
            tickets,
            pages_at_most: at_most(pages),
            alarms_at_most: at_most(pages + tickets),
        }
    };
    let rows = Phase::ALL.iter().map(row).filter(|row| row.slices > 0).collect();
    Some(Weeks { targets: first.targets, hours: first.seconds as f64 / 3_600.0, rows })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_of_ordinary_targets_raises_nothing_and_is_the_same_again() {
        let slice = Slice { during: Phase::Ordinary, seed: 3, targets: 3, seconds: 900 };
        let outcome = run(&slice);
        assert_eq!((outcome.pages, outcome.tickets), (0, 0), "{:?}", outcome.alarms);
        assert_eq!(outcome, run(&slice));
    }

    #[test]
    fn the_bound_follows_from_what_was_simulated() {
        let slice = Slice { during: Phase::Ordinary, seed: 1, targets: 256, seconds: 604_800 };
        let outcome = SliceOutcome { slice, pages: 0, tickets: 1, alarms: Vec::new() };
        let weeks = weeks(&vec![outcome; 3]).unwrap();
        let row = &weeks.rows[0];
        assert_eq!((row.slices, row.tickets, weeks.rows.len()), (3, 3, 1));
        assert!((row.target_weeks - 768.0).abs() < 1e-9);
        assert!((row.pages_at_most - 2.9957 / 3.0).abs() < 1e-3, "one page in three weeks at most");
        assert!(row.alarms_at_most > 2.0 && row.alarms_at_most < 3.0);
    }
}
