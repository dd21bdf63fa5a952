//! Files of the user's that a job works with, and what they are called there.

use std::{fmt, str::FromStr};

use kernel::UserId;
use platform::storage::{File, FileId, FileName, Files, StorageError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The longest name that a file is laid out under, in bytes.
const MAX_NAME_BYTES: usize = 120;

/// The name of a file among those that are laid out for a job: no path, and nothing that a program could take for an option.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InputName(String);

/// Why a text names no file of a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` cannot be the name of a file here; take up to {MAX_NAME_BYTES} bytes without `/` and `\\`, and neither `.` nor \
     `-` first"
)]
pub struct InputNameError(String);

/// A file of the user's that a job works with, and what it is called there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputFile {
    pub file_id: FileId,
    pub name: InputName,
}

/// A file of one's own that something is to be made with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FileWanted)]
pub struct FileWanted {
    /// The id of the file, as sending it gave.
    #[schema(value_type = uuid::Uuid)]
    pub file_id: FileId,
    /// What it is called in what is made; absent for what it was called when it was sent.
    #[schema(value_type = Option<String>, max_length = 120, example = "beach.mp4")]
    pub name: Option<InputName>,
}

impl FileWanted {
    /// The files of `owner` under their names, in the same order. Those of others are not there.
    pub async fn find_all(files: &Files, owner: UserId, wanted: Vec<Self>) -> Result<Vec<InputFile>, StorageError> {
        let ids: Vec<FileId> = wanted.iter().map(|file| file.file_id).collect();
        let found = files.find_all(owner, &ids).await?;
        let named = |(wanted, file): (Self, &File)| InputFile {
            file_id: wanted.file_id,
            name: wanted.name.unwrap_or_else(|| InputName::of_file(&file.name)),
        };
        Ok(wanted.into_iter().zip(&found).map(named).collect())
    }
}

impl InputName {
    /// The name nearest to what its owner called a file.
    pub fn of_file(name: &FileName) -> Self {
        let plain: String = name.as_str().chars().map(|c| if matches!(c, '/' | '\\') { '-' } else { c }).collect();
        let mut plain = plain.trim_start_matches(['.', '-', ' ']);
        // The ending tells what it holds, so the beginning is cut.
        while plain.len() > MAX_NAME_BYTES {
            let mut characters = plain.chars();
            characters.next();
            plain = characters.as_str().trim_start_matches(['.', '-', ' ']);
        }
        plain.parse().unwrap_or_else(|_| Self("file".to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for InputName {
    type Err = InputNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_plain = |c: char| !c.is_control() && !matches!(c, '/' | '\\');
        let is_name = !text.is_empty() && text.len() <= MAX_NAME_BYTES && !text.starts_with(['.', '-', ' ']);
        if is_name && text.chars().all(is_plain) {
            return Ok(Self(text.to_owned()));
        }
        Err(InputNameError(text.chars().filter(|c| !c.is_control()).take(MAX_NAME_BYTES).collect()))
    }
}

impl TryFrom<String> for InputName {
    type Error = InputNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<InputName> for String {
    fn from(name: InputName) -> Self {
        name.0
    }
}

impl fmt::Display for InputName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_inputs_are_no_paths_and_no_options() {
        for bad in ["", ".", "..", "../a", "a/b", "a\\b", "-i", ".hidden", "a\0", "a\n", " a", &"a".repeat(121)] {
            assert!(bad.parse::<InputName>().is_err(), "{bad:?}");
            assert!(serde_json::from_value::<InputName>(bad.into()).is_err(), "{bad:?}");
        }
        for good in ["a.mp4", "Клип 1.mp4", "a..b", "a-b.mov"] {
            assert_eq!(good.parse::<InputName>().unwrap().as_str(), good);
        }
    }

    #[test]
    fn what_a_file_is_called_becomes_a_name_that_keeps_its_ending() {
        let named = |text: &str| InputName::of_file(&FileName::new(text)).to_string();
        assert_eq!(named("../../etc/pass-wd.mp4"), "etc-pass-wd.mp4");
        assert_eq!(named("-y.mp4"), "y.mp4");
        assert_eq!(named("..."), "file");
        let long = named(&format!("{}.mp4", "ж".repeat(200)));
        assert!(long.len() <= MAX_NAME_BYTES && long.ends_with("ж.mp4"), "{long}");
    }
}
