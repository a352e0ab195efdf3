//! What is usual of each site, for people to hold the present against. It is shown and never alarms.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::detect::watched::Watched;
use crate::policy::{Policy, SiteId};
use crate::window::subject::Sidedness;

/// The smallest excess that matters, in first SYNs a second: as in the rush detector.
const FLOOR: f64 = 20.0;

/// What is usual of one site.
#[derive(Clone, Debug, PartialEq)]
pub struct SiteUsual {
    /// The site.
    pub site: Arc<str>,
    /// First SYNs a second: the usual rate, and what is usual at most. `None` until it is known of half of its hosts.
    pub first_syns: Option<(f64, f64)>,
    /// Only one direction of its traffic is captured.
    pub one_sided: bool,
}

/// Sums over the hosts of one site.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    hosts: u32,
    known: u32,
    usual: f64,
    /// Squares of how much more than usual each host may have: hosts rarely have it all at once.
    more: f64,
    one_sided: u32,
    two_sided: u32,
}

/// Returns what is usual of each site, as the sum of its hosts.
pub(super) fn of_sites<'a>(policy: &Policy, hosts: impl Iterator<Item = &'a Watched>) -> Vec<SiteUsual> {
    let mut sums: BTreeMap<SiteId, Sum> = BTreeMap::new();
    for Watched { subject, .. } in hosts {
        let sum = sums.entry(subject.site).or_default();
        sum.hosts += 1;
        if let Some((usual, most)) = subject.syns.usual().zip(subject.syns.narrow_envelope(FLOOR)) {
            sum.known += 1;
            sum.usual += usual;
            sum.more += (most - usual).powi(2);
        }
        sum.one_sided += u32::from(subject.sidedness() == Sidedness::OneSided);
        sum.two_sided += u32::from(subject.sidedness() == Sidedness::TwoSided);
    }
    let of_site = |(site, sum): (SiteId, Sum)| SiteUsual {
        site: policy.name(site),
        // A host that has just appeared does not make the others unknown.
        first_syns: (sum.known > 0 && sum.known * 2 >= sum.hosts).then(|| (sum.usual, sum.usual + sum.more.sqrt())),
        one_sided: sum.one_sided > 0 && sum.two_sided == 0,
    };
    sums.into_iter().map(of_site).collect()
}
