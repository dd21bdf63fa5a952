//! The cover: the title set large over a frame of the video, or over the theme's own background.

use image::{Rgb, RgbImage};
use kernel::Lang;

use super::{
    Card, CardRequest, CardSource, Theme,
    compose::{Stage, compose},
    layer::Clip,
    layout::cover_area,
    parts::Part,
    text::Typesetter,
};
use crate::{
    Frame, FrameSource, MediaError, Size, Timing,
    fonts::with_fonts,
    frame_to_rgb,
    motion::{crop_for, focus, scaled_crop},
    rgb_to_frame,
};

/// A frame at which everything has arrived.
const SETTLED: u32 = 100_000;
/// How much of the ground lies over the picture: far from the title, and under it.
const VEIL: (f32, f32) = (0.12, 0.93);

/// What a cover shows.
#[derive(Debug, Clone, Copy)]
pub struct CoverRequest<'a> {
    pub card: &'a Card,
    pub theme: &'static Theme,
    pub size: Size,
    pub lang: &'a Lang,
    /// A frame of the video; it is cropped around its focus.
    pub background: Option<&'a RgbImage>,
}

/// Draws a cover.
///
/// # Errors
/// Those of [`CardSource::new`], and [`MediaError::Invalid`] when the background cannot be scaled.
pub fn cover(request: &CoverRequest<'_>) -> Result<RgbImage, MediaError> {
    let CoverRequest { card, theme, size, lang, background } = *request;
    let timing = Timing { total_frames: 1, fps: 30.0 };
    let Some(picture) = background.filter(|picture| picture.width() > 1 && picture.height() > 1) else {
        let mut source = CardSource::new(&CardRequest { card, theme, size, timing, seed: 0, lang })?;
        let mut frame = Frame::black(source.size());
        source.draw(SETTLED, &mut frame);
        return Ok(frame_to_rgb(&frame));
    };
    let size = Frame::black(super::checked(size)?).size();
    let stage = Stage { area: cover_area(size), anchor: 1.0, ..Stage::new(theme, size, timing.fps, lang) };
    let parts = with_fonts(|fonts| compose(card, stage, &mut Typesetter::new(fonts)))?;
    let crop = crop_for(Size::new(picture.width(), picture.height()), size.ratio(), focus(picture));
    let mut image = scaled_crop(picture, crop, size)?;
    veil(&mut image, theme, &parts);
    let mut frame = rgb_to_frame(&image);
    for part in &parts {
        part.draw(SETTLED, &mut frame);
    }
    Ok(frame_to_rgb(&frame))
}

/// Lays the theme's ground over the picture, thicker towards the title.
fn veil(image: &mut RgbImage, theme: &Theme, parts: &[Part]) {
    let inks: Vec<Clip> = parts.iter().filter_map(Part::rest).collect();
    let height = f64::from(image.height());
    let title_top = inks.iter().map(|ink| ink.top).fold(height, f64::min);
    let (full, start) = (title_top - height * 0.03, title_top - height * 0.34);
    let ground = theme.palette.ground.map(f32::from);
    for (_, y, Rgb(pixel)) in image.enumerate_pixels_mut() {
        let along = ((f64::from(y) - start) / (full - start)).clamp(0.0, 1.0) as f32;
        let share = VEIL.0 + (VEIL.1 - VEIL.0) * along * along * (3.0 - 2.0 * along);
        for (value, ground) in pixel.iter_mut().zip(ground) {
            *value = (f32::from(*value) * (1.0 - share) + ground * share).round() as u8;
        }
    }
}
