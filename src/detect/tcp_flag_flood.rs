//! TCP flood outside connections (DETECTION 5): ACKs, RSTs, data and odd flags of no connection, SYN-ACKs nobody asked
//! for, and data from middleboxes that were asked in the target's name.
//!
//! Method: two envelope CUSUMs, of the rate of such segments and of their share of inbound TCP (a tenth at least), and both
//! must alarm, with 500 a second above what is usual from many senders; 2,000 of SYN-ACKs, unless they weigh on everything
//! else. Real clients leave a few such segments each, when a server in trouble drops or resets them, so a flood has three
//! for each connection asked for at least. Off for a minute after the start, and where both directions are not captured.
//!
//! Sources: DETECTION 5 and 0.2 ("Sidedness"); Bock et al. 2021 (middlebox reflection); Moore et al. 2001 (backscatter).
//!
//! Blind spots: a few senders below 20,000 packets a second, and below all else that the host is sent, may be a transfer of
//! which one direction takes another path; the backscatter of floods elsewhere, slow and from few senders, is no
//! attack on us and is not told.

use crate::detect::finding::{FigureName as F, Finding};
use crate::detect::flood::Stream;
use crate::detect::view::{Situation, View};
use crate::kind::AlertKind;
use crate::packet::Protocol;
use crate::summary::StrayKind;
use crate::window::strays::Family;
use crate::window::subject::{Sidedness, Subject};

/// Smallest flood in packets a second; of SYN-ACKs (DETECTION 5).
const LEAST_PPS: f64 = 500.0;
const LEAST_SYN_ACKS: f64 = 2_000.0;

/// Segments outside connections that real clients leave for each connection they ask for, at most.
const LEFT_BY_CLIENTS: f64 = 3.0;

/// Judges a subject.
pub fn detect(view: &View, subject: &Subject, situation: &Situation) -> Option<Finding> {
    if !view.connections_known || !view.hears(subject) {
        return None;
    }
    let stream = Stream::of(subject, Family::Segment)?;
    let (by_rate, by_share) = stream.window.decades();
    let score = by_rate.min(by_share);
    if score < 0.25 * view.lines.subject {
        return None;
    }
    let answers = matches!(stream.window.leading_kind(), Some((StrayKind::SynAck, share)) if share >= 0.5);
    let least = if answers && !stream.weighs_on_the_rest() { LEAST_SYN_ACKS } else { LEAST_PPS };
    let asked = subject.syns.recent_per_second(stream.span) * (1.0 - situation.attack_share);
    let beyond_clients = stream.excess >= LEFT_BY_CLIENTS * asked;
    // A transfer to a host of which nothing was heard so far may have its other direction elsewhere.
    let is_known = subject.sidedness() == Sidedness::TwoSided;
    let many = stream.is_from_many() || (is_known && (stream.is_huge() || stream.overwhelms()));
    let holds = stream.excess >= least && beyond_clients && many;
    let mut finding = stream.finding(view, AlertKind::TcpFlagFlood, score, holds);
    if answers {
        finding.spoofed = false;
    }
    finding.target.protocol = Some(Protocol::TCP);
    finding.figures = vec![stream.rate_figure(F::OutOfStatePerSecond), stream.share_figure(F::OutOfStateShare)];
    finding.figures.extend(stream.size_figures());
    finding.settings.push(("least_packets_per_second", least));
    finding.settings.push(("segments_left_by_clients", LEFT_BY_CLIENTS));
    Some(finding)
}
