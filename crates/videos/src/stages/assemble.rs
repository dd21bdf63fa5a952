//! Segments and sound become the video.

use kernel::Lang;
use media::{
    Ffmpeg, FrameRate,
    assemble::{Assembly, Chapter, Container, assemble},
    audio::SoundFile,
};
use pipeline::{Advance, FileRef, Stage, StageContext, StageError};
use serde::Serialize;

use super::media_failure;

/// Joins pieces.
#[derive(Debug)]
pub(crate) struct Assemble {
    pub ffmpeg: Ffmpeg,
}

/// What the sound is made from.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SoundTrack {
    Wav(FileRef),
    /// Packets made of that many samples.
    Aac {
        file: FileRef,
        samples: u64,
    },
}

impl SoundTrack {
    fn file(&self, context: &StageContext) -> SoundFile {
        match self {
            Self::Wav(file) => SoundFile::Wav(context.path(file)),
            Self::Aac { file, samples } => SoundFile::Aac { path: context.path(file), samples: *samples },
        }
    }
}

/// Everything that goes into the file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct AssembleInput {
    /// In their order, each with its frames.
    pub segments: Vec<(FileRef, u32)>,
    pub sound: SoundTrack,
    pub fps: u32,
    pub frames: u32,
    pub chapters: Vec<Chapter>,
    pub title: Option<String>,
    pub credits: Vec<String>,
    pub lang: Lang,
    pub container: Container,
    /// The program that joins: another version may write otherwise.
    pub ffmpeg: String,
}

impl Stage for Assemble {
    type Input = AssembleInput;
    type Output = FileRef;

    fn name(&self) -> &'static str {
        "assemble"
    }

    fn version(&self) -> u32 {
        3
    }

    async fn run(&self, input: &AssembleInput, context: &StageContext) -> Result<FileRef, StageError> {
        let segments: Vec<_> =
            input.segments.iter().map(|(segment, frames)| (context.path(segment), *frames)).collect();
        let assembly = Assembly {
            segments: &segments,
            sound: &input.sound.file(context),
            fps: FrameRate::whole(input.fps),
            frames: input.frames,
            chapters: &input.chapters,
            title: input.title.as_deref(),
            credits: &input.credits,
            lang: &input.lang,
            container: input.container,
        };
        let file = context.temp_file(input.container.extension())?;
        let ffmpeg = self.ffmpeg.cancelled_by(context.cancellation().clone());
        let (progress, total) = (context.progress().clone(), f64::from(input.frames.max(1)));
        let report = move |done: media::ffmpeg::Progress| progress.advance(Advance::to(f64::from(done.frames) / total));
        assemble(&ffmpeg, assembly, file.path(), &report).await.map_err(media_failure)?;
        context.keep(file).await
    }
}
