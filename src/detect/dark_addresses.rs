//! Carpet bombing with SYNs at addresses where nobody answers (DETECTION 5, CARPET): most of a prefix is empty.
//!
//! Method: SYNs to addresses of a site that have never sent a packet, against their envelope; a hundred a second above what
//! is usual, to five addresses at once at least, from many networks. Handshakes that nobody answers say nothing of a server
//! that fails: there is none, so no control group is needed.
//!
//! Sources: DETECTION 5 (CARPET); Pang et al. 2004 (what such addresses receive on any day).
//!
//! Blind spots: less than a hundred a second; the first three minutes; addresses beyond the hosts that are watched one by
//! one; a sweep by a few fast sources is a `host_sweep`.

use crate::detect::finding::{Caveat, FigureName as F, Finding};
use crate::detect::view::{SAID_FROM, View, figure};
use crate::kind::{AlertKind, Severity, Verdict};
use crate::packet::Protocol;
use crate::window::dark::Dark;
use crate::window::subject::{Sidedness, Subject};

/// SYNs a second above what is usual, addresses at once, and networks they come from (DETECTION 0.2 for the last).
const LEAST_SYNS: f64 = 100.0;
const LEAST_ADDRESSES: f64 = 5.0;
const LEAST_NETWORKS: usize = 20;

/// Times the usual rate (DETECTION 1.7).
const TIMES: f64 = 1.5;

/// Judges a site.
pub(super) fn detect(view: &View, site: &Subject, dark: &Dark) -> Option<Finding> {
    let (score, line) = (dark.syns().decades(), view.lines.subject);
    if score < SAID_FROM * line || site.sidedness() != Sidedness::TwoSided || view.loss_share > 0.05 {
        return None;
    }
    let rate = dark.syns().recent_per_second(8);
    let (usual, addresses) = (dark.syns().usual().unwrap_or(0.0), dark.addresses() as f64);
    let mut finding = view.finding(AlertKind::CarpetBombing, site, score, line);
    finding.gates_hold = rate - usual >= LEAST_SYNS
        && rate >= TIMES * usual
        && addresses >= LEAST_ADDRESSES
        && site.records.networks() >= LEAST_NETWORKS;
    finding.severity = Severity::Warning;
    finding.verdict = Some(Verdict::Attack);
    finding.confidence = 0.9;
    finding.onset = dark.syns().onset().start();
    finding.target.protocol = Some(Protocol::TCP);
    finding.caveats.push(Caveat::Unattributable);
    finding.figures =
        vec![figure(F::FirstSynsPerSecond, rate, dark.envelope()), figure(F::TargetsCount, addresses, None)];
    finding.settings = vec![
        ("alert_at", line),
        ("least_syns_per_second", LEAST_SYNS),
        ("least_addresses", LEAST_ADDRESSES),
        ("least_networks", LEAST_NETWORKS as f64),
        ("times_usual", TIMES),
    ];
    Some(finding)
}
