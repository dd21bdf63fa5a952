//! Values on the disk: a file each, in a folder that any number of processes use at once.
//!
//! A file is written aside and then gets its name, so whoever reads finds all of it or none; what was cut short by a crash does
//! not open, because it is sealed. Nothing is synced: what gets lost is computed anew.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use tokio::sync::Semaphore;

/// The most bytes of one value.
pub(super) const MAX_VALUE_BYTES: usize = 256 * 1024;
/// What a file takes at least, as it is counted: so the number of files is bounded too.
const MIN_FILE_BYTES: u64 = 4096;
/// Files that are read or written at a time. What would have to wait is not read and not kept.
const AT_A_TIME: usize = 4;
/// How old the note of a file's last use may be.
const USE_INTERVAL: Duration = Duration::from_hours(1);

/// The values of all caches on a disk.
#[derive(Debug, Clone)]
pub(super) struct Disk(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    max_bytes: u64,
    /// Bytes that this process wrote since it last looked how much there is.
    written: AtomicU64,
    permits: Semaphore,
}

impl Disk {
    /// The values in `folder`, which is made when the first of them is written. There are never many more than `max_bytes`:
    /// what was not used for longest goes.
    pub(super) fn new(folder: PathBuf, max_bytes: u64) -> Self {
        // The first look is soon, at what earlier processes left.
        let written = AtomicU64::new(max_bytes / 16);
        Self(Arc::new(Inner { folder, max_bytes, written, permits: Semaphore::new(AT_A_TIME) }))
    }

    /// The bytes kept as `name`, which is a word of letters and digits.
    pub(super) async fn read(&self, name: &str, now: SystemTime) -> Option<Vec<u8>> {
        let path = self.0.path(name);
        let read = move |_: &Inner| {
            let bytes = read(&path)?;
            note_use(&path, now);
            Ok(bytes)
        };
        self.run(read).await
    }

    /// Keeps `bytes` as `name`.
    pub(super) async fn write(&self, name: &str, bytes: Vec<u8>) {
        if bytes.len() > MAX_VALUE_BYTES {
            return;
        }
        let path = self.0.path(name);
        self.run(move |inner| inner.write(&path, &bytes)).await;
    }

    /// Does something with files, unless too many are already being dealt with.
    async fn run<T: Send + 'static>(&self, work: impl FnOnce(&Inner) -> io::Result<T> + Send + 'static) -> Option<T> {
        let inner = self.0.clone();
        let _permit = self.0.permits.try_acquire().ok()?;
        let done = tokio::task::spawn_blocking(move || work(&inner)).await.ok()?;
        match done {
            Ok(value) => Some(value),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::debug!(%error, "a cache on the disk does without a file");
                None
            }
        }
    }
}

impl Inner {
    /// In one of at most 4096 folders, so that none holds too many files.
    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name.get(..2).unwrap_or("_")).join(name)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let folder = path.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder)?;
        let mut aside = tempfile::NamedTempFile::new_in(folder)?;
        aside.write_all(bytes)?;
        aside.persist(path)?;
        let size = counted(bytes.len() as u64);
        if self.written.fetch_add(size, Ordering::Relaxed) + size > self.max_bytes / 16 {
            self.written.store(0, Ordering::Relaxed);
            self.make_room()?;
        }
        Ok(())
    }

    /// Removes what was not used for longest, where there is too much. Another process may do the same meanwhile.
    fn make_room(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for folder in fs::read_dir(&self.folder)? {
            let folder = folder?;
            if folder.file_type()?.is_dir() {
                collect(&folder.path(), &mut files)?;
            }
        }
        let mut total: u64 = files.iter().map(|(_, size, _)| size).sum();
        if total <= self.max_bytes {
            return Ok(());
        }
        files.sort_unstable_by_key(|(used, _, _)| *used);
        let enough = self.max_bytes / 8 * 7;
        for (_, size, path) in files {
            if total <= enough {
                break;
            }
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => total -= size,
            }
        }
        Ok(())
    }
}

/// The files of a folder: when they were last used, their size, where they are.
fn collect(folder: &Path, files: &mut Vec<(SystemTime, u64, PathBuf)>) -> io::Result<()> {
    for file in fs::read_dir(folder)? {
        let file = file?;
        match file.metadata() {
            Ok(metadata) if metadata.is_file() => {
                files.push((metadata.modified()?, counted(metadata.len()), file.path()));
            }
            Ok(_) => {}
            // Another process removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Notes that a file was used, where the last note is old.
fn note_use(path: &Path, now: SystemTime) {
    let noted = |file: &fs::File| file.metadata()?.modified();
    // Whoever cannot note it loses the file earlier, no more.
    if let Ok(file) = fs::File::options().append(true).open(path)
        && noted(&file).is_ok_and(|at| now.duration_since(at).unwrap_or(USE_INTERVAL) >= USE_INTERVAL)
    {
        let _ = file.set_modified(now);
    }
}

fn counted(bytes: u64) -> u64 {
    bytes.max(MIN_FILE_BYTES)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // More than is ever written is none of ours.
    fs::File::open(path)?.take(MAX_VALUE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_VALUE_BYTES { Err(io::ErrorKind::InvalidData.into()) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_not_used_for_longest_makes_room() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::new(folder.path().join("cache"), 64 * MIN_FILE_BYTES);
        let begun = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        for index in 0..200_u32 {
            let name = format!("{index:04}");
            disk.write(&name, index.to_le_bytes().to_vec()).await;
            // Files of one second would be of one age.
            let file = fs::File::options().append(true).open(disk.0.path(&name));
            if let Ok(file) = file {
                file.set_modified(begun + Duration::from_secs(index.into())).unwrap();
            }
            // The first is used again and again.
            disk.read("0000", begun + USE_INTERVAL * (index + 1)).await.expect("it is in use");
        }
        let mut files = Vec::new();
        for folder in fs::read_dir(&disk.0.folder).unwrap() {
            collect(&folder.unwrap().path(), &mut files).unwrap();
        }
        assert!((32..=70).contains(&files.len()), "{}", files.len());
        assert_eq!(disk.read("0199", begun).await, Some(199_u32.to_le_bytes().to_vec()));
        assert_eq!(disk.read("0100", begun).await, None);
    }

    #[tokio::test]
    async fn a_value_that_is_too_large_or_not_there_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::new(folder.path().to_owned(), 1 << 20);
        assert_eq!(disk.read("name", SystemTime::UNIX_EPOCH).await, None);
        disk.write("name", vec![0; MAX_VALUE_BYTES + 1]).await;
        assert_eq!(disk.read("name", SystemTime::UNIX_EPOCH).await, None);
        fs::create_dir_all(folder.path().join("na")).unwrap();
        fs::write(folder.path().join("na/name"), vec![0; MAX_VALUE_BYTES + 1]).unwrap();
        assert_eq!(disk.read("name", SystemTime::UNIX_EPOCH).await, None);
    }
}
