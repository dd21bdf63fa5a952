//! What must come through translation: terms with a fixed translation, phrases that stay as they are, addresses, markup
//! and numbers. They are held back behind placeholders that no language has, and put in again afterwards.

mod phrases;

use std::{collections::BTreeMap, ops::Range};

use kernel::Lang;

pub use self::phrases::Phrases;
use crate::document::Settings;

/// Beginnings of placeholders: syllables no language has, so that no dictionary knows them and no rule bends them. One
/// that the text does not have is used.
const STEMS: [&str; 4] = ["Zqx", "Xqz", "Qxj", "Jqx"];
/// Two of these tell placeholders of a text apart.
const LETTERS: [char; 16] = ['b', 'd', 'f', 'g', 'h', 'k', 'l', 'm', 'n', 'p', 'r', 't', 'v', 'w', 'x', 'z'];
/// More than this is a list of names, not a sentence; what is beyond goes through translation as it is.
const MAX_HELD: usize = LETTERS.len() * LETTERS.len();

/// What translation into one language must keep.
#[derive(Debug, Clone, Default)]
pub struct Glossary {
    /// What is put in for a phrase; `None` where it stays as it is written.
    phrases: Phrases<Option<String>>,
}

/// Whether numbers go through translation or are held back too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    Translated,
    HeldBack,
}

/// A text whose placeholders stand for what was held back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Masked {
    /// What the engine is given.
    pub text: String,
    stem: &'static str,
    /// What each placeholder stands for.
    held: Vec<Held>,
}

/// What a placeholder stands for. Beside a tag a space keeps the placeholder a word of its own; it goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    put_in: String,
    padded_before: bool,
    padded_after: bool,
}

/// What did not come through translation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    #[error("a term was lost in translation")]
    Term,
    #[error("a number was lost in translation")]
    Number,
}

impl Glossary {
    /// The glossary for translations into `target`. Terms of `es` hold for `es-mx` too, where it has none of its own.
    pub fn new(settings: &Settings, target: &Lang) -> Self {
        let mut terms: BTreeMap<&str, Option<String>> =
            settings.keep.iter().map(|phrase| (phrase.as_str(), None)).collect();
        let general = settings.glossary.iter().filter(|(lang, _)| lang.as_str() == target.primary());
        let own = settings.glossary.iter().filter(|(lang, _)| *lang == target);
        for (source, translation) in general.chain(own).flat_map(|(_, terms)| terms) {
            terms.insert(source, Some(translation.clone()));
        }
        Self { phrases: Phrases::new(terms.into_iter().map(|(source, put_in)| (source.to_owned(), put_in))) }
    }

    /// Holds back what must come through as it is.
    pub fn mask(&self, text: &str, numbers: Numbers) -> Masked {
        let lower = text.to_lowercase();
        let unused = STEMS.into_iter().find(|stem| !lower.contains(&stem.to_lowercase()));
        let mut masked =
            Masked { text: String::with_capacity(text.len()), stem: unused.unwrap_or(STEMS[0]), held: Vec::new() };
        // A text that has every beginning of a placeholder is none that people write.
        let room = if unused.is_some() { MAX_HELD } else { 0 };
        let mut at = 0;
        while let Some(character) = text[at..].chars().next() {
            let held = if masked.held.len() < room { self.held_at(text, at, numbers) } else { None };
            if let Some((bytes, put_in)) = held {
                masked.hold(put_in, text[bytes.end..].chars().next());
                at = bytes.end;
            } else {
                masked.text.push(character);
                at += character.len_utf8();
            }
        }
        masked
    }

    fn held_at(&self, text: &str, at: usize, numbers: Numbers) -> Option<(Range<usize>, String)> {
        if let Some((bytes, put_in)) = self.phrases.at(text, at) {
            let put_in = put_in.clone().unwrap_or_else(|| text[bytes.clone()].to_owned());
            return Some((bytes, put_in));
        }
        let length = markup(&text[at..])
            .or_else(|| address(text, at))
            .or_else(|| if numbers == Numbers::HeldBack { number(text, at) } else { None })?;
        Some((at..at + length, text[at..at + length].to_owned()))
    }
}

impl Masked {
    /// Whether anything was held back.
    pub fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    fn hold(&mut self, put_in: String, after: Option<char>) {
        let is_word = |c: char| c.is_alphanumeric();
        let padded_before = self.text.ends_with(is_word);
        let padded_after = after.is_some_and(is_word) || after == Some('<') || after == Some('{');
        let placeholder = self.placeholder(self.held.len());
        self.text.push_str(if padded_before { " " } else { "" });
        self.text.push_str(&placeholder);
        self.text.push_str(if padded_after { " " } else { "" });
        self.held.push(Held { put_in, padded_before, padded_after });
    }

    /// Puts in what was held back, and checks that all of it and every number is there.
    pub fn unmask(&self, translation: &str) -> Result<String, Lost> {
        let mut missing = numbers(&self.text);
        for number in numbers(translation) {
            if let Some(found) = missing.iter().position(|wanted| *wanted == number) {
                missing.swap_remove(found);
            }
        }
        let mut whole = String::with_capacity(translation.len());
        let mut seen = vec![false; self.held.len()];
        let mut at = 0;
        while let Some(character) = translation[at..].chars().next() {
            if let Some(index) = self.placeholder_at(translation, at) {
                if std::mem::replace(&mut seen[index], true) {
                    return Err(Lost::Term);
                }
                let held = &self.held[index];
                if held.padded_before && whole.ends_with(' ') {
                    whole.pop();
                }
                whole.push_str(&held.put_in);
                at += self.placeholder(index).len();
                if held.padded_after && translation[at..].starts_with(' ') {
                    at += 1;
                }
            } else {
                whole.push(character);
                at += character.len_utf8();
            }
        }
        match (seen.into_iter().all(|seen| seen), missing.is_empty()) {
            (false, _) => Err(Lost::Term),
            (true, false) => Err(Lost::Number),
            (true, true) => Ok(whole),
        }
    }

    fn placeholder(&self, index: usize) -> String {
        let (first, second) = (index / LETTERS.len() % LETTERS.len(), index % LETTERS.len());
        format!("{}{}{}", self.stem, LETTERS[first], LETTERS[second])
    }

    /// Which placeholder stands at a byte of the translation, in whatever case the engine wrote it.
    fn placeholder_at(&self, text: &str, at: usize) -> Option<usize> {
        let length = self.stem.len() + 2;
        let word = text.get(at..at + length)?;
        if !word.get(..self.stem.len())?.eq_ignore_ascii_case(self.stem) {
            return None;
        }
        (0..self.held.len()).find(|index| self.placeholder(*index).eq_ignore_ascii_case(word))
    }
}

/// The bytes of a tag, or of a name in braces, at the start of `text`.
fn markup(text: &str) -> Option<usize> {
    let close = match text.chars().next()? {
        '<' => '>',
        '{' => '}',
        _ => return None,
    };
    let inside = text[1..].chars().next()?;
    if !(inside.is_alphabetic() || inside == '/') {
        return None;
    }
    let end = text.find(close)?;
    (end < 80 && !text[..end].contains('\n')).then_some(end + 1)
}

/// The bytes of a web or mail address, a handle or a hashtag that begins at `at`.
fn address(text: &str, at: usize) -> Option<usize> {
    if text[..at]
        .chars()
        .next_back()
        .is_some_and(|before| !before.is_whitespace() && !matches!(before, '(' | '"' | '«' | '“'))
    {
        return None;
    }
    let chunk = text[at..].split_whitespace().next().filter(|_| !text[at..].starts_with(char::is_whitespace))?;
    let chunk = chunk.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', '"', '»', '”', '\'']);
    let begins = |prefix: char| chunk.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(char::is_alphanumeric));
    let mail = chunk.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'));
    (chunk.contains("://") || chunk.starts_with("www.") || mail || begins('@') || begins('#')).then_some(chunk.len())
}

/// The bytes of a number that begins at `at`: digits, with a mark only between digits.
fn number(text: &str, at: usize) -> Option<usize> {
    if text[..at].ends_with(|c: char| c.is_alphanumeric()) || !text[at..].starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let length = number_length(&text[at..]);
    (!text[at + length..].starts_with(char::is_alphanumeric)).then_some(length)
}

fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut end = 0;
    while let Some(byte) = bytes.get(end) {
        let between = matches!(byte, b'.' | b',' | b':') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit);
        if !byte.is_ascii_digit() && !between {
            break;
        }
        end += 1;
    }
    end
}

/// The digits of every number of a text. Languages write `1,234.5` in several ways, and only the digits are compared.
fn numbers(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find(|c: char| c.is_ascii_digit()) {
        let start = at + start;
        at = start + number_length(&text[start..]);
        found.push(text[start..at].chars().filter(char::is_ascii_digit).collect());
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn settings() -> Settings {
        let terms = [("pipeline", "tubería"), ("build", "compilación")];
        let terms = terms.map(|(source, target)| (source.to_owned(), target.to_owned()));
        Settings {
            glossary: BTreeMap::from([("es".parse().unwrap(), BTreeMap::from(terms))]),
            keep: vec!["Acme Rocket".to_owned()],
            ..Settings::default()
        }
    }

    fn glossary(lang: &str) -> Glossary {
        Glossary::new(&settings(), &lang.parse().unwrap())
    }

    #[test]
    fn terms_and_kept_phrases_come_back_in_any_order() {
        let masked = glossary("es-mx").mask("The Acme Rocket has a Pipeline.", Numbers::Translated);
        assert_eq!(masked.text, "The Zqxbb has a Zqxbd.");
        assert_eq!(masked.unmask("Una zqxbd tiene el ZQXBB.").unwrap(), "Una tubería tiene el Acme Rocket.");
    }

    #[test]
    fn terms_are_those_of_the_language() {
        let masked = glossary("fr").mask("A pipeline of the Acme Rocket", Numbers::Translated);
        assert_eq!(masked.text, "A pipeline of the Zqxbb");
    }

    #[test]
    fn addresses_and_markup_are_held_back() {
        let text = "See https://example.org/a?b=1, mail me@example.org, <i>then</i> {name} #rust.";
        let masked = Glossary::default().mask(text, Numbers::Translated);
        assert_eq!(masked.text, "See Zqxbb, mail Zqxbd, Zqxbf then Zqxbg Zqxbh Zqxbk.");
        assert_eq!(masked.unmask(&masked.text).unwrap(), text);
    }

    #[test]
    fn what_is_lost_or_doubled_is_noticed() {
        let masked = glossary("es").mask("A build in 1984", Numbers::Translated);
        assert_eq!(masked.unmask("Una en 1984"), Err(Lost::Term));
        assert_eq!(masked.unmask("Una Zqxbb Zqxbb en 1984"), Err(Lost::Term));
        assert_eq!(masked.unmask("Una Zqxbb en 1948"), Err(Lost::Number));
        assert_eq!(masked.unmask("Una Zqxbb en 1984").unwrap(), "Una compilación en 1984");
    }

    #[test]
    fn numbers_may_be_written_in_the_way_of_the_language() {
        let masked = Glossary::default().mask("It costs 1,234.50 and 7%", Numbers::Translated);
        assert!(masked.unmask("Cuesta 1.234,50 y el 7 %").is_ok());
        assert_eq!(masked.unmask("Cuesta 1.234,50"), Err(Lost::Number));
        let held = Glossary::default().mask("It costs 1,234.50 and 7%", Numbers::HeldBack);
        assert_eq!(held.text, "It costs Zqxbb and Zqxbd%");
    }

    #[test]
    fn a_text_that_looks_like_a_placeholder_is_left_alone() {
        let masked = glossary("es").mask("zqxbb and a build", Numbers::Translated);
        assert_eq!(masked.text, "zqxbb and a Xqzbb");
        assert_eq!(masked.unmask("zqxbb y una Xqzbb").unwrap(), "zqxbb y una compilación");
    }

    proptest! {
        #[test]
        fn a_text_nobody_translates_comes_back_as_it_was(
            words in prop::collection::vec(prop_oneof!["[a-zñé]{1,6}", "[0-9]{1,4}([.,][0-9]{1,3})?", Just("Acme Rocket".to_owned()),
                "<b>", "@[a-z]{2,4}", "zqx[a-z]{0,3}", "\\PC{0,5}"], 0..40),
        ) {
            let text = words.join(" ");
            for numbers in [Numbers::Translated, Numbers::HeldBack] {
                let masked = glossary("fr").mask(&text, numbers);
                prop_assert_eq!(masked.unmask(&masked.text).unwrap(), text.clone());
            }
        }
    }
}
