//! One secret, a key for each purpose derived from it (HKDF, RFC 5869), and earlier secrets that still open what they closed.

use std::{fs, io, path::Path};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kernel::{ErrorKind, Rng};
use ring::hkdf;
use secrecy::{ExposeSecret, SecretString};

use crate::hex::hex;

/// Shorter secrets could be guessed.
const MIN_BYTES: usize = 32;

/// The file in the data folder where a secret of our own making lies.
const FILE: &str = "secret.key";

/// What a derived key is for: no key serves two purposes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Access tokens signed with HS256.
    AccessTokens,
    /// The chain of the audit log.
    AuditLog,
    /// Fields sealed in the database.
    Fields,
    /// Links that open a file.
    Links,
    /// What was looked up and lies outside of the process for a while.
    Lookups,
    /// Keys of objects that are encrypted at rest.
    Objects,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::AccessTokens => b"pressroom access tokens v1",
            Self::AuditLog => b"pressroom audit log v1",
            Self::Fields => b"pressroom sealed fields v1",
            Self::Links => b"pressroom links v1",
            Self::Lookups => b"pressroom lookups v1",
            Self::Objects => b"pressroom objects v1",
        }
    }
}

/// Why there is no secret to work with.
#[derive(Debug, thiserror::Error)]
pub enum SecretKeyError {
    #[error("the secret key has {bytes} bytes, {MIN_BYTES} is the least; make one with `openssl rand -base64 48`")]
    TooShort { bytes: usize },
    #[error("the secret key file `{path}` cannot be used: {source}")]
    File { path: String, source: io::Error },
}

impl SecretKeyError {
    /// The sort of the failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::TooShort { .. } => ErrorKind::Invalid,
            Self::File { .. } => ErrorKind::Missing,
        }
    }
}

/// The secret in use and those before it, newest first. Its `Debug` shows nothing of them.
#[derive(Debug, Clone)]
pub struct SecretKeys {
    secrets: Vec<SecretString>,
}

impl SecretKeys {
    /// The secret in use, and earlier ones that still have to open what they closed.
    pub fn new(current: SecretString, previous: Vec<SecretString>) -> Result<Self, SecretKeyError> {
        let secrets: Vec<_> = std::iter::once(current).chain(previous).collect();
        match secrets.iter().map(|secret| secret.expose_secret().len()).min() {
            Some(bytes) if bytes < MIN_BYTES => Err(SecretKeyError::TooShort { bytes }),
            _ => Ok(Self { secrets }),
        }
    }

    /// The secret that lies in the data folder; made there, for its owner's eyes only, where there is none yet.
    pub fn of_folder(data: &Path, rng: &dyn Rng) -> Result<Self, SecretKeyError> {
        let path = data.join(FILE);
        let fault = |source| SecretKeyError::File { path: path.display().to_string(), source };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => make_file(&path, rng).map_err(fault)?,
            Err(error) => return Err(fault(error)),
        };
        Self::new(SecretString::from(text.trim().to_owned()), Vec::new())
    }

    /// A key of 32 bytes for `purpose` from each secret, the one in use first.
    pub fn derive(&self, purpose: Purpose) -> Vec<DerivedKey> {
        self.secrets.iter().map(|secret| DerivedKey::new(secret.expose_secret().as_bytes(), purpose)).collect()
    }
}

/// A key derived for one purpose, with a short name that tells it from others and gives nothing of it away.
#[derive(Clone)]
pub struct DerivedKey {
    /// Eight hexadecimal digits.
    pub id: String,
    bytes: [u8; 32],
}

impl DerivedKey {
    fn new(secret: &[u8], purpose: Purpose) -> Self {
        let key = hkdf::Salt::new(hkdf::HKDF_SHA256, b"pressroom").extract(secret);
        Self { id: hex(&expand::<4>(&key, &[purpose.label(), b" id"])), bytes: expand(&key, &[purpose.label()]) }
    }

    /// The key itself.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }
}

impl std::fmt::Debug for DerivedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DerivedKey").field("id", &self.id).finish_non_exhaustive()
    }
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn expand<const N: usize>(key: &hkdf::Prk, info: &[&[u8]]) -> [u8; N] {
    let mut bytes = [0; N];
    let filled = key.expand(info, Length(N)).and_then(|okm| okm.fill(&mut bytes));
    // A key of zeros would be worse than an end. It fails for more than 255 hashes' worth of bytes alone.
    assert!(filled.is_ok(), "a key of {N} bytes cannot be derived");
    bytes
}

/// Written aside and linked into place, so that of two processes that start together both use the first one's secret.
fn make_file(path: &Path, rng: &dyn Rng) -> io::Result<String> {
    let mut bytes = [0; 48];
    rng.fill(&mut bytes);
    let mut aside = [0; 8];
    rng.fill(&mut aside);
    let aside = path.with_extension(hex(&aside));
    write_private(&aside, &URL_SAFE_NO_PAD.encode(bytes))?;
    let linked = fs::hard_link(&aside, path);
    fs::remove_file(&aside)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => fs::read_to_string(path),
    }
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::SeededRng;

    fn secret(letter: &str) -> SecretString {
        SecretString::from(letter.repeat(MIN_BYTES))
    }

    #[test]
    fn each_purpose_and_each_secret_has_a_key_of_its_own() {
        let keys = SecretKeys::new(secret("a"), vec![secret("b")]).unwrap();
        let tokens = keys.derive(Purpose::AccessTokens);
        let fields = keys.derive(Purpose::Fields);
        assert_eq!(tokens.len(), 2);
        assert_ne!(tokens[0].bytes(), tokens[1].bytes());
        assert_ne!(tokens[0].bytes(), fields[0].bytes());
        assert_ne!(tokens[0].id, tokens[1].id);
        assert_eq!(SecretKeys::new(secret("a"), vec![]).unwrap().derive(Purpose::Fields)[0].bytes(), fields[0].bytes());
    }

    #[test]
    fn a_short_secret_is_refused_and_none_is_ever_shown() {
        assert!(matches!(SecretKeys::new("hunter2".into(), vec![]), Err(SecretKeyError::TooShort { bytes: 7 })));
        assert!(matches!(SecretKeys::new(secret("a"), vec!["b".into()]), Err(SecretKeyError::TooShort { bytes: 1 })));
        let keys = SecretKeys::new(SecretString::from("s3cr3t".repeat(8)), vec![]).unwrap();
        let shown = format!("{keys:?} {:?}", keys.derive(Purpose::Fields));
        assert!(!shown.contains("s3cr3t") && !shown.contains("bytes"), "{shown}");
    }

    #[test]
    fn a_secret_of_our_own_making_stays_and_is_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let rng = SeededRng::new(1);
        let first = SecretKeys::of_folder(folder.path(), &rng).unwrap().derive(Purpose::Fields);
        let again = SecretKeys::of_folder(folder.path(), &rng).unwrap().derive(Purpose::Fields);
        assert_eq!(first[0].bytes(), again[0].bytes());
        let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(files, [FILE]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
