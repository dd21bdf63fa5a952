//! Draws cards as PNG files, to be looked at while a theme is made:
//! `cargo run -p media --example cards -- ink 1080x1920 75 out/` draws frame 75 of one card of each kind. `all` draws every
//! theme.

use std::{error::Error, path::Path};

use kernel::Lang;
use media::{
    Frame, FrameSource, Size, Timing,
    cards::{Card, CardRequest, CardSource, Theme},
    frame_to_rgb,
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [theme, size, frame, folder] = arguments.as_slice() else {
        return Err("usage: cards THEME|all WIDTHxHEIGHT FRAME FOLDER".into());
    };
    let (width, height) = size.split_once('x').ok_or("a size is written as 1080x1920")?;
    let size = Size::new(width.parse()?, height.parse()?);
    let themes: Vec<&'static Theme> = if theme == "all" { Theme::all().to_vec() } else { vec![Theme::named(theme)?] };
    for theme in themes {
        for (name, card) in cards() {
            draw(theme, &card, size, frame.parse()?, &Path::new(folder).join(format!("{}-{name}.png", theme.name)))?;
        }
    }
    Ok(())
}

fn draw(theme: &'static Theme, card: &Card, size: Size, index: u32, path: &Path) -> Result<(), Box<dyn Error>> {
    let timing = Timing { total_frames: 150, fps: 30.0 };
    let lang = if path.to_string_lossy().contains("-ja") { "ja".parse()? } else { Lang::english() };
    let mut source = CardSource::new(&CardRequest { card, theme, size, timing, seed: 1, lang: &lang })?;
    let mut frame = Frame::black(source.size());
    source.draw(index, &mut frame);
    Ok(frame_to_rgb(&frame).save(path)?)
}

fn cards() -> Vec<(&'static str, Card)> {
    let items = [
        "Pour the water at ninety degrees",
        "Wait for the bloom: thirty seconds",
        "Pour in slow circles",
        "Drink it while it is warm",
    ];
    vec![
        (
            "title",
            Card::Title {
                title: "The quiet engineering of a good cup of coffee".to_owned(),
                subtitle: Some("What happens between the bean and the first sip".to_owned()),
                byline: Some("A film by the Pressroom kitchen".to_owned()),
            },
        ),
        ("section", Card::Section { number: Some(3), heading: "Water does most of the work".to_owned() }),
        (
            "quote",
            Card::Quote {
                text: "I have measured out my life with coffee spoons.".to_owned(),
                by: Some("T. S. Eliot".to_owned()),
            },
        ),
        (
            "list",
            Card::List {
                heading: Some("Four steps".to_owned()),
                items: items.map(str::to_owned).to_vec(),
                reveal: Vec::new(),
            },
        ),
        ("number", Card::BigNumber { number: "98.4 %".to_owned(), label: "of a cup of coffee is water".to_owned() }),
        ("text", Card::Text { text: "Grind just before you brew. Aroma fades within minutes.".to_owned() }),
        (
            "end",
            Card::End {
                title: "Thank you for watching".to_owned(),
                credits: vec![
                    "Words: Ada Brewer".to_owned(),
                    "Music: “Morning” by The Kettles".to_owned(),
                    "Made with Pressroom".to_owned(),
                ],
            },
        ),
        (
            "scripts-ar",
            Card::List {
                heading: Some("كيف تعمل أمواج المد".to_owned()),
                items: vec![
                    "القمر يجذب الماء".to_owned(),
                    "الأرض تدور كل 24 ساعة".to_owned(),
                    "مرتان في اليوم".to_owned(),
                ],
                reveal: Vec::new(),
            },
        ),
        (
            "scripts-ja",
            Card::Quote {
                text: "潮の満ち引きは、主に月の引力によって起こります。".to_owned(),
                by: Some("海の本".to_owned()),
            },
        ),
        (
            "scripts-hi",
            Card::Title {
                title: "समुद्र का ज्वार-भाटा कैसे काम करता है".to_owned(),
                subtitle: Some("चंद्रमा और पृथ्वी की कहानी".to_owned()),
                byline: None,
            },
        ),
        (
            "scripts-th",
            Card::Text {
                text: "น้ำขึ้นน้ำลงเกิดจากแรงดึงดูดของดวงจันทร์ 🌊".to_owned()
            },
        ),
    ]
}
