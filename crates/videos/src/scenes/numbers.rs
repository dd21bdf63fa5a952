//! Numbers that deserve a card of their own.

/// The longest label under a number.
const MAX_LABEL: usize = 90;

/// A number worth seeing, with its unit, and what it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Striking {
    pub(super) number: String,
    pub(super) label: String,
}

/// Beginnings of words that make a number before them worth seeing, in the languages of most scripts: shares,
/// magnitudes, multiples and measures.
const UNITS: [&str; 75] = [
    "percent",
    "per cent",
    "prozent",
    "por ciento",
    "pour cent",
    "per cento",
    "por cento",
    "procent",
    "процент",
    "thousand",
    "million",
    "billion",
    "trillion",
    "tausend",
    "milliard",
    "millón",
    "millones",
    "mil ",
    "mille ",
    "milhões",
    "milhão",
    "bilhões",
    "milion",
    "miliard",
    "тысяч",
    "миллион",
    "миллиард",
    "ألف",
    "مليون",
    "مليار",
    "אלף",
    "מיליון",
    "מיליארד",
    "हज़ार",
    "हजार",
    "लाख",
    "करोड़",
    "प्रतिशत",
    "ล้าน",
    "พัน",
    "เปอร์เซ็นต์",
    "times",
    "-fold",
    "mal ",
    "mal.",
    "veces",
    "vezes",
    "fois",
    "volte",
    "keer",
    "раз ",
    "раз.",
    "भार",
    "गुना",
    "เท่า",
    "met",
    "mètr",
    "kilo",
    "km",
    "kg",
    "mile",
    "ton",
    "feet",
    "degree",
    "grad",
    "год",
    "лет",
    "метр",
    "year",
    "año",
    "jahre",
    "ans ",
    "anni",
    "anos",
    "年",
];
/// Characters that do the same without a space.
const MARKS: [char; 17] = ['%', '％', '‰', '°', '€', '£', '¥', '₹', '₽', '$', '×', '倍', '万', '萬', '亿', '億', '兆'];
const CURRENCIES: [char; 8] = ['$', '€', '£', '¥', '₹', '₽', '₩', '₺'];

/// The first striking number of a sentence; `None` when there is none, or the sentence is too long for a label.
pub(super) fn striking(sentence: &str) -> Option<Striking> {
    let (start, end) = find(sentence)?;
    let number = sentence[start..end].trim().to_owned();
    let rest = if sentence[..start].trim().is_empty() { &sentence[end..] } else { sentence };
    let label =
        rest.trim().trim_end_matches(['.', '!', '。', '！', '।', '…', '؟', '?']).trim_start_matches([',', ' ']).trim();
    let fits = !label.is_empty() && label.chars().count() <= MAX_LABEL && number.chars().count() <= 24;
    fits.then(|| Striking { number, label: label.to_owned() })
}

/// Where the first striking number stands, its sign and unit included.
fn find(text: &str) -> Option<(usize, usize)> {
    let mut from = 0;
    while let Some(offset) = text[from..].find(char::is_numeric) {
        let digits = from + offset;
        let end = end_of_number(text, digits);
        let before = text[..digits].trim_end_matches(['\u{a0}', '\u{202f}']);
        let currency = before.chars().last().filter(|c| CURRENCIES.contains(c));
        let part_of_word = before.chars().last().is_some_and(|c| c.is_alphabetic() && c.is_ascii());
        let start = currency.map_or(digits, |currency| before.len() - currency.len_utf8());
        let striking = if let Some(unit_end) = unit(text, end) {
            Some(unit_end)
        } else {
            (currency.is_some() || is_large(&text[digits..end])).then_some(end)
        };
        match striking {
            Some(end) if !part_of_word => return Some((start, end)),
            _ => from = end,
        }
    }
    None
}

/// The end of the digits at `from`, with separators between them: `1,200.5`, `1 200`, `3.5`. Not of times and dates.
fn end_of_number(text: &str, from: usize) -> usize {
    let mut end = from;
    let mut characters = text[from..].char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        let next_is_digit = characters.peek().is_some_and(|(_, next)| next.is_numeric());
        if c.is_numeric() {
            end = from + at + c.len_utf8();
        } else if !(next_is_digit && matches!(c, '.' | ',' | '\u{a0}' | '\u{202f}' | '’' | '\'' | ':' | '/' | '-')) {
            break;
        }
    }
    end
}

/// The end of the unit behind a number, when it has one that counts.
fn unit(text: &str, end: usize) -> Option<usize> {
    let rest = &text[end..];
    let spaced = rest.trim_start_matches([' ', '\u{a0}', '\u{202f}']);
    let space = rest.len() - spaced.len();
    if let Some(mark) = spaced.chars().next().filter(|c| MARKS.contains(c)) {
        let after = &spaced[mark.len_utf8()..];
        let degrees = if mark == '°' { after.chars().next().filter(|c| matches!(c, 'C' | 'F')) } else { None };
        return Some(end + space + mark.len_utf8() + degrees.map_or(0, char::len_utf8));
    }
    let lower = spaced.to_lowercase();
    let found = UNITS.iter().find(|unit| lower.starts_with(**unit))?;
    let words = found.trim_end_matches(['.', ' ']).matches(' ').count();
    let stop = spaced
        .match_indices(|c: char| !c.is_alphanumeric() && !is_joined(c))
        .map(|(at, _)| at)
        .filter(|at| *at > 0)
        .nth(words)
        .unwrap_or(spaced.len());
    Some(end + space + stop)
}

/// Marks inside a word: hyphens, and vowel signs of Indic and Thai scripts.
fn is_joined(c: char) -> bool {
    c == '-' || ('\u{900}'..='\u{eff}').contains(&c)
}

/// Whether bare digits are a large number and no year, time or date.
fn is_large(number: &str) -> bool {
    let plain = !number.contains([':', '/', '-']);
    let grouped = number.contains([',', '.', '\u{a0}', '\u{202f}', '’', '\'']);
    let whole: usize = number.chars().filter(|c| c.is_numeric()).count();
    plain && (whole >= 5 || (grouped && whole >= 4 && number.len() - number.rfind([',', '.']).unwrap_or(0) == 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(sentence: &str) -> Option<String> {
        striking(sentence).map(|striking| striking.number)
    }

    #[test]
    fn shares_prices_and_magnitudes_strike() {
        for (sentence, expected) in [
            ("Now 73 % of us drink coffee.", "73 %"),
            ("It rose by 12.5%.", "12.5%"),
            ("A ticket costs $5 today.", "$5"),
            ("They paid €3.5 million for it.", "€3.5 million"),
            ("About 1.2 million people came.", "1.2 million"),
            ("Moonlight is 400,000 times weaker.", "400,000 times"),
            ("The water rises by 16 metres.", "16 metres"),
            ("El azul se dispersa unas 5 veces más.", "5 veces"),
            ("Das sind 40 Prozent aller Wähler.", "40 Prozent"),
            ("Это 5 миллионов человек.", "5 миллионов"),
            ("占地球的71%。", "71%"),
            ("人口は1億人です。", "1億"),
            ("The surface has 5500 °C.", "5500 °C"),
            ("There are 86,400 of them.", "86,400"),
        ] {
            assert_eq!(number(sentence).as_deref(), Some(expected), "{sentence}");
        }
    }

    #[test]
    fn years_times_and_small_counts_do_not() {
        for sentence in [
            "It was 1969.",
            "At 10:30 we left.",
            "On 2024-05-01.",
            "I have 3 cats.",
            "Version 2.5 of it.",
            "MP3000000 players.",
        ] {
            assert_eq!(number(sentence), None, "{sentence}");
        }
    }

    #[test]
    fn a_number_at_the_front_is_not_said_twice() {
        let striking = striking("73 % of us drink coffee.").unwrap();
        assert_eq!(striking.label, "of us drink coffee");
    }

    #[test]
    fn a_long_sentence_gets_no_number_card() {
        assert_eq!(striking(&format!("It is 73 % of all {}.", "very ".repeat(30))), None);
    }
}
