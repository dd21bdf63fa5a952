//! The one map from failures of tasks to problems.

use crate::{
    jobs::JobsError,
    server::{Problem, ProblemType},
    tasks::{TaskError, TooManyFollowers},
};

impl From<JobsError> for Problem {
    fn from(error: JobsError) -> Self {
        match error {
            JobsError::Db(error) => error.into(),
            JobsError::NotFound(_) => Self::new(ProblemType::NotFound).detail(error.to_string()),
            error => Self::of(error.kind(), &error),
        }
    }
}

impl From<TooManyFollowers> for Problem {
    fn from(error: TooManyFollowers) -> Self {
        Self::new(ProblemType::RateLimited).detail(error.to_string())
    }
}

impl From<TaskError> for Problem {
    fn from(error: TaskError) -> Self {
        match error {
            TaskError::Forbidden(error) => Self::of(error.kind(), &error),
            TaskError::Jobs(error) => error.into(),
            TaskError::Storage(error) => error.into(),
        }
    }
}
