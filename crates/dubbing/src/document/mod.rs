//! The document of a dub: what is said when and by whom, and what is said instead in each language.
//!
//! It is the truth of a dub: a person edits it by hand or by command, and the next run makes what follows from it. What is
//! absent Pressroom decides; a `false` and a `0` are decisions.

mod check;
mod file;
mod words;

use std::{collections::BTreeMap, path::PathBuf};

use kernel::Lang;
use serde::{Deserialize, Serialize};

use crate::subtitles::SubtitleFigures;

pub use self::file::{DocumentError, MAX_DOCUMENT_BYTES};
pub(crate) use self::{check::MAX_TEXT_BYTES, words::share_time};

/// Slowest and fastest a line is ever spoken, against the voice's own speed.
pub const SPEEDS: std::ops::RangeInclusive<f64> = 0.95..=1.30;

/// The form of the document; another form has another name, and is refused rather than misread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Schema {
    #[serde(rename = "pressroom/dub/1")]
    V1,
}

/// A dub into one or several languages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dub {
    pub schema: Schema,
    pub source: Source,
    /// The language spoken in the source.
    pub lang: Lang,
    /// The languages dubbed into, the first of them the default.
    pub targets: Vec<Lang>,
    #[serde(default)]
    pub settings: Settings,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub speakers: Vec<Speaker>,
    /// In the order of time; none overlaps another.
    pub utterances: Vec<Utterance>,
    /// What was measured of the result in each language.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub results: BTreeMap<Lang, Measured>,
}

/// What was measured of a finished dub. What could not be measured is absent: silence has no loudness.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    pub duration_ms: u64,
    /// How long a frame of the source is shown; 40 where it has no pictures.
    pub frame_ms: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loudness_lufs: Option<f64>,
    /// What the loudness was to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_lufs: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub true_peak_dbtp: Option<f64>,
    /// Of the sound outside dubbed speech with that of the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background_correlation: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background_snr_db: Option<f64>,
    pub subtitles: SubtitleFigures,
}

/// The file that is dubbed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Relative to the folder of the document, or absolute.
    pub path: PathBuf,
    /// BLAKE3 of the file: 64 hexadecimal digits.
    pub hash: String,
    /// Which of its audio tracks is dubbed, counted from 0.
    #[serde(default)]
    pub track: usize,
    pub duration_ms: u64,
    /// Where what is said was read from, named as `path` is; absent where it was listened to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<PathBuf>,
}

/// What holds for the whole dub.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Loudness of the result in LUFS; that of the source where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loudness_lufs: Option<f64>,
    /// How far the original goes down under dubbed speech, in dB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duck_db: Option<f64>,
    /// Heard with less confidence than this, 0 to 1, a line is left to a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_confidence: Option<f32>,
    /// Whether a language may be reached by way of another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pivots: Option<bool>,
    /// Whether voice and background are taken apart; where absent, they are if there is a model for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub separate: Option<bool>,
    /// The style of captions that are burnt into the pictures; pictures stay as they are where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burn: Option<String>,
    /// For each language, how a term is to be translated.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub glossary: BTreeMap<Lang, BTreeMap<String, String>>,
    /// Phrases that stay as they are in every language.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keep: Vec<String>,
    /// A line with one of these phrases keeps its original voice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub no_dub: Vec<String>,
    /// For each speaker, or `low` and `high` for all such voices, the voice in each language.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub voices: BTreeMap<String, BTreeMap<Lang, String>>,
}

/// Somebody who speaks in the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Speaker {
    /// As a transcript names them, or `S1`, `S2` in the order of their first words.
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pitch: Option<Pitch>,
    /// The voice that speaks for them in each language.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub voices: BTreeMap<Lang, String>,
}

/// Whether somebody's voice is low or high.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pitch {
    Low,
    High,
}

/// A stretch of speech of one speaker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Utterance {
    /// The same for ever, from 1; an id that was deleted is not given again by the next edit.
    pub id: u32,
    /// From the beginning of the source.
    pub start_ms: u64,
    pub end_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaker: Option<String>,
    /// What is said in the source; empty where nobody knows.
    pub text: String,
    /// The words of the text, where their times are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<Word>,
    /// How sure the listener was, 0 to 1. It no longer counts once the text is not that of the words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f32>,
    /// For people; Pressroom reads none of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lines: BTreeMap<Lang, Line>,
}

/// A word of the source and when it is said, from the beginning of the source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Word {
    pub text: String,
    pub start_ms: u64,
    pub end_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f32>,
}

/// An utterance in another language.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Empty where nothing is to be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub translation: Option<String>,
    /// Instead of the speaker's voice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voice: Option<String>,
    /// The speed to speak at where it fits, 1 being the voice's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<f64>,
    /// Whether it is dubbed; undubbed it keeps the original voice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dubbed: Option<bool>,
    /// What a machine translated and what came of it: as long as both are unchanged the translation is the machine's,
    /// and made again when the text changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<MachineHashes>,
    /// Where the last run laid it; none where the original voice was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed: Option<Placed>,
    /// What a person should look at, found by the last run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs_person: Vec<Concern>,
}

/// Hashes that tell a machine's translation from a person's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachineHashes {
    /// Of everything the translation was made from.
    pub from: String,
    /// Of the translation.
    pub translation: String,
}

/// A dubbed line in the result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Placed {
    pub start_ms: u64,
    /// Where its sound ends.
    pub end_ms: u64,
    /// Against the voice's own speed.
    pub speed: f64,
    /// How long its words take at the voice's own speed; 0 where that is not known.
    #[serde(default)]
    pub spoken_ms: u64,
    pub voice: String,
}

/// Why a person should look at a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Concern {
    /// Speech in which no word was understood.
    NothingHeard,
    /// Heard with too little confidence to put it into somebody's mouth.
    LowConfidence,
    /// A term, name or number may not have come through translation.
    TermLost,
    /// The translation is longer than its time allows; the original voice is kept.
    TooLong,
    /// The translation came back without a word to say.
    NothingToSay,
}

impl Concern {
    /// What it means, for people.
    pub fn description(self) -> &'static str {
        match self {
            Self::NothingHeard => "no word was understood; write what is said with `ID.text=…`",
            Self::LowConfidence => "heard with little confidence; correct `ID.text`, or dub it with `ID.dubbed=true`",
            Self::TermLost => "a term or number may be lost; check `ID.translation`",
            Self::TooLong => "too long for its time; shorten `ID.translation`",
            Self::NothingToSay => "nothing to say in the translation; write `ID.translation=…`",
        }
    }
}

/// A hash of a text, as the document writes it: 16 hexadecimal digits are plenty against accident.
pub fn text_hash(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..16].to_owned()
}

impl Utterance {
    /// Its length.
    pub fn duration_ms(&self) -> u64 {
        self.end_ms - self.start_ms
    }

    /// The confidence of the listener, as long as the text is what was heard.
    pub fn standing_confidence(&self) -> Option<f32> {
        self.confidence.filter(|_| self.words.is_empty() || self.words_match())
    }

    /// Its line in a language; an undecided one where there is none.
    pub fn line(&self, lang: &Lang) -> Line {
        self.lines.get(lang).cloned().unwrap_or_default()
    }
}

impl Line {
    /// Whether a person wrote the translation, or changed the machine's.
    pub fn is_by_person(&self) -> bool {
        let Some(translation) = &self.translation else { return false };
        self.machine.as_ref().is_none_or(|machine| machine.translation != text_hash(translation))
    }

    /// A machine's translation, and what it was made from.
    pub fn set_machine(&mut self, translation: String, from: String) {
        self.machine = Some(MachineHashes { from, translation: text_hash(&translation) });
        self.translation = Some(translation);
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Dub {
    /// A document without a source or a word, to ask what could be done with one.
    pub(crate) fn empty(lang: Lang, settings: Settings) -> Self {
        let source = Source { path: PathBuf::new(), hash: String::new(), track: 0, duration_ms: 0, transcript: None };
        let (targets, speakers, utterances, results) = (Vec::new(), Vec::new(), Vec::new(), BTreeMap::new());
        Self { schema: Schema::V1, source, lang, targets, settings, speakers, utterances, results }
    }

    /// The place of an utterance in the list.
    pub fn position(&self, id: u32) -> Option<usize> {
        self.utterances.iter().position(|utterance| utterance.id == id)
    }

    /// An id no utterance has had, as far as the document knows.
    pub fn next_id(&self) -> u32 {
        self.utterances.iter().map(|utterance| utterance.id).max().unwrap_or(0).saturating_add(1)
    }

    /// A speaker by id.
    pub fn speaker(&self, id: &str) -> Option<&Speaker> {
        self.speakers.iter().find(|speaker| speaker.id == id)
    }
}

#[cfg(test)]
pub(crate) mod tests;
