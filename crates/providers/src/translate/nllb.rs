//! Models of the family NLLB ("No Language Left Behind") of the user's, run by CTranslate2: two hundred languages into each
//! other, a sentence at a time.

mod languages;
mod model;
mod parts;
mod tokenizer;

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use ai::{
    ProviderError,
    translate::{Capability, Pair, TranslationRequest, Translator},
};
use kernel::{ErrorKind, Lang};
use tokio::sync::Semaphore;

use self::{
    model::{Codes, NllbModel},
    parts::Part,
};
use crate::{
    blocking::on_thread,
    models::{Loaded, Model, ModelPool},
};

const NAME: &str = "nllb";
/// Changes when the same request and model are answered otherwise.
const ADAPTER_VERSION: u32 = 1;
const MAX_TEXT_BYTES: usize = 16 * 1024;
const MAX_BATCH: usize = 2000;
/// Sentences that are translated before it is looked whether anybody still waits.
const SENTENCES: usize = 16;

/// Languages by their tags, each with its code.
type Langs = Vec<(Lang, &'static str)>;

/// The translator of one model.
#[derive(Debug)]
pub struct Nllb {
    model: Arc<Model>,
    pool: ModelPool,
    version: String,
    langs: OnceLock<Result<Langs, String>>,
    pairs: OnceLock<Vec<Pair>>,
    /// One batch at a time has the model, which takes every processor; others wait without a thread.
    places: Arc<Semaphore>,
}

impl Nllb {
    /// A translator that takes `model` out of `pool` when it is asked to translate.
    pub fn new(model: Model, pool: &ModelPool) -> Self {
        let version = format!("nllb, model {}, adapter {ADAPTER_VERSION}", model.manifest.fingerprint());
        Self {
            model: Arc::new(model),
            pool: pool.clone(),
            version,
            langs: OnceLock::new(),
            pairs: OnceLock::new(),
            places: Arc::new(Semaphore::new(1)),
        }
    }

    /// The languages that the model's list of tokens has, read by the first call.
    fn langs(&self) -> Result<&Langs, ProviderError> {
        let langs = self.langs.get_or_init(|| model::langs(&self.model.folder));
        langs.as_ref().map_err(|reason| {
            let name = &self.model.manifest.name;
            error(ErrorKind::Missing, format!("model `{name}` cannot be read: {reason}; remove it and add it again"))
        })
    }

    fn codes(&self, request: &TranslationRequest) -> Result<Codes, ProviderError> {
        let langs = self.langs()?;
        let find = |lang| languages::find_code(langs, lang);
        if let (Some(from), Some(to)) = (find(&request.from), find(&request.to))
            && from != to
        {
            return Ok(Codes { from, to });
        }
        let names: Vec<&str> = langs.iter().map(|(lang, _)| lang.as_str()).collect();
        let message = format!(
            "model `{}` does not translate `{}-{}`; it translates between any two of {}",
            self.model.manifest.name,
            request.from,
            request.to,
            names.join(", ")
        );
        Err(error(ErrorKind::NotFound, message))
    }

    /// The translation of each of `texts`, a few at a time, so that whoever no longer wants them does not wait for all.
    async fn run(&self, texts: &[&str], codes: Codes) -> Result<BTreeMap<String, String>, ProviderError> {
        let mut done: BTreeMap<String, String> = texts.iter().map(|text| ((*text).to_owned(), String::new())).collect();
        // Sentences as long as each other are translated together.
        let mut waiting: Vec<String> = done.keys().cloned().collect();
        waiting.sort_by_key(|text| (text.len(), text.clone()));
        for chunk in waiting.chunks(SENTENCES) {
            let (pool, model, texts) = (self.pool.clone(), Arc::clone(&self.model), chunk.to_vec());
            let translated = on_thread(NAME, &self.places, move || {
                let model = pool.lease::<NllbModel>(&model)?;
                let failed = |reason| error(ErrorKind::Internal, format!("the model failed: {reason}"));
                model.translate(&texts, codes).map_err(failed)
            })
            .await?;
            done.extend(chunk.iter().cloned().zip(translated));
        }
        Ok(done)
    }
}

#[async_trait::async_trait]
impl Translator for Nllb {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn capability(&self) -> Capability {
        Capability { max_text_bytes: MAX_TEXT_BYTES, max_batch: MAX_BATCH }
    }

    /// Forty thousand for a whole model; they are made once.
    async fn pairs(&self) -> Result<Vec<Pair>, ProviderError> {
        let langs = self.langs()?;
        let pairs = self.pairs.get_or_init(|| {
            let tags = || langs.iter().map(|(lang, _)| lang);
            let into_all = |from: &Lang| {
                let from = from.clone();
                let others = tags().filter(|to| **to != from).cloned().collect::<Vec<Lang>>();
                others.into_iter().map(move |to| {
                    let quality = languages::quality(&from, &to);
                    Pair { from: from.clone(), to, quality }
                })
            };
            tags().flat_map(into_all).collect()
        });
        Ok(pairs.clone())
    }

    async fn translate(&self, request: &TranslationRequest) -> Result<Vec<String>, ProviderError> {
        check_sizes(request)?;
        let codes = self.codes(request)?;
        let parts: Vec<Vec<Part<'_>>> = request.texts.iter().map(|text| parts::sentences(text)).collect();
        let mut sentences = self.run(&words(&parts), codes).await?;
        // A sentence that lost a mark is translated in pieces between its marks.
        let lost: Vec<String> = sentences
            .iter()
            .filter(|(text, translation)| !parts::keeps_marks(text, translation))
            .map(|(text, _)| text.clone())
            .collect();
        let pieces: Vec<Vec<Part<'_>>> = lost.iter().map(|text| parts::between_marks(text)).collect();
        let mut translated = self.run(&words(&pieces), codes).await?;
        for translation in translated.values_mut() {
            *translation = parts::without_marks(translation);
        }
        for (text, pieces) in lost.iter().zip(&pieces) {
            sentences.insert(text.clone(), join(pieces, &translated));
        }
        Ok(parts.iter().map(|parts| join(parts, &sentences)).collect())
    }
}

/// What of the parts of texts is translated.
fn words<'a>(parts: &[Vec<Part<'a>>]) -> Vec<&'a str> {
    let words = parts.iter().flatten().filter_map(|part| match part {
        Part::Words(text) => Some(*text),
        Part::Between(_) => None,
    });
    words.collect()
}

/// A text of its parts, those that have words as they were translated. One of which nothing came back stays as it was.
fn join(parts: &[Part<'_>], translated: &BTreeMap<String, String>) -> String {
    let text = |part: &Part<'_>| match part {
        Part::Between(text) => (*text).to_owned(),
        Part::Words(text) => translated
            .get(*text)
            .filter(|made| !made.trim().is_empty())
            .map_or_else(|| (*text).to_owned(), String::clone),
    };
    parts.iter().map(text).collect()
}

fn check_sizes(request: &TranslationRequest) -> Result<(), ProviderError> {
    if request.texts.len() > MAX_BATCH {
        let message = format!("the batch has {} texts; translate at most {MAX_BATCH} at a time", request.texts.len());
        return Err(error(ErrorKind::Invalid, message));
    }
    match request.texts.iter().map(String::len).find(|&length| length > MAX_TEXT_BYTES) {
        Some(length) => {
            let message = format!("a text has {length} bytes; split it into texts of at most {MAX_TEXT_BYTES}");
            Err(error(ErrorKind::Invalid, message))
        }
        None => Ok(()),
    }
}

/// Loads a model of this family.
pub(crate) fn load(model: &Model) -> Result<Loaded, String> {
    let model = NllbModel::load(model)?;
    model.try_out()?;
    Ok(Arc::new(model))
}

fn error(kind: ErrorKind, message: impl Into<String>) -> ProviderError {
    ProviderError::new(NAME, kind, message)
}
