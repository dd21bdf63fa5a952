//! Exit codes: what a script can rely on.

use std::process::ExitCode;

use dubbing::DubbingError;
use identity::IdentityError;
use kernel::ErrorKind;
use platform::http::HttpError;
use providers::models::ModelError;
use videos::VideosError;

pub(crate) const CANCELLED: u8 = 130;
pub(crate) const CHECK_FAILED: u8 = 9;

pub(crate) const HELP: &str = "Exit codes: 0 done, 1 fault of Pressroom, 2 wrong arguments, 3 bad input, 4 not found, \
5 a program or feature is missing, 6 no space or memory left, 7 a service did not answer, 8 in use by another run, \
9 the finished video failed its check, 10 not allowed, 130 cancelled";

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
    error.chain().find_map(|cause| {
        let media = cause.downcast_ref::<media::MediaError>().map(media::MediaError::kind);
        let dubbing = || cause.downcast_ref::<DubbingError>().map(DubbingError::kind);
        let provider = || cause.downcast_ref::<ai::ProviderError>().map(|error| error.kind);
        let http = || cause.downcast_ref::<HttpError>().map(HttpError::kind);
        let model = || cause.downcast_ref::<ModelError>().map(ModelError::kind);
        let identity = || cause.downcast_ref::<IdentityError>().map(IdentityError::kind);
        media.or_else(identity).or_else(dubbing).or_else(provider).or_else(http).or_else(model)
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
