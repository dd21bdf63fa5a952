//! Where sentences begin and end: Unicode's rules, then what they cannot know of abbreviations and long sentences.

use std::ops::Range;

use icu_segmenter::{SentenceSegmenter, options::SentenceBreakInvariantOptions};
use kernel::Lang;

use super::{characters, language::Language};

/// Longest sentence, in characters: about twenty seconds of speech.
const MAX_CHARACTERS: usize = 300;
/// A Thai text is divided at the first space after this many characters: its spaces stand between clauses.
const THAI_CHARACTERS: usize = 60;

/// The sentences of `text` as byte ranges, in order, without the white space around them. Nothing but white space lies
/// outside them, and none is longer than 300 characters.
///
/// A blank line ends a sentence, a single line break is a space. Sentences too long are divided at their clause marks.
pub fn sentences(text: &str, lang: &Lang) -> Vec<Range<usize>> {
    let language = Language::of(lang);
    let mut found = Vec::new();
    for paragraph in paragraphs(text) {
        let flat = flatten(&text[paragraph.clone()]);
        let mut pieces = break_by_rules(&flat);
        join(&flat, &mut pieces, language);
        for piece in pieces {
            let piece = trim(&flat, piece);
            let parts = if lang.primary() == "th" { at_spaces(&flat, piece) } else { vec![piece] };
            for part in parts {
                divide(&flat, part, &mut found, paragraph.start);
            }
        }
    }
    found
}

/// Runs of lines between blank lines.
fn paragraphs(text: &str) -> Vec<Range<usize>> {
    let mut paragraphs: Vec<Range<usize>> = Vec::new();
    let mut open = false;
    let mut at = 0;
    for line in text.split_inclusive(['\n', '\u{2029}']) {
        let end = at + line.len();
        if line.trim().is_empty() {
            open = false;
        } else {
            match paragraphs.last_mut() {
                Some(last) if open => last.end = end,
                _ => paragraphs.push(at..end),
            }
            open = !line.ends_with('\u{2029}');
        }
        at = end;
    }
    paragraphs
}

/// The text with each line break as spaces of as many bytes, so that positions stay.
fn flatten(text: &str) -> String {
    let blank = |c: char| matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}');
    text.chars().fold(String::with_capacity(text.len()), |mut flat, c| {
        if blank(c) {
            flat.extend(std::iter::repeat_n(' ', c.len_utf8()));
        } else {
            flat.push(c);
        }
        flat
    })
}

fn break_by_rules(text: &str) -> Vec<Range<usize>> {
    let segmenter = SentenceSegmenter::new(SentenceBreakInvariantOptions::default());
    let breaks: Vec<usize> = segmenter.segment_str(text).collect();
    breaks.windows(2).map(|pair| pair[0]..pair[1]).collect()
}

/// Takes back the breaks that are none.
fn join(text: &str, pieces: &mut Vec<Range<usize>>, language: &Language) {
    let mut joined: Vec<Range<usize>> = Vec::with_capacity(pieces.len());
    for piece in pieces.drain(..) {
        let Some(last) = joined.last_mut() else {
            joined.push(piece);
            continue;
        };
        let (before, after) = (text[last.clone()].trim(), &text[piece.clone()]);
        if !after.contains(char::is_alphanumeric)
            || !before.contains(char::is_alphanumeric)
            || goes_on(before, after, language)
        {
            last.end = piece.end;
            continue;
        }
        // Symbols and closing quotes after a stop belong to what they follow: `Great! 🎉 Next`. Opening quotes do not.
        let kept = last.end - trailing_openers(&text[last.clone()]) + leading_symbols(after);
        last.end = kept;
        joined.push(kept..piece.end);
    }
    *pieces = joined;
}

/// Bytes of emoji, French closing quotes and white space at the start of `text`.
fn leading_symbols(text: &str) -> usize {
    let belongs = |c: char| characters::is_symbol(c) || c == '»';
    let end = text.find(|c: char| !c.is_whitespace() && !belongs(c)).unwrap_or(text.len());
    if text[..end].contains(belongs) && text[..end].ends_with(char::is_whitespace) { end } else { 0 }
}

/// Bytes of opening quotes and brackets at the end of `text`; only such as never close.
fn trailing_openers(text: &str) -> usize {
    let opens = |c: char| matches!(c, '「' | '『' | '（' | '《' | '【' | '〈' | '(' | '¿' | '¡');
    text.len() - text.trim_end_matches(opens).len()
}

/// Whether the sentence of `before` goes on with `after`, in spite of the stop between them.
fn goes_on(before: &str, after: &str, language: &Language) -> bool {
    let mark = |c: char| characters::is_opener(c) || characters::is_pause(c) || c.is_whitespace();
    let next = after.trim_start_matches(mark);
    if next.starts_with(char::is_lowercase) {
        return true;
    }
    let Some(stem) = before.strip_suffix('.') else { return false };
    let mut words = stem.rsplit(char::is_whitespace);
    let last = words.next().unwrap_or_default().trim_start_matches(characters::is_opener);
    if last.is_empty() {
        return false;
    }
    if language.is_never_final(last) || is_number(last) && (before.len() == last.len() + 1 || language.ordinal_dot) {
        return true;
    }
    // `EE. UU.` and `z. B.` are abbreviations in two words: the break may be in one or after it.
    let first = next.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    if next[first.len()..].starts_with('.') && language.expand(&format!("{last}. {first}")).next().is_some() {
        return true;
    }
    let previous = words.find(|word| !word.is_empty());
    if previous.is_some_and(|p| p.ends_with('.') && language.is_never_final(&format!("{p} {last}"))) {
        return true;
    }
    is_initial(last) && previous.is_none_or(|p| p.starts_with(char::is_uppercase) && !p.ends_with(','))
}

/// `J` of `J. R. R. Tolkien`; not the English pronoun.
fn is_initial(word: &str) -> bool {
    let mut characters = word.chars();
    matches!((characters.next(), characters.next()), (Some(c), None) if c.is_uppercase() && c != 'I')
}

fn is_number(word: &str) -> bool {
    word.len() <= 3 && word.chars().all(|c| c.is_ascii_digit())
}

fn trim(text: &str, range: Range<usize>) -> Range<usize> {
    let inside = &text[range.clone()];
    let start = range.start + (inside.len() - inside.trim_start().len());
    start..start + inside.trim().len()
}

/// Thai text in pieces that end at spaces.
fn at_spaces(text: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let (mut start, mut count) = (range.start, 0);
    for (at, character) in text[range.clone()].char_indices() {
        count += 1;
        if character == ' ' && count > THAI_CHARACTERS {
            parts.push(trim(text, start..range.start + at));
            (start, count) = (range.start + at, 0);
        }
    }
    parts.push(trim(text, start..range.end));
    parts
}

/// Adds `range` to `found`, in parts of at most [`MAX_CHARACTERS`], moved by `offset`.
fn divide(text: &str, range: Range<usize>, found: &mut Vec<Range<usize>>, offset: usize) {
    let mut rest = range;
    while let Some((limit, _)) = text[rest.clone()].char_indices().nth(MAX_CHARACTERS) {
        let cut = rest.start + best_cut(&text[rest.start..rest.start + limit]);
        let part = trim(text, rest.start..cut);
        if !part.is_empty() {
            found.push(part.start + offset..part.end + offset);
        }
        rest = trim(text, cut..rest.end);
    }
    if !rest.is_empty() {
        found.push(rest.start + offset..rest.end + offset);
    }
}

/// Where to divide: after the last strong clause mark, else the last comma, else at the last space, else at the end.
/// The first third is left whole, so that no part is a word or two.
fn best_cut(text: &str) -> usize {
    let strong = |c: char| matches!(c, ';' | ':' | '—' | '–' | '；' | '：' | '؛' | '।');
    let comma = |c: char| matches!(c, ',' | '，' | '、' | '،');
    let least = text.len() / 3;
    let after = |is_mark: &dyn Fn(char) -> bool, needs_space: &dyn Fn(char) -> bool| {
        let marks = text.char_indices().rev().filter(|(_, c)| is_mark(*c));
        let ends = marks.map(|(at, c)| (at + c.len_utf8(), c));
        let mut good = ends.filter(|(end, c)| !needs_space(*c) || text[*end..].starts_with(char::is_whitespace));
        good.next().map(|(end, _)| end).filter(|end| *end > least)
    };
    let ascii = |c: char| c.is_ascii() && !c.is_whitespace();
    after(&strong, &ascii)
        .or_else(|| after(&comma, &ascii))
        .or_else(|| after(&char::is_whitespace, &ascii))
        .unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(lang: &str, text: &str) -> Vec<String> {
        sentences(text, &lang.parse().unwrap()).into_iter().map(|r| text[r].to_owned()).collect()
    }

    #[test]
    fn sentences_end_where_a_reader_stops() {
        let cases = [
            ("en", "Hello. World!", &["Hello.", "World!"][..]),
            ("en", "Dr. Smith met Mrs. Jones. They spoke.", &["Dr. Smith met Mrs. Jones.", "They spoke."]),
            ("en", "Use fruit, e.g. Apples. Eat.", &["Use fruit, e.g. Apples.", "Eat."]),
            (
                "en",
                "J. R. R. Tolkien wrote it. So did George W. Bush.",
                &["J. R. R. Tolkien wrote it.", "So did George W. Bush."],
            ),
            ("en", "It cost 3.14 dollars. Wow.", &["It cost 3.14 dollars.", "Wow."]),
            ("en", "Wait... what? Yes.", &["Wait... what?", "Yes."]),
            ("en", "“Stop!” he cried. “Why?” She left.", &["“Stop!” he cried.", "“Why?”", "She left."]),
            ("en", "Great! 🎉 Next one.", &["Great! 🎉", "Next one."]),
            ("en", "One line\nof two. Then\n\nA new one", &["One line\nof two.", "Then", "A new one"]),
            ("en", "1. Open it. 2. Close it.", &["1. Open it.", "2. Close it."]),
            ("en", "So do I. Then we go.", &["So do I.", "Then we go."]),
            (
                "de",
                "Das ist z. B. Brot. Am 3. Oktober feiern wir.",
                &["Das ist z. B. Brot.", "Am 3. Oktober feiern wir."],
            ),
            (
                "es",
                "El Sr. García vive aquí. ¿Lo sabes? ¡Claro!",
                &["El Sr. García vive aquí.", "¿Lo sabes?", "¡Claro!"],
            ),
            ("fr", "M. Dupont arrive. « Bonjour ! » Il part.", &["M. Dupont arrive.", "« Bonjour ! »", "Il part."]),
            ("es", "Vive en EE. UU. desde 1999.", &["Vive en EE. UU. desde 1999."]),
            ("fr", "« C'est fou ! », dit-il. Oui.", &["« C'est fou ! », dit-il.", "Oui."]),
            ("it", "Il dott. Rossi dorme. Bene.", &["Il dott. Rossi dorme.", "Bene."]),
            ("pt", "A Sra. Silva chegou. Ótimo!", &["A Sra. Silva chegou.", "Ótimo!"]),
            ("zh", "今天很好。我们走吧！好吗？", &["今天很好。", "我们走吧！", "好吗？"]),
            ("ja", "今日は。「行こう。」と言った。", &["今日は。", "「行こう。」", "と言った。"]),
            ("ar", "كيف حالك؟ أنا بخير. شكرا!", &["كيف حالك؟", "أنا بخير.", "شكرا!"]),
            ("he", "מה שלומך? טוב. תודה!", &["מה שלומך?", "טוב.", "תודה!"]),
            ("hi", "नमस्ते। आप कैसे हैं? ठीक।", &["नमस्ते।", "आप कैसे हैं?", "ठीक।"]),
        ];
        let found = cases.map(|(lang, text, _)| split(lang, text));
        assert_eq!(found, cases.map(|(_, _, wanted)| wanted.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()));
    }

    #[test]
    fn thai_is_divided_at_spaces() {
        let clause = "ประเทศไทยมีอาหารอร่อยมากมายให้เลือกชิม";
        let text = [clause; 6].join(" ");
        let parts = split("th", &text);
        assert!(parts.len() >= 3, "{parts:?}");
        assert!(parts.iter().all(|p| p.starts_with("ประเทศไทย") && p.ends_with("ชิม")), "{parts:?}");
    }

    #[test]
    fn a_long_sentence_is_divided_at_its_clauses() {
        let text = format!("{}; {}, and {}.", "one two".repeat(25), "three four ".repeat(20), "five six ".repeat(20));
        let parts = split("en", &text);
        assert!(parts[0].ends_with(';'), "{parts:?}");
        assert!(parts.iter().all(|p| p.chars().count() <= MAX_CHARACTERS));
    }

    #[test]
    fn blank_text_has_no_sentences() {
        assert_eq!(split("en", " \n\n \t"), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn nothing_but_white_space_lies_outside_sentences(text in "(\\PC|[ .,!?\n。]){0,400}", lang in "en|de|th|zh|hi") {
            let found = sentences(&text, &lang.parse().unwrap());
            let mut at = 0;
            for range in &found {
                prop_assert!(text[at..range.start].trim().is_empty());
                prop_assert!(!text[range.clone()].trim().is_empty());
                prop_assert!(text[range.clone()].chars().count() <= MAX_CHARACTERS);
                at = range.end;
            }
            prop_assert!(text[at..].trim().is_empty());
        }
    }
}
