//! How loud a source is before anything is mixed.

use std::path::Path;

use media::audio::{self, Span};
use pipeline::{FileRef, Stage, StageContext, StageError};
use serde::{Deserialize, Serialize};

use super::computing;

/// Measures the loudness of a source: all of it, and each speaker's speech.
#[derive(Debug)]
pub(crate) struct Levels;

/// A sound and who speaks where.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct LevelsInput {
    /// 48 kHz, stereo.
    pub programme: FileRef,
    /// Its voices, where they are known apart from it: then speech is as loud as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voices: Option<FileRef>,
    /// The stretches of each speaker.
    pub speakers: Vec<Vec<Span>>,
}

/// Loudness in LUFS; none for silence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SourceLevels {
    pub whole: Option<f64>,
    /// In the order of the input.
    pub speakers: Vec<Option<f64>>,
}

impl Stage for Levels {
    type Input = LevelsInput;
    type Output = SourceLevels;

    fn name(&self) -> &'static str {
        "levels"
    }

    fn version(&self) -> u32 {
        2
    }

    async fn run(&self, input: &LevelsInput, context: &StageContext) -> Result<SourceLevels, StageError> {
        let (path, speakers) = (context.path(&input.programme), input.speakers.clone());
        let voices = input.voices.as_ref().map_or_else(|| path.clone(), |voices| context.path(voices));
        computing(move || {
            let whole = [Span { start_sample: 0, end_sample: audio::wav::WavReader::open(&path)?.frames() }];
            // What is mixed is found again by these numbers: hundredths are the same however they were written down.
            let loudness = |path: &Path, spans: &[Span]| {
                let exact = audio::loudness_within(path, spans)?;
                Ok(exact.map(|loudness| (loudness * 100.0).round() / 100.0))
            };
            Ok(SourceLevels {
                whole: loudness(&path, &whole)?,
                speakers: speakers.iter().map(|spans| loudness(&voices, spans)).collect::<Result<_, _>>()?,
            })
        })
        .await
    }
}
