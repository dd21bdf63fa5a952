//! A line becomes sound at a speed the engine is asked for, without the silence engines put around it.

use std::{ops::Range, sync::Arc};

use ai::tts::{SpeechRequest, Tts};
use kernel::Lang;
use media::{
    audio::wav,
    speech_text::{self, TimedWord},
};
use pipeline::{FileRef, Stage, StageContext, StageError};
use serde::{Deserialize, Serialize};

use super::{media_failure, provider_failure};

/// Louder samples are speech: 46 dB below full scale, far under the quietest consonant and over an engine's own noise.
const AUDIBLE: u16 = 160;
/// What stays before and after speech, so that no breath of a consonant is lost.
const MARGIN_MS: u64 = 15;

/// Speaks lines with one engine.
#[derive(Debug)]
pub(crate) struct Speak {
    pub tts: Arc<dyn Tts>,
}

/// A line and all that decides how it sounds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct SpeakInput {
    /// [`Tts::version`].
    pub engine: String,
    pub voice: String,
    /// 1 is the voice's own speed.
    pub rate: f32,
    pub lang: Lang,
    pub text: String,
}

/// A spoken line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spoken {
    /// Mono WAV; none where there is nothing to say.
    pub audio: Option<FileRef>,
    pub sample_rate: u32,
    pub samples: u64,
    /// Every word of the text, timed from the first sample.
    pub words: Vec<TimedWord>,
}

impl Spoken {
    /// How long it sounds, rounded up.
    pub(crate) fn duration_ms(&self) -> u64 {
        (self.samples * 1000).div_ceil(u64::from(self.sample_rate.max(1)))
    }
}

impl Stage for Speak {
    type Input = SpeakInput;
    type Output = Spoken;

    fn name(&self) -> &'static str {
        "speak"
    }

    fn version(&self) -> u32 {
        1
    }

    async fn run(&self, input: &SpeakInput, context: &StageContext) -> Result<Spoken, StageError> {
        let spoken = speech_text::spoken(&input.text, &input.lang);
        let silent = Spoken { audio: None, sample_rate: 1, samples: 0, words: speech_text::align(&spoken, &[], 0) };
        if spoken.text.trim().is_empty() {
            return Ok(silent);
        }
        let request =
            SpeechRequest { text: spoken.text.clone(), voice: input.voice.clone(), rate: input.rate, pitch: 1.0 };
        let speech = self.tts.speak(&request).await.map_err(provider_failure)?;
        let sounding = sounding(&speech.samples, speech.sample_rate);
        if sounding.is_empty() {
            return Ok(silent);
        }
        let ms = |samples: usize| (samples as u64 * 1000 / u64::from(speech.sample_rate)) as u32;
        let times: Vec<_> = speech
            .words
            .iter()
            .map(|word| (word.bytes.clone(), word.start_ms.saturating_sub(ms(sounding.start))))
            .collect();
        let samples = &speech.samples[sounding];
        let words = speech_text::align(&spoken, &times, u64::from(ms(samples.len())));
        let file = context.temp_file("wav")?;
        wav::write_mono_s16(file.path(), speech.sample_rate, samples).map_err(media_failure)?;
        let (sample_rate, samples) = (speech.sample_rate, samples.len() as u64);
        Ok(Spoken { audio: Some(context.keep(file).await?), sample_rate, samples, words })
    }
}

/// The samples from the first that can be heard to the last, with a margin; none where all is silent.
fn sounding(samples: &[i16], rate: u32) -> Range<usize> {
    let audible = |sample: &i16| sample.unsigned_abs() >= AUDIBLE;
    let (Some(first), Some(last)) = (samples.iter().position(audible), samples.iter().rposition(audible)) else {
        return 0..0;
    };
    let margin = (u64::from(rate) * MARGIN_MS / 1000) as usize;
    first.saturating_sub(margin)..(last + 1 + margin).min(samples.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_around_speech_is_left_out_and_that_within_it_kept() {
        let mut samples = vec![0_i16; 1000];
        samples.extend([5000; 100]);
        samples.extend([3; 400]);
        samples.extend([-5000; 100]);
        samples.extend([0; 5]);
        assert_eq!(sounding(&samples, 1000), 985..1605);
        assert_eq!(sounding(&[0, 5, -3], 1000), 0..0);
    }
}
