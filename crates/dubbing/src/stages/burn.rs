//! Captions are drawn into the pictures of the source, which are encoded again.

use media::{
    Ffmpeg, MediaInfo,
    burn::{self, Burning},
    encoder::Encoder,
    source::Source,
};
use pipeline::{Advance, FileRef, SourceRef, Stage, StageContext, StageError};
use serde::Serialize;

use super::media_failure;

/// Memory of a decoder, the filters and an encoder of several threads, for each pixel of the frame.
const BYTES_PER_PIXEL: u64 = 200;

/// Burns captions in.
#[derive(Debug)]
pub(crate) struct Burn {
    pub ffmpeg: Ffmpeg,
    pub source: Source,
    pub info: MediaInfo,
    /// Threads of the encoder.
    pub threads: u32,
}

/// A source, what is drawn into it, and what encodes it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct BurnInput {
    pub source: SourceRef,
    /// An ASS file.
    pub captions: String,
    pub encoder: Encoder,
    /// The FFmpeg that decodes and encodes.
    pub ffmpeg: String,
}

impl Stage for Burn {
    type Input = BurnInput;
    type Output = FileRef;

    fn name(&self) -> &'static str {
        "burn"
    }

    fn version(&self) -> u32 {
        1
    }

    async fn run(&self, input: &BurnInput, context: &StageContext) -> Result<FileRef, StageError> {
        let path = context.source_path(&input.source).await?;
        let size = burn::burnt_size(&self.info);
        let _lease = context.memory(u64::from(size.width) * u64::from(size.height) * BYTES_PER_PIXEL).await?;
        let captions = context.keep_bytes(input.captions.clone().into_bytes(), "ass").await?;
        let captions = context.path(&captions);
        let pictures = context.temp_file("nut")?;
        let (reporter, length_us) = (context.progress().clone(), self.source.duration_us.max(1) as f64);
        let burning = Burning {
            path: &path,
            source: &self.source,
            info: &self.info,
            captions: &captions,
            encoder: &input.encoder,
            threads: self.threads,
        };
        let ffmpeg = self.ffmpeg.clone().cancelled_by(context.cancellation().clone());
        burn::burn(&ffmpeg, burning, pictures.path(), &move |progress| {
            reporter.advance(Advance::to(progress.out_time_ms as f64 * 1000.0 / length_us).speed(progress.speed));
        })
        .await
        .map_err(media_failure)?;
        context.keep(pictures).await
    }
}
