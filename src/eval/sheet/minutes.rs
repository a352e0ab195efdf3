//! The verdict of each minute, and the attack's share in it, against what was sent (DETECTION 4.4).
//!
//! Minutes in which the truth itself is a matter of taste are left out: demand within 15 % of capacity, service bad for a
//! part of the minute, an attack or a rush that began or ended in it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::detect::minute::{MinuteKind, MinuteVerdict};
use crate::eval::run::Outcome;
use crate::eval::statistics::quantile;
use crate::scenario::truth::TruthMinute;

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
    for (truth, said) in outcomes.iter().flat_map(pairs) {
        if let Some(was) = verdict(truth) {
            *counts.entry((was, said.verdict)).or_default() += 1;
        }
        if let Some(share) = steady_share(truth) {
            let (value, low, high) = (said.attack_share.value, said.attack_share.low, said.attack_share.high);
            errors.push((value - share).abs());
            covered += usize::from((low..=high).contains(&share));
        }
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
fn pairs(outcome: &Outcome) -> Vec<(&TruthMinute, &MinuteVerdict)> {
    let whole = outcome.truth.minutes.iter().filter(|minute| minute.seconds == 60);
    let judged = |minute: &TruthMinute| outcome.minutes.iter().find(|said| said.start == minute.start);
    whole.filter_map(|minute| Some((minute, judged(minute)?))).collect()
}

/// Returns what a minute was; `None` where that is not clear.
fn verdict(minute: &TruthMinute) -> Option<MinuteKind> {
    let (attack, demand) = (minute.attack_per_second, minute.demand_per_second);
    let share = attack / (attack + demand).max(f64::MIN_POSITIVE);
    let is_attacked = match share {
        _ if minute.attacked_seconds == 0 => false,
        0.25.. if minute.attacked_seconds >= 45 => true,
        _ => return None,
    };
    let load = demand / minute.capacity_per_second;
    if minute.bad_seconds >= 45 {
        return match (is_attacked, load) {
            (true, 1.15..) => Some(MinuteKind::Mixed),
            (false, 1.15..) => Some(MinuteKind::Overload),
            (true, ..0.85) => Some(MinuteKind::Attack),
            (false, ..0.85) => Some(MinuteKind::Fault),
            _ => None,
        };
    }
    let growth = demand / minute.usual_per_second;
    match (minute.bad_seconds, is_attacked, growth) {
        (1.., ..) => None,
        (0, true, _) => Some(MinuteKind::AttackAbsorbed),
        (0, false, 3.0..) if demand > minute.usual_per_second + 30.0 => Some(MinuteKind::RushAbsorbed),
        (0, false, ..1.5) => Some(MinuteKind::Normal),
        _ => None,
    }
}

/// Returns the share of first SYNs that attacked, in a minute throughout which an attack sent some and nothing else did.
fn steady_share(minute: &TruthMinute) -> Option<f64> {
    let all = minute.attack_per_second + minute.demand_per_second;
    (minute.attacked_seconds == 60 && minute.attack_per_second > 0.0).then(|| minute.attack_per_second / all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    const CALM: TruthMinute = TruthMinute {
        start: Timestamp::ZERO,
        seconds: 60,
        demand_per_second: 100.0,
        attack_per_second: 0.0,
        usual_per_second: 100.0,
        capacity_per_second: 500.0,
        bad_seconds: 0,
        attacked_seconds: 0,
    };

    fn is(change: impl FnOnce(&mut TruthMinute)) -> Option<MinuteKind> {
        let mut minute = CALM;
        change(&mut minute);
        verdict(&minute)
    }

    #[test]
    fn the_truth_is_the_counterfactual_and_silent_where_it_is_not_clear() {
        use MinuteKind as M;
        assert_eq!(is(|_| {}), Some(M::Normal));
        assert_eq!(is(|m| m.demand_per_second = 400.0), Some(M::RushAbsorbed));
        assert_eq!(is(|m| (m.demand_per_second, m.bad_seconds) = (600.0, 60)), Some(M::Overload));
        assert_eq!(is(|m| (m.demand_per_second, m.bad_seconds) = (520.0, 60)), None);
        assert_eq!(is(|m| m.bad_seconds = 60), Some(M::Fault));
        assert_eq!(is(|m| m.bad_seconds = 20), None);
        let attack = |m: &mut TruthMinute| (m.attack_per_second, m.attacked_seconds) = (900.0, 60);
        assert_eq!(is(attack), Some(M::AttackAbsorbed));
        assert_eq!(is(|m| (attack(m), m.bad_seconds = 50).1), Some(M::Attack));
        assert_eq!(is(|m| (attack(m), m.bad_seconds = 50, m.demand_per_second = 700.0).1), Some(M::Mixed));
        assert_eq!(is(|m| (attack(m), m.attacked_seconds = 20).1), None);
        assert_eq!(steady_share(&TruthMinute { attack_per_second: 300.0, attacked_seconds: 60, ..CALM }), Some(0.75));
        assert_eq!(steady_share(&CALM), None);
    }
}
