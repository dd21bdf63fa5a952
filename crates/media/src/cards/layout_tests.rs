//! Rules of layout, held for every theme, kind, script and shape of frame.

use kernel::Lang;
use proptest::prelude::*;

use super::{
    Card, Theme,
    compose::{Stage, compose},
    layer::Clip,
    parts::{Part, Role},
    text::Typesetter,
};
use crate::{Size, fonts::with_fonts};

const SIZES: [(u32, u32); 5] = [(1080, 1920), (1920, 1080), (1080, 1080), (1080, 1350), (270, 480)];

/// A language and words of it, some of them long.
const WORDS: [(&str, &[&str]); 10] = [
    (
        "en",
        &[
            "the",
            "tide",
            "a",
            "moon",
            "incomprehensibilities",
            "coast,",
            "of",
            "shapes",
            "https://example.org/a/very/long/path",
        ],
    ),
    ("de", &["Donaudampfschifffahrtsgesellschaft", "und", "die", "Ärzte", "für", "Straße", "groß"]),
    ("ru", &["достопримечательность", "и", "море", "луна", "человеконенавистничество"]),
    ("zh", &["潮汐", "月亮", "塑造海岸的生命", "，", "水", "三十八万公里"]),
    ("ja", &["潮の満ち引き", "は", "月", "によって", "コミュニケーション", "起こる。"]),
    ("ko", &["조수", "간만의", "차이는", "달의", "인력", "때문이다"]),
    ("ar", &["المد", "والجزر", "يشكلان", "حياة", "الساحل", "GPS", "والاستقلالية"]),
    ("he", &["הגאות", "והשפל", "מעצבים", "את", "החוף", "42%"]),
    ("hi", &["ज्वार", "भाटा", "समुद्र", "तट", "के", "जीवन", "अंतर्राष्ट्रीयकरण"]),
    ("th", &["น้ำขึ้นน้ำลง", "กำหนด", "ชีวิตของชายฝั่ง", "พระจันทร์"]),
];

fn text_of(words: &[&str], picks: &[usize], lang: &str) -> String {
    let chosen: Vec<&str> = picks.iter().map(|pick| words[pick % words.len()]).collect();
    chosen.join(if matches!(lang, "zh" | "ja" | "th") { "" } else { " " })
}

fn card(kind: usize, text: &str, short: &str) -> Card {
    let (text, short) = (text.to_owned(), short.to_owned());
    match kind % 7 {
        0 => Card::Title { title: text.clone(), subtitle: Some(text), byline: Some(short) },
        1 => Card::Section { number: Some(12), heading: text },
        2 => Card::Quote { text, by: Some(short) },
        3 => Card::List {
            heading: Some(short.clone()),
            items: vec![text.clone(), short.clone(), text, short],
            reveal: vec![],
        },
        4 => Card::BigNumber { number: "1,234,567 km".to_owned(), label: text },
        5 => Card::Text { text },
        _ => Card::End { title: short.clone(), credits: vec![text.clone(), short, text] },
    }
}

fn parts(card: &Card, theme: &'static Theme, size: Size, lang: &Lang) -> Vec<Part> {
    let stage = Stage::new(theme, size, 30.0, lang);
    with_fonts(|fonts| compose(card, stage, &mut Typesetter::new(fonts))).unwrap()
}

fn overlap(a: Clip, b: Clip) -> f64 {
    let across = a.right.min(b.right) - a.left.max(b.left);
    let down = a.bottom.min(b.bottom) - a.top.max(b.top);
    if across > 0.0 && down > 0.0 { across.min(down) } else { 0.0 }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    #[test]
    fn everything_stays_inside_the_safe_area_and_nothing_overlaps(
        script in 0..WORDS.len(),
        kind in 0_usize..7,
        shape in 0..SIZES.len(),
        theme in 0_usize..64,
        picks in prop::collection::vec(0_usize..100, 1..40),
        few in prop::collection::vec(0_usize..100, 1..4),
    ) {
        let (tag, words) = WORDS[script];
        let lang: Lang = tag.parse().unwrap();
        let card = card(kind, &text_of(words, &picks, tag), &text_of(words, &few, tag));
        let theme = Theme::all()[theme % Theme::all().len()];
        let size = Size::new(SIZES[shape].0, SIZES[shape].1);
        let parts = parts(&card, theme, size, &lang);
        let area = super::layout::safe_area(size);
        // Places are rounded to pairs of pixels.
        let slack = 2.5;
        let inks: Vec<Clip> = parts.iter().filter_map(Part::rest).collect();
        prop_assert!(!inks.is_empty());
        for ink in &inks {
            prop_assert!(ink.left >= f64::from(area.left) - slack, "{ink:?} in {area:?} of {card:?}");
            prop_assert!(ink.top >= f64::from(area.top) - slack, "{ink:?} in {area:?} of {card:?}");
            prop_assert!(ink.right <= f64::from(area.left + area.width) + slack, "{ink:?} in {area:?} of {card:?}");
            prop_assert!(ink.bottom <= f64::from(area.top + area.height) + slack, "{ink:?} in {area:?} of {card:?}");
        }
        for (index, a) in inks.iter().enumerate() {
            for b in &inks[index + 1..] {
                prop_assert!(overlap(*a, *b) <= slack, "{a:?} lies on {b:?} in {card:?}, {}", theme.name);
            }
        }
    }
}

#[test]
fn every_word_of_a_usual_card_is_drawn() {
    let title = Card::Title { title: "Hello".to_owned(), subtitle: Some("World".to_owned()), byline: None };
    for theme in Theme::all() {
        let parts = parts(&title, theme, Size::new(1080, 1920), &Lang::english());
        assert_eq!(parts.iter().filter(|part| part.role != Role::Ornament).count(), 2, "{}", theme.name);
    }
}
