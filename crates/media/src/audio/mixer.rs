//! The mix: parts are measured, the programme is measured, and then written at the level that makes it as loud as it
//! should be.

use std::path::Path;

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use tokio_util::sync::CancellationToken;

use super::limiter::{LATENCY, Limiter};
use super::loudness::Meter;
use super::plan::MixPlan;
use super::programme::Prepared;
use super::wav::WavWriter;
use super::{BLOCK, SAMPLE_RATE, amplitude};
use crate::MediaError;

/// How far below the wanted true peak the limiter works, in dB: what AAC at 192 kbit/s adds to peaks, and the
/// differences between meters. Measured on speech, music and noise through FFmpeg's encoder.
const ENCODER_HEADROOM: f64 = 1.3;

/// The most times the programme is written to come closer to the wanted loudness.
const MOST_WRITES: u32 = 4;

/// The part of the tolerance that is used up here; encoders get the rest.
const OWN_TOLERANCE: f64 = 0.3;

/// The most that the programme is raised, in dB. It is near its reference level, unless it is nearly silent.
const MOST_GAIN: f64 = 40.0;

/// What came out of a mix.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MixReport {
    /// Of the file as written, in LUFS; none for silence and for sounds below 400 ms, which have no loudness.
    pub integrated_lufs: Option<f64>,
    /// Of the file as written; −120 stands for silence.
    pub true_peak_dbtp: f64,
    /// What was added to the programme, whose voice lies at −20 LUFS.
    pub gain_db: f64,
    pub duration_samples: u64,
}

/// Mixes a plan into a WAV file of 48 kHz, stereo, 16 bits.
///
/// `progress` gets ever larger parts of 1. Nothing is left under `output`'s name when it fails or is cancelled. The
/// folder of `output` also holds a nameless file of the voice meanwhile (11.5 MB a minute). This blocks: run it where
/// blocking is allowed.
pub fn mix(
    plan: &MixPlan,
    output: &Path,
    cancel: &CancellationToken,
    progress: impl FnMut(f32) + Send,
) -> Result<MixReport, MediaError> {
    plan.check()?;
    let mut progress = progress;
    let mut watch = Watch { cancel, progress: &mut progress, from: 0.0, share: 0.35, last: 0.0 };
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut prepared = Prepared::new(plan, folder, &mut watch)?;
    watch.stage(0.35, 0.25);
    let unscaled = loudness(&mut prepared, plan.duration_samples, &mut watch)?;
    let partial = partial_file(folder)?;
    let mut search = GainSearch::new(plan.loudness.target_lufs, unscaled);
    let mut share = 0.2;
    let mut from = 0.6;
    loop {
        watch.stage(from, share);
        let (integrated, true_peak) = write(&mut prepared, plan, search.gain_db, partial.path(), &mut watch)?;
        if search.writes + 1 < MOST_WRITES && search.misses(integrated, plan.loudness.tolerance_lu * OWN_TOLERANCE) {
            from += share;
            share /= 2.0;
            continue;
        }
        partial.persist(output).map_err(|error| MediaError::io(output, error.error))?;
        (watch.progress)(1.0);
        return Ok(MixReport {
            integrated_lufs: integrated,
            true_peak_dbtp: true_peak,
            gain_db: search.gain_db,
            duration_samples: plan.duration_samples,
        });
    }
}

/// A file that vanishes unless it is finished, with the rights any new file has.
pub(super) fn partial_file(folder: &Path) -> Result<NamedTempFile, MediaError> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.prefix(".mix-").suffix(".partial").tempfile_in(folder).map_err(|error| MediaError::io(folder, error))
}

/// The loudness of the programme as it is.
fn loudness(prepared: &mut Prepared<'_>, duration: u64, watch: &mut Watch<'_>) -> Result<Option<f64>, MediaError> {
    let mut programme = prepared.programme()?;
    let mut meter = Meter::loudness(2, SAMPLE_RATE)?;
    let mut block = vec![[0.0_f32; 2]; BLOCK];
    let mut done = 0;
    loop {
        watch.step(done, duration)?;
        let count = programme.next_block(&mut block)?;
        if count == 0 {
            return meter.integrated();
        }
        meter.add(block[..count].as_flattened())?;
        done += count as u64;
    }
}

/// Writes the programme with a gain, limited, and says how loud it became and its true peak.
fn write(
    prepared: &mut Prepared<'_>,
    plan: &MixPlan,
    gain_db: f64,
    path: &Path,
    watch: &mut Watch<'_>,
) -> Result<(Option<f64>, f64), MediaError> {
    let gain = amplitude(gain_db);
    let mut programme = prepared.programme()?;
    let mut limiter = Limiter::new(plan.loudness.true_peak_dbtp - ENCODER_HEADROOM);
    let mut meter = Meter::full(2, SAMPLE_RATE)?;
    let mut writer = WavWriter::create(path, SAMPLE_RATE, 2)?;
    let mut dither = Dither::new();
    let mut block = vec![[0.0_f32; 2]; BLOCK];
    let mut samples = Vec::with_capacity(BLOCK * 2);
    let mut late = LATENCY;
    let mut left = plan.duration_samples;
    while left > 0 {
        watch.step(plan.duration_samples - left, plan.duration_samples)?;
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

/// Finds the gain with which the limited programme has the wanted loudness.
#[derive(Debug)]
struct GainSearch {
    target: f64,
    gain_db: f64,
    writes: u32,
    /// The gain before, and the loudness that came of it.
    before: (f64, f64),
}

impl GainSearch {
    fn new(target: f64, unscaled: Option<f64>) -> Self {
        let gain_db = unscaled.map_or(0.0, |unscaled| (target - unscaled).clamp(-60.0, MOST_GAIN));
        // Far below any limiting the loudness follows the gain exactly.
        let before = (gain_db - 20.0, target - 20.0);
        Self { target, gain_db, writes: 0, before }
    }

    /// Whether the loudness is off by more than `tolerance`; if so, chooses the next gain along the line through the
    /// last two results.
    fn misses(&mut self, integrated: Option<f64>, tolerance: f64) -> bool {
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

/// Who stops the work and who hears of it.
pub(super) struct Watch<'a> {
    cancel: &'a CancellationToken,
    progress: &'a mut (dyn FnMut(f32) + Send),
    /// Where the stage begins, and how much of the whole it is.
    from: f32,
    share: f32,
    last: f32,
}

impl Watch<'_> {
    fn stage(&mut self, from: f32, share: f32) {
        (self.from, self.share) = (from, share);
    }

    /// Fails when cancelled.
    pub(super) fn check(&self) -> Result<(), MediaError> {
        if self.cancel.is_cancelled() { Err(MediaError::Cancelled) } else { Ok(()) }
    }

    /// Says how much of the stage is done; fails when cancelled.
    pub(super) fn step(&mut self, done: u64, total: u64) -> Result<(), MediaError> {
        self.check()?;
        let now = self.from + self.share * (done as f64 / total.max(1) as f64) as f32;
        // A hundred steps are enough for anyone.
        if now >= self.last + 0.01 {
            self.last = now;
            (self.progress)(now.min(1.0));
        }
        Ok(())
    }
}

impl std::fmt::Debug for Watch<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Watch").field("last", &self.last).finish_non_exhaustive()
    }
}
