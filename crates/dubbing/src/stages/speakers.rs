//! Who speaks each utterance, and whether their voice is low or high.

use ai::diarize::Embedding;
use media::{
    speakers::{self, HeardVoices, Speakers},
    speech::TimeSpan,
};
use pipeline::{FileRef, Stage, StageContext, StageError};
use serde::Serialize;

use super::computing;

/// Tells speakers apart: by what a model heard, or by their timbre.
#[derive(Debug)]
pub(crate) struct TellSpeakers {
    /// What [`TellSpeakersInput::model`] heard of each span; a function of the input.
    pub heard: Option<Vec<Option<Embedding>>>,
}

/// Utterances of a sound.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct TellSpeakersInput {
    /// 16 kHz, mono.
    pub speech: FileRef,
    pub spans: Vec<TimeSpan>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<HearingModel>,
}

/// A model that hears voices.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct HearingModel {
    /// [`ai::diarize::SpeakerEncoder::version`].
    pub version: String,
    /// [`ai::diarize::Capability::same_voice`].
    pub same_voice: f32,
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
        let direction = |voice: &Option<Embedding>| voice.as_ref().map(|voice| voice.direction().to_vec());
        let heard = self.heard.as_ref().map(|heard| heard.iter().map(direction).collect::<Vec<_>>());
        let model = heard.zip(input.model.as_ref().map(|model| model.same_voice));
        computing(move || match model {
            Some((embeddings, same_voice)) => {
                let voices = HeardVoices { embeddings: &embeddings, same_voice };
                speakers::tell_apart_by(&path, &spans, &voices, &cancellation)
            }
            None => speakers::tell_apart(&path, &spans, &cancellation),
        })
        .await
    }
}
