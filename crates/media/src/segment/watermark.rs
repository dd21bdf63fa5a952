//! The watermark, decoded once, at its final size and opacity.

use std::path::Path;

use image::{ImageReader, Limits, RgbaImage, imageops::FilterType};

use super::plan::{Corner, Watermark};
use crate::{MediaError, Size};

/// Longest side and memory of a picture that is accepted.
const LONGEST_SIDE: u32 = 20_000;
const MOST_BYTES: u64 = 512 << 20;
/// Distance to the edges over the shorter side of the frame.
const MARGIN: f64 = 0.04;

/// A watermark ready to be laid over a frame.
pub(super) struct Mark {
    pub(super) size: Size,
    pub(super) rgba: Vec<u8>,
    pub(super) left: u32,
    pub(super) top: u32,
}

pub(super) async fn load(watermark: Watermark, frame: Size) -> Result<Mark, MediaError> {
    let work = tokio::task::spawn_blocking(move || prepare(&watermark, frame));
    work.await.map_err(|_| MediaError::Cancelled)?
}

fn prepare(watermark: &Watermark, frame: Size) -> Result<Mark, MediaError> {
    let image = decode(&watermark.path)?;
    let width = (f64::from(frame.width) * f64::from(watermark.width_fraction.clamp(0.02, 1.0))).round().max(2.0);
    let height = width * f64::from(image.height()) / f64::from(image.width().max(1));
    // A tall one is bounded by the frame's height instead.
    let shrink = (f64::from(frame.height) * 0.5 / height).min(1.0);
    let size = Size::new((width * shrink).round().max(1.0) as u32, (height * shrink).round().max(1.0) as u32);
    let mut scaled = image::imageops::resize(&image, size.width, size.height, FilterType::Lanczos3);
    let opacity = watermark.opacity.clamp(0.0, 1.0);
    for pixel in scaled.pixels_mut() {
        pixel.0[3] = (f32::from(pixel.0[3]) * opacity).round() as u8;
    }
    let margin = (f64::from(frame.width.min(frame.height)) * MARGIN).round() as u32;
    let far = |side: u32, own: u32| side.saturating_sub(own + margin);
    let (left, top) = match watermark.corner {
        Corner::TopLeft => (margin, margin),
        Corner::TopRight => (far(frame.width, size.width), margin),
        Corner::BottomLeft => (margin, far(frame.height, size.height)),
        Corner::BottomRight => (far(frame.width, size.width), far(frame.height, size.height)),
    };
    // Chroma has half the positions of luma.
    Ok(Mark { size, rgba: scaled.into_raw(), left: left & !1, top: top & !1 })
}

fn decode(path: &Path) -> Result<RgbaImage, MediaError> {
    let reader = ImageReader::open(path).and_then(ImageReader::with_guessed_format);
    let mut reader = reader.map_err(|error| MediaError::io(path, error))?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(LONGEST_SIDE);
    limits.max_image_height = Some(LONGEST_SIDE);
    limits.max_alloc = Some(MOST_BYTES);
    reader.limits(limits);
    let image = reader.decode().map_err(|error| MediaError::BadFile {
        path: path.to_owned(),
        reason: format!("cannot be used as a watermark ({error}); use a PNG"),
    })?;
    Ok(image.into_rgba8())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_in_its_corner_inside_the_margin() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mark.png");
        RgbaImage::from_pixel(200, 100, image::Rgba([255, 0, 0, 200])).save(&path).unwrap();
        let watermark = Watermark { path, corner: Corner::BottomRight, opacity: 0.5, width_fraction: 0.2 };
        let mark = prepare(&watermark, Size::new(1000, 500)).unwrap();
        assert_eq!((mark.size, mark.left, mark.top), (Size::new(200, 100), 780, 380));
        assert_eq!((mark.rgba.len(), mark.rgba[3]), (200 * 100 * 4, 100));
    }

    #[test]
    fn what_is_no_picture_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mark.png");
        std::fs::write(&path, "no picture").unwrap();
        let error = decode(&path).unwrap_err().to_string();
        assert!(error.contains("mark.png` cannot be used as a watermark"), "{error}");
    }
}
