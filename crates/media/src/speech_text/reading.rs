//! What is said for a word as it is written.

mod addresses;
mod quantities;

use super::{
    characters::{is_mark, is_said, is_symbol},
    language::{Language, When},
    numbers::digit,
};

/// A caption word, divided.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'a> {
    /// Quotes, brackets and markup before it.
    pub(super) lead: &'a str,
    pub(super) core: &'a str,
    /// Stops, brackets and markup after it.
    pub(super) trail: &'a str,
}

impl Token<'_> {
    fn starts_with_digit(&self) -> bool {
        self.core.chars().next().and_then(digit).is_some()
    }

    fn ends_with_digit(&self) -> bool {
        self.core.chars().next_back().and_then(digit).is_some() && self.trail.is_empty()
    }
}

/// What is said for the token at `index`; empty for nothing.
pub(super) fn read(tokens: &[Token<'_>], index: usize, language: &Language) -> String {
    let token = tokens[index];
    // The text of a Markdown link, without its address.
    let core = token.core.split("](").next().unwrap_or_default();
    if core.is_empty() {
        return String::new();
    }
    let before = index.checked_sub(1).map(|i| &tokens[i]);
    let after = tokens.get(index + 1);
    let said = addresses::read(core, language)
        .or_else(|| abbreviation(tokens, index, language))
        .or_else(|| name(core, language))
        .or_else(|| quantities::read(tokens, index, language))
        .or_else(|| sign(core, before, after, language));
    said.unwrap_or_else(|| plain(core, language))
}

/// `Dr.`, `e.g.`, `z. B.`, `U.S.`
fn abbreviation(tokens: &[Token<'_>], index: usize, language: &Language) -> Option<String> {
    let token = &tokens[index];
    let stopped = token.trail.starts_with('.');
    // Two tokens of one abbreviation: each says its part.
    if let Some(next) = tokens.get(index + 1)
        && let Some(said) = spaced(token, next, language)
    {
        return said.split_once(' ').map(|(first, _)| first.to_owned());
    }
    if let Some(previous) = index.checked_sub(1).map(|i| &tokens[i])
        && let Some(said) = spaced(previous, token, language)
    {
        return said.split_once(' ').map(|(_, rest)| rest.to_owned());
    }
    let after = tokens.get(index + 1);
    let fits = |when: When| match when {
        When::Always => true,
        When::BeforeNumber => after.is_some_and(Token::starts_with_digit),
        When::BeforeName => after.is_some_and(|t| t.core.starts_with(char::is_uppercase)),
    };
    let plain_form = token.core.contains(['.', '°', 'º', '/'])
        || matches!(token.core.to_lowercase().as_str(), "vs" | "mr" | "mrs" | "dr" | "etc" | "mme" | "mlle" | "approx");
    if stopped || plain_form {
        let said = language.expand(token.core).find(|(_, when)| fits(*when));
        if let Some((said, _)) = said {
            return Some(said.to_owned());
        }
    }
    initials(token.core)
}

/// What two tokens with stops are short for together: `z.` and `B.`
fn spaced(first: &Token<'_>, second: &Token<'_>, language: &Language) -> Option<&'static str> {
    let short = |token: &Token<'_>| token.trail.starts_with('.') && token.core.chars().count() <= 3;
    if !short(first) || !short(second) || first.trail != "." {
        return None;
    }
    language.expand(&format!("{}. {}", first.core, second.core)).map(|(said, _)| said).next()
}

/// `U.S.A` is said letter by letter.
fn initials(core: &str) -> Option<String> {
    let letters: Vec<&str> = core.split('.').collect();
    let single = |part: &&str| part.chars().count() == 1 && part.chars().all(char::is_alphabetic);
    (letters.len() >= 2 && letters.iter().all(single)).then(|| letters.join(" "))
}

/// Names whose signs are said.
fn name(core: &str, language: &Language) -> Option<String> {
    let plus = if language.plus.is_empty() { "plus" } else { language.plus };
    match core {
        "C++" | "c++" => Some(format!("C {plus} {plus}")),
        "C#" | "c#" => Some("C sharp".to_owned()),
        "F#" | "f#" => Some("F sharp".to_owned()),
        ".NET" => Some("dot net".to_owned()),
        "24/7" => Some("24 7".to_owned()),
        _ => None,
    }
}

/// A sign that stands alone.
fn sign(core: &str, before: Option<&Token<'_>>, after: Option<&Token<'_>>, language: &Language) -> Option<String> {
    let between_numbers = before.is_some_and(Token::ends_with_digit) && after.is_some_and(Token::starts_with_digit);
    let word = match core {
        "&" => language.and,
        "+" => language.plus,
        "=" => language.equals,
        "×" | "x" if between_numbers => language.times,
        "−" if between_numbers => language.minus,
        "%" => language.percent,
        "@" => language.at,
        _ => return None,
    };
    Some(word.to_owned())
}

/// A word as it is, without what is not said and with signs within it in words.
fn plain(core: &str, language: &Language) -> String {
    let mut said = String::with_capacity(core.len());
    let mut characters = core.chars().peekable();
    let mut previous = ' ';
    while let Some(character) = characters.next() {
        let after = characters.peek().copied().unwrap_or(' ');
        let within = previous.is_alphanumeric() || is_mark(previous);
        match character {
            '\u{200c}' | '\u{200d}' if !within || is_symbol(after) => {}
            c if digit(c).is_some() => said.extend(digit(c)),
            c if is_said(c) => said.push(c),
            '\'' | '’' | 'ʼ' if within && after.is_alphanumeric() => said.push('\''),
            '-' | '‐' | '‑' if previous.is_numeric() && after.is_numeric() => said.push(' '),
            '-' | '‐' | '‑' if within && after.is_alphanumeric() => said.push('-'),
            '"' | '״' | '׳' if within && matches!(previous, 'א'..='ת') => said.push(character),
            '&' => word(&mut said, language.and),
            '+' if after.is_alphanumeric() || within => word(&mut said, language.plus),
            '=' => word(&mut said, language.equals),
            '@' => word(&mut said, language.at),
            '—' | '–' | '…' | ',' | ';' | ':' if within && after.is_alphanumeric() => said.push_str(", "),
            '。' | '、' | '，' | '！' | '？' | '；' | '：' | '।' | '،' | '؛' | '؟' | '・' if within => {
                said.push(character);
            }
            c if c.is_control() || is_symbol(c) => said.push(' '),
            _ => said.push(' '),
        }
        previous = character;
    }
    let words: Vec<&str> = said.split_whitespace().collect();
    let said = words.join(" ");
    if said.contains(char::is_alphanumeric) { said } else { String::new() }
}

fn word(said: &mut String, word: &str) {
    said.push(' ');
    said.push_str(word);
    said.push(' ');
}
