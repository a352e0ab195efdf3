//! What the detectors said in one tick, and the loudest of it by site.

use std::collections::BTreeMap;

use crate::address::Prefix;
use crate::detect::finding::Finding;
use crate::kind::AlertKind;
use crate::policy::SiteId;

/// The largest alarm ratio of each detector on each site.
pub(super) type Scores = BTreeMap<(&'static str, SiteId), f64>;

#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) findings: Vec<Finding>,
    pub(super) scores: Scores,
    loudest_hosts: BTreeMap<(AlertKind, SiteId), f64>,
    /// The host with the most evidence of a kind, whether its gates hold or not, and how loud it is.
    leaning: BTreeMap<(AlertKind, SiteId), (f64, Prefix)>,
}

impl Judged {
    /// Takes what was found of a host of a site.
    pub(super) fn take_of_host(&mut self, site: SiteId, finding: Finding) {
        self.score(site, &finding);
        // A host whose gates do not hold says nothing, so it must not speak for its site either.
        if finding.gates_hold {
            let loudest = self.loudest_hosts.entry((finding.kind, site)).or_default();
            *loudest = loudest.max(finding.ratio());
        }
        if let Some(host) = finding.target.prefix {
            let leaning = self.leaning.entry((finding.kind, site)).or_insert((finding.ratio(), host));
            if finding.ratio() > leaning.0 {
                *leaning = (finding.ratio(), host);
            }
        }
        self.findings.push(finding);
    }

    /// Returns the host of a site that shows most of a kind.
    pub(super) fn leaning(&self, site: SiteId, kind: AlertKind) -> Option<Prefix> {
        self.leaning.get(&(kind, site)).map(|(_, host)| *host)
    }

    /// Notes how loud a detector is; below the line while its gates do not hold.
    pub(super) fn score(&mut self, site: SiteId, finding: &Finding) {
        let ratio = if finding.gates_hold { finding.ratio() } else { finding.ratio().min(0.99) };
        let score = self.scores.entry((finding.kind.name(), site)).or_default();
        *score = score.max(ratio);
    }

    /// Returns the largest ratio of a kind among the hosts of a site.
    pub(super) fn loudest_host(&self, site: SiteId, kind: AlertKind) -> f64 {
        self.loudest_hosts.get(&(kind, site)).copied().unwrap_or(0.0)
    }
}
