//! Still pictures from files nobody vouches for: decoded within limits, upright, opaque.

use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
};

use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, Limits, RgbImage, codecs::png};

use crate::{MediaError, Size};

/// Of the pictures that are handed out, 1 to 100.
const JPEG_QUALITY: u8 = 90;

/// How large a picture may be, and what shows through where it is transparent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StillLimits {
    /// Longest side, in pixels.
    pub max_side: u32,
    /// Memory of the decoded picture.
    pub max_decoded_bytes: u64,
    /// The colour behind transparent pixels.
    pub matte: [u8; 3],
}

impl Default for StillLimits {
    fn default() -> Self {
        Self { max_side: 20_000, max_decoded_bytes: 256 << 20, matte: [20, 22, 28] }
    }
}

/// A decoded picture: upright and opaque.
#[derive(Debug, Clone)]
pub struct Still {
    image: RgbImage,
}

impl Still {
    /// A still of a picture made elsewhere; at least one pixel is needed.
    pub fn new(image: RgbImage) -> Result<Self, MediaError> {
        if image.width() == 0 || image.height() == 0 {
            return Err(MediaError::Invalid("a picture without pixels cannot be shown".to_owned()));
        }
        Ok(Self { image })
    }

    /// Its pixels.
    pub fn image(&self) -> &RgbImage {
        &self.image
    }

    /// Its width and height.
    pub fn size(&self) -> Size {
        Size::new(self.image.width(), self.image.height())
    }
}

/// Decodes a picture file. What it is, its content says, not its name; of an animation the first frame is taken; the
/// orientation of its EXIF data is applied.
///
/// # Errors
/// [`MediaError::BadFile`] when it is no picture, broken, cut off or beyond the limits; [`MediaError::Io`] when it cannot
/// be read.
pub fn load_still(path: &Path, limits: &StillLimits) -> Result<Still, MediaError> {
    let file = File::open(path).map_err(|error| MediaError::io(path, error))?;
    let length = file.metadata().map_err(|error| MediaError::io(path, error))?.len();
    if length == 0 {
        return Err(bad(path, "is empty; save it again".to_owned()));
    }
    let mut reader =
        ImageReader::new(BufReader::new(file)).with_guessed_format().map_err(|error| MediaError::io(path, error))?;
    reader.limits(decoder_limits(limits));
    let format = reader.format();
    let mut decoder = reader.into_decoder().map_err(|error| refusal(path, &error, limits))?;
    let (width, height) = decoder.dimensions();
    if width.max(height) > limits.max_side || decoder.total_bytes() > limits.max_decoded_bytes {
        return Err(too_large(path, Size::new(width, height), limits));
    }
    if format == Some(image::ImageFormat::Jpeg) {
        require_end_marker(path)?;
    }
    // A picture with a broken orientation tag is still a picture.
    let orientation = decoder.orientation().unwrap_or(image::metadata::Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|error| refusal(path, &error, limits))?;
    picture.apply_orientation(orientation);
    Still::new(opaque(picture, limits.matte)).map_err(|_| bad(path, "has no pixels; save it again".to_owned()))
}

/// The size of a picture file as it is shown, from its head alone; `None` when the content is no picture.
///
/// # Errors
/// [`MediaError::BadFile`] when it is empty, broken or beyond the limits; [`MediaError::Io`] when it cannot be read.
pub fn size_of(path: &Path, limits: &StillLimits) -> Result<Option<Size>, MediaError> {
    let file = File::open(path).map_err(|error| MediaError::io(path, error))?;
    if file.metadata().map_err(|error| MediaError::io(path, error))?.len() == 0 {
        return Err(bad(path, "is empty; save it again".to_owned()));
    }
    let mut reader =
        ImageReader::new(BufReader::new(file)).with_guessed_format().map_err(|error| MediaError::io(path, error))?;
    if reader.format().is_none() {
        return Ok(None);
    }
    reader.limits(decoder_limits(limits));
    let mut decoder = reader.into_decoder().map_err(|error| refusal(path, &error, limits))?;
    let (width, height) = decoder.dimensions();
    if width.max(height) > limits.max_side || decoder.total_bytes() > limits.max_decoded_bytes {
        return Err(too_large(path, Size::new(width, height), limits));
    }
    let turned = decoder.orientation().is_ok_and(|orientation| orientation.to_exif() > 4);
    Ok(Some(if turned { Size::new(height, width) } else { Size::new(width, height) }))
}

/// A picture as a JPEG file of good quality.
pub fn to_jpeg(picture: &RgbImage) -> Result<Vec<u8>, MediaError> {
    let mut bytes = Vec::new();
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY);
    let result = picture.write_with_encoder(encoder);
    result.map_err(|error| MediaError::Invalid(format!("a picture cannot be written as JPEG: {error}")))?;
    Ok(bytes)
}

/// A picture as a PNG file, every pixel as it is.
pub fn to_png(picture: &RgbImage) -> Result<Vec<u8>, MediaError> {
    let mut bytes = Vec::new();
    let (compression, filter) = (png::CompressionType::Fast, png::FilterType::Up);
    let encoder = png::PngEncoder::new_with_quality(&mut bytes, compression, filter);
    let result = picture.write_with_encoder(encoder);
    result.map_err(|error| MediaError::Invalid(format!("a picture cannot be written as PNG: {error}")))?;
    Ok(bytes)
}

fn decoder_limits(limits: &StillLimits) -> Limits {
    let mut result = Limits::default();
    result.max_image_width = Some(limits.max_side);
    result.max_image_height = Some(limits.max_side);
    // Decoders count their own buffers too; the picture itself is measured apart.
    result.max_alloc = Some(limits.max_decoded_bytes * 2);
    result
}

/// The JPEG decoder fills what is missing with grey; a file that was cut off has lost the marker of its end.
fn require_end_marker(path: &Path) -> Result<(), MediaError> {
    let bytes = std::fs::read(path).map_err(|error| MediaError::io(path, error))?;
    if bytes.windows(2).rev().any(|pair| pair == [0xFF, 0xD9]) {
        Ok(())
    } else {
        Err(bad(path, "is cut off before its end; copy or save it again".to_owned()))
    }
}

fn opaque(picture: DynamicImage, matte: [u8; 3]) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.into_rgb8();
    }
    let picture = picture.into_rgba8();
    let mut result = RgbImage::new(picture.width(), picture.height());
    for (target, source) in result.pixels_mut().zip(picture.pixels()) {
        let [r, g, b, alpha] = source.0.map(u32::from);
        for (value, (colour, behind)) in target.0.iter_mut().zip([r, g, b].into_iter().zip(matte)) {
            *value = ((colour * alpha + u32::from(behind) * (255 - alpha) + 127) / 255) as u8;
        }
    }
    result
}

fn refusal(path: &Path, error: &ImageError, limits: &StillLimits) -> MediaError {
    match error {
        ImageError::Limits(_) => bad(path, format!("is too large a picture; {}", limit_words(limits))),
        ImageError::Unsupported(_) => {
            bad(path, "is no picture that can be read; save it as JPEG, PNG, WebP, GIF, BMP or TIFF".to_owned())
        }
        ImageError::IoError(io) if io.kind() != std::io::ErrorKind::UnexpectedEof => {
            bad(path, format!("could not be read ({io}); copy or save it again"))
        }
        ImageError::IoError(_) => bad(path, "is cut off before its end; copy or save it again".to_owned()),
        other => bad(path, format!("is a broken picture ({other}); save it again")),
    }
}

fn too_large(path: &Path, size: Size, limits: &StillLimits) -> MediaError {
    bad(path, format!("is {} × {} pixels; {}", size.width, size.height, limit_words(limits)))
}

fn limit_words(limits: &StillLimits) -> String {
    let mebibytes = limits.max_decoded_bytes >> 20;
    format!("make it smaller than {} pixels a side and {mebibytes} MiB decoded", limits.max_side)
}

fn bad(path: &Path, reason: String) -> MediaError {
    MediaError::BadFile { path: PathBuf::from(path), reason }
}
