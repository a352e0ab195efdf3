//! Parents speak for their children: when most hosts of a protected prefix show the same, the prefix is reported with the
//! list of hosts, and not each host for itself (DETECTION 1.7, "Parent/child").
//!
//! Method: of the hosts of a prefix that had traffic in the last minute, more than 60 % and at least three fire for the same
//! kind. From then on, until none has fired for a minute, all findings of that kind on hosts of the prefix are told as one:
//! rates and counts are summed, everything else is that of the strongest.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::Prefix;
use crate::detect::finding::{Figure, FigureName, Finding};
use crate::kind::AlertKind;
use crate::time::Tick;

/// Part of the children that must fire.
const MOST_OF_THEM: f64 = 0.6;
/// Children below which each speaks for itself.
const LEAST_CHILDREN: usize = 3;
/// Ticks for which a parent goes on speaking after a child last fired: a minute.
const SPEAKS_FOR: u64 = 240;

/// A parent that speaks.
#[derive(Debug)]
struct Voice {
    last_fired: Tick,
    members: BTreeSet<Prefix>,
}

/// The parents that speak at the moment.
#[derive(Debug, Default)]
pub struct Families {
    voices: BTreeMap<(AlertKind, Prefix), Voice>,
}

impl Families {
    /// Folds the findings of a tick. `parent_of` names the protected prefix of a host (`None` if that is the host itself),
    /// `active` counts its hosts with traffic.
    pub fn fold(
        &mut self,
        now: Tick,
        findings: Vec<Finding>,
        parent_of: impl Fn(Prefix) -> Option<Prefix>,
        active: &BTreeMap<Prefix, usize>,
    ) -> Vec<Finding> {
        self.voices.retain(|_, voice| now.since(voice.last_fired) <= SPEAKS_FOR);
        let mut families: BTreeMap<(AlertKind, Prefix), Vec<Finding>> = BTreeMap::new();
        let mut told = Vec::new();
        for finding in findings {
            let parent = finding.target.prefix.filter(|prefix| prefix.is_host() && speaks_of_services(finding.kind));
            match parent.and_then(&parent_of) {
                Some(parent) => families.entry((finding.kind, parent)).or_default().push(finding),
                None => told.push(finding),
            }
        }
        for (family, children) in families {
            match self.together(now, family, &children, active.get(&family.1).copied().unwrap_or(0)) {
                Some(voice) => told.extend(one_of_many(family.1, &voice.members, children)),
                None => told.extend(children),
            }
        }
        told
    }

    /// Returns the parent's voice if it speaks for these children.
    fn together(
        &mut self,
        now: Tick,
        family: (AlertKind, Prefix),
        children: &[Finding],
        active: usize,
    ) -> Option<&Voice> {
        let firing: Vec<Prefix> =
            children.iter().filter(|child| child.fires()).filter_map(|child| child.target.prefix).collect();
        let many = firing.len() >= LEAST_CHILDREN && firing.len() as f64 > MOST_OF_THEM * active as f64;
        if many {
            self.voices.entry(family).or_insert(Voice { last_fired: now, members: BTreeSet::new() });
        }
        let voice = self.voices.get_mut(&family)?;
        if !firing.is_empty() {
            voice.last_fired = now;
            voice.members.extend(firing);
        }
        Some(voice)
    }
}

/// Kinds that are about what a service receives; the others name a source or an inside host, and are not folded.
const fn speaks_of_services(kind: AlertKind) -> bool {
    kind.is_attack() || matches!(kind, AlertKind::Rush | AlertKind::Overload | AlertKind::Outage)
}

/// Joins the findings of several hosts into one on their parent.
fn one_of_many(parent: Prefix, members: &BTreeSet<Prefix>, mut children: Vec<Finding>) -> Option<Finding> {
    let rank = |finding: &Finding| (finding.fires(), finding.severity, finding.score);
    children.sort_by(|a, b| rank(b).partial_cmp(&rank(a)).unwrap_or(std::cmp::Ordering::Equal));
    let mut told = children.first()?.clone();
    let figures: Vec<Figure> = told.figures.iter().map(|figure| sum(figure, &children)).collect();
    told.figures = figures;
    told.onset = children.iter().filter(|child| child.fires()).map(|child| child.onset).min().unwrap_or(told.onset);
    told.spoofed = children.iter().any(|child| child.fires() && child.spoofed);
    told.target.prefix = Some(parent);
    told.target.members = members.iter().copied().collect();
    if children.iter().any(|child| child.target.port != told.target.port) {
        told.target.port = None;
    }
    Some(told)
}

/// Adds up a figure that can be added up.
fn sum(figure: &Figure, children: &[Finding]) -> Figure {
    if !adds_up(figure.name) {
        return *figure;
    }
    let same = || children.iter().filter_map(|child| child.figures.iter().find(|other| other.name == figure.name));
    let expected: Option<Vec<f64>> = same().map(|other| other.expected).collect();
    Figure {
        observed: same().map(|other| other.observed).sum(),
        expected: expected.map(|all| all.iter().sum()),
        interval: None,
        ..*figure
    }
}

/// Networks of several hosts overlap; sources too.
fn adds_up(name: FigureName) -> bool {
    let text = name.name();
    let distinct = matches!(
        name,
        FigureName::NetworksCount
            | FigureName::SourcesCount
            | FigureName::IdleSourcesCount
            | FigureName::HeaviestSourceCount
    );
    !distinct && (text.ends_with("_per_second") || text.ends_with("_count"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use crate::detect::finding::Target;
    use crate::detect::view::figure;
    use crate::kind::Severity;
    use crate::time::Timestamp;

    fn finding(host: u8, ratio: f64) -> Finding {
        Finding {
            kind: AlertKind::SynFlood,
            target: Target {
                prefix: Some(Address::v4([192, 0, 2, host]).host_prefix()),
                site: None,
                port: Some(443),
                protocol: None,
                members: vec![],
            },
            score: 10.0 * ratio,
            alert_at: 10.0,
            gates_hold: true,
            severity: Severity::Warning,
            verdict: None,
            confidence: 0.9,
            onset: Timestamp::from_secs(u64::from(host)),
            figures: vec![
                figure(FigureName::FirstSynsPerSecond, 100.0, Some(10.0)),
                figure(FigureName::AttackShare, 0.9, None),
            ],
            spoofed: true,
            origins: vec![],
            sources: vec![],
            caveats: vec![],
            settings: vec![],
        }
    }

    fn parent() -> Prefix {
        "192.0.2.0/24".parse().unwrap()
    }

    fn fold(families: &mut Families, tick: u64, findings: Vec<Finding>, active: usize) -> Vec<Finding> {
        families.fold(Tick::new(tick), findings, |_| Some(parent()), &BTreeMap::from([(parent(), active)]))
    }

    #[test]
    fn most_hosts_together_are_told_as_their_prefix() {
        let mut families = Families::default();
        let told = fold(&mut families, 1, (1..=4).map(|host| finding(host, 2.0)).collect(), 5);
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].target.prefix, told[0].target.members.len()), (Some(parent()), 4));
        assert_eq!((told[0].figures[0].observed, told[0].figures[0].expected), (400.0, Some(40.0)));
        assert_eq!((told[0].figures[1].observed, told[0].onset), (0.9, Timestamp::from_secs(1)));
    }

    #[test]
    fn few_hosts_speak_for_themselves() {
        let mut families = Families::default();
        assert_eq!(fold(&mut families, 1, (1..=4).map(|host| finding(host, 2.0)).collect(), 8).len(), 4);
        assert_eq!(fold(&mut families, 2, vec![finding(1, 2.0), finding(2, 2.0)], 2).len(), 2);
    }

    #[test]
    fn a_parent_goes_on_speaking_until_its_children_are_quiet() {
        let mut families = Families::default();
        fold(&mut families, 1, (1..=4).map(|host| finding(host, 2.0)).collect(), 4);
        let told = fold(&mut families, 200, vec![finding(2, 2.0), finding(7, 0.6)], 4);
        assert_eq!((told.len(), told[0].target.members.len()), (1, 4));
        let told = fold(&mut families, 200 + SPEAKS_FOR + 1, vec![finding(2, 2.0)], 4);
        assert!(told[0].target.prefix.unwrap().is_host());
    }

    #[test]
    fn findings_on_prefixes_and_of_single_inside_hosts_are_left_alone() {
        let mut families = Families::default();
        let exfiltration = |host| Finding { kind: AlertKind::Exfiltration, ..finding(host, 2.0) };
        assert_eq!(fold(&mut families, 1, (1..=4).map(exfiltration).collect(), 4).len(), 4);
    }
}
