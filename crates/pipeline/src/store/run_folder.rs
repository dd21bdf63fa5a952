//! The folder in which a run writes what is not finished, and the removal of those whose run has died.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    process,
};

use super::LockFile;
use crate::StoreError;

/// The temporary folder of a live run; dropping it removes it.
#[derive(Debug)]
pub(crate) struct RunFolder {
    path: PathBuf,
    // Held for its lock; given up after the folder is gone.
    _lock: LockFile,
}

impl RunFolder {
    /// Makes a new folder below `temp_folder`. Blocks.
    pub(crate) fn create(temp_folder: &Path) -> Result<Self, StoreError> {
        let mut number = 0_u64;
        loop {
            let path = temp_folder.join(format!("{}-{number}", process::id()));
            let lock_path = lock_path(&path);
            if let Some(lock) = LockFile::try_take(&lock_path).map_err(|e| StoreError::io(&lock_path, e))? {
                // Whoever had the same number before is dead, or we would not have its lock.
                remove_folder(&path).and_then(|()| fs::create_dir(&path)).map_err(|e| StoreError::io(&path, e))?;
                return Ok(Self { path, _lock: lock });
            }
            number += 1;
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the folders of runs that have died. Blocks.
    pub(crate) fn sweep(temp_folder: &Path) -> Result<(), StoreError> {
        let fault = |e| StoreError::io(temp_folder, e);
        let mut folders = BTreeSet::new();
        for entry in fs::read_dir(temp_folder).map_err(fault)? {
            folders.insert(entry.map_err(fault)?.path().with_extension(""));
        }
        for folder in folders {
            let lock_path = lock_path(&folder);
            let Some(_dead) = LockFile::try_take(&lock_path).map_err(|e| StoreError::io(&lock_path, e))? else {
                continue;
            };
            remove_folder(&folder).map_err(|e| StoreError::io(&folder, e))?;
        }
        Ok(())
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        if let Err(error) = remove_folder(&self.path) {
            tracing::warn!(folder = %self.path.display(), %error, "temporary folder stays until the next run");
        }
    }
}

fn lock_path(folder: &Path) -> PathBuf {
    folder.with_extension("lock")
}

fn remove_folder(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
