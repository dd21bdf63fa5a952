//! A sentence becomes sound, and its words get their times from the engine.

use std::sync::Arc;

use ai::tts::{SpeechRequest, Tts};
use kernel::Lang;
use media::{
    audio::wav,
    speech_text::{self, TimedWord},
};
use pipeline::{FileRef, Stage, StageContext, StageError};
use serde::{Deserialize, Serialize};

use super::{media_failure, provider_failure};

/// How long a sentence stays that shows something and says nothing, such as one of emoji alone.
const SILENT_SENTENCE_MS: u64 = 800;

/// Speaks sentences with one engine.
#[derive(Debug)]
pub(crate) struct Voice {
    pub tts: Arc<dyn Tts>,
}

/// A sentence and all that decides how it sounds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct VoiceInput {
    /// [`Tts::version`].
    pub engine: String,
    pub voice: String,
    pub rate: f32,
    pub pitch: f32,
    pub lang: Lang,
    pub sentence: String,
}

/// A spoken sentence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SpokenSentence {
    /// Mono WAV; none where there is nothing to say.
    pub audio: Option<FileRef>,
    pub duration_ms: u64,
    /// Every word of the sentence, timed from its first sample.
    pub words: Vec<TimedWord>,
}

impl Stage for Voice {
    type Input = VoiceInput;
    type Output = SpokenSentence;

    fn name(&self) -> &'static str {
        "voice"
    }

    fn version(&self) -> u32 {
        1
    }

    async fn run(&self, input: &VoiceInput, context: &StageContext) -> Result<SpokenSentence, StageError> {
        let spoken = speech_text::spoken(&input.sentence, &input.lang);
        if spoken.text.trim().is_empty() {
            let words = speech_text::align(&spoken, &[], SILENT_SENTENCE_MS);
            return Ok(SpokenSentence { audio: None, duration_ms: SILENT_SENTENCE_MS, words });
        }
        let request = SpeechRequest {
            text: spoken.text.clone(),
            voice: input.voice.clone(),
            rate: input.rate,
            pitch: input.pitch,
        };
        let speech = self.tts.speak(&request).await.map_err(provider_failure)?;
        let duration_ms = speech.duration_ms();
        let times: Vec<_> = speech.words.iter().map(|word| (word.bytes.clone(), word.start_ms)).collect();
        let words = speech_text::align(&spoken, &times, duration_ms);
        let file = context.temp_file("wav")?;
        wav::write_mono_s16(file.path(), speech.sample_rate, &speech.samples).map_err(media_failure)?;
        Ok(SpokenSentence { audio: Some(context.keep(file).await?), duration_ms, words })
    }
}
