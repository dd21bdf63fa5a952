//! Programs of which instances are made: a file that may be run, known again when it was changed.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// A program, as it was when it was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    size_bytes: u64,
    modified_ms: u128,
}

/// Why a file is no program for instances.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    #[error("`{0}` is not a whole path; begin it with `/`")]
    Relative(PathBuf),
    #[error("`{path}` cannot be found: {source}; name the program to start")]
    Unreachable { path: PathBuf, source: io::Error },
    #[error("`{0}` is no regular file; name the program to start")]
    NoFile(PathBuf),
    #[error("`{0}` may not be run; make it executable with `chmod +x`")]
    NotExecutable(PathBuf),
}

impl Program {
    /// The program at `path`, which must be whole.
    pub(crate) fn take(path: &Path) -> Result<Self, ProgramError> {
        if !path.is_absolute() {
            return Err(ProgramError::Relative(path.to_owned()));
        }
        let unreachable = |source| ProgramError::Unreachable { path: path.to_owned(), source };
        let found = fs::metadata(path).map_err(unreachable)?;
        if !found.is_file() {
            return Err(ProgramError::NoFile(path.to_owned()));
        }
        if !is_executable(path) {
            return Err(ProgramError::NotExecutable(path.to_owned()));
        }
        let modified = found.modified().map_err(unreachable)?;
        let modified_ms = modified.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_millis();
        Ok(Self { path: path.to_owned(), size_bytes: found.len(), modified_ms })
    }

    /// Whether the file is still what it was.
    pub(crate) fn is_unchanged(&self) -> bool {
        Self::take(&self.path).is_ok_and(|now| now == *self)
    }
}

fn is_executable(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn only_whole_paths_of_files_that_may_be_run_are_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        let refusal = |path: &Path| Program::take(path).unwrap_err().to_string();
        assert!(refusal(Path::new("program")).contains("not a whole path"));
        assert!(refusal(&path).contains("cannot be found"));
        assert!(refusal(folder.path()).contains("no regular file"));
        fs::write(&path, "#!/bin/sh\n").unwrap();
        assert!(refusal(&path).contains("chmod +x"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let program = Program::take(&path).unwrap();
        assert!(program.is_unchanged());
        fs::write(&path, "#!/bin/sh\nexit 1\n").unwrap();
        assert!(!program.is_unchanged());
    }
}
