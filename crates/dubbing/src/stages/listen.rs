//! An utterance becomes words.

use std::{path::Path, sync::Arc};

use ai::stt::{SAMPLE_RATE, Stt, Transcript, Utterance};
use kernel::Lang;
use media::{MediaError, audio::wav::WavReader};
use pipeline::{FileRef, Stage, StageContext, StageError};
use serde::Serialize;

use super::{computing, provider_failure};

/// Writes utterances down with one engine.
#[derive(Debug)]
pub(crate) struct Listen {
    pub engine: Arc<dyn Stt>,
}

/// A stretch of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ListenInput {
    /// [`Stt::version`].
    pub engine: String,
    pub lang: Option<Lang>,
    /// One channel at [`SAMPLE_RATE`].
    pub speech: FileRef,
    pub start_ms: u64,
    pub end_ms: u64,
}

impl Stage for Listen {
    type Input = ListenInput;
    type Output = Transcript;

    fn name(&self) -> &'static str {
        "listen"
    }

    fn version(&self) -> u32 {
        1
    }

    async fn run(&self, input: &ListenInput, context: &StageContext) -> Result<Transcript, StageError> {
        let (path, start_ms, end_ms) = (context.path(&input.speech), input.start_ms, input.end_ms);
        let samples = computing(move || read(&path, start_ms, end_ms)).await?;
        let utterance = Utterance { samples: samples.into(), lang: input.lang.clone() };
        self.engine.transcribe(&utterance).await.map_err(provider_failure)
    }
}

/// The samples of a stretch of a WAV file, as whole numbers.
pub(super) fn read(path: &Path, start_ms: u64, end_ms: u64) -> Result<Vec<i16>, MediaError> {
    let mut wav = WavReader::open(path)?;
    let sample = |ms: u64| ms * u64::from(SAMPLE_RATE) / 1000;
    wav.seek(sample(start_ms).min(wav.frames()))?;
    let mut frames = vec![[0.0_f32; 1]; (sample(end_ms) - sample(start_ms)) as usize];
    let mut filled = 0;
    while filled < frames.len() {
        match wav.read(&mut frames[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    let whole = |[sample]: &[f32; 1]| (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16;
    Ok(frames[..filled].iter().map(whole).collect())
}
