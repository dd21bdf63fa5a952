//! The mix: parts are measured, the programme is measured, and then written at the level that makes it as loud as it
//! should be.

use std::path::Path;

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use tokio_util::sync::CancellationToken;

use super::SAMPLE_RATE;
use super::loudness::Meter;
use super::master::{self, Aim, GainSearch, Master, Passage};
use super::plan::MixPlan;
use super::programme::Prepared;
use crate::MediaError;

/// The part of the tolerance that is used up here; encoders get the rest.
const OWN_TOLERANCE: f64 = 0.3;

/// The final gain is a whole multiple of this: a fiftieth of what anyone hears.
const GAIN_STEP_DB: f64 = 0.01;

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
    let mut watch = Watch::new(cancel, &mut progress);
    watch.stage(0.0, 0.35);
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut prepared = Prepared::new(plan, folder, &mut watch)?;
    watch.stage(0.35, 0.25);
    let mut meter = Meter::loudness(2, SAMPLE_RATE)?;
    let total = plan.duration_samples;
    master::play(&mut prepared.programme()?, total, &mut watch, |block| meter.add(block.as_flattened()))?;
    let partial = partial_file(folder)?;
    let (master, passage) = (Master { true_peak_dbtp: plan.loudness.true_peak_dbtp }, Passage::whole(total));
    let tolerance = plan.loudness.tolerance_lu * OWN_TOLERANCE;
    let aim = Aim { target: plan.loudness.target_lufs, tolerance, step_db: GAIN_STEP_DB };
    let mut search = GainSearch::new(aim, meter.integrated()?);
    let (mut from, mut share) = (0.6, 0.2);
    loop {
        watch.stage(from, share);
        let gain_db = search.gain_db();
        let made = master.write(&mut prepared.programme()?, (gain_db, &passage), partial.path(), &mut watch)?;
        let integrated_lufs = made.integrated_lufs();
        if search.misses(integrated_lufs) {
            from += share;
            share /= 2.0;
            continue;
        }
        partial.persist(output).map_err(|error| MediaError::io(output, error.error))?;
        watch.finish();
        return Ok(MixReport {
            integrated_lufs,
            true_peak_dbtp: made.true_peak_dbtp,
            gain_db,
            duration_samples: total,
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

/// Who stops the work and who hears of it.
pub(super) struct Watch<'a> {
    cancel: &'a CancellationToken,
    progress: &'a mut (dyn FnMut(f32) + Send),
    /// Where the stage begins, and how much of the whole it is.
    from: f32,
    share: f32,
    last: f32,
}

impl<'a> Watch<'a> {
    pub(super) fn new(cancel: &'a CancellationToken, progress: &'a mut (dyn FnMut(f32) + Send)) -> Self {
        Self { cancel, progress, from: 0.0, share: 1.0, last: 0.0 }
    }

    /// What follows is `share` of the whole, after `from`.
    pub(super) fn stage(&mut self, from: f32, share: f32) {
        (self.from, self.share) = (from, share);
    }

    /// All is done.
    pub(super) fn finish(&mut self) {
        (self.progress)(1.0);
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
