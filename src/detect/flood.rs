//! Floods of packets that belong to no conversation: what their detectors share, and which of them speaks for a packet.
//!
//! Method: an envelope CUSUM of the family's rate (and share), gates on size and on the number of senders, and one
//! explanation for each packet: large replies come in fragments, fragmented datagrams are both, and a flood brings error
//! messages and resets with it (DETECTION 4.3 and 5).

use crate::detect::finding::{Caveat, Figure, FigureName as F, Finding};
use crate::detect::view::{Situation, View, figure};
use crate::detect::{amplification, fragment_flood, icmp_flood, tcp_flag_flood, udp_flood};
use crate::kind::{AlertKind, Severity, Verdict};
use crate::window::strays::{Family, StrayWindow};
use crate::window::subject::{Sidedness, Subject};

/// Senders from which a stream is from many (DETECTION 5, REF), and those it takes while nothing of the past is known: a
/// host may have been sent telephony or video by some dozens for hours before the capture began.
const MANY: f64 = 10.0;
const MANY_AT_FIRST: f64 = 50.0;

/// A stream from fewer senders is called a flood from this rate on: twenty thousand packets or 200 Mbit a second, beyond
/// what single streams of telephony and video carry.
const HUGE_PPS: f64 = 20_000.0;
const HUGE_BITS: f64 = 200e6;

/// The same where nothing of the kind was usual and it is as much as everything else the host receives.
const OVERWHELMING_PPS: f64 = 1_000.0;

/// The same of datagrams, and times everything else: an ultra-high-definition film of 40 Mbit/s comes as 3,800 a second of
/// seven transport stream packets each (ETSI TS 102 034).
const BEYOND_A_FILM_PPS: f64 = 4_000.0;
const BEYOND_A_FILM_TIMES: f64 = 4.0;

/// Times the usual rate that a flood reaches (DETECTION 1.7).
const TIMES: f64 = 1.5;

/// Part of the rate that may be usual of a stream that is something new.
const NEW: f64 = 0.05;

/// Impact from which a flood is critical (DETECTION 1.7).
pub(super) const HURTS: f64 = 0.2;

/// Runs the detectors of stray packets over a subject and leaves each packet to one of them.
pub fn detect(view: &View, subject: &Subject, situation: &mut Situation) -> Vec<Finding> {
    if view.loss_share > 0.05 {
        return Vec::new();
    }
    let mut findings: Vec<Finding> = [
        amplification::detect(view, subject),
        fragment_flood::detect(view, subject),
        udp_flood::detect(view, subject),
        icmp_flood::detect(view, subject),
        tcp_flag_flood::detect(view, subject, situation),
    ]
    .into_iter()
    .flatten()
    .collect();
    explain(subject, situation, &mut findings);
    for finding in findings.iter_mut().filter(|finding| finding.gates_hold) {
        finding.verdict = Some(situation.attack_verdict(view));
    }
    situation.volumetric = findings.iter().any(Finding::fires);
    findings
}

/// Drops what another finding explains.
fn explain(subject: &Subject, situation: &Situation, findings: &mut Vec<Finding>) {
    let holds = |kind| findings.iter().any(|f: &Finding| f.kind == kind && f.gates_hold && f.ratio() >= 0.5);
    let reflected = holds(AlertKind::Amplification);
    let in_pieces = holds(AlertKind::FragmentFlood);
    let datagrams = holds(AlertKind::UdpFlood);
    let rate = |family| subject.strays.window(family).map_or(0.0, |window| window.tested_per_second(8));
    let (fragments, other) = (rate(Family::Fragment), rate(Family::Datagram).max(rate(Family::Icmp)));
    // A first fragment counts as a datagram or echo request as well: the larger count is the flood.
    let pieces_explain = in_pieces && !reflected && fragments >= other;
    let errors = leading_is_error(subject) && (reflected || in_pieces || datagrams || situation.flood);
    let reset_by_others = situation.flood && leading_is_reset(subject);
    findings.retain(|finding| match finding.kind {
        AlertKind::FragmentFlood => !(reflected && belongs_to_replies(subject)) && (pieces_explain || !datagrams),
        AlertKind::UdpFlood => !pieces_explain,
        AlertKind::IcmpFlood => !pieces_explain && !errors,
        AlertKind::TcpFlagFlood => !reset_by_others,
        _ => true,
    });
}

/// Tells whether fragments came with the replies: from the same senders, or at the same time.
pub(super) fn belongs_to_replies(subject: &Subject) -> bool {
    const TOGETHER: u64 = 20;
    let (Some(pieces), Some(replies)) = (subject.strays.window(Family::Fragment), subject.strays.window(Family::Reply))
    else {
        return false;
    };
    let (a, b) = (pieces.sources(), replies.sources());
    let mut both = a;
    both.join(&b);
    let shared = a.estimate() + b.estimate() - both.estimate();
    let (first, second) = (pieces.onset(), replies.onset());
    shared >= 0.3 * a.estimate() || first.since(second).max(second.since(first)) <= TOGETHER
}

fn leading_is_error(subject: &Subject) -> bool {
    let leading = subject.strays.window(Family::Icmp).and_then(StrayWindow::leading_kind);
    leading.is_some_and(|(kind, _)| kind == crate::summary::StrayKind::OtherIcmp)
}

fn leading_is_reset(subject: &Subject) -> bool {
    let leading = subject.strays.window(Family::Segment).and_then(StrayWindow::leading_kind);
    leading.is_some_and(|(kind, _)| kind == crate::summary::StrayKind::Reset)
}

/// One family at one subject, measured since its evidence began.
pub(super) struct Stream<'a> {
    pub(super) subject: &'a Subject,
    pub(super) window: &'a StrayWindow,
    pub(super) family: Family,
    /// Packets a second.
    pub(super) rate: f64,
    /// Bits a second.
    pub(super) bits: f64,
    /// Different senders within a second.
    pub(super) sources: f64,
    /// Packets a second above what is usual.
    pub(super) excess: f64,
    /// Ticks it was measured over.
    pub(super) span: usize,
}

impl<'a> Stream<'a> {
    pub(super) fn of(subject: &'a Subject, family: Family) -> Option<Self> {
        let window = subject.strays.window(family)?;
        let since = subject.last_tick().since(window.onset());
        // The tick in which it began is half a tick.
        let span = usize::try_from(since).unwrap_or(40).clamp(2, 40);
        let rate = window.tested_per_second(span);
        let excess = (rate - window.usual().unwrap_or(0.0)).max(0.0);
        let (bits, sources) = (window.bits_per_second(span), window.sources().estimate());
        Some(Self { subject, window, family, rate, bits, sources, excess, span })
    }

    /// Returns the bits of the excess, a second.
    pub(super) fn excess_bits(&self) -> f64 {
        if self.rate > 0.0 { self.bits * (self.excess / self.rate).min(1.0) } else { 0.0 }
    }

    /// Tells whether enough senders take part, or so much comes that their number does not matter.
    pub(super) fn is_from_many(&self) -> bool {
        let least = if self.window.usual().is_some() { MANY } else { MANY_AT_FIRST };
        self.sources >= least
    }

    pub(super) fn is_huge(&self) -> bool {
        self.excess >= HUGE_PPS || self.excess_bits() >= HUGE_BITS
    }

    /// Tells whether it is well above what is usual.
    pub(super) fn stands_out(&self) -> bool {
        self.rate >= TIMES * self.window.usual().unwrap_or(0.0)
    }

    /// Returns the inbound packets a second that the subject has apart from this.
    pub(super) fn ordinary(&self) -> f64 {
        let others = (self.subject.strays.inbound_per_second(self.span) - self.rate).max(0.0);
        self.subject.packets.usual().map_or(others, |usual| usual.min(others.max(0.1 * usual)))
    }

    /// Tells whether hardly any of it is usual, now that this is known.
    pub(super) fn is_new(&self) -> bool {
        self.window.usual().is_some_and(|usual| usual <= NEW * self.rate)
    }

    /// Tells whether it weighs on everything else the subject receives, now that its usual rate is known.
    pub(super) fn weighs_on_the_rest(&self) -> bool {
        self.window.usual().is_some() && self.impact() >= HURTS
    }

    /// Tells whether a host that knew nothing of the kind is sent as much of it as of everything else: then it may come from
    /// one sender. Of packets that no service is meant to be sent, that is; a stream of datagrams may be a film. One prober
    /// of many hosts floods none of them.
    pub(super) fn overwhelms(&self) -> bool {
        self.is_new_at_a_host() && self.excess >= OVERWHELMING_PPS.max(self.ordinary())
    }

    /// The same of datagrams that nobody answers: no single film is so much.
    pub(super) fn exceeds_a_film(&self) -> bool {
        self.is_new_at_a_host() && self.excess >= BEYOND_A_FILM_PPS.max(BEYOND_A_FILM_TIMES * self.ordinary())
    }

    /// Returns the packets a second from which few senders make a flood here.
    fn least_from_few(&self) -> f64 {
        match self.family {
            _ if !self.is_new_at_a_host() => HUGE_PPS,
            Family::Datagram => BEYOND_A_FILM_PPS,
            _ => OVERWHELMING_PPS,
        }
    }

    fn is_new_at_a_host(&self) -> bool {
        !self.subject.is_aggregate && self.is_new()
    }

    /// Returns how much it hurts, 0 to 1 (DETECTION 1.7).
    fn impact(&self) -> f64 {
        1.0 - (-self.excess / self.ordinary().max(1.0)).exp()
    }

    /// Begins the finding; `score` in decades, `holds` for the gates.
    pub(super) fn finding(&self, view: &View, kind: AlertKind, score: f64, holds: bool) -> Finding {
        let mut finding = view.finding(kind, self.subject, score, view.lines.subject);
        finding.gates_hold = holds && self.stands_out();
        let sure = self.is_from_many() && self.subject.sidedness() == Sidedness::TwoSided;
        let loud = sure && self.impact() >= HURTS;
        finding.severity = if loud { Severity::Critical } else { Severity::Warning };
        finding.verdict = finding.gates_hold.then_some(Verdict::Attack);
        finding.confidence = if sure { 0.95 } else { 0.8 };
        finding.onset = self.window.onset().start();
        finding.spoofed = self.window.never_repeats_a_source();
        finding.caveats.push(Caveat::Unattributable);
        finding.settings = vec![
            ("alert_at", view.lines.subject),
            ("least_sources", if self.window.usual().is_some() { MANY } else { MANY_AT_FIRST }),
            ("few_sources_packets_per_second", self.least_from_few()),
            ("times_usual", TIMES),
            ("window_seconds", self.span as f64 / 4.0),
        ];
        finding
    }

    /// Writes the rate under its name with what is usual at most.
    pub(super) fn rate_figure(&self, name: F) -> Figure {
        figure(name, self.rate, self.window.envelope(self.family))
    }

    /// Writes the family's share of the packets it is compared with.
    pub(super) fn share_figure(&self, name: F) -> Figure {
        figure(name, self.window.share_over(self.span), Some(self.window.usual_share_at_most(self.family)))
    }

    /// Writes bits and senders.
    pub(super) fn size_figures(&self) -> [Figure; 2] {
        [figure(F::BitsPerSecond, self.bits, None), figure(F::SourcesCount, self.sources, None)]
    }
}
