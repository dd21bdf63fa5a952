//! A light compressor for the voice: loud syllables come down a little, so that the programme reaches its loudness with
//! less limiting.
//!
//! Together with the turned phase of [`super::voice`] it brings the drive into the limiter that eSpeak's voices need for
//! −14 LUFS from 5 to 6 dB down to 1 to 2 dB.

use super::SAMPLE_RATE;

/// Samples that share one gain step; the gain moves in a straight line between steps.
const STEP: usize = 32;

/// Level in dBFS (mean square) above which the voice is turned down. The voice comes in at −20 LUFS.
const THRESHOLD_DB: f32 = -18.0;

/// Of each decibel above the threshold this part is taken away: a ratio of 2 to 1.
const TAKEN: f32 = 0.5;

/// Time constants of the level meter in seconds.
const ATTACK: f32 = 0.004;
const RELEASE: f32 = 0.090;

/// Compresses one channel, block after block.
#[derive(Debug)]
pub(super) struct Compressor {
    level: f32,
    gain: f32,
    attack: f32,
    release: f32,
}

impl Compressor {
    pub(super) fn new() -> Self {
        let coefficient = |seconds: f32| (-(STEP as f32) / (seconds * SAMPLE_RATE as f32)).exp();
        Self { level: 0.0, gain: 1.0, attack: coefficient(ATTACK), release: coefficient(RELEASE) }
    }

    /// Compresses in place. Blocks are a multiple of the gain step long, but for the last.
    pub(super) fn run(&mut self, samples: &mut [f32]) {
        for part in samples.chunks_mut(STEP) {
            let power = part.iter().map(|x| x * x).sum::<f32>() / part.len() as f32;
            let keep = if power > self.level { self.attack } else { self.release };
            self.level = power + (self.level - power) * keep;
            let over = (10.0 * self.level.max(1e-9).log10() - THRESHOLD_DB).max(0.0);
            let target = if over > 0.0 { 10.0_f32.powf(-over * TAKEN / 20.0) } else { 1.0 };
            let slope = (target - self.gain) / part.len() as f32;
            for sample in part.iter_mut() {
                self.gain += slope;
                *sample *= self.gain;
            }
            self.gain = target;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Level after compression of a 300 Hz tone of a level, in dBFS of its mean square.
    fn level_after(db: f32) -> f32 {
        let amplitude = 10.0_f32.powf(db / 20.0) * std::f32::consts::SQRT_2;
        let mut tone: Vec<f32> =
            (0..48_000).map(|n| amplitude * (std::f32::consts::TAU * 300.0 * n as f32 / 48_000.0).sin()).collect();
        Compressor::new().run(&mut tone);
        10.0 * (tone[24_000..].iter().map(|x| x * x).sum::<f32>() / 24_000.0).log10()
    }

    #[test]
    fn soft_speech_passes_and_loud_speech_comes_down() {
        assert!((level_after(-30.0) + 30.0).abs() < 0.01);
        // The meter falls slowly and so reads a tone a little above its mean: somewhat more than 4.5 dB are taken.
        let loud = level_after(-9.0);
        assert!((-15.5..-13.0).contains(&loud), "{loud}");
    }
}
