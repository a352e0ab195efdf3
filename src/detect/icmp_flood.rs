//! ICMP flood (DETECTION 5): echo requests, unasked echo replies, and other messages of ICMP and ICMPv6 in excess.
//!
//! Method: an envelope CUSUM of their rate; 500 a second above what is usual, from ten senders, or 2,000 from fewer, since
//! no diagnosis sends that many; or 1,000 where that is as much as everything else. Error messages that come beside another
//! flood belong to it (`detect/flood.rs`).
//!
//! Sources: DETECTION 5; CERT CA-1998-01 (smurf).
//!
//! Blind spots: large messages in fragments are a fragment flood; a slow tunnel in echo messages is no flood.

use crate::detect::finding::{FigureName as F, Finding};
use crate::detect::flood::Stream;
use crate::detect::view::View;
use crate::kind::AlertKind;
use crate::packet::Protocol;
use crate::window::strays::Family;
use crate::window::subject::Subject;

/// Smallest flood in packets a second (DETECTION 5), and the smallest from few senders.
const LEAST_PPS: f64 = 500.0;
const LEAST_SOURCES: f64 = 10.0;
const FEW_SOURCES_PPS: f64 = 2_000.0;

/// Judges a subject.
pub fn detect(view: &View, subject: &Subject) -> Option<Finding> {
    let stream = Stream::of(subject, Family::Icmp)?;
    let (score, _) = stream.window.decades();
    if score < 0.25 * view.lines.subject {
        return None;
    }
    // One prober of many hosts is a sweep and floods nobody.
    let few = if subject.is_aggregate { f64::INFINITY } else { FEW_SOURCES_PPS };
    let many = stream.sources >= LEAST_SOURCES;
    let holds = if many { stream.excess >= LEAST_PPS } else { stream.excess >= few || stream.overwhelms() };
    let mut finding = stream.finding(view, AlertKind::IcmpFlood, score, holds);
    let ipv4 = subject.prefix.network().is_ipv4();
    finding.target.protocol = Some(if ipv4 { Protocol::ICMP } else { Protocol::ICMPV6 });
    finding.figures = vec![stream.rate_figure(F::IcmpPerSecond)];
    finding.figures.extend(stream.size_figures());
    finding.settings.push(("least_packets_per_second", LEAST_PPS));
    Some(finding)
}
