//! Where somebody speaks: voice activity over sound of 16 kHz, and utterances of it that no word is cut by.

mod utterances;

use std::path::Path;

use earshot::Detector;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::MediaError;
use crate::audio::wav::WavReader;
use crate::source::SPEECH_RATE;

/// Samples that are judged at a time: 16 ms.
const FRAME: usize = 256;
const FRAME_MS: u64 = FRAME as u64 * 1000 / SPEECH_RATE as u64;
/// Frames read at a time.
const FRAMES_READ: usize = 64;

/// A part of a sound in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TimeSpan {
    pub start_ms: u64,
    /// After the start.
    pub end_ms: u64,
}

impl TimeSpan {
    pub fn duration_ms(self) -> u64 {
        self.end_ms - self.start_ms
    }
}

/// One frame of sound as it was judged.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Heard {
    /// From 0, no voice, to 1.
    voice: f32,
    /// Mean square of full scale, in dB.
    level_db: f32,
}

/// A whole sound as it was judged: 8 bytes for each 16 ms.
#[derive(Debug, Clone)]
pub struct Activity {
    frames: Vec<Heard>,
    duration_ms: u64,
}

/// Listens through a WAV file of 16 kHz (the speech that [`crate::source::extract`] makes). This blocks.
///
/// # Errors
/// [`MediaError::BadFile`] for a file of another rate, [`MediaError::Cancelled`] when cancelled.
pub fn listen(speech: &Path, cancel: &CancellationToken) -> Result<Activity, MediaError> {
    let mut wav = open(speech)?;
    let duration_ms = wav.frames() * 1000 / u64::from(SPEECH_RATE);
    let mut detector = Detector::default_boxed();
    let mut frames = Vec::with_capacity((wav.frames() as usize).div_ceil(FRAME));
    let mut block = vec![[0.0_f32]; FRAME * FRAMES_READ];
    loop {
        if cancel.is_cancelled() {
            return Err(MediaError::Cancelled);
        }
        let count = wav.read(&mut block)?;
        block[count..].fill([0.0]);
        for part in block[..count.next_multiple_of(FRAME)].chunks_exact_mut(FRAME) {
            let samples = part.as_flattened_mut();
            let power = samples.iter().map(|x| x * x).sum::<f32>() / FRAME as f32;
            for sample in &mut *samples {
                *sample = sample.clamp(-1.0, 1.0);
            }
            let voice = detector.predict_f32(samples);
            frames.push(Heard { voice, level_db: 10.0 * power.max(1e-12).log10() });
        }
        if count < block.len() {
            return Ok(Activity { frames, duration_ms });
        }
    }
}

/// Opens a file that must have [`SPEECH_RATE`] samples a second.
pub(crate) fn open(speech: &Path) -> Result<WavReader, MediaError> {
    let wav = WavReader::open(speech)?;
    if wav.sample_rate() == SPEECH_RATE {
        return Ok(wav);
    }
    let reason = format!("has {} samples a second, not {SPEECH_RATE}; extract it again", wav.sample_rate());
    Err(MediaError::BadFile { path: speech.into(), reason })
}

impl Activity {
    /// Where there is speech, its short pauses (below 200 ms) included: from the first sound of a word to the last.
    pub fn speech(&self) -> Vec<TimeSpan> {
        let runs = utterances::runs(&self.frames);
        runs.into_iter().map(|(first, end)| self.span(first, end)).filter(|span| span.duration_ms() > 0).collect()
    }

    /// Speech in pieces of 0.5 to 15 s, with some room before and after. They begin and end in pauses; only speech that
    /// goes on for 15 s without any is cut, where it is softest.
    pub fn utterances(&self) -> Vec<TimeSpan> {
        utterances::utterances(&self.frames, self.duration_ms)
    }

    fn span(&self, first: usize, end: usize) -> TimeSpan {
        let at_ms = |frame: usize| (frame as u64 * FRAME_MS).min(self.duration_ms);
        TimeSpan { start_ms: at_ms(first), end_ms: at_ms(end) }
    }
}
