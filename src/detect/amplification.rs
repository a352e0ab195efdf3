//! Reflection with amplification (DETECTION 5, REF): replies from open servers that the target never asked.
//!
//! Method: datagrams from the ports of 24 services that answer much to little, from sources the host has asked nothing in
//! 30 s, whatever their size: measured amplification varies from nothing to thousands, so the rule keys on unasked alone.
//! Ten senders and 1 Mbit/s are a ticket, or 500 packets a second that weigh on everything else the host is sent; 50 Mbit/s
//! or 5,000 packets a second a page. Later fragments of large replies have no port and are told in this alert
//! (`detect/flood.rs`).
//!
//! Sources: CISA alert TA14-017A (ports); Moon et al. 2021 (AmpMap: factors vary).
//!
//! Blind spots: a reflector on another port is a UDP flood; a client that sends from such a port to a host that answers
//! nothing looks like a reflector; a resolver whose questions alone pass beside the capture, at a site of which both
//! directions are captured, looks like a target.

use crate::detect::finding::{Caveat, FigureName as F, Finding};
use crate::detect::flood::{Stream, belongs_to_replies};
use crate::detect::view::{View, figure};
use crate::kind::{AlertKind, Severity};
use crate::packet::Protocol;
use crate::summary::StrayKind;
use crate::window::strays::Family;
use crate::window::subject::Subject;

/// Senders and bits a second of a ticket; senders where only one direction is known to be captured.
const LEAST_SOURCES: f64 = 10.0;
const LEAST_BITS: f64 = 1e6;
const SOURCES_UNHEARD: f64 = 100.0;

/// Packets a second that make one of small replies, as with the other families (DETECTION 5).
const LEAST_PPS: f64 = 500.0;

/// Bits or packets a second of a page.
const PAGE_BITS: f64 = 50e6;
const PAGE_PPS: f64 = 5_000.0;

/// Judges a subject.
pub fn detect(view: &View, subject: &Subject) -> Option<Finding> {
    let stream = Stream::of(subject, Family::Reply)?;
    let (score, _) = stream.window.decades();
    if score < 0.25 * view.lines.subject {
        return None;
    }
    // Large replies come in pieces, of which only the first bears a port.
    let pieces = Stream::of(subject, Family::Fragment).filter(|_| belongs_to_replies(subject));
    let bits = pieces.map_or(0.0, |pieces| pieces.excess_bits()).max(stream.excess_bits());
    let page = bits >= PAGE_BITS || stream.excess >= PAGE_PPS;
    let heard = view.hears(subject);
    let weighs = stream.excess >= LEAST_PPS && stream.weighs_on_the_rest();
    let holds = if heard {
        stream.sources >= LEAST_SOURCES && (page || bits >= LEAST_BITS || weighs)
    } else {
        stream.sources >= SOURCES_UNHEARD && page
    };
    let mut finding = stream.finding(view, AlertKind::Amplification, score, holds);
    if !page {
        finding.severity = finding.severity.min(Severity::Warning);
    }
    // Reflectors send under their own address.
    finding.spoofed = false;
    finding.caveats.retain(|caveat| *caveat != Caveat::Unattributable);
    finding.caveats.push(Caveat::Reflectors);
    finding.target.protocol = Some(Protocol::UDP);
    finding.figures = vec![stream.rate_figure(F::RepliesPerSecond)];
    if let Some((StrayKind::Reply(port), share)) = stream.window.leading_kind() {
        finding.figures.push(figure(F::ReflectorPort, f64::from(port.get()), None));
        finding.figures.push(figure(F::ReflectorShare, share, None));
    }
    finding.figures.push(figure(F::BitsPerSecond, bits.max(stream.bits), None));
    finding.figures.push(figure(F::SourcesCount, stream.sources, None));
    if let Some(pieces) = subject.strays.window(Family::Fragment) {
        let rate = pieces.tested_per_second(stream.span);
        if rate >= 0.05 * stream.rate {
            finding.figures.push(figure(F::FragmentsPerSecond, rate, pieces.envelope(Family::Fragment)));
        }
    }
    finding.settings.push(("least_bits_per_second", LEAST_BITS));
    finding.settings.push(("least_packets_per_second", LEAST_PPS));
    finding.settings.push(("page_bits_per_second", PAGE_BITS));
    finding.settings.push(("page_packets_per_second", PAGE_PPS));
    Some(finding)
}
