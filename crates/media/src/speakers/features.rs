//! Mel-frequency cepstral coefficients (S. Davis and P. Mermelstein, IEEE Transactions on Acoustics, Speech, and Signal
//! Processing 28, 1980): the shape of the spectrum as the ear groups it, without its level.

use std::f32::consts::{PI, TAU};
use std::sync::Arc;

use realfft::num_complex::Complex32;
use realfft::{RealFftPlanner, RealToComplex};

use super::gaussian::{COEFFICIENTS, Gaussian};
use crate::source::SPEECH_RATE;

/// 25 ms.
const WINDOW: usize = 400;
/// 10 ms.
const HOP: usize = 160;
const FFT: usize = 512;
const BANDS: usize = 26;
/// Below lies hum, above what telephones and codecs take away.
const LOWEST_HZ: f32 = 80.0;
const HIGHEST_HZ: f32 = 7_200.0;
const PRE_EMPHASIS: f32 = 0.97;
/// The part of an utterance's frames, its loudest, that tells the voice: the rest is pauses and what lies behind them.
const LOUDEST: f32 = 0.6;

/// Computes timbres; keeps its buffers from one utterance to the next.
pub(super) struct Extractor {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    /// For each band its first bin and the weights from there.
    bands: Vec<(usize, Vec<f32>)>,
    cosines: Vec<[f32; BANDS]>,
    input: Vec<f32>,
    spectrum: Vec<Complex32>,
    scratch: Vec<Complex32>,
}

impl Extractor {
    pub(super) fn new() -> Self {
        let fft = RealFftPlanner::new().plan_fft_forward(FFT);
        let hamming = |n: usize| 0.54 - 0.46 * (TAU * n as f32 / (WINDOW - 1) as f32).cos();
        let cosine = |k: usize| std::array::from_fn(|band| (PI * k as f32 * (band as f32 + 0.5) / BANDS as f32).cos());
        Self {
            window: (0..WINDOW).map(hamming).collect(),
            bands: bands(),
            cosines: (1..=COEFFICIENTS).map(cosine).collect(),
            input: fft.make_input_vec(),
            spectrum: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            fft,
        }
    }

    /// The distribution of the coefficients of a sound of 16 kHz.
    pub(super) fn timbre(&mut self, sound: &[f32]) -> Gaussian {
        let mut frames: Vec<(f32, [f32; COEFFICIENTS])> =
            sound.windows(WINDOW).step_by(HOP).filter_map(|window| self.frame(window)).collect();
        frames.sort_by(|a, b| b.0.total_cmp(&a.0));
        frames.truncate((frames.len() as f32 * LOUDEST).ceil() as usize);
        let mut timbre = Gaussian::default();
        for (_, coefficients) in &frames {
            timbre.add(coefficients);
        }
        timbre
    }

    /// Level and coefficients of a frame; none for digital silence.
    fn frame(&mut self, samples: &[f32]) -> Option<(f32, [f32; COEFFICIENTS])> {
        let power: f32 = samples.iter().map(|x| x * x).sum();
        if power < 1e-8 {
            return None;
        }
        let mut before = samples[0];
        for ((input, &sample), weight) in self.input.iter_mut().zip(samples).zip(&self.window) {
            *input = (sample - PRE_EMPHASIS * before) * weight;
            before = sample;
        }
        self.input[WINDOW..].fill(0.0);
        self.fft.process_with_scratch(&mut self.input, &mut self.spectrum, &mut self.scratch).ok()?;
        let mut levels = [0.0; BANDS];
        for (level, (first, weights)) in levels.iter_mut().zip(&self.bands) {
            let bins = self.spectrum[*first..].iter().zip(weights);
            *level = bins.map(|(bin, weight)| bin.norm_sqr() * weight).sum::<f32>().max(1e-10).ln();
        }
        let coefficient = |k: usize| levels.iter().zip(&self.cosines[k]).map(|(level, cosine)| level * cosine).sum();
        Some((power, std::array::from_fn(coefficient)))
    }
}

/// Triangles that overlap by half, evenly on the mel scale (`2595 log10(1 + f / 700)`).
fn bands() -> Vec<(usize, Vec<f32>)> {
    let mel = |hz: f32| 2595.0 * (1.0 + hz / 700.0).log10();
    let hz = |mel: f32| 700.0 * (10.0_f32.powf(mel / 2595.0) - 1.0);
    let (low, high) = (mel(LOWEST_HZ), mel(HIGHEST_HZ));
    let edge =
        |index: usize| hz(low + (high - low) * index as f32 / (BANDS + 1) as f32) * FFT as f32 / SPEECH_RATE as f32;
    (0..BANDS)
        .map(|band| {
            let (left, middle, right) = (edge(band), edge(band + 1), edge(band + 2));
            let first = left.ceil() as usize;
            let weight = |bin: usize| {
                let bin = bin as f32;
                ((bin - left) / (middle - left)).min((right - bin) / (right - middle)).max(0.0)
            };
            (first, (first..=right.floor() as usize).map(weight).collect())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_band_hears_something_and_together_they_hear_all() {
        let bands = bands();
        assert!(bands.iter().all(|(_, weights)| weights.iter().sum::<f32>() > 0.3), "{bands:?}");
        // Between the middles of the first and the last band the triangles add up to one.
        for bin in 10..200_usize {
            let sum: f32 = bands.iter().filter_map(|(first, weights)| weights.get(bin.checked_sub(*first)?)).sum();
            assert!((sum - 1.0).abs() < 1e-3, "bin {bin} has the weight {sum}");
        }
    }

    #[test]
    fn level_does_not_change_a_timbre_and_colour_does() {
        let tone = |hz: f32, level: f32| -> Vec<f32> {
            (0..16_000).map(|n| level * (TAU * (hz * n as f32 / 16_000.0).fract()).sin()).collect()
        };
        let mut extractor = Extractor::new();
        let mut mean = |sound: &[f32]| extractor.timbre(sound).mean();
        let (soft, loud, high) = (mean(&tone(300.0, 0.05)), mean(&tone(300.0, 0.5)), mean(&tone(2_000.0, 0.5)));
        let distance = |a: &[f64; COEFFICIENTS], b: &[f64; COEFFICIENTS]| -> f64 {
            a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
        };
        assert!(distance(&loud, &high) > 20.0 * distance(&soft, &loud), "{soft:?} {loud:?} {high:?}");
    }
}
