//! From a source and its transcript to dubbed files.

use dubbing::{
    document::Settings,
    request::{DubRequest, Output, OutputKind, Tracks},
};
use media::remux::OriginalSound;

use crate::studio::{Studio, lang, request};

#[tokio::test(flavor = "multi_thread")]
async fn a_talk_becomes_a_talk_in_another_language() {
    let studio = Studio::new().await;
    let (source, transcript) = studio.talk().await;
    let given = std::fs::read(&transcript).unwrap();
    let finished = studio.dub(&request(&source, Some(&transcript), &["es"])).await.unwrap();
    assert_eq!(std::fs::read(&transcript).unwrap(), given, "what the user brought is not written over");
    let names = ["talk.es.mp4", "talk.en.dub.srt", "talk.es.srt", "talk.dub.json"].map(|name| studio.path(name));
    assert_eq!(finished.outputs, names[..1]);
    assert_eq!(finished.beside, names[1..]);
    assert_eq!(studio.packets(&names[0]).await, studio.packets(&source).await);
    let streams = studio.fact(&names[0], "stream=codec_type:stream_tags=language").await;
    assert_eq!(streams.lines().collect::<Vec<_>>(), ["video,und", "audio,spa"]);
    let dub = studio.document();
    let line = &dub.utterances[0].lines[&lang("es")];
    assert_eq!(line.translation.as_deref(), Some("ehT revir si hgih."));
    assert_eq!(line.placed.as_ref().unwrap().start_ms, 1000);
    let report = &finished.reports[0];
    let missed: Vec<_> = report.figures.iter().filter(|figure| !figure.met).collect();
    assert!(missed.is_empty() && report.open.is_empty(), "{report:#?}");
    assert_eq!((report.lines, report.dubbed), (5, 5));
    assert!(report.figures.len() >= 15, "{report:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sentence_with_a_pause_is_translated_whole_and_said_in_its_parts() {
    let studio = Studio::new().await;
    let (source, transcript) = studio.talk().await;
    studio.dub(&request(&source, Some(&transcript), &["es"])).await.unwrap();
    // Five lines are four sentences.
    assert_eq!(studio.translator.texts(), 4);
    let said = |index: usize| studio.document().utterances[index].lines[&lang("es")].translation.clone().unwrap();
    assert_eq!((said(2), said(3)), ("erofeB ti sniar,".to_owned(), "ew og emoh.".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn several_languages_go_into_one_file() {
    let studio = Studio::new().await;
    let (source, transcript) = studio.talk().await;
    let output = Output { tracks: Tracks::OneFile, original: OriginalSound::Keep, ..Output::default() };
    let request = DubRequest { output, ..request(&source, Some(&transcript), &["es", "fr"]) };
    let finished = studio.dub(&request).await.unwrap();
    assert_eq!(finished.outputs, [studio.path("talk.dub.mp4")]);
    let streams = studio.fact(&finished.outputs[0], "stream=codec_type:stream_tags=language").await;
    let expected = ["video,und", "audio,spa", "audio,fra", "audio,und", "subtitle,eng", "subtitle,spa", "subtitle,fra"];
    assert_eq!(streams.lines().collect::<Vec<_>>(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn subtitles_alone_need_no_voice() {
    let mut studio = Studio::new().await;
    studio.dubbing.booth.voices.clear();
    let (source, transcript) = studio.talk().await;
    let output = Output { kind: OutputKind::Subtitles, ..Output::default() };
    let finished = studio.dub(&DubRequest { output, ..request(&source, Some(&transcript), &["es"]) }).await.unwrap();
    assert!(finished.outputs.is_empty() && !studio.path("talk.es.mp4").exists());
    assert_eq!(studio.voices.calls(), 0);
    let subtitles = std::fs::read_to_string(studio.path("talk.es.srt")).unwrap();
    assert!(subtitles.starts_with("1\n00:00:01,000 --> "), "{subtitles}");
    assert!(subtitles.contains("eW detnuoc 21 sdrib."), "{subtitles}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phrase_not_to_be_dubbed_keeps_its_voice() {
    let studio = Studio::new().await;
    let (source, transcript) = studio.talk().await;
    let settings = Settings { no_dub: vec!["good night".to_owned()], ..Settings::default() };
    let request = DubRequest { settings, ..request(&source, Some(&transcript), &["es"]) };
    let finished = studio.dub(&request).await.unwrap();
    assert_eq!(finished.reports[0].dubbed, 4);
    let dub = studio.document();
    assert_eq!(dub.utterances[4].lines[&lang("es")].placed, None);
    assert_eq!(dub.utterances[4].lines[&lang("es")].needs_person, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_cannot_fit_is_listed_and_keeps_its_voice() {
    let studio = Studio::new().await;
    let (source, _) = studio.talk().await;
    let text = "1\n00:00:01,000 --> 00:00:01,900\nAn extraordinarily elaborate explanation of everything imaginable.\n\n\
                2\n00:00:02,000 --> 00:00:03,000\nYes.\n";
    let transcript = studio.transcript("long.en.srt", text);
    let finished = studio.dub(&request(&source, Some(&transcript), &["es"])).await.unwrap();
    let report = &finished.reports[0];
    assert_eq!((report.dubbed, report.open.len(), report.open[0].id), (1, 1, 1));
    let overlaps = report.figures.iter().find(|figure| figure.name == "lines laid over the next").unwrap();
    assert!(overlaps.met);
}
