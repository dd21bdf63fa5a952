//! The words of a text that say what it is about: without stop words, and with their stems.

use std::{collections::HashSet, fmt};

use icu_segmenter::{WordSegmenter, WordSegmenterBorrowed, options::WordBreakInvariantOptions};
use kernel::Lang;
use rust_stemmers::{Algorithm, Stemmer};

/// How one language makes words.
pub struct Vocabulary {
    stop_words: HashSet<&'static str>,
    stemmer: Option<Stemmer>,
    segmenter: WordSegmenterBorrowed<'static>,
}

/// A word that carries meaning.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Term {
    /// As written, in lower case.
    pub word: String,
    /// What it shares with its inflections; the word itself in languages without a stemmer.
    pub stem: String,
}

impl fmt::Debug for Vocabulary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vocabulary").field("stop_words", &self.stop_words.len()).finish_non_exhaustive()
    }
}

impl Vocabulary {
    pub fn new(lang: &Lang) -> Self {
        let code = match lang.primary() {
            "nb" | "nn" => "no",
            "cmn" | "yue" => "zh",
            other => other,
        };
        Self {
            stop_words: stop_words::lookup(code).unwrap_or_default().iter().copied().collect(),
            stemmer: algorithm(code).map(Stemmer::create),
            segmenter: WordSegmenter::new_auto(WordBreakInvariantOptions::default()),
        }
    }

    /// The meaningful words of a text, in its order, repeated where it repeats them.
    pub fn terms(&self, text: &str) -> Vec<Term> {
        let text = text.to_lowercase();
        let mut terms = Vec::new();
        let mut start = 0;
        let mut breaks = self.segmenter.segment_str(&text).iter_with_word_type();
        for (end, kind) in breaks.by_ref() {
            let word = &text[start..end];
            start = end;
            if kind.is_word_like() && self.carries_meaning(word) {
                terms.push(Term { word: word.to_owned(), stem: self.stem(word) });
            }
        }
        terms
    }

    /// What a word in lower case shares with its inflections.
    pub fn stem(&self, word: &str) -> String {
        let bare = word.strip_suffix("'s").or_else(|| word.strip_suffix("’s")).unwrap_or(word);
        match &self.stemmer {
            Some(stemmer) => stemmer.stem(bare).into_owned(),
            None => bare.to_owned(),
        }
    }

    fn carries_meaning(&self, word: &str) -> bool {
        let mut letters = word.chars().filter(|c| c.is_alphabetic());
        let (first, second) = (letters.next(), letters.next());
        // A single Han character is a word; a single letter or kana is not.
        let long_enough = second.is_some() || first.is_some_and(|c| ('\u{3400}'..='\u{9fff}').contains(&c));
        let straight = word.replace('’', "'");
        let stem = straight.split('\'').next().unwrap_or(word);
        long_enough && !self.stop_words.contains(straight.as_str()) && !self.stop_words.contains(stem)
    }
}

/// The Snowball stemmer of a language, where there is one.
fn algorithm(code: &str) -> Option<Algorithm> {
    Some(match code {
        "ar" => Algorithm::Arabic,
        "da" => Algorithm::Danish,
        "nl" => Algorithm::Dutch,
        "en" => Algorithm::English,
        "fi" => Algorithm::Finnish,
        "fr" => Algorithm::French,
        "de" => Algorithm::German,
        "el" => Algorithm::Greek,
        "hu" => Algorithm::Hungarian,
        "it" => Algorithm::Italian,
        "no" => Algorithm::Norwegian,
        "pt" => Algorithm::Portuguese,
        "ro" => Algorithm::Romanian,
        "ru" => Algorithm::Russian,
        "es" => Algorithm::Spanish,
        "sv" => Algorithm::Swedish,
        "ta" => Algorithm::Tamil,
        "tr" => Algorithm::Turkish,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(lang: &str, text: &str) -> Vec<String> {
        Vocabulary::new(&lang.parse().unwrap()).terms(text).into_iter().map(|term| term.word).collect()
    }

    #[test]
    fn stop_words_and_numbers_say_nothing() {
        assert_eq!(words("en", "The 3 waves of the sea don't rest, and it's 2024."), ["waves", "sea", "rest"]);
        assert_eq!(words("de", "Das Meer ist nicht süß."), ["meer", "süß"]);
        assert_eq!(words("es", "El mar no es dulce."), ["mar", "dulce"]);
    }

    #[test]
    fn inflections_share_a_stem() {
        let english = Vocabulary::new(&Lang::english());
        assert_eq!(english.stem("rivers"), english.stem("river"));
        assert_eq!(english.stem("river's"), english.stem("river"));
        let russian = Vocabulary::new(&"ru".parse().unwrap());
        assert_eq!(russian.stem("реки"), russian.stem("река"));
    }

    #[test]
    fn scripts_without_spaces_have_words() {
        assert!(words("zh", "河流把矿物质带进大海").contains(&"河流".to_owned()));
        assert!(words("ja", "川が鉱物を海に運ぶ").contains(&"鉱物".to_owned()));
        assert!(words("th", "แม่น้ำพาแร่ธาตุลงสู่ทะเล").contains(&"ทะเล".to_owned()));
    }
}
