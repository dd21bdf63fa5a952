//! What one source of settings says; every field may be missing.

/// Settings as a user writes them.
#[derive(Debug, Clone, Default)]
pub struct RequestPatch {}
