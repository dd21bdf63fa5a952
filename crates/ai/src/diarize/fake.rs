//! A speaker encoder for tests that tells low tones from high ones.

use std::{
    f32::consts::FRAC_PI_2,
    sync::atomic::{AtomicUsize, Ordering},
};

use kernel::ErrorKind;

use super::{Capability, Embedding, SAMPLE_RATE, SpeakerEncoder, Speech};
use crate::ProviderError;

const MIN_SAMPLES: usize = SAMPLE_RATE as usize / 5;
const MAX_SAMPLES: usize = 30 * SAMPLE_RATE as usize;
/// Between the tones of the speaking fake at pitch 1 and those at pitch 2.
const BETWEEN_HERTZ: f32 = 330.0;
/// Over how much of that a voice becomes another.
const SPREAD_HERTZ: f32 = 10.0;
/// Quieter samples are noise.
const AUDIBLE: i16 = 100;

/// Hears one voice in tones below 330 Hz, and another in those above. Same speech, same voice.
#[derive(Debug, Default)]
pub struct FakeSpeakerEncoder {
    calls: AtomicUsize,
}

impl FakeSpeakerEncoder {
    pub fn new() -> Self {
        Self::default()
    }

    /// How often it was asked whose voice it hears.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

#[async_trait::async_trait]
impl SpeakerEncoder for FakeSpeakerEncoder {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn version(&self) -> &'static str {
        "fake 1"
    }

    fn capability(&self) -> Capability {
        Capability { min_samples: MIN_SAMPLES, max_samples: MAX_SAMPLES, same_voice: 0.5 }
    }

    async fn check(&self) -> Result<(), ProviderError> {
        Ok(())
    }

    async fn embed(&self, speech: &Speech) -> Result<Option<Embedding>, ProviderError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let length = speech.samples.len();
        if !(MIN_SAMPLES..=MAX_SAMPLES).contains(&length) {
            let message = format!("the speech has {length} samples; send {MIN_SAMPLES} to {MAX_SAMPLES} at a time");
            return Err(ProviderError::new("fake", ErrorKind::Invalid, message));
        }
        Ok(hertz(&speech.samples).and_then(|hertz| {
            let angle = FRAC_PI_2 / (1.0 + ((BETWEEN_HERTZ - hertz) / SPREAD_HERTZ).exp());
            Embedding::of(&[angle.cos(), angle.sin()])
        }))
    }
}

/// The median frequency of the periods in a sound; none in silence.
fn hertz(samples: &[i16]) -> Option<f32> {
    let rises: Vec<usize> = (1..samples.len()).filter(|&n| samples[n - 1] < AUDIBLE && samples[n] >= AUDIBLE).collect();
    let mut periods: Vec<usize> = rises.windows(2).map(|pair| pair[1] - pair[0]).collect();
    periods.sort_unstable();
    periods.get(periods.len() / 2).map(|&period| SAMPLE_RATE as f32 / period as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diarize::conformance::{self, Material},
        tts::{FakeTts, SpeechRequest, Tts as _},
    };

    async fn spoken(text: &str, pitch: f32) -> Speech {
        let request = SpeechRequest { text: text.to_owned(), voice: "en-us".to_owned(), rate: 1.0, pitch };
        Speech { samples: FakeTts::new().speak(&request).await.unwrap().samples.into() }
    }

    #[tokio::test]
    async fn the_fake_passes_its_own_conformance_suite() {
        let material = Material {
            speech: spoken("The river is high.", 1.0).await,
            same: spoken("We counted the birds.", 1.0).await,
            another: spoken("The river is high.", 2.0).await,
        };
        conformance::run(&FakeSpeakerEncoder::new(), &material).await;
    }
}
