//! A run whose stage is made together with other workers: what each of them does, and what they tell each other.
//!
//! ```text
//! job         lays out a piece for each item that is missing, takes pieces itself, and asks for helpers while workers are idle
//! helper      takes pieces as long as there are any, makes them, shares what it made, says so
//! job         fetches what helpers made; what a dead worker was at is free again and taken by somebody else
//! ```
//!
//! The job never waits while there is something to make, so nothing stands still when no worker is free to help.

mod helping;
mod payload;
mod sharing;

use std::collections::HashMap;

use platform::jobs::{HelpingJob, JobContext, JobsError, Pieces};

pub use helping::Helping;

use crate::{Exchange, Made, Stage, StageError, run::Work};

/// Those with whom a job makes its run. Clones are the same.
#[derive(Debug, Clone)]
pub struct Team {
    pieces: Pieces,
    exchange: Exchange,
    helper: HelpingJob,
}

impl Team {
    /// The team of a job whose helpers are jobs like `helper`.
    pub fn new(job: &JobContext, exchange: Exchange, helper: HelpingJob) -> Self {
        Self { pieces: job.pieces(), exchange, helper }
    }

    /// Makes what is missing of a stage, here and elsewhere, at most `concurrency` items at once here.
    pub(crate) async fn make_missing<S: Stage>(
        &self,
        work: &Work<'_, S>,
        missing: Vec<usize>,
        weights: &[f64],
        concurrency: usize,
    ) -> Result<HashMap<usize, Made<S::Output>>, StageError> {
        let mut sharing = sharing::Sharing::new(self, work, missing, weights);
        sharing.take_over().await?;
        if sharing.is_done() {
            return Ok(sharing.into_made());
        }
        if let Err(error) = sharing.lay_out().await {
            if matches!(error, JobsError::LeaseLost(_)) {
                return Err(StageError::Cancelled);
            }
            tracing::warn!(%error, "the work cannot be shared; this worker does all of it");
            let (missing, mut made) = sharing.into_parts();
            made.extend(work.make_missing(missing, weights, concurrency).await?);
            return Ok(made);
        }
        let result = sharing.work_off(concurrency).await;
        // Whoever is stopped may be gone on with elsewhere, and then finds what is laid out.
        if !work.run.cancellation.is_cancelled()
            && let Err(error) = self.pieces.dismiss().await
        {
            tracing::warn!(%error, "helpers end by themselves");
        }
        result.map(|()| sharing.into_made())
    }
}
