//! What a handler has while it does a job: its cancellation, its progress, and a way to commit its effect with its end.

use std::sync::{Arc, Mutex, PoisonError};

use kernel::Uuid;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{
    JobId, JobProgress, Jobs, JobsError, Pieces, Priority,
    claim::Claimed,
    settle::{Ended, Outcome, to_json},
};
use crate::db::{Db, Transaction};

/// Why a job was told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// Its owner wants no more of it.
    Cancelled,
    /// It took longer than one attempt may.
    Timeout,
    /// The worker ends and gives the job back.
    Shutdown,
    /// The worker was taken for dead; another has the job.
    LeaseLost,
}

/// A job in a handler's hands. Clones are the same job.
#[derive(Debug, Clone)]
pub struct JobContext {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    id: JobId,
    kind: String,
    owner: String,
    priority: Priority,
    parent: Option<JobId>,
    attempt: u32,
    worker: Uuid,
    jobs: Jobs,
    token: CancellationToken,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    reason: Option<StopReason>,
    /// What was reported and not stored yet.
    progress: Option<JobProgress>,
}

impl JobContext {
    pub(super) fn new(jobs: Jobs, worker: Uuid, claimed: &Claimed) -> Self {
        let (kind, owner) = (claimed.kind.clone(), claimed.owner.clone());
        let (token, state) = (CancellationToken::new(), Mutex::default());
        Self {
            inner: Arc::new(Inner {
                id: claimed.id,
                kind,
                owner,
                priority: claimed.priority(),
                parent: claimed.parent,
                attempt: claimed.attempts,
                worker,
                jobs,
                token,
                state,
            }),
        }
    }

    pub fn id(&self) -> JobId {
        self.inner.id
    }

    /// The database that it is in.
    pub fn db(&self) -> &Db {
        self.inner.jobs.db()
    }

    /// Whose task it is; empty for a job of the system's own.
    pub fn owner(&self) -> &str {
        &self.inner.owner
    }

    /// How urgent it is.
    pub fn priority(&self) -> Priority {
        self.inner.priority
    }

    /// The job that it helps.
    pub fn parent(&self) -> Option<JobId> {
        self.inner.parent
    }

    /// What it shares out of its work.
    pub fn pieces(&self) -> Pieces {
        Pieces::new(self.inner.jobs.clone(), self, self.id())
    }

    /// What the job that it helps shares out.
    pub fn pieces_of_parent(&self) -> Option<Pieces> {
        self.inner.parent.map(|parent| Pieces::new(self.inner.jobs.clone(), self, parent))
    }

    /// Which attempt this is, from 1.
    pub fn attempt(&self) -> u32 {
        self.inner.attempt
    }

    /// Called when the job is to stop.
    pub fn cancellation(&self) -> &CancellationToken {
        &self.inner.token
    }

    /// Why it is to stop.
    pub fn stop_reason(&self) -> Option<StopReason> {
        self.state().reason
    }

    /// Says how far the job is. It may be said as often as one likes: the last word is stored a few times a second.
    pub fn report(&self, progress: JobProgress) {
        let fraction = if progress.fraction.is_nan() { 0.0 } else { progress.fraction.clamp(0.0, 1.0) };
        self.state().progress = Some(JobProgress { fraction, ..progress });
    }

    /// Ends the job with this result in `tx`, so that what `tx` wrote and the job's end are committed together or not at all.
    /// The handler commits `tx` and returns the same output.
    ///
    /// Fails with [`JobsError::LeaseLost`] when the job was given to another worker: then `tx` must not be committed.
    pub async fn finish_in<T: Serialize + Sync>(&self, tx: &Transaction, output: &T) -> Result<(), JobsError> {
        let result = serde_json::to_string(output).map_err(|source| JobsError::Payload { kind: "result", source })?;
        let ended = self.ended(Outcome::Succeeded(result));
        self.inner.jobs.finish_in(tx, self.inner.worker, &ended).await
    }

    pub(super) fn ended(&self, outcome: Outcome) -> Ended {
        // Nobody is told of a helper.
        let owner = if self.inner.parent.is_some() { String::new() } else { self.inner.owner.clone() };
        let kind = self.inner.kind.clone();
        let progress = self.take_progress().as_ref().and_then(to_json);
        Ended { id: self.id(), kind, owner, outcome, progress }
    }

    /// Tells the handler to stop. The first reason counts.
    pub(super) fn stop(&self, reason: StopReason) {
        self.state().reason.get_or_insert(reason);
        self.inner.token.cancel();
    }

    /// What was reported and not stored yet.
    pub(super) fn take_progress(&self) -> Option<JobProgress> {
        self.state().progress.take()
    }

    /// Keeps what could not be stored for the next time, unless more was reported meanwhile.
    pub(super) fn put_back(&self, progress: JobProgress) {
        self.state().progress.get_or_insert(progress);
    }

    pub(super) fn kind(&self) -> &str {
        &self.inner.kind
    }

    pub(super) fn worker(&self) -> Uuid {
        self.inner.worker
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
