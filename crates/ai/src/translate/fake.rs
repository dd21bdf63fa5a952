//! A translator for tests: every word backwards, so that a translation can be told from its text and counted by hand.

use std::sync::atomic::{AtomicUsize, Ordering};

use kernel::{ErrorKind, Lang};

use super::{Capability, Pair, Quality, TranslationRequest, Translator};
use crate::ProviderError;

const MAX_TEXT_BYTES: usize = 4096;
const MAX_BATCH: usize = 100;

/// Writes the letters of each word in reverse. Words with a digit, and all else between words, stay as they are. Same
/// request, same texts.
#[derive(Debug)]
pub struct FakeTranslator {
    pairs: Vec<Pair>,
    calls: AtomicUsize,
    texts: AtomicUsize,
}

impl FakeTranslator {
    /// A translator of these pairs; tags that are none are left out.
    pub fn new(pairs: &[(&str, &str, Quality)]) -> Self {
        let as_pair = |(from, to, quality): &(&str, &str, Quality)| {
            Some(Pair { from: from.parse().ok()?, to: to.parse().ok()?, quality: *quality })
        };
        let mut pairs: Vec<Pair> = pairs.iter().filter_map(as_pair).collect();
        pairs.sort();
        Self { pairs, calls: AtomicUsize::new(0), texts: AtomicUsize::new(0) }
    }

    /// How often it was asked to translate a batch.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// How many texts it was asked to translate.
    pub fn texts(&self) -> usize {
        self.texts.load(Ordering::SeqCst)
    }

    fn check(&self, request: &TranslationRequest) -> Result<(), ProviderError> {
        let error = |kind, message| Err(ProviderError::new("fake", kind, message));
        let speaks = |known: &Lang, asked: &Lang| known.primary() == asked.primary();
        if !self.pairs.iter().any(|pair| speaks(&pair.from, &request.from) && speaks(&pair.to, &request.to)) {
            let list: Vec<String> = self.pairs.iter().map(|pair| format!("{}-{}", pair.from, pair.to)).collect();
            let message =
                format!("`{}-{}` cannot be translated; there are {}", request.from, request.to, list.join(", "));
            return error(ErrorKind::NotFound, message);
        }
        if request.texts.len() > MAX_BATCH {
            let message = format!("the batch has {} texts; send at most {MAX_BATCH}", request.texts.len());
            return error(ErrorKind::Invalid, message);
        }
        if let Some(long) = request.texts.iter().map(String::len).find(|&length| length > MAX_TEXT_BYTES) {
            let message = format!("a text has {long} bytes; send at most {MAX_TEXT_BYTES} in one");
            return error(ErrorKind::Invalid, message);
        }
        Ok(())
    }
}

#[async_trait::async_trait]
impl Translator for FakeTranslator {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn version(&self) -> &'static str {
        "fake 1"
    }

    fn capability(&self) -> Capability {
        Capability { max_text_bytes: MAX_TEXT_BYTES, max_batch: MAX_BATCH }
    }

    async fn pairs(&self) -> Result<Vec<Pair>, ProviderError> {
        Ok(self.pairs.clone())
    }

    async fn translate(&self, request: &TranslationRequest) -> Result<Vec<String>, ProviderError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.check(request)?;
        self.texts.fetch_add(request.texts.len(), Ordering::SeqCst);
        Ok(request.texts.iter().map(|text| backwards(text)).collect())
    }
}

fn backwards(text: &str) -> String {
    let mut out = String::new();
    let mut word = String::new();
    // The space at the end is only there to end the last word.
    for character in text.chars().chain([' ']) {
        if character.is_alphanumeric() {
            word.push(character);
            continue;
        }
        let is_plain = word.chars().all(char::is_alphabetic);
        let turned: String = if is_plain { word.chars().rev().collect() } else { word.clone() };
        out.push_str(&turned);
        word.clear();
        out.push(character);
    }
    out.pop();
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_fake_passes_its_own_conformance_suite() {
        let pairs = [("es", "ca", Quality::Good), ("en", "es", Quality::Draft)];
        crate::translate::conformance::run(&FakeTranslator::new(&pairs)).await;
    }

    #[test]
    fn words_are_reversed_and_numbers_kept() {
        assert_eq!(backwards("The cat, 21 birds\nand X1X."), "ehT tac, 21 sdrib\ndna X1X.");
    }
}
