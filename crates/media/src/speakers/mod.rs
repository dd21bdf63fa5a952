//! Who speaks: utterances of one voice get one number, and each voice is told to be low or high.
//!
//! Without a model, the timbre of an utterance is the distribution of its cepstral coefficients, and utterances are joined
//! while one distribution explains them better than two (the Bayesian information criterion). With one, utterances whose
//! embeddings are alike are joined.

mod cluster;
mod features;
mod gaussian;
mod likeness;
mod pitch;

use std::path::Path;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::MediaError;
use crate::source::SPEECH_RATE;
use crate::speech::{TimeSpan, open};

/// Between the usual voices of men (85 to 155 Hz) and of women (165 to 255 Hz).
const LOW_BELOW_HZ: f32 = 165.0;

/// No span is looked at for longer: the beginning tells the voice.
const LONGEST_HEARD_MS: u64 = 20_000;

/// The voices of a sound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Speakers {
    /// One for each span that was asked about.
    pub spoken: Vec<SpokenBy>,
    /// In the order in which they first speak.
    pub voices: Vec<SpeakerVoice>,
}

/// Who speaks an utterance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SpokenBy {
    /// An index of [`Speakers::voices`].
    pub speaker: usize,
    /// The median of its voiced parts; none where it has too few.
    pub pitch_hz: Option<f32>,
}

/// A voice.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SpeakerVoice {
    /// The median over all its utterances.
    pub pitch_hz: Option<f32>,
    pub register: Register,
    /// How long it speaks in all.
    pub speech_ms: u64,
}

/// Whether a voice is low or high.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Register {
    Low,
    High,
    /// Whispered, sung by many, or drowned in noise.
    Unknown,
}

/// The voices of spans as a model heard them.
#[derive(Debug, Clone, PartialEq)]
pub struct HeardVoices<'a> {
    /// One for each span, of length 1; none where the span was too short to tell.
    pub embeddings: &'a [Option<Vec<f32>>],
    /// The cosine from which on two embeddings are one speaker's.
    pub same_voice: f32,
}

/// Tells the speakers of `spans` of a WAV file of 16 kHz apart. This blocks, for about 1 ms a second of speech.
///
/// # Errors
/// [`MediaError::BadFile`] for a file of another rate, [`MediaError::Cancelled`] when cancelled.
pub fn tell_apart(speech: &Path, spans: &[TimeSpan], cancel: &CancellationToken) -> Result<Speakers, MediaError> {
    let mut extractor = features::Extractor::new();
    let mut timbres = Vec::with_capacity(spans.len());
    let pitches = hear(speech, spans, |sound| timbres.push(extractor.timbre(sound)), cancel)?;
    Ok(describe(spans, &cluster::cluster(&timbres), &pitches))
}

/// The same, by embeddings of the spans' voices.
///
/// # Errors
/// Those of [`tell_apart`], and [`MediaError::Invalid`] for another number of embeddings than spans.
pub fn tell_apart_by(
    speech: &Path,
    spans: &[TimeSpan],
    voices: &HeardVoices<'_>,
    cancel: &CancellationToken,
) -> Result<Speakers, MediaError> {
    let (count, embeddings) = (spans.len(), voices.embeddings.len());
    if count != embeddings {
        return Err(MediaError::Invalid(format!("{count} spans cannot have {embeddings} voices; give one for each")));
    }
    let heard = spans.iter().zip(voices.embeddings);
    let heard: Vec<_> = heard
        .map(|(span, voice)| likeness::Heard { duration_ms: span.duration_ms(), voice: voice.as_deref() })
        .collect();
    let pitches = hear(speech, spans, |_| {}, cancel)?;
    Ok(describe(spans, &likeness::cluster(&heard, voices.same_voice), &pitches))
}

/// The pitches of every span, whose sound is shown to `look`.
fn hear(
    speech: &Path,
    spans: &[TimeSpan],
    mut look: impl FnMut(&[f32]),
    cancel: &CancellationToken,
) -> Result<Vec<Vec<f32>>, MediaError> {
    let mut wav = open(speech)?;
    let mut pitches = Vec::with_capacity(spans.len());
    let mut sound = Vec::new();
    let samples = |ms: u64| ms * u64::from(SPEECH_RATE) / 1000;
    for span in spans {
        if cancel.is_cancelled() {
            return Err(MediaError::Cancelled);
        }
        let heard_ms = span.duration_ms().min(LONGEST_HEARD_MS);
        sound.resize(samples(heard_ms) as usize, [0.0_f32]);
        wav.seek(samples(span.start_ms))?;
        let count = wav.read(&mut sound)?;
        let sound = sound[..count].as_flattened();
        look(sound);
        pitches.push(pitch::voiced(sound));
    }
    Ok(pitches)
}

/// Puts speakers in the order of their first words, and sums up their voices.
fn describe(spans: &[TimeSpan], numbers: &[usize], pitches: &[Vec<f32>]) -> Speakers {
    let mut order: Vec<usize> = (0..spans.len()).collect();
    order.sort_by_key(|&index| spans[index].start_ms);
    let mut found: Vec<usize> = Vec::new();
    for &index in &order {
        if !found.contains(&numbers[index]) {
            found.push(numbers[index]);
        }
    }
    let speaker = |number: usize| found.iter().position(|&known| known == number).unwrap_or(0);
    let spoken = numbers
        .iter()
        .zip(pitches)
        .map(|(&number, pitches)| SpokenBy { speaker: speaker(number), pitch_hz: pitch::median(pitches.clone()) })
        .collect();
    let voices = found
        .iter()
        .map(|&number| {
            let own = || (0..spans.len()).filter(move |&index| numbers[index] == number);
            let pitch_hz = pitch::median(own().flat_map(|index| pitches[index].iter().copied()).collect());
            SpeakerVoice {
                pitch_hz,
                register: register(pitch_hz),
                speech_ms: own().map(|index| spans[index].duration_ms()).sum(),
            }
        })
        .collect();
    Speakers { spoken, voices }
}

fn register(pitch_hz: Option<f32>) -> Register {
    match pitch_hz {
        Some(hz) if hz < LOW_BELOW_HZ => Register::Low,
        Some(_) => Register::High,
        None => Register::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speakers_are_numbered_as_they_first_speak() {
        let spans =
            [(5_000, 6_000), (0, 1_000), (2_000, 4_000)].map(|(start_ms, end_ms)| TimeSpan { start_ms, end_ms });
        let pitches = [vec![200.0; 9], vec![110.0; 9], vec![]];
        let speakers = describe(&spans, &[7, 3, 7], &pitches);
        assert_eq!(speakers.spoken.iter().map(|spoken| spoken.speaker).collect::<Vec<_>>(), [1, 0, 1]);
        assert_eq!(speakers.spoken[2].pitch_hz, None);
        assert_eq!(
            speakers.voices.iter().map(|voice| voice.register).collect::<Vec<_>>(),
            [Register::Low, Register::High]
        );
        assert_eq!(speakers.voices[1].speech_ms, 3_000);
        assert_eq!(register(None), Register::Unknown);
    }
}
