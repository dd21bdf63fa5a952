//! Still pictures from good, odd and broken files.

use std::path::PathBuf;

use image::{Frame, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage, codecs::gif::GifEncoder};
use media::{MediaError, Size, StillLimits, load_still};
use tempfile::TempDir;

fn picture() -> RgbImage {
    RgbImage::from_fn(60, 40, |x, y| if x < 30 { Rgb([200, 30, 30]) } else { Rgb([20, 20, 120 + y as u8]) })
}

fn saved(folder: &TempDir, name: &str, format: ImageFormat) -> PathBuf {
    let path = folder.path().join(name);
    picture().save_with_format(&path, format).unwrap();
    path
}

fn reason(result: Result<media::Still, MediaError>) -> String {
    match result.unwrap_err() {
        MediaError::BadFile { reason, .. } => reason,
        other => panic!("not a bad file: {other}"),
    }
}

#[test]
fn every_common_format_is_read_whatever_its_name_says() {
    let folder = TempDir::new().unwrap();
    for format in
        [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Gif, ImageFormat::Bmp, ImageFormat::Tiff]
    {
        let still = load_still(&saved(&folder, "photo.jpg", format), &StillLimits::default()).unwrap();
        assert_eq!(still.size(), Size::new(60, 40), "{format:?}");
        let [r, _, b] = still.image().get_pixel(10, 20).0;
        assert!(r > 170 && b < 80, "{format:?}");
    }
}

#[test]
fn a_file_cut_off_is_refused_in_every_format() {
    let folder = TempDir::new().unwrap();
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Bmp, ImageFormat::Tiff] {
        let path = saved(&folder, "whole", format);
        let bytes = std::fs::read(&path).unwrap();
        for keep in [bytes.len() / 3, bytes.len() / 2, bytes.len() * 9 / 10] {
            std::fs::write(&path, &bytes[..keep]).unwrap();
            let reason = reason(load_still(&path, &StillLimits::default()));
            assert!(reason.contains("save it"), "{format:?} at {keep} bytes: {reason}");
        }
    }
}

#[test]
fn what_is_no_picture_is_refused_with_the_remedy() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("notes.png");
    std::fs::write(&path, "these are words").unwrap();
    assert!(
        reason(load_still(&path, &StillLimits::default())).starts_with("is no picture that can be read; save it as")
    );
    std::fs::write(&path, "").unwrap();
    assert_eq!(reason(load_still(&path, &StillLimits::default())), "is empty; save it again");
    let missing = load_still(&folder.path().join("missing.png"), &StillLimits::default()).unwrap_err();
    assert!(matches!(missing, MediaError::Io { .. }));
    assert!(load_still(folder.path(), &StillLimits::default()).is_err());
}

#[test]
fn pictures_beyond_the_limits_are_refused_before_they_are_decoded() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("wide.png");
    RgbImage::new(20_001, 2).save(&path).unwrap();
    let words = reason(load_still(&path, &StillLimits::default()));
    assert!(words.contains("make it smaller than 20000 pixels a side and 256 MiB decoded"), "{words}");
    let small = StillLimits { max_decoded_bytes: 1000, ..StillLimits::default() };
    let words = reason(load_still(&saved(&folder, "a.png", ImageFormat::Png), &small));
    assert!(words.starts_with("is 60 × 40 pixels; make it smaller"), "{words}");
}

#[test]
fn what_is_transparent_shows_the_matte() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("logo.png");
    RgbaImage::from_fn(4, 4, |x, _| Rgba([255, 255, 255, if x < 2 { 0 } else { 128 }])).save(&path).unwrap();
    let still = load_still(&path, &StillLimits { matte: [0, 60, 120], ..StillLimits::default() }).unwrap();
    assert_eq!(still.image().get_pixel(0, 0).0, [0, 60, 120]);
    assert_eq!(still.image().get_pixel(3, 0).0, [128, 158, 188]);
}

#[test]
fn of_an_animation_the_first_frame_is_taken() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("moving.gif");
    let frame = |colour| Frame::new(RgbaImage::from_pixel(8, 8, Rgba(colour)));
    let mut encoder = GifEncoder::new(std::fs::File::create(&path).unwrap());
    encoder.encode_frames([frame([255, 0, 0, 255]), frame([0, 0, 255, 255])]).unwrap();
    drop(encoder);
    let still = load_still(&path, &StillLimits::default()).unwrap();
    assert_eq!(still.image().get_pixel(4, 4).0, [255, 0, 0]);
}

#[test]
fn the_orientation_of_exif_is_applied() {
    let folder = TempDir::new().unwrap();
    let path = saved(&folder, "turned.jpg", ImageFormat::Jpeg);
    let bytes = std::fs::read(&path).unwrap();
    // An APP1 segment with one TIFF entry: tag 0x0112, type SHORT, one value, 6 (turn a quarter clockwise).
    let tiff = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let mut turned = bytes[..2].to_vec();
    turned.extend([0xFF, 0xE1, 0, tiff.len() as u8 + 2]);
    turned.extend(tiff);
    turned.extend(&bytes[2..]);
    std::fs::write(&path, turned).unwrap();
    let still = load_still(&path, &StillLimits::default()).unwrap();
    assert_eq!(still.size(), Size::new(40, 60));
    let [r, _, b] = still.image().get_pixel(20, 10).0;
    assert!(r > 170 && b < 80, "the red half is not on top");
}
