//! The last step of every mix: the final gain, the limiter and 16 bits, measured as it is written.

use std::path::Path;

use super::limiter::{LATENCY, Limiter};
use super::loudness::Meter;
use super::mixer::Watch;
use super::wav::WavWriter;
use super::{BLOCK, SAMPLE_RATE, amplitude};
use crate::MediaError;

/// How far below the wanted true peak the limiter works, in dB: what AAC at 192 kbit/s adds to peaks, and the
/// differences between meters. Measured on speech, music and noise through FFmpeg's encoder.
pub(super) const ENCODER_HEADROOM: f64 = 1.3;

/// The most times the programme is written to come closer to the wanted loudness.
pub(super) const MOST_WRITES: u32 = 4;

/// The most that the programme is raised, in dB. It is near its reference level, unless it is nearly silent.
const MOST_GAIN: f64 = 40.0;

/// A programme that is read from its beginning to its end.
pub(super) trait Blocks {
    /// Fills `out` with the next frames, [`BLOCK`] or what is left, and says how many; 0 at the end.
    fn next_block(&mut self, out: &mut [[f32; 2]]) -> Result<usize, MediaError>;
}

/// How the result is finished.
#[derive(Debug, Clone, Copy)]
pub(super) struct Master {
    pub(super) duration_samples: u64,
    /// The bound once a lossy encoder has been at work.
    pub(super) true_peak_dbtp: f64,
}

impl Master {
    /// The level in dB over full scale that no peak passes.
    pub(super) fn ceiling_dbtp(&self) -> f64 {
        self.true_peak_dbtp - ENCODER_HEADROOM
    }

    /// Writes the programme with a gain, limited, and says how loud it became and its true peak.
    pub(super) fn write(
        &self,
        programme: &mut dyn Blocks,
        gain_db: f64,
        path: &Path,
        watch: &mut Watch<'_>,
    ) -> Result<(Option<f64>, f64), MediaError> {
        let gain = amplitude(gain_db);
        let mut limiter = Limiter::new(self.ceiling_dbtp());
        let mut meter = Meter::full(2, SAMPLE_RATE)?;
        let mut writer = WavWriter::create(path, SAMPLE_RATE, 2)?;
        let mut dither = Dither::new();
        let mut block = vec![[0.0_f32; 2]; BLOCK];
        let mut samples = Vec::with_capacity(BLOCK * 2);
        let mut late = LATENCY;
        let mut left = self.duration_samples;
        while left > 0 {
            watch.step(self.duration_samples - left, self.duration_samples)?;
            let count = programme.next_block(&mut block)?;
            block[count..].fill([0.0; 2]);
            for sample in block[..count].as_flattened_mut() {
                *sample *= gain;
            }
            limiter.run(&mut block);
            let dropped = late.min(block.len());
            late -= dropped;
            let fresh = &block[dropped..];
            let fresh = &fresh[..left.min(fresh.len() as u64) as usize];
            samples.clear();
            samples.extend(fresh.as_flattened().iter().map(|&sample| dither.quantise(sample)));
            writer.write(&samples)?;
            meter.add_s16(&samples)?;
            left -= fresh.len() as u64;
        }
        writer.finish()?;
        Ok((meter.integrated()?, meter.true_peak()?))
    }
}

/// Finds the gain with which the limited programme has the wanted loudness.
#[derive(Debug)]
pub(super) struct GainSearch {
    target: f64,
    pub(super) gain_db: f64,
    pub(super) writes: u32,
    /// The gain before, and the loudness that came of it.
    before: (f64, f64),
}

impl GainSearch {
    pub(super) fn new(target: f64, unscaled: Option<f64>) -> Self {
        let gain_db = unscaled.map_or(0.0, |unscaled| (target - unscaled).clamp(-60.0, MOST_GAIN));
        // Far below any limiting the loudness follows the gain exactly.
        let before = (gain_db - 20.0, target - 20.0);
        Self { target, gain_db, writes: 0, before }
    }

    /// Whether the loudness is off by more than `tolerance`; if so, chooses the next gain along the line through the
    /// last two results.
    pub(super) fn misses(&mut self, integrated: Option<f64>, tolerance: f64) -> bool {
        let Some(integrated) = integrated else {
            return false;
        };
        let off = self.target - integrated;
        if off.abs() <= tolerance {
            return false;
        }
        let (gain, loudness) = self.before;
        let slope = if self.writes == 0 {
            // Where the limiter took something of the first gain, it leaves about this much of what is added.
            0.5
        } else {
            ((integrated - loudness) / (self.gain_db - gain)).clamp(0.1, 1.0)
        };
        let next = (self.gain_db + off / slope).clamp(-60.0, MOST_GAIN);
        self.before = (self.gain_db, integrated);
        self.writes += 1;
        // At the end of its range the gain does what it can.
        let moves = (next - self.gain_db).abs() > 1e-3;
        self.gain_db = next;
        moves
    }
}

/// Rounds to 16 bits with triangular noise of one step, always the same, so that soft endings do not distort.
#[derive(Debug)]
struct Dither {
    state: u64,
}

impl Dither {
    fn new() -> Self {
        Self { state: 0x9E37_79B9_7F4A_7C15 }
    }

    fn quantise(&mut self, sample: f32) -> i16 {
        if sample == 0.0 {
            // Digital silence stays silent.
            return 0;
        }
        // xorshift64 (Marsaglia 2003); two halves of one number are two dice.
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let dice = |bits: u64| (bits & 0xFFFF) as f32 / 65_536.0;
        let noise = dice(self.state >> 16) - dice(self.state >> 40);
        (sample * 32_768.0 + noise).round().clamp(-32_768.0, 32_767.0) as i16
    }
}
