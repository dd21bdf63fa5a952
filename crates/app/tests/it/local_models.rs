//! Models of the user's on the command line: one that listens and one that translates, both made by code.

use crate::{
    ct2_nllb::{self, Habit as Translating},
    ct2_whisper::{self, Habit as Listening},
    desk::{Desk, Ended, program},
};

fn detail(found: &Ended, what: &str) -> String {
    let finding = found.events.iter().find(|finding| finding["what"] == what);
    let finding = finding.unwrap_or_else(|| panic!("{what} is not among {:?}", found.events));
    finding["detail"].as_str().unwrap().to_owned()
}

#[test]
fn a_model_that_was_added_listens_before_any_other_engine() {
    let desk = Desk::new();
    let mut speech = program("espeak-ng");
    speech
        .args(["-w"])
        .arg(desk.path("talk.wav"))
        .arg("Nobody in this room can say what a model makes of these words.");
    assert!(speech.output().unwrap().status.success());
    ct2_whisper::model(Listening::Sure).write(&desk.path("tiny-whisper"));
    let added = desk.succeed(["models", "add", "tiny-whisper"]);
    assert_eq!(added.list_events("added").next().unwrap()["model"]["family"], "whisper");
    let listed = desk.succeed(["models", "list"]);
    assert_eq!((&listed.events[0]["kind"], &listed.events[0]["state"]), (&"transcription".into(), &"verified".into()));
    assert_eq!(detail(&desk.succeed(["doctor"]), "whisper hears"), "en, es");
    desk.succeed(["transcribe", "talk.wav", "--from", "en"]);
    let subtitles = std::fs::read_to_string(desk.path("talk.en.srt")).unwrap();
    assert!(subtitles.contains(ct2_whisper::LOW_SAYS) || subtitles.contains(ct2_whisper::HIGH_SAYS), "{subtitles}");
}

#[test]
fn a_model_that_was_added_translates_what_no_other_engine_does_well() {
    let desk = Desk::new();
    desk.write("talk.en.srt", "1\n00:00:01,000 --> 00:00:03,000\nThe dog is small.\n");
    ct2_nllb::model(Translating::WordForWord).write(&desk.path("tiny-nllb"));
    let added = desk.succeed(["models", "add", "tiny-nllb"]);
    let names_licence = added.events.iter().any(|event| event.to_string().contains("CC-BY-NC"));
    assert!(names_licence, "{:?}", added.events);
    assert_eq!(detail(&desk.succeed(["doctor"]), "nllb translates"), "en-es, en-fr, es-en, es-fr, fr-en, fr-es");
    // Apertium has this pair too, as a draft.
    desk.succeed(["translate", "talk.en.srt", "--from", "en", "--to", "es"]);
    let subtitles = std::fs::read_to_string(desk.path("talk.es.srt")).unwrap();
    assert!(subtitles.contains("La perra es chica."), "{subtitles}");
}
