//! Text as Flite can take it, and the way back to the bytes of the original.
//!
//! Flite reads ASCII and knows only English; everything else is written with the nearest ASCII letters. Signs that it
//! has no words for become spaces, and very long words are cut, so that no text reaches the limits of its buffers.

use std::{ffi::CString, ops::Range};

use super::ffi::Token;

/// The longest run without a space; longer ones are no words. Flite writes the value of a Roman numeral into ten bytes.
const MAX_RUN: usize = 40;
/// Signs that Flite pauses at.
const PAUSES: &[u8] = b".,;:!?'\"()-";
/// Signs that Flite has words for.
const SAID: &[u8] = b"$%&/+=@";

/// A text in ASCII.
#[derive(Debug, Clone)]
pub(super) struct Ascii {
    text: Vec<u8>,
    /// For each byte of `text`, the bytes of the original character it stands for.
    origins: Vec<Range<usize>>,
}

impl Ascii {
    pub(super) fn of(original: &str) -> Self {
        let mut ascii = Self { text: Vec::new(), origins: Vec::new() };
        let mut run = 0;
        for (at, character) in original.char_indices() {
            let origin = at..at + character.len_utf8();
            if matches!(character, '—' | '–' | '…') {
                ascii.pause(&origin);
                run = 0;
                continue;
            }
            for byte in nearest(character).bytes() {
                let is_kept = byte.is_ascii_alphanumeric() || PAUSES.contains(&byte) || SAID.contains(&byte);
                if is_kept && run == MAX_RUN {
                    ascii.push(b' ', &origin);
                    run = 0;
                }
                ascii.push(if is_kept { byte } else { b' ' }, &origin);
                run = if is_kept { run + 1 } else { 0 };
            }
        }
        ascii
    }

    /// A comma behind the word that stands last: a dash is a pause, and a comma by itself would be said as a word.
    fn pause(&mut self, origin: &Range<usize>) {
        let words = self.text.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
        if words > 0 && self.text[words - 1].is_ascii_alphanumeric() {
            self.text.truncate(words);
            self.origins.truncate(words);
            self.push(b',', origin);
        }
        self.push(b' ', origin);
    }

    fn push(&mut self, byte: u8, origin: &Range<usize>) {
        self.text.push(byte);
        self.origins.push(origin.clone());
    }

    /// Whether there is anything to say.
    pub(super) fn has_words(&self) -> bool {
        self.text.iter().any(u8::is_ascii_alphanumeric)
    }

    pub(super) fn to_c(&self) -> Option<CString> {
        CString::new(self.text.clone()).ok()
    }

    /// For each word that `tokens` say: the bytes of the original it is said for, and when it begins, in seconds.
    pub(super) fn locate(&self, tokens: &[Token]) -> Vec<(Range<usize>, f32)> {
        let mut located = Vec::new();
        let mut from = 0;
        for token in tokens {
            // Flite counts lone punctuation among the words, without saying anything for it.
            if token.text.bytes().all(|byte| PAUSES.contains(&byte)) {
                continue;
            }
            // Tokens come in the order of the text, with nothing but spaces and punctuation between them.
            let Some(start) = find(&self.text, token.text.as_bytes(), from) else { continue };
            from = start + token.text.len();
            let (Some(first), Some(last)) = (self.origins.get(start), self.origins.get(from - 1)) else { continue };
            located.extend(token.word_starts.iter().map(|seconds| (first.start..last.end, *seconds)));
        }
        located
    }
}

fn find(text: &[u8], wanted: &[u8], from: usize) -> Option<usize> {
    text.get(from..)?.windows(wanted.len()).position(|window| window == wanted).map(|at| from + at)
}

/// The character in ASCII. Apostrophes and quotation marks that look alike are told apart where it changes what is said.
fn nearest(character: char) -> &'static str {
    match character {
        '’' | '‘' | 'ʼ' => "'",
        '“' | '”' | '„' | '«' | '»' => "\"",
        _ if character.is_control() => " ",
        _ => deunicode::deunicode_char(character).unwrap_or(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ascii(text: &str) -> String {
        String::from_utf8(Ascii::of(text).text).unwrap()
    }

    #[test]
    fn text_becomes_its_nearest_ascii() {
        assert_eq!(ascii("“Naïve” café — it’s 5 %"), "\"Naive\" cafe,  it's 5 %");
        assert_eq!(ascii("here—there … — and"), "here, there,    and");
        assert_eq!(ascii("a\u{0}b\\c<d>#e"), "a b c d  e");
        assert!(!Ascii::of(" — “…” \u{301}").has_words());
    }

    #[test]
    fn no_run_is_longer_than_any_word() {
        for text in ["M".repeat(5000), "ß".repeat(5000), "9.".repeat(5000)] {
            assert!(ascii(&text).split(' ').all(|run| run.len() <= MAX_RUN));
        }
    }

    #[test]
    fn words_are_found_in_the_bytes_of_the_original() {
        let text = "“Naïve,” she paid $3.50 — œuvre.";
        let token =
            |text: &str, word_starts: &[f32]| Token { text: text.to_owned(), word_starts: word_starts.to_vec() };
        let tokens = [
            token("Naive", &[0.1]),
            token("she", &[0.5]),
            token("paid", &[0.7]),
            token("$3.50", &[0.9, 1.2]),
            token("--", &[2.0]),
            token("oeuvre", &[2.5]),
        ];
        let located = Ascii::of(text).locate(&tokens);
        let words: Vec<&str> = located.iter().map(|(bytes, _)| &text[bytes.clone()]).collect();
        assert_eq!(words, ["Naïve", "she", "paid", "$3.50", "$3.50", "œuvre"]);
    }
}
