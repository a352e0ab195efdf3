//! Labelled traffic: what `vigie synth` writes, what `eval`, the fixtures and the benches are fed with.
//!
//! A scenario is simulated packet by packet: people with real stacks, networks and patience, servers with real queues,
//! attackers with real tools. Nothing here knows a detector, a threshold or an alert but the names of CONTRACT 4, so
//! that what is measured on it is not what was built into it. The same scenario, parameters and seed give the same
//! bytes on every machine.

mod blocks;
mod connection;
mod datagram;
mod file;
mod flood;
mod frame;
mod health;
mod number;
mod parameters;
mod plan;
mod population;
mod queue;
mod random;
mod server;
mod stack;
mod story;
pub mod truth;
mod world;

use std::ops::ControlFlow;
use std::str::FromStr;

pub use file::{ScenarioError, write};
pub use parameters::{Overflow, ParameterError, Parameters, Spoofing};
pub use truth::{ProtectedPrefix, Truth, TruthError, TruthEvent};

use crate::kind::closed_set;
use crate::time::Timestamp;
use world::{Sink, World};

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
        }
    }

    /// Returns the parameters it has unless told otherwise.
    #[must_use]
    pub fn defaults(self) -> Parameters {
        plan::defaults(self)
    }
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
