//! What is run: one world, made up or recorded, with the place it has on the score sheet.

use std::fmt;
use std::path::PathBuf;

use crate::kind::{AlertKind, closed_set};
use crate::scenario::{Parameters, Scenario, Truth};

closed_set! {
    /// What a world is there to find out.
    Group {
        /// Is an attack found inside ordinary traffic?
        Attack = "attack",
        /// Is a rush that is served left in peace?
        Rush = "rush",
        /// Is a server that does not keep up told from an attack?
        Overload = "overload",
        /// Are people from abroad left in peace?
        ForeignCrowd = "foreign_crowd",
        /// Is ordinary traffic left in peace?
        Calm = "calm",
        /// Is a server that fails by itself told as such?
        Outage = "outage",
        /// Are attacks around and inside an overloading rush found?
        Mixed = "mixed",
        /// Only one direction is captured.
        OneSided = "one_sided",
        /// The mirror port loses frames.
        Lossy = "lossy",
        /// The mirror port shows every frame twice.
        Doubled = "doubled",
        /// Everybody comes through a content network.
        Fronted = "fronted",
        /// The morning that gave this project its question.
        Incident = "incident",
        /// Home is another country.
        OtherHome = "other_home",
        /// The user's own captures.
        Capture = "capture",
    }
}

/// Which cell of the score sheet a world belongs to.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Stratum {
    /// What it is there to find out.
    pub group: Group,
    /// The scenario; `None` for captures.
    pub scenario: Option<Scenario>,
    /// Rate of the attack as a multiple of the ordinary rate, where that is what is varied.
    pub rate: Option<f64>,
}

impl fmt::Display for Stratum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.group.fmt(f)?;
        if let Some(scenario) = self.scenario {
            write!(f, "/{scenario}")?;
        }
        if let Some(rate) = self.rate {
            write!(f, "/x{rate}")?;
        }
        Ok(())
    }
}

/// Where the frames of a world come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// Simulated.
    Simulated {
        /// What happens.
        scenario: Scenario,
        /// How.
        parameters: Box<Parameters>,
    },
    /// Recorded.
    Recorded {
        /// The capture.
        capture: PathBuf,
        /// The truth beside it.
        truth: Box<Truth>,
    },
}

/// One world.
#[derive(Clone, Debug, PartialEq)]
pub struct World {
    /// Its name, unlike any other's in a run: stratum and seed, or the file.
    pub name: String,
    /// Its place on the score sheet.
    pub stratum: Stratum,
    /// Where its frames come from.
    pub origin: Origin,
}

impl World {
    /// Returns the kind of attack it is about, if it is about a single one.
    #[must_use]
    pub fn kind(&self) -> Option<AlertKind> {
        kind_of(self.stratum.scenario?)
    }

    /// Returns the ordinary connections a second, where they are known.
    #[must_use]
    pub fn usual(&self) -> Option<f64> {
        match &self.origin {
            Origin::Simulated { parameters, .. } => Some(parameters.rate),
            Origin::Recorded { .. } => None,
        }
    }
}

/// Returns the kind of the attack that a scenario is named after.
pub(super) fn kind_of(scenario: Scenario) -> Option<AlertKind> {
    scenario.technique().map(|technique| technique.kind())
}
