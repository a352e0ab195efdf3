//! Silence: a partition that holds nothing ends a tick without a look at its stores.
//!
//! A capture whose packets lie days apart is ticked for five minutes after each of them, in all partitions.

use super::Partition;

impl Partition {
    /// Tells, at the end of a tick, whether ending the next one would change nothing if no packet came before it: nothing is
    /// held, and no sampler has a rate to recover. What was asked is not looked at, since its generations are numbered by
    /// ticks and go on.
    pub(super) fn holds_nothing(&self) -> bool {
        self.table.live() == 0
            && self.pending.is_empty()
            && self.places.is_empty()
            && self.cohort.is_empty()
            && self.attempts.is_at_rest()
            && self.contacts.is_at_rest()
    }
}
