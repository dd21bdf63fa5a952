//! Where the words of a line stand, measured with the fonts that will draw them.

use std::ops::Range;

use cosmic_text::{Attrs, Buffer, Family, Metrics, Shaping, Weight, Wrap};
use kernel::{Lang, ScriptDirection};

use super::{
    Line, Style,
    typeface::{Run, Typeface},
};
use crate::{MediaError, fonts, speech_text::TimedWord};

/// A line ready to be drawn.
#[derive(Debug)]
pub(super) struct SetLine {
    pub(super) words: Vec<SetWord>,
    pub(super) width_px: f32,
    /// The lowest descender of its fonts, in ems.
    pub(super) descent: f32,
    /// To be drawn before the first word, so that the line runs in its language's direction whatever it starts with.
    pub(super) direction: Option<char>,
}

/// A word of a line, with its place. A word with nothing to draw (an emoji) has no runs.
#[derive(Debug)]
pub(super) struct SetWord {
    pub(super) runs: Vec<Run>,
    pub(super) space_before: bool,
    /// From the left end of the line, in pixels.
    pub(super) left_px: f32,
    pub(super) width_px: f32,
    pub(super) start_ms: u64,
}

/// Sets lines in one style, size and language.
#[derive(Debug)]
pub(super) struct Setter {
    pub(super) typeface: Typeface,
    weight: u16,
    size_px: f32,
    uppercase: bool,
    lang: Lang,
}

impl Setter {
    pub(super) fn new(style: &Style, size_px: f32, lang: &Lang) -> Result<Self, MediaError> {
        let typeface = Typeface::new(&style.font, style.weight, lang)?;
        Ok(Self { typeface, weight: style.weight, size_px, uppercase: style.uppercase, lang: lang.clone() })
    }

    /// The width of a text as it will be drawn, in pixels.
    pub(super) fn width(&mut self, text: &str) -> Result<f32, MediaError> {
        let text = self.cased(text);
        let runs = self.typeface.runs(&text)?;
        Ok(self.shape(&runs)?.1)
    }

    /// Chooses fonts for a line and finds the place of each word.
    pub(super) fn set(&mut self, line: &Line) -> Result<SetLine, MediaError> {
        let mut words = Vec::with_capacity(line.words.len());
        for word in &line.words {
            words.push(self.set_word(word)?);
        }
        let direction = self.direction_mark(line);
        let (spans, places) = joined(&words, direction);
        let (glyphs, width_px) = self.shape(&spans)?;
        for (word, place) in words.iter_mut().zip(places) {
            let inside = glyphs.iter().filter(|glyph| place.contains(&glyph.start));
            let (left, right) = inside.fold((f32::MAX, f32::MIN), |(l, r), g| (l.min(g.left), r.max(g.right)));
            if right > left {
                (word.left_px, word.width_px) = (left, right - left);
            }
        }
        let descent = spans.iter().map(|run| self.typeface.face(run.face).descent).fold(0.0, f32::max);
        Ok(SetLine { words, width_px, descent, direction })
    }

    /// Only lines with right-to-left letters in them, or of such a language, could run the wrong way.
    fn direction_mark(&self, line: &Line) -> Option<char> {
        let right_to_left = self.lang.direction() == ScriptDirection::RightToLeft;
        let mixed = || line.words.iter().any(|word| word.text.chars().any(is_right_to_left));
        if right_to_left { Some('\u{200F}') } else { mixed().then_some('\u{200E}') }
    }

    fn set_word(&mut self, word: &TimedWord) -> Result<SetWord, MediaError> {
        let text = self.cased(&word.text);
        let runs = self.typeface.runs(&text)?;
        Ok(SetWord { runs, space_before: word.space_before, left_px: 0.0, width_px: 0.0, start_ms: word.start_ms })
    }

    fn cased(&self, text: &str) -> String {
        if !self.uppercase {
            return text.to_owned();
        }
        if matches!(self.lang.primary(), "tr" | "az") {
            return text.replace('i', "İ").replace('ı', "I").to_uppercase();
        }
        text.to_uppercase()
    }

    fn shape(&self, runs: &[Run]) -> Result<(Vec<Glyph>, f32), MediaError> {
        if runs.is_empty() {
            return Ok((Vec::new(), 0.0));
        }
        let attrs = |family| Attrs::new().family(Family::Name(family)).weight(Weight(self.weight));
        fonts::with_fonts(|fonts| {
            let spans = runs.iter().map(|run| (run.text.as_str(), attrs(self.typeface.face(run.face).family.as_str())));
            let mut buffer = Buffer::new(fonts, Metrics::new(self.size_px, self.size_px));
            buffer.set_wrap(Wrap::None);
            buffer.set_rich_text(spans, &attrs(fonts::DEFAULT_FAMILY), Shaping::Advanced, None);
            buffer.shape_until_scroll(fonts, false);
            let Some(run) = buffer.layout_runs().next() else { return (Vec::new(), 0.0) };
            let glyphs = run.glyphs.iter().map(|g| Glyph { start: g.start, left: g.x, right: g.x + g.w }).collect();
            (glyphs, run.line_w)
        })
    }
}

/// A shaped glyph: the byte its cluster starts at, and its ends in pixels.
struct Glyph {
    start: usize,
    left: f32,
    right: f32,
}

/// Whether a character is of a script that runs from right to left (Hebrew to Arabic Extended-A, and their forms).
fn is_right_to_left(c: char) -> bool {
    matches!(c, '\u{0590}'..='\u{08FF}' | '\u{FB1D}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFC}')
}

/// The words of a line as one text in runs, and the bytes each word takes in it. A space is drawn by the font before it.
fn joined(words: &[SetWord], direction: Option<char>) -> (Vec<Run>, Vec<Range<usize>>) {
    let mut spans: Vec<Run> = Vec::new();
    let mut places = Vec::with_capacity(words.len());
    let mut length = 0;
    for word in words {
        if let (true, false, Some(last)) = (word.space_before, word.runs.is_empty(), spans.last_mut()) {
            last.text.push(' ');
            length += 1;
        }
        let start = length;
        for run in &word.runs {
            if let (Some(mark), true) = (direction, spans.is_empty()) {
                spans.push(Run { text: mark.to_string(), face: run.face });
                length += mark.len_utf8();
            }
            length += run.text.len();
            match spans.last_mut() {
                Some(last) if last.face == run.face => last.text.push_str(&run.text),
                _ => spans.push(run.clone()),
            }
        }
        places.push(start..length);
    }
    (spans, places)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(words: &[&str]) -> Line {
        let word = |text: &&str| TimedWord { text: (*text).to_owned(), space_before: true, start_ms: 0, end_ms: 0 };
        Line { words: words.iter().map(word).collect() }
    }

    fn set(words: &[&str], lang: &str) -> SetLine {
        Setter::new(&Style::default(), 60.0, &lang.parse().unwrap()).unwrap().set(&line(words)).unwrap()
    }

    #[test]
    fn words_stand_in_reading_order_without_overlap() {
        let set = set(&["one", "two", "three"], "en");
        for pair in set.words.windows(2) {
            assert!(pair[0].left_px + pair[0].width_px < pair[1].left_px);
        }
        let last = &set.words[2];
        assert!((last.left_px + last.width_px - set.width_px).abs() < 0.5);
    }

    #[test]
    fn arabic_words_run_from_the_right() {
        let set = set(&["مرحبا", "بالعالم"], "ar");
        assert!(set.words[0].left_px > set.words[1].left_px);
    }

    #[test]
    fn a_line_runs_in_the_direction_of_its_language_whatever_it_starts_with() {
        let hebrew = set(&["FFmpeg", "הוא", "כלי"], "he");
        assert!(hebrew.words[0].left_px > hebrew.words[1].left_px);
        let english = set(&["שלום", "means", "peace"], "en");
        assert!(english.words[0].left_px < english.words[1].left_px);
    }

    #[test]
    fn a_word_that_is_only_an_emoji_takes_no_room() {
        assert!((set(&["go", "🚀", "now"], "en").width_px - set(&["go", "now"], "en").width_px).abs() < 0.01);
    }
}
