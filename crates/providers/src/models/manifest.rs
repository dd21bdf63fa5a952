//! What is kept about a model: its name, what it is, and its files with their sums.

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use super::{Kind, ModelError};

/// Where the manifest lies in a model's folder.
pub(super) const FILE: &str = "manifest.json";
const MAX_BYTES: u64 = 1 << 20;
const MAX_NAME_CHARS: usize = 64;

/// The name of a model: safe as a folder's name and on a command line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModelName(String);

impl ModelName {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A name made from that of a file or folder; `None` where nothing of it can stand in a name.
    pub(super) fn from_file_name(name: &str) -> Option<Self> {
        let plain =
            |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') { c.to_ascii_lowercase() } else { '-' };
        let name: String = name.chars().map(plain).collect();
        let name = name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        let name: String = name.chars().take(MAX_NAME_CHARS).collect();
        name.trim_end_matches(['-', '.']).parse().ok()
    }
}

impl FromStr for ModelName {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let fits = text.len() <= MAX_NAME_CHARS
            && text.bytes().next().is_some_and(plain)
            && text.bytes().all(|b| plain(b) || matches!(b, b'-' | b'_' | b'.'));
        if fits { Ok(Self(text.to_owned())) } else { Err(ModelError::BadName(text.to_owned())) }
    }
}

impl TryFrom<String> for ModelName {
    type Error = ModelError;

    fn try_from(text: String) -> Result<Self, ModelError> {
        text.parse()
    }
}

impl From<ModelName> for String {
    fn from(name: ModelName) -> Self {
        name.0
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The version of the manifest's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Schema {
    #[serde(rename = "pressroom/model/1")]
    V1,
}

/// What is known of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub schema: Schema,
    pub name: ModelName,
    pub kind: Kind,
    /// The name of the family, which says how it is loaded.
    pub family: String,
    /// In the order of their names.
    pub files: Vec<ModelFile>,
    /// What the family cannot tell from the files, as the user said it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
    /// As the user or the model's card says it; `None` where nobody does.
    pub licence: Option<String>,
    /// Where it was taken from.
    pub source: String,
    /// Milliseconds since the Unix epoch.
    pub added_ms: i64,
    /// When its sums were last found right and it was loaded.
    pub verified_ms: i64,
}

/// A file of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    pub name: String,
    pub size_bytes: u64,
    /// 64 hexadecimal digits.
    pub blake3: String,
}

/// A model of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    pub manifest: Manifest,
    /// Where its files lie.
    pub folder: PathBuf,
}

impl Manifest {
    pub fn size_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size_bytes).sum()
    }

    /// Sixteen hexadecimal digits of all that decides what the model answers.
    pub fn fingerprint(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        let options = self.options.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]);
        let files = self.files.iter().flat_map(|file| [file.name.as_str(), file.blake3.as_str()]);
        for text in [self.family.as_str()].into_iter().chain(options).chain(files) {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        hasher.finalize().to_hex()[..16].to_owned()
    }

    pub(super) fn read(folder: &Path) -> io::Result<Self> {
        let path = folder.join(FILE);
        if fs::metadata(&path)?.len() > MAX_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let manifest: Self = serde_json::from_str(&fs::read_to_string(&path)?)?;
        let is_plain =
            |file: &ModelFile| Path::new(&file.name).file_name().is_some_and(|name| name == file.name.as_str());
        if manifest.files.iter().all(is_plain) { Ok(manifest) } else { Err(io::ErrorKind::InvalidData.into()) }
    }

    /// Writes it whole or not at all.
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".manifest-").tempfile_in(folder)?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.as_file().sync_all()?;
        file.persist(folder.join(FILE))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leaves_no_folder_and_fits_a_command_line() {
        for good in ["whisper-small.en", "nllb_200", "7b"] {
            assert_eq!(good.parse::<ModelName>().unwrap().as_str(), good);
        }
        for bad in ["", ".hidden", "..", "a/b", "-x", "Großes", "a b", &"x".repeat(65)] {
            assert!(bad.parse::<ModelName>().is_err(), "{bad}");
        }
        let made = |name| ModelName::from_file_name(name).map(String::from);
        assert_eq!(made("..Whisper small (v2)").as_deref(), Some("whisper-small--v2"));
        assert_eq!((made("…"), made("")), (None, None));
    }

    #[test]
    fn a_manifest_that_names_files_elsewhere_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = ModelFile { name: "model.bin".to_owned(), size_bytes: 3, blake3: "00".to_owned() };
        let manifest = Manifest {
            schema: Schema::V1,
            name: "a".parse().unwrap(),
            kind: Kind::Transcription,
            family: "whisper".to_owned(),
            files: vec![file],
            options: BTreeMap::new(),
            licence: None,
            source: "here".to_owned(),
            added_ms: 1,
            verified_ms: 1,
        };
        manifest.write(folder.path()).unwrap();
        assert_eq!(Manifest::read(folder.path()).unwrap(), manifest);
        let text = fs::read_to_string(folder.path().join(FILE)).unwrap();
        for (from, to) in [("\"model.bin\"", "\"../model.bin\""), ("model/1", "model/2")] {
            fs::write(folder.path().join(FILE), text.replace(from, to)).unwrap();
            assert!(Manifest::read(folder.path()).is_err(), "{to}");
        }
        let mut other = manifest.clone();
        other.options.insert("stem".to_owned(), "vocals".to_owned());
        assert_ne!(other.fingerprint(), manifest.fingerprint());
    }
}
