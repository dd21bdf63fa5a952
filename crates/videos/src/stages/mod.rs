//! The stages of a video, a file each. [`crate::production`] has their order.

pub(crate) mod assemble;
pub(crate) mod captions;
pub(crate) mod check;
pub(crate) mod cover;
pub(crate) mod encode_sound;
pub(crate) mod footage;
pub(crate) mod mix;
pub(crate) mod segment;
pub(crate) mod still;
pub(crate) mod voice;

use ai::ProviderError;
use kernel::ErrorKind;
use media::MediaError;
use pipeline::StageError;

/// A failed media step ends the run: the same file would fail again.
fn media_failure(error: MediaError) -> StageError {
    StageError::from_error(error.kind(), error)
}

/// A provider that does not answer may answer later.
fn provider_failure(error: ProviderError) -> StageError {
    match error.kind {
        ErrorKind::Unavailable => StageError::retry(error.to_string(), error.retry_after),
        kind => StageError::from_error(kind, error),
    }
}

/// Computes beside the run's own task, so that other items go on meanwhile.
async fn computing<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, MediaError> + Send + 'static,
) -> Result<T, StageError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| StageError::from_error(ErrorKind::Internal, error))?.map_err(media_failure)
}
