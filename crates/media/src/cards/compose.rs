//! From a card to its parts: hierarchy, sizes, gaps and the order of arrival.

use kernel::Lang;
use tiny_skia::{Color, Paint, PathBuilder, Pixmap, Rect, Transform};

use super::{
    Card,
    count::count_steps,
    layer::{Layer, PAD},
    layout::{Area, safe_area},
    parts::{Manner, Part, Role},
    script::{Direction, direction},
    stack::{Block, Row, stack},
    text::{Request, SetText, Typesetter},
    theme::{Face, Marker, Rgb, TextAlign, Theme},
};
use crate::Size;

/// Items of a list that are shown; more cannot be read on one card.
const MOST_ITEMS: usize = 8;

/// Where a card is drawn, and how fast it plays.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stage<'a> {
    pub(super) theme: &'static Theme,
    pub(super) size: Size,
    pub(super) area: Area,
    /// Where the stack stands in the area: 0 at its top, 0.5 in its middle, 1 at its bottom.
    pub(super) anchor: f32,
    pub(super) fps: f64,
    pub(super) lang: &'a Lang,
}

impl<'a> Stage<'a> {
    pub(super) fn new(theme: &'static Theme, size: Size, fps: f64, lang: &'a Lang) -> Self {
        Self { theme, size, area: safe_area(size), anchor: 0.5, fps, lang }
    }

    /// A hundredth of the frame's shorter side.
    pub(super) fn unit(&self) -> f32 {
        self.size.width.min(self.size.height) as f32 / 100.0
    }
}

/// A kind of text on a card: its letters, colour, sizes in units, and its share of the safe area's height.
struct Voice {
    face: Face,
    colour: Rgb,
    largest: f32,
    smallest: f32,
    share: f32,
    lines: usize,
    role: Role,
}

/// Where an item stands in its list, and the frame it arrives at.
#[derive(Clone, Copy)]
struct Place {
    index: usize,
    gap: f32,
    at: Option<u32>,
}

/// Builds the parts of a card, in the order they are laid.
pub(super) fn compose(card: &Card, stage: Stage<'_>, setter: &mut Typesetter<'_>) -> Vec<Part> {
    let mut composer = Composer { stage, setter, blocks: Vec::new(), direction: direction(&words(card), stage.lang) };
    match card {
        Card::Title { title, subtitle, byline } => composer.title(title, subtitle.as_deref(), byline.as_deref()),
        Card::Section { number, heading } => composer.section(*number, heading),
        Card::Quote { text, by } => composer.quote(text, by.as_deref()),
        Card::List { heading, items, reveal } => composer.list(heading.as_deref(), items, reveal),
        Card::BigNumber { number, label } => composer.big_number(number, label),
        Card::Text { text } => composer.key_phrase(text),
        Card::End { title, credits } => composer.end(title, credits),
    }
    stack(composer.blocks, stage, composer.direction)
}

/// All words of a card, which together decide its direction.
fn words(card: &Card) -> String {
    match card {
        Card::Title { title, subtitle, .. } => format!("{title} {}", subtitle.as_deref().unwrap_or_default()),
        Card::Section { heading: text, .. } | Card::Quote { text, .. } | Card::Text { text } => text.clone(),
        Card::List { heading, items, .. } => format!("{} {}", heading.as_deref().unwrap_or_default(), items.join(" ")),
        Card::BigNumber { label, .. } => label.clone(),
        Card::End { title, .. } => title.clone(),
    }
}

struct Composer<'a, 'f> {
    stage: Stage<'a>,
    setter: &'a mut Typesetter<'f>,
    blocks: Vec<Block>,
    direction: Direction,
}

impl Composer<'_, '_> {
    fn title(&mut self, title: &str, subtitle: Option<&str>, byline: Option<&str>) {
        self.heading(title, 14.0, 0.56, 0.0);
        self.rule(4.6);
        if let Some(subtitle) = subtitle {
            self.say(subtitle, &self.body(5.2, 3.0, 0.22), 4.4);
        }
        if let Some(byline) = byline {
            let voice = Voice { colour: self.stage.theme.palette.muted, ..self.body(3.7, 2.6, 0.07) };
            self.say(byline, &Voice { lines: 1, ..voice }, 3.8);
        }
    }

    fn section(&mut self, number: Option<u32>, heading: &str) {
        if let Some(number) = number {
            let padded = self.stage.theme.details.padded_numbers;
            let text = if padded { format!("{number:02}") } else { number.to_string() };
            self.say(
                &text,
                &Voice {
                    lines: 1,
                    ..self.display(
                        28.0 * self.stage.theme.details.heading_scale,
                        10.0,
                        0.34,
                        self.stage.theme.palette.accent,
                    )
                },
                0.0,
            );
            self.rule(5.0);
        }
        self.heading(heading, 11.5, 0.5, 4.6);
        if number.is_none() {
            self.rule(4.6);
        }
    }

    fn quote(&mut self, text: &str, by: Option<&str>) {
        let bare = text.trim().trim_matches(['"', '“', '”', '„', '«', '»', '「', '」']);
        self.quotation_mark();
        self.say(bare, &self.display(9.4, 3.4, 0.58, self.stage.theme.palette.text), 4.4);
        if let Some(by) = by {
            self.rule(4.2);
            let voice = Voice { colour: self.stage.theme.palette.muted, ..self.body(4.2, 2.6, 0.12) };
            self.say(by.trim_start_matches(['—', '–', '-', ' ']), &Voice { lines: 2, ..voice }, 3.0);
        }
    }

    /// A large mark that takes only the height of its ink: most of its em is empty.
    fn quotation_mark(&mut self) {
        let mark = if self.direction == Direction::RightToLeft { "”" } else { "“" };
        let voice = Voice { lines: 1, ..self.display(44.0, 12.0, 0.4, self.stage.theme.palette.accent) };
        let Some(set) = self.set(mark, &voice, 0.0) else { return };
        let Some(line) = set.lines.first() else { return };
        let height = line.ascent + line.descent;
        let steps = vec![(Layer::of(&line.drawing), 0.0)];
        let row = Row { steps, top: 0.0, hanging: None, manner: Manner::Fade, role: Role::Ornament, beat: 0 };
        self.blocks.push(Block { rows: vec![row], height, gap: 0.0, at: None });
    }

    fn list(&mut self, heading: Option<&str>, items: &[String], reveal: &[u32]) {
        if let Some(heading) = heading {
            self.heading(heading, 9.0, 0.26, 0.0);
            self.rule(3.2);
        }
        let shown = &items[..items.len().min(MOST_ITEMS)];
        let (gap, indent) = (3.4, self.indent());
        let room = if heading.is_some() { 0.64 } else { 0.96 };
        let gaps = gap * self.stage.unit() * shown.len() as f32 / self.stage.area.height;
        let share = ((room - gaps) / shown.len().max(1) as f32).max(0.03);
        let mut voice = Voice { lines: 3, ..self.body(6.2, 2.5, share) };
        let sizes: Vec<f32> =
            shown.iter().filter_map(|item| Some(self.set(item, &voice, indent)?.size / self.stage.unit())).collect();
        voice.largest = sizes.iter().copied().fold(voice.largest, f32::min);
        voice.smallest = voice.smallest.min(voice.largest);
        for (index, item) in shown.iter().enumerate() {
            let first_gap = if index == 0 { gap + 1.6 } else { gap };
            self.item(item, &voice, Place { index, gap: first_gap, at: reveal.get(index).copied() });
        }
    }

    fn big_number(&mut self, number: &str, label: &str) {
        let voice = Voice { lines: 1, ..self.display(40.0, 9.0, 0.5, self.stage.theme.palette.accent) };
        let face = voice.face;
        if let Some(set) = self.set(number, &voice, 0.0) {
            let size = set.size / self.stage.unit();
            let fixed = Voice { largest: size, smallest: size, face, ..voice };
            let mut earlier = Vec::new();
            for step in count_steps(number) {
                if let Some(step) = self.set(&step, &fixed, 0.0).filter(|step| step.lines.len() == 1) {
                    earlier.push(step);
                }
            }
            self.push_text(&set, fixed.role, 0.0, &earlier);
        }
        self.rule(6.0);
        self.say(label, &Voice { lines: 4, ..self.body(7.0, 3.0, 0.34) }, 5.0);
    }

    fn key_phrase(&mut self, text: &str) {
        self.rule(0.0);
        let voice =
            self.display(12.5 * self.stage.theme.details.heading_scale, 3.8, 0.84, self.stage.theme.palette.text);
        self.say(text, &voice, 4.6);
    }

    fn end(&mut self, title: &str, credits: &[String]) {
        self.heading(title, 12.5, 0.4, 0.0);
        self.rule(4.6);
        let shown = &credits[..credits.len().min(MOST_ITEMS)];
        let share = 0.44 / shown.len().max(1) as f32 - 0.02;
        for (index, line) in shown.iter().enumerate() {
            let voice = Voice { colour: self.stage.theme.palette.muted, ..self.body(3.9, 2.2, share) };
            self.say(line, &Voice { lines: 2, ..voice }, if index == 0 { 4.6 } else { 1.9 });
        }
    }

    fn heading(&mut self, text: &str, largest: f32, share: f32, gap: f32) {
        let largest = largest * self.stage.theme.details.heading_scale;
        let voice = self.display(largest, 3.8, share, self.stage.theme.palette.text);
        self.say(text, &voice, gap);
    }

    fn display(&self, largest: f32, smallest: f32, share: f32, colour: Rgb) -> Voice {
        Voice { face: self.stage.theme.heading, colour, largest, smallest, share, lines: 7, role: Role::LargeText }
    }

    fn body(&self, largest: f32, smallest: f32, share: f32) -> Voice {
        let colour = self.stage.theme.palette.text;
        Voice { face: self.stage.theme.body, colour, largest, smallest, share, lines: 4, role: Role::Text }
    }

    fn set(&mut self, text: &str, voice: &Voice, indent: f32) -> Option<SetText> {
        let (unit, area) = (self.stage.unit(), self.stage.area);
        let measure = if voice.role == Role::Text { 118.0 } else { 136.0 };
        self.setter.set(&Request {
            text,
            face: &voice.face,
            colour: voice.colour,
            lang: self.stage.lang,
            width: (area.width.min(measure * unit) - indent * unit).max(4.0),
            height: (area.height * voice.share).max(4.0),
            largest: voice.largest * unit,
            smallest: voice.smallest * unit,
            lines: voice.lines,
        })
    }

    fn say(&mut self, text: &str, voice: &Voice, gap: f32) {
        if let Some(set) = self.set(text, voice, 0.0) {
            self.push_text(&set, voice.role, gap, &[]);
        }
    }

    fn push_text(&mut self, set: &SetText, role: Role, gap: f32, earlier: &[SetText]) {
        let height = set.height;
        let mut rows = self.rows(set, role, None);
        if let Some(row) = rows.first_mut() {
            let ground = row.top + row.steps.first().map_or(0.0, |(layer, _)| ink_height(layer));
            let mut steps: Vec<(Layer, f32)> = Vec::new();
            for line in earlier.iter().flat_map(|set| &set.lines) {
                let shift = ground - row.top - line.ascent - line.descent;
                steps.push((Layer::of(&line.drawing), shift));
            }
            row.steps.splice(0..0, steps);
        }
        self.blocks.push(Block { rows, height, gap, at: None });
    }

    fn rows(&self, set: &SetText, role: Role, hanging: Option<f32>) -> Vec<Row> {
        let manner = Manner::Text(self.stage.theme.motion.entrance);
        let lines = set.lines.iter().zip(&set.baselines).enumerate();
        lines
            .map(|(beat, (line, baseline))| Row {
                steps: vec![(Layer::of(&line.drawing), 0.0)],
                top: baseline - line.ascent,
                hanging,
                manner,
                role,
                beat,
            })
            .collect()
    }

    fn rule(&mut self, gap: f32) {
        let (unit, rule) = (self.stage.unit(), self.stage.theme.details.rule);
        if rule.thickness <= 0.0 {
            return;
        }
        let (width, height) = ((rule.length * unit).min(self.stage.area.width), (rule.thickness * unit).max(2.0));
        let Some(layer) = bar(width, height, self.stage.theme.palette.accent) else { return };
        let manner = match self.stage.theme.details.align {
            TextAlign::Start => Manner::DrawnFromStart,
            TextAlign::Centre => Manner::DrawnFromMiddle,
        };
        let row = Row { steps: vec![(layer, 0.0)], top: 0.0, hanging: None, manner, role: Role::Ornament, beat: 0 };
        self.blocks.push(Block { rows: vec![row], height, gap, at: None });
    }

    /// Room for markers, in units.
    fn indent(&self) -> f32 {
        match self.stage.theme.details.marker {
            Marker::Number => 9.0,
            Marker::Dash => 8.0,
            Marker::Disc | Marker::Square => 5.6,
        }
    }

    fn item(&mut self, text: &str, voice: &Voice, place: Place) {
        let Place { index, gap, at } = place;
        let Some(set) = self.set(text, voice, self.indent()) else { return };
        let size = set.size;
        // Items without descenders keep the same distance.
        let height = set.height.max(set.baselines.last().copied().unwrap_or_default() + size * 0.24);
        let middle = set.baselines.first().copied().unwrap_or_default() - size * 0.34;
        let baseline = set.baselines.first().copied().unwrap_or_default();
        let unit = self.stage.unit();
        let mut rows = self.rows(&set, voice.role, Some(self.indent() * unit));
        for row in &mut rows {
            row.beat = 0;
        }
        let accent = self.stage.theme.palette.accent;
        let drawn = match self.stage.theme.details.marker {
            Marker::Number => self.numeral(index + 1, size, baseline, voice),
            Marker::Disc => disc(size * 0.4, accent).map(|layer| (layer, middle - size * 0.2)),
            Marker::Square => bar(size * 0.42, size * 0.42, accent).map(|layer| (layer, middle - size * 0.21)),
            Marker::Dash => bar(unit * 5.0, (unit * 0.5).max(2.0), accent).map(|layer| (layer, middle - unit * 0.25)),
        };
        if let Some((layer, top)) = drawn {
            let manner = Manner::Text(self.stage.theme.motion.entrance);
            rows.push(Row {
                steps: vec![(layer, 0.0)],
                top,
                hanging: Some(0.0),
                manner,
                role: Role::Ornament,
                beat: 0,
            });
        }
        self.blocks.push(Block { rows, height, gap, at });
    }

    fn numeral(&mut self, number: usize, size: f32, baseline: f32, voice: &Voice) -> Option<(Layer, f32)> {
        let text = if self.stage.theme.details.padded_numbers { format!("{number:02}") } else { number.to_string() };
        let size = size * 0.94 / self.stage.unit();
        let accent = self.stage.theme.palette.accent;
        let face = Face { weight: 700, ..voice.face };
        let voice = Voice { face, colour: accent, largest: size, smallest: size * 0.5, share: 1.0, lines: 1, ..*voice };
        let set = self.setter.set(&Request {
            text: &text,
            face: &voice.face,
            colour: voice.colour,
            lang: self.stage.lang,
            width: 7.6 * self.stage.unit(),
            height: self.stage.area.height,
            largest: voice.largest * self.stage.unit(),
            smallest: voice.smallest * self.stage.unit(),
            lines: 1,
        })?;
        let line = set.lines.first()?;
        Some((Layer::of(&line.drawing), baseline - line.ascent))
    }
}

fn ink_height(layer: &Layer) -> f32 {
    (layer.height - 2 * PAD) as f32
}

/// A filled bar.
pub(super) fn bar(width: f32, height: f32, colour: Rgb) -> Option<Layer> {
    let (width, height) = (width.round().max(1.0), height.round().max(1.0));
    let path = PathBuilder::from_rect(Rect::from_xywh(PAD as f32, PAD as f32, width, height)?);
    drawing(&path, (width, height), colour)
}

fn disc(width: f32, colour: Rgb) -> Option<Layer> {
    let radius = width / 2.0;
    let path = PathBuilder::from_circle(PAD as f32 + radius, PAD as f32 + radius, radius)?;
    drawing(&path, (width.ceil(), width.ceil()), colour)
}

fn drawing(path: &tiny_skia::Path, (width, height): (f32, f32), colour: Rgb) -> Option<Layer> {
    let mut pixmap = Pixmap::new(width as u32 + 2 * PAD as u32, height as u32 + 2 * PAD as u32)?;
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    let [r, g, b] = colour;
    paint.set_color(Color::from_rgba8(r, g, b, 255));
    pixmap.fill_path(path, &paint, tiny_skia::FillRule::Winding, Transform::identity(), None);
    Some(Layer::of(&pixmap))
}
