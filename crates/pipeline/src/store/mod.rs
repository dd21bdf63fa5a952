//! The data folder: kept files named by their content, and a row for every artifact that is whole.

mod artifacts;
mod collect;
mod entity;
mod files;
mod lock;
mod migrations;
mod place;
mod run_folder;
mod sources;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use kernel::Clock;
use sea_orm::DatabaseConnection;
use sea_orm_migration::MigratorTrait;

pub use collect::{Collected, Limits, collect};
pub use place::place_of;

pub(crate) use artifacts::Record;
pub(crate) use files::{sync_folder, temp_file};
pub(crate) use lock::{FolderLock, LockFile, open_alone};
pub(crate) use run_folder::RunFolder;

use crate::{FileRef, Key, StoreError, error::blocking};

/// A data folder that is open. Clones share it; any number of processes may have it open at once.
///
/// ```text
/// pressroom.db               a row for every artifact
/// blobs/ab/<hash>.<ext>      kept files
/// tmp/<run>/                 unfinished files of a run, beside its lock
/// locks/<key>.lock           artifacts being made
/// place                      a name that no other data folder has
/// open.lock                  held while the folder is opened
/// run.lock                   shared by runs, held alone while old artifacts are removed
/// ```
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    db: DatabaseConnection,
    clock: Arc<dyn Clock>,
}

impl Store {
    /// Opens the data folder at `root`, making what is missing and bringing its tables up to date.
    pub async fn open(root: &Path, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let folder = root.to_owned();
        let root = blocking(move || make_folders(&folder)).await?;
        // One at a time: two processes that both find a new database would both change its mode and make its tables.
        let lock = root.join("open.lock");
        let _alone = blocking(move || FolderLock::alone(&lock).map_err(|e| StoreError::io(&lock, e))).await?;
        let path = root.join("pressroom.db");
        let db = platform::db::open_sqlite(&path).await?;
        let store = Self { inner: Arc::new(Inner { root, db, clock }) };
        store.migrate(&path).await?;
        Ok(store)
    }

    /// The data folder.
    pub fn root(&self) -> &Path {
        &self.inner.root
    }

    /// Where a kept file lies. It must not be changed; for the user it is copied with [`crate::publish`].
    pub fn path(&self, file: &FileRef) -> PathBuf {
        self.blobs_folder().join(file.relative_path())
    }

    /// Closes the database; what is open elsewhere goes on.
    pub async fn close(self) -> Result<(), StoreError> {
        Ok(self.inner.db.clone().close().await?)
    }

    async fn migrate(&self, path: &Path) -> Result<(), StoreError> {
        let fault = |source| StoreError::Migrate { path: path.to_owned(), source };
        if migrations::are_applied(self.db()).await {
            return Ok(());
        }
        migrations::Migrator::up(self.db(), None).await.map_err(fault)
    }

    fn db(&self) -> &DatabaseConnection {
        &self.inner.db
    }

    fn now_ms(&self) -> i64 {
        self.inner.clock.now_ms()
    }

    fn blobs_folder(&self) -> PathBuf {
        self.root().join("blobs")
    }

    fn locks_folder(&self) -> PathBuf {
        self.root().join("locks")
    }

    pub(crate) fn temp_folder(&self) -> PathBuf {
        self.root().join("tmp")
    }

    pub(crate) fn key_lock_path(&self, key: Key) -> PathBuf {
        self.locks_folder().join(format!("{key}.lock"))
    }

    pub(crate) fn run_lock_path(&self) -> PathBuf {
        self.root().join("run.lock")
    }
}

fn make_folders(root: &Path) -> Result<PathBuf, StoreError> {
    let root = std::path::absolute(root).map_err(|e| StoreError::io(root, e))?;
    for folder in ["blobs", "locks", "tmp"] {
        let folder = root.join(folder);
        fs::create_dir_all(&folder).map_err(|e| StoreError::io(&folder, e))?;
    }
    Ok(root)
}
