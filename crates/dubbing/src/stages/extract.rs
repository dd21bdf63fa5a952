//! One sound of the source becomes two files: one to mix from, one to listen to.

use media::{
    Ffmpeg,
    source::{self, AudioTrack, ExtractedSound, Source},
};
use pipeline::{Advance, FileRef, SourceRef, Stage, StageContext, StageError};
use serde::{Deserialize, Serialize};

use super::media_failure;

/// Extracts sounds.
#[derive(Debug)]
pub(crate) struct Extract {
    pub ffmpeg: Ffmpeg,
    pub source: Source,
    pub track: AudioTrack,
}

/// Which sound of which file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ExtractInput {
    pub source: SourceRef,
    /// The number of the stream.
    pub stream: u32,
    /// Length of the result at [`media::audio::SAMPLE_RATE`].
    pub samples: u64,
    /// The FFmpeg that decodes.
    pub ffmpeg: String,
}

/// The sound of a source, as long as the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Extracted {
    /// 48 kHz, stereo.
    pub programme: FileRef,
    /// 16 kHz, mono.
    pub speech: FileRef,
}

impl Stage for Extract {
    type Input = ExtractInput;
    type Output = Extracted;

    fn name(&self) -> &'static str {
        "extract"
    }

    fn version(&self) -> u32 {
        1
    }

    async fn run(&self, input: &ExtractInput, context: &StageContext) -> Result<Extracted, StageError> {
        let path = context.source_path(&input.source).await?;
        let (programme, speech) = (context.temp_file("wav")?, context.temp_file("wav")?);
        let sound = ExtractedSound { programme: programme.path(), speech: speech.path() };
        let length_ms = input.samples as f64 * 1000.0 / f64::from(media::audio::SAMPLE_RATE);
        let reporter = context.progress().clone();
        let ffmpeg = self.ffmpeg.clone().cancelled_by(context.cancellation().clone());
        source::extract(&ffmpeg, &path, (&self.source, &self.track), sound, &move |progress| {
            reporter.advance(Advance::to(progress.out_time_ms as f64 / length_ms.max(1.0)));
        })
        .await
        .map_err(media_failure)?;
        Ok(Extracted { programme: context.keep(programme).await?, speech: context.keep(speech).await? })
    }
}
