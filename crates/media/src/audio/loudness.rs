//! Loudness and true peak by EBU R 128 and ITU-R BS.1770-4.

use std::path::Path;

use ebur128::{Channel, EbuR128, Mode};
use serde::{Deserialize, Serialize};

use super::BLOCK;
use super::wav::WavReader;
use crate::MediaError;

/// The level that stands for digital silence.
pub(super) const SILENCE_DB: f64 = -120.0;

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

    /// Takes interleaved samples of 16 bits.
    pub(super) fn add_s16(&mut self, samples: &[i16]) -> Result<(), MediaError> {
        self.inner.add_frames_i16(samples).map_err(failure)
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
