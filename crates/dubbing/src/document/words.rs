//! Words and their times, where a listener gave them and where nobody did.

use super::{Utterance, Word};

impl Utterance {
    /// Whether the words are those of the text; they are not once a person has rewritten it.
    pub fn words_match(&self) -> bool {
        let mut words = self.words.iter().flat_map(|word| word.text.split_whitespace());
        let all = self.text.split_whitespace().all(|part| words.next() == Some(part));
        !self.words.is_empty() && all && words.next().is_none()
    }

    /// The words of the text; where their times are not known, they share the utterance's time by length.
    pub fn timed_words(&self) -> Vec<Word> {
        if self.words_match() {
            return self.words.clone();
        }
        share_time(&self.text, self.start_ms, self.end_ms)
    }
}

/// The words of a text, sharing a stretch of time by their lengths.
pub(crate) fn share_time(text: &str, start_ms: u64, end_ms: u64) -> Vec<Word> {
    let length = |word: &str| word.chars().count() as u64;
    let total: u64 = text.split_whitespace().map(length).sum();
    let mut before = 0;
    let at = |before: u64| start_ms + (end_ms - start_ms) * before / total.max(1);
    let word = |text: &str| {
        let start_ms = at(before);
        before += length(text);
        Word { text: text.to_owned(), start_ms, end_ms: at(before), confidence: None }
    };
    text.split_whitespace().map(word).collect()
}
