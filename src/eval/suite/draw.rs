//! The ranges that worlds are drawn from (DETECTION 8.1).

use super::seconds;
use crate::eval::random::Random;
use crate::eval::world::{Group, Stratum, kind_of};
use crate::scenario::{Geography, Overflow, Parameters, Scenario, Spoofing, Technique, Vector, View};

/// Every world begins with as much ordinary traffic as levels need (DETECTION 0.2: 180 s), and ten seconds more.
const LEAD: f64 = 190.0;

/// Seconds after an attack: an alert may come late, and must end.
const AFTER: f64 = 50.0;

/// Seconds of a beacon: it is more than `info` when it covers six hours (DETECTION 5).
const BEACON: f64 = 6.3 * 3_600.0;

/// Connections a second of a rush at most, and events of an attack in all: so that a world takes seconds to run.
const MOST_RUSHING: f64 = 500.0;
const MOST_EVENTS: f64 = 20_000.0;

/// Draws everything about a world. What is drawn is drawn in this order, for good: a change here changes every world.
pub(super) fn parameters(stratum: Stratum, scenario: Scenario, random: &mut Random) -> Parameters {
    let mut parameters = network(scenario, random);
    place(stratum, &mut parameters, random);
    let active = match scenario {
        _ if matches!(stratum.group, Group::Rush | Group::Overload) => rush(stratum, &mut parameters, random),
        Scenario::Rush | Scenario::RushOverload => rush(stratum, &mut parameters, random),
        Scenario::ForeignCrowd => {
            parameters.attack_rate = Some(parameters.rate * random.scale(0.5, 5.0));
            random.scale(70.0, 250.0)
        }
        Scenario::LaunchMorning => {
            parameters.rush_factor = random.scale(4.0, 12.0);
            parameters.rate = random.between(15.0, 35.0);
            parameters.attack_rate = Some(parameters.rate * random.scale(10.0, 40.0));
            random.between(420.0, 640.0)
        }
        Scenario::Calm => random.scale(300.0, 900.0),
        Scenario::Outage | Scenario::SlowDatabase | Scenario::LostDatacentre => random.scale(70.0, 200.0),
        Scenario::BackupWindow | Scenario::PeerToPeer | Scenario::Monitoring | Scenario::RtpStream => 200.0,
        Scenario::PenTest => random.between(150.0, 250.0),
        Scenario::Incident1 => {
            parameters.rate = random.between(2.5, 5.0);
            parameters.lead = scenario.defaults().lead;
            (scenario.defaults().duration - parameters.lead).as_secs_f64()
        }
        _ => attack(stratum, scenario, &mut parameters, random),
    };
    parameters.duration = seconds(parameters.lead.as_secs_f64() + active);
    sight(stratum, &mut parameters, random);
    parameters
}

/// Draws people, networks and servers ("Background" and "Server model").
fn network(scenario: Scenario, random: &mut Random) -> Parameters {
    Parameters {
        minutes: true,
        seed: random.bits() >> 16,
        lead: seconds(if scenario == Scenario::Calm { 0.0 } else { LEAD }),
        home_share: random.between(0.85, 0.995),
        ipv6_share: random.between(0.2, 0.7),
        backlog: random.pick(&[128, 256, 512, 1_024, 4_096]),
        accept_queue: random.pick(&[64, 128, 511, 1_024]),
        cookies: random.chance(0.75),
        overflow: if random.chance(0.7) { Overflow::DropSyn } else { Overflow::DropAck },
        abandonment: random.between(0.0, 0.6),
        reloads: random.pick(&[0, 1, 2, 3]),
        spare_sockets: random.between(0.02, 0.15),
        path_loss: random.scale(0.001, 0.02),
        radiation: random.scale(0.005, 0.05),
        rate: random.scale(15.0, 80.0),
        ..scenario.defaults()
    }
}

/// Draws where home is.
fn place(stratum: Stratum, parameters: &mut Parameters, random: &mut Random) {
    if stratum.group == Group::OtherHome {
        let home = if random.chance(0.75) { "MA" } else { random.pick(&["BE", "SN", "CA"]) };
        parameters.home = home.parse().expect("a country code");
        // A Maghreb campus sees more of its diaspora abroad.
        parameters.home_share = random.between(0.75, 0.95);
    }
}

/// Draws how the mirror port sees.
fn sight(stratum: Stratum, parameters: &mut Parameters, random: &mut Random) {
    match stratum.group {
        Group::OneSided => parameters.view = View::Inbound,
        Group::Lossy => parameters.capture_loss = random.between(0.002, 0.03),
        Group::Doubled => parameters.duplicates = 1.0,
        Group::Fronted => parameters.fronted = true,
        _ => {}
    }
}

/// Draws a rush, and in mixed worlds an attack inside it; returns the seconds after the lead.
fn rush(stratum: Stratum, parameters: &mut Parameters, random: &mut Random) -> f64 {
    parameters.rush_factor = random.scale(2.5, 50.0);
    parameters.rate = parameters.rate.min(MOST_RUSHING / parameters.rush_factor);
    let peak = parameters.rate * parameters.rush_factor;
    let is_served = stratum.group != Group::Overload && stratum.scenario != Some(Scenario::RushOverload);
    let room = if is_served { random.between(1.25, 3.0) } else { random.between(0.3, 0.85) };
    parameters.capacity = Some(room * peak);
    parameters.rush_ramp = random.chance(0.7).then(|| seconds(random.scale(5.0, 150.0)));
    parameters.elasticity = random.between(0.0, 1.2);
    parameters.revisits = (random.between(0.3, 0.95), random.between(0.0, 0.4));
    let active = random.scale(80.0, 320.0);
    if stratum.group == Group::Mixed {
        let inside = [Scenario::SynFlood, Scenario::SynFlood, Scenario::UdpFlood, Scenario::Amplification];
        let technique = technique(random.pick(&inside), random);
        parameters.attack_times = Some(random.scale(1.0, 8.0));
        let vector = Vector {
            start: Some(seconds(random.between(0.2, 0.5) * active)),
            duration: Some(seconds(random.between(0.15, 0.3) * active)),
            ..Vector::of(technique)
        };
        parameters.vectors = vec![vector];
    }
    active
}

/// Draws an attack inside ordinary traffic; returns the seconds after the lead.
fn attack(stratum: Stratum, scenario: Scenario, parameters: &mut Parameters, random: &mut Random) -> f64 {
    parameters.technique = Some(technique(scenario, random));
    parameters.countries = random.pick(&[1, 3, 10, 25, 60]);
    parameters.geography = random.pick(Geography::ALL);
    parameters.spoofing = spoofing(random);
    parameters.attack_ramp = seconds(if random.chance(0.7) { 0.0 } else { random.scale(2.0, 20.0) });
    let lasts = match scenario {
        Scenario::ConnectionExhaustion => random.between(60.0, 150.0),
        Scenario::PortScan | Scenario::HostSweep => {
            parameters.attack_rate = Some(random.scale(2.0, 100.0));
            random.between(20.0, 90.0)
        }
        Scenario::BruteForce => {
            parameters.attack_rate = Some(random.scale(1.0, 5.0));
            random.between(60.0, 200.0)
        }
        Scenario::CredentialStuffing => random.between(120.0, 250.0),
        Scenario::Exfiltration => exfiltration(parameters, random),
        Scenario::Beacon => {
            parameters.rate = random.between(1.0, 2.0);
            parameters.attack_rate = Some(1.0 / random.scale(60.0, 600.0));
            BEACON
        }
        _ => loud(stratum, parameters, random),
    };
    parameters.attack_duration = Some(seconds(lasts));
    let pulses = f64::from(parameters.pulses);
    pulses * lasts + (pulses - 1.0) * parameters.pulse_gap.as_secs_f64() + AFTER
}

/// Draws how fast a gigabyte or a little more leaves, as documents a second; returns the seconds that takes.
fn exfiltration(parameters: &mut Parameters, random: &mut Random) -> f64 {
    let (least, most) = parameters.document_sizes;
    let bytes_a_second = random.scale(20e6, 200e6) / 8.0;
    parameters.attack_rate = Some(bytes_a_second / f64::midpoint(f64::from(least), f64::from(most)));
    random.between(1e9, 1.5e9) / bytes_a_second
}

/// Draws the ordinary rate that fits an attack of a multiple of it; returns the seconds the attack lasts.
fn loud(stratum: Stratum, parameters: &mut Parameters, random: &mut Random) -> f64 {
    let multiple = stratum.rate.unwrap_or_else(|| random.scale(1.0, 10.0));
    // Below 0.1 times, or below 50 a second, nothing is promised (DETECTION 4.5): small shares of large traffic.
    parameters.rate = match multiple {
        ..0.2 => random.scale(200.0, 400.0),
        ..0.4 => random.scale(100.0, 200.0),
        ..0.8 => random.scale(50.0, 120.0),
        ..3.0 => random.scale(25.0, 100.0),
        _ => random.scale(15.0, 50.0),
    };
    parameters.attack_times = Some(multiple);
    if random.chance(0.15) {
        parameters.pulses = 3;
        parameters.pulse_gap = seconds(random.between(12.0, 40.0));
    }
    random.scale(15.0, 90.0).min(MOST_EVENTS / (multiple * parameters.rate)).max(12.0)
}

/// Draws one of the ways in which a scenario's attack is made.
fn technique(scenario: Scenario, random: &mut Random) -> Technique {
    let kind = kind_of(scenario);
    let ways: Vec<Technique> = Technique::all().into_iter().filter(|way| Some(way.kind()) == kind).collect();
    // Half of the worlds have the plain one, as most attacks do.
    if random.chance(0.5) { ways[0] } else { random.pick(&ways) }
}

/// Draws where forged packets claim to come from: most often anywhere.
fn spoofing(random: &mut Random) -> Spoofing {
    if random.chance(0.4) { Spoofing::Random } else { random.pick(Spoofing::ALL) }
}
