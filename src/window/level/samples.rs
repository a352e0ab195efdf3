//! The accepted samples of the last hour, and their median and spread.

use super::KEPT;

/// A ring of samples and their order. Six bytes each: there are hundreds of subjects and countries.
///
/// Some hundred series take a sample in each tick, and to select two medians anew from an hour of them was most of what a
/// tick cost. With the order kept, a sample is put into its place, and both medians are looked up.
#[derive(Clone, Debug, Default)]
pub(super) struct Samples {
    values: Vec<f32>,
    /// Places of the values by what they are, equal ones by their places.
    order: Vec<u16>,
    next: usize,
    /// Median and spread, while nothing has changed them.
    middle: Option<(f64, f64)>,
}

impl Samples {
    /// Takes samples, oldest first, at most [`KEPT`].
    pub(super) fn of(values: Vec<f32>) -> Self {
        let mut samples = Self { values, ..Self::default() };
        samples.sort();
        samples
    }

    #[expect(clippy::cast_possible_truncation, reason = "seven digits are plenty for a median, two bytes for a place")]
    pub(super) fn push(&mut self, value: f64) {
        let (value, place) = (value as f32, self.next);
        if self.values.len() < KEPT {
            self.values.push(value);
            return self.enter(self.values.len() as u16 - 1);
        }
        self.next = (self.next + 1) % KEPT;
        // Most samples are those of silent countries, all alike, and change nothing.
        if self.values[place].to_bits() != value.to_bits() {
            let rank = self.rank(place as u16);
            self.order.remove(rank);
            self.values[place] = value;
            self.enter(place as u16);
        }
    }

    /// Puts the value of a place into the order.
    fn enter(&mut self, place: u16) {
        let rank = self.rank(place);
        self.order.insert(rank, place);
        self.middle = None;
    }

    /// Returns how many values come before that of a place.
    fn rank(&self, place: u16) -> usize {
        let key = |place: u16| (self.values[usize::from(place)], place);
        let (value, place) = key(place);
        self.order.partition_point(|other| {
            let (other, at) = key(*other);
            other.total_cmp(&value).then(at.cmp(&place)).is_lt()
        })
    }

    fn sort(&mut self) {
        self.order.clear();
        self.order.extend((0..).take(self.values.len()));
        let value = |place: &u16| self.values[usize::from(*place)];
        self.order.sort_by(|a, b| value(a).total_cmp(&value(b)));
        self.middle = None;
    }

    /// Returns the median of the samples and their spread: what `median_and_spread` computes anew.
    pub(super) fn middle(&mut self) -> (f64, f64) {
        if self.middle.is_none() {
            self.middle = Some(self.look_up_middle());
        }
        self.middle.unwrap_or_default()
    }

    /// The same, looked up in the order. Of the half of the samples that is nearest to the median, which lie side by side,
    /// the farther end is as far as the median deviation; and no other half so long has its farther end as near.
    fn look_up_middle(&self) -> (f64, f64) {
        let (count, half) = (self.order.len(), self.order.len() / 2);
        if count == 0 {
            return (0.0, 0.0);
        }
        let sorted = |rank: usize| self.values[usize::from(self.order[rank])];
        let centre = sorted(half);
        let (down, up) = (|from: usize| centre - sorted(from), |from: usize| sorted(from + half) - centre);
        // The first half that reaches as far up as down; it, or the one before, reaches least.
        let (mut first, mut beyond) = (0, count - half - 1);
        while first < beyond {
            let between = usize::midpoint(first, beyond);
            if up(between) < down(between) { first = between + 1 } else { beyond = between }
        }
        let deviation = (first.saturating_sub(1)..=first).map(|from| down(from).max(up(from))).fold(f32::MAX, f32::min);
        (f64::from(centre), 1.4826 * f64::from(deviation))
    }

    /// Adds to every sample.
    pub(super) fn shift(&mut self, by: f32) {
        self.values.iter_mut().for_each(|value| *value += by);
        self.sort();
    }

    /// Returns how many there are.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// Returns the newest `count` samples, or what there is of them, oldest first.
    pub(super) fn newest(&self, count: usize) -> Vec<f32> {
        let old = self.values.len().saturating_sub(count);
        self.values[self.next..].iter().chain(&self.values[..self.next]).skip(old).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::window::level::median_and_spread;

    #[test]
    fn the_middle_is_that_of_the_samples_whatever_came() {
        let mut samples = Samples::default();
        let runs = [(0.0, 50), (1.0, 3), (0.0, 700), (2.0, 2), (0.0, 400), (-1.0, 300), (0.0, 200), (0.5, 800)];
        for (value, count) in runs {
            for n in 0..count {
                samples.push(if n % 97 == 96 { 7.0 } else { value });
                assert_eq!(samples.middle(), median_and_spread(&samples.values));
            }
            samples.shift(0.25);
            assert_eq!(samples.middle(), median_and_spread(&samples.values));
        }
    }

    proptest! {
        #[test]
        fn the_middle_is_that_of_any_samples(
            few in proptest::collection::vec(-3_i8..4, 0..40),
            many in proptest::collection::vec(-40.0_f64..40.0, 0..500),
            by in -1.0_f32..1.0,
        ) {
            let mut samples = Samples::default();
            prop_assert_eq!(samples.middle(), (0.0, 0.0));
            for value in few.iter().map(|value| f64::from(*value)).chain(many) {
                samples.push(value);
                prop_assert_eq!(samples.middle(), median_and_spread(&samples.values));
            }
            let mut again = Samples::of(samples.newest(KEPT));
            prop_assert_eq!(again.middle(), samples.middle());
            samples.shift(by);
            prop_assert_eq!(samples.middle(), median_and_spread(&samples.values));
        }
    }
}
