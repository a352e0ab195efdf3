//! What happens when in each scenario: demand curves, attacks and faults, in seconds since the capture began.

use std::time::Duration;

use super::parameters::{Parameters, Spoofing};
use super::{Scenario, blocks};
use crate::country::Country;

/// Everything a scenario does beside ordinary traffic.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    /// Extra demand of people.
    pub(super) crowds: Vec<Crowd>,
    /// Attacks.
    pub(super) attacks: Vec<Attack>,
    /// When the application hangs.
    pub(super) outage: Option<(f64, f64)>,
    /// Connections a second the web server accepts.
    pub(super) capacity: f64,
}

/// People who come beside the ordinary ones.
#[derive(Clone, Debug)]
pub(super) struct Crowd {
    /// New connections a second: corners of a line, by time; 0 before the first and after the last.
    pub(super) curve: Vec<(f64, f64)>,
    /// From where, largest first; empty means from home.
    pub(super) from: Vec<Country>,
}

impl Crowd {
    /// Returns the rate at a time.
    pub(super) fn rate(&self, at: f64) -> f64 {
        let place = self.curve.partition_point(|(time, _)| *time <= at);
        match (place.checked_sub(1).map(|before| self.curve[before]), self.curve.get(place)) {
            (Some((t0, r0)), Some((t1, r1))) => r0 + (r1 - r0) * (at - t0) / (t1 - t0),
            _ => 0.0,
        }
    }
}

/// Hostile traffic.
#[derive(Clone, Debug)]
pub(super) struct Attack {
    /// What is done.
    pub(super) method: Method,
    /// From when to when.
    pub(super) start: f64,
    /// See `start`.
    pub(super) end: f64,
    /// SYNs or connections a second at full height.
    pub(super) rate: f64,
    /// Seconds until then.
    pub(super) ramp: f64,
    /// What a person should know of it.
    pub(super) note: &'static str,
}

impl Attack {
    /// Returns the rate at a time between start and end, never quite zero so that it gets going.
    pub(super) fn rate_at(&self, at: f64) -> f64 {
        let risen = if self.ramp > 0.0 { ((at - self.start) / self.ramp).clamp(0.02, 1.0) } else { 1.0 };
        self.rate * risen
    }
}

/// How an attack is made.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Method {
    /// SYNs that are never meant to become connections.
    SynFlood(Spoofing),
    /// Look-alike connections, completed and served, from these countries.
    Robots(Vec<Country>),
}

/// Returns the least time a scenario needs after its lead.
pub(super) const fn least(scenario: Scenario) -> Duration {
    Duration::from_secs(match scenario {
        Scenario::Calm => 0,
        Scenario::LaunchMorning => 300,
        _ => 60,
    })
}

/// Returns what a scenario does.
pub(super) fn of(scenario: Scenario, parameters: &Parameters) -> Plan {
    let lead = parameters.lead.as_secs_f64();
    let script = Script { p: parameters, lead, active: parameters.duration.as_secs_f64() - lead };
    let mut plan = script.of(scenario);
    if let Some(capacity) = parameters.capacity {
        plan.capacity = capacity;
    }
    plan
}

struct Script<'a> {
    p: &'a Parameters,
    lead: f64,
    /// Seconds after the lead.
    active: f64,
}

impl Script<'_> {
    fn of(&self, scenario: Scenario) -> Plan {
        let (rate, peak) = (self.p.rate, self.p.rate * self.p.rush_factor);
        match scenario {
            Scenario::Calm => Plan { capacity: 10.0 * rate, ..Plan::default() },
            Scenario::Rush => Plan { crowds: vec![self.rush()], capacity: 1.8 * peak, ..Plan::default() },
            Scenario::RushOverload => Plan { crowds: vec![self.rush()], capacity: 0.5 * peak, ..Plan::default() },
            Scenario::SynFlood => Plan {
                attacks: vec![self.flood(0.0, 0.6, self.attack_rate(10.0), "inside ordinary traffic")],
                capacity: 10.0 * rate,
                ..Plan::default()
            },
            Scenario::ForeignSurge => Plan {
                attacks: vec![self.robots(0.0, 0.6, self.attack_rate(2.0))],
                capacity: 12.0 * rate,
                ..Plan::default()
            },
            Scenario::ForeignCrowd => {
                Plan { crowds: vec![self.press_link()], capacity: 20.0 * rate, ..Plan::default() }
            }
            Scenario::Outage => {
                Plan { outage: Some((self.at(0.0), self.at(0.5))), capacity: 10.0 * rate, ..Plan::default() }
            }
            Scenario::LaunchMorning => self.launch_morning(),
        }
    }

    fn attack_rate(&self, multiple: f64) -> f64 {
        self.p.attack_rate.unwrap_or(multiple * self.p.rate)
    }

    /// Returns the time at a share of what follows the lead.
    fn at(&self, share: f64) -> f64 {
        self.lead + share * self.active
    }

    fn rush(&self) -> Crowd {
        let extra = self.p.rate * (self.p.rush_factor - 1.0);
        let corner = |share: f64, height: f64| (self.at(share), extra * height);
        Crowd {
            curve: vec![corner(0.0, 0.0), corner(0.33, 1.0), corner(0.66, 1.0), corner(0.88, 0.0)],
            from: Vec::new(),
        }
    }

    /// A newspaper abroad links to the site: people come, most of them from two countries.
    fn press_link(&self) -> Crowd {
        let extra = self.attack_rate(2.0);
        let corner = |share: f64, height: f64| (self.at(share), extra * height);
        let neighbours = blocks::abroad(self.p.home).into_iter().take(2).map(|(country, _)| country);
        Crowd {
            curve: vec![corner(0.0, 0.0), corner(0.35, 1.0), corner(0.55, 0.9), corner(0.9, 0.0)],
            from: neighbours.collect(),
        }
    }

    fn flood(&self, from: f64, to: f64, rate: f64, note: &'static str) -> Attack {
        let ramp = self.p.attack_ramp.as_secs_f64();
        let method = Method::SynFlood(self.p.spoofing);
        Attack { method, start: self.at(from), end: self.at(to), rate, ramp, note }
    }

    fn robots(&self, from: f64, to: f64, rate: f64) -> Attack {
        Attack {
            method: Method::Robots(blocks::robotic(self.p.home, self.p.countries)),
            start: self.at(from),
            end: self.at(to),
            rate,
            ramp: self.p.attack_ramp.as_secs_f64().max(1.0),
            note: "completed connections that look alike",
        }
    }

    /// A calm lead; a rush that crosses capacity; a flood inside it; a small flood when it ebbs; robots from abroad;
    /// and a massive flood when all seemed over.
    fn launch_morning(&self) -> Plan {
        let rate = self.p.rate;
        let extra = rate * (self.p.rush_factor - 1.0);
        let corner = |share: f64, height: f64| (self.at(share), extra * height);
        let morning = Crowd {
            curve: vec![
                corner(0.0, 0.0),
                corner(0.09, 1.0),
                corner(0.27, 1.0),
                corner(0.34, 0.35),
                corner(0.50, 0.2),
                corner(0.70, 0.12),
                corner(0.999, 0.1),
            ],
            from: Vec::new(),
        };
        let within = self.flood(0.16, 0.23, (0.5 * self.p.rush_factor * rate).max(60.0), "inside the overloading rush");
        let small = self.flood(0.47, 0.53, (2.0 * rate).max(60.0), "small, while the rush ebbs");
        let massive = self.flood(0.74, 0.85, self.attack_rate(60.0), "massive, after the rush");
        Plan {
            crowds: vec![morning],
            attacks: vec![within, small, self.robots(0.57, 0.66, (2.0 * rate).max(10.0)), massive],
            outage: None,
            capacity: 0.65 * self.p.rush_factor * rate,
        }
    }
}

/// Returns the defaults of a scenario.
pub(super) fn defaults(scenario: Scenario) -> Parameters {
    let base = Parameters::default();
    let seconds = Duration::from_secs;
    match scenario {
        Scenario::Calm => Parameters { lead: Duration::ZERO, ..base },
        Scenario::Rush | Scenario::RushOverload => Parameters { duration: seconds(380), ..base },
        Scenario::SynFlood | Scenario::ForeignSurge | Scenario::Outage => base,
        Scenario::ForeignCrowd => Parameters { duration: seconds(380), ..base },
        Scenario::LaunchMorning => Parameters { duration: seconds(840), lead: seconds(210), rush_factor: 8.0, ..base },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_is_straight_between_its_corners_and_nothing_outside() {
        let crowd = Crowd { curve: vec![(10.0, 0.0), (20.0, 100.0), (30.0, 100.0)], from: Vec::new() };
        let rates: Vec<f64> = [9.0, 10.0, 15.0, 20.0, 29.0, 30.0].iter().map(|at| crowd.rate(*at)).collect();
        assert_eq!(rates, [0.0, 0.0, 50.0, 100.0, 100.0, 0.0]);
    }

    #[test]
    fn attacks_of_one_scenario_do_not_overlap_and_end_in_time() {
        for scenario in Scenario::ALL {
            let parameters = defaults(*scenario);
            let plan = of(*scenario, &parameters);
            let mut last = parameters.lead.as_secs_f64();
            for attack in &plan.attacks {
                assert!(attack.start >= last && attack.end > attack.start, "{scenario}");
                last = attack.end;
            }
            assert!(last <= parameters.duration.as_secs_f64(), "{scenario}");
        }
    }
}
