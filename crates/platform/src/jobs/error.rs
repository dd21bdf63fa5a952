//! What can go wrong with jobs: in a job itself, and when one is looked for or changed.

use std::time::Duration;

use kernel::{ErrorKind, PageError};

use super::{JobFailure, JobId, JobState};
use crate::db::DbError;

/// Why an attempt at a job ended without a result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobError {
    /// It may work later.
    #[error("{}", .failure.message)]
    Retry {
        failure: JobFailure,
        /// When, where the handler knows better than the policy.
        after: Option<Duration>,
    },
    /// It will never work as it is.
    #[error("{}", .0.message)]
    Fail(JobFailure),
    /// It stopped because it was told to.
    #[error("the job was stopped")]
    Stopped,
}

impl JobError {
    /// It may work later.
    pub fn retry(message: impl Into<String>) -> Self {
        Self::Retry { failure: JobFailure { message: message.into(), advice: None }, after: None }
    }

    /// It will never work as it is.
    pub fn fail(message: impl Into<String>) -> Self {
        Self::Fail(JobFailure { message: message.into(), advice: None })
    }

    /// Adds what the owner can do.
    #[must_use]
    pub fn with_advice(mut self, text: impl Into<String>) -> Self {
        if let Self::Retry { failure, .. } | Self::Fail(failure) = &mut self {
            failure.advice = Some(text.into());
        }
        self
    }
}

impl From<DbError> for JobError {
    /// What the database could not do now, it may do later; a fault of the program stays one.
    fn from(error: DbError) -> Self {
        match error.kind() {
            ErrorKind::Unavailable | ErrorKind::Exhausted => Self::retry(error.to_string()),
            _ => Self::fail(error.to_string()),
        }
    }
}

/// Why jobs could not be enqueued, found or changed.
#[derive(Debug, thiserror::Error)]
pub enum JobsError {
    #[error("task `{0}` not found; list them with `GET /tasks`")]
    NotFound(JobId),
    /// What is asked for does not fit the state that the job is in.
    #[error("task `{id}` is {state}, so it cannot be {wanted}")]
    WrongState { id: JobId, state: JobState, wanted: &'static str },
    /// The worker was taken for dead, and the job was given to another.
    #[error("job `{0}` was given to another worker")]
    LeaseLost(JobId),
    #[error("the job of kind `{kind}` cannot be stored: {source}")]
    Payload {
        kind: &'static str,
        #[source]
        source: serde_json::Error,
    },
    #[error("schedule `{name}` is wrong: {reason}; write it like `0 3 * * *`")]
    Schedule { name: String, reason: String },
    #[error(transparent)]
    Page(#[from] PageError),
    #[error(transparent)]
    Db(#[from] DbError),
}

impl JobsError {
    /// The sort of the failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound(_) => ErrorKind::NotFound,
            Self::WrongState { .. } | Self::LeaseLost(_) => ErrorKind::Conflict,
            Self::Payload { .. } => ErrorKind::Internal,
            Self::Schedule { .. } | Self::Page(_) => ErrorKind::Invalid,
            Self::Db(error) => error.kind(),
        }
    }
}

impl From<sea_orm::DbErr> for JobsError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Db(error.into())
    }
}
