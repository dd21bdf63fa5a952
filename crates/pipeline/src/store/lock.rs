//! Locks between processes. The kernel gives them up when their process dies, however it dies.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

/// The first and the longest pause between two looks at a lock that another holds.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// A lock file held by this process alone; dropping it gives up the lock and removes the file.
#[derive(Debug)]
pub(crate) struct LockFile {
    path: PathBuf,
    // Held for its lock.
    _file: File,
}

impl LockFile {
    /// Takes the lock if nobody holds it.
    pub(crate) fn try_take(path: &Path) -> io::Result<Option<Self>> {
        Ok(open_alone(path)?.map(|file| Self { path: path.to_owned(), _file: file }))
    }

    /// Waits for the lock; `None` when cancelled before.
    pub(crate) async fn take(path: &Path, cancellation: &CancellationToken) -> io::Result<Option<Self>> {
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(lock) = Self::try_take(path)? {
                return Ok(Some(lock));
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = cancellation.cancelled() => return Ok(None),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        // Removed while still held, so that nobody can have taken it in between. Left behind it does no harm.
        let _ = fs::remove_file(&self.path);
    }
}

/// Opens a file for writing and takes its lock, unless another holds it. Its content stays as it is.
pub(crate) fn open_alone(path: &Path) -> io::Result<Option<File>> {
    loop {
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Whoever held it before may have removed or renamed it on leaving: then the lock is on another file than
        // the one that the path names now.
        if is_still_named(&file, path)? {
            return Ok(Some(file));
        }
    }
}

#[cfg(unix)]
fn is_still_named(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;

    let held = file.metadata()?;
    match fs::metadata(path) {
        Ok(named) => Ok((held.dev(), held.ino()) == (named.dev(), named.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Elsewhere an open file cannot be removed, so a lock file that is held keeps its name.
#[cfg(not(unix))]
fn is_still_named(_file: &File, _path: &Path) -> io::Result<bool> {
    Ok(true)
}

/// The lock of the whole folder: runs share it, removal of old artifacts has it alone.
#[derive(Debug)]
pub(crate) struct FolderLock {
    // Held for its lock.
    _file: File,
}

impl FolderLock {
    /// Shares the lock, after waiting for a removal that is under way. Blocks.
    pub(crate) fn share(path: &Path) -> io::Result<Self> {
        let file = open(path)?;
        file.lock_shared()?;
        Ok(Self { _file: file })
    }

    /// Takes the lock alone, unless a run shares it.
    pub(crate) fn try_alone(path: &Path) -> io::Result<Option<Self>> {
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Takes the lock alone, waiting for whoever has it. Blocks.
    pub(crate) fn alone(path: &Path) -> io::Result<Self> {
        let file = open(path)?;
        file.lock()?;
        Ok(Self { _file: file })
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path)
}
