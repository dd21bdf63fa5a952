//! The one error every provider returns.

use std::time::Duration;

use kernel::ErrorKind;

/// A provider's failure, in terms that routing and retry understand.
#[derive(Debug, thiserror::Error)]
#[error("{provider}: {message}")]
pub struct ProviderError {
    /// The provider's name, as the user configures it.
    pub provider: String,
    /// What sort of failure it is; `Unavailable` may be tried again.
    pub kind: ErrorKind,
    /// What happened and what to do, lower case, no full stop.
    pub message: String,
    /// How long the provider asks to wait, when it says so.
    pub retry_after: Option<Duration>,
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl ProviderError {
    pub fn new(provider: impl Into<String>, kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { provider: provider.into(), kind, message: message.into(), retry_after: None, source: None }
    }

    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}
