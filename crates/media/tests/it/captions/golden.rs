//! Captions look as they did when somebody looked at them.

use std::path::PathBuf;

use image::{GrayImage, RgbImage, imageops};
use media::{Size, captions::Style};

use super::{
    render::{TALL, WIDE, cues, sentence_frame},
    sentences::SENTENCES,
};

/// Golden images are this many times smaller than the frames.
const REDUCTION: u32 = 4;
/// The mean difference, of 255, that a square of 8 by 8 reduced pixels may show.
const TOLERANCE: f64 = 24.0;

/// The band of a frame that captions use, small and without colour.
fn reduced(frame: &RgbImage) -> GrayImage {
    let (width, height) = frame.dimensions();
    let (top, share) =
        if height > width { (height * 60 / 100, height / 5) } else { (height * 70 / 100, height * 3 / 10) };
    let band = imageops::crop_imm(frame, 0, top, width, share).to_image();
    let gray = image::DynamicImage::ImageRgb8(band).into_luma8();
    imageops::resize(&gray, width / REDUCTION, share / REDUCTION, imageops::FilterType::Triangle)
}

fn assert_looks_the_same(name: &str, frame: &RgbImage) {
    let actual_path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("captions-{name}.png"));
    frame.save(&actual_path).unwrap();
    let golden_path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/captions/golden/{name}.png"));
    let actual = reduced(frame);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(golden_path.parent().unwrap()).unwrap();
        actual.save(&golden_path).unwrap();
        return;
    }
    let golden = image::open(&golden_path).unwrap().into_luma8();
    assert_eq!(golden.dimensions(), actual.dimensions());
    let worst = worst_square(&golden, &actual);
    assert!(
        worst <= TOLERANCE,
        "{name} differs by {worst:.0}; look at {} and, if it is right, run with UPDATE_GOLDEN=1",
        actual_path.display()
    );
}

fn worst_square(golden: &GrayImage, actual: &GrayImage) -> f64 {
    let mut worst: f64 = 0.0;
    for top in (0..golden.height()).step_by(8) {
        for left in (0..golden.width()).step_by(8) {
            let rows = top..(top + 8).min(golden.height());
            let pixels = rows.flat_map(|y| (left..(left + 8).min(golden.width())).map(move |x| (x, y)));
            let differences: Vec<f64> =
                pixels.map(|(x, y)| f64::from(golden.get_pixel(x, y)[0].abs_diff(actual.get_pixel(x, y)[0]))).collect();
            worst = worst.max(differences.iter().sum::<f64>() / differences.len() as f64);
        }
    }
    worst
}

fn check(name: &str, style: &str, size: Size, index: usize) {
    let (lang, text) = SENTENCES[index];
    let style = Style::named(style).unwrap();
    let cues = cues(lang, text, &style, size);
    let cue = if index == 10 { 0 } else { cues.len() - 1 };
    assert_looks_the_same(name, &sentence_frame(&cues, (cue, 1), &style, size));
}

#[test]
fn every_language_in_a_tall_frame() {
    for (index, (lang, _)) in SENTENCES.iter().enumerate() {
        check(&format!("tall-{index}-{lang}"), "clean", TALL, index);
    }
}

#[test]
fn every_language_in_a_wide_frame() {
    for (index, (lang, _)) in SENTENCES.iter().enumerate() {
        check(&format!("wide-{index}-{lang}"), "clean", WIDE, index);
    }
}

#[test]
fn every_style_in_both_frames() {
    for style in Style::names() {
        check(&format!("style-{style}-tall"), style, TALL, 0);
        check(&format!("style-{style}-wide"), style, WIDE, 1);
    }
}
