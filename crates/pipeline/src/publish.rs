//! Hands a finished file to the user: whole under its final name, or not at all.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::{
    StoreError,
    error::blocking,
    store::{open_alone, sync_folder},
};

/// Copies `source` to `target`, replacing what is there in one step once the copy is on the device.
///
/// It is a copy (sharing blocks where the file system can), never a link: the user may edit the result, a kept file
/// must not change. An interrupted copy leaves a hidden file beside the target, which the next one takes over.
pub async fn publish(source: &Path, target: &Path) -> Result<(), StoreError> {
    let (source, target) = (source.to_owned(), target.to_owned());
    blocking(move || {
        let mut from = File::open(&source).map_err(|e| StoreError::io(&source, e))?;
        write_into_place(&target, |to| io::copy(&mut from, to).map(drop))
    })
    .await
}

/// Writes `bytes` to `target` in the same way.
pub async fn publish_bytes(bytes: Vec<u8>, target: &Path) -> Result<(), StoreError> {
    let target = target.to_owned();
    blocking(move || write_into_place(&target, |to| to.write_all(&bytes))).await
}

fn write_into_place(target: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), StoreError> {
    let fault = |e| StoreError::io(target, e);
    let name = target.file_name().ok_or_else(|| fault(io::Error::from(io::ErrorKind::InvalidFilename)))?;
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|e| StoreError::io(folder, e))?;
    if target.is_dir() {
        return Err(fault(io::ErrorKind::IsADirectory.into()));
    }
    let mut partial = Partial::open(folder, name, target)?;
    partial.file.set_len(0).and_then(|()| write(&mut partial.file)).map_err(fault)?;
    partial.file.sync_all().map_err(fault)?;
    fs::rename(&partial.path, target).map_err(fault)?;
    partial.renamed = true;
    sync_folder(folder)
}

/// The hidden file beside the target; dropping it removes it, unless it became the target.
struct Partial {
    path: PathBuf,
    file: File,
    renamed: bool,
}

impl Partial {
    fn open(folder: &Path, name: &std::ffi::OsStr, target: &Path) -> Result<Self, StoreError> {
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(".partial");
        let path = folder.join(hidden);
        let fault = |e| StoreError::io(target, e);
        // A link planted under this name must not lead elsewhere.
        if fs::symlink_metadata(&path).is_ok_and(|found| !found.is_file()) {
            return Err(fault(io::ErrorKind::AlreadyExists.into()));
        }
        let file = open_alone(&path).map_err(fault)?;
        let file = file.ok_or_else(|| StoreError::OutputBusy { path: target.to_owned() })?;
        Ok(Self { path, file, renamed: false })
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.renamed {
            // Left behind it is hidden and taken over by the next copy.
            let _ = fs::remove_file(&self.path);
        }
    }
}
