//! Carpet bombing (DETECTION 5, CARPET): a flood spread over so many hosts of a protected prefix that it is one event.
//!
//! Method: the flood detectors look at the site as the sum of its hosts. What they find there is a carpet if it is spread:
//! the effective number of hosts, 1 / sum of squared shares (Hill 1973, order 2), is at least five. Then the prefix is
//! told and its hosts keep silent about the same kind, whether they are above their own lines or not; a flood at a few
//! hosts is theirs to tell. So one flood is one alert (DETECTION 1.7, parents).
//!
//! Sources: DETECTION 5; Netscout on carpet bombing (2018).
//!
//! Blind spots: hosts hit one after the other, each for longer than four seconds, are floods at single hosts.

use std::collections::BTreeMap;

use crate::address::Prefix;
use crate::detect::finding::{FigureName as F, Finding};
use crate::detect::view::{View, figure};
use crate::kind::AlertKind;
use crate::time::Tick;
use crate::window::strays::Family;
use crate::window::subject::Subject;

/// Effective number of hosts from which a flood is spread.
const SPREAD: f64 = 5.0;

/// Share of the known hosts that are hit (DETECTION 5).
const BREADTH: f64 = 0.2;

/// Ticks over which the shares of hosts are compared: four seconds.
const SPAN: usize = 16;

/// Ticks for which hosts keep silent after the carpet last fired: ten seconds.
const LINGERS: u64 = 40;

/// Ticks for which unanswered SYNs are evidence of nothing else after they went to empty addresses: a minute.
const DARK_LINGERS: u64 = 240;

/// Hosts named as members.
const MOST_MEMBERS: usize = 20;

/// What is remembered of a site.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// By kind, when it last fired as a carpet.
    fired: BTreeMap<AlertKind, Tick>,
    /// The name of the open alert: it stays while anything alarms.
    prefix: Option<Prefix>,
    /// When SYNs to addresses where nobody answers last fired.
    dark: Option<Tick>,
}

impl Memory {
    /// Notes that SYNs to addresses where nobody answers fire.
    pub(super) const fn note_dark(&mut self, now: Tick) {
        self.dark = Some(now);
    }

    /// Tells whether such SYNs explain why the site's go unanswered: now, or in the minute after them.
    pub(super) fn explains_silence(&self, now: Tick) -> bool {
        self.dark.is_some_and(|at| now.since(at) <= DARK_LINGERS)
    }

    /// Tells whether hosts keep silent about a kind.
    pub(super) fn covers(&self, kind: AlertKind, now: Tick) -> bool {
        self.fired.get(&kind).is_some_and(|at| now.since(*at) <= LINGERS)
    }
}

/// A host of the site and the protected prefix it lies in.
pub(super) type Member<'a> = (&'a Subject, Prefix);

/// Takes the floods out of a site's findings and returns the carpet they make, if they do.
pub(super) fn detect(
    view: &View,
    site: &Subject,
    memory: &mut Memory,
    findings: &mut Vec<Finding>,
    hosts: &[Member<'_>],
) -> Option<Finding> {
    let spread: Vec<AlertKind> = findings
        .iter()
        .filter(|finding| is_flood(finding.kind) && finding.gates_hold)
        .map(|finding| finding.kind)
        .filter(|kind| is_spread(*kind, site, hosts))
        .collect();
    let mut carpets: Vec<Finding> = findings.iter().filter(|f| spread.contains(&f.kind)).cloned().collect();
    // A flood of SYNs at the two halves of one server is the site's to tell; other floods are their hosts'.
    findings.retain(|finding| {
        !is_flood(finding.kind) || (finding.kind == AlertKind::SynFlood && !spread.contains(&AlertKind::SynFlood))
    });
    for finding in carpets.iter().filter(|finding| finding.fires()) {
        memory.fired.insert(finding.kind, view.tick);
    }
    carpets.sort_by(|a, b| b.ratio().total_cmp(&a.ratio()).then(a.kind.cmp(&b.kind)));
    let same_protocol = carpets.windows(2).all(|pair| pair[0].target.protocol == pair[1].target.protocol);
    let Some(mut carpet) = carpets.into_iter().next() else {
        if site.is_quiet() {
            memory.prefix = None;
        }
        return None;
    };
    let kind = carpet.kind;
    let (prefix, members) = hit(kind, site, hosts);
    carpet.kind = AlertKind::CarpetBombing;
    carpet.target.prefix = Some(*memory.prefix.get_or_insert(prefix));
    carpet.target.members = members;
    carpet.target.port = carpet.target.port.filter(|_| same_protocol);
    carpet.target.protocol = carpet.target.protocol.filter(|_| same_protocol && kind != AlertKind::FragmentFlood);
    carpet.figures.insert(1.min(carpet.figures.len()), figure(F::TargetsCount, targets(kind, site, hosts), None));
    carpet.settings.push(("least_effective_hosts", SPREAD));
    carpet.settings.push(("least_share_of_hosts", BREADTH));
    Some(carpet)
}

/// Kinds that can be spread over a prefix.
const fn is_flood(kind: AlertKind) -> bool {
    use AlertKind as K;
    matches!(kind, K::SynFlood | K::UdpFlood | K::Amplification | K::IcmpFlood | K::FragmentFlood | K::TcpFlagFlood)
}

/// What a subject receives of a kind, a second.
fn amount(kind: AlertKind, subject: &Subject) -> f64 {
    use AlertKind as K;
    let of = |family| subject.strays.window(family).map_or(0.0, |window| window.tested_per_second(SPAN));
    match kind {
        K::UdpFlood => of(Family::Datagram).max(of(Family::OtherProtocol)),
        K::Amplification => of(Family::Reply),
        K::IcmpFlood => of(Family::Icmp),
        K::FragmentFlood => of(Family::Fragment),
        K::TcpFlagFlood => of(Family::Segment),
        _ => subject.records.unfinished_per_second(0.0),
    }
}

/// Estimates how many hosts are hit: those that stand out among the known ones, or all that strays went to.
fn targets(kind: AlertKind, site: &Subject, hosts: &[Member<'_>]) -> f64 {
    let fair = amount(kind, site) / (hosts.len().max(1) as f64);
    let known = hosts.iter().filter(|(host, _)| amount(kind, host) >= 0.1 * fair).count() as f64;
    if kind == AlertKind::SynFlood { known } else { known.max(site.strays.targets()) }
}

fn is_spread(kind: AlertKind, site: &Subject, hosts: &[Member<'_>]) -> bool {
    let total = amount(kind, site);
    let amounts: Vec<f64> = hosts.iter().map(|(host, _)| amount(kind, host)).collect();
    // Hosts without a place count in the site only.
    let rest = (total - amounts.iter().sum::<f64>()).max(0.0);
    let hit = targets(kind, site, hosts);
    let without_place = (hit - amounts.iter().filter(|amount| **amount > 0.0).count() as f64).max(1.0);
    let squares = amounts.iter().map(|amount| amount * amount).sum::<f64>() + rest * rest / without_place;
    let whole = total.max(amounts.iter().sum());
    let effective = if squares > 0.0 { whole * whole / squares } else { 0.0 };
    effective >= SPREAD && hit >= BREADTH * hosts.len() as f64
}

/// Returns the protected prefix that receives most of it, and the hosts that receive most.
fn hit(kind: AlertKind, site: &Subject, hosts: &[Member<'_>]) -> (Prefix, Vec<Prefix>) {
    let mut prefixes: BTreeMap<Prefix, f64> = BTreeMap::new();
    let mut members: Vec<(f64, Prefix)> = Vec::new();
    for (host, prefix) in hosts {
        let amount = amount(kind, host);
        *prefixes.entry(*prefix).or_default() += amount;
        if amount > 0.0 {
            members.push((amount, host.prefix));
        }
    }
    members.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let busiest = prefixes.into_iter().reduce(|a, b| if b.1 > a.1 { b } else { a });
    let prefix = busiest.map_or(site.prefix, |(prefix, _)| prefix);
    (prefix, members.into_iter().take(MOST_MEMBERS).map(|(_, host)| host).collect())
}
