//! Who may tell the gateway what to do: whoever has its token, or may open its socket file. There is no address without the one or
//! the other, for who may deploy may run any program as the gateway's user.

use std::{
    fs::{self, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use axum::http::{HeaderMap, header};
use kernel::{ErrorKind, Rng};
use secrecy::{ExposeSecret as _, SecretString};

use super::settings::AdminAddress;

/// The variable of the token; with `_FILE` at its end, of the file that holds it.
pub const TOKEN_VARIABLE: &str = "GATEWAY_TOKEN";
/// The fewest characters of a token that somebody chose.
const MIN_TOKEN_CHARACTERS: usize = 16;
/// Bytes of chance in a token that the gateway makes.
const TOKEN_BYTES: usize = 32;
/// A file larger than this holds no token.
const MAX_TOKEN_FILE_BYTES: u64 = 4096;

/// Who may do what the operator may.
#[derive(Debug, Clone)]
pub enum Access {
    /// Whoever sends this token.
    Token(SecretString),
    /// Whoever may open the socket.
    Socket,
}

/// Why nobody could be let in.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    #[error(
        "`{TOKEN_VARIABLE}` has fewer than {MIN_TOKEN_CHARACTERS} characters; make one with `openssl rand -hex 32`"
    )]
    ShortToken,
    #[error("`admin.listen` is `{0}`, which others can reach; set `{TOKEN_VARIABLE}`, or listen on 127.0.0.1")]
    NoToken(AdminAddress),
    #[error("the token in `{path}` cannot be kept: {source}; set `{TOKEN_VARIABLE}`")]
    File { path: PathBuf, source: io::Error },
}

impl AccessError {
    /// The sort of the failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::ShortToken | Self::NoToken(_) => ErrorKind::Invalid,
            Self::File { .. } => ErrorKind::Missing,
        }
    }
}

impl Access {
    /// The token that the operator chose. Where there is none, a socket file needs none, and on this machine's own addresses
    /// one is made and kept in `folder`, where the operator's commands find it.
    pub fn resolve(
        listen: &AdminAddress,
        chosen: Option<SecretString>,
        folder: &Path,
        rng: &dyn Rng,
    ) -> Result<Self, AccessError> {
        match (chosen, listen) {
            (Some(token), _) if token.expose_secret().chars().count() < MIN_TOKEN_CHARACTERS => {
                Err(AccessError::ShortToken)
            }
            (Some(token), _) => Ok(Self::Token(token)),
            (None, AdminAddress::Unix(_)) => Ok(Self::Socket),
            (None, AdminAddress::Tcp(address)) if address.ip().is_loopback() => {
                let path = token_file(folder);
                let kept = keep_token(&path, rng).map_err(|source| AccessError::File { path, source });
                kept.map(Self::Token)
            }
            (None, AdminAddress::Tcp(_)) => Err(AccessError::NoToken(listen.clone())),
        }
    }

    /// Whether a request may pass.
    pub(super) fn admits(&self, headers: &HeaderMap) -> bool {
        let Self::Token(token) = self else { return true };
        let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let sent = sent.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        // Hashes compare in constant time, and say nothing of where texts differ or how long they are.
        blake3::hash(sent.as_bytes()) == blake3::hash(token.expose_secret().as_bytes())
    }
}

/// The token that a gateway keeps in `folder`, where it made one.
pub fn find_token(folder: &Path) -> Option<SecretString> {
    let path = token_file(folder);
    let is_small = fs::metadata(&path).is_ok_and(|found| found.len() <= MAX_TOKEN_FILE_BYTES);
    let text = is_small.then(|| fs::read_to_string(path).ok()).flatten()?;
    let text = text.trim();
    (text.len() >= MIN_TOKEN_CHARACTERS).then(|| text.to_owned().into())
}

fn token_file(folder: &Path) -> PathBuf {
    folder.join("admin-token")
}

fn keep_token(path: &Path, rng: &dyn Rng) -> io::Result<SecretString> {
    let folder = path.parent().unwrap_or(Path::new("."));
    if let Some(token) = find_token(folder) {
        return Ok(token);
    }
    fs::create_dir_all(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    let mut bytes = [0; TOKEN_BYTES];
    rng.fill(&mut bytes);
    let token = blake3::hash(&bytes).to_hex().to_string();
    let mut options = OpenOptions::new();
    let mut file = options.create(true).write(true).truncate(true).mode(0o600).open(path)?;
    writeln!(file, "{token}")?;
    Ok(token.into())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use kernel::SeededRng;

    use super::*;

    fn resolve(listen: &str, chosen: Option<&str>, folder: &Path) -> Result<Access, AccessError> {
        let chosen = chosen.map(|token| token.to_owned().into());
        Access::resolve(&listen.parse().unwrap(), chosen, folder, &SeededRng::new(1))
    }

    fn admits(access: &Access, value: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        if let Some(value) = value {
            headers.insert(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        access.admits(&headers)
    }

    #[test]
    fn no_address_is_open_to_everybody() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |listen, chosen| resolve(listen, chosen, folder.path()).unwrap_err().to_string();
        assert!(refused("0.0.0.0:8090", None).contains("GATEWAY_TOKEN"));
        assert!(refused("127.0.0.1:8090", Some("short")).contains("fewer than 16"));
        assert!(matches!(resolve("unix:/run/a.sock", None, folder.path()), Ok(Access::Socket)));
        let access = resolve("0.0.0.0:8090", Some("a token of some length"), folder.path()).unwrap();
        assert!(admits(&access, Some("Bearer a token of some length")));
        for wrong in [None, Some("Bearer"), Some("Bearer "), Some("a token of some length"), Some("Bearer another")] {
            assert!(!admits(&access, wrong), "{wrong:?}");
        }
    }

    #[test]
    fn a_token_that_was_made_stays_and_is_found_by_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("gateway");
        assert!(find_token(&state).is_none());
        let Access::Token(made) = resolve("127.0.0.1:0", None, &state).unwrap() else { panic!("no token") };
        assert!(made.expose_secret().len() >= 32);
        let Access::Token(again) = resolve("[::1]:0", None, &state).unwrap() else { panic!("no token") };
        assert_eq!(made.expose_secret(), again.expose_secret());
        assert_eq!(find_token(&state).unwrap().expose_secret(), made.expose_secret());
        let mode = fs::metadata(token_file(&state)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
