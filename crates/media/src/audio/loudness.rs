//! Loudness and true peak by EBU R 128 and ITU-R BS.1770-4, of whole sounds and of passages that make up one.

use std::path::Path;

use ebur128::{Channel, EbuR128, Mode};
use serde::{Deserialize, Serialize};

use super::wav::WavReader;
use super::{BLOCK, SAMPLE_RATE};
use crate::MediaError;

/// The level that stands for digital silence.
pub(super) const SILENCE_DB: f64 = -120.0;

/// Samples of a step: 100 ms, by which the windows of BS.1770 move.
const STEP: usize = SAMPLE_RATE as usize / 10;

/// Steps of a window: 400 ms.
const WINDOW: usize = 4;

/// What is softer, in LUFS, is no part of a programme.
const ABSOLUTE_GATE: f64 = -70.0;

/// What is softer than the rest by this, as a factor of power, is no part of it either: 10 LU.
const RELATIVE_GATE: f64 = 0.1;

/// How loud a sound is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// In LUFS; none where nothing reaches the absolute gate of −70 LUFS, or the sound is shorter than 400 ms.
    pub integrated_lufs: Option<f64>,
    /// The loudest 400 ms, in LUFS.
    pub momentary_max_lufs: Option<f64>,
    /// In dB over full scale; −120 stands for silence.
    pub true_peak_dbtp: f64,
    /// Length in samples of the file's own rate.
    pub duration_samples: u64,
    pub sample_rate: u32,
}

/// Loudness and true peak of a passage of stereo, kept so that those of passages that follow each other give the whole's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Levels {
    /// The power of each whole 100 ms after the filters of BS.1770, both channels together.
    pub powers: Vec<f32>,
    /// In dB over full scale; −120 stands for silence.
    pub true_peak_dbtp: f64,
}

impl Levels {
    /// Those of passages that follow each other; all but the last are whole multiples of 100 ms.
    pub fn joined(passages: &[Self]) -> Self {
        Self {
            powers: passages.iter().flat_map(|passage| passage.powers.iter().copied()).collect(),
            true_peak_dbtp: passages.iter().map(|passage| passage.true_peak_dbtp).fold(SILENCE_DB, f64::max),
        }
    }

    /// The integrated loudness in LUFS (BS.1770-4, annex 1); none where nothing reaches the gate of −70 LUFS.
    pub fn integrated_lufs(&self) -> Option<f64> {
        let window = |steps: &[f32]| steps.iter().map(|&power| f64::from(power)).sum::<f64>() / WINDOW as f64;
        let mut windows: Vec<f64> = self.powers.windows(WINDOW).map(window).collect();
        windows.retain(|&power| loudness(power) > ABSOLUTE_GATE);
        let gate = mean(&windows)? * RELATIVE_GATE;
        windows.retain(|&power| power > gate);
        mean(&windows).map(loudness)
    }
}

fn mean(powers: &[f64]) -> Option<f64> {
    (!powers.is_empty()).then(|| powers.iter().sum::<f64>() / powers.len() as f64)
}

/// BS.1770-4, equation 2.
fn loudness(power: f64) -> f64 {
    10.0 * power.log10() - 0.691
}

/// The inverse of [`loudness`]; 0 for silence, whose loudness is no number.
fn power(loudness: f64) -> f32 {
    10.0_f64.powf((loudness + 0.691) / 10.0) as f32
}

/// Measures a passage of stereo at [`SAMPLE_RATE`] as it comes.
#[derive(Debug)]
pub(super) struct LevelMeter {
    meter: Meter,
    powers: Vec<f32>,
    /// Of the step under way.
    filled: usize,
}

impl LevelMeter {
    pub(super) fn new() -> Result<Self, MediaError> {
        let meter = Meter::new(2, SAMPLE_RATE, Mode::M | Mode::TRUE_PEAK)?;
        Ok(Self { meter, powers: Vec::new(), filled: 0 })
    }

    pub(super) fn add(&mut self, mut frames: &[[f32; 2]]) -> Result<(), MediaError> {
        while !frames.is_empty() {
            let (now, later) = frames.split_at(frames.len().min(STEP - self.filled));
            self.meter.add(now.as_flattened())?;
            self.filled += now.len();
            if self.filled == STEP {
                let step_ms = 1000 * STEP as u32 / SAMPLE_RATE;
                self.powers.push(power(self.meter.inner.loudness_window(step_ms).map_err(failure)?));
                self.filled = 0;
            }
            frames = later;
        }
        Ok(())
    }

    /// What was measured, without the first `lead_steps`, which only brought the filters into their state.
    pub(super) fn finish(mut self, lead_steps: usize) -> Result<Levels, MediaError> {
        self.powers.drain(..lead_steps.min(self.powers.len()));
        Ok(Levels { powers: self.powers, true_peak_dbtp: self.meter.true_peak()? })
    }
}

/// Measures a WAV file.
pub fn measure(path: &Path) -> Result<Measured, MediaError> {
    let mut wav = WavReader::open(path)?;
    let mut meter = Meter::full(2, wav.sample_rate())?;
    let mut block = vec![[0.0_f32; 2]; BLOCK];
    let mut momentary_max: Option<f64> = None;
    loop {
        let count = wav.read(&mut block)?;
        // Steps of 100 ms, as BS.1770 overlaps its windows.
        for part in block[..count].chunks((wav.sample_rate() as usize / 10).clamp(1, BLOCK)) {
            meter.add(part.as_flattened())?;
            let momentary = meter.momentary()?;
            momentary_max = momentary.into_iter().chain(momentary_max).reduce(f64::max);
        }
        if count < block.len() {
            break;
        }
    }
    Ok(Measured {
        integrated_lufs: meter.integrated()?,
        momentary_max_lufs: momentary_max,
        true_peak_dbtp: meter.true_peak()?,
        duration_samples: wav.frames(),
        sample_rate: wav.sample_rate(),
    })
}

/// A running measurement, of constant size.
#[derive(Debug)]
pub(super) struct Meter {
    inner: EbuR128,
    channels: u32,
}

impl Meter {
    /// Integrated loudness alone.
    pub(super) fn loudness(channels: u32, rate: u32) -> Result<Self, MediaError> {
        Self::new(channels, rate, Mode::I | Mode::HISTOGRAM)
    }

    /// Integrated loudness and true peak.
    pub(super) fn full(channels: u32, rate: u32) -> Result<Self, MediaError> {
        Self::new(channels, rate, Mode::I | Mode::HISTOGRAM | Mode::TRUE_PEAK)
    }

    fn new(channels: u32, rate: u32, mode: Mode) -> Result<Self, MediaError> {
        let mut inner = EbuR128::new(channels, rate, mode).map_err(failure)?;
        if channels == 1 {
            // One channel that will sound from two loudspeakers.
            inner.set_channel(0, Channel::DualMono).map_err(failure)?;
        }
        Ok(Self { inner, channels })
    }

    /// Takes interleaved samples.
    pub(super) fn add(&mut self, samples: &[f32]) -> Result<(), MediaError> {
        self.inner.add_frames_f32(samples).map_err(failure)
    }

    pub(super) fn integrated(&self) -> Result<Option<f64>, MediaError> {
        self.inner.loudness_global().map(finite).map_err(failure)
    }

    fn momentary(&self) -> Result<Option<f64>, MediaError> {
        self.inner.loudness_momentary().map(finite).map_err(failure)
    }

    pub(super) fn true_peak(&self) -> Result<f64, MediaError> {
        let mut peak = 0.0_f64;
        for channel in 0..self.channels {
            peak = peak.max(self.inner.true_peak(channel).map_err(failure)?);
        }
        Ok((20.0 * peak.log10()).max(SILENCE_DB))
    }
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

fn failure(error: ebur128::Error) -> MediaError {
    MediaError::Invalid(format!("loudness cannot be measured: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Loud and soft stretches of a hum, and silence.
    fn frames() -> Vec<[f32; 2]> {
        let level = |n: usize| [0.3, 0.05, 0.0, 0.2, 0.001][n / 36_000 % 5];
        (0..7 * 48_000)
            .map(|n| [level(n) * (n as f32 * 0.03).sin(), 0.6 * level(n) * (n as f32 * 0.05).cos()])
            .collect()
    }

    #[test]
    fn passages_together_are_as_loud_as_the_whole() {
        let frames = frames();
        let mut meter = Meter::new(2, SAMPLE_RATE, Mode::I | Mode::TRUE_PEAK).unwrap();
        meter.add(frames.as_flattened()).unwrap();
        let wanted = (meter.integrated().unwrap().unwrap(), meter.true_peak().unwrap());
        let passage = |(from, to): (usize, usize)| {
            let lead = from.min(STEP);
            let mut meter = LevelMeter::new().unwrap();
            frames[from - lead..to].chunks(777).for_each(|part| meter.add(part).unwrap());
            meter.finish(lead / STEP).unwrap()
        };
        let passages: Vec<Levels> = [(0, 96_000), (96_000, 100_800), (100_800, frames.len())].map(passage).to_vec();
        let joined = Levels::joined(&passages);
        let found = (joined.integrated_lufs().unwrap(), joined.true_peak_dbtp);
        assert!((found.0 - wanted.0).abs() < 1e-3 && (found.1 - wanted.1).abs() < 1e-3, "{found:?} {wanted:?}");
        assert_eq!(joined.powers.len(), 70);
    }

    #[test]
    fn silence_and_less_than_a_window_have_no_loudness() {
        let levels = |powers: &[f32]| Levels { powers: powers.to_vec(), true_peak_dbtp: SILENCE_DB };
        assert_eq!(levels(&[0.0; 20]).integrated_lufs(), None);
        assert_eq!(levels(&[0.5; 3]).integrated_lufs(), None);
        assert!((levels(&[0.5; 4]).integrated_lufs().unwrap() - loudness(0.5)).abs() < 1e-9);
        assert_eq!(Levels::joined(&[]).integrated_lufs(), None);
    }
}
