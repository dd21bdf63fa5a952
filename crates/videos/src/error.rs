//! What can go wrong between a script and its video, and what to do about it.

use std::path::PathBuf;

use ai::ProviderError;
use kernel::ErrorKind;
use media::MediaError;
use platform::http::HttpError;

/// A failure of this context. Messages name the thing and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum VideosError {
    /// Settings that cannot be followed; every fault is named, not just the first.
    #[error("{place}: {}", faults.join("; "))]
    Settings { place: String, faults: Vec<String> },
    /// A script that cannot be told: empty, or too long to be shortened.
    #[error("{0}")]
    Script(String),
    /// A file that is missing, unreadable, or not what is asked for.
    #[error("`{}` {reason}", path.display())]
    BadFile { path: PathBuf, reason: String },
    /// A page without an article, or one that could not be had.
    #[error("`{url}` {reason}")]
    Page { url: String, kind: ErrorKind, reason: String },
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error(transparent)]
    Media(#[from] MediaError),
    #[error(transparent)]
    Provider(#[from] ProviderError),
}

impl VideosError {
    /// The sort of the failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Settings { .. } | Self::Script(_) | Self::BadFile { .. } => ErrorKind::Invalid,
            Self::Page { kind, .. } => *kind,
            Self::Http(error) => error.kind(),
            Self::Media(error) => error.kind(),
            Self::Provider(error) => error.kind,
        }
    }
}
