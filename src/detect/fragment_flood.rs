//! Fragment flood (DETECTION 5): pieces of packets in excess, which cost the receiver memory until they are whole.
//!
//! Method: two envelope CUSUMs, of the rate of fragments and of their share of inbound packets, and both must alarm: more
//! than 5 % and 500 a second above what is usual, from many senders, since one tunnel can carry that much in fragments.
//! Fragments of large replies belong to their amplification, those of datagrams to the larger of the two floods
//! (`detect/flood.rs`).
//!
//! Sources: DETECTION 5; RFC 8900 section 3.7 (fragments as a means of attack).
//!
//! Blind spots: a few senders below 20,000 packets a second and below all else that the host is sent; slow fragments that
//! never become whole, of which the rate says nothing.

use crate::detect::finding::{FigureName as F, Finding};
use crate::detect::flood::Stream;
use crate::detect::view::View;
use crate::kind::AlertKind;
use crate::window::strays::Family;
use crate::window::subject::Subject;

/// Smallest flood, in packets a second and as a share of all (DETECTION 5).
const LEAST_PPS: f64 = 500.0;
const LEAST_SHARE: f64 = 0.05;

/// Times the usual rate from which fragments from few senders are a flood, if they are very many.
const LEAP: f64 = 4.0;

/// Judges a subject.
pub fn detect(view: &View, subject: &Subject) -> Option<Finding> {
    let stream = Stream::of(subject, Family::Fragment)?;
    let (by_rate, by_share) = stream.window.decades();
    let score = by_rate.min(by_share);
    if score < 0.25 * view.lines.subject {
        return None;
    }
    let large = stream.excess >= LEAST_PPS && stream.window.share_over(stream.span) >= LEAST_SHARE;
    // From few senders only beyond any tunnel or everything else, and where nothing of the kind was usual.
    let leaps = stream.window.usual().is_some_and(|usual| stream.rate >= LEAP * usual);
    let holds = large && (stream.is_from_many() || (leaps && stream.is_huge()) || stream.overwhelms());
    let mut finding = stream.finding(view, AlertKind::FragmentFlood, score, holds);
    finding.figures = vec![stream.rate_figure(F::FragmentsPerSecond), stream.share_figure(F::FragmentShare)];
    finding.figures.extend(stream.size_figures());
    finding.settings.push(("least_packets_per_second", LEAST_PPS));
    finding.settings.push(("least_share", LEAST_SHARE));
    Some(finding)
}
