//! Labelled traffic: what `vigie synth` writes, what `eval`, the fixtures and the benches are fed with.
//!
//! A scenario is simulated packet by packet: people with real stacks, networks and patience, servers with real queues,
//! attackers with real tools. Nothing here knows a detector, a threshold or an alert but the names of CONTRACT 4, so
//! that what is measured on it is not what was built into it. The same scenario, parameters and seed give the same
//! bytes on every machine.

mod answers;
mod attack;
mod blocks;
mod connection;
mod datagram;
mod file;
mod flood;
mod frame;
mod health;
mod minutes;
mod number;
mod onto;
mod outlet;
mod parameters;
mod plan;
mod population;
mod queue;
mod random;
mod server;
mod services;
mod session;
mod stack;
mod story;
mod surges;
mod technique;
pub mod truth;
mod world;

use std::ops::ControlFlow;
use std::str::FromStr;

pub use file::{ScenarioError, write};
pub use onto::{Onto, OntoError, write_onto};
pub use parameters::{Geography, Overflow, ParameterError, Parameters, Spoofing, Vector, VectorError, View};
pub use services::Service;
pub use technique::{Carpet, Holding, Login, Probe, Stray, Sweep, Technique, Theft, UnknownTechnique};
pub use truth::{MinuteVerdict, ProtectedPrefix, Truth, TruthError, TruthEvent, TruthMinute};

use crate::kind::closed_set;
use crate::time::Timestamp;
use outlet::Sink;
use world::World;

closed_set! {
    /// What can be generated.
    Scenario {
        /// Ordinary traffic and nothing else.
        Calm = "calm",
        /// Ten times the usual visitors, and a server that bears them.
        Rush = "rush",
        /// The same, and a server that does not.
        RushOverload = "rush-overload",
        /// A SYN flood inside ordinary traffic.
        SynFlood = "syn-flood",
        /// Robots from abroad that complete their connections.
        ForeignSurge = "foreign-surge",
        /// People from abroad who follow a link in a newspaper.
        ForeignCrowd = "foreign-crowd",
        /// The application hangs under ordinary traffic.
        Outage = "outage",
        /// A rush that crosses capacity, three attacks around it, and a massive one when it is over.
        LaunchMorning = "launch-morning",
        /// Datagrams of one size at one port.
        UdpFlood = "udp-flood",
        /// Replies of open services that the target never asked for.
        Amplification = "amplification",
        /// Echo messages in excess.
        IcmpFlood = "icmp-flood",
        /// Later fragments without a first one.
        FragmentFlood = "fragment-flood",
        /// Segments without a connection.
        TcpFlagFlood = "tcp-flag-flood",
        /// A whole prefix at once.
        CarpetBombing = "carpet-bombing",
        /// Look-alike connections, from home as well.
        RoboticSurge = "robotic-surge",
        /// Connections held open or wasted.
        ConnectionExhaustion = "connection-exhaustion",
        /// One source, one host, many ports.
        PortScan = "port-scan",
        /// One source, many hosts.
        HostSweep = "host-sweep",
        /// One source, many log-ins.
        BruteForce = "brute-force",
        /// Thousands of sources with a few log-ins each.
        CredentialStuffing = "credential-stuffing",
        /// Data that leaves.
        Exfiltration = "exfiltration",
        /// A server calls out for the first time.
        NewOutbound = "new-outbound",
        /// An inside host calls home.
        Beacon = "beacon",
        /// A crowd of the usual kind.
        FlashCrowd = "flash-crowd",
        /// Results come out at the full hour.
        ExamResults = "exam-results",
        /// Television names the site.
        TvMention = "tv-mention",
        /// Everybody is back.
        HolidayReturn = "holiday-return",
        /// Schools log in at half past eight.
        SchoolMorning = "school-morning",
        /// Phones do.
        MobileMorning = "mobile-morning",
        /// A rush at a site that prefers QUIC.
        Http3Rush = "http3-rush",
        /// A content network opens a region.
        NewCdnRegion = "new-cdn-region",
        /// Every reply takes seconds.
        SlowDatabase = "slow-database",
        /// The second site is gone.
        LostDatacentre = "lost-datacentre",
        /// A file host sends its backup out.
        BackupWindow = "backup-window",
        /// An inside client talks with hundreds of peers.
        PeerToPeer = "peer-to-peer",
        /// Forty health checkers.
        Monitoring = "monitoring",
        /// A one-way stream comes in.
        RtpStream = "rtp-stream",
        /// Announced testers.
        PenTest = "pen-test",
        /// The morning of 6 April 2021.
        Incident1 = "incident-1",
    }
}

impl Scenario {
    /// Returns one line about it, for lists.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::Calm => "ordinary traffic and nothing else",
            Self::Rush => "ten times the usual visitors, served",
            Self::RushOverload => "ten times the usual visitors, twice what the server bears",
            Self::SynFlood => "a SYN flood with forged sources inside ordinary traffic",
            Self::ForeignSurge => "look-alike connections from abroad, completed and served",
            Self::ForeignCrowd => "real people from abroad, sent by a press link",
            Self::Outage => "the application hangs for a while under ordinary traffic",
            Self::LaunchMorning => "a rush beyond capacity, three attacks around it, and a massive SYN flood after it",
            Self::UdpFlood => "datagrams nobody asked for, from forged or few sources",
            Self::Amplification => "replies of open services (DNS, NTP and 22 others) asked in the target's name",
            Self::IcmpFlood => "echo requests or replies in excess",
            Self::FragmentFlood => "later fragments without a first one",
            Self::TcpFlagFlood => "segments that belong to no connection, sent or reflected",
            Self::CarpetBombing => "a flood spread over every address of the prefix",
            Self::RoboticSurge => "look-alike connections, completed and served, from home or anywhere",
            Self::ConnectionExhaustion => "connections held open or wasted: empty, slowloris, slow POST, slow read",
            Self::PortScan => "one source tries the ports of the web server",
            Self::HostSweep => "one source tries every host, or an inside host tries others outside",
            Self::BruteForce => "one source tries one password after the other",
            Self::CredentialStuffing => {
                "thousands of sources with about two log-ins each, beside people who log in and stay"
            }
            Self::Exfiltration => "one client takes document after document, or an inside host sends data out",
            Self::NewOutbound => "the web server opens its first connection outwards",
            Self::Beacon => "an inside host calls home every ten seconds",
            Self::FlashCrowd => "a crowd of the usual kind, of any size and onset",
            Self::ExamResults => "twenty times the visitors within five seconds, ebbing away",
            Self::TvMention => "twenty times the visitors within fifteen seconds, gone in minutes",
            Self::HolidayReturn => "visitors return slowly over half of the capture",
            Self::SchoolMorning => "a rush out of schools, 50 to 2,000 pupils behind an address",
            Self::MobileMorning => "a rush of phones behind a carrier's shared addresses",
            Self::Http3Rush => "a rush at a site where half of all visits use QUIC",
            Self::NewCdnRegion => "sixteen machines of a content network begin to fetch",
            Self::SlowDatabase => "every reply takes three seconds more for a while",
            Self::LostDatacentre => "the second site answers nothing for a while",
            Self::BackupWindow => "a file host sends its nightly backup out",
            Self::PeerToPeer => "an inside client talks with hundreds of peers over UDP",
            Self::Monitoring => "forty health checkers, all day, always the same",
            Self::RtpStream => "a one-way video stream comes in over UDP",
            Self::PenTest => "announced testers sweep, scan and try log-ins",
            Self::Incident1 => {
                "08:30 to 15:00 of 6 April 2021 in 65 minutes: rush, overload, 22 attacks, a massive one"
            }
        }
    }

    /// Returns the parameters it has unless told otherwise.
    #[must_use]
    pub fn defaults(self) -> Parameters {
        plan::defaults(self)
    }

    /// Returns the attack it is named after, in its plainest form; none if it is named after something else.
    #[must_use]
    pub fn technique(self) -> Option<Technique> {
        self.name().parse().ok()
    }

    /// Reads `SCENARIO` or `SCENARIO:VARIANT`, the variant being one of the attack it is named after.
    ///
    /// # Errors
    /// When there is no such scenario or variant.
    pub fn with_variant(text: &str) -> Result<(Self, Option<Technique>), NameError> {
        let name = text.split(':').next().unwrap_or(text);
        let scenario = name.parse()?;
        Ok((scenario, if text.contains(':') { Some(text.parse()?) } else { None }))
    }
}

/// Why a name cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No such scenario.
    #[error(transparent)]
    Scenario(#[from] UnknownScenario),
    /// No such variant.
    #[error(transparent)]
    Technique(#[from] UnknownTechnique),
}

/// A name that is no scenario.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no scenario: choose one of {known}")]
pub struct UnknownScenario {
    name: String,
    known: String,
}

impl FromStr for Scenario {
    type Err = UnknownScenario;

    fn from_str(name: &str) -> Result<Self, UnknownScenario> {
        Self::ALL.iter().copied().find(|scenario| scenario.name() == name).ok_or_else(|| UnknownScenario {
            name: name.to_owned(),
            known: Self::ALL.iter().map(|scenario| scenario.name()).collect::<Vec<_>>().join(", "),
        })
    }
}

/// Generates a scenario: hands every frame (time, length on the wire, bytes kept) to `sink` in time order, and returns
/// what really happened. Memory does not grow with the length of the capture.
///
/// # Errors
/// When the parameters cannot be granted; nothing was handed out.
pub fn generate(
    scenario: Scenario,
    parameters: &Parameters,
    sink: &mut dyn FnMut(Timestamp, u32, &[u8]),
) -> Result<Truth, ParameterError> {
    simulate(scenario, parameters, &mut |timestamp, wire_len, bytes| {
        sink(timestamp, wire_len, bytes);
        ControlFlow::Continue(())
    })
}

/// Generates until the sink breaks off.
fn simulate<'a>(
    scenario: Scenario,
    parameters: &'a Parameters,
    sink: &'a mut Sink<'a>,
) -> Result<Truth, ParameterError> {
    parameters.validate(plan::least(scenario))?;
    parameters.validate_attacks(scenario)?;
    let plan = plan::of(scenario, parameters);
    let mut world = World::new(parameters, &plan, sink);
    world.run();
    Ok(story::tell(scenario, &world))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_has_a_name_that_is_read_again() {
        for scenario in Scenario::ALL {
            assert_eq!(scenario.name().parse(), Ok(*scenario));
            assert!(!scenario.description().is_empty());
        }
        let error = "storm".parse::<Scenario>().unwrap_err().to_string();
        assert!(error.starts_with("`storm` is no scenario: choose one of calm, rush,"), "{error}");
    }
}
