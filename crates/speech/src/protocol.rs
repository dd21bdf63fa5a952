//! What goes over the pipe: one JSON object a line; samples follow the line that announces them.

use serde::{Deserialize, Serialize};

/// The version of these types. It changes when an old reader would misread.
pub(crate) const PROTOCOL: u32 = 1;

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Request {
    /// Says versions and voices.
    Hello,
    /// Speaks one sentence.
    Speak(Speak),
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Speak {
    pub(crate) text: String,
    /// An id of [`Hello::voices`], or one with a variant: `es+f3`.
    pub(crate) voice: String,
    /// Times the voice's own speed, 0.5 to 2.0.
    pub(crate) rate: f32,
    /// Times the voice's own pitch, 0.5 to 2.0.
    pub(crate) pitch: f32,
}

#[derive(Debug, Serialize)]
pub(crate) struct Hello {
    pub(crate) protocol: u32,
    pub(crate) engine: String,
    pub(crate) sample_rate: u32,
    pub(crate) voices: Vec<VoiceInfo>,
    pub(crate) variants: Vec<VariantInfo>,
}

#[derive(Debug, Serialize)]
pub(crate) struct VoiceInfo {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) languages: Vec<String>,
    pub(crate) gender: Option<Gender>,
}

#[derive(Debug, Serialize)]
pub(crate) struct VariantInfo {
    pub(crate) id: String,
    pub(crate) gender: Option<Gender>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Gender {
    Female,
    Male,
}

/// Announces `samples` samples, which follow the line as 16-bit little-endian.
#[derive(Debug, Serialize)]
pub(crate) struct Spoken {
    pub(crate) sample_rate: u32,
    pub(crate) samples: usize,
    pub(crate) words: Vec<Word>,
}

/// A word of the text and when it begins to sound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Word {
    /// First byte in the text.
    pub(crate) start: usize,
    /// Byte after the last.
    pub(crate) end: usize,
    pub(crate) ms: u32,
}

#[derive(Debug, Serialize)]
pub(crate) struct Refusal {
    pub(crate) error: Failure,
}

/// Why a request was not done.
#[derive(Debug, Serialize)]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    pub(crate) message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FailureKind {
    Invalid,
    NotFound,
    Internal,
}

impl Failure {
    pub(crate) fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}
