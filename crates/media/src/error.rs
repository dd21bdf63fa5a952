//! What can go wrong with media, and what to do about it.

use std::path::PathBuf;

use kernel::ErrorKind;

/// A failure of media work. Messages name the thing and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// A program is not installed.
    #[error("`{program}` not found; {remedy}")]
    MissingProgram { program: String, remedy: String },
    /// FFmpeg is there but was built without something.
    #[error("this FFmpeg has no {what}; {remedy}")]
    MissingFeature { what: String, remedy: String },
    /// A file cannot be used: unreadable, broken, empty, or not what its name says.
    #[error("`{}` {reason}", path.display())]
    BadFile { path: PathBuf, reason: String },
    /// A request no file could satisfy: an unknown theme, font, or size.
    #[error("{0}")]
    Invalid(String),
    /// The device is full.
    #[error("no space left for `{}`; free some, or choose another folder with --data", path.display())]
    NoSpace { path: PathBuf },
    /// A child process ended badly; `detail` is the last of its standard error.
    #[error("{program} failed ({status}): {detail}")]
    Process { program: String, status: String, detail: String },
    /// The user stopped it.
    #[error("cancelled")]
    Cancelled,
    #[error("`{}`: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
}

impl MediaError {
    /// Wraps an IO error with the path it happened on; a full device becomes [`MediaError::NoSpace`].
    pub fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        let path = path.into();
        if source.kind() == std::io::ErrorKind::StorageFull {
            Self::NoSpace { path }
        } else {
            Self::Io { path, source }
        }
    }

    /// The sort of the failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::MissingProgram { .. } | Self::MissingFeature { .. } => ErrorKind::Missing,
            Self::BadFile { .. } | Self::Invalid(_) => ErrorKind::Invalid,
            Self::NoSpace { .. } => ErrorKind::Exhausted,
            Self::Process { .. } | Self::Io { .. } => ErrorKind::Internal,
            Self::Cancelled => ErrorKind::Cancelled,
        }
    }
}
