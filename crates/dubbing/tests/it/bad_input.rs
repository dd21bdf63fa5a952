//! What cannot be dubbed is said at once, with what to do.

use dubbing::request::{DubRequest, Track};
use kernel::ErrorKind;

use crate::studio::{Studio, TRANSCRIPT, drain, lang, request};

/// The refusal of a request, after which nothing was spoken and nothing is left behind.
async fn refusal(studio: &Studio, request: &DubRequest) -> (ErrorKind, String) {
    let error = studio.dub(request).await.unwrap_err();
    assert_eq!(studio.voices.calls(), 0);
    assert!(!studio.path("talk.dub.json").exists());
    (error.kind(), error.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_that_nobody_translates_is_told_with_those_there_are() {
    let studio = Studio::new().await;
    let (source, transcript) = studio.talk().await;
    let (kind, message) = refusal(&studio, &request(&source, Some(&transcript), &["de"])).await;
    assert_eq!(kind, ErrorKind::Missing);
    assert!(message.contains("nothing translates `en` to `de`"), "{message}");
    assert!(message.contains("`en` can be translated to es, fr"), "{message}");
    let (_, message) = refusal(&studio, &request(&source, Some(&transcript), &["it"])).await;
    assert!(message.contains("allow the way through `es` with --pivot"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transcript_of_another_video_and_one_that_overlaps_itself_are_refused() {
    let studio = Studio::new().await;
    let (source, _) = studio.talk().await;
    let late = studio.transcript("late.en.srt", &TRANSCRIPT.replace("00:00:11,500", "00:01:11,500"));
    let (kind, message) = refusal(&studio, &request(&source, Some(&late), &["es"])).await;
    assert_eq!(kind, ErrorKind::Invalid);
    assert!(message.contains("late.en.srt` does not match the source: line 18"), "{message}");
    let twice = studio.transcript("twice.en.srt", &TRANSCRIPT.replace("00:00:02,500", "00:00:04,500"));
    let (_, message) = refusal(&studio, &request(&source, Some(&twice), &["es"])).await;
    assert!(message.contains("overlaps itself"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_without_sound_and_one_that_is_no_media_are_refused() {
    let studio = Studio::new().await;
    let silent = studio.generate("-f lavfi -i testsrc2=s=64x64:d=1 -c:v libx264", "silent.mp4").await;
    let (_, message) = refusal(&studio, &request(&silent, None, &["es"])).await;
    assert!(message.contains("has no sound"), "{message}");
    let text = studio.transcript("talk.mp4", "no media at all");
    assert_eq!(refusal(&studio, &request(&text, None, &["es"])).await.0, ErrorKind::Invalid);
    let missing = studio.path("missing.mp4");
    let (_, message) = refusal(&studio, &request(&missing, None, &["es"])).await;
    assert!(message.contains("missing.mp4"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_and_music_hold_no_speech() {
    let studio = Studio::new().await;
    for (sound, name) in [("anullsrc=r=48000:d=4", "silence.wav"), ("sine=f=440:r=48000:d=4", "music.wav")] {
        let source = studio.generate(&format!("-f lavfi -i {sound} -t 4"), name).await;
        let request = DubRequest { lang: Some(lang("en")), ..request(&source, None, &["es"]) };
        let (_, message) = refusal(&studio, &request).await;
        assert!(message.contains("has no speech that could be dubbed"), "{name}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voice_that_does_not_speak_the_language_is_refused() {
    let studio = Studio::new().await;
    let (source, transcript) = studio.talk().await;
    let mut request = request(&source, Some(&transcript), &["es"]);
    let voices = [("S1".to_owned(), [(lang("es"), "de".to_owned())].into())];
    request.settings.voices = voices.into();
    let error = studio.dub(&request).await.unwrap_err().to_string();
    assert!(error.contains("voice `de` speaks `de`, not `es`"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_that_is_not_there_and_a_language_that_is_spoken_already_are_refused() {
    let studio = Studio::new().await;
    let (source, transcript) = studio.talk().await;
    let second = DubRequest { track: Track::Number(2), ..request(&source, Some(&transcript), &["es"]) };
    assert!(refusal(&studio, &second).await.1.contains("has 1 sounds, and none with the number 2"));
    let english = request(&source, Some(&transcript), &["en"]);
    assert!(refusal(&studio, &english).await.1.contains("the source speaks `en` already"));
    assert!(refusal(&studio, &request(&source, Some(&transcript), &[])).await.1.contains("no language to dub into"));
}

#[tokio::test(flavor = "multi_thread")]
async fn text_of_a_transcript_never_reaches_a_shell() {
    let studio = Studio::new().await;
    let (source, _) = studio.talk().await;
    let evil = format!("$(touch {0}) `touch {0}`; touch {0}", studio.path("evil").display());
    let text = format!("1\n00:00:01,000 --> 00:00:09,000\n{evil}\n");
    let transcript = studio.transcript("evil.en.srt", &text);
    let request = DubRequest { lang: Some(lang("en")), ..request(&source, Some(&transcript), &["es"]) };
    studio.dub(&request).await.unwrap();
    assert!(!studio.path("evil").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_dub_leaves_no_half_file() {
    let studio = Studio::new().await;
    let (source, transcript) = studio.talk().await;
    studio.dubbing.cancellation.cancel();
    let error = studio.dubbing.dub(&request(&source, Some(&transcript), &["es"]), drain).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert!(!studio.path("talk.es.mp4").exists() && !studio.path("talk.dub.json").exists());
}
