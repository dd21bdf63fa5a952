//! Apertium's stream format: texts go in one after the other, each between two zero bytes, and come out in their order.
//!
//! What the format would read as a mark is escaped. After each text stand a full stop, which ends its sentence and is one
//! word at least for the programs to work on (some of them drop a text without words), and a mark of its number: a text
//! that comes back with another's number or without any shows that the order was lost.
//! The format: <https://wiki.apertium.org/wiki/Apertium_stream_format>.

/// Ends a text in a chain of programs that run with `-z`.
const END_OF_TEXT: char = '\0';

/// The input of the chain for `texts`.
pub(super) fn write(texts: &[&str]) -> String {
    let mut stream = String::new();
    for (index, text) in texts.iter().enumerate() {
        for character in text.trim().chars() {
            match character {
                '\\' | '[' | ']' | '{' | '}' | '^' | '$' | '/' | '@' | '<' | '>' => stream.extend(['\\', character]),
                // The programs after generation know no escape for their own mark; in a blank nobody looks at it.
                '~' => stream.push_str("[~]"),
                '\n' | '\r' | '\t' => stream.push(character),
                _ if character.is_control() => stream.push(' '),
                _ => stream.push(character),
            }
        }
        stream.push_str("[].");
        stream.push_str(&mark(index));
        stream.push(END_OF_TEXT);
    }
    stream
}

/// The translations in the output of the chain; `None` unless there is exactly one for each text.
pub(super) fn read(stream: &str, texts: &[&str]) -> Option<Vec<String>> {
    let mut pieces = stream.split(END_OF_TEXT);
    let mut translations = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        let piece = pieces.next()?;
        let (body, rest) = piece.rsplit_once(&mark(index))?;
        let plain = unescape(body) + &unescape(rest);
        // Rules may move a blank past the full stop, but nothing past the end of the sentence.
        let translation = plain.trim_end();
        let translation = translation.strip_suffix('.').unwrap_or(translation);
        translations.push(like(text, translation));
    }
    // Each program ends with a text of its own, without anything in it.
    pieces.all(|piece| piece.trim().is_empty()).then_some(translations)
}

fn mark(index: usize) -> String {
    format!("[:{index}:]")
}

/// Takes escapes away, and the brackets of blanks.
fn unescape(stream: &str) -> String {
    let mut plain = String::with_capacity(stream.len());
    let mut characters = stream.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => plain.extend(characters.next()),
            '[' | ']' => {}
            _ => plain.push(character),
        }
    }
    plain
}

/// `translation` with the white space around `text`, and without the double spaces that rules leave where they drop a word.
fn like(text: &str, translation: &str) -> String {
    let start = &text[..text.len() - text.trim_start().len()];
    let end = &text[text.trim_end().len()..];
    let mut inner = translation.trim().to_owned();
    while inner.contains("  ") && !text.contains("  ") {
        inner = inner.replace("  ", " ");
    }
    format!("{start}{inner}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a chain answers that translates nothing.
    fn echo(texts: &[&str]) -> Option<Vec<String>> {
        read(&(write(texts) + "\0\0"), texts)
    }

    #[test]
    fn every_text_survives_a_chain_that_changes_nothing() {
        let texts = ["^a/b<n>$", "[:0:] {x} \\ ~ @ .", "..", "  two\nlines\r\n ", "a  b", "[].[:3:]", "\\", "one]"];
        assert_eq!(echo(&texts).unwrap(), texts);
    }

    #[test]
    fn no_text_can_end_itself() {
        assert_eq!(echo(&["a\0b", "c\u{7f}d"]).unwrap(), ["a b", "c d"]);
        let stream = write(&["[:1:]\0", "x"]);
        assert_eq!(stream.matches('\0').count(), 2);
        assert_eq!(stream.matches("[:1:]").count(), 1, "{stream}");
    }

    #[test]
    fn a_text_that_is_lost_merged_or_added_is_noticed() {
        let texts = ["one", "two"];
        assert!(read("uno[].[:0:]\0dos[].[:1:]\0\0", &texts).is_some());
        for stream in [
            "",
            "uno[].[:0:]\0",
            "dos[].[:1:]\0uno[].[:0:]\0",
            "uno[].[:0:]dos[].[:1:]\0",
            "uno[].[:0:]\0dos[].[:1:]\0tres\0",
            "uno\0dos\0",
        ] {
            assert_eq!(read(stream, &texts), None, "{stream:?}");
        }
    }

    #[test]
    fn a_full_stop_behind_a_moved_blank_is_taken_away() {
        assert_eq!(read("del .[][:0:]\0", &["of the"]).unwrap(), ["del"]);
        assert_eq!(read(" Es John   casa.[].[:0:]\0", &["It is his."]).unwrap(), ["Es John casa."]);
    }
}
