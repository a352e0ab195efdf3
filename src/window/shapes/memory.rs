//! What is kept of the usual mixture of shapes over a restart.

use serde::{Deserialize, Serialize};

use super::{CELLS, Cell, FADE_AT, Shapes};

/// The usual mixture and how evenly sources usually share it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ShapesMemory {
    usual: Vec<(Cell, f64)>,
    spreads: Vec<f64>,
}

impl Shapes {
    /// Returns what is to be kept.
    #[must_use]
    pub fn memory(&self) -> ShapesMemory {
        ShapesMemory {
            usual: self.usual.iter().map(|(cell, count)| (*cell, *count)).collect(),
            spreads: self.spreads.iter().copied().collect(),
        }
    }

    /// Takes what was kept; `None` when it cannot have come from here.
    #[must_use]
    pub fn from_memory(memory: &ShapesMemory) -> Option<Self> {
        let counts = memory.usual.iter().map(|(_, count)| *count);
        let total: f64 = counts.clone().sum();
        let fine = memory.usual.len() <= CELLS + 1
            && memory.spreads.len() <= 60
            && counts.clone().all(|count| count > 0.0)
            && total <= FADE_AT + 1.0
            && memory.spreads.iter().all(|spread| (0.0..=1e6).contains(spread));
        if !fine {
            return None;
        }
        let usual: std::collections::BTreeMap<Cell, f64> = memory.usual.iter().copied().collect();
        let usual_total = usual.values().sum();
        Some(Self { usual, usual_total, spreads: memory.spreads.iter().copied().collect(), ..Self::default() })
    }
}
