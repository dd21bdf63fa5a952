//! What every translator must do: each adapter's tests run this suite against it.

use std::path::Path;

use kernel::{ErrorKind, Lang};

use super::{Pair, TranslationRequest, Translator};

/// What a shell would make of the hostile texts.
const TRACE: &str = "pressroom-translated-a-command";
/// Texts that shells, and the formats that translators speak among each other, read as something else than words.
const HOSTILE: [&str; 14] = [
    "$(touch pressroom-translated-a-command)",
    "`touch pressroom-translated-a-command`; touch pressroom-translated-a-command",
    "'; touch pressroom-translated-a-command #",
    "^/$\\",
    "[1] {2} <3> @4 ~5 *6 #7",
    "^word<n><sg>$",
    "[<STREAMCMD:FLUSH>]",
    "</b>[]",
    "\\0 \\n \\",
    "..[]",
    "\u{1}\u{7f}\u{85}",
    "a\u{0}b",
    "\u{202e}\u{feff}\u{fffd}",
    "🙂 👩‍👩‍👧",
];
/// What stands in them has to stand in their translations too, once for each time.
const KEPT: [char; 17] = ['^', '$', '\\', '[', ']', '{', '}', '<', '>', '@', '~', '*', '#', ';', '`', '(', ')'];

/// Runs the whole suite, with English sentences where the engine translates English.
///
/// # Panics
/// When the engine breaks a rule of the port; the message names the rule.
pub async fn run(translator: &dyn Translator) {
    let pairs = pairs_are_listed_and_sorted(translator).await;
    let Some(pair) = pairs.iter().find(|pair| pair.from.primary() == "en").or(pairs.first()) else { return };
    a_sentence_becomes_another(translator, pair).await;
    an_unsupported_pair_is_not_found(translator, &pairs).await;
    a_batch_keeps_its_order_and_count(translator, pair).await;
    texts_without_words_come_back(translator, pair).await;
    texts_and_batches_over_the_limit_are_invalid(translator, pair).await;
    lines_of_a_text_stay_in_one_text(translator, pair).await;
    hostile_texts_come_back_sane(translator, pair).await;
    two_batches_at_once_do_not_mix(translator, pair).await;
}

async fn translate(translator: &dyn Translator, pair: &Pair, texts: &[&str]) -> Vec<String> {
    match translator.translate(&request(pair, texts)).await {
        Ok(translations) => {
            assert_eq!(translations.len(), texts.len(), "there are as many translations as texts");
            translations
        }
        Err(error) => panic!("{texts:?} are not translated: {error}"),
    }
}

fn request(pair: &Pair, texts: &[&str]) -> TranslationRequest {
    let texts = texts.iter().map(|text| (*text).to_owned()).collect();
    TranslationRequest { from: pair.from.clone(), to: pair.to.clone(), texts }
}

async fn pairs_are_listed_and_sorted(translator: &dyn Translator) -> Vec<Pair> {
    let pairs = match translator.pairs().await {
        Ok(pairs) => pairs,
        Err(error) => panic!("pairs are not listed: {error}"),
    };
    assert!(!pairs.is_empty(), "an installed engine translates a pair");
    let sorted = pairs.windows(2).all(|two| (&two[0].from, &two[0].to) < (&two[1].from, &two[1].to));
    assert!(sorted, "pairs are sorted, without doubles: {pairs:?}");
    assert!(pairs.iter().all(|pair| pair.from != pair.to), "no language is translated into itself");
    assert!(!translator.name().is_empty() && !translator.version().is_empty(), "it has a name and a version");
    pairs
}

async fn a_sentence_becomes_another(translator: &dyn Translator, pair: &Pair) {
    let text = "The house of my friends is big, and the dog is small.";
    let translation = translate(translator, pair, &[text]).await.remove(0);
    assert!(!translation.trim().is_empty() && translation != text, "`{text}` becomes `{translation}`");
}

async fn an_unsupported_pair_is_not_found(translator: &dyn Translator, pairs: &[Pair]) {
    let Ok(unknown) = "qaa".parse::<Lang>() else { panic!("qaa is a language tag") };
    for (from, to) in [(&unknown, &pairs[0].to), (&pairs[0].from, &unknown), (&pairs[0].from, &pairs[0].from)] {
        let asked = TranslationRequest { from: from.clone(), to: to.clone(), texts: vec!["One.".to_owned()] };
        match translator.translate(&asked).await {
            Ok(_) => panic!("{from} is translated to {to}"),
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
                let names = |lang: &Lang| error.message.contains(lang.as_str());
                assert!(names(from) && names(to), "the message names the pair: {error}");
                assert!(error.message.contains(';'), "the message says what to do: {error}");
                assert!(pairs.iter().any(|p| names(&p.from) && names(&p.to)), "it says what is possible: {error}");
            }
        }
    }
}

async fn a_batch_keeps_its_order_and_count(translator: &dyn Translator, pair: &Pair) {
    assert!(translate(translator, pair, &[]).await.is_empty(), "no texts have no translations");
    let texts = ["The first house.", "", "A second dog", "  ", "The first house.", "Is the third one here?", "No"];
    let together = translate(translator, pair, &texts).await;
    for (text, translation) in texts.iter().zip(&together) {
        let alone = translate(translator, pair, &[text]).await.remove(0);
        assert_eq!(&alone, translation, "`{text}` is translated as if it were alone");
    }
    assert_eq!(translate(translator, pair, &texts).await, together, "the same texts give the same translations");
}

async fn texts_without_words_come_back(translator: &dyn Translator, pair: &Pair) {
    let texts = ["", " ", "\n\n", " … ", "—", "...", "?!"];
    assert_eq!(translate(translator, pair, &texts).await, texts, "a text without a word comes back as it is");
}

async fn texts_and_batches_over_the_limit_are_invalid(translator: &dyn Translator, pair: &Pair) {
    let long = "a ".repeat(translator.capability().max_text_bytes / 2 + 1);
    let many = vec!["Yes."; translator.capability().max_batch + 1];
    for request in [request(pair, &["Yes.", &long]), request(pair, &many)] {
        match translator.translate(&request).await {
            Ok(_) => panic!("more than the capability allows is translated"),
            Err(error) => assert_eq!(error.kind, ErrorKind::Invalid, "{error}"),
        }
    }
}

async fn lines_of_a_text_stay_in_one_text(translator: &dyn Translator, pair: &Pair) {
    let texts = ["The first line.\nThe second line.\r\n\nThe last one.", "Another text."];
    let translations = translate(translator, pair, &texts).await;
    assert_eq!(translations[0].lines().count(), 4, "the lines of a text are kept: {:?}", translations[0]);
    let alone = translate(translator, pair, &texts[1..]).await;
    assert_eq!(translations[1..], alone, "what follows a text with lines is translated as if it were alone");
}

async fn hostile_texts_come_back_sane(translator: &dyn Translator, pair: &Pair) {
    let mut texts = HOSTILE.to_vec();
    texts.push("The house is big.");
    let translations = translate(translator, pair, &texts).await;
    assert!(!Path::new(TRACE).exists(), "no text reaches a shell");
    for (text, translation) in texts.iter().zip(&translations) {
        for kept in KEPT {
            let count = |text: &str| text.matches(kept).count();
            assert_eq!(count(translation), count(text), "every `{kept}` of {text:?} is kept: {translation:?}");
        }
    }
    let alone = translate(translator, pair, &["The house is big."]).await;
    assert_eq!(translations.last(), alone.first(), "a text after hostile ones is translated as if it were alone");
}

async fn two_batches_at_once_do_not_mix(translator: &dyn Translator, pair: &Pair) {
    let (one, two) = (["The dog is small.", "Two"], ["My friends are here.", "Four", "Six"]);
    let alone = (translate(translator, pair, &one).await, translate(translator, pair, &two).await);
    let both = tokio::join!(translate(translator, pair, &one), translate(translator, pair, &two));
    assert_eq!(both, alone, "batches at the same time do not mix");
}
