//! The parts of a server that can be asked how they are, beside its database.

use std::path::PathBuf;

use async_trait::async_trait;
use media::Ffmpeg;
use platform::{
    jobs::Jobs,
    resources::free_disk_bytes,
    server::health::{Component, Need},
    storage::Objects,
};

/// The store of files.
pub(super) struct Storage(pub(super) Objects);

/// Whether somebody does the jobs.
pub(super) struct Workers(pub(super) Jobs);

/// Whether there is room for what is made.
pub(super) struct Disk {
    pub(super) folder: PathBuf,
    pub(super) min_free_bytes: u64,
}

/// The programs that media go through.
pub(super) struct Programs(pub(super) Ffmpeg);

#[async_trait]
impl Component for Storage {
    fn name(&self) -> &'static str {
        "storage"
    }

    fn need(&self) -> Need {
        Need::Vital
    }

    async fn check(&self) -> Result<(), String> {
        self.0.ping().await.map_err(|error| error.explain())
    }
}

#[async_trait]
impl Component for Workers {
    fn name(&self) -> &'static str {
        "jobs"
    }

    fn need(&self) -> Need {
        Need::Useful
    }

    async fn check(&self) -> Result<(), String> {
        match self.0.worker_count().await {
            Ok(0) => Err("no worker is there; start one with `pressroom worker`".to_owned()),
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }
}

#[async_trait]
impl Component for Disk {
    fn name(&self) -> &'static str {
        "disk"
    }

    fn need(&self) -> Need {
        Need::Useful
    }

    async fn check(&self) -> Result<(), String> {
        let free_bytes = free_disk_bytes(&self.folder).map_err(|error| error.to_string())?;
        if free_bytes < self.min_free_bytes {
            return Err(format!("{free_bytes} bytes are free; {} is the least", self.min_free_bytes));
        }
        Ok(())
    }
}

#[async_trait]
impl Component for Programs {
    fn name(&self) -> &'static str {
        "ffmpeg"
    }

    fn need(&self) -> Need {
        Need::Useful
    }

    async fn check(&self) -> Result<(), String> {
        let program = self.0.path();
        match tokio::fs::metadata(program).await {
            Ok(found) if found.is_file() => Ok(()),
            _ => Err(format!("`{}` is gone", program.display())),
        }
    }
}
