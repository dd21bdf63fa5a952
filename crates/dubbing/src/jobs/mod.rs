//! What a worker does of this context: dubs, transcripts.

mod dub;
mod transcript;

use std::{path::Path, sync::Arc, time::Duration};

use kernel::Clock;
use pipeline::{
    ProgressReceiver,
    job::{self, Bench, InputFile, InputName, MadeFile, Workshop},
};
use platform::{
    documents::Documents,
    http::{DownloadLimits, HttpClient},
    jobs::{JobContext, JobError, JobKind as _, JobProgress, Registry},
    storage::{FileName, StorageError},
};

pub use dub::{DubJob, Dubs};
pub use transcript::{TranscriptJob, Transcripts};

use crate::{
    Dubbing, DubbingError,
    desk::{DubSource, DubState, TABLE},
};

/// The kinds of jobs of this context.
pub const KINDS: [&str; 2] = [Dubs::NAME, Transcripts::NAME];

/// How long a download may stand still.
const DOWNLOAD_STALL: Duration = Duration::from_mins(1);

/// What the jobs of this context are done with.
#[derive(Debug, Clone)]
pub struct Workbench {
    pub dubbing: Dubbing,
    pub workshop: Workshop,
    pub http: HttpClient,
    pub clock: Arc<dyn Clock>,
}

/// Adds the jobs of this context to those of a worker.
pub fn register(registry: Registry, bench: &Workbench) -> Registry {
    registry.with(dub::MakeDub(bench.clone())).with(transcript::MakeTranscript(bench.clone()))
}

impl Workbench {
    /// The service whose work stops with the job.
    fn dubbing_for(&self, job: &JobContext) -> Dubbing {
        self.dubbing.cancelled_by(job.cancellation().clone())
    }

    /// What follows a run for the job's task; it ends with the run.
    fn watch(job: &JobContext) -> impl FnOnce(ProgressReceiver) + use<> {
        let job = job.clone();
        move |events| drop(tokio::spawn(job::follow(events, job, None)))
    }

    fn dubs(&self, job: &JobContext) -> Documents<DubState> {
        Documents::new(job.db().clone(), self.clock.clone(), TABLE)
    }

    /// The source as a file of its owner's that lies on the bench. One at an address of the web is downloaded, through the
    /// guard that keeps it to public addresses, and looked into like any file that a user brings.
    async fn source(&self, source: &DubSource, job: &JobContext, bench: &Bench) -> Result<InputFile, JobError> {
        let url = match source {
            DubSource::File(file) => return Ok(file.clone()),
            DubSource::Url(url) => url,
        };
        let last = url.split(['?', '#']).next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
        let name = InputName::of_file(&FileName::new(last));
        let path = bench.inputs().join(name.as_str());
        let files = self.workshop.files();
        let limits = DownloadLimits { max_bytes: files.settings().max_file_bytes, stall: DOWNLOAD_STALL };
        let tell = |done: platform::http::Downloaded| {
            let total = done.total_bytes.unwrap_or(done.bytes).max(1);
            let message = format!("downloading: {} of {} MB", done.bytes / 1_000_000, total / 1_000_000);
            job.report(JobProgress { stage: "download".to_owned(), message, ..JobProgress::default() });
        };
        tokio::select! {
            () = job.cancellation().cancelled() => return Err(JobError::Stopped),
            done = self.http.download(url, &path, limits, &tell) => {
                done.map_err(|error| job::failure(error.kind(), error.to_string()))?;
            }
        }
        let failed = |error: StorageError| job::failure(error.kind(), error.to_string());
        let file = files.adopt(bench.owner(), FileName::new(last), &path).await.map_err(failed)?;
        Ok(InputFile { file_id: file.id, name })
    }
}

/// The files that were written, but the document, which is kept apart.
fn made(outputs: &[std::path::PathBuf], beside: &[std::path::PathBuf], main: &'static str) -> Vec<MadeFile> {
    let outputs = outputs.iter().map(|path| MadeFile { role: main, path: path.clone() });
    let beside = beside.iter().filter(|path| !is_document(path));
    outputs.chain(beside.map(|path| MadeFile { role: "subtitles", path: path.clone() })).collect()
}

fn is_document(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "json")
}

impl From<DubbingError> for JobError {
    fn from(error: DubbingError) -> Self {
        job::failure(error.kind(), error.to_string())
    }
}
