//! The Jensen-Shannon divergence of two mixtures (Lin 1991), part by part, and how much of it chance brings.

use std::sync::LazyLock;

/// Expected number from which on a part hardly varies: its term is that of its mean, nothing.
const LARGE: f64 = 300.0;

/// Points of the table for each step of one in the square root of the expected number.
const POINTS: usize = 64;

/// Half of one part's contribution, in bits, where the two mixtures have shares `p` and `q` of it.
pub(super) fn term(p: f64, q: f64) -> f64 {
    let middle = f64::midpoint(p, q);
    let part = |share: f64| if share > 0.0 { share * (share / middle).log2() } else { 0.0 };
    f64::midpoint(part(p), part(q))
}

/// What `term(n, mean)` is expected to be when `n` is Poisson about `mean`. A sample of `total` from a mixture differs by
/// `expected_term(q * total) / total` from a share of `q` in it, since `term` scales with its arguments.
pub(super) fn expected_term(mean: f64) -> f64 {
    if mean >= LARGE {
        return 0.0;
    }
    let place = mean.sqrt() * POINTS as f64;
    let point = index(place.floor()).min(PER_MEAN.len() - 2);
    let (below, above) = (PER_MEAN[point], PER_MEAN[point + 1]);
    mean * (below + (above - below) * (place - point as f64))
}

/// `exact(mean) / mean`, evenly in the square root of the mean; between the points it is nearly straight.
static PER_MEAN: LazyLock<Vec<f64>> = LazyLock::new(|| {
    let points = index(LARGE.sqrt() * POINTS as f64) + 2;
    let mean = |point: usize| (point as f64 / POINTS as f64).powi(2);
    let rest = (1..points).map(mean).map(|mean| exact(mean) / mean);
    // Towards no mean at all a part is missed, which brings half its mean, or seen once, which brings as much again.
    std::iter::once(1.0).chain(rest).collect()
});

fn index(place: f64) -> usize {
    usize::try_from(super::whole(place)).expect("at most a few thousand points")
}

/// `expected_term`, by its definition.
fn exact(mean: f64) -> f64 {
    let most = super::whole(mean + 6.0 * mean.sqrt() + 6.0);
    let (mut probability, mut sum) = ((-mean).exp(), 0.0);
    for n in 0..=most {
        sum += probability * term(n as f64, mean);
        probability *= mean / (n + 1) as f64;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_definition() {
        for thousandths in (1..299_000).step_by(37) {
            let mean = f64::from(thousandths) / 1_000.0;
            let (tabled, exact) = (expected_term(mean), exact(mean));
            assert!((tabled / exact - 1.0).abs() < 2e-4, "{mean}: {tabled} {exact}");
        }
    }

    #[test]
    fn a_rare_part_is_seen_or_missed() {
        // Missed: half its mean. Seen, as often as its mean says: half of one.
        assert!((expected_term(1e-6) / 1e-6 - 1.0).abs() < 1e-3);
    }

    #[test]
    fn a_large_part_varies_as_chi_square_does() {
        // JS is about (n - mean)^2 / (8 mean ln 2) for small differences, and the square's expectation is the mean.
        let expected = 1.0 / (8.0 * std::f64::consts::LN_2);
        assert!((expected_term(290.0) / expected - 1.0).abs() < 0.01, "{}", expected_term(290.0));
    }

    #[test]
    fn terms_scale() {
        assert!((term(3.0, 2.0) - 10.0 * term(0.3, 0.2)).abs() < 1e-12);
    }
}
