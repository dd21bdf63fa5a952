//! The storyboard page: a frame of every scene with its number, time and first words.

use image::{Rgb, RgbImage, imageops};
use kernel::Lang;
use tiny_skia::Pixmap;

use super::{
    layer::PAD,
    script::Direction,
    text::{Request, SetText, Typesetter},
    theme::{Face, FaceStyle, Rgb as Colour},
};
use crate::{
    MediaError, Size,
    fonts::with_fonts,
    motion::{Rect, scaled_crop},
};

/// Page, letters, quiet letters, and what is numbered.
const PAGE: Colour = [18, 19, 24];
const TEXT: Colour = [240, 240, 236];
const QUIET: Colour = [154, 158, 170];
const ACCENT: Colour = [240, 190, 104];

/// Pixels: the page's width, its margin, and the space between pictures.
const WIDTH: u32 = 1600;
const MARGIN: u32 = 64;
const GUTTER: u32 = 28;
/// Height of a label under its picture, and of the page's head.
const LABEL: u32 = 112;
const HEAD: u32 = 132;
/// Corners of pictures are round by this many pixels.
const CORNER: f32 = 12.0;
/// More pictures than this would make a page nobody scrolls through.
const MOST: usize = 240;

const FACE: Face = Face { family: "Noto Sans", style: FaceStyle::Sans, weight: 400, tracking: 0.0, leading: 1.3 };
const BOLD: Face = Face { weight: 700, ..FACE };

/// A scene on the page.
#[derive(Debug, Clone)]
pub struct Thumb {
    /// A frame of it, of any size.
    pub picture: RgbImage,
    /// Its number and time, such as `3 · 0:12`.
    pub heading: String,
    /// Its first words.
    pub text: String,
}

/// The head of a page and how many pictures stand side by side.
#[derive(Debug, Clone, Copy)]
pub struct SheetRequest<'a> {
    pub title: &'a str,
    /// Under the title, such as length and number of scenes.
    pub note: &'a str,
    /// 1 to 12.
    pub columns: u32,
    pub lang: &'a Lang,
}

/// Lays out the storyboard. At most 240 scenes are shown.
///
/// # Errors
/// [`MediaError::Invalid`] when there is no scene or a picture is empty.
pub fn contact_sheet(request: &SheetRequest<'_>, thumbs: &[Thumb]) -> Result<RgbImage, MediaError> {
    let thumbs = &thumbs[..thumbs.len().min(MOST)];
    let Some(first) = thumbs.first() else {
        return Err(MediaError::Invalid("a storyboard of no scenes; add some text".to_owned()));
    };
    let columns = request.columns.clamp(1, 12);
    let cell = (WIDTH - 2 * MARGIN - GUTTER * (columns - 1)) / columns;
    let ratio = f64::from(first.picture.height().max(1)) / f64::from(first.picture.width().max(1));
    let picture = Size::new(cell, ((f64::from(cell) * ratio.clamp(0.3, 2.5)) as u32).max(2));
    let rows = (thumbs.len() as u32).div_ceil(columns);
    let height = HEAD + MARGIN + rows * (picture.height + LABEL + GUTTER) + MARGIN / 2;
    let mut page = RgbImage::from_pixel(WIDTH, height, Rgb(PAGE));
    for (index, thumb) in (0..).zip(thumbs) {
        let left = MARGIN + index % columns * (cell + GUTTER);
        let top = HEAD + MARGIN / 2 + index / columns * (picture.height + LABEL + GUTTER);
        place(&mut page, &thumb.picture, picture, (left, top))?;
    }
    with_fonts(|fonts| {
        let mut pen = Pen { setter: Typesetter::new(fonts), page: &mut page, lang: request.lang };
        let width = WIDTH - 2 * MARGIN;
        pen.write(request.title, Line { face: &BOLD, colour: TEXT, size: 40.0, lines: 1 }, (MARGIN, 52, width));
        pen.write(request.note, Line { face: &FACE, colour: QUIET, size: 22.0, lines: 1 }, (MARGIN, 112, width));
        for (index, thumb) in (0..).zip(thumbs) {
            let left = MARGIN + index % columns * (cell + GUTTER);
            let top = HEAD + MARGIN / 2 + index / columns * (picture.height + LABEL + GUTTER) + picture.height + 16;
            let size = if columns > 6 { 16.0 } else { 20.0 };
            pen.write(&thumb.heading, Line { face: &BOLD, colour: ACCENT, size, lines: 1 }, (left, top, cell));
            pen.write(&thumb.text, Line { face: &FACE, colour: QUIET, size, lines: 2 }, (left, top + 30, cell));
        }
    })?;
    Ok(page)
}

/// Puts a picture on the page, filling its cell, with round corners.
fn place(page: &mut RgbImage, picture: &RgbImage, size: Size, (left, top): (u32, u32)) -> Result<(), MediaError> {
    let source = Size::new(picture.width(), picture.height());
    if source.width == 0 || source.height == 0 {
        return Err(MediaError::Invalid("a storyboard picture has no pixels".to_owned()));
    }
    let crop: Rect = crate::motion::crop_for(source, size.ratio(), (0.5, 0.5));
    let mut scaled = scaled_crop(picture, crop, size)?;
    for (x, y, Rgb(pixel)) in scaled.enumerate_pixels_mut() {
        let share = corner_share((x, y), size);
        for (value, behind) in pixel.iter_mut().zip(PAGE) {
            *value = (f32::from(*value) * share + f32::from(behind) * (1.0 - share)).round() as u8;
        }
    }
    imageops::replace(page, &scaled, i64::from(left), i64::from(top));
    Ok(())
}

/// How much of a pixel lies inside the rounded rectangle, 0 to 1.
fn corner_share((x, y): (u32, u32), size: Size) -> f32 {
    let beyond = |at: u32, length: u32| {
        let (at, length) = (at as f32 + 0.5, length as f32);
        (CORNER - at).max(at - (length - CORNER)).max(0.0)
    };
    (CORNER - beyond(x, size.width).hypot(beyond(y, size.height)) + 0.5).clamp(0.0, 1.0)
}

/// How a label is written.
#[derive(Clone, Copy)]
struct Line<'a> {
    face: &'a Face,
    colour: Colour,
    size: f32,
    lines: usize,
}

struct Pen<'a, 'f> {
    setter: Typesetter<'f>,
    page: &'a mut RgbImage,
    lang: &'a Lang,
}

impl Pen<'_, '_> {
    /// Writes a text under a place (left, top, width); what does not fit ends in an ellipsis.
    fn write(&mut self, text: &str, line: Line<'_>, (left, top, width): (u32, u32, u32)) {
        let set = self.setter.set(&Request {
            text,
            face: line.face,
            colour: line.colour,
            lang: self.lang,
            width: width as f32,
            height: line.size * 1.6 * line.lines as f32,
            largest: line.size,
            smallest: line.size * 0.95,
            lines: line.lines,
        });
        let Some(SetText { lines, baselines, .. }) = set else { return };
        let right_to_left = super::script::direction(text, self.lang) == Direction::RightToLeft;
        for (drawn, baseline) in lines.iter().zip(baselines) {
            let spare = if right_to_left { width as f32 - drawn.width } else { 0.0 };
            let x = left as f32 + spare.max(0.0);
            self.stamp(&drawn.drawing, (x as usize, (top as f32 + baseline - drawn.ascent) as usize));
        }
    }

    fn stamp(&mut self, drawing: &Pixmap, (left, top): (usize, usize)) {
        let stride = drawing.width() as usize;
        for (index, pixel) in drawing.pixels().iter().enumerate().filter(|(_, pixel)| pixel.alpha() > 0) {
            let (x, y) = ((left + index % stride).saturating_sub(PAD), (top + index / stride).saturating_sub(PAD));
            if let Some(Rgb(behind)) = self.page.get_pixel_mut_checked(x as u32, y as u32) {
                let rest = 255 - u32::from(pixel.alpha());
                for (value, colour) in behind.iter_mut().zip([pixel.red(), pixel.green(), pixel.blue()]) {
                    *value = (u32::from(colour) + u32::from(*value) * rest / 255).min(255) as u8;
                }
            }
        }
    }
}
