//! Numbers as people write them, brought to the form engines read: no separators, the language's own decimal mark.

use super::language::Language;

/// A number at the start of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Number {
    /// For the engine: `1234567`, `3.5`, `minus 4`.
    pub(super) said: String,
    /// Bytes of the text that it takes.
    pub(super) bytes: usize,
    /// Whether it is exactly one, which takes the singular.
    pub(super) is_one: bool,
}

/// The number that `text` begins with: digits of any script, separators between digits, a sign before them.
pub(super) fn leading_number(text: &str, language: &Language) -> Option<Number> {
    let (sign, unsigned) = match text.chars().next()? {
        sign @ ('-' | '−' | '–') => (Some(language.minus), &text[sign.len_utf8()..]),
        '+' => (Some(language.plus), &text[1..]),
        _ => (None, text),
    };
    let mut groups = vec![String::new()];
    let mut separators = Vec::new();
    let mut bytes = text.len() - unsigned.len();
    let mut characters = unsigned.chars().peekable();
    while let Some(character) = characters.next() {
        if let Some(digit) = digit(character) {
            groups.last_mut()?.push(digit);
        } else if is_separator(character)
            && !groups.last()?.is_empty()
            && characters.peek().copied().and_then(digit).is_some()
        {
            separators.push(character);
            groups.push(String::new());
        } else {
            break;
        }
        bytes += character.len_utf8();
    }
    if groups[0].is_empty() {
        return None;
    }
    let said = join(&groups, &separators, language);
    let is_one = said == "1";
    let said = match sign {
        Some(word) if !word.is_empty() => format!("{word} {said}"),
        _ => said,
    };
    Some(Number { said, bytes, is_one })
}

/// The ASCII form of a decimal digit of the scripts that write their own.
pub(super) fn digit(character: char) -> Option<char> {
    let zero = match character {
        '0'..='9' => return Some(character),
        '\u{660}'..='\u{669}' => 0x660,
        '\u{6f0}'..='\u{6f9}' => 0x6f0,
        '\u{966}'..='\u{96f}' => 0x966,
        '\u{9e6}'..='\u{9ef}' => 0x9e6,
        '\u{e50}'..='\u{e59}' => 0xe50,
        '\u{ff10}'..='\u{ff19}' => 0xff10,
        _ => return None,
    };
    char::from_digit(character as u32 - zero, 10)
}

fn is_separator(character: char) -> bool {
    matches!(character, '.' | ',' | '\'' | '’' | '\u{a0}' | '\u{202f}' | '٫' | '٬')
}

/// Joins groups of digits by what the separators between them mean.
fn join(groups: &[String], separators: &[char], language: &Language) -> String {
    let Some((&last, earlier)) = separators.split_last() else { return groups.concat() };
    // India writes 1,00,000: pairs, and three at the end.
    let in_threes = |groups: &[String]| match groups.split_first().map(|(_, later)| later.split_last()) {
        Some(Some((last, middle))) => {
            let all = |length: usize| middle.iter().all(|g| g.len() == length);
            last.len() == 3 && (all(3) || all(2))
        }
        _ => true,
    };
    let same = |separators: &[char]| separators.windows(2).all(|pair| pair[0] == pair[1]);
    let usual_decimal = if language.decimal_comma { ',' } else { '.' };
    let grouped = same(separators) && in_threes(groups) && groups[0].len() <= 3 && groups[0] != "0";
    let never_decimal = matches!(last, '\'' | '’' | '\u{a0}' | '\u{202f}' | '٬');
    if grouped && (!earlier.is_empty() || last != usual_decimal && last != '٫' || never_decimal) {
        return groups.concat();
    }
    let (fraction, whole) = groups.split_last().unwrap_or((&groups[0], &[]));
    if !never_decimal && same(earlier) && !earlier.contains(&last) && in_threes(whole) {
        return format!("{}{usual_decimal}{fraction}", whole.concat());
    }
    // A date, a version or an address: its groups one by one.
    let is_date = groups.len() == 3 && (groups[2].len() == 4 || groups[0].len() == 4) || language.dot.is_empty();
    let between = if is_date { " ".to_owned() } else { format!(" {} ", language.dot) };
    groups.join(&between)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(lang: &str, text: &str) -> String {
        leading_number(text, Language::of(&lang.parse().unwrap())).unwrap().said
    }

    #[test]
    fn separators_mean_what_they_mean_in_the_language() {
        for (lang, text, wanted) in [
            ("en", "1,234,567", "1234567"),
            ("en", "1,234.5", "1234.5"),
            ("en", "1.234", "1.234"),
            ("en", "3,14", "3.14"),
            ("en", "0.500", "0.500"),
            ("de", "1.234.567", "1234567"),
            ("de", "1.234,5", "1234,5"),
            ("de", "3.14", "3,14"),
            ("fr", "10\u{202f}000,50", "10000,50"),
            ("es", "1.500", "1500"),
            ("de", "1'000", "1000"),
            ("en", "-5", "minus 5"),
            ("en", "1.2.3", "1 dot 2 dot 3"),
            ("de", "01.05.2024", "01 05 2024"),
            ("ar", "١٢٫٥", "12.5"),
            ("hi", "१,००,०००", "100000"),
            ("th", "๑๒", "12"),
        ] {
            assert_eq!(said(lang, text), wanted, "{lang} {text}");
        }
    }

    #[test]
    fn a_number_ends_at_what_is_no_digit() {
        let language = Language::of(&"en".parse().unwrap());
        assert_eq!(leading_number("5%", language).unwrap().bytes, 1);
        assert_eq!(leading_number("5.", language).unwrap().bytes, 1);
        assert_eq!(leading_number(".5", language), None);
        assert_eq!(leading_number("-", language), None);
    }
}
