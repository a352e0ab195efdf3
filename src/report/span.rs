//! Minutes in a row with the same verdict, as one span: what people say of a morning.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::detect::minute::{Estimate, MinuteKind, MinuteVerdict, Resource};
use crate::time::Timestamp;

const MINUTE: Duration = Duration::from_secs(60);

/// A run of minutes of one site with one verdict. Rates are means over the span; shares are means weighted by the
/// requests they are shares of.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Span {
    pub(super) site: Arc<str>,
    pub(super) verdict: MinuteKind,
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    pub(super) minutes: usize,
    pub(super) first_syns_per_second: f64,
    pub(super) demand_per_second: Estimate,
    pub(super) attack_share: Estimate,
    /// The largest capacity shown or configured by the end of the span.
    pub(super) capacity_per_second: Option<f64>,
    /// Whether that is only a lower bound: the limit was never seen.
    pub(super) capacity_is_at_least: bool,
    /// What ran out in most of the minutes in which something did.
    pub(super) exhausted: Option<Resource>,
    pub(super) answered_share: f64,
    pub(super) foreign_share: Option<f64>,
}

/// Returns the minutes by site, each site's in time order.
pub(super) fn by_site(minutes: &[MinuteVerdict]) -> BTreeMap<Arc<str>, Vec<&MinuteVerdict>> {
    let mut sites: BTreeMap<Arc<str>, Vec<&MinuteVerdict>> = BTreeMap::new();
    for minute in minutes {
        sites.entry(Arc::clone(&minute.site)).or_default().push(minute);
    }
    for minutes in sites.values_mut() {
        minutes.sort_by_key(|minute| minute.start);
    }
    sites
}

/// Joins one site's minutes, in time order, into spans.
pub(super) fn spans(minutes: &[&MinuteVerdict]) -> Vec<Span> {
    minutes.chunk_by(|a, b| a.verdict == b.verdict && follows(a, b)).filter_map(join).collect()
}

/// A first minute may be a part of one, so that its successor follows sooner.
fn follows(first: &MinuteVerdict, second: &MinuteVerdict) -> bool {
    second.start.since(first.start) <= MINUTE
}

fn join(minutes: &[&MinuteVerdict]) -> Option<Span> {
    let (first, last) = (minutes.first()?, minutes.last()?);
    let mean = |of: &dyn Fn(&MinuteVerdict) -> f64| minutes.iter().map(|m| of(m)).sum::<f64>() / minutes.len() as f64;
    let weights: f64 = minutes.iter().map(|minute| minute.first_syns_per_second).sum();
    let weighted = |of: &dyn Fn(&MinuteVerdict) -> f64| {
        if weights > 0.0 {
            minutes.iter().map(|m| of(m) * m.first_syns_per_second).sum::<f64>() / weights
        } else {
            mean(of)
        }
    };
    let known: Vec<f64> = minutes.iter().filter_map(|minute| minute.foreign_share).collect();
    Some(Span {
        site: Arc::clone(&first.site),
        verdict: first.verdict,
        start: first.start,
        end: last.start.plus(MINUTE),
        minutes: minutes.len(),
        first_syns_per_second: mean(&|minute| minute.first_syns_per_second),
        demand_per_second: Estimate {
            value: mean(&|minute| minute.demand_per_second.value),
            low: mean(&|minute| minute.demand_per_second.low),
            high: mean(&|minute| minute.demand_per_second.high),
        },
        attack_share: Estimate {
            value: weighted(&|minute| minute.attack_share.value),
            low: weighted(&|minute| minute.attack_share.low),
            high: weighted(&|minute| minute.attack_share.high),
        },
        capacity_per_second: minutes.iter().filter_map(|minute| minute.capacity_per_second).reduce(f64::max),
        capacity_is_at_least: minutes.iter().all(|minute| minute.capacity_limit_per_second.is_none()),
        exhausted: most_often(minutes.iter().filter_map(|minute| minute.exhausted)),
        answered_share: weighted(&|minute| minute.answered_share),
        foreign_share: (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64),
    })
}

fn most_often(resources: impl Iterator<Item = Resource>) -> Option<Resource> {
    let mut counts: BTreeMap<Resource, usize> = BTreeMap::new();
    resources.for_each(|resource| *counts.entry(resource).or_default() += 1);
    counts.into_iter().rev().max_by_key(|(_, count)| *count).map(|(resource, _)| resource)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(at: u64, verdict: MinuteKind, rate: f64, attack: f64) -> MinuteVerdict {
        let exactly = |value| Estimate { value, low: value, high: value };
        MinuteVerdict {
            start: Timestamp::from_secs(at * 60),
            site: "ecole".into(),
            verdict,
            first_syns_per_second: rate,
            demand_per_second: exactly(rate * (1.0 - attack)),
            attack_share: exactly(attack),
            capacity_per_second: Some(100.0 + at as f64),
            capacity_limit_per_second: None,
            exhausted: None,
            verified_per_second: 0.0,
            answered_share: 1.0,
            foreign_share: None,
            unhealthy: false,
        }
    }

    #[test]
    fn equal_neighbours_become_one_span() {
        let minutes = [
            minute(1, MinuteKind::Normal, 10.0, 0.0),
            minute(2, MinuteKind::Attack, 100.0, 0.5),
            minute(3, MinuteKind::Attack, 300.0, 0.9),
            minute(9, MinuteKind::Attack, 300.0, 0.9),
        ];
        let spans = spans(&by_site(&minutes)["ecole"]);
        let shape: Vec<_> = spans.iter().map(|s| (s.start.as_nanos() / 60_000_000_000, s.minutes, s.verdict)).collect();
        assert_eq!(shape, [(1, 1, MinuteKind::Normal), (2, 2, MinuteKind::Attack), (9, 1, MinuteKind::Attack)]);
        assert_eq!(spans[1].end, Timestamp::from_secs(240));
        assert!((spans[1].attack_share.value - 0.8).abs() < 1e-12, "weighted by requests");
        assert_eq!(spans[1].capacity_per_second, Some(103.0));
    }

    #[test]
    fn minutes_without_requests_have_a_mean_too() {
        let minutes = [minute(1, MinuteKind::Fault, 0.0, 0.0), minute(2, MinuteKind::Fault, 0.0, 0.0)];
        let spans = spans(&by_site(&minutes)["ecole"]);
        assert_eq!(spans[0].attack_share.value, 0.0);
        assert_eq!(spans[0].answered_share, 1.0);
    }
}
