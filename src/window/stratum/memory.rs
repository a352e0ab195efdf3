//! What is kept of a stratum over a restart: its usual shapes and its usual sources.

use serde::{Deserialize, Serialize};

use super::Stratum;
use crate::window::mixture::{Cell, Mixture};
use crate::window::shapes::Shapes;
use crate::window::sources::{SourceSums, Sources};

/// What is kept of a stratum.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StratumMemory {
    shapes: Vec<(Cell, f64)>,
    responses: f64,
    sources: SourceSums,
    windows: f64,
}

impl Stratum {
    /// Returns what is to be kept.
    #[must_use]
    pub fn memory(&self) -> StratumMemory {
        let (shapes, responses) = self.shapes.usual().memory();
        let (sources, windows) = self.sources.memory();
        StratumMemory { shapes, responses, sources, windows }
    }

    /// Takes what was kept; `None` when it cannot have come from here.
    #[must_use]
    pub fn from_memory(memory: &StratumMemory) -> Option<Self> {
        Some(Self {
            shapes: Shapes::with_usual(Mixture::from_memory(&memory.shapes, memory.responses)?),
            sources: Sources::with_usual(memory.sources, memory.windows)?,
            ..Self::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_usual_survives_and_nonsense_does_not() {
        let mut usual = Mixture::default();
        (0..500).for_each(|n| usual.learn(n % 10, 1.0, 1.0));
        let sources = SourceSums { sources: 40.0, ..SourceSums::default() };
        let stratum = Stratum {
            shapes: Shapes::with_usual(usual),
            sources: Sources::with_usual(sources, 5.0).unwrap(),
            ..Stratum::default()
        };
        let memory = stratum.memory();
        let after = Stratum::from_memory(&memory).unwrap();
        assert_eq!(after.shapes.usual().total(), 500.0);
        assert_eq!(after.sources.usual(), Some(sources));
        assert!(Stratum::from_memory(&StratumMemory { responses: f64::NAN, ..memory.clone() }).is_none());
        assert!(Stratum::from_memory(&StratumMemory { shapes: vec![(1, -1.0)], ..memory.clone() }).is_none());
        let sources = SourceSums { single: f64::INFINITY, ..sources };
        assert!(Stratum::from_memory(&StratumMemory { sources, ..memory }).is_none());
    }
}
