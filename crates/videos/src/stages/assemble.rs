//! Segments and sound become the video.

use kernel::Lang;
use media::{
    Ffmpeg, FrameRate,
    assemble::{Assembly, Chapter, Container, assemble},
};
use pipeline::{Advance, FileRef, Stage, StageContext, StageError};
use serde::Serialize;

use super::media_failure;

/// Joins pieces.
#[derive(Debug)]
pub(crate) struct Assemble {
    pub ffmpeg: Ffmpeg,
}

/// Everything that goes into the file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct AssembleInput {
    /// In their order, each with its frames.
    pub segments: Vec<(FileRef, u32)>,
    pub sound: FileRef,
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
        2
    }

    async fn run(&self, input: &AssembleInput, context: &StageContext) -> Result<FileRef, StageError> {
        let segments: Vec<_> =
            input.segments.iter().map(|(segment, frames)| (context.path(segment), *frames)).collect();
        let assembly = Assembly {
            segments: &segments,
            sound: &context.path(&input.sound),
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
