//! A spoken line gets exactly the length its place has.

use media::audio;
use pipeline::{FileRef, Stage, StageContext, StageError};
use serde::Serialize;

use super::computing;

/// Stretches lines without a change of pitch.
#[derive(Debug)]
pub(crate) struct Stretch;

/// A line and its length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct StretchInput {
    pub audio: FileRef,
    /// At the line's own rate.
    pub samples: u64,
}

impl Stage for Stretch {
    type Input = StretchInput;
    type Output = FileRef;

    fn name(&self) -> &'static str {
        "stretch"
    }

    fn version(&self) -> u32 {
        1
    }

    async fn run(&self, input: &StretchInput, context: &StageContext) -> Result<FileRef, StageError> {
        let file = context.temp_file("wav")?;
        let (from, to, samples) = (context.path(&input.audio), file.path().to_owned(), input.samples as usize);
        computing(move || audio::stretch_wav(&from, &to, samples)).await?;
        context.keep(file).await
    }
}
