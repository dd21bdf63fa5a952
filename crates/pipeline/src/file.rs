//! Files of artifacts, named by their content, and the user's own files, which stay where they are.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::StoreError;

/// The field by which a file is known inside the JSON of an artifact.
const FILE_FIELD: &str = "$file";

/// How many bytes are read at a time for hashing.
const CHUNK_BYTES: usize = 256 * 1024;

/// A file in the data folder, named by the BLAKE3 hash of its content; it never changes.
///
/// Inside an artifact it is written as `{"$file": "<hash>.<extension>", "size_bytes": n}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "WrittenFile", into = "WrittenFile")]
pub struct FileRef {
    hash: String,
    extension: Extension,
    size_bytes: u64,
}

#[derive(Serialize, Deserialize)]
struct WrittenFile {
    #[serde(rename = "$file")]
    name: String,
    size_bytes: u64,
}

impl FileRef {
    pub(crate) fn new(hash: blake3::Hash, extension: Extension, size_bytes: u64) -> Self {
        Self { hash: hash.to_hex().to_string(), extension, size_bytes }
    }

    /// The BLAKE3 hash of its content: 64 hexadecimal digits.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Its length in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The ending of its name, without the dot.
    pub fn extension(&self) -> &str {
        &self.extension.0
    }

    /// Its name in the data folder: `<hash>.<extension>`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.hash, self.extension.0)
    }

    /// Its path below the folder of files: a folder for each first two digits keeps folders small.
    pub(crate) fn relative_path(&self) -> PathBuf {
        Path::new(&self.hash[..2]).join(self.name())
    }

    pub(crate) fn blake3(&self) -> Option<blake3::Hash> {
        blake3::Hash::from_hex(&self.hash).ok()
    }

    /// Every file named anywhere in the JSON of an artifact, each once.
    pub(crate) fn all_in(value: &Value) -> Vec<Self> {
        let mut files = Vec::new();
        gather_files(value, &mut files);
        files.sort_unstable();
        files.dedup();
        files
    }
}

fn gather_files(value: &Value, files: &mut Vec<FileRef>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| gather_files(value, files)),
        Value::Object(map) if map.contains_key(FILE_FIELD) => files.extend(FileRef::deserialize(value).ok()),
        Value::Object(map) => map.values().for_each(|value| gather_files(value, files)),
        _ => {}
    }
}

impl TryFrom<WrittenFile> for FileRef {
    type Error = String;

    fn try_from(written: WrittenFile) -> Result<Self, Self::Error> {
        let fault = || format!("`{}` is not the name of a kept file", written.name);
        let (hash, extension) = written.name.split_once('.').ok_or_else(fault)?;
        let hash = blake3::Hash::from_hex(hash).map_err(|_| fault())?;
        let extension = extension.parse().map_err(|_| fault())?;
        Ok(Self::new(hash, extension, written.size_bytes))
    }
}

impl From<FileRef> for WrittenFile {
    fn from(file: FileRef) -> Self {
        Self { name: file.name(), size_bytes: file.size_bytes }
    }
}

/// The ending of a file's name: one to eight small letters and digits, so that it is safe in any path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Extension(String);

impl FromStr for Extension {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let letters_ok = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if letters_ok && (1..=8).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(StoreError::BadExtension(text.to_owned()))
        }
    }
}

impl fmt::Display for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A file being written in the run's own folder; removed when dropped, unless it was kept.
#[derive(Debug)]
pub struct TempFile {
    pub(crate) path: tempfile::TempPath,
    pub(crate) extension: Extension,
}

impl TempFile {
    /// Where to write.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A file of the user's, used where it lies.
///
/// As part of a stage's input it counts by its content alone: it is written as its hash and size, so that a moved or
/// touched file makes nothing anew. It should not be part of an output, since an old artifact would name an old path: read
/// back, it has no place, and is looked for among the files that the run has imported.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SourceRef {
    pub(crate) hash: String,
    pub(crate) size_bytes: u64,
    pub(crate) place: Option<Place>,
}

/// Where a user's file lies on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) path: PathBuf,
    pub(crate) stamp: Stamp,
}

/// What tells cheaply that a file is still the one that was hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Stamp {
    pub(crate) size_bytes: u64,
    pub(crate) modified_ns: i64,
    pub(crate) inode: u64,
}

impl SourceRef {
    pub(crate) fn new(path: PathBuf, hash: String, stamp: Stamp) -> Self {
        Self { hash, size_bytes: stamp.size_bytes, place: Some(Place { path, stamp }) }
    }

    /// Where the file lies; empty for one that was read back.
    pub fn path(&self) -> &Path {
        self.place.as_ref().map_or(Path::new(""), |place| &place.path)
    }

    /// The BLAKE3 hash of its content: 64 hexadecimal digits.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Its length in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }
}

impl Serialize for SourceRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.hash, self.size_bytes).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SourceRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (hash, size_bytes) = <(String, u64)>::deserialize(deserializer)?;
        let hash = blake3::Hash::from_hex(&hash).map_err(serde::de::Error::custom)?;
        Ok(Self { hash: hash.to_hex().to_string(), size_bytes, place: None })
    }
}

/// Reads a file to its end and returns its hash and length.
pub(crate) fn hash_file(file: &mut File) -> io::Result<(blake3::Hash, u64)> {
    let mut hasher = blake3::Hasher::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut size_bytes = 0;
    loop {
        let read = match file.read(&mut chunk) {
            Ok(0) => return Ok((hasher.finalize(), size_bytes)),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(&chunk[..read]);
        size_bytes += read as u64;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn file(content: &[u8]) -> FileRef {
        FileRef::new(blake3::hash(content), "mp4".parse().unwrap(), content.len() as u64)
    }

    #[test]
    fn a_file_is_written_and_read_back() {
        let written = serde_json::to_value(file(b"one")).unwrap();
        assert_eq!(written["size_bytes"], 3);
        assert_eq!(serde_json::from_value::<FileRef>(written).unwrap(), file(b"one"));
    }

    #[test]
    fn files_are_found_wherever_an_artifact_names_them() {
        let output = json!({"a": [file(b"one"), {"b": file(b"two")}], "c": file(b"one"), "d": "$file", "e": 1});
        let mut expected = vec![file(b"one"), file(b"two")];
        expected.sort_unstable();
        assert_eq!(FileRef::all_in(&output), expected);
    }

    #[test]
    fn a_name_that_leaves_the_folder_is_refused() {
        let hash = blake3::hash(b"").to_hex();
        for name in ["../../etc/passwd".to_owned(), format!("{hash}.../x"), format!("{hash}./x"), hash.to_string()] {
            let written = json!({"$file": name, "size_bytes": 0});
            assert!(serde_json::from_value::<FileRef>(written).is_err(), "{name}");
        }
    }

    #[test]
    fn a_source_counts_by_its_content_alone() {
        let stamp = Stamp { size_bytes: 3, modified_ns: 1, inode: 2 };
        let hash = blake3::hash(b"one").to_hex().to_string();
        let here = SourceRef::new("/a".into(), hash.clone(), stamp);
        let moved = SourceRef::new("/b".into(), hash, Stamp { modified_ns: 9, ..stamp });
        let written = serde_json::to_string(&here).unwrap();
        assert_eq!(written, serde_json::to_string(&moved).unwrap());
        let read: SourceRef = serde_json::from_str(&written).unwrap();
        assert_eq!((serde_json::to_string(&read).unwrap(), read.path()), (written, Path::new("")));
        assert!(serde_json::from_str::<SourceRef>("[\"../x\", 3]").is_err());
    }
}
