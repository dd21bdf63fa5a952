//! Makes the subtitles of scripts.

use std::time::Duration;

use platform::{
    jobs::{JobContext, JobError, JobHandler, JobKind, Policy},
    tasks::TaskOutput,
};

use super::{Workbench, about, made, resolve};
use crate::order::Order;

/// Subtitles of a script, timed as it is read aloud.
#[derive(Debug)]
pub struct Subtitles;

impl JobKind for Subtitles {
    const NAME: &'static str = "subtitles";
    type Payload = Order;
    type Output = TaskOutput;

    fn policy() -> Policy {
        Policy { max_attempts: 3, timeout: Duration::from_hours(2), ..Policy::default() }
    }
}

#[derive(Debug)]
pub(super) struct MakeSubtitles(pub Workbench);

impl JobHandler for MakeSubtitles {
    type Kind = Subtitles;

    async fn run(&self, order: Order, job: JobContext) -> Result<TaskOutput, JobError> {
        let bench = self.0.workshop.open(&job, &order.files).await?;
        let (request, name) = resolve(order, bench.inputs()).await?;
        let output = bench.outputs().join(format!("{name}.srt"));
        let finished = self.0.videos_for(&job).subtitle(&request, &output, self.0.watch(&job)).await?;
        bench.finish(&job, &made(&finished, "subtitles"), about(&finished), |_| async { Ok(()) }).await
    }
}
