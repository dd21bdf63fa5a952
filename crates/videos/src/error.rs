//! What can go wrong between a script and its video, and what to do about it.

use std::path::{Path, PathBuf};

use ai::{ProviderError, tts::NoVoice};
use kernel::ErrorKind;
use media::MediaError;
use pipeline::{FileRef, StageError, StoreError};
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
    /// A voice that no engine offers.
    #[error("voice `{voice}` not found; list them with `pressroom voices`")]
    UnknownVoice { voice: String },
    /// A language that no engine speaks.
    #[error(transparent)]
    NoVoice(#[from] NoVoice),
    /// The video was made and is not as it must be.
    #[error("the video failed its check: {}{}", failures.join("; "), kept(aside.as_deref()))]
    CheckFailed {
        /// What was made; taken out once it is set aside.
        video: Option<FileRef>,
        failures: Vec<String>,
        /// Where it was set aside.
        aside: Option<PathBuf>,
    },
    /// A fault of Pressroom.
    #[error("{0}; please report this")]
    Internal(String),
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error(transparent)]
    Stage(#[from] StageError),
    #[error(transparent)]
    Store(#[from] StoreError),
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
            Self::UnknownVoice { .. } => ErrorKind::NotFound,
            Self::NoVoice(error) => error.kind(),
            Self::CheckFailed { .. } | Self::Internal(_) => ErrorKind::Internal,
            Self::Http(error) => error.kind(),
            Self::Stage(error) => error.kind(),
            Self::Store(error) => error.kind(),
            Self::Media(error) => error.kind(),
            Self::Provider(error) => error.kind,
        }
    }
}

fn kept(aside: Option<&Path>) -> String {
    aside.map(|path| format!("; it is kept as `{}`", path.display())).unwrap_or_default()
}
