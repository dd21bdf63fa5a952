//! What can go wrong with a model of the user's.

use std::{
    io,
    path::{Path, PathBuf},
};

use kernel::ErrorKind;
use platform::http::HttpError;

/// A failure to keep, check or load a model. Messages name the model or file and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    #[error(
        "`{0}` cannot name a model; use up to 64 small letters, digits, `-`, `_` and `.`, beginning with a letter or digit"
    )]
    BadName(String),
    #[error("model `{name}` not found; there {}, and `pressroom models list` says more", known(names))]
    NotFound { name: String, names: Vec<String> },
    #[error("model `{name}` is there already; remove it first, or give this one another name with --name")]
    AlreadyThere { name: String },
    #[error("`{place}` cannot be added: {reason}")]
    BadSource { place: String, reason: String },
    #[error("option `{option}` of family {family} is not known; known {}", known(names))]
    BadOption { option: String, family: &'static str, names: Vec<String> },
    #[error("the SHA-256 of `{place}` is {found}, not {wanted}; it is another file, or it was damaged on its way")]
    WrongSum { place: String, wanted: String, found: String },
    #[error("model `{name}` is damaged: {reason}; remove it and add it again")]
    Damaged { name: String, reason: String },
    #[error("model `{name}` cannot be loaded: {reason}")]
    NotLoaded { name: String, reason: String },
    #[error(
        "this build of pressroom cannot load models of family {family}; build it with \
         `cargo build --release --features local-models` (docs/models.md says more)"
    )]
    NotBuilt { family: &'static str },
    #[error("`{place}` is being added by another run; wait until it has ended")]
    Busy { place: String },
    #[error(
        "`{place}` needs {needed_bytes} bytes and the disk has {free_bytes} free; make room, or choose another data folder"
    )]
    NoSpace { place: String, needed_bytes: u64, free_bytes: u64 },
    #[error("cancelled")]
    Cancelled,
    #[error("`{}` cannot be read or written ({source})", path.display())]
    Disk { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("the work on models stopped ({0}); please report this")]
    Stopped(String),
}

impl ModelError {
    /// The sort of the failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::NotBuilt { .. } => ErrorKind::Missing,
            Self::NoSpace { .. } => ErrorKind::Exhausted,
            Self::Disk { source, .. } if source.kind() == io::ErrorKind::StorageFull => ErrorKind::Exhausted,
            Self::AlreadyThere { .. } | Self::Busy { .. } => ErrorKind::Conflict,
            Self::Cancelled => ErrorKind::Cancelled,
            Self::Http(error) => error.kind(),
            Self::Stopped(_) => ErrorKind::Internal,
            Self::BadName(_)
            | Self::BadSource { .. }
            | Self::BadOption { .. }
            | Self::WrongSum { .. }
            | Self::Damaged { .. }
            | Self::NotLoaded { .. }
            | Self::Disk { .. } => ErrorKind::Invalid,
        }
    }

    pub(super) fn disk(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Disk { path: path.to_owned(), source }
    }

    pub(super) fn source(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::BadSource { place: place.into(), reason: reason.into() }
    }
}

fn known(names: &[String]) -> String {
    match names {
        [] => "are none".to_owned(),
        [name] => format!("is `{name}`"),
        names => format!("are `{}`", names.join("`, `")),
    }
}
