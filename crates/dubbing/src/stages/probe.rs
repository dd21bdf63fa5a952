//! What a source holds, looked at once.

use media::{
    Ffmpeg,
    source::{self, Source},
};
use pipeline::{SourceRef, Stage, StageContext, StageError};
use serde::Serialize;

use super::media_failure;

/// Looks at sources.
#[derive(Debug)]
pub(crate) struct Probe {
    pub ffmpeg: Ffmpeg,
    /// What was seen of it before the run began.
    pub seen: Option<Source>,
}

/// A source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ProbeInput {
    pub source: SourceRef,
    /// The FFmpeg that looks.
    pub ffmpeg: String,
}

impl Stage for Probe {
    type Input = ProbeInput;
    type Output = Source;

    fn name(&self) -> &'static str {
        "probe"
    }

    fn version(&self) -> u32 {
        1
    }

    async fn run(&self, input: &ProbeInput, context: &StageContext) -> Result<Source, StageError> {
        if let Some(seen) = &self.seen {
            return Ok(seen.clone());
        }
        let path = context.source_path(&input.source).await?;
        let ffmpeg = self.ffmpeg.clone().cancelled_by(context.cancellation().clone());
        source::probe_source(&ffmpeg, &path).await.map_err(media_failure)
    }
}
