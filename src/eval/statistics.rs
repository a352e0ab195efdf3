//! The few statistics of a score sheet: intervals, quantiles that never drop a miss, bounds on rare events.

/// The two-sided 95 % quantile of the normal distribution.
const Z: f64 = 1.959_964;

/// Returns the 95 % interval of a share, `hits` of `n` (Wilson 1927): never outside 0 to 1, and honest for small `n`. For
/// no cases it is everything.
#[must_use]
pub fn wilson(hits: usize, n: usize) -> (f64, f64) {
    if n == 0 {
        return (0.0, 1.0);
    }
    let (n, share) = (n as f64, hits as f64 / n as f64);
    let centre = (share + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    // At the ends the formula is exact but for rounding.
    let low = if hits == 0 { 0.0 } else { (centre - half).max(0.0) };
    (low, if hits as f64 >= n { 1.0 } else { (centre + half).min(1.0) })
}

/// Returns the quantile `q` (0 to 1) by the nearest rank: the value that at least `q` of all values do not exceed. Misses
/// stand among the values as infinity. `None` for no values.
#[must_use]
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank within the number of values")]
    let rank = (q.clamp(0.0, 1.0) * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

/// Returns the upper 95 % bound on the mean of a Poisson count of which `seen` were seen: the mean under which so few or
/// fewer come up in one of twenty (Garwood 1936, one-sided). For none seen it is 3.0, the rule of three.
#[must_use]
pub fn poisson_upper(seen: u64) -> f64 {
    // The tail falls as the mean grows: halve the interval that holds the answer.
    let (mut low, mut high) = (seen as f64, 2.0 * seen as f64 + 10.0);
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if poisson_at_most(seen, middle) > 0.05 { low = middle } else { high = middle }
    }
    high
}

/// Returns the probability of at most `count` events when `mean` are expected.
fn poisson_at_most(count: u64, mean: f64) -> f64 {
    let mut logarithm = -mean;
    let mut sum = logarithm.exp();
    for k in 1..=count {
        logarithm += (mean / k as f64).ln();
        sum += logarithm.exp();
    }
    sum.min(1.0)
}

/// Returns the mean, `None` for no values.
#[must_use]
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_share_is_that_of_the_tables() {
        // Brown, Cai & DasGupta 2001, and any textbook: 9 of 10.
        let (low, high) = wilson(9, 10);
        assert!((low - 0.5958).abs() < 1e-4 && (high - 0.9821).abs() < 1e-4, "{low} {high}");
        assert_eq!(wilson(0, 0), (0.0, 1.0));
        assert_eq!(wilson(600, 600).1, 1.0);
        assert!((wilson(600, 600).0 - 0.9936).abs() < 1e-4);
        assert_eq!(wilson(0, 7).0, 0.0);
    }

    #[test]
    fn a_miss_is_never_dropped_from_a_quantile() {
        let delays = [1.0, 2.0, 3.0, f64::INFINITY];
        assert_eq!(quantile(&delays, 0.5), Some(2.0));
        assert_eq!(quantile(&delays, 0.75), Some(3.0));
        assert_eq!(quantile(&delays, 0.95), Some(f64::INFINITY));
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[7.0], 0.0), Some(7.0));
    }

    #[test]
    fn nothing_seen_is_bounded_by_the_rule_of_three() {
        assert!((poisson_upper(0) - 2.9957).abs() < 1e-3);
        // Chi-squared tables: half the 95 % point with 2 (k + 1) degrees of freedom.
        assert!((poisson_upper(1) - 4.7439).abs() < 1e-3);
        assert!((poisson_upper(10) - 16.9622).abs() < 1e-3);
        assert!(poisson_upper(2_000) < 2_100.0);
    }
}
