//! Results under a name of their own until they are whole: nothing half written ever has a final name.

use std::path::{Path, PathBuf};

use tempfile::TempPath;

use crate::MediaError;

/// A file beside its final place; removed when dropped.
#[derive(Debug)]
pub(crate) struct Partial {
    temporary: TempPath,
    place: PathBuf,
}

impl Partial {
    /// An empty file in the folder of `place`, which must exist, with the permissions of an ordinary new file.
    pub(crate) fn beside(place: &Path) -> Result<Self, MediaError> {
        let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = place.file_name().unwrap_or_default().to_string_lossy();
        let prefix = format!(".{}.", name.chars().take(40).collect::<String>());
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(".partial");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.tempfile_in(folder).map_err(|error| MediaError::io(folder, error))?;
        Ok(Self { temporary: file.into_temp_path(), place: place.to_owned() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.temporary
    }

    /// Gives the file its final name, replacing what was there.
    pub(crate) fn finish(self) -> Result<(), MediaError> {
        self.temporary.persist(&self.place).map_err(|error| MediaError::io(&self.place, error.error))
    }

    /// Turns a failure that came from a full device into one that says so.
    pub(crate) fn explain(&self, error: MediaError) -> MediaError {
        match error {
            MediaError::Process { ref detail, .. } if detail.contains("No space left on device") => {
                MediaError::NoSpace { path: self.place.clone() }
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_file_is_gone_unless_it_is_finished() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a.mp4");
        let partial = Partial::beside(&place).unwrap();
        let temporary = partial.path().to_owned();
        assert!(temporary.exists() && !place.exists());
        drop(partial);
        assert!(!temporary.exists() && !place.exists());
        Partial::beside(&place).unwrap().finish().unwrap();
        assert!(place.exists());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
