//! The original and the new voice become the sound of a part of a dub.

use media::audio::{self, Levels, Part, Products, Span};
use pipeline::{FileRef, Stage, StageContext, StageError};
use serde::{Deserialize, Serialize};

use super::{computing, survey::HeardPart};

/// Mixes parts of a dub.
#[derive(Debug)]
pub(crate) struct Mix;

/// A part, its level, and what it is compared with.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct MixInput {
    pub heard: HeardPart,
    pub gain_db: f64,
    pub true_peak_dbtp: f64,
    /// The sound of the source.
    pub original: FileRef,
    /// The stretches of the part where nothing of it was to change.
    pub open: Vec<Span>,
}

/// A part of the sound of a dub.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct MixedPart {
    pub part: Part,
    /// 48 kHz, stereo: [`Part::written`].
    pub file: FileRef,
    pub levels: Levels,
    /// Of the original with the result, where nothing was to change.
    pub alike: Products,
}

impl Stage for Mix {
    type Input = MixInput;
    type Output = MixedPart;

    fn name(&self) -> &'static str {
        "mix"
    }

    fn version(&self) -> u32 {
        2
    }

    async fn run(&self, input: &MixInput, context: &StageContext) -> Result<MixedPart, StageError> {
        let (plan, part) = (input.heard.plan(context), input.heard.part);
        let level = (input.gain_db, input.true_peak_dbtp);
        let (original, open) = (context.path(&input.original), input.open.clone());
        let file = context.temp_file("wav")?;
        let (path, cancellation) = (file.path().to_owned(), context.cancellation().clone());
        let (levels, alike) = computing(move || {
            let levels = audio::mix_dub_part(&plan, part, level, &path, &cancellation)?;
            Ok((levels, audio::products(&original, (&path, part.written().start_sample), &open)?))
        })
        .await?;
        Ok(MixedPart { part, file: context.keep(file).await?, levels, alike })
    }
}
