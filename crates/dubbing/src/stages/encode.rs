//! The sound of a part of a dub becomes the packets that its file holds.

use media::{
    Ffmpeg,
    audio::{self, Part},
};
use pipeline::{FileRef, Stage, StageContext, StageError};
use serde::Serialize;

use super::media_failure;

/// Encodes parts of a dub.
#[derive(Debug)]
pub(crate) struct Encode {
    pub ffmpeg: Ffmpeg,
}

/// A part that was mixed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct EncodeInput {
    pub part: Part,
    pub file: FileRef,
    /// The FFmpeg that encodes.
    pub ffmpeg: String,
}

impl Stage for Encode {
    type Input = EncodeInput;
    type Output = FileRef;

    fn name(&self) -> &'static str {
        "encode"
    }

    fn version(&self) -> u32 {
        1
    }

    async fn run(&self, input: &EncodeInput, context: &StageContext) -> Result<FileRef, StageError> {
        let file = context.temp_file("aac")?;
        let ffmpeg = self.ffmpeg.clone().cancelled_by(context.cancellation().clone());
        let mixed = context.path(&input.file);
        audio::encode_dub_part(&ffmpeg, &mixed, input.part, file.path()).await.map_err(media_failure)?;
        context.keep(file).await
    }
}
