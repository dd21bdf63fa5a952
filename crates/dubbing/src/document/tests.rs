use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

pub(crate) fn lang(tag: &str) -> Lang {
    tag.parse().unwrap()
}

pub(crate) fn utterance(id: u32, start_ms: u64, end_ms: u64, text: &str) -> Utterance {
    Utterance {
        id,
        start_ms,
        end_ms,
        speaker: Some("S1".to_owned()),
        text: text.to_owned(),
        words: Vec::new(),
        confidence: None,
        notes: Vec::new(),
        lines: BTreeMap::new(),
    }
}

/// A dub of `utterances` from English into each of `targets`.
pub(crate) fn dub(targets: &[&str], utterances: Vec<Utterance>) -> Dub {
    Dub {
        schema: Schema::V1,
        source: Source {
            path: "talk.mp4".into(),
            hash: "0".repeat(64),
            track: 0,
            duration_ms: 60_000,
            transcript: None,
        },
        lang: Lang::english(),
        targets: targets.iter().map(|tag| lang(tag)).collect(),
        settings: Settings::default(),
        speakers: vec![Speaker { id: "S1".to_owned(), pitch: Some(Pitch::Low), voices: BTreeMap::new() }],
        utterances,
        results: BTreeMap::new(),
    }
}

fn two_lines() -> Dub {
    dub(&["es"], vec![utterance(1, 1000, 2000, "Hello there."), utterance(2, 2500, 4000, "How are you?")])
}

fn faults(change: impl FnOnce(&mut Dub)) -> Vec<String> {
    let mut dub = two_lines();
    change(&mut dub);
    dub.checked("talk.dub.json").unwrap_err().faults
}

#[test]
fn a_document_reads_back_as_it_was_written() {
    let mut dub = two_lines();
    let mut line = Line { dubbed: Some(false), speed: Some(1.0), ..Line::default() };
    line.set_machine("Hola.".to_owned(), text_hash("Hello there."));
    dub.utterances[0].lines.insert(lang("es"), line);
    let text = dub.to_text().unwrap();
    assert_eq!(Dub::parse(&text, "talk.dub.json").unwrap(), dub);
}

#[test]
fn false_and_zero_are_decisions_and_absence_is_none() {
    let mut dub = two_lines();
    dub.settings.duck_db = Some(0.0);
    dub.settings.pivots = Some(false);
    let text = dub.to_text().unwrap();
    let read = Dub::parse(&text, "x").unwrap();
    assert_eq!((read.settings.duck_db, read.settings.pivots), (Some(0.0), Some(false)));
    assert_eq!(read.settings.loudness_lufs, None);
    assert!(!text.contains("loudness_lufs"), "{text}");
}

#[test]
fn an_unknown_field_is_refused_with_its_place() {
    let text = two_lines().to_text().unwrap().replacen("\"id\": 2,", "\"id\": 2, \"colour\": 1,", 1);
    let error = Dub::parse(&text, "talk.dub.json").unwrap_err().to_string();
    assert!(error.starts_with("`talk.dub.json`: utterances[1].colour: unknown field `colour`"), "{error}");
}

#[test]
fn another_schema_is_refused() {
    let text = two_lines().to_text().unwrap().replace("pressroom/dub/1", "pressroom/dub/9");
    let error = Dub::parse(&text, "x").unwrap_err().to_string();
    assert!(error.contains("schema: unknown variant `pressroom/dub/9`"), "{error}");
}

#[test]
fn times_are_checked() {
    assert!(faults(|dub| dub.utterances[1].start_ms = 1500)[0].contains("before the one above it ends (2000 ms)"));
    assert!(faults(|dub| dub.utterances[1].end_ms = 70_000)[0].contains("after the source, which lasts 60000 ms"));
    assert!(faults(|dub| dub.utterances[0].end_ms = 1000)[0].contains("it must end after it begins"));
    let word = Word { text: "Hello".to_owned(), start_ms: 900, end_ms: 1200, confidence: None };
    assert!(
        faults(|dub| dub.utterances[0].words = vec![word])[0].starts_with("utterances[0] (id 1).words[0] is from 900")
    );
}

#[test]
fn numbers_out_of_range_and_no_numbers_are_refused() {
    assert!(faults(|dub| dub.settings.duck_db = Some(f64::NAN))[0].contains("settings.duck_db is NaN"));
    assert!(faults(|dub| dub.settings.min_confidence = Some(1.5))[0].contains("must be from 0 to 1"));
    let line = Line { speed: Some(1.5), ..Line::default() };
    let found = faults(|dub| drop(dub.utterances[0].lines.insert(lang("es"), line)));
    assert_eq!(found, ["utterances[0] (id 1).lines.es.speed is 1.5, but must be from 0.95 to 1.3"]);
}

#[test]
fn every_fault_is_named_up_to_a_number() {
    let found = faults(|dub| {
        dub.utterances = (0..100).map(|n| utterance(7, 100 * n, 100 * n + 50, "Hi.")).collect();
    });
    assert_eq!(found.len(), super::file::MAX_FAULTS + 1);
    assert_eq!(found.last().unwrap(), "and 79 more");
}

#[test]
fn a_speaker_nobody_described_is_refused() {
    assert!(faults(|dub| dub.utterances[0].speaker = Some("Bob".to_owned()))[0].contains("speaker `Bob`"));
}

#[test]
fn a_changed_translation_is_a_persons() {
    let mut line = Line::default();
    line.set_machine("Hola.".to_owned(), text_hash("Hello."));
    assert!(!line.is_by_person());
    line.translation = Some("Buenas.".to_owned());
    assert!(line.is_by_person());
}

#[test]
fn confidence_ends_where_a_person_rewrites_the_text() {
    let word =
        |text: &str, start_ms| Word { text: text.to_owned(), start_ms, end_ms: start_ms + 100, confidence: Some(0.2) };
    let mut heard = Utterance {
        words: vec![word("Hello", 1000), word("there.", 1200)],
        confidence: Some(0.2),
        ..utterance(1, 1000, 2000, "Hello there.")
    };
    assert_eq!(heard.standing_confidence(), Some(0.2));
    heard.text = "Hello you.".to_owned();
    assert_eq!(heard.standing_confidence(), None);
    assert_eq!(
        heard.timed_words().iter().map(|word| (word.start_ms, word.end_ms)).collect::<Vec<_>>(),
        [(1000, 1555), (1555, 2000)]
    );
}

proptest! {
    #[test]
    fn no_text_makes_reading_panic(text in ".{0,400}") {
        let _ = Dub::parse(&text, "x");
    }

    #[test]
    fn no_change_of_a_document_makes_reading_panic(at in 0_usize..900, with in ".{0,6}") {
        let mut text = two_lines().to_text().unwrap();
        let at = at.min(text.len());
        text.insert_str(at, &with);
        let _ = Dub::parse(&text, "x");
    }
}
