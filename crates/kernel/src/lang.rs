//! Languages, named by BCP 47 tags.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A language tag such as `en`, `en-gb` or `zh-hant`, kept in lower case.
///
/// Only the form is checked (RFC 5646: a primary subtag of two or three letters, then subtags of up to eight letters or
/// digits); whether an engine speaks it, the engine says.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Lang(String);

/// Two-letter codes and their three-letter codes, from the Library of Congress's table of ISO 639-2.
const ISO_639_2: [(&str, &str); 45] = [
    ("ar", "ara"),
    ("bg", "bul"),
    ("bn", "ben"),
    ("ca", "cat"),
    ("cs", "ces"),
    ("cy", "cym"),
    ("da", "dan"),
    ("de", "deu"),
    ("el", "ell"),
    ("en", "eng"),
    ("es", "spa"),
    ("et", "est"),
    ("eu", "eus"),
    ("fa", "fas"),
    ("fi", "fin"),
    ("fr", "fra"),
    ("ga", "gle"),
    ("gl", "glg"),
    ("he", "heb"),
    ("hi", "hin"),
    ("hr", "hrv"),
    ("hu", "hun"),
    ("id", "ind"),
    ("is", "isl"),
    ("it", "ita"),
    ("ja", "jpn"),
    ("ko", "kor"),
    ("lt", "lit"),
    ("lv", "lav"),
    ("mk", "mkd"),
    ("ms", "msa"),
    ("nb", "nob"),
    ("nl", "nld"),
    ("no", "nor"),
    ("pl", "pol"),
    ("pt", "por"),
    ("ro", "ron"),
    ("ru", "rus"),
    ("sk", "slk"),
    ("sl", "slv"),
    ("sv", "swe"),
    ("th", "tha"),
    ("tr", "tur"),
    ("uk", "ukr"),
    ("zh", "zho"),
];

/// Why a text is no language tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a language tag; write one such as `en`, `es` or `pt-br`")]
pub struct LangError(String);

/// Which way lines of a language run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScriptDirection {
    LeftToRight,
    RightToLeft,
}

impl Lang {
    /// English, the language of a text that names none and shows none.
    pub fn english() -> Self {
        Self("en".to_owned())
    }

    /// The whole tag, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The primary subtag: `en` of `en-gb`.
    pub fn primary(&self) -> &str {
        self.0.split('-').next().unwrap_or(&self.0)
    }

    /// The three-letter code that media containers want (ISO 639-2), where the language is one of the common ones.
    pub fn three_letters(&self) -> Option<&str> {
        let primary = self.primary();
        if primary.len() == 3 {
            return Some(primary);
        }
        ISO_639_2.iter().find(|(two, _)| *two == primary).map(|(_, three)| *three)
    }

    /// Whether words are written without spaces between them (Chinese, Japanese, Thai, Lao, Khmer, Burmese).
    pub fn is_unspaced(&self) -> bool {
        matches!(self.primary(), "zh" | "cmn" | "yue" | "ja" | "th" | "lo" | "km" | "my")
    }

    /// The direction of its usual script.
    pub fn direction(&self) -> ScriptDirection {
        if matches!(self.primary(), "ar" | "he" | "fa" | "ur" | "yi" | "ps" | "sd" | "ug" | "dv") {
            ScriptDirection::RightToLeft
        } else {
            ScriptDirection::LeftToRight
        }
    }
}

impl FromStr for Lang {
    type Err = LangError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let tag = text.trim().replace('_', "-").to_ascii_lowercase();
        let mut subtags = tag.split('-');
        let primary = subtags.next().unwrap_or_default();
        let primary_ok = (2..=3).contains(&primary.len()) && primary.bytes().all(|b| b.is_ascii_lowercase());
        let rest_ok = subtags.all(|s| (1..=8).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric()));
        if primary_ok && rest_ok { Ok(Self(tag)) } else { Err(LangError(text.to_owned())) }
    }
}

impl TryFrom<String> for Lang {
    type Error = LangError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Lang> for String {
    fn from(lang: Lang) -> Self {
        lang.0
    }
}

impl fmt::Display for Lang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_in_any_common_spelling() {
        assert_eq!("en_GB".parse::<Lang>().unwrap().as_str(), "en-gb");
        assert_eq!("zh-Hant".parse::<Lang>().unwrap().primary(), "zh");
    }

    #[test]
    fn what_is_no_tag_is_refused_with_its_value() {
        for bad in ["", "e", "english", "e1", "en-", "en gb"] {
            assert_eq!(bad.parse::<Lang>(), Err(LangError(bad.to_owned())), "{bad}");
        }
    }

    #[test]
    fn containers_get_three_letters() {
        assert_eq!("es-mx".parse::<Lang>().unwrap().three_letters(), Some("spa"));
        assert_eq!("yue".parse::<Lang>().unwrap().three_letters(), Some("yue"));
        assert_eq!("xx".parse::<Lang>().unwrap().three_letters(), None);
    }

    #[test]
    fn arabic_and_hebrew_run_right_to_left() {
        assert_eq!("ar".parse::<Lang>().unwrap().direction(), ScriptDirection::RightToLeft);
        assert_eq!("he-il".parse::<Lang>().unwrap().direction(), ScriptDirection::RightToLeft);
        assert_eq!("es".parse::<Lang>().unwrap().direction(), ScriptDirection::LeftToRight);
    }
}
