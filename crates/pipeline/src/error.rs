//! What can go wrong with stages and with the folder that keeps their results.

use std::{
    error::Error,
    fmt, io,
    path::{Path, PathBuf},
    time::Duration,
};

use kernel::ErrorKind;
use platform::db::OpenError;
use sea_orm::DbErr;

use crate::Item;

/// Why a stage has no result.
#[derive(Debug)]
pub enum StageError {
    /// The same call may work later; the run tries again a few times.
    Retry {
        failure: Box<Failure>,
        /// How long to wait at least, where the other side said so.
        after: Option<Duration>,
    },
    /// Trying again would fail again.
    Fail(Box<Failure>),
    /// The run was stopped.
    Cancelled,
}

/// What failed, where, and what to do about it.
#[derive(Debug)]
pub struct Failure {
    /// The stage; the run fills it in.
    pub stage: Option<&'static str>,
    /// Which of the stage's items; the run fills it in.
    pub item: Option<Item>,
    /// The sort of the failure.
    pub kind: ErrorKind,
    /// What happened and what to do, lower case, no full stop.
    pub message: String,
    /// The error beneath, unless `message` tells it whole.
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl StageError {
    /// A failure for good.
    pub fn fail(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self::Fail(Box::new(Failure::new(kind, message)))
    }

    /// A failure for good whose message is that of `error`.
    pub fn from_error<E: Error + Send + Sync + 'static>(kind: ErrorKind, error: E) -> Self {
        if kind == ErrorKind::Cancelled {
            return Self::Cancelled;
        }
        let failure = Failure { source: Some(Box::new(error)), ..Failure::new(kind, "") };
        Self::Fail(Box::new(failure))
    }

    /// A failure that may pass, to be tried again.
    pub fn retry(message: impl Into<String>, after: Option<Duration>) -> Self {
        Self::Retry { failure: Box::new(Failure::new(ErrorKind::Unavailable, message)), after }
    }

    /// The sort of the failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Retry { failure, .. } | Self::Fail(failure) => failure.kind,
            Self::Cancelled => ErrorKind::Cancelled,
        }
    }

    /// Says where it happened, unless that is said already.
    pub(crate) fn at(mut self, stage: &'static str, item: Item) -> Self {
        if let Self::Retry { failure, .. } | Self::Fail(failure) = &mut self {
            failure.stage.get_or_insert(stage);
            failure.item.get_or_insert(item);
        }
        self
    }
}

impl fmt::Display for StageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retry { failure, .. } | Self::Fail(failure) => failure.fmt(f),
            Self::Cancelled => f.write_str("cancelled"),
        }
    }
}

impl Error for StageError {
    /// What lies beneath the failure: the failure itself is told already.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Retry { failure, .. } | Self::Fail(failure) => failure.source(),
            Self::Cancelled => None,
        }
    }
}

impl Failure {
    fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { stage: None, item: None, kind, message: message.into(), source: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(stage) = self.stage {
            f.write_str(stage)?;
            if let Some(Item { number, count }) = self.item.filter(|item| item.count > 1) {
                write!(f, " {number} of {count}")?;
            }
            f.write_str(": ")?;
        }
        match &self.source {
            Some(source) if self.message.is_empty() => source.fmt(f),
            _ => f.write_str(&self.message),
        }
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let source = self.source.as_deref()?;
        // Where the source's sentence is already this one's, the chain goes on below it.
        if self.message.is_empty() { source.source() } else { Some(source) }
    }
}

impl From<StoreError> for StageError {
    fn from(error: StoreError) -> Self {
        Self::from_error(error.kind(), error)
    }
}

/// A failure of the data folder, its database, or of a file read from or written for the user.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The device is full, or the user's quota is.
    #[error("no space left for `{}`; free some, or choose another folder with --data", path.display())]
    NoSpace { path: PathBuf },
    /// There is too little space to begin.
    #[error(
        "`{}` has {} MB free and about {} MB are needed; free some, or choose another folder with --data",
        folder.display(), free_bytes / 1_000_000, needed_bytes.div_ceil(1_000_000)
    )]
    TooLittleSpace { folder: PathBuf, free_bytes: u64, needed_bytes: u64 },
    #[error("`{}`: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    /// A file of the user's cannot be used.
    #[error("`{}` {reason}", path.display())]
    BadSource { path: PathBuf, kind: ErrorKind, reason: String },
    /// Another process writes the same output.
    #[error("`{}` is being written by another run; wait for it, or choose another name", path.display())]
    OutputBusy { path: PathBuf },
    #[error("`{0}` is no extension of a kept file; use one to eight small letters and digits, such as `mp4`")]
    BadExtension(String),
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database holds tables of a later version, or cannot be changed to this one.
    #[error("database `{}` cannot be brought up to date: {source}; use the newest version of Pressroom, or delete it: \
             only kept results are lost", path.display())]
    Migrate { path: PathBuf, source: DbErr },
    #[error("no space left for the database of the data folder; free some, or choose another folder with --data")]
    DatabaseFull(#[source] DbErr),
    #[error("database of the data folder: {0}")]
    Database(#[source] DbErr),
    /// A value cannot be written as JSON.
    #[error("value of stage `{stage}` cannot be written as JSON: {source}")]
    Encode { stage: &'static str, source: serde_json::Error },
    /// A blocking task was dropped: the program is ending.
    #[error("cancelled")]
    Ended,
}

impl StoreError {
    /// Wraps an IO error with the path it happened on; a full device or quota becomes [`StoreError::NoSpace`].
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::NoSpace { path: path.to_owned() }
            }
            _ => Self::Io { path: path.to_owned(), source },
        }
    }

    /// The sort of the failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoSpace { .. } | Self::TooLittleSpace { .. } | Self::DatabaseFull(_) => ErrorKind::Exhausted,
            Self::BadSource { kind, .. } => *kind,
            Self::OutputBusy { .. } => ErrorKind::Conflict,
            Self::Open(error) => error.kind(),
            Self::Database(error) => platform::db::error_kind(error),
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => ErrorKind::NotFound,
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Invalid,
                _ => ErrorKind::Internal,
            },
            Self::BadExtension(_) | Self::Encode { .. } | Self::Migrate { .. } => ErrorKind::Internal,
            Self::Ended => ErrorKind::Cancelled,
        }
    }
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        match platform::db::error_kind(&error) {
            ErrorKind::Exhausted => Self::DatabaseFull(error),
            _ => Self::Database(error),
        }
    }
}

/// Runs file work on a thread where it may block.
pub(crate) async fn blocking<T, F>(work: F) -> Result<T, StoreError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, StoreError> + Send + 'static,
{
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(StoreError::Ended))
}
