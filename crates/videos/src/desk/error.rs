//! What can go wrong at the desk.

use kernel::{ErrorKind, Forbidden};
use platform::{db::DbError, documents::ListError, jobs::JobsError, storage::StorageError};

use super::VideoId;
use crate::order::{MAX_FILES, OrderError, OrderFault, OrderPart};

/// Why something could not be done with videos of a server.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    #[error("there is no video `{0}`")]
    NoVideo(VideoId),
    /// Somebody else was quicker.
    #[error("video `{0}` was changed in the meantime; read it again, then change what is there now")]
    Changed(VideoId),
    #[error(transparent)]
    Order(#[from] OrderError),
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error(transparent)]
    List(#[from] ListError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Jobs(#[from] JobsError),
    #[error(transparent)]
    Db(#[from] DbError),
}

impl DeskError {
    /// The sort of the failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoVideo(_) => ErrorKind::NotFound,
            Self::Changed(_) => ErrorKind::Conflict,
            Self::Order(_) | Self::List(ListError::Page(_)) => ErrorKind::Invalid,
            Self::Forbidden(error) => error.kind(),
            Self::Storage(error) => error.kind(),
            Self::Jobs(error) => error.kind(),
            Self::Db(error) | Self::List(ListError::Db(error)) => error.kind(),
        }
    }

    pub(super) fn too_many_files(count: usize) -> Self {
        let reason = format!("there are {count} files; at most {MAX_FILES} are taken");
        OrderError { faults: vec![OrderFault { part: OrderPart::Files, reason }] }.into()
    }
}
