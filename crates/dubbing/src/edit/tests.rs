use super::*;
use crate::document::{
    Word,
    tests::{dub, lang, utterance},
};

fn talk(targets: &[&str]) -> Dub {
    let said = [(12, 1000, 2000, "Hello there, friend."), (13, 2500, 4000, "How are you?")];
    dub(targets, said.map(|(id, start, end, text)| utterance(id, start, end, text)).to_vec())
}

fn set(dub: &mut Dub, text: &str) -> Result<Vec<u32>, EditError> {
    apply(dub, &[Edit::parse_set(text)?])
}

fn refusal(targets: &[&str], text: &str) -> String {
    set(&mut talk(targets), text).unwrap_err().to_string()
}

#[test]
fn a_translation_is_set_and_taken_back() {
    let mut dub = talk(&["es"]);
    assert_eq!(set(&mut dub, "12.translation=Hola = amigo.").unwrap(), [12]);
    let line = dub.utterances[0].line(&lang("es"));
    assert_eq!(line.translation.as_deref(), Some("Hola = amigo."));
    assert!(line.is_by_person());
    apply(&mut dub, &[Edit::parse_unset("12.translation").unwrap()]).unwrap();
    assert_eq!(dub.utterances[0].line(&lang("es")).translation, None);
}

#[test]
fn with_several_languages_a_translation_says_which() {
    let message = refusal(&["es", "fr"], "12.translation=Hola");
    assert_eq!(
        message,
        "utterance 12: say for which language `translation` is, as in `es:12.translation=…`; this dub has es, fr"
    );
    let mut dub = talk(&["es", "fr"]);
    set(&mut dub, "fr:12.translation=Salut").unwrap();
    assert!(dub.utterances[0].line(&lang("es")).is_empty());
    set(&mut dub, "12.dubbed=false").unwrap();
    assert!(["es", "fr"].iter().all(|tag| dub.utterances[0].line(&lang(tag)).dubbed == Some(false)));
}

#[test]
fn what_cannot_be_set_is_told_with_what_can() {
    assert!(refusal(&["es"], "12.colour=red").contains("names the field `colour`; there are text, start_ms"));
    assert!(refusal(&["es"], "99.text=x").contains("there is no utterance 99; there are 2 from 12 to 13"));
    assert!(refusal(&["es"], "de:12.voice=x").contains("no language `de`; it has es"));
    assert!(refusal(&["es"], "12.speaker=Bob").contains("no speaker `Bob`; there are S1"));
    assert!(refusal(&["es"], "12.dubbed=perhaps").contains("`dubbed` is `perhaps`, but must be true or false"));
    assert!(refusal(&["es"], "12.speed=NaN").contains("must be a number"));
    assert!(refusal(&["es"], "12.speed=2").contains("must be from 0.95 to 1.3"));
    assert!(refusal(&["es"], "es:12.text=x").contains("same in every language"));
    assert!(refusal(&["es"], "twelve").contains("says no value"));
    assert!(refusal(&["es"], "settings.colour=1").contains("there are loudness_lufs, duck_db"));
}

#[test]
fn a_zero_and_a_false_are_values() {
    let mut dub = talk(&["es"]);
    set(&mut dub, "settings.duck_db=0").unwrap();
    set(&mut dub, "settings.pivots=false").unwrap();
    set(&mut dub, "settings.separate=false").unwrap();
    set(&mut dub, "12.start_ms=0").unwrap();
    assert_eq!((dub.settings.duck_db, dub.settings.pivots, dub.utterances[0].start_ms), (Some(0.0), Some(false), 0));
    assert_eq!(dub.settings.separate, Some(false));
}

#[test]
fn changes_are_made_together_or_not_at_all() {
    let mut dub = talk(&["es"]);
    let before = dub.clone();
    let moved = [Edit::parse_set("12.text=Hi.").unwrap(), Edit::parse_set("12.end_ms=3000").unwrap()];
    let message = apply(&mut dub, &moved).unwrap_err().to_string();
    assert!(message.contains("(id 13) begins at 2500 ms, before the one above it ends (3000 ms)"), "{message}");
    assert_eq!(dub, before);
    let both = [Edit::parse_set("12.end_ms=2800").unwrap(), Edit::parse_set("13.start_ms=2900").unwrap()];
    assert_eq!(apply(&mut dub, &both).unwrap(), [12, 13]);
}

#[test]
fn a_voice_of_a_speaker_is_set() {
    let mut dub = talk(&["es"]);
    set(&mut dub, "speaker.S1.voice=es+f3").unwrap();
    assert_eq!(dub.speakers[0].voices[&lang("es")], "es+f3");
    assert!(refusal(&["es"], "speaker.S7.voice=es").contains("no speaker `S7`; there are S1"));
}

#[test]
fn an_utterance_is_created_in_the_order_of_time_with_a_new_id() {
    let mut dub = talk(&["es"]);
    apply(&mut dub, &[Edit::parse_create("2100-2400=Oh!").unwrap()]).unwrap();
    assert_eq!(dub.utterances.iter().map(|u| u.id).collect::<Vec<_>>(), [12, 14, 13]);
    assert!(apply(&mut dub, &[Edit::parse_create("1500-2200=Oh!").unwrap()]).is_err());
}

#[test]
fn splitting_and_merging_again_keeps_every_word() {
    let mut dub = talk(&["es"]);
    let words = [("Hello", 1000, 1300), ("there,", 1300, 1500), ("friend.", 1600, 2000)];
    dub.utterances[0].words = words
        .map(|(text, start_ms, end_ms)| Word { text: text.to_owned(), start_ms, end_ms, confidence: None })
        .to_vec();
    set(&mut dub, "12.translation=Hola, mi amigo.").unwrap();
    let split = apply(&mut dub, &[Edit::parse_split("12@word:3").unwrap()]).unwrap();
    assert_eq!(split, [12, 14]);
    let texts: Vec<_> = dub.utterances.iter().map(|u| (u.start_ms, u.end_ms, u.text.as_str())).collect();
    assert_eq!(texts[..2], [(1000, 1600, "Hello there,"), (1600, 2000, "friend.")]);
    let translations: Vec<_> = dub.utterances[..2].iter().filter_map(|u| u.line(&lang("es")).translation).collect();
    assert_eq!(translations.join(" "), "Hola, mi amigo.");
    apply(&mut dub, &[Edit::parse_merge("12").unwrap()]).unwrap();
    assert_eq!(dub.utterances[0].text, "Hello there, friend.");
    assert!(dub.utterances[0].words_match());
    assert_eq!(dub.utterances[0].line(&lang("es")).translation.as_deref(), Some("Hola, mi amigo."));
}

#[test]
fn a_split_outside_the_line_and_a_merge_of_the_last_are_refused() {
    let mut dub = talk(&["es"]);
    let refused = |dub: &mut Dub, edit: Edit| apply(dub, &[edit]).unwrap_err().to_string();
    assert!(refused(&mut dub, Edit::parse_split("12@2000").unwrap()).contains("it lasts from 1000 to 2000 ms"));
    assert!(refused(&mut dub, Edit::parse_split("12@word:9").unwrap()).contains("it has 3 words"));
    assert!(refused(&mut dub, Edit::parse_merge("13").unwrap()).contains("it is the last"));
}

#[test]
fn a_rewritten_text_is_translated_again_unless_a_person_translated_it() {
    let mut dub = talk(&["es"]);
    dub.utterances[0].confidence = Some(0.1);
    set(&mut dub, "12.text=Hi.").unwrap();
    assert_eq!((dub.utterances[0].text.as_str(), dub.utterances[0].confidence), ("Hi.", None));
}
