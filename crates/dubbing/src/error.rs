//! What can go wrong with a dub, and what to do about it.

use std::path::PathBuf;

use ai::ProviderError;
use kernel::ErrorKind;
use media::MediaError;
use pipeline::{StageError, StoreError};

use crate::{document::DocumentError, edit::EditError, pairs::NoWay, transcript::TranscriptError, voices::CastError};

/// A failure of this context. Messages name the thing and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum DubbingError {
    /// A request that cannot be followed.
    #[error("{0}")]
    Request(String),
    /// A file that is missing, unreadable, or not what is asked for.
    #[error("`{}` {reason}", path.display())]
    BadFile { path: PathBuf, reason: String },
    #[error("`{}` {source}", path.display())]
    Transcript { path: PathBuf, source: TranscriptError },
    /// In the source nobody speaks.
    #[error("`{}` has no speech that could be dubbed; choose another sound with --track, or give a --transcript", path.display())]
    NoSpeech { path: PathBuf },
    /// No engine understands the language of the source.
    #[error("no engine writes down `{lang}`; {remedy}")]
    NoListener { lang: String, remedy: String },
    /// A fault of Pressroom.
    #[error("{0}; please report this")]
    Internal(String),
    #[error(transparent)]
    Document(#[from] DocumentError),
    #[error(transparent)]
    Edit(#[from] EditError),
    #[error(transparent)]
    NoWay(#[from] NoWay),
    #[error(transparent)]
    Cast(#[from] CastError),
    #[error(transparent)]
    Stage(#[from] StageError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Media(#[from] MediaError),
    #[error(transparent)]
    Provider(#[from] ProviderError),
}

impl DubbingError {
    /// The sort of the failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Request(_)
            | Self::BadFile { .. }
            | Self::Transcript { .. }
            | Self::NoSpeech { .. }
            | Self::Document(_)
            | Self::Edit(_)
            | Self::Cast(CastError::Foreign { .. }) => ErrorKind::Invalid,
            Self::NoListener { .. } | Self::NoWay(_) => ErrorKind::Missing,
            Self::Cast(_) => ErrorKind::NotFound,
            Self::Internal(_) => ErrorKind::Internal,
            Self::Stage(error) => error.kind(),
            Self::Store(error) => error.kind(),
            Self::Media(error) => error.kind(),
            Self::Provider(error) => error.kind,
        }
    }
}
