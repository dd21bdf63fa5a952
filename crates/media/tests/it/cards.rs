//! Frames of cards against stored pictures, by what the eye would see. `UPDATE_GOLDEN=1 cargo test -p media golden` stores
//! them anew; look at them before they are kept.

use std::path::PathBuf;

use image::{Rgb, RgbImage, imageops::FilterType};
use kernel::Lang;
use media::{
    Frame, FrameSource, Size, Timing,
    cards::{Card, CardRequest, CardSource, CoverRequest, SheetRequest, Theme, Thumb, contact_sheet, cover},
    frame_to_rgb,
};

fn title() -> Card {
    Card::Title {
        title: "How tides work".to_owned(),
        subtitle: Some("The moon, the sea and the coast".to_owned()),
        byline: Some("A short film".to_owned()),
    }
}

fn drawn(theme: &'static Theme, card: &Card, index: u32) -> RgbImage {
    let timing = Timing { total_frames: 150, fps: 30.0 };
    let size = Size::new(270, 480);
    let request = CardRequest { card, theme, size, timing, seed: 3, lang: &Lang::english() };
    let mut source = CardSource::new(&request).unwrap();
    let mut frame = Frame::black(source.size());
    source.draw(index, &mut frame);
    frame_to_rgb(&frame)
}

/// Holds a picture to the stored one: equal in the mean, and nowhere far off after a slight blur.
fn assert_looks_like_golden(picture: &RgbImage, name: &str) {
    let small = image::imageops::resize(picture, picture.width() / 2, picture.height() / 2, FilterType::Triangle);
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden").join(format!("{name}.png"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        small.save(&path).unwrap();
    }
    let golden = image::open(&path).unwrap().into_rgb8();
    assert_eq!(golden.dimensions(), small.dimensions(), "{name}");
    let differences: Vec<u8> = golden.as_raw().iter().zip(small.as_raw()).map(|(a, b)| a.abs_diff(*b)).collect();
    let mean = differences.iter().map(|&d| f64::from(d)).sum::<f64>() / differences.len() as f64;
    let far = differences.iter().filter(|&&d| d > 40).count() as f64 / differences.len() as f64;
    assert!(mean < 1.5 && far < 0.004, "{name}: differs by {mean:.2} in the mean, {:.2} % far", far * 100.0);
}

#[test]
fn every_theme_looks_like_its_golden_frame() {
    for theme in Theme::all() {
        assert_looks_like_golden(&drawn(theme, &title(), 75), &format!("{}-title", theme.name));
    }
}

#[test]
fn entrances_look_like_their_golden_frames() {
    for theme in Theme::all() {
        assert_looks_like_golden(&drawn(theme, &title(), 14), &format!("{}-arriving", theme.name));
    }
}

#[test]
fn a_cover_shows_the_picture_above_and_a_readable_title_below() {
    let bright = RgbImage::from_fn(640, 360, |x, y| Rgb([255, 240, (x * y % 256) as u8]));
    for theme in Theme::all() {
        let request = CoverRequest {
            card: &title(),
            theme,
            size: Size::new(540, 960),
            lang: &Lang::english(),
            background: Some(&bright),
        };
        let over_picture = cover(&request).unwrap();
        assert_eq!(over_picture.dimensions(), (540, 960));
        assert!(over_picture.get_pixel(270, 60).0[0] > 200, "{}: the picture is hidden", theme.name);
        let [r, g, b] = over_picture.get_pixel(4, 950).0.map(i32::from);
        let [want_r, want_g, want_b] = theme.palette.ground.map(i32::from);
        let distance = (r - want_r).abs().max((g - want_g).abs()).max((b - want_b).abs());
        assert!(distance < 30, "{}: the ground under the title is {r} {g} {b}", theme.name);
        assert_eq!(cover(&CoverRequest { background: None, ..request }).unwrap().dimensions(), (540, 960));
    }
}

#[test]
fn a_storyboard_has_room_for_every_scene() {
    let thumb = |number: usize| Thumb {
        picture: drawn(Theme::all()[number % Theme::all().len()], &title(), 75),
        heading: format!("{number} · 0:{:02}", number * 4),
        text: "The sea comes and goes twice a day, and nobody has to ask it to".to_owned(),
    };
    let thumbs: Vec<Thumb> = (1..=9).map(thumb).collect();
    let request =
        SheetRequest { title: "How tides work", note: "9 scenes · 0:36", columns: 4, lang: &Lang::english() };
    let page = contact_sheet(&request, &thumbs).unwrap();
    assert_eq!(page.width(), 1600);
    assert!(page.height() > 3 * 600, "{}", page.height());
    let message = contact_sheet(&request, &[]).unwrap_err().to_string();
    assert_eq!(message, "a storyboard of no scenes; add some text");
}
