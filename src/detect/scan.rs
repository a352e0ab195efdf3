//! What port scans and host sweeps have in common: when a prober is judged, what is said of it, and where it aims.
//!
//! Sources: Jung, Paxson, Berger & Balakrishnan 2004 (the walk, `window/trw.rs`); Zeek's `scan.zeek` (25 hosts or 15 ports
//! in five minutes); DETECTION 5 (SCAN-1, SCAN-2).

use crate::address::Prefix;
use crate::detect::finding::{Caveat, FigureName as F, Finding, SourceShare};
use crate::detect::view::{View, figure};
use crate::kind::{AlertKind, Severity, Verdict};
use crate::packet::Protocol;
use crate::time::Tick;
use crate::window::probing::{Prober, Probing, Tally};

/// Failures for each success of the last minutes, or of the day: theta0 / theta1 of the walk.
const FAILURES_TO_A_SUCCESS: u32 = 4;

/// Different hosts or ports from which a short walk is worth a line of `info`.
pub(super) const LEAST: f64 = 10.0;

/// Different hosts or ports that make a slow scan in 24 hours (DETECTION 5).
pub(super) const SLOW: f64 = 100.0;

/// What a prober does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scan {
    pub(super) kind: AlertKind,
    /// Evidence in decades.
    pub(super) score: f64,
    /// Different hosts or ports, whichever the kind counts.
    pub(super) breadth: f64,
    /// Breadth and failures are those of a scan; otherwise there is only a hint of one.
    pub(super) clear: bool,
    /// What the breadth must reach in the window judged.
    pub(super) needed: f64,
    pub(super) window_seconds: f64,
    pub(super) port: Option<u16>,
    pub(super) host: Option<Prefix>,
    pub(super) onset: Tick,
}

/// Tells whether failures outnumber successes as a scanner's do.
pub(super) const fn mostly_failures((failures, successes): (u32, u32)) -> bool {
    failures >= FAILURES_TO_A_SUCCESS.saturating_mul(successes) && failures > 0
}

/// Returns the evidence of a tally: of its walk.
pub(super) fn decades(tally: &Tally) -> f64 {
    tally.decades().min(300.0)
}

/// Makes the finding.
pub(super) fn finding(view: &View, prober: &Prober, probing: &Probing, scan: &Scan, target: Prefix) -> Finding {
    let alert_at = crate::window::trw::Walk::line();
    let mut finding = view.about(scan.kind, target, scan.score, alert_at);
    finding.gates_hold = true;
    finding.severity = if scan.clear { Severity::Warning } else { Severity::Info };
    finding.verdict = Some(Verdict::Suspicion);
    finding.confidence = if scan.clear { 0.9 } else { 0.5 };
    finding.onset = scan.onset.start();
    finding.target.protocol = Some(prober.protocol);
    finding.target.port =
        scan.port.filter(|_| prober.protocol != Protocol::ICMP && prober.protocol != Protocol::ICMPV6);
    let (failures, successes) = probing.all.recent(view.tick);
    let hosts = probing.hosts.recent(view.tick).distinct().round();
    let ports = probing.ports.recent(view.tick).distinct().round();
    let counts =
        [(F::ProbedHostsCount, hosts, AlertKind::HostSweep), (F::ProbedPortsCount, ports, AlertKind::PortScan)];
    for (name, count, kind) in counts {
        let usual = (kind == scan.kind).then_some(scan.needed - 1.0);
        let count = if kind == scan.kind { scan.breadth.round() } else { count };
        if count > 0.0 && (kind == scan.kind || prober.protocol != Protocol::ICMP) {
            finding.figures.push(figure(name, count, usual));
        }
    }
    finding.figures.sort_by_key(|figure| figure.expected.is_none());
    let share = f64::from(failures) / f64::from((failures + successes).max(1));
    finding.figures.push(figure(F::FailedContactsShare, share, Some(0.2)));
    if probing.stealthy > 0 {
        finding.figures.push(figure(F::StealthyCount, f64::from(probing.stealthy), Some(0.0)));
    }
    finding.sources = vec![SourceShare { address: prober.source, packets: u64::from(failures + successes), bytes: 0 }];
    if probing.answered == 0 && probing.refused == 0 {
        finding.caveats.push(Caveat::Unattributable);
    }
    finding.settings = vec![
        ("ordinary_failure_share", 0.2),
        ("scanner_failure_share", 0.8),
        ("least_breadth", scan.needed),
        ("window_seconds", scan.window_seconds),
    ];
    finding
}

/// Where a sweep aims: the prefix that most failures lie in, or, when they lie all over the network, the prober itself.
pub(super) fn aim(prober: &Prober, probing: &Probing) -> Prefix {
    probing.narrow.clear().or_else(|| probing.wide.clear()).unwrap_or_else(|| prober.source.host_prefix())
}
