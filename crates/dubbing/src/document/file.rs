//! The document as a file: read with every fault named by its place, written the same way each time.

use std::path::PathBuf;

use super::Dub;

/// A longer file is no document of a dub: a hundred hours of speech take less.
pub const MAX_DOCUMENT_BYTES: u64 = 128 * 1024 * 1024;

/// Most faults named at a time.
pub(super) const MAX_FAULTS: usize = 20;

/// Why a file is no document of a dub.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}`: {}", path.display(), faults.join("; "))]
pub struct DocumentError {
    pub path: PathBuf,
    /// Each with its place in the document.
    pub faults: Vec<String>,
}

impl Dub {
    /// Reads and checks a document; `path` is what messages call it.
    pub fn parse(text: &str, path: impl Into<PathBuf>) -> Result<Self, DocumentError> {
        let path = path.into();
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let parsed: Result<Self, _> = serde_path_to_error::deserialize(&mut deserializer);
        let dub = match parsed {
            Ok(dub) => dub,
            Err(error) => return Err(DocumentError { path, faults: vec![unreadable(&error)] }),
        };
        if let Err(error) = deserializer.end() {
            return Err(DocumentError { path, faults: vec![format!("something follows the document: {error}")] });
        }
        dub.checked(path)
    }

    /// The document, if nothing in it is wrong.
    pub fn checked(self, path: impl Into<PathBuf>) -> Result<Self, DocumentError> {
        let mut faults = self.faults();
        if faults.is_empty() {
            return Ok(self);
        }
        let more = faults.len().saturating_sub(MAX_FAULTS);
        faults.truncate(MAX_FAULTS);
        if more > 0 {
            faults.push(format!("and {more} more"));
        }
        Err(DocumentError { path: path.into(), faults })
    }

    /// The document as text, with a line end.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}

/// serde ends its sentence with the line and column, which follow the place.
fn unreadable(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    match error.path().to_string().as_str() {
        "." | "?" => error.inner().to_string(),
        place => format!("{place}: {}", error.inner()),
    }
}
