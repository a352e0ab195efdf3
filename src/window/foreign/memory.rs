//! What is kept of a subject's countries over a restart.

use serde::{Deserialize, Serialize};

use super::{ALL_COUNTRIES, Foreign};
use crate::country::Country;
use crate::window::foreign::countries::CountryWindow;
use crate::window::level::{Level, LevelMemory, ShareLevel, ShareMemory};

/// Samples kept of each country: enough for a median.
const SAMPLES: usize = 40;

/// Ten-second samples of five years: no count is believed beyond it.
const MOST_SAMPLES: u32 = 1 << 24;

/// What is kept of the countries; home and abroad are kept with the subject's other rates.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ForeignMemory {
    share: ShareMemory,
    samples: u32,
    countries: Vec<(u32, LevelMemory)>,
}

impl Foreign {
    /// Returns what is to be kept.
    #[must_use]
    pub fn memory(&self) -> ForeignMemory {
        let country = |(country, window): (Country, &CountryWindow)| {
            (u32::try_from(country.index()).unwrap_or(u32::MAX), window.level().memory(SAMPLES))
        };
        ForeignMemory {
            share: self.abroad.share.level().memory(),
            samples: self.samples,
            countries: self.countries.iter().map(country).collect(),
        }
    }

    /// Takes what was kept; `None` when it cannot have come from here.
    #[must_use]
    pub fn from_memory(memory: &ForeignMemory, aged: bool) -> Option<Self> {
        let samples = memory.samples.min(MOST_SAMPLES);
        let mut foreign = Self { samples, ..Self::default() };
        foreign.abroad.share.set_level(ShareLevel::from_memory(&memory.share)?);
        if memory.countries.len() > ALL_COUNTRIES {
            return None;
        }
        for (index, kept) in &memory.countries {
            let country = Country::from_index(usize::try_from(*index).ok()?);
            let window = CountryWindow::with_level(Level::from_memory(kept, aged)?, f64::from(samples));
            if !(country.is_known() && foreign.countries.insert(country, window)) {
                return None;
            }
        }
        Some(foreign)
    }
}
