//! Work of models, which takes its time, on threads that may.

use std::sync::Arc;

use ai::ProviderError;
use kernel::ErrorKind;
use tokio::sync::Semaphore;

/// Runs `work` of the engine `name` on a blocking thread, as many at a time as `places` has permits.
pub(crate) async fn on_thread<T: Send + 'static>(
    name: &'static str,
    places: &Arc<Semaphore>,
    work: impl FnOnce() -> Result<T, ProviderError> + Send + 'static,
) -> Result<T, ProviderError> {
    let stopped =
        || ProviderError::new(name, ErrorKind::Internal, "the work of a model stopped; report what was asked");
    let place = Arc::clone(places).acquire_owned().await.map_err(|source| stopped().with_source(source))?;
    let done = tokio::task::spawn_blocking(move || {
        // Held to the end of the work, also when nobody waits for it any more.
        let _place = place;
        work()
    });
    done.await.map_err(|source| stopped().with_source(source))?
}
