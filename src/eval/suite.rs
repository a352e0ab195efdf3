//! The built-in suites: which worlds are drawn, and from which ranges (DETECTION 8.1).
//!
//! A world follows from its stratum and its seed alone. Worlds are ordered seed by seed over all strata, so that a run that
//! is cut short by its time has nearly as many of each.

use std::ops::Range;
use std::time::Duration;

use crate::eval::random::Random;
use crate::eval::weeks::{self, Slice};
use crate::eval::world::{Group, Origin, Stratum, World};
use crate::kind::closed_set;
use crate::scenario::{Parameters, Scenario};

mod draw;

closed_set! {
    /// A built-in choice of worlds.
    Suite {
        /// Some dozens of worlds, for every day.
        Quick = "quick",
        /// More than a thousand worlds, for publication.
        Full = "full",
        /// No worlds: simulated weeks of counts alone.
        Weeks = "weeks",
    }
}

/// Attacks whose rate is varied.
const LOUD: [Scenario; 9] = [
    Scenario::SynFlood,
    Scenario::ForeignSurge,
    Scenario::RoboticSurge,
    Scenario::UdpFlood,
    Scenario::Amplification,
    Scenario::IcmpFlood,
    Scenario::FragmentFlood,
    Scenario::TcpFlagFlood,
    Scenario::CarpetBombing,
];

/// Attacks that are small by nature. A new outbound connection needs fourteen days of habit (DETECTION 5): no world of
/// packets is that long.
const QUIET: [Scenario; 7] = [
    Scenario::ConnectionExhaustion,
    Scenario::PortScan,
    Scenario::HostSweep,
    Scenario::BruteForce,
    Scenario::CredentialStuffing,
    Scenario::Exfiltration,
    Scenario::Beacon,
];

/// Worlds without an attack, and how many of each belong to a seed of the quick and of the full suite.
const PEACEFUL: &[(Group, &[Scenario], u64, u64)] = &[
    (Group::Rush, &[Scenario::Rush, Scenario::FlashCrowd], 1, 25),
    (
        Group::Rush,
        &[
            Scenario::ExamResults,
            Scenario::TvMention,
            Scenario::HolidayReturn,
            Scenario::SchoolMorning,
            Scenario::MobileMorning,
            Scenario::Http3Rush,
            Scenario::NewCdnRegion,
        ],
        0,
        10,
    ),
    (Group::Rush, &[Scenario::ExamResults, Scenario::SchoolMorning], 1, 0),
    (Group::Overload, &[Scenario::RushOverload, Scenario::FlashCrowd], 1, 30),
    (Group::ForeignCrowd, &[Scenario::ForeignCrowd], 1, 6),
    (Group::Outage, &[Scenario::Outage, Scenario::SlowDatabase, Scenario::LostDatacentre], 1, 1),
    (Group::Calm, &[Scenario::Calm], 1, 3),
    (
        Group::Calm,
        &[Scenario::BackupWindow, Scenario::PeerToPeer, Scenario::Monitoring, Scenario::RtpStream, Scenario::PenTest],
        0,
        1,
    ),
];

/// Rates as multiples of the ordinary rate (DETECTION 8.1).
const RATES: [f64; 8] = [0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0];
const QUICK_RATES: [f64; 3] = [0.5, 1.0, 5.0];

/// Rates of which something is promised by itself (DETECTION 8.3): they need worlds of their own in some number.
const PROMISED: [f64; 3] = [0.1, 0.5, 1.0];

impl Suite {
    /// Seeds that may be looked at while thresholds are chosen, of any suite.
    pub const DEVELOPMENT: Range<u64> = 1..12;

    /// Returns the seeds of a suite unless others are asked for. Those of `quick` are for development; thresholds must not
    /// be chosen on those of `full`, which are what is published.
    #[must_use]
    pub const fn seeds(self) -> Range<u64> {
        match self {
            Self::Quick => 1..4,
            Self::Full | Self::Weeks => 20_001..20_006,
        }
    }

    /// Returns how many weeks of 256 targets are simulated unless others are asked for: what the promise is about in
    /// `weeks`, which take days of a core, and beside the worlds what fits into the hour on two cores.
    #[must_use]
    pub const fn weeks(self) -> f64 {
        match self {
            Self::Quick => 0.0007,
            Self::Full => 0.35,
            Self::Weeks => 100.0,
        }
    }

    /// Cuts slices of simulated weeks with seeds from `first` on, until the ordinary ones among them come to `weeks` weeks
    /// of 256 targets.
    #[must_use]
    pub fn slices(self, first: u64, weeks: f64) -> Vec<Slice> {
        match self {
            Self::Quick => weeks::slices(first, weeks, 2, 8, 3_600),
            Self::Full | Self::Weeks => weeks::slices(first, weeks, 20, 16, 4 * 3_600),
        }
    }

    /// Draws the worlds of the given seeds.
    #[must_use]
    pub fn worlds(self, seeds: Range<u64>) -> Vec<World> {
        let strata = self.strata();
        let mut worlds = Vec::new();
        for seed in seeds.filter(|_| self != Self::Weeks) {
            // Strata with many worlds to a seed are spread over those with few.
            let mut turns: Vec<(f64, Stratum, u64)> = strata
                .iter()
                .flat_map(|(stratum, times)| (0..*times).map(|turn| (turn as f64 / *times as f64, *stratum, turn)))
                .collect();
            turns.sort_by(|a, b| a.0.total_cmp(&b.0));
            worlds.extend(turns.into_iter().map(|(_, stratum, turn)| draw(stratum, seed, turn)));
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
        for scenario in LOUD {
            let at = |rate: &f64| Stratum { group: Group::Attack, scenario: Some(scenario), rate: Some(*rate) };
            let times = |rate: &f64| if full && PROMISED.contains(rate) { 3 } else { 1 };
            strata.extend(rates.iter().map(|rate| (at(rate), times(rate))));
        }
        // A beacon takes six hours.
        let times = |scenario: Scenario| if scenario == Scenario::Beacon { 1 } else { several(1, 2) };
        strata.extend(QUIET.map(|scenario| (plain(Group::Attack, scenario), times(scenario))));
        for (group, scenarios, quick, many) in PEACEFUL {
            strata.extend(scenarios.iter().map(|scenario| (plain(*group, *scenario), several(*quick, *many))));
        }
        strata.extend([
            (plain(Group::Mixed, Scenario::LaunchMorning), several(1, 2)),
            (plain(Group::Mixed, Scenario::Rush), several(1, 4)),
            (plain(Group::Mixed, Scenario::RushOverload), several(1, 4)),
            (plain(Group::Incident, Scenario::Incident1), several(0, 1)),
        ]);
        for group in [Group::OneSided, Group::Lossy, Group::Doubled, Group::Fronted, Group::OtherHome] {
            let both: &[Scenario] = if full {
                &[Scenario::SynFlood, Scenario::Rush, Scenario::UdpFlood, Scenario::ForeignSurge]
            } else {
                &[Scenario::SynFlood, Scenario::Rush]
            };
            strata.extend(both.iter().map(|scenario| (plain(group, *scenario), 1)));
        }
        // One stratum may stand in two rows for two suites.
        strata.retain(|(_, times)| *times > 0);
        strata
    }
}

/// Draws a world. It follows from its stratum, its seed and its turn, whatever else is drawn.
fn draw(stratum: Stratum, seed: u64, turn: u64) -> World {
    let name = if turn == 0 { format!("{stratum}/{seed}") } else { format!("{stratum}/{seed}.{turn}") };
    let scenario = stratum.scenario.unwrap_or(Scenario::Calm);
    let mut random = Random::new(seed, branch(&stratum, turn));
    let parameters: Parameters = draw::parameters(stratum, scenario, &mut random);
    World { name, stratum, origin: Origin::Simulated { scenario, parameters: Box::new(parameters) } }
}

/// Tells the streams of strata apart by their names, so that a new stratum changes no other's worlds (FNV-1a, Noll 1991).
fn branch(stratum: &Stratum, turn: u64) -> u64 {
    let hash = stratum
        .to_string()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    hash ^ turn.wrapping_mul(0x2545_f491_4f6c_dd1d)
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
    use crate::eval::matching::Phase;
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
        assert!(quick.end <= Suite::DEVELOPMENT.end && Suite::DEVELOPMENT.end <= full.start);
    }

    #[test]
    fn every_world_can_be_simulated() {
        for world in Suite::Full.worlds(1..3) {
            let Origin::Simulated { scenario, parameters } = &world.origin else { continue };
            // The plan is checked before the first frame; the world itself would take a while.
            let short = Parameters { rate: 1.0, ..(**parameters).clone() };
            assert!(short.duration > short.lead, "{}", world.name);
            assert!(world.kind().is_none_or(|kind| short.technique.is_none_or(|t| t.kind() == kind)), "{}", world.name);
            assert!(parameters.rate >= 1.0 && parameters.rate <= 600.0, "{}: {scenario}", world.name);
        }
    }

    #[test]
    fn the_full_suite_has_the_surges_that_its_claims_need() {
        let worlds = Suite::Full.worlds(Suite::Full.seeds());
        let of = |group| worlds.iter().filter(|world| world.stratum.group == group).count();
        assert!(of(Group::Rush) >= 600 && of(Group::Overload) >= 300);
    }

    #[test]
    fn the_full_suite_has_fifteen_worlds_of_each_attack_at_each_promised_rate() {
        let worlds = Suite::Full.worlds(Suite::Full.seeds());
        for scenario in LOUD {
            for rate in PROMISED {
                let stratum = Stratum { group: Group::Attack, scenario: Some(scenario), rate: Some(rate) };
                assert!(worlds.iter().filter(|world| world.stratum == stratum).count() >= 15, "{stratum}");
            }
        }
    }

    #[test]
    fn slices_come_to_the_weeks_asked_for() {
        let weeks = |suite: Suite, weeks: f64| {
            let slices = suite.slices(1, weeks);
            let ordinary = slices.iter().filter(|slice| slice.during == Phase::Ordinary);
            ordinary.map(|slice| slice.targets as f64 * slice.seconds as f64).sum::<f64>() / 256.0 / 604_800.0
        };
        for asked in [0.1, 1.0, 3.0] {
            let got = weeks(Suite::Weeks, asked);
            assert!(got >= asked && got < asked + 0.002, "{got} of {asked}");
        }
        assert!(Suite::Quick.slices(1, 0.0).is_empty());
    }
}
