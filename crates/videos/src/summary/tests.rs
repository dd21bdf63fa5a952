use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::script::Reading;

fn script(text: &str) -> Script {
    Script::parse(text, Reading { base: Path::new(""), lang: None, title: None }).unwrap()
}

fn characters(text: &str) -> u64 {
    text.chars().count() as u64
}

fn length(script: &Script) -> u64 {
    script.narration().iter().map(|spoken| characters(&spoken.text)).sum()
}

const STORY: &str = "# Tides\n\nThe sea comes and goes twice a day.\n\n## The Moon\n\n\
    The Moon pulls the water of the sea towards it. My uncle has a red bicycle. The water of the sea bulges under the Moon.\n\n\
    ![](moon.jpg)\n\n## Lunch\n\nSandwiches were excellent.\n\n![](lunch.jpg)\n\n## The Sun\n\n\
    The Sun pulls the water of the sea as well, but less than the Moon.\n\n> The tide is a hill of water that follows the Moon.\n";

#[test]
fn a_short_script_stays_as_it_is() {
    assert_eq!(shorten(script(STORY), 10_000, characters).unwrap(), script(STORY));
}

#[test]
fn what_is_beside_the_point_goes_first() {
    let short = shorten(script(STORY), 280, characters).unwrap();
    let said: String = short.narration().into_iter().map(|spoken| spoken.text).collect();
    assert!(said.contains("The Moon pulls") && !said.contains("bicycle") && !said.contains("Sandwiches"), "{said}");
    assert!(!said.contains("Lunch"), "a heading without content stays: {said}");
    assert!(
        !short.blocks.iter().any(|block| matches!(block, Block::Media { path, .. } if path.ends_with("lunch.jpg")))
    );
}

#[test]
fn the_least_possible_length_is_named() {
    let error = shorten(script(STORY), 20, characters).unwrap_err().to_string();
    assert!(error.contains("0.0 seconds") && error.contains("--max-duration"), "{error}");
}

#[test]
fn a_novel_is_shortened_in_no_time() {
    let sentence = |n: u32| format!("The word{} of the sea meets word{} again.", n % 900, n % 77);
    let text = (0..6000).map(sentence).collect::<Vec<_>>().join(" ");
    let short = shorten(script(&text), 2000, characters).unwrap();
    assert!(length(&short) <= 2000 && length(&short) > 1800, "{}", length(&short));
}

fn some_text() -> impl Strategy<Value = String> {
    let sentence = "(sea|moon|sun|tide)( (sea|moon|water|pull|hill|stone)){1,12}\\.";
    let block = prop_oneof![
        4 => prop::collection::vec(sentence, 1..5).prop_map(|sentences| sentences.join(" ")),
        1 => "## [A-Z][a-z]{2,9}",
        1 => sentence.prop_map(|text| format!("> {text}")),
        1 => prop::collection::vec("(sea|moon|sun) (pull|hill)", 2..6).prop_map(|items| format!("- {}", items.join("\n- "))),
    ];
    prop::collection::vec(block, 1..16).prop_map(|blocks| format!("# Title\n\nBegin.\n\n{}", blocks.join("\n\n")))
}

proptest! {
    #[test]
    fn a_shortened_script_fits_and_keeps_its_order(text in some_text(), max_ms in 20u64..600) {
        let long = script(&text);
        let Ok(short) = shorten(long.clone(), max_ms, characters) else { return Ok(()) };
        prop_assert!(length(&short) <= max_ms);
        let narration = long.narration();
        let mut rest = narration.iter();
        for spoken in short.narration() {
            prop_assert!(rest.any(|other| other.text == spoken.text), "{} is new or out of order", spoken.text);
        }
        prop_assert_eq!(&short.narration()[..2], &narration[..2]);
    }
}
