//! What a user says of a dub as a whole: its transcript, words, voices and sound.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use clap::{Args, ValueHint};
use dubbing::{DubbingError, document::Settings};
use kernel::Lang;
use serde::de::DeserializeOwned;

/// A glossary or a mapping of voices is a few pages.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// How words are translated.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Settings")]
pub(crate) struct WordFlags {
    /// Terms and how to translate them: a TOML file with a table for each language, such as [es] cloud = "nube"
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    glossary: Option<PathBuf>,
    /// A name or phrase that stays as it is in every language
    #[arg(long, value_name = "PHRASE")]
    keep: Vec<String>,
    /// Reach a language by way of another where no pair leads there
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false")]
    pivot: Option<bool>,
}

impl WordFlags {
    /// Settings that say how to translate, and nothing else.
    pub(crate) fn settings(&self) -> anyhow::Result<Settings> {
        Ok(Settings {
            pivots: self.pivot,
            glossary: read::<BTreeMap<Lang, BTreeMap<String, String>>>(self.glossary.as_deref())?,
            keep: self.keep.clone(),
            ..Settings::default()
        })
    }
}

/// All settings of a dub.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Settings")]
pub(crate) struct DubSettingFlags {
    /// What is said, as SubRip or WebVTT; without it Pressroom listens
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) transcript: Option<PathBuf>,
    #[command(flatten)]
    words: WordFlags,
    /// A phrase whose line keeps its original voice
    #[arg(long, value_name = "PHRASE")]
    no_dub: Vec<String>,
    /// Voices of speakers: a TOML file with a table for each, or for `low` and `high`, such as [S1] es = "es+m3"
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    voices: Option<PathBuf>,
    /// How far the original goes down under dubbed speech, in dB [default: 20]
    #[arg(long, value_name = "DB")]
    duck: Option<f64>,
    /// Loudness of the result in LUFS [default: that of the source]
    #[arg(long, value_name = "LUFS", allow_negative_numbers = true)]
    loudness: Option<f64>,
    /// Burn captions in this style into the pictures, which are encoded anew: clean, bold, boxed, karaoke or subtle
    #[arg(long, value_name = "STYLE", num_args = 0..=1, require_equals = true, default_missing_value = "clean")]
    burn: Option<String>,
    /// Leave lines heard with less confidence to a person, from 0 to 1
    #[arg(long, value_name = "SHARE")]
    min_confidence: Option<f32>,
}

impl DubSettingFlags {
    /// The settings of the document.
    pub(crate) fn settings(&self) -> anyhow::Result<Settings> {
        Ok(Settings {
            loudness_lufs: self.loudness,
            duck_db: self.duck,
            min_confidence: self.min_confidence,
            burn: self.burn.clone(),
            no_dub: self.no_dub.clone(),
            voices: read::<BTreeMap<String, BTreeMap<Lang, String>>>(self.voices.as_deref())?,
            ..self.words.settings()?
        })
    }
}

/// A small TOML file; nothing where none is named.
fn read<T: DeserializeOwned + Default>(path: Option<&Path>) -> Result<T, DubbingError> {
    let Some(path) = path else { return Ok(T::default()) };
    let bad = |reason: String| DubbingError::BadFile { path: path.to_owned(), reason };
    let found = std::fs::metadata(path).map_err(|error| bad(format!("cannot be read: {error}")))?;
    if !found.is_file() || found.len() > MAX_FILE_BYTES {
        return Err(bad(format!("is no file of at most {MAX_FILE_BYTES} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| bad(format!("cannot be read: {error}")))?;
    toml::from_str(&text).map_err(|error| bad(format!("cannot be understood: {}", error.to_string().trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(glossary: Option<PathBuf>, voices: Option<PathBuf>) -> DubSettingFlags {
        let words = WordFlags { glossary, ..WordFlags::default() };
        DubSettingFlags { words, voices, ..DubSettingFlags::default() }
    }

    #[test]
    fn glossaries_and_voices_are_read_from_files() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            Some(path)
        };
        let glossary = write("glossary.toml", "[es]\ncloud = \"nube\"\n");
        let voices = write("voices.toml", "[high]\nes = \"es+f3\"\n");
        let settings = flags(glossary, voices).settings().unwrap();
        let es: Lang = "es".parse().unwrap();
        assert_eq!(settings.glossary[&es]["cloud"], "nube");
        assert_eq!(settings.voices["high"][&es], "es+f3");
        let message = flags(write("bad.toml", "[spanish]\na = \"b\"\n"), None).settings().unwrap_err().to_string();
        assert!(message.contains("bad.toml` cannot be understood") && message.contains("spanish"), "{message}");
    }
}
