//! Kept files: hashed, written through to the device, then given their lasting name in one step.

use std::{
    fs::{self, File},
    path::Path,
};

use super::Store;
use crate::{
    FileRef, StoreError, TempFile,
    error::blocking,
    file::{Extension, hash_file},
};

impl Store {
    /// Gives a finished file its lasting name. A file of that name has the same content, or lost it: it is replaced.
    pub(crate) async fn keep(&self, temp: TempFile) -> Result<FileRef, StoreError> {
        let blobs = self.blobs_folder();
        blocking(move || keep(&blobs, temp)).await
    }

    pub(crate) async fn keep_bytes(&self, temp: TempFile, bytes: Vec<u8>) -> Result<FileRef, StoreError> {
        let blobs = self.blobs_folder();
        blocking(move || {
            fs::write(temp.path(), &bytes).map_err(|e| StoreError::io(temp.path(), e))?;
            keep(&blobs, temp)
        })
        .await
    }

    /// Whether each of `files` is there in its full size.
    pub(crate) fn are_whole(&self, files: &[FileRef]) -> bool {
        files.iter().all(|file| {
            fs::metadata(self.path(file)).is_ok_and(|found| found.is_file() && found.len() == file.size_bytes())
        })
    }
}

fn keep(blobs: &Path, temp: TempFile) -> Result<FileRef, StoreError> {
    let (file, from) = settle(temp)?;
    let to = blobs.join(file.relative_path());
    let folder = to.parent().unwrap_or(blobs);
    if !folder.exists() {
        fs::create_dir_all(folder).map_err(|e| StoreError::io(folder, e))?;
        sync_folder(blobs)?;
    }
    fs::rename(&from, &to).map_err(|e| StoreError::io(&to, e))?;
    sync_folder(folder)?;
    // The path was renamed away: nothing is left to remove.
    drop(from);
    Ok(file)
}

/// Hashes a file and writes it through to the device.
fn settle(temp: TempFile) -> Result<(FileRef, tempfile::TempPath), StoreError> {
    let TempFile { path, extension } = temp;
    let fault = |e| StoreError::io(&path, e);
    let mut file = File::open(&path).map_err(fault)?;
    let (hash, size_bytes) = hash_file(&mut file).map_err(fault)?;
    file.sync_all().map_err(fault)?;
    Ok((FileRef::new(hash, extension, size_bytes), path))
}

/// Makes a new name in `folder` outlast a loss of power.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    // Only Unix opens folders as files; elsewhere the file system's journal has to do.
    if cfg!(unix) {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|e| StoreError::io(folder, e))?;
    }
    Ok(())
}

/// A path for a new temporary file, removed when the handle is dropped.
pub(crate) fn temp_file(path: &Path, extension: Extension) -> Result<TempFile, StoreError> {
    let path = tempfile::TempPath::try_from_path(path).map_err(|e| StoreError::io(path, e))?;
    Ok(TempFile { path, extension })
}
