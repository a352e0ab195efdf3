//! The story of each scenario, and its defaults.

use std::time::Duration;

use super::{Attack, Crowd, Plan};
use crate::scenario::parameters::{Geography, Parameters, Vector};
use crate::scenario::technique::Technique;
use crate::scenario::{Scenario, blocks};

/// Share of the time after the lead that an attack takes unless told otherwise.
const ATTACK_SHARE: f64 = 0.6;

/// How much faster than it was the replica of incident 1 passes, unless its duration says otherwise: six and a half
/// hours in sixty-five minutes.
const COMPRESSION: f64 = 6.0;

/// Returns the least time a scenario needs after its lead.
pub(in crate::scenario) const fn least(scenario: Scenario) -> Duration {
    Duration::from_secs(match scenario {
        Scenario::Calm => 0,
        Scenario::LaunchMorning | Scenario::Incident1 => 300,
        Scenario::Rush | Scenario::RushOverload | Scenario::ForeignCrowd | Scenario::Outage => 60,
        _ => 30,
    })
}

/// Returns what a scenario does.
pub(in crate::scenario) fn of(scenario: Scenario, parameters: &Parameters) -> Plan {
    let lead = parameters.lead.as_secs_f64();
    let script = Script { p: parameters, lead, active: parameters.duration.as_secs_f64() - lead };
    let mut plan = script.of(scenario);
    if let Some(capacity) = parameters.capacity {
        plan.capacity = capacity;
    }
    plan.attacks.extend(parameters.vectors.iter().map(|vector| script.added(vector)));
    if plan.attacks.iter().any(|attack| is_outward(attack.technique)) {
        plan.browsing = 0.1 * parameters.rate;
    }
    plan.checkers = plan.checkers.max(2);
    plan.has_logins = plan.attacks.iter().any(|attack| attack.technique == Technique::CredentialStuffing);
    plan.administered = plan.attacks.iter().any(|attack| matches!(attack.technique, Technique::BruteForce(_)));
    plan
}

/// Tells whether inside hosts speak first: then others of them do so every day.
const fn is_outward(technique: Technique) -> bool {
    use crate::scenario::technique::{Sweep, Theft};
    matches!(
        technique,
        Technique::Exfiltration(Theft::Upload)
            | Technique::HostSweep(Sweep::Outwards)
            | Technique::NewOutbound
            | Technique::Beacon
    )
}

/// What a scenario's story is told from.
pub(super) struct Script<'a> {
    pub(super) p: &'a Parameters,
    /// Seconds of ordinary traffic before anything happens.
    pub(super) lead: f64,
    /// Seconds after the lead.
    pub(super) active: f64,
}

impl Script<'_> {
    fn of(&self, scenario: Scenario) -> Plan {
        let (rate, peak) = (self.p.rate, self.p.rate * self.p.rush_factor);
        match scenario {
            Scenario::Calm => Plan { capacity: 10.0 * rate, ..Plan::default() },
            Scenario::Rush => Plan { crowds: vec![self.rush()], capacity: 1.8 * peak, ..Plan::default() },
            Scenario::RushOverload => Plan { crowds: vec![self.rush()], capacity: 0.5 * peak, ..Plan::default() },
            Scenario::ForeignCrowd => {
                Plan { crowds: vec![self.press_link()], capacity: 20.0 * rate, ..Plan::default() }
            }
            Scenario::Outage => {
                Plan { outage: Some((self.at(0.0), self.at(0.5))), capacity: 10.0 * rate, ..Plan::default() }
            }
            Scenario::LaunchMorning => self.launch_morning(),
            Scenario::ForeignSurge | Scenario::RoboticSurge => {
                Plan { attacks: self.own_attack(scenario), capacity: 12.0 * rate, ..Plan::default() }
            }
            Scenario::Incident1 => self.incident(),
            _ if scenario.technique().is_some() => {
                Plan { attacks: self.own_attack(scenario), capacity: 10.0 * rate, ..Plan::default() }
            }
            _ => self.benign(scenario),
        }
    }

    /// The attack that a scenario is named after.
    fn own_attack(&self, scenario: Scenario) -> Vec<Attack> {
        let Some(technique) = self.p.technique.or_else(|| scenario.technique()) else { return Vec::new() };
        vec![self.attack(technique, self.p.attack_rate, None, None)]
    }

    fn added(&self, vector: &Vector) -> Attack {
        self.attack(vector.technique, vector.rate, vector.start, vector.duration)
    }

    fn attack(
        &self,
        technique: Technique,
        rate: Option<f64>,
        start: Option<Duration>,
        duration: Option<Duration>,
    ) -> Attack {
        let start = self.lead + start.unwrap_or(self.p.attack_start).as_secs_f64();
        let once = duration.or(self.p.attack_duration).map(|duration| duration.as_secs_f64());
        let pulses = f64::from(self.p.pulses);
        let gap = self.p.pulse_gap.as_secs_f64();
        let all = ATTACK_SHARE * self.active;
        let on = once.unwrap_or(((all - (pulses - 1.0) * gap) / pulses).max(1.0));
        let times = self.p.attack_times.map(|times| times * technique.per_connection() * self.p.rate);
        Attack {
            rate: rate.or(times).unwrap_or_else(|| technique.usual_rate(self.p.rate)),
            technique,
            spoofing: self.p.spoofing,
            geography: if technique == Technique::ForeignSurge { Geography::Abroad } else { self.p.geography },
            countries: blocks::robotic(self.p.home, self.p.countries),
            start,
            end: start + pulses * on + (pulses - 1.0) * gap,
            ramp: self.ramp_of(technique),
            pulse: (self.p.pulses > 1).then_some((on, gap)),
            note: note_of(technique),
            declared: false,
        }
    }

    /// Machines do not all begin at the same moment.
    fn ramp_of(&self, technique: Technique) -> f64 {
        let least = if matches!(technique, Technique::ForeignSurge | Technique::RoboticSurge) { 1.0 } else { 0.0 };
        self.p.attack_ramp.as_secs_f64().max(least)
    }

    /// Returns the time at a share of what follows the lead.
    pub(super) fn at(&self, share: f64) -> f64 {
        self.lead + share * self.active
    }

    fn rush(&self) -> Crowd {
        let extra = self.p.rate * (self.p.rush_factor - 1.0);
        let corner = |share: f64, height: f64| (self.at(share), extra * height);
        Crowd {
            curve: vec![corner(0.0, 0.0), corner(0.33, 1.0), corner(0.66, 1.0), corner(0.88, 0.0)],
            ..Crowd::default()
        }
    }

    /// A newspaper abroad links to the site: people come, most of them from two countries.
    fn press_link(&self) -> Crowd {
        let extra = self.p.attack_rate.unwrap_or(2.0 * self.p.rate);
        let corner = |share: f64, height: f64| (self.at(share), extra * height);
        let neighbours = blocks::abroad(self.p.home).into_iter().take(2).map(|(country, _)| country);
        Crowd {
            curve: vec![corner(0.0, 0.0), corner(0.35, 1.0), corner(0.55, 0.9), corner(0.9, 0.0)],
            from: neighbours.collect(),
            ..Crowd::default()
        }
    }

    /// An attack between two shares of what follows the lead.
    pub(super) fn between(&self, from: f64, to: f64, technique: Technique, rate: f64, note: &'static str) -> Attack {
        let whole = self.attack(technique, Some(rate), None, None);
        Attack { start: self.at(from), end: self.at(to), pulse: None, note, ..whole }
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
            ..Crowd::default()
        };
        let flood = |from, to, rate, note| self.between(from, to, Technique::SynFlood, rate, note);
        let robots = note_of(Technique::ForeignSurge);
        let attacks = vec![
            flood(0.16, 0.23, (0.5 * self.p.rush_factor * rate).max(60.0), "inside the overloading rush"),
            flood(0.47, 0.53, (2.0 * rate).max(60.0), "small, while the rush ebbs"),
            self.between(0.57, 0.66, Technique::ForeignSurge, (2.0 * rate).max(10.0), robots),
            flood(0.74, 0.85, self.p.attack_rate.unwrap_or(60.0 * rate), "massive, after the rush"),
        ];
        Plan { crowds: vec![morning], attacks, capacity: 0.65 * self.p.rush_factor * rate, ..Plan::default() }
    }
}

/// Returns what a person should know of an attack.
const fn note_of(technique: Technique) -> &'static str {
    use crate::kind::AlertKind as K;
    match technique.kind() {
        K::SynFlood => "inside ordinary traffic",
        K::ForeignSurge | K::RoboticSurge => "completed connections that look alike",
        K::UdpFlood => "datagrams nobody asked for",
        K::Amplification => "replies of open services that were asked in the target's name",
        K::IcmpFlood => "echo messages in excess",
        K::FragmentFlood => "later fragments without a first one",
        K::TcpFlagFlood => "segments without a connection",
        K::CarpetBombing => "spread over every address of the prefix",
        K::ConnectionExhaustion => "connections held open or wasted",
        K::PortScan => "one source tries the ports of one host",
        K::HostSweep => "one source tries one host after the other",
        K::BruteForce => "one source tries one password after the other",
        K::CredentialStuffing => "many sources with few log-ins each, beside people who log in and stay",
        K::Exfiltration => "data taken or sent out",
        K::NewOutbound => "the web server opens its first connection outwards, and somebody types there",
        K::Beacon => "the same small call outwards, again and again",
        K::Rush | K::Overload | K::Outage | K::SensorBlind => "",
    }
}

/// Returns the defaults of a scenario.
pub(in crate::scenario) fn defaults(scenario: Scenario) -> Parameters {
    let base = Parameters::default();
    let seconds = Duration::from_secs;
    match scenario {
        Scenario::Calm => Parameters { lead: Duration::ZERO, ..base },
        Scenario::Rush | Scenario::RushOverload | Scenario::ForeignCrowd => {
            Parameters { duration: seconds(380), ..base }
        }
        Scenario::LaunchMorning => Parameters { duration: seconds(840), lead: seconds(210), rush_factor: 8.0, ..base },
        // A hundred calls would take a while at one a minute; their period is told by --attack-rate.
        Scenario::Beacon => Parameters { duration: seconds(900), ..base },
        Scenario::Exfiltration => Parameters { duration: seconds(440), ..base },
        Scenario::CredentialStuffing | Scenario::BruteForce => Parameters { duration: seconds(440), ..base },
        Scenario::FlashCrowd | Scenario::HolidayReturn | Scenario::SchoolMorning | Scenario::MobileMorning => {
            let (school_share, mobile_share) = match scenario {
                Scenario::SchoolMorning => (0.8, 0.08),
                Scenario::MobileMorning => (0.05, 0.75),
                _ => (base.school_share, base.mobile_share),
            };
            Parameters { duration: seconds(380), school_share, mobile_share, ..base }
        }
        Scenario::ExamResults | Scenario::TvMention => Parameters { duration: seconds(380), rush_factor: 20.0, ..base },
        Scenario::Http3Rush | Scenario::NewCdnRegion => Parameters { duration: seconds(380), rush_factor: 5.0, ..base },
        Scenario::PenTest => Parameters { duration: seconds(440), geography: Geography::Hosting, ..base },
        Scenario::Incident1 => {
            let lead = seconds(210);
            let day = Duration::from_secs_f64(super::incident::seconds(COMPRESSION));
            Parameters { lead, duration: lead + day, rate: 3.0, ..base }
        }
        _ => base,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attacks_of_one_scenario_do_not_overlap_and_end_in_time() {
        for scenario in Scenario::ALL.iter().filter(|scenario| **scenario != Scenario::Incident1) {
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

    #[test]
    fn pulses_share_the_time_of_an_attack() {
        let parameters = Parameters { pulses: 3, pulse_gap: Duration::from_secs(10), ..defaults(Scenario::UdpFlood) };
        let attack = of(Scenario::UdpFlood, &parameters).attacks.remove(0);
        assert_eq!((attack.start, attack.pulses()), (200.0, 3));
        let (on, gap) = attack.pulse.unwrap();
        assert!((attack.end - attack.start - 60.0).abs() < 1e-9 && (on * 3.0 + gap * 2.0 - 60.0).abs() < 1e-9);
        assert_eq!(attack.resumes_at(200.0 + on / 2.0), None);
        assert_eq!(attack.resumes_at(200.0 + on + 1.0), Some(200.0 + on + gap));
        assert_eq!(attack.resumes_at(200.0 + on + gap + 0.1), None);
    }

    #[test]
    fn the_morning_of_the_incident_has_its_attacks_one_by_one_and_then_all_at_once() {
        let parameters = defaults(Scenario::Incident1);
        let plan = of(Scenario::Incident1, &parameters);
        let minute = |at: f64| (at - parameters.lead.as_secs_f64()) * COMPRESSION / 60.0;
        let (morning, massive) = plan.attacks.split_at(22);
        let mut last = 35.0;
        for attack in morning {
            assert!(minute(attack.start) >= last - 1e-6 && minute(attack.end) <= 270.0 + 1e-6);
            assert!((1.0..=10.001).contains(&(minute(attack.end) - minute(attack.start))));
            last = minute(attack.end);
        }
        assert_eq!(massive.len(), 3);
        assert!(massive.iter().all(|attack| (minute(attack.start) - 358.0).abs() < 1e-6));
        let demand = |minute: f64| {
            let at = parameters.lead.as_secs_f64() + minute * 60.0 / COMPRESSION;
            parameters.rate + plan.crowds[0].rate(at)
        };
        assert!(demand(31.0) < plan.capacity && demand(33.0) > plan.capacity);
    }
}
