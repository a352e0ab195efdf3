//! The verdict of each minute, and the attack's share in it, against what was sent (DETECTION 4.4).
//!
//! Minutes in which the truth itself is a matter of taste are left out: demand within 15 % of capacity, service bad for a
//! part of the minute, an attack that began or ended in it, twice the usual demand more or less.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::detect::minute::{Estimate, MinuteKind, MinuteVerdict};
use crate::eval::run::Outcome;
use crate::eval::statistics::quantile;
use crate::kind::Verdict;
use crate::scenario::{MinuteVerdict as MinuteVerdictTruth, Truth, TruthEvent, TruthMinute};
use crate::time::Timestamp;

const MINUTE: Duration = Duration::from_secs(60);

/// How often minutes of one truth were judged so.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MinuteRow {
    /// What it was.
    pub truth: MinuteKind,
    /// What it was judged.
    pub said: MinuteKind,
    /// How often.
    pub count: usize,
}

/// Errors of the attack's share of first SYNs, in minutes with an attack that sends them.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Shares {
    /// Minutes.
    pub minutes: usize,
    /// Half of the errors are no larger, 0 to 1.
    pub p50: Option<f64>,
    /// 95 % of them are no larger.
    pub p95: Option<f64>,
    /// Minutes whose interval holds the truth.
    pub covered: usize,
}

/// All minutes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Minutes {
    /// Minutes of which the truth is clear.
    pub judged: usize,
    /// Those with the right verdict.
    pub right: usize,
    /// Overload judged attack, or attack judged overload.
    pub swapped: usize,
    /// Bad minutes of which nothing was said.
    pub undetermined: usize,
    /// Truth against verdict.
    pub rows: Vec<MinuteRow>,
    /// The attack's share.
    pub shares: Shares,
}

/// Compares the minutes of the web server's site.
#[must_use]
pub fn minutes(outcomes: &[Outcome]) -> Minutes {
    let mut counts: BTreeMap<(MinuteKind, MinuteKind), usize> = BTreeMap::new();
    let mut errors = Vec::new();
    let mut covered = 0;
    for (outcome, truth, said) in outcomes.iter().flat_map(pairs) {
        let part = attacked_part(&outcome.truth, truth);
        if let Some(was) = verdict(truth, part, outcome.world.usual()) {
            *counts.entry((was, said.verdict)).or_default() += 1;
        }
    }
    for ShareMinute { share, said, .. } in outcomes.iter().flat_map(share_minutes) {
        errors.push((said.value - share).abs());
        covered += usize::from((said.low..=said.high).contains(&share));
    }
    let sum = |is: &dyn Fn(MinuteKind, MinuteKind) -> bool| {
        counts.iter().filter(|((was, said), _)| is(*was, *said)).map(|(_, count)| *count).sum()
    };
    use MinuteKind as M;
    Minutes {
        judged: sum(&|_, _| true),
        right: sum(&|was, said| was == said),
        swapped: sum(&|was, said| matches!((was, said), (M::Overload, M::Attack) | (M::Attack, M::Overload))),
        undetermined: sum(&|_, said| said == M::Undetermined),
        shares: Shares { minutes: errors.len(), p50: quantile(&errors, 0.5), p95: quantile(&errors, 0.95), covered },
        rows: counts.into_iter().map(|((truth, said), count)| MinuteRow { truth, said, count }).collect(),
    }
}

/// Joins the minutes of a world that were sent and those that were judged. The first and the last may be parts of one.
fn pairs(outcome: &Outcome) -> Vec<(&Outcome, &TruthMinute, &MinuteVerdict)> {
    let (Some(start), Some(end)) = (outcome.truth.start, outcome.truth.end) else { return Vec::new() };
    let whole = outcome.truth.minutes.iter().filter(|minute| minute.start >= start && minute.start.plus(MINUTE) <= end);
    let judged = |minute: &TruthMinute| {
        outcome.minutes.iter().find(|said| said.start == minute.start && *said.site == minute.site)
    };
    whole.filter_map(|minute| Some((outcome, minute, judged(minute)?))).collect()
}

/// Returns the share of a minute in which something attacked.
fn attacked_part(truth: &Truth, minute: &TruthMinute) -> f64 {
    let end = minute.start.plus(MINUTE);
    let overlap = |event: &TruthEvent| event.end.min(end).since(event.start.max(minute.start)).as_secs_f64() / 60.0;
    truth.events.iter().filter(|event| event.kind.is_attack()).map(overlap).fold(0.0, f64::max)
}

/// Returns what a minute was; `None` where that is not clear.
fn verdict(minute: &TruthMinute, attacked_part: f64, usual: Option<f64>) -> Option<MinuteKind> {
    let load = minute.demand / minute.capacity;
    let growth = usual.map_or(1.0, |usual| minute.demand / usual);
    let is_bad = !matches!(
        minute.verdict,
        MinuteVerdictTruth::Normal | MinuteVerdictTruth::RushAbsorbed | MinuteVerdictTruth::AttackAbsorbed
    );
    let unclear = (0.02..0.5).contains(&attacked_part)
        || (is_bad && (0.85..=1.15).contains(&load))
        || (!is_bad && attacked_part < 0.02 && (1.5..3.0).contains(&growth));
    if unclear {
        return None;
    }
    match minute.verdict {
        MinuteVerdictTruth::Normal => Some(MinuteKind::Normal),
        MinuteVerdictTruth::RushAbsorbed => Some(MinuteKind::RushAbsorbed),
        MinuteVerdictTruth::AttackAbsorbed => Some(MinuteKind::AttackAbsorbed),
        MinuteVerdictTruth::Overload => Some(MinuteKind::Overload),
        MinuteVerdictTruth::Attack => Some(MinuteKind::Attack),
        MinuteVerdictTruth::Mixed => Some(MinuteKind::Mixed),
        MinuteVerdictTruth::Fault => Some(MinuteKind::Fault),
        MinuteVerdictTruth::Undetermined => None,
    }
}

/// A minute in which the attack's share is compared.
pub(super) struct ShareMinute {
    pub(super) start: Timestamp,
    /// Of the first SYNs sent.
    pub(super) share: f64,
    pub(super) said: Estimate,
}

/// Returns the minutes of at least half of which an attack sent first SYNs.
pub(super) fn share_minutes(outcome: &Outcome) -> Vec<ShareMinute> {
    let share = |(_, truth, said): (_, &TruthMinute, &MinuteVerdict)| {
        let share = steady_share(&outcome.truth, truth)?;
        Some(ShareMinute { start: truth.start, share, said: said.attack_share })
    };
    pairs(outcome).into_iter().filter_map(share).collect()
}

/// Returns the share of first SYNs that attacked, in a minute of at least half of which an attack sent some. Scans and
/// log-ins are attempts too, but nobody counts them as load.
fn steady_share(truth: &Truth, minute: &TruthMinute) -> Option<f64> {
    let end = minute.start.plus(MINUTE);
    let is_hinted =
        |event: &TruthEvent| event.verdict == Verdict::Suspicion && event.start < end && event.end > minute.start;
    let steady = attacked_part(truth, minute) >= 0.5 && !truth.events.iter().any(is_hinted);
    (steady && minute.attack_share > 0.01).then_some(minute.attack_share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use MinuteVerdictTruth as T;

    fn minute(verdict: T, demand: f64) -> TruthMinute {
        TruthMinute {
            start: crate::time::Timestamp::ZERO,
            site: "ecole".to_owned(),
            verdict,
            first_syns_per_second: demand,
            attack_share: 0.0,
            demand,
            capacity: 500.0,
        }
    }

    #[test]
    fn what_is_not_clear_is_not_judged() {
        let is = |truth, demand, part| verdict(&minute(truth, demand), part, Some(100.0));
        assert_eq!(is(T::Normal, 100.0, 0.0), Some(MinuteKind::Normal));
        assert_eq!(is(T::RushAbsorbed, 400.0, 0.0), Some(MinuteKind::RushAbsorbed));
        assert_eq!(is(T::RushAbsorbed, 210.0, 0.0), None, "hardly twice the usual");
        assert_eq!(is(T::Overload, 600.0, 0.0), Some(MinuteKind::Overload));
        assert_eq!(is(T::Overload, 560.0, 0.0), None, "near the capacity");
        assert_eq!(is(T::AttackAbsorbed, 100.0, 1.0), Some(MinuteKind::AttackAbsorbed));
        assert_eq!(is(T::AttackAbsorbed, 100.0, 0.3), None, "a third of a minute");
        assert_eq!(is(T::Undetermined, 100.0, 0.0), None);
    }

    #[test]
    fn shares_are_compared_in_minutes_that_were_attacked_for_half_of_them() {
        let truth = |kind: &str, verdict: &str, seconds: u32| -> Truth {
            let text = format!(
                r#"{{"schema":"vigie.truth/1","home":["FR"],"protect":[],"events":[{{"kind":"{kind}",
                "verdict":"{verdict}","target":"203.0.113.10/32","start":"1970-01-01T00:00:00Z",
                "end":"1970-01-01T00:00:{seconds}Z"}}]}}"#
            );
            serde_json::from_str(&text).unwrap()
        };
        let attacked = TruthMinute { attack_share: 0.75, ..minute(T::Attack, 100.0) };
        assert_eq!(steady_share(&truth("syn_flood", "attack", 40), &attacked), Some(0.75));
        assert_eq!(steady_share(&truth("syn_flood", "attack", 20), &attacked), None);
        assert_eq!(steady_share(&truth("brute_force", "suspicion", 50), &attacked), None, "nobody's load");
        let datagrams = minute(T::AttackAbsorbed, 100.0);
        assert_eq!(steady_share(&truth("udp_flood", "attack", 50), &datagrams), None, "datagrams are no SYNs");
    }
}
