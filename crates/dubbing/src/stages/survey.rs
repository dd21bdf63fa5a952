//! How loud a part of a dub is before its gain.

use media::audio::{self, DubClip, DubMixPlan, Levels, Part, Span};
use pipeline::{FileRef, Stage, StageContext, StageError};
use serde::Serialize;

use super::computing;

/// Measures parts of a dub.
#[derive(Debug)]
pub(crate) struct Survey;

/// All that is heard in a part of a dub.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct HeardPart {
    pub part: Part,
    /// The original, 48 kHz and stereo.
    pub background: FileRef,
    /// Its voices, where they are known apart from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voices: Option<FileRef>,
    pub voice: Vec<MixedLine>,
    /// Where the original voice is replaced.
    pub replaced: Vec<Span>,
    /// Where it is kept.
    pub kept: Vec<Span>,
    pub duck_db: f64,
}

/// A line at its place, in samples at [`audio::SAMPLE_RATE`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct MixedLine {
    pub audio: FileRef,
    pub start_sample: u64,
    /// Of the speech it replaces.
    pub loudness_lufs: Option<f64>,
}

impl HeardPart {
    pub(crate) fn plan(&self, context: &StageContext) -> DubMixPlan {
        let clip = |line: &MixedLine| DubClip {
            path: context.path(&line.audio),
            start_sample: line.start_sample,
            loudness_lufs: line.loudness_lufs,
            gain_db: 0.0,
        };
        DubMixPlan {
            background: context.path(&self.background),
            voices: self.voices.as_ref().map(|voices| context.path(voices)),
            voice: self.voice.iter().map(clip).collect(),
            replaced: self.replaced.clone(),
            kept: self.kept.clone(),
            duck_db: self.duck_db as f32,
        }
    }
}

impl Stage for Survey {
    type Input = HeardPart;
    type Output = Levels;

    fn name(&self) -> &'static str {
        "survey"
    }

    fn version(&self) -> u32 {
        1
    }

    async fn run(&self, input: &HeardPart, context: &StageContext) -> Result<Levels, StageError> {
        let (plan, part, cancellation) = (input.plan(context), input.part, context.cancellation().clone());
        computing(move || audio::survey_dub_part(&plan, part, &cancellation)).await
    }
}
