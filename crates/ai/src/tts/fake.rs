//! A speech engine for tests: a tone for each word, with the times known exactly.

use std::sync::atomic::{AtomicUsize, Ordering};

use kernel::ErrorKind;

use super::{Capability, Speech, SpeechRequest, Tts, Voice, WordTime};
use crate::ProviderError;

const SAMPLE_RATE: u32 = 16_000;
const MAX_TEXT_BYTES: usize = 4096;
/// Length of one character's sound at rate 1.
const CHARACTER_MS: f32 = 60.0;
/// Silence between words at rate 1.
const GAP_MS: f32 = 40.0;
const LANGUAGES: [&str; 14] =
    ["ar", "cmn", "de", "en-gb", "en-us", "es", "fr-fr", "he", "hi", "it", "ja", "pt", "pt-br", "th"];

/// Speaks every word as a tone of 60 ms a character, with 40 ms of silence after each. Same request, same bytes.
#[derive(Debug, Default)]
pub struct FakeTts {
    calls: AtomicUsize,
}

impl FakeTts {
    pub fn new() -> Self {
        Self::default()
    }

    /// How often it was asked to speak.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

#[async_trait::async_trait]
impl Tts for FakeTts {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn version(&self) -> &'static str {
        "fake 1"
    }

    fn capability(&self) -> Capability {
        Capability { word_times: true, rate: true, pitch: true, max_text_bytes: MAX_TEXT_BYTES }
    }

    async fn voices(&self) -> Result<Vec<Voice>, ProviderError> {
        let voice = |tag: &&str| {
            let lang = tag.parse().ok()?;
            Some(Voice {
                id: (*tag).to_owned(),
                name: format!("Tones {tag}"),
                lang,
                gender: None,
                provider: "fake".to_owned(),
            })
        };
        Ok(LANGUAGES.iter().filter_map(voice).collect())
    }

    async fn speak(&self, request: &SpeechRequest) -> Result<Speech, ProviderError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if request.text.len() > MAX_TEXT_BYTES {
            let message =
                format!("the text has {} bytes; speak at most {MAX_TEXT_BYTES} at a time", request.text.len());
            return Err(ProviderError::new("fake", ErrorKind::Invalid, message));
        }
        if !LANGUAGES.contains(&request.voice.as_str()) {
            let message = format!("voice `{}` not found; there are {}", request.voice, LANGUAGES.join(", "));
            return Err(ProviderError::new("fake", ErrorKind::NotFound, message));
        }
        if !(0.5..=2.0).contains(&request.rate) || !(0.5..=2.0).contains(&request.pitch) {
            return Err(ProviderError::new("fake", ErrorKind::Invalid, "rate and pitch are 0.5 to 2.0"));
        }
        Ok(tones(request))
    }
}

fn tones(request: &SpeechRequest) -> Speech {
    let mut samples = Vec::new();
    let mut words = Vec::new();
    let per_ms = SAMPLE_RATE as f32 / 1000.0 / request.rate;
    for bytes in word_ranges(&request.text) {
        let word = &request.text[bytes.clone()];
        let start_ms = (samples.len() as u64 * 1000 / u64::from(SAMPLE_RATE)) as u32;
        words.push(WordTime { bytes, start_ms });
        let hertz = 180.0 * request.pitch + (word.bytes().map(u32::from).sum::<u32>() % 120) as f32;
        let length = (CHARACTER_MS * word.chars().count() as f32 * per_ms) as usize;
        let step = std::f32::consts::TAU * hertz / SAMPLE_RATE as f32;
        samples.extend((0..length).map(|n| (8000.0 * (step * n as f32).sin()) as i16));
        samples.resize(samples.len() + (GAP_MS * per_ms) as usize, 0);
    }
    Speech { sample_rate: SAMPLE_RATE, samples, words }
}

/// Runs of letters and digits; each character from the East Asian blocks on is a word of its own.
fn word_ranges(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut ranges: Vec<std::ops::Range<usize>> = Vec::new();
    for (at, character) in text.char_indices() {
        if character.is_whitespace() || !character.is_alphanumeric() && !is_mark(character) {
            continue;
        }
        let end = at + character.len_utf8();
        let apart = character >= '\u{2e80}';
        match ranges.last_mut() {
            Some(last) if last.end == at && !apart => last.end = end,
            _ => ranges.push(at..end),
        }
    }
    ranges
}

/// Combining marks of the scripts in [`LANGUAGES`], and the apostrophe, stay within their word.
fn is_mark(character: char) -> bool {
    matches!(character, '\'' | '’' | '\u{300}'..='\u{36f}' | '\u{591}'..='\u{5c7}' | '\u{610}'..='\u{65f}'
        | '\u{900}'..='\u{963}' | '\u{e31}'..='\u{e4e}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_fake_passes_its_own_conformance_suite() {
        crate::tts::conformance::run(&FakeTts::new()).await;
    }

    #[test]
    fn words_are_runs_of_letters_and_single_ideographs() {
        let text = "it’s 天气 สวัสดี";
        let words: Vec<&str> = word_ranges(text).into_iter().map(|r| &text[r]).collect();
        assert_eq!(words, ["it’s", "天", "气", "สวัสดี"]);
    }
}
