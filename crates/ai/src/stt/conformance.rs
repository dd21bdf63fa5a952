//! What every engine that listens must do: each adapter's tests run this suite against it.

use kernel::{ErrorKind, Lang};

use super::{SAMPLE_RATE, Stt, Transcript, Utterance, WordErrors};

/// Speech that the engine is asked to write down.
#[derive(Debug, Clone)]
pub struct Material {
    /// A sentence in a language that the engine understands.
    pub utterance: Utterance,
    /// The words of it.
    pub said: String,
    /// The word error rate that the engine may reach on it.
    pub most_word_errors: f64,
    /// Other speech of the same language.
    pub another: Utterance,
}

/// Runs the whole suite.
///
/// # Panics
/// When the engine breaks a rule of the port; the message names the rule.
pub async fn run(stt: &dyn Stt, material: &Material) {
    languages_are_listed_and_sorted(stt).await;
    what_is_said_is_written_down(stt, material).await;
    words_are_in_order_and_within_the_utterance(stt, material).await;
    nothing_said_is_no_words(stt, material).await;
    an_utterance_over_the_limit_is_invalid(stt, material).await;
    an_unknown_language_is_not_found(stt, material).await;
    a_language_left_open_is_found_out_or_refused(stt, material).await;
    the_same_utterance_gives_the_same_transcript(stt, material).await;
    two_utterances_at_once_do_not_mix(stt, material).await;
}

async fn hear(stt: &dyn Stt, utterance: &Utterance) -> Transcript {
    match stt.transcribe(utterance).await {
        Ok(transcript) => transcript,
        Err(error) => panic!("an utterance of {} ms is not heard: {error}", utterance.duration_ms()),
    }
}

async fn languages_are_listed_and_sorted(stt: &dyn Stt) {
    let langs = match stt.langs().await {
        Ok(langs) => langs,
        Err(error) => panic!("languages are not listed: {error}"),
    };
    assert!(!langs.is_empty(), "an installed engine understands a language");
    assert!(langs.windows(2).all(|pair| pair[0] < pair[1]), "languages are sorted, without doubles: {langs:?}");
    assert!(!stt.name().is_empty() && !stt.version().is_empty(), "the engine has a name and a version");
}

async fn what_is_said_is_written_down(stt: &dyn Stt, material: &Material) {
    let transcript = hear(stt, &material.utterance).await;
    let errors = WordErrors::count(&material.said, &transcript.text);
    assert!(
        errors.rate() <= material.most_word_errors,
        "`{}` is heard as `{}`: {errors:?}",
        material.said,
        transcript.text
    );
    assert_eq!(
        Some(transcript.lang.primary()),
        material.utterance.lang.as_ref().map(Lang::primary),
        "the language given is the language of the transcript"
    );
}

async fn words_are_in_order_and_within_the_utterance(stt: &dyn Stt, material: &Material) {
    let transcript = hear(stt, &material.utterance).await;
    let sure = |confidence: f32| (0.0..=1.0).contains(&confidence);
    assert!(transcript.confidence.is_none_or(sure), "confidence is 0 to 1: {transcript:?}");
    if !stt.capability().word_times {
        assert!(transcript.words.is_empty(), "an engine without a clock gives no times");
        return;
    }
    assert!(!transcript.words.is_empty(), "words have times");
    for word in &transcript.words {
        assert!(!word.text.trim().is_empty(), "a word is not blank: {transcript:?}");
        assert!(transcript.text.contains(&word.text), "{word:?} is a word of `{}`", transcript.text);
        assert!(word.start_ms <= word.end_ms, "{word:?} ends after it begins");
        assert!(u64::from(word.end_ms) <= material.utterance.duration_ms(), "{word:?} is within the utterance");
        let given = if stt.capability().confidence { word.confidence.is_some_and(sure) } else { true };
        assert!(given, "{word:?} has a confidence of 0 to 1 where the capability says so");
    }
    for pair in transcript.words.windows(2) {
        assert!(pair[0].end_ms <= pair[1].start_ms, "words come one after the other: {pair:?}");
    }
}

async fn nothing_said_is_no_words(stt: &dyn Stt, material: &Material) {
    for samples in [vec![], vec![0; 10], vec![0; 3 * SAMPLE_RATE as usize]] {
        let silent = Utterance { samples: samples.into(), lang: material.utterance.lang.clone() };
        let transcript = hear(stt, &silent).await;
        assert!(
            transcript.words.is_empty() && transcript.text.is_empty(),
            "{} ms of silence are heard as `{}`",
            silent.duration_ms(),
            transcript.text
        );
    }
}

async fn an_utterance_over_the_limit_is_invalid(stt: &dyn Stt, material: &Material) {
    let samples = vec![0; stt.capability().max_samples + 1];
    let long = Utterance { samples: samples.into(), lang: material.utterance.lang.clone() };
    match stt.transcribe(&long).await {
        Ok(_) => panic!("an utterance over max_samples is taken"),
        Err(error) => assert_eq!(error.kind, ErrorKind::Invalid, "{error}"),
    }
}

async fn an_unknown_language_is_not_found(stt: &dyn Stt, material: &Material) {
    let Ok(unknown) = "qaa".parse::<Lang>() else { panic!("qaa is a language tag") };
    match stt.transcribe(&Utterance { lang: Some(unknown), ..material.utterance.clone() }).await {
        Ok(_) => panic!("a language that nobody speaks is understood"),
        Err(error) => {
            assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
            assert!(error.message.contains("`qaa`"), "the message names the language: {error}");
            assert!(error.message.contains(';'), "the message says what to do: {error}");
        }
    }
}

async fn a_language_left_open_is_found_out_or_refused(stt: &dyn Stt, material: &Material) {
    let open = Utterance { lang: None, ..material.utterance.clone() };
    match stt.transcribe(&open).await {
        Ok(transcript) => {
            assert!(stt.capability().detects_lang, "an engine that finds out languages says so");
            let spoken = material.utterance.lang.as_ref().map(Lang::primary);
            assert_eq!(Some(transcript.lang.primary()), spoken, "the language is found out");
        }
        Err(error) => {
            assert!(!stt.capability().detects_lang, "the capability says that languages are found out: {error}");
            assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
        }
    }
}

async fn the_same_utterance_gives_the_same_transcript(stt: &dyn Stt, material: &Material) {
    let first = hear(stt, &material.utterance).await;
    hear(stt, &material.another).await;
    let again = hear(stt, &material.utterance).await;
    assert_eq!(again, first, "the same utterance gives the same transcript, whatever came between");
}

async fn two_utterances_at_once_do_not_mix(stt: &dyn Stt, material: &Material) {
    let (alone, another_alone) = (hear(stt, &material.utterance).await, hear(stt, &material.another).await);
    assert_ne!(alone.text, another_alone.text, "the material says two different things");
    let (both, another_both) = tokio::join!(hear(stt, &material.utterance), hear(stt, &material.another));
    assert_eq!((both, another_both), (alone, another_alone), "utterances at the same time do not mix");
}
