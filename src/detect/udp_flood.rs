//! UDP flood (DETECTION 5, UDP-1): datagrams that get no answer, QUIC Initials that are answered and never continued, and
//! packets of other protocols, for which the closed set of kinds has no name of its own: tunnels that carry nothing of ours
//! among them.
//!
//! Method: only datagrams of conversations in which the host says nothing count, so that a rush over HTTP/3 does not. Their
//! rate is tested against its envelope; while none is known they must be 2,000 a second, four fifths of all datagrams and
//! from fifty senders. QUIC is judged as SYN-2 judges TCP: a forged Initial is answered and its sender never goes on. A
//! server that answers late loses real clients too, but those have sent their Initial more than once.
//!
//! Sources: DETECTION 0.2 ("UDP on a cold site") and 5; Nawrocki et al. 2021 (QUIC floods); RFC 9000 section 8.1.
//!
//! Blind spots: queries to a UDP service that answers them all look like its clients'; a few senders below 4,000 packets a
//! second, or below 20,000 where the host receives much else, look like telephony or video; a flood that was on before the
//! capture began passes for the usual state if it comes from fewer than fifty senders; Initials at a server that chooses no
//! connection ids of its own; a server whose answers alone pass beside the capture, at a site of which both directions are
//! captured, looks flooded in the first minutes.

use crate::detect::finding::{FigureName as F, Finding};
use crate::detect::flood::{HURTS, Stream};
use crate::detect::view::{View, figure};
use crate::kind::{AlertKind, Severity};
use crate::packet::Protocol;
use crate::window::strays::Family;
use crate::window::subject::{Sidedness, Subject};

/// Smallest flood, in packets and bits a second (DETECTION 5).
const LEAST_PPS: f64 = 2_000.0;
const LEAST_BITS: f64 = 20e6;

/// The same where the usual rate is known and the flood weighs on everything else the subject receives.
const LEAST_PPS_ONCE_KNOWN: f64 = 500.0;

/// Share of datagrams without an answer while nothing is usual yet (DETECTION 0.2).
const SHARE_AT_FIRST: f64 = 0.8;

/// Where nothing sent by the subject is captured: rate unless such datagrams are something new there, and senders.
const LEAST_PPS_UNHEARD: f64 = 10_000.0;
const SOURCES_UNHEARD: f64 = 100.0;

/// QUIC connections a second that nobody goes on with (as unfinished handshakes of TCP, DETECTION 0.2), the same from few
/// senders, which no program that is only broken opens so fast, and Initials that a client sends on average at most when it
/// is answered in time.
const LEAST_QUIC: f64 = 20.0;
const LEAST_QUIC_FROM_FEW: f64 = 200.0;
const TRIES: f64 = 1.4;

/// Judges a subject.
pub fn detect(view: &View, subject: &Subject) -> Option<Finding> {
    let judged = [one_way(view, subject), quic(view, subject), other_protocol(view, subject)];
    judged
        .into_iter()
        .flatten()
        .reduce(|a, b| if (b.fires(), b.gates_hold, b.ratio()) > (a.fires(), a.gates_hold, a.ratio()) { b } else { a })
}

fn one_way(view: &View, subject: &Subject) -> Option<Finding> {
    let stream = Stream::of(subject, Family::Datagram)?;
    let (score, _) = stream.window.decades();
    if score < 0.25 * view.lines.subject {
        return None;
    }
    let share = stream.window.share_over(stream.span);
    let known = stream.window.usual().is_some();
    // The clients of an HTTP/3 site look one-way where it does not answer, and show themselves by their Initials: those are
    // nearly all they send then. Where its answers are not captured they send all the rest as well.
    let initials = subject.strays.quic.initials_per_second();
    let (unanswered_clients, unheard_clients) = (initials >= 0.5 * stream.rate, initials >= 0.01 * stream.rate);
    let weighs = stream.weighs_on_the_rest() && stream.is_from_many() && !unanswered_clients;
    let large = stream.excess >= LEAST_PPS
        || stream.excess_bits() >= LEAST_BITS
        || (stream.excess >= LEAST_PPS_ONCE_KNOWN && weighs);
    let evident = is_heard(view, subject) || (is_loud(&stream) && !unheard_clients);
    let many = stream.is_from_many() || stream.is_huge() || stream.exceeds_a_film();
    let holds = large && evident && many && (known || share >= SHARE_AT_FIRST);
    let mut finding = stream.finding(view, AlertKind::UdpFlood, score, holds);
    finding.target.protocol = Some(Protocol::UDP);
    finding.figures = vec![stream.rate_figure(F::OneWayPerSecond), stream.share_figure(F::OneWayShare)];
    finding.figures.extend(stream.size_figures());
    finding.settings.push(("least_packets_per_second", LEAST_PPS));
    finding.settings.push(("least_bits_per_second", LEAST_BITS));
    Some(finding)
}

/// Tells whether answers would be seen: some packet of the subject was, or those of its site are.
fn is_heard(view: &View, subject: &Subject) -> bool {
    subject.sidedness() != Sidedness::OneSided && (subject.strays.is_heard() || view.hears(subject))
}

/// Tells whether it is more than clients send to a service whose answers are not seen.
fn is_loud(stream: &Stream) -> bool {
    let least = if stream.is_new() { LEAST_PPS } else { LEAST_PPS_UNHEARD };
    stream.excess >= least && stream.sources >= SOURCES_UNHEARD
}

fn quic(view: &View, subject: &Subject) -> Option<Finding> {
    let quic = &subject.strays.quic;
    let (score, onset) = quic.evidence();
    if score < 0.25 * view.lines.subject {
        return None;
    }
    let stream = Stream::of(subject, Family::Datagram)?;
    let (share, usual) = (quic.unfinished_share()?, quic.usual_at_most());
    let opened = quic.opened_per_second();
    let forged = ((share - usual) / (1.0 - usual)).max(0.0) * opened;
    // What the capture shows twice was sent once.
    let tries = quic.tries() * (1.0 - view.duplicate_share);
    let least = if stream.is_from_many() { LEAST_QUIC } else { LEAST_QUIC_FROM_FEW };
    let holds = forged >= least && tries <= TRIES;
    let mut finding = stream.finding(view, AlertKind::UdpFlood, score, holds);
    // The rate of strays says nothing here: the host answers them.
    finding.gates_hold = holds;
    let hurts = 1.0 - (-forged / (opened - forged).max(1.0)).exp() >= HURTS;
    finding.severity = if hurts && stream.is_from_many() { Severity::Critical } else { Severity::Warning };
    finding.onset = onset.start();
    finding.target.protocol = Some(Protocol::UDP);
    finding.figures = vec![
        figure(F::QuicOpenedPerSecond, opened, None),
        figure(F::QuicUnfinishedShare, share, Some(usual)),
        figure(F::SourcesCount, stream.sources, None),
    ];
    finding.settings.push(("least_unfinished_per_second", least));
    finding.settings.push(("most_initials_a_client", TRIES));
    Some(finding)
}

fn other_protocol(view: &View, subject: &Subject) -> Option<Finding> {
    let stream = Stream::of(subject, Family::OtherProtocol)?;
    let (score, _) = stream.window.decades();
    if score < 0.25 * view.lines.subject {
        return None;
    }
    let large = stream.excess >= LEAST_PPS
        || stream.excess_bits() >= LEAST_BITS
        || (stream.excess >= LEAST_PPS_ONCE_KNOWN && stream.weighs_on_the_rest());
    let evident = is_heard(view, subject) || is_loud(&stream);
    let holds = large && evident && stream.is_from_many();
    let mut finding = stream.finding(view, AlertKind::UdpFlood, score, holds);
    finding.figures = vec![stream.rate_figure(F::OtherProtocolPerSecond)];
    finding.figures.extend(stream.size_figures());
    finding.settings.push(("least_packets_per_second", LEAST_PPS));
    Some(finding)
}
