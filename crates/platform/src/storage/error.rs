//! What can go wrong with files, and what to do about it.

use std::{error::Error, io, time::Duration};

use kernel::{ErrorKind, Forbidden, IdError, PageError};

use object_store::client::{HttpError, HttpErrorKind};

use super::{
    ChecksumError, FileId, LinkError, ObjectId, SealFault, UploadId,
    store::{Refusal, Trouble},
};
use crate::db::DbError;

/// The longest explanation of a failure.
const MAX_EXPLANATION_CHARACTERS: usize = 1000;

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
    /// The store does not answer, or says that it is busy.
    #[error("the store of files does not answer now; try again")]
    Away(#[source] object_store::Error),
    #[error("the store of files does not let the server in; its operator has to look at the credentials")]
    Denied(#[source] object_store::Error),
    #[error("files cannot be read or written")]
    Store(#[source] object_store::Error),
    #[error("files cannot be read or written")]
    Io(#[source] io::Error),
    /// An encrypted object cannot be opened.
    #[error("object `{object}` cannot be opened: {fault}")]
    Sealed { object: ObjectId, fault: SealFault },
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
            Self::Uninspected(_) | Self::Away(_) => ErrorKind::Unavailable,
            Self::Denied(_) | Self::Sealed { fault: SealFault::UnknownKey(_), .. } => ErrorKind::Missing,
            Self::Link(error) => error.kind(),
            Self::Forbidden(error) => error.kind(),
            Self::Db(error) => error.kind(),
            Self::Store(_) | Self::Io(_) | Self::Sealed { .. } | Self::Row(_) | Self::Altered | Self::Broken => {
                ErrorKind::Internal
            }
        }
    }

    /// What is behind a failure, for the operator's log: what a store says tells its users nothing, and others too much.
    pub fn explain(&self) -> String {
        let behind: Option<&dyn Error> = match self {
            Self::Away(error) | Self::Denied(error) | Self::Store(error) => Some(error),
            Self::Io(error) => Some(error),
            Self::Uninspected(error) => Some(error.as_ref()),
            _ => None,
        };
        let text = behind.map_or_else(|| self.to_string(), |error| format!("{self}: {error}"));
        text.chars().take(MAX_EXPLANATION_CHARACTERS).collect()
    }

    /// When it is worth trying again, for failures that may go away by themselves.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Uninspected(_) | Self::Away(_) => Some(Duration::from_secs(10)),
            Self::DiskFull => Some(Duration::from_mins(1)),
            Self::Db(error) => error.retry_after(),
            _ => None,
        }
    }
}

impl From<object_store::Error> for StorageError {
    fn from(error: object_store::Error) -> Self {
        use object_store::Error as Fault;
        if is_disk_full(&error) {
            return Self::DiskFull;
        }
        match error {
            Fault::PermissionDenied { .. } | Fault::Unauthenticated { .. } => Self::Denied(error),
            error if is_away(&error) => Self::Away(error),
            error => Self::Store(error),
        }
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

/// What of this type is behind a failure, however deep it lies.
fn behind<T: Error + 'static>(error: &object_store::Error) -> Option<&T> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// Whether a full disk or a quota of the file system is behind a failure, or a store that has no room left.
fn is_disk_full(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        let is_refused = error.downcast_ref::<Refusal>().is_some_and(|refusal| refusal.trouble == Trouble::Full);
        if is_refused || matches!(kind, Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)) {
            return true;
        }
        next = error.source();
    }
    false
}

/// Whether the same request may succeed later.
pub(super) fn is_away(error: &object_store::Error) -> bool {
    if let Some(refusal) = behind::<Refusal>(error) {
        return refusal.trouble == Trouble::Busy;
    }
    let is_cut = |error: &HttpError| {
        use HttpErrorKind::{Connect, Interrupted, Request, Timeout};
        matches!(error.kind(), Connect | Interrupted | Request | Timeout)
    };
    behind::<HttpError>(error).is_some_and(is_cut)
}

/// Whether the store cannot do what it was asked for, however often it is asked.
pub(super) fn is_unsupported(error: &object_store::Error) -> bool {
    use object_store::Error as Fault;
    matches!(error, Fault::NotImplemented { .. } | Fault::NotSupported { .. })
        || behind::<Refusal>(error).is_some_and(|refusal| refusal.trouble == Trouble::Unsupported)
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
