//! Finding phrases in a text: whole words, whatever their case, the longest first.

use std::{collections::BTreeMap, ops::Range};

/// Phrases, each with something that belongs to it.
#[derive(Debug, Clone)]
pub struct Phrases<T> {
    /// By the first character in lower case, the longest phrase first.
    by_first: BTreeMap<char, Vec<(Vec<char>, T)>>,
}

impl<T> Default for Phrases<T> {
    fn default() -> Self {
        Self { by_first: BTreeMap::new() }
    }
}

impl<T> Phrases<T> {
    /// A set of phrases; of two alike the first counts.
    pub fn new(phrases: impl IntoIterator<Item = (String, T)>) -> Self {
        let mut by_first: BTreeMap<char, Vec<(Vec<char>, T)>> = BTreeMap::new();
        for (phrase, value) in phrases {
            let folded: Vec<char> =
                phrase.split_whitespace().collect::<Vec<_>>().join(" ").chars().flat_map(char::to_lowercase).collect();
            if let Some(first) = folded.first() {
                by_first.entry(*first).or_default().push((folded, value));
            }
        }
        for phrases in by_first.values_mut() {
            phrases.sort_by_key(|(phrase, _)| std::cmp::Reverse(phrase.len()));
        }
        Self { by_first }
    }

    /// The phrase that begins at byte `at` of `text` as whole words, and its bytes.
    pub fn at(&self, text: &str, at: usize) -> Option<(Range<usize>, &T)> {
        let rest = &text[at..];
        let first = rest.chars().next()?;
        if text[..at].chars().next_back().is_some_and(|before| is_one_word(before, first)) {
            return None;
        }
        let candidates = self.by_first.get(&first.to_lowercase().next()?)?;
        candidates.iter().find_map(|(phrase, value)| {
            let length = matched_bytes(rest, phrase)?;
            let last = rest[..length].chars().next_back()?;
            let goes_on = rest[length..].chars().next().is_some_and(|after| is_one_word(last, after));
            (!goes_on).then_some((at..at + length, value))
        })
    }

    /// Whether any of the phrases stands in the text.
    pub fn are_in(&self, text: &str) -> bool {
        text.char_indices().any(|(at, _)| self.at(text, at).is_some())
    }
}

/// How many bytes of `text` say `phrase`; any white space is one space.
fn matched_bytes(text: &str, phrase: &[char]) -> Option<usize> {
    let mut wanted = phrase.iter().copied().peekable();
    let mut characters = text.char_indices().peekable();
    while let Some(expected) = wanted.peek().copied() {
        let (_, character) = characters.next()?;
        if character.is_whitespace() {
            if expected != ' ' {
                return None;
            }
            wanted.next();
            while characters.next_if(|(_, c)| c.is_whitespace()).is_some() {}
            continue;
        }
        // A character may be several in lower case, and all of them are to fit.
        if !character.to_lowercase().all(|lower| wanted.next_if_eq(&lower).is_some()) {
            return None;
        }
    }
    Some(characters.peek().map_or(text.len(), |(at, _)| *at))
}

/// Whether two neighbouring characters belong to one word. Scripts without spaces have no such bounds.
fn is_one_word(before: char, after: char) -> bool {
    let joins = |c: char| c.is_alphanumeric() && !is_unspaced(c);
    joins(before) && joins(after)
}

fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{2e80}'..='\u{a4cf}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(phrases: &[&str], text: &str) -> Vec<String> {
        let phrases = Phrases::new(phrases.iter().map(|phrase| ((*phrase).to_owned(), ())));
        let hits = text.char_indices().filter_map(|(at, _)| phrases.at(text, at));
        hits.map(|(bytes, ())| text[bytes].to_owned()).collect()
    }

    #[test]
    fn phrases_are_whole_words_in_any_case_and_spacing() {
        assert_eq!(found(&["open source"], "Open  Source, opensource, reopen source"), ["Open  Source"]);
        assert_eq!(found(&["C++"], "I like C++ and C"), ["C++"]);
        assert_eq!(found(&["été"], "Un ÉTÉ, étés"), ["ÉTÉ"]);
    }

    #[test]
    fn the_longest_phrase_wins() {
        assert_eq!(found(&["New", "New York"], "New York is new")[..1], ["New York"]);
    }

    #[test]
    fn in_scripts_without_spaces_a_phrase_stands_anywhere() {
        assert_eq!(found(&["北京"], "我们去北京吧"), ["北京"]);
    }

    #[test]
    fn nothing_is_found_for_a_phrase_of_nothing() {
        assert!(found(&["", "  "], "some text").is_empty());
    }
}
