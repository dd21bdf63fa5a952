//! The files of the English model, looked at before the library reads them: it ends the process over a file that is none.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use crate::fingerprint;

/// Where packages put the model, the first that is there counts.
const FOLDERS: [&str; 3] = [
    "/usr/share/pocketsphinx/model/en-us",
    "/usr/local/share/pocketsphinx/model/en-us",
    "/opt/homebrew/share/pocketsphinx/model/en-us",
];
/// The files that the decoder reads, and how each begins where its format says so.
const FILES: [(&str, &[u8]); 9] = [
    ("en-us/feat.params", b"-"),
    ("en-us/mdef", b"BMDF"),
    ("en-us/means", b"s3\n"),
    ("en-us/noisedict", b"<"),
    ("en-us/sendump", b""),
    ("en-us/transition_matrices", b"s3\n"),
    ("en-us/variances", b"s3\n"),
    ("en-us.lm.bin", b"Trie Language Model"),
    ("cmudict-en-us.dict", b""),
];
/// No file of a model is as small as this.
const LEAST_BYTES: u64 = 32;

/// A model that is whole as far as its files' beginnings tell.
#[derive(Debug, Clone)]
pub(super) struct Model {
    folder: PathBuf,
}

impl Model {
    /// The model in `folder`, or in the first of the usual folders that is there; else the file that is missing or wrong.
    pub(super) fn open(folder: Option<&Path>) -> Result<Self, PathBuf> {
        let usual = || FOLDERS.iter().map(Path::new).find(|folder| folder.is_dir());
        let folder = folder.or_else(usual).unwrap_or(Path::new(FOLDERS[0])).to_owned();
        for (name, start) in FILES {
            let path = folder.join(name);
            if !begins_with(&path, start) {
                return Err(path);
            }
        }
        Ok(Self { folder })
    }

    /// The folder of the acoustic model.
    pub(super) fn acoustic(&self) -> PathBuf {
        self.folder.join("en-us")
    }

    pub(super) fn language(&self) -> PathBuf {
        self.folder.join("en-us.lm.bin")
    }

    pub(super) fn dictionary(&self) -> PathBuf {
        self.folder.join("cmudict-en-us.dict")
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn fingerprint(&self) -> String {
        let files: Vec<PathBuf> = FILES.iter().map(|(name, _)| self.folder.join(name)).collect();
        fingerprint::of_files(files.iter().map(PathBuf::as_path))
    }
}

fn begins_with(path: &Path, start: &[u8]) -> bool {
    let Ok(mut file) = File::open(path) else { return false };
    let is_large = file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() >= LEAST_BYTES);
    let mut found = vec![0; start.len()];
    is_large && file.read_exact(&mut found).is_ok() && found == start
}
