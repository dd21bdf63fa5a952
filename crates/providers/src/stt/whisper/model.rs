//! A Whisper model: what its files say of it, and the model itself once it is loaded.

use std::{
    path::Path,
    sync::{Mutex, PoisonError},
};

use ai::stt::{SAMPLE_RATE, Word};
use ct2rs::sys::{Device, StorageView, Whisper, WhisperGenerationResult, WhisperOptions};
use kernel::Lang;
use serde::Deserialize;

use super::{
    languages,
    mel::{CHUNK_FRAMES, HOP, MelSpectrogram},
    tokens::Tokens,
    words::{self, Alignment},
};
use crate::{
    ctranslate2::{self, Options, Vocabulary, Weights, layers, repeats},
    models::Model,
};

const SPECIFICATION: &str = "WhisperSpec";
const USUAL_BEAM: usize = 5;
/// Frames of a chunk as the encoder gives them: every second one.
const ENCODED_FRAMES: usize = CHUNK_FRAMES / 2;
/// Frames over which the attention to them is smoothed, as Whisper's makers do.
const SMOOTHED_FRAMES: i64 = 7;
/// Nothing is said where silence is more probable than this and the words are less than the next, as the logarithm of
/// their mean probability; both are those of Whisper's makers.
const SILENCE_PROBABILITY: f32 = 0.6;
const DOUBTFUL_WORDS: f32 = -1.0;
/// No three tokens follow one another twice in a second attempt.
const NEVER_TWICE: usize = 3;

/// What the files of a model say of it; read in a moment.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) tokens: Tokens,
    settings: Settings,
}

/// A model's `config.json`. What is not in it is not asked for: CTranslate2 itself does not look whether it is there.
#[derive(Debug, Clone, Default, Deserialize)]
struct Settings {
    /// Layer and head of what tells when a token was spoken.
    alignment_heads: Option<Vec<(usize, usize)>>,
    lang_ids: Option<Vec<usize>>,
    suppress_ids: Option<Vec<usize>>,
    suppress_ids_begin: Option<Vec<usize>>,
    quantization_type: Option<serde_json::Value>,
}

impl Facts {
    pub(super) fn read(folder: &Path) -> Result<Self, String> {
        let settings: Settings = ctranslate2::settings(folder)?;
        let vocabulary = Vocabulary::read(folder, "vocabulary")?;
        let tokens = Tokens::new(vocabulary, settings.lang_ids.as_deref().unwrap_or_default())?;
        let lists = [&settings.lang_ids, &settings.suppress_ids, &settings.suppress_ids_begin];
        if let Some(id) = lists.into_iter().flatten().flatten().find(|id| **id >= tokens.len()) {
            return Err(format!("its `config.json` names the token {id}, and it has {}", tokens.len()));
        }
        if settings.quantization_type.as_ref().is_some_and(|kind| !kind.is_null() && *kind != 0) {
            return Err("its weights are stored in a way that only graphics cards compute with".to_owned());
        }
        Ok(Self { tokens, settings })
    }

    /// Whether words come with times.
    pub(super) fn has_clock(&self) -> bool {
        self.settings.alignment_heads.as_ref().is_some_and(|heads| !heads.is_empty())
    }

    /// Whether it can find out a language.
    pub(super) fn detects_lang(&self) -> bool {
        self.tokens.is_multilingual() && self.settings.lang_ids.as_ref().is_some_and(|ids| !ids.is_empty())
    }
}

/// A loaded model.
#[derive(Debug)]
pub(super) struct WhisperModel {
    pub(super) facts: Facts,
    whisper: Whisper,
    mel: Mutex<MelSpectrogram>,
    bands: usize,
    /// The most tokens of a prompt and what is written after it.
    max_tokens: usize,
    beam: usize,
}

/// What was heard in an utterance.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Heard {
    pub(super) lang: Lang,
    pub(super) text: String,
    pub(super) words: Vec<Word>,
    pub(super) confidence: Option<f32>,
}

impl WhisperModel {
    pub(super) fn load(model: &Model) -> Result<Self, String> {
        let options = Options::of(&model.manifest.options, USUAL_BEAM)?;
        let facts = Facts::read(&model.folder)?;
        let weights = Weights::read(&model.folder)?;
        let (bands, max_tokens) = check(&weights, &facts)?;
        let whisper = Whisper::new(&model.folder, options.config(model.manifest.size_bytes()))
            .map_err(|error| error.to_string())?;
        if whisper.is_multilingual() != facts.tokens.is_multilingual() || whisper.n_mels() != bands {
            return Err("CTranslate2 reads its files otherwise than Pressroom does; report this".to_owned());
        }
        let mel = Mutex::new(MelSpectrogram::new(bands));
        Ok(Self { facts, whisper, mel, bands, max_tokens, beam: options.beam })
    }

    /// Runs the model once on a second of next to nothing, to its times: whether it runs at all is known then.
    pub(super) fn try_out(&self) -> Result<(), String> {
        let noise: Vec<i16> = (0..SAMPLE_RATE).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as i16 - 128).collect();
        let encoded = self.encode(&noise, 100)?;
        let known = self.facts.tokens.langs().swap_remove(0);
        let lang = if self.facts.detects_lang() { self.detect(&encoded)? } else { known };
        let written = self.write(&encoded, &lang, 0)?;
        let tokens = if written.tokens.is_empty() { vec![0] } else { written.tokens };
        if self.facts.has_clock() {
            self.align(&encoded, &lang, (&tokens, noise.len()))?;
        }
        Ok(())
    }

    /// Writes down what is said in at most half a minute.
    pub(super) fn hear(&self, samples: &[i16], lang: Option<&Lang>) -> Result<Heard, String> {
        let encoded = self.encode(samples, CHUNK_FRAMES)?;
        let lang = lang.map_or_else(|| self.detect(&encoded), |lang| Ok(lang.clone()))?;
        let mut written = self.write(&encoded, &lang, 0)?;
        let mut text = self.facts.tokens.text(&written.tokens);
        if repeats::is_loop(&text) {
            written = self.write(&encoded, &lang, NEVER_TWICE)?;
            text = self.facts.tokens.text(&written.tokens);
        }
        let text = text.trim().to_owned();
        if text.is_empty() || written.is_silence() {
            return Ok(Heard { lang, text: String::new(), words: Vec::new(), confidence: None });
        }
        let words = if self.facts.has_clock() {
            self.align(&encoded, &lang, (&written.tokens, samples.len()))?
        } else {
            Vec::new()
        };
        Ok(Heard { lang, text, words, confidence: Some(written.confidence()) })
    }

    fn encode(&self, samples: &[i16], frames: usize) -> Result<StorageView<'static>, String> {
        let mut mel = self.mel.lock().unwrap_or_else(PoisonError::into_inner).compute(samples, frames);
        let features = StorageView::new(&[1, self.bands, frames], &mut mel, Device::CPU);
        let features = features.map_err(|error| error.to_string())?;
        self.whisper.encode(&features, true).map_err(|error| error.to_string())
    }

    /// The language that is spoken most probably.
    fn detect(&self, encoded: &StorageView<'_>) -> Result<Lang, String> {
        let detected = self.whisper.detect_language(encoded).map_err(|error| error.to_string())?;
        let best = detected.first().and_then(|all| all.first());
        let best = best.filter(|best| best.probability.is_finite());
        best.and_then(|best| languages::find_lang(&best.language)).ok_or_else(|| "it finds out no language".to_owned())
    }

    fn write(&self, encoded: &StorageView<'_>, lang: &Lang, never_twice: usize) -> Result<Written, String> {
        let options = WhisperOptions {
            beam_size: self.beam,
            no_repeat_ngram_size: never_twice,
            max_length: self.max_tokens,
            return_scores: true,
            return_no_speech_prob: true,
            suppress_blank: self.facts.settings.suppress_ids_begin.is_some(),
            suppress_tokens: self.facts.settings.suppress_ids.iter().map(|_| -1).collect(),
            ..WhisperOptions::default()
        };
        let prompt = self.facts.tokens.prompt(lang);
        let made = self.whisper.generate(encoded, &[prompt], &options).map_err(|error| error.to_string())?;
        let made = made.into_iter().next().ok_or("it gave nothing")?;
        Written::of(&made, &self.facts.tokens)
    }

    /// The words of a text with their times in an utterance of so many samples.
    fn align(
        &self,
        encoded: &StorageView<'_>,
        lang: &Lang,
        (tokens, samples): (&[usize], usize),
    ) -> Result<Vec<Word>, String> {
        let task = self.facts.tokens.task(lang);
        // The tokens stand between the task, two that say how to write, and the one that ends it.
        let tokens = &tokens[..tokens.len().min(self.max_tokens.saturating_sub(task.len() + 2))];
        let frames = samples.div_ceil(HOP).min(CHUNK_FRAMES);
        let aligned = self.whisper.align(encoded, &task, &[tokens.to_vec()], &[frames], SMOOTHED_FRAMES);
        let aligned = aligned.map_err(|error| error.to_string())?.into_iter().next().ok_or("it gave no times")?;
        let path: Vec<(i64, i64)> = aligned.alignments.iter().map(|step| (step.token_x, step.frame_x)).collect();
        let duration_ms = (samples as u64 * 1000 / u64::from(SAMPLE_RATE)) as u32;
        // An utterance of less than two frames has no path; its words share it.
        let begins = words::begins(&path, tokens.len()).unwrap_or_else(|| vec![0; tokens.len() + 1]);
        let alignment = Alignment { begins: &begins, probabilities: &aligned.text_token_probs, duration_ms };
        Ok(words::with_times(&self.facts.tokens.words(tokens, lang), alignment))
    }
}

/// What a model wrote.
#[derive(Debug, Clone, PartialEq)]
struct Written {
    /// Those that are text.
    tokens: Vec<usize>,
    /// The logarithm of the mean probability of a token, the end's too.
    mean_log_probability: f32,
    silence: f32,
}

impl Written {
    fn of(made: &WhisperGenerationResult, tokens: &Tokens) -> Result<Self, String> {
        let (Some(ids), Some(score)) = (made.sequences_ids.first(), made.scores.first()) else {
            return Err("it gave nothing".to_owned());
        };
        // Of an empty text the mean is that of nothing.
        let score = if ids.is_empty() { 0.0 } else { *score };
        if !score.is_finite() || !made.no_speech_prob.is_finite() {
            return Err("it gave what are no numbers".to_owned());
        }
        let length = ids.len() as f32;
        Ok(Self {
            tokens: tokens.texts(ids),
            mean_log_probability: score * length / (length + 1.0),
            silence: made.no_speech_prob.clamp(0.0, 1.0),
        })
    }

    fn is_silence(&self) -> bool {
        self.silence > SILENCE_PROBABILITY && self.mean_log_probability < DOUBTFUL_WORDS
    }

    fn confidence(&self) -> f32 {
        (self.mean_log_probability.exp() * (1.0 - self.silence)).clamp(0.0, 1.0)
    }
}

/// Looks whether everything that CTranslate2 will touch is there. The bands of the spectrogram, and the most tokens.
fn check(weights: &Weights, facts: &Facts) -> Result<(usize, usize), String> {
    if weights.header.specification != SPECIFICATION {
        return Err(format!("it is of the sort {}, not {SPECIFICATION}", weights.header.specification));
    }
    let sizes = layers::check(weights, facts.tokens.len())?;
    let [_, bands, _] = weights.shape("encoder/conv1/weight")?;
    if !matches!(bands, 80 | 128) {
        return Err(format!("it listens to {bands} bands; Whisper's models have 80 or 128"));
    }
    weights.shape::<3>("encoder/conv2/weight")?;
    let [frames, _] = weights.shape("encoder/position_encodings/encodings")?;
    if frames != ENCODED_FRAMES {
        return Err(format!("it listens to {frames} frames at a time instead of {ENCODED_FRAMES}"));
    }
    let [max_tokens, _] = weights.shape("decoder/position_encodings/encodings")?;
    if max_tokens < 16 {
        return Err(format!("it writes {max_tokens} tokens at most"));
    }
    let heads = facts.settings.alignment_heads.iter().flatten();
    let mut missing = heads.filter(|(layer, head)| *layer >= sizes.decoder_layers || *head >= sizes.decoder_heads);
    match missing.next() {
        Some((layer, head)) => {
            Err(format!("its `config.json` names the head {head} of layer {layer}, which it has not"))
        }
        None => Ok((bands, max_tokens)),
    }
}
