//! The mixed sound becomes the packets that the video holds, while its pictures are still encoded.

use media::{Ffmpeg, audio};
use pipeline::{FileRef, Stage, StageContext, StageError};
use serde::Serialize;

use super::media_failure;

/// Encodes mixed sound to AAC.
#[derive(Debug)]
pub(crate) struct EncodeSound {
    pub ffmpeg: Ffmpeg,
}

/// A mixed sound.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct EncodeSoundInput {
    /// 48 kHz, stereo.
    pub file: FileRef,
    /// The FFmpeg that encodes.
    pub ffmpeg: String,
}

impl Stage for EncodeSound {
    type Input = EncodeSoundInput;
    type Output = FileRef;

    fn name(&self) -> &'static str {
        "encode-sound"
    }

    fn version(&self) -> u32 {
        1
    }

    async fn run(&self, input: &EncodeSoundInput, context: &StageContext) -> Result<FileRef, StageError> {
        let file = context.temp_file("aac")?;
        let ffmpeg = self.ffmpeg.cancelled_by(context.cancellation().clone());
        audio::encode_aac(&ffmpeg, &context.path(&input.file), file.path()).await.map_err(media_failure)?;
        context.keep(file).await
    }
}
