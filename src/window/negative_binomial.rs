//! The tail of a negative binomial count, bounded without special functions (DETECTION 1.3).

/// Bounds the evidence, in decades, that a count of mean `mu` and shape `k` (variance mu + mu^2/k) reaches `x`: the
/// Chernoff bound, never more than the exact one. `k` infinite gives Poisson. Zero for `x <= mu`.
#[must_use]
pub fn evidence(x: f64, mu: f64, k: f64) -> f64 {
    if x <= mu || mu <= 0.0 {
        return 0.0;
    }
    let nats = if k.is_finite() {
        x * (x / mu).ln() - (x + k) * ((x + k) / (mu + k)).ln()
    } else {
        x * (x / mu).ln() - (x - mu)
    };
    (nats / std::f64::consts::LN_10).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exact upper tail by summing the probability function.
    fn exact_log10_tail(x: u32, mu: f64, k: f64) -> f64 {
        let p = mu / (mu + k);
        let mut log_term = k * (k / (mu + k)).ln();
        let mut terms = Vec::new();
        for n in 0..x + 2_000 {
            if n >= x {
                terms.push(log_term);
            }
            log_term += ((f64::from(n) + k) / (f64::from(n) + 1.0)).ln() + p.ln();
        }
        let largest = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (largest + terms.iter().map(|t| (t - largest).exp()).sum::<f64>().ln()) / std::f64::consts::LN_10
    }

    #[test]
    fn the_bound_never_claims_more_than_the_exact_tail() {
        for mu in [1.0, 4.0, 20.0, 100.0] {
            for k in [2.0, 10.0, 100.0] {
                for x in [2_u32, 10, 30, 150, 400] {
                    let (bound, exact) = (evidence(f64::from(x), mu, k), -exact_log10_tail(x, mu, k));
                    assert!(bound <= exact + 1e-9, "x {x} mu {mu} k {k}: {bound} > {exact}");
                    assert!(f64::from(x) <= mu || exact - bound < 3.0, "x {x} mu {mu} k {k}: {bound} << {exact}");
                }
            }
        }
    }

    #[test]
    fn ten_thousand_random_cases_keep_the_bound_of_the_exact_tail() {
        use statrs::distribution::{DiscreteCDF as _, NegativeBinomial};

        let uniform = |n: u64, key: u64| (crate::hash::mix(n, key) >> 11) as f64 / (1_u64 << 53) as f64;
        let mut widest: f64 = 0.0;
        for n in 0..10_000 {
            let mu = 10_f64.powf(4.0 * uniform(n, 1));
            let k = 2.0 * 250_f64.powf(uniform(n, 2));
            let spread = (mu + mu * mu / k).sqrt();
            let x = crate::window::whole(mu + 1.0 + 6.0 * spread * uniform(n, 3));
            // The incomplete beta function of statrs: P(X >= x) = P(X > x - 1).
            let tail = NegativeBinomial::new(k, k / (mu + k)).unwrap().sf(x - 1);
            let (bound, exact) = (evidence(x as f64, mu, k), -tail.log10());
            // Below 1e-12 the exact one has no digits left.
            if exact < 12.0 {
                assert!(bound <= exact + 1e-6, "x {x} mu {mu} k {k}: {bound} > {exact}");
                widest = widest.max(exact - bound);
            }
        }
        assert!(widest > 0.5 && widest < 3.0, "never more than three decades cautious: {widest}");
    }

    #[test]
    fn at_or_below_the_mean_there_is_no_evidence() {
        assert_eq!(evidence(3.0, 3.0, 5.0), 0.0);
        assert_eq!(evidence(0.0, 3.0, 5.0), 0.0);
        assert_eq!(evidence(5.0, 0.0, 5.0), 0.0);
    }
}
