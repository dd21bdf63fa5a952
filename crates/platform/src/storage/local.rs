//! Objects as files of this machine: for programs that read files, and what writers that died left in the folder.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use futures::StreamExt as _;
use tokio::io::AsyncWriteExt as _;

use super::{ObjectId, Objects, StorageError};
use crate::resources;

/// An object as a file, to be read only: the folder's own, or a copy that goes with this value.
#[derive(Debug)]
pub struct LocalCopy {
    path: PathBuf,
    _copy: Option<tempfile::TempPath>,
}

impl LocalCopy {
    /// The file. Its name says nothing of what it holds.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Objects {
    /// The object as a file, for a program that reads files.
    pub async fn local_copy(&self, object: ObjectId, size_bytes: u64) -> Result<LocalCopy, StorageError> {
        if let Some(path) = self.find_path(object)? {
            return Ok(LocalCopy { path, _copy: None });
        }
        let copy = tempfile::Builder::new().prefix("pressroom-").tempfile()?.into_temp_path();
        let mut file = tokio::fs::File::create(&copy).await?;
        let mut bytes = self.read(object, 0..size_bytes).await?;
        while let Some(bytes) = bytes.next().await {
            file.write_all(&bytes?).await?;
        }
        file.flush().await?;
        Ok(LocalCopy { path: copy.to_path_buf(), _copy: Some(copy) })
    }

    /// Fails where `bytes` more would leave the disk with less than `min_free_bytes`. Other stores tell when they are full.
    pub(super) fn check_room(&self, bytes: u64, min_free_bytes: u64) -> Result<(), StorageError> {
        let Some(folder) = self.find_folder()? else { return Ok(()) };
        // The folder of objects is made by the first of them.
        let existing = folder.ancestors().find(|folder| folder.exists()).unwrap_or(&folder);
        let free_bytes = resources::free_disk_bytes(existing)?;
        if free_bytes < min_free_bytes.saturating_add(bytes) { Err(StorageError::DiskFull) } else { Ok(()) }
    }

    /// Removes what writers that died have left in the folder before `before_ms`, and returns how many files that were.
    pub(super) async fn remove_unfinished(&self, before_ms: i64) -> Result<u64, StorageError> {
        let Some(folder) = self.find_folder()? else { return Ok(0) };
        let before = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(before_ms).unwrap_or(0));
        let removed = tokio::task::spawn_blocking(move || remove_stages(&folder, before)).await;
        Ok(removed.map_err(|_| StorageError::Broken)??)
    }
}

/// The store writes an object to a file beside its place, called like it with `#` and a number behind.
fn remove_stages(folder: &Path, before: SystemTime) -> io::Result<u64> {
    let mut removed = 0;
    let shards = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        shards => shards?,
    };
    for shard in shards {
        let shard = shard?;
        if !shard.file_type()?.is_dir() {
            continue;
        }
        for entry in fs::read_dir(shard.path())? {
            let entry = entry?;
            let name = entry.file_name();
            let is_stage = name
                .to_str()
                .and_then(|name| name.split_once('#'))
                .is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()));
            if is_stage && entry.metadata()?.modified()? < before {
                fs::remove_file(entry.path())?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_old_stages_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let shard = folder.path().join("ab");
        fs::create_dir(&shard).unwrap();
        for name in ["0193#1", "0193", "0193#x", "0193#"] {
            fs::write(shard.join(name), "bytes").unwrap();
        }
        let modified = fs::metadata(shard.join("0193#1")).unwrap().modified().unwrap();
        assert_eq!(remove_stages(folder.path(), modified).unwrap(), 0);
        assert_eq!(remove_stages(folder.path(), modified + Duration::from_secs(1)).unwrap(), 1);
        assert_eq!(fs::read_dir(&shard).unwrap().count(), 3);
        assert_eq!(remove_stages(&folder.path().join("nowhere"), modified).unwrap(), 0);
    }
}
