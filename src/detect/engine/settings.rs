//! What an operator may set of windows and detectors.

use crate::address::{Address, Prefix};
use crate::country::Country;
use crate::window::calendar::Calendar;
use crate::window::level::WIDTH;
use crate::window::outlook::ExpectedEvent;

/// Settings of all windows and detectors.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Countries counted as domestic, overseas codes included; empty means: decide from verified clients (DETECTION 0.2).
    pub home: Vec<Country>,
    /// At most so many warnings and criticals together a week by chance. Sets the thresholds (DETECTION 1.5).
    pub false_alarms_per_week: f64,
    /// Served connections a second a site is known to bear, by site name; learned where absent.
    pub capacity: Vec<(String, f64)>,
    /// Entries of the servers' SYN queue, for the half-open figure.
    pub backlog: u32,
    /// Countries abroad that are near, such as neighbours: beside them the far ones are looked at on their own.
    pub near: Vec<Country>,
    /// Prefixes of proxies, CDNs and load balancers: no origin and no per-source tests for them.
    pub proxies: Vec<Prefix>,
    /// When the users come.
    pub calendar: Calendar,
    /// Declared events.
    pub events: Vec<ExpectedEvent>,
    /// Connections a second that a site is expected to see at most, by site name: used while nothing is known yet.
    pub expected_peak: Vec<(String, f64)>,
    /// Width of the envelope of volume in spreads (`z_env`, DETECTION 1.2).
    pub envelope_width: f64,
    /// Log-in services, host and port, beside those at well-known ports.
    pub logins: Vec<(Address, u16)>,
}

impl Default for Settings {
    /// One false alarm a week (DETECTION 0.2); the SYN queue of a Linux server of the middle size (tcp(7),
    /// `tcp_max_syn_backlog`).
    fn default() -> Self {
        Self {
            home: Vec::new(),
            false_alarms_per_week: 1.0,
            capacity: Vec::new(),
            backlog: 1_024,
            near: Vec::new(),
            proxies: Vec::new(),
            calendar: Calendar::default(),
            events: Vec::new(),
            expected_peak: Vec::new(),
            envelope_width: WIDTH,
            logins: Vec::new(),
        }
    }
}
