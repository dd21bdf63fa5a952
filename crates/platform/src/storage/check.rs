//! What is done to a file before anything else reads it: what it holds is found out, and viruses are looked for.

use std::{error::Error, fmt::Debug, path::Path, sync::Arc};

use async_trait::async_trait;

use super::{ByteStream, MediaType, Objects, StorageError, StoredObject};

/// Finds out what a file holds, by what is in it: names and announced types are not asked.
#[async_trait]
pub trait ContentCheck: Debug + Send + Sync {
    /// The type of what `path` holds, within the limits of whoever looks.
    async fn check(&self, path: &Path) -> Result<MediaType, CheckError>;
}

/// Why a file has no type.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// It is nothing that can be used, for a reason that goes on from "it".
    #[error("it {0}")]
    Refused(String),
    /// It could not be looked into.
    #[error("content cannot be looked into: {0}")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}

/// Looks for viruses.
#[async_trait]
pub trait VirusScanner: Debug + Send + Sync {
    /// Whether there is one in `content`, which has `size_bytes`.
    async fn scan(&self, content: ByteStream, size_bytes: u64) -> Result<Verdict, ScanError>;

    /// Whether the scanner answers.
    async fn ping(&self) -> Result<(), ScanError>;
}

/// What a scanner found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Clean,
    /// A virus, by the scanner's name for it.
    Infected(String),
}

/// Why nothing was found out.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    #[error("the virus scanner at `{address}` does not answer: {source}")]
    Unreachable {
        address: String,
        #[source]
        source: std::io::Error,
    },
    #[error("the virus scanner at `{address}` takes no file of {size_bytes} bytes; raise its `StreamMaxLength`")]
    TooLarge { address: String, size_bytes: u64 },
    #[error("the virus scanner at `{address}` said `{answer}`")]
    Failed { address: String, answer: String },
    #[error("what was to be scanned cannot be read: {0}")]
    Content(#[source] Box<StorageError>),
}

/// All that is done to a file before it is one.
#[derive(Debug, Clone)]
pub struct Inspection {
    pub content: Arc<dyn ContentCheck>,
    /// None where no scanner is set.
    pub scanner: Option<Arc<dyn VirusScanner>>,
}

impl Inspection {
    /// The type of an object that may become a file.
    pub(super) async fn inspect(&self, objects: &Objects, stored: &StoredObject) -> Result<MediaType, StorageError> {
        let copy = objects.local_copy(stored.located()).await?;
        let media_type = self.content.check(copy.path()).await.map_err(|error| match error {
            CheckError::Refused(reason) => StorageError::Refused(reason),
            CheckError::Failed(source) => StorageError::Uninspected(source),
        })?;
        if let Some(scanner) = &self.scanner {
            let content = objects.read(stored.located(), 0..stored.size_bytes).await?;
            match scanner.scan(content, stored.size_bytes).await {
                Ok(Verdict::Clean) => {}
                Ok(Verdict::Infected(name)) => return Err(StorageError::Refused(format!("holds the virus `{name}`"))),
                Err(error) => return Err(StorageError::Uninspected(error.into())),
            }
        }
        Ok(media_type)
    }
}
