//! What of a text is translated, and what stands between: models of this family were taught single sentences, and of two at
//! once they lose one now and then; and they make what they like of marks that are no words.

use icu_segmenter::{SentenceSegmenter, options::SentenceBreakInvariantOptions};

/// Marks that mean something to whoever wrote them, not to a reader: as many come out as went in.
const MARKS: &str = "^$\\[]{}<>@~*#;`()|/_=";
/// A short word with a large letter and a full stop is an abbreviation more often than the end of a sentence.
const SHORT_WORD: usize = 3;

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// Is translated; no white space stands around it.
    Words(&'a str),
    /// Stays as it is.
    Between(&'a str),
}

/// The sentences of a text and what stands between them: line breaks, white space, lines without a word.
pub(super) fn sentences(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let is_break = |c: char| matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}');
    for line in text.split_inclusive(is_break) {
        let words = line.trim_end_matches(is_break);
        let mut begin = 0;
        for end in ends(words) {
            push(&words[begin..end], &mut parts);
            begin = end;
        }
        push(&line[words.len()..], &mut parts);
    }
    parts
}

/// Where the sentences of a line end.
fn ends(line: &str) -> Vec<usize> {
    let breaks = SentenceSegmenter::new(SentenceBreakInvariantOptions::default());
    let ends = breaks.segment_str(line).filter(|&end| end > 0);
    ends.filter(|&end| end == line.len() || !ends_in_abbreviation(&line[..end])).collect()
}

fn ends_in_abbreviation(text: &str) -> bool {
    let Some(word) = text.trim_end().strip_suffix('.') else { return false };
    let word = word.rsplit(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
    word.chars().count() <= SHORT_WORD && word.starts_with(char::is_uppercase)
}

/// The words of a sentence between its marks.
pub(super) fn between_marks(sentence: &str) -> Vec<Part<'_>> {
    let (mut parts, mut begin) = (Vec::new(), 0);
    for (at, mark) in sentence.char_indices().filter(|(_, c)| is_mark(*c)) {
        push(&sentence[begin..at], &mut parts);
        begin = at + mark.len_utf8();
        push(&sentence[at..begin], &mut parts);
    }
    push(&sentence[begin..], &mut parts);
    parts
}

/// Whether a translation has the marks of its text, each as often.
pub(super) fn keeps_marks(text: &str, translation: &str) -> bool {
    // Greek asks with a semicolon.
    let translation = translation.strip_suffix(';').filter(|_| text.ends_with('?')).unwrap_or(translation);
    let marks = |text: &str| {
        let mut marks: Vec<char> = text.chars().filter(|c| is_mark(*c)).collect();
        marks.sort_unstable();
        marks
    };
    marks(text) == marks(translation)
}

/// A text without marks.
pub(super) fn without_marks(text: &str) -> String {
    text.chars().filter(|c| !is_mark(*c)).collect()
}

/// Marks and pictures.
fn is_mark(c: char) -> bool {
    MARKS.contains(c) || matches!(c, '\u{2600}'..='\u{27bf}' | '\u{1f000}'..='\u{1faff}')
}

fn push<'a>(text: &'a str, parts: &mut Vec<Part<'a>>) {
    let words = text.trim();
    if !words.chars().any(char::is_alphanumeric) {
        if !text.is_empty() {
            parts.push(Part::Between(text));
        }
        return;
    }
    let begin = text.len() - text.trim_start().len();
    let ends = [Part::Between(&text[..begin]), Part::Words(words), Part::Between(&text[begin + words.len()..])];
    parts.extend(ends.into_iter().filter(|part| *part != Part::Between("")));
}

#[cfg(test)]
mod tests {
    use super::{
        Part::{Between, Words},
        *,
    };

    fn whole(parts: &[Part<'_>]) -> String {
        parts
            .iter()
            .map(|part| match part {
                Words(text) | Between(text) => *text,
            })
            .collect()
    }

    fn words<'a>(parts: &[Part<'a>]) -> Vec<&'a str> {
        let words = parts.iter().filter_map(|part| match part {
            Words(text) => Some(*text),
            Between(_) => None,
        });
        words.collect()
    }

    #[test]
    fn sentences_and_what_stands_between_make_the_text() {
        let text = "  One is here. Two follows!\r\n\n— …\nMr. Smith asks: \"Why?\" And so on";
        let parts = sentences(text);
        assert_eq!(whole(&parts), text);
        let words = words(&parts);
        assert_eq!(words, ["One is here.", "Two follows!", "Mr. Smith asks: \"Why?\"", "And so on"]);
        assert!(sentences("").is_empty());
        assert_eq!(sentences(" … "), [Between(" … ")]);
    }

    #[test]
    fn words_between_marks_are_found_and_the_marks_stay() {
        let text = "^word<n><sg>$ and (more) 🙂";
        let parts = between_marks(text);
        assert_eq!(whole(&parts), text);
        let words = words(&parts);
        assert_eq!(words, ["word", "n", "sg", "and", "more"]);
    }

    #[test]
    fn marks_that_are_lost_or_added_are_seen() {
        assert!(keeps_marks("a (b) c", "(x) y"));
        assert!(keeps_marks("Where?", "Πού;"));
        assert!(!keeps_marks("a (b)", "x (y") && !keeps_marks("a", "a;") && !keeps_marks("🙂", ""));
        assert_eq!(without_marks("a;b 🙂"), "ab ");
    }
}
