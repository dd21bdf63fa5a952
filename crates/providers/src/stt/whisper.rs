//! Whisper models of the user's, in the layout of faster-whisper, run by CTranslate2: they write down many languages as one
//! would write them, and find out which is spoken.
//!
//! Each utterance is heard by itself, as the half minute that it begins.

mod languages;
mod mel;
mod model;
mod tokens;
mod words;

use std::sync::{Arc, OnceLock};

use ai::{
    ProviderError,
    stt::{Capability, Stt, Transcript, Utterance},
};
use kernel::{ErrorKind, Lang};
use tokio::sync::Semaphore;

use self::{
    mel::CHUNK_SAMPLES,
    model::{Facts, Heard, WhisperModel},
};
use crate::{
    blocking::on_thread,
    models::{Loaded, Model, ModelPool},
};

const NAME: &str = "whisper";
/// Changes when the same utterance and model give another transcript.
const ADAPTER_VERSION: u32 = 1;
/// Samples that are no louder (−60 dB of full scale) are silence, of which these models make sentences.
const SILENCE: u16 = 32;

/// The engine of one model.
#[derive(Debug)]
pub struct Whisper {
    model: Arc<Model>,
    pool: ModelPool,
    version: String,
    facts: OnceLock<Result<Facts, String>>,
    /// One utterance at a time has the model, which takes every processor; others wait without a thread.
    places: Arc<Semaphore>,
}

impl Whisper {
    /// An engine that takes `model` out of `pool` when it is asked to listen.
    pub fn new(model: Model, pool: &ModelPool) -> Self {
        let version = format!("whisper, model {}, adapter {ADAPTER_VERSION}", model.manifest.fingerprint());
        Self {
            model: Arc::new(model),
            pool: pool.clone(),
            version,
            facts: OnceLock::new(),
            places: Arc::new(Semaphore::new(1)),
        }
    }

    /// What the model's small files say, read by the first call.
    fn facts(&self) -> Result<&Facts, ProviderError> {
        let facts = self.facts.get_or_init(|| Facts::read(&self.model.folder));
        facts.as_ref().map_err(|reason| {
            let name = &self.model.manifest.name;
            error(ErrorKind::Missing, format!("model `{name}` cannot be read: {reason}; remove it and add it again"))
        })
    }

    /// The language that is asked for as the model knows it; `None` where it is to find out.
    fn lang(&self, utterance: &Utterance) -> Result<Option<Lang>, ProviderError> {
        let (facts, name) = (self.facts()?, &self.model.manifest.name);
        let Some(asked) = &utterance.lang else {
            if facts.detects_lang() {
                return Ok(None);
            }
            let message = format!("model `{name}` cannot find out what language is spoken; name it, such as `en`");
            return Err(error(ErrorKind::Invalid, message));
        };
        let known = facts.tokens.find_lang(asked);
        known.map(Some).ok_or_else(|| {
            let langs = facts.tokens.langs();
            let langs: Vec<&str> = langs.iter().map(Lang::as_str).collect();
            let message = format!("model `{name}` does not understand `{asked}`; it understands {}", langs.join(", "));
            error(ErrorKind::NotFound, message)
        })
    }
}

#[async_trait::async_trait]
impl Stt for Whisper {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn capability(&self) -> Capability {
        let facts = self.facts().ok();
        Capability {
            word_times: facts.is_some_and(Facts::has_clock),
            confidence: true,
            detects_lang: facts.is_some_and(Facts::detects_lang),
            max_samples: CHUNK_SAMPLES,
        }
    }

    async fn langs(&self) -> Result<Vec<Lang>, ProviderError> {
        Ok(self.facts()?.tokens.langs())
    }

    async fn transcribe(&self, utterance: &Utterance) -> Result<Transcript, ProviderError> {
        let length = utterance.samples.len();
        if length > CHUNK_SAMPLES {
            let message = format!("the utterance has {length} samples; send at most {CHUNK_SAMPLES}, 30 s, at a time");
            return Err(error(ErrorKind::Invalid, message));
        }
        let lang = self.lang(utterance)?;
        let spoken = |heard: &Lang| utterance.lang.clone().unwrap_or_else(|| heard.clone());
        if utterance.samples.iter().all(|sample| sample.unsigned_abs() <= SILENCE) {
            let lang = spoken(&lang.unwrap_or_else(Lang::english));
            return Ok(Transcript { text: String::new(), lang, words: Vec::new(), confidence: None });
        }
        let (pool, model, samples) = (self.pool.clone(), Arc::clone(&self.model), Arc::clone(&utterance.samples));
        let Heard { lang, text, words, confidence } = on_thread(NAME, &self.places, move || {
            let model = pool.lease::<WhisperModel>(&model)?;
            let failed = |reason| error(ErrorKind::Internal, format!("the model failed: {reason}"));
            model.hear(&samples, lang.as_ref()).map_err(failed)
        })
        .await?;
        Ok(Transcript { text, lang: spoken(&lang), words, confidence })
    }
}

/// Loads a model of this family.
pub(crate) fn load(model: &Model) -> Result<Loaded, String> {
    let model = WhisperModel::load(model)?;
    model.try_out()?;
    Ok(Arc::new(model))
}

fn error(kind: ErrorKind, message: impl Into<String>) -> ProviderError {
    ProviderError::new(NAME, kind, message)
}
