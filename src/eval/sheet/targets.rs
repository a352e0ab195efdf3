//! What the design promises (DETECTION 8.3) beside what was measured. A target that too few cases speak for is neither met
//! nor missed.

use serde::Serialize;

use crate::eval::sheet::Sheet;
use crate::eval::sheet::recall::RecallRow;
use crate::eval::statistics::quantile;
use crate::eval::weeks::WeekRow;
use crate::eval::world::Group;
use crate::kind::AlertKind as K;

/// One promise.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TargetRow {
    /// What is promised.
    pub what: String,
    /// How much.
    pub target: String,
    /// What came out.
    pub measured: String,
    /// Whether it is kept; `None` where too little was measured.
    pub met: Option<bool>,
}

/// Cases below which nothing is said.
const LEAST_CASES: usize = 10;

/// Kinds of floods that the target on delay names.
const FLOODS: &[K] = &[K::SynFlood, K::UdpFlood, K::Amplification, K::TcpFlagFlood];
const HARD: &[K] = &[K::SynFlood, K::Amplification];
const VOLUME: &[K] =
    &[K::UdpFlood, K::IcmpFlood, K::FragmentFlood, K::TcpFlagFlood, K::CarpetBombing, K::RoboticSurge, K::ForeignSurge];

/// Compares a sheet with the targets.
#[must_use]
pub fn rows(sheet: &Sheet) -> Vec<TargetRow> {
    let targets = Targets { sheet };
    let once = |rate: f64| rate >= 1.0;
    let at = |wanted: f64| move |rate: f64| rate == wanted;
    let mut rows = vec![
        targets.delay("floods at 1x and above", FLOODS, &once, 2.0, 4.0),
        targets.delay("forged SYN floods at 0.5x", &[K::SynFlood], &at(0.5), 3.0, 6.0),
        targets.delay("forged SYN floods at 0.1x", &[K::SynFlood], &at(0.1), 8.0, 20.0),
        targets.delay("surges from abroad at 1x", &[K::ForeignSurge], &at(1.0), 3.0, 6.0),
        targets.delay("surges from abroad at 0.1x", &[K::ForeignSurge], &at(0.1), 10.0, 25.0),
        targets.delay("robots at 1x", &[K::RoboticSurge], &at(1.0), 15.0, 40.0),
        targets.delay("robots at 0.5x", &[K::RoboticSurge], &at(0.5), 30.0, 90.0),
        targets.recall("attacks at 1x and above", &[HARD, VOLUME].concat(), &once, 0.995),
        targets.recall("attacks at 0.5x", &[HARD, VOLUME].concat(), &at(0.5), 0.97),
        targets.recall("SYN floods and reflection at 0.1x", HARD, &at(0.1), 0.90),
        targets.recall("robots and volume at 0.1x", VOLUME, &at(0.1), 0.70),
        targets.recall("scans", &[K::PortScan, K::HostSweep], &|_| true, 0.99),
        targets.recall("log-ins tried by one source", &[K::BruteForce], &|_| true, 0.95),
        targets.recall("log-ins tried by many sources", &[K::CredentialStuffing], &|_| true, 0.90),
        targets.recall("data taken or sent out", &[K::Exfiltration], &|_| true, 0.95),
    ];
    rows.extend(targets.people());
    rows.extend(targets.shares());
    rows.extend(targets.minutes());
    rows.extend(targets.words());
    rows.extend(targets.weeks());
    rows
}

struct Targets<'a> {
    sheet: &'a Sheet,
}

impl Targets<'_> {
    fn rows(&self, kinds: &[K], rate: &dyn Fn(f64) -> bool) -> Vec<&RecallRow> {
        let is_wanted =
            |row: &&RecallRow| row.group == Group::Attack && kinds.contains(&row.kind) && row.rate.is_none_or(rate);
        self.sheet.recall.iter().filter(is_wanted).collect()
    }

    fn delay(&self, whom: &str, kinds: &[K], rate: &dyn Fn(f64) -> bool, p50: f64, p95: f64) -> TargetRow {
        let rows = self.rows(kinds, rate);
        let missed: usize = rows.iter().map(|row| row.events - row.found).sum();
        let mut delays: Vec<f64> = rows.iter().flat_map(|row| row.delays.iter().copied()).collect();
        delays.resize(delays.len() + missed, f64::INFINITY);
        let (half, most) = (quantile(&delays, 0.5), quantile(&delays, 0.95));
        let told = |delay: Option<f64>| match delay {
            Some(delay) if delay.is_finite() => format!("{delay:.1} s"),
            Some(_) => "never".to_owned(),
            None => "-".to_owned(),
        };
        TargetRow {
            what: format!("time to detect {whom}, p50 and p95"),
            target: format!("{p50:.0} s, {p95:.0} s"),
            measured: format!("{}, {} ({} events)", told(half), told(most), delays.len()),
            met: (delays.len() >= LEAST_CASES).then(|| half <= Some(p50) && most <= Some(p95)),
        }
    }

    fn recall(&self, whom: &str, kinds: &[K], rate: &dyn Fn(f64) -> bool, least: f64) -> TargetRow {
        let rows = self.rows(kinds, rate);
        let (events, found) = rows.iter().fold((0, 0), |sum, row| (sum.0 + row.events, sum.1 + row.found));
        share(&format!("{whom} found"), found, events, least)
    }

    /// Nobody in a rush, and no overloaded server, is called an attack.
    fn people(&self) -> Vec<TargetRow> {
        let spared = |what: &str, groups: &[Group], claim: usize| {
            let rows = self.sheet.surges.iter().filter(|row| groups.contains(&row.group));
            let (rushes, wronged) = rows.fold((0, 0), |sum, row| {
                (sum.0 + row.rushes, sum.1 + (row.rushes - row.silent).max(row.rushes - row.not_blamed))
            });
            TargetRow {
                what: format!("{what} alarmed about or called an attack"),
                target: format!("0 of {claim}"),
                measured: format!("{wronged} of {rushes}"),
                met: (wronged > 0 || rushes >= claim).then_some(wronged == 0),
            }
        };
        vec![
            spared("rushes", &[Group::Rush, Group::ForeignCrowd], 600),
            spared("overloads without an attack", &[Group::Overload], 300),
        ]
    }

    fn shares(&self) -> Vec<TargetRow> {
        let shares = &self.sheet.minutes.shares;
        let points = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{:.1}", 100.0 * value));
        let enough = shares.minutes >= LEAST_CASES;
        vec![
            TargetRow {
                what: "attack share against the truth, median and p95 error".to_owned(),
                target: "2 points, 6 points".to_owned(),
                measured: format!("{}, {} ({} minutes)", points(shares.p50), points(shares.p95), shares.minutes),
                met: enough.then(|| shares.p50 <= Some(0.02) && shares.p95 <= Some(0.06)),
            },
            share("its 95 % interval holds the truth", shares.covered, shares.minutes, 0.90),
        ]
    }

    fn minutes(&self) -> Vec<TargetRow> {
        let minutes = &self.sheet.minutes;
        let at_most = |what: &str, part: usize, most: f64| TargetRow {
            what: what.to_owned(),
            target: format!("at most {:.0} %", 100.0 * most),
            measured: format!("{part} of {}", minutes.judged),
            met: (minutes.judged >= LEAST_CASES).then_some(part as f64 <= most * minutes.judged as f64),
        };
        vec![
            share("minutes with the right verdict", minutes.right, minutes.judged, 0.95),
            at_most("minutes in which overload and attack were swapped", minutes.swapped, 0.01),
            at_most("minutes left undetermined", minutes.undetermined, 0.10),
        ]
    }

    fn words(&self) -> Vec<TargetRow> {
        let (origins, sheet) = (self.sheet.origins, self.sheet);
        let number = |what: &str, value: Option<f64>, target: &str, is_met: &dyn Fn(f64) -> bool| TargetRow {
            what: what.to_owned(),
            target: target.to_owned(),
            measured: value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}")),
            met: value.filter(|_| sheet.precision.events >= LEAST_CASES).map(is_met),
        };
        vec![
            share("country named first is right", origins.right, origins.named, 0.98),
            share(
                "no country named for forged sources",
                origins.forged - origins.forged_but_named,
                origins.forged,
                0.99,
            ),
            number("kinds told apart, macro-F1", sheet.kinds.macro_f1, "at least 0.95", &|f1| f1 >= 0.95),
            number("confidence, Brier score", sheet.trust.brier, "at most 0.1", &|brier| brier <= 0.1),
            number("incidents for each event", sheet.precision.incidents_per_event, "at most 1.2", &|n| n <= 1.2),
        ]
    }

    fn weeks(&self) -> Vec<TargetRow> {
        let Some(weeks) = &self.sheet.weeks else { return Vec::new() };
        let row = |what: &str, count: fn(&WeekRow) -> u64, most: f64| {
            let (seen, simulated, bound) = weeks.ordinary(count);
            TargetRow {
                what: format!("{what} in an ordinary week of 256 targets"),
                target: format!("at most {most:.0} (upper 95 % bound)"),
                measured: format!("{seen} in {simulated:.3} such weeks: at most {bound:.1}"),
                // A rate above the target is a failure; a bound above it only says that too little was simulated.
                met: if bound <= most { Some(true) } else { (seen as f64 > most * simulated).then_some(false) },
            }
        };
        vec![
            row("false pages", |row| row.pages, 1.0),
            row("false pages and tickets", |row| row.pages + row.tickets, 7.0),
        ]
    }
}

fn share(what: &str, part: usize, of: usize, least: f64) -> TargetRow {
    let measured =
        if of > 0 { format!("{:.1} % ({part} of {of})", 100.0 * part as f64 / of as f64) } else { "-".to_owned() };
    TargetRow {
        what: what.to_owned(),
        target: format!("at least {:.1} %", 100.0 * least),
        measured,
        met: (of >= LEAST_CASES).then_some(part as f64 >= least * of as f64),
    }
}
