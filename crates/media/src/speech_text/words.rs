//! A sentence as the words of its caption.

use icu_segmenter::{WordSegmenter, options::WordBreakInvariantOptions};

use super::characters::{is_east_asian, is_opener, is_said, is_symbol, is_unspaced};

/// A word as shown. Joined, with a space where `space_before` says so, words are the sentence again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caption {
    pub(super) text: String,
    pub(super) space_before: bool,
}

/// The words between spaces; in runs of a script without spaces, dictionary words. Punctuation belongs to its word: what
/// closes to the word before, what opens to the word after.
pub(super) fn captions(sentence: &str) -> Vec<Caption> {
    let mut pieces = Vec::new();
    for chunk in chunks(sentence) {
        let first = pieces.len();
        if chunk.contains(is_unspaced) {
            split_unspaced(chunk, &mut pieces);
        } else {
            pieces.push(Caption { text: chunk.to_owned(), space_before: false });
        }
        if let Some(piece) = pieces.get_mut(first) {
            piece.space_before = first > 0;
        }
    }
    attach(pieces)
}

/// Splits at white space, except at a no-break space between digits: `10 000`.
fn chunks(sentence: &str) -> Vec<&str> {
    let mut chunks = Vec::new();
    let mut start = 0;
    let mut previous = ' ';
    for (at, character) in sentence.char_indices() {
        let end = at + character.len_utf8();
        let after = sentence[end..].chars().next().unwrap_or(' ');
        let within = matches!(character, '\u{a0}' | '\u{202f}') && previous.is_numeric() && after.is_numeric();
        if character.is_whitespace() && !within {
            chunks.push(&sentence[start..at]);
            start = end;
        }
        previous = character;
    }
    chunks.push(&sentence[start..]);
    chunks.retain(|chunk| !chunk.is_empty());
    chunks
}

/// Divides a chunk into runs with and without spaces, and the latter into dictionary words.
fn split_unspaced(chunk: &str, pieces: &mut Vec<Caption>) {
    let segmenter = WordSegmenter::new_dictionary(WordBreakInvariantOptions::default());
    let mut rest = chunk;
    while let Some(first) = rest.chars().next() {
        let unspaced = is_unspaced(first);
        let end = rest.find(|c| is_unspaced(c) != unspaced).unwrap_or(rest.len());
        let run = &rest[..end];
        if unspaced {
            let breaks: Vec<usize> = segmenter.segment_str(run).collect();
            for pair in breaks.windows(2) {
                let word = &run[pair[0]..pair[1]];
                match pieces.last_mut() {
                    Some(last) if pair[0] > 0 && is_word_end(&last.text, word) => last.text.push_str(word),
                    _ => pieces.push(caption(word)),
                }
            }
        } else {
            split_marks(run, pieces);
        }
        rest = &rest[end..];
    }
}

/// Whether `word` is no word but the end of the one before it, which the dictionary cut too early.
///
/// Japanese inflections go with a stem written in Han (`行` and `こう`), while particles and the copula are words; small
/// kana and Thai vowel signs begin no word; one kana or one Thai consonant is none.
fn is_word_end(stem: &str, word: &str) -> bool {
    const WORDS: [&str; 31] = [
        "は",
        "が",
        "を",
        "に",
        "へ",
        "と",
        "も",
        "の",
        "で",
        "や",
        "か",
        "ね",
        "よ",
        "から",
        "まで",
        "より",
        "など",
        "です",
        "でした",
        "だ",
        "だった",
        "では",
        "には",
        "とは",
        "だけ",
        "しか",
        "ので",
        "のに",
        "けど",
        "という",
        "として",
    ];
    let Some(first) = word.chars().next() else { return true };
    let single = word.chars().nth(1).is_none();
    let after = stem.chars().next_back().unwrap_or(' ');
    match first {
        'ぁ'
        | 'ぃ'
        | 'ぅ'
        | 'ぇ'
        | 'ぉ'
        | 'っ'
        | 'ゃ'
        | 'ゅ'
        | 'ょ'
        | 'ァ'
        | 'ィ'
        | 'ゥ'
        | 'ェ'
        | 'ォ'
        | 'ッ'
        | 'ャ'
        | 'ュ'
        | 'ョ'
        | 'ー'
        | '\u{e30}'..='\u{e3a}'
        | '\u{e45}'..='\u{e4e}' => true,
        '\u{e01}'..='\u{e2e}' => single,
        '\u{3041}'..='\u{309f}' if !WORDS.contains(&word) => {
            let stem_in_han = is_east_asian(after) && !is_kana(after);
            stem_in_han && word.chars().all(|c| matches!(c, '\u{3041}'..='\u{309f}')) || single && is_kana(after)
        }
        _ => false,
    }
}

fn is_kana(character: char) -> bool {
    matches!(character, '\u{3041}'..='\u{30ff}')
}

/// Divides a run of other scripts within unspaced text into what is said and the marks around it.
fn split_marks(run: &str, pieces: &mut Vec<Caption>) {
    let Some(start) = run.find(is_content) else {
        // Marks between two words: what opens starts the next.
        let open = run.find(|c| is_opener(c) && !matches!(c, '"' | '\'')).unwrap_or(run.len());
        pieces.extend([&run[..open], &run[open..]].into_iter().filter(|p| !p.is_empty()).map(caption));
        return;
    };
    let end = run.char_indices().rev().find(|(_, c)| is_content(*c)).map_or(run.len(), |(at, c)| at + c.len_utf8());
    let (before, said, after) = (&run[..start], &run[start..end], &run[end..]);
    if !before.is_empty() {
        split_marks(before, pieces);
    }
    pieces.push(caption(said));
    if !after.is_empty() {
        split_marks(after, pieces);
    }
}

fn caption(text: &str) -> Caption {
    Caption { text: text.to_owned(), space_before: false }
}

/// Whether a character makes a word of its own: said, read out, or a picture.
fn is_content(character: char) -> bool {
    is_said(character) || is_symbol(character) || is_read_out(character)
}

/// Signs that are read as words.
fn is_read_out(character: char) -> bool {
    matches!(
        character,
        '&' | '+'
            | '='
            | '%'
            | '‰'
            | '$'
            | '€'
            | '£'
            | '¥'
            | '₹'
            | '₪'
            | '฿'
            | '₩'
            | '₽'
            | '°'
            | '×'
            | '÷'
            | '±'
            | '≈'
            | '§'
            | '@'
            | '％'
            | '٪'
    )
}

/// Joins pieces of mere punctuation to their neighbours.
fn attach(pieces: Vec<Caption>) -> Vec<Caption> {
    let mut words: Vec<Caption> = Vec::with_capacity(pieces.len());
    let mut waiting: Option<Caption> = None;
    let mut pieces = pieces.into_iter().peekable();
    while let Some(mut piece) = pieces.next() {
        if let Some(opening) = waiting.take() {
            let space = if piece.space_before { " " } else { "" };
            piece = Caption { text: format!("{}{space}{}", opening.text, piece.text), ..opening };
        }
        if piece.text.contains(is_content) {
            words.push(piece);
            continue;
        }
        // French writes a space within its quotes: `« Oui »`.
        let opens = |next: &Caption| !next.space_before && piece.text.ends_with(is_opener) || piece.text.ends_with('«');
        let joins_next = pieces.peek().is_some_and(opens);
        match words.last_mut() {
            Some(last) if !joins_next => {
                if piece.space_before {
                    last.text.push(' ');
                }
                last.text.push_str(&piece.text);
            }
            _ if pieces.peek().is_some() => waiting = Some(piece),
            _ => words.push(piece),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(sentence: &str) -> Vec<String> {
        captions(sentence).into_iter().map(|c| c.text).collect()
    }

    #[test]
    fn punctuation_stays_with_its_word() {
        assert_eq!(texts("“Wait,” she said – softly (once) …"), ["“Wait,”", "she", "said –", "softly", "(once) …"]);
        assert_eq!(texts("– Oui ! « Non »"), ["– Oui !", "« Non »"]);
        assert_eq!(texts("Tom & Jerry 😀 !"), ["Tom", "&", "Jerry", "😀 !"]);
    }

    #[test]
    fn unspaced_scripts_are_cut_into_dictionary_words() {
        assert_eq!(texts("今天天气很好，我们走吧。"), ["今天", "天气", "很好，", "我们", "走", "吧。"]);
        assert_eq!(texts("「行こう」と言った。"), ["「行こう」", "と", "言った。"]);
        assert_eq!(texts("いきましょう。"), ["いき", "ましょう。"]);
        assert_eq!(texts("อากาศดีมาก"), ["อากาศ", "ดีมาก"]);
        assert_eq!(texts("ใช้Rust 5 ปี"), ["ใช้", "Rust", "5", "ปี"]);
        assert_eq!(texts("增长50%的（新）人"), ["增长", "50%", "的", "（新）", "人"]);
    }

    #[test]
    fn a_number_with_no_break_spaces_is_one_word() {
        assert_eq!(texts("10\u{202f}000 km"), ["10\u{202f}000", "km"]);
    }

    proptest! {
        #[test]
        fn words_are_the_sentence_again(sentence in "(\\PC|[ a-zก-ฮ一-龠あ-ん.,“”()]){0,80}") {
            let mut again = String::new();
            for (index, word) in captions(&sentence).into_iter().enumerate() {
                prop_assert!(index > 0 || !word.space_before);
                prop_assert!(!word.text.is_empty());
                if word.space_before {
                    again.push(' ');
                }
                again.push_str(&word.text);
            }
            let collapsed: Vec<&str> = sentence.split_whitespace().collect();
            prop_assert_eq!(again.split_whitespace().collect::<Vec<_>>(), collapsed);
        }
    }
}
