//! Writes down what is said.

use std::time::Duration;

use platform::{
    jobs::{JobContext, JobError, JobHandler, JobKind, Policy},
    tasks::TaskOutput,
};
use serde::{Deserialize, Serialize};

use super::{Workbench, made};
use crate::desk::DubOrder;

/// A transcript.
#[derive(Debug)]
pub struct Transcripts;

/// What a job of [`Transcripts`] is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TranscriptJob {
    pub order: DubOrder,
}

impl JobKind for Transcripts {
    const NAME: &'static str = "transcripts";
    type Payload = TranscriptJob;
    type Output = TaskOutput;

    fn policy() -> Policy {
        Policy { max_attempts: 3, timeout: Duration::from_hours(12), concurrency: 1, ..Policy::default() }
    }
}

#[derive(Debug)]
pub(super) struct MakeTranscript(pub Workbench);

impl JobHandler for MakeTranscript {
    type Kind = Transcripts;

    async fn run(&self, payload: TranscriptJob, job: JobContext) -> Result<TaskOutput, JobError> {
        let bench = self.0.workshop.open(&job, &payload.order.files()).await?;
        let source = self.0.source(&payload.order.source, &job, &bench).await?;
        let request = payload.order.request(&source, &bench.inputs(), &bench.outputs());
        let finished = self.0.dubbing_for(&job).transcribe(&request, Workbench::watch(&job)).await?;
        let about = TaskOutput {
            files: Vec::new(),
            duration_ms: Some(finished.duration_ms),
            left_out: finished.left_out.clone(),
        };
        let files = made(&finished.outputs, &finished.beside, "subtitles");
        bench.finish(&job, &files, about, |_| async { Ok(()) }).await
    }
}
