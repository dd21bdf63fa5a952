//! The spectrogram that Whisper listens to, as its makers compute it (A. Radford et al., "Robust speech recognition via
//! large-scale weak supervision", 2022; `whisper/audio.py` of their code): energies of 25 ms every 10 ms in bands of the
//! mel scale, their logarithms, and nothing more than 80 dB below the loudest of the half minute.

use std::{f64::consts::TAU, sync::Arc};

use ai::stt::SAMPLE_RATE;
use realfft::{RealFftPlanner, RealToComplex, num_complex::Complex32};

/// Half a minute, which is what the models were trained with; what is shorter is followed by silence.
pub(super) const CHUNK_SAMPLES: usize = 30 * SAMPLE_RATE as usize;
/// Frames of a chunk.
pub(super) const CHUNK_FRAMES: usize = CHUNK_SAMPLES / HOP;
/// 10 ms.
pub(super) const HOP: usize = 160;
/// 25 ms.
const WINDOW: usize = 400;
const BINS: usize = WINDOW / 2 + 1;
/// The least energy that has a logarithm.
const LEAST_ENERGY: f32 = 1e-10;
/// Powers of ten below the loudest.
const RANGE: f32 = 8.0;

/// Computes spectrograms; keeps its buffers.
pub(super) struct MelSpectrogram {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    /// For each band its first frequency and the weights from there.
    bands: Vec<(usize, Vec<f32>)>,
    time: Vec<f32>,
    spectrum: Vec<Complex32>,
}

impl MelSpectrogram {
    /// One of so many bands, 80 or 128.
    pub(super) fn new(bands: usize) -> Self {
        let fft = RealFftPlanner::new().plan_fft_forward(WINDOW);
        let hann = |n: usize| (0.5 - 0.5 * (TAU * n as f64 / WINDOW as f64).cos()) as f32;
        Self {
            window: (0..WINDOW).map(hann).collect(),
            bands: (0..bands).map(|band| filter(band, bands)).collect(),
            time: fft.make_input_vec(),
            spectrum: fft.make_output_vec(),
            fft,
        }
    }

    /// The first `frames` frames of the half minute that begins with `samples`: for each band all frames.
    pub(super) fn compute(&mut self, samples: &[i16], frames: usize) -> Vec<f32> {
        let mut mel = vec![LEAST_ENERGY.log10(); self.bands.len() * frames];
        let mut loudest = LEAST_ENERGY.log10();
        for frame in 0..frames {
            if !self.hear(samples, frame) {
                continue;
            }
            for (band, (first, weights)) in self.bands.iter().enumerate() {
                let bins = self.spectrum[*first..].iter().zip(weights);
                let energy = bins.map(|(bin, weight)| bin.norm_sqr() * weight).sum::<f32>();
                let level = energy.max(LEAST_ENERGY).log10();
                mel[band * frames + frame] = level;
                loudest = loudest.max(level);
            }
        }
        for level in &mut mel {
            *level = (level.max(loudest - RANGE) + 4.0) / 4.0;
        }
        mel
    }

    /// The spectrum of a frame; false where there is nothing to hear in it.
    fn hear(&mut self, samples: &[i16], frame: usize) -> bool {
        let (half, last) = (WINDOW / 2, CHUNK_SAMPLES - 1);
        let mut audible = false;
        for (n, (time, window)) in self.time.iter_mut().zip(&self.window).enumerate() {
            // Windows stand with their middle at their frame; beyond its ends a chunk is mirrored.
            let place = (frame * HOP + n).abs_diff(half);
            let place = if place > last { 2 * last - place } else { place };
            let sample = samples.get(place).copied().unwrap_or(0);
            audible |= sample != 0;
            *time = f32::from(sample) / 32_768.0 * window;
        }
        // Fails only for buffers of another length than the plan's.
        audible && self.fft.process(&mut self.time, &mut self.spectrum).is_ok()
    }
}

impl std::fmt::Debug for MelSpectrogram {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("MelSpectrogram").field("bands", &self.bands.len()).finish_non_exhaustive()
    }
}

/// A band of M. Slaney's mel scale (Auditory Toolbox, 1998), from nothing to half the sample rate: a triangle of area 1
/// whose neighbours begin and end at its middle.
fn filter(band: usize, bands: usize) -> (usize, Vec<f32>) {
    let highest = mel(f64::from(SAMPLE_RATE) / 2.0);
    let edge = |n: usize| hertz(highest * n as f64 / (bands + 1) as f64);
    let (left, middle, right) = (edge(band), edge(band + 1), edge(band + 2));
    let weight = |bin: usize| {
        let at = bin as f64 * f64::from(SAMPLE_RATE) / WINDOW as f64;
        let height = ((at - left) / (middle - left)).min((right - at) / (right - middle));
        height.max(0.0) * 2.0 / (right - left)
    };
    let bins: Vec<usize> = (0..BINS).filter(|bin| weight(*bin) > 0.0).collect();
    (bins.first().copied().unwrap_or(0), bins.iter().map(|bin| weight(*bin) as f32).collect())
}

/// Hertz of a step below 1000 Hz, where the scale is even.
const EVEN_STEP: f64 = 200.0 / 3.0;
/// Where the scale turns from even steps to even ratios.
const TURN_HERTZ: f64 = 1000.0;
/// Steps from 1000 to 6400 Hz.
const RATIO_STEPS: f64 = 27.0;

fn mel(hertz: f64) -> f64 {
    if hertz < TURN_HERTZ {
        hertz / EVEN_STEP
    } else {
        TURN_HERTZ / EVEN_STEP + (hertz / TURN_HERTZ).ln() * RATIO_STEPS / 6.4_f64.ln()
    }
}

fn hertz(mel: f64) -> f64 {
    let turn = TURN_HERTZ / EVEN_STEP;
    if mel < turn { mel * EVEN_STEP } else { TURN_HERTZ * ((mel - turn) * 6.4_f64.ln() / RATIO_STEPS).exp() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A square wave of 440 Hz that comes and goes, in noise.
    fn signal(count: u64) -> Vec<i16> {
        let mut state: u32 = 7;
        let sample = |n: u64| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = ((state >> 16).cast_signed() - 32_768) >> 4;
            let wave = if (n * 880 / 16_000).is_multiple_of(2) { 4_000 } else { -4_000 };
            (if n % 8_000 < 5_000 { wave } else { 0 } + noise) as i16
        };
        (0..count).map(sample).collect()
    }

    /// Bands and frames with what numpy 2.4 has for them in double precision: `np.pad(…, mode="reflect")`, `np.fft.rfft`
    /// and triangles written anew from the formula of librosa's `filters.mel(sr=16000, n_fft=400)`.
    fn check(bands: usize, count: u64, mean: f32, expected: &[(usize, usize, f32)]) {
        let mel = MelSpectrogram::new(bands).compute(&signal(count), CHUNK_FRAMES);
        assert_eq!(mel.len(), bands * CHUNK_FRAMES);
        let found = mel.iter().map(|&level| f64::from(level)).sum::<f64>() / mel.len() as f64;
        assert!((found - f64::from(mean)).abs() < 1e-4, "the mean is {found}");
        for &(band, frame, level) in expected {
            let found = mel[band * CHUNK_FRAMES + frame];
            assert!((found - level).abs() < 2e-4, "band {band}, frame {frame}: {found} instead of {level}");
        }
    }

    #[test]
    fn a_second_and_a_half_in_80_bands_is_what_another_implementation_computes() {
        check(
            80,
            24_000,
            -0.742_750,
            &[
                (0, 0, 0.801_70),
                (3, 1, 0.389_14),
                (11, 40, 0.249_13),
                (40, 20, 0.380_34),
                (40, 51, 0.292_65),
                (60, 100, 0.358_23),
                (79, 149, 0.339_42),
                (79, 150, 0.134_21),
                (5, 151, -0.497_46),
                (7, 2_998, -0.806_33),
                (77, 2_999, -0.806_33),
            ],
        );
    }

    #[test]
    fn a_whole_half_minute_in_128_bands_is_mirrored_at_its_ends() {
        check(
            128,
            480_000,
            0.434_362,
            &[
                (0, 0, 0.725_94),
                (3, 1, 0.221_02),
                (64, 51, 0.281_32),
                (108, 100, 0.345_69),
                (127, 149, 0.398_48),
                (7, 2_998, 0.367_52),
                (125, 2_999, 0.521_88),
            ],
        );
    }

    #[test]
    fn silence_is_the_same_level_everywhere() {
        let mel = MelSpectrogram::new(80).compute(&[0; 1_600], 100);
        assert!(mel.len() == 8_000 && mel.iter().all(|&level| (level - -1.5).abs() < 1e-6));
    }
}
