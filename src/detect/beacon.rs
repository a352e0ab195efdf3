//! Beacon: a host makes small connections to one destination as regularly as a clock (DETECTION 5, BEACON).
//!
//! Method: the last 32 connections of a host to a destination and port. Four statistics of pauses and sizes (RITA's, see
//! `window/gaps.rs`) have a mean of at least .85 over at least 24 pauses; the evidence is how often pauses that come at
//! random would be as even (Chernoff's bound on a binomial share). The connections cover six hours, or 80 % of what was
//! captured; below six hours it is `info`.
//!
//! Sources: RITA (Active Countermeasures); DETECTION 5 and 0.2.
//!
//! Blind spots: beacons with a jitter of more than a fifth; those inside one long connection; those to a service that many
//! hosts ask. Monitoring and updates poll as regularly: services that five hosts ask, name and time services, and
//! configured proxies stay out, and it is a suspicion only.

use std::time::Duration;

use crate::detect::finding::{FigureName as F, Finding, SourceShare};
use crate::detect::view::{View, figure, on_tcp};
use crate::kind::{AlertKind, Severity, Verdict};
use crate::policy::{Direction, Policy};
use crate::summary::Contact;
use crate::time::{Tick, Timestamp};
use crate::window::gaps::{EVEN_AT_RANDOM, Gaps, Pair, Pairs, Regularity};

/// Pauses needed, and the mean of the four statistics (DETECTION 5).
const PAUSES: usize = 24;
const REGULAR: f64 = 0.85;

/// The mean down to which one that was found stays one: 32 pauses are a small sample.
const STILL_REGULAR: f64 = 0.7;

/// Coverage from which it is more than `info`, and the shortest there is at all.
const LONG: Duration = Duration::from_secs(6 * 3_600);
const SHORT: Duration = Duration::from_secs(300);

/// Share of the capture that the connections cover.
const COVERED: f64 = 0.8;

/// Largest connection of a beacon, in bytes sent.
const SMALL: f64 = 100_000.0;

/// Hosts that ask the same service as often: from so many on it is a common one.
const COMMON: usize = 5;
const OFTEN: u32 = 8;

/// Name and time services, asked regularly by nature: DNS, NTP, DNS over TLS, NetBIOS, DHCP, SSDP, mDNS, LLMNR.
const ROUTINE: [u16; 9] = [53, 67, 123, 137, 138, 853, 1900, 5353, 5355];

/// Tells whether a settled conversation may be one of a beacon: from inside to outside, or between strangers while it is
/// not known who is inside.
pub(super) fn is_candidate(policy: &Policy, contact: &Contact) -> bool {
    let outwards = match policy.direction(contact.originator, contact.responder) {
        Direction::Outbound(_) => true,
        Direction::Transit => policy.is_learning(),
        Direction::Inbound(_) | Direction::Internal => false,
    };
    outwards && !ROUTINE.contains(&contact.port) && contact.received.packets > 0
}

/// Judges a pair; `began` is when the capture did, `known` tells whether it alarms already.
pub(super) fn judge(view: &View, pair: &Pair, pairs: &Pairs, began: Timestamp, known: bool) -> Option<Finding> {
    let gaps = pairs.get(pair)?;
    let regular = gaps.regularity()?;
    let (score, alert_at) = (evidence(&regular), view.lines.subject);
    if score < 0.5 * alert_at || !is_current(view.tick, gaps, &regular) {
        return None;
    }
    let (first, last) = gaps.span();
    let (covered, captured) = (last.since(first), view.tick.end().since(began));
    let enough =
        covered >= LONG || (covered >= SHORT && (known || covered.as_secs_f64() >= COVERED * captured.as_secs_f64()));
    let is_beacon = regular.pauses >= PAUSES
        && regular.score >= if known { STILL_REGULAR } else { REGULAR }
        && regular.bytes <= SMALL
        && enough;
    if !is_beacon || pairs.askers(pair.destination, pair.port, OFTEN) >= COMMON {
        return None;
    }
    let mut finding = view.about(AlertKind::Beacon, pair.host.host_prefix(), score, alert_at);
    on_tcp(&mut finding, Some(pair.port));
    finding.gates_hold = true;
    finding.severity = if covered >= LONG { Severity::Warning } else { Severity::Info };
    finding.verdict = Some(Verdict::Suspicion);
    finding.confidence = if covered >= LONG { 0.7 } else { 0.5 };
    finding.onset = first;
    finding.figures = vec![
        figure(F::IntervalSeconds, regular.interval, None),
        figure(F::DeviationSeconds, regular.deviation, None),
        figure(F::RegularityShare, regular.score, Some(REGULAR)),
        figure(F::ConnectionsCount, f64::from(gaps.connections()), None),
        figure(F::SentBytes, regular.bytes, None),
        figure(F::CoveredSeconds, covered.as_secs_f64(), None),
    ];
    let (packets, bytes) = gaps.volume();
    finding.sources = vec![SourceShare { address: pair.destination, packets, bytes }];
    finding.settings = vec![
        ("least_pauses", PAUSES as f64),
        ("least_regularity", REGULAR),
        ("least_coverage_seconds", LONG.as_secs_f64().min(COVERED * captured.as_secs_f64())),
    ];
    Some(finding)
}

/// Tells whether the next connection may still come.
fn is_current(now: Tick, gaps: &Gaps, regular: &Regularity) -> bool {
    let (_, last) = gaps.span();
    now.end().since(last).as_secs_f64() <= (3.0 * regular.interval).max(30.0)
}

/// Chernoff's bound, in decades, on so many even pauses among pauses that come at random.
fn evidence(regular: &Regularity) -> f64 {
    let (share, n, p) = (regular.even.min(1.0 - 1e-9), regular.pauses as f64, EVEN_AT_RANDOM);
    if share <= p {
        return 0.0;
    }
    n * (share * (share / p).ln() + (1.0 - share) * ((1.0 - share) / (1.0 - p)).ln()) / std::f64::consts::LN_10
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regularity(pauses: usize, even: f64) -> Regularity {
        Regularity { pauses, score: 0.95, interval: 60.0, deviation: 0.5, even, bytes: 512.0 }
    }

    #[test]
    fn even_pauses_are_evidence_and_random_ones_are_none() {
        // All of 24 within 15 %: .14^24 is 10^-20.5.
        assert!((evidence(&regularity(24, 1.0)) - 20.5).abs() < 0.1);
        assert_eq!(evidence(&regularity(32, 0.1)), 0.0);
        assert!(evidence(&regularity(32, 0.5)) < 9.0, "half of them is not enough");
    }
}
