//! Models on their way into the catalogue lie aside until they are whole and verified; what a killed run left is removed.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

/// The lock of everything that comes and goes in the catalogue's folder, held for moments.
const LOCK: &str = ".lock";
const ADDING: &str = ".adding-";
const REMOVING: &str = ".removing-";

/// A place aside, gone when this is dropped.
#[derive(Debug)]
pub(super) struct Staging {
    folder: PathBuf,
    models: PathBuf,
    // Held for its lock: as long as somebody holds it, the place is not abandoned.
    _lock: File,
}

impl Staging {
    /// A place in the catalogue's folder `models`; places that killed runs left are removed. Blocks for moments.
    pub(super) fn new(models: &Path) -> io::Result<Self> {
        fs::create_dir_all(models)?;
        let _alone = lock(models)?;
        for entry in fs::read_dir(models)? {
            let entry = entry?;
            let name = entry.file_name();
            let starts = |start: &str| name.to_string_lossy().starts_with(start);
            if starts(REMOVING) || (starts(ADDING) && is_abandoned(&entry.path())?) {
                fs::remove_dir_all(entry.path()).or_else(unless_gone)?;
            }
        }
        let folder = tempfile::Builder::new().prefix(ADDING).tempdir_in(models)?.keep();
        let lock = open(&folder.join("lock"))?;
        lock.lock()?;
        let staging = Self { folder, models: models.to_owned(), _lock: lock };
        fs::create_dir(staging.model())?;
        Ok(staging)
    }

    /// The folder that becomes the model's.
    pub(super) fn model(&self) -> PathBuf {
        self.folder.join("model")
    }

    /// A folder for what is not kept.
    pub(super) fn scratch(&self) -> io::Result<PathBuf> {
        let folder = self.folder.join("scratch");
        fs::create_dir(&folder)?;
        Ok(folder)
    }

    /// Gives the model its place; `AlreadyExists` where another has it.
    pub(super) fn publish(self, name: &str) -> io::Result<PathBuf> {
        let place = self.models.join(name);
        let _alone = lock(&self.models)?;
        if place.exists() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        File::open(self.model())?.sync_all()?;
        fs::rename(self.model(), &place)?;
        File::open(&self.models)?.sync_all()?;
        Ok(place)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What cannot be removed is removed by the next addition.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Removes a model's folder: from one moment to the next it is not in the catalogue any more.
pub(super) fn remove(models: &Path, name: &str) -> io::Result<()> {
    let _alone = lock(models)?;
    let aside = tempfile::Builder::new().prefix(REMOVING).tempdir_in(models)?;
    fs::rename(models.join(name), aside.path().join(name))?;
    aside.close()
}

/// Whether nobody works in a place aside. Its owner may remove it at this very moment.
fn is_abandoned(place: &Path) -> io::Result<bool> {
    match try_lock(&place.join("lock")) {
        Ok(lock) => Ok(lock.is_some()),
        Err(error) => unless_gone(error).map(|()| false),
    }
}

fn unless_gone(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

/// A lock that nobody else has; `None` where somebody has it.
pub(super) fn try_lock(path: &Path) -> io::Result<Option<File>> {
    let file = open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn lock(models: &Path) -> io::Result<File> {
    let file = open(&models.join(LOCK))?;
    file.lock()?;
    Ok(file)
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name != LOCK).collect();
        names.sort();
        names
    }

    #[test]
    fn a_place_is_gone_unless_its_model_is_published() {
        let folder = tempfile::tempdir().unwrap();
        drop(Staging::new(folder.path()).unwrap());
        assert!(list(folder.path()).is_empty());
        let staging = Staging::new(folder.path()).unwrap();
        fs::write(staging.model().join("model.bin"), "weights").unwrap();
        staging.publish("a").unwrap();
        assert_eq!(list(folder.path()), ["a"]);
        let error = Staging::new(folder.path()).unwrap().publish("a").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        remove(folder.path(), "a").unwrap();
        assert!(list(folder.path()).is_empty());
    }

    #[test]
    fn what_a_killed_run_left_is_removed_and_what_another_run_has_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let living = Staging::new(folder.path()).unwrap();
        let killed = Staging::new(folder.path()).unwrap();
        let left = killed.folder.clone();
        // As if killed: its lock is free, its folder still there.
        fs::rename(&left, folder.path().join("elsewhere")).unwrap();
        drop(killed);
        fs::rename(folder.path().join("elsewhere"), &left).unwrap();
        drop(Staging::new(folder.path()).unwrap());
        assert!(!left.exists() && living.folder.exists());
    }
}
