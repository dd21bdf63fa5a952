//! What a stage is, and what it is given to work with.

use std::{
    future::Future,
    path::{Path, PathBuf},
    sync::Arc,
};

use platform::resources::MemoryLease;
use serde::{Serialize, de::DeserializeOwned};
use tokio_util::sync::CancellationToken;

use crate::{FileRef, Reporter, SourceRef, StageError, TempFile, run::Shared};

/// A step of a pipeline whose results are kept.
///
/// The result is a function of the input: what is not in the input must not change it. What a stage needs to work but
/// what does not change the result (an encoder, loaded fonts, a limiter) lives in the stage itself.
///
/// Stages run side by side on one task; long computing belongs on `tokio::task::spawn_blocking`.
pub trait Stage: Send + Sync {
    /// Everything the result depends on. It is hashed as JSON: use ordered collections, leave out paths and times.
    type Input: Serialize + Sync;
    /// The result as a small value. Big data is a file, kept with [`StageContext::keep`] and named by a [`FileRef`].
    type Output: Serialize + DeserializeOwned + Send + Sync + Clone;

    /// The stage's name, the same for ever: a word of small letters and hyphens.
    fn name(&self) -> &'static str;

    /// Raise it whenever the same input makes another result than before.
    fn version(&self) -> u32;

    /// Makes the result. When the run is cancelled it should end soon: a few seconds later it is dropped.
    fn run(
        &self,
        input: &Self::Input,
        context: &StageContext,
    ) -> impl Future<Output = Result<Self::Output, StageError>> + Send;
}

/// A stage whose items any worker of a team may make.
pub trait SharedStage: Stage<Input: DeserializeOwned + Send> {
    /// The files of the user's that an item is made from.
    fn sources<'a>(&self, input: &'a Self::Input) -> Vec<&'a SourceRef>;

    /// Whether what this machine makes of the item is the same as what was asked for.
    fn can_make(&self, input: &Self::Input) -> impl Future<Output = Result<bool, StageError>> + Send;
}

/// What a running stage is given. Clones serve the same item.
#[derive(Debug, Clone)]
pub struct StageContext {
    pub(crate) shared: Arc<Shared>,
    pub(crate) cancellation: CancellationToken,
    pub(crate) reporter: Reporter,
}

impl StageContext {
    /// A new file to write, in a folder of this run's own on the file system of the kept files. It does not exist yet;
    /// what is written there is removed when the handle is dropped.
    pub fn temp_file(&self, extension: &str) -> Result<TempFile, StageError> {
        Ok(self.shared.temp_file(extension)?)
    }

    /// Keeps a finished file: it is hashed, written through to the device and given its lasting name.
    ///
    /// The file counts once it is part of the stage's output.
    pub async fn keep(&self, file: TempFile) -> Result<FileRef, StageError> {
        Ok(self.shared.store.keep(file).await?)
    }

    /// Keeps bytes as a file.
    pub async fn keep_bytes(&self, bytes: Vec<u8>, extension: &str) -> Result<FileRef, StageError> {
        let file = self.temp_file(extension)?;
        Ok(self.shared.store.keep_bytes(file, bytes).await?)
    }

    /// Where a kept file lies. It must not be changed.
    pub fn path(&self, file: &FileRef) -> PathBuf {
        self.shared.store.path(file)
    }

    /// Names a file of the user's by its content, without copying it.
    pub async fn import(&self, path: &Path) -> Result<SourceRef, StageError> {
        Ok(self.shared.import(path).await?)
    }

    /// Where a file of the user's lies, if it is still the one that was imported.
    pub async fn source_path(&self, source: &SourceRef) -> Result<PathBuf, StageError> {
        Ok(self.shared.source_path(source).await?)
    }

    /// Waits until `bytes` of memory are free in the run's budget and sets them aside.
    pub async fn memory(&self, bytes: u64) -> Result<MemoryLease, StageError> {
        tokio::select! {
            lease = self.shared.memory.lease(bytes) => Ok(lease),
            () = self.cancellation.cancelled() => Err(StageError::Cancelled),
        }
    }

    /// Told when the run is stopped, or when another item of the stage has failed.
    pub fn cancellation(&self) -> &CancellationToken {
        &self.cancellation
    }

    /// Where to say how far the item is.
    pub fn progress(&self) -> &Reporter {
        &self.reporter
    }
}
