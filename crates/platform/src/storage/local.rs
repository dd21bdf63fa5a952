//! Objects as files of this machine: for programs that read files, and what writers that died left behind.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures::StreamExt as _;
use rustix::fs::{FlockOperation, flock};
use tokio::io::AsyncWriteExt as _;

use super::{Located, Objects, StorageError};
use crate::resources;

/// What the names of copies begin with.
const COPY_PREFIX: &str = "pressroom-copy-";

/// Where copies of objects lie for as long as they are used.
#[derive(Debug, Clone)]
pub struct LocalCopies {
    folder: Arc<PathBuf>,
    /// Bytes of the disk that stay free whatever is copied.
    min_free_bytes: u64,
}

/// An object as a file, to be read only: the folder's own, or a copy that goes with this value.
#[derive(Debug)]
pub struct LocalCopy {
    path: PathBuf,
    _copy: Option<Copied>,
}

/// A copy. Its lock, which ends with the process however that ends, keeps it from being swept.
#[derive(Debug)]
struct Copied {
    path: tempfile::TempPath,
    _lock: fs::File,
}

impl LocalCopies {
    /// In a folder of their own, which is made when it is needed.
    pub fn in_folder(folder: PathBuf, min_free_bytes: u64) -> Self {
        Self { folder: Arc::new(folder), min_free_bytes }
    }

    /// In the machine's folder for temporary files.
    pub fn temporary() -> Self {
        Self::in_folder(std::env::temp_dir(), 0)
    }

    /// An empty file that is gone with what is returned, and room for what it is to hold.
    fn begin(&self, bytes: u64) -> Result<(fs::File, Copied), StorageError> {
        fs::create_dir_all(self.folder.as_path())?;
        let free_bytes = resources::free_disk_bytes(&self.folder)?;
        if free_bytes < self.min_free_bytes.saturating_add(bytes) {
            return Err(StorageError::DiskFull);
        }
        let (file, path) =
            tempfile::Builder::new().prefix(COPY_PREFIX).tempfile_in(self.folder.as_path())?.into_parts();
        let lock = file.try_clone()?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(io::Error::from)?;
        Ok((file, Copied { path, _lock: lock }))
    }

    /// Removes copies of processes that died before `before`.
    fn remove_abandoned(&self, before: SystemTime) -> io::Result<u64> {
        let mut removed = 0;
        for entry in entries(&self.folder)? {
            let entry = entry?;
            let is_copy = entry.file_name().to_str().is_some_and(|name| name.starts_with(COPY_PREFIX));
            if is_copy && is_older(&entry, before)? && is_abandoned(&entry.path())? {
                fs::remove_file(entry.path())?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

fn is_abandoned(path: &Path) -> io::Result<bool> {
    let file = match fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        file => file?,
    };
    Ok(flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok())
}

impl LocalCopy {
    /// The file. Its name says nothing of what it holds.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Objects {
    /// The object as a file, for a program that reads files. The copy of an encrypted one is plain.
    pub async fn local_copy(&self, located: Located) -> Result<LocalCopy, StorageError> {
        if let (None, Some(path)) = (located.seal, self.find_path(located.object)?) {
            return Ok(LocalCopy { path, _copy: None });
        }
        let copies = self.copies.clone();
        let begun = tokio::task::spawn_blocking(move || copies.begin(located.size_bytes)).await;
        let (file, copied) = begun.map_err(|_| StorageError::Broken)??;
        let path = copied.path.to_path_buf();
        let mut file = tokio::fs::File::from_std(file);
        let mut bytes = self.read(located, 0..located.size_bytes).await?;
        while let Some(bytes) = bytes.next().await {
            file.write_all(&bytes?).await?;
        }
        file.flush().await?;
        Ok(LocalCopy { path, _copy: Some(copied) })
    }

    /// Fails where `bytes` more would leave the disk with less than `min_free_bytes`. Other stores tell when they are full.
    pub(super) fn check_room(&self, bytes: u64, min_free_bytes: u64) -> Result<(), StorageError> {
        let Some(folder) = self.find_folder()? else { return Ok(()) };
        // The folder of objects is made by the first of them.
        let existing = folder.ancestors().find(|folder| folder.exists()).unwrap_or(&folder);
        let free_bytes = resources::free_disk_bytes(existing)?;
        if free_bytes < min_free_bytes.saturating_add(bytes) { Err(StorageError::DiskFull) } else { Ok(()) }
    }

    /// Removes what writers that died have left before `before_ms`: files in the folder, uploads in parts at the store, copies here.
    /// Returns how many of them there were.
    pub(super) async fn remove_unfinished(&self, before_ms: i64) -> Result<u64, StorageError> {
        let before = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(before_ms).unwrap_or(0));
        let (folder, copies) = (self.find_folder()?, self.copies.clone());
        let remove = move || -> io::Result<u64> {
            let of_folder = folder.map_or(Ok(0), |folder| remove_stages(&folder, before))?;
            Ok(of_folder + copies.remove_abandoned(before)?)
        };
        let removed = tokio::task::spawn_blocking(remove).await.map_err(|_| StorageError::Broken)??;
        let ended = self.end_part_uploads(before_ms).await;
        // A store may keep its list from us: that is no reason to leave everything else.
        let ended = ended.inspect_err(|error| {
            tracing::warn!(error = error.explain(), "uploads in parts that were left at the store stay for now");
        });
        Ok(removed + ended.unwrap_or(0))
    }

    async fn end_part_uploads(&self, before_ms: i64) -> Result<u64, StorageError> {
        let Some(uploads) = &self.store.part_uploads else { return Ok(0) };
        let mut ended = 0;
        for upload in uploads.list(&self.folder_key()).await? {
            if upload.begun_at_ms < before_ms && self.object_of(&upload.key).is_some() {
                uploads.end(&upload).await?;
                ended += 1;
            }
        }
        Ok(ended)
    }
}

/// What is in a folder; nothing where there is none.
fn entries(folder: &Path) -> io::Result<Box<dyn Iterator<Item = io::Result<fs::DirEntry>>>> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Box::new(std::iter::empty())),
        entries => Ok(Box::new(entries?)),
    }
}

/// One that is gone by now is not older than anything.
fn is_older(entry: &fs::DirEntry, before: SystemTime) -> io::Result<bool> {
    match entry.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        metadata => Ok(metadata?.modified()? < before),
    }
}

/// The store writes an object to a file beside its place, called like it with `#` and a number behind.
fn remove_stages(folder: &Path, before: SystemTime) -> io::Result<u64> {
    let mut removed = 0;
    for shard in entries(folder)? {
        let shard = shard?;
        if !shard.file_type()?.is_dir() {
            continue;
        }
        for entry in entries(&shard.path())? {
            let entry = entry?;
            let name = entry.file_name();
            let is_stage = name
                .to_str()
                .and_then(|name| name.split_once('#'))
                .is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()));
            if is_stage && is_older(&entry, before)? {
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

    #[test]
    fn copies_that_are_used_stay_and_those_of_the_dead_go() {
        let folder = tempfile::tempdir().unwrap();
        let copies = LocalCopies::in_folder(folder.path().join("copies"), 0);
        assert_eq!(copies.remove_abandoned(SystemTime::UNIX_EPOCH).unwrap(), 0);
        let (file, used) = copies.begin(1).unwrap();
        let later = file.metadata().unwrap().modified().unwrap() + Duration::from_mins(1);
        fs::write(folder.path().join("copies/pressroom-copy-dead"), "bytes").unwrap();
        fs::write(folder.path().join("copies/notes.txt"), "not ours").unwrap();
        assert_eq!(copies.remove_abandoned(SystemTime::UNIX_EPOCH).unwrap(), 0);
        assert_eq!(copies.remove_abandoned(later).unwrap(), 1);
        assert!(used.path.exists());
        drop(used);
        assert_eq!(fs::read_dir(folder.path().join("copies")).unwrap().count(), 1);
    }

    #[test]
    fn a_copy_that_does_not_fit_is_refused_before_it_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let copies = LocalCopies::in_folder(folder.path().to_owned(), u64::MAX);
        assert!(matches!(copies.begin(1), Err(StorageError::DiskFull)));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
