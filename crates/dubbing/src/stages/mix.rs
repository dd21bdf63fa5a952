//! The original and the new voice become the sound of the dub.

use media::audio::{self, DubClip, DubMixPlan, MixReport, Span};
use pipeline::{Advance, FileRef, Stage, StageContext, StageError};
use serde::{Deserialize, Serialize};

use super::computing;

/// The bound of the true peak of every result, in dBTP (EBU R 128).
const TRUE_PEAK_DBTP: f64 = -1.0;

/// Mixes the sound of a dub.
#[derive(Debug)]
pub(crate) struct Mix;

/// Everything that is heard.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct MixInput {
    /// The original, 48 kHz and stereo.
    pub background: FileRef,
    pub duration_samples: u64,
    pub voice: Vec<MixedLine>,
    /// Where the original voice is replaced.
    pub replaced: Vec<Span>,
    /// Where it is kept.
    pub kept: Vec<Span>,
    pub duck_db: f64,
    pub target_lufs: Option<f64>,
}

/// A line at its place, in samples at [`audio::SAMPLE_RATE`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct MixedLine {
    pub audio: FileRef,
    pub start_sample: u64,
    /// Of the speech it replaces.
    pub loudness_lufs: Option<f64>,
}

/// The sound of a dub.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct MixedDub {
    /// 48 kHz, stereo.
    pub file: FileRef,
    pub report: MixReport,
}

impl Stage for Mix {
    type Input = MixInput;
    type Output = MixedDub;

    fn name(&self) -> &'static str {
        "mix"
    }

    fn version(&self) -> u32 {
        1
    }

    async fn run(&self, input: &MixInput, context: &StageContext) -> Result<MixedDub, StageError> {
        let clip = |line: &MixedLine| DubClip {
            path: context.path(&line.audio),
            start_sample: line.start_sample,
            loudness_lufs: line.loudness_lufs,
            gain_db: 0.0,
        };
        let plan = DubMixPlan {
            background: context.path(&input.background),
            duration_samples: input.duration_samples,
            voice: input.voice.iter().map(clip).collect(),
            replaced: input.replaced.clone(),
            kept: input.kept.clone(),
            duck_db: input.duck_db as f32,
            target_lufs: input.target_lufs,
            true_peak_dbtp: TRUE_PEAK_DBTP,
        };
        let file = context.temp_file("wav")?;
        let path = file.path().to_owned();
        let (cancellation, progress) = (context.cancellation().clone(), context.progress().clone());
        let report = computing(move || {
            audio::dub_mix(&plan, &path, &cancellation, |done| progress.advance(Advance::to(f64::from(done))))
        })
        .await?;
        Ok(MixedDub { file: context.keep(file).await?, report })
    }
}
