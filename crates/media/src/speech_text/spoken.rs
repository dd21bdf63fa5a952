//! One sentence twice: as the engine reads it and as the caption shows it, word beside word.

use std::ops::Range;

use kernel::Lang;

use super::{
    characters::{is_closer, is_east_asian, is_opener, is_said},
    language::Language,
    reading::{self, Token},
    words::captions,
};

/// A sentence for the engine, and its words for the caption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoken {
    /// What the engine reads: words and pauses, nothing that is only shown. Empty when nothing is said.
    pub text: String,
    /// Every word of the caption, as written.
    pub words: Vec<SpokenWord>,
}

/// A word of the caption and what the engine reads for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpokenWord {
    /// As written, with its punctuation.
    pub caption: String,
    /// Whether a space stands before it in the sentence.
    pub space_before: bool,
    /// The bytes of [`Spoken::text`] that say it; empty for what is shown but not said, such as an emoji.
    pub bytes: Range<usize>,
}

/// Prepares one sentence.
///
/// Captions keep everything as it is written. The spoken text leaves out emoji, markup and most of an address, and has
/// abbreviations, signs, units and amounts in words, as far as the language is known; numbers are left in digits,
/// without separators, for the engine to say.
pub fn spoken(sentence: &str, lang: &Lang) -> Spoken {
    let language = Language::of(lang);
    let captions = captions(sentence);
    let tokens: Vec<Token<'_>> = captions.iter().map(|caption| tokenize(&caption.text)).collect();
    let mut text = String::new();
    let mut words = Vec::with_capacity(captions.len());
    for (index, caption) in captions.iter().enumerate() {
        let token = tokens[index];
        if token.lead.contains(is_bracket) {
            add_pause(&mut text, ',');
        }
        let said = reading::read(&tokens, index, language);
        let start = if said.is_empty() {
            text.len()
        } else {
            if needs_space(&text, &said, language) {
                text.push(' ');
            }
            text.len()
        };
        text.push_str(&said);
        words.push(SpokenWord {
            caption: caption.text.clone(),
            space_before: caption.space_before,
            bytes: start..text.len(),
        });
        // An emoji after the stop does not take the stop's place.
        let is_last = !tokens[index + 1..].iter().any(|t| t.core.contains(is_said));
        if let Some(mark) = pause(&token, is_last, language) {
            add_pause(&mut text, mark);
        }
    }
    Spoken { text, words }
}

/// Divides a caption word into marks before, what is said, and marks after.
fn tokenize(word: &str) -> Token<'_> {
    let starts_word = |c: char, rest: &str| {
        matches!(c, '#' | '~' | '<' | '>') && rest.chars().next().is_some_and(char::is_alphanumeric)
    };
    let mut start = 0;
    for (at, character) in word.char_indices() {
        let rest = &word[at + character.len_utf8()..];
        let dash = matches!(character, '-' | '–' | '—') && !rest.starts_with(|c: char| c.is_numeric());
        let leads = is_opener(character) && !starts_word(character, rest) || character.is_whitespace() || dash;
        let dots = character == '…' || character == '.' && !rest.starts_with(char::is_alphanumeric);
        if !leads && !dots {
            break;
        }
        start = at + character.len_utf8();
    }
    let trails = |c: char| is_closer(c) || c.is_whitespace() || matches!(c, '-' | '/');
    let core = word[start..].trim_end_matches(trails);
    Token { lead: &word[..start], core, trail: &word[start + core.len()..] }
}

fn is_bracket(character: char) -> bool {
    matches!(character, '(' | '{' | '（' | '【' | '–' | '—')
}

/// Adds a pause mark, unless nothing is said yet or one stands there.
fn add_pause(text: &mut String, mark: char) {
    if text.ends_with(|c: char| c.is_alphanumeric() || super::characters::is_mark(c) || c == '\'') {
        text.push(mark);
    }
}

/// The one mark that speaks for all that stand after a word.
fn pause(token: &Token<'_>, is_last: bool, language: &Language) -> Option<char> {
    let marks = token.trail;
    let has = |wanted: &[char]| marks.chars().find(|c| wanted.contains(c));
    if let Some(mark) = has(&['?', '？', '؟']).or_else(|| has(&['!', '！'])) {
        return Some(mark);
    }
    if marks.contains('‽') {
        return Some('?');
    }
    let full_stop = has(&['。', '।', '॥', '．']);
    if full_stop.is_some() || is_last {
        return full_stop.or_else(|| marks.contains(['.', '…']).then_some('.'));
    }
    if let Some(mark) = has(&[';', ':', ',', '；', '：', '，', '、', '،', '؛']) {
        return Some(mark);
    }
    let dashed = marks.contains(['–', '—', '…']) || marks.contains("..") || marks.contains(" -");
    let link = token.core.contains("](");
    if dashed || marks.contains([')', '）', '】']) && !link {
        return Some(',');
    }
    // A number with a stop within a sentence is an ordinal there: `3. Oktober`.
    let ordinal = language.ordinal_dot && marks.starts_with('.') && token.core.bytes().all(|b| b.is_ascii_digit());
    ordinal.then_some('.')
}

/// Chinese words are run together, as the engine knows them; all others are apart, so that each has its own time.
fn needs_space(text: &str, said: &str, language: &Language) -> bool {
    let Some(last) = text.chars().next_back() else { return false };
    let joins = |c: char| is_east_asian(c) || !c.is_ascii() && is_closer(c);
    !(language.runs_together && joins(last) && said.starts_with(is_east_asian))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn said(lang: &str, sentence: &str) -> String {
        spoken(sentence, &lang.parse().unwrap()).text
    }

    #[test]
    fn english_is_read_as_people_read_it() {
        let cases = [
            ("en", "We agree. 😀", "We agree."),
            ("en", "Dr. Smith paid $5.", "Doctor Smith paid 5 dollars."),
            (
                "en",
                "It grew 5 % to 1,234,567 km/h, i.e. fast.",
                "It grew 5 percent to 1234567 kilometers per hour, that is fast.",
            ),
            ("en", "See https://www.example.com/a/b?c=d now!", "See example dot com now!"),
            (
                "en",
                "Mail me@example.org, or ask @rust_lang #OpenSource.",
                "Mail me at example dot org, or ask at rust lang Open Source.",
            ),
            ("en", "C++ & C# run 24/7 at 12:30, or 9:05.", "C plus plus and C sharp run 24 7 at 12 30, or 9 oh 5."),
            ("en", "He had $5 million (once) – gone…", "He had 5 million dollars, once, gone."),
            ("en", "Pages 10–20 cost €1 or $3.50 each.", "Pages 10 to 20 cost 1 euro or 3.50 dollars each."),
            ("en", "**Bold** and `code` 😀 [link](https://x.org/y).", "Bold and code link."),
            (
                "en",
                "NASA sent No. 5 to St. Louis on Main St. at 20°C.",
                "NASA sent number 5 to Saint Louis on Main Street at 20 degrees Celsius.",
            ),
            (
                "en",
                "“Don’t,” said J. R. R. Tolkien in the U.S. in 1937.",
                "Don't, said J R R Tolkien in the U S in 1937.",
            ),
            (
                "en",
                "From $5–10 to $5–$10, ~3 kg, 5k runs, 555-1234, 1990s.",
                "From 5 to 10 dollars to 5 to 10 dollars, about 3 kilograms, 5k runs, 555 1234, 1990s.",
            ),
            (
                "en",
                "Is it 1/2 or ¾? 2 + 2 = 4; and/or Smith’s rock-’n’-roll.",
                "Is it one half or three quarters? 2 plus 2 equals 4; and or Smith's rock n roll.",
            ),
            (
                "en",
                "Meet at 5:30pm or 5 p.m. on 2024-05-01, v1.2.3!",
                "Meet at 5 30 P M or 5 P M on 2024 05 01, v1 2 3!",
            ),
        ];
        let said = cases.map(|(lang, sentence, _)| (lang, said(lang, sentence)));
        assert_eq!(said, cases.map(|(lang, _, wanted)| (lang, wanted.to_owned())));
    }

    #[test]
    fn other_languages_are_read_in_their_own_words() {
        let cases = [
            (
                "es",
                "La Dra. Ruiz corrió 3,5 km, p. ej. hoy.",
                "La doctora Ruiz corrió 3,5 kilómetros, por ejemplo hoy.",
            ),
            ("es", "¿Cuesta 1.500 € o 2 millones?", "Cuesta 1500 euros o 2 millones?"),
            ("es", "Mira ejemplo.es a las 12:30.", "Mira ejemplo punto es a las 12 y 30."),
            ("fr", "M. Dupont paie 10 € à 14:30 !", "monsieur Dupont paie 10 euros à 14 heures 30!"),
            ("fr", "« Oui », dit Mme Roux : 50 %.", "Oui, dit madame Roux: 50 pour cent."),
            (
                "de",
                "Z. B. kostet das 3,50 €, d. h. ca. 4 $.",
                "zum Beispiel kostet das 3,50 Euro, das heißt circa 4 Dollar.",
            ),
            (
                "de",
                "Am 3. Oktober um 12:30 fuhr Dr. Maier 120 km/h.",
                "Am 3. Oktober um 12 Uhr 30 fuhr Doktor Maier 120 Kilometer pro Stunde.",
            ),
            ("it", "Il sig. Rossi pesa 80 kg, ecc.", "Il signor Rossi pesa 80 chili, eccetera."),
            ("it", "Costa 5 € & dura 1 h.", "Costa 5 euro e dura 1 ora."),
            (
                "pt",
                "O Sr. Silva pagou R$ 5 milhões, aprox. 10 %.",
                "O senhor Silva pagou 5 milhões de reais, aproximadamente 10 por cento.",
            ),
            ("zh", "增长50%，看example.com。", "增长百分之50，看 example 点 com。"),
            ("zh", "今天20°C，很好！", "今天 20 摄氏度，很好！"),
            ("zh", "中文 50 % 好", "中文百分之50 好"),
            ("fi", "Hinta on 5 € & 3,5 %.", "Hinta on 5 3,5."),
            ("ja", "「はい」と 5 km。", "はい と 5 キロメートル。"),
            ("ar", "دفع ٥٠٪ أي $10.", "دفع 50 بالمئة أي 10 دولار."),
            ("he", "זה עולה 50 ₪ & עוד.", "זה עולה 50 שקלים ו עוד."),
            ("hi", "उसने ₹१,००० दिए (5%)।", "उसने 1000 रुपये दिए, 5 प्रतिशत।"),
            ("th", "ราคา 50 ฿ ครับ", "ราคา 50 บาท ครับ"),
            ("th", "สวัสดีครับ", "สวัสดี ครับ"),
        ];
        let said = cases.map(|(lang, sentence, _)| (lang, said(lang, sentence)));
        assert_eq!(said, cases.map(|(lang, _, wanted)| (lang, wanted.to_owned())));
    }

    #[test]
    fn captions_keep_what_speech_leaves_out() {
        let spoken = spoken("Look 😀 – https://example.com/page!", &"en".parse().unwrap());
        let words: Vec<(&str, &str)> =
            spoken.words.iter().map(|w| (w.caption.as_str(), &spoken.text[w.bytes.clone()])).collect();
        assert_eq!(words, [("Look", "Look"), ("😀 –", ""), ("https://example.com/page!", "example dot com")]);
    }

    #[test]
    fn what_is_only_shown_is_not_spoken() {
        for sentence in ["", "😀", "…", "***", "— ! —"] {
            assert_eq!(said("en", sentence), "", "{sentence}");
        }
    }

    proptest! {
        #[test]
        fn every_caption_word_has_its_place_in_the_text(
            sentence in "(\\PC|[ a-z0-9.,:$€%@#/()“”一-龠ก-ฮअ-ह]){0,80}",
            lang in "en|es|fr|de|it|pt|zh|ja|ar|he|hi|th|fi",
        ) {
            let spoken = spoken(&sentence, &lang.parse().unwrap());
            let mut at = 0;
            for word in &spoken.words {
                prop_assert!(at <= word.bytes.start && word.bytes.start <= word.bytes.end);
                prop_assert!(spoken.text.get(word.bytes.clone()).is_some());
                at = word.bytes.end;
            }
            prop_assert!(!spoken.text.chars().any(char::is_control));
        }
    }
}
