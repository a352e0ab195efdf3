//! Peaks over a threshold: how far the largest of many values may be expected to go (DETECTION 1.6).
//!
//! What exceeds a high threshold is nearly distributed as a generalised Pareto (Pickands 1975), whatever was below it.
//! Fitted by probability-weighted moments (Hosking & Wallis 1987), which need no iteration and hold for shapes under a
//! half; heavier tails are taken as a half.

/// Excesses needed for a fit.
pub const LEAST: usize = 20;

/// Bounds of the shape: 0 is exponential, more is heavier.
const SHAPES: (f64, f64) = (-0.5, 0.5);

/// A generalised Pareto distribution of excesses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pareto {
    /// Shape (xi).
    pub shape: f64,
    /// Scale (sigma), positive.
    pub scale: f64,
}

impl Pareto {
    /// Fits excesses over a threshold; `None` for fewer than [`LEAST`] or none above zero.
    #[must_use]
    pub fn fit(excesses: &[f64]) -> Option<Self> {
        let n = excesses.len();
        if n < LEAST {
            return None;
        }
        let mut sorted = excesses.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let mean = sorted.iter().sum::<f64>() / n as f64;
        // The moment E[x (1 - F(x))], with plotting positions (i - 0.35) / n.
        let weighted = sorted.iter().enumerate().map(|(i, x)| x * (1.0 - (i as f64 + 0.65) / n as f64)).sum::<f64>();
        let weighted = weighted / n as f64;
        let divisor = mean - 2.0 * weighted;
        if mean <= 0.0 || divisor <= 0.0 {
            return None;
        }
        let shape = (2.0 - mean / divisor).clamp(SHAPES.0, SHAPES.1);
        // The mean is scale / (1 - shape): with a bounded shape the scale still meets it.
        Some(Self { shape, scale: mean * (1.0 - shape) })
    }

    /// Returns the excess that one in `times` exceeds, `times` at least 1.
    #[must_use]
    pub fn exceeded_once_in(&self, times: f64) -> f64 {
        let times = times.max(1.0);
        if self.shape.abs() < 1e-6 {
            return self.scale * times.ln();
        }
        self.scale / self.shape * (times.powf(self.shape) - 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::mix;

    /// Draws by inversion, so that the quantile function is what is tested twice.
    fn sample(shape: f64, scale: f64, n: u64) -> Vec<f64> {
        (0..n)
            .map(|i| {
                let tail = (mix(i, 41) >> 11) as f64 / (1_u64 << 53) as f64;
                Pareto { shape, scale }.exceeded_once_in(1.0 / tail.max(1e-12))
            })
            .collect()
    }

    #[test]
    fn the_quantile_is_the_closed_form() {
        assert!((Pareto { shape: 0.0, scale: 2.0 }.exceeded_once_in(100.0) - 2.0 * 100.0_f64.ln()).abs() < 1e-12);
        let heavy = Pareto { shape: 0.25, scale: 1.0 };
        assert!((heavy.exceeded_once_in(16.0) - 4.0).abs() < 1e-12);
        let bounded = Pareto { shape: -0.5, scale: 1.0 };
        assert!((bounded.exceeded_once_in(1e18) - 2.0).abs() < 1e-6);
        assert_eq!(heavy.exceeded_once_in(1.0), 0.0);
    }

    #[test]
    fn a_fit_finds_shape_and_scale() {
        for (shape, scale) in [(-0.2, 1.0), (0.0, 3.0), (0.2, 0.5)] {
            let fit = Pareto::fit(&sample(shape, scale, 20_000)).unwrap();
            assert!((fit.shape - shape).abs() < 0.05, "{shape}: {fit:?}");
            assert!((fit.scale / scale - 1.0).abs() < 0.05, "{scale}: {fit:?}");
        }
    }

    #[test]
    fn too_few_or_equal_excesses_are_no_tail_or_a_short_one() {
        assert_eq!(Pareto::fit(&[1.0; LEAST - 1]), None);
        assert_eq!(Pareto::fit(&[0.0; 100]), None);
        let equal = Pareto::fit(&[1.0; 100]).unwrap();
        assert!(equal.exceeded_once_in(1e6) <= 3.1, "{equal:?}");
    }

    #[test]
    fn a_tail_too_heavy_to_fit_is_bounded() {
        let fit = Pareto::fit(&sample(1.5, 1.0, 5_000)).unwrap();
        assert_eq!(fit.shape, 0.5);
        assert!(fit.exceeded_once_in(1e9).is_finite());
    }
}
