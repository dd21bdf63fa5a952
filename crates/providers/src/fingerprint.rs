//! Tells one state of installed files from another, so that what an engine made of one is not taken for another's.

use std::{fs, path::Path, time::UNIX_EPOCH};

/// Sixteen hexadecimal digits of the names, sizes and times of change of `files`. What is not there counts as nothing.
pub(crate) fn of_files<'a>(files: impl IntoIterator<Item = &'a Path>) -> String {
    let mut hasher = blake3::Hasher::new();
    for file in files {
        let Ok(metadata) = fs::metadata(file) else { continue };
        let changed = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        hasher.update(file.as_os_str().as_encoded_bytes());
        hasher.update(&metadata.len().to_le_bytes());
        hasher.update(&changed.map_or(0, |time| time.as_secs()).to_le_bytes());
    }
    hasher.finalize().to_hex()[..16].to_owned()
}
