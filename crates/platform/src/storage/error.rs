//! What can go wrong with files, and what to do about it.

use std::{error::Error, io, time::Duration};

use kernel::{ErrorKind, Forbidden, IdError, PageError};

use super::{ChecksumError, FileId, LinkError, UploadId};
use crate::db::DbError;

/// A failure of files or uploads.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    #[error("there is no file `{0}`")]
    NoFile(FileId),
    #[error("there is no upload `{0}`; it was ended, or nothing came for too long: begin a new one")]
    NoUpload(UploadId),
    #[error("it is larger than the {max_bytes} bytes that are allowed here")]
    TooLarge { max_bytes: u64 },
    #[error("it is empty; nothing can be made from it")]
    Empty,
    #[error("there is no room for {bytes} bytes more of yours: all may have {quota_bytes} bytes together; remove some")]
    Quota { bytes: u64, quota_bytes: u64 },
    #[error("the server has no room left; its operator has to make some")]
    DiskFull,
    #[error("the upload goes on at byte {expected}, not at {given}; ask for its offset first")]
    Offset { expected: u64, given: u64 },
    #[error("another connection goes on with the upload; ask for its offset first")]
    Superseded,
    #[error("the upload is complete; nothing can be added to it")]
    Complete,
    #[error("the file was refused: it {0}")]
    Refused(String),
    /// Something that looks into files does not work; what was uploaded stays.
    #[error("the file cannot be looked into now; try again")]
    Uninspected(#[source] Box<dyn Error + Send + Sync>),
    #[error(transparent)]
    Checksum(#[from] ChecksumError),
    /// What was being sent broke off; what came is kept.
    #[error("the body broke off: {0}")]
    Body(#[source] Box<dyn Error + Send + Sync>),
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error(transparent)]
    Page(#[from] PageError),
    #[error(transparent)]
    Db(#[from] DbError),
    #[error("files cannot be read or written: {0}")]
    Store(#[source] object_store::Error),
    #[error("files cannot be read or written: {0}")]
    Io(#[source] io::Error),
    /// A fault of the program: a row that cannot be.
    #[error("the table of files holds what it cannot: {0}")]
    Row(String),
    /// Nothing of this content lies on the shelf.
    #[error("it is not shared, or not any more")]
    NotShelved,
    /// Bytes are others than those that were named.
    #[error("the bytes are not those that were stored")]
    Altered,
    #[error("a piece of work on files ended before its end")]
    Broken,
}

impl StorageError {
    /// The sort of the failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoFile(_) | Self::NoUpload(_) | Self::NotShelved => ErrorKind::NotFound,
            Self::TooLarge { .. }
            | Self::Empty
            | Self::Refused(_)
            | Self::Checksum(_)
            | Self::Body(_)
            | Self::Page(_) => ErrorKind::Invalid,
            Self::Quota { .. } | Self::DiskFull => ErrorKind::Exhausted,
            Self::Offset { .. } | Self::Superseded | Self::Complete => ErrorKind::Conflict,
            Self::Uninspected(_) => ErrorKind::Unavailable,
            Self::Link(error) => error.kind(),
            Self::Forbidden(error) => error.kind(),
            Self::Db(error) => error.kind(),
            Self::Store(_) | Self::Io(_) | Self::Row(_) | Self::Altered | Self::Broken => ErrorKind::Internal,
        }
    }

    /// When it is worth trying again, for failures that may go away by themselves.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Uninspected(_) => Some(Duration::from_secs(10)),
            Self::DiskFull => Some(Duration::from_mins(1)),
            Self::Db(error) => error.retry_after(),
            _ => None,
        }
    }
}

impl From<object_store::Error> for StorageError {
    fn from(error: object_store::Error) -> Self {
        if is_disk_full(&error) { Self::DiskFull } else { Self::Store(error) }
    }
}

impl From<io::Error> for StorageError {
    fn from(error: io::Error) -> Self {
        if is_disk_full(&error) { Self::DiskFull } else { Self::Io(error) }
    }
}

impl From<sea_orm::DbErr> for StorageError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Db(error.into())
    }
}

impl From<IdError> for StorageError {
    fn from(error: IdError) -> Self {
        Self::Row(error.to_string())
    }
}

/// Whether a full disk or a quota of the file system is behind a failure.
fn is_disk_full(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if matches!(kind, Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)) {
            return true;
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_other_faults_however_deep_it_lies() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        assert!(matches!(StorageError::from(full()), StorageError::DiskFull));
        let wrapped = object_store::Error::Generic { store: "local", source: Box::new(full()) };
        assert!(matches!(StorageError::from(wrapped), StorageError::DiskFull));
        let other = object_store::Error::Generic { store: "local", source: "broken".into() };
        assert!(matches!(StorageError::from(other), StorageError::Store(_)));
        assert_eq!(StorageError::DiskFull.kind(), ErrorKind::Exhausted);
    }
}
