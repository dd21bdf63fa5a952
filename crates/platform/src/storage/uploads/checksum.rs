//! What a piece of an upload must hash to (the checksum extension of tus 1.0).

use std::str::FromStr;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::digest::{Algorithm, Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};

/// The algorithms, by their names in the protocol, which wants SHA-1 of every server.
const ALGORITHMS: [(&str, &Algorithm); 2] = [("sha1", &SHA1_FOR_LEGACY_USE_ONLY), ("sha256", &SHA256)];

/// What bytes must hash to, against faults on the way; not against whoever means harm.
#[derive(Debug, Clone)]
pub struct Checksum {
    algorithm: &'static Algorithm,
    expected: Vec<u8>,
}

/// Why a piece was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChecksumError {
    #[error("what came is not what was sent; nothing of it is kept: send it again")]
    Mismatch,
    #[error("`{0}` is no checksum; write the algorithm, `sha1` or `sha256`, and the checksum in Base64")]
    Unreadable(String),
}

impl Checksum {
    /// The names of all algorithms.
    pub fn algorithms() -> impl Iterator<Item = &'static str> {
        ALGORITHMS.iter().map(|(name, _)| *name)
    }

    pub(super) fn begin(&self) -> Context {
        Context::new(self.algorithm)
    }

    pub(super) fn check(&self, digest: Context) -> Result<(), ChecksumError> {
        if digest.finish().as_ref() == self.expected { Ok(()) } else { Err(ChecksumError::Mismatch) }
    }
}

impl FromStr for Checksum {
    type Err = ChecksumError;

    /// Reads `sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let (name, expected) = text.split_once(' ')?;
            let (_, algorithm) = ALGORITHMS.into_iter().find(|(known, _)| *known == name)?;
            let expected = STANDARD.decode(expected).ok()?;
            (expected.len() == algorithm.output_len()).then_some(Self { algorithm, expected })
        };
        read().ok_or_else(|| ChecksumError::Unreadable(text.chars().take(100).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_tells_its_bytes_from_others() {
        let checksum: Checksum = "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=".parse().unwrap();
        let check = |bytes: &[u8]| {
            let mut digest = checksum.begin();
            digest.update(bytes);
            checksum.check(digest)
        };
        assert_eq!(check(b"hello world"), Ok(()));
        assert_eq!(check(b"hello worlD"), Err(ChecksumError::Mismatch));
    }

    #[test]
    fn what_is_no_checksum_is_refused() {
        for text in
            ["", "sha1", "sha1 ", "md5 XrY7u+Ae7tCTyyK7j1rNww==", "sha1 %%", "sha256 Kq5sNclPz7QV2+lfQIuc6R7oRu0="]
        {
            assert!(matches!(text.parse::<Checksum>(), Err(ChecksumError::Unreadable(_))), "{text}");
        }
    }
}
