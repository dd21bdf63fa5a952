//! Every line that has no standing translation gets one: whole sentences at a time, each language by itself.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use ai::translate::{Pair, TranslationRequest, Translator};
use kernel::{ErrorKind, Lang};
use pipeline::{FanOut, Run};

use crate::{
    DubbingError,
    document::{Concern, Dub, Utterance, text_hash},
    glossary::{Glossary, Lost, Masked, Numbers, Phrases},
    pairs::{NoWay, Pivots, Way, way},
    sentences,
    stages::translate::{Translate, TranslateInput},
};

/// Sentences of one request: enough that starting the engine costs little, few enough that a stopped run loses little.
const BATCH: usize = 64;
/// Batches at once. An engine of the same machine gains nothing from more.
const BATCHES_AT_ONCE: usize = 2;

/// The way from the dub's language to `lang`, as its settings allow.
pub(crate) async fn find_way(engines: &[Arc<dyn Translator>], dub: &Dub, lang: &Lang) -> Result<Way, DubbingError> {
    let mut pairs: Vec<Vec<Pair>> = Vec::with_capacity(engines.len());
    for engine in engines {
        pairs.push(engine.pairs().await?);
    }
    let pivots = if dub.settings.pivots == Some(true) { Pivots::Allowed } else { Pivots::Refused };
    match way(&dub.lang, lang, &pairs, pivots) {
        Ok(way) => Ok(way),
        Err(error) => Err(NoWay { install: how_to_install(engines, &dub.lang, lang).await, ..error }.into()),
    }
}

/// What the first engine that knows says of a pair it does not have.
async fn how_to_install(engines: &[Arc<dyn Translator>], from: &Lang, to: &Lang) -> String {
    let request = TranslationRequest { from: from.clone(), to: to.clone(), texts: vec!["a".to_owned()] };
    for engine in engines {
        if let Err(error) = engine.translate(&request).await
            && matches!(error.kind, ErrorKind::NotFound | ErrorKind::Missing)
        {
            return error.message;
        }
    }
    String::new()
}

/// Translates what is not translated yet, or was from another text. What a person wrote stays.
pub(crate) async fn translate(
    engines: &[Arc<dyn Translator>],
    dub: &mut Dub,
    lang: &Lang,
    run: &Run,
) -> Result<(), DubbingError> {
    let no_dub = Phrases::new(dub.settings.no_dub.iter().map(|phrase| (phrase.clone(), ())));
    let joins = |utterance: &Utterance| !utterance.text.trim().is_empty() && !no_dub.are_in(&utterance.text);
    let groups = sentences::join(&dub.utterances, joins);
    let way = find_way(engines, dub, lang).await?;
    let interpreter = Interpreter { engines, way: &way, glossary: Glossary::new(&dub.settings, lang), run };
    let mut waiting: Vec<(Range<usize>, String, String)> = Vec::new();
    for group in groups {
        let text = whole_text(&dub.utterances[group.clone()], &dub.lang);
        let from = interpreter.origin(&text);
        let stale = dub.utterances[group.clone()].iter().any(|utterance| is_stale(utterance, lang, &from));
        if !text.is_empty() && stale {
            waiting.push((group, text, from));
        }
    }
    let texts: Vec<String> = waiting.iter().map(|(_, text, _)| text.clone()).collect();
    let translated = interpreter.translate(&texts).await?;
    for (group, text, from) in waiting {
        let Some(Translated { text, lost }) = translated.get(&text) else { continue };
        set_parts(&mut dub.utterances[group], lang, text, *lost, &from);
    }
    Ok(())
}

/// The sentence of a group of utterances.
fn whole_text(utterances: &[Utterance], lang: &Lang) -> String {
    let texts: Vec<&str> = utterances.iter().map(|utterance| utterance.text.trim()).collect();
    texts.join(if lang.is_unspaced() { "" } else { " " }).trim().to_owned()
}

/// Whether a machine is to translate it, and did not from this.
fn is_stale(utterance: &Utterance, lang: &Lang, from: &str) -> bool {
    let line = utterance.line(lang);
    !line.is_by_person() && line.machine.is_none_or(|machine| machine.from != from)
}

/// Gives each utterance its part of the sentence, in proportion to its time.
fn set_parts(utterances: &mut [Utterance], lang: &Lang, translation: &str, lost: Option<Lost>, from: &str) {
    let weights: Vec<u64> = utterances.iter().map(Utterance::duration_ms).collect();
    let parts = sentences::divide(translation, &weights, lang);
    for (utterance, part) in utterances.iter_mut().zip(parts) {
        if !is_stale(utterance, lang, from) {
            continue;
        }
        let line = utterance.lines.entry(lang.clone()).or_default();
        line.set_machine(part, from.to_owned());
        line.needs_person.retain(|concern| *concern != Concern::TermLost);
        line.needs_person.extend(lost.map(|_| Concern::TermLost));
    }
}

/// A sentence in the other language, and what it lost on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Translated {
    text: String,
    lost: Option<Lost>,
}

/// Translates by one way, and sees to it that what must come through does.
struct Interpreter<'a> {
    engines: &'a [Arc<dyn Translator>],
    way: &'a Way,
    glossary: Glossary,
    run: &'a Run,
}

impl Interpreter<'_> {
    /// A hash of everything a sentence's translation is made from. A term that is not in the sentence is no part of it.
    fn origin(&self, text: &str) -> String {
        let masked = self.glossary.mask(text, Numbers::HeldBack);
        let legs = self.way.legs.iter().map(|leg| {
            let version = self.engines.get(leg.engine).map_or("", |engine| engine.version());
            format!("{} {} {version}", leg.pair.from, leg.pair.to)
        });
        text_hash(&format!("{}\n{text}\n{masked:?}", legs.collect::<Vec<_>>().join("\n")))
    }

    /// The translation of every text. A text that loses something is tried again with its numbers held back, then with
    /// nothing held back, and marked.
    async fn translate(&self, texts: &[String]) -> Result<BTreeMap<String, Translated>, DubbingError> {
        let mut done = BTreeMap::new();
        let mut waiting: Vec<(String, Lost)> = Vec::new();
        for (text, result) in self.attempt(texts, Numbers::Translated).await? {
            match result {
                Ok(translation) => drop(done.insert(text, Translated { text: translation, lost: None })),
                Err(lost) => waiting.push((text, lost)),
            }
        }
        let numbers: Vec<String> =
            waiting.iter().filter(|(_, lost)| *lost == Lost::Number).map(|(text, _)| text.clone()).collect();
        for (text, result) in self.attempt(&numbers, Numbers::HeldBack).await? {
            if let Ok(translation) = result {
                done.insert(text, Translated { text: translation, lost: None });
            }
        }
        waiting.retain(|(text, _)| !done.contains_key(text));
        let plain: Vec<String> = waiting.iter().map(|(text, _)| text.clone()).collect();
        let translations = self.by_all_legs(plain).await?;
        for ((text, lost), translation) in waiting.into_iter().zip(translations) {
            done.insert(text, Translated { text: translation, lost: Some(lost) });
        }
        Ok(done)
    }

    async fn attempt(
        &self,
        texts: &[String],
        numbers: Numbers,
    ) -> Result<Vec<(String, Result<String, Lost>)>, DubbingError> {
        let masked: Vec<Masked> = texts.iter().map(|text| self.glossary.mask(text, numbers)).collect();
        let translations = self.by_all_legs(masked.iter().map(|masked| masked.text.clone()).collect()).await?;
        let results = masked.iter().zip(translations).map(|(masked, translation)| masked.unmask(&translation));
        Ok(texts.iter().cloned().zip(results).collect())
    }

    /// Texts through every leg of the way, in their order.
    async fn by_all_legs(&self, mut texts: Vec<String>) -> Result<Vec<String>, DubbingError> {
        if texts.is_empty() {
            return Ok(texts);
        }
        for leg in &self.way.legs {
            let engine = self.engines.get(leg.engine).ok_or_else(|| {
                DubbingError::Internal(format!("the way to `{}` leads through no engine", leg.pair.to))
            })?;
            let input = |texts: &[String]| TranslateInput {
                engine: engine.version().to_owned(),
                from: leg.pair.from.clone(),
                to: leg.pair.to.clone(),
                texts: texts.to_vec(),
            };
            let batch = BATCH.min(engine.capability().max_batch.max(1));
            let inputs: Vec<TranslateInput> = texts.chunks(batch).map(input).collect();
            let stage = Translate { engine: Arc::clone(engine) };
            let made = self.run.make_all(&stage, &inputs, FanOut::new(BATCHES_AT_ONCE)).await?;
            texts = made.into_iter().flat_map(|made| made.output).collect();
        }
        Ok(texts)
    }
}
