//! What the detectors said in one tick, and the loudest of it by site.

use std::collections::BTreeMap;

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
        self.findings.push(finding);
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
