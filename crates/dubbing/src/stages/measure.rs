//! What is known of sounds before and after they are mixed: how loud, and how alike where nothing was to change.

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
        1
    }

    async fn run(&self, input: &LevelsInput, context: &StageContext) -> Result<SourceLevels, StageError> {
        let (path, speakers) = (context.path(&input.programme), input.speakers.clone());
        computing(move || {
            let whole = [Span { start_sample: 0, end_sample: audio::wav::WavReader::open(&path)?.frames() }];
            Ok(SourceLevels {
                whole: audio::loudness_within(&path, &whole)?,
                speakers: speakers
                    .iter()
                    .map(|spans| audio::loudness_within(&path, spans))
                    .collect::<Result<_, _>>()?,
            })
        })
        .await
    }
}

/// Compares a mixed dub with its source.
#[derive(Debug)]
pub(crate) struct Compare;

/// Two sounds, and where they should be alike.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct CompareInput {
    pub original: FileRef,
    pub dub: FileRef,
    pub stretches: Vec<Span>,
}

/// How alike they are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Compared {
    pub correlation: f64,
    pub snr_db: f64,
    /// How much was compared, of each channel.
    pub samples: u64,
}

impl Stage for Compare {
    type Input = CompareInput;
    type Output = Compared;

    fn name(&self) -> &'static str {
        "compare"
    }

    fn version(&self) -> u32 {
        1
    }

    async fn run(&self, input: &CompareInput, context: &StageContext) -> Result<Compared, StageError> {
        let (original, dub) = (context.path(&input.original), context.path(&input.dub));
        let stretches = input.stretches.clone();
        let found = computing(move || audio::likeness(&original, &dub, &stretches)).await?;
        Ok(Compared { correlation: found.correlation, snr_db: found.snr_db, samples: found.samples })
    }
}
