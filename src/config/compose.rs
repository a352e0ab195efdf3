//! From settings to what each stage is given.

use super::{Config, Overseas};
use crate::country::Country;
use crate::detect::engine;
use crate::hash::Seed;
use crate::origin;
use crate::policy::Policy;
use crate::summary::ShardSettings;
use crate::window::calendar::Calendar;

impl Config {
    /// Returns what is protected; with nothing configured, traffic decides.
    #[must_use]
    pub fn policy(&self) -> Policy {
        let sites = self.sites();
        let learning = sites.is_empty();
        Policy::new(sites, learning)
    }

    /// Returns what windows and detectors are given.
    #[must_use]
    pub fn engine(&self) -> engine::Settings {
        engine::Settings {
            home: self.home_countries(),
            false_alarms_per_week: self.false_alarms_per_week,
            capacity: self.site.iter().filter_map(|site| Some((site.name.clone(), site.capacity?))).collect(),
            backlog: self.backlog,
            near: self.near.clone(),
            proxies: self.proxies.clone(),
            calendar: self.calendar(),
            events: self.event.iter().map(|event| event.expected(&self.timezone.zone())).collect(),
            expected_peak: self.site.iter().filter_map(|site| Some((site.name.clone(), site.expected_peak?))).collect(),
            envelope_width: self.envelope_width,
            logins: self
                .site
                .iter()
                .flat_map(|site| site.logins.iter().map(|at| (at.ip().into(), at.port())))
                .collect(),
        }
    }

    /// Returns which tables tell where an address is registered.
    #[must_use]
    pub fn origins(&self) -> origin::Settings {
        // Who is behind a proxy is not known, so its addresses are of no country, unless one was named for them.
        let named = |prefix| self.origin.iter().any(|(named, _)| *named == prefix);
        let nowhere = self.proxies.iter().filter(|prefix| !named(**prefix)).map(|prefix| (*prefix, Country::UNKNOWN));
        let overrides = self.origin.iter().copied().chain(nowhere).collect();
        origin::Settings { geo: self.geo.clone(), asn: self.asn.clone(), overrides }
    }

    /// Returns what the shards are given. A live run touches its memory at the start, and others where they are told to.
    #[must_use]
    pub fn shard(&self, seed: Seed, live: bool) -> ShardSettings {
        ShardSettings {
            seed,
            flow_capacity: self.flow_capacity,
            pending_capacity: self.pending_capacity,
            cohort_capacity: self.cohort_capacity,
            host_places: self.host_places,
            timeouts: self.timeouts,
            pretouch: self.touch_memory.unwrap_or(live),
            ..ShardSettings::default()
        }
    }

    /// Returns the size of a capture ring in bytes.
    #[must_use]
    pub fn ring_bytes(&self) -> u32 {
        self.ring_size_mib.saturating_mul(1 << 20)
    }

    /// Returns where evidence goes and how much of it there may be, if it is wanted.
    #[must_use]
    pub fn evidence(&self) -> Option<crate::evidence::Settings> {
        Some(crate::evidence::Settings {
            folder: self.evidence.clone()?,
            memory_bytes: (self.evidence_memory_mib as usize) << 20,
            file_bytes: u64::from(self.evidence_file_mib) << 20,
            files: self.evidence_files,
            snap_bytes: self.evidence_snap_bytes,
        })
    }

    fn calendar(&self) -> Calendar {
        Calendar {
            zone: self.timezone.zone(),
            holidays: self.holidays.iter().map(|holidays| (holidays.first, holidays.last)).collect(),
            short_days: self.short_days.iter().map(|day| day.0).collect(),
            weekend: self.weekend.iter().map(|day| day.0).collect(),
        }
    }

    /// Returns home with the overseas codes that belong to it.
    fn home_countries(&self) -> Vec<Country> {
        let overseas = match &self.overseas {
            Overseas::Included => origin::Overseas::default(),
            Overseas::Excluded | Overseas::Only(_) => origin::Overseas::none(),
        };
        let mut countries = overseas.home(&self.home).countries().to_vec();
        if let (Overseas::Only(more), false) = (&self.overseas, self.home.is_empty()) {
            countries.extend(more.iter().filter(|country| !self.home.contains(country)));
        }
        countries
    }
}
