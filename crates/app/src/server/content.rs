//! Connects what `platform` asks of a file that users bring with what `media` finds in it.

use std::path::Path;

use async_trait::async_trait;
use kernel::ErrorKind;
use media::{Ffmpeg, MediaError, content};
use platform::storage::{CheckError, ContentCheck, MediaType};

/// Looks into files with FFmpeg's probe, within its limits.
#[derive(Debug)]
pub(super) struct Probe(pub(super) Ffmpeg);

#[async_trait]
impl ContentCheck for Probe {
    async fn check(&self, path: &Path) -> Result<MediaType, CheckError> {
        match content::identify(&self.0, path).await {
            Ok(name) => name.parse().map_err(|error| CheckError::Failed(Box::new(error))),
            // The path is ours, and tells its owner nothing.
            Err(MediaError::BadFile { reason, .. }) => Err(CheckError::Refused(reason)),
            Err(error) if error.kind() == ErrorKind::Invalid => Err(CheckError::Refused(error.to_string())),
            Err(error) => Err(CheckError::Failed(Box::new(error))),
        }
    }
}
