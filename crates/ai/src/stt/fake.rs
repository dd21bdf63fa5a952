//! An engine for tests that hears the tones of [`FakeTts`](crate::tts::FakeTts) as words.

use std::{
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering},
};

use kernel::{ErrorKind, Lang};

use super::{Capability, SAMPLE_RATE, Stt, Transcript, Utterance, Word};
use crate::ProviderError;

const MAX_SAMPLES: usize = 30 * SAMPLE_RATE as usize;
const LANGUAGES: [&str; 4] = ["de", "en", "es", "fr"];
/// Quieter samples are silence.
const AUDIBLE: u16 = 500;
/// The shortest silence between two words; the speaking fake leaves 40 ms at its own rate.
const GAP_SAMPLES: usize = SAMPLE_RATE as usize / 50;
/// Length of a letter's tone.
const LETTER_MS: f32 = 60.0;
/// A tone further from that of every word it could be is a word nobody knows.
const TOLERANCE_HERTZ: f32 = 8.0;
/// What is written for such a word.
const UNKNOWN: &str = "unknown";

/// Writes down which words of its vocabulary were spoken by the speaking fake, at rate and pitch 1.
#[derive(Debug, Default)]
pub struct FakeStt {
    vocabulary: Vec<String>,
    calls: AtomicUsize,
}

impl FakeStt {
    /// An engine that knows the words of `texts`.
    pub fn knowing(texts: &[&str]) -> Self {
        let mut vocabulary: Vec<String> = Vec::new();
        for word in texts.iter().flat_map(|text| text.split(|c: char| !c.is_alphanumeric() && !"'’".contains(c))) {
            if !word.is_empty() && !vocabulary.iter().any(|known| known == word) {
                vocabulary.push(word.to_owned());
            }
        }
        Self { vocabulary, calls: AtomicUsize::new(0) }
    }

    /// How often it was asked to listen.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    fn recognise(&self, tone: &[i16]) -> (&str, f32) {
        let letters = (tone.len() as f32 * 1000.0 / SAMPLE_RATE as f32 / LETTER_MS).round() as usize;
        let heard = hertz(tone);
        let distance = |word: &String| (hertz_of(word) - heard).abs();
        let candidates = self.vocabulary.iter().filter(|word| word.chars().count() == letters);
        match candidates.min_by(|a, b| distance(a).total_cmp(&distance(b))) {
            Some(word) if distance(word) <= TOLERANCE_HERTZ => (word, 1.0 - distance(word) / TOLERANCE_HERTZ),
            _ => (UNKNOWN, 0.0),
        }
    }
}

#[async_trait::async_trait]
impl Stt for FakeStt {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn version(&self) -> &'static str {
        "fake 1"
    }

    fn capability(&self) -> Capability {
        Capability { word_times: true, confidence: true, detects_lang: true, max_samples: MAX_SAMPLES }
    }

    async fn langs(&self) -> Result<Vec<Lang>, ProviderError> {
        Ok(LANGUAGES.iter().filter_map(|tag| tag.parse().ok()).collect())
    }

    async fn transcribe(&self, utterance: &Utterance) -> Result<Transcript, ProviderError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let length = utterance.samples.len();
        if length > MAX_SAMPLES {
            let message = format!("the utterance has {length} samples; send at most {MAX_SAMPLES} at a time");
            return Err(ProviderError::new("fake", ErrorKind::Invalid, message));
        }
        let lang = utterance.lang.clone().unwrap_or_else(Lang::english);
        if !LANGUAGES.contains(&lang.primary()) {
            let message = format!("language `{lang}` is not understood; there are {}", LANGUAGES.join(", "));
            return Err(ProviderError::new("fake", ErrorKind::NotFound, message));
        }
        let ms = |samples: usize| (samples as u64 * 1000 / u64::from(SAMPLE_RATE)) as u32;
        let as_word = |tone: Range<usize>| {
            let (text, confidence) = self.recognise(&utterance.samples[tone.clone()]);
            Word { text: text.to_owned(), start_ms: ms(tone.start), end_ms: ms(tone.end), confidence: Some(confidence) }
        };
        let words: Vec<Word> = tones(&utterance.samples).into_iter().map(as_word).collect();
        let text = words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
        let confidence = words.iter().filter_map(|word| word.confidence).reduce(f32::min);
        Ok(Transcript { text, lang, words, confidence })
    }
}

/// The stretches of sound between silences.
fn tones(samples: &[i16]) -> Vec<Range<usize>> {
    let mut tones: Vec<Range<usize>> = Vec::new();
    for (index, sample) in samples.iter().enumerate() {
        if sample.unsigned_abs() < AUDIBLE {
            continue;
        }
        match tones.last_mut() {
            Some(tone) if index - tone.end < GAP_SAMPLES => tone.end = index + 1,
            _ => tones.push(index..index + 1),
        }
    }
    tones
}

/// The frequency of a tone, from the time between its first and last rise through zero.
fn hertz(tone: &[i16]) -> f32 {
    let rises: Vec<usize> = (1..tone.len()).filter(|&n| tone[n - 1] < 0 && tone[n] >= 0).collect();
    let (Some(first), Some(last)) = (rises.first(), rises.last()) else { return 0.0 };
    (rises.len() - 1) as f32 * SAMPLE_RATE as f32 / (last - first).max(1) as f32
}

/// The tone that the speaking fake has for a word.
fn hertz_of(word: &str) -> f32 {
    180.0 + (word.bytes().map(u32::from).sum::<u32>() % 120) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        stt::conformance::{self, Material},
        tts::{FakeTts, SpeechRequest, Tts as _},
    };

    async fn spoken(text: &str) -> Utterance {
        let request = SpeechRequest { text: text.to_owned(), voice: "en-us".to_owned(), rate: 1.0, pitch: 1.0 };
        let speech = FakeTts::new().speak(&request).await.unwrap();
        assert_eq!(speech.sample_rate, SAMPLE_RATE);
        Utterance { samples: speech.samples.into(), lang: Some(Lang::english()) }
    }

    #[tokio::test]
    async fn the_fake_passes_its_own_conformance_suite() {
        let texts = ["We counted birds by the river, and then went home.", "Another sentence entirely"];
        let material = Material {
            utterance: spoken(texts[0]).await,
            said: texts[0].to_owned(),
            most_word_errors: 0.0,
            another: spoken(texts[1]).await,
        };
        conformance::run(&FakeStt::knowing(&texts), &material).await;
    }

    #[tokio::test]
    async fn a_word_outside_the_vocabulary_is_heard_without_confidence() {
        let transcript = FakeStt::knowing(&["good morning"]).transcribe(&spoken("good elephants").await).await.unwrap();
        assert_eq!(transcript.text, "good unknown");
        assert_eq!(transcript.confidence, Some(0.0));
        assert!(transcript.words[0].confidence > Some(0.5), "{transcript:?}");
    }
}
