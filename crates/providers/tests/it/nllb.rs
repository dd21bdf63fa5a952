//! Translation by models of the family nllb, which CTranslate2 runs: a model that puts one word for another, so that it is
//! known what it has to write.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in what it calls too")]

use std::fs;

use ai::translate::{Quality, TranslationRequest, Translator as _, conformance};
use kernel::ErrorKind;
use providers::{
    models::{FAMILIES, ModelPool},
    translate::{nllb::Nllb, of_models},
};

use crate::{
    ct2_file::Matrix,
    ct2_nllb::{Habit, model},
    ct2_shelf::Shelf,
};

fn pool() -> ModelPool {
    ModelPool::new(8 << 30)
}

async fn engine(shelf: &Shelf, habit: Habit) -> Nllb {
    Nllb::new(shelf.add("tiny", &model(habit), &[]).await.unwrap(), &pool())
}

fn request(from: &str, to: &str, texts: &[&str]) -> TranslationRequest {
    let texts = texts.iter().map(|text| (*text).to_owned()).collect();
    TranslationRequest { from: from.parse().unwrap(), to: to.parse().unwrap(), texts }
}

#[tokio::test]
async fn the_port_is_kept() {
    let shelf = Shelf::new();
    conformance::run(&engine(&shelf, Habit::WordForWord).await).await;
}

#[tokio::test]
async fn sentences_are_translated_one_by_one_and_what_stands_between_them_stays() {
    let shelf = Shelf::new();
    let texts = [
        "The house is big.",
        "The dog is small. Yes!  The house is the dog?\nThe dog, and xyz.",
        "(The house) is `big`; </s> spa_Latn 🙂",
        "  ",
    ];
    let made = engine(&shelf, Habit::WordForWord).await.translate(&request("en-gb", "es-mx", &texts)).await.unwrap();
    assert_eq!(made[0], "La casa es grande.");
    assert_eq!(made[1], "La perra es chica. Sí!  La casa es la perra?\nLa perra, y xyz.");
    // The model knows neither brackets nor pictures; what looks like one of its own marks is text like any other.
    assert_eq!(made[2], "(La casa) es `grande`; </s> spa_Latn 🙂");
    assert_eq!(made[3], "  ");
}

#[tokio::test]
async fn pairs_are_those_of_the_models_languages_and_say_how_good_they_are() {
    let shelf = Shelf::new();
    let pairs = engine(&shelf, Habit::WordForWord).await.pairs().await.unwrap();
    let names: Vec<String> = pairs.iter().map(|pair| format!("{}-{}", pair.from, pair.to)).collect();
    assert_eq!(names, ["en-es", "en-fr", "es-en", "es-fr", "fr-en", "fr-es"]);
    let good: Vec<bool> = pairs.iter().map(|pair| pair.quality == Quality::Good).collect();
    assert_eq!(good, [true, true, true, false, true, false]);
}

#[tokio::test]
async fn a_sentence_that_is_too_long_for_the_model_loses_nothing() {
    let shelf = Shelf::new();
    let engine = engine(&shelf, Habit::WordForWord).await;
    let long = "The house and the dog ".repeat(150);
    let made = engine.translate(&request("en", "es", &[long.trim(), &"x".repeat(900)])).await.unwrap();
    assert_eq!(made[0], "La casa y la perra ".repeat(150).trim());
    assert_eq!(made[1].matches('x').count(), 900);
}

#[tokio::test]
async fn a_translation_that_goes_round_in_circles_is_made_anew() {
    let shelf = Shelf::new();
    let made =
        engine(&shelf, Habit::Looping).await.translate(&request("en", "es", &["The dog is big."])).await.unwrap();
    // Unguarded it would be forty times the same; now no three tokens follow one another twice.
    assert!(!made[0].contains(&"casa ".repeat(8)), "{made:?}");
}

#[tokio::test]
async fn a_model_is_shared_and_given_up_when_memory_is_full() {
    let shelf = Shelf::new();
    let first = shelf.add("first", &model(Habit::WordForWord), &[]).await.unwrap();
    let second = shelf.add("second", &model(Habit::WordForWord), &[("compute", "int8"), ("beam", "1")]).await.unwrap();
    let request = request("en", "es", &["The house is big."]);

    let roomy = pool();
    let engines = of_models(vec![first.clone(), first.clone()], &roomy);
    let (a, b) = tokio::join!(engines[0].translate(&request), engines[1].translate(&request));
    assert!(a.unwrap() == b.unwrap() && roomy.loaded() == 1, "two jobs share one model");

    // As if memory were always full: only the last used model stays.
    let full = ModelPool::with_gauge(1, || Some(u64::MAX), FAMILIES);
    let (one, other) = (Nllb::new(first, &full), Nllb::new(second, &full));
    assert_ne!(one.version(), other.version());
    let before = one.translate(&request).await.unwrap();
    assert_eq!(other.translate(&request).await.unwrap(), before);
    assert_eq!(full.loaded(), 1, "the first model was given up for the second");
    assert_eq!(one.translate(&request).await.unwrap(), before, "and is loaded again when it is needed");
}

#[tokio::test]
async fn what_is_missing_or_wrong_is_named() {
    let shelf = Shelf::new();
    let whole = model(Habit::WordForWord);
    let mut without = whole.clone();
    without.texts.remove("tokenizer.json");
    without.texts.insert("sentencepiece.bpe.model", "pieces".to_owned());
    let mut damaged = whole.clone();
    damaged.texts.insert("tokenizer.json", "{}".to_owned());
    let mut narrow = whole.clone();
    narrow.arrays.insert("encoder/layer_0/self_attention/linear_0/weight".to_owned(), Matrix::zeros(&[480, 159]));
    let mut bare = whole.clone();
    bare.texts.insert("config.json", "{}".to_owned());
    let mut wild = whole.clone();
    wild.array("decoder/projection/weight", &[]).numbers.fill(f32::NAN);
    for (name, file, said) in [
        ("without", without, "no `tokenizer.json`"),
        ("damaged", damaged, "`tokenizer.json` cannot be read"),
        ("narrow", narrow, "[480, 159]"),
        ("bare", bare, "`unk_token`"),
        ("wild", wild, "no numbers"),
    ] {
        let error = shelf.add(name, &file, &[]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{name}: {error}");
        assert!(error.to_string().contains(said), "{name}: {error}");
    }
    whole.write(&shelf.path("cut"));
    let bytes = whole.bytes();
    fs::write(shelf.path("cut").join("model.bin"), &bytes[..bytes.len() / 2]).unwrap();
    let error = shelf.add_folder("cut", &[]).await.unwrap_err().to_string();
    assert!(error.contains("ends too early"), "{error}");
}

#[tokio::test]
async fn a_pair_of_other_languages_is_not_found() {
    let shelf = Shelf::new();
    let engine = engine(&shelf, Habit::WordForWord).await;
    for (from, to) in [("en", "ja"), ("en-us", "en-gb")] {
        let error = engine.translate(&request(from, to, &["Yes."])).await.unwrap_err();
        assert!(error.kind == ErrorKind::NotFound && error.message.contains("en, es, fr"), "{error}");
    }
}
