//! Translation.

#[cfg(feature = "testing")]
pub mod conformance;
#[cfg(feature = "testing")]
mod fake;

use kernel::Lang;
use serde::{Deserialize, Serialize};

#[cfg(feature = "testing")]
pub use self::fake::FakeTranslator;
use crate::ProviderError;

/// A translation engine.
#[async_trait::async_trait]
pub trait Translator: std::fmt::Debug + Send + Sync {
    /// The provider's name, such as `apertium`.
    fn name(&self) -> &str;

    /// Name and version of engine, data and adapter: what one translated is not taken for another's.
    fn version(&self) -> &str;

    /// What this engine can do.
    fn capability(&self) -> Capability;

    /// Every pair that can be translated now, sorted; none when nothing is installed.
    async fn pairs(&self) -> Result<Vec<Pair>, ProviderError>;

    /// Translates a batch of one language: as many translations as texts, in their order. A text without a word comes
    /// back as it is.
    async fn translate(&self, request: &TranslationRequest) -> Result<Vec<String>, ProviderError>;
}

/// What an engine takes at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capability {
    /// The longest text, in bytes.
    pub max_text_bytes: usize,
    /// Most texts of one request.
    pub max_batch: usize,
}

/// Two languages, and how good the way from one to the other is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pair {
    pub from: Lang,
    pub to: Lang,
    pub quality: Quality,
}

/// What may be expected of a translation, by what its makers and independent measurements say of the pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// Its gist can be followed; a person should read every line before others do.
    Draft,
    /// Reads well; a person should look it over.
    Good,
}

/// Texts to translate, each a sentence or a few, plain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TranslationRequest {
    pub from: Lang,
    pub to: Lang,
    pub texts: Vec<String>,
}
