//! What is kept of a subject over a restart: levels and profiles, shares, countries, shapes, what the server takes to
//! answer. Windows and tests begin anew.

use serde::{Deserialize, Serialize};

use super::Subject;
use crate::window::foreign::{Foreign, ForeignMemory};
use crate::window::level::{Level, LevelMemory, ShareLevel, ShareMemory};

/// Samples kept of the last hour.
const SAMPLES: usize = 360;

/// Times to the first byte that are remembered at most, and conversations.
const MOST_CASES: u64 = 1 << 40;

/// What is kept of a subject.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SubjectMemory {
    rates: Vec<LevelMemory>,
    shares: Vec<ShareMemory>,
    foreign: ForeignMemory,
    conversations: u64,
    client_data: u64,
    first_byte_usual: [u64; 16],
}

impl Subject {
    /// Returns what is to be kept.
    #[must_use]
    pub fn memory(&self) -> SubjectMemory {
        SubjectMemory {
            rates: self.profiled().iter().map(|series| series.level().memory(SAMPLES)).collect(),
            shares: [&self.unfinished, &self.unanswered, &self.turned_away, &self.silent]
                .map(|series| series.level().memory())
                .to_vec(),
            foreign: self.foreign.memory(),
            conversations: self.conversations,
            client_data: self.client_data,
            first_byte_usual: *self.first_byte.usual(),
        }
    }

    /// Takes what was kept, all of it or nothing; tells whether it did. `aged` is for what is weeks old.
    pub fn recall(&mut self, memory: &SubjectMemory, aged: bool) -> bool {
        self.try_recall(memory, aged).is_some()
    }

    fn try_recall(&mut self, memory: &SubjectMemory, aged: bool) -> Option<()> {
        let rates: Vec<Level> =
            memory.rates.iter().map(|kept| Level::from_memory(kept, aged)).collect::<Option<_>>()?;
        let shares: Vec<ShareLevel> = memory.shares.iter().map(ShareLevel::from_memory).collect::<Option<_>>()?;
        let foreign = Foreign::from_memory(&memory.foreign, aged)?;
        let cases = memory.first_byte_usual.iter().chain([&memory.conversations, &memory.client_data]);
        if rates.len() != self.profiled().len() || shares.len() != 4 || cases.into_iter().any(|n| *n > MOST_CASES) {
            return None;
        }
        self.foreign = foreign;
        for (series, level) in self.profiled_mut().into_iter().zip(rates) {
            series.set_level(level);
        }
        let series = [&mut self.unfinished, &mut self.unanswered, &mut self.turned_away, &mut self.silent];
        for (series, level) in series.into_iter().zip(shares) {
            series.set_level(level);
        }
        (self.conversations, self.client_data) = (memory.conversations, memory.client_data);
        self.first_byte.set_usual(memory.first_byte_usual);
        Some(())
    }
}
