//! A model of the family NLLB, loaded.

use std::path::Path;

use ct2rs::sys::{BatchType, TranslationOptions, Translator};
use kernel::Lang;
use serde::Deserialize;

use super::{
    languages,
    tokenizer::{SPACE, Tokenizer, UNKNOWN},
};
use crate::{
    ctranslate2::{self, Options, Vocabulary, Weights, layers, repeats},
    models::Model,
};

const SPECIFICATION: &str = "TransformerSpec";
const VOCABULARY: &str = "shared_vocabulary";
const END: &str = "</s>";
/// What no text is made of.
const CONTROLS: [&str; 5] = ["<s>", "<pad>", END, UNKNOWN, "<mask>"];
/// That of the makers' own measurements.
const USUAL_BEAM: usize = 4;
/// Longer sentences are cut: the models were taught few of them.
const MAX_TOKENS: usize = 200;
/// Tokens of a batch: what a processor has at hand.
const BATCH_TOKENS: usize = 1024;
/// A translation is at most so many times longer than its text, and a little.
const LONGER_TIMES: usize = 3;
const LONGER_TOKENS: usize = 16;
/// No three tokens follow one another twice in a second attempt.
const NEVER_TWICE: usize = 3;

/// A model's `config.json`. CTranslate2 reads these without a look whether they are there.
#[derive(Debug, Clone, Deserialize)]
struct Settings {
    unk_token: String,
    eos_token: String,
    bos_token: String,
    decoder_start_token: String,
    add_source_bos: bool,
    add_source_eos: bool,
    quantization_type: Option<serde_json::Value>,
}

/// The languages of the model in a folder, in the order of their tags; read in a moment.
pub(super) fn langs(folder: &Path) -> Result<Vec<(Lang, &'static str)>, String> {
    langs_of(&Vocabulary::read(folder, VOCABULARY)?)
}

fn langs_of(vocabulary: &Vocabulary) -> Result<Vec<(Lang, &'static str)>, String> {
    let langs = languages::of_model(|code| vocabulary.find(code).is_some());
    if langs.len() < 2 { Err("it knows fewer than two of NLLB's languages".to_owned()) } else { Ok(langs) }
}

/// A loaded model.
#[derive(Debug)]
pub(super) struct NllbModel {
    translator: Translator,
    tokenizer: Tokenizer,
    settings: Settings,
    langs: Vec<(Lang, &'static str)>,
    /// The most tokens of a sentence with its language and its end.
    max_tokens: usize,
    beam: usize,
}

/// Which language is translated to which, by their codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Codes {
    pub(super) from: &'static str,
    pub(super) to: &'static str,
}

impl NllbModel {
    pub(super) fn load(model: &Model) -> Result<Self, String> {
        let (folder, options) = (&model.folder, Options::of(&model.manifest.options, USUAL_BEAM)?);
        let settings: Settings = ctranslate2::settings(folder)?;
        let vocabulary = Vocabulary::read(folder, VOCABULARY)?;
        let langs = langs_of(&vocabulary)?;
        let max_tokens = check(&Weights::read(folder)?, &settings, &vocabulary)?;
        let tokenizer = Tokenizer::read(folder)?;
        let translator =
            Translator::new(folder, &options.config(model.manifest.size_bytes())).map_err(|error| error.to_string())?;
        Ok(Self { translator, tokenizer, settings, langs, max_tokens, beam: options.beam })
    }

    /// Translates two words once: whether the model runs at all is known then.
    pub(super) fn try_out(&self) -> Result<(), String> {
        let [(_, from), (_, to), ..] = self.langs.as_slice() else { return Ok(()) };
        self.translate(&["Yes, 1.".to_owned()], Codes { from, to }).map(drop)
    }

    /// The translation of each text, which is a sentence or less.
    pub(super) fn translate(&self, texts: &[String], codes: Codes) -> Result<Vec<String>, String> {
        let (mut sources, mut of_text) = (Vec::new(), Vec::new());
        for text in texts {
            let begin = sources.len();
            self.tokens(text, codes, &mut sources);
            of_text.push(begin..sources.len());
        }
        let mut made = self.run(&sources, codes, 0)?;
        let looping: Vec<usize> = (0..made.len())
            .filter(|&index| repeats::is_loop(&made[index]) && !repeats::is_loop(&detokenize(&sources[index])))
            .collect();
        if !looping.is_empty() {
            let again: Vec<Vec<String>> = looping.iter().map(|&index| sources[index].clone()).collect();
            for (index, text) in looping.into_iter().zip(self.run(&again, codes, NEVER_TWICE)?) {
                made[index] = text;
            }
        }
        let join = |range: std::ops::Range<usize>| {
            let parts: Vec<&str> = made[range].iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
            parts.join(" ")
        };
        Ok(of_text.into_iter().map(join).collect())
    }

    /// The tokens of a text as the model was taught to read them, in as many pieces as are short enough.
    ///
    /// The language stands before the sentence and `</s>` after it, as in the paper (6.1.1: "we prefix the source sequence
    /// with the source language") and in Hugging Face's `NllbTokenizer` since April 2023. CTranslate2's own guide leaves it
    /// to that tokenizer; before, it put both at the end, which was a fault.
    fn tokens(&self, text: &str, codes: Codes, pieces: &mut Vec<Vec<String>>) {
        let tokens = self.tokenizer.encode(text);
        if tokens.len() + 2 > self.max_tokens
            && let Some(middle) = middle(text)
        {
            self.tokens(text[..middle].trim(), codes, pieces);
            self.tokens(text[middle..].trim(), codes, pieces);
            return;
        }
        if !tokens.is_empty() {
            let end = (!self.settings.add_source_eos).then(|| END.to_owned());
            pieces.push([codes.from.to_owned()].into_iter().chain(tokens).chain(end).collect());
        }
    }

    fn run(&self, sources: &[Vec<String>], codes: Codes, never_twice: usize) -> Result<Vec<String>, String> {
        if sources.is_empty() {
            return Ok(Vec::new());
        }
        let longest = sources.iter().map(Vec::len).max().unwrap_or(0);
        let options = TranslationOptions {
            beam_size: self.beam,
            no_repeat_ngram_size: never_twice,
            max_decoding_length: (LONGER_TIMES * longest + LONGER_TOKENS).min(LONGER_TIMES * self.max_tokens),
            return_scores: true,
            max_batch_size: BATCH_TOKENS,
            batch_type: BatchType::Tokens,
            ..TranslationOptions::default()
        };
        let prefixes = vec![vec![codes.to]; sources.len()];
        let made = self.translator.translate_batch_with_target_prefix(sources, &prefixes, &options, None);
        let made = made.map_err(|error| error.to_string())?;
        if made.len() != sources.len() {
            return Err(format!("it gave {} texts for {}", made.len(), sources.len()));
        }
        let text = |made: ct2rs::sys::TranslationResult| {
            let tokens = made.hypotheses.into_iter().next().unwrap_or_default();
            if made.scores.first().is_some_and(|score| !score.is_finite()) {
                return Err("it gave what are no numbers".to_owned());
            }
            Ok(detokenize(tokens.strip_prefix(&[codes.to.to_owned()]).unwrap_or(&tokens)))
        };
        made.into_iter().map(text).collect()
    }
}

/// The text of tokens.
fn detokenize(tokens: &[String]) -> String {
    let words = tokens.iter().map(String::as_str).filter(|token| !CONTROLS.contains(token));
    words.collect::<String>().replace(SPACE, " ").trim().to_owned()
}

/// A place near the middle of a text where it can be cut: at a space, else between two characters.
fn middle(text: &str) -> Option<usize> {
    let half = text.len() / 2;
    let nearest = |places: &mut dyn Iterator<Item = usize>| places.min_by_key(|place| place.abs_diff(half));
    let spaces = &mut text.char_indices().filter(|(at, c)| *at > 0 && c.is_whitespace()).map(|(at, _)| at);
    let characters = &mut text.char_indices().map(|(at, _)| at).filter(|at| *at > 0);
    nearest(spaces).or_else(|| nearest(characters))
}

/// Looks whether everything that CTranslate2 will touch is there. The most tokens of a sentence.
fn check(weights: &Weights, settings: &Settings, vocabulary: &Vocabulary) -> Result<usize, String> {
    if weights.header.specification != SPECIFICATION {
        return Err(format!("it is of the sort {}, not {SPECIFICATION}", weights.header.specification));
    }
    if settings.quantization_type.as_ref().is_some_and(|kind| !kind.is_null() && *kind != 0) {
        return Err("its weights are stored in a way that only graphics cards compute with".to_owned());
    }
    for token in [&settings.unk_token, &settings.eos_token, &settings.bos_token, &settings.decoder_start_token] {
        vocabulary.get(token)?;
    }
    if settings.eos_token != END || settings.add_source_bos {
        return Err("its `config.json` is not that of a model of NLLB".to_owned());
    }
    layers::check(weights, vocabulary.len())?;
    weights.shape::<2>("encoder/embeddings_0/weight").or_else(|_| weights.shape::<2>("encoder/embeddings/weight"))?;
    // Most compute the encodings of places, however many; where they are stored, there are so many.
    let places = ["encoder", "decoder"].map(|side| weights.find(&format!("{side}/position_encodings/encodings")));
    let source = places[0].map_or(MAX_TOKENS, |shape| shape[0].min(MAX_TOKENS));
    let target = places[1].map_or(MAX_TOKENS, |shape| shape[0].saturating_sub(2) / LONGER_TIMES);
    match source.min(target) {
        few @ ..16 => Err(format!("it translates {few} tokens at most")),
        enough => Ok(enough),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_become_text_without_those_that_steer() {
        let tokens = ["</s>", "▁La", "▁ca", "sa", "<unk>", ".", "</s>"].map(str::to_owned);
        assert_eq!(detokenize(&tokens), "La casa.");
    }

    #[test]
    fn a_text_is_cut_at_the_space_nearest_to_its_middle() {
        assert_eq!(middle("one two three"), Some(7));
        assert_eq!(middle("abcdef"), Some(3));
        assert_eq!(middle("日本"), Some(3));
        assert_eq!((middle("a"), middle("")), (None, None));
    }
}
