//! A batch of sentences becomes sentences of another language.

use std::sync::Arc;

use ai::translate::{TranslationRequest, Translator};
use kernel::{ErrorKind, Lang};
use pipeline::{Stage, StageContext, StageError};
use serde::Serialize;

use super::provider_failure;

/// Translates with one engine.
#[derive(Debug)]
pub(crate) struct Translate {
    pub engine: Arc<dyn Translator>,
}

/// Sentences of one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct TranslateInput {
    /// [`Translator::version`].
    pub engine: String,
    pub from: Lang,
    pub to: Lang,
    pub texts: Vec<String>,
}

impl Stage for Translate {
    type Input = TranslateInput;
    type Output = Vec<String>;

    fn name(&self) -> &'static str {
        "translate"
    }

    fn version(&self) -> u32 {
        1
    }

    async fn run(&self, input: &TranslateInput, _: &StageContext) -> Result<Vec<String>, StageError> {
        let request = TranslationRequest { from: input.from.clone(), to: input.to.clone(), texts: input.texts.clone() };
        let translations = self.engine.translate(&request).await.map_err(provider_failure)?;
        if translations.len() != input.texts.len() {
            let (name, sent, back) = (self.engine.name(), input.texts.len(), translations.len());
            let message = format!("{name} was sent {sent} texts and gave back {back}; please report this");
            return Err(StageError::fail(ErrorKind::Internal, message));
        }
        Ok(translations)
    }
}
