use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::script::{Reading, Script};

fn script(text: &str) -> Script {
    Script::parse(text, Reading { base: Path::new(""), lang: None, title: None }).unwrap()
}

fn shots(text: &str) -> Vec<Shot> {
    plan(&script(text), &[]).into_iter().map(|scene| scene.shot).collect()
}

fn media(path: &str) -> Shot {
    Shot::Media { path: path.into() }
}

/// A line for each scene: where it stands, what it shows, what it says.
fn summary(scenes: &[Scene]) -> String {
    let line = |scene: &Scene| {
        let (section, paragraph) = (scene.section, scene.paragraph);
        format!(
            "{section}.{paragraph} {:?}\n    {}\n    {:?}\n",
            scene.shot,
            scene.sentences.join(" | "),
            scene.keywords
        )
    };
    scenes.iter().map(line).collect()
}

#[test]
fn the_tides_are_cut_like_this() {
    let text = include_str!("../../../../examples/tides.md");
    let front = crate::request::front_matter::split(text, Path::new(""), "tides").unwrap();
    insta::assert_snapshot!(summary(&plan(&script(front.body), &front.patch.credits.unwrap_or_default())));
}

#[test]
fn a_picture_is_shown_for_what_follows_it() {
    let shots = shots(
        "Before the picture is shown, we say this long sentence.\n\n![](a.jpg)\n\nThis is said with the picture a, at some length.\n\n## Next\n\nThis is said without any picture, at some length.",
    );
    assert!(
        matches!(&shots[..], [Shot::Open, a, Shot::Section { .. }, Shot::Open] if *a == media("a.jpg")),
        "{shots:?}"
    );
}

#[test]
fn a_picture_at_the_end_of_a_section_belongs_to_what_was_said() {
    let shots =
        shots("## One\n\nThis is said with the picture, at some length.\n\n![](a.jpg)\n\n## Two\n\nAnd this is not.");
    assert_eq!(shots[1], media("a.jpg"));
    assert_eq!(shots[3], Shot::Open);
}

#[test]
fn a_picture_alone_in_its_section_is_shown_with_the_heading() {
    let shots = shots("## One\n\n![](a.jpg)\n\n## Two\n\nWords.");
    assert_eq!(shots[0], media("a.jpg"));
}

#[test]
fn two_pictures_in_a_row_share_what_follows() {
    let text = "![](a.jpg) ![](b.jpg)\n\nThe first long sentence goes with the first of these pictures. The second long sentence goes with the second of these pictures.";
    assert_eq!(shots(text), [media("a.jpg"), media("b.jpg")]);
}

#[test]
fn a_title_opens_the_video() {
    let scenes = plan(&script("# Salt\n\nThe sea is salty."), &[]);
    assert!(matches!(&scenes[0].shot, Shot::Title { title, .. } if title == "Salt"));
    assert_eq!(scenes[0].sentences, ["Salt"]);
    let scenes = plan(&script("# The sea is salty\n\nThe sea is salty, but why?"), &[]);
    assert!(matches!(&scenes[0].shot, Shot::Title { .. }));
    assert_eq!(scenes[0].sentences, ["The sea is salty, but why?"]);
}

#[test]
fn a_striking_number_gets_its_card_unless_there_is_a_picture() {
    let text = "Oceans cover 71 % of the Earth.";
    assert!(matches!(&shots(text)[..], [Shot::BigNumber { number, .. }] if number == "71 %"));
    assert_eq!(shots(&format!("![](a.jpg)\n\n{text}")), [media("a.jpg")]);
}

#[test]
fn a_long_list_fills_its_cards_evenly() {
    let text = (1..=8).map(|n| format!("- item number {n}")).collect::<Vec<_>>().join("\n");
    let sizes: Vec<usize> = shots(&text)
        .iter()
        .map(|shot| match shot {
            Shot::List { items, .. } => items.len(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(sizes, [4, 4]);
}

#[test]
fn sections_are_numbered_when_there_are_several() {
    let number = |shot: &Shot| match shot {
        Shot::Section { number, .. } => Some(*number),
        _ => None,
    };
    let numbers = |text| shots(text).iter().filter_map(number).collect::<Vec<_>>();
    assert_eq!(numbers("## A\n\nWords.\n\n### A.1\n\nWords.\n\n## B\n\nWords."), [Some(1), None, Some(2)]);
    assert_eq!(numbers("## A\n\nWords."), [None]);
}

#[test]
fn credits_close_the_video_in_silence() {
    let scenes = plan(&script("# T\n\nWords are here."), &["Me".to_owned()]);
    let last = scenes.last().unwrap();
    assert!(last.sentences.is_empty());
    assert_eq!(last.shot, Shot::End { title: "T".to_owned(), credits: vec!["Me".to_owned()] });
}

#[test]
fn keywords_begin_with_what_is_rare_in_the_script() {
    let scenes = plan(
        &script(
            "## Ocean\n\nThe ocean is wide and the water is deep.\n\nThe ocean feeds a whale in its water.\n\nThe ocean has water and salt everywhere.",
        ),
        &[],
    );
    assert_eq!(scenes[2].keywords[..2], ["feeds", "whale"]);
    assert!(scenes[3].keywords.contains(&"ocean".to_owned()));
}

fn some_markdown() -> impl Strategy<Value = String> {
    let sentence = "[A-Z][a-z]{0,8}( [a-z]{1,9}){0,14}( 73 %)?[.!?]";
    let block = prop_oneof![
        4 => prop::collection::vec(sentence, 1..6).prop_map(|sentences| sentences.join(" ")),
        1 => "##? [A-Z][a-z]{1,9}",
        1 => Just("![](picture.jpg)".to_owned()),
        1 => prop::collection::vec("[a-z]{2,9}( [a-z]{2,9}){0,5}", 1..15).prop_map(|items| format!("- {}", items.join("\n- "))),
        1 => sentence.prop_map(|text| format!("> {text}\n> — Somebody")),
        1 => Just("---".to_owned()),
    ];
    prop::collection::vec(block, 1..20).prop_map(|blocks| format!("Begin.\n\n{}", blocks.join("\n\n")))
}

proptest! {
    #[test]
    fn the_scenes_say_exactly_the_narration(text in some_markdown()) {
        let script = script(&text);
        let said: Vec<String> = plan(&script, &[]).into_iter().flat_map(|scene| scene.sentences).collect();
        let narration: Vec<String> = script.narration().into_iter().map(|spoken| spoken.text).collect();
        prop_assert_eq!(said, narration);
    }

    #[test]
    fn scenes_stand_where_their_sentences_stand(text in some_markdown()) {
        let script = script(&text);
        let narration = script.narration();
        let mut at = 0;
        for scene in plan(&script, &[]) {
            prop_assert!(!scene.sentences.is_empty());
            for _ in &scene.sentences {
                prop_assert_eq!((scene.section, scene.paragraph), (narration[at].section, narration[at].paragraph));
                at += 1;
            }
        }
    }
}
