//! Apertium with the pairs that `scripts/setup test` installs.

use std::{fs, path::Path, time::Duration};

use ai::translate::{Quality, TranslationRequest, Translator as _};
use kernel::ErrorKind;
use providers::translate::apertium::{Apertium, Settings};

fn apertium() -> Apertium {
    Apertium::new(&Settings::default())
}

fn request(from: &str, to: &str, texts: &[&str]) -> TranslationRequest {
    let texts = texts.iter().map(|text| (*text).to_owned()).collect();
    TranslationRequest { from: from.parse().unwrap(), to: to.parse().unwrap(), texts }
}

#[tokio::test]
async fn the_port_is_kept() {
    ai::translate::conformance::run(&apertium()).await;
}

#[tokio::test]
async fn pairs_say_honestly_how_good_they_are() {
    let pairs = apertium().pairs().await.unwrap();
    let quality = |from: &str, to: &str| {
        pairs.iter().find(|pair| pair.from.as_str() == from && pair.to.as_str() == to).map(|pair| pair.quality)
    };
    assert_eq!(quality("en", "es"), Some(Quality::Draft), "{pairs:?}");
    assert_eq!(quality("es", "ca"), Some(Quality::Good), "{pairs:?}");
    assert_eq!(quality("ca", "es"), Some(Quality::Good), "{pairs:?}");
}

#[tokio::test]
async fn sentences_are_translated_with_their_punctuation_and_without_marks() {
    let translations = apertium()
        .translate(&request("en-gb", "es-mx", &["The house is big.", "The xyzzyqux is in New York!", "  Yes \n"]))
        .await
        .unwrap();
    assert_eq!(translations[0], "La casa es grande.");
    assert!(translations[1].contains("xyzzyqux") && translations[1].contains("Nueva York"), "{translations:?}");
    assert!(!translations[1].contains('*') && translations[1].ends_with('!'), "{translations:?}");
    assert_eq!(translations[2], "  Sí \n");
    let catalan =
        apertium().translate(&request("es", "ca", &["La casa es grande y el perro es pequeño."])).await.unwrap();
    assert_eq!(catalan, ["La casa és gran i el gos és petit."]);
}

#[tokio::test]
async fn a_large_batch_is_translated_in_its_order() {
    let texts: Vec<String> = (0..1000).map(|n| format!("The house {n} is big.")).collect();
    let request = TranslationRequest { texts, ..request("en", "es", &[]) };
    let translations = apertium().translate(&request).await.unwrap();
    for (index, translation) in translations.iter().enumerate() {
        assert_eq!(translation, &format!("La casa {index} es grande."));
    }
}

#[tokio::test]
async fn long_and_odd_texts_come_through_every_pair() {
    let apertium = apertium();
    let odd =
        ["x".repeat(5000), "a ".repeat(2000), "(".repeat(3000), "9".repeat(4000), "e\u{301}\u{202e}~[^$".repeat(200)];
    let texts: Vec<&str> = odd.iter().map(String::as_str).chain(["The end."]).collect();
    for pair in apertium.pairs().await.unwrap() {
        let request = request(pair.from.as_str(), pair.to.as_str(), &texts);
        let translations = apertium.translate(&request).await.unwrap();
        for (text, translation) in texts.iter().zip(&translations) {
            let brackets = |text: &str| text.matches(['(', '[', '~', '^']).count();
            assert_eq!(brackets(translation), brackets(text), "{}-{}", pair.from, pair.to);
            assert!(translation.len() >= text.len() / 2, "{}-{}: {} bytes", pair.from, pair.to, translation.len());
        }
    }
}

#[tokio::test]
async fn a_pair_that_can_be_installed_is_named_with_its_package() {
    let error = apertium().translate(&request("eo", "en", &["Saluton"])).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert!(error.message.contains("`apertium-eo-en`") && error.message.contains("en-es"), "{error}");
}

#[tokio::test]
async fn without_apertium_there_are_no_pairs_and_the_package_is_named() {
    let apertium = Apertium::new(&Settings { data: Some("/nowhere".into()), ..Settings::default() });
    assert_eq!(apertium.pairs().await.unwrap(), []);
    let error = apertium.translate(&request("en", "es", &["Yes."])).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Missing);
    assert!(error.message.contains("`apertium-eng-spa`") && error.message.contains("none"), "{error}");
}

/// A data folder with one pair, English to Spanish, whose chain is `line`.
fn data_with(folder: &Path, line: &str) -> Settings {
    fs::create_dir_all(folder.join("modes")).unwrap();
    fs::write(folder.join("modes/eng-spa.mode"), line).unwrap();
    Settings { data: Some(folder.to_owned()), timeout: Duration::from_secs(20), ..Settings::default() }
}

#[tokio::test]
async fn broken_data_is_an_error_that_names_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let settings = data_with(folder.path(), "lt-proc '/nowhere/eng-spa.bin' | apertium-pretransfer");
    let error = Apertium::new(&settings).translate(&request("en", "es", &["Yes."])).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Missing);
    assert!(error.message.contains("lt-proc"), "{error}");
}

#[tokio::test]
async fn a_chain_that_does_not_answer_ends_in_time() {
    // A place that is given back each time: the second batch waits for nobody.
    let settings = Settings { timeout: Duration::ZERO, batches: 1, ..Settings::default() };
    let hurried = Apertium::new(&settings);
    for _ in 0..2 {
        let error = hurried.translate(&request("en", "es", &["Yes."])).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    }
}

#[test]
fn other_data_is_another_version() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let version = |folder: &Path, content: &str| {
        let file = folder.join("data.bin");
        fs::write(&file, content).unwrap();
        Apertium::new(&data_with(folder, &format!("lt-proc '{}'", file.display()))).version().to_owned()
    };
    assert_ne!(version(one.path(), "a"), version(two.path(), "longer"));
    assert_eq!(apertium().version(), apertium().version());
}
