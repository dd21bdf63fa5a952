//! Flite's voices, heard by their times and, where it counts, by an engine that listens.

use std::sync::Arc;

use ai::{
    stt::{Stt as _, Utterance, WordErrors},
    tts::{Gender, Speech, SpeechRequest, Tts as _},
};
use kernel::{ErrorKind, Lang};
use providers::{
    stt::pocketsphinx::{self, PocketSphinx},
    tts::{
        self,
        flite::{Flite, Settings},
    },
};

fn flite() -> Flite {
    Flite::new(&Settings::default())
}

fn request(voice: &str, text: &str) -> SpeechRequest {
    SpeechRequest { text: text.to_owned(), voice: voice.to_owned(), rate: 1.0, pitch: 1.0 }
}

#[tokio::test]
async fn the_port_is_kept() {
    ai::tts::conformance::run(&flite()).await;
}

#[tokio::test]
async fn there_is_a_low_and_a_high_voice() {
    let flite = flite();
    let voices = flite.voices().await.unwrap();
    let listed: Vec<(&str, Option<Gender>)> = voices.iter().map(|voice| (voice.id.as_str(), voice.gender)).collect();
    assert_eq!(listed, [("flite-rms", Some(Gender::Male)), ("flite-slt", Some(Gender::Female))]);
    let text = "One and the same sentence.";
    assert_ne!(
        flite.speak(&request("flite-rms", text)).await.unwrap(),
        flite.speak(&request("flite-slt", text)).await.unwrap()
    );
}

#[tokio::test]
async fn expanded_numbers_report_the_bytes_of_the_number() {
    let text = "Dr. Smith paid $3.50 — naïvely — for 21 birds.";
    for voice in ["flite-slt", "flite-rms"] {
        let speech = flite().speak(&request(voice, text)).await.unwrap();
        let words: Vec<&str> = speech.words.iter().map(|word| &text[word.bytes.clone()]).collect();
        let expected = "Dr Smith paid $3.50 $3.50 $3.50 $3.50 naïvely for 21 21 birds";
        assert_eq!(words.join(" "), expected, "{voice}");
        assert!(speech.words.windows(2).all(|pair| pair[0].start_ms < pair[1].start_ms), "{:?}", speech.words);
    }
}

#[tokio::test]
async fn a_word_after_a_pause_begins_with_its_sound() {
    let text = "Hello, world. This is a test: of sound; fine, no? Yes, all right.";
    for voice in ["flite-slt", "flite-rms"] {
        let speech = flite().speak(&request(voice, text)).await.unwrap();
        let onsets = onsets_after_pauses(&speech);
        assert!(onsets.len() >= 3, "{voice}: {onsets:?}");
        for onset in onsets {
            let nearest = speech.words.iter().map(|word| u64::from(word.start_ms).abs_diff(onset)).min().unwrap();
            assert!(nearest <= 40, "{voice}: sound at {onset} ms, nearest word {nearest} ms away: {:?}", speech.words);
        }
    }
}

/// Where sound begins again after at least 100 ms of silence, in milliseconds.
fn onsets_after_pauses(speech: &Speech) -> Vec<u64> {
    let ms = |index: usize| index as u64 * 1000 / u64::from(speech.sample_rate);
    let mut onsets = Vec::new();
    let mut last_audible = 0;
    for (index, sample) in speech.samples.iter().enumerate() {
        if sample.unsigned_abs() > 200 {
            if ms(index) - ms(last_audible) >= 100 {
                onsets.push(ms(index));
            }
            last_audible = index;
        }
    }
    onsets
}

#[tokio::test]
async fn silence_at_both_ends_is_cut() {
    let speech = flite().speak(&request("flite-slt", "“Perhaps.” ")).await.unwrap();
    let audible = |sample: &i16| sample.unsigned_abs() > 200;
    let first = speech.samples.iter().position(audible).unwrap();
    let last = speech.samples.iter().rposition(audible).unwrap();
    assert!(first < 16_000 / 40, "{first} samples of silence at the start");
    assert!(speech.samples.len() - last < 16_000 / 15, "{} at the end", speech.samples.len() - last);
    assert!(speech.words[0].start_ms <= 20, "{:?}", speech.words);
}

#[tokio::test]
async fn what_flite_says_is_understood() {
    let (flite, listener) = (flite(), PocketSphinx::new(&pocketsphinx::Settings::default()));
    let mut total = WordErrors::default();
    for (voice, text) in [
        ("flite-slt", "The weather was cold and the streets of the city were empty."),
        ("flite-slt", "We are going to talk about the history of the house."),
        ("flite-rms", "There are three things that you need to know about this."),
        ("flite-rms", "The children walked to school with their friends in the morning."),
    ] {
        let speech = flite.speak(&request(voice, text)).await.unwrap();
        assert_eq!(speech.sample_rate, ai::stt::SAMPLE_RATE);
        let utterance = Utterance { samples: Arc::from(speech.samples), lang: Some(Lang::english()) };
        total += WordErrors::count(text, &listener.transcribe(&utterance).await.unwrap().text);
    }
    assert!(total.rate() <= 0.10, "{:.3}: {total:?}", total.rate());
}

#[tokio::test]
async fn hostile_text_is_spoken_but_never_ends_the_engine() {
    let flite = flite();
    for text in [
        "\u{1}90P \u{0} \\ # ^ ~ | {x} [y] <z> _",
        &"(".repeat(4000),
        &"9".repeat(300),
        &"M".repeat(300),
        &"x".repeat(300),
        &"1/2 3.4.5 $1.2.3 10:30:99 1-2-3 '' 's 007 1e9 http://a.b/c?d=e&f ".repeat(3),
        &"-".repeat(4000),
        "今天天气很好。 Привет! 🙂",
        "\u{feff}\u{202e}a\u{301}\u{200d}",
    ] {
        flite.speak(&request("flite-rms", text)).await.unwrap();
    }
    assert!(flite.speak(&request("flite-slt", "Still here.")).await.unwrap().duration_ms() > 300);
}

#[tokio::test]
async fn a_missing_library_has_no_voices_and_is_named_with_its_package() {
    let flite = Flite::new(&Settings { folder: Some("/nowhere".into()) });
    assert_eq!(flite.voices().await.unwrap(), []);
    let error = flite.speak(&request("flite-slt", "Hi.")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Missing);
    assert!(error.message.contains("`libflite1`"), "{error}");
}

#[test]
fn espeak_is_preferred_where_nobody_chooses() {
    let names: Vec<String> = tts::all(&tts::Settings::default()).iter().map(|tts| tts.name().to_owned()).collect();
    assert_eq!(names, ["espeak", "flite"]);
}
