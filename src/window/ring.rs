//! An exact sliding sum over the last `N` ticks: one addition and one subtraction a tick.
//!
//! Exponential histograms (Datar et al. 2002) were considered: with time already cut into ticks a ring is smaller and
//! exact (DETECTION 1.1). Counts that are rolled together lie side by side ([`Rows`]), since what costs is memory: of some
//! hundred hosts all windows are visited in every tick.

/// The last `N` values and their sum.
#[derive(Clone, Debug)]
pub struct Ring<const N: usize> {
    values: [u64; N],
    next: usize,
    filled: usize,
    sum: u64,
}

impl<const N: usize> Default for Ring<N> {
    fn default() -> Self {
        Self { values: [0; N], next: 0, filled: 0, sum: 0 }
    }
}

impl<const N: usize> Ring<N> {
    /// Takes the newest value; the oldest leaves.
    pub fn push(&mut self, value: u64) {
        if value == 0 && self.sum == 0 && self.filled == N {
            // Nothing but zeros, and one more: wherever the next value goes, the window is the same.
            return;
        }
        self.sum = self.sum - self.values[self.next] + value;
        self.values[self.next] = value;
        self.next = if self.next + 1 < N { self.next + 1 } else { 0 };
        self.filled = (self.filled + 1).min(N);
    }

    /// Takes so many zeros.
    pub fn skip(&mut self, count: u64) {
        (0..count.min(N as u64)).for_each(|_| self.push(0));
    }

    /// Returns the sum of the whole window.
    #[must_use]
    pub const fn sum(&self) -> u64 {
        self.sum
    }

    /// Returns the sum of the newest `count` values, at most the whole window.
    #[must_use]
    pub fn recent(&self, count: usize) -> u64 {
        if count >= N || self.sum == 0 {
            return self.sum;
        }
        // The newest lie before the next, and what does not fit there at the end.
        let at_end = count.saturating_sub(self.next);
        let before = &self.values[self.next + at_end - count..self.next];
        before.iter().chain(&self.values[N - at_end..]).sum()
    }

    /// Returns what the sum of the whole window is after so many zeros.
    #[must_use]
    pub fn sum_after(&self, zeros: u64) -> u64 {
        self.recent(usize::try_from(zeros).map_or(0, |zeros| N.saturating_sub(zeros)))
    }

    /// Returns the value pushed `back` pushes ago; 0 is the newest.
    #[must_use]
    pub const fn back(&self, back: usize) -> u64 {
        self.values[(self.next + N - 1 - back % N) % N]
    }

    /// Returns how many values were pushed, up to `N`.
    #[must_use]
    pub const fn filled(&self) -> usize {
        self.filled
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

/// The same for `K` counts at once: a tick is one row of neighbours, so that rolling them reads a few lines of memory where
/// as many rings read two each.
#[derive(Clone, Debug)]
pub struct Rows<const K: usize, const N: usize> {
    /// Counts of the tick under way.
    now: [u64; K],
    sums: [u64; K],
    next: usize,
    rows: [[u64; K]; N],
}

impl<const K: usize, const N: usize> Default for Rows<K, N> {
    fn default() -> Self {
        Self { now: [0; K], sums: [0; K], next: 0, rows: [[0; K]; N] }
    }
}

impl<const K: usize, const N: usize> Rows<K, N> {
    /// Adds to a count of the tick under way.
    pub const fn add(&mut self, which: usize, count: u64) {
        self.now[which] += count;
    }

    /// Ends the tick; the oldest leaves.
    pub fn roll(&mut self) {
        let row = &mut self.rows[self.next];
        for ((sum, gone), now) in self.sums.iter_mut().zip(row.iter()).zip(&self.now) {
            *sum = *sum - gone + now;
        }
        *row = std::mem::replace(&mut self.now, [0; K]);
        self.next = (self.next + 1) % N;
    }

    /// Returns the sum of a count over the window, the tick under way left out.
    #[must_use]
    pub const fn sum(&self, which: usize) -> u64 {
        self.sums[which]
    }

    /// Returns the sum of a count over the last `count` ticks.
    #[must_use]
    pub fn recent(&self, which: usize, count: usize) -> u64 {
        if count >= N || self.sums[which] == 0 {
            return self.sums[which];
        }
        (0..count).map(|back| self.back(which, back)).sum()
    }

    /// Returns the value of a single tick, so many ticks ago (0 is the newest).
    #[must_use]
    pub const fn back(&self, which: usize, back: usize) -> u64 {
        self.rows[(self.next + N - 1 - back % N) % N][which]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_sum_is_that_of_the_last_values(values in proptest::collection::vec(0_u64..1 << 40, 0..100)) {
            let mut ring = Ring::<8>::default();
            for value in &values {
                ring.push(*value);
            }
            let last: Vec<u64> = values.iter().rev().take(8).copied().collect();
            prop_assert_eq!(ring.sum(), last.iter().sum::<u64>());
            prop_assert_eq!(ring.recent(3), last.iter().take(3).sum::<u64>());
            prop_assert_eq!(ring.filled(), last.len());
            for (back, value) in last.iter().enumerate() {
                prop_assert_eq!(ring.back(back), *value);
            }
        }

        #[test]
        fn zeros_that_are_skipped_are_zeros_that_were_taken(
            runs in proptest::collection::vec((0_u64..1 << 40, 0_u64..20), 0..20),
        ) {
            let (mut pushed, mut skipped) = (Ring::<8>::default(), Ring::<8>::default());
            for (value, zeros) in runs {
                pushed.push(value);
                skipped.push(value);
                (0..zeros).for_each(|_| pushed.push(0));
                prop_assert_eq!(skipped.sum_after(zeros), pushed.sum());
                skipped.skip(zeros);
                prop_assert_eq!((skipped.sum(), skipped.filled()), (pushed.sum(), pushed.filled()));
                (0..8).for_each(|back| assert_eq!(skipped.back(back), pushed.back(back)));
            }
        }

        #[test]
        fn a_row_of_counts_is_as_many_rings(
            ticks in proptest::collection::vec(proptest::array::uniform3(0_u64..1 << 40), 0..40),
            span in 0_usize..10,
        ) {
            let (mut rows, mut rings) = (Rows::<3, 8>::default(), [(); 3].map(|()| Ring::<8>::default()));
            for tick in ticks {
                for (which, count) in tick.into_iter().enumerate() {
                    rows.add(which, count / 2);
                    rows.add(which, count - count / 2);
                    rings[which].push(count);
                }
                rows.roll();
            }
            for (which, ring) in rings.iter().enumerate() {
                prop_assert_eq!(rows.sum(which), ring.sum());
                prop_assert_eq!(rows.recent(which, span), ring.recent(span));
                (0..8).for_each(|back| assert_eq!(rows.back(which, back), ring.back(back)));
            }
        }
    }
}
