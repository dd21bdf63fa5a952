//! Listening by models of the family whisper, which CTranslate2 runs: a model that says what it is made to say, so that it is
//! known what it has to write down, and when.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in what it calls too")]

use std::fs;

use ai::stt::{Stt as _, Transcript, Utterance, conformance, conformance::Material};
use kernel::{ErrorKind, Lang};
use providers::{
    models::{FAMILIES, ModelPool},
    stt::{of_models, whisper::Whisper},
};

use crate::{
    ct2_shelf::Shelf,
    ct2_whisper::{HIGH_SAYS, Habit, LOW_SAYS, high, low, model},
};

fn pool() -> ModelPool {
    ModelPool::new(8 << 30)
}

fn lang(tag: &str) -> Lang {
    tag.parse().unwrap()
}

async fn engine(shelf: &Shelf, habit: Habit) -> Whisper {
    Whisper::new(shelf.add("tiny", &model(habit), &[]).await.unwrap(), &pool())
}

fn material() -> Material {
    Material {
        utterance: low(Some(Lang::english())),
        said: LOW_SAYS.to_owned(),
        most_word_errors: 0.0,
        another: high(Some(Lang::english())),
    }
}

#[tokio::test]
async fn the_port_is_kept() {
    let shelf = Shelf::new();
    conformance::run(&engine(&shelf, Habit::Sure).await, &material()).await;
}

#[tokio::test]
async fn a_model_of_english_alone_keeps_the_port_and_finds_out_no_language() {
    let shelf = Shelf::new();
    let engine = engine(&shelf, Habit::EnglishOnly).await;
    assert_eq!((engine.langs().await.unwrap(), engine.capability().detects_lang), (vec![lang("en")], false));
    conformance::run(&engine, &material()).await;
}

#[tokio::test]
async fn words_have_the_times_at_which_the_model_looks_while_it_writes_them() {
    let shelf = Shelf::new();
    let heard = engine(&shelf, Habit::Sure).await.transcribe(&low(Some(lang("en-gb")))).await.unwrap();
    assert_eq!((heard.text.as_str(), &heard.lang), (LOW_SAYS, &lang("en-gb")));
    let expected = [("go", 0, 500), ("forward", 500, 1_500), ("ten", 1_500, 2_000), ("meters.", 2_000, 2_500)];
    assert_eq!(heard.words.len(), expected.len(), "{heard:?}");
    for (word, (text, start_ms, end_ms)) in heard.words.iter().zip(expected) {
        assert_eq!(word.text, text);
        // The attention is smoothed over 140 ms.
        assert!(word.start_ms.abs_diff(start_ms) <= 80 && word.end_ms.abs_diff(end_ms) <= 80, "{word:?}");
        assert!(word.confidence.unwrap() > 0.9, "{word:?}");
    }
    assert!(heard.confidence.unwrap() > 0.9);
}

#[tokio::test]
async fn the_language_is_found_out_and_taken_as_it_is_given() {
    let shelf = Shelf::new();
    let engine = engine(&shelf, Habit::Sure).await;
    assert_eq!(engine.langs().await.unwrap(), [lang("en"), lang("es")]);
    for (utterance, found, said) in [(low(None), "en", LOW_SAYS), (high(None), "es", HIGH_SAYS)] {
        let heard = engine.transcribe(&utterance).await.unwrap();
        assert_eq!((heard.lang, heard.text.as_str()), (lang(found), said));
    }
    let given = engine.transcribe(&high(Some(lang("es-mx")))).await.unwrap();
    assert_eq!((given.lang, given.text.as_str()), (lang("es-mx"), HIGH_SAYS));
}

#[tokio::test]
async fn what_the_model_itself_takes_for_silence_is_no_words() {
    let shelf = Shelf::new();
    let heard = engine(&shelf, Habit::Doubtful).await.transcribe(&low(Some(lang("en")))).await.unwrap();
    assert_eq!(heard, Transcript { text: String::new(), lang: lang("en"), words: Vec::new(), confidence: None });
}

#[tokio::test]
async fn a_text_that_goes_round_in_circles_is_written_anew() {
    let shelf = Shelf::new();
    let heard = engine(&shelf, Habit::Looping).await.transcribe(&low(Some(lang("en")))).await.unwrap();
    // Unguarded it would be thirty times the same; now no three tokens follow one another twice.
    assert!(heard.text.matches("go").count() < 8, "{}", heard.text);
    assert!(heard.words.windows(2).all(|pair| pair[0].end_ms <= pair[1].start_ms), "{heard:?}");
}

#[tokio::test]
async fn very_short_and_half_minute_utterances_are_heard() {
    let shelf = Shelf::new();
    let engine = engine(&shelf, Habit::Sure).await;
    for length in [1, 100, 400, engine.capability().max_samples] {
        let samples: Vec<i16> = low(None).samples.iter().copied().cycle().take(length).chain([9_999]).skip(1).collect();
        let duration_ms = length as u64 * 1_000 / 16_000;
        let heard = engine.transcribe(&Utterance { samples: samples.into(), lang: Some(lang("en")) }).await.unwrap();
        assert!(heard.words.iter().all(|word| u64::from(word.end_ms) <= duration_ms), "{length}: {heard:?}");
    }
}

#[tokio::test]
async fn options_are_kept_and_wrong_ones_refused() {
    let shelf = Shelf::new();
    let plain = shelf.add("plain", &model(Habit::Sure), &[]).await.unwrap();
    let greedy = shelf.add("greedy", &model(Habit::Sure), &[("beam", "1"), ("compute", "int8")]).await.unwrap();
    let (plain, greedy) = (Whisper::new(plain, &pool()), Whisper::new(greedy, &pool()));
    assert_ne!(plain.version(), greedy.version());
    assert_eq!(greedy.transcribe(&low(Some(lang("en")))).await.unwrap().text, LOW_SAYS);
    let error = shelf.add("wrong", &model(Habit::Sure), &[("beam", "0")]).await.unwrap_err().to_string();
    assert!(error.contains("`beam`"), "{error}");
}

#[tokio::test]
async fn a_model_is_shared_and_given_up_when_memory_is_full() {
    let shelf = Shelf::new();
    let first = shelf.add("first", &model(Habit::Sure), &[]).await.unwrap();
    let second = shelf.add("second", &model(Habit::Sure), &[("beam", "2")]).await.unwrap();
    let utterance = low(Some(lang("en")));

    let roomy = pool();
    let engines = of_models(vec![first.clone(), first.clone()], &roomy);
    let (a, b) = tokio::join!(engines[0].transcribe(&utterance), engines[1].transcribe(&utterance));
    assert!(a.unwrap() == b.unwrap() && roomy.loaded() == 1, "two jobs share one model");

    // As if memory were always full: only the last used model stays.
    let full = ModelPool::with_gauge(1, || Some(u64::MAX), FAMILIES);
    let (one, other) = (Whisper::new(first, &full), Whisper::new(second, &full));
    let before = one.transcribe(&utterance).await.unwrap();
    other.transcribe(&utterance).await.unwrap();
    assert_eq!(full.loaded(), 1, "the first model was given up for the second");
    assert_eq!(one.transcribe(&utterance).await.unwrap(), before, "and is loaded again when it is needed");
}

#[tokio::test]
async fn a_file_that_was_cut_off_is_refused_wherever_it_was() {
    let shelf = Shelf::new();
    let whole = model(Habit::Sure);
    whole.write(&shelf.path("cut"));
    let bytes = whole.bytes();
    for length in [40, 100, bytes.len() / 3, bytes.len() - 3] {
        fs::write(shelf.path("cut").join("model.bin"), &bytes[..length]).unwrap();
        let error = shelf.add_folder("cut", &[]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("model `cut` cannot be loaded: its `model.bin`"), "{length}: {error}");
    }
}

/// What is wrong with a model, how to make it so, and what is said of it.
type Fault = (&'static str, fn(&mut crate::ct2_file::Ct2File), &'static str);

const FAULTS: [Fault; 12] = [
    ("fewer-embeddings", |file| file.array("decoder/embeddings/weight", &[]).shape[0] -= 1, "embeddings"),
    (
        "narrow-layer",
        |file| drop(file.arrays.insert("decoder/layer_0/ffn/linear_1/weight".into(), matrix(&[32, 60]))),
        "ffn/linear_1",
    ),
    ("lost-layer", |file| drop(file.arrays.remove("decoder/layer_0/attention/linear_0/weight")), "attention/linear_0"),
    ("lost-norm", |file| drop(file.arrays.remove("encoder/layer_norm/gamma")), "encoder/layer_norm/gamma"),
    ("odd-heads", |file| file.number("decoder/num_heads", 5), "5 heads"),
    ("no-heads", |file| file.number("encoder/num_heads", 0), "0 heads"),
    ("other-attention", |file| file.number("decoder/layer_0/self_attention/num_heads_kv", 1), "num_heads_kv"),
    ("far-alignment", |file| file.number("decoder/alignment_layer", 7), "layer 7"),
    ("unknown-array", |file| drop(file.arrays.insert("decoder/layer_0/extra/weight".into(), matrix(&[2, 2]))), "extra"),
    ("far-head", |file| set(file, "alignment_heads", serde_json::json!([[0, 2]])), "head 2 of layer 0"),
    ("far-token", |file| set(file, "suppress_ids", serde_json::json!([21])), "token 21"),
    ("no-tokens", |file| drop(file.texts.remove("vocabulary.json")), "vocabulary.json"),
];

fn matrix(shape: &[usize]) -> crate::ct2_file::Matrix {
    crate::ct2_file::Matrix::zeros(shape)
}

fn set(file: &mut crate::ct2_file::Ct2File, name: &str, value: serde_json::Value) {
    let mut settings: serde_json::Value = serde_json::from_str(&file.texts["config.json"]).unwrap();
    settings[name] = value;
    file.texts.insert("config.json", settings.to_string());
}

/// Each of these would have CTranslate2 read or write what is not there, or end the process.
#[tokio::test]
async fn a_model_that_contradicts_itself_is_refused_with_the_reason() {
    let shelf = Shelf::new();
    for (name, spoil, said) in FAULTS {
        let mut file = model(Habit::Sure);
        spoil(&mut file);
        if name == "fewer-embeddings" {
            let array = file.array("decoder/embeddings/weight", &[]);
            array.numbers.truncate(array.shape.iter().product::<u32>() as usize);
        }
        let error = shelf.add(name, &file, &[]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{name}: {error}");
        assert!(error.to_string().contains(said), "{name}: {error}");
    }
    let mut wild = model(Habit::Sure);
    wild.array("decoder/projection/weight", &[]).numbers.fill(f32::NAN);
    let error = shelf.add("wild", &wild, &[]).await.unwrap_err().to_string();
    // Which of its results is looked at first depends on what the processor makes of them.
    let reasons = ["finds out no language", "gave what are no numbers"];
    assert!(reasons.iter().any(|reason| error.contains(reason)), "{error}");
}

#[tokio::test]
async fn settings_that_are_not_there_are_not_asked_for() {
    let shelf = Shelf::new();
    let mut file = model(Habit::Sure);
    file.texts.insert("config.json", "{}".to_owned());
    let engine = Whisper::new(shelf.add("bare", &file, &[]).await.unwrap(), &pool());
    let capability = engine.capability();
    assert!(!capability.word_times && !capability.detects_lang, "{capability:?}");
    let heard = engine.transcribe(&low(Some(lang("en")))).await.unwrap();
    assert_eq!((heard.text.as_str(), heard.words.len()), (LOW_SAYS, 0));
    assert_eq!(engine.transcribe(&low(None)).await.unwrap_err().kind, ErrorKind::Invalid);
}
