//! The short-time Fourier transform that MDX-Net models were trained with: a periodic Hann window, frames centred on their
//! times, the sound mirrored at its ends, and nothing scaled, as in `torch.stft`.

use std::{f32::consts::TAU, sync::Arc};

use realfft::{ComplexToReal, RealFftPlanner, RealToComplex, num_complex::Complex32};

/// Samples from one frame to the next.
pub(super) const HOP: usize = 1024;
/// Less of the windows than this over a sample is none.
const LEAST_WEIGHT: f32 = 1e-8;

/// How a model sees a sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    /// Samples of a window.
    pub(super) window: usize,
    /// The lowest frequencies of the window that are looked at.
    pub(super) bins: usize,
    /// Windows of one chunk.
    pub(super) frames: usize,
}

impl Size {
    /// Samples of a chunk.
    pub(super) fn samples(self) -> usize {
        HOP * (self.frames - 1)
    }

    /// Numbers of one plane: the real or the imaginary part of one channel, frequencies one after the other.
    pub(super) fn plane(self) -> usize {
        self.bins * self.frames
    }
}

/// From sound to planes and back; keeps its buffers from one chunk to the next.
pub(super) struct Transform {
    size: Size,
    forward: Arc<dyn RealToComplex<f32>>,
    backward: Arc<dyn ComplexToReal<f32>>,
    window: Vec<f32>,
    /// For each sample of the padded chunk, how much of the squared windows lies over it.
    weights: Vec<f32>,
    padded: Vec<f32>,
    time: Vec<f32>,
    spectrum: Vec<Complex32>,
}

impl Transform {
    pub(super) fn new(size: Size) -> Self {
        let mut planner = RealFftPlanner::new();
        let (forward, backward) = (planner.plan_fft_forward(size.window), planner.plan_fft_inverse(size.window));
        let hann = |n: usize| 0.5 - 0.5 * (TAU * n as f32 / size.window as f32).cos();
        let window: Vec<f32> = (0..size.window).map(hann).collect();
        let mut weights = vec![0.0; size.samples() + size.window];
        for frame in 0..size.frames {
            for (weight, window) in weights[frame * HOP..].iter_mut().zip(&window) {
                *weight += window * window;
            }
        }
        Self {
            padded: vec![0.0; weights.len()],
            time: forward.make_input_vec(),
            spectrum: forward.make_output_vec(),
            size,
            forward,
            backward,
            window,
            weights,
        }
    }

    /// Writes the real and imaginary planes of one channel of a chunk.
    pub(super) fn analyse(&mut self, sound: impl Iterator<Item = f32>, real: &mut [f32], imaginary: &mut [f32]) {
        let (half, samples, frames) = (self.size.window / 2, self.size.samples(), self.size.frames);
        self.padded[half..].iter_mut().zip(sound).for_each(|(padded, sample)| *padded = sample);
        for n in 0..half {
            self.padded[half - 1 - n] = self.padded[half + 1 + n];
            self.padded[half + samples + n] = self.padded[half + samples - 2 - n];
        }
        for frame in 0..frames {
            let windowed = self.padded[frame * HOP..].iter().zip(&self.window).map(|(sample, window)| sample * window);
            self.time.iter_mut().zip(windowed).for_each(|(time, sample)| *time = sample);
            // Fails only for buffers of another length than the plan's.
            let _ = self.forward.process(&mut self.time, &mut self.spectrum);
            for (bin, value) in self.spectrum[..self.size.bins].iter().enumerate() {
                real[bin * frames + frame] = value.re;
                imaginary[bin * frames + frame] = value.im;
            }
        }
    }

    /// The sound of two planes: as long as a chunk. Frequencies above the planes are none.
    pub(super) fn synthesise(&mut self, real: &[f32], imaginary: &[f32]) -> Vec<f32> {
        let (half, frames) = (self.size.window / 2, self.size.frames);
        self.padded.fill(0.0);
        for frame in 0..frames {
            self.spectrum.fill(Complex32::default());
            for (bin, value) in self.spectrum[..self.size.bins].iter_mut().enumerate() {
                *value = Complex32::new(real[bin * frames + frame], imaginary[bin * frames + frame]);
            }
            // What is real in time has no imaginary part at the lowest and the highest frequency.
            self.spectrum[0].im = 0.0;
            self.spectrum[half].im = 0.0;
            let _ = self.backward.process(&mut self.spectrum, &mut self.time);
            let added = self.time.iter().zip(&self.window).map(|(sample, window)| sample * window);
            self.padded[frame * HOP..].iter_mut().zip(added).for_each(|(padded, sample)| *padded += sample);
        }
        let scale = 1.0 / self.size.window as f32;
        let middle = half..half + self.size.samples();
        let weighted = self.padded[middle.clone()].iter().zip(&self.weights[middle]);
        weighted.map(|(sample, weight)| sample * scale / weight.max(LEAST_WEIGHT)).collect()
    }
}

impl std::fmt::Debug for Transform {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Transform").field("size", &self.size).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { window: 4096, bins: 2049, frames: 12 };

    fn noise(count: usize) -> Vec<f32> {
        let mut state: u32 = 7;
        let next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        };
        std::iter::repeat_with(next).take(count).collect()
    }

    #[test]
    fn sound_that_is_analysed_and_synthesised_is_itself() {
        let sound = noise(SIZE.samples());
        let (mut real, mut imaginary) = (vec![0.0; SIZE.plane()], vec![0.0; SIZE.plane()]);
        let mut transform = Transform::new(SIZE);
        // Twice, since buffers are kept.
        for _ in 0..2 {
            transform.analyse(sound.iter().copied(), &mut real, &mut imaginary);
            let back = transform.synthesise(&real, &imaginary);
            assert_eq!(back.len(), sound.len());
            let worst = sound.iter().zip(&back).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-4, "{worst}");
        }
    }

    #[test]
    fn a_frame_is_the_windowed_sound_around_its_time() {
        let sound = noise(SIZE.samples());
        let (mut real, mut imaginary) = (vec![0.0; SIZE.plane()], vec![0.0; SIZE.plane()]);
        Transform::new(SIZE).analyse(sound.iter().copied(), &mut real, &mut imaginary);
        // By the definition of the transform, for one frequency of two frames; before its beginning the sound is mirrored.
        for (frame, bin) in [(0_usize, 3_usize), (5, 700)] {
            let (mut re, mut im) = (0.0_f64, 0.0_f64);
            for n in 0..SIZE.window {
                let at = (frame * HOP + n).abs_diff(SIZE.window / 2);
                let phase = std::f64::consts::TAU * ((n * bin) % SIZE.window) as f64 / SIZE.window as f64;
                let hann = 0.5 - 0.5 * (std::f64::consts::TAU * n as f64 / SIZE.window as f64).cos();
                let sample = f64::from(sound[at]) * hann;
                re += sample * phase.cos();
                im -= sample * phase.sin();
            }
            let found = (f64::from(real[bin * SIZE.frames + frame]), f64::from(imaginary[bin * SIZE.frames + frame]));
            assert!((found.0 - re).abs() < 1e-2 && (found.1 - im).abs() < 1e-2, "{found:?} is not {:?}", (re, im));
        }
    }
}
