//! What a card must look like, measured on its frames: contrast, life, cost, order.

use kernel::Lang;

use super::{
    Card, CardRequest, CardSource, Theme,
    compose::{Stage, compose},
    parts::{Part, Role},
    text::Typesetter,
};
use crate::{Frame, FrameSource, Size, Timing, fonts::with_fonts, frame_to_rgb};

const TIMING: Timing = Timing { total_frames: 240, fps: 30.0 };
const SIZES: [(u32, u32); 4] = [(540, 960), (960, 540), (540, 540), (540, 676)];

fn cards() -> Vec<Card> {
    let long = "A phrase that is long enough to fill most of the room there is on the card, on several lines of text";
    let text = long.to_owned();
    vec![
        Card::Title { title: text.clone(), subtitle: Some(text.clone()), byline: Some("By the sea".to_owned()) },
        Card::Section { number: Some(7), heading: text.clone() },
        Card::Quote { text: text.clone(), by: Some("Somebody Wise".to_owned()) },
        Card::List { heading: Some("Things".to_owned()), items: vec![text.clone(); 4], reveal: vec![] },
        Card::BigNumber { number: "98.4 %".to_owned(), label: text.clone() },
        Card::Text { text: text.clone() },
        Card::End { title: "Thank you".to_owned(), credits: vec![text; 4] },
    ]
}

fn source(card: &Card, theme: &'static Theme, size: (u32, u32)) -> CardSource {
    let size = Size::new(size.0, size.1);
    CardSource::new(&CardRequest { card, theme, size, timing: TIMING, seed: 5, lang: &Lang::english() }).unwrap()
}

fn drawn(source: &mut CardSource, index: u32) -> Frame {
    let mut frame = Frame::black(source.size());
    source.draw(index, &mut frame);
    frame
}

/// Relative luminance and contrast as WCAG 2.2 defines them.
fn luminance(rgb: [u8; 3]) -> f64 {
    let linear = |value: u8| {
        let value = f64::from(value) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(rgb[0]) + 0.7152 * linear(rgb[1]) + 0.0722 * linear(rgb[2])
}

fn contrast(a: [u8; 3], b: [u8; 3]) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn text_has_the_contrast_of_wcag_aa_on_every_theme_card_and_shape_of_frame() {
    for theme in Theme::all() {
        for size in SIZES {
            for card in cards() {
                let lang = Lang::english();
                let stage = Stage::new(theme, Size::new(size.0, size.1), TIMING.fps, &lang);
                let parts = with_fonts(|fonts| compose(&card, stage, &mut Typesetter::new(fonts))).unwrap();
                let mut bare = source(&card, theme, size);
                bare.parts.clear();
                for index in [0, 97, 211] {
                    let picture = frame_to_rgb(&drawn(&mut bare, index));
                    for part in &parts {
                        let ink = part.rest().unwrap();
                        // Muted is the weakest of the small, the accent of the large.
                        let (colour, least) = match part.role {
                            Role::Text => (theme.palette.muted, 4.5),
                            Role::LargeText => (theme.palette.text, 4.5),
                            Role::Ornament => (theme.palette.accent, 3.0),
                        };
                        for y in (ink.top as u32..ink.bottom as u32).step_by(3) {
                            for x in (ink.left as u32..ink.right as u32).step_by(3) {
                                let behind = picture.get_pixel(x, y).0;
                                let got = contrast(colour, behind);
                                assert!(
                                    got >= least,
                                    "{} at {size:?}: {got:.2} on {behind:?} at {x}, {y} of {card:?}",
                                    theme.name
                                );
                            }
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn large_accents_are_readable_on_the_ground_of_covers() {
    for theme in Theme::all() {
        let palette = theme.palette;
        assert!(contrast(palette.accent, palette.ground) >= 3.0, "{}", theme.name);
        assert!(contrast(palette.text, palette.ground) >= 7.0, "{}", theme.name);
        assert!(contrast(palette.muted, palette.ground) >= 4.5, "{}", theme.name);
    }
}

#[test]
fn no_card_stands_still_for_two_seconds() {
    let card = Card::Text { text: "Wait".to_owned() };
    for theme in Theme::all() {
        for size in SIZES {
            let mut source = source(&card, theme, size);
            for index in [40, 80, 120, 160, 200, 400] {
                let (before, after) = (drawn(&mut source, index), drawn(&mut source, index + 60));
                let sum: u64 =
                    before.as_bytes().iter().zip(after.as_bytes()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
                let mean = sum as f64 / before.as_bytes().len() as f64;
                // FFmpeg's freezedetect calls a picture frozen below a mean difference of 0.001 of the range.
                assert!(mean > 255.0 * 0.001 * 1.4, "{} at {size:?}: {mean:.3} from frame {index}", theme.name);
            }
        }
    }
}

#[test]
fn the_background_does_not_jump_between_frames() {
    let card = Card::Text { text: "Wait".to_owned() };
    for theme in Theme::all() {
        let mut source = source(&card, theme, (540, 960));
        for index in [60, 200] {
            let (before, after) = (drawn(&mut source, index), drawn(&mut source, index + 1));
            let sum: u64 = before.as_bytes().iter().zip(after.as_bytes()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
            let mean = sum as f64 / before.as_bytes().len() as f64;
            assert!(mean < 0.6, "{}: {mean:.3} between frames {index}", theme.name);
        }
    }
}

#[test]
fn items_arrive_at_the_frames_they_are_told() {
    let items: Vec<String> = ["One", "Two", "Three"].map(str::to_owned).to_vec();
    let card = Card::List { heading: None, items, reveal: vec![10, 60, 110] };
    let lang = Lang::english();
    let stage = Stage::new(Theme::all()[0], Size::new(540, 960), 30.0, &lang);
    let parts = with_fonts(|fonts| compose(&card, stage, &mut Typesetter::new(fonts))).unwrap();
    let texts: Vec<&Part> = parts.iter().filter(|part| part.role == Role::Text).collect();
    let starts: Vec<f64> = texts.iter().map(|part| part.arrival.start).collect();
    assert_eq!(starts, [10.0, 60.0, 110.0]);
    let seen = |part: &Part, index: u32| {
        let mut frame = Frame::black(Size::new(540, 960));
        part.draw(index, &mut frame);
        frame != Frame::black(Size::new(540, 960))
    };
    assert!(!seen(texts[1], 59) && seen(texts[1], 75));
}

#[test]
fn the_same_card_and_frame_give_the_same_bytes() {
    for theme in Theme::all() {
        for card in cards() {
            let mut one = source(&card, theme, (270, 480));
            let expected = drawn(&mut one, 33);
            drawn(&mut one, 190);
            assert_eq!(drawn(&mut one, 33), expected);
            assert_eq!(drawn(&mut source(&card, theme, (270, 480)), 33), expected);
        }
    }
}

#[test]
fn empty_and_hostile_texts_are_drawn_without_a_failure() {
    let texts = ["", " ", "\u{0}\u{7}\n", "\u{200F}\u{202E}", "a\u{300}\u{301}\u{302}", "🏳️‍🌈👩‍👩‍👧‍👦", "\u{FFFF}\u{10FFFF}"];
    let long = "x".repeat(100_000);
    for text in texts.into_iter().chain([long.as_str()]) {
        for card in [
            Card::Title { title: text.to_owned(), subtitle: Some(text.to_owned()), byline: Some(text.to_owned()) },
            Card::BigNumber { number: text.to_owned(), label: text.to_owned() },
            Card::List { heading: None, items: vec![text.to_owned(); 30], reveal: vec![] },
        ] {
            drawn(&mut source(&card, Theme::all()[0], (270, 480)), 60);
        }
    }
}

#[test]
fn a_size_out_of_bounds_is_refused() {
    let request = CardRequest {
        card: &Card::Text { text: "a".to_owned() },
        theme: Theme::all()[0],
        size: Size::new(10, 1080),
        timing: TIMING,
        seed: 0,
        lang: &Lang::english(),
    };
    let message = CardSource::new(&request).unwrap_err().to_string();
    assert_eq!(message, "a card of 10 × 1080 pixels; each side must be 64 to 8192");
}

#[test]
fn a_full_frame_costs_a_few_milliseconds() {
    for theme in Theme::all() {
        let mut source = source(&cards()[0], theme, (1080, 1920));
        let mut frame = Frame::black(source.size());
        // The fastest of many frames: others may be working on the machine.
        let each = (100..120)
            .map(|index| {
                let started = std::time::Instant::now();
                source.draw(index, &mut frame);
                started.elapsed().as_secs_f64() * 1000.0
            })
            .fold(f64::INFINITY, f64::min);
        println!("{}: {each:.2} ms a frame", theme.name);
        assert!(each < 40.0, "{}: {each} ms a frame, on a machine however busy", theme.name);
    }
}
