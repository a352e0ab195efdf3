//! What sites bear: as configured, else as learned.

use std::collections::BTreeMap;

use super::Settings;
use crate::detect::capacity::{Bounds, Capacity};
use crate::detect::view::View;
use crate::detect::watched::Watched;
use crate::policy::{Policy, SiteId};

pub(super) struct Limits<'a> {
    pub(super) settings: &'a Settings,
    pub(super) policy: &'a Policy,
    pub(super) learned: &'a BTreeMap<SiteId, Capacity>,
}

impl Limits<'_> {
    /// Returns the view with what is known of the limits of a subject and its site.
    pub(super) fn view(&self, view: &View, watched: &Watched) -> View {
        let site = watched.subject.site;
        let configured = self.configured(site);
        let learned = self.learned.get(&site);
        View {
            capacity: configured.or(Some(watched.capacity).filter(|capacity| *capacity > 0.0)),
            limit_known: configured.is_some() || learned.is_some_and(Capacity::is_limit_known),
            served_part: learned.map_or(1.0, Capacity::served_part),
            ..view.clone()
        }
    }

    /// Returns between which bounds the capacity of a site as a whole lies.
    pub(super) fn of_site(&self, site: SiteId) -> Option<Bounds> {
        let learned = || self.learned.get(&site).and_then(Capacity::bounds);
        self.configured(site).map(Bounds::exactly).or_else(learned)
    }

    /// Served connections a second that a site is configured to bear.
    fn configured(&self, site: SiteId) -> Option<f64> {
        let name = self.policy.name(site);
        self.settings.capacity.iter().find(|(of, _)| **of == *name).map(|(_, capacity)| *capacity)
    }
}
