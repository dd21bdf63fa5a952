//! Secrets of 256 bits that we hand out: shown once, then known by their hash alone.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kernel::Rng;
use ring::digest::{SHA256, digest};
use secrecy::{ExposeSecret, SecretString};

/// Bytes of chance in a secret.
const BYTES: usize = 32;

/// What a secret is for: it begins with it, so that a scanner finds leaked ones and none is taken for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretKind {
    ApiKey,
    Refresh,
    Session,
    PasswordReset,
}

impl SecretKind {
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::ApiKey => "prk_",
            Self::Refresh => "prr_",
            Self::Session => "prs_",
            Self::PasswordReset => "prp_",
        }
    }
}

/// A secret to be handed out. `Debug` does not show it.
#[derive(Debug, Clone)]
pub struct Secret(SecretString);

/// The hash of a secret, which is stored. Chance of 256 bits needs no salt and no slow hash: there is nothing to guess.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SecretHash(String);

impl Secret {
    pub fn new(kind: SecretKind, rng: &dyn Rng) -> Self {
        let mut bytes = [0; BYTES];
        rng.fill(&mut bytes);
        Self(SecretString::from(format!("{}{}", kind.prefix(), URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// The secret itself, for the one answer that shows it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    pub fn hash(&self) -> SecretHash {
        SecretHash::of(self.expose())
    }

    /// How it begins.
    pub fn hint(&self) -> String {
        self.expose().chars().take(10).collect()
    }
}

impl SecretHash {
    /// The hash of what was shown, where it can be a secret of this kind at all.
    pub fn of_shown(kind: SecretKind, shown: &str) -> Option<Self> {
        let encoded = shown.strip_prefix(kind.prefix())?;
        let is_one = encoded.len() == BYTES.div_ceil(3) * 4 - 1 && URL_SAFE_NO_PAD.decode(encoded).is_ok();
        is_one.then(|| Self::of(shown))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The hash of whatever was shown.
    pub fn of(secret: &str) -> Self {
        Self(URL_SAFE_NO_PAD.encode(digest(&SHA256, secret.as_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::SeededRng;

    #[test]
    fn what_was_handed_out_is_known_by_its_hash_and_only_as_what_it_is() {
        let secret = Secret::new(SecretKind::ApiKey, &SeededRng::new(1));
        assert_eq!(SecretHash::of_shown(SecretKind::ApiKey, secret.expose()), Some(secret.hash()));
        assert_eq!(SecretHash::of_shown(SecretKind::Refresh, secret.expose()), None);
        for odd in
            ["", "prk_", "prk_short", &format!("{}x", secret.expose()), &secret.expose().replace("prk_", "prk_!")]
        {
            assert_eq!(SecretHash::of_shown(SecretKind::ApiKey, odd), None, "{odd}");
        }
        assert!(!format!("{secret:?}").contains(&secret.expose()[4..]));
        assert!(secret.expose().starts_with(&secret.hint()));
    }
}
