//! Text as it is said and as it is shown: words with times, the common ground of voice and captions.

mod align;
mod characters;
mod language;
mod numbers;
mod reading;
mod sentences;
mod spoken;
mod words;

use kernel::Lang;
use serde::{Deserialize, Serialize};

pub use self::{
    align::align,
    sentences::sentences,
    spoken::{Spoken, SpokenWord, spoken},
};

/// A word as captions show it, with the time it sounds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimedWord {
    /// As written, with its punctuation: `Hello,`. In scripts without spaces, one dictionary word.
    pub text: String,
    /// Whether a space stands before it in the sentence.
    pub space_before: bool,
    /// Milliseconds from the start of whatever holds the sentence.
    pub start_ms: u64,
    /// Never before `start_ms`.
    pub end_ms: u64,
}

/// A spoken sentence with the time of each word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimedSentence {
    pub words: Vec<TimedWord>,
    pub lang: Lang,
    pub start_ms: u64,
    pub end_ms: u64,
}
