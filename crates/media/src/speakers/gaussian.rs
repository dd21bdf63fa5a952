//! Distributions of coefficients, kept as sums so that joining two costs nothing.

/// Coefficients of a frame, the level (the zeroth) left out.
pub(super) const COEFFICIENTS: usize = 14;

/// Frames' worth of a broad distribution that every one has from the start: a second of speech says little about the
/// rarer directions of fourteen.
const PRIOR_FRAMES: f64 = 15.0;
/// The variance of that distribution, about that of all speech.
const PRIOR_VARIANCE: f64 = 60.0;

/// What is known of the coefficients of some frames.
#[derive(Debug, Clone, Default)]
pub(super) struct Gaussian {
    frames: f64,
    sum: [f64; COEFFICIENTS],
    /// Sums of products; only the lower triangle is kept up.
    products: [[f64; COEFFICIENTS]; COEFFICIENTS],
}

impl Gaussian {
    pub(super) fn add(&mut self, coefficients: &[f32; COEFFICIENTS]) {
        self.frames += 1.0;
        for row in 0..COEFFICIENTS {
            let value = f64::from(coefficients[row]);
            self.sum[row] += value;
            for (product, other) in self.products[row].iter_mut().zip(&coefficients[..=row]) {
                *product += value * f64::from(*other);
            }
        }
    }

    /// Both together.
    pub(super) fn joined(&self, other: &Self) -> Self {
        let mut joined = self.clone();
        joined.frames += other.frames;
        for row in 0..COEFFICIENTS {
            joined.sum[row] += other.sum[row];
            for column in 0..=row {
                joined.products[row][column] += other.products[row][column];
            }
        }
        joined
    }

    pub(super) fn frames(&self) -> f64 {
        self.frames
    }

    #[cfg(test)]
    pub(super) fn mean(&self) -> [f64; COEFFICIENTS] {
        self.sum.map(|sum| sum / self.frames.max(1.0))
    }

    /// The logarithm of the determinant of the covariance, by Cholesky's decomposition.
    pub(super) fn log_determinant(&self) -> f64 {
        let whole = self.frames + PRIOR_FRAMES;
        let mut lower = [[0.0_f64; COEFFICIENTS]; COEFFICIENTS];
        let mut log = 0.0;
        for row in 0..COEFFICIENTS {
            for column in 0..=row {
                let spread = self.products[row][column] - self.sum[row] * self.sum[column] / self.frames.max(1.0);
                let prior = if row == column { PRIOR_FRAMES * PRIOR_VARIANCE } else { 0.0 };
                let known: f64 = (0..column).map(|k| lower[row][k] * lower[column][k]).sum();
                let left = (spread + prior) / whole - known;
                lower[row][column] = if row == column { left.max(1e-9).sqrt() } else { left / lower[column][column] };
            }
            log += 2.0 * lower[row][row].ln();
        }
        log
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_determinant_is_that_of_the_variances_where_nothing_goes_together() {
        let mut gaussian = Gaussian::default();
        // Each direction in turn, both ways: variance 2 · 100² / 28 in each, no covariance.
        for repeat in 0..200 {
            for direction in 0..COEFFICIENTS {
                let mut frame = [0.0; COEFFICIENTS];
                frame[direction] = if repeat % 2 == 0 { 100.0 } else { -100.0 };
                gaussian.add(&frame);
            }
        }
        let variance = (200.0 * 1e4 + PRIOR_FRAMES * PRIOR_VARIANCE) / (200.0 * 14.0 + PRIOR_FRAMES);
        let wanted = COEFFICIENTS as f64 * variance.ln();
        assert!((gaussian.log_determinant() - wanted).abs() < 1e-9);
    }

    #[test]
    fn joining_is_adding_all_frames() {
        let frame = |seed: u32| std::array::from_fn(|k| ((seed * 31 + k as u32 * 17) % 23) as f32);
        let (mut a, mut b, mut both) = (Gaussian::default(), Gaussian::default(), Gaussian::default());
        for seed in 0..50 {
            let half = if seed % 3 == 0 { &mut a } else { &mut b };
            half.add(&frame(seed));
            both.add(&frame(seed));
        }
        let joined = a.joined(&b);
        assert!((joined.log_determinant() - both.log_determinant()).abs() < 1e-9);
        assert!((joined.frames() - 50.0).abs() < 1e-9);
    }

    #[test]
    fn nothing_at_all_has_a_determinant_too() {
        assert!(Gaussian::default().log_determinant().is_finite());
    }
}
