//! Which fonts and which direction a text wants, from its letters.

use kernel::{Lang, ScriptDirection};

use super::theme::{Face, FaceStyle};
use crate::fonts::sans_family;

/// The way a paragraph runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    LeftToRight,
    RightToLeft,
}

/// Scripts with families of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    Latin,
    Arabic,
    Hebrew,
    Devanagari,
    Thai,
    Hangul,
    Kana,
    Han,
    Other,
}

impl Direction {
    /// The line with a mark (U+200E, U+200F) before it where its own first letter would turn it the other way.
    pub(super) fn mark(self, line: &str) -> String {
        match (self, first_strong(line)) {
            (Self::RightToLeft, Some(Self::LeftToRight)) => format!("\u{200F}{line}"),
            (Self::LeftToRight, Some(Self::RightToLeft)) => format!("\u{200E}{line}"),
            _ => line.to_owned(),
        }
    }
}

/// The direction of a text: that of most of its letters, or of its language when it has none.
pub(super) fn direction(text: &str, lang: &Lang) -> Direction {
    let (mut left, mut right) = (0, 0);
    for strong in text.chars().filter_map(strong) {
        match strong {
            Direction::LeftToRight => left += 1,
            Direction::RightToLeft => right += 1,
        }
    }
    let of_language = lang.direction() == ScriptDirection::RightToLeft;
    if right > left || (right == left && of_language) { Direction::RightToLeft } else { Direction::LeftToRight }
}

fn first_strong(text: &str) -> Option<Direction> {
    text.chars().find_map(strong)
}

fn strong(c: char) -> Option<Direction> {
    match c {
        '\u{590}'..='\u{8FF}' | '\u{FB1D}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFF}' if c.is_alphabetic() => {
            Some(Direction::RightToLeft)
        }
        _ if c.is_alphabetic() => Some(Direction::LeftToRight),
        _ => None,
    }
}

/// Whether space between letters would tear the script apart.
pub(super) fn joins_letters(text: &str) -> bool {
    text.chars().any(|c| c.is_alphabetic() && !matches!(script(c), Script::Latin | Script::Han | Script::Kana))
}

/// The family that sets most of the text: the theme's own for Latin, Greek and Cyrillic, else its sister.
pub(super) fn family(text: &str, face: &Face, lang: &Lang) -> &'static str {
    let main = dominant(text);
    if main == Script::Latin {
        return face.family;
    }
    let han = |sans: &'static str| match (face.style, sans) {
        (FaceStyle::Serif, "Noto Sans CJK JP") => "Noto Serif CJK JP",
        (FaceStyle::Serif, "Noto Sans CJK TC") => "Noto Serif CJK TC",
        (FaceStyle::Serif, "Noto Sans CJK HK") => "Noto Serif CJK HK",
        (FaceStyle::Serif, "Noto Sans CJK KR") => "Noto Serif CJK KR",
        (FaceStyle::Serif, _) => "Noto Serif CJK SC",
        (FaceStyle::Sans, sans) if sans.contains("CJK") => sans,
        (FaceStyle::Sans, _) => "Noto Sans CJK SC",
    };
    match (main, face.style) {
        (Script::Arabic, FaceStyle::Sans) => "Noto Sans Arabic",
        (Script::Arabic, FaceStyle::Serif) => "Noto Naskh Arabic",
        (Script::Hebrew, FaceStyle::Sans) => "Noto Sans Hebrew",
        (Script::Hebrew, FaceStyle::Serif) => "Noto Serif Hebrew",
        (Script::Devanagari, FaceStyle::Sans) => "Noto Sans Devanagari",
        (Script::Devanagari, FaceStyle::Serif) => "Noto Serif Devanagari",
        (Script::Thai, FaceStyle::Sans) => "Noto Sans Thai",
        (Script::Thai, FaceStyle::Serif) => "Noto Serif Thai",
        (Script::Hangul, _) => han("Noto Sans CJK KR"),
        (Script::Kana, _) => han("Noto Sans CJK JP"),
        (Script::Han, _) => han(sans_family(lang)),
        (Script::Other | Script::Latin, _) => match sans_family(lang) {
            crate::fonts::DEFAULT_FAMILY => face.family,
            sister => sister,
        },
    }
}

/// The script of most letters. One kana makes a text Japanese, however many of its characters are Chinese too.
fn dominant(text: &str) -> Script {
    let scripts: Vec<Script> = text.chars().filter(|c| c.is_alphabetic()).map(script).collect();
    if scripts.contains(&Script::Kana) {
        return Script::Kana;
    }
    let count = |wanted: Script| scripts.iter().filter(|script| **script == wanted).count();
    let all = [
        Script::Latin,
        Script::Arabic,
        Script::Hebrew,
        Script::Devanagari,
        Script::Thai,
        Script::Hangul,
        Script::Han,
        Script::Other,
    ];
    let mut best = Script::Latin;
    for candidate in all {
        if count(candidate) > count(best) {
            best = candidate;
        }
    }
    best
}

fn script(c: char) -> Script {
    match c {
        '\0'..='\u{52F}' | '\u{1E00}'..='\u{1FFF}' => Script::Latin,
        '\u{590}'..='\u{5FF}' | '\u{FB1D}'..='\u{FB4F}' => Script::Hebrew,
        '\u{600}'..='\u{6FF}' | '\u{750}'..='\u{77F}' | '\u{FB50}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFF}' => {
            Script::Arabic
        }
        '\u{900}'..='\u{97F}' => Script::Devanagari,
        '\u{E00}'..='\u{E7F}' => Script::Thai,
        '\u{1100}'..='\u{11FF}' | '\u{AC00}'..='\u{D7AF}' => Script::Hangul,
        '\u{3040}'..='\u{30FF}' => Script::Kana,
        '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{20000}'..='\u{3FFFF}' => Script::Han,
        _ => Script::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACE: Face =
        Face { family: "Noto Serif Display", style: FaceStyle::Serif, weight: 700, tracking: 0.0, leading: 1.1 };

    #[test]
    fn each_script_takes_the_sister_of_the_same_style() {
        let family = |text: &str, lang: &str| family(text, &FACE, &lang.parse().unwrap());
        assert_eq!(family("Hello", "en"), "Noto Serif Display");
        assert_eq!(family("水は命", "ja"), "Noto Serif CJK JP");
        assert_eq!(family("水是生命", "zh"), "Noto Serif CJK SC");
        assert_eq!(family("שלום world עולם", "he"), "Noto Serif Hebrew");
        assert_eq!(family("2026", "hi"), "Noto Serif Display");
    }

    #[test]
    fn most_letters_decide_the_direction_and_the_language_where_there_are_none() {
        let direction = |text: &str, lang: &str| direction(text, &lang.parse().unwrap());
        assert_eq!(direction("العالم GPS كبير", "ar"), Direction::RightToLeft);
        assert_eq!(direction("Hello", "ar"), Direction::LeftToRight);
        assert_eq!(direction("42 %", "he"), Direction::RightToLeft);
        assert_eq!(Direction::RightToLeft.mark("GPS כאן"), "\u{200F}GPS כאן");
    }

    #[test]
    fn letters_that_join_are_not_spaced() {
        assert!(joins_letters("مرحبا") && joins_letters("नमस्ते"));
        assert!(!joins_letters("HELLO 12") && !joins_letters("日本"));
    }
}
