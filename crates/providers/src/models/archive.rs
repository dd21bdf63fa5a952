//! Unpacks archives of strangers: no entry leaves the folder, none is a link or a device, and none is larger than it may be.

use std::{
    fs::{self, File},
    io::{self, BufReader, Read, Seek},
    path::{Component, Path, PathBuf},
};

use super::{
    ModelError,
    work::{Phase, Progress, Work},
};

/// Weights hardly compress: what grows more than this is made to fill the disk.
const MAX_GROWTH: u64 = 50;
/// What an archive may unpack to, however small it is.
const SMALL_BYTES: u64 = 64 << 20;
const MAX_ENTRIES: usize = 10_000;
const MAX_DEPTH: usize = 16;

/// The forms of archives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Tar,
    TarGz,
    Zip,
}

impl Form {
    /// The form of a file, by its first bytes; `None` where it is no archive.
    pub(super) fn of(path: &Path) -> io::Result<Option<Self>> {
        let mut head = Vec::new();
        File::open(path)?.take(512).read_to_end(&mut head)?;
        Ok(match head.as_slice() {
            [0x1f, 0x8b, ..] => Some(Self::TarGz),
            [b'P', b'K', 3, 4, ..] => Some(Self::Zip),
            head if head.get(257..262) == Some(b"ustar") => Some(Self::Tar),
            _ => None,
        })
    }
}

/// Where an archive is unpacked.
#[derive(Debug)]
pub(super) struct Unpacking<'a> {
    /// What the user calls the archive.
    pub(super) place: &'a str,
    pub(super) archive: &'a Path,
    /// An empty folder.
    pub(super) into: &'a Path,
    pub(super) max_bytes: u64,
    pub(super) work: &'a Work,
}

impl Unpacking<'_> {
    /// Unpacks all files.
    pub(super) fn run(&self, form: Form) -> Result<(), ModelError> {
        let file = File::open(self.archive).map_err(ModelError::disk(self.archive))?;
        let packed_bytes = file.metadata().map_err(ModelError::disk(self.archive))?.len();
        let max_bytes = self.max_bytes.min(packed_bytes.saturating_mul(MAX_GROWTH).max(SMALL_BYTES));
        let mut budget = Budget { entries: 0, bytes: 0, max_bytes };
        match form {
            Form::Tar => self.untar(BufReader::new(file), &mut budget),
            Form::TarGz => self.untar(flate2::bufread::MultiGzDecoder::new(BufReader::new(file)), &mut budget),
            Form::Zip => self.unzip(BufReader::new(file), &mut budget),
        }
    }

    fn untar(&self, input: impl Read, budget: &mut Budget) -> Result<(), ModelError> {
        let mut archive = tar::Archive::new(input);
        for entry in archive.entries().map_err(|error| self.damaged(&error))? {
            let mut entry = entry.map_err(|error| self.damaged(&error))?;
            let path = entry.path().map_err(|error| self.damaged(&error))?.into_owned();
            let sort = entry.header().entry_type();
            if sort.is_dir() || sort.is_pax_global_extensions() {
                continue;
            }
            if !sort.is_file() {
                return Err(self.refused(&path, "is a link or a device"));
            }
            let size_bytes = entry.size();
            self.write(&path, (&mut entry, size_bytes), budget)?;
        }
        Ok(())
    }

    fn unzip(&self, input: impl Read + Seek, budget: &mut Budget) -> Result<(), ModelError> {
        let mut archive = zip::ZipArchive::new(input).map_err(|error| self.damaged(&error))?;
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).map_err(|error| self.damaged(&error))?;
            if entry.is_dir() {
                continue;
            }
            let name = entry.name().map_err(|error| self.damaged(&error))?;
            let path = PathBuf::from(name.as_ref());
            if !entry.is_file() {
                return Err(self.refused(&path, "is a link or a device"));
            }
            let size_bytes = entry.size();
            self.write(&path, (&mut entry, size_bytes), budget)?;
        }
        Ok(())
    }

    fn write(
        &self,
        path: &Path,
        (input, size_bytes): (&mut dyn Read, u64),
        budget: &mut Budget,
    ) -> Result<(), ModelError> {
        let Some(target) = safe_path(path) else { return Err(self.refused(path, "leads out of the archive")) };
        let target = self.into.join(target);
        budget.entries += 1;
        let left = budget.max_bytes - budget.bytes;
        if budget.entries > MAX_ENTRIES || size_bytes > left {
            return Err(self.too_large(budget));
        }
        let folder = target.parent().unwrap_or(self.into);
        fs::create_dir_all(folder).map_err(ModelError::disk(folder))?;
        // Sizes in archives may be lies: one byte more than may be tells.
        let mut limited = input.take(left + 1);
        let progress = Progress { phase: Phase::Unpacking, bytes: budget.bytes, total_bytes: None };
        let copied = self.work.copy((&mut limited, self.archive), &target, progress).map_err(|error| match error {
            ModelError::Disk { source, .. } if source.kind() == io::ErrorKind::AlreadyExists => {
                self.refused(path, "is there twice")
            }
            ModelError::Disk { path, source } if path == self.archive => self.damaged(&source),
            other => other,
        })?;
        budget.bytes += copied;
        if copied > left { Err(self.too_large(budget)) } else { Ok(()) }
    }

    fn damaged(&self, error: &dyn std::error::Error) -> ModelError {
        ModelError::source(self.place, format!("it cannot be unpacked ({error}); fetch it again"))
    }

    fn refused(&self, path: &Path, what: &str) -> ModelError {
        let path = path.display().to_string();
        let shown: String = path.chars().filter(|c| !c.is_control()).take(100).collect();
        ModelError::source(self.place, format!("its entry `{shown}` {what}; unpack it yourself and add the folder"))
    }

    fn too_large(&self, budget: &Budget) -> ModelError {
        let most = budget.max_bytes;
        ModelError::source(
            self.place,
            format!(
                "it unpacks to more than {most} bytes or {MAX_ENTRIES} files; unpack it yourself and add the folder"
            ),
        )
    }
}

/// What may still be unpacked.
struct Budget {
    entries: usize,
    bytes: u64,
    max_bytes: u64,
}

/// The path where it stays inside of the folder it is unpacked to.
fn safe_path(path: &Path) -> Option<PathBuf> {
    let mut safe = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => safe.push(name.to_str().filter(|name| !name.contains(['\\', ':', '\0']))?),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    let depth = safe.components().count();
    (1..=MAX_DEPTH).contains(&depth).then_some(safe)
}
