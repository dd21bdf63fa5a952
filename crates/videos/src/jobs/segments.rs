//! Makes segments of a video that another worker makes.

use std::time::Duration;

use pipeline::{Helping, Team, job::InputFile};
use platform::jobs::{JobContext, JobError, JobHandler, JobKind, NewJob, Policy};
use serde::{Deserialize, Serialize};

use super::Workbench;

/// Segments of another's video, as many as there are to make for a while.
#[derive(Debug)]
pub struct Segments;

/// What a job of [`Segments`] is given. What there is to make, the video's job tells it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SegmentsJob {
    /// The files of the video, with what they are called there.
    #[serde(default)]
    pub files: Vec<InputFile>,
}

impl JobKind for Segments {
    const NAME: &'static str = "segments";
    type Payload = SegmentsJob;
    /// How many were made.
    type Output = usize;

    fn policy() -> Policy {
        // Each uses all processors by itself. One that fails is not tried again: the video's job asks for another.
        Policy { max_attempts: 1, timeout: Duration::from_mins(30), concurrency: 1, ..Policy::default() }
    }
}

#[derive(Debug)]
pub(super) struct MakeSegments(pub Workbench);

impl JobHandler for MakeSegments {
    type Kind = Segments;

    async fn run(&self, payload: SegmentsJob, job: JobContext) -> Result<usize, JobError> {
        let bench = self.0.workshop.open(&job, &[]).await?;
        let Some(helping) = Helping::new(&job, self.0.exchange.clone(), &bench, &payload.files).await? else {
            return Err(JobError::fail("there is no video that these segments are of"));
        };
        Ok(self.0.videos_for(&job).help(&helping).await?)
    }
}

impl Workbench {
    /// Those who help with a job that makes a video of these files.
    pub(super) fn team_of(&self, job: &JobContext, files: &[InputFile]) -> Result<Team, JobError> {
        let helper = NewJob::<Segments>::new(SegmentsJob { files: files.to_vec() });
        let helper = helper.into_helper(self.build.as_str());
        let helper = helper.map_err(|error| JobError::fail(error.to_string()))?;
        Ok(Team::new(job, self.exchange.clone(), helper))
    }
}
