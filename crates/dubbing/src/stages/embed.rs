//! The voice of an utterance as a model hears it.

use std::sync::Arc;

use ai::diarize::{Embedding, SAMPLE_RATE, SpeakerEncoder, Speech};
use media::speech::TimeSpan;
use pipeline::{FileRef, Stage, StageContext, StageError};
use serde::Serialize;

use super::{computing, listen, provider_failure};

/// Hears voices with one engine.
#[derive(Debug)]
pub(crate) struct Embed {
    pub engine: Arc<dyn SpeakerEncoder>,
}

/// An utterance of a sound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct EmbedInput {
    /// [`SpeakerEncoder::version`].
    pub engine: String,
    /// 16 kHz, mono.
    pub speech: FileRef,
    pub span: TimeSpan,
}

impl Stage for Embed {
    type Input = EmbedInput;
    /// None where the utterance is too short to tell, and where no voice is heard in it.
    type Output = Option<Embedding>;

    fn name(&self) -> &'static str {
        "embed"
    }

    fn version(&self) -> u32 {
        1
    }

    async fn run(&self, input: &EmbedInput, context: &StageContext) -> Result<Option<Embedding>, StageError> {
        let capability = self.engine.capability();
        let longest_ms = capability.max_samples as u64 * 1000 / u64::from(SAMPLE_RATE);
        let (path, TimeSpan { start_ms, end_ms }) = (context.path(&input.speech), input.span);
        let end_ms = end_ms.min(start_ms + longest_ms);
        let samples = computing(move || listen::read(&path, start_ms, end_ms)).await?;
        if samples.len() < capability.min_samples {
            return Ok(None);
        }
        self.engine.embed(&Speech { samples: samples.into() }).await.map_err(provider_failure)
    }
}
