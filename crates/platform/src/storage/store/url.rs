//! Where objects lie, as an address: a folder of this machine, or a bucket of one of three kinds of store.

use std::{fmt, path::PathBuf, str::FromStr};

use object_store::path::Path as Key;
use serde::{Deserialize, Serialize};

/// The longest address that is read.
const MAX_BYTES: usize = 1024;

/// The protocol of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// Amazon's S3, and those that speak like it: R2, MinIO, Ceph.
    S3,
    /// Google Cloud Storage.
    Gcs,
    /// Azure Blob Storage.
    Azure,
}

impl StoreKind {
    const ALL: [Self; 3] = [Self::S3, Self::Gcs, Self::Azure];

    const fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Gcs => "gs",
            Self::Azure => "az",
        }
    }
}

/// The address of a store: `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix` or `file:///folder`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum StoreUrl {
    Folder(PathBuf),
    Bucket {
        kind: StoreKind,
        bucket: String,
        /// What every key begins with; empty for nothing.
        prefix: Key,
    },
}

/// Why a text is no address of a store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreUrlError {
    #[error(
        "`{0}` is no address of a store; write `s3://bucket`, `gs://bucket`, `az://container`, each with `/prefix` behind it \
         where it is shared, or `file:///folder`"
    )]
    Unknown(String),
    #[error("`{0}` names no bucket; 3 to 222 letters, digits, `.`, `_` and `-` make one")]
    Bucket(String),
    #[error("`{0}` is no prefix; words of letters, digits, `.`, `_` and `-` with `/` between them make one")]
    Prefix(String),
    #[error("`{0}` is no absolute path; write `file:///folder`")]
    Folder(String),
}

impl FromStr for StoreUrl {
    type Err = StoreUrlError;

    fn from_str(text: &str) -> Result<Self, StoreUrlError> {
        let unknown = || StoreUrlError::Unknown(text.chars().take(MAX_BYTES).collect());
        if text.len() > MAX_BYTES {
            return Err(unknown());
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(unknown)?;
        if scheme == "file" {
            return if rest.starts_with('/') {
                Ok(Self::Folder(rest.into()))
            } else {
                Err(StoreUrlError::Folder(rest.into()))
            };
        }
        let kind = StoreKind::ALL.into_iter().find(|kind| kind.scheme() == scheme).ok_or_else(unknown)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if !(3..=222).contains(&bucket.len()) || !is_word(bucket) {
            return Err(StoreUrlError::Bucket(bucket.to_owned()));
        }
        if !prefix.is_empty() && !prefix.strip_suffix('/').unwrap_or(prefix).split('/').all(is_word) {
            return Err(StoreUrlError::Prefix(prefix.to_owned()));
        }
        Ok(Self::Bucket { kind, bucket: bucket.to_owned(), prefix: Key::from(prefix) })
    }
}

/// A word that means the same in every store, and nothing else in an address.
fn is_word(word: &str) -> bool {
    let is_ours = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !word.is_empty() && word != "." && word != ".." && word.bytes().all(is_ours)
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "file://{}", path.display()),
            Self::Bucket { kind, bucket, prefix } if prefix.as_ref().is_empty() => {
                write!(f, "{}://{bucket}", kind.scheme())
            }
            Self::Bucket { kind, bucket, prefix } => write!(f, "{}://{bucket}/{prefix}", kind.scheme()),
        }
    }
}

impl TryFrom<String> for StoreUrl {
    type Error = StoreUrlError;

    fn try_from(text: String) -> Result<Self, StoreUrlError> {
        text.parse()
    }
}

impl From<StoreUrl> for String {
    fn from(url: StoreUrl) -> Self {
        url.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written_alike() {
        for text in ["file:///srv/files", "s3://bucket", "gs://a-bucket/some/prefix", "az://container/a.b_c"] {
            assert_eq!(text.parse::<StoreUrl>().unwrap().to_string(), text);
        }
        let slash: StoreUrl = "s3://bucket/".parse().unwrap();
        assert_eq!(slash.to_string(), "s3://bucket");
    }

    #[test]
    fn what_leads_nowhere_or_elsewhere_is_refused() {
        for wrong in ["", "bucket", "/srv/files", "http://bucket", "ftp://bucket/a", &"s".repeat(2000)] {
            assert!(matches!(wrong.parse::<StoreUrl>(), Err(StoreUrlError::Unknown(_))), "{wrong}");
        }
        for wrong in ["s3://", "s3://a", "s3:///prefix", "s3://user:pass@bucket", "s3://bucket?a=b", "s3://buck et"] {
            assert!(matches!(wrong.parse::<StoreUrl>(), Err(StoreUrlError::Bucket(_))), "{wrong}");
        }
        for wrong in ["s3://bucket/a//b", "s3://bucket/../b", "s3://bucket/a?b", "s3://bucket//", "s3://bucket/a%2f"] {
            assert!(matches!(wrong.parse::<StoreUrl>(), Err(StoreUrlError::Prefix(_))), "{wrong}");
        }
        assert!(matches!("file://srv".parse::<StoreUrl>(), Err(StoreUrlError::Folder(_))));
    }
}
