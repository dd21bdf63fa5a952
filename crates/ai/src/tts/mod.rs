//! Text to speech.

mod choice;
#[cfg(feature = "testing")]
pub mod conformance;
#[cfg(feature = "testing")]
mod fake;

use std::ops::Range;

use kernel::Lang;
use serde::{Deserialize, Serialize};

pub use self::choice::{NoVoice, voice_for};
#[cfg(feature = "testing")]
pub use self::fake::FakeTts;
use crate::ProviderError;

/// A speech engine.
#[async_trait::async_trait]
pub trait Tts: std::fmt::Debug + Send + Sync {
    /// The provider's name, such as `espeak`.
    fn name(&self) -> &str;

    /// Name and version of engine and adapter: speech made under one is not taken for speech of another.
    fn version(&self) -> &str;

    /// What this engine can do.
    fn capability(&self) -> Capability;

    /// Every voice, sorted by language, then id.
    async fn voices(&self) -> Result<Vec<Voice>, ProviderError>;

    /// Speaks one sentence. Text without a word in it is a speech without samples.
    async fn speak(&self, request: &SpeechRequest) -> Result<Speech, ProviderError>;
}

/// What an engine can do beyond speaking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capability {
    /// Whether [`Speech::words`] is filled from the engine's own clock.
    pub word_times: bool,
    /// Whether [`SpeechRequest::rate`] is honoured.
    pub rate: bool,
    /// Whether [`SpeechRequest::pitch`] is honoured.
    pub pitch: bool,
    /// The longest text of one request, in bytes.
    pub max_text_bytes: usize,
}

/// A voice an engine offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voice {
    /// What a user writes to choose it, such as `en-gb` or `es+f3`.
    pub id: String,
    /// What people call it.
    pub name: String,
    pub lang: Lang,
    pub gender: Option<Gender>,
    /// The provider that offers it.
    pub provider: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gender {
    Female,
    Male,
}

/// One sentence to speak.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpeechRequest {
    /// Plain text, no markup.
    pub text: String,
    /// A [`Voice::id`].
    pub voice: String,
    /// Speed: 1.0 is the voice's own, 2.0 twice as fast; 0.5 to 2.0.
    pub rate: f32,
    /// Pitch: 1.0 is the voice's own; 0.5 to 2.0.
    pub pitch: f32,
}

/// What an engine said.
#[derive(Debug, Clone, PartialEq)]
pub struct Speech {
    /// Samples a second.
    pub sample_rate: u32,
    /// One channel, full scale ±32767.
    pub samples: Vec<i16>,
    /// When each word begins, in the order of speech; empty when the engine has no clock.
    pub words: Vec<WordTime>,
}

/// When a word of the request begins to sound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WordTime {
    /// The bytes of [`SpeechRequest::text`] that are spoken from here. An engine that expands a number reports the
    /// number's bytes once for each word it says.
    pub bytes: Range<usize>,
    /// Milliseconds from the first sample.
    pub start_ms: u32,
}

impl Speech {
    /// Length of the sound in milliseconds.
    pub fn duration_ms(&self) -> u64 {
        self.samples.len() as u64 * 1000 / u64::from(self.sample_rate.max(1))
    }
}
