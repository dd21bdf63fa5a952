//! The one map from failures of files to problems.

use axum::http::{HeaderValue, StatusCode};

use crate::{
    server::{
        body::read_failure,
        problem::{Problem, ProblemType},
    },
    storage::{ChecksumError, StorageError},
};

use super::tus;

/// What the protocol of uploads answers where a checksum does not fit.
const CHECKSUM_MISMATCH: u16 = 460;

impl From<StorageError> for Problem {
    fn from(error: StorageError) -> Self {
        let kind = match &error {
            StorageError::TooLarge { .. } => ProblemType::PayloadTooLarge,
            StorageError::Refused(_) => ProblemType::ContentRefused,
            StorageError::Checksum(ChecksumError::Unreadable(_)) => ProblemType::Malformed,
            StorageError::Checksum(ChecksumError::Mismatch) => return checksum_mismatch(&error),
            StorageError::Body(source) => return read_failure(source.as_ref()),
            StorageError::Offset { expected, .. } => {
                let problem = Self::new(ProblemType::Conflict).detail(error.to_string());
                return problem.header(tus::UPLOAD_OFFSET, HeaderValue::from(*expected));
            }
            StorageError::Uninspected(source) => {
                // Where a scanner listens is for the log.
                tracing::warn!(error = %source, "a file could not be looked into");
                ProblemType::Unavailable
            }
            StorageError::Away(_) => {
                tracing::warn!(error = error.explain(), "the store of files does not answer");
                ProblemType::Unavailable
            }
            StorageError::Denied(_) | StorageError::Store(_) | StorageError::Io(_) | StorageError::Sealed { .. } => {
                return Self::internal(&error.explain());
            }
            StorageError::DiskFull => {
                tracing::warn!("there is no room left for files");
                ProblemType::Exhausted
            }
            _ => {
                if let StorageError::Db(error) = error {
                    return error.into();
                }
                return Self::of(error.kind(), &error);
            }
        };
        let problem = Self::new(kind).detail(error.to_string());
        match error.retry_after() {
            Some(wait) => problem.retry_after(wait),
            None => problem,
        }
    }
}

fn checksum_mismatch(error: &StorageError) -> Problem {
    let problem = Problem::new(ProblemType::ChecksumMismatch).detail(error.to_string());
    match StatusCode::from_u16(CHECKSUM_MISMATCH) {
        Ok(status) => problem.status(status),
        Err(_) => problem,
    }
}
