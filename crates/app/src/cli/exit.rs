//! Exit codes: what a script can rely on.

use std::process::ExitCode;

use dubbing::DubbingError;
use gateway::{
    GatewayError,
    admin::{AccessError, AdminError, AdminListenError},
    file::FileError,
    fleet::StateError,
};
use identity::IdentityError;
use kernel::ErrorKind;
use media::MediaError;
use platform::{
    config::{ConfigError, SecretError},
    db::{DbError, OpenDbError, TargetError, migrate::MigrateError},
    http::{HttpError, ProbeError},
    secrets::SecretKeyError,
    storage::{StorageError, StoreError},
};
use providers::models::ModelError;
use videos::VideosError;

pub(crate) const CANCELLED: u8 = 130;
pub(crate) const CHECK_FAILED: u8 = 9;

pub(crate) const HELP: &str = "Exit codes: 0 done, 1 fault of Pressroom, 2 wrong arguments, 3 bad input, 4 not found, \
5 a program or feature is missing, 6 no space or memory left, 7 a service did not answer, 8 in use by another run, \
9 the finished video, or a deploy, failed its check, 10 not allowed, 130 cancelled";

/// The exit code of an error.
pub(crate) fn code_of(error: &anyhow::Error) -> ExitCode {
    let code = match error.downcast_ref::<VideosError>() {
        Some(VideosError::CheckFailed { .. }) => CHECK_FAILED,
        Some(error) => code_of_kind(error.kind()),
        None => kind_of(error).map_or(1, code_of_kind),
    };
    ExitCode::from(code)
}

fn kind_of(error: &anyhow::Error) -> Option<ErrorKind> {
    macro_rules! kind_of_any {
        ($cause:ident: $($error:ty),+) => {
            None$(.or_else(|| $cause.downcast_ref::<$error>().map(|error| error.kind())))+
        };
    }
    error.chain().find_map(|cause| {
        let provider = cause.downcast_ref::<ai::ProviderError>().map(|error| error.kind);
        provider.or_else(|| {
            kind_of_any!(cause: MediaError, IdentityError, DubbingError, HttpError, ProbeError, ModelError, StorageError, StoreError,
                ConfigError, SecretError, SecretKeyError, OpenDbError, MigrateError, TargetError, DbError, AccessError,
                AdminError, AdminListenError, FileError, GatewayError, StateError)
        })
    })
}

/// The exit code of a sort of failure.
pub(crate) fn of_kind(kind: ErrorKind) -> ExitCode {
    ExitCode::from(code_of_kind(kind))
}

const fn code_of_kind(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Internal => 1,
        ErrorKind::Invalid => 3,
        ErrorKind::NotFound => 4,
        ErrorKind::Missing => 5,
        ErrorKind::Exhausted => 6,
        ErrorKind::Unavailable => 7,
        ErrorKind::Conflict => 8,
        ErrorKind::Unauthenticated | ErrorKind::Forbidden => 10,
        ErrorKind::Cancelled => CANCELLED,
    }
}
