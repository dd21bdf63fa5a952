//! Speech to text.

#[cfg(feature = "testing")]
pub mod conformance;
#[cfg(feature = "testing")]
mod fake;
mod word_errors;

use std::sync::Arc;

use kernel::Lang;
use serde::{Deserialize, Serialize};

#[cfg(feature = "testing")]
pub use self::fake::FakeStt;
pub use self::word_errors::WordErrors;
use crate::ProviderError;

/// Samples a second of everything that is listened to.
pub const SAMPLE_RATE: u32 = 16_000;

/// An engine that writes down what is said.
#[async_trait::async_trait]
pub trait Stt: std::fmt::Debug + Send + Sync {
    /// The provider's name, such as `pocketsphinx`.
    fn name(&self) -> &str;

    /// Name and version of engine, model and adapter: a text heard by one is not taken for the text of another.
    fn version(&self) -> &str;

    /// What this engine can do.
    fn capability(&self) -> Capability;

    /// Every language it understands, sorted; none when its model is not installed.
    async fn langs(&self) -> Result<Vec<Lang>, ProviderError>;

    /// Writes down one utterance. An utterance in which nothing is said is a transcript without words.
    async fn transcribe(&self, utterance: &Utterance) -> Result<Transcript, ProviderError>;
}

/// What an engine can do beyond writing down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capability {
    /// Whether words come with times.
    pub word_times: bool,
    /// Whether words come with [`Word::confidence`].
    pub confidence: bool,
    /// Whether it finds out the language when [`Utterance::lang`] is `None`.
    pub detects_lang: bool,
    /// The longest utterance, in samples.
    pub max_samples: usize,
}

/// A stretch of speech: whole sentences where that can be, never part of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Utterance {
    /// One channel at [`SAMPLE_RATE`], full scale ±32767.
    pub samples: Arc<[i16]>,
    /// What is spoken; `None` where the engine is to find out, which one that cannot refuses as `Invalid`.
    pub lang: Option<Lang>,
}

/// What was said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transcript {
    /// As one would write it; an engine that knows no punctuation gives none.
    pub text: String,
    /// The language spoken.
    pub lang: Lang,
    /// The words of the text in order; empty when the engine has no clock.
    pub words: Vec<Word>,
    /// How sure the engine is of the whole, 0 to 1; `None` when it does not say.
    pub confidence: Option<f32>,
}

/// A word and when it was said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Word {
    pub text: String,
    /// Milliseconds from the first sample of the utterance.
    pub start_ms: u32,
    /// Never before `start_ms`, never after the utterance.
    pub end_ms: u32,
    /// How sure the engine is, 0 to 1; `None` when it does not say.
    pub confidence: Option<f32>,
}

impl Utterance {
    /// Length in milliseconds.
    pub fn duration_ms(&self) -> u64 {
        self.samples.len() as u64 * 1000 / u64::from(SAMPLE_RATE)
    }
}
