//! What a worker does of this context: videos and storyboards, narrations, subtitles.

mod audio;
mod segments;
mod subtitles;
mod video;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use media::{
    Ffmpeg,
    still::to_jpeg,
    thumbnails::{Precision, thumbnails},
};
use pipeline::{
    Exchange, ProgressReceiver,
    job::{self, MadeFile, Previews, Workshop},
};
use platform::{
    jobs::{JobContext, JobError, JobKind as _, Registry},
    tasks::TaskOutput,
};

pub use audio::{Audios, SoundFormat, SoundJob};
pub use segments::{Segments, SegmentsJob};
pub use subtitles::Subtitles;
pub use video::{Make, VideoJob, Videos};

use crate::{Finished, VideosError, order::Order, request::VideoRequest, service};

/// The longest side of a picture of what is being made.
const PREVIEW_SIDE: u32 = 320;

/// The kinds of jobs of this context.
pub const KINDS: [&str; 4] = [Videos::NAME, Audios::NAME, Subtitles::NAME, Segments::NAME];

/// What the jobs of this context are done with.
#[derive(Debug, Clone)]
pub struct Workbench {
    pub videos: service::Videos,
    pub workshop: Workshop,
    /// Where workers find what another made.
    pub exchange: Exchange,
    /// What decides how segments look: only workers that have the same help with a video.
    pub build: String,
}

/// Adds the jobs of this context to those of a worker.
pub fn register(registry: Registry, bench: &Workbench) -> Registry {
    registry
        .with(video::MakeVideo(bench.clone()))
        .with(audio::MakeAudio(bench.clone()))
        .with(subtitles::MakeSubtitles(bench.clone()))
        .with(segments::MakeSegments(bench.clone()))
}

impl Workbench {
    /// The service whose work stops with the job.
    fn videos_for(&self, job: &JobContext) -> service::Videos {
        self.videos.cancelled_by(job.cancellation().clone())
    }

    /// What follows a run for the job's task; it ends with the run.
    fn watch(&self, job: &JobContext) -> impl FnOnce(ProgressReceiver) + use<> {
        let job = job.clone();
        let previews: Arc<dyn Previews> = Arc::new(Frames(self.videos.studio.ffmpeg.clone()));
        move |events| drop(tokio::spawn(job::follow(events, job, Some(previews))))
    }
}

/// Shows a frame of the piece that was made last.
#[derive(Debug)]
struct Frames(Ffmpeg);

#[async_trait]
impl Previews for Frames {
    async fn draw(&self, file: &Path) -> Option<Vec<u8>> {
        let pictures = thumbnails(&self.0, file, &[0], PREVIEW_SIDE, Precision::KeyFrame).await;
        let picture = pictures.ok()?.into_iter().next()?;
        tokio::task::spawn_blocking(move || to_jpeg(&picture)).await.ok()?.ok()
    }
}

/// The request of an order whose files lie in `folder`.
async fn resolve(order: Order, folder: PathBuf) -> Result<(VideoRequest, String), JobError> {
    let resolved = tokio::task::spawn_blocking(move || Ok((order.resolve(&folder)?, order.name()))).await;
    resolved.map_err(|error| JobError::retry(error.to_string()))?
}

/// The files that were written, as those of a task.
fn made(finished: &Finished, main: &'static str) -> Vec<MadeFile> {
    let beside = finished.beside.iter().map(|path| MadeFile { role: role_of(path), path: path.clone() });
    std::iter::once(MadeFile { role: main, path: finished.output.clone() }).chain(beside).collect()
}

fn about(finished: &Finished) -> TaskOutput {
    let (duration_ms, left_out) = (Some(finished.duration_ms), finished.left_out.clone());
    TaskOutput { files: Vec::new(), duration_ms, left_out }
}

fn role_of(path: &Path) -> &'static str {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match path.extension().unwrap_or_default().to_string_lossy().as_ref() {
        "srt" | "vtt" | "ass" => "subtitles",
        "jpg" if name.ends_with(".storyboard.jpg") => "storyboard",
        "jpg" => "cover",
        "otio" => "timeline",
        "json" => "facts",
        _ => "file",
    }
}

impl From<VideosError> for JobError {
    fn from(error: VideosError) -> Self {
        job::failure(error.kind(), error.to_string())
    }
}
