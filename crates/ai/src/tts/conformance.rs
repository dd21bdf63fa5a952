//! What every speech engine must do: each adapter's tests run this suite against it.

use kernel::ErrorKind;

use super::{Speech, SpeechRequest, Tts, Voice};

/// Runs the whole suite.
///
/// # Panics
/// When the engine breaks a rule of the port; the message names the rule.
pub async fn run(tts: &dyn Tts) {
    let voices = voices_are_listed_and_sorted(tts).await;
    let Some(voice) = voices.iter().find(|v| v.lang.primary() == "en").or(voices.first()) else { return };
    let request = request(&voice.id);
    an_unknown_voice_is_not_found(tts, &request).await;
    text_without_words_is_no_sound(tts, &request).await;
    text_over_the_limit_is_invalid(tts, &request).await;
    numbers_out_of_range_are_invalid(tts, &request).await;
    words_lie_in_the_text_and_in_the_sound(tts, &request).await;
    the_same_request_gives_the_same_bytes(tts, &request).await;
    rate_and_pitch_do_what_the_capability_says(tts, &request).await;
    two_requests_at_once_are_served(tts, &request).await;
}

fn request(voice: &str) -> SpeechRequest {
    let text = "“Wait,” she said, and counted 21 birds — naïve, but happy.".to_owned();
    SpeechRequest { text, voice: voice.to_owned(), rate: 1.0, pitch: 1.0 }
}

async fn speak(tts: &dyn Tts, request: &SpeechRequest) -> Speech {
    match tts.speak(request).await {
        Ok(speech) => speech,
        Err(error) => panic!("`{}` is not spoken: {error}", request.text),
    }
}

async fn voices_are_listed_and_sorted(tts: &dyn Tts) -> Vec<Voice> {
    let voices = match tts.voices().await {
        Ok(voices) => voices,
        Err(error) => panic!("voices are not listed: {error}"),
    };
    assert!(!voices.is_empty(), "there is at least one voice");
    let sorted = voices.windows(2).all(|pair| (&pair[0].lang, &pair[0].id) < (&pair[1].lang, &pair[1].id));
    assert!(sorted, "voices are sorted by language, then id, without doubles");
    assert!(voices.iter().all(|v| v.provider == tts.name()), "voices name their provider");
    assert!(!tts.version().is_empty(), "the engine has a version");
    voices
}

async fn an_unknown_voice_is_not_found(tts: &dyn Tts, request: &SpeechRequest) {
    let unknown = SpeechRequest { voice: "no-such-voice".to_owned(), ..request.clone() };
    match tts.speak(&unknown).await {
        Ok(_) => panic!("an unknown voice speaks"),
        Err(error) => {
            assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
            assert!(error.message.contains("`no-such-voice`"), "the message names the voice: {error}");
            assert!(error.message.contains(';'), "the message says what to do: {error}");
        }
    }
}

async fn text_without_words_is_no_sound(tts: &dyn Tts, request: &SpeechRequest) {
    for text in ["", "  \n"] {
        let speech = speak(tts, &SpeechRequest { text: text.to_owned(), ..request.clone() }).await;
        assert!(speech.samples.is_empty() && speech.words.is_empty(), "blank text has no sound");
        assert!(speech.sample_rate > 0, "a speech has a sample rate even without samples");
    }
}

async fn text_over_the_limit_is_invalid(tts: &dyn Tts, request: &SpeechRequest) {
    let text = "a ".repeat(tts.capability().max_text_bytes / 2 + 1);
    match tts.speak(&SpeechRequest { text, ..request.clone() }).await {
        Ok(_) => panic!("a text over max_text_bytes is spoken"),
        Err(error) => assert_eq!(error.kind, ErrorKind::Invalid, "{error}"),
    }
}

async fn numbers_out_of_range_are_invalid(tts: &dyn Tts, request: &SpeechRequest) {
    let slow = SpeechRequest { rate: 0.0, ..request.clone() };
    let broken = SpeechRequest { pitch: f32::NAN, ..request.clone() };
    for request in [slow, broken] {
        match tts.speak(&request).await {
            Ok(_) => panic!("rate {} and pitch {} are taken", request.rate, request.pitch),
            Err(error) => assert_eq!(error.kind, ErrorKind::Invalid, "{error}"),
        }
    }
}

async fn words_lie_in_the_text_and_in_the_sound(tts: &dyn Tts, request: &SpeechRequest) {
    let speech = speak(tts, request).await;
    assert!(speech.duration_ms() > 500, "a sentence lasts longer than {} ms", speech.duration_ms());
    if !tts.capability().word_times {
        assert!(speech.words.is_empty(), "an engine without a clock gives no times");
        return;
    }
    assert!(speech.words.len() >= 8, "most words have times: {:?}", speech.words);
    for word in &speech.words {
        let spoken = request.text.get(word.bytes.clone());
        assert!(spoken.is_some_and(|w| !w.trim().is_empty()), "{word:?} is a word of the text");
        assert!(u64::from(word.start_ms) <= speech.duration_ms(), "{word:?} is within the sound");
    }
    for pair in speech.words.windows(2) {
        assert!(pair[0].start_ms <= pair[1].start_ms, "times grow: {pair:?}");
        assert!(pair[0].bytes.start <= pair[1].bytes.start, "words come in order: {pair:?}");
    }
}

async fn the_same_request_gives_the_same_bytes(tts: &dyn Tts, request: &SpeechRequest) {
    let first = speak(tts, request).await;
    let other = SpeechRequest { text: "Something else, in between.".to_owned(), rate: 1.5, ..request.clone() };
    speak(tts, &other).await;
    assert!(speak(tts, request).await == first, "the same request gives the same bytes, whatever came between");
}

async fn rate_and_pitch_do_what_the_capability_says(tts: &dyn Tts, request: &SpeechRequest) {
    let usual = speak(tts, request).await;
    let fast = speak(tts, &SpeechRequest { rate: 1.5, ..request.clone() }).await;
    if tts.capability().rate {
        let ratio = usual.duration_ms() as f64 / fast.duration_ms().max(1) as f64;
        assert!((1.2..=1.9).contains(&ratio), "rate 1.5 shortens by {ratio:.2}");
    } else {
        assert!(fast == usual, "an engine without a rate ignores it");
    }
    let high = speak(tts, &SpeechRequest { pitch: 1.5, ..request.clone() }).await;
    assert_eq!(high != usual, tts.capability().pitch, "pitch is honoured as the capability says");
}

async fn two_requests_at_once_are_served(tts: &dyn Tts, request: &SpeechRequest) {
    let other = SpeechRequest { text: "Another sentence at the same time.".to_owned(), ..request.clone() };
    let (alone, other_alone) = (speak(tts, request).await, speak(tts, &other).await);
    let (both, other_both) = tokio::join!(speak(tts, request), speak(tts, &other));
    assert!(both == alone && other_both == other_alone, "requests at the same time do not mix");
}
