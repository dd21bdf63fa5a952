//! The stages of a dub, a file each. [`crate::production`] has their order.

pub(crate) mod burn;
pub(crate) mod embed;
pub(crate) mod encode;
pub(crate) mod extract;
pub(crate) mod listen;
pub(crate) mod measure;
pub(crate) mod mix;
pub(crate) mod probe;
pub(crate) mod separate;
pub(crate) mod speak;
pub(crate) mod speakers;
pub(crate) mod speech;
pub(crate) mod stretch;
pub(crate) mod survey;
pub(crate) mod translate;

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
pub(crate) async fn computing<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, MediaError> + Send + 'static,
) -> Result<T, StageError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| StageError::from_error(ErrorKind::Internal, error))?.map_err(media_failure)
}
