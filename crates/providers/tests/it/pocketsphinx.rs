//! PocketSphinx on the human speech of Debian's package `pocketsphinx-testdata`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use ai::stt::{Stt as _, Utterance, WordErrors, conformance::Material};
use kernel::{ErrorKind, Lang};
use providers::stt::pocketsphinx::{PocketSphinx, Settings};

const SPEECH: &str = "/usr/share/pocketsphinx/test/data";

fn pocketsphinx() -> PocketSphinx {
    PocketSphinx::new(&Settings::default())
}

fn english(samples: Vec<i16>) -> Utterance {
    Utterance { samples: samples.into(), lang: Some(Lang::english()) }
}

fn raw(name: &str) -> Utterance {
    let path = Path::new(SPEECH).join(name);
    let bytes = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}; run scripts/setup test", path.display()));
    english(bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect())
}

/// The sentences of an audiobook, each with what is said in it.
fn sentences() -> Vec<(String, Utterance)> {
    let folder = Path::new(SPEECH).join("librivox");
    let list = fs::read_to_string(folder.join("transcription")).expect("run scripts/setup test");
    let sentence = |line: &str| {
        let (said, id) = line.rsplit_once('(').unwrap();
        let reader = hound::WavReader::open(folder.join(format!("{}.wav", id.trim_end_matches(')')))).unwrap();
        assert_eq!(reader.spec().sample_rate, ai::stt::SAMPLE_RATE);
        let samples = reader.into_samples::<i16>().map(Result::unwrap).collect();
        (said.replace("<s>", "").replace("</s>", ""), english(samples))
    };
    list.lines().map(sentence).collect()
}

#[tokio::test]
async fn the_port_is_kept() {
    let material = Material {
        utterance: raw("goforward.raw"),
        said: "go forward ten meters".to_owned(),
        most_word_errors: 0.0,
        another: sentences().swap_remove(1).1,
    };
    ai::stt::conformance::run(&pocketsphinx(), &material).await;
}

#[tokio::test]
async fn most_words_of_human_speech_are_understood() {
    let engine = pocketsphinx();
    let mut total = WordErrors::default();
    for (said, utterance) in sentences() {
        let transcript = engine.transcribe(&utterance).await.unwrap();
        total += WordErrors::count(&said, &transcript.text);
    }
    assert_eq!(total.reference_words, 71);
    assert!(total.rate() <= 0.30, "{:.3}: {total:?}", total.rate());
}

#[tokio::test]
async fn words_have_the_times_of_their_sound() {
    let alone = raw("goforward.raw");
    let engine = pocketsphinx();
    let first = engine.transcribe(&alone).await.unwrap();
    // The same after a second of quiet: each word a second later.
    let later: Vec<i16> = vec![0; 16_000].into_iter().chain(alone.samples.iter().copied()).collect();
    let second = engine.transcribe(&english(later)).await.unwrap();
    assert_eq!(first.text, second.text);
    for (before, after) in first.words.iter().zip(&second.words) {
        assert!((before.start_ms + 1000).abs_diff(after.start_ms) <= 50, "{before:?} {after:?}");
        assert!((before.end_ms + 1000).abs_diff(after.end_ms) <= 50, "{before:?} {after:?}");
    }
}

#[tokio::test]
async fn a_wrong_word_is_less_sure_than_a_right_one() {
    let engine = pocketsphinx();
    let (mut right, mut wrong) = (Vec::new(), Vec::new());
    for (said, utterance) in sentences() {
        for word in engine.transcribe(&utterance).await.unwrap().words {
            let known = said.split_whitespace().any(|other| other == word.text);
            if known { right.push(word.confidence.unwrap()) } else { wrong.push(word.confidence.unwrap()) }
        }
    }
    let mean = |all: &[f32]| all.iter().sum::<f32>() / all.len() as f32;
    assert!(mean(&right) > mean(&wrong) + 0.2, "right {:.2}, wrong {:.2}", mean(&right), mean(&wrong));
}

#[tokio::test]
async fn loud_noise_and_extreme_samples_do_not_end_the_engine() {
    let engine = pocketsphinx();
    let mut state: u32 = 1;
    let noise: Vec<i16> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as i16
    })
    .take(32_000)
    .collect();
    for samples in [noise, vec![i16::MIN; 16_000], vec![i16::MAX; 500], [i16::MIN, i16::MAX].repeat(8000), vec![9999]] {
        engine.transcribe(&english(samples)).await.unwrap();
    }
    assert_eq!(engine.transcribe(&raw("goforward.raw")).await.unwrap().text, "go forward ten meters");
}

#[tokio::test]
async fn a_missing_library_or_model_is_named_with_its_package() {
    let without_library = Settings { library: Some("/nowhere/libpocketsphinx.so.3".into()), ..Settings::default() };
    let without_model = Settings { model: Some(PathBuf::from("/nowhere")), ..Settings::default() };
    for settings in [without_library, without_model] {
        let engine = PocketSphinx::new(&settings);
        assert_eq!(engine.langs().await.unwrap(), []);
        let error = engine.transcribe(&raw("goforward.raw")).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Missing, "{error}");
        assert!(error.message.contains("`pocketsphinx-en-us`"), "{error}");
    }
}

#[tokio::test]
async fn a_file_that_is_not_of_the_model_is_an_error_that_names_it() {
    let installed = Path::new("/usr/share/pocketsphinx/model/en-us");
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("en-us")).unwrap();
    for entry in fs::read_dir(installed.join("en-us")).unwrap().flatten() {
        fs::copy(entry.path(), folder.path().join("en-us").join(entry.file_name())).unwrap();
    }
    fs::copy(installed.join("cmudict-en-us.dict"), folder.path().join("cmudict-en-us.dict")).unwrap();
    fs::write(folder.path().join("en-us.lm.bin"), "a page that says that the file has moved").unwrap();
    let engine = PocketSphinx::new(&Settings { model: Some(folder.path().to_owned()), ..Settings::default() });
    let error = engine.transcribe(&raw("goforward.raw")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Missing, "{error}");
    assert!(error.message.contains("en-us.lm.bin"), "{error}");
}
