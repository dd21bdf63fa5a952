//! What can go wrong at the desk.

use kernel::{ErrorKind, Forbidden};
use platform::{
    db::DbError,
    documents::ListError,
    jobs::{JobId, JobsError},
    storage::StorageError,
};

use super::DubId;
use crate::edit::EditError;

/// Why something could not be done with dubs of a server.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    #[error("there is no dub `{0}`")]
    NoDub(DubId),
    #[error("dub `{0}` has no lines yet; wait until it was made once")]
    NotMade(DubId),
    #[error("dub `{dub}` is being made by task `{task}`; wait for it, or cancel it")]
    BeingMade { dub: DubId, task: JobId },
    /// Somebody else was quicker.
    #[error("dub `{0}` was changed in the meantime; read it again, then change what is there now")]
    Changed(DubId),
    /// A part of an order that cannot be followed.
    #[error("{reason}")]
    Order { pointer: &'static str, reason: String },
    #[error(transparent)]
    Edit(#[from] EditError),
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
            Self::NoDub(_) => ErrorKind::NotFound,
            Self::NotMade(_) | Self::BeingMade { .. } | Self::Changed(_) => ErrorKind::Conflict,
            Self::Order { .. } | Self::Edit(_) | Self::List(ListError::Page(_)) => ErrorKind::Invalid,
            Self::Forbidden(error) => error.kind(),
            Self::Storage(error) => error.kind(),
            Self::Jobs(error) => error.kind(),
            Self::Db(error) | Self::List(ListError::Db(error)) => error.kind(),
        }
    }
}
