//! Animated cards: titles, sections, quotes, lists, numbers, key phrases and credits, drawn in a theme.

mod backdrop;
mod breaking;
mod compose;
mod contact_sheet;
mod count;
mod cover;
mod layer;
mod layout;
#[cfg(test)]
mod layout_tests;
#[cfg(test)]
mod look_tests;
mod parts;
mod script;
mod shapes;
mod stack;
mod text;
mod theme;
mod themes;

use kernel::Lang;
use serde::{Deserialize, Serialize};

pub use contact_sheet::{SheetRequest, Thumb, contact_sheet};
pub use cover::{CoverRequest, cover};
pub use theme::{
    Backdrop, Details, Entrance, Face, FaceStyle, Glow, Marker, Motion, Palette, Rgb, Rule, Shape, ShapeKind,
    TextAlign, Theme,
};

use self::{
    backdrop::Light,
    compose::{Stage, compose},
    layer::Clip,
    parts::Part,
    shapes::Drifting,
    text::Typesetter,
};
use crate::{Frame, FrameSource, MediaError, Size, Timing, fonts::with_fonts};

/// What a card says.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Card {
    /// The opening.
    Title { title: String, subtitle: Option<String>, byline: Option<String> },
    /// The start of a section.
    Section { number: Option<u32>, heading: String },
    /// Words of somebody, without quotation marks.
    Quote { text: String, by: Option<String> },
    /// Items that arrive one by one; `reveal` may say at which frame each does. At most eight are shown.
    List { heading: Option<String>, items: Vec<String>, reveal: Vec<u32> },
    /// A number with its unit, such as `87 %`, and what it counts.
    BigNumber { number: String, label: String },
    /// A phrase to remember.
    Text { text: String },
    /// The close, with lines of credits; at most eight are shown.
    End { title: String, credits: Vec<String> },
}

/// A card to be drawn.
#[derive(Debug, Clone, Copy)]
pub struct CardRequest<'a> {
    pub card: &'a Card,
    pub theme: &'static Theme,
    pub size: Size,
    pub timing: Timing,
    /// Cards of different seeds start their background at different places.
    pub seed: u64,
    pub lang: &'a Lang,
}

/// A card in motion. Draws any of its frames on demand.
#[derive(Debug)]
pub struct CardSource {
    size: Size,
    light: Light,
    shapes: Vec<Drifting>,
    parts: Vec<Part>,
}

impl CardSource {
    /// Sets and draws all parts of a card once; frames only lay them over each other.
    ///
    /// # Errors
    /// [`MediaError::Invalid`] when the size is below 64 pixels a side, [`MediaError::MissingProgram`] without fonts.
    pub fn new(request: &CardRequest<'_>) -> Result<Self, MediaError> {
        let size = Frame::black(checked(request.size)?).size();
        let CardRequest { theme, timing, .. } = *request;
        let stage = Stage::new(theme, size, timing.fps, request.lang);
        let parts = with_fonts(|fonts| compose(request.card, stage, &mut Typesetter::new(fonts)))?;
        // The golden ratio spreads the starts of any run of seeds evenly over the round.
        let turn = (request.seed % 1000) as f64 * 0.618_034 % 1.0;
        let inks: Vec<Clip> = parts.iter().filter_map(Part::rest).collect();
        let mut shapes = Vec::new();
        for shape in theme.backdrop.shapes {
            let mut shape = Drifting::new(shape, size, timing.fps, turn)?;
            shape.keep_clear(&inks, size);
            shapes.push(shape);
        }
        Ok(Self { size, light: Light::new(&theme.backdrop, size, timing.fps, turn), shapes, parts })
    }
}

impl FrameSource for CardSource {
    fn size(&self) -> Size {
        self.size
    }

    fn draw(&mut self, index: u32, frame: &mut Frame) {
        self.light.draw(index, frame);
        for shape in &self.shapes {
            shape.draw(index, frame);
        }
        for part in &self.parts {
            part.draw(index, frame);
        }
    }
}

fn checked(size: Size) -> Result<Size, MediaError> {
    if size.width < 64 || size.height < 64 || size.width > 8192 || size.height > 8192 {
        let Size { width, height } = size;
        return Err(MediaError::Invalid(format!("a card of {width} × {height} pixels; each side must be 64 to 8192")));
    }
    Ok(size)
}
