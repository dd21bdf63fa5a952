//! Captions as ASS: the whole file for players, and one window of it for each segment that is encoded.
//!
//! Every line of a cue is an event of its own at a fixed place, and in word mode one event per spoken word, which
//! differs from its neighbours in colour only. So nothing moves while the light does, and a cue cut by a segment's end
//! looks the same on both sides: no event depends on how long it has been shown.

use std::{collections::BTreeMap, fmt::Write as _, ops::Range};

use kernel::Lang;

use super::{
    Backdrop, Color, Cue, Mode, Position, Style,
    layout::{SetLine, SetWord, Setter},
};
use crate::{MediaError, Size};

/// The room above the baseline that letters with marks need, in ems.
const ASCENT: f32 = 1.0;
/// The room below it.
const DESCENT: f32 = 0.3;
/// The height of the letters a box is centred on: capitals with a little of what hangs below.
const BOX_ABOVE: f32 = 0.86;
const BOX_BELOW: f32 = 0.26;
/// Control points at this share of the radius draw a quarter circle (error below 0.03 %).
const CIRCLE: f32 = 0.5523;

/// How and where captions are drawn.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    pub style: &'a Style,
    pub mode: Mode,
    pub frame: Size,
}

/// All cues as an ASS file, for players and editors.
pub fn ass(cues: &[Cue], setting: &Setting) -> Result<String, MediaError> {
    let end_ms = cues.iter().map(|cue| cue.end_ms).max().unwrap_or(0);
    let events = events(cues, setting, 0..end_ms)?;
    Ok(header(setting) + &events)
}

/// The ASS file for the stretch of time from `window.start` to `window.end` milliseconds, its times counted from the
/// window's start; nothing when no cue is shown then, and the filter can be left out.
///
/// The bytes depend only on what is shown when within the window, not on where the window lies.
pub fn ass_window(cues: &[Cue], setting: &Setting, window: Range<u64>) -> Result<Option<String>, MediaError> {
    let events = events(cues, setting, window)?;
    Ok((!events.is_empty()).then(|| header(setting) + &events))
}

fn header(setting: &Setting) -> String {
    let Setting { style, frame, .. } = setting;
    let em = style.size_px(*frame);
    let (color, outline, shadow) = (style.color, style.outline, style.shadow);
    let styles = [
        ("Caption", color.ass_style(), outline.width * em, shadow.offset * em, 2),
        ("Box", color.ass_style(), 0.0, 0.0, 7),
    ];
    let mut text = format!(
        "[Script Info]\nTitle: Captions\nScriptType: v4.00+\nPlayResX: {}\nPlayResY: {}\nWrapStyle: 2\n\
         ScaledBorderAndShadow: yes\nYCbCr Matrix: TV.709\n\n[V4+ Styles]\n\
         Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, \
         Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, \
         MarginR, MarginV, Encoding\n",
        frame.width, frame.height
    );
    for (name, primary, outline_px, shadow_px, alignment) in styles {
        let _ = writeln!(
            text,
            "Style: {name},{},{},{primary},{primary},{},{},0,0,0,0,100,100,0,0,1,{},{},{alignment},0,0,0,-1",
            style.font,
            number(em),
            outline.color.ass_style(),
            shadow.color.ass_style(),
            number(outline_px),
            number(shadow_px),
        );
    }
    text.push_str("\n[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n");
    text
}

fn events(cues: &[Cue], setting: &Setting, window: Range<u64>) -> Result<String, MediaError> {
    let mut text = String::new();
    let mut setters: BTreeMap<Lang, Setter> = BTreeMap::new();
    for cue in cues.iter().filter(|cue| cue.start_ms < window.end && cue.end_ms > window.start) {
        if !setters.contains_key(&cue.lang) {
            let setter = Setter::new(setting.style, setting.style.size_px(setting.frame), &cue.lang)?;
            setters.insert(cue.lang.clone(), setter);
        }
        if let Some(setter) = setters.get_mut(&cue.lang) {
            let mut lines = Vec::with_capacity(cue.lines.len());
            for line in &cue.lines {
                lines.push(setter.set(line)?);
            }
            Painter { setting, setter, window: &window, text: &mut text }.cue(cue, &lines);
        }
    }
    Ok(text)
}

/// Writes the events of cues.
struct Painter<'a> {
    setting: &'a Setting<'a>,
    setter: &'a Setter,
    window: &'a Range<u64>,
    text: &'a mut String,
}

/// Which word is lit from when to when; none before the first.
struct Light {
    word: Option<usize>,
    span: Range<u64>,
}

impl Painter<'_> {
    fn cue(&mut self, cue: &Cue, lines: &[SetLine]) {
        let span = cue.start_ms..cue.end_ms;
        let starts: Vec<u64> = lines.iter().flat_map(|line| &line.words).map(|word| word.start_ms).collect();
        let mut first = 0;
        for (index, line) in lines.iter().enumerate() {
            let baseline = self.baseline(&cue.lang, index, lines.len());
            if let Some(backdrop) = self.setting.style.line_box.filter(|_| line.width_px > 0.0) {
                self.draw_box(&span, &backdrop, (self.left(line), line.width_px), baseline);
            }
            for light in self.lights(&span, &starts, first..first + line.words.len()) {
                let lit = light.word.map(|word| &line.words[word]).filter(|word| word.width_px > 0.0);
                if let (Some(backdrop), Some(word)) = (self.setting.style.word_box, lit) {
                    self.draw_box(&light.span, &backdrop, (self.left(line) + word.left_px, word.width_px), baseline);
                }
                self.draw_line(line, &light, baseline);
            }
            first += line.words.len();
        }
    }

    /// What is lit in a line while its cue is shown. `own` are the line's words among all of the cue's.
    fn lights(&self, span: &Range<u64>, starts: &[u64], own: Range<usize>) -> Vec<Light> {
        if self.setting.mode == Mode::Line {
            return vec![Light { word: None, span: span.clone() }];
        }
        let mut lights: Vec<Light> = Vec::new();
        let mut push = |word, from: u64, to: u64| {
            if to > from {
                lights.push(Light { word, span: from..to });
            }
        };
        let start_of = |index: usize| starts.get(index).map_or(span.end, |&start| start.clamp(span.start, span.end));
        push(None, span.start, start_of(own.start));
        for index in own.clone() {
            push(Some(index - own.start), start_of(index), start_of(index + 1));
        }
        push(None, start_of(own.end), span.end);
        lights
    }

    fn draw_line(&mut self, line: &SetLine, light: &Light, baseline: f32) {
        let style = self.setting.style;
        let em = style.size_px(self.setting.frame);
        let mut text = String::new();
        let mut face = None;
        for (index, word) in line.words.iter().enumerate() {
            if word.space_before && !text.is_empty() && !word.runs.is_empty() {
                text.push(' ');
            }
            let color = parted(if light.word == Some(index) { style.highlight } else { style.color }, index);
            if self.setting.mode == Mode::Word && !word.runs.is_empty() {
                let _ = write!(text, "{{\\1c{}\\1a{}}}", color.ass(), color.ass_alpha());
            }
            if let (None, Some(mark), false) = (face, line.direction, word.runs.is_empty()) {
                text.push(mark);
            }
            self.write_runs(word, em, &mut face, &mut text);
        }
        if face.is_none() {
            return;
        }
        // Text hangs from the bottom of its line box, which is the lowest descender below the baseline.
        let bottom = baseline + line.descent * em;
        let place = format!(
            "{{\\pos({},{})\\b{}}}",
            number(self.setting.frame.width as f32 / 2.0),
            number(bottom),
            style.weight
        );
        self.event(2, &light.span, "Caption", &(place + &text));
    }

    fn write_runs(&self, word: &SetWord, em: f32, face: &mut Option<usize>, text: &mut String) {
        for run in &word.runs {
            if *face != Some(run.face) {
                let font = self.setter.typeface.face(run.face);
                let _ = write!(text, "{{\\fn{}\\fs{}}}", font.family, number(em * font.size_factor));
                *face = Some(run.face);
            }
            text.push_str(&literal(&run.text));
        }
    }

    /// A rounded box around text that starts at `left` and is `width` wide.
    fn draw_box(&mut self, span: &Range<u64>, backdrop: &Backdrop, (left, width): (f32, f32), baseline: f32) {
        let em = self.setting.style.size_px(self.setting.frame);
        let padding = backdrop.padding * em;
        let (width, height) = (width + 2.0 * padding, (BOX_ABOVE + BOX_BELOW) * em + padding);
        let (x, y) = (left - padding, baseline - BOX_ABOVE * em - padding / 2.0);
        let radius = (backdrop.radius * em).min(width / 2.0).min(height / 2.0);
        let layer = i32::from(self.setting.style.line_box != Some(*backdrop));
        let shape = rounded(width, height, radius);
        let (color, alpha) = (backdrop.color.ass(), backdrop.color.ass_alpha());
        let event = format!("{{\\pos({},{})\\1c{color}\\1a{alpha}\\p1}}{shape}", number(x), number(y));
        self.event(layer, span, "Box", &event);
    }

    fn event(&mut self, layer: i32, span: &Range<u64>, style: &str, text: &str) {
        let start = span.start.max(self.window.start) - self.window.start;
        let end = span.end.min(self.window.end).saturating_sub(self.window.start);
        let (start, end) = (ticks(start), ticks(end));
        if end > start {
            let _ = writeln!(self.text, "Dialogue: {layer},{},{},{style},,0,0,0,,{text}", stamp(start), stamp(end));
        }
    }

    fn left(&self, line: &SetLine) -> f32 {
        (self.setting.frame.width as f32 - line.width_px) / 2.0
    }

    /// The baseline of a line, in pixels from the top.
    fn baseline(&self, lang: &Lang, index: usize, count: usize) -> f32 {
        let Setting { style, frame, .. } = self.setting;
        let em = style.size_px(*frame);
        let step = style.line_height * em * tallness(lang);
        let block = (count - 1) as f32 * step;
        let margin = style.margin_y_px(*frame);
        let first = match style.position {
            Position::Bottom => frame.height as f32 - margin - DESCENT * em - block,
            Position::Middle => f32::midpoint(frame.height as f32 - block, (ASCENT - DESCENT) * em),
            Position::Top => margin + ASCENT * em * tallness(lang),
        };
        first + index as f32 * step
    }
}

/// The colour for the word at an index, unlike its neighbours' by one step of blue, which nobody sees: libass rounds the
/// places of letters once per stretch of one colour, so a line would shift by a fraction of a pixel whenever two words
/// joined into one stretch or parted.
fn parted(color: Color, index: usize) -> Color {
    Color { blue: color.blue ^ u8::from(index % 2 == 1), ..color }
}

/// How much more room between lines a script needs whose marks stack above and below the letters.
fn tallness(lang: &Lang) -> f32 {
    match lang.primary() {
        "th" | "lo" | "km" | "my" | "ur" => 1.2,
        "ar" | "fa" | "ps" | "sd" | "ug" | "hi" | "mr" | "ne" | "sa" | "bn" | "ta" | "te" | "kn" | "ml" | "gu"
        | "pa" | "si" => 1.12,
        _ => 1.0,
    }
}

/// Text of which nothing is a command: a backslash is parted from what follows, and braces are escaped.
fn literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => literal.push_str("\\\u{2060}"),
            '{' | '}' => {
                literal.push('\\');
                literal.push(c);
            }
            _ => literal.push(c),
        }
    }
    literal
}

/// A rectangle with round corners as drawing commands, its upper left corner at the origin.
fn rounded(width: f32, height: f32, radius: f32) -> String {
    let bend = radius * (1.0 - CIRCLE);
    let (w, h, r, k) = (width, height, radius, bend);
    let corners: [[(f32, f32); 4]; 4] = [
        [(w - r, 0.0), (w - k, 0.0), (w, k), (w, r)],
        [(w, h - r), (w, h - k), (w - k, h), (w - r, h)],
        [(r, h), (k, h), (0.0, h - k), (0.0, h - r)],
        [(0.0, r), (0.0, k), (k, 0.0), (r, 0.0)],
    ];
    let mut shape = format!("m {} 0", number(r));
    for [start, first, second, end] in corners {
        let _ = write!(shape, " l {} {} b", number(start.0), number(start.1));
        for (x, y) in [first, second, end] {
            let _ = write!(shape, " {} {}", number(x), number(y));
        }
    }
    shape
}

/// A number with two decimals at most.
fn number(value: f32) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Hundredths of a second, rounded to the nearest.
fn ticks(time_ms: u64) -> u64 {
    (time_ms + 5) / 10
}

fn stamp(ticks: u64) -> String {
    format!("{}:{:02}:{:02}.{:02}", ticks / 360_000, ticks / 6000 % 60, ticks / 100 % 60, ticks % 100)
}
