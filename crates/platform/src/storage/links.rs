//! Links that open one file for whoever has them, until they expire: signed, so that nothing of them has to be stored.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use kernel::ErrorKind;
use ring::hmac;

use super::FileId;
use crate::secrets::{Purpose, SecretKeys};

/// Told apart from anything else that might be signed with the same key.
const WHAT: &str = "pressroom link v1";

/// Longer texts are no links of ours.
const MAX_TOKEN_BYTES: usize = 128;

/// The right to read one file until a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Goes into the address as it is.
    pub token: String,
    /// Milliseconds since the Unix epoch, in whole seconds.
    pub expires_at_ms: i64,
}

/// Why a link opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    #[error("this link has expired; ask for a new one")]
    Expired,
    #[error("this link opens nothing; it was changed, or is for another file")]
    Invalid,
}

impl LinkError {
    /// The sort of the failure.
    pub fn kind(self) -> ErrorKind {
        ErrorKind::Forbidden
    }
}

/// Signs links, and knows its own again; after a change of secrets also those of the secret before.
#[derive(Debug, Clone)]
pub struct Links {
    keys: Vec<(String, hmac::Key)>,
}

impl Links {
    /// Links signed with the newest of the secrets.
    pub fn new(secrets: &SecretKeys) -> Self {
        let keys = secrets.derive(Purpose::Links).into_iter();
        Self { keys: keys.map(|key| (key.id.clone(), hmac::Key::new(hmac::HMAC_SHA256, key.bytes()))).collect() }
    }

    /// A link to `file` that expires at `expires_at_ms`. There is always a secret to sign with: a set of secrets is never empty.
    pub fn sign(&self, file: FileId, expires_at_ms: i64) -> Link {
        let expires_s = expires_at_ms.div_euclid(1000);
        let signed = self.keys.first().map(|(id, key)| {
            let signature = URL_SAFE_NO_PAD.encode(hmac::sign(key, message(file, expires_s).as_bytes()));
            format!("{expires_s}.{id}.{signature}")
        });
        Link { token: signed.unwrap_or_default(), expires_at_ms: expires_s * 1000 }
    }

    /// Fails unless `token` was signed here for `file` and has not expired.
    ///
    /// The signature is compared in constant time, and before the time is: nobody learns when a forged link would have expired.
    pub fn verify(&self, file: FileId, token: &str, now_ms: i64) -> Result<(), LinkError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(LinkError::Invalid);
        }
        let mut parts = token.splitn(3, '.');
        let (Some(expires), Some(id), Some(signature)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(LinkError::Invalid);
        };
        let expires_s: i64 = expires.parse().map_err(|_| LinkError::Invalid)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| LinkError::Invalid)?;
        let key = self.keys.iter().find(|(known, _)| known == id).map(|(_, key)| key).ok_or(LinkError::Invalid)?;
        hmac::verify(key, message(file, expires_s).as_bytes(), &signature).map_err(|_| LinkError::Invalid)?;
        if now_ms >= expires_s.saturating_mul(1000) { Err(LinkError::Expired) } else { Ok(()) }
    }
}

fn message(file: FileId, expires_s: i64) -> String {
    format!("{WHAT}\n{file}\n{expires_s}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::Uuid;
    use secrecy::SecretString;

    fn links(current: &str, previous: &[&str]) -> Links {
        let secret = |letter: &str| SecretString::from(letter.repeat(32));
        let previous = previous.iter().map(|letter| secret(letter)).collect();
        Links::new(&SecretKeys::new(secret(current), previous).unwrap())
    }

    fn file(number: u128) -> FileId {
        FileId::from_uuid(Uuid::from_u128(number))
    }

    #[test]
    fn a_link_opens_its_file_until_it_expires() {
        let links = links("a", &[]);
        let link = links.sign(file(1), 10_500);
        assert_eq!(link.expires_at_ms, 10_000);
        assert_eq!(links.verify(file(1), &link.token, 9_999), Ok(()));
        assert_eq!(links.verify(file(1), &link.token, 10_000), Err(LinkError::Expired));
        assert_eq!(links.verify(file(2), &link.token, 0), Err(LinkError::Invalid));
    }

    #[test]
    fn a_changed_character_opens_nothing() {
        let links = links("a", &[]);
        let token = links.sign(file(1), 10_000).token;
        for index in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[index] = if changed[index] == b'1' { b'2' } else { b'1' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(links.verify(file(1), &changed, 0), Err(LinkError::Invalid), "{changed}");
            assert_eq!(links.verify(file(1), &token[..index], 0), Err(LinkError::Invalid), "{index} characters");
        }
        let later = token.replacen("10.", "99999.", 1);
        assert_eq!(links.verify(file(1), &later, 0), Err(LinkError::Invalid));
        for other in ["", ".", "..", "1.2.3.4", &"9".repeat(1000)] {
            assert_eq!(links.verify(file(1), other, 0), Err(LinkError::Invalid), "{other}");
        }
    }

    #[test]
    fn links_of_the_secret_before_hold_until_it_is_dropped() {
        let token = links("a", &[]).sign(file(1), 10_000).token;
        assert_eq!(links("b", &["a"]).verify(file(1), &token, 0), Ok(()));
        assert_eq!(links("b", &[]).verify(file(1), &token, 0), Err(LinkError::Invalid));
        assert!(!links("b", &["a"]).sign(file(1), 10_000).token.contains(&token[3..11]), "signed with the newest");
    }
}
