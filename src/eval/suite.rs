//! The built-in suites: which worlds are drawn, and from which ranges (DETECTION 8.1).
//!
//! A world follows from its stratum and its seed alone. Worlds are ordered seed by seed over all strata, so that a run that
//! is cut short by its time has nearly as many of each.

use std::ops::Range;
use std::time::Duration;

use crate::eval::mirror::Sight;
use crate::eval::random::Random;
use crate::eval::weeks::{self, Slice};
use crate::eval::world::{Group, Origin, Stratum, World};
use crate::kind::closed_set;
use crate::scenario::{Overflow, Parameters, Scenario, Spoofing};

closed_set! {
    /// A built-in choice of worlds.
    Suite {
        /// Some dozens of worlds, for every day.
        Quick = "quick",
        /// Thousands of worlds, for publication.
        Full = "full",
    }
}

/// Attacks whose rate is varied.
const ATTACKS: [Scenario; 2] = [Scenario::SynFlood, Scenario::ForeignSurge];

/// Rates as multiples of the ordinary rate (DETECTION 8.1).
const RATES: [f64; 8] = [0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0];
const QUICK_RATES: [f64; 3] = [0.5, 1.0, 5.0];

/// Every world begins with as much ordinary traffic as levels need (DETECTION 0.2: 180 s), and ten seconds more.
const LEAD: f64 = 190.0;

impl Suite {
    /// Returns the seeds of a suite unless others are asked for. Those of `quick` are for development; thresholds must not
    /// be chosen on those of `full`, which are what is published.
    #[must_use]
    pub const fn seeds(self) -> Range<u64> {
        match self {
            Self::Quick => 1..4,
            Self::Full => 20_001..20_026,
        }
    }

    /// Cuts the slices of simulated weeks, with seeds from `first` on.
    #[must_use]
    pub fn slices(self, first: u64) -> Vec<Slice> {
        match self {
            Self::Quick => weeks::slices(first..first + 4, 8, 3_600),
            Self::Full => weeks::slices(first..first + 400, 16, 4 * 3_600),
        }
    }

    /// Draws the worlds of the given seeds.
    #[must_use]
    pub fn worlds(self, seeds: Range<u64>) -> Vec<World> {
        let strata = self.strata();
        let mut worlds = Vec::new();
        for seed in seeds {
            for (stratum, times) in &strata {
                worlds.extend((0..*times).map(|turn| draw(*stratum, seed, turn)));
            }
        }
        worlds
    }

    /// Returns the strata, and how many worlds of each belong to one seed.
    fn strata(self) -> Vec<(Stratum, u64)> {
        let full = self == Self::Full;
        let several = |quick: u64, many: u64| if full { many } else { quick };
        let rates: &[f64] = if full { &RATES } else { &QUICK_RATES };
        let plain = |group, scenario| Stratum { group, scenario: Some(scenario), rate: None };
        let mut strata = Vec::new();
        for scenario in ATTACKS {
            let at = |rate: &f64| Stratum { group: Group::Attack, scenario: Some(scenario), rate: Some(*rate) };
            strata.extend(rates.iter().map(|rate| (at(rate), 1)));
        }
        strata.extend([
            (plain(Group::Rush, Scenario::Rush), several(4, 24)),
            (plain(Group::Overload, Scenario::RushOverload), several(3, 12)),
            (plain(Group::ForeignCrowd, Scenario::ForeignCrowd), several(1, 4)),
            (plain(Group::Calm, Scenario::Calm), several(1, 4)),
            (plain(Group::Outage, Scenario::Outage), several(1, 2)),
            (plain(Group::Mixed, Scenario::LaunchMorning), several(1, 4)),
        ]);
        for (group, times) in [(Group::OneSided, 2), (Group::Lossy, 2), (Group::Doubled, 2), (Group::OtherHome, 4)] {
            let both = if full {
                vec![Scenario::SynFlood, Scenario::Rush, Scenario::ForeignSurge]
            } else {
                vec![Scenario::SynFlood, Scenario::Rush]
            };
            strata.extend(both.into_iter().map(|scenario| (plain(group, scenario), several(1, times))));
        }
        strata
    }
}

/// Draws a world. What is drawn is drawn in this order, for good: a change here changes every world.
fn draw(stratum: Stratum, seed: u64, turn: u64) -> World {
    let name = if turn == 0 { format!("{stratum}/{seed}") } else { format!("{stratum}/{seed}.{turn}") };
    let scenario = stratum.scenario.unwrap_or(Scenario::Calm);
    let mut random = Random::new(seed, branch(&stratum, turn));
    let mut parameters = network(scenario, &mut random);
    place(stratum, &mut parameters, &mut random);
    course(stratum, scenario, &mut parameters, &mut random);
    let sight = match stratum.group {
        Group::OneSided => Sight::InboundOnly,
        Group::Lossy => Sight::Lossy(random.between(0.002, 0.03)),
        Group::Doubled => Sight::Doubled,
        _ => Sight::Whole,
    };
    World { name, stratum, origin: Origin::Simulated { scenario, parameters: Box::new(parameters), sight } }
}

/// Tells the streams of strata apart by their names, so that a new stratum changes no other's worlds (FNV-1a, Noll 1991).
fn branch(stratum: &Stratum, turn: u64) -> u64 {
    let hash = stratum
        .to_string()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    hash ^ turn.wrapping_mul(0x2545_f491_4f6c_dd1d)
}

/// Draws people, networks and servers (DETECTION 8.1, "Background" and "Server model").
fn network(scenario: Scenario, random: &mut Random) -> Parameters {
    Parameters {
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
        rate: random.scale(20.0, 120.0),
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

/// Draws what happens, and how long.
fn course(stratum: Stratum, scenario: Scenario, parameters: &mut Parameters, random: &mut Random) {
    let mut active = random.scale(70.0, 200.0);
    match scenario {
        Scenario::SynFlood | Scenario::ForeignSurge => attack(stratum, scenario, parameters, random),
        Scenario::Rush | Scenario::RushOverload => {
            parameters.rush_factor = random.scale(2.5, 50.0);
            parameters.rate = parameters.rate.min(1_200.0 / parameters.rush_factor);
            let peak = parameters.rate * parameters.rush_factor;
            let room = if scenario == Scenario::Rush { random.between(1.25, 3.0) } else { random.between(0.3, 0.85) };
            parameters.capacity = Some(room * peak);
            active = random.scale(70.0, 320.0);
        }
        Scenario::ForeignCrowd => parameters.attack_rate = Some(parameters.rate * random.scale(0.5, 5.0)),
        Scenario::LaunchMorning => {
            parameters.rush_factor = random.scale(4.0, 12.0);
            parameters.attack_rate = Some(parameters.rate * random.scale(10.0, 60.0));
            parameters.rate = random.between(20.0, 45.0);
            active = random.between(420.0, 640.0);
        }
        Scenario::Calm => active = random.scale(300.0, 900.0),
        _ => {}
    }
    parameters.duration = seconds(parameters.lead.as_secs_f64() + active);
}

fn attack(stratum: Stratum, scenario: Scenario, parameters: &mut Parameters, random: &mut Random) {
    let multiple = stratum.rate.unwrap_or_else(|| random.scale(1.0, 10.0));
    // Below 0.1 times, or below 50 a second, nothing is promised (DETECTION 4.5): small shares of large traffic.
    parameters.rate = match multiple {
        ..0.2 => random.scale(250.0, 600.0),
        ..0.4 => random.scale(120.0, 300.0),
        ..0.8 => random.scale(60.0, 200.0),
        ..3.0 => random.scale(30.0, 150.0),
        _ => random.scale(20.0, 80.0),
    };
    parameters.attack_rate = Some(multiple * parameters.rate);
    parameters.attack_ramp = seconds(if random.chance(0.7) { 0.0 } else { random.scale(2.0, 30.0) });
    parameters.countries = random.pick(&[1, 3, 10, 25, 60]);
    if scenario == Scenario::SynFlood {
        parameters.spoofing = random.pick(&[
            Spoofing::Random,
            Spoofing::Random,
            Spoofing::BogonFiltered,
            Spoofing::Ipv6,
            Spoofing::RawBots,
        ]);
    }
}

/// Returns a duration to the millisecond, so that a world can be written down.
fn seconds(seconds: f64) -> Duration {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "minutes to hours, never negative")]
    let milliseconds = (seconds * 1e3).round().max(0.0) as u64;
    Duration::from_millis(milliseconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_world_follows_from_its_stratum_and_seed_alone() {
        let some = Suite::Full.worlds(20_001..20_003);
        let more = Suite::Full.worlds(20_002..20_003);
        assert!(more.iter().all(|world| some.contains(world)));
        let quick = Suite::Quick.worlds(20_002..20_003);
        assert!(quick.iter().all(|world| more.contains(world)), "a quick world is also one of the full suite");
    }

    #[test]
    fn names_and_seeds_of_worlds_differ() {
        let worlds = Suite::Full.worlds(Suite::Full.seeds());
        let names: BTreeSet<&str> = worlds.iter().map(|world| world.name.as_str()).collect();
        assert_eq!(names.len(), worlds.len());
        let seed = |world: &World| match &world.origin {
            Origin::Simulated { parameters, .. } => parameters.seed,
            Origin::Recorded { .. } => 0,
        };
        let seeds: BTreeSet<u64> = worlds.iter().map(seed).collect();
        assert_eq!(seeds.len(), worlds.len());
    }

    #[test]
    fn development_and_publication_share_no_seed() {
        let (quick, full) = (Suite::Quick.seeds(), Suite::Full.seeds());
        assert!(quick.end <= full.start);
    }

    #[test]
    fn the_full_suite_has_the_surges_that_its_claims_need() {
        let worlds = Suite::Full.worlds(Suite::Full.seeds());
        let of = |group| worlds.iter().filter(|world| world.stratum.group == group).count();
        assert!(of(Group::Rush) >= 600 && of(Group::Overload) >= 300);
    }
}
