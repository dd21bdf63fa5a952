//! A file as others see it: whose it is, what it holds, what it is called.

use std::{fmt, str::FromStr};

use kernel::{UserId, id_type};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Located, ObjectId, Seal};

id_type!(FileId, "a file");

/// The longest name that is kept, in characters.
const MAX_NAME_CHARACTERS: usize = 255;
/// What a file is called that nobody named.
const NAMELESS: &str = "file";
const MAX_MEDIA_TYPE_BYTES: usize = 127;

/// A file that is whole and was looked into. It never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    pub id: FileId,
    pub owner: UserId,
    pub name: FileName,
    pub media_type: MediaType,
    pub size_bytes: u64,
    /// BLAKE3 of its bytes.
    #[serde(serialize_with = "write_hash", deserialize_with = "read_hash")]
    pub hash: blake3::Hash,
    /// Milliseconds since the Unix epoch.
    pub created_at_ms: i64,
    pub(super) object: ObjectId,
    /// The key of its object, where that is encrypted.
    pub(super) seal: Option<Seal>,
}

impl File {
    pub(super) fn located(&self) -> Located {
        Located { object: self.object, size_bytes: self.size_bytes, seal: self.seal }
    }
}

fn write_hash<S: Serializer>(hash: &blake3::Hash, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(hash.to_hex().as_str())
}

fn read_hash<'de, D: Deserializer<'de>>(deserializer: D) -> Result<blake3::Hash, D::Error> {
    blake3::Hash::from_hex(String::deserialize(deserializer)?).map_err(de::Error::custom)
}

/// A file that is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    pub owner: UserId,
    pub name: FileName,
    pub media_type: MediaType,
}

/// What its owner calls a file: for people, and never a part of a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FileName(String);

impl FileName {
    /// The name as it was given, without what no name has: control characters, and more than 255 characters.
    pub fn new(given: &str) -> Self {
        let name: String =
            given.chars().filter(|character| !character.is_control()).take(MAX_NAME_CHARACTERS).collect();
        let name = name.trim();
        Self(if name.is_empty() { NAMELESS } else { name }.to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a file holds, as `video/mp4`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MediaType(String);

/// A text that is no media type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no media type; one looks like `video/mp4`")]
pub struct MediaTypeError(String);

impl MediaType {
    /// That of bytes of which nothing is known.
    pub fn octets() -> Self {
        Self("application/octet-stream".to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a browser may show it on a page of this server: nothing that could run.
    pub fn is_shown(&self) -> bool {
        let (kind, of_kind) = self.0.split_once('/').unwrap_or_default();
        match kind {
            "video" | "audio" => true,
            "image" => matches!(of_kind, "png" | "jpeg" | "webp" | "gif" | "avif"),
            "text" => matches!(of_kind, "plain" | "vtt"),
            _ => false,
        }
    }
}

impl FromStr for MediaType {
    type Err = MediaTypeError;

    /// Reads a type without parameters (RFC 9110, section 8.3.1), in lower case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_token = |part: &str| {
            let is_ours = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
            !part.is_empty() && part.bytes().all(is_ours)
        };
        let is_type = text.split_once('/').is_some_and(|(kind, of_kind)| is_token(kind) && is_token(of_kind));
        if is_type && text.len() <= MAX_MEDIA_TYPE_BYTES {
            return Ok(Self(text.to_ascii_lowercase()));
        }
        Err(MediaTypeError(text.chars().take(MAX_MEDIA_TYPE_BYTES).collect()))
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_what_people_wrote_and_nothing_that_controls() {
        assert_eq!(FileName::new(" Ж/../клип \"1\".mp4 ").as_str(), "Ж/../клип \"1\".mp4");
        assert_eq!(FileName::new("a\r\nSet-Cookie: x\0").as_str(), "aSet-Cookie: x");
        assert_eq!(FileName::new("\t\n").as_str(), "file");
        assert_eq!(FileName::new(&"ж".repeat(300)).as_str().chars().count(), 255);
    }

    #[test]
    fn media_types_are_read_and_others_refused() {
        assert_eq!("Video/MP4".parse::<MediaType>().unwrap().as_str(), "video/mp4");
        for wrong in ["", "video", "video/", "/mp4", "video/mp4; a=b", "video/m p4", "video/mp4\r\nx: y", "a/b/c"] {
            assert!(wrong.parse::<MediaType>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn nothing_that_could_run_is_shown() {
        let is_shown = |text: &str| text.parse::<MediaType>().unwrap().is_shown();
        for shown in ["video/mp4", "audio/flac", "image/png", "text/vtt", "text/plain"] {
            assert!(is_shown(shown), "{shown}");
        }
        for hidden in ["text/html", "image/svg+xml", "application/pdf", "application/xhtml+xml", "text/xml"] {
            assert!(!is_shown(hidden), "{hidden}");
        }
    }
}
