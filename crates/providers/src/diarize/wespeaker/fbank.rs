//! Filter banks as Kaldi computes them, which speaker encoders were trained with: logarithms of the energies in 80 bands of
//! the mel scale, every 10 ms, each band less its own mean (D. Povey et al., "The Kaldi speech recognition toolkit", ASRU
//! 2011; its `compute-fbank-feats` with a Hamming window, without dither and without the energy itself).

use std::{f32::consts::TAU, sync::Arc};

use ai::diarize::SAMPLE_RATE;
use realfft::{RealFftPlanner, RealToComplex, num_complex::Complex32};

pub(super) const BANDS: usize = 80;
/// 25 ms.
pub(super) const WINDOW: usize = 400;
/// 10 ms.
const HOP: usize = 160;
const FFT: usize = 512;
const LOWEST_HZ: f32 = 20.0;
const HIGHEST_HZ: f32 = SAMPLE_RATE as f32 / 2.0;
const PRE_EMPHASIS: f32 = 0.97;

/// Computes filter banks; keeps its buffers.
pub(super) struct FilterBank {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    /// For each band its first frequency and the weights from there.
    bands: Vec<(usize, Vec<f32>)>,
    time: Vec<f32>,
    spectrum: Vec<Complex32>,
}

impl FilterBank {
    pub(super) fn new() -> Self {
        let fft = RealFftPlanner::new().plan_fft_forward(FFT);
        let hamming = |n: usize| 0.54 - 0.46 * (TAU * n as f32 / (WINDOW - 1) as f32).cos();
        Self {
            window: (0..WINDOW).map(hamming).collect(),
            bands: (0..BANDS).map(band).collect(),
            time: fft.make_input_vec(),
            spectrum: fft.make_output_vec(),
            fft,
        }
    }

    /// The frames of a sound, [`BANDS`] numbers each. There are none of less than [`WINDOW`] samples.
    pub(super) fn frames(&mut self, samples: &[i16]) -> Vec<[f32; BANDS]> {
        let mut frames: Vec<_> = samples.windows(WINDOW).step_by(HOP).map(|window| self.frame(window)).collect();
        let count = frames.len().max(1) as f32;
        for band in 0..BANDS {
            let mean = frames.iter().map(|frame| frame[band]).sum::<f32>() / count;
            for frame in &mut frames {
                frame[band] -= mean;
            }
        }
        frames
    }

    fn frame(&mut self, samples: &[i16]) -> [f32; BANDS] {
        let mean = samples.iter().map(|&sample| f32::from(sample)).sum::<f32>() / WINDOW as f32;
        // The first sample has none before it and counts as its own.
        let mut before = f32::from(samples[0]) - mean;
        for ((time, &sample), window) in self.time.iter_mut().zip(samples).zip(&self.window) {
            let sample = f32::from(sample) - mean;
            *time = (sample - PRE_EMPHASIS * before) * window;
            before = sample;
        }
        self.time[WINDOW..].fill(0.0);
        // Fails only for buffers of another length than the plan's.
        let _ = self.fft.process(&mut self.time, &mut self.spectrum);
        let energy = |band: usize| {
            let (first, weights) = &self.bands[band];
            let bins = self.spectrum[*first..].iter().zip(weights);
            bins.map(|(bin, weight)| bin.norm_sqr() * weight).sum::<f32>().max(f32::EPSILON).ln()
        };
        std::array::from_fn(energy)
    }
}

impl std::fmt::Debug for FilterBank {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("FilterBank").finish_non_exhaustive()
    }
}

/// A triangle on the mel scale (`1127 ln(1 + f / 700)`); its neighbours begin and end at its middle.
fn band(index: usize) -> (usize, Vec<f32>) {
    let mel = |hz: f32| 1127.0 * (1.0 + hz / 700.0).ln();
    let (lowest, highest) = (mel(LOWEST_HZ), mel(HIGHEST_HZ));
    let step = (highest - lowest) / (BANDS + 1) as f32;
    let (left, middle, right) =
        (lowest + step * index as f32, lowest + step * (index + 1) as f32, lowest + step * (index + 2) as f32);
    let of_bin = |bin: usize| mel(bin as f32 * SAMPLE_RATE as f32 / FFT as f32);
    // The highest frequency of the transform is left out.
    let inside = |bin: &usize| of_bin(*bin) > left && of_bin(*bin) < right;
    let bins: Vec<usize> = (0..FFT / 2).filter(inside).collect();
    let weight = |&bin: &usize| {
        let at = of_bin(bin);
        if at <= middle { (at - left) / (middle - left) } else { (right - at) / (right - middle) }
    };
    (bins.first().copied().unwrap_or(0), bins.iter().map(weight).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hertz: f32, level: f32) -> Vec<i16> {
        let wave = |n: u32| level * (TAU * (hertz * n as f32 / SAMPLE_RATE as f32).fract()).sin();
        (0..SAMPLE_RATE).map(|n| wave(n) as i16).collect()
    }

    #[test]
    fn frames_are_25_ms_every_10_ms() {
        let mut bank = FilterBank::new();
        for (samples, count) in [(0, 0), (399, 0), (400, 1), (559, 1), (560, 2), (16_000, 98)] {
            assert_eq!(bank.frames(&vec![0; samples]).len(), count, "{samples}");
        }
    }

    #[test]
    fn a_tone_is_loudest_in_its_own_band() {
        let mut bank = FilterBank::new();
        for hertz in [300.0, 1_000.0, 4_000.0_f32] {
            let frame = bank.frame(&tone(hertz, 8_000.0)[..WINDOW]);
            let loudest = (0..BANDS).max_by(|&a, &b| frame[a].total_cmp(&frame[b])).unwrap();
            let (first, weights) = band(loudest);
            let bin = hertz * FFT as f32 / SAMPLE_RATE as f32;
            assert!((first as f32 - 1.0..=(first + weights.len()) as f32).contains(&bin), "{hertz} is in {loudest}");
        }
    }

    #[test]
    fn every_band_is_less_its_mean_and_silence_has_the_least_energy() {
        let mut bank = FilterBank::new();
        let samples: Vec<i16> = tone(500.0, 4_000.0).into_iter().zip(tone(3.0, 1.0)).map(|(a, b)| a / 2 + b).collect();
        let frames = bank.frames(&samples);
        for band in 0..BANDS {
            let mean = frames.iter().map(|frame| frame[band]).sum::<f32>() / frames.len() as f32;
            assert!(mean.abs() < 1e-3, "{band}: {mean}");
        }
        assert!(bank.frame(&[0; WINDOW]).iter().all(|&energy| (energy - f32::EPSILON.ln()).abs() < 1e-6));
    }

    #[test]
    fn loudness_moves_all_energies_alike() {
        let mut bank = FilterBank::new();
        let (loud, soft) = (bank.frame(&tone(700.0, 16_000.0)[..WINDOW]), bank.frame(&tone(700.0, 4_000.0)[..WINDOW]));
        let loudest = (0..BANDS).max_by(|&a, &b| loud[a].total_cmp(&loud[b])).unwrap();
        assert!((loud[loudest] - soft[loudest] - 16.0_f32.ln()).abs() < 0.01);
    }
}
