//! Noise reduction of the voice by a recurrent network (`RNNoise`, Valin 2018), in frames of 10 ms.

use nnnoiseless::DenoiseState;

/// What the network takes as full scale.
const SCALE: f32 = 32_768.0;

/// Cleans one channel at 48 kHz; what comes out is one frame late.
pub(super) struct Denoiser {
    state: Box<DenoiseState<'static>>,
    input: Vec<f32>,
    output: Vec<f32>,
}

impl Denoiser {
    /// Samples of a frame, and of the delay.
    pub(super) const FRAME: usize = DenoiseState::FRAME_SIZE;

    pub(super) fn new() -> Self {
        Self { state: DenoiseState::new(), input: vec![0.0; Self::FRAME], output: vec![0.0; Self::FRAME] }
    }

    /// Cleans in place; the length is a multiple of [`Self::FRAME`].
    pub(super) fn run(&mut self, samples: &mut [f32]) {
        for frame in samples.chunks_exact_mut(Self::FRAME) {
            for (input, sample) in self.input.iter_mut().zip(frame.iter()) {
                *input = sample * SCALE;
            }
            self.state.process_frame(&mut self.output, &self.input);
            for (sample, output) in frame.iter_mut().zip(&self.output) {
                *sample = output / SCALE;
            }
        }
    }
}

impl std::fmt::Debug for Denoiser {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Denoiser").finish_non_exhaustive()
    }
}
