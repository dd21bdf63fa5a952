//! A look-ahead limiter of the true peak: the level that lies between the samples, found at four times their rate.

use std::collections::VecDeque;
use std::f64::consts::PI;

use super::SAMPLE_RATE;

/// Points of the curve between two samples that are looked at, the sample itself among them.
const PHASES: usize = 4;

/// Samples from which one point is interpolated.
const TAPS: usize = 16;

/// Samples by which the detector is late.
const HALF: usize = TAPS / 2;

/// Samples over which the gain moves down before a peak: 4 ms.
const WINDOW: usize = 192;

/// Seconds in which the gain goes 63 % of the way up again.
const RELEASE: f64 = 0.120;

/// Frames that are looked through at a time for anything near the ceiling.
const PART: usize = 32;

/// Frames by which the output is late.
pub(super) const LATENCY: usize = WINDOW - 1 + HALF;

/// Limits stereo, both channels by the same gain.
#[derive(Debug)]
pub(super) struct Limiter {
    ceiling: f32,
    detector: Detector,
    window: Minimum,
    release: f32,
    gain: f32,
    /// The last gains; their mean is what is applied.
    gains: VecDeque<f32>,
    sum: f64,
    delayed: VecDeque<[f32; 2]>,
    needed: Vec<f32>,
}

impl Limiter {
    /// Limits to a true peak in dB over full scale.
    pub(super) fn new(ceiling_dbtp: f64) -> Self {
        Self {
            ceiling: super::amplitude(ceiling_dbtp),
            detector: Detector::new(),
            window: Minimum::new(),
            release: (1.0 - (-1.0 / (RELEASE * f64::from(SAMPLE_RATE))).exp()) as f32,
            gain: 1.0,
            gains: std::iter::repeat_n(1.0, WINDOW).collect(),
            sum: WINDOW as f64,
            delayed: std::iter::repeat_n([0.0; 2], LATENCY).collect(),
            needed: Vec::new(),
        }
    }

    /// Limits in place. The output is [`LATENCY`] frames behind the input; as many frames of silence drive out the
    /// rest.
    ///
    /// The gain a peak needs is held for a window by a running minimum and then averaged over that window: the mean
    /// has reached the needed gain when the peak passes, and gets there along a line instead of a step.
    pub(super) fn run(&mut self, frames: &mut [[f32; 2]]) {
        self.needed.clear();
        self.detector.needed(self.ceiling, frames, &mut self.needed);
        for (frame, &needed) in frames.iter_mut().zip(&self.needed) {
            let held = self.window.push(needed);
            self.gain = held.min(self.gain + (1.0 - self.gain) * self.release);
            self.gains.push_back(self.gain);
            let oldest = self.gains.pop_front().unwrap_or(1.0);
            self.sum += f64::from(self.gain) - f64::from(oldest);
            let mean = (self.sum / WINDOW as f64) as f32;
            self.delayed.push_back(*frame);
            *frame = self.delayed.pop_front().unwrap_or_default().map(|sample| sample * mean);
        }
    }
}

/// Finds the gain that each frame needs.
#[derive(Debug)]
struct Detector {
    /// One row for each tap: the weights of the phases.
    weights: [[f32; PHASES]; TAPS],
    /// The most that interpolation can make of samples of magnitude 1.
    overshoot: f32,
    /// The last frames of the block before, then this block.
    frames: Vec<[f32; 2]>,
}

impl Detector {
    fn new() -> Self {
        let mut weights = [[0.0; PHASES]; TAPS];
        for (tap, row) in weights.iter_mut().enumerate() {
            for (phase, weight) in row.iter_mut().enumerate() {
                let at = HALF as f64 - 1.0 - tap as f64 + phase as f64 / PHASES as f64;
                let sinc = if at == 0.0 { 1.0 } else { (PI * at).sin() / (PI * at) };
                let hann = 0.5 + 0.5 * (PI * at / HALF as f64).cos();
                *weight = (sinc * hann) as f32;
            }
        }
        let overshoot =
            (0..PHASES).map(|phase| weights.iter().map(|row| row[phase].abs()).sum::<f32>()).fold(1.0_f32, f32::max);
        Self { weights, overshoot, frames: vec![[0.0; 2]; TAPS - 1] }
    }

    /// Appends for each frame the gain that keeps the curve around the frame [`HALF`] before it under the ceiling.
    fn needed(&mut self, ceiling: f32, block: &[[f32; 2]], needed: &mut Vec<f32>) {
        self.frames.drain(..self.frames.len() - (TAPS - 1));
        self.frames.extend_from_slice(block);
        for start in (0..block.len()).step_by(PART) {
            let end = (start + PART).min(block.len());
            let near = &self.frames[start..end + TAPS - 1];
            let loudest = near.as_flattened().iter().fold(0.0_f32, |most, sample| most.max(sample.abs()));
            if loudest * self.overshoot <= ceiling {
                needed.resize(end, 1.0);
                continue;
            }
            for window in near.windows(TAPS) {
                let peak = self.peak(window);
                needed.push(if peak > ceiling { ceiling / peak } else { 1.0 });
            }
        }
    }

    fn peak(&self, window: &[[f32; 2]]) -> f32 {
        let mut sums = [[0.0_f32; PHASES]; 2];
        for (frame, row) in window.iter().zip(&self.weights) {
            for (sum, sample) in sums.iter_mut().zip(frame) {
                for (sum, weight) in sum.iter_mut().zip(row) {
                    *sum += sample * weight;
                }
            }
        }
        sums.as_flattened().iter().fold(0.0, |most, value| most.max(value.abs()))
    }
}

/// The least of the last [`WINDOW`] values.
#[derive(Debug)]
struct Minimum {
    /// Ever larger values with their numbers; the first is the least.
    candidates: VecDeque<(u64, f32)>,
    count: u64,
}

impl Minimum {
    fn new() -> Self {
        Self { candidates: VecDeque::new(), count: 0 }
    }

    fn push(&mut self, value: f32) -> f32 {
        while self.candidates.pop_back_if(|(_, other)| *other >= value).is_some() {}
        self.candidates.push_back((self.count, value));
        self.count += 1;
        let oldest = self.count.saturating_sub(WINDOW as u64);
        while self.candidates.pop_front_if(|(number, _)| *number < oldest).is_some() {}
        self.candidates.front().map_or(value, |&(_, least)| least)
    }
}
