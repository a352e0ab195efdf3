//! What more than three quarters of many things are, in one place: the majority vote (Boyer & Moore 1981).

/// The vote. A candidate gains on each vote for it and loses on each other.
#[derive(Clone, Copy, Debug)]
pub struct Majority<T> {
    candidate: Option<T>,
    lead: u32,
    votes: u32,
}

impl<T> Default for Majority<T> {
    fn default() -> Self {
        Self { candidate: None, lead: 0, votes: 0 }
    }
}

impl<T: Copy + PartialEq> Majority<T> {
    /// Takes a vote.
    pub fn vote(&mut self, thing: T) {
        self.votes = self.votes.saturating_add(1);
        if self.candidate == Some(thing) {
            self.lead = self.lead.saturating_add(1);
        } else if self.lead == 0 {
            (self.candidate, self.lead) = (Some(thing), 1);
        } else {
            self.lead -= 1;
        }
    }

    /// Returns the candidate if its lead is at least half of all votes: it then has at least half of them, and three
    /// quarters if it led from the beginning.
    #[must_use]
    pub fn clear(&self) -> Option<T> {
        self.candidate.filter(|_| self.lead.saturating_mul(2) >= self.votes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_majority_is_named() {
        let mut majority = Majority::default();
        assert_eq!(majority.clear(), None);
        (0..90).for_each(|_| majority.vote(7));
        (0..10).for_each(|other| majority.vote(other + 100));
        assert_eq!(majority.clear(), Some(7));
        (0..90).for_each(|_| majority.vote(8));
        assert_eq!(majority.clear(), None);
    }
}
