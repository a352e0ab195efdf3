//! An exact sliding sum over the last `N` ticks: one addition and one subtraction a tick.
//!
//! Exponential histograms (Datar et al. 2002) were considered: with time already cut into ticks a ring is smaller and
//! exact (DETECTION 1.1).

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
        self.next = (self.next + 1) % N;
        self.filled = (self.filled + 1).min(N);
    }

    /// Returns the sum of the whole window.
    #[must_use]
    pub const fn sum(&self) -> u64 {
        self.sum
    }

    /// Returns the sum of the newest `count` values, at most the whole window.
    #[must_use]
    pub fn recent(&self, count: usize) -> u64 {
        if count >= N {
            return self.sum;
        }
        // The newest lie before the next, and what does not fit there at the end.
        let at_end = count.saturating_sub(self.next);
        let before = &self.values[self.next + at_end - count..self.next];
        before.iter().chain(&self.values[N - at_end..]).sum()
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
    }
}
