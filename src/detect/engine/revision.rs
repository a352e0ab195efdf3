//! What an engine takes while it runs: other sites, and settings that nothing learned rests on.

use std::sync::Arc;

use super::{Engine, Settings};
use crate::policy::{Policy, Site, SiteId};

impl Engine {
    /// Takes what of these settings can change under way: capacities, backlog, near countries, calendar, events, expected
    /// peaks, the envelope's width. Lines, home, proxies and log-in services stay as they are.
    pub fn revise(&mut self, settings: &Settings) {
        self.settings = Settings {
            home: self.settings.home.clone(),
            false_alarms_per_week: self.settings.false_alarms_per_week,
            proxies: self.settings.proxies.clone(),
            logins: self.settings.logins.clone(),
            ..settings.clone()
        };
        self.outlooks = self.outlooks.revised(&self.settings);
        self.adopt_calibration();
        for watched in self.hosts.values_mut().chain(self.sites.values_mut().map(|site| &mut site.watched)) {
            watched.subject.foreign.set_near(&self.settings.near);
        }
        self.judged_until.into_iter().for_each(|tick| self.prepare_all(tick));
    }

    /// Protects these sites from now on, and returns the policy that says so. What was learned of a host stays with it, and
    /// what was learned of a site with its name; what is protected no longer is forgotten. `None`, and nothing is changed,
    /// when a run cannot have so many sites.
    pub fn protect(&mut self, sites: &[Site]) -> Option<Arc<Policy>> {
        let policy = Arc::new(self.policy.revised(sites)?);
        self.hosts.retain(|address, watched| {
            let site = policy.site_of(*address);
            watched.subject.site = site.unwrap_or_default();
            site.is_some()
        });
        let prefixes = |id: &SiteId| policy.sites().get(usize::from(id.0)).map_or(&[][..], |site| &site.prefixes[..]);
        self.sites.retain(|id, site| prefixes(id).contains(&site.watched.subject.prefix));
        let stays = |id: &SiteId| !prefixes(id).is_empty();
        self.capacity.retain(|id, _| stays(id));
        self.courses.retain(|id, _| stays(id));
        self.minutes.retain(|id, _| stays(id));
        self.policy = Arc::clone(&policy);
        self.blank = Arc::clone(&policy);
        Some(policy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::CaptureTick;
    use crate::hash::Seed;
    use crate::summary::{HostTick, Summary, Volume};
    use crate::time::Tick;

    fn site(name: &str, prefix: &str) -> Site {
        Site { name: name.into(), prefixes: vec![prefix.parse().unwrap()] }
    }

    fn host(address: &str) -> HostTick {
        let inbound = Volume { packets: 9, bytes: 900 };
        HostTick { address: address.parse().unwrap(), inbound, ..HostTick::default() }
    }

    fn observe(engine: &mut Engine, number: u64) {
        let hosts = vec![host("192.0.2.10"), host("198.51.100.10")];
        let summary = Summary { tick: Tick::new(number), hosts, ..Summary::default() };
        engine.observe(&summary, &CaptureTick { tick: Tick::new(number), ..CaptureTick::default() });
    }

    #[test]
    fn hosts_keep_what_was_learned_of_them_and_those_no_longer_protected_go() {
        let policy = Policy::new(vec![site("a", "192.0.2.0/24"), site("b", "198.51.100.0/24")], false);
        let mut engine = Engine::new(Settings::default(), Arc::new(policy), Seed::default());
        (1..5).for_each(|number| observe(&mut engine, number));
        assert_eq!((engine.hosts.len(), engine.sites.len()), (2, 2));
        let seen = engine.hosts.values().next().unwrap().subject.last_seen;

        let policy = engine.protect(&[site("c", "192.0.2.0/25")]).unwrap();
        assert_eq!(engine.policy(), policy);
        assert_eq!((engine.hosts.len(), engine.sites.len()), (1, 0));
        let kept = engine.hosts.values().next().unwrap();
        assert_eq!((kept.subject.site, kept.subject.last_seen), (SiteId(2), seen));
        observe(&mut engine, 5);
        assert_eq!(engine.hosts.len(), 1, "what is protected no longer gets no place");
        assert!(engine.sites.contains_key(&SiteId(2)));
    }

    #[test]
    fn lines_and_home_stay_and_capacities_change() {
        let home = vec!["FR".parse().unwrap()];
        let settings = Settings { home: home.clone(), ..Settings::default() };
        let policy = Policy::new(vec![site("a", "192.0.2.0/24")], false);
        let mut engine = Engine::new(settings, Arc::new(policy), Seed::default());
        observe(&mut engine, 1);
        let capacity = vec![("a".to_owned(), 200.0)];
        engine.revise(&Settings { capacity: capacity.clone(), false_alarms_per_week: 9.0, ..Settings::default() });
        assert_eq!((engine.settings.home.clone(), engine.settings.false_alarms_per_week), (home, 1.0));
        assert_eq!(engine.settings.capacity, capacity);
    }
}
