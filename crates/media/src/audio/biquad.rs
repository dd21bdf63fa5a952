//! Second-order filters. Coefficients follow Robert Bristow-Johnson's "Cookbook formulae for audio equalizer biquad
//! filter coefficients" (W3C Note, 2021).

use std::f64::consts::{FRAC_1_SQRT_2, TAU};

use super::SAMPLE_RATE;

/// One filter with its memory, at [`SAMPLE_RATE`].
#[derive(Debug, Clone)]
pub(super) struct Biquad {
    forward: [f64; 3],
    back: [f64; 2],
    state: [f64; 2],
}

impl Biquad {
    /// Takes away what lies below `hz`, 12 dB an octave (Butterworth).
    pub(super) fn high_pass(hz: f64) -> Self {
        let (sin, cos) = (TAU * hz / f64::from(SAMPLE_RATE)).sin_cos();
        let alpha = sin * FRAC_1_SQRT_2;
        Self::new(
            [f64::midpoint(1.0, cos), -(1.0 + cos), f64::midpoint(1.0, cos)],
            [1.0 + alpha, -2.0 * cos, 1.0 - alpha],
        )
    }

    /// Raises or lowers what lies below `hz` by `db`, with the steepest slope that stays monotone.
    pub(super) fn low_shelf(hz: f64, db: f64) -> Self {
        let a = 10.0_f64.powf(db / 40.0);
        let (sin, cos) = (TAU * hz / f64::from(SAMPLE_RATE)).sin_cos();
        let beta = 2.0 * a.sqrt() * sin * FRAC_1_SQRT_2;
        let (plus, minus) = (a + 1.0, a - 1.0);
        Self::new(
            [a * (plus - minus * cos + beta), 2.0 * a * (minus - plus * cos), a * (plus - minus * cos - beta)],
            [plus + minus * cos + beta, -2.0 * (minus + plus * cos), plus + minus * cos - beta],
        )
    }

    /// Raises or lowers a band around `hz` by `db`; `q` is its centre over its width.
    pub(super) fn peak(hz: f64, q: f64, db: f64) -> Self {
        let a = 10.0_f64.powf(db / 40.0);
        let (sin, cos) = (TAU * hz / f64::from(SAMPLE_RATE)).sin_cos();
        let alpha = sin / (2.0 * q);
        Self::new([1.0 + alpha * a, -2.0 * cos, 1.0 - alpha * a], [1.0 + alpha / a, -2.0 * cos, 1.0 - alpha / a])
    }

    /// Leaves every level and turns the phase around `hz` by a whole turn.
    pub(super) fn all_pass(hz: f64, q: f64) -> Self {
        let (sin, cos) = (TAU * hz / f64::from(SAMPLE_RATE)).sin_cos();
        let alpha = sin / (2.0 * q);
        Self::new([1.0 - alpha, -2.0 * cos, 1.0 + alpha], [1.0 + alpha, -2.0 * cos, 1.0 - alpha])
    }

    fn new(forward: [f64; 3], back: [f64; 3]) -> Self {
        Self {
            forward: forward.map(|value| value / back[0]),
            back: [back[1] / back[0], back[2] / back[0]],
            state: [0.0; 2],
        }
    }

    /// Filters in place, going on from the block before (transposed direct form II).
    pub(super) fn run(&mut self, samples: &mut [f32]) {
        let ([b0, b1, b2], [a1, a2]) = (self.forward, self.back);
        let [mut first, mut second] = self.state;
        for sample in samples {
            let input = f64::from(*sample);
            let output = b0 * input + first;
            first = b1 * input - a1 * output + second;
            second = b2 * input - a2 * output;
            *sample = output as f32;
        }
        // Ringing that decayed below hearing is dropped: denormal numbers are a hundred times slower.
        self.state = [first, second].map(|value| if value.abs() < 1e-20 { 0.0 } else { value });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gain in dB at a frequency, from a second of tone after the filter has settled.
    fn gain_db(mut filter: Biquad, hz: f64) -> f64 {
        let mut tone: Vec<f32> = (0..SAMPLE_RATE).map(|n| (TAU * hz * f64::from(n) / 48_000.0).sin() as f32).collect();
        filter.run(&mut tone);
        let half = &tone[tone.len() / 2..];
        let power: f64 = half.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / half.len() as f64;
        10.0 * (power * 2.0).log10()
    }

    #[test]
    fn a_high_pass_takes_rumble_and_leaves_speech() {
        assert!((gain_db(Biquad::high_pass(70.0), 70.0) + 3.01).abs() < 0.05);
        assert!(gain_db(Biquad::high_pass(70.0), 20.0) < -20.0);
        assert!(gain_db(Biquad::high_pass(70.0), 300.0).abs() < 0.05);
    }

    #[test]
    fn a_shelf_lifts_below_and_nothing_above() {
        assert!((gain_db(Biquad::low_shelf(240.0, 4.0), 40.0) - 4.0).abs() < 0.1);
        assert!(gain_db(Biquad::low_shelf(240.0, 4.0), 4_000.0).abs() < 0.05);
    }

    #[test]
    fn an_all_pass_changes_no_level() {
        for hz in [50.0, 400.0, 3_000.0] {
            assert!(gain_db(Biquad::all_pass(400.0, 0.7), hz).abs() < 0.01);
        }
    }

    #[test]
    fn a_peak_works_at_its_centre_alone() {
        assert!((gain_db(Biquad::peak(2_800.0, 0.7, -3.0), 2_800.0) + 3.0).abs() < 0.01);
        assert!(gain_db(Biquad::peak(2_800.0, 0.7, -3.0), 100.0).abs() < 0.05);
    }
}
