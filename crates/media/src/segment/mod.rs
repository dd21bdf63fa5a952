//! A scene and its transition to the next, drawn, captioned and encoded in one run of FFmpeg.
//!
//! Segments made with equal encoders can be joined by copying their packets ([`crate::assemble`]).

mod feed;
mod graph;
mod plan;
mod visual;
mod watermark;

use std::io::PipeWriter;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

pub use plan::{
    Corner, Decoding, Denoise, Enhance, Framing, SegmentPlan, Transition, TransitionKind, Upscale, Visual, Watermark,
};

use self::feed::Content;
use self::graph::Graph;
use self::visual::Canvas;
pub(crate) use self::visual::upright;
use crate::MediaError;
use crate::encoder::Pass;
use crate::ffmpeg::{self, Ffmpeg, Progress};
use crate::partial::Partial;
use crate::process::Command;

/// Encodes a segment to `plan.output`, which appears only when it is whole: exactly `plan.frames` frames.
///
/// The same plan gives the same bytes. A clip that ends more than two frames before it should is [`MediaError::Invalid`].
pub async fn encode(
    ffmpeg: &Ffmpeg,
    plan: SegmentPlan,
    on_progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<(), MediaError> {
    plan.validate()?;
    for filter in plan.filters() {
        ffmpeg.require_filter(filter)?;
    }
    let clips = plan.clips();
    let SegmentPlan { size, fps, frames, picture, transition, captions, overlay, enhance, encoder, threads, output } =
        plan;
    let mark = match overlay {
        Some(watermark) => Some(watermark::load(watermark, size).await?),
        None => None,
    };
    let (inputs, transition, mark, mut contents) = graph::split(picture, transition, mark, frames);
    let canvas = Canvas { size, fps };
    let graph = Graph { canvas, enhance, captions, inputs, transition, mark, upload: encoder.upload() };
    let partial = Partial::beside(&output)?;
    let _open = ffmpeg.decoders(clips).await?;
    let written = AtomicU32::new(0);
    let note = |progress: Progress| {
        written.store(progress.frames, Ordering::Relaxed);
        on_progress(progress);
    };
    let stats = tempfile::tempdir().map_err(|error| MediaError::io(std::env::temp_dir(), error))?;
    let stats = stats.path().join("pass");
    let passes = if encoder.is_two_pass() { vec![Pass::First(&stats), Pass::Second(&stats)] } else { vec![Pass::Only] };
    for pass in passes {
        let mut command = ffmpeg.command().args(encoder.device_arguments());
        let pipes = contents.iter().map(|_| command.pipe()).collect::<Result<Vec<_>, _>>()?;
        let (pipes, numbers): (Vec<_>, Vec<_>) = pipes.into_iter().unzip();
        let frame_count = frames.to_string();
        let exactly = ["-map", "[out]", "-frames:v", &frame_count, "-fps_mode", "passthrough"];
        let command = command.args(graph.arguments(&numbers)?).args(exactly).args(encoder.arguments(threads, pass));
        let fed = run(ffmpeg, to_file(command, pass, partial.path()), contents.into_iter().zip(pipes), &note).await;
        contents = fed.map_err(|error| partial.explain(error))?;
    }
    let encoded = written.load(Ordering::Relaxed);
    if encoded != frames {
        return Err(MediaError::Invalid(format!(
            "a clip of the segment `{}` ended after {encoded} of {frames} frames; plan no more than it holds",
            output.display()
        )));
    }
    partial.finish()
}

fn to_file(command: Command, pass: Pass<'_>, path: &Path) -> Command {
    if matches!(pass, Pass::First(_)) {
        return command.args(["-f", "null", "-"]);
    }
    let plain = ["-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact", "-f", "mp4"];
    command.args(plain).arg(ffmpeg::file(path))
}

/// Runs FFmpeg while everything is written into its pipes; gives the contents back, to be drawn again by a second pass.
async fn run(
    ffmpeg: &Ffmpeg,
    command: Command,
    feeds: impl Iterator<Item = (Content, PipeWriter)>,
    on_progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<Vec<Content>, MediaError> {
    let feeding: Vec<_> =
        feeds.map(|(content, pipe)| tokio::task::spawn_blocking(move || content.write_to(pipe))).collect();
    // A failure of FFmpeg closes its pipes, which ends the writing.
    ffmpeg.run(command, on_progress).await?;
    let mut contents = Vec::new();
    for content in feeding {
        let drawn =
            content.await.map_err(|_| MediaError::Invalid("a picture could not be drawn; report this".into()))?;
        contents.push(drawn?);
    }
    Ok(contents)
}
