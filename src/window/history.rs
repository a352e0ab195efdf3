//! What a subject served, and what it was asked, over the last five minutes that were quiet.

use std::collections::VecDeque;

use crate::window::series::median;

/// Samples kept: five minutes of ten seconds.
const KEPT: usize = 30;

/// Served connections and first SYNs a second by ten seconds.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The newest last.
    samples: VecDeque<(f64, f64)>,
    most_served: f64,
}

impl History {
    /// Takes the rates of ten seconds.
    pub fn push(&mut self, served: f64, first_syns: f64) {
        if self.samples.len() == KEPT {
            self.samples.pop_front();
        }
        self.samples.push_back((served, first_syns));
        // Asked for in every tick, and changed once in ten seconds.
        self.most_served = self.samples.iter().map(|(served, _)| *served).fold(0.0, f64::max);
    }

    /// Returns how many samples there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Tells whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Returns the most that was served a second.
    #[must_use]
    pub const fn most_served(&self) -> f64 {
        self.most_served
    }

    /// Returns the medians of what was served and of first SYNs, a second.
    #[must_use]
    pub fn usual(&self) -> Option<(f64, f64)> {
        let served = median(self.samples.iter().map(|(served, _)| *served))?;
        let first_syns = median(self.samples.iter().map(|(_, first_syns)| *first_syns))?;
        Some((served, first_syns))
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_is_that_of_the_last_five_minutes() {
        let mut history = History::default();
        history.push(900.0, 1.0);
        (0..29).for_each(|n| history.push(f64::from(n), 2.0));
        assert_eq!((history.len(), history.most_served()), (KEPT, 900.0));
        history.push(5.0, 2.0);
        assert_eq!((history.len(), history.most_served()), (KEPT, 28.0));
        assert_eq!(history.usual(), Some((14.0, 2.0)));
        history.clear();
        assert_eq!((history.is_empty(), history.usual(), history.most_served()), (true, None, 0.0));
    }
}
