//! Who speaks each utterance, and whether their voice is low or high.

use media::{
    speakers::{self, Speakers},
    speech::TimeSpan,
};
use pipeline::{FileRef, Stage, StageContext, StageError};
use serde::Serialize;

use super::computing;

/// Tells speakers apart.
#[derive(Debug)]
pub(crate) struct TellSpeakers;

/// Utterances of a sound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct TellSpeakersInput {
    /// 16 kHz, mono.
    pub speech: FileRef,
    pub spans: Vec<TimeSpan>,
}

impl Stage for TellSpeakers {
    type Input = TellSpeakersInput;
    type Output = Speakers;

    fn name(&self) -> &'static str {
        "speakers"
    }

    fn version(&self) -> u32 {
        1
    }

    async fn run(&self, input: &TellSpeakersInput, context: &StageContext) -> Result<Speakers, StageError> {
        let (path, spans) = (context.path(&input.speech), input.spans.clone());
        let cancellation = context.cancellation().clone();
        computing(move || speakers::tell_apart(&path, &spans, &cancellation)).await
    }
}
